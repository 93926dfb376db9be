"""Moving images from one grid to another by the overlap of their voxels.

Voxels are boxes. Those of two grids with the same axes overlap by the product of three overlaps of intervals, and a
volume is resampled one axis after the other with a sparse matrix for each. Planes of the source are made when the
target needs them and dropped after: the memory beside the result is a few planes. Grids that are turned against each
other: `mcdose.oblique_overlap`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Grid, Volume, covering

if TYPE_CHECKING:
    from mcdose.oblique_overlap import Collected

TOLERATED_OUTSIDE = 0.01  # share of the activity that may lie outside the CT
SLIVER_MM = 1e-9  # what is shorter is a rounding error in the edges


class Conserved(NamedTuple):
    """An extensive quantity on a new grid, and how much of it lies outside that grid.

    `volume.values` is float64; `volume.values.sum() + outside` is the sum of the source.
    """

    volume: Volume
    outside: float


def overlap_matrix(source_edges: NDArray[np.float64], target_edges: NDArray[np.float64]) -> Any:
    """Lengths that the cells of two axes have in common.

    Parameters
    ----------
    source_edges : (n + 1,), increasing [mm]
    target_edges : (m + 1,), increasing [mm]

    Returns
    -------
    scipy.sparse.csr_array, shape (m, n) [mm]
    """
    from scipy.sparse import csr_array

    # All edges together cut the line into pieces, each of which lies in at most one cell of either axis.
    edges = np.union1d(source_edges, target_edges)
    middle = 0.5 * (edges[:-1] + edges[1:])
    row = np.searchsorted(target_edges, middle) - 1
    column = np.searchsorted(source_edges, middle) - 1
    shape = (len(target_edges) - 1, len(source_edges) - 1)
    length = np.diff(edges)
    common = (length > SLIVER_MM) & (row >= 0) & (row < shape[0]) & (column >= 0) & (column < shape[1])
    return csr_array((length[common], (row[common], column[common])), shape=shape)


def conserve(volume: Volume, grid: Grid) -> Conserved:
    """Resample an extensive quantity, such as activity in Bq per voxel.

    The content of each source voxel is spread evenly over it and collected by overlap, in float64.

    Raises
    ------
    InputError
        If the grids have no volume in common.
    ValueError
        If a value is not finite (with the count), or the values do not have the shape of their grid.
    """
    values = _checked(volume)
    _require_overlap("source", volume.grid, "target", grid)
    if volume.grid.direction != grid.direction:
        collected = _collected(values, volume.grid, grid)
        return Conserved(Volume(collected.values, grid), collected.outside)
    matrices = [matrix / volume.grid.voxel_mm[axis] for axis, matrix in enumerate(_overlaps(volume.grid, grid))]
    target = np.zeros(grid.shape, dtype=np.float64)
    for z, plane in _planes(values, matrices):
        target[z] = plane
    return Conserved(Volume(target, grid), _outside(values, volume.grid, grid))


def onto(volume: Volume, grid: Grid) -> NDArray[np.float64]:
    """Give an extensive quantity on a grid: its own values where that is its own grid, else by `conserve`."""
    return np.asarray(volume.values if volume.grid == grid else conserve(volume, grid).volume.values, dtype=np.float64)


def average(
    volume: Volume, grid: Grid, outside: float, of: Callable[[NDArray[Any]], NDArray[Any]] | None = None
) -> Volume:
    """Resample an intensive quantity, such as density, to its mean over each target voxel.

    Parameters
    ----------
    volume : source
    grid : target
    outside : value of the space that the source does not cover, such as the density of air
    of : what is averaged, of the values, such as the density of CT numbers; applied to few planes at once

    Returns
    -------
    Volume
        float32.

    Raises
    ------
    InputError
        If the grids have no volume in common.
    ValueError
        If a value is not finite (with the count), or the values do not have the shape of their grid.
    """
    values = _checked(volume)
    _require_overlap("source", volume.grid, "target", grid)
    if volume.grid.direction != grid.direction:
        return _turned_average(values, volume.grid, grid, outside, of)
    matrices = [matrix / grid.voxel_mm[axis] for axis, matrix in enumerate(_overlaps(volume.grid, grid))]
    covered_z, covered_y, covered_x = (_shares(matrix.sum(axis=1)) for matrix in matrices)
    covered_yx = np.outer(covered_y, covered_x)
    target = np.zeros(grid.shape, dtype=np.float32)  # which takes no memory where nothing is put
    if outside != 0.0:
        target[:] = outside
    for z, plane in _planes(values, matrices, of):
        target[z] = plane + (1.0 - covered_z[z] * covered_yx) * outside
    return Volume(target, grid)


def covered(shares: NDArray[Any], source: Grid, grid: Grid) -> NDArray[np.float32]:
    """Resample the coverage of voxels, 0 to 1, such as a structure's; there is nothing beyond the source.

    Parameters
    ----------
    shares : shape of the source
    source, grid : which need not overlap

    Returns
    -------
    coverage, shape of the grid
    """
    if not meet(source, grid):
        return np.zeros(grid.shape, dtype=np.float32)
    if source.direction != grid.direction:  # with an empty rim, so that no voxel of the grid reaches beyond
        rim = [math.ceil(math.hypot(*grid.voxel_mm) / side) for side in source.voxel_mm]
        first = source.position_mm([-n for n in rim])
        nz, ny, nx = (size + 2 * n for size, n in zip(source.shape, rim, strict=True))
        origin = float(first[0]), float(first[1]), float(first[2])
        source = replace(source, shape=(nz, ny, nx), origin_mm=origin)
        shares = np.pad(shares, [(n, n) for n in rim])
    return clipped(average(Volume(shares, source), grid, 0.0).values)


def clipped(coverage: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring back what rounding left beyond 0 and 1, in place; empty layers, which take no memory yet, stay so."""
    for layer in coverage:
        if layer.any():
            np.clip(layer, 0.0, 1.0, out=layer)
    return coverage


