"""Mono-energetic electrons in water, energy by energy, in the water of the reference."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from mcdose import dose_point_kernel, medium
from mcdose.engine.cpu import cpu_name
from validation.outcome import Outcome, Row, load_case
from validation.penelope import LISTED, listed_medium
from validation.shell_comparison import Reference, draw_shells, rows_of_radii, rows_of_shells
from validation.tables import read_table

NAME = "electrons_water"


def references() -> dict[tuple[float, str], Reference]:
    """Return the references by energy [MeV] and medium, energies ascending."""
    rows = read_table(Path(__file__).with_name("reference.csv"))
    runs = sorted({(float(row["energy_mev"]), row["medium"]) for row in rows})
    return {
        run: Reference.of_rows([row for row in rows if (float(row["energy_mev"]), row["medium"]) == run])
        for run in runs
    }


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limits = load_case(NAME)["limits"]
    rows: list[Row] = []
    flights = []
    begun = time.perf_counter()
    for (energy, name), judge in references().items():
        kernel = dose_point_kernel(
            energy,
            listed_medium(name) if name in LISTED else medium(name),
            shell_edges_mm=[*judge.edges_mm, 2000.0],
            histories=histories,
            seed=seed,
            threads=threads,
        )
        flights.append(f"{energy:g} MeV {kernel.provenance['flights_per_history']:.0f}")
        near = judge.edges_mm[1:] <= judge.radius_containing(0.8)
        allowed = np.where(near, limits["of_maximum"], limits["of_maximum_beyond_x80"])
        judged = energy >= limits["lowest_mev"]
        of_shells = allowed * judge.fraction.max() / judge.fraction if judged else np.full(near.size, np.nan)
        rows += rows_of_shells(kernel, judge, of_shells, f"{energy:g} MeV, ")
        radii = {0.5: None, 0.9: limits["x90"] if judged else None}
        rows += rows_of_radii(kernel, judge, radii, f"{energy:g} MeV, ")
    seconds = time.perf_counter() - begun
    return Outcome(rows, histories, seed, seconds, cpu_name(), [f"flights per history: {', '.join(flights)}"])


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw every energy and its differences."""
    draw_shells(path, outcome, {f"{energy:g} MeV, ": judge for (energy, _), judge in references().items()})
