"""What the transport asks of a world, answered by voxels or by shells; numba picks the answers when it compiles.

`cell` is where energy is counted, `clearance` how near its walls are; `advanced`, `to_boundary` and `across` walk cell
by cell, `flown` skips cells.
"""

from numba.extending import overload

from mcdose.jit import FLAGS
from mcdose.transport import shells, world

_VOXELS = (world.voxel_of, world.advanced, world.to_face, world.across_face, world.flown, world.clearance)
_SHELLS = (shells.shell_of, shells.advanced, shells.to_boundary, shells.across, shells.flown, shells.clearance)


def _answers(kind):
    """Return the functions of a world, by its class."""
    return _SHELLS if kind is shells.Shells else _VOXELS


def cell(world, place):
    """Return the index of the cell of a place."""
    return _answers(type(world))[0](world, place)


def advanced(world, place, u, v, w, distance):
    """Return the place `distance` cm ahead and whether the way there stays in the cell."""
    return _answers(type(world))[1](world, place, u, v, w, distance)


def to_boundary(world, place, u, v, w):
    """Return the distance [cm] to the boundary ahead, and which one it is."""
    return _answers(type(world))[2](world, place, u, v, w)


def across(world, place, u, v, w, distance, boundary):
    """Return the place just behind a boundary, and whether it is still in the world."""
    return _answers(type(world))[3](world, place, u, v, w, distance, boundary)


def flown(world, place, u, v, w, path, bound):
    """Fly a photon to the end of a path; return the place, whether it is still in the world, and the bound there."""
    return _answers(type(world))[4](world, place, u, v, w, path, bound)


def clearance(world, place):
    """Return the distance [cm] from a place to the nearest wall of its cell, or less."""
    return _answers(type(world))[5](world, place)


@overload(cell, jit_options=FLAGS)
def _cell(world, place):
    answer = _answers(world.instance_class)[0]
    return lambda world, place: answer(world, place)


@overload(advanced, jit_options=FLAGS)
def _advanced(world, place, u, v, w, distance):
    answer = _answers(world.instance_class)[1]
    return lambda world, place, u, v, w, distance: answer(world, place, u, v, w, distance)


@overload(to_boundary, jit_options=FLAGS)
def _to_boundary(world, place, u, v, w):
    answer = _answers(world.instance_class)[2]
    return lambda world, place, u, v, w: answer(world, place, u, v, w)


@overload(across, jit_options=FLAGS)
def _across(world, place, u, v, w, distance, boundary):
    answer = _answers(world.instance_class)[3]
    return lambda world, place, u, v, w, distance, boundary: answer(world, place, u, v, w, distance, boundary)


@overload(flown, jit_options=FLAGS)
def _flown(world, place, u, v, w, path, bound):
    answer = _answers(world.instance_class)[4]
    return lambda world, place, u, v, w, path, bound: answer(world, place, u, v, w, path, bound)


@overload(clearance, jit_options=FLAGS)
def _clearance(world, place):
    answer = _answers(world.instance_class)[5]
    return lambda world, place: answer(world, place)
