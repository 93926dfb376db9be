"""Y-90 in cortical bone against PENELOPE, and in water of other densities against water at 1 g/cm3."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from mcdose import dose_point_kernel, medium
from mcdose.engine.cpu import cpu_name
from validation.outcome import Outcome, Row, load_case
from validation.shell_comparison import Reference, draw_shells, rows_of_radii, rows_of_shells
from validation.tables import read_table

NAME = "point_kernel_bone"
MEDIUM = "cortical-bone-icrp"
DENSITIES = (0.26, 1.04)
EDGES_MM = np.array([*np.arange(19) / 2.0, 12.0, 2000.0])  # at 1 g/cm3


def reference() -> Reference:
    """Return PENELOPE's shells in bone."""
    return Reference.of_rows(read_table(Path(__file__).with_name("reference.csv")))


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limits = load_case(NAME)["limits"]
    judge = reference()
    begun = time.perf_counter()
    bone = dose_point_kernel(
        "Y-90",
        medium(MEDIUM),
        shell_edges_mm=[*judge.edges_mm, 2000.0],
        histories=histories,
        seed=seed,
        threads=threads,
    )
    near = judge.edges_mm[1:] <= judge.radius_containing(0.8)
    allowed = np.where(near, limits["of_maximum"], limits["of_maximum_beyond_x80"])
    rows = rows_of_shells(bone, judge, allowed * judge.fraction.max() / judge.fraction, "bone, ")
    rows += rows_of_radii(bone, judge, {0.5: limits["radius"], 0.9: limits["radius"]}, "bone, ")
    water = dose_point_kernel("Y-90", shell_edges_mm=EDGES_MM, histories=histories, seed=seed, threads=threads)
    for density in DENSITIES:
        kernel = dose_point_kernel(
            "Y-90",
            density_g_cm3=density,
            shell_edges_mm=EDGES_MM / density,
            histories=histories,
            seed=seed,
            threads=threads,
        )
        rows += [
            Row(
                f"water at {density} g/cm3, shell to {EDGES_MM[k + 1]:g} mm g/cm3, MeV",
                float(kernel.energy_mev[k]),
                float(kernel.standard_error_mev[k]),
                float(water.energy_mev[k]),
                float(water.standard_error_mev[k]),
                float(limits["density_of_maximum"] * water.energy_mev.max() / water.energy_mev[k]),
            )
            for k in range(18)
        ]
    seconds = time.perf_counter() - begun
    remark = "water at other densities has the random numbers of water at 1 g/cm3: what differs is rounding"
    return Outcome(rows, histories, seed, seconds, cpu_name(), [remark])


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw the kernel in bone and its difference."""
    draw_shells(path, outcome, {"bone, ": reference()})
