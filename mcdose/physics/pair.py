"""Pair production."""

import math

from mcdose.constants import ELECTRON_MASS
from mcdose.jit import compiled


@compiled
def pair_deflection(energy, uniform_1):
    """Return 1 - cos of the angle between the photon and one of the pair, of kinetic energy `energy` [MeV].

    The leading term of the Sauter-Gluckstern-Hull distribution, 1/(1 - beta cos)^2, by its inverse. Source: Salvat,
    PENELOPE-2018,
    NEA/MBDAV/R(2019)1, eq. 2.97. The energy is shared uniformly between the two by the caller: near the threshold
    the sharing moves less than the positron's range.
    """
    beta = math.sqrt(energy * (energy + 2.0 * ELECTRON_MASS)) / (energy + ELECTRON_MASS)
    return (1.0 - beta) * 2.0 * uniform_1 / (1.0 + beta - 2.0 * beta * uniform_1)
