"""Electron interaction data of a medium: stopping powers, density effect, delta rays, bremsstrahlung, range.

Host side, float64. Energies are kinetic energies of electrons in MeV from 0.001 to 30 (the span of the radiative
table), as numbers or arrays of any shape; all results are per unit mass thickness (g/cm2) and have the shape of the
energies. With `charge` 1 they are those of positrons.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.close_collisions import bhabha_terms, largest_part
from mcdose.constants import AVOGADRO, CLASSICAL_ELECTRON_RADIUS, ELECTRON_MASS, FINE_STRUCTURE, PI
from mcdose.data import DATA_FOLDER
from mcdose.media import Medium, atomic_numbers, atomic_weights, mass_fractions

LOWEST_MEV = 1e-3
HIGHEST_MEV = 30.0
# 2 pi r_e^2 m c^2 N_A = 0.15354 MeV cm2/mol: times Z/A it scales every process on free electrons
ELECTRON_FACTOR = 2.0 * PI * CLASSICAL_ELECTRON_RADIUS**2 * ELECTRON_MASS * AVOGADRO

Floats = NDArray[np.float64]


class _Oscillators(NamedTuple):
    """Sternheimer's oscillators of a medium: strengths (sum 1) and squared energies in plasma energies, shape (n,)."""

    strength: Floats
    binding_squared: Floats  # (rho_St E_i / plasma energy)^2; zero for conduction electrons
    level_squared: Floats  # the l_i^2 that enter the mean excitation energy


def _checked(energy_mev: ArrayLike) -> Floats:
    """Energies as a float64 array, inside the span of the tables."""
    energy = np.asarray(energy_mev, dtype=np.float64)
    if not np.all((energy >= LOWEST_MEV) & (energy <= HIGHEST_MEV)):
        raise ValueError(f"energy_mev must lie within {LOWEST_MEV} to {HIGHEST_MEV} MeV, got {energy_mev!r}")
    return energy


def _checked_cut(name: str, cut_mev: float) -> float:
    """Check that a production threshold is positive."""
    if not cut_mev > 0.0:
        raise ValueError(f"{name} must be positive, got {cut_mev}")
    return float(cut_mev)


@cache
def _shells() -> Floats:
    """Atomic subshells that ESTAR uses: columns Z, electrons, binding energy [eV], 1 if conduction electrons."""
    return np.loadtxt(DATA_FOLDER / "shells.csv", delimiter=",", skiprows=1)


def plasma_energy_ev(medium: Medium) -> float:
    """Plasma energy of all electrons of a medium, hbar omega_p = sqrt(4 pi n r_e^3) m c^2 / alpha [eV]."""
    electrons_per_cm3 = AVOGADRO * medium.density_g_cm3 * medium.z_over_a
    radius_cubed = CLASSICAL_ELECTRON_RADIUS**3
    return float(np.sqrt(4.0 * PI * electrons_per_cm3 * radius_cubed) * ELECTRON_MASS * 1e6 / FINE_STRUCTURE)


