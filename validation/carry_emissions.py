"""Put the runs of `validation/penelope_emissions.py` together into the reference.csv of the cases that use them.

python -m validation.carry_emissions CHUNKS
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from validation.penelope_emissions import KINDS, PROBLEMS
from validation.tables import read_table, write_table

HERE = Path(__file__).parent
CASES = {
    "emissions_penelope": ("water", "slab"),
    "shells_penelope": ("shells",),
    "positrons_water": ("near",),
    "absorbed_fractions": tuple(name for name in PROBLEMS if name.startswith("ball")),
}


def main() -> None:
    """Write every reference.csv whose runs are there; the mean of runs with different seeds."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    for case, problems in CASES.items():
        header, rows = [], []
        for problem in problems:
            for source in sorted({path.name.split("_")[1] for path in folder.glob(f"{problem}_*.csv")}):
                for kind in KINDS:
                    paths = sorted(folder.glob(f"{problem}_{source}_{kind}_*.csv"))
                    if not paths:
                        continue
                    how, carried = together(paths)
                    header += [f"{problem}, {source}: {line}" for line in how]
                    rows += [{"problem": problem, "source": source, "kind": kind, **row} for row in carried]
        title = "PENELOPE with the emissions of mcdose: energy in each part per emission of a kind, MeV"
        write_table(HERE / case / "reference.csv", [title, "run by validation/penelope_emissions.py", *header], rows)


def together(paths: list[Path]) -> tuple[list[str], list[dict[str, object]]]:
    """Return how the runs were made, and the mean of each part by histories; of three or more also the sum of all."""
    how, histories = [], []
    for path in paths:
        lines = [line[2:].strip() for line in path.open(encoding="utf-8") if line.startswith("#")]
        how += lines if not how else lines[1:]
        histories.append(float(lines[1].split()[0]))
    weights = np.array(histories) / sum(histories)
    tables = [read_table(path) for path in paths]
    energy = np.array([[float(row["energy_mev"]) for row in table] for table in tables])
    error = np.array([[float(row["standard_error"]) for row in table] for table in tables])
    rows: list[dict[str, object]] = [
        {"part": str(part), "energy_mev": f"{value:.7e}", "standard_error": f"{spread:.2e}"}
        for part, (value, spread) in enumerate(zip(weights @ energy, np.sqrt(weights**2 @ error**2), strict=True))
    ]
    if len(paths) > 2:  # of as many histories each
        sums = energy.sum(axis=1)
        spread = sums.std(ddof=1) / np.sqrt(len(paths))
        rows.append({"part": "sum", "energy_mev": f"{sums.mean():.7e}", "standard_error": f"{spread:.2e}"})
    return how, rows


if __name__ == "__main__":
    main()
