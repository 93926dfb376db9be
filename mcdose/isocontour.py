"""Regions by count: isocontours of SPECT and PET by a share of the maximum, above a background, or by volume.

A threshold is where the sum of blur and background happens to put the edge; no single one is right for all sizes. For a
sphere of radius R blurred with sigma s, without background, the one that gives its volume is f(R)/f(0) of the maximum
(docs/segmentation.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.arguments import number
from mcdose.arrays import to_numpy
from mcdose.coverage import coverage_of, voxel_sides

INSIDE = 0.5  # coverage from which a voxel counts as one of the region
USUAL_FRACTION = 0.42  # of the maximum; Erdi et al., Cancer 80 (1997) 2505, for spheres above 4 mL
MOST_ROUNDS = 200


@dataclass(frozen=True, eq=False)
class Isocontour:
    """A region by count.

    Attributes
    ----------
    coverage : float32 (nz, ny, nx): 1 inside, the region's own coverage where the region cuts a voxel, 0 outside
    threshold : in the unit of the image; voxels at least as high are inside
    volume_ml : sum of coverage times voxel volume
    removed : parts that were too small
    filled_ml : volume of holes that were filled
    """

    coverage: NDArray[np.float32]
    threshold: float
    volume_ml: float
    removed: int
    filled_ml: float

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Voxels that are at least half inside."""
        return np.asarray(self.coverage >= INSIDE)


def fixed_threshold(values: ArrayLike, fraction: float = USUAL_FRACTION, region: ArrayLike | None = None) -> float:
    """Threshold at a fraction of the largest value in a region.

    Parameters
    ----------
    values : (nz, ny, nx), counts or concentration
    fraction : above 0, below 1
    region : same shape, bool or coverage from 0 to 1, of which voxels at least half inside count; None = all
    """
    image, inside = _image(values), _region(region, np.shape(values))
    return _fraction(fraction) * _largest(image, inside)


def background_threshold(
    values: ArrayLike, background: float, fraction: float = USUAL_FRACTION, region: ArrayLike | None = None
) -> float:
    """Threshold at a fraction of the way from a background to the largest value: B + f (max - B).

    Arguments as of `fixed_threshold`; `background` must be below the largest value.
    """
    image, inside = _image(values), _region(region, np.shape(values))
    low, high = number("background", background), _largest(image, inside)
    if not (math.isfinite(low) and low < high):
        raise ValueError(f"background must be finite and below the largest value {high:g}, got {background}")
    return low + _fraction(fraction) * (high - low)


def iterative_threshold(values: ArrayLike, region: ArrayLike | None = None) -> float:
    """Threshold half way between the means inside and outside of itself, found by repetition.

    Ridler and Calvard, IEEE Trans Syst Man Cybern 8 (1978) 630. It starts half way between the smallest and the largest
    value of the region, and ends where the voxels inside no longer change.

    Raises
    ------
    ValueError
        A region of one value.
    """
    image, inside = _image(values), _region(region, np.shape(values))
    found = np.sort((image if inside is None else image[inside >= INSIDE]).ravel())
    if not found[0] < found[-1]:
        raise ValueError(f"values must differ in the region for a threshold between them, all are {found[0]:g}")
    sums = np.concatenate([[0.0], np.cumsum(found)])
    threshold = 0.5 * (found[0] + found[-1])
    below = -1
    for _ in range(MOST_ROUNDS):
        count = min(max(int(np.searchsorted(found, threshold, side="left")), 1), len(found) - 1)  # despite rounding
        if count == below:
            break
        below = count
        threshold = 0.5 * (sums[count] / count + (sums[-1] - sums[count]) / (len(found) - count))
    return float(threshold)


def volume_threshold(
    values: ArrayLike, volume_ml: float, voxel_mm: tuple[float, float, float], region: ArrayLike | None = None
) -> float:
    """Threshold whose region is as near to a wanted volume as whole values allow: equal voxels are in together.

    Parameters
    ----------
    values, region : see `fixed_threshold`; voxels count by their coverage
    volume_ml : wanted [mL]
    voxel_mm : (dz, dy, dx)

    Raises
    ------
    ValueError
        A volume that is not positive or larger than the region's.
    """
    image, inside = _image(values), _region(region, np.shape(values))
    voxel_ml = math.prod(voxel_sides(voxel_mm)) / 1000.0
    wanted = number("volume_ml", volume_ml)
    held = np.ones(image.shape) if inside is None else np.where(inside >= INSIDE, inside, 0.0)
    whole = float(held.sum()) * voxel_ml
    if not 0.0 < wanted <= whole * (1 + 1e-9):
        raise ValueError(f"volume_ml must be above 0 and at most that of the region, {whole:.4g} mL, got {volume_ml}")
    kept = held > 0
    order = np.argsort(-image[kept], kind="stable")
    ordered, volume = image[kept][order], np.cumsum(held[kept][order]) * voxel_ml
    ends = np.flatnonzero(np.diff(ordered, append=-np.inf))  # the last voxel of each value
    return float(ordered[ends[np.abs(volume[ends] - wanted).argmin()]])


