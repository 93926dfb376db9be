"""Uniform doses that do to a structure what a dose that varies does."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.arguments import number
from mcdose.radiobiology.values import positive, shares


def generalised_eud(dose_gy: ArrayLike, a: float, coverage: ArrayLike | None = None) -> float:
    """Generalised equivalent uniform dose, gEUD = (Σ vᵢ Dᵢ^a)^(1/a) [Gy].

    Niemierko, Med Phys 26 (1999) 1100 (abstract). With a = 1 it is the mean dose; large a goes to the maximum (serial
    organs), very negative a to the minimum (tumours). a = 1/n with the volume parameter n of Lyman, Kutcher and Burman.

    Parameters
    ----------
    dose_gy : any shape [Gy]
    a : not 0
    coverage : of each voxel by the structure, bool or 0 to 1, same shape; None = all voxels alike
    """
    doses, weights = shares("dose_gy", dose_gy, coverage)
    power = number("a", a)
    if power == 0.0 or not math.isfinite(power):
        raise ValueError(f"a must be finite and not 0, got {a!r}")
    scale = float(doses.max() if power > 0 else doses.min())  # so that no power overflows
    if scale == 0.0:
        return 0.0
    return float(scale * np.sum(weights * (doses / scale) ** power) ** (1.0 / power))


def survival_eud(dose_gy: ArrayLike, alpha_per_gy: float, coverage: ArrayLike | None = None) -> float:
    """Uniform dose with the survival of cells that a dose has: -(1/α) ln Σ vᵢ exp(-α Dᵢ) [Gy].

    Niemierko, Med Phys 24 (1997) 103, whose survival at 2 Gy is exp(-2 α); cells are killed as exp(-α D).

    Parameters
    ----------
    dose_gy, coverage : see `generalised_eud`
    alpha_per_gy : [1/Gy]
    """
    doses, weights = shares("dose_gy", dose_gy, coverage)
    return _survival_mean(doses, weights, alpha_per_gy)


def eubed(bed_gy: ArrayLike, alpha_per_gy: float, coverage: ArrayLike | None = None) -> float:
    """Equivalent uniform BED, -(1/α) ln Σ vᵢ exp(-α BEDᵢ) [Gy].

    Jones and Hoban, Phys Med Biol 45 (2000) 159. The uniform dose that has it, of the same half-life, is
    `mcdose.radiobiology.dose_of_bed` of it: their EUD.

    Parameters
    ----------
    bed_gy : any shape [Gy]
    alpha_per_gy : [1/Gy]
    coverage : see `generalised_eud`
    """
    doses, weights = shares("bed_gy", bed_gy, coverage)
    return _survival_mean(doses, weights, alpha_per_gy)


def _survival_mean(doses: NDArray[np.float64], weights: NDArray[np.float64], alpha_per_gy: float) -> float:
    alpha = positive("alpha_per_gy", alpha_per_gy)
    lowest = float(doses.min())  # whose cells outlive all others: taken out so that the sum does not vanish
    return lowest - math.log(float(np.sum(weights * np.exp(-alpha * (doses - lowest))))) / alpha
