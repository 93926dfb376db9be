"""Add runs of disjoint ranges of histories: the same sums as one run of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from mcdose.fault import added
from mcdose.monte_carlo import maps_of, result_of, run_warnings
from mcdose.result import DoseResult, RunState
from mcdose.tally import Tally


def merge(results: Sequence[DoseResult]) -> DoseResult:
    """Return the result of several Monte Carlo runs of the same problem and seed over disjoint histories.

    Split on batch limits (multiples of `provenance["batch_histories"]`), dose and uncertainty are bit for bit those
    of one run. Runs on GPUs, and on different devices, can be added too; the maps are made on the host then.

    Parameters
    ----------
    results : at least one result of `absorbed_dose(method="monte-carlo")`

    Raises
    ------
    ValueError
        No results, another method, different inputs or seeds, or ranges that overlap.
    """
    if not results:
        raise ValueError("results must hold at least one result, got none")
    states = []
    warnings = []  # but those of the parts' own sums
    for result in results:
        if result.state is None or result.energy_quanta is None or result.faults is None:
            raise ValueError(f"results must all be of method 'monte-carlo', got {result.method!r}")
        states.append(result.state)
        own = run_warnings(
            result.energy_quanta, result.faults, result.state.tally, result.provenance["opening_batch_histories"]
        )
        warnings += [text for text in result.warnings if text not in own]
    if len({state.inputs for state in states}) > 1:
        raise ValueError("results must have the same inputs, seed and parameters, got different ones")
    ranges = sorted(limits for state in states for limits in state.ranges)
    for (first, last), (start, stop) in pairwise(ranges):
        if start < last:
            raise ValueError(f"results must cover disjoint histories, got {first} to {last} and {start} to {stop}")
    model = states[0]
    tally = Tally(model.tally.voxels, model.tally.batch_histories)
    for state in states:
        tally.add(state.tally.on_host())
    joined: list[tuple[int, int]] = []
    for first, last in ranges:
        if joined and joined[-1][1] == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    state = RunState(
        tally,
        tuple(joined),
        tuple(sorted(batch for item in states for batch in item.region_batches)),
        model.inputs,
        model.problem,
        model.scale,
    )
    provenance = {
        **results[0].provenance,
        "target": ", ".join(dict.fromkeys(str(result.provenance["target"]) for result in results)),
        "first_history": ranges[0][0],
        "flights_per_history": sum(r.provenance["flights_per_history"] * r.histories for r in results)
        / tally.histories,
    }
    assert results[0].seed is not None
    dose, relative = maps_of(state)
    return result_of(
        state,
        dose,
        relative,
        device=", ".join(dict.fromkeys(result.device for result in results)),
        seed=results[0].seed,
        seconds=sum(result.seconds for result in results),
        cancelled=any(result.cancelled for result in results),
        quanta={
            name: sum(result.energy_quanta[name] for result in results if result.energy_quanta)
            for name in ("emitted", "deposited", "escaped", "dropped")
        },
        faults=added([result.faults for result in results if result.faults]),
        names=tuple(results[0].regions),
        warnings=tuple(dict.fromkeys(warnings)),
        provenance=provenance,
    )
