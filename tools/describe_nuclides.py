"""Write the tables of docs/nuclides.md from the nuclides that mcdose ships.

    python tools/describe_nuclides.py            # print the tables
    python tools/describe_nuclides.py --write    # put them between the marks in docs/nuclides.md

The figures of other evaluations and the energies of the decay schemes stand here: they are compared with, not shipped.
"""

import argparse
import math
from pathlib import Path

from mcdose.nuclides import nuclide, nuclides

PAGE = Path(__file__).resolve().parents[1] / "docs" / "nuclides.md"
START, END = "<!-- made by tools/describe_nuclides.py -->\n", "<!-- end of what it makes -->\n"

# ICRP Publication 107 (2008), keV per decay: betas and positrons, conversion and Auger electrons, photons
ICRP107 = {
    "Y-90": (932.90, 0.20, 0.001),
    "Ho-166": (664.99, 31.35, 30.07),
    "Lu-177": (133.27, 14.65, 35.10),
    "I-131": (181.87, 9.98, 382.76),
    "Tc-99m": (0.0, 16.18, 126.60),
    "Re-188": (762.62, 16.73, 61.25),
    "P-32": (694.78, 0.0, 0.0),
    "Sm-153": (223.57, 46.31, 64.26),
    "Sr-89": (584.54, 0.0, 0.087),
    "Cu-67": (135.89, 14.50, 115.36),
    "Tb-161": (154.26, 48.23, 36.53),
    "Ga-68": (737.38, 0.56, 948.69),
}
# Falzone et al., J. Nucl. Med., 2015, as tabulated in Front. Pharmacol. 9 (2018) 996, table 1, keV per decay:
# betas, conversion electrons, Auger and Coster-Kronig electrons, photons, alphas, recoils
FALZONE = {
    "Cu-67": (136.0, 13.7, 0.75, 115.0, 0.0, 0.0),
    "Tc-99m": (0.0, 15.2, 0.94, 127.0, 0.0, 0.0),
    "In-111": (0.0, 27.9, 6.88, 386.0, 0.0, 0.0),
    "Sm-153": (224.0, 40.3, 6.02, 64.3, 0.0, 0.0),
    "Tb-161": (154.0, 39.3, 8.94, 36.5, 0.0, 0.0),
    "Lu-177": (133.0, 13.5, 1.13, 35.1, 0.0, 0.0),
    "At-211": (0.0, 0.27, 5.86, 44.8, 6780.0, 131.0),
}
# Energy per decay, neutrinos included, that the decay scheme sets free [keV]. Q values, levels, shares and capture
# fractions: ENSDF; binding energies K and L1 (xraylib) for what electron capture leaves in the atom.
SCHEMES = {
    "P-32": 1710.66,
    "Sr-89": 1500.9,
    "Ho-166": 1854.7,
    "Lu-177": 496.8,
    "I-131": 970.8,
    "Re-188": 2120.42,
    "Sm-153": 807.5,
    "Cu-67": 561.7,
    "Tb-161": 593.0,
    "Tc-99m": 142.6836,
    "In-111": 416.63 + 0.852 * 26.71 + 0.148 * 4.02,
    "Re-186": 0.9313 * 1072.7 + 0.0167 * 122.64 + 0.0687 * (0.792 * 69.53 + 0.208 * 12.10),
    "F-18": 0.9673 * 1655.5 + 0.0327 * 0.53,
    "Ga-68": 0.8891 * 2921.1
    + 0.0180 * 1077.36
    + 0.0023 * 1883.16
    + 0.00033 * 1655.87
    + 0.00096 * 2338.48
    + 0.0001 * 2821.86
    + 0.1109 * (0.883 * 9.66 + 0.117 * 1.19),
    "At-211": 0.418 * 5982.4 + 0.582 * 7594.5 + 0.5793 * (0.773 * 93.10 + 0.227 * 16.93) + 0.0027 * (687.0 + 16.93),
    "Ac-225": 5935.1 + 6457.7 + 7201.4 + 0.9784 * (1422.0 + 8536.1) + 0.0216 * (5988.0 + 3976.0) + 644.0,
}
# Highest level energy difference [keV] of the evaluation whose branches are used: end point plus level of one branch
FED = {
    "Ho-166": 1854.5,
    "Lu-177": 498.298,
    "I-131": 806.865 + 163.93,
    "Re-188": 2120.37,
    "Sm-153": 808.195,
    "Cu-67": 561.7,
    "Tb-161": 593.1,
}
CONVERSION = ("conversion electrons", "Auger electrons", "local")
PHOTONS = ("gamma", "X-rays", "annihilation")


