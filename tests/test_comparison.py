import dataclasses

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm

import mcdose
from mcdose import compare_doses, gamma_index

VOXEL = (3.0, 4.0, 2.0)


class OnDevice:
    """An array that is reached only as CuPy's are."""

    __cuda_array_interface__ = None

    def __init__(self, array):
        self.array = array

    def get(self):
        return self.array


def random_pair(seed=1, shape=(8, 9, 10)):
    rng = np.random.default_rng(seed)
    a = rng.uniform(20, 100, shape)
    return a, np.abs(a + rng.normal(0, 2, shape))


def test_equal_doses():
    a, _ = random_pair()
    result = compare_doses(a, a, VOXEL)
    assert result.mean_difference_gy == result.rms_difference_gy == result.largest_difference_gy == 0.0
    assert result.mean_gamma == 0.0
    assert result.pass_rate == result.mean_ratio == 1.0
    assert result.dice(50.0) == 1.0
    assert result.noise is None


def test_differences_by_hand():
    a = np.array([10.0, 20.0, 40.0, 30.0]).reshape(1, 1, 4)
    b = np.array([11.0, 19.0, 42.0, 90.0]).reshape(1, 1, 4)
    result = compare_doses(a, b, VOXEL, mask=np.array([1.0, 0.5, 0.25, 0.0]).reshape(1, 1, 4))
    assert result.normalisation_gy == 40.0
    assert result.mean_a_gy == pytest.approx((10 + 10 + 10) / 1.75)
    assert result.mean_b_gy == pytest.approx((11 + 9.5 + 10.5) / 1.75)
    assert result.mean_ratio == pytest.approx(31 / 30)
    assert result.mean_difference_gy == pytest.approx((1 - 0.5 + 0.5) / 1.75)
    assert result.mean_absolute_difference_gy == pytest.approx((1 + 0.5 + 0.5) / 1.75)
    assert result.rms_difference_gy == pytest.approx(np.sqrt((1 + 0.5 + 1) / 1.75))
    assert result.largest_difference_gy == 2.0  # the voxel a quarter inside counts, the one outside does not
    assert result.largest_difference_percent == pytest.approx(5.0)
    for name in ("mean_difference", "mean_absolute_difference", "rms_difference"):
        assert getattr(result, f"{name}_percent") == pytest.approx(getattr(result, f"{name}_gy") / 0.4)
    assert result.difference_gy.tolist() == [[[1.0, -1.0, 2.0, 60.0]]]
    assert result.difference_gy.dtype == np.float32
    assert result.voxels_judged == 2


def test_gamma_is_that_of_gamma_index():
    a, b = random_pair()
    mask = np.zeros(a.shape, bool)
    mask[2:6, 2:7, 3:9] = True
    for local in (False, True):
        result = compare_doses(a, b, VOXEL, mask, (3.0, 2.0), local, 0.4, max_gamma=1.5)
        expected = gamma_index(
            a, b, VOXEL, percent=3, distance_mm=2, local=local, threshold=0.4, mask=mask, max_gamma=1.5
        )
        assert np.array_equal(result.gamma_map, expected, equal_nan=True)
        judged = expected[np.isfinite(expected)]
        assert result.voxels_judged == judged.size
        assert result.pass_rate == (judged <= 1).mean()
        assert result.mean_gamma == pytest.approx(judged.mean(), rel=1e-6)
        assert (result.gamma, result.local, result.threshold) == ((3.0, 2.0), local, 0.4)


def test_a_pure_offset_passes_or_fails_as_a_whole():
    a = np.full((4, 5, 6), 100.0)
    assert compare_doses(a, a + 0.9, VOXEL).pass_rate == 1.0
    assert compare_doses(a, a + 1.1, VOXEL).pass_rate == 0.0
    assert compare_doses(a, a + 1.1, VOXEL).mean_gamma == pytest.approx(1.1)
    assert compare_doses(a, a + 1.1, VOXEL, gamma=(2.0, 1.0)).mean_gamma == pytest.approx(0.55)


