"""A DICOM image series as an axis-aligned volume: choosing the files, sorting the slices, checking the geometry."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.encaps
import pydicom.pixels
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

from mcdose.errors import InputError
from mcdose.grid import Grid, Volume
from mcdose.io.copies import without_copies
from mcdose.io.damage import CODEC_RATIO, DEFLATE_RATIO, bounded, damage, placed_grid, require_held
from mcdose.io.multiframe import frame_headers, is_enhanced, require_whole
from mcdose.io.quiet import native_messages
from mcdose.io.repeats import require_one_each

GENTLE_DECODERS = ("pydicom", "pyjpegls", "pylibjpeg")  # of RLE, JPEG-LS and, where it is installed, JPEG 2000
DICOM_NAMES = (".dcm", ".dicom", ".ima")  # a file of such a name that is no DICOM file is damaged, not left out
AXIS_TOLERANCE = 1e-3  # largest component of a direction cosine off its axis (0.06 degrees)
IN_PLANE_TOLERANCE_MM = 0.1  # slices shifted against each other by more than this are sheared
DUPLICATE_MM = 0.01  # slices closer than this are at the same position
SPACING_TOLERANCE_MM = 0.1  # positions are often rounded to a tenth of a millimetre
SPACING_TOLERANCE = 0.02  # of the slice spacing, where that is more


@dataclass(frozen=True)
class Series:
    """What later files need to know of the DICOM series that an image came from.

    `header` is the pydicom Dataset of the lowest slice, without pixels; treat it as read-only.
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
    """One axial image: a file, or one frame of a multi-frame file.

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


@dataclass(frozen=True)
class Stack:
    """Slices in ascending z with their grid; `flip_y`, `flip_x` say which in-plane axes run against the grid."""

    path: Path
    slices: tuple[Slice, ...]
    grid: Grid
    flip_y: bool
    flip_x: bool

    def values(self) -> NDArray[np.float32]:
        """Rescaled pixel values, shape `grid.shape`; raise if any is not finite."""
        out = np.empty(self.grid.shape, dtype=np.float32)
        decoded: tuple[Path, NDArray[Any]] | None = None
        for z, image in enumerate(self.slices):
            if decoded is None or decoded[0] != image.path:
                decoded = (image.path, _pixels(image.path))
            stored = decoded[1] if image.frame is None else decoded[1][image.frame]
            if stored.shape != self.grid.shape[1:]:
                raise InputError(f"{image.path}: pixel data has shape {stored.shape}, not {self.grid.shape[1:]}")
            out[z] = stored * image.slope + image.intercept
            if not np.isfinite(out[z]).all():
                raise InputError(
                    f"{image.path}: rescaled values must be finite, {np.count_nonzero(~np.isfinite(out[z]))} are not "
                    f"(RescaleSlope {image.slope:g}, RescaleIntercept {image.intercept:g})"
                )
        if self.flip_y:
            out = out[:, ::-1]
        if self.flip_x:
            out = out[:, :, ::-1]
        return np.ascontiguousarray(out)

    def series(self) -> Series:
        """Make the record of this series."""
        first = self.slices[0].header
        return Series(
            modality=str(first.get("Modality", "")),
            study_uid=str(first.get("StudyInstanceUID", "")),
            series_uid=str(first.get("SeriesInstanceUID", "")),
            frame_of_reference_uid=str(first.get("FrameOfReferenceUID", "")),
            sop_class_uid=str(first.get("SOPClassUID", "")),
            instance_uids=tuple(dict.fromkeys(str(s.header.SOPInstanceUID) for s in self.slices)),
            header=first,
        )


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
    for file in files:
        with damage(file, "not readable as DICOM"), bounded(file) as opened:
            try:
                header = pydicom.dcmread(opened, stop_before_pixels=True)
            except InvalidDicomError:
                if file.suffix.lower() in DICOM_NAMES:
                    raise
                continue
            if "SOPClassUID" in header:
                headers.append((file, header))
            elif header.file_meta.get("MediaStorageSOPClassUID") != MediaStorageDirectoryStorage:
                raise InputError(f"{file}: has no SOPClassUID; the file may be damaged")
    if not headers:
        where = "folder holds no DICOM file (subfolders are not searched)" if path.is_dir() else "not a DICOM file"
        raise InputError(f"{path}: {where}")
    return headers


def read_stack(path: Path, headers: list[tuple[Path, Any]]) -> Stack:
    """Sort the slices of one series along z and check that they make an even axial grid."""
    return stack_of(path, slices_of(path, headers))


def slices_of(path: Path, headers: list[tuple[Path, Any]]) -> list[Slice]:
    """Place the images of one series, one of each SOPInstanceUID; raise if positions have several."""
    files = without_copies(path, headers)
    require_whole(path, files)
    slices: list[Slice] = []
    for file, header in files:
        with damage(file, "its header is damaged"):
            slices += _slices(file, header)
    require_one_each(path, slices, DUPLICATE_MM)
    return slices


def stack_of(path: Path, slices: list[Slice]) -> Stack:
    """Sort slices along z and check that they make an even axial grid."""
    _same(path, slices, lambda s: s.orientation, 1e-4, "orientations (ImageOrientationPatient)")
    _same(path, slices, lambda s: s.spacing, 1e-4, "pixel spacings [mm]")
    _same(path, slices, lambda s: (int(s.header.Rows), int(s.header.Columns)), 0.0, "sizes (rows, columns)")
    flip_x, flip_y = _in_plane_flips(path, slices[0])
    slices.sort(key=lambda s: float(s.position[2]))
    dz = _even_spacing(path, slices)
    corner = np.array([s.position[:2] for s in slices])
    shift = np.ptp(corner, axis=0).max()
    if shift > IN_PLANE_TOLERANCE_MM:
        raise InputError(
            f"{path}: slices are shifted sideways against each other by {shift:.2f} mm over the series "
            f"(sheared, gantry tilt {_tilt(slices[0].header)}); an upright stack is needed"
        )
    rows, columns = int(slices[0].header.Rows), int(slices[0].header.Columns)
    dy, dx = slices[0].spacing
    x, y = corner[0]
    grid = placed_grid(
        path,
        (len(slices), rows, columns),
        (dz, dy, dx),
        (
            float(slices[0].position[2]),
            float(y - (rows - 1) * dy if flip_y else y),
            float(x - (columns - 1) * dx if flip_x else x),
        ),
    )
    return Stack(path, tuple(slices), grid, flip_y, flip_x)


def require_pixels(path: Path, header: Any) -> None:
    """Raise if the pixel data that a header declares cannot be in the file; nothing is allocated for it before."""
    frames = int(header.get("NumberOfFrames") or 1)
    shape = (frames, int(header.Rows), int(header.Columns))
    allocated, stored = int(header.BitsAllocated), int(header.get("BitsStored", header.BitsAllocated))
    if not 1 <= stored <= allocated <= 64:
        raise InputError(f"{path}: BitsStored must be 1 to BitsAllocated, at most 64, got {stored} of {allocated}")
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


def _slices(path: Path, header: Any) -> list[Slice]:
    require_pixels(path, header)
    require_grey(path, header)
    if int(header.get("NumberOfFrames", None) or 1) > 1 and not is_enhanced(header):
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


def _same(path: Path, slices: list[Slice], value: Callable[[Slice], Any], tolerance: float, what: str) -> None:
    first = np.asarray(value(slices[0]), dtype=float)
    for image in slices[1:]:
        other = np.asarray(value(image), dtype=float)
        if np.abs(other - first).max() > tolerance:
            raise InputError(
                f"{path}: slices differ in their {what}: {first.tolist()} in {slices[0].path.name}, "
                f"{other.tolist()} in {image.path.name}"
            )


def _tilt(header: Any) -> str:
    value = header.get("GantryDetectorTilt")
    return "not stated" if value is None else f"{float(value):g} degrees"


def _in_plane_flips(path: Path, image: Slice) -> tuple[bool, bool]:
    """Whether columns run against x and rows against y; raise unless both lie along their axis."""
    row, column = image.orientation[:3], image.orientation[3:]
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if max(abs(length - 1.0) for length in lengths) > AXIS_TOLERANCE:
        raise InputError(f"{path}: ImageOrientationPatient must be two unit vectors, got {image.orientation.tolist()}")
    off_axis = max(abs(row[1]), abs(row[2]), abs(column[0]), abs(column[2]))
    if off_axis > AXIS_TOLERANCE:
        upright = abs(float(np.cross(row, column)[2]))
        angle = np.degrees(np.arccos(min(upright, 1.0)))
        raise InputError(
            f"{path}: image planes are not axial: their normal is {angle:.1f} degrees off the patient's long axis "
            f"(ImageOrientationPatient {image.orientation.tolist()}, gantry tilt {_tilt(image.header)}); "
            "oblique, tilted, coronal and sagittal stacks must be resampled to axial slices first"
        )
    return bool(row[0] < 0), bool(column[1] < 0)


def _even_spacing(path: Path, slices: list[Slice]) -> float:
    """Slice spacing [mm] of slices sorted by z; raise for too few, double, missing or uneven ones."""
    if len(slices) < 2:
        raise InputError(f"{path}: only {len(slices)} slice, at least 2 are needed to make a volume")
    z = np.array([s.position[2] for s in slices])
    gaps = np.diff(z)
    if gaps.min() < DUPLICATE_MM:
        k = int(gaps.argmin())
        raise InputError(
            f"{path}: two slices at the same position z = {z[k]:.3f} mm: "
            f"{slices[k].path.name} and {slices[k + 1].path.name}"
        )
    usual = float(np.sort(gaps)[(len(gaps) - 1) // 2])  # the lower median: a lone gap beside one good step is the gap
    k = int(gaps.argmax())
    if gaps[k] > 1.5 * usual:
        raise InputError(
            f"{path}: slice missing between z = {z[k]:.3f} and {z[k + 1]:.3f} mm: "
            f"the gap is {gaps[k]:.3f} mm, the usual spacing {usual:.3f} mm"
        )
    spacing = float((z[-1] - z[0]) / (len(z) - 1))
    off = np.abs(z - (z[0] + spacing * np.arange(len(z))))
    if off.max() > max(SPACING_TOLERANCE_MM, SPACING_TOLERANCE * spacing):
        raise InputError(
            f"{path}: uneven slice spacing, from {gaps.min():.3f} to {gaps.max():.3f} mm "
            f"(z = {z[int(off.argmax())]:.3f} mm is {off.max():.3f} mm off an even stack)"
        )
    return round(spacing, 6)  # a nanometre: positions are decimal numbers, their differences are not


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


def _pixels(path: Path) -> NDArray[Any]:
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
            dataset.pixel_array_options(decoding_plugin=decoder(syntax))
            with native_messages() as messages:
                pixels = dataset.pixel_array
        else:
            pixels = dataset.pixel_array
    if any("corrupt" in message.lower() for message in messages):
        raise InputError(f"{path}: pixel data is damaged: {'; '.join(messages)}")
    return np.asarray(pixels)
