"""The sums over batches: exact integers past 64 bits, the same in any order, and the estimator of the error."""

import numpy as np
import pytest

from mcdose.tally import SQUARE_SHIFT, Tally

BATCH = 4096
# The largest sum of one voxel and batch of the CPU's size that can be: 2^21 histories of 2.28 MeV in one voxel.
LARGEST = int(2**21 * 2.28 * 2**32)


def flushed(batches, histories=None, batch_histories=BATCH):
    """Return the tally of an array (batches, voxels) of quanta."""
    tally = Tally(batches.shape[1], batch_histories)
    for k, batch in enumerate(batches):
        count = batch_histories if histories is None else int(histories[k])
        tally.flush(np.array(batch, np.int64), count, 0, tally.voxels)
        tally.count(count)
    return tally


def sums(tally):
    return [(int(high) << 64) + int(low) for high, low in zip(tally.sums.high, tally.sums.low, strict=True)]


def squares(tally):
    return [
        (int(high) << 64) + int(low) for high, low in zip(tally.sums.square_high, tally.sums.square_low, strict=True)
    ]


def square(quanta):
    """Return the square of a sum of quanta in units of 2^-32 MeV2, the sum rounded to 2^-16 MeV."""
    return ((abs(int(quanta)) + (1 << (SQUARE_SHIFT - 1))) >> SQUARE_SHIFT) ** 2


@pytest.mark.parametrize("low", [0, -(2**62)])
def test_sums_are_exact_past_64_bits(low):
    """Trap: tally overflow. Totals go past 2^64 (and below -2^64), every carry counted."""
    rng = np.random.default_rng(1)
    batches = rng.integers(low, 2**62, (60, 200), endpoint=True)
    batches[:, 0] = 2**62
    batches[:, 1] = 0
    batches[:, 2] = -(2**62) if low else 2**62
    batches[::2, 3], batches[1::2, 3] = 1, -1
    tally = flushed(batches)
    exact = [sum(int(value) for value in column) for column in batches.T]
    assert sums(tally) == exact
    assert max(map(abs, exact)) > 2**67
    np.testing.assert_allclose(tally.energy_mev(0, tally.voxels), np.array(exact, float) / 2**32, rtol=1e-15)


def test_squares_are_exact():
    """Trap: squares in 128 bits. Every voxel against Python's integers, up to the largest batch there can be."""
    rng = np.random.default_rng(2)
    batches = rng.integers(-LARGEST, LARGEST, (50, 200), endpoint=True)
    batches[:, 0] = LARGEST
    batches[:, 1] = rng.integers(0, 2**18, 50)  # around the rounding to the unit of the squares
    tally = flushed(batches)
    exact = [sum(square(value) for value in column) for column in batches.T]
    assert squares(tally) == exact
    assert max(exact) > 2**79


def test_squares_have_room_for_long_runs():
    """Trap: overflow. The hottest voxel of the largest batches: 96 bits hold more than 10^12 histories in it."""
    assert square(LARGEST) * (10**12 // 2**21) < 2**96


def test_squares_of_the_largest_batches_of_a_gpu():
    """2^24 histories in one voxel, in units of batches of 2^15: the weight 2^-9 is exact, and 96 bits have room."""
    largest = int(2**24 * 2.28 * 2**32)
    tally = flushed(np.full((40, 1), largest), np.full(40, 2**24), batch_histories=2**15)
    exact = 40 * square(largest) / 512
    assert squares(tally)[0] == pytest.approx(exact, rel=1e-12)
    assert exact / 40 * (10**12 // 2**24) < 2**96


def test_total_is_exact_past_63_bits():
    """Trap: tally overflow. The total over all voxels may be anything."""
    for batch in (np.full(64, 2**62, np.int64), np.full(64, -(2**62) - 1, np.int64), np.arange(-5, 3)):
        total = sum(int(value) for value in batch)
        assert flushed(np.stack([batch] * 7)).deposited() == 7 * total


def test_flush_clears_and_parts_add_up():
    rng = np.random.default_rng(3)
    batch = rng.integers(-(2**40), 2**52, 1001)
    whole = flushed(batch[None])
    left = batch.copy()
    tally = Tally(batch.size, BATCH)
    for start, stop in ((0, 400), (400, 400), (400, 1001)):
        tally.flush(left, BATCH, start, stop)
    assert not left.any()
    assert sums(tally) == sums(whole)
    assert squares(tally) == squares(whole)


def test_add_is_the_same_as_one_run():
    """Trap: sums of squares merge over whole batches. Every carry between the words, in either order."""
    rng = np.random.default_rng(4)
    batches = rng.integers(-(2**54), 2**54, (80, 100))
    batches[:, 0] = 2**54
    whole = flushed(batches)
    for first, second in ((batches[:30], batches[30:]), (batches[30:], batches[:30])):
        tally = flushed(first)
        tally.add(flushed(second))
        for part, of_whole in zip(tally.sums, whole.sums, strict=True):
            np.testing.assert_array_equal(part, of_whole)
        assert (tally.histories, tally.batches) == (80 * BATCH, 80)
    large = flushed(np.full((5, 1), 2**62))
    large.add(flushed(np.full((5, 1), 2**62)))
    assert sums(large) == [10 * 2**62]


@pytest.mark.parametrize("whole", [True, False])
def test_relative_error_is_that_of_a_weighted_mean(whole):
    """Batches cut short count by their histories: sum n_i (x_i - m)^2 / (N (k - 1)), in plain NumPy."""
    rng = np.random.default_rng(5)
    histories = np.full(20, BATCH) if whole else np.r_[1000, np.full(18, BATCH), 77]
    mean = rng.uniform(0.5, 3.0, 50)
    energy = histories[:, None] * mean * rng.normal(1.0, 0.02, (20, 50))
    batches = np.rint(energy * 2**32).astype(np.int64)
    tally = flushed(batches, histories)

    per_history = energy / histories[:, None]
    grand = energy.sum(axis=0) / histories.sum()
    variance = (histories[:, None] * (per_history - grand) ** 2).sum(axis=0) / (histories.sum() * 19)
    np.testing.assert_allclose(tally.relative_error(0, 50), np.sqrt(variance) / grand, rtol=1e-4)


def test_relative_error_where_there_is_none():
    batches = np.zeros((3, 4), np.int64)
    batches[:, 1] = 2**33
    batches[:, 2] = -5
    batches[0, 3] = 2**33
    error = flushed(batches).relative_error(0, 4)
    assert np.isnan(error[[0, 2]]).all()
    assert error[1] == 0.0
    assert error[3] == pytest.approx(1.0)  # one batch of k hit: relative error 1
    assert np.isnan(flushed(batches[:1]).relative_error(0, 4)).all()
