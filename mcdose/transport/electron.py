"""Condensed-history transport of one electron or positron (class II, random hinge).

A *step* is the path on which the electron softly loses a fixed part of its energy. Its whole deflection happens at
one point of it, the hinge, which is uniform in the step; so the electron flies straight from hinge to hinge,
through any number of voxel faces, unless a hard collision comes first. Everything is counted in the mean energy
lost: a voxel of another density or medium changes only how many centimetres a MeV is worth. Sources: random hinge,
Fernandez-Varea et al., Nucl. Instrum. Meth. B 73 (1993) 447; steps decoupled from faces, Sempau, Wilderman,
Bielajew (DPM), Phys. Med. Biol. 45 (2000) 2263.

A positron is followed in the same way, by the rows of the tables that are its own; it knocks electrons on by Bhabha's
cross section, and annihilates.
"""

import numpy as np

from mcdose.constants import ELECTRON_MASS
from mcdose.jit import compiled, inlined
from mcdose.physics.annihilation import photon_deflection, sample_annihilation
from mcdose.physics.bhabha import sample_bhabha
from mcdose.physics.bremsstrahlung import sample_dipole, sample_photon_energy
from mcdose.physics.direction import isotropic, turned
from mcdose.physics.lookup import column_at, locate
from mcdose.physics.moller import moller_deflections, sample_moller
from mcdose.physics.random import exponential, random_block, uniform, uniform_high, uniform_low
from mcdose.physics.scattering import sample_deflection
from mcdose.physics.straggling import sample_loss
from mcdose.transport.geometry import across, advanced, cell, clearance, to_boundary
from mcdose.transport.moving import Moving
from mcdose.transport.score import FLIGHT_LIMIT_REACHED, STACK_FULL, deposit, fault, quanta
from mcdose.transport.stack import ELECTRON, GONE, MOVES, PHOTON, POSITRON, STOPPED, push
from mcdose.transport.tables import (
    ADVANCE_FINE,
    ANGLE_BITS,
    ANGLE_LAST,
    ANNIHILATION,
    BREMSSTRAHLUNG,
    ELECTRON_BITS,
    ELECTRON_LAST,
    ELECTRON_LOW,
    KNOCK_ON,
    RANGE,
    VARIANCE,
)
from mcdose.transport.world import FAR

FLIGHT_LIMIT = 100_000  # flights of one particle, and faces of one flight; so many flights are counted as a fault
RESIDUAL_PATH = 1.5  # CSDA range over the straight path along which a stopped electron's last energy is spread


@compiled
def collide(kind, energy, bound, held, place, row, u, v, w, tables, cuts, scores, stack, depth, key, draw):
    """Hard collision: a knock-on electron, a bremsstrahlung photon, or nothing (the bound was above the truth).

    Returns
    -------
    depth, draw, energy, held, u, v, w : after the collision; a secondary that found no room on the stack leaves its
        energy in this voxel
    """
    word_1, word_2, stream, _ = random_block(key, draw)
    draw += 1
    index, inside = locate(energy, ELECTRON_LOW, ELECTRON_BITS, ELECTRON_LAST)
    knock_on = column_at(tables.hard, row, index, inside, KNOCK_ON)
    radiation = column_at(tables.hard, row, index, inside, BREMSSTRAHLUNG)
    chosen = uniform(word_1) * bound
    if chosen < knock_on and energy > (cuts.delta if kind == POSITRON else 2.0 * cuts.delta):
        if kind == POSITRON:
            transfer, draw = sample_bhabha(energy, cuts.delta, key, draw)
        else:
            transfer, draw = sample_moller(energy, cuts.delta, key, draw)
        fast, slow = moller_deflections(energy, transfer)
        turn = uniform(word_2)
        opposite = turn + 0.5 if turn < 0.5 else turn - 0.5
        a, b, c = turned(u, v, w, slow, opposite)
        new_depth = push(stack, depth, ELECTRON, transfer, place, a, b, c, stream)
        u, v, w = turned(u, v, w, fast, turn)
    elif chosen >= knock_on and chosen < knock_on + radiation and energy > cuts.photon:
        index, inside = locate(energy, ELECTRON_LOW, ANGLE_BITS, ANGLE_LAST)
        transfer, draw = sample_photon_energy(energy, cuts.photon, tables.radiation, index, inside, key, draw)
        one_minus_cosine, turn, draw = sample_dipole(energy, key, draw)
        a, b, c = turned(u, v, w, one_minus_cosine, turn)
        new_depth = push(stack, depth, PHOTON, transfer, place, a, b, c, stream)
    else:
        return depth, draw, energy, held, u, v, w
    if new_depth == depth:
        fault(scores, STACK_FULL, quanta(transfer))
    else:
        held -= quanta(transfer)
    return new_depth, draw, max(energy - transfer, 1.0e-6), held, u, v, w


