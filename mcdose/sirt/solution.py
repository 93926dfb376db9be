"""The activity that reaches a dose while limits hold, and which limit binds.

Every dose is linear in the activity of a session whose injections keep their shares: D(A) = D_before + s A. So each
limit gives one activity, in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from mcdose.sirt.checks import positive
from mcdose.sirt.judgement import plan_values, session_name
from mcdose.sirt.limit import Limit
from mcdose.sirt.linear import Answer, answer
from mcdose.sirt.partition import Plan, PlanDoses, plan_doses

TARGETS = ("tumour_gy", "perfused_gy", "normal_perfused_gy", "normal_liver_gy")


@dataclass(frozen=True)
class Solution(Answer):
    """What was found, see `mcdose.sirt.linear.Answer`.

    Attributes
    ----------
    plan, doses : with `activity_gbq`
    """

    plan: Plan
    doses: PlanDoses


def solve(
    plan: Plan,
    target_gy: float,
    limits: Sequence[Limit],
    *,
    quantity: str = "tumour_gy",
    tumour: str | None = None,
    session: int | None = None,
) -> Solution:
    """Find the activity of a session that reaches a dose, and what the limits allow.

    Parameters
    ----------
    plan : the activities of the session's injections give their shares; those of others stay as they are
    target_gy : dose to reach [Gy], in `tumour_gy` and `perfused_gy` with what other sessions give
    limits : those with "<=" and the role constraint or goal bind, see `mcdose.sirt.limit.select_limits`
    quantity : "tumour_gy", "perfused_gy", "normal_perfused_gy" or "normal_liver_gy"
    tumour : name, with `tumour_gy`; None is every tumour that the session reaches, so the one that needs most
    session : number; None is the only one

    Raises
    ------
    ValueError
        A session or tumour that is not there; shares that are all zero; a target that the session does not change.
    """
    target = positive("target_gy", target_gy)
    number = _session(plan, session)
    unit = sum(one.activity_gbq for one in plan.injections if one.session == number)
    if not unit > 0.0:
        raise ValueError(f"activities of session {number} must give shares, got none above 0")
    before, per_gbq = _lines(plan, number, unit)
    subjects = _subjects(per_gbq, quantity, tumour, number)
    found = answer(
        before,
        per_gbq,
        limits,
        quantity=quantity,
        subjects=subjects,
        target_gy=target,
        apart=lambda quantity, subject: _of_another(plan, number, quantity, subject),
    )
    solved = with_activity(plan, found.activity_gbq, number)
    own = {field.name: getattr(found, field.name) for field in fields(found)}
    return Solution(**own, plan=solved, doses=plan_doses(solved))


def with_activity(plan: Plan, activity_gbq: float, session: int | None = None) -> Plan:
    """Return the plan with another total activity [GBq] of a session, in the same shares."""
    number = _session(plan, session)
    total = sum(one.activity_gbq for one in plan.injections if one.session == number)
    if not total > 0.0:
        raise ValueError(f"activities of session {number} must give shares, got none above 0")
    return replace(
        plan,
        injections=tuple(
            replace(one, activity_gbq=one.activity_gbq / total * activity_gbq) if one.session == number else one
            for one in plan.injections
        ),
    )


Table = dict[str, dict[str, float | None]]


def _session(plan: Plan, session: int | None) -> int:
    if session is None and len(plan.sessions) == 1:
        return plan.sessions[0]
    if session not in plan.sessions:
        raise ValueError(f"session must be one of {', '.join(map(str, plan.sessions))}; got {session}")
    return session


def _of_another(plan: Plan, number: int, quantity: str, subject: str) -> bool:
    """Tell whether a figure is of another session alone; tumours may be called what they like."""
    others = [session_name(other) for other in plan.sessions if other != number]
    if quantity == "lung_shunt":
        return any(subject.endswith(f", {other}") for other in others)
    return quantity != "tumour_gy" and subject in others


def _lines(plan: Plan, number: int, unit: float) -> tuple[Table, Table]:
    """Return all figures without the session, and their growth per GBq of it."""
    none, some = (with_activity(plan, activity, number) for activity in (0.0, unit))
    before, after = (plan_values(one, plan_doses(one)) for one in (none, some))
    growth: Table = {
        quantity: {
            name: None if value is None else (value - (before[quantity][name] or 0.0)) / unit
            for name, value in values.items()
        }
        for quantity, values in after.items()
    }
    return before, growth


def _subjects(per_gbq: Table, quantity: str, tumour: str | None, number: int) -> list[str]:
    if quantity not in TARGETS:
        raise ValueError(f"quantity must be one of {', '.join(TARGETS)}; got {quantity!r}")
    values = per_gbq[quantity]
    if quantity != "tumour_gy":
        found = [name for name in values if values[name] and name in (session_name(number), "all sessions")]
    elif tumour is None:
        found = [name for name, growth in values.items() if growth]
    elif tumour in values:
        found = [tumour] if values[tumour] else []
    else:
        raise ValueError(f"tumour must be one of {', '.join(values) or 'none there'}; got {tumour!r}")
    if not found:
        raise ValueError(f"{quantity} does not change with the activity of session {number}, so it cannot be a target")
    return found
