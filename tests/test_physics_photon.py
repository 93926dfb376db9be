"""Photon interactions: Compton, photoelectric absorption, pair production."""

import numba
import numpy as np
import pytest
from draws import DIRECTIONS, EXTREME_WORDS, SEED, assert_distributed, assert_mean, bin_probabilities, scripted
from scipy import integrate

from mcdose.constants import ELECTRON_MASS
from mcdose.media import medium
from mcdose.photon_data import incoherent_scattering_function
from mcdose.physics.compton import compton_angles, recoil_deflection, sample_compton
from mcdose.physics.direction import turned
from mcdose.physics.lookup import energy_grid, locate
from mcdose.physics.pair import pair_deflection
from mcdose.physics.photoelectric import sample_photoelectron
from mcdose.physics.random import Key, random_block, uniform
from mcdose.physics_tables import COMPTON_CELLS
from mcdose.transport.tables import PHOTON_BITS, PHOTON_HIGH, PHOTON_LAST, PHOTON_LOW

COUNT = 100_000
ENERGIES = [0.01, 0.03, 0.1, 0.511, 1.0, 3.0]
GRID = energy_grid(PHOTON_LOW, PHOTON_HIGH, PHOTON_BITS)
FREE = compton_angles(GRID, np.ones_like, COMPTON_CELLS).astype(np.float32)[None]  # S = Z: Klein and Nishina alone


@numba.njit
def draw_compton(energy, angles, which, count, seed):
    drawn = np.empty((count, 2), np.float32)
    index, inside = locate(energy, PHOTON_LOW, PHOTON_BITS, PHOTON_LAST)
    for i in range(count):
        word, _, _, _ = random_block(Key(seed, np.uint64(i), np.uint32(0)), 0)
        drawn[i, 0], drawn[i, 1] = sample_compton(energy, angles, which, index, inside, uniform(word))
    return drawn


@numba.njit
def draw_photoelectrons(energy, count, seed):
    drawn = np.empty((count, 2), np.float32)
    for i in range(count):
        drawn[i, 0], drawn[i, 1], _ = sample_photoelectron(energy, Key(seed, np.uint64(i), np.uint32(0)), 0)
    return drawn


def klein_nishina(one_minus_cosine, energy):
    """Cross section per unit of cos, up to a constant."""
    ratio = 1.0 / (1.0 + energy / ELECTRON_MASS * one_minus_cosine)
    return ratio**2 * (ratio + 1.0 / ratio - one_minus_cosine * (2.0 - one_minus_cosine))


def momentum(energy):
    return np.sqrt(energy * (energy + 2.0 * ELECTRON_MASS))


@pytest.mark.parametrize("energy", ENERGIES)
def test_compton_on_free_electrons_is_klein_nishina(energy):
    scattered, one_minus_cosine = draw_compton(np.float32(energy), FREE, np.int32(0), COUNT, SEED).astype(np.float64).T
    edges = np.concatenate([[0.0], np.geomspace(1e-3, 2.0, 40)])
    assert_distributed(one_minus_cosine, edges, bin_probabilities(lambda x: klein_nishina(x, energy), edges))
    expected = energy / (1.0 + energy / ELECTRON_MASS * one_minus_cosine)
    assert np.abs(scattered - expected).max() < 1e-6 * energy


def test_mean_compton_energy_is_the_published_one():
    """Mean recoil energy at 1 MeV by Klein and Nishina: 0.440 of the photon's (Attix, Introduction, 1986, fig. 7.7)."""
    drawn = draw_compton(np.float32(1.0), FREE, np.int32(0), COUNT, SEED).astype(np.float64)
    whole = integrate.quad(lambda x: klein_nishina(x, 1.0), 0.0, 2.0)[0]
    kept = integrate.quad(lambda x: klein_nishina(x, 1.0) / (1.0 + x / ELECTRON_MASS), 0.0, 2.0)[0] / whole
    assert 1.0 - kept == pytest.approx(0.440, abs=0.001)
    assert_mean(drawn[:, 0], kept)


@pytest.mark.parametrize("which", [0, 2], ids=["water", "bone"])
@pytest.mark.parametrize("energy", ENERGIES)
def test_compton_on_bound_electrons(energy, which, three_media):
    name = ("water", "lung", "cortical-bone")[which]
    drawn = draw_compton(np.float32(energy), three_media.compton, np.int32(which), COUNT, SEED).astype(np.float64)

    edges = np.concatenate([[0.0], np.geomspace(1e-3, 2.0, 30)])
    fine = edges[:-1, None] + np.diff(edges)[:, None] * (np.arange(400) + 0.5) / 400.0
    x = energy / 0.0123984198 * np.sqrt(0.5 * fine)
    bound = incoherent_scattering_function(medium(name), x)
    expected = (klein_nishina(fine, energy) * bound).mean(axis=1) * np.diff(edges)
    assert_distributed(drawn[:, 1], edges, expected / expected.sum())


