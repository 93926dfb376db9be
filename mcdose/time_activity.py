"""Activity at several times to time-integrated activity, by voxel or by structure.

By voxel, every voxel has its own curve; by structure, the voxels of a structure share the shape of its curve, and the
reference point says how the activity lies within it. Which is better is a matter of noise and of registration: a voxel
that moves between the scans has no curve [1]_ [2]_. The models of one curve: `mcdose.time_curve`.

References
----------
.. [1] Siegel et al, MIRD Pamphlet 16, J Nucl Med 40:37S (1999)
.. [2] Sarrut et al, voxel-based multimodel fitting, Med Phys 44:6280 (2017)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.nuclides import nuclide as look_up
from mcdose.time_curve import (
    AT_LIMIT,
    SECONDS,
    CurveFit,
    check_points,
    decay_per_h,
    fit_curve,
    mono_parameters,
    steepest_per_h,
    trapezoid_weights_h,
)

PER = ("voxel", "structure")
REST, WHOLE = "outside the structures", "whole image"
HALF = 0.5  # coverage from which a voxel belongs to a structure
OFF_CURVE = 0.1  # residual of a region worth a warning
MUCH_TRAPEZOID = 0.1  # part of the integral by trapezoids worth a warning


@dataclass(frozen=True)
class Region:
    """Voxels whose curve was fitted together: a structure less the smaller ones in it, or the rest.

    Attributes
    ----------
    name : of the structure, `REST` or `WHOLE`
    voxels : how many
    measured_bq : activity at each point, decay-corrected to administration
    curve : fitted to that
    tia_bq_s : sum over the voxels of what they were given, which is the curve's by structure, and close to it by voxel
    """

    name: str
    voxels: int
    measured_bq: tuple[float, ...]
    curve: CurveFit
    tia_bq_s: float


@dataclass(frozen=True, eq=False)
class TimeIntegral:
    """Time-integrated activity from several points.

    Attributes
    ----------
    tia_bq_s : float64, the shape of a point [Bq s per voxel]
    model, per : as asked for
    times_h : of the points
    decay_per_s : physical decay constant
    reference : index of the point that says how activity lies within a structure
    regions : with activity; the structures in their order, then the rest
    trapezoid_fraction : part of the sum in voxels that the model could not describe, and a trapezoid was taken
    warnings : sentences for the user
    """

    tia_bq_s: NDArray[np.float64]
    model: str
    per: str
    times_h: tuple[float, ...]
    decay_per_s: float
    reference: int
    regions: tuple[Region, ...]
    trapezoid_fraction: float
    warnings: tuple[str, ...]


class _Points(NamedTuple):
    times: NDArray[np.float64]
    weight: NDArray[np.float64]
    decay: float
    model: str


def time_integrated_activity(
    retained_bq: Sequence[ArrayLike],
    times_h: ArrayLike,
    nuclide: str = "Y-90",
    *,
    model: str = "physical",
    per: str = "voxel",
    structures: Mapping[str, Any] | None = None,
    reference: int = 0,
    weights: ArrayLike | None = None,
    half_life_s: float | None = None,
) -> TimeIntegral:
    """Integrate activity over time from several images.

    Every voxel belongs to one region: the smallest structure that covers at least half of it, or the rest. The curve of
    each region is fitted (`mcdose.time_curve.fit_curve`).

    - by structure: the activity of the reference point times one factor a region, the integral of its curve over its
      activity at the reference point. The rest is one region.
    - by voxel, "physical": the weighted mean of the points over the decay constant.
    - by voxel, "mono": each voxel its own rate and amplitude, as `fit_curve` finds them. A voxel that rises, has a zero
      or clears too fast to be known is integrated as a trapezoid with physical decay after the last point.
    - by voxel, "bi": each voxel its own two amplitudes, by linear least squares with a1 >= 0 and a1 + a2 >= 0, weighted
      as the curve of its region is; the two rates are the region's. Four numbers from a few noisy values of one voxel
      would not be determined. In a region without such a fit, voxels are trapezoids.

    Parameters
    ----------
    retained_bq : points, all of one shape, such as (nz, ny, nx), each decay-corrected to administration [Bq per voxel]
    times_h : of each point, after administration
    nuclide : for its half-life
    model : "physical", "mono" or "bi"; of 1, 2 and 4 points or more
    per : "voxel" or "structure"
    structures : name to bool mask or coverage from 0 to 1, of that shape
    reference : index of the point
    weights : one a point, inverse variances of the relative errors up to a factor; None = equal
    half_life_s : instead of the nuclide's

    Returns
    -------
    TimeIntegral

    Raises
    ------
    ValueError
        a name that is not there, shapes that differ, too few points, times that are not different, activity that is
        negative or not finite; a region without activity at the reference point but at others, by structure
    """
    if per not in PER:
        raise ValueError(f"per must be one of {', '.join(PER)}, got {per!r}")
    images = [np.asarray(image, np.float64) for image in retained_bq]
    if len({image.shape for image in images}) > 1:
        raise ValueError(f"retained_bq must be of one shape, got {', '.join(str(image.shape) for image in images)}")
    totals = [float(image.sum()) for image in images]
    if images and not images[0].ndim:
        raise ValueError("retained_bq must be images, got numbers")
    times, _, weight = check_points(times_h, totals, weights, model)
    for image in images:
        if image.size and not image.min() >= 0:  # NaN and infinity are in the totals
            raise ValueError(f"retained_bq must not be negative, got {float(image.min())!r}")
    if not -len(images) <= reference < len(images):
        raise ValueError(f"reference must be the index of one of {len(images)} points, got {reference}")
    if per == "structure" and not structures:
        raise ValueError("per='structure' needs structures, got none")
    life = look_up(nuclide).half_life_s if half_life_s is None else half_life_s
    points = _Points(times, weight, decay_per_h(life), model)
    names, label = _partition(structures or {}, images[0].shape)
    sums = np.array([_sums(image, label, len(names)) for image in images])
    curves = [fit_curve(times, sums[:, index], life, model, weight) for index in range(len(names))]
    reference %= len(images)
    if per == "structure":
        tia = images[reference] * _factors(names, sums[reference], curves)[label]
        trapezoids = sum(curve.tia_bq_s for curve in curves if curve.model == "trapezoid")
    else:
        tia, trapezoids = _by_voxel(points, images, label, curves)
    given, count = _sums(tia, label, len(names)), np.bincount(label.ravel(), minlength=len(names))
    regions = tuple(
        Region(name, int(n), tuple(measured), curve, float(total))
        for name, n, measured, curve, total in zip(names, count, sums.T.tolist(), curves, given, strict=True)
        if any(measured)
    )
    total = float(tia.sum())
    fraction = trapezoids / total if total > 0 else 0.0
    warnings = _warnings(points, regions, fraction, per)
    decay_per_s = points.decay / SECONDS
    return TimeIntegral(tia, model, per, tuple(times.tolist()), decay_per_s, reference, regions, fraction, warnings)


def _partition(structures: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[list[str], NDArray[np.intp]]:
    """Names of the regions, the rest last, and the index of each voxel's."""
    masks = {name: np.asarray(mask) for name, mask in structures.items()}
    label = np.full(shape, len(masks), np.intp)
    volumes = []
    for index, (name, mask) in enumerate(masks.items()):
        if mask.shape != shape:
            raise ValueError(f"structures[{name!r}] must have the shape of the points {shape}, got {mask.shape}")
        volumes.append((-float(mask.sum(dtype=np.float64)), index, mask))
    for _, index, mask in sorted(volumes, key=lambda item: item[:2]):
        label[mask >= HALF] = index
    return [*masks, REST if masks else WHOLE], label


