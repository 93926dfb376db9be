"""Figures of `mcdose bed` by structure: each treatment, and all together."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.commands.bed_inputs import NORMAL_LIVER, Course, Given
from mcdose.commands.tables import gy_text, text_table

if TYPE_CHECKING:
    from mcdose.dvh import Dvh
    from mcdose.radiobiology import Tissue


def figures_of(args: argparse.Namespace, course: Course, tissue: Tissue, tumour: Tissue) -> dict[str, dict[str, Any]]:
    """Return the figures of each structure, in plain JSON types."""
    if course.grid is None:
        return _by_structure(args, course, tissue, tumour)
    figures: dict[str, dict[str, Any]] = {}
    doses = [_curves(one.dose_gy(course.grid), course.structures, course.grid) for one in course.treatments]
    for of, names in ((tissue, set(course.structures) - set(args.tumours)), (tumour, set(args.tumours))):
        parts = {name: part for name, part in course.structures.items() if name in names}
        if not parts:
            continue
        beds = [one.bed_gy(of, course.grid) for one in course.treatments]
        curves = [_curves(bed, parts, course.grid) for bed in beds]
        total = course.effect(of).bed_gy
        for name, curve in _curves(total, parts, course.grid).items():
            rows = [_row(dose[name].mean_gy, bed[name].mean_gy, of) for dose, bed in zip(doses, curves, strict=True)]
            sums = _sums(rows, curve, of, parts[name], course)
            if _has_eud(args, name):
                _add_eud(args, rows, sums, beds, total, parts[name], of, course.treatments)
            if name == NORMAL_LIVER:
                for row, bed in zip([*rows, sums], [*beds, total], strict=True):
                    row["ntcp"] = _ntcp(args, bed, parts[name], of)
            figures[name] = {**sums, "treatments": rows}
    return {name: figures[name] for name in course.structures}


def _curves(values: NDArray[np.float64], parts: dict[str, NDArray[Any]], grid: Any) -> dict[str, Dvh]:
    from mcdose.summary import structure_curves

    scored = np.ones(grid.shape, dtype=bool)  # a dose map does not say where it is below the density floor
    return structure_curves(values, parts, scored, grid.voxel_mm)  # type: ignore[arg-type]


def _row(mean_gy: float, mean_bed_gy: float, of: Tissue) -> dict[str, Any]:
    from mcdose.radiobiology import eqd2

    return {
        "mean_gy": mean_gy,
        "mean_bed_gy": mean_bed_gy,
        "mean_eqd2_gy": float(eqd2(mean_bed_gy, of.alpha_beta_gy)),
        "eud_gy": None,
        "eubed_gy": None,
        "tcp": None,
        "ntcp": {},
    }


def _sums(rows: list[dict[str, Any]], curve: Dvh, of: Tissue, coverage: Any, course: Course) -> dict[str, Any]:
    from mcdose.radiobiology import eqd2

    assert course.grid is not None
    return {
        "volume_ml": float(coverage.sum(dtype=np.float64)) * course.grid.voxel_ml,
        "tissue": of.name,
        "alpha_beta_gy": of.alpha_beta_gy,
        "repair_half_time_h": of.repair_half_time_h,
        "mean_doses_gy": [row["mean_gy"] for row in rows],
        "mean_bed_gy": curve.mean_gy,
        "d95_bed_gy": curve.d(95),
        "d50_bed_gy": curve.d(50),
        "max_bed_gy": curve.max_gy,
        "mean_eqd2_gy": float(eqd2(curve.mean_gy, of.alpha_beta_gy)),
        "mean_noise_bias_gy": _mean_bias(course, of, coverage),
        "bed_of_means": False,
        "eubed_gy": None,
        "tcp": None,
        "ntcp": {},
    }


def _has_eud(args: argparse.Namespace, name: str) -> bool:
    return args.alpha_per_gy is not None and (name in args.tumours or not args.tumours)


def _add_eud(
    args: argparse.Namespace,
    rows: list[dict[str, Any]],
    sums: dict[str, Any],
    beds: list[NDArray[np.float64]],
    total: NDArray[np.float64],
    coverage: Any,
    of: Tissue,
    treatments: tuple[Given, ...],
) -> None:
    """Add uniform equivalents and tumour control: of each treatment and of all together."""
    for row, bed in zip([*rows, sums], [*beds, total], strict=True):
        _add_control(args, row, bed, coverage, sums["volume_ml"])
    for row, one in zip(rows, treatments, strict=True):
        _add_own_eud(row, of, one)


def _add_control(args: argparse.Namespace, row: dict[str, Any], bed: Any, coverage: Any, volume_ml: float) -> None:
    """Add the uniform equivalent of a BED, and tumour control where clonogens are known."""
    from mcdose.radiobiology import eubed, poisson_tcp

    row["eubed_gy"] = eubed(bed, args.alpha_per_gy, coverage)
    if args.clonogens_per_ml is not None:
        clonogens = args.clonogens_per_ml * volume_ml
        row["tcp"] = poisson_tcp(bed, alpha_per_gy=args.alpha_per_gy, clonogens=clonogens, coverage=coverage)


def _add_own_eud(row: dict[str, Any], of: Tissue, one: Given) -> None:
    """Add the uniform dose of the treatment's own half-life that has its EUBED."""
    from mcdose.radiobiology import dose_of_bed

    row["eud_gy"] = float(dose_of_bed(row["eubed_gy"], **one.parameters(of)))


