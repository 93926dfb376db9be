"""Biologically effective dose and equivalent dose in 2 Gy fractions, voxel by voxel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.radiobiology.repair import lea_catcheside
from mcdose.radiobiology.values import gray, positive

FRACTION_GY = 2.0


def bed(
    dose_gy: ArrayLike, *, half_life_h: float, alpha_beta_gy: float, repair_half_time_h: float
) -> NDArray[np.float64]:
    """Biologically effective dose of a permanent implant, BED = D (1 + G D / (α/β)).

    Linear-quadratic model with G of `lea_catcheside`, no repopulation. Dale, Br J Radiol 58 (1985) 515; for liver and
    microspheres Cremonesi et al., Eur J Nucl Med Mol Imaging 35 (2008) 2088, and Strigari et al., J Nucl Med 51 (2010)
    1377.

    Parameters
    ----------
    dose_gy : absorbed dose of the whole decay, any shape [Gy]
    half_life_h, repair_half_time_h : see `lea_catcheside` [h]
    alpha_beta_gy : α/β of the tissue [Gy]

    Returns
    -------
    ndarray
        float64, shape of `dose_gy` [Gy]

    Raises
    ------
    ValueError
        Dose that is negative or not finite; parameters that are not positive.
    """
    dose = gray("dose_gy", dose_gy)
    return dose * (1.0 + _per_gray(half_life_h, alpha_beta_gy, repair_half_time_h) * dose)


def dose_of_bed(
    bed_gy: ArrayLike, *, half_life_h: float, alpha_beta_gy: float, repair_half_time_h: float
) -> NDArray[np.float64]:
    """Absorbed dose of a permanent implant that has a given BED: the inverse of `bed`, parameters as there [Gy]."""
    wanted = gray("bed_gy", bed_gy)
    slope = _per_gray(half_life_h, alpha_beta_gy, repair_half_time_h)
    return np.asarray(2.0 * wanted / (1.0 + np.sqrt(1.0 + 4.0 * slope * wanted)))  # the root without cancellation


def eqd2(bed_gy: ArrayLike, alpha_beta_gy: float) -> NDArray[np.float64]:
    """Dose in fractions of 2 Gy that has a given BED, EQD2 = BED / (1 + 2 Gy / (α/β)) [Gy], shape of `bed_gy`."""
    return np.asarray(gray("bed_gy", bed_gy) / (1.0 + FRACTION_GY / positive("alpha_beta_gy", alpha_beta_gy)))


def bed_standard_error(
    dose_gy: ArrayLike,
    relative_uncertainty: ArrayLike,
    *,
    half_life_h: float,
    alpha_beta_gy: float,
    repair_half_time_h: float,
) -> NDArray[np.float64]:
    """Find the standard error of BED from that of dose by the delta method, σ_BED = (1 + 2 G D / (α/β)) σ_D.

    To first order in σ_D / D: at errors of up to 5 % the next order changes it by less than 0.1 %.

    Parameters
    ----------
    dose_gy, half_life_h, alpha_beta_gy, repair_half_time_h : see `bed`
    relative_uncertainty : σ_D / D (1 sigma), shape of `dose_gy`; NaN, where nothing was scored, stays NaN

    Returns
    -------
    ndarray
        float64, shape of `dose_gy` [Gy]
    """
    dose = gray("dose_gy", dose_gy)
    error = _relative(relative_uncertainty, dose.shape)
    return (1.0 + 2.0 * _per_gray(half_life_h, alpha_beta_gy, repair_half_time_h) * dose) * dose * error


def bed_noise_bias(
    dose_gy: ArrayLike,
    relative_uncertainty: ArrayLike,
    *,
    half_life_h: float,
    alpha_beta_gy: float,
    repair_half_time_h: float,
) -> NDArray[np.float64]:
    """By how much noise of the dose raises its BED on average, G σ_D² / (α/β) [Gy]: BED bends upwards.

    The mean over a structure tells how much its mean BED is too high, which more voxels do not average out. Arguments
    as of `bed_standard_error`.
    """
    dose = gray("dose_gy", dose_gy)
    error = _relative(relative_uncertainty, dose.shape)
    return np.asarray(_per_gray(half_life_h, alpha_beta_gy, repair_half_time_h) * (dose * error) ** 2)


def _per_gray(half_life_h: float, alpha_beta_gy: float, repair_half_time_h: float) -> float:
    return lea_catcheside(half_life_h, repair_half_time_h) / positive("alpha_beta_gy", alpha_beta_gy)


def _relative(values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    error = np.asarray(values, dtype=np.float64)
    if error.shape != shape:
        raise ValueError(f"relative_uncertainty must have the shape of dose_gy {shape}, got {error.shape}")
    if np.isinf(error).any() or (error < 0).any():
        raise ValueError(
            f"relative_uncertainty must be NaN or finite and not negative, got {np.nanmin(error)} to {np.nanmax(error)}"
        )
    return error
