"""The Monte Carlo call: balance, units, inputs of every kind, regions, targets, progress and cancelling."""

import signal
import threading

import numpy as np
import pytest

import mcdose
from mcdose.calibration import SCHNEIDER

GY_PER_MEV_PER_G = 1.602176634e-10
WATER_3MM = (3.0, 3.0, 3.0)


def random_tia(shape, seed=1):
    """Whole numbers, so that their sum is exact whatever the dtype."""
    return np.random.default_rng(seed).integers(1, 1000, shape).astype(np.float64)


def same(one, other):
    """Tell whether two results agree bit for bit, regions and integers included."""
    return (
        one.dose_gy.tobytes() == other.dose_gy.tobytes()
        and one.relative_uncertainty.tobytes() == other.relative_uncertainty.tobytes()
        and one.energy_quanta == other.energy_quanta
        and one.histories == other.histories
        and repr(one.regions) == repr(other.regions)
    )


def left_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("mcdose")]


WORLDS = {
    "water": {},
    "air slab, dense voxel": {
        "density_g_cm3": np.concatenate([np.full((2, 5, 5), 1.0), np.full((2, 5, 5), 0.0012), np.full((3, 5, 5), 1.0)]),
        "medium": np.concatenate([np.zeros((2, 5, 5), int), np.ones((2, 5, 5), int), np.zeros((3, 5, 5), int)]),
        "media": ["water", "air", "cortical-bone"],
    },
    "lung": {"medium": "lung"},
}
WORLDS["air slab, dense voxel"]["density_g_cm3"][5, 2, 2] = 19.0
WORLDS["air slab, dense voxel"]["medium"][5, 2, 2] = 2


@pytest.mark.parametrize("world", WORLDS)
def test_balance_is_exact_and_the_dose_holds_it(world):
    """Trap: exact balance, escaped tallied on its own; dose times mass is the deposited energy."""
    tia = random_tia((7, 5, 5))
    result = mcdose.absorbed_dose(tia, (2.0, 3.0, 4.0), histories=30_000, density_floor_g_cm3=0.0, **WORLDS[world])
    quanta = result.energy_quanta
    assert all(type(value) is int for value in quanta.values())
    assert quanta["emitted"] == quanta["deposited"] + quanta["escaped"]
    assert quanta["escaped"] > 0
    assert quanta["dropped"] == 0
    assert result.emitted_mev == quanta["emitted"] / 2**32

    named = mcdose.medium("lung" if world == "lung" else "water").density_g_cm3
    mass_g = np.broadcast_to(WORLDS[world].get("density_g_cm3", named), tia.shape) * 0.2 * 0.3 * 0.4
    mev = (result.dose_gy.astype(float) * mass_g).sum() / GY_PER_MEV_PER_G * result.histories / result.total_decays
    assert mev == pytest.approx(result.deposited_mev, rel=1e-6)


def test_emitted_energy_is_that_of_the_spectrum():
    result = mcdose.absorbed_dose(np.ones((3, 3, 3)), WATER_3MM, histories=100_000)
    spectrum = mcdose.nuclide("Y-90").spectrum
    energy, density = spectrum.energies_mev, spectrum.density_per_mev
    mean = spectrum.mean_energy_mev
    sigma = np.sqrt((np.trapezoid(density * energy**2, energy) - mean**2) / 100_000)
    assert abs(result.emitted_mev / 100_000 - mean) < 4.0 * sigma  # false alarm 6e-5


def test_uniform_source_gives_energy_over_mass_at_the_centre():
    """At the middle of 105 mm of water, E/m times 0.997: a sanity check, the validation case is sharper."""
    tia = np.full((21, 21, 21), 1e6)
    middle = np.zeros(tia.shape)
    middle[7:14, 7:14, 7:14] = 1.0
    result = mcdose.absorbed_dose(tia, (5.0, 5.0, 5.0), histories=800_000, regions={"middle": middle, "voxel": middle})
    expected = 0.997 * 1e6 * mcdose.nuclide("Y-90").mean_electron_energy_mev * GY_PER_MEV_PER_G / 0.125
    region = result.regions["middle"]
    assert region.standard_error_gy < 0.01 * expected
    assert abs(region.mean_gy - expected) < 3.0 * region.standard_error_gy
    centre = result.dose_gy[10, 10, 10]
    assert abs(centre - expected) < 3.0 * result.relative_uncertainty[10, 10, 10] * centre


