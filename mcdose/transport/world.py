"""The voxel world that particles move through.

A place is a voxel and an offset inside it: a float32 coordinate of a 1.5 m grid could not hold the small steps.
Distances are in cm, offsets in fractions of the voxel's side. `transport.geometry` says what a world has to answer.
"""

from typing import Any, NamedTuple

import numpy as np

from mcdose.jit import compiled

FAR = 1.0e9  # cm, or voxels: farther than any grid


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
def moved(world, place, u, v, w, distance):
    """Return the offsets after `distance` cm along (u, v, w), still counted from the old voxel's corner."""
    return (
        place.offset_z + w * distance * world.inverse_dz,
        place.offset_y + v * distance * world.inverse_dy,
        place.offset_x + u * distance * world.inverse_dx,
    )


@compiled
def _distance_along(offset, cosine, inverse):
    """Return the distance [cm] to the voxel's face along one axis."""
    if cosine > 0.0:
        return (1.0 - offset) / (cosine * inverse)
    if cosine < 0.0:
        return -offset / (cosine * inverse)
    return FAR


@compiled
def to_face(world, place, u, v, w):
    """Return the distance [cm] to the nearest face ahead and its axis (0 = z, 1 = y, 2 = x)."""
    along_z = _distance_along(place.offset_z, w, world.inverse_dz)
    along_y = _distance_along(place.offset_y, v, world.inverse_dy)
    along_x = _distance_along(place.offset_x, u, world.inverse_dx)
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
