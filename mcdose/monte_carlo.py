"""The Monte Carlo run: batches of histories, their sums, and the dose they give."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.arrays import on_gpu, to_numpy
from mcdose.checksum import checksum
from mcdose.emission_table import EmissionTable
from mcdose.engine.choice import open_engine
from mcdose.engine.cpu import host_maps
from mcdose.engine.work import Outcome, Work
from mcdose.errors import Cancelled
from mcdose.fault import Fault
from mcdose.maps import Scale, voxels_of
from mcdose.parameters import TransportParameters
from mcdose.photon_blocks import photon_blocks
from mcdose.physics_tables import build, cuts
from mcdose.problem import TARGET_ABOVE, Problem
from mcdose.regions import Region, empty_regions
from mcdose.result import DoseResult, RegionDose, RunState
from mcdose.short_electrons import with_short_electrons
from mcdose.source_tables import build_source
from mcdose.staying import staying_of
from mcdose.tally import Tally
from mcdose.transport.world import World

Progress = Callable[[int, int | None], bool | None]

DEFAULT_HISTORIES = 10_000_000
FIRST_TEST = 8  # batches before the target is tested for the first time
GPU_BATCH = 2**23  # histories of a batch that keeps a GPU busy: at the end of each, threads wait for the last ones
HOPELESS = 100  # batches without any dose where the target is judged


def batch_sizes(voxels: int, device: str = "cpu") -> tuple[int, int, int]:
    """Return the histories of the opening batches and of the regular ones, powers of two, and the unit of a tally.

    Regular batches grow with the grid, so that closing one stays cheap beside simulating it, and are at least what
    fills a device. The histories of the first one are cut into smaller opening batches, so that a short run has an
    uncertainty too. The unit is the same for every device: their sums can be added.
    """
    closing_cheap = int(2 ** np.ceil(np.log2(voxels / 4)))
    regular = min(max(closing_cheap, 2**16), 2**20)
    unit = max(4096, regular // 32)
    if device == "cpu":
        return unit, regular, unit
    regular = min(max(closing_cheap // 2, GPU_BATCH), 2**24)
    return regular // 64, regular, unit


@dataclass(frozen=True)
class Request:
    """How long to run, from where and on what.

    Parameters
    ----------
    histories : at most so many, or None
    target_uncertainty : stop when reached, or None
    first_history, seed, threads : see `absorbed_dose`
    devices : "cpu", or one or several of "cuda:0", "cuda:1", ...
    """

    histories: int | None
    target_uncertainty: float | None
    first_history: int
    seed: int
    threads: int
    devices: tuple[str, ...]


def run(
    problem: Problem,
    table: EmissionTable,
    request: Request,
    scale: Scale,
    parameters: TransportParameters,
    regions: dict[str, Region],
    progress: Progress | None,
    provenance: dict[str, Any],
) -> DoseResult:
    """Simulate and return the dose; see `absorbed_dose`."""
    opening, regular, unit = batch_sizes(problem.density.size, request.devices[0])
    done = 0
    cancelled = False
    unreachable = ""
    work = work_of(problem, table, request.seed, scale, parameters, regions, unit)
    with closing(open_engine(request.devices, request.threads, work)) as engine:
        engine.prepare()
        if says_stop(progress, 0, request.histories):
            raise Cancelled("cancelled before the first batch")
        begun = time.perf_counter()
        next_test = FIRST_TEST
        ranges = batches(request.first_history, request.histories, opening, regular)
        for run_batches, (first, count) in enumerate(ranges, start=1):
            engine.run(first, count)
            done += count
            if says_stop(progress, done, request.histories):
                cancelled = request.histories is None or done < request.histories
                break
            if request.target_uncertainty is not None and run_batches >= next_test:
                next_test = max(next_test + 1, int(next_test * 1.1))
                reached = engine.typical_uncertainty()
                if reached <= request.target_uncertainty:
                    break
                if np.isinf(reached) and run_batches >= HOPELESS:
                    unreachable = f"target_uncertainty was not judged: no voxel above {TARGET_ABOVE} g/cm3 got a dose"
                    break
        outcome = engine.outcome()
        seconds = time.perf_counter() - begun
        dose, relative = engine.maps(scale.histories / done)
        if not on_gpu(problem.tia_bq_s):
            dose, relative = to_numpy(dose), to_numpy(relative)
        name, about = engine.name, {"target": engine.target, **engine.versions}

    state = RunState(
        outcome.tally,
        ((request.first_history, request.first_history + done),),
        outcome.region_batches,
        _fingerprint(problem, table, request.seed, scale, parameters, regions),
        problem,
        scale,
    )
    return result_of(
        state,
        dose,
        relative,
        device=name,
        seed=request.seed,
        seconds=seconds,
        cancelled=cancelled,
        quanta=_quanta(outcome),
        faults=outcome.faults,
        names=tuple(regions),
        warnings=tuple(filter(None, (unreachable, *empty_regions(regions)))),
        provenance={
            **provenance,
            **about,
            "batch_histories": regular,
            "opening_batch_histories": opening,
            "first_history": request.first_history,
            "histories_per_decay": table.per_decay,
            "threads": request.threads,
            "flights_per_history": outcome.flights / done,
        },
    )


def work_of(
    problem: Problem,
    table: EmissionTable,
    seed: int,
    scale: Scale,
    parameters: TransportParameters,
    regions: dict[str, Region],
    unit: int,
) -> Work:
    """Put together what an engine is given: arrays stay where they are."""
    dz, dy, dx = (side / 10.0 for side in problem.voxel_mm)
    nz, ny, nx = problem.shape
    tables = build(problem.media, problem.largest_density, parameters)
    limits = cuts(parameters)
    if parameters.track_length > 0.0:
        tables, limits = with_short_electrons(tables, limits, parameters.track_length * min(problem.voxel_mm))
    world = World(
        np.int32(nz),
        np.int32(ny),
        np.int32(nx),
        np.float32(1.0 / dz),
        np.float32(1.0 / dy),
        np.float32(1.0 / dx),
        np.float32(min(dz, dy, dx)),
        problem.density,
        problem.medium_index,
        photon_blocks(problem, tables),
    )
    return Work(
        seed,
        build_source(problem.tia_bq_s, table),
        world,
        tables,
        limits,
        voxels_of(problem, scale),
        tuple(regions.values()),
        unit,
        staying_of(problem, table),
    )


def _quanta(outcome: Outcome) -> dict[str, int]:
    """Return where the energy went; raise RuntimeError if it does not add up: no dose can then be trusted."""
    deposited = outcome.tally.deposited()
    if outcome.emitted != deposited + outcome.escaped or deposited < 0:
        parts = f"emitted {outcome.emitted}, deposited {deposited}, escaped {outcome.escaped}"
        raise RuntimeError(f"the energy of the histories does not balance: {parts} (2^-32 MeV)")
    return {
        "emitted": outcome.emitted,
        "deposited": deposited,
        "escaped": outcome.escaped,
        "dropped": outcome.dropped,
    }


def says_stop(progress: Progress | None, done: int, total: int | None) -> bool:
    """Report how far the run is; tell whether the answer was no (a NumPy False counts)."""
    answer = None if progress is None else progress(done, total)
    return answer is not None and not answer


def batches(first: int, histories: int | None, opening: int, regular: int) -> Iterator[tuple[int, int]]:
    """Yield (first, count) of the batches of a range of histories; only its ends may be cut short.

    Histories 0 to `regular` go in batches of `opening`, all later ones in batches of `regular`: every multiple of
    `regular` is a batch limit.
    """
    end = None if histories is None else first + histories
    while end is None or first < end:
        size = opening if first < regular else regular
        stop = (first // size + 1) * size
        if end is not None:
            stop = min(stop, end)
        yield first, stop - first
        first = stop


def run_warnings(quanta: dict[str, int], faults: dict[str, Fault], tally: Tally, batch: int) -> tuple[str, ...]:
    """Return what a reader of sums like these, the first in batches of `batch` histories, should know."""
    warnings = []
    found = ", ".join(f"{fault.count} {name}" for name, fault in faults.items() if fault.count)
    if found:
        warnings.append(f"{found}: {quanta['dropped'] / 2**32:.3g} MeV were left on the spot")
    if tally.batches < 2:
        warnings.append(f"one batch gives no uncertainty: ask for more than {batch} histories")
    return tuple(warnings)


def maps_of(state: RunState) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return dose and relative error of a state in the memory of the host."""
    per_history = state.scale.histories / state.tally.histories
    voxels = state.tally.voxels
    scratch = np.zeros(voxels, np.int64)
    of = voxels_of(state.problem, state.scale)
    of = of._replace(density=to_numpy(of.density), medium=to_numpy(of.medium))
    return host_maps(state.tally, of, per_history, scratch, lambda work: work(0, voxels))


