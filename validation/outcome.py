"""What a case found: rows of figures against their limits, written as results.json and report.md."""

from __future__ import annotations

import json
import math
import subprocess
import tomllib
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SEED = 1
QUICK_SEED = 20
QUICK_SIGMAS = 3.5  # instead of 2: one false alarm in 2000 figures that have no limit to spare


@dataclass(frozen=True)
class Row:
    """One figure against its reference.

    A figure passes when |value / reference - 1| <= limit + sigmas x combined relative standard error. Rows without a
    limit are for information.

    Parameters
    ----------
    quantity : what it is, with its unit where the case has several
    value, standard_error : of mcdose
    reference, reference_error : of the judge, same unit
    limit : fraction, or None
    sigmas : how many combined standard errors are allowed on top
    notes : further figures that the report lists beside it
    """

    quantity: str
    value: float
    standard_error: float
    reference: float
    reference_error: float
    limit: float | None
    sigmas: float = 2.0
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def deviation(self) -> float:
        """Relative difference from the reference."""
        return self.value / self.reference - 1.0

    @property
    def sigma(self) -> float:
        """Combined relative standard error."""
        return math.hypot(self.standard_error / self.value, self.reference_error / self.reference)

    @property
    def used(self) -> float:
        """Part of what is allowed that the difference uses; 0 for information."""
        if self.limit is None or self.deviation == 0.0:
            return 0.0
        allowed = self.limit + self.sigmas * self.sigma
        return abs(self.deviation) / allowed if allowed else math.inf

    @property
    def passed(self) -> bool:
        """Whether it is inside its limit; true for information."""
        return self.used <= 1.0


@dataclass(frozen=True)
class Outcome:
    """All rows of one case, with how they were obtained."""

    rows: list[Row]
    histories: int
    seed: int
    seconds: float
    device: str
    remarks: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every row is inside its limit."""
        return bool(self.rows) and all(row.passed for row in self.rows)

    @property
    def judged(self) -> list[Row]:
        """The rows that have a limit."""
        return [row for row in self.rows if row.limit is not None]

    @property
    def inside(self) -> int:
        """How many of the judged rows are inside their limit."""
        return sum(row.passed for row in self.judged)

    def worst(self) -> Row:
        """Return the row that uses most of what it is allowed."""
        return max(self.judged, key=lambda row: row.used)


def load_case(name: str) -> dict[str, Any]:
    """Return the case.toml of a case."""
    with (HERE / name / "case.toml").open("rb") as file:
        return tomllib.load(file)


def case_names() -> list[str]:
    """Return the names of all cases, in the order of the scoreboard."""
    names = [path.parent.name for path in HERE.glob("*/case.toml")]
    return sorted(names, key=lambda name: load_case(name)["order"])


def run_case(name: str, histories: int | None = None, seed: int | None = None, threads: int | None = None) -> Outcome:
    """Run a case with the histories of its case.toml, or with other ones."""
    compare = import_module(f"validation.{name}.compare")
    outcome: Outcome = compare.run(
        load_case(name)["histories"] if histories is None else histories, SEED if seed is None else seed, threads
    )
    return outcome


def run_quick(name: str, seed: int | None = None, threads: int | None = None) -> Outcome:
    """Run the short version of a case: few histories, the same limits with the wider statistical bands."""
    outcome = run_case(name, load_case(name)["quick_histories"], QUICK_SEED if seed is None else seed, threads)
    return replace(outcome, rows=[replace(row, sigmas=QUICK_SIGMAS if row.sigmas else 0.0) for row in outcome.rows])


def commit() -> str:
    """Return the short hash of the checkout, with + when tracked files of the package differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(HERE), *arguments], capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "../mcdose")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return "not a git checkout"


def write_outcome(name: str, outcome: Outcome) -> None:
    """Write results.json and report.md into the folder of the case."""
    import mcdose

    case = load_case(name)
    worst = outcome.worst()
    record = {
        "case": name,
        "passed": outcome.passed,
        "worst": {"quantity": worst.quantity, "deviation": worst.deviation, "sigma": worst.sigma},
        "histories": outcome.histories,
        "seed": outcome.seed,
        "seconds": round(outcome.seconds, 1),
        "device": outcome.device,
        "mcdose": mcdose.__version__,
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "rows": [
            {**asdict(row), "deviation": row.deviation, "sigma": row.sigma, "passed": row.passed}
            for row in outcome.rows
        ],
        "remarks": outcome.remarks,
    }
    (HERE / name / "results.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (HERE / name / "report.md").write_text(_report(case, record, outcome), encoding="utf-8")


def _report(case: dict[str, Any], record: dict[str, Any], outcome: Outcome) -> str:
    notes = list(dict.fromkeys(key for row in outcome.rows for key in row.notes))
    how = f"{record['histories']:.3g} histories, seed {record['seed']}" if record["histories"] else "No Monte Carlo"
    lines = [
        f"# {case['question']}",
        "",
        f"**{'Passed' if record['passed'] else 'FAILED'}**: {outcome.inside} of {len(outcome.judged)} "
        f"figures inside their limit. {how}, {record['seconds']:.0f} s on {record['device']}, "
        f"mcdose {record['mcdose']} ({record['commit']}), {record['date']}.",
        "",
        f"Reference: {case['reference']}",
        "",
        f"Limit, written before the run: {case['limit_text']}",
        "",
        *(f"- {remark}" for remark in outcome.remarks),
        "",
        "| quantity | mcdose | reference | difference | combined 1 sigma | limit | |"
        + "".join(f" {n} |" for n in notes),
        "|---|---|---|---|---|---|---|" + "---|" * len(notes),
    ]
    for row in outcome.rows:
        limit = (
            "-"
            if row.limit is None
            else f"{row.limit * 100:.3g} %" + (f" + {row.sigmas:g} sigma" if row.sigmas else "")
        )
        verdict = "" if row.limit is None else ("ok" if row.passed else "**outside**")
        lines.append(
            f"| {row.quantity} | {row.value:.6g} | {row.reference:.6g} | {row.deviation * 100:+.3f} % | "
            f"{row.sigma * 100:.3f} % | {limit} | {verdict} |" + "".join(f" {row.notes.get(n, '')} |" for n in notes)
        )
    lines += ["", "![figure](report.png)", ""]
    return "\n".join(lines)
