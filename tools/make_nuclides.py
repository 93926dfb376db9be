"""Make the files of `mcdose/data/nuclides`, Y-90's excepted, from published evaluations.

    python tools/make_nuclides.py            # print the energy balance of every nuclide
    python tools/make_nuclides.py --write    # also write a TOML file and the spectra of every nuclide

What is taken from where:

* `actigamma` (Apache-2.0; the UKDD-12 decay library of UKAEA): gamma and X-ray lines, conversion and Auger electrons,
  alpha lines, and the beta branches unless `NUCLIDES` says otherwise.
* `paceENSDF` (BSD; the ENSDF evaluations of the Nuclear Data Sheets): half-lives, the kind of each beta transition,
  electron-capture fractions, and the beta branches where `NUCLIDES` says so.
* `xraylib` (BSD): binding energies, by which conversion electrons are told from Auger electrons.
* Beta and positron spectra are computed: `make_beta_spectrum.summed_spectrum`.

UKDD-12 lists Auger electrons of the K and L shells (of some nuclides also M) as one line a shell. The energy of the
vacancies that is in none of its lines is counted as absorbed on the spot: the binding energies of the shells that
conversion and capture emptied, less the X-rays and Auger electrons listed. Nothing is scaled to reach an energy; the
intensities of the beta branches of a nuclide are divided by their sum where it should be 1 and is not.

Needs numpy, scipy, actigamma 0.1.5, paceENSDF 0.6.3 and xraylib 4.3.0, none of them at run time.
"""

import argparse
import hashlib
import json
import re
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools.make_beta_spectrum import Branch, daughter, fine_grid, mean_energy, summed_spectrum, thinned  # noqa: E402

TARGET = ROOT / "mcdose" / "data" / "nuclides"
SOURCES = ROOT / "mcdose" / "data" / "SOURCES.md"
MADE = "2026-11-27"
LOWEST_LINE = 1e-5  # per decay: what is rarer is left out
LOWEST_KEV = 1.0  # what has less energy is absorbed on the spot
FAR_KEV = 15.0  # between the end points that two evaluations give to one transition
ALPHA_MASS = 4.0026  # u, for the recoil
SHELLS = {"K": (0,), "L": (1, 2, 3), "M": (4, 5, 6, 7, 8), "N": (9, 10, 11, 12, 13, 14, 15)}  # of xraylib
SYMBOLS = "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac".split()  # noqa: E501, SIM905


@dataclass(frozen=True)
class Member:
    """One radionuclide of a chain, as the packages name it.

    Parameters
    ----------
    name
        Such as "Lu177".
    per_decay
        Its decays per decay of the parent of the chain.
    betas
        Whose beta branches: "UKDD-12", "ENSDF", none, or the name of a set in `TYPED`.
    beta_sum
        Betas per decay; the intensities are divided by their sum and multiplied by this. None leaves them.
    positrons
        (end point [keV], per decay) of the positron branches; all are allowed here.
    augers
        Auger lines [keV] that lie where a conversion line could be.
    """

    name: str
    per_decay: float = 1.0
    betas: str = "UKDD-12"
    beta_sum: float | None = 1.0
    positrons: tuple[tuple[float, float], ...] = ()
    augers: tuple[float, ...] = ()

    @property
    def charge(self):
        """Atomic number."""
        return SYMBOLS.index(re.match("[A-Z][a-z]?", self.name)[0]) + 1

    @property
    def mass_number(self):
        """Nucleons."""
        return int("".join(c for c in self.name if c.isdigit()))


@dataclass(frozen=True)
class Entry:
    """What becomes one file: the members of a chain in equilibrium, the parent first, and what to say of them.

    `half_life` is in days with its source, where it is not that of paceENSDF.
    """

    members: tuple[Member, ...]
    notes: tuple[str, ...] = ()
    daughters: tuple[str, ...] = ()
    half_life: tuple[float, str] | None = None


