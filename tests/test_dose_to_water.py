"""Dose to water from dose to medium: restricted stopping-power ratios."""

import numpy as np
import pytest

import mcdose
from mcdose.stopping_ratio import water_to_medium

MEDIA = ("water", "lung", "adipose", "cortical-bone", "soft-tissue")
ELECTRON_MEV = 0.51099895


def bethe(medium, energy):
    """Mass collision stopping power of electrons in arbitrary units (ICRU Report 37, Eq. 2.1).

    Without the density effect, which moves the ratio of two condensed media by less than 1.5 % below 1 MeV.
    """
    tau = energy / ELECTRON_MEV
    excitation = medium.mean_excitation_energy_ev * 1e-6 / ELECTRON_MEV
    beta_squared = tau * (tau + 2.0) / (tau + 1.0) ** 2
    shape = 1.0 - beta_squared + (tau**2 / 8.0 - (2.0 * tau + 1.0) * np.log(2.0)) / (tau + 1.0) ** 2
    return medium.z_over_a / beta_squared * (np.log(tau**2 * (tau + 2.0) / 2.0) - 2.0 * np.log(excitation) + shape)


def test_water_is_one():
    assert water_to_medium((mcdose.medium("water"),), mcdose.nuclide("Y-90"), 0.1)[0] == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", MEDIA[1:])
def test_ratio_is_that_of_bethes_formula(name):
    ratio = water_to_medium((mcdose.medium(name),), mcdose.nuclide("Y-90"), 0.1)[0]
    expected = bethe(mcdose.medium("water"), 0.5) / bethe(mcdose.medium(name), 0.5)
    assert ratio == pytest.approx(expected, rel=0.015)


def test_cut_hardly_matters():
    """Restricted ratios differ little from unrestricted ones: both logarithms lose the same."""
    bone = (mcdose.medium("cortical-bone"),)
    assert water_to_medium(bone, mcdose.nuclide("Y-90"), 0.02)[0] == pytest.approx(
        water_to_medium(bone, mcdose.nuclide("Y-90"), 1.0)[0], rel=0.01
    )


def test_histories_are_the_same_and_only_the_factor_differs():
    tia = np.ones((4, 4, 4))
    index = np.zeros((4, 4, 4), np.uint8)
    index[2:] = 1
    arguments = {
        "medium": index,
        "media": ["water", "cortical-bone"],
        "histories": 20_000,
        "regions": {"bone": index == 1},
    }
    medium = mcdose.absorbed_dose(tia, (3, 3, 3), **arguments)
    water = mcdose.absorbed_dose(tia, (3, 3, 3), dose_to_water=True, **arguments)
    factor = water_to_medium((mcdose.medium("cortical-bone"),), mcdose.nuclide("Y-90"), 0.1)[0]
    np.testing.assert_array_equal(water.dose_gy[:2], medium.dose_gy[:2])
    np.testing.assert_allclose(water.dose_gy[2:], medium.dose_gy[2:] * factor, rtol=1e-6)
    np.testing.assert_array_equal(water.relative_uncertainty, medium.relative_uncertainty)
    assert water.energy_quanta == medium.energy_quanta
    assert water.regions["bone"].mean_gy == pytest.approx(medium.regions["bone"].mean_gy * factor)
    assert water.regions["bone"].relative_uncertainty == pytest.approx(medium.regions["bone"].relative_uncertainty)
    assert (medium.provenance["dose_to"], water.provenance["dose_to"]) == ("medium", "water")
    with pytest.raises(ValueError, match="same inputs"):
        mcdose.merge([water, mcdose.absorbed_dose(tia, (3, 3, 3), first_history=20_480, **arguments)])