@pytest.mark.parametrize("which", [0, 1, 2], ids=["water", "lung", "bone"])
def test_compton_table_has_the_moments_of_the_distribution(which, three_media):
    """Mean recoil energy and mean 1 - cos by the table, between its energies and cells too, against quadrature.

    Equal steps of the cumulative probability stand for the uniform: no noise.
    """
    name = ("water", "lung", "cortical-bone")[which]
    table = three_media.compton[which].astype(np.float64)
    half_sine = np.linspace(0.0, 1.0, 20_001) ** 2
    x = 2.0 * half_sine**2
    cumulative = (np.arange(100_000) + 0.5) / 100_000
    for energy in np.geomspace(0.00101, 3.9, 60):
        index, inside = locate(np.float32(energy), PHOTON_LOW, PHOTON_BITS, PHOTON_LAST)
        row = table[index] + inside * (table[index + 1] - table[index])
        drawn = np.interp(np.sqrt(cumulative) * COMPTON_CELLS, np.arange(COMPTON_CELLS + 1), row)
        density = klein_nishina(x, energy) * half_sine
        density *= incoherent_scattering_function(medium(name), energy / 0.0123984198 * half_sine)
        whole = integrate.simpson(density, x=half_sine)
        for quantity in (lambda c, k=energy / ELECTRON_MASS: k * c / (1.0 + k * c), lambda c: c):
            expected = integrate.simpson(density * quantity(x), x=half_sine) / whole
            assert quantity(drawn).mean() == pytest.approx(expected, rel=3e-4)


@pytest.mark.parametrize("energy", [0.0012, *ENERGIES])
def test_compton_conserves_energy_and_momentum_in_every_direction(energy):
    energy = np.float32(energy)
    for scattered, one_minus_cosine in draw_compton(energy, FREE, np.int32(0), 60, SEED):
        recoil = np.float64(energy) - np.float64(scattered)
        deflection = np.float32(recoil_deflection(energy, scattered, one_minus_cosine))
        assert 0.0 <= deflection <= 2.0
        for direction in DIRECTIONS:
            axis = np.array(direction, np.float32)
            photon = turned(*axis, one_minus_cosine, np.float32(0.8))
            electron = turned(*axis, deflection, np.float32(0.3))
            total = np.float64(scattered) * np.array(photon) + momentum(recoil) * np.array(electron)
            assert np.abs(total - np.float64(energy) * axis).max() < 5e-4 * energy


@pytest.mark.parametrize("energy", [0.001, 0.01, 1.0, 3.0])
@pytest.mark.parametrize("word", EXTREME_WORDS)
def test_compton_at_extreme_uniforms(energy, word):
    energy = np.float32(energy)
    index, inside = locate(energy, PHOTON_LOW, PHOTON_BITS, PHOTON_LAST)
    scattered, one_minus_cosine = sample_compton(energy, FREE, 0, index, inside, np.float32(uniform(np.uint32(word))))
    assert 0.0 <= one_minus_cosine <= 2.0
    assert energy / (1.0 + 2.0 * energy / ELECTRON_MASS) * (1.0 - 1e-6) <= scattered <= energy
    assert 0.0 <= recoil_deflection(energy, np.float32(scattered), np.float32(one_minus_cosine)) <= 2.0


@pytest.mark.parametrize("energy", [0.0011, *ENERGIES])
def test_photoelectron_follows_sauter(energy):
    one_minus_cosine, turn = draw_photoelectrons(np.float32(energy), COUNT, SEED).astype(np.float64).T
    gamma = 1.0 + energy / ELECTRON_MASS
    beta = np.sqrt(1.0 - 1.0 / gamma**2)

    def density(x):
        """Sauter's K-shell cross section per unit of cos (Ann. Phys. 11 (1931) 454), in x = 1 - cos."""
        away = 1.0 - beta * (1.0 - x)
        return x * (2.0 - x) / away**4 * (1.0 + 0.5 * gamma * (gamma - 1.0) * (gamma - 2.0) * away)

    edges = np.linspace(0.0, 2.0, 81)
    assert_distributed(one_minus_cosine, edges, bin_probabilities(density, edges))
    assert_distributed(turn, np.linspace(0.0, 1.0, 21), np.full(20, 0.05))


@pytest.mark.parametrize("energy", [0.001, 0.01, 1.0, 3.0])
@pytest.mark.parametrize("first", EXTREME_WORDS)
def test_photoelectron_at_extreme_uniforms(energy, first):
    one_minus_cosine, turn, _ = scripted(sample_photoelectron, [(first, 0, first, 0), (2**31, 0, first, 0)])(
        np.float32(energy), None, 0
    )
    assert 0.0 <= one_minus_cosine <= 2.0
    assert 0.0 < turn < 1.0


@pytest.mark.parametrize("energy", [0.0, 1e-6, 0.1, 0.511, 1.0, 3.0])
def test_pair_deflection(energy):
    beta = momentum(energy) / (energy + ELECTRON_MASS)
    words = ((np.arange(20_000) + 0.5) / 20_000 * 2.0**32).astype(np.uint32)
    drawn = np.array([pair_deflection(np.float32(energy), np.float32(uniform(word))) for word in words])
    edges = np.linspace(0.0, 2.0, 31)
    counts, _ = np.histogram(drawn, edges)
    expected = bin_probabilities(lambda x: 1.0 / (1.0 - beta * (1.0 - x)) ** 2, edges)
    assert np.abs(counts - 20_000 * expected).max() < 3.0  # an equidistant sample: no noise
    for word in EXTREME_WORDS:
        assert 0.0 <= pair_deflection(np.float32(energy), np.float32(uniform(np.uint32(word)))) <= 2.0
