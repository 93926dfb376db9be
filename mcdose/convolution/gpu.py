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

SPECTRA = 5  # arrays as large as the spectrum that a block takes: padded, spectrum, plan, its copy, kernel


def bytes_of(z: Span, y: Span, x: Span, *, dtype: np.dtype[Any], threads: int) -> int:
    """Return what the transform of a block takes on the device."""
    return SPECTRA * 2 * dtype.itemsize * z.period * y.period * (x.period // 2 + 1)


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
    stays = on_gpu(source)
    y, x = plan.y, plan.x
    inner = (y.period, x.period)
    with on_device(int(device.removeprefix("cuda:"))):
        fold_y, fold_x = cupy.asarray(folded(y.period)), slice(None)
        for z in plan.blocks:
            periods = (z.period, *inner)
            padded = cupy.zeros(periods, dtype)
            part = tuple(slice(0, span.source.stop - span.source.start) for span in (z, y, x))
            padded[part] = cupy.asarray(source[z.source, y.source, x.source])
            spectrum = fft.rfftn(padded, plan=fft.get_fft_plan(padded, value_type="R2C"))
            del padded
            octant = cupy.asarray(kernel.spectrum(periods).astype(dtype, copy=False))
            lines = octant[:, fold_y, fold_x]
            for k, place in enumerate(folded(z.period)):
                spectrum[k] *= lines[place]
            del octant, lines
            values = fft.irfftn(spectrum, s=periods, plan=fft.get_fft_plan(spectrum, periods, value_type="C2R"))
            del spectrum
            for axis, span in enumerate((z, y, x)):
                wanted = np.arange(span.result.start, span.result.stop) - span.source.start
                values = values.take(cupy.asarray(wanted % span.period), axis=axis)
            values = cupy.where(values > floor, values, dtype.type(0))
            deliver(z.result, y.result, x.result, values if stays else values.get())
