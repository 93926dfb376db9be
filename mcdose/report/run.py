"""The report of one run: `mcdose dose` or `mcdose demo`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.citations import citations
from mcdose.report.contents import Layer, Report, Table
from mcdose.report.numbers import gbq, gy
from mcdose.report.times import time_facts, time_tables
from mcdose.report.treatment import treatment_part

if TYPE_CHECKING:
    from mcdose.case import Case
    from mcdose.dvh import Dvh
    from mcdose.result import DoseResult

DOSES = ("mean_gy", "sd_gy", "d95_gy", "d70_gy", "d50_gy", "max_gy")
DOSE_TO = {"medium": "medium of the voxel", "water": "water, in the medium"}
IMAGES = ("activity", "ct", "structures")  # keys of `Case.origin` that are paths
PATIENT = (("Patient", "PatientName"), ("Patient ID", "PatientID"), ("Birth date", "PatientBirthDate"))


def run_report(
    case: Case,
    result: DoseResult,
    summary: Mapping[str, Any],
    curves: dict[str, Dvh],
    scored: NDArray[np.bool_],
    *,
    method: str,
    patient: bool = False,
    when: bool = True,
    made: datetime | None = None,
) -> Report:
    """Gather the report of a run.

    Parameters
    ----------
    case, result, curves : what went in and came out
    summary : `mcdose.summary.summarise`
    scored : voxels with a reported dose
    method : its name for the reader
    patient : say whose dose this is, if the images do
    when : say when a treatment was administered, if the images do
    made : when; None = now
    """
    histories = f", {result.histories:,} histories" if result.histories else ""
    activity = f" of {gbq(case.origin['activity_bq'])}" if case.origin.get("activity_bq") else ""
    return Report(
        title=f"Radioembolization: {summary['nuclide']} dose"
        if summary["sirt"]
        else f"{summary['nuclide']} absorbed dose",
        lead=f"{method}{histories}, dose to {summary['dose_to']}, after an administration{activity}",
        facts=(
            *(patient_facts(case) if patient else ()),
            *result_facts(result, summary, method),
            *case_facts(case, summary),
            ("Made", (made or datetime.now().astimezone()).isoformat(" ", "minutes")),
        ),
        grid=case.grid,
        ct_hu=case.ct_hu,
        structures=case.structures,
        layers=run_layers(result, scored),
        curves={method: curves},
        dose_to=str(summary["dose_to"]),
        tables=(*((structure_table(summary),) if summary["structures"] else ()), *time_tables(case.origin)),
        balance=balance(result),
        warnings=without_folders(summary["warnings"], case),
        notes=tuple(summary["notes"]),
        references=tuple(citations(result).splitlines()),
        treatment=treatment_part(summary["sirt"], when=when) if summary["sirt"] else None,
    )


def run_layers(result: DoseResult, scored: NDArray[np.bool_], label: str = "") -> tuple[Layer, ...]:
    """Dose and, where there is one, relative uncertainty; NaN in voxels without a reported dose.

    `label` is what their names end with, where there are several methods.
    """
    unreported = np.float32("nan")
    layers = [
        Layer(
            f"Dose to {result.provenance['dose_to']}{label}", np.where(scored, result.dose_gy, unreported), "Gy", "dose"
        )
    ]
    if result.relative_uncertainty is not None:
        percent = np.where(scored, np.float32(100.0) * result.relative_uncertainty, unreported)
        layers.append(Layer(f"Relative uncertainty{label}", percent, "%", "uncertainty"))
    return tuple(layers)


def result_facts(result: DoseResult, summary: Mapping[str, Any], method: str) -> tuple[tuple[str, str], ...]:
    """Say how the dose was computed."""
    facts = [("Nuclide", str(summary["nuclide"])), ("Method", method), *kernel_facts(result)]
    if result.histories:
        facts.append(("Histories", f"{result.histories:,} in {result.seconds:.1f} s, seed {result.seed}"))
    versions = [f"mcdose {summary['mcdose_version']}"]
    versions += [
        f"{name} {result.provenance[name]}" for name in ("numba", "numpy", "python") if name in result.provenance
    ]
    return (
        *facts,
        ("Dose to", DOSE_TO.get(summary["dose_to"], f"{summary['dose_to']}, the medium of the kernel")),
        ("No dose reported", f"below {summary['density_floor_g_cm3']:g} g/cm³"),
        ("Device", result.device),
        ("Versions", ", ".join(versions)),
    )


def kernel_facts(result: DoseResult) -> tuple[tuple[str, str], ...]:
    """Say how a method without histories scales by density, and which kernels it folds with."""
    scaling, kernels = result.provenance.get("density_scaling"), result.provenance.get("kernels", ())
    if scaling is None:
        return ()
    facts = [("Density scaling", str(scaling))]
    if kernels:
        facts.append(("Kernels", kernel_names(kernels)))
    return tuple(facts)


def kernel_names(kernels: Iterable[Mapping[str, Any]]) -> str:
    """Media and densities of kernels."""
    return ", ".join(f"{kernel['medium']} at {kernel['density_g_cm3']:.3g} g/cm³" for kernel in kernels)


def case_facts(case: Case, summary: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Say what the dose was computed from; of paths the last part only."""
    origin = case.origin
    facts = [
        (label, last_part(origin[key]))
        for label, key in (("Activity", "activity"), ("CT", "ct"), ("Structures", "structures"))
        if origin.get(key)
    ]
    if origin.get("activity_bq"):
        facts.append(("Administered", f"{gbq(origin['activity_bq'])}, {summary['total_decays']:.4g} decays in place"))
    if origin.get("decay_correction"):
        facts.append(("Decay correction", str(origin["decay_correction"])))
    if origin.get("activity_from"):
        facts.append(("Activity from", str(origin["activity_from"])))
    facts += time_facts(origin, summary["total_decays"])
    if origin.get("registration"):
        moved = origin["registration"]
        facts.append(("Activity on the CT by", f"{moved['source']} ({moved['kind']})"))
    shape = " × ".join(str(size) for size in case.grid.shape)
    sides = " × ".join(f"{side:.5g}" for side in case.grid.voxel_mm)
    angle = "" if case.grid.upright else f"{case.grid.turn_deg:.1f}° from the patient's axes"
    turn = f", turned by {angle}; slices follow the grid" if angle else ""
    return (
        *facts,
        ("CT calibration", str(origin.get("calibration"))),
        ("Media", ", ".join(case.media)),
        ("Dose grid", f"{shape} voxels of {sides} mm (z, y, x){turn}"),
    )


