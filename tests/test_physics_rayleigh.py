"""Coherent scattering: the sampler against quadrature of Thomson's cross section and the form factor."""

import numba
import numpy as np
import pytest
from draws import EXTREME_WORDS, SEED, assert_distributed, assert_mean, scripted

from mcdose.media import medium
from mcdose.photon_data import squared_form_factor
from mcdose.physics.random import Key
from mcdose.physics.rayleigh import CUMULATIVE, DENSITY, SQUARE, sample_rayleigh, square_grid

COUNT = 200_000
ENERGIES = [0.001, 0.005, 0.03, 0.14, 1.0, 3.0]  # MeV
NAMES = ("water", "lung", "cortical-bone")
INVERSE_HC = 1.0 / 0.01239841984  # 1/(MeV angstrom)


@numba.njit
def draw_rayleigh(energy, form_factor, which, count, seed):
    drawn = np.empty(count, np.float32)
    for i in range(count):
        drawn[i], _ = sample_rayleigh(energy, form_factor, which, Key(seed, np.uint64(i), np.uint32(0)), 0)
    return drawn


def quadrature(name, energy):
    """Return 1 - cos on a fine grid, even in its logarithm, and its density up to a constant."""
    one_minus_cosine = np.concatenate([[0.0], np.geomspace(1e-9, 2.0, 400_001)])
    cosine = 1.0 - one_minus_cosine
    x = energy * INVERSE_HC * np.sqrt(0.5 * one_minus_cosine)
    return one_minus_cosine, (1.0 + cosine**2) * squared_form_factor(medium(name), x)


@pytest.mark.parametrize("which", [0, 2], ids=["water", "bone"])
@pytest.mark.parametrize("energy", ENERGIES)
def test_angles_are_those_of_the_form_factor(energy, which, three_media):
    drawn = draw_rayleigh(np.float32(energy), three_media.form_factor, np.int32(which), COUNT, SEED).astype(np.float64)
    grid, density = quadrature(NAMES[which], energy)
    below = np.concatenate([[0.0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(grid))])
    edges = np.interp(np.linspace(0.0, 1.0, 41), below / below[-1], grid)  # 40 bins of the same probability
    edges[0], edges[-1] = 0.0, 2.0
    assert_distributed(drawn, edges, np.full(40, 1.0 / 40.0))


@pytest.mark.parametrize("which", [0, 1, 2], ids=["water", "lung", "bone"])
@pytest.mark.parametrize("energy", ENERGIES)
def test_first_and_second_moments(energy, which, three_media):
    drawn = draw_rayleigh(np.float32(energy), three_media.form_factor, np.int32(which), COUNT, SEED).astype(np.float64)
    grid, density = quadrature(NAMES[which], energy)
    whole = np.trapezoid(density, grid)
    for power in (1, 2):
        assert_mean(drawn**power, np.trapezoid(density * grid**power, grid) / whole)


def test_tail_of_large_angles(three_media):
    """At 140 keV 2 % of the scatterings in water go beyond 60 degrees; how many they are is right too."""
    drawn = draw_rayleigh(np.float32(0.14), three_media.form_factor, np.int32(0), 10 * COUNT, SEED).astype(np.float64)
    grid, density = quadrature("water", 0.14)
    whole = np.trapezoid(density, grid)
    for least in (0.5, 1.0, 1.5):
        beyond = np.trapezoid(np.where(grid >= least, density, 0.0), grid) / whole
        assert_mean(drawn >= least, beyond)


def test_without_form_factor_it_is_thomson():
    """A point scatters as 1 + cos^2."""
    square = square_grid()
    flat = np.stack([square, np.ones(square.size), square], axis=1)[None].astype(np.float32)
    drawn = draw_rayleigh(np.float32(0.1), flat, np.int32(0), COUNT, SEED).astype(np.float64)
    edges = np.linspace(0.0, 2.0, 41)
    below = (4.0 / 3.0 - (1.0 - edges) - (1.0 - edges) ** 3 / 3.0) / (8.0 / 3.0)
    assert_distributed(drawn, edges, np.diff(below))


def test_table_is_the_form_factor_and_its_integral(three_media):
    for which, name in enumerate(NAMES):
        table = three_media.form_factor[which].astype(np.float64)
        assert np.all(np.diff(table[:, SQUARE]) > 0.0)
        expected = squared_form_factor(medium(name), np.sqrt(table[:, SQUARE]))
        np.testing.assert_allclose(table[:, DENSITY], expected / expected[0], rtol=1e-6)
        assert table[0, DENSITY] == 1.0
        fine = np.linspace(0.0, 20.0, 400_001) ** 2
        whole = squared_form_factor(medium(name), np.sqrt(fine)) / expected[0]
        below = np.concatenate([[0.0], np.cumsum(0.5 * (whole[1:] + whole[:-1]) * np.diff(fine))])
        found = np.interp(table[:, SQUARE], fine, below)
        np.testing.assert_allclose(table[:, CUMULATIVE], found, rtol=5e-4, atol=1e-6)


@pytest.mark.parametrize("energy", [0.001, 0.00102, 0.01, 0.511, 3.0])
@pytest.mark.parametrize("first", EXTREME_WORDS)
@pytest.mark.parametrize("which", [0, 2])
def test_rayleigh_at_extreme_uniforms(energy, first, which, three_media):
    one_minus_cosine, draw = scripted_rayleigh([(first, 0, 0, 0)])(
        np.float32(energy), three_media.form_factor, np.int32(which), None, 0
    )
    assert 0.0 <= one_minus_cosine <= 2.0
    assert draw == 1


def scripted_rayleigh(blocks):
    """Return the sampler in plain Python, with its helper in plain Python too."""
    sampler = scripted(sample_rayleigh, blocks)
    helper = sampler.__globals__["_cumulative"].py_func
    sampler.__globals__["_cumulative"] = helper
    return sampler
