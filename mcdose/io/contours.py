"""Structures drawn as contours (RTSTRUCT) as coverage of the voxels of a grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Direction, Grid, placed
from mcdose.io.contour_planes import SAME_PLANE_MM, Planes, planes_of
from mcdose.io.damage import FURTHEST_MM
from mcdose.io.outlines import Work, coordinates, require_few, require_plain, warn_of_overlap, without_duplicates
from mcdose.io.polygon import cell_areas, even_odd
from mcdose.io.quiet import LOGGER
from mcdose.resample import clipped, covered, overlap_matrix

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
GAP = 1.5  # planes further apart than this times the usual distance are not joined
MOST_FINE = 64_000_000  # voxels of a grid that a structure is drawn on before it is turned


class Drawn(NamedTuple):
    """A structure on a grid.

    Name, coverage of each voxel (float32, 0 to 1), volume [mL] of the whole structure, and ROI number, of an RTSTRUCT.
    """

    name: str
    coverage: NDArray[np.float32]
    volume_ml: float
    number: int | None = None


def read_contours(path: Path, header: Any, grid: Grid) -> Iterator[Drawn]:
    """Draw each structure of an RTSTRUCT; those without a closed contour are left out with a warning."""
    contours = _numbered(path, header.get("ROIContourSequence"), "ReferencedROINumber")
    drawn: list[tuple[int, str, Planes]] = []
    structures = _numbered(path, header.get("StructureSetROISequence"), "ROINumber")
    require_few(path, len(structures), contours)
    work = Work()
    nameless = sorted(set(contours) - set(structures))
    if nameless:
        raise InputError(f"{path}: contours of structures {nameless} that StructureSetROISequence does not list")
    for number, roi in structures.items():
        name = str(roi.get("ROIName") or f"ROI {number}")
        rings = _rings(path, name, contours.get(number))
        if rings:
            planes = planes_of(path, name, rings, grid.direction)
            planes = without_duplicates(path, name, planes)
            work = require_plain(path, name, planes, work)
            warn_of_overlap(path, name, planes)
            drawn.append((number, name, planes))
        else:
            LOGGER.warning("%s: structure %r has no closed contour and is left out", path, name)
    spacings = [d for _, _, planes in drawn for d in np.diff(sorted(planes.rings)).tolist()]
    usual = float(np.median(spacings)) if spacings else None
    for number, name, planes in drawn:
        yield _draw(path, name, planes, usual, grid)._replace(number=number)


def _numbered(path: Path, sequence: Any, keyword: str) -> dict[int, Any]:
    """Return the items of a sequence by their number, which must be their own."""
    items = [(int(item[keyword].value), item) for item in sequence or ()]
    numbered = dict(items)
    if len(numbered) < len(items):
        raise InputError(f"{path}: each structure must have its own {keyword}, got {[number for number, _ in items]}")
    return numbered


def _rings(path: Path, name: str, roi: Any) -> list[NDArray[np.float64]]:
    """Collect the closed contours of a structure, (n, 3) as (z, y, x) [mm]."""
    rings = []
    for contour in (roi.get("ContourSequence") if roi is not None else None) or ():
        kind = str(contour.get("ContourGeometricType", ""))
        if kind not in CLOSED:
            LOGGER.info("%s: a %s contour of %r is left out", path, kind, name)
            continue
        points = _points(path, name, contour)
        if len(points) < 3:
            LOGGER.info("%s: a contour of %r with %d points encloses nothing", path, name, len(points))
            continue
        rings.append(points[:, ::-1])
    return rings


def _points(path: Path, name: str, contour: Any) -> NDArray[np.float64]:
    """Return the points (n, 3) of a contour [mm]."""
    values = coordinates(contour)
    stated = int(contour.get("NumberOfContourPoints") or 0)
    if not len(values) or len(values) % 3 or stated not in (0, len(values) // 3):
        raise InputError(
            f"{path}: a contour of structure {name!r} must have three coordinates for each of its {stated} points, "
            f"got {len(values)} numbers"
        )
    if not np.isfinite(values).all():
        raise InputError(f"{path}: a contour of structure {name!r} has a coordinate that is not a number")
    if np.abs(values).max() > FURTHEST_MM:
        raise InputError(
            f"{path}: a contour of structure {name!r} must lie within {FURTHEST_MM:g} mm, "
            f"got {np.abs(values).max():g} mm"
        )
    return values.reshape(-1, 3)


def slabs(z: NDArray[np.float64], usual: float | None) -> NDArray[np.float64]:
    """Bottom and top of the slab that each contour plane stands for, shape (n, 2) [mm].

    A plane reaches half way to its neighbours, and as far at the ends. Planes further apart than 1.5 times the usual
    distance are parts with a gap between them, and each ends half the usual distance beyond its plane.

    Parameters
    ----------
    z : (n,), ascending [mm]
    usual : distance of planes for a structure with one plane [mm]; others take the median of their own
    """
    gaps = np.diff(z)
    half = 0.5 * (float(np.median(gaps)) if len(gaps) else usual or 0.0)
    reach = np.concatenate([[half], np.where(gaps > 2 * GAP * half, half, 0.5 * gaps), [half]])
    return np.stack([z - reach[:-1], z + reach[1:]], axis=1)


def _draw(path: Path, name: str, planes: Planes, usual: float | None, grid: Grid) -> Drawn:
    z = np.array(sorted(planes.rings))
    if len(z) == 1 and usual is None:
        raise InputError(f"{path}: structure {name!r} has one contour plane only, so its thickness is unknown")
    bounds = slabs(z, usual)
    gaps = np.flatnonzero(bounds[1:, 0] - bounds[:-1, 1] > SAME_PLANE_MM)
    if len(gaps):
        k = int(gaps[0])
        LOGGER.warning(
            "%s: structure %r has no contour between %s and %.2f mm; taken as separate parts",
            path,
            name,
            planes.place(z[k]).removesuffix(" mm"),
            z[k + 1],
        )
    areas = [even_odd(planes.rings[float(plane)]) for plane in z]
    volume_ml = sum(area.area * (top - bottom) for area, (bottom, top) in zip(areas, bounds, strict=True)) / 1000.0
    if planes.direction == grid.direction:
        coverage = _coverage(areas, bounds, grid)
    else:
        fine = _fine_grid(areas, bounds, planes.direction, grid)
        coverage = (
            np.zeros(grid.shape, np.float32) if fine is None else covered(_coverage(areas, bounds, fine), fine, grid)
        )
    return Drawn(name, coverage, volume_ml)


def _coverage(areas: Sequence[Any], bounds: NDArray[np.float64], grid: Grid) -> NDArray[np.float32]:
    """Coverage of the voxels of a grid whose first axis is the normal of the planes.

    Parameters
    ----------
    areas : shapely geometry of each plane
    bounds : (planes, 2), from where to where each reaches along the normal [mm]
    """
    coverage = np.zeros(grid.shape, dtype=np.float32)
    for area, (bottom, top) in zip(areas, bounds, strict=True):
        rows = (overlap_matrix(np.array([bottom, top]), grid.edges_mm(0)) / grid.voxel_mm[0]).tocoo()
        if rows.nnz == 0 or area.is_empty:
            continue
        window = _window(area.bounds, grid)
        if window is None:
            continue
        y, x = window
        part = cell_areas(area, grid.edges_mm(2)[x.start : x.stop + 1], grid.edges_mm(1)[y.start : y.stop + 1])
        for layer, weight in zip(rows.row, rows.data, strict=True):
            coverage[layer, y, x] += weight * part
    return clipped(coverage)


def _fine_grid(areas: Sequence[Any], bounds: NDArray[np.float64], direction: Direction, grid: Grid) -> Grid | None:
    """Make a grid along planes that are turned against another grid, twice as fine; None where they do not meet."""
    boxes = np.array([area.bounds for area in areas if not area.is_empty])
    if not len(boxes):
        return None
    corners = grid.corners_mm() @ np.array(direction).T
    low = np.maximum([bounds.min(), boxes[:, 1].min(), boxes[:, 0].min()], corners.min(axis=0))
    high = np.minimum([bounds.max(), boxes[:, 3].max(), boxes[:, 2].max()], corners.max(axis=0))
    if not (high > low).all():
        return None
    side = max(0.5 * min(grid.voxel_mm), float(np.prod(high - low) / MOST_FINE) ** (1 / 3))
    counts = np.maximum(1, np.ceil((high - low) / side)).astype(int)
    return placed(
        (int(counts[0]), int(counts[1]), int(counts[2])),
        (high - low) / counts,
        (low + 0.5 * (high - low) / counts) @ np.array(direction),
        direction,
    )


def _window(bounds: tuple[float, float, float, float], grid: Grid) -> tuple[slice, slice] | None:
    """Rows and columns of the grid that a box (x0, y0, x1, y1) [mm] touches, None for none."""
    x0, y0, x1, y1 = bounds
    found = []
    for axis, low, high in ((1, y0, y1), (2, x0, x1)):
        edge, size, count = grid.edges_mm(axis)[0], grid.voxel_mm[axis], grid.shape[axis]
        first = max(int(np.floor((low - edge) / size)), 0)
        last = min(int(np.floor((high - edge) / size)), count - 1)
        if first > last:
            return None
        found.append(slice(first, last + 1))
    return found[0], found[1]
