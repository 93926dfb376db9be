"""What the images of a report show: all voxels, or a part averaged in blocks where there are too many for a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.grid import Grid
from mcdose.report.contents import Layer, Report

MOST_VOXELS = 3_000_000
DOSE_SHARE = 1e-3  # of the largest dose: what is lower can be cropped
MARGIN = 2  # voxels kept around what is not cropped
INSIDE = 0.5  # coverage from which a voxel is drawn as part of a structure
# Where the scale of colours of a kind ends: percentile of its values in voxels above a share of the largest dose.
SCALE_END = {"dose": (99.9, 0.01), "uncertainty": (98.0, 0.1), "difference": (98.0, 0.01)}

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Pictures:
    """Images on one grid, and a sentence that says what was done to them, empty if nothing was.

    Attributes
    ----------
    grid : of all arrays
    ct_hu : int16
    structures : name to bool mask
    layers : as in the report, float32
    tops : where the scale of colours of each layer ends, in its unit
    start : index of the voxel of the highest dose
    """

    grid: Grid
    ct_hu: NDArray[np.int16]
    structures: dict[str, NDArray[np.bool_]]
    layers: tuple[Layer, ...]
    tops: tuple[float, ...]
    start: tuple[int, int, int]
    note: str


def pictures(report: Report, most_voxels: int = MOST_VOXELS) -> Pictures:
    """Take the images of a report, cropped and averaged if they have more than `most_voxels`."""
    grid, box, factors, note = report.grid.own, (slice(None),) * 3, (1, 1, 1), ""
    if int(np.prod(grid.shape)) > most_voxels:
        box = _filled(report)
        grid = part_of(grid, box)
        factors = _factors(grid, most_voxels)
        note = _note(report.grid, grid, factors)
        grid = _coarse(grid, factors)
    layers = tuple(
        Layer(layer.name, block_mean(layer.values[box], factors), layer.unit, layer.kind) for layer in report.layers
    )
    dose = next((layer.values for layer in layers if layer.kind == "dose"), layers[0].values)
    where = int(np.argmax(np.where(np.isfinite(dose), dose, -np.inf)))
    z, y, x = (int(index) for index in np.unravel_index(where, dose.shape))
    return Pictures(
        grid=grid,
        ct_hu=np.rint(block_mean(report.ct_hu[box], factors)).astype(np.int16),
        structures={name: block_mean(mask[box], factors) >= INSIDE for name, mask in report.structures.items()},
        layers=layers,
        tops=_tops(layers, dose),
        start=(z, y, x),
        note=note,
    )


def block_mean(values: NDArray[Any], factors: tuple[int, int, int]) -> NDArray[np.float32]:
    """Mean of blocks of voxels, the last of an axis over what there is of it; NaN are left out, unless all are."""
    if factors == (1, 1, 1):
        return np.asarray(values, np.float32)
    finite = np.isfinite(values)
    total, count = np.where(finite, values, 0).astype(np.float32), finite.astype(np.float32)
    for axis, factor in enumerate(factors):
        starts = np.arange(0, total.shape[axis], factor)
        total, count = np.add.reduceat(total, starts, axis), np.add.reduceat(count, starts, axis)
    return np.where(count > 0, total / np.maximum(count, 1), np.float32("nan")).astype(np.float32)


def _filled(report: Report) -> Box:
    """Box around the dose of all layers of dose and around all structures."""
    wanted = np.zeros(report.grid.shape, np.bool_)
    for layer in report.layers:
        if layer.kind == "dose":
            wanted |= layer.values > DOSE_SHARE * np.nanmax(layer.values, initial=0.0)
    for mask in report.structures.values():
        wanted |= mask >= INSIDE
    if not wanted.any():
        return (slice(None),) * 3
    return (_reach(wanted, 0), _reach(wanted, 1), _reach(wanted, 2))


def _reach(wanted: NDArray[np.bool_], axis: int) -> slice:
    other = tuple(k for k in range(3) if k != axis)
    found = np.flatnonzero(wanted.any(axis=other))
    return slice(max(0, int(found[0]) - MARGIN), min(wanted.shape[axis], int(found[-1]) + 1 + MARGIN))


def part_of(grid: Grid, box: Box) -> Grid:
    """Return the grid of the voxels in a box."""
    starts = [part.indices(size)[0] for part, size in zip(box, grid.shape, strict=True)]
    stops = [part.indices(size)[1] for part, size in zip(box, grid.shape, strict=True)]
    nz, ny, nx = (stop - start for start, stop in zip(starts, stops, strict=True))
    z, y, x = (float(grid.centres_mm(axis)[start]) for axis, start in enumerate(starts))
    return Grid((nz, ny, nx), grid.voxel_mm, (z, y, x))


def _factors(grid: Grid, most_voxels: int) -> tuple[int, int, int]:
    """Smallest blocks that leave few enough voxels, made longer along the shortest side each time."""
    factors = [1, 1, 1]
    while np.prod([-(-size // factor) for size, factor in zip(grid.shape, factors, strict=True)]) > most_voxels:
        sides = [side * factor if size > factor else np.inf for side, factor, size in
                 zip(grid.voxel_mm, factors, grid.shape, strict=True)]  # fmt: skip
        factors[int(np.argmin(sides))] += 1
    return factors[0], factors[1], factors[2]


def _coarse(grid: Grid, factors: tuple[int, int, int]) -> Grid:
    nz, ny, nx = (-(-size // factor) for size, factor in zip(grid.shape, factors, strict=True))
    dz, dy, dx = (side * factor for side, factor in zip(grid.voxel_mm, factors, strict=True))
    z, y, x = (
        first + 0.5 * (factor - 1) * side
        for first, factor, side in zip(grid.origin_mm, factors, grid.voxel_mm, strict=True)
    )
    return Grid((nz, ny, nx), (dz, dy, dx), (z, y, x))


def _note(whole: Grid, part: Grid, factors: tuple[int, int, int]) -> str:
    def size(grid: Grid) -> str:
        return " × ".join(str(n) for n in grid.shape)

    done = []
    if part.shape != whole.shape:
        done.append(f"cropped from {size(whole)} to {size(part)} voxels, where there are dose or structures")
    if factors != (1, 1, 1):
        blocks = " × ".join(str(n) for n in factors)
        done.append(f"averaged over blocks of {blocks} voxels (z, y, x), which lowers the highest doses")
    return (
        f"To keep this page small, the images are {' and '.join(done)}. All figures in tables are of full resolution."
    )


def _tops(layers: tuple[Layer, ...], dose: NDArray[np.float32]) -> tuple[float, ...]:
    """Return the ends of the scales: one for all doses, so that they can be compared; few voxels lie beyond."""
    ends = []
    for layer in layers:
        percentile, share = SCALE_END[layer.kind]
        seen = (dose > share * np.nanmax(dose, initial=0.0)) & np.isfinite(layer.values)
        ends.append(float(np.percentile(np.abs(layer.values[seen]), percentile)) if seen.any() else 0.0)
    common = max((end for end, layer in zip(ends, layers, strict=True) if layer.kind == "dose"), default=0.0)
    return tuple(_round_up(common if layer.kind == "dose" else end) for end, layer in zip(ends, layers, strict=True))


def _round_up(value: float) -> float:
    """Round up to two digits, or 1 if there is nothing to round."""
    if not value > 0.0:
        return 1.0
    decade = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(f"{np.ceil(value / decade * (1 - 1e-9)) * decade:.2g}")
