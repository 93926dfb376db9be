"""Run histories on the CPU: one compiled loop, entered by several threads at once over one shared integer tally."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from mcdose import maps
from mcdose.arguments import thread_limit
from mcdose.engine.work import ACCOUNT, EMITTED, Outcome, Work, outcome
from mcdose.jit import cache_folder, launcher
from mcdose.maps import Voxels
from mcdose.problem import TARGET_ABOVE
from mcdose.regions import Region, region_energy
from mcdose.staying import leave
from mcdose.tally import Tally
from mcdose.transport.score import FAULTS, Scores
from mcdose.transport.side_by_side import Slots, follow_side_by_side, new_slots
from mcdose.transport.stack import DEPTH, INTEGERS, REALS, Stack

log = logging.getLogger("mcdose")

CHUNK = 1024  # histories that a thread takes at a time, at most: a millisecond
FEWEST = 64  # at least: the photons of a chunk take turns
CHUNKS_A_THREAD = 8  # of a batch: at its end threads wait for the last ones


@launcher
def run_histories(seed, first, count, source, world, tables, cuts, scores, stack, slots, account):  # type: ignore[no-untyped-def]
    """Follow histories first .. first + count - 1; add to `scores` and `account` (see `engine.work`), all int64."""
    follow_side_by_side(seed, first, count, source, world, tables, cuts, scores, stack, slots, account)


def is_compiled() -> bool:
    """Tell whether the transport is compiled already, in this process or in the cache on disk."""
    return bool(getattr(run_histories, "signatures", True)) or any(cache_folder().rglob("*run_histories*.nbi"))


def thread_count(threads: int | None) -> int:
    """Return the number of threads to use: the one asked for, else `NUMBA_NUM_THREADS`, else those of the machine."""
    return thread_limit(threads) or int(numba.config.NUMBA_NUM_THREADS)


class CpuEngine:
    """Runs batches of histories on a pool of threads, over one array that all of them add to.

    Parameters
    ----------
    threads : number of threads
    work : what to run
    """

    name = "cpu"

    def __init__(self, threads: int, work: Work) -> None:
        self.target = cpu_name()
        self.versions: dict[str, str] = {}
        self._threads = threads
        self._work = work
        voxels = work.world.density.size
        self._batch = np.zeros(voxels, np.int64)
        self._tally = Tally(voxels, work.unit)
        self._faults = np.zeros(FAULTS, np.int64)
        self._account = np.zeros(ACCOUNT, object)
        self._region_batches: list[tuple[int, int, tuple[float, ...]]] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mcdose")

    def prepare(self) -> None:
        """Compile, or load the machine code from the cache, before anything is timed."""
        if not is_compiled():
            log.info("compiling the transport for this machine (about 15 s, once)")
        self._follow(0, 0, *new_workspace())
        if self._work.staying is not None:
            self._leave(0, 0, 0)
        maps.prepare()
        nothing = np.zeros(0, np.int64)
        for index in (np.zeros(0, np.int32), np.zeros(0, np.int64)):
            region_energy(nothing, index, np.zeros(0, np.float32), self._work.voxels)

    def run(self, first: int, count: int) -> None:
        """Follow `count` histories from `first` and add them to the sums."""
        size = min(CHUNK, max(FEWEST, count // (CHUNKS_A_THREAD * self._threads)))
        chunks = iter(range(first, first + count, size))
        end = first + count
        futures = [self._pool.submit(self._take, chunks, size, end) for _ in range(min(self._threads, count))]
        try:
            for future in futures:
                self._account += future.result()
        except BaseException:  # Ctrl-C among them: leave the threads nothing to do
            deque(chunks, maxlen=0)
            raise
        if self._work.staying is not None:
            left = self._over_slices(lambda start, stop: self._leave(count, start, stop))
            self._account[EMITTED] += sum(left)
        if self._work.regions:
            means = tuple(self._pool.map(self._region_dose, self._work.regions))
            self._region_batches.append((first, count, means))
        self._over_slices(lambda start, stop: self._tally.flush(self._batch, count, start, stop))
        self._tally.count(count)

    def _take(self, chunks: Iterator[int], size: int, end: int) -> NDArray[np.object_]:
        """Take chunks until none are left (`next` on a range iterator is atomic); return their account."""
        stack, slots, account = new_workspace()
        for first in chunks:
            self._follow(first, min(size, end - first), stack, slots, account)
        return account.astype(object)

    def _follow(self, first: int, count: int, stack: Stack, slots: Slots, account: NDArray[np.int64]) -> None:
        work = self._work
        scores = Scores(self._batch, self._faults)
        arguments = (work.source, work.world, work.tables, work.cuts, scores, stack, slots, account)
        run_histories(np.uint64(work.seed), np.uint64(first), np.uint64(count), *arguments)

    def _leave(self, count: int, start: int, stop: int) -> int:
        return int(leave(self._batch, self._work.staying, np.float64(count), start, stop))

    def _region_dose(self, region: Region) -> float:
        """Return the mean dose of a region by the energy in the batch, Gy for one decay a history; NaN if empty."""
        if not region.voxels.size:
            return float("nan")
        energy = region_energy(self._batch, region.voxels, region.weights, self._work.voxels)
        return float(energy) / 2**32 / region.total

    def _over_slices(self, work: Callable[[int, int], Any]) -> list[Any]:
        """Call `work(start, stop)` on the pool over equal parts of the voxels; return what they return."""
        limits = np.linspace(0, self._batch.size, self._threads + 1).astype(int)
        return [future.result() for future in [self._pool.submit(work, a, b) for a, b in pairwise(limits)]]

    def typical_uncertainty(self) -> float:
        """Return the root mean square of the relative errors over the voxels that matter.

        The cleared batch is the memory for it, and cleared again at the end.
        """
        dose, ordered = maps.halves(self._batch)
        self._over_slices(
            lambda start, stop: maps.fill_dose(self._tally, self._work.voxels, start, stop, 1.0, dose, TARGET_ABOVE)
        )
        ordered[:] = dose
        limit = maps.target_limit(ordered)

        def add(start: int) -> tuple[float, int]:
            return maps.add_variances(self._tally, dose, limit, start, min(start + maps.SLICE, dose.size))

        parts = list(self._pool.map(add, range(0, dose.size, maps.SLICE)))
        self._batch[:] = 0
        count = sum(number for _, number in parts)
        return float(np.sqrt(sum(total for total, _ in parts) / count)) if count else float("inf")

    def outcome(self) -> Outcome:
        """Return the sums of all batches."""
        return outcome(self._tally, self._account, self._faults, self._region_batches)

    def maps(self, per_history: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return dose [Gy] and relative error; the cleared batch becomes their memory."""
        return host_maps(self._tally, self._work.voxels, per_history, self._batch, self._over_slices)

    def close(self) -> None:
        """Let the threads end, without waiting for work not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def host_maps(
    tally: Tally,
    voxels: Voxels,
    per_history: float,
    scratch: NDArray[np.int64],
    over_slices: Callable[[Callable[[int, int], None]], Any],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return dose [Gy] and relative error of every voxel, in the memory of `scratch`, a cleared batch."""
    dose, relative = maps.halves(scratch)

    def fill(start: int, stop: int) -> None:
        maps.fill_dose(tally, voxels, start, stop, per_history, dose, -1.0)
        maps.fill_error(tally, voxels, start, stop, relative)

    over_slices(fill)
    return dose, relative


def new_workspace() -> tuple[Stack, Slots, NDArray[np.int64]]:
    """Return what one thread needs for itself: a stack, slots and an account."""
    stack = Stack(np.zeros((DEPTH, INTEGERS), np.int32), np.zeros((DEPTH, REALS), np.float32))
    return stack, new_slots(), np.zeros(ACCOUNT, np.int64)


def cpu_name() -> str:
    """Return what the CPU's code is compiled for, as LLVM names it."""
    import llvmlite.binding as llvm

    return str(llvm.get_host_cpu_name()) + (
        f" ({os.environ['NUMBA_CPU_NAME']})" if "NUMBA_CPU_NAME" in os.environ else ""
    )
