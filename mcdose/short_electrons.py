"""What photons give electrons of short range: the tables of `transport.track_length`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcdose.constants import ELECTRON_MASS
from mcdose.electron_data import csda_range
from mcdose.media import medium
from mcdose.physics.lookup import energy_grid
from mcdose.transport.tables import (
    ELECTRON_BITS,
    ELECTRON_LOW,
    PHOTON_BITS,
    PHOTON_HIGH,
    PHOTON_LOW,
    WITH_COMPTON,
    WITH_PAIR,
    Cuts,
    Tables,
)

SHORT = 0.1  # part of the shortest side of a voxel of water that the range of a short electron is below
HIGHEST_MEV = 0.2  # of a short electron: it may radiate 0.1 % of its energy in water, which then stays too
_ANGLES = 4096  # points of a quadrature over Compton angles


def short_electrons_mev(shortest_mm: float) -> float:
    """Return the energy [MeV] below which electrons are short in voxels whose shortest side is `shortest_mm`."""
    energies = energy_grid(ELECTRON_LOW, 0, ELECTRON_BITS)
    reach = csda_range(medium("water"), energies)
    return float(min(np.interp(SHORT * shortest_mm / 10.0, reach, energies, left=0.0), HIGHEST_MEV))


def with_short_electrons(tables: Tables, cuts: Cuts, shortest_mm: float) -> tuple[Tables, Cuts]:
    """Return tables and cuts by which photons score short electrons along their way.

    Parameters
    ----------
    tables, cuts : of `physics_tables`
    shortest_mm : shortest side of a voxel
    """
    short = np.float32(short_electrons_mev(shortest_mm))
    recoil = np.stack([compton_recoil(tables, index, float(short)) for index in range(tables.photon.shape[0])])
    return tables._replace(recoil=recoil.astype(np.float32)), cuts._replace(short=short)


def compton_recoil(tables: Tables, index: int, short_mev: float) -> NDArray[np.float64]:
    """Return what Compton scattering gives electrons below an energy, MeV cm2/g at the photon nodes.

    By the angles that `physics.compton.sample_compton` draws from.

    Parameters
    ----------
    tables : of the media in use
    index : of the medium
    short_mev : the energy
    """
    energies = energy_grid(PHOTON_LOW, PHOTON_HIGH, PHOTON_BITS)[:, None]
    cells = tables.compton.shape[2] - 1
    probability = np.linspace(0.0, 1.0, _ANGLES + 1)  # of a smaller angle, so of a slower electron
    position = np.sqrt(probability) * cells
    cell = np.minimum(position.astype(int), cells - 1)
    angles = tables.compton[index].astype(float)
    one_minus_cosine = angles[:, cell] + (position - cell) * (angles[:, cell + 1] - angles[:, cell])
    recoil = energies - energies / (1.0 + energies / ELECTRON_MASS * one_minus_cosine)
    parts = 0.5 * (recoil[:, 1:] + recoil[:, :-1]) / _ANGLES
    sums = np.pad(np.cumsum(parts, axis=1), ((0, 0), (1, 0)))
    short = [np.interp(short_mev, row, probability) for row in recoil]
    mean = np.array([np.interp(up_to, probability, row) for up_to, row in zip(short, sums, strict=True)])
    attenuation = tables.photon[index].astype(float)
    return np.asarray(mean * (attenuation[:, WITH_COMPTON] - attenuation[:, WITH_PAIR]))
