"""What the figures of a treatment come to: verdicts over its sessions, the activity for a dose, doses against activity.

In plain JSON types, for `mcdose.sirt.assessment`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mcdose.sirt.earlier import earlier_gy
from mcdose.sirt.judgement import CUMULATIVE as ALL_SESSIONS
from mcdose.sirt.limit import BINDING_ROLES, Limit, record
from mcdose.sirt.linear import record as answer_record
from mcdose.sirt.sweep import Row, scaled
from mcdose.sirt.voxel import NORMAL_LIVER, Comparison, as_values
from mcdose.sirt.voxel_solution import CUMULATIVE, OVER_ALL, solve_voxels

if TYPE_CHECKING:
    from mcdose.sirt.treatment import Treatment

FARTHEST = 4.0  # times the activity of the case: limits beyond are not drawn


def before(treatment: Treatment) -> dict[str, float]:
    """Return what earlier sessions gave, by tissue [Gy]; nothing where nothing was said of them.

    The perfused volume is another in each session, so that one that a session does not name is not known.
    """
    if treatment.earlier is None:
        return {}
    found = {**dict.fromkeys(treatment.over_sessions, 0.0), **earlier_gy(treatment.earlier)}
    if treatment.perfused is not None and not treatment.perfused_over_sessions:
        del found[treatment.perfused]
    return found


def limits_of(
    compared: Sequence[Comparison],
    tissues: Sequence[Mapping[str, Any]],
    lungs: Mapping[str, Any] | None,
    activity_gbq: float,
    treatment: Treatment,
) -> list[dict[str, Any]]:
    """Hold the figures against every limit; one without a figure says why it has none."""
    session = _values(compared, treatment)
    earlier_of = before(treatment)
    values = {
        **session,
        **{whole: session[name] for name, whole in CUMULATIVE.items() if treatment.earlier is not None},
        "lung_shunt": {lungs["name"]: lungs["shunt"]} if lungs else {},
    }
    relative = {one["name"]: one["relative_uncertainty"] for one in tissues}
    found = []
    for limit in treatment.limits:
        subjects = {name: value for name, value in values.get(limit.quantity, {}).items() if value is not None}
        for name, own in subjects.items():
            in_gy = limit.unit == "Gy"
            earlier = earlier_of.get(name, 0.0) if limit.quantity in OVER_ALL else 0.0
            value = own + earlier
            found.append(
                {
                    "subject": name,
                    "figure": value,
                    "earlier_gy": earlier if in_gy else None,
                    "standard_uncertainty": relative[name] * value if in_gy else None,
                    "met": limit.is_met(value),
                    "verdict": _verdict(limit, value),
                    "activity_gbq": max(limit.value - earlier, 0.0) * activity_gbq / own
                    if in_gy and own > 0.0
                    else None,
                    **record(limit),
                }
            )
        if not subjects:
            found.append(
                {
                    "subject": ALL_SESSIONS if limit.quantity in CUMULATIVE.values() else None,
                    "figure": None,
                    "earlier_gy": None,
                    "standard_uncertainty": None,
                    "met": None,
                    "verdict": "not judged",
                    "reason": _missing(limit, treatment),
                    "activity_gbq": None,
                    **record(limit),
                }
            )
    return found


def curve(
    compared: Sequence[Comparison], limits: Sequence[Mapping[str, Any]], activity_gbq: float, treatment: Treatment
) -> list[dict[str, Any]]:
    """Return doses against activity, far enough to see where goals and constraints are reached."""
    if not activity_gbq > 0.0:
        return []
    ends = [one["activity_gbq"] for one in limits if one["role"] in BINDING_ROLES and one["activity_gbq"]]
    end = 1.15 * max([activity_gbq, *(end for end in ends if end <= FARTHEST * activity_gbq)])
    means = {one.name: one.voxel.mean_gy for one in compared}
    values, earlier_of = _values(compared, treatment), before(treatment)
    apart = not treatment.whole_liver or any(one["quantity"] == "normal_perfused_gy" for one in limits)
    lowest = min(treatment.tumours, key=lambda name: means[name] + earlier_of.get(name, 0.0))
    own = Row(
        activity_gbq,
        tumour_gy=means[lowest],
        perfused_gy=_only(values["perfused_gy"]),
        normal_perfused_gy=_only(values["normal_perfused_gy"]) if apart else None,
        normal_liver_gy=means[NORMAL_LIVER],
        lung_gy=_only(values["lung_gy"]),
    )
    earlier = Row(0.0, earlier_of.get(lowest), earlier_of.get(treatment.perfused or ""), None, None, None)
    return [asdict(row) for row in scaled(own, earlier, end)]


def solution(compared: Sequence[Comparison], activity_gbq: float, treatment: Treatment) -> dict[str, Any] | None:
    """Return the activity for the dose that is aimed at; None without an aim."""
    if treatment.aim is None:
        return None
    quantity, target_gy = treatment.aim
    means = {
        name: {one: mean for one, mean in of.items() if mean is not None}
        for name, of in _values(compared, treatment).items()
        if of
    }
    earlier = {name: dose for name, dose in before(treatment).items() if dose}
    found = solve_voxels(means, activity_gbq, target_gy, treatment.limits, quantity=quantity, earlier_gy=earlier)
    return {
        **answer_record(found),
        "image_gbq": activity_gbq,
        "factor": found.factor,
        "earlier_gy": earlier,
        "doses": found.doses_gy,
    }


def _verdict(limit: Limit, value: float) -> str:
    if limit.role in BINDING_ROLES:
        return "met" if limit.is_met(value) else "not met"
    return "shown only"


def _missing(limit: Limit, treatment: Treatment) -> str:
    if limit.quantity in CUMULATIVE.values() and treatment.earlier is None:
        return "nothing is said of earlier sessions (--earlier)"
    if limit.quantity.startswith("lung"):
        return "no lungs are named" if treatment.lungs is None else "the images have no activity in lungs and liver"
    return "no perfused volume is named" if treatment.perfused is None else "all of the perfused volume is lesion"


def _values(compared: Sequence[Comparison], treatment: Treatment) -> Mapping[str, dict[str, float | None]]:
    """Return the figures of this session by quantity and tissue."""
    return as_values(
        compared,
        treatment.tumours,
        perfused=treatment.perfused,
        whole_liver=treatment.whole_liver,
        lungs=treatment.lungs,
    )


def _only(values: Mapping[str, float | None]) -> float | None:
    return next(iter(values.values()), None)
