"""The figures of a treatment in plain JSON types: `sirt` of summary.json, and what the report shows.

Each figure is made here, once: the page, the terminal and summary.json say the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mcdose.sirt.assumptions import assumptions
from mcdose.sirt.constant import gy_kg_per_gbq as constant
from mcdose.sirt.effect import effects
from mcdose.sirt.lung_shunt import cut_by_field, lung_dose_gy
from mcdose.sirt.notice import NOTICE
from mcdose.sirt.reasons import LESION, LUNGS, NORMAL, PERFUSED, reason
from mcdose.sirt.verdicts import before, curve, limits_of, solution
from mcdose.sirt.voxel import NORMAL_LIVER, Comparison, amounts_in, compare_with_voxels

if TYPE_CHECKING:
    from mcdose.case import Case
    from mcdose.result import DoseResult
    from mcdose.sirt.treatment import Treatment
    from mcdose.sirt.uncertainty import Budget, Term

NOISE = "monte_carlo_noise"
PHOTONS_TOLD = 0.01  # of the energy, from which photons are told of


def assess(case: Case, result: DoseResult, treatment: Treatment) -> dict[str, Any]:
    """Return the figures of a treatment.

    Parameters
    ----------
    case, result : what went in and came out; of a method with noise, `result.regions` has the tissues
        (`Treatment.tissues`) by name
    treatment : names, limits, budget, sessions

    Returns
    -------
    dict
        `treatment`, `tissues`, `sessions`, `limits`, `solution`, `effect`, `budget`, `lungs`, `activity_curve`,
        `assumptions`, `notice`; keys with their units in docs/sirt.md.

    Raises
    ------
    ValueError
        As of `compare_with_voxels`; a tissue that is not a region of a result with noise; an aim that no activity
        reaches.
    """
    compared = compare_with_voxels(
        case,
        result.dose_gy,
        liver=treatment.liver,
        tumours=treatment.tumours,
        perfused=treatment.perfused,
        lungs=treatment.lungs,
        nuclide=treatment.nuclide,
        gy_kg_per_gbq=treatment.gy_kg_per_gbq,
        v_gy=treatment.v_gy,
        density_floor_g_cm3=treatment.density_floor_g_cm3,
    )
    around_gy = next(one.voxel.mean_gy for one in compared if one.name == NORMAL_LIVER)
    own = {one.name: _own_budget(one, around_gy, treatment) for one in compared}
    earlier_of = before(treatment)
    budgets = {one.name: _with_noise(one, result, own[one.name][0]) for one in compared}
    noise_gy = _voxel_noise(case, result, treatment)
    moves = result.method != "local-deposition"
    photons = result.provenance.get("photon_fraction", 0.0) > PHOTONS_TOLD
    tissues = [
        {
            **_tissue(one, _kind(one.name, treatment), budgets[one.name], moves=moves, photons=photons),
            "voxel_noise_gy": noise_gy.get(one.name),
            **_over_sessions(one, earlier_of),
            **own[one.name][1],
        }
        for one in compared
    ]
    activity_gbq = _in_place_gbq(result, treatment)
    lungs = _lungs(case, compared, treatment)
    limits = limits_of(compared, tissues, lungs, activity_gbq, treatment)
    cut = lungs["cut"] if lungs else []
    volumes_ml = {one.name: one.voxel.volume_ml for one in compared if one.name in treatment.tumours}
    several = case.tia_bq_s is not None
    return {
        "treatment": _said(case, result, treatment, activity_gbq),
        "tissues": tissues,
        "sessions": None if treatment.earlier is None else [asdict(one) for one in treatment.earlier],
        "limits": limits,
        "solution": solution(compared, activity_gbq, treatment),
        "effect": effects(case, result, treatment),
        "budget": _terms(list(budgets.values())),
        "lungs": lungs,
        "activity_curve": curve(compared, limits, activity_gbq, treatment),
        "assumptions": [
            *assumptions(treatment, several_times=several, cut=cut, volumes_ml=volumes_ml),
            *(
                f"{name} has the budget of all tissues, and no dose without the blur: {more['not_recovered']}."
                for name, (_, more) in own.items()
                if "not_recovered" in more
            ),
        ],
        "notice": NOTICE,
    }


def _kind(name: str, treatment: Treatment) -> str:
    if name in treatment.tumours:
        return LESION
    if name == treatment.lungs:
        return LUNGS
    return PERFUSED if name == treatment.perfused else NORMAL


def _own_budget(one: Comparison, around_gy: float, treatment: Treatment) -> tuple[Budget, dict[str, Any]]:
    """Return the budget of a tissue, and of a lesion its recovery and the dose over that if its drawing is known.

    A lesion that has no such dose, lost in the blur or colder than what is around it, keeps the general budget.
    """
    if treatment.drawing is None or one.name not in treatment.tumours:
        return treatment.budget, {}
    try:
        found = treatment.drawing.lesion(treatment.budget, one.voxel.volume_ml, one.voxel.mean_gy, around_gy)
    except ValueError as error:
        return treatment.budget, {"not_recovered": str(error)}
    return found.budget, {
        "recovery": asdict(found.recovery),
        "recovered_gy": found.recovered_gy,
        "terms": [asdict(term) for term in found.budget.terms],
        "covariances": [asdict(pair) for pair in found.budget.covariances],
    }


def _over_sessions(one: Comparison, earlier_of: Mapping[str, float]) -> dict[str, float | None]:
    earlier = earlier_of.get(one.name)
    return {"earlier_gy": earlier, "together_gy": None if earlier is None else earlier + one.voxel.mean_gy}


def _with_noise(one: Comparison, result: DoseResult, budget: Budget) -> Budget:
    """Put the noise of the run in the budget."""
    if not result.histories:
        return budget.with_values({NOISE: 0.0}, "this method has none")
    if one.name not in result.regions:
        raise ValueError(
            f"tissue must be one of the result's regions, {', '.join(result.regions) or 'none'}; got {one.name!r}"
        )
    noise = result.regions[one.name].relative_uncertainty or 0.0
    return budget.with_values({NOISE: noise if math.isfinite(noise) else 0.0}, "this run")


def _voxel_noise(case: Case, result: DoseResult, treatment: Treatment) -> dict[str, float]:
    """Return the root mean square of the standard errors of a tissue's voxels [Gy]; nothing of methods without."""
    if result.relative_uncertainty is None:
        return {}
    variance = np.nan_to_num(np.asarray(result.relative_uncertainty * result.dose_gy, np.float64)) ** 2
    return {
        name: math.sqrt(float((mask * variance).sum()) / float(mask.sum(dtype=np.float64)))
        for name, mask in treatment.tissues(case).items()
    }