def outside_fraction(volume: Volume, grid: Grid) -> float:
    """Share of an extensive quantity, such as activity, that lies outside another grid.

    Raises
    ------
    ValueError
        If the quantity does not sum to more than zero.
    """
    values = _checked(volume)
    total = float(values.sum(dtype=np.float64))
    if total <= 0.0:
        raise ValueError(f"activity must sum to more than 0, got {total}")
    return _outside(values, volume.grid, grid) / total


def require_coverage(activity: Volume, ct: Grid) -> str | None:
    """Refuse an activity of which more than 1 % lies outside the CT.

    Returns
    -------
    str or None
        A warning with the figure when some, but no more than 1 %, lies outside.

    Raises
    ------
    InputError
        If the grids have no volume in common, or more than 1 % of the activity is outside.
    """
    _require_overlap("activity", activity.grid, "CT", ct)
    fraction = outside_fraction(activity, ct)
    if fraction > TOLERATED_OUTSIDE:
        raise InputError(
            f"at most {TOLERATED_OUTSIDE:.0%} of the activity may lie outside the CT, got {100 * fraction:.2f} %: "
            f"activity {_extent(activity.grid)}, CT {_extent(ct)}"
        )
    if fraction > 0.0:
        return f"{100 * fraction:.2g} % of the activity lies outside the CT, where there is taken to be air"
    return None


def _checked(volume: Volume) -> NDArray[Any]:
    if volume.values.shape != volume.grid.shape:
        raise ValueError(f"values must have the shape of their grid {volume.grid.shape}, got {volume.values.shape}")
    count = sum(int(np.count_nonzero(~np.isfinite(plane))) for plane in volume.values)
    if count:
        raise ValueError(f"values must be finite, got {count} of {volume.values.size} that are NaN or infinite")
    return volume.values


def _overlaps(source: Grid, target: Grid) -> list[Any]:
    return [overlap_matrix(source.edges_mm(axis), target.edges_mm(axis)) for axis in range(3)]


def _shares(sums: Any) -> NDArray[np.float64]:
    """Make sums of a matrix shares of a cell: exactly 1 where a cell is covered."""
    shares = np.asarray(sums, dtype=np.float64)
    return np.where(np.abs(shares - 1.0) < 1e-9, 1.0, shares)


