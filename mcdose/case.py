"""One patient on one grid: activity, density, medium and structures, all where the dose will be."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.calibration import SCHNEIDER, Calibration
from mcdose.dose_grid import check_dose_grid
from mcdose.dose_grid import dose_grid as choose_grid
from mcdose.errors import InputError
from mcdose.grid import Grid, Volume
from mcdose.media import medium
from mcdose.registered import frame_of, registered, require_same_frame

if TYPE_CHECKING:
    from mcdose.io.activity import Activity
    from mcdose.io.series import Series
    from mcdose.io.structures import StructureSet

PHANTOM = "demonstration phantom"  # where everything of `demo_case` is from
LOGGER = logging.getLogger("mcdose")
INT16 = (-32768, 32767)
AIR_HU = -1000.0  # what is outside the CT; a lower CT number is padding


@dataclass(frozen=True, eq=False)
class Case:
    """What a dose calculation needs, on the dose grid.

    Attributes
    ----------
    grid : dose grid, which is the activity's
    activity_bq : float64, shape (nz, ny, nx), at administration [Bq per voxel]
    density_g_cm3 : float32, same shape
    medium : uint8, same shape, index into `media`
    media : names
    ct_hu : int16, same shape, CT number averaged over each voxel [HU]; for the report, 2 bytes a voxel
    structures : name to bool mask or coverage from 0 to 1, same shape
    series : DICOM series that gives the patient and the frame of reference; None where there is none
    origin : where all this comes from, in plain JSON types
    structure_set : RTSTRUCT that the structures are from; None where they are from something else
    tia_bq_s : float64, same shape, time-integrated activity from several time points [Bq s per voxel]; None where there
        is one, whose activity stays in place (`mcdose.activity_to_tia`). `activity_bq` is then that of the first point
    """

    grid: Grid
    activity_bq: NDArray[np.float64]
    density_g_cm3: NDArray[np.float32]
    medium: NDArray[np.uint8]
    media: tuple[str, ...]
    ct_hu: NDArray[np.int16]
    structures: dict[str, NDArray[Any]]
    series: Series | None = None
    origin: dict[str, Any] = field(default_factory=dict)
    structure_set: StructureSet | None = None
    tia_bq_s: NDArray[np.float64] | None = None


def read_case(
    activity: str | Path | Sequence[str | Path],
    ct: str | Path,
    structures: str | Path | None = None,
    *,
    nuclide: str = "Y-90",
    unit: str | None = None,
    calibration: Calibration = SCHNEIDER,
    dose_grid: str | float | Sequence[float] = "activity",
    sensitivity_cps_per_mbq: float | None = None,
    administered_gbq: float | None = None,
    lung_shunt: float = 0.0,
    residual_gbq: float = 0.0,
    counts_in: str | None = None,
    resample: bool = False,
    registration: str | Path | None = None,
    time_fit: str = "physical",
    fit_per: str = "voxel",
    ct_series: str | None = None,
    activity_series: str | Sequence[str] | None = None,
) -> Case:
    """Read a patient's images and bring them onto the grid of the dose.

    Activity is shared by the overlap of voxels, so that none is lost but what lies outside the grid. Density is found
    on the CT grid and averaged over each dose voxel; the medium is that of the averaged CT number.
    Outside the CT is air.

    Parameters
    ----------
    activity, ct, structures : see `mcdose.io.activity`, `.ct`, `.structures`. Several paths of activity are time points
        of one administration (`mcdose.time_points`); the first gives the grid and how activity lies in a structure
    nuclide : which the activity must be of
    unit : of a NIfTI or MetaImage activity, "Bq" (per voxel) or "Bq/mL"; None = the side-car's, or "Bq/mL"
    calibration : CT number to density and medium
    dose_grid : "activity", "ct", or sides (dz, dy, dx) of voxels that cover the activity's grid, or one side [mm]
    sensitivity_cps_per_mbq, administered_gbq, lung_shunt, residual_gbq : for images in counts, see
        `mcdose.io.activity.read_activity`
    counts_in : name of the structure whose counts, not those of the whole image, are scaled to the administered
        activity [(administered - residual) x (1 - lung shunt)]; what is outside is scaled alike
    ct_series, activity_series : SeriesInstanceUID of the series to read, where a folder holds several; of several time
        points, one for each
    resample : make even stacks of slices that are tilted, uneven or missing, see `mcdose.io.stack.stack_of`
    registration : DICOM REG, ITK transform or matrix that takes the activity image to the CT, see
        `mcdose.io.registration.read_registration`; None = they lie as their coordinates say
    time_fit : of several time points: "physical", "mono" or "bi", see `mcdose.time_curve.fit_curve`
    fit_per : of several time points: "voxel" or "structure", see `mcdose.time_activity.time_integrated_activity`

    Raises
    ------
    InputError
        A file that cannot be used; grids without a common volume; more than 1 % of the activity outside the CT;
        images in different frames of reference.
    """
    from mcdose.io.activity import read_activity
    from mcdose.io.ct import read_ct
    from mcdose.io.structures import Structures, read_structure_set
    from mcdose.nuclides import nuclide as look_up
    from mcdose.resample import conserve, outside_fraction, require_coverage
    from mcdose.time_points import check_time_fit, integrate, record, time_points

    known = look_up(nuclide)
    wanted = check_dose_grid(dose_grid)
    _require_media(calibration)
    if registration is not None and not isinstance(activity, str | Path):
        raise ValueError(f"registration is of one activity image, got {len(activity)}")
    if counts_in is not None and (administered_gbq is None or structures is None):
        raise ValueError("counts_in needs administered_gbq and structures")
    images = [activity] if isinstance(activity, str | Path) else list(activity)
    check_time_fit(
        len(images),
        time_fit,
        fit_per,
        structures=structures is not None,
        administered=administered_gbq is not None,
    )
    series_uids = _one_each(activity_series, len(images))
    activity = images[0]
    read = partial(
        read_activity,
        unit=unit,
        nuclide=known.name,
        half_life_s=known.half_life_s,
        sensitivity_cps_per_mbq=sensitivity_cps_per_mbq,
        administered_gbq=administered_gbq,
        lung_shunt=lung_shunt,
        residual_gbq=residual_gbq,
        resample=resample,
    )
    sources = [read(path, series_uid=uid) for path, uid in zip(images, series_uids, strict=True)]
    source = sources[0]
    points = time_points(images, sources) if len(images) > 1 else ()
    image = read_ct(ct, series_uid=ct_series, resample=resample)
    moved, left = None, ""
    if registration is not None:
        left = frame_of(source.series)
        source, moved = registered(source, registration, image.series)
    require_same_frame(activity, source.series, ct, image.series)
    warning = require_coverage(source.volume, image.volume.grid)
    if warning is not None:
        LOGGER.warning("%s", warning)
    grid = choose_grid(wanted, source.volume.grid, image.volume.grid)
    activity_bq = source.volume.values if grid == source.volume.grid else conserve(source.volume, grid).volume.values
    density, index, hu = tissue(image.volume, grid, calibration)
    series = image.series or source.series
    frame = series.frame_of_reference_uid if series else None
    drawn = Structures({}, None)
    if structures is not None:
        drawn = read_structure_set(structures, grid, frame_of_reference_uid=frame, left_uid=left)
    if counts_in is not None and administered_gbq is not None:
        net_bq = (administered_gbq - residual_gbq) * 1e9
        source, activity_bq = _scaled_in(source, activity_bq, counts_in, drawn.coverage, net_bq)
    origin = {
        "activity": str(activity),
        "ct": str(ct),
        "structures": None if structures is None else str(structures),
        "activity_bq": source.total_bq,
        "activity_from": source.calibration,
        "injected_bq": source.injected_bq,
        "decay_correction": source.decay_correction,
        "administered": None if source.administered is None else source.administered.isoformat(),
        "activity_outside_ct_fraction": outside_fraction(source.volume, image.volume.grid),
        "calibration": calibration.name,
        "dose_grid": wanted if isinstance(wanted, str) else list(wanted),
        "registration": moved,
    }
    tia_bq_s = None
    if points:
        integral = integrate(points, activity_bq, grid, drawn.coverage, known.name, time_fit, fit_per)
        tia_bq_s = integral.tia_bq_s
        origin |= record(points, integral)
    return Case(
        grid,
        activity_bq,
        density,
        index,
        calibration.media,
        hu,
        drawn.coverage,
        series,
        origin,
        drawn.structure_set,
        tia_bq_s,
    )


def _one_each(uids: str | Sequence[str] | None, count: int) -> list[str | None]:
    """Give each activity the series that is to be read, None where none was asked for."""
    if uids is None:
        return [None] * count
    each: list[str | None] = [uids] if isinstance(uids, str) else list(uids)
    if len(each) != count:
        raise ValueError(f"activity_series must be one UID for each of {count} activities, got {len(each)}")
    return each


def _scaled_in(
    source: Activity, activity_bq: NDArray[np.float64], name: str, masks: dict[str, NDArray[Any]], net_bq: float
) -> tuple[Activity, NDArray[np.float64]]:
    """Move a calibration from the whole image to a structure: what the whole was scaled to, the structure has.

    Parameters
    ----------
    source : as read
    activity_bq : the same on the dose grid
    name, masks : the structure, on the dose grid
    net_bq : what reached the patient
    """
    if name not in masks:
        raise InputError(f"counts_in must be one of the structures, {', '.join(masks) or 'none there'}; got {name!r}")
    inside = float((activity_bq * masks[name]).sum())
    if not inside > 0:
        raise InputError(f"structure {name}: it must hold counts to be calibrated by, got none")
    factor = source.total_bq / inside
    values = source.volume.values * factor
    total = float(values.sum())
    if total > net_bq * (1 + 1e-9):
        LOGGER.warning(
            "the activity calibrated in %s is %.4g GBq over the whole image, more than the %.4g GBq that reached the "
            "patient",
            name,
            total / 1e9,
            net_bq / 1e9,
        )
    scaled = replace(
        source,
        volume=Volume(values, source.volume.grid),
        total_bq=total,
        calibration=f"{source.calibration}, those in {name}",
    )
    return scaled, activity_bq * factor


def demo_case(calibration: Calibration = SCHNEIDER) -> Case:
    """Build the phantom that mcdose brings along (`mcdose.phantom`), as a case."""
    from mcdose.phantom import demo_phantom

    _require_media(calibration)
    phantom = demo_phantom()
    density, index, hu = tissue(Volume(phantom.ct_hu, phantom.grid), phantom.grid, calibration)
    origin = {
        "activity": PHANTOM,
        "ct": PHANTOM,
        "structures": PHANTOM,
        "activity_bq": float(phantom.activity_bq.sum()),
        "calibration": calibration.name,
    }
    structures: dict[str, NDArray[Any]] = dict(phantom.structures)
    return Case(phantom.grid, phantom.activity_bq, density, index, calibration.media, hu, structures, None, origin)


class Tissue(NamedTuple):
    """What the voxels of a grid are made of.

    `density_g_cm3` float32, `medium` uint8, index into the calibration's media, `ct_hu` int16 [HU].
    """

    density_g_cm3: NDArray[np.float32]
    medium: NDArray[np.uint8]
    ct_hu: NDArray[np.int16]


def tissue(ct: Volume, grid: Grid, calibration: Calibration) -> Tissue:
    """Give density, medium and CT number of the voxels of a grid.

    The CT number is averaged for the medium and to be looked at, with padding values raised to that of air: averaged
    density and density of the average differ where the calibration bends.
    """
    from mcdose.resample import average

    air = float(calibration.density([AIR_HU])[0])
    density = average(ct, grid, air, calibration.density).values
    hu = average(ct, grid, AIR_HU, lambda values: np.maximum(values, np.float32(AIR_HU))).values
    return Tissue(density, calibration.medium_index(hu), np.rint(np.clip(hu, *INT16)).astype(np.int16))


def _require_media(calibration: Calibration) -> None:
    for name in calibration.media:
        try:
            medium(name)
        except ValueError as error:
            raise InputError(f"calibration {calibration.name}: {error}") from error
