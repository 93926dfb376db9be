"""Enhanced multi-frame CT and PET: what the functional groups say of each frame, as one flat header a frame.

DICOM PS3.3 C.7.6.16 (Multi-frame Functional Groups), C.8.15 (Enhanced CT), C.8.22 (Enhanced PET), C.8.16 (frame types)
and A.70, A.72 (Legacy Converted Enhanced CT and PET, with what has no group in Unassigned Converted Attributes).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom

from mcdose.errors import InputError
from mcdose.io.quiet import LOGGER

GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
FLATTENED = (  # later ones win
    "UnassignedSharedConvertedAttributesSequence",
    "UnassignedPerFrameConvertedAttributesSequence",
    "CardiacSynchronizationSequence",
    "RespiratorySynchronizationSequence",
    "TemporalPositionSequence",
    "PETFrameCorrectionFactorsSequence",
    "CTImageFrameTypeSequence",
    "PETFrameTypeSequence",
    "FrameContentSequence",
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelValueTransformationSequence",
)
PLANES = ("", "NONE", "MPR")  # VolumeBasedCalculationTechnique of frames that are planes of a volume, C.8.16.2.1
NO_VALUES = ("MAXIMUM", "MINIMUM", "MULTIPLICATION", "DIVISION", "SUBTRACTION", "MASKED", "STD_DEVIATION")  # C.8.16.1.4


def is_enhanced(header: Any) -> bool:
    """Whether the frames of a file are described by functional groups."""
    return "PerFrameFunctionalGroupsSequence" in header


def is_multi_frame(header: Any) -> bool:
    """Whether the frames of an image have no headers of their own, as those of NM."""
    return int(header.get("NumberOfFrames") or 1) > 1 and not is_enhanced(header)


def frame_headers(path: Path, header: Any) -> list[tuple[int | None, Any]]:
    """List the frames of a file with what a single-frame image of each would say; localizer frames are left out.

    Parameters
    ----------
    path : to name in errors
    header : of the file

    Returns
    -------
    frames : list of (number of the frame from 0, or None for a single-frame image; header)

    Raises
    ------
    InputError
        frames that are projections, renderings or arithmetic on images, originals mixed with reformatted ones, no
        frame but localizers
    """
    if not is_enhanced(header):
        return [(None, header)]
    common = pydicom.Dataset()
    for element in header:
        if element.keyword not in (*GROUPS, "AcquisitionDateTime"):
            common.add(element)
    shared = (header.get(GROUPS[0]) or [pydicom.Dataset()])[0]
    frames = [(k, _flat(path, common, shared, own)) for k, own in enumerate(header.get(GROUPS[1]))]
    kept: list[tuple[int | None, Any]] = [(k, f) for k, f in frames if "LOCALIZER" not in _kind(f)]
    if not kept:
        raise InputError(f"{path}: every frame is a localizer")
    if len(kept) < len(frames):
        LOGGER.info("%s: %d localizer frames left out", path, len(frames) - len(kept))
    techniques = {str(frame.get("VolumeBasedCalculationTechnique") or "") for _, frame in kept}
    strange = sorted(techniques - set(PLANES))
    if strange:
        raise InputError(f"{path}: frames must be planes of a volume, VolumeBasedCalculationTechnique is {strange[0]}")
    if "MPR" in techniques and len(techniques) > 1:
        raise InputError(f"{path}: original frames and reformatted ones (MPR) are mixed, one kind is needed")
    for k, frame in kept:
        if set(_kind(frame)[3:]) & set(NO_VALUES):
            raise InputError(f"{path}: frame {(k or 0) + 1} is no measured image, its FrameType is {_kind(frame)}")
        if str(frame.get("VolumetricProperties") or "") == "DISTORTED":
            raise InputError(f"{path}: frame {(k or 0) + 1} is DISTORTED by its VolumetricProperties")
    return kept


def all_headers(files: Sequence[tuple[Path, Any]]) -> list[Any]:
    """List the headers of all frames of all files."""
    return [frame for file, header in files for _, frame in frame_headers(file, header)]


def require_whole(path: Path, files: Sequence[tuple[Path, Any]]) -> None:
    """Raise unless all parts of a concatenation are there (PS3.3 C.7.6.16.2.2.4)."""
    parts: dict[str, dict[int, Any]] = {}
    for file, header in files:
        uid = str(header.get("ConcatenationUID") or "")
        if not uid:
            continue
        number = header.get("InConcatenationNumber")
        if number is None or int(number) in parts.setdefault(uid, {}):
            raise InputError(f"{file}: InConcatenationNumber must be there and different in each part, got {number}")
        parts[uid][int(number)] = header.get("InConcatenationTotalNumber")
    for uid, there in parts.items():
        stated = {int(total) for total in there.values() if total not in (None, "")}
        total = max({*stated, *there})
        missing = sorted(set(range(1, total + 1)) - set(there))
        if missing or len(stated) > 1:
            raise InputError(
                f"{path}: concatenation {uid} must have parts 1 to {total}, "
                f"{f'missing are {missing}' if missing else f'its totals are {sorted(stated)}'}"
            )


def _flat(path: Path, common: Any, shared: Any, own: Any) -> Any:
    """Put what is said of a frame into one dataset: of the file, of all frames, of its own, in this order."""
    flat = pydicom.Dataset()
    flat.update(common)
    for keyword in FLATTENED:
        for groups in (shared, own):
            items = groups.get(keyword)
            if items and keyword.startswith("Unassigned"):
                flat.update({element.tag: element for element in items[0] if element.tag not in common})
            elif items:
                flat.update(items[0])
    for groups in (shared, own):
        if groups.get("RealWorldValueMappingSequence"):
            flat.RealWorldValueMappingSequence = groups.RealWorldValueMappingSequence
    if flat.get("Modality") == "PT":
        _add_times(path, flat)
    return flat


def _add_times(path: Path, flat: Any) -> None:
    """Say the times of a PET frame with the words of single-frame PET."""
    if flat.get("FrameAcquisitionDateTime"):
        flat.AcquisitionDateTime = flat.FrameAcquisitionDateTime
        for whole in ("AcquisitionDate", "AcquisitionTime"):  # of all frames
            flat.pop(whole, None)
    if flat.get("FrameAcquisitionDuration") and not flat.get("ActualFrameDuration"):
        flat.ActualFrameDuration = str(round(float(flat.FrameAcquisitionDuration)))
    if not flat.get("DecayCorrection") and flat.get("DecayCorrected") in ("YES", "NO"):
        if flat.DecayCorrected == "NO":
            flat.DecayCorrection = "NONE"
        elif flat.get("DecayCorrectionDateTime"):
            flat.DecayCorrection = "START"
        else:
            raise InputError(f"{path}: DecayCorrected is YES, but DecayCorrectionDateTime, to which moment, is missing")


def _kind(frame: Any) -> list[str]:
    stated = frame.get("FrameType") or frame.get("ImageType") or ()
    return [stated] if isinstance(stated, str) else [str(kind) for kind in stated]
