from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from mcdose.gamma import TOLERANCE, cells_within, gamma_index

VOXEL = (3.0, 4.0, 2.0)


def positions(shape, voxel_mm=VOXEL):
    return np.meshgrid(*[np.arange(n) * side for n, side in zip(shape, voxel_mm, strict=True)], indexing="ij")


def brute_force(reference, evaluated, voxel_mm, criterion, distance_mm, reach_mm, parts):
    """Gamma of every voxel by trilinear samples at `parts` steps a voxel, within a box of `reach_mm`."""
    fine = evaluated
    for axis in range(3):
        steps = np.arange((fine.shape[axis] - 1) * parts + 1) / parts
        whole = np.minimum(steps.astype(int), fine.shape[axis] - 2)
        share = (steps - whole).reshape([-1 if k == axis else 1 for k in range(3)])
        fine = np.take(fine, whole, axis) * (1 - share) + np.take(fine, whole + 1, axis) * share
    step = np.array(voxel_mm) / parts
    gamma = np.empty(reference.shape)
    for index in product(*map(range, reference.shape)):
        at = np.array(index) * parts
        low = np.maximum(at - np.floor(reach_mm / step).astype(int), 0)
        high = np.minimum(at + np.floor(reach_mm / step).astype(int) + 1, fine.shape)
        box = fine[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
        apart = np.meshgrid(
            *[(np.arange(a, b) - c) * s for a, b, c, s in zip(low, high, at, step, strict=True)], indexing="ij"
        )
        squared = sum(axis**2 for axis in apart) / distance_mm**2 + ((box - reference[index]) / criterion[index]) ** 2
        gamma[index] = np.sqrt(squared.min())
    return gamma


def test_equal_doses_have_no_gamma():
    dose = np.random.default_rng(1).random((6, 7, 8)) * 50
    gamma = gamma_index(dose, dose, VOXEL)
    judged = dose >= 0.1 * dose.max()
    assert (gamma[judged] == 0).all()
    assert np.isnan(gamma[~judged]).all()
    assert gamma.dtype == np.float32


@pytest.mark.parametrize("gradient", [(2.0, 0, 0), (0, 2.0, 0), (0, 0, 2.0), (0.7, -0.4, 1.1), (0.1, 0.1, 0.0)])
@pytest.mark.parametrize("offset", [1.5, -0.8])
def test_two_parallel_planes(gradient, offset):
    # The shortest way between D = D_0 + g.r and the same plane b higher is |b| / sqrt(dd^2 + (g dta)^2).
    dose = 200 + sum(g * axis for g, axis in zip(gradient, positions((13, 13, 13)), strict=True))
    gamma = gamma_index(dose, dose + offset, VOXEL, percent=1.0, distance_mm=2.0, threshold=0.0)
    criterion = 0.01 * dose.max()
    expected = abs(offset) / np.hypot(criterion, 2.0 * np.linalg.norm(gradient))
    inner = gamma[2:-2, 2:-2, 2:-2]
    assert_allclose(inner, expected, rtol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_shift_in_a_steep_gradient_is_a_distance(axis):
    # With a gradient of 50 dose criteria a mm, gamma is the shift over the distance criterion, but for a part in 10^4.
    place = positions((11, 11, 11))[axis]
    gamma = gamma_index(100 * place, 100 * (place + 1.2), VOXEL, percent=0.1, distance_mm=1.5, threshold=0.0)
    steep = 100 / (0.001 * 100 * place.max())
    assert_allclose(gamma[2:-2, 2:-2, 2:-2], 1.2 / np.hypot(1.5, 1 / steep), rtol=1e-5)


def test_an_offset_in_uniform_dose_is_a_dose_difference():
    dose = np.full((5, 6, 7), 80.0)
    assert_allclose(gamma_index(dose, dose + 1.0, VOXEL, percent=2.0), 1.0 / 1.6, rtol=1e-6)
    assert_allclose(gamma_index(dose, dose - 1.2, VOXEL, percent=3.0, local=True), 0.5, rtol=1e-6)


def test_axes_are_treated_alike():
    rng = np.random.default_rng(5)
    reference = rng.random((6, 7, 8)) * 20
    evaluated = reference + rng.normal(0, 0.5, reference.shape)
    evaluated = np.abs(evaluated)
    plain = gamma_index(reference, evaluated, VOXEL, percent=3, distance_mm=2.5)
    for axes in ((0, 2, 1), (1, 0, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)):
        turned = gamma_index(
            reference.transpose(axes),
            evaluated.transpose(axes),
            tuple(VOXEL[k] for k in axes),
            percent=3,
            distance_mm=2.5,
        )
        assert_allclose(turned, plain.transpose(axes), atol=TOLERANCE)
    mirrored = gamma_index(reference[::-1, :, ::-1], evaluated[::-1, :, ::-1], VOXEL, percent=3, distance_mm=2.5)
    assert_allclose(mirrored, plain[::-1, :, ::-1], atol=TOLERANCE)


@pytest.mark.parametrize(("seed", "local"), [(1, False), (2, True), (3, False)])
def test_agrees_with_brute_force(seed, local):
    # White noise, the worst that trilinear cells can be, sampled in steps of 1/30 of a voxel. Samples miss the minimum
    # on one side only, by a few hundredths: a step is up to 0.3 dose criteria here.
    rng = np.random.default_rng(seed)
    reference = rng.uniform(5, 20, (4, 4, 5))
    evaluated = rng.uniform(5, 20, (4, 4, 5))
    percent, distance_mm, largest = 10.0, 2.5, 2.0
    criterion = 0.01 * percent * (reference if local else np.full(reference.shape, reference.max()))
    sampled = brute_force(reference, evaluated, VOXEL, criterion, distance_mm, largest * distance_mm, 30)
    gamma = gamma_index(
        reference,
        evaluated,
        VOXEL,
        percent=percent,
        distance_mm=distance_mm,
        local=local,
        threshold=0.0,
        max_gamma=largest,
    )
    sampled = np.minimum(sampled, largest)
    assert (gamma <= sampled + TOLERANCE).all()
    assert (sampled - gamma).max() < 0.06
    assert abs(sampled - gamma).mean() < 0.006
    assert 0.3 < (gamma <= 1).mean() < 0.99


def test_the_search_ends_where_it_is_told():
    rng = np.random.default_rng(8)
    reference, evaluated = rng.uniform(5, 20, (2, 9, 9, 9))
    far = gamma_index(reference, evaluated, VOXEL, percent=3, max_gamma=50)
    near = gamma_index(reference, evaluated, VOXEL, percent=3, max_gamma=1.5)
    assert np.nanmax(far) > 1.5
    assert_allclose(near, np.minimum(far, 1.5), atol=TOLERANCE)


def test_the_number_of_threads_changes_nothing():
    rng = np.random.default_rng(9)
    reference, evaluated = rng.uniform(5, 20, (2, 16, 17, 18))
    one, three = (gamma_index(reference, evaluated, VOXEL, threads=threads) for threads in (1, 3))
    assert np.array_equal(one, three, equal_nan=True)


def test_global_and_local_criteria():
    reference = np.full((3, 3, 40), 100.0)
    reference[..., 20:] = 20.0
    evaluated = reference * 1.02
    whole = gamma_index(reference, evaluated, (50.0, 50.0, 50.0), percent=4, distance_mm=1, threshold=0.1)
    own = gamma_index(reference, evaluated, (50.0, 50.0, 50.0), percent=4, distance_mm=1, threshold=0.1, local=True)
    assert_allclose(whole[1, 1, 5], 0.5, rtol=1e-5)
    assert_allclose(whole[1, 1, 30], 0.1, rtol=1e-5)
    assert_allclose(own[1, 1, [5, 30]], 0.5, rtol=1e-5)


def test_threshold_and_mask():
    reference = np.linspace(0, 100, 101).reshape(1, 1, 101)
    gamma = gamma_index(reference, reference, VOXEL, threshold=0.3)
    assert (np.isfinite(gamma) == (reference >= 30)).all()
    mask = np.zeros(reference.shape)
    mask[..., 20:50] = 1.0
    mask[..., 50] = 0.5
    mask[..., 51] = 0.49  # counts for the normalisation, 51 Gy, but is not judged
    gamma = gamma_index(reference, reference, VOXEL, threshold=0.5, mask=mask)
    assert np.flatnonzero(np.isfinite(gamma)).tolist() == list(range(26, 51))
    assert_allclose(
        gamma_index(reference, reference + 0.25, (9.0, 9.0, 900.0), mask=mask, threshold=0.5)[0, 0, 30],
        0.25 / 0.51,
        rtol=1e-3,
    )
    judged = gamma_index(reference, reference, VOXEL, threshold=0.0, local=True)
    assert np.flatnonzero(np.isnan(judged)).tolist() == [0]  # no dose, no local criterion


def test_one_voxel_along_an_axis_is_a_uniform_axis():
    rng = np.random.default_rng(4)
    reference, evaluated = rng.uniform(5, 20, (2, 1, 8, 9))
    flat = gamma_index(reference, evaluated, VOXEL, percent=5, distance_mm=3)
    deep = gamma_index(np.repeat(reference, 3, 0), np.repeat(evaluated, 3, 0), VOXEL, percent=5, distance_mm=3)
    assert_allclose(flat[0], deep[1], atol=TOLERANCE)
    assert gamma_index(np.full((1, 1, 1), 2.0), np.full((1, 1, 1), 2.01), VOXEL).item() == pytest.approx(0.5)


def test_the_search_leaves_the_mask_but_not_the_grid():
    place = positions((5, 5, 9))[2]
    mask = np.zeros(place.shape, bool)
    mask[2, 2, 4] = True
    shifted = 100 + 10 * (place + 1.5)
    gamma = gamma_index(100 + 10 * place, shifted, VOXEL, percent=0.1, distance_mm=1, mask=mask)
    assert gamma[2, 2, 4] == pytest.approx(1.5, rel=1e-3)
    edge = gamma_index(100 + 10 * place, shifted, VOXEL, percent=0.1, distance_mm=1, max_gamma=9)
    assert edge[2, 2, 0] == 9.0  # the dose it looks for lies outside


def test_cells_come_nearest_first():
    cells, distance = cells_within(2.0, np.array([1.5, 2.0, 5.0]), (9, 9, 9))
    assert len(cells) == 4 * 2 * 2
    assert (distance[:8] == 0).all()
    assert (distance[8:] == 1.5).all()
    assert len(cells_within(99.0, np.ones(3), (2, 3, 1))[0]) == 2 * 4 * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"evaluated_gy": np.ones((2, 2, 3))}, r"evaluated_gy must have the shape of reference_gy \(2, 2, 2\), got"),
        ({"reference_gy": np.ones((2, 2))}, r"reference_gy must have three axes \(z, y, x\), got shape \(2, 2\)"),
        ({"reference_gy": np.zeros((2, 2, 2))}, "reference_gy must be above 0 Gy somewhere in the mask"),
        ({"evaluated_gy": np.full((2, 2, 2), np.nan)}, "evaluated_gy must be finite, got 8 of 8"),
        ({"reference_gy": np.full((2, 2, 2), np.inf)}, "reference_gy must be finite"),
        ({"evaluated_gy": np.full((2, 2, 2), -0.5)}, "evaluated_gy must not be negative, got -0.5"),
        ({"voxel_mm": (3.0, -3.0, 3.0)}, r"voxel_mm must be positive, got \(3.0, -3.0, 3.0\)"),
        ({"voxel_mm": (3.0, 3.0)}, "voxel_mm must be positive"),
        ({"percent": 0}, r"gamma must be positive \(percent, mm\), got \(0.0, 1.0\)"),
        ({"distance_mm": np.nan}, "gamma must be positive"),
        ({"threshold": 1.0}, "threshold must be a fraction from 0 to below 1, got 1.0"),
        ({"threshold": -0.1}, "threshold must be a fraction"),
        ({"max_gamma": 0.0}, "max_gamma must be positive, got 0.0"),
        ({"max_gamma": np.inf}, "max_gamma must be positive"),
        ({"mask": np.zeros((2, 2, 2), bool)}, "mask must hold at least one voxel, got an empty one"),
        ({"mask": np.ones((2, 2, 1))}, r"mask must have the shape of the doses \(2, 2, 2\), got \(2, 2, 1\)"),
        ({"mask": np.full((2, 2, 2), 1.5)}, "mask must be from 0 to 1, got values from 1.5 to 1.5"),
        ({"mask": np.full((2, 2, 2), np.nan)}, "mask must be from 0 to 1"),
        ({"mask": np.full((2, 2, 2), 0.4)}, "must reach the threshold of 0.1 Gy, got none"),
        ({"threads": 0}, "threads must lie within"),
    ],
)
def test_what_cannot_be_judged_is_refused(change, message):
    arguments = {"reference_gy": np.ones((2, 2, 2)), "evaluated_gy": np.ones((2, 2, 2)), "voxel_mm": VOXEL} | change
    with pytest.raises(ValueError, match=message):
        gamma_index(**arguments)


def test_wrong_kinds_are_refused():
    dose = np.ones((2, 2, 2))
    with pytest.raises(TypeError, match="evaluated_gy must be real numbers, got an array of complex128"):
        gamma_index(dose, dose.astype(complex), VOXEL)
    with pytest.raises(TypeError, match="mask must be bool or coverage"):
        gamma_index(dose, dose, VOXEL, mask=dose.astype(str))
    with pytest.raises(TypeError, match="percent of gamma must be a number, got '1'"):
        gamma_index(dose, dose, VOXEL, percent="1")
