"""A point kernel as two voxel kernels for a grid: fine where the electrons reach, coarse beyond."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.arrays import module_of
from mcdose.convolution.even_kernel import EvenKernel
from mcdose.electron_data import csda_range
from mcdose.emission_table import reach_mev
from mcdose.kernel import PointKernel
from mcdose.known_kernel import known_or_simulated
from mcdose.media import Medium
from mcdose.nuclides import Nuclide
from mcdose.problem import slabs
from mcdose.shell_integration import integrated_octant

PAIRS_KEPT = 8
LONGER = 1.25  # than asked for may a coarse voxel be, to fit the grid

_kept: dict[Any, KernelPair] = {}
_lock = Lock()


class KernelPair(NamedTuple):
    """Energy around a source voxel of a uniform medium, MeV per decay.

    Parameters
    ----------
    near : in the voxels of the grid, from the shells that electrons reach; cut where the grid cannot use more
    far : in coarse voxels, from all other shells: bremsstrahlung
    merge : (z, y, x), how many voxels of the grid a coarse one is long
    split_mm : radius between the two
    point : the point kernel
    """

    near: EvenKernel
    far: EvenKernel
    merge: tuple[int, int, int]
    split_mm: float
    point: PointKernel


def kernel_pair(
    nuclide: Nuclide,
    medium: Medium,
    density_g_cm3: float,
    voxel_mm: tuple[float, float, float],
    shape: tuple[int, int, int],
    simulate: Callable[[int], PointKernel],
) -> KernelPair:
    """Return the kernels of a medium for a grid; the last few are kept.

    The split is the first edge of a shell at or beyond the CSDA range of the highest energy; coarse voxels are about
    half as long, and the coarse kernel reaches across the whole grid. Beyond the split there is only the dose of
    bremsstrahlung, 1e-5 of the largest and less. Coarse voxels change it: docs/comparison.md says by how much.

    Parameters
    ----------
    nuclide, medium, density_g_cm3 : of the point kernel, from the library, else simulated once and kept
    voxel_mm, shape : of the grid
    simulate : makes the point kernel of so many histories, if it must be
    """
    key = nuclide, medium, density_g_cm3, voxel_mm, shape
    with _lock:  # whoever asks for the same meanwhile waits for it
        if key not in _kept:
            while len(_kept) >= PAIRS_KEPT:
                _kept.pop(next(iter(_kept)))
            _kept[key] = _pair(nuclide, medium, density_g_cm3, voxel_mm, shape, simulate)
        return _kept[key]


def _pair(
    nuclide: Nuclide,
    medium: Medium,
    density_g_cm3: float,
    voxel_mm: Any,
    shape: Any,
    simulate: Callable[[int], PointKernel],
) -> KernelPair:
    point = known_or_simulated(nuclide, medium, None, simulate)
    edges = point.shell_edges_mm * (point.density_g_cm3 / density_g_cm3)
    reach = 10.0 * float(csda_range(medium, reach_mev(nuclide))) / density_g_cm3
    first_far = min(int(np.searchsorted(edges, reach)), point.energy_mev.size)
    split = float(edges[first_far])
    half = tuple(min(int(split / side) + 1, size - 1) for side, size in zip(voxel_mm, shape, strict=True))
    near = _even(edges[: first_far + 1], point.energy_mev[:first_far], voxel_mm, half)
    merge = tuple(_merge(0.5 * split / side, size) for side, size in zip(voxel_mm, shape, strict=True))
    coarse = tuple(side * count for side, count in zip(voxel_mm, merge, strict=True))
    across = tuple(-(-size // count) - 1 for size, count in zip(shape, merge, strict=True))
    beyond = np.where(np.arange(point.energy_mev.size) < first_far, 0.0, point.energy_mev)
    return KernelPair(near, _even(edges, beyond, coarse, across), merge, split, point)  # type: ignore[arg-type]


def _merge(wanted: float, size: int) -> int:
    """Return how many voxels make a coarse one: what is wanted or a little more, with little of it off the grid."""
    lowest = int(np.clip(round(wanted), 1, size))
    highest = max(lowest, min(int(wanted * LONGER), size))
    return min(range(lowest, highest + 1), key=lambda count: (-size % count, count))


def _even(
    edges_mm: NDArray[np.float64], energy_mev: NDArray[np.float64], voxel_mm: Any, half: tuple[int, ...]
) -> EvenKernel:
    columns = np.ascontiguousarray(energy_mev[:, None])
    return EvenKernel(integrated_octant(np.ascontiguousarray(edges_mm), columns, voxel_mm, half)[..., 0])


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
