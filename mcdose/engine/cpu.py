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

from mcdose.arguments import thread_limit
from mcdose.jit import cache_folder, launcher
from mcdose.transport.history import follow
from mcdose.transport.source import Source
from mcdose.transport.stack import DEPTH, Stack
from mcdose.transport.tables import Cuts, Tables
from mcdose.transport.world import World

log = logging.getLogger("mcdose")

CHUNK = 256  # histories a thread takes at a time: about half a millisecond


@launcher
def run_histories(seed, first, count, source, world, tables, cuts, tally, stack, account):  # type: ignore[no-untyped-def]
    """Follow histories first .. first + count - 1; add to `tally` and to `account` (see `Account`), both int64."""
    for offset in range(count):
        result = follow(seed, first + np.uint64(offset), source, world, tables, cuts, tally, stack)
        account[0] += result.emitted
        account[1] += result.escaped
        account[2] += result.dropped
        account[3] += result.flights


def is_compiled() -> bool:
    """Tell whether the transport is compiled already, in this process or in the cache on disk."""
    return bool(getattr(run_histories, "signatures", True)) or any(cache_folder().rglob("*run_histories*.nbi"))


def thread_count(threads: int | None) -> int:
    """Return the number of threads to use: the one asked for, else `NUMBA_NUM_THREADS`, else those of the machine."""
    return thread_limit(threads) or int(numba.config.NUMBA_NUM_THREADS)


class CpuEngine:
    """Runs ranges of histories on a pool of threads.

    Parameters
    ----------
    threads : number of threads
    seed : 0 to 2^64 - 1
    source, world, tables, cuts : what the histories read
    """

    def __init__(self, threads: int, seed: int, source: Source, world: World, tables: Tables, cuts: Cuts) -> None:
        self.threads = threads
        self._problem = (source, world, tables, cuts)
        self._seed = np.uint64(seed)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="mcdose")

    def prepare(self) -> None:
        """Compile, or load the machine code from the cache, before anything is timed."""
        if not is_compiled():
            log.info("compiling the transport for this machine (about 15 s, once)")
        self._follow(0, 0, np.zeros(1, np.int64), *new_workspace())

    def run(self, first: int, count: int, tally: NDArray[np.int64]) -> NDArray[np.int64]:
        """Follow `count` histories from `first`, add to `tally`; return their account, four int64."""
        chunks = iter(range(first, first + count, CHUNK))
        futures = [self._pool.submit(self._work, chunks, first + count, tally) for _ in range(min(self.threads, count))]
        try:
            return np.asarray(sum(future.result() for future in futures))
        except BaseException:  # Ctrl-C among them: leave the threads nothing to do
            deque(chunks, maxlen=0)
            raise

    def _work(self, chunks: Iterator[int], end: int, tally: NDArray[np.int64]) -> NDArray[np.int64]:
        """Take chunks until none are left (`next` on a range iterator is atomic)."""
        stack, account = new_workspace()
        for first in chunks:
            self._follow(first, min(CHUNK, end - first), tally, stack, account)
        return account

    def _follow(
        self, first: int, count: int, tally: NDArray[np.int64], stack: Stack, account: NDArray[np.int64]
    ) -> None:
        run_histories(self._seed, np.uint64(first), np.uint64(count), *self._problem, tally, stack, account)

    def over_slices(self, work: Callable[[int, int], Any], count: int) -> None:
        """Call `work(start, stop)` on the pool over equal parts of 0 .. count."""
        limits = np.linspace(0, count, self.threads + 1).astype(int)
        for future in [self._pool.submit(work, a, b) for a, b in pairwise(limits)]:
            future.result()

    def over_items(self, work: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        """Return `work` of each item, in order."""
        return list(self._pool.map(work, items))

    def close(self) -> None:
        """Let the threads end, without waiting for work not begun."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def new_workspace() -> tuple[Stack, NDArray[np.int64]]:
    """Return what one thread needs for itself: a stack and an account."""
    return Stack(np.zeros((DEPTH, 4), np.int32), np.zeros((DEPTH, 7), np.float32)), np.zeros(4, np.int64)


def cpu_name() -> str:
    """Return what the CPU's code is compiled for, as LLVM names it."""
    import llvmlite.binding as llvm

    return str(llvm.get_host_cpu_name()) + (
        f" ({os.environ['NUMBA_CPU_NAME']})" if "NUMBA_CPU_NAME" in os.environ else ""
    )
