"""Coherent scattering of photons: a change of direction, no energy."""

import math

import numpy as np
from numpy.typing import NDArray

from mcdose.jit import compiled
from mcdose.physics.lookup import energy_grid, locate
from mcdose.physics.random import random_block, uniform

_INVERSE_HC = 80.65543937349212  # x = E[MeV] sin(theta/2) / (hc), hc = 0.01239841984 MeV angstrom

# The grid of x^2 [1/angstrom^2]: 0, then 2^low to 2^high, 2^bits steps an octave (see `physics.lookup`). Up to the
# first node F^2 is linear in x^2 to 1e-4; above x = 20 there are no data and no scattering.
SQUARE_LOW, SQUARE_HIGH, SQUARE_BITS = -10, 9, 4
SQUARE_LAST = (SQUARE_HIGH - SQUARE_LOW) * 2**SQUARE_BITS - 1
# Columns of a table of form factors
SQUARE, DENSITY, CUMULATIVE = 0, 1, 2


def square_grid() -> NDArray[np.float64]:
    """Return the nodes of x^2 [1/angstrom^2], the first one 0."""
    return np.append(0.0, energy_grid(SQUARE_LOW, SQUARE_HIGH, SQUARE_BITS))


@compiled
def _cumulative(form_factor, medium, square):
    """Return the integral of F^2 over x^2 from 0 to `square`, and the cell that ends it."""
    lowest = form_factor[medium, 1, SQUARE]
    if square < lowest:
        cell, inside = np.int32(0), square / lowest
    else:
        cell, inside = locate(square, SQUARE_LOW, SQUARE_BITS, SQUARE_LAST)
        cell = np.int32(cell + 1)
    low = form_factor[medium, cell, DENSITY]
    high = form_factor[medium, cell + 1, DENSITY]
    width = form_factor[medium, cell + 1, SQUARE] - form_factor[medium, cell, SQUARE]
    part = inside * width * (low + 0.5 * inside * (high - low))
    return form_factor[medium, cell, CUMULATIVE] + part, cell


@compiled
def sample_rayleigh(energy, form_factor, medium, key, draw):
    """Sample a coherent scattering: Thomson's cross section times the square of the form factor.

    Parameters
    ----------
    energy : MeV, of the photon
    form_factor : (media, n, 3) float32: x^2 [1/angstrom^2] of `square_grid`, F^2 there, and the integral of F^2 over
        x^2 from 0, by the trapezoidal rule; x = sin(theta/2) E / hc
    medium : which medium
    key, draw : the particle's stream and its next block

    Returns
    -------
    one_minus_cosine : of the polar angle
    draw : the next unused block

    Notes
    -----
    With q = x^2 the distribution is F^2(q) dq (1 + cos^2), 1 - cos = 2 q / q_max. So q is drawn from the cumulative of
    F^2, linear in q in each cell, inverted exactly, and accepted with (1 + cos^2) / 2. Two draws from a block; at least
    half of them are accepted. Source: Salvat, PENELOPE-2018, NEA/MBDAV/R(2019)1, sec. 2.1.
    """
    x = energy * _INVERSE_HC
    largest = x * x
    whole, last = _cumulative(form_factor, medium, largest)
    while True:
        word_1, word_2, word_3, word_4 = random_block(key, draw)
        draw += 1
        for second in range(2):
            wanted = uniform(word_3 if second else word_1) * whole
            low = np.int32(0)
            high = last
            while low < high:  # the last cell whose beginning is not above what is wanted
                middle = np.int32((low + high + 1) >> 1)
                if form_factor[medium, middle, CUMULATIVE] <= wanted:
                    low = middle
                else:
                    high = np.int32(middle - 1)
            start = form_factor[medium, low, SQUARE]
            width = form_factor[medium, low + 1, SQUARE] - start
            density = form_factor[medium, low, DENSITY]
            slope = (form_factor[medium, low + 1, DENSITY] - density) / width
            rest = wanted - form_factor[medium, low, CUMULATIVE]
            root = math.sqrt(max(density * density + 2.0 * slope * rest, np.float32(0.0)))
            square = start + min(2.0 * rest / max(density + root, np.float32(1.0e-30)), width)
            one_minus_cosine = 2.0 * min(square / largest, np.float32(1.0))
            cosine = 1.0 - one_minus_cosine
            if uniform(word_4 if second else word_2) < 0.5 + 0.5 * cosine * cosine:
                return one_minus_cosine, draw
