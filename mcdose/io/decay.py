"""DICOM's times and decay corrections of PET: from what a header says to activity at administration.

DICOM PS3.3 C.8.9.1.1.5 (Decay Correction), C.8.9.4.1.4 to .6 (Acquisition Time, Frame Reference Time, Frame Duration),
C.8.22.8 (Enhanced PET Corrections).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.io.agreement import require_same
from mcdose.io.moment import SAME_MOMENT, Clock, clock_of, has_clock, is_utc
from mcdose.io.quiet import LOGGER

FACTOR_TOLERANCE = 0.01  # a DecayFactor further than this from what the times give contradicts them
OLDEST_HALF_LIVES = 20.0  # an administration longer ago than this is a wrong date
DRUG = ("RadiopharmaceuticalStartDateTime", "RadiopharmaceuticalStartTime", "RadionuclideHalfLife")
LONGEST_SERIES_H = 12.0  # between the first and the last frame of one series; more is a date that missed midnight
LONGEST_FRAME_H = 24.0  # more is another unit than ms
LONG_LEAD_S = 1800.0  # a series that starts this long before its first frame is worth a word


@dataclass(frozen=True)
class Frame:
    """When one slice was acquired: start, duration [s] and the scanner's DecayFactor, each None where not stated."""

    start: datetime | None
    duration_s: float | None
    decay_factor: float | None


@dataclass(frozen=True)
class Timing:
    """What a PET series says about time.

    `correction` is NONE, START or ADMIN; `half_life_s` is the one the scanner corrected with; `corrected_to` is the
    moment that START refers to, where the header names it. All moments are by the clock of the first slice.
    """

    path: Path
    correction: str
    half_life_s: float | None
    administered: datetime | None
    series_start: datetime | None
    frames: tuple[Frame, ...]
    warnings: tuple[str, ...]
    corrected_to: datetime | None = None

    @property
    def first_start(self) -> datetime | None:
        """Start of the first frame."""
        return min((f.start for f in self.frames if f.start is not None), default=None)


def read_timing(path: Path, headers: Sequence[Any], *, correction: str | None = None) -> Timing:
    """Collect the times of a PET series from the headers of its slices, in the order of the slices.

    `correction` stands for DecayCorrection where that is not the header's.
    """
    first = headers[0]
    if correction is None:
        correction = str(first.get("DecayCorrection") or "")
    if correction not in ("NONE", "START", "ADMIN"):
        raise InputError(f"{path}: DecayCorrection must be NONE, START or ADMIN, got {correction!r}")
    require_same(path, headers, ("DecayCorrection", *(("SeriesDate", "SeriesTime") if correction == "START" else ())))
    require_same(path, [_radiopharmaceutical(header) for header in headers], DRUG)
    clock = Clock(path, first)
    frames = tuple(
        Frame(
            start=clock.acquisition(header),
            duration_s=stated_number(header, "ActualFrameDuration", 1e-3),
            decay_factor=stated_number(header, "DecayFactor", 1.0),
        )
        for header in headers
    )
    _require_one_session(path, frames)
    series_start = clock.moment(first, "SeriesDate", "SeriesTime")
    drug = _radiopharmaceutical(first)
    before = min((f.start for f in frames if f.start is not None), default=series_start)
    administered, *warnings = _administration(path, clock, drug, before)
    half_life = stated_half_life(path, first)
    corrected_to = clock.local(first.get("DecayCorrectionDateTime"))
    if correction == "ADMIN" and corrected_to is not None and administered is not None:
        apart = corrected_to - administered
        if abs(apart) > SAME_MOMENT:
            raise InputError(
                f"{path}: DecayCorrection is ADMIN, but DecayCorrectionDateTime {corrected_to} is "
                f"{apart.total_seconds() / 3600:.2f} h "
                f"after the administration at {administered}"
            )
    if clock.zone is None and is_utc(drug.get("RadiopharmaceuticalStartDateTime")):
        warnings.append(
            "the time of administration is given in UTC (+0000), the times of the scan in no time zone; all are taken "
            "to be by one clock"
        )
    warnings += _contradicted(first, correction)
    to = corrected_to if correction == "START" else None
    return Timing(path, correction, half_life, administered, series_start, frames, tuple(warnings), to)


def _contradicted(header: Any, correction: str) -> list[str]:
    """Say so if DecayCorrection of a PET and DECY in its CorrectedImage (PS3.3 C.8.9.1.1.3) do not fit."""
    listed = header.get("CorrectedImage")
    if not listed or header.get("Modality") != "PT":
        return []
    decayed = "DECY" in ([listed] if isinstance(listed, str) else list(listed))
    if decayed == (correction != "NONE"):
        return []
    return [
        f"DecayCorrection is {correction}, but CorrectedImage {'lists' if decayed else 'does not list'} DECY; the "
        "activity is taken as DecayCorrection says"
    ]


