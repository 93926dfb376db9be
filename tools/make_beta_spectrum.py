"""Compute beta spectra from Fermi theory: that of Y-90, which this tool writes, and those of `make_nuclides`.

    python tools/make_beta_spectrum.py             # the spectrum and the effect of each ingredient on its mean
    python tools/make_beta_spectrum.py --write     # also writes mcdose/data/nuclides/y90_beta_spectrum.csv

Y-90 (2-) to the ground state of Zr-90 (0+) is a unique first-forbidden transition: its single matrix element drops out
of the shape and

    dN/dW = p W q^2 F0L0 (q^2 + lambda2 p^2),       q = W0 - W,

in units of the electron mass, hbar = c = 1. F0L0 and lambda2 come from the amplitudes of the electron's wave functions
at the centre of the nucleus. All four waves (kappa = -1, +1, -2, +2) are solved for in one and the same potential, a
uniformly charged nucleus inside a Moliere atom, so that finite size and screening enter both factors alike.

Allowed transitions have the shape p W q^2 F0L0, and non-unique forbidden ones are taken to have it too. A positron sees
every charge with the other sign. F0L0 and lambda2 do not depend on the end point, so `summed_spectrum` solves for the
waves of a daughter once and adds up its branches.

Neglected: recoil, weak magnetism and higher multipoles, exchange with atomic electrons, shake-off, radiative
corrections (the last line printed says what Sirlin's would do).

Source: Behrens and Buhring, Electron Radial Wave Functions and Nuclear Beta-decay, Oxford 1982 (definitions of alpha,
F0L0, lambda_k); Moliere, Z. Naturforsch. 2a:133 (1947) (screening function); Angeli and Marinova, At. Data Nucl. Data
Tables 99:69 (2013) (charge radius of Zr-90); Johnson and Soff, At. Data Nucl. Data Tables 33:405 (1985) (radii of all
others, 0.836 A^(1/3) + 0.570 fm); ENSDF, Nucl. Data Sheets 165:1 (2020) (end point of Y-90).

Needs numpy and scipy. Takes five seconds a spectrum.
"""

import argparse
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import loggamma, spence

from mcdose.constants import BOHR_RADIUS, ELECTRON_MASS, FINE_STRUCTURE, HBAR_C_MEV_CM

COMPTON_WAVELENGTH = HBAR_C_MEV_CM / ELECTRON_MASS  # cm, reduced: the unit of length here
CHARGE_RADIUS_ZR90 = 4.2694e-13  # cm, root mean square; Angeli and Marinova 2013
END_POINT_Y90 = 2.2785  # MeV; ENSDF 2.2785(16), DDEP 2.2787
TARGET = Path(__file__).resolve().parents[1] / "mcdose" / "data" / "nuclides" / "y90_beta_spectrum.csv"

STEPS_INSIDE = 1000  # Magnus steps in ln r from the origin to the nuclear surface
STEPS_OUTSIDE = 12000  # and from there to where the asymptotic series takes over


@dataclass(frozen=True)
class Atom:
    """Potential the beta particle leaves: a nucleus and the electrons around it.

    Parameters
    ----------
    charge
        Z of the daughter nucleus; -Z for a positron, which the nucleus repels.
    electrons
        Electrons that screen it, with Moliere's shape of the neutral atom: Z for a neutral daughter, Z - 1 for the ion
        that a sudden decay leaves, 0 for none; of the sign of `charge`.
    radius
        Radius of the uniformly charged sphere [electron Compton wavelengths]; 0 for a point nucleus.
    """

    charge: int = 40
    electrons: int = 40
    radius: float = np.sqrt(5 / 3) * CHARGE_RADIUS_ZR90 / COMPTON_WAVELENGTH

    def potential_energy(self, r):
        """Potential energy of an electron at `r` [electron masses]."""
        coulomb = FINE_STRUCTURE * self.charge / r
        if self.radius > 0:
            inside = FINE_STRUCTURE * self.charge / (2 * self.radius) * (3 - (r / self.radius) ** 2)
            coulomb = np.where(r < self.radius, inside, coulomb)
        if self.electrons == 0:
            return -coulomb
        return FINE_STRUCTURE * self.electrons * screened_part(r, self.charge) / r - coulomb


