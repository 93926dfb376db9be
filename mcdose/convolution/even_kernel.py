"""A kernel that is its own mirror image along each axis, and its Fourier transform."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from scipy import fft

KEPT = 4  # spectra of a kernel that are kept


class EvenKernel:
    """A convolution kernel that is its own mirror image along each axis, as every voxel kernel of a uniform medium is.

    Its discrete Fourier transform is real and even too, so an octant holds either.

    Parameters
    ----------
    octant : (kz + 1, ky + 1, kx + 1) float64, values at offsets from 0 to k
    """

    def __init__(self, octant: NDArray[np.float64]) -> None:
        self.octant = octant
        self._spectra: OrderedDict[tuple[int, ...], NDArray[np.float64]] = OrderedDict()
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

    def spectrum(self, periods: tuple[int, int, int]) -> NDArray[np.float64]:
        """Return the discrete Fourier transform, frequencies 0 to n / 2 along each axis of even period n.

        Offsets of half a period and more are left out.
        """
        with self._lock:
            if periods in self._spectra:
                self._spectra.move_to_end(periods)
            else:
                self._spectra[periods] = self._transform(periods)
            while len(self._spectra) > KEPT:
                self._spectra.popitem(last=False)
            return self._spectra[periods]

    def _transform(self, periods: tuple[int, int, int]) -> NDArray[np.float64]:
        """Of an even sequence with an even period, half the transform is the cosine transform of half the sequence."""
        kept = self.octant[tuple(slice(0, period // 2) for period in periods)]
        return np.asarray(fft.dctn(kept, type=1, s=[period // 2 + 1 for period in periods]))


def folded(period: int) -> NDArray[np.int64]:
    """Return where the frequencies 0 to period - 1 of an even spectrum stand among 0 to period // 2."""
    index = np.arange(period)
    return np.minimum(index, period - index)