@lru_cache(maxsize=256)
def _oscillators(medium: Medium) -> _Oscillators:
    """Oscillators of a medium, with the binding energies scaled so that they give its mean excitation energy."""
    strength, binding = [], []
    electron_shares = mass_fractions(medium) * atomic_numbers(medium) / atomic_weights(medium)
    alone = len(medium.composition) == 1
    for z, share in zip(atomic_numbers(medium), electron_shares / electron_shares.sum(), strict=True):
        shells = _shells()[_shells()[:, 0] == z]
        strength.append(share * shells[:, 1] / shells[:, 1].sum())
        binding.append(np.where(alone & (shells[:, 3] == 1.0), 0.0, shells[:, 2]))
    f = np.concatenate(strength)
    squared = (np.concatenate(binding) / plasma_energy_ev(medium)) ** 2
    # l_i^2 = (rho E_i)^2 + 2/3 f_i, for conduction electrons f_i; sum f_i ln l_i = ln(I / plasma energy) gives rho^2
    local_field = np.where(squared > 0.0, 2.0 / 3.0, 1.0) * f
    target = 2.0 * np.log(medium.mean_excitation_energy_ev / plasma_energy_ev(medium))
    if target <= np.sum(f * np.log(local_field)):
        raise ValueError(
            f"density of medium {medium.name!r} is too high for its mean excitation energy of "
            f"{medium.mean_excitation_energy_ev:g} eV, got {medium.density_g_cm3:g} g/cm3"
        )
    scale = 1.0
    for _ in range(100):
        level = scale * squared + local_field
        step = (target - np.sum(f * np.log(level))) / np.sum(f * squared / level)
        scale = max(scale + step, 0.1 * scale)
        if abs(step) < 1e-12 * scale:
            break
    return _Oscillators(f, scale * squared, scale * squared + local_field)


def density_effect(medium: Medium, energy_mev: ArrayLike) -> Floats:
    """Density-effect correction delta of the collision stopping power, at the medium's density.

    Solves the dispersion equation of Sternheimer's oscillators numerically; the five-parameter fit, off by up to 0.5 %
    of the stopping power near 1 MeV, is not used. In mixtures all electrons are bound; in a single element the outer
    ones that ESTAR lists as conduction electrons are free.

    Parameters
    ----------
    medium : Medium
    energy_mev : array_like [MeV]

    Returns
    -------
    ndarray, the shape of the energies

    Source: Sternheimer, Berger and Seltzer, At. Data Nucl. Data Tables 30 (1984) 261, Eqs. 1 to 6.
    """
    energy = _checked(energy_mev)
    oscillators = _oscillators(medium)
    tau = energy / ELECTRON_MASS
    momentum_squared: Floats = np.atleast_1d(tau * (tau + 2.0)).ravel()
    f, binding = oscillators.strength[:, None], oscillators.binding_squared[:, None]
    with np.errstate(divide="ignore"):
        threshold = 1.0 / np.sum(oscillators.strength / oscillators.binding_squared)
    above = momentum_squared > threshold
    p2 = momentum_squared[above]
    # 1 / sum f/(binding + l) = p^2 is increasing and concave in l: Newton from below converges without overshoot
    frequency = np.zeros_like(p2)
    if threshold == 0.0:  # conduction electrons: start beside the root of their own term
        frequency += oscillators.strength[oscillators.binding_squared == 0.0].sum() * p2 * 1e-3
    for _ in range(100):
        inverse = np.sum(f / (binding + frequency), axis=0)
        slope = np.sum(f / (binding + frequency) ** 2, axis=0) / inverse**2
        step = (p2 - 1.0 / inverse) / slope
        frequency += step
        if np.all(abs(step) <= 1e-12 * frequency):
            break
    delta = np.zeros_like(momentum_squared)
    logarithms = np.log1p(frequency / oscillators.level_squared[:, None])
    delta[above] = np.sum(f * logarithms, axis=0) - frequency / (p2 + 1.0)
    return delta.reshape(energy.shape)


