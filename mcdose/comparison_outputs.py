"""What `mcdose compare` writes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdose.comparison import DoseComparison
from mcdose.methods import MAIN, Way
from mcdose.outputs import write_dvh, write_json
from mcdose.result_files import EVERY

if TYPE_CHECKING:
    from mcdose.case import Case
    from mcdose.dvh import Dvh
    from mcdose.report.contents import Report
    from mcdose.result import DoseResult

MOST_REPORT_VOXELS = 1_500_000  # there are six images, not two


def write_comparison(
    folder: Path,
    *,
    case: Case,
    results: Mapping[Way, DoseResult],
    pairs: Mapping[str, Mapping[str, DoseComparison]],
    curves: Mapping[str, Mapping[str, Dvh]],
    summary: Mapping[str, Any],
    report: Report,
    overwrite: bool,
) -> list[Path]:
    """Write maps of the main methods, of their differences and of global gamma, and the other files of `COMPARISON`.

    Returns
    -------
    list of Path
        The files written.
    """
    from mcdose.io.folder import whole_folder
    from mcdose.io.nifti import write_nifti
    from mcdose.report.page import page

    grid = case.grid
    with whole_folder(folder, EVERY, overwrite) as part:
        for way in MAIN:
            text = f"Gy, {way.label}"
            write_nifti(part / f"dose_{way.key}.nii.gz", results[way].dose_gy, grid, description=text)
        uncertainty = results[MAIN[0]].relative_uncertainty
        assert uncertainty is not None
        text = "relative standard error of the Monte Carlo dose"
        write_nifti(part / "uncertainty.nii.gz", uncertainty, grid, description=text)
        for way in MAIN[1:]:
            pair = pairs[way.key]["global"]
            text = f"Gy, {way.label}, less Monte Carlo"
            write_nifti(part / f"difference_{way.key}.nii.gz", pair.difference_gy, grid, description=text)
            text = f"global gamma {pair.gamma[0]:g} % / {pair.gamma[1]:g} mm, NaN where not judged"
            write_nifti(part / f"gamma_{way.key}.nii.gz", pair.gamma_map, grid, description=text)
        write_dvh(
            part / "dvh.csv",
            {f"{name}, {way.short}": curve for way in MAIN for name, curve in curves[way.key].items()},
        )
        write_json(part / "summary.json", summary)
        (part / "report.html").write_text(page(report, MOST_REPORT_VOXELS), encoding="utf-8")
        names = sorted((path.name for path in part.iterdir()), key=EVERY.index)
    return [folder / name for name in names]
