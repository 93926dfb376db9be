"""The voxel world that particles move through.

A place is a voxel and an offset inside it: a float32 coordinate of a 1.5 m grid could not hold the small steps.
Distances are in cm, offsets in fractions of the voxel's side. `transport.geometry` says what a world has to answer.
"""

from typing import Any, NamedTuple

import numpy as np

from mcdose.jit import compiled

FAR = 1.0e9  # cm, or voxels: farther than any grid

BLOCK_BITS = 3  # a block is a cube of 2^BLOCK_BITS voxels a side
BLOCK_SIDE = 2**BLOCK_BITS
_IN_BLOCK = BLOCK_SIDE - 1  # the bits of an index that tell the voxel inside its block
NO_BLOCKS = np.ones(1, np.float32)  # one for the whole grid


class World(NamedTuple):
    """Voxel grid as the transport sees it; arrays are flat, x fastest."""

    nz: np.int32
    ny: np.int32
    nx: np.int32
    inverse_dz: np.float32  # 1/cm
    inverse_dy: np.float32
    inverse_dx: np.float32
    smallest: np.float32  # shortest side of a voxel, cm
    density: Any  # (nz ny nx,) float32, g/cm3
    medium: Any  # (nz ny nx,) uint8, index of the medium
    # Part of the photon bound that suffices in each block of voxels, (blocks,) float32, x fastest:
    blocks: Any = NO_BLOCKS


class Place(NamedTuple):
    """A point: voxel indices and the offsets inside the voxel, 0 to 1."""

    z: np.int32
    y: np.int32
    x: np.int32
    offset_z: np.float32
    offset_y: np.float32
    offset_x: np.float32


@compiled
def voxel_of(world, place):
    """Return the flat index of the voxel of a place."""
    return (place.z * world.ny + place.y) * world.nx + place.x


@compiled
def clearance(world, place):
    """Return the distance [cm] to the nearest face of the voxel, or less where its sides differ."""
    near_z = min(place.offset_z, 1.0 - place.offset_z)
    near_y = min(place.offset_y, 1.0 - place.offset_y)
    near_x = min(place.offset_x, 1.0 - place.offset_x)
    return world.smallest * min(near_z, min(near_y, near_x))


@compiled
def moved(world, place, u, v, w, distance):
    """Return the offsets after `distance` cm along (u, v, w), still counted from the old voxel's corner."""
    return (
        place.offset_z + w * distance * world.inverse_dz,
        place.offset_y + v * distance * world.inverse_dy,
        place.offset_x + u * distance * world.inverse_dx,
    )


@compiled
def distance_along(offset, cosine, inverse):
    """Return the distance [cm] to the voxel's face along one axis."""
    if cosine > 0.0:
        return (1.0 - offset) / (cosine * inverse)
    if cosine < 0.0:
        return -offset / (cosine * inverse)
    return FAR


@compiled
def to_face(world, place, u, v, w):
    """Return the distance [cm] to the nearest face ahead and its axis (0 = z, 1 = y, 2 = x)."""
    along_z = distance_along(place.offset_z, w, world.inverse_dz)
    along_y = distance_along(place.offset_y, v, world.inverse_dy)
    along_x = distance_along(place.offset_x, u, world.inverse_dx)
    if along_x <= along_y and along_x <= along_z:
        return max(along_x, 0.0), np.int32(2)
    if along_y <= along_z:
        return max(along_y, 0.0), np.int32(1)
    return max(along_z, 0.0), np.int32(0)


@compiled
def _inside(offset):
    """Return the offset kept in [0, 1]: rounding may have put it past a face that was not the nearest."""
    return min(max(offset, 0.0), 1.0)


@compiled
def across_face(world, place, u, v, w, distance, axis):
    """Return the place just behind the face at `distance` on `axis`, and whether it is still in the grid."""
    offset_z, offset_y, offset_x = moved(world, place, u, v, w, distance)
    z, y, x = place.z, place.y, place.x
    if axis == 2:
        forward = u > 0.0
        x += np.int32(1) if forward else np.int32(-1)
        offset_x = 0.0 if forward else 1.0
        inside = 0 <= x < world.nx
    elif axis == 1:
        forward = v > 0.0
        y += np.int32(1) if forward else np.int32(-1)
        offset_y = 0.0 if forward else 1.0
        inside = 0 <= y < world.ny
    else:
        forward = w > 0.0
        z += np.int32(1) if forward else np.int32(-1)
        offset_z = 0.0 if forward else 1.0
        inside = 0 <= z < world.nz
    return (
        Place(np.int32(z), np.int32(y), np.int32(x), _inside(offset_z), _inside(offset_y), _inside(offset_x)),
        inside,
    )


@compiled
def _floor(offset):
    """Return the largest int32 not above `offset`."""
    whole = np.int32(offset)
    return np.int32(whole - 1) if np.float32(whole) > offset else whole


@compiled
def advanced(world, place, u, v, w, distance):
    """Return the place `distance` cm ahead and whether it is in the same voxel; if not, the place means nothing."""
    offset_z, offset_y, offset_x = moved(world, place, u, v, w, distance)
    inside = min(offset_z, min(offset_y, offset_x)) >= 0.0 and max(offset_z, max(offset_y, offset_x)) <= 1.0
    return Place(place.z, place.y, place.x, offset_z, offset_y, offset_x), inside


