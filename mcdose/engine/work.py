"""What an engine is given to do, and what it gives back; the same for every device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mcdose.fault import Fault
from mcdose.maps import Voxels
from mcdose.regions import Region
from mcdose.staying import Staying
from mcdose.tally import Tally
from mcdose.transport.score import FLIGHT_LIMIT_REACHED, STACK_FULL
from mcdose.transport.tables import Cuts, Tables
from mcdose.transport.world import World

# Places in an account, int64: what histories started with, what left the grid, electron flights, histories followed.
EMITTED, ESCAPED, FLIGHTS, FOLLOWED, ACCOUNT = 0, 1, 2, 3, 4


@dataclass(frozen=True, eq=False)
class Work:
    """One Monte Carlo run on voxels; arrays are NumPy's, or CuPy's where the caller gave such.

    Parameters
    ----------
    seed : of the run
    source, world, tables, cuts : what the histories read
    voxels : what turns energy into dose
    regions : whose mean dose of each batch is wanted
    unit : the tally's `batch_histories`
    staying : what histories leave where the decays are, or None
    """

    seed: int
    source: Any
    world: World
    tables: Tables
    cuts: Cuts
    voxels: Voxels
    regions: tuple[Region, ...]
    unit: int
    staying: Staying | None


@dataclass(frozen=True, eq=False)
class Outcome:
    """Sums over all batches of a run.

    Parameters
    ----------
    tally : of every voxel
    emitted, escaped, dropped : quanta
    flights : of electrons
    faults : by name
    region_batches : first history, histories, and for each region its mean dose [Gy] for one decay a history
    """

    tally: Tally
    emitted: int
    escaped: int
    dropped: int
    flights: int
    faults: dict[str, Fault]
    region_batches: tuple[tuple[int, int, tuple[float, ...]], ...]


def outcome(
    tally: Tally,
    account: NDArray[np.integer[Any]] | list[int],
    faults: NDArray[np.int64],
    region_batches: list[tuple[int, int, tuple[float, ...]]],
) -> Outcome:
    """Return the outcome of a run's tally, account (quanta, exact) and counts of faults."""
    lost = check_followed(tally.histories, int(account[FOLLOWED]))
    return Outcome(
        tally,
        int(account[EMITTED]),
        int(account[ESCAPED]),
        int(faults[STACK_FULL + 1]) + int(faults[FLIGHT_LIMIT_REACHED + 1]),
        int(account[FLIGHTS]),
        named_faults(faults, lost),
        tuple(region_batches),
    )


def check_followed(asked: int, followed: int) -> int:
    """Return how many histories were lost, none; raise RuntimeError otherwise: the dose would be too low."""
    if followed != asked:
        raise RuntimeError(f"{asked - followed} of {asked} histories were lost: the device did not follow them")
    return 0


def named_faults(faults: NDArray[np.int64], lost: int) -> dict[str, Fault]:
    """Return `Scores.faults` by name, and histories asked for but never followed, which have no energy."""

    def found(kind: int) -> Fault:
        return Fault(int(faults[kind]), int(faults[kind + 1]) / 2**32)

    return {
        "stack overflows": found(STACK_FULL),
        "flight limits reached": found(FLIGHT_LIMIT_REACHED),
        "histories lost": Fault(lost, 0.0),
    }


class Engine(Protocol):
    """Runs batches of histories on one device and keeps their sums there."""

    name: str  # what `device=` takes
    target: str  # what the code was compiled for
    versions: dict[str, str]  # of what only this device needs

    def prepare(self) -> None:
        """Compile and make ready, before anything is timed."""

    def run(self, first: int, count: int) -> None:
        """Follow a batch of `count` histories from `first` and add it to the sums; may return before it is done."""

    def typical_uncertainty(self) -> float:
        """Return the root mean square of the relative errors over the voxels that matter; see `absorbed_dose`."""

    def outcome(self) -> Outcome:
        """Wait until all is done, and return the sums."""

    def maps(self, per_history: float) -> tuple[Any, Any]:
        """Return dose [Gy] for `per_history` decays a history and relative error; nothing can be run after that."""

    def close(self) -> None:
        """Give back what the engine holds."""
