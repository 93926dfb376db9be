"""The grid a dose is computed on: that of the activity, that of the CT, or one of any spacing."""

from __future__ import annotations

import math
from typing import Any

from mcdose.errors import InputError
from mcdose.grid import Grid, covering

MOST_VOXELS = 512**3
SHORTEST_MM, LONGEST_MM = 0.1, 100.0


def check_dose_grid(wanted: Any) -> str | tuple[float, float, float]:
    """Return "activity", "ct", or the sides (dz, dy, dx) of voxels in mm, from one of these or one side of a cube.

    Raises
    ------
    ValueError
        None of these, or a side out of 0.1 to 100 mm.
    """
    if wanted in ("activity", "ct"):
        return str(wanted)
    sides = [wanted] * 3 if isinstance(wanted, int | float) else wanted
    try:
        dz, dy, dx = (float(side) for side in sides)
    except (TypeError, ValueError):
        raise ValueError(f"dose_grid must be 'activity', 'ct' or sides of voxels in mm, got {wanted!r}") from None
    if not all(SHORTEST_MM <= side <= LONGEST_MM for side in (dz, dy, dx)):
        raise ValueError(f"dose_grid must have sides of {SHORTEST_MM} to {LONGEST_MM} mm, got {(dz, dy, dx)}")
    return dz, dy, dx


def dose_grid(wanted: str | tuple[float, float, float], activity: Grid, ct: Grid) -> Grid:
    """Return the grid that is wanted.

    Parameters
    ----------
    wanted : see `check_dose_grid`; voxels of given sides make an upright grid that covers the activity's, with what is
        too much shared evenly
    activity, ct : grids of the images

    Raises
    ------
    InputError
        More than 512^3 voxels.
    """
    if wanted == "activity":
        grid = activity
    elif isinstance(wanted, str):
        grid = ct
    else:
        grid = covering(activity.corners_mm(), wanted)
    if math.prod(grid.shape) > MOST_VOXELS:
        raise InputError(f"the dose grid must have at most {MOST_VOXELS} voxels, got {grid.shape}")
    return grid
