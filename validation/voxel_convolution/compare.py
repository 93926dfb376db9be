"""Dose by convolution and by Monte Carlo in uniform water."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose import DoseResult, absorbed_dose
from mcdose.engine.cpu import cpu_name
from validation.grids import cubic, shifted
from validation.outcome import Outcome, Row, load_case

NAME = "voxel_convolution"
SIDE = 17  # voxels, of the grids of cube and sphere
CLOUD_SHAPE = (21, 17, 25)
CLOUD_MM = (3.0, 5.0, 2.5)
CLOUD = (slice(8, 13), slice(7, 10), slice(10, 15))  # where its activity is


def sources() -> dict[str, tuple[NDArray[np.float64], tuple[float, float, float]]]:
    """Return decays in each voxel and the voxels' sides of the three sources."""
    offsets = np.indices((SIDE,) * 3) - SIDE // 2
    cube = np.abs(offsets).max(axis=0) <= 2
    sphere = (offsets**2).sum(axis=0) <= 3.5**2
    cloud = np.zeros(CLOUD_SHAPE)
    cloud[CLOUD] = np.random.default_rng(4).lognormal(0.0, 1.0, cloud[CLOUD].shape)
    return {
        "cube": (cube * 1e9, (3.0, 3.0, 3.0)),
        "sphere": (sphere * 1e9, (3.0, 3.0, 3.0)),
        "cloud": (cloud * 1e9, CLOUD_MM),
    }


def classes(shape: tuple[int, ...], symmetric: bool) -> dict[str, list[tuple[int, int, int]]]:
    """Return the voxels that are equal by symmetry, by the offset that stands for them."""
    if not symmetric:
        return {str(tuple(int(k) for k in place)): [place] for place in np.ndindex(shape)}  # type: ignore[misc]
    half = shape[0] // 2
    found = {}
    for z in range(half + 1):
        for y in range(z, half + 1):
            for x in range(y, half + 1):
                found[str((z, y, x))] = shifted((half, half, half), cubic((z, y, x)))
    return found


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case: three Monte Carlo runs, three convolutions."""
    limits = load_case(NAME)["limits"]
    begun = time.perf_counter()
    rows: list[Row] = []
    remarks = ["Gy for 1e9 decays in each active voxel (in the mean, of the cloud); offsets or places as (z, y, x)"]
    done = 0
    for number, (name, (tia, voxel_mm)) in enumerate(sources().items()):
        count = histories * (2 if name == "cloud" else 1)
        convolved = absorbed_dose(tia, voxel_mm, method="voxel-kernel", device="cpu", threads=threads)
        largest = float(convolved.dose_gy.max())
        members = {
            place: tuple(np.array(voxels).T)
            for place, voxels in classes(tia.shape, name != "cloud").items()
            if float(convolved.dose_gy[voxels[0]]) > limits["of_largest"] * largest
        }
        monte_carlo = _monte_carlo(tia, voxel_mm, members, count, seed + number, threads)
        done += monte_carlo.histories
        for place, voxels in members.items():
            reference = monte_carlo.regions[place]
            assert reference.standard_error_gy is not None
            value = float(convolved.dose_gy[voxels].mean())
            rows.append(
                Row(
                    f"{name}, {place}",
                    value,
                    0.0,
                    reference.mean_gy,
                    reference.standard_error_gy,
                    limits["fraction"],
                    notes={"of largest": f"{value / largest:.4f}", "voxels": f"{voxels[0].size}"},
                )
            )
        mine = [row for row in rows if row.quantity.startswith(name)]
        mean = sum(row.value for row in mine) / sum(row.reference for row in mine) - 1.0
        pull = np.array([row.deviation / row.sigma for row in mine])
        remarks.append(
            f"{name}: {len(mine)} figures, {mean:+.3%} on average by dose; root mean square of difference over sigma "
            f"{np.sqrt((pull**2).mean()):.2f}, largest sigma {max(row.sigma for row in mine):.2%}"
        )
    return Outcome(rows, done, seed, time.perf_counter() - begun, cpu_name(), remarks)


def _monte_carlo(
    tia: NDArray[np.float64], voxel_mm: Any, members: dict[str, Any], histories: int, seed: int, threads: int | None
) -> DoseResult:
    regions = {}
    for place, voxels in members.items():
        regions[place] = np.zeros(tia.shape, bool)
        regions[place][voxels] = True
    return absorbed_dose(tia, voxel_mm, histories=histories, seed=seed, threads=threads, regions=regions, device="cpu")


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw the differences over the dose, with what the limit allows."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = list(sources())
    figure, all_axes = plt.subplots(1, len(names), figsize=(11.0, 3.6), sharey=True, layout="constrained")
    for name, axes in zip(names, all_axes, strict=True):
        rows = sorted(
            (row for row in outcome.rows if row.quantity.startswith(name)),
            key=lambda row: float(row.notes["of largest"]),
        )
        dose = [float(row.notes["of largest"]) for row in rows]
        allowed = np.array([100.0 * ((row.limit or 0.0) + row.sigmas * row.sigma) for row in rows])
        axes.fill_between(dose, -allowed, allowed, color="#d9e4ee", label="allowed")
        axes.errorbar(
            dose,
            [100.0 * row.deviation for row in rows],
            [100.0 * row.sigma for row in rows],
            fmt="k.",
            markersize=3,
            linewidth=0.6,
            label="difference, 1 sigma of Monte Carlo",
        )
        axes.set_xscale("log")
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("dose over the largest")
    all_axes[0].set_ylabel("convolution from Monte Carlo, %")
    all_axes[0].legend(fontsize=7)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)
