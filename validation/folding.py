"""A point kernel folded over a source voxel and a target voxel, or over what a grid reaches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.constants import MEV_TO_JOULE

Array = NDArray[np.float64]
DIRECTIONS = 200_000  # of the golden-angle spiral that covers the sphere
RADII_PER_SHELL = 2  # Gauss-Legendre points


class Shells(NamedTuple):
    """Energy that a point source leaves in spherical shells of one medium.

    Attributes
    ----------
    edges_mm : shape (n + 1,)
    energy_mev, standard_error_mev : shape (n,), per decay
    """

    edges_mm: Array
    energy_mev: Array
    standard_error_mev: Array


def directions(n: int = DIRECTIONS) -> Array:
    """Return n unit vectors that cover the sphere evenly, shape (n, 3).

    Equal-area rings, turned by the golden angle: the mean of a smooth function over them is off by about 1/n.
    """
    index = np.arange(n) + 0.5
    cosine = 1.0 - 2.0 * index / n
    sine = np.sqrt(1.0 - cosine**2)
    azimuth = np.pi * (1.0 + np.sqrt(5.0)) * index
    return np.stack([cosine, sine * np.sin(azimuth), sine * np.cos(azimuth)], axis=1)


def _radii(edges_mm: Array) -> tuple[Array, Array]:
    """Return the Gauss-Legendre radii of every shell, shape (n, RADII_PER_SHELL) [mm], and their weights, of sum 1."""
    points, weights = np.polynomial.legendre.leggauss(RADII_PER_SHELL)
    middle = 0.5 * (edges_mm[1:] + edges_mm[:-1])
    half = 0.5 * (edges_mm[1:] - edges_mm[:-1])
    return middle[:, None] + half[:, None] * points, 0.5 * weights


def voxel_to_voxel(
    shells: Shells, voxel_mm: tuple[float, float, float], offset: tuple[int, int, int], density_g_cm3: float = 1.0
) -> tuple[float, float]:
    """Return S and its standard error, mGy/(MBq s), from a voxel to the one `offset` voxels away.

    The separation of a uniform point in one box from a uniform point in another of the same size has the density
    h(d) = prod_i (1 - |d_i - D_i| / L_i) / L_i (triangles, zero outside), D the offset of the boxes. The energy in the
    target per decay is V sum_j E_j <h>_j: V the volume, E_j the energy of shell j, <h>_j the mean of h over directions
    and over the radii of the shell, that is with dE/dr constant inside a shell.
    """
    side = np.asarray(voxel_mm, float)
    shift = np.asarray(offset) * side
    volume_mm3 = float(np.prod(side))
    direction = directions()
    radii, weights = _radii(shells.edges_mm)
    mean_density = np.zeros(len(radii))
    for shell, (row, outer) in enumerate(zip(radii, shells.edges_mm[1:], strict=True)):
        nearest = np.linalg.norm(np.maximum(np.abs(shift) - side, 0.0))
        if outer < nearest or row[0] > np.linalg.norm(np.abs(shift) + side):
            continue
        for radius, weight in zip(row, weights, strict=True):
            triangle = np.maximum(1.0 - np.abs(radius * direction - shift) / side, 0.0) / side
            mean_density[shell] += weight * float(np.mean(triangle[:, 0] * triangle[:, 1] * triangle[:, 2]))
    to_s_value = MEV_TO_JOULE * 1e9 / (density_g_cm3 * volume_mm3 * 1e-6)  # Gy per decay are 1e9 mGy/(MBq s)
    factor = volume_mm3 * to_s_value * mean_density
    return float(factor @ shells.energy_mev), float(np.linalg.norm(factor * shells.standard_error_mev))


def fraction_within_cube(shells: Shells, emitted_mev: float, half_width_mm: float, block_mm: float) -> float:
    """Return the dose at the centre of a uniform source that fills a cube, over E/m.

    By reciprocity it is the fraction of the emitted energy that a point source at the same place leaves in the cube:
    sum_j E_j <inside>_j / E. Averaged over the points of a central block.

    Parameters
    ----------
    half_width_mm : of the cube
    block_mm : half width of the central block
    """
    direction = directions(20_000)
    radii, weights = _radii(shells.edges_mm)
    points, point_weights = np.polynomial.legendre.leggauss(4)
    offsets = 0.5 * block_mm * (points + 1.0)  # one octant: the cube is symmetric
    total = 0.0
    for z, weight_z in zip(offsets, point_weights, strict=True):
        for y, weight_y in zip(offsets, point_weights, strict=True):
            for x, weight_x in zip(offsets, point_weights, strict=True):
                with np.errstate(divide="ignore"):
                    wall = (half_width_mm - np.sign(direction) * (z, y, x)) / np.abs(direction)
                distance = np.sort(wall.min(axis=1))  # to the surface, along every direction
                inside = 1.0 - np.searchsorted(distance, radii) / len(distance)
                weight = weight_z * weight_y * weight_x / 8.0
                total += weight * float((inside @ weights) @ shells.energy_mev)
    return total / emitted_mev


def gaussian_shells(sigma_mm: float, edges_mm: Array) -> Shells:
    """Return 1 MeV spread as an isotropic Gaussian: a kernel whose folding is known in closed form."""
    from scipy.special import erf

    scaled = edges_mm / (sigma_mm * np.sqrt(2.0))
    within = erf(scaled) - 2.0 / np.sqrt(np.pi) * scaled * np.exp(-(scaled**2))
    return Shells(edges_mm, np.diff(within), np.zeros(len(edges_mm) - 1))


def gaussian_voxel_to_voxel(
    sigma_mm: float, voxel_mm: tuple[float, float, float], offset: tuple[int, int, int]
) -> float:
    """Return what `voxel_to_voxel` gives for `gaussian_shells`, in closed form and at density 1."""
    from scipy.special import erf

    def second_integral(x: float) -> float:
        """Return the integral of the Gaussian's cumulative distribution."""
        return 0.5 * x * (1.0 + erf(x / (sigma_mm * np.sqrt(2.0)))) + sigma_mm / np.sqrt(2.0 * np.pi) * np.exp(
            -0.5 * (x / sigma_mm) ** 2
        )

    energy = 1.0
    for side, step in zip(voxel_mm, offset, strict=True):
        shift = side * step
        energy *= (second_integral(shift + side) - 2.0 * second_integral(shift) + second_integral(shift - side)) / side
    return energy * MEV_TO_JOULE * 1e9 / (float(np.prod(voxel_mm)) * 1e-6)
