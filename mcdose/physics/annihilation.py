"""Annihilation of positrons in flight."""

import math

import numpy as np

from mcdose.constants import ELECTRON_MASS
from mcdose.jit import compiled
from mcdose.physics.random import random_block, uniform


@compiled
def sample_annihilation(energy, key, draw):
    """Sample the share of one of the two photons in the energy E + 2 m c^2 of positron and electron.

    The density of a share z between z_min = 1 / (gamma + 1 + sqrt(gamma^2 - 1)) and 1 - z_min is g(z) / z with
    g(z) = gamma^2 + 4 gamma + 1 - (gamma + 1)^2 z - 1 / z, largest at z = 1 / (gamma + 1): drawn from 1 / z, taken in
    proportion to g. Both photons have it, so either may be called the first.

    Parameters
    ----------
    energy : MeV, kinetic, of the positron
    key, draw : the particle's stream and its next block

    Returns
    -------
    share : of the first photon
    draw : the next unused block

    Source: Heitler, The Quantum Theory of Radiation (1954); Nelson, Hirayama and Rogers, SLAC-265 (1985); in this form
    Salvat, PENELOPE-2018, NEA/MBDAV/R(2019)1, sec. 3.3.4.
    """
    gamma = 1.0 + energy / ELECTRON_MASS
    momentum = math.sqrt(energy / ELECTRON_MASS * (energy / ELECTRON_MASS + 2.0))
    least = 1.0 / (gamma + 1.0 + momentum)
    most = 1.0 - least
    highest = gamma * gamma + 2.0 * gamma - 1.0
    while True:
        word_1, word_2, _, _ = random_block(key, draw)
        draw += 1
        share = least * math.exp(math.log(most / least) * uniform(word_1))
        g = gamma * gamma + 4.0 * gamma + 1.0 - (gamma + 1.0) * (gamma + 1.0) * share - 1.0 / share
        if uniform(word_2) * highest < g:
            return min(max(share, least), most), draw


@compiled
def photon_deflection(energy, share):
    """Return 1 - cos of the angle between the positron and a photon that has `share` of the energy.

    From the conservation of energy and momentum with a free electron at rest; energy in MeV.
    """
    gamma = 1.0 + energy / ELECTRON_MASS
    momentum = math.sqrt(energy / ELECTRON_MASS * (energy / ELECTRON_MASS + 2.0))
    one_minus_cosine = 1.0 - (gamma + 1.0 - 1.0 / share) / momentum
    return min(max(one_minus_cosine, np.float32(0.0)), np.float32(2.0))
