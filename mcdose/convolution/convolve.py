"""Convolve a map with an even kernel."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mcdose.convolution.blocks import plan, support
from mcdose.convolution.even_kernel import EvenKernel

PRECISIONS: dict[str, np.dtype[Any]] = {"double": np.dtype(np.float64), "single": np.dtype(np.float32)}
NOISE = 8.0  # times the rounding unit of the largest possible result: what is below it is rounding, and set to 0

Deliver = Callable[[slice, slice, slice, Any], None]


def convolve(
    source: Any,
    kernel: EvenKernel,
    deliver: Deliver,
    *,
    precision: str = "double",
    device: str = "cpu",
    threads: int = 1,
    max_bytes: int = 2**32,
) -> None:
    """Convolve a map with an even kernel; what would come from outside the map is nothing.

    Only the part of the grid that holds activity is transformed, with the reach of the kernel around it, and in blocks
    of planes if it is too large for the memory. Each block is transformed plane by plane, then along z, and back; the
    planes that only pad it are never made. Results below the noise of rounding are zero, so none is negative: 8 units
    of rounding of the largest result that could be, which is 2e-15 of it in double precision and 1e-6 in single.

    The result is the same for any number of threads. It depends on the blocks in its last digits.

    Parameters
    ----------
    source : (nz, ny, nx), not negative; NumPy or CuPy
    kernel : EvenKernel, not negative
    deliver : callable (z, y, x, values)
        Takes the results of a part of the grid, in the precision that was computed in, of the kind of `source`, never
        of the same part twice; called from several threads at once. Results that nobody is given are zero.
    precision : "double" or "single"
    device : "cpu" or "cuda:N"
    threads : of the CPU
    max_bytes : of work memory, beside source and results

    Raises
    ------
    ValueError
        Not even a block of one plane fits into `max_bytes`.
    """
    box = support(source)
    if box is None:
        return
    dtype = PRECISIONS[precision]
    floor = NOISE * float(np.finfo(dtype.type).eps) * float(source.max()) * kernel.total
    if device == "cpu":
        from mcdose.convolution.cpu import bytes_of, run
    else:
        from mcdose.convolution.gpu import bytes_of, run
    blocks = plan(source.shape, box, kernel.reach, partial(bytes_of, dtype=dtype, threads=threads), max_bytes)
    run(source, kernel, blocks, dtype, floor, deliver, device, threads)
