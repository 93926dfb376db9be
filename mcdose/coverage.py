"""Masks and coverage from the caller, judged in one place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.arrays import to_numpy

ROUNDING = 1e-6  # coverage computed in float32 may exceed 1 by this much


def coverage_of(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the coverage of each voxel by a structure, 0 to 1, or raise.

    Parameters
    ----------
    name : what errors call it
    values : bool, or numbers from 0 to 1
    shape : that it must have
    """
    found = np.asarray(to_numpy(values))
    if found.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be bool or coverage from 0 to 1, got an array of {found.dtype}")
    if found.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {found.shape}")
    lowest, highest = (found.min(), found.max()) if found.size else (0, 0)
    if not (lowest >= 0 and highest <= 1 + ROUNDING):
        raise ValueError(f"{name} must be from 0 to 1, got values from {lowest} to {highest}")
    if not highest > 0:
        raise ValueError(f"{name} must hold at least one voxel, got an empty one")
    return np.minimum(found.astype(np.float64), 1.0)


def voxel_sides(voxel_mm: Any) -> tuple[float, float, float]:
    """Return (dz, dy, dx) [mm], positive and finite, or raise."""
    sides = tuple(voxel_mm)
    if len(sides) != 3 or not all(0.0 < side < math.inf for side in sides):
        raise ValueError(f"voxel_mm must be three positive sides, got {sides}")
    return float(sides[0]), float(sides[1]), float(sides[2])
