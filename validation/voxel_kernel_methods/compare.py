"""Voxel kernels of Y-90 in water by the integrated point kernel and by direct Monte Carlo."""

from __future__ import annotations

import time
from itertools import product
from pathlib import Path

import numpy as np

from mcdose import dose_point_kernel, voxel_kernel
from mcdose.engine.cpu import cpu_name
from validation.grids import Index
from validation.outcome import Outcome, Row, load_case

NAME = "voxel_kernel_methods"
VOXELS_MM = (
    (1.0, 1.0, 1.0),
    (5.0, 2.21, 2.21),
    (3.0, 3.0, 3.0),
    (4.42, 4.42, 4.42),
    (6.0, 6.0, 6.0),
)  # (z, y, x)


def equal_offsets(shape: tuple[int, ...], voxel_mm: tuple[float, float, float]) -> list[list[Index]]:
    """Return the offsets of one octant, those together that are equal because axes of the voxel are."""
    sets: dict[tuple[tuple[float, int], ...], list[Index]] = {}
    for z, y, x in product(*(range(count // 2 + 1) for count in shape)):
        key = tuple(sorted(zip(voxel_mm, (z, y, x), strict=True)))
        sets.setdefault(key, []).append((z, y, x))
    return list(sets.values())


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case: one point kernel, five direct runs."""
    limits = load_case(NAME)["limits"]
    begun = time.perf_counter()
    point_kernel = dose_point_kernel("Y-90", histories=histories, seed=seed, threads=threads)
    rows = []
    outside = []
    for number, voxel_mm in enumerate(VOXELS_MM):
        integrated = voxel_kernel("Y-90", voxel_mm, point_kernel=point_kernel)
        direct = voxel_kernel(
            "Y-90", voxel_mm, method="monte-carlo", histories=histories, seed=seed + 1 + number, threads=threads
        )
        centre = tuple(count // 2 for count in direct.values.shape)
        own = float(direct.values[centre])
        sides = " x ".join(f"{side:g}" for side in voxel_mm)
        outside.append(f"{sides} mm {integrated.outside_mev * 1e3:.3f} and {direct.outside_mev * 1e3:.3f} keV")
        for offsets in equal_offsets(direct.values.shape, voxel_mm):
            places = tuple((np.array(offsets) + centre).T)
            reference = float(direct.values[places].mean())
            if reference <= limits["of_self"] * own:
                continue
            # mirror images are averaged already; those left are in other directions, and share next to no energy
            reference_error = float(np.sqrt((direct.standard_error[places] ** 2).sum())) / len(offsets)
            distance = float(np.linalg.norm(np.array(offsets[0]) * voxel_mm))
            rows.append(
                Row(
                    f"{sides} mm, S{offsets[0]}",
                    float(integrated.values[places].mean()),
                    float(integrated.standard_error[places].mean()),
                    reference,
                    reference_error,
                    limits["fraction"],
                    notes={"of self": f"{reference / own:.4f}", "distance, mm": f"{distance:.2f}"},
                )
            )
    return Outcome(
        rows,
        histories * (1 + len(VOXELS_MM)),
        seed,
        time.perf_counter() - begun,
        cpu_name(),
        [
            "mGy/(MBq s); voxels as (z, y, x); the reference is the direct run",
            "errors of the integrated values come from 32 parts of the histories, all from one point kernel: they go "
            "together",
            f"outside the array, integrated and direct, per decay: {'; '.join(outside)}",
        ],
    )


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw S of both ways over the distance, and their ratio."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        2, len(VOXELS_MM), figsize=(12.0, 5.0), sharex="col", sharey="row", height_ratios=(3, 2), layout="constrained"
    )
    names = list(dict.fromkeys(row.quantity.split(",")[0] for row in outcome.rows))
    for name, (above, below) in zip(names, axes.T, strict=True):
        rows = [row for row in outcome.rows if row.quantity.split(",")[0] == name]
        distance = [float(row.notes["distance, mm"]) for row in rows]
        above.semilogy(distance, [row.reference for row in rows], "o", markerfacecolor="none", label="Monte Carlo")
        above.semilogy(distance, [row.value for row in rows], "k.", markersize=4, label="point kernel, integrated")
        below.axhspan(-0.5, 0.5, color="#d9e4ee", label="0.5 %")
        below.errorbar(
            distance,
            [100.0 * row.deviation for row in rows],
            [100.0 * row.sigma for row in rows],
            fmt="k.",
            markersize=4,
            linewidth=0.8,
            label="combined 1 sigma",
        )
        above.set_title(name, fontsize=9)
        below.set_xlabel("distance, mm")
    axes[0, 0].set_ylabel("S, mGy/(MBq s)")
    axes[1, 0].set_ylabel("point kernel from\nMonte Carlo, %")
    axes[0, 0].legend(fontsize=7)
    axes[1, 0].legend(fontsize=7)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)
