"""Photons by blocks: the bounds hold, the flights end where they should, and the doses are the same."""

import functools

import numba
import numpy as np
import pytest
from conftest import MEDIA
from draws import FOLLOWED, SEED
from scipy import stats

import mcdose
from mcdose import monte_carlo
from mcdose.media import medium
from mcdose.parameters import TransportParameters
from mcdose.photon_blocks import WORTH_BELOW, photon_blocks
from mcdose.photon_data import mass_attenuation
from mcdose.physics.direction import isotropic
from mcdose.physics.random import Key, random_block, uniform
from mcdose.physics_tables import build
from mcdose.problem import check_problem
from mcdose.transport.photon import fly
from mcdose.transport.score import FAULTS, Scores
from mcdose.transport.stack import DEPTH, INTEGERS, REALS, Stack
from mcdose.transport.tables import TOTAL
from mcdose.transport.world import BLOCK_SIDE, NO_BLOCKS, Place, World, flown, jumped

SHAPE = (19, 21, 26)  # no multiples of a block's side
VOXEL = (3.0, 2.5, 4.0)


def problem_of(density, index, shape=SHAPE):
    return check_problem(np.ones(shape), VOXEL, density_g_cm3=density, medium=index, media=MEDIA)


def world_of(problem, blocks=NO_BLOCKS):
    inverse = [np.float32(10.0 / side) for side in VOXEL]
    sides = (np.int32(n) for n in problem.shape)
    return World(*sides, *inverse, np.float32(0.25), problem.density, problem.medium_index, blocks)


@pytest.fixture(scope="module")
def speckled():
    """Everything at once: media at random, densities from vacuum to gold."""
    rng = np.random.default_rng(7)
    density = rng.choice([0.0, 0.001, 0.3, 1.0, 1.9, 19.0], SHAPE, p=[0.1, 0.2, 0.2, 0.3, 0.199, 0.001])
    problem = problem_of(density, rng.integers(0, 3, SHAPE))
    return problem, build(problem.media, problem.largest_density, TransportParameters())


