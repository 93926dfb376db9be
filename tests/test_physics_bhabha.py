"""Bhabha scattering: the energy's distribution and its bound, energy and momentum on every sample."""

import numpy as np
import pytest
from draws import EXTREME_WORDS, assert_distributed, assert_mean, bin_probabilities, scripted
from knock_on import knock_ons, momentum_error

from mcdose.close_collisions import bhabha_terms, shape
from mcdose.constants import ELECTRON_MASS
from mcdose.electron_data import bhabha_cross_section, collision_stopping_power
from mcdose.media import medium
from mcdose.physics.bhabha import sample_bhabha
from mcdose.physics.moller import moller_deflections

CASES = [  # energy and cut, MeV
    (0.011, 0.01),
    (0.05, 0.01),
    (0.1001, 0.1),
    (0.3, 0.1),
    (1.0, 0.01),
    (1.0, 0.1),
    (1.9, 0.1),
    (3.0, 0.02),
]


def density(transfer, energy):
    """Bhabha's cross section in the energy transfer up to a constant, as EGS has it (SLAC-265)."""
    tau = energy / ELECTRON_MASS
    beta2 = 1.0 - 1.0 / (tau + 1.0) ** 2
    y = 1.0 / (tau + 2.0)
    b1 = 2.0 - y**2
    b2 = (1.0 - 2.0 * y) * (3.0 + y**2)
    b4 = (1.0 - 2.0 * y) ** 3
    b3 = b4 + (1.0 - 2.0 * y) ** 2
    eps = transfer / energy
    return (1.0 / (eps * beta2) - b1) / eps + b2 + eps * (eps * b4 - b3)


@pytest.mark.parametrize(("energy", "cut"), CASES)
def test_energy_of_the_knock_on_electron(energy, cut):
    transfers, blocks = knock_ons(sample_bhabha, energy, cut)
    slack = 3e-7  # float32
    assert transfers.min() >= cut * (1.0 - slack)
    assert transfers.max() <= np.float32(energy)
    edges = np.geomspace(cut, energy, 41)
    assert_distributed(
        np.clip(transfers, edges[0], edges[-1]), edges, bin_probabilities(lambda t: density(t, energy), edges)
    )
    assert blocks < 2.0


@pytest.mark.parametrize(("energy", "cut"), CASES)
@pytest.mark.parametrize("first", EXTREME_WORDS)
def test_extreme_uniforms_stay_between_the_limits(energy, cut, first):
    transfer, used = scripted(sample_bhabha, [(first, 0, first, 0)])(np.float32(energy), np.float32(cut), None, 0)
    assert used == 1
    assert transfer <= np.float32(energy)
    assert transfer == pytest.approx(cut if first == 0 else energy, rel=1e-5)


def test_shape_is_bounded_by_one_and_never_negative():
    """What the rejection needs; and it is the form of the handbooks."""
    tau = np.geomspace(1e-3, 100.0, 200)[:, None]
    eps = np.linspace(0.0, 1.0, 1001)[None, :]
    found = shape(eps, tau, 1)
    assert found.max() <= 1.0 + 1e-12
    assert found.min() > 0.0
    beta2 = 1.0 - 1.0 / (tau + 1.0) ** 2
    energy = tau * ELECTRON_MASS
    expected = density(eps[:, 1:] * energy, energy) * eps[:, 1:] ** 2 * beta2
    assert found[:, 1:] == pytest.approx(expected, rel=1e-9)


def test_terms_of_bhabha_integrate_to_the_report_of_icru():
    """F+ of ICRU Report 37 in its published form, which is not used: they are the same to rounding."""
    tau = np.array([0.01, 0.1, 1.0, 4.0, 10.0])
    beta2 = 1.0 - 1.0 / (tau + 1.0) ** 2
    y = tau + 2.0
    published = 2.0 * np.log(2.0) - beta2 / 12.0 * (23.0 + 14.0 / y + 10.0 / y**2 + 4.0 / y**3)
    b1, b2, b3, b4 = bhabha_terms(tau)
    found = 2.0 * np.log(2.0) - beta2 - b1 + b2 / 2.0 - b3 / 3.0 + b4 / 4.0
    assert found == pytest.approx(published, abs=1e-13)


@pytest.mark.parametrize("energy", [0.02, 0.1, 0.511, 1.0, 3.0])
def test_energy_and_momentum_are_conserved_in_every_direction(energy):
    """Also where the electron takes most of the energy, or all."""
    for fraction in (0.01, 0.3, 0.7, 0.99, 0.9999, 1.0):
        transfer = np.float32(fraction) * np.float32(energy)
        kept_cosine, struck_cosine = moller_deflections(np.float32(energy), transfer)
        assert 0.0 <= kept_cosine <= 2.0
        assert 0.0 <= struck_cosine <= 2.0
        assert momentum_error(energy, transfer) < 4e-6


@pytest.mark.parametrize(("energy", "cut"), [(0.3, 0.1), (1.3, 0.1), (1.9, 0.01)])
def test_mean_transfer_is_what_the_stopping_power_lacks(energy, cut):
    water = medium("water")
    transfers, _ = knock_ons(sample_bhabha, energy, cut)
    above = collision_stopping_power(water, energy, charge=1) - collision_stopping_power(water, energy, cut, 1)
    assert_mean(transfers, above / bhabha_cross_section(water, energy, cut))
