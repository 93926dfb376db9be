"""A point kernel as two voxel kernels for a grid: fine where the electrons reach, coarse beyond."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.arrays import module_of
from mcdose.convolution.even_kernel import EvenKernel
from mcdose.electron_data import csda_range
from mcdose.kernel import PointKernel
from mcdose.known_kernel import known_or_simulated
from mcdose.media import Medium
from mcdose.nuclides import nuclide as find_nuclide
from mcdose.point_kernel import dose_point_kernel
from mcdose.shell_integration import integrated_octant

PAIRS_KEPT = 8


class KernelPair(NamedTuple):
    """Energy around a source voxel of a uniform medium, MeV per decay.

    Parameters
    ----------
    near : in the voxels of the grid, from the shells that electrons reach
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


@lru_cache(maxsize=PAIRS_KEPT)
def kernel_pair(
    nuclide: str,
    medium: Medium,
    density_g_cm3: float,
    voxel_mm: tuple[float, float, float],
    shape: tuple[int, int, int],
) -> KernelPair:
    """Return the kernels of a medium for a grid; the last few are kept with their spectra.

    The split is the first edge of a shell at or beyond the CSDA range of the highest energy; coarse voxels are about
    half as long. Beyond it there is only the dose of bremsstrahlung, 1e-5 of the largest and less, which changes
    slowly: coarse voxels move it by up to 4 % (docs/comparison.md). The coarse kernel reaches across the whole grid.

    Parameters
    ----------
    nuclide, medium, density_g_cm3 : of the point kernel, from the library, else simulated once and kept
    voxel_mm, shape : of the grid
    """
    point = known_or_simulated(nuclide, medium, None, lambda count: dose_point_kernel(nuclide, medium, histories=count))
    edges = point.shell_edges_mm * (point.density_g_cm3 / density_g_cm3)
    reach = 10.0 * float(csda_range(medium, find_nuclide(nuclide).end_point_mev)) / density_g_cm3
    first_far = min(int(np.searchsorted(edges, reach)), point.energy_mev.size)
    split = float(edges[first_far])
    merge = tuple(int(np.clip(round(0.5 * split / side), 1, size)) for side, size in zip(voxel_mm, shape, strict=True))
    half = tuple(int(split / side) + 1 for side in voxel_mm)
    near = _even(edges[: first_far + 1], point.energy_mev[:first_far], voxel_mm, half)
    coarse = tuple(side * count for side, count in zip(voxel_mm, merge, strict=True))
    across = tuple(-(-size // count) - 1 for size, count in zip(shape, merge, strict=True))
    far = _even(edges, np.where(np.arange(point.energy_mev.size) < first_far, 0.0, point.energy_mev), coarse, across)
    return KernelPair(near, far, merge, split, point)  # type: ignore[arg-type]


def _even(
    edges_mm: NDArray[np.float64], energy_mev: NDArray[np.float64], voxel_mm: Any, half: tuple[int, ...]
) -> EvenKernel:
    columns = np.ascontiguousarray(energy_mev[:, None])
    return EvenKernel(integrated_octant(np.ascontiguousarray(edges_mm), columns, voxel_mm, half)[..., 0])


def merged(values: Any, merge: tuple[int, int, int]) -> Any:
    """Return sums over blocks of voxels, float64; the last block of an axis may be cut off by the grid."""
    module = module_of(values)
    cz, cy, cx = (-(-size // count) for size, count in zip(values.shape, merge, strict=True))
    _, ny, nx = values.shape
    coarse = module.zeros((cz, cy, cx))
    plane = module.zeros((cy * merge[1], cx * merge[2]))
    for k in range(cz):
        plane[:ny, :nx] = values[k * merge[0] : (k + 1) * merge[0]].sum(axis=0, dtype=np.float64)
        coarse[k] = plane.reshape(cy, merge[1], cx, merge[2]).sum(axis=3).sum(axis=1)
    return coarse


class Spread:
    """Energy of coarse voxels spread over the voxels of a grid: linear between their middles, none lost.

    Parameters
    ----------
    coarse : (cz, cy, cx) energy, all of which would be spread if the grid ended where the coarse voxels do
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
        self._coarse = coarse * (float(kept) / total / np.prod(merge) if total > 0.0 else 0.0)
        self._z, self._y, self._x = lines

    def planes(self, part: slice) -> Any:
        """Return the energy in the voxels of some planes, (planes, ny, nx) float64."""
        return self._x.along(self._y.along(self._z.along(self._coarse, 0, part), 1), 2)


class _Between:
    """Linear interpolation along a line: from coarse voxels, at their middles, to the middle of each voxel."""

    def __init__(self, size: int, count: int, module: Any) -> None:
        coarse = -(-size // count)
        place = np.clip((np.arange(size) + 0.5) / count - 0.5, 0.0, coarse - 1.0)
        low = np.minimum(place.astype(np.int64), max(coarse - 2, 0))
        high = np.minimum(low + 1, coarse - 1)
        shares = np.bincount(low, 1.0 - (place - low), coarse) + np.bincount(high, place - low, coarse)
        self.shares = module.asarray(shares / count)  # of the energy density of each coarse voxel
        self._low, self._high, self._weight = (module.asarray(values) for values in (low, high, place - low))

    def along(self, values: Any, axis: int, part: slice = slice(None)) -> Any:
        weight = self._weight[part].reshape(tuple(-1 if k == axis else 1 for k in range(3)))
        low = values.take(self._low[part], axis=axis)
        return low + weight * (values.take(self._high[part], axis=axis) - low)
