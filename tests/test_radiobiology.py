"""Radiobiology against closed forms, quadrature and what the models become in their limits."""

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import dblquad, quad
from scipy.optimize import brentq
from scipy.stats import norm

from mcdose.data import DATA_FOLDER
from mcdose.nuclides import nuclide
from mcdose.radiobiology import (
    Treatment,
    bed,
    bed_noise_bias,
    bed_standard_error,
    complication_model,
    complication_models,
    cumulative_bed,
    dose_of_bed,
    eqd2,
    eubed,
    generalised_eud,
    lea_catcheside,
    lkb_ntcp,
    poisson_tcp,
    survival_eud,
    tissue,
    tissues,
)

LIVER = {"half_life_h": 64.1, "alpha_beta_gy": 2.5, "repair_half_time_h": 2.5}
TUMOUR = {"half_life_h": 64.1, "alpha_beta_gy": 10.0, "repair_half_time_h": 1.5}
UNIFORM = np.full((3, 4, 5), 52.0)
VARIED = np.random.default_rng(5).gamma(4.0, 12.0, (6, 7, 8))
SHARE = np.random.default_rng(6).uniform(0.0, 1.0, VARIED.shape)


@pytest.mark.parametrize(("decay", "repair"), [(64.1, 2.5), (64.1, 1.5), (161.0, 2.5), (2.0, 3.0), (5.0, 5.0)])
def test_lea_catcheside_is_its_double_integral(decay, repair):
    rate, mend = math.log(2) / decay, math.log(2) / repair
    integral, error = dblquad(
        lambda w, t: math.exp(-rate * (t + w) - mend * (t - w)), 0.0, 60 * decay, 0.0, lambda t: t, epsabs=1e-10
    )
    # the dose is 1/rate for a first dose rate of 1
    assert lea_catcheside(decay, repair) == pytest.approx(2.0 * rate**2 * integral, rel=2e-6, abs=rate**2 * error)


def test_lea_catcheside_goes_from_an_acute_dose_to_one_without_rate():
    assert lea_catcheside(1e-9, 2.5) == pytest.approx(1.0, abs=1e-8)
    assert lea_catcheside(1e9, 2.5) == pytest.approx(0.0, abs=1e-8)
    assert lea_catcheside(2.5, 2.5) == 0.5


def test_bed_by_hand():
    # G = 2.5/66.6, BED = 52 (1 + 0.037538 x 52 / 2.5) = 92.60; EQD2 = 92.60 / 1.8
    assert float(bed(52.0, **LIVER)) == pytest.approx(92.601, abs=1e-3)
    assert float(eqd2(92.601, 2.5)) == pytest.approx(51.445, abs=1e-3)
    assert float(bed(120.0, **TUMOUR)) == pytest.approx(120.0 * (1 + 1.5 / 65.6 * 12.0), rel=1e-12)


def test_the_factors_and_the_noise_that_the_documentation_states():
    """G of Y-90: 2.5 / 66.6 = 0.0375, 1.5 / 65.6 = 0.0229. 5 % of 60 Gy are 3 Gy: G 3^2 / 2.5 = 0.1351 Gy of 114.05."""
    assert lea_catcheside(64.1, 2.5) == pytest.approx(0.0375, abs=5e-5)
    assert lea_catcheside(64.1, 1.5) == pytest.approx(0.0229, abs=5e-5)
    assert float(bed_noise_bias(60.0, 0.05, **LIVER)) == pytest.approx(0.1351, abs=1e-4)
    assert float(bed(60.0, **LIVER)) == pytest.approx(114.05, abs=1e-2)
    # (1 + 2 G D / 2.5) sigma_D = (1 + 2 x 0.0375375 x 24) x 3 = 8.4054 Gy
    assert float(bed_standard_error(60.0, 0.05, **LIVER)) == pytest.approx(8.4054, abs=1e-4)


