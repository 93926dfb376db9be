"""What should not happen to a history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """How often something that should not happen did, and the energy that it left on the spot [MeV]."""

    count: int
    energy_mev: float


def added(runs: Sequence[dict[str, Fault]]) -> dict[str, Fault]:
    """Return the faults of several runs together, by name."""
    return {
        name: Fault(sum(run[name].count for run in runs), sum(run[name].energy_mev for run in runs)) for name in runs[0]
    }
