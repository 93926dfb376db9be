"""What `mcdose dose`, `demo` and `compare` take alike: images, names, a calibration."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mcdose.errors import Cancelled, InputError

if TYPE_CHECKING:
    from mcdose.calibration import Calibration
    from mcdose.case import Case
    from mcdose.commands.console import Console
    from mcdose.nuclides import Nuclide
    from mcdose.result import DoseResult

DENSITY_FLOOR_G_CM3 = 0.05
DEMO_HISTORIES = 4_000_000  # a few seconds


@contextmanager
def as_input_error() -> Iterator[None]:
    """Make what an argument of the library breaks the user's error."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error
    except (OverflowError, ZeroDivisionError) as error:
        raise InputError("an argument is so large or so small that no number holds what follows from it") from error


def check_names(args: argparse.Namespace) -> None:
    """Refuse a nuclide or a device that is not there, before any file is opened."""
    from mcdose.devices import choose_devices

    with as_input_error():
        emitter(args)
        choose_devices(args.device)


def check_counts(args: argparse.Namespace) -> None:
    """Refuse a calibration of counts that contradicts itself, before any file is opened."""
    from mcdose.io.counts import CountCalibration

    with as_input_error():
        CountCalibration(args.sensitivity, args.administered_gbq, args.lung_shunt, args.residual_gbq)
    if args.counts_in is not None and (args.administered_gbq is None or args.structures is None):
        raise InputError(f"--counts-in {args.counts_in} needs --administered-gbq and --structures")


def check_times(args: argparse.Namespace) -> None:
    """Refuse a fit over time that cannot be made, and several images with a registration, before any file is opened."""
    from mcdose.time_points import check_time_fit

    with as_input_error():
        check_time_fit(
            len(args.activity or [""]),
            args.time_fit,
            args.fit_per,
            structures=args.structures is not None,
            administered=args.administered_gbq is not None,
            called=lambda name: f"--{name.replace('_', '-')}",
        )
    if args.registration is not None and len(args.activity or [""]) > 1:
        raise InputError(f"--registration is of one activity image, got {len(args.activity)}")


def check_series(args: argparse.Namespace) -> None:
    """Refuse series of activities that are not there, before any file is opened."""
    asked, there = len(args.activity_series or ()), len(args.activity or ())
    if asked and asked != there:
        raise InputError(f"--activity-series must name one series for each --activity, got {asked} for {there}")


def load_patient(args: argparse.Namespace, console: Console) -> Case:
    """Read the images that the arguments name, and show how far that has come."""
    from mcdose.case import read_case
    from mcdose.io.progress import told_to

    with told_to(console.reading):
        return read_case(
            args.activity[0] if len(args.activity) == 1 else args.activity,
            args.ct,
            args.structures,
            nuclide=args.nuclide,
            unit=args.activity_unit,
            calibration=calibration(args),
            dose_grid=args.dose_grid,
            sensitivity_cps_per_mbq=args.sensitivity,
            administered_gbq=args.administered_gbq,
            lung_shunt=args.lung_shunt,
            residual_gbq=args.residual_gbq,
            counts_in=args.counts_in,
            ct_series=args.ct_series,
            activity_series=args.activity_series,
            resample=args.resample,
            registration=args.registration,
            time_fit=args.time_fit,
            fit_per=args.fit_per,
            masses_of=[lungs] if (lungs := getattr(args, "lungs", None)) else [],
        )


def load_phantom(args: argparse.Namespace, _console: Console) -> Case:
    """Build the phantom that mcdose brings along."""
    from mcdose.case import demo_case

    return demo_case(calibration(args))


def emitter(args: argparse.Namespace) -> Nuclide:
    """Return the nuclide that the arguments name, with its internal pairs if they ask for them."""
    from mcdose.internal_pairs import with_internal_pairs
    from mcdose.nuclides import nuclide

    named = nuclide(args.nuclide)
    return with_internal_pairs(named) if args.internal_pairs else named


def dose_of(
    case: Case,
    parts: dict[str, Any],
    args: argparse.Namespace,
    console: Console,
    method: str,
    density_scaling: str = "target",
) -> DoseResult:
    """Compute the dose in a case by one method, with what the arguments ask of it.

    Parameters
    ----------
    case, parts : what to compute, and the regions whose mean is wanted
    args : as parsed
    console : shows progress
    method, density_scaling : see `absorbed_dose`
    """
    from mcdose.dose import absorbed_dose
    from mcdose.nuclides import activity_to_tia

    choices: dict[str, Any] = {}
    if method == "monte-carlo":
        choices = {
            "histories": args.histories,
            "target_uncertainty": args.target_uncertainty,
            "seed": args.seed,
            "progress": console.progress,
        }
    elif method == "local-deposition":
        choices = {"gy_kg_per_gbq": args.gy_kg_per_gbq}
    elif density_scaling != "multiple-kernels":
        choices = {"kernel_medium": args.kernel_medium}
    with as_input_error():
        result = absorbed_dose(
            activity_to_tia(case.activity_bq, args.nuclide) if case.tia_bq_s is None else case.tia_bq_s,
            case.grid.voxel_mm,
            nuclide=emitter(args),
            density_g_cm3=case.density_g_cm3,
            medium=case.medium,
            media=case.media,
            method=method,
            density_scaling=density_scaling,
            dose_to_water=args.dose_to_water,
            threads=args.threads,
            device=args.device,
            regions=parts,
            density_floor_g_cm3=DENSITY_FLOOR_G_CM3,
            **choices,
        )
    console.clear()
    if result.cancelled:
        raise Cancelled
    return result


def calibration(args: argparse.Namespace) -> Calibration:
    """Return the calibration of CT numbers that the arguments name."""
    from mcdose.calibration import SCHNEIDER, Calibration

    return SCHNEIDER if args.calibration is None else Calibration.from_json(args.calibration)
