"""The voxel world: a ray goes where the straight line goes."""

import numba
import numpy as np
import pytest
from draws import DIRECTIONS

from mcdose.transport.world import FAR, Place, World, across_face, clearance, jumped, moved, to_face, voxel_of

SHAPE = (6, 9, 7)  # z, y, x
SIDES = (0.5, 0.2, 0.33)  # cm


def world(shape=SHAPE, sides=SIDES):
    cells = shape[0] * shape[1] * shape[2] if shape[0] * shape[1] * shape[2] < 1e6 else 1
    return World(
        *(np.int32(n) for n in shape),
        *(np.float32(1.0 / side) for side in sides),
        np.float32(min(sides)),
        np.ones(cells, np.float32),
        np.zeros(cells, np.uint8),
    )


def place(indices, offsets):
    return Place(*(np.int32(i) for i in indices), *(np.float32(f) for f in offsets))


def single(direction):
    return tuple(np.float32(x) for x in direction)


def position(at, sides=SIDES):
    """Return a place's coordinates (z, y, x) in cm, in float64."""
    return (np.array(at[:3], np.float64) + np.array(at[3:], np.float64)) * sides


@numba.njit
def walk(world, place, u, v, w, path):
    """Go face by face until the path is used up; return place, whether it is inside, path left, crossings."""
    crossings = 0
    while crossings < 1000:
        distance, axis = to_face(world, place, u, v, w)
        if distance >= path:
            offset_z, offset_y, offset_x = moved(world, place, u, v, w, path)
            here = Place(place.z, place.y, place.x, offset_z, offset_y, offset_x)
            return here, True, np.float32(0.0), crossings
        path = np.float32(path - distance)
        place, inside = across_face(world, place, u, v, w, distance, axis)
        crossings += 1
        if not inside:
            return place, False, path, crossings
    return place, True, path, crossings


def test_voxel_of_is_the_flat_index():
    numbers = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    for z, y, x in np.ndindex(*SHAPE):
        assert voxel_of(world(), place((z, y, x), (0.5, 0.5, 0.5))) == numbers[z, y, x]


def test_voxel_of_a_grid_beyond_2_to_the_31():
    large = world((2000, 2000, 2000))
    assert voxel_of(large, place((1999, 1999, 1999), (0, 0, 0))) == 2000**3 - 1


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ((1.0, 0.0, 0.0), (0.25 * 0.33, 2)),
        ((-1.0, 0.0, 0.0), (0.75 * 0.33, 2)),
        ((0.0, 1.0, 0.0), (0.5 * 0.2, 1)),
        ((0.0, -1.0, 0.0), (0.5 * 0.2, 1)),
        ((0.0, 0.0, 1.0), (0.9 * 0.5, 0)),
        ((-0.0, -0.0, -1.0), (0.1 * 0.5, 0)),
        ((0.6, 0.8, 0.0), (0.1 / 0.8, 1)),
        ((1e-9, 0.0, 1.0), (0.45, 0)),
    ],
)
def test_distance_to_the_nearest_face(direction, expected):
    distance, axis = to_face(world(), place((3, 3, 3), (0.1, 0.5, 0.75)), *single(direction))
    assert distance == pytest.approx(expected[0], rel=1e-5)
    assert axis == expected[1]


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_ray_walked_face_by_face_ends_on_the_straight_line(direction):
    generator = np.random.default_rng(3)
    u, v, w = single(direction)
    along = np.array([w, v, u], np.float64)
    limits = np.array(SHAPE) * SIDES
    for path in (1e-6, 0.01, 0.1, 0.4, 0.9, 1.48, 2.97):
        for offsets in (*generator.random((3, 3)), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 1.0, 0.5)):
            start = place((3, 4, 3), offsets)
            end, inside, left, crossings = walk(world(), start, u, v, w, np.float32(path))
            target = position(start) + path * along
            within = np.all((target > 1e-6) & (target < limits - 1e-6))
            assert inside == within
            if inside:
                assert left == 0.0
                assert np.abs(position(end) - target).max() < 3e-6
            else:
                assert np.abs(position(end) - (position(start) + (path - left) * along)).max() < 3e-6
            assert crossings <= sum(SHAPE)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_jump_ends_on_the_straight_line(direction):
    generator = np.random.default_rng(4)
    u, v, w = single(direction)
    along = np.array([w, v, u], np.float64)
    limits = np.array(SHAPE) * SIDES
    for path in (1e-6, 0.01, 0.4, 0.9, 1.48, 2.97):
        for offsets in (*generator.random((3, 3)), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)):
            start = place((3, 4, 3), offsets)
            end, inside = jumped(world(), start, u, v, w, np.float32(path))
            target = position(start) + path * along
            assert inside == np.all((target > 1e-6) & (target < limits - 1e-6))
            if inside:
                assert np.abs(position(end) - target).max() < 3e-6
                assert min(end[3:]) >= 0.0
                assert max(end[3:]) <= 1.0
                assert np.all((np.array(end[:3]) >= 0) & (np.array(end[:3]) < SHAPE))


