"""What a GPU's warps would make of the histories, from a trace on the CPU: `python -m benchmarks.warp_model`.

A warp of 32 threads follows 32 histories in step: all wait for the longest electron, and each kind of particle is
followed while the others wait. The trace says how many flights every particle takes; from it comes the part of a
warp's work that is of use, with photons followed on the spot or set aside. Not measured on any GPU: a model, whose
assumptions are the costs below.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

import mcdose
from mcdose.calibration import SCHNEIDER
from mcdose.engine.cpu import new_workspace
from mcdose.maps import Scale
from mcdose.monte_carlo import work_of
from mcdose.parameters import TransportParameters
from mcdose.phantom import demo_phantom
from mcdose.problem import check_problem
from mcdose.transport.history import begin, follow_last
from mcdose.transport.score import FAULTS, Scores
from mcdose.transport.stack import PHOTON

RESULT = Path(__file__).parent / "results" / "warp_model.json"
LANES = 32
HISTORIES = 1 << 19
PARTICLES = 64  # of a history, at most
# Costs in units of a flight of an electron, by the instructions that each compiles to: assumptions.
PHOTON_COST, DECAY_COST = 1.5, 0.5


@numba.njit(nogil=True)
def _trace(count, work, scores, stack, kinds, flights):  # type: ignore[no-untyped-def]
    """Write kind and flights of each particle of histories 0 .. count - 1, in the order of following; -1 for none."""
    source, world, tables, cuts = work
    for history in range(count):
        depth, _ = begin(np.uint64(1), np.uint64(history), source, world, scores, stack)
        number = 0
        while depth > 0 and number < kinds.shape[1]:
            kinds[history, number] = stack.integers[depth - 1, 0]
            depth, _, flown = follow_last(
                np.uint64(1), np.uint64(history), world, tables, cuts, scores, stack, depth
            )  # fmt: skip
            flights[history, number] = flown
            number += 1


def trace(problem: str) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    """Return kinds and flights (histories, PARTICLES) of 64^3 voxels of 3 mm "water", or of the "demo" phantom."""
    if problem == "water":
        checked = check_problem(np.ones((64,) * 3), (3.0,) * 3)
    else:
        phantom = demo_phantom()
        checked = check_problem(
            phantom.activity_bq, phantom.grid.voxel_mm, ct_hu=phantom.ct_hu, calibration=SCHNEIDER
        )  # fmt: skip
    scale = Scale(1.0, 0.05, np.ones(len(checked.media)))
    work = work_of(checked, "Y-90", 1, scale, TransportParameters(), {}, 4096)
    kinds = np.full((HISTORIES, PARTICLES), -1, np.int8)
    flights = np.zeros((HISTORIES, PARTICLES), np.int16)
    scores = Scores(np.zeros(checked.density.size, np.int64), np.zeros(FAULTS, np.int64))
    stack, _ = new_workspace()
    _trace(HISTORIES, (work.source, work.world, work.tables, work.cuts), scores, stack, kinds, flights)
    return kinds, flights


def cost(kinds: NDArray[np.int8], flights: NDArray[np.int16], decays: bool) -> tuple[float, float]:
    """Return the flights of use and the flights that warps take, both for a history of those given."""
    groups = kinds.shape[0] // LANES
    kinds = kinds[: groups * LANES].reshape(groups, LANES, -1)
    flights = flights[: groups * LANES].reshape(groups, LANES, -1)
    photons = kinds == PHOTON
    start = DECAY_COST if decays else 0.0
    useful = (flights.sum() + photons.sum() * PHOTON_COST) / (groups * LANES) + start
    taken = (flights.max(axis=1).sum() + photons.any(axis=1).sum() * PHOTON_COST) / groups + start
    return float(useful), float(taken)


def model(problem: str) -> dict[str, Any]:
    """Return the figures of a problem."""
    kinds, flights = trace(problem)
    photons = kinds == PHOTON
    useful, taken = cost(kinds, flights, decays=True)
    found: dict[str, Any] = {
        "flights_per_history": float(flights.sum() / HISTORIES),
        "particles_per_history": float((kinds >= 0).sum() / HISTORIES),
        "photons_per_history": float(photons.sum() / HISTORIES),
        "on the spot": {"warp_flights_for_32_histories": taken, "efficiency": useful / taken},
    }
    # Set aside: a photon and all that comes behind it in its history, which is what it set in motion and at most a
    # few knock-on electrons of the first electron.
    first = np.where(photons.any(axis=1), photons.argmax(axis=1), PARTICLES)
    behind = np.arange(PARTICLES)[None, :] >= first[:, None]
    _, electrons = cost(np.where(behind, -1, kinds), np.where(behind, 0, flights), decays=True)
    rows = np.flatnonzero(first < PARTICLES)
    moved_kinds = np.full((rows.size, PARTICLES), -1, np.int8)
    moved_flights = np.zeros((rows.size, PARTICLES), np.int16)
    for k, row in enumerate(rows):
        count = PARTICLES - first[row]
        moved_kinds[k, :count] = kinds[row, first[row] :]
        moved_flights[k, :count] = flights[row, first[row] :]
    _, others = cost(moved_kinds, moved_flights, decays=False)
    together = electrons + others * rows.size / HISTORIES
    found["set aside"] = {"warp_flights_for_32_histories": together, "efficiency": useful / together}
    return found


def main() -> None:
    """Trace, model, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--no-record", action="store_true", help="print only")
    args = parser.parse_args()
    found = {
        "what": "a model from a trace on the CPU, not a measurement on a GPU",
        "date": time.strftime("%Y-%m-%d"),
        "mcdose": mcdose.__version__,
        "histories": HISTORIES,
        "seed": 1,
        "costs_in_flights": {"photon": PHOTON_COST, "decay": DECAY_COST},
        **{problem: model(problem) for problem in ("water", "demo")},
    }
    text = json.dumps(found, indent=2)
    print(text)
    if not args.no_record:
        RESULT.write_text(text + "\n")


if __name__ == "__main__":
    main()
