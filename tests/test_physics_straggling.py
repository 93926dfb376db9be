"""Straggling: the sampled soft loss has the two right moments in every regime."""

import numba
import numpy as np
import pytest
from scipy import integrate

from mcdose.constants import CLASSICAL_ELECTRON_RADIUS, ELECTRON_MASS
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


@pytest.mark.parametrize("name", ["water", "cortical-bone"])
@pytest.mark.parametrize("cut", [0.01, 0.1, 0.5])
def test_soft_variance_is_the_second_moment_of_moller(name, cut):
    energies = np.array([0.01, 0.1, 0.19, 0.21, 0.5, 1.0, 3.0])

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

    expected = [
        integrate.quad(lambda t, e=energy: t**2 * moller(t, e), 0.0, min(cut, 0.5 * energy), epsabs=0.0, epsrel=1e-10)[
            0
        ]
        * electrons_per_gram(medium(name))
        for energy in energies
    ]
    assert soft_variance(medium(name), energies, cut) == pytest.approx(expected, rel=1e-6)


def test_soft_variance_of_water_at_1_mev():
    """Blunck and Westphal's rule of thumb: 0.0852 MeV2 cm2/g per MeV of cut over beta^2."""
    beta_squared = 0.88557
    assert soft_variance(medium("water"), np.array([1.0]), 0.02)[0] == pytest.approx(
        0.0852 * 0.02 / beta_squared, rel=0.01
    )
