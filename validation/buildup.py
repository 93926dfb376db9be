"""Where photons leave their energy in unbounded water, by the buildup factors of the ANSI/ANS-6.4.3 standard."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from mcdose import medium
from mcdose.constants import MEV_TO_JOULE
from mcdose.photon_data import mass_attenuation
from validation.tables import read_table

Array = NDArray[np.float64]
TABLE = Path(__file__).with_name("buildup.csv")
STEPS = 4000  # of a quadrature
POINTS = 8  # of a quadrature along each half of an axis


def buildup(row: dict[str, str], paths: Array) -> Array:
    """Return the energy absorption buildup factor at so many mean free paths, by the geometric progression formula."""
    b, c, a, xk, d = (float(row[name]) for name in ("b", "c", "a", "xk", "d"))
    bend = (np.tanh(paths / xk - 2.0) - np.tanh(-2.0)) / (1.0 - np.tanh(-2.0))
    k = c * paths**a + d * bend
    return np.asarray(1.0 + (b - 1.0) * (k**paths - 1.0) / (k - 1.0))


def energy_left(energy_mev: float, radii_cm: Array) -> Array:
    """Return the part of a photon's energy that is left in water of 1 g/cm3 per cm of distance from a point source.

    mu_en B(mu r) exp(-mu r), mu without coherent scattering, for which the factors are; B between two energies of the
    table in the logarithms of both.
    """
    rows = read_table(TABLE)
    energies = np.array([float(row["energy_mev"]) for row in rows])
    absorption = np.array([float(row["mu_en_cm2_g"]) for row in rows])
    mu_en = np.exp(PchipInterpolator(np.log(energies), np.log(absorption))(np.log(energy_mev)))
    parts = mass_attenuation(medium("water"), np.array([energy_mev]))
    mu = float((parts.incoherent + parts.photoelectric)[0])
    above = int(np.searchsorted(energies, energy_mev))
    share = np.log(energy_mev / energies[above - 1]) / np.log(energies[above] / energies[above - 1])
    low, high = (np.log(buildup(rows[at], mu * radii_cm)) for at in (above - 1, above))
    return np.asarray(mu_en * np.exp((1.0 - share) * low + share * high - mu * radii_cm))


def absorbed_fraction(energy_mev: float, radius_cm: float, everywhere: bool) -> float:
    """Return the absorbed fraction of a sphere that emits photons all over, or from its centre alone."""
    reach = 2.0 * radius_cm if everywhere else radius_cm
    middles = (np.arange(STEPS) + 0.5) * reach / STEPS
    weight = 1.0 - 0.75 * middles / radius_cm + (middles / radius_cm) ** 3 / 16.0 if everywhere else 1.0
    return float((energy_left(energy_mev, middles) * weight).sum() * reach / STEPS)


def s_value(lines: Sequence[tuple[float, float]], side_mm: float, offset: Sequence[int], density_g_cm3: float) -> float:
    """Return the S value of photons between two cubic voxels of water, mGy/(MBq s).

    Parameters
    ----------
    lines : energy [MeV] and number per decay; those below the table are left out
    side_mm, offset : of the voxels, and how many of them lie between source and target along each axis, 2 at least
    density_g_cm3 : of the water
    """
    points, weights = np.polynomial.legendre.leggauss(POINTS)
    steps = np.concatenate([0.5 * (points - 1.0), 0.5 * (points + 1.0)])  # from -1 to 1, with a kink at 0
    share = np.tile(0.5 * weights, 2) * (1.0 - np.abs(steps))  # of the pairs of points that are so far apart
    axes = [(steps + many) * side_mm / 10.0 for many in offset]
    squares = axes[0][:, None, None] ** 2 + axes[1][:, None] ** 2 + axes[2] ** 2
    part = share[:, None, None] * share[:, None] * share
    grams = density_g_cm3 * np.sqrt(squares)
    lowest = float(read_table(TABLE)[0]["energy_mev"])
    mev_per_g = 0.0
    for energy, number in lines:
        if energy > lowest:
            left = energy_left(energy, grams) / (4.0 * np.pi * squares)
            mev_per_g += number * energy * float((part * left).sum())
    return mev_per_g * MEV_TO_JOULE * 1e3 * 1e9
