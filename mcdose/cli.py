"""The command line; `mcdose --help` lists its commands.

Exit codes: 0 done; 2 bad arguments, bad input or an output that exists; 130 interrupted; 1 a defect in mcdose.
Heavy libraries are imported by the commands, so that `mcdose --help` answers at once.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import traceback
from typing import NoReturn

from mcdose import __version__
from mcdose.commands.console_options import add_console_options
from mcdose.errors import Cancelled, InputError

DONE, DEFECT, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
SEEDS = 2**64


class UsageError(ValueError):
    """The command line cannot be understood."""


class Parser(argparse.ArgumentParser):
    """A parser that raises instead of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message}; {self.prog} --help explains")


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code."""
    argv = sys.argv[1:] if argv is None else argv
    debug = "--debug" in argv
    if hasattr(sys.stdout, "reconfigure"):  # names of structures that the terminal cannot show are no defect
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        args = parser().parse_args(argv)
        from mcdose.io.quiet import quiet_libraries

        with quiet_libraries():
            code: int = args.run(args)
        sys.stdout.flush()
        return code
    except SystemExit as leave:  # --help and --version
        return int(leave.code or 0)
    except (KeyboardInterrupt, Cancelled) as stop:
        _say(f"interrupted; {stop}" if str(stop) else "interrupted; nothing was written", debug)
        return INTERRUPTED
    except BrokenPipeError:  # whoever read the figures has gone; the files are written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (UsageError, InputError, OSError, MemoryError) as error:
        _say(f"error: {_one_line(error)}", debug)
        return BAD_INPUT
    except Exception as error:
        _say(f"defect: {type(error).__name__}: {_one_line(error)}; please report it with the output of --debug", debug)
        return DEFECT


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _say(message: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    print(f"mcdose: {message}", file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """Build the parser of the whole command line."""
    top = Parser(
        prog="mcdose",
        description="Monte Carlo absorbed dose for radionuclide therapy. Research software, not a medical device.",
    )
    top.add_argument("--version", action="version", version=f"mcdose {__version__}")
    from mcdose.commands.bed import add_bed
    from mcdose.commands.contour import add_contour

    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    _add_demo(commands)
    _add_dose(commands)
    _add_compare(commands)
    _add_plan(commands)
    _add_kernel(commands)
    _add_bench(commands)
    _add_doctor(commands)
    add_bed(commands)
    add_contour(commands)
    return top


def _add_demo(commands: argparse._SubParsersAction[Parser]) -> None:
    from mcdose.commands.dose import run_demo
    from mcdose.commands.treatment import add_treatment_options

    demo = commands.add_parser(
        "demo",
        help="dose in the phantom that mcdose brings along",
        description="Compute the dose in a phantom: liver with two tumours, lungs, spine; 2 GBq of Y-90.",
    )
    demo.add_argument("-o", "--output", metavar="DIR", default="mcdose-demo", help="folder of results (%(default)s)")
    _add_method_options(demo)
    _add_run_options(demo, "4e6")
    _add_map_option(demo)
    add_treatment_options(demo)
    demo.set_defaults(run=run_demo, dvh_in_rtdose=False, anonymize=False)


def _add_dose(commands: argparse._SubParsersAction[Parser]) -> None:
    from mcdose.commands.dose import run_dose
    from mcdose.commands.treatment import add_treatment_options

    dose = commands.add_parser(
        "dose",
        help="dose in a patient from activity and CT",
        description="Compute the dose from an activity image and a CT. PATH is a folder with a DICOM series, a "
        "multi-frame DICOM file, NIfTI (.nii, .nii.gz) or MetaImage (.mha, .mhd). The dose grid is the "
        "activity's unless --dose-grid says otherwise.",
    )
    _add_images(dose, required=True)
    dose.add_argument("-o", "--output", metavar="DIR", required=True, help="folder of results")
    _add_method_options(dose)
    _add_run_options(dose, "1e7")
    _add_map_option(dose)
    dose.add_argument(
        "--dvh-in-rtdose", action="store_true", help="histograms in dose.dcm as well; structures must be an RTSTRUCT"
    )
    dose.add_argument(
        "--anonymize", action="store_true", help="no patient, no date and no reference to the images in DICOM files"
    )
    add_treatment_options(dose)
    dose.set_defaults(run=run_dose)


def _add_map_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--parametric-map", action="store_true", help="dose and uncertainty as DICOM Parametric Maps as well"
    )


def _add_images(command: argparse.ArgumentParser, *, required: bool) -> None:
    command.add_argument(
        "--activity",
        metavar="PATH",
        nargs="+",
        required=required,
        help="PET, SPECT, or activity at administration; several are time points of one administration",
    )
    command.add_argument("--ct", metavar="PATH", required=required, help="CT in HU")
    command.add_argument(
        "--activity-series",
        metavar="UID",
        nargs="+",
        help="DICOM series of the activity, where its folder holds several; one for each time point",
    )
    command.add_argument("--ct-series", metavar="UID", help="DICOM series of the CT, where its folder holds several")
    command.add_argument("--structures", metavar="PATH", help="RTSTRUCT, DICOM SEG or label map")
    command.add_argument(
        "--activity-unit", choices=("Bq", "Bq/mL"), help="of a NIfTI or MetaImage activity; Bq is per voxel (Bq/mL)"
    )
    command.add_argument(
        "--dose-grid",
        type=_dose_grid,
        default="activity",
        metavar="GRID",
        help="activity, ct, or sides of voxels in mm along z, y, x, such as 3 or 5,2,2 (%(default)s)",
    )
    command.add_argument(
        "--resample", action="store_true", help="make even stacks of slices that are tilted, unevenly spaced or missing"
    )
    command.add_argument(
        "--registration",
        metavar="PATH",
        help="takes the activity image to the CT: DICOM REG, ITK transform, or text with a 4 x 4 matrix in LPS mm",
    )
    _add_times(command)
    _add_counts(command)


def _add_times(command: argparse.ArgumentParser) -> None:
    times = command.add_argument_group("several time points", "the first image gives the grid")
    times.add_argument(
        "--time-fit",
        choices=("physical", "mono", "bi"),
        default="physical",
        help="activity stays and decays, or one or two exponentials of at least 2 and 4 points (%(default)s)",
    )
    times.add_argument(
        "--fit-per",
        choices=("voxel", "structure"),
        default="voxel",
        help="a curve for each voxel, or for each structure, shared by its voxels (%(default)s)",
    )


def _add_counts(command: argparse.ArgumentParser) -> None:
    counts = command.add_argument_group("images in counts", "one of --sensitivity and --administered-gbq is needed")
    counts.add_argument(
        "--sensitivity", type=_positive, metavar="CPS_PER_MBQ", help="of the SPECT, all detectors: counts/(s MBq)"
    )
    counts.add_argument(
        "--administered-gbq",
        type=_positive,
        metavar="A",
        help="scale the counts so that they are this activity, less residual and lung shunt, at administration",
    )
    counts.add_argument(
        "--lung-shunt",
        type=_shunt,
        default=0.0,
        metavar="F",
        help="part of it in the lungs, where the counts that are scaled do not have them (0)",
    )
    counts.add_argument(
        "--residual-gbq", type=_residual, default=0.0, metavar="R", help="part of it that was not given (0)"
    )
    counts.add_argument("--counts-in", metavar="NAME", help="structure whose counts are scaled (the whole image)")


def _add_compare(commands: argparse._SubParsersAction[Parser]) -> None:
    from mcdose.commands.compare import run_compare

    compare = commands.add_parser(
        "compare",
        help="Monte Carlo, convolution and local deposition on one case",
        description="Compute the dose by Monte Carlo, by convolution with voxel S values and by local deposition, and "
        "show where and by how much they differ. Images as for mcdose dose.",
    )
    _add_images(compare, required=False)
    compare.add_argument("--demo", action="store_true", help="the phantom that mcdose brings along, instead of images")
    compare.add_argument("-o", "--output", metavar="DIR", required=True, help="folder of results")
    compare.add_argument(
        "--gamma",
        type=_positive,
        nargs=2,
        default=(1.0, 1.0),
        metavar=("PERCENT", "MM"),
        help="criteria of the gamma index (1 1)",
    )
    compare.add_argument(
        "--gamma-threshold",
        type=_fraction,
        default=0.1,
        metavar="F",
        help="gamma judges voxels above this part of the largest dose (%(default)s)",
    )
    _add_constant(compare)
    compare.add_argument("--kernel-medium", metavar="NAME", help="of the voxel kernels (soft-tissue)")
    _add_run_options(compare, "1e7, 4e6 with --demo")
    compare.set_defaults(run=run_compare)


def _add_plan(commands: argparse._SubParsersAction[Parser]) -> None:
    from mcdose.commands.plan_options import add_plan_kinds

    plan = commands.add_parser(
        "plan",
        help="activity from doses, doses from activity, limits",
        description="Activity that gives a dose, doses that an activity gives, and what guidelines ask. Research "
        "software: it informs and does not prescribe.",
    )
    kinds = plan.add_subparsers(dest="kind", required=True, metavar="KIND", parser_class=Parser)
    add_plan_kinds(kinds)
    _add_plan_voxel(kinds)


def _add_plan_voxel(kinds: argparse._SubParsersAction[Parser]) -> None:
    from mcdose.commands.plan_voxel import run_voxel_plan
    from mcdose.commands.treatment import add_treatment_options

    voxel = kinds.add_parser(
        "voxel",
        help="compartments beside the dose map of a patient",
        description="Compute the dose in a patient as mcdose dose does, and show tumours and normal liver by voxels "
        "and by compartments, with limits and uncertainty; with -o, write all that mcdose dose writes.",
    )
    _add_images(voxel, required=False)
    voxel.add_argument("--demo", action="store_true", help="the phantom that mcdose brings along, instead of images")
    voxel.add_argument("-o", "--output", metavar="DIR", help="folder of results, report.html among them (none)")
    add_treatment_options(voxel, "treatment")
    _add_method_options(voxel)
    _add_run_options(voxel, "1e7, 4e6 with --demo")
    _add_map_option(voxel)
    voxel.set_defaults(run=run_voxel_plan, dvh_in_rtdose=False, anonymize=False)


def _add_kernel(commands: argparse._SubParsersAction[Parser]) -> None:
    from mcdose.commands.kernel import run_point, run_voxel, shell_edges

    kernel = commands.add_parser(
        "kernel", help="make a dose kernel", description="Make a dose kernel of a uniform medium."
    )
    kinds = kernel.add_subparsers(dest="kind", required=True, metavar="KIND", parser_class=Parser)
    point = kinds.add_parser(
        "point",
        help="energy in spherical shells around a point source",
        description="Simulate the energy that a point source leaves in spherical shells of an unbounded medium. "
        "Histories are run in pieces of 2^20 that are kept in the user's cache until the kernel is written: after "
        "Ctrl-C the same command goes on where it was.",
    )
    point.add_argument(
        "source",
        metavar="SOURCE",
        help="nuclide, such as Y-90, or energy of electrons in MeV (0.01 to 3, validated from 0.05)",
    )
    point.add_argument(
        "--shells-mm",
        type=shell_edges,
        metavar="STEP:END[,STEP:END...]",
        help="such as 0.1:12,2:120, every 0.1 mm to 12 mm, then every 2 mm to 120 mm "
        "(120 shells to 1.2 ranges, then 60 in equal ratios to 2 m)",
    )
    _add_kernel_options(point, "rounded up to batches of 4096 (1e6)")
    point.set_defaults(run=run_point)
    voxel = kinds.add_parser(
        "voxel",
        help="S values around a voxel",
        description="Make the S values of the voxels around one source voxel, from the point kernel or by direct "
        "simulation. A point kernel that must be simulated goes on after Ctrl-C like that of `mcdose kernel point`; "
        "a run of --method monte-carlo that is stopped starts anew.",
    )
    voxel.add_argument("--nuclide", default="Y-90", help="(%(default)s)")
    voxel.add_argument(
        "--voxel-mm",
        type=_positive,
        nargs="+",
        required=True,
        metavar="MM",
        help="sides along z, y, x, or one number for a cube",
    )
    voxel.add_argument(
        "--method", choices=("point-kernel", "monte-carlo"), default="point-kernel", help="(%(default)s)"
    )
    voxel.add_argument(
        "--radius-mm", type=_positive, metavar="R", help="how far the array reaches at least (1.2 ranges)"
    )
    _add_kernel_options(
        voxel, "of the point kernel (the library's, or 1e6 where it has none), or of --method monte-carlo (1e7)"
    )
    voxel.set_defaults(run=run_voxel)


def _add_kernel_options(command: argparse.ArgumentParser, histories: str) -> None:
    command.add_argument("--medium", default="water", help="(%(default)s)")
    command.add_argument("--density", type=_density, metavar="G_CM3", help="g/cm3 (the medium's own)")
    command.add_argument("--histories", type=_histories, metavar="N", help=f"decays to simulate, {histories}")
    command.add_argument("-o", "--output", metavar="FILE.h5", required=True, help="the kernel, HDF5")
    command.add_argument("--csv", metavar="FILE.csv", help="the kernel as a table as well")
    command.add_argument("--plot", metavar="FILE.png", help="a figure of it, .png, .svg or .pdf; needs matplotlib")
    _add_machine_options(command, "the files")


def _add_bench(commands: argparse._SubParsersAction[Parser]) -> None:
    from mcdose.commands.bench import run_bench

    bench = commands.add_parser(
        "bench",
        help="how fast this machine is",
        description="Histories per second of every device, in water and in the demonstration phantom; some minutes.",
    )
    bench.add_argument("--device", default="auto", help="cpu, cuda, cuda:N; auto is all there are (%(default)s)")
    bench.add_argument("--seconds", type=_positive, default=3.0, metavar="S", help="of each run (%(default)s)")
    bench.add_argument("--quick", action="store_true", help="one short run of each, to see that it works")
    bench.add_argument("--json", action="store_true", help="print JSON and nothing else")
    bench.add_argument("--debug", action="store_true", help="show the traceback of an error")
    bench.set_defaults(run=run_bench)


def _add_doctor(commands: argparse._SubParsersAction[Parser]) -> None:
    from mcdose.commands.doctor import run_doctor

    doctor = commands.add_parser(
        "doctor",
        help="what was found on this machine and what would be used",
        description="Say what was found on this machine, what would be used and what is missing.",
    )
    doctor.add_argument("--json", action="store_true", help="print JSON")
    doctor.add_argument("--debug", action="store_true", help="show the traceback of an error")
    doctor.set_defaults(run=run_doctor)


def _add_method_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--method",
        choices=("monte-carlo", "voxel-kernel", "local-deposition"),
        default="monte-carlo",
        help="full transport, convolution with voxel S values, or all energy where it is born (%(default)s)",
    )
    command.add_argument(
        "--density-scaling",
        choices=("target", "none", "source", "multiple-kernels"),
        help="of the other two methods, by name; docs/comparison.md (target)",
    )
    command.add_argument("--kernel-medium", metavar="NAME", help="of --method voxel-kernel (soft-tissue)")
    _add_constant(command)


def _add_run_options(command: argparse.ArgumentParser, default_histories: str) -> None:
    command.add_argument("--nuclide", default="Y-90", help="(%(default)s)")
    command.add_argument(
        "--internal-pairs",
        action="store_true",
        help="with the electron-positron pairs of the decay (Y-90: 32 in a million)",
    )
    command.add_argument(
        "--histories", type=_histories, metavar="N", help=f"emissions of decays to simulate ({default_histories})"
    )
    command.add_argument(
        "--target-uncertainty",
        type=_fraction,
        metavar="F",
        help="stop when the relative standard error in the hot voxels is down to F, such as 0.01",
    )
    command.add_argument(
        "--dose-to-water", action="store_true", help="dose to water in the medium instead of dose to the medium"
    )
    command.add_argument("--calibration", metavar="FILE", help="CT number to density and medium, JSON (Schneider 2000)")
    command.add_argument(
        "--patient-in-report",
        action="store_true",
        help="name, ID and birth date of the patient in report.html (left out)",
    )
    _add_machine_options(command, "the results in the folder")


def _add_constant(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--gy-kg-per-gbq",
        type=_positive,
        metavar="GY_KG",
        help="of local deposition: dose of 1 GBq that decays in 1 kg (the nuclide's, 49.73 for Y-90)",
    )


def _add_machine_options(command: argparse.ArgumentParser, replaced: str) -> None:
    command.add_argument("--seed", type=_seed, default=0, metavar="N", help="(%(default)s)")
    command.add_argument("--threads", type=_threads, metavar="N", help="CPU threads (all)")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, cuda:0,1 or cuda:all (%(default)s)")
    command.add_argument("--overwrite", action="store_true", help=f"replace {replaced}")
    add_console_options(command)


def _whole(text: str, lowest: int, limit: int, rule: str) -> int:
    try:
        value = int(text)
    except ValueError:
        try:
            number = float(text)  # 1e7
            value = int(number)
        except (ValueError, OverflowError):
            raise argparse.ArgumentTypeError(f"must be {rule}, got {text!r}") from None
        if value != number:
            raise argparse.ArgumentTypeError(f"must be {rule}, got {text!r}") from None
    if not lowest <= value < limit:
        raise argparse.ArgumentTypeError(f"must be {rule}, got {text!r}")
    return value


def _histories(text: str) -> int:
    return _whole(text, 1, 2**63, "a whole number of at least 1")


def _seed(text: str) -> int:
    return _whole(text, 0, SEEDS, "a whole number from 0 to 2^64 - 1")


def _threads(text: str) -> int:
    return _whole(text, 1, 2**16, "a whole number of at least 1")


def _fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < 1.0:
        raise argparse.ArgumentTypeError(f"must be a fraction between 0 and 1, got {text!r}")
    return value


def _dose_grid(text: str) -> str | tuple[float, float, float]:
    from mcdose.dose_grid import check_dose_grid

    words = text.split(",")
    try:
        if text in ("activity", "ct"):
            return check_dose_grid(text)
        sides = [float(word) for word in words]
        return check_dose_grid(sides[0] if len(sides) == 1 else sides)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be activity, ct, or one or three sides of 0.1 to 100 mm, got {text!r}"
        ) from None


def _shunt(text: str) -> float:
    return 0.0 if _is_zero(text) else _fraction(text)


def _residual(text: str) -> float:
    return 0.0 if _is_zero(text) else _positive(text)


def _is_zero(text: str) -> bool:
    try:
        return float(text) == 0.0
    except ValueError:
        return False


def _positive(text: str) -> float:
    return _within(text, math.inf, "a positive number")


def _density(text: str) -> float:
    return _within(text, 25.0, "a density above 0 and up to 25 g/cm3")


def _within(text: str, highest: float, rule: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value <= highest or value == math.inf:
        raise argparse.ArgumentTypeError(f"must be {rule}, got {text!r}")
    return value