def _sums(image: NDArray[np.float64], label: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    return np.asarray(np.bincount(label.ravel(), weights=image.ravel(), minlength=count), np.float64)


def _factors(names: list[str], reference_bq: NDArray[np.float64], curves: list[CurveFit]) -> NDArray[np.float64]:
    """Integral of a region's curve over its activity at the reference point [s]."""
    factors = np.zeros(len(names))
    for index, (name, activity, curve) in enumerate(zip(names, reference_bq, curves, strict=True)):
        if activity > 0:
            factors[index] = curve.tia_bq_s / activity
        elif curve.tia_bq_s > 0:
            raise ValueError(
                f"{name}: the reference point must have activity where other points have it, got none; "
                "another reference, or the fit by voxel, can tell where it was"
            )
    return factors


def _by_voxel(
    points: _Points, images: list[NDArray[np.float64]], label: NDArray[np.intp], curves: list[CurveFit]
) -> tuple[NDArray[np.float64], float]:
    """Integrate voxels [Bq s], slab by slab; and what of the sum is by trapezoids."""
    tia = np.zeros(images[0].shape)
    trapezoids = 0.0
    for index in range(len(tia)):
        slab = np.array([image[index].ravel() for image in images])
        if points.model == "bi":
            integral, known = _bi_voxels(points, slab, label[index].ravel(), curves)
        else:
            integral, known = (_physical_voxels if points.model == "physical" else _mono_voxels)(points, slab)
        tia[index] = integral.reshape(tia[index].shape) * SECONDS
        trapezoids += float(integral[~known].sum()) * SECONDS
    return tia, trapezoids


def _physical_voxels(points: _Points, slab: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return points.weight @ slab / (len(points.times) * points.decay), np.ones(slab.shape[1], bool)


def _mono_voxels(points: _Points, slab: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    integral = trapezoid_weights_h(points.times, points.decay) @ slab
    voxels = np.flatnonzero((slab > 0).all(axis=0))
    rate, amplitude = mono_parameters(points.times, slab[:, voxels], points.weight)
    fits = (rate >= -AT_LIMIT * points.decay) & (rate <= steepest_per_h(points.times))
    integral[voxels[fits]] = amplitude[fits] / (points.decay + np.maximum(rate[fits], 0.0))
    known = np.asarray(~slab.any(axis=0))
    known[voxels[fits]] = True
    return integral, known


def _bi_voxels(
    points: _Points, slab: NDArray[np.float64], label: NDArray[np.intp], curves: list[CurveFit]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    integral = trapezoid_weights_h(points.times, points.decay) @ slab
    known = np.asarray(~slab.any(axis=0))
    for index in np.unique(label):
        curve = curves[index]
        if curve.model != "trapezoid":
            mine = label == index
            integral[mine] = _two_amplitudes(points, slab[:, mine], curve) @ (
                1.0 / (points.decay + np.array(curve.clearance_per_h))
            )
            known |= mine
    return integral, known


def _two_amplitudes(points: _Points, values: NDArray[np.float64], curve: CurveFit) -> NDArray[np.float64]:
    """Amplitudes (voxels, 2) of phases with known rates, a1 >= 0 and a1 + a2 >= 0.

    The best point of the plane if it is allowed, else the better of those on the two edges of what is allowed: the
    misfit is convex.
    """
    scale = np.sqrt(points.weight) / curve.retained_bq(points.times)
    phases = np.exp(-np.multiply.outer(points.times, np.array(curve.clearance_per_h))) * scale[:, None]
    wanted = values * scale[:, None]
    free = (np.linalg.pinv(phases) @ wanted).T
    best, lowest = free, np.full(len(free), math.inf)
    outside = (free[:, 0] < 0) | (free.sum(axis=1) < 0)
    for edge in (np.array([0.0, 1.0]), np.array([1.0, -1.0])):
        along = phases @ edge
        length = np.maximum(along @ wanted / (along @ along), 0.0)
        misfit = ((wanted - np.multiply.outer(along, length)) ** 2).sum(axis=0)
        better = outside & (misfit < lowest)
        best[better] = np.multiply.outer(length[better], edge)
        lowest[better] = misfit[better]
    return best


def _warnings(points: _Points, regions: tuple[Region, ...], trapezoids: float, per: str) -> tuple[str, ...]:
    sentences = []
    for region in regions:
        curve = region.curve
        if curve.reason:
            how = "integrated as a trapezoid with physical decay after the last point: " * (curve.model == "trapezoid")
            sentences.append(f"{region.name}: {how}{curve.reason}")
        worst = int(np.abs(curve.residuals).argmax())
        if abs(curve.residuals[worst]) > OFF_CURVE:
            what = "physical decay alone" if points.model == "physical" else f"the fitted curve ({points.model})"
            sentences.append(
                f"{region.name}: the point at {points.times[worst]:.4g} h is {100 * curve.residuals[worst]:+.0f} % off "
                f"{what}"
            )
    if per == "voxel" and trapezoids > MUCH_TRAPEZOID:
        sentences.append(
            f"{100 * trapezoids:.0f} % of the decays are in voxels that rise, have a zero or clear too fast for the "
            "model, and are integrated as trapezoids"
        )
    return tuple(sentences)
