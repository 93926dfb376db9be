"""Exact areas of polygons in the cells of a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def even_odd(rings: Sequence[NDArray[np.float64]]) -> Any:
    """Area that lies inside an odd number of closed rings, as a shapely geometry.

    A ring within another is a hole, one within that an island. A ring that crosses itself counts by the same rule.

    Parameters
    ----------
    rings : each of shape (n, 2), (x, y), the last point joined to the first
    """
    import shapely

    area = shapely.Polygon()
    for ring in rings:
        part = shapely.Polygon(ring)
        if not part.is_valid:
            part = shapely.make_valid(part)  # its "linework" method keeps what is inside an odd number of turns
        area = area.symmetric_difference(part)
    return area


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
        _accumulate(cover, *_cut(np.concatenate(starts), np.concatenate(ends), nx, ny))
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
