"""CUDA kernels: launchers of the functions that the CPU runs too, and nothing of the physics.

One thread follows one history at a time, its secondaries on a small stack of its own, and takes the next when it is
done: the grid is as large as the device can hold and stays until all histories are handed out. Photons can be set
aside for a second launch, so that the threads of a warp follow particles of one kind.
"""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numba import cuda
from numba.cuda.extending import overload

from mcdose.checksum import mixed
from mcdose.engine.cuda_sizes import BLOCKS_BY_REGISTERS, ROW_BLOCKS_BY_REGISTERS, THREADS
from mcdose.engine.work import EMITTED, ESCAPED, FLIGHTS, FOLLOWED
from mcdose.jit import compiled, cuda_launcher
from mcdose.maps import gy_per_mev, voxel_dose, voxel_error
from mcdose.physics.random import Key
from mcdose.source_tables import line_words
from mcdose.staying import left_by
from mcdose.tally import flush_voxel, voxel_variance
from mcdose.transport.electron import FLIGHT_LIMIT as ELECTRON_FLIGHT_LIMIT
from mcdose.transport.electron import electron_flight, electron_that_moves, finish
from mcdose.transport.history import begin, follow
from mcdose.transport.moving import photon_that_moves
from mcdose.transport.photon import FLIGHT_LIMIT as PHOTON_FLIGHT_LIMIT
from mcdose.transport.photon import lose, photon_flight
from mcdose.transport.score import Scores, score
from mcdose.transport.stack import DEPTH, GONE, INTEGERS, MOVES, NOTHING, PHOTON, REALS, Stack, pop
from mcdose.transport.world import Place

# Registers are limited so that a multiprocessor holds so many blocks.
history_launcher = partial(cuda_launcher, launch_bounds=(THREADS, BLOCKS_BY_REGISTERS))
row_launcher = partial(cuda_launcher, launch_bounds=(THREADS, ROW_BLOCKS_BY_REGISTERS))


@overload(score, target="cuda")
def _score_on_gpu(numbers, index, amount):  # type: ignore[no-untyped-def]
    return lambda numbers, index, amount: cuda.atomic.add(numbers, index, amount)


class Aside(NamedTuple):
    """Photons that wait for a launch of their own."""

    integers: Any  # (room, INTEGERS) int32, see `transport.stack`
    reals: Any  # (room, REALS) float32
    histories: Any  # (room,) uint64
    counters: Any  # (1,) int64: photons that asked for a place


@compiled
def set_aside(aside, place, stack, depth, history):  # type: ignore[no-untyped-def]
    """Copy the last particle of the stack to a place among those set aside."""
    for k in range(INTEGERS):
        aside.integers[place, k] = stack.integers[depth - 1, k]
    for k in range(REALS):
        aside.reals[place, k] = stack.reals[depth - 1, k]
    aside.histories[place] = history


@compiled
def take_back(aside, place, stack):  # type: ignore[no-untyped-def]
    """Put a particle that was set aside on the empty stack."""
    for k in range(INTEGERS):
        stack.integers[0, k] = aside.integers[place, k]
    for k in range(REALS):
        stack.reals[0, k] = aside.reals[place, k]


