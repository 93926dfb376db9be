"""Dose in the middle of a uniform source that fills a cube, over E/m."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcdose import absorbed_dose, nuclide
from mcdose.constants import MEV_TO_JOULE
from validation.outcome import Outcome, Row, load_case
from validation.tables import read_table

NAME = "uniform_large_medium"


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    case = load_case(NAME)
    table = {float(row["half_width_mm"]): row for row in read_table(Path(__file__).with_name("reference.csv"))}
    energy_mev = nuclide("Y-90").mean_electron_energy_mev
    rows = []
    total_histories, seconds = 0, 0.0
    for number, run in enumerate(case["runs"]):
        row = table[run["half_width_mm"]]
        voxels = run["voxels"]
        side_mm = 2.0 * run["half_width_mm"] / voxels / run["density_g_cm3"]  # the same cube in g/cm2
        shape = (voxels,) * 3
        block = round(voxels * float(row["block_mm"]) / run["half_width_mm"])
        inner = slice((voxels - block) // 2, (voxels + block) // 2)
        centre = np.zeros(shape, bool)
        centre[inner, inner, inner] = True
        result = absorbed_dose(
            np.ones(shape),
            (side_mm,) * 3,
            medium=run["medium"],
            density_g_cm3=run["density_g_cm3"],
            histories=round(histories * run.get("histories_factor", 1.0)),
            seed=seed + number,
            threads=threads,
            regions={"centre": centre},
        )
        mass_kg = run["density_g_cm3"] * side_mm**3 * 1e-6
        local_gy = energy_mev * MEV_TO_JOULE / mass_kg  # E/m of one decay in every voxel
        region = result.regions["centre"]
        fraction = float(row["absorbed_fraction"])
        value, error = region.mean_gy / local_gy, region.standard_error_gy / local_gy
        rows.append(
            Row(
                f"{run['medium']} {run['density_g_cm3']:g} g/cm3, cube of +-{run['half_width_mm']:g} mm x g/cm3",
                value,
                error,
                fraction,
                0.0,
                case["limits"]["fraction"],
                notes={
                    "voxel": f"{side_mm:.2f} mm",
                    "sigma below 0.05 %": "yes" if error / value <= case["limits"]["largest_sigma"] else "**no**",
                    "absorbed in the grid": f"{result.deposited_mev / result.emitted_mev:.4f}",
                },
            )
        )
        total_histories += result.histories
        seconds += result.seconds
    return Outcome(
        rows,
        total_histories,
        seed,
        seconds,
        result.provenance["target"],
        [
            "dose over E/m, mean of a central block of 10 (of 22) or 24 (of 64) voxels a side; E is the mean energy of "
            f"the spectrum, {energy_mev * 1e3:.1f} keV",
            "the reference is PENELOPE's radial kernel in water, summed over the part of every shell that lies in the "
            "cube, as seen from the points of the block; for the other media the same cube in g/cm2 (their "
            "bremsstrahlung differs by a few percent of 0.3 %)",
            "PENELOPE's water goes on beyond the cube, the grid ends there: photons that come back from outside are "
            "missing, less than 0.02 %",
        ],
    )
