"""Energy in quanta: rounding, telescoping, and sums from several threads."""

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

from mcdose.transport.score import QUANTA_PER_MEV, expect, quanta, score


@numba.njit(nogil=True)
def add_many(tally, first, count):
    for i in range(count):
        expect(tally, (first + i * 7) % tally.size)
        score(tally, (first + i * 7) % tally.size, np.int64(i + 1))


@numba.njit
def all_quanta(energies):
    result = np.empty(energies.size, np.int64)
    for i in range(energies.size):
        result[i] = quanta(energies[i])
    return result


def test_a_quantum_is_2_to_the_minus_32_mev():
    assert QUANTA_PER_MEV == 2.0**32
    assert quanta(np.float32(0.0)) == 0
    assert quanta(np.float32(1.0)) == 2**32
    assert quanta(np.float32(4.0)) == 2**34


def test_rounding_is_to_nearest():
    """Within half a quantum; from 2^23 quanta on a float32 is a whole number, and 0.5 more may tie to the next."""
    generator = np.random.default_rng(5)
    energies = np.exp(generator.uniform(np.log(1e-9), np.log(4.0), 100_000)).astype(np.float32)
    exact = energies.astype(np.float64) * 2.0**32
    error = all_quanta(energies) - exact
    small = exact < 2**22
    assert np.abs(error[small]).max() <= 0.5
    assert abs(error[small].mean()) < 0.01  # no bias, which truncation would have
    assert np.abs(error[~small]).max() <= 1.0
    assert np.all(error[exact >= 2**24] == 0.0)


def test_rounded_energies_telescope():
    energies = np.sort(np.random.default_rng(6).random(1000).astype(np.float32))[::-1].copy()
    steps = all_quanta(energies)
    assert np.sum(steps[:-1] - steps[1:]) == quanta(energies[0]) - quanta(energies[-1])
    assert np.all(steps[:-1] >= steps[1:])


def test_threads_add_to_one_tally_exactly():
    tally = np.zeros(5, np.int64)
    threads, count = 4, 200_000
    add_many(np.zeros(5, np.int64), 0, 1)  # compile first, so that the threads meet
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda thread: add_many(tally, thread, count), range(threads)))
    expected = np.zeros(5, np.int64)
    for thread in range(threads):
        np.add.at(expected, (thread + np.arange(count) * 7) % 5, np.arange(1, count + 1))
    assert np.array_equal(tally, expected)
