"""Activity to sampling tables: every voxel is drawn in proportion, however many there are."""

import tracemalloc

import numba
import numpy as np
import pytest

import mcdose
from mcdose.emission_table import emission_table
from mcdose.nuclides import nuclide
from mcdose.physics.random import Key, random_block
from mcdose.source_tables import build_source
from mcdose.transport.source import row_start, sample_in_row, sample_row


@numba.njit
def drawn(source, ny, nx, count):
    """Return the flat index of the voxel of each of `count` decays."""
    voxels = np.empty(count, np.int64)
    for history in range(count):
        word_1, word_2, word_3, _ = random_block(Key(np.uint64(3), np.uint64(history), np.uint32(0)), 0)
        z, y = sample_row(source, np.int32(ny), word_1, word_2)
        x = sample_in_row(source, z, y, np.int32(ny), np.int32(nx), word_3)
        voxels[history] = row_start(z, y, ny, nx) + x
    return voxels


def probabilities(source, shape):
    """Return the probability of each voxel that the integers of the tables mean."""
    nz, ny, _ = shape
    slabs = np.diff(source.slabs.astype(np.int64), prepend=0) / 2**31
    rows = np.diff(source.rows.reshape(nz, ny).astype(np.int64), prepend=0, axis=1) / 2**31
    voxels = np.diff(source.voxels.reshape(shape).astype(np.int64), prepend=0, axis=2) / 2**31
    return slabs[:, None, None] * rows[:, :, None] * voxels


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32])
def test_probabilities_are_those_of_the_map(dtype):
    rng = np.random.default_rng(1)
    activity = rng.gamma(0.3, 1000.0, (7, 11, 13)) * (rng.random((7, 11, 13)) < 0.5)
    activity[3] = 0.0
    activity[:, 4] = 0.0
    activity = activity.astype(dtype)
    source = build_source(activity, emission_table(nuclide("Y-90")))
    np.testing.assert_allclose(
        probabilities(source, activity.shape), activity / activity.sum(dtype=float), rtol=0, atol=1e-7
    )


def test_voxels_without_activity_are_never_drawn():
    rng = np.random.default_rng(2)
    activity = rng.random((5, 6, 7)) * (rng.random((5, 6, 7)) < 0.2)
    source = build_source(activity, emission_table(nuclide("Y-90")))
    counts = np.bincount(drawn(source, 6, 7, 200_000), minlength=activity.size).reshape(activity.shape)
    assert not counts[activity == 0.0].any()
    expected = 200_000 * activity / activity.sum()
    chi_square = ((counts - expected)[activity > 0.0] ** 2 / expected[activity > 0.0]).sum()
    freedom = np.count_nonzero(activity) - 1
    assert abs(chi_square - freedom) < 5.0 * np.sqrt(2.0 * freedom)


def test_one_hot_voxel_beyond_2_to_24_is_always_drawn():
    """Trap: sampling the source voxel by a float32 CDF misses voxels beyond 2^24."""
    activity = np.zeros((300, 300, 300), np.uint8)
    hot = (297, 13, 299)
    activity[hot] = 1
    assert np.ravel_multi_index(hot, activity.shape) > 2**24
    tracemalloc.start()
    source = build_source(activity, emission_table(nuclide("Y-90")))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * activity.size  # the table is 4 bytes a voxel; no float64 copy of the grid
    assert set(drawn(source, 300, 300, 10_000)) == {np.ravel_multi_index(hot, activity.shape)}


def test_no_voxel_beyond_2_to_24_is_missed():
    """Trap: a float32 CDF of 2^24 and more voxels has steps of zero."""
    shape = (1, 4200, 4200)
    source = build_source(np.ones(shape, np.uint8), emission_table(nuclide("Y-90")))
    last = probabilities(source, shape)[0, -1]
    assert last.size * 4200 > 2**24
    np.testing.assert_allclose(last, 1.0 / 4200**2, rtol=1e-5)


def test_energies_have_the_mean_of_the_spectrum():
    source = build_source(np.ones((1, 1, 1)), emission_table(nuclide("Y-90")))
    sampled = source.energies[0].astype(float)
    mean = 0.5 * (sampled[1:] + sampled[:-1]).mean()
    assert mean == pytest.approx(mcdose.nuclide("Y-90").spectrum.mean_energy_mev, rel=1e-5)
    assert (np.diff(sampled) > 0.0).all()
