"""Activity in, sampling tables out: what `transport.source` draws from."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mcdose.nuclides import nuclide
from mcdose.transport.source import Source

ENERGY_CELLS = 4096  # quantiles of the spectrum; linear between them the mean is 5e-6 high


def build_source(tia_bq_s: NDArray[np.floating], nuclide_name: str) -> tuple[Source, float]:
    """Return the sampling tables of an activity map and the total number of decays.

    Parameters
    ----------
    tia_bq_s : (nz, ny, nx) decays per voxel, not negative, positive sum
    """
    nz, ny, nx = tia_bq_s.shape
    voxels = np.empty((nz, ny, nx), np.uint32)
    rows = np.empty((nz, ny), np.uint32)
    slab_sums = np.empty(nz)
    for z in range(nz):  # slab by slab: float64 sums without a float64 copy of the grid
        cumulative = np.cumsum(tia_bq_s[z], axis=1, dtype=np.float64)
        voxels[z] = _as_words(cumulative)
        row_sums = np.cumsum(cumulative[:, -1])
        rows[z] = _as_words(row_sums)
        slab_sums[z] = row_sums[-1]
    cumulative_slabs = np.cumsum(slab_sums)
    return (
        Source(_as_words(cumulative_slabs), rows.ravel(), voxels.ravel(), _energies(nuclide_name)),
        float(cumulative_slabs[-1]),
    )


def _as_words(cumulative: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Scale cumulative sums along the last axis to 0 .. 2^31; lines of zeros stay zero.

    The draw takes the first entry above a 31-bit word: never one without activity, which has the value of the one
    before it, and always one, because the last active one holds 2^31 exactly.
    """
    total = cumulative[..., -1:]
    scaled = cumulative * (2.0**31 / np.where(total > 0.0, total, 1.0))
    return np.where((cumulative >= total) & (total > 0.0), 2.0**31, np.minimum(scaled, 2.0**31 - 1.0)).astype(np.uint32)


@lru_cache(maxsize=16)
def _energies(nuclide_name: str) -> NDArray[np.float32]:
    energies = nuclide(nuclide_name).inverse_cdf(ENERGY_CELLS).astype(np.float32)
    energies.flags.writeable = False
    return energies