def collision_stopping_power(
    medium: Medium, energy_mev: ArrayLike, cut_mev: float | None = None, charge: int = -1
) -> Floats:
    """Mass collision stopping power for electrons, Berger-Seltzer [MeV cm2/g].

    With `cut_mev` only losses below the cut count (knock-on electrons above it are followed on their own); a cut of
    half the energy or more gives the whole stopping power, of positrons one of the energy or more.

    Parameters
    ----------
    medium : Medium
    energy_mev : array_like [MeV]
    cut_mev : float, optional [MeV]
    charge : -1 for electrons, 1 for positrons

    Returns
    -------
    ndarray, the shape of the energies

    Neglects: shell correction and binding in the Moller and Bhabha part, as ESTAR and ICRU 37 do.

    Source: ICRU Report 37 (1984), Eqs. 3.4 to 3.6 (unrestricted), 3.8 (restricted). For positrons Moller's cross
    section is replaced by Bhabha's, integrated to the cut; to the whole energy that is the report's F+.
    """
    energy = _checked(energy_mev)
    tau = energy / ELECTRON_MASS
    largest = tau * largest_part(charge)
    if cut_mev is not None:
        largest = np.minimum(largest, _checked_cut("cut_mev", cut_mev) / ELECTRON_MASS)
    gamma = tau + 1.0
    beta2 = tau * (tau + 2.0) / gamma**2
    excitation = medium.mean_excitation_energy_ev * 1e-6 / ELECTRON_MASS
    if charge < 0:
        close = (
            -1.0
            - beta2
            + np.log((tau - largest) * largest)
            + tau / (tau - largest)
            + (largest**2 / 2.0 + (2.0 * tau + 1.0) * np.log1p(-largest / tau)) / gamma**2
        )
    else:
        b1, b2, b3, b4 = bhabha_terms(tau)
        part = largest / tau
        close = -beta2 + np.log(tau * largest) - part * (b1 - part * (b2 / 2.0 - part * (b3 / 3.0 - part * b4 / 4.0)))
    number = np.log(2.0 * (tau + 2.0) / excitation**2) + close - density_effect(medium, energy)
    return np.asarray(ELECTRON_FACTOR * medium.z_over_a / beta2 * number)


def binding_variance(medium: Medium, energy_mev: ArrayLike) -> Floats:
    """Return what the binding of electrons adds to the variance of the collision loss [MeV2 cm2/g].

    In distant collisions an electron of the shell k, a share f_k of all, absorbs not any small loss but W_k:

        K sum_k f_k W_k [ln(2 m c^2 beta^2 gamma^2 / W_k) - beta^2 - delta - 1],    K = 2 pi r_e^2 m c^2 n_e / beta^2,

    on top of Moller's formula down to no loss (the 1 is its part below W_k). W_k are Sternheimer's oscillators, whose
    mean logarithm is that of the mean excitation energy. 3 % of the whole variance in water at 100 keV, 10 % at 20 keV.
    Where a cut is below W_k, Moller electrons between them are followed though the shell has none; the -1 takes their
    part off here, so that the variance of all losses is right.

    Neglects: shells so deep that the bracket is negative, below 10 keV only.

    Source: Salvat, PENELOPE-2018, NEA/MBDAV/R(2019)1, sec. 3.2 (the oscillators' distant longitudinal and transverse
    collisions); Fano, Annu. Rev. Nucl. Sci. 13 (1963) 1, for the effect.
    """
    energy = np.atleast_1d(_checked(energy_mev))
    oscillators = _oscillators(medium)
    level = plasma_energy_ev(medium) * 1e-6 * np.sqrt(oscillators.level_squared)
    tau = energy / ELECTRON_MASS
    momentum_squared = tau * (tau + 2.0)
    beta2 = momentum_squared / (tau + 1.0) ** 2
    logarithm = np.log(2.0 * ELECTRON_MASS * momentum_squared[:, None] / level)
    number = logarithm - (beta2 + density_effect(medium, energy) + 1.0)[:, None]
    total = np.sum(oscillators.strength * level * np.maximum(number, 0.0), axis=1)
    return np.asarray(ELECTRON_FACTOR * medium.z_over_a / beta2 * total)