def test_dice_of_two_spheres():
    # The lens of two spheres of radius R at distance d: pi (4 R + d) (2 R - d)^2 / 12; each dose falls with r.
    n, radius, apart = 60, 22.0, 9.0
    z, y, x = np.meshgrid(*[np.arange(n) - (n - 1) / 2.0] * 3, indexing="ij")
    a, b = (100 - np.sqrt(z**2 + y**2 + (x + sign * apart / 2) ** 2) for sign in (-1, 1))
    result = compare_doses(a, b, (1.0, 1.0, 1.0), gamma=(50.0, 1.0))
    lens = np.pi * (4 * radius + apart) * (2 * radius - apart) ** 2 / 12
    assert result.dice(100 - radius) == pytest.approx(lens / (4 / 3 * np.pi * radius**3), rel=3e-3)
    half = compare_doses(a, b, (1.0, 1.0, 1.0), mask=x > 5, gamma=(50.0, 1.0))
    assert half.dice(100 - radius) < result.dice(100 - radius)
    assert result.dice(0.0) == 1.0
    assert np.isnan(result.dice(101.0))  # neither reaches it
    with pytest.raises(ValueError, match="dose_gy must be a number, got NaN"):
        result.dice(float("nan"))


def test_noise_alone_is_recognised():
    # Equal expectations, 3 % and 4 % noise: the difference has a sigma of 5 %. Shares of 27000 voxels have a standard
    # error below 0.003; limits of 4 sigma each, false alarms 6e-5 a figure.
    rng = np.random.default_rng(11)
    shape = (30, 30, 30)
    a = 100 * (1 + 0.03 * rng.standard_normal(shape))
    b = 100 * (1 + 0.04 * rng.standard_normal(shape))
    noise = compare_doses(
        a,
        b,
        (50.0, 50.0, 50.0),
        gamma=(2.0, 1.0),
        relative_uncertainty_a=3.0 / a,
        relative_uncertainty_b=4.0 / b,
    ).noise
    top = a.max()
    assert noise.voxels == a.size
    assert noise.median_uncertainty_a == pytest.approx(0.03, rel=2e-3)
    assert noise.median_uncertainty_b == pytest.approx(0.04, rel=2e-3)
    spread = 4 * np.sqrt(0.05 * 0.95 / a.size)
    assert noise.share_within_two_sigma == pytest.approx(1 - 2 * norm.sf(2.0), abs=spread)
    both = 1 - 2 * norm.sf(2.0 + 0.02 * top / 5.0)
    assert noise.share_within_criterion_and_two_sigma == pytest.approx(both, abs=spread)
    # Voxels of 50 mm leave gamma next to no way out by distance; what it has lets some more pass.
    widened = 1 - 2 * norm.sf(np.hypot(2.0, 0.02 * top / 5.0))
    assert noise.widened_pass_rate == pytest.approx(widened, abs=0.02)
    assert noise.widened_pass_rate >= widened - spread


def test_a_difference_beyond_the_noise_shows():
    a = np.full((9, 9, 9), 100.0)
    result = compare_doses(a, a + 5, VOXEL, relative_uncertainty_b=np.full(a.shape, 0.01))
    assert result.pass_rate == 0.0
    assert result.noise.median_uncertainty_a is None
    assert result.noise.median_uncertainty_b == pytest.approx(0.01)
    assert result.noise.share_within_two_sigma == 0.0
    assert result.noise.share_within_criterion_and_two_sigma == 0.0  # 1 + 2 x 1.05 Gy
    assert result.noise.widened_pass_rate == 0.0
    wide = compare_doses(a, a + 5, VOXEL, relative_uncertainty_a=np.full(a.shape, 0.025))
    assert wide.noise.share_within_criterion_and_two_sigma == 1.0
    assert wide.noise.widened_pass_rate == 1.0  # sqrt(1 + 5^2) Gy
    assert wide.noise.share_within_two_sigma == 0.0  # 5 Gy is not below 2 x 2.5 Gy


def test_noise_in_the_evaluated_dose_makes_gamma_small_and_in_the_reference_large():
    # Graves, Jia, Jiang, Phys Med Biol 58:1839 (2013).
    z = np.arange(24)[:, None, None] * np.ones((24, 14, 14))
    smooth = 50 + z
    shifted = smooth + 2.0
    noisy = np.random.default_rng(2).normal(0, 0.8, smooth.shape)
    plain = compare_doses(smooth, shifted, (3.0, 3.0, 3.0), gamma=(1.0, 3.0)).mean_gamma
    assert compare_doses(smooth, shifted + noisy, (3.0, 3.0, 3.0), gamma=(1.0, 3.0)).mean_gamma < plain - 0.01
    assert compare_doses(smooth + noisy, smooth, (3.0, 3.0, 3.0), gamma=(1.0, 3.0)).mean_gamma > 0.1


