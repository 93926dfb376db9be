"""Maps on the dose grid to DICOM Parametric Map, 32 bits floating point (PS3.3 A.75)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose import __version__
from mcdose.grid import Grid
from mcdose.io.output import whole_file
from mcdose.io.quiet import quiet_libraries
from mcdose.io.series import Series
from mcdose.io.source_images import refer, stand_in
from mcdose.io.study import is_anonymous, orientation, study_header


class Quantity(NamedTuple):
    """What the numbers of a map are: codes as (value, scheme, meaning), a label of at most 16 capitals."""

    label: str
    quantity: tuple[str, str, str]
    unit: tuple[str, str, str]
    description: str


DOSE = Quantity("DOSE", ("128513", "DCM", "Absorbed Dose"), ("Gy", "UCUM", "Gy"), "Absorbed dose")
UNCERTAINTY = Quantity(
    "UNCERTAINTY",
    ("371884006", "SCT", "+/-, range of measurement uncertainty"),
    ("1", "UCUM", "no units"),
    "Relative standard error of dose (1 sigma)",
)


@quiet_libraries()
def write_parametric_map(
    path: str | Path,
    values: NDArray[Any],
    grid: Grid,
    series: Series | None,
    quantity: Quantity,
    *,
    comment: str,
    study: Any = None,
    overwrite: bool = False,
) -> None:
    """Write float32 values with their quantity, unit and place in the patient.

    Parameters
    ----------
    path : of the Parametric Map
    values : shape `grid.shape`, in the unit of `quantity`; NaN, which DICOM allows here, is kept
    grid : place of the values; slices are frames, each with its position
    series : the images that the file refers to; None = none. An anonymous study refers to none in any case
    quantity : `DOSE` [Gy] or `UNCERTAINTY` [1]
    comment : at most 64 characters, such as "Y-90 Monte Carlo, dose to medium"; goes into the explanation of values
    study : pydicom.Dataset of what the files of a run share (`study_header`); None makes one of `series`
    overwrite : replace an existing file

    Raises
    ------
    InputError
        If the file exists and may not be replaced.
    """
    if values.shape != grid.shape:
        raise ValueError(f"values must have the shape of the grid {grid.shape}, got {values.shape}")
    if np.isinf(values).any() or np.nanmin(values, initial=0.0) < 0:
        raise ValueError(f"values must be finite or NaN and not negative, got {np.nanmin(values)} to {values.max()}")
    if len(comment) > 64 or "\\" in comment:
        raise ValueError(f"comment must be at most 64 characters without a backslash, got {len(comment)}: {comment!r}")
    common = study_header(series) if study is None else study
    image = _image(np.asarray(values, dtype=np.float32), grid, quantity, comment, common)
    for element in common:  # as in the other files of the run, rather than from the stand-in
        image.add(element)
    image.Laterality = ""  # type 2C: of a paired organ, and which it is, is not known
    for equipment in image.ContributingEquipmentSequence:
        del equipment.ContributionDateTime  # the content's; and no date at all where dates are removed
    image.ContentDate, image.ContentTime = common.InstanceCreationDate, common.InstanceCreationTime
    refer(image, None if is_anonymous(common) else series)
    with whole_file(Path(path), overwrite) as part:
        image.save_as(part, enforce_file_format=True)


def _image(values: NDArray[np.float32], grid: Grid, quantity: Quantity, comment: str, common: Any) -> Any:
    import highdicom
    from pydicom.sr.coding import Code
    from pydicom.uid import generate_uid

    dz, dy, dx = grid.voxel_mm
    largest = float(np.nanmax(values, initial=0.0)) or 1.0
    return highdicom.pm.ParametricMap(
        source_images=[stand_in(common, grid)],
        pixel_array=values,
        series_instance_uid=generate_uid(prefix=None),
        series_number=1,
        sop_instance_uid=generate_uid(prefix=None),
        instance_number=1,
        manufacturer="mcdose",
        manufacturer_model_name="mcdose",
        software_versions=__version__,
        device_serial_number="mcdose",  # must be there; software has none
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[
            highdicom.pm.RealWorldValueMapping(
                lut_label=quantity.label,
                lut_explanation=comment,
                unit=Code(*quantity.unit),
                value_range=(0.0, largest),
                quantity_definition=Code(*quantity.quantity),
            )
        ],
        voi_lut_transformations=[
            highdicom.VOILUTTransformation(
                window_center=largest / 2,
                window_width=largest,
                voi_lut_function="LINEAR_EXACT",  # LINEAR allows no width below 1
            )
        ],
        content_label=quantity.label,
        content_description=quantity.description,
        series_description=quantity.description,
        pixel_measures=highdicom.PixelMeasuresSequence(
            pixel_spacing=(dy, dx), slice_thickness=dz, spacing_between_slices=dz
        ),
        plane_orientation=highdicom.PlaneOrientationSequence("PATIENT", orientation(grid)),
        plane_positions=[
            highdicom.PlanePositionSequence("PATIENT", tuple(grid.position_mm((k, 0, 0))[::-1].tolist()))
            for k in range(grid.shape[0])
        ],
    )
