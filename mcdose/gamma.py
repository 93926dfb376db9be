"""The gamma index: how far one dose lies from another in dose and in place together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.arguments import number
from mcdose.dose_pair import DosePair, check_pair
from mcdose.engine.cpu import thread_count
from mcdose.gamma_search import STACK, search_voxels

MAX_GAMMA = 2.0
TOLERANCE = 2e-3  # in gamma, upwards
CHUNK = 4096  # voxels a thread takes at a time


def gamma_index(
    reference_gy: Any,
    evaluated_gy: Any,
    voxel_mm: tuple[float, float, float],
    *,
    percent: float = 1.0,
    distance_mm: float = 1.0,
    local: bool = False,
    threshold: float = 0.1,
    mask: Any = None,
    max_gamma: float = MAX_GAMMA,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Gamma of every voxel of a reference dose, NaN where none is judged.

    gamma(r) = min over r' of sqrt(|r' - r|^2 / distance_mm^2 + (D_e(r') - D_r(r))^2 / criterion^2), with the evaluated
    dose D_e trilinear between the voxel centres. The minimum is found to 0.002 of gamma (never below it) by dividing
    the cells between the voxels, so there is no step of the search to choose. An axis with one voxel counts as uniform.

    Normalisation: the largest reference dose inside the mask, of the whole grid without one. Voxels with a reference
    dose below `threshold` times that are not judged. The search goes beyond the mask, not beyond the grid.

    Parameters
    ----------
    reference_gy, evaluated_gy : array, shape (nz, ny, nx) [Gy]; CuPy arrays are copied to the host
    voxel_mm : (dz, dy, dx) [mm]
    percent : dose criterion, of the normalisation (global) or of the voxel's own reference dose (local)
    distance_mm : distance criterion [mm]
    local : whether the dose criterion is local; voxels without dose are then not judged
    threshold : lowest reference dose that is judged, fraction of the normalisation, 0 to below 1
    mask : array of the same shape, bool or coverage; judged are voxels of which at least half is inside
    max_gamma : where the search ends; larger values are written as this one
    threads : None for as many as there are

    Returns
    -------
    array, shape (nz, ny, nx), float32

    Raises
    ------
    ValueError
        If shapes differ, a dose is negative or not finite, voxel_mm, a criterion or max_gamma is not positive, the
        threshold is outside 0 to 1, the mask is empty or no voxel is left to judge.

    Source
    ------
    Low, Harms, Mutic, Purdy, Med Phys 25:656 (1998); Low and Dempsey, Med Phys 30:2455 (2003). Search in rising
    distance that ends when the distance alone is too much: Wendling et al., Med Phys 34:1647 (2007).
    """
    names = ("reference_gy", "evaluated_gy")
    doses = (reference_gy, evaluated_gy)
    pair = check_pair(names, doses, voxel_mm, mask, (percent, distance_mm), local, threshold)
    return as_map(gamma_of_voxels(pair, pair.criterion, max_gamma, threads), pair.judged)


def gamma_of_voxels(
    pair: DosePair, criterion: NDArray[np.float64], max_gamma: float, threads: int | None
) -> NDArray[np.float64]:
    """Return gamma of the judged voxels, each with its own dose criterion [Gy], in the order of the grid."""
    largest = number("max_gamma", max_gamma)
    if not 0.0 < largest < np.inf:
        raise ValueError(f"max_gamma must be positive, got {max_gamma}")
    workers = thread_count(threads)
    side = np.array(pair.voxel_mm) / pair.gamma[1]
    cells, distance = cells_within(largest, side, pair.reference.shape)
    evaluated = pair.evaluated
    for axis in range(3):
        if evaluated.shape[axis] == 1:
            evaluated = np.repeat(evaluated, 2, axis)
    voxels = np.argwhere(pair.judged)
    gamma = np.empty(len(voxels))

    def take(first: int) -> None:
        part = slice(first, first + CHUNK)
        stack = np.empty((STACK, 6))
        of_each = (voxels[part], criterion[part])
        search_voxels(
            pair.reference, evaluated, *of_each, side, cells, distance, largest, TOLERANCE, gamma[part], stack
        )

    with ThreadPoolExecutor(workers, thread_name_prefix="mcdose") as pool:
        list(pool.map(take, range(0, len(voxels), CHUNK)))
    return gamma


def cells_within(
    reach: float, side: NDArray[np.float64], shape: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the cells nearer to a voxel than `reach`, nearest first, and their distances.

    Parameters
    ----------
    reach, side : in distance criteria
    shape : of the grid; no cell lies further away than that

    Returns
    -------
    cells : int64 (m, 3), offset (z, y, x) of the first corner of each
    distance : float64 (m,)
    """
    counts = [min(int(np.ceil(reach / side[axis])), max(shape[axis] - 1, 1)) for axis in range(3)]
    axes = np.meshgrid(*[np.arange(-count, count) for count in counts], indexing="ij")
    cells = np.stack(axes, axis=-1).reshape(-1, 3)
    nearest = np.maximum(cells, -(cells + 1)).clip(0) * side
    distance = np.sqrt((nearest**2).sum(axis=1))
    order = np.argsort(distance, kind="stable")
    order = order[distance[order] < reach]
    return cells[order], distance[order]


def as_map(values: NDArray[np.float64], judged: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Put the values of the judged voxels onto the grid, NaN elsewhere."""
    filled = np.full(judged.shape, np.nan, np.float32)
    filled[judged] = values
    return filled
