"""Batches that each have a tally of their own, on a CUDA device: a block of threads for each."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from itertools import islice

import cupy
import numpy as np

from mcdose.engine import cuda_kernels as kernels
from mcdose.engine.cuda_arrays import cuda_versions, device_target, launch, on_device, to_device
from mcdose.engine.cuda_sizes import THREADS
from mcdose.engine.rows import Row, RowWork
from mcdose.engine.work import ACCOUNT
from mcdose.transport.score import FAULTS

ROWS_PER_PROCESSOR = 20  # batches of a launch: several times those that run at once


class CudaRows:
    """Runs batches on one CUDA device, a block of threads for each, many in a launch.

    Parameters
    ----------
    number : of the device
    work : what the histories read
    """

    def __init__(self, number: int, work: RowWork) -> None:
        self.name = f"cuda:{number}"
        self._number = number
        self._seed = np.uint64(work.seed)
        self._cells = work.world.density.size
        with on_device(number):
            self.target, processors = device_target(number)
            self._rows = processors * ROWS_PER_PROCESSOR
            self._problem = [to_device(part) for part in work[1:]]
            self.versions = cuda_versions()

    def prepare(self) -> None:
        """Compile, or load the machine code from the cache."""
        self._follow([(0, 0)])

    def _follow(self, batches: list[tuple[int, int]]) -> list[Row]:
        with on_device(self._number):
            firsts = cupy.asarray(np.array([first for first, _ in batches], np.uint64))
            counts = cupy.asarray(np.array([count for _, count in batches], np.int64))
            energies = cupy.zeros((len(batches), self._cells), np.int64)
            accounts = cupy.zeros((len(batches), ACCOUNT), np.int64)
            faults = cupy.zeros((len(batches), FAULTS), np.int64)
            arguments = (self._seed, firsts, counts, *self._problem, energies, faults, accounts)
            launch(kernels.transport_rows, len(batches), THREADS, *arguments)
            done = zip(batches, energies.get(), accounts.get(), faults.get(), strict=True)
        return [Row(*batch, *found) for batch, *found in done]

    def run(self, batches: Iterable[tuple[int, int]]) -> Generator[Row, None, None]:
        """Yield each batch in order, from launches of many."""
        coming = iter(batches)
        while some := list(islice(coming, self._rows)):
            yield from self._follow(some)
