"""A kernel that is its own mirror image along each axis, and its Fourier transform."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import numpy as np
from numpy.typing import NDArray

KEPT = 4  # spectra of a kernel that are kept


class EvenKernel:
    """A convolution kernel that is its own mirror image along each axis, as every voxel kernel of a uniform medium is.

    Its discrete Fourier transform is real and even too, so an octant holds both; and with so few terms along each
    axis, three small products of matrices make it.

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

    def spectrum(self, lengths: tuple[int, int, int]) -> NDArray[np.float64]:
        """Return the discrete Fourier transform for periods of `lengths`, frequencies 0 to n // 2 along each axis."""
        with self._lock:
            if lengths in self._spectra:
                self._spectra.move_to_end(lengths)
            else:
                self._spectra[lengths] = self._transform(lengths)
            while len(self._spectra) > KEPT:
                self._spectra.popitem(last=False)
            return self._spectra[lengths]

    def _transform(self, lengths: tuple[int, int, int]) -> NDArray[np.float64]:
        found = self.octant
        for axis, period in enumerate(lengths):
            offset = np.arange(found.shape[axis])
            phase = np.outer(np.arange(period // 2 + 1), offset) % period
            terms = np.cos(2.0 * np.pi / period * phase) * np.where(offset == 0, 1.0, 2.0)
            found = np.moveaxis(np.tensordot(terms, found, axes=(1, axis)), 0, axis)
        return np.ascontiguousarray(found)


def folded(period: int) -> NDArray[np.int64]:
    """Return where the frequencies 0 to period - 1 of an even spectrum stand among 0 to period // 2."""
    index = np.arange(period)
    return np.minimum(index, period - index)
