"""Emitted, deposited and escaped energy, and the dose that the deposited energy becomes."""

from __future__ import annotations

import numpy as np

from mcdose import absorbed_dose, medium
from mcdose.constants import MEV_TO_JOULE
from validation.grids import hot_voxel
from validation.outcome import Outcome, Row, load_case

NAME = "energy_balance"
MEDIA = ("water", "lung", "cortical-bone", "air")


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case: a uniform grid, an escaping hot voxel, and layers of four media down to air."""
    limit = load_case(NAME)["limits"]["dose_times_mass"]
    layers = np.broadcast_to((np.arange(20) // 5)[:, None, None], (20, 16, 16)).copy()
    uniform = np.zeros((24, 24, 24), int)
    small = np.zeros((5, 5, 5), int)
    problems = {
        "uniform water": (uniform, np.ones(uniform.shape), (3.0, 3.0, 3.0)),
        "hot voxel in a small grid": (small, hot_voxel(small.shape, (2, 2, 2)), (2.0, 2.5, 3.0)),
        "layers of water, lung, bone and air": (layers, np.ones(layers.shape), (2.0, 3.0, 4.0)),
    }
    rows, remarks = [], []
    total_histories, seconds = 0, 0.0
    for name, (index, tia, voxel_mm) in problems.items():
        result = absorbed_dose(
            tia,
            voxel_mm,
            medium=index,
            media=MEDIA,
            histories=histories,
            seed=seed,
            threads=threads,
            density_floor_g_cm3=0.0,
        )
        quanta = result.energy_quanta
        density = np.array([medium(name).density_g_cm3 for name in MEDIA], np.float32)[index].astype(float)
        mass_kg = density * float(np.prod(voxel_mm)) * 1e-6
        joule = float((result.dose_gy.astype(float) * mass_kg).sum()) / result.total_decays
        rows += [
            Row(
                f"{name}: deposited + escaped over emitted",
                quanta["deposited"] + quanta["escaped"],
                0.0,
                quanta["emitted"],
                0.0,
                0.0,
            ),
            Row(
                f"{name}: dose times mass over deposited",
                joule / MEV_TO_JOULE * result.histories,
                0.0,
                result.deposited_mev,
                0.0,
                limit,
            ),
        ]
        difference = quanta["emitted"] - quanta["deposited"] - quanta["escaped"]
        remarks.append(
            f"{name}: emitted {quanta['emitted']}, deposited {quanta['deposited']}, escaped {quanta['escaped']} "
            f"quanta of 2^-32 MeV: difference {difference}; left on the spot by a fault: {quanta['dropped']}"
        )
        if difference:  # a float ratio would hide it
            raise ArithmeticError(f"{name}: the energy balance is off by {difference} quanta")
        total_histories += result.histories
        seconds += result.seconds
    return Outcome(rows, total_histories, seed, seconds, result.provenance["target"], remarks)
