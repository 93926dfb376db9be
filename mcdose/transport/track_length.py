"""Photon dose by the track-length estimator: what a photon gives short electrons is scored along all of its way.

A photoelectron is short if its energy is below `Cuts.short`; a Compton electron if it is one of the part of the
scatterings, those by the smallest angles, in which it is below that energy. Short electrons stay where they are. Each
flight leaves in every voxel that it crosses the mean energy that they take on that path, whether the photon collides
there or not; at a collision they then leave nothing. Other electrons are followed as always. So it is the kerma of
short electrons that is scored.
Source: Williamson, Med. Phys. 14 (1987) 567.

In the balance of energy, what a photon left above what short electrons took from it counts as not having escaped: a
history then balances exactly, and the mean of what escapes is right.
"""

import numpy as np
from numba.extending import overload

from mcdose.jit import FLAGS, compiled
from mcdose.physics.lookup import column_at
from mcdose.transport.geometry import cell
from mcdose.transport.score import deposit, quanta
from mcdose.transport.shells import Shells
from mcdose.transport.tables import GIVEN, PART, PHOTOELECTRIC
from mcdose.transport.world import FAR, distance_along


@compiled
def transferred(energy, medium, index, inside, tables, cuts):
    """Return what a photon gives short electrons, MeV cm2/g: Compton and, if they are short, photoelectrons."""
    mean = column_at(tables.recoil, medium, index, inside, GIVEN)
    if energy < cuts.short:
        mean += energy * column_at(tables.photon, medium, index, inside, PHOTOELECTRIC)
    return mean


@compiled
def is_short(uniform_1, medium, index, inside, tables):
    """Tell whether the Compton electron of a `sample_compton` by `uniform_1` is short: it grows with that number."""
    return uniform_1 < column_at(tables.recoil, medium, index, inside, PART)


@compiled
def _apart(cosine, inverse):
    """Return the distance [cm] from face to face along one axis."""
    return 1.0 / abs(cosine * inverse) if cosine != 0.0 else FAR


@compiled
def _flown_by(axis_from, offset_from, axis_to, offset_to, cosine, inverse):
    """Return the distance [cm] between two places on a flight by one of their coordinates."""
    return (np.float32(axis_to - axis_from) + (offset_to - offset_from)) / (cosine * inverse)


@compiled
def distance_flown(world, start, end, u, v, w):
    """Return the distance [cm] between two places on a flight."""
    rate_x, rate_y, rate_z = abs(u) * world.inverse_dx, abs(v) * world.inverse_dy, abs(w) * world.inverse_dz
    if rate_x >= rate_y and rate_x >= rate_z:
        return _flown_by(start.x, start.offset_x, end.x, end.offset_x, u, world.inverse_dx)
    if rate_y >= rate_z:
        return _flown_by(start.y, start.offset_y, end.y, end.offset_y, v, world.inverse_dy)
    return _flown_by(start.z, start.offset_z, end.z, end.offset_z, w, world.inverse_dz)


@compiled
def _leave_in_voxels(world, start, end, in_grid, u, v, w, energy, index, inside, tables, cuts, scores):
    distance = max(distance_flown(world, start, end, u, v, w), 0.0) if in_grid else FAR
    to_x, apart_x = distance_along(start.offset_x, u, world.inverse_dx), _apart(u, world.inverse_dx)
    to_y, apart_y = distance_along(start.offset_y, v, world.inverse_dy), _apart(v, world.inverse_dy)
    to_z, apart_z = distance_along(start.offset_z, w, world.inverse_dz), _apart(w, world.inverse_dz)
    cells_x = world.nx - start.x if u > 0.0 else start.x + np.int32(1)
    cells_y = world.ny - start.y if v > 0.0 else start.y + np.int32(1)
    cells_z = world.nz - start.z if w > 0.0 else start.z + np.int32(1)
    next_x = np.int32(1) if u > 0.0 else np.int32(-1)
    next_y = world.nx if v > 0.0 else -world.nx
    next_z = world.nx * world.ny if w > 0.0 else -world.nx * world.ny
    voxel = cell(world, start)
    medium = np.int32(world.medium[voxel])
    mean = transferred(energy, medium, index, inside, tables, cuts)
    total = np.int64(0)
    begun = np.float32(0.0)
    while True:
        here = np.int32(world.medium[voxel])
        if here != medium:
            medium = here
            mean = transferred(energy, medium, index, inside, tables, cuts)
        ahead = min(to_x, min(to_y, to_z))
        amount = quanta(mean * world.density[voxel] * (min(ahead, distance) - begun))
        deposit(scores, voxel, amount)
        total += amount
        if ahead >= distance:
            return total
        begun = ahead
        if ahead == to_x:
            to_x += apart_x
            cells_x -= np.int32(1)
            voxel += next_x
        elif ahead == to_y:
            to_y += apart_y
            cells_y -= np.int32(1)
            voxel += next_y
        else:
            to_z += apart_z
            cells_z -= np.int32(1)
            voxel += next_z
        if min(cells_x, min(cells_y, cells_z)) <= 0:
            return total


def leave_along(world, start, end, in_grid, u, v, w, energy, index, inside, tables, cuts, scores):
    """Leave along a flight from `start` to `end`, or out of the grid, what short electrons take; return the quanta."""
    return _leave_in_voxels(world, start, end, in_grid, u, v, w, energy, index, inside, tables, cuts, scores)


@overload(leave_along, jit_options=FLAGS)
def _leave_along(world, start, end, in_grid, u, v, w, energy, index, inside, tables, cuts, scores):
    if world.instance_class is Shells:  # point kernels follow every electron
        return lambda world, start, end, in_grid, u, v, w, energy, index, inside, tables, cuts, scores: np.int64(0)
    return lambda world, start, end, in_grid, u, v, w, energy, index, inside, tables, cuts, scores: _leave_in_voxels(
        world, start, end, in_grid, u, v, w, energy, index, inside, tables, cuts, scores
    )