@history_launcher
def transport(seed, first, count, handed, resumed, source, world, tables, cuts, scores, accounts, aside):  # type: ignore[no-untyped-def]
    """Follow histories first .. first + count - 1, or (`resumed` 1) the photons they set aside, on any grid.

    One kernel for both, so that a photon is followed by the same machine code whether it found room or not: compiled
    twice, multiplications may be fused in other places. `handed` (2,) int64, 0 before, counts the histories and the
    photons that threads took. Photons go to `aside` while there is room, and are followed on the spot otherwise, as are
    those that photons bring forth. Block b adds to row b of `accounts` (blocks, ACCOUNT), particle by particle: sums
    kept in registers to the end would take a quarter of them.
    """
    stack = Stack(cuda.local.array((DEPTH, INTEGERS), np.int32), cuda.local.array((DEPTH, REALS), np.float32))
    room = aside.histories.shape[0]
    if resumed == 1:
        count = min(aside.counters[0], room)
        room = 0
    row = cuda.blockIdx.x
    depth = np.int32(0)
    history = np.uint64(0)
    stream = np.uint32(0)
    flights = np.int32(0)
    moves = False
    zero = np.float32(0.0)
    moving = photon_that_moves(
        zero, Place(np.int32(0), np.int32(0), np.int32(0), zero, zero, zero), zero, zero, zero, 0
    )
    while True:
        while not moves:
            if depth == 0:
                offset = cuda.atomic.add(handed, resumed, 1)
                if offset >= count:
                    break
                if resumed == 1:
                    take_back(aside, offset, stack)
                    history = aside.histories[offset]
                    depth = np.int32(1)
                else:
                    history = first + np.uint64(offset)
                    depth, emitted = begin(seed, history, source, world, stack)
                    cuda.atomic.add(accounts, (row, EMITTED), emitted)
                    cuda.atomic.add(accounts, (row, FOLLOWED), 1)
            if room > 0 and stack.integers[depth - 1, 0] == PHOTON:
                place = cuda.atomic.add(aside.counters, 0, 1)
                if place < room:
                    set_aside(aside, place, stack, depth, history)
                    depth = np.int32(depth - 1)
                    continue
            depth = np.int32(depth - 1)
            kind, energy, at, u, v, w, stream, draw = pop(stack, depth)
            if kind != NOTHING:
                moves = True
                flights = np.int32(0)
                if kind == PHOTON:
                    moving = photon_that_moves(energy, at, u, v, w, draw)
                else:
                    moving = electron_that_moves(kind, energy, at, u, v, w, world, tables, Key(seed, history, stream))
        if not moves:
            break
        key = Key(seed, history, stream)
        flights += np.int32(1)
        if moving.kind == PHOTON:
            _, energy, at, u, v, w, draw = moving[:7]
            energy, at, u, v, w, draw, fate, depth, escaped = photon_flight(
                energy, at, u, v, w, draw, world, tables, cuts, scores, stack, depth, key
            )
            moving = photon_that_moves(energy, at, u, v, w, draw)
            if fate == MOVES and flights == PHOTON_FLIGHT_LIMIT:
                lose(energy, at, world, scores)
                fate = np.int32(GONE)
            counted = np.int32(0)
        else:
            moving, fate, depth, escaped = electron_flight(moving, world, tables, cuts, scores, stack, depth, key)
            if fate != MOVES or flights == ELECTRON_FLIGHT_LIMIT:
                depth = finish(moving, fate, scores, stack, depth, key)
                fate = np.int32(GONE)
            counted = flights
        if escaped != 0:
            cuda.atomic.add(accounts, (row, ESCAPED), escaped)
        if fate != MOVES:
            cuda.atomic.add(accounts, (row, FLIGHTS), counted)
            moves = False


@row_launcher
def transport_rows(seed, firsts, counts, source, world, tables, cuts, energies, faults, accounts):  # type: ignore[no-untyped-def]
    """Follow a batch in every block: counts[b] histories from firsts[b].

    Block b adds to row b of `energies` (blocks, cells), `faults` (blocks, FAULTS) and `accounts` (blocks, ACCOUNT): a
    few cells that all threads share would make them wait for each other.
    """
    stack = Stack(cuda.local.array((DEPTH, INTEGERS), np.int32), cuda.local.array((DEPTH, REALS), np.float32))
    row = cuda.blockIdx.x
    scores = Scores(energies[row], faults[row])
    for offset in range(cuda.threadIdx.x, counts[row], cuda.blockDim.x):
        result = follow(seed, firsts[row] + np.uint64(offset), source, world, tables, cuts, scores, stack)
        cuda.atomic.add(accounts, (row, EMITTED), result.emitted)
        cuda.atomic.add(accounts, (row, ESCAPED), result.escaped)
        cuda.atomic.add(accounts, (row, FLIGHTS), result.flights)
        cuda.atomic.add(accounts, (row, FOLLOWED), 1)


@cuda_launcher
def leave(batch, quanta, count, accounts):  # type: ignore[no-untyped-def]
    """Add to a batch what `count` (float64) histories leave where the decays are, and to `accounts` their sum."""
    total = np.int64(0)
    for voxel in range(cuda.grid(1), batch.shape[0], cuda.gridsize(1)):
        amount = left_by(quanta[voxel], count)
        batch[voxel] += amount
        total += amount
    if total != 0:
        cuda.atomic.add(accounts, (cuda.blockIdx.x % accounts.shape[0], EMITTED), total)


