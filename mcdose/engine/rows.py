"""Batches that each have a tally of their own, for worlds of few cells: threads that shared one would wait."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mcdose.engine.cpu import cpu_name, new_workspace, run_histories
from mcdose.transport.score import FAULTS, Scores
from mcdose.transport.shells import Shells
from mcdose.transport.source import PointSource
from mcdose.transport.tables import Cuts, Tables


class Row(NamedTuple):
    """A batch that is done: its histories, the quanta in every cell, its account (see `engine.work`) and faults."""

    first: int
    histories: int
    energy: NDArray[np.int64]
    account: NDArray[np.int64]
    faults: NDArray[np.int64]


class RowWork(NamedTuple):
    """What the histories read."""

    seed: int
    source: PointSource
    world: Shells
    tables: Tables
    cuts: Cuts


class Rows(Protocol):
    """Runs batches and hands them out in order."""

    name: str  # what `device=` takes
    target: str  # what the code was compiled for
    versions: dict[str, str]  # of what only this device needs

    def prepare(self) -> None:
        """Compile and make ready."""

    def run(self, batches: Iterable[tuple[int, int]]) -> Generator[Row, None, None]:
        """Yield each (first, count) when it is done; what was begun beyond the last one taken is thrown away."""


def open_rows(devices: tuple[str, ...], threads: int, work: RowWork) -> Rows:
    """Return what runs batches on the CPU or on a CUDA device; of several the first, a kernel is done in seconds."""
    if devices == ("cpu",):
        return CpuRows(threads, work)
    from mcdose.engine.cuda_rows import CudaRows

    return CudaRows(int(devices[0].removeprefix("cuda:")), work)


class CpuRows:
    """Runs batches on a pool of threads, one thread a batch."""

    name = "cpu"

    def __init__(self, threads: int, work: RowWork) -> None:
        self.target = cpu_name()
        self.versions: dict[str, str] = {}
        self._threads = threads
        self._work = work

    def prepare(self) -> None:
        """Compile, or load the machine code from the cache."""
        self._follow(0, 0)

    def _follow(self, first: int, count: int) -> Row:
        stack, slots, account = new_workspace()
        energy = np.zeros(self._work.world.density.size, np.int64)
        scores = Scores(energy, np.zeros(FAULTS, np.int64))
        run = (np.uint64(self._work.seed), np.uint64(first), np.uint64(count))
        run_histories(*run, *self._work[1:], scores, stack, slots, account)
        return Row(first, count, energy, account, scores.faults)

    def run(self, batches: Iterable[tuple[int, int]]) -> Generator[Row, None, None]:
        """Yield each batch when it is done, in order, so that a stop leaves the first ones."""
        coming = iter(batches)
        with ThreadPoolExecutor(self._threads, thread_name_prefix="mcdose") as pool:
            running: deque[Future[Row]] = deque()
            try:
                running.extend(pool.submit(self._follow, *batch) for batch in islice(coming, 4 * self._threads))
                while running:
                    row = running.popleft().result()
                    running.extend(pool.submit(self._follow, *batch) for batch in islice(coming, 1))
                    yield row
            finally:
                for future in running:
                    future.cancel()
