"""How the standard error falls with the histories, and whether the reported one is the spread of independent runs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcdose import PointKernel, absorbed_dose, dose_point_kernel, voxel_kernel
from mcdose.engine.cpu import cpu_name
from validation.grids import hot_voxel
from validation.outcome import Outcome, Row, load_case

NAME = "convergence"
Array = NDArray[np.float64]
RUNGS = 7  # each of twice the histories of the one before
EDGES_MM = np.append(np.arange(121) / 10.0, 2000.0)
VOXEL_MM = (3.0, 3.0, 3.0)  # of the ladder
SHAPE = (9, 9, 9)
KERNEL_VOXEL_MM = (2.0, 2.0, 2.0)  # of the voxel kernels whose errors are tested
KERNEL_REACH_MM = 10.0


def point_kernel(histories: int, seed: int, threads: int | None) -> PointKernel:
    """Return the Y-90 point kernel in water in 0.1 mm shells."""
    return dose_point_kernel("Y-90", shell_edges_mm=EDGES_MM, histories=histories, seed=seed, threads=threads)


def shell_error(kernel: PointKernel) -> float:
    """Return the root mean square of the relative errors of the shells to 9 mm."""
    return float(np.sqrt(np.mean((kernel.standard_error_mev[:90] / kernel.energy_mev[:90]) ** 2)))


def voxel_error(histories: int, seed: int, threads: int | None) -> float:
    """Return the root mean square of the relative errors of the 27 voxels in and around a hot one."""
    centre = (SHAPE[0] // 2, SHAPE[1] // 2, SHAPE[2] // 2)
    result = absorbed_dose(hot_voxel(SHAPE, centre), VOXEL_MM, histories=histories, seed=seed, threads=threads)
    assert result.relative_uncertainty is not None
    middle = tuple(slice(place - 1, place + 2) for place in centre)
    return float(np.sqrt(np.mean(result.relative_uncertainty[middle].astype(float) ** 2)))


def exponent(histories: Array, errors: Array) -> tuple[float, float, Array]:
    """Fit a power law; return the exponent, its standard error from the scatter, and the fitted errors."""
    x = np.log(histories) - np.log(histories).mean()
    y = np.log(errors)
    slope = float((x @ y) / (x @ x))
    fitted = y.mean() + slope * x
    scatter = float(((y - fitted) ** 2).sum()) / (len(x) - 2)
    return slope, float(np.sqrt(scatter / (x @ x))), np.exp(fitted)


def variance_ratio(values: Array, errors: Array) -> tuple[float, float]:
    """Return the sample variance over the mean reported one, mean over quantities, and its jackknife error.

    Parameters
    ----------
    values, errors : (runs, quantities), of independent runs; the jackknife over runs knows that quantities go together
    """

    def mean_ratio(rows: NDArray[np.int64]) -> float:
        return float((values[rows].var(axis=0, ddof=1) / (errors[rows] ** 2).mean(axis=0)).mean())

    runs = len(values)
    every = np.arange(runs)
    without = np.array([mean_ratio(np.delete(every, run)) for run in every])
    return mean_ratio(every), float(np.sqrt((runs - 1) / runs * ((without - without.mean()) ** 2).sum()))


def once_each(shape: tuple[int, ...]) -> tuple[NDArray[np.int64], ...]:
    """Return the places of the voxels within reach of the middle one, once of all that are equal by symmetry."""
    half = shape[0] // 2
    z, y, x = np.indices((half + 1,) * 3)
    near = KERNEL_VOXEL_MM[0] * np.sqrt(z**2 + y**2 + x**2) <= KERNEL_REACH_MM
    return tuple(half + index[near & (z >= y) & (y >= x)] for index in (z, y, x))


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case: ladders of histories, then independent short runs."""
    case = load_case(NAME)
    limits = case["limits"]
    begun = time.perf_counter()
    ladder = histories // 2 ** np.arange(RUNGS)[::-1]
    rows = []
    points = []
    for name, ladder_errors in (
        (
            "point kernel",
            [shell_error(point_kernel(int(n), seed + number, threads)) for number, n in enumerate(ladder)],
        ),
        ("voxel dose", [voxel_error(int(n), seed + number, threads) for number, n in enumerate(ladder)]),
    ):
        slope, error, fitted = exponent(ladder.astype(float), np.array(ladder_errors))
        rows.append(Row(f"exponent, {name}", slope, error, -0.5, 0.0, limits["exponent"] / 0.5))
        points += [
            Row(f"{name}, relative error at {n} histories, to the fit", value, 0.0, float(fit), 0.0, None)
            for n, value, fit in zip(ladder, ladder_errors, fitted, strict=True)
        ]

    runs, each = limits["runs"], limits["histories_of_each"]
    if histories < case["histories"]:
        runs //= 7
    kernels = [point_kernel(each, seed + 1000 + number, threads) for number in range(runs)]
    energy = np.array([kernel.energy_mev[:-1] for kernel in kernels])
    energy_error = np.array([kernel.standard_error_mev[:-1] for kernel in kernels])
    ratio, error = variance_ratio(energy, energy_error)
    rows.append(Row("variance ratio, shells", ratio, error, 1.0, 0.0, limits["mean_ratio"]))
    voxels = [
        voxel_kernel("Y-90", KERNEL_VOXEL_MM, point_kernel=kernel, radius_mm=KERNEL_REACH_MM) for kernel in kernels
    ]
    judged = once_each(voxels[0].values.shape)
    values = np.array([voxel.values[judged] for voxel in voxels])
    errors = np.array([voxel.standard_error[judged] for voxel in voxels])
    ratio, error = variance_ratio(values, errors)
    rows.append(Row("variance ratio, voxel S by point kernel", ratio, error, 1.0, 0.0, limits["mean_ratio"]))
    for inner in range(12):
        part = slice(10 * inner, 10 * inner + 10)
        ratio, error = variance_ratio(energy[:, part], energy_error[:, part])
        points.append(Row(f"variance ratio, shells {inner} to {inner + 1} mm", ratio, error, 1.0, 0.0, None))
    large = values[0] > 0.01 * values[0].max()
    points.append(
        Row(
            "variance ratio, voxel S above 1 % of self",
            *variance_ratio(values[:, large], errors[:, large]),
            1.0,
            0.0,
            None,
        )
    )
    tail = np.array([[kernel.energy_mev[-1], kernel.standard_error_mev[-1]] for kernel in kernels])
    points.append(Row("variance ratio, 12 mm to 2 m", *variance_ratio(tail[:, :1], tail[:, 1:]), 1.0, 0.0, None))
    for quantity, numbers, reported in (("shells", energy, energy_error), ("voxel S", values, errors)):
        score = (numbers - numbers.mean(axis=0)) / reported / np.sqrt(1.0 - 1.0 / runs)
        for sigmas, part_inside in ((1.0, 0.6827), (2.0, 0.9545)):
            inside = float((np.abs(score) < sigmas).mean())
            points.append(Row(f"part of {quantity} within {sigmas:g} sigma", inside, 0.0, part_inside, 0.0, None))
    return Outcome(
        rows + points,
        int(2 * ladder.sum() + runs * each),
        seed,
        time.perf_counter() - begun,
        cpu_name(),
        [
            f"errors: root mean square of the relative errors of 0.1 mm shells to 9 mm, and of the 27 voxels of 3 mm "
            f"in and around a hot one, over {RUNGS} runs from {ladder[0]} to {ladder[-1]} histories",
            f"variance ratios: {runs} runs of {each} histories with different seeds; their errors by a jackknife over "
            f"the runs, as neighbouring shells and voxels share histories; {values.shape[1]} voxels of 2 mm "
            "within 10 mm, once of all equal by symmetry",
            "a voxel kernel's errors come from at most 32 parts of the histories: single ones are uncertain by 13 %, "
            "and fewer than 68 and 95 % lie within 1 and 2 sigma (Student's t of 31 degrees of freedom: 67.5, 94.6 %)",
        ],
    )


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw the errors over the histories with their fits, and the variance ratios over the radius."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.2), layout="constrained")
    for name, style in (("point kernel", "o"), ("voxel dose", "s")):
        points = [row for row in outcome.rows if row.quantity.startswith(f"{name}, relative error")]
        (slope,) = (row for row in outcome.rows if row.quantity == f"exponent, {name}")
        histories = [int(row.quantity.split(" at ")[1].split()[0]) for row in points]
        (line,) = left.loglog(histories, [100.0 * row.reference for row in points], linewidth=1.0)
        left.loglog(
            histories,
            [100.0 * row.value for row in points],
            style,
            color=line.get_color(),
            markersize=5,
            label=f"{name}: N^({slope.value:.4f} +- {slope.standard_error:.4f})",
        )
    left.set_xlabel("histories N")
    left.set_ylabel("relative standard error, %")
    left.legend(fontsize=8)
    bins = [row for row in outcome.rows if row.quantity.startswith("variance ratio, shells ")]
    right.axhspan(0.9, 1.1, color="#d9e4ee", label="10 %, for the means")
    right.errorbar(
        np.arange(len(bins)) + 0.5,
        [row.value for row in bins],
        [row.standard_error for row in bins],
        fmt="k.",
        label="shells, means over 1 mm",
    )
    for name, colour in (("shells", "tab:blue"), ("voxel S by point kernel", "tab:orange")):
        (mean,) = (row for row in outcome.rows if row.quantity == f"variance ratio, {name}")
        right.axhline(mean.value, color=colour, linewidth=1.0)
        right.axhspan(
            mean.value - mean.standard_error,
            mean.value + mean.standard_error,
            color=colour,
            alpha=0.2,
            label=f"{name}: {mean.value:.3f} +- {mean.standard_error:.3f}",
        )
    right.set_ylim(0.8, 1.3)
    right.set_xlabel("radius, mm")
    right.set_ylabel("sample variance over reported variance")
    right.legend(fontsize=8)
    figure.suptitle(title, fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)
