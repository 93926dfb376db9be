"""The ten pairs of doses; needs NumPy alone, as it also runs where the other programs are installed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from validation.random_doses import dose_of, moved, places, random_spots

SEED = 20_241
THRESHOLD = 0.1
SHAPE = (20, 24, 22)
# voxel (z, y, x) [mm], dose criterion [%], distance criterion [mm]
SETTINGS = (
    ((3.0, 3.0, 3.0), 3.0, 3.0),
    ((2.0, 2.0, 2.0), 2.0, 2.0),
    ((3.0, 4.0, 4.0), 3.0, 3.0),
    ((5.0, 2.21, 2.21), 2.0, 3.0),
    ((2.0, 3.0, 5.0), 3.0, 2.0),
    ((4.0, 4.0, 4.0), 2.0, 2.0),
    ((3.0, 2.0, 2.5), 1.0, 2.0),
    ((2.5, 4.0, 3.0), 5.0, 1.5),
    ((4.8, 4.0, 4.0), 3.0, 3.0),
    ((3.0, 3.0, 3.0), 1.0, 1.5),
)


class Case(NamedTuple):
    """Two doses [Gy] on one grid, and the criteria of their gamma."""

    reference: NDArray[np.float64]
    evaluated: NDArray[np.float64]
    voxel_mm: tuple[float, float, float]
    percent: float
    distance_mm: float


def case(number: int) -> Case:
    """Return the case of a number from 0 to 9."""
    voxel_mm, percent, distance_mm = SETTINGS[number]
    rng = np.random.default_rng((SEED, number))
    at = places(SHAPE, voxel_mm)
    spots = random_spots(rng, 0.5 * np.array(SHAPE) * voxel_mm)
    return Case(dose_of(spots, at), dose_of(moved(rng, spots), at), voxel_mm, percent, distance_mm)
