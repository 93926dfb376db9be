"""Sharing between grids that are turned against each other: all is kept, uniform stays uniform, boxes overlap right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.stats import qmc

from mcdose.errors import InputError
from mcdose.grid import Grid, Volume, placed
from mcdose.oblique_overlap import below, collect, corners_of, index_matrix
from mcdose.resample import average, conserve, covered, meet, outside_fraction

angles = st.floats(-180.0, 180.0)
sides = st.floats(0.5, 8.0)
offsets = st.floats(-10.0, 10.0)


def turned_grid(shape, voxel_mm, centre_mm, turn):
    axes = turn[::-1, ::-1].T
    middle = 0.5 * (np.array(shape) - 1) * np.array(voxel_mm) @ axes
    return placed(shape, voxel_mm, np.array(centre_mm) - middle, axes)


oblique_grids = st.builds(
    lambda shape, voxel, centre, turn: turned_grid(
        shape, voxel, centre, Rotation.from_euler("xyz", turn, True).as_matrix()
    ),
    shape=st.tuples(*[st.integers(1, 6)] * 3),
    voxel=st.tuples(sides, sides, sides),
    centre=st.tuples(offsets, offsets, offsets),
    turn=st.tuples(angles, angles, angles),
)


@given(oblique_grids, oblique_grids, st.integers(0, 2**32))
@settings(deadline=None, max_examples=80, database=None, derandomize=True)
def test_all_is_kept_on_any_pair_of_grids(source, target, seed):
    values = np.random.default_rng(seed).random(source.shape) * 1e9
    collected = collect(values, index_matrix(source, target), target.shape)
    assert collected.values.sum() + collected.outside == pytest.approx(values.sum(), rel=1e-9)
    assert collected.values.min() >= -1e-9 * values.sum()
    if meet(source, target):
        result = conserve(Volume(values, source), target)
        assert result.volume.values.sum() + result.outside == pytest.approx(values.sum(), rel=1e-6)
        # the share outside is found from the target as a whole, which the voxels' edges need not be cut for
        fraction = outside_fraction(Volume(values, source), target)
        assert fraction == pytest.approx(result.outside / values.sum(), abs=0.02)
    else:
        assert collected.values.sum() <= 1e-6 * values.sum()  # the rounded edges of boxes may touch
        with pytest.raises(InputError, match="must overlap"):
            conserve(Volume(values, source), target)


@given(st.floats(-1.5, 1.5), st.tuples(*[st.floats(1e-3, 1.0)] * 3))
@settings(deadline=None, max_examples=50, database=None, derandomize=True)
def test_part_of_a_box_below_a_place_is_the_distribution_of_a_sum(place, edges):
    """Against the mean over a lattice of the one-dimensional distribution of the third variable."""
    u, v = np.meshgrid((np.arange(400) + 0.5) / 400 - 0.5, (np.arange(400) + 0.5) / 400 - 0.5)
    ordered = np.sort(edges)
    rest = place - u * ordered[1] - v * ordered[0]
    expected = np.clip(rest / ordered[2] + 0.5, 0.0, 1.0).mean()
    assert below(place, corners_of(np.array([edges]))[0]) == pytest.approx(expected, abs=2e-5)


def brute_force(source, target, count):
    """Content of the target's voxels of a source of density 1: evenly spread points within each source voxel."""
    points = qmc.Sobol(3, seed=1).random(count)
    content = np.zeros(target.shape)
    inverse = np.linalg.inv(target.affine)
    for index in np.ndindex(source.shape):
        places = source.position_mm(np.array(index) + points - 0.5)[:, ::-1]
        cells = np.floor(places @ inverse[:3, :3].T + inverse[:3, 3] + 0.5).astype(int)[:, ::-1]
        inside = ((cells >= 0) & (cells < target.shape)).all(axis=1)
        np.add.at(content, tuple(cells[inside].T), source.voxel_ml / count)
    return content


