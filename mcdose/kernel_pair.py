"""A point kernel as two voxel kernels for a grid: fine close to the source, coarse beyond."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.convolution.even_kernel import EvenKernel
from mcdose.kernel import PointKernel
from mcdose.known_kernel import known_or_simulated
from mcdose.media import Medium
from mcdose.nuclides import Nuclide
from mcdose.reach import electron_reach_mm, photon_fraction
from mcdose.shell_integration import integrated_octant
from mcdose.smooth_voxels import coarse_shape

PAIRS_KEPT = 8
LONGER = 1.25  # than asked for may a coarse voxel be, to fit the grid
PHOTONS_COUNT = 1e-3  # of the energy, from which the dose of photons is folded smoothly
FINE_VOXELS = 12.0  # of the grid that the smooth split is away, at least
COARSE = 0.25  # of the split is a coarse voxel then, at most
SMALL_GRID = 48  # voxels along an axis, up to which none are merged then

_kept: dict[Any, KernelPair] = {}
_lock = Lock()


class KernelPair(NamedTuple):
    """Energy around a source voxel of a uniform medium, MeV per decay.

    Parameters
    ----------
    near : in the voxels of the grid, to the split; cut where the grid cannot use more
    far : in coarse voxels, all that is not near: photons
    merge : (z, y, x), how many voxels of the grid a coarse one is long
    smooth : the coarse voxels are those of `smooth_voxels`, else of `coarse_voxels`
    split_mm : radius beyond which near has nothing
    point : the point kernel
    """

    near: EvenKernel
    far: EvenKernel
    merge: tuple[int, int, int]
    smooth: bool
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

    Where the nuclide emits betas alone, the split is the first edge of a shell at or beyond the CSDA range of the
    highest energy; coarse voxels are about half as long, and the coarse kernel reaches across the whole grid. Beyond
    the split there is only the dose of bremsstrahlung, 1e-5 of the largest and less.

    Where photons carry more than 1e-3 of the energy, their dose counts and is smooth but close to the source, where it
    goes with 1/r2. The far kernel is then that of all shells beyond the split a, and within it a polynomial that goes
    on from it with the same slope and curvature, (3 - 3 r2/a2 + r4/a4)/a2; the near kernel has the rest, which ends in
    nothing at a. So neither has an edge. The split is 12 voxels or the CSDA range away, whichever is more, and a coarse
    voxel is at most a quarter of it.

    What coarse voxels change: docs/comparison.md says by how much.

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
    reach = electron_reach_mm(nuclide, medium, density_g_cm3)
    if photon_fraction(nuclide) > PHOTONS_COUNT:
        return _smooth_pair(point, edges, reach, voxel_mm, shape)
    first_far = min(int(np.searchsorted(edges, reach)), point.energy_mev.size)
    split = float(edges[first_far])
    near = _near(edges[: first_far + 1], point.energy_mev[:first_far], voxel_mm, shape)
    merge: Any = tuple(_merge(0.5 * split / side, size) for side, size in zip(voxel_mm, shape, strict=True))
    coarse = tuple(side * count for side, count in zip(voxel_mm, merge, strict=True))
    across = tuple(-(-size // count) - 1 for size, count in zip(shape, merge, strict=True))
    beyond = np.where(np.arange(point.energy_mev.size) < first_far, 0.0, point.energy_mev)
    return KernelPair(near, _even(edges, beyond, coarse, across), merge, False, split, point)


def _smooth_pair(point: PointKernel, edges: NDArray[np.float64], reach: float, voxel_mm: Any, shape: Any) -> KernelPair:
    """Return a pair without an edge between near and far; see `kernel_pair`."""
    wanted = max(reach, FINE_VOXELS * float(np.prod(voxel_mm)) ** (1.0 / 3.0))
    split = float(edges[min(int(np.searchsorted(edges, wanted)), edges.size - 1)])
    sizes = list(zip(voxel_mm, shape, strict=True))
    merge: Any = tuple(1 if size <= SMALL_GRID else max(1, int(COARSE * split / side)) for side, size in sizes)
    coarse = tuple(side * count for side, count in zip(voxel_mm, merge, strict=True))
    across = coarse_shape(shape, merge)  # one more than the grid needs, for the differences
    smooth = smooth_part(edges, point.energy_mev, split)
    far = sharpened(_octant(edges, smooth, coarse, across), merge)
    near = _near(edges, point.energy_mev - smooth, voxel_mm, shape, split)
    return KernelPair(near, EvenKernel(far), merge, True, split, point)


def smooth_part(edges_mm: NDArray[np.float64], energy_mev: NDArray[np.float64], split_mm: float) -> NDArray[np.float64]:
    """Return the energy of shells that a kernel without an edge has: all beyond a split, a polynomial within.

    Beyond the split a the energy per length, e, is about constant, for the fluence of photons goes with 1/r2. Within it
    is e (3 (r/a)^2 - 3 (r/a)^4 + (r/a)^6), never more than there is: the expansion of 1/r2 at a, so value, slope and
    curvature go on. e is the mean from 0.8 to 1.25 a.
    """
    inside = np.concatenate([[0.0], np.cumsum(energy_mev)])
    low, high = 0.8 * split_mm, min(1.25 * split_mm, float(edges_mm[-1]))
    per_mm = float(np.diff(np.interp([low, high], edges_mm, inside))[0]) / (high - low)
    part = np.minimum(edges_mm / split_mm, 1.0)
    inner = per_mm * split_mm * np.diff(part**3 - 0.6 * part**5 + part**7 / 7.0)
    return np.where(edges_mm[1:] <= split_mm, np.minimum(inner, energy_mev), energy_mev)


def sharpened(octant: NDArray[np.float64], merge: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return a far kernel, one shorter, narrower by the variance that coarse voxels add to it.

    Integrated over source and target voxels of length c, not c/m, it is wider by c2 (1 - 1/m2) / 6 along an axis.
    A second difference times a twelfth of 1 - 1/m2 takes that off.
    """
    kept = octant[:-1, :-1, :-1]
    sharp = kept.copy()
    for axis, count in enumerate(merge):
        line = np.moveaxis(octant, axis, 0)
        before = np.concatenate([line[1:2], line[:-2]])
        second = np.moveaxis(before - 2.0 * line[:-1] + line[1:], 0, axis)
        second = second[tuple(slice(0, size) for size in kept.shape)]
        sharp -= (1.0 - 1.0 / count**2) / 12.0 * second
    return np.maximum(sharp, 0.0)


