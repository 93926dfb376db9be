"""Where a history starts, and with what: one emission of a decay, drawn by its number per decay.

A decay with several emissions is as many histories on average: so each is followed with the weight of the whole, and
the mean over decays is right whatever is correlated in one.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload

from mcdose.jit import FLAGS, compiled
from mcdose.physics.direction import isotropic
from mcdose.physics.random import random_block, uniform, uniform_high, uniform_low
from mcdose.transport.score import expect_to_read
from mcdose.transport.shells import centre
from mcdose.transport.world import Place

WORDS_OF_A_LINE = 16  # uint32 that memory brings at once


class Source(NamedTuple):
    """Decays per voxel as cumulative integers, 2^31 to a line: no voxel is missed, however many there are.

    A slab z is drawn, then a row y of it, then a voxel x of the row. Made by `mcdose.source_tables`.
    """

    slabs: Any  # (nz,) uint32
    rows: Any  # (nz ny,) uint32, cumulative within each slab
    voxels: Any  # (nz ny nx,) uint32, cumulative within each row
    chances: Any  # (m,) uint32, cumulative probability of the emissions, 2^31 at the end
    kinds: Any  # (m,) int32, `transport.stack.ELECTRON`, PHOTON, POSITRON or NOTHING
    lines: Any  # (m,) float32, MeV; negative for a spectrum: -1 the first, -2 the second
    energies: Any  # (spectra, n + 1) float32, MeV at equal cumulative probability


class PointSource(NamedTuple):
    """Decays at the centre of a spherical world; fields as in `Source`."""

    chances: Any
    kinds: Any
    lines: Any
    energies: Any


@compiled
def _by_halving(cumulative, start, count, word):
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
def _by_counting(cumulative, start, count, word):
    below = np.int32(0)
    for k in range(np.uint64(start), np.uint64(start + count)):  # unsigned: no wrap-around, so the loop is vectorised
        below += np.int32(cumulative[k] <= word)
    return np.int32(below)


def first_above(cumulative, start, count, word):
    """Return which of `count` entries from `start`, ascending, is the first above `word`; one of them has to be.

    By halving; on the CPU by counting those not above it, many at once, where halving would guess every second branch
    wrong and wait for memory at every step.
    """
    return _by_halving(cumulative, start, count, word)


@overload(first_above, jit_options=FLAGS)
def _first_above(cumulative, start, count, word):
    return lambda cumulative, start, count, word: _by_halving(cumulative, start, count, word)


@overload(first_above, target="cpu", jit_options=FLAGS)
def _first_above_on_cpu(cumulative, start, count, word):
    return lambda cumulative, start, count, word: _by_counting(cumulative, start, count, word)


@compiled
def _drawn(cumulative, start, count, word):
    """Return the first of `count` entries from `start` whose cumulative value is above the word's high 31 bits."""
    return first_above(cumulative, np.int64(start), np.int64(count), np.uint32(word >> np.uint32(1)))


class Aim(NamedTuple):
    """The row of voxels that a history starts in, and random words for the rest of its start."""

    z: np.int32
    y: np.int32
    word_3: np.uint32
    word_4: np.uint32


@compiled
def sample_row(source, ny, word_1, word_2):
    """Return the row of voxels (z, y) of a decay, with probability proportional to its activity."""
    z = _drawn(source.slabs, np.int64(0), source.slabs.shape[0], word_1)
    y = _drawn(source.rows, np.int64(z) * np.int64(ny), ny, word_2)
    return z, y


@compiled
def row_start(z, y, ny, nx):
    """Return the index of the first voxel of a row."""
    return (np.int64(z) * np.int64(ny) + np.int64(y)) * np.int64(nx)


@compiled
def sample_in_row(source, z, y, ny, nx, word_3):
    """Return the voxel (x) of a decay in a row, with probability proportional to its activity."""
    return _drawn(source.voxels, row_start(z, y, ny, nx), nx, word_3)


