"""Straggling: the sampled soft loss has the two right moments in every regime."""

import numba
import numpy as np
import pytest
from scipy import integrate

from mcdose.constants import CLASSICAL_ELECTRON_RADIUS, ELECTRON_MASS
from mcdose.electron_data import _oscillators, binding_variance, density_effect, plasma_energy_ev
from mcdose.goudsmit_saunderson import electrons_per_gram
from mcdose.media import medium
from mcdose.physics.random import uniform_low
from mcdose.physics.straggling import sample_loss
from mcdose.physics_tables import soft_variance

# Mean loss [MeV] and its square over the variance: deep in each regime and on either side of the limits at 3 and 6.
MEANS = [1e-4, 5e-3, 0.2]
RATIOS = [1e3, 20.0, 6.0001, 5.9999, 4.5, 3.0001, 2.9999, 1.0, 0.1, 0.01]


@numba.njit
def all_losses(mean, variance):
    """Return the loss for each of the 2^16 first uniforms there are, the second on a Fibonacci lattice."""
    losses = np.empty(65536, np.float32)
    for i in range(65536):
        losses[i] = sample_loss(mean, variance, uniform_low(np.uint32(i)), uniform_low(np.uint32(40503 * i)))
    return losses


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("mean", MEANS)
def test_mean_and_variance_are_exact(mean, ratio):
    variance = mean**2 / ratio
    losses = all_losses(np.float32(mean), np.float32(variance)).astype(np.float64)
    assert losses.min() >= 0.0
    assert losses.mean() == pytest.approx(mean, rel=2e-4)
    assert losses.var() == pytest.approx(variance, rel=5e-4)


@pytest.mark.parametrize(("mean", "variance"), [(1e-9, 1e-10), (1e-9, 0.0), (1e-6, 5e-9), (1e-7, 1e-3), (0.1, 1e-12)])
def test_no_flight_is_too_short(mean, variance):
    losses = all_losses(np.float32(mean), np.float32(variance)).astype(np.float64)
    assert np.all(np.isfinite(losses))
    assert losses.min() >= 0.0
    # Sixteen bits cannot hold the rare large loss of the shortest flights; what is lost or gained is far below a keV.
    assert losses.mean() == pytest.approx(mean, rel=1e-3, abs=1e-7 + 3e-5 * float(losses.max()))


def moller(transfer, energy):
    """Moller's cross section per electron, cm2/MeV: ICRU 37 eq. 2.17."""
    gamma = 1.0 + energy / ELECTRON_MASS
    beta_squared = 1.0 - 1.0 / gamma**2
    other = energy - transfer
    bracket = (
        1.0 / transfer**2
        + 1.0 / other**2
        + ((gamma - 1.0) / (gamma * energy)) ** 2
        - (2.0 * gamma - 1.0) / (gamma**2 * transfer * other)
    )
    return 2.0 * np.pi * CLASSICAL_ELECTRON_RADIUS**2 * ELECTRON_MASS / beta_squared * bracket


def second_moment(energy, lowest, highest):
    """Return the integral of the square of the transfer over Moller's cross section, MeV2 cm2."""
    return integrate.quad(lambda t: t**2 * moller(t, energy), lowest, highest, epsabs=0.0, epsrel=1e-10)[0]


@pytest.mark.parametrize("name", ["water", "cortical-bone"])
@pytest.mark.parametrize("cut", [0.01, 0.1, 0.5])
def test_soft_variance_is_the_second_moment_of_moller_and_what_binding_adds(name, cut):
    energies = np.array([0.01, 0.1, 0.19, 0.21, 0.5, 1.0, 3.0])
    electrons = electrons_per_gram(medium(name))
    free = np.array([second_moment(energy, 0.0, min(cut, 0.5 * energy)) for energy in energies]) * electrons
    bound = binding_variance(medium(name), energies)
    assert soft_variance(medium(name), energies, cut) == pytest.approx(free + bound, rel=1e-6)