def _merge(wanted: float, size: int) -> int:
    """Return how many voxels make a coarse one: what is wanted or a little more, with little of it off the grid."""
    lowest = int(np.clip(round(wanted), 1, size))
    highest = max(lowest, min(int(wanted * LONGER), size))
    return min(range(lowest, highest + 1), key=lambda count: (-size % count, count))


def _near(
    edges_mm: NDArray[np.float64], energy_mev: NDArray[np.float64], voxel_mm: Any, shape: Any, split_mm: float = 0.0
) -> EvenKernel:
    """Return what shells hold in voxels of the grid, to the last edge or the split."""
    reach = split_mm or float(edges_mm[-1])
    half = tuple(min(int(reach / side) + 1, size - 1) for side, size in zip(voxel_mm, shape, strict=True))
    return _even(edges_mm, energy_mev, voxel_mm, half)


def _even(
    edges_mm: NDArray[np.float64], energy_mev: NDArray[np.float64], voxel_mm: Any, half: tuple[int, ...]
) -> EvenKernel:
    return EvenKernel(_octant(edges_mm, energy_mev, voxel_mm, half))


def _octant(
    edges_mm: NDArray[np.float64], energy_mev: NDArray[np.float64], voxel_mm: Any, half: tuple[int, ...]
) -> NDArray[np.float64]:
    columns = np.ascontiguousarray(energy_mev[:, None])
    return integrated_octant(np.ascontiguousarray(edges_mm), columns, voxel_mm, half)[..., 0]
