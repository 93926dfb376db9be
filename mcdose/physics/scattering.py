"""Multiple scattering of one condensed step, at its hinge."""

import math

import numpy as np

from mcdose.jit import compiled


@compiled
def sample_deflection(tables, row, uniform_1):
    """Sample 1 - cos of the Goudsmit-Saunderson angle of a whole step.

    Parameters
    ----------
    tables : (rows, n + 2) float32: the shape parameter a, then n + 1 values t where the cumulative probability
        is 1 - (1 - k / n)^2
    row : which step and energy
    uniform_1 : uniform in (0, 1)

    Returns
    -------
    one_minus_cosine : 0 to 2

    Notes
    -----
    (1 - cos)/2 = a t / (1 + a - t). With t uniform this is the Rutherford-like a (1 + a) / (x + a)^2, so t as a
    function of the cumulative probability is smooth up to backscattering and is interpolated linearly. The tables
    and their physics (screened Rutherford times Mott factor, soft electron collisions) are made by
    `mcdose.goudsmit_saunderson`.
    """
    cells = tables.shape[1] - 2
    position = (1.0 - math.sqrt(uniform_1)) * np.float32(cells)
    cell = min(np.int32(position), np.int32(cells - 1))
    t = tables[row, cell + 1] + (position - np.float32(cell)) * (tables[row, cell + 2] - tables[row, cell + 1])
    a = tables[row, 0]
    return min(2.0 * a * t / (1.0 + a - t), np.float32(2.0))
