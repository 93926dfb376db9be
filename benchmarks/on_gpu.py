"""Everything a GPU can tell in ten minutes: `python -m benchmarks.on_gpu -o FOLDER`.

It prints versions, checks correctness (the tests marked `cuda`), times (`mcdose bench`, then variants of the launch),
profiles (Nsight Compute) and runs compute-sanitizer, each in a process of its own with a time limit, so that what
fails does not stop the rest. Figures go to FOLDER/on_gpu.json as they come, what the tools said to said.txt beside it.
It reads nothing but this repository.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import traceback
import xml.etree.ElementTree as ElementTree
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TOOLKIT = Path("/usr/local/cuda")
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
    """The figures so far, on disk after every step; what the tools said goes to one file beside them."""

    def __init__(self, folder: Path, minutes: float) -> None:
        self.folder = folder
        self.found: dict[str, Any] = {}
        self._end = time.monotonic() + 60.0 * minutes
        (folder / "said.txt").write_text("")

    def add(self, name: str, figures: Any) -> None:
        """Keep the figures of a step."""
        self.found[name] = figures
        (self.folder / "on_gpu.json").write_text(json.dumps(self.found, indent=2) + "\n")

    def run(self, name: str, command: list[str], limit: float) -> tuple[int | None, str]:
        """Run a command, keep what it says, return its code (None: stopped as too late) and output."""
        begun = time.monotonic()
        limit = min(limit, self._end - begun)
        if limit < 5.0:
            print(f"{name}: no time left", flush=True)
            return None, ""
        child = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )  # fmt: skip
        try:
            output, _ = child.communicate(timeout=limit)
            code: int | None = child.returncode
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            output, _ = child.communicate()
            code = None
        with (self.folder / "said.txt").open("a") as said:
            said.write(f"\n===== {name}: {' '.join(command)}\n{output}")
        how = "stopped, too long" if code is None else f"exit {code}"
        print(f"{name}: {how}, {time.monotonic() - begun:.0f} s", flush=True)
        return code, output


def said_by(command: list[str]) -> list[str]:
    """Return the lines of a tool's output; none where there is no such tool."""
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60).stdout.splitlines()
    except (OSError, subprocess.SubprocessError):
        return []


def versions() -> dict[str, Any]:
    """Return what runs here."""
    found: dict[str, Any] = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    about = "name,driver_version,memory.total,clocks.max.sm,power.limit"
    found["nvidia-smi"] = said_by(["nvidia-smi", f"--query-gpu={about}", "--format=csv"])[1:]
    found["commit"] = (said_by(["git", "rev-parse", "HEAD"]) or [None])[0]
    return {**found, "date": time.strftime("%Y-%m-%d")}


def check(record: Record) -> None:
    """Run the tests that need a GPU."""
    report = record.folder / "tests.xml"
    report.unlink(missing_ok=True)
    options = ["-q", "-m", "cuda", "-p", "no:cacheprovider", "-o", "junit_family=xunit1", f"--junitxml={report}"]
    code, _ = record.run("tests", [sys.executable, "-m", "pytest", *options, "tests/test_cuda_gpu.py"], 290)
    tests: dict[str, Any] = {"exit": code}
    if report.exists():
        suite = next(ElementTree.parse(report).getroot().iter("testsuite"))
        tests |= {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        cases = list(suite.iter("testcase"))
        tests["figures"] = {
            f"{case.get('name')}: {item.get('name')}": item.get("value")
            for case in cases
            for item in case.iter("property")
        }
        for outcome in ("failure", "error", "skipped"):
            tests[f"{outcome} of"] = [case.get("name") for case in cases if case.find(outcome) is not None]
    record.add("tests", tests)


def sanitize(record: Record) -> None:
    """Run the memory checker on a small run."""
    if shutil.which("compute-sanitizer") is None:
        record.add("compute-sanitizer", "not installed")
        return
    found: dict[str, Any] = {}
    for tool in ("memcheck", "racecheck", "initcheck", "synccheck"):
        run = [sys.executable, "-c", SMALL_RUN.format(histories=20_000)]
        # CUDA's bindings look for functions of newer drivers, and are told that there are none: no error
        tell = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "9", "--report-api-errors", "no"]
        code, output = record.run(tool, [*tell, *run], 60)
        lines = [line for line in output.splitlines() if "SUMMARY" in line]
        found[tool] = {"exit": code, "summary": lines[-1:] or None}
        record.add("compute-sanitizer", found)