@compiled
def annihilates_in_flight(energy, bound, row, tables, key, draw):
    """Tell whether a hard collision of a positron is its annihilation.

    Returns
    -------
    in_flight, bound : the rest of the bound, for the other collisions, if it is not
    draw : the next unused block
    """
    word_1, _, _, _ = random_block(key, draw)
    index, inside = locate(energy, ELECTRON_LOW, ELECTRON_BITS, ELECTRON_LAST)
    part = column_at(tables.hard, row, index, inside, ANNIHILATION)
    return uniform(word_1) * bound < part, bound - part, draw + 1


@compiled
def annihilate_in_flight(energy, held, place, voxel, u, v, w, scores, stack, depth, key, draw):
    """Two photons of a positron that moves, which leave all its energy but for rounding; return the stack's depth."""
    share, draw = sample_annihilation(energy, key, draw)
    word_1, stream_1, stream_2, _ = random_block(key, draw)
    turn = uniform(word_1)
    opposite = turn + 0.5 if turn < 0.5 else turn - 0.5
    whole = energy + 2.0 * ELECTRON_MASS
    held += np.int64(2) * quanta(ELECTRON_MASS)
    for part, azimuth, stream in ((share, turn, stream_1), (1.0 - share, opposite, stream_2)):
        a, b, c = turned(u, v, w, photon_deflection(energy, part), azimuth)
        new_depth = push(stack, depth, PHOTON, part * whole, place, a, b, c, stream)
        if new_depth == depth:
            fault(scores, STACK_FULL, quanta(part * whole))
        else:
            held -= quanta(part * whole)
        depth = new_depth
    deposit(scores, voxel, held)
    return depth


@compiled
def annihilate(place, voxel, scores, stack, depth, key, draw):
    """Two photons of the electron's rest energy, back to back, where a positron stopped; return the stack's depth."""
    word_1, word_2, stream_1, stream_2 = random_block(key, draw)
    u, v, w = isotropic(uniform(word_1), uniform(word_2))
    for sign, stream in ((1.0, stream_1), (-1.0, stream_2)):
        new_depth = push(stack, depth, PHOTON, ELECTRON_MASS, place, sign * u, sign * v, sign * w, stream)
        if new_depth == depth:
            fault(scores, STACK_FULL, quanta(ELECTRON_MASS))
            deposit(scores, voxel, quanta(ELECTRON_MASS))
        depth = new_depth
    return depth


@inlined
def row_of(kind, medium, tables):
    """Return the row of the tables of an electron or positron in a medium."""
    before = np.int32(tables.electron.shape[0] >> 1) if kind == POSITRON else np.int32(0)
    return np.int32(before + np.int32(medium))


@inlined
def stays_inside(residual, place, density, world, cuts):
    """Tell whether an electron of a residual range [g/cm2] can be left where it is: it reaches no face of its cell."""
    return residual < cuts.stop_inside * (density * world.smallest) and residual < density * clearance(world, place)


@inlined
def electron_that_moves(kind, energy, place, u, v, w, world, tables, key):
    """Return the `Moving` electron or positron, which starts."""
    voxel = cell(world, place)
    zero = np.float32(0.0)
    word_1, _, _, _ = random_block(key, 0)
    return Moving(
        kind, energy, place, u, v, w, np.int64(1),
        voxel, world.density[voxel], row_of(kind, world.medium[voxel], tables), quanta(energy),
        exponential(word_1), zero, zero, zero, False, False,
    )  # fmt: skip


