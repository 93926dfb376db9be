"""The activity that reaches a dose while limits hold, where every figure is a straight line in the activity.

D(A) = D_before + s A, so each limit gives one activity in closed form, whether s is from compartments or a dose map.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcdose.sirt.limit import BINDING_ROLES, ROUNDING, Limit
from mcdose.sirt.limit import record as limit_record

Values = Mapping[str, Mapping[str, float | None]]  # quantity to subject to figure


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
class Answer:
    """What was found.

    Attributes
    ----------
    target_quantity, target_gy, target_subject : what was to be reached; the subject that needs most
    wanted_gbq : activity that reaches it [GBq], 0 where it was reached before
    allowed_gbq : most that all limits allow [GBq], infinite without any
    activity_gbq : the smaller of the two; 0 where a limit is broken without this session
    feasible : the target is reached within the limits, and none is broken without this session
    binding : the limit that allows least; None without any
    bounds : all, the tightest first
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


def answer(
    before: Values,
    per_gbq: Values,
    limits: Sequence[Limit],
    *,
    quantity: str,
    subjects: Sequence[str],
    target_gy: float,
    apart: Callable[[str, str], bool] = lambda *_: False,
) -> Answer:
    """Find the activity.

    Parameters
    ----------
    before : figures without the session
    per_gbq : their growth per GBq of it, the same quantities and subjects
    limits : those with "<=" and the role constraint or goal bind
    quantity, subjects, target_gy : what every one of the subjects is to get [Gy]
    apart : quantities and subjects that the session has nothing to do with, such as those of other sessions
    """
    wanted, subject = max((_needed(before, per_gbq, quantity, one, target_gy), one) for one in subjects)
    bounds = _bounds(before, per_gbq, limits, apart)
    allowed = min((bound.activity_gbq or 0.0 for bound in bounds), default=math.inf)
    return Answer(
        target_quantity=quantity,
        target_gy=target_gy,
        target_subject=subject,
        wanted_gbq=wanted,
        allowed_gbq=allowed,
        activity_gbq=min(wanted, allowed),
        feasible=wanted <= allowed * (1.0 + ROUNDING) and all(bound.activity_gbq is not None for bound in bounds),
        binding=bounds[0] if bounds else None,
        bounds=bounds,
    )


def record(found: Answer) -> dict[str, Any]:
    """Return what was found in plain JSON types; an activity without a bound is None."""

    def bound(one: Bound) -> dict[str, Any]:
        return {
            "limit": limit_record(one.limit),
            "subject": one.subject,
            "activity_gbq": _finite(one.activity_gbq),
            "broken_before": one.activity_gbq is None,
        }

    return {
        "target_quantity": found.target_quantity,
        "target_gy": found.target_gy,
        "target_subject": found.target_subject,
        "wanted_gbq": found.wanted_gbq,
        "allowed_gbq": _finite(found.allowed_gbq),
        "activity_gbq": found.activity_gbq,
        "feasible": found.feasible,
        "binding": None if found.binding is None else bound(found.binding),
        "bounds": [bound(one) for one in found.bounds],
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else value


def _needed(before: Values, per_gbq: Values, quantity: str, subject: str, target: float) -> float:
    growth = per_gbq[quantity][subject]
    given = before[quantity][subject] or 0.0
    if growth is None or given >= target:
        return 0.0
    return (target - given) / growth


def _bounds(
    before: Values, per_gbq: Values, limits: Sequence[Limit], apart: Callable[[str, str], bool]
) -> tuple[Bound, ...]:
    found = []
    for limit in limits:
        if limit.comparison != "<=" or limit.role not in BINDING_ROLES:
            continue
        for subject, growth in per_gbq.get(limit.quantity, {}).items():
            given = before[limit.quantity][subject]
            if growth is None or given is None or apart(limit.quantity, subject):
                continue
            if not limit.is_met(given):
                found.append(Bound(limit, subject, None))
            elif growth > 0.0:
                found.append(Bound(limit, subject, max(limit.value - given, 0.0) / growth))
            else:
                found.append(Bound(limit, subject, math.inf))
    return tuple(sorted(found, key=lambda bound: bound.activity_gbq or 0.0))
