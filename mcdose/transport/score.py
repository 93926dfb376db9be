"""Energy as integers, and the one seam between devices: adding to numbers that several threads share.

Energy is counted in quanta of 2^-32 MeV. What a particle leaves in a voxel is the difference of its *rounded*
energies before and after, so every sum telescopes and the balance of a history is exact whatever the order of the
additions.
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

from mcdose.jit import FLAGS, compiled

QUANTA_PER_MEV = 4294967296.0  # 2^32: a float32 energy times this is exact

# Places in `Scores.faults`: how often, and behind each the quanta that were left on the spot.
STACK_FULL, FLIGHT_LIMIT_REACHED, FAULTS = 0, 2, 4


class Scores(NamedTuple):
    """What all threads add to."""

    energy: Any  # (cells,) int64, quanta deposited
    faults: Any  # (FAULTS,) int64


@compiled
def quanta(energy):
    """Return an energy [MeV, float32] in quanta, int64, rounded."""
    return np.int64(energy * QUANTA_PER_MEV + 0.5)


def score(numbers: Any, index: Any, amount: Any) -> None:
    """Add `amount` to `numbers[index]` (int64), safely beside other threads."""
    numbers[index] += amount


@intrinsic
def _atomic_add(typing_context, numbers, index, amount):
    """One `atomicrmw add`, relaxed: integer sums do not depend on the order."""

    def generate(context, builder, signature, arguments):
        array_type, index_type, _ = signature.args
        array = context.make_array(array_type)(context, builder, arguments[0])
        position = context.cast(builder, arguments[1], index_type, types.intp)
        pointer = cgutils.get_item_pointer(context, builder, array_type, array, [position], wraparound=False)
        builder.atomic_rmw("add", pointer, arguments[2], "monotonic")
        return context.get_dummy_value()

    return types.void(numbers, index, types.int64), generate


@overload(score, target="cpu", jit_options=FLAGS)
def _score_on_cpu(numbers, index, amount):
    return lambda numbers, index, amount: _atomic_add(numbers, index, amount)


def expect(numbers: Any, index: Any) -> None:
    """Say that `score(numbers, index, ...)` may come soon: on the CPU its memory is fetched meanwhile."""


def expect_to_read(numbers: Any, index: Any) -> None:
    """Say that `numbers[index]` will be read soon: on the CPU its memory is fetched meanwhile."""


def _fetch(context, builder, signature, arguments, write):
    """One `llvm.prefetch`, into every cache."""
    array_type, index_type = signature.args
    array = context.make_array(array_type)(context, builder, arguments[0])
    position = context.cast(builder, arguments[1], index_type, types.intp)
    pointer = cgutils.get_item_pointer(context, builder, array_type, array, [position], wraparound=False)
    pointer = builder.bitcast(pointer, cgutils.voidptr_t)
    whole = ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, whole, whole, whole])
    function = builder.module.declare_intrinsic("llvm.prefetch", [cgutils.voidptr_t], kind)
    builder.call(function, [pointer, whole(write), whole(3), whole(1)])  # high locality, data
    return context.get_dummy_value()


@intrinsic
def _prefetch_to_read(typing_context, numbers, index):
    """One `llvm.prefetch`, to read."""

    def generate(context, builder, signature, arguments):
        return _fetch(context, builder, signature, arguments, 0)

    return types.void(numbers, index), generate


@intrinsic
def _prefetch(typing_context, numbers, index):
    """One `llvm.prefetch`, to write."""

    def generate(context, builder, signature, arguments):
        return _fetch(context, builder, signature, arguments, 1)

    return types.void(numbers, index), generate


@overload(expect, jit_options=FLAGS)
def _expect_nothing(numbers, index):
    return lambda numbers, index: None


@overload(expect, target="cpu", jit_options=FLAGS)
def _expect_on_cpu(numbers, index):
    return lambda numbers, index: _prefetch(numbers, index)


@overload(expect_to_read, jit_options=FLAGS)
def _expect_to_read_nothing(numbers, index):
    return lambda numbers, index: None


@overload(expect_to_read, target="cpu", jit_options=FLAGS)
def _expect_to_read_on_cpu(numbers, index):
    return lambda numbers, index: _prefetch_to_read(numbers, index)


@compiled
def deposit(scores, cell, amount):
    """Add quanta to a cell."""
    score(scores.energy, cell, amount)


@compiled
def fault(scores, kind, amount):
    """Count a fault (`STACK_FULL`, `FLIGHT_LIMIT_REACHED`) and the quanta that it leaves on the spot."""
    score(scores.faults, kind, np.int64(1))
    score(scores.faults, kind + 1, amount)
