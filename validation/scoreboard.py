"""validation/README.md: the table of all cases, from their results.json."""

from __future__ import annotations

import json

from validation.outcome import HERE, case_names, load_case

HEADER = """# Validation

Each folder asks one question: `case.toml` holds the limits, written before the run; `reference.csv` the figures of
others with their origin; `compare.py` the run; `report.md` what came out. Differences and limits are relative.

```sh
python -m validation NAME [--histories N] [--seed S] [--threads T]   # one case
python -m validation                                                # all of them, 45 minutes on two cores
python -m validation --quick                                        # all with few histories and 3.5 sigma instead of 2;
                                                                    # writes nothing
```

A figure outside its limit makes its case fail, stays in the table and makes the command return 1.

The figures need matplotlib (dependency group `validation`). `carry_references.py`, `carry_penelope.py` and
`carry_emissions.py` show how each reference.csv came from the files of the reference codes, `penelope.py` and
`penelope_emissions.py` how ours were run, `carry_peers.py` how other programs computed gamma and histograms.
`tests/test_validation_short.py` runs what `--quick` runs.

DPM: the only voxel S values to be had are two self values of Y-90 in public tests; they are in
[voxel_mird17](voxel_mird17/report.md), for information, as their medium is not stated.

"""


def write_scoreboard() -> None:
    """Write README.md; a case without results is listed as not run."""
    lines = [
        "| question | reference | limit | result | histories | date | version | commit | device |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in case_names():
        case = load_case(name)
        path = HERE / name / "results.json"
        cells = ["not run", "", "", "", "", ""]
        if path.exists():
            record = json.loads(path.read_text(encoding="utf-8"))
            worst = record["worst"]
            judged = [row for row in record["rows"] if row["limit"] is not None]
            cells = [
                f"[{'passed' if record['passed'] else '**failed**'}]({name}/report.md): "
                f"{sum(row['passed'] for row in judged)} of {len(judged)}; nearest to its limit: {worst['quantity']} "
                f"{worst['deviation'] * 100:+.3g} % +- {worst['sigma'] * 100:.2g} %",
                f"{record['histories']:.3g}" if record["histories"] else "no Monte Carlo",
                record["date"],
                record["mcdose"],
                record["commit"],
                record["device"],
            ]
        lines.append(
            f"| [{case['question']}]({name}) | {case['reference']} | {case['limit_text']} | " + " | ".join(cells) + " |"
        )
    (HERE / "README.md").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
