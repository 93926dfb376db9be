"""The report of `mcdose compare`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.citations import citations
from mcdose.methods import MAIN, WAYS
from mcdose.report.contents import Layer, Report, Table
from mcdose.report.numbers import gbq, gy
from mcdose.report.run import (
    balance,
    case_facts,
    kernel_names,
    patient_facts,
    result_facts,
    run_layers,
    without_folders,
)
from mcdose.report.times import time_tables

if TYPE_CHECKING:
    from mcdose.case import Case
    from mcdose.dvh import Dvh
    from mcdose.methods import Way
    from mcdose.result import DoseResult

REFERENCE, *EVALUATED = MAIN
SHOWN_V_GY = ("30", "70", "100", "150", "200")
NONE = "–"


def comparison_report(
    case: Case,
    results: Mapping[Way, DoseResult],
    summary: Mapping[str, Any],
    curves: Mapping[str, dict[str, Dvh]],
    scored: NDArray[np.bool_],
    *,
    patient: bool = False,
    made: datetime | None = None,
) -> Report:
    """Gather the report of a comparison.

    Parameters
    ----------
    case, results : what went in and came out
    summary, curves : `mcdose.comparison_summary.summarise_comparison`
    scored : voxels with a reported dose
    patient : say whose dose this is, if the images do
    made : when; None = now
    """
    reference = results[REFERENCE]
    activity = f" of {gbq(case.origin['activity_bq'])}" if case.origin.get("activity_bq") else ""
    layers = [layer for way in MAIN for layer in run_layers(results[way], scored, f", {way.short}")]
    for way in EVALUATED:
        difference = np.where(scored, results[way].dose_gy - reference.dose_gy, np.float32("nan"))
        layers.append(Layer(f"{way.short} less Monte Carlo", difference, "Gy", "difference"))
    structures = bool(summary["methods"][REFERENCE.key]["structures"])
    tables = [means(summary), scalings(summary), volumes(summary)] if structures else []
    tables += [gammas(summary), *([gammas_by_structure(summary)] if structures else []), isodoses(summary)]
    tables += time_tables(case.origin)
    return Report(
        title=f"{summary['nuclide']} absorbed dose by three methods",
        lead=f"Monte Carlo with {reference.histories:,} histories, convolution and local deposition, dose to "
        f"{summary['dose_to']}, after an administration{activity}",
        facts=(
            *(patient_facts(case) if patient else ()),
            *result_facts(reference, summary, REFERENCE.label),
            *kernels(summary),
            *case_facts(case, summary),
            ("Made", (made or datetime.now().astimezone()).isoformat(" ", "minutes")),
        ),
        grid=case.grid,
        ct_hu=case.ct_hu,
        structures=case.structures,
        layers=tuple(layers),
        curves={way.short: curves[way.key] for way in MAIN if curves[way.key]},
        dose_to=str(summary["dose_to"]),
        tables=tuple(tables),
        balance=balance(reference),
        warnings=without_folders(summary["warnings"], case),
        notes=tuple(summary["notes"]),
        references=tuple(dict.fromkeys(line for result in results.values() for line in citations(result).splitlines())),
    )


def kernels(summary: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Say which kernels were folded with."""
    found = []
    for way in WAYS:
        used = summary["methods"][way.key]["kernels"]
        if used:
            found.append((way.label, kernel_names(used)))
    return tuple(found)


def means(summary: Mapping[str, Any]) -> Table:
    """Mean doses of the main methods, and how far they are from Monte Carlo."""
    header = ["Structure", "Volume [mL]"]
    for way in MAIN:
        header += [f"{way.short} [Gy]", *(["Difference [%]"] if way is not REFERENCE else ["Error [%]"])]
    rows = []
    for name, figures in _structures(summary, REFERENCE).items():
        row = [name, f"{figures['volume_ml']:.1f}"]
        for way in MAIN:
            mine = _structures(summary, way)[name]
            beside = mine["mean_uncertainty"] if way is REFERENCE else mine["mean_difference"]
            row += [gy(mine["mean_gy"]), _percent(beside, signed=way is not REFERENCE)]
        rows.append(tuple(row))
    note = (
        "Differences are from Monte Carlo; its error is the standard error of the mean (1 sigma). Voxel kernel and "
        "local deposition are those that take the mass from the voxel's density."
    )
    return Table("Mean dose", tuple(header), tuple(rows), note)