def test_two_treatments_by_hand():
    """40 Gy of 64.1 h, 10 Gy of 51 h, liver: 40 (1 + 0.0375375 x 16) + 10 (1 + 0.0467290 x 4) = 64.0240 + 11.8692."""
    both = cumulative_bed(
        [Treatment(40.0, 64.1), Treatment(10.0, 51.0)], alpha_beta_gy=2.5, repair_half_time_h=2.5
    ).bed_gy
    assert float(both) == pytest.approx(75.8932, abs=1e-4)
    assert float(eqd2(both, 2.5)) == pytest.approx(42.1629, abs=1e-4)


def test_uniform_equivalents_by_hand():
    """20 and 60 Gy in 1/4 and 3/4 of the volume, alpha 0.05: S = 0.25 e^-1 + 0.75 e^-3 = 0.129311; 40.909 Gy."""
    doses, part = [20.0, 60.0], [0.25, 0.75]
    assert survival_eud(doses, 0.05, part) == pytest.approx(40.9108, abs=1e-3)
    assert eubed(doses, 0.05, part) == pytest.approx(40.9108, abs=1e-3)
    # (0.25 x 20^2 + 0.75 x 60^2)^(1/2) = sqrt(2800) = 52.9150
    assert generalised_eud(doses, 2.0, part) == pytest.approx(52.9150, abs=1e-4)
    # exp(-10 S) = exp(-1.29311) = 0.274416
    assert poisson_tcp(doses, alpha_per_gy=0.05, clonogens=10.0, coverage=part) == pytest.approx(0.27442, abs=1e-4)


def test_complication_of_strigari_by_hand():
    """30 Gy: (30 - 52) / (0.28 x 52) = -1.51099, 6.54 %; 66.56 Gy is one standard deviation above, 84.13 %."""
    model = complication_model("strigari-2010")
    assert model.ntcp([30.0]) == pytest.approx(0.0654, abs=1e-4)
    assert model.ntcp([66.56]) == pytest.approx(0.84134, abs=1e-5)


def test_bed_is_the_form_of_dale_for_permanent_implants():
    dose, rate, mend = 80.0, math.log(2) / 64.1, math.log(2) / 2.5
    first_rate = dose * rate
    assert float(bed(dose, **LIVER)) == pytest.approx(dose * (1 + first_rate / ((mend + rate) * 2.5)), rel=1e-12)


def test_fractions_of_2_gy_have_an_eqd2_of_their_own_dose():
    # n acute fractions d: BED = n d (1 + d / (alpha/beta)); a half-life of nothing gives an acute dose
    one = float(bed(2.0, half_life_h=1e-12, alpha_beta_gy=3.0, repair_half_time_h=1.0))
    assert float(eqd2(25 * one, 3.0)) == pytest.approx(50.0, rel=1e-9)


def test_the_log_of_survival_is_alpha_bed():
    # dS/dt by the lesions themselves: -ln S = alpha D + beta G D^2, with G from quadrature of one exponential
    alpha, beta = 0.3, 0.03
    rate, mend = math.log(2) / 10.0, math.log(2) / 4.0
    dose = 12.0
    first = dose * rate

    def pairs(t):
        memory = quad(lambda w: first * math.exp(-rate * w - mend * (t - w)), 0, t)[0]
        return 2 * beta * first * math.exp(-rate * t) * memory

    killed = alpha * dose + quad(pairs, 0, 400, limit=200)[0]
    effect = float(bed(dose, half_life_h=10.0, alpha_beta_gy=alpha / beta, repair_half_time_h=4.0))
    assert alpha * effect == pytest.approx(killed, rel=1e-6)


def test_dose_of_bed_undoes_bed():
    np.testing.assert_allclose(dose_of_bed(bed(VARIED, **LIVER), **LIVER), VARIED, rtol=1e-12)
    assert float(dose_of_bed(0.0, **LIVER)) == 0.0
    small = np.array([1e-12, 1e-6])
    np.testing.assert_allclose(dose_of_bed(bed(small, **LIVER), **LIVER), small, rtol=1e-12)


def test_shapes_stay_and_single_precision_becomes_double():
    found = bed(VARIED.astype(np.float32), **LIVER)
    assert found.shape == VARIED.shape
    assert found.dtype == np.float64


