"""What files that highdicom writes refer to: the images of a series, or none, instead of the stand-in that it needs."""

from __future__ import annotations

from typing import Any

from mcdose.grid import Grid
from mcdose.io.series import Series
from mcdose.io.study import reference

CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"


def stand_in(common: Any, grid: Grid) -> Any:
    """Make the image that highdicom takes patient, study and frame of reference from.

    It stands across the planes of the grid, so that highdicom finds none of them in it and refers to none.

    Parameters
    ----------
    common : pydicom.Dataset of what the files of a run share (`mcdose.io.study.study_header`)
    grid : of what is written

    Returns
    -------
    pydicom.Dataset
    """
    from pydicom import Dataset
    from pydicom.uid import generate_uid

    image = Dataset()
    image.SpecificCharacterSet = common.SpecificCharacterSet
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
        setattr(image, keyword, "")
    image.StudyDate = image.StudyTime = None
    image.StudyInstanceUID, image.FrameOfReferenceUID = common.StudyInstanceUID, common.FrameOfReferenceUID
    image.SOPClassUID, image.SOPInstanceUID = CT_IMAGE, generate_uid(prefix=None)
    image.SeriesInstanceUID, image.Modality = generate_uid(prefix=None), "CT"
    image.Rows = image.Columns = 1
    image.ImageOrientationPatient, image.ImagePositionPatient = _across(grid), [0.0, 0.0, 0.0]
    image.PixelSpacing, image.SliceThickness = [1.0, 1.0], 1.0
    return image


def _across(grid: Grid) -> list[float]:
    """Orientation of planes that stand across those of a grid: rows along its y, columns against its z."""
    return [*grid.direction[1][::-1], *(-v for v in grid.direction[0][::-1])]


def refer(image: Any, series: Series | None) -> None:
    """Make a file of highdicom's refer to the images of the series instead of the stand-in; None = to none."""
    from pydicom import Dataset

    for keyword in ("SourceImageSequence", "ReferencedSeriesSequence"):
        if keyword in image:
            delattr(image, keyword)
    if series is None:
        return
    images = [reference(series.sop_class_uid, uid) for uid in series.instance_uids]
    item = Dataset()
    item.SeriesInstanceUID, item.ReferencedInstanceSequence = series.series_uid, images
    image.SourceImageSequence, image.ReferencedSeriesSequence = images, [item]
