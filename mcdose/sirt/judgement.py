"""A plan against limits: which figure of which session each is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mcdose.sirt.limit import Limit, Verdict, judge
from mcdose.sirt.partition import Plan, PlanDoses

CUMULATIVE = "all sessions"


def judge_plan(plan: Plan, doses: PlanDoses, limits: Sequence[Limit]) -> tuple[Verdict, ...]:
    """Hold the doses of a plan against limits.

    Doses to tumours and to the perfused liver are taken over all sessions; those to the normal liver and the lungs by
    session, and all together for the cumulative quantities.
    """
    return judge(limits, plan_values(plan, doses))


def plan_values(plan: Plan, doses: PlanDoses) -> dict[str, dict[str, float | None]]:
    """Return the figures of a plan, quantity to subject to value."""
    total = doses.cumulative
    by_session = dict(zip(map(session_name, plan.sessions), doses.sessions, strict=True))
    shunts: dict[str, float | None] = {
        f"{one.territory}, {session_name(one.session)}": one.lung_shunt for one in plan.injections
    }
    return {
        "tumour_gy": dict(total.tumours),
        "perfused_gy": {CUMULATIVE: total.perfused_gy},
        "normal_perfused_gy": {name: one.normal_perfused_gy for name, one in by_session.items()},
        "normal_liver_gy": {name: one.normal_liver_gy for name, one in by_session.items()},
        "normal_liver_cumulative_gy": {CUMULATIVE: total.normal_liver_gy},
        "lung_gy": {name: one.lung_gy for name, one in by_session.items()},
        "lung_cumulative_gy": {CUMULATIVE: total.lung_gy},
        "lung_shunt": shunts,
    }


def session_name(number: int) -> str:
    """Return what a session is called."""
    return f"session {number}"


def lowest_tumour(doses: Mapping[str, float]) -> str | None:
    """Return the name of the tumour with the lowest dose; None where there is none."""
    return min(doses, key=lambda name: doses[name], default=None)
