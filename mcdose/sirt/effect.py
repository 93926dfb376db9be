"""What the absorbed doses of a treatment do, by the linear-quadratic model: BED, EQD2, complication of the liver.

The models are those of `mcdose.radiobiology`, with the parameters that ship there; docs/radiobiology.md says what they
leave out. `mcdose bed` takes other parameters, and adds treatments voxel by voxel.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.sirt.tissue import tissue_dose
from mcdose.sirt.voxel import NORMAL_LIVER
from mcdose.subvoxels import parts_for

if TYPE_CHECKING:
    from mcdose.case import Case
    from mcdose.radiobiology import Tissue
    from mcdose.result import DoseResult
    from mcdose.sirt.treatment import Treatment

OF_LESIONS, OF_LIVER = "tumour", "normal-liver"  # parameters, see mcdose.radiobiology.tissue
NTCP = {"resin": "strigari-2010"}  # spheres whose doses a model was found with


def effects(case: Case, result: DoseResult, treatment: Treatment) -> dict[str, Any]:
    """Return BED and EQD2 of lesions and normal liver in plain JSON types.

    Returns
    -------
    dict
        `half_life_h` of the dose rate, `tissues`, `parameters`, `ntcp`, `why_not`: a sentence where there is no BED.
        Each tissue has `name`, `parameters`, `lea_catcheside`, `mean_bed_gy` (mean over its voxels), `noise_bias_gy`
        (by how much noise raises that; None of methods without), `mean_eqd2_gy`, and `earlier_bed_gy` (BED of the means
        of earlier sessions) with `together_bed_gy`, `together_eqd2_gy`, all None where one of them has no half-life
    """
    from mcdose.nuclides import nuclide
    from mcdose.radiobiology import tissue

    points = case.origin.get("time_points") or {}
    none: dict[str, Any] = {"half_life_h": None, "tissues": [], "parameters": [], "ntcp": None}
    if case.tia_bq_s is not None and points.get("time_fit") != "physical":
        return {**none, "why_not": "a curve was fitted over time, so that the dose rate has no one half-life"}
    half_life_h = nuclide(treatment.nuclide).half_life_s / 3600.0
    masks = treatment.tissues(case)
    found = []
    for of, names in ((tissue(OF_LESIONS), treatment.tumours), (tissue(OF_LIVER), (NORMAL_LIVER,))):
        maps = _maps(result, of, half_life_h)
        found += [_tissue(case, masks[name], name, of, maps, treatment, half_life_h) for name in names]
    return {
        "half_life_h": half_life_h,
        "tissues": found,
        "parameters": [asdict(tissue(name)) for name in (OF_LESIONS, OF_LIVER)],
        "ntcp": _complication(result, masks[NORMAL_LIVER], treatment),
        "why_not": None,
    }


def _maps(result: DoseResult, of: Tissue, half_life_h: float) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return BED of each voxel, and by how much noise raises it."""
    from mcdose.radiobiology import bed, bed_noise_bias

    bed_gy = bed(result.dose_gy, **_parameters(of, half_life_h))
    if result.relative_uncertainty is None:
        return bed_gy, None
    error = np.nan_to_num(result.relative_uncertainty)
    return bed_gy, bed_noise_bias(result.dose_gy, error, **_parameters(of, half_life_h))


def _parameters(of: Tissue, half_life_h: float) -> dict[str, float]:
    return {
        "half_life_h": half_life_h,
        "alpha_beta_gy": of.alpha_beta_gy,
        "repair_half_time_h": of.repair_half_time_h,
    }


def _tissue(
    case: Case,
    mask: NDArray[Any],
    name: str,
    of: Tissue,
    maps: tuple[NDArray[Any], NDArray[Any] | None],
    treatment: Treatment,
    half_life_h: float,
) -> dict[str, Any]:
    from mcdose.radiobiology import eqd2, lea_catcheside

    bed_gy, bias_gy = maps
    voxel_mm, parts = case.grid.voxel_mm, parts_for(mask, case.grid.voxel_ml)
    mean = tissue_dose(bed_gy, mask, voxel_mm, subvoxels=parts).mean_gy
    earlier = _earlier_bed(name, of, treatment)
    together = None if earlier is None else mean + earlier
    return {
        "name": name,
        "parameters": of.name,
        "lea_catcheside": lea_catcheside(half_life_h, of.repair_half_time_h),
        "mean_bed_gy": mean,
        "noise_bias_gy": None if bias_gy is None else float(np.average(bias_gy, weights=mask)),
        "mean_eqd2_gy": float(eqd2(mean, of.alpha_beta_gy)),
        "earlier_bed_gy": earlier,
        "together_bed_gy": together,
        "together_eqd2_gy": None if together is None else float(eqd2(together, of.alpha_beta_gy)),
    }


def _earlier_bed(name: str, of: Tissue, treatment: Treatment) -> float | None:
    """Return the BED of the mean doses of earlier sessions [Gy]; None where there is none or a half-life is missing."""
    from mcdose.radiobiology import bed

    given = [one for one in treatment.earlier or () if one.means_gy.get(name)]
    if not treatment.earlier or any(one.half_life_h is None for one in given):
        return None
    return sum(float(bed(one.means_gy[name], **_parameters(of, one.half_life_h or 0.0))) for one in given)


def _complication(result: DoseResult, mask: NDArray[Any], treatment: Treatment) -> dict[str, Any] | None:
    """Return the probability of a complication of the liver by a model for these spheres and this nuclide, if there is.

    Of this session alone: with earlier ones, whose doses of another kind the model does not know, there is none.
    """
    from mcdose.radiobiology import complication_model

    if treatment.spheres not in NTCP or treatment.earlier:
        return None
    model = complication_model(NTCP[treatment.spheres])
    if model.nuclide != treatment.nuclide:
        return None
    return {**asdict(model), "probability": model.ntcp(result.dose_gy, mask)}
