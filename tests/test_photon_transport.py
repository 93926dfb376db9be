"""One photon in a grid: whatever it does, its energy goes somewhere, to the last quantum."""

import numba
import numpy as np
import pytest
from draws import FOLLOWED, SEED, assert_distributed, assert_mean
from scipy import integrate

from mcdose.constants import ELECTRON_MASS
from mcdose.media import medium
from mcdose.parameters import TransportParameters
from mcdose.photon_data import mass_attenuation
from mcdose.physics.random import Key
from mcdose.physics_tables import cuts
from mcdose.point_kernel import kernel_parameters
from mcdose.transport.electron import slow_down
from mcdose.transport.geometry import cell
from mcdose.transport.photon import MANY_WAIT, ends_here, fly
from mcdose.transport.score import FAULTS, Scores, quanta
from mcdose.transport.shells import Shells
from mcdose.transport.stack import DEPTH, ELECTRON, INTEGERS, PHOTON, POSITRON, REALS, Stack, pop
from mcdose.transport.tables import PHOTOELECTRIC, TOTAL, WITH_COMPTON, WITH_PAIR
from mcdose.transport.world import Place, World

SIDE = 9
REST = np.int64(np.float32(ELECTRON_MASS) * 2.0**32)  # quanta


@numba.njit
def one_by_one(energy, world, tables, cuts, energies, faults, stack, count, seed):
    """Fly photons from the middle, each on a tally of its own.

    Returns
    -------
    rows : (count, 4 + DEPTH) deposited and escaped quanta, particles set in motion, kind of the first, their energies
        [MeV], 1000 more for positrons
    """
    rows = np.zeros((count, 4 + stack.reals.shape[0]))
    for i in range(count):
        energies[:] = 0
        place = Place(
            np.int32(4), np.int32(4), np.int32(4), np.float32(0.25), np.float32(0.5), np.float32(0.75)
        )  # fmt: skip
        direction = (np.float32(0.48), np.float32(-0.64), np.float32(0.6))
        key = Key(seed, np.uint64(i), np.uint32(1))
        scores = Scores(energies, faults)
        u, v, w = direction
        depth, escaped = fly(energy, place, u, v, w, world, tables, cuts, scores, stack, np.int32(0), key)
        rows[i, 0] = energies.sum()
        rows[i, 1] = escaped
        rows[i, 2] = depth
        rows[i, 3] = stack.integers[0, 0] if depth else -1
        for k in range(depth):
            rows[i, 4 + k] = stack.reals[k, 0]
            if stack.integers[k, 0] == POSITRON:
                rows[i, 4 + k] += 1000.0
    return rows


def flights(energy, tables, medium_index, count, limits=FOLLOWED):
    """Return the rows of `one_by_one` in a cube of 27 cm of one medium, by default with every electron on the stack."""
    cells = SIDE**3
    world = World(
        *[np.int32(SIDE)] * 3, *[np.float32(1.0 / 3.0)] * 3, np.float32(3.0), np.ones(cells, np.float32),
        np.full(cells, medium_index, np.uint8),
    )  # fmt: skip
    stack = Stack(np.zeros((DEPTH, INTEGERS), np.int32), np.zeros((DEPTH, REALS), np.float32))
    faults = np.zeros(FAULTS, np.int64)
    rows = one_by_one(np.float32(energy), world, tables, limits, np.zeros(cells, np.int64), faults, stack, count, SEED)
    assert not faults.any()
    return rows


@pytest.mark.parametrize("limits", [FOLLOWED, cuts(TransportParameters())], ids=["followed", "stopped"])
@pytest.mark.parametrize("energy", [0.0011, 0.00404, 0.01, 0.0333, 0.1405, 0.511, 1.0219, 1.03, 1.7, 3.0])
@pytest.mark.parametrize("which", [0, 1, 2], ids=["water", "lung", "bone"])
def test_energy_is_conserved_on_every_photon(energy, which, limits, three_media):
    """What is deposited, escapes and is set in motion, rest energy of pairs included: exactly the photon's."""
    rows = flights(energy, three_media, which, 3000, limits)
    energies = rows[:, 4:]
    positrons = energies >= 999.0
    moving = np.where(positrons, energies - 1000.0, energies)
    # Float64 holds the sum of a float32 and 1000 to 1e-13, so the float32 comes back.
    moving = np.round(moving.astype(np.float32).astype(np.float64) * 2.0**32)
    total = rows[:, 0] + rows[:, 1] + moving.sum(axis=1) + positrons.sum(axis=1) * 2 * REST
    assert np.all(total == np.round(np.float64(np.float32(energy)) * 2.0**32))
    assert rows[:, 0].min() >= -1e-6 * energy * 2.0**32  # the sum of the parts is rounded
    assert moving.min() >= 0.0
    if energy > 1.2:
        assert positrons.any()
    if energy < 2.0 * ELECTRON_MASS:
        assert not positrons.any()


