"""Coarse voxels, each of some voxels of a grid: activity shared between them, and energy spread back, linearly.

`smooth_voxels` does the same by cubics.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.arrays import module_of
from mcdose.problem import slabs


def merged(values: Any, merge: tuple[int, int, int]) -> Any:
    """Share what voxels hold between coarse voxels, float64: sum and centre stay where they are.

    Each voxel gives to the two coarse ones whose middles lie on either side, by its distance from them, along every
    axis; before the first middle and behind the last all goes to that one.
    """
    module = module_of(values)
    low, high, weight = _between(values.shape[0], merge[0])
    coarse = module.zeros(tuple(-(-size // count) for size, count in zip(values.shape, merge, strict=True)))
    for part in slabs(values):
        planes = _shared(values[part].astype(np.float64), merge[2], module)
        planes = _shared(planes.swapaxes(1, 2), merge[1], module).swapaxes(1, 2)
        for z, plane in zip(range(part.start, part.stop), planes, strict=True):
            coarse[low[z]] += (1.0 - weight[z]) * plane
            coarse[high[z]] += weight[z] * plane
    return coarse


def _shared(values: Any, count: int, module: Any) -> Any:
    """Share the last axis between coarse voxels; see `merged`."""
    if count == 1:
        return values
    *others, size = values.shape
    coarse = -(-size // count)
    padded = module.zeros((*others, coarse * count))
    padded[..., :size] = values
    parts = padded.reshape(*others, coarse, count)
    off = (np.arange(count) + 0.5) / count - 0.5
    before, after = ((parts * module.asarray(np.maximum(0.0, side))).sum(axis=-1) for side in (-off, off))
    found = parts.sum(axis=-1)
    found[..., 1:] -= before[..., 1:]
    found[..., :-1] += before[..., 1:]
    found[..., :-1] -= after[..., :-1]
    found[..., 1:] += after[..., :-1]
    return found


class Spread:
    """Energy of coarse voxels spread over the voxels of a grid: linear between their middles, none lost.

    Parameters
    ----------
    coarse : (cz, cy, cx) float64 energy, of which is spread what the grid holds of each coarse voxel; it is changed
    shape : of the grid
    merge : see `KernelPair`
    """

    def __init__(self, coarse: Any, shape: tuple[int, int, int], merge: tuple[int, int, int]) -> None:
        module = module_of(coarse)
        sizes = list(zip(shape, merge, strict=True))
        lines = [_Between(size, count, module) for size, count in sizes]
        spread, kept = coarse, coarse
        for line, (size, count) in zip(reversed(lines), reversed(sizes), strict=True):
            held = np.minimum(count, size - count * np.arange(spread.shape[-1])) / count
            spread, kept = (spread * line.shares).sum(axis=-1), (kept * module.asarray(held)).sum(axis=-1)
        total = float(spread)
        coarse *= float(kept) / total / float(np.prod(merge)) if total > 0.0 else 0.0  # in place: it can be large
        self._coarse = coarse
        self._z, self._y, self._x = lines

    def planes(self, part: slice) -> Any:
        """Return the energy in the voxels of some planes, (planes, ny, nx) float64."""
        return self._x.along(self._y.along(self._z.along(self._coarse, 0, part), 1), 2)


class _Between:
    """Linear interpolation along a line: from coarse voxels, at their middles, to the middle of each voxel."""

    def __init__(self, size: int, count: int, module: Any) -> None:
        low, high, weight = _between(size, count)
        coarse = -(-size // count)
        shares = np.bincount(low, 1.0 - weight, coarse) + np.bincount(high, weight, coarse)
        self.shares = module.asarray(shares / count)  # of the energy density of each coarse voxel
        self._low, self._high, self._weight = (module.asarray(values) for values in (low, high, weight))

    def along(self, values: Any, axis: int, part: slice = slice(None)) -> Any:
        weight = self._weight[part].reshape(tuple(-1 if k == axis else 1 for k in range(3)))
        low = values.take(self._low[part], axis=axis)
        return low + weight * (values.take(self._high[part], axis=axis) - low)


def _between(size: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return the coarse voxels with middles before and behind each voxel of a line, and the weight of the second."""
    coarse = -(-size // count)
    place = np.clip((np.arange(size) + 0.5) / count - 0.5, 0.0, coarse - 1.0)
    low = np.minimum(place.astype(np.int64), max(coarse - 2, 0))
    return low, np.minimum(low + 1, coarse - 1), place - low
