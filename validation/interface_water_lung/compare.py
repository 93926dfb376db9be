"""Dose beside a plane between water and lung, against PENELOPE (3 mm voxels) and EGSnrc (1 mm slices)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcdose import DoseResult, TransportParameters, absorbed_dose
from validation.grids import Index, hot_voxel, mask, shifted, square
from validation.outcome import Outcome, Row, load_case
from validation.tables import read_table

NAME = "interface_water_lung"
HERE = Path(__file__).parent
MEDIA = ("water", "lung")
SHAPE = (27, 33, 33)  # z from -24 to 57 mm
PLANE = 8  # the first lung voxel in z
AXIS = 16
SLICES_SHAPE = (33, 33, 81)  # x from -24 to 57 mm in 1 mm
SLICES_PLANE = 24


def simulate(
    source_in: str, histories: int, seed: int, threads: int | None, parameters: TransportParameters | None
) -> DoseResult:
    """Return the result of a source voxel in the water or in the lung; regions are named "i j z_lo"."""
    medium = np.zeros(SHAPE, int)
    medium[PLANE:] = 1
    source = PLANE - 1 if source_in == "water" else PLANE
    rows = [row for row in read_table(HERE / "reference.csv") if row["source_in"] == source_in]
    return absorbed_dose(
        hot_voxel(SHAPE, (source, AXIS, AXIS)),
        (3.0, 3.0, 3.0),
        medium=medium,
        media=MEDIA,
        histories=histories,
        seed=seed,
        threads=threads,
        parameters=parameters,
        regions={
            voxel_name(row): mask(
                SHAPE,
                [
                    (PLANE + round(float(row["z_lo_mm"]) / 3.0), AXIS + y, AXIS + x)
                    for y, x in square(int(row["i"]), int(row["j"]))
                ],
            )
            for row in rows
        },
    )


def voxel_name(row: dict[str, str]) -> str:
    """Return the name of a set of voxels."""
    return f"source in {row['source_in']}, ({row['i']},{row['j']}) z {float(row['z_lo_mm']):g} mm"


def simulate_slices(histories: int, seed: int, threads: int | None) -> DoseResult:
    """Return the result in 1 mm slices along x."""
    medium = np.zeros(SLICES_SHAPE, int)
    medium[:, :, SLICES_PLANE:] = 1
    centre: Index = (AXIS, AXIS, SLICES_PLANE)
    tia = sum(hot_voxel(SLICES_SHAPE, (AXIS, AXIS, SLICES_PLANE - k), 1e6 / 3.0) for k in (1, 2, 3))
    ring = [(z, y) for z in (-1, 0, 1) for y in (-1, 0, 1) if (z, y) != (0, 0)]
    return absorbed_dose(
        tia,
        (3.0, 3.0, 1.0),
        medium=medium,
        media=MEDIA,
        histories=histories,
        seed=seed,
        threads=threads,
        regions={
            slice_name(row): mask(
                SLICES_SHAPE,
                shifted(
                    centre,
                    [(z, y, round(float(row["x_lo_mm"]))) for z, y in ([(0, 0)] if row["zone"] == "col3" else ring)],
                ),
            )
            for row in read_table(HERE / "reference_slices.csv")
        },
    )


def slice_name(row: dict[str, str]) -> str:
    """Return the name of a slice of the column or of the ring."""
    return f"slices, {row['zone']} x {float(row['x_lo_mm']):g} mm"


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limits = load_case(NAME)["limits"]
    voxels = [(row, voxel_name(row), float(row["penelope"])) for row in read_table(HERE / "reference.csv")]
    slices = [(row, slice_name(row), float(row["egsnrc"])) for row in read_table(HERE / "reference_slices.csv")]
    results = [simulate(source_in, histories, seed, threads, None) for source_in in MEDIA]
    results.append(simulate_slices(histories, seed, threads))
    regions = {key: region for result in results for key, region in result.regions.items()}
    every = [
        Row(
            key,
            regions[key].mean_gy * 1e3,
            regions[key].standard_error_gy * 1e3,
            reference,
            float(row["standard_error"]),
            limits["fraction"],
        )
        for row, key, reference in voxels + slices
    ]
    sharp = [row for row in every if row.sigma <= limits["largest_sigma"]]
    blunt = len(every) - len(sharp)
    spread = [row.deviation / row.sigma for row in sharp]
    return Outcome(
        sharp,
        sum(result.histories for result in results),
        seed,
        sum(result.seconds for result in results),
        results[0].provenance["target"],
        [
            "mGy/(MBq s), dose to the medium of the voxel; lung ICRU-44, 0.26 g/cm3; means over symmetric voxels",
            f"{len(sharp)} of {len(every)} sets of voxels above 1 % of the self value; {blunt} left out, their "
            "combined sigma is above 1 % because the reference's is",
            f"differences over their combined sigma: mean {np.mean(spread):+.2f}, root mean square "
            f"{np.sqrt(np.mean(np.square(spread))):.2f}",
        ],
    )
