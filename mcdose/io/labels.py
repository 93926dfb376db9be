"""Structures given as voxels (label maps, DICOM SEG) as coverage of the voxels of a grid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Grid
from mcdose.io.contours import Drawn, clipped
from mcdose.io.segments import read_segments
from mcdose.io.voxelfile import read_voxel_file
from mcdose.resample import overlap_matrix

MOST_LABELS = 1000  # a file with more values than this is an image, not a label map


def read_label_map(path: Path, grid: Grid) -> Iterator[Drawn]:
    """Draw each label of a NIfTI or MetaImage label map; label k is called "label k", 0 is background."""
    volume = read_voxel_file(path)
    values = volume.values
    if not np.isfinite(values).all() or (values != np.rint(values)).any() or values.min() < 0:
        raise InputError(f"{path}: a label map must hold whole numbers from 0, got {values.min()} to {values.max()}")
    labels = [int(v) for v in np.unique(values) if v != 0]
    if not labels or len(labels) > MOST_LABELS:
        raise InputError(f"{path}: a label map with 1 to {MOST_LABELS} labels is needed, got {len(labels)}")
    for label in labels:
        yield _draw(f"label {label}", values == label, volume.grid, grid)


def read_segmentation(path: Path, header: Any, grid: Grid) -> Iterator[Drawn]:
    """Draw each segment of a DICOM SEG: binary, fractional or label map."""
    for name, volume in read_segments(path, header):
        yield _draw(name, volume.values, volume.grid, grid)


def _draw(name: str, mask: NDArray[Any], source: Grid, grid: Grid) -> Drawn:
    """Coverage by overlap of voxels, within the box that holds the structure."""
    box = tuple(_extent(np.any(mask, axis=others)) for others in ((1, 2), (0, 2), (0, 1)))
    part = mask[box].astype(np.float32)
    volume_ml = float(part.sum(dtype=np.float64)) * source.voxel_ml
    along_z, along_y, along_x = (
        overlap_matrix(source.edges_mm(axis)[box[axis].start : box[axis].stop + 1], grid.edges_mm(axis))
        / grid.voxel_mm[axis]
        for axis in range(3)
    )
    planes = np.stack([along_x @ (along_y @ plane).T for plane in part]) if len(part) else np.empty((0, 0, 0))
    coverage = np.zeros(grid.shape, dtype=np.float32)
    rows = along_z.tocoo()
    for layer, k, weight in zip(rows.row, rows.col, rows.data, strict=True):
        coverage[layer] += weight * planes[k].T
    return Drawn(name, clipped(coverage), volume_ml)


def _extent(line: Any) -> slice:
    """Range of indices from the first to the last True, empty for none."""
    found = np.flatnonzero(line)
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)
