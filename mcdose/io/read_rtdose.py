"""Absorbed dose from DICOM RT Dose, as a map in Gy (PS3.3 A.18, C.8.8.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Turned, Volume
from mcdose.io.damage import damage, placed_grid
from mcdose.io.quiet import quiet_libraries
from mcdose.io.rtdose import RT_DOSE
from mcdose.io.series import Image, Series, dicom_headers, existing, pixels, require_grey, require_pixels
from mcdose.io.stack import SPACING_TOLERANCE, SPACING_TOLERANCE_MM, UNIT_TOLERANCE

WHOLE = ("PLAN", "MULTI_PLAN", "PLAN_OVERVIEW", "RECORD")  # DoseSummationType of a dose that is of a whole treatment
TRANSVERSE = 1e-4  # largest part across of directions that are those of transverse planes
SAME_MM = 0.01  # offsets that are this near a position are that position


@quiet_libraries()
def read_rt_dose(path: str | Path) -> Image:
    """Read an RT Dose as absorbed dose.

    Planes lie along the normal of the images, row x column, at the offsets of GridFrameOffsetVector from
    ImagePositionPatient where the first is 0 (either sense); where the first is the z of ImagePositionPatient, at
    these z, which only transverse planes may have (C.8.8.3.2).

    Parameters
    ----------
    path : the file, or a folder with one such file

    Returns
    -------
    Image
        `volume.values` float64, shape (nz, ny, nx) [Gy], in the order of the patient's axes as near as can be; `series`
        gives patient, study and frame of reference

    Raises
    ------
    InputError
        Not one RT Dose; dose in other units than Gy, of another type than PHYSICAL, of a part of a treatment (a beam, a
        fraction); planes that are uneven or without a place; a scaling that is not positive; negative dose; damage
    """
    found = existing(path)
    with damage(found):
        files = [(f, h) for f, h in dicom_headers(found) if h.get("SOPClassUID") == RT_DOSE]
        if len(files) != 1:
            raise InputError(f"{found}: one RT Dose file is needed, found {len(files)}")
        return _read(*files[0])


def _read(path: Path, header: Any) -> Image:
    _require_physical(path, header)
    scale = _number(path, header, "DoseGridScaling")
    if not scale > 0:
        raise InputError(f"{path}: DoseGridScaling must be positive, got {scale:g}")
    require_pixels(path, header)
    require_grey(path, header)
    turn = _place(path, header)
    stored = np.asarray(pixels(path))
    planes = (int(header.NumberOfFrames), int(header.Rows), int(header.Columns))
    if stored.shape != planes:
        raise InputError(f"{path}: pixel data has shape {stored.shape}, not {planes}")
    if stored.min() < 0:
        raise InputError(f"{path}: PHYSICAL dose must not be negative, got {float(stored.min()) * scale:.6g} Gy")
    dose_gy = turn.values(stored) * scale
    if not np.isfinite(dose_gy).all():
        raise InputError(f"{path}: dose must be finite, got DoseGridScaling {scale:g}")
    return Image(Volume(dose_gy, turn.grid), _series(header))


def _require_physical(path: Path, header: Any) -> None:
    """Refuse what is not the absorbed dose of a whole treatment in Gy."""
    for keyword, allowed, why in (
        ("DoseUnits", ("GY",), "an absolute dose is needed"),
        ("DoseType", ("PHYSICAL",), "what is corrected for its effect already, or an error, is no absorbed dose"),
        ("DoseSummationType", WHOLE, "the dose of a whole treatment is needed"),
    ):
        value = str(header.get(keyword) or "")
        if value not in allowed:
            raise InputError(f"{path}: {keyword} must be {' or '.join(allowed)}, {why}; got {value or 'none'}")


def _place(path: Path, header: Any) -> Turned:
    """Place the planes in the patient."""
    cosines = np.array(_numbers(path, header, "ImageOrientationPatient", 6))
    row, column = cosines[:3], cosines[3:]
    off = max(abs(float(np.linalg.norm(row)) - 1), abs(float(np.linalg.norm(column)) - 1), abs(float(row @ column)))
    if off > UNIT_TOLERANCE:
        raise InputError(
            f"{path}: ImageOrientationPatient must be two unit vectors at a right angle, got {cosines.tolist()}"
        )
    normal = np.cross(row, column)
    normal /= np.linalg.norm(normal)
    x, y, z = _numbers(path, header, "ImagePositionPatient", 3)
    dy, dx = _numbers(path, header, "PixelSpacing", 2)
    if not (dy > 0 and dx > 0):
        raise InputError(f"{path}: PixelSpacing must be positive, got ({dy}, {dx})")
    count = int(header.get("NumberOfFrames") or 1)
    if count < 2:
        raise InputError(f"{path}: at least 2 planes are needed to know how thick one is, got {count}")
    offsets = _along_normal(path, np.array(_numbers(path, header, "GridFrameOffsetVector", count)), z, normal)
    step = _even_step(path, offsets)
    axes = np.array([np.copysign(1.0, step) * normal[::-1], column[::-1], row[::-1]])
    shape = (count, int(header.Rows), int(header.Columns))
    return placed_grid(path, shape, (abs(step), dy, dx), np.array([z, y, x]), axes)


def _along_normal(
    path: Path, offsets: NDArray[np.float64], z: float, normal: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distances of the planes from the first along the normal [mm]."""
    if abs(offsets[0]) <= SAME_MM:
        return np.asarray(offsets - offsets[0])
    if abs(offsets[0] - z) > SAME_MM:
        raise InputError(
            f"{path}: GridFrameOffsetVector must begin with 0 or with the z of ImagePositionPatient, {z:g} mm, got "
            f"{offsets[0]:g} mm"
        )
    if np.hypot(normal[0], normal[1]) > TRANSVERSE:
        raise InputError(
            f"{path}: GridFrameOffsetVector holds z of planes, which must be transverse, their normal is "
            f"{normal.round(6).tolist()}"
        )
    return np.asarray((offsets - offsets[0]) * np.sign(normal[2]))


