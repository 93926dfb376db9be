"""Other ways to launch the transport on a GPU, timed in turn: `python -m benchmarks.cuda_variants [--json]`.

Each variant changes one thing: registers by the blocks that a multiprocessor must hold, threads of a block, room for
photons set aside for a launch of their own, approximate functions. Whether the dose has the same bits is told: launched
otherwise it must, compiled otherwise it need not. Speeds are relative to the shipped way, run before each.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from statistics import median
from typing import Any, NamedTuple
from unittest import mock

from benchmarks.problem import demo, water
from mcdose.engine.cuda_sizes import BLOCKS_BY_REGISTERS, BLOCKS_PER_PROCESSOR, ROOM_ASIDE, THREADS
from mcdose.monte_carlo import GPU_BATCH

HISTORIES = 60_000_000
ROUNDS = 2


class Variant(NamedTuple):
    """One way to launch."""

    threads: int = THREADS
    blocks_by_registers: int = BLOCKS_BY_REGISTERS
    blocks: int = BLOCKS_PER_PROCESSOR
    room_aside: float = ROOM_ASIDE
    fastmath: bool = False
    batch: int = GPU_BATCH


PROBLEMS = {
    "water": water,
    "demo": demo,
    "Tc-99m": partial(water, nuclide="Tc-99m"),
    "I-131": partial(water, nuclide="I-131"),
}
VARIANTS = {
    "photons on the spot": Variant(room_aside=0.0),
    "room for all photons": Variant(room_aside=1.25),
    "twice the blocks": Variant(blocks=12),
    "registers to 96": Variant(blocks_by_registers=5, blocks=5),
    "registers to 64": Variant(blocks_by_registers=8, blocks=8),
    "approximate functions": Variant(fastmath=True),
    "batches of 2^22": Variant(batch=2**22),
    "batches of 2^24": Variant(batch=2**24),
}


@cache
def compiled(threads: int, blocks_by_registers: int, fastmath: bool) -> Any:
    """Return the transport compiled so, the shipped one where it is; compiling takes longer than a run."""
    from numba import cuda

    from mcdose.engine import cuda_kernels

    if (threads, blocks_by_registers, fastmath) == (THREADS, BLOCKS_BY_REGISTERS, False):
        return cuda_kernels.transport
    bounds = (threads, blocks_by_registers)
    return cuda.jit(cuda_kernels.transport.py_func, lto=False, fastmath=fastmath, launch_bounds=bounds)


@contextmanager
def launched_as(variant: Variant) -> Iterator[None]:
    """Let the engine launch the transport so."""
    from mcdose import monte_carlo
    from mcdose.engine import cuda as engine
    from mcdose.engine import cuda_kernels

    real = engine.open_cuda
    shape = engine.Shape(variant.blocks, variant.room_aside)
    kernel = compiled(variant.threads, variant.blocks_by_registers, variant.fastmath)
    with (
        mock.patch.object(monte_carlo, "GPU_BATCH", variant.batch),
        mock.patch.object(cuda_kernels, "transport", kernel),
        mock.patch.object(engine, "THREADS", variant.threads),
        mock.patch.object(engine, "open_cuda", lambda devices, work: real(devices, work, shape)),
    ):
        yield


def measured(variant: Variant, problem: Callable[..., Any]) -> dict[str, Any]:
    """Return how fast a variant is beside the shipped way, run alternately, and whether it gives the same dose."""

    def run() -> Any:
        with launched_as(variant):
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
    }


def main() -> int:
    """Time all variants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="a line of JSON for each")
    args = parser.parse_args()
    from mcdose.engine.cuda_devices import why_not, working_gpus

    if not working_gpus():
        print(f"no CUDA device works: {why_not().text}", file=sys.stderr)
        return 2
    for name, variant in VARIANTS.items():
        row: dict[str, Any] = {"name": name, **variant._asdict()}
        for of, problem in PROBLEMS.items():
            try:
                row[of] = measured(variant, problem)
            except Exception as error:  # one that does not compile must not stop the others
                row[of] = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(row) if args.json else row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
