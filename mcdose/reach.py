"""How far the electrons of a nuclide reach, and what its photons carry."""

from __future__ import annotations

from mcdose.media import Medium
from mcdose.nuclides import Nuclide

LEAST_MEV = 0.01  # of an electron that a reach is taken from


def highest_electron_mev(nuclide: Nuclide) -> float:
    """Return the highest energy of an electron [MeV]: of the decay, else of what its photons can free."""
    return max(nuclide.end_point_mev or max((energy for energy, _ in nuclide.lines), default=0.0), LEAST_MEV)


def electron_reach_mm(nuclide: Nuclide, medium: Medium, density_g_cm3: float) -> float:
    """Return the CSDA range of the electrons of the highest energy [mm]."""
    from mcdose.electron_data import csda_range

    return 10.0 * float(csda_range(medium, highest_electron_mev(nuclide))) / density_g_cm3


def photon_fraction(nuclide: Nuclide) -> float:
    """Return the part of the energy of a decay that gammas, X-rays and annihilation photons carry, 0 to 1."""
    means = nuclide.mean_energies_mev
    return sum(means[kind] for kind in ("gamma", "X-rays", "annihilation")) / (sum(means.values()) or 1.0)
