"""Microspheres: numbers in print, decay in closed form."""

import math

import pytest

from mcdose import sirt


def spheres_per_mg(device, diameter_um):
    return 1.0 / (device.density_g_cm3 * 1e3 * math.pi / 6.0 * (diameter_um * 1e-4) ** 3)


def test_glass_has_the_spheres_per_mg_of_the_package_insert():
    """TheraSphere package insert (USA, version 12): 20 to 30 um, 22 000 to 73 000 spheres in each mg."""
    glass = sirt.microsphere("glass")
    assert spheres_per_mg(glass, glass.diameter_um[2]) == pytest.approx(22_000, rel=0.03)
    assert spheres_per_mg(glass, glass.diameter_um[0]) == pytest.approx(73_000, rel=0.03)


def test_number_of_spheres_in_3_gbq():
    """Sangro et al., Hepat. Oncol. 1 (2014) 265, table 3: 1.2 million of glass, 40 to 80 million of resin."""
    assert sirt.deliver(sirt.microsphere("glass"), calibration_gbq=3.0).spheres == pytest.approx(1.2e6)
    assert 40e6 <= sirt.deliver(sirt.microsphere("resin"), calibration_gbq=3.0).spheres <= 80e6


@pytest.mark.parametrize("name", ["glass", "resin", "holmium"])
def test_one_half_life_halves_the_activity_and_no_sphere(name):
    device = sirt.microsphere(name)
    hours = device.half_life_s / 3600.0
    found = sirt.deliver(device, calibration_gbq=4.0, hours=hours, residual=0.1)
    assert found.injection_gbq == pytest.approx(2.0)
    assert (found.delivered_gbq, found.residual_gbq) == (pytest.approx(1.8), pytest.approx(0.2))
    assert found.bq_per_sphere == pytest.approx(device.usual_activity_bq / 2.0)
    assert found.spheres == pytest.approx(4e9 / device.usual_activity_bq)
    assert found.spheres_delivered * found.bq_per_sphere == pytest.approx(1.8e9)
    back = sirt.deliver(device, injection_gbq=2.0, hours=hours, residual=0.1)
    assert back.calibration_gbq == pytest.approx(4.0)
    assert back.spheres == pytest.approx(found.spheres)


def test_decay_by_hand():
    """3 GBq of Y-90, 48 h later: 3 x 2^(-48 / 64.1) = 3 x exp(-0.519051) = 1.785258 GBq; 24 h before: 3.888941 GBq."""
    glass = sirt.microsphere("glass")
    assert sirt.deliver(glass, calibration_gbq=3.0, hours=48.0).injection_gbq == pytest.approx(1.785258, abs=1e-6)
    assert sirt.deliver(glass, calibration_gbq=3.0, hours=-24.0).injection_gbq == pytest.approx(3.888941, abs=1e-6)


def test_what_the_devices_are():
    assert sirt.microspheres() == ("glass", "holmium", "resin")
    half_lives = [sirt.microsphere(name).half_life_s / 3600.0 for name in sirt.microspheres()]
    assert half_lives == [pytest.approx(64.1), pytest.approx(26.8), pytest.approx(64.1)]
    for name in sirt.microspheres():
        device = sirt.microsphere(name)
        assert device.name == name
        assert device.activity_per_sphere_bq[0] <= device.usual_activity_bq <= device.activity_per_sphere_bq[2]
        assert device.diameter_um[0] < device.diameter_um[1] < device.diameter_um[2]
        assert device.sources


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({}, "one of injection_gbq and calibration_gbq must be given"),
        ({"injection_gbq": 1.0, "calibration_gbq": 1.0}, "one of injection_gbq and calibration_gbq must be given"),
        ({"injection_gbq": 0.0}, "injection_gbq must be above 0"),
        ({"injection_gbq": 1.0, "hours": 1e5}, "hours must be from -2000 to 2000"),
        ({"injection_gbq": 1.0, "residual": 1.0}, "residual must be a fraction from 0 to below 1"),
        ({"injection_gbq": 1.0, "bq_per_sphere": 0.0}, "bq_per_sphere must be above 0"),
    ],
)
def test_deliveries_that_cannot_be_are_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        sirt.deliver(sirt.microsphere("glass"), **choices)


def test_an_unknown_device_is_refused_with_the_list():
    with pytest.raises(ValueError, match="device must be one of glass, holmium, resin; got 'wax'"):
        sirt.microsphere("wax")
