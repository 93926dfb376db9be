"""How much of each voxel of one grid lies in each voxel of another that is turned against it.

A voxel is divided into boxes so small that each reaches over a quarter of a target voxel or so. Along each axis of the
target, the content of a box is distributed as that of the true box is, seen along that axis: the sum of three uniform
distributions, one for each edge. What a cell receives is the product of the three, so only the correlation between
the axes within a box is left out. All content is kept but for rounding, and a uniform source stays uniform.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.grid import Grid
from mcdose.jit import compiled, launcher

PART = 0.25  # of a target voxel, the longest edge of a box along an axis of the target
MOST_PARTS = 32  # along one axis of a source voxel
THIN = 1e-3  # of a target voxel, the shortest edge: the distribution function divides by all three


class Collected(NamedTuple):
    """What the voxels of a target received, and the part of each that is covered, float64; what fell beside it.

    The cover is that of whole source voxels, good to some tenths of a percent; empty where it was not asked for.
    """

    values: NDArray[np.float64]
    cover: NDArray[np.float64]
    outside: float


def collect(
    values: NDArray[Any], matrix: NDArray[np.float64], shape: tuple[int, int, int], *, cover: bool = False
) -> Collected:
    """Share the content of voxels among those of another grid.

    Parameters
    ----------
    values : (nz, ny, nx), content of each voxel
    matrix : (4, 4), from voxel indices (z, y, x, 1) to those of the target
    shape : of the target
    cover : add up the volumes too
    """
    linear = matrix[:3, :3]
    parts = [min(MOST_PARTS, max(1, math.ceil(reach / PART - 1e-9))) for reach in np.abs(linear).max(axis=0)]
    edges = np.maximum(np.abs(linear) / np.array(parts), THIN)
    target = np.zeros(shape, dtype=np.float64)
    covered = np.zeros(shape if cover else (0, 0, 0), dtype=np.float64)
    outside = np.zeros(1)
    stored = np.ascontiguousarray(values, dtype=None if values.dtype in (np.float32, np.float64) else np.float64)
    _collect(stored, matrix, np.array(parts), edges, abs(np.linalg.det(linear)), target, covered, outside)
    return Collected(target, covered, float(outside[0]))


def index_matrix(source: Grid, target: Grid) -> NDArray[np.float64]:
    """Return the matrix (4, 4) from voxel indices (z, y, x, 1) of one grid to those of another."""
    to_zyx = np.eye(4)[[2, 1, 0, 3]]
    return np.asarray(to_zyx @ np.linalg.solve(target.affine, source.affine) @ to_zyx)


@compiled
def below(place, edges):  # type: ignore[no-untyped-def]
    """Return the part of a box below a place seen from its middle: the distribution of three uniform variables' sum.

    Parameters
    ----------
    place : along an axis
    edges : (3,), projections of the edges of the box on that axis, not zero

    Source
    ------
    Bradley and Gupta, Ann Inst Stat Math 54:689 (2002)
    """
    total = 0.0
    for signs in range(8):
        corner, sense = place, 1.0
        for b in range(3):
            if signs >> b & 1:
                corner -= 0.5 * edges[b]
                sense = -sense
            else:
                corner += 0.5 * edges[b]
        if corner > 0.0:
            total += sense * corner * corner * corner
    return total / (6.0 * edges[0] * edges[1] * edges[2])


@compiled
def _share(cell, place, half, edges):  # type: ignore[no-untyped-def]
    """Return the part of a box in the cell from `cell` to `cell` + 1."""
    upper = 1.0 if cell + 1.0 >= place + half else below(cell + 1.0 - place, edges)
    lower = 0.0 if cell <= place - half else below(cell - place, edges)
    return upper - lower


@launcher
def _collect(values, matrix, parts, edges, volume, target, covered, outside):  # type: ignore[no-untyped-def]
    nz, ny, nx = values.shape
    tz, ty, tx = target.shape
    number = parts[0] * parts[1] * parts[2]
    cover = covered.size > 0
    half_z = 0.5 * (edges[0, 0] + edges[0, 1] + edges[0, 2])
    half_y = 0.5 * (edges[1, 0] + edges[1, 1] + edges[1, 2])
    half_x = 0.5 * (edges[2, 0] + edges[2, 1] + edges[2, 2])
    for z, y, x in np.ndindex(nz, ny, nx):
        value = values[z, y, x] / number
        if value == 0.0 and not cover:
            continue
        for a, b, c in np.ndindex(parts[0], parts[1], parts[2]):
            u = z + (a + 0.5) / parts[0] - 0.5
            v = y + (b + 0.5) / parts[1] - 0.5
            w = x + (c + 0.5) / parts[2] - 0.5
            # cell k of the target reaches from k to k + 1
            qz = matrix[0, 0] * u + matrix[0, 1] * v + matrix[0, 2] * w + matrix[0, 3] + 0.5
            qy = matrix[1, 0] * u + matrix[1, 1] * v + matrix[1, 2] * w + matrix[1, 3] + 0.5
            qx = matrix[2, 0] * u + matrix[2, 1] * v + matrix[2, 2] * w + matrix[2, 3] + 0.5
            if (
                min(qz + half_z, qy + half_y, qx + half_x) <= 0.0
                or qz - half_z >= tz
                or qy - half_y >= ty
                or qx - half_x >= tx
            ):
                outside[0] += value
                continue
            for k in range(math.floor(qz - half_z), math.ceil(qz + half_z)):
                share_z = _share(k, qz, half_z, edges[0])
                for j in range(math.floor(qy - half_y), math.ceil(qy + half_y)):
                    share_y = share_z * _share(j, qy, half_y, edges[1])
                    for i in range(math.floor(qx - half_x), math.ceil(qx + half_x)):
                        share_x = share_y * _share(i, qx, half_x, edges[2])
                        if 0 <= k < tz and 0 <= j < ty and 0 <= i < tx:
                            target[k, j, i] += value * share_x
                            if cover:
                                covered[k, j, i] += volume * share_x / number
                        else:
                            outside[0] += value * share_x
