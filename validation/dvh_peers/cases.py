"""The ten structures and their doses; needs NumPy alone, as it also runs where the other programs are installed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from validation.random_doses import dose_of, places, random_spots

SEED = 20_242
FINE = 4  # parts of a voxel along each axis, for coverage
CORNERS = 60  # of a contour
SHAPE = (24, 40, 36)
VOXELS_MM = (
    (3.0, 3.0, 3.0),
    (2.0, 2.0, 2.0),
    (3.0, 4.0, 4.0),
    (5.0, 2.25, 2.25),
    (2.0, 3.0, 4.0),
    (4.0, 4.0, 4.0),
    (3.0, 2.0, 2.5),
    (2.5, 4.0, 3.0),
    (4.75, 4.0, 4.0),
    (3.0, 3.5, 2.5),
)
WIDER = (
    3.0  # spots than those for gamma: no point of the curve in the flat background, where bins of 0.01 Gy are coarse
)
DOSE_STEP = 1e-3  # Gy; the doses are whole multiples, as RT Dose stores them


class Case(NamedTuple):
    """A dose [Gy] on a grid and a structure in it: an egg, drawn as one polygon in each plane of voxels."""

    dose: NDArray[np.float64]
    voxel_mm: tuple[float, float, float]
    contours: dict[int, NDArray[np.float64]]  # plane: corners (n, 2) of (x, y) [mm], seen from the middle of the grid


def case(number: int) -> Case:
    """Return the case of a number from 0 to 9."""
    voxel_mm = VOXELS_MM[number]
    rng = np.random.default_rng((SEED, number))
    half = 0.5 * np.array(SHAPE) * voxel_mm
    spots = random_spots(rng, half)
    spots[:, 3:6] *= WIDER
    dose = dose_of(spots, places(SHAPE, voxel_mm))
    centre = rng.uniform(-0.15, 0.15, 3) * half
    radius = rng.uniform(0.55, 0.75, 3) * half
    lobes = rng.uniform(0.0, 0.12, 2)
    phase = rng.uniform(0.0, 2.0 * np.pi, 2)
    angle = np.linspace(0.0, 2.0 * np.pi, CORNERS, endpoint=False)
    wavy = 1.0 + lobes[0] * np.cos(2.0 * angle + phase[0]) + lobes[1] * np.cos(3.0 * angle + phase[1])
    contours = {}
    for plane, z in enumerate(places(SHAPE, voxel_mm)[0].ravel()):
        share = 1.0 - ((z - centre[0]) / radius[0]) ** 2
        if share > 0.04:
            size = np.sqrt(share) * wavy
            x = centre[2] + radius[2] * size * np.cos(angle)
            y = centre[1] + radius[1] * size * np.sin(angle)
            contours[plane] = np.stack([x, y], axis=1).round(3)
    return Case(np.round(dose / DOSE_STEP) * DOSE_STEP, voxel_mm, contours)


def drawn(of: Case, parts: int) -> NDArray[np.bool_]:
    """Return the points of a grid inside the contours, each voxel cut into `parts` along y and x."""
    shape = (SHAPE[0], SHAPE[1] * parts, SHAPE[2] * parts)
    side = (of.voxel_mm[0], of.voxel_mm[1] / parts, of.voxel_mm[2] / parts)
    _, y, x = places(shape, side)
    inside = np.zeros(shape, bool)
    for plane, corners in of.contours.items():
        inside[plane] = in_polygon(corners, x[0], y[0])
    return inside


def in_polygon(corners: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which points lie inside a polygon, by the number of edges to their right."""
    inside = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
    for (xa, ya), (xb, yb) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if ya != yb:
            inside ^= ((ya > y) != (yb > y)) & (x < (xb - xa) * (y - ya) / (yb - ya) + xa)
    return inside


def coverage(of: Case) -> NDArray[np.float64]:
    """Return the share of each voxel inside, from FINE x FINE points in its plane."""
    return drawn(of, FINE).reshape(SHAPE[0], SHAPE[1], FINE, SHAPE[2], FINE).mean(axis=(2, 4))