def patient_facts(case: Case) -> tuple[tuple[str, str], ...]:
    """Say who the patient is, as far as the images do."""
    if case.series is None:
        return ()
    known = ((label, str(case.series.header.get(keyword, "") or "")) for label, keyword in PATIENT)
    return tuple((label, value) for label, value in known if value)


def structure_table(summary: Mapping[str, Any]) -> Table:
    """Figures of all structures, and their mean by local deposition where there is one."""
    structures, local = summary["structures"], summary["local_deposition"]
    noisy = any(figures["mean_uncertainty"] is not None for figures in structures.values())
    header = ["Structure", "Volume [mL]", "Mean [Gy]", "SD [Gy]", "D95 [Gy]", "D70 [Gy]", "D50 [Gy]", "Max. [Gy]"]
    header += ["Error of mean [%]"] * noisy + ["Mean by local deposition [Gy]"] * bool(local)
    rows = []
    for name, figures in structures.items():
        row = [name, f"{figures['volume_ml']:.1f}", *(gy(figures[key]) for key in DOSES)]
        if noisy:
            error = figures["mean_uncertainty"]
            row.append("–" if error is None else f"{100.0 * error:.2f}")
        if local:
            row.append(gy(local.get(name)))
        rows.append(tuple(row))
    notes = ["D95 is the dose that 95 % of the volume receives at least; SD is that of the voxels."]
    if noisy:
        notes.append(
            "The error is the standard error of the mean (1 sigma) of the simulation alone: it knows nothing of the "
            "errors of the images and the outlines."
        )
    if any(figures["below_floor_ml"] for figures in structures.values()):
        floor = summary["density_floor_g_cm3"]
        notes.append(f"Doses are over the voxels of {floor:g} g/cm³ and more; the volume is that of all voxels.")
    return Table(f"Dose to {summary['dose_to']} by structure", tuple(header), tuple(rows), " ".join(notes))


def balance(result: DoseResult) -> Table | None:
    """Where the energy of the histories went; None for methods without histories."""
    quanta = result.energy_quanta
    if quanta is None or not quanta["emitted"]:
        return None
    emitted = quanta["emitted"]
    left = emitted - quanta["deposited"] - quanta["escaped"]
    parts = {
        "Emitted": emitted,
        "Deposited": quanta["deposited"],
        "Escaped": quanta["escaped"],
        "Unaccounted for": left,
    }
    rows = tuple((name, f"{part / 2**32:,.1f}", f"{100.0 * part / emitted:.4f}") for name, part in parts.items())
    note = "Each is tallied on its own, in exact integers: emitted = deposited + escaped."
    return Table("Energy of the histories", ("Energy", "MeV", "% of emitted"), rows, note)


def without_folders(sentences: Iterable[str], case: Case) -> tuple[str, ...]:
    """Cut the paths of the images in sentences down to their last part."""
    paths = [str(case.origin[key]) for key in IMAGES if case.origin.get(key)]
    paths += [point["path"] for point in case.origin.get("time_points", {}).get("points", ())]
    folders = {path[: -len(last_part(path))] for path in paths}
    return tuple(_without(sentence, folders) for sentence in sentences)


def _without(sentence: str, folders: Iterable[str]) -> str:
    for folder in sorted(filter(None, folders), key=len, reverse=True):
        sentence = sentence.replace(folder, "")
    return sentence


def last_part(path: str | Path) -> str:
    """Last part of a path."""
    return Path(path).name or str(path)
