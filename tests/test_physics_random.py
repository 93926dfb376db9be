"""The random numbers are Philox4x32-10, and never 0 or 1."""

import numpy as np
import pytest
from draws import SEED, assert_distributed, assert_mean, uniforms

from mcdose.physics.random import Key, random_block, uniform, uniform_high, uniform_low

MASK = 0xFFFFFFFF


def philox(counter, key):
    """Philox4x32-10 in Python integers, as the paper has it."""
    c, k = list(counter), list(key)
    for _ in range(10):
        high_0, low_0 = divmod(0xD2511F53 * c[0], 2**32)
        high_1, low_1 = divmod(0xCD9E8D57 * c[2], 2**32)
        c = [high_1 ^ c[1] ^ k[0], low_1, high_0 ^ c[3] ^ k[1], low_0]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return tuple(c)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [  # kat_vectors of Random123 1.14
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((MASK,) * 4, (MASK,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_reference_gives_the_known_answers(counter, key, words):
    assert philox(counter, key) == words


def test_zero_block_is_the_known_answer():
    key = Key(np.uint64(0), np.uint64(0), np.uint32(0))
    assert random_block(key, np.int32(0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)


def test_blocks_equal_the_reference_for_any_seed_history_and_draw():
    generator = np.random.default_rng(1)
    numbers = [0, 1, MASK, 2**32, 2**63, 2**64 - 1, *(int(n) for n in generator.integers(0, 2**64, 20, np.uint64))]
    for i, seed in enumerate(numbers):
        for j, history in enumerate(numbers):
            draw = (0, 1, 2**31 - 1, 77 * i + j)[(i + j) % 4]
            stream = (0, 1, 2**32 - 1, numbers[i] & MASK)[(i + 2 * j) % 4]
            expected = philox((history & MASK, history >> 32, draw, stream), (seed & MASK, seed >> 32))
            assert random_block(Key(np.uint64(seed), np.uint64(history), np.uint32(stream)), np.int32(draw)) == expected


def test_plain_python_and_compiled_agree():
    key = Key(np.uint64(2**64 - 3), np.uint64(2**40 + 5), np.uint32(2**32 - 7))
    assert tuple(int(word) for word in random_block.py_func(key, 9)) == random_block(key, 9)


@pytest.mark.parametrize(("function", "bits"), [(uniform, 23), (uniform_high, 16), (uniform_low, 16)])
def test_uniform_is_exact_and_strictly_inside(function, bits):
    lowest, highest = function(np.uint32(0)), function(np.uint32(MASK))
    assert lowest == 0.5 / 2**bits
    assert highest == 1.0 - 0.5 / 2**bits
    assert np.float32(highest) < np.float32(1.0)
    assert np.float32(1.0) - np.float32(highest) > 0.0


def test_high_and_low_bits_of_a_word_are_used_once():
    assert uniform_high(np.uint32(0xFFFF0000)) == 1.0 - 2.0**-17
    assert uniform_low(np.uint32(0xFFFF0000)) == 2.0**-17
    assert uniform(np.uint32(0x1FF)) == uniform(np.uint32(0))


def test_uniforms_are_flat_and_unrelated():
    drawn = uniforms(200_000, SEED)
    edges = np.linspace(0.0, 1.0, 101)
    for column in drawn.T:
        assert_distributed(column, edges, np.full(100, 0.01))
    centred = drawn.astype(np.float64) - 0.5
    for i in range(4):
        assert_mean(centred[:-1, i] * centred[1:, i], 0.0)  # consecutive histories
        for j in range(i):
            assert_mean(centred[:, i] * centred[:, j], 0.0)  # words of a block
