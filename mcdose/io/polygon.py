"""Exact areas of polygons in the cells of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_PIECES = 1_000_000  # of cut outlines at a time: memory


def edges_of(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Edges of a closed ring, shape (n, 2, 2), those of no length left out."""
    edges = np.stack([ring, np.roll(ring, -1, axis=0)], axis=1)
    return np.asarray(edges[(edges[:, 0] != edges[:, 1]).any(axis=1)])


def even_odd(rings: Sequence[NDArray[np.float64]]) -> Any:
    """Area that lies inside an odd number of closed rings, as a shapely geometry.

    A ring within another is a hole, one within that an island. A ring that crosses itself counts by the same rule. An
    edge that is gone along twice, as of a key-hole, bounds nothing.

    Parameters
    ----------
    rings : each of shape (n, 2), (x, y), the last point joined to the first
    """
    import shapely

    parts = [shapely.Polygon(ring) for ring in rings] or [shapely.Polygon()]
    parts = [part if part.is_valid else _odd_faces(ring) for part, ring in zip(parts, rings, strict=False)] or parts
    while len(parts) > 1:  # in pairs: one after the other costs the square of their number
        last = parts[-1:] if len(parts) % 2 else []
        parts = [one.symmetric_difference(other) for one, other in zip(parts[::2], parts[1::2], strict=False)] + last
    return parts[0]


def _odd_faces(ring: NDArray[np.float64]) -> Any:
    """Join the faces that a ring cuts the plane into and that an odd number of its turns enclose.

    `shapely.make_valid` is not used: where edges coincide, it does not count the turns.
    """
    import shapely

    edges = edges_of(ring)
    lines = shapely.union_all(shapely.linestrings(edges))  # cut where they meet, each piece once
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    within = shapely.get_coordinates(shapely.point_on_surface(faces))
    return shapely.coverage_union_all(faces[_inside(within, edges)])


def _inside(points: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a ray from each point (n, 2) towards +x meets an odd number of edges (m, 2, 2)."""
    found = np.zeros(len(points), dtype=bool)
    (x0, y0), (x1, y1) = edges[:, 0].T, edges[:, 1].T
    for k, (x, y) in enumerate(points):
        met = (y0 > y) != (y1 > y)
        at = x0[met] + (y - y0[met]) * (x1[met] - x0[met]) / (y1[met] - y0[met])
        found[k] = np.count_nonzero(at > x) % 2
    return found


def cell_areas(area: Any, x_edges: NDArray[np.float64], y_edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of each cell that a shapely area covers, shape (ny, nx), exact up to rounding.

    Green's theorem cell by cell, as renderers of fonts do it: outlines, counter-clockwise around the area and clockwise
    around holes, are cut at all grid lines; a piece that rises by h adds h times its mean distance to the right edge
    of its own cell, and h times the full width to every cell further right.

    Parameters
    ----------
    area : Polygon, MultiPolygon or collection with such
    x_edges, y_edges : (nx + 1,), (ny + 1,), evenly spaced
    """
    import shapely
    from shapely.geometry.polygon import orient

    nx, ny = len(x_edges) - 1, len(y_edges) - 1
    scale = np.array([nx / (x_edges[-1] - x_edges[0]), ny / (y_edges[-1] - y_edges[0])])
    corner = np.array([x_edges[0], y_edges[0]])
    cover = np.zeros((ny, nx + 2))
    starts, ends = [], []
    for part in shapely.get_parts(area):
        if part.geom_type != "Polygon" or part.is_empty:
            continue  # a touching point or line left by an intersection
        polygon = orient(part)
        for ring in (polygon.exterior, *polygon.interiors):
            points = (shapely.get_coordinates(ring) - corner) * scale
            starts.append(points[:-1])
            ends.append(points[1:])
    if starts:
        start, end = np.concatenate(starts), np.concatenate(ends)
        lines = np.minimum(np.abs(end - start), (nx, ny)).sum(axis=1)  # that an edge is cut at, nearly
        parts = (np.cumsum(lines) // MOST_PIECES).astype(int)
        for first, last in pairwise([0, *(np.flatnonzero(np.diff(parts)) + 1).tolist(), len(start)]):
            _accumulate(cover, *_cut(start[first:last], end[first:last], nx, ny))
    return np.clip(np.cumsum(cover, axis=1)[:, :nx], 0.0, 1.0)


def _cut(
    start: NDArray[np.float64], end: NDArray[np.float64], nx: int, ny: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cut edges, given in units of cells, at the grid lines 0..nx and 0..ny."""
    edge, where = [np.arange(len(start)).repeat(2)], [np.tile([0.0, 1.0], len(start))]
    for axis, last in ((0, nx), (1, ny)):
        low, high = np.minimum(start[:, axis], end[:, axis]), np.maximum(start[:, axis], end[:, axis])
        first_line = np.clip(np.floor(low) + 1, 0, last + 1).astype(int)
        end_line = np.clip(np.ceil(high), 0, last + 1).astype(int)  # lines strictly inside the edge
        count = np.maximum(end_line - first_line, 0)
        which = np.arange(len(start)).repeat(count)
        line = np.arange(count.sum()) - (np.cumsum(count) - count).repeat(count) + first_line[which]
        edge.append(which)
        where.append((line - start[which, axis]) / (end[which, axis] - start[which, axis]))
    edges, at = np.concatenate(edge), np.clip(np.concatenate(where), 0.0, 1.0)
    order = np.lexsort((at, edges))
    edges, at = edges[order], at[order]
    points = start[edges] + at[:, None] * (end[edges] - start[edges])
    same = edges[1:] == edges[:-1]
    return points[:-1][same], points[1:][same]


def _accumulate(cover: NDArray[np.float64], start: NDArray[np.float64], end: NDArray[np.float64]) -> None:
    """Add pieces that cross no grid line; pieces above, below and right of the grid have no cell."""
    ny, nx = cover.shape[0], cover.shape[1] - 2
    middle = 0.5 * (start + end)
    middle[:, 0] = np.maximum(middle[:, 0], 0.0)  # left of the grid: all cells are to the right
    inside = (middle[:, 1] > 0) & (middle[:, 1] < ny) & (middle[:, 0] < nx)
    middle, rise = middle[inside], (start - end)[inside, 1]
    row, column = middle[:, 1].astype(int), middle[:, 0].astype(int)
    left_out = middle[:, 0] - column
    np.add.at(cover, (row, column), rise * (1.0 - left_out))
    np.add.at(cover, (row, column + 1), rise * left_out)
