"""Dose by convolution of the activity with voxel S values."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcdose.arrays import module_of
from mcdose.coarse_voxels import Spread, merged
from mcdose.constants import GY_PER_MEV_PER_G
from mcdose.convolution.convolve import convolve, least_bytes
from mcdose.kernel import PointKernel
from mcdose.kernel_pair import KernelPair, kernel_pair
from mcdose.media import Medium
from mcdose.media import medium as find_medium
from mcdose.noiseless import noiseless_result
from mcdose.nuclides import Nuclide
from mcdose.point_kernel import dose_point_kernel
from mcdose.problem import Problem, reports_dose, slabs
from mcdose.regions import Region
from mcdose.result import DoseResult
from mcdose.smooth_voxels import Interpolated, shared

DEFAULT_MEDIUM = "soft-tissue"  # of the kernel where the patient is of several media
BYTES_OF_A_VOXEL = 9  # density, medium and dose
SCALED_BYTES = 16  # of a voxel: activity scaled by the source's density, and the factors while they are made


@dataclass(frozen=True)
class Choices:
    """How to convolve; see `absorbed_dose`."""

    density_scaling: str
    kernel_medium: Medium | None
    precision: str
    max_memory: int
    device: str
    threads: int


def voxel_convolution(
    problem: Problem,
    nuclide: Nuclide,
    choices: Choices,
    floor: float,
    regions: dict[str, Region],
    to_water: Callable[[tuple[Medium, ...]], Any],
    provenance: dict[str, Any],
) -> DoseResult:
    """Return the dose by convolution with the voxel S values of a uniform medium; see `absorbed_dose`.

    dose(t) = sum over s of TIA(s) E(t - s) / m(t), with E the energy that a decay leaves in a voxel of the kernel's
    medium. What `density_scaling` makes of the densities rho(s), rho(t) and that of the kernel, rho:

    - "none": m(t) = rho V (MIRD Pamphlet 17, Bolch et al., J. Nucl. Med. 40 (1999) 11S; SK of Mikell et al., EJNMMI
      Phys. 2 (2015), doi 10.1186/s40658-015-0119-y).
    - "target": m(t) = rho(t) V; keeps the energy (Dieudonne et al., J. Nucl. Med. 54 (2013) 236; SKD of Mikell).
    - "source": TIA(s) rho / rho(s) for TIA(s), m(t) = rho V: the mass is everywhere that where the decay is.
    - "multiple-kernels": m(t) = rho(t) V, and E of the target's own medium (Lee et al., J. Nucl. Med. 59 (2018) 1133);
      a medium lighter than the density floor takes that of the lightest other one.

    Photons leave energy by mass, so their dose is about that in the kernel's medium whatever the densities. Where they
    count (`kernel_pair`), the far kernel, which is theirs alone, is scaled by none of the four; the near one is, as a
    whole.

    The range of the electrons is everywhere that in the kernel's medium, so none of them is right where tissues of
    different density meet; docs/comparison.md says by how much. Dose is to the target's medium for "target" and
    "multiple-kernels", to the kernel's for the others.

    Parameters
    ----------
    problem : checked
    nuclide : Nuclide
    choices : Choices
    floor : g/cm3
    regions : by name
    to_water : gives the factors from dose to media to the dose that is reported
    provenance : plain JSON types
    """
    begun = time.perf_counter()
    uses = _kernel_uses(problem, choices, floor) if reports_dose(problem.density, floor).any() else []
    pairs = []
    for medium, density, targets in uses:
        pair = kernel_pair(
            nuclide, medium, density, problem.voxel_mm, problem.shape, _simulation(nuclide, medium, choices)
        )
        pairs.append((pair, medium, density, targets))
    rooms = _room(problem, [pair for pair, *_ in pairs], choices)
    dose = module_of(problem.tia_bq_s).zeros(problem.shape, np.float32)
    for (pair, medium, density, targets), room in zip(pairs, rooms, strict=True):
        _add(dose, problem, pair, density, targets, choices, floor, room, to_water, medium)
    told = [
        {
            "medium": medium.name,
            "density_g_cm3": density,
            "sources": list(medium.sources),
            "near_to_mm": pair.split_mm,
            "coarse_voxels": list(pair.merge),
            "emitted_mev": pair.point.emitted_mev,
            "histories": pair.point.histories,
            "mcdose": pair.point.provenance.get("mcdose"),
            "code_sha256": pair.point.provenance.get("code_sha256"),
        }
        for pair, medium, density, _ in pairs
    ]
    to_kernel = choices.density_scaling in ("none", "source") and provenance["dose_to"] == "medium" and told
    return noiseless_result(
        problem,
        dose,
        "voxel-kernel",
        choices.device,
        floor,
        regions,
        begun,
        {
            **provenance,
            "dose_to": told[0]["medium"] if to_kernel else provenance["dose_to"],
            "density_scaling": choices.density_scaling,
            "precision": choices.precision,
            "max_memory": choices.max_memory,
            "kernels": told,
        },
    )


def _simulation(nuclide: Nuclide, medium: Medium, choices: Choices) -> Callable[[int], PointKernel]:
    """Return what simulates the point kernel of a medium, on the device and threads asked for."""

    def simulate(histories: int) -> PointKernel:
        return dose_point_kernel(nuclide, medium, histories=histories, device=choices.device, threads=choices.threads)

    return simulate


def _room(problem: Problem, pairs: Sequence[KernelPair], choices: Choices) -> list[int]:
    """Return what is left of `max_memory` for the transforms of each pair, or raise if that is too little.

    Taken by the maps, the scaled activity and the kernels; while far kernels are folded, by the shared activity and its
    dose on the coarse grid, then by the latter and what is made of it. Making a kernel takes three times its size, when
    the map of the dose is not there yet.
    """
    voxels = int(np.prod(problem.shape))
    sizes = [int(np.prod([size + 1 for size in kernel.octant.shape])) for pair in pairs for kernel in pair[:2]]
    kernels = 8 * sum(sizes)
    held = BYTES_OF_A_VOXEL * voxels + kernels + (SCALED_BYTES * voxels if choices.density_scaling == "source" else 0)
    needed = (BYTES_OF_A_VOXEL - 4) * voxels + kernels + 16 * max(sizes, default=0)
    how: dict[str, Any] = {"device": choices.device, "threads": choices.threads}
    rooms = []
    for pair in pairs:
        nz, ny, nx = pair.far.octant.shape
        taken = held + 16 * nz * ny * nx
        near = least_bytes(problem.shape, pair.near.reach, precision=choices.precision, **how)
        far = least_bytes((nz, ny, nx), pair.far.reach, precision="double", **how)
        needed = max(needed, taken + max(near, far))
        rooms.append(choices.max_memory - taken)
    if needed > choices.max_memory:
        raise ValueError(
            f"max_memory must be at least {needed} bytes for a grid of {problem.shape} voxels, got {choices.max_memory}"
        )
    return rooms


def _kernel_uses(problem: Problem, choices: Choices, floor: float) -> list[tuple[Medium, float, list[int] | None]]:
    """Return medium and density of each kernel and the media (indices) of its targets, None for all voxels."""
    largest = problem.largest_density
    there = [k for k, density in enumerate(largest) if density > 0.0]
    if choices.density_scaling == "multiple-kernels":
        own = {k: problem.media[k].density_g_cm3 for k in there}
        able = [k for k in there if own[k] >= floor] or there
        targets: dict[int, list[int]] = {k: [] for k in able}
        for k in there:
            targets[k if k in able else min(able, key=lambda other: own[other])].append(k)
        return [(problem.media[k], own[k], members) for k, members in targets.items()]
    if choices.kernel_medium is not None:
        return [(choices.kernel_medium, choices.kernel_medium.density_g_cm3, None)]
    if len(there) == 1:
        medium = problem.media[there[0]]
        density = largest[there[0]]
        if float(problem.density.min()) != density or np.float32(medium.density_g_cm3) == np.float32(density):
            density = medium.density_g_cm3
        return [(medium, density, None)]
    medium = find_medium(DEFAULT_MEDIUM)
    return [(medium, medium.density_g_cm3, None)]


def _add(
    dose: Any,
    problem: Problem,
    pair: KernelPair,
    kernel_density: float,
    targets: list[int] | None,
    choices: Choices,
    floor: float,
    work: int,
    to_water: Callable[[tuple[Medium, ...]], Any],
    medium: Medium,
) -> None:
    """Add the dose that one kernel gives to its targets."""
    module = module_of(dose)
    density = problem.density.reshape(problem.shape)
    index = problem.medium_index.reshape(problem.shape)
    by_target = choices.density_scaling in ("target", "multiple-kernels")
    factors = to_water(problem.media if by_target else (medium,) * len(problem.media))
    gy = factors * (GY_PER_MEV_PER_G / problem.voxel_cm3)
    if targets is not None:
        gy = np.where(np.isin(np.arange(gy.size), targets), gy, 0.0)
    same = bool((gy == gy[0]).all())
    gy_g_cm3 = module.asarray(gy.astype(np.float32))

    def gy_per_mev(part: tuple[slice, slice, slice], own_mass: bool) -> Any:
        here = density[part]
        kept = reports_dose(here, floor)
        of = np.float32(gy[0]) if same else gy_g_cm3[index[part]]
        return module.where(kept, of / module.where(kept, here if own_mass else np.float32(kernel_density), 1), 0)

    def deliver(z: slice, y: slice, x: slice, energy_mev: Any, own_mass: bool = by_target) -> None:
        part = z, y, x
        dose[part] += (energy_mev * gy_per_mev(part, own_mass)).astype(np.float32)

    source = problem.tia_bq_s
    coarse = shared(source, pair.merge) if pair.smooth else None  # photons: of no scaling
    if choices.density_scaling == "source":
        reported = reports_dose(density, floor)
        source = source * module.where(reported, np.float32(kernel_density) / module.where(reported, density, 1), 1)
    how: dict[str, Any] = {"device": choices.device, "threads": choices.threads, "max_bytes": work}
    if coarse is None:
        coarse = merged(source, pair.merge)
    beyond = module.zeros(coarse.shape)

    def keep(z: slice, y: slice, x: slice, energy_mev: Any) -> None:
        beyond[z, y, x] = energy_mev

    convolve(coarse, pair.far, keep, precision="double", **how)
    del coarse
    spread = (Interpolated if pair.smooth else Spread)(beyond, problem.shape, pair.merge)
    _, ny, nx = problem.shape
    for part in slabs(dose):
        deliver(part, slice(0, ny), slice(0, nx), spread.planes(part), by_target and not pair.smooth)
    convolve(source, pair.near, deliver, precision=choices.precision, **how)
