"""A plan of several arteries and sessions from a TOML file; docs/sirt.md has an example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcdose.errors import InputError
from mcdose.sirt.checks import not_negative
from mcdose.sirt.data_file import number_of, read_toml, require_keys, switch_of, text_of
from mcdose.sirt.limit import CONTEXTS, SCENARIOS
from mcdose.sirt.partition import Injection, Plan, Territory, Tumour
from mcdose.sirt.reference import mass_kg
from mcdose.sirt.spheres import microsphere, microspheres

FRACTIONS = ("lung_shunt", "extrahepatic", "residual")


@dataclass(frozen=True)
class PlanFile:
    """What a file says.

    Attributes
    ----------
    plan : where injections have shares, these are its activities
    session_to_solve : number of the session whose injections have shares instead of activities; None without
    spheres, context, scenario : for the limits, "any" where the file does not say
    """

    plan: Plan
    session_to_solve: int | None
    spheres: str
    context: str
    scenario: str


def load_plan(path: str | Path) -> PlanFile:
    """Read a plan.

    Raises
    ------
    InputError
        The file cannot be read or is not TOML; something is missing, unknown, out of its range or contradicts another.
    """
    path = Path(path)
    content = require_keys(
        str(path),
        read_toml(path),
        ("liver_ml", "territory", "injection"),
        ("density_g_ml", "unperfused_tumour_ml", "lung_mass_kg", "gy_kg_per_gbq", "spheres", "disease", "scenario"),
    )
    defaults = {"spheres": "any", "disease": "any", "scenario": "any"} | dict(content)
    spheres = text_of(str(path), defaults, "spheres", (*microspheres(), "any"))
    try:
        density = content.get("density_g_ml")
        constant = content.get("gy_kg_per_gbq")
        if constant is None and spheres != "any":
            constant = microsphere(spheres).gy_kg_per_gbq
        injections, to_solve = _injections(path, content["injection"])
        unperfused = not_negative("unperfused_tumour_ml", content.get("unperfused_tumour_ml", 0))
        plan = Plan(
            liver_mass_kg=mass_kg("liver_ml", content["liver_ml"], density),
            territories=tuple(
                _territory(path, entry, density) for entry in _tables(path, "territory", content["territory"])
            ),
            injections=injections,
            unperfused_tumour_kg=mass_kg("unperfused_tumour_ml", unperfused, density) if unperfused else 0.0,
            lung_mass_kg=content.get("lung_mass_kg"),
            gy_kg_per_gbq=constant,
        )
    except InputError:
        raise
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {error}") from error
    return PlanFile(
        plan,
        to_solve,
        spheres,
        text_of(str(path), defaults, "disease", CONTEXTS),
        text_of(str(path), defaults, "scenario", SCENARIOS),
    )


def _tables(path: Path, name: str, value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise InputError(f"{path}: {name} must be at least one table [[{name}]], got {value!r}")
    return value


def _territory(path: Path, entry: Any, density: float | None) -> Territory:
    table = require_keys(f"{path}, territory", entry, ("name", "ml"), ("tumour",))
    name = text_of(f"{path}, territory", table, "name")
    tumours = _tables(path, "territory.tumour", table["tumour"]) if "tumour" in table else []
    return Territory(
        name,
        mass_kg(f"ml of {name}", table["ml"], density),
        tuple(_tumour(f"{path}, tumour of {name}", tumour, density) for tumour in tumours),
    )


def _tumour(where: str, entry: Any, density: float | None) -> Tumour:
    table = {"cold": False, **require_keys(where, entry, ("name", "ml", "ratio"), ("cold",))}
    name = text_of(where, table, "name")
    return Tumour(name, mass_kg(f"ml of {name}", table["ml"], density), table["ratio"], switch_of(where, table, "cold"))


def _injections(path: Path, value: Any) -> tuple[tuple[Injection, ...], int | None]:
    """Return the injections, and the session that has shares."""
    injections = []
    kinds: dict[int, set[str]] = {}
    for number, entry in enumerate(_tables(path, "injection", value), 1):
        where = f"{path}, injection {number}"
        table = require_keys(where, entry, ("territory",), ("session", "activity_gbq", "share", *FRACTIONS))
        session = table.get("session", 1)
        if isinstance(session, bool) or not isinstance(session, int) or session < 1:
            raise InputError(f"{where}: session must be a whole number of at least 1, got {session!r}")
        given = [key for key in ("activity_gbq", "share") if key in table]
        if len(given) != 1:
            raise InputError(f"{where}: must have activity_gbq or share, got {' and '.join(given) or 'none'}")
        kinds.setdefault(session, set()).update(given)
        injections.append(_injection(where, table, session, given[0]))
    if mixed := [session for session, kind in kinds.items() if len(kind) > 1]:
        raise InputError(f"{path}: injections of session {mixed[0]} must all have activity_gbq or all share, got both")
    shared = [session for session, kind in kinds.items() if kind == {"share"}]
    if len(shared) > 1:
        raise InputError(f"{path}: one session can have shares and be solved for, got {', '.join(map(str, shared))}")
    return tuple(injections), shared[0] if shared else None


def _injection(where: str, table: Mapping[str, Any], session: int, amount: str) -> Injection:
    return Injection(
        territory=text_of(where, table, "territory"),
        activity_gbq=number_of(where, table, amount),
        session=session,
        **{key: number_of(where, table, key) for key in FRACTIONS if key in table},
    )