def moller_cross_section(medium: Medium, energy_mev: ArrayLike, cut_mev: float) -> Floats:
    """Count Moller electrons above a cut per unit mass thickness [cm2/g]; none where the cut exceeds half the energy.

    Neglects: binding of the atomic electrons.

    Source: Moller, Ann. Phys. 406 (1932) 531, integrated from the cut to half the energy (Geant4 Physics Reference
    Manual, chapter Ionisation, has the same form).
    """
    energy = _checked(energy_mev)
    tau = energy / ELECTRON_MASS
    gamma2 = (tau + 1.0) ** 2
    beta2 = tau * (tau + 2.0) / gamma2
    x = np.minimum(_checked_cut("cut_mev", cut_mev) / energy, 0.5)
    shape = tau**2 / gamma2 * (0.5 - x) + 1.0 / x - 1.0 / (1.0 - x) - (2.0 * tau + 1.0) / gamma2 * np.log((1.0 - x) / x)
    return np.asarray(ELECTRON_FACTOR * medium.z_over_a / (beta2 * energy) * shape)


def bhabha_cross_section(medium: Medium, energy_mev: ArrayLike, cut_mev: float) -> Floats:
    """Count electrons that positrons knock on above a cut per unit mass thickness [cm2/g]; none above the energy.

    Neglects: binding of the atomic electrons.

    Source: Bhabha's cross section (`close_collisions.bhabha_terms`), integrated from the cut to the whole energy.
    """
    energy = _checked(energy_mev)
    tau = energy / ELECTRON_MASS
    beta2 = tau * (tau + 2.0) / (tau + 1.0) ** 2
    x = np.minimum(_checked_cut("cut_mev", cut_mev) / energy, 1.0)
    b1, b2, b3, b4 = bhabha_terms(tau)
    shape = 1.0 / x - 1.0 + b1 * np.log(x) + b2 * (1.0 - x) - b3 * (1.0 - x**2) / 2.0 + b4 * (1.0 - x**3) / 3.0
    return np.asarray(ELECTRON_FACTOR * medium.z_over_a / (beta2 * energy) * shape)


def annihilation_cross_section(medium: Medium, energy_mev: ArrayLike) -> Floats:
    """Count annihilations of positrons in flight with free electrons at rest, per unit mass thickness [cm2/g].

    Source: Heitler, The Quantum Theory of Radiation (1954), as in Salvat, PENELOPE-2018, NEA/MBDAV/R(2019)1, sec.
    3.3.4.
    """
    gamma = 1.0 + _checked(energy_mev) / ELECTRON_MASS
    momentum = np.sqrt(gamma**2 - 1.0)
    shape = (gamma**2 + 4.0 * gamma + 1.0) * np.log(gamma + momentum) - (gamma + 3.0) * momentum
    # pi r_e^2 an electron; ELECTRON_FACTOR is 2 pi r_e^2 m c^2 times the electrons in a gram for Z/A = 1
    per_electron = ELECTRON_FACTOR / (2.0 * ELECTRON_MASS)
    return np.asarray(per_electron * medium.z_over_a * shape / ((gamma + 1.0) * (gamma**2 - 1.0)))


@cache
def _radiative_table() -> tuple[Floats, Floats]:
    """Energies (n,) [MeV] and ESTAR's mass radiative stopping powers of the elements (92, n) [MeV cm2/g]."""
    table = np.loadtxt(DATA_FOLDER / "radiative_stopping_power.csv", delimiter=",", skiprows=1)
    return table[:, 0], table[:, 1:].T


def positron_radiation(atomic_number: ArrayLike, energy_mev: ArrayLike) -> Floats:
    """Return the radiative stopping power of an element for positrons over that for electrons, 0 to 1.

    The nucleus repels positrons: 0.78 for oxygen at 100 keV, 0.94 at 1 MeV. Within 0.5 % of the calculated ratios.

    Parameters
    ----------
    atomic_number, energy_mev : array_like, broadcast together

    Source: Kim et al., Phys. Rev. A 33 (1986) 3002, fitted as in Salvat, PENELOPE-2018, NEA/MBDAV/R(2019)1, eq.
    3.152.
    """
    squared = np.square(np.asarray(atomic_number, dtype=np.float64))
    t = np.log1p(1e6 * np.asarray(energy_mev, dtype=np.float64) / (ELECTRON_MASS * squared))
    terms = (-1.8080e-6, 7.0568e-5, -1.0595e-3, 7.7446e-3, -3.1516e-2, 6.1274e-2, -1.2359e-1, 0.0)
    return np.asarray(-np.expm1(np.polyval(terms, t)))


