"""`mcdose plan voxel --tumour-dose-gy`: the activity that reaches a dose, by the figures of the dose map."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mcdose.commands.inputs import as_input_error
from mcdose.commands.plan import chosen_limits, solution_lines, solution_record
from mcdose.commands.plan_options import not_negative, positive
from mcdose.commands.plan_text import figure
from mcdose.commands.tables import gy_text, text_table
from mcdose.errors import InputError


def add_solve_options(command: argparse.ArgumentParser) -> None:
    """Add what is aimed at and what earlier sessions gave."""
    group = command.add_argument_group("activity for a dose", "spread as in the image; docs/sirt.md")
    wanted = group.add_mutually_exclusive_group()
    wanted.add_argument("--tumour-dose-gy", type=positive, metavar="GY", help="mean dose that every tumour is to get")
    wanted.add_argument("--normal-dose-gy", type=positive, metavar="GY", help="mean dose to the normal liver")
    group.add_argument(
        "--earlier", nargs="+", metavar="DIR", default=[], help="results of earlier sessions, structures of these names"
    )
    group.add_argument(
        "--earlier-gy", type=dose_of_name, nargs="+", metavar="NAME=GY", default=[], help="mean doses of earlier ones"
    )


def check_solve(args: argparse.Namespace) -> None:
    """Refuse earlier doses without an aim."""
    if args.tumour_dose_gy is None and args.normal_dose_gy is None and (args.earlier or args.earlier_gy):
        raise InputError("--earlier and --earlier-gy need --tumour-dose-gy or --normal-dose-gy")


def solution_of(args: argparse.Namespace, tissues: list[dict[str, Any]], activity_gbq: float) -> dict[str, Any] | None:
    """Return the activity for the dose that is aimed at, in plain JSON types; None without one.

    Parameters
    ----------
    args : as parsed
    tissues : figures by tissue, with `name` and `voxel`
    activity_gbq : in the images
    """
    from mcdose.sirt.voxel_solution import solve_voxels

    if args.tumour_dose_gy is None and args.normal_dose_gy is None:
        return None
    quantity, target = "tumour_gy", args.tumour_dose_gy
    if target is None:
        quantity, target = "normal_liver_gy", args.normal_dose_gy
    with as_input_error():
        means = _means(args, tissues)
        earlier = _earlier(args, [name for values in means.values() for name in values])
        found = solve_voxels(means, activity_gbq, target, chosen_limits(args), quantity=quantity, earlier_gy=earlier)
    return {
        **solution_record(found),
        "image_gbq": activity_gbq,
        "factor": found.factor,
        "earlier_gy": earlier,
        "doses": found.doses_gy,
    }


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


def _means(args: argparse.Namespace, tissues: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Mean doses of the map by quantity and tissue."""
    from mcdose.sirt.voxel import NORMAL_LIVER

    by_name = {one["name"]: one["voxel"]["mean_gy"] for one in tissues}
    means = {
        "tumour_gy": {name: by_name[name] for name in args.tumours},
        "normal_liver_gy": {NORMAL_LIVER: by_name[NORMAL_LIVER]},
    }
    return means | ({"lung_gy": {args.lungs: by_name[args.lungs]}} if args.lungs else {})


def _earlier(args: argparse.Namespace, names: list[str]) -> dict[str, float]:
    """Sum of the mean doses of earlier sessions by tissue [Gy]."""
    total: dict[str, float] = {}
    for folder in args.earlier:
        for name, dose in _means_of(Path(folder), args, names).items():
            total[name] = total.get(name, 0.0) + dose
    for name, dose in args.earlier_gy:
        total[name] = total.get(name, 0.0) + dose
    return total


def _means_of(folder: Path, args: argparse.Namespace, names: list[str]) -> dict[str, float]:
    """Mean doses of the tissues in a folder of results; the normal liver from the liver less its tumours, by volume."""
    from mcdose.sirt.voxel import NORMAL_LIVER

    path = folder / "summary.json"
    try:
        structures = json.loads(path.read_text(encoding="utf-8"))["structures"]
        read = {name: (float(one["volume_ml"]), float(one["mean_gy"])) for name, one in structures.items()}
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: is not the summary of `mcdose dose`") from error
    for name in (args.liver, *args.tumours, *([args.lungs] if args.lungs else [])):
        if name not in read:
            raise InputError(f"{path}: structures must include {name!r}, got {', '.join(read) or 'none'}")
    return {name: _normal_mean(path, read, args) if name == NORMAL_LIVER else read[name][1] for name in names}


def _normal_mean(path: Path, read: Mapping[str, tuple[float, float]], args: argparse.Namespace) -> float:
    parts = [read[args.liver], *((-read[name][0], read[name][1]) for name in args.tumours)]
    volume = sum(volume for volume, _ in parts)
    if not volume > 0.0:
        raise InputError(f"{path}: {args.liver} must be larger than its tumours, got {volume:.4g} mL without them")
    return max(sum(volume * mean for volume, mean in parts) / volume, 0.0)


def dose_of_name(text: str) -> tuple[str, float]:
    """Read NAME=GY."""
    name, equals, value = text.rpartition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must be NAME=GY, such as lungs=12, got {text!r}")
    return name, not_negative(value)
