"""Files that are copies of one another: the same SOPInstanceUID twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pydicom

from mcdose.errors import InputError
from mcdose.io.damage import bounded, damage
from mcdose.io.quiet import LOGGER

# Whatever says where an image is, what its values mean and when it was taken; the pixel data are compared too.
DECISIVE = (
    *("SOPClassUID", "FrameOfReferenceUID", "Rows", "Columns", "NumberOfFrames", "SliceVector", "PixelSpacing"),
    *("ImagePositionPatient", "ImageOrientationPatient", "SpacingBetweenSlices", "SliceThickness", "SliceLocation"),
    *("BitsAllocated", "BitsStored", "PixelRepresentation", "PixelPaddingValue", "PhotometricInterpretation"),
    *("RescaleSlope", "RescaleIntercept", "RescaleType", "Units", "RealWorldValueMappingSequence"),
    *("AcquisitionDate", "AcquisitionTime", "AcquisitionDateTime", "ActualFrameDuration", "DecayFactor"),
    *("DecayCorrection", "SeriesDate", "SeriesTime", "RadiopharmaceuticalInformationSequence"),
    *("DetectorInformationSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)


def without_copies(path: Path, files: list[tuple[Path, Any]]) -> list[tuple[Path, Any]]:
    """Keep one file of each SOPInstanceUID, with a warning; raise if files of the same one differ.

    Parameters
    ----------
    path : to name in the warning
    files : of one series, with their headers

    Raises
    ------
    InputError
        files of one SOPInstanceUID (which names one image, PS3.5 section 9) with other pixel data, place or scale
    """
    first: dict[str, tuple[Path, Any]] = {}
    kept, dropped = [], []
    for file, header in files:
        uid = str(header.get("SOPInstanceUID", ""))
        if uid and uid in first:
            _require_same(uid, first[uid], (file, header))
            dropped.append(file.name)
        else:
            first[uid] = (file, header)
            kept.append((file, header))
    if dropped:
        LOGGER.warning("%s: %d files are copies of others and left out: %s", path, len(dropped), ", ".join(dropped[:5]))
    return kept


def _require_same(uid: str, one: tuple[Path, Any], other: tuple[Path, Any]) -> None:
    differing = [keyword for keyword in DECISIVE if one[1].get(keyword) != other[1].get(keyword)]
    if not differing and _pixel_data(one[0]) != _pixel_data(other[0]):
        differing = ["PixelData"]
    if differing:
        raise InputError(
            f"{one[0]} and {other[0]} have one SOPInstanceUID, {uid}, but differ in {', '.join(differing)}"
        )


def _pixel_data(path: Path) -> Any:
    with damage(path, "not readable as DICOM"), bounded(path) as opened:
        return pydicom.dcmread(opened).get("PixelData")
