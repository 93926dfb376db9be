"""`mcdose bed`: biologically effective dose of one or several dose maps."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdose.commands.console import Console
from mcdose.commands.console_options import add_console_options
from mcdose.commands.inputs import as_input_error
from mcdose.commands.tables import gy_text, text_table
from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.io.series import Image
    from mcdose.radiobiology import Tissue, Treatment

MODEL = "BED = sum of D (1 + G D / (alpha/beta)), G = T_rep / (T_rep + T_half); EQD2 = BED / (1 + 2 Gy / (alpha/beta))"


def add_bed(commands: Any) -> None:
    """Add the command to the command line."""
    bed = commands.add_parser(
        "bed",
        help="biologically effective dose of a dose map, or of several treatments",
        description="Compute BED and EQD2 of a permanent implant from absorbed dose, voxel by voxel. Several doses are "
        "several treatments on one grid, whose BED is added. DOSE is an RT Dose (PHYSICAL, Gy), NIfTI or MetaImage in "
        "Gy.",
    )
    bed.add_argument("dose", metavar="DOSE", nargs="+", help="absorbed dose of the whole decay")
    decay = bed.add_mutually_exclusive_group()
    decay.add_argument("--nuclide", nargs="+", metavar="NAME", help="of all doses, or one for each (Y-90)")
    decay.add_argument(
        "--half-life-h", nargs="+", type=_positive, metavar="H", help="effective half-life instead, likewise"
    )
    bed.add_argument("--tissue", metavar="NAME", help="published parameters: normal-liver or tumour")
    bed.add_argument("--alpha-beta", type=_positive, metavar="GY", help="of the tissue")
    bed.add_argument("--repair-half-time-h", type=_positive, metavar="H", help="of sublethal damage")
    bed.add_argument(
        "--uncertainty", nargs="+", metavar="PATH", help="relative uncertainty of each dose (uncertainty.nii.gz)"
    )
    bed.add_argument("--structures", metavar="PATH", help="RTSTRUCT, DICOM SEG or label map")
    bed.add_argument("-o", "--output", metavar="DIR", required=True, help="folder of results")
    bed.add_argument("--anonymize", action="store_true", help="no patient and no date in the DICOM files")
    bed.add_argument("--overwrite", action="store_true", help="replace the results in the folder")
    add_console_options(bed)
    bed.set_defaults(run=run_bed)


def run_bed(args: argparse.Namespace) -> int:
    """Compute BED and EQD2, write the maps and print the figures."""
    from mcdose.effect_outputs import FILES, write_effect
    from mcdose.io.folder import require_free
    from mcdose.io.structures import read_structures
    from mcdose.io.study import study_header
    from mcdose.outputs import to_json
    from mcdose.radiobiology import cumulative_bed

    tissue = _tissue(args)
    half_lives_h = _half_lives(args)
    if args.uncertainty is not None and len(args.uncertainty) != len(args.dose):
        raise InputError(f"--uncertainty must name one for each dose, got {len(args.uncertainty)} for {len(args.dose)}")
    folder = Path(args.output)
    require_free(folder, FILES, args.overwrite)
    with Console(verbose=args.verbose, silent=args.json) as console:
        images = _images(args.dose)
        first = images[0]
        grid = first.volume.grid
        structures: dict[str, Any] = {}
        if args.structures is not None:
            frame = next((i.series.frame_of_reference_uid for i in images if i.series), None)
            structures = read_structures(args.structures, grid, frame_of_reference_uid=frame)
        treatments = _treatments(images, half_lives_h, args.uncertainty)
        console.show_held()
        with as_input_error():
            effect = cumulative_bed(
                treatments, alpha_beta_gy=tissue.alpha_beta_gy, repair_half_time_h=tissue.repair_half_time_h
            )
        summary = _summary(args, tissue, treatments, structures, effect.bed_gy, grid, console.warnings)
        series = next((image.series for image in images if image.series), None)
        files = write_effect(
            folder,
            effect,
            grid,
            series,
            alpha_beta_gy=tissue.alpha_beta_gy,
            repair_half_time_h=tissue.repair_half_time_h,
            treatments=len(treatments),
            summary=summary,
            study=study_header(series, anonymize=args.anonymize),
            overwrite=args.overwrite,
        )
    if args.json:
        print(to_json(summary, ascii_only=True))
    else:
        print(_report(summary))
        print(f"\nwritten to {folder}: {', '.join(file.name for file in files)}")
    return 0


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


def _half_lives(args: argparse.Namespace) -> list[float]:
    """Half-life of each dose [h]."""
    from mcdose.nuclides import nuclide

    if args.half_life_h is not None:
        stated = list(args.half_life_h)
    else:
        with as_input_error():
            stated = [nuclide(name).half_life_s / 3600.0 for name in args.nuclide or ["Y-90"]]
    if len(stated) == 1:
        stated *= len(args.dose)
    if len(stated) != len(args.dose):
        option = "--nuclide" if args.half_life_h is None else "--half-life-h"
        raise InputError(f"{option} must be one for all doses or one for each, got {len(stated)} for {len(args.dose)}")
    return stated


def _images(paths: list[str]) -> list[Image]:
    """Read the doses, which must be on one grid and in one frame of reference."""
    from mcdose.io.dose_map import read_dose, require_same_grid

    images = [read_dose(path) for path in paths]
    for path, image in zip(paths[1:], images[1:], strict=True):
        require_same_grid(path, image.volume.grid, images[0].volume.grid)
    for keyword in ("FrameOfReferenceUID", "PatientID"):
        stated = {str(image.series.header.get(keyword) or "") for image in images if image.series} - {""}
        if len(stated) > 1:
            raise InputError(
                f"{', '.join(paths)}: doses that are added must share their {keyword}, got {', '.join(sorted(stated))}"
            )
    return images


def _treatments(images: list[Image], half_lives_h: list[float], uncertainty: list[str] | None) -> list[Treatment]:
    from mcdose.io.dose_map import read_relative_uncertainty
    from mcdose.radiobiology import Treatment

    grid = images[0].volume.grid
    errors: list[Any] = [None] * len(images)
    if uncertainty is not None:
        errors = [read_relative_uncertainty(path, grid).values for path in uncertainty]
    return [
        Treatment(image.volume.values, half_life_h, error)
        for image, half_life_h, error in zip(images, half_lives_h, errors, strict=True)
    ]


def _summary(
    args: argparse.Namespace,
    tissue: Tissue,
    treatments: list[Treatment],
    structures: dict[str, Any],
    bed_gy: Any,
    grid: Any,
    warnings: list[str],
) -> dict[str, Any]:
    import numpy as np

    from mcdose import __version__
    from mcdose.radiobiology import eqd2, lea_catcheside
    from mcdose.summary import structure_curves

    scored = np.ones(grid.shape, dtype=bool)  # a dose map does not say where it is below the density floor
    doses = [structure_curves(np.asarray(one.dose_gy), structures, scored, grid.voxel_mm) for one in treatments]
    figures = {}
    for name, curve in structure_curves(bed_gy, structures, scored, grid.voxel_mm).items():
        figures[name] = {
            "volume_ml": float(structures[name].sum(dtype=np.float64)) * grid.voxel_ml,
            "mean_doses_gy": [curves[name].mean_gy for curves in doses],
            "mean_bed_gy": curve.mean_gy,
            "d95_bed_gy": curve.d(95),
            "d50_bed_gy": curve.d(50),
            "max_bed_gy": curve.max_gy,
            "mean_eqd2_gy": float(eqd2(curve.mean_gy, tissue.alpha_beta_gy)),
            "mean_noise_bias_gy": _mean_bias(treatments, tissue, structures[name]),
        }
    return {
        "mcdose_version": __version__,
        "model": MODEL,
        "tissue": tissue.name,
        "alpha_beta_gy": tissue.alpha_beta_gy,
        "repair_half_time_h": tissue.repair_half_time_h,
        "parameters_from": tissue.source,
        "treatments": [
            {
                "dose": str(path),
                "half_life_h": one.half_life_h,
                "lea_catcheside": lea_catcheside(one.half_life_h, tissue.repair_half_time_h),
            }
            for path, one in zip(args.dose, treatments, strict=True)
        ],
        "structures_from": None if args.structures is None else str(args.structures),
        "shape": list(grid.shape),
        "voxel_mm": list(grid.voxel_mm),
        "max_bed_gy": float(bed_gy.max()),
        "structures": figures,
        "warnings": list(warnings),
    }


def _mean_bias(treatments: list[Treatment], tissue: Tissue, coverage: Any) -> float | None:
    """By how much noise raises the mean BED of a structure [Gy]; None where the noise of a dose is not known."""
    import numpy as np

    from mcdose.radiobiology import bed_noise_bias

    total = 0.0
    inside = coverage > 0
    for one in treatments:
        if one.relative_uncertainty is None:
            return None
        bias = bed_noise_bias(
            np.asarray(one.dose_gy)[inside],
            np.nan_to_num(np.asarray(one.relative_uncertainty)[inside], nan=0.0),
            half_life_h=one.half_life_h,
            alpha_beta_gy=tissue.alpha_beta_gy,
            repair_half_time_h=tissue.repair_half_time_h,
        )
        total += float(np.average(bias, weights=coverage[inside]))
    return total


def _report(summary: dict[str, Any]) -> str:
    lines = [
        f"{summary['model']}",
        f"alpha/beta {summary['alpha_beta_gy']:g} Gy, T_rep {summary['repair_half_time_h']:g} h "
        f"({summary['tissue']}; {summary['parameters_from']})",
    ]
    lines += [
        f"{one['dose']}: half-life {one['half_life_h']:.4g} h, G {one['lea_catcheside']:.5f}"
        for one in summary["treatments"]
    ]
    rows = [["structure", "mL", "mean dose Gy", "mean BED Gy", "D95 BED", "max BED", "mean EQD2 Gy"]]
    for name, figures in summary["structures"].items():
        doses = " + ".join(gy_text(dose) for dose in figures["mean_doses_gy"])
        keys = ("mean_bed_gy", "d95_bed_gy", "max_bed_gy", "mean_eqd2_gy")
        rows.append([name, f"{figures['volume_ml']:.1f}", doses, *(gy_text(figures[key]) for key in keys)])
    if len(rows) > 1:
        lines += ["", *text_table(rows)]
    biases = [f["mean_noise_bias_gy"] for f in summary["structures"].values() if f["mean_noise_bias_gy"] is not None]
    if biases:
        lines += ["", f"note: noise of the dose raises the mean BED by up to {max(biases):.2g} Gy (bed.json)"]
    return "\n".join(lines)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text!r}")
    return value
