"""Several images at each position: times, gates or energies of one volume, of which a reader must not choose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.io.series import Slice

# What the images of one position can differ in (PS3.3 C.7.6.16.2.2, C.7.6.18, C.8.2.1, C.8.9.4)
TELLING = (
    *("TemporalPositionIdentifier", "TemporalPositionIndex", "AcquisitionNumber", "FrameAcquisitionNumber"),
    *("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "FrameReferenceTime", "FrameReferenceDateTime"),
    *("TriggerTime", "NominalPercentageOfCardiacPhase", "NominalPercentageOfRespiratoryPhase", "KVP"),
    *("ImageType", "FrameType", "ConvolutionKernel", "SeriesDescription", "ImageComments"),
)
LISTED = 4  # values of each, and of what differs


def require_one_each(path: Path, slices: Sequence[Slice], apart_mm: float) -> None:
    """Raise if most positions have several images; a lone double slice is left to the check of the spacing.

    Parameters
    ----------
    path : to name in errors
    slices : of a series
    apart_mm : positions closer than this are one
    """
    places = np.round(np.array([s.position for s in slices]) / apart_mm)
    counts = np.unique(places, axis=0, return_counts=True)[1]
    if np.count_nonzero(counts > 1) * 2 <= len(counts):
        return
    each = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
    positions = f"{len(counts)} position{'s' if len(counts) > 1 else ''}"
    raise InputError(
        f"{path}: holds {len(slices)} images of {positions}, {each} at each: several times, gates, energies or "
        f"reconstructions, of which one volume is needed{_differences([s.header for s in slices])}"
    )


def _differences(headers: list[Any]) -> str:
    found = []
    for keyword in TELLING:
        values = list(dict.fromkeys(str(header.get(keyword)) for header in headers if header.get(keyword) is not None))
        if len(values) > 1:
            more = "" if len(values) <= LISTED else f" and {len(values) - LISTED} more"
            found.append(f"{keyword} {', '.join(values[:LISTED])}{more}")
    return f"; they differ in {'; '.join(found[:LISTED])}" if found else ""
