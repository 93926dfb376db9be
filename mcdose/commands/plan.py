"""`mcdose plan scd` and `mcdose plan mcd`: activity from dose and dose from activity, by compartments."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcdose.commands.inputs import as_input_error
from mcdose.commands.plan_text import (
    delivery_lines,
    figure,
    print_figures,
    require_held,
    verdict_lines,
    verdict_record,
)
from mcdose.commands.tables import gy_text, text_table
from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.sirt.limit import Limit
    from mcdose.sirt.partition import Doses, Plan
    from mcdose.sirt.plan_file import PlanFile
    from mcdose.sirt.solution import Solution


def run_scd(args: argparse.Namespace) -> int:
    """Print activity and doses of a single compartment."""
    from mcdose.sirt.limit import judge
    from mcdose.sirt.reference import mass_kg
    from mcdose.sirt.single_compartment import lung_dose, single_compartment_activity, single_compartment_dose

    with as_input_error():
        limits = chosen_limits(args)
        constant = chosen_constant(args)
        mass = mass_kg("perfused-ml", args.perfused_ml, args.density_g_ml)
        choices: dict[str, Any] = {
            "lung_shunt": args.lung_shunt,
            "residual": args.residual,
            "extrahepatic": args.extrahepatic,
            "gy_kg_per_gbq": constant,
        }
        activity = args.activity_gbq
        if activity is None:
            activity = single_compartment_activity(args.dose_gy, mass, **choices)
        perfused = single_compartment_dose(activity, mass, **choices)
        lungs = lung_dose(
            activity,
            lung_shunt=args.lung_shunt,
            residual=args.residual,
            lung_mass_kg=args.lung_mass_kg,
            gy_kg_per_gbq=constant,
        )
        values: dict[str, dict[str, float | None]] = {
            "perfused_gy": {"perfused liver": perfused},
            "lung_gy": {"lungs": lungs},
            "lung_shunt": {"lungs": args.lung_shunt},
        }
        figures: dict[str, Any] = {
            "model": "single compartment",
            "gy_kg_per_gbq": constant,
            "perfused_mass_kg": mass,
            "lung_shunt": args.lung_shunt,
            "extrahepatic": args.extrahepatic,
            "residual": args.residual,
            "activity_gbq": activity,
            "perfused_gy": perfused,
            "lung_gy": lungs,
            "delivery": delivery_of(args, args.spheres, activity, args.residual),
            "limits": [verdict_record(verdict) for verdict in judge(limits, values)],
        }
    lines = [
        f"Single compartment, k = {constant:.5g} Gy kg/GBq, perfused {mass:.4g} kg, lung shunt "
        f"{100 * args.lung_shunt:.3g} %, residual {100 * args.residual:.3g} %",
        "",
        f"activity at injection        {figure(activity)} GBq",
        f"mean dose, perfused liver    {gy_text(perfused)} Gy",
        f"mean dose, lungs             {gy_text(lungs)} Gy",
        *delivery_lines(figures["delivery"]),
        *verdict_lines(figures["limits"]),
    ]
    print_figures(figures, lines, args.json)
    return 0


def run_mcd(args: argparse.Namespace) -> int:
    """Print activity and doses of several compartments."""
    from mcdose.sirt.judgement import judge_plan
    from mcdose.sirt.partition import plan_doses
    from mcdose.sirt.solution import solve

    svg = _free_svg(args)
    with as_input_error():
        file = _plan_of(args)
        limits = chosen_limits(args, file)
        target = _target(args, file)
        solution = None
        plan = file.plan
        if target is not None:
            quantity, dose = target
            solution = solve(plan, dose, limits, quantity=quantity, session=file.session_to_solve)
            plan = solution.plan
        doses = plan_doses(plan)
        session = file.session_to_solve or plan.sessions[-1]
        most = _most(plan, solution, session)
        rows = _sweep(file.plan, most, session)  # whose injections have shares, even where no activity is left
        if svg is not None and not rows:
            raise InputError(f"--svg has nothing to draw: session {session} needs no activity")
        verdicts = [verdict_record(verdict) for verdict in judge_plan(plan, doses, limits)]
        own = [one for one in plan.injections if one.session == session]
        residual = own[0].residual if len(own) == 1 else 0.0
        total = doses.sessions[plan.sessions.index(session)].activity_gbq
    from mcdose.sirt.constant import gy_kg_per_gbq
    from mcdose.sirt.linear import record

    figures: dict[str, Any] = {
        "model": "multi-compartment",
        "gy_kg_per_gbq": gy_kg_per_gbq(plan.gy_kg_per_gbq),
        "plan": asdict(plan),
        "session": session,
        "solution": None if solution is None else record(solution),
        "sessions": [asdict(one) for one in doses.sessions],
        "cumulative": asdict(doses.cumulative),
        "table": [asdict(row) for row in rows],
        "delivery": None if len(own) > 1 else delivery_of(args, _spheres(args, file), total, residual),
        "limits": verdicts,
    }
    require_held(figures)
    if svg is not None:
        from mcdose.io.output import whole_file
        from mcdose.sirt.sweep import drawing

        with whole_file(svg, args.overwrite) as part:
            part.write_text(drawing(rows, limits, total), encoding="utf-8")
        figures["files"] = [str(svg)]
    lines = [*_describe(figures, plan, doses.sessions, doses.cumulative), *_sweep_lines(figures)]
    lines += [*delivery_lines(figures["delivery"]), *verdict_lines(verdicts)]
    if svg is not None:
        lines += ["", f"written: {svg}"]
    print_figures(figures, lines, args.json)
    return 0


def chosen_limits(args: argparse.Namespace, file: PlanFile | None = None) -> tuple[Limit, ...]:
    """Return the limits for what the options, or else the plan's file, are about."""
    from mcdose.sirt.limit import select_limits
    from mcdose.sirt.limits_file import load_limits

    return select_limits(
        load_limits(args.limits),
        context=args.disease or (file.context if file else "any"),
        device=_spheres(args, file) or "any",
        scenario=args.scenario or (file.scenario if file else "any"),
    )


