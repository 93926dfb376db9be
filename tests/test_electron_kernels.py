"""Kernels composed of mono-energetic ones: exact where the answer is known, and what the direct run gives."""

import numpy as np
import pytest

import mcdose
from mcdose.electron_kernels import ElectronKernels

GRID = np.geomspace(0.01, 3.0, 25)


def scaled_shape(x):
    """Return a made-up fraction of the energy within x ranges."""
    x = np.minimum(x, 1.0)
    return 1.5 * x - 0.5 * x**3


def made_up(shells=240):
    """Return kernels of one shape in units of a range of E^1.5 mm: composing them has an answer by quadrature."""
    edges = np.outer(GRID**1.5, np.linspace(0.0, 1.2, shells + 1))
    fraction = np.diff(np.tile(scaled_shape(np.linspace(0.0, 1.2, shells + 1)), (GRID.size, 1)), axis=1)
    energy = GRID[:, None] * fraction
    deviations = 0.01 * energy[:, None] * np.array([1.0, -1.0])[:, None]
    return ElectronKernels(GRID, edges, energy, 0.01 * energy, deviations, "water", 1.0, 7, {"mcdose": "0", "seed": 0})


@pytest.fixture(scope="module")
def library():
    return mcdose.load_kernel("electron/water/point")


def test_citations():
    """A spectrum of one's own has no source that mcdose could name."""
    kernels = made_up()
    assert "Y-90: beta spectrum" in mcdose.citations(kernels.compose("Y-90"))
    assert "Lu-177: " in mcdose.citations(kernels.compose("Lu-177"))
    for text in (mcdose.citations(kernels), mcdose.citations(kernels.compose(([0.1, 0.2], [1.0, 1.0])))):
        assert "random hinge" in text
        assert "water: " in text
        assert "Y-90" not in text


def test_an_energy_of_the_grid_is_its_kernel():
    kernels = made_up()
    kernel = kernels.compose(float(GRID[7]))
    np.testing.assert_allclose(kernel.shell_edges_mm, kernels.shell_edges_mm[7], rtol=1e-12)
    np.testing.assert_allclose(kernel.energy_mev, kernels.energy_mev[7], atol=1e-12)
    np.testing.assert_allclose(kernel.deviations_mev, kernels.deviations_mev[7], atol=1e-12)
    assert kernel.emitted_mev == pytest.approx(GRID[7])


@pytest.mark.parametrize("energy", [0.0107, 0.5, 2.9])
def test_energies_between_those_of_the_grid(energy):
    kernel = made_up().compose(energy, shell_edges_mm=energy**1.5 * np.linspace(0.0, 1.1, 12))
    expected = energy * np.diff(scaled_shape(np.linspace(0.0, 1.1, 12)))
    np.testing.assert_allclose(kernel.energy_mev, expected, atol=2e-5 * energy)


def test_a_spectrum_is_the_sum_over_its_energies():
    """A triangle from 0 to 2 MeV: the energy within r is the integral of N(E) E F(r / E^1.5), by quadrature."""
    energies, density = np.array([0.0, 0.5, 2.0]), np.array([0.0, 3.0, 0.0])
    edges = np.linspace(0.0, 3.0, 31)
    kernel = made_up().compose((energies, density), shell_edges_mm=edges)
    points, weights = np.polynomial.legendre.leggauss(4000)
    energy = 1.0 + points
    number = weights * np.interp(energy, energies, density) / 3.0
    within = (number * energy * scaled_shape(edges[:, None] / energy**1.5)).sum(axis=1)
    assert kernel.emitted_mev == pytest.approx(2.5 / 3.0, rel=1e-9)
    np.testing.assert_allclose(kernel.energy_mev, np.diff(within), atol=2e-5)
    assert kernel.energy_mev.sum() == pytest.approx(kernel.emitted_mev, rel=1e-9)
    np.testing.assert_allclose(kernel.standard_error_mev, 0.01 * np.sqrt(2.0) * kernel.energy_mev, atol=1e-12)


def test_density_shortens():
    plain = made_up().compose(1.0)
    dense = made_up().compose(1.0, density_g_cm3=2.0)
    np.testing.assert_allclose(dense.shell_edges_mm, plain.shell_edges_mm / 2.0, rtol=1e-12)
    np.testing.assert_allclose(dense.energy_mev, plain.energy_mev, atol=1e-12)


def test_unit_and_height_of_a_density_do_not_matter():
    energies = np.linspace(0.1, 1.0, 10)
    a = made_up().compose((energies, np.ones(10)))
    b = made_up().compose((energies.tolist(), [5e7] * 10))
    np.testing.assert_allclose(a.energy_mev, b.energy_mev, atol=1e-14)


