"""The Y-90 point kernel in PENELOPE's water, with one spectrum in both codes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from mcdose import dose_point_kernel
from mcdose.engine.cpu import cpu_name
from validation.outcome import Outcome, load_case
from validation.penelope import listed_medium
from validation.shell_comparison import Reference, draw_shells, fractions, rows_of_radii, rows_of_shells
from validation.tables import read_table

NAME = "point_kernel_penelope"
MEDIUM = "water-icru90"
FIRST_MM, LAST_MM = 0.2, 6.0


def reference() -> Reference:
    """Return PENELOPE's shells."""
    return Reference.of_rows(read_table(Path(__file__).with_name("reference.csv")))


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limits = load_case(NAME)["limits"]
    judge = reference()
    edges = [*judge.edges_mm, 2000.0]
    begun = time.perf_counter()
    kernel = dose_point_kernel(
        "Y-90", listed_medium(MEDIUM), shell_edges_mm=edges, histories=histories, seed=seed, threads=threads
    )
    seconds = time.perf_counter() - begun
    inside = (judge.edges_mm[:-1] > FIRST_MM - 0.001) & (judge.edges_mm[1:] < LAST_MM + 0.001)
    values, _ = fractions(kernel, judge)
    first = ", ".join(f"{100.0 * (values[k] / judge.fraction[k] - 1.0):+.2f} %" for k in range(2))
    beyond = "; ".join(
        f"{low} to {low + 1} mm {100 * (values[part].sum() / judge.fraction[part].sum() - 1):+.2f} %"
        for low in (6, 7, 8)
        for part in [(judge.edges_mm[:-1] > low - 0.001) & (judge.edges_mm[1:] < low + 1.001)]
    )
    return Outcome(
        [
            *rows_of_shells(kernel, judge, np.where(inside, limits["shell"], np.nan)),
            *rows_of_radii(kernel, judge, {0.5: limits["radius"], 0.9: limits["radius"], 0.99: None}),
        ],
        kernel.histories,
        seed,
        seconds,
        cpu_name(),
        [
            f"first two shells, 0 to 0.2 mm, for information: {first}",
            f"further out, sums of ten shells, for information: {beyond}",
        ],
    )


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw both kernels and their difference."""
    draw_shells(path, outcome, {"": reference()})
