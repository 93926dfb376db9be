"""Isocontours of blurred spheres, whose right threshold has a closed form, and of small images by hand."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf

from mcdose.isocontour import (
    background_threshold,
    fixed_threshold,
    isocontour,
    iterative_threshold,
    volume_threshold,
)

VOXEL = (2.0, 1.5, 1.0)


def profile(r, radius, sigma):
    """A ball of 1 blurred by a Gaussian, at the distance r from its middle."""
    root = math.sqrt(2.0) * sigma
    if np.isscalar(r) and r == 0.0:
        return erf(radius / root) - math.sqrt(2 / math.pi) * radius / sigma * math.exp(-(radius**2) / 2 / sigma**2)
    tails = np.exp(-((radius - r) ** 2) / 2 / sigma**2) - np.exp(-((radius + r) ** 2) / 2 / sigma**2)
    edges = 0.5 * (erf((radius - r) / root) + erf((radius + r) / root))
    return edges - sigma / (r * math.sqrt(2 * math.pi)) * tails


def ball(radius, sigma, voxel=VOXEL, reach=1.6):
    """The same on a grid whose middle lies off the voxels' centres."""
    shape = [2 * math.ceil((reach * radius + 2 * sigma) / side) for side in voxel]
    axes = [(np.arange(n) - n / 2 + 0.31) * side for n, side in zip(shape, voxel, strict=True)]
    r = np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij")))
    return profile(r, radius, sigma)


def millilitres(radius):
    return 4 / 3 * math.pi * radius**3 / 1000


def test_the_profile_is_the_convolution():
    radius, sigma, r = 12.0, 4.0, 9.0

    def shell(s):  # mean of the Gaussian over a sphere of radius s around the origin, seen from r
        angle = quad(lambda c: math.exp(-(r * r + s * s - 2 * r * s * c) / 2 / sigma**2), -1, 1)[0]
        return 2 * math.pi * s * s * angle / (2 * math.pi * sigma**2) ** 1.5

    assert profile(0.0, radius, sigma) == pytest.approx(profile(1e-3, radius, sigma), rel=1e-6)
    assert profile(r, radius, sigma) == pytest.approx(quad(shell, 0, radius)[0], rel=1e-9)


@pytest.mark.parametrize(("radius", "sigma"), [(20.0, 3.0), (15.0, 4.0), (12.0, 5.0)])
def test_the_threshold_of_the_true_volume_has_a_closed_form(radius, sigma):
    image = ball(radius, sigma)
    right = profile(radius, radius, sigma)
    found = volume_threshold(image, millilitres(radius), VOXEL)
    assert found == pytest.approx(right, rel=0.02)
    contour = isocontour(image, fixed_threshold(image, right / profile(0.0, radius, sigma)), VOXEL)
    assert contour.volume_ml == pytest.approx(millilitres(radius), rel=0.02)
    # in a background the same fraction between background and maximum
    lifted = 0.3 + 0.7 * image
    raised = background_threshold(lifted, 0.3, right / profile(0.0, radius, sigma))
    assert isocontour(lifted, raised, VOXEL).volume_ml == pytest.approx(millilitres(radius), rel=0.02)


def test_a_fixed_threshold_makes_small_balls_too_large():
    ratio = {}
    for radius in (6.0, 25.0):
        image = ball(radius, 5.0, reach=3.0)
        ratio[radius] = isocontour(image, fixed_threshold(image, 0.42), VOXEL).volume_ml / millilitres(radius)
    assert ratio[6.0] > 1.5
    assert ratio[25.0] < 1.1


def test_volume_is_met_to_a_voxel():
    image = np.random.default_rng(3).normal(size=(9, 10, 11))
    for wanted in (0.003, 0.3, 2.0, 2.97):
        contour = isocontour(image, volume_threshold(image, wanted, VOXEL), VOXEL)
        assert contour.volume_ml == pytest.approx(wanted, abs=0.5 * 0.003 + 1e-9)


def test_equal_voxels_are_in_together():
    image = np.zeros((4, 4, 4))
    image[1:3] = 5.0
    image[0, 0, 0] = 9.0
    assert volume_threshold(image, 30 * 0.003, VOXEL) == 5.0
    assert volume_threshold(image, 5 * 0.003, VOXEL) == 9.0