PURE = "no photon or electron besides the betas is listed"
GA68 = ((1899.1, 0.8768), (821.75, 0.0120), (243.23, 2.6e-6))  # DDEP, Ga-68
TYPED = {  # (end point [keV], per decay) by source
    "DDEP": (  # Ho-166
        (24.1, 0.000353),
        (192.0, 0.00304),
        (326.2, 2.76e-5),
        (394.5, 0.00955),
        (1068.6, 7.2e-5),
        (1773.9, 0.505),
        (1854.5, 0.482),
    ),
    # Sr-89: Q = 1502.2(4) keV by Penning trap, shares of DDEP, level at 908.96 keV
    "Sandler et al., Phys. Rev. C 100 (2019) 024309 (Q value), and DDEP (shares)": (
        (593.2, 9.64e-5),
        (1502.2, 0.9999036),
    ),
}
NUCLIDES = (
    Entry((Member("P32", betas="ENSDF"),), (PURE,)),
    Entry(
        (Member("Sr89", betas="Sandler et al., Phys. Rev. C 100 (2019) 024309 (Q value), and DDEP (shares)"),),
        (
            "UKDD-12 and DDEP have an end point of 1495.1 keV, ENSDF 1500.9(25) keV: mean 3 keV lower, and 0.5 keV",
            "the branch of 9.6e-5 to the level at 909 keV is second forbidden, taken as allowed",
        ),
    ),
    Entry(
        (Member("Ho166", betas="DDEP"),),
        ("UKDD-12 gives the 81 keV transition 3 % more than its level is fed; DDEP's beta branches fit it better",),
    ),
    Entry((Member("Lu177"),)),
    Entry(
        (Member("I131"),), ("Xe-131m (11.8 d), which 1.1 % of the decays feed, is counted as if it decayed at once",)
    ),
    Entry((Member("Re188"),)),
    Entry((Member("Re186", beta_sum=0.9313),), ("the other decays, 6.87 %, are electron capture to W-186",)),
    Entry((Member("Sm153"),)),
    Entry((Member("Cu67", betas="ENSDF"),), ("UKDD-12 has end points 14 keV higher (Q = 576 keV); ENSDF's are used",)),
    Entry(
        (Member("Tb161"),),
        ("ENSDF's half-life, 6.89(2) d, is 1 % shorter than all measurements since 2020 (6.953(2) d at IRA)",),
        half_life=(6.9637, "6.9637(29) d: six measurements of three laboratories (2022), PubMed 35158282"),
    ),
    Entry((Member("Tc99m", betas="", augers=(2.17,)),), ("the beta branch of 3.7e-5 to Ru-99 is left out",)),
    Entry((Member("In111", betas=""),), ("the branch of 5e-5 through Cd-111m is counted as if it decayed at once",)),
    Entry((Member("F18", betas="", positrons=((633.5, 0.9673),)),), ("positron branch: ENSDF",)),
    Entry((Member("Ga68", betas="", positrons=GA68),), ("positron branches: DDEP",)),
    Entry(
        (
            Member("Ac225", betas="", augers=(3.756, 8.895, 73.245)),
            Member("Fr221", betas=""),
            Member("At217", betas=""),
            Member("Bi213", betas="ENSDF", beta_sum=0.9784),
            Member("Po213", 0.9784, betas=""),
            Member("Tl209", 0.0216),
            Member("Pb209"),
        ),
        (
            "daughters in equilibrium, where the parent decayed: none is carried away by recoil or chemistry",
            "the beta branch of At-217 (1.2e-4, to Rn-217) is left out",
        ),
        ("Fr-221", "At-217", "Bi-213", "Po-213", "Tl-209", "Pb-209"),
        (9.92, "9.92 d: adopted by NNDC (ENSDF); 10.0 d before, in paceENSDF 0.6.3 and in ICRP-107"),
    ),
    Entry(
        (Member("At211", betas=""), Member("Po211", 0.582, betas="")),
        (
            "Po-211 (0.5 s) decays where At-211 did",
            "Bi-207 (32 a), which 41.8 % of the decays leave, is left out: it outlives the treatment",
        ),
        ("Po-211",),
    ),
)