def test_result_says_what_it_is():
    tia = random_tia((3, 4, 5))
    result = mcdose.absorbed_dose(tia, WATER_3MM, histories=10_000, seed=7, threads=1)
    assert result.dose_gy.shape == result.relative_uncertainty.shape == (3, 4, 5)
    assert result.dose_gy.dtype == result.relative_uncertainty.dtype == np.float32
    assert result.dose_gy.flags.c_contiguous
    assert result.relative_uncertainty.flags.c_contiguous
    assert (result.method, result.device, result.seed, result.histories) == ("monte-carlo", "cpu", 7, 10_000)
    assert result.total_decays == tia.sum()
    assert result.histories_per_second == pytest.approx(10_000 / result.seconds)
    assert not result.cancelled
    assert result.voxel_mm == WATER_3MM
    assert result.provenance["dose_to"] == "medium"
    text = mcdose.citations(result)
    assert "ESTAR" in text
    assert mcdose.__version__ in text


def test_provenance_is_plain_json():
    import json

    result = mcdose.absorbed_dose(np.ones((2, 2, 2)), WATER_3MM, histories=np.int64(5000), seed=np.uint64(1))
    assert json.loads(json.dumps(result.provenance)) == result.provenance


def test_one_batch_has_no_uncertainty_and_says_so():
    result = mcdose.absorbed_dose(np.ones((2, 2, 2)), WATER_3MM, histories=1000)
    assert np.isnan(result.relative_uncertainty).all()
    assert (result.dose_gy > 0.0).all()
    (warning,) = result.warnings
    assert "one batch" in warning
    assert str(result.provenance["opening_batch_histories"]) in warning


# Inputs of every kind


@pytest.mark.parametrize(
    "kind",
    ["float64", "float32", "int32", "uint16", ">f8", ">i4", "Fortran", "strided", "reversed", "read-only", "list"],
)
def test_layout_and_dtype_of_inputs_do_not_matter(kind):
    """The same values in any memory give the same bits, and no input is modified."""
    tia = random_tia((5, 4, 6))
    density = np.where(random_tia((5, 4, 6), 2) > 500.0, 2.0, 1.0)
    index = (density > 1.5).astype(np.uint8)

    def laid_out(array):
        if kind == "Fortran":
            return np.asfortranarray(array)
        if kind == "strided":
            wide = np.zeros((5, 4, 12), array.dtype)
            wide[:, :, ::2] = array
            return wide[:, :, ::2]
        if kind == "reversed":
            return array[::-1].copy()[::-1]
        if kind == "read-only":
            array = array.copy()
            array.flags.writeable = False
            return array
        if kind == "list":
            return array.tolist()
        return array.astype(kind) if array.dtype.kind == "f" else array

    arguments = {"histories": 10_000, "media": ["water", "cortical-bone"]}
    plain = mcdose.absorbed_dose(
        tia.astype(np.float32), WATER_3MM, density_g_cm3=density.astype(np.float32), medium=index, **arguments
    )
    given = [laid_out(array) for array in (tia, density, index)]
    before = [np.array(array) for array in given]
    other = mcdose.absorbed_dose(given[0], WATER_3MM, density_g_cm3=given[1], medium=np.asarray(given[2]), **arguments)
    assert same(plain, other)
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_equivalent_ways_to_say_the_same_world():
    """Scalar or array density, a name, an index, or a medium of one's own: the same bits."""
    tia = random_tia((4, 4, 4))
    water = mcdose.medium("water")
    own = mcdose.Medium("mine", {"H": 0.111894, "O": 0.888106}, 1.0, 75.0)
    index = np.random.default_rng(1).integers(0, 2, tia.shape)
    results = [
        mcdose.absorbed_dose(tia, WATER_3MM, histories=10_000, **world)
        for world in (
            {"density_g_cm3": 1.04},
            {"density_g_cm3": np.full(tia.shape, 1.04)},
            {"density_g_cm3": 1.04, "medium": water},
            {"density_g_cm3": 1.04, "medium": own},
            {"density_g_cm3": 1.04, "medium": index, "media": ["water", "water"]},
            {"density_g_cm3": 1.04, "medium": index, "media": [own, "water"]},
        )
    ]
    assert all(same(results[0], other) for other in results[1:])
    assert "mine: composition of the user" in mcdose.citations(results[3])
    assert results[3].provenance["media"][0]["composition"] == own.composition