def test_the_iterative_threshold_is_half_way_between_its_means():
    image = ball(15.0, 3.0)
    found = iterative_threshold(image)
    assert found == pytest.approx(0.5 * (image[image >= found].mean() + image[image < found].mean()), rel=1e-9)
    steps = np.zeros((4, 4, 4))
    steps[:2] = 10.0
    steps[0] = 12.0
    assert iterative_threshold(steps) == pytest.approx(0.5 * (11.0 + 0.0), rel=1e-12)
    near = np.ones((2, 2, 2))
    near[0] = np.nextafter(1.0, 2.0)
    assert near.min() <= iterative_threshold(near) <= near.max()


def test_only_the_region_counts():
    image = np.ones((6, 6, 6))
    image[0] = 100.0
    image[3, 2:4, 2:4] = 10.0
    region = np.zeros(image.shape)
    region[2:, :, :] = 1.0
    region[3, 2, 2] = 0.6
    region[5] = 0.4  # less than half inside: not in it
    assert fixed_threshold(image, 0.5, region) == 5.0
    contour = isocontour(image, 5.0, VOXEL, region)
    assert contour.volume_ml == pytest.approx(3.6 * 0.003, rel=1e-6)
    assert contour.mask.sum() == 4
    assert contour.coverage[3, 2, 2] == np.float32(0.6)
    # perfused part of the region: all of it at half of the background
    perfused = isocontour(image, 0.5, VOXEL, region)
    assert perfused.volume_ml == pytest.approx(region[2:5].sum() * 0.003, rel=1e-6)


def test_small_parts_go_and_holes_are_filled():
    image = np.zeros((12, 12, 12))
    image[2:7, 2:7, 2:7] = 1.0
    image[4, 4, 4] = 0.0  # a hole
    image[9, 9, 9] = 1.0
    image[9, 9:11, 2] = 1.0
    image[7, 7, 7] = 1.0  # touches the block by a corner alone
    plain = isocontour(image, 0.5, VOXEL)
    assert (plain.mask.sum(), plain.removed, plain.filled_ml) == (124 + 4, 0, 0.0)
    clean = isocontour(image, 0.5, VOXEL, smallest_ml=0.006, fill_holes=True)
    assert clean.mask.sum() == 125 + 2
    assert clean.removed == 2
    assert clean.filled_ml == pytest.approx(0.003)
    region = np.ones(image.shape)
    region[4, 4, 4] = 0.0  # a hole of the region itself stays
    assert isocontour(image, 0.5, VOXEL, region, fill_holes=True).filled_ml == 0.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda image: fixed_threshold(image, 1.0), "fraction must be between 0 and 1, got 1.0"),
        (
            lambda image: fixed_threshold(image, 0.4, np.full(image.shape, 0.4)),
            "region must hold at least one voxel by half",
        ),
        (lambda image: fixed_threshold(image, 0.4, np.ones(3)), r"region must have the shape \(3, 3, 3\), got \(3,\)"),
        (lambda image: fixed_threshold(image, 0.4, 2 * np.ones(image.shape)), "region must be from 0 to 1"),
        (lambda image: fixed_threshold(np.full((2, 2, 2), np.nan)), "values must be finite, got 8 of 8"),
        (lambda image: fixed_threshold(np.ones(4)), r"values must have three axes \(z, y, x\), got shape \(4,\)"),
        (lambda image: background_threshold(image, 5.0), "background must be finite and below the largest value 1"),
        (lambda image: iterative_threshold(np.ones((2, 2, 2))), "values must differ in the region"),
        (lambda image: volume_threshold(image, 0.0, VOXEL), "volume_ml must be above 0 and at most"),
        (lambda image: volume_threshold(image, 1e3, VOXEL), "at most that of the region, 0.081 mL, got 1000.0"),
        (lambda image: isocontour(image, 2.0, VOXEL), "threshold 2 must be reached, the largest value is 1"),
        (lambda image: isocontour(image, math.inf, VOXEL), "threshold must be finite, got inf"),
        (lambda image: isocontour(image, 0.5, VOXEL, smallest_ml=1.0), "the largest of 1 has 0.003 mL"),
        (lambda image: isocontour(image, 0.5, VOXEL, smallest_ml=-1.0), "smallest_ml must be finite and not negative"),
        (lambda image: isocontour(image, 0.5, (1.0, 0.0, 1.0)), "voxel_mm must be three positive sides"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    image = np.zeros((3, 3, 3))
    image[1, 1, 1] = 1.0
    with pytest.raises(ValueError, match=message):
        call(image)
