"""What should not happen to a history."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """How often something that should not happen did, and the energy that it left on the spot [MeV]."""

    count: int
    energy_mev: float
