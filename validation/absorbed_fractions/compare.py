"""Absorbed fractions of 364 keV photons in spheres, by voxels in vacuum and by a point kernel in unbounded water."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcdose import PointKernel, absorbed_dose, dose_point_kernel
from validation.buildup import absorbed_fraction, energy_left
from validation.emissions import one_photon
from validation.outcome import Outcome, Row, load_case
from validation.penelope_emissions import BALL_DENSITY, BALL_GRAMS, BALL_MEDIUM, ball_radius_cm
from validation.tables import read_table

NAME = "absorbed_fractions"
PHOTON_MEV = 0.364489
ACROSS = 61  # voxels, and two of vacuum
WAYS = ("all over", "at the centre")
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


def in_water(kernel: PointKernel, radius_mm: float, way: str, limit: float) -> Row:
    """Return the absorbed fraction of a sphere of unbounded water beside the published buildup factors."""
    everywhere = way == WAYS[0]
    edges = kernel.shell_edges_mm
    if everywhere:
        ratio = np.minimum((edges[1:] + edges[:-1]) / 2.0 / radius_mm, 2.0)
        weight = 1.0 - 0.75 * ratio + ratio**3 / 16.0
    else:
        weight = np.clip((radius_mm - edges[:-1]) / np.diff(edges), 0.0, 1.0)
    found = float((kernel.energy_mev * weight).sum())
    deviations = kernel.deviations_mev @ weight
    error = float(np.sqrt(np.square(deviations).sum()))
    return Row(
        f"radius {radius_mm:.2f} mm in unbounded water, source {way}",
        found / PHOTON_MEV,
        error / PHOTON_MEV,
        absorbed_fraction(PHOTON_MEV, radius_mm / 10.0, everywhere),
        0.0,
        limit,
    )


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limit = load_case(NAME)["limits"]["fraction"]
    photon = one_photon(PHOTON_MEV)
    table = {row["problem"]: row for row in read_table(Path(__file__).with_name("reference.csv"))}
    begun = time.perf_counter()
    rows, total = [], 0
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
        rows.append(
            Row(
                f"{grams:g} g (radius {radius_mm:.2f} mm) in vacuum",
                deposited,
                deposited * region.standard_error_gy / region.mean_gy,
                float(row["energy_mev"]) / PHOTON_MEV,
                float(row["standard_error"]) / PHOTON_MEV,
                limit,
            )
        )
        mass_g = float(covered.sum()) * voxel_mm**3 * 1e-3 * BALL_DENSITY
        assert abs(mass_g / grams - 1.0) < 2e-3, mass_g
    kernel = dose_point_kernel(
        photon,
        "water",
        density_g_cm3=1.0,
        shell_edges_mm=[*np.arange(0.0, 250.0, 1.0), 2000.0],
        histories=histories,
        seed=seed + 100,
        threads=threads,
    )
    rows += [in_water(kernel, 10.0 * ball_radius_cm(grams), way, limit) for way in WAYS for grams in BALL_GRAMS]
    every = float(energy_left(PHOTON_MEV, (np.arange(40_000) + 0.5) * 0.01).sum() * 0.01)
    return Outcome(
        rows,
        total + kernel.histories,
        seed,
        time.perf_counter() - begun,
        result.provenance["target"],
        [
            f"{BALL_MEDIUM} (ICRU-44) at {BALL_DENSITY:g} g/cm3, vacuum around; voxels of a {ACROSS}th of the "
            "diameter, "
            "those at the surface as dense and as active as they are inside",
            "in unbounded water: the point kernel, and the published one, weighted with the part "
            "1 - 3 x / 4 + x^3 / 16 of the sphere (x = r / R) that a step r does not leave",
            "the published kernel is mu_en B(mu r) exp(-mu r), B by the geometric progression formula of the standard, "
            "between its 0.3 and 0.4 MeV in the logarithms of B and energy, mu_en of NIST; in all space it holds "
            f"{100.0 * every:.2f} % of the energy, so it is right to about 1 %; below half a mean free path (5 cm) it "
            "is extrapolated",
        ],
    )
