"""One history, from an emission to the last particle that moves. READ THIS FILE FIRST.

The same functions run on the CPU and, compiled again, on CUDA devices; only `score.score` differs. A particle draws
from a random stream of its own, so it makes no difference who follows it and when.
"""

from typing import NamedTuple

import numpy as np

from mcdose.constants import ELECTRON_MASS
from mcdose.jit import compiled, inlined
from mcdose.physics.random import Key
from mcdose.transport.electron import slow_down
from mcdose.transport.photon import fly
from mcdose.transport.score import quanta
from mcdose.transport.source import aim, decay
from mcdose.transport.stack import NOTHING, PHOTON, POSITRON, pop, push

FIRST_STREAM = np.uint32(1)  # of random numbers: that of the particle emitted; 0 is the decay's


class Account(NamedTuple):
    """Where the energy of a history went, in quanta (what it deposited is in the scores), and what it took."""

    emitted: np.int64
    escaped: np.int64
    flights: np.int64


@inlined
def start(seed, history, aimed, source, world):
    """Emit a particle; return what `transport.source.decay` does, and the quanta emitted.

    A positron brings its own and an electron's rest energy. What stays where the decay is (alphas, recoils) is none of
    the history's: it is left once a batch, see `mcdose.staying` and `mcdose.point_kernel`.
    """
    kind, energy, place, u, v, w = decay(source, world, Key(seed, history, np.uint32(0)), aimed)
    emitted = quanta(energy)
    if kind == POSITRON:
        emitted += np.int64(2) * quanta(ELECTRON_MASS)
    return kind, energy, place, u, v, w, emitted


@inlined
def begin(seed, history, source, world, stack):
    """Put an emission on the empty stack; return the stack's depth and the quanta emitted."""
    aimed = aim(source, world, Key(seed, history, np.uint32(0)))
    kind, energy, place, u, v, w, emitted = start(seed, history, aimed, source, world)
    return push(stack, np.int32(0), kind, energy, place, u, v, w, FIRST_STREAM), emitted


@inlined
def follow_last(seed, history, world, tables, cuts, scores, stack, depth):
    """Take the last particle off the stack and follow it until it stops, is absorbed or leaves.

    Returns
    -------
    depth : of the stack, which now holds its secondaries too
    escaped : quanta that left the grid
    flights : of an electron, 0 for a photon
    """
    depth = np.int32(depth - 1)
    kind, energy, place, u, v, w, stream, draw = pop(stack, depth)
    key = Key(seed, history, stream)
    if kind == PHOTON:
        depth, escaped = fly(energy, place, u, v, w, world, tables, cuts, scores, stack, depth, key, draw)
        return depth, escaped, np.int32(0)
    if kind == NOTHING:
        return depth, np.int64(0), np.int32(0)
    return slow_down(kind, energy, place, u, v, w, world, tables, cuts, scores, stack, depth, key)


@compiled
def follow(seed, history, source, world, tables, cuts, scores, stack):
    """Follow one emission until nothing moves; add what it deposits to `scores`; return its `Account`."""
    depth, emitted = begin(seed, history, source, world, stack)
    escaped = np.int64(0)
    flights = np.int64(0)
    while depth > 0:
        depth, out, flown = follow_last(seed, history, world, tables, cuts, scores, stack, depth)
        escaped += out
        flights += flown
    return Account(emitted, escaped, flights)
