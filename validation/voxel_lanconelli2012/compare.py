"""Y-90 voxel S values of soft tissue, against the table of Lanconelli et al."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from mcdose import dose_point_kernel, voxel_kernel
from mcdose.engine.cpu import cpu_name
from validation.outcome import Outcome, Row, load_case
from validation.tables import half_unit, read_table

NAME = "voxel_lanconelli2012"
DENSITY_G_CM3 = 1.04


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case: one point kernel, integrated over all voxels."""
    limits = load_case(NAME)["limits"]
    table = read_table(Path(__file__).with_name("reference.csv"))
    begun = time.perf_counter()
    point_kernel = dose_point_kernel(
        "Y-90", "soft-tissue", density_g_cm3=DENSITY_G_CM3, histories=histories, seed=seed, threads=threads
    )
    rows = []
    for side in dict.fromkeys(row["voxel_mm"] for row in table):
        kernel = voxel_kernel(
            "Y-90", (float(side),) * 3, "soft-tissue", density_g_cm3=DENSITY_G_CM3, point_kernel=point_kernel
        )
        centre = np.array(kernel.values.shape) // 2
        own_rows = [row for row in table if row["voxel_mm"] == side]
        own = float(own_rows[0]["S_mGy_per_MBq_s"])
        for row in own_rows:
            offset = (int(row["i"]), int(row["j"]), int(row["k"]))
            place = tuple(centre + offset)
            reference = float(row["S_mGy_per_MBq_s"])
            of_self = reference / own
            limit = limits["above_a_tenth" if of_self >= 0.1 else "above_a_hundredth"]
            rounding = half_unit(reference, limits["digits"]) / reference
            rows.append(
                Row(
                    f"{side} mm, S({row['i']}{row['j']}{row['k']})",
                    float(kernel.values[place]),
                    float(kernel.standard_error[place]),
                    reference,
                    0.0,
                    limit + rounding,
                    sigmas=0.0,
                    notes={"of self": f"{of_self:.4f}", "half a digit": f"{rounding * 100:.2f} %"},
                )
            )
    return Outcome(
        rows,
        point_kernel.histories,
        seed,
        time.perf_counter() - begun,
        cpu_name(),
        [
            f"mGy/(MBq s); point kernel of ICRU-44 soft tissue at {DENSITY_G_CM3} g/cm3, integrated over each voxel",
            "the limit includes half a unit of the third digit; the table's file lost zeros at the end, so 3.0 is 3.00",
            "for comparison, kernels of water at 1.04 g/cm3 folded over 3 and 6 mm (validation/folding.py): "
            "EGSnrc's from +0.1 to -2.1 %, PENELOPE's from -0.9 to -3.5 % of the table between 1 and 10 % of self",
        ],
    )


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw S over the self value, and its difference from the table, of all voxel sizes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (above, below) = plt.subplots(
        2, figsize=(7.0, 6.5), sharex=True, height_ratios=(2, 3), layout="constrained"
    )
    sides = list(dict.fromkeys(row.quantity.split(" mm")[0] for row in outcome.rows))
    for number, side in enumerate(sides):
        rows = [row for row in outcome.rows if row.quantity.startswith(f"{side} mm")]
        of_self = [float(row.notes["of self"]) for row in rows]
        colour = plt.get_cmap("viridis")(number / (len(sides) - 1))
        above.plot(of_self, [row.reference for row in rows], "o", markersize=6, markerfacecolor="none", color=colour)
        above.plot(of_self, [row.value for row in rows], ".", markersize=4, color=colour)
        below.errorbar(
            of_self,
            [100.0 * row.deviation for row in rows],
            [float(row.notes["half a digit"][:-2]) for row in rows],
            fmt="o",
            markersize=3,
            linewidth=0.8,
            color=colour,
            label=f"{side} mm",
        )
    for left, right, limit in ((0.01, 0.1, 4.5), (0.1, 1.2, 1.5)):
        below.fill_between([left, right], -limit, limit, color="#d9e4ee", zorder=0)
    below.axhline(0.0, color="grey", linewidth=0.8)
    above.set_xscale("log")
    above.set_yscale("log")
    above.set_ylabel("S, mGy/(MBq s)\nrings: table, points: mcdose")
    below.set_xlabel("S over self value")
    below.set_ylabel("mcdose from the table, %\nbars: half a digit; band: limit without it")
    above.set_title(title, fontsize=8)
    below.legend(fontsize=6, ncols=4, loc="lower right")
    figure.savefig(path, dpi=110)
    plt.close(figure)