def test_ct_numbers_are_density_and_medium():
    """Trap: the -3024 padding of a CT is air outside the body."""
    tia = random_tia((4, 5, 6))
    hu = np.random.default_rng(2).choice([-3024, -1000, -700, -80, 40, 300, 1200], tia.shape).astype(np.int16)
    arguments = {"histories": 20_000}
    by_ct = mcdose.absorbed_dose(tia, WATER_3MM, ct_hu=hu, **arguments)
    by_hand = mcdose.absorbed_dose(
        tia,
        WATER_3MM,
        density_g_cm3=SCHNEIDER.density(hu),
        medium=SCHNEIDER.medium_index(hu),
        media=SCHNEIDER.media,
        **arguments,
    )
    assert same(by_ct, by_hand)
    assert not by_ct.dose_gy[hu <= -1000].any()
    own = mcdose.Calibration((-1000, 1000), (1.0, 1.0), (), ("water",))
    assert same(
        mcdose.absorbed_dose(tia, WATER_3MM, ct_hu=hu, calibration=own, **arguments),
        mcdose.absorbed_dose(tia, WATER_3MM, **arguments),
    )


def test_axes_are_z_y_x():
    """A hot voxel of 2 x 3 x 5 mm: turning grid and voxel turns the dose; near neighbours get more than far ones."""
    tia = np.zeros((5, 5, 5))
    tia[2, 2, 2] = 1.0
    along_z = mcdose.absorbed_dose(tia, (2.0, 3.0, 5.0), histories=100_000)
    along_x = mcdose.absorbed_dose(tia, (5.0, 3.0, 2.0), histories=100_000, seed=1)
    turned = along_x.dose_gy.transpose(2, 1, 0), along_x.relative_uncertainty.transpose(2, 1, 0)
    near = (slice(1, 4),) * 3
    difference = along_z.dose_gy[near] - turned[0][near]
    sigma = np.hypot(along_z.dose_gy * along_z.relative_uncertainty, turned[0] * turned[1])[near]
    assert (np.abs(difference) < 4.5 * sigma).all()  # 27 voxels: false alarm 2e-4
    assert (along_z.relative_uncertainty[near] < 0.15).all()
    dose = along_z.dose_gy
    assert dose[1, 2, 2] > 1.3 * dose[2, 1, 2] > 1.3 * 1.3 * dose[2, 2, 1]


def test_dose_follows_the_density_of_each_voxel():
    """A hot voxel twice as dense holds nearly twice the mass but not twice the energy: its dose falls."""
    tia = np.zeros((5, 5, 5))
    tia[2, 2, 2] = 1.0
    density = np.ones(tia.shape)
    light = mcdose.absorbed_dose(tia, WATER_3MM, density_g_cm3=density, histories=30_000)
    density[2, 2, 2] = 2.0
    dense = mcdose.absorbed_dose(tia, WATER_3MM, density_g_cm3=density, histories=30_000)
    ratio = dense.dose_gy[2, 2, 2] / light.dose_gy[2, 2, 2]
    assert 0.5 < ratio < 0.9


def test_vacuum_passes_energy_on():
    """Voxels of no density: nothing stays, and no flight hangs in them."""
    tia = np.zeros((9, 5, 5))
    tia[0] = 1.0
    density = np.ones(tia.shape)
    density[1:8] = 0.0
    result = mcdose.absorbed_dose(tia, WATER_3MM, density_g_cm3=density, histories=20_000, density_floor_g_cm3=0.0)
    assert not result.dose_gy[1:8].any()
    assert np.isnan(result.relative_uncertainty[1:8]).all()
    assert (result.dose_gy[8] > 0.0).all()
    mass_g = 0.027
    dense = result.dose_gy[[0, 8]].astype(float).sum() * mass_g / GY_PER_MEV_PER_G * 20_000 / result.total_decays
    assert dense == pytest.approx(result.deposited_mev, rel=1e-5)

    nothing = mcdose.absorbed_dose(tia, WATER_3MM, density_g_cm3=np.zeros(tia.shape), histories=5000)
    assert nothing.energy_quanta["emitted"] == nothing.energy_quanta["escaped"] + nothing.energy_quanta["deposited"]
    assert nothing.escaped_mev == pytest.approx(nothing.emitted_mev, rel=1e-6)
    assert not nothing.dose_gy.any()


