"""Dose-point kernels: energy in spherical shells around a point source."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.arguments import number, whole
from mcdose.errors import Cancelled
from mcdose.kernel import PointKernel
from mcdose.media import Medium
from mcdose.media import medium as find_medium
from mcdose.nuclides import Nuclide
from mcdose.parameters import TransportParameters
from mcdose.reach import highest_electron_mev

if TYPE_CHECKING:
    from mcdose.emission_table import EmissionTable
    from mcdose.monte_carlo import Progress

log = logging.getLogger("mcdose")

BATCH = 4096  # histories of a batch
PARTS = 32  # of the histories, whose spread tells how the errors of shells go together
PHOTON_REACH_MM = 2000.0
LOWEST_SOURCE_MEV, HIGHEST_SOURCE_MEV = 0.01, 3.0
LOWEST_DENSITY, HIGHEST_DENSITY = 1e-6, 25.0  # g/cm3
FURTHEST_MM = 1e9


def dose_point_kernel(
    source: str | float | Nuclide,
    medium: str | Medium = "water",
    *,
    density_g_cm3: float | None = None,
    shell_edges_mm: ArrayLike | None = None,
    histories: int = 1_000_000,
    first_history: int = 0,
    threads: int | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
    parameters: TransportParameters | None = None,
) -> PointKernel:
    """Simulate the dose-point kernel of a nuclide or of mono-energetic electrons.

    Parameters
    ----------
    source : nuclide (name, file or Nuclide), or energy of mono-energetic electrons, 0.01 to 3 [MeV]
        Validated from 0.05 MeV: below, elastic scattering is 2 % (20 keV) to 5 % (10 keV) too weak.
    medium : name or Medium
    density_g_cm3 : float, optional
        None is the medium's own.
    shell_edges_mm : (n + 1,) mm, ascending from 0, optional
        None: 120 shells to 1.2 CSDA ranges of the highest energy of an electron (of a nuclide that emits none, of one
        with the energy of its photons), then 60 in equal ratios to 2 m.
    histories, first_history, threads, device, seed, progress : see `absorbed_dose`; one device only
        Fewer than two batches of 4096 histories cannot tell an error: it is NaN. A run that `progress` stops has the
        first batches, whole.
    parameters : TransportParameters, optional
        None: `kernel_parameters` of the highest energy, finer than for voxels. The shortest shell stands for the voxel
        side, by which steps and the stopping range are measured.

    Returns
    -------
    PointKernel

    Raises
    ------
    ValueError, TypeError
        An argument that cannot be used.
    """
    from mcdose.devices import choose_devices
    from mcdose.emission_table import emission_table, mono_energetic
    from mcdose.engine.cpu import thread_count
    from mcdose.nuclides import nuclide

    chosen = medium if isinstance(medium, Medium) else find_medium(medium)
    density = check_density(density_g_cm3, chosen.density_g_cm3)
    if isinstance(source, str | Nuclide):
        named = nuclide(source)
        source, table, highest = named.name, emission_table(named), highest_electron_mev(named)
    else:
        energy = number("source", source)
        if not LOWEST_SOURCE_MEV <= energy <= HIGHEST_SOURCE_MEV:
            raise ValueError(
                f"source must be a nuclide or an energy of {LOWEST_SOURCE_MEV} to {HIGHEST_SOURCE_MEV:g} MeV, "
                f"got {source!r}"
            )
        source, table, highest = energy, mono_energetic(energy), energy
    edges = default_edges_mm(chosen, density, highest) if shell_edges_mm is None else check_edges(shell_edges_mm)
    histories = whole("histories", histories, 1, 2**62)
    first_history = whole("first_history", first_history, 0, 2**62)
    seed = whole("seed", seed, 0, 2**64 - 1)
    parameters = parameters or kernel_parameters(highest)
    if parameters.track_length:
        raise ValueError(
            f"parameters.track_length of a point kernel must be 0: it goes with voxels, got {parameters.track_length!r}"
        )
    devices = choose_devices(device)
    return _simulate(
        source,
        table,
        chosen,
        density,
        edges,
        histories,
        first_history,
        thread_count(threads),
        devices,
        seed,
        progress,
        parameters,
    )


def kernel_parameters(highest_mev: float) -> TransportParameters:
    """Return the transport parameters of point kernels: steps fine enough for shells of a hundredth of the range.

    Knock-on electrons and photons are followed above a hundredth of the highest energy, but at least 1 keV and at most
    20 and 10 keV; electrons down to 2 keV where the shells ask for it.
    """
    cut = max(0.01 * highest_mev, 0.001)
    return TransportParameters(
        delta_cut_mev=min(0.02, cut),
        photon_cut_mev=min(0.01, cut),
        lowest_mev=0.002,
        stop=0.1,
        coarse=0.4,
        step_fine=0.06,
        step_coarse=0.2,
    )


def check_density(density_g_cm3: float | None, own: float) -> float:
    """Return a density [g/cm3], for None the medium's own; raise ValueError unless it can be used."""
    density = own if density_g_cm3 is None else number("density_g_cm3", density_g_cm3)
    if not LOWEST_DENSITY <= density <= HIGHEST_DENSITY:
        raise ValueError(
            f"density_g_cm3 must lie within {LOWEST_DENSITY:g} and {HIGHEST_DENSITY:g} g/cm3, got {density_g_cm3}"
        )
    return density


