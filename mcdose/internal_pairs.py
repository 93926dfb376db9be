"""Electron-positron pairs that a decay makes instead of a gamma: as an option, on top of what a nuclide emits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mcdose.constants import ELECTRON_MASS
from mcdose.nuclides import Nuclide
from mcdose.spectra import Spectrum

POINTS = 201


def with_internal_pairs(nuclide: Nuclide) -> Nuclide:
    """Return the nuclide with the pairs of its `internal_pairs_per_decay` among what is simulated.

    The transition is between two 0+ states (Y-90: Zr-90, 1.7607 MeV), so the pair has all its energy; positron and
    electron share it as p+ p- (W+ W- - 1) in Born approximation, without the nucleus' charge, which would give the
    positron a little more. The energy of the betas that feed the level, 1e-4 of them, is not taken off.

    Parameters
    ----------
    nuclide : with `internal_pair_mev`, the energy of the transition

    Returns
    -------
    Nuclide
        Of the name and half-life given; its positrons annihilate where they end.

    Raises
    ------
    ValueError
        If the nuclide makes no pairs.

    Source: Oppenheimer and Schwinger, Phys. Rev. 56 (1939) 1066 (the distribution); Selwyn et al., Appl. Radiat. Isot.
    65 (2007) 318 (pairs per decay of Y-90).
    """
    if not nuclide.internal_pairs_per_decay > 0.0:
        raise ValueError(f"nuclide must make internal pairs, {nuclide.name} makes none that mcdose knows of")
    energies, density = pair_density(nuclide.internal_pair_mev - 2.0 * ELECTRON_MASS)
    made = Spectrum(energies, nuclide.internal_pairs_per_decay * density)
    positrons = made if nuclide.positron_spectrum is None else _sum(nuclide.positron_spectrum, made)
    return replace(nuclide, spectrum=_sum(nuclide.spectrum, made), positron_spectrum=positrons)


def pair_density(shared_mev: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return kinetic energies [MeV] of one of a pair and their probability density [1/MeV], integral 1.

    Parameters
    ----------
    shared_mev : kinetic energy of the two together
    """
    energy = np.linspace(0.0, shared_mev, POINTS)
    own, other = (kinetic / ELECTRON_MASS for kinetic in (energy, shared_mev - energy))
    momenta = np.sqrt(own * (own + 2.0)) * np.sqrt(np.maximum(other * (other + 2.0), 0.0))
    density = momenta * ((own + 1.0) * (other + 1.0) - 1.0)
    return energy, density / np.trapezoid(density, energy)


def _sum(first: Spectrum, second: Spectrum) -> Spectrum:
    """Add two spectra, both linear between their points; what is beyond an end point is 0."""
    if not len(first.energies_mev):
        return second
    energies = np.union1d(first.energies_mev, second.energies_mev)
    parts = (np.interp(energies, s.energies_mev, s.density_per_mev, right=0.0) for s in (first, second))
    return Spectrum(energies, np.asarray(sum(parts)))