def screened_part(r, charge):
    """1 - phi, phi the screening function of a neutral atom, at `r` [Compton wavelengths]. Source: Moliere 1947."""
    x = r / (0.88534 * BOHR_RADIUS / COMPTON_WAVELENGTH * abs(charge) ** (-1 / 3))
    return -(0.10 * np.expm1(-6 * x) + 0.55 * np.expm1(-1.2 * x) + 0.35 * np.expm1(-0.3 * x))


def start_at_origin(atom, total_energy, kappa, r):
    """(r g, r f) of the regular solution at a small `r`, of unit amplitude in the sense of Behrens and Buhring.

    In a finite nucleus the large component is (p r)^(k-1) / (2k-1)!! times the amplitude; at a point nucleus the
    solution goes as r^gamma and is started with unit coefficient of the large component.
    """
    k = np.abs(kappa)
    momentum = np.sqrt(total_energy**2 - 1)
    if atom.radius > 0:
        large = r * (momentum * r) ** (k - 1) / np.where(k == 1, 1, 3)
        depth = atom.potential_energy(r)
        small = np.where(kappa < 0, -(total_energy - 1 - depth), total_energy + 1 - depth) * large * r / (2 * k + 1)
    else:
        strength = FINE_STRUCTURE * atom.charge
        gamma = np.sqrt(k**2 - strength**2)
        large = r**gamma
        small = np.where(kappa < 0, -strength, strength) / (k + gamma) * large
    return np.where(kappa < 0, large, small), np.where(kappa < 0, small, large)


def integrate_outward(atom, total_energy, kappa, wave, r_from, r_to, steps):
    """Carry (r g, r f) from one radius to another; all arguments but `atom` and `steps` are arrays of one shape.

    The radial Dirac equation in x = ln r,

        d(rg)/dx = -kappa rg + r (W + 1 - V) rf,      d(rf)/dx = kappa rf - r (W - 1 - V) rg,

    is linear with a traceless matrix, so each step multiplies by the exponential of the fourth-order Magnus series,
    which is a rotation where the electron is free and stays accurate when a step spans many wavelengths.

    Source: Iserles and Norsett, Phil. Trans. R. Soc. A 357:983 (1999).
    """
    g, f = wave
    step = np.log(r_to / r_from) / steps
    gauss = np.sqrt(3) / 6

    def off_diagonal(x):
        r = np.exp(x)
        depth = atom.potential_energy(r)
        return r * (total_energy + 1 - depth), -r * (total_energy - 1 - depth)

    for i in range(steps):
        middle = np.log(r_from) + (i + 0.5) * step
        b1, c1 = off_diagonal(middle - gauss * step)
        b2, c2 = off_diagonal(middle + gauss * step)
        twist = np.sqrt(3) / 12 * step**2  # times the commutator [A2, A1]
        a = -kappa * step + twist * (b2 * c1 - b1 * c2)
        b = (b1 + b2) / 2 * step - 2 * kappa * twist * (b1 - b2)
        c = (c1 + c2) / 2 * step + 2 * kappa * twist * (c1 - c2)
        square = a * a + b * c  # exp(M) = cosh(s) + M sinh(s)/s for a traceless M with M^2 = s^2
        root = np.sqrt(np.abs(square))
        even = np.where(square > 0, np.cosh(np.minimum(root, 50)), np.cos(root))
        odd = np.where(square > 0, np.sinh(np.minimum(root, 50)), np.sin(root)) / root
        g, f = even * g + odd * (a * g + b * f), even * f + odd * (c * g - a * f)
    return g, f


