"""Incoherent scattering of photons."""

import math

import numpy as np

from mcdose.constants import ELECTRON_MASS
from mcdose.jit import compiled
from mcdose.physics.random import random_block, uniform

# x = E[MeV] sin(theta/2) / (hc), hc = 0.01239841984 MeV angstrom
_INVERSE_HC = 80.65543937349212
X_MAX = 256.0  # 1/angstrom: S = Z beyond (E of 3 MeV scattered back is 242)


@compiled
def scattering_function(energy, one_minus_cosine, binding, medium):
    """Return S(x)/Z of a medium at the momentum transfer of this scattering."""
    steps = binding.shape[1] - 1
    x = energy * _INVERSE_HC * math.sqrt(0.5 * one_minus_cosine)
    position = math.sqrt(min(x * (1.0 / X_MAX), np.float32(1.0))) * np.float32(steps)
    cell = min(np.int32(position), np.int32(steps - 1))
    return binding[medium, cell] + (position - np.float32(cell)) * (binding[medium, cell + 1] - binding[medium, cell])


@compiled
def sample_compton(energy, binding, medium, key, draw):
    """Sample a Compton scattering: Klein-Nishina times the incoherent scattering function.

    Parameters
    ----------
    energy : MeV, of the photon
    binding : (media, n + 1) float32, S(x)/Z of each medium on equal steps of sqrt(x / x_max), x = sin(theta/2) E / hc
    medium : which medium
    key, draw : the particle's stream and its next block

    Returns
    -------
    scattered : MeV, of the scattered photon
    one_minus_cosine : of its polar angle
    draw : the next unused block

    Notes
    -----
    Neglects Doppler broadening and the binding energy (the recoil electron gets energy - scattered).
    Source: Butcher and Messel, Nucl. Phys. 20 (1960) 15, for the Klein-Nishina part.
    """
    k = energy / ELECTRON_MASS
    least = 1.0 / (1.0 + 2.0 * k)  # backscattering
    weight_1 = -math.log(least)
    weight_2 = 0.5 * (1.0 - least * least)
    while True:
        word_1, word_2, word_3, word_4 = random_block(key, draw)
        draw += 1
        if uniform(word_1) * (weight_1 + weight_2) < weight_1:
            epsilon = math.exp(-weight_1 * uniform(word_2))
        else:
            epsilon = math.sqrt(least * least + (1.0 - least * least) * uniform(word_2))
        one_minus_cosine = min((1.0 - epsilon) / (k * epsilon), np.float32(2.0))
        sine_square = one_minus_cosine * (2.0 - one_minus_cosine)
        if uniform(word_3) < 1.0 - epsilon * sine_square / (1.0 + epsilon * epsilon) and uniform(
            word_4
        ) < scattering_function(energy, one_minus_cosine, binding, medium):
            return epsilon * energy, one_minus_cosine, draw


@compiled
def recoil_deflection(energy, scattered, one_minus_cosine):
    """Return 1 - cos of the recoil electron's angle from the photon's old direction (azimuth opposite).

    From momentum conservation with a free electron; energies in MeV.
    """
    recoil = energy - scattered
    momentum = math.sqrt(recoil * (recoil + 2.0 * ELECTRON_MASS))
    if momentum <= 0.0:
        return np.float32(0.0)
    cosine = (recoil + scattered * one_minus_cosine) / momentum
    return 1.0 - min(cosine, np.float32(1.0))
