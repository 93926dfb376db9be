"""The transforms of a convolution on a CUDA device, a block at a time."""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np
from cupyx.scipy import fft

from mcdose.arrays import on_gpu
from mcdose.convolution.blocks import Plan, Span
from mcdose.convolution.even_kernel import EvenKernel, folded
from mcdose.engine.cuda_arrays import on_device

SPECTRA = 5  # arrays as large as the spectrum that a block takes: padded, spectrum, plan, its copy, kernel or results


def bytes_of(plan: Plan, *, dtype: np.dtype[Any], threads: int) -> int:
    """Return what the transform of a block takes on the device."""
    nz, ny, nx = plan.periods
    return SPECTRA * 2 * dtype.itemsize * nz * ny * (nx // 2 + 1)


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
    """Convolve block by block; see `convolve`.

    The plans of cuFFT are made here and let go, so that the caller's cache of plans is neither filled nor emptied. A
    source on the host is sent block by block, and its results come back block by block.
    """
    with on_device(int(device.removeprefix("cuda:"))):
        spectrum = _spectrum(kernel, plan.periods, dtype)
        for z in plan.blocks:
            values = _block(source, spectrum, (z, plan.y, plan.x), dtype, floor)
            deliver(z.result, plan.y.result, plan.x.result, values if on_gpu(source) else values.get())
            del values


def _spectrum(kernel: EvenKernel, periods: tuple[int, int, int], dtype: np.dtype[Any]) -> Any:
    """Return what `EvenKernel.spectrum` does, made on the device."""
    octant = np.pad(kernel.octant[tuple(slice(0, period // 2) for period in periods)], (0, 1))  # zeros beyond its reach
    whole = cupy.asarray(octant.astype(dtype))
    for axis, period in enumerate(periods):
        whole = whole.take(cupy.asarray(np.minimum(folded(period), octant.shape[axis] - 1)), axis=axis)
    spectrum = fft.rfftn(whole, plan=fft.get_fft_plan(whole, value_type="R2C"))
    return spectrum[: periods[0] // 2 + 1, : periods[1] // 2 + 1].real.copy()


def _block(source: Any, of_kernel: Any, spans: tuple[Span, Span, Span], dtype: np.dtype[Any], floor: float) -> Any:
    """Return the results of a block, on the device."""
    z, y, x = spans
    periods = (z.period, y.period, x.period)
    padded = cupy.zeros(periods, dtype)
    part = tuple(slice(0, span.source.stop - span.source.start) for span in spans)
    padded[part] = cupy.asarray(source[z.source, y.source, x.source])
    spectrum = fft.rfftn(padded, plan=fft.get_fft_plan(padded, value_type="R2C"))
    del padded
    lines = of_kernel.take(cupy.asarray(folded(y.period)), axis=1)
    for k, place in enumerate(folded(z.period)):
        spectrum[k] *= lines[place]
    del lines
    plan = fft.get_fft_plan(spectrum, periods, value_type="C2R")
    values = fft.irfftn(spectrum, s=periods, overwrite_x=True, plan=plan)
    del spectrum, plan
    for axis, span in enumerate(spans):
        wanted = np.arange(span.result.start, span.result.stop) - span.source.start
        values = values.take(cupy.asarray(wanted % span.period), axis=axis)
    return cupy.where(values > floor, values, dtype.type(0))
