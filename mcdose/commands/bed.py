"""`mcdose bed`: biologically effective dose of one or several treatments, as maps and by structure."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdose.commands.console import Console
from mcdose.commands.console_options import add_console_options
from mcdose.commands.inputs import as_input_error
from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.commands.bed_inputs import Course
    from mcdose.radiobiology import Tissue

MODEL = "BED = sum of D (1 + G D / (alpha/beta)), G = T_rep / (T_rep + T_half); EQD2 = BED / (1 + 2 Gy / (alpha/beta))"


def add_bed(commands: Any) -> None:
    """Add the command to the command line."""
    bed = commands.add_parser(
        "bed",
        help="biologically effective dose of a treatment, or of several",
        description="Compute BED and EQD2 of a permanent implant from absorbed dose, voxel by voxel and by structure. "
        "Several doses are several treatments, whose BED is added on the grid of the first. DOSE is a folder of "
        "results of mcdose dose, an RT Dose (PHYSICAL, Gy), NIfTI or MetaImage in Gy.",
    )
    bed.add_argument("dose", metavar="DOSE", nargs="*", help="absorbed dose of the whole decay")
    decay = bed.add_mutually_exclusive_group()
    decay.add_argument(
        "--nuclide", nargs="+", metavar="NAME", help="of all doses, or one for each (that of the results, or Y-90)"
    )
    decay.add_argument(
        "--half-life-h", nargs="+", type=_positive, metavar="H", help="effective half-life instead, likewise"
    )
    bed.add_argument("--tissue", metavar="NAME", help="published parameters: normal-liver or tumour")
    bed.add_argument("--alpha-beta", type=_positive, metavar="GY", help="of the tissue")
    bed.add_argument("--repair-half-time-h", type=_positive, metavar="H", help="of sublethal damage")
    bed.add_argument(
        "--uncertainty", nargs="+", metavar="PATH", help="relative uncertainty of each dose (that of the results)"
    )
    _add_several(bed)
    _add_structures(bed)
    bed.add_argument("-o", "--output", metavar="DIR", required=True, help="folder of results")
    bed.add_argument("--anonymize", action="store_true", help="no patient and no date in the DICOM files")
    bed.add_argument("--overwrite", action="store_true", help="replace the results in the folder")
    add_console_options(bed)
    bed.set_defaults(run=run_bed)


def _add_several(command: argparse.ArgumentParser) -> None:
    several = command.add_argument_group("several treatments")
    several.add_argument(
        "--registration",
        nargs="+",
        metavar="PATH",
        help="takes each dose after the first to the first, rigid; none for one that lies as its coordinates say",
    )
    several.add_argument(
        "--by-structure",
        action="store_true",
        help="add mean BED by the name of the structure, where doses cannot be registered: no maps",
    )
    several.add_argument(
        "--means", metavar="FILE", help="treatments of which only mean doses are known, TOML: no maps; radiobiology.md"
    )


def _add_structures(command: argparse.ArgumentParser) -> None:
    part = command.add_argument_group("by structure")
    part.add_argument(
        "--structures",
        nargs="+",
        metavar="PATH",
        help="RTSTRUCT, DICOM SEG or label map, on the first dose; with --by-structure also one for each",
    )
    part.add_argument("--liver", metavar="NAME", help="structure whose rest without --tumours is the normal liver")
    part.add_argument("--tumours", metavar="NAME", nargs="+", default=[], help="structures with parameters of tumour")
    part.add_argument(
        "--tumour-parameters",
        nargs=2,
        type=_positive,
        metavar=("ALPHA_BETA", "T_REP"),
        help="of --tumours [Gy, h] (those published as tumour)",
    )
    part.add_argument(
        "--alpha-per-gy", type=_positive, metavar="A", help="EUD and EUBED of --tumours, or of all without them"
    )
    part.add_argument("--clonogens-per-ml", type=_positive, metavar="N", help="TCP of the same; needs --alpha-per-gy")
    part.add_argument(
        "--ntcp", nargs="+", metavar="MODEL", default=[], help="of the normal liver; strigari-2010, dawson-2002 ..."
    )


def run_bed(args: argparse.Namespace) -> int:
    """Compute BED and EQD2, write the maps and print the figures."""
    from mcdose.commands.bed_inputs import read_course
    from mcdose.commands.bed_table import describe, figures_of
    from mcdose.effect_outputs import FILES
    from mcdose.io.folder import require_free
    from mcdose.outputs import to_json

    tissue, tumour = _tissue(args), _tumour(args)
    _check(args)
    folder = Path(args.output)
    require_free(folder, FILES, args.overwrite)
    with Console(verbose=args.verbose, silent=args.json) as console:
        course = read_course(args)
        console.show_held()
        with as_input_error():
            figures = figures_of(args, course, tissue, tumour)
        summary = _summary(args, course, tissue, tumour, figures, console.warnings)
        files = _write(args, folder, course, tissue, summary)
    if args.json:
        print(to_json(summary, ascii_only=True))
    else:
        print(describe(summary))
        print(f"\nwritten to {folder}: {', '.join(file.name for file in files)}")
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse arguments that do not go together before any file is opened."""
    from mcdose.radiobiology import complication_model

    count = len(args.dose)
    if not count and args.means is None:
        raise InputError("DOSE must be at least one, or --means FILE")
    if args.uncertainty is not None and len(args.uncertainty) != count:
        raise InputError(f"--uncertainty must name one for each dose, got {len(args.uncertainty)} for {count}")
    for name in ("nuclide", "half_life_h"):
        given = getattr(args, name)
        if given is not None and len(given) not in (1, count):
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option} must be one for all doses or one for each, got {len(given)} for {count}")
    for name in ("nuclide", "half_life_h", "structures", "alpha_per_gy"):
        if not count and getattr(args, name) is not None:
            raise InputError(f"--{name.replace('_', '-')} is of DOSE, which --means does without, and none was given")
    args.by_structure = args.by_structure or args.means is not None
    if args.registration is not None:
        if args.by_structure:
            raise InputError("--registration brings doses to one grid, which --by-structure and --means do without")
        if len(args.registration) != count - 1:
            raise InputError(
                f"--registration must name one for each dose after the first, or none, got {len(args.registration)} "
                f"for {count} dose{'s' if count > 1 else ''}"
            )
    drawn = len(args.structures or ())
    if drawn > 1 and not args.by_structure:
        raise InputError(f"--structures must be one file, on the first dose; got {drawn} without --by-structure")
    if args.by_structure and count and drawn not in (1, count):
        raise InputError(f"--structures must be one for all doses or one for each, got {drawn} for {count}")
    for name in ("liver", "tumours", "alpha_per_gy", "ntcp"):
        if getattr(args, name) and not drawn and args.means is None:
            raise InputError(f"--{name.replace('_', '-')} needs --structures")
    if args.clonogens_per_ml is not None and args.alpha_per_gy is None:
        raise InputError("--clonogens-per-ml needs --alpha-per-gy")
    if args.ntcp and args.liver is None:
        raise InputError("--ntcp needs --liver")
    if args.tumour_parameters is not None and not args.tumours:
        raise InputError("--tumour-parameters needs --tumours")
    with as_input_error():
        for name in args.ntcp:
            complication_model(name)


