"""Nuclide data: the spectrum against theory, closed forms and independent tables; activity to decays."""

import hashlib
import importlib.util
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mcdose.nuclides import activity_to_tia, local_deposition_constant, nuclide, nuclides

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("MCDOSE_TEST_DATA", ROOT.parent / "shared"))


@pytest.fixture(scope="module")
def y90():
    return nuclide("Y-90")


@pytest.fixture(scope="module")
def fermi():
    """The tool that computes the spectrum, imported by its path."""
    pytest.importorskip("scipy")
    spec = importlib.util.spec_from_file_location("make_beta_spectrum", ROOT / "tools" / "make_beta_spectrum.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def cumulative(spectrum, energy):
    """Cumulative probability, by integration over a grid that holds all nodes of the piecewise linear density."""
    nodes = np.union1d(spectrum.energies_mev, energy)
    density = np.interp(nodes, spectrum.energies_mev, spectrum.density_per_mev)
    integral = np.concatenate([[0.0], np.cumsum(np.diff(nodes) * (density[1:] + density[:-1]) / 2)])
    return np.interp(energy, nodes, integral)


# --- the spectrum


def test_spectrum_is_normalised_and_ends_at_the_end_point(y90):
    assert y90.spectrum.electrons_per_decay == pytest.approx(1.0, abs=1e-8)
    assert y90.spectrum.energies_mev[0] == 0.0
    assert y90.end_point_mev == pytest.approx(2.2785, abs=1e-9)  # ENSDF 2.2785(16)
    assert y90.spectrum.density_per_mev[-1] == 0.0
    assert (np.diff(y90.spectrum.energies_mev) > 0).all()
    assert (y90.spectrum.density_per_mev[:-1] > 0).all()


def test_mean_energy_agrees_with_ensdf(y90):
    assert y90.mean_electron_energy_mev == pytest.approx(0.9324, abs=0.001)


def test_mean_energy_is_the_integral_of_the_spectrum(y90):
    energy = np.linspace(0.0, y90.end_point_mev, 200_001)
    density = np.interp(energy, *y90.spectrum)
    assert y90.mean_electron_energy_mev == pytest.approx(np.trapezoid(energy * density, energy), rel=1e-7)


def test_spectrum_is_smooth(y90):
    """No jump between neighbouring 5 keV steps: a failed integration at one energy would show."""
    energy, density = y90.spectrum
    even = slice(np.searchsorted(energy, 0.02), np.searchsorted(energy, 2.2))
    assert np.abs(np.diff(density[even], 3)).max() < 1e-4


@pytest.mark.parametrize(
    ("file", "scale", "mean_mev", "band"),
    [("y90_used_for_egsnrc.csv", 1.0, 0.933881, 0.0015), ("y90_used_for_penelope.csv", 1e-3, 0.927338, 0.0045)],
)
def test_spectrum_agrees_with_the_reference_tables(y90, file, scale, mean_mev, band):
    """Cumulative distributions differ by no more than the other approximations account for (docs/beta_spectrum.md)."""
    path = SHARED / "reference" / "spectra" / file
    if not path.exists():
        pytest.skip(f"needs {file} in ../shared/reference/spectra (or $MCDOSE_TEST_DATA)")
    rows = [line for line in path.read_text().splitlines() if line[:1].isdigit()]
    low, high, probability = np.loadtxt(rows, delimiter=",", unpack=True) * np.array([[scale], [scale], [1.0]])
    assert (probability * (low + high) / 2).sum() == pytest.approx(mean_mev, abs=1e-6)  # the file is what it says
    edges = np.append(low, high[-1])
    theirs = np.append(0.0, np.cumsum(probability))
    assert np.abs(cumulative(y90.spectrum, edges) - theirs).max() < band


def test_local_deposition_constant(y90):
    assert local_deposition_constant(0.9324, 64.1 * 3600) == pytest.approx(49.73, abs=0.005)  # closed form, published
    assert local_deposition_constant(0.9267, 2.6684 * 86400) == pytest.approx(49.38, abs=0.005)  # DDEP
    assert local_deposition_constant(0.9336, 64.1 * 3600) == pytest.approx(49.80, abs=0.005)
    assert y90.gy_kg_per_gbq == pytest.approx(49.73, abs=0.06)  # 0.9324 +- 0.001 MeV
    assert y90.half_life_s == 230_760.0  # 64.1 h
    assert set(y90.evaluations.values()) == {0.9324, 0.9329, 0.9336, 0.9267}


def test_nuclide_cannot_be_changed(y90):
    with pytest.raises(ValueError, match="read-only"):
        y90.spectrum.density_per_mev[0] = 1.0
    with pytest.raises(TypeError):
        y90.evaluations["mine"] = 1.0
    with pytest.raises(AttributeError):
        y90.half_life_s = 1.0


@pytest.mark.parametrize("file", ["y90_beta_spectrum.csv", "Y-90.toml"])
def test_data_are_those_of_sources(file):
    folder = ROOT / "mcdose" / "data"
    row = next(line for line in (folder / "SOURCES.md").read_text("utf-8").splitlines() if f"`nuclides/{file}`" in line)
    assert hashlib.sha256((folder / "nuclides" / file).read_bytes()).hexdigest() in row


# --- sampling by the inverse of the cumulative distribution


@pytest.mark.parametrize(("cells", "tolerance"), [(1024, 1e-4), (4096, 1e-5)])
def test_inverse_cdf_keeps_the_mean(y90, cells, tolerance):
    quantiles = y90.spectrum.inverse_cdf(cells)
    assert quantiles.shape == (cells + 1,)
    assert quantiles[0] == 0.0
    assert quantiles[-1] == y90.end_point_mev
    assert (np.diff(quantiles) > 0).all()
    sampled_mean = (quantiles[1:] + quantiles[:-1]).mean() / 2  # of linear interpolation at a uniform number
    assert sampled_mean == pytest.approx(y90.mean_electron_energy_mev, rel=tolerance)


def test_inverse_cdf_inverts_the_cumulative_distribution(y90):
    for cells in (1, 7, 1000):
        probability = cumulative(y90.spectrum, y90.spectrum.inverse_cdf(cells))
        assert np.abs(probability - np.arange(cells + 1) / cells).max() < 1e-9


def test_sampling_reproduces_the_histogram(y90):
    """Chi-square of 4e5 samples in 40 bins; fails by chance once in 1e4 seeds, and the seed is fixed."""
    quantiles = y90.spectrum.inverse_cdf(4096)
    place = np.random.default_rng(90).random(400_000) * 4096
    cell = place.astype(int)
    energy = quantiles[cell] + (place - cell) * (quantiles[cell + 1] - quantiles[cell])
    edges = np.linspace(0.0, y90.end_point_mev, 41)
    counts, _ = np.histogram(energy, edges)
    expected = np.diff(cumulative(y90.spectrum, edges)) * len(energy)
    assert ((counts - expected) ** 2 / expected).sum() < 80.1  # 39 degrees of freedom, 1e-4
    z = (energy.mean() - y90.mean_electron_energy_mev) / (energy.std() / math.sqrt(len(energy)))
    assert abs(z) < 3.9


def test_inverse_cdf_needs_a_cell(y90):
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        y90.spectrum.inverse_cdf(0)


# --- the theory behind it


def test_waves_of_a_point_nucleus_are_the_closed_form(fermi):
    """F0 L0 and F1 L1 of a point nucleus without screening, Behrens and Buhring 1982; only g_-k and f_k count."""
    energy = np.array([0.005, 0.05, 0.5, 2.0])
    momentum = np.sqrt((1 + energy / fermi.ELECTRON_MASS) ** 2 - 1)
    alpha = fermi.amplitudes(fermi.Atom(electrons=0, radius=0.0), energy)
    # the wave starts as r^gamma with unit coefficient, so its amplitude is that of the leading power
    first = alpha[-1] ** 2 + alpha[1] ** 2
    second = 9 * (alpha[-2] ** 2 + alpha[2] ** 2) / momentum**2
    np.testing.assert_allclose(first, fermi.point_coulomb_factor(40, energy, 1), rtol=2e-6)
    np.testing.assert_allclose(second, fermi.point_coulomb_factor(40, energy, 2), rtol=2e-6)


def test_waves_without_charge_are_free(fermi):
    f0l0, lambda2 = fermi.coulomb_factors(fermi.Atom(charge=0, electrons=0), np.array([0.01, 1.0]))
    np.testing.assert_allclose(f0l0, 1.0, rtol=1e-8)
    np.testing.assert_allclose(lambda2, 1.0, rtol=1e-8)


def test_waves_of_the_atom_against_an_independent_integrator(fermi):
    """kappa = -2 at 20 keV by scipy's DOP853 and spherical Bessel functions, the potential written out anew."""
    from scipy.integrate import solve_ivp
    from scipy.special import spherical_jn, spherical_yn

    kinetic, z_alpha = 0.02, 40 * 7.2973525643e-3
    radius = math.sqrt(5 / 3) * 4.2694 / 386.15926
    length = 0.88534 / 7.2973525643e-3 * 40 ** (-1 / 3)
    total = 1 + kinetic / 0.51099895
    p = math.sqrt(total**2 - 1)

    def potential(r):
        phi = sum(a * math.exp(-b * r / length) for a, b in ((0.10, 6.0), (0.55, 1.2), (0.35, 0.3)))
        nucleus = (3 - (r / radius) ** 2) / (2 * radius) if r < radius else 1 / r
        return z_alpha * ((1 - phi) / r - nucleus)

    def slope(r, wave):
        depth = potential(r)
        return [2 / r * wave[0] + (total + 1 - depth) * wave[1], -2 / r * wave[1] - (total - 1 - depth) * wave[0]]

    r = radius * 1e-3
    large = p * r**2 / 3
    wave = [large, -(total - 1 - potential(r)) * large * r / 5]
    for start, stop in ((r, radius), (radius, 10.0), (10.0, 1800.0)):
        wave = solve_ivp(slope, (start, stop), wave, method="DOP853", rtol=1e-9, atol=1e-30).y[:, -1]
    upper = math.sqrt((total + 1) / (2 * total)) * p * 1800.0
    lower = -math.sqrt((total - 1) / (2 * total)) * p * 1800.0
    x = p * 1800.0
    waves = [
        [upper * spherical_jn(1, x), upper * spherical_yn(1, x)],
        [lower * spherical_jn(2, x), lower * spherical_yn(2, x)],
    ]
    amplitude = 1 / np.hypot(*np.linalg.solve(waves, wave)) / p  # the tool's are divided by p
    ours = fermi.amplitudes(fermi.Atom(), np.array([kinetic]))[-2][0]
    assert ours == pytest.approx(amplitude, rel=1e-5)


def test_shipped_table_is_what_the_tool_computes(fermi, y90):
    energy = np.array([0.1, 0.3, 0.6, 1.0, 1.5, 2.0])
    shape = fermi.shape(fermi.Atom(), energy)
    shipped = np.interp(energy, *y90.spectrum)
    np.testing.assert_allclose(shape / shape[3], shipped / shipped[3], rtol=2e-5)


# --- names


@pytest.mark.parametrize("spelling", ["Y-90", "Y90", "90Y", "y-90", "90-y", " Y 90 "])
def test_spellings(spelling):
    assert nuclide(spelling) is nuclide("Y-90")


def test_list_of_names():
    assert "Y-90" in nuclides()
    assert all(nuclide(name).name == name for name in nuclides())


@pytest.mark.parametrize("name", ["Xx-1", "Y-91", "", "Y9-0x"])
def test_unknown_nuclide_lists_the_known_ones(name):
    with pytest.raises(ValueError, match=r"nuclide must be one of .*Y-90.*, got "):
        nuclide(name)


def test_nuclide_must_be_a_name():
    with pytest.raises(TypeError, match="got int"):
        nuclide(90)


def test_sheet_says_the_figures(y90):
    sheet = str(y90)
    for figure in ("Y-90", "64.1 h", "932.", "2278.5 keV", "49.7", "ENSDF", "DDEP", "source:"):
        assert figure in sheet


def test_heavy_libraries_stay_out():
    heavy = "{'scipy', 'numba', 'h5py'} & set(sys.modules)"
    code = f"import sys; from mcdose.nuclides import nuclide; nuclide('Y-90'); print({heavy})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


# --- activity to decays


def test_activity_to_tia_closed_form():
    assert activity_to_tia(1e9) == pytest.approx(1e9 * 64.1 * 3600 / math.log(2), rel=1e-14)
    assert activity_to_tia(1e9, "Y-90", half_life_s=64.04 * 3600) == pytest.approx(1e9 * 64.04 * 3600 / math.log(2))
    assert activity_to_tia(0) == 0.0
    assert isinstance(activity_to_tia(np.float32(3.0)), float)


def test_activity_to_tia_by_integration():
    seconds = np.linspace(0.0, 40 * 64.1 * 3600, 400_001)
    decays = np.trapezoid(2.0 * 0.5 ** (seconds / (64.1 * 3600)), seconds)
    assert activity_to_tia(2.0) == pytest.approx(decays, rel=1e-6)


@pytest.mark.parametrize(
    ("dtype", "expected"), [(np.float32, np.float32), (np.float64, np.float64), (np.int32, np.float64)]
)
def test_activity_to_tia_of_an_array(dtype, expected):
    activity = np.arange(24, dtype=dtype).reshape(2, 3, 4)
    before = activity.copy()
    tia = activity_to_tia(activity)
    assert tia.shape == (2, 3, 4)
    assert tia.dtype == expected
    np.testing.assert_allclose(tia, before * (64.1 * 3600 / math.log(2)), rtol=1e-6)
    np.testing.assert_array_equal(activity, before)
    assert activity_to_tia(np.zeros((0, 2, 2))).shape == (0, 2, 2)


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf, np.array([1.0, -2.0]), np.array([1.0, np.nan])])
def test_activity_must_be_finite_and_not_negative(wrong):
    with pytest.raises(ValueError, match=r"activity_bq must be finite and not negative, got (-|nan|inf)"):
        activity_to_tia(wrong)


@pytest.mark.parametrize("wrong", ["1e9", 1j, None, np.array([True])])
def test_activity_must_be_numbers(wrong):
    with pytest.raises(TypeError, match="activity_bq must be real numbers"):
        activity_to_tia(wrong)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_half_life_must_be_positive(wrong):
    with pytest.raises(ValueError, match="half_life_s must be positive and finite, got"):
        activity_to_tia(1.0, half_life_s=wrong)


def test_activity_to_tia_of_an_unknown_nuclide():
    with pytest.raises(ValueError, match="nuclide must be one of"):
        activity_to_tia(1.0, "Xx-1", half_life_s=1.0)