def test_air_at_the_skin_does_not_blow_up():
    """Trap: energy over a tiny mass. Below the floor no dose and no error is reported; the energy is in the balance."""
    tia = np.zeros((6, 5, 5))
    tia[:3] = 1.0
    density = np.where(np.arange(6)[:, None, None] < 3, 1.0, 0.0012) * np.ones(tia.shape)
    density[5, 0, 0] = 0.05
    regions = {"body": density > 0.5, "all": np.ones(tia.shape)}
    floored = mcdose.absorbed_dose(tia, WATER_3MM, density_g_cm3=density, histories=50_000, regions=regions)
    every = mcdose.absorbed_dose(tia, WATER_3MM, density_g_cm3=density, histories=50_000, density_floor_g_cm3=0.0)
    air = density < 0.05
    assert not floored.dose_gy[air].any()
    assert np.isnan(floored.relative_uncertainty[air]).all()
    assert every.dose_gy[air].max() > 0.2 * every.dose_gy[~air].max()  # what the floor is for
    np.testing.assert_array_equal(floored.dose_gy[~air], every.dose_gy[~air])
    assert floored.dose_gy[5, 0, 0] > 0.0  # at the floor, not below it
    assert floored.energy_quanta == every.energy_quanta
    assert floored.regions["all"].mean_gy == pytest.approx(floored.dose_gy[~air].mean(), rel=1e-5)


def test_floor_is_the_same_for_map_and_region():
    """0.26 is not a float32: a voxel at the floor counts in both."""
    tia = np.ones((3, 3, 3))
    for method in ("monte-carlo", "local-deposition"):
        result = mcdose.absorbed_dose(
            tia, WATER_3MM, medium="lung", density_floor_g_cm3=0.26, method=method, histories=5000, regions={"all": tia}
        )
        assert (result.dose_gy > 0.0).all()
        assert result.regions["all"].mean_gy == pytest.approx(result.dose_gy.mean(), rel=1e-5)


# Regions


def test_region_is_the_weighted_mean_of_the_map():
    tia = random_tia((5, 5, 5))
    coverage = np.random.default_rng(3).random(tia.shape)
    density = np.random.default_rng(4).uniform(0.3, 1.5, tia.shape)
    regions = {"coverage": coverage, "mask": coverage > 0.7, "one voxel": coverage == coverage.max()}
    result = mcdose.absorbed_dose(tia, WATER_3MM, density_g_cm3=density, histories=30_000, regions=regions)
    for name, weights in regions.items():
        mean = np.average(result.dose_gy.astype(float), weights=weights)
        assert result.regions[name].mean_gy == pytest.approx(mean, rel=1e-6)
    voxel = np.unravel_index(coverage.argmax(), coverage.shape)
    assert result.regions["one voxel"].relative_uncertainty == pytest.approx(
        result.relative_uncertainty[voxel], rel=1e-4
    )


# Targets


def judged_uncertainty(result, density=1.0):
    """Return the quantity of the contract from the returned maps."""
    dose = np.where(np.broadcast_to(density, result.dose_gy.shape) > 0.1, result.dose_gy, 0.0)
    chosen = dose > 0.5 * np.percentile(dose, 99.9, method="lower")
    return np.sqrt((result.relative_uncertainty[chosen].astype(float) ** 2).mean())


@pytest.mark.parametrize("density", [1.0, np.linspace(0.06, 1.2, 343).reshape(7, 7, 7)])
def test_target_uncertainty_is_reached_at_a_batch_end(density):
    tia = random_tia((7, 7, 7))
    result = mcdose.absorbed_dose(tia, WATER_3MM, density_g_cm3=density, target_uncertainty=0.08)
    batch = result.provenance["opening_batch_histories"]
    assert judged_uncertainty(result, density) <= 0.08
    assert result.histories % batch == 0
    assert result.histories >= 8 * batch
    assert not result.cancelled
    if result.histories > 10 * batch:  # the test comes round every tenth: a tenth fewer would not have done
        fewer = mcdose.absorbed_dose(tia, WATER_3MM, density_g_cm3=density, histories=int(result.histories * 0.8))
        assert judged_uncertainty(fewer, density) > 0.08
    # Looking at the sums changes nothing in them.
    assert same(result, mcdose.absorbed_dose(tia, WATER_3MM, density_g_cm3=density, histories=result.histories))


