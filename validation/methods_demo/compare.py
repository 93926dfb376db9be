"""All ways to a dose in the demonstration phantom, by where the activity is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mcdose
from mcdose.calibration import SCHNEIDER
from mcdose.case import Case, demo_case
from mcdose.engine.cpu import cpu_name
from mcdose.methods import MAIN, WAYS, Way
from mcdose.phantom import DIAPHRAGM_Z, LIVER_CENTRE, LIVER_SEMI_AXES, LUNG_SHUNT
from validation.outcome import Outcome, Row, load_case

NAME = "methods_demo"
JUDGED = ("liver", "normal liver", "tumour 1", "tumour 2")
SHUNTS = (0.002, 0.005, 0.01, 0.02, 0.04, 0.1, 0.2)  # of the activity, all of it in the field
REFERENCE, CONVOLVED, LOCAL = MAIN


class Means:
    """Mean doses of all structures for activity in one place, by way, with standard errors of Monte Carlo."""

    def __init__(self, case: Case, activity_bq: NDArray[np.float64], histories: int, seed: int, threads: Any) -> None:
        self.values: dict[tuple[Way, str], float] = {}
        self.errors: dict[str, float] = {}
        for way in WAYS:
            choices = way.choices
            if way is REFERENCE:
                choices |= {"histories": histories, "seed": seed}
            result = mcdose.absorbed_dose(
                mcdose.activity_to_tia(activity_bq, "Y-90"),
                case.grid.voxel_mm,
                density_g_cm3=case.density_g_cm3,
                medium=case.medium,
                media=case.media,
                regions=case.structures,
                threads=threads,
                device="cpu",
                **choices,
            )
            for name, region in result.regions.items():
                self.values[way, name] = region.mean_gy
                if region.standard_error_gy is not None:
                    self.errors[name] = region.standard_error_gy


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case: activity in the liver, activity in the lungs, and their sums for several shunts."""
    limits = load_case(NAME)["limits"]
    begun = time.perf_counter()
    case = demo_case(SCHNEIDER)
    lungs = case.structures["lungs"]
    total = float(case.activity_bq.sum())
    parts = [np.where(lungs, 0.0, case.activity_bq), np.where(lungs, case.activity_bq, 0.0)]
    liver, lung = (
        Means(case, part * (total / part.sum()), histories, seed + number, threads) for number, part in enumerate(parts)
    )

    def mean(way: Way, name: str, shunt: float) -> tuple[float, float]:
        value = (1.0 - shunt) * liver.values[way, name] + shunt * lung.values[way, name]
        return value, float(np.hypot((1.0 - shunt) * liver.errors[name], shunt * lung.errors[name]))

    def row(way: Way, name: str, shunt: float, limit: float | None, factor: float = 1.0, label: str = "") -> Row:
        reference, error = mean(REFERENCE, name, shunt)
        value = factor * mean(way, name, shunt)[0]
        return Row(label or f"{name}, {way.label}", value, 0.0, reference, error, limit)

    leaving, path = leaves_the_liver()
    rows = [row(CONVOLVED, name, LUNG_SHUNT, limits["methods"]) for name in JUDGED]
    rows.append(row(LOCAL, "normal liver", LUNG_SHUNT, limits["methods"]))
    label = "liver, local deposition less what leaves"
    rows.append(row(LOCAL, "liver", LUNG_SHUNT, limits["closed_form"], 1.0 - leaving, label))
    rows += [row(LOCAL, name, LUNG_SHUNT, None) for name in ("liver", "tumour 1", "tumour 2")]
    rows += [row(way, name, LUNG_SHUNT, None) for way in WAYS[3:] for name in JUDGED]
    for shunt in SHUNTS:
        rows += [row(way, "lungs", shunt, None, 1.0, f"lungs, shunt {shunt:.1%}, {way.label}") for way in WAYS[1:]]
    born = {way: (1.0 - LUNG_SHUNT) * liver.values[way, "lungs"] / mean(way, "lungs", LUNG_SHUNT)[0] for way in WAYS}
    remarks = [
        f"mean doses, Gy, of {total / 1e9:g} GBq; shunt {LUNG_SHUNT:.0%} unless said, all of it in the part of the "
        "lungs that is in the field",
        f"energy stays {path:.2f} mm from where it is born on average (point kernel, to 12 mm); {leaving:.2%} of it "
        "leaves the liver by the closed form, bremsstrahlung beyond 12 mm included",
        "of the dose of the lungs, what the liver's activity gives: "
        + ", ".join(f"{way.label} {share:.1%}" for way, share in born.items()),
    ]
    return Outcome(rows, 2 * histories, seed, time.perf_counter() - begun, cpu_name(), remarks)


