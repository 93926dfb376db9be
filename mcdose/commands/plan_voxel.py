"""`mcdose plan voxel`: compartments beside voxels on one case, with limits and an uncertainty budget."""

from __future__ import annotations

import argparse
import math
from dataclasses import asdict
from typing import Any

from mcdose.commands.console import Console
from mcdose.commands.inputs import (
    DEMO_HISTORIES,
    DENSITY_FLOOR_G_CM3,
    as_input_error,
    check_counts,
    check_names,
    check_series,
    check_times,
    dose_of,
    load_patient,
    load_phantom,
)
from mcdose.commands.plan_lesions import check_drawn, lesion_figures, lesion_lines
from mcdose.commands.plan_text import print_figures, verdict_lines, verdict_record
from mcdose.commands.plan_voxel_solve import check_solve, solution_of, voxel_solution_lines
from mcdose.commands.tables import gy_text, text_table
from mcdose.errors import InputError

DEMO = {"liver": "liver", "tumours": ["tumour 1", "tumour 2"], "lungs": "lungs"}


def run_voxel_plan(args: argparse.Namespace) -> int:
    """Compute the dose in a case and print it beside what compartments give."""
    from mcdose.commands.plan import chosen_limits
    from mcdose.commands.plan_rules import chosen_budget
    from mcdose.nuclides import nuclide
    from mcdose.sirt.limit import judge
    from mcdose.sirt.tissue import normal_liver
    from mcdose.sirt.voxel import NORMAL_LIVER, as_values, compare_with_voxels

    _check(args)
    with as_input_error():
        limits = chosen_limits(args)
        budget = chosen_budget(args)
    with Console(verbose=args.verbose, silent=args.json) as console:
        case = (load_phantom if args.demo else load_patient)(args, console)
        names = [args.liver, *args.tumours, *([args.lungs] if args.lungs else [])]
        if missing := [name for name in names if name not in case.structures]:
            raise InputError(
                f"structure must be one of {', '.join(case.structures) or 'none there'}; got {missing[0]!r}"
            )
        kept = case.density_g_cm3 >= DENSITY_FLOOR_G_CM3
        with as_input_error():
            lesions = {name: case.structures[name] * kept for name in args.tumours}
            regions = {**lesions, NORMAL_LIVER: normal_liver(case.structures[args.liver] * kept, lesions)}
        if args.lungs:
            regions[args.lungs] = case.structures[args.lungs] * kept
        console.show_held()
        result = dose_of(case, regions, args, console, args.method, args.density_scaling or "target")
        with as_input_error():
            found = compare_with_voxels(
                case,
                result.dose_gy,
                liver=args.liver,
                tumours=args.tumours,
                lungs=args.lungs,
                nuclide=args.nuclide,
                gy_kg_per_gbq=args.gy_kg_per_gbq,
                v_gy=args.v_gy,
                density_floor_g_cm3=DENSITY_FLOOR_G_CM3,
            )
    tissues: list[dict[str, Any]] = []
    around_gy = next(one.voxel.mean_gy for one in found if one.name == NORMAL_LIVER)
    for one in found:
        noise = result.regions[one.name].relative_uncertainty or 0.0
        own, lesion = lesion_figures(args, budget, one, around_gy)
        relative = own.with_values({"monte_carlo_noise": noise}, "this run").relative
        tissues.append(
            {
                **asdict(one),
                **lesion,
                "difference": one.difference,
                "noise": noise,
                "relative_uncertainty": relative,
                "standard_uncertainty_gy": relative * one.voxel.mean_gy,
            }
        )
        tissues[-1]["voxel"]["v"] = {f"{dose:g}": part for dose, part in one.voxel.v.items()}
    verdicts = [verdict_record(verdict) for verdict in judge(limits, as_values(found, args.tumours))]
    figures: dict[str, Any] = {
        "model": "voxels",
        "method": result.method,
        "histories": result.histories,
        "tissues": tissues,
        "budget": [asdict(term) for term in budget.terms],
        "limits": verdicts,
        "warnings": list(dict.fromkeys([*console.warnings, *result.warnings])),
    }
    in_image_gbq = result.total_decays * math.log(2.0) / nuclide(args.nuclide).half_life_s * 1e-9
    figures["solution"] = solution_of(args, tissues, in_image_gbq)
    lines = [*_describe(figures), *lesion_lines(tissues), *verdict_lines(verdicts)]
    lines += voxel_solution_lines(figures["solution"])
    print_figures(figures, lines, args.json)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse arguments that do not go together before any file is opened."""
    if args.demo:
        for name, value in DEMO.items():
            setattr(args, name, getattr(args, name) or value)
        for name in ("activity", "ct", "structures"):
            if getattr(args, name) is not None:
                raise InputError(f"--demo stands instead of images, got --{name}")
        if args.histories is None:
            args.histories = DEMO_HISTORIES
    for name in ("activity", "ct", "structures") if not args.demo else ():
        if getattr(args, name) is None:
            raise InputError(f"--{name} must be given, or --demo for the phantom")
    for name in ("liver", "tumours"):
        if not getattr(args, name):
            raise InputError(f"--{name} must be given")
    check_solve(args)
    check_drawn(args)
    check_counts(args)
    check_times(args)
    check_series(args)
    check_names(args)


def _describe(figures: dict[str, Any]) -> list[str]:
    first = figures["tissues"][0]["voxel"]["v"]
    header = [
        "tissue",
        "mL",
        "T/N",
        "compartment Gy",
        "voxels Gy",
        "difference",
        "1 sigma Gy",
        "SD",
        "D95",
        "D70",
        "D50",
    ]
    rows = [[*header, *(f"V{dose} %" for dose in first)]]
    for one in figures["tissues"]:
        voxel, difference, ratio = one["voxel"], one["difference"], one["ratio"]
        rows.append(
            [
                one["name"],
                f"{voxel['volume_ml']:.1f}",
                "-" if ratio is None else f"{ratio:.3g}",
                gy_text(one["compartment_gy"]),
                gy_text(voxel["mean_gy"]),
                "-" if difference is None else f"{round(100 * difference, 1) + 0.0:+.1f} %",
                gy_text(one["standard_uncertainty_gy"]),
                *(gy_text(voxel[key]) for key in ("sd_gy", "d95_gy", "d70_gy", "d50_gy")),
                *(f"{100 * part:.1f}" for part in voxel["v"].values()),
            ]
        )
    return [
        f"{figures['method']}, {figures['histories']:,} histories; compartments from masses and activities of the case",
        "",
        *text_table(rows),
        "",
        "difference: compartment over voxels; 1 sigma: budget of `mcdose plan uncertainty` with the noise of this run",
    ]
