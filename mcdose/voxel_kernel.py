"""Voxel S values, from the dose-point kernel or by direct Monte Carlo.

Source: Bolch et al., MIRD Pamphlet No. 17, J. Nucl. Med. 40 (1999) 11S, for what a voxel S value is.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mcdose.arguments import whole
from mcdose.constants import MEV_TO_JOULE
from mcdose.errors import InputError
from mcdose.jit import launcher
from mcdose.kernel import PointKernel, VoxelKernel
from mcdose.media import Medium
from mcdose.media import medium as find_medium
from mcdose.parameters import TransportParameters
from mcdose.point_kernel import check_density, dose_point_kernel
from mcdose.problem import check_voxel

if TYPE_CHECKING:
    from mcdose.monte_carlo import Progress
    from mcdose.nuclides import Nuclide

log = logging.getLogger("mcdose")

METHODS = ("point-kernel", "monte-carlo")
# Of direct simulation: the steps of `absorbed_dose` leave 0.3 to 0.5 % too much in the source voxel, these 0.05 %.
DIRECT = TransportParameters(delta_cut_mev=0.02, step_fine=0.03, step_coarse=0.1)
SIMULATED_HISTORIES = 1_000_000  # of a point kernel that the library does not have
NODES = 32768  # directions and radii by which each shell is integrated, at least,
NODES_PER_FACE = 256  # and so many more for each voxel face that its octant is as large as,
MOST_NODES = 250_000  # of those at most
MGY_PER_MBQ_S = 1e9  # Gy per decay in mGy/(MBq s)
MOST_MB = 2000.0  # largest array
BYTES = 52  # of a voxel while it is integrated: result, error, an eighth of the sums of 33 columns


def voxel_kernel(
    nuclide: str = "Y-90",
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
    nuclide : str
    voxel_mm : (dz, dy, dx), mm
    medium : name or Medium
    density_g_cm3 : float, optional
        None is the medium's own. A point kernel of another density is scaled with it (Fano).
    method : "point-kernel" or "monte-carlo"
        Exact integration of the dose-point kernel over source and target voxel, or direct simulation, in shorter
        steps than those of `absorbed_dose`.
    radius_mm : float, optional
        The array reaches at least so far from its middle. None: 1.2 CSDA ranges of the highest energy.
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
            activity, voxel, nuclide=named.name, medium=chosen, density_g_cm3=density, histories=histories,
            threads=threads, device=device, seed=seed, progress=progress, density_floor_g_cm3=0.0,
            parameters=DIRECT,
        )  # fmt: skip
        assert dose.relative_uncertainty is not None
        values, errors = _symmetric(dose.dose_gy, dose.relative_uncertainty)
        values, errors = values * MGY_PER_MBQ_S, errors * MGY_PER_MBQ_S
        emitted = named.mean_electron_energy_mev
        provenance |= dose.provenance | {"histories": dose.histories, "seed": seed, "cancelled": dose.cancelled}
    else:

        def simulate_here(count: int) -> PointKernel:
            return dose_point_kernel(
                named.name, chosen, histories=count, threads=threads, device=device, seed=seed, progress=progress
            )

        kernel = point_kernel or _known_or_simulated(named.name, chosen, histories, simulate or simulate_here)
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
    from mcdose.electron_data import csda_range

    if radius_mm is None:
        radius_mm = 12.0 * float(csda_range(medium, nuclide.end_point_mev)) / density_g_cm3
    if not 0.0 < radius_mm <= 2000.0:
        raise ValueError(f"radius_mm must lie within 0 and 2000 mm, got {radius_mm}")
    nz, ny, nx = (int(np.ceil(radius_mm / side)) for side in voxel_mm)
    shape = (2 * nz + 1, 2 * ny + 1, 2 * nx + 1)
    if np.prod(shape, dtype=float) * BYTES * 1e-6 > MOST_MB:
        raise ValueError(f"radius_mm must need at most {MOST_MB:.0f} MB, got {radius_mm} mm: {shape} voxels")
    return nz, ny, nx


def _cache_file(nuclide: str, medium: Medium) -> Path:
    """Return where the point kernel of a medium that the library lacks is kept, by all that it depends on."""
    from mcdose.jit import cache_folder

    state = repr((nuclide, medium.identity))
    return cache_folder() / "kernels" / f"{nuclide}_{hashlib.sha256(state.encode()).hexdigest()[:16]}_point.h5"


def _known_or_simulated(
    nuclide: str, medium: Medium, histories: int | None, simulate: Callable[[int], PointKernel]
) -> PointKernel:
    """Return the point kernel of the library, of the user's cache, or one simulated now.

    Parameters
    ----------
    histories : None takes a known one, else simulates one million histories and keeps them; a number simulates so many
    simulate : called with the histories
    """
    if histories is not None:
        return simulate(histories)
    from mcdose.kernel_file import find_kernel, kept_kernel, load_kernel
    from mcdose.media import media

    name = f"{nuclide}/{medium.name}/point"
    if medium.name in media() and find_medium(medium.name) == medium and find_kernel(name) is not None:
        known = load_kernel(name)
        if isinstance(known, PointKernel):
            return known
    path = _cache_file(nuclide, medium)
    kept = kept_kernel(path, "a point kernel")
    if kept is not None:
        return kept
    kernel = simulate(SIMULATED_HISTORIES)
    if kernel.histories >= SIMULATED_HISTORIES:  # a run that was stopped is no kernel for next time
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            kernel.save(path, overwrite=True)
        except (OSError, InputError) as error:  # a cache that cannot be written is no reason to fail
            log.info("the point kernel was not kept: %s", error)
    return kernel


def integrate(
    kernel: PointKernel, voxel_mm: tuple[float, float, float], half: tuple[int, ...], density_g_cm3: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return energy [MeV per decay] in each voxel, and its standard error, by integrating a point kernel.

    A source point uniform in a voxel, moved by r, ends in the voxel at offset o with the probability of the product
    of triangles max(0, 1 - |r - o| / d) of the three axes: the autocorrelation of the voxel. Each shell's energy is
    even in radius, as it is close to the source; the integral over the shell is a sum over points spread evenly in
    direction and radius, each shared among the eight nearest offsets by those triangles. There are more points in
    larger shells, and another start of the lattice in each, so that what one errs by is not what the next errs by.

    The deviations of the point kernel's parts are integrated alike, so the errors know how shells go together. They
    come from at most 32 parts, so they are themselves uncertain by 13 %. The integration errs by less than 0.1 % where
    S is above 1 % of the self value (0.5 to 6 mm, against 20 times the points), and by up to a tenth in single small
    voxels in the tail of bremsstrahlung; that is not in the standard errors.
    """
    scale = kernel.density_g_cm3 / density_g_cm3
    edges = np.asarray(kernel.shell_edges_mm) * scale
    shells = np.ascontiguousarray(np.vstack([kernel.energy_mev, kernel.deviations_mev]).T)
    octant = np.zeros((*(count + 2 for count in half), shells.shape[1]))
    faces = edges[1:] ** 2 / min(voxel_mm) ** 2
    nodes = (NODES + np.minimum(NODES_PER_FACE * faces, MOST_NODES)).astype(np.int64)
    _spread(edges, shells, *voxel_mm, nodes, np.zeros(octant.shape[:3]), octant)
    errors = np.sqrt((octant[..., 1:] ** 2).sum(axis=-1))
    return _unfold(octant[..., 0], half), _unfold(errors, half)


