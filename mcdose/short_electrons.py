"""What photons give electrons of short range: the tables of `transport.track_length`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcdose.constants import ELECTRON_MASS
from mcdose.electron_data import energy_of_range
from mcdose.media import medium
from mcdose.physics.lookup import energy_grid
from mcdose.transport.tables import (
    PHOTON_BITS,
    PHOTON_HIGH,
    PHOTON_LOW,
    WITH_COMPTON,
    WITH_PAIR,
    Cuts,
    Tables,
)

HIGHEST_MEV = 0.2  # of a short electron: it may radiate 0.1 % of its energy in water, which then stays too
_ANGLES = 1024  # points of a quadrature over Compton angles


def short_electrons_mev(range_mm: float) -> float:
    """Return the energy [MeV] of electrons of a range in water, at most `HIGHEST_MEV`."""
    return min(energy_of_range(medium("water"), range_mm / 10.0), HIGHEST_MEV)


def with_short_electrons(tables: Tables, cuts: Cuts, range_mm: float) -> tuple[Tables, Cuts]:
    """Return tables and cuts by which photons score short electrons along their way.

    Parameters
    ----------
    tables, cuts : of `physics_tables`
    range_mm : in water, below which an electron is short
    """
    short = np.float32(short_electrons_mev(range_mm))
    recoil = np.stack([compton_recoil(tables, index, float(short)) for index in range(tables.photon.shape[0])])
    return tables._replace(recoil=recoil.astype(np.float32)), cuts._replace(short=short)


def compton_recoil(tables: Tables, index: int, short_mev: float) -> NDArray[np.float64]:
    """Return what Compton scattering gives electrons below an energy, MeV cm2/g, and in which part of the scatterings.

    By the angles that `physics.compton.sample_compton` draws from. Between the nodes the transport interpolates both:
    an electron is left out at a collision if and only if its energy is in the mean.

    Parameters
    ----------
    tables : of the media in use
    index : of the medium
    short_mev : the energy

    Returns
    -------
    ndarray, (photon nodes, 2), columns GIVEN and PART of `Tables.recoil`
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
    part = np.array([np.interp(short_mev, row, probability) for row in recoil])
    mean = np.array([np.interp(up_to, probability, row) for up_to, row in zip(part, sums, strict=True)])
    attenuation = tables.photon[index].astype(float)
    given = mean * (attenuation[:, WITH_COMPTON] - attenuation[:, WITH_PAIR])
    return np.stack([given, part], axis=1)
