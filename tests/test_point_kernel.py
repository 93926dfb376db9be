"""Dose-point kernels: energy is conserved, and the figures of other codes are met within the noise of short runs."""

import numpy as np
import pytest

import mcdose
from mcdose.point_kernel import BATCH, dose_point_kernel

EDGES = np.concatenate([np.arange(0.0, 12.01, 0.5), np.geomspace(12.0, 2000.0, 20)[1:]])


@pytest.fixture(scope="module")
def y90():
    return dose_point_kernel("Y-90", shell_edges_mm=EDGES, histories=100_000, seed=3)


def test_energy_is_conserved(y90):
    """What the shells hold and what leaves the outermost one is what was started."""
    held = y90.energy_mev.sum() + y90.provenance["escaped_mev"]
    assert held == pytest.approx(y90.provenance["simulated_mean_energy_mev"], rel=1e-12)
    assert y90.emitted_mev == mcdose.nuclide("Y-90").mean_electron_energy_mev
    assert y90.provenance["simulated_mean_energy_mev"] == pytest.approx(y90.emitted_mev, abs=5 * 0.65 / np.sqrt(1e5))


def test_radii_of_half_and_ninety_percent(y90):
    """PENELOPE, EGSnrc, Geant4 (Graves 2019): 2.332 to 2.370 and 5.412 to 5.471 mm; 1 % for the noise here."""
    assert 2.332 * 0.99 < y90.radius_containing(0.5) < 2.370 * 1.01
    assert 5.412 * 0.99 < y90.radius_containing(0.9) < 5.471 * 1.01


def test_mono_energetic_electrons_against_penelope():
    """PENELOPE-2018 (PenRed), 0.5 MeV in water: X50 0.9067 mm, X90 1.4022 mm; 0.6 %, 1 % with the noise here."""
    kernel = dose_point_kernel(0.5, shell_edges_mm=np.linspace(0.0, 2.2, 111), histories=100_000)
    assert kernel.radius_containing(0.5) == pytest.approx(0.9067, rel=0.01)
    assert kernel.radius_containing(0.9) == pytest.approx(1.4022, rel=0.01)


def test_density_scales_lengths():
    """Half the density, twice the shells: the same energy in each (Fano), within the noise of independent numbers."""
    dense = dose_point_kernel("Y-90", shell_edges_mm=EDGES[:20], histories=50_000, seed=1)
    thin = dose_point_kernel("Y-90", density_g_cm3=0.5, shell_edges_mm=2 * EDGES[:20], histories=50_000, seed=2)
    error = np.hypot(dense.standard_error_mev, thin.standard_error_mev)
    assert np.abs((dense.energy_mev - thin.energy_mev) / error).max() < 4.5


def test_threads_and_splits_do_not_matter():
    one = dose_point_kernel(1.0, histories=30_000, threads=1)
    two = dose_point_kernel(1.0, histories=30_000, threads=2)
    assert one.energy_mev.tobytes() == two.energy_mev.tobytes()
    assert one.standard_error_mev.tobytes() == two.standard_error_mev.tobytes()


def test_default_shells_reach_two_metres():
    kernel = dose_point_kernel("Y-90", histories=5000)
    assert kernel.shell_edges_mm[0] == 0.0
    assert kernel.shell_edges_mm[-1] == 2000.0