def chosen_constant(args: argparse.Namespace) -> float:
    """Return the constant k [Gy kg/GBq]: the one given, that of the spheres, or that of Y-90."""
    from mcdose.sirt.constant import gy_kg_per_gbq
    from mcdose.sirt.spheres import microsphere

    if args.gy_kg_per_gbq is None and args.spheres is not None:
        return microsphere(args.spheres).gy_kg_per_gbq
    return gy_kg_per_gbq(args.gy_kg_per_gbq)


def delivery_of(
    args: argparse.Namespace, spheres: str | None, activity_gbq: float, residual: float
) -> dict[str, Any] | None:
    """Return what a vial holds, None where no device is named or nothing is given."""
    from mcdose.sirt.delivery import deliver
    from mcdose.sirt.spheres import microsphere

    if spheres is None or not activity_gbq > 0.0:
        return None
    found = deliver(microsphere(spheres), injection_gbq=activity_gbq, hours=args.hours, residual=residual)
    return {"spheres_of": spheres, "hours": args.hours, **asdict(found)}


def _spheres(args: argparse.Namespace, file: PlanFile | None) -> str | None:
    if args.spheres is not None or file is None or file.spheres == "any":
        return args.spheres if args.spheres is None else str(args.spheres)
    return file.spheres


def _plan_of(args: argparse.Namespace) -> PlanFile:
    """Return the plan of a file, or that of the options: one artery, one session."""
    from mcdose.sirt.partition import Injection, Plan, Territory, Tumour
    from mcdose.sirt.plan_file import PlanFile, load_plan
    from mcdose.sirt.reference import mass_kg

    volumes = ("liver_ml", "perfused_ml", "tumour_ml", "tn_ratio")
    alone = (*volumes, "activity_gbq", "density_g_ml", "lung_mass_kg", "gy_kg_per_gbq")
    if args.plan is not None:
        given = [name for name in alone if getattr(args, name) is not None]
        given += [name for name in ("lung_shunt", "extrahepatic", "residual", "spheres") if getattr(args, name)]
        given += ["allow_cold_tumour"] if args.allow_cold_tumour else []
        if given:
            raise InputError(f"--plan has what --{given[0].replace('_', '-')} says, so they cannot go together")
        return load_plan(args.plan)
    missing = [name for name in ("liver_ml", "tumour_ml", "tn_ratio") if getattr(args, name) is None]
    if missing:
        raise InputError(f"--{missing[0].replace('_', '-')} must be given, or --plan FILE")
    ratios = args.tn_ratio * len(args.tumour_ml) if len(args.tn_ratio) == 1 else args.tn_ratio
    if len(ratios) != len(args.tumour_ml):
        raise InputError(
            f"--tn-ratio must be one ratio, or one for each of {len(args.tumour_ml)} tumours, got {len(ratios)}"
        )
    tumours = tuple(
        Tumour(f"tumour {place}", mass_kg("tumour-ml", ml, args.density_g_ml), ratio, args.allow_cold_tumour)
        for place, (ml, ratio) in enumerate(zip(args.tumour_ml, ratios, strict=True), 1)
    )
    liver = mass_kg("liver-ml", args.liver_ml, args.density_g_ml)
    perfused = liver if args.perfused_ml is None else mass_kg("perfused-ml", args.perfused_ml, args.density_g_ml)
    plan = Plan(
        liver_mass_kg=liver,
        territories=(Territory("perfused liver", perfused, tumours),),
        injections=(
            Injection(
                "perfused liver",
                1.0 if args.activity_gbq is None else args.activity_gbq,
                lung_shunt=args.lung_shunt,
                extrahepatic=args.extrahepatic,
                residual=args.residual,
            ),
        ),
        lung_mass_kg=args.lung_mass_kg,
        gy_kg_per_gbq=chosen_constant(args),
    )
    return PlanFile(plan, None if args.activity_gbq is not None else 1, "any", "any", "any")


