"""Several PET or SPECT images of one administration: read, held against each other, and integrated over time."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Grid
from mcdose.time_activity import PER, Region, TimeIntegral, time_integrated_activity
from mcdose.time_curve import MODELS, require_points

if TYPE_CHECKING:
    from mcdose.io.activity import Activity

LOGGER = logging.getLogger("mcdose")
SAME_ADMINISTRATION_S = 60.0  # headers round to minutes
CLOSEST_H = 0.1  # points that are nearer to each other say nothing about the time between them
LONG_SPAN = 0.1  # of the interval to the nearest point, between the beds of one point: worth a word
TOLERATED_OUTSIDE = 0.01  # part of a point's activity that may lie outside the others' grids


@dataclass(frozen=True)
class TimePoint:
    """One image: `time_h` is the mean time after administration of the decays that it measured."""

    path: str | Path
    activity: Activity
    time_h: float


def check_time_fit(
    points: int,
    time_fit: str,
    fit_per: str,
    *,
    structures: bool,
    administered: bool,
    called: Callable[[str], str] = str,
) -> None:
    """Refuse a fit that cannot be made, before any file is opened.

    Parameters
    ----------
    points : how many images
    time_fit, fit_per : model and unit of the fit
    structures : whether there are any
    administered : whether counts are scaled to the administered activity
    called : what the user calls an argument

    Raises
    ------
    ValueError
    """
    for name, value, known in (("time_fit", time_fit, MODELS), ("fit_per", fit_per, PER)):
        if value not in known:
            raise ValueError(f"{called(name)} must be one of {', '.join(known)}, got {value!r}")
    try:
        require_points(time_fit, points)
    except ValueError as error:
        raise ValueError(f"{called('time_fit')} {error}") from error
    if fit_per == "structure" and points == 1:
        raise ValueError(f"{called('fit_per')} structure needs several time points, got one")
    if fit_per == "structure" and not structures:
        raise ValueError(f"{called('fit_per')} structure needs {called('structures')}, got none")
    if administered and points > 1:
        raise ValueError(
            f"{called('administered_gbq')} makes every image the same activity, which leaves nothing to see over time, "
            f"so it cannot go with {points} time points"
        )


def time_points(paths: Sequence[str | Path], activities: Sequence[Activity]) -> tuple[TimePoint, ...]:
    """Make time points, and refuse what are not images of one administration at different times.

    Parameters
    ----------
    paths : of all points, in the user's order
    activities : as read from them; the first gives the grid, and says how activity lies in a structure

    Returns
    -------
    points : in the order of the paths

    Raises
    ------
    InputError
        a point without a time; administrations more than a minute apart; points less than 0.1 h apart; other frames of
        reference; more than 1 % of the activity of a point outside the grid of the first, or of the first outside that
        of a point
    """
    points = []
    for path, activity in zip(paths, activities, strict=True):
        if activity.measured_h is None:
            raise InputError(
                f"{path}: the time of the scan after administration is needed with several time points: "
                "RadiopharmaceuticalStartDateTime, AcquisitionDate and AcquisitionTime in DICOM, reference_time_h in a "
                "side-car"
            )
        points.append(TimePoint(path, activity, activity.measured_h))
    for point in points[1:]:
        _require_one_administration(points[0], point)
        _require_one_frame(points[0], point)
        _require_one_place(points[0], point)
    _require_apart(points)
    return tuple(points)


def integrate(
    points: Sequence[TimePoint],
    first_bq: NDArray[np.float64],
    grid: Grid,
    structures: Mapping[str, NDArray[Any]],
    nuclide: str,
    time_fit: str,
    fit_per: str,
) -> TimeIntegral:
    """Bring points to one grid by the overlap of voxels, activity conserved, and integrate them there.

    Parameters
    ----------
    points : the first is the reference
    first_bq : the first on the grid
    grid : of the dose
    structures : coverage of that grid
    nuclide : for its half-life
    time_fit, fit_per : `model` and `per` of `time_integrated_activity`
    """
    from mcdose.resample import onto

    images = [first_bq, *(onto(point.activity.volume, grid) for point in points[1:])]
    times = [point.time_h for point in points]
    try:
        integral = time_integrated_activity(images, times, nuclide, model=time_fit, per=fit_per, structures=structures)
    except ValueError as error:
        raise InputError(f"{points[0].path} and {len(points) - 1} more time points: {error}") from error
    for warning in integral.warnings:
        LOGGER.warning("%s", warning)
    return integral


def record(points: Sequence[TimePoint], integral: TimeIntegral) -> dict[str, Any]:
    """Say for `Case.origin` what was integrated, and how well the curves fit.

    `activity_bq` is what was administered to the image: known where it stayed, None where biology cleared some of it.
    """
    stayed = integral.model == "physical"
    return {
        "activity_bq": float(integral.tia_bq_s.sum()) * integral.decay_per_s if stayed else None,
        "time_points": {
            "time_fit": integral.model,
            "fit_per": integral.per,
            "points": [
                {"path": str(point.path), "time_h": point.time_h, "activity_bq": point.activity.total_bq}
                for point in points
            ],
            "trapezoid_fraction": integral.trapezoid_fraction,
            "regions": {region.name: _region(region) for region in integral.regions},
        },
    }


def _region(region: Region) -> dict[str, Any]:
    curve = region.curve
    return {
        "voxels": region.voxels,
        "measured_bq": list(region.measured_bq),
        "decays": region.tia_bq_s,
        "fitted_decays": curve.tia_bq_s,
        "curve": curve.model,
        "amplitudes_bq": list(curve.amplitudes_bq),
        "effective_half_lives_h": list(curve.effective_half_lives_h),
        "residuals": None if curve.model == "trapezoid" else list(curve.residuals),
        "scatter": curve.scatter,
        "relative_uncertainty": curve.relative_uncertainty,
        "after_last_fraction": curve.after_last_fraction,
        "reason": curve.reason or None,
    }


def _require_one_administration(first: TimePoint, point: TimePoint) -> None:
    given = first.activity.administered, point.activity.administered
    if given[0] is None or given[1] is None:
        return
    apart_s = abs((given[0] - given[1]).total_seconds())
    if apart_s > SAME_ADMINISTRATION_S:
        raise InputError(
            f"{first.path} and {point.path} must be of one administration, to {SAME_ADMINISTRATION_S:g} s: got "
            f"{given[0]} and {given[1]}, {apart_s:g} s apart"
        )


def _require_one_frame(first: TimePoint, point: TimePoint) -> None:
    frames = [p.activity.series.frame_of_reference_uid if p.activity.series else None for p in (first, point)]
    if all(frames) and frames[0] != frames[1]:
        raise InputError(
            f"{first.path} and {point.path} must share a frame of reference, got {frames[0]} and {frames[1]}: "
            "register and resample one to the other first"
        )


def _require_one_place(first: TimePoint, point: TimePoint) -> None:
    """Refuse a point that shows another part of the patient: what it does not show is not zero."""
    from mcdose.resample import outside_fraction

    if first.activity.volume.grid == point.activity.volume.grid:
        return
    for one, other in ((first, point), (point, first)):
        fraction = outside_fraction(one.activity.volume, other.activity.volume.grid)
        if fraction > TOLERATED_OUTSIDE:
            raise InputError(
                f"at most {TOLERATED_OUTSIDE:.0%} of the activity of {one.path} may lie outside {other.path}, "
                f"got {100 * fraction:.2f} %"
            )


def _require_apart(points: Sequence[TimePoint]) -> None:
    in_time = sorted(points, key=lambda point: point.time_h)
    for before, after in itertools.pairwise(in_time):
        interval = after.time_h - before.time_h
        if interval < CLOSEST_H:
            raise InputError(
                f"time points must be at least {CLOSEST_H:g} h apart: {before.path} is at {before.time_h:.4g} h after "
                f"administration, {after.path} at {after.time_h:.4g} h"
            )
        for point in (before, after):
            span = point.activity.measured_span_h
            if span > LONG_SPAN * interval:
                LOGGER.warning(
                    "%s: its slices were measured over %.2g h and are taken to be at one time, %.4g h",
                    point.path,
                    span,
                    point.time_h,
                )