def test_photons_alone_are_a_source():
    """Shells and steps are sized by the range of an electron of the photon's energy, 1.1 mm at 364 keV."""
    from validation.emissions import one_photon

    photon = one_photon(0.364489)
    kernel = dose_point_kernel(photon, histories=20_000, seed=1)
    assert 1.0 < kernel.shell_edges_mm[120] / 1.2 < 1.2
    assert kernel.emitted_mev == pytest.approx(0.364489)
    held = kernel.energy_mev.sum() + kernel.provenance["escaped_mev"]
    assert held == pytest.approx(0.364489, rel=1e-6)
    assert mcdose.voxel_kernel(photon, point_kernel=kernel).values.shape == (3, 3, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": 5.0}, "source must be a nuclide or an energy of 0.01 to 3 MeV, got 5.0"),
        ({"source": "Y-90", "shell_edges_mm": [0.0, 2.0, 1.0]}, "shell_edges_mm must ascend from 0"),
        ({"source": "Y-90", "shell_edges_mm": [1.0, 2.0]}, "shell_edges_mm must ascend from 0"),
        ({"source": "Y-90", "density_g_cm3": -1.0}, "density_g_cm3 must lie within 1e-06 and 25 g/cm3, got -1.0"),
        ({"source": "Y-90", "density_g_cm3": 1e-12}, "density_g_cm3 must lie within 1e-06 and 25 g/cm3, got 1e-12"),
        ({"source": "Y-90", "shell_edges_mm": [0.0, 1e40]}, "shell_edges_mm must be at most 1e\\+09 mm, got 1e\\+40"),
        ({"source": "Y-90", "threads": 0}, "threads must lie within 1 to 4096, got 0"),
        ({"source": "Y-90", "histories": 0}, "histories must lie within 1"),
        ({"source": "Y-91"}, "Y-91"),
        ({"source": "Y-90", "medium": "cheese"}, "cheese"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        dose_point_kernel(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": None}, "source must be a number, got None"),
        ({"source": True}, "source must be a number, got True"),
        ({"source": 1.0, "shell_edges_mm": "abc"}, "shell_edges_mm must be numbers, got 'abc'"),
        ({"source": 1.0, "density_g_cm3": "1"}, "density_g_cm3 must be a number, got '1'"),
    ],
)
def test_arguments_of_a_wrong_kind(arguments, message):
    with pytest.raises(TypeError, match=message):
        dose_point_kernel(**arguments)


def test_error_of_a_radius_is_the_spread_of_runs():
    """24 runs: the sample variance over the mean reported one, which chi-square lets vary by 30 % (1 sigma)."""
    runs = [dose_point_kernel("Y-90", shell_edges_mm=EDGES, histories=8 * BATCH, seed=seed) for seed in range(24)]
    for fraction in (0.5, 0.9):
        radii = np.array([run.radius_containing(fraction) for run in runs])
        errors = np.array([run.radius_standard_error(fraction) for run in runs])
        assert 0.35 < radii.var(ddof=1) / (errors**2).mean() < 2.2


def test_radius_out_of_reach(y90):
    with pytest.raises(ValueError, match="fraction must lie between 0 and 1"):
        y90.radius_containing(1.0)
    with pytest.raises(ValueError, match="what the shells hold"):
        y90.radius_containing(0.99999)


def test_deviations_are_those_of_the_parts():
    """Three batches run alone are the parts of the run of all three."""
    whole = dose_point_kernel(1.0, histories=3 * BATCH, seed=4)
    parts = [dose_point_kernel(1.0, histories=BATCH, first_history=k * BATCH, seed=4).energy_mev for k in range(3)]
    expected = (np.stack(parts) - whole.energy_mev) / np.sqrt(6.0)
    np.testing.assert_allclose(whole.deviations_mev, expected, rtol=1e-9, atol=1e-15)
    error = np.sqrt((whole.deviations_mev**2).sum(axis=0))
    # the squares of three batches are of sums rounded to 2^-16 MeV, which is what is left where the three are alike
    np.testing.assert_allclose(error**2, whole.standard_error_mev**2, rtol=0.1, atol=2e-11)


@pytest.mark.parametrize("histories", [BATCH + 1, BATCH + 100, 40 * BATCH])
def test_deviations_and_batches_tell_the_same_error(histories):
    """Parts of any size: the mean ratio over the shells of the core, each of which is uncertain itself."""
    kernel = dose_point_kernel(1.0, shell_edges_mm=np.linspace(0.0, 4.0, 21), histories=histories, seed=9)
    ratio = (kernel.deviations_mev**2).sum(axis=0) / kernel.standard_error_mev**2
    assert 0.6 < ratio.mean() < 1.7


def test_one_batch_has_no_error():
    kernel = dose_point_kernel(1.0, histories=BATCH)
    assert np.isnan(kernel.deviations_mev).all()
    assert np.isnan(kernel.standard_error_mev[kernel.energy_mev > 0.0]).all()


def test_stopping_keeps_the_first_batches():
    stopped = dose_point_kernel("Y-90", histories=10**9, seed=2, progress=lambda done, total: done < 5 * BATCH)
    short = dose_point_kernel("Y-90", histories=5 * BATCH, seed=2)
    assert stopped.histories == 5 * BATCH
    assert stopped.cancelled
    assert not short.cancelled
    assert stopped.energy_mev.tobytes() == short.energy_mev.tobytes()
    assert stopped.standard_error_mev.tobytes() == short.standard_error_mev.tobytes()
    assert stopped.deviations_mev.tobytes() == short.deviations_mev.tobytes()


@pytest.mark.parametrize("energy", [0.01, 0.03, 3.0])
def test_ends_of_the_energies(energy):
    """All of the energy is in the shells and what left them, and nearly all of it within the CSDA range."""
    kernel = dose_point_kernel(energy, histories=20_000)
    assert kernel.energy_mev.sum() + kernel.provenance["escaped_mev"] == pytest.approx(energy, rel=1e-6)
    inside = kernel.energy_mev[kernel.shell_edges_mm[1:] <= kernel.shell_edges_mm[100] * 1.0001].sum()
    assert 0.97 * energy < inside < energy


def test_cancelling(y90):
    with pytest.raises(mcdose.Cancelled):
        dose_point_kernel("Y-90", histories=5000, progress=lambda done, total: False)


def test_citations_of_kernels(y90):
    text = mcdose.citations(y90)
    assert "random hinge" in text
    assert "Y-90: beta spectrum" in text
    assert "water: " in text
