"""What the report says of a radioembolization, from the figures of `mcdose.sirt.assessment`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcdose.report.contents import Figure, Table, TreatmentPart
from mcdose.report.numbers import four_digits, gy, with_uncertainty
from mcdose.report.treatment_effect import effect_table, sessions_table, solution_table
from mcdose.sirt.limit import BINDING_ROLES, Limit, is_near
from mcdose.sirt.reasons import signed_percent
from mcdose.sirt.sweep import SIGNS, Row, drawing

NONE = "–"
QUANTITIES = {
    "tumour_gy": "TAD",
    "perfused_gy": "Perfused volume",
    "normal_perfused_gy": "Normal perfused liver",
    "normal_liver_gy": "NTAD",
    "normal_liver_cumulative_gy": "NTAD, all sessions",
    "lung_gy": "Lungs",
    "lung_cumulative_gy": "Lungs, all sessions",
    "lung_shunt": "Lung shunt",
}
MARKS = {"met": "✓ met", "not met": "✗ NOT MET", "not judged": "? not judged"}
ROLES = ("constraint", "goal", "threshold", "reference")
TERMS = {
    "monte_carlo_noise": "Monte Carlo noise",
    "activity_calibration": "Activity calibration",
    "volume": "Volume, outline",
    "volume_in_counts": "Volume of a lesion, by its counts",
    "volume_in_recovery": "Volume of a lesion, by its recovery",
    "volume_in_dose_factor": "Volume of a lesion, by its mass",
    "partial_volume": "Partial volume, blur",
    "self_absorption": "Self-absorption in the spheres",
    "beta_spectrum": "Beta spectrum",
}
METHODS = {"monte-carlo": "Monte Carlo", "voxel-kernel": "voxel kernel", "local-deposition": "local deposition"}
FEW = 4  # lesions that have a row each for each limit
APART = 0.005  # from which another constant is told of
NOISY = 0.3  # of the SD, from which the noise of single voxels is told
LESIONS = "lesion"
DRAWING_NOTE = (
    "Voxel doses, in proportion to activity: the same distribution, more or less of it. Of the lesions, the one that "
    "gets least. Thin lines: goals and constraints."
)
WITH_EARLIER = " The lesion with what earlier sessions gave, normal liver and lungs without."
ACROSS = "Activity in the images, at administration [GBq]"


def treatment_part(figures: Mapping[str, Any], *, when: bool = True) -> TreatmentPart:
    """Gather what the page says of a treatment.

    Parameters
    ----------
    figures : `mcdose.sirt.assessment.assess`
    when : say when it was administered, if that is known
    """
    said = figures["treatment"]
    sources = tuple(dict.fromkeys(one["citation"] for one in figures["limits"]))
    return TreatmentPart(
        figures=_first(figures),
        facts=_facts(figures, when=when),
        tissues=_tissues(figures["tissues"]),
        limits=_limits(figures, sources) if figures["limits"] else None,
        lungs=_lungs(figures["lungs"]) if figures["lungs"] else None,
        recovery=_recovery(figures["tissues"]),
        sessions=sessions_table(figures),
        solution=solution_table(figures, QUANTITIES),
        effect=effect_table(figures),
        no_effect=figures["effect"]["why_not"] or "",
        compartments=_compartments(figures),
        reasons=tuple((one["name"], one["why"]) for one in figures["tissues"]),
        budget=_budget(figures),
        lesions=tuple(said["tumours"]),
        around=tuple(dict.fromkeys(said[key] for key in ("liver", "perfused", "lungs") if said[key])),
        drawing=_drawing(figures),
        drawing_note=DRAWING_NOTE + (WITH_EARLIER if figures["sessions"] else ""),
        assumptions=tuple(figures["assumptions"]),
        sources=sources,
        notice=figures["notice"],
    )


def _first(figures: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Return the figures to be seen first: the lowest lesion, normal liver, lungs, and how many limits are met."""
    tissues = figures["tissues"]
    lesions = [one for one in tissues if one["kind"] == LESIONS]
    lowest = min(lesions, key=lambda one: one["voxel"]["mean_gy"])
    title = "TAD, lowest of the lesions" if len(lesions) > 1 else "TAD, the lesion"
    found = [Figure(title, f"{_mean(lowest)} Gy", lowest["name"] + _with_earlier(lowest))]
    for kind, label in (("normal liver", "NTAD"), ("perfused volume", "Perfused volume"), ("lungs", "Lungs")):
        one = next((one for one in tissues if one["kind"] == kind), None)
        if one:
            found.append(
                Figure(
                    label, f"{_mean(one)} Gy", f"{one['name']}, {one['voxel']['volume_ml']:.0f} mL{_with_earlier(one)}"
                )
            )
    binding = [one for one in figures["limits"] if one["verdict"] in ("met", "not met")]
    if binding:
        missed = dict.fromkeys(QUANTITIES[one["quantity"]] for one in binding if not one["met"])
        met = sum(one["met"] for one in binding)
        left = any(one["verdict"] == "not judged" and one["role"] in BINDING_ROLES for one in figures["limits"])
        words = f"not met: {', '.join(missed)}" if missed else "others could not be judged" if left else "all of them"
        near = sum(_is_near(one) for one in binding)
        words += f"; {near} closer to the limit than u" if near else ""
        found.append(Figure("Constraints and goals", f"{'✗' if missed else '✓'} {met} of {len(binding)} met", words))
    return tuple(found)


