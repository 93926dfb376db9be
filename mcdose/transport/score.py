"""Energy as integers, and the one seam between devices: adding to a tally that several threads share.

Energy is counted in quanta of 2^-32 MeV. What a particle leaves in a voxel is the difference of its *rounded*
energies before and after, so every sum telescopes and the balance of a history is exact whatever the order of the
additions.
"""

from typing import Any

import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

from mcdose.jit import compiled

QUANTA_PER_MEV = 4294967296.0  # 2^32: a float32 energy times this is exact


@compiled
def quanta(energy):
    """Return an energy [MeV, float32] in quanta, int64, rounded."""
    return np.int64(energy * QUANTA_PER_MEV + 0.5)


def score(tally: Any, index: Any, amount: Any) -> None:
    """Add `amount` (int64 quanta) to `tally[index]`, safely beside other threads."""
    tally[index] += amount


@intrinsic
def _atomic_add(typing_context, tally, index, amount):
    """One `atomicrmw add`, relaxed: integer sums do not depend on the order."""

    def generate(context, builder, signature, arguments):
        array_type, index_type, _ = signature.args
        array = context.make_array(array_type)(context, builder, arguments[0])
        position = context.cast(builder, arguments[1], index_type, types.intp)
        pointer = cgutils.get_item_pointer(context, builder, array_type, array, [position], wraparound=False)
        builder.atomic_rmw("add", pointer, arguments[2], "monotonic")
        return context.get_dummy_value()

    return types.void(tally, index, types.int64), generate


@overload(score, target="cpu")
def _score_on_cpu(tally, index, amount):
    return lambda tally, index, amount: _atomic_add(tally, index, amount)
