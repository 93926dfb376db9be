"""A kernel that is its own mirror image along each axis, and its Fourier transform."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

MOST_KEPT = 2**23  # bytes of a spectrum that is kept for the next call


class EvenKernel:
    """A convolution kernel that is its own mirror image along each axis, as every voxel kernel of a uniform medium is.

    Its discrete Fourier transform is real and even too, so an octant holds either.

    Parameters
    ----------
    octant : (kz + 1, ky + 1, kx + 1) float64, values at offsets from 0 to k
    """

    def __init__(self, octant: NDArray[np.float64]) -> None:
        self.octant = octant
        self._last: tuple[Any, NDArray[Any]] | None = None
        self._lock = Lock()

    @property
    def reach(self) -> tuple[int, int, int]:
        """How many voxels the kernel reaches along each axis."""
        z, y, x = (size - 1 for size in self.octant.shape)
        return z, y, x

    @property
    def total(self) -> float:
        """Sum over all offsets."""
        sum_ = self.octant
        for _ in range(3):
            sum_ = 2.0 * sum_.sum(axis=0) - sum_[0]
        return float(sum_)

    def spectrum(self, periods: tuple[int, int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return the discrete Fourier transform, frequencies 0 to n / 2 along each axis of even period n.

        Offsets of half a period and more are left out. The last one is kept, if it is not large.
        """
        with self._lock:
            if self._last is not None and self._last[0] == (periods, dtype):
                return self._last[1]
            found = self._transform(periods).astype(dtype, copy=False)
            if found.nbytes <= MOST_KEPT:
                self._last = (periods, dtype), found
            return found

    def _transform(self, periods: tuple[int, int, int]) -> NDArray[np.float64]:
        """Of an even sequence with an even period, half the transform is the cosine transform of half the sequence."""
        kept = self.octant[tuple(slice(0, period // 2) for period in periods)]
        padded = np.zeros([period // 2 + 1 for period in periods])
        padded[tuple(slice(0, size) for size in kept.shape)] = kept
        return np.asarray(fft.dctn(padded, type=1, overwrite_x=True))


def spectrum_bytes(periods: tuple[int, int, int]) -> int:
    """Return what making a spectrum takes at most: the padded kernel, its transform, and a copy."""
    return 3 * 8 * int(np.prod([period // 2 + 1 for period in periods]))


def folded(period: int) -> NDArray[np.int64]:
    """Return where the frequencies 0 to period - 1 of an even spectrum stand among 0 to period // 2."""
    index = np.arange(period)
    return np.minimum(index, period - index)
