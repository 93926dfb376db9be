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

from mcdose.constants import GY_PER_MEV_PER_G
from mcdose.engine.cpu import CpuEngine
from mcdose.errors import Cancelled
from mcdose.parameters import TransportParameters
from mcdose.physics_tables import build, cuts
from mcdose.problem import TARGET_ABOVE, Problem, reports_dose
from mcdose.regions import Region, empty_regions, region_energy
from mcdose.result import DoseResult, RegionDose, RunState
from mcdose.source_tables import build_source
from mcdose.tally import Tally
from mcdose.transport.world import World

Progress = Callable[[int, int | None], bool | None]

DEFAULT_HISTORIES = 10_000_000
FIRST_TEST = 8  # batches before the target is tested for the first time
HOPELESS = 100  # batches without any dose where the target is judged
SLICE = 1 << 16  # voxels handled at a time where float64 copies are made


def batch_sizes(voxels: int) -> tuple[int, int]:
    """Return the histories of the opening batches and of the regular ones, powers of two.

    Regular batches grow with the grid, so that closing one stays cheap beside simulating it. The histories of the
    first one are cut into smaller opening batches, so that a short run has an uncertainty too.
    """
    regular = int(2 ** np.clip(np.ceil(np.log2(voxels / 4)), 16, 20))
    return max(4096, regular // 32), regular


@dataclass(frozen=True)
class Scale:
    """From energy in a voxel to the dose that is reported.

    Parameters
    ----------
    total_decays : the dose is that of so many histories
    floor : g/cm3, no dose is reported below it
    to_water : factor of each medium, or None for dose to medium
    """

    total_decays: float
    floor: float
    to_water: NDArray[np.float64] | None

    def gy_per_mev(self, problem: Problem, start: int, stop: int) -> NDArray[np.float64]:
        """Return Gy for 1 MeV in each voxel of start .. stop, 0 below the floor."""
        density = problem.density[start:stop].astype(np.float64)
        kept = reports_dose(problem.density[start:stop], self.floor)
        factor = np.divide(GY_PER_MEV_PER_G / problem.voxel_cm3, density, out=np.zeros_like(density), where=kept)
        return factor if self.to_water is None else factor * self.to_water[problem.medium_index[start:stop]]


@dataclass(frozen=True)
class Request:
    """How long to run and from where.

    Parameters
    ----------
    histories : at most so many, or None
    target_uncertainty : stop when reached, or None
    first_history, seed, threads : see `absorbed_dose`
    """

    histories: int | None
    target_uncertainty: float | None
    first_history: int
    seed: int
    threads: int


def run(
    problem: Problem,
    nuclide_name: str,
    request: Request,
    scale: Scale,
    parameters: TransportParameters,
    regions: dict[str, Region],
    progress: Progress | None,
    provenance: dict[str, Any],
) -> DoseResult:
    """Simulate and return the dose; see `absorbed_dose`."""
    source, _ = build_source(problem.tia_bq_s, nuclide_name)
    densest = [
        float(problem.density[problem.medium_index == index].max(initial=0.0)) for index in range(len(problem.media))
    ]
    tables = build(problem.media, densest, parameters)
    dz, dy, dx = (side / 10.0 for side in problem.voxel_mm)
    nz, ny, nx = problem.shape
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
    )
    voxels = problem.density.size
    opening, regular = batch_sizes(voxels)
    tally = Tally(voxels, opening)
    batch = np.zeros(voxels, np.int64)
    quanta = {"emitted": 0, "deposited": 0, "escaped": 0, "dropped": 0}
    region_batches: list[tuple[int, int, tuple[float, ...]]] = []
    flights = 0
    done = 0
    cancelled = False
    unreachable = ""

    with closing(CpuEngine(request.threads, request.seed, source, world, tables, cuts(parameters))) as engine:
        engine.prepare()
        _prepare(tally)
        if says_stop(progress, 0, request.histories):
            raise Cancelled("cancelled before the first batch")
        begun = time.perf_counter()
        next_test = FIRST_TEST
        for first, count in batches(request.first_history, request.histories, opening, regular):
            emitted, escaped, dropped, flown = (int(value) for value in engine.run(first, count, batch))
            quanta["emitted"] += emitted
            quanta["escaped"] += escaped
            quanta["dropped"] += dropped
            if regions:
                region_batches.append((first, count, region_doses(engine, batch, problem, scale, regions)))
            quanta["deposited"] += close_batch(engine, batch, count, tally)
            flights += flown
            done += count
            if says_stop(progress, done, request.histories):
                cancelled = request.histories is None or done < request.histories
                break
            if request.target_uncertainty is not None and tally.batches >= next_test:
                next_test = max(next_test + 1, int(next_test * 1.1))
                reached = typical_uncertainty(problem, scale, tally, batch)
                if reached <= request.target_uncertainty:
                    break
                if np.isinf(reached) and tally.batches >= HOPELESS:
                    unreachable = f"target_uncertainty was not judged: no voxel above {TARGET_ABOVE} g/cm3 got a dose"
                    break
        seconds = time.perf_counter() - begun

    empty = empty_regions(regions)
    state = RunState(
        tally,
        ((request.first_history, request.first_history + done),),
        tuple(region_batches),
        _fingerprint(problem, nuclide_name, request.seed, scale, parameters, regions),
        problem,
        scale,
    )
    return finish(
        state,
        batch,
        seed=request.seed,
        seconds=seconds,
        cancelled=cancelled,
        quanta=quanta,
        names=tuple(regions),
        warnings=tuple(filter(None, (unreachable, *empty))),
        provenance={
            **provenance,
            "batch_histories": regular,
            "opening_batch_histories": opening,
            "first_history": request.first_history,
            "threads": request.threads,
            "flights_per_history": flights / done,
        },
    )


