"""Knock-on electrons in bulk, and whether two particles take away the energy and momentum that came."""

import numba
import numpy as np
from draws import DIRECTIONS, SEED

from mcdose.constants import ELECTRON_MASS
from mcdose.physics.direction import turned
from mcdose.physics.moller import moller_deflections
from mcdose.physics.random import Key

COUNT = 100_000


@numba.njit
def _draw(sampler, energy, cut, count, seed):
    transfers = np.empty(count, np.float32)
    blocks = 0
    for i in range(count):
        transfers[i], used = sampler(energy, cut, Key(seed, np.uint64(i), np.uint32(0)), 0)
        blocks += used
    return transfers, blocks / count


def knock_ons(sampler, energy, cut):
    """Return `COUNT` energy transfers [MeV] of a sampler, and the blocks of random numbers that one took."""
    return _draw(sampler, np.float32(energy), np.float32(cut), COUNT, SEED)


def _momentum(energy):
    return np.sqrt(energy * (energy + 2.0 * ELECTRON_MASS))


def momentum_error(energy, transfer):
    """Return the largest part of the momentum that both particles fail to take away, over directions and azimuths."""
    deflections = moller_deflections(np.float32(energy), transfer)
    kept = np.float64(np.float32(energy)) - np.float64(transfer)
    errors = []
    for direction in DIRECTIONS:
        axis = np.array(direction, np.float32)
        for turn in (0.0, 0.2, 0.49):
            first = turned(*axis, np.float32(deflections[0]), np.float32(turn))
            second = turned(*axis, np.float32(deflections[1]), np.float32(turn) + np.float32(0.5))
            total = _momentum(kept) * np.array(first) + _momentum(np.float64(transfer)) * np.array(second)
            errors.append(np.abs(total - _momentum(energy) * axis).max() / _momentum(energy))
    return max(errors)
