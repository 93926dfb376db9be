"""The quantities of the voxel and interface cases, with transport parameters halved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mcdose import TransportParameters
from validation.interface_water_lung import compare as interface
from validation.outcome import Outcome, Row, load_case
from validation.tables import read_table
from validation.voxel_y90_water_3mm import compare as voxel

NAME = "parameter_independence"


def quantities(histories: int, seed: int, threads: int | None, parameters: TransportParameters):  # type: ignore[no-untyped-def]
    """Return the figures of all geometries with their standard errors, and the results they are from."""
    offsets = [tuple(map(int, key)) for key in load_case(voxel.NAME)["limits"]]
    results = [voxel.simulate(offsets, histories, seed, threads, parameters)]  # type: ignore[arg-type]
    results += [interface.simulate(source, histories, seed, threads, parameters) for source in interface.MEDIA]
    figures = {
        (key if "source" in key else f"S({key})"): (region.mean_gy * 1e3, region.standard_error_gy * 1e3)
        for result in results
        for key, region in result.regions.items()
    }
    return figures, results


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    case = load_case(NAME)
    default = TransportParameters()
    blunt = {
        interface.voxel_name(row)
        for row in read_table(Path(interface.__file__).with_name("reference.csv"))
        if float(row["standard_error"]) > 0.01 * float(row["penelope"])
    }
    base, results = quantities(histories, seed, threads, default)
    rows, remarks = [], ["the sets of voxels of both cases; independent random numbers in every run"]
    flights = {"default": [result.provenance["flights_per_history"] for result in results]}
    for number, (name, factors) in enumerate(case["variants"].items(), start=1):
        changed = replace(default, **{key: factor * getattr(default, key) for key, factor in factors.items()})
        figures, more = quantities(histories, seed + number, threads, changed)
        part = [
            Row(f"{name}: {key}", *figures[key], *base[key], case["limits"]["fraction"])
            for key in base
            if key not in blunt
        ]
        rows += part
        results += more
        flights[name] = [result.provenance["flights_per_history"] for result in more]
        worst = max(part, key=lambda row: abs(row.deviation))
        spread = np.array([row.deviation / row.sigma for row in part])
        remarks.append(
            f"{name} ({', '.join(f'{key} x {factor:g}' for key, factor in factors.items())}): largest change "
            f"{worst.deviation * 100:+.2f} % +- {worst.sigma * 100:.2f} % "
            f"({worst.quantity.removeprefix(name + ': ')}), "
            f"changes over their sigma: root mean square {np.sqrt(np.mean(spread**2)):.2f}"
        )
    remarks.append(
        "flights per history (voxel, interface source in water, in lung): "
        + "; ".join(f"{name} " + ", ".join(f"{value:.1f}" for value in values) for name, values in flights.items())
    )
    return Outcome(
        rows,
        sum(result.histories for result in results),
        seed,
        sum(result.seconds for result in results),
        results[0].provenance["target"],
        remarks,
    )
