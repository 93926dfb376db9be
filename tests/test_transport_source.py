"""Decays start where the activity is, anywhere in the voxel, in any direction, with the energies of the spectrum."""

import itertools

import numba
import numpy as np
import pytest
from draws import SEED, assert_distributed, assert_mean
from scipy import stats

from mcdose.constants import ELECTRON_MASS, MEV_TO_JOULE
from mcdose.dose import absorbed_dose
from mcdose.electron_data import csda_range
from mcdose.emission_table import emission_table
from mcdose.media import medium
from mcdose.nuclides import Nuclide, nuclide
from mcdose.parameters import TransportParameters
from mcdose.physics.random import Key, uniform
from mcdose.reach import least_moving_mev
from mcdose.spectra import Spectrum
from mcdose.transport.shells import Shells
from mcdose.transport.source import (
    PointSource,
    Source,
    _by_counting,
    _by_halving,
    aim,
    decay,
    sample_energy,
    sample_in_row,
    sample_row,
)
from mcdose.transport.stack import ELECTRON, NOTHING, PHOTON, POSITRON
from mcdose.transport.world import World

ENERGIES = np.array([0.0, 0.1, 0.3, 1.0, 2.0], np.float32)  # quartiles
EMITTED = (  # electrons of that spectrum, nothing else
    np.array([2**31], np.uint32),
    np.array([ELECTRON], np.int32),
    np.array([-1.0], np.float32),
    ENERGIES[None],
)
ALL_ONES = 0xFFFFFFFF


def lines(activity):
    """Return cumulative activities along the last axis in units of 2^-31 of the line's sum."""
    cumulative = np.cumsum(np.asarray(activity, np.float64), axis=-1)
    total = np.where(cumulative[..., -1:] > 0.0, cumulative[..., -1:], 1.0)
    return np.floor(cumulative / total * 2**31).astype(np.uint32)


def source_of(activity):
    return Source(
        lines(activity.sum(axis=(1, 2))), lines(activity.sum(axis=2)).ravel(), lines(activity).ravel(), *EMITTED
    )


def world_of(shape):
    sides = np.float32(1.0)
    return World(
        *(np.int32(n) for n in shape), sides, sides, sides, sides, np.ones(1, np.float32), np.zeros(1, np.uint8)
    )


def shells_of():
    edges = np.array([0.0, 1.0], np.float32)
    return Shells(edges, np.float32(1.0), np.ones(1, np.float32), np.zeros(1, np.uint8))


@numba.njit
def draw(source, world, count, seed):
    indices = np.empty((count, 3), np.int32)
    reals = np.empty((count, 7), np.float32)
    for i in range(count):
        key = Key(seed, np.uint64(i), np.uint32(0))
        _, energy, place, u, v, w = decay(source, world, key, aim(source, world, key))
        indices[i] = place.z, place.y, place.x
        reals[i] = energy, place.offset_z, place.offset_y, place.offset_x, u, v, w
    return indices, reals


@numba.njit
def voxels_at(source, ny, nx, words):
    found = np.empty((words.shape[0], 3), np.int32)
    for i in range(words.shape[0]):
        z, y = sample_row(source, ny, words[i, 0], words[i, 1])
        found[i] = z, y, sample_in_row(source, z, y, ny, nx, words[i, 2])
    return found


def test_voxels_are_drawn_in_proportion_to_their_activity():
    generator = np.random.default_rng(8)
    activity = generator.random((5, 6, 7)) ** 4
    activity[generator.random(activity.shape) < 0.3] = 0.0
    activity[2] = 0.0  # a slab of zeros
    activity[3, 1:4] = 0.0  # rows of zeros
    activity[0, 0, :3] = 0.0
    activity[4, 5, 3:] = 0.0
    count = 400_000
    indices, _ = draw(source_of(activity), world_of(activity.shape), count, SEED)
    counts = np.zeros(activity.shape)
    np.add.at(counts, tuple(indices.T), 1)
    assert np.all(counts[activity == 0.0] == 0)
    expected = activity[activity > 0.0] / activity.sum() * count
    often = expected > 25.0
    chi_square = np.sum((counts[activity > 0.0][often] - expected[often]) ** 2 / expected[often])
    assert stats.chi2.sf(chi_square, often.sum() - 1) > 1e-6


@pytest.mark.parametrize("hot", [(0, 0, 0), (4, 5, 6), (2, 0, 6), (1, 3, 2)])
def test_a_single_hot_voxel_gets_every_decay_at_extreme_words_too(hot):
    activity = np.zeros((5, 6, 7))
    activity[hot] = 3e9
    source = source_of(activity)
    indices, _ = draw(source, world_of(activity.shape), 1000, SEED)
    assert np.all(indices == hot)
    words = np.array(np.meshgrid(*[[0, 1, 2**31, ALL_ONES]] * 3), np.uint32).reshape(3, -1).T.copy()
    assert np.all(voxels_at(source, np.int32(6), np.int32(7), words) == hot)


