"""Run histories on CUDA devices: memory, batches and what is asked of them. The kernels are in cuda_kernels.py."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import cupy
import numpy as np

from mcdose.engine import cuda_kernels as kernels
from mcdose.engine.cuda_arrays import (
    GpuTally,
    as_kernel,
    cuda_versions,
    device_target,
    folded,
    launch,
    on_device,
    over,
    to_device,
)
from mcdose.engine.cuda_sizes import BLOCKS_PER_PROCESSOR, LANES, REGION_BLOCKS, ROOM_ASIDE, THREADS
from mcdose.engine.work import ACCOUNT, Engine, Outcome, Work, outcome
from mcdose.fault import added
from mcdose.regions import Region
from mcdose.staying import quanta_on_gpu
from mcdose.tally import BYTES
from mcdose.transport.score import FAULTS, Scores
from mcdose.transport.stack import INTEGERS, REALS

log = logging.getLogger("mcdose")

STACK_BYTES = 2048  # of a resident thread, for which the driver sets memory aside
SPARE_BYTES = 256 * 2**20  # for tables, photons set aside, sorting, and the driver


class Shape(NamedTuple):
    """How the transport is launched; the result does not depend on it.

    Parameters
    ----------
    blocks_per_processor : of `cuda_sizes.THREADS` threads each
    room_aside : photons set aside for a launch of their own, by the histories of a batch; 0 for none
    """

    blocks_per_processor: int = BLOCKS_PER_PROCESSOR
    room_aside: float = ROOM_ASIDE


class CudaEngine:
    """Runs batches of histories on one CUDA device and keeps their sums there.

    Batches are queued on the caller's current stream, one ahead of the one that is waited for.

    Parameters
    ----------
    number : of the device
    work : what to run
    shape : how
    """

    def __init__(self, number: int, work: Work, shape: Shape = Shape()) -> None:  # noqa: B008 (a named tuple)
        self.name = f"cuda:{number}"
        self.number = number
        voxels = work.world.density.size
        with on_device(number):
            self.target, processors = device_target(number)
            self.versions = cuda_versions()
            self._blocks = processors * shape.blocks_per_processor
            self._seed = np.uint64(work.seed)
            world = to_device(work.world)
            self._voxels = to_device(work.voxels._replace(density=world.density, medium=world.medium))
            self._staying = None if work.staying is None else quanta_on_gpu(work.staying)
            self._regions: Any = _joined(work.regions)
            self._totals = [region.total for region in work.regions]
            self.tally = GpuTally(number, voxels, work.unit)  # the sums so far
            self._scores = Scores(cupy.zeros(voxels, np.int64), cupy.zeros(FAULTS, np.int64))
            self._accounts = cupy.zeros((self._blocks, ACCOUNT), np.int64)
            self._handed = cupy.zeros(2, np.int64)
            self._shape = shape
            self._aside = _aside(0)
            read = (to_device(work.source), world, to_device(work.tables), work.cuts, self._scores, self._accounts)
            self._arguments = [as_kernel(part) for part in read]  # once: it takes longer than a launch
        self._account_parts: list[Any] = []
        self._region_parts: list[tuple[int, int, Any]] = []
        self._queued: deque[Any] = deque()

    def prepare(self) -> None:
        """Compile, or load the machine code from the cache, by a run of no histories."""
        if not kernels.transport.overloads:
            log.info("making the CUDA kernels ready for %s (the first time on this machine: a minute)", self.name)
        with on_device(self.number):
            self._launch(0, 0)
            if self._staying is not None:
                self._leave(0)
            self._accounts.sum(axis=0)
            if self._regions is not None:
                self._add_regions()
            few = GpuTally(self.number, 1, 1)
            scratch = cupy.zeros(1, np.int64)
            few.flush_all(scratch, 1)
            few.typical_uncertainty(self._voxels, scratch)
            few.maps(self._voxels, 1.0, scratch)
            cupy.cuda.get_current_stream().synchronize()

    def run(self, first: int, count: int) -> None:
        """Queue a batch and wait for the one before it."""
        with on_device(self.number):
            self._launch(first, count)
            if self._staying is not None:
                self._leave(count)
            if self._regions is not None:
                self._region_parts.append((first, count, self._add_regions()))
            self.tally.flush_all(self._scores.energy, count)
            self.tally.count(count)
            self._account_parts.append(self._accounts.sum(axis=0))  # read at the end: a copy waits for the whole queue
            done = cupy.cuda.Event(disable_timing=True)
            done.record()
            self._queued.append(done)
            while len(self._queued) > 1:
                self._queued.popleft().synchronize()

    def _launch(self, first: int, count: int) -> None:
        """Queue the transport of a batch."""
        room = math.ceil(count * self._shape.room_aside)
        if room > self._aside.histories.size:
            self._aside = _aside(room)
        for numbers in (self._handed, self._accounts, self._aside.counters):
            numbers.fill(0)
        batch = (self._seed, np.uint64(first), np.int64(count), self._handed)
        for resumed in (0, 1) if self._shape.room_aside else (0,):
            arguments = (*batch, np.int64(resumed), *self._arguments, as_kernel(self._aside))
            launch(kernels.transport, self._blocks, THREADS, *arguments)

    def _leave(self, count: int) -> None:
        """Queue what a batch leaves where the decays are."""
        batch = self._scores.energy
        over(kernels.leave, batch.size, batch, self._staying, np.float64(count), self._accounts)

    def _add_regions(self) -> Any:
        """Queue the parts of the mean doses of the regions by the energy in the batch."""
        limits, indices, weights = self._regions
        parts = cupy.zeros((limits.size - 1, REGION_BLOCKS * LANES))
        arguments = (self._scores.energy, limits, indices, weights, self._voxels, parts)
        launch(kernels.add_regions, (REGION_BLOCKS, limits.size - 1), LANES, *arguments)
        return folded(parts, REGION_BLOCKS)

    def finish_queue(self) -> None:
        """Wait for all batches queued."""
        with on_device(self.number):
            while self._queued:
                self._queued.popleft().synchronize()

    def typical_uncertainty(self) -> float:
        """Return the root mean square of the relative errors over the voxels that matter; see `absorbed_dose`."""
        return self.uncertainty_of(self.tally)

    def outcome(self) -> Outcome:
        """Wait until all is done, and return the sums."""
        with on_device(self.number):
            self.finish_queue()
            account = sum((part.get().astype(object) for part in self._account_parts), np.zeros(ACCOUNT, object))
            faults = self._scores.faults.get()
            batches = [(first, count, self._means(parts)) for first, count, parts in self._region_parts]
        return outcome(self.tally, account, faults, batches)

    def _means(self, parts: Any) -> tuple[float, ...]:
        """Return the mean dose [Gy] of each region for one decay a history; NaN of one that is empty."""
        sums = [sum(line) / 2**32 for line in parts.get().tolist()]
        return tuple(
            energy / total if total else float("nan") for energy, total in zip(sums, self._totals, strict=True)
        )

    def maps(self, per_history: float) -> tuple[Any, Any]:
        """Return dose [Gy] and relative error on the device; the batch becomes their memory."""
        with on_device(self.number):
            maps = self.tally.maps(self._voxels, per_history, self._scores.energy)
            cupy.cuda.get_current_stream().synchronize()
        return maps

    def uncertainty_of(self, tally: GpuTally) -> float:
        """Return the typical uncertainty of sums on this device."""
        with on_device(self.number):
            return tally.typical_uncertainty(self._voxels, self._scores.energy)

    def close(self) -> None:
        """Wait for what is queued, and let go of the memory but that of the sums."""
        with on_device(self.number):
            cupy.cuda.get_current_stream().synchronize()
        self.__dict__.clear()
        cupy.get_default_pinned_memory_pool().free_all_blocks()  # as large as the largest array brought over


class SeveralEngines:
    """Engines of several devices, each of which runs every so manieth batch.

    Integer sums do not depend on who makes them: the result is bit for bit that of one device.
    """

    def __init__(self, engines: Sequence[CudaEngine]) -> None:
        self.name = "cuda:" + ",".join(str(engine.number) for engine in engines)
        self.target = ", ".join(dict.fromkeys(engine.target for engine in engines))
        self.versions = engines[0].versions
        self._engines = tuple(engines)
        self._turn = 0

    def prepare(self) -> None:
        """Compile, or load the machine code from the cache."""
        for engine in self._engines:
            engine.prepare()

    def run(self, first: int, count: int) -> None:
        """Queue a batch on the device whose turn it is."""
        self._engines[self._turn].run(first, count)
        self._turn = (self._turn + 1) % len(self._engines)

    def _add_others(self, tally: GpuTally) -> None:
        """Add the sums of the other devices to those of the first."""
        for engine in self._engines[1:]:
            engine.finish_queue()
            tally.add(engine.tally)

    def typical_uncertainty(self) -> float:
        """Return that of the sums of all devices."""
        first = self._engines[0]
        tally = first.tally.twin()
        self._add_others(tally)
        return first.uncertainty_of(tally)

    def outcome(self) -> Outcome:
        """Wait until all is done, and return the sums of all devices."""
        parts = [engine.outcome() for engine in self._engines]
        self._add_others(self._engines[0].tally)
        return Outcome(
            self._engines[0].tally,
            sum(part.emitted for part in parts),
            sum(part.escaped for part in parts),
            sum(part.dropped for part in parts),
            sum(part.flights for part in parts),
            added([part.faults for part in parts]),
            tuple(sorted(batch for part in parts for batch in part.region_batches)),
        )

    def maps(self, per_history: float) -> tuple[Any, Any]:
        """Return dose [Gy] and relative error, on the first device."""
        return self._engines[0].maps(per_history)

    def close(self) -> None:
        """Let go of all devices."""
        for engine in self._engines:
            engine.close()


def open_cuda(devices: Sequence[str], work: Work, shape: Shape = Shape()) -> Engine:  # noqa: B008
    """Return the engine of one or several devices.

    Raises
    ------
    MemoryError
        The grid does not fit; nothing is left allocated.
    """
    numbers = [int(device.removeprefix("cuda:")) for device in devices]
    with ExitStack() as made:
        engines: list[CudaEngine] = []
        for number in numbers:
            check_memory(number, work, len(numbers))
            engine = CudaEngine(number, work, shape)
            engines.append(engine)
            made.callback(engine.close)
        made.pop_all()
    return engines[0] if len(engines) == 1 else SeveralEngines(engines)


def bytes_needed(work: Work, devices: int = 1) -> int:
    """Return the memory that a run takes on a device: sums, batch, sorting, world, source, regions.

    The first of several devices needs room for a second set of sums, and for parts of those of the others.
    """
    voxels = int(work.world.density.size)
    regions = sum(int(region.voxels.size) for region in work.regions)
    per_voxel = BYTES + 8 + 8 + 4 + 1 + 4 + (2 * BYTES if devices > 1 else 0)
    per_voxel += 0 if work.staying is None else 4
    return voxels * per_voxel + 12 * regions + SPARE_BYTES


def check_memory(number: int, work: Work, devices: int = 1) -> None:
    """Raise MemoryError with the figures where a run cannot fit into what is free."""
    with on_device(number):
        about = cupy.cuda.runtime.getDeviceProperties(number)
        resident = about["multiProcessorCount"] * about["maxThreadsPerMultiProcessor"]
        needed = bytes_needed(work, devices) + resident * STACK_BYTES
        free, _ = cupy.cuda.runtime.memGetInfo()
        if free < needed:  # the driver cannot use what CuPy keeps for later
            free_pools([number])
            free, _ = cupy.cuda.runtime.memGetInfo()
    if needed > free:
        shape = (int(work.world.nz), int(work.world.ny), int(work.world.nx))
        raise MemoryError(
            f"device cuda:{number} has {free / 2**30:.2f} GiB free, a grid of {shape} voxels needs "
            f"{needed / 2**30:.2f} GiB: use device='cpu' or fewer voxels"
        )


def free_pools(numbers: Sequence[int]) -> None:
    """Give what CuPy's pools hold and nobody uses back to the devices, and to the host."""
    for number in numbers:
        with on_device(number):
            cupy.get_default_memory_pool().free_all_blocks()
    cupy.get_default_pinned_memory_pool().free_all_blocks()


def _aside(room: int) -> kernels.Aside:
    """Return places for so many photons."""
    return kernels.Aside(
        cupy.empty((room, INTEGERS), np.int32),
        cupy.empty((room, REALS), np.float32),
        cupy.empty(room, np.uint64),
        cupy.zeros(1, np.int64),
    )


def _joined(regions: Sequence[Region]) -> tuple[Any, Any, Any] | None:
    """Return the limits, voxels and weights of all regions one behind the other; None if there is none."""
    if not regions:
        return None
    limits = cupy.asarray(np.cumsum([0, *(region.voxels.size for region in regions)]))
    indices = cupy.concatenate([to_device(region.voxels) for region in regions])
    return limits, indices, cupy.concatenate([to_device(region.weights) for region in regions])
