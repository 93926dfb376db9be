"""Voxel figures beside those of the compartments: what the multi-compartment model leaves out, on one case.

The compartment model gets the masses and activities of the case itself (mass from the density map, activity or decays
from the image), so that what differs is the transport of energy and how it is averaged: over mass in a compartment,
over volume in a histogram.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.sirt.constant import gy_kg_per_gbq as constant
from mcdose.sirt.tissue import INSIDE, TissueDose, less, normal_liver, tissue_dose
from mcdose.subvoxels import parts_for

if TYPE_CHECKING:
    from mcdose.case import Case

NORMAL_LIVER = "normal liver"
NORMAL_PERFUSED = "normal perfused liver"


@dataclass(frozen=True)
class Comparison:
    """One tissue by both ways.

    Attributes
    ----------
    name
    mass_kg, activity_gbq : in it, from the case; of several time points the activity that would give the same decays
    ratio : uptake per mass over that of the normal liver; None where that has none
    compartment_gy : k A / m [Gy]
    mass_mean_gy : mean of the dose map over the mass, energy by mass as in a compartment [Gy]
    voxel : from the dose map, over the volume
    """

    name: str
    mass_kg: float
    activity_gbq: float
    ratio: float | None
    compartment_gy: float
    mass_mean_gy: float
    voxel: TissueDose

    @property
    def difference(self) -> float | None:
        """Compartment over voxel mean, minus 1; None where the voxels have no dose."""
        return self.compartment_gy / self.voxel.mean_gy - 1.0 if self.voxel.mean_gy else None

    @property
    def retained(self) -> float | None:
        """Energy that the dose map has in it over the energy of its decays; None where it has no activity."""
        return self.mass_mean_gy / self.compartment_gy if self.compartment_gy else None


def tissue_masks(
    case: Case,
    *,
    liver: str,
    tumours: Sequence[str],
    perfused: str | None = None,
    lungs: str | None = None,
    density_floor_g_cm3: float = 0.05,
) -> dict[str, NDArray[Any]]:
    """Return the tissues of a treatment, without voxels that report no dose.

    Tumours, normal liver (the liver less the tumours), the perfused volume and its normal liver (if it is not the
    liver), lungs; parameters and errors as of `compare_with_voxels`.
    """
    wanted = [liver, *tumours, *([] if lungs is None else [lungs])]
    wanted += [perfused] if perfused not in (None, liver) else []
    for name in wanted:
        if name not in case.structures:
            raise ValueError(f"structure must be one of {', '.join(case.structures) or 'none there'}; got {name!r}")
    if len(set(wanted)) < len(wanted) or {NORMAL_LIVER, NORMAL_PERFUSED} & set(wanted):
        raise ValueError(
            f"liver, tumours, perfused volume and lungs must be structures of their own, none of them {NORMAL_LIVER}, "
            f"got {', '.join(wanted)}"
        )
    kept = case.density_g_cm3 >= density_floor_g_cm3
    lesions = {name: case.structures[name] * kept for name in tumours}
    whole = case.structures[liver] * kept
    masks = {**lesions, NORMAL_LIVER: normal_liver(whole, lesions)}
    if perfused is not None:
        masks[perfused] = case.structures[perfused] * kept
        if perfused != liver:
            _require_inside(perfused, masks[perfused], liver, whole)
            masks[NORMAL_PERFUSED] = less(masks[perfused], lesions)
    if lungs is not None:
        masks[lungs] = case.structures[lungs] * kept
        _require_outside(lungs, masks[lungs], liver, whole)
    for name, mask in masks.items():
        if not mask.any():
            if name == NORMAL_PERFUSED:
                continue
            raise ValueError(f"structure {name} must have a voxel with a dose, got none")
    if NORMAL_PERFUSED in masks and not masks[NORMAL_PERFUSED].any():
        del masks[NORMAL_PERFUSED]  # all of it is tumour
    return masks


def compare_with_voxels(
    case: Case,
    dose_gy: ArrayLike,
    *,
    liver: str,
    tumours: Sequence[str],
    perfused: str | None = None,
    lungs: str | None = None,
    nuclide: str = "Y-90",
    gy_kg_per_gbq: float | None = None,
    v_gy: Sequence[float] = (),
    density_floor_g_cm3: float = 0.05,
) -> tuple[Comparison, ...]:
    """Compare the multi-compartment model with a dose map.

    Parameters
    ----------
    case : activity, density and structures on the grid of the dose
    dose_gy : shape (nz, ny, nx) [Gy], such as `DoseResult.dose_gy`
    liver, tumours, perfused, lungs : names of structures; the liver includes the tumours, and the perfused volume may
        be the liver itself
    nuclide, gy_kg_per_gbq : constant of the compartments; None is the nuclide's
    v_gy : doses [Gy] for which volumes are wanted
    density_floor_g_cm3 : voxels below report no dose, and are left out of both

    Returns
    -------
    tuple of Comparison
        Tumours, normal liver (the liver less the tumours), perfused volume and lungs if they are named.

    Raises
    ------
    ValueError
        A structure that is not there or has no voxel with a dose; a dose of another shape; a tumour or a perfused
        volume outside the liver.
    """
    dose = np.asarray(dose_gy)
    if dose.shape != case.grid.shape:
        raise ValueError(f"dose_gy must have the shape of the case {case.grid.shape}, got {dose.shape}")
    masks = tissue_masks(
        case,
        liver=liver,
        tumours=tumours,
        perfused=perfused,
        lungs=lungs,
        density_floor_g_cm3=density_floor_g_cm3,
    )
    k = constant(gy_kg_per_gbq, nuclide)
    amounts = {name: amounts_in(case, mask, nuclide) for name, mask in masks.items()}
    normal = _concentration(amounts[NORMAL_LIVER])
    return tuple(
        Comparison(
            name=name,
            mass_kg=mass_kg,
            activity_gbq=activity,
            ratio=activity / mass_kg / normal if normal else None,
            compartment_gy=k * activity / mass_kg,
            mass_mean_gy=float((masks[name] * case.density_g_cm3 * dose).sum(dtype=np.float64))
            * case.grid.voxel_ml
            * 1e-3
            / mass_kg,
            voxel=tissue_dose(
                dose,
                masks[name],
                case.grid.voxel_mm,
                v_gy=v_gy,
                subvoxels=parts_for(masks[name], case.grid.voxel_ml),
            ),
        )
        for name, (mass_kg, activity) in amounts.items()
    )


def _require_inside(name: str, mask: NDArray[Any], liver: str, whole: NDArray[Any]) -> None:
    total = float(mask.sum(dtype=np.float64))
    inside = float(np.minimum(mask, whole).sum(dtype=np.float64)) / total if total else 1.0
    if inside < INSIDE:
        raise ValueError(
            f"perfused volume {name} must lie in {liver}, {100 * INSIDE:g} % of it at least, got {100 * inside:.3g} %"
        )


def _require_outside(name: str, mask: NDArray[Any], liver: str, whole: NDArray[Any]) -> None:
    """Refuse lungs that hold the liver, such as an outline of the body: all of its activity would be their shunt."""
    shared = np.maximum(mask.astype(np.float64) + whole - 1.0, 0.0).sum()
    for which, part in ((name, mask), (liver, whole)):
        total = float(part.sum(dtype=np.float64))
        if total and shared > (1.0 - INSIDE) * total:
            raise ValueError(
                f"lungs {name} must lie outside {liver}, but they share {100 * shared / total:.3g} % of {which}"
            )


def amounts_in(case: Case, mask: NDArray[Any], nuclide: str) -> tuple[float, float]:
    """Return mass [kg] and activity [GBq] in a mask."""
    mass_kg = float((mask * case.density_g_cm3).sum(dtype=np.float64)) * case.grid.voxel_ml * 1e-3
    if case.tia_bq_s is None:
        return mass_kg, float((mask * case.activity_bq).sum(dtype=np.float64)) * 1e-9
    from mcdose.nuclides import nuclide as look_up

    decays = float((mask * case.tia_bq_s).sum(dtype=np.float64))
    return mass_kg, decays * math.log(2.0) / look_up(nuclide).half_life_s * 1e-9


def _concentration(amounts: tuple[float, float]) -> float:
    return amounts[1] / amounts[0]


def as_values(
    comparisons: Sequence[Comparison],
    tumours: Sequence[str],
    *,
    perfused: str | None = None,
    whole_liver: bool = False,
    lungs: str | None = None,
) -> Mapping[str, dict[str, float | None]]:
    """Return the voxel means by quantity and subject, to be held against limits (`mcdose.sirt.limit.judge`).

    Parameters
    ----------
    comparisons : as `compare_with_voxels` gives them
    tumours, perfused, lungs : names
    whole_liver : the perfused volume is the liver, so its normal liver is that of the organ
    """
    by_name = {one.name: one.voxel.mean_gy for one in comparisons}
    normal = [NORMAL_LIVER] if whole_liver else [name for name in by_name if name == NORMAL_PERFUSED]
    names: dict[str, Sequence[str]] = {
        "tumour_gy": tumours,
        "normal_liver_gy": [NORMAL_LIVER],
        "perfused_gy": [] if perfused is None else [perfused],
        "normal_perfused_gy": normal,
        "lung_gy": [] if lungs is None else [lungs],
    }
    return {quantity: {name: by_name[name] for name in of} for quantity, of in names.items()}