def test_extreme_words_find_the_first_and_the_last_active_voxel():
    activity = np.zeros((3, 4, 5))
    activity[1:, 1:3, 1:4] = 1.0
    source = source_of(activity)
    words = np.array([[0, 0, 0], [ALL_ONES] * 3], np.uint32)
    assert voxels_at(source, np.int32(4), np.int32(5), words).tolist() == [[1, 1, 1], [2, 2, 3]]


@pytest.mark.parametrize("count", [1, 2, 7, 8, 31, 64, 100, 513])
def test_counting_finds_what_halving_finds(count):
    """Both ways to search a line, runs of equal entries and entries that are the word itself among them."""
    generator = np.random.default_rng(count)
    cumulative = np.zeros(count + 20, np.uint32)
    steps = generator.integers(0, 4, count) * (2**31 // (4 * count))
    cumulative[10:-10] = np.cumsum(steps)
    cumulative[count + 9] = 2**31
    words = np.append(generator.integers(0, 2**31, 500), np.append(cumulative[10 : count + 9], [0, 2**31 - 1]))
    for word in words.astype(np.uint32):
        found = _by_counting(cumulative, np.int64(10), np.int64(count), word)
        assert found == _by_halving(cumulative, np.int64(10), np.int64(count), word)
        assert found == np.searchsorted(cumulative[10 : count + 10], word, side="right")


def test_no_voxel_is_missed_in_a_grid_beyond_2_to_the_24():
    """A float32 cumulative would miss voxels beyond 2^24; here 2^25 voxels are told apart one by one."""
    shape = (32, 1024, 1024)
    slabs = lines(np.ones(32))
    rows = np.tile(lines(np.ones(1024)), 32)
    voxels = np.tile(lines(np.ones(1024)), 32 * 1024)
    source = Source(slabs, rows, voxels, *EMITTED)
    chosen = np.random.default_rng(9).integers(0, shape, (5000, 3))
    for inside in (0.01, 0.99):
        words = ((chosen + inside) * 2.0**32 / shape).astype(np.uint32)
        assert np.array_equal(voxels_at(source, np.int32(1024), np.int32(1024), words), chosen)
    indices, _ = draw(source, world_of(shape), 100_000, SEED)
    for axis, size in enumerate(shape):
        assert_distributed(indices[:, axis] + 0.5, np.linspace(0, size, 33), np.full(32, 1 / 32))
    odd = (indices % 2).mean(axis=0)
    assert np.all(np.abs(odd - 0.5) < 5.0 * 0.5 / np.sqrt(100_000))


def test_uniform_in_the_voxel_isotropic_and_independent():
    _, reals = draw(source_of(np.ones((2, 3, 4))), world_of((2, 3, 4)), 200_000, SEED)
    for column in (1, 2, 3):
        assert_distributed(reals[:, column], np.linspace(0.0, 1.0, 51), np.full(50, 0.02))
    for column in (4, 5, 6):
        assert_distributed(reals[:, column], np.linspace(-1.0, 1.0, 51), np.full(50, 0.02))
    assert np.abs(np.linalg.norm(reals[:, 4:].astype(np.float64), axis=1) - 1.0).max() < 1e-6
    centred = reals.astype(np.float64) - reals.mean(axis=0, dtype=np.float64)
    for i in range(7):
        for j in range(i):
            assert_mean(centred[:, i] * centred[:, j], 0.0)


def test_energies_follow_the_quantiles():
    _, reals = draw(source_of(np.ones((1, 1, 1))), world_of((1, 1, 1)), 200_000, SEED)
    edges = np.concatenate([np.linspace(low, high, 11)[:-1] for low, high in itertools.pairwise(ENERGIES)])
    assert_distributed(reals[:, 0], np.append(edges, 2.0), np.full(40, 1.0 / 40.0))
    source = source_of(np.ones((1, 1, 1)))
    for word in (0, ALL_ONES):
        assert 0.0 < sample_energy(source, np.int32(0), np.float32(uniform(np.uint32(word)))) < 2.0
    single = source._replace(energies=np.array([[0.5, 0.5]], np.float32))
    assert sample_energy(single, np.int32(0), np.float32(0.7)) == 0.5


@numba.njit
def draw_emissions(source, world, count, seed):
    kinds = np.empty(count, np.int32)
    energies = np.empty(count, np.float32)
    for i in range(count):
        key = Key(seed, np.uint64(i), np.uint32(0))
        kinds[i], energies[i], _, _, _, _ = decay(source, world, key, aim(source, world, key))
    return kinds, energies


@pytest.mark.parametrize("name", ["Ga-68", "I-131", "Tc-99m"])
def test_emissions_are_drawn_by_their_number_per_decay(name):
    """Kinds, lines and the means of spectra, each within five standard errors; the same from a point."""
    count = 400_000
    known = nuclide(name)
    table = emission_table(known)
    flat = np.array([2**31], np.uint32)
    sources = (Source(flat, flat, flat, *table.fields), world_of((1, 1, 1))), (PointSource(*table.fields), shells_of())
    for source, world in sources:
        kinds, energies = draw_emissions(source, world, count, SEED)
        expected = [(PHOTON, *line) for line in known.lines] + [(ELECTRON, *line) for line in known.electron_lines]
        for kind, energy, number in expected:
            share = number / table.per_decay
            same = [line for line in expected if line[0] == kind and np.float32(line[1]) == np.float32(energy)]
            share = sum(line[2] for line in same) / table.per_decay
            found = np.mean((kinds == kind) & (energies == np.float32(energy)))
            assert abs(found - share) < 5 * np.sqrt(share / count) + 1e-8
        listed = {np.float32(line[1]) for line in expected}
        continuous = ~np.isin(energies, list(listed))
        for kind, spectrum in ((ELECTRON, known.spectrum), (POSITRON, known.positron_spectrum)):
            drawn = energies[continuous & (kinds == kind)].astype(float)
            if spectrum is None or not len(spectrum.energies_mev):
                assert drawn.size == 0
                continue
            share = spectrum.electrons_per_decay / table.per_decay
            assert abs(drawn.size / count - share) < 5 * np.sqrt(share / count)
            assert abs(drawn.mean() - spectrum.mean_energy_mev) < 5 * drawn.std() / np.sqrt(drawn.size)


@pytest.mark.parametrize("stay_below_mev", [0.0, 0.01])
@pytest.mark.parametrize("name", ["F-18", "Lu-177", "Tc-99m", "In-111", "At-211", "Y-90"])
def test_a_table_emits_the_mean_energy_of_the_decay(name, stay_below_mev):
    """Expected energy of a history, times histories per decay, from the table alone."""
    known, table = nuclide(name), emission_table(nuclide(name), stay_below_mev)
    shares = np.diff(table.chances.astype(float), prepend=0.0) / 2**31
    energies = []
    for kind, line in zip(table.kinds, table.lines.astype(float), strict=True):
        spectrum = table.energies[int(-line) - 1].astype(float) if line < 0 else np.array([line, line])
        energies.append(0.5 * (spectrum[1:] + spectrum[:-1]).mean() + (2 * ELECTRON_MASS if kind == POSITRON else 0.0))
    mean = (shares @ energies + float(table.stays)) * table.per_decay
    assert mean == pytest.approx(sum(known.mean_energies_mev.values()), rel=2e-5)
    assert table.mean_mev == pytest.approx(mean, rel=2e-5)


def test_slow_electrons_are_not_drawn_but_stay():
    """Those of Tc-99m below 10 keV: half of its emissions."""
    known = nuclide("Tc-99m")
    slow = [(energy, number) for energy, number in known.electron_lines if energy < 0.01]
    every, faster = emission_table(known), emission_table(known, 0.01)
    assert faster.per_decay == pytest.approx(every.per_decay - sum(number for _, number in slow), rel=1e-12)
    assert faster.per_decay < 0.51 * every.per_decay
    assert faster.lines[faster.kinds == ELECTRON].min() >= np.float32(0.01)
    kept = float(faster.stays) * faster.per_decay - float(every.stays) * every.per_decay
    assert kept == pytest.approx(sum(energy * number for energy, number in slow), rel=1e-5)


def test_slow_is_what_stops_at_once_in_lung():
    assert least_moving_mev(3.0, TransportParameters()) == pytest.approx(0.01)
    of_1_mm = least_moving_mev(1.0, TransportParameters())
    assert csda_range(medium("water"), of_1_mm) / 0.26 == pytest.approx(0.005 * 0.1, rel=1e-3)
    assert least_moving_mev(3.0, TransportParameters(stop=0.0)) == 0.0
    assert least_moving_mev(0.01, TransportParameters()) == 0.0


def test_a_decay_without_particles_that_move_leaves_its_energy():
    alpha = Nuclide("Xx-1", 1.0, Spectrum(np.zeros(0), np.zeros(0)), {}, (), alphas=((5.0, 1.0),), recoil_mev=0.1)
    table = emission_table(alpha)
    assert table.kinds.tolist() == [NOTHING]
    assert (table.per_decay, table.stays) == (1.0, np.float32(5.1))
    result = absorbed_dose(np.ones((3, 3, 3)), (2.0, 2.0, 2.0), nuclide=alpha, histories=27_000, seed=2)
    assert result.deposited_mev == result.emitted_mev == pytest.approx(5.1 * 27_000, rel=1e-6)
    np.testing.assert_allclose(result.dose_gy.mean(), 5.1 * MEV_TO_JOULE / 8e-6, rtol=1e-5)
