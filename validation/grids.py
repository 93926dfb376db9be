"""Grids with one hot voxel and the sets of voxels that symmetry makes equal."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Index = tuple[int, int, int]


def hot_voxel(shape: Index, where: Index, decays: float = 1e6) -> NDArray[np.float64]:
    """Return a map of time-integrated activity [Bq s] with all decays in one voxel; 1e6 make mGy an S value."""
    tia = np.zeros(shape)
    tia[where] = decays
    return tia


def mask(shape: Index, voxels: Iterable[Index]) -> NDArray[np.bool_]:
    """Return the mask of a set of voxels."""
    chosen = np.zeros(shape, bool)
    for voxel in voxels:
        chosen[voxel] = True
    return chosen


def cubic(offset: Index) -> set[Index]:
    """Return the offsets equal to one by the symmetry of the cube: up to 48."""
    return {
        (z * signs[0], y * signs[1], x * signs[2])
        for z, y, x in itertools.permutations(offset)
        for signs in itertools.product((1, -1), repeat=3)
    }


def mirrored(offset: Index) -> set[Index]:
    """Return the offsets equal to one by reflection in the three planes: up to 8."""
    return {tuple(a * s for a, s in zip(offset, signs, strict=True)) for signs in itertools.product((1, -1), repeat=3)}  # type: ignore[misc]


def square(i: int, j: int) -> set[tuple[int, int]]:
    """Return the (y, x) offsets equal to (i, j) by the symmetry of the square: up to 8."""
    return {(a * s, b * t) for a, b in ((i, j), (j, i)) for s in (1, -1) for t in (1, -1)}


def shifted(centre: Index, offsets: Iterable[Index]) -> list[Index]:
    """Return the voxels at the offsets from a centre."""
    return [(centre[0] + z, centre[1] + y, centre[2] + x) for z, y, x in offsets]