def test_standard_error_and_bias_are_those_of_noise():
    rng = np.random.default_rng(11)
    dose, relative = 60.0, 0.04
    drawn = bed(np.abs(rng.normal(dose, relative * dose, 2_000_000)), **LIVER)
    stated = float(bed_standard_error(dose, relative, **LIVER))
    assert drawn.std() == pytest.approx(stated, rel=3e-3)
    bias = float(bed_noise_bias(dose, relative, **LIVER))
    exact = lea_catcheside(64.1, 2.5) / 2.5 * (relative * dose) ** 2
    assert bias == pytest.approx(exact, rel=1e-12)
    assert drawn.mean() - float(bed(dose, **LIVER)) == pytest.approx(bias, abs=4 * stated / math.sqrt(2e6))


def test_standard_error_keeps_nan_where_nothing_was_scored():
    error = bed_standard_error([0.0, 10.0], [np.nan, 0.1], **LIVER)
    assert np.isnan(error[0])
    assert error[1] > 1.0


# --- several treatments


def test_treatments_of_two_nuclides_add_their_bed():
    first, second = VARIED, VARIED[::-1]
    whole = cumulative_bed(
        [Treatment(first, 64.1, np.full(first.shape, 0.02)), Treatment(second, 51.0, np.full(first.shape, 0.05))],
        alpha_beta_gy=2.5,
        repair_half_time_h=2.5,
    )
    other = {**LIVER, "half_life_h": 51.0}
    np.testing.assert_allclose(whole.bed_gy, bed(first, **LIVER) + bed(second, **other), rtol=1e-12)
    parts = (
        bed_standard_error(first, np.full(first.shape, 0.02), **LIVER),
        bed_standard_error(second, np.full(first.shape, 0.05), **other),
    )
    np.testing.assert_allclose(whole.standard_error_gy, np.hypot(*parts), rtol=1e-12)


def test_two_halves_of_a_dose_do_less_than_the_dose_at_once():
    whole = float(bed(80.0, **LIVER))
    halves = cumulative_bed([Treatment(40.0, 64.1)] * 2, alpha_beta_gy=2.5, repair_half_time_h=2.5)
    assert halves.standard_error_gy is None
    assert float(halves.bed_gy) == pytest.approx(2 * float(bed(40.0, **LIVER)))
    assert float(halves.bed_gy) < whole


def test_the_bed_of_the_mean_is_at_most_the_mean_bed():
    assert float(bed(VARIED.mean(), **LIVER)) < bed(VARIED, **LIVER).mean()


@pytest.mark.parametrize(
    ("treatments", "message"),
    [
        ([], "treatments must be at least one"),
        ([Treatment(np.ones(3), 64.1), Treatment(np.ones(4), 64.1)], "must have one shape"),
        ([Treatment(np.ones(3), 0.0)], "half_life_h must be positive and finite, got 0.0"),
        ([Treatment(np.ones(3), 64.1, np.ones(2))], "relative_uncertainty must have the shape"),
    ],
)
def test_treatments_that_cannot_be_added(treatments, message):
    with pytest.raises(ValueError, match=message):
        cumulative_bed(treatments, alpha_beta_gy=2.5, repair_half_time_h=2.5)


# --- uniform doses


@pytest.mark.parametrize("a", [-40.0, -1.0, 0.5, 1.0, 3.0, 200.0])
def test_generalised_eud_of_a_uniform_dose_is_that_dose(a):
    assert generalised_eud(UNIFORM, a) == pytest.approx(52.0, rel=1e-12)


def test_generalised_eud_goes_from_minimum_over_mean_to_maximum():
    assert generalised_eud(VARIED, 1.0) == pytest.approx(VARIED.mean(), rel=1e-12)
    assert generalised_eud(VARIED, 1.0, SHARE) == pytest.approx(np.average(VARIED, weights=SHARE), rel=1e-12)
    assert generalised_eud(VARIED, 5000.0) == pytest.approx(VARIED.max(), rel=3e-3)
    assert generalised_eud(VARIED, -5000.0) == pytest.approx(VARIED.min(), rel=3e-3)
    assert generalised_eud([3.0, 4.0], 2.0) == pytest.approx(math.sqrt(12.5), rel=1e-12)
    assert generalised_eud([0.0, 4.0], -3.0) == 0.0


