"""Names of the files that `mcdose dose`, `demo` and `compare` write, in the order they appear."""

from __future__ import annotations

from mcdose.methods import MAIN

DOSE = (
    *("dose.dcm", "plan.dcm", "dose_map.dcm", "uncertainty_map.dcm", "dose.nii.gz", "uncertainty.nii.gz"),
    *("dvh.csv", "summary.json", "report.html"),
)
COMPARISON = (
    *(f"dose_{way.key}.nii.gz" for way in MAIN),
    "uncertainty.nii.gz",
    *(f"{what}_{way.key}.nii.gz" for way in MAIN[1:] for what in ("difference", "gamma")),
    "dvh.csv",
    "summary.json",
    "report.html",
)
EVERY = tuple(dict.fromkeys((*DOSE[:-3], *COMPARISON)))  # of one folder at a time: nothing of another run stays beside