@compiled
def aim_at_row(source, world, key):
    """Draw the row of voxels of a decay."""
    word_1, word_2, word_3, word_4 = random_block(key, 0)
    z, y = sample_row(source, world.ny, word_1, word_2)
    return Aim(z, y, word_3, word_4)


@compiled
def aim_at_centre(source, shells, key):
    """Return an `Aim` that nothing was drawn for: there is one place."""
    return Aim(np.int32(0), np.int32(0), np.uint32(0), np.uint32(0))


@compiled
def _expect_row(source, world, aimed):
    start = row_start(aimed.z, aimed.y, world.ny, world.nx)
    for k in range(np.int64(0), np.int64(world.nx), np.int64(WORDS_OF_A_LINE)):
        expect_to_read(source.voxels, start + k)


@compiled
def sample_energy(source, spectrum, uniform_1):
    """Return an energy [MeV] of a spectrum, linear between its quantiles."""
    cells = source.energies.shape[1] - 1
    position = uniform_1 * np.float32(cells)
    cell = np.int32(position)
    low = source.energies[spectrum, cell]
    return low + (position - np.float32(cell)) * (source.energies[spectrum, cell + 1] - low)


@compiled
def sample_emission(source, word_1, uniform_1):
    """Return kind and energy [MeV] of an emission, with probability proportional to its number per decay."""
    entry = np.int32(0)
    if source.chances.shape[0] > 1:
        entry = _drawn(source.chances, np.int64(0), source.chances.shape[0], word_1)
    energy = source.lines[entry]
    if energy < 0.0:
        energy = sample_energy(source, np.int32(-energy) - np.int32(1), uniform_1)
    return source.kinds[entry], energy


@compiled
def decay_in_voxel(source, world, key, aimed):
    """Start a history in a row of voxels: in proportion to activity, uniform in its voxel, isotropic.

    Returns
    -------
    kind, energy [MeV], place, u, v, w
    """
    x = sample_in_row(source, aimed.z, aimed.y, world.ny, world.nx, aimed.word_3)
    which = uniform(aimed.word_4)
    word_1, word_2, word_3, word_4 = random_block(key, 1)
    place = Place(aimed.z, aimed.y, x, uniform_high(word_1), uniform_low(word_1), uniform_high(word_2))
    u, v, w = isotropic(uniform(word_3), uniform_low(word_2))
    kind, energy = sample_emission(source, word_4, which)
    return kind, energy, place, u, v, w


@compiled
def decay_at_centre(source, shells, key, aimed):
    """Start a history at the centre of the shells, isotropic; returns what `decay_in_voxel` does."""
    word_1, word_2, word_3, word_4 = random_block(key, 0)
    u, v, w = isotropic(uniform(word_1), uniform(word_2))
    kind, energy = sample_emission(source, word_4, uniform(word_3))
    return kind, energy, centre(), u, v, w


def aim(source, world, key):
    """Draw in which row of voxels a history starts, see `Aim`."""
    return (aim_at_centre if isinstance(source, PointSource) else aim_at_row)(source, world, key)


@overload(aim, jit_options=FLAGS)
def _aim(source, world, key):
    draw = aim_at_centre if source.instance_class is PointSource else aim_at_row
    return lambda source, world, key: draw(source, world, key)


def expect_row(source, world, aimed):
    """Say that a history will start in a row soon: on the CPU its memory is fetched meanwhile."""


@overload(expect_row, jit_options=FLAGS)
def _expect_the_row(source, world, aimed):
    if source.instance_class is PointSource:
        return lambda source, world, aimed: None
    return lambda source, world, aimed: _expect_row(source, world, aimed)


def decay(source, world, key, aimed):
    """Start a history of a source in a world where it was aimed: kind, energy [MeV], place, u, v, w."""
    return (decay_at_centre if isinstance(source, PointSource) else decay_in_voxel)(source, world, key, aimed)


@overload(decay, jit_options=FLAGS)
def _decay(source, world, key, aimed):
    start = decay_at_centre if source.instance_class is PointSource else decay_in_voxel
    return lambda source, world, key, aimed: start(source, world, key, aimed)
