"""The figures of a comparison of methods in plain JSON types: what goes into summary.json of `mcdose compare`."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.comparison import DoseComparison, compare_doses
from mcdose.errors import InputError
from mcdose.methods import MAIN, Way
from mcdose.summary import (
    LIGHT_G_CM3,
    blur_notes,
    finite_or_none,
    mean_density,
    photon_notes,
    run_figures,
    structure_curves,
    structure_figures,
)

if TYPE_CHECKING:
    from mcdose.case import Case
    from mcdose.dvh import Dvh
    from mcdose.result import DoseResult

LEVELS_GY = (10.0, 30.0, 50.0, 70.0, 100.0, 120.0, 150.0, 200.0)  # of V-values and isodoses
NOISE_NOTE = (
    "Monte Carlo is the reference of every comparison, noise and all: its largest voxel, from which global gamma "
    "takes its percentage, is too high by that noise, and noise in the reference makes gamma too large. The rate with "
    "noise has the dose criterion of each voxel widened by two standard errors of Monte Carlo."
)
LUNG_NOTE = (
    "{name}: mean density {density:.2f} g/cm3. No kernel of a uniform medium is right there, for electrons of Y-90 "
    "reach four times as far as in tissue. Local deposition gives the lung nothing of what the liver beside it sends "
    "and lets nothing leave: in the demonstration phantom too low at shunts below 2 %, too high above. The voxel "
    "kernel with the target's density lets too little leave and is too high; without density it is too low by the "
    "ratio of the densities. Published: +17, +20 and -60 % from Monte Carlo in patients (Mikell 2015), -27, -28 and "
    "-88 % in a phantom (d'Andrea 2024), of which mcdose does not reproduce the second: docs/comparison.md."
)
OTHER_LUNG_NOTE = (
    "{name}: mean density {density:.2f} g/cm3. No kernel of a uniform medium is right there, neither for electrons, "
    "which reach further than in tissue, nor for photons: docs/comparison.md has figures of Y-90, Lu-177 and I-131."
)


def pair_figures(
    reference: DoseResult,
    results: Mapping[str, DoseResult],
    *,
    gamma: tuple[float, float],
    threshold: float,
    threads: int | None,
) -> dict[str, dict[str, DoseComparison]]:
    """Compare each main method with the first, by global and by local gamma.

    Parameters
    ----------
    reference : Monte Carlo
    results : by key of the way, the main ones
    gamma, threshold : see `mcdose.compare_doses`
    threads : of the search

    Returns
    -------
    dict
        by key of the way, then "global" and "local"

    Raises
    ------
    InputError
        No voxel that reports a dose received any.
    """
    if not reference.dose_gy.any():
        raise InputError(
            f"Monte Carlo must leave a dose somewhere to compare with, got 0 Gy in every voxel after "
            f"{reference.histories} histories"
        )
    found = {}
    for way in MAIN[1:]:
        found[way.key] = {
            kind: compare_doses(
                reference.dose_gy,
                results[way.key].dose_gy,
                reference.voxel_mm,
                gamma=gamma,
                threshold=threshold,
                local=kind == "local",
                relative_uncertainty_a=reference.relative_uncertainty,
                threads=threads,
            )
            for kind in ("global", "local")
        }
    return found


def summarise_comparison(
    case: Case,
    results: Mapping[Way, DoseResult],
    parts: dict[str, NDArray[Any]],
    scored: NDArray[np.bool_],
    pairs: Mapping[str, Mapping[str, DoseComparison]],
    *,
    density_floor_g_cm3: float,
    warnings: list[str],
) -> tuple[dict[str, Any], dict[str, dict[str, Dvh]]]:
    """Gather the figures of all methods.

    Parameters
    ----------
    case, results : what went in and came out, the reference first
    parts : structures without the voxels below the floor
    scored : voxels at or above the floor
    pairs : `pair_figures`
    density_floor_g_cm3, warnings : see `mcdose.summary.summarise`

    Returns
    -------
    summary : plain JSON types
    curves : by key of the main methods, then by structure
    """
    ways = list(results)
    reference = results[ways[0]]
    methods: dict[str, Any] = {}
    curves: dict[str, dict[str, Dvh]] = {}
    for way, result in results.items():
        drawn = structure_curves(result.dose_gy, parts, scored, case.grid.voxel_mm)
        if way in MAIN:
            curves[way.key] = drawn
        figures: dict[str, dict[str, Any]] = {
            name: {**known, "v": {f"{level:g}": drawn[name].v(level) for level in LEVELS_GY if name in drawn}}
            for name, known in structure_figures(case, drawn, scored, result).items()
        }
        methods[way.key] = {
            "label": way.label,
            "source": way.source,
            **way.choices,
            "device": result.device,
            "seconds": result.seconds,
            "kernels": result.provenance.get("kernels"),
            "structures": figures,
        }
    for way in ways[1:]:
        for name, mine in methods[way.key]["structures"].items():
            base = methods[ways[0].key]["structures"][name]["mean_gy"]
            mine["mean_difference"] = mine["mean_gy"] / base - 1.0 if base and mine["mean_gy"] is not None else None
    summary = {
        **run_figures(case, reference, scored, density_floor_g_cm3),
        "reference": ways[0].key,
        "structures": methods[ways[0].key]["structures"],
        "methods": methods,
        "comparisons": {key: _comparison(pair, parts) for key, pair in pairs.items()},
        "notes": [*photon_notes(reference), *notes(case, parts, reference.provenance.get("nuclide"))],
        "warnings": list(dict.fromkeys(itertools.chain(warnings, *(result.warnings for result in results.values())))),
        "inputs": case.origin,
        "provenance": reference.provenance,
    }
    return summary, curves


def notes(case: Case, parts: Mapping[str, NDArray[Any]], nuclide: str | None) -> list[str]:
    """Return what a reader of a comparison has to know."""
    light = [(name, density) for name in parts if (density := mean_density(case, name)) < LIGHT_G_CM3]
    told = LUNG_NOTE if nuclide == "Y-90" else OTHER_LUNG_NOTE
    return [
        *blur_notes(case, nuclide),
        NOISE_NOTE,
        *(told.format(name=name, density=density) for name, density in light),
    ]


def _comparison(pair: Mapping[str, DoseComparison], parts: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the figures of one method against the reference."""
    whole = pair["global"]
    noise = whole.noise
    record: dict[str, Any] = {
        "gamma_percent": whole.gamma[0],
        "gamma_mm": whole.gamma[1],
        "threshold": whole.threshold,
        "normalisation_gy": whole.normalisation_gy,
        "voxels_judged": whole.voxels_judged,
        "rms_difference_gy": whole.rms_difference_gy,
        "largest_difference_gy": whole.largest_difference_gy,
        "dice": {f"{level:g}": finite_or_none(whole.dice(level)) for level in LEVELS_GY},
        "median_uncertainty": finite_or_none(noise.median_uncertainty_a) if noise else None,
        "share_within_two_sigma": finite_or_none(noise.share_within_two_sigma) if noise else None,
    }
    for kind, comparison in pair.items():
        passed = comparison.gamma_map <= 1.0
        judged = np.isfinite(comparison.gamma_map)
        record[kind] = {
            "pass_rate": comparison.pass_rate,
            "widened_pass_rate": finite_or_none(comparison.noise.widened_pass_rate) if comparison.noise else None,
            "mean_gamma": comparison.mean_gamma,
            "structures": {name: _rate(passed, judged & (part >= 0.5)) for name, part in parts.items()},
        }
    return record


def _rate(passed: NDArray[np.bool_], voxels: NDArray[np.bool_]) -> float | None:
    count = int(np.count_nonzero(voxels))
    return float(np.count_nonzero(passed & voxels) / count) if count else None
