"""What is in a JPEG stream before its first scan, held against the image: GDCM ends the process on some that differ.

ISO/IEC 10918-1, B.1 (marker segments) and B.2.2 (frame header).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pydicom.encaps

from mcdose.errors import InputError

START, SCAN = b"\xff\xd8", 0xDA
FRAMES = (0xC0, 0xC1, 0xC3)  # start of frame: baseline, extended, lossless; all that DICOM has
ALONE = (0x01, *range(0xD0, 0xDA))  # markers without a segment


def check_jpeg(path: Path, dataset: Any) -> None:
    """Raise unless the segments of each stream are whole, and its frame header has the size of the image."""
    frames = int(dataset.get("NumberOfFrames") or 1)
    for stream in pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=frames):
        size = _size(stream)
        if size is None:
            raise InputError(f"{path}: pixel data cannot be decoded: a JPEG stream with a broken header")
        if size != (dataset.Rows, dataset.Columns, 1):
            raise InputError(f"{path}: pixel data cannot be decoded: a JPEG stream of another size than the image")


def _size(stream: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and components by the frame header; None if the segments up to the first scan are not whole."""
    at, size = 2, None
    if not stream.startswith(START):
        return None
    while at + 4 <= len(stream):
        marker, length = struct.unpack_from(">xBH", stream, at)
        if stream[at] != 0xFF or marker in (0x00, *ALONE):
            return None
        if marker == 0xFF:  # a byte of filling
            at += 1
            continue
        if length < 2 or at + 2 + length > len(stream):
            return None
        if marker == SCAN:
            return size
        if marker in FRAMES and length >= 8:
            size = struct.unpack_from(">HHB", stream, at + 5)
        at += 2 + length
    return None