def _tissue(args: argparse.Namespace) -> Tissue:
    """Parameters by name, by number, or neither complete: then raise."""
    from mcdose.radiobiology import Tissue, tissue

    stated = (args.alpha_beta, args.repair_half_time_h)
    if args.tissue is not None:
        if stated != (None, None):
            raise InputError("--tissue brings --alpha-beta and --repair-half-time-h, so it cannot go with either")
        with as_input_error():
            return tissue(args.tissue)
    if None in stated:
        raise InputError("--alpha-beta and --repair-half-time-h must both be given, or --tissue normal-liver or tumour")
    return Tissue("as given", *stated, "the command line")


def _tumour(args: argparse.Namespace) -> Tissue:
    """Parameters of the structures that are tumours."""
    from mcdose.radiobiology import Tissue, tissue

    if args.tumour_parameters is None:
        return tissue("tumour")
    alpha_beta_gy, repair_half_time_h = args.tumour_parameters
    return Tissue("tumour as given", alpha_beta_gy, repair_half_time_h, "the command line")


def _summary(
    args: argparse.Namespace,
    course: Course,
    tissue: Tissue,
    tumour: Tissue,
    figures: dict[str, dict[str, Any]],
    warnings: list[str],
) -> dict[str, Any]:
    from dataclasses import asdict

    from mcdose import __version__
    from mcdose.radiobiology import complication_model, lea_catcheside

    grid = course.grid
    return {
        "mcdose_version": __version__,
        "model": MODEL,
        "tissue": tissue.name,
        "alpha_beta_gy": tissue.alpha_beta_gy,
        "repair_half_time_h": tissue.repair_half_time_h,
        "parameters_from": tissue.source,
        "tumour": asdict(tumour) if args.tumours else None,
        "alpha_per_gy": args.alpha_per_gy,
        "clonogens_per_ml": args.clonogens_per_ml,
        "complications": [asdict(complication_model(name)) for name in args.ntcp],
        "added_by": "structure" if args.by_structure else "voxel",
        "treatments": [
            {
                "dose": one.name,
                "nuclide": one.nuclide,
                "half_life_h": one.half_life_h,
                "lea_catcheside": lea_catcheside(one.half_life_h, tissue.repair_half_time_h),
                "registration": None if one.dose is None else one.dose.registration,
                "resampled": one.resampled,
            }
            for one in course.treatments
        ],
        "structures_from": None if not args.structures else " ".join(map(str, args.structures)),
        "shape": None if grid is None else list(grid.shape),
        "voxel_mm": None if grid is None else list(grid.voxel_mm),
        "max_bed_gy": None if grid is None else float(course.effect(tissue).bed_gy.max()),
        "structures": figures,
        "warnings": list(dict.fromkeys(warnings)),
    }


def _write(
    args: argparse.Namespace, folder: Path, course: Course, tissue: Tissue, summary: dict[str, Any]
) -> list[Path]:
    """Write the maps and the summary, or the summary alone where nothing was added voxel by voxel."""
    from mcdose.effect_outputs import FILES, write_effect
    from mcdose.io.folder import whole_folder
    from mcdose.io.study import study_header
    from mcdose.outputs import write_json

    if course.grid is None:
        with whole_folder(folder, FILES, args.overwrite) as part:
            write_json(part / "bed.json", summary)
        return [folder / "bed.json"]
    return write_effect(
        folder,
        course.effect(tissue),
        course.grid,
        course.series,
        alpha_beta_gy=tissue.alpha_beta_gy,
        repair_half_time_h=tissue.repair_half_time_h,
        treatments=len(course.treatments),
        summary=summary,
        study=study_header(course.series, anonymize=args.anonymize),
        overwrite=args.overwrite,
    )


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text!r}")
    return value
