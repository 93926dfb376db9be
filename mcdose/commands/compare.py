"""`mcdose compare`: Monte Carlo, convolution and local deposition on one case."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from mcdose.commands.tables import gy_text, text_table
from mcdose.errors import InputError

if TYPE_CHECKING:
    pass


def run_compare(args: argparse.Namespace) -> int:
    """Compute the dose by all methods and write what they differ by."""
    from mcdose.comparison_outputs import write_comparison
    from mcdose.comparison_summary import pair_figures, summarise_comparison
    from mcdose.io.folder import require_free
    from mcdose.methods import MAIN, WAYS
    from mcdose.outputs import to_json
    from mcdose.report.comparison import comparison_report
    from mcdose.result_files import EVERY
    from mcdose.summary import scored_structures, scored_voxels

    _check_arguments(args)
    folder = Path(args.output)
    require_free(folder, EVERY, args.overwrite)
    with Console(verbose=args.verbose, silent=args.json) as console:
        case = (load_phantom if args.demo else load_patient)(args, console)
        scored = scored_voxels(case, DENSITY_FLOOR_G_CM3)
        parts = scored_structures(case, scored)
        console.show_held()
        results = {way: dose_of(case, parts, args, console, **way.choices) for way in WAYS}
        reference = results[MAIN[0]]
        pairs = pair_figures(
            reference,
            {way.key: results[way] for way in MAIN},
            gamma=tuple(args.gamma),
            threshold=args.gamma_threshold,
            threads=args.threads,
        )
        summary, curves = summarise_comparison(
            case,
            results,
            parts,
            scored,
            pairs,
            density_floor_g_cm3=DENSITY_FLOOR_G_CM3,
            warnings=console.warnings,
        )
        report = comparison_report(case, results, summary, curves, scored, patient=args.patient_in_report)
        files = write_comparison(
            folder,
            case=case,
            results=results,
            pairs=pairs,
            curves=curves,
            summary=summary,
            report=report,
            overwrite=args.overwrite,
        )
        for warning in summary["warnings"]:
            if warning not in console.warnings:
                console.say(f"warning: {warning}")
    if args.json:
        print(to_json(summary, ascii_only=True))
    else:
        print(describe(summary))
        print(f"\nwritten to {folder}: {', '.join(file.name for file in files)}")
    return 0


def _check_arguments(args: argparse.Namespace) -> None:
    """Refuse arguments that do not go together before any file is opened."""
    from mcdose.dose import check_scaling

    if args.demo:
        images = ("activity", "ct", "structures", "activity_series", "ct_series")
        for name in (*images, "sensitivity", "administered_gbq", "counts_in"):
            if (given := getattr(args, name)) is not None:
                words = " ".join(given) if isinstance(given, list) else given
                raise InputError(f"--demo stands instead of images, got --{name.replace('_', '-')} {words}")
        if args.histories is None and args.target_uncertainty is None:
            args.histories = DEMO_HISTORIES
    else:
        missing = [option for option, given in (("--activity", args.activity), ("--ct", args.ct)) if given is None]
        if missing:
            raise InputError(f"{' and '.join(missing)} must be given, or --demo for the phantom")
    check_counts(args)
    check_times(args)
    check_series(args)
    check_names(args)
    with as_input_error():
        check_scaling("voxel-kernel", "target", args.kernel_medium)


def describe(summary: dict[str, Any]) -> str:
    """Return the mean doses of all ways and the rates of gamma as text."""
    from mcdose.methods import MAIN, WAYS

    lines = [
        f"{summary['nuclide']}, dose to {summary['dose_to']}; Monte Carlo: {summary['histories']:,} histories in "
        f"{summary['seconds']:.1f} s on {summary['device']}, seed {summary['seed']}"
    ]
    methods = summary["methods"]
    reference = methods[summary["reference"]]["structures"]
    if reference:
        header = ["structure", "mL", "Monte Carlo Gy", "error %"]
        rows = [[*header, *(str(number) for number in range(1, len(WAYS)))]]
        for name, figures in reference.items():
            error = figures["mean_uncertainty"]
            row = [name, f"{figures['volume_ml']:.1f}", gy_text(figures["mean_gy"])]
            row.append("-" if error is None else f"{100 * error:.2f}")
            for way in WAYS[1:]:
                difference = methods[way.key]["structures"][name]["mean_difference"]
                row.append("-" if difference is None else f"{round(100 * difference, 1) + 0.0:+.1f} %")
            rows.append(row)
        lines += ["", *text_table(rows), "", "Difference of the mean dose from Monte Carlo by"]
        lines += [f"  {number}  {way.label}" for number, way in enumerate(WAYS[1:], 1)]
    for way in MAIN[1:]:
        pair = summary["comparisons"][way.key]
        rates = ", ".join(
            f"{kind} {100 * pair[kind]['pass_rate']:.1f} % ({100 * pair[kind]['widened_pass_rate']:.1f} % with noise)"
            for kind in ("global", "local")
        )
        lines.append(f"gamma {pair['gamma_percent']:g} % / {pair['gamma_mm']:g} mm, {way.label}: {rates}")
    lines += [f"\nnote: {note}" for note in summary["notes"]]
    return "\n".join(lines)
