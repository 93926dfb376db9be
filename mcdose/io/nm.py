"""Reconstructed multi-frame NM images (SPECT): where the frames are, and how long the acquisition took.

DICOM PS3.3 C.8.4.8 (NM Multi-frame), C.8.4.11 (NM Detector), C.8.4.12 (NM TOMO Acquisition), C.8.4.15 (NM
Reconstruction).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mcdose.errors import InputError
from mcdose.io.series import Slice, slice_of
from mcdose.io.stack import Stack, read_stack, stack_of
from mcdose.io.units import real_world_scale

RECONSTRUCTED = "RECON TOMO"


def is_multi_frame(header: Any) -> bool:
    """Whether the frames of an image have no headers of their own."""
    return int(header.get("NumberOfFrames") or 1) > 1 and "PerFrameFunctionalGroupsSequence" not in header


def emission_stack(path: Path, files: list[tuple[Path, Any]], *, resample: bool = False) -> Stack:
    """Make a stack of one PET series or of one multi-frame NM image; `resample` as for `mcdose.io.stack.stack_of`."""
    if not any(is_multi_frame(header) for _, header in files):
        if files[0][1].get("Modality") == "NM":
            raise InputError(f"{path}: one multi-frame NM image is needed, got {len(files)} of one frame")
        return read_stack(path, files, resample=resample)
    if len(files) > 1:
        raise InputError(f"{path}: holds {len(files)} multi-frame images of one series, one is needed")
    return stack_of(path, nm_slices(*files[0]), resample=resample)


def nm_slices(path: Path, header: Any) -> list[Slice]:
    """Place the frames of a reconstructed NM image.

    Frame f shows slice SliceVector[f], counted from 1. The first slice is where DetectorInformationSequence says; slice
    n is (n - 1) SpacingBetweenSlices further along the normal, which is the cross product of the directions of row and
    column, and against it where the spacing is negative (PS3.3 C.8.4.15).
    """
    _require_reconstructed(path, header)
    number = _slice_numbers(path, header)
    position, orientation = _first_slice(path, header)
    step = _step_mm(path, header)
    normal = np.cross(orientation[:3], orientation[3:])
    scale = None if header.get("Units") else real_world_scale(header)
    slope, intercept = scale or (header.get("RescaleSlope"), header.get("RescaleIntercept"))
    common = {
        "PixelSpacing": header.get("PixelSpacing"),
        "ImageOrientationPatient": orientation.tolist(),
        "RescaleSlope": slope,
        "RescaleIntercept": intercept,
    }
    return [
        slice_of(path, frame, header, {**common, "ImagePositionPatient": (position + (n - 1) * step * normal).tolist()})
        for frame, n in enumerate(number)
    ]


def acquisition_s(header: Any) -> float | None:
    """Time that every detector counted [s]; None if the header does not say.

    The sum over the rotations of ActualFrameDuration x NumberOfFramesInRotation: the frames of a rotation are those
    of one detector, as all detectors count at once (PS3.3 C.8.4.12; Angular View Vector, C.8.4.8).
    """
    total = 0.0
    for rotation in header.get("RotationInformationSequence") or [header]:
        frames = rotation.get("NumberOfFramesInRotation") or header.get("NumberOfFramesInRotation")
        duration = rotation.get("ActualFrameDuration") or header.get("ActualFrameDuration")
        if not frames or not duration or not (int(frames) > 0 and float(duration) > 0):
            return None
        total += int(frames) * float(duration) / 1000.0
    return total


def decay_correction(path: Path, header: Any) -> str | None:
    """NONE, START or ADMIN of an NM image, by DecayCorrection or else CorrectedImage; None if it has neither."""
    stated = str(header.get("DecayCorrection") or "")
    if stated:
        return stated
    corrected = header.get("CorrectedImage")
    if not corrected:
        return None
    if "DECY" in ([corrected] if isinstance(corrected, str) else list(corrected)):
        raise InputError(
            f"{path}: CorrectedImage says DECY, corrected for decay, but not to which moment: "
            "DecayCorrection must be NONE, START or ADMIN, got none"
        )
    return "NONE"


def _require_reconstructed(path: Path, header: Any) -> None:
    kinds = [str(kind) for kind in header.get("ImageType") or ()]
    if header.get("Modality") == "NM" and RECONSTRUCTED not in kinds:
        raise InputError(f"{path}: ImageType must have {RECONSTRUCTED}, a reconstructed image, got {kinds}")


def _slice_numbers(path: Path, header: Any) -> list[int]:
    count = int(header.NumberOfFrames)
    vector = header.get("SliceVector")
    number = [int(n) for n in (range(1, count + 1) if vector is None else np.atleast_1d(vector))]
    if sorted(number) != list(range(1, count + 1)):
        raise InputError(
            f"{path}: SliceVector must name each of {count} slices once, one volume of one energy window, got "
            f"{len(number)} frames for {len(set(number))} slices"
        )
    return number


def _first_slice(path: Path, header: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Position [mm] and directions of the first slice, on which all detectors that state them must agree."""
    stated = [
        np.array([float(v) for v in (*item.ImagePositionPatient, *item.ImageOrientationPatient)])
        for item in [*(header.get("DetectorInformationSequence") or ()), header]
        if item.get("ImagePositionPatient") and item.get("ImageOrientationPatient")
    ]
    if not stated or any(len(place) != 9 for place in stated):
        raise InputError(
            f"{path}: multi-frame image without a place in the patient: ImagePositionPatient and "
            "ImageOrientationPatient must be in DetectorInformationSequence"
        )
    if any(np.abs(place - stated[0]).max() > 1e-3 for place in stated):
        raise InputError(f"{path}: detectors must agree on where the image is, got {[p.tolist() for p in stated]}")
    return stated[0][:3], stated[0][3:]


def _step_mm(path: Path, header: Any) -> float:
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        step = header.get(keyword)
        if step is not None and step != "":
            if float(step) == 0.0 or not np.isfinite(float(step)):
                raise InputError(f"{path}: {keyword} must not be zero, got {step}")
            return float(step)
    raise InputError(f"{path}: SpacingBetweenSlices or SliceThickness is needed, got neither")