def _even_step(path: Path, offsets: NDArray[np.float64]) -> float:
    """Distance from a plane to the next [mm], negative against the normal."""
    step = round(float(offsets[-1]) / (len(offsets) - 1), 6)
    off = np.abs(offsets - step * np.arange(len(offsets)))
    if not abs(step) > 0 or off.max() > max(SPACING_TOLERANCE_MM, SPACING_TOLERANCE * abs(step)):
        gaps = np.diff(offsets)
        raise InputError(
            f"{path}: planes must be evenly spaced, GridFrameOffsetVector has gaps from {gaps.min():g} to "
            f"{gaps.max():g} mm"
        )
    return step


def _numbers(path: Path, header: Any, keyword: str, count: int) -> list[float]:
    value = header.get(keyword)
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != count:
        got = "none" if value is None else f"{len(value)}" if hasattr(value, "__len__") else repr(value)
        raise InputError(f"{path}: {keyword} is needed with {count} values, got {got}")
    numbers = [float(v) for v in value]
    if not all(math.isfinite(v) for v in numbers):
        raise InputError(f"{path}: {keyword} must be finite, got {numbers[:5]}")
    return numbers


def _number(path: Path, header: Any, keyword: str) -> float:
    value = header.get(keyword)
    if value in (None, ""):
        raise InputError(f"{path}: {keyword} is needed, got none")
    number = float(value)
    if not math.isfinite(number):
        raise InputError(f"{path}: {keyword} must be finite, got {number}")
    return number


def _series(header: Any) -> Series:
    return Series(
        modality=str(header.get("Modality", "")),
        study_uid=str(header.get("StudyInstanceUID", "")),
        series_uid=str(header.get("SeriesInstanceUID", "")),
        frame_of_reference_uid=str(header.get("FrameOfReferenceUID", "")),
        sop_class_uid=str(header.get("SOPClassUID", "")),
        instance_uids=(str(header.get("SOPInstanceUID", "")),),
        header=header,
    )
