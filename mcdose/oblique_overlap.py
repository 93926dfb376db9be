"""How much of each voxel of one grid lies in each voxel of another that is turned against it.

A voxel is divided into boxes so small that each reaches over a quarter of a target voxel or so. Along each axis of the
target, the content of a box is distributed as that of the true box is, seen along that axis: the sum of three uniform
distributions, one for each edge. What a cell receives is the product of the three, so only the correlation between
the axes within a box is left out. All content is kept but for rounding, and a uniform source stays uniform.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.grid import Grid
from mcdose.jit import compiled, launcher

FINE, COARSE = 0.25, 0.5  # of a target voxel, the longest edge of a box; coarse where the cover is divided out
SLAB = 16  # planes
THIN = 1e-3  # of a target voxel, the shortest edge: the distribution function divides by all three


class Collected(NamedTuple):
    """What the voxels of a target received, and the part of each that is covered, float64; what fell beside it.

    The cover is that of whole source voxels, good to some tenths of a percent; empty where it was not asked for.
    """

    values: NDArray[np.float64]
    cover: NDArray[np.float64]
    outside: float


def collect(
    values: NDArray[Any],
    matrix: NDArray[np.float64],
    shape: tuple[int, int, int],
    *,
    cover: bool = False,
    part: float = FINE,
    of: Callable[[NDArray[Any]], NDArray[Any]] | None = None,
) -> Collected:
    """Share the content of voxels among those of another grid.

    Parameters
    ----------
    values : (nz, ny, nx), content of each voxel
    matrix : (4, 4), from voxel indices (z, y, x, 1) to those of the target
    shape : of the target
    cover : add up the volumes too
    part : longest edge of a box, in target voxels
    of : what is shared, of the values; applied to few planes at once, so that no copy of all is made
    """
    linear = matrix[:3, :3]
    parts = [max(1, math.ceil(reach / part - 1e-9)) for reach in np.abs(linear).max(axis=0)]
    edges = np.maximum(np.abs(linear) / np.array(parts), THIN)
    target = np.zeros(shape, dtype=np.float64)
    covered = np.zeros(shape if cover else (0, 0, 0), dtype=np.float64)
    outside = 0.0
    for first in range(0, len(values), SLAB):
        slab = values[first : first + SLAB] if of is None else of(values[first : first + SLAB])
        stored = np.ascontiguousarray(slab, dtype=None if slab.dtype in (np.float32, np.float64) else np.float64)
        begin = matrix[:3, 3] + first * matrix[:3, 0]
        halves = 0.5 * edges.sum(axis=1)
        outside += _collect(stored, linear, begin, np.array(parts), halves, corners_of(edges), target, covered)
    return Collected(target, covered * abs(np.linalg.det(linear)), float(outside))


def index_matrix(source: Grid, target: Grid) -> NDArray[np.float64]:
    """Return the matrix (4, 4) from voxel indices (z, y, x, 1) of one grid to those of another."""
    return index_matrix_of(source.affine, target)


def index_matrix_of(affine: NDArray[np.float64], target: Grid) -> NDArray[np.float64]:
    """Return the same for a source that is placed by an affine, as `Grid.affine`, with axes at any angles."""
    to_zyx = np.eye(4)[[2, 1, 0, 3]]
    return np.asarray(to_zyx @ np.linalg.solve(target.affine, affine) @ to_zyx)


def corners_of(edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what `below` sums over: (axes, 8, 2), a corner of a box and the factor of its cube, for each axis.

    Parameters
    ----------
    edges : (axes, 3), projections of the edges of a box on each axis, not zero
    """
    signs = np.array([[a, b, c] for a in (1, -1) for b in (1, -1) for c in (1, -1)])
    factors = signs.prod(axis=1) / (6.0 * edges.prod(axis=1, keepdims=True))
    return np.ascontiguousarray(np.stack([0.5 * edges @ signs.T, factors], axis=-1))