@inlined
def electron_flight(electron, world, tables, cuts, scores, stack, depth, key):
    """Follow an electron for one flight: to its hinge, a hard collision or its end, through any number of voxels.

    Returns
    -------
    electron : `Moving`, where the flight ended
    fate : MOVES, STOPPED or GONE
    depth : of the stack, which holds the secondaries
    escaped : quanta that left the grid
    """
    kind, energy, place, u, v, w, draw, voxel, density, row, held = electron[:11]
    to_hard, before_hinge, first_part, last_part, coarse, started = electron[11:]
    index, inside = locate(energy, ELECTRON_LOW, ELECTRON_BITS, ELECTRON_LAST)
    residual = column_at(tables.electron, row, index, inside, RANGE)
    if stays_inside(residual, place, density, world, cuts):
        deposit(scores, voxel, held)
        return electron, np.int32(STOPPED), depth, np.int64(0)
    word_1, word_2, word_3, word_4 = random_block(key, draw)
    draw += 1
    size = density * world.smallest
    stopping_here = energy <= cuts.lowest or residual < cuts.stop * size
    if not started:
        coarse = residual < cuts.coarse * size
        begin = energy - last_part
        step = begin * (cuts.step_coarse if coarse else cuts.step_fine)
        first_part = step * uniform_high(word_3)
        before_hinge = last_part + first_part
        last_part = step - first_part
        started = True

    # How far this flight goes, in mean soft loss.
    mean_loss = max(energy if stopping_here else before_hinge, 1.0e-9)
    bound = tables.hard_bound[1 if kind == POSITRON else 0, index + 1]
    hard = not stopping_here and to_hard < mean_loss * bound
    if hard:
        mean_loss = max(to_hard / bound, 1.0e-9)
    else:
        to_hard -= mean_loss * bound

    middle = energy - 0.5 * mean_loss
    middle_index, middle_inside = locate(middle, ELECTRON_LOW, ELECTRON_BITS, ELECTRON_LAST)
    advance = ADVANCE_FINE + (np.int32(1) if coarse else np.int32(0))
    stopping = column_at(tables.electron, row, middle_index, middle_inside, advance)
    if stopping_here:
        stopping *= RESIDUAL_PATH
        loss = energy
    else:
        variance = column_at(tables.electron, row, middle_index, middle_inside, VARIANCE)
        sampled = sample_loss(mean_loss, variance * mean_loss, uniform_low(word_3), uniform_low(word_4))
        loss = min(sampled, 0.95 * energy)
    after = energy - loss

    # Fly, through as many voxels as it takes.
    fate = MOVES
    escaped = np.int64(0)
    left = mean_loss
    per_mean = loss / mean_loss
    for _ in range(FLIGHT_LIMIT):
        rate = density * stopping  # MeV/cm
        distance = left / rate if rate * FAR > left else FAR
        ahead, in_cell = advanced(world, place, u, v, w, distance)
        if in_cell:
            place = ahead
            break
        distance, face = to_boundary(world, place, u, v, w)
        left = max(left - distance * rate, 0.0)
        at_face = min(quanta(after + left * per_mean), held)
        deposit(scores, voxel, held - at_face)
        held = at_face
        place, in_grid = across(world, place, u, v, w, distance, face)
        if not in_grid:
            fate = GONE
            escaped = held
            if kind == POSITRON:
                escaped += np.int64(2) * quanta(ELECTRON_MASS)
            break
        voxel = cell(world, place)
        density = world.density[voxel]
        new_row = row_of(kind, world.medium[voxel], tables)
        if new_row != row:
            row = new_row
            stopping = column_at(tables.electron, row, middle_index, middle_inside, advance)
            if stopping_here:
                stopping *= RESIDUAL_PATH

    if stopping_here:
        if fate == MOVES:
            deposit(scores, voxel, held)
            fate = STOPPED
    elif fate == MOVES:
        energy = after
        if hard:
            in_flight = False
            if kind == POSITRON:
                in_flight, bound, draw = annihilates_in_flight(energy, bound, row, tables, key, draw)
            if in_flight:
                depth = annihilate_in_flight(energy, held, place, voxel, u, v, w, scores, stack, depth, key, draw)
                fate = GONE
            else:
                before = energy
                depth, draw, energy, held, u, v, w = collide(
                    kind, energy, bound, held, place, row, u, v, w, tables, cuts, scores, stack, depth, key, draw
                )
                word_1, _, _, _ = random_block(key, draw)
                draw += 1
                to_hard = exponential(word_1)
                # What is left of the step keeps its share of the electron's energy.
                kept = energy / before
                before_hinge = max(before_hinge - mean_loss, 0.0) * kept
                first_part *= kept
                last_part *= kept
        else:
            index, inside = locate(energy + first_part, ELECTRON_LOW, ANGLE_BITS, ANGLE_LAST)
            angles = index + (np.int32(1) if uniform_high(word_4) < inside else np.int32(0))
            angles += (ANGLE_LAST + 2) * (row + (tables.electron.shape[0] if coarse else 0))
            u, v, w = turned(u, v, w, sample_deflection(tables.angle, angles, uniform(word_1)), uniform(word_2))
            started = False

    flown = Moving(
        kind, energy, place, u, v, w, np.int64(draw), voxel, density, row, held,
        to_hard, before_hinge, first_part, last_part, coarse, started,
    )  # fmt: skip
    return flown, np.int32(fate), depth, escaped


@inlined
def finish(electron, fate, scores, stack, depth, key):
    """Do what is left when an electron stopped, is gone, or reached the limit of flights; return the stack's depth."""
    if fate == MOVES:
        deposit(scores, electron.voxel, electron.held)
        fault(scores, FLIGHT_LIMIT_REACHED, electron.held)
    if fate != GONE and electron.kind == POSITRON:
        depth = annihilate(electron.place, electron.voxel, scores, stack, depth, key, electron.draw)
    return depth


@compiled
def slow_down(kind, energy, place, u, v, w, world, tables, cuts, scores, stack, depth, key):
    """Follow an electron or positron until it stops, annihilates or leaves the grid.

    Returns
    -------
    depth : of the stack, which holds the secondaries
    escaped : quanta that left the grid
    flights : number of flights
    """
    electron = electron_that_moves(kind, energy, place, u, v, w, world, tables, key)
    fate = np.int32(MOVES)
    escaped = np.int64(0)
    flights = np.int32(0)
    while fate == MOVES and flights < FLIGHT_LIMIT:
        electron, fate, depth, escaped = electron_flight(electron, world, tables, cuts, scores, stack, depth, key)
        flights += np.int32(1)
    depth = finish(electron, fate, scores, stack, depth, key)
    return depth, escaped, flights
