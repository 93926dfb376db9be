"""The spherical world: walking shell by shell must agree with plain geometry in float64."""

import numpy as np
import pytest

from mcdose.transport import geometry
from mcdose.transport.shells import Shells, across, advanced, clearance, jumped, shell_of, to_boundary
from mcdose.transport.world import Place

EDGES = np.concatenate([np.linspace(0.0, 1.0, 11), [1.5, 3.0, 200.0]]).astype(np.float32)


def shells():
    count = EDGES.size - 1
    return Shells(EDGES, np.float32(0.1), np.ones(count, np.float32), np.zeros(count, np.uint8))


def place(shell, x, y, z):
    return Place(np.int32(0), np.int32(0), np.int32(shell), np.float32(z), np.float32(y), np.float32(x))


def directions(count, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, 3))
    return (vectors / np.linalg.norm(vectors, axis=1)[:, None]).astype(np.float32)


def test_walk_gives_the_chord_through_every_shell():
    """The length in each shell of a straight line, against the chords of spheres in float64."""
    world = shells()
    edges = EDGES.astype(float)
    for k, (u, v, w) in enumerate(directions(200, 1)):
        start = np.random.default_rng(k).uniform(-1.2, 1.2, 3)
        shell = int(np.searchsorted(edges, np.linalg.norm(start)) - 1)
        here = place(shell, *start)
        lengths = np.zeros(edges.size - 1)
        for _ in range(100):
            distance, boundary = to_boundary(world, here, u, v, w)
            lengths[shell_of(world, here)] += distance
            here, inside = across(world, here, u, v, w, distance, boundary)
            if not inside:
                break
        else:
            pytest.fail("never left")
        heading = np.array([u, v, w], float)
        along = start @ heading
        miss = start @ start - along**2
        half = np.sqrt(np.maximum(edges**2 - miss, 0.0))  # half chords
        # length ahead of the start inside each sphere: from max(-along - half, 0) to -along + half
        ahead = np.where(edges**2 > miss, np.maximum(-along + half, 0.0) - np.maximum(-along - half, 0.0), 0.0)
        np.testing.assert_allclose(lengths, np.diff(ahead), atol=3e-4)


def test_from_the_centre_every_direction_is_radial():
    world = shells()
    for u, v, w in directions(20, 2):
        distance, boundary = to_boundary(world, place(0, 0.0, 0.0, 0.0), u, v, w)
        assert boundary == 1
        assert distance == pytest.approx(0.1, rel=1e-6)


def test_advanced_sees_a_dip_into_the_inner_shell():
    """Both ends in one shell, the middle in the next one inside: not the same cell."""
    world = shells()
    chord = place(9, 0.5, 0.8, 0.0)  # at radius 0.943, going straight to (-0.5, 0.8): nearest 0.8
    assert not advanced(world, chord, np.float32(-1), np.float32(0), np.float32(0), np.float32(1.0))[1]
    assert advanced(world, chord, np.float32(-1), np.float32(0), np.float32(0), np.float32(0.05))[1]
    assert not advanced(world, chord, np.float32(1), np.float32(0), np.float32(0), np.float32(0.2))[1]  # outwards


@pytest.mark.parametrize("radius", [0.0, 0.05, 0.1, 0.55, 1.2, 2.9, 150.0])
def test_jump_finds_the_shell(radius):
    world = shells()
    for u, v, w in directions(20, 3):
        ahead, inside = jumped(world, place(0, 0.0, 0.0, 0.0), u, v, w, np.float32(radius))
        assert inside
        found = np.sqrt(float(ahead.offset_x) ** 2 + float(ahead.offset_y) ** 2 + float(ahead.offset_z) ** 2)
        assert found == pytest.approx(radius, rel=1e-6)
        shell = shell_of(world, ahead)
        assert EDGES[shell] <= found * (1 + 1e-6)
        assert found <= EDGES[shell + 1] * (1 + 1e-6)


def test_jump_out_of_the_world():
    world = shells()
    for distance in (200.0, 1e9, np.inf):
        up = (np.float32(0), np.float32(0), np.float32(1))
        assert not jumped(world, place(0, 0.0, 0.0, 0.0), *up, np.float32(distance))[1]


def test_geometry_answers_by_the_kind_of_world_in_plain_python():
    """Without a compiler the stubs choose by class."""
    world = shells()
    assert geometry.cell(world, place(3, 0.0, 0.0, 0.35)) == 3
    assert geometry.to_boundary(world, place(0, 0.0, 0.0, 0.0), *directions(1, 4)[0])[1] == 1


def test_clearance_is_the_distance_to_the_nearer_sphere():
    for shell, radius, expected in ((0, 0.02, 0.08), (0, 0.0, 0.1), (4, 0.41, 0.01), (4, 0.48, 0.02), (11, 2.0, 0.5)):
        for direction in directions(5, 3):
            at = place(shell, *(radius * direction))
            assert clearance(shells(), at) == pytest.approx(expected, abs=1e-6)
