"""Convolution against the other ways to it, on the same arrays in the same run, with the same answer.

    python -m benchmarks.convolution [--repeats 5] [--side 256] [--output FILE.json]

A cube of random activity with kernels of 9^3 and 41^3 voxels: scipy.signal's fftconvolve and oaconvolve (all
processors by scipy.fft.set_workers), SimpleITK's FFT filter, and where a CUDA device works cupyx.scipy.signal's
fftconvolve; wall time of runs taken alternately, and the memory that one call adds, in a process of its own. Then
the dose in a grid of 512 x 512 x 256 voxels with several limits of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from mcdose.convolution.convolve import convolve
from mcdose.convolution.even_kernel import EvenKernel
from mcdose.devices import devices
from mcdose.engine.cpu import thread_count
from mcdose.shell_integration import unfold
from validation.outcome import commit

KERNELS = (9, 41)
DTYPES = {"single": np.float32, "double": np.float64}
LARGE = (256, 512, 512)
LIMITS = (4_000_000_000, 2_000_000_000, 1_400_000_000)  # bytes, of the dose in the large grid

Method = Callable[[Any, Any, str], Any]


def ours(source: Any, octant: Any, precision: str, device: str = "cpu") -> Any:
    """Return the convolution by mcdose, in the dtype of the source."""
    from mcdose.arrays import module_of

    result = module_of(source).zeros(source.shape, source.dtype)

    def deliver(z: slice, y: slice, x: slice, values: Any) -> None:
        result[z, y, x] = values

    convolve(source, EvenKernel(octant), deliver, precision=precision, device=device, threads=thread_count(None))
    return result


def fftconvolve(source: Any, octant: Any, precision: str) -> Any:
    """Return the convolution by scipy.signal.fftconvolve."""
    from scipy import fft, signal

    with fft.set_workers(thread_count(None)):
        return signal.fftconvolve(source, unfold(octant).astype(DTYPES[precision]), "same")


def oaconvolve(source: Any, octant: Any, precision: str) -> Any:
    """Return the convolution by scipy.signal.oaconvolve."""
    from scipy import fft, signal

    with fft.set_workers(thread_count(None)):
        return signal.oaconvolve(source, unfold(octant).astype(DTYPES[precision]), "same")


def simpleitk(source: Any, octant: Any, precision: str) -> Any:
    """Return the convolution by SimpleITK's FFTConvolution."""
    import SimpleITK

    kernel = SimpleITK.GetImageFromArray(unfold(octant).astype(DTYPES[precision]))
    image = SimpleITK.GetImageFromArray(source)
    done = SimpleITK.FFTConvolution(image, kernel, False, SimpleITK.FFTConvolutionImageFilter.ZERO_PAD)
    return SimpleITK.GetArrayFromImage(done)


METHODS: dict[str, Method] = {
    "mcdose": ours,
    "scipy fftconvolve": fftconvolve,
    "scipy oaconvolve": oaconvolve,
    "SimpleITK FFTConvolution": simpleitk,
}


