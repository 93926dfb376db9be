"""The main call: time-integrated activity and density in, absorbed dose out."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import mcdose
from mcdose.arguments import number, thread_limit, whole
from mcdose.arrays import home_of
from mcdose.device_memory import out_of_memory_named
from mcdose.devices import choose_devices
from mcdose.media import Medium
from mcdose.media import medium as find_medium
from mcdose.nuclides import Nuclide
from mcdose.nuclides import nuclide as find_nuclide
from mcdose.parameters import TransportParameters
from mcdose.problem import TARGET_ABOVE, Problem, check_problem, reports_dose
from mcdose.reach import least_moving_mev, photon_fraction
from mcdose.result import DoseResult

if TYPE_CHECKING:
    from mcdose.calibration import Calibration
    from mcdose.monte_carlo import Progress

KERNEL_SCALINGS = ("target", "none", "source", "multiple-kernels")
SCALINGS = {
    "monte-carlo": KERNEL_SCALINGS,  # which has no use for any
    "voxel-kernel": KERNEL_SCALINGS,
    "local-deposition": ("target", "none"),
}
METHODS = tuple(SCALINGS)
PRECISIONS = ("double", "single")
MAX_MEMORY = 4_000_000_000  # bytes, of a convolution


def absorbed_dose(
    tia_bq_s: ArrayLike,
    voxel_mm: Sequence[float],
    *,
    nuclide: str | Nuclide = "Y-90",
    density_g_cm3: ArrayLike | None = None,
    medium: str | Medium | ArrayLike = "water",
    media: Sequence[str | Medium] | None = None,
    ct_hu: ArrayLike | None = None,
    calibration: Calibration | None = None,
    method: str = "monte-carlo",
    density_scaling: str = "target",
    gy_kg_per_gbq: float | None = None,
    kernel_medium: str | Medium | None = None,
    precision: str = "double",
    max_memory: int = MAX_MEMORY,
    histories: int | None = None,
    target_uncertainty: float | None = None,
    first_history: int = 0,
    dose_to_water: bool = False,
    threads: int | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
    regions: Mapping[str, ArrayLike] | None = None,
    density_floor_g_cm3: float = 0.05,
    parameters: TransportParameters | None = None,
) -> DoseResult:
    """Compute the absorbed dose from a map of time-integrated activity.

    Parameters
    ----------
    tia_bq_s : array_like, shape (nz, ny, nx) [Bq s]
        NumPy, or CuPy for a CUDA device; the other arrays must be of the same kind, and the maps returned are.
        Time-integrated activity per voxel, that is decays. The source point is uniform in its voxel; outside the
        grid is vacuum.
    voxel_mm : (dz, dy, dx) [mm]
    nuclide : name, file or Nuclide
    density_g_cm3 : array_like, shape (nz, ny, nx), or float [g/cm3], optional
        None takes each medium's own density. Voxels of zero density are vacuum.
    medium : str, Medium, or integer array_like, shape (nz, ny, nx)
        A name from `media()`, or indices into `media`.
    media : list of names or Medium, optional
    ct_hu : array_like, shape (nz, ny, nx) [HU], optional
        CT numbers on the same grid, instead of density and medium.
    calibration : Calibration, optional
        CT number to density and medium; None is `mcdose.calibration.SCHNEIDER`.
    method : "monte-carlo", "voxel-kernel" or "local-deposition"
        Full transport, convolution with the S values of a uniform medium, or all energy where it is born.
    density_scaling : "target", "none", "source" or "multiple-kernels"
        For local deposition: "target", mass from the voxel's density, or "none", from the medium's own. For
        convolution, see docs/comparison.md: "none", dose as in the kernel's medium (Bolch 1999); "target", times the
        kernel's density over the target voxel's (Dieudonne 2013); "source", over the source voxel's;
        "multiple-kernels", each target from the kernel of its own medium, scaled to its density (Lee 2018).
    gy_kg_per_gbq : float, optional [Gy kg/GBq]
        For local deposition: the constant of a whole decay; None is the nuclide's.
    kernel_medium : str or Medium, optional
        For convolution: the medium of the kernel, at its own density. None: the medium of the voxels where all have
        the same (at their density, if all have the same), else "soft-tissue".
    precision : "double" or "single"
        For convolution: single is faster and smaller, with dose below 1e-6 of the largest lost in rounding (set to 0).
        Bremsstrahlung beyond the range of electrons is in double precision always.
    max_memory : int [bytes]
        For convolution: what the call may take beside its arguments; a grid that needs more is convolved in
        overlapping blocks. Default 4e9. A device takes it of its own memory.
    histories : int, optional
        Decays to simulate at most. With neither this nor `target_uncertainty`: 10 million.
    target_uncertainty : float, optional
        Stop, at a batch end, when the root mean square of the relative standard errors over the voxels with more
        than half of the 99.9th percentile of dose and density above 0.1 g/cm3 is below it.
    first_history : int
        Number of the first history, so that a run can be split; `merge` adds the parts.
    dose_to_water : bool
        Report dose to water, by restricted stopping-power ratios, instead of dose to the medium of the voxel.
    threads : int, optional
        None is `NUMBA_NUM_THREADS` or the number of processors. The result does not depend on it.
    device : "auto", "cpu", "cuda", "cuda:N", or several: "cuda:0,1", "cuda:all"
        "auto" is the first CUDA device that works, else the CPU. Of several, each runs every so manieth batch.
    seed : int, 0 to 2^64 - 1
    progress : callable (done, total or None) -> bool or None, optional
        Called from this thread at batch ends; False stops the run after whole batches.
    regions : mapping of name to mask or coverage (0 to 1), shape (nz, ny, nx), optional
        Regions whose mean dose and its standard error are wanted; errors come from the batch means.
    density_floor_g_cm3 : float [g/cm3]
        Voxels below it report no dose; transport goes on in them, and their energy is in the balance.
    parameters : TransportParameters, optional

    Returns
    -------
    DoseResult
        Dose to the medium [Gy] with its relative standard error from batches of histories.

    Raises
    ------
    ValueError, TypeError
        An argument that cannot be used, before anything is computed.
    MemoryError
        A CUDA device has not got what the run takes; nothing stays allocated.
    Cancelled
        `progress` returned False before the first batch.

    Notes
    -----
    Class II electron transport with followed bremsstrahlung, see docs/methods.md. The standard error of a voxel
    comes from the spread of its batches; of a region from the batches of its mean.
    """
    devices = choose_devices(device, tia_bq_s)
    with home_of(tia_bq_s), out_of_memory_named(devices):
        problem = check_problem(
            tia_bq_s,
            voxel_mm,
            density_g_cm3=density_g_cm3,
            medium=medium,
            media=media,
            ct_hu=ct_hu,
            calibration=calibration,
        )
        named = find_nuclide(nuclide)
        parameters = TransportParameters() if parameters is None else parameters
        if not isinstance(parameters, TransportParameters):
            raise TypeError(f"parameters must be TransportParameters, got {type(parameters).__name__}")
        chosen_medium = check_scaling(method, density_scaling, kernel_medium)
        if precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
        max_memory = whole("max_memory", max_memory, 1, 2**62)
        density_floor_g_cm3 = number("density_floor_g_cm3", density_floor_g_cm3)
        if not 0.0 <= density_floor_g_cm3 <= 25.0:
            raise ValueError(f"density_floor_g_cm3 must lie within 0 and 25 g/cm3, got {density_floor_g_cm3}")
        if gy_kg_per_gbq is not None and not 0.0 < number("gy_kg_per_gbq", gy_kg_per_gbq) < 1e6:
            raise ValueError(f"gy_kg_per_gbq must lie between 0 and 1e6, got {gy_kg_per_gbq}")
        if target_uncertainty is not None and not 0.0 < number("target_uncertainty", target_uncertainty) < 1.0:
            raise ValueError(f"target_uncertainty must lie between 0 and 1, got {target_uncertainty}")
        if progress is not None and not callable(progress):
            raise TypeError(f"progress must be callable, got {type(progress).__name__}")
        histories = None if histories is None else whole("histories", histories, 1, 2**62)
        first_history = whole("first_history", first_history, 0, 2**62)
        seed = whole("seed", seed, 0, 2**64 - 1)
        threads = thread_limit(threads)
        from mcdose.regions import check_regions

        checked_regions = check_regions(regions, problem, density_floor_g_cm3)
        if target_uncertainty is not None and method == "monte-carlo":
            judged = reports_dose(problem.density, density_floor_g_cm3) & (problem.density > TARGET_ABOVE)
            if not judged.any():
                raise ValueError(
                    f"target_uncertainty needs voxels above {TARGET_ABOVE} g/cm3 and the density floor, got densities "
                    f"up to {float(problem.density.max()):.3g} g/cm3"
                )

        def to_reported(of: tuple[Medium, ...]) -> NDArray[np.float64]:
            if not dose_to_water:
                return np.ones(len(of))
            from mcdose.stopping_ratio import water_to_medium

            return water_to_medium(of, named, parameters.delta_cut_mev)

        provenance = _provenance(problem, named, method, dose_to_water, density_floor_g_cm3)

        if method == "local-deposition":
            from mcdose.local_deposition import local_deposition

            return local_deposition(
                problem,
                named,
                gy_kg_per_gbq,
                density_scaling,
                density_floor_g_cm3,
                checked_regions,
                to_reported(problem.media),
                provenance,
            )

        from mcdose.engine.cpu import thread_count

        if method == "voxel-kernel":
            from mcdose.voxel_convolution import Choices, voxel_convolution

            choices = Choices(density_scaling, chosen_medium, precision, max_memory, devices[0], thread_count(threads))
            return voxel_convolution(
                problem, named, choices, density_floor_g_cm3, checked_regions, to_reported, provenance
            )

        from mcdose.emission_table import emission_table
        from mcdose.maps import Scale
        from mcdose.monte_carlo import DEFAULT_HISTORIES, Request, run

        if histories is None and target_uncertainty is None:
            histories = DEFAULT_HISTORIES
        request = Request(histories, target_uncertainty, first_history, seed, thread_count(threads), devices)
        table = emission_table(named, least_moving_mev(min(problem.voxel_mm), parameters))
        scale = Scale(problem.total_decays, density_floor_g_cm3, to_reported(problem.media), table.per_decay)
        return run(
            problem,
            table,
            request,
            scale,
            parameters,
            checked_regions,
            progress,
            {**provenance, "parameters": asdict(parameters)},
        )


def check_scaling(method: str, density_scaling: str, kernel_medium: str | Medium | None) -> Medium | None:
    """Return the medium of the kernel asked for, None for none, or raise for what does not go together."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if density_scaling not in SCALINGS[method]:
        known = ", ".join(SCALINGS[method])
        raise ValueError(f"density_scaling of {method} must be one of {known}, got {density_scaling!r}")
    if kernel_medium is None:
        return None
    if method != "voxel-kernel" or density_scaling == "multiple-kernels":
        raise TypeError(
            "kernel_medium goes with method 'voxel-kernel' and one kernel, got method "
            f"{method!r} and density_scaling {density_scaling!r}"
        )
    return kernel_medium if isinstance(kernel_medium, Medium) else find_medium(kernel_medium)


def _provenance(problem: Problem, nuclide: Nuclide, method: str, dose_to_water: bool, floor: float) -> dict[str, Any]:
    """Return versions and choices, plain JSON types."""
    import numba

    return {
        "mcdose": mcdose.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        "method": method,
        "nuclide": nuclide.name,
        "mean_electron_energy_mev": nuclide.mean_electron_energy_mev,
        "photon_fraction": photon_fraction(nuclide),
        "half_life_s": nuclide.half_life_s,
        "media": [
            {
                "name": medium.name,
                "density_g_cm3": medium.density_g_cm3,
                "mean_excitation_energy_ev": medium.mean_excitation_energy_ev,
                "composition": dict(medium.composition),
                "sources": list(medium.sources),
            }
            for medium in problem.media
        ],
        "dose_to": "water" if dose_to_water else "medium",
        "density_floor_g_cm3": floor,
    }
