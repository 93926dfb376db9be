"""The figures of a dose calculation in plain JSON types: what goes into summary.json."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose import __version__
from mcdose.case import PHANTOM
from mcdose.dvh import Dvh, dvh
from mcdose.subvoxels import parts_for

if TYPE_CHECKING:
    from mcdose.case import Case
    from mcdose.result import DoseResult

LIGHT_G_CM3 = 0.6  # a structure of a lower mean density is taken for lung, whatever its name
LUNG_NOTE = (
    "local deposition leaves all of the energy to the small mass of its voxel, while electrons take part of it out of "
    "the lung, most of all along the border with the liver; activity that breathing, blur or coarse voxels carry from "
    "the liver into lung voxels counts as lung activity with both methods"
)

PHOTONS_TOLD = 0.01  # of the energy, from which it is told that local deposition leaves photons out
PHOTON_NOTE = (
    "Local deposition leaves the photons of {nuclide} out, {percent} % of the energy of its decays: it has none of the "
    "dose that they bring to what lies around the activity, nor their part of the dose within."
)
BLUR_NOTE = (
    "The blur of PET (5 to 7 mm) is as wide as the reach of the electrons of Y-90 (90 % of their energy stays within "
    "5.4 mm). On an image that is not corrected for it, Monte Carlo and convolution blur a second time, and local "
    "deposition may be nearer to the truth, most of all for tumours of less than about 3 cm: read their doses then "
    "from the column of local deposition, and the difference as what the image leaves open."
)


def scored_voxels(case: Case, density_floor_g_cm3: float) -> NDArray[np.bool_]:
    """Tell which voxels have a reported dose: those at or above the density floor."""
    return np.asarray(case.density_g_cm3 >= density_floor_g_cm3)


def scored_structures(case: Case, scored: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Structures without the voxels that have no reported dose; one that has no other voxel is left out."""
    parts = {name: mask * scored for name, mask in case.structures.items()}
    return {name: part for name, part in parts.items() if part.any()}


def structure_curves(
    dose_gy: NDArray[np.float32],
    parts: dict[str, NDArray[Any]],
    scored: NDArray[np.bool_],
    voxel_mm: tuple[float, float, float],
) -> dict[str, Dvh]:
    """Dose-volume histograms of structures; of small ones whose outline cuts voxels, below the size of a voxel."""
    reported = np.where(scored, dose_gy, np.float32("nan"))
    voxel_ml = float(np.prod(voxel_mm)) / 1000.0
    return {name: dvh(reported, part, voxel_mm, subvoxels=parts_for(part, voxel_ml)) for name, part in parts.items()}


def structure_figures(
    case: Case, curves: dict[str, Dvh], scored: NDArray[np.bool_], result: DoseResult
) -> dict[str, dict[str, float | None]]:
    """Figures by structure, in the order of the case; None for all doses of one without a voxel above the floor."""
    figures = {}
    for name, mask in case.structures.items():
        volume_ml = float(mask.sum(dtype=np.float64)) * case.grid.voxel_ml
        below_ml = float(mask[~scored].sum(dtype=np.float64)) * case.grid.voxel_ml
        curve = curves.get(name)
        figures[name] = {
            "volume_ml": volume_ml,
            "below_floor_ml": below_ml,
            "mean_gy": curve.mean_gy if curve else None,
            "sd_gy": curve.sd_gy if curve else None,
            "d95_gy": curve.d(95) if curve else None,
            "d70_gy": curve.d(70) if curve else None,
            "d50_gy": curve.d(50) if curve else None,
            "max_gy": curve.max_gy if curve else None,
            "mean_uncertainty": finite_or_none(result.regions[name].relative_uncertainty) if curve else None,
        }
    return figures


def blur_notes(case: Case, nuclide: str | None) -> list[str]:
    """Return what the blur of an image of Y-90 means for the methods; nothing for the phantom, which has none."""
    return [BLUR_NOTE] if nuclide == "Y-90" and case.origin.get("activity") != PHANTOM else []


