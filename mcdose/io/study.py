"""What all DICOM files of a run share: patient, study, frame of reference and equipment, or none of a patient."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mcdose import __version__
from mcdose.grid import Grid
from mcdose.io.series import Series

PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
PATIENT_OPTIONAL = ("OtherPatientIDs", "IssuerOfPatientID", "PatientIdentityRemoved", "DeidentificationMethod")
STUDY = ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID")
STUDY_OPTIONAL = ("StudyDescription", "PatientAge", "PatientSize", "PatientWeight")

ANONYMOUS = "Anonymous"
NO_DATE, NO_TIME = "19000101", "000000"  # stand-ins where a date must be
DATES_REMOVED = "REMOVED"  # never copied from a series, so it marks our own
DEIDENTIFICATION = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113105", "Clean Descriptors Option"),  # comments and descriptions are mcdose's own words
)


def study_header(series: Series | None, *, anonymize: bool = False) -> Any:
    """Make the attributes that all files of a run share.

    With `anonymize`, the attributes that mcdose writes are treated as the Basic Application Level Confidentiality
    Profile with the Clean Descriptors Option asks (DICOM PS3.15, table E.1-1): nothing is copied, what has to be
    there is empty or a stand-in, every UID is new.

    Parameters
    ----------
    series : the CT (or PET) that gives patient, study and frame of reference; None makes new ones
    anonymize : take nothing from the series

    Returns
    -------
    pydicom.Dataset
    """
    from pydicom import Dataset
    from pydicom.uid import generate_uid

    header: Any = Dataset() if series is None or anonymize else series.header
    common = Dataset()
    common.SpecificCharacterSet = "ISO_IR 192"
    now = datetime.now()
    common.InstanceCreationDate, common.InstanceCreationTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    for keyword in PATIENT + STUDY:  # type 2: present, if empty
        setattr(common, keyword, _text(header.get(keyword)))
    common.StudyInstanceUID = common.FrameOfReferenceUID = ""
    if anonymize:
        _anonymous(common)
    elif series is None:
        common.PatientName, common.PatientID = "mcdose^phantom", "mcdose"
        common.StudyDate, common.StudyTime = common.InstanceCreationDate, common.InstanceCreationTime
        common.StudyID = "1"
    else:
        common.StudyInstanceUID, common.FrameOfReferenceUID = series.study_uid, series.frame_of_reference_uid
    for keyword in PATIENT_OPTIONAL + STUDY_OPTIONAL:
        if header.get(keyword) not in (None, ""):
            setattr(common, keyword, _text(header.get(keyword)))
    for keyword in ("DeidentificationMethodCodeSequence",):
        if keyword in header:
            common[keyword] = header[keyword]
    common.StudyInstanceUID = common.StudyInstanceUID or generate_uid(prefix=None)
    common.FrameOfReferenceUID = common.FrameOfReferenceUID or generate_uid(prefix=None)
    common.PositionReferenceIndicator = _text(header.get("PositionReferenceIndicator"))
    common.Manufacturer = "mcdose"
    common.ManufacturerModelName = "mcdose"
    common.SoftwareVersions = __version__
    common.OperatorsName = ""
    return common


def _anonymous(common: Any) -> None:
    from pydicom.sr.coding import Code
    from pydicom.uid import generate_uid

    common.InstanceCreationDate, common.InstanceCreationTime = NO_DATE, NO_TIME
    common.PatientName = f"{ANONYMOUS}^"
    common.PatientID = f"{ANONYMOUS}-{generate_uid(prefix=None)[-12:]}"  # its own, so that archives merge no patients
    common.PatientIdentityRemoved = "YES"
    common.DeidentificationMethod = f"mcdose {__version__}: PS3.15 Basic Profile, clean descriptors"
    codes = [code_item(Code(value, "DCM", meaning)) for value, meaning in DEIDENTIFICATION]
    common.DeidentificationMethodCodeSequence = codes
    common.LongitudinalTemporalInformationModified = DATES_REMOVED


def is_anonymous(study: Any) -> bool:
    """Tell whether a header was made with `anonymize`: files that have it must refer to nothing of the patient."""
    return str(study.get("LongitudinalTemporalInformationModified", "")) == DATES_REMOVED


def code_item(code: Any) -> Any:
    """Make the item of a code sequence.

    Parameters
    ----------
    code : pydicom.sr.coding.Code
    """
    from pydicom import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    return item


def reference(sop_class_uid: str, sop_instance_uid: str) -> Any:
    """Make an item that refers to an instance.

    Returns
    -------
    pydicom.Dataset
    """
    from pydicom import Dataset

    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class_uid, sop_instance_uid
    return item


def orientation(grid: Grid) -> tuple[float, ...]:
    """ImageOrientationPatient of a grid: the directions of a row, along x, and of a column, along y, as (x, y, z)."""
    return (*grid.direction[2][::-1], *grid.direction[1][::-1])


def _text(value: Any) -> Any:
    """Copy a value as text, so that it is encoded anew in the character set of the file it goes into."""
    if value is None:
        return ""
    return [str(v) for v in value] if isinstance(value, list) else str(value)
