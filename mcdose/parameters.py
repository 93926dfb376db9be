"""The choices of the transport that trade accuracy for speed, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from mcdose.arguments import number


@dataclass(frozen=True)
class TransportParameters:
    """Where the condensed and the detailed treatment part, and where a particle ends.

    The defaults serve every dose on voxels; docs/accuracy.md shows that halving the steps, the cuts or `stop` moves no
    validated voxel by more than 0.5 %. Point kernels use finer ones (`mcdose.point_kernel.kernel_parameters`).

    Parameters
    ----------
    delta_cut_mev : knock-on electrons above it are followed one by one; from 0.005 down the stack of those that wait
        may fill, which `DoseResult.faults` tells (Y-90: 1e-6 of the energy left on the spot at 0.005, 0.3 % at 0.003,
        3 % at 0.002); which ones find no room depends on chance on a GPU, where runs then need not have the same bits
    photon_cut_mev : bremsstrahlung photons above it are followed
    lowest_mev : electrons below it are stopped whatever their range; at least 0.002
    stop : an electron stops when its residual range is below this part of the shortest voxel side, in the local density
    stop_inside : one that cannot reach a face of its voxel does so below this part already
    coarse : steps are coarse when the residual range is below this part of the shortest voxel side
    step_fine, step_coarse : part of its energy that an electron loses softly in a step, at most 0.4
    track_length : part of the shortest voxel side; electrons that photons set in motion stay where they are and are
        scored along the photons' way, not where these collide, if their range in water is below it and their energy
        below 0.2 MeV. For the dose of photons in tissue: 0.1 has a sixteenth of the variance of the photons of Tc-99m
        in 3 mm, and leaves 0.5 % too much in a hot voxel (docs/methods.md). 0, the default: none

    Raises
    ------
    ValueError, TypeError
        A value out of its range, or none.
    """

    delta_cut_mev: float = 0.1
    photon_cut_mev: float = 0.01
    lowest_mev: float = 0.01
    stop: float = 0.005
    stop_inside: float = 0.05
    coarse: float = 0.4
    step_fine: float = 0.12
    step_coarse: float = 0.25
    track_length: float = 0.0

    def __post_init__(self) -> None:
        limits = {
            "delta_cut_mev": (0.001, 1.0),
            "photon_cut_mev": (0.001, 1.0),
            "lowest_mev": (0.002, 1.0),
            "stop": (0.0, 1.0),
            "stop_inside": (0.0, 1.0),
            "coarse": (0.0, 10.0),
            "step_fine": (0.001, 0.4),
            "step_coarse": (0.001, 0.4),
            "track_length": (0.0, 0.5),
        }
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if not low <= number(name, value) <= high:
                raise ValueError(f"{name} must lie within {low} to {high}, got {value!r}")