@pytest.mark.parametrize("cut", [0.01, 0.1, 0.5])
def test_soft_variance_of_positrons_is_the_second_moment_of_bhabha_and_what_binding_adds(cut):
    """Bhabha's cross section in the form of EGS (SLAC-265), up to the whole energy."""
    water, energies = medium("water"), np.array([0.01, 0.09, 0.11, 0.5, 1.0, 3.0])
    free = []
    for energy in energies:
        gamma = 1.0 + energy / ELECTRON_MASS
        beta_squared, y = 1.0 - 1.0 / gamma**2, 1.0 / (gamma + 1.0)
        b4 = (1.0 - 2.0 * y) ** 3
        terms = (1.0 / beta_squared, y**2 - 2.0, (1.0 - 2.0 * y) * (3.0 + y**2), -b4 - (1.0 - 2.0 * y) ** 2, b4)
        largest = min(cut / energy, 1.0)
        moment = sum(term * largest ** (k + 1) / (k + 1) for k, term in enumerate(terms))
        free.append(2.0 * np.pi * CLASSICAL_ELECTRON_RADIUS**2 * ELECTRON_MASS * energy * moment)
    expected = np.array(free) * electrons_per_gram(water) + binding_variance(water, energies)
    assert soft_variance(water, energies, cut, 1) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["water", "cortical-bone"])
@pytest.mark.parametrize("energy", [0.02, 0.1, 0.5, 2.0])
def test_binding_variance_by_quadrature_over_the_oscillators(name, energy):
    """Distant collisions lose W with dQ / (Q (1 + Q / 2 m c^2)) from the smallest recoil to W; close ones begin at W.

    The smallest recoil and both ends are exact here (Salvat, PENELOPE-2018, eqs. 3.32, 3.56 and 3.77), leading order in
    the closed form: within 2 % of the whole variance below 20 keV.
    """
    material = medium(name)
    oscillators = _oscillators(material)
    tau = energy / ELECTRON_MASS
    momentum = np.sqrt(energy * (energy + 2.0 * ELECTRON_MASS))
    beta_squared = tau * (tau + 2.0) / (tau + 1.0) ** 2
    constant = 2.0 * np.pi * CLASSICAL_ELECTRON_RADIUS**2 * ELECTRON_MASS / beta_squared
    delta = float(density_effect(material, energy))
    variance = 0.0
    cut = min(0.02, 0.5 * energy)
    for strength, level in zip(oscillators.strength, oscillators.level_squared, strict=True):
        loss = plasma_energy_ev(material) * 1e-6 * np.sqrt(level)
        after = np.sqrt((energy - loss) * (energy - loss + 2.0 * ELECTRON_MASS))
        smallest = np.hypot(momentum - after, ELECTRON_MASS) - ELECTRON_MASS
        longitudinal = integrate.quad(
            lambda log: 1.0 / (1.0 + np.exp(log) / 2.0 / ELECTRON_MASS), np.log(smallest), np.log(loss)
        )
        transverse = max(-np.log(1.0 - beta_squared) - beta_squared - delta, 0.0)
        variance += strength * constant * loss * (longitudinal[0] + transverse)
        variance += strength * second_moment(energy, loss, cut)
    free = second_moment(energy, 0.0, cut)
    bound = binding_variance(material, energy)[0] / electrons_per_gram(material)
    assert bound == pytest.approx(variance - free, abs=0.02 * free)
    assert bound > 0.05 * free


def test_soft_variance_of_water_at_1_mev():
    """Free electrons, 0.0852 MeV2 cm2/g per MeV of cut over beta^2; binding of the K shell adds a tenth."""
    free = 0.0852 * 0.02 / 0.88557
    assert soft_variance(medium("water"), np.array([1.0]), 0.02)[0] - binding_variance(medium("water"), 1.0)[
        0
    ] == pytest.approx(free, rel=0.01)
    assert binding_variance(medium("water"), 1.0)[0] == pytest.approx(0.1 * free, rel=0.3)
