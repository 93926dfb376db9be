"""Activity in, sampling tables out: what `transport.source` draws from."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcdose.arrays import on_gpu
from mcdose.emission_table import EmissionTable
from mcdose.jit import compiled, launcher
from mcdose.transport.source import Source


@compiled
def line_words(values, words, line):  # type: ignore[no-untyped-def]
    """Write the cumulative sum of a line, scaled to 2^31; return the line's sum. A line of zeros stays zero.

    The draw takes the first entry above a 31-bit word: never one without activity, which has the value of the one
    before it, and always one, because the last active one holds 2^31 exactly.
    """
    total = np.float64(0.0)
    for k in range(values.shape[1]):
        total += np.float64(values[line, k])
    if not total > np.float64(0.0):
        for k in range(values.shape[1]):
            words[line, k] = np.uint32(0)
        return total
    scale = np.float64(2147483648.0) / total
    cumulative = np.float64(0.0)
    for k in range(values.shape[1]):
        cumulative += np.float64(values[line, k])
        if cumulative >= total:
            words[line, k] = np.uint32(2147483648)
        else:
            words[line, k] = np.uint32(min(cumulative * scale, np.float64(2147483647.0)))
    return total


@launcher
def _lines(values, words, sums):  # type: ignore[no-untyped-def]
    for line in range(values.shape[0]):
        sums[line] = line_words(values, words, line)


def build_source(tia_bq_s: Any, table: EmissionTable) -> Source:
    """Return the sampling tables of an activity map, where the map is.

    Parameters
    ----------
    tia_bq_s : (nz, ny, nx) NumPy or CuPy, decays per voxel, not negative, positive sum
    table : what a decay emits
    """
    if on_gpu(tia_bq_s):
        from mcdose.engine.cuda_arrays import words_on_gpu

        return Source(*words_on_gpu(tia_bq_s), *table.fields)
    nz, ny, nx = tia_bq_s.shape
    voxels = np.empty((nz * ny, nx), np.uint32)
    rows = np.empty((nz, ny), np.uint32)
    slabs = np.empty((1, nz), np.uint32)
    row_sums = np.empty(nz * ny)
    slab_sums = np.empty(nz)
    for z in range(nz):  # no copy of the whole grid
        part = slice(z * ny, (z + 1) * ny)
        _lines(np.ascontiguousarray(tia_bq_s[z], np.float64), voxels[part], row_sums[part])
    _lines(row_sums.reshape(nz, ny), rows, slab_sums)
    _lines(slab_sums.reshape(1, nz), slabs, np.empty(1))
    return Source(slabs.ravel(), rows.ravel(), voxels.ravel(), *table.fields)
