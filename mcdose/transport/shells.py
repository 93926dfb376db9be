"""The spherical world of dose-point kernels: one medium, counted in shells around the source.

A place is the number of its shell and its coordinates from the centre, in cm: float32 coordinates are as fine as the
distance from the source is short, which is where the shells are thin.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from mcdose.jit import compiled
from mcdose.transport.world import FAR, Place


class Shells(NamedTuple):
    """Concentric shells as the transport sees them."""

    edges: Any  # (n + 1,) float32, cm, ascending from 0
    smallest: np.float32  # length that steps and stops are measured by, cm
    density: Any  # (n,) float32, g/cm3
    medium: Any  # (n,) uint8, index of the medium


@compiled
def centre():
    """Return the place of the source."""
    return Place(np.int32(0), np.int32(0), np.int32(0), np.float32(0.0), np.float32(0.0), np.float32(0.0))


@compiled
def shell_of(shells, place):
    """Return the number of the shell of a place."""
    return np.int64(place.x)


@compiled
def _ahead(place, u, v, w, distance, shell):
    """Return the place `distance` cm ahead, said to be in `shell`."""
    return Place(
        place.z,
        place.y,
        np.int32(shell),
        place.offset_z + w * distance,
        place.offset_y + v * distance,
        place.offset_x + u * distance,
    )


@compiled
def _square(place):
    """Return the square of the distance from the centre, cm2."""
    return place.offset_z * place.offset_z + place.offset_y * place.offset_y + place.offset_x * place.offset_x


@compiled
def clearance(shells, place):
    """Return the distance [cm] to the nearer of the shell's two spheres; 0 or less for a place rounded out of it."""
    radius = math.sqrt(_square(place))
    outward = shells.edges[place.x + 1] - radius
    return min(outward, radius - shells.edges[place.x]) if place.x > 0 else outward


@compiled
def _inward(place, u, v, w):
    """Return the distance to the point nearest the centre on the line ahead, cm; negative when it lies behind."""
    return -(place.offset_z * w + place.offset_y * v + place.offset_x * u)


@compiled
def advanced(shells, place, u, v, w, distance):
    """Return the place `distance` cm ahead and whether the way there stays in the shell."""
    ahead = _ahead(place, u, v, w, distance, place.x)
    outer = shells.edges[place.x + 1]
    inner = shells.edges[place.x]
    inward = _inward(place, u, v, w)
    inside = _square(ahead) <= outer * outer
    if inside and inward > 0.0 and inner > 0.0:
        nearest = _ahead(place, u, v, w, min(inward, distance), place.x)
        inside = _square(nearest) >= inner * inner
    return ahead, inside


@compiled
def to_boundary(shells, place, u, v, w):
    """Return the distance [cm] to the sphere ahead, and which: 0 the inner, 1 the outer one."""
    inward = _inward(place, u, v, w)
    nearest = _ahead(place, u, v, w, inward, place.x)
    miss = _square(nearest)  # square of the line's distance from the centre
    inner = shells.edges[place.x]
    if inward > 0.0 and miss < inner * inner:
        return max(inward - math.sqrt(inner * inner - miss), 0.0), np.int32(0)
    outer = shells.edges[place.x + 1]
    return max(inward + math.sqrt(max(outer * outer - miss, 0.0)), 0.0), np.int32(1)


@compiled
def across(shells, place, u, v, w, distance, boundary):
    """Return the place behind the sphere at `distance`, and whether there is a shell."""
    shell = np.int32(place.x + (1 if boundary == 1 else -1))
    return _ahead(place, u, v, w, distance, shell), shell < shells.density.shape[0]


@compiled
def jumped(shells, place, u, v, w, distance):
    """Return the place `distance` cm ahead, over any number of shells, and whether it is still in one."""
    ahead = _ahead(place, u, v, w, min(distance, FAR), place.x)
    radius = math.sqrt(_square(ahead))
    last = shells.density.shape[0]
    if not radius < shells.edges[last]:
        return place, False
    low = np.int32(0)  # the shell whose inner edge is the last one not above the radius
    high = np.int32(last - 1)
    while low < high:
        middle = np.int32((low + high + 1) >> 1)
        if shells.edges[middle] <= radius:
            low = middle
        else:
            high = np.int32(middle - 1)
    return _ahead(place, u, v, w, distance, low), True


@compiled
def flown(shells, place, u, v, w, path, bound):
    """Fly a photon to the end of a path counted in mean free paths of the bound; see `transport.world.flown`."""
    place, inside = jumped(shells, place, u, v, w, path / bound)
    return place, inside, bound
