"""How the lesions of a treatment were drawn and imaged, and what that says of each."""

from __future__ import annotations

import argparse
from typing import Any

from mcdose.commands.plan_options import add_lesion_options, not_negative, positive
from mcdose.commands.plan_rules import check_lesion
from mcdose.commands.tables import gy_text
from mcdose.errors import InputError


def add_drawn_options(command: argparse.ArgumentParser) -> None:
    """Add how lesions were drawn and imaged."""
    command.add_argument(
        "--drawn-voxel-mm", type=positive, metavar="MM", help="voxels that the lesions were drawn on, for their volumes"
    )
    command.add_argument(
        "--drawn-fwhm-mm", type=not_negative, metavar="MM", help="resolution of the image they were drawn on"
    )
    add_lesion_options(command, "; needs both --drawn options")


def check_drawn(args: argparse.Namespace) -> None:
    """Refuse some of the three figures without the others."""
    check_lesion(args)
    three = ("image_fwhm_mm", "drawn_voxel_mm", "drawn_fwhm_mm")
    given = [name for name in three if getattr(args, name) is not None]
    if given and len(given) < len(three):
        raise InputError("--image-fwhm-mm, --drawn-voxel-mm and --drawn-fwhm-mm go together, some are missing")


def lesion_lines(tissues: list[dict[str, Any]]) -> list[str]:
    """Return a line for each lesion whose recovery was asked for."""
    return [
        f"{one['name']}: recovery {one['recovery']['value']:.3g}, {gy_text(one['recovered_gy'])} Gy without the blur, "
        f"standard uncertainty {gy_text(one['relative_uncertainty'] * one['recovered_gy'])} Gy"
        if "recovery" in one
        else f"{one['name']}: no dose without the blur: {one['not_recovered']}"
        for one in tissues
        if "recovery" in one or "not_recovered" in one
    ]
