"""Activity at the time of administration from PET, SPECT, NIfTI or MetaImage."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Volume
from mcdose.io.choice import ACTIVITY_OPTION, one_series, refuse_series
from mcdose.io.counts import CountCalibration
from mcdose.io.damage import damage
from mcdose.io.decay import mean_times_s, stated_half_life
from mcdose.io.emission import Measured, measured, require_calibrated
from mcdose.io.multiframe import all_headers
from mcdose.io.nm import emission_stack
from mcdose.io.nuclide_name import nuclide_of
from mcdose.io.quiet import LOGGER, quiet_libraries
from mcdose.io.series import Series, dicom_headers, existing
from mcdose.io.sidecar import UNITS, SideCar, read_sidecar
from mcdose.io.units import injected_bq
from mcdose.io.voxelfile import is_voxel_file, read_voxel_file

HALF_LIFE_TOLERANCE = 0.02  # headers round Y-90 to anything from 64.0 to 64.2 h
OLDEST_HALF_LIVES = 20.0  # a side-car's reference time later than this is a wrong one
SURROGATE = "Tc-99m"  # of macroaggregated albumin, which goes before the microspheres to show where they will go


@dataclass(frozen=True)
class Activity:
    """Activity at administration, and what the file says about its origin (None where it says nothing).

    Attributes
    ----------
    volume : float64, shape (nz, ny, nx) [Bq per voxel]
    total_bq : sum over the volume [Bq]
    nuclide, half_life_s : of the header [s], such as "Y-90"
    decay_correction : NONE, START or ADMIN
    administered, acquired : administration; start of the first frame
    injected_bq : RadionuclideTotalDose [Bq]
    warnings : sentences for the user
    calibration : how counts became activity, in words; None where the image knew its activity
    measured_h, measured_span_h : mean time after administration of the decays that were measured, and how far the
        times of slices are apart (beds) [h]; of a side-car its reference time; None where it is not stated
    """

    volume: Volume
    total_bq: float
    nuclide: str | None = None
    half_life_s: float | None = None
    decay_correction: str | None = None
    administered: datetime | None = None
    acquired: datetime | None = None
    injected_bq: float | None = None
    warnings: tuple[str, ...] = ()
    series: Series | None = None
    calibration: str | None = None
    measured_h: float | None = None
    measured_span_h: float = 0.0


@quiet_libraries()
def read_activity(
    path: str | Path,
    *,
    unit: str | None = None,
    nuclide: str | None = None,
    half_life_s: float | None = None,
    sensitivity_cps_per_mbq: float | None = None,
    administered_gbq: float | None = None,
    lung_shunt: float = 0.0,
    residual_gbq: float = 0.0,
    series_uid: str | None = None,
    resample: bool = False,
) -> Activity:
    """Read activity and bring it to the time of administration.

    Images in counts need one of two calibrations: a sensitivity (SPECT), or the activity that was administered.

    Parameters
    ----------
    path : folder with a DICOM PET or NM series (or a multi-frame file of one), or a NIfTI or MetaImage file, with
        `NAME.json` beside it where it is not in Bq/mL at administration
    unit : "Bq" (per voxel) or "Bq/mL", for NIfTI and MetaImage; None = the side-car's, or "Bq/mL". DICOM says its own.
    nuclide : such as "Y-90"; a header that names another one is refused. None = whatever the header says
    half_life_s : of that nuclide [s], for bringing the scan's activity back to administration, and to compare with
        the header's; None = the header's
    sensitivity_cps_per_mbq : of an NM image in counts [counts/(s MBq)]: a voxel's mean activity over the acquisition
        is counts / (acquisition time x sensitivity), and is brought to administration from there
    administered_gbq : patient-relative calibration of counts or SUV: they are scaled so that the sum over the image is
        (administered - residual) x (1 - lung shunt) at administration [GBq]. An image of Tc-99m (albumin) is taken too.
    lung_shunt : part of the net activity that is in the lungs; for images that leave the lungs out. 0 where they are in
    residual_gbq : part of the administered activity that did not reach the patient [GBq, at administration]
    series_uid : SeriesInstanceUID of the series to read; needed where a folder holds several
    resample : make an even stack of slices that are tilted, uneven or missing, see `mcdose.io.stack.stack_of`

    Returns
    -------
    Activity

    Raises
    ------
    InputError
        activity that is negative, not finite, zero throughout, or in counts without a calibration, or with a
        calibration and in Bq; several series and none chosen; a header that contradicts itself or the nuclide;
        geometry as for `mcdose.io.ct.read_ct`
    """
    if unit is not None and unit not in UNITS:
        raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {unit!r}")
    counts = CountCalibration(sensitivity_cps_per_mbq, administered_gbq, lung_shunt, residual_gbq)
    found = existing(path)
    with damage(found):
        return _read(found, unit, nuclide, half_life_s, counts, series_uid, resample)


def _read(
    found: Path,
    unit: str | None,
    nuclide: str | None,
    half_life_s: float | None,
    counts: CountCalibration,
    series_uid: str | None,
    resample: bool,
) -> Activity:
    if is_voxel_file(found):
        refuse_series(found, series_uid)
        return _read_flat(found, unit, nuclide, half_life_s, counts)
    files = one_series(found, dicom_headers(found), ("PT", "NM"), series_uid, ACTIVITY_OPTION)
    headers = all_headers(files)
    first = headers[0]
    _require_one_drug(found, first)
    if "REPROJECTION" in (first.get("SeriesType") or ()):
        raise InputError(f"{found}: SeriesType is REPROJECTION: pictures of a volume, not slices of it")
    unit_there = require_calibrated(found, headers, counts)
    if unit is not None and (unit == "Bq" or unit_there != "BQML"):
        asked, there = "Bq per voxel" if unit == "Bq" else unit, "Bq/mL" if unit_there == "BQML" else unit_there
        raise InputError(f"{found}: the unit asked for is {asked}, but the image is in {there}")
    stack = emission_stack(found, files, resample=resample)
    surrogate = _require_nuclide(found, first, nuclide, half_life_s, counts)
    read = measured(stack, unit_there, half_life_s, counts, surrogate=bool(surrogate))
    timing = read.timing
    measured_h, span_h = _measured_h(read, stack.slice_sums(read.values), half_life_s)
    total = _total_bq(found, read.values)
    warnings = (*read.warnings, *surrogate)
    for warning in warnings:
        LOGGER.warning("%s: %s", found, warning)
    return Activity(
        Volume(read.values, stack.grid),
        total,
        nuclide=nuclide_of(first),
        half_life_s=stated_half_life(found, first),
        decay_correction=None if timing is None else timing.correction,
        administered=None if timing is None else timing.administered,
        acquired=None if timing is None else timing.first_start,
        injected_bq=injected_bq(first),
        warnings=warnings,
        series=stack.series(),
        calibration=read.calibration,
        measured_h=measured_h,
        measured_span_h=span_h,
    )


def _measured_h(read: Measured, slice_bq: NDArray[np.float64], half_life_s: float | None) -> tuple[float | None, float]:
    """Mean time of the decays, slices weighted by theirs, and the span of the slices [h]."""
    life = half_life_s or (read.timing.half_life_s if read.timing else None)
    times = None if read.timing is None or life is None else mean_times_s(read.timing, life)
    if times is None or life is None:
        return None, 0.0
    decays = slice_bq * np.exp2((times.min() - times) / life)
    if not decays.sum() > 0:  # refused later, with the reason
        return None, 0.0
    return float(decays @ times / decays.sum()) / 3600.0, float(np.ptp(times)) / 3600.0


def _read_flat(
    path: Path, unit: str | None, nuclide: str | None, half_life_s: float | None, counts: CountCalibration
) -> Activity:
    if counts.given:
        raise InputError(f"{path}: a calibration of counts is for DICOM images; NIfTI and MetaImage are in Bq or Bq/mL")
    beside = read_sidecar(path) or SideCar(path)
    for what, stated, asked in (("unit", beside.unit, unit), ("nuclide", beside.nuclide, nuclide)):
        if stated is not None and asked is not None and stated.lower() != asked.lower():
            raise InputError(f"side-car {beside.path}: {what} is {stated}, the one asked for is {asked}")
    volume = read_voxel_file(path)
    factor = _since_reference(beside, half_life_s)
    if (unit or beside.unit) != "Bq":
        factor *= volume.grid.voxel_ml
    measured_h = beside.reference_time_h if beside.states_time else None
    values = np.ascontiguousarray(volume.values, dtype=np.float64) * factor
    total = _total_bq(path, values)
    return Activity(Volume(values, volume.grid), total, nuclide=beside.nuclide, measured_h=measured_h)


def _since_reference(beside: SideCar, half_life_s: float | None) -> float:
    """Activity at administration over that at the side-car's reference time."""
    elapsed_s = beside.reference_time_h * 3600.0
    if elapsed_s == 0.0:
        return 1.0
    if half_life_s is None:
        raise InputError(f"side-car {beside.path}: reference_time_h needs the nuclide's half-life, got none")
    if elapsed_s > OLDEST_HALF_LIVES * half_life_s:
        raise InputError(
            f"side-car {beside.path}: reference_time_h must be at most {OLDEST_HALF_LIVES:g} half-lives of "
            f"{half_life_s / 3600:g} h, got {beside.reference_time_h:g} h"
        )
    return float(np.exp2(elapsed_s / half_life_s))