def asymptotic_amplitude(atom, total_energy, kappa, wave, r, terms=40):
    """Amplitude of (r g, r f) against a wave normalised to r g -> sqrt((W + 1) / 2W) cos(p r + ...) at infinity.

    Beyond the atom the potential is -alpha z / r with z the net charge, and the solution is the real part of
    exp(i (p r + y ln r)) times a series in 1/r whose terms follow from one another.
    """
    tail = FINE_STRUCTURE * (atom.charge - atom.electrons)
    p = np.sqrt(total_energy**2 - 1)
    y = tail * total_energy / p
    # the matrix of the leading power is singular: x_n = s_n N + t_n (1, 0), s_n from the solvability of the next order
    null = (total_energy + 1 + 0j, 1j * p)
    s = np.ones_like(p) + 0j
    u, v = s * null[0], s * null[1]
    sum_u, sum_v = u, v
    smallest = np.full_like(p, np.inf)
    for n in range(1, terms):
        right_v = (kappa - 1j * y + (n - 1)) * v - tail * u
        t = right_v / (total_energy - 1)  # second row with s = 0

        def projected(u, v, n=n):  # left null vector times the right-hand side of order n + 1
            return (total_energy - 1) * ((-kappa - 1j * y + n) * u + tail * v) - 1j * p * (
                (kappa - 1j * y + n) * v - tail * u
            )

        s = -projected(t, 0) / projected(*null)
        u, v = s * null[0] + t, s * null[1]
        size = np.hypot(np.abs(u), np.abs(v)) / r**n
        use = size < smallest  # an asymptotic series: stop at its smallest term
        smallest = np.where(use, size, 0)
        sum_u = sum_u + np.where(use, u / r**n, 0)
        sum_v = sum_v + np.where(use, v / r**n, 0)
    g, f = wave
    # g = Re(C sum_u), f = Re(C sum_v): two real equations for the complex C
    determinant = sum_u.imag * sum_v.real - sum_u.real * sum_v.imag
    real = (g * -sum_v.imag + f * sum_u.imag) / determinant
    imag = (f * sum_u.real - g * sum_v.real) / determinant
    return np.hypot(real, imag) * (total_energy + 1) / np.sqrt((total_energy + 1) / (2 * total_energy))


def amplitudes(atom, energy, refine=1):
    """Amplitudes alpha of the four waves at the origin, normalised at infinity.

    Parameters
    ----------
    atom : Atom
    energy : ndarray, shape (n,) [MeV]
        Kinetic energies, above zero.
    refine : int
        Divides the integration step.

    Returns
    -------
    dict of kappa to ndarray, shape (n,)
        alpha_kappa / p, in a normalisation of which alpha_-k^2 + alpha_k^2 = p^2 for a free electron.
    """
    kappa = np.repeat([-1, 1, -2, 2], len(energy))
    total_energy = np.tile(1 + np.asarray(energy) / ELECTRON_MASS, 4)
    p = np.sqrt(total_energy**2 - 1)
    y = FINE_STRUCTURE * (atom.charge - atom.electrons) * total_energy / p
    surface = np.full_like(p, atom.radius if atom.radius > 0 else 0.01)
    origin = surface * 1e-5
    # outside the atom (its potential there is below 1e-11) and where the asymptotic series converges to 1e-12
    far = np.maximum(3200.0 if atom.electrons else 10.0, 60 * (y**2 + kappa**2 + 1) / p)
    wave = start_at_origin(atom, total_energy, kappa, origin)
    wave = integrate_outward(atom, total_energy, kappa, wave, origin, surface, STEPS_INSIDE * refine)
    wave = integrate_outward(atom, total_energy, kappa, wave, surface, far, STEPS_OUTSIDE * refine)
    alpha = 1 / (asymptotic_amplitude(atom, total_energy, kappa, wave, far) * p)
    return dict(zip((-1, 1, -2, 2), alpha.reshape(4, -1), strict=True))


def coulomb_factors(atom, energy, refine=1):
    """F0L0 and lambda2 of Behrens and Buhring, both 1 without a charge; arrays of the shape of `energy` [MeV]."""
    alpha = amplitudes(atom, energy, refine)
    f0l0 = alpha[-1] ** 2 + alpha[1] ** 2
    return f0l0, (alpha[-2] ** 2 + alpha[2] ** 2) / f0l0


def point_coulomb_factor(charge, energy, k):
    """F_{k-1} L_{k-1} of a point nucleus in closed form, with (2 p r)^(2 (gamma - k)) at r = 1 Compton wavelength.

    Source: Behrens and Buhring 1982; Konopinski and Uhlenbeck, Phys. Rev. 60:308 (1941).
    """
    strength = FINE_STRUCTURE * charge
    w = 1 + np.asarray(energy) / ELECTRON_MASS
    p = np.sqrt(w**2 - 1)
    y = strength * w / p
    gamma = np.sqrt(k**2 - strength**2)
    double_factorial = {1: 1, 2: 3}[k]
    log = np.pi * y + 2 * (loggamma(gamma + 1j * y).real - loggamma(1 + 2 * gamma)) + 2 * (gamma - k) * np.log(2 * p)
    return (k * double_factorial) ** 2 * 4**k * np.exp(log) * (k + gamma) / (2 * k)


