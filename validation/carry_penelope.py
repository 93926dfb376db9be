"""Put the chunks that `validation/penelope.py` wrote together into the reference.csv of the cases that use them.

    python -m validation.carry_penelope CHUNKS REFERENCES

CHUNKS holds penelope_SOURCE_MEDIUM_NUMBER.csv; REFERENCES is the folder of `carry_references.py`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from validation.tables import read_table, write_table

HERE = Path(__file__).parent
ENERGIES = ("0.02", "0.05", "0.1", "0.2", "1.0", "3.0")
FILES = {"0.5": "point_0.5MeV_water.csv", "2.0": "point_2MeV_water.csv"}


def chunks(folder: Path, source: str, medium: str) -> tuple[list[dict[str, object]], list[str]]:
    """Return mean shells of all chunks of one run, and how each of them was run."""
    paths = sorted(folder.glob(f"penelope_{source}_{medium}_*.csv"))
    tables = [read_table(path) for path in paths]
    headers = [[line[2:].strip() for line in path.open(encoding="utf-8") if line.startswith("#")] for path in paths]
    fraction = np.array([[float(row["fraction"]) for row in table] for table in tables])
    error = np.array([[float(row["standard_error"]) for row in table] for table in tables])
    mean, sigma = fraction.mean(axis=0), np.sqrt((error**2).sum(axis=0)) / len(tables)
    rows: list[dict[str, object]] = [
        {
            "inner_mm": row["inner_mm"],
            "outer_mm": row["outer_mm"],
            "fraction": f"{value:.6e}",
            "standard_error": f"{spread:.2e}",
        }
        for row, value, spread in zip(tables[0], mean, sigma, strict=True)
    ]
    return rows, [*headers[0][:2], *(header[2] for header in headers)]


def carry_spectrum(folder: Path, medium: str, name: str) -> None:
    """Carry Y-90 with the spectrum of mcdose in a medium."""
    rows, header = chunks(folder, "y90", medium)
    title = f"Y-90 point source in {medium} with the spectrum of mcdose: fraction of the mean energy in each shell"
    write_table(HERE / name / "reference.csv", [title, *header, "run by validation/penelope.py"], rows)


def carry_electrons(folder: Path, references: Path) -> None:
    """Carry mono-energetic electrons in water: our own runs, and the files of the reference folder."""
    all_rows = []
    header = ["Point source of mono-energetic electrons in water: fraction of the energy in each shell"]
    for energy in ENERGIES:
        rows, how = chunks(folder, energy, "water-icru90")
        header += [f"{energy} MeV: {line}" for line in how]
        all_rows += [{"energy_mev": energy, "medium": "water-icru90", **row} for row in rows]
    for energy, file in FILES.items():
        path = references / "penelope" / file
        header += [f"{energy} MeV: {line[2:].strip()}" for line in path.open(encoding="utf-8") if line.startswith("#")]
        all_rows += [
            {
                "energy_mev": energy,
                "medium": "water",
                "inner_mm": row["r_inner_mm"],
                "outer_mm": row["r_outer_mm"],
                "fraction": row["fraction"],
                "standard_error": row["standard_error"],
            }
            for row in read_table(path)
        ]
    write_table(HERE / "electrons_water" / "reference.csv", header, all_rows)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    carry_spectrum(Path(sys.argv[1]), "water-icru90", "point_kernel_penelope")
    carry_spectrum(Path(sys.argv[1]), "cortical-bone-icrp", "point_kernel_bone")
    carry_electrons(Path(sys.argv[1]), Path(sys.argv[2]))
