"""Points of dose-volume histograms, against plastimatch and dicompyler-core."""

from __future__ import annotations

import time
from pathlib import Path

from mcdose import dvh
from mcdose.engine.cpu import cpu_name
from validation.dvh_peers.cases import case, coverage, drawn
from validation.outcome import Outcome, Row, load_case
from validation.tables import read_table

NAME = "dvh_peers"


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case: no Monte Carlo, the doses have a seed of their own."""
    limit = load_case(NAME)["limits"]["fraction"]
    begun = time.perf_counter()
    rows = []
    for row in read_table(Path(__file__).with_name("reference.csv")):
        one = case(int(row["case"]))
        sides = " x ".join(f"{side:g}" for side in one.voxel_mm)
        level = float(row["level_gy"])
        for peer, mask in (("plastimatch", coverage(one)), ("dicompyler", drawn(one, 1))):
            found = dvh(one.dose, mask, one.voxel_mm)
            values = {"mean": found.mean_gy, "v": 100.0 * found.v(level)}
            values |= {f"d{share}": found.d(share) for share in (95, 70, 50)}
            for key, value in values.items():
                name = {"mean": "mean, Gy", "v": f"V{level:g} Gy, %"}.get(key, f"{key.upper()}, Gy")
                rows.append(
                    Row(
                        f"{sides} mm, {found.volume_ml:.0f} mL, {name}, {peer}",
                        value,
                        0.0,
                        float(row[f"{peer}_{key}"]),
                        0.0,
                        limit,
                        sigmas=0.0,
                    )
                )
    return Outcome(
        rows,
        0,
        0,
        time.perf_counter() - begun,
        cpu_name(),
        [
            "plastimatch: the structure by coverage, given to it as a mask of 4 x 4 points in each voxel",
            "dicompyler-core: whole voxels, those with their centre inside the contour; it takes the nearest bin of "
            "0.01 Gy, not a line between bins",
        ],
    )
