"""Beta spectra of P-32 and Sr-89 with measured charge radii, by the functions that made the one of Y-90.

Source: end points: P-32 DDEP 1710.66 keV; Sr-89 Q = 1502.2(4) keV, Sandler et al., Phys. Rev. C 100:024309 (2019),
by Penning trap (DDEP has 1495.1 keV). Charge radii: Angeli and Marinova, At. Data Nucl. Data Tables 99:69 (2013).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.constants import ELECTRON_MASS
from tools.make_beta_spectrum import COMPTON_WAVELENGTH, Atom, coulomb_factors, energy_grid, mean_energy

Array = NDArray[np.float64]


class Transition(NamedTuple):
    """A beta transition: its end point [MeV] and the daughter's Z and root mean square charge radius [cm].

    `unique` is true for a unique first-forbidden one, false for an allowed one.
    """

    end_point_mev: float
    daughter: int
    charge_radius_cm: float
    unique: bool


P32 = Transition(1.71066, 16, 3.2611e-13, unique=False)  # 1+ to the ground state 0+ of S-32
SR89 = Transition(1.5022, 39, 4.2430e-13, unique=True)  # 5/2+ to the ground state 1/2- of Y-89


def spectrum(transition: Transition) -> tuple[Array, Array]:
    """Return energies [MeV] and densities [1/MeV], linear between them, of integral 1.

    dN/dW = p W q^2 F0L0, times (q^2 + lambda2 p^2) of a unique first-forbidden transition. Below 100 eV the density
    is that at 100 eV.
    """
    atom = Atom(
        transition.daughter,
        transition.daughter,
        float(np.sqrt(5.0 / 3.0)) * transition.charge_radius_cm / COMPTON_WAVELENGTH,
    )
    energy = np.asarray(energy_grid(transition.end_point_mev))
    total = 1.0 + energy[1:-1] / ELECTRON_MASS
    neutrino = (transition.end_point_mev - energy[1:-1]) / ELECTRON_MASS
    f0l0, lambda2 = coulomb_factors(atom, energy[1:-1])
    density = np.zeros_like(energy)
    density[1:-1] = np.sqrt(total**2 - 1.0) * total * neutrino**2 * f0l0
    if transition.unique:
        density[1:-1] *= neutrino**2 + lambda2 * (total**2 - 1.0)
    density[0] = density[1]
    return energy, density / np.trapezoid(density, energy)


def mean_kev(table: tuple[Array, Array]) -> float:
    """Return the mean energy of a spectrum [keV]."""
    return float(mean_energy(*table)) * 1e3
