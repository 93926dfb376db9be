"""`mcdose dose` and `mcdose demo`: from activity and CT, or the phantom, to a folder of results."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
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
from mcdose.commands.treatment import chosen_treatment, fill_in_phantom
from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.case import Case
    from mcdose.io.structures import StructureSet
    from mcdose.result import DoseResult
    from mcdose.sirt.treatment import Treatment

METHODS = {"monte-carlo": "Monte Carlo", "voxel-kernel": "voxel kernel", "local-deposition": "local deposition"}
COMMENT_LENGTH = 64  # DoseComment, VR LO


def run_dose(args: argparse.Namespace) -> int:
    """Compute the dose in a patient."""
    check_counts(args)
    check_times(args)
    check_series(args)
    treatment = chosen_treatment(args)
    if treatment is not None and args.structures is None:
        raise InputError("--liver and --tumours are names in --structures, got none")
    return _run(args, load_patient, treatment)


def run_demo(args: argparse.Namespace) -> int:
    """Compute the dose in the phantom."""
    if args.method == "monte-carlo" and args.histories is None and args.target_uncertainty is None:
        args.histories = DEMO_HISTORIES
    fill_in_phantom(args)
    return _run(args, load_phantom, chosen_treatment(args))


def _run(
    args: argparse.Namespace, load: Callable[[argparse.Namespace, Console], Case], treatment: Treatment | None
) -> int:
    from mcdose.outputs import to_json

    summary, files = compute(args, load, treatment)
    if args.json:
        print(to_json(summary, ascii_only=True))
    else:
        print(_report(summary))
        print(written(args.output, files))
    return 0


def written(folder: str, files: Sequence[Path]) -> str:
    """Say what was written where."""
    return f"\nwritten to {folder}: {', '.join(file.name for file in files)}"


def compute(
    args: argparse.Namespace, load: Callable[[argparse.Namespace, Console], Case], treatment: Treatment | None
) -> tuple[dict[str, Any], list[Path]]:
    """Compute a dose and write the folder of results.

    Parameters
    ----------
    args : of `mcdose dose`, as parsed
    load : makes the case
    treatment : what a radioembolization is judged by, None for another dose

    Returns
    -------
    summary, files
    """
    from mcdose.io.folder import require_free
    from mcdose.outputs import write_results
    from mcdose.report.run import run_report
    from mcdose.result_files import EVERY
    from mcdose.sirt.assessment import assess
    from mcdose.summary import scored_structures, scored_voxels, structure_curves, summarise

    check_arguments(args)
    folder = Path(args.output)
    require_free(folder, EVERY, args.overwrite)
    with Console(verbose=args.verbose, silent=args.json) as console:
        case = load(args, console)
        if treatment is not None:
            with as_input_error():
                case = treatment.with_tissues(case)
        scored = scored_voxels(case, DENSITY_FLOOR_G_CM3)
        parts = scored_structures(case, scored)
        structure_set = _structure_set(case, parts) if args.dvh_in_rtdose else None
        console.show_held()
        result = dose_of(case, parts, args, console, args.method, args.density_scaling or "target")
        local_gy = None
        if args.method != "local-deposition":
            local = dose_of(case, parts, args, console, "local-deposition")
            beside = structure_curves(local.dose_gy, parts, scored, case.grid.voxel_mm)
            local_gy = {name: curve.mean_gy for name, curve in beside.items()}
        curves = structure_curves(result.dose_gy, parts, scored, case.grid.voxel_mm)
        with as_input_error():
            sirt = None if treatment is None else assess(case, result, treatment)
        summary = summarise(
            case,
            result,
            curves,
            scored,
            density_floor_g_cm3=DENSITY_FLOOR_G_CM3,
            local_gy=local_gy,
            warnings=console.warnings,
            sirt=sirt,
        )
        report = run_report(
            case,
            result,
            summary,
            curves,
            scored,
            method=METHODS[result.method],
            patient=args.patient_in_report,
            when=not args.anonymize,
        )
        files = write_results(
            folder,
            dose_gy=result.dose_gy,
            relative_uncertainty=result.relative_uncertainty,
            grid=case.grid,
            series=case.series,
            comment=_comment(result),
            curves=curves,
            summary=summary,
            report=report,
            overwrite=args.overwrite,
            parametric_map=args.parametric_map,
            anonymize=args.anonymize,
            structure_set=structure_set,
        )
        for warning in result.warnings:
            if warning not in console.warnings:
                console.say(f"warning: {warning}")
    return summary, files


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse arguments that cannot be met before any file is opened."""
    from mcdose.dose import check_scaling

    check_names(args)
    for option, given, methods in (
        ("--histories", args.histories, ("monte-carlo",)),
        ("--target-uncertainty", args.target_uncertainty, ("monte-carlo",)),
        ("--density-scaling", args.density_scaling, ("voxel-kernel", "local-deposition")),
        ("--kernel-medium", args.kernel_medium, ("voxel-kernel",)),
    ):
        if given is not None and args.method not in methods:
            raise InputError(f"{option} goes with --method {' or '.join(methods)}, got --method {args.method}")
    if args.anonymize and args.patient_in_report:
        raise InputError("--anonymize leaves the patient out, so it cannot go with --patient-in-report")
    if args.anonymize and args.dvh_in_rtdose:
        raise InputError(
            "--dvh-in-rtdose refers to the structure set, so it cannot go with --anonymize, which drops such references"
        )
    if args.dvh_in_rtdose and args.structures is None:
        raise InputError("--dvh-in-rtdose needs --structures with an RTSTRUCT, got none")
    if args.kernel_medium is not None and args.density_scaling == "multiple-kernels":
        raise InputError("--kernel-medium goes with one kernel, got --density-scaling multiple-kernels")
    with as_input_error():
        check_scaling(args.method, args.density_scaling or "target", args.kernel_medium)