@pytest.mark.parametrize("turn", [(10.0, 0.0, 0.0), (21.0, -14.0, 33.0), (45.0, 35.0, 0.0), (90.0, 0.0, 0.0)])
@pytest.mark.parametrize("side", [(2.0, 2.0, 2.0), (5.0, 1.5, 3.0), (7.0, 7.0, 7.0)])
def test_overlap_of_two_grids_is_that_of_points(turn, side):
    """Within 3 % of a target voxel for each, at the edges of the source (2.6 % is the worst here); 0.1 % in the sum."""
    matrix = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    source = turned_grid((3, 3, 2), side, (1.0, -2.0, 0.5), matrix)
    target = Grid((8, 8, 8), (3.0, 3.0, 3.0), (-10.5, -10.5, -10.5))
    found = conserve(Volume(np.full(source.shape, source.voxel_ml), source), target)
    expected = brute_force(source, target, 2**13)
    assert np.abs(found.volume.values - expected).max() < 0.03 * target.voxel_ml
    assert found.volume.values.sum() == pytest.approx(expected.sum(), rel=1e-3)


@pytest.mark.parametrize("turn", [(5.0, 3.0, -2.0), (20.0, -10.0, 15.0), (45.0, 0.0, 0.0), (45.0, 30.0, 20.0)])
@pytest.mark.parametrize("side", [(1.0, 1.0, 1.0), (3.0, 4.0, 4.0), (8.0, 8.0, 8.0)])
def test_uniform_activity_stays_uniform(turn, side):
    """Within 1 % in every voxel (0.6 % is the worst here)."""
    matrix = Rotation.from_euler("xyz", turn, degrees=True).as_matrix()
    source = turned_grid(tuple(int(120 / s) for s in side), side, (1.2, 0.7, 0.3), matrix)
    target = Grid((14, 14, 14), (3.0, 3.0, 3.0), (-19.5, -19.5, -19.5))
    content = conserve(Volume(np.full(source.shape, source.voxel_ml), source), target).volume.values
    np.testing.assert_allclose(content / target.voxel_ml, 1.0, atol=0.01)


def test_averages_of_turned_voxels():
    """A constant stays that exactly where the source reaches, and becomes the outside where it does not."""
    turn = Rotation.from_euler("xyz", (21.0, -14.0, 33.0), degrees=True).as_matrix()
    source = turned_grid((20, 20, 20), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), turn)
    target = Grid((30, 30, 30), (3.0, 3.0, 3.0), (-43.5, -43.5, -43.5))
    mean = average(Volume(np.full(source.shape, 1.05), source), target, 0.0012).values
    assert np.count_nonzero(mean == np.float32(1.05)) > 1000
    assert mean.min() == pytest.approx(0.0012, rel=1e-6)
    assert mean.max() == np.float32(1.05)
    # volume-weighted: (1.05 - 0.0012) times the volume of the source
    assert (mean - 0.0012).sum(dtype=float) * target.voxel_ml == pytest.approx(1.0488 * 64.0, rel=2e-3)
    # a gradient along z keeps its place
    z = source.position_mm(np.moveaxis(np.indices(source.shape), 0, -1))[..., 0]
    inside = mean == np.float32(1.05)
    slope = average(Volume(z, source), target, 0.0).values
    np.testing.assert_allclose(
        slope[inside], np.broadcast_to(target.centres_mm(0)[:, None, None], mean.shape)[inside], atol=0.1
    )


def test_coverage_of_turned_voxels_keeps_the_volume():
    turn = Rotation.from_euler("xyz", (10.0, 20.0, -30.0), degrees=True).as_matrix()
    source = turned_grid((30, 30, 30), (1.0, 1.0, 1.0), (0.5, 0.2, -0.7), turn)
    z, y, x = np.indices(source.shape) - 14.5
    ball = (z**2 + y**2 + x**2 < 12.0**2).astype(float)
    target = Grid((12, 12, 12), (4.0, 4.0, 4.0), (-22.0, -22.0, -22.0))
    coverage = covered(ball, source, target)
    assert coverage.max() == 1.0
    assert coverage.sum(dtype=float) * target.voxel_ml == pytest.approx(ball.sum() * source.voxel_ml, rel=2e-3)
    far = Grid((3, 3, 3), (4.0, 4.0, 4.0), (500.0, 0.0, 0.0))
    assert not covered(ball, source, far).any()
