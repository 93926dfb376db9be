"""S values of cubic 3 mm voxels in water, against PENELOPE and EGSnrc."""

from __future__ import annotations

from pathlib import Path

from mcdose import TransportParameters, absorbed_dose, nuclide
from validation.grids import Index, cubic, hot_voxel, mask, shifted
from validation.outcome import Outcome, Row, load_case
from validation.tables import read_table

NAME = "voxel_y90_water_3mm"
SHAPE = (21, 21, 21)
CENTRE = (10, 10, 10)
CODES_MEV = {"penelope": 0.927338, "egsnrc": 0.933885}


def simulate(
    offsets: list[Index], histories: int, seed: int, threads: int | None, parameters: TransportParameters | None
):  # type: ignore[no-untyped-def]
    """Return the result of one hot voxel, with a region for each set of voxels equal by symmetry."""
    return absorbed_dose(
        hot_voxel(SHAPE, CENTRE),
        (3.0, 3.0, 3.0),
        histories=histories,
        seed=seed,
        threads=threads,
        parameters=parameters,
        regions={name(offset): mask(SHAPE, shifted(CENTRE, cubic(offset))) for offset in offsets},
    )


def name(offset: Index) -> str:
    """Return the name of a set of voxels."""
    return "".join(map(str, offset))


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limits = load_case(NAME)["limits"]
    table = read_table(Path(__file__).with_name("reference.csv"))
    offsets = [(int(row["i"]), int(row["j"]), int(row["k"])) for row in table]
    result = simulate(offsets, histories, seed, threads, None)
    own_mev = nuclide("Y-90").mean_electron_energy_mev
    rows = []
    for offset, row in zip(offsets, table, strict=True):
        region = result.regions[name(offset)]
        value, error = region.mean_gy * 1e3, region.standard_error_gy * 1e3
        values = {code: float(row[code]) for code in CODES_MEV}
        errors = [float(row[f"{code}_standard_error"]) for code in CODES_MEV]
        scaled = sum(values[code] * own_mev / mev for code, mev in CODES_MEV.items()) / 2.0
        rows.append(
            Row(
                f"S({name(offset)})",
                value,
                error,
                sum(values.values()) / 2.0,
                sum(e * e for e in errors) ** 0.5 / 2.0,
                limits.get(name(offset)),
                notes={
                    "to PENELOPE": f"{(value / values['penelope'] - 1) * 100:+.2f} %",
                    "to EGSnrc": f"{(value / values['egsnrc'] - 1) * 100:+.2f} %",
                    "to the mean, both scaled to our mean energy": f"{(value / scaled - 1) * 100:+.2f} %",
                },
            )
        )
    return Outcome(
        rows,
        result.histories,
        seed,
        result.seconds,
        result.provenance["target"],
        [
            f"mGy/(MBq s); grid of 21 x 21 x 21 voxels; mean energy of the spectrum {own_mev * 1e3:.1f} keV",
            "means over the voxels equal by symmetry, standard errors from batch means",
        ],
    )
