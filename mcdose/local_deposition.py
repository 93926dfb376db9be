"""Local deposition: every decay's electron energy stays in its voxel."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.arrays import module_of, on_gpu
from mcdose.engine.cpu import cpu_name
from mcdose.nuclides import nuclide
from mcdose.problem import Problem, reports_dose
from mcdose.regions import Region, empty_regions
from mcdose.result import DoseResult, RegionDose


def local_deposition(
    problem: Problem,
    nuclide_name: str,
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
    named = nuclide(nuclide_name)
    constant = named.gy_kg_per_gbq if gy_kg_per_gbq is None else gy_kg_per_gbq
    gy_kg_per_decay = constant * 1e-9 * np.log(2.0) / named.half_life_s
    module = module_of(problem.density)
    own = module.asarray([medium.density_g_cm3 for medium in problem.media])
    to_reported = module.asarray(factors)
    dose = module.empty(problem.density.size, np.float32)
    per_slab = dose.size // problem.shape[0]
    lost = 0.0
    for z in range(problem.shape[0]):
        part = slice(z * per_slab, (z + 1) * per_slab)
        tia = problem.tia_bq_s[z].ravel().astype(np.float64)
        density = problem.density[part].astype(np.float64)
        index = problem.medium_index[part]
        kept = reports_dose(problem.density[part], floor)
        lost += float(tia[~kept].sum())
        mass_kg = (density if density_scaling == "target" else own[index]) * (problem.voxel_cm3 * 1e-3)
        per_decay = gy_kg_per_decay / module.where(kept, mass_kg, 1.0)
        dose[part] = module.where(kept, tia * per_decay * to_reported[index], 0.0)
    total = problem.total_decays
    warnings = empty_regions(regions)
    if lost > 0.0:
        warnings += (
            f"{100.0 * lost / total:.2g} % of the decays lie in voxels below {floor} g/cm3, which report no dose",
        )
    shaped = dose.reshape(problem.shape)
    return DoseResult(
        dose_gy=shaped,
        relative_uncertainty=None,
        method="local-deposition",
        device=f"cuda:{dose.device.id}" if on_gpu(dose) else "cpu",
        seed=None,
        histories=0,
        seconds=time.perf_counter() - begun,
        total_decays=total,
        cancelled=False,
        warnings=warnings,
        energy_quanta=None,
        faults=None,
        regions={name: RegionDose(_mean(dose, region), None) for name, region in regions.items()},
        voxel_mm=problem.voxel_mm,
        provenance={**provenance, "target": cpu_name(), "gy_kg_per_gbq": constant, "density_scaling": density_scaling},
    )


def _mean(dose: Any, region: Region) -> float:
    if not region.total:
        return float("nan")
    return float((dose[region.voxels].astype(np.float64) * region.weights).sum() / region.total)
