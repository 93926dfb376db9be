"""How far the electrons of a nuclide reach, and what its photons carry."""

from __future__ import annotations

from mcdose.media import Medium, medium
from mcdose.nuclides import Nuclide
from mcdose.parameters import TransportParameters

LEAST_MEV = 0.01  # of an electron that a reach is taken from
LUNG_G_CM3 = 0.26  # the lightest tissue


def highest_electron_mev(nuclide: Nuclide) -> float:
    """Return the highest energy of an electron [MeV]: of the decay, else of what its photons can free."""
    return max(nuclide.end_point_mev or max((energy for energy, _ in nuclide.lines), default=0.0), LEAST_MEV)


def electron_reach_mm(nuclide: Nuclide, medium: Medium, density_g_cm3: float) -> float:
    """Return the CSDA range of the electrons of the highest energy [mm]."""
    from mcdose.electron_data import csda_range

    return 10.0 * float(csda_range(medium, highest_electron_mev(nuclide))) / density_g_cm3


def least_moving_mev(shortest_mm: float, parameters: TransportParameters) -> float:
    """Return the energy [MeV] of a conversion or Auger electron below which it is left where the decay is.

    Its range in lung is then below `stop` of the shortest side of a voxel, or its energy is below `lowest_mev`,
    whichever is less. (In air it would reach farther.)
    """
    from mcdose.electron_data import energy_of_range

    stopping = energy_of_range(medium("water"), parameters.stop * shortest_mm / 10.0 * LUNG_G_CM3)
    return min(stopping, parameters.lowest_mev)


def photon_fraction(nuclide: Nuclide) -> float:
    """Return the part of the energy of a decay that gammas, X-rays and annihilation photons carry, 0 to 1."""
    means = nuclide.mean_energies_mev
    return sum(means[kind] for kind in ("gamma", "X-rays", "annihilation")) / (sum(means.values()) or 1.0)
