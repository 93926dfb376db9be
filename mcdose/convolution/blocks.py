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
    """Blocks along z, one after the other and all of one period, and the spans of y and x that all of them have."""

    blocks: tuple[Span, ...]
    y: Span
    x: Span

    @property
    def planes(self) -> int:
        """Most planes that a block reads or gives."""
        return max(int(part.stop - part.start) for z in self.blocks for part in (z.source, z.result))

    @property
    def periods(self) -> tuple[int, int, int]:
        """Periods of the transforms along z, y and x."""
        return self.blocks[0].period, self.y.period, self.x.period


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
    bytes_of: Callable[[Plan], int],
    max_bytes: int,
) -> tuple[Plan, int]:
    """Return the fewest blocks of planes that take at most `max_bytes`, all about as thick, and what they take.

    Where not even blocks of one plane do, those are returned, and take more.

    Parameters
    ----------
    shape : of the grid
    box : with all of the source
    reach : of the kernel along each axis, voxels
    bytes_of : what a plan takes
    max_bytes : int
    """
    whole, y, x = (_grown(part, size, count) for part, size, count in zip(box, shape, reach, strict=True))
    first, last = whole.result.start, whole.result.stop
    count = 1
    while True:
        limits = [first + (last - first) * k // count for k in range(count + 1)]
        blocks = [_block(box[0], slice(start, stop), reach[0]) for start, stop in pairwise(limits)]
        period = max(block.period for block in blocks)
        found = Plan(tuple(block._replace(period=period) for block in blocks), y, x)
        needed = bytes_of(found)
        if needed <= max_bytes or count == last - first:
            return found, needed
        count = min(count + max(1, count // 4), last - first)


def _block(box: slice, result: slice, reach: int) -> Span:
    """Return the span of some planes of results; those of the source that they are made from."""
    return _span(slice(max(box.start, result.start - reach), min(box.stop, result.stop + reach)), result, reach)


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
