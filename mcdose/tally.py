"""Batch sums that cannot overflow and do not depend on order: mean and standard error of every voxel.

The transport adds quanta (2^-32 MeV) to one int64 array. After each batch the array is moved into wider integers
and cleared: the sum in 80 bits, the sum of squares in 96 bits, in units of (2^-16 MeV)^2, 2^-16 MeV being 15 eV. All
of it is integer addition, so the result is the same for any number of threads and any split on batch limits.

A batch of n_i histories enters the squares as b_i^2 n / n_i, n the tally's `batch_histories`, so that the estimator

    relative error = sqrt((N V / n - S^2) / (k - 1)) / S,   S = sum b_i, V = sum b_i^2 n / n_i, N = sum n_i, k batches

is that of the mean of k batches weighted by their histories.

The functions of one voxel are compiled for the CPU here and for CUDA devices in `mcdose.engine.cuda_kernels`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.jit import compiled, launcher

# From quanta of 2^-32 MeV to the unit of the squares: at the largest batch, one voxel has room for 10^12 histories.
SQUARE_SHIFT = 16
BYTES = 22  # of the sums of a voxel
SLICE = 1 << 19  # voxels handled at a time where copies are made; words of 2^32 have room for 2^32 of them
EIGHT = 8  # voxels that are looked at together: whether one of them is empty cannot be guessed
_LOW_WORD = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


class Sums(NamedTuple):
    """Sums over batches of every voxel, NumPy or CuPy arrays, shape (voxels,)."""

    low: Any  # uint64, of the quanta; with `high` one integer of 80 bits
    high: Any  # int16
    square_low: Any  # uint64, of the squares; with `square_high` one of 96 bits
    square_high: Any  # uint32


@compiled
def add_voxel(batch, voxel, weight, sums):  # type: ignore[no-untyped-def]
    """Move what a batch left in a voxel, and its square times `weight` = n / n_i (float64), into the sums; clear it."""
    quanta = batch[voxel]
    batch[voxel] = 0
    before = sums.low[voxel]
    after = before + np.uint64(quanta)  # modulo 2^64
    sums.low[voxel] = after
    carry = np.int16(1) if after < before else np.int16(0)
    sums.high[voxel] += carry - (np.int16(1) if quanta < 0 else np.int16(0))

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
    before = sums.square_low[voxel]
    after = before + low
    sums.square_low[voxel] = after
    sums.square_high[voxel] += np.uint32(high) + (np.uint32(1) if after < before else np.uint32(0))


@compiled
def flush_voxel(batch, voxel, weight, sums):  # type: ignore[no-untyped-def]
    """Do `add_voxel` unless the batch left nothing there."""
    if batch[voxel] != 0:
        add_voxel(batch, voxel, weight, sums)


@compiled
def voxel_energy(sums, voxel):  # type: ignore[no-untyped-def]
    """Return the energy deposited in a voxel by all histories, MeV, float64."""
    high = np.float64(sums.high[voxel])
    return (high * np.float64(1.8446744073709552e19) + np.float64(sums.low[voxel])) * np.float64(2.3283064365386963e-10)


@compiled
def voxel_variance(sums, voxel, ratio, batches):  # type: ignore[no-untyped-def]
    """Return the squared relative standard error of a voxel, float64; NaN where nothing was scored, or by one batch.

    Parameters
    ----------
    ratio : float64, N / n
    batches : int, k
    """
    total = voxel_energy(sums, voxel)
    if not total > np.float64(0.0) or batches < 2:
        return np.float64(np.nan)
    high = np.float64(sums.square_high[voxel])
    squares = high * np.float64(1.8446744073709552e19) + np.float64(sums.square_low[voxel])
    variance = ratio * (squares * np.float64(2.3283064365386963e-10)) - total * total
    return max(variance, np.float64(0.0)) / (np.float64(batches - 1) * total * total)


@launcher
def _flush(batch, weight, start, stop, sums):  # type: ignore[no-untyped-def]
    for first in range(start, stop, EIGHT):
        last = min(first + EIGHT, stop)
        some = np.int64(0)
        for voxel in range(first, last):
            some |= batch[voxel]
        if some != 0:
            for voxel in range(first, last):
                add_voxel(batch, voxel, weight, sums)


@launcher
def _energies(sums, start, stop, out):  # type: ignore[no-untyped-def]
    for voxel in range(start, stop):
        out[voxel - start] = voxel_energy(sums, voxel)


@launcher
def _variances(sums, start, stop, ratio, batches, out):  # type: ignore[no-untyped-def]
    for voxel in range(start, stop):
        out[voxel - start] = voxel_variance(sums, voxel, ratio, batches)


class Tally:
    """Sums over batches, per voxel.

    Parameters
    ----------
    voxels : number of voxels
    batch_histories : n, histories of an opening batch
    module : numpy, or cupy for sums in the memory of the current CUDA device
    """

    def __init__(self, voxels: int, batch_histories: int, module: Any = np) -> None:
        self.voxels = voxels
        self.batch_histories = batch_histories
        self.histories = 0
        self.batches = 0
        kinds = (np.uint64, np.int16, np.uint64, np.uint32)
        self.sums = Sums(*(module.zeros(voxels, kind) for kind in kinds))

    def flush(self, batch: NDArray[np.int64], histories: int, start: int, stop: int) -> None:
        """Move voxels start .. stop of a batch of so many histories into the sums and clear them."""
        _flush(batch, self.batch_histories / histories, start, stop, self.sums)

    def count(self, histories: int) -> None:
        """Record that a batch of so many histories has been flushed."""
        self.histories += histories
        self.batches += 1

    @property
    def ratio(self) -> float:
        """N / n of the estimator."""
        return self.histories / self.batch_histories

    def deposited(self) -> int:
        """Return the quanta in all voxels."""
        return total_quanta(self.sums)

    def energy_mev(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the energy deposited in voxels start .. stop by all histories, MeV."""
        out = np.empty(stop - start)
        _energies(self.sums, start, stop, out)
        return out

    def relative_error(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return the relative standard error of voxels start .. stop; NaN where nothing was scored, or by one batch."""
        out = np.empty(stop - start)
        _variances(self.sums, start, stop, self.ratio, self.batches, out)
        return np.sqrt(out)

    def on_host(self) -> Tally:
        """Return the same sums in the memory of the host."""
        return self

    def add(self, other: Tally) -> None:
        """Add the sums of other batches over the same voxels."""
        add_sums(self.sums, other.sums)
        self.histories += other.histories
        self.batches += other.batches


def total_quanta(sums: Sums) -> int:
    """Return the sum over all voxels, exact; NumPy or CuPy arrays."""
    total = 0
    for start in range(0, sums.low.size, SLICE):
        low, high = sums.low[start : start + SLICE], sums.high[start : start + SLICE]
        total += (int(high.sum(dtype=np.int64)) << 64) + (int((low >> _32).sum()) << 32) + int((low & _LOW_WORD).sum())
    return total


def add_sums(sums: Sums, more: Sums, brought: Callable[[Any], Any] = lambda array: array) -> None:
    """Add sums over the same voxels, NumPy or CuPy arrays; `brought` returns one of `more` where `sums` are."""
    for low, high, more_low, more_high in (
        (sums.low, sums.high, more.low, more.high),
        (sums.square_low, sums.square_high, more.square_low, more.square_high),
    ):
        here = brought(more_low)
        low += here
        high += brought(more_high)
        high += (low < here).astype(high.dtype)
