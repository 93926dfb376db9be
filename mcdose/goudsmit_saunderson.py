"""Multiple scattering of condensed steps: from single scattering to tables of deflection angles.

Host side, float64. Elastic scattering on nuclei is the screened Rutherford cross section with Moliere's screening
angle times the McKinley-Feshbach expansion of the Mott factor; soft collisions with electrons are Moller's (close)
and the longitudinal distant ones, up to the cut above which knock-on electrons are followed one by one. Goudsmit
and Saunderson's series is exact in the angle for a step that loses energy on the way.

Positrons (`charge` 1) have the Mott factor with the other sign of the charge, and Bhabha's cross section up to their
whole energy. From 0.2 MeV they scatter 3 % less than electrons in water, 5 to 6 % in bone; as much in water at 50 keV.

Neglects: the Mott factor beyond second Born approximation (electrons are within 1 % of partial waves in water from 50
keV to 3 MeV, 2 % low at 20 keV; positrons within 1 % from 0.2 MeV, 2 % high at 50 keV, 3 % at 20 keV), spin effects
in soft collisions, energy straggling inside a step.

Sources: Goudsmit and Saunderson, Phys. Rev. 57 (1940) 24; Moliere, Z. Naturforsch. 2a (1947) 133; McKinley and
Feshbach, Phys. Rev. 74 (1948) 1759; Fernandez-Varea et al., Nucl. Instrum. Meth. B 73 (1993) 447.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.close_collisions import largest_part, shape
from mcdose.constants import (
    AVOGADRO,
    BOHR_RADIUS,
    CLASSICAL_ELECTRON_RADIUS,
    ELECTRON_MASS,
    FINE_STRUCTURE,
    HBAR_C_MEV_CM,
    PI,
)
from mcdose.media import Medium, elements

Array = NDArray[np.float64]

ORDERS = 400  # Legendre orders kept; the fine steps need about 200


def legendre(orders: int, x: Array) -> Array:
    """Return 1 - P_l(1 - 2 x) for l = 0 .. orders, shape (orders + 1, *x.shape), x = sin^2(theta/2)."""
    # Recurrence for the difference from 1, so that it keeps its digits at small angles.
    missing = np.zeros((orders + 1, *x.shape))
    mu = 1.0 - 2.0 * x
    if orders >= 1:
        missing[1] = 2.0 * x
    for order in range(1, orders):
        missing[order + 1] = ((2 * order + 1) * (mu * missing[order] + 2.0 * x) - order * missing[order - 1]) / (
            order + 1
        )
    return missing


@cache
def _angle_nodes() -> tuple[Array, Array, Array]:
    """Return x = sin^2(theta/2), the weights of dx, and `legendre` there: Gauss points on logarithmic panels."""
    panels = np.concatenate([[0.0], np.geomspace(1e-10, 1.0, 61)])
    points, weights = np.polynomial.legendre.leggauss(12)
    half = 0.5 * np.diff(panels)[:, None]
    middle = 0.5 * (panels[1:] + panels[:-1])[:, None]
    x = (middle + half * points).ravel()
    return x, (half * weights).ravel(), legendre(ORDERS, x)


def _momentum_squared(energy: Array) -> Array:
    """Return (pc)^2 [MeV^2] of electrons of kinetic energy `energy` [MeV]."""
    return energy * (energy + 2.0 * ELECTRON_MASS)


def screening_parameter(atomic_number: int, energy: Array) -> Array:
    """Return Moliere's screening parameter eta, so that the cross section goes as 1/(1 - cos + 2 eta)^2."""
    momentum_squared = _momentum_squared(energy)
    beta_squared = momentum_squared / (energy + ELECTRON_MASS) ** 2
    radius = 0.88534 * atomic_number ** (-1.0 / 3.0) * BOHR_RADIUS
    born = FINE_STRUCTURE * atomic_number
    eta = (HBAR_C_MEV_CM / radius) ** 2 / momentum_squared * (1.13 + 3.76 * born**2 / beta_squared) / 4.0
    return np.asarray(eta)


