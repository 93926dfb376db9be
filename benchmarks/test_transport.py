"""Histories per second of the Monte Carlo, in `extra_info`; compiling is a warm-up round and not counted."""

import os

import pytest

from benchmarks.problem import demo, water

HISTORIES = 1_000_000


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("problem", [water, demo])
def test_transport(benchmark, problem, threads):
    """Energy balance and mean energy hold in what was timed."""
    result = benchmark.pedantic(problem, args=(HISTORIES, threads), rounds=3, warmup_rounds=1)
    # a fast wrong answer is no benchmark
    quanta = result.energy_quanta
    assert quanta["emitted"] == quanta["deposited"] + quanta["escaped"]
    assert result.emitted_mev / result.histories == pytest.approx(0.9325, rel=3e-3)
    assert result.deposited_mev > 0.95 * result.emitted_mev
    benchmark.extra_info.update(
        histories_per_second=result.histories / benchmark.stats.stats.median,
        histories_per_second_without_tables=result.histories_per_second,
        flights_per_history=result.provenance["flights_per_history"],
        ns_per_flight_and_thread=1e9 * threads / result.histories_per_second / result.provenance["flights_per_history"],
        threads=threads,
        target=result.provenance["target"],
        load_average=os.getloadavg() if hasattr(os, "getloadavg") else None,
    )
