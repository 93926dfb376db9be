"""The options of `mcdose plan`."""

from __future__ import annotations

import argparse
import math
from typing import Any

DISEASES = ("mNET", "HCC", "ICC", "mCRC", "any")
SCENARIOS = ("segmentectomy", "lobectomy", "unilobar", "bilobar", "whole-liver", "any")
MOST_RELATIVE = 10.0  # uncertainty, as in a budget's file
SPHERES = ("glass", "resin", "holmium")


def add_plan_kinds(kinds: Any) -> None:
    """Add the sub-commands that need no images, and that for the lungs."""
    from mcdose.commands.plan_lungs_options import add_lungs

    _add_scd(kinds)
    _add_mcd(kinds)
    _add_bsa(kinds)
    _add_holmium(kinds)
    _add_limits(kinds)
    _add_devices(kinds)
    _add_uncertainty(kinds)
    add_lungs(kinds)


def _add_scd(kinds: Any) -> None:
    from mcdose.commands.plan import run_scd

    scd = kinds.add_parser(
        "scd",
        help="one compartment: mean dose to the perfused liver",
        description="MIRD single compartment: activity from the mean dose to the perfused liver, or the dose from an "
        "activity, D = k A (1 - residual)(1 - lung shunt - extrahepatic) / m.",
    )
    scd.add_argument("--perfused-ml", type=positive, metavar="ML", required=True, help="perfused liver, with tumours")
    wanted = scd.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--dose-gy", type=positive, metavar="GY", help="mean dose wanted")
    wanted.add_argument("--activity-gbq", type=positive, metavar="GBQ", help="activity of the vial at injection")
    _add_patient(scd)
    add_limit_options(scd)
    _add_printing(scd)
    scd.set_defaults(run=run_scd)


def _add_mcd(kinds: Any) -> None:
    from mcdose.commands.plan import run_mcd

    mcd = kinds.add_parser(
        "mcd",
        help="several compartments: tumours, normal liver, lungs",
        description="Partition model: tumours and normal liver share what reaches the liver by mass times ratio of "
        "uptake. One artery by options, or several arteries and sessions by --plan.",
    )
    mcd.add_argument("--plan", metavar="FILE", help="territories, tumours and injections, TOML; docs/sirt.md")
    mcd.add_argument("--liver-ml", type=positive, metavar="ML", help="whole liver, with tumours")
    mcd.add_argument("--perfused-ml", type=positive, metavar="ML", help="what the artery perfuses (the whole liver)")
    mcd.add_argument("--tumour-ml", type=positive, metavar="ML", nargs="+", help="tumours, all in what is perfused")
    mcd.add_argument("--tn-ratio", type=positive, metavar="R", nargs="+", help="uptake of each over normal, or of all")
    mcd.add_argument("--allow-cold-tumour", action="store_true", help="accept ratios below 1")
    wanted = mcd.add_mutually_exclusive_group()
    wanted.add_argument("--tumour-dose-gy", type=positive, metavar="GY", help="mean dose that every tumour is to get")
    wanted.add_argument("--normal-dose-gy", type=positive, metavar="GY", help="mean dose to normal perfused liver")
    wanted.add_argument("--activity-gbq", type=positive, metavar="GBQ", help="activity of the vial at injection")
    mcd.add_argument("--svg", metavar="FILE.svg", help="drawing of the doses against activity")
    mcd.add_argument("--overwrite", action="store_true", help="replace the drawing")
    _add_patient(mcd)
    add_limit_options(mcd)
    _add_printing(mcd)
    mcd.set_defaults(run=run_mcd)


def _add_bsa(kinds: Any) -> None:
    from mcdose.commands.plan_rules import run_bsa

    bsa = kinds.add_parser(
        "bsa",
        help="resin: activity by body surface, and by tumour burden",
        description="The maker's rules for resin microspheres. They know no dose.",
    )
    bsa.add_argument("--height-cm", type=positive, required=True, metavar="CM")
    bsa.add_argument("--weight-kg", type=positive, required=True, metavar="KG")
    bsa.add_argument("--liver-ml", type=positive, required=True, metavar="ML", help="whole liver, with tumours")
    bsa.add_argument("--treated-ml", type=positive, metavar="ML", help="the part that is treated (the whole liver)")
    bsa.add_argument("--tumour-ml", type=positive, required=True, metavar="ML", help="tumour in what is treated")
    bsa.add_argument("--lung-shunt", type=fraction, default=0.0, metavar="F", help="(0)")
    _add_printing(bsa)
    bsa.set_defaults(run=run_bsa)


def _add_holmium(kinds: Any) -> None:
    from mcdose.commands.plan_rules import run_holmium

    holmium = kinds.add_parser(
        "holmium",
        help="Ho-166: activity by liver mass",
        description="The maker's rule for Ho-166 microspheres: 3781 MBq per kg of liver, 60 Gy on average.",
    )
    holmium.add_argument("--liver-ml", type=positive, required=True, metavar="ML", help="whole liver, with tumours")
    holmium.add_argument("--density-g-ml", type=positive, metavar="D", help="of liver (1.03)")
    _add_printing(holmium)
    holmium.set_defaults(run=run_holmium)


def _add_limits(kinds: Any) -> None:
    from mcdose.commands.plan_rules import run_limits

    limits = kinds.add_parser(
        "limits",
        help="limits and goals, with who says so",
        description="List limits and goals of guidelines and studies, or check a file of your own.",
    )
    add_limit_options(limits)
    _add_printing(limits)
    limits.set_defaults(run=run_limits)


