import numpy as np
import pytest

from mcdose.dvh import dvh

VOXEL = (1.0, 1.0, 1.0)


def radius_from_centre(n, voxel_mm=VOXEL):
    """Distance from the middle of an n^3 grid, in mm."""
    axes = np.meshgrid(*[(np.arange(n) - (n - 1) / 2) * side for side in voxel_mm], indexing="ij")
    return np.sqrt(sum(axis**2 for axis in axes))


def test_linear_gradient_has_its_closed_form():
    # Dose from 0 to 100 Gy over 200 voxels: D_x = 100 - x, V(d) = 1 - d / 100, standard deviation 100 / sqrt(12).
    dose = (np.arange(200) + 0.5) / 2
    result = dvh(dose.reshape(200, 1, 1), np.ones((200, 1, 1), bool), (3.0, 2.0, 5.0))
    for percent in (0.5, 2, 5, 50, 70, 95, 98, 99.5):
        assert result.d(percent) == pytest.approx(100 - percent, abs=1e-9)
    for level in (0, 10, 33.5, 70, 100):
        assert result.v(level) == pytest.approx(1 - level / 100, abs=1e-12)
    assert result.mean_gy == pytest.approx(50)
    assert result.sd_gy == pytest.approx(100 / np.sqrt(12), rel=1e-4)
    assert result.volume_ml == pytest.approx(200 * 30 / 1000)
    assert result.v_ml(70.0) == pytest.approx(0.3 * 6.0)
    assert (result.min_gy, result.max_gy) == (0.25, 99.75)


def test_sphere_with_dose_falling_from_its_centre():
    # Dose D0 (1 - r / R): V(d) = (1 - d / D0)^3, D_x = D0 (1 - (x / 100)^(1/3)), mean D0 / 4, variance 3 D0^2 / 80.
    n, radius, peak = 81, 40.0, 120.0
    r = radius_from_centre(n)
    result = dvh(peak * (1 - r / radius), r <= radius, VOXEL)
    assert result.volume_ml == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=2e-3)
    assert result.mean_gy == pytest.approx(peak / 4, rel=2e-3)
    assert result.sd_gy == pytest.approx(peak * np.sqrt(3 / 80), rel=2e-3)
    for percent in (5, 50, 70, 95):
        assert result.d(percent) == pytest.approx(peak * (1 - (percent / 100) ** (1 / 3)), abs=0.002 * peak)
    for level in (10, 30, 60, 90):
        assert result.v(level) == pytest.approx((1 - level / peak) ** 3, abs=2e-3)


def test_cone_with_dose_rising_from_its_apex():
    # Dose D0 z / H in a cone, apex at z = 0: V(d) = 1 - (d / D0)^3, D_x = D0 (1 - x / 100)^(1/3), mean 3 D0 / 4.
    n, peak = 120, 80.0
    z = (np.arange(n) + 0.5)[:, None, None]
    y, x = np.meshgrid(np.arange(n) - (n - 1) / 2, np.arange(n) - (n - 1) / 2, indexing="ij")
    mask = np.hypot(y, x)[None] <= z / 2
    result = dvh(np.broadcast_to(peak * z / n, mask.shape), mask, VOXEL)
    assert result.volume_ml == pytest.approx(np.pi * (n / 2) ** 2 * n / 3 / 1000, rel=3e-3)
    assert result.mean_gy == pytest.approx(0.75 * peak, rel=3e-3)
    for percent in (5, 50, 95):
        assert result.d(percent) == pytest.approx(peak * (1 - percent / 100) ** (1 / 3), abs=peak / n)
    assert result.v(40.0) == pytest.approx(1 - 0.5**3, abs=0.02)


def test_coverage_weighs_the_voxels():
    # The sphere's rim by coverage, from 8^3 points in each voxel, brings the volume nearer than whole voxels do.
    n, radius = 15, 6.3
    fine = radius_from_centre(8 * n, (0.125, 0.125, 0.125)) <= radius
    coverage = fine.reshape(n, 8, n, 8, n, 8).mean(axis=(1, 3, 5))
    whole = dvh(100 - radius_from_centre(n), radius_from_centre(n) <= radius, VOXEL)
    result = dvh(100 - radius_from_centre(n), coverage, VOXEL)
    assert result.volume_ml == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=1e-3)
    assert abs(whole.volume_ml * 3000 / (4 * np.pi * radius**3) - 1) > 1e-3
    assert result.mean_gy == pytest.approx(100 - 0.75 * radius, rel=1e-3)


def test_coverage_of_two_voxels_by_hand():
    result = dvh(np.array([10.0, 20.0, 99.0]), np.array([0.25, 0.75, 0.0]), (10.0, 10.0, 10.0))
    assert result.mean_gy == 17.5
    assert result.sd_gy == pytest.approx(np.sqrt(0.25 * 0.75) * 10)
    assert result.volume_ml == 1.0
    assert (result.min_gy, result.max_gy) == (10.0, 20.0)
    assert [result.v(level) for level in (0, 10, 10.1, 20, 20.1)] == [1.0, 1.0, 0.75, 0.75, 0.0]
    # The voxels stand at 37.5 % and 87.5 % of the volume, hottest first.
    assert result.d(37.5) == 20.0
    assert result.d(87.5) == 10.0
    assert result.d(62.5) == 15.0


