"""Absorbed fractions of 364 keV photons in spheres, by voxels and, for information, in an unbounded medium."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcdose import absorbed_dose, dose_point_kernel
from validation.emissions import one_photon
from validation.outcome import Outcome, Row, load_case
from validation.penelope_emissions import BALL_DENSITY, BALL_GRAMS, BALL_MEDIUM, ball_radius_cm
from validation.tables import read_table

NAME = "absorbed_fractions"
PHOTON_MEV = 0.364489
ACROSS = 61  # voxels, and two of vacuum
PARTS = 6  # of a voxel along each axis, to tell how much of it is inside


def coverage(radius_mm: float, voxel_mm: float) -> NDArray[np.float64]:
    """Return how much of each voxel is inside a sphere around the middle of the grid."""
    fine = (np.arange((ACROSS + 2) * PARTS) + 0.5) * voxel_mm / PARTS - (ACROSS + 2) * voxel_mm / 2.0
    squares = fine**2
    covered = np.zeros((ACROSS + 2,) * 3)
    for plane in range(ACROSS + 2):
        z = squares[plane * PARTS : (plane + 1) * PARTS]
        inside = z[:, None, None] + squares[:, None] + squares < radius_mm**2
        covered[plane] = inside.reshape(PARTS, ACROSS + 2, PARTS, ACROSS + 2, PARTS).mean(axis=(0, 2, 4))
    return covered


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limit = load_case(NAME)["limits"]["fraction"]
    photon = one_photon(PHOTON_MEV)
    table = {row["problem"]: row for row in read_table(Path(__file__).with_name("reference.csv"))}
    begun = time.perf_counter()
    kernel = dose_point_kernel(
        photon,
        BALL_MEDIUM,
        density_g_cm3=BALL_DENSITY,
        shell_edges_mm=[*np.arange(0.0, 250.0, 1.0), 2000.0],
        histories=histories,
        seed=seed + 100,
        threads=threads,
    )
    rows, total = [], kernel.histories
    for number, grams in enumerate(BALL_GRAMS):
        radius_mm = 10.0 * ball_radius_cm(grams)
        voxel_mm = 2.0 * radius_mm / ACROSS
        covered = coverage(radius_mm, voxel_mm)
        result = absorbed_dose(
            covered / covered.sum(),
            (voxel_mm,) * 3,
            nuclide=photon,
            medium=BALL_MEDIUM,
            density_g_cm3=covered * BALL_DENSITY,
            density_floor_g_cm3=0.0,
            histories=histories,
            seed=seed + number,
            threads=threads,
            regions={"sphere": covered},
        )
        total += result.histories
        deposited = result.energy_quanta["deposited"] / result.energy_quanta["emitted"]
        region = result.regions["sphere"]
        row = table[f"ball-{grams:g}g"]
        middles = (kernel.shell_edges_mm[1:] + kernel.shell_edges_mm[:-1]) / 2.0
        ratio = np.minimum(middles / radius_mm, 2.0)
        unbounded = float((kernel.energy_mev * (1.0 - 0.75 * ratio + ratio**3 / 16.0)).sum()) / PHOTON_MEV
        rows.append(
            Row(
                f"{grams:g} g (radius {radius_mm:.2f} mm)",
                deposited,
                deposited * region.standard_error_gy / region.mean_gy,
                float(row["energy_mev"]) / PHOTON_MEV,
                float(row["standard_error"]) / PHOTON_MEV,
                limit,
                notes={"in unbounded tissue, for information": f"{unbounded:.4f}"},
            )
        )
        mass_g = float(covered.sum()) * voxel_mm**3 * 1e-3 * BALL_DENSITY
        assert abs(mass_g / grams - 1.0) < 2e-3, mass_g
    return Outcome(
        rows,
        total,
        seed,
        time.perf_counter() - begun,
        result.provenance["target"],
        [
            f"{BALL_MEDIUM} (ICRU-44) at {BALL_DENSITY:g} g/cm3, vacuum around; voxels of a {ACROSS}th of the "
            "diameter, "
            "those at the surface as dense and as active as they are inside",
            "in unbounded tissue: the point kernel weighted with the part 1 - 3 x / 4 + x^3 / 16 of the "
            "sphere (x = r / R) "
            "that a step r does not leave",
        ],
    )
