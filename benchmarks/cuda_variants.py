"""Other ways to launch the transport on a GPU, timed in turn: `python -m benchmarks.cuda_variants [--json]`.

Each variant changes one thing: registers by the blocks that a multiprocessor must hold, threads of a block, photons
set aside for a kernel of their own or followed on the spot, approximate functions.
All but the last give the same bits, which is checked. Speeds are relative to the shipped way, run before each.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, NamedTuple
from unittest import mock

from mcdose.engine.cuda_sizes import BLOCKS_BY_REGISTERS, BLOCKS_PER_PROCESSOR, THREADS

HISTORIES = 30_000_000
ROUNDS = 3


class Variant(NamedTuple):
    """One way to launch."""

    threads: int = THREADS
    blocks_by_registers: int = BLOCKS_BY_REGISTERS
    blocks: int = BLOCKS_PER_PROCESSOR
    aside: bool = True
    fastmath: bool = False


VARIANTS = {
    "photons on the spot": Variant(aside=False),
    "registers free": Variant(blocks_by_registers=0),
    "registers to 128": Variant(blocks_by_registers=4, blocks=4),
    "registers to 80": Variant(blocks_by_registers=6, blocks=6),
    "registers to 64": Variant(blocks_by_registers=8, blocks=8),
    "64 threads a block": Variant(threads=64, blocks_by_registers=10, blocks=10),
    "256 threads a block": Variant(threads=256, blocks_by_registers=2, blocks=2),
    "half the blocks": Variant(blocks=2),
    "four times the blocks": Variant(blocks=20),
    "approximate functions": Variant(fastmath=True),
}


class Kernels(NamedTuple):
    """The transport compiled for a variant; compiling takes longer than a run."""

    transport: Any
    fly_aside: Any


def compiled(variant: Variant) -> Kernels:
    """Return the kernels of a variant; they are compiled at their first launch."""
    from numba import cuda

    from mcdose.engine import cuda_kernels

    options: dict[str, Any] = {"lto": False, "fastmath": variant.fastmath}
    if variant.blocks_by_registers:
        options["launch_bounds"] = (variant.threads, variant.blocks_by_registers)
    shipped = (cuda_kernels.transport, cuda_kernels.fly_aside)
    return Kernels(*(cuda.jit(kernel.py_func, **options) for kernel in shipped))


@contextmanager
def launched_as(variant: Variant, kernels: Kernels) -> Iterator[None]:
    """Let the engine launch the transport so."""
    from mcdose.engine import cuda as engine
    from mcdose.engine import cuda_kernels

    real = engine.open_cuda
    shape = engine.Shape(variant.blocks, variant.aside)
    with (
        mock.patch.object(cuda_kernels, "transport", kernels.transport),
        mock.patch.object(cuda_kernels, "fly_aside", kernels.fly_aside),
        mock.patch.object(engine, "THREADS", variant.threads),
        mock.patch.object(engine, "open_cuda", lambda devices, work: real(devices, work, shape)),
    ):
        yield


def measured(variant: Variant, problem: Callable[..., Any]) -> dict[str, Any]:
    """Return how fast a variant is beside the shipped way, run alternately, and whether it gives the same dose."""
    kernels = compiled(variant)

    def run() -> Any:
        with launched_as(variant, kernels):
            return problem(HISTORIES, 1, device="cuda")

    run()
    ratios, rates = [], []
    for _ in range(ROUNDS):
        shipped = problem(HISTORIES, 1, device="cuda")
        other = run()
        rates.append(other.histories_per_second)
        ratios.append(other.histories_per_second / shipped.histories_per_second)
    return {
        "histories_per_second": median(rates),
        "relative": median(ratios),
        "range": [min(ratios), max(ratios)],
        "same_bits": bool((other.dose_gy == shipped.dose_gy).all()),
        "registers": list(kernels.transport.get_regs_per_thread().values()),
    }


def main() -> int:
    """Time all variants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="a line of JSON for each")
    args = parser.parse_args()
    from benchmarks.problem import demo, water
    from mcdose.engine.cuda_devices import why_not, working_gpus

    if not working_gpus():
        print(f"no CUDA device works: {why_not().text}", file=sys.stderr)
        return 2
    for name, variant in VARIANTS.items():
        row: dict[str, Any] = {"name": name, **variant._asdict()}
        for problem in (water, demo):
            try:
                row[problem.__name__] = measured(variant, problem)
            except Exception as error:  # one that does not compile must not stop the others
                row[problem.__name__] = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(row) if args.json else row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
