"""Local deposition against its closed form."""

import numpy as np
import pytest

import mcdose

SHAPE = (3, 4, 5)
VOXEL = (2.0, 3.0, 5.0)
VOXEL_KG_PER_DENSITY = 0.2 * 0.3 * 0.5 * 1e-3  # kg for 1 g/cm3
MEAN_MEV = mcdose.nuclide("Y-90").mean_electron_energy_mev
JOULE = 1.602176634e-13


@pytest.fixture
def tia():
    return np.random.default_rng(1).uniform(0.0, 1e9, SHAPE)


def local(tia, **named):
    return mcdose.absorbed_dose(tia, VOXEL, method="local-deposition", **named)


def test_water_is_energy_over_mass(tia):
    result = local(tia)
    np.testing.assert_allclose(result.dose_gy, tia * MEAN_MEV * JOULE / VOXEL_KG_PER_DENSITY, rtol=1e-6)
    assert result.dose_gy.dtype == np.float32
    assert result.dose_gy.flags.c_contiguous
    assert result.relative_uncertainty is None
    assert (result.method, result.device, result.seed, result.histories) == ("local-deposition", "cpu", None, 0)
    assert (result.emitted_mev, result.deposited_mev, result.escaped_mev, result.histories_per_second) == (None,) * 4
    assert result.total_decays == pytest.approx(tia.sum(), rel=1e-12)
    assert not result.cancelled
    assert result.warnings == ()


def test_density_scaling(tia):
    """ "target": mass of the voxel's density; "none": mass of the medium's own density."""
    density = np.random.default_rng(2).uniform(0.2, 2.0, SHAPE)
    index = np.random.default_rng(3).integers(0, 2, SHAPE)
    energy = tia * MEAN_MEV * JOULE / VOXEL_KG_PER_DENSITY
    media = {"medium": index, "media": ["lung", "cortical-bone"]}
    np.testing.assert_allclose(local(tia, density_g_cm3=density, **media).dose_gy, energy / density, rtol=1e-6)
    np.testing.assert_allclose(
        local(tia, density_g_cm3=density, density_scaling="none", **media).dose_gy,
        energy / np.where(index == 0, 0.26, 1.92),
        rtol=1e-6,
    )
    np.testing.assert_allclose(local(tia, **media).dose_gy, energy / np.where(index == 0, 0.26, 1.92), rtol=1e-6)


def test_users_constant(tia):
    """dose * mass = constant * activity, activity = decays * ln 2 / half-life: 50 Gy kg/GBq and 64.1 h."""
    result = local(tia, gy_kg_per_gbq=50.0)
    activity_gbq = tia * np.log(2.0) / (64.1 * 3600.0) / 1e9
    np.testing.assert_allclose(result.dose_gy, 50.0 * activity_gbq / VOXEL_KG_PER_DENSITY, rtol=1e-6)
    assert result.provenance["gy_kg_per_gbq"] == 50.0


def test_floor_and_its_warning(tia):
    """Trap: energy over a tiny mass. Below the floor there is no dose, and the decays that lie there are told."""
    density = np.ones(SHAPE)
    density[0] = 0.0012
    density[1, 0, 0] = 0.0
    density[2, 0, 0] = 0.05  # at the floor: reported
    result = local(tia, density_g_cm3=density)
    assert not result.dose_gy[0].any()
    assert result.dose_gy[1, 0, 0] == 0.0
    assert result.dose_gy[2, 0, 0] == pytest.approx(
        tia[2, 0, 0] * MEAN_MEV * JOULE / VOXEL_KG_PER_DENSITY / 0.05, rel=1e-6
    )
    (warning,) = result.warnings
    part = 100.0 * (tia[0].sum() + tia[1, 0, 0]) / tia.sum()
    assert f"{part:.3g} %" in warning
    assert "0.05 g/cm3" in warning


def test_vacuum_without_a_floor(tia):
    """A voxel of no mass has no dose, even where every other voxel reports one."""
    density = np.ones(SHAPE)
    density[1] = 0.0
    result = local(tia, density_g_cm3=density, density_floor_g_cm3=0.0, regions={"all": np.ones(SHAPE)})
    assert np.isfinite(result.dose_gy).all()
    assert not result.dose_gy[1].any()
    assert result.regions["all"].mean_gy == pytest.approx(result.dose_gy[[0, 2]].mean(), rel=1e-6)


def test_regions_are_weighted_means_above_the_floor(tia):
    coverage = np.random.default_rng(4).random(SHAPE)
    density = np.ones(SHAPE)
    density[0] = 0.01
    result = local(tia, density_g_cm3=density, regions={"part": coverage, "box": coverage > 0.5})
    dose = result.dose_gy.astype(float)
    assert result.regions["part"].mean_gy == pytest.approx(np.average(dose[1:], weights=coverage[1:]), rel=1e-6)
    assert result.regions["box"].mean_gy == pytest.approx(dose[1:][coverage[1:] > 0.5].mean(), rel=1e-6)
    assert result.regions["part"].standard_error_gy is None
    assert result.regions["part"].relative_uncertainty is None


def test_liver_constant_is_that_of_the_textbook():
    """1 GBq in 1 kg: 49.73 Gy with 932.4 keV and 64.1 h; 49.38 to 50 are in use."""
    tia = np.full((10, 10, 10), mcdose.activity_to_tia(1e9) / 1000.0)
    dose = mcdose.absorbed_dose(tia, (10.0, 10.0, 10.0), method="local-deposition").dose_gy
    np.testing.assert_allclose(dose, 49.73, rtol=1e-3)


def test_dose_to_water_is_a_factor_of_the_medium(tia):
    """Water stays; bone takes the ratio of stopping powers, which is above 1."""
    index = np.zeros(SHAPE, int)
    index[1:] = 1
    media = {"medium": index, "media": ["water", "cortical-bone"]}
    ratio = local(tia, dose_to_water=True, **media).dose_gy / local(tia, **media).dose_gy
    np.testing.assert_allclose(ratio[0], 1.0, rtol=1e-6)
    assert np.ptp(ratio[1:]) < 1e-6
    assert 1.05 < ratio[1, 0, 0] < 1.20
