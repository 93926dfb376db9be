"""Two doses on one grid and what of them is compared, judged in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.arguments import number
from mcdose.arrays import to_numpy

INSIDE = 0.5  # coverage from which a voxel is judged
COVERAGE_ROUNDING = 1e-6  # coverage computed in float32 may exceed 1 by this much


@dataclass(frozen=True, eq=False)
class DosePair:
    """A reference dose, an evaluated dose, and the voxels and criteria that gamma judges.

    Parameters
    ----------
    reference, evaluated : float64 (nz, ny, nx) [Gy]
    voxel_mm : (dz, dy, dx)
    coverage : float64 (nz, ny, nx), of each voxel by the mask
    normalisation_gy : largest reference dose inside the mask
    judged : bool (nz, ny, nx)
    criterion : float64, dose criterion of each judged voxel [Gy], in the order of the grid
    gamma : (percent, mm)
    threshold : fraction of the normalisation
    """

    reference: NDArray[np.float64]
    evaluated: NDArray[np.float64]
    voxel_mm: tuple[float, float, float]
    coverage: NDArray[np.float64]
    normalisation_gy: float
    judged: NDArray[np.bool_]
    criterion: NDArray[np.float64]
    gamma: tuple[float, float]
    threshold: float


def check_pair(
    names: tuple[str, str],
    doses: tuple[Any, Any],
    voxel_mm: Any,
    mask: Any,
    gamma: tuple[Any, Any],
    local: bool,
    threshold: Any,
) -> DosePair:
    """Return the pair, or raise; `names` are what the errors call the doses."""
    reference, evaluated = (_dose(name, dose) for name, dose in zip(names, doses, strict=True))
    if reference.shape != evaluated.shape:
        raise ValueError(f"{names[1]} must have the shape of {names[0]} {reference.shape}, got {evaluated.shape}")
    sides = _voxel(voxel_mm)
    criteria = _criteria(gamma)
    fraction = number("threshold", threshold)
    if not 0.0 <= fraction < 1.0:
        raise ValueError(f"threshold must be a fraction from 0 to below 1, got {threshold}")
    coverage = _coverage(mask, reference.shape)
    normalisation = float(reference[coverage > 0.0].max())
    if not normalisation:
        raise ValueError(f"{names[0]} must be above 0 Gy somewhere in the mask, got 0 Gy everywhere")
    lowest = fraction * normalisation
    judged = (coverage >= INSIDE) & (reference >= lowest)
    if local:
        judged &= reference > 0.0
    if not judged.any():
        raise ValueError(
            f"one voxel at least half inside the mask must reach the threshold of {lowest:.6g} Gy, got none"
        )
    criterion = 0.01 * criteria[0] * (reference[judged] if local else np.full(np.count_nonzero(judged), normalisation))
    return DosePair(reference, evaluated, sides, coverage, normalisation, judged, criterion, criteria, fraction)


def _dose(name: str, value: Any) -> NDArray[np.float64]:
    dose = np.asarray(to_numpy(value))
    if dose.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be real numbers, got an array of {dose.dtype}")
    if dose.ndim != 3 or dose.size == 0:
        raise ValueError(f"{name} must have three axes (z, y, x), got shape {dose.shape}")
    undefined = int(np.count_nonzero(~np.isfinite(dose)))
    if undefined:
        raise ValueError(f"{name} must be finite, got {undefined} of {dose.size} voxels that are not")
    if dose.min() < 0:
        raise ValueError(f"{name} must not be negative, got {dose.min()}")
    return np.ascontiguousarray(dose, np.float64)


def _voxel(voxel_mm: Any) -> tuple[float, float, float]:
    sides = tuple(voxel_mm)
    if len(sides) != 3 or not all(0.0 < side < np.inf for side in sides):
        raise ValueError(f"voxel_mm must be positive, got {sides}")
    return float(sides[0]), float(sides[1]), float(sides[2])


def _criteria(gamma: Any) -> tuple[float, float]:
    try:
        percent, distance_mm = gamma
    except (TypeError, ValueError):
        raise TypeError(f"gamma must be a pair (percent, mm), got {gamma!r}") from None
    pair = number("percent of gamma", percent), number("distance of gamma", distance_mm)
    if not all(0.0 < value < np.inf for value in pair):
        raise ValueError(f"gamma must be positive (percent, mm), got {pair}")
    return pair


def _coverage(mask: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    if mask is None:
        return np.ones(shape)
    coverage = np.asarray(to_numpy(mask))
    if coverage.dtype.kind not in "biuf":
        raise TypeError(f"mask must be bool or coverage from 0 to 1, got an array of {coverage.dtype}")
    if coverage.shape != shape:
        raise ValueError(f"mask must have the shape of the doses {shape}, got {coverage.shape}")
    lowest, highest = coverage.min(), coverage.max()
    if not (lowest >= 0 and highest <= 1 + COVERAGE_ROUNDING):
        raise ValueError(f"mask must be from 0 to 1, got values from {lowest} to {highest}")
    if not highest:
        raise ValueError("mask must hold at least one voxel, got an empty one")
    return coverage.astype(np.float64)
