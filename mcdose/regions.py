"""Regions whose mean dose is wanted: masks in, the voxels that count out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcdose.arrays import module_of
from mcdose.jit import launcher
from mcdose.maps import gy_per_mev
from mcdose.problem import Problem, as_array, reports_dose


@dataclass(frozen=True)
class Region:
    """The voxels of a region that report a dose.

    Parameters
    ----------
    voxels : flat indices, ascending
    weights : float32, the part of each voxel inside, above 0 to 1
    total : sum of the weights
    """

    voxels: Any
    weights: Any
    total: float


def check_regions(regions: Mapping[str, Any] | None, problem: Problem, floor: float) -> dict[str, Region]:
    """Return the regions by name, voxels below the density floor left out, or raise."""
    if regions is not None and not isinstance(regions, Mapping):
        raise TypeError(f"regions must be a mapping of name to mask, got {type(regions).__name__}")
    checked = {}
    for key, mask in (regions or {}).items():
        name = f"regions[{key!r}]"
        weights = as_array(name, mask, problem.tia_bq_s)
        if weights.shape != problem.shape:
            raise ValueError(f"{name} must have the shape of tia_bq_s {problem.shape}, got {weights.shape}")
        if weights.dtype.kind not in "bfiu":
            raise TypeError(f"{name} must be a mask or a coverage, got dtype {weights.dtype}")
        lowest, highest = weights.min(), weights.max()
        if not (lowest >= 0 and highest <= 1):
            raise ValueError(f"{name} must be a mask or a coverage from 0 to 1, got values from {lowest} to {highest}")
        if str(key) in checked:
            raise ValueError(f"regions must have different names, got {str(key)!r} twice")
        checked[str(key)] = _region(weights, problem, floor)
    return checked


def _region(weights: Any, problem: Problem, floor: float) -> Region:
    """Collect slab by slab, so that no copy of the whole grid is made."""
    module = module_of(weights)
    per_slab = problem.density.size // problem.shape[0]
    small = problem.density.size < 2**31
    voxels, inside = [], []
    for z, slab in enumerate(weights):
        density = problem.density[z * per_slab : (z + 1) * per_slab]
        flat = module.ascontiguousarray(slab, np.float32).ravel()
        found = module.flatnonzero((flat > 0.0) & reports_dose(density, floor))
        voxels.append((found + z * per_slab).astype(np.int32 if small else np.int64))
        inside.append(flat[found])
    joined = module.concatenate(inside)
    return Region(module.concatenate(voxels), joined, float(joined.sum(dtype=np.float64)))


def empty_regions(regions: Mapping[str, Region]) -> tuple[str, ...]:
    """Return a warning for each region without a voxel that reports a dose."""
    return tuple(
        f"region {name!r} has no voxel that reports a dose" for name, item in regions.items() if not item.total
    )


@launcher
def region_energy(batch, voxels, weights, of):  # type: ignore[no-untyped-def]
    """Return the sum over a region of weight times dose for one decay a history, Gy 2^32, in a fixed order.

    Parameters
    ----------
    batch : quanta of every voxel
    voxels, weights : of the region
    of : `mcdose.maps.Voxels`
    """
    total = np.float64(0.0)
    for k in range(voxels.shape[0]):
        voxel = voxels[k]
        quanta = batch[voxel]
        if quanta != 0:
            total += np.float64(quanta) * (np.float64(weights[k]) * gy_per_mev(of, voxel))
    return total
