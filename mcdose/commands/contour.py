"""`mcdose contour`: a region by count on SPECT or PET, as SEG and NIfTI."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

from mcdose.commands.console import Console
from mcdose.commands.console_options import add_console_options
from mcdose.commands.inputs import as_input_error
from mcdose.errors import InputError

FILES = ("contour.dcm", "contour.nii.gz", "contour.json")
NEEDS = {  # what each method takes besides the image
    "percent": ("percent",),
    "background": ("percent", "background", "background_in"),
    "iterative": (),
    "volume": ("volume_ml",),
    "value": ("threshold",),
}
USUAL_PERCENT = 42.0


def add_contour(commands: Any) -> None:
    """Add the command to the command line."""
    contour = commands.add_parser(
        "contour",
        help="a region by count on SPECT or PET",
        description="Draw an isocontour on an image in counts, activity or SUV: the voxels at or above a threshold. "
        "IMAGE is a folder with a DICOM PET or NM series, a multi-frame DICOM file, NIfTI or MetaImage.",
    )
    contour.add_argument("image", metavar="IMAGE")
    contour.add_argument("--image-series", metavar="UID", help="DICOM series, where the folder holds several")
    contour.add_argument(
        "--method",
        choices=tuple(NEEDS),
        default="percent",
        help="percent of the maximum; percent of the way from background to maximum; half way between the means inside "
        "and outside; the threshold that gives a volume; a value (%(default)s)",
    )
    contour.add_argument("--percent", type=_percent, metavar="P", help="of percent and background (42)")
    contour.add_argument("--background", type=_real, metavar="B", help="in the image's unit")
    contour.add_argument("--background-in", metavar="NAME", help="structure whose mean is the background")
    contour.add_argument("--volume-ml", type=_positive, metavar="V", help="of --method volume")
    contour.add_argument("--threshold", type=_real, metavar="T", help="of --method value, in the image's unit")
    contour.add_argument("--structures", metavar="PATH", help="RTSTRUCT, DICOM SEG or label map")
    contour.add_argument("--within", metavar="NAME", help="structure that the region lies in, such as the liver")
    contour.add_argument(
        "--smallest-ml", type=_positive, metavar="V", help="remove connected parts below this volume (none)"
    )
    contour.add_argument("--fill-holes", action="store_true", help="add what is wholly enclosed")
    contour.add_argument("--name", default="contour", help="of the segment (%(default)s)")
    contour.add_argument("--resample", action="store_true", help="make even stacks of tilted or uneven slices")
    contour.add_argument("-o", "--output", metavar="DIR", required=True, help="folder of results")
    contour.add_argument("--anonymize", action="store_true", help="no patient and no date in the DICOM file")
    contour.add_argument("--overwrite", action="store_true", help="replace the results in the folder")
    add_console_options(contour)
    contour.set_defaults(run=run_contour)


def run_contour(args: argparse.Namespace) -> int:
    """Draw the contour, write it and print its figures."""
    from mcdose.io.counts_image import read_counts_image
    from mcdose.io.folder import require_free
    from mcdose.io.structures import read_structures
    from mcdose.isocontour import isocontour
    from mcdose.outputs import to_json

    _check_arguments(args)
    folder = Path(args.output)
    require_free(folder, FILES, args.overwrite)
    with Console(verbose=args.verbose, silent=args.json) as console:
        image = read_counts_image(args.image, series_uid=args.image_series, resample=args.resample)
        grid, values = image.volume.grid, image.volume.values
        structures: dict[str, Any] = {}
        if args.structures is not None:
            frame = image.series.frame_of_reference_uid if image.series else None
            structures = read_structures(args.structures, grid, frame_of_reference_uid=frame)
        region = _structure(structures, args.within)
        background = _background(args, values, structures)
        console.show_held()
        with as_input_error():
            threshold = _threshold(args, values, region, background, grid.voxel_mm)
            found = isocontour(
                values,
                threshold,
                grid.voxel_mm,
                region,
                smallest_ml=args.smallest_ml or 0.0,
                fill_holes=args.fill_holes,
            )
        summary = _summary(args, image, found, region, background, console.warnings)
        files = _write(folder, found, image, summary, args)
    if args.json:
        print(to_json(summary, ascii_only=True))
    else:
        print(_report(summary))
        print(f"\nwritten to {folder}: {', '.join(file.name for file in files)}")
    return 0


def _check_arguments(args: argparse.Namespace) -> None:
    """Refuse arguments that do not go together before any file is opened."""
    for name in sorted({name for names in NEEDS.values() for name in names}):
        if getattr(args, name) is not None and name not in NEEDS[args.method]:
            methods = " or ".join(method for method, names in NEEDS.items() if name in names)
            raise InputError(f"--{name.replace('_', '-')} goes with --method {methods}, got --method {args.method}")
    if args.method == "background" and (args.background is None) == (args.background_in is None):
        raise InputError("--method background needs one of --background and --background-in")
    for method, name in (("volume", "volume_ml"), ("value", "threshold")):
        if args.method == method and getattr(args, name) is None:
            raise InputError(f"--method {method} needs --{name.replace('_', '-')}")
    for name in ("within", "background_in"):
        if getattr(args, name) is not None and args.structures is None:
            raise InputError(f"--{name.replace('_', '-')} {getattr(args, name)} needs --structures")
    if args.structures is not None and args.within is None and args.background_in is None:
        raise InputError("--structures needs --within or --background-in, which name one of them")
    if not 0 < len(args.name) <= 64 or not args.name.isprintable() or "\\" in args.name:
        raise InputError(f"--name must be 1 to 64 printable characters without a backslash, got {args.name!r}")


def _structure(structures: dict[str, Any], name: str | None) -> Any:
    if name is not None and name not in structures:
        raise InputError(f"structures hold no {name!r}, those there are {', '.join(structures)}")
    return None if name is None else structures[name]


def _background(args: argparse.Namespace, values: Any, structures: dict[str, Any]) -> float | None:
    """Background as given, or the mean of a structure by its coverage."""
    import numpy as np

    if args.background_in is None:
        given: float | None = args.background
        return given
    return float(np.average(values, weights=_structure(structures, args.background_in)))


def _threshold(args: argparse.Namespace, values: Any, region: Any, background: float | None, voxel_mm: Any) -> float:
    from mcdose.isocontour import background_threshold, fixed_threshold, iterative_threshold, volume_threshold

    fraction = (USUAL_PERCENT if args.percent is None else args.percent) / 100.0
    if args.method == "percent":
        return fixed_threshold(values, fraction, region)
    if args.method == "background" and background is not None:
        return background_threshold(values, background, fraction, region)
    if args.method == "iterative":
        return iterative_threshold(values, region)
    if args.method == "volume":
        return volume_threshold(values, args.volume_ml, voxel_mm, region)
    return float(args.threshold)


def _summary(
    args: argparse.Namespace, image: Any, found: Any, region: Any, background: float | None, warnings: list[str]
) -> dict[str, Any]:
    import numpy as np

    from mcdose import __version__

    grid, values = image.volume.grid, image.volume.values
    covered_ml = None if region is None else float(region.sum(dtype=np.float64)) * grid.voxel_ml
    largest = float(values.max() if region is None else values[region >= 0.5].max())
    total = float((values if region is None else values * region).sum())
    return {
        "mcdose_version": __version__,
        "image": str(args.image),
        "method": args.method,
        "algorithm": _algorithm(args),
        "threshold": found.threshold,
        "largest": largest,
        "threshold_of_largest": found.threshold / largest if largest > 0 else None,
        "background": background,
        "name": args.name,
        "voxels": int(np.count_nonzero(found.mask)),
        "volume_ml": float(np.count_nonzero(found.mask)) * grid.voxel_ml,
        "volume_by_coverage_ml": found.volume_ml,
        "mean": float(np.average(values, weights=found.coverage)),
        "share_of_counts": float((values * found.coverage).sum()) / total if total > 0 else None,
        "within": args.within,
        "within_ml": covered_ml,
        "share_of_within": None if covered_ml is None else found.volume_ml / covered_ml,
        "parts_removed": found.removed,
        "holes_filled_ml": found.filled_ml,
        "structures_from": None if args.structures is None else str(args.structures),
        "shape": list(grid.shape),
        "voxel_mm": list(grid.voxel_mm),
        "warnings": list(warnings),
    }


def _algorithm(args: argparse.Namespace) -> str:
    """Say in the 64 characters of SegmentAlgorithmName how the region was found."""
    percent = USUAL_PERCENT if args.percent is None else args.percent
    return {
        "percent": f"isocontour at {percent:g} % of the maximum",
        "background": f"isocontour at {percent:g} % from background to maximum",
        "iterative": "isocontour half way between means inside and outside",
        "volume": f"isocontour of {args.volume_ml or 0:.6g} mL",
        "value": f"isocontour at {args.threshold or 0:.6g}",
    }[args.method]


def _write(folder: Path, found: Any, image: Any, summary: dict[str, Any], args: argparse.Namespace) -> list[Path]:
    import numpy as np

    from mcdose.io.folder import whole_folder
    from mcdose.io.nifti import write_nifti
    from mcdose.io.study import study_header
    from mcdose.io.write_segmentation import write_segmentation
    from mcdose.outputs import write_json

    grid = image.volume.grid
    with whole_folder(folder, FILES, args.overwrite) as part, as_input_error():
        write_segmentation(
            part / "contour.dcm",
            {args.name: found.mask},
            grid,
            image.series,
            algorithm=summary["algorithm"],
            description="Isocontour",
            study=study_header(image.series, anonymize=args.anonymize),
        )
        write_nifti(part / "contour.nii.gz", found.mask.astype(np.float32), grid, description=summary["algorithm"])
        write_json(part / "contour.json", summary)
    return [folder / name for name in FILES]


def _report(summary: dict[str, Any]) -> str:
    share = summary["threshold_of_largest"]
    lines = [
        f"{summary['algorithm']}: threshold {summary['threshold']:.6g}"
        + ("" if share is None else f", {100 * share:.1f} % of the largest value {summary['largest']:.6g}"),
        f"{summary['name']}: {summary['volume_ml']:.2f} mL in {summary['voxels']} voxels, mean {summary['mean']:.6g}"
        + ("" if summary["share_of_counts"] is None else f", {100 * summary['share_of_counts']:.1f} % of the counts"),
    ]
    if summary["within"] is not None:
        lines.append(f"{100 * summary['share_of_within']:.1f} % of {summary['within']} ({summary['within_ml']:.1f} mL)")
    if summary["parts_removed"] or summary["holes_filled_ml"]:
        lines.append(
            f"{summary['parts_removed']} small parts removed, {summary['holes_filled_ml']:.2f} mL of holes filled"
        )
    return "\n".join(lines)


def _real(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be a finite number, got {text!r}")
    return value


def _positive(text: str) -> float:
    try:
        value = _real(text)
    except argparse.ArgumentTypeError:
        value = 0.0
    if not value > 0.0:
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text!r}")
    return value


def _percent(text: str) -> float:
    try:
        value = _real(text)
    except argparse.ArgumentTypeError:
        value = 0.0
    if not 0.0 < value < 100.0:
        raise argparse.ArgumentTypeError(f"must be a percentage between 0 and 100, got {text!r}")
    return value
