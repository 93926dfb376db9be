"""Dose to water from dose to medium, by restricted stopping-power ratios."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcdose.electron_data import collision_stopping_power, total_stopping_power
from mcdose.media import Medium
from mcdose.media import medium as find_medium
from mcdose.nuclides import nuclide

LOWEST_MEV = 0.01


def water_to_medium(media: tuple[Medium, ...], nuclide_name: str, cut_mev: float) -> NDArray[np.float64]:
    """Return the factor from dose to medium to dose to water of each medium.

    The ratio of restricted collision stopping powers water/medium, averaged over the slowing-down fluence of the
    nuclide's electrons in the medium, Phi(E) = N(> E) / S(E), above 10 keV. Source: Spencer and Attix (1955) as
    in ICRU Report 35 (1984), without the track-end term.
    """
    water = find_medium("water")
    starts = nuclide(nuclide_name).inverse_cdf(1024)
    energy = np.geomspace(LOWEST_MEV, starts[-1], 200)
    above = 1.0 - np.interp(energy, starts, np.linspace(0.0, 1.0, starts.size))
    factors = []
    for medium in media:
        fluence = above / total_stopping_power(medium, energy)
        ratio = [
            np.trapezoid(fluence * collision_stopping_power(of, energy, cut_mev), energy) for of in (water, medium)
        ]
        factors.append(ratio[0] / ratio[1])
    return np.array(factors)
