"""One history, from the decay to the last particle that moves. READ THIS FILE FIRST.

The same functions run on the CPU and, compiled again, on CUDA devices; only `score.score` differs.
"""

from typing import NamedTuple

import numpy as np

from mcdose.jit import compiled
from mcdose.physics.random import Key
from mcdose.transport.electron import slow_down
from mcdose.transport.photon import fly
from mcdose.transport.score import quanta
from mcdose.transport.source import decay
from mcdose.transport.stack import ELECTRON, PHOTON, pop, push


class Account(NamedTuple):
    """Where the energy of a history went, in quanta (what it deposited is in the tally), and what it took."""

    emitted: np.int64
    escaped: np.int64
    dropped: np.int64  # left on the spot by a fault (stack full, flight limit); part of what was deposited
    flights: np.int64


@compiled
def follow(seed, history, source, world, tables, cuts, tally, stack):
    """Follow one decay until nothing moves; add what it deposits to `tally` [quanta]; return its `Account`."""
    key = Key(seed, history)
    energy, place, u, v, w, draw = decay(source, world, key)
    emitted = quanta(energy)
    escaped = np.int64(0)
    dropped = np.int64(0)
    flights = np.int64(0)
    depth = push(stack, np.int32(0), ELECTRON, energy, place, u, v, w)
    while depth > 0:
        depth = np.int32(depth - 1)
        kind, energy, place, u, v, w = pop(stack, depth)
        if kind == PHOTON:
            depth, draw, out, fault = fly(energy, place, u, v, w, world, tables, tally, stack, depth, key, draw)
        else:
            depth, draw, out, fault, steps = slow_down(
                kind, energy, place, u, v, w, world, tables, cuts, tally, stack, depth, key, draw
            )
            flights += steps
        escaped += out
        dropped += fault
    return Account(emitted, escaped, dropped, flights)
