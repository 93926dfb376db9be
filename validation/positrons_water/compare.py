"""Positrons of F-18 and Ga-68 in water, in shells of 0.2 mm as far as they go."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcdose import dose_point_kernel, nuclide
from mcdose.engine.cpu import cpu_name
from validation.emissions import only
from validation.outcome import Outcome, Row, load_case
from validation.penelope_emissions import NEAR_MM, water
from validation.shell_comparison import Reference, draw_shells
from validation.tables import read_table

NAME = "positrons_water"
REACH_MM = {"F-18": 3.0, "Ga-68": 10.0}
FURTHEST_MM = 2000.0

Array = NDArray[np.float64]


def references() -> dict[str, Reference]:
    """Return PENELOPE's energy in the shells to `REACH_MM`, in mean energies of the positrons, by the nuclide."""
    rows = [row for row in read_table(Path(__file__).with_name("reference.csv")) if row["part"] != "sum"]
    found = {}
    for name, reach in REACH_MM.items():
        shells = int(np.searchsorted(NEAR_MM, reach))
        own = [row for row in rows if row["source"] == name][:shells]
        energy, error = (np.array([float(row[column]) for row in own]) for column in ("energy_mev", "standard_error"))
        mean = mean_mev(name)
        found[name] = Reference(np.array(NEAR_MM[: shells + 1]), energy / mean, error / mean)
    return found


def mean_mev(name: str) -> float:
    """Return the mean energy of a positron [MeV]."""
    spectrum = nuclide(name).positron_spectrum
    assert spectrum is not None
    return spectrum.mean_energy_mev


def radius_holding(fraction: float, edges_mm: Array, energy: Array) -> float:
    """Return the radius [mm] inside which a fraction of the energy in all these shells is, linear within a shell."""
    return float(np.interp(fraction, np.concatenate([[0.0], np.cumsum(energy)]) / energy.sum(), edges_mm))


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limits = load_case(NAME)["limits"]
    rows: list[Row] = []
    begun = time.perf_counter()
    for number, (name, judge) in enumerate(references().items()):
        kernel = dose_point_kernel(
            only(name, ("positron_spectrum",)),
            water(),
            shell_edges_mm=[*judge.edges_mm, FURTHEST_MM],
            histories=histories,
            seed=seed + number,
            threads=threads,
        )
        edges, expected = judge.edges_mm, judge.fraction
        whole = nuclide(name).positrons_per_decay * mean_mev(name)
        energy, errors = kernel.energy_mev[:-1] / whole, kernel.standard_error_mev[:-1] / whole
        near = edges[1:] <= radius_holding(0.8, edges, expected)
        allowed = np.where(near, limits["of_maximum"], limits["of_maximum_beyond_x80"]) * expected.max() / expected
        rows += [
            Row(
                f"{name}, shell {edges[k]:.4g} to {edges[k + 1]:.4g} mm",
                float(energy[k]),
                float(errors[k]),
                float(expected[k]),
                float(judge.standard_error[k]),
                float(allowed[k]),
            )
            for k in range(expected.size)
        ]
        for fraction, limit in ((0.5, None), (0.9, limits["x90"])):
            rows.append(
                Row(
                    f"{name}, X{100 * fraction:g}, mm",
                    radius_holding(fraction, edges, energy),
                    0.0,
                    radius_holding(fraction, edges, expected),
                    0.0,
                    limit,
                    sigmas=0.0,
                )
            )
    return Outcome(
        rows,
        histories * len(REACH_MM),
        seed,
        time.perf_counter() - begun,
        cpu_name(),
        ["fractions of the mean energy of the positrons; what annihilation photons leave is on top"],
    )


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw both sources and their differences."""
    draw_shells(path, outcome, {f"{name}, ": judge for name, judge in references().items()})
