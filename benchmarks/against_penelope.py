"""Speed against PENELOPE on the same problem, in the same run, and the gain of a second thread.

    python -m benchmarks.against_penelope [--repeats 7] [--output FILE.json]

Processor time per history of both codes, taken alternately; the time of a run of a few histories (tables, reading,
set-up) is subtracted from both. Then wall time with one and with two threads, alternately.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.penelope import COARSE_CUT, Penelope, penelope_is_here, same_cut
from benchmarks.problem import water
from validation.outcome import commit
from validation.penelope import scratch_folder

FEW = 1000


def main() -> int:
    """Measure, print and write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against_penelope", description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--histories", type=float, default=4e6, help="of mcdose, each repeat")
    parser.add_argument("--penelope-histories", type=float, default=2e5, help="of PENELOPE, each repeat")
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/against_penelope.json")
    arguments = parser.parse_args()
    output = (arguments.output or Path(__file__).parent / "results" / "against_penelope.json").resolve()
    if not penelope_is_here():
        return 2
    with scratch_folder():
        judges = {
            "penelope_dose_map": Penelope(True, same_cut()),
            "penelope_dose_map_coarse": Penelope(True, COARSE_CUT),
            "penelope_total_energy_coarse": Penelope(False, COARSE_CUT),
        }
        record = _compare(judges, arguments)
    record["threads"] = _threads(arguments.repeats, int(arguments.histories))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    _print(record)
    print(f"written to {output.name}")
    return 0


def _compare(judges: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return processor times per history, alternately taken, and their ratios."""
    result = water(FEW, 1)  # compiles
    runs = {"mcdose": (lambda n, seed: water(n, 1, seed).deposited_mev / n, int(arguments.histories))} | {
        name: (judge.run, int(arguments.penelope_histories)) for name, judge in judges.items()
    }
    for run, _ in runs.values():
        run(FEW, 1)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    deposited: dict[str, list[float]] = {name: [] for name in runs}
    loads = []
    for repeat in range(arguments.repeats):
        for name, (run, histories) in runs.items():
            begun = time.process_time()
            run(FEW, repeat + 1)
            set_up = time.process_time()
            deposited[name].append(run(histories, repeat + 1))
            spent = time.process_time() - set_up - (set_up - begun)
            seconds[name].append(spent / (histories - FEW))
            print(f"{repeat + 1}/{arguments.repeats} {name}: {1.0 / seconds[name][-1]:.0f} histories/s", flush=True)
        loads.append(os.getloadavg()[0] if hasattr(os, "getloadavg") else None)
    result = water(100_000, 1)
    flights = result.provenance["flights_per_history"]
    ratios = {
        name: [theirs / ours for theirs, ours in zip(seconds[name], seconds["mcdose"], strict=True)] for name in judges
    }
    return {
        "what": "processor time per history, one thread, 64^3 voxels of 3 mm water, Y-90 source over the whole grid",
        "penelope": f"pypenred {version('pypenred')}, C1 = C2 = 0.1, WCC = WCR = 10 keV, photons to 10 keV, "
        f"electrons to {same_cut() / 1e3:g} keV, where mcdose leaves them too; coarse: to {COARSE_CUT / 1e3:g} keV",
        "mcdose": f"{result.provenance['mcdose']}, parameters {result.provenance['parameters']}",
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": processor(),
        "target": result.provenance["target"],
        "numba": result.provenance["numba"],
        "python": platform.python_version(),
        "load_average": loads,
        "histories_per_cpu_second": {name: [1.0 / value for value in values] for name, values in seconds.items()},
        "deposited_mev_per_history": {name: sum(values) / len(values) for name, values in deposited.items()},
        "ratio": ratios,
        "ratio_median": {name: median(values) for name, values in ratios.items()},
        "ratio_range": {name: [min(values), max(values)] for name, values in ratios.items()},
        "flights_per_history": flights,
        "ns_per_flight": median(seconds["mcdose"]) * 1e9 / flights,
    }


def _threads(repeats: int, histories: int) -> dict[str, Any]:
    """Return wall times with one and two threads, alternately taken; set-up is not in `histories_per_second`."""
    speeds: dict[int, list[float]] = {1: [], 2: []}
    loads = []
    for repeat in range(repeats):
        for threads, values in speeds.items():
            values.append(water(histories, threads, repeat + 1).histories_per_second or 0.0)
        loads.append(os.getloadavg()[0] if hasattr(os, "getloadavg") else None)
    gains = [two / one for one, two in zip(speeds[1], speeds[2], strict=True)]
    return {
        "histories_per_second": {str(threads): values for threads, values in speeds.items()},
        "gain": gains,
        "gain_median": median(gains),
        "gain_of_best": max(speeds[2]) / max(speeds[1]),
        "load_average": loads,
        "processors": os.cpu_count(),
    }


def processor() -> str:
    """Return the model of the processor where the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _print(record: dict[str, Any]) -> None:
    for name, values in record["histories_per_cpu_second"].items():
        print(
            f"{name:24s} {median(values):12.0f} histories per second of processor time "
            f"({min(values):.0f} to {max(values):.0f}), {record['deposited_mev_per_history'][name]:.4f} MeV deposited"
        )
    for name, values in record["ratio"].items():
        print(f"mcdose over {name}: {median(values):.1f} ({min(values):.1f} to {max(values):.1f})")
    print(f"{record['flights_per_history']:.1f} flights per history, {record['ns_per_flight']:.0f} ns per flight")
    threads = record["threads"]
    print(f"two threads: {threads['gain_median']:.2f} times one (median), {threads['gain_of_best']:.2f} (best of each)")


if __name__ == "__main__":
    sys.exit(main())