def _ntcp(args: argparse.Namespace, bed_gy: Any, coverage: Any, of: Tissue) -> dict[str, float]:
    """Probability by each model, of the dose of its own kind that has this BED."""
    from mcdose.radiobiology import complication_model

    found = {}
    for name in args.ntcp:
        model = complication_model(name)
        own = model.dose_of_bed(bed_gy, alpha_beta_gy=of.alpha_beta_gy, repair_half_time_h=of.repair_half_time_h)
        found[name] = model.ntcp(own, coverage)
    return found


def _mean_bias(course: Course, of: Tissue, coverage: Any) -> float | None:
    """By how much noise raises the mean BED of a structure [Gy]; None where the noise of a dose is not known."""
    from mcdose.radiobiology import bed_noise_bias
    from mcdose.treatment_dose import on_grid

    assert course.grid is not None
    total = 0.0
    for one in course.treatments:
        if one.dose is None or one.dose.relative_uncertainty is None:
            return None
        error = np.nan_to_num(one.dose.relative_uncertainty, nan=0.0)
        bias = bed_noise_bias(one.dose.volume.values, error, **one.parameters(of))
        total += float(np.average(on_grid(bias, one.dose.volume.grid, course.grid), weights=coverage))
    return total


def _by_structure(
    args: argparse.Namespace, course: Course, tissue: Tissue, tumour: Tissue
) -> dict[str, dict[str, Any]]:
    """Add mean BED by name; a structure that a treatment does not have is left out and told."""
    from mcdose.errors import InputError
    from mcdose.io.quiet import LOGGER
    from mcdose.radiobiology import bed, eqd2

    known = [set(one.structures) | set(one.means_gy) for one in course.treatments]
    names = [name for one in course.treatments for name in (*one.structures, *one.means_gy)]
    if not set.intersection(*known):
        raise InputError("treatments must have a structure of one name for their means to be added, got none")
    figures: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(names):
        if not all(name in one for one in known):
            without = [one.name for one, there in zip(course.treatments, known, strict=True) if name not in there]
            LOGGER.warning("structure %r is left out, for %s has none", name, ", ".join(without))
            continue
        of = tumour if name in args.tumours else tissue
        rows: list[dict[str, Any]] = []
        volumes: list[float] = []
        for one in course.treatments:
            if one.dose is None:
                mean = one.means_gy[name]
                rows.append(_row(mean, float(bed(mean, **one.parameters(of))), of))
                continue
            grid, part = one.dose.volume.grid, {name: one.structures[name]}
            own = one.bed_gy(of, grid)
            means = [_curves(values, part, grid)[name].mean_gy for values in (one.dose_gy(grid), own)]
            row = _row(means[0], means[1], of)
            volumes.append(float(part[name].sum(dtype=np.float64)) * grid.voxel_ml)
            if _has_eud(args, name):
                _add_control(args, row, own, part[name], volumes[-1])
                _add_own_eud(row, of, one)
            rows.append(row)
        total = sum(row["mean_bed_gy"] for row in rows)
        figures[name] = {
            "volume_ml": volumes[0] if volumes else None,
            "tissue": of.name,
            "alpha_beta_gy": of.alpha_beta_gy,
            "repair_half_time_h": of.repair_half_time_h,
            "mean_doses_gy": [row["mean_gy"] for row in rows],
            "mean_bed_gy": total,
            **dict.fromkeys(("d95_bed_gy", "d50_bed_gy", "max_bed_gy", "mean_noise_bias_gy", "eubed_gy", "tcp")),
            "mean_eqd2_gy": float(eqd2(total, of.alpha_beta_gy)),
            "bed_of_means": any(one.dose is None for one in course.treatments),
            "ntcp": _ntcp(args, total, None, of) if name == NORMAL_LIVER else {},
            "treatments": rows,
        }
    return figures