def _structure_set(case: Case, parts: dict[str, Any]) -> StructureSet:
    """Return the structure set for histograms in the RT Dose, or raise if that cannot refer to one rightly."""
    name = case.origin["structures"]
    if case.structure_set is None:
        raise InputError(f"--dvh-in-rtdose needs structures from an RTSTRUCT, got {name}, which is none")
    if not case.structure_set.sop_instance_uid:
        raise InputError(f"--dvh-in-rtdose needs an RTSTRUCT with a SOPInstanceUID, got {name} without")
    if case.series is None or not case.series.frame_of_reference_uid:
        raise InputError(
            "--dvh-in-rtdose needs a DICOM CT or PET with a FrameOfReferenceUID, which ties the dose to the RTSTRUCT; "
            "got none"
        )
    if not parts:
        raise InputError(f"--dvh-in-rtdose needs a structure with a reported dose, got none in {name}")
    return case.structure_set


def _comment(result: DoseResult) -> str:
    """Say in the 64 characters of DoseComment what the dose is."""
    told = result.provenance
    how = f", {result.histories:.3g} histories" if result.histories else f" ({told['density_scaling']})"
    return f"{told['nuclide']} {METHODS[result.method]}{how}, dose to {told['dose_to']}"[:COMMENT_LENGTH]


def _report(summary: dict[str, Any]) -> str:
    """Format the figures for reading: what was done, and a table of structures."""
    lines = [
        f"{summary['nuclide']}, {METHODS[summary['method']]}, dose to {summary['dose_to']}, on {summary['device']}",
        f"{summary['total_decays']:.4g} decays; grid {_times(summary['shape'])} voxels "
        f"of {_times(summary['voxel_mm'])} mm (z, y, x)",
    ]
    if summary["histories"]:
        speed = f" ({summary['histories_per_second'] / 1e3:.0f} k/s)" if summary["histories_per_second"] else ""
        lines.append(f"{summary['histories']:,} histories in {summary['seconds']:.1f} s{speed}, seed {summary['seed']}")
    told = summary["inputs"].get("time_points")
    if told:
        times = ", ".join(f"{point['time_h']:.4g}" for point in told["points"])
        lines.append(f"activity over time: {told['time_fit']} by {told['fit_per']}, points at {times} h")
    local = summary["local_deposition"]
    rows = [["structure", "mL", "mean Gy", "D95", "D70", "D50", "max", "error %", *(["local Gy"] if local else [])]]
    for name, figures in summary["structures"].items():
        keys = ("mean_gy", "d95_gy", "d70_gy", "d50_gy", "max_gy")
        error = figures["mean_uncertainty"]
        rows.append(
            [
                name,
                f"{figures['volume_ml']:.1f}",
                *(gy_text(figures[key]) for key in keys),
                "-" if error is None else f"{100 * error:.2f}",
                *([gy_text(local.get(name))] if local else []),
            ]
        )
    if len(rows) > 1:
        lines += ["", *text_table(rows)]
    lines += [f"\nnote: {note}" for note in summary["notes"]]
    return "\n".join(lines)


def _times(numbers: list[float]) -> str:
    return " x ".join(f"{number:.6g}" for number in numbers)