@dataclass
class Emitted:
    """What a decay of one member, or of a chain, emits; energies in keV."""

    gammas: list = field(default_factory=list)
    x_rays: list = field(default_factory=list)
    conversion_electrons: list = field(default_factory=list)
    auger_electrons: list = field(default_factory=list)
    alphas: list = field(default_factory=list)
    betas: list = field(default_factory=list)  # (end point, per decay, shape, member)
    positrons: list = field(default_factory=list)
    local: float = 0.0
    recoil: float = 0.0


def ukdd():
    """Decay library of actigamma."""
    folder = Path(find_spec("actigamma").origin).parent
    return json.loads((folder / "data" / "lines_decay_2012.min.json").read_text(encoding="utf-8"))


def lines(record, kind):
    """(energy [keV], per decay) of one kind, ascending."""
    if kind not in record:
        return []
    table = record[kind]["lines"]
    rows = zip(table["energies"], table["intensities"], table["norms"], strict=True)
    return sorted((energy / 1e3, intensity * norm) for energy, intensity, norm in rows)


def ensdf(member):
    """ENSDF decay data sets of the ground state, or of the isomer, of a member."""
    folder = Path(find_spec("paceENSDF").origin).parent / "ENSDF_JSON"
    isomer = member.name.endswith("m")
    found = []
    for path in sorted(folder.glob(f"*_{member.name.rstrip('m')}_*")):
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["parentID"] == member.name.rstrip("m") and (float(data["levelEnergyParentDecay"]) > 0) == isomer:
            found.append(data)
    return found


def shape_of(branch):
    """Kind of a beta transition, from ENSDF's change of spin and parity."""
    kind = branch["forbiddennessClassification"]
    if kind == "firstForbiddenUnique":
        return "unique first forbidden"
    if kind == "allowed":
        return "allowed"
    words = {"firstForbidden": "non-unique first forbidden", "secondForbidden": "second forbidden"}
    return words.get(kind, "unassigned") + ", taken as allowed"


def beta_branches(member, record):
    """(end point [keV], per decay, shape) of a member's beta branches."""
    if not member.betas:
        return []
    known = []
    for data in ensdf(member):
        for level in data["levelScheme"]:
            for branch in level.get("betaMinusDecay", ()):
                share = branch["betaMinusIntensity"] / 100
                known.append((branch["endPointBetaMinusEnergy"], share, shape_of(branch)))
    if member.betas == "ENSDF":
        found = known
    else:
        found = []
        for end_point, share in TYPED.get(member.betas) or lines(record, "beta"):
            nearest = min(known, key=lambda branch: abs(branch[0] - end_point))
            shape = nearest[2] if abs(nearest[0] - end_point) < FAR_KEV else "unassigned, taken as allowed"
            found.append((end_point, share, shape))
    total = sum(share for _, share, _ in found)
    scale = 1.0 if member.beta_sum is None else member.beta_sum / total
    return sorted((end_point, share * scale, shape) for end_point, share, shape in found if share > 1e-6)


def edge(charge, shell):
    """Binding energy [keV], 0 where xraylib has none."""
    import xraylib

    try:
        return xraylib.EdgeEnergy(charge, shell)
    except ValueError:
        return 0.0


def daughters_of(member, record):
    """Atomic numbers of the atoms that the decay leaves."""
    if member.name.endswith("m"):
        return [member.charge]
    steps = {"beta": 1, "ec": -1, "alpha": -2}
    modes = [mode for mode in steps if mode in record and (mode != "beta" or member.betas)]
    return [member.charge + steps[mode] for mode in modes]


def binding_of(energy, gammas, charges):
    """Binding energy [keV] of the shell that a conversion electron left; None if no gamma line fits."""
    best = None
    for charge in charges:
        for gamma, _ in gammas:
            for shells in SHELLS.values():
                bounds = [edge(charge, shell) for shell in shells]
                low, high = (0.0 if shells[0] == 9 else min(bounds)), max(bounds)
                binding = gamma - energy
                if low - 0.05 <= binding <= high + 0.05:
                    off = min(abs(binding - bound) for bound in bounds)
                    if best is None or off < best[0]:
                        best = off, max(binding, 0.0)
    return None if best is None else best[1]


