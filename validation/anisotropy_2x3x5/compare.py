"""One hot voxel of 5 x 3 x 2 mm (z, y, x) in water, against folded point kernels."""

from __future__ import annotations

from pathlib import Path

from mcdose import absorbed_dose, nuclide
from validation.grids import hot_voxel, mask, mirrored, shifted
from validation.outcome import Outcome, Row, load_case
from validation.tables import read_table

NAME = "anisotropy_2x3x5"
VOXEL_MM = (5.0, 3.0, 2.0)
SHAPE = (13, 21, 31)
CENTRE = (6, 10, 15)
CODES_MEV = {"penelope": 0.927338, "egsnrc": 0.933885}


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limit = load_case(NAME)["limits"]["fraction"]
    table = read_table(Path(__file__).with_name("reference.csv"))
    offsets = [(int(row["z"]), int(row["y"]), int(row["x"])) for row in table]
    result = absorbed_dose(
        hot_voxel(SHAPE, CENTRE),
        VOXEL_MM,
        histories=histories,
        seed=seed,
        threads=threads,
        regions={str(offset): mask(SHAPE, shifted(CENTRE, mirrored(offset))) for offset in offsets},
    )
    own_mev = nuclide("Y-90").mean_electron_energy_mev
    rows = []
    for offset, row in zip(offsets, table, strict=True):
        region = result.regions[str(offset)]
        value = region.mean_gy * 1e3
        values = {code: float(row[code]) for code in CODES_MEV}
        errors = [float(row[f"{code}_standard_error"]) for code in CODES_MEV]
        scaled = sum(values[code] * own_mev / mev for code, mev in CODES_MEV.items()) / 2.0
        rows.append(
            Row(
                f"S{offset} (z, y, x)",
                value,
                region.standard_error_gy * 1e3,
                sum(values.values()) / 2.0,
                sum(e * e for e in errors) ** 0.5 / 2.0,
                limit,
                notes={
                    "to PENELOPE": f"{(value / values['penelope'] - 1) * 100:+.2f} %",
                    "to EGSnrc": f"{(value / values['egsnrc'] - 1) * 100:+.2f} %",
                    "to the mean, both scaled to our mean energy": f"{(value / scaled - 1) * 100:+.2f} %",
                    "error of the fold, Gaussian": row["gaussian_check"],
                },
            )
        )
    return Outcome(
        rows,
        result.histories,
        seed,
        result.seconds,
        result.provenance["target"],
        [f"mGy/(MBq s); voxel {VOXEL_MM} mm in (z, y, x); means over the mirror images of a neighbour"],
    )
