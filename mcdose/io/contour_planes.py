"""The planes that the contours of a structure lie in, which need not be axial."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import UPRIGHT, Direction, coordinate, orthogonal

SAME_PLANE_MM = 0.01  # contours this close lie in one plane; one contour may be as uneven as that
UNEVEN_MM = 0.1  # as uneven as that in planes that are not axial: coordinates are rounded along all axes


class Planes(NamedTuple):
    """Contours by plane.

    `direction` has the unit vectors (z, y, x) along the normal and the two axes in the plane; `rings` are (n, 2), along
    the last and the middle of these [mm], by their place along the normal [mm].
    """

    direction: Direction
    rings: dict[float, list[NDArray[np.float64]]]

    def place(self, along: float) -> str:
        """Say where a plane is, for a message; `along` is its place along the normal [mm]."""
        return f"{coordinate(self.direction[0])} = {along:.2f} mm"


def planes_of(path: Path, name: str, rings: Sequence[NDArray[np.float64]], wanted: Direction) -> Planes:
    """Find the planes of a structure's contours, which must be parallel.

    Parameters
    ----------
    path, name : of the structure, to name in errors
    rings : closed contours, (n, 3) as (z, y, x) [mm]
    wanted : axes of the grid that they are to be drawn on, which are taken if the contours lie in its planes
    """
    found = None
    for direction, tolerance in ((UPRIGHT, SAME_PLANE_MM), (wanted, UNEVEN_MM), (_fitted(rings), UNEVEN_MM)):
        uneven = _unevenness(rings, direction)
        if uneven <= tolerance:
            found = direction, tolerance
            break
    if found is None:
        raise InputError(
            f"{path}: the contours of structure {name!r} must lie in parallel planes, they are up to {uneven:.2f} mm "
            "off those of the largest"
        )
    planes: defaultdict[float, list[NDArray[np.float64]]] = defaultdict(list)
    for ring in rings:
        own = ring @ np.array(found[0]).T
        place = float(own[0, 0] if found[0] == UPRIGHT else own[:, 0].mean())
        place = next((known for known in planes if abs(known - place) <= found[1]), place)
        planes[place].append(own[:, :0:-1])
    return Planes(found[0], dict(planes))


def _unevenness(rings: Sequence[NDArray[np.float64]], direction: Direction) -> float:
    """Largest extent of a contour along the normal [mm]."""
    return max(float(np.ptp(ring @ np.array(direction[0]))) for ring in rings)


def _fitted(rings: Sequence[NDArray[np.float64]]) -> Direction:
    """Return the axes of the plane of the largest contour: least squares."""
    largest = max(rings, key=lambda ring: float(np.ptp(ring, axis=0).sum()))
    _, _, axes = np.linalg.svd(largest - largest.mean(axis=0), full_matrices=True)
    rows = orthogonal(axes[::-1])
    rows[0] *= np.sign(rows[0][np.abs(rows[0]).argmax()])
    v, u, n = rows[1], rows[2], rows[0]
    return tuple(map(float, n)), tuple(map(float, v)), tuple(map(float, u))  # type: ignore[return-value]
