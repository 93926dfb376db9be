"""Absorbed dose of a treatment from a file or a folder of results, and the same on another grid."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Grid, Volume

if TYPE_CHECKING:
    from mcdose.io.series import Series

SAME_MM = 0.05  # grids whose corners are this near are one grid
STAND_IN = "mcdose"  # PatientID of doses without a patient, whose frame of reference is of one run
ANONYMOUS = "Anonymous"  # how the PatientID of --anonymize begins


@dataclass(frozen=True, eq=False)
class TreatmentDose:
    """Dose of a treatment on its own grid.

    Attributes
    ----------
    path : as given
    volume : float64 [Gy]
    series : patient, study and frame of reference; None of NIfTI and MetaImage
    relative_uncertainty : of the dose (1 sigma), shape of the grid, NaN where nothing was scored; None = not known
    nuclide : that of a folder of results; None of a file, which does not say
    stays : the dose rate falls with the nuclide's half-life; False where a curve was fitted over several time points
    registration : what moved it, in plain JSON types; None = it lies as its coordinates say
    """

    path: str
    volume: Volume
    series: Series | None
    relative_uncertainty: NDArray[np.float64] | None = None
    nuclide: str | None = None
    stays: bool = True
    registration: dict[str, Any] | None = None

    @property
    def frame(self) -> str:
        """Frame of reference, "" where there is none that another file could share."""
        return "" if self.series is None or self._id == STAND_IN else self.series.frame_of_reference_uid

    @property
    def patient(self) -> str:
        """PatientID, "" for none and for one that mcdose made up."""
        return "" if self._id == STAND_IN or self._id.startswith(f"{ANONYMOUS}-") else self._id

    @property
    def _id(self) -> str:
        return "" if self.series is None else str(self.series.header.get("PatientID") or "")


def read_treatment(path: str | Path) -> TreatmentDose:
    """Read a dose: a file as of `mcdose.io.dose_map.read_dose`, or a folder that `mcdose dose` wrote.

    Raises
    ------
    InputError
        No dose, a summary that is not one, and what `read_dose` refuses.
    """
    from mcdose.io.dose_map import read_dose, read_relative_uncertainty

    found = Path(path)
    if not (found.is_dir() and (found / "summary.json").exists()):
        image = read_dose(found)
        return TreatmentDose(str(path), image.volume, image.series)
    summary = read_summary(found / "summary.json")
    image = read_dose(found / "dose.dcm")
    error = None
    if (found / "uncertainty.nii.gz").exists():
        error = read_relative_uncertainty(found / "uncertainty.nii.gz", image.volume.grid).values
    return TreatmentDose(str(path), image.volume, image.series, error, summary["nuclide"], stays(summary))


def moved(dose: TreatmentDose, registration: str | Path, to_frame: str) -> TreatmentDose:
    """Put a dose where a registration file says; no value changes, so it must be rigid.

    Parameters
    ----------
    dose : as read
    registration : see `mcdose.io.registration.read_registration`
    to_frame : FrameOfReferenceUID that it goes to, "" for none

    Raises
    ------
    InputError
        As of `read_registration`; a transform that scales or shears, under which no dose keeps its meaning.
    """
    from mcdose.io.quiet import LOGGER
    from mcdose.io.registration import read_registration

    found = read_registration(registration, from_frame=dose.frame or None, to_frame=to_frame or None)
    for warning in found.warnings:
        LOGGER.warning("%s", warning)  # which names the file
    if found.kind != "rigid":
        raise InputError(f"{registration}: a dose is moved by rigid registrations only, got one that is {found.kind}")
    record = {"path": str(registration), "source": found.source, "kind": found.kind, "matrix": found.matrix.tolist()}
    series = dose.series
    if series is not None:
        series = replace(series, frame_of_reference_uid=to_frame)
    volume = Volume(dose.volume.values, dose.volume.grid.moved(found.matrix))
    return replace(dose, volume=volume, series=series, registration=record)


def on_grid(values: NDArray[Any], source: Grid, grid: Grid) -> NDArray[np.float64]:
    """Return the mean of a map over each voxel of another grid, 0 beyond the map; its own values on its own grid."""
    from mcdose.resample import average

    if same_grid(source, grid):
        return np.asarray(values, np.float64)
    return np.asarray(average(Volume(np.asarray(values, np.float64), source), grid, 0.0).values, np.float64)


def reach(source: Grid, grid: Grid) -> NDArray[np.float32]:
    """Return the part of each voxel of a grid that another grid covers."""
    from mcdose.resample import covered

    if same_grid(source, grid):
        return np.ones(grid.shape, np.float32)
    return covered(np.ones(source.shape, np.float32), source, grid)


def same_grid(first: Grid, second: Grid) -> bool:
    """Tell whether the voxels of two grids are the same, to a twentieth of a millimetre."""
    return first.shape == second.shape and float(np.abs(first.corners_mm() - second.corners_mm()).max()) <= SAME_MM


def read_summary(path: Path) -> dict[str, Any]:
    """Read the summary of a run; raise InputError where it is none or names no nuclide."""
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not the summary of a run: {error}") from error
    if not isinstance(summary, dict) or not isinstance(summary.get("nuclide"), str):
        raise InputError(f"{path}: is not the summary of `mcdose dose`, it names no nuclide")
    found = {"inputs": {}, **summary}
    if not isinstance(found["inputs"], dict) or not isinstance(found["inputs"].get("time_points") or {}, dict):
        raise InputError(f"{path}: is not the summary of `mcdose dose`, its inputs are no table")
    return found


def stays(summary: Mapping[str, Any]) -> bool:
    """Tell from a summary whether the dose rate fell with the nuclide's half-life: no curve was fitted over time."""
    points = summary["inputs"].get("time_points") or {}
    return not points or points.get("time_fit") == "physical"