def _planes(
    values: NDArray[Any], matrices: list[Any], of: Callable[[NDArray[Any]], NDArray[Any]] | None = None
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Planes of the target that the source reaches, in ascending order."""
    along_z, along_y, along_x = matrices
    ready: dict[int, NDArray[np.float64]] = {}
    for z in range(along_z.shape[0]):
        entries = slice(along_z.indptr[z], along_z.indptr[z + 1])
        sources, weights = along_z.indices[entries].tolist(), along_z.data[entries]
        ready = {source: ready[source] for source in sources if source in ready}
        for source in sources:
            if source not in ready:
                plane = values[source] if of is None else of(values[source])
                ready[source] = (along_x @ (along_y @ plane.astype(np.float64)).T).T
        if sources:
            plane = np.zeros((along_y.shape[0], along_x.shape[0]))
            for weight, source in zip(weights, sources, strict=True):
                plane += weight * ready[source]
            yield z, plane


def _collected(values: NDArray[Any], source: Grid, target: Grid) -> Collected:
    from mcdose.oblique_overlap import collect, index_matrix

    return collect(values, index_matrix(source, target), target.shape)


def _turned_average(
    values: NDArray[Any],
    source: Grid,
    target: Grid,
    outside: float,
    of: Callable[[NDArray[Any]], NDArray[Any]] | None,
) -> Volume:
    """Average over voxels that are turned against the source's, `outside` where it does not reach."""
    from mcdose.oblique_overlap import COARSE, collect, index_matrix

    collected = collect(values, index_matrix(source, target), target.shape, cover=True, part=COARSE, of=of)
    cover = np.where(_within(source, target), 1.0, np.minimum(collected.cover, 1.0))
    ratio = source.voxel_ml / target.voxel_ml
    mean = np.divide(collected.values * ratio, collected.cover, out=np.zeros(target.shape), where=cover > 0)
    return Volume((mean * cover + (1.0 - cover) * outside).astype(np.float32), target)


def transformed(volume: Volume, matrix: NDArray[np.float64]) -> Volume:
    """Move an extensive quantity by an affine transform, which may scale and shear, to an upright grid.

    Parameters
    ----------
    volume : source
    matrix : (4, 4), takes points (x, y, z, 1) in LPS [mm] to points

    Returns
    -------
    Volume
        float64; voxels of the same size, on a grid that covers all of the source
    """
    from mcdose.oblique_overlap import collect, index_matrix_of

    corners = volume.grid.corners_mm()[:, ::-1] @ matrix[:3, :3].T + matrix[:3, 3]
    target = covering(corners[:, ::-1], volume.grid.voxel_mm)
    indices = index_matrix_of(matrix @ volume.grid.affine, target)
    return Volume(collect(_checked(volume), indices, target.shape).values, target)


def _within(source: Grid, target: Grid) -> NDArray[np.bool_]:
    """Tell which voxels of a target have all corners in another grid, shape of the target."""
    from mcdose.oblique_overlap import index_matrix

    matrix = index_matrix(target, source)
    reach = 0.5 * np.abs(matrix[:3, :3]).sum(axis=1)
    inside = np.ones(target.shape, dtype=bool)
    z, y, x = np.ogrid[tuple(slice(0, n) for n in target.shape)]
    for axis in range(3):
        index = matrix[axis, 0] * z + matrix[axis, 1] * y + matrix[axis, 2] * x + matrix[axis, 3]
        inside &= (index - reach[axis] >= -0.5) & (index + reach[axis] <= source.shape[axis] - 0.5)
    return inside


def _whole(grid: Grid) -> Grid:
    """Return a grid of one voxel that is all of another."""
    sides = [n * side for n, side in zip(grid.shape, grid.voxel_mm, strict=True)]
    middle = grid.position_mm([0.5 * (n - 1) for n in grid.shape])
    return replace(
        grid,
        shape=(1, 1, 1),
        voxel_mm=(sides[0], sides[1], sides[2]),
        origin_mm=(float(middle[0]), float(middle[1]), float(middle[2])),
    )


def _outside(values: NDArray[Any], source: Grid, target: Grid) -> float:
    if source.direction != target.direction:
        return _collected(values, source, _whole(target)).outside
    inside = [
        _shares(matrix.sum(axis=0) / source.voxel_mm[axis]) for axis, matrix in enumerate(_overlaps(source, target))
    ]
    inside_yx = np.outer(inside[1], inside[2])
    return float(sum(np.sum(plane * (1.0 - share * inside_yx)) for share, plane in zip(inside[0], values, strict=True)))


def _require_overlap(source_name: str, source: Grid, target_name: str, target: Grid) -> None:
    if not meet(source, target):
        raise InputError(
            f"{source_name} and {target_name} must overlap, got {source_name} {_extent(source)} "
            f"and {target_name} {_extent(target)}"
        )


def meet(first: Grid, second: Grid) -> bool:
    """Tell whether two grids have a volume in common: no plane along faces or edges separates them."""
    if first.direction == second.direction:
        return all(matrix.nnz for matrix in _overlaps(first, second))
    axes = [np.array(grid.direction) for grid in (first, second)]
    normals = [*axes[0], *axes[1], *np.cross(axes[0][:, None], axes[1][None]).reshape(-1, 3)]
    corners = first.corners_mm(), second.corners_mm()
    for normal in normals:
        (low, high), (other_low, other_high) = ((float(v.min()), float(v.max())) for v in (c @ normal for c in corners))
        if np.linalg.norm(normal) > 1e-9 and min(high, other_high) - max(low, other_low) <= SLIVER_MM:
            return False
    return True


def _extent(grid: Grid) -> str:
    """Say where a grid lies: the box along the patient's axes that holds it."""
    corners = grid.corners_mm()
    ends = zip("zyx", corners.min(axis=0), corners.max(axis=0), strict=True)
    return ", ".join(f"{name} {low:.1f} to {high:.1f}" for name, low, high in ends) + " mm"
