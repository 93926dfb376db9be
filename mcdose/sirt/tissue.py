"""Doses to lesions (TAD) and to the normal liver (NTAD) from a dose map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.dvh import dvh

INSIDE = 0.5  # of a lesion's volume must lie in the liver


@dataclass(frozen=True)
class TissueDose:
    """Dose in a tissue; D and V as in `mcdose.dvh`.

    Attributes
    ----------
    volume_ml : [mL]
    mean_gy, sd_gy, d95_gy, d70_gy, d50_gy : [Gy]
    v : dose [Gy] to the fraction of the volume that gets at least that
    """

    volume_ml: float
    mean_gy: float
    sd_gy: float
    d95_gy: float
    d70_gy: float
    d50_gy: float
    v: dict[float, float]


def tissue_dose(
    dose_gy: ArrayLike,
    mask: ArrayLike,
    voxel_mm: tuple[float, float, float],
    *,
    v_gy: Sequence[float] = (),
    subvoxels: int = 1,
) -> TissueDose:
    """Return the dose in a tissue.

    Parameters
    ----------
    dose_gy, mask, voxel_mm, subvoxels : see `mcdose.dvh`, which raises
    v_gy : doses [Gy] for which the volume is wanted
    """
    curve = dvh(dose_gy, mask, voxel_mm, subvoxels=subvoxels)
    return TissueDose(
        volume_ml=curve.volume_ml,
        mean_gy=curve.mean_gy,
        sd_gy=curve.sd_gy,
        d95_gy=curve.d(95),
        d70_gy=curve.d(70),
        d50_gy=curve.d(50),
        v={float(dose): curve.v(dose) for dose in v_gy},
    )


def normal_liver(liver: ArrayLike, lesions: Mapping[str, ArrayLike]) -> NDArray[Any]:
    """Return the liver minus its lesions, as coverage from 0 to 1 (bool where all masks are).

    Coverages of lesions add, to at most 1 in a voxel, so that masks that overlap count once.

    Parameters
    ----------
    liver : mask or coverage, shape (nz, ny, nx)
    lesions : name to mask or coverage of the same shape

    Raises
    ------
    ValueError
        A lesion of another shape, an empty one, or one of which less than half lies in the liver.
    """
    whole = np.asarray(liver)
    for name, mask in lesions.items():
        lesion = np.asarray(mask)
        if lesion.shape != whole.shape:
            raise ValueError(f"lesion {name} must have the shape of the liver {whole.shape}, got {lesion.shape}")
        total = float(lesion.sum(dtype=np.float64))
        if not total > 0.0:
            raise ValueError(f"lesion {name} must hold at least one voxel, got an empty one")
        inside = float(np.minimum(lesion, whole).sum(dtype=np.float64)) / total
        if inside < INSIDE:
            raise ValueError(
                f"lesion {name} must lie in the liver, {100 * INSIDE:g} % of it at least, got {100 * inside:.3g} %"
            )
    return less(whole, lesions)


def less(whole: ArrayLike, lesions: Mapping[str, ArrayLike]) -> NDArray[Any]:
    """Return a tissue minus the lesions in it, as coverage from 0 to 1 (bool where all masks are).

    Parameters
    ----------
    whole : mask or coverage, shape (nz, ny, nx)
    lesions : name to mask or coverage of the same shape, which may reach beyond it
    """
    tissue, masks = np.asarray(whole), [np.asarray(mask) for mask in lesions.values()]
    taken = np.zeros(tissue.shape)
    for mask in masks:
        taken += mask
    rest = tissue - np.minimum(taken, 1.0)
    if tissue.dtype == np.bool_ and all(mask.dtype == np.bool_ for mask in masks):
        return np.asarray(rest > 0.5)
    normal: NDArray[Any] = np.maximum(rest, 0.0)
    return normal
