"""What `mcdose plan voxel` says of the recovery of each lesion, and of its uncertainty."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mcdose.commands.plan_options import add_lesion_options, not_negative, positive
from mcdose.commands.plan_rules import check_lesion, drawing_of
from mcdose.commands.tables import gy_text
from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.sirt.uncertainty import Budget
    from mcdose.sirt.voxel import Comparison


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


def lesion_figures(
    args: argparse.Namespace, budget: Budget, one: Comparison, surroundings_gy: float
) -> tuple[Budget, dict[str, Any]]:
    """Return the budget of a tissue, and of a lesion its recovery and the dose over that; nothing without a drawing.

    Parameters
    ----------
    args : as parsed
    budget : of any tissue
    one : the tissue
    surroundings_gy : mean dose of the normal liver [Gy]
    """
    from mcdose.sirt.uncertainty import recovered

    drawing = drawing_of(args, args.drawn_voxel_mm, args.drawn_fwhm_mm)
    if drawing is None or one.name not in args.tumours:
        return budget, {}
    try:
        recovery = drawing.recovery(one.voxel.volume_ml)
        corrected = recovered(one.voxel.mean_gy, recovery.value, surroundings_gy)
        if not corrected > 0.0:
            raise ValueError(f"the dose over the recovery must be above 0, got {corrected:.4g} Gy")
        own = drawing.budget(budget, one.voxel.volume_ml, (corrected - surroundings_gy) / corrected)
    except ValueError as error:
        raise InputError(f"{one.name}: {error}") from error
    return own, {
        "recovery": asdict(recovery),
        "recovered_gy": corrected,
        "terms": [asdict(term) for term in own.terms],
        "covariances": [asdict(pair) for pair in own.covariances],
    }


def lesion_lines(tissues: list[dict[str, Any]]) -> list[str]:
    """Return a line for each lesion whose recovery is known."""
    return [
        f"{one['name']}: recovery {one['recovery']['value']:.3g}, {gy_text(one['recovered_gy'])} Gy without the blur, "
        f"standard uncertainty {gy_text(one['relative_uncertainty'] * one['recovered_gy'])} Gy"
        for one in tissues
        if "recovery" in one
    ]
