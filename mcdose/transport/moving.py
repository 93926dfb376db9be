"""A particle on its way, as flights take it up and leave it."""

from typing import NamedTuple

import numpy as np

from mcdose.jit import inlined
from mcdose.transport.stack import PHOTON
from mcdose.transport.world import Place


class Moving(NamedTuple):
    """A particle between two of its flights; a photon has no use for what follows `draw`."""

    kind: np.int32
    energy: np.float32  # MeV
    place: Place
    u: np.float32
    v: np.float32
    w: np.float32
    draw: np.int64  # blocks of random numbers drawn
    voxel: np.int64
    density: np.float32  # g/cm3, there
    row: np.int32  # of the tables, there
    held: np.int64  # quanta that it brought into this voxel and has not left there yet
    to_hard: np.float32  # mean free paths to the next hard collision
    before_hinge: np.float32  # MeV to lose before the hinge: the rest of the last step and the first part of this one
    first_part: np.float32  # MeV of this step before its hinge, zero when a new step is due
    last_part: np.float32  # MeV of this step behind its hinge
    coarse: np.bool_  # the steps are the long ones
    started: np.bool_  # the step is chosen


@inlined
def photon_that_moves(energy, place, u, v, w, draw):
    """Return the `Moving` photon."""
    zero = np.float32(0.0)
    return Moving(
        np.int32(PHOTON), energy, place, u, v, w, np.int64(draw),
        np.int64(0), zero, np.int32(0), np.int64(0), zero, zero, zero, zero, False, False,
    )  # fmt: skip
