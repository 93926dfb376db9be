"""What a PET or NM image measured, as activity at administration: by its own units, or by a calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.io.counts import CountCalibration, becquerels
from mcdose.io.decay import Timing, left_at_reference, read_timing, relative_factors, to_administration
from mcdose.io.nm import acquisition_s, decay_correction
from mcdose.io.stack import Stack
from mcdose.io.units import COUNTS, PROPORTIONAL, bq_per_ml_of_suv, image_units, unit_error


class Measured(NamedTuple):
    """Activity of a DICOM image [Bq per voxel], and what is known of its times (None where they do not matter)."""

    values: NDArray[np.float64]
    timing: Timing | None
    warnings: tuple[str, ...]
    calibration: str | None


def require_calibrated(path: Path, headers: Sequence[Any], counts: CountCalibration) -> str:
    """Find the unit of an image, which must be activity, or become activity by the calibration, and not both.

    Parameters
    ----------
    path : to name in errors
    headers : of the slices
    counts : calibration, which may be none

    Returns
    -------
    unit : BQML, GML, or one of `mcdose.io.units.PROPORTIONAL`
    """
    units = sorted({image_units(path, header) for header in headers})
    if len(units) > 1:
        raise InputError(f"{path}: the slices must be in one unit, Units are {', '.join(units)}")
    (unit,) = units
    spect = headers[0].get("Modality") == "NM"
    if unit == "BQML" and counts.given:
        raise InputError(f"{path}: the image is in Bq/mL, it takes no calibration of counts")
    if counts.relative:
        if unit not in PROPORTIONAL:
            raise unit_error(path, unit)
    elif counts.given:
        if not (spect and unit == "CNTS"):
            raise InputError(
                f"{path}: a sensitivity is for an NM image in counts, "
                f"this is {headers[0].get('Modality')} with Units {unit or 'absent'}"
            )
    elif spect and unit == "CNTS":
        raise InputError(
            f"{path}: activity is in counts, not Bq/mL: this is an NM image, whose counts need a calibration, a "
            "sensitivity (--sensitivity) or the administered activity (--administered-gbq)"
        )
    elif unit not in ("BQML", "GML"):
        raise unit_error(path, unit)
    return unit


def measured(
    stack: Stack, unit: str, half_life_s: float | None, counts: CountCalibration, *, surrogate: bool
) -> Measured:
    """Bring an image to activity at administration.

    Parameters
    ----------
    stack : the image
    unit : as `require_calibrated` gave it
    half_life_s : of the nuclide asked for [s]; None = the header's
    counts : calibration, where the unit needs one
    surrogate : whether the image is of another nuclide than the one asked for
    """
    if stack.evening is not None and unit in COUNTS:
        raise InputError(f"{stack.path}: slices in {unit} cannot be evened out, their counts are not densities")
    if counts.relative:
        return _relative(stack, unit, None if surrogate else half_life_s, counts)
    if unit == "CNTS":
        return _by_sensitivity(stack, half_life_s, counts)
    return _in_bq_per_ml(stack, unit, half_life_s)


def _in_bq_per_ml(stack: Stack, unit: str, half_life_s: float | None) -> Measured:
    """Activity of an image in Bq/mL, or in SUV that the header brings back to Bq/mL."""
    header = stack.slices[0].header
    _require_attenuation(stack.path, header)
    scale = bq_per_ml_of_suv(stack.path, header) if unit == "GML" else 1.0
    timing = _timing(stack)
    factors, warnings = to_administration(timing, half_life_s)
    if unit == "GML":
        if timing.correction == "NONE":
            raise InputError(f"{stack.path}: SUV must be corrected for decay, DecayCorrection is NONE")
        scale *= left_at_reference(timing, half_life_s)
    return Measured(_weighted(stack, factors * scale * stack.grid.voxel_ml), timing, warnings, None)


def _require_attenuation(path: Path, header: Any) -> None:
    """Refuse a PET in Bq/mL that lists its corrections, and not that of attenuation: it shows a fraction of the truth.

    CorrectedImage is of type 2 (PS3.3 C.8.9.1): where it is absent or empty, nothing is said.
    """
    listed = header.get("CorrectedImage")
    kinds = [] if not listed else [listed] if isinstance(listed, str) else [str(kind) for kind in listed]
    if header.get("Modality") == "PT" and kinds and "ATTN" not in kinds:
        raise InputError(f"{path}: activity must be corrected for attenuation (ATTN), CorrectedImage is {kinds}")


def _by_sensitivity(stack: Stack, half_life_s: float | None, counts: CountCalibration) -> Measured:
    """Activity from counts, acquisition time and sensitivity: mean over the acquisition, then at administration."""
    stated = {acquisition_s(s.header) for s in stack.slices}
    if len(stated) > 1:
        raise InputError(f"{stack.path}: all slices must be of one acquisition time, got {stated}")
    (seconds,) = stated
    if seconds is None or counts.sensitivity_cps_per_mbq is None:
        raise InputError(
            f"{stack.path}: the acquisition time is needed with a sensitivity, but the header lacks "
            "ActualFrameDuration or NumberOfFramesInRotation"
        )
    timing = _timing(stack)
    factors, warnings = to_administration(timing, half_life_s)
    values = becquerels(_weighted(stack, factors), seconds, counts.sensitivity_cps_per_mbq)
    return Measured(values, timing, warnings, counts.in_words(seconds))


def _relative(stack: Stack, unit: str, half_life_s: float | None, counts: CountCalibration) -> Measured:
    """Scale to the administered activity; all of an NM image is at one time, the beds of a PET are not."""
    timing, factors = None, np.ones(len(stack.slices))
    if stack.slices[0].header.get("Modality") != "NM":
        timing = _timing(stack)
        factors = relative_factors(timing, half_life_s)
        durations = [frame.duration_s for frame in timing.frames]
        if unit in COUNTS and len(set(durations)) > 1:
            if not all(durations):
                raise InputError(f"{stack.path}: ActualFrameDuration is needed in every slice of an image in counts")
            factors = factors / np.array(durations, dtype=np.float64)
    return Measured(counts.scaled(_weighted(stack, factors)), timing, (), counts.in_words())


def _weighted(stack: Stack, factors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Multiply each slice by its factor, as density: a slice that was evened out keeps its activity."""
    return np.asarray(stack.values(factors), dtype=np.float64)


def _timing(stack: Stack) -> Timing:
    """Read the times of the slices; the frames of a SPECT, stored as NM or PT, are all of the whole acquisition."""
    headers = [s.header for s in stack.slices]
    first = headers[0]
    if first.get("Modality") != "NM":
        timing = read_timing(stack.path, headers)
        whole = acquisition_s(first) if first.get("RotationInformationSequence") else None
        if whole is None:
            return timing
        return replace(timing, frames=tuple(replace(frame, duration_s=whole) for frame in timing.frames))
    correction = decay_correction(stack.path, first)
    warnings: tuple[str, ...] = ()
    if correction is None:
        if image_units(stack.path, first) != "CNTS":
            raise InputError(f"{stack.path}: DecayCorrection or CorrectedImage is needed with activity, got neither")
        correction = "NONE"
        warnings = ("CorrectedImage is missing: the counts are taken as not corrected for decay",)
    timing = read_timing(stack.path, headers, correction=correction)
    frames = tuple(replace(frame, duration_s=acquisition_s(first)) for frame in timing.frames)
    return replace(timing, frames=frames, warnings=(*timing.warnings, *warnings))
