"""Voxel S values, from the dose-point kernel or by direct Monte Carlo.

Source: Bolch et al., MIRD Pamphlet No. 17, J. Nucl. Med. 40 (1999) 11S, for what a voxel S value is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mcdose.arguments import whole
from mcdose.constants import MEV_TO_JOULE
from mcdose.kernel import PointKernel, VoxelKernel
from mcdose.known_kernel import known_or_simulated
from mcdose.media import Medium
from mcdose.media import medium as find_medium
from mcdose.parameters import TransportParameters
from mcdose.point_kernel import check_density, dose_point_kernel
from mcdose.problem import check_voxel
from mcdose.reach import electron_reach_mm
from mcdose.shell_integration import integrate

if TYPE_CHECKING:
    from mcdose.monte_carlo import Progress
    from mcdose.nuclides import Nuclide

log = logging.getLogger("mcdose")

METHODS = ("point-kernel", "monte-carlo")
# Of direct simulation: the steps of `absorbed_dose` leave 0.2 to 0.3 % too much in a source voxel of 3 mm, these 0.1 %.
DIRECT = TransportParameters(delta_cut_mev=0.02, step_fine=0.03, step_coarse=0.1)
MGY_PER_MBQ_S = 1e9  # Gy per decay in mGy/(MBq s)
MOST_OUTSIDE = 0.01  # of the energy, above which it is told what an array of the default radius leaves out
MOST_MB = 2000.0  # largest array
BYTES = 52  # of a voxel while it is integrated: result, error, an eighth of the sums of 33 columns


def voxel_kernel(
    nuclide: str | Nuclide = "Y-90",
    voxel_mm: Sequence[float] = (3.0, 3.0, 3.0),
    medium: str | Medium = "water",
    *,
    density_g_cm3: float | None = None,
    method: str = "point-kernel",
    radius_mm: float | None = None,
    histories: int | None = None,
    point_kernel: PointKernel | None = None,
    simulate: Callable[[int], PointKernel] | None = None,
    threads: int | None = None,
    device: str = "auto",
    seed: int = 0,
    progress: Progress | None = None,
) -> VoxelKernel:
    """Return the voxel S values of a nuclide in a uniform medium.

    Parameters
    ----------
    nuclide : name, file or Nuclide
    voxel_mm : (dz, dy, dx), mm
    medium : name or Medium
    density_g_cm3 : float, optional
        None is the medium's own. A point kernel of another density is scaled with it (Fano).
    method : "point-kernel" or "monte-carlo"
        Exact integration of the dose-point kernel over source and target voxel, or direct simulation, in shorter
        steps than those of `absorbed_dose`.
    radius_mm : float, optional
        The array reaches at least so far from its middle. None: 1.2 CSDA ranges of the highest energy of an electron,
        as S values of voxels are for the electrons' dose. Photons go on for decimetres: of I-131 two thirds of the
        energy is then outside, of Tc-99m nine tenths. `VoxelKernel.outside_mev` and
        `provenance["outside_fraction"]` say how much, and a warning in the log where it is above 1 %.
    histories : int, optional
        For "monte-carlo": None is 10 million. For "point-kernel": None takes the point kernel from the library, or
        simulates one million histories once and keeps them; a number simulates so many now.
    point_kernel : PointKernel, optional
        Use this one.
    simulate : callable, optional
        Makes the point kernel of so many histories, in the medium at its own density, if one must be simulated. None:
        `dose_point_kernel`.
    threads, device, seed, progress : see `absorbed_dose`

    Returns
    -------
    VoxelKernel

    Raises
    ------
    ValueError, TypeError
        An argument that cannot be used.
    InputError
        A kernel of the library that is damaged.
    """
    from mcdose.devices import choose_devices
    from mcdose.engine.cpu import thread_count
    from mcdose.nuclides import nuclide as find_nuclide

    choose_devices(device)
    thread_count(threads)
    seed = whole("seed", seed, 0, 2**64 - 1)
    if histories is not None:
        histories = whole("histories", histories, 1, 2**62)
        if point_kernel is not None:
            raise TypeError("histories and point_kernel exclude each other, got both")
    voxel = check_voxel(voxel_mm)
    chosen = medium if isinstance(medium, Medium) else find_medium(medium)
    density = check_density(density_g_cm3, chosen.density_g_cm3)
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    named = find_nuclide(nuclide)
    half = _half_shape(named, voxel, chosen, density, radius_mm)

    mass_kg = density * float(np.prod(voxel)) * 1e-6
    to_s_value = MEV_TO_JOULE / mass_kg * MGY_PER_MBQ_S
    provenance: dict[str, object] = {"method": method}
    if method == "monte-carlo":
        from mcdose.dose import absorbed_dose

        activity = np.zeros(tuple(2 * count + 1 for count in half))
        activity[half] = 1.0
        dose = absorbed_dose(
            activity, voxel, nuclide=named, medium=chosen, density_g_cm3=density, histories=histories,
            threads=threads, device=device, seed=seed, progress=progress, density_floor_g_cm3=0.0,
            parameters=DIRECT,
        )  # fmt: skip
        assert dose.relative_uncertainty is not None
        values, errors = _symmetric(dose.dose_gy, dose.relative_uncertainty)
        values, errors = values * MGY_PER_MBQ_S, errors * MGY_PER_MBQ_S
        emitted = sum(named.mean_energies_mev.values())
        provenance |= dose.provenance | {"histories": dose.histories, "seed": seed, "cancelled": dose.cancelled}
    else:

        def simulate_here(count: int) -> PointKernel:
            return dose_point_kernel(
                named, chosen, histories=count, threads=threads, device=device, seed=seed, progress=progress
            )

        kernel = point_kernel or known_or_simulated(named, chosen, histories, simulate or simulate_here)
        if kernel.source != named.name or kernel.medium != chosen.name:
            raise ValueError(
                f"point_kernel must be of {named.name} in {chosen.name}, got {kernel.source} in {kernel.medium}"
            )
        values, errors = integrate(kernel, voxel, half, density)
        values, errors = values * to_s_value, errors * to_s_value
        emitted = kernel.emitted_mev
        provenance |= {"point_kernel": kernel.provenance, "histories": kernel.histories, "cancelled": kernel.cancelled}
        provenance |= {key: kernel.provenance[key] for key in ("mcdose", "seed") if key in kernel.provenance}
    outside = emitted - float(values.sum()) / to_s_value
    provenance["outside_fraction"] = outside / emitted
    if radius_mm is None and outside > MOST_OUTSIDE * emitted:
        log.warning(
            "%.3g %% of the energy of %s is deposited outside the array, which reaches as far as its electrons; "
            "radius_mm makes it larger",
            100.0 * outside / emitted,
            named.name,
        )
    return VoxelKernel(values, errors, voxel, named.name, chosen.name, density, outside, emitted, provenance)


def _half_shape(
    nuclide: Nuclide,
    voxel_mm: tuple[float, float, float],
    medium: Medium,
    density_g_cm3: float,
    radius_mm: float | None,
) -> tuple[int, int, int]:
    """Return how many voxels a kernel has on each side of the middle, (z, y, x); see `voxel_kernel`.

    Raises
    ------
    ValueError
        A radius out of its range, or more than 2 GB.
    """
    if radius_mm is None:
        radius_mm = 1.2 * electron_reach_mm(nuclide, medium, density_g_cm3)
    if not 0.0 < radius_mm <= 2000.0:
        raise ValueError(f"radius_mm must lie within 0 and 2000 mm, got {radius_mm}")
    nz, ny, nx = (int(np.ceil(radius_mm / side)) for side in voxel_mm)
    shape = (2 * nz + 1, 2 * ny + 1, 2 * nx + 1)
    if np.prod(shape, dtype=float) * BYTES * 1e-6 > MOST_MB:
        raise ValueError(f"radius_mm must need at most {MOST_MB:.0f} MB, got {radius_mm} mm: {shape} voxels")
    return nz, ny, nx


def _symmetric(
    dose: NDArray[np.float32], relative: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means over the mirror images of each voxel and their standard errors, images taken as independent."""
    values = dose.astype(np.float64)
    variance = np.where(values > 0.0, relative.astype(np.float64) * values, 0.0) ** 2
    for axis in range(3):
        values = 0.5 * (values + np.flip(values, axis))
        off = 0.25 * (variance + np.flip(variance, axis))
        middle = tuple(
            slice(size // 2, size // 2 + 1) if k == axis else slice(None) for k, size in enumerate(dose.shape)
        )
        off[middle] = variance[middle]
        variance = off
    return values, variance**0.5
