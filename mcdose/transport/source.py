"""Where and with what energy a decay starts its electron."""

from typing import Any, NamedTuple

import numpy as np

from mcdose.jit import compiled
from mcdose.physics.direction import isotropic
from mcdose.physics.random import random_block, uniform
from mcdose.transport.world import Place


class Source(NamedTuple):
    """Decays per voxel and energies, as integer tables that no voxel can fall through.

    A row (z, y) is drawn by Walker's alias method, then a voxel of the row from its cumulative activity.
    """

    row_keep: Any  # (nz ny,) uint32, keep the drawn row when the second word is below this
    row_alias: Any  # (nz ny,) int32, else take this one
    cumulative: Any  # (nz ny nx,) uint32, within each row, 2^32 - 1 at the end
    energies: Any  # (n + 1,) float32, MeV at equal cumulative probability


_32 = np.uint64(32)


@compiled
def sample_voxel(source, ny, nx, word_1, word_2, word_3):
    """Return the voxel (z, y, x) of a decay, with probability proportional to its activity."""
    row = np.int32((np.uint64(word_1) * np.uint64(source.row_keep.shape[0])) >> _32)
    if word_2 >= source.row_keep[row]:
        row = source.row_alias[row]
    start = np.int64(row) * np.int64(nx)
    low = np.int32(0)  # the first voxel whose cumulative activity is above the word
    high = np.int32(nx - 1)
    while low < high:
        middle = np.int32((low + high) >> 1)
        if source.cumulative[start + middle] > word_3:
            high = middle
        else:
            low = np.int32(middle + 1)
    return np.int32(row // ny), np.int32(row % ny), low


@compiled
def sample_energy(source, uniform_1):
    """Return the energy [MeV] of the electron, linear between the quantiles of the spectrum."""
    cells = source.energies.shape[0] - 1
    position = uniform_1 * np.float32(cells)
    cell = np.int32(position)
    low = source.energies[cell]
    return low + (position - np.float32(cell)) * (source.energies[cell + 1] - low)


@compiled
def decay(source, world, key):
    """Start a decay: uniform in its voxel, isotropic.

    Returns
    -------
    energy [MeV], place, u, v, w, and the next unused random block
    """
    word_1, word_2, word_3, word_4 = random_block(key, 0)
    z, y, x = sample_voxel(source, world.ny, world.nx, word_1, word_2, word_3)
    energy = sample_energy(source, uniform(word_4))
    word_1, word_2, word_3, word_4 = random_block(key, 1)
    place = Place(z, y, x, uniform(word_1), uniform(word_2), uniform(word_3))
    word_1, word_2, _, _ = random_block(key, 2)
    u, v, w = isotropic(uniform(word_1), uniform(word_2))
    return energy, place, u, v, w, np.int32(3)
