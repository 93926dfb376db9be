"""The effect of several treatments of one tissue, each with its own half-life."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.radiobiology.effect import bed, bed_standard_error


@dataclass(frozen=True, eq=False)
class Treatment:
    """One treatment.

    Parameters
    ----------
    dose_gy : absorbed dose of the whole decay, any shape, or the mean of a structure [Gy]
    half_life_h : of its dose rate [h], see `mcdose.radiobiology.lea_catcheside`
    relative_uncertainty : of the dose (1 sigma), same shape; None = not known
    """

    dose_gy: ArrayLike
    half_life_h: float
    relative_uncertainty: ArrayLike | None = None


@dataclass(frozen=True, eq=False)
class Effect:
    """BED of all treatments [Gy] and its standard error [Gy], None where that of one of them is not known."""

    bed_gy: NDArray[np.float64]
    standard_error_gy: NDArray[np.float64] | None


def cumulative_bed(treatments: Sequence[Treatment], *, alpha_beta_gy: float, repair_half_time_h: float) -> Effect:
    """Add the BED of several treatments: SIRT after Lu-177, one lobe and then the other.

    BED, not dose, adds: log cell kill is α BED of each, if the damage of one is repaired before the next begins. The
    doses must be registered to one grid before; one of a structure's means gives the BED of the mean dose, which is at
    most the mean BED, for BED bends upwards. Errors of the treatments are independent and add in quadrature.

    Parameters
    ----------
    treatments : at least one, doses of one shape
    alpha_beta_gy, repair_half_time_h : of the tissue [Gy, h], see `mcdose.radiobiology.bed`

    Raises
    ------
    ValueError
        No treatment, doses of different shapes, and what `bed` refuses.
    """
    if not treatments:
        raise ValueError("treatments must be at least one, got none")
    shapes = [np.shape(one.dose_gy) for one in treatments]
    if len(set(shapes)) > 1:
        raise ValueError(f"the doses of all treatments must have one shape, that of one grid, got {shapes}")
    tissue = {"alpha_beta_gy": alpha_beta_gy, "repair_half_time_h": repair_half_time_h}
    total = np.zeros(shapes[0])
    variance: NDArray[np.float64] | None = np.zeros(shapes[0])
    for one in treatments:
        total = total + bed(one.dose_gy, half_life_h=one.half_life_h, **tissue)
        if one.relative_uncertainty is None or variance is None:
            variance = None
            continue
        error = bed_standard_error(one.dose_gy, one.relative_uncertainty, half_life_h=one.half_life_h, **tissue)
        variance = variance + error**2
    return Effect(total, None if variance is None else np.sqrt(variance))