def _require_one_session(path: Path, frames: Sequence[Frame]) -> None:
    """Raise if the frames lie further apart than a scan takes: a date that did not change at midnight does that."""
    starts = sorted(frame.start for frame in frames if frame.start is not None)
    if starts and (starts[-1] - starts[0]).total_seconds() > LONGEST_SERIES_H * 3600.0:
        raise InputError(
            f"{path}: the slices must be acquired within {LONGEST_SERIES_H:g} h, got {starts[0]} to {starts[-1]}; "
            "a date that did not change at midnight would do that"
        )
    longest = max((frame.duration_s or 0.0 for frame in frames), default=0.0)
    if longest > LONGEST_FRAME_H * 3600.0:
        raise InputError(
            f"{path}: ActualFrameDuration must be at most {LONGEST_FRAME_H:g} h in ms, got {1e3 * longest:.6g} ms"
        )


def to_administration(timing: Timing, half_life_s: float | None) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Factors that bring each slice to the activity at administration, and what a user should know about them.

    The scanner's correction is undone with the half-life it was made with, which leaves the mean activity over the
    frame, A(start) (1 - exp(-l T)) / (l T); that is brought to the administration with the nuclide's own half-life.
    Whether the scanner's correction covers the decay within the frame is read off its DecayFactor; without one it is
    taken to, as the standard wants all images corrected to one moment.

    Parameters
    ----------
    timing : of the series
    half_life_s : of the nuclide [s]; None = the header's

    Returns
    -------
    factors : (nz,)
    warnings

    Raises
    ------
    InputError
        if a time that is needed is missing, or contradicts another
    """
    warnings = list(timing.warnings)
    header_half_life = timing.half_life_s or half_life_s
    nuclide_half_life = half_life_s or timing.half_life_s
    if timing.correction == "ADMIN" and (
        timing.administered is None or timing.first_start is None or header_half_life is None
    ):
        return np.ones(len(timing.frames)), tuple(warnings)
    if header_half_life is None or nuclide_half_life is None:
        raise InputError(f"{timing.path}: RadionuclideHalfLife is missing, it is needed with {timing.correction}")
    since_admin = _since_administration(timing, nuclide_half_life)
    duration = np.array([f.duration_s or 0.0 for f in timing.frames])
    if timing.correction == "NONE" and not duration.all():
        warnings.append("ActualFrameDuration is missing: decay within the frame is not corrected for")
    decay = np.log(2) / nuclide_half_life
    wanted = np.exp(decay * since_admin) * _frame_decay(decay * duration)
    if timing.correction == "NONE":
        return wanted, tuple(warnings)
    done, more = _done_by_scanner(timing, since_admin, np.log(2) / header_half_life, duration)
    return wanted / done, (*warnings, *more)


def _since_administration(timing: Timing, half_life_s: float) -> NDArray[np.float64]:
    """Time from administration to the start of each slice's frame [s]; raise if it is not known or cannot be."""
    path, administered = timing.path, timing.administered
    if administered is None:
        raise InputError(
            f"{path}: the time of administration (RadiopharmaceuticalStartDateTime or ...StartTime) is missing, "
            f"it is needed with DecayCorrection {timing.correction}"
        )
    starts = [f.start for f in timing.frames]
    if any(start is None for start in starts):
        raise InputError(f"{path}: AcquisitionDate and AcquisitionTime are needed in every slice")
    since_admin = np.array([(start - administered).total_seconds() for start in starts if start is not None])
    if since_admin.min() < 0 or since_admin.max() > OLDEST_HALF_LIVES * half_life_s:
        raise InputError(
            f"{path}: administration at {administered} and acquisition from {timing.first_start} do not fit: "
            f"{since_admin.min() / 3600:.1f} h apart"
        )
    return since_admin