@launcher
def _spread(edges, shells, dz, dy, dx, nodes, share, octant):  # type: ignore[no-untyped-def]
    """Share the columns of every shell among the offsets of one octant, in float64; `share` is scratch, left zero."""
    one = np.float64(1.0)
    golden = np.float64(0.6180339887498949)
    plastic_1 = np.float64(0.7548776662466927)
    corner = np.sqrt((octant.shape[0] * dz) ** 2 + (octant.shape[1] * dy) ** 2 + (octant.shape[2] * dx) ** 2)
    for shell in range(shells.shape[0]):
        inner = edges[shell]
        outer = edges[shell + 1]
        if inner > corner:
            break
        count = nodes[shell]
        begin_turn = np.float64(shell) * np.float64(0.3819660112501051)
        begin_depth = np.float64(shell) * np.float64(0.5698402909980532) + np.float64(0.5)
        for node in range(count):
            cosine = (np.float64(node) + np.float64(0.5)) / np.float64(count)
            turn = np.float64(node) * golden + begin_turn
            angle = (turn - np.floor(turn)) * np.float64(1.5707963267948966)
            depth = np.float64(node) * plastic_1 + begin_depth
            depth -= np.floor(depth)
            radius = inner + depth * (outer - inner)
            sine = np.sqrt(one - cosine * cosine)
            z = radius * cosine / dz
            y = radius * sine * np.sin(angle) / dy
            x = radius * sine * np.cos(angle) / dx
            k = np.int64(z)
            j = np.int64(y)
            i = np.int64(x)
            if k + 1 >= octant.shape[0] or j + 1 >= octant.shape[1] or i + 1 >= octant.shape[2]:
                continue
            fz = z - np.float64(k)
            fy = y - np.float64(j)
            fx = x - np.float64(i)
            for a in range(2):
                wz = fz if a == 1 else one - fz
                for b in range(2):
                    wzy = wz * (fy if b == 1 else one - fy)
                    for c in range(2):
                        share[k + a, j + b, i + c] += wzy * (fx if c == 1 else one - fx)
        last_k = min(octant.shape[0], np.int64(outer / dz) + 2)
        last_j = min(octant.shape[1], np.int64(outer / dy) + 2)
        last_i = min(octant.shape[2], np.int64(outer / dx) + 2)
        for plane in range(last_k):
            for row in range(last_j):
                for place in range(last_i):
                    if share[plane, row, place] != np.float64(0.0):
                        part = share[plane, row, place] / np.float64(count)
                        for column in range(shells.shape[1]):
                            octant[plane, row, place, column] += part * shells[shell, column]
                        share[plane, row, place] = np.float64(0.0)


def _unfold(octant: NDArray[np.float64], half: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the full array of an octant's sums: an offset off a plane shares its sum with its mirror image."""
    kept = octant[: half[0] + 1, : half[1] + 1, : half[2] + 1].copy()
    for axis in range(3):
        kept[_part(axis, slice(1, None))] *= 0.5
    for axis in range(3):
        kept = np.concatenate([kept[_part(axis, slice(None, 0, -1))], kept], axis=axis)
    return kept


def _symmetric(
    dose: NDArray[np.float32], relative: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return means over the mirror images of each voxel and their standard errors, images taken as independent."""
    values = dose.astype(np.float64)
    variance = np.where(values > 0.0, relative.astype(np.float64) * values, 0.0) ** 2
    for axis in range(3):
        values = 0.5 * (values + np.flip(values, axis))
        off = 0.25 * (variance + np.flip(variance, axis))
        middle = _part(axis, slice(dose.shape[axis] // 2, dose.shape[axis] // 2 + 1))
        off[middle] = variance[middle]
        variance = off
    return values, variance**0.5


def _part(axis: int, part: slice) -> tuple[slice, ...]:
    """Return the index of a part of one axis, all of the others."""
    return tuple(part if k == axis else slice(None) for k in range(3))
