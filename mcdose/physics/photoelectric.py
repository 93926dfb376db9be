"""Photoelectric absorption: the direction of the photoelectron."""

import math

import numpy as np

from mcdose.constants import ELECTRON_MASS
from mcdose.jit import compiled
from mcdose.physics.random import random_block, uniform


@compiled
def sample_photoelectron(energy, key, draw):
    """Sample 1 - cos of the photoelectron's angle and its azimuth; it takes the photon's whole energy.

    Neglects the binding energy: the vacancy's X rays and Auger electrons are given to the photoelectron (0.5 keV in
    water, 4 keV in calcium), which is as good as local: the K X ray of calcium, 3.69 keV, is absorbed within 31
    micrometres of bone on average. Not so for iodine (28.6 keV, 2.5 cm of water), which no shipped medium has.

    Source: Sauter's K-shell distribution by the composition-rejection of Salvat, PENELOPE-2018, NEA/MBDAV/R(2019)1,
    sec. 2.2.1.

    Returns
    -------
    one_minus_cosine, turn : polar deflection, azimuth in revolutions
    draw : the next unused block
    """
    gamma = 1.0 + energy / ELECTRON_MASS
    beta = math.sqrt(energy * (energy + 2.0 * ELECTRON_MASS)) / (energy + ELECTRON_MASS)
    a = 1.0 / beta - 1.0
    b = 0.5 * beta * gamma * (gamma - 1.0) * (gamma - 2.0)
    bound = 2.0 * (1.0 / a + b)
    while True:
        word_1, word_2, word_3, _ = random_block(key, draw)
        draw += 1
        first = uniform(word_1)
        nu = 2.0 * a / ((a + 2.0) * (a + 2.0) - 4.0 * first) * (2.0 * first + (a + 2.0) * math.sqrt(first))
        if uniform(word_2) * bound < (2.0 - nu) * (1.0 / (a + nu) + b):
            return min(nu, np.float32(2.0)), uniform(word_3), draw
