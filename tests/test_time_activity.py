"""Images at several times to time-integrated activity: closed forms by voxel and by structure, and noise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

import mcdose
from mcdose.time_activity import REST, WHOLE, time_integrated_activity
from mcdose.time_curve import fit_curve, trapezoid_weights_h

HALF_LIFE_S = 64.1 * 3600.0
DECAY = math.log(2) / 64.1  # 1/h
TIMES = np.array([4.0, 24.0, 72.0, 120.0])
FIVE = np.array([2.0, 10.0, 24.0, 72.0, 120.0])
SHAPE = (3, 4, 5)
BASE = np.random.default_rng(3).uniform(1e4, 1e6, SHAPE)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def decaying(rate, times=TIMES):
    return [BASE * np.exp(-rate * t) for t in times]


def regions():
    """A big structure, and a small one inside it; the last row is less than half covered, and so the rest."""
    liver = np.ones(SHAPE)
    liver[:, 3] = 0.3
    tumour = np.zeros(SHAPE, bool)
    tumour[1, 1, 1:3] = True
    return {"liver": liver, "tumour": tumour}


def test_physical_is_activity_to_tia_of_the_mean(rng):
    points = [rng.uniform(0, 1e6, SHAPE) for _ in TIMES]
    integral = time_integrated_activity(points, TIMES)
    np.testing.assert_allclose(integral.tia_bq_s, mcdose.activity_to_tia(np.mean(points, axis=0), "Y-90"), rtol=1e-12)
    weights = [3, 1, 0.5, 0.5]
    weighted = time_integrated_activity(points, TIMES, weights=weights)
    mean = np.average(points, axis=0, weights=weights)
    np.testing.assert_allclose(weighted.tia_bq_s, mcdose.activity_to_tia(mean, "Y-90"), rtol=1e-12)
    one = time_integrated_activity(points[:1], TIMES[:1])
    np.testing.assert_allclose(one.tia_bq_s, mcdose.activity_to_tia(points[0], "Y-90"), rtol=1e-12)


def test_every_voxel_has_a_rate_of_its_own(rng):
    rate = rng.uniform(0.0, 0.1, SHAPE)
    integral = time_integrated_activity(decaying(rate), TIMES, model="mono")
    np.testing.assert_allclose(integral.tia_bq_s, 3600.0 * BASE / (DECAY + rate), rtol=1e-9)
    assert integral.trapezoid_fraction == 0.0
    (whole,) = integral.regions
    assert (whole.name, whole.voxels) == (WHOLE, BASE.size)
    assert whole.tia_bq_s == pytest.approx(integral.tia_bq_s.sum(), rel=1e-12)
    np.testing.assert_allclose(whole.measured_bq, [point.sum() for point in decaying(rate)], rtol=1e-12)


def test_voxels_are_fitted_as_single_curves_are(rng):
    points = rng.lognormal(10.0, 0.5, (4, *SHAPE))
    points[1, 0, 0, 0] = 0.0
    points[:, 0, 0, 1] = 0.0
    weights = [1, 2, 3, 4]
    integral = time_integrated_activity(points, TIMES, model="mono", weights=weights)
    curves = [fit_curve(TIMES, curve, HALF_LIFE_S, "mono", weights) for curve in points.reshape(4, -1).T]
    np.testing.assert_allclose(integral.tia_bq_s.ravel(), [curve.tia_bq_s for curve in curves], rtol=1e-9)
    assert {curve.model for curve in curves} == {"mono", "trapezoid"}
    trapezoids = sum(curve.tia_bq_s for curve in curves if curve.model == "trapezoid")
    assert integral.trapezoid_fraction == pytest.approx(trapezoids / integral.tia_bq_s.sum(), rel=1e-9)
    assert integral.tia_bq_s[0, 0, 1] == 0.0


def test_voxels_that_rise_or_vanish_are_trapezoids():
    points = np.array(decaying(0.01))
    points[:, 0, 0, :3] = np.array([[1, 2, 3, 4], [4, 0, 2, 1], [4, 3, 2, 0]]).T
    integral = time_integrated_activity(points, TIMES, model="mono")
    weights = 3600.0 * trapezoid_weights_h(TIMES, DECAY)
    np.testing.assert_allclose(integral.tia_bq_s[0, 0, :3], weights @ points[:, 0, 0, :3], rtol=1e-12)
    assert 0 < integral.trapezoid_fraction < 1e-4
    rising = time_integrated_activity(decaying(0.01)[::-1], TIMES, model="mono")
    assert rising.regions[0].curve.model == "trapezoid"
    assert rising.warnings[0] == (
        "whole image: integrated as a trapezoid with physical decay after the last point: the decay-corrected activity "
        "rises"
    )
    assert "100 % of the decays are in voxels that rise" in rising.warnings[-1]


def test_each_structure_has_its_own_curve_and_the_rest_is_one():
    masks = regions()
    rate = np.where(masks["tumour"], 0.001, np.where(masks["liver"] >= 0.5, 0.01, 0.05))
    for reference in (0, 2, -1):
        integral = time_integrated_activity(
            decaying(rate), TIMES, model="mono", per="structure", structures=masks, reference=reference
        )
        np.testing.assert_allclose(integral.tia_bq_s, 3600.0 * BASE / (DECAY + rate), rtol=1e-9)
    assert integral.reference == 3
    assert [(r.name, r.voxels) for r in integral.regions] == [("liver", 43), ("tumour", 2), (REST, 15)]
    for region, k in zip(integral.regions, (0.01, 0.001, 0.05), strict=True):
        assert region.curve.clearance_per_h[0] == pytest.approx(k, rel=1e-9)
        assert region.tia_bq_s == pytest.approx(region.curve.tia_bq_s, rel=1e-9)
        assert region.curve.relative_uncertainty == pytest.approx(0.0, abs=1e-9)


def test_by_structure_the_reference_says_how_activity_lies(rng):
    noisy = [point * rng.uniform(0.5, 1.5, SHAPE) for point in decaying(0.01)]
    masks = regions()
    integral = time_integrated_activity(noisy, TIMES, model="mono", per="structure", structures=masks, reference=1)
    factor = integral.tia_bq_s / noisy[1]
    for mask in (masks["tumour"], masks["liver"] < 0.5):
        assert np.ptp(factor[mask]) < 1e-9 * factor.max()
    assert integral.tia_bq_s.sum() == pytest.approx(sum(r.curve.tia_bq_s for r in integral.regions), rel=1e-12)


@pytest.mark.parametrize("per", ["voxel", "structure"])
def test_two_exponentials_of_structures_are_recovered(per):
    masks = regions()
    parts = [
        ((masks["liver"] >= 0.5) & ~masks["tumour"], ((1.0, 0.002), (0.7, 0.05))),
        (masks["tumour"], ((1.0, 0.001), (-1.0, 0.1))),
        (masks["liver"] < 0.5, ((1.0, 0.01), (2.0, 0.06))),
    ]
    points = sum(BASE * mask * a * np.exp(-k * TIMES)[:, None, None, None] for mask, two in parts for a, k in two)
    wanted = sum(BASE * mask * a / (DECAY + k) * 3600.0 for mask, two in parts for a, k in two)
    integral = time_integrated_activity(points, TIMES, model="bi", per=per, structures=masks)
    np.testing.assert_allclose(integral.tia_bq_s, wanted, rtol=1e-6)
    assert integral.trapezoid_fraction == 0.0
    assert integral.warnings == ()


def test_voxels_share_rates_and_have_amplitudes_of_their_own(rng):
    slow, fast = rng.uniform(1e4, 1e6, SHAPE), rng.uniform(-0.9, 2.0, SHAPE)
    points = [slow * (np.exp(-0.002 * t) + fast * np.exp(-0.08 * t)) for t in FIVE]
    integral = time_integrated_activity(points, FIVE, model="bi")
    wanted = 3600.0 * slow * (1 / (DECAY + 0.002) + fast / (DECAY + 0.08))
    np.testing.assert_allclose(integral.tia_bq_s, wanted, rtol=1e-6)


def test_amplitudes_of_voxels_keep_to_the_rules(rng):
    """The constrained fit of each voxel is that of scipy's bounded least squares."""
    whole = np.exp(-0.002 * FIVE) + np.exp(-0.08 * FIVE)
    points = whole[:, None, None, None] * rng.lognormal(10.0, 1.5, (5, 2, 5, 8))
    points[:, 0, 0, 0] = [0, 0, 0, 0, 5e4]
    points[:, 0, 0, 1] = [5e4, 0, 0, 0, 0]
    integral = time_integrated_activity(points, FIVE, model="bi")
    curve = integral.regions[0].curve
    rates = np.array(curve.clearance_per_h)
    scale = 1.0 / curve.retained_bq(FIVE)
    phases = np.exp(-np.multiply.outer(FIVE, rates)) * scale[:, None]
    sums = phases @ np.array([[1.0, 0.0], [-1.0, 1.0]])  # by a1 and a1 + a2, both 0 or more
    unit = np.linalg.norm(sums, axis=0)
    at_limit = 0
    for index in np.ndindex(points.shape[1:]):
        wanted = points[(slice(None), *index)] * scale
        found = lsq_linear(sums / unit, wanted / wanted.max(), (0, np.inf), method="bvls", tol=1e-14)
        a1, both = found.x / unit * wanted.max()
        at_limit += found.active_mask.any()
        tia = 3600.0 * (a1 / (DECAY + rates[0]) + (both - a1) / (DECAY + rates[1]))
        assert integral.tia_bq_s[index] == pytest.approx(tia, rel=1e-8)
    assert at_limit > 3
    assert integral.tia_bq_s.min() >= 0


