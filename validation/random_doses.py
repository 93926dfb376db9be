"""Smooth random doses with hot spots, the same on every machine: only uniform numbers and closed forms are used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SPOTS = 10


def places(shape: tuple[int, int, int], voxel_mm: tuple[float, float, float]) -> list[NDArray[np.float64]]:
    """Return z, y and x of the voxel centres [mm], seen from the middle of the grid, ready to broadcast."""
    axes = [(np.arange(count) - (count - 1) / 2) * side for count, side in zip(shape, voxel_mm, strict=True)]
    return [axes[0][:, None, None], axes[1][None, :, None], axes[2][None, None, :]]


def random_spots(rng: np.random.Generator, half_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (SPOTS, 7): z, y, x of the centre [mm], width along each [mm], height [Gy]."""
    low = [*(-0.8 * half_mm), 6.0, 6.0, 6.0, 10.0]
    high = [*(0.8 * half_mm), 14.0, 14.0, 14.0, 90.0]
    return rng.uniform(low, high, (SPOTS, 7))


def dose_of(spots: NDArray[np.float64], at: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the dose of the spots, Gaussians, over a background of 2 Gy [Gy]."""
    dose = np.full(np.broadcast_shapes(*(axis.shape for axis in at)), 2.0)
    for z, y, x, wz, wy, wx, height in spots:
        dose += height * np.exp(-0.5 * (((at[0] - z) / wz) ** 2 + ((at[1] - y) / wy) ** 2 + ((at[2] - x) / wx) ** 2))
    return dose


def moved(rng: np.random.Generator, spots: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the spots a little elsewhere (up to 2.4 mm an axis), wider or narrower (8 %), higher or lower (10 %)."""
    changed = spots.copy()
    changed[:, :3] += rng.uniform(-2.4, 2.4, (len(spots), 3))
    changed[:, 3:6] *= rng.uniform(0.92, 1.08, (len(spots), 3))
    changed[:, 6] *= rng.uniform(0.90, 1.10, len(spots))
    return changed
