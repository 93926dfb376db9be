"""Gamma pass rates, against pymedphys and plastimatch."""

from __future__ import annotations

import time
from pathlib import Path

from mcdose import compare_doses
from mcdose.engine.cpu import cpu_name
from validation.gamma_peers.cases import THRESHOLD, case
from validation.outcome import Outcome, Row, load_case
from validation.tables import read_table

NAME = "gamma_peers"
COARSE, SETTLED = "pymedphys_10", "pymedphys_settled"
PEERS = {
    "pymedphys": SETTLED,
    "pymedphys at 10": COARSE,
    "plastimatch": "plastimatch",
}


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case: no Monte Carlo, the doses have a seed of their own."""
    points = load_case(NAME)["limits"]["percentage_points"]
    begun = time.perf_counter()
    rows = []
    for row in read_table(Path(__file__).with_name("reference.csv")):
        one = case(int(row["case"]))
        criteria = (one.percent, one.distance_mm)
        local = row["local"] == "1"
        found = compare_doses(
            one.reference, one.evaluated, one.voxel_mm, None, criteria, local, THRESHOLD, threads=threads
        )
        if found.voxels_judged != int(row["judged"]):
            raise ValueError(f"case {row['case']} must judge {row['judged']} voxels, got {found.voxels_judged}")
        sides = " x ".join(f"{side:g}" for side in one.voxel_mm)
        title = f"{sides} mm, {one.percent:g} %, {one.distance_mm:g} mm, {'local' if local else 'global'}"
        for peer, column in PEERS.items():
            rate = float(row[column])
            rows.append(
                Row(
                    f"{title}, {peer}",
                    100.0 * found.pass_rate,
                    0.0,
                    rate,
                    0.0,
                    None if column == COARSE else points / rate,
                    sigmas=0.0,
                    notes={
                        "points": f"{100.0 * found.pass_rate - rate:+.2f}",
                        "voxels": row["judged"],
                        "steps to a criterion": row["pymedphys_fraction"] if column == SETTLED else "",
                    },
                )
            )
    return Outcome(
        rows,
        0,
        0,
        time.perf_counter() - begun,
        cpu_name(),
        [
            "pass rates in percent; the limit is 0.5 percentage points, so more than 0.5 % of a low rate",
            "pymedphys samples the evaluated dose, so it finds gamma too large and too few voxels that pass; mcdose "
            "finds the minimum to 0.002, and 0.00001 instead changed none of seven rates",
            "pymedphys: steps halved until its rate changed by less than 0.5 points. At the planned 10 steps to a "
            "criterion it is not settled where a step spans much of the dose criterion; these rows are for "
            "information. The limit was not moved",
            "plastimatch: --interp-search looks along the lines between grid points, --ref-only-threshold takes the "
            "threshold of the reference alone. On the grid of the doses that is another question, so it was given a "
            "trilinear grid of a fifth of the distance criterion and a mask of the voxels",
        ],
    )
