"""Incoherent scattering of photons."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mcdose.constants import ELECTRON_MASS
from mcdose.jit import compiled

Array = NDArray[np.float64]

_HC = 0.01239841984  # MeV angstrom
_POINTS = 1024  # of the quadrature over angles


def compton_angles(energies: Array, bound: Callable[[Array], Array], cells: int) -> Array:
    """Return 1 - cos of the scattering angle where the root of its cumulative probability is k / cells.

    The density is Klein and Nishina's times the incoherent scattering function.

    Parameters
    ----------
    energies : (m,) MeV, of the photon
    bound : S(x)/Z, the incoherent scattering function per electron at x = sin(theta/2) E / hc [1/angstrom]
    cells : n

    Returns
    -------
    ndarray, (m, n + 1), each row from 0 to 2

    Notes
    -----
    S grows as 1 - cos where the angle is small, so the cumulative probability as its square: as a function of the root
    the angle has a finite slope at both ends. Points of the quadrature: sin(theta/2) = (k / 1024)^2.
    Source: Hubbell et al., J. Phys. Chem. Ref. Data 4 (1975) 471, eq. 5.
    """
    half_sine = np.linspace(0.0, 1.0, _POINTS + 1) ** 2
    one_minus_cosine = 2.0 * half_sine**2
    energy = np.asarray(energies, np.float64)[:, None]
    ratio = 1.0 / (1.0 + energy / ELECTRON_MASS * one_minus_cosine)
    klein_nishina = ratio**2 * (ratio + 1.0 / ratio - one_minus_cosine * (2.0 - one_minus_cosine))
    density = klein_nishina * bound(energy * half_sine / _HC) * half_sine  # d(1 - cos) = 4 sin(theta/2) d(sin(theta/2))
    parts = 0.5 * (density[:, 1:] + density[:, :-1]) * np.diff(half_sine)
    cumulative = np.pad(np.cumsum(parts, axis=1), ((0, 0), (1, 0)))
    roots = np.sqrt(cumulative / cumulative[:, -1:])
    wanted = np.linspace(0.0, 1.0, cells + 1)
    return np.array([np.interp(wanted, row, one_minus_cosine) for row in roots])


@compiled
def sample_compton(energy, angles, medium, index, inside, uniform_1):
    """Sample a Compton scattering: Klein-Nishina times the incoherent scattering function.

    Parameters
    ----------
    energy : MeV, of the photon
    angles : (media, energies, n + 1) float32, `compton_angles` of each medium, linear between its nodes
    medium : which medium
    index, inside : where `energy` lies among the energies (`lookup.locate`)
    uniform_1 : uniform in (0, 1)

    Returns
    -------
    scattered : MeV, of the scattered photon
    one_minus_cosine : of its polar angle, 0 to 2

    Notes
    -----
    Neglects Doppler broadening and the binding energy (the recoil electron gets energy - scattered).
    """
    cells = angles.shape[2] - 1
    position = math.sqrt(uniform_1) * np.float32(cells)
    cell = min(np.int32(position), np.int32(cells - 1))
    along = position - np.float32(cell)
    low = angles[medium, index, cell] + along * (angles[medium, index, cell + 1] - angles[medium, index, cell])
    above = index + 1
    high = angles[medium, above, cell] + along * (angles[medium, above, cell + 1] - angles[medium, above, cell])
    one_minus_cosine = low + inside * (high - low)
    return energy / (1.0 + energy * (1.0 / ELECTRON_MASS) * one_minus_cosine), one_minus_cosine


@compiled
def recoil_deflection(energy, scattered, one_minus_cosine):
    """Return 1 - cos of the recoil electron's angle from the photon's old direction (azimuth opposite).

    From momentum conservation with a free electron; energies in MeV.
    """
    recoil = energy - scattered
    momentum = math.sqrt(recoil * (recoil + 2.0 * ELECTRON_MASS))
    if momentum <= 0.0:
        return np.float32(0.0)
    cosine = (recoil + scattered * one_minus_cosine) / momentum
    return 1.0 - min(cosine, np.float32(1.0))
