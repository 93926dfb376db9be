"""Moller scattering: the energy's distribution, and energy and momentum on every sample."""

import numpy as np
import pytest
from draws import EXTREME_WORDS, assert_distributed, assert_mean, bin_probabilities, scripted
from knock_on import knock_ons, momentum_error

from mcdose.constants import ELECTRON_MASS
from mcdose.physics.moller import moller_deflections, sample_moller

CASES = [  # energy and cut, MeV
    (0.021, 0.01),
    (0.05, 0.01),
    (0.2001, 0.1),
    (0.3, 0.1),
    (1.0, 0.01),
    (1.0, 0.1),
    (2.28, 0.1),
    (3.0, 0.02),
]


def density(transfer, energy):
    """Moller's cross section in the energy transfer, ICRU 37 eq. 2.17, up to a constant."""
    tau = energy / ELECTRON_MASS
    eps = transfer / energy
    return (
        1.0 / eps**2
        + 1.0 / (1.0 - eps) ** 2
        + (tau / (tau + 1.0)) ** 2
        - (2.0 * tau + 1.0) / (tau + 1.0) ** 2 / (eps * (1.0 - eps))
    )


@pytest.mark.parametrize(("energy", "cut"), CASES)
def test_energy_of_the_knock_on_electron(energy, cut):
    transfers, blocks = knock_ons(sample_moller, energy, cut)
    slack = 3e-7  # float32
    assert transfers.min() >= cut * (1.0 - slack)
    assert transfers.max() <= 0.5 * energy * (1.0 + slack)
    edges = np.geomspace(cut, 0.5 * energy, 41)
    assert_distributed(
        np.clip(transfers, edges[0], edges[-1]), edges, bin_probabilities(lambda t: density(t, energy), edges)
    )
    assert blocks < 1.5


@pytest.mark.parametrize(("energy", "cut"), CASES)
@pytest.mark.parametrize("first", EXTREME_WORDS)
def test_extreme_uniforms_stay_between_the_limits(energy, cut, first):
    transfer, used = scripted(sample_moller, [(first, 0, first, 0)])(np.float32(energy), np.float32(cut), None, 0)
    assert used == 1
    assert transfer == pytest.approx(cut if first == 0 else 0.5 * energy, rel=1e-5)


@pytest.mark.parametrize("energy", [0.02, 0.1, 0.511, 1.0, 3.0])
def test_energy_and_momentum_are_conserved_in_every_direction(energy):
    for fraction in (1e-4, 0.01, 0.1, 0.3, 0.499, 0.5):
        transfer = np.float32(fraction * energy)
        fast, slow = moller_deflections(np.float32(energy), transfer)
        assert 0.0 <= fast <= slow <= 2.0
        assert momentum_error(energy, transfer) < 2e-6


def test_mean_transfer_is_what_the_stopping_power_lacks():
    from mcdose.electron_data import collision_stopping_power, moller_cross_section
    from mcdose.media import medium

    water, energy, cut = medium("water"), 1.3, 0.1
    transfers, _ = knock_ons(sample_moller, energy, cut)
    above = collision_stopping_power(water, energy) - collision_stopping_power(water, energy, cut)
    assert_mean(transfers, above / moller_cross_section(water, energy, cut))
