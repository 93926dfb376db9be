"""Bremsstrahlung: photon energies as tabulated, and the dipole's directions."""

import numba
import numpy as np
import pytest
from draws import EXTREME_WORDS, SEED, assert_distributed, assert_mean, bin_probabilities, scripted

from mcdose.constants import ELECTRON_MASS
from mcdose.electron_data import (
    bremsstrahlung_cross_section,
    radiative_stopping_power,
    soft_radiative_stopping_power,
)
from mcdose.media import medium
from mcdose.physics.bremsstrahlung import sample_dipole, sample_photon_energy
from mcdose.physics.lookup import energy_grid, locate
from mcdose.physics.random import Key
from mcdose.transport.tables import ANGLE_BITS, ANGLE_LAST, ELECTRON_HIGH, ELECTRON_LOW

COUNT = 100_000
CASES = [(0.012, 0.01), (0.1, 0.01), (0.5, 0.01), (1.0, 0.05), (2.28, 0.01), (3.0, 0.001)]


@numba.njit
def draw_energies(energy, cut, shape, row, place, count, seed):
    photons = np.empty(count, np.float32)
    for i in range(count):
        photons[i], _ = sample_photon_energy(energy, cut, shape, row, place, Key(seed, np.uint64(i), np.uint32(0)), 0)
    return photons


@numba.njit
def draw_dipoles(energy, count, seed):
    drawn = np.empty((count, 2), np.float32)
    for i in range(count):
        drawn[i, 0], drawn[i, 1], _ = sample_dipole(energy, Key(seed, np.uint64(i), np.uint32(0)), 0)
    return drawn


def located(energy):
    return locate(np.float32(energy), ELECTRON_LOW, ANGLE_BITS, ANGLE_LAST)


@pytest.mark.parametrize(("energy", "cut"), CASES)
def test_photon_energy(energy, cut, three_media):
    table = three_media.radiation
    assert table.max() <= 1.0
    row, place = located(energy)
    photons = draw_energies(np.float32(energy), np.float32(cut), table, row, place, COUNT, SEED)
    assert photons.min() >= cut * (1.0 - 3e-7)
    assert photons.max() <= np.float32(energy)
    between = (1.0 - place) * table[row].astype(float) + place * table[row + 1]
    fractions = np.linspace(0.0, 1.0, table.shape[1])
    edges = np.unique(np.append(np.geomspace(cut, energy, 41), cut))
    expected = bin_probabilities(lambda k: np.interp(k / energy, fractions, between) / k, edges)
    assert_distributed(np.clip(photons, edges[0], edges[-1]), edges, expected)


@pytest.mark.parametrize(("energy", "cut"), CASES)
def test_mean_photon_energy_is_what_the_radiative_stopping_power_asks(energy, cut, three_media):
    water = medium("water")
    row, place = located(energy)
    photons = draw_energies(np.float32(energy), np.float32(cut), three_media.radiation, row, place, COUNT, SEED)
    hard = radiative_stopping_power(water, energy) - soft_radiative_stopping_power(water, energy, cut)
    mean = float(hard / bremsstrahlung_cross_section(water, energy, cut))
    assert_mean(photons, mean, allowance=0.004 * mean)  # the 40 cells of the sampled shape


def test_shape_table_has_its_largest_value_at_one(three_media):
    assert three_media.radiation.max(axis=1) == pytest.approx(1.0)
    assert three_media.radiation.shape[0] == energy_grid(ELECTRON_LOW, ELECTRON_HIGH, ANGLE_BITS).size


@pytest.mark.parametrize("energy", [0.0101, 0.5, 3.0])
@pytest.mark.parametrize("first", EXTREME_WORDS)
def test_extreme_uniforms_stay_between_the_limits(energy, first, three_media):
    row, place = located(energy)
    sampler = scripted(sample_photon_energy, [(first, 0, first, 0)])
    photon, _ = sampler(np.float32(energy), np.float32(0.01), three_media.radiation, row, np.float32(place), None, 0)
    assert np.float32(0.01) * (1.0 - 3e-7) <= photon <= np.float32(energy)


@pytest.mark.parametrize("energy", [0.01, 0.1, 0.511, 1.0, 2.28, 3.0])
def test_dipole(energy):
    drawn = draw_dipoles(np.float32(energy), COUNT, SEED).astype(np.float64)
    one_minus_cosine, turn = drawn.T
    assert one_minus_cosine.min() >= 0.0
    assert one_minus_cosine.max() <= 2.0
    beta = np.sqrt(energy * (energy + 2.0 * ELECTRON_MASS)) / (energy + ELECTRON_MASS)
    # Back in the rest frame the cosine has the density 3/8 (1 + mu^2).
    mu = 1.0 - one_minus_cosine * (1.0 + beta) / (1.0 - beta + beta * one_minus_cosine)
    edges = np.linspace(-1.0, 1.0, 41)
    assert_distributed(np.clip(mu, -1.0, 1.0), edges, np.diff(edges + edges**3 / 3.0) * 3.0 / 8.0)
    assert_distributed(turn, np.linspace(0.0, 1.0, 41), np.full(40, 1.0 / 40.0))
    cosine = np.polynomial.legendre.leggauss(60)
    weights = cosine[1] * 3.0 / 8.0 * (1.0 + cosine[0] ** 2)
    assert_mean(1.0 - one_minus_cosine, weights @ ((cosine[0] + beta) / (1.0 + beta * cosine[0])))


@pytest.mark.parametrize("energy", [0.01, 3.0])
@pytest.mark.parametrize("first", EXTREME_WORDS)
def test_dipole_at_extreme_uniforms(energy, first):
    one_minus_cosine, turn, _ = scripted(sample_dipole, [(first, 0, first, 0)])(np.float32(energy), None, 0)
    assert 0.0 <= one_minus_cosine <= 2.0
    assert 0.0 < turn < 1.0
