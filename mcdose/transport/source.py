"""Where and with what energy a decay starts its electron."""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from mcdose.jit import FLAGS, compiled
from mcdose.physics.direction import isotropic
from mcdose.physics.random import random_block, uniform
from mcdose.transport.shells import centre
from mcdose.transport.world import Place


class Source(NamedTuple):
    """Decays per voxel as cumulative integers, 2^31 to a line: no voxel is missed, however many there are.

    A slab z is drawn, then a row y of it, then a voxel x of the row. Made by `mcdose.source_tables`.
    """

    slabs: Any  # (nz,) uint32
    rows: Any  # (nz ny,) uint32, cumulative within each slab
    voxels: Any  # (nz ny nx,) uint32, cumulative within each row
    energies: Any  # (n + 1,) float32, MeV at equal cumulative probability


class PointSource(NamedTuple):
    """Decays at the centre of a spherical world."""

    energies: Any  # (n + 1,) float32, MeV at equal cumulative probability


@compiled
def _drawn(cumulative, start, count, word):
    """Return the first of `count` entries from `start` whose cumulative value is above the word's high 31 bits."""
    word = np.uint32(word >> np.uint32(1))
    low = np.int32(0)
    high = np.int32(count - 1)
    while low < high:
        middle = np.int32((low + high) >> 1)
        if cumulative[start + middle] > word:
            high = middle
        else:
            low = np.int32(middle + 1)
    return low


@compiled
def sample_voxel(source, ny, nx, word_1, word_2, word_3):
    """Return the voxel (z, y, x) of a decay, with probability proportional to its activity."""
    z = _drawn(source.slabs, np.int64(0), source.slabs.shape[0], word_1)
    row = np.int64(z) * np.int64(ny)
    y = _drawn(source.rows, row, ny, word_2)
    x = _drawn(source.voxels, (row + np.int64(y)) * np.int64(nx), nx, word_3)
    return z, y, x


@compiled
def sample_energy(source, uniform_1):
    """Return the energy [MeV] of the electron, linear between the quantiles of the spectrum."""
    cells = source.energies.shape[0] - 1
    position = uniform_1 * np.float32(cells)
    cell = np.int32(position)
    low = source.energies[cell]
    return low + (position - np.float32(cell)) * (source.energies[cell + 1] - low)


@compiled
def decay_in_voxel(source, world, key):
    """Start a decay: uniform in its voxel, isotropic.

    Returns
    -------
    energy [MeV], place, u, v, w
    """
    word_1, word_2, word_3, word_4 = random_block(key, 0)
    z, y, x = sample_voxel(source, world.ny, world.nx, word_1, word_2, word_3)
    energy = sample_energy(source, uniform(word_4))
    word_1, word_2, word_3, word_4 = random_block(key, 1)
    place = Place(z, y, x, uniform(word_1), uniform(word_2), uniform(word_3))
    word_1, word_2, _, _ = random_block(key, 2)
    u, v, w = isotropic(uniform(word_1), uniform(word_2))
    return energy, place, u, v, w


@compiled
def decay_at_centre(source, shells, key):
    """Start a decay at the centre of the shells, isotropic; returns what `decay_in_voxel` does."""
    word_1, word_2, word_3, _ = random_block(key, 0)
    u, v, w = isotropic(uniform(word_1), uniform(word_2))
    return sample_energy(source, uniform(word_3)), centre(), u, v, w


def decay(source, world, key):
    """Start a decay of a source in a world: energy [MeV], place, u, v, w."""
    return (decay_at_centre if isinstance(source, PointSource) else decay_in_voxel)(source, world, key)


@overload(decay, jit_options=FLAGS)
def _decay(source, world, key):
    start = decay_at_centre if source.instance_class is PointSource else decay_in_voxel
    return lambda source, world, key: start(source, world, key)
