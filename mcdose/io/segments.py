"""The segments of a DICOM SEG as volumes: binary, fractional, label map (PS3.3 C.8.20.2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from mcdose.errors import InputError
from mcdose.grid import Volume
from mcdose.io.damage import bounded, damage, placed_steps
from mcdose.io.quiet import LOGGER
from mcdose.io.series import decoder, require_pixels

MOST_PLANES = 5000  # between the first and the last frame of a SEG, which leaves empty ones out
MOST_SEGMENTS = 1000


def read_segments(path: Path, header: Any) -> Iterator[tuple[str, Volume]]:
    """Read each segment of a SEG: its label, and its share of each voxel of the SEG's grid, 0 to 1.

    One at a time is held, but for a label map, which is one image. A segment without frames, or a label without
    voxels, is there and empty.

    Raises
    ------
    InputError
        A SEG of a slide; more segments or planes than a patient has; frames that overlap, or not on an even
        stack; fractions above 1; labels without a segment; a damaged file
    """
    with damage(path, "segmentation cannot be read"):
        image = _opened(path, header)
        numbers = [int(number) for number in image.segment_numbers]
        if len(numbers) > MOST_SEGMENTS or len(set(numbers)) < len(numbers):
            raise InputError(
                f"{path}: a segmentation must have at most {MOST_SEGMENTS} segments of different numbers, got "
                f"{len(numbers)} of {len(set(numbers))} numbers"
            )
        _require_stack(path, image)
        kind = str(image.SegmentationType)
        if kind == "FRACTIONAL" and image.get("SegmentationFractionalType") == "PROBABILITY":
            LOGGER.warning("%s: the segmentation holds probabilities; they are taken as coverage, as they are", path)
        labels = _labels(path, image, numbers) if kind == "LABELMAP" else None
    for number in numbers:
        with damage(path, "segmentation cannot be read"):
            name = str(image.get_segment_description(number).segment_label)
            if labels is not None:
                volume = Volume(labels.values == number, labels.grid)
            else:
                volume = _placed(path, _fractions(path, image, number))
        yield name, volume


def _opened(path: Path, header: Any) -> Any:
    """Open as a highdicom Segmentation, decompressed."""
    import highdicom

    if "TotalPixelMatrixRows" in header:
        raise InputError(f"{path}: the segmentation must be of a patient's volume, this one is tiled, of a slide")
    if not header.get("FrameOfReferenceUID"):
        raise InputError(
            f"{path}: FrameOfReferenceUID must be there for frames to have a place in the patient, got none"
        )
    require_pixels(path, header)
    with bounded(path) as opened:
        dataset = pydicom.dcmread(opened)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_compressed:
        dataset.decompress(decoding_plugin=decoder(syntax), generate_instance_uid=False)
    return highdicom.seg.Segmentation.from_dataset(dataset, copy=False)


def _require_stack(path: Path, image: Any) -> None:
    geometry = image.get_volume_geometry(allow_missing_positions=True)
    if geometry is None or geometry.spatial_shape[0] > MOST_PLANES:
        planes = "no even stack" if geometry is None else f"{geometry.spatial_shape[0]} planes"
        raise InputError(f"{path}: the frames must lie on an even stack of at most {MOST_PLANES} planes, got {planes}")


def _fractions(path: Path, image: Any, number: int) -> Any:
    """Share of each voxel that a binary or fractional segment covers, as a highdicom Volume."""
    placed = image.get_volume(
        segment_numbers=[number], combine_segments=False, rescale_fractional=True, allow_missing_positions=True
    )
    placed = placed.with_array(np.asarray(placed.array)[..., 0])
    if placed.array.max(initial=0) > 1:
        raise InputError(
            f"{path}: fractions must be at most MaximumFractionalValue, {image.get('MaximumFractionalValue')}, those "
            f"of segment {number} go to {float(placed.array.max()):.4g} times that"
        )
    return placed


def _labels(path: Path, image: Any, numbers: list[int]) -> Volume:
    """Segment number of each voxel of a label map, 0 for none.

    All segments are read at once: one by one, highdicom 0.28 keeps 8 of the 16 bits of a label, so that 257 becomes 1.
    """
    background = image.get("PixelPaddingValue")
    if background or 0 in numbers:
        raise InputError(f"{path}: the background of a label map must be 0, got PixelPaddingValue {background}")
    labels = _placed(path, image.get_volume(combine_segments=True, dtype=np.uint16, allow_missing_positions=True))
    unknown = np.setdiff1d(labels.values, [0, *numbers])
    if len(unknown):
        raise InputError(f"{path}: each label must be that of a segment, {unknown[:5].tolist()} are not")
    return labels


def _placed(path: Path, placed: Any) -> Volume:
    """Put a highdicom Volume, whose affine takes array indices to (x, y, z), in the order of the patient's axes."""
    affine = np.asarray(placed.affine, dtype=np.float64)
    turn = placed_steps(path, placed.array.shape, affine[:3, :3], affine[:3, 3].tolist())
    return Volume(turn.values(placed.array), turn.grid)
