"""Coarse voxels, each of some voxels of a grid: activity shared between them, and energy spread back, by cubics.

The coarse grid reaches two middles beyond the grid on every side, so that every voxel has two on either side of it.
What is shared keeps its sum, centre and second and third moments; what is spread goes through the coarse values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.arrays import module_of
from mcdose.problem import slabs

REACH = 2  # coarse voxels on either side that a voxel shares with


def margin_of(count: int) -> int:
    """Return how many voxels the coarse grid begins before the grid."""
    return 0 if count == 1 else count + count // 2


def coarse_size(size: int, count: int) -> int:
    """Return how many coarse voxels of `count` voxels there are along an axis."""
    return -(-(size + 2 * margin_of(count)) // count)


def coarse_shape(shape: tuple[int, ...], merge: tuple[int, ...]) -> tuple[int, int, int]:
    """Return how many coarse voxels of `merge` voxels there are, (z, y, x)."""
    z, y, x = (coarse_size(size, count) for size, count in zip(shape, merge, strict=True))
    return z, y, x


def shared(values: Any, merge: tuple[int, int, int]) -> Any:
    """Share what voxels hold between coarse voxels, float64.

    Parameters
    ----------
    values : (nz, ny, nx)
    merge : (z, y, x), how many voxels a coarse one is long

    Returns
    -------
    array of `coarse_shape`; some of it is negative beside a sharp edge
    """
    module = module_of(values)
    coarse = module.zeros(coarse_shape(values.shape, merge))
    index, weight = _line(values.shape[0], merge[0])
    for part in slabs(values):
        planes = _along_last(values[part].astype(np.float64), merge[2], module)
        planes = _along_last(planes.swapaxes(1, 2), merge[1], module).swapaxes(1, 2)
        for z, plane in zip(range(part.start, part.stop), planes, strict=True):
            for place, share in zip(index[:, z], weight[:, z], strict=True):
                coarse[place] += share * plane
    return coarse


def _along_last(values: Any, count: int, module: Any) -> Any:
    """Share the last axis; see `shared`."""
    if count == 1:
        return values
    *others, size = values.shape
    coarse = coarse_size(size, count)
    margin = margin_of(count)
    padded = module.zeros((*others, coarse * count))
    padded[..., margin : margin + size] = values
    parts = padded.reshape(*others, coarse, count)
    found = module.zeros((*others, coarse + 2 * REACH))
    index, weight = _cubic((np.arange(count) + 0.5) / count - 0.5)  # of each voxel, from its own coarse one
    for j in range(count):
        for place, share in zip(index[:, j] + REACH, weight[:, j], strict=True):
            found[..., place : place + coarse] += share * parts[..., j]
    return found[..., REACH:-REACH]


class Interpolated:
    """Energy of coarse voxels spread over the voxels of a grid, cubic between their middles.

    Parameters
    ----------
    coarse : (cz, cy, cx) float64 energy; it is changed
    shape : of the grid
    merge : see `shared`
    """

    def __init__(self, coarse: Any, shape: tuple[int, int, int], merge: tuple[int, int, int]) -> None:
        module = module_of(coarse)
        coarse /= float(np.prod(merge))
        self._coarse = coarse
        self._module = module
        self._lines = [_line(size, count) for size, count in zip(shape, merge, strict=True)]

    def planes(self, part: slice) -> Any:
        """Return the energy in the voxels of some planes, (planes, ny, nx) float64, not negative."""
        values = self._coarse
        for axis, keep in enumerate((part, slice(None), slice(None))):
            values = self._along(values, axis, keep)
        return np.maximum(values, 0.0)

    def _along(self, values: Any, axis: int, part: slice) -> Any:
        index, weight = self._lines[axis]
        shape = tuple(-1 if k == axis else 1 for k in range(3))
        asarray = self._module.asarray
        return sum(
            asarray(shares.reshape(shape)) * values.take(asarray(places), axis=axis)
            for places, shares in zip(index[:, part], weight[:, part], strict=True)
        )


def _line(size: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the coarse voxels about each voxel of a line of the grid, and their weights; see `_cubic`."""
    if count == 1:
        return np.arange(size)[None], np.ones((1, size))
    coarse = coarse_size(size, count)
    index, weight = _cubic((np.arange(size) + margin_of(count) + 0.5) / count - 0.5)
    return np.minimum(index, coarse - 1), weight  # the last one weighs nothing where it would lie beyond


def _cubic(place: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the four whole numbers about each place, and the weights of Lagrange's cubic through them, (4, n)."""
    low = np.floor(place + 1e-9).astype(np.int64)
    x = place - low
    weight = [
        -x * (x - 1.0) * (x - 2.0) / 6.0,
        (x + 1.0) * (x - 1.0) * (x - 2.0) / 2.0,
        -(x + 1.0) * x * (x - 2.0) / 2.0,
        (x + 1.0) * x * (x - 1.0) / 6.0,
    ]
    return low + np.arange(-1, 3)[:, None], np.array(weight)
