"""Hard collisions as the transport draws them: electrons and positrons each by the cross sections that are theirs."""

import numba
import numpy as np
import pytest
from draws import SEED, assert_mean

from mcdose.electron_data import (
    annihilation_cross_section,
    bhabha_cross_section,
    bremsstrahlung_cross_section,
    collision_stopping_power,
    moller_cross_section,
)
from mcdose.media import medium
from mcdose.parameters import TransportParameters
from mcdose.physics.random import Key
from mcdose.physics_tables import cuts, soft_stopping_power
from mcdose.transport.electron import annihilates_in_flight, collide, row_of
from mcdose.transport.score import FAULTS, Scores, quanta
from mcdose.transport.stack import DEPTH, ELECTRON, INTEGERS, PHOTON, POSITRON, REALS, Stack
from mcdose.transport.world import Place

PARAMETERS = TransportParameters()
LIMITS = cuts(PARAMETERS)
COUNT = 400_000
BONE = 2  # of the three media


@numba.njit
def collisions(kind, energy, bound, row, tables, limits, scores, stack, count, seed):
    """Collide from the same state; return (count, 3): kind of the secondary or -1, its energy, quanta that miss."""
    rows = np.zeros((count, 3))
    place = Place(np.int32(0), np.int32(0), np.int32(0), np.float32(0.5), np.float32(0.5), np.float32(0.5))
    zero, one = np.float32(0.0), np.float32(1.0)
    for i in range(count):
        key = Key(seed, np.uint64(i), np.uint32(1))
        depth, _, after, held, _, _, _ = collide(
            kind, energy, bound, quanta(energy), place, row, zero, zero, one, tables, limits, scores, stack,
            np.int32(0), key, 0,
        )  # fmt: skip
        rows[i, 0] = stack.integers[0, 0] if depth else -1
        rows[i, 1] = stack.reals[0, 0] if depth else 0.0
        taken = quanta(stack.reals[0, 0]) if depth else 0
        rows[i, 2] = abs(quanta(energy) - taken - held) + abs(after + rows[i, 1] - energy)
    return rows


@numba.njit
def annihilations(energy, bound, row, tables, count, seed):
    found = 0
    for i in range(count):
        in_flight, _, _ = annihilates_in_flight(energy, bound, row, tables, Key(seed, np.uint64(i), np.uint32(1)), 0)
        found += in_flight
    return found


@pytest.mark.parametrize(("kind", "charge"), [(ELECTRON, -1), (POSITRON, 1)], ids=["electrons", "positrons"])
@pytest.mark.parametrize("energy", [0.15, 0.5, 1.5])
def test_secondaries_are_as_many_and_as_energetic_as_the_cross_sections_say(kind, charge, energy, three_media):
    bone, cut = medium("cortical-bone"), PARAMETERS.delta_cut_mev
    row = row_of(np.int32(kind), np.uint8(BONE), three_media)
    assert row == BONE + (3 if charge > 0 else 0)
    soft = float(soft_stopping_power(bone, energy, PARAMETERS, charge))
    count = bhabha_cross_section if charge > 0 else moller_cross_section
    knock_on = float(count(bone, energy, cut)) / soft
    radiated = float(bremsstrahlung_cross_section(bone, energy, PARAMETERS.photon_cut_mev, charge)) / soft
    bound = 1.2 * (knock_on + radiated)
    scores = Scores(np.zeros(1, np.int64), np.zeros(FAULTS, np.int64))
    stack = Stack(np.zeros((DEPTH, INTEGERS), np.int32), np.zeros((DEPTH, REALS), np.float32))
    rows = collisions(
        np.int32(kind), np.float32(energy), np.float32(bound), row, three_media, LIMITS, scores, stack, COUNT, SEED
    )
    interpolated = 2e-3 * knock_on / bound if energy > 0.2 else 0.05 * knock_on / bound  # near the threshold
    assert_mean(rows[:, 0] == ELECTRON, knock_on / bound, interpolated)
    assert_mean(rows[:, 0] == PHOTON, radiated / bound, 2e-3 * radiated / bound)
    assert rows[:, 2].max() <= 2e-6
    transfers = rows[rows[:, 0] == ELECTRON, 1]
    if knock_on > 0.0:
        above = collision_stopping_power(bone, energy, charge=charge) - collision_stopping_power(
            bone, energy, cut, charge
        )
        assert_mean(transfers, float(above) / soft / knock_on)
        assert (transfers.max() > 0.6 * energy) == (charge > 0)
    else:
        assert charge < 0
        assert transfers.size == 0


def test_annihilation_in_flight_is_one_of_the_collisions(three_media):
    energy, bone = 0.7, medium("cortical-bone")
    row = row_of(np.int32(POSITRON), np.uint8(BONE), three_media)
    expected = float(annihilation_cross_section(bone, energy) / soft_stopping_power(bone, energy, PARAMETERS, 1))
    bound = 3.0 * expected
    found = annihilations(np.float32(energy), np.float32(bound), row, three_media, COUNT, SEED)
    assert found / COUNT == pytest.approx(expected / bound, abs=5.0 * np.sqrt(0.25 / COUNT))
