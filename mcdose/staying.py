"""What stays where the decay is, left in every voxel once a batch: by the activity, not by the decays that were drawn.

Alphas, recoils and the slowest electrons need no history: their energy in a voxel is that of its decays, and has no
noise. It enters a batch as the mean of so many histories.

The function of one voxel is compiled for the CPU here and for CUDA devices in `mcdose.engine.cuda_kernels`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mcdose.arrays import module_of
from mcdose.emission_table import EmissionTable
from mcdose.jit import compiled, launcher
from mcdose.problem import Problem


def staying_quanta(problem: Problem, table: EmissionTable) -> Any:
    """Return the quanta that a history leaves in each voxel on average, (voxels,) float32 where the problem is.

    None where nothing stays, as of Y-90.
    """
    if not table.stays > 0.0:
        return None
    per_decay = float(table.stays) * 2.0**32 / problem.total_decays
    quanta = module_of(problem.tia_bq_s).empty(problem.shape, np.float32)
    for plane, decays in zip(quanta, problem.tia_bq_s, strict=True):  # no copy of the whole grid
        plane[:] = decays.astype(np.float64) * per_decay
    return quanta.ravel()


@compiled
def leave_in_voxel(batch, voxel, quanta, count):  # type: ignore[no-untyped-def]
    """Add to a batch what `count` (float64) histories leave in a voxel; return it, quanta."""
    amount = np.int64(np.float64(quanta[voxel]) * count + np.float64(0.5))
    batch[voxel] += amount
    return amount


@launcher
def leave(batch, quanta, count, start, stop):  # type: ignore[no-untyped-def]
    """Add to voxels start .. stop of a batch what `count` (float64) histories leave there; return the sum, quanta."""
    total = np.int64(0)
    for voxel in range(start, stop):
        total += leave_in_voxel(batch, voxel, quanta, count)
    return total