@pytest.mark.parametrize("distance", [1e3, FAR, 1e20, np.inf])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_far_jumps_leave_the_grid(direction, distance):
    start = place((0, 8, 6), (0.5, 0.5, 0.5))
    if distance == np.inf and 0.0 in direction:
        return  # 0 * inf; an exponential deviate over a bound above 0 is finite
    assert not jumped(world(), start, *single(direction), np.float32(distance))[1]


def test_a_jump_that_ends_exactly_on_the_outer_faces():
    cube = world((2, 2, 2), (1.0, 1.0, 1.0))
    middle = place((0, 0, 0), (0.5, 0.5, 0.5))
    assert not jumped(cube, middle, *single((1, 0, 0)), np.float32(1.5))[1]  # x = 2 is outside
    assert jumped(cube, middle, *single((-1, 0, 0)), np.float32(0.5)) == (place((0, 0, 0), (0.5, 0.5, 0.0)), True)
    inner, inside = jumped(cube, middle, *single((1, 0, 0)), np.float32(0.5))
    assert (inner, inside) == (place((0, 0, 1), (0.5, 0.5, 0.0)), True)


def test_a_jump_to_just_below_a_face_keeps_the_offset_at_most_1():
    cube = world((2, 2, 2), (1.0, 1.0, 1.0))
    start = place((1, 1, 1), (0.5, 0.5, 1e-10))
    end, inside = jumped(cube, start, *single((-1, 0, 0)), np.float32(2e-10))
    assert inside
    assert end == place((1, 1, 0), (0.5, 0.5, 1.0))
    assert to_face(cube, end, *single((1, 0, 0)))[0] == 0.0


def test_on_a_face_and_going_back_costs_no_path():
    start = place((3, 3, 3), (0.5, 0.5, 0.0))
    distance, axis = to_face(world(), start, *single((-0.6, 0.0, 0.8)))
    assert (distance, axis) == (0.0, 2)
    behind, inside = across_face(world(), start, *single((-0.6, 0.0, 0.8)), distance, axis)
    assert inside
    assert behind == place((3, 3, 2), (0.5, 0.5, 1.0))


def test_corner_is_crossed_in_three_steps():
    start = place((2, 2, 2), (0.5, 0.5, 0.5))
    cube = world((4, 4, 4), (1.0, 1.0, 1.0))
    direction = single((1.0 / np.sqrt(3.0),) * 3)
    end, inside, _, crossings = walk(cube, start, *direction, np.float32(np.sqrt(3.0)))
    assert inside
    assert crossings in (2, 3)
    assert np.abs(position(end, (1.0, 1.0, 1.0)) - 3.5).max() < 1e-6


def test_leaving_the_grid_says_so():
    for axis, direction in ((2, (1, 0, 0)), (1, (0, 1, 0)), (0, (0, 0, 1))):
        cube = world((1, 1, 1), (1.0, 1.0, 1.0))
        for sign in (1.0, -1.0):
            u, v, w = (np.float32(sign * x) for x in direction)
            distance, found = to_face(cube, place((0, 0, 0), (0.5, 0.5, 0.5)), u, v, w)
            assert (found, distance) == (axis, 0.5)
            assert not across_face(cube, place((0, 0, 0), (0.5, 0.5, 0.5)), u, v, w, distance, found)[1]


def test_not_a_number_leaves_the_grid():
    nothing = np.float32(np.nan)
    assert not jumped(world(), place((3, 3, 3), (0.5, 0.5, 0.5)), nothing, nothing, nothing, np.float32(1.0))[1]


def test_clearance_is_the_distance_to_the_nearest_face():
    """In cubes; where the sides differ it is no more."""
    generator = np.random.default_rng(4)
    for offsets in (*generator.random((50, 3)), (0.0, 0.5, 0.5), (0.5, 1.0, 0.5), (0.5, 0.5, 0.5)):
        at = place((2, 3, 4), offsets)
        nearest = min(min(offset, 1.0 - offset) for offset in offsets)
        assert clearance(world(sides=(0.3,) * 3), at) == pytest.approx(0.3 * nearest, abs=1e-7)
        distances = [side * min(offset, 1.0 - offset) for side, offset in zip(SIDES, offsets, strict=True)]
        assert clearance(world(), at) <= min(distances) + 1e-7
