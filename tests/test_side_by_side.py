"""Photons side by side: the sums of histories that are followed one by one, bit for bit."""

import numba
import numpy as np
import pytest
from history_rows import SIDE, case

from mcdose.engine.cpu import new_workspace, run_histories
from mcdose.engine.work import ACCOUNT
from mcdose.short_electrons import with_short_electrons
from mcdose.transport.history import follow
from mcdose.transport.score import FAULTS, Scores
from mcdose.transport.side_by_side import SLOTS

SEED = np.uint64(5)


@numba.njit(nogil=True)
def _one_by_one(seed, first, count, source, world, tables, cuts, scores, stack, account):
    for offset in range(count):
        found = follow(seed, first + np.uint64(offset), source, world, tables, cuts, scores, stack)
        account[0] += found.emitted
        account[1] += found.escaped
        account[2] += found.flights
        account[3] += 1


def both(of, first, count, along=False):
    """Return energies, faults and account by either way."""
    source, world, tables, cuts = of
    if along:
        tables, cuts = with_short_electrons(tables, cuts, 0.3)
    found = []
    for run in ("one by one", "side by side"):
        stack, slots, account = new_workspace()
        scores = Scores(np.zeros(SIDE**3, np.int64), np.zeros(FAULTS, np.int64))
        arguments = (SEED, np.uint64(first), np.uint64(count), source, world, tables, cuts, scores, stack)
        if run == "one by one":
            _one_by_one(*arguments, account)
        else:
            run_histories(*arguments, slots, account)
        found.append((scores.energy, scores.faults, account))
    return found


@pytest.mark.parametrize("count", [0, 1, SLOTS - 1, SLOTS, SLOTS + 1, 5_000])
@pytest.mark.parametrize("emitter", ["Tc-99m", "I-131", "Ga-68", "Y-90"])
def test_the_sums_are_the_same(emitter, count):
    one, other = both(case("mixed", emitter, 2.0), 7, count)
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a, b)
    assert other[2][3] == count
    assert len(other[2]) == ACCOUNT


def test_track_lengths_too():
    one, other = both(case("mixed", "I-131", 2.0), 0, 5_000, along=True)
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a, b)


def test_photons_in_vacuum():
    """Photons that leave at once give their slot to the next history."""
    source, world, tables, cuts = case("water", "Tc-99m", 0.001)
    one, other = both((source, world._replace(density=np.zeros_like(world.density)), tables, cuts), 0, 2_000)
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a, b)
    assert other[2][1] > 0
