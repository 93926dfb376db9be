"""The three views: which axis runs where on the screen, in radiological convention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.grid import Grid


@dataclass(frozen=True)
class View:
    """A slice through the grid as it is looked at: the patient's right is on the left, the head is up.

    Attributes
    ----------
    name : for the reader
    axis, down, across : of the grid (0 = z, 1 = y, 2 = x): across the slice, down and across the screen
    upside_down : the lowest index is at the bottom
    letters : left, right, top and bottom of the screen
    """

    name: str
    axis: int
    down: int
    across: int
    upside_down: bool
    letters: str

    def slice(self, values: NDArray[Any], index: int) -> NDArray[Any]:
        """Take a slice of a volume, rows from top to bottom of the screen."""
        plane: NDArray[Any] = np.take(values, index, self.axis)
        return plane[::-1] if self.upside_down else plane

    def size_mm(self, grid: Grid) -> tuple[float, float]:
        """Width and height on the screen, mm."""
        width, height = (grid.shape[axis] * grid.voxel_mm[axis] for axis in (self.across, self.down))
        return width, height


VIEWS = (
    View("Axial", 0, 1, 2, False, "RLAP"),
    View("Coronal", 1, 0, 2, True, "RLHF"),
    View("Sagittal", 2, 0, 1, True, "APHF"),
)
AXES = "zyx"
