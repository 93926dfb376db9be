"""Random numbers by counter: the same history draws the same numbers on every device, in any order.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011), Philox4x32-10.
"""

import math
from typing import NamedTuple

import numpy as np

from mcdose.jit import compiled


class Key(NamedTuple):
    """What names the random numbers of one particle.

    Every particle of a history has a stream of its own, so that they may be followed in any order, and by any thread.
    """

    seed: np.uint64  # of the run
    history: np.uint64
    stream: np.uint32  # 0 the decay, 1 its electron; a secondary's is a word drawn by the particle that made it


_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)


@compiled
def random_block(key, draw):
    """Return four independent random 32-bit words: block `draw` (int) of the particle `key`.

    The counter is (history, draw, stream), the key is the seed.
    """
    counter_0 = key.history & _LOW
    counter_1 = key.history >> _32
    counter_2 = np.uint64(draw)
    counter_3 = np.uint64(key.stream)
    key_0 = key.seed & _LOW
    key_1 = key.seed >> _32
    for _ in range(10):
        product_0 = _MULTIPLIER_0 * counter_0
        product_1 = _MULTIPLIER_1 * counter_2
        counter_0 = (product_1 >> _32) ^ counter_1 ^ key_0
        counter_1 = product_1 & _LOW
        counter_2 = (product_0 >> _32) ^ counter_3 ^ key_1
        counter_3 = product_0 & _LOW
        key_0 = (key_0 + _WEYL_0) & _LOW
        key_1 = (key_1 + _WEYL_1) & _LOW
    return np.uint32(counter_0), np.uint32(counter_1), np.uint32(counter_2), np.uint32(counter_3)


@compiled
def uniform(word):
    """Return a float32 strictly inside (0, 1) from the high 23 bits of a word: (k + 1/2) / 2^23, exact in float32."""
    return (np.float32(word >> np.uint32(9)) + 0.5) * 1.1920928955078125e-07


@compiled
def uniform_high(word):
    """Return a float32 strictly inside (0, 1) from the high 16 bits of a word."""
    return (np.float32(word >> np.uint32(16)) + 0.5) * 1.52587890625e-05


@compiled
def uniform_low(word):
    """Return a float32 strictly inside (0, 1) from the low 16 bits of a word."""
    return (np.float32(word & np.uint32(0xFFFF)) + 0.5) * 1.52587890625e-05


@compiled
def exponential(word):
    """Return a float32 from the exponential distribution of mean 1, such as a path in mean free paths."""
    return -math.log(uniform(word))
