"""Compile every CUDA kernel without a GPU and read what it takes: `python -m tools.cuda_resources` records it.

The figures go to benchmarks/results/cuda_resources.json, which the tests hold the code against. Needs the dependency
group `test` (numba-cuda, NVVM, ptxas) and no device.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

RECORD = Path(__file__).parents[1] / "benchmarks" / "results" / "cuda_resources.json"
ARCHITECTURES = ((7, 5), (9, 0))
TRANSPORT = ("transport", "transport_rows")
REGISTERS_OF_PROCESSOR = 65536  # of every architecture from sm_70 to sm_90


class _Device:
    """Stands for a GPU where numba-cuda asks for the current one."""

    def __init__(self, capability: tuple[int, int]) -> None:
        self.compute_capability = capability


@cache
def arguments() -> dict[str, tuple[Any, ...]]:
    """Return arguments of every kernel, of the types that the engine launches it with."""
    from mcdose.emission_table import emission_table
    from mcdose.engine.cuda_kernels import Aside
    from mcdose.maps import Voxels
    from mcdose.media import medium
    from mcdose.nuclides import nuclide
    from mcdose.parameters import TransportParameters
    from mcdose.physics_tables import build, cuts
    from mcdose.source_tables import build_source
    from mcdose.tally import Sums
    from mcdose.transport.score import Scores
    from mcdose.transport.shells import Shells
    from mcdose.transport.source import PointSource
    from mcdose.transport.stack import INTEGERS, REALS
    from mcdose.transport.world import World

    parameters = TransportParameters()
    tables, limits = build([medium("water")], [1.0], parameters), cuts(parameters)
    source = build_source(np.ones((2, 2, 2)), emission_table(nuclide("Y-90")))
    source = type(source)(*(np.array(f) if isinstance(f, np.ndarray) else f for f in source))  # none read-only there
    reals, doubles, longs = np.zeros(8, np.float32), np.zeros(8), np.zeros(8, np.int64)
    words, media = np.zeros(8, np.uint64), np.zeros(8, np.uint8)
    world = World(*[np.int32(2)] * 3, *[np.float32(1.0)] * 4, reals, media)
    shells = Shells(reals, np.float32(1.0), reals, media)
    aside = Aside(np.zeros((8, INTEGERS), np.int32), np.zeros((8, REALS), np.float32), words, longs)
    scores = Scores(longs, longs)
    sums = Sums(words, np.zeros(8, np.int16), words, np.zeros(8, np.uint32))
    voxels = Voxels(reals, media, doubles, np.float32(0.0), np.float64(1.0))
    number, real, double, seed = np.int64(1), np.float32(1.0), np.float64(1.0), np.uint64(1)
    square = np.zeros((2, 4))
    accounts = np.zeros((2, 4), np.int64)
    return {
        "transport": (
            seed, seed, number, longs, number, source, world, tables, limits, scores, accounts, aside,
        ),
        "transport_rows": (
            seed, words, longs, PointSource(*source[3:]), shells, tables, limits,
            accounts, accounts, accounts,
        ),
        "leave": (longs, reals, double, accounts),
        "flush": (longs, double, sums),
        "fill_dose": (sums, voxels, double, real, reals),
        "fill_error": (sums, voxels, double, number, reals),
        "add_variances": (sums, reals, real, double, number, doubles, doubles),
        "add_regions": (longs, longs, np.zeros(8, np.int32), reals, voxels, square),
        "fold": (square, doubles),
        "cumulate": (square, np.zeros((2, 4), np.uint32), doubles),
        "add_checksum": (doubles, words),
        "find_largest": (reals, media, reals),
        "probe": (longs,),
    }  # fmt: skip


def described(value: Any) -> Any:
    """Return the type of an argument of a kernel in plain JSON types: what numba compiles for."""
    if isinstance(value, tuple):
        return [type(value).__name__, *(described(item) for item in value)]
    if isinstance(value, np.ndarray):
        return f"{value.dtype}[{value.ndim}]"
    return "int64" if type(value) is int else str(np.asarray(value).dtype)


@cache
def ptx(kernel: str, capability: tuple[int, int]) -> str:
    """Return the PTX of a kernel, compiled as the engine compiles it."""
    import numba.cuda.dispatcher
    from numba import cuda
    from numba.cuda.typing.typeof import typeof

    from mcdose.engine import cuda_kernels

    dispatcher = getattr(cuda_kernels, kernel)
    signature = tuple(typeof(argument) for argument in arguments()[kernel])
    options = {key: dispatcher.targetoptions[key] for key in ("fastmath", "launch_bounds")}
    with mock.patch.object(numba.cuda.dispatcher, "get_current_device", return_value=_Device(capability)):
        text, _ = cuda.compile_ptx(dispatcher.py_func, signature, cc=capability, **options)
    return str(text)


def nvidia_tool(name: str) -> Path:
    """Return a program of the NVIDIA packages."""
    import nvidia

    for folder in nvidia.__path__:
        for found in sorted(Path(folder).rglob(f"bin/{name}")):
            return found
    raise FileNotFoundError(f"{name} is not installed: pip install --group test")


def assembled(kernel: str, capability: tuple[int, int], binary: Path) -> str:
    """Write the machine code of a kernel to a file; return what ptxas says of it."""
    source = binary.with_suffix(".ptx")
    source.write_text(ptx(kernel, capability))
    arch = f"sm_{capability[0]}{capability[1]}"
    command = [nvidia_tool("ptxas"), "-v", f"-arch={arch}", source, "-o", binary]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def instructions(kernel: str, capability: tuple[int, int], disassembler: str) -> dict[str, int]:
    """Return how many machine instructions a kernel has, and how many of those that load, store or take long."""
    with tempfile.TemporaryDirectory() as folder:
        binary = Path(folder) / "kernel.cubin"
        assembled(kernel, capability, binary)
        text = subprocess.run([disassembler, "-c", binary], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^\s+/\*[0-9a-f]{4,5}\*/\s+(?:@!?U?P\w+\s+)?([A-Z0-9]+)", text, re.MULTILINE)
    names = [name for name in names if name != "NOP"]
    return {"all": len(names)} | {name: names.count(name) for name in ("LDG", "LDL", "STL", "MUFU", "REDG", "ATOMG")}


@cache
def resources(kernel: str, capability: tuple[int, int]) -> dict[str, int]:
    """Return registers, stack and spills [bytes] of a thread as ptxas says."""
    with tempfile.TemporaryDirectory() as folder:
        said = assembled(kernel, capability, Path(folder) / "kernel.cubin")
    frame = re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", said)
    registers = re.search(r"Used (\d+) registers", said)
    if frame is None or registers is None:
        raise RuntimeError(f"ptxas said nothing of registers: {said}")
    return {
        "registers": int(registers[1]),
        "stack_bytes": int(frame[1]),
        "spill_store_bytes": int(frame[2]),
        "spill_load_bytes": int(frame[3]),
    }


def resident_threads(registers: int, threads: int) -> int:
    """Return how many threads of blocks of so many a multiprocessor holds by their registers, given out by 8."""
    warp_registers = -(-registers // 8) * 8 * 32
    return REGISTERS_OF_PROCESSOR // (warp_registers * (threads // 32)) * threads


def everything() -> Iterator[tuple[str, str, dict[str, int]]]:
    """Yield kernel, architecture and resources of all."""
    for kernel in arguments():
        for capability in ARCHITECTURES:
            yield kernel, f"sm_{capability[0]}{capability[1]}", resources(kernel, capability)


def main() -> None:
    """Record the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nvdisasm", metavar="FILE", help="of a CUDA toolkit: machine instructions are counted too")
    args = parser.parse_args()
    record: dict[str, Any] = {
        "what": "registers, stack and spills of a thread by ptxas; the tests let nothing grow beyond it",
        "versions": {name: version(name) for name in ("numba", "numba-cuda", "nvidia-cuda-nvcc", "nvidia-nvvm")},
        "kernels": {},
    }
    for kernel, architecture, figures in everything():
        record["kernels"].setdefault(kernel, {})[architecture] = figures
        print(kernel, architecture, figures)
    if args.nvdisasm:
        record["sm_90 instructions"] = {name: instructions(name, (9, 0), args.nvdisasm) for name in TRANSPORT}
    RECORD.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
