"""Transport of one photon: straight flights and interactions, by Woodcock's fictitious collisions.

Neglects fluorescence. Source: Woodcock et al., ANL-7050 (1965) 557.
"""

import numpy as np

from mcdose.constants import ELECTRON_MASS
from mcdose.jit import compiled, inlined
from mcdose.physics.compton import recoil_deflection, sample_compton
from mcdose.physics.direction import turned
from mcdose.physics.lookup import column_at, locate
from mcdose.physics.pair import pair_deflection
from mcdose.physics.photoelectric import sample_photoelectron
from mcdose.physics.random import exponential, random_block, uniform
from mcdose.physics.rayleigh import sample_rayleigh
from mcdose.transport.electron import stays_inside
from mcdose.transport.geometry import cell, flown
from mcdose.transport.score import FLIGHT_LIMIT_REACHED, STACK_FULL, deposit, expect, fault, quanta
from mcdose.transport.stack import ELECTRON, GONE, MOVES, PHOTON, POSITRON, push
from mcdose.transport.tables import (
    ELECTRON_BITS,
    ELECTRON_LAST,
    ELECTRON_LOW,
    PHOTOELECTRIC,
    PHOTON_BITS,
    PHOTON_LAST,
    PHOTON_LOW,
    RANGE,
    TOTAL,
    WITH_COMPTON,
    WITH_PAIR,
)
from mcdose.transport.track_length import is_short, leave_along

LOWEST_PHOTON = 0.001  # MeV; below it a photon's energy stays where it is
MANY_WAIT = 8  # particles on the stack; a photon that scatters then waits for its electron to be followed first
FLIGHT_LIMIT = 1_000_000  # flights of one photon, fictitious collisions included; reaching it is counted as a fault


@compiled
def ends_here(energy, place, density, medium, world, tables, cuts):
    """Tell whether an electron set in motion here leaves all its energy in this cell; its direction is never asked."""
    index, inside = locate(energy, ELECTRON_LOW, ELECTRON_BITS, ELECTRON_LAST)
    residual = column_at(tables.electron, medium, index, inside, RANGE)
    return stays_inside(residual, place, density, world, cuts)


@inlined
def depart(energy, place, u, v, w, draw, world, tables, cuts, scores, key):
    """Start a photon's flight: find where it collides, perhaps fictitiously.

    Returns
    -------
    place : of the collision
    fate : MOVES, or GONE if it left the grid or was too slow to fly
    escaped : quanta that left the grid, less what was left for short electrons
    bound : of the attenuation there, 1/cm
    word_2, word_3, word_4 : random, for the collision
    draw : the next unused block
    """
    held = quanta(energy)
    zero = np.uint32(0)
    if energy < LOWEST_PHOTON:
        deposit(scores, cell(world, place), held)
        return place, np.int32(GONE), np.int64(0), np.float32(0.0), zero, zero, zero, draw
    word_1, word_2, word_3, word_4 = random_block(key, draw)
    index, inside = locate(energy, PHOTON_LOW, PHOTON_BITS, PHOTON_LAST)
    bound = tables.photon_bound[index] + inside * (tables.photon_bound[index + 1] - tables.photon_bound[index])
    start = place
    place, in_grid, bound = flown(world, place, u, v, w, exponential(word_1), bound)
    escaped = np.int64(0)
    if cuts.short > 0.0:
        escaped -= leave_along(world, start, place, in_grid, u, v, w, energy, index, inside, tables, cuts, scores)
    if not in_grid:
        return place, np.int32(GONE), escaped + held, bound, word_2, word_3, word_4, draw + 1
    return place, np.int32(MOVES), escaped, bound, word_2, word_3, word_4, draw + 1


