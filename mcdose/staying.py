"""What stays where the decay is, left in every voxel once a batch: by the activity, not by the decays that were drawn.

Alphas, recoils and the slowest electrons need no history: their energy in a voxel is that of its decays, and has no
noise. It enters a batch as the mean of so many histories.

The function of one voxel is compiled for the CPU here and for CUDA devices in `mcdose.engine.cuda_kernels`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from mcdose.arrays import module_of, on_gpu
from mcdose.emission_table import EmissionTable
from mcdose.jit import compiled, launcher
from mcdose.problem import Problem


class Staying(NamedTuple):
    """What a history leaves in each voxel on average: `quanta` times the voxel's part of all decays."""

    decays: Any  # (voxels,) float32 or float64, of the voxels
    total: np.float64  # of all voxels
    quanta: np.float64  # that a history leaves


def staying_of(problem: Problem, table: EmissionTable) -> Staying | None:
    """Return what stays of a problem's decays; None where nothing does, as of Y-90."""
    if not table.stays > 0.0:
        return None
    decays = problem.tia_bq_s
    module = module_of(decays)
    kind = decays.dtype if decays.dtype in (np.float32, np.float64) else np.float64
    flat = module.ascontiguousarray(decays, dtype=kind).ravel()  # no copy of what a user usually gives
    return Staying(flat, np.float64(problem.total_decays), np.float64(table.stays) * np.float64(2.0**32))


def quanta_on_gpu(staying: Staying) -> Any:
    """Return the quanta of every voxel, float32, on the current device: what `leave` works out voxel by voxel."""
    import cupy

    decays = staying.decays if on_gpu(staying.decays) else cupy.asarray(staying.decays)
    return (decays.astype(np.float64) / staying.total * staying.quanta).astype(np.float32)


@compiled
def left_by(quanta, count):  # type: ignore[no-untyped-def]
    """Return what `count` (float64) histories leave where each leaves `quanta` (float32) on average, int64."""
    return np.int64(np.float64(quanta) * count + np.float64(0.5))


@launcher
def leave(batch, staying, count, start, stop):  # type: ignore[no-untyped-def]
    """Add to voxels start .. stop of a batch what `count` (float64) histories leave there; return the sum, quanta."""
    total = np.int64(0)
    for voxel in range(start, stop):
        quanta = np.float32(np.float64(staying.decays[voxel]) / staying.total * staying.quanta)
        amount = left_by(quanta, count)
        batch[voxel] += amount
        total += amount
    return total
