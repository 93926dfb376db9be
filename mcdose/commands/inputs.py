"""What `mcdose dose`, `demo` and `compare` take alike: images, names, a calibration."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.calibration import Calibration
    from mcdose.case import Case

DENSITY_FLOOR_G_CM3 = 0.05


@contextmanager
def as_input_error() -> Iterator[None]:
    """Make what an argument of the library breaks the user's error."""
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error


def check_names(args: argparse.Namespace) -> None:
    """Refuse a nuclide or a device that is not there, before any file is opened."""
    from mcdose.devices import choose_devices
    from mcdose.nuclides import nuclide

    with as_input_error():
        nuclide(args.nuclide)
        choose_devices(args.device)


def load_patient(args: argparse.Namespace) -> Case:
    """Read the images that the arguments name."""
    from mcdose.case import read_case

    return read_case(
        args.activity,
        args.ct,
        args.structures,
        nuclide=args.nuclide,
        unit=args.activity_unit,
        calibration=_calibration(args),
    )


def load_phantom(args: argparse.Namespace) -> Case:
    """Build the phantom that mcdose brings along."""
    from mcdose.case import demo_case

    return demo_case(_calibration(args))


def _calibration(args: argparse.Namespace) -> Calibration:
    from mcdose.calibration import SCHNEIDER, Calibration

    return SCHNEIDER if args.calibration is None else Calibration.from_json(args.calibration)