def scalings(summary: Mapping[str, Any]) -> Table:
    """How far every way is from Monte Carlo, by structure."""
    ways = [way for way in WAYS if way is not REFERENCE]
    rows = [
        (name, *(_percent(_structures(summary, way)[name]["mean_difference"], signed=True) for way in ways))
        for name in _structures(summary, REFERENCE)
    ]
    header = ("Structure", *(f"{way.label}{f' ({way.source})' if way.source else ''}" for way in ways))
    note = "What each does with density: docs/comparison.md."
    title = "Mean dose of every way to scale by density, difference from Monte Carlo [%]"
    return Table(title, header, tuple(rows), note)


def volumes(summary: Mapping[str, Any]) -> Table:
    """D and V of the main methods."""
    header = ("Structure, method", "D95 [Gy]", "D70 [Gy]", "D50 [Gy]", *(f"V{level} [%]" for level in SHOWN_V_GY))
    rows = []
    for name in _structures(summary, REFERENCE):
        for way in MAIN:
            figures = _structures(summary, way)[name]
            shares = figures.get("v", {})
            rows.append(
                (
                    f"{name}, {way.short}",
                    *(gy(figures[key]) for key in ("d95_gy", "d70_gy", "d50_gy")),
                    *(_percent(shares.get(level)) for level in SHOWN_V_GY),
                )
            )
    note = "V70 is the part of the volume that receives at least 70 Gy."
    return Table("Dose and volume", header, tuple(rows), note)


def gammas(summary: Mapping[str, Any]) -> Table:
    """Pass rates of gamma over the grid."""
    header = ("Method", "Global [%]", "Global, with noise [%]", "Local [%]", "Local, with noise [%]", "Voxels judged")
    rows = []
    for way in EVALUATED:
        pair = summary["comparisons"][way.key]
        rates = (pair[kind][rate] for kind in ("global", "local") for rate in ("pass_rate", "widened_pass_rate"))
        rows.append((way.short, *map(_percent, rates), f"{pair['voxels_judged']:,}"))
    pair = summary["comparisons"][EVALUATED[0].key]
    note = (
        f"Gamma of at most 1 against Monte Carlo, {_criteria(summary)}, in voxels above {100 * pair['threshold']:.0f} "
        f"% of the largest dose, {gy(pair['normalisation_gy'])} Gy. With noise: the dose criterion widened by two "
        f"standard errors, whose median is {_percent(pair['median_uncertainty'])} % there."
    )
    return Table("Gamma", header, tuple(rows), note)


def gammas_by_structure(summary: Mapping[str, Any]) -> Table:
    """Pass rates of gamma by structure."""
    header = ["Structure"]
    for way in EVALUATED:
        header += [f"{way.short}, {kind} [%]" for kind in ("global", "local")]
    rows = []
    for name in _structures(summary, REFERENCE):
        pairs = [summary["comparisons"][way.key] for way in EVALUATED]
        rates = (pair[kind]["structures"].get(name) for pair in pairs for kind in ("global", "local"))
        rows.append((name, *map(_percent, rates)))
    note = f"{_criteria(summary)}; of the voxels at least half inside that are judged."
    return Table("Gamma by structure", tuple(header), tuple(rows), note)


def isodoses(summary: Mapping[str, Any]) -> Table:
    """Dice coefficients of the volumes within isodoses."""
    rows = []
    for level in summary["comparisons"][EVALUATED[0].key]["dice"]:
        values = [summary["comparisons"][way.key]["dice"][level] for way in EVALUATED]
        rows.append((f"{level} Gy", *(NONE if value is None else f"{value:.3f}" for value in values)))
    note = "Of the volumes that receive at least the dose, by the method and by Monte Carlo; 1 where they are the same."
    return Table("Dice coefficient of isodoses", ("Isodose", *(way.short for way in EVALUATED)), tuple(rows), note)


def _structures(summary: Mapping[str, Any], way: Way) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = summary["methods"][way.key]["structures"]
    return found


def _criteria(summary: Mapping[str, Any]) -> str:
    pair = summary["comparisons"][EVALUATED[0].key]
    return f"{pair['gamma_percent']:g} % / {pair['gamma_mm']:g} mm"


def _percent(share: float | None, *, signed: bool = False) -> str:
    if share is None:
        return NONE
    percent = 100.0 * share
    if signed:
        return f"{round(percent, 1) + 0.0:+.1f}"  # no minus before zero
    return f"{percent:.2f}" if percent < 10.0 else f"{percent:.1f}"