def test_agrees_with_numpy_percentiles_and_counts():
    rng = np.random.default_rng(2)
    dose = rng.gamma(2.0, 30.0, (20, 21, 22)).astype(np.float32)
    mask = rng.random(dose.shape) < 0.3
    result = dvh(dose, mask, (3.0, 2.0, 5.0))
    inside = dose[mask].astype(np.float64)
    for percent in (0, 2, 50, 95, 98, 100):
        assert result.d(percent) == pytest.approx(np.percentile(inside, 100 - percent, method="hazen"))
    for level in (0.0, 30.0, 70.0, 1e4):
        assert result.v(level) == pytest.approx((inside >= level).mean(), abs=1e-12)
    assert result.mean_gy == pytest.approx(inside.mean())
    assert result.sd_gy == pytest.approx(inside.std())


def test_uniform_dose():
    result = dvh(np.full((3, 3, 3), 50.0, np.float32), np.ones((3, 3, 3), bool), VOXEL)
    assert result.d(0) == result.d(95) == result.d(100) == result.mean_gy == 50.0
    assert result.sd_gy == 0.0
    assert result.v(50.0) == 1.0
    assert result.v(50.1) == 0.0


def test_two_levels_do_not_blend():
    result = dvh(np.repeat([10.0, 20.0], 50), np.ones(100, bool), VOXEL)
    assert result.d(60) == 10.0
    assert result.d(40) == 20.0


def test_curve_starts_at_the_whole_volume_and_never_rises():
    dose = np.random.default_rng(3).gamma(2.0, 30.0, 5000)
    result = dvh(dose, np.ones(5000, bool), VOXEL)
    curve = result.curve
    assert curve.dose_gy[0] == 0.0
    assert curve.dose_gy[-1] == result.max_gy
    assert curve.volume_fraction[0] == 1.0
    assert curve.volume_fraction[-1] == pytest.approx(1 / 5000)
    assert (np.diff(curve.volume_fraction) <= 0).all()
    expected = [(dose >= level).mean() for level in curve.dose_gy]
    np.testing.assert_allclose(curve.volume_fraction, expected, atol=1e-12)
    # The area under a cumulative curve is the mean dose.
    assert np.trapezoid(curve.volume_fraction, curve.dose_gy) == pytest.approx(result.mean_gy, rel=1e-3)


@pytest.mark.parametrize(
    ("dose", "mask", "voxel", "message"),
    [
        (np.zeros((2, 2)), np.ones((2, 3), bool), VOXEL, r"shape of dose_gy \(2, 2\), got \(2, 3\)"),
        (np.zeros(4), np.zeros(4, bool), VOXEL, "at least one voxel, got an empty one"),
        (np.zeros(4), np.zeros(4), VOXEL, "at least one voxel, got an empty one"),
        (np.zeros(2), np.array([0.5, 1.5]), VOXEL, r"from 0 to 1, got 1.5 \(in 1 voxels\)"),
        (np.zeros(2), np.array([0.5, -0.1]), VOXEL, "from 0 to 1, got -0.1"),
        (np.zeros(2), np.array([0.5, np.nan]), VOXEL, "from 0 to 1, got nan"),
        (np.array([1.0, np.nan, np.inf]), np.ones(3, bool), VOXEL, "finite inside the mask, got 2 of 3"),
        (np.zeros(2), np.ones(2, bool), (3.0, -3.0, 3.0), r"voxel_mm must be positive, got \(3.0, -3.0, 3.0\)"),
        (np.zeros(2), np.ones(2, bool), (3.0, np.nan, 3.0), "voxel_mm must be positive"),
        (np.zeros(2), np.ones(2, bool), (3.0, 3.0), "voxel_mm must be positive"),
    ],
)
def test_what_is_no_structure_is_refused(dose, mask, voxel, message):
    with pytest.raises(ValueError, match=message):
        dvh(dose, mask, voxel)


def test_wrong_kinds_are_refused():
    with pytest.raises(TypeError, match="dose_gy must be real numbers, got an array of complex128"):
        dvh(np.zeros(2, complex), np.ones(2, bool), VOXEL)
    with pytest.raises(TypeError, match="mask must be bool or coverage"):
        dvh(np.zeros(2), np.array(["a", "b"]), VOXEL)


def test_undefined_dose_outside_the_mask_does_not_matter():
    assert dvh(np.array([1.0, np.nan]), np.array([True, False]), VOXEL).mean_gy == 1.0


def test_questions_outside_their_range_are_refused():
    result = dvh(np.ones(2), np.ones(2, bool), VOXEL)
    for percent in (-1, 100.5, float("nan")):
        with pytest.raises(ValueError, match="from 0 to 100"):
            result.d(percent)
    with pytest.raises(ValueError, match="got NaN"):
        result.v(float("nan"))