def _prepare(tally: Tally) -> None:
    """Compile what closes a batch, or load it, before anything is timed."""
    nothing = np.zeros(0, np.int64)
    tally.flush(nothing, tally.batch_histories, 0, 0)
    for index in (np.zeros(0, np.int32), np.zeros(0, np.int64)):
        reals = np.zeros(0, np.float32)
        region_energy(nothing, index, reals, reals, np.zeros(0, np.uint8), np.ones(1))


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


def region_doses(
    engine: CpuEngine, batch: NDArray[np.int64], problem: Problem, scale: Scale, regions: dict[str, Region]
) -> tuple[float, ...]:
    """Return the mean dose of each region by the energy in a batch, Gy for one decay a history; NaN if it is empty."""
    factors = np.ones(len(problem.media)) if scale.to_water is None else scale.to_water

    def mean(region: Region) -> float:
        if not region.voxels.size:
            return float("nan")
        energy = region_energy(batch, region.voxels, region.weights, problem.density, problem.medium_index, factors)
        return float(energy) / 2**32 * GY_PER_MEV_PER_G / problem.voxel_cm3 / region.total

    return tuple(engine.over_items(mean, list(regions.values())))


def close_batch(engine: CpuEngine, batch: NDArray[np.int64], histories: int, tally: Tally) -> int:
    """Move a finished batch into the sums; return the quanta that it deposited."""
    deposited: list[int] = []

    def close(start: int, stop: int) -> None:
        deposited.append(tally.flush(batch, histories, start, stop))

    engine.over_slices(close, batch.size)
    tally.count(histories)
    return sum(deposited)