def result_of(
    state: RunState,
    dose: Any,
    relative: Any,
    *,
    device: str,
    seed: int,
    seconds: float,
    cancelled: bool,
    quanta: dict[str, int],
    faults: dict[str, Fault],
    names: tuple[str, ...],
    warnings: tuple[str, ...],
    provenance: dict[str, Any],
) -> DoseResult:
    """Return the result of the sums and the two maps; `warnings` are added to those of the sums."""
    tally, problem = state.tally, state.problem
    return DoseResult(
        dose_gy=dose.reshape(problem.shape),
        relative_uncertainty=relative.reshape(problem.shape),
        method="monte-carlo",
        device=device,
        seed=seed,
        histories=tally.histories,
        seconds=seconds,
        total_decays=state.scale.total_decays,
        cancelled=cancelled,
        warnings=(*run_warnings(quanta, faults, tally, provenance["opening_batch_histories"]), *warnings),
        energy_quanta=quanta,
        faults=faults,
        regions=_region_doses(state, names),
        voxel_mm=problem.voxel_mm,
        provenance=provenance,
        state=state,
    )


def _region_doses(state: RunState, names: tuple[str, ...]) -> dict[str, RegionDose]:
    """Return mean and standard error of each region from its batches, weighted by their histories."""
    if not names:
        return {}
    ordered = sorted(state.region_batches)
    counts = np.array([histories for _, histories, _ in ordered], float)
    sums = np.array([values for _, _, values in ordered])
    total = counts.sum()
    mean = sums.sum(axis=0) / total
    if len(ordered) > 1:
        spread = (counts[:, None] * (sums / counts[:, None] - mean) ** 2).sum(axis=0) / (len(ordered) - 1)
        error = np.sqrt(spread / total)
    else:
        error = np.full(len(names), np.nan)
    scale = state.scale.histories
    return {name: RegionDose(float(mean[k] * scale), float(error[k] * scale)) for k, name in enumerate(names)}


def _fingerprint(
    problem: Problem,
    table: EmissionTable,
    seed: int,
    scale: Scale,
    parameters: TransportParameters,
    regions: dict[str, Region],
) -> str:
    """Return a hash of everything but the range of histories that the sums depend on."""
    emitted = [field.tobytes() for field in (*table.fields, table.stays)]
    about = (problem.voxel_mm, problem.shape, problem.media, emitted, seed, parameters, scale.floor)
    arrays: list[Any] = [problem.tia_bq_s, problem.density, problem.medium_index]
    for region in regions.values():
        arrays += [region.voxels, region.weights]
    sums = [checksum(array) for array in arrays]
    return hashlib.sha256(repr((about, scale.factors.tolist(), list(regions), sums)).encode()).hexdigest()