def isocontour(
    values: ArrayLike,
    threshold: float,
    voxel_mm: tuple[float, float, float],
    region: ArrayLike | None = None,
    *,
    smallest_ml: float = 0.0,
    fill_holes: bool = False,
) -> Isocontour:
    """Take the voxels at or above a threshold, within a region, and clean them up.

    Parameters
    ----------
    values, region : see `fixed_threshold`. With the liver as region, this is the perfused volume
    threshold : in the unit of the image
    voxel_mm : (dz, dy, dx)
    smallest_ml : connected parts (by faces) below this volume are removed; 0 = none
    fill_holes : add what is wholly enclosed (by faces), of the region only, before small parts are removed

    Raises
    ------
    ValueError
        Arrays that do not fit, and a contour without a voxel, with the largest value there is.
    """
    image, inside = _image(values), _region(region, np.shape(values))
    voxel_ml = math.prod(voxel_sides(voxel_mm)) / 1000.0
    limit, smallest = number("threshold", threshold), number("smallest_ml", smallest_ml)
    if not math.isfinite(limit):
        raise ValueError(f"threshold must be finite, got {threshold}")
    if not 0.0 <= smallest < math.inf:
        raise ValueError(f"smallest_ml must be finite and not negative, got {smallest_ml}")
    held = np.ones(image.shape) if inside is None else np.where(inside >= INSIDE, inside, 0.0)
    found = (image >= limit) & (held > 0)
    if not found.any():
        raise ValueError(f"threshold {limit:g} must be reached, the largest value is {_largest(image, inside):g}")
    filled_ml = 0.0
    if fill_holes:
        whole = _filled(found) & (held > 0)
        filled_ml = float(held[whole & ~found].sum()) * voxel_ml
        found = whole
    removed = 0
    if smallest > 0:
        found, removed = _large_parts(found, held * voxel_ml, smallest)
    coverage = np.where(found, held, 0.0).astype(np.float32)
    return Isocontour(coverage, limit, float(coverage.sum(dtype=np.float64)) * voxel_ml, removed, filled_ml)


def _filled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from scipy.ndimage import binary_fill_holes

    return np.asarray(binary_fill_holes(mask))


def _large_parts(
    mask: NDArray[np.bool_], voxel_ml: NDArray[np.float64], smallest_ml: float
) -> tuple[NDArray[np.bool_], int]:
    """Keep the connected parts of at least a volume, to its rounding; return them and how many went."""
    from scipy.ndimage import label

    parts, count = label(mask)
    volumes = np.bincount(parts.ravel(), voxel_ml.ravel(), minlength=count + 1)
    large = volumes >= smallest_ml * (1 - 1e-9)
    large[0] = False
    if not large.any():
        raise ValueError(f"smallest_ml must leave a part, the largest of {count} has {volumes[1:].max():.4g} mL")
    return np.asarray(large[parts]), int(count - np.count_nonzero(large))


def _largest(image: NDArray[np.float64], region: NDArray[np.float64] | None) -> float:
    largest = float(image.max() if region is None else image[region >= INSIDE].max())
    return largest


def _fraction(value: float) -> float:
    fraction = number("fraction", value)
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"fraction must be between 0 and 1, got {value}")
    return fraction


def _image(values: ArrayLike) -> NDArray[np.float64]:
    image = np.asarray(to_numpy(values))
    if image.dtype.kind not in "biuf":
        raise TypeError(f"values must be real numbers, got an array of {image.dtype}")
    if image.ndim != 3 or image.size == 0:
        raise ValueError(f"values must have three axes (z, y, x), got shape {image.shape}")
    bad = int(np.count_nonzero(~np.isfinite(image)))
    if bad:
        raise ValueError(f"values must be finite, got {bad} of {image.size} voxels that are not")
    return image.astype(np.float64)


def _region(region: ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.float64] | None:
    if region is None:
        return None
    coverage = coverage_of("region", region, shape)
    if not (coverage >= INSIDE).any():
        raise ValueError("region must hold at least one voxel by half, got none")
    return coverage
