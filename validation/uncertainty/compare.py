"""The reported standard error against the spread of independent runs."""

from __future__ import annotations

import numpy as np

from mcdose import absorbed_dose
from validation.outcome import Outcome, Row, load_case

NAME = "uncertainty"
SHAPE = (16, 16, 16)
BAND = (13.1211 / 29.0, 52.3356 / 29.0)  # chi-square, 29 degrees of freedom, 0.5 and 99.5 %
BAND_95 = (16.0471 / 29.0, 45.7223 / 29.0)


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case: a cold and a hot half, water and lung, regions of one voxel, a column and a half."""
    limits = load_case(NAME)["limits"]
    tia = np.ones(SHAPE)
    tia[4:8, 4:8, 4:8] = 4.0
    medium = np.zeros(SHAPE, int)
    medium[:, :, 12:] = 1
    regions = {name: np.zeros(SHAPE, bool) for name in ("hot cube", "column", "water", "lung", "everything")}
    regions["hot cube"][4:8, 4:8, 4:8] = True
    regions["column"][:, 8, 8] = True
    regions["water"][:, :, :12] = True
    regions["lung"][:, :, 12:] = True
    regions["everything"][:] = True
    results = [
        absorbed_dose(
            tia,
            (3.0, 3.0, 3.0),
            medium=medium,
            media=("water", "lung"),
            histories=histories,
            seed=seed + number,
            threads=threads,
            regions=regions,
        )
        for number in range(limits["runs"])
    ]
    dose = np.array([result.dose_gy for result in results], float)
    reported = np.mean(
        [(result.relative_uncertainty * result.dose_gy).astype(float) ** 2 for result in results], axis=0
    )
    ratio = dose.var(axis=0, ddof=1) / reported
    inside = float(((ratio > BAND_95[0]) & (ratio < BAND_95[1])).mean())
    rows = [
        # neighbours share histories: 4096 voxels count as about 300 independent ones of relative error sqrt(2/29) each
        Row(
            "variance ratio, mean over voxels",
            float(ratio.mean()),
            float(np.sqrt(2.0 / 29.0 / 300.0)),
            1.0,
            0.0,
            limits["mean_ratio"],
            sigmas=0.0,
        )
    ]
    for name in regions:
        values = np.array([result.regions[name].mean_gy for result in results])
        variance = np.mean([result.regions[name].standard_error_gy ** 2 for result in results])
        region_ratio = float(values.var(ddof=1) / variance)
        # the band, written as a limit on the side where the ratio lies
        side = BAND[1] - 1.0 if region_ratio > 1.0 else 1.0 - BAND[0]
        rows.append(
            Row(
                f"variance ratio, mean dose of {name}",
                region_ratio,
                float(np.sqrt(2.0 / 29.0)) * region_ratio,
                1.0,
                0.0,
                side,
                sigmas=0.0,
            )
        )
    return Outcome(
        rows,
        sum(result.histories for result in results),
        seed,
        sum(result.seconds for result in results),
        results[0].provenance["target"],
        [
            f"{limits['runs']} runs of {histories} histories, batches of {results[0].provenance['batch_histories']}; "
            f"voxel errors of {100 * float(np.nanmedian(results[0].relative_uncertainty)):.2f} % (median)",
            f"{inside * 100:.1f} % of the voxels inside the 95 % chi-square band [{BAND_95[0]:.3f}, {BAND_95[1]:.3f}]",
        ],
    )
