"""Energy-loss straggling of the collisions below the cut."""

import math

from mcdose.jit import compiled


@compiled
def sample_loss(mean, variance, uniform_1, uniform_2):
    """Sample the soft energy loss [MeV] of a flight, with the two right first moments, never negative.

    Parameters
    ----------
    mean : MeV
    variance : MeV^2
    uniform_1, uniform_2 : uniform in (0, 1)

    Notes
    -----
    Three regimes after Salvat, PENELOPE-2018, NEA/MBDAV/R(2019)1, sec. 4.2.3.1 (there the first is a truncated
    Gaussian):
    a triangle on mean +- sqrt(6) sigma while that stays positive, a uniform on mean +- sqrt(3) sigma,
    and below that a chance of no loss at all with a uniform up to some largest loss. All three are exact in
    mean and variance; the sum over the flights of a history is what straggles.
    """
    square = mean * mean
    if square > 6.0 * variance:
        return mean + math.sqrt(6.0 * variance) * (uniform_1 + uniform_2 - 1.0)
    if square > 3.0 * variance:
        return mean + math.sqrt(3.0 * variance) * (2.0 * uniform_1 - 1.0)
    largest = 1.5 * (variance + square) / mean
    none = (3.0 * variance - square) / (3.0 * (variance + square))
    return largest * max(0.0, (uniform_1 - none) / (1.0 - none))