def radiative_stopping_power(medium: Medium, energy_mev: ArrayLike, charge: int = -1) -> Floats:
    """Mass radiative stopping power, by additivity over the elements [MeV cm2/g].

    The sum is interpolated by a cubic spline in the logarithms, as ESTAR does. That of positrons (`charge` 1) is the
    electrons', element by element times `positron_radiation`.

    Source: Seltzer and Berger, Nucl. Instrum. Methods B 12 (1985) 95, through ESTAR (1 keV to 10 GeV).
    """
    from scipy.interpolate import CubicSpline

    energy = _checked(energy_mev)
    grid, elements = _radiative_table()
    numbers = atomic_numbers(medium)
    powers = elements[numbers - 1]
    if charge > 0:
        powers = powers * positron_radiation(numbers[:, None], grid)
    total = mass_fractions(medium) @ powers
    return np.asarray(np.exp(CubicSpline(np.log(grid), np.log(total))(np.log(energy))))


@cache
def _shape_table() -> tuple[Floats, Floats, Floats]:
    """Logarithms of the energies (m,), reduced photon energies (n,) and normalised photon-energy shape (m, n)."""
    path = DATA_FOLDER / "bremsstrahlung_shape_water.csv"
    with path.open(encoding="ascii") as file:
        kappa = np.array(file.readline().split(",")[1:], dtype=np.float64)
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    shape = table[:, 1:]
    return np.log(table[:, 0] * 1e-3), kappa, shape / np.asarray(np.trapezoid(shape, kappa, axis=1))[:, None]


def _shape_rows(energy: Floats) -> tuple[Floats, Floats]:
    """Reduced photon energies (n,) and the shape at each of the energies, linear in ln T, shape (..., n)."""
    log_energy, kappa, shape = _shape_table()
    clipped = np.asarray(np.clip(np.log(energy), log_energy[0], log_energy[-1]))
    row = np.clip(np.searchsorted(log_energy, clipped, side="right") - 1, 0, log_energy.size - 2)
    weight: Floats = np.asarray((clipped - log_energy[row]) / np.diff(log_energy)[row])[..., None]
    return kappa, (1.0 - weight) * shape[row] + weight * shape[row + 1]


def bremsstrahlung_shape(energy_mev: ArrayLike, kappa: ArrayLike) -> Floats:
    """Normalised photon-energy shape g(T, kappa), kappa = k / T, whose integral over kappa from 0 to 1 is one.

    The spectrum per unit mass thickness is dN/dk = S_rad(T) / T * g(T, k/T) / k. The table is that of water and serves
    all media: their spectra differ in the total, S_rad, and little in shape.

    Parameters
    ----------
    energy_mev, kappa : array_like, broadcast together; kappa within 0 to 1 [MeV], [1]

    Returns
    -------
    ndarray of the broadcast shape; linear in ln T and in kappa, above 3 MeV the shape of 3 MeV

    Source: Seltzer and Berger, At. Data Nucl. Data Tables 35 (1986) 345.
    """
    energy, reduced = np.broadcast_arrays(_checked(energy_mev), np.asarray(kappa, dtype=np.float64))
    if not np.all((reduced >= 0.0) & (reduced <= 1.0)):
        raise ValueError(f"kappa must lie within 0 to 1, got {kappa!r}")
    grid, rows = _shape_rows(energy)
    left = np.clip(np.searchsorted(grid, reduced, side="right") - 1, 0, grid.size - 2)
    weight = (reduced - grid[left]) / (grid[left + 1] - grid[left])
    at_left = np.take_along_axis(rows, left[..., None], axis=-1)[..., 0]
    at_right = np.take_along_axis(rows, left[..., None] + 1, axis=-1)[..., 0]
    return np.asarray((1.0 - weight) * at_left + weight * at_right)


