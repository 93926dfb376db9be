"""Curves of activity over time against closed forms, quadrature, and noise."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from mcdose.time_curve import MODELS, check_points, fit_curve, mono_parameters, trapezoid_weights_h

HALF_LIFE_S = 64.1 * 3600.0
DECAY = math.log(2) / 64.1  # 1/h
TIMES = np.array([4.0, 24.0, 72.0, 120.0, 168.0])


def retained(times, *phases):
    return sum(a * np.exp(-k * np.asarray(times)) for a, k in phases)


def analytic(*phases):
    return 3600.0 * sum(a / (DECAY + k) for a, k in phases)


def by_quadrature(function, breaks):
    """Integral of R(t) exp(-l t) from 0 on [Bq s], interval by interval."""
    edges = [0.0, *sorted(breaks), np.inf]
    parts = (quad(lambda t: function(t) * math.exp(-DECAY * t), a, b)[0] for a, b in itertools.pairwise(edges))
    return 3600.0 * sum(parts)


def test_constant_activity_decays_physically_in_every_model():
    for model in MODELS:
        fit = fit_curve(TIMES, np.full(5, 3e6), HALF_LIFE_S, model)
        assert fit.tia_bq_s == pytest.approx(3e6 * HALF_LIFE_S / math.log(2), rel=1e-9), model
        assert fit.relative_uncertainty == pytest.approx(0.0, abs=1e-6)
        assert fit.effective_half_lives_h[0] == pytest.approx(64.1, rel=1e-6)
        assert fit.after_last_fraction == pytest.approx(math.exp(-DECAY * 168.0), rel=1e-6)


@pytest.mark.parametrize("times", [TIMES, TIMES[:2], TIMES[[3, 0, 2]], np.array([0.0, 30.0])])
@pytest.mark.parametrize("k", [1e-4, 0.003, 0.02, 0.1])
def test_one_exponential_is_recovered(times, k):
    fit = fit_curve(times, retained(times, (2e6, k)), HALF_LIFE_S, "mono")
    assert fit.tia_bq_s == pytest.approx(analytic((2e6, k)), rel=1e-10)
    assert fit.clearance_per_h[0] == pytest.approx(k, rel=1e-9)
    assert fit.effective_half_lives_h[0] == pytest.approx(math.log(2) / (DECAY + k), rel=1e-9)
    assert np.abs(fit.residuals).max() < 1e-9
    assert fit.degrees_of_freedom == len(times) - 2
    assert (fit.relative_uncertainty is None) == (len(times) == 2)


TWO = {
    "clearance": ((3e6, 0.002), (2e6, 0.05)),
    "uptake from nothing": ((5e6, 0.004), (-5e6, 0.15)),
    "uptake": ((5e6, 0.003), (-3e6, 0.08)),
    "no clearance at last": ((1e6, 0.0), (4e6, 0.06)),
}


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("times", [TIMES, TIMES[:4], TIMES[[4, 1, 0, 2, 3]]])
def test_two_exponentials_are_recovered(name, times):
    phases = TWO[name]
    fit = fit_curve(times, retained(times, *phases), HALF_LIFE_S, "bi")
    assert fit.model == "bi"
    assert fit.tia_bq_s == pytest.approx(analytic(*phases), rel=1e-6)
    np.testing.assert_allclose(fit.clearance_per_h, [k for _, k in phases], rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(fit.amplitudes_bq, [a for a, _ in phases], rtol=1e-3)
    np.testing.assert_allclose(fit.retained_bq(times), retained(times, *phases), rtol=1e-6)
    assert sum(fit.amplitudes_bq) >= -1e-3


@pytest.mark.parametrize(
    ("model", "phases"), [("physical", ((2e6, 0.0),)), ("mono", ((2e6, 0.01),)), *(("bi", p) for p in TWO.values())]
)
def test_the_integral_is_that_of_the_activity(model, phases):
    fit = fit_curve(TIMES, retained(TIMES, *phases), HALF_LIFE_S, model)
    assert fit.tia_bq_s == pytest.approx(by_quadrature(lambda t: float(fit.retained_bq(t)), TIMES), rel=1e-8)
    after = quad(lambda t: float(fit.retained_bq(t)) * math.exp(-DECAY * t), TIMES.max(), np.inf)[0] * 3600.0
    assert fit.after_last_fraction == pytest.approx(after / fit.tia_bq_s, rel=1e-6)


@given(
    st.lists(st.floats(0.0, 300.0), min_size=1, max_size=6, unique_by=lambda t: round(t, 1)),
    st.lists(st.floats(0.0, 1e9), min_size=6, max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_a_trapezoid_is_the_integral_of_straight_pieces_and_decay(times, values):
    times, values = np.array(times), np.array(values[: len(times)])
    order = np.argsort(times)
    weights = trapezoid_weights_h(times, DECAY)
    wanted = by_quadrature(lambda t: float(np.interp(t, times[order], values[order])), times)
    assert 3600.0 * weights @ values == pytest.approx(wanted, rel=1e-7, abs=1e-3)
    assert weights.sum() == pytest.approx(1.0 / DECAY, rel=1e-9)


@given(
    st.lists(st.floats(1e3, 1e9), min_size=5, max_size=5),
    st.sampled_from(["physical", "mono"]),
    st.floats(0.01, 100.0),
)
@settings(max_examples=80, deadline=None)
def test_no_curve_outlives_physical_decay(values, model, factor):
    fit = fit_curve(TIMES, values, HALF_LIFE_S, model)
    assert 0 < fit.tia_bq_s < math.inf
    assert all(k >= 0 for k in fit.clearance_per_h)
    assert all(life <= 64.1 * (1 + 1e-12) for life in fit.effective_half_lives_h)
    assert 0 <= fit.after_last_fraction <= 1
    scaled = fit_curve(TIMES, np.array(values) * factor, HALF_LIFE_S, model)
    assert scaled.tia_bq_s == pytest.approx(factor * fit.tia_bq_s, rel=1e-9)
    turned = fit_curve(TIMES[::-1], values[::-1], HALF_LIFE_S, model)
    assert turned.tia_bq_s == pytest.approx(fit.tia_bq_s, rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_two_exponentials_of_anything_keep_to_the_rules(seed):
    values = np.random.default_rng(seed).lognormal(15.0, 0.7, 5)
    fit = fit_curve(TIMES, values, HALF_LIFE_S, "bi")
    slow, fast = fit.clearance_per_h
    assert 0 <= slow < fast <= 4 * math.log(2) / TIMES.min() * (1 + 1e-9)
    assert fit.amplitudes_bq[0] > 0
    assert sum(fit.amplitudes_bq) >= -1e-6 * fit.amplitudes_bq[0]
    assert fit.tia_bq_s > 0
    one = fit_curve(TIMES, values, HALF_LIFE_S, "mono")
    if one.model == "mono":  # a special case of two
        assert np.sum(np.log1p(fit.residuals) ** 2) <= np.sum(np.log1p(one.residuals) ** 2) * (1 + 1e-6)


def test_what_mono_cannot_describe_is_a_trapezoid_with_the_reason():
    for values, reason in (
        ([1.0, 2.0, 3.0, 4.0, 5.0], "rises"),
        ([5.0, 4.0, 3.0, 2.0, 0.0], "no activity at one"),
        ([0.0] * 5, "no activity at any"),
    ):
        fit = fit_curve(TIMES, values, HALF_LIFE_S, "mono")
        assert (fit.model, fit.amplitudes_bq, fit.relative_uncertainty) == ("trapezoid", (), None)
        assert reason in fit.reason
        assert fit.tia_bq_s == pytest.approx(3600.0 * trapezoid_weights_h(TIMES, DECAY) @ values, rel=1e-12)
        with pytest.raises(ValueError, match="no parameters"):
            fit.retained_bq(1.0)
    late = np.array([24.0, 48.0])
    fit = fit_curve(late, retained(late, (1e6, 0.2)), HALF_LIFE_S, "mono")  # 7 biological half-lives before the first
    assert fit.model == "trapezoid"
    assert "a biological half-life of 3.47 h is too short for a first point at 24 h" in fit.reason


def test_a_fast_phase_that_one_point_alone_sees_is_told_of():
    times = np.array([2.0, 60.0, 90.0, 120.0])
    fit = fit_curve(times, retained(times, (1e6, 0.001), (2e6, 0.4)), HALF_LIFE_S, "bi")
    assert "over before the second point, at 60 h" in fit.reason or "at its limit" in fit.reason


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1, 2], "tri"), "model must be one of physical, mono, bi, got 'tri'"),
        (([1], [1], "mono"), r"mono needs at least 2 time points \(an amplitude and a rate\), got 1"),
        (([1, 2, 3], [3, 2, 1], "bi"), "bi needs at least 4 time points .* would be an assumption.*, got 3"),
        (([], [], "physical"), "physical needs at least 1 time points"),
        (([1, 1], [1, 2], "mono"), "times_h must be finite, 0 or more, and different"),
        (([-1, 1], [1, 2], "mono"), "times_h must be finite"),
        (([1, 2], [1, -2], "mono"), "retained_bq must be finite and not negative, got -2"),
        (([1, 2], [1, np.nan], "mono"), "retained_bq must be finite"),
        (([1, 2], [1, 2, 3], "mono"), "times_h must be one a point"),
    ],
)
def test_points_that_make_no_curve_are_refused(arguments, message):
    times, values, model = arguments
    with pytest.raises(ValueError, match=message):
        fit_curve(times, values, HALF_LIFE_S, model)


def test_weights_and_half_lives_are_checked():
    with pytest.raises(ValueError, match="weights must be positive, one a point"):
        fit_curve([1, 2], [2, 1], HALF_LIFE_S, "mono", [1.0, 0.0])
    with pytest.raises(ValueError, match="half_life_s must be positive"):
        fit_curve([1, 2], [2, 1], 0.0, "mono")


def test_weights_count_as_repeated_points_do():
    values = np.array([5.0, 4.5, 2.0, 1.5, 1.0])
    mean = fit_curve(TIMES, values, HALF_LIFE_S, "physical", [3, 1, 1, 1, 1])
    assert mean.amplitudes_bq[0] == pytest.approx((3 * 5.0 + 4.5 + 2.0 + 1.5 + 1.0) / 7)
    weight = np.array([4.0, 1.0, 2.0, 1.0, 1.0])
    k, log_a = np.polynomial.polynomial.polyfit(TIMES, np.log(values), 1, w=np.sqrt(weight))[::-1]
    rate, amplitude = mono_parameters(*check_points(TIMES, values, weight, "mono"))
    assert rate == pytest.approx(-k, rel=1e-12)
    assert amplitude == pytest.approx(math.exp(log_a), rel=0.02)  # mean of R exp(k t), not of its logarithm


@pytest.mark.parametrize(
    ("model", "phases", "times"),
    [
        ("physical", ((1e6, 0.0),), TIMES),
        ("mono", ((1e6, 0.01),), TIMES),
        ("bi", ((1e6, 0.003), (1.5e6, 0.06)), np.array([2.0, 8.0, 24.0, 48.0, 72.0, 120.0, 168.0])),
    ],
)
def test_standard_errors_are_those_of_repeated_measurements(model, phases, times):
    """Noise of 2 %: the mean is right to 0.3 %, and the covariance tells the spread."""
    rng = np.random.default_rng(7)
    fits = [
        fit_curve(times, retained(times, *phases) * np.exp(0.02 * rng.standard_normal(len(times))), HALF_LIFE_S, model)
        for _ in range(400 if model != "bi" else 25)
    ]
    tia = np.array([fit.tia_bq_s for fit in fits]) / analytic(*phases)
    assert tia.mean() == pytest.approx(1.0, abs=0.003 if model != "bi" else 0.01)
    told = math.sqrt(np.mean([fit.relative_uncertainty**2 for fit in fits]))
    assert told == pytest.approx(tia.std(), rel=0.1 if model != "bi" else 0.6)
