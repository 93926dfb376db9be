"""The activity that reaches a dose while limits hold, and which limit binds.

Every dose is linear in the activity of a session whose injections keep their shares: D(A) = D_before + s A. So each
limit gives one activity, in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from mcdose.sirt.checks import positive
from mcdose.sirt.judgement import plan_values, session_name
from mcdose.sirt.limit import ROUNDING, Limit
from mcdose.sirt.partition import Plan, PlanDoses, plan_doses

TARGETS = ("tumour_gy", "perfused_gy", "normal_perfused_gy", "normal_liver_gy")


@dataclass(frozen=True)
class Bound:
    """How much activity a limit allows.

    Attributes
    ----------
    limit
    subject : whose figure it is
    activity_gbq : of the session [GBq], infinite where the figure does not grow with it; None where what other
        sessions give is beyond the limit already
    """

    limit: Limit
    subject: str
    activity_gbq: float | None


@dataclass(frozen=True)
class Solution:
    """What was found.

    Attributes
    ----------
    target_quantity, target_gy, target_subject : what was to be reached; the subject is the tumour that needs most
    wanted_gbq : activity that reaches it [GBq]
    allowed_gbq : most that all limits allow [GBq], infinite without any
    activity_gbq : the smaller of the two; 0 where a limit is broken without this session
    feasible : the target is reached within the limits, and none is broken without this session
    binding : the limit that allows least; None without any
    bounds : all, the tightest first
    plan, doses : with `activity_gbq`
    """

    target_quantity: str
    target_gy: float
    target_subject: str
    wanted_gbq: float
    allowed_gbq: float
    activity_gbq: float
    feasible: bool
    binding: Bound | None
    bounds: tuple[Bound, ...]
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
    wanted, subject = max((_needed(before, per_gbq, quantity, one, target), one) for one in subjects)
    bounds = _bounds(before, per_gbq, limits, number)
    allowed = min((bound.activity_gbq or 0.0 for bound in bounds), default=math.inf)
    activity = min(wanted, allowed)
    solved = with_activity(plan, activity, number)
    return Solution(
        target_quantity=quantity,
        target_gy=target,
        target_subject=subject,
        wanted_gbq=wanted,
        allowed_gbq=allowed,
        activity_gbq=activity,
        feasible=wanted <= allowed * (1.0 + ROUNDING) and all(bound.activity_gbq is not None for bound in bounds),
        binding=bounds[0] if bounds else None,
        bounds=bounds,
        plan=solved,
        doses=plan_doses(solved),
    )


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


Values = dict[str, dict[str, float | None]]


def _session(plan: Plan, session: int | None) -> int:
    if session is None and len(plan.sessions) == 1:
        return plan.sessions[0]
    if session not in plan.sessions:
        raise ValueError(f"session must be one of {', '.join(map(str, plan.sessions))}; got {session}")
    return session


def _lines(plan: Plan, number: int, unit: float) -> tuple[Values, Values]:
    """Return all figures without the session, and their growth per GBq of it."""
    none, some = (with_activity(plan, activity, number) for activity in (0.0, unit))
    before, after = (plan_values(one, plan_doses(one)) for one in (none, some))
    growth: Values = {
        quantity: {
            name: None if value is None else (value - (before[quantity][name] or 0.0)) / unit
            for name, value in values.items()
        }
        for quantity, values in after.items()
    }
    return before, growth


def _subjects(per_gbq: Values, quantity: str, tumour: str | None, number: int) -> list[str]:
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


def _needed(before: Values, per_gbq: Values, quantity: str, subject: str, target: float) -> float:
    growth = per_gbq[quantity][subject]
    given = before[quantity][subject] or 0.0
    if growth is None or given >= target:
        return 0.0
    return (target - given) / growth


def _bounds(before: Values, per_gbq: Values, limits: Sequence[Limit], number: int) -> tuple[Bound, ...]:
    found = []
    for limit in limits:
        if limit.comparison != "<=" or limit.role not in ("constraint", "goal"):
            continue
        for subject, growth in per_gbq[limit.quantity].items():
            given = before[limit.quantity][subject]
            if growth is None or given is None:
                continue
            if subject.startswith("session ") and subject != session_name(number):
                continue  # a session of its own
            if not limit.is_met(given):
                found.append(Bound(limit, subject, None))
            elif growth > 0.0:
                found.append(Bound(limit, subject, max(limit.value - given, 0.0) / growth))
            else:
                found.append(Bound(limit, subject, math.inf))
    return tuple(sorted(found, key=lambda bound: bound.activity_gbq or 0.0))
