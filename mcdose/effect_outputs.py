"""BED and EQD2 to files: RT Dose of type EFFECTIVE, NIfTI and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdose.radiobiology import Effect, eqd2

if TYPE_CHECKING:
    from mcdose.grid import Grid
    from mcdose.io.series import Series

FILES = (
    *("bed.dcm", "bed_plan.dcm", "eqd2.dcm", "eqd2_plan.dcm", "bed.nii.gz", "eqd2.nii.gz"),
    *("bed_standard_error.nii.gz", "bed.json"),
)
COMMENT_LENGTH = 64  # DoseComment, VR LO


def write_effect(
    folder: Path,
    effect: Effect,
    grid: Grid,
    series: Series | None,
    *,
    alpha_beta_gy: float,
    repair_half_time_h: float,
    treatments: int = 1,
    summary: Mapping[str, Any] | None = None,
    study: Any = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write the BED of a dose and its EQD2, all of `FILES` that there is something for, or none.

    Parameters
    ----------
    folder : made if need be
    effect : as of `mcdose.radiobiology.cumulative_bed`, shape `grid.shape` [Gy]
    grid : of the dose
    series : gives patient, study and frame of reference (`DoseResult` has none, `Case.series` has); None makes new ones
    alpha_beta_gy, repair_half_time_h : what the BED was found with [Gy, h], for the comment on it and for EQD2
    treatments : how many were added
    summary : goes into bed.json; None = no such file
    study : pydicom.Dataset of what the files of a run share (`mcdose.io.study.study_header`); None makes one
    overwrite : replace the files that are there, as one set

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    InputError
        If files are there and may not be replaced, or the disk cannot be written.
    """
    from mcdose.io.folder import whole_folder
    from mcdose.io.nifti import write_nifti
    from mcdose.io.rtdose import write_rt_dose
    from mcdose.io.study import study_header
    from mcdose.outputs import write_json

    shared = study_header(series) if study is None else study
    parameters = f"alpha/beta {alpha_beta_gy:.4g} Gy, T_rep {repair_half_time_h:.4g} h"
    of = f" of {treatments} treatments" if treatments > 1 else ""
    with whole_folder(folder, FILES, overwrite) as part:
        for name, values in (("bed", effect.bed_gy), ("eqd2", eqd2(effect.bed_gy, alpha_beta_gy))):
            comment = f"{name.upper()}{of}, {parameters}"[:COMMENT_LENGTH]
            write_rt_dose(
                part / f"{name}.dcm",
                values,
                grid,
                series,
                comment=comment,
                dose_type="EFFECTIVE",
                plan_path=part / f"{name}_plan.dcm",
                study=shared,
            )
            write_nifti(part / f"{name}.nii.gz", values, grid, description=f"Gy, {comment}")
        if effect.standard_error_gy is not None:
            write_nifti(
                part / "bed_standard_error.nii.gz", effect.standard_error_gy, grid, description="Gy, of BED, 1 sigma"
            )
        if summary is not None:
            write_json(part / "bed.json", summary)
        names = sorted((path.name for path in part.iterdir()), key=FILES.index)
    return [folder / name for name in names]
