"""Grids of energy: the bits of a float32 find the interval."""

import numpy as np
import pytest

from mcdose.physics.lookup import energy_grid, locate
from mcdose.transport.tables import (
    ANGLE_BITS,
    ANGLE_LAST,
    ELECTRON_BITS,
    ELECTRON_HIGH,
    ELECTRON_LAST,
    ELECTRON_LOW,
    PHOTON_BITS,
    PHOTON_HIGH,
    PHOTON_LAST,
    PHOTON_LOW,
)

GRIDS = [
    (ELECTRON_LOW, ELECTRON_HIGH, ELECTRON_BITS, ELECTRON_LAST),
    (ELECTRON_LOW, ELECTRON_HIGH, ANGLE_BITS, ANGLE_LAST),
    (PHOTON_LOW, PHOTON_HIGH, PHOTON_BITS, PHOTON_LAST),
]


@pytest.mark.parametrize(("low", "high", "bits", "last"), GRIDS)
def test_nodes(low, high, bits, last):
    nodes = energy_grid(low, high, bits)
    assert nodes.size == last + 2
    assert (nodes[0], nodes[-1]) == (2.0**low, 2.0**high)
    assert np.all(np.diff(nodes) > 0.0)
    assert np.diff(nodes[: 2**bits + 1]) == pytest.approx(2.0 ** (low - bits))
    for i, node in enumerate(nodes[:-1]):
        assert locate(np.float32(node), low, bits, last) == (i, 0.0)


@pytest.mark.parametrize(("low", "high", "bits", "last"), GRIDS)
def test_interval_and_place_give_the_energy_back(low, high, bits, last):
    nodes = energy_grid(low, high, bits)
    below = np.nextafter(nodes[1:].astype(np.float32), np.float32(0.0))
    inside = np.exp(np.random.default_rng(2).uniform(np.log(2.0**low), np.log(2.0**high), 3000)).astype(np.float32)
    for energy in (*below, *inside):
        index, place = locate(energy, low, bits, last)
        assert 0 <= index <= last
        assert 0.0 <= place < 1.0
        assert nodes[index] + place * (nodes[index + 1] - nodes[index]) == float(energy)


@pytest.mark.parametrize(("low", "high", "bits", "last"), GRIDS)
def test_outside_takes_the_end_node(low, high, bits, last):
    for energy in (0.0, 1e-40, 1e-30, np.nextafter(np.float32(2.0**low), np.float32(0.0)), -1.0):
        assert locate(np.float32(energy), low, bits, last) == (0, 0.0)
    for energy in (2.0**high, 1e30, np.inf):
        assert locate(np.float32(energy), low, bits, last) == (last, 1.0)
