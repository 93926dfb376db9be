"""Probability that a tumour is controlled, and that an organ has a complication."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from mcdose.radiobiology.uniform import generalised_eud
from mcdose.radiobiology.values import positive, shares


def poisson_tcp(
    bed_gy: ArrayLike, *, alpha_per_gy: float, clonogens: float, coverage: ArrayLike | None = None
) -> float:
    """Tumour control probability, exp(-N Σ vᵢ exp(-α BEDᵢ)): that none of N clonogens, spread evenly, is left.

    Poisson statistics of survivors, no repopulation, one α. Webb and Nahum, Phys Med Biol 38 (1993) 653.

    Parameters
    ----------
    bed_gy : any shape [Gy]
    alpha_per_gy : [1/Gy]
    clonogens : N in the whole structure: their density times its volume
    coverage : of each voxel by the structure, bool or 0 to 1, same shape; None = all voxels alike
    """
    effects, weights = shares("bed_gy", bed_gy, coverage)
    alpha, number = positive("alpha_per_gy", alpha_per_gy), positive("clonogens", clonogens)
    return math.exp(-number * float(np.sum(weights * np.exp(-alpha * effects))))


def lkb_ntcp(dose_gy: ArrayLike, *, n: float, m: float, td50_gy: float, coverage: ArrayLike | None = None) -> float:
    """Return the complication probability (NTCP) of Lyman, Kutcher and Burman: Φ((gEUD - TD50) / (m TD50)), a = 1/n.

    Lyman, Radiat Res 104 (1985) S13; Kutcher and Burman, Int J Radiat Oncol Biol Phys 16 (1989) 1623, in the form of
    Mohan et al., Med Phys 19 (1992) 933.

    Parameters
    ----------
    dose_gy : any shape [Gy]; the quantity that n, m and TD50 were found with (dose, BED or EQD2)
    n : volume parameter, 1 = the mean counts
    m : steepness, the standard deviation over TD50
    td50_gy : uniform dose to the whole organ with a probability of one half [Gy]
    coverage : see `poisson_tcp`
    """
    uniform = generalised_eud(dose_gy, 1.0 / positive("n", n), coverage)
    half = positive("td50_gy", td50_gy)
    return 0.5 * math.erfc((half - uniform) / (math.sqrt(2.0) * positive("m", m) * half))
