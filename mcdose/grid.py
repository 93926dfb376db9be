"""Voxel grids in patient coordinates, and arrays that live on one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = tuple[float, float, float]
Direction = tuple[Vector, Vector, Vector]
UPRIGHT: Direction = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
SNAP_MM = 0.005  # axes so near the patient's that no voxel is moved by more than this are taken as theirs
RIGID = 1e-6  # largest entry of R^T R - 1 for R to be a rotation


@dataclass(frozen=True)
class Grid:
    """A voxel grid in DICOM patient coordinates (LPS), millimetres.

    Axis order is (z, y, x) everywhere. The axes of most grids are the patient's, with indices that increase towards
    superior, posterior and left; those of an oblique grid are turned by `direction`, a rotation.

    Parameters
    ----------
    shape : (nz, ny, nx)
    voxel_mm : (dz, dy, dx), positive
    origin_mm : (z, y, x) of the centre of voxel (0, 0, 0)
    direction : unit vector (z, y, x) along each axis (z, y, x) of the grid: row a of an orthogonal matrix
    """

    shape: tuple[int, int, int]
    voxel_mm: Vector
    origin_mm: Vector = (0.0, 0.0, 0.0)
    direction: Direction = UPRIGHT

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel, mL."""
        dz, dy, dx = self.voxel_mm
        return dz * dy * dx / 1000.0

    @property
    def upright(self) -> bool:
        """Whether the axes are those of the patient."""
        return self.direction == UPRIGHT

    @property
    def turn_deg(self) -> float:
        """Angle that the grid is turned by from upright [degrees]."""
        return float(np.degrees(np.arccos(np.clip((np.trace(np.array(self.direction)) - 1) / 2, -1, 1))))

    @property
    def affine(self) -> NDArray[np.float64]:
        """Matrix (4, 4) from voxel indices (x, y, z, 1) to patient coordinates (x, y, z, 1) in LPS [mm].

        That of NIfTI, in RAS, is `numpy.diag([-1, -1, 1, 1]) @ affine`.
        """
        matrix = np.eye(4)
        matrix[:3, :3] = (np.array(self.direction) * np.array(self.voxel_mm)[:, None])[::-1, ::-1].T
        matrix[:3, 3] = self.origin_mm[::-1]
        return matrix

    @property
    def own(self) -> Grid:
        """The same grid as its own axes see it: upright, in coordinates along them from the patient's origin."""
        return self if self.upright else replace(self, origin_mm=self._along_axes(), direction=UPRIGHT)

    def edges_mm(self, axis: int) -> NDArray[np.float64]:
        """Voxel boundaries along an axis of the grid (0 = z, 1 = y, 2 = x) from the patient's origin, (n + 1,), mm."""
        first = self.own.origin_mm[axis]
        return np.asarray(first + (np.arange(self.shape[axis] + 1) - 0.5) * self.voxel_mm[axis], np.float64)

    def centres_mm(self, axis: int) -> NDArray[np.float64]:
        """Voxel centres along an axis of the grid (0 = z, 1 = y, 2 = x) from the patient's origin, (n,), mm."""
        return np.asarray(self.own.origin_mm[axis] + np.arange(self.shape[axis]) * self.voxel_mm[axis], np.float64)

    def position_mm(self, indices: ArrayLike) -> NDArray[np.float64]:
        """Patient coordinates (..., 3), (z, y, x) [mm], of voxel indices (..., 3), which may be fractions."""
        steps = np.array(self.direction) * np.array(self.voxel_mm)[:, None]
        return np.asarray(np.asarray(indices, dtype=np.float64) @ steps + self.origin_mm)

    def corners_mm(self) -> NDArray[np.float64]:
        """Patient coordinates (8, 3), (z, y, x) [mm], of the corners of the whole grid."""
        return self.position_mm([[z, y, x] for z in self._ends(0) for y in self._ends(1) for x in self._ends(2)])

    def moved(self, matrix: ArrayLike) -> Grid:
        """Return the grid where a rigid transform puts it.

        Parameters
        ----------
        matrix : (4, 4), takes points (x, y, z, 1) in LPS [mm] to points; raise ValueError if it is not rigid
        """
        turn, shift = np.asarray(matrix, dtype=np.float64)[:3, :3], np.asarray(matrix, dtype=np.float64)[:3, 3]
        off = float(np.abs(turn.T @ turn - np.eye(3)).max())
        if off > RIGID or np.linalg.det(turn) < 0:
            raise ValueError(f"matrix must be a rotation and a shift, it is {off:.2g} off one")
        turn_zyx = turn[::-1, ::-1]
        origin = turn_zyx @ np.array(self.origin_mm) + shift[::-1]
        return placed(self.shape, self.voxel_mm, origin, np.array(self.direction) @ turn_zyx.T)

    def _along_axes(self) -> Vector:
        z, y, x = (float(v) for v in np.array(self.direction) @ np.array(self.origin_mm))
        return z, y, x

    def _ends(self, axis: int) -> tuple[float, float]:
        return -0.5, self.shape[axis] - 0.5


