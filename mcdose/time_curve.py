"""One curve of activity over time: a model through a few points, and its integral from administration to the end.

Points are R(t), the activity decay-corrected to administration: what biology left of it. The activity itself is
A(t) = R(t) exp(-l t) with the physical decay constant l, and the time-integrated activity its integral from 0 to
infinity. The models are those of MIRD Pamphlet 16 [1]_; fitting R instead of A keeps the physical decay exact.

Every point is taken to have the same relative error unless weights say otherwise: errors of calibration, outline and
partial volume, which dominate in structures, are in proportion to the activity [2]_, and so, nearly, is the noise of
voxels of images made by expectation maximisation, which is log-normal [3]_. So curves are fitted by least squares in
the logarithm.

References
----------
.. [1] Siegel et al, MIRD Pamphlet 16, J Nucl Med 40:37S (1999)
.. [2] Gear et al, EANM guidance on uncertainty analysis, Eur J Nucl Med Mol Imaging 45:2456 (2018)
.. [3] Barrett, Wilson, Tsui, Phys Med Biol 39:833 (1994)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]

MODELS = ("physical", "mono", "bi")
FEWEST = {"physical": 1, "mono": 2, "bi": 4}  # points
SECONDS = 3600.0
LN2 = math.log(2.0)
STEEPEST = 4.0  # half-lives of biological clearance up to the first point, at most: nothing is known of what was before
CLOSEST_RATES = 0.98  # the slower of two rates over the faster, at most
LARGEST_PHASE = 1e3  # amplitude of the faster phase over that of the slower, at most
AT_LIMIT = 1e-6  # relative
SEEN = 1e-3  # part of the curve that a phase must be at a point to be told from it


@dataclass(frozen=True)
class CurveFit:
    """A curve through points, R(t) = sum of a exp(-k t), and its time-integrated activity.

    Attributes
    ----------
    model : "physical", "mono" or "bi"; "trapezoid" where that could not be fitted, for the `reason`
    amplitudes_bq : a of each phase, at administration; a negative one is uptake. () for a trapezoid
    clearance_per_h : k of each phase, biological, 0 or more, the slowest first
    physical_per_h : l
    tia_bq_s : integral of R(t) exp(-l t) from 0 to infinity [Bq s]
    after_last_fraction : part of the integral that is after the last point, where nothing was measured
    residuals : measured over fitted, less 1, of each point in the order given
    degrees_of_freedom : points less parameters
    scatter : relative standard deviation of the points about the curve; None without a degree of freedom
    relative_uncertainty : 1 sigma of the integral by the covariance of the parameters, scaled by the scatter; it knows
        nothing of errors that all points share. None without a degree of freedom
    reason : why it is a trapezoid, or what of two phases is not determined; "" if there is nothing to say
    """

    model: str
    amplitudes_bq: tuple[float, ...]
    clearance_per_h: tuple[float, ...]
    physical_per_h: float
    tia_bq_s: float
    after_last_fraction: float
    residuals: tuple[float, ...]
    degrees_of_freedom: int
    scatter: float | None = None
    relative_uncertainty: float | None = None
    reason: str = field(default="")

    @property
    def effective_half_lives_h(self) -> tuple[float, ...]:
        """Effective half-life of each phase, ln 2 / (l + k) [h]."""
        return tuple(LN2 / (self.physical_per_h + k) for k in self.clearance_per_h)

    def retained_bq(self, times_h: ArrayLike) -> Vector:
        """R at times [h], shape of `times_h`; ValueError for a trapezoid, which has no formula."""
        if self.model == "trapezoid":
            raise ValueError("a trapezoid has no parameters to compute the retained activity from")
        times = np.asarray(times_h, np.float64)[..., None]
        rates, amplitudes = np.array(self.clearance_per_h), np.array(self.amplitudes_bq)
        return np.asarray((amplitudes * np.exp(-rates * times)).sum(axis=-1))


def fit_curve(
    times_h: ArrayLike,
    retained_bq: ArrayLike,
    half_life_s: float,
    model: str = "physical",
    weights: ArrayLike | None = None,
) -> CurveFit:
    """Fit a model to the points of one curve and integrate it.

    - "physical": R is constant, the weighted mean. Microspheres.
    - "mono": R = a exp(-k t), k >= 0. The rate by weighted least squares in log R, the amplitude as the weighted mean
      of R exp(k t), which noise does not bias as it does the mean of logarithms.
    - "bi": R = a1 exp(-k1 t) + a2 exp(-k2 t), 0 <= k1 < k2, a1 > 0, R(0) >= 0, so that a2 < 0 is uptake. Least squares
      in log R from many starts.

    No phase decays slower than physically (k >= 0). A biological half-life below a quarter of the time of the first
    point (of the first after administration for "bi") is not accepted: what it says of the time before that point is
    extrapolation by a factor of more than 16. A curve that rises over all points (mono), has a zero, or clears faster
    than that (mono) is integrated as a trapezoid, see `trapezoid_weights_h`; bi is kept at the limit. `reason` says so.

    Parameters
    ----------
    times_h : (n,), after administration, different, 0 or more
    retained_bq : (n,), decay-corrected to administration, 0 or more
    half_life_s : physical
    model : one of `MODELS`
    weights : (n,), positive, inverse variances of log R up to a factor; None = equal

    Raises
    ------
    ValueError
        an unknown model, too few points for it, or values out of their range
    """
    times, retained, weight = check_points(times_h, retained_bq, weights, model)
    decay = decay_per_h(half_life_s)
    if not retained.any():
        return _trapezoid(times, retained, decay, "no activity at any point")
    if model == "physical":
        return _physical(times, retained, decay, weight)
    if not retained.all():
        return _trapezoid(times, retained, decay, "no activity at one of the points")
    if model == "mono":
        return _mono(times, retained, decay, weight)
    return _bi(times, retained, decay, weight)


def check_points(
    times_h: ArrayLike, retained_bq: ArrayLike, weights: ArrayLike | None, model: str
) -> tuple[Vector, Vector, Vector]:
    """Return times, activities (n, ...) and weights of mean 1 as arrays, or raise ValueError."""
    if model not in MODELS:
        raise ValueError(f"model must be one of {', '.join(MODELS)}, got {model!r}")
    times, retained = np.asarray(times_h, np.float64), np.asarray(retained_bq, np.float64)
    if times.ndim != 1 or retained.ndim < 1 or len(times) != len(retained):
        raise ValueError(f"times_h must be one a point, got {times.shape} for points of shape {retained.shape}")
    require_points(model, len(times))
    if not (np.isfinite(times).all() and (times >= 0).all() and len(set(times.tolist())) == len(times)):
        raise ValueError(f"times_h must be finite, 0 or more, and different, got {times.tolist()}")
    if not (np.isfinite(retained).all() and (retained >= 0).all()):
        raise ValueError(f"retained_bq must be finite and not negative, got {float(retained.min())!r} and above")
    weight = np.ones(len(times)) if weights is None else np.asarray(weights, np.float64)
    if weight.shape != times.shape or not (np.isfinite(weight).all() and (weight > 0).all()):
        raise ValueError(f"weights must be positive, one a point, got {weight.tolist()}")
    return times, retained, weight / weight.mean()


def require_points(model: str, count: int) -> None:
    """Refuse a model with more parameters than points."""
    if count < FEWEST[model]:
        why = {
            "mono": "an amplitude and a rate",
            "bi": "two amplitudes and two rates; with three, one of them would be an assumption",
        }.get(model, "an amplitude")
        raise ValueError(f"{model} needs at least {FEWEST[model]} time points ({why}), got {count}")


def decay_per_h(half_life_s: float) -> float:
    """Physical decay constant [1/h]."""
    if not 0.0 < half_life_s < math.inf:
        raise ValueError(f"half_life_s must be positive and finite, got {half_life_s!r}")
    return LN2 * SECONDS / half_life_s


def trapezoid_weights_h(times_h: Vector, decay_per_h: float) -> Vector:
    """Weights of the points in the integral of a curve without a model: sum of weight x R, times 3600 s, is its TIA.

    R is constant before the first point and after the last, linear between points; A = R exp(-l t) is integrated
    exactly. So after the last point there is physical decay alone, which is the slowest that can be.

    Parameters
    ----------
    times_h : (n,)
    decay_per_h : l

    Returns
    -------
    weights : (n,) [h]; they sum to 1 / l
    """
    weights = np.zeros(len(times_h))
    order = np.argsort(times_h)
    for before, after in itertools.pairwise(order):
        step = times_h[after] - times_h[before]
        x = decay_per_h * step
        whole = -np.expm1(-x) / decay_per_h
        later = (-np.expm1(-x) - x * np.exp(-x)) / (decay_per_h**2 * step)
        start = np.exp(-decay_per_h * times_h[before])
        weights[before] += start * (whole - later)
        weights[after] += start * later
    weights[order[0]] += -np.expm1(-decay_per_h * times_h[order[0]]) / decay_per_h
    weights[order[-1]] += np.exp(-decay_per_h * times_h[order[-1]]) / decay_per_h
    return weights


def steepest_per_h(times_h: Vector) -> float:
    """Fastest biological clearance that points can tell of [1/h]: `STEEPEST` half-lives up to the first of them."""
    first = float(times_h.min())
    return STEEPEST * LN2 / first if first > 0 else math.inf


def _trapezoid(times: Vector, retained: Vector, decay: float, reason: str) -> CurveFit:
    tia_h = float(trapezoid_weights_h(times, decay) @ retained)
    last = int(times.argmax())
    tail_h = float(retained[last]) * math.exp(-decay * times[last]) / decay
    fraction = tail_h / tia_h if tia_h > 0 else 0.0
    return CurveFit("trapezoid", (), (), decay, tia_h * SECONDS, fraction, (0.0,) * len(times), 0, reason=reason)


def _physical(times: Vector, retained: Vector, decay: float, weight: Vector) -> CurveFit:
    amplitude = float(weight @ retained) / len(times)
    design = np.ones((len(times), 1))
    return _finished("physical", times, retained, decay, weight, ((amplitude, 0.0),), design, np.ones(1))


def _mono(times: Vector, retained: Vector, decay: float, weight: Vector) -> CurveFit:
    rate, amplitude = mono_parameters(times, retained, weight)
    k, a = float(rate), float(amplitude)
    if k < -AT_LIMIT * decay:
        return _trapezoid(times, retained, decay, "the decay-corrected activity rises")
    if k > steepest_per_h(times):
        return _trapezoid(
            times,
            retained,
            decay,
            f"a biological half-life of {LN2 / k:.3g} h is too short for a first point at {times.min():g} h",
        )
    k = max(k, 0.0)
    design = np.column_stack([np.ones(len(times)), -times])
    gradient = np.array([1.0, -1.0 / (decay + k)])
    return _finished("mono", times, retained, decay, weight, ((a, k),), design, gradient)


def mono_parameters(times: Vector, retained: Vector, weight: Vector) -> tuple[Vector, Vector]:
    """Rate [1/h] and amplitude of R = a exp(-k t) through positive points, for any number of curves at once.

    Parameters
    ----------
    times, weight : (n,)
    retained : (n, ...), positive

    Returns
    -------
    rate, amplitude : (...)
    """
    centred = times - weight @ times / weight.sum()
    rate = -np.tensordot(weight * centred, np.log(retained), 1) / float(weight * centred @ centred)
    with np.errstate(over="ignore"):  # of curves so steep that they are not kept
        back = np.exp(np.multiply.outer(times, rate))
    return rate, np.tensordot(weight / weight.sum(), retained * back, 1)


def _bi(times: Vector, retained: Vector, decay: float, weight: Vector) -> CurveFit:
    """Fit (k2, k1 / k2, a2 / a1) with a1 profiled out: its logarithm is a mean."""
    from scipy.optimize import least_squares

    log_retained, root = np.log(retained), np.sqrt(weight)
    fastest = STEEPEST * LN2 / float(times[times > 0].min())
    smallest = -1.0 if times.min() > 0 else -1.0 + AT_LIMIT  # R(0) >= 0, and measured to be above it at time 0
    low = np.array([1e-3 * LN2 / times.max(), 0.0, smallest])
    high = np.array([fastest, CLOSEST_RATES, LARGEST_PHASE])

    def misfit(parameters: Vector) -> Vector:
        apart = log_retained - _log_shape(parameters, times)
        return np.asarray(root * (apart - weight @ apart / weight.sum()))

    starts = sorted(
        (np.clip(start, low + 1e-9 * (high - low), high - 1e-9 * (high - low)) for start in _starts(times, retained)),
        key=lambda start: float((misfit(start) ** 2).sum()),
    )
    fits = [
        least_squares(
            misfit, start, bounds=(low, high), x_scale="jac", ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=2000
        )
        for start in starts[:6]
    ]
    best = min(fits, key=lambda fit: float(fit.cost)).x
    apart = log_retained - _log_shape(best, times)
    slow = math.exp(float(weight @ apart / weight.sum()))
    k2, ratio, fast = (float(value) for value in best)

    def logs(parameters: Vector) -> Vector:
        """Logarithms of the curve at the points and, last, of its integral, for a1 = 1."""
        k, g, f = parameters
        integral = 1.0 / (decay + g * k) + f / (decay + k)
        return np.append(_log_shape(parameters, times), math.log(integral))

    columns, gradient = [np.ones(len(times))], [1.0]
    room = np.minimum(best - low, high - best)
    for index in np.flatnonzero(room > AT_LIMIT * np.array([best[0], 1.0, 1.0])):  # a parameter at a limit is not free
        step = np.zeros(3)
        step[index] = 1e-5 * min(max(abs(best[index]), 1e-3), room[index])
        slope = (logs(best + step) - logs(best - step)) / (2.0 * step[index])
        columns.append(slope[:-1])
        gradient.append(float(slope[-1]))
    phases = ((slow, ratio * k2), (slow * fast, k2))
    second = float(np.sort(times)[1])
    share = 1.0 / (1.0 + fast * np.exp((ratio - 1.0) * k2 * times))  # of the slower phase
    reason = ""
    if k2 > fastest * (1.0 - AT_LIMIT) and abs(fast) > AT_LIMIT:
        reason = f"the faster phase is at its limit, a biological half-life of {LN2 / k2:.3g} h"
    elif abs(fast) * math.exp((ratio - 1.0) * k2 * second) < SEEN < abs(fast):
        reason = f"the faster phase is over before the second point, at {second:g} h, so its rate is not measured"
    elif share.max() < SEEN or np.abs(1.0 - share).max() < SEEN or ratio > CLOSEST_RATES - AT_LIMIT:
        reason = "two phases cannot be told apart at the points; one exponential says as much"
    return _finished(
        "bi", times, retained, decay, weight, phases, np.column_stack(columns), np.array(gradient), 4, reason
    )


def _log_shape(parameters: Vector, times: Vector) -> Vector:
    k, ratio, fast = parameters
    shape = np.exp(-ratio * k * times) + fast * np.exp(-k * times)
    return np.asarray(np.log(np.maximum(shape, 1e-300)))


def _starts(times: Vector, retained: Vector) -> list[Vector]:
    """Pairs of rates over what the points can tell, each with the amplitudes of linear least squares."""
    starts = []
    shortest = float(times[times > 0].min())
    for k in np.geomspace(0.1 * LN2 / times.max(), STEEPEST * LN2 / shortest, 16):
        for ratio in (0.0, 0.03, 0.1, 0.2, 0.4, 0.7):
            phases = np.exp(-np.multiply.outer(times, [ratio * k, k])) / retained[:, None]
            slow, fast = np.linalg.lstsq(phases, np.ones(len(times)), rcond=None)[0]
            starts.append(np.array([k, ratio, fast / slow if slow > 0 else LARGEST_PHASE / 10.0]))
    return starts


def _finished(
    model: str,
    times: Vector,
    retained: Vector,
    decay: float,
    weight: Vector,
    phases: Sequence[tuple[float, float]],
    design: Vector,
    gradient: Vector,
    parameters: int | None = None,
    reason: str = "",
) -> CurveFit:
    """Integrate the phases (a, k), and propagate the scatter of the points.

    `design` (n, p) holds the derivatives of log R at the points by the free parameters, `gradient` (p,) those of the
    logarithm of the integral; parameters at a limit are in neither, but count among the `parameters`.
    """
    tia_h = sum(a / (decay + k) for a, k in phases)
    tail_h = sum(a * math.exp(-(decay + k) * times.max()) / (decay + k) for a, k in phases)
    fitted = sum(a * np.exp(-k * times) for a, k in phases)
    residuals: Any = retained / fitted - 1.0
    freedom = len(times) - (design.shape[1] if parameters is None else parameters)
    scatter = uncertainty = None
    if freedom > 0:
        scatter = math.sqrt(float(weight @ residuals**2) / freedom)
        covariance = np.linalg.pinv(design.T @ (weight[:, None] * design))
        uncertainty = scatter * math.sqrt(max(float(gradient @ covariance @ gradient), 0.0))
    return CurveFit(
        model,
        tuple(float(a) for a, _ in phases),
        tuple(float(k) for _, k in phases),
        decay,
        float(tia_h) * SECONDS,
        float(tail_h / tia_h),
        tuple(float(r) for r in residuals),
        freedom,
        scatter,
        uncertainty,
        reason,
    )
