"""Annihilation in flight: shares and angles of the photons, Heitler's cross section, and the energy of positrons."""

import itertools

import numba
import numpy as np
import pytest
from draws import EXTREME_WORDS, SEED, assert_distributed, assert_mean, scripted
from scipy import integrate

from mcdose.constants import CLASSICAL_ELECTRON_RADIUS, ELECTRON_MASS
from mcdose.dose import absorbed_dose
from mcdose.electron_data import annihilation_cross_section, total_stopping_power
from mcdose.goudsmit_saunderson import electrons_per_gram
from mcdose.media import medium
from mcdose.nuclides import nuclide
from mcdose.physics.annihilation import photon_deflection, sample_annihilation
from mcdose.physics.random import Key

ENERGIES = [0.01, 0.1, 0.5, 1.0, 2.0]  # MeV
COUNT = 200_000


@numba.njit
def draw_shares(energy, count, seed):
    drawn = np.empty(count, np.float32)
    for i in range(count):
        drawn[i], _ = sample_annihilation(energy, Key(seed, np.uint64(i), np.uint32(0)), 0)
    return drawn


def share_density(energy):
    """Gamma, the least share and the density of shares, in pi r_e^2 / ((gamma + 1)(gamma^2 - 1))."""
    gamma = 1.0 + energy / ELECTRON_MASS
    least = 1.0 / (gamma + 1.0 + np.sqrt(gamma**2 - 1.0))

    def density(z):
        return -((gamma + 1.0) ** 2) + (gamma**2 + 4.0 * gamma + 1.0) / z - 1.0 / z**2

    return gamma, least, density


@pytest.mark.parametrize("energy", ENERGIES)
def test_shares_are_those_of_the_differential_cross_section(energy):
    _, least, density = share_density(energy)
    drawn = draw_shares(np.float32(energy), COUNT, SEED).astype(np.float64)
    assert drawn.min() >= least * (1 - 1e-6)
    assert drawn.max() <= 1.0 - least * (1 - 1e-6)
    edges = np.linspace(least, 1.0 - least, 31)
    parts = np.array([integrate.quad(density, a, b)[0] for a, b in itertools.pairwise(edges)])
    edges[0], edges[-1] = 0.0, 1.0
    assert_distributed(drawn, edges, parts / parts.sum())
    shares = np.linspace(least, 1.0 - least, 20_001)
    for power in (1, 2):
        assert_mean(drawn**power, integrate.simpson(density(shares) * shares**power, x=shares) / parts.sum())


@pytest.mark.parametrize("energy", ENERGIES)
def test_cross_section_is_the_integral_of_the_differential_one(energy):
    gamma, least, density = share_density(energy)
    per_electron = np.pi * CLASSICAL_ELECTRON_RADIUS**2 / ((gamma + 1.0) * (gamma**2 - 1.0))
    # the densities of the two photons, up to equal shares, are that of one of them over all shares
    expected = per_electron * integrate.quad(density, least, 1.0 - least)[0] * electrons_per_gram(medium("water"))
    assert annihilation_cross_section(medium("water"), energy) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("energy", ENERGIES)
def test_energy_and_momentum_are_kept(energy):
    """Along the positron: p c; across it, what one photon has is what the other has."""
    momentum = np.sqrt(energy * (energy + 2.0 * ELECTRON_MASS))
    whole = energy + 2.0 * ELECTRON_MASS
    for share in draw_shares(np.float32(energy), 200, SEED).astype(np.float64):
        cosines = [1.0 - float(photon_deflection(np.float32(energy), np.float32(z))) for z in (share, 1.0 - share)]
        parts = np.array([share, 1.0 - share]) * whole
        assert parts @ cosines == pytest.approx(momentum, abs=2e-5 * whole)
        across = parts**2 * (1.0 - np.square(cosines))
        assert across[0] == pytest.approx(across[1], abs=2e-4 * whole**2)


@pytest.mark.parametrize("word", EXTREME_WORDS)
def test_extreme_numbers_give_a_share(word):
    for energy in (0.005, 3.0):
        share, _ = scripted(sample_annihilation, [(word, 0, 0, 0)])(np.float32(energy), None, 0)
        assert 0.0 < share < 1.0


def in_flight(name):
    """Part of the positrons of a nuclide that annihilate before they stop, from cross section and stopping power."""
    water = medium("water")
    spectrum = nuclide(name).positron_spectrum
    energies = np.geomspace(0.002, spectrum.energies_mev[-1], 4000)
    rate = annihilation_cross_section(water, energies) / total_stopping_power(water, energies, 1)
    below = np.concatenate([[0.0], integrate.cumulative_trapezoid(rate, energies)])
    survived = np.exp(-np.interp(spectrum.energies_mev, energies, below))
    density = spectrum.density_per_mev
    return 1.0 - np.trapezoid(density * survived, spectrum.energies_mev) / np.trapezoid(density, spectrum.energies_mev)


@pytest.mark.parametrize(("name", "part"), [("F-18", 0.009), ("Ga-68", 0.029)])
def test_few_positrons_annihilate_in_flight(name, part):
    assert in_flight(name) == pytest.approx(part, abs=0.001)


def test_all_energy_of_positrons_is_accounted_for():
    """In a small grid, from which photons of annihilation escape and in which they interact."""
    result = absorbed_dose(np.ones((6, 6, 6)), (9.0, 9.0, 9.0), nuclide="Ga-68", histories=200_000, seed=4)
    assert result.emitted_mev == result.deposited_mev + result.escaped_mev
    assert result.escaped_mev > 0.5 * result.emitted_mev
    assert (result.dose_gy > 0.0).all()
