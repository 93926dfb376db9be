"""What a set of contours must keep to, so that its area is what was meant and is found in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.io.contour_planes import Planes
from mcdose.io.polygon import edges_of, even_odd
from mcdose.io.quiet import LOGGER

MOST_STRUCTURES = 1000  # in a file
MOST_CONTOURS = 50_000  # of one structure
MOST_POINTS = 200_000  # in one plane of a structure
MOST_WORK = 1e10  # for crossings in a file, half a minute: each makes a face, which is compared with the plane's edges
FACE_EDGES = 10_000  # a face takes as long as so many comparisons
MOST_PAIRS = 1_000_000  # of contours of a plane whose boxes overlap, in a file: each pair is compared
SAME_POINT_MM = 1e-3  # contours whose points agree to this are the same
OVERLAP = 1e-3  # share of a plane's area in two contours at once that is worth a warning
PAIRS_AT_A_TIME = 2_000_000


def require_few(path: Path, structures: int, contours: dict[int, Any]) -> None:
    """Raise for more structures, or contours of one, than a patient has; `contours` are ROIContourSequence's items."""
    if structures > MOST_STRUCTURES:
        raise InputError(f"{path}: at most {MOST_STRUCTURES} structures are read, got {structures}")
    for number, item in contours.items():
        count = len(item.get("ContourSequence") or ())
        if count > MOST_CONTOURS:
            raise InputError(
                f"{path}: at most {MOST_CONTOURS} contours of a structure are read, ROI {number} has {count}"
            )


def coordinates(contour: Any) -> NDArray[np.float64]:
    """Return the numbers of ContourData, none where it is absent or not a list.

    Beyond 64 kB an element of explicit VR has VR UN (PS3.5 6.2.2), which pydicom leaves as bytes: 3000 points and more.
    """
    stored = contour.get("ContourData")
    if isinstance(stored, bytes):
        stored = stored.decode("ascii").rstrip(" \0").split("\\")
    return np.array([float(v) for v in (stored if isinstance(stored, Sequence) else ())])


def without_duplicates(path: Path, name: str, planes: Planes) -> Planes:
    """Leave out contours that another one of the plane repeats, with a warning.

    By the even-odd rule the two would enclose nothing. Where they start, which way they run and points given twice make
    no difference.

    Parameters
    ----------
    path, name : of the structure, for the warning
    planes : its contours
    """
    kept: dict[float, list[NDArray[np.float64]]] = {}
    dropped: list[float] = []
    for z, rings in planes.rings.items():
        unlike = {_key(ring): ring for ring in reversed(rings)}  # of equal ones the first
        kept[z] = list(reversed(unlike.values()))
        dropped += [z] * (len(rings) - len(unlike))
    if dropped:
        LOGGER.warning(
            "%s: structure %r has %d contours that are there twice, the first at %s; each counts once",
            path,
            name,
            len(dropped),
            planes.place(min(dropped)),
        )
    return planes._replace(rings=kept)


def _key(ring: NDArray[np.float64]) -> bytes:
    """Give rings with the same edges the same bytes."""
    edges = edges_of(np.rint(ring / SAME_POINT_MM).astype(np.int64))
    backwards = (edges[:, 0, 0] > edges[:, 1, 0]) | (
        (edges[:, 0, 0] == edges[:, 1, 0]) & (edges[:, 0, 1] > edges[:, 1, 1])
    )
    edges[backwards] = edges[backwards, ::-1]
    rows = edges.reshape(-1, 4)
    return bytes(rows[np.lexsort(rows.T)].tobytes())


class Work(NamedTuple):
    """What the structures of a file so far ask for.

    Crossings of outlines with themselves and one another, comparisons that these take, pairs of contours whose boxes
    overlap.
    """

    crossings: int = 0
    comparisons: float = 0.0
    pairs: int = 0


def require_plain(path: Path, name: str, planes: Planes, done: Work) -> Work:
    """Raise for outlines that take too long to be drawn; return the work up to and with this structure.

    Parameters
    ----------
    path, name, planes : as above
    done : the work of the structures before
    """
    import shapely

    crossings, comparisons, pairs = done
    for z, rings in planes.rings.items():
        points = sum(map(len, rings))
        if points > MOST_POINTS:
            raise InputError(
                f"{path}: structure {name!r} must have at most {MOST_POINTS} points in a plane, got {points} at "
                f"{planes.place(z)}"
            )
        if len(rings) == 1 and shapely.Polygon(rings[0]).is_valid:
            continue  # is_valid stops at the first crossing
        pairs += _pairs(rings)
        found = _crossings(rings, (MOST_WORK - comparisons) / (points + FACE_EDGES))
        crossings, comparisons = crossings + found, comparisons + found * (points + FACE_EDGES)
        if comparisons > MOST_WORK or pairs > MOST_PAIRS:
            raise InputError(
                f"{path}: contours must not cross or lie in one another so often that it takes minutes to draw them; "
                f"up to {name!r} at {planes.place(z)} there are {crossings} crossings or more, and {pairs} pairs"
            )
    return Work(crossings, comparisons, pairs)


def _pairs(rings: Sequence[NDArray[np.float64]]) -> int:
    """Count pairs of rings whose boxes overlap."""
    import shapely

    boxes = shapely.box(*np.array([[*ring.min(axis=0), *ring.max(axis=0)] for ring in rings]).T)
    return int(shapely.STRtree(boxes).query(boxes).shape[1] - len(rings)) // 2


def _crossings(rings: Sequence[NDArray[np.float64]], most: float) -> int:
    """Count pairs of edges that meet, but for those that follow one another; stop beyond `most`."""
    import shapely

    edges = np.concatenate([edges_of(ring) for ring in rings])
    if not len(edges):
        return 0
    lines = shapely.linestrings(edges)
    tree = shapely.STRtree(lines)
    found, at_a_time = 0, max(PAIRS_AT_A_TIME // len(lines), 1)
    for first in range(0, len(lines), at_a_time):
        one, other = tree.query(lines[first : first + at_a_time], predicate="intersects")
        one = one + first
        found += int(np.count_nonzero((other > one) & (edges[one, 1] != edges[other, 0]).any(axis=1)))
        if found - len(rings) > most:  # the last edge of a ring meets its first
            break
    return max(found - len(rings), 0)


def warn_of_overlap(path: Path, name: str, planes: Planes) -> None:
    """Warn where contours cross one another, so that what is in both is left out as holes are.

    A contour that lies within another is a hole, and those that touch share nothing: of neither is there a warning.
    """
    import shapely

    worst_mm2, worst_z = 0.0, 0.0
    for z, rings in planes.rings.items():
        if len(rings) < 2:
            continue
        areas = np.array([even_odd([ring]) for ring in rings])
        one, other = (areas[index] for index in shapely.STRtree(areas).query(areas, predicate="overlaps"))  # both ways
        shared = shapely.area(shapely.intersection(one, other))
        own = np.minimum(shapely.area(one), shapely.area(other)) - shared  # of a hole or a neighbour: nearly nothing
        shared = float(shared[np.minimum(shared, own) > OVERLAP * shapely.area(areas).sum()].sum()) / 2
        if shared > worst_mm2:
            worst_mm2, worst_z = shared, z
    if worst_mm2:
        LOGGER.warning(
            "%s: contours of structure %r cross one another, most at %s: the %.1f mm2 that lie in two of them "
            "count as a hole",
            path,
            name,
            planes.place(worst_z),
            worst_mm2,
        )
