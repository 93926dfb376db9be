"""Dose by convolution against sums over the kernel and the definitions of the density scalings."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import mcdose
import mcdose.voxel_convolution as method
from mcdose import known_kernel
from mcdose.coarse_voxels import Spread, merged
from mcdose.kernel_pair import _even, kernel_pair
from mcdose.kernel_pair import _kept as pairs_kept

VOXEL = (3.0, 4.0, 5.0)
SHAPE = (14, 12, 16)
VOXEL_KG_PER_DENSITY = 0.3 * 0.4 * 0.5 * 1e-3  # kg for 1 g/cm3
JOULE_PER_MEV = 1.602176634e-13
MEDIA = ["lung", "liver", "cortical-bone"]


def convolved(tia, voxel=VOXEL, **named):
    return mcdose.absorbed_dose(tia, voxel, method="voxel-kernel", device="cpu", **named)


def water_pair(voxel, shape):
    return kernel_pair(mcdose.nuclide("Y-90"), mcdose.medium("water"), 1.0, voxel, shape, simulate=None)


@pytest.fixture
def tia():
    return np.random.default_rng(1).uniform(0.0, 1e9, SHAPE)


@pytest.fixture
def tissue():
    generator = np.random.default_rng(2)
    return {
        "density_g_cm3": generator.uniform(0.2, 2.0, SHAPE),
        "medium": generator.integers(0, 3, SHAPE),
        "media": MEDIA,
    }


def test_a_hot_voxel_has_the_voxel_s_values_around_it():
    tia = np.zeros((13, 13, 13))
    tia[6, 6, 6] = 1e6  # decays: Gy are mGy/(MBq s) times 1e-3
    result = convolved(tia, (3.0, 3.0, 3.0))
    kernel = mcdose.voxel_kernel("Y-90", (3.0, 3.0, 3.0))
    middle = tuple(slice(1, 12) for _ in range(3))
    expected = kernel.values * 1e-3
    near = expected > 0.01 * expected.max()
    np.testing.assert_allclose(result.dose_gy[middle][near], expected[near], rtol=1e-4)  # bremsstrahlung is coarse
    assert result.dose_gy.dtype == np.float32
    assert result.dose_gy.flags.c_contiguous
    assert result.relative_uncertainty is None
    assert (result.method, result.device, result.seed, result.histories) == ("voxel-kernel", "cpu", None, 0)
    assert (result.emitted_mev, result.deposited_mev, result.escaped_mev) == (None, None, None)
    assert result.total_decays == 1e6
    assert result.warnings == ()


def test_energy_is_that_of_the_kernel():
    """To 1e-6: all of the near kernel, and of the far one what the offsets inside the grid hold."""
    tia = np.zeros((22, 16, 19))
    tia[9:12, 7:9, 8:12] = np.random.default_rng(3).uniform(0.0, 1e9, (3, 2, 4))
    voxel = (2.0, 2.5, 3.0)
    energy = convolved(tia, voxel).dose_gy.sum(dtype=np.float64) * 0.015e-3 / JOULE_PER_MEV
    pair = water_pair(voxel, tia.shape)
    assert pair.merge == (3, 2, 2)
    coarse = merged(tia, pair.merge)
    inside = held_by_the_grid(coarse.shape, tia.shape, pair.merge)
    held = 0.0
    for place in np.argwhere(coarse > 0.0):
        for target in np.ndindex(coarse.shape):
            held += coarse[tuple(place)] * pair.far.octant[tuple(abs(place - target))] * inside[target]
    assert energy == pytest.approx(tia.sum() * pair.near.total + held, rel=1e-6)
    shells = pair.point.energy_mev[pair.point.shell_edges_mm[1:] <= pair.split_mm * (1.0 + 1e-12)]
    assert pair.near.total == pytest.approx(shells.sum(), rel=1e-12)
    assert pair.near.total == pytest.approx(0.996 * pair.point.emitted_mev, rel=1e-3)


def test_uniform_activity_gives_energy_over_mass():
    tia = np.full((40, 40, 40), 1e9)
    result = convolved(tia, (6.0, 6.0, 6.0))
    point = mcdose.load_kernel("Y-90/water/point")
    inside = point.energy_mev[point.shell_edges_mm[1:] <= 120.0].sum()  # at least; some more comes from the corners
    dose = result.dose_gy[19:21, 19:21, 19:21].mean() * 0.216e-3 / JOULE_PER_MEV / 1e9
    assert inside < dose < point.emitted_mev


def test_scaling_by_target_and_none(tia, tissue):
    none, target = (
        convolved(tia, **tissue, density_scaling=scaling, kernel_medium="water") for scaling in ("none", "target")
    )
    np.testing.assert_allclose(target.dose_gy, none.dose_gy / tissue["density_g_cm3"], rtol=1e-5)
    water = convolved(tia)
    np.testing.assert_allclose(none.dose_gy, water.dose_gy, rtol=1e-6)
    energy = [
        float((result.dose_gy * density).sum(dtype=np.float64))
        for result, density in ((target, tissue["density_g_cm3"]), (none, 1.0))
    ]
    assert energy[0] == pytest.approx(energy[1], rel=1e-6)  # "target" keeps the energy


def test_scaling_by_source(tia, tissue):
    source = convolved(tia, **tissue, density_scaling="source", kernel_medium="liver")
    plain = convolved(tia * 1.06 / tissue["density_g_cm3"], medium="liver")
    assert mcdose.medium("liver").density_g_cm3 == 1.06
    np.testing.assert_allclose(source.dose_gy, plain.dose_gy, rtol=1e-5)


def test_kernel_of_the_targets_medium(tia, tissue):
    together = convolved(tia, **tissue, density_scaling="multiple-kernels")
    for index, name in enumerate(MEDIA):
        alone = convolved(tia, **tissue, kernel_medium=name)
        here = tissue["medium"] == index
        np.testing.assert_allclose(together.dose_gy[here], alone.dose_gy[here], rtol=1e-5)
    assert [kernel["medium"] for kernel in together.provenance["kernels"]] == MEDIA


def test_a_medium_lighter_than_the_floor_takes_the_kernel_of_the_lightest_other(tia, tissue):
    """Air's own kernel would reach for metres; where air's voxels are dense enough to report, lung is nearest."""
    tissue = tissue | {"media": ["air", "lung", "liver"]}
    result = convolved(tia, **tissue, density_scaling="multiple-kernels")
    assert [kernel["medium"] for kernel in result.provenance["kernels"]] == ["lung", "liver"]
    alone = convolved(tia, **tissue, kernel_medium="lung")
    np.testing.assert_allclose(result.dose_gy[tissue["medium"] == 0], alone.dose_gy[tissue["medium"] == 0], rtol=1e-5)


def test_medium_of_the_kernel_unless_told(tia, tissue):
    def kernel(**named):
        (one,) = convolved(tia, **named).provenance["kernels"]
        return one["medium"], one["density_g_cm3"]

    assert kernel() == ("water", 1.0)
    assert kernel(medium="lung", density_g_cm3=0.3) == ("lung", pytest.approx(0.3))
    assert kernel(medium="lung", density_g_cm3=tissue["density_g_cm3"]) == ("lung", 0.26)
    assert kernel(**tissue) == ("soft-tissue", mcdose.medium("soft-tissue").density_g_cm3)
    assert kernel(**tissue, kernel_medium="liver") == ("liver", 1.06)
    assert kernel(**(tissue | {"medium": np.ones(SHAPE, int)})) == ("liver", 1.06)


def test_density_stretches_the_kernel():
    """Fano: water of half the density in voxels twice as long takes the same energy."""
    tia = np.zeros((9, 9, 9))
    tia[4, 4, 4] = 1e12
    dense = convolved(tia, (2.0, 2.0, 2.0)).dose_gy
    thin = convolved(tia, (4.0, 4.0, 4.0), density_g_cm3=0.5).dose_gy
    np.testing.assert_allclose(thin * 4.0, dense, rtol=1e-5)


def test_precision_and_blocks(tia):
    double = convolved(tia)
    single = convolved(tia, precision="single")
    blocks = convolved(tia, max_memory=900_000)
    assert np.abs(single.dose_gy - double.dose_gy).max() < 1e-6 * double.dose_gy.max()
    assert (single.dose_gy >= 0.0).all()
    np.testing.assert_allclose(blocks.dose_gy, double.dose_gy, rtol=1e-6)
    assert convolved(tia, threads=3).dose_gy.tobytes() == convolved(tia, threads=1).dose_gy.tobytes()


@pytest.mark.parametrize("shape", [(48, 40, 44), (20, 60, 30)])
@pytest.mark.parametrize("voxel", [(6.0, 6.0, 6.0), (3.0, 3.0, 3.0)])
@pytest.mark.parametrize("scaling", ["target", "source", "multiple-kernels"])
def test_memory_of_a_call_is_bounded(shape, voxel, scaling):
    """Whatever is asked for, from the least there can be; nothing kept from before."""
    generator = np.random.default_rng(7)
    tia = generator.uniform(0.0, 1e9, shape)
    tissue = {"density_g_cm3": generator.uniform(0.2, 2.0, shape), "medium": generator.integers(0, 2, shape)}
    how = {**tissue, "media": ["lung", "liver"], "density_scaling": scaling, "threads": 2}
    convolved(tia[:4, :4, :4], voxel)  # imports
    with pytest.raises(ValueError, match="max_memory must be at least") as refused:
        convolved(tia, voxel, **how, max_memory=1)
    least = int(str(refused.value).split()[5])
    for limit in (least, 2 * least):
        pairs_kept.clear()
        tracemalloc.start()
        try:
            convolved(tia, voxel, **how, max_memory=limit)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < limit + 300_000  # of Python itself


@pytest.mark.parametrize("named", [{"medium": "air"}, {"kernel_medium": "air"}, {"density_g_cm3": 0.001}])
def test_a_kernel_reaches_no_further_than_the_grid(monkeypatch, tmp_path, named):
    """That of air would reach for ten metres, 300 GB of 3 mm voxels."""
    monkeypatch.setattr(known_kernel, "SIMULATED_HISTORIES", 4096 * 2)
    monkeypatch.setattr(known_kernel, "cache_file", lambda nuclide, medium: tmp_path / medium.name)
    result = convolved(np.full((6, 5, 4), 1e9), (3.0, 3.0, 3.0), **named, density_floor_g_cm3=0.0)
    assert np.isfinite(result.dose_gy).all()
    assert (result.dose_gy > 0.0).all()


def test_nothing_reports_a_dose():
    result = convolved(np.full((4, 4, 4), 1e9), (3.0, 3.0, 3.0), density_g_cm3=0.01)
    assert not result.dose_gy.any()
    assert result.warnings == ("100 % of the decays lie in voxels below 0.05 g/cm3, which report no dose",)


def test_says_which_medium_the_dose_is_to(tia, tissue):
    def told(**named):
        return convolved(tia, **tissue, **named).provenance["dose_to"]

    assert told() == told(density_scaling="multiple-kernels") == "medium"
    assert told(density_scaling="none") == "soft-tissue"
    assert told(density_scaling="source", kernel_medium="lung") == "lung"
    assert told(density_scaling="none", dose_to_water=True) == "water"


def test_kernel_is_simulated_as_asked(monkeypatch, tmp_path, tia):
    """On the device and with the threads of the call; once, whoever asks at the same time."""
    asked = []

    def simulated(*arguments, **named):
        asked.append(named)
        return replace(mcdose.load_kernel("Y-90/water/point"), medium="wet")

    monkeypatch.setattr(method, "dose_point_kernel", simulated)
    monkeypatch.setattr(known_kernel, "cache_file", lambda nuclide, medium: tmp_path / medium.name)
    wet = mcdose.Medium("wet", mcdose.medium("water").composition, 1.0)
    with ThreadPoolExecutor(4) as pool:
        doses = list(pool.map(lambda _: convolved(tia, medium=wet, threads=1).dose_gy.tobytes(), range(4)))
    assert asked == [{"histories": known_kernel.SIMULATED_HISTORIES, "device": "cpu", "threads": 1}]
    assert len(set(doses)) == 1


def test_dose_to_water_is_by_the_medium_that_the_dose_is_in(tia, tissue):
    ratios = mcdose.absorbed_dose(tia, VOXEL, **tissue, method="local-deposition", dose_to_water=True).dose_gy
    ratios = ratios / mcdose.absorbed_dose(tia, VOXEL, **tissue, method="local-deposition").dose_gy
    target = convolved(tia, **tissue, dose_to_water=True).dose_gy / convolved(tia, **tissue).dose_gy
    np.testing.assert_allclose(target, ratios, rtol=1e-5)
    none = {"density_scaling": "none", "kernel_medium": "lung"}
    lung = convolved(tia, **tissue, **none, dose_to_water=True).dose_gy / convolved(tia, **tissue, **none).dose_gy
    np.testing.assert_allclose(lung, ratios[tissue["medium"] == 0][0], rtol=1e-5)


def test_floor_and_regions(tia, tissue):
    tissue["density_g_cm3"][:2] = 0.01
    coverage = np.random.default_rng(5).uniform(0.0, 1.0, SHAPE)
    for scaling in ("target", "none", "source", "multiple-kernels"):
        result = convolved(tia, **tissue, density_scaling=scaling, regions={"some": coverage, "air": coverage * 0.0})
        assert not result.dose_gy[:2].any()
        assert (result.dose_gy[2:] > 0.0).all()
        mean = np.average(result.dose_gy[2:], weights=coverage[2:])
        assert result.regions["some"].mean_gy == pytest.approx(mean, rel=1e-6)
        assert result.regions["some"].standard_error_gy is None
        share = tia[:2].sum() / tia.sum()
        assert f"{100 * share:.3g} % of the decays lie in voxels below 0.05 g/cm3" in result.warnings[-1]
        assert "region 'air' has no voxel" in result.warnings[0]


@pytest.mark.parametrize(
    ("named", "error", "message"),
    [
        ({"precision": "half"}, ValueError, "precision must be one of double, single, got 'half'"),
        (
            {"density_scaling": "both"},
            ValueError,
            "density_scaling of voxel-kernel must be one of target, none, source",
        ),
        (
            {"max_memory": 1000},
            ValueError,
            r"max_memory must be at least \d+ bytes for a grid of \(14, 12, 16\) voxels, got 1000",
        ),
        ({"max_memory": 100_000}, ValueError, "max_memory must be at least"),
        ({"max_memory": 0.5}, TypeError, "max_memory must be a whole number, got 0.5"),
        ({"kernel_medium": "cheese"}, ValueError, "cheese"),
        ({"kernel_medium": "lung", "density_scaling": "multiple-kernels"}, TypeError, "kernel_medium goes with"),
        ({"kernel_medium": "lung", "method": "local-deposition"}, TypeError, "got method 'local-deposition'"),
        ({"density_scaling": "source", "method": "local-deposition"}, ValueError, "must be one of target, none, got"),
    ],
)
def test_errors(tia, named, error, message):
    with pytest.raises(error, match=message):
        mcdose.absorbed_dose(tia, VOXEL, **({"method": "voxel-kernel"} | named))


@pytest.mark.parametrize(("shape", "merge"), [((7, 9, 4), (3, 2, 1)), ((1, 5, 8), (1, 5, 3)), ((6, 6, 6), (2, 3, 6))])
def test_merging_and_spreading_keep_the_sum(shape, merge):
    values = np.random.default_rng(6).random(shape)
    coarse = merged(values, merge)
    assert coarse.sum() == pytest.approx(values.sum(), rel=1e-13)
    inside = held_by_the_grid(coarse.shape, shape, merge)
    kept = (coarse * inside).sum()
    spread = Spread(coarse.copy(), shape, merge)
    fine = np.concatenate([spread.planes(slice(k, k + 1)) for k in range(shape[0])])
    assert fine.sum() == pytest.approx(kept, rel=1e-13)
    np.testing.assert_allclose(fine, spread.planes(slice(None)), rtol=1e-14)
    even = Spread(np.full(coarse.shape, float(np.prod(merge))), shape, merge).planes(slice(None))
    np.testing.assert_allclose(even, 1.0, rtol=1e-13)


def held_by_the_grid(coarse_shape, shape, merge):
    """Part of each coarse voxel that the grid holds."""
    lines = [np.minimum(m, size - m * np.arange(c)) / m for c, size, m in zip(coarse_shape, shape, merge, strict=True)]
    return lines[0][:, None, None] * lines[1][:, None] * lines[2]


def test_merging_keeps_the_centre():
    """Of what lies between the first and the last middle of the coarse voxels."""
    shape, merge = (12, 15, 16), (3, 5, 4)
    for place in ((4, 7, 9), (1, 2, 2), (10, 12, 13)):
        values = np.zeros(shape)
        values[place] = 2.0
        coarse = merged(values, merge)
        for axis, (k, m) in enumerate(zip(place, merge, strict=True)):
            line = coarse.sum(axis=tuple(other for other in range(3) if other != axis))
            middles = (np.arange(line.size) + 0.5) * m - 0.5
            assert (line * middles).sum() / 2.0 == pytest.approx(float(k), abs=1e-12)


def test_spreading_is_linear_between_the_middles():
    """A slope along each axis comes out a slope, but for the half voxels at the ends."""
    shape, merge = (12, 8, 9), (4, 2, 3)
    for axis, size in enumerate((3, 4, 3)):
        slope = np.moveaxis(np.broadcast_to(np.arange(1.0, size + 1.0), (3, 3, size)), -1, axis)
        coarse = np.ones((3, 4, 3)) * slope[tuple(slice(0, 1) if k != axis else slice(None) for k in range(3))]
        fine = Spread(coarse * 24.0, shape, merge).planes(slice(None))
        line = np.moveaxis(fine, axis, -1)[0, 0]
        inner = slice(merge[axis] // 2, -(merge[axis] // 2) or None)
        np.testing.assert_allclose(np.diff(line[inner]), 1.0 / merge[axis], rtol=1e-12)


def test_coarse_voxels_do_not_matter(monkeypatch):
    """Bremsstrahlung in fine voxels moves no dose by more than 2e-5 of the largest."""
    tia = np.zeros((30, 30, 30))
    tia[13:17, 13:17, 13:17] = 1e9
    coarse = convolved(tia, (3.0, 3.0, 3.0)).dose_gy
    fine_pair = water_pair((3.0, 3.0, 3.0), tia.shape)
    assert fine_pair.merge == (2, 2, 2)
    edges = fine_pair.point.shell_edges_mm
    energy = np.where(edges[1:] > fine_pair.split_mm, fine_pair.point.energy_mev, 0.0)
    fine_far = fine_pair._replace(far=_even(edges, energy, (3.0, 3.0, 3.0), (29, 29, 29)), merge=(1, 1, 1))
    monkeypatch.setattr(method, "kernel_pair", lambda *arguments: fine_far)
    fine = convolved(tia, (3.0, 3.0, 3.0)).dose_gy
    assert 0.0 < np.abs(fine - coarse).max() < 2e-5 * fine.max()
    assert fine.sum(dtype=np.float64) == pytest.approx(coarse.sum(dtype=np.float64), rel=2e-5)
