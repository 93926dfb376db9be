"""Efficiency of the Y-90 point kernel in water against PENELOPE with its reference parameters, in the same run.

    python -m benchmarks.point_kernel_against_penelope [--repeats 5] [--output FILE.json]

Both codes take turns on one processor core. The efficiency of a shell is 1 / (s^2 T), s its relative standard error and
T the processor time without that of a run of a few histories (tables, reading, set-up). Then mcdose makes a kernel with
1 % in every 0.1 mm shell up to X90, on all cores, by the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.against_penelope import processor
from benchmarks.penelope import WATER, penelope_is_here
from mcdose import PointKernel, __version__, dose_point_kernel
from validation.outcome import commit
from validation.penelope import Penelope, listed_medium, scratch_folder

FEW = 1000
GOAL = 0.01


def main() -> int:
    """Measure, print and write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.point_kernel_against_penelope", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--histories", type=float, default=1e6, help="of mcdose, each repeat")
    parser.add_argument("--penelope-histories", type=float, default=1e5, help="of PENELOPE, each repeat")
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/point_kernel_against_penelope.json")
    arguments = parser.parse_args()
    here = Path(__file__).parent / "results"
    output = (arguments.output or here / "point_kernel_against_penelope.json").resolve()
    if not penelope_is_here():
        return 2
    with scratch_folder():
        record = _compare(Penelope("Y-90", WATER), arguments)
    output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    ratio = record["efficiency_ratio"]
    print(f"efficiency over PENELOPE: median shell {ratio['median']:.1f} ({ratio['least']:.1f} to {ratio['most']:.1f})")
    clock = record["kernel_at_1_percent"]
    print(
        f"1 % in every shell up to X90: {clock['histories']} histories, {clock['seconds']:.2f} s on {clock['threads']}"
    )
    print(f"written to {output.name}")
    return 0


def _compare(judge: Penelope, arguments: argparse.Namespace) -> dict[str, Any]:
    edges = [*judge.edges_mm, 2000.0]

    def ours(histories: int, seed: int, threads: int = 1) -> PointKernel:
        return dose_point_kernel(
            "Y-90",
            listed_medium(WATER),
            shell_edges_mm=edges,
            histories=histories,
            seed=seed,
            threads=threads,
            device="cpu",
        )

    shells = int(np.searchsorted(judge.edges_mm, ours(20_000, 1).radius_containing(0.9)))  # compiles

    def our_errors(histories: int, seed: int) -> Any:
        kernel = ours(histories, seed)
        return (kernel.standard_error_mev / kernel.energy_mev)[:shells]

    def their_errors(histories: int, seed: int) -> Any:
        energy, error = judge.run(histories, seed)
        with np.errstate(invalid="ignore"):
            return (error / energy)[:shells]

    runs = {
        "mcdose": (our_errors, int(arguments.histories)),
        "penelope": (their_errors, int(arguments.penelope_histories)),
    }
    efficiency: dict[str, list[Any]] = {name: [] for name in runs}
    speed: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(arguments.repeats):
        for name, (run, histories) in runs.items():
            begun = time.process_time()
            run(FEW, repeat + 1)
            set_up = time.process_time()
            errors = run(histories, repeat + 1)
            spent = time.process_time() - set_up - (set_up - begun)
            efficiency[name].append(1.0 / (errors**2 * spent))
            speed[name].append(histories / spent)
            print(f"{repeat + 1}/{arguments.repeats} {name}: {speed[name][-1]:.0f} histories/s", flush=True)
    mean = {name: np.mean(values, axis=0) for name, values in efficiency.items()}
    ratio = mean["mcdose"] / mean["penelope"]
    of_repeats = [float(np.median(a / b)) for a, b in zip(efficiency["mcdose"], efficiency["penelope"], strict=True)]
    worst = float(our_errors(int(arguments.histories), 99).max())
    needed = int(arguments.histories * (worst / (0.97 * GOAL)) ** 2)
    threads = os.cpu_count() or 1
    begun = time.perf_counter()
    kernel = ours(needed, 7, threads)
    seconds = time.perf_counter() - begun
    reached = float((kernel.standard_error_mev / kernel.energy_mev)[:shells].max())
    return {
        "what": "Y-90 point kernel in water (ICRU-90), 0.1 mm shells up to X90; efficiency 1 / (s^2 T), one core",
        "penelope": f"pypenred {version('pypenred')}, C1 = C2 = 0.05, WCC = WCR = 1 keV, electrons to 10 keV",
        "mcdose": f"{__version__}, parameters {kernel.provenance['parameters']}",
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "processor": processor(),
        "histories_per_cpu_second": speed,
        "efficiency_ratio": {
            "median": float(np.median(ratio)),
            "least": float(ratio.min()),
            "most": float(ratio.max()),
            "medians_of_repeats": of_repeats,
        },
        "kernel_at_1_percent": {
            "histories": kernel.histories,
            "threads": threads,
            "seconds": seconds,
            "largest_relative_error": reached,
            "penelope_seconds_by_its_efficiency": median(
                [float(np.max(1.0 / (values * GOAL**2))) / threads for values in efficiency["penelope"]]
            ),
        },
    }


if __name__ == "__main__":
    sys.exit(main())