def test_whichever_comes_first():
    tia = random_tia((5, 5, 5))
    few = mcdose.absorbed_dose(tia, WATER_3MM, histories=50_001, target_uncertainty=1e-3)
    assert few.histories == 50_001
    unjudged = mcdose.absorbed_dose(tia, WATER_3MM, histories=50_001)
    assert few.dose_gy.tobytes() == unjudged.dose_gy.tobytes()  # judging leaves nothing in the tally
    assert few.energy_quanta == unjudged.energy_quanta
    enough = mcdose.absorbed_dose(tia, WATER_3MM, histories=10**9, target_uncertainty=0.1)
    assert enough.histories < 10**6
    assert not enough.cancelled


# Progress


def test_progress_is_called_at_batch_ends_by_the_caller():
    calls = []

    def progress(done, total):
        calls.append((done, total, threading.get_ident()))

    result = mcdose.absorbed_dose(np.ones((3, 3, 3)), WATER_3MM, histories=10_000, progress=progress, threads=2)
    batch = result.provenance["opening_batch_histories"]
    assert [call[:2] for call in calls] == [(0, 10_000), (batch, 10_000), (2 * batch, 10_000), (10_000, 10_000)]
    assert {call[2] for call in calls} == {threading.get_ident()}
    assert not left_threads()


def test_progress_without_a_known_end():
    calls = []
    mcdose.absorbed_dose(
        np.ones((3, 3, 3)), WATER_3MM, target_uncertainty=0.1, progress=lambda done, total: calls.append((done, total))
    )
    assert calls[0] == (0, None)
    assert all(total is None for _, total in calls)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)


@pytest.mark.parametrize("no", [False, np.False_])
def test_false_stops_after_whole_batches(no):
    tia = random_tia((3, 3, 3))
    stopped = mcdose.absorbed_dose(
        tia, WATER_3MM, histories=100_000, progress=lambda done, total: no if done >= 8000 else None
    )
    assert stopped.cancelled
    assert stopped.histories == 2 * stopped.provenance["opening_batch_histories"] == 8192
    complete = mcdose.absorbed_dose(tia, WATER_3MM, histories=8192)
    assert not complete.cancelled
    assert same(stopped, complete)


def test_false_at_the_end_is_no_cancelling():
    result = mcdose.absorbed_dose(
        np.ones((3, 3, 3)), WATER_3MM, histories=5000, progress=lambda done, total: done < total
    )
    assert result.histories == 5000
    assert not result.cancelled


def test_false_at_once_raises():
    with pytest.raises(mcdose.Cancelled):
        mcdose.absorbed_dose(np.ones((3, 3, 3)), WATER_3MM, histories=5000, progress=lambda done, total: False)
    assert not left_threads()


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("when", [0, 4096])
def test_exception_in_progress_leaves_no_threads(error, when):
    def progress(done, total):
        if done == when:
            raise error("from progress")

    with pytest.raises(error, match="from progress"):
        mcdose.absorbed_dose(np.ones((3, 3, 3)), WATER_3MM, histories=50_000, progress=progress, threads=3)
    assert not left_threads()


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="signals go to a thread on POSIX only")
def test_ctrl_c_within_a_batch_ends_it(monkeypatch):
    """The threads stop at their chunk, not at the end of a batch that would take a minute."""
    monkeypatch.setattr("mcdose.monte_carlo.batch_sizes", lambda voxels, device: (2**26, 2**26, 4096))
    caller = threading.get_ident()
    timers = []

    def progress(done, total):
        timers.append(threading.Timer(0.3, signal.pthread_kill, (caller, signal.SIGINT)))
        timers[0].start()

    with pytest.raises(KeyboardInterrupt):
        mcdose.absorbed_dose(np.ones((3, 3, 3)), WATER_3MM, histories=2**26, progress=progress, threads=2)
    assert not left_threads()
    timers[0].join()
