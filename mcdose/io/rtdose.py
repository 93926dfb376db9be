"""Absorbed dose to DICOM RT Dose, with the RT Plan that it has to refer to.

DICOM PS3.3 A.18 (RT Dose IOD), A.20 (RT Plan IOD), C.8.8.3 (RT Dose module). DoseSummationType PLAN requires a
reference to an RT Plan (type 1C); a minimal one, without beams or sources, is written beside the dose.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.grid import Grid
from mcdose.io.decimal_string import decimal_string
from mcdose.io.histograms import Histograms, add_histograms
from mcdose.io.output import require_free, whole_file
from mcdose.io.quiet import quiet_libraries
from mcdose.io.series import Series
from mcdose.io.study import orientation, reference, study_header

RT_DOSE = "1.2.840.10008.5.1.4.1.1.481.2"
RT_PLAN = "1.2.840.10008.5.1.4.1.1.481.5"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"  # the default transfer syntax, which every reader knows
FULL_SCALE = 2_100_000_000  # stored value of the largest dose: 32 bits, of which readers with signed numbers lose none
UNDEFINED_GEOMETRY = "TREATMENT_DEVICE"  # RTPlanGeometry of a plan that refers to no structure set
DOSE_TYPES = ("PHYSICAL", "EFFECTIVE")
EFFECTIVE_QUANTITY = re.compile(r"\b(BED|EQD2|RBE)\b")  # what the comment on an EFFECTIVE dose says


@quiet_libraries()
def write_rt_dose(
    path: str | Path,
    dose_gy: NDArray[Any],
    grid: Grid,
    series: Series | None,
    *,
    comment: str,
    label: str = "mcdose",
    dose_type: str = "PHYSICAL",
    plan_path: str | Path | None = None,
    study: Any = None,
    histograms: Histograms | None = None,
    overwrite: bool = False,
) -> Path:
    """Write an RT Dose file and, beside it, the RT Plan that it refers to.

    The largest dose sets DoseGridScaling, so mask voxels without meaning (air) to zero before.

    Parameters
    ----------
    path : of the RT Dose
    dose_gy : shape `grid.shape` [Gy], not negative, not NaN
    grid : dose grid
    series : the CT (or PET) that gives patient, study and frame of reference; None makes new ones
    comment : at most 64 characters, such as "Y-90 Monte Carlo, dose to medium"; goes into DoseComment
    label : at most 16 characters, RTPlanLabel
    dose_type : "PHYSICAL", or "EFFECTIVE" for dose corrected for its biological effect, such as BED [Gy]. DICOM has no
        element in RT Dose for the model (C.8.8.3), so the comment must then name the quantity: BED, EQD2 or RBE
    plan_path : of the RT Plan; None = `plan.dcm` in the folder of `path`
    study : pydicom.Dataset of what the files of a run share (`study_header`); None makes one of `series`
    histograms : go into the DVH sequence, and make both files refer to their structure set; None = no such sequence
    overwrite : replace existing files

    Returns
    -------
    Path
        of the RT Plan

    Raises
    ------
    InputError
        If a file exists and may not be replaced.
    ValueError
        For a dose, comment, label or dose type that cannot be written, and histograms, which are of physical dose, in
        an EFFECTIVE one.
    """
    dose_path = Path(path)
    plan_file = dose_path.with_name("plan.dcm") if plan_path is None else Path(plan_path)
    _check(dose_gy, grid, comment, label)
    _check_type(dose_type, comment, histograms)
    for file in (dose_path, plan_file):
        require_free(file, overwrite)
    common = study_header(series) if study is None else study
    plan = _plan(common, label, comment)
    dose = _dose(common, dose_gy, grid, plan, comment, series)
    dose.DoseType = dose_type
    if histograms is not None:
        add_histograms(dose, plan, histograms)
    for file, dataset in ((plan_file, plan), (dose_path, dose)):
        with whole_file(file, overwrite) as part:
            dataset.save_as(part, enforce_file_format=True)
    return plan_file


def _check(dose_gy: NDArray[Any], grid: Grid, comment: str, label: str) -> None:
    if dose_gy.shape != grid.shape:
        raise ValueError(f"dose must have the shape of the grid {grid.shape}, got {dose_gy.shape}")
    bad = np.count_nonzero(~np.isfinite(dose_gy))
    if bad:
        raise ValueError(f"dose must be finite, {bad} voxels are NaN or infinite; mask them to 0 first")
    if dose_gy.size == 0 or dose_gy.min() < 0:
        raise ValueError(f"dose must not be negative, got {dose_gy.min() if dose_gy.size else 'no voxel'}")
    if len(comment) > 64 or "\\" in comment:
        raise ValueError(f"comment must be at most 64 characters without a backslash, got {len(comment)}: {comment!r}")
    if not 0 < len(label) <= 16 or "\\" in label:
        raise ValueError(f"label must be 1 to 16 characters without a backslash, got {label!r}")


def _check_type(dose_type: str, comment: str, histograms: Histograms | None) -> None:
    if dose_type not in DOSE_TYPES:
        raise ValueError(f"dose_type must be one of {', '.join(DOSE_TYPES)}, got {dose_type!r}")
    if dose_type == "PHYSICAL":
        return
    if not EFFECTIVE_QUANTITY.search(comment):
        raise ValueError(f"the comment on an EFFECTIVE dose must name its quantity, BED, EQD2 or RBE, got {comment!r}")
    if histograms is not None:
        raise ValueError("histograms are of the PHYSICAL dose, so they must not be added to an EFFECTIVE one")


def _plan(common: Any, label: str, comment: str) -> Any:
    plan = _instance(common, RT_PLAN, "RTPLAN", f"{label}: reference for the dose")
    plan.RTPlanLabel = label
    plan.RTPlanName = "Reference only"
    plan.RTPlanDescription = f"No treatment plan: made by mcdose so that its RT Dose has one to refer to. {comment}"
    plan.RTPlanDate, plan.RTPlanTime = common.InstanceCreationDate, common.InstanceCreationTime
    plan.RTPlanGeometry = UNDEFINED_GEOMETRY
    plan.ApprovalStatus = "UNAPPROVED"
    return plan


def _dose(common: Any, dose_gy: NDArray[Any], grid: Grid, plan: Any, comment: str, series: Series | None) -> Any:
    nz, ny, nx = grid.shape
    dz, dy, dx = grid.voxel_mm
    z, y, x = grid.origin_mm
    dose = _instance(common, RT_DOSE, "RTDOSE", comment)
    dose.ContentDate, dose.ContentTime = common.InstanceCreationDate, common.InstanceCreationTime
    dose.ImageType = ["DERIVED", "SECONDARY"]
    dose.SliceThickness = decimal_string(dz)
    dose.ImagePositionPatient = [decimal_string(v) for v in (x, y, z)]
    dose.ImageOrientationPatient = [decimal_string(v) for v in orientation(grid)]
    dose.PixelSpacing = [decimal_string(dy), decimal_string(dx)]
    dose.SamplesPerPixel, dose.PhotometricInterpretation = 1, "MONOCHROME2"
    dose.NumberOfFrames, dose.Rows, dose.Columns = nz, ny, nx
    dose.FrameIncrementPointer = 0x3004000C
    dose.GridFrameOffsetVector = [decimal_string(k * dz) for k in range(nz)]
    dose.BitsAllocated, dose.BitsStored, dose.HighBit, dose.PixelRepresentation = 32, 32, 31, 0
    dose.DoseUnits, dose.DoseSummationType = "GY", "PLAN"
    dose.DoseComment = comment
    if series is not None and series.modality == "CT":
        dose.TissueHeterogeneityCorrection = "IMAGE"
    dose.ReferencedRTPlanSequence = [reference(RT_PLAN, plan.SOPInstanceUID)]
    # Stored with the scaling that the file states, not with the one it was rounded from.
    dose.DoseGridScaling = decimal_string(float(dose_gy.max()) / FULL_SCALE or 1.0)
    stored = np.rint(np.asarray(dose_gy, dtype=np.float64) / float(dose.DoseGridScaling))
    dose.PixelData = stored.astype("<u4").tobytes()
    return dose


def _instance(common: Any, sop_class: str, modality: str, description: str) -> Any:
    """Start a dataset of its own series from what all share."""
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import generate_uid

    instance = Dataset()
    instance.update(common)
    instance.SOPClassUID, instance.SOPInstanceUID = sop_class, generate_uid(prefix=None)
    instance.Modality = modality
    instance.SeriesInstanceUID = generate_uid(prefix=None)
    instance.SeriesNumber = 1
    instance.SeriesDescription = description[:64]
    instance.InstanceNumber = 1
    instance.file_meta = FileMetaDataset()
    instance.file_meta.MediaStorageSOPClassUID = sop_class
    instance.file_meta.MediaStorageSOPInstanceUID = instance.SOPInstanceUID
    instance.file_meta.TransferSyntaxUID = IMPLICIT_LITTLE_ENDIAN
    return instance
