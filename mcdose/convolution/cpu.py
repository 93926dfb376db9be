"""The transforms of a convolution on the CPU: planes along y and x by themselves, then columns along z."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from scipy import fft

from mcdose.convolution.blocks import Plan, Span
from mcdose.convolution.even_kernel import EvenKernel, folded

COLUMNS = 2**11  # along z, transformed at a time


def bytes_of(z: Span, y: Span, x: Span, *, dtype: np.dtype[Any], threads: int) -> int:
    """Return what the transform of a block takes."""
    plane = y.period * (x.period // 2 + 1)
    number = 2 * dtype.itemsize
    planes = max(z.source.stop - z.source.start, z.result.stop - z.result.start)
    spectrum = dtype.itemsize * (z.period // 2 + 1) * (y.period // 2 + 1) * (x.period // 2 + 1)
    at_once = 3 * max(min(_rows(x), y.period) * (x.period // 2 + 1) * z.period, plane)
    return int(number * (planes * plane + threads * at_once) + spectrum)


def run(
    source: Any,
    kernel: EvenKernel,
    plan: Plan,
    dtype: np.dtype[Any],
    floor: float,
    deliver: Any,
    device: str,
    threads: int,
) -> None:
    """Convolve block by block; see `convolve`."""
    y, x = plan.y, plan.x
    width = x.period // 2 + 1
    rows_at_once = _rows(x)
    fold_y = folded(y.period)
    most = max(max(z.source.stop - z.source.start, z.result.stop - z.result.start) for z in plan.blocks)
    planes = np.empty((most, y.period, width), np.result_type(dtype, np.complex64))
    with ThreadPoolExecutor(threads, thread_name_prefix="mcdose") as pool:
        for z in plan.blocks:
            spectrum = kernel.spectrum((z.period, y.period, x.period)).astype(dtype, copy=False)
            fold_z = folded(z.period)
            count = z.source.stop - z.source.start
            before = z.result.start - z.source.start  # where the results begin, in the period of the block

            def forward(k: int, z: Span = z) -> None:
                plane = source[z.source.start + k, y.source, x.source].astype(dtype)
                planes[k] = fft.rfft2(plane, s=(y.period, x.period))

            def along_z(first: int, z: Span = z, spectrum: Any = spectrum, fold_z: Any = fold_z, count: int = count,
                        before: int = before) -> None:  # fmt: skip
                rows = slice(first, min(first + rows_at_once, y.period))
                columns = fft.fft(planes[:count, rows], n=z.period, axis=0)
                for k in range(z.period):
                    columns[k] *= spectrum[fold_z[k], fold_y[rows]]
                columns = fft.ifft(columns, axis=0, overwrite_x=True)
                for k in range(z.result.stop - z.result.start):
                    planes[k, rows] = columns[(before + k) % z.period]

            def backward(k: int, z: Span = z) -> None:
                whole = fft.irfft2(planes[k], s=(y.period, x.period), overwrite_x=True)
                values = np.roll(whole, (y.source.start - y.result.start, x.source.start - x.result.start), (0, 1))
                values = values[: y.result.stop - y.result.start, : x.result.stop - x.result.start]
                values = np.where(values > floor, values, dtype.type(0))
                deliver(slice(z.result.start + k, z.result.start + k + 1), y.result, x.result, values[None])

            for step, items in (
                (forward, range(count)),
                (along_z, range(0, y.period, rows_at_once)),
                (backward, range(z.result.stop - z.result.start)),
            ):
                for _ in pool.map(step, items):
                    pass


def _rows(x: Span) -> int:
    return max(1, COLUMNS // (x.period // 2 + 1))
