"""Directions stay unit vectors and turn by the angle asked for, at the poles too."""

import numba
import numpy as np
import pytest
from draws import DIRECTIONS, SEED, assert_distributed, assert_mean, uniforms

from mcdose.physics.direction import isotropic, sin_cos_turn, turned

TURNS = np.append(np.linspace(0.0, 1.0, 4001)[:-1], [2.0**-24, 1.0 - 2.0**-24, 0.125, 0.375, 0.625, 0.875]).astype(
    np.float32
)


def largest(differences):
    return np.abs(differences).max()


@numba.njit
def all_turned(u, v, w, one_minus_cosine, turns):
    result = np.empty((turns.size, 3), np.float32)
    for i in range(turns.size):
        result[i, 0], result[i, 1], result[i, 2] = turned(u, v, w, one_minus_cosine, turns[i])
    return result


@numba.njit
def all_isotropic(pairs):
    result = np.empty((pairs.shape[0], 3), np.float32)
    for i in range(pairs.shape[0]):
        result[i, 0], result[i, 1], result[i, 2] = isotropic(pairs[i, 0], pairs[i, 1])
    return result


def test_sine_and_cosine():
    for turn in TURNS:
        sine, cosine = sin_cos_turn(turn)
        assert sine == pytest.approx(np.sin(2.0 * np.pi * float(turn)), abs=5e-7)
        assert cosine == pytest.approx(np.cos(2.0 * np.pi * float(turn)), abs=5e-7)


def test_isotropic():
    directions = all_isotropic(uniforms(200_000, SEED)[:, :2]).astype(np.float64)
    assert largest(np.linalg.norm(directions, axis=1) - 1.0) < 1e-6
    for axis in range(3):
        assert_distributed(directions[:, axis], np.linspace(-1.0, 1.0, 51), np.full(50, 0.02))
        for other in range(axis):
            assert_mean(directions[:, axis] * directions[:, other], 0.0)
    edge = np.float32(2.0**-24)
    for first in (edge, np.float32(1.0) - edge):
        assert np.linalg.norm(isotropic(first, edge)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("one_minus_cosine", [0.0, 1e-12, 1e-7, 1e-4, 0.03, 0.5, 1.0, 1.7, 1.9999, 2.0])
def test_turned(direction, one_minus_cosine):
    before = np.array(direction, np.float32)
    given = np.float32(one_minus_cosine)
    after = all_turned(*before, given, TURNS).astype(np.float64)
    before, given = before.astype(np.float64), float(given)
    assert largest(np.linalg.norm(after, axis=1) - 1.0) < 1e-6
    assert largest(after @ before - (1.0 - given)) < 1e-6
    # The sine keeps its digits where the cosine is 1 to rounding.
    sine = np.sqrt(given * (2.0 - given))
    assert largest(np.linalg.norm(np.cross(before, after), axis=1) - sine) < 1e-6
    # Azimuth: equal steps of `turn` are equal steps around the old direction, and half a turn is the opposite side.
    across = after[:4000] - (after[:4000] @ before)[:, None] * before
    assert largest(across.mean(axis=0)) < 1e-6
    assert largest(across[:2000] + across[2000:]) < 2e-6
    if sine > 0.1:
        step = np.einsum("ij,ij->i", across, np.roll(across, -1, axis=0)) / sine**2
        assert largest(step - np.cos(2.0 * np.pi / 4000)) < 1e-5


def test_length_does_not_drift():
    direction = tuple(np.float32(x) for x in DIRECTIONS[-2])
    for first, second, _, _ in uniforms(2000, SEED):
        direction = tuple(np.float32(x) for x in turned(*direction, np.float32(2.0) * first, second))
    assert np.linalg.norm(np.array(direction, np.float64)) == pytest.approx(1.0, abs=1e-6)