def _done_by_scanner(
    timing: Timing, since_admin: NDArray[np.float64], header_decay: float, duration_s: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[str]]:
    """Factor that the scanner multiplied each slice by (START or ADMIN), and what a user should know of it.

    Parameters
    ----------
    timing : of the series
    since_admin : (nz,), from administration to the start of each frame [s]
    header_decay : constant that the scanner corrected with [1/s]
    duration_s : (nz,), of the frames, 0 where not stated [s]
    """
    warnings: list[str] = []
    within = _frame_decay(header_decay * duration_s)
    since_reference = since_admin
    if timing.correction == "START":
        since_reference = since_admin - _reference_since_administration(timing, since_admin, header_decay, within)
        unchecked = timing.corrected_to is None and timing.frames[0].decay_factor is None
        if unchecked and since_reference.min() > LONG_LEAD_S:
            warnings.append(
                f"activity is taken as corrected to the series time, {since_reference.min() / 3600:.1f} h before "
                "the first frame; there is no DecayFactor to check it by"
            )
    done = np.exp(header_decay * since_reference)
    covers_frame = True
    stated = _stated_factors(timing)
    if stated is not None and not _agrees(stated, done, within):
        warnings.append(
            f"DecayFactor {stated[0]:.6g} of the first slice contradicts the times, which give {done[0]:.6g}; "
            "the activity is taken to be at administration all the same"
        )
    elif stated is not None:
        ratio = stated / done
        covers_frame = bool(np.abs(ratio - within).mean() <= np.abs(ratio - 1.0).mean())
    if covers_frame:
        return done * within, warnings
    if (within - 1.0).max() > 1e-4:
        LOGGER.info(
            "%s: by its DecayFactor the scanner left out the decay within the frame; activity raised by %.3f %%",
            timing.path,
            100 * (within.max() - 1.0),
        )
    return done, warnings


def mean_times_s(timing: Timing, half_life_s: float) -> NDArray[np.float64] | None:
    """Mean time after administration of the decays in the frame of each slice [s], None where the times are not stated.

    For a frame of length T that starts at t this is t + 1/l - T / (exp(l T) - 1), a little before its middle. It is
    the time that the activity at administration of `to_administration` belongs to where biology clears some of it:
    that is the mean over the frame of what was retained, weighted by exp(-l t), and to first order in the clearance
    within the frame it is what was retained at this time.

    Parameters
    ----------
    timing : of the series
    half_life_s : of the nuclide [s]

    Returns
    -------
    times : (nz,)
    """
    starts = [frame.start for frame in timing.frames]
    if timing.administered is None or any(start is None for start in starts):
        return None
    since_admin = np.array([(start - timing.administered).total_seconds() for start in starts if start is not None])
    duration = np.array([frame.duration_s or 0.0 for frame in timing.frames])
    decay = np.log(2) / half_life_s
    x = decay * duration
    large = np.maximum(x, 1e-3)
    within = np.where(x > 1e-3, (1.0 - large / np.expm1(large)) / decay, duration * (0.5 - x / 12.0))
    return np.asarray(since_admin + within)


def relative_factors(timing: Timing, half_life_s: float | None) -> NDArray[np.float64]:
    """Factors that bring slices to one moment, whichever: what a calibration needs that only scales the whole.

    Slices of one frame are at one moment as they are, and need no times.

    Parameters
    ----------
    timing : of the series
    half_life_s : of what was scanned [s]; None = the header's

    Returns
    -------
    factors : (nz,)
    """
    if len(set(timing.frames)) == 1:
        return np.ones(len(timing.frames))
    if timing.correction != "ADMIN":
        if timing.first_start is None:
            raise InputError(f"{timing.path}: AcquisitionDate and AcquisitionTime are needed in every slice")
        timing = replace(timing, administered=timing.first_start)
    return to_administration(timing, half_life_s)[0]


def left_at_reference(timing: Timing, half_life_s: float | None) -> float:
    """Part of the administered activity that is left at the moment that the image is corrected to (START or ADMIN).

    Parameters
    ----------
    timing : of a series whose times `to_administration` has accepted
    half_life_s : of the nuclide [s], where the header has none
    """
    half_life = timing.half_life_s or half_life_s
    administered = timing.administered
    if timing.correction != "START" or half_life is None or administered is None:
        return 1.0
    decay = np.log(2) / half_life
    since_admin = np.array([(f.start - administered).total_seconds() for f in timing.frames if f.start is not None])
    within = _frame_decay(decay * np.array([f.duration_s or 0.0 for f in timing.frames]))
    return float(np.exp(-decay * _reference_since_administration(timing, since_admin, decay, within)))


