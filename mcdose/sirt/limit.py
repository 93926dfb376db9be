"""Limits and goals: what tissue may get and tumours should get, with who says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

QUANTITIES = {  # unit, and what it is
    "tumour_gy": ("Gy", "mean dose to a tumour (TAD)"),
    "perfused_gy": ("Gy", "mean dose to the perfused liver, tumours included"),
    "normal_perfused_gy": ("Gy", "mean dose to the normal liver that is perfused"),
    "normal_liver_gy": ("Gy", "mean dose to the normal liver of the whole organ (NTAD), one session"),
    "normal_liver_cumulative_gy": ("Gy", "the same, all sessions"),
    "lung_gy": ("Gy", "mean dose to both lungs, one session"),
    "lung_cumulative_gy": ("Gy", "the same, all sessions"),
    "lung_shunt": ("1", "fraction of the delivered activity that goes to the lungs"),
}
COMPARISONS = (">=", "<=")
CONTEXTS = ("mNET", "HCC", "ICC", "mCRC", "any")
SCENARIOS = ("segmentectomy", "lobectomy", "unilobar", "bilobar", "whole-liver", "any")
ROLES = ("constraint", "goal", "threshold", "reference")
BINDING_ROLES = ("constraint", "goal")
EVIDENCE = ("low", "moderate")
ROUNDING = 1e-9  # a dose that was solved for a limit meets it


@dataclass(frozen=True)
class Limit:
    """One figure of a guideline or a study.

    Attributes
    ----------
    quantity : see `QUANTITIES`
    comparison : ">=" or "<="
    value : in the unit of the quantity
    context, device, scenario : what it is for, "any" for all
    role : "constraint" (what tissue may get), "goal" (what a tumour should get), "threshold" (where a study saw
        response) or "reference" (what a single-compartment prescription aims at); the last two are for reading only
    evidence : "low" or "moderate"
    citation : who says so
    checked : the figure was read in the publication
    note : what else to know
    """

    quantity: str
    comparison: str
    value: float
    context: str
    device: str
    scenario: str
    role: str
    evidence: str
    citation: str
    checked: bool
    note: str = ""

    @property
    def unit(self) -> str:
        """Unit of the value."""
        return QUANTITIES[self.quantity][0]

    def is_met(self, value: float) -> bool:
        """Tell whether a value keeps to it, rounding aside."""
        slack = ROUNDING * max(abs(self.value), 1.0)
        return value >= self.value - slack if self.comparison == ">=" else value <= self.value + slack

    def __str__(self) -> str:
        unit = "" if self.unit == "1" else f" {self.unit}"
        return f"{self.quantity} {self.comparison} {self.value:g}{unit}"


@dataclass(frozen=True)
class Verdict:
    """A limit against what a plan gives.

    Attributes
    ----------
    limit
    subject : name of the tumour, or of the session
    value : in the unit of the limit
    met : whether it keeps to it
    """

    limit: Limit
    subject: str
    value: float
    met: bool


def select_limits(
    limits: Sequence[Limit], *, context: str = "any", device: str = "any", scenario: str = "any"
) -> tuple[Limit, ...]:
    """Return the limits for a disease, a device and a scenario.

    One for "any" holds always. With "any" asked for, those of a certain disease, device or scenario are left out.

    Raises
    ------
    ValueError
        A disease or scenario that is not known.
    """
    for name, value, known in (("context", context, CONTEXTS), ("scenario", scenario, SCENARIOS)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")
    asked = {"context": context, "device": device, "scenario": scenario}
    return tuple(
        limit for limit in limits if all(getattr(limit, key) in ("any", value) for key, value in asked.items())
    )


def contradiction(limits: Sequence[Limit]) -> tuple[Limit, Limit] | None:
    """Return the first goal and constraint that no value of their quantity can keep to, where both can hold at once."""
    binding = [limit for limit in limits if limit.role in BINDING_ROLES]
    for low in binding:
        for high in binding:
            if (
                low.comparison == ">="
                and high.comparison == "<="
                and low.quantity == high.quantity
                and low.value > high.value
                and all(_overlap(getattr(low, key), getattr(high, key)) for key in ("context", "device", "scenario"))
            ):
                return low, high
    return None


def judge(limits: Sequence[Limit], values: Mapping[str, Mapping[str, float | None]]) -> tuple[Verdict, ...]:
    """Hold figures against limits, those without a figure left out.

    Parameters
    ----------
    limits
    values : quantity to subject to value
    """
    return tuple(
        Verdict(limit, subject, value, limit.is_met(value))
        for limit in limits
        for subject, value in values.get(limit.quantity, {}).items()
        if value is not None
    )


def is_near(figure: float, limit: float, standard_uncertainty: float | None) -> bool:
    """Tell whether a figure is closer to its limit than its standard uncertainty; not where that is not known."""
    return standard_uncertainty is not None and abs(figure - limit) < standard_uncertainty


def record(limit: Limit) -> dict[str, Any]:
    """Return a limit in plain JSON types."""
    return {
        "quantity": limit.quantity,
        "comparison": limit.comparison,
        "value": limit.value,
        "unit": limit.unit,
        "context": limit.context,
        "device": limit.device,
        "scenario": limit.scenario,
        "role": limit.role,
        "evidence": limit.evidence,
        "checked": limit.checked,
        "citation": limit.citation,
        "note": limit.note,
    }


def _overlap(one: str, other: str) -> bool:
    return "any" in (one, other) or one == other