@numba.njit
def follow_those_that_end(energies, places, directions, world, tables, cuts, farther, scores, stack, seed):
    """Follow farther the electrons that `ends_here` is sure of: (count,) quanta in their cell, -1 for others.

    Photons that they radiate are not followed.
    """
    found = np.full(energies.size, -1, np.int64)
    for i in range(energies.size):
        place = places[i]
        where = cell(world, place)
        medium_index = np.int32(world.medium[where])
        if ends_here(energies[i], place, world.density[where], medium_index, world, tables, cuts):
            scores.energy[:] = 0
            u, v, w = directions[i]
            key = Key(seed, np.uint64(i), np.uint32(1))
            slow_down(ELECTRON, energies[i], place, u, v, w, world, tables, farther, scores, stack, np.int32(0), key)
            found[i] = scores.energy[where]
    return found


@pytest.mark.parametrize("limits", [TransportParameters(), kernel_parameters(2.28)], ids=["doses", "kernels"])
@pytest.mark.parametrize("kind", ["voxels", "shells"])
def test_an_electron_that_ends_here_leaves_all_its_energy_here(kind, limits, three_media):
    """Whatever its direction, by following it to 2 keV; media and densities at random, places near walls too.

    But for what it radiates, and for the few that lose less than the mean on their way and come a little farther.
    """
    random = np.random.default_rng(3)
    cells = SIDE**3
    density = random.choice([0.001, 0.26, 1.0, 1.92], cells).astype(np.float32)
    index = random.integers(0, 3, cells).astype(np.uint8)
    count = 20_000
    if kind == "voxels":
        world = World(
            *[np.int32(SIDE)] * 3,
            *(np.float32(1.0 / side) for side in (0.5, 0.2, 0.3)),
            np.float32(0.2),
            density,
            index,
        )
        inside = random.random((count, 3)) ** random.choice([1, 8], (count, 1))  # some at the faces
        places = [
            Place(*(np.int32(i) for i in at), *(np.float32(f) for f in offset))
            for at, offset in zip(random.integers(0, SIDE, (count, 3)), inside, strict=True)
        ]
    else:
        edges = np.append(0.0, np.cumsum(random.uniform(0.01, 0.3, cells))).astype(np.float32)
        world = Shells(edges, np.float32(0.01), density, index)
        shells = random.integers(0, 40, count)
        radii = edges[shells] + np.diff(edges)[shells] * random.random(count)
        heading = random.normal(size=(count, 3))
        heading *= radii[:, None] / np.linalg.norm(heading, axis=1)[:, None]
        places = [
            Place(np.int32(0), np.int32(0), np.int32(shell), *(np.float32(f) for f in at))
            for shell, at in zip(shells, heading, strict=True)
        ]
    heading = random.normal(size=(count, 3))
    heading = (heading / np.linalg.norm(heading, axis=1)[:, None]).astype(np.float32)
    energies = np.exp(random.uniform(np.log(1e-5), np.log(0.3), count)).astype(np.float32)
    farther = cuts(limits)._replace(stop=np.float32(0.0), stop_inside=np.float32(0.0), lowest=np.float32(0.002))
    found = follow_those_that_end(
        energies, numba.typed.List(places), heading, world, three_media, cuts(limits), farther,
        Scores(np.zeros(cells, np.int64), np.zeros(FAULTS, np.int64)),
        Stack(np.zeros((DEPTH, INTEGERS), np.int32), np.zeros((DEPTH, REALS), np.float32)), SEED,
    )  # fmt: skip
    ended = found != -1
    assert ended.mean() > 0.2
    rounded = np.array([quanta(energy) for energy in energies])
    kept = found[ended] / rounded[ended]
    assert np.all(kept <= 1.0)
    assert np.mean(kept == 1.0) > 0.99
    assert np.average(kept, weights=rounded[ended]) > 0.9985


@pytest.mark.parametrize("energy", [0.01, 0.03, 0.06, 0.1405, 0.511, 1.5, 3.0])
@pytest.mark.parametrize(("which", "name"), [(0, "water"), (2, "cortical-bone")])
def test_processes_happen_as_often_as_their_cross_sections_say(energy, which, name, three_media):
    """Photons that coherent scattering cannot end: the first one that does something is of the right kind."""
    count = 100_000
    rows = flights(energy, three_media, which, count)
    mu = mass_attenuation(medium(name), energy)
    done = rows[rows[:, 2] > 0]
    first = done[:, 4]
    absorbed = np.abs(first - energy) < 1e-7 * energy  # a photoelectron has all of it, a recoil electron never
    whole = float(mu.photoelectric + mu.incoherent + mu.pair)
    assert_mean(absorbed, float(mu.photoelectric) / whole, allowance=2e-3)
    pairs = (done[:, 2] >= 2) & (done[:, 5] >= 999.0)
    assert_mean(pairs, float(mu.pair) / whole, allowance=2e-4 + 1e-3 * float(mu.pair) / whole)


