"""Reconstructed NM images (SPECT), of several frames or one: where the frames are, and how long the acquisition took.

DICOM PS3.3 C.8.4.8 (NM Multi-frame), C.8.4.11 (NM Detector), C.8.4.12 (NM TOMO Acquisition), C.8.4.15 (NM
Reconstruction).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mcdose.errors import InputError
from mcdose.io.copies import without_copies
from mcdose.io.multiframe import is_multi_frame
from mcdose.io.series import Slice, require_grey, require_pixels, slice_of
from mcdose.io.stack import Stack, require_single, slices_of_series, stack_of
from mcdose.io.units import becquerel_scale

RECONSTRUCTED = "RECON TOMO"


def emission_stack(path: Path, files: list[tuple[Path, Any]], *, resample: bool = False) -> Stack:
    """Make a stack of one PET or NM series, scaled to Bq/mL where the header says how.

    `resample` as for `mcdose.io.stack.stack_of`.
    """
    several = [header for _, header in files if is_multi_frame(header)]
    if not several and files[0][1].get("Modality") != "NM":
        slices = slices_of_series(path, files)
    else:
        files = without_copies(path, files)
        if several and len(files) > 1:
            raise InputError(
                f"{path}: holds {len(several)} multi-frame images of one series, one is needed"
                f"{'' if len(several) == len(files) else f', and {len(files) - len(several)} of one frame'}"
            )
        slices = [image for file, header in files for image in nm_slices(file, header)]
        require_single(path, slices)
    return stack_of(path, [_in_becquerel(image) for image in slices], resample=resample)


def _in_becquerel(image: Slice) -> Slice:
    scale = becquerel_scale(image.path, image.header)
    unit, modality = image.header.get("Units"), image.header.get("Modality")
    if scale is None and modality == "PT" and unit in ("BQML", "GML") and image.header.get("RescaleSlope") is None:
        raise InputError(f"{image.path}: RescaleSlope is needed with Units {unit}, got none")
    return image if scale is None else replace(image, slope=scale[0], intercept=scale[1])


def nm_slices(path: Path, header: Any) -> list[Slice]:
    """Place the frames of a reconstructed NM image.

    Frame f shows slice SliceVector[f], counted from 1. The first slice is where DetectorInformationSequence says; slice
    n is (n - 1) SpacingBetweenSlices further along the normal, which is the cross product of the directions of row and
    column, and against it where the spacing is negative (PS3.3 C.8.4.15). An image of one frame is its first slice.
    """
    _require_reconstructed(path, header)
    require_pixels(path, header)
    require_grey(path, header)
    position, orientation = _first_slice(path, header)
    common = {
        "PixelSpacing": header.get("PixelSpacing"),
        "ImageOrientationPatient": orientation.tolist(),
        "RescaleSlope": header.get("RescaleSlope"),
        "RescaleIntercept": header.get("RescaleIntercept"),
        "ModalityLUTSequence": header.get("ModalityLUTSequence"),
    }
    if not is_multi_frame(header):
        return [slice_of(path, None, header, {**common, "ImagePositionPatient": position.tolist()})]
    number = _slice_numbers(path, header)
    step = _step_mm(path, header)
    normal = np.cross(orientation[:3], orientation[3:])
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
            f"{path}: {'multi-frame ' if is_multi_frame(header) else ''}image without a place in the patient: "
            "ImagePositionPatient and ImageOrientationPatient must be in DetectorInformationSequence"
            f"{'' if is_multi_frame(header) else ' or in the image; SliceLocation alone does not say where'}"
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
