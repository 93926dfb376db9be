"""What makes a dose calculation one of a radioembolization: names of structures, limits, uncertainty budget."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from mcdose.commands.inputs import DENSITY_FLOOR_G_CM3, as_input_error
from mcdose.commands.plan_options import add_budget_options, add_limit_options, positive
from mcdose.commands.treatment_lesions import add_drawn_options, check_drawn
from mcdose.commands.treatment_sessions import NONE, add_solve_options, chosen_aim, chosen_sessions
from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.sirt.treatment import Treatment

V_GY = (50.0, 100.0, 150.0, 200.0)
NAMES = ("liver", "tumours", "perfused", "lungs")
OTHERS = ("v_gy", "spheres", "disease", "scenario", "limits", "budget", "term")
SOLVE = ("tumour_dose_gy", "normal_dose_gy", "earlier", "earlier_gy")
DRAWN = ("image_fwhm_mm", "drawn_voxel_mm", "drawn_fwhm_mm", "recovery_curve", "dose_exponent")
PHANTOM = {"liver": "liver", "tumours": ["tumour 1", "tumour 2"], "perfused": "liver", "lungs": "lungs"}
PHANTOM_Y90 = {"spheres": "glass", "disease": "mNET", "scenario": "whole-liver"}


def add_treatment_options(command: argparse.ArgumentParser, title: str = "radioembolization") -> None:
    """Add names of structures, limits and budget."""
    group: Any = command.add_argument_group(title, "docs/sirt.md")
    group.add_argument("--liver", metavar="NAME", help="structure: whole liver, with tumours")
    group.add_argument("--tumours", metavar="NAME", nargs="+", help="structures: the lesions")
    group.add_argument(
        "--perfused", metavar="NAME", help="structure: what was perfused, with tumours; may be the liver"
    )
    group.add_argument("--lungs", metavar="NAME", help="structure")
    group.add_argument(
        "--v-gy", type=positive, nargs="+", metavar="GY", help="doses whose volumes are wanted (50 100 150 200)"
    )
    add_limit_options(group)
    add_budget_options(group)
    add_solve_options(command)
    add_drawn_options(command)


def fill_in_phantom(args: argparse.Namespace) -> None:
    """Give the phantom its structures and, with Y-90, a treatment to be judged by; what the user says stays."""
    usual = {**PHANTOM, **(PHANTOM_Y90 if args.nuclide == "Y-90" else {})}
    for name, value in usual.items():
        setattr(args, name, getattr(args, name) or value)
    if not args.earlier_gy:
        args.earlier = args.earlier or [NONE]


def chosen_treatment(args: argparse.Namespace) -> Treatment | None:
    """Return the treatment that the arguments name, None where they name none; before any file is opened.

    Raises
    ------
    InputError
        Some of the names are missing; limits or a budget that cannot be read; spheres of another nuclide.
    """
    given = [name for name in (*NAMES, *OTHERS, *SOLVE, *DRAWN) if getattr(args, name) not in (None, [])]
    if not given:
        return None
    for name in ("liver", "tumours"):
        if not getattr(args, name):
            raise InputError(f"--{name} must be given with --{given[0].replace('_', '-')}")
    check_drawn(args)
    from mcdose.commands.plan import chosen_limits
    from mcdose.commands.plan_rules import chosen_budget, drawing_of
    from mcdose.sirt.treatment import Treatment
    from mcdose.sirt.uncertainty import SPECTRUM, with_spectrum_of

    with as_input_error():
        budget = chosen_budget(args)
        if args.budget is None and SPECTRUM not in dict(args.term):
            budget = with_spectrum_of(budget, args.nuclide)
        return Treatment(
            liver=args.liver,
            tumours=tuple(args.tumours),
            perfused=args.perfused,
            lungs=args.lungs,
            limits=chosen_limits(args),
            budget=budget,
            spheres=args.spheres or "any",
            disease=args.disease or "any",
            scenario=args.scenario or "any",
            v_gy=tuple(dict.fromkeys(args.v_gy or V_GY)),
            nuclide=args.nuclide,
            gy_kg_per_gbq=args.gy_kg_per_gbq,
            density_floor_g_cm3=DENSITY_FLOOR_G_CM3,
            earlier=chosen_sessions(args),
            aim=chosen_aim(args),
            drawing=drawing_of(args, args.drawn_voxel_mm, args.drawn_fwhm_mm),
        )
