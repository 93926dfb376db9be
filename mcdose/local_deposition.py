"""Local deposition: every decay's electron energy stays in its voxel."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.arrays import module_of, on_gpu
from mcdose.noiseless import noiseless_result
from mcdose.nuclides import Nuclide
from mcdose.problem import Problem, reports_dose, slabs
from mcdose.regions import Region
from mcdose.result import DoseResult


def local_deposition(
    problem: Problem,
    nuclide: Nuclide,
    gy_kg_per_gbq: float | None,
    density_scaling: str,
    floor: float,
    regions: dict[str, Region],
    factors: NDArray[np.float64],
    provenance: dict[str, Any],
) -> DoseResult:
    """Return the dose of local deposition; see `absorbed_dose`.

    dose = TIA * k * lambda / m, with k the constant in Gy kg/GBq for a whole decay; "target": m from the voxel's
    density, "none": m from the medium's own density. Voxels below the density floor get no dose.
    """
    begun = time.perf_counter()
    constant = nuclide.gy_kg_per_gbq if gy_kg_per_gbq is None else gy_kg_per_gbq
    gy_kg_per_decay = constant * 1e-9 * np.log(2.0) / nuclide.half_life_s
    module = module_of(problem.density)
    own = module.asarray([medium.density_g_cm3 for medium in problem.media])
    to_reported = module.asarray(factors)
    dose = module.empty(problem.shape, np.float32)
    densities, media = problem.density.reshape(problem.shape), problem.medium_index.reshape(problem.shape)
    for part in slabs(problem.tia_bq_s):
        index = media[part]
        kept = reports_dose(densities[part], floor)
        density = densities[part].astype(np.float64) if density_scaling == "target" else own[index]
        per_decay = gy_kg_per_decay / module.where(kept, density * (problem.voxel_cm3 * 1e-3), 1.0)
        dose[part] = module.where(kept, problem.tia_bq_s[part] * per_decay * to_reported[index], 0.0)
    return noiseless_result(
        problem,
        dose,
        "local-deposition",
        f"cuda:{dose.device.id}" if on_gpu(dose) else "cpu",
        floor,
        regions,
        begun,
        {**provenance, "gy_kg_per_gbq": constant, "density_scaling": density_scaling},
    )
