"""Regions on a grid to DICOM Segmentation, binary (PS3.3 A.51, C.8.20.2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose import __version__
from mcdose.grid import Grid
from mcdose.io.output import whole_file
from mcdose.io.quiet import quiet_libraries
from mcdose.io.series import Series
from mcdose.io.source_images import refer, stand_in
from mcdose.io.study import code_item, is_anonymous, orientation, study_header

LONGEST_LABEL = 64  # SegmentLabel and SegmentAlgorithmName, VR LO
TISSUE = ("85756007", "SCT", "Tissue")  # category and type of a region that is known by its count alone


@quiet_libraries()
def write_segmentation(
    path: str | Path,
    masks: Mapping[str, NDArray[np.bool_]],
    grid: Grid,
    series: Series | None,
    *,
    algorithm: str,
    description: str = "Segmentation",
    study: Any = None,
    overwrite: bool = False,
) -> None:
    """Write regions as segments with their place in the patient.

    Parameters
    ----------
    path : of the segmentation
    masks : bool, shape `grid.shape`, by label of at most 64 characters; segments may overlap
    grid : place of the voxels; slices are frames, empty ones are left out
    series : the images that the regions were found in, which the file refers to; None = none. An anonymous study
        refers to none in any case
    algorithm : how they were found, at most 64 characters; goes into SegmentAlgorithmName
    description : of the series, at most 64 characters
    study : pydicom.Dataset of what the files of a run share (`study_header`); None makes one of `series`
    overwrite : replace an existing file

    Raises
    ------
    InputError
        If the file exists and may not be replaced.
    ValueError
        No region, an empty one, one of another shape or type; a text that is too long.
    """
    _check(masks, grid, (algorithm, description))
    common = study_header(series) if study is None else study
    image = _image(masks, grid, algorithm, description, common)
    for element in common:  # as in the other files of the run, rather than from the stand-in
        image.add(element)
    for equipment in image.get("ContributingEquipmentSequence", ()):
        if "ContributionDateTime" in equipment:
            del equipment.ContributionDateTime  # the content's; and no date at all where dates are removed
    image.ContentDate, image.ContentTime = common.InstanceCreationDate, common.InstanceCreationTime
    refer(image, None if is_anonymous(common) else series)
    _derive(image)
    with whole_file(Path(path), overwrite) as part:
        image.save_as(part, enforce_file_format=True)


def _check(masks: Mapping[str, NDArray[np.bool_]], grid: Grid, texts: tuple[str, str]) -> None:
    if not masks:
        raise ValueError("masks must hold at least one region, got none")
    for name, mask in masks.items():
        if mask.shape != grid.shape or mask.dtype != np.bool_:
            raise ValueError(
                f"region {name!r} must be bool of the shape of the grid {grid.shape}, got {mask.dtype} of {mask.shape}"
            )
        if not mask.any():
            raise ValueError(f"region {name!r} must hold a voxel, got an empty one")
    for text in (*masks, *texts):
        if not 0 < len(text) <= LONGEST_LABEL or "\\" in text or not text.isprintable():
            raise ValueError(
                f"labels, algorithm and description must be 1 to {LONGEST_LABEL} printable characters without a "
                f"backslash, got {text!r}"
            )


def _derive(image: Any) -> None:
    """Say in the functional groups, for all frames at once, what the regions were found in (C.7.6.16.2.6)."""
    from pydicom import Dataset
    from pydicom.sr.coding import Code

    for frame in image.PerFrameFunctionalGroupsSequence:
        if "DerivationImageSequence" in frame:  # of the stand-in: empty
            del frame.DerivationImageSequence
    if "SourceImageSequence" not in image:
        return
    derivation = Dataset()
    derivation.DerivationCodeSequence = [code_item(Code("113076", "DCM", "Segmentation"))]
    derivation.SourceImageSequence = image.SourceImageSequence
    for source in derivation.SourceImageSequence:
        purpose = Code("121322", "DCM", "Source image for image processing operation")
        source.PurposeOfReferenceCodeSequence = [code_item(purpose)]
    image.SharedFunctionalGroupsSequence[0].DerivationImageSequence = [derivation]
    del image.SourceImageSequence  # no attribute of a segmentation


def _image(masks: Mapping[str, NDArray[np.bool_]], grid: Grid, algorithm: str, description: str, common: Any) -> Any:
    import highdicom
    from pydicom.sr.coding import Code
    from pydicom.uid import generate_uid

    dz, dy, dx = grid.voxel_mm
    kind = highdicom.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC
    family = highdicom.AlgorithmIdentificationSequence(
        name=algorithm, family=Code("123105", "DCM", "Histogram Analysis"), version=__version__
    )
    return highdicom.seg.Segmentation(
        source_images=[stand_in(common, grid)],
        pixel_array=np.stack(list(masks.values()), axis=-1).astype(np.uint8),
        segmentation_type="BINARY",
        segment_descriptions=[
            highdicom.seg.SegmentDescription(
                segment_number=number,
                segment_label=name,
                segmented_property_category=Code(*TISSUE),
                segmented_property_type=Code(*TISSUE),
                algorithm_type=kind,
                algorithm_identification=family,
            )
            for number, name in enumerate(masks, start=1)
        ],
        series_instance_uid=generate_uid(prefix=None),
        series_number=1,
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        manufacturer="mcdose",
        manufacturer_model_name="mcdose",
        software_versions=__version__,
        device_serial_number="mcdose",  # must be there; software has none
        series_description=description,
        content_label="CONTOUR",
        pixel_measures=highdicom.PixelMeasuresSequence(
            pixel_spacing=(dy, dx), slice_thickness=dz, spacing_between_slices=dz
        ),
        plane_orientation=highdicom.PlaneOrientationSequence("PATIENT", orientation(grid)),
        plane_positions=[
            highdicom.PlanePositionSequence("PATIENT", tuple(grid.position_mm((k, 0, 0))[::-1].tolist()))
            for k in range(grid.shape[0])
        ],
    )