@cuda_launcher
def flush(batch, weight, sums):  # type: ignore[no-untyped-def]
    """Move a batch into the sums and clear it; see `Tally.flush`."""
    for voxel in range(cuda.grid(1), batch.shape[0], cuda.gridsize(1)):
        flush_voxel(batch, voxel, weight, sums)


@cuda_launcher
def fill_dose(sums, voxels, per_history, above, dose):  # type: ignore[no-untyped-def]
    """Write the dose of every voxel denser than `above`, 0 elsewhere."""
    for voxel in range(cuda.grid(1), dose.shape[0], cuda.gridsize(1)):
        judged = voxels.density[voxel] > above
        dose[voxel] = voxel_dose(sums, voxels, voxel, per_history) if judged else np.float32(0.0)


@cuda_launcher
def fill_error(sums, voxels, ratio, batches, relative):  # type: ignore[no-untyped-def]
    """Write the relative standard error of every voxel."""
    for voxel in range(cuda.grid(1), relative.shape[0], cuda.gridsize(1)):
        relative[voxel] = voxel_error(sums, voxels, voxel, ratio, batches)


@cuda_launcher
def add_variances(sums, dose, limit, ratio, batches, totals, counts):  # type: ignore[no-untyped-def]
    """Write for each thread the sum of squared relative errors of its voxels above `limit`, and their number."""
    total = np.float64(0.0)
    count = np.float64(0.0)
    for voxel in range(cuda.grid(1), dose.shape[0], cuda.gridsize(1)):
        if dose[voxel] > limit:
            total += voxel_variance(sums, voxel, ratio, batches)
            count += np.float64(1.0)
    totals[cuda.grid(1)] = total
    counts[cuda.grid(1)] = count


@cuda_launcher
def add_regions(batch, limits, indices, weights, voxels, out):  # type: ignore[no-untyped-def]
    """Write for each region and thread (regions, threads) its part of the sum of weight times dose.

    Region r has the entries limits[r] .. limits[r + 1] of `indices` and `weights`; the grid is (blocks, regions).
    """
    region = cuda.blockIdx.y
    thread = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    total = np.float64(0.0)
    for k in range(limits[region] + thread, limits[region + 1], cuda.gridDim.x * cuda.blockDim.x):
        voxel = indices[k]
        quanta = batch[voxel]
        if quanta != 0:
            total += np.float64(quanta) * (np.float64(weights[k]) * gy_per_mev(voxels, voxel))
    out[region, thread] = total


@cuda_launcher
def fold(parts, out):  # type: ignore[no-untyped-def]
    """Write the sum of each line of `parts` (lines, n), first to last, so that it is the same on every device."""
    for line in range(cuda.grid(1), parts.shape[0], cuda.gridsize(1)):
        total = np.float64(0.0)
        for k in range(parts.shape[1]):
            total += parts[line, k]
        out[line] = total


@cuda_launcher
def cumulate(values, words, totals):  # type: ignore[no-untyped-def]
    """Write the cumulative words of every line and its total; see `source_tables.line_words`."""
    for line in range(cuda.grid(1), values.shape[0], cuda.gridsize(1)):
        totals[line] = line_words(values, words, line)


@cuda_launcher
def add_checksum(values, out):  # type: ignore[no-untyped-def]
    """Add the checksum of an array to `out` (1,) uint64; see `mcdose.checksum`."""
    total = np.uint64(0)
    for k in range(cuda.grid(1), values.shape[0], cuda.gridsize(1)):
        total += mixed(np.uint64(k), values[k])
    cuda.atomic.add(out, 0, total)


@cuda_launcher
def find_largest(density, medium_index, largest):  # type: ignore[no-untyped-def]
    """Raise `largest` (media,) float32 to the largest density of each medium."""
    for voxel in range(cuda.grid(1), density.shape[0], cuda.gridsize(1)):
        medium = medium_index[voxel]
        if density[voxel] > largest[medium]:
            cuda.atomic.max(largest, medium, density[voxel])


@cuda_launcher
def probe(cell):  # type: ignore[no-untyped-def]
    """Add 1 to `cell` (1,) int64 from every thread: a device that can do this works."""
    score(cell, 0, np.int64(1))