def _with_earlier(one: Mapping[str, Any]) -> str:
    return f"; all sessions {gy(one['together_gy'])} Gy" if one["earlier_gy"] else ""


def _facts(figures: Mapping[str, Any], *, when: bool) -> tuple[tuple[str, str], ...]:
    said = figures["treatment"]
    spheres = said["spheres_label"] or "not said"
    histories = f", {said['histories']:,} histories" if said["histories"] else ""
    chosen = [said[key] for key in ("disease", "scenario") if said[key] != "any"]
    facts = [
        ("Spheres", f"{spheres}, {said['nuclide']}"),
        ("Disease, scenario", ", ".join(chosen) or "not said"),
        ("Activity in the images", f"{four_digits(said['activity_gbq'])} GBq at administration"),
    ]
    if said["injected_gbq"] is not None:
        facts.append(("Activity in the header", f"{four_digits(said['injected_gbq'])} GBq injected"))
    if when and said["administered"]:
        facts.append(("Administered", str(said["administered"]).replace("T", " ")))
    return (
        *facts,
        ("Earlier sessions", _sessions(figures["sessions"])),
        ("Method", f"{METHODS[said['method']]}{histories}, dose to {said['dose_to']}"),
        ("Liver", said["liver"]),
        ("Lesions", ", ".join(said["tumours"])),
        ("Perfused volume", said["perfused"] or "not named"),
        ("Lungs", said["lungs"] or "not named"),
        ("Constant k", _constant(said["gy_kg_per_gbq"], said["spheres_gy_kg_per_gbq"])),
    )


def _constant(used: float, of_spheres: float | None) -> str:
    other = of_spheres is not None and abs(of_spheres / used - 1.0) > APART
    return f"{used:.5g} Gy kg/GBq" + (f"; that of the spheres' maker is {of_spheres:.5g}" if other else "")


def _sessions(sessions: Sequence[Mapping[str, Any]] | None) -> str:
    if not sessions:
        return "not said" if sessions is None else "none"
    return ", ".join(Path(one["name"]).name for one in sessions)