@dataclass(frozen=True)
class Volume:
    """Values on a grid: `values` has the shape of `grid`, C-contiguous, axis order (z, y, x)."""

    values: NDArray[Any]
    grid: Grid

    @property
    def affine(self) -> NDArray[np.float64]:
        """Place of the voxels, see `Grid.affine`."""
        return self.grid.affine


def placed(
    shape: tuple[int, int, int], voxel_mm: Sequence[float], origin_mm: Sequence[float] | NDArray[Any], axes: ArrayLike
) -> Grid:
    """Make a grid of axes that are given by numbers: the patient's where they are so near that no voxel moves.

    Parameters
    ----------
    shape, voxel_mm, origin_mm : see `Grid`
    axes : (3, 3), row a the unit vector (z, y, x) along axis a; made exactly orthogonal
    """
    dz, dy, dx = (float(v) for v in voxel_mm)
    z, y, x = (float(v) for v in origin_mm)
    turn = orthogonal(axes)
    extent = np.array(shape) * np.array([dz, dy, dx])
    if np.abs(extent @ np.abs(turn - np.eye(3))).max() <= SNAP_MM:
        return Grid(shape, (dz, dy, dx), (z, y, x))
    rows = [(float(row[0]), float(row[1]), float(row[2])) for row in turn]
    return Grid(shape, (dz, dy, dx), (z, y, x), (rows[0], rows[1], rows[2]))


def covering(corners_mm: NDArray[np.float64], sides: Vector) -> Grid:
    """Make an upright grid of voxels of given sides (z, y, x) that covers points (n, 3), with what is too much shared.

    Parameters
    ----------
    corners_mm : (z, y, x) [mm]
    sides : [mm]
    """
    shape, origin = [], []
    for side, low, high in zip(sides, corners_mm.min(axis=0).tolist(), corners_mm.max(axis=0).tolist(), strict=True):
        length = high - low
        count = max(1, math.ceil(length / side - 1e-9))
        shape.append(count)
        origin.append(low - 0.5 * (count * side - length) + 0.5 * side)
    return Grid((shape[0], shape[1], shape[2]), sides, (origin[0], origin[1], origin[2]))


def orthogonal(axes: ArrayLike) -> NDArray[np.float64]:
    """Return the orthogonal matrix that is nearest to a matrix (3, 3) (its polar factor)."""
    left, _, right = np.linalg.svd(np.asarray(axes, dtype=np.float64))
    return np.asarray(left @ right)


def coordinate(normal: ArrayLike) -> str:
    """Name the coordinate along a unit vector (z, y, x): that of an axis of the patient, or a distance along it."""
    vector = np.asarray(normal, dtype=np.float64)
    axis = int(vector.argmax())
    return "zyx"[axis] if vector[axis] > 1 - 1e-6 else "distance along the normal"


class Turned(NamedTuple):
    """How the axes of stored values are put in the order and sense of the patient's (z, y, x).

    `order` is the stored axis of each, `flips` which of these run against it; `grid` is that of the result.
    """

    grid: Grid
    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def values(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Put stored values in the order of the grid, C-contiguous."""
        sense = tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)
        return np.ascontiguousarray(np.transpose(stored, self.order)[sense])


def turned(
    shape: tuple[int, int, int], voxel_mm: Sequence[float], origin_mm: Sequence[float] | NDArray[Any], axes: ArrayLike
) -> Turned:
    """Find the order and sense of stored axes in which each lies as near as can be along one of the patient's.

    Nothing is interpolated: coronal and sagittal stacks become upright, oblique ones are turned by no more than they
    must. The result is a rotation, of mirrored axes too: a mirror has a trace of at most 1, the best order more.

    Parameters
    ----------
    shape : of the stored values
    voxel_mm : along the stored axes
    origin_mm : (z, y, x) of the first stored voxel
    axes : (3, 3), row a the unit vector (z, y, x) along stored axis a
    """
    rows = np.asarray(axes, dtype=np.float64)
    a, b, c = max(permutations(range(3)), key=lambda p: sum(abs(float(rows[p[k], k])) for k in range(3)))
    flips = bool(rows[a, 0] < 0), bool(rows[b, 1] < 0), bool(rows[c, 2] < 0)
    first = np.asarray(origin_mm, dtype=np.float64)
    for axis, flip in zip((a, b, c), flips, strict=True):
        first = first + (shape[axis] - 1) * float(voxel_mm[axis]) * rows[axis] if flip else first
    grid = placed(
        (shape[a], shape[b], shape[c]),
        (voxel_mm[a], voxel_mm[b], voxel_mm[c]),
        first,
        rows[[a, b, c]] * np.where(flips, -1.0, 1.0)[:, None],
    )
    return Turned(grid, (a, b, c), flips)