def electrons_per_gram(medium: Medium) -> float:
    """Return the number of electrons in a gram."""
    return AVOGADRO * sum(
        fraction * elements()[symbol].z / elements()[symbol].atomic_weight
        for symbol, fraction in medium.composition.items()
    )


def nuclear_moments(medium: Medium, energy: Array, charge: int = -1) -> Array:
    """Return the transport coefficients of elastic scattering on nuclei.

    Parameters
    ----------
    energy : (n,) MeV
    charge : -1 for electrons, 1 for positrons

    Returns
    -------
    moments : (n, ORDERS + 1) cm2/g, integrals of (1 - P_l) over the cross section; [:, 1] is 1 / first transport
        mean free path
    """
    x, weights, missing = _angle_nodes()
    momentum_squared = _momentum_squared(energy)[:, None]
    beta_squared = momentum_squared / (energy[:, None] + ELECTRON_MASS) ** 2
    beta = np.sqrt(beta_squared)
    rutherford = PI * CLASSICAL_ELECTRON_RADIUS**2 * ELECTRON_MASS**2 / (momentum_squared * beta_squared)
    cross_section = np.zeros((energy.size, x.size))
    for symbol, fraction in medium.composition.items():
        atom = elements()[symbol]
        z = atom.z
        eta = screening_parameter(z, energy)[:, None]
        half_angle = np.sqrt(x)
        mott = 1.0 - beta_squared * x - charge * PI * FINE_STRUCTURE * beta * z * half_angle * (1.0 - half_angle)
        cross_section += AVOGADRO * fraction / atom.atomic_weight * z**2 * mott / (x + eta) ** 2
    return np.asarray((rutherford * cross_section * weights) @ missing.T)


def soft_electron_moments(medium: Medium, energy: Array, cut: float, charge: int = -1) -> Array:
    """Return the transport coefficients of inelastic collisions that lose less than `cut` [MeV].

    Distant collisions transfer the recoil Q below the mean excitation energy I with dQ / (I Q), close ones lose T
    between I and the cut (or half of the energy; a positron all of it) by Moller's or Bhabha's formula, both
    deflecting as a free electron of that recoil would.

    Returns
    -------
    moments : (n, ORDERS + 1) cm2/g
    """
    points, weights = np.polynomial.legendre.leggauss(48)
    momentum_squared = _momentum_squared(energy)[:, None]
    beta_squared = momentum_squared / (energy[:, None] + ELECTRON_MASS) ** 2
    excitation = medium.mean_excitation_energy_ev * 1e-6
    constant = 2.0 * PI * CLASSICAL_ELECTRON_RADIUS**2 * ELECTRON_MASS / beta_squared * electrons_per_gram(medium)

    # Distant: uniform in log Q is wasteful at the lower end, where the deflection vanishes; uniform in Q is exact in
    # the first moment: (1 - P_l) / Q is smooth.
    recoil = excitation * 0.5 * (points[None, :] + 1.0)
    x = ELECTRON_MASS * recoil / (2.0 * momentum_squared)
    rate = constant / excitation / recoil * (0.5 * excitation * weights)
    moments: Array = np.einsum("en,len->el", rate, legendre(ORDERS, x))

    # Close: uniform in log T.
    highest = np.minimum(cut, largest_part(charge) * energy)[:, None]
    logs = np.log(highest / excitation)
    transfer = excitation * np.exp(0.5 * logs * (points[None, :] + 1.0))
    kept = energy[:, None] - transfer
    sine_squared = 2.0 * ELECTRON_MASS * transfer / (energy[:, None] * (kept + 2.0 * ELECTRON_MASS))
    x = 0.5 * sine_squared / (1.0 + np.sqrt(1.0 - sine_squared))
    tau = energy[:, None] / ELECTRON_MASS
    rate = constant * shape(transfer / energy[:, None], tau, charge) / transfer * (0.5 * logs * weights)
    moments += np.einsum("en,len->el", rate, legendre(ORDERS, x))
    return moments


