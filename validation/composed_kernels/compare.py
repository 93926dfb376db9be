"""Point kernels of electrons in water: composed of mono-energetic ones, and simulated."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from mcdose import PointKernel, dose_point_kernel, load_kernel, nuclide
from mcdose.electron_kernels import ElectronKernels
from mcdose.engine.cpu import cpu_name
from validation.emissions import only
from validation.outcome import Outcome, Row, load_case

NAME = "composed_kernels"
NUCLIDES = ("Lu-177", "I-131", "Re-188", "P-32")
SHELLS = 120  # those of equal width
LOWEST_MEV = 0.01  # of the library


def composed(
    electrons: ElectronKernels, name: str, direct: PointKernel, with_lines: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Return the energy per decay in the shells of a simulated kernel, and its standard error."""
    of = nuclide(name)
    edges = direct.shell_edges_mm
    kernel = electrons.compose((of.spectrum.energies_mev, of.spectrum.density_per_mev), shell_edges_mm=edges)
    number = of.spectrum.electrons_per_decay
    energy, deviations = kernel.energy_mev * number, kernel.deviations_mev * number
    if with_lines:
        for line, count in of.conversion_electrons:
            if line >= LOWEST_MEV:
                kernel = electrons.compose(line, shell_edges_mm=edges)
                energy, deviations = energy + count * kernel.energy_mev, deviations + count * kernel.deviations_mev
            else:
                energy[0] += count * line
    return energy, np.sqrt((deviations**2).sum(axis=0))


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limits = load_case(NAME)["limits"]
    begun = time.perf_counter()
    electrons = load_kernel("electron/water/point")
    assert isinstance(electrons, ElectronKernels)
    rows: list[Row] = []
    total = 0
    cases = [(name, lines) for name in NUCLIDES for lines in (False, True) if not lines or name != "P-32"]
    for number, (name, with_lines) in enumerate(cases):
        kinds = ("spectrum", "conversion_electrons") if with_lines else ("spectrum",)
        direct = dose_point_kernel(only(name, kinds), "water", histories=histories, seed=seed + number, threads=threads)
        total += direct.histories
        energy, error = composed(electrons, name, direct, with_lines)
        largest = direct.energy_mev.max()
        what = f"{name}, {'betas and conversion electrons' if with_lines else 'betas'}"
        for k in np.flatnonzero(direct.energy_mev[:SHELLS] > 1e-3 * largest):
            inner, outer = direct.shell_edges_mm[k : k + 2]
            rows.append(
                Row(
                    f"{what}, {inner:.3g} to {outer:.3g} mm",
                    float(energy[k]),
                    float(error[k]),
                    float(direct.energy_mev[k]),
                    float(direct.standard_error_mev[k]),
                    float(limits["shell"] * largest / direct.energy_mev[k]),
                )
            )
        inside = np.concatenate([[0.0], np.cumsum(energy)])
        for fraction in (0.5, 0.9):
            rows.append(
                Row(
                    f"{what}, X{100 * fraction:g}, mm",
                    float(np.interp(fraction * inside[-1], inside, direct.shell_edges_mm)),
                    0.0,
                    direct.radius_containing(fraction),
                    direct.radius_standard_error(fraction),
                    limits["radius"],
                )
            )
    worst = max(
        (row for row in rows if "X" not in row.quantity.rsplit(",", 2)[-2]),
        key=lambda row: abs(row.deviation) / (row.limit or 1.0),
    )
    return Outcome(
        rows,
        total,
        seed,
        time.perf_counter() - begun,
        cpu_name(),
        [
            "MeV per decay; shells with less than a thousandth of the largest are left out; the limit of a "
            "shell is 1 % of "
            "the largest, so a larger part of a smaller one",
            f"largest difference: {100.0 * worst.deviation / (worst.limit or 1.0) * limits['shell']:+.2f} % "
            "of the maximum "
            f"({worst.quantity})",
            f"conversion electrons below {LOWEST_MEV * 1e3:g} keV, which the library does not reach, are put "
            "into the first "
            "shell; Auger electrons and photons are in neither",
        ],
    )


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw the differences over the limits of all kernels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(row.quantity.rsplit(",", 1)[0] for row in outcome.rows if " to " in row.quantity))
    for name in names:
        rows = [row for row in outcome.rows if row.quantity.startswith(f"{name}, ") and " to " in row.quantity]
        axes.plot(
            np.linspace(0.0, 1.2, SHELLS, endpoint=False)[: len(rows)],
            [row.deviation / (row.limit or 1.0) for row in rows],
            ".-",
            linewidth=0.7,
            markersize=3,
            label=name,
        )
    for level in (-1.0, 1.0):
        axes.axhline(level, color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlabel("radius over the range of the highest energy")
    axes.set_ylabel("difference, % of the largest shell")
    axes.set_title(title, fontsize=8)
    axes.legend(fontsize=7)
    figure.savefig(path, dpi=110)
