"""Run cases and write their reports: python -m validation [NAME ...] [--quick]."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from validation.outcome import HERE, Outcome, case_names, load_case, run_case, run_quick, write_outcome
from validation.scoreboard import write_scoreboard


def main() -> int:
    """Run the cases asked for; return 1 when a figure is outside its limit."""
    parser = argparse.ArgumentParser(prog="python -m validation", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*case_names(), "all", "scoreboard"], default="all", metavar="NAME",
        help="a case; none or 'all' runs every one, 'scoreboard' only writes README.md",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="few histories, 3.5 sigma; writes nothing")
    parser.add_argument("--histories", type=float, help="of each run; default: that of case.toml")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.quick and arguments.histories:
        parser.error("--quick has its own histories")
    names = case_names() if "all" in arguments.names else [name for name in arguments.names if name != "scoreboard"]
    outcomes: dict[str, Outcome] = {}
    for name in names:
        print(f"{name}: {load_case(name)['question']}", flush=True)
        if arguments.quick:
            outcomes[name] = run_quick(name, arguments.seed, arguments.threads)
        else:
            histories = int(arguments.histories) if arguments.histories else None
            outcomes[name] = run_case(name, histories, arguments.seed, arguments.threads)
            write(name, outcomes[name])
        show(outcomes[name])
    if not arguments.quick:
        write_scoreboard()
    if len(names) > 1:
        show_table(outcomes)
    return 0 if all(outcome.passed for outcome in outcomes.values()) else 1


def write(name: str, outcome: Outcome) -> None:
    """Write report, figure and figures of a case into its folder."""
    from validation.figures import draw

    write_outcome(name, outcome)
    compare = import_module(f"validation.{name}.compare")
    getattr(compare, "draw", draw)(HERE / name / "report.png", load_case(name)["question"], outcome)


def show(outcome: Outcome) -> None:
    """Print the rows of a case, of a long one only those that failed."""
    for row in outcome.rows:
        if not row.passed or len(outcome.rows) <= 12:
            print(
                f"  {row.quantity}: {row.deviation * 100:+.3f} % +- {row.sigma * 100:.3f} %"
                f"{'' if row.passed else ' OUTSIDE'}"
            )
    print(f"  {outcome.inside} of {len(outcome.judged)} inside, {outcome.seconds:.0f} s", flush=True)


def show_table(outcomes: dict[str, Outcome]) -> None:
    """Print a line for each case: whether it passed, how many figures did, and the one nearest to its limit."""
    print(f"\n{'case':28} {'result':6} {'inside':>9} {'histories':>10} {'seconds':>8}  nearest to its limit")
    for name, outcome in outcomes.items():
        inside = f"{outcome.inside}/{len(outcome.judged)}"
        worst = outcome.worst()
        print(
            f"{name:28} {'passed' if outcome.passed else 'FAILED':6} {inside:>9} {outcome.histories:10.3g} "
            f"{outcome.seconds:8.0f}  {worst.quantity}: {worst.deviation * 100:+.3g} % +- {worst.sigma * 100:.2g} %"
        )


if __name__ == "__main__":
    sys.exit(main())
