"""Hard electron-electron collisions: a knock-on electron above the cut."""

import math

from mcdose.constants import ELECTRON_MASS
from mcdose.jit import compiled
from mcdose.physics.random import random_block, uniform


@compiled
def _shape(epsilon, square, mixed):
    """Return Moller's cross section divided by its leading 1/eps^2."""
    ratio = epsilon / (1.0 - epsilon)
    return 1.0 + ratio * ratio + square * epsilon * epsilon - mixed * ratio


@compiled
def sample_moller(energy, cut, key, draw):
    """Sample the kinetic energy [MeV] of the slower electron after a Moller collision.

    Parameters
    ----------
    energy : MeV, of the incident electron, more than twice `cut`
    cut : MeV, least energy of the knock-on electron
    key, draw : the particle's stream and its next block

    Returns
    -------
    transfer : MeV, between `cut` and half of `energy`
    draw : the next unused block

    Notes
    -----
    Rejection from 1/eps^2; the rest of Moller's cross section is convex in eps, so its bound is at an end.
    Neglects the binding of the struck electron. Source: ICRU Report 37 (1984), eq. 2.17 (Moller 1932).
    """
    tau = energy / ELECTRON_MASS
    inverse = 1.0 / (tau + 1.0)
    square = (tau * inverse) * (tau * inverse)
    mixed = (2.0 * tau + 1.0) * inverse * inverse
    lowest = cut / energy
    bound = max(1.0, 2.0 + 0.25 * square - mixed)
    while True:
        word_1, word_2, word_3, word_4 = random_block(key, draw)
        draw += 1
        epsilon = lowest / (1.0 - (1.0 - 2.0 * lowest) * uniform(word_1))
        if uniform(word_2) * bound < _shape(epsilon, square, mixed):
            return epsilon * energy, draw
        epsilon = lowest / (1.0 - (1.0 - 2.0 * lowest) * uniform(word_3))
        if uniform(word_4) * bound < _shape(epsilon, square, mixed):
            return epsilon * energy, draw


@compiled
def moller_deflections(energy, transfer):
    """Return 1 - cos of the polar angles of what keeps `energy - transfer` and of the electron that takes `transfer`.

    Their azimuths are opposite. Two-body kinematics with a free electron at rest, of electrons and positrons alike;
    energies in MeV.
    """
    rest = 2.0 * ELECTRON_MASS
    kept = energy - transfer
    square_fast = rest * transfer / (energy * (kept + rest))
    square_slow = rest * kept / (energy * (transfer + rest))
    fast = square_fast / (1.0 + math.sqrt(max(0.0, 1.0 - square_fast)))
    slow = square_slow / (1.0 + math.sqrt(max(0.0, 1.0 - square_slow)))
    return fast, slow
