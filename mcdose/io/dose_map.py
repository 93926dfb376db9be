"""Absorbed dose and its uncertainty from files: RT Dose, NIfTI or MetaImage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcdose.errors import InputError
from mcdose.grid import Grid, Volume
from mcdose.io.quiet import quiet_libraries
from mcdose.io.read_rtdose import read_rt_dose
from mcdose.io.series import Image, existing
from mcdose.io.voxelfile import is_voxel_file, read_voxel_file

HIGHEST_GY = 1e6  # more is a number of another kind
SAME_MM = 0.05  # grids whose corners are this near are one grid


@quiet_libraries()
def read_dose(path: str | Path) -> Image:
    """Read absorbed dose: an RT Dose, or NIfTI or MetaImage in Gy, which say no unit.

    Returns
    -------
    Image
        `volume.values` float64 (nz, ny, nx) [Gy]; `series` is None for NIfTI and MetaImage

    Raises
    ------
    InputError
        As for `mcdose.io.read_rtdose.read_rt_dose`; dose that is negative, not finite, or zero throughout
    """
    found = existing(path)
    if is_voxel_file(found):
        volume = read_voxel_file(found)
        image = Image(Volume(np.ascontiguousarray(volume.values, np.float64), volume.grid), None)
    else:
        image = read_rt_dose(found)
    values = image.volume.values
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        raise InputError(f"{found}: dose must be finite, {bad} voxels are NaN or infinite")
    lowest, highest = float(values.min()), float(values.max())
    if lowest < 0 or not 0 < highest <= HIGHEST_GY:
        raise InputError(
            f"{found}: dose must not be negative and must reach above 0 and to {HIGHEST_GY:g} Gy at most, got "
            f"{lowest:.6g} to {highest:.6g} Gy"
        )
    return image


@quiet_libraries()
def read_relative_uncertainty(path: str | Path, grid: Grid) -> Volume:
    """Read a relative standard error (1 sigma) from NIfTI or MetaImage, on the grid of its dose.

    NaN, where nothing was scored, is kept.

    Raises
    ------
    InputError
        Not such a file, another grid, negative or infinite values.
    """
    found = existing(path)
    if not is_voxel_file(found):
        raise InputError(f"{found}: an uncertainty must be a NIfTI or MetaImage file")
    volume = read_voxel_file(found)
    require_same_grid(found, volume.grid, grid)
    values = np.ascontiguousarray(volume.values, np.float64)
    if np.isinf(values).any() or (values < 0).any():
        raise InputError(
            f"{found}: relative uncertainty must be NaN or finite and not negative, got {np.nanmin(values)} to "
            f"{np.nanmax(values)}"
        )
    return Volume(values, grid)


def require_same_grid(path: str | Path, grid: Grid, wanted: Grid) -> None:
    """Raise unless a map is on the grid of another: voxels add and divide only where they are at one place."""
    if grid.shape != wanted.shape:
        raise InputError(f"{path}: must be on the grid of the first dose, {wanted.shape} voxels, got {grid.shape}")
    off = float(np.abs(grid.corners_mm() - wanted.corners_mm()).max())
    if off > SAME_MM:
        raise InputError(
            f"{path}: must be on the grid of the first dose, its voxels are up to {off:.2f} mm off; register and "
            "resample it first"
        )