def _add_devices(kinds: Any) -> None:
    from mcdose.commands.plan_rules import run_devices

    devices = kinds.add_parser(
        "devices",
        help="microspheres: activity, size, number, decay",
        description="List the microspheres, or count spheres and activity of an injection.",
    )
    devices.add_argument("--spheres", choices=SPHERES, help="one of them")
    amount = devices.add_mutually_exclusive_group()
    amount.add_argument("--activity-gbq", type=positive, metavar="GBQ", help="of the vial at injection")
    amount.add_argument("--calibration-gbq", type=positive, metavar="GBQ", help="of the vial at calibration")
    devices.add_argument("--hours", type=real, default=0.0, metavar="H", help="from calibration to injection (0)")
    devices.add_argument("--residual", type=fraction, default=0.0, metavar="F", help="stays in vial and tubing (0)")
    devices.add_argument("--bq-per-sphere", type=positive, metavar="BQ", help="at calibration (the usual one)")
    _add_printing(devices)
    devices.set_defaults(run=run_devices)


def _add_uncertainty(kinds: Any) -> None:
    from mcdose.commands.plan_rules import run_uncertainty

    budget = kinds.add_parser(
        "uncertainty",
        help="uncertainty budget of a mean dose",
        description="Combine relative standard uncertainties in quadrature, after Gear et al. (2018).",
    )
    add_budget_options(budget)
    budget.add_argument("--dose-gy", type=positive, metavar="GY", help="mean dose, for the uncertainty in Gy")
    sphere = budget.add_argument_group("volume of a region from how it was drawn", "all three, or none")
    sphere.add_argument("--diameter-mm", type=positive, metavar="MM")
    sphere.add_argument("--voxel-mm", type=positive, metavar="MM")
    sphere.add_argument("--fwhm-mm", type=not_negative, metavar="MM")
    add_lesion_options(budget, "; needs the three above")
    _add_printing(budget)
    budget.set_defaults(run=run_uncertainty)


def add_budget_options(command: argparse.ArgumentParser) -> None:
    """Add what an uncertainty budget takes."""
    command.add_argument("--budget", metavar="FILE", help="terms, TOML (those that mcdose ships)")
    command.add_argument(
        "--term", type=term, nargs="+", default=[], metavar="NAME=F", help="relative standard uncertainties of your own"
    )


def add_lesion_options(command: argparse.ArgumentParser, needs: str = "") -> None:
    """Add what the recovery of a lesion takes, and the covariances that come with it."""
    lesion = command.add_argument_group("recovery of a lesion, which follows its volume", "docs/sirt.md")
    lesion.add_argument(
        "--image-fwhm-mm", type=not_negative, metavar="MM", help=f"resolution of the activity image{needs}"
    )
    lesion.add_argument(
        "--recovery-curve",
        type=positive,
        nargs=2,
        metavar=("ML", "POWER"),
        help="1 / (1 + (ML / V)^POWER), fitted to a phantom (a sphere with a Gaussian blur)",
    )
    lesion.add_argument(
        "--dose-exponent", type=positive, metavar="N", help="dose factor goes as V^-N (1: all energy stays)"
    )


def _add_patient(command: argparse.ArgumentParser) -> None:
    command.add_argument("--lung-shunt", type=fraction, default=0.0, metavar="F", help="of what is delivered (0)")
    command.add_argument("--extrahepatic", type=fraction, default=0.0, metavar="F", help="likewise, elsewhere (0)")
    command.add_argument("--residual", type=fraction, default=0.0, metavar="F", help="stays in vial and tubing (0)")
    command.add_argument("--density-g-ml", type=positive, metavar="D", help="of liver and tumours (1.03)")
    command.add_argument("--lung-mass-kg", type=positive, metavar="KG", help="both lungs (1)")
    command.add_argument(
        "--gy-kg-per-gbq", type=positive, metavar="K", help="dose of 1 GBq that decays in 1 kg (49.73 for Y-90)"
    )
    command.add_argument("--hours", type=real, default=0.0, metavar="H", help="from calibration to injection (0)")


def add_limit_options(command: argparse.ArgumentParser) -> None:
    """Add what chooses limits."""
    command.add_argument("--spheres", choices=SPHERES, help="whose limits, number and constant")
    command.add_argument("--disease", choices=DISEASES, help="whose limits (those that always hold)")
    command.add_argument("--scenario", choices=SCENARIOS, help="whose limits (those that always hold)")
    command.add_argument("--limits", metavar="FILE", help="limits of your own, TOML; docs/sirt.md")


def _add_printing(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON and nothing else")
    command.add_argument("--debug", action="store_true", help="show the traceback of an error")


def positive(text: str) -> float:
    """Read a number above 0."""
    return _within(text, lambda value: 0.0 < value < math.inf, "a number above 0")


def not_negative(text: str) -> float:
    """Read a number of at least 0."""
    return _within(text, lambda value: 0.0 <= value < math.inf, "a number of at least 0")


def fraction(text: str) -> float:
    """Read a fraction from 0 to below 1."""
    return _within(text, lambda value: 0.0 <= value < 1.0, "a fraction from 0 to below 1 (0.05 for 5 %)")


def real(text: str) -> float:
    """Read a finite number."""
    return _within(text, math.isfinite, "a number")


def whole(text: str) -> int:
    """Read a whole number of at least 0, such as 1e7."""
    return int(_within(text, lambda value: 0.0 <= value < 2.0**63 and value == int(value), "a whole number"))


def term(text: str) -> tuple[str, float]:
    """Read NAME=F."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"must be NAME=F, such as volume=0.08, got {text!r}")
    return name, _within(value, lambda number: 0.0 <= number <= MOST_RELATIVE, "a fraction from 0 to 10 (0.08 for 8 %)")


def _within(text: str, rule: Any, words: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not rule(value):
        raise argparse.ArgumentTypeError(f"must be {words}, got {text!r}")
    return value
