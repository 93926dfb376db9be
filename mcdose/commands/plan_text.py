"""What the sub-commands of `mcdose plan` print alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mcdose.commands.tables import text_table
from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.sirt.limit import Verdict


def print_figures(figures: dict[str, Any], lines: Sequence[str], as_json: bool) -> None:
    """Print figures as JSON or as text, with what they are good for."""
    from mcdose import __version__
    from mcdose.outputs import to_json
    from mcdose.sirt.notice import NOTICE

    require_held(figures)
    if as_json:
        print(to_json({"mcdose_version": __version__, **figures, "notice": NOTICE}, ascii_only=True))
    else:
        print("\n".join(line.rstrip() for line in (*lines, "", NOTICE)))


def require_held(figures: Any) -> None:
    """Refuse figures that no number holds: they follow from input that is far too large or too small."""
    if isinstance(figures, float) and not math.isfinite(figures):
        raise InputError("an argument is so large or so small that no number holds what follows from it")
    if isinstance(figures, dict | list | tuple):
        for one in figures.values() if isinstance(figures, dict) else figures:
            require_held(one)


def figure(value: float) -> str:
    """Return an activity or a mass with four digits."""
    return f"{value:.4g}"


def verdict_record(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict in plain JSON types."""
    from mcdose.sirt.limit import record

    return {"subject": verdict.subject, "figure": verdict.value, "met": verdict.met, **record(verdict.limit)}


def verdict_lines(verdicts: Sequence[dict[str, Any]]) -> list[str]:
    """Return limits against figures as a table, with the publications below."""
    if not verdicts:
        return []
    from mcdose.sirt.limit import BINDING_ROLES

    sources = list(dict.fromkeys(verdict["citation"] for verdict in verdicts))
    rows = [["limit", "of", "figure", "met", "role", "evidence", "source"]]
    for verdict in verdicts:
        unit = "" if verdict["unit"] == "1" else f" {verdict['unit']}"
        rows.append(
            [
                limit_words(verdict),
                verdict["subject"],
                f"{verdict['figure']:.4g}{unit}",
                _met(verdict),
                verdict["role"],
                verdict["evidence"] + ("" if verdict["checked"] else ", unchecked"),
                f"[{sources.index(verdict['citation']) + 1}]",
            ]
        )
    notes = list(dict.fromkeys(f"{limit_words(one)}: {one['note']}" for one in verdicts if one["note"]))
    if any(one["role"] not in BINDING_ROLES for one in verdicts):
        notes.append("thresholds and references are shown only: no limit is met or missed by them")
    return ["", *text_table(rows), *source_lines(sources), *(f"  {note}" for note in notes)]


def _met(verdict: dict[str, Any]) -> str:
    """Return whether a limit is met, or, of what is shown only, whether a dose reaches it."""
    from mcdose.sirt.limit import BINDING_ROLES, is_near

    if verdict["role"] not in BINDING_ROLES:
        return "reached" if verdict["met"] == (verdict["comparison"] == ">=") else "not reached"
    near = is_near(verdict["figure"], verdict["value"], verdict.get("standard_uncertainty"))
    return ("yes" if verdict["met"] else "NO") + (", within u" if near else "")


def limit_words(entry: dict[str, Any]) -> str:
    """Return a limit in a few words."""
    unit = "" if entry["unit"] == "1" else f" {entry['unit']}"
    return f"{entry['quantity']} {entry['comparison']} {entry['value']:g}{unit}"


def source_lines(sources: Sequence[str]) -> list[str]:
    """Return numbered publications."""
    return [f"  [{place}] {source}" for place, source in enumerate(sources, 1)]


def delivery_lines(delivery: dict[str, Any] | None) -> list[str]:
    """Return what a vial holds."""
    if delivery is None:
        return []
    return [
        "",
        f"{delivery['spheres_of']}, {delivery['hours']:g} h after calibration: {delivery['calibration_gbq']:.4g} GBq "
        f"at calibration, {delivery['injection_gbq']:.4g} GBq at injection, {delivery['residual_gbq']:.3g} GBq stay",
        f"  {delivery['spheres_delivered'] / 1e6:.4g} million spheres of {delivery['bq_per_sphere']:.4g} Bq delivered, "
        f"{delivery['sphere_volume_ml']:.3g} mL of them",
    ]
