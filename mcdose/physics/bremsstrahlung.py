"""Bremsstrahlung photons above the cut."""

import math

import numpy as np

from mcdose.constants import ELECTRON_MASS
from mcdose.jit import compiled
from mcdose.physics.random import random_block, uniform


@compiled
def _shape(fraction, shape, row, place, steps):
    """Return k dN/dk at photon energy `fraction` of the electron's, bilinear in the table."""
    position = fraction * np.float32(steps)
    column = min(np.int32(position), np.int32(steps - 1))
    along = position - np.float32(column)
    low = shape[row, column] + along * (shape[row, column + 1] - shape[row, column])
    high = shape[row + 1, column] + along * (shape[row + 1, column + 1] - shape[row + 1, column])
    return low + place * (high - low)


@compiled
def sample_photon_energy(energy, cut, shape, row, place, key, draw):
    """Sample the energy [MeV] of a bremsstrahlung photon between `cut` and `energy`.

    Parameters
    ----------
    energy : MeV, kinetic energy of the electron, above `cut`
    shape : (energies, n + 1) float32, k dN/dk on equal steps of k/energy from 0 to 1, largest value of a row 1
    row, place : where `energy` lies in the table (`lookup.locate`)
    key, draw : the particle's stream and its next block

    Returns
    -------
    photon : MeV
    draw : the next unused block

    Notes
    -----
    Rejection from 1/k. Source of the shape: Seltzer and Berger, At. Data Nucl. Data Tables 35 (1986) 345, water.
    """
    steps = shape.shape[1] - 1
    range_of_logs = math.log(energy / cut)
    while True:
        word_1, word_2, word_3, word_4 = random_block(key, draw)
        draw += 1
        photon = cut * math.exp(range_of_logs * uniform(word_1))
        if uniform(word_2) < _shape(photon / energy, shape, row, place, steps):
            return min(photon, energy), draw
        photon = cut * math.exp(range_of_logs * uniform(word_3))
        if uniform(word_4) < _shape(photon / energy, shape, row, place, steps):
            return min(photon, energy), draw


@compiled
def sample_dipole(energy, key, draw):
    """Sample 1 - cos of the angle between the electron and the photon it radiates.

    Returns
    -------
    one_minus_cosine, turn : deflection and azimuth (revolutions)
    draw : the next unused block

    Notes
    -----
    A dipole that radiates in the electron's rest frame, (1 + mu^2), boosted to the laboratory. Independent of the
    photon's energy; the electron keeps its direction. Source: Salvat, PENELOPE-2018, NEA/MBDAV/R(2019)1, eq. 3.178
    with A = 1.
    """
    total = energy + ELECTRON_MASS
    beta = math.sqrt(energy * (energy + 2.0 * ELECTRON_MASS)) / total
    while True:
        word_1, word_2, word_3, _ = random_block(key, draw)
        draw += 1
        mu = 2.0 * uniform(word_1) - 1.0
        if 2.0 * uniform(word_2) < 1.0 + mu * mu:
            return (1.0 - beta) * (1.0 - mu) / (1.0 + beta * mu), uniform(word_3), draw
