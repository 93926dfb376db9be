"""Run histories on the CPU: one compiled loop, entered by several threads at once over one shared integer tally."""

from __future__ import annotations

import numpy as np

from mcdose.jit import launcher
from mcdose.transport.history import follow

ACCOUNT = 4  # emitted, escaped, dropped [quanta], flights: see transport.history.Account


@launcher
def run_histories(seed, first, count, source, world, tables, cuts, tally, stack, account):  # type: ignore[no-untyped-def]
    """Follow histories first .. first + count - 1; add to `tally` and `account` (int64)."""
    for history in range(first, first + count):
        result = follow(seed, np.uint64(history), source, world, tables, cuts, tally, stack)
        account[0] += result.emitted
        account[1] += result.escaped
        account[2] += result.dropped
        account[3] += result.flights
