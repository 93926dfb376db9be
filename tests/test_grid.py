"""Grids in the patient: voxels to millimetres and back, axes in any order and sense, rigid moves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mcdose.grid import Grid, placed, turned

angles = st.tuples(*[st.floats(-180.0, 180.0)] * 3)
shapes = st.tuples(*[st.integers(1, 7)] * 3)
sides = st.tuples(*[st.floats(0.5, 8.0)] * 3)
places = st.tuples(*[st.floats(-500.0, 500.0)] * 3)
mirrors = st.tuples(*[st.sampled_from([1.0, -1.0])] * 3)


def axes_of(turn):
    """Rows (z, y, x) of a rotation in degrees."""
    return Rotation.from_euler("xyz", turn, degrees=True).as_matrix()[::-1, ::-1].T


@given(shapes, sides, places, angles, mirrors, st.permutations(range(3)))
@settings(deadline=None, max_examples=100, database=None, derandomize=True)
def test_stored_values_in_any_order_and_sense_keep_their_places(shape, voxel_mm, origin_mm, turn, mirror, order):
    """Left-handed axes, permuted ones and mirrored ones too: each value is where its own axes put it."""
    axes = (axes_of(turn) * np.array(mirror)[:, None])[order]
    stored = np.arange(np.prod(shape)).reshape(shape)
    found = turned(shape, voxel_mm, origin_mm, axes)
    values = found.values(stored)
    assert values.flags.c_contiguous
    assert np.linalg.det(np.array(found.grid.direction)) == pytest.approx(1.0)
    for index in np.ndindex(shape):
        place = np.array(origin_mm) + (np.array(index) * voxel_mm) @ axes
        at = np.argwhere(values == stored[index])[0]
        np.testing.assert_allclose(found.grid.position_mm(at), place, atol=0.006)
    # each axis lies nearest to its own: no other order and sense has a larger trace
    assert np.trace(np.array(found.grid.direction)) >= np.abs(axes).max(axis=0).min() - 1e-6


@given(shapes, sides, places, angles)
@settings(deadline=None, max_examples=100, database=None, derandomize=True)
def test_affine_and_edges_are_those_of_the_voxels(shape, voxel_mm, origin_mm, turn):
    grid = placed(shape, voxel_mm, origin_mm, axes_of(turn))
    last = np.array(shape) - 1
    by_affine = (grid.affine @ [*last[::-1], 1.0])[:3]
    np.testing.assert_allclose(by_affine, grid.position_mm(last)[::-1], atol=1e-9)
    inverse = np.linalg.inv(grid.affine) @ [*grid.position_mm(last)[::-1], 1.0]
    np.testing.assert_allclose(inverse[:3], last[::-1], atol=1e-6)
    along = grid.position_mm(last) @ np.array(grid.direction).T
    np.testing.assert_allclose([grid.centres_mm(axis)[-1] for axis in range(3)], along, atol=1e-9)
    corners = grid.corners_mm() @ np.array(grid.direction).T
    for axis in range(3):
        edges = grid.edges_mm(axis)
        np.testing.assert_allclose([corners[:, axis].min(), corners[:, axis].max()], edges[[0, -1]], atol=1e-9)


@given(shapes, sides, places, angles, angles, places)
@settings(deadline=None, max_examples=50, database=None, derandomize=True)
def test_a_rigid_move_takes_every_voxel_along(shape, voxel_mm, origin_mm, turn, move, shift):
    grid = placed(shape, voxel_mm, origin_mm, axes_of(turn))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = Rotation.from_euler("xyz", move, degrees=True).as_matrix(), shift
    np.testing.assert_allclose(grid.moved(matrix).affine, matrix @ grid.affine, atol=0.006)


def test_nearly_upright_axes_are_the_patients():
    assert placed((10, 10, 10), (3, 3, 3), (0, 0, 0), axes_of((1e-3, 0, 0))).upright
    assert not placed((100, 100, 100), (3, 3, 3), (0, 0, 0), axes_of((0.01, 0, 0))).upright


def test_moves_that_are_not_rigid_are_refused():
    grid = Grid((2, 2, 2), (1.0, 1.0, 1.0))
    for matrix in (np.diag([1.1, 1, 1, 1]), np.diag([-1.0, 1, 1, 1])):
        with pytest.raises(ValueError, match="matrix must be a rotation and a shift"):
            grid.moved(matrix)
