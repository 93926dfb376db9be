"""CSV tables with a header of `#` lines: the reference figures of every case."""

from __future__ import annotations

import csv
import math
from pathlib import Path


def read_table(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, skipping the lines that start with #."""
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def write_table(path: Path, header: list[str], rows: list[dict[str, object]]) -> None:
    """Write rows as CSV under a header of comment lines."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(f"# {line}\n" for line in header)
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def half_unit(value: float, digits: int) -> float:
    """Return half a unit of the last of so many significant digits of a printed value."""
    return 0.5 * 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)