def typical_uncertainty(problem: Problem, scale: Scale, tally: Tally, scratch: NDArray[np.int64]) -> float:
    """Return the root mean square of the relative errors over the voxels that matter.

    Those with more than half of the 99.9th percentile of dose (of the largest, where that is zero), voxels of at most
    0.1 g/cm3 left out. `scratch` is the cleared batch, which is cleared again at the end.
    """
    voxels = problem.density.size
    halves = scratch.view(np.float32)
    dose, ordered = halves[:voxels], halves[voxels:]
    for start in range(0, voxels, SLICE):
        stop = min(start + SLICE, voxels)
        dense = problem.density[start:stop] > TARGET_ABOVE
        dose[start:stop] = tally.energy_mev(start, stop) * scale.gy_per_mev(problem, start, stop) * dense
    ordered[:] = dose
    ordered.partition(rank := int(0.999 * (voxels - 1)))
    limit = 0.5 * float(ordered[rank] or dose.max())
    total = 0.0
    count = 0
    for start in range(0, voxels, SLICE):
        stop = min(start + SLICE, voxels)
        chosen = dose[start:stop] > limit
        if chosen.any():
            total += float((tally.relative_error(start, stop)[chosen] ** 2).sum())
            count += int(chosen.sum())
    scratch[:] = 0
    return float(np.sqrt(total / count)) if count else float("inf")


def run_warnings(quanta: dict[str, int], tally: Tally) -> tuple[str, ...]:
    """Return what a reader of sums like these should know."""
    warnings = []
    if quanta["dropped"]:
        warnings.append(
            f"{quanta['dropped'] / 2**32:.3g} MeV were left on the spot by a full stack or the flight limit"
        )
    if tally.batches < 2:
        warnings.append(f"one batch gives no uncertainty: ask for more than {tally.batch_histories} histories")
    return tuple(warnings)


def finish(
    state: RunState,
    scratch: NDArray[np.int64],
    *,
    seed: int,
    seconds: float,
    cancelled: bool,
    quanta: dict[str, int],
    names: tuple[str, ...],
    warnings: tuple[str, ...],
    provenance: dict[str, Any],
) -> DoseResult:
    """Return the result of the sums; `scratch`, the cleared batch, becomes the memory of the two returned maps.

    `warnings` are added to those of the sums.
    """
    tally, problem, scale = state.tally, state.problem, state.scale
    voxels = problem.density.size
    halves = scratch.view(np.float32)
    dose, relative = halves[:voxels], halves[voxels:]
    per_history = scale.total_decays / tally.histories
    for start in range(0, voxels, SLICE):
        stop = min(start + SLICE, voxels)
        gy = scale.gy_per_mev(problem, start, stop)
        dose[start:stop] = tally.energy_mev(start, stop) * gy * per_history
        relative[start:stop] = np.where(gy > 0.0, tally.relative_error(start, stop), np.nan)
    return DoseResult(
        dose_gy=dose.reshape(problem.shape),
        relative_uncertainty=relative.reshape(problem.shape),
        method="monte-carlo",
        device="cpu",
        seed=seed,
        histories=tally.histories,
        seconds=seconds,
        total_decays=scale.total_decays,
        cancelled=cancelled,
        warnings=(*run_warnings(quanta, tally), *warnings),
        energy_quanta=quanta,
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
    decays = state.scale.total_decays
    return {name: RegionDose(float(mean[k] * decays), float(error[k] * decays)) for k, name in enumerate(names)}


def _fingerprint(
    problem: Problem,
    nuclide_name: str,
    seed: int,
    scale: Scale,
    parameters: TransportParameters,
    regions: dict[str, Region],
) -> str:
    """Return a hash of everything but the range of histories that the sums depend on."""
    digest = hashlib.sha256()
    arrays: list[NDArray[Any]] = [problem.density, problem.medium_index]
    for region in regions.values():
        arrays += [region.voxels, region.weights]
    water = None if scale.to_water is None else scale.to_water.tolist()
    digest.update(
        repr(
            (problem.voxel_mm, problem.shape, problem.media, nuclide_name, seed, parameters, scale.floor, water)
        ).encode()
    )
    for array in arrays:
        for start in range(0, array.size, SLICE):
            digest.update(array[start : start + SLICE].tobytes())
    for slab in problem.tia_bq_s:
        digest.update(slab.tobytes())
    digest.update(repr(list(regions)).encode())
    return digest.hexdigest()