def _tissues(tissues: Sequence[Mapping[str, Any]]) -> Table:
    levels = list(tissues[0]["voxel"]["v"])
    header = ["Tissue", "Volume [mL]", "Mean ± u [Gy]", "SD [Gy]", "D95 [Gy]", "D70 [Gy]", "D50 [Gy]"]
    rows = []
    for one in tissues:
        voxel = one["voxel"]
        rows.append(
            (
                _titled(one),
                f"{voxel['volume_ml']:.1f}",
                _mean(one),
                *(gy(voxel[key]) for key in ("sd_gy", "d95_gy", "d70_gy", "d50_gy")),
                *(f"{100.0 * share:.1f}" for share in voxel["v"].values()),
            )
        )
    note = (
        "u: standard uncertainty of the mean (k = 1) from the budget below, not the spread of the dose, which is SD. "
        "D95: dose that 95 % of the volume gets at least."
        + (f" V{levels[0]}: part of the volume that gets at least {levels[0]} Gy." if levels else "")
        + _noise(tissues)
    )
    header += [f"V{level} [%]" for level in levels]
    return Table("Dose by voxels: lesions (TAD), normal liver (NTAD), lungs", tuple(header), tuple(rows), note)


def _recovery(tissues: Sequence[Mapping[str, Any]]) -> Table | None:
    """Return the doses of lesions over their recovery; None where that is not known."""
    rows = tuple(
        (
            one["name"],
            f"{one['recovery']['value']:.3f}",
            gy(one["voxel"]["mean_gy"]),
            with_uncertainty(one["recovered_gy"], one["relative_uncertainty"] * one["recovered_gy"]),
        )
        for one in tissues
        if "recovery" in one
    )
    note = (
        "D_N + (D − D_N) / R, with D_N of the normal liver: the mean dose if the image had no blur, as of the sphere "
        "of this volume. It is held against no limit."
    )
    header = ("Lesion", "Recovery R", "Mean [Gy]", "Without blur ± u [Gy]")
    return Table("Lesions without the blur of the image", header, rows, note) if rows else None


def _noise(tissues: Sequence[Mapping[str, Any]]) -> str:
    """Say where the noise of single voxels is much of the spread."""
    noisy = [one for one in tissues if (one["voxel_noise_gy"] or 0.0) > NOISY * one["voxel"]["sd_gy"]]
    if not noisy:
        return ""
    of = ", ".join(
        f"{one['name']} {one['voxel_noise_gy']:.2g} Gy of SD {one['voxel']['sd_gy']:.2g} Gy" for one in noisy
    )
    return (
        f" Noise of single voxels widens SD, lowers D95 and blurs V, but not means: {of}; more histories make it less."
    )


def _titled(one: Mapping[str, Any]) -> str:
    name, kind = one["name"], one["kind"]
    if kind == LESIONS:
        return f"{name} (TAD)"
    if name == "normal liver":
        return f"{name} (NTAD)"
    return name if kind in name else f"{name} ({kind})"


def _limits(figures: Mapping[str, Any], sources: Sequence[str]) -> Table:
    said = figures["treatment"]
    header = ("Limit", "Of", "Figure", "Verdict", "Kind", "Evidence", "Reached at [GBq]", "Source")
    rows = []
    for entries in _grouped(figures["limits"]):
        first = entries[0]
        evidence = first["evidence"] + ("" if first["checked"] else ", unchecked")
        place = f"[{sources.index(first['citation']) + 1}]"
        few = FEW if first["role"] in BINDING_ROLES else 1
        texts = [_together(entries)] if len(entries) > few else [_alone(one) for one in entries]
        for of, figure, verdict, activity in texts:
            rows.append((_limit(first), of, figure, verdict, first["role"], evidence, activity, place))
    chosen = ", ".join(said[key] for key in ("disease", "spheres", "scenario") if said[key] != "any")
    note = (
        f"Limits for {chosen or 'any disease, spheres and scenario'}. Constraints and goals count; thresholds (where a "
        "study saw response) and references (what one compartment aims at) are shown only. Within u: the figure is "
        "closer to the limit than its uncertainty. TAD and perfused volume count over all sessions. Unchecked: "
        "passed on and not read in the publication. Reached at: activity at which the figure is at the limit, for "
        "this distribution; before: by earlier sessions."
    )
    return Table("Figures against limits", header, tuple(rows), note, words=(1, 3, 4, 5))


