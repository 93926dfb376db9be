"""validation/README.md: the table of all cases, from their results.json."""

from __future__ import annotations

import json

from validation.outcome import HERE, case_names, load_case

HEADER = """# Validation

Each folder asks one question: `case.toml` holds the limits, written before the run; `reference.csv` the figures of
others with their origin; `compare.py` the run; `report.md` what came out. Differences and limits are relative.

```sh
python -m validation NAME [--histories N] [--seed S] [--threads T]   # one case
python -m validation all                                            # all of them, about half an hour on two cores
```

The figures need matplotlib (dependency group `validation`). `carry_references.py` shows how each reference.csv came
from the files of the reference codes. Short versions of all cases are in `tests/test_validation_short.py`.

"""


def write_scoreboard() -> None:
    """Write README.md; a case without results is listed as not run."""
    lines = ["| question | reference | limit | result | histories | date | commit |", "|---|---|---|---|---|---|---|"]
    for name in case_names():
        case = load_case(name)
        path = HERE / name / "results.json"
        cells = ["not run", "", "", ""]
        if path.exists():
            record = json.loads(path.read_text(encoding="utf-8"))
            worst = record["worst"]
            judged = [row for row in record["rows"] if row["limit"] is not None]
            cells = [
                f"[{'passed' if record['passed'] else '**failed**'}]({name}/report.md): "
                f"{sum(row['passed'] for row in judged)} of {len(judged)}; nearest to its limit: {worst['quantity']} "
                f"{worst['deviation'] * 100:+.3g} % +- {worst['sigma'] * 100:.2g} %",
                f"{record['histories']:.3g}",
                record["date"],
                record["commit"],
            ]
        lines.append(
            f"| [{case['question']}]({name}) | {case['reference']} | {case['limit_text']} | " + " | ".join(cells) + " |"
        )
    (HERE / "README.md").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