class LossRates(NamedTuple):
    """Transport coefficients per MeV of soft loss, on a logarithmic grid of energies."""

    log_energy: Array  # (n,) log of MeV
    log_rate: Array  # (n, ORDERS) log of 1/MeV, orders 1 .. ORDERS


def loss_rates(medium: Medium, energy: Array, cut: float, soft_stopping_power: Array, charge: int = -1) -> LossRates:
    """Return how fast a medium scatters electrons or positrons while they slow down.

    Parameters
    ----------
    energy : (n,) MeV, ascending
    cut : MeV, knock-on electrons above it are not part of the soft scattering
    soft_stopping_power : (n,) MeV cm2/g, of the same particles
    charge : -1 for electrons, 1 for positrons
    """
    moments = nuclear_moments(medium, energy, charge) + soft_electron_moments(medium, energy, cut, charge)
    return LossRates(np.log(energy), np.log(moments[:, 1:] / soft_stopping_power[:, None]))


def step_exponents(rates: LossRates, energy: Array, fraction: float) -> Array:
    """Return the Goudsmit-Saunderson exponents of steps that start at `energy` and softly lose `fraction` of it.

    Returns
    -------
    exponents : (n, ORDERS) for orders 1 .. ORDERS: the transport coefficients integrated along the step
    """
    points, weights = np.polynomial.legendre.leggauss(4)
    exponents = np.zeros((energy.size, ORDERS))
    for point, weight in zip(points, weights, strict=True):
        passed = np.log(energy * (1.0 - 0.5 * fraction * (1.0 + point)))
        low = np.clip(np.searchsorted(rates.log_energy, passed) - 1, 0, rates.log_energy.size - 2)
        place = (passed - rates.log_energy[low]) / (rates.log_energy[low + 1] - rates.log_energy[low])
        rate = rates.log_rate[low] + place[:, None] * (rates.log_rate[low + 1] - rates.log_rate[low])
        exponents += 0.5 * weight * (energy * fraction)[:, None] * np.exp(rate)
    return exponents


@cache
def _series() -> tuple[Array, Array]:
    """Return x = sin^2(theta/2) and [P_(l-1) - P_(l+1)] / 2 there for l = 1 .. ORDERS, shape (ORDERS, x.size)."""
    x = np.concatenate([[0.0], np.geomspace(1e-8, 1e-3, 250)[:-1], np.geomspace(1e-3, 1.0, 950)])
    missing = legendre(ORDERS + 1, x)
    return x, 0.5 * (missing[2:] - missing[:-2])


def cumulative(exponents: Array) -> tuple[Array, Array]:
    """Return x = sin^2(theta/2) and the probability of smaller ones, shape (n, x.size), for rows of exponents.

    The series integrated term by term: F = (1 - mu)/2 + 1/2 sum exp(-G_l) [P_(l-1) - P_(l+1)].
    """
    x, terms = _series()
    return x, np.clip(x + np.exp(-exponents) @ terms, 0.0, 1.0)


def deflection_table(exponents: Array, cells: int) -> Array:
    """Return the table that `physics.scattering.sample_deflection` reads.

    Parameters
    ----------
    exponents : (n, ORDERS)
    cells : number of cells

    Returns
    -------
    table : (n, cells + 2): the shape parameter a, then t where the cumulative probability is 1 - (1 - k / cells)^2,
        (1 - cos)/2 = a t / (1 + a - t)
    """
    x, probability = cumulative(exponents)
    wanted = 1.0 - np.linspace(1.0, 0.0, cells + 1) ** 2  # fine where the rare large angles are
    table = np.empty((exponents.shape[0], cells + 2))
    for row, levels in enumerate(np.maximum.accumulate(probability, axis=1)):
        median = min(float(np.interp(0.5, levels, x)), 0.49)
        a = median / (1.0 - 2.0 * median)  # t = 1/2 at the median
        table[row, 0] = a
        table[row, 1:] = np.interp(wanted, levels, x * (1.0 + a) / (a + x))
    table[:, 1] = 0.0
    table[:, -1] = 1.0
    return table
