"""From batch sums to the maps that are reported: dose and its relative standard error.

The functions of one voxel are compiled for the CPU here and for CUDA devices in `mcdose.engine.cuda_kernels`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.constants import GY_PER_MEV_PER_G
from mcdose.jit import compiled, launcher
from mcdose.problem import TARGET_ABOVE, Problem
from mcdose.tally import SQUARE_SHIFT, Tally, voxel_energy, voxel_variance

SQUARE_UNIT_MEV = np.float64(2.0 ** (SQUARE_SHIFT - 32))  # of the energies whose squares are summed
SLICE = 1 << 16  # voxels of which sums of real numbers are taken at a time: the same for any number of threads


@dataclass(frozen=True)
class Scale:
    """From energy in a voxel to the dose that is reported.

    Parameters
    ----------
    total_decays : the dose is that of so many decays
    floor : g/cm3, no dose is reported below it
    factors : (media,) float64, from dose to the medium to the dose that is reported
    per_decay : histories, each one emission, that a decay is on average
    """

    total_decays: float
    floor: float
    factors: NDArray[np.float64]
    per_decay: float = 1.0

    @property
    def histories(self) -> float:
        """Histories that the decays are."""
        return self.total_decays * self.per_decay


class Voxels(NamedTuple):
    """What turns energy into dose in every voxel."""

    density: Any  # (voxels,) float32, g/cm3
    medium: Any  # (voxels,) uint8
    factors: Any  # (media,) float64
    floor: np.float32  # g/cm3, no dose is reported below it
    gy_g_per_mev: np.float64  # dose of 1 MeV where 1 cm3 holds 1 g


def voxels_of(problem: Problem, scale: Scale) -> Voxels:
    """Return what turns the energy of one decay a history into dose; arrays are those of the problem."""
    gy = np.float64(GY_PER_MEV_PER_G / problem.voxel_cm3)
    return Voxels(problem.density, problem.medium_index, scale.factors, np.float32(scale.floor), gy)


@compiled
def gy_per_mev(voxels, voxel):  # type: ignore[no-untyped-def]
    """Return the dose of 1 MeV in a voxel, Gy, float64; 0 where no dose is reported (see `problem.reports_dose`)."""
    density = voxels.density[voxel]
    if not density >= voxels.floor or not density > np.float32(0.0):
        return np.float64(0.0)
    return voxels.gy_g_per_mev / np.float64(density) * voxels.factors[voxels.medium[voxel]]


@compiled
def voxel_dose(sums, voxels, voxel, per_history):  # type: ignore[no-untyped-def]
    """Return the dose of a voxel, Gy, for `per_history` (float64) decays a history, float32."""
    return np.float32(voxel_energy(sums, voxel) * gy_per_mev(voxels, voxel) * per_history)


@compiled
def voxel_error(sums, voxels, voxel, ratio, batches):  # type: ignore[no-untyped-def]
    """Return the relative standard error of a voxel, float32.

    NaN where no dose is reported, and where nothing was scored but what stays by activity (`mcdose.staying`): batches
    then differ by no more than the rounding of their squares.
    """
    if not gy_per_mev(voxels, voxel) > np.float64(0.0):
        return np.float32(np.nan)
    variance = voxel_variance(sums, voxel, ratio, batches)
    if variance * np.float64(batches - 1) * voxel_energy(sums, voxel) <= np.float64(batches) * SQUARE_UNIT_MEV:
        return np.float32(np.nan)
    return np.float32(math.sqrt(variance))


@launcher
def _fill_dose(sums, voxels, start, stop, per_history, above, dose):  # type: ignore[no-untyped-def]
    for voxel in range(start, stop):
        judged = voxels.density[voxel] > above
        dose[voxel] = voxel_dose(sums, voxels, voxel, per_history) if judged else np.float32(0.0)


@launcher
def _fill_error(sums, voxels, start, stop, ratio, batches, relative):  # type: ignore[no-untyped-def]
    for voxel in range(start, stop):
        relative[voxel] = voxel_error(sums, voxels, voxel, ratio, batches)


@launcher
def _add_variances(sums, dose, limit, start, stop, ratio, batches):  # type: ignore[no-untyped-def]
    total = np.float64(0.0)
    count = 0
    for voxel in range(start, stop):
        if dose[voxel] > limit:
            total += voxel_variance(sums, voxel, ratio, batches)
            count += 1
    return total, count


def fill_dose(
    tally: Tally, voxels: Voxels, start: int, stop: int, per_history: float, dose: NDArray[np.float32], above: float
) -> None:
    """Write the dose [Gy] of voxels start .. stop, 0 up to the density `above` [g/cm3]."""
    _fill_dose(tally.sums, voxels, start, stop, np.float64(per_history), np.float32(above), dose)


def fill_error(tally: Tally, voxels: Voxels, start: int, stop: int, relative: NDArray[np.float32]) -> None:
    """Write the relative standard error of voxels start .. stop."""
    _fill_error(tally.sums, voxels, start, stop, np.float64(tally.ratio), tally.batches, relative)


def add_variances(tally: Tally, dose: NDArray[np.float32], limit: float, start: int, stop: int) -> tuple[float, int]:
    """Return the sum of the squared relative errors of the voxels of start .. stop above `limit`, and their number."""
    total, count = _add_variances(
        tally.sums, dose, np.float32(limit), start, stop, np.float64(tally.ratio), tally.batches
    )
    return float(total), int(count)


def prepare() -> None:
    """Compile what makes the maps, or load it."""
    tally = Tally(0, 1)
    reals = np.zeros(0, np.float32)
    voxels = Voxels(reals, np.zeros(0, np.uint8), np.ones(1), np.float32(0.0), np.float64(1.0))
    tally.flush(np.zeros(0, np.int64), 1, 0, 0)
    fill_dose(tally, voxels, 0, 0, 1.0, reals, TARGET_ABOVE)
    fill_error(tally, voxels, 0, 0, reals)
    add_variances(tally, reals, 0.0, 0, 0)


def target_limit(dose: Any) -> float:
    """Return half of the 99.9th percentile of dose, of the largest dose where that is zero; reorders the array."""
    rank = int(0.999 * (dose.size - 1))
    dose.partition(rank)
    return 0.5 * float(dose[rank] or dose.max())


def halves(batch: Any) -> tuple[Any, Any]:
    """Return the memory of a batch, NumPy or CuPy, as two arrays of float32."""
    memory = batch.view(np.float32)
    return memory[: batch.size], memory[batch.size :]