def capture_vacancies(member, record):
    """Mean binding energy [keV per decay] of the shells that electron capture empties, by ENSDF's fractions."""
    energy = 0.0
    for data in ensdf(member):
        branches = [(level, b) for level in data["levelScheme"] for b in level.get("betaPlusDecay", ())]
        for q_value, share in lines(record, "ec"):
            if not branches:
                continue
            _, branch = min(branches, key=lambda pair: abs(pair[1]["electronCaptureEnergy"] - q_value))
            fractions = branch["calculatedAtomicShellElectronCaptureFractions"][0]
            for shell, letter in ((0, "K"), (1, "L"), (4, "M")):
                fraction = fractions.get(f"calculatedElectronCaptureFractionAtomicShell{letter}") or 0.0
                energy += share * fraction * edge(member.charge - 1, shell)
    return energy


def emitted_by(member, record):
    """Everything one decay of a member emits."""
    found = Emitted()
    charges = daughters_of(member, record)
    gammas = lines(record, "gamma")
    found.gammas = gammas
    x_rays = [line for line in lines(record, "x-ray") if abs(line[0] - 511.0) > 0.1]  # annihilation is not of the atom
    vacancies = capture_vacancies(member, record)
    highest_edge = max((edge(charge, 0) for charge in charges), default=0.0)
    for energy, share in lines(record, "electron"):
        known = any(abs(energy - auger) < 0.01 for auger in member.augers)
        binding = None if known else binding_of(energy, gammas, charges)
        if binding is None and energy < highest_edge:
            found.auger_electrons.append((energy, share))
        else:
            found.conversion_electrons.append((energy, share))
            vacancies += (binding or 0.0) * share
    listed = sum(e * n for e, n in x_rays + found.auger_electrons)
    found.x_rays = x_rays
    unlisted = vacancies - listed
    found.local = max(unlisted, 0.0)
    for name in ("gammas", "x_rays", "conversion_electrons", "auger_electrons"):
        rows = getattr(found, name)
        found.local += sum(e * n for e, n in rows if e < LOWEST_KEV)
        setattr(found, name, [(e, n) for e, n in rows if e >= LOWEST_KEV])
    alphas = lines(record, "alpha")
    if alphas and set(record) & {"beta", "ec"} == set():
        total = sum(n for _, n in alphas)
        alphas = [(e, n / total) for e, n in alphas]
    found.alphas = alphas
    found.recoil = sum(e * n for e, n in alphas) * ALPHA_MASS / (member.mass_number - 4)
    found.betas = [(*branch, member) for branch in beta_branches(member, record)]
    found.positrons = [(end, share, "allowed", member) for end, share in member.positrons]
    return found, unlisted


def chain(entry, library):
    """Everything a decay of the parent and of its daughters in equilibrium emits."""
    total = Emitted()
    for member in entry.members:
        found, unlisted = emitted_by(member, library[member.name])
        if unlisted < -0.05:
            print(f"  {member.name}: X-rays and Auger electrons exceed the vacancies by {-unlisted:.3f} keV")
        for name in ("gammas", "x_rays", "conversion_electrons", "auger_electrons", "alphas"):
            rows = [(e, n * member.per_decay) for e, n in getattr(found, name)]
            setattr(total, name, sorted([*getattr(total, name), *rows]))
        for name in ("betas", "positrons"):
            rows = [(e, n * member.per_decay, *rest) for e, n, *rest in getattr(found, name)]
            setattr(total, name, [*getattr(total, name), *rows])
        total.local += found.local * member.per_decay
        total.recoil += found.recoil * member.per_decay
    return total


