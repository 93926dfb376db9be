"""The activity image moved to where a registration puts it on the CT."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mcdose.errors import InputError
from mcdose.grid import Volume

if TYPE_CHECKING:
    from mcdose.io.activity import Activity
    from mcdose.io.series import Image, Series

LOGGER = logging.getLogger("mcdose")
Emission = TypeVar("Emission", "Activity", "Image")


def frame_of(series: Series | None) -> str:
    """Frame of reference of a series, "" for none."""
    return "" if series is None else series.frame_of_reference_uid


def require_same_frame(activity: str | Path, source: Series | None, ct: str | Path, image: Series | None) -> None:
    """Refuse images whose coordinates do not refer to the same origin."""
    patients = [str(series.header.get("PatientID") or "") for series in (source, image) if series is not None]
    if len(patients) == 2 and all(patients) and patients[0] != patients[1]:
        LOGGER.warning("%s and %s have two values of PatientID; are they of one patient?", activity, ct)
    frames = frame_of(source), frame_of(image)
    for series, path in ((source, activity), (image, ct)):
        if series is not None and not series.frame_of_reference_uid and any(frames):
            LOGGER.warning("%s has no FrameOfReferenceUID; it is taken to lie as its coordinates say", path)
    if all(frames) and frames[0] != frames[1]:
        raise InputError(
            f"{activity} and {ct} must share a frame of reference, got {frames[0]} and {frames[1]}: "
            "a registration (--registration) of one to the other is needed"
        )


def registered(activity: Emission, path: str | Path, ct: Series | None) -> tuple[Emission, dict[str, Any]]:
    """Put an activity image, or one in counts, where a registration file says.

    A rigid transform moves the grid, and no value changes. One with scales or shears moves the voxels' content by
    overlap to an upright grid of the same voxel size: the activity is kept, the volume is not.

    Parameters
    ----------
    activity : as read
    path : see `mcdose.io.registration.read_registration`
    ct : series of the CT; None = it has none

    Returns
    -------
    activity : in the frame of reference of the CT
    record : for `Case.origin`: what was read, in plain JSON types
    """
    from mcdose.io.registration import read_registration
    from mcdose.resample import transformed

    found = read_registration(path, from_frame=frame_of(activity.series) or None, to_frame=frame_of(ct) or None)
    for warning in found.warnings:
        LOGGER.warning("%s", warning)  # which names the file
    if found.kind == "rigid":
        volume = Volume(activity.volume.values, activity.volume.grid.moved(found.matrix))
    else:
        volume = transformed(activity.volume, found.matrix)
    series = activity.series
    if series is not None:
        series = replace(series, frame_of_reference_uid=frame_of(ct))
    record = {"path": str(path), "source": found.source, "kind": found.kind, "matrix": found.matrix.tolist()}
    return replace(activity, volume=volume, series=series), record