def _grouped(limits: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Put the entries of one limit together, constraints first."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for one in sorted(limits, key=lambda one: ROLES.index(one["role"])):
        key = tuple(one[name] for name in ("quantity", "comparison", "value", "role", "citation", "note", "scenario"))
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def _limit(one: Mapping[str, Any]) -> str:
    unit = "" if one["unit"] == "1" else f" {one['unit']}"
    note = f": {one['note']}" if one["note"] else ""
    return f"{QUANTITIES[one['quantity']]} {SIGNS[one['comparison']]} {one['value']:g}{unit}{note}"


def _alone(one: Mapping[str, Any]) -> tuple[str, str, str, str]:
    if one["figure"] is None:
        return (one["subject"] or NONE, NONE, f"{MARKS['not judged']}: {one['reason']}", NONE)
    if one["unit"] != "Gy":
        return one["subject"], f"{one['figure']:.3g}", _verdict(one), NONE
    figure = f"{with_uncertainty(one['figure'], one['standard_uncertainty'])}\xa0Gy"
    return one["subject"], figure, _verdict(one), NONE if one["activity_gbq"] is None else _gbq(one["activity_gbq"])


def _verdict(one: Mapping[str, Any]) -> str:
    if one["role"] not in BINDING_ROLES:
        reached = one["met"] if one["comparison"] == ">=" else not one["met"]
        return f"○ shown only: {'reached' if reached else 'not reached'}"
    return MARKS[one["verdict"]] + (", within u" if _is_near(one) else "")


def _is_near(one: Mapping[str, Any]) -> bool:
    """Tell whether a figure is closer to its limit than its standard uncertainty."""
    return is_near(one["figure"], one["value"], one["standard_uncertainty"])


def _together(entries: Sequence[Mapping[str, Any]]) -> tuple[str, str, str, str]:
    """Say of several lesions in one row how many keep to a limit, and which do not."""
    missed = [one["subject"] for one in entries if not one["met"]]
    which = f"; not {', '.join(missed)}" if missed and len(missed) < len(entries) else ""
    count = f"{len(entries) - len(missed)} of {len(entries)}"
    if entries[0]["role"] in BINDING_ROLES:
        near = [one["subject"] for one in entries if _is_near(one)]
        within = f"; within u {', '.join(near)}" if near else ""
        verdict = f"{MARKS['not met' if missed else 'met']}: {count}{which}{within}"
    else:
        verdict = f"○ shown only: {count}{' reached' if entries[0]['comparison'] == '>=' else ''}{which}"
    least, most = min(entries, key=_figure), max(entries, key=_figure)
    ends = [one["activity_gbq"] for one in entries if one["activity_gbq"] is not None]
    activity = f"{_gbq(min(ends))} to {_gbq(max(ends))}" if ends else NONE
    return f"{len(entries)} lesions", f"{_short(least)} to {_short(most)}\xa0Gy", verdict, activity


def _figure(one: Mapping[str, Any]) -> float:
    return float(one["figure"])


def _short(one: Mapping[str, Any]) -> str:
    return with_uncertainty(one["figure"], one["standard_uncertainty"]).partition("\xa0")[0]


def _lungs(lungs: Mapping[str, Any]) -> Table:
    shunt = NONE if lungs["shunt"] is None else f"{100.0 * lungs['shunt']:.2f} % of lungs and liver"
    rows = (
        ("Activity in the lungs, by the image", shunt),
        ("Mean dose by voxels, held against the limits", f"{gy(lungs['mean_gy'])} Gy"),
        (
            f"All energy left in their own mass, {lungs['mass_kg']:.3g} kg within the outline",
            f"{gy(lungs['own_mass_gy'])} Gy",
        ),
        ("All energy left in 1 kg (MIRD)", f"{gy(lungs['one_kg_gy'])} Gy"),
    )
    excess = lungs["grid_mass_kg"] / lungs["mass_kg"] - 1.0
    note = (
        f"Their mass is that of {lungs['mass_from']}. On the dose grid, whose voxels at their border hold "
        f"some of what is next to them it is {lungs['grid_mass_kg']:.3g} kg, {signed_percent(excess)}: the compartment "
        "of the lungs below has that mass, and as much less dose."
    )
    notes = [note] if lungs["mass_from"] != "the dose grid" else []
    if lungs["cut"]:
        notes.append(
            f"The grid cuts the lungs ({', '.join(lungs['cut'])}): activity beyond it is missing, so that the "
            "shunt, and the dose in 1 kg (both whole lungs), are too low."
        )
    return Table("Lungs: shunt, and dose by three ways", (lungs["name"], "Figure"), rows, " ".join(notes))


def _compartments(figures: Mapping[str, Any]) -> Table:
    header = (
        *("Tissue", "Mass [g]", "Activity [MBq]", "Ratio to normal liver", "Compartment [Gy]", "Voxels [Gy]"),
        *("Difference", "Energy left in it [%]"),
    )
    rows = tuple(
        (
            one["name"],
            four_digits(1000.0 * one["mass_kg"]),
            four_digits(1000.0 * one["activity_gbq"]),
            NONE if one["ratio"] is None else f"{one['ratio']:.2f}",
            gy(one["compartment_gy"]),
            gy(one["voxel"]["mean_gy"]),
            NONE if one["difference"] is None else signed_percent(one["difference"]),
            NONE if one["retained"] is None else f"{100.0 * one['retained']:.1f}",
        )
        for one in figures["tissues"]
    )
    note = (
        "Compartment: k × activity / mass, with mass, activity and ratio of this case. Difference: compartment over "
        "voxels, less 1. Energy left in it: by the dose map, over k × activity."
    )
    return Table("Compartments (MCD) beside voxels", header, rows, note)


def _budget(figures: Mapping[str, Any]) -> Table:
    rows = [
        (
            TERMS.get(term["name"], term["name"].replace("_", " ")),
            _span(term["least"], term["most"]),
            ("assumed: " if term["assumed"] else "") + term["source"],
        )
        for term in figures["budget"]
    ]
    combined = [one["relative_uncertainty"] for one in figures["tissues"]]
    pairs = [
        2.0 * sum(pair["relative"] for pair in one["covariances"]) for one in figures["tissues"] if "recovery" in one
    ]
    if pairs:
        least, most = (f"{1e4 * value:+.2g}" for value in (min(pairs), max(pairs)))
        span = f"{least if least == most else f'{least} to {most}'} %²"
        rows.append(("Covariances of a lesion’s volume terms, twice", span, "one volume, in three factors of the dose"))
    how = "root of the sum of squares" + (" and covariances, by tissue" if pairs else "")
    rows.append(("Combined", _span(min(combined), max(combined)), how))
    note = (
        "Relative standard uncertainties (k = 1) of a mean dose, after Gear et al., Eur. J. Nucl. Med. Mol. Imaging 45 "
        "(2018) 2456."
    )
    return Table("Uncertainty budget", ("Term", "Relative [%]", "From"), tuple(rows), note, words=(2,))


def _span(least: float, most: float) -> str:
    low, high = (f"{100.0 * value:.2g}" for value in (least, most))
    return low if low == high else f"{low} to {high}"


def _drawing(figures: Mapping[str, Any]) -> str:
    rows = [Row(**row) for row in figures["activity_curve"]]
    if len(rows) < 2:
        return ""
    keys = (
        "quantity",
        "comparison",
        "value",
        "context",
        "device",
        "scenario",
        "role",
        "evidence",
        "citation",
        "checked",
    )
    limits = [Limit(**{key: one[key] for key in keys}) for one in figures["limits"] if one["activity_gbq"] is not None]
    end = rows[-1].activity_gbq
    near = {(one["quantity"], one["value"]) for one in figures["limits"] if (one["activity_gbq"] or 2 * end) <= end}
    limits = [one for one in limits if (one.quantity, one.value) in near]
    return drawing(rows, limits, figures["treatment"]["activity_gbq"], across=ACROSS, inline=True)


def _mean(one: Mapping[str, Any]) -> str:
    return with_uncertainty(one["voxel"]["mean_gy"], one["standard_uncertainty_gy"])


def _gbq(value: float) -> str:
    if value == 0.0:
        return "before"
    return f"{value:.3g}" if value < 1000.0 else f"{value:.0f}"