@compiled
def below(place, corners):  # type: ignore[no-untyped-def]
    """Return the part of a box below a place seen from its middle: the distribution of three uniform variables' sum.

    Parameters
    ----------
    place : along an axis
    corners : (8, 2), of `corners_of`

    Source
    ------
    Bradley and Gupta, Ann Inst Stat Math 54:689 (2002)
    """
    total = 0.0
    for k in range(8):
        beyond = max(place + corners[k, 0], 0.0)
        total += corners[k, 1] * beyond * beyond * beyond
    return total


@compiled
def _shares(place, half, corners):  # type: ignore[no-untyped-def]
    """Return the first cell that a box reaches, and its parts in this and the next two; cell k ends at k + 1."""
    first = math.floor(place - half)
    if place + half <= first + 1.0:
        return first, (1.0, 0.0, 0.0)
    one = below(first + 1.0 - place, corners)
    if place + half <= first + 2.0:
        return first, (one, 1.0 - one, 0.0)
    two = below(first + 2.0 - place, corners)
    return first, (one, two - one, 1.0 - two)


@compiled
def _reach(low, high, start, step, most):  # type: ignore[no-untyped-def]
    """Return from where to where `start` + x `step` is between `low` and `high`, as a range within 0 to `most`."""
    if step == 0.0:
        return (0, most) if low < start < high else (0, 0)
    near, far = (low - start) / step, (high - start) / step
    if step < 0.0:
        near, far = far, near
    return math.floor(min(max(near, 0.0), float(most))), math.ceil(min(max(far + 1.0, 0.0), float(most)))


@launcher
def _collect(values, linear, begin, parts, halves, corners, target, covered):  # type: ignore[no-untyped-def]
    """Add to the target and its cover, and return what fell beside it."""
    nz, ny, nx = values.shape
    tz, ty, tx = target.shape
    number = parts[0] * parts[1] * parts[2]
    cover = covered.size > 0
    outside = 0.0
    # cell k of the target reaches from k to k + 1
    for z, y in np.ndindex(nz, ny):
        start, stop = 0, nx
        for axis in range(3):
            margin = 0.5 * (abs(linear[axis, 0]) + abs(linear[axis, 1]) + abs(linear[axis, 2])) + halves[axis]
            origin = linear[axis, 0] * z + linear[axis, 1] * y + begin[axis] + 0.5
            first, last = _reach(-margin, target.shape[axis] + margin, origin, linear[axis, 2], nx)
            start, stop = max(start, first), min(stop, last)
        for x in range(nx):
            if values[z, y, x] != 0.0 and not start <= x < stop:
                outside += values[z, y, x]
        for x in range(start, stop):
            value = values[z, y, x] / number
            if value == 0.0 and not cover:
                continue
            for a, b, c in np.ndindex(parts[0], parts[1], parts[2]):
                u = z + (a + 0.5) / parts[0] - 0.5
                v = y + (b + 0.5) / parts[1] - 0.5
                w = x + (c + 0.5) / parts[2] - 0.5
                qz = linear[0, 0] * u + linear[0, 1] * v + linear[0, 2] * w + begin[0] + 0.5
                qy = linear[1, 0] * u + linear[1, 1] * v + linear[1, 2] * w + begin[1] + 0.5
                qx = linear[2, 0] * u + linear[2, 1] * v + linear[2, 2] * w + begin[2] + 0.5
                first_z, shares_z = _shares(qz, halves[0], corners[0])
                first_y, shares_y = _shares(qy, halves[1], corners[1])
                first_x, shares_x = _shares(qx, halves[2], corners[2])
                for k in range(3):
                    if shares_z[k] == 0.0:
                        continue
                    for j in range(3):
                        if shares_y[j] == 0.0:
                            continue
                        for i in range(3):
                            if shares_x[i] == 0.0:
                                continue
                            share = shares_z[k] * shares_y[j] * shares_x[i]
                            tk, tj, ti = first_z + k, first_y + j, first_x + i
                            if 0 <= tk < tz and 0 <= tj < ty and 0 <= ti < tx:
                                target[tk, tj, ti] += value * share
                                if cover:
                                    covered[tk, tj, ti] += share / number
                            else:
                                outside += value * share
    return outside
