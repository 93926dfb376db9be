"""Two doses on one grid compared: differences, gamma, isodoses, and what the noise of Monte Carlo does to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.arrays import to_numpy
from mcdose.dose_pair import INSIDE, DosePair, check_pair
from mcdose.gamma import MAX_GAMMA, as_map, gamma_of_voxels

SIGMAS = 2.0


@dataclass(frozen=True, eq=False)
class ComparisonNoise:
    """What the statistical uncertainty of the doses does to their comparison, over the judged voxels.

    sigma is the standard error of the difference, from both uncertainties as if the doses were independent. Where an
    uncertainty is not known (NaN), sigma is not known either.

    Gamma is a minimum: noise in the evaluated dose offers more doses to choose from and makes it too small, noise in
    the reference makes it too large [1]_ [2]_. The plain pass rate is therefore no judge of noisy doses alone.

    Attributes
    ----------
    median_uncertainty_a, median_uncertainty_b : median of the known relative uncertainties, None if none were given
    voxels : judged voxels with a known sigma, which the two shares are of
    share_within_two_sigma : with a difference below 2 sigma; 0.954 for doses that differ by noise alone
    share_within_criterion_and_two_sigma : with a difference of at most the dose criterion plus 2 sigma, no distance
    widened_pass_rate : share of all judged voxels with gamma of at most 1 when the dose criterion of each voxel is
        widened to sqrt(criterion^2 + (2 sigma)^2); not widened where sigma is not known. Our own definition

    References
    ----------
    .. [1] Low and Dempsey, Med Phys 30:2455 (2003)
    .. [2] Graves, Jia, Jiang, Phys Med Biol 58:1839 (2013)
    """

    median_uncertainty_a: float | None
    median_uncertainty_b: float | None
    voxels: int
    share_within_two_sigma: float
    share_within_criterion_and_two_sigma: float
    widened_pass_rate: float


@dataclass(frozen=True, eq=False)
class DoseComparison:
    """Dose b against the reference dose a.

    Differences are b - a. Means and the root mean square are weighted by the coverage of the mask, the largest
    difference is over all voxels that it touches. Every share and rate is a fraction.

    Attributes
    ----------
    voxel_mm : (dz, dy, dx)
    gamma : (percent, mm), the criteria; local : whether the percentage is of the voxel's own reference dose
    threshold : reference dose below which no voxel is judged, fraction of the normalisation
    normalisation_gy : largest reference dose inside the mask
    mean_a_gy, mean_b_gy : mean doses in the mask
    mean_ratio : mean_b_gy / mean_a_gy
    mean_difference_gy, mean_absolute_difference_gy, rms_difference_gy, largest_difference_gy : the largest by size
    difference_gy : (nz, ny, nx) float32, of the whole grid
    gamma_map : (nz, ny, nx) float32, NaN where not judged, at most max_gamma
    pass_rate : share of the judged voxels with gamma of at most 1
    mean_gamma : over the judged voxels, those at max_gamma taken as that
    voxels_judged : number of voxels
    noise : None unless an uncertainty was given
    """

    voxel_mm: tuple[float, float, float]
    gamma: tuple[float, float]
    local: bool
    threshold: float
    normalisation_gy: float
    mean_a_gy: float
    mean_b_gy: float
    mean_difference_gy: float
    mean_absolute_difference_gy: float
    rms_difference_gy: float
    largest_difference_gy: float
    difference_gy: NDArray[np.float32] = field(repr=False)
    gamma_map: NDArray[np.float32] = field(repr=False)
    pass_rate: float
    mean_gamma: float
    voxels_judged: int
    noise: ComparisonNoise | None
    _inside_a: NDArray[np.float64] = field(repr=False)  # doses of the voxels at least half in the mask
    _inside_b: NDArray[np.float64] = field(repr=False)

    @property
    def mean_ratio(self) -> float:
        """Mean dose b over mean dose a."""
        return self.mean_b_gy / self.mean_a_gy

    @property
    def mean_difference_percent(self) -> float:
        """Mean difference in percent of the normalisation."""
        return 100.0 * self.mean_difference_gy / self.normalisation_gy

    @property
    def mean_absolute_difference_percent(self) -> float:
        """Mean absolute difference in percent of the normalisation."""
        return 100.0 * self.mean_absolute_difference_gy / self.normalisation_gy

    @property
    def rms_difference_percent(self) -> float:
        """Root mean square difference in percent of the normalisation."""
        return 100.0 * self.rms_difference_gy / self.normalisation_gy

    @property
    def largest_difference_percent(self) -> float:
        """Largest absolute difference in percent of the normalisation."""
        return 100.0 * self.largest_difference_gy / self.normalisation_gy

    def dice(self, dose_gy: float) -> float:
        """Dice coefficient of the two volumes that receive at least a dose [Gy]; NaN where neither dose reaches it.

        2 |A and B| / (|A| + |B|), of whole voxels, those at least half inside the mask (Dice, Ecology 26:297, 1945).
        """
        if np.isnan(dose_gy):
            raise ValueError("dose_gy must be a number, got NaN")
        a, b = self._inside_a >= dose_gy, self._inside_b >= dose_gy
        together = np.count_nonzero(a) + np.count_nonzero(b)
        return 2.0 * np.count_nonzero(a & b) / together if together else float("nan")


def compare_doses(
    dose_a: Any,
    dose_b: Any,
    voxel_mm: tuple[float, float, float],
    mask: Any = None,
    gamma: tuple[float, float] = (1.0, 1.0),
    local: bool = False,
    threshold: float = 0.1,
    *,
    relative_uncertainty_a: Any = None,
    relative_uncertainty_b: Any = None,
    max_gamma: float = MAX_GAMMA,
    threads: int | None = None,
) -> DoseComparison:
    """Compare a dose with a reference dose: differences, gamma index, isodoses.

    `dose_a` is the reference, `dose_b` the one evaluated; gamma is not the same the other way round. What gamma is
    and how it is found: `gamma_index`.

    Parameters
    ----------
    dose_a, dose_b : array, shape (nz, ny, nx) [Gy]; CuPy arrays, here and below, are copied to the host
    voxel_mm : (dz, dy, dx) [mm]
    mask : array of the same shape, bool, or coverage from 0 to 1; None for the whole grid. Gamma judges voxels of which
        at least half is inside
    gamma : (percent, mm), dose and distance criterion; the percentage is of the largest reference dose in the mask
    local : take the percentage of each voxel's own reference dose instead
    threshold : reference dose below which a voxel is not judged by gamma, as a fraction of the largest in the mask
    relative_uncertainty_a, relative_uncertainty_b : array of the same shape, 1 sigma relative, NaN where not known;
        None for a dose without noise. With either, the result has a `noise`
    max_gamma : where the search for gamma ends; larger values count as this one
    threads : None for as many as there are

    Returns
    -------
    DoseComparison

    Raises
    ------
    ValueError
        If shapes differ, a dose is negative or not finite, an uncertainty is negative or infinite, voxel_mm, a
        criterion or max_gamma is not positive, the threshold is outside 0 to 1, the mask is empty or outside 0 to 1,
        the reference has no dose in it or no voxel is left to judge.
    """
    pair = check_pair(("dose_a", "dose_b"), (dose_a, dose_b), voxel_mm, mask, gamma, local, threshold)
    a, b, coverage = pair.reference, pair.evaluated, pair.coverage
    uncertainty_a = _uncertainty("relative_uncertainty_a", relative_uncertainty_a, pair)
    uncertainty_b = _uncertainty("relative_uncertainty_b", relative_uncertainty_b, pair)
    found = gamma_of_voxels(pair, pair.criterion, max_gamma, threads)
    noise = None
    if uncertainty_a is not None or uncertainty_b is not None:
        noise = _noise(pair, uncertainty_a, uncertainty_b, max_gamma, threads)
    difference = b - a
    total = coverage.sum()
    inside = coverage >= INSIDE
    return DoseComparison(
        voxel_mm=pair.voxel_mm,
        gamma=pair.gamma,
        local=bool(local),
        threshold=pair.threshold,
        normalisation_gy=pair.normalisation_gy,
        mean_a_gy=float((a * coverage).sum() / total),
        mean_b_gy=float((b * coverage).sum() / total),
        mean_difference_gy=float((difference * coverage).sum() / total),
        mean_absolute_difference_gy=float((np.abs(difference) * coverage).sum() / total),
        rms_difference_gy=float(np.sqrt((difference**2 * coverage).sum() / total)),
        largest_difference_gy=float(np.abs(difference[coverage > 0.0]).max()),
        difference_gy=difference.astype(np.float32),
        gamma_map=as_map(found, pair.judged),
        pass_rate=_share(found <= 1.0),
        mean_gamma=float(found.mean()),
        voxels_judged=len(found),
        noise=noise,
        _inside_a=a[inside],
        _inside_b=b[inside],
    )


def _uncertainty(name: str, value: Any, pair: DosePair) -> NDArray[np.float64] | None:
    """Return the relative uncertainty of the judged voxels, or raise."""
    if value is None:
        return None
    relative = np.asarray(to_numpy(value))
    if relative.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be real numbers, got an array of {relative.dtype}")
    if relative.shape != pair.judged.shape:
        raise ValueError(f"{name} must have the shape of the doses {pair.judged.shape}, got {relative.shape}")
    wrong = relative[np.isinf(relative) | (relative < 0)]
    if wrong.size:
        raise ValueError(f"{name} must be 0 or more, or NaN, got {wrong[0]} (in {wrong.size} voxels)")
    return relative[pair.judged].astype(np.float64)


def _noise(
    pair: DosePair,
    uncertainty_a: NDArray[np.float64] | None,
    uncertainty_b: NDArray[np.float64] | None,
    max_gamma: float,
    threads: int | None,
) -> ComparisonNoise:
    a, b = pair.reference[pair.judged], pair.evaluated[pair.judged]
    sigma = np.zeros(a.shape)
    for dose, relative in ((a, uncertainty_a), (b, uncertainty_b)):
        if relative is not None:
            sigma = np.hypot(sigma, dose * relative)
    widened = gamma_of_voxels(pair, np.hypot(pair.criterion, SIGMAS * np.nan_to_num(sigma)), max_gamma, threads)
    known = np.isfinite(sigma)
    apart, allowed = np.abs(b - a)[known], SIGMAS * sigma[known]
    return ComparisonNoise(
        median_uncertainty_a=_median(uncertainty_a),
        median_uncertainty_b=_median(uncertainty_b),
        voxels=int(np.count_nonzero(known)),
        share_within_two_sigma=_share(apart < allowed),
        share_within_criterion_and_two_sigma=_share(apart <= pair.criterion[known] + allowed),
        widened_pass_rate=_share(widened <= 1.0),
    )


def _median(relative: NDArray[np.float64] | None) -> float | None:
    """Return the median of the uncertainties that are known, NaN if none is."""
    if relative is None:
        return None
    known = relative[np.isfinite(relative)]
    return float(np.median(known)) if known.size else float("nan")


def _share(true: NDArray[np.bool_]) -> float:
    """Return the part that is true; NaN of nothing."""
    return float(np.count_nonzero(true) / true.size) if true.size else float("nan")