def test_y90_from_the_library_is_y90_simulated(library):
    """Every 0.1 mm shell to 10 mm within 0.3 % of the maximum and 4 sigma; X50, X90 within 0.1 %."""
    direct = mcdose.load_kernel("Y-90/water/point")
    composed = library.compose("Y-90", shell_edges_mm=direct.shell_edges_mm)
    assert composed.source == "Y-90"
    assert composed.emitted_mev == pytest.approx(direct.emitted_mev, rel=1e-5)
    difference = np.abs(composed.energy_mev - direct.energy_mev)[:100]
    error = np.hypot(composed.standard_error_mev, direct.standard_error_mev)[:100]
    assert (difference < 0.003 * direct.energy_mev.max() + 4.0 * error).all()
    for fraction in (0.5, 0.9):
        assert composed.radius_containing(fraction) == pytest.approx(direct.radius_containing(fraction), rel=1e-3)
    beyond = direct.shell_edges_mm[:-1] >= 12.0
    assert composed.energy_mev[beyond].sum() == pytest.approx(direct.energy_mev[beyond].sum(), rel=0.02)


def test_voxels_of_a_composed_kernel(library):
    """It is a point kernel like any other; the self value of 3 mm is that of the library's own kernel."""
    composed = library.compose("Y-90")
    values = mcdose.voxel_kernel("Y-90", point_kernel=composed).values
    assert values.max() == pytest.approx(mcdose.voxel_kernel("Y-90").values.max(), rel=2e-3)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (5.0, "source must be an energy of 0.01 to 3 MeV, got 5.0"),
        (0.001, "source must be an energy of 0.01 to 3 MeV, got 0.001"),
        (([0.1, 3.5], [1.0, 1.0]), "must ascend within 0 and 3 MeV, got 0.1 to 3.5"),
        (([1.0, 0.5], [1.0, 1.0]), "must ascend within 0 and 3 MeV"),
        (([0.1, 0.2], [1.0, -1.0]), "must be at least 0 and not all 0"),
        (([0.1, 0.2], [0.0, 0.0]), "must be at least 0 and not all 0"),
        (([0.1, float("nan")], [1.0, 1.0]), "must ascend within"),
        (([0.1, 0.2, 0.3], [1.0, 1.0]), "energies and densities of one length"),
        (1 << 40, "source must be an energy of 0.01 to 3 MeV"),
        ("Xx-1", "Xx-1"),
    ],
)
def test_bad_sources(source, message):
    with pytest.raises(ValueError, match=message):
        made_up().compose(source)


@pytest.mark.parametrize("source", [True, None, ([0.1, 0.2],), np.array([1.0]), ("a", "b"), b"Y-90"])
def test_sources_of_a_wrong_kind(source):
    with pytest.raises((TypeError, ValueError), match="must be"):
        made_up().compose(source)


@pytest.mark.parametrize("source", [1, np.float32(1.0), np.int64(1)])
def test_an_energy_may_be_any_number(source):
    np.testing.assert_array_equal(made_up().compose(source).energy_mev, made_up().compose(1.0).energy_mev)


@pytest.mark.parametrize(
    "spectrum",
    [
        ([0.0, 3.0], [0.0, 1.0]),
        ([0.5, 0.501], [1.0, 1.0]),
        ([0.0, 1.0, 1.0 + 1e-9, 2.0], [0.0, 0.0, 1.0, 0.0]),
        ([0.0, 0.005], [1.0, 1.0]),
    ],
)
def test_no_energy_is_lost(spectrum):
    """From nothing at zero energy, within one interval of the grid, a step, all below the lowest energy."""
    kernel = made_up().compose(spectrum)
    energies, density = np.array(spectrum)
    fine = np.union1d(np.linspace(energies[0], energies[-1], 200_001), energies)
    weight = np.interp(fine, energies, density)
    assert kernel.emitted_mev == pytest.approx(np.trapezoid(fine * weight, fine) / np.trapezoid(weight, fine), rel=1e-6)
    assert kernel.energy_mev.sum() == pytest.approx(kernel.emitted_mev, rel=1e-9)
    assert kernel.energy_mev.min() >= 0.0


def test_bad_shells_and_density():
    with pytest.raises(ValueError, match=r"shell_edges_mm must be at most .* mm, as far as the kernels go, got 5000"):
        made_up().compose(1.0, shell_edges_mm=[0.0, 5000.0])
    with pytest.raises(ValueError, match="shell_edges_mm must ascend from 0"):
        made_up().compose(1.0, shell_edges_mm=[1.0, 2.0])
    with pytest.raises(ValueError, match="density_g_cm3 must lie within 1e-06 and 25"):
        made_up().compose(1.0, density_g_cm3=-1.0)


@pytest.mark.parametrize("name", ["Lu-177", "Re-186", "Sr-89"])
def test_a_kernel_of_betas_is_not_called_the_nuclide(name):
    """Lu-177 has lines, Re-186 has 0.93 betas a decay, Sr-89 a rare gamma: no kernel of betas is theirs."""
    kernel = made_up().compose(name)
    assert kernel.source == f"{name}, betas only"
    with pytest.raises(ValueError, match=f"point_kernel must be of {name} in water, got {name}, betas only in water"):
        mcdose.voxel_kernel(name, point_kernel=kernel)


@pytest.mark.parametrize("name", ["Y-90", "P-32"])
def test_a_kernel_of_betas_alone_is_the_nuclide(name):
    assert made_up().compose(name).source == name


@pytest.mark.parametrize("name", ["Tc-99m", "F-18"])
def test_nothing_to_compose_without_betas(name):
    with pytest.raises(ValueError, match=f"source must emit betas, which are all that is composed, got {name}"):
        made_up().compose(name)
