"""A structure and its dose below the size of a voxel, from coverage and the voxels around."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

VOXELS = 20_000  # cut at a time, to bound the memory
SMALL_ML, PARTS = 50.0, 4  # voxels of smaller structures are cut for their histograms,
WHOLE = 0.999  # where there are voxels of less coverage


def parts_for(coverage: NDArray[Any], voxel_ml: float) -> int:
    """Return how many parts along each axis the voxels of a structure are cut into for its histogram.

    4 for a structure below 50 mL whose outline cuts voxels, else 1.

    Parameters
    ----------
    coverage : (nz, ny, nx), bool or 0 to 1
    voxel_ml : volume of a voxel [mL]
    """
    cut = np.count_nonzero((coverage > 0.0) & (coverage < WHOLE))
    small = float(coverage.sum(dtype=np.float64)) * voxel_ml < SMALL_ML
    return PARTS if cut and small else 1


def split(dose: NDArray[Any], coverage: NDArray[Any], parts: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cut the covered voxels into parts^3 equal parts; return dose and weight of the parts inside.

    Dose: trilinear between the middles of the voxels, then scaled so that the mean over the parts is the dose of the
    voxel, which is a mean over its volume; where a voxel beside it has no finite dose, the dose of the voxel. Beyond
    the grid, dose and coverage are those of the outermost voxels.

    Inside: as many parts as the coverage says, those where the coverage, trilinear as well, is largest, for a
    structure goes on where its neighbours are covered. The volume of each voxel inside stays what it was.

    Parameters
    ----------
    dose : (nz, ny, nx), finite where covered
    coverage : (nz, ny, nx), bool or 0 to 1
    parts : along each axis

    Returns
    -------
    dose, weight : float64 (n,), weight in voxels

    Source
    ------
    Our own. It finds a plane edge in a voxel to within a part where the neighbours show its direction.
    """
    from scipy.ndimage import map_coordinates

    dose = np.asarray(dose, np.float64)
    coverage = np.asarray(coverage, np.float64)
    steps = (np.arange(parts) + 0.5) / parts - 0.5
    offsets = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    covered = np.argwhere(coverage > 0.0)
    doses, weights = [], []
    for first in range(0, len(covered), VOXELS):
        voxels = covered[first : first + VOXELS]
        at = (voxels[:, None, :] + offsets).reshape(-1, 3).T
        own = dose[tuple(voxels.T)][:, None]
        inside = map_coordinates(dose, at, order=1, mode="nearest").reshape(len(voxels), -1)
        mean = inside.mean(axis=1, keepdims=True)
        usable = np.isfinite(mean) & (mean > 0.0)
        inside = np.where(usable, inside * (own / np.where(usable, mean, 1.0)), own)
        share = map_coordinates(coverage, at, order=1, mode="nearest").reshape(len(voxels), -1)
        rank = np.argsort(np.argsort(-share, axis=1, kind="stable"), axis=1)
        weight = np.clip(coverage[tuple(voxels.T)][:, None] * len(offsets) - rank, 0.0, 1.0) / len(offsets)
        kept = weight > 0.0
        doses.append(inside[kept])
        weights.append(weight[kept])
    return np.concatenate(doses), np.concatenate(weights)
