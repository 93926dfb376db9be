import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcdose.errors import InputError
from mcdose.grid import Grid, Volume
from mcdose.resample import average, conserve, outside_fraction, overlap_matrix, require_coverage


def brute_force_overlap(source, target):
    low = np.maximum(source[None, :-1], target[:-1, None])
    high = np.minimum(source[None, 1:], target[1:, None])
    return np.clip(high - low, 0.0, None)


def brute_force_content(values, source, target):
    """Overlap volumes of all pairs of voxels at once."""
    z, y, x = (
        brute_force_overlap(source.edges_mm(axis), target.edges_mm(axis)) / source.voxel_mm[axis] for axis in range(3)
    )
    return np.einsum("ai,bj,ck,ijk->abc", z, y, x, values)


sides = st.floats(0.5, 8.0)
offsets = st.floats(-10.0, 10.0)
grids = st.builds(
    Grid,
    shape=st.tuples(*[st.integers(1, 9)] * 3),
    voxel_mm=st.tuples(sides, sides, sides),
    origin_mm=st.tuples(offsets, offsets, offsets),
)


@given(grids, grids)
@settings(deadline=None, max_examples=60, database=None, derandomize=True)
def test_overlap_matrix_is_the_overlap_of_every_pair(source, target):
    for axis in range(3):
        edges = source.edges_mm(axis), target.edges_mm(axis)
        np.testing.assert_allclose(overlap_matrix(*edges).toarray(), brute_force_overlap(*edges), atol=1e-8)


@given(grids, grids, st.integers(0, 2**32))
@settings(deadline=None, max_examples=60, database=None, derandomize=True)
def test_random_grids_agree_with_brute_force_and_conserve(source, target, seed):
    values = np.random.default_rng(seed).random(source.shape) * 1e9
    expected = brute_force_content(values, source, target)
    reach = [brute_force_overlap(source.edges_mm(axis), target.edges_mm(axis)).max() for axis in range(3)]
    if min(reach) < 1e-6:  # apart, or they touch
        return
    result = conserve(Volume(values, source), target)
    np.testing.assert_allclose(result.volume.values, expected, rtol=1e-9, atol=1.0)
    assert result.volume.values.sum() + result.outside == pytest.approx(values.sum(), rel=1e-9)
    assert result.outside == pytest.approx(values.sum() - expected.sum(), abs=1e-9 * values.sum())
    assert outside_fraction(Volume(values, source), target) == pytest.approx(result.outside / values.sum())

    # The mean of a voxel is the content of it, where the source's content is its value times its volume.
    mean = average(Volume(values, source), target, outside=7e8).values
    share = source.voxel_ml / target.voxel_ml
    covered = brute_force_content(np.ones(source.shape), source, target) * share
    np.testing.assert_allclose(mean, expected * share + (1 - covered) * 7e8, rtol=1e-5, atol=100.0)


def test_the_same_grid_changes_nothing():
    grid = Grid((3, 4, 5), (5.0, 0.8047, 0.8047), (-301.25, -205.2, 17.3))
    values = np.random.default_rng(1).random(grid.shape)
    result = conserve(Volume(values, grid), grid)
    np.testing.assert_allclose(result.volume.values, values, rtol=1e-12)
    assert result.outside == 0.0
    np.testing.assert_array_equal(
        average(Volume(values.astype(np.float32), grid), grid, 0.0).values, values.astype(np.float32)
    )


def test_splitting_and_gathering_voxels():
    coarse = Grid((2, 3, 4), (6.0, 4.0, 9.0), (0.0, 0.0, 0.0))
    fine = Grid((4, 6, 12), (3.0, 2.0, 3.0), (-1.5, -1.0, -3.0))
    values = np.arange(24.0).reshape(coarse.shape)
    repeated = values.repeat(2, 0).repeat(2, 1).repeat(3, 2)
    np.testing.assert_allclose(conserve(Volume(values, coarse), fine).volume.values, repeated / 12, rtol=1e-12)
    np.testing.assert_allclose(average(Volume(values, coarse), fine, -1.0).values, repeated, rtol=1e-6)
    detail = np.random.default_rng(2).random(fine.shape)
    blocks = detail.reshape(2, 2, 3, 2, 4, 3)
    np.testing.assert_allclose(conserve(Volume(detail, fine), coarse).volume.values, blocks.sum((1, 3, 5)), rtol=1e-12)
    np.testing.assert_allclose(average(Volume(detail, fine), coarse, -1.0).values, blocks.mean((1, 3, 5)), rtol=1e-6)


def test_a_shifted_voxel_leaves_its_shares():
    # One voxel, moved by (1, 0.5, 2) mm against voxels of (4, 2, 8) mm: a quarter of it on each axis in the next one.
    source = Grid((1, 1, 1), (4.0, 2.0, 8.0), (1.0, 0.5, 2.0))
    target = Grid((2, 2, 1), (4.0, 2.0, 8.0), (0.0, 0.0, 0.0))
    result = conserve(Volume(np.array([[[64.0]]]), source), target)
    np.testing.assert_allclose(result.volume.values[:, :, 0], np.outer([0.75, 0.25], [0.75, 0.25]) * 0.75 * 64)
    assert result.outside == pytest.approx(16.0)
    mean = average(Volume(np.array([[[64.0]]]), source), target, outside=10.0).values[0, 0, 0]
    assert mean == pytest.approx(0.75**3 * 64 + (1 - 0.75**3) * 10)