def tabulated(branches, sign):
    """Return the spectrum (MeV, 1/MeV) of branches (end point [keV], per decay, shape, member), summed and thinned."""
    ends = [Branch(end / 1e3, share, shape == "unique first forbidden") for end, share, shape, _ in branches]
    energy = fine_grid(ends)
    density = np.zeros_like(energy)
    for member in dict.fromkeys(member for *_, member in branches):
        own = [end for end, (*_, owner) in zip(ends, branches, strict=True) if owner == member]
        density += summed_spectrum(daughter(sign * (member.charge + sign), member.mass_number), own, energy)
    return thinned(energy, density)


def dashed(name):
    """Turn "Tc99m" into "Tc-99m"."""
    return re.sub("([A-Za-z]+)([0-9].*)", r"\1-\2", name)


def published_means(entry, library):
    """Mean energies of the betas, or positrons, per decay [MeV] that the two evaluations state."""
    means = {"ENSDF": 0.0, "UKDD-12": 0.0}
    for member in entry.members:
        record = library[member.name]
        if not member.betas and not member.positrons:
            continue
        means["UKDD-12"] += member.per_decay * record["beta" if member.betas else "ec"]["mean_energy"] / 1e6
        kind, mean = ("betaMinus", "averageBetaMinusEnergy") if member.betas else ("betaPlus", "averageBetaPlusEnergy")
        for data in ensdf(member):
            for level in data["levelScheme"]:
                for branch in level.get(f"{kind}Decay", ()):
                    share = branch[f"{kind}Intensity"] / 100
                    means["ENSDF"] += member.per_decay * share * (branch[mean] or 0.0) / 1e3
    return {name: round(mean, 5) for name, mean in means.items() if mean}


def half_life(entry):
    """Half-life [s], and how its source writes it."""
    if entry.half_life:
        days, written = entry.half_life
        return days * 86400.0, written
    best = ensdf(entry.members[0])[0]["parentDecay"][0]["halfLife"][0]
    written = (
        f"{best['halfLifeBest']:g} {best['unitHalfLifeBest']}: ENSDF (Nuclear Data Sheets) through paceENSDF 0.6.3"
    )
    return best["halfLifeConverted"], written


def sources(entry, found):
    """Say where each part of an entry comes from."""
    said = [f"half-life {half_life(entry)[1]}"]
    betas = sorted({member.betas for member in entry.members if member.betas})
    if betas:
        said.append(
            f"beta spectrum: Fermi theory, tools/make_beta_spectrum.py; branches of {' and '.join(betas)}, "
            "kinds of transition of ENSDF, intensities divided by their sum"
        )
    if found.positrons:
        said.append("positron spectrum: Fermi theory, tools/make_beta_spectrum.py")
    if found.gammas or found.conversion_electrons or found.alphas:
        said.append("lines from 1 keV and 1e-5 per decay: UKDD-12 (UKAEA) through actigamma 0.1.5")
        said.append(
            "local energy: what is below 1 keV, and what conversion and capture leave in shells without a listed line "
            "(binding energies of xraylib 4.3.0, capture fractions of ENSDF)"
        )
    return [*said, *entry.notes]


def rows_text(key, rows):
    """TOML of a list of lines, (energy [keV], per decay)."""
    kept = [f"    [{energy / 1e3:.7g}, {share:.5g}],\n" for energy, share in rows if share >= LOWEST_LINE]
    return f"{key} = [\n{''.join(kept)}]\n" if kept else ""


