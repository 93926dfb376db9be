"""What `mcdose dose` writes."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.result_files import EVERY

if TYPE_CHECKING:
    from mcdose.dvh import Dvh
    from mcdose.grid import Grid
    from mcdose.io.series import Series
    from mcdose.io.structures import StructureSet
    from mcdose.report.contents import Report

CURVE_POINTS = 1000  # of dvh.csv, at most, besides the dose 0


def write_results(
    folder: Path,
    *,
    dose_gy: NDArray[np.float32],
    relative_uncertainty: NDArray[np.float32] | None,
    grid: Grid,
    series: Series | None,
    comment: str,
    curves: Mapping[str, Dvh],
    summary: Mapping[str, Any],
    report: Report,
    overwrite: bool,
    parametric_map: bool = False,
    anonymize: bool = False,
    structure_set: StructureSet | None = None,
) -> list[Path]:
    """Write dose.dcm with its plan.dcm, dose.nii.gz, uncertainty.nii.gz if there is one, and the other files of `DOSE`.

    Parameters
    ----------
    folder, dose_gy, relative_uncertainty, grid, comment, curves, summary, report, overwrite : what goes where
    series : gives patient, study and frame of reference; None makes new ones
    parametric_map : write dose and uncertainty as DICOM Parametric Maps as well
    anonymize : no patient in the DICOM files, new UIDs, no reference to the series
    structure_set : for histograms in dose.dcm of those curves that are of it; None = none in it

    Returns
    -------
    list of Path
        The files written.
    """
    from mcdose.io.folder import whole_folder
    from mcdose.io.histograms import Histograms
    from mcdose.io.nifti import write_nifti
    from mcdose.io.parametric_map import DOSE, UNCERTAINTY, write_parametric_map
    from mcdose.io.rtdose import write_rt_dose
    from mcdose.io.study import study_header
    from mcdose.report.page import write_report

    study = study_header(series, anonymize=anonymize)
    histograms = None
    if structure_set:
        own = {name: curve for name, curve in curves.items() if name in structure_set.numbers}
        histograms = Histograms(structure_set, own, curves_axis(own))
    maps = [("dose_map.dcm", dose_gy, DOSE), ("uncertainty_map.dcm", relative_uncertainty, UNCERTAINTY)]
    with whole_folder(folder, EVERY, overwrite) as part:
        write_rt_dose(part / "dose.dcm", dose_gy, grid, series, comment=comment, study=study, histograms=histograms)
        for name, values, quantity in maps:
            if parametric_map and values is not None:
                write_parametric_map(part / name, values, grid, series, quantity, comment=comment, study=study)
        write_nifti(part / "dose.nii.gz", dose_gy, grid, description=f"Gy, {comment}")
        if relative_uncertainty is not None:
            write_nifti(
                part / "uncertainty.nii.gz", relative_uncertainty, grid, description="relative standard error of dose"
            )
        write_dvh(part / "dvh.csv", curves)
        write_json(part / "summary.json", summary)
        write_report(part / "report.html", report)
        names = sorted((path.name for path in part.iterdir()), key=EVERY.index)
    return [folder / name for name in names]


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write strict JSON (no NaN), readable by people."""
    path.write_text(to_json(values) + "\n", encoding="utf-8")


def to_json(values: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """Format strict JSON (no NaN), readable by people."""
    return json.dumps(values, indent=2, ensure_ascii=ascii_only, allow_nan=False)


def write_dvh(path: Path, curves: Mapping[str, Dvh]) -> None:
    """Write cumulative curves: column dose_gy in equal steps from 0, then a column of volume fractions a structure."""
    dose_gy = curves_axis(curves)
    columns = [curve.volume_fraction(dose_gy) for curve in curves.values()]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["dose_gy", *curves])
        for k, dose in enumerate(dose_gy):
            table.writerow([f"{dose:.6g}", *(f"{column[k]:.6g}" for column in columns)])


def curves_axis(curves: Mapping[str, Dvh]) -> NDArray[np.float64]:
    """Doses that all curves are shown at [Gy], see `dose_axis`."""
    return dose_axis(max((curve.max_gy for curve in curves.values()), default=0.0))


def dose_axis(largest_gy: float) -> NDArray[np.float64]:
    """At most 1002 doses from 0 to beyond the largest, in equal steps of 1, 2 or 5 times a power of ten [Gy]."""
    if not largest_gy > 0.0:
        return np.zeros(1)
    finest = largest_gy / CURVE_POINTS
    decade = 10.0 ** math.floor(math.log10(finest))
    step = next(factor * decade for factor in (1.0, 2.0, 5.0, 10.0) if factor * decade >= finest)
    return np.asarray(step * np.arange(math.floor(largest_gy / step) + 2), dtype=np.float64)
