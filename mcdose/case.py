"""One patient on one grid: activity, density, medium and structures, all where the dose will be."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.calibration import SCHNEIDER, Calibration
from mcdose.constants import AIR_HU
from mcdose.dose_grid import check_dose_grid
from mcdose.dose_grid import dose_grid as choose_grid
from mcdose.errors import InputError
from mcdose.grid import Grid, Volume
from mcdose.media import medium
from mcdose.registered import frame_of, registered, require_same_frame

if TYPE_CHECKING:
    from mcdose.io.activity import Activity
    from mcdose.io.series import Image, Series
    from mcdose.io.structures import Structures, StructureSet

PHANTOM = "demonstration phantom"  # where everything of `demo_case` is from
LOGGER = logging.getLogger("mcdose")
INT16 = (-32768, 32767)


@dataclass(frozen=True, eq=False)
class Case:
    """What a dose calculation needs, on the dose grid.

    Attributes
    ----------
    grid : dose grid
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
    ct_mass_kg : name to mass [kg] of structures on the CT's own grid, of those that were asked for: voxels of the dose
        grid across the border of a light organ have some of its dense neighbour in their mean density
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
    ct_mass_kg: dict[str, float] = field(default_factory=dict)


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
    masses_of: Sequence[str] = (),
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
    masses_of : structures whose mass is found on the CT's own grid as well (`Case.ct_mass_kg`), such as the lungs
    fit_per : of several time points: "voxel" or "structure", see `mcdose.time_activity.time_integrated_activity`

    Raises
    ------
    InputError
        A file that cannot be used; grids without a common volume; more than 1 % of the activity outside the CT;
        images in different frames of reference.
    ValueError
        Arguments that cannot be, or cannot go together.
    """
    from mcdose.counts_in import scaled_in
    from mcdose.io.activity import read_activity
    from mcdose.io.ct import read_ct
    from mcdose.nuclides import nuclide as look_up
    from mcdose.resample import onto
    from mcdose.time_points import check_time_fit, integrate, record, time_points

    known, wanted = look_up(nuclide), check_dose_grid(dose_grid)
    images = [activity] if isinstance(activity, str | Path) else list(activity)
    _require_media(calibration)
    if registration is not None and len(images) > 1:
        raise ValueError(f"registration is of one activity image, got {len(images)}")
    if counts_in is not None and (administered_gbq is None or structures is None):
        raise ValueError("counts_in needs administered_gbq and structures")
    drawable, scaled = structures is not None, administered_gbq is not None
    check_time_fit(len(images), time_fit, fit_per, structures=drawable, administered=scaled)
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
    uids = _one_each(activity_series, len(images))
    sources = [read(path, series_uid=uid) for path, uid in zip(images, uids, strict=True)]
    points = time_points(images, sources) if len(images) > 1 else ()
    image = read_ct(ct, series_uid=ct_series, resample=resample)
    source, moved, left = sources[0], None, ""
    if registration is not None:
        left = frame_of(source.series)
        source, moved = registered(source, registration, image.series)
    outside = _require_together(images[0], source, ct, image)
    grid = choose_grid(wanted, source.volume.grid, image.volume.grid)
    activity_bq = onto(source.volume, grid)
    made_of = tissue(image.volume, grid, calibration)
    series = image.series or source.series
    drawn = _drawn(structures, grid, series, left)
    if counts_in is not None and administered_gbq is not None:
        net_bq = (administered_gbq - residual_gbq) * 1e9
        source, activity_bq = scaled_in(source, activity_bq, counts_in, drawn.coverage, net_bq)
    origin = {
        "activity": str(images[0]),
        "ct": str(ct),
        "structures": None if structures is None else str(structures),
        **_said(source),
        "activity_outside_ct_fraction": outside,
        "calibration": calibration.name,
        "dose_grid": wanted if isinstance(wanted, str) else list(wanted),
        "registration": moved,
    }
    tia_bq_s = None
    if points:
        integral = integrate(points, activity_bq, grid, drawn.coverage, known.name, time_fit, fit_per)
        tia_bq_s, origin = integral.tia_bq_s, {**origin, **record(points, integral)}
    return Case(
        grid,
        activity_bq,
        made_of.density_g_cm3,
        made_of.medium,
        calibration.media,
        made_of.ct_hu,
        drawn.coverage,
        series,
        origin,
        drawn.structure_set,
        tia_bq_s,
        _ct_masses(structures, image, series, left, calibration, masses_of),
    )


def _ct_masses(
    structures: str | Path | None,
    ct: Image,
    series: Series | None,
    left_uid: str,
    calibration: Calibration,
    names: Sequence[str],
) -> dict[str, float]:
    """Return the masses of structures on the CT's own grid [kg]; of names that are not there, none."""
    if structures is None or not names:
        return {}
    drawn = _drawn(structures, ct.volume.grid, series, left_uid).coverage
    density = calibration.density(ct.volume.values)
    litre = ct.volume.grid.voxel_ml * 1e-3
    return {name: float((density * drawn[name]).sum(dtype=np.float64)) * litre for name in names if name in drawn}


def _require_together(activity: str | Path, source: Activity, ct: str | Path, image: Image) -> float:
    """Refuse images that do not lie on one another; return the part of the activity that is outside the CT."""
    from mcdose.resample import outside_fraction, require_coverage

    require_same_frame(activity, source.series, ct, image.series)
    warning = require_coverage(source.volume, image.volume.grid)
    if warning is not None:
        LOGGER.warning("%s", warning)
    return outside_fraction(source.volume, image.volume.grid)


def _drawn(path: str | Path | None, grid: Grid, series: Series | None, left_uid: str) -> Structures:
    """Draw the structures on the dose grid, none where there is no file; not in a frame that the activity left."""
    from mcdose.io.structures import Structures, read_structure_set

    if path is None:
        return Structures({}, None)
    return read_structure_set(path, grid, frame_of_reference_uid=frame_of(series) or None, left_uid=left_uid)


def _said(source: Activity) -> dict[str, Any]:
    """Say for `Case.origin` what is known of the activity, in plain JSON types."""
    return {
        "activity_bq": source.total_bq,
        "activity_from": source.calibration,
        "injected_bq": source.injected_bq,
        "decay_correction": source.decay_correction,
        "administered": None if source.administered is None else source.administered.isoformat(),
    }


def _one_each(uids: str | Sequence[str] | None, count: int) -> list[str | None]:
    """Give each activity the series that is to be read, None where none was asked for."""
    if uids is None:
        return [None] * count
    each: list[str | None] = [uids] if isinstance(uids, str) else list(uids)
    if len(each) != count:
        raise ValueError(f"activity_series must be one UID for each of {count} activities, got {len(each)}")
    return each


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