def arrays(side: int, size: int, precision: str) -> tuple[Any, Any]:
    """Return random activity and the octant of a kernel that falls off like one."""
    generator = np.random.default_rng(1)
    source = generator.random((side,) * 3, dtype=np.float32).astype(DTYPES[precision])
    offsets = np.arange(size // 2 + 1, dtype=np.float64)
    distance = np.sqrt(sum(np.meshgrid(offsets**2, offsets**2, offsets**2, indexing="ij")))
    return source, np.exp(-10.0 * distance / size)


def compare(side: int, repeats: int) -> list[dict[str, Any]]:
    """Return times, memory and largest difference of every method, by kernel and precision."""
    found = []
    for size in KERNELS:
        answer = ours(*arrays(side, size, "double"), "double")
        for precision in DTYPES:
            source, octant = arrays(side, size, precision)
            seconds: dict[str, list[float]] = {name: [] for name in METHODS}
            differs = {}
            for _ in range(repeats):
                for name, method in METHODS.items():
                    begun = time.perf_counter()
                    result = method(source, octant, precision)
                    seconds[name].append(time.perf_counter() - begun)
                    differs[name] = float(np.abs(result - answer).max() / answer.max())
            for name in METHODS:
                row = {
                    "kernel": size,
                    "precision": precision,
                    "method": name,
                    "seconds": median(seconds[name]),
                    "range": [min(seconds[name]), max(seconds[name])],
                    "added_mb": in_a_process("memory", side, size, precision, name)["added_mb"],
                    "largest_difference": differs[name],
                }
                found.append(row)
                print(
                    f"{side}^3 with {size}^3, {precision}: {name:26} {row['seconds']:6.2f} s  "
                    f"{row['added_mb']:6.0f} MB  differs by {row['largest_difference']:.1e} of the largest",
                    flush=True,
                )
    return found


def on_gpu(side: int, repeats: int) -> list[dict[str, Any]]:
    """Return times of mcdose and cupyx on every CUDA device, arrays on it, with the bytes that must move at least."""
    found = []
    for device in devices()[1:]:
        import cupy
        from cupyx.scipy import signal

        with cupy.cuda.Device(int(device.name.removeprefix("cuda:"))):
            for grid in (side, 512):
                for precision in DTYPES:
                    source, octant = arrays(grid, 41, precision)
                    there = cupy.asarray(source)
                    kernel = cupy.asarray(unfold(octant).astype(DTYPES[precision]))
                    ways = {
                        "mcdose": lambda s=there, o=octant, p=precision, d=device.name: ours(s, o, p, d),
                        "cupyx fftconvolve": lambda s=there, k=kernel: signal.fftconvolve(s, k, "same"),
                    }
                    seconds: dict[str, list[float]] = {name: [] for name in ways}
                    answer = ways["cupyx fftconvolve"]()
                    differs = float(abs(ways["mcdose"]() - answer).max() / answer.max())
                    for _ in range(repeats):
                        for name, way in ways.items():
                            cupy.cuda.Device().synchronize()
                            begun = time.perf_counter()
                            way()
                            cupy.cuda.Device().synchronize()
                            seconds[name].append(time.perf_counter() - begun)
                    del answer
                    cupy.fft.config.get_plan_cache().clear()
                    cupy.get_default_memory_pool().free_all_blocks()
                    found.append(
                        {
                            "device": device.description,
                            "side": grid,
                            "kernel": 41,
                            "precision": precision,
                            "seconds": {name: median(times) for name, times in seconds.items()},
                            "bytes_in_and_out": 2 * source.nbytes,
                            "largest_difference": differs,
                        }
                    )
    return found


def in_a_process(*what: Any) -> dict[str, Any]:
    """Run a part of this module in a process of its own and return what it prints."""
    command = [sys.executable, "-m", "benchmarks.convolution", "--part", *map(str, what)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def added_memory(call: Callable[[], Any]) -> dict[str, float]:
    """Return the time of a call and the largest resident memory while it runs, and how much of it is new."""
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    begun = time.perf_counter()
    kept = call()
    seconds = time.perf_counter() - begun
    peak = _status("VmHWM")
    del kept
    return {"seconds": seconds, "added_mb": (peak - before) / 1e6, "peak_mb": peak / 1e6}


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def part(words: list[str]) -> dict[str, Any]:
    """Return the figures of the GPUs, the memory of one method, or time and memory of the dose in the large grid."""
    if words[0] == "gpu":
        return {"gpu": on_gpu(int(words[1]), int(words[2]))}
    if words[0] == "memory":
        side, size, precision, name = int(words[1]), int(words[2]), words[3], words[4]
        METHODS[name](*arrays(16, 9, precision), precision)  # imports
        source, octant = arrays(side, size, precision)
        return added_memory(lambda: METHODS[name](source, octant, precision))
    import mcdose

    activity = np.random.default_rng(1).random(LARGE, dtype=np.float32) * np.float32(1e9)
    how = {"method": "voxel-kernel", "device": "cpu", "precision": words[2], "max_memory": int(words[1])}
    mcdose.absorbed_dose(activity[:8, :8, :8], (3.0, 3.0, 3.0), **how)  # imports and compiled code
    return added_memory(lambda: mcdose.absorbed_dose(activity, (3.0, 3.0, 3.0), **how))


def large() -> list[dict[str, Any]]:
    """Return time and memory of the dose in the large grid, by limit of memory and precision."""
    found = []
    for precision in ("single", "double"):
        for limit in LIMITS:
            row = in_a_process("large", limit, precision)
            found.append({"shape": LARGE, "precision": precision, "max_memory_mb": limit / 1e6, **row})
            print(
                f"{' x '.join(map(str, LARGE))}, {precision}, max_memory {limit / 1e6:.0f} MB: {row['seconds']:.1f} s, "
                f"{row['added_mb']:.0f} MB added, the process {row['peak_mb']:.0f} MB at most",
                flush=True,
            )
    return found


def main() -> int:
    """Measure, print and write JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolution", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--output", type=Path, help="default: benchmarks/results/convolution.json")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(part(arguments.part)))
        return 0
    record = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": commit(),
        "machine": {"processor": platform.processor() or platform.machine(), "processors": os.cpu_count()},
        "threads": thread_count(None),
        "versions": {name: version(name) for name in ("numpy", "scipy", "SimpleITK")},
        "side": arguments.side,
        "repeats": arguments.repeats,
        "cpu": compare(arguments.side, arguments.repeats),
        "gpu": in_a_process("gpu", arguments.side, arguments.repeats)["gpu"],
        "large": large(),
    }
    output = (arguments.output or Path(__file__).parent / "results" / "convolution.json").resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"written to {output.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
