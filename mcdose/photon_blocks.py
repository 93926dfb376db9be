"""Blocks of voxels in which photons may fly by a lower bound than that of the whole grid.

One voxel of metal, or a calibration's last HU, raises the bound of Woodcock tracking everywhere, and photons then stop
at every fraction of a millimetre for nothing. With blocks they do so only near that voxel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mcdose.arrays import home_of, module_of
from mcdose.problem import Problem
from mcdose.transport.tables import TOTAL, Tables
from mcdose.transport.world import BLOCK_SIDE, NO_BLOCKS

# Blocks are used when the mean part of the grid's bound that they need is below this. At 0.4 to 0.5 crossing their
# sides costs what it saves: a body with lungs, spine and air around it is at 0.4, with one voxel of gold in it at 0.05.
WORTH_BELOW = 1.0 / 3.0
LOWEST_PART = 1e-6  # of a block in vacuum


def photon_blocks(problem: Problem, tables: Tables, worth_below: float = WORTH_BELOW) -> Any:
    """Return the part of `tables.photon_bound` that suffices in each block, (blocks,) float32, x fastest.

    A voxel needs its density times the largest ratio, over all energies, of its medium's attenuation to the bound; a
    block needs what the neediest of its voxels does. The parts do not depend on the energy, so one number a block is
    enough, and are at most one, so no block does worse than the grid as a whole.

    Parameters
    ----------
    problem : densities and media, on the host or on a GPU
    tables : of its media
    worth_below : no blocks when the mean of the parts is above it

    Returns
    -------
    ndarray or cupy.ndarray, as the problem's; `NO_BLOCKS` when they are not worth it
    """
    attenuation = tables.photon[:, :, TOTAL].astype(np.float64)
    per_density = (attenuation / tables.photon_bound.astype(np.float64)).max(axis=1) * (1.0 + 1e-5)
    with home_of(problem.density):
        parts = largest_in_blocks(problem, per_density.astype(np.float32))
        parts = parts.clip(np.float32(LOWEST_PART), np.float32(1.0))
        return parts if float(parts.mean()) < worth_below else NO_BLOCKS


def largest_in_blocks(problem: Problem, per_density: Any) -> Any:
    """Return the largest density times `per_density` (media,) of the voxels of each block, (blocks,) float32."""
    module = module_of(problem.density)
    nz, ny, nx = problem.shape
    side = BLOCK_SIDE
    blocks_z, blocks_y, blocks_x = (-(-n // side) for n in (nz, ny, nx))
    density = problem.density.reshape(nz, ny, nx)
    medium = problem.medium_index.reshape(nz, ny, nx)
    per_density = module.asarray(per_density)
    largest = module.empty((blocks_z, blocks_y, blocks_x), np.float32)
    columns = module.zeros((blocks_y * side, blocks_x * side), np.float32)  # a slab of blocks seen along z
    for k in range(blocks_z):
        slab = slice(k * side, (k + 1) * side)
        columns[:ny, :nx] = (density[slab] * per_density[medium[slab]]).max(axis=0)
        largest[k] = columns.reshape(blocks_y, side, blocks_x, side).max(axis=(1, 3))
    return largest.ravel()