def shape(atom, energy, end_point=END_POINT_Y90, refine=1):
    """dN/dE of the unique first-forbidden transition, not normalised; zero at the end point."""
    w = 1 + energy / ELECTRON_MASS
    p = np.sqrt(w**2 - 1)
    q = np.maximum(end_point - energy, 0) / ELECTRON_MASS
    f0l0, lambda2 = coulomb_factors(atom, energy, refine)
    return p * w * q**2 * f0l0 * (q**2 + lambda2 * p**2)


def sirlin(energy, end_point):
    """Radiative correction 1 + alpha g / 2 pi of the electron spectrum. Source: Sirlin, Phys. Rev. 164:1767 (1967)."""
    w, w0 = 1 + energy / ELECTRON_MASS, 1 + end_point / ELECTRON_MASS
    beta = np.sqrt(1 - 1 / w**2)
    rapidity = np.arctanh(beta) / beta
    proton = 938.27208943 / ELECTRON_MASS
    q = np.maximum(w0 - w, 1e-9)
    g = 3 * np.log(proton) - 0.75 - 4 / beta * spence((1 - beta) / (1 + beta))
    g = g + 4 * (rapidity - 1) * (q / (3 * w) - 1.5 + np.log(2 * q))
    g = g + rapidity * (2 * (1 + beta**2) + q**2 / (6 * w**2) - 4 * np.arctanh(beta))
    return 1 + FINE_STRUCTURE / (2 * np.pi) * g


def energy_grid(end_point=END_POINT_Y90):
    """Energies of the table [MeV], 0 and the end point included: 5 keV apart, finer at both ends."""
    low = [0, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 3e-3, 4e-3]
    middle = 0.005 * np.arange(1, int((end_point - 0.008) / 0.005) + 1)
    high = np.arange(middle[-1] + 0.001, end_point - 2e-4, 0.001)
    return np.round(np.concatenate([low, middle, high, [end_point]]), 7)


def spectrum(atom, end_point=END_POINT_Y90, refine=1, factor=None):
    """Energies [MeV] and densities [1/MeV], normalised to 1 as a piecewise linear function.

    The density at zero energy is that at 100 eV: below it the outer shells decide and no theory of this kind holds.
    """
    energy = energy_grid(end_point)
    density = np.zeros_like(energy)
    inner = slice(1, -1)
    density[inner] = shape(atom, energy[inner], end_point, refine)
    if factor is not None:
        density[inner] *= factor(energy[inner], end_point)
    density[0] = density[1]
    return energy, density / np.trapezoid(density, energy)


class Branch(NamedTuple):
    """A beta or positron branch: end point [MeV], particles per decay, and whether it is unique first forbidden."""

    end_point: float
    intensity: float
    unique: bool = False


def daughter(charge, mass_number):
    """Neutral `Atom` of a daughter nucleus; `charge` is negative for positrons. Radius: Johnson and Soff 1985."""
    rms = (0.836 * mass_number ** (1 / 3) + 0.570) * 1e-13
    return Atom(charge=charge, electrons=charge, radius=np.sqrt(5 / 3) * rms / COMPTON_WAVELENGTH)


def fine_grid(branches, points=3000):
    """Energies [MeV] from 0 to the highest end point: even, denser at the low end, with every end point among them."""
    ends = np.unique([branch.end_point for branch in branches])
    low = np.geomspace(1e-4, 0.01, 60)
    near = np.concatenate([end * (1 - np.geomspace(1e-4, 0.1, 40)) for end in ends])
    return np.unique(np.concatenate([[0.0], low, np.linspace(0.0, ends[-1], points), near, ends]))


def summed_spectrum(atom, branches, energy, nodes=160):
    """dN/dE per decay [1/MeV] of several branches to one daughter, on the grid `energy` [MeV] that starts at 0.

    F0L0 and lambda2 are solved for at `nodes` energies, even in ln E from 100 eV, and interpolated by a cubic spline of
    their logarithms; below 100 eV the density is that at 100 eV, as in `spectrum`. Every branch is normalised to its
    intensity.
    """
    highest = max(branch.end_point for branch in branches)
    node = np.geomspace(1e-4, highest, nodes)
    splines = [CubicSpline(np.log(node), np.log(factor)) for factor in coulomb_factors(atom, node)]
    kinetic = np.maximum(energy, 1e-4)
    f0l0, lambda2 = (np.exp(spline(np.log(kinetic))) for spline in splines)
    w = 1 + kinetic / ELECTRON_MASS
    p = np.sqrt(w**2 - 1)
    total = np.zeros_like(energy)
    for branch in branches:
        q = np.maximum(branch.end_point - kinetic, 0) / ELECTRON_MASS
        density = p * w * q**2 * f0l0 * (q**2 + lambda2 * p**2 if branch.unique else 1.0)
        total += branch.intensity * density / np.trapezoid(density, energy)
    return total


