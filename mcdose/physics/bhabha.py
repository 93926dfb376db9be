"""Hard collisions of positrons with electrons: a knock-on electron above the cut."""

from mcdose.constants import ELECTRON_MASS
from mcdose.jit import compiled
from mcdose.physics.random import random_block, uniform


@compiled
def sample_bhabha(energy, cut, key, draw):
    """Sample the kinetic energy [MeV] of the electron after a Bhabha collision.

    Parameters
    ----------
    energy : MeV, of the incident positron, more than `cut`
    cut : MeV, least energy of the knock-on electron
    key, draw : the particle's stream and its next block

    Returns
    -------
    transfer : MeV, between `cut` and `energy`
    draw : the next unused block

    Notes
    -----
    Rejection from 1/eps^2; the rest of Bhabha's cross section, 1 - b1 eps + b2 eps^2 - b3 eps^3 + b4 eps^4, is at most
    1. Neglects the binding of the struck electron. Source: Bhabha, Proc. R. Soc. A 154 (1936) 195, as in Salvat,
    PENELOPE-2018, NEA/MBDAV/R(2019)1, sec. 3.2.
    """
    tau = energy / ELECTRON_MASS
    gamma = tau + 1.0
    part = tau / gamma
    square = part * part
    inverse = 1.0 / (gamma + 1.0)
    inverse_square = inverse * inverse
    b1 = square * (2.0 * (gamma + 1.0) - inverse) / tau
    b2 = square * (3.0 + inverse_square)
    b3 = square * 2.0 * gamma * tau * inverse_square
    b4 = square * tau * tau * inverse_square
    lowest = cut / energy
    while True:
        word_1, word_2, word_3, word_4 = random_block(key, draw)
        draw += 1
        for second in range(2):
            epsilon = lowest / (1.0 - (1.0 - lowest) * uniform(word_3 if second else word_1))
            shape = 1.0 - epsilon * (b1 - epsilon * (b2 - epsilon * (b3 - epsilon * b4)))
            if uniform(word_4 if second else word_2) < shape:
                return min(epsilon, 1.0) * energy, draw
