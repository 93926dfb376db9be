"""What a dose calculation gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.fault import Fault
from mcdose.tally import Tally


@dataclass(frozen=True)
class RegionDose:
    """Mean dose of a region and its standard error, from the means of the batches (voxels share histories).

    Parameters
    ----------
    mean_gy : Gy, volume-weighted; voxels below the density floor left out
    standard_error_gy : Gy, one sigma; None for methods without noise, NaN with one batch
    """

    mean_gy: float
    standard_error_gy: float | None

    @property
    def relative_uncertainty(self) -> float | None:
        """Standard error over mean."""
        if self.standard_error_gy is None:
            return None
        return self.standard_error_gy / self.mean_gy if self.mean_gy else float("nan")


@dataclass(frozen=True, eq=False)
class RunState:
    """What `merge` needs to add runs: exact sums, and who they belong to."""

    tally: Tally  # or `engine.cuda_arrays.GpuTally`
    ranges: tuple[tuple[int, int], ...]  # [first, last) histories, ascending
    region_batches: tuple[tuple[int, int, tuple[float, ...]], ...]  # see `engine.work.Outcome`
    inputs: str  # hash of everything the dose depends on but the history range
    problem: Any
    scale: Any


@dataclass(frozen=True, eq=False)
class DoseResult:
    """Absorbed dose on the grid of the activity.

    Parameters
    ----------
    dose_gy : (nz, ny, nx) float32, Gy; 0 below the density floor; NumPy or CuPy as the activity was
    relative_uncertainty : (nz, ny, nx) float32, one sigma; NaN where nothing was scored, or nothing but alphas and what
        else stays by activity; None for methods without noise
    method, device, seed : as used
    histories : histories simulated (0 for methods without)
    seconds : wall time of the run, compiling left out
    total_decays : sum of the time-integrated activity
    cancelled : the run was stopped by `progress`
    warnings : what a reader of the dose should know
    emitted_mev, deposited_mev, escaped_mev : energy summed over the histories, each tallied on its own; None for
        methods without
    energy_quanta : the same and `dropped` (by `faults`; part of what was deposited) as exact integers, 2^32 to a MeV
    faults : what should not happen to a history, by name: how often it did, and the energy left on the spot; None for
        methods without
    regions : mean dose of each region asked for
    voxel_mm : (dz, dy, dx)
    provenance : versions, parameters and choices, plain JSON types
    """

    dose_gy: NDArray[np.float32]
    relative_uncertainty: NDArray[np.float32] | None
    method: str
    device: str
    seed: int | None
    histories: int
    seconds: float
    total_decays: float
    cancelled: bool
    warnings: tuple[str, ...]
    energy_quanta: dict[str, int] | None
    faults: dict[str, Fault] | None
    regions: dict[str, RegionDose]
    voxel_mm: tuple[float, float, float]
    provenance: dict[str, Any]
    state: RunState | None = field(default=None, repr=False)

    @property
    def histories_per_second(self) -> float | None:
        """Speed of the run; None for methods without histories."""
        return self.histories / self.seconds if self.histories and self.seconds > 0.0 else None

    @property
    def emitted_mev(self) -> float | None:
        """Energy of everything started, MeV."""
        return self._mev("emitted")

    @property
    def deposited_mev(self) -> float | None:
        """Energy deposited in the grid, MeV."""
        return self._mev("deposited")

    @property
    def escaped_mev(self) -> float | None:
        """Energy that left the grid, MeV; with `track_length` an estimate of it, which may be below 0."""
        return self._mev("escaped")

    def _mev(self, name: str) -> float | None:
        return None if self.energy_quanta is None else self.energy_quanta[name] / 2**32