def measure(record: Record) -> None:
    """Run `mcdose bench` on the GPU, and a short one on the CPU beside it."""
    found: dict[str, Any] = {}
    for device, options in (("cuda", ["--seconds", "2"]), ("cpu", ["--quick"])):
        command = [sys.executable, "-m", "mcdose", "bench", "--json", "--device", device, *options]
        code, output = record.run(f"bench {device}", command, 150)
        try:
            found[device] = json.loads(output[output.index("{") :])["devices"] if code == 0 else {"exit": code}
        except ValueError as error:
            found[device] = {"exit": code, "error": str(error)}
        record.add("bench", found)


def convolution(record: Record) -> None:
    """Time convolution on the GPU beside cupyx, up to 512^3 voxels."""
    code, output = record.run(
        "convolution", [sys.executable, "-m", "benchmarks.convolution", "--part", "gpu", "256", "7"], 120
    )
    lines = [json.loads(line)["gpu"] for line in output.splitlines() if line.startswith('{"gpu"')]
    record.add("convolution", lines[0] if lines else {"exit": code})


def variants(record: Record) -> None:
    """Time other ways to launch the transport, each checked to give the same dose."""
    code, output = record.run("variants", [sys.executable, "-m", "benchmarks.cuda_variants", "--json"], 150)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{") and line.endswith("}")]
    record.add("variants", {"exit": code, "found": lines})


def profile(record: Record) -> None:
    """Read the hardware counters of the transport, where Nsight Compute can."""
    if shutil.which("ncu") is None:
        record.add("profile", "Nsight Compute (ncu) is not installed")
        return
    sections = [item for section in NCU_SECTIONS for item in ("--section", section)]
    run = [sys.executable, "-c", SMALL_RUN.format(histories=8_000_000)]
    names = "regex:transport|flush"
    # the opening batches are small: the profile is of launches after them
    command = ["ncu", "--clock-control", "none", "-k", names, "-s", "105", "-c", "3", *sections, *run]
    code, output = record.run("profile", command, 90)
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
    for rows in found.get("bench", {}).values():
        for row in rows if isinstance(rows, list) else []:
            for name, run in row["runs"].items():
                lines.append(f"{row['device']:8} {name:14} {run['histories_per_second']:.3g} histories/s")
            lines.append(f"{row['device']:8} tumours to 1 %: {row['demo_tumours_1_percent']}")
    rows = found.get("convolution", [])
    for row in rows if isinstance(rows, list) else [rows]:
        if "exit" in row:
            lines.append(f"convolution {row}")
            continue
        times = ", ".join(f"{name} {1000.0 * seconds:.1f} ms" for name, seconds in row["seconds"].items())
        lines.append(
            f"convolution {row['side']}^3, {row['precision']}: {times}, differs {row['largest_difference']:.1e}"
        )
    for row in found.get("variants", {}).get("found", []):
        parts = (
            f"{key} {row[key].get('relative', row[key].get('error'))} (same bits: {row[key].get('same_bits')})"
            for key in ("water", "demo", "Tc-99m", "I-131")
        )
        lines.append(f"variant {row['name']:24} {', '.join(parts)}")
    profile_found = found.get("profile")
    lines += profile_found["lines"] if isinstance(profile_found, dict) else [f"profile    {profile_found}"]
    return "\n".join(lines)


def main() -> int:
    """Run all steps, or those asked for."""
    steps = {
        "check": check,
        "measure": measure,
        "convolution": convolution,
        "variants": variants,
        "profile": profile,
        "sanitize": sanitize,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--only", choices=tuple(steps), action="append", help="this step; may be given several times")
    parser.add_argument("--minutes", type=float, default=9.5, metavar="M", help="for all steps together (%(default)s)")
    args = parser.parse_args()
    if "CUDA_HOME" not in os.environ and TOOLKIT.exists():  # where numba-cuda finds NVVM if no package brings it
        os.environ["CUDA_HOME"] = str(TOOLKIT)
    from mcdose.engine.cuda_devices import why_not, working_gpus

    args.output.mkdir(parents=True, exist_ok=True)
    record = Record(args.output, args.minutes)
    record.add("versions", versions())
    print(json.dumps(record.found["versions"], indent=2), flush=True)
    if not working_gpus():
        record.add("gpus", why_not().text)
        print(f"no CUDA device works: {why_not().text}", file=sys.stderr)
        return 2
    record.add("gpus", [gpu._asdict() for gpu in working_gpus()])
    for name in args.only or steps:
        try:
            steps[name](record)
        except Exception as error:  # what fails must not stop the rest
            record.add(f"{name} failed", f"{type(error).__name__}: {error}")
            traceback.print_exc()
    print(table(record.found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
