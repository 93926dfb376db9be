"""Structures drawn as contours (RTSTRUCT) as coverage of the voxels of a grid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Grid
from mcdose.io.damage import FURTHEST_MM
from mcdose.io.outlines import Work, coordinates, require_few, require_plain, warn_of_overlap, without_duplicates
from mcdose.io.polygon import cell_areas, even_odd
from mcdose.io.quiet import LOGGER
from mcdose.resample import overlap_matrix

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
SAME_PLANE_MM = 0.01  # contours at z this close lie in one plane; one contour may be as uneven as that
GAP = 1.5  # planes further apart than this times the usual distance are not joined


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
    drawn: list[tuple[int, str, dict[float, list[NDArray[np.float64]]]]] = []
    structures = _numbered(path, header.get("StructureSetROISequence"), "ROINumber")
    require_few(path, len(structures), contours)
    work = Work()
    nameless = sorted(set(contours) - set(structures))
    if nameless:
        raise InputError(f"{path}: contours of structures {nameless} that StructureSetROISequence does not list")
    for number, roi in structures.items():
        name = str(roi.get("ROIName") or f"ROI {number}")
        planes = without_duplicates(path, name, _planes(path, name, contours.get(number)))
        work = require_plain(path, name, planes, work)
        warn_of_overlap(path, name, planes)
        if planes:
            drawn.append((number, name, planes))
        else:
            LOGGER.warning("%s: structure %r has no closed contour and is left out", path, name)
    spacings = [d for _, _, planes in drawn for d in np.diff(sorted(planes)).tolist()]
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


def _planes(path: Path, name: str, roi: Any) -> dict[float, list[NDArray[np.float64]]]:
    """Collect closed contours (n, 2) of (x, y) [mm] by the z of their plane."""
    planes: defaultdict[float, list[NDArray[np.float64]]] = defaultdict(list)
    for contour in (roi.get("ContourSequence") if roi is not None else None) or ():
        kind = str(contour.get("ContourGeometricType", ""))
        if kind not in CLOSED:
            LOGGER.info("%s: a %s contour of %r is left out", path, kind, name)
            continue
        points = _points(path, name, contour)
        if np.ptp(points[:, 2]) > SAME_PLANE_MM:
            raise InputError(
                f"{path}: a contour of structure {name!r} is not axial: its z goes from {points[:, 2].min():.2f} to "
                f"{points[:, 2].max():.2f} mm"
            )
        if len(points) < 3:
            LOGGER.info("%s: a contour of %r with %d points encloses nothing", path, name, len(points))
            continue
        z = float(points[0, 2])
        z = next((known for known in planes if abs(known - z) <= SAME_PLANE_MM), z)
        planes[z].append(points[:, :2])
    return dict(planes)


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


def _draw(
    path: Path, name: str, planes: dict[float, list[NDArray[np.float64]]], usual: float | None, grid: Grid
) -> Drawn:
    z = np.array(sorted(planes))
    if len(z) == 1 and usual is None:
        raise InputError(f"{path}: structure {name!r} has one contour plane only, so its thickness is unknown")
    bounds = slabs(z, usual)
    gaps = np.flatnonzero(bounds[1:, 0] - bounds[:-1, 1] > SAME_PLANE_MM)
    if len(gaps):
        k = int(gaps[0])
        LOGGER.warning(
            "%s: structure %r has no contour between z = %.2f and %.2f mm; taken as separate parts",
            path,
            name,
            z[k],
            z[k + 1],
        )
    coverage = np.zeros(grid.shape, dtype=np.float32)
    volume = 0.0
    for plane, (bottom, top) in zip(z, bounds, strict=True):
        area = even_odd(planes[float(plane)])
        volume += area.area * (top - bottom) / 1000.0
        share = overlap_matrix(np.array([bottom, top]), grid.edges_mm(0)) / grid.voxel_mm[0]
        rows = share.tocoo()
        if rows.nnz == 0 or area.is_empty:
            continue
        window = _window(area.bounds, grid)
        if window is None:
            continue
        y, x = window
        part = cell_areas(area, grid.edges_mm(2)[x.start : x.stop + 1], grid.edges_mm(1)[y.start : y.stop + 1])
        for layer, weight in zip(rows.row, rows.data, strict=True):
            coverage[layer, y, x] += weight * part
    return Drawn(name, clipped(coverage), volume)


def clipped(coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring back what rounding left beyond 0 and 1, in place; empty layers, which take no memory yet, stay so."""
    for layer in coverage:
        if layer.any():
            np.clip(layer, 0.0, 1.0, out=layer)
    return coverage


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
