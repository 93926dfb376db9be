"""Dose-volume histograms, from the voxels themselves rather than from dose bins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.arguments import whole
from mcdose.subvoxels import split

CURVE_STEPS = 1000
MOST_PARTS = 10
COVERAGE_ROUNDING = 1e-6  # coverage computed in float32 may exceed 1 by this much


class Curve(NamedTuple):
    """A cumulative dose-volume curve: `volume_fraction[i]` of the volume receives at least `dose_gy[i]`."""

    dose_gy: NDArray[np.float64]
    volume_fraction: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Dvh:
    """Dose in a structure.

    `v` and `v_ml` count voxels that receive *at least* the dose, by their share of the structure. `d` reads the dose
    off the voxels in order of dose, each standing at the middle of its own share of the volume, with straight lines
    between (Hazen's plotting position); within half a voxel of either end it is the extreme voxel's dose.

    Attributes
    ----------
    mean_gy, sd_gy, min_gy, max_gy : of the voxels or their parts, weighted by coverage; the standard
        deviation is the population's
    volume_ml : volume of the structure, sum of coverage times voxel volume
    """

    mean_gy: float
    sd_gy: float
    min_gy: float
    max_gy: float
    volume_ml: float
    _dose: NDArray[np.float64] = field(repr=False)  # ascending
    _below: NDArray[np.float64] = field(repr=False)  # (n + 1,), fraction of the volume before each voxel in that order

    def d(self, percent: float) -> float:
        """Smallest dose [Gy] in the hottest `percent` of the volume; d(0) is the maximum, d(100) the minimum."""
        if not 0.0 <= percent <= 100.0:
            raise ValueError(f"percent of the volume must be from 0 to 100, got {percent}")
        middle = 0.5 * (self._below[:-1] + self._below[1:])
        return float(np.interp(1.0 - percent / 100.0, middle, self._dose))

    def v(self, dose_gy: float) -> float:
        """Fraction of the volume that receives at least `dose_gy`."""
        return float(self.volume_fraction(dose_gy))

    def v_ml(self, dose_gy: float) -> float:
        """Volume [mL] that receives at least `dose_gy`."""
        return self.v(dose_gy) * self.volume_ml

    def volume_fraction(self, dose_gy: ArrayLike) -> NDArray[np.float64]:
        """Fraction of the volume that receives at least each of `dose_gy` [Gy], same shape."""
        dose_gy = np.asarray(dose_gy, dtype=np.float64)
        if np.isnan(dose_gy).any():
            raise ValueError("dose_gy must be a number, got NaN")
        return np.asarray(1.0 - self._below[np.searchsorted(self._dose, dose_gy, side="left")])

    @property
    def curve(self) -> Curve:
        """Cumulative curve at 1001 doses in equal steps from 0 (or a negative minimum) to the maximum."""
        dose_gy = np.linspace(min(0.0, self.min_gy), self.max_gy, CURVE_STEPS + 1)
        return Curve(dose_gy, self.volume_fraction(dose_gy))


def dvh(dose_gy: ArrayLike, mask: ArrayLike, voxel_mm: tuple[float, float, float], *, subvoxels: int = 1) -> Dvh:
    """Dose-volume histogram of a structure.

    A voxel whose dose is not reported (NaN, below the density floor) has no place in a histogram: it is refused, not
    skipped, so that the volume stays what the mask says. Take such voxels out of the mask to leave them out.

    Parameters
    ----------
    dose_gy : array, any shape [Gy]
    mask : array of the same shape, bool, or coverage of each voxel by the structure from 0 to 1
    voxel_mm : (dz, dy, dx) [mm]
    subvoxels : parts that each voxel is cut into along each axis, 1 to 10. With 1, all of a voxel at the edge has the
        dose of its middle, which may lie outside: with few voxels across a structure in a steep gradient, D95 is then
        off by tens of percent. With 4, dose and edge are taken to change within voxels (`mcdose.subvoxels`); needs
        three axes. The dose is smoothed, and its noise with it

    Returns
    -------
    Dvh

    Raises
    ------
    ValueError
        If the shapes differ, the mask is empty or outside 0 to 1, a dose in it is not finite, voxel_mm is not three
        positive numbers, or subvoxels is outside 1 to 10.
    """
    dose = np.asarray(dose_gy)
    weight = np.asarray(mask)
    if dose.dtype.kind not in "iuf":
        raise TypeError(f"dose_gy must be real numbers, got an array of {dose.dtype}")
    if weight.dtype.kind not in "biuf":
        raise TypeError(f"mask must be bool or coverage from 0 to 1, got an array of {weight.dtype}")
    if dose.shape != weight.shape:
        raise ValueError(f"mask must have the shape of dose_gy {dose.shape}, got {weight.shape}")
    if len(voxel_mm) != 3 or not all(0.0 < side < np.inf for side in voxel_mm):
        raise ValueError(f"voxel_mm must be positive, got {tuple(voxel_mm)}")
    inside = weight if weight.dtype.kind == "b" else weight != 0  # NaN coverage stays in, and is refused below
    parts = whole("subvoxels", subvoxels, 1, MOST_PARTS)
    if parts > 1 and dose.ndim != 3:
        raise ValueError(f"dose_gy must have three axes (z, y, x) to be cut into subvoxels, got shape {dose.shape}")
    grid, coverage = dose, weight
    dose = dose[inside].astype(np.float64)
    weight = weight[inside].astype(np.float64)
    if dose.size == 0:
        raise ValueError("mask must hold at least one voxel, got an empty one")
    wrong = weight[~((weight > 0.0) & (weight <= 1.0 + COVERAGE_ROUNDING))]
    if wrong.size:
        raise ValueError(f"mask must be from 0 to 1, got {wrong[0]} (in {wrong.size} voxels)")
    undefined = int(np.count_nonzero(~np.isfinite(dose)))
    if undefined:
        raise ValueError(
            f"dose_gy must be finite inside the mask, got {undefined} of {dose.size} voxels that are not; "
            "take voxels without a reported dose out of the mask"
        )

    if parts > 1:
        dose, weight = split(grid, coverage, parts)
    order = np.argsort(dose, kind="stable")
    dose, weight = dose[order], weight[order]
    total = float(weight.sum())
    below = np.concatenate(([0.0], np.cumsum(weight)))
    below /= below[-1]
    mean = float(np.dot(weight, dose)) / total
    variance = float(np.dot(weight, (dose - mean) ** 2)) / total
    dz, dy, dx = voxel_mm
    return Dvh(
        mean_gy=mean,
        sd_gy=float(np.sqrt(variance)),
        min_gy=float(dose[0]),
        max_gy=float(dose[-1]),
        volume_ml=total * dz * dy * dx / 1000.0,
        _dose=dose,
        _below=below,
    )