def test_survival_eud_has_the_survival_of_the_dose():
    alpha = 0.25
    survival = np.average(np.exp(-alpha * VARIED), weights=SHARE)
    root = brentq(lambda d: math.exp(-alpha * d) - survival, 0.0, 200.0, xtol=1e-13)
    assert survival_eud(VARIED, alpha, SHARE) == pytest.approx(root, rel=1e-9)
    assert survival_eud(UNIFORM, alpha) == pytest.approx(52.0, rel=1e-12)


def test_survival_eud_of_high_doses_does_not_vanish():
    # half of the cells at 5000 Gy, half at 6000 Gy: those at 5000 live, and half of all is ln 2 / alpha more
    assert survival_eud([5000.0, 6000.0], 0.3) == pytest.approx(5000.0 + math.log(2) / 0.3, rel=1e-12)


def test_survival_eud_of_a_gaussian_dose_is_its_closed_form():
    # mean - alpha variance / 2, the moment-generating function of a normal distribution
    centre, spread, alpha = 60.0, 5.0, 0.2
    doses = np.linspace(10.0, 110.0, 20001)
    weights = norm.pdf(doses, centre, spread)
    weights /= weights.max()
    assert survival_eud(doses, alpha, weights) == pytest.approx(centre - alpha * spread**2 / 2, rel=1e-9)


def test_eubed_is_the_same_of_bed():
    effect = bed(VARIED, **TUMOUR)
    assert eubed(effect, 0.3, SHARE) == pytest.approx(survival_eud(effect, 0.3, SHARE), rel=1e-12)
    assert float(dose_of_bed(eubed(bed(UNIFORM, **TUMOUR), 0.3), **TUMOUR)) == pytest.approx(52.0, rel=1e-12)


def test_voxels_outside_the_structure_do_not_matter():
    dose = VARIED.copy()
    inside = SHARE > 0.5
    dose[~inside] = np.nan
    assert generalised_eud(dose, 2.0, inside) == pytest.approx(generalised_eud(VARIED[inside], 2.0), rel=1e-12)


# --- control and complication


def test_tcp_by_hand():
    # 1e6 clonogens at 0.3/Gy: BED for control of one half is (ln 1e6 - ln ln 2) / 0.3
    half = (math.log(1e6) - math.log(math.log(2))) / 0.3
    assert poisson_tcp(np.full(7, half), alpha_per_gy=0.3, clonogens=1e6) == pytest.approx(0.5, rel=1e-9)
    assert poisson_tcp([0.0], alpha_per_gy=0.3, clonogens=1.0) == pytest.approx(math.exp(-1), rel=1e-12)
    assert poisson_tcp([4000.0], alpha_per_gy=0.3, clonogens=1e9) == 1.0


def test_tcp_is_that_of_its_eubed_and_the_product_of_its_parts():
    effect = bed(VARIED, **TUMOUR)
    whole = poisson_tcp(effect, alpha_per_gy=0.1, clonogens=1e3, coverage=SHARE)
    even = poisson_tcp([eubed(effect, 0.1, SHARE)], alpha_per_gy=0.1, clonogens=1e3)
    assert whole == pytest.approx(even, rel=1e-9)
    parts = [
        poisson_tcp(effect[k], alpha_per_gy=0.1, clonogens=1e3 * SHARE[k].sum() / SHARE.sum(), coverage=SHARE[k])
        for k in range(len(effect))
    ]
    assert whole == pytest.approx(math.prod(parts), rel=1e-9)


def test_ntcp_of_uniform_doses_is_the_normal_distribution():
    for dose in (20.0, 52.0, 52.0 * 1.28, 90.0):
        found = lkb_ntcp(np.full(4, dose), n=1.0, m=0.28, td50_gy=52.0)
        assert found == pytest.approx(norm.cdf((dose - 52.0) / (0.28 * 52.0)), rel=1e-9)
    assert lkb_ntcp(UNIFORM, n=0.5, m=0.28, td50_gy=52.0) == pytest.approx(0.5, rel=1e-12)