@pytest.mark.parametrize("model", ["physical", "mono"])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_activity_in_proportion_gives_decays_in_proportion(model, data):
    values = st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e6)), min_size=6, max_size=6)
    points = np.array([data.draw(values) for _ in range(3)]).reshape(3, 1, 2, 3)
    integral = time_integrated_activity(points, TIMES[:3], model=model)
    assert np.isfinite(integral.tia_bq_s).all()
    assert ((integral.tia_bq_s > 0) == points.any(axis=0)).all()
    twice = time_integrated_activity(2.0 * points, TIMES[:3], model=model)
    np.testing.assert_allclose(twice.tia_bq_s, 2.0 * integral.tia_bq_s, rtol=1e-9)
    turned = time_integrated_activity(points[::-1], TIMES[2::-1], model=model)
    np.testing.assert_allclose(turned.tia_bq_s, integral.tia_bq_s, rtol=1e-9)


@pytest.mark.parametrize("rate", [0.0, 0.002, 0.005, 0.02])
@pytest.mark.parametrize(
    ("times", "noise", "bias"),
    [
        ((24.0, 72.0, 144.0), 0.1, 0.007),
        ((24.0, 72.0, 144.0), 0.2, 0.01),
        ((4.0, 24.0, 72.0, 120.0), 0.2, 0.02),
        ((24.0, 72.0), 0.1, 0.035),
    ],
)
def test_bias_of_noisy_voxels(times, noise, bias, rate):
    """Normal noise of 10 or 20 % in each voxel: the sum is right to what docs/time_points.md says."""
    normal = np.random.default_rng(11).standard_normal((len(times), 20, 50, 100))
    points = [math.exp(-rate * t) * np.maximum(1.0 + noise * n, 0.0) for t, n in zip(times, normal, strict=True)]
    integral = time_integrated_activity(points, times, model="mono")
    assert integral.tia_bq_s.mean() * (DECAY + rate) / 3600.0 == pytest.approx(1.0, abs=bias)


