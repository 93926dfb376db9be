"""Particles that wait: the secondaries of a history."""

from typing import Any, NamedTuple

import numpy as np

from mcdose.jit import compiled
from mcdose.transport.world import Place

ELECTRON = 0
PHOTON = 1
POSITRON = 2
NOTHING = 3  # of a decay with no particle that moves

# A particle after a flight. Gone: out of the world, absorbed, annihilated in flight, or put on the stack to wait.
MOVES, STOPPED, GONE = 0, 1, 2

DEPTH = 32  # particles; with the cuts of doses and kernels a 2.3 MeV electron was never seen to need more than 12

INTEGERS, REALS = 6, 7  # of a particle, see `Stack`


class Stack(NamedTuple):
    """Room for `DEPTH` particles: integers (kind, z, y, x, stream, draw) and reals (energy, offsets, direction).

    `draw` counts the blocks of random numbers that a particle has drawn from its stream before it was put here.
    """

    integers: Any  # (DEPTH, INTEGERS) int32
    reals: Any  # (DEPTH, REALS) float32


@compiled
def push(stack, depth, kind, energy, place, u, v, w, stream, draw=0):
    """Put a particle on the stack; return the new depth, unchanged when there is no room."""
    if depth >= stack.integers.shape[0]:
        return np.int32(depth)
    integers = stack.integers[depth]
    reals = stack.reals[depth]
    integers[0] = kind
    integers[1] = place.z
    integers[2] = place.y
    integers[3] = place.x
    integers[4] = np.int32(stream)
    integers[5] = np.int32(draw)
    reals[0] = energy
    reals[1] = place.offset_z
    reals[2] = place.offset_y
    reals[3] = place.offset_x
    reals[4] = u
    reals[5] = v
    reals[6] = w
    return np.int32(depth + 1)


@compiled
def pop(stack, depth):
    """Return kind, energy, place, direction, random stream and blocks drawn of the particle at `depth`."""
    integers = stack.integers[depth]
    reals = stack.reals[depth]
    place = Place(integers[1], integers[2], integers[3], reals[1], reals[2], reals[3])
    return integers[0], reals[0], place, reals[4], reals[5], reals[6], np.uint32(integers[4]), integers[5]
