"""Limits from TOML: the file that mcdose ships, or one of the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcdose.errors import InputError
from mcdose.sirt.data_file import FOLDER, number_of, read_toml, require_keys, switch_of, text_of
from mcdose.sirt.limit import COMPARISONS, CONTEXTS, EVIDENCE, QUANTITIES, ROLES, SCENARIOS, Limit, contradiction
from mcdose.sirt.spheres import microspheres

NEEDED = ("quantity", "comparison", "value", "unit", "role", "evidence", "citation")
OPTIONAL = ("context", "device", "scenario", "checked", "note")
MOST_GY = 10_000.0


def load_limits(path: str | Path | None = None) -> tuple[Limit, ...]:
    """Read limits; None is the file that mcdose ships (mcdose/data/sirt/limits.toml).

    The file holds tables `[[limit]]` with quantity, comparison, value, unit, role, evidence and citation, and may say
    context, device, scenario ("any" without), checked (false without) and note. See docs/sirt.md.

    Raises
    ------
    InputError
        The file cannot be read or is not TOML; an entry lacks a key, has one that is unknown or a value that is not
        allowed; a goal above a constraint on the same quantity where both hold.
    """
    path = FOLDER / "limits.toml" if path is None else Path(path)
    content = require_keys(str(path), read_toml(path), ("limit",))
    entries = content["limit"]
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: limit must be at least one table [[limit]], got {entries!r}")
    limits = tuple(_limit(f"{path}, limit {number}", entry) for number, entry in enumerate(entries, 1))
    clash = contradiction(limits)
    if clash is not None:
        low, high = clash
        raise InputError(
            f"{path}: limits {limits.index(low) + 1} and {limits.index(high) + 1} contradict each other: {low} "
            f"({_where(low)}) and {high} ({_where(high)})"
        )
    return limits


def _limit(where: str, entry: Any) -> Limit:
    table = {"context": "any", "device": "any", "scenario": "any", "checked": False}
    table |= require_keys(where, entry, NEEDED, OPTIONAL)
    quantity = text_of(where, table, "quantity", tuple(QUANTITIES))
    unit = text_of(where, table, "unit")
    if unit != QUANTITIES[quantity][0]:
        raise InputError(f"{where}: unit of {quantity} must be {QUANTITIES[quantity][0]!r}, got {unit!r}")
    value = number_of(where, table, "value")
    highest = 1.0 if unit == "1" else MOST_GY
    if not 0.0 < value <= highest:
        raise InputError(f"{where}: value of {quantity} must be above 0 and at most {highest:g}, got {value:g}")
    return Limit(
        quantity=quantity,
        comparison=text_of(where, table, "comparison", COMPARISONS),
        value=value,
        context=text_of(where, table, "context", CONTEXTS),
        device=text_of(where, table, "device", (*microspheres(), "any")),
        scenario=text_of(where, table, "scenario", SCENARIOS),
        role=text_of(where, table, "role", ROLES),
        evidence=text_of(where, table, "evidence", EVIDENCE),
        citation=text_of(where, table, "citation"),
        checked=switch_of(where, table, "checked"),
        note=text_of(where, table, "note") if "note" in table else "",
    )


def _where(limit: Limit) -> str:
    return f"{limit.context}, {limit.device}, {limit.scenario}"
