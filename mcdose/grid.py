"""Axis-aligned voxel grids in patient coordinates, and arrays that live on one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Grid:
    """An axis-aligned voxel grid in DICOM patient coordinates (LPS), millimetres.

    Axis order is (z, y, x) everywhere; indices increase with the patient coordinate (towards left, posterior,
    superior).

    Parameters
    ----------
    shape : (nz, ny, nx)
    voxel_mm : (dz, dy, dx), positive
    origin_mm : (z, y, x) of the centre of voxel (0, 0, 0)
    """

    shape: tuple[int, int, int]
    voxel_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel, mL."""
        dz, dy, dx = self.voxel_mm
        return dz * dy * dx / 1000.0

    def edges_mm(self, axis: int) -> NDArray[np.float64]:
        """Voxel boundaries along an axis (0 = z, 1 = y, 2 = x), shape (n + 1,), mm."""
        return np.asarray(
            self.origin_mm[axis] + (np.arange(self.shape[axis] + 1) - 0.5) * self.voxel_mm[axis], np.float64
        )

    def centres_mm(self, axis: int) -> NDArray[np.float64]:
        """Voxel centres along an axis (0 = z, 1 = y, 2 = x), shape (n,), mm."""
        return np.asarray(self.origin_mm[axis] + np.arange(self.shape[axis]) * self.voxel_mm[axis], np.float64)


@dataclass(frozen=True)
class Volume:
    """Values on a grid: `values` has the shape of `grid`, C-contiguous, axis order (z, y, x)."""

    values: NDArray[Any]
    grid: Grid
