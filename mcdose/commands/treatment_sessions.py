"""What a treatment is asked with its dose map: earlier sessions, and the activity that reaches a dose."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdose.commands.plan import solution_lines
from mcdose.commands.plan_options import not_negative, positive
from mcdose.commands.plan_text import figure
from mcdose.commands.tables import gy_text, text_table
from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.sirt.earlier import Session

NONE = "none"


def add_solve_options(command: argparse.ArgumentParser) -> None:
    """Add what is aimed at and what earlier sessions gave."""
    group = command.add_argument_group("activity for a dose", "spread as in the image; docs/sirt.md")
    wanted = group.add_mutually_exclusive_group()
    wanted.add_argument("--tumour-dose-gy", type=positive, metavar="GY", help="mean dose that every tumour is to get")
    wanted.add_argument("--normal-dose-gy", type=positive, metavar="GY", help="mean dose to the normal liver")
    group.add_argument(
        "--earlier",
        nargs="+",
        metavar="DIR",
        default=[],
        help=f"results of earlier sessions, structures of these names; {NONE}: there were none",
    )
    group.add_argument(
        "--earlier-gy", type=dose_of_name, nargs="+", metavar="NAME=GY", default=[], help="mean doses of earlier ones"
    )


def chosen_aim(args: argparse.Namespace) -> tuple[str, float] | None:
    """Return quantity and dose that an activity is wanted for; None where none is."""
    if args.tumour_dose_gy is not None:
        return "tumour_gy", args.tumour_dose_gy
    return None if args.normal_dose_gy is None else ("normal_liver_gy", args.normal_dose_gy)


def chosen_sessions(args: argparse.Namespace) -> tuple[Session, ...] | None:
    """Return the earlier sessions that the arguments name, none of them with `--earlier none`; None = nothing said."""
    from mcdose.sirt.earlier import STATED, Session, earlier_gy, read_session

    none = args.earlier == [NONE]
    if none and args.earlier_gy:
        raise InputError(f"--earlier {NONE} cannot go with --earlier-gy")
    if not args.earlier and not args.earlier_gy:
        return None
    folders = [Path(folder).resolve() for folder in args.earlier]
    if twice := [folder for folder in args.earlier if folders.count(Path(folder).resolve()) > 1]:
        raise InputError(f"--earlier names {twice[0]} twice, and its doses would count twice")
    others = [name for name in (args.perfused, args.lungs) if name]
    found = [
        read_session(folder, liver=args.liver, tumours=args.tumours, others=others)
        for folder in (() if none else args.earlier)
    ]
    if args.earlier_gy:
        found.append(Session(STATED, earlier_gy(Session(STATED, {name: dose}) for name, dose in args.earlier_gy)))
    return tuple(found)


def session_lines(figures: dict[str, Any]) -> list[str]:
    """Return mean doses over all sessions; nothing without earlier ones."""
    if not figures["sessions"]:
        return []
    rows = [["mean dose, Gy", "this session", "earlier", "together"]]
    for one in figures["tissues"]:
        if one["together_gy"] is not None:
            values = (one["voxel"]["mean_gy"], one["earlier_gy"], one["together_gy"])
            rows.append([one["name"], *map(gy_text, values)])
    return ["", *text_table(rows)]


def voxel_solution_lines(solution: dict[str, Any] | None) -> list[str]:
    """Return the activity, what binds, and the doses with it."""
    if solution is None:
        return []
    rows = [["mean dose with it, Gy", "this session", "earlier", "together"]]
    per_session = {name: dose for key in ("normal_liver_gy", "lung_gy") for name, dose in _of(solution, key).items()}
    for name, dose in {**_of(solution, "tumour_gy"), **per_session}.items():
        before = solution["earlier_gy"].get(name, 0.0)
        own = dose if name in per_session else dose - before
        rows.append([name, *(gy_text(value) for value in (own, before, own + before))])
    return [
        "",
        *solution_lines(solution, f"of activity delivered, {figure(solution['image_gbq'])} GBq in the image"),
        *text_table(rows),
    ]


def _of(solution: dict[str, Any], quantity: str) -> dict[str, float]:
    found: dict[str, float] = solution["doses"].get(quantity, {})
    return found


def dose_of_name(text: str) -> tuple[str, float]:
    """Read NAME=GY."""
    name, equals, value = text.rpartition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must be NAME=GY, such as lungs=12, got {text!r}")
    return name, not_negative(value)