def describe(summary: dict[str, Any]) -> str:
    """Return what was done and a table of structures, each treatment and all together."""
    lines = [
        f"{summary['model']}",
        f"alpha/beta {summary['alpha_beta_gy']:g} Gy, T_rep {summary['repair_half_time_h']:g} h "
        f"({summary['tissue']}; {summary['parameters_from']})",
    ]
    tumour = summary["tumour"]
    if tumour is not None:
        lines.append(
            f"tumours: alpha/beta {tumour['alpha_beta_gy']:g} Gy, T_rep {tumour['repair_half_time_h']:g} h "
            f"({tumour['name']}; {tumour['source']})"
        )
    for number, one in enumerate(summary["treatments"], 1):
        how = ", registered" if one["registration"] else ""
        how += ", on the grid of the first" if one["resampled"] else ""
        lines.append(
            f"{number}  {one['dose']}: {one['nuclide'] or 'half-life as given'}, {one['half_life_h']:.4g} h, "
            f"G {one['lea_catcheside']:.5f}{how}"
        )
    structures = summary["structures"]
    if structures:
        lines += ["", *text_table(_rows(summary))]
    if summary["alpha_per_gy"] is not None:
        more = "" if summary["clonogens_per_ml"] is None else f", {summary['clonogens_per_ml']:g} clonogens per mL"
        lines += ["", f"EUD, EUBED, TCP: alpha {summary['alpha_per_gy']:g} per Gy{more}"]
    for model in summary["complications"]:
        lines += [
            "",
            f"NTCP {model['name']}: {model['endpoint']}; n {model['n']:g}, m {model['m']:g}, TD50 "
            f"{model['td50_gy']:g} Gy of {model['quantity']} ({model['source']}). It was given the dose of its own "
            "kind that has the same BED",
        ]
    if summary["added_by"] == "structure":
        lines += ["", "note: means were added by name, so that D95, EUBED and TCP of all treatments are not known"]
    if any(figures["bed_of_means"] for figures in structures.values()):
        lines += ["", "note: BED of a mean dose is at most the mean BED"]
    biases = [f["mean_noise_bias_gy"] for f in structures.values() if f["mean_noise_bias_gy"] is not None]
    if biases:
        lines += ["", f"note: noise of the dose raises the mean BED by up to {max(biases):.2g} Gy (bed.json)"]
    return "\n".join(lines)


def _rows(summary: dict[str, Any]) -> list[list[str]]:
    """Rows of the table; a single treatment is its own sum."""
    models = [model["name"] for model in summary["complications"]]
    header = ["structure", "mL", "dose Gy", "BED Gy", "D95 BED", "max BED", "EQD2 Gy", "EUD Gy", "EUBED Gy", "TCP %"]
    rows = [[*header, *(f"NTCP {name} %" for name in models)]]
    for name, figures in summary["structures"].items():
        parts = figures["treatments"]
        volume = "-" if figures["volume_ml"] is None else f"{figures['volume_ml']:.1f}"
        for number, part in enumerate(parts, 1) if len(parts) > 1 else ():
            rows.append(
                [
                    f"{name}, {number}",
                    volume,
                    gy_text(part["mean_gy"]),
                    gy_text(part["mean_bed_gy"]),
                    "-",
                    "-",
                    *(gy_text(part[key]) for key in ("mean_eqd2_gy", "eud_gy", "eubed_gy")),
                    *_percents(part, models),
                ]
            )
        alone = parts[0] if len(parts) == 1 else None
        keys = ("mean_bed_gy", "d95_bed_gy", "max_bed_gy", "mean_eqd2_gy")
        rows.append(
            [
                name if alone else f"{name}, all",
                volume,
                gy_text(alone["mean_gy"] if alone else None),
                *(gy_text(figures[key]) for key in keys),
                gy_text(alone["eud_gy"] if alone else None),
                gy_text(figures["eubed_gy"]),
                *_percents(figures, models),
            ]
        )
    kept = [column for column in range(len(rows[0])) if column < 7 or any(row[column] != "-" for row in rows[1:])]
    return [[row[column] for column in kept] for row in rows]


def _percents(figures: dict[str, Any], models: list[str]) -> list[str]:
    values = [figures["tcp"], *(figures["ntcp"].get(name) for name in models)]
    return ["-" if value is None else f"{100 * value:.3g}" for value in values]