def _tissue(one: Comparison, kind: str, budget: Budget, *, moves: bool, photons: bool) -> dict[str, Any]:
    noise = next(term.relative for term in budget.terms if term.name == NOISE)
    values = asdict(one)
    values["voxel"]["v"] = {f"{dose:g}": part for dose, part in one.voxel.v.items()}
    return {
        **values,
        "kind": kind,
        "difference": one.difference,
        "retained": one.retained,
        "why": reason(one, kind, noise, moves=moves, photons=photons),
        "noise": noise,
        "relative_uncertainty": budget.relative,
        "standard_uncertainty_gy": budget.standard_uncertainty_gy(one.voxel.mean_gy),
    }


def _in_place_gbq(result: DoseResult, treatment: Treatment) -> float:
    """Return the activity that decays in the images [GBq], of one administration in place."""
    from mcdose.nuclides import nuclide

    return result.total_decays * math.log(2.0) / nuclide(treatment.nuclide).half_life_s * 1e-9


def _said(case: Case, result: DoseResult, treatment: Treatment, activity_gbq: float) -> dict[str, Any]:
    label = makers = None
    if treatment.spheres != "any":
        from mcdose.sirt.spheres import microsphere

        device = microsphere(treatment.spheres)
        label, makers = device.label, device.gy_kg_per_gbq
    injected = case.origin.get("injected_bq")
    return {
        "nuclide": treatment.nuclide,
        "spheres": treatment.spheres,
        "spheres_label": label,
        "disease": treatment.disease,
        "scenario": treatment.scenario,
        "activity_gbq": activity_gbq,
        "injected_gbq": None if injected is None else injected * 1e-9,
        "administered": case.origin.get("administered"),
        "gy_kg_per_gbq": constant(treatment.gy_kg_per_gbq, treatment.nuclide),
        "spheres_gy_kg_per_gbq": makers,
        "method": result.method,
        "histories": result.histories,
        "dose_to": result.provenance.get("dose_to"),
        "liver": treatment.liver,
        "tumours": list(treatment.tumours),
        "perfused": treatment.perfused,
        "lungs": treatment.lungs,
    }


def _lungs(case: Case, compared: Sequence[Comparison], treatment: Treatment) -> dict[str, Any] | None:
    """Return shunt and dose of the lungs in the field; None where none are named."""
    if treatment.lungs is None:
        return None
    own = next(one for one in compared if one.name == treatment.lungs)
    kept = case.density_g_cm3 >= treatment.density_floor_g_cm3
    _, liver_gbq = amounts_in(case, case.structures[treatment.liver] * kept, treatment.nuclide)
    total = own.activity_gbq + liver_gbq
    shunt = own.activity_gbq / total if total > 0.0 else None
    k = constant(treatment.gy_kg_per_gbq, treatment.nuclide)
    ct_mass_kg = case.ct_mass_kg.get(own.name)
    mass_kg = own.mass_kg if ct_mass_kg is None else ct_mass_kg
    return {
        "name": own.name,
        "shunt": shunt,
        "cut": list(cut_by_field(np.asarray(case.structures[treatment.lungs], np.float64))),
        "mass_kg": mass_kg,
        "mass_from": "the dose grid" if ct_mass_kg is None else "the CT's own grid",
        "grid_mass_kg": own.mass_kg,
        "mean_gy": own.voxel.mean_gy,
        "own_mass_gy": k * own.activity_gbq / mass_kg,
        "one_kg_gy": None if shunt is None else lung_dose_gy(total, shunt, gy_kg_per_gbq=k),
    }


def _terms(budgets: Sequence[Budget]) -> list[dict[str, Any]]:
    """Return the terms of all budgets, each with the least and the most that a tissue which has it has of it."""
    columns: dict[str, list[Term]] = {}
    for budget in budgets:
        for term in budget.terms:
            columns.setdefault(term.name, []).append(term)
    spans = [(column, [term.relative for term in column]) for column in columns.values()]
    return [
        {**asdict(column[0]), "relative": max(values), "least": min(values), "most": max(values)}
        for column, values in spans
    ]