def test_unknown_uncertainties_are_left_out():
    a, b = random_pair()
    relative = np.full(a.shape, 0.02)
    relative[:, :, :5] = np.nan
    noise = compare_doses(a, b, VOXEL, relative_uncertainty_b=relative).noise
    known = np.isfinite(relative)
    apart, sigma = np.abs(b - a)[known], 0.02 * b[known]
    assert noise.voxels == known.sum()
    assert noise.median_uncertainty_b == pytest.approx(0.02)
    assert noise.share_within_two_sigma == (apart < 2 * sigma).mean()
    assert noise.share_within_criterion_and_two_sigma == (apart <= 0.01 * a.max() + 2 * sigma).mean()
    nothing = compare_doses(a, b, VOXEL, relative_uncertainty_b=np.full(a.shape, np.nan))
    assert nothing.noise.voxels == 0
    assert np.isnan(nothing.noise.median_uncertainty_b)
    assert np.isnan(nothing.noise.share_within_two_sigma)
    assert nothing.noise.widened_pass_rate == nothing.pass_rate


def test_arrays_on_a_device_are_copied():
    a, b = random_pair()
    mask = a > 50
    relative = np.full(a.shape, 0.02)
    host = compare_doses(a, b, VOXEL, mask, relative_uncertainty_a=relative)
    device = compare_doses(OnDevice(a), OnDevice(b), VOXEL, OnDevice(mask), relative_uncertainty_a=OnDevice(relative))
    assert device.pass_rate == host.pass_rate
    assert dataclasses.astuple(device.noise)[1:] == dataclasses.astuple(host.noise)[1:]
    assert_allclose(device.gamma_map, host.gamma_map)


def test_the_result_is_frozen_and_short_to_print():
    a, b = random_pair()
    result = mcdose.compare_doses(a, b, VOXEL)
    assert isinstance(result, mcdose.DoseComparison)
    assert len(repr(result)) < 600
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.pass_rate = 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dose_b": np.ones((2, 2, 3))}, r"dose_b must have the shape of dose_a \(2, 2, 2\), got \(2, 2, 3\)"),
        ({"dose_a": np.full((2, 2, 2), np.nan)}, "dose_a must be finite, got 8 of 8 voxels that are not"),
        ({"dose_b": np.full((2, 2, 2), -1.0)}, "dose_b must not be negative, got -1.0"),
        ({"dose_a": np.zeros((2, 2, 2))}, "dose_a must be above 0 Gy somewhere in the mask, got 0 Gy everywhere"),
        ({"voxel_mm": (0.0, 1.0, 1.0)}, r"voxel_mm must be positive, got \(0.0, 1.0, 1.0\)"),
        ({"gamma": (-1.0, 1.0)}, r"gamma must be positive \(percent, mm\), got \(-1.0, 1.0\)"),
        ({"gamma": (1.0, 0.0)}, "gamma must be positive"),
        ({"threshold": 1.5}, "threshold must be a fraction from 0 to below 1, got 1.5"),
        ({"mask": np.zeros((2, 2, 2))}, "mask must hold at least one voxel, got an empty one"),
        (
            {"mask": np.full((2, 2, 2), 0.2)},
            "at least half inside the mask must reach the threshold of 0.1 Gy, got none",
        ),
        ({"max_gamma": -1.0}, "max_gamma must be positive, got -1.0"),
        (
            {"relative_uncertainty_a": np.ones((2, 2, 1))},
            r"relative_uncertainty_a must have the shape of the doses \(2, 2, 2\), got \(2, 2, 1\)",
        ),
        (
            {"relative_uncertainty_b": np.full((2, 2, 2), -0.1)},
            r"relative_uncertainty_b must be 0 or more, or NaN, got -0.1 \(in 8 voxels\)",
        ),
        ({"relative_uncertainty_b": np.full((2, 2, 2), np.inf)}, "relative_uncertainty_b must be 0 or more, or NaN"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, message):
    arguments = {"dose_a": np.ones((2, 2, 2)), "dose_b": np.ones((2, 2, 2)), "voxel_mm": VOXEL} | change
    with pytest.raises(ValueError, match=message):
        compare_doses(**arguments)


def test_wrong_kinds_are_refused():
    dose = np.ones((2, 2, 2))
    with pytest.raises(TypeError, match=r"gamma must be a pair \(percent, mm\), got 3.0"):
        compare_doses(dose, dose, VOXEL, gamma=3.0)
    with pytest.raises(TypeError, match="relative_uncertainty_a must be real numbers"):
        compare_doses(dose, dose, VOXEL, relative_uncertainty_a=dose.astype(complex))
    with pytest.raises(TypeError, match="threshold must be a number, got None"):
        compare_doses(dose, dose, VOXEL, threshold=None)
