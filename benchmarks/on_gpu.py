"""Everything a GPU can tell in ten minutes: `python -m benchmarks.on_gpu -o FOLDER`.

It prints versions, checks correctness (the tests marked `cuda`, then compute-sanitizer), then times (`mcdose bench`,
then variants of the launch), then profiles (Nsight Compute), each in a process of its own with a time limit, so that
what fails does not stop the rest. Figures go to FOLDER/on_gpu.json as they come, what the tools said to files beside
it. It reads nothing but this repository.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = ("numpy", "numba", "llvmlite", "numba-cuda", "cupy-cuda13x", "cupy-cuda12x", "cuda-bindings", "cuda-toolkit")
NCU_SECTIONS = (
    "SpeedOfLight", "LaunchStats", "Occupancy", "SchedulerStats", "WarpStateStats", "InstructionStats",
    "MemoryWorkloadAnalysis", "MemoryWorkloadAnalysis_Tables", "SourceCounters",
)  # fmt: skip
SMALL_RUN = (
    "import numpy as np, mcdose;"
    "r = mcdose.absorbed_dose(np.ones((16, 16, 16)), (3, 3, 3), histories={histories}, device='cuda');"
    "q = r.energy_quanta; assert q['emitted'] == q['deposited'] + q['escaped'], q"
)


class Record:
    """The figures so far, on disk after every step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: dict[str, Any] = {}

    def add(self, name: str, figures: Any) -> None:
        """Keep the figures of a step."""
        self.found[name] = figures
        (self.folder / "on_gpu.json").write_text(json.dumps(self.found, indent=2) + "\n")

    def run(self, name: str, command: list[str], limit: float) -> tuple[int | None, str]:
        """Run a command, keep what it says in a file, and return its code (None: it took too long) and output."""
        begun = time.perf_counter()
        try:
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit)
            code, said, output = done.returncode, done.stdout + done.stderr, done.stdout
        except subprocess.TimeoutExpired as late:
            code, output = None, ""
            said = "".join(
                part.decode() if isinstance(part, bytes) else part for part in (late.stdout, late.stderr) if part
            )
        (self.folder / f"{name}.txt").write_text(said)
        print(
            f"{name}: {'too long' if code is None else f'exit {code}'}, {time.perf_counter() - begun:.0f} s", flush=True
        )
        return code, output


def versions() -> dict[str, Any]:
    """Return what runs here."""
    found: dict[str, Any] = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit", "--format=csv"]
    found["nvidia-smi"] = subprocess.run(query, capture_output=True, text=True).stdout.splitlines()[1:]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return {**found, "commit": commit or None, "date": time.strftime("%Y-%m-%d")}


def check(record: Record, limit: float) -> None:
    """Run the tests that need a GPU, and the memory checker on a small run."""
    report = record.folder / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cuda", "-p", "no:cacheprovider", f"--junitxml={report}"]
    code, _ = record.run("tests", command, limit)
    tests: dict[str, Any] = {"exit": code}
    if report.exists():
        suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
        tests |= {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        tests["figures"] = {
            f"{case.get('name')}: {item.get('name')}": item.get("value")
            for case in suite.iter("testcase")
            for item in case.iter("property")
        }
        tests["failed"] = [
            case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None
        ]  # fmt: skip
    record.add("tests", tests)
    if shutil.which("compute-sanitizer") is None:
        record.add("compute-sanitizer", "not installed")
        return
    found = {}
    for tool in ("memcheck", "racecheck", "initcheck", "synccheck"):
        run = [sys.executable, "-c", SMALL_RUN.format(histories=20_000)]
        command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", *run]
        code, output = record.run(f"sanitizer_{tool}", command, 120)
        lines = [line for line in output.splitlines() if "ERROR SUMMARY" in line or "hazard" in line]
        found[tool] = {"exit": code, "summary": lines[-1:] or None}
    record.add("compute-sanitizer", found)


def measure(record: Record, limit: float) -> None:
    """Run `mcdose bench` on the GPU and on the CPU beside it."""
    command = [sys.executable, "-m", "mcdose", "bench", "--json", "--seconds", "2"]
    code, output = record.run("bench", command, limit)
    record.add("bench", json.loads(output) if code == 0 else {"exit": code})


def variants(record: Record, limit: float) -> None:
    """Time other ways to launch the transport, each checked to give the same dose."""
    code, output = record.run("variants", [sys.executable, "-m", "benchmarks.cuda_variants", "--json"], limit)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    record.add("variants", {"exit": code, "found": lines})


def profile(record: Record, limit: float) -> None:
    """Read the hardware counters of the transport, where Nsight Compute can."""
    if shutil.which("ncu") is None:
        record.add("profile", "Nsight Compute (ncu) is not installed")
        return
    sections = [item for section in NCU_SECTIONS for item in ("--section", section)]
    run = [sys.executable, "-c", SMALL_RUN.format(histories=8_000_000)]
    names = "regex:transport|fly_aside|flush"
    # the first batches are small: the profile is of the launches after them
    command = ["ncu", "--clock-control", "none", "-k", names, "-s", "105", "-c", "3", *sections, *run]
    code, output = record.run("profile", command, limit)
    wanted = (
        "Compute (SM) Throughput", "Memory Throughput", "Achieved Occupancy", "Registers Per Thread", "Duration",
        "Avg. Active Threads Per Warp", "No Eligible", "Issued Warp Per Scheduler", "L1/TEX Hit Rate", "L2 Hit Rate",
        "Branch Efficiency", "Executed Ipc Active", "Local(",
    )  # fmt: skip
    lines = [" ".join(line.split()) for line in output.splitlines()]
    kept = [line for line in lines if line.startswith(wanted) or "Context 1" in line]
    record.add("profile", {"exit": code, "lines": kept})


def table(found: dict[str, Any]) -> str:
    """Return the figures that matter in a few lines."""
    lines = [f"tests      {found.get('tests')}", f"sanitizer  {found.get('compute-sanitizer')}"]
    for row in found.get("bench", {}).get("devices", []):
        for name, run in row["runs"].items():
            lines.append(f"{row['device']:8} {name:14} {run['histories_per_second']:.3g} histories/s")
        lines.append(f"{row['device']:8} tumours to 1 %: {row['demo_tumours_1_percent']}")
    for row in found.get("variants", {}).get("found", []):
        parts = (f"{key} {row[key].get('relative', row[key].get('error'))}" for key in ("water", "demo"))
        lines.append(f"variant {row['name']:24} {', '.join(parts)}")
    profile_found = found.get("profile")
    lines += profile_found["lines"] if isinstance(profile_found, dict) else [f"profile    {profile_found}"]
    return "\n".join(lines)


def main() -> int:
    """Run all steps, or those asked for."""
    steps = {"check": check, "measure": measure, "variants": variants, "profile": profile}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--only", choices=tuple(steps), action="append", help="this step; may be given several times")
    parser.add_argument("--limit", type=float, default=240.0, metavar="S", help="of each step (%(default)s)")
    args = parser.parse_args()
    from mcdose.engine.cuda_devices import why_not, working_gpus

    if not working_gpus():
        print(f"no CUDA device works: {why_not().text}", file=sys.stderr)
        return 2
    args.output.mkdir(parents=True, exist_ok=True)
    record = Record(args.output)
    record.add("versions", versions())
    print(json.dumps(record.found["versions"], indent=2), flush=True)
    record.add("gpus", [gpu._asdict() for gpu in working_gpus()])
    for name in args.only or steps:
        steps[name](record, args.limit)
    print(table(record.found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
