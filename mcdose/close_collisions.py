"""Collisions of electrons (Moller) and positrons (Bhabha) with free electrons at rest, by the energy they transfer.

Host side, float64. Both cross sections are

    dsigma/deps = 2 pi r_e^2 / (beta^2 tau) * shape(eps) / eps^2

an electron, with eps = T / E and tau = E / m c^2. Of two electrons the slower one is taken for the one that was struck,
so eps ends at 1/2; a positron can lose all its energy. A particle is named by its charge: -1 or 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def largest_part(charge: int) -> float:
    """Return the largest part of the energy that a collision transfers."""
    return 0.5 if charge < 0 else 1.0


def bhabha_terms(tau: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return b1 to b4 of Bhabha's shape, 1 - b1 eps + b2 eps^2 - b3 eps^3 + b4 eps^4, each as `tau`.

    Source: Bhabha, Proc. R. Soc. A 154 (1936) 195, as in Salvat, PENELOPE-2018, NEA/MBDAV/R(2019)1, sec. 3.2.
    """
    gamma = tau + 1.0
    square = (tau / gamma) ** 2
    one, two = gamma + 1.0, (gamma + 1.0) ** 2
    return (
        square * (2.0 * two - 1.0) / (tau * one),
        square * (3.0 * two + 1.0) / two,
        square * 2.0 * gamma * tau / two,
        square * tau**2 / two,
    )


def shape(epsilon: Floats, tau: Floats, charge: int) -> Any:
    """Return eps^2 times the cross section over its constant; it is 1 at no transfer.

    Parameters
    ----------
    epsilon, tau : broadcast together

    Source: Moller, Ann. Phys. 406 (1932) 531, as in ICRU Report 37 (1984), Eq. 2.17; Bhabha, see `bhabha_terms`.
    """
    if charge > 0:
        b1, b2, b3, b4 = bhabha_terms(tau)
        return 1.0 - epsilon * (b1 - epsilon * (b2 - epsilon * (b3 - epsilon * b4)))
    ratio = epsilon / (1.0 - epsilon)
    return 1.0 + ratio**2 + (tau / (tau + 1.0)) ** 2 * epsilon**2 - (2.0 * tau + 1.0) / (tau + 1.0) ** 2 * ratio
