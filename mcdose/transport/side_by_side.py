"""Histories of a chunk on the CPU, their photons side by side: while one's voxel comes from memory, others go on.

A photon's flight ends in a voxel far from where it began, and what is read there has to come from memory: a fifth of a
photon's time was spent waiting for it. So a photon that knows where it collides asks for that memory and waits in a
slot while the others have their turns. Every particle has a random stream of its own: the dose has the same bits as
if each history were followed to its end (`transport.history.follow`), unless the stack fills.
"""

from typing import Any, NamedTuple

import numpy as np

from mcdose.jit import inlined
from mcdose.physics.random import Key
from mcdose.transport.geometry import cell
from mcdose.transport.history import FIRST_STREAM, follow_last, start
from mcdose.transport.photon import FLIGHT_LIMIT, arrive, depart, lose
from mcdose.transport.score import expect, expect_to_read
from mcdose.transport.source import aim, expect_row
from mcdose.transport.stack import GONE, MOVES, PHOTON, push
from mcdose.transport.world import Place

SLOTS = 16
SLOT_WORDS, SLOT_REALS = 8, 8


class Slots(NamedTuple):
    """Photons of decays that wait for the memory of the voxel where they collide."""

    histories: Any  # (SLOTS,) uint64
    escaped: Any  # (SLOTS,) int64, quanta of the flight
    words: Any  # (SLOTS, SLOT_WORDS) uint32: z, y, x, draw, flights, three random words
    reals: Any  # (SLOTS, SLOT_REALS) float32: offsets z, y, x, energy, direction, bound


def new_slots() -> Slots:
    """Return empty slots."""
    return Slots(
        np.zeros(SLOTS, np.uint64),
        np.zeros(SLOTS, np.int64),
        np.zeros((SLOTS, SLOT_WORDS), np.uint32),
        np.zeros((SLOTS, SLOT_REALS), np.float32),
    )


@inlined
def set_out(slots, slot, history, energy, place, u, v, w, draw, flights, seed, world, tables, cuts, scores):
    """Start a photon's flight, and put it in a slot; return whether it waits there, and otherwise what escaped."""
    place, fate, escaped, bound, word_2, word_3, word_4, draw = depart(
        energy, place, u, v, w, draw, world, tables, cuts, scores, Key(seed, history, FIRST_STREAM)
    )
    if fate == GONE:
        return False, escaped
    voxel = cell(world, place)
    expect_to_read(world.density, voxel)
    expect_to_read(world.medium, voxel)
    expect(scores.energy, voxel)
    slots.histories[slot] = history
    slots.escaped[slot] = escaped
    words, reals = slots.words[slot], slots.reals[slot]
    words[0], words[1], words[2] = np.uint32(place.z), np.uint32(place.y), np.uint32(place.x)
    words[3], words[4] = np.uint32(draw), np.uint32(flights)
    words[5], words[6], words[7] = word_2, word_3, word_4
    reals[0], reals[1], reals[2] = place.offset_z, place.offset_y, place.offset_x
    reals[3], reals[4], reals[5], reals[6], reals[7] = energy, u, v, w, bound
    return True, np.int64(0)


@inlined
def follow_side_by_side(seed, first, count, source, world, tables, cuts, scores, stack, slots, account):
    """Follow histories first .. first + count - 1; add to `scores` and `account` (see `engine.work`)."""
    emitted = np.int64(0)
    escaped = np.int64(0)
    flights = np.int64(0)
    waiting = np.int64(0)
    begun = np.uint64(0)
    aimed = aim(source, world, Key(seed, first, np.uint32(0)))
    while True:
        while waiting < SLOTS and begun < count:
            history = first + begun
            begun += np.uint64(1)
            here = aimed
            aimed = aim(source, world, Key(seed, history + np.uint64(1), np.uint32(0)))
            expect_row(source, world, aimed)
            kind, energy, place, u, v, w, brought = start(seed, history, here, source, world)
            emitted += brought
            if kind == PHOTON:
                waits, out = set_out(
                    slots, waiting, history, energy, place, u, v, w, 0, 1, seed, world, tables, cuts,
                    scores,
                )  # fmt: skip
                escaped += out
                waiting += np.int64(1) if waits else np.int64(0)
                continue
            depth = push(stack, np.int32(0), kind, energy, place, u, v, w, FIRST_STREAM)
            while depth > 0:
                depth, out, flown = follow_last(seed, history, world, tables, cuts, scores, stack, depth)
                escaped += out
                flights += flown
        if waiting == 0:
            break
        slot = np.int64(0)
        while slot < waiting:
            history = slots.histories[slot]
            words, reals = slots.words[slot], slots.reals[slot]
            place = Place(np.int32(words[0]), np.int32(words[1]), np.int32(words[2]), reals[0], reals[1], reals[2])
            draw, passed = np.int64(words[3]), np.int64(words[4])
            energy, place, u, v, w, draw, fate, depth, out = arrive(
                reals[3], place, reals[4], reals[5], reals[6], draw, reals[7], words[5], words[6], words[7],
                slots.escaped[slot], world, tables, cuts, scores, stack, np.int32(0), Key(seed, history, FIRST_STREAM),
            )  # fmt: skip
            escaped += out
            while depth > 0:
                depth, out, flown = follow_last(seed, history, world, tables, cuts, scores, stack, depth)
                escaped += out
                flights += flown
            waits = False
            if fate == MOVES:
                if passed == FLIGHT_LIMIT:
                    lose(energy, place, world, scores)
                else:
                    waits, out = set_out(
                        slots, slot, history, energy, place, u, v, w, draw, passed + 1, seed, world, tables,
                        cuts, scores,
                    )  # fmt: skip
                    escaped += out
            if waits:
                slot += np.int64(1)
            else:
                waiting -= np.int64(1)
                slots.histories[slot] = slots.histories[waiting]
                slots.escaped[slot] = slots.escaped[waiting]
                for k in range(SLOT_WORDS):
                    slots.words[slot, k] = slots.words[waiting, k]
                for k in range(SLOT_REALS):
                    slots.reals[slot, k] = slots.reals[waiting, k]
    account[0] += emitted
    account[1] += escaped
    account[2] += flights
    account[3] += np.int64(count)
