"""One history, from the decay to the last particle that moves. READ THIS FILE FIRST.

The same functions run on the CPU and, compiled again, on CUDA devices; only `score.score` differs. A particle draws
from a random stream of its own, so it makes no difference who follows it and when.
"""

from typing import NamedTuple

import numpy as np

from mcdose.jit import compiled, inlined
from mcdose.physics.random import Key
from mcdose.transport.electron import slow_down
from mcdose.transport.photon import fly
from mcdose.transport.score import quanta
from mcdose.transport.source import decay
from mcdose.transport.stack import ELECTRON, PHOTON, pop, push


class Account(NamedTuple):
    """Where the energy of a history went, in quanta (what it deposited is in the scores), and what it took."""

    emitted: np.int64
    escaped: np.int64
    flights: np.int64


@inlined
def begin(seed, history, source, world, stack):
    """Put what a decay emits on the empty stack; return the stack's depth and the quanta emitted."""
    energy, place, u, v, w = decay(source, world, Key(seed, history, np.uint32(0)))
    depth = push(stack, np.int32(0), ELECTRON, energy, place, u, v, w, np.uint32(1))
    return depth, quanta(energy)


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
    kind, energy, place, u, v, w, stream = pop(stack, depth)
    key = Key(seed, history, stream)
    if kind == PHOTON:
        depth, escaped = fly(energy, place, u, v, w, world, tables, scores, stack, depth, key)
        return depth, escaped, np.int32(0)
    return slow_down(kind, energy, place, u, v, w, world, tables, cuts, scores, stack, depth, key)


@compiled
def follow(seed, history, source, world, tables, cuts, scores, stack):
    """Follow one decay until nothing moves; add what it deposits to `scores`; return its `Account`."""
    depth, emitted = begin(seed, history, source, world, stack)
    escaped = np.int64(0)
    flights = np.int64(0)
    while depth > 0:
        depth, out, flown = follow_last(seed, history, world, tables, cuts, scores, stack, depth)
        escaped += out
        flights += flown
    return Account(emitted, escaped, flights)
