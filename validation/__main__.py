"""Run a case and write its report: python -m validation NAME | all."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from validation.outcome import HERE, case_names, load_case, write_outcome
from validation.scoreboard import write_scoreboard


def main() -> int:
    """Run the cases asked for; return 1 when a figure is outside its limit."""
    parser = argparse.ArgumentParser(prog="python -m validation", description=__doc__)
    parser.add_argument("name", choices=[*case_names(), "all", "scoreboard"])
    parser.add_argument("--histories", type=float, help="of each run; default: that of case.toml")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    passed = True
    names = {"all": case_names(), "scoreboard": []}.get(arguments.name, [arguments.name])
    for name in names:
        case = load_case(name)
        histories = int(arguments.histories or case["histories"])
        print(f"{name}: {case['question']}", flush=True)
        compare = import_module(f"validation.{name}.compare")
        outcome = compare.run(histories, arguments.seed, arguments.threads)
        for row in outcome.rows:
            if not row.passed or len(outcome.rows) <= 12:
                print(
                    f"  {row.quantity}: {row.deviation * 100:+.3f} % +- {row.sigma * 100:.3f} %"
                    f"{'' if row.passed else ' OUTSIDE'}"
                )
        print(
            f"  {sum(row.passed for row in outcome.rows)} of {len(outcome.rows)} inside, {outcome.seconds:.0f} s",
            flush=True,
        )
        write_outcome(name, outcome)
        from validation.figures import draw

        getattr(compare, "draw", draw)(HERE / name / "report.png", case["question"], outcome)
        passed = passed and outcome.passed
    write_scoreboard()
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