def test_a_linear_field_keeps_its_value_at_the_centres_of_gathered_voxels():
    source = Grid((40, 40, 40), (1.0, 1.0, 1.0))
    target = Grid((5, 6, 7), (5.0, 3.0, 4.0), (4.5, 7.5, 3.5))  # limits fall on the source's limits or centres
    z, y, x = np.meshgrid(*[source.centres_mm(axis) for axis in range(3)], indexing="ij")
    mean = average(Volume(2 * z - y + 0.5 * x, source), target, 0.0).values
    z, y, x = np.meshgrid(*[target.centres_mm(axis) for axis in range(3)], indexing="ij")
    np.testing.assert_allclose(mean, 2 * z - y + 0.5 * x, atol=1e-5)


def test_a_constant_stays_one_where_its_surroundings_have_it_too():
    source = Grid((7, 8, 9), (2.3, 1.1, 0.7), (3.1, -2.0, 0.4))
    target = Grid((9, 8, 7), (3.0, 3.0, 3.0))
    mean = average(Volume(np.full(source.shape, 1.06), source), target, outside=1.06).values
    np.testing.assert_allclose(mean, 1.06, rtol=1e-6)
    assert mean.dtype == np.float32


def test_where_the_source_does_not_reach_is_exactly_the_outside():
    source = Grid((2, 2, 2), (3.0, 3.0, 3.0))
    target = Grid((6, 6, 6), (3.0, 3.0, 3.0))
    mean = average(Volume(np.ones(source.shape), source), target, outside=0.00121).values
    assert (mean[:2, :2, :2] == 1.0).all()
    assert np.count_nonzero(mean == np.float32(0.00121)) == 6**3 - 2**3


def test_ct_of_integers_and_reversed_views_are_taken_as_they_are():
    grid = Grid((4, 5, 6), (5.0, 1.0, 1.0))
    coarse = Grid((2, 5, 3), (10.0, 1.0, 2.0), (2.5, 0.0, 0.5))
    hu = np.random.default_rng(3).integers(-3024, 3071, grid.shape).astype(np.int16)[::-1]
    expected = hu.astype(float).reshape(2, 2, 5, 3, 2).mean((1, 4))
    np.testing.assert_allclose(average(Volume(hu, grid), coarse, -1000.0).values, expected, rtol=1e-6)


def test_memory_is_that_of_a_few_planes():
    ct = Grid((40, 128, 128), (2.0, 1.0, 1.0))
    pet = Grid((27, 32, 32), (3.0, 4.0, 4.0))
    values = np.ones(ct.shape, dtype=np.float32)
    average(Volume(values, ct), pet, 0.0)  # scipy is loaded by now
    tracemalloc.start()
    average(Volume(values, ct), pet, 0.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 27 * 32 * 32 * 4 + 8 * 128 * 128 * 8


def test_grids_apart_are_refused_with_both_extents():
    near = Volume(np.ones((2, 2, 2)), Grid((2, 2, 2), (3.0, 3.0, 3.0)))
    far = Grid((2, 2, 2), (3.0, 3.0, 3.0), (0.0, 500.0, 0.0))
    extents = r"z -1.5 to 4.5, y -1.5 to 4.5, x -1.5 to 4.5 mm and .*z -1.5 to 4.5, y 498.5 to 504.5, x -1.5 to 4.5 mm"
    for call in (
        lambda: conserve(near, far),
        lambda: average(near, far, 0.0),
        lambda: require_coverage(near, far),
    ):
        with pytest.raises(InputError, match=f"must overlap, got .*{extents}"):
            call()
    assert outside_fraction(near, far) == 1.0


def test_grids_that_only_touch_do_not_overlap():
    near = Volume(np.ones((3, 2, 2)), Grid((3, 2, 2), (0.7, 1.0, 1.0)))
    touching = Grid((1, 2, 2), (0.7, 1.0, 1.0), (3 * 0.7, 0.0, 0.0))
    assert near.grid.edges_mm(0)[-1] > touching.edges_mm(0)[0]  # by rounding
    with pytest.raises(InputError, match="must overlap"):
        conserve(near, touching)


def activity_with_share_outside(share):
    values = np.zeros((1, 1, 10))
    values[0, 0, 9] = share
    values[0, 0, 4] = 1 - share
    return Volume(values * 1e9, Grid((1, 1, 10), (3.0, 3.0, 3.0)))


def test_a_percent_outside_the_ct_is_tolerated_with_a_warning_and_more_is_refused():
    ct = Grid((3, 3, 9), (3.0, 3.0, 3.0), (-3.0, -3.0, 0.0))
    assert require_coverage(activity_with_share_outside(0.0), ct) is None
    assert require_coverage(activity_with_share_outside(0.004), ct).startswith("0.4 % of the activity lies outside")
    with pytest.raises(InputError, match=r"at most 1% of the activity may lie outside the CT, got 1\.10 %: activity z"):
        require_coverage(activity_with_share_outside(0.011), ct)


def test_undefined_values_are_counted_and_shapes_are_checked():
    grid = Grid((2, 2, 2), (3.0, 3.0, 3.0))
    values = np.ones(grid.shape)
    values[1, 1] = np.nan
    for call in (lambda v: conserve(v, grid), lambda v: average(v, grid, 0.0), lambda v: outside_fraction(v, grid)):
        with pytest.raises(ValueError, match="finite, got 2 of 8"):
            call(Volume(values, grid))
        with pytest.raises(ValueError, match=r"shape of their grid \(2, 2, 2\), got \(2, 2\)"):
            call(Volume(np.ones((2, 2)), grid))


def test_no_activity_has_no_share():
    grid = Grid((2, 2, 2), (3.0, 3.0, 3.0))
    with pytest.raises(ValueError, match=r"more than 0, got 0\.0"):
        outside_fraction(Volume(np.zeros(grid.shape), grid), grid)
