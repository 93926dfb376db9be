"""Near and far kernels of nuclides whose photons count, against the convolution in one scale."""

import numpy as np
import pytest

import mcdose
import mcdose.voxel_convolution as method
from mcdose.convolution.even_kernel import EvenKernel
from mcdose.kernel_pair import _even, kernel_pair, sharpened, smooth_part
from mcdose.reach import photon_fraction

VOXEL = (3.0, 4.0, 3.5)
SHAPE = (56, 50, 52)
TISSUE = mcdose.medium("soft-tissue")


def pair_of(nuclide, voxel=VOXEL, shape=SHAPE, medium=TISSUE, density=None):
    density = density or medium.density_g_cm3
    return kernel_pair(mcdose.nuclide(nuclide), medium, density, voxel, shape, simulate=None)


def convolved(tia, nuclide, voxel=VOXEL, **named):
    named = {"medium": "soft-tissue", "density_floor_g_cm3": 0.0} | named
    return mcdose.absorbed_dose(tia, voxel, nuclide=nuclide, method="voxel-kernel", device="cpu", **named).dose_gy


def in_one_scale(nuclide, medium, density_g_cm3, voxel_mm, shape, simulate):
    """All of the kernel in voxels of the grid."""
    pair = kernel_pair(nuclide, medium, density_g_cm3, voxel_mm, shape, simulate)
    edges = pair.point.shell_edges_mm * (pair.point.density_g_cm3 / density_g_cm3)
    far = _even(edges, pair.point.energy_mev, voxel_mm, tuple(size - 1 for size in shape))
    return pair._replace(near=EvenKernel(np.zeros((1, 1, 1))), far=far, merge=(1, 1, 1), smooth=True)


def test_betas_alone_are_split_as_before():
    """At the range of the electrons, with coarse voxels of half of that."""
    for nuclide in ("Y-90", "P-32", "Sr-89"):
        pair = pair_of(nuclide, medium=mcdose.medium("water"))
        assert photon_fraction(mcdose.nuclide(nuclide)) < 1e-3
        assert not pair.smooth
        assert 7.0 < pair.split_mm < 12.0


@pytest.mark.parametrize("nuclide", ["Lu-177", "I-131", "Tc-99m", "F-18", "Ho-166"])
def test_coarse_voxels_do_not_matter(monkeypatch, nuclide):
    """0.2 % of the dose anywhere, 0.05 % of that in the activity: measured 0.08 and 0.01 %."""
    tia = np.zeros(SHAPE)
    active = (slice(6, 50), slice(8, 42), slice(10, 46))
    tia[active] = np.random.default_rng(1).uniform(0.0, 1e9, (44, 34, 36))
    dose = convolved(tia, nuclide).astype(np.float64)
    pair = pair_of(nuclide)
    assert pair.smooth
    assert pair.merge == (3, 2, 3)
    monkeypatch.setattr(method, "kernel_pair", in_one_scale)
    fine = convolved(tia, nuclide).astype(np.float64)
    assert np.abs(dose / fine - 1.0).max() < 2e-3
    assert abs(dose[active].mean() / fine[active].mean() - 1.0) < 5e-4


def test_a_small_grid_has_no_coarse_voxels():
    pair = pair_of("Tc-99m", shape=(48, 20, 60))
    assert pair.merge == (1, 1, 3)
    assert pair_of("Tc-99m", shape=(1, 2, 3)).merge == (1, 1, 1)
    assert convolved(np.ones((1, 2, 3)), "Tc-99m").min() > 0.0


def test_split_is_beyond_the_electrons():
    """In lung at 0.26 g/cm3 those of Ho-166 go 35 mm, twelve voxels of 1 mm are 12."""
    lung = mcdose.medium("lung")
    point = mcdose.load_kernel("Ho-166/water/point")
    edges = point.shell_edges_mm / 0.26
    assert pair_of("Ho-166", (1.0, 1.0, 1.0), (60, 60, 60)).split_mm >= 12.0
    from mcdose.reach import electron_reach_mm

    assert 30.0 < electron_reach_mm(mcdose.nuclide("Ho-166"), lung, 0.26) < 36.0
    smooth = smooth_part(edges, point.energy_mev, 36.0)
    assert smooth[edges[1:] < 8.0].sum() < 1e-3 * point.energy_mev.sum()


def test_smooth_part_of_an_inverse_square():
    """Energy per length e of 1 everywhere: inside a the integral of 3 x2 - 3 x4 + x6, from a on all."""
    edges = np.linspace(0.0, 100.0, 1001)
    energy = np.full(1000, 0.1)
    part = smooth_part(edges, energy, 40.0)
    assert part[400:].tolist() == energy[400:].tolist()
    assert part[:400].sum() == pytest.approx(40.0 * (1.0 - 3.0 / 5.0 + 1.0 / 7.0), rel=1e-12)
    assert np.all(part <= energy)
    assert part[399] == pytest.approx(0.1, rel=1e-6)
    assert part[0] < 1e-5 * energy[0]
    few = energy.copy()
    few[50:60] = 0.0  # noise: never more than there is
    assert not smooth_part(edges, few, 40.0)[50:60].any()


def test_sharpening_takes_the_variance_of_coarse_voxels_off():
    places = np.arange(41.0)
    width, count = 6.0, 3
    line = np.exp(-(places**2) / 2.0 / width**2)
    sharp = sharpened(line[:, None, None] * line[None, :, None] * line, (count, 1, 1))[:, 0, 0]
    whole = 2.0 * sharp.sum() - sharp[0]
    variance = 2.0 * (sharp * places[:-1] ** 2).sum() / whole
    assert variance == pytest.approx(width**2 - (1.0 - 1.0 / count**2) / 6.0, rel=1e-6)
    assert whole == pytest.approx(2.0 * line.sum() - line[0], rel=1e-6)


@pytest.mark.parametrize("scaling", ["target", "none", "source", "multiple-kernels"])
def test_photons_beyond_the_electrons_are_not_scaled(scaling):
    """Where only the far kernel reaches, light and dense voxels get the dose of the kernel's medium."""
    shape = (60, 20, 20)
    tia = np.zeros(shape)
    tia[3:5, 8:12, 8:12] = 1e9
    density = np.full(shape, TISSUE.density_g_cm3)
    plain = convolved(tia, "I-131", (4.0, 4.0, 4.0), density_g_cm3=density)
    density[30:40], density[40:] = 0.3, 1.8
    how = {"density_g_cm3": density, "density_scaling": scaling}
    dose = convolved(tia, "I-131", (4.0, 4.0, 4.0), **how)
    np.testing.assert_allclose(dose[30:], plain[30:], rtol=1e-5)


@pytest.mark.parametrize("scaling", ["target", "source"])
def test_memory_is_bounded(scaling):
    import tracemalloc

    from mcdose.kernel_pair import _kept

    generator = np.random.default_rng(7)
    tia = generator.uniform(0.0, 1e9, SHAPE)
    how = {"density_g_cm3": generator.uniform(0.2, 2.0, SHAPE), "density_scaling": scaling, "threads": 2}
    convolved(tia[:4, :4, :4], "I-131")  # imports
    with pytest.raises(ValueError, match="max_memory must be at least") as refused:
        convolved(tia, "I-131", **how, max_memory=1)
    least = int(str(refused.value).split()[5])
    for limit in (least, 2 * least):
        _kept.clear()
        tracemalloc.start()
        try:
            convolved(tia, "I-131", **how, max_memory=limit)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < limit + 400_000  # of Python itself, and the point kernel