def leaves_the_liver() -> tuple[float, float]:
    """Return the part of the energy born evenly in the liver that leaves it, and the mean distance it travels [mm].

    A convex body of surface S and volume V, evenly active, loses S <r> / 4 V of what travels straight distances r
    short against its size: the distribution of chords begins as 1 - r S / 4 V (Cauchy). <r> is the mean of the point
    kernel of the liver within 12 mm; all of the bremsstrahlung beyond is taken as lost.
    """
    kernel = mcdose.load_kernel("Y-90/liver/point")
    edges = kernel.shell_edges_mm
    near = edges[1:] <= 12.0 + 1e-9
    fraction = kernel.energy_mev / kernel.emitted_mev
    middle = 0.5 * (edges[1:] + edges[:-1])
    path = float((fraction * middle)[near].sum())
    surface, volume = _cut_ellipsoid()
    return surface * path / (4.0 * volume) + 1.0 - float(fraction[near].sum()), path


def _cut_ellipsoid(steps: int = 2000) -> tuple[float, float]:
    """Return surface [mm2] and volume [mm3] of the liver's ellipsoid, cut flat at the diaphragm, by quadrature."""
    c, b, a = LIVER_SEMI_AXES
    top = (DIAPHRAGM_Z - LIVER_CENTRE[0]) / c
    cosine = np.linspace(-1.0, top, steps + 1)
    cosine = 0.5 * (cosine[1:] + cosine[:-1])
    angle = (np.arange(steps) + 0.5) * (2.0 * np.pi / steps)
    sine = np.sqrt(1.0 - cosine**2)[:, None]
    normal = np.sqrt(
        (b * c * sine * np.cos(angle)) ** 2 + (a * c * sine * np.sin(angle)) ** 2 + (a * b * cosine[:, None]) ** 2
    )
    cell = (top + 1.0) / steps * (2.0 * np.pi / steps)
    lid = np.pi * a * b * (1.0 - top**2)
    volume = np.pi * a * b * c * (top - top**3 / 3.0 + 2.0 / 3.0)
    return float(normal.sum() * cell + lid), float(volume)


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw how far each way is from Monte Carlo in the lungs, over the shunt, with the published figures."""
    import textwrap

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
    for way in WAYS[1:]:
        values = [row.deviation * 100.0 for row in outcome.rows if row.quantity.startswith("lungs") and
                  row.quantity.endswith(f", {way.label}")]  # fmt: skip
        axes.semilogx([100.0 * shunt for shunt in SHUNTS], values, "o-", markersize=3, label=way.label)
    published = (("d'Andrea 2024", "k", (-27.0, -28.0, -88.0)), ("Mikell 2015", "grey", (17.0, 20.0, -60.0)))
    for name, colour, values in published:
        for value in values:
            axes.axhline(value, color=colour, linewidth=0.7, linestyle=":")
        axes.text(100.0 * SHUNTS[-1], values[0], name, fontsize=7, ha="right", va="bottom", color=colour)
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set_xlabel("lung shunt, % of the activity, all of it in the field")
    axes.set_ylabel("mean dose of the lungs from Monte Carlo, %")
    axes.set_title("\n".join(textwrap.wrap(title, 80)), fontsize=9)
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=110)
    plt.close(figure)
