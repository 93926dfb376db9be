"""Tables of sessions, of the activity for a dose and of the biological effect, from `mcdose.sirt.assessment`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcdose.report.contents import Table
from mcdose.report.numbers import four_digits, gy, with_uncertainty
from mcdose.sirt.earlier import STATED
from mcdose.sirt.sweep import SIGNS
from mcdose.sirt.voxel import NORMAL_LIVER


def sessions_table(figures: Mapping[str, Any]) -> Table | None:
    """Return mean doses of earlier sessions, of this one and together; None without earlier ones."""
    sessions = figures["sessions"]
    if not sessions:
        return None
    names = [session_name(one, place) for place, one in enumerate(sessions, 1)]
    rows = [
        (
            one["name"],
            *(_given(session, one["name"]) for session in sessions),
            gy(one["voxel"]["mean_gy"]),
            with_uncertainty(one["together_gy"], one["relative_uncertainty"] * one["together_gy"]),
        )
        for one in figures["tissues"]
        if one["together_gy"] is not None
    ]
    told = "; ".join(f"{name}: {_told(one)}" for name, one in zip(names, sessions, strict=True))
    note = f"{told}. Earlier doses are taken to be as uncertain as this one, with errors that go together."
    return Table(
        "Mean dose over all sessions [Gy]", ("Tissue", *names, "This session", "Together ± u"), tuple(rows), note
    )


def _given(session: Mapping[str, Any], tissue: str) -> str:
    dose = session["means_gy"].get(tissue, 0.0)
    return f"{dose:g}" if session["name"] == STATED else gy(dose)


def session_name(session: Mapping[str, Any], place: int) -> str:
    """Return what the page calls an earlier session."""
    return f"Earlier, {STATED}" if session["name"] == STATED else f"Earlier {place}"


def _told(session: Mapping[str, Any]) -> str:
    if session["name"] == STATED:
        return "means that were given; a tissue without one counts as 0 Gy"
    return f"{Path(session['name']).name}, {session['nuclide']}"


def solution_table(figures: Mapping[str, Any], quantities: Mapping[str, str]) -> Table | None:
    """Return the activity for the dose that is aimed at, which limit binds, and the doses; None without an aim.

    Parameters
    ----------
    figures : `mcdose.sirt.assessment.assess`
    quantities : what the page calls the quantities of limits
    """
    found = figures["solution"]
    if found is None:
        return None
    wanted = f"{quantities[found['target_quantity']]} of {found['target_gy']:g} Gy"
    rows = [
        (
            f"{wanted} ({found['target_subject']} needs most)",
            f"{four_digits(found['wanted_gbq'])}\xa0GBq",
        ),
        _binding(found["binding"], quantities),
    ]
    rows.append(
        (
            "Aim within the limits",
            "yes" if found["feasible"] else "no: the doses below are those of the activity allowed",
        )
    )
    rows.append(
        ("Activity", f"{four_digits(found['activity_gbq'])}\xa0GBq, {found['factor']:.3g} times that in the images")
    )
    for quantity in ("tumour_gy", "perfused_gy", "normal_perfused_gy", "normal_liver_gy", "lung_gy"):
        for name, dose in found["doses"].get(quantity, {}).items():
            if quantity == "normal_perfused_gy" and name == NORMAL_LIVER:
                continue  # the NTAD says so
            rows.append((f"{quantities[quantity]}: {name}", f"{gy(dose)}\xa0Gy{_of_it(quantity, name, found)}"))
    note = (
        "The distribution of the images, more or less of it: an activity at administration, delivered. It informs and "
        "does not prescribe."
    )
    return Table("Activity for a dose", ("What", "Figure"), tuple(rows), note, words=(1,))


def _binding(binding: Mapping[str, Any] | None, quantities: Mapping[str, str]) -> tuple[str, str]:
    if binding is None:
        return "Limit that allows least", "none was chosen"
    limit = binding["limit"]
    bound = f"{SIGNS[limit['comparison']]} {limit['value']:g}\xa0{limit['unit']}"
    words = f"{quantities[limit['quantity']]} {bound} ({binding['subject']})"
    if binding["broken_before"]:
        return "Limit that allows least", f"{words}: broken before this session, no activity"
    if binding["activity_gbq"] is None:
        return "Limit that allows least", f"{words}: any activity"
    return "Limit that allows least", f"{words}: {four_digits(binding['activity_gbq'])}\xa0GBq"


def _of_it(quantity: str, name: str, found: Mapping[str, Any]) -> str:
    earlier = found["earlier_gy"].get(name, 0.0)
    return f", {gy(earlier)}\xa0Gy of it earlier" if earlier and quantity in ("tumour_gy", "perfused_gy") else ""


def effect_table(figures: Mapping[str, Any]) -> Table | None:
    """Return BED and EQD2 of lesions and normal liver; None where there is none."""
    effect = figures["effect"]
    if not effect["tissues"]:
        return None
    of = {one["name"]: one for one in effect["parameters"]}
    means = {one["name"]: one["voxel"]["mean_gy"] for one in figures["tissues"]}
    together = any(one["together_bed_gy"] is not None for one in effect["tissues"])
    rows = [
        (
            one["name"],
            f"{of[one['parameters']]['alpha_beta_gy']:g}",
            f"{of[one['parameters']]['repair_half_time_h']:g}",
            f"{one['lea_catcheside']:.4f}",
            *(gy(value) for value in (means[one["name"]], one["mean_bed_gy"], one["mean_eqd2_gy"])),
            *([gy(one[key]) for key in ("together_bed_gy", "together_eqd2_gy")] if together else []),
        )
        for one in effect["tissues"]
    ]
    header = ["Tissue", "α/β [Gy]", "T_rep [h]", "G", "Mean dose [Gy]", "Mean BED [Gy]", "EQD2 [Gy]"]
    header += ["BED, all sessions [Gy]", "EQD2, all sessions [Gy]"] if together else []
    return Table("BED and EQD2", tuple(header), tuple(rows), _effect_note(figures, effect))


def _effect_note(figures: Mapping[str, Any], effect: Mapping[str, Any]) -> str:
    sources = "; ".join(dict.fromkeys(one["source"] for one in effect["parameters"]))
    note = (
        "BED = D (1 + G D / (α/β)) in each voxel, then its mean; G = T_rep / (T_rep + T_half), T_half "
        f"{effect['half_life_h']:.4g} h; EQD2 = BED / (1 + 2 Gy / (α/β)). T_rep: half-time of repair. Parameters: "
        f"{sources}, as the literature quotes them; they differ between authors by more than most doses do. Limits are "
        "of absorbed dose, not of these."
    )
    return (
        note
        + _noise(effect["tissues"])
        + _sessions(figures, effect["tissues"])
        + _complication(figures, effect["ntcp"])
    )


def _noise(tissues: Sequence[Mapping[str, Any]]) -> str:
    biases = [one["noise_bias_gy"] for one in tissues if one["noise_bias_gy"] is not None]
    return f" Noise of the voxels raises mean BED by up to {max(biases):.2g} Gy." if biases else ""


def _sessions(figures: Mapping[str, Any], tissues: Sequence[Mapping[str, Any]]) -> str:
    if not figures["sessions"]:
        return ""
    if any(one["together_bed_gy"] is None for one in tissues):
        return " Of an earlier session the half-life is not known, so that its BED is not: mcdose bed takes it."
    return " Earlier sessions: BED of their mean doses, which is at most their mean BED."


def _complication(figures: Mapping[str, Any], model: Mapping[str, Any] | None) -> str:
    others = "EUD and TCP need parameters of yours (mcdose bed)."
    if model is None:
        why = "with earlier sessions" if figures["sessions"] else "for these spheres"
        return f" No complication probability (NTCP): no model that ships holds {why}. {others}"
    parameters = f"n {model['n']:g}, m {model['m']:g}, TD50 {model['td50_gy']:g} Gy; {model['source']}"
    percent = f"{100.0 * model['probability']:.2g} %"
    return f" NTCP of the normal liver by {model['name']}: {percent} ({model['endpoint']}; {parameters}). {others}"