def test_ntcp_of_part_of_an_organ_is_that_of_its_effective_volume():
    # Lyman's own form: TD50(v) = TD50(1) v^-n for a part v that is uniformly exposed
    part, n = 0.4, 0.5
    dose = np.array([60.0] * 4 + [0.0] * 6)
    td50 = 40.0 * part**-n
    found = lkb_ntcp(dose, n=n, m=0.2, td50_gy=40.0)
    assert found == pytest.approx(norm.cdf((60.0 - td50) / (0.2 * td50)), rel=1e-9)


@pytest.mark.parametrize("name", ["strigari-2010", "dawson-2002", "dawson-2002-metastases", "dawson-2002-primary"])
def test_published_models_are_one_half_at_their_td50(name):
    model = complication_model(name)
    assert model.ntcp(np.full((2, 2), model.td50_gy)) == pytest.approx(0.5, rel=1e-9)
    assert model.ntcp(np.zeros(3)) < 0.01
    assert model.source
    assert model.quantity
    assert name in complication_models()


def test_tissues_are_named_with_their_source():
    assert tissues() == ("normal-liver", "tumour")
    liver = tissue("normal-liver")
    assert (liver.alpha_beta_gy, liver.repair_half_time_h) == (2.5, 2.5)
    assert (tissue("tumour").alpha_beta_gy, tissue("tumour").repair_half_time_h) == (10.0, 1.5)
    assert "Strigari" in liver.source
    with pytest.raises(ValueError, match="tissue must be one of normal-liver, tumour, got 'bone'"):
        tissue("bone")
    with pytest.raises(ValueError, match="complication must be one of strigari-2010"):
        complication_model("nobody")


def test_data_are_those_of_sources():
    rows = (DATA_FOLDER / "SOURCES.md").read_text(encoding="utf-8").splitlines()
    (row,) = [line for line in rows if "`radiobiology/liver.toml`" in line]
    assert hashlib.sha256((Path(DATA_FOLDER) / "radiobiology" / "liver.toml").read_bytes()).hexdigest() in row


def test_half_life_of_the_nuclide():
    hours = nuclide("Y-90").half_life_s / 3600
    assert lea_catcheside(hours, 2.5) == pytest.approx(2.5 / 66.6, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bed([-1.0], **LIVER), "dose_gy must not be negative, got -1.0"),
        (lambda: bed([np.nan, 1.0], **LIVER), "dose_gy must be finite, got 1 of 2"),
        (lambda: bed([], **LIVER), "dose_gy must hold at least one value"),
        (lambda: bed(1.0, **{**LIVER, "alpha_beta_gy": 0.0}), "alpha_beta_gy must be positive and finite, got 0.0"),
        (lambda: bed(1.0, **{**LIVER, "repair_half_time_h": -1.0}), "repair_half_time_h must be positive"),
        (lambda: eqd2(1.0, float("inf")), "alpha_beta_gy must be positive and finite, got inf"),
        (lambda: generalised_eud([1.0], 0.0), "a must be finite and not 0, got 0.0"),
        (lambda: generalised_eud([1.0, 2.0], 1.0, [0.0, 0.0]), "coverage must hold at least one voxel"),
        (lambda: generalised_eud([1.0, 2.0], 1.0, [0.0, 1.5]), "coverage must be from 0 to 1"),
        (lambda: generalised_eud([1.0, 2.0], 1.0, [1.0]), r"coverage must have the shape \(2,\), got \(1,\)"),
        (lambda: survival_eud([1.0], 0.0), "alpha_per_gy must be positive"),
        (lambda: poisson_tcp([1.0], alpha_per_gy=0.3, clonogens=0.0), "clonogens must be positive"),
        (lambda: lkb_ntcp([1.0], n=0.0, m=0.1, td50_gy=40.0), "n must be positive"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_what_is_no_number_is_refused():
    with pytest.raises(TypeError, match="dose_gy must be real numbers"):
        bed(np.ones(2, complex), **LIVER)
    with pytest.raises(TypeError, match="half_life_h must be a number"):
        bed(1.0, **{**LIVER, "half_life_h": "64"})
