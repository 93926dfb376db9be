"""The result of a method without histories."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from mcdose.engine.cpu import cpu_name
from mcdose.problem import Problem, reports_dose
from mcdose.regions import Region, empty_regions
from mcdose.result import DoseResult, RegionDose


def noiseless_result(
    problem: Problem,
    dose_gy: Any,
    method: str,
    device: str,
    floor: float,
    regions: Mapping[str, Region],
    begun: float,
    provenance: dict[str, Any],
) -> DoseResult:
    """Return a dose without statistical uncertainty as a result.

    Parameters
    ----------
    problem : what was computed
    dose_gy : (nz, ny, nx) float32
    method, device : as used
    floor : g/cm3, voxels below it report no dose
    regions : whose mean dose is wanted
    begun : `time.perf_counter()` when the computation began
    provenance : plain JSON types
    """
    lost = 0.0
    density = problem.density.reshape(problem.shape)
    for part in problem.slabs():
        lost += float((problem.tia_bq_s[part] * ~reports_dose(density[part], floor)).sum(dtype=np.float64))
    total = problem.total_decays
    warnings = empty_regions(regions)
    if lost > 0.0:
        warnings += (
            f"{100.0 * lost / total:.2g} % of the decays lie in voxels below {floor} g/cm3, which report no dose",
        )
    return DoseResult(
        dose_gy=dose_gy,
        relative_uncertainty=None,
        method=method,
        device=device,
        seed=None,
        histories=0,
        seconds=time.perf_counter() - begun,
        total_decays=total,
        cancelled=False,
        warnings=warnings,
        energy_quanta=None,
        faults=None,
        regions={name: RegionDose(_mean(dose_gy.reshape(-1), region), None) for name, region in regions.items()},
        voxel_mm=problem.voxel_mm,
        provenance={**provenance, "target": cpu_name()},
    )


def _mean(dose: Any, region: Region) -> float:
    if not region.total:
        return float("nan")
    return float((dose[region.voxels].astype(np.float64) * region.weights).sum() / region.total)