def photon_notes(result: DoseResult) -> list[str]:
    """Return what local deposition leaves out, where that counts."""
    fraction = result.provenance.get("photon_fraction", 0.0)
    percent = f"{100 * fraction:.2g}"
    told = fraction > PHOTONS_TOLD
    return [PHOTON_NOTE.format(nuclide=result.provenance["nuclide"], percent=percent)] if told else []


def lung_notes(case: Case, structures: dict[str, dict[str, float | None]], local_gy: dict[str, float]) -> list[str]:
    """Sentences that compare the methods in the structures as light as lung."""
    sentences = []
    for name, local in local_gy.items():
        mean, density = structures[name]["mean_gy"], mean_density(case, name)
        if mean is not None and mean < local and density < LIGHT_G_CM3:
            sentences.append(
                f"{name} (mean density {density:.2f} g/cm3): {mean:.4g} Gy by Monte Carlo, {local:.4g} Gy by local "
                f"deposition; {LUNG_NOTE}"
            )
    return sentences


def mean_density(case: Case, name: str) -> float:
    """Mean density of a structure [g/cm3]."""
    mask = case.structures[name]
    return float((mask * case.density_g_cm3).sum(dtype=np.float64) / mask.sum(dtype=np.float64))


def run_figures(
    case: Case, result: DoseResult, scored: NDArray[np.bool_], density_floor_g_cm3: float
) -> dict[str, Any]:
    """Return how a dose was computed, on what grid, and its figures over the voxels at or above the floor."""
    dose = result.dose_gy[scored]
    return {
        "mcdose_version": __version__,
        "nuclide": result.provenance.get("nuclide"),
        "method": result.method,
        "dose_to": result.provenance.get("dose_to"),
        "device": result.device,
        "histories": result.histories,
        "seconds": result.seconds,
        "histories_per_second": finite_or_none(result.histories_per_second),
        "seed": result.seed,
        "voxel_mm": list(case.grid.voxel_mm),
        "shape": list(case.grid.shape),
        "origin_mm": list(case.grid.origin_mm),
        "direction": [list(axis) for axis in case.grid.direction],
        "total_decays": result.total_decays,
        "emitted_mev": finite_or_none(result.emitted_mev),
        "deposited_mev": finite_or_none(result.deposited_mev),
        "escaped_mev": finite_or_none(result.escaped_mev),
        "density_floor_g_cm3": density_floor_g_cm3,
        "max_dose_gy": float(dose.max()) if dose.size else None,
        "mean_dose_gy": float(dose.mean(dtype=np.float64)) if dose.size else None,
    }


def summarise(
    case: Case,
    result: DoseResult,
    curves: dict[str, Dvh],
    scored: NDArray[np.bool_],
    *,
    density_floor_g_cm3: float,
    local_gy: dict[str, float] | None,
    warnings: list[str],
    sirt: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Gather the summary of a run.

    Parameters
    ----------
    case, result : what went in and came out
    curves : of the structures without the voxels below the floor
    scored : voxels at or above the floor; `max_dose_gy` and `mean_dose_gy` are over these
    local_gy : mean doses by local deposition [Gy], to compare with; None where that is the method itself
    warnings : sentences for the user
    sirt : figures of a radioembolization, `mcdose.sirt.assessment.assess`; None without
    """
    structures = structure_figures(case, curves, scored, result)
    return {
        **run_figures(case, result, scored, density_floor_g_cm3),
        "structures": structures,
        "local_deposition": local_gy,
        "sirt": sirt,
        "notes": [
            *photon_notes(result),
            *(blur_notes(case, result.provenance.get("nuclide")) if local_gy else []),
            *(lung_notes(case, structures, local_gy) if local_gy and result.histories else []),
        ],
        "warnings": list(dict.fromkeys([*warnings, *result.warnings])),
        "inputs": case.origin,
        "provenance": result.provenance,
    }


def finite_or_none(value: float | None) -> float | None:
    """Make what is not a finite number None, since JSON has no NaN."""
    return None if value is None or not math.isfinite(value) else float(value)