@compiled
def jumped(world, place, u, v, w, distance):
    """Return the place `distance` cm ahead, over any number of voxels, and whether it is still in the grid."""
    offset_z, offset_y, offset_x = moved(world, place, u, v, w, distance)
    inside = (
        offset_z >= -np.float32(place.z)
        and offset_z < np.float32(world.nz - place.z)
        and offset_y >= -np.float32(place.y)
        and offset_y < np.float32(world.ny - place.y)
        and offset_x >= -np.float32(place.x)
        and offset_x < np.float32(world.nx - place.x)
    )
    if not inside:
        return place, False
    step_z, step_y, step_x = _floor(offset_z), _floor(offset_y), _floor(offset_x)
    return (
        Place(
            np.int32(place.z + step_z),
            np.int32(place.y + step_y),
            np.int32(place.x + step_x),
            offset_z - np.float32(step_z),
            offset_y - np.float32(step_y),
            offset_x - np.float32(step_x),
        ),
        True,
    )


@compiled
def _block_of(world, place):
    """Return the flat index of the block of a place."""
    across_y = np.int32((world.ny + np.int32(_IN_BLOCK)) >> np.int32(BLOCK_BITS))
    across_x = np.int32((world.nx + np.int32(_IN_BLOCK)) >> np.int32(BLOCK_BITS))
    bits = np.int32(BLOCK_BITS)
    return ((place.z >> bits) * across_y + (place.y >> bits)) * across_x + (place.x >> bits)


@compiled
def _in_block(index, offset):
    """Return a coordinate in voxels from the block's side."""
    return np.float32(index & np.int32(_IN_BLOCK)) + offset


@compiled
def _distance_to_side(index, offset, cosine, inverse):
    """Return the distance [cm] to the block's side ahead along one axis."""
    if cosine > 0.0:
        return (np.float32(BLOCK_SIDE) - _in_block(index, offset)) / (cosine * inverse)
    if cosine < 0.0:
        return -_in_block(index, offset) / (cosine * inverse)
    return FAR


@compiled
def _landed(index, count, offset, advance, crosses, forward):
    """Return index and offset along one axis of `count` voxels after an advance [voxels] within the block.

    It may end just behind the side that it crosses; an offset above 1 means that the last voxel was left.
    """
    first = np.int32(index & np.int32(~_IN_BLOCK))
    if crosses:
        if forward:
            return np.int32(first + np.int32(BLOCK_SIDE)), np.float32(0.0)
        return np.int32(first - np.int32(1)), np.float32(1.0)
    # Rounding may have put it past a side that was not the nearest.
    inside = min(max(_in_block(index, offset) + advance, np.float32(0.0)), np.float32(BLOCK_SIDE))
    last = min(np.int32(_IN_BLOCK), np.int32(count - np.int32(1) - first))
    step = min(np.int32(inside), last)
    return np.int32(first + step), inside - np.float32(step)


@compiled
def flown(world, place, u, v, w, path, bound):
    """Fly a photon to the end of a path counted in mean free paths of a bound.

    Where the world has blocks, each lowers the bound to what its own voxels need; what is left of the path at its side
    is flown in the next one, by its bound. No attenuation is above the bound of its block, so the points where a
    photon stops are those of Woodcock tracking with any bound.

    Parameters
    ----------
    path : in mean free paths
    bound : no less than the attenuation anywhere in the grid, 1/cm

    Returns
    -------
    place, whether it is still in the grid, and the bound there, 1/cm
    """
    if world.blocks.shape[0] == 1:
        place, inside = jumped(world, place, u, v, w, path / bound)
        return place, inside, bound
    while True:
        local = bound * world.blocks[_block_of(world, place)]
        along_z = _distance_to_side(place.z, place.offset_z, w, world.inverse_dz)
        along_y = _distance_to_side(place.y, place.offset_y, v, world.inverse_dy)
        along_x = _distance_to_side(place.x, place.offset_x, u, world.inverse_dx)
        nearest = max(min(along_x, min(along_y, along_z)), np.float32(0.0))
        spent = nearest * local
        if path < spent:
            place, inside = jumped(world, place, u, v, w, path / local)
            return place, inside, local
        path = path - spent
        by_x = along_x <= along_y and along_x <= along_z
        by_y = not by_x and along_y <= along_z
        by_z = not by_x and not by_y
        z, offset_z = _landed(place.z, world.nz, place.offset_z, w * nearest * world.inverse_dz, by_z, w > 0.0)
        y, offset_y = _landed(place.y, world.ny, place.offset_y, v * nearest * world.inverse_dy, by_y, v > 0.0)
        x, offset_x = _landed(place.x, world.nx, place.offset_x, u * nearest * world.inverse_dx, by_x, u > 0.0)
        place = Place(z, y, x, offset_z, offset_y, offset_x)
        in_grid = 0 <= z < world.nz and 0 <= y < world.ny and 0 <= x < world.nx
        if not in_grid or max(offset_z, max(offset_y, offset_x)) > 1.0:
            return place, False, local
