"""Bit-identical dose, uncertainty and regions whoever computes them, and an uncertainty that is one.

Every statistical test has fixed seeds; the false-alarm rate is the chance that right code fails with others.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import stats
from test_dose import same

import mcdose

SHAPE = (5, 6, 7)
VOXEL = (4.0, 3.0, 2.0)
BATCH = 4096


def world():
    rng = np.random.default_rng(1)
    return {
        "tia_bq_s": rng.gamma(0.5, 1e6, SHAPE),
        "voxel_mm": VOXEL,
        "density_g_cm3": rng.uniform(0.03, 2.0, SHAPE),
        "medium": rng.integers(0, 3, SHAPE),
        "media": ["lung", "water", "cortical-bone"],
        "regions": {"half": rng.random(SHAPE), "corner": np.arange(210).reshape(SHAPE) < 30},
        "seed": 2**64 - 5,
    }


@pytest.fixture(scope="module")
def whole():
    return mcdose.absorbed_dose(**world(), histories=6 * BATCH + 100, threads=1)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_number_of_threads_does_not_matter(whole, threads):
    assert same(whole, mcdose.absorbed_dose(**world(), histories=6 * BATCH + 100, threads=threads))


def test_concurrent_runs_do_not_disturb_each_other(whole):
    def one(seed):
        return mcdose.absorbed_dose(**{**world(), "seed": seed}, histories=6 * BATCH + 100, threads=2)

    seeds = [2**64 - 5, 3, 2**64 - 5, 3]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(one, seeds))
    assert same(whole, results[0])
    assert same(whole, results[2])
    assert same(results[1], results[3])
    assert not same(results[0], results[1])


def test_first_history_and_seed_choose_other_histories(whole):
    shifted = mcdose.absorbed_dose(**world(), histories=6 * BATCH + 100, first_history=2**40)
    other = mcdose.absorbed_dose(**{**world(), "seed": 0}, histories=6 * BATCH + 100)
    assert shifted.energy_quanta != whole.energy_quanta != other.energy_quanta != shifted.energy_quanta


def test_history_numbers_have_64_bits():
    """Trap: 64-bit history counter. Histories 2^32 apart are different ones."""
    runs = [
        mcdose.absorbed_dose(**world(), histories=BATCH, first_history=first).energy_quanta["emitted"]
        for first in (0, 2**32, 2**33, 2**62)
    ]
    assert len(set(runs)) == 4


RUNS = 30
BATCHES = 16
HOT = (2, 2, 2)


@pytest.fixture(scope="module")
def thirty():
    """30 independent runs: a hot voxel of 1 mm with its surroundings, 16 batches each."""
    tia = np.zeros((5, 5, 5))
    tia[HOT] = 1.0
    side = np.zeros(tia.shape)
    side[3:] = 1.0
    regions = {"side": side, "all": np.ones(tia.shape)}
    return [
        mcdose.absorbed_dose(tia, (1.0, 1.0, 1.0), histories=BATCHES * BATCH, seed=seed, regions=regions)
        for seed in range(RUNS)
    ]


def assert_spread(values, errors, false_alarm):
    """Judge stated standard errors by the spread of independent runs: the ratio of variances is F-distributed."""
    ratio = np.var(values, ddof=1) / np.mean(np.square(errors))
    low, high = stats.f.interval(1.0 - false_alarm, RUNS - 1, RUNS * (BATCHES - 1))
    assert low < ratio < high, f"variance of the runs is {ratio:.2f} times the stated one, band {low:.2f} to {high:.2f}"


def test_voxel_error_is_the_spread_of_independent_runs(thirty):
    """Every voxel within the chi-square band: 125 voxels at 1e-5, false alarm at most 1e-3 in all."""
    for voxel in np.ndindex(5, 5, 5):
        doses = [float(run.dose_gy[voxel]) for run in thirty]
        errors = [float(run.dose_gy[voxel] * run.relative_uncertainty[voxel]) for run in thirty]
        assert_spread(doses, errors, 1e-5)


def test_errors_are_neither_high_nor_low_on_average(thirty):
    """Over all voxels the variance of the runs is the stated one: 125 ratios of 26 % each, their mean within 20 %.

    False alarm below 1e-3: the standard deviation of the mean is 4 % (measured with 240 other seeds).
    """
    doses = np.array([run.dose_gy for run in thirty], float)
    stated = doses * np.array([run.relative_uncertainty for run in thirty], float)
    assert (doses.var(axis=0, ddof=1) / (stated**2).mean(axis=0)).mean() == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("region", ["side", "all"])
def test_region_error_is_the_spread_of_independent_runs(thirty, region):
    """Trap: tallies share histories, so the error comes from batch means of the region. False alarm 1e-4 each."""
    means = [run.regions[region].mean_gy for run in thirty]
    assert_spread(means, [run.regions[region].standard_error_gy for run in thirty], 1e-4)


def test_voxel_errors_in_quadrature_would_be_wrong(thirty):
    """Trap: tallies share histories. An electron that reaches the side crosses several of its voxels.

    Their errors in quadrature give about half of the variance that batch means (and the 30 runs) give; the mean of 30
    variances from 16 batches is good to 7 %.
    """
    in_quadrature = [
        ((run.dose_gy[3:].astype(float) * run.relative_uncertainty[3:]) ** 2).sum() / 50**2 for run in thirty
    ]
    stated = [run.regions["side"].standard_error_gy ** 2 for run in thirty]
    assert np.mean(in_quadrature) < 0.7 * np.mean(stated)


def test_error_falls_with_the_root_of_the_histories(thirty):
    tia = np.zeros((5, 5, 5))
    tia[HOT] = 1.0
    more = mcdose.absorbed_dose(tia, (1.0, 1.0, 1.0), histories=4 * BATCHES * BATCH, seed=99)
    before = np.sqrt(np.mean([run.relative_uncertainty.astype(float) ** 2 for run in thirty]))
    after = np.sqrt(np.mean(more.relative_uncertainty.astype(float) ** 2))
    assert before / after == pytest.approx(2.0, rel=0.1)


def test_batches_open_small_and_go_on_regularly():
    """Every multiple of the regular size is a limit; short runs still have several batches; the sizes are fixed."""
    from mcdose.monte_carlo import batch_sizes, batches

    assert batch_sizes(64**3) == (4096, 65536, 4096)
    assert batch_sizes(512**3) == (32768, 2**20, 32768)
    assert batch_sizes(64**3, "cuda:0") == (2**17, 2**23, 4096)  # larger ones, but sums in the same unit
    assert batch_sizes(512**3, "cuda:0") == (2**18, 2**24, 32768)
    whole = list(batches(0, 200_000, 4096, 65536))
    assert whole[:16] == [(k * 4096, 4096) for k in range(16)]
    assert whole[16:] == [(65536, 65536), (131072, 65536), (196608, 200_000 - 196608)]
    split = [*batches(0, 131072, 4096, 65536), *batches(131072, 200_000 - 131072, 4096, 65536)]
    assert split == whole


def test_split_past_the_opening_batches():
    """Bit for bit, with batches of both sizes in one run: the weights of the squares must not depend on the split."""
    tia = np.ones((3, 3, 3))
    arguments = {"voxel_mm": (3.0, 3.0, 3.0), "regions": {"all": tia}, "seed": 9}
    whole = mcdose.absorbed_dose(tia, histories=150_000, **arguments)
    parts = [
        mcdose.absorbed_dose(tia, first_history=65536, histories=150_000 - 65536, **arguments),
        mcdose.absorbed_dose(tia, histories=65536, **arguments),
    ]
    merged = mcdose.merge(parts)
    assert merged.dose_gy.tobytes() == whole.dose_gy.tobytes()
    assert merged.relative_uncertainty.tobytes() == whole.relative_uncertainty.tobytes()
    assert merged.regions == whole.regions
