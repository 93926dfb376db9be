"""`mcdose plan bsa`, `holmium`, `limits`, `devices` and `uncertainty`."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mcdose.commands.inputs import as_input_error
from mcdose.commands.plan_text import delivery_lines, figure, limit_words, print_figures, source_lines
from mcdose.commands.tables import text_table
from mcdose.errors import InputError


def run_bsa(args: argparse.Namespace) -> int:
    """Print the activities of the rules for resin."""
    from mcdose.sirt.body_surface import body_surface_activity, body_surface_m2, empirical_activity, shunt_factor
    from mcdose.sirt.spheres import microsphere

    treated = args.liver_ml if args.treated_ml is None else args.treated_ml
    if treated > args.liver_ml:
        raise InputError(f"--treated-ml must be at most --liver-ml {args.liver_ml:g}, got {treated:g}")
    if args.tumour_ml > treated:
        raise InputError(f"--tumour-ml must be at most what is treated, {treated:g} mL, got {args.tumour_ml:g}")
    choices = {"treated_fraction": treated / args.liver_ml, "lung_shunt": args.lung_shunt}
    burden = args.tumour_ml / treated
    with as_input_error():
        surface = body_surface_m2(args.height_cm, args.weight_kg)
        by_surface = body_surface_activity(surface, burden, **choices)
        by_burden = empirical_activity(burden, **choices)
        factor = shunt_factor(args.lung_shunt)
    rules = microsphere("resin").rules
    figures = {
        "model": "rules for resin microspheres",
        "body_surface_m2": surface,
        "tumour_fraction": burden,
        "treated_fraction": choices["treated_fraction"],
        "shunt_factor": factor,
        "body_surface_gbq": by_surface,
        "empirical_gbq": by_burden,
        "sources": [rule["source"] for rule in rules.values()],
    }
    lines = [
        f"body surface {surface:.3f} m2, tumour {100 * burden:.3g} % of what is treated, "
        f"{100 * treated / args.liver_ml:.3g} % of the liver treated, times {factor:g} for the lung shunt",
        "",
        f"by body surface    {figure(by_surface)} GBq",
        f"by tumour burden   {figure(by_burden)} GBq",
        *source_lines(figures["sources"]),
    ]
    print_figures(figures, lines, args.json)
    return 0


def run_holmium(args: argparse.Namespace) -> int:
    """Print the activity of the rule for Ho-166."""
    from mcdose.sirt.holmium import whole_liver_activity
    from mcdose.sirt.reference import mass_kg
    from mcdose.sirt.spheres import microsphere

    with as_input_error():
        mass = mass_kg("liver-ml", args.liver_ml, args.density_g_ml)
        activity = whole_liver_activity(mass)
    rule = microsphere("holmium").rules["whole_liver_rule"]
    figures = {
        "model": "whole-liver rule for Ho-166 microspheres",
        "liver_mass_kg": mass,
        "dose_gy": rule["dose_gy"],
        "activity_gbq": activity,
        "sources": [rule["source"]],
    }
    lines = [
        f"liver {mass:.4g} kg, {rule['mbq_per_kg']:g} MBq/kg for {rule['dose_gy']:g} Gy on average",
        "",
        f"activity at injection    {figure(activity)} GBq",
        *source_lines(figures["sources"]),
    ]
    print_figures(figures, lines, args.json)
    return 0


def run_limits(args: argparse.Namespace) -> int:
    """Print limits; without a disease, device or scenario all of them."""
    from mcdose.sirt.limit import QUANTITIES, record, select_limits
    from mcdose.sirt.limits_file import load_limits

    limits = load_limits(args.limits)
    if args.disease or args.spheres or args.scenario:
        limits = select_limits(
            limits, context=args.disease or "any", device=args.spheres or "any", scenario=args.scenario or "any"
        )
    records = [record(limit) for limit in limits]
    sources = list(dict.fromkeys(entry["citation"] for entry in records))
    rows = [["limit", "disease", "spheres", "scenario", "role", "evidence", "source", "note"]]
    rows += [
        [
            limit_words(entry),
            entry["context"],
            entry["device"],
            entry["scenario"],
            entry["role"],
            entry["evidence"] + ("" if entry["checked"] else ", unchecked"),
            f"[{sources.index(entry['citation']) + 1}]",
            entry["note"],
        ]
        for entry in records
    ]
    used = list(dict.fromkeys(entry["quantity"] for entry in records))
    lines = [
        *text_table(rows),
        *source_lines(sources),
        "",
        *(f"{quantity}: {QUANTITIES[quantity][1]}" for quantity in used),
        "unchecked: the figure was passed on; read it in the publication before you use it",
    ]
    print_figures({"limits": records}, lines, args.json)
    return 0


def run_devices(args: argparse.Namespace) -> int:
    """Print the devices, or what a vial of one holds."""
    from mcdose.sirt.delivery import deliver
    from mcdose.sirt.spheres import microsphere, microspheres

    names = microspheres() if args.spheres is None else (args.spheres,)
    found = [microsphere(name) for name in names]
    delivery = None
    if args.activity_gbq is not None or args.calibration_gbq is not None:
        if args.spheres is None:
            raise InputError(f"--spheres must be one of {', '.join(names)} for an activity, none was given")
        with as_input_error():
            counted = deliver(
                found[0],
                injection_gbq=args.activity_gbq,
                calibration_gbq=args.calibration_gbq,
                hours=args.hours,
                residual=args.residual,
                bq_per_sphere=args.bq_per_sphere,
            )
        delivery = {"spheres_of": args.spheres, "hours": args.hours, **asdict(counted)}
    devices = [asdict(one) | {"rules": sorted(one.rules)} for one in found]
    figures: dict[str, Any] = {"devices": devices, "delivery": delivery}
    rows = [["spheres", "nuclide", "half-life h", "Bq/sphere", "um", "g/cm3", "Gy kg/GBq"]]
    rows += [
        [
            one.name,
            one.nuclide,
            f"{one.half_life_s / 3600.0:.4g}",
            " ".join(f"{value:g}" for value in dict.fromkeys(one.activity_per_sphere_bq)),
            " ".join(f"{value:g}" for value in one.diameter_um),
            f"{one.density_g_cm3:g}",
            f"{one.gy_kg_per_gbq:.5g}",
        ]
        for one in found
    ]
    lines = [*text_table(rows), "activity at calibration and diameter: low, usual, high"]
    lines += [f"  {one.name}: {source}" for one in found for source in one.sources]
    print_figures(figures, [*lines, *delivery_lines(delivery)], args.json)
    return 0


def run_uncertainty(args: argparse.Namespace) -> int:
    """Print an uncertainty budget."""
    from mcdose.sirt.uncertainty import recovered, volume_uncertainty

    sphere = (args.diameter_mm, args.voxel_mm, args.fwhm_mm)
    if any(value is None for value in sphere) and any(value is not None for value in sphere):
        raise InputError("--diameter-mm, --voxel-mm and --fwhm-mm go together, some are missing")
    check_lesion(args)
    if args.diameter_mm is not None and "volume" in dict(args.term):
        raise InputError("--term volume cannot go with --diameter-mm, which takes it from how the region was drawn")
    if args.image_fwhm_mm is not None and args.diameter_mm is None:
        raise InputError("--image-fwhm-mm needs --diameter-mm, --voxel-mm and --fwhm-mm")
    budget, recovery, dose = chosen_budget(args), None, args.dose_gy
    with as_input_error():
        if args.image_fwhm_mm is not None:
            drawing = drawing_of(args, args.voxel_mm, args.fwhm_mm)
            volume_ml = math.pi / 6000.0 * args.diameter_mm**3
            budget, recovery = drawing.budget(budget, volume_ml), drawing.recovery(volume_ml)
        elif args.diameter_mm is not None:
            relative = volume_uncertainty(*sphere)
            budget = budget.with_values({"volume": relative}, "Gear et al. (2018), from how the region was drawn")
        corrected = None if dose is None or recovery is None else recovered(dose, recovery.value)
        combined = None if dose is None else budget.standard_uncertainty_gy(dose if corrected is None else corrected)
        figures = {
            "terms": [asdict(term) for term in budget.terms],
            "covariances": [asdict(one) for one in budget.covariances],
            "recovery": None if recovery is None else asdict(recovery),
            "relative": budget.relative,
            "dose_gy": dose,
            "recovered_gy": corrected,
            "standard_uncertainty_gy": combined,
        }
    lines = budget_lines(figures["terms"], budget.relative, figures["covariances"])
    if recovery is not None:
        lines.append(f"recovery coefficient {recovery.value:.4g}, d ln R / d ln V = {recovery.slope:.3g}")
    if combined is not None:
        told = f"{dose:.4g} Gy" if corrected is None else f"{dose:.4g} Gy, {corrected:.4g} Gy over the recovery"
        lines.append(f"{told}, standard uncertainty {combined:.3g} Gy (1 sigma)")
    print_figures(figures, lines, args.json)
    return 0


def check_lesion(args: argparse.Namespace) -> None:
    """Refuse what is about the recovery of a lesion without a resolution, and a volume that is stated twice."""
    for name in ("recovery_curve", "dose_exponent"):
        if getattr(args, name) is not None and args.image_fwhm_mm is None:
            raise InputError(f"--{name.replace('_', '-')} needs --image-fwhm-mm")
    if args.image_fwhm_mm is not None and "volume" in dict(args.term):
        raise InputError("--term volume cannot go with --image-fwhm-mm, which takes it from how the lesion was drawn")


def drawing_of(args: argparse.Namespace, voxel_mm: float, drawn_fwhm_mm: float) -> Any:
    """Return how lesions were drawn and imaged; None without a resolution of the image."""
    from mcdose.sirt.lesion import Drawing

    if args.image_fwhm_mm is None:
        return None
    curve = None if args.recovery_curve is None else tuple(args.recovery_curve)
    return Drawing(voxel_mm, drawn_fwhm_mm, args.image_fwhm_mm, curve, args.dose_exponent or 1.0)


def chosen_budget(args: argparse.Namespace) -> Any:
    """Return the budget of the file that is named, or the one that is shipped, with the user's own terms."""
    from mcdose.sirt.uncertainty import load_budget

    names = [name for name, _ in args.term]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"--term {twice[0]} must be given once, got {names.count(twice[0])} values")
    with as_input_error():
        return load_budget(args.budget).with_values(dict(args.term))


def budget_lines(terms: list[dict[str, Any]], relative: float, covariances: Sequence[dict[str, Any]] = ()) -> list[str]:
    """Return terms, covariances and their combination as a table."""
    rows = [["term", "1 sigma %", "from"]]
    rows += [
        [term["name"], f"{100 * term['relative']:.3g}", ("assumed: " if term["assumed"] else "") + term["source"]]
        for term in terms
    ]
    how = "terms independent" if not covariances else "with twice the covariances"
    rows.append(["combined", f"{100 * relative:.3g}", f"in quadrature, {how} (Gear et al. 2018)"])
    widths = [max(len(row[k]) for row in rows) for k in range(2)]
    lines = [f"{a.ljust(widths[0])}  {b.rjust(widths[1])}  {c}" for a, b, c in rows]
    return lines + [
        f"covariance of {one['first']} and {one['second']}: {1e4 * one['relative']:+.3g} %^2" for one in covariances
    ]