def test_points_that_disagree_with_physical_decay_are_told():
    integral = time_integrated_activity(decaying(0.01), TIMES, structures=regions())
    left = np.exp(-0.01 * TIMES)
    assert left[3] / left.mean() == pytest.approx(0.475, abs=1e-3)  # the worst
    assert integral.warnings[0] == "liver: the point at 120 h is -52 % off physical decay alone"
    curve = integral.regions[0].curve
    np.testing.assert_allclose(curve.residuals, left / left.mean() - 1.0, rtol=1e-9)
    assert curve.scatter == pytest.approx(np.std(left, ddof=1) / left.mean(), rel=1e-9)
    assert curve.relative_uncertainty == pytest.approx(curve.scatter / 2.0, rel=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"per": "organ"}, "per must be one of voxel, structure, got 'organ'"),
        ({"model": "tri"}, "model must be one of physical, mono, bi, got 'tri'"),
        ({"per": "structure"}, "per='structure' needs structures, got none"),
        ({"reference": 4}, "reference must be the index of one of 4 points, got 4"),
        ({"structures": {"liver": np.ones((1, 2, 3))}}, r"structures\['liver'\] must have the shape of the points"),
        ({"times_h": [1, 2, 3]}, "times_h must be one a point"),
        ({"retained_bq": [BASE, BASE, BASE, BASE[:2]]}, r"must be of one shape, got \(3, 4, 5\), .*\(2, 4, 5\)"),
        ({"retained_bq": [BASE, BASE, BASE, -BASE]}, "retained_bq must be finite and not negative"),
        ({"retained_bq": [BASE, BASE, BASE, BASE - BASE.min() - 1]}, "retained_bq must not be negative, got -1"),
        ({"retained_bq": [BASE, BASE, BASE, BASE * np.nan]}, "retained_bq must be finite"),
        ({"retained_bq": [1.0, 2.0, 3.0, 4.0]}, "retained_bq must be images, got numbers"),
        ({"nuclide": "Xx-1"}, "nuclide must be one of"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        time_integrated_activity(**{"retained_bq": decaying(0.01), "times_h": TIMES, **arguments})


def test_a_structure_that_the_reference_does_not_show_is_refused():
    points = np.array(decaying(0.01))
    points[0][regions()["tumour"]] = 0.0
    chosen = {"model": "mono", "per": "structure", "structures": regions()}
    with pytest.raises(ValueError, match="tumour: the reference point must have activity where other points have it"):
        time_integrated_activity(points, TIMES, **chosen)
    assert time_integrated_activity(points, TIMES, reference=1, **chosen).tia_bq_s.min() > 0