def emitted_kev(found):
    """Energy per decay that leaves the atom or stays in it, neutrinos included [keV]."""
    neutrinos = sum(b.per_decay * b.end_point_mev for b in found.beta_branches + found.positron_branches)
    others = sum(mev for kind, mev in found.mean_energies_mev.items() if kind not in ("beta", "positron"))
    return 1e3 * (neutrinos + others)


def fed_kev(found):
    """Energy per decay of the levels that the betas feed [keV]."""
    return math.fsum(b.per_decay * (FED[found.name] - 1e3 * b.end_point_mev) for b in found.beta_branches)


def percent(ratio, digits):
    """Write how far a ratio is from 1."""
    return f"{round(100 * (ratio - 1), digits) + 0.0:+.{digits}f} %"


def figure(kev):
    """Write an energy as the tables have it."""
    if not kev:
        return ""
    return f"{kev:.0f}" if kev >= 5000 else f"{kev:.2f}" if kev < 100 else f"{kev:.1f}"


def half_life(found):
    """Half-life as its source writes it."""
    return found.sources[0].removeprefix("half-life ").split(":")[0]


def energies():
    """Table of the mean energies per decay by kind."""
    head = ["nuclide", "half-life", "betas, positrons", *nuclide("Y-90").mean_energies_mev, "Gy kg/GBq"]
    rows = [head, ["---"] * len(head)]
    for name in nuclides():
        found = nuclide(name)
        count = found.spectrum.electrons_per_decay + found.positrons_per_decay
        means = [figure(1e3 * mev) for mev in found.mean_energies_mev.values()]
        rows.append([name, half_life(found), f"{count:.4g}", *means, f"{found.gy_kg_per_gbq:.4g}"])
    return table(rows)


def comparison():
    """Table of the mean energies beside other evaluations."""
    rows = [
        [
            "nuclide",
            "betas, positrons: mcdose",
            "ENSDF",
            "UKDD-12",
            "ICRP-107",
            "conversion, Auger, local: mcdose",
            "ICRP-107",
            "Falzone 2015",
            "photons: mcdose",
            "ICRP-107",
            "Falzone 2015",
        ]
    ]
    rows.append(["---"] * len(rows[0]))
    for name in nuclides():
        found = nuclide(name)
        means = {kind: 1e3 * mev for kind, mev in found.mean_energies_mev.items()}
        icrp = ICRP107.get(name, (0.0, 0.0, 0.0))
        falzone = FALZONE.get(name, (0.0,) * 6)
        published = {key.split()[0]: 1e3 * mev for key, mev in found.evaluations.items()}
        rows.append(
            [
                name,
                figure(means["beta"] + means["positron"]),
                figure(published.get("ENSDF", 0.0)),
                figure(published.get("UKDD-12", 0.0)),
                figure(icrp[0]),
                figure(sum(means[kind] for kind in CONVERSION)),
                figure(icrp[1]),
                figure(falzone[1] + falzone[2]),
                figure(sum(means[kind] for kind in PHOTONS)),
                figure(icrp[2]),
                figure(falzone[3]),
            ]
        )
    return table(rows)


def balance():
    """Table of the energy emitted beside that of the decay scheme."""
    rows = [
        [
            "nuclide",
            "emitted with neutrinos, keV",
            "decay scheme, keV",
            "difference",
            "not betas",
            "levels fed",
            "difference",
        ]
    ]
    rows.append(["---"] * len(rows[0]))
    for name, scheme in sorted(SCHEMES.items()):
        found = nuclide(name)
        total = emitted_kev(found)
        row = [name, f"{total:.1f}", f"{scheme:.1f}", percent(total / scheme, 2), "", "", ""]
        if name in FED:
            others = 1e3 * sum(mev for kind, mev in found.mean_energies_mev.items() if kind != "beta")
            row[4:] = [f"{others:.2f}", f"{fed_kev(found):.2f}", percent(others / fed_kev(found), 1)]
        rows.append(row)
    return table(rows)


def table(rows):
    """Markdown of a table, the first row its head."""
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def tables():
    """Everything between the marks of the page."""
    return f"""
### Mean energy per decay, keV

{energies()}
### Beside other evaluations, keV per decay

{comparison()}
### Balance with the decay scheme

{balance()}
"""


def page(text):
    """Return the text of the page with its tables made anew."""
    before, rest = text.split(START)
    return before + START + tables() + END + rest.split(END)[1]


def main():
    """Print the tables, or write them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put them into docs/nuclides.md")
    if parser.parse_args().write:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
    else:
        print(tables())


if __name__ == "__main__":
    main()
