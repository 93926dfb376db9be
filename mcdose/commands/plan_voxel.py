"""`mcdose plan voxel`: compartments beside voxels on one case, with limits and an uncertainty budget."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdose.commands.console import Console
from mcdose.commands.inputs import (
    DEMO_HISTORIES,
    as_input_error,
    check_counts,
    check_series,
    check_times,
    dose_of,
    load_patient,
    load_phantom,
)
from mcdose.commands.plan_text import limit_words, print_figures, verdict_lines
from mcdose.commands.tables import gy_text, text_table
from mcdose.commands.treatment import chosen_treatment, fill_in_phantom
from mcdose.commands.treatment_lesions import lesion_lines
from mcdose.commands.treatment_sessions import session_lines, voxel_solution_lines
from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.case import Case
    from mcdose.sirt.treatment import Treatment


def run_voxel_plan(args: argparse.Namespace) -> int:
    """Compute the dose in a case and show it beside what compartments give; write it all where a folder is named."""
    _check(args)
    treatment = chosen_treatment(args)
    if treatment is None:
        raise InputError("--liver must be given")
    load = load_phantom if args.demo else load_patient
    from mcdose.commands.dose import compute, written

    files: list[Path] = []
    if args.output is None:
        figures = _figures(args, load, treatment)
    else:
        summary, files = compute(args, load, treatment)
        figures = _with_method(summary["sirt"], summary["warnings"])
    lines = [*_describe(figures), *voxel_solution_lines(figures["solution"])]
    print_figures(figures, [*lines, written(args.output, files)] if files else lines, args.json)
    return 0


def _figures(
    args: argparse.Namespace, load: Callable[[argparse.Namespace, Console], Case], treatment: Treatment
) -> dict[str, Any]:
    """Return the figures, writing nothing."""
    from mcdose.sirt.assessment import assess

    with Console(verbose=args.verbose, silent=args.json) as console:
        case = load(args, console)
        with as_input_error():
            tissues = treatment.tissues(case)
        console.show_held()
        result = dose_of(case, tissues, args, console, args.method, args.density_scaling or "target")
        with as_input_error():
            figures = assess(case, result, treatment)
        return _with_method(figures, list(dict.fromkeys([*console.warnings, *result.warnings])))


def _with_method(figures: dict[str, Any], warnings: list[str]) -> dict[str, Any]:
    said = figures["treatment"]
    first = {"model": "voxels", "method": said["method"], "histories": said["histories"]}
    return {**first, **figures, "warnings": warnings}


def _check(args: argparse.Namespace) -> None:
    """Refuse arguments that do not go together before any file is opened."""
    from mcdose.commands.dose import check_arguments

    if args.demo:
        fill_in_phantom(args)
        for name in ("activity", "ct", "structures"):
            if getattr(args, name) is not None:
                raise InputError(f"--demo stands instead of images, got --{name}")
        if args.histories is None and args.method == "monte-carlo" and args.target_uncertainty is None:
            args.histories = DEMO_HISTORIES
    for name in ("activity", "ct", "structures") if not args.demo else ():
        if getattr(args, name) is None:
            raise InputError(f"--{name} must be given, or --demo for the phantom")
    check_counts(args)
    check_times(args)
    check_series(args)
    check_arguments(args)


def _describe(figures: dict[str, Any]) -> list[str]:
    first = figures["tissues"][0]["voxel"]["v"]
    header = ["tissue", "mL", "T/N", "compartment Gy", "voxels Gy", "difference", "1 sigma Gy"]
    rows = [[*header, "SD", "D95", "D70", "D50", *(f"V{dose} %" for dose in first)]]
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
    judged = [one for one in figures["limits"] if one["figure"] is not None]
    return [
        f"{figures['method']}, {figures['histories']:,} histories; compartments from masses and activities of the case",
        "",
        *text_table(rows),
        "",
        "difference: compartment over voxels; 1 sigma: budget of `mcdose plan uncertainty` with the noise of this run",
        *(f"  {one['name']}: {one['why']}" for one in figures["tissues"]),
        *lesion_lines(figures["tissues"]),
        *session_lines(figures),
        *verdict_lines(judged),
        *(f"not judged: {limit_words(one)}, {one['reason']}" for one in figures["limits"] if one["figure"] is None),
    ]