def _shape_pieces(energy: Floats, kappa_cut: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Linear pieces g = a + b kappa of the shape above a cut: their ends, a and b, each of shape (..., n - 1)."""
    kappa, rows = _shape_rows(energy)
    b = np.diff(rows, axis=-1) / np.diff(kappa)
    a = rows[..., :-1] - b * kappa[:-1]
    lower = np.maximum(kappa[:-1], kappa_cut[..., None])
    return lower, np.maximum(kappa[1:], lower), a, b


def bremsstrahlung_cross_section(
    medium: Medium, energy_mev: ArrayLike, photon_cut_mev: float, charge: int = -1
) -> Floats:
    """Count bremsstrahlung photons above a cut per unit mass thickness [cm2/g]; none where the cut exceeds the energy.

    S_rad / T times the integral of g / kappa from cut / T to 1, exact for the piecewise linear shape. Positrons
    (`charge` 1) are taken to have the electrons' shape.
    """
    energy = _checked(energy_mev)
    kappa_cut = np.minimum(_checked_cut("photon_cut_mev", photon_cut_mev) / energy, 1.0)
    lower, upper, a, b = _shape_pieces(energy, kappa_cut)
    integral = np.sum(a * np.log(upper / lower) + b * (upper - lower), axis=-1)
    return np.asarray(radiative_stopping_power(medium, energy, charge) / energy * integral)


def soft_radiative_stopping_power(
    medium: Medium, energy_mev: ArrayLike, photon_cut_mev: float, charge: int = -1
) -> Floats:
    """Mass radiative stopping power by photons below a cut [MeV cm2/g]; all of it where the cut exceeds the energy."""
    energy = _checked(energy_mev)
    kappa_cut = np.minimum(_checked_cut("photon_cut_mev", photon_cut_mev) / energy, 1.0)
    lower, upper, a, b = _shape_pieces(energy, kappa_cut)
    hard = np.sum(a * (upper - lower) + b * (upper**2 - lower**2) / 2.0, axis=-1)
    return np.asarray(radiative_stopping_power(medium, energy, charge) * (1.0 - hard))


def total_stopping_power(medium: Medium, energy_mev: ArrayLike, charge: int = -1) -> Floats:
    """Mass collision plus radiative stopping power [MeV cm2/g]."""
    collision = collision_stopping_power(medium, energy_mev, charge=charge)
    return np.asarray(collision + radiative_stopping_power(medium, energy_mev, charge))


def csda_range(medium: Medium, energy_mev: ArrayLike, charge: int = -1) -> Floats:
    """Range in the continuous-slowing-down approximation, the integral of 1 / S_total [g/cm2].

    Below 1 keV the stopping power is taken as proportional to T^-1, so 1 keV / (2 S(1 keV)) is added (ESTAR's rule;
    3e-6 g/cm2 in water).
    """
    from scipy.interpolate import CubicSpline

    energy = _checked(energy_mev)
    log_energy = np.linspace(np.log(LOWEST_MEV), np.log(HIGHEST_MEV), 901)
    grid = np.clip(np.exp(log_energy), LOWEST_MEV, HIGHEST_MEV)
    power = total_stopping_power(medium, grid, charge)
    antiderivative = CubicSpline(log_energy, grid / power).antiderivative()
    return np.asarray(antiderivative(np.log(energy)) + 0.5 * LOWEST_MEV / power[0])


def energy_of_range(medium: Medium, range_g_cm2: float) -> float:
    """Return the energy [MeV] of electrons of a CSDA range, 0 below that of 1 keV; at most 1 MeV."""
    energies = np.geomspace(LOWEST_MEV, 1.0, 500)
    return float(np.interp(range_g_cm2, csda_range(medium, energies), energies, left=0.0))