def _total_bq(path: Path, values: NDArray[np.float64]) -> float:
    """Sum activity that can be: finite, nowhere negative, somewhere positive."""
    bad = np.count_nonzero(~np.isfinite(values))
    if bad:
        raise InputError(f"{path}: activity must be finite, {bad} voxels are NaN or infinite")
    negative = np.count_nonzero(values < 0)
    if negative:
        raise InputError(
            f"{path}: activity must not be negative: {negative} voxels are, the lowest {values.min():.6g} Bq"
        )
    total = float(values.sum())
    if total == 0.0:
        raise InputError(f"{path}: activity is zero in every voxel")
    return total


def _require_one_drug(path: Path, header: Any) -> None:
    """Refuse an image of two administrations, of one nuclide or two: neither moment holds for all of its activity."""
    drugs = list(header.get("RadiopharmaceuticalInformationSequence") or ())
    if any(drug != drugs[0] for drug in drugs[1:]):
        raise InputError(
            f"{path}: RadiopharmaceuticalInformationSequence must tell of one administration, got {len(drugs)} "
            "that differ"
        )


def _require_nuclide(
    path: Path, header: Any, asked: str | None, half_life: float | None, counts: CountCalibration
) -> tuple[str, ...]:
    """Refuse another nuclide, but for the surrogate of a patient-relative image, which is warned of."""
    stated, header_half_life = nuclide_of(header), stated_half_life(path, header)
    if stated is not None and asked is not None and stated.lower() != asked.lower():
        if counts.relative and stated == SURROGATE:
            return (f"the image is of {stated}: {asked} is taken to go where it went",)
        raise InputError(f"{path}: the header says {stated}, the nuclide asked for is {asked}")
    if header_half_life is None or half_life is None:
        return ()
    if abs(header_half_life / half_life - 1.0) > HALF_LIFE_TOLERANCE:
        raise InputError(
            f"{path}: the header's half-life is {header_half_life:g} s, that of {asked or 'the nuclide'} "
            f"{half_life:g} s; they must agree to {HALF_LIFE_TOLERANCE:.0%}"
        )
    return ()
