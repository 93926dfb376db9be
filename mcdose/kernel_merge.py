"""Add dose-point kernels of disjoint ranges of histories, as if they had been one run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.kernel import PointKernel
from mcdose.point_kernel import BATCH


def merge_point_kernels(kernels: Sequence[PointKernel]) -> PointKernel:
    """Return the kernel of all the histories of several runs of `dose_point_kernel`.

    The energy is exact where each run left less than 2^19 MeV in a shell, else right to 2^-51: the sum of a run is a
    whole number of quanta of 2^-32 MeV, found again from its mean, which is of a decay of so many histories. The
    standard error is that of all batches, to rounding (in runs of two or three batches that happen to be equal to
    2^-16 MeV, to a thousandth). The deviations are those of the runs, weighted by their histories: runs are
    independent, so the sums of products estimate the same covariance.

    Parameters
    ----------
    kernels : at least one, each of whole batches
        The same source, medium, density, shells and seed, and disjoint histories.

    Raises
    ------
    ValueError
        No kernels, parts of batches, different problems, or ranges that overlap.
    """
    if not kernels:
        raise ValueError("kernels must hold at least one kernel, got none")
    ordered = sorted(kernels, key=_first)
    model = ordered[0]
    for kernel in ordered:
        if kernel.histories % BATCH or _first(kernel) % BATCH:
            raise ValueError(
                f"kernels must be of whole batches of {BATCH} histories, got {kernel.histories} from {_first(kernel)}"
            )
        if not np.array_equal(kernel.shell_edges_mm, model.shell_edges_mm) or _problem(kernel) != _problem(model):
            raise ValueError("kernels must have the same source, medium, shells, parameters and seed")
    for before, after in pairwise(ordered):
        if _first(after) < _first(before) + before.histories:
            raise ValueError(
                f"kernels must cover disjoint histories, got {before.histories} from {_first(before)} "
                f"and {after.histories} from {_first(after)}"
            )
    if len(ordered) == 1:
        return model
    histories = sum(kernel.histories for kernel in ordered)
    batches = histories // BATCH
    per_decay = float(model.provenance.get("histories_per_decay", 1.0))
    quanta = [0] * model.energy_mev.size
    squares = np.zeros(model.energy_mev.size)  # of the batches' sums, MeV2
    for kernel in ordered:
        total = kernel.energy_mev / per_decay * kernel.histories
        for shell, value in enumerate(total):
            quanta[shell] += round(float(value) * 2**32)
        own = kernel.histories // BATCH
        spread = (kernel.standard_error_mev / per_decay * kernel.histories) ** 2 * (own - 1) if own > 1 else 0.0
        squares += (spread + total**2) / own
    energy = np.array([float(value) for value in quanta]) * 2.0**-32
    variance = (batches * squares - energy**2) / (batches - 1)
    return PointKernel(
        model.shell_edges_mm,
        energy / histories * per_decay,
        np.sqrt(np.maximum(variance, 0.0)) / histories * per_decay,
        _deviations(ordered, histories),
        model.emitted_mev,
        model.source,
        model.medium,
        model.density_g_cm3,
        histories,
        _joined(ordered, histories),
    )


def _deviations(kernels: Sequence[PointKernel], histories: int) -> NDArray[np.float64]:
    """Return the deviations of all, part by part; NaN where a run of one batch has none."""
    deviations = np.zeros((max(len(kernel.deviations_mev) for kernel in kernels), kernels[0].energy_mev.size))
    for kernel in kernels:
        deviations[: len(kernel.deviations_mev)] += kernel.deviations_mev * (kernel.histories / histories)
    return deviations


def _first(kernel: PointKernel) -> int:
    return int(kernel.provenance["first_history"])


def _problem(kernel: PointKernel) -> tuple[Any, ...]:
    """Return what runs must agree in besides the shells."""
    same = ("mcdose", "seed", "parameters", "mean_excitation_energy_ev", "tables_sha256")
    return (
        kernel.source,
        kernel.medium,
        kernel.density_g_cm3,
        kernel.emitted_mev,
        *(kernel.provenance.get(key) for key in same),
    )


def _joined(ordered: Sequence[PointKernel], histories: int) -> dict[str, Any]:
    """Return the provenance of all: what they agree in, sums of faults, means over histories of other numbers."""
    joined: dict[str, Any] = {}
    for key, value in ordered[0].provenance.items():
        values: list[Any] = [kernel.provenance.get(key) for kernel in ordered]
        if key == "faults" and all(isinstance(other, dict) for other in values):
            joined[key] = {name: sum(other.get(name, 0) for other in values) for name in value}
        elif key == "first_history" or values.count(value) == len(values):
            joined[key] = value
        elif all(isinstance(other, float) for other in values):
            joined[key] = float(np.average(values, weights=[kernel.histories for kernel in ordered]))
    return joined
