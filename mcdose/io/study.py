"""What all DICOM files of a run share: patient, study, frame of reference and equipment, or none of a patient."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from mcdose import __version__
from mcdose.grid import Grid
from mcdose.io.decimal_string import decimal_string
from mcdose.io.quiet import LOGGER
from mcdose.io.series import Series

PATIENT = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex")
PATIENT_OPTIONAL = ("OtherPatientIDs", "IssuerOfPatientID", "PatientIdentityRemoved", "DeidentificationMethod")
STUDY = ("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID")
VALUES = ("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime")  # type 2, which identify nothing alone
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
        setattr(common, keyword, _text(header, keyword))
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
        if keyword in header:
            _copy(common, header, keyword)
    _mend(common)
    for keyword in ("DeidentificationMethodCodeSequence",):
        if keyword in header:
            common[keyword] = header[keyword]
    common.StudyInstanceUID = common.StudyInstanceUID or generate_uid(prefix=None)
    common.FrameOfReferenceUID = common.FrameOfReferenceUID or generate_uid(prefix=None)
    common.PositionReferenceIndicator = _text(header, "PositionReferenceIndicator")
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


def _text(header: Any, keyword: str) -> Any:
    """Copy a value as text, so that it is encoded anew in the character set of the file it goes into; "" for none.

    Where the standard has one value and a backslash has made several, they are one again, with spaces.
    """
    from pydicom.datadict import dictionary_VM
    from pydicom.multival import MultiValue

    value = header.get(keyword)
    if value is None:
        return ""
    if not isinstance(value, MultiValue):
        return str(value)
    several = [str(v) for v in value]
    return " ".join(several) if dictionary_VM(keyword) == "1" else several


def _copy(common: Any, header: Any, keyword: str) -> None:
    """Copy an optional value, but for a number that is none, such as a weight of 77,5: the dose is done, and kept."""
    try:
        stated = _text(header, keyword)
        if stated:
            setattr(common, keyword, stated)
    except ValueError as error:
        LOGGER.warning("%s of the images cannot be read and is left out: %s", keyword, error)


def _mend(common: Any) -> None:
    """Set right, or else leave out with a warning, what breaks the rules of its VR (PS3.5 6.2): archives refuse it.

    Dates and times of before DICOM 3.0 lose their points and colons, numbers beyond 16 characters the last ones. Names,
    numbers and UIDs that identify patient and study stay what they are in the images.
    """
    from pydicom import config
    from pydicom.valuerep import validate_value

    for keyword in (*VALUES, *STUDY_OPTIONAL):
        if not common.get(keyword):
            continue
        element = common[keyword]
        text = str(element.value)
        for mended in (text, re.sub("[.:-]", "", text) if element.VR in ("DA", "TM") else _short(element.VR, text)):
            try:
                validate_value(element.VR, mended, config.RAISE)
            except ValueError:
                continue
            if mended != text:
                setattr(common, keyword, mended)
            break
        else:
            LOGGER.warning("%s of the images is %r, which DICOM does not allow: it is left out", keyword, text)
            del common[keyword]
            if keyword in VALUES:
                setattr(common, keyword, "")


def _short(vr: str, text: str) -> str:
    """Write a decimal string with at most 16 characters."""
    return decimal_string(float(text)) if vr == "DS" else text