def thinned(energy, density, tolerance=1e-5):
    """Fewest points that keep the spectrum: linear interpolation keeps integral and mean to `tolerance`.

    Points are put in where the interpolation is farthest off, until both are met; the density is then scaled to the
    integral that it had.
    """
    number, mean = np.trapezoid(density, energy), mean_energy(energy, density)
    kept = [0, int(density.argmax()), len(energy) - 1]
    limit = 4e-3 * density.max()
    while True:
        rows = np.unique(kept)
        off = np.abs(np.interp(energy, energy[rows], density[rows]) - density)
        # the farthest point of every interval that is off
        worst = [low + 1 + int(off[low + 1 : high].argmax()) for low, high in pairwise(rows) if high > low + 1]
        worst = [row for row in worst if off[row] > limit]
        if worst:
            kept += worst
            continue
        table = energy[rows], density[rows]
        if abs(np.trapezoid(table[1], table[0]) / number - 1) < 20 * tolerance and (
            abs(mean_energy(*table) / mean - 1) < tolerance / 2
        ):
            return table[0], table[1] * (number / np.trapezoid(table[1], table[0]))
        limit /= 1.5


def mean_energy(energy, density):
    """Mean of a density that is linear between its points [MeV]."""
    a, b = energy[:-1], energy[1:]
    fa, fb = density[:-1], density[1:]
    moment = (b - a) / 6 * (fa * (2 * a + b) + fb * (a + 2 * b))
    return moment.sum() / np.trapezoid(density, energy)


def mean_energies():
    """Mean energy [MeV] of the shipped spectrum and of its variants, one ingredient changed at a time."""
    atom = Atom()
    variants = {
        "shipped: uniform sphere, neutral Moliere atom, 2278.5 keV": spectrum(atom),
        "steps halved": spectrum(atom, refine=2),
        "ion of 39 electrons": spectrum(replace(atom, electrons=39)),
        "no screening": spectrum(replace(atom, electrons=0)),
        "radius 1.2 A^(1/3) fm": spectrum(replace(atom, radius=1.2e-13 * 90 ** (1 / 3) / COMPTON_WAVELENGTH)),
        "end point 2278.7 keV (DDEP)": spectrum(atom, end_point=2.2787),
        "end point 2280.1 keV (ENSDF + 1 sigma)": spectrum(atom, end_point=2.2801),
        "with Sirlin's radiative correction": spectrum(atom, factor=sirlin),
    }
    return {name: mean_energy(*table) for name, table in variants.items()}


def write_table(path, energy, density):
    """Write the table that `mcdose.nuclides` reads."""
    head = f"""\
# Y-90 beta spectrum: kinetic energy of the electron and dN/dE per decay, linear between rows, integral 1.
# Computed by tools/make_beta_spectrum.py; docs/beta_spectrum.md says how and how sure.
# Fermi theory, unique first-forbidden 2- to 0+, p W q^2 F0L0 (q^2 + lambda2 p^2); F0L0 and lambda2 from numerical Dirac
# waves of a uniform sphere (rms radius 4.2694 fm) in a neutral Moliere atom, Z = 40.
# End point {energy[-1] * 1e3:.1f} keV (ENSDF), mean energy of this table {mean_energy(energy, density) * 1e3:.3f} keV.
# One electron per decay: the branches to the levels at 1761 keV (1e-4) and 2186 keV (1e-8) are counted as this one.
# Recoil, exchange with atomic electrons and radiative corrections are neglected.
# energy_mev,density_per_mev
"""
    rows = "".join(f"{e:.7g},{d:.8e}\n" for e, d in zip(energy, density, strict=True))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(head + rows, encoding="utf-8", newline="\n")


def main():
    """Print the means; write the table when asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"write {TARGET.name}")
    if parser.parse_args().write:
        write_table(TARGET, *spectrum(Atom()))
    for name, mean in mean_energies().items():
        print(f"{mean * 1e3:9.3f} keV  {name}")


if __name__ == "__main__":
    main()
