"""What stays where the decay is: by the activity, without noise, counted once."""

from dataclasses import replace

import numpy as np
import pytest

from mcdose.constants import MEV_TO_JOULE
from mcdose.dose import absorbed_dose
from mcdose.emission_table import emission_table
from mcdose.merge import merge
from mcdose.nuclides import Nuclide, nuclide
from mcdose.spectra import Spectrum

SHAPE, VOXEL_MM = (4, 5, 6), (3.0, 2.0, 4.0)
GRAMS = 0.024


def alphas_only(energy_mev=5.0):
    return Nuclide("Xx-1", 1.0, Spectrum(np.zeros(0), np.zeros(0)), {}, (), alphas=((energy_mev, 1.0),))


def activity(seed=1):
    """Decays over four orders of magnitude, and voxels without any."""
    generator = np.random.default_rng(seed)
    tia = 10.0 ** generator.uniform(0.0, 4.0, SHAPE)
    tia[generator.random(SHAPE) < 0.2] = 0.0
    return tia


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32])
def test_the_dose_of_alphas_is_that_of_the_activity(dtype):
    """Decays times 5 MeV over the mass in every voxel, however few histories there are; nothing that has an error."""
    tia = activity().astype(dtype)
    density = np.random.default_rng(2).uniform(0.3, 1.9, SHAPE)
    result = absorbed_dose(tia, VOXEL_MM, nuclide=alphas_only(), density_g_cm3=density, histories=10_000, device="cpu")
    expected = tia * 5.0 * MEV_TO_JOULE / (GRAMS * 1e-3 * density)
    np.testing.assert_allclose(result.dose_gy, expected, rtol=2e-6, atol=1e-9 * expected.max())
    assert np.isnan(result.relative_uncertainty).all()
    assert result.emitted_mev == pytest.approx(5.0 * 10_000, rel=1e-6)
    assert result.energy_quanta["emitted"] == result.energy_quanta["deposited"]


def test_regions_have_it_without_noise():
    tia = activity()
    half = np.zeros(SHAPE)
    half[1:3] = 0.5
    result = absorbed_dose(tia, VOXEL_MM, nuclide=alphas_only(), histories=10_000, regions={"half": half}, device="cpu")
    expected = (half * tia).sum() / half.sum() * 5.0 * MEV_TO_JOULE / (GRAMS * 1e-3)
    region = result.regions["half"]
    assert region.mean_gy == pytest.approx(expected, rel=1e-5)
    assert region.standard_error_gy < 1e-5 * expected


@pytest.mark.parametrize("name", ["At-211", "Tc-99m"])
def test_every_history_balances(name):
    result = absorbed_dose(activity(), VOXEL_MM, nuclide=name, histories=20_000, seed=4, device="cpu")
    quanta = result.energy_quanta
    assert quanta["emitted"] == quanta["deposited"] + quanta["escaped"]
    known = sum(nuclide(name).mean_energies_mev.values())
    per_decay = result.emitted_mev / result.histories * result.provenance["histories_per_decay"]
    assert per_decay == pytest.approx(known, rel=0.02)


def test_parts_and_threads_give_the_same_bits():
    how = {"nuclide": "Ac-225", "seed": 6, "device": "cpu"}
    whole = absorbed_dose(activity(), VOXEL_MM, histories=3 * 65536, threads=1, **how)
    parts = [
        absorbed_dose(activity(), VOXEL_MM, histories=count, first_history=first, threads=2, **how)
        for first, count in ((0, 65536), (65536, 2 * 65536))
    ]
    merged = merge(parts)
    assert merged.dose_gy.tobytes() == whole.dose_gy.tobytes()
    assert merged.energy_quanta == whole.energy_quanta


def test_the_noise_of_an_alpha_emitter_is_that_of_what_moves():
    """At-211: 98 % of the energy are alphas; what is left of the noise is a few thousandths."""
    of = nuclide("At-211")
    tia = np.ones((12, 12, 12))
    result = absorbed_dose(tia, (3.0, 3.0, 3.0), nuclide=of, histories=8_000, seed=2, device="cpu")
    drawn_one_by_one = 1.0 / np.sqrt(8_000 / tia.size)  # what the number of decays of a voxel alone would leave
    inner = result.dose_gy[3:9, 3:9, 3:9]
    assert inner.std() / inner.mean() < 0.1 * drawn_one_by_one


def test_a_source_that_hardly_emits_anything_that_moves_does_not_overflow():
    """Po-210: an alpha, and one photon in 100 000 decays. All of it in one voxel."""
    rare = replace(alphas_only(5.3), gammas=((0.803, 1.03e-5),))
    tia = np.zeros((3, 3, 3))
    tia[1, 1, 1] = 1.0
    result = absorbed_dose(tia, (3.0, 3.0, 3.0), nuclide=rare, histories=200_000, device="cpu")
    assert result.dose_gy[1, 1, 1] == pytest.approx(5.3 * MEV_TO_JOULE / 27e-6, rel=1e-4)
    assert result.provenance["histories_per_decay"] >= 5.3 / 16.0
    assert result.emitted_mev / 200_000 < 16.1


@pytest.mark.parametrize("name", ["Lu-177", "Tc-99m", "At-211"])
def test_a_voxel_in_which_nothing_that_moves_was_scored_has_no_error(name):
    """Its dose is what stays there; where something was scored the error is that of as many emissions."""
    tia = np.ones((24, 24, 24))
    tia[8:16, 8:16, 8:16] = 100.0
    result = absorbed_dose(tia, (3.0, 3.0, 3.0), nuclide=name, histories=20_000, seed=3, device="cpu")
    of = emission_table(nuclide(name), 0.01)
    alone = float(of.stays) * of.per_decay * tia * MEV_TO_JOULE / 27e-6
    untouched = result.dose_gy < alone * (1.0 + 1e-4)
    assert 0.02 < untouched.mean() < 0.9
    assert np.isnan(result.relative_uncertainty[untouched]).all()
    if name == "At-211":  # so little else moves that it can drown in the rounding of squares
        return
    gy_of_1_kev = 1e-3 * MEV_TO_JOULE / 27e-6 * tia.sum() * of.per_decay / 20_000  # left by one history
    touched = result.dose_gy > alone + gy_of_1_kev
    assert touched.mean() > 0.1
    assert np.isfinite(result.relative_uncertainty[touched]).all()
    hot = result.relative_uncertainty[9:15, 9:15, 9:15]
    assert np.isfinite(hot).mean() > 0.99
    if name == "Lu-177":
        assert 0.1 < np.nanmean(hot) < 0.6
