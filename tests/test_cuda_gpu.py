"""What only a GPU can show. Skipped, and says so, where no CUDA device works."""

import gc
import subprocess
import sys

import numpy as np
import pytest
from history_rows import SEED, SIDE, case, rows_on_cpu, share_that_agrees
from scipy import stats

import mcdose
from mcdose.engine.cuda_devices import why_not, working_gpus

pytestmark = [
    pytest.mark.cuda,
    pytest.mark.skipif(not working_gpus(), reason=f"no CUDA device works: {why_not().text}"),
]

# Set before any run on a GPU. Between two compilations for one CPU, with and without contraction, all of 50 000
# histories in water and 99.998 % in three media agree in every voxel; a GPU has another logarithm too.
AGREEING_FLOOR = 0.995
HISTORIES = 20_000
WORLD = {"voxel_mm": (3.0, 3.0, 3.0), "medium": "liver", "seed": 5}


def tia(side=40):
    """Return a map with a hot ball and a cold background."""
    z, y, x = np.indices((side,) * 3) - side // 2
    return np.where(z**2 + y**2 + x**2 < (side // 5) ** 2, 1e9, 1e7)


def rows_on_gpu(histories, *of):
    """Return what `history_rows.rows_on_cpu` does, from the device."""
    import cupy

    from mcdose.engine import cuda_kernels
    from mcdose.engine.cuda_arrays import launch, on_device, to_device
    from mcdose.engine.work import ACCOUNT
    from mcdose.transport.score import FAULTS

    with on_device(working_gpus()[0].number):
        problem = [to_device(part) for part in case(*of)]
        energies = cupy.zeros((histories, SIDE**3), np.int64)
        faults = cupy.zeros((histories, FAULTS), np.int64)
        accounts = cupy.zeros((histories, ACCOUNT), np.int64)
        firsts, counts = cupy.arange(histories, dtype=np.uint64), cupy.ones(histories, np.int64)
        launch(
            cuda_kernels.transport_rows, histories, 32, SEED, firsts, counts, *problem, energies, faults, accounts
        )  # fmt: skip
        assert not faults.get().any()
        return energies.get(), accounts.get()


@pytest.mark.parametrize(
    "of",
    [
        ("water", "Y-90", 0.3),
        ("mixed", "Y-90", 0.3),
        ("mixed", "Tc-99m", 2.0),
        ("mixed", "I-131", 2.0),
        ("mixed", "Ga-68", 1.0),  # positrons, in flight too
        ("mixed", "Ac-225", 1.0),  # alphas stay
    ],
    ids=lambda of: f"{of[0]} {of[1]}",
)
def test_history_by_history(of, record_property):
    """The same decay draws the same numbers: energies agree in every voxel but for roundings that grew."""
    one, account = rows_on_gpu(HISTORIES, *of)
    other, account_cpu = rows_on_cpu(HISTORIES, *of)
    share = share_that_agrees(one, other)
    record_property("share within 1e-4 MeV in every voxel", share)
    assert (one.sum(axis=1) + account[:, 1] == account[:, 0]).all()
    emitted = np.abs(account[:, 0] - account_cpu[:, 0]) <= 1e-6 * 2**32
    assert emitted.all()
    assert share >= AGREEING_FLOOR
    # those that do not agree differ without a bias
    differing = np.abs(one - other).max(axis=1) > 1e-4 * 2**32
    differences = (one - other)[differing].sum(axis=1) / 2**32
    if differences.size > 10:
        assert stats.ttest_1samp(differences, 0.0).pvalue > 1e-4


@pytest.fixture(scope="module")
def plain():
    """A run that others must equal."""
    regions = {"ball": tia() > 1e8, "all": np.ones((40,) * 3)}
    return mcdose.absorbed_dose(tia(), device="cuda", histories=3_000_000, regions=regions, **WORLD)


def test_energy_balance_and_no_faults(plain):
    quanta = plain.energy_quanta
    assert quanta["emitted"] == quanta["deposited"] + quanta["escaped"]
    assert plain.emitted_mev / plain.histories == pytest.approx(0.9325, rel=2e-3)
    assert quanta["dropped"] == 0
    assert not any(fault.count for fault in plain.faults.values())
    assert plain.histories == 3_000_000
    assert plain.device.startswith("cuda:")


@pytest.mark.parametrize(
    ("blocks", "room"), [(4, 0.125), (1, 0.125), (16, 1.0), (4, 0.0), (3, 0.001)], ids=lambda value: str(value)
)
def test_the_same_bits_for_any_launch_shape(plain, monkeypatch, blocks, room):
    from mcdose.engine import cuda

    real = cuda.open_cuda
    monkeypatch.setattr(cuda, "open_cuda", lambda devices, work: real(devices, work, cuda.Shape(blocks, room)))
    again = mcdose.absorbed_dose(tia(), device="cuda", histories=3_000_000, regions={"ball": tia() > 1e8}, **WORLD)
    assert again.dose_gy.tobytes() == plain.dose_gy.tobytes()
    assert again.relative_uncertainty.tobytes() == plain.relative_uncertainty.tobytes()
    assert again.energy_quanta == plain.energy_quanta
    assert again.regions["ball"] == plain.regions["ball"]


def test_the_same_sums_from_parts_and_from_several_devices(plain):
    batch = 8 * plain.provenance["opening_batch_histories"]
    regions = {"ball": tia() > 1e8, "all": np.ones((40,) * 3)}
    parts = [
        mcdose.absorbed_dose(tia(), device="cuda", histories=batch, regions=regions, **WORLD),
        mcdose.absorbed_dose(
            tia(), device="cuda:all", histories=3_000_000 - batch, first_history=batch, regions=regions, **WORLD
        ),
    ]  # fmt: skip
    merged = mcdose.merge(parts)
    # the maps of a merger are made on the host: their last bits may differ, the sums may not
    np.testing.assert_allclose(merged.dose_gy, plain.dose_gy, rtol=1e-6)
    np.testing.assert_allclose(merged.relative_uncertainty, plain.relative_uncertainty, rtol=1e-5)
    assert merged.energy_quanta == plain.energy_quanta


def test_agrees_with_the_cpu(plain):
    """Voxel by voxel within the errors of both, and the errors are as large."""
    cpu = mcdose.absorbed_dose(tia(), device="cpu", histories=1_000_000, **{**WORLD, "seed": 6})
    hot = tia() > 1e8
    error = np.hypot(cpu.relative_uncertainty * cpu.dose_gy, plain.relative_uncertainty * plain.dose_gy)
    pull = ((plain.dose_gy - cpu.dose_gy) / error)[hot]
    assert abs(pull.mean()) < 5.0 / np.sqrt(pull.size) * 2.0  # neighbours share histories
    assert 0.85 < pull.std() < 1.15
    ratio = plain.relative_uncertainty[hot].mean() / cpu.relative_uncertainty[hot].mean()
    assert ratio == pytest.approx(np.sqrt(1 / 3), rel=0.1)


def gold_in_the_lungs(module=np):
    """Return a world in which photons fly by blocks: lung, with a ball of water and one voxel of gold's density."""
    density = np.full((40,) * 3, 0.26)
    density[tia() > 1e8] = 1.0
    density[3, 4, 5] = 19.3
    medium = np.where(density == 0.26, 0, 1)
    return {
        "voxel_mm": (5.0, 5.0, 5.0),
        "density_g_cm3": module.asarray(density, np.float32),
        "medium": module.asarray(medium),
        "media": ["lung", "water"],
    }


def test_blocks_of_photons_are_those_of_the_host():
    import cupy

    from mcdose.parameters import TransportParameters
    from mcdose.photon_blocks import photon_blocks
    from mcdose.physics_tables import build
    from mcdose.problem import check_problem
    from mcdose.transport.world import NO_BLOCKS

    host = check_problem(tia(), **gold_in_the_lungs())
    device = check_problem(cupy.asarray(tia()), **gold_in_the_lungs(cupy))
    tables = build(host.media, host.largest_density, TransportParameters())
    blocks = photon_blocks(host, tables)
    assert blocks is not NO_BLOCKS
    assert photon_blocks(device, tables).get().tobytes() == blocks.tobytes()


@pytest.mark.parametrize("emitter", ["Tc-99m", "I-131", "Ga-68", "Ho-166"])
def test_all_emissions_agree_with_the_cpu(emitter):
    """Voxel by voxel within the errors of both, where photons fly by blocks; exact balance; any way to launch."""
    from mcdose.engine import cuda

    hot = tia() > 1e8
    z, y, x = np.indices(hot.shape) - 20
    regions = {"ball": hot, "far": z**2 + y**2 + x**2 > 14**2}  # far: by photons alone
    world = {**gold_in_the_lungs(), "nuclide": emitter, "regions": regions}
    gpu = mcdose.absorbed_dose(1e9 * hot, device="cuda", histories=4_000_000, seed=3, **world)
    quanta = gpu.energy_quanta
    assert quanta["emitted"] == quanta["deposited"] + quanta["escaped"]
    assert quanta["dropped"] == 0
    assert not any(fault.count for fault in gpu.faults.values())
    cpu = mcdose.absorbed_dose(1e9 * hot, device="cpu", histories=2_000_000, seed=4, **world)
    error = np.hypot(cpu.relative_uncertainty * cpu.dose_gy, gpu.relative_uncertainty * gpu.dose_gy)
    pull = (gpu.dose_gy - cpu.dose_gy)[hot] / error[hot]
    assert abs(pull.mean()) < 5.0 / np.sqrt(pull.size) * 2.0
    assert 0.85 < pull.std() < 1.15
    for name in regions:
        one, other = gpu.regions[name], cpu.regions[name]
        assert one.relative_uncertainty < 0.02
        assert abs(one.mean_gy - other.mean_gy) < 4.0 * np.hypot(one.standard_error_gy, other.standard_error_gy)
    real = cuda.open_cuda
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuda, "open_cuda", lambda devices, work: real(devices, work, cuda.Shape(3, 0.0)))
        again = mcdose.absorbed_dose(1e9 * hot, device="cuda", histories=4_000_000, seed=3, **world)
    assert again.dose_gy.tobytes() == gpu.dose_gy.tobytes()
    assert again.energy_quanta == quanta


@pytest.mark.parametrize("emitter", ["I-131", "Tc-99m"])
def test_convolution_in_two_scales_is_that_of_the_cpu(emitter):
    import cupy

    activity = tia(60)
    how = {"voxel_mm": (3.0, 3.0, 2.0), "nuclide": emitter, "method": "voxel-kernel"}
    cpu = mcdose.absorbed_dose(activity, device="cpu", **how).dose_gy
    resident = mcdose.absorbed_dose(cupy.asarray(activity), **how).dose_gy.get()
    np.testing.assert_allclose(resident, cpu, rtol=1e-5, atol=1e-6 * cpu.max())
    sent = mcdose.absorbed_dose(activity, device="cuda", **how).dose_gy
    assert sent.tobytes() == resident.tobytes()


def test_merges_with_the_cpu(plain):
    cpu = mcdose.absorbed_dose(tia(), device="cpu", histories=65536, first_history=2**24, **WORLD)
    gpu = mcdose.absorbed_dose(tia(), device="cuda", histories=65536, **WORLD)
    merged = mcdose.merge([cpu, gpu])
    assert merged.histories == 2 * 65536
    assert merged.energy_quanta["emitted"] == cpu.energy_quanta["emitted"] + gpu.energy_quanta["emitted"]


def test_arrays_stay_on_the_device(plain):
    import cupy

    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        result = mcdose.absorbed_dose(cupy.asarray(tia()), histories=3_000_000, **WORLD)
        assert stream.done  # finished on return
    assert isinstance(result.dose_gy, cupy.ndarray)
    assert result.dose_gy.get().tobytes() == plain.dose_gy.tobytes()
    assert result.relative_uncertainty.get().tobytes() == plain.relative_uncertainty.tobytes()


def test_words_and_checksums_are_those_of_the_host():
    import cupy

    from mcdose.checksum import checksum
    from mcdose.emission_table import emission_table
    from mcdose.nuclides import nuclide
    from mcdose.source_tables import build_source

    activity = np.random.default_rng(1).gamma(0.3, 1.0, (11, 13, 17)).astype(np.float32)
    activity[3] = 0.0
    for one, other in zip(
        build_source(cupy.asarray(activity), emission_table(nuclide("Y-90")))[:3],
        build_source(activity, emission_table(nuclide("Y-90")))[:3],
        strict=True,
    ):
        assert one.get().tobytes() == other.tobytes()
    assert checksum(cupy.asarray(activity)) == checksum(activity)


def test_an_array_on_another_device_than_the_current_one():
    import cupy

    if len(working_gpus()) < 2:
        pytest.skip("needs two GPUs")
    with cupy.cuda.Device(1):
        activity = cupy.asarray(tia())
    result = mcdose.absorbed_dose(activity, histories=10_000, **WORLD)
    assert result.device == "cuda:1"
    assert result.dose_gy.device.id == 1


def test_cancelled_after_whole_batches():
    heard = []

    def stop(done, total):
        heard.append(done)
        return len(heard) < 4

    result = mcdose.absorbed_dose(tia(), device="cuda", progress=stop, **WORLD)
    assert result.cancelled
    assert result.histories == heard[-1] > 0
    again = mcdose.absorbed_dose(tia(), device="cuda", histories=result.histories, **WORLD)
    assert again.dose_gy.tobytes() == result.dose_gy.tobytes()
    with pytest.raises(mcdose.Cancelled):
        mcdose.absorbed_dose(tia(), device="cuda", progress=lambda done, total: False, **WORLD)


def test_target_uncertainty():
    result = mcdose.absorbed_dose(tia(), device="cuda", target_uncertainty=0.01, **WORLD)
    hot = (result.dose_gy > 0.5 * np.quantile(result.dose_gy, 0.999)) & np.isfinite(result.relative_uncertainty)
    assert 0.0 < np.sqrt((result.relative_uncertainty[hot] ** 2).mean()) <= 0.0101


def test_out_of_memory_leaves_nothing(monkeypatch):
    import cupy

    from mcdose.engine import cuda

    pool = cupy.get_default_memory_pool()
    gc.collect()  # what other tests left must not be freed in between
    pool.free_all_blocks()
    before = pool.used_bytes()
    monkeypatch.setattr(cuda, "bytes_needed", lambda work, devices: 2**60)
    with pytest.raises(MemoryError, match=r"has .* GiB free, a grid of \(40, 40, 40\) voxels needs"):
        mcdose.absorbed_dose(tia(), device="cuda", histories=1000, **WORLD)
    monkeypatch.undo()
    monkeypatch.setattr(cuda, "check_memory", lambda number, work, devices: None)
    limit = pool.get_limit()
    pool.set_limit(size=before + 2**20)
    try:
        with pytest.raises(MemoryError, match="ran out of memory"):
            mcdose.absorbed_dose(tia(80), device="cuda", histories=1000, **WORLD)
        try:
            mcdose.absorbed_dose(tia(80), device="cuda", histories=1000, **WORLD)
        except MemoryError:  # nothing is left while the error is handled either: one may try a smaller grid here
            assert pool.used_bytes() <= before
    finally:
        pool.set_limit(size=limit)
    assert pool.used_bytes() <= before
    assert mcdose.absorbed_dose(tia(), device="cuda", histories=1000, **WORLD).histories == 1000


def test_a_grid_of_512(monkeypatch):
    """134 million voxels, counted in 64-bit integers; the far corner gets its dose."""
    import cupy

    if cupy.cuda.runtime.memGetInfo()[0] < 12 * 2**30:
        pytest.skip("needs 12 GiB of free device memory")
    activity = cupy.zeros((512,) * 3, np.float32)
    activity[511, 511, 511] = 1e9
    activity[0, 0, 0] = 1e9
    result = mcdose.absorbed_dose(activity, (1.0, 1.0, 1.0), histories=2_000_000, device="cuda")
    near, far = float(result.dose_gy[0, 0, 0]), float(result.dose_gy[511, 511, 511])
    assert near == pytest.approx(far, rel=0.02)
    assert result.energy_quanta["emitted"] == result.energy_quanta["deposited"] + result.energy_quanta["escaped"]


def test_point_kernel_is_that_of_the_cpu():
    gpu = mcdose.dose_point_kernel("Y-90", histories=2_000_000, device="cuda")
    library = mcdose.load_kernel("Y-90/water/point")
    assert gpu.radius_containing(0.9) == pytest.approx(library.radius_containing(0.9), rel=2e-3)
    cpu = mcdose.dose_point_kernel("Y-90", histories=200_000, device="cpu", seed=9)
    inside = cpu.shell_edges_mm[1:] < 8.0
    error = np.hypot(cpu.standard_error_mev, gpu.standard_error_mev)[inside]
    pull = (gpu.energy_mev - cpu.energy_mev)[inside] / error
    assert np.abs(pull).max() < 5.0
    assert not any(gpu.provenance["faults"].values())


@pytest.mark.parametrize("precision", ["double", "single"])
def test_convolution_is_that_of_the_cpu(precision):
    """Arrays on the device or sent there, whole or in blocks; the caller's plans of cuFFT are left alone."""
    import cupy

    activity = tia(60)
    how = {"voxel_mm": (3.0, 3.0, 2.0), "method": "voxel-kernel", "precision": precision}
    cpu = mcdose.absorbed_dose(activity, device="cpu", **how).dose_gy
    plans = cupy.fft.config.get_plan_cache().get_curr_size()
    error = 1e-6 * cpu.max()
    resident = mcdose.absorbed_dose(cupy.asarray(activity), **how)
    assert resident.device.startswith("cuda:")
    np.testing.assert_allclose(resident.dose_gy.get(), cpu, rtol=1e-5, atol=error)
    sent = mcdose.absorbed_dose(activity, device="cuda", max_memory=60_000_000, **how)
    np.testing.assert_allclose(sent.dose_gy, cpu, rtol=1e-5, atol=error)
    assert cupy.fft.config.get_plan_cache().get_curr_size() == plans
    again = mcdose.absorbed_dose(cupy.asarray(activity), **how)
    assert again.dose_gy.get().tobytes() == resident.dose_gy.get().tobytes()


def test_convolution_out_of_memory_leaves_nothing():
    import cupy

    pool = cupy.get_default_memory_pool()
    activity = cupy.asarray(tia(80))
    how = {"voxel_mm": (3.0, 3.0, 3.0), "method": "voxel-kernel"}
    first = mcdose.absorbed_dose(activity, **how)
    del first
    gc.collect()
    pool.free_all_blocks()
    before, limit = pool.used_bytes(), pool.get_limit()
    pool.set_limit(size=before + 2**24)
    try:
        with pytest.raises(MemoryError, match="ran out of memory"):
            mcdose.absorbed_dose(activity, **how)
    finally:
        pool.set_limit(size=limit)
    gc.collect()  # of what the error's traceback saw
    assert pool.used_bytes() <= before
    assert mcdose.absorbed_dose(activity, **how).dose_gy.any()


def test_several_threads_of_python(plain):
    """Runs at the same time, each from a thread of its own, are those of one after the other."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(3) as pool:
        runs = list(
            pool.map(lambda _: mcdose.absorbed_dose(tia(), device="cuda", histories=3_000_000, **WORLD), range(3))
        )
    assert all(run.dose_gy.tobytes() == plain.dose_gy.tobytes() for run in runs)


def test_compiled_code_is_kept():
    """A second process loads the kernels instead of compiling them."""
    script = (
        "import numpy as np, mcdose; from mcdose.engine import cuda_kernels as k;"
        "mcdose.absorbed_dose(np.ones((4, 4, 4)), (3, 3, 3), histories=1000, device='cuda');"
        "print(sum(k.transport.stats.cache_misses.values()), sum(k.transport.stats.cache_hits.values()))"
    )
    runs = [subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True) for _ in "ab"]
    assert runs[1].stdout.split() == ["0", "1"]