@pytest.mark.parametrize("energy", [1.1, 1.7, 3.0])
def test_pairs_share_their_energy_evenly(energy, three_media):
    """The electron's share is uniform in 0 to 1, and the positron has the rest of it."""
    photon = three_media.photon.copy()
    photon[:, :, PHOTOELECTRIC] = 0.0
    photon[:, :, WITH_PAIR] = photon[:, :, WITH_COMPTON] = photon[:, :, TOTAL]
    rows = flights(energy, three_media._replace(photon=photon), 0, 100_000)
    rows = rows[rows[:, 2] == 2]
    available = energy - 2.0 * ELECTRON_MASS
    share = rows[:, 4] / available
    assert_distributed(share, np.linspace(0.0, 1.0 + 1e-6, 41), np.full(40, 0.025))
    np.testing.assert_allclose(rows[:, 4] + rows[:, 5] - 1000.0, available, rtol=2e-6)
    assert set(rows[:, 3]) == {ELECTRON}


def test_recoil_energy_is_klein_nishinas(three_media):
    """First interactions at 1 MeV by Compton scattering only: the mean energy given to electrons is 0.440 MeV."""
    photon = three_media.photon.copy()
    photon[:, :, :WITH_COMPTON] = 0.0
    photon[:, :, WITH_COMPTON] = photon[:, :, TOTAL]
    rows = flights(1.0, three_media._replace(photon=photon), 0, 100_000)
    first = rows[rows[:, 2] > 0, 4]

    def klein_nishina(x):
        ratio = 1.0 / (1.0 + x / ELECTRON_MASS)
        return ratio**2 * (ratio + 1.0 / ratio - x * (2.0 - x))

    whole = integrate.quad(klein_nishina, 0.0, 2.0)[0]
    kept = integrate.quad(lambda x: klein_nishina(x) / (1.0 + x / ELECTRON_MASS), 0.0, 2.0)[0] / whole
    assert_mean(first, 1.0 - kept, allowance=5e-4)  # binding takes the smallest transfers out
    assert PHOTON not in rows[:, 3]


@numba.njit
def alone_or_in_company(company, energy, world, tables, cuts, scores, stack, seed, history):
    """Follow a photon alone from above `company` particles on the stack; return what escaped and how many were pushed.

    Where it waits it is put on the stack below its electron, so it is taken up again and again.
    """
    depth = np.int32(company)
    place = Place(np.int32(4), np.int32(4), np.int32(4), np.float32(0.25), np.float32(0.5), np.float32(0.75))
    u, v, w = np.float32(0.48), np.float32(-0.64), np.float32(0.6)
    escaped = np.int64(0)
    number = 0
    stream, draw = np.uint32(1), np.int32(0)
    while True:
        key = Key(seed, history, stream)
        depth, out = fly(energy, place, u, v, w, world, tables, cuts, scores, stack, depth, key, draw)
        escaped += out
        waits = False
        while depth > company:
            depth = np.int32(depth - 1)
            kind, energy, place, u, v, w, stream, draw = pop(stack, depth)
            if kind == PHOTON:
                waits = True
                break
            number += 1
        if not waits:
            return escaped, number


@pytest.mark.parametrize("energy", [0.3, 1.0, 3.0])
def test_a_photon_that_waits_goes_on_as_if_it_had_not(energy, three_media):
    """So a dose does not depend on what else is on the stack, and on a GPU not on which photons are set aside."""
    cells = SIDE**3
    world = World(
        *[np.int32(SIDE)] * 3, *[np.float32(1.0 / 3.0)] * 3, np.float32(3.0), np.ones(cells, np.float32),
        np.zeros(cells, np.uint8),
    )  # fmt: skip
    stack = Stack(np.zeros((DEPTH, INTEGERS), np.int32), np.zeros((DEPTH, REALS), np.float32))
    collided = 0
    for history in range(300):
        found = []
        for company in (0, MANY_WAIT):
            scores = Scores(np.zeros(cells, np.int64), np.zeros(FAULTS, np.int64))
            of = (np.float32(energy), world, three_media, FOLLOWED, scores, stack, SEED, np.uint64(history))
            escaped, number = alone_or_in_company(company, *of)
            found.append((escaped, number, scores.energy.tobytes(), scores.faults.tobytes()))
            collided += number
        assert found[0] == found[1]
    assert collided > 500


def test_a_photon_that_finds_no_room_to_wait_goes_on(three_media):
    """On a full stack its electrons stay where they are, and no energy is lost."""
    cells = SIDE**3
    world = World(
        *[np.int32(SIDE)] * 3, *[np.float32(1.0 / 3.0)] * 3, np.float32(3.0), np.ones(cells, np.float32),
        np.zeros(cells, np.uint8),
    )  # fmt: skip
    stack = Stack(np.zeros((DEPTH, INTEGERS), np.int32), np.zeros((DEPTH, REALS), np.float32))
    for history in range(300):
        scores = Scores(np.zeros(cells, np.int64), np.zeros(FAULTS, np.int64))
        of = (np.float32(1.0), world, three_media, FOLLOWED, scores, stack, SEED, np.uint64(history))
        escaped, number = alone_or_in_company(DEPTH, *of)
        assert number == 0
        assert escaped + scores.energy.sum() == 2**32