def entry_text(entry, found, spectra, means):
    """TOML of an entry."""
    seconds, written = half_life(entry)
    name = dashed(entry.members[0].name)
    text = "# Made by tools/make_nuclides.py; docs/nuclides.md says what each key means.\n"
    text += f'name = "{name}"\nhalf_life_s = {seconds:.10g} # {written.split(":")[0]}\n'
    text += "".join(f'{key} = "{file}"\n' for key, file in spectra.items())
    if entry.daughters:
        text += f"daughters = {json.dumps(entry.daughters)}\n"
    text += "sources = [\n" + "".join(f"    {json.dumps(s, ensure_ascii=False)},\n" for s in sources(entry, found))
    text += "]\n\n# energy, MeV, and number per decay\n"
    for key in ("gammas", "x_rays", "conversion_electrons", "auger_electrons", "alphas"):
        text += rows_text(key, getattr(found, key))
    for key in ("local", "recoil"):
        energy = getattr(found, key) / 1e3
        text += f"{key}_mev = {energy:.5g}\n" if energy >= 5e-9 else ""
    for key, branches in (("beta_branches", found.betas), ("positron_branches", found.positrons)):
        for end, share, shape, member in branches:
            text += f'\n[[{key}]]\nend_point_mev = {end / 1e3:.7g}\nper_decay = {share:.6g}\nshape = "{shape}"\n'
            text += f'parent = "{dashed(member.name)}"\n' if len(entry.members) > 1 else ""
    if means:
        text += "\n[evaluations_mev] # mean energy of the betas or positrons per decay\n"
        text += "".join(f'"{key}" = {mean:.5g}\n' for key, mean in means.items())
    return text


def spectrum_text(name, what, table):
    """CSV of a spectrum."""
    energy, density = table
    head = f"""\
# {name}, spectrum of the {what}s: kinetic energy and dN/dE per decay, linear between rows.
# Computed by tools/make_nuclides.py, Fermi theory; the branches stand in {name}.toml, docs/beta_spectrum.md says how.
# {np.trapezoid(density, energy):.5f} per decay, mean energy of a {what} {mean_energy(energy, density) * 1e3:.3f} keV.
# energy_mev,density_per_mev
"""
    return head + "".join(f"{e:.7g},{d:.7e}\n" for e, d in zip(energy, density, strict=True))


def write_sources(files):
    """Put a row for each file between the marks in SOURCES.md."""
    text = SOURCES.read_text(encoding="utf-8")
    start, end = "<!-- made by make_nuclides -->\n", "<!-- end of make_nuclides -->\n"
    before, rest = text.split(start)
    _, after = rest.split(end)
    table = "| file | what, unit | from | edition | made | licence | sha256 |\n|---|---|---|---|---|---|---|\n"
    for path in sorted(files, key=lambda path: path.name.casefold()):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if path.suffix == ".csv":
            what = "spectrum: kinetic energy, MeV; dN/dE per decay, 1/MeV"
            origin = "computed: Fermi theory from the branches in the TOML file | this project"
            licence = "Apache-2.0"
        else:
            what = "half-life, s; lines, MeV and per decay; branches, MeV and per decay; local energy, MeV"
            origin = (
                "UKDD-12 through actigamma; ENSDF through paceENSDF; binding energies of xraylib; notes in the file "
            )
            origin += "| actigamma 0.1.5, paceENSDF 0.6.3, xraylib 4.3.0"
            licence = "Apache-2.0 (actigamma), BSD (paceENSDF, xraylib); ENSDF data are public"
        table += f"| `nuclides/{path.name}` | {what} | {origin} | {MADE} | {licence} | {digest} |\n"
    SOURCES.write_text(before + start + "\n" + table + "\n" + end + after, encoding="utf-8", newline="\n")


def main():
    """Print the mean energies of every entry; write its files when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write the files of {TARGET.relative_to(ROOT)}")
    write = parser.parse_args().write
    library = ukdd()
    files = []
    for entry in NUCLIDES:
        name = dashed(entry.members[0].name)
        found = chain(entry, library)
        spectra, texts = {}, {}
        for key, what, branches, sign in (
            ("spectrum", "beta", found.betas, 1),
            ("positron_spectrum", "positron", found.positrons, -1),
        ):
            if branches:
                spectra[key] = f"{name.replace('-', '').lower()}_{what}_spectrum.csv"
                texts[spectra[key]] = spectrum_text(name, what, tabulated(branches, sign))
        texts[f"{name}.toml"] = entry_text(entry, found, spectra, published_means(entry, library))
        for file, text in texts.items():
            if write:
                (TARGET / file).write_text(text, encoding="utf-8", newline="\n")
            files.append(TARGET / file)
        print(f"{name}: {', '.join(texts)}")
    if write:
        write_sources(files)


if __name__ == "__main__":
    main()
