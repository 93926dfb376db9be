"""What a convolution transforms: where there is activity, with the kernel's reach around it, in blocks of planes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.fft import next_fast_len

from mcdose.arrays import on_gpu


class Span(NamedTuple):
    """Part of one axis: where the source is, where its result is, and the period of a transform that holds both."""

    source: slice
    result: slice
    period: int


class Plan(NamedTuple):
    """Blocks along z, one after the other, and the spans of y and x that all of them have."""

    blocks: tuple[Span, ...]
    y: Span
    x: Span


def support(source: Any) -> tuple[slice, slice, slice] | None:
    """Return the smallest box that holds everything but zeros, None where there is nothing else."""
    if on_gpu(source):
        lines = [(source != 0).any(axis=others).get() for others in ((1, 2), (0, 2), (0, 1))]
    else:
        lines = [np.zeros(size, np.bool_) for size in source.shape]
        for k, plane in enumerate(source):
            filled = plane != 0
            rows = filled.any(axis=1)
            lines[0][k] = rows.any()
            lines[1] |= rows
            lines[2] |= filled.any(axis=0)
    found = [np.flatnonzero(line) for line in lines]
    if not found[0].size:
        return None
    z, y, x = (slice(int(places[0]), int(places[-1]) + 1) for places in found)
    return z, y, x


def plan(
    shape: tuple[int, ...],
    box: tuple[slice, slice, slice],
    reach: tuple[int, int, int],
    bytes_of: Callable[[Span, Span, Span], int],
    max_bytes: int,
) -> Plan:
    """Return blocks of planes, as few as take at most `max_bytes` each, all about as thick.

    Parameters
    ----------
    shape : of the grid
    box : with all of the source
    reach : of the kernel along each axis, voxels
    bytes_of : what a block takes, of its spans along z, y, x
    max_bytes : int

    Raises
    ------
    ValueError
        Not even a block of one plane of results fits.
    """
    whole, y, x = (_grown(part, size, count) for part, size, count in zip(box, shape, reach, strict=True))
    first, last = whole.result.start, whole.result.stop

    def block(start: int, stop: int) -> Span:
        near = slice(max(box[0].start, start - reach[0]), min(box[0].stop, stop + reach[0]))
        return _span(near, slice(start, stop), reach[0])

    def fits(planes: int) -> bool:
        middle = max(first, min((first + last - planes) // 2, last - planes))
        return bytes_of(block(middle, middle + planes), y, x) <= max_bytes

    planes = last - first
    if not fits(planes):
        low, high = 0, planes  # `low` planes fit, `high` do not
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        if not low:
            least = bytes_of(block(first, first + 1), y, x)
            raise ValueError(
                f"the convolution must have at least {least / 1e6:.2f} MB to work in, got {max_bytes / 1e6:.2f} MB"
            )
        planes = low
    count = -(-(last - first) // planes)
    limits = [first + (last - first) * k // count for k in range(count + 1)]
    blocks = tuple(block(start, stop) for start, stop in pairwise(limits))
    return Plan(tuple(part for part in blocks if part.source.stop > part.source.start), y, x)


def _grown(part: slice, size: int, reach: int) -> Span:
    return _span(part, slice(max(0, part.start - reach), min(size, part.stop + reach)), reach)


def _span(source: slice, result: slice, reach: int) -> Span:
    """Choose an even period in which no source wraps around into a result.

    What is `apart` at most is moved by offsets up to that, so a kernel that reaches further is cut there.
    """
    apart = max(result.stop - 1 - source.start, source.stop - 1 - result.start)
    period = int(next_fast_len(max(apart + min(reach, apart) + 1, 2), real=True))
    while period % 2:
        period = int(next_fast_len(period + 1, real=True))
    return Span(source, result, period)
