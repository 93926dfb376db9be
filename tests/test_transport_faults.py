"""What should not happen to a history is counted, with its energy, and the balance stays exact."""

import warnings

import numba
import numpy as np
import pytest
from history_rows import SIDE, case

import mcdose
from mcdose.engine.work import named_faults
from mcdose.media import medium
from mcdose.parameters import TransportParameters
from mcdose.physics.random import Key
from mcdose.physics_tables import build, cuts
from mcdose.transport.electron import electron_flight, electron_that_moves
from mcdose.transport.history import follow_last
from mcdose.transport.score import FAULTS, FLIGHT_LIMIT_REACHED, STACK_FULL, Scores, quanta
from mcdose.transport.stack import ELECTRON, GONE, INTEGERS, PHOTON, POSITRON, REALS, Stack, push
from mcdose.transport.world import Place

FINE = TransportParameters(delta_cut_mev=0.005, photon_cut_mev=0.001)


@numba.njit
def escaped(count, kind, energy, world, tables, limits, scores, stack):
    """Follow `count` particles from the middle voxel, and all that they set in motion; return the quanta that left."""
    total = 0
    for history in range(count):
        middle = Place(
            np.int32(3), np.int32(3), np.int32(3), np.float32(0.3), np.float32(0.4), np.float32(0.5)
        )  # fmt: skip
        u, v, w = np.float32(0.6), np.float32(0.0), np.float32(0.8)
        depth = push(stack, np.int32(0), kind, energy, middle, u, v, w, np.uint32(1))
        while depth > 0:
            depth, out, _ = follow_last(
                np.uint64(5), np.uint64(history), world, tables, limits, scores, stack, depth
            )  # fmt: skip
            total += out
    return total


@pytest.mark.parametrize("depth", [1, 2, 3, 32])
@pytest.mark.parametrize(
    ("kind", "energy"),
    [(ELECTRON, 2.9), (ELECTRON, 0.3), (PHOTON, 0.05), (PHOTON, 0.6), (PHOTON, 2.9), (POSITRON, 1.0)],
)
def test_a_full_stack_keeps_the_balance(kind, energy, depth):
    _, world, _, _ = case("mixed")
    tables = build([medium(name) for name in ("water", "lung", "cortical-bone")], [1.0, 0.26, 1.92], FINE)
    scores = Scores(np.zeros(SIDE**3, np.int64), np.zeros(FAULTS, np.int64))
    stack = Stack(np.zeros((depth, INTEGERS), np.int32), np.zeros((depth, REALS), np.float32))
    count = 3000
    left = escaped(count, kind, np.float32(energy), world, tables, cuts(FINE), scores, stack)
    started = int(quanta(np.float32(energy)))
    if kind == POSITRON:
        started += 2 * int(quanta(np.float32(0.51099895)))
    assert count * started == scores.energy.sum() + left
    assert scores.energy.min() >= 0
    overflows, dropped = scores.faults[STACK_FULL], scores.faults[STACK_FULL + 1]
    assert (overflows > 0) == (dropped > 0)
    assert 0 <= dropped <= scores.energy.sum()
    assert not scores.faults[FLIGHT_LIMIT_REACHED:].any()
    if depth == 1 and (kind, energy) in ((ELECTRON, 2.9), (POSITRON, 1.0)):
        assert overflows > 100
    if depth == 32:
        assert overflows == 0 or energy == 2.9


@pytest.mark.parametrize("kind", [ELECTRON, POSITRON])
def test_a_particle_without_energy_is_divided_by_nothing(kind):
    """Half of a pair can have none, by rounding. In plain Python: what a compiler makes of an int(nan) is up to it."""
    _, world, tables, limits = case("mixed")
    world = world._replace(density=np.zeros_like(world.density))
    scores = Scores(np.zeros(SIDE**3, np.int64), np.zeros(FAULTS, np.int64))
    stack = Stack(np.zeros((1, INTEGERS), np.int32), np.zeros((1, REALS), np.float32))
    place = Place(*[np.int32(3)] * 3, *[np.float32(0.4)] * 3)
    heading = [np.float32(x) for x in (0.6, 0.0, 0.8)]
    key = Key(np.uint64(5), np.uint64(0), np.uint32(1))
    moving = electron_that_moves(np.int32(kind), np.float32(0.0), place, *heading, world, tables, key)
    with np.errstate(all="raise"):
        _, fate, _, left = electron_flight.py_func(moving, world, tables, limits, scores, stack, np.int32(0), key)
    assert fate == GONE
    assert left == (2 * int(quanta(np.float32(0.51099895))) if kind == POSITRON else 0)
    assert not scores.energy.any()


def test_faults_have_names():
    numbers = np.array([3, 3 * 2**32, 5, 2**31], np.int64)
    named = named_faults(numbers, 0)
    assert (named["stack overflows"].count, named["stack overflows"].energy_mev) == (3, 3.0)
    assert (named["flight limits reached"].count, named["flight limits reached"].energy_mev) == (5, 0.5)
    assert named["histories lost"].count == 0


def test_a_run_with_faults_says_so():
    """Knock-on electrons above 1 keV are too many for the stack: the user hears of it, also after a merge."""
    arguments = {"voxel_mm": (3.0, 3.0, 3.0), "parameters": TransportParameters(delta_cut_mev=0.001)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parts = [
            mcdose.absorbed_dose(np.ones((4, 4, 4)), histories=4096, first_history=first, **arguments)
            for first in (0, 4096)
        ]
    merged = mcdose.merge(parts)
    for result in (*parts, merged):
        energies = result.energy_quanta
        assert energies["emitted"] == energies["deposited"] + energies["escaped"]
        fault = result.faults["stack overflows"]
        assert fault.count > 1000
        assert fault.energy_mev == pytest.approx(energies["dropped"] / 2**32)
        assert any(f"{fault.count} stack overflows" in warning for warning in result.warnings)
    counts = [result.faults["stack overflows"].count for result in parts]
    assert merged.faults["stack overflows"].count == sum(counts)


def test_lost_histories_are_an_error(monkeypatch):
    """A device that follows fewer histories than it was asked to gives no dose."""
    from mcdose.engine import work

    with pytest.raises(RuntimeError, match="7 of 100 histories were lost"):
        work.check_followed(100, 93)
    monkeypatch.setattr(work, "FOLLOWED", work.FLIGHTS)
    with pytest.raises(RuntimeError, match="histories were lost"):
        mcdose.absorbed_dose(np.ones((2, 2, 2)), (3.0, 3.0, 3.0), histories=100)