def test_bound_of_a_block_is_above_every_attenuation_in_it(speckled):
    problem, tables = speckled
    parts = photon_blocks(problem, tables, np.inf)
    blocks = tuple(-(-n // BLOCK_SIDE) for n in SHAPE)
    assert parts.shape == (np.prod(blocks),)
    assert parts.dtype == np.float32
    assert parts.max() <= 1.0
    assert parts.min() > 0.0
    of_voxels = parts.reshape(blocks)
    for axis in range(3):
        of_voxels = of_voxels.repeat(BLOCK_SIDE, axis)
    of_voxels = of_voxels[: SHAPE[0], : SHAPE[1], : SHAPE[2]].ravel()
    for node in range(tables.photon_bound.size):
        bound = tables.photon_bound[node].astype(np.float32) * of_voxels
        assert np.all(bound >= problem.density * tables.photon[problem.medium_index, node, TOTAL])


def test_blocks_of_one_medium_need_what_they_hold():
    """Water with one voxel of 19 g/cm3: its block needs the whole bound, the others one nineteenth of it."""
    density = np.ones(SHAPE, np.float32)
    density[10, 3, 25] = 19.0
    problem = problem_of(density, np.zeros(SHAPE, int))
    parts = photon_blocks(problem, build(problem.media, problem.largest_density, TransportParameters()))
    expected = np.full((3, 3, 4), 1.0 / 19.0)
    expected[1, 0, 3] = 1.0
    np.testing.assert_allclose(parts.reshape(expected.shape), expected, rtol=3e-5)


def test_blocks_are_used_where_they_are_worth_it():
    """The rule: where their mean part of the grid's bound is below a third."""
    uniform_water = problem_of(1.0, np.zeros(SHAPE, int))
    few_denser = np.ones(SHAPE, np.float32)
    few_denser[0, 0, 0] = 1.9
    for problem in (uniform_water, problem_of(few_denser, np.zeros(SHAPE, int))):
        tables = build(problem.media, problem.largest_density, TransportParameters())
        assert photon_blocks(problem, tables) is NO_BLOCKS
        assert photon_blocks(problem, tables, np.inf).mean() > WORTH_BELOW


@numba.njit
def end_of_flights(world, count, longest, seed):
    """Fly from random places: (count, 2, 4) the coordinates [voxels] by `flown` and by `jumped`, and whether inside."""
    found = np.zeros((count, 2, 4))
    for i in range(count):
        words = random_block(Key(seed, np.uint64(i), np.uint32(0)), 0)
        more = random_block(Key(seed, np.uint64(i), np.uint32(0)), 1)
        u, v, w = isotropic(uniform(words[0]), uniform(words[1]))
        if i % 5 == 0:
            u, v, w = np.float32(0.0), np.float32(0.0), np.float32(1.0 if i % 2 else -1.0)
        place = Place(
            np.int32(words[2] % np.uint32(world.nz)),
            np.int32(words[3] % np.uint32(world.ny)),
            np.int32(more[0] % np.uint32(world.nx)),
            uniform(more[1]), np.float32(0.0 if i % 3 == 0 else 1.0), np.float32(0.0),
        )  # fmt: skip
        path = longest * uniform(more[2])
        bound = np.float32(0.5)
        ends = (flown(world, place, u, v, w, path, bound)[:2], jumped(world, place, u, v, w, path / bound))
        for which in range(2):
            end, inside = ends[which]
            found[i, which, 0] = np.float64(end.z) + end.offset_z
            found[i, which, 1] = np.float64(end.y) + end.offset_y
            found[i, which, 2] = np.float64(end.x) + end.offset_x
            found[i, which, 3] = inside
    return found


def test_a_flight_in_equal_blocks_is_one_straight_flight(speckled):
    """Stopping at the sides of blocks, and at their edges and corners, moves nothing."""
    problem, _ = speckled
    world = world_of(problem, np.ones(3 * 3 * 4, np.float32))
    found = end_of_flights(world, 200_000, np.float32(4.0), SEED)
    inside = found[:, :, 3] == 1.0
    assert (inside[:, 0] != inside[:, 1]).mean() < 1e-5  # rounding at the sides of the grid
    both = inside.all(axis=1)
    assert 0.3 < both.mean() < 0.9
    assert np.abs(found[both, 0, :3] - found[both, 1, :3]).max() < 1e-5
    assert np.all(found[both, 0, :3] >= 0.0)
    assert np.all(found[both, 0, :3] <= SHAPE)


@numba.njit
def follow_photons(energy, start, u, v, w, world, tables, cuts, scores, stack, count, seed):
    """Follow photons one by one, drop what they set in motion; return the quanta that left and how many got out."""
    quanta_out = np.int64(0)
    out = 0
    left = 0
    for i in range(count):
        key = Key(seed, np.uint64(i), np.uint32(1))
        depth, escaped = fly(energy, start, u, v, w, world, tables, cuts, scores, stack, np.int32(0), key)
        quanta_out += escaped
        out += escaped > 0
        left += depth
    return quanta_out, out, left


def only(tables, process):
    """Return tables in which a photon meets one process only, with the attenuation of all of them together."""
    photon = tables.photon.copy()
    photon[:, :, :TOTAL] = photon[:, :, TOTAL:] if process == "photoelectric" else 0.0
    return tables._replace(photon=photon)


@pytest.mark.parametrize("by_blocks", [False, True], ids=["whole grid", "blocks"])
@pytest.mark.parametrize("energy", [0.02, 0.0602, 0.1405, 0.364, 1.2, 3.0])
def test_absorption_in_slabs_is_exponential(energy, by_blocks):
    """Photons that the first interaction ends: exp(-sum mu x) of them leave slabs of water, lung, bone and vacuum."""
    shape = (9, 9, 40)
    layers = np.array([(0, 1.0)] * 11 + [(1, 0.26)] * 9 + [(2, 1.92)] * 6 + [(1, 0.0)] * 3 + [(0, 1.04)] * 11)
    density = np.broadcast_to(layers[:, 1], shape).astype(np.float32).copy()
    density[8, 8, 39] = 19.0  # not on the way
    problem = problem_of(density, np.broadcast_to(layers[:, 0].astype(int), shape).copy(), shape)
    tables = build(problem.media, problem.largest_density, TransportParameters())
    world = world_of(problem, photon_blocks(problem, tables, np.inf if by_blocks else 0.0))
    assert (world.blocks.size > 1) == by_blocks
    stack = Stack(np.zeros((DEPTH, INTEGERS), np.int32), np.zeros((DEPTH, REALS), np.float32))
    scores = Scores(np.zeros(density.size, np.int64), np.zeros(FAULTS, np.int64))
    slope = 0.02  # off the axis, so that sides of every kind are crossed
    u, v = np.float32(np.sqrt(1.0 - slope**2)), np.float32(slope)
    # From the middle of the first layer's face; 16 cm in x, 0.32 cm in y.
    start = Place(np.int32(2), np.int32(5), np.int32(0), np.float32(0.5), np.float32(0.5), np.float32(0.0))
    count = 100_000
    found, out, left = follow_photons(
        np.float32(energy), start, u, v, np.float32(0.0), world, only(tables, "photoelectric"), FOLLOWED, scores,
        stack, count, SEED,
    )  # fmt: skip
    total = np.array([float(mass_attenuation(medium(name), energy).total) for name in MEDIA])
    depth = (total[layers[:, 0].astype(int)] * layers[:, 1]).sum() * 0.4 / u
    expected = np.exp(-depth)
    sigma = np.sqrt(expected * (1.0 - expected) / count)
    # What the table's linear interpolation in energy errs by, and four sigma and a half (one in 150 000).
    assert abs(out / count - expected) < 4.5 * sigma + 3e-3 * depth * expected
    assert left == count - out
    assert found == out * np.int64(np.float32(energy) * 2.0**32)
    assert not scores.energy.any()


@pytest.mark.parametrize("by_blocks", [False, True], ids=["whole grid", "blocks"])
@pytest.mark.parametrize("energy", [0.02, 0.1405, 3.0])
def test_coherent_scattering_leaves_no_energy(energy, by_blocks, speckled):
    """A photon that meets nothing else keeps its energy to the last quantum, however often it turns."""
    problem, tables = speckled
    world = world_of(problem, photon_blocks(problem, tables, np.inf if by_blocks else 0.0))
    stack = Stack(np.zeros((DEPTH, INTEGERS), np.int32), np.zeros((DEPTH, REALS), np.float32))
    scores = Scores(np.zeros(problem.density.size, np.int64), np.zeros(FAULTS, np.int64))
    start = Place(*[np.int32(9)] * 3, *[np.float32(0.5)] * 3)
    direction = (np.float32(0.48), np.float32(-0.64), np.float32(0.6))
    count = 2000
    found, out, left = follow_photons(
        np.float32(energy), start, *direction, world, only(tables, "coherent"), FOLLOWED, scores, stack, count, SEED
    )
    assert out == count
    assert left == 0
    assert found == count * np.int64(np.float32(energy) * 2.0**32)
    assert not scores.energy.any()
    assert not scores.faults.any()


def with_blocks(monkeypatch, worth_below):
    monkeypatch.setattr(monte_carlo, "photon_blocks", functools.partial(photon_blocks, worth_below=worth_below))


def dense_case():
    """A voxel of 19 g/cm3 beside the source, bone, lung and a hole."""
    density = np.full(SHAPE, 1.0, np.float32)
    index = np.zeros(SHAPE, int)
    index[:, :, :8], density[:, :, :8] = 1, 0.3
    index[14:, :, 12:], density[14:, :, 12:] = 2, 1.92
    density[:, 18:, :] = 0.0
    density[9, 9, 17] = 19.0
    tia = np.zeros(SHAPE)
    tia[6:12, 6:12, 10:16] = 1.0
    regions = {
        "source": tia > 0, "metal": density > 10.0, "lung": index == 1, "bone": (index == 2) & (density > 0.0),
        "edge": np.arange(np.prod(SHAPE)).reshape(SHAPE) < 21 * 26 * 2,
    }  # fmt: skip
    return {"tia_bq_s": tia, "voxel_mm": VOXEL, "density_g_cm3": density, "medium": index, "media": MEDIA,
            "regions": regions}  # fmt: skip


@pytest.mark.parametrize("nuclide", ["I-131", "Tc-99m"])
def test_dose_by_blocks_is_the_dose_without(nuclide, monkeypatch):
    """Five regions of two independent runs; balance exact in both. False alarm 3e-4 with other seeds."""
    results = []
    for worth_below, seed in ((0.0, 1), (np.inf, 2)):
        with_blocks(monkeypatch, worth_below)
        result = mcdose.absorbed_dose(**dense_case(), nuclide=nuclide, histories=400_000, seed=seed)
        quanta = result.energy_quanta
        assert quanta["emitted"] == quanta["deposited"] + quanta["escaped"]
        assert not any(fault.count for fault in result.faults.values())
        results.append(result)
    for name in results[0].regions:
        one, other = (result.regions[name] for result in results)
        sigma = np.hypot(one.standard_error_gy, other.standard_error_gy)
        limit = stats.t.isf(1.5e-5, 14)
        assert abs(one.mean_gy - other.mean_gy) < limit * sigma, name
        assert sigma < 0.15 * one.mean_gy, name
    shares = [result.energy_quanta["escaped"] / result.energy_quanta["emitted"] for result in results]
    assert shares[0] == pytest.approx(shares[1], abs=5e-3)


def test_blocks_give_the_same_bits_for_any_number_of_threads(monkeypatch):
    with_blocks(monkeypatch, np.inf)
    runs = [
        mcdose.absorbed_dose(**dense_case(), nuclide="I-131", histories=20_000, threads=threads)
        for threads in (1, 2, 5)
    ]
    for run in runs[1:]:
        assert run.dose_gy.tobytes() == runs[0].dose_gy.tobytes()
        assert run.relative_uncertainty.tobytes() == runs[0].relative_uncertainty.tobytes()
        assert run.energy_quanta == runs[0].energy_quanta