def _target(args: argparse.Namespace, file: PlanFile) -> tuple[str, float] | None:
    """Return quantity and dose to reach; None where all activities are given."""
    options = (("tumour_gy", args.tumour_dose_gy), ("normal_perfused_gy", args.normal_dose_gy))
    given = [(quantity, dose) for quantity, dose in options if dose is not None]
    if file.session_to_solve is None and given:
        raise InputError(f"{args.plan}: no session has shares, so no dose can be aimed at; all activities are given")
    if file.session_to_solve is not None and not given:
        raise InputError("--tumour-dose-gy, --normal-dose-gy or activities must be given")
    return given[0] if given else None


def _most(plan: Plan, solution: Solution | None, session: int) -> float:
    """Return the largest activity of the table [GBq]: well beyond what is planned, wanted and allowed."""
    planned = sum(one.activity_gbq for one in plan.injections if one.session == session)
    found = [planned]
    if solution is not None:
        found += [solution.wanted_gbq]
        if solution.allowed_gbq < 5.0 * max(found):
            found.append(solution.allowed_gbq)
    return 1.2 * max(found)


def _sweep(plan: Plan, most_gbq: float, session: int) -> tuple[Any, ...]:
    from mcdose.sirt.sweep import sweep

    return sweep(plan, most_gbq, session=session) if most_gbq > 0.0 else ()


def _free_svg(args: argparse.Namespace) -> Path | None:
    if args.svg is None:
        return None
    path = Path(args.svg)
    if path.suffix.lower() != ".svg":
        raise InputError(f"--svg must be a file .svg, got {args.svg}")
    if path.exists() and not args.overwrite:
        raise InputError(f"{path}: exists already; --overwrite replaces it")
    return path


def _describe(figures: dict[str, Any], plan: Plan, sessions: tuple[Doses, ...], total: Doses) -> list[str]:
    lines = [f"Multi-compartment (partition) model, k = {figures['gy_kg_per_gbq']:.5g} Gy kg/GBq", ""]
    if figures["solution"] is not None:
        lines += [*solution_lines(figures["solution"], f"in session {figures['session']}"), ""]
    header = ["mean dose, Gy", *(f"session {number}" for number in plan.sessions)]
    columns = list(sessions)
    if len(columns) > 1:
        header.append("together")
        columns.append(total)
    rows = [header, ["activity, GBq", *(figure(one.activity_gbq) for one in columns)]]
    rows += [[name, *(gy_text(one.tumours[name]) for one in columns)] for name in total.tumours]
    for label, key in (
        ("perfused liver", "perfused_gy"),
        ("normal perfused liver", "normal_perfused_gy"),
        ("normal liver, whole", "normal_liver_gy"),
        ("lungs", "lung_gy"),
    ):
        rows.append([label, *(gy_text(getattr(one, key)) for one in columns)])
    return lines + text_table(rows)


def solution_lines(found: dict[str, Any], where: str) -> list[str]:
    """Return what the target needs, which limit binds, and whether both go together."""
    lines = [
        f"{found['target_gy']:g} Gy to {found['target_subject']} ({found['target_quantity']}) needs "
        f"{figure(found['wanted_gbq'])} GBq {where}"
    ]
    binding = found["binding"]
    if binding is None:
        lines.append("no limit binds: none was chosen (--disease, --spheres, --scenario, --limits)")
    elif binding["broken_before"]:
        lines.append(f"{_limit_words(binding)} is broken before this session: no activity")
    else:
        allowed = "any activity" if found["allowed_gbq"] is None else f"at most {figure(found['allowed_gbq'])} GBq"
        lines.append(f"{_limit_words(binding)} allows {allowed}")
    if found["feasible"]:
        return [*lines, "the target is reached within the limits"]
    given = figure(found["activity_gbq"])
    return [*lines, f"the target cannot be reached within the limits; figures below are for {given} GBq"]


def _limit_words(binding: dict[str, Any]) -> str:
    limit = binding["limit"]
    return f"{limit['quantity']} {limit['comparison']} {limit['value']:g} {limit['unit']} ({binding['subject']})"


def _sweep_lines(figures: dict[str, Any]) -> list[str]:
    if not figures["table"]:
        return []
    rows = [["GBq", "lowest tumour Gy", "normal perfused Gy", "normal liver Gy", "lungs Gy"]]
    for row in figures["table"]:
        keys = ("tumour_gy", "normal_perfused_gy", "normal_liver_gy", "lung_gy")
        rows.append([f"{row['activity_gbq']:.3f}", *(gy_text(row[key]) for key in keys)])
    return ["", f"Against the activity of session {figures['session']}", *text_table(rows)]