@inlined
def arrive(
    energy, place, u, v, w, draw, bound, word_2, word_3, word_4, escaped, world, tables, cuts, scores, stack, depth, key
):
    """End a photon's flight with its collision.

    Returns
    -------
    energy, place, u, v, w, draw : after the collision
    fate : MOVES or GONE
    depth : of the stack, which holds the electrons it set in motion
    escaped : the quanta given, and those of electrons that were scored before
    """
    held = quanta(energy)
    index, inside = locate(energy, PHOTON_LOW, PHOTON_BITS, PHOTON_LAST)
    voxel = cell(world, place)
    medium = np.int32(world.medium[voxel])
    density = world.density[voxel]
    chosen = uniform(word_2) * bound / max(density, 1.0e-12)
    if chosen >= column_at(tables.photon, medium, index, inside, TOTAL):
        return energy, place, u, v, w, draw, np.int32(MOVES), depth, escaped  # a fictitious collision

    if chosen < column_at(tables.photon, medium, index, inside, PHOTOELECTRIC):
        if energy < cuts.short:
            return energy, place, u, v, w, draw, np.int32(GONE), depth, escaped + held
        if ends_here(energy, place, density, medium, world, tables, cuts):
            deposit(scores, voxel, held)
            return energy, place, u, v, w, draw, np.int32(GONE), depth, escaped
        one_minus_cosine, turn, draw = sample_photoelectron(energy, key, draw)
        a, b, c = turned(u, v, w, one_minus_cosine, turn)
        new_depth = push(stack, depth, ELECTRON, energy, place, a, b, c, word_3)
        if new_depth == depth:
            deposit(scores, voxel, held)
            fault(scores, STACK_FULL, held)
        return energy, place, u, v, w, draw, np.int32(GONE), new_depth, escaped

    if chosen < column_at(tables.photon, medium, index, inside, WITH_PAIR):
        shared = max(energy - 2.0 * ELECTRON_MASS, 0.0)
        first = shared * uniform(word_3)
        turn = uniform(word_4)
        opposite = turn + 0.5 if turn < 0.5 else turn - 0.5
        word_1, word_2, word_3, word_4 = random_block(key, draw)
        draw += 1
        a, b, c = turned(u, v, w, pair_deflection(first, uniform(word_1)), turn)
        with_electron = push(stack, depth, ELECTRON, first, place, a, b, c, word_3)
        if with_electron > depth:
            held -= quanta(first)
        else:
            fault(scores, STACK_FULL, quanta(first))
        a, b, c = turned(u, v, w, pair_deflection(shared - first, uniform(word_2)), opposite)
        with_both = push(stack, with_electron, POSITRON, shared - first, place, a, b, c, word_4)
        carried = quanta(shared - first) + np.int64(2) * quanta(ELECTRON_MASS)
        if with_both > with_electron:
            held -= carried
        else:
            fault(scores, STACK_FULL, carried)
        deposit(scores, voxel, held)
        return energy, place, u, v, w, draw, np.int32(GONE), with_both, escaped

    if chosen >= column_at(tables.photon, medium, index, inside, WITH_COMPTON):
        one_minus_cosine, draw = sample_rayleigh(energy, tables.form_factor, medium, key, draw)
        u, v, w = turned(u, v, w, one_minus_cosine, uniform(word_3))
        return energy, place, u, v, w, draw, np.int32(MOVES), depth, escaped

    scattered, one_minus_cosine = sample_compton(energy, tables.compton, medium, index, inside, uniform(word_4))
    recoil = energy - scattered
    turn = uniform(word_3)
    next_u, next_v, next_w = turned(u, v, w, one_minus_cosine, turn)
    held -= quanta(scattered)
    fate = np.int32(MOVES)
    if cuts.short > 0.0 and is_short(uniform(word_4), medium, index, inside, tables):
        return scattered, place, next_u, next_v, next_w, draw, fate, depth, escaped + held
    if not ends_here(recoil, place, density, medium, world, tables, cuts):
        word_1, _, _, _ = random_block(key, draw)
        draw += 1
        if depth >= MANY_WAIT:  # it will go on as if it had not waited: no result depends on what else is on the stack
            with_photon = push(stack, depth, PHOTON, scattered, place, next_u, next_v, next_w, key.stream, draw)
            fate = np.int32(GONE if with_photon > depth else MOVES)
            depth = with_photon
        opposite = turn + 0.5 if turn < 0.5 else turn - 0.5
        a, b, c = turned(u, v, w, recoil_deflection(energy, scattered, one_minus_cosine), opposite)
        with_electron = push(stack, depth, ELECTRON, recoil, place, a, b, c, word_1)
        if with_electron > depth:
            held -= quanta(recoil)
        else:
            fault(scores, STACK_FULL, quanta(recoil))
        depth = with_electron
    deposit(scores, voxel, held)
    return scattered, place, next_u, next_v, next_w, draw, fate, depth, escaped


@inlined
def photon_flight(energy, place, u, v, w, draw, world, tables, cuts, scores, stack, depth, key):
    """Follow a photon for one flight, to a collision that may be fictitious.

    Returns
    -------
    energy, place, u, v, w, draw : after the collision
    fate : MOVES or GONE
    depth : of the stack, which holds the electrons it set in motion
    escaped : quanta that left the grid, less what was left for short electrons above what they took
    """
    place, fate, escaped, bound, word_2, word_3, word_4, draw = depart(
        energy, place, u, v, w, draw, world, tables, cuts, scores, key
    )
    if fate == GONE:
        return energy, place, u, v, w, draw, fate, depth, escaped
    expect(scores.energy, cell(world, place))
    return arrive(
        energy, place, u, v, w, draw, bound, word_2, word_3, word_4, escaped, world, tables, cuts, scores, stack, depth,
        key,
    )  # fmt: skip


@inlined
def lose(energy, place, world, scores):
    """Leave the energy of a photon that reached the limit of flights where it is."""
    held = quanta(energy)
    deposit(scores, cell(world, place), held)
    fault(scores, FLIGHT_LIMIT_REACHED, held)


@compiled
def fly(energy, place, u, v, w, world, tables, cuts, scores, stack, depth, key, draw=0):
    """Follow a photon until it is absorbed, leaves the grid or waits; `draw` blocks of random numbers are used up.

    Returns
    -------
    depth : of the stack, which holds the electrons it set in motion
    escaped : quanta that left the grid
    """
    escaped = np.int64(0)
    for _ in range(FLIGHT_LIMIT):
        energy, place, u, v, w, draw, fate, depth, out = photon_flight(
            energy, place, u, v, w, draw, world, tables, cuts, scores, stack, depth, key
        )
        escaped += out
        if fate == GONE:
            return depth, escaped
    lose(energy, place, world, scores)
    return depth, escaped