def check_edges(shell_edges_mm: ArrayLike) -> NDArray[np.float64]:
    """Return shell edges as float64; raise ValueError unless they ascend from 0."""
    try:
        edges = np.asarray(shell_edges_mm, np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"shell_edges_mm must be numbers, got {shell_edges_mm!r}") from None
    if edges.ndim != 1 or edges.size < 2 or edges[0] != 0.0 or not np.all(np.diff(edges) > 0.0):
        raise ValueError(f"shell_edges_mm must ascend from 0, at least two, got {shell_edges_mm!r}")
    if not edges[-1] <= FURTHEST_MM:
        raise ValueError(f"shell_edges_mm must be at most {FURTHEST_MM:g} mm, got {edges[-1]}")
    return edges


def default_edges_mm(medium: Medium, density: float, highest_mev: float) -> NDArray[np.float64]:
    """Return 120 shells to 1.2 CSDA ranges, then 60 in equal ratios to 2 m."""
    from mcdose.electron_data import csda_range

    reach = 12.0 * float(csda_range(medium, highest_mev)) / density
    return np.concatenate([np.linspace(0.0, reach, 121), np.geomspace(reach, max(PHOTON_REACH_MM, 2 * reach), 61)[1:]])


def _simulate(
    source: str | float,
    table: EmissionTable,
    medium: Medium,
    density: float,
    edges_mm: NDArray[np.float64],
    histories: int,
    first_history: int,
    threads: int,
    devices: tuple[str, ...],
    seed: int,
    progress: Progress | None,
    parameters: TransportParameters,
) -> PointKernel:
    import mcdose
    from mcdose.engine.rows import RowWork, open_rows
    from mcdose.engine.work import ACCOUNT, EMITTED, ESCAPED, FLIGHTS, FOLLOWED, check_followed, named_faults
    from mcdose.kernel_file import table_hashes
    from mcdose.monte_carlo import batches, says_stop
    from mcdose.physics_tables import build, cuts
    from mcdose.tally import Tally
    from mcdose.transport.score import FAULTS, quanta
    from mcdose.transport.shells import Shells
    from mcdose.transport.source import PointSource

    shells = edges_mm.size - 1
    world = Shells(
        (edges_mm / 10.0).astype(np.float32),
        np.float32(np.diff(edges_mm).min() / 10.0),
        np.full(shells, density, np.float32),
        np.zeros(shells, np.uint8),
    )
    work = RowWork(
        seed,
        PointSource(*table.fields),
        world,
        build([medium], [density], parameters),
        cuts(parameters),
    )
    tally = Tally(shells, BATCH)
    parts = np.zeros((PARTS, shells), np.int64)  # room for 2^31 MeV
    part_histories = np.zeros(PARTS, np.int64)
    total = np.zeros(ACCOUNT, object)
    staying = int(quanta(table.stays))  # of a history, where the decay is
    fault_sums = np.zeros(FAULTS, np.int64)
    rows = open_rows(devices, threads, work)
    rows.prepare()
    if says_stop(progress, 0, histories):
        raise Cancelled("cancelled before the first batch")
    with closing(rows.run(batches(first_history, histories, BATCH, BATCH))) as done:
        for first, count, row, account, faults in done:
            row[0] += count * staying
            total[EMITTED] += count * staying
            part = first // BATCH % PARTS
            parts[part] += row
            part_histories[part] += count
            total += account.astype(object)
            fault_sums += faults
            tally.flush(row, count, 0, shells)
            tally.count(count)
            if says_stop(progress, tally.histories, histories):
                break
    named = named_faults(fault_sums, check_followed(tally.histories, int(total[FOLLOWED])))
    for name, fault in named.items():
        if fault.count:
            log.warning("%d %s: %.3g MeV were left on the spot", fault.count, name, fault.energy_mev)
    energy = tally.energy_mev(0, shells) / tally.histories * table.per_decay
    relative = tally.relative_error(0, shells)
    return PointKernel(
        edges_mm,
        energy,
        np.where(energy > 0.0, relative * energy, 0.0),
        _deviations(parts, part_histories) * table.per_decay,
        table.mean_mev,
        source,
        medium.name,
        density,
        tally.histories,
        {
            "mcdose": mcdose.__version__,
            "seed": seed,
            "first_history": first_history,
            "device": rows.name,
            "target": rows.target,
            "faults": {name: fault.count for name, fault in named.items()},
            **rows.versions,
            "cancelled": tally.histories < histories,
            "parameters": asdict(parameters),
            "mean_excitation_energy_ev": medium.mean_excitation_energy_ev,
            "simulated_mean_energy_mev": float(total[EMITTED]) / 2**32 / tally.histories * table.per_decay,
            "escaped_mev": float(total[ESCAPED]) / 2**32 / tally.histories * table.per_decay,
            "histories_per_decay": table.per_decay,
            "flights_per_history": float(total[FLIGHTS]) / tally.histories,
            "tables_sha256": table_hashes(),
        },
    )


def _deviations(parts: NDArray[np.int64], histories: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return `PointKernel.deviations_mev` of the quanta that parts of so many histories left in the shells."""
    parts, histories = parts[histories > 0], histories[histories > 0]
    if histories.size < 2:
        return np.full(parts.shape, np.nan)
    weight = histories[:, None] / histories.sum()
    means = parts * 2.0**-32 / histories[:, None]
    mean = (weight * means).sum(axis=0)
    return np.asarray(weight * (means - mean) / np.sqrt(1.0 - (weight**2).sum()))  # unbiased for any parts
