"""Sharing between coarse voxels and spreading from them by cubics: moments, polynomials, no edge effects."""

import numpy as np
import pytest

from mcdose.smooth_voxels import Interpolated, coarse_shape, margin_of, shared

CASES = [((7, 9, 4), (3, 2, 1)), ((1, 5, 8), (1, 5, 3)), ((20, 18, 25), (2, 3, 6))]


def middles(size, count):
    """Of the coarse voxels, in voxels of the grid."""
    return (np.arange(coarse_shape((size,) * 3, (count,) * 3)[0]) + 0.5) * count - 0.5 - margin_of(count)


@pytest.mark.parametrize(("shape", "merge"), CASES)
def test_sharing_keeps_the_moments_to_the_third(shape, merge):
    values = np.random.default_rng(1).random(shape)
    coarse = shared(values, merge)
    assert coarse.shape == coarse_shape(shape, merge)
    for axis, (size, count) in enumerate(zip(shape, merge, strict=True)):
        others = tuple(k for k in range(3) if k != axis)
        line, fine = coarse.sum(axis=others), values.sum(axis=others)
        for power in range(4):
            expected = (fine * np.arange(size) ** power).sum()
            assert (line * middles(size, count) ** power).sum() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("shape", "merge"), CASES)
def test_spreading_gives_cubics_back(shape, merge):
    """To the faces of the grid: there are middles beyond them."""

    def cubic(z, y, x):
        return (1.0 + z + 0.1 * z**3) * (2.0 + 0.2 * y**2) * (3.0 + 0.01 * x**3)

    lines = [middles(size, count) for size, count in zip(shape, merge, strict=True)]
    lines = [
        line[: coarse_shape((size,) * 3, (count,) * 3)[0]]
        for line, size, count in zip(lines, shape, merge, strict=True)
    ]
    # values of a coarse voxel are energies: as many voxels of the grid as it has
    shift = [abs(min(line[0], 0.0)) for line in lines]
    coarse = np.prod(merge) * cubic(*np.meshgrid(*(a + s for a, s in zip(lines, shift, strict=True)), indexing="ij"))
    fine = cubic(*np.meshgrid(*(np.arange(size) + s for size, s in zip(shape, shift, strict=True)), indexing="ij"))
    spread = Interpolated(coarse, shape, merge)
    np.testing.assert_allclose(spread.planes(slice(None)), fine, rtol=1e-11)
    np.testing.assert_allclose(spread.planes(slice(0, 1)), fine[:1], rtol=1e-11)


def test_nothing_negative_is_spread():
    coarse = np.zeros(coarse_shape((12, 12, 12), (3, 3, 3)))
    coarse[3, 3, 3] = 27.0
    planes = Interpolated(coarse, (12, 12, 12), (3, 3, 3)).planes(slice(None))
    assert planes.min() == 0.0
    assert planes.max() == pytest.approx(1.0)


def test_one_voxel_is_itself():
    values = np.random.default_rng(2).random((4, 3, 5))
    assert shared(values, (1, 1, 1)).tolist() == values.tolist()
    assert Interpolated(values.copy(), (4, 3, 5), (1, 1, 1)).planes(slice(None)).tolist() == values.tolist()
