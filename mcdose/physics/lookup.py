"""Tables on a grid of energies that is found without a logarithm.

Each octave of energy is cut into 2^bits equal parts, so the exponent and the leading bits of the mantissa of a float32
*are* the index, and the trailing bits are the place inside the interval. The host side of the grid is `energy_grid`.
"""

import numpy as np
from numpy.typing import NDArray

from mcdose.jit import compiled


def energy_grid(lowest_exponent: int, highest_exponent: int, bits: int) -> NDArray[np.float64]:
    """Return the nodes [MeV] from 2^lowest to 2^highest, 2^bits equal steps an octave, as float64, shape (n + 1,)."""
    octaves = 2.0 ** np.arange(lowest_exponent, highest_exponent)
    steps = 1.0 + np.arange(2**bits) / 2.0**bits
    return np.append(np.outer(octaves, steps).ravel(), 2.0**highest_exponent)


@compiled
def locate(energy, lowest_exponent, bits, last):
    """Return the interval that holds `energy` and the place in it, 0 to 1.

    Parameters
    ----------
    energy : MeV, float32, positive
    lowest_exponent, bits : those of the grid (int)
    last : index of the last interval; energies outside the grid take its first or last node
    """
    pattern = np.float32(energy).view(np.int32)
    index = (pattern >> np.int32(23 - bits)) - np.int32((127 + lowest_exponent) << bits)
    place = np.float32(pattern & np.int32((1 << (23 - bits)) - 1)) * (np.float32(1.0) / np.float32(1 << (23 - bits)))
    if index < 0:
        return np.int32(0), np.float32(0.0)
    if index > last:
        return np.int32(last), np.float32(1.0)
    return np.int32(index), place


@compiled
def column_at(table, medium, index, place, column):
    """Return a column of a table (media, nodes, columns), interpolated linearly where `locate` found the energy."""
    low = table[medium, index, column]
    return low + place * (table[medium, index + 1, column] - low)
