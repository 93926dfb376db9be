"""A number that tells arrays apart, the same on every device: what `merge` knows its inputs by."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcdose.arrays import on_gpu
from mcdose.jit import compiled, launcher

SLICE = 1 << 16  # numbers copied at a time


@compiled
def mixed(index, value):  # type: ignore[no-untyped-def]
    """Return 64 bits mixed from an index and a number; sums of them, modulo 2^64, do not depend on the order.

    Source: the finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014), applied to each in turn.
    """
    bits = np.uint64(np.float64(value).view(np.int64)) + np.uint64(index) * np.uint64(0x9E3779B97F4A7C15)
    for _ in range(2):
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits = (bits ^ (bits >> np.uint64(31))) + np.uint64(index)
    return bits


@launcher
def _sum(values, offset):  # type: ignore[no-untyped-def]
    total = np.uint64(0)
    for k in range(values.shape[0]):
        total += mixed(offset + np.uint64(k), values[k])
    return total


def checksum(array: Any) -> int:
    """Return the checksum of the values of an array, by their order in C; the dtype does not count."""
    if on_gpu(array):
        from mcdose.engine.cuda_arrays import checksum_on_gpu

        return checksum_on_gpu(array)
    total = 0
    offset = 0
    parts = array if array.ndim > 1 else (array[start : start + SLICE] for start in range(0, array.size, SLICE))
    for part in parts:
        total += int(_sum(np.ascontiguousarray(part, np.float64).ravel(), np.uint64(offset)))
        offset += part.size
    return total % 2**64