def _frame_decay(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Activity at the start of a frame over its mean in the frame, x / (1 - exp(-x)), 1 for x = 0."""
    safe = np.where(x > 0, x, 1.0)
    return np.where(x > 0, safe / -np.expm1(-safe), 1.0)


def _stated_factors(timing: Timing) -> NDArray[np.float64] | None:
    stated = [f.decay_factor for f in timing.frames if f.decay_factor is not None and f.decay_factor > 0]
    return np.array(stated) if len(stated) == len(timing.frames) else None


def _agrees(stated: NDArray[np.float64], done: NDArray[np.float64], within: NDArray[np.float64]) -> bool:
    nearest = np.minimum(np.abs(stated / done - 1.0), np.abs(stated / (done * within) - 1.0))
    return bool(nearest.max() <= FACTOR_TOLERANCE)


def _reference_since_administration(
    timing: Timing, since_admin: NDArray[np.float64], header_decay: float, within: NDArray[np.float64]
) -> float:
    """Time from administration to the moment that START refers to [s].

    That is the series time; a series time after the first frame is that of later processing, and the first frame's
    start then stands for it (as in the pseudo-code for SUV of the Quantitative Imaging Biomarkers Alliance). Where the
    header names the moment, that is it. The one chosen has to agree with the DecayFactor, where there is one.
    """
    candidates = [float(since_admin.min())]
    if timing.corrected_to is not None and timing.administered is not None:
        candidates = [(timing.corrected_to - timing.administered).total_seconds()]
    elif timing.series_start is not None and timing.administered is not None:
        series = (timing.series_start - timing.administered).total_seconds()
        if series <= candidates[0]:
            candidates.insert(0, series)
    stated = _stated_factors(timing)
    if stated is None:
        lead_h = (float(since_admin.min()) - candidates[0]) / 3600.0
        if lead_h > LONGEST_SERIES_H and timing.corrected_to is None:
            raise InputError(
                f"{timing.path}: DecayCorrection is START, but the series time {timing.series_start} is {lead_h:.1f} h "
                "before the first frame, and there is no DecayFactor that confirms it"
            )
        return candidates[0]
    for candidate in candidates:
        if _agrees(stated, np.exp(header_decay * (since_admin - candidate)), within):
            return candidate
    expected = np.exp(header_decay * (since_admin - candidates[0]))
    worst = int(np.abs(stated / expected - 1.0).argmax())
    raise InputError(
        f"{timing.path}: DecayCorrection is START, but DecayFactor {stated[worst]:.6g} contradicts "
        f"{'the series time' if timing.corrected_to is None else 'DecayCorrectionDateTime'} "
        f"{timing.corrected_to or timing.series_start}, which gives {expected[worst]:.6g}"
    )


def _administration(path: Path, clock: Clock, drug: Any, before: datetime | None) -> list[Any]:
    """Find the time of administration (None if there is none), then a warning where its date had to be inferred."""
    stated, time = drug.get("RadiopharmaceuticalStartDateTime"), drug.get("RadiopharmaceuticalStartTime")
    if stated and has_clock(stated):
        return [_agreeing(path, clock.local(stated), stated, time)]
    if stated and not time:
        raise InputError(f"{path}: RadiopharmaceuticalStartDateTime must have a time of day, got {stated}")
    if stated:
        return [clock.local(f"{stated!s:.8}{time}")]
    if not time or before is None:
        return [None]
    moment = datetime.combine(before.date(), clock_of(time))
    if moment > before:
        moment -= timedelta(days=1)
    return [
        moment,
        f"the header gives the time of administration without its date; taken as {moment}, "
        "the last such time before the scan",
    ]


def _agreeing(path: Path, moment: datetime | None, stated: Any, time: Any) -> datetime | None:
    """Raise if the time of administration is stated twice, and not as one."""
    if moment is not None and time:
        apart = abs(datetime.combine(moment.date(), clock_of(time)) - moment)
        if min(apart, timedelta(days=1) - apart) > SAME_MOMENT:
            raise InputError(
                f"{path}: RadiopharmaceuticalStartDateTime {stated} and RadiopharmaceuticalStartTime {time} must be "
                "one time of day"
            )
    return moment


def _radiopharmaceutical(header: Any) -> Any:
    sequence = header.get("RadiopharmaceuticalInformationSequence")
    return sequence[0] if sequence else {}


def stated_half_life(path: Path, header: Any) -> float | None:
    """RadionuclideHalfLife [s], None where it is not stated; raise unless it is positive."""
    stated = stated_number(_radiopharmaceutical(header), "RadionuclideHalfLife", 1.0)
    if stated is not None and not stated > 0:
        raise InputError(f"{path}: RadionuclideHalfLife must be positive, got {stated} s")
    return stated


def stated_number(holder: Any, keyword: str, scale: float) -> float | None:
    """Return a number of a header times `scale`, None where it is not stated."""
    value = holder.get(keyword)
    if value is None or value == "":
        return None
    if not 0.0 <= float(value) < math.inf:
        raise ValueError(f"{keyword} must be a finite number from 0, got {value}")
    return float(value) * scale
