"""Batch sums that cannot overflow and do not depend on order: mean and standard error of every voxel.

The transport adds quanta (2^-32 MeV) to one int64 array. After each batch the array is moved into wider integers
and cleared: the sum in 80 bits, the sum of squares in 96 bits, in units of (2^-16 MeV)^2, 2^-16 MeV being 15 eV. All
of it is integer addition, so the result is the same for any number of threads and any split on batch limits.

A batch of n_i histories enters the squares as b_i^2 n / n_i, n those of an opening batch, so that the estimator

    relative error = sqrt((N V / n - S^2) / (k - 1)) / S,   S = sum b_i, V = sum b_i^2 n / n_i, N = sum n_i, k batches

is that of the mean of k batches weighted by their histories.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mcdose.jit import launcher

# From quanta of 2^-32 MeV to the unit of the squares: at the largest batch, one voxel has room for 10^12 histories.
SQUARE_SHIFT = 16
_LOW_WORD = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


@launcher
def _flush(batch, weight, start, stop, sum_low, sum_high, square_low, square_high):  # type: ignore[no-untyped-def]
    """Add the batch and its squares (times `weight` = n / n_i, float64) to the sums; clear the batch.

    Returns the sum of the batch in words of 2^32, high and low, which do not overflow below 2^31 voxels.
    """
    total_high = np.int64(0)
    total_low = np.int64(0)
    for voxel in range(start, stop):
        quanta = batch[voxel]
        if quanta == 0:
            continue
        batch[voxel] = 0
        total_high += quanta >> np.int64(32)
        total_low += quanta & np.int64(0xFFFFFFFF)
        before = sum_low[voxel]
        after = before + np.uint64(quanta)  # modulo 2^64
        sum_low[voxel] = after
        carry = np.int16(1) if after < before else np.int16(0)
        sum_high[voxel] += carry - (np.int16(1) if quanta < 0 else np.int16(0))

        root = np.uint64((abs(quanta) + np.int64(1 << (SQUARE_SHIFT - 1))) >> np.int64(SQUARE_SHIFT))
        high_word = root >> _32
        low_word = root & _LOW_WORD
        if weight == np.float64(1.0):
            cross = np.uint64(2) * high_word * low_word
            square = low_word * low_word
            low = square + ((cross & _LOW_WORD) << _32)
            high = high_word * high_word + (cross >> _32) + (np.uint64(1) if low < square else np.uint64(0))
        else:
            value = np.float64(root) * np.float64(root) * weight
            high = np.uint64(value * np.float64(5.421010862427522e-20))  # 2^-64
            low = np.uint64(value - np.float64(high) * np.float64(1.8446744073709552e19))
        before = square_low[voxel]
        after = before + low
        square_low[voxel] = after
        square_high[voxel] += np.uint32(high) + (np.uint32(1) if after < before else np.uint32(0))
    return total_high, total_low


@dataclass
class Tally:
    """Sums over batches, per voxel.

    Parameters
    ----------
    voxels : number of voxels
    batch_histories : n, histories of an opening batch
    """

    voxels: int
    batch_histories: int
    histories: int = 0
    batches: int = 0
    sum_low: NDArray[np.uint64] = field(init=False)
    sum_high: NDArray[np.int16] = field(init=False)
    square_low: NDArray[np.uint64] = field(init=False)
    square_high: NDArray[np.uint32] = field(init=False)

    def __post_init__(self) -> None:
        self.sum_low = np.zeros(self.voxels, np.uint64)
        self.sum_high = np.zeros(self.voxels, np.int16)
        self.square_low = np.zeros(self.voxels, np.uint64)
        self.square_high = np.zeros(self.voxels, np.uint32)

    def flush(self, batch: NDArray[np.int64], histories: int, start: int, stop: int) -> int:
        """Move voxels start .. stop of a batch of so many histories into the sums and clear them; return their sum."""
        weight = self.batch_histories / histories
        sums = (self.sum_low, self.sum_high, self.square_low, self.square_high)
        high, low = _flush(batch, weight, start, stop, *sums)
        return (int(high) << 32) + int(low)

    def count(self, histories: int) -> None:
        """Record that a batch of so many histories has been flushed."""
        self.histories += histories
        self.batches += 1

    def energy_mev(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the energy deposited in voxels start .. stop by all histories, MeV."""
        high = self.sum_high[start:stop].astype(np.float64)
        return np.asarray((high * 2.0**64 + self.sum_low[start:stop].astype(np.float64)) * 2.0**-32)

    def relative_error(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the relative standard error of voxels start .. stop; NaN where nothing was scored, or by one batch."""
        if self.batches < 2:
            return np.full(stop - start, np.nan)
        total = self.energy_mev(start, stop)
        squares = (self.square_high[start:stop].astype(np.float64) * 2.0**64 + self.square_low[start:stop]) * 2.0**-32
        variance = (self.histories / self.batch_histories * squares - total**2) / (self.batches - 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.sqrt(np.maximum(variance, 0.0)) / total
        return np.where(total > 0.0, relative, np.nan)

    def add(self, other: Tally) -> None:
        """Add the sums of other batches of the same size over the same voxels."""
        for low, high, more_low, more_high in (
            (self.sum_low, self.sum_high, other.sum_low, other.sum_high),
            (self.square_low, self.square_high, other.square_low, other.square_high),
        ):
            low += more_low
            high += more_high
            high += (low < more_low).astype(high.dtype)
        self.histories += other.histories
        self.batches += other.batches
