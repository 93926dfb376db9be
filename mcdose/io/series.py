"""DICOM image series: choosing the files, what each slice says of its place and scale, decoding its pixels."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.encaps
import pydicom.pixels
from numpy.typing import NDArray
from pydicom.datadict import keyword_for_tag
from pydicom.dataelem import RawDataElement
from pydicom.errors import InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

from mcdose.errors import InputError
from mcdose.grid import Volume
from mcdose.io.damage import CODEC_RATIO, DEFLATE_RATIO, bounded, damage, require_held
from mcdose.io.jpeg import check_jpeg
from mcdose.io.multiframe import frame_headers, is_multi_frame
from mcdose.io.progress import tell
from mcdose.io.quiet import native_messages
from mcdose.io.unused_bits import require_unused_bits_empty

GENTLE_DECODERS = ("pydicom", "pyjpegls", "pylibjpeg")  # of RLE, JPEG-LS and JPEG 2000, High-Throughput too
DICOM_NAMES = (".dcm", ".dicom", ".ima")  # a file of such a name that is no DICOM file is damaged, not left out
UNDEFINED = 0xFFFFFFFF  # length of a sequence that ends with a delimiter


@dataclass(frozen=True)
class Series:
    """What later files need to know of the DICOM series that an image came from.

    `header` is the pydicom Dataset of the first slice along the normal, without pixels; treat it as read-only.
    """

    modality: str
    study_uid: str
    series_uid: str
    frame_of_reference_uid: str
    sop_class_uid: str
    instance_uids: tuple[str, ...]
    header: Any


@dataclass(frozen=True)
class Image:
    """A volume and the DICOM series that it came from (None for NIfTI and MetaImage)."""

    volume: Volume
    series: Series | None


@dataclass(frozen=True)
class Slice:
    """One plane of an image: a file, or one frame of a multi-frame file.

    Positions [mm], spacing (between rows, between columns) [mm]; the value is `slope * stored + intercept`.
    """

    path: Path
    frame: int | None
    header: Any
    position: NDArray[np.float64]
    orientation: NDArray[np.float64]
    spacing: tuple[float, float]
    slope: float
    intercept: float


def existing(path: str | Path) -> Path:
    """Return the path, or raise if there is nothing there."""
    found = Path(path)
    if not found.exists():
        raise InputError(f"{found}: no such file or folder")
    return found


def dicom_headers(path: Path) -> list[tuple[Path, Any]]:
    """Headers of the DICOM files in a folder (its own files, not those of subfolders), or of the one file named."""
    files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
    headers = []
    for k, file in enumerate(files, start=1):
        tell(k, 2 * len(files))
        with damage(file, "not readable as DICOM"), bounded(file) as opened:
            try:
                header = pydicom.dcmread(opened, stop_before_pixels=True)
            except InvalidDicomError:
                if file.suffix.lower() in DICOM_NAMES:
                    raise
                continue
            _require_whole(file, header)
            if "SOPClassUID" in header:
                headers.append((file, header))
            elif header.file_meta.get("MediaStorageSOPClassUID") != MediaStorageDirectoryStorage:
                raise InputError(f"{file}: has no SOPClassUID; the file may be damaged")
    if not headers:
        where = "folder holds no DICOM file (subfolders are not searched)" if path.is_dir() else "not a DICOM file"
        raise InputError(f"{path}: {where}")
    return headers


def _require_whole(path: Path, header: Any) -> None:
    """Raise if an element is shorter than it declares: pydicom takes what is left of a sequence for all of it."""
    for tag in header.keys():  # noqa: SIM118
        raw = header.get_item(tag)
        if isinstance(raw, RawDataElement) and raw.value is not None and raw.length not in (len(raw.value), UNDEFINED):
            raise InputError(
                f"{path}: {keyword_for_tag(tag) or tag} must have {raw.length} bytes, got {len(raw.value)}; "
                "the file may be cut short"
            )


def require_pixels(path: Path, header: Any) -> None:
    """Raise if the pixel data that a header declares cannot be in the file; nothing is allocated for it before."""
    frames = int(header.get("NumberOfFrames") or 1)
    shape = (frames, int(header.Rows), int(header.Columns))
    allocated, stored = int(header.BitsAllocated), int(header.get("BitsStored", header.BitsAllocated))
    if not 1 <= stored <= allocated <= 64:
        raise InputError(f"{path}: BitsStored must be 1 to BitsAllocated, at most 64, got {stored} of {allocated}")
    if int(header.get("HighBit", stored - 1)) != stored - 1:
        raise InputError(f"{path}: HighBit must be BitsStored - 1, {stored - 1}, got {header.HighBit}")
    item = int(header.get("SamplesPerPixel") or 1) * allocated / 8
    syntax = header.file_meta.TransferSyntaxUID
    ratio = CODEC_RATIO if syntax.is_compressed else DEFLATE_RATIO if syntax.is_deflated else 1
    require_held(path, shape, item, path.stat().st_size, ratio)
    placed = header.get("PerFrameFunctionalGroupsSequence")
    if placed is not None and len(placed) != frames:
        raise InputError(f"{path}: NumberOfFrames is {frames}, but {len(placed)} frames are placed")


def require_grey(path: Path, header: Any) -> None:
    """Raise unless a pixel is one number, more of which is brighter."""
    if int(header.get("SamplesPerPixel") or 1) != 1:
        raise InputError(f"{path}: SamplesPerPixel is {header.SamplesPerPixel}, a grey-scale image is needed")
    shades = str(header.get("PhotometricInterpretation") or "MONOCHROME2")
    if shades != "MONOCHROME2":
        raise InputError(f"{path}: PhotometricInterpretation must be MONOCHROME2, more is brighter, got {shades}")


def slices_of(path: Path, header: Any) -> list[Slice]:
    """Return the slices of one file: itself, or its frames."""
    require_pixels(path, header)
    require_grey(path, header)
    if is_multi_frame(header):
        raise InputError(f"{path}: multi-frame image without position and orientation of its frames")
    return [slice_of(path, frame, place, place) for frame, place in frame_headers(path, header)]


def slice_of(path: Path, frame: int | None, header: Any, place: Any) -> Slice:
    """Make a slice; `place` holds spacing, position, orientation and scale under their DICOM keywords."""

    def numbers(keyword: str, count: int) -> NDArray[np.float64]:
        value = place.get(keyword)
        if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != count:
            raise InputError(f"{path}: {keyword} is needed with {count} values, got {value!r}")
        found = np.array([float(v) for v in value])
        if not np.isfinite(found).all():
            raise InputError(f"{path}: {keyword} must be finite, got {found.tolist()}")
        return found

    dy, dx = (float(v) for v in numbers("PixelSpacing", 2))
    if not (dy > 0 and dx > 0):
        raise InputError(f"{path}: PixelSpacing must be positive, got ({dy}, {dx})")
    if place.get("ModalityLUTSequence"):
        raise InputError(
            f"{path}: values are given by ModalityLUTSequence, a table that has no values below 0; "
            "RescaleSlope and RescaleIntercept are needed"
        )
    slope, intercept = place.get("RescaleSlope"), place.get("RescaleIntercept")
    return Slice(
        path,
        frame,
        header,
        position=numbers("ImagePositionPatient", 3),
        orientation=numbers("ImageOrientationPatient", 6),
        spacing=(dy, dx),
        slope=1.0 if slope is None else float(slope),
        intercept=0.0 if intercept is None else float(intercept),
    )


def decoder(syntax: str) -> str:
    """Name the decoder for a compressed transfer syntax, "" for any: GDCM ends the process on some damaged data."""
    gentle = [name for name in pydicom.pixels.get_decoder(syntax).available_plugins if name in GENTLE_DECODERS]
    return gentle[0] if gentle else ""


def _check_jpeg_2000(path: Path, dataset: Any) -> None:
    """Raise unless the size fields of each stream (SIZ, ISO/IEC 15444-1 A.5.1) are those of the image; GDCM aborts."""
    frames = pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1))
    for frame in frames:
        at = frame.index(b"\xff\x4f\xff\x51") + 8
        x, y, x0, y0, tile_x, tile_y, tile_x0, tile_y0, parts, _, step_x, step_y = struct.unpack_from(
            ">8IH3B", frame, at
        )
        tiled = tile_x0 <= x0 < tile_x0 + tile_x and tile_y0 <= y0 < tile_y0 + tile_y
        if (x - x0, y - y0, parts, step_x, step_y) != (dataset.Columns, dataset.Rows, 1, 1, 1) or not tiled:
            raise InputError(f"{path}: pixel data cannot be decoded: a JPEG 2000 stream of another size than the image")


def pixels(path: Path) -> NDArray[Any]:
    """Decode the stored values; raise if they are missing, cut short or, as far as a decoder can tell, damaged."""
    messages: list[str] = []
    with damage(path, "pixel data cannot be decoded"):
        with bounded(path) as opened:
            dataset = pydicom.dcmread(opened)
        if "PixelData" not in dataset:
            raise InputError(f"{path}: has no pixel data; the file may be cut short")
        syntax = dataset.file_meta.TransferSyntaxUID
        if syntax.is_compressed:
            if syntax in pydicom.uid.JPEG2000TransferSyntaxes:
                _check_jpeg_2000(path, dataset)
            elif syntax in pydicom.uid.JPEGTransferSyntaxes:
                check_jpeg(path, dataset)
            dataset.pixel_array_options(decoding_plugin=decoder(syntax))
            with native_messages() as messages:
                pixels = dataset.pixel_array
        else:
            require_unused_bits_empty(path, dataset)
            pixels = dataset.pixel_array
    if any("corrupt" in message.lower() for message in messages):
        raise InputError(f"{path}: pixel data is damaged: {'; '.join(messages)}")
    return np.asarray(pixels)
