"""Structures given as voxels (label maps, DICOM SEG) as coverage of the voxels of a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Grid, Volume
from mcdose.io.contours import Drawn
from mcdose.io.damage import bounded, damage, placed_grid
from mcdose.io.series import decoder, require_pixels
from mcdose.io.voxelfile import read_voxel_file
from mcdose.resample import covered

MOST_PLANES = 5000  # between the first and the last frame of a SEG, which leaves empty ones out
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
    """Draw each segment of a DICOM SEG, binary or fractional."""
    import highdicom

    with damage(path, "segmentation cannot be read"):
        require_pixels(path, header)
        with bounded(path) as opened:
            dataset = pydicom.dcmread(opened)
        syntax = dataset.file_meta.TransferSyntaxUID
        if syntax.is_compressed:
            dataset.decompress(decoding_plugin=decoder(syntax), generate_instance_uid=False)
        image = highdicom.seg.Segmentation.from_dataset(dataset, copy=False)
        pieces = [
            (str(image.get_segment_description(k).segment_label), _segment(path, image, k))
            for k in image.segment_numbers
        ]
    for name, volume in pieces:
        yield _draw(name, volume.values, volume.grid, grid)


def _segment(path: Path, image: Any, number: int) -> Volume:
    geometry = image.get_volume_geometry(allow_missing_positions=True)
    if geometry is None or geometry.spatial_shape[0] > MOST_PLANES:
        planes = "no even stack" if geometry is None else f"{geometry.spatial_shape[0]} planes"
        raise InputError(f"{path}: the frames must lie on an even stack of at most {MOST_PLANES} planes, got {planes}")
    placed = image.get_volume(
        segment_numbers=[number], combine_segments=False, rescale_fractional=True, allow_missing_positions=True
    )
    steps = np.asarray(placed.affine)[:3, :3]  # column a is the step along array axis a, in (x, y, z)
    lengths = np.linalg.norm(steps, axis=0)
    values = np.asarray(placed.array)[..., 0]
    x, y, z = (float(v) for v in np.asarray(placed.affine)[:3, 3])
    a, b, c = (float(v) for v in lengths)
    turn = placed_grid(path, values.shape, (a, b, c), (z, y, x), (steps / lengths)[::-1].T)
    return Volume(turn.values(values), turn.grid)


def _draw(name: str, mask: NDArray[Any], source: Grid, grid: Grid) -> Drawn:
    """Coverage by overlap of voxels, within the box that holds the structure."""
    box = tuple(_extent(np.any(mask, axis=others)) for others in ((1, 2), (0, 2), (0, 1)))
    part = mask[box].astype(np.float32)
    volume_ml = float(part.sum(dtype=np.float64)) * source.voxel_ml
    if not part.size:
        return Drawn(name, np.zeros(grid.shape, dtype=np.float32), 0.0)
    first = source.position_mm([b.start for b in box])
    held = replace(source, shape=part.shape, origin_mm=(float(first[0]), float(first[1]), float(first[2])))
    return Drawn(name, covered(part, held, grid), volume_ml)


def _extent(line: Any) -> slice:
    """Range of indices from the first to the last True, empty for none."""
    found = np.flatnonzero(line)
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)
