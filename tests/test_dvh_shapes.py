"""Small structures in steep doses, against closed forms: what `subvoxels` is for.

Doses are means over the voxels, as those of a dose engine are; coverage is from 10^3 points in each voxel.
"""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.optimize import brentq

from mcdose.dvh import dvh
from mcdose.subvoxels import split

VOXELS_MM = [(3.0, 3.0, 3.0), (3.0, 4.0, 4.0), (5.0, 2.21, 2.21), (2.0, 3.0, 5.0), (5.0, 5.0, 5.0)]
FINE_MM = (2.0, 2.0, 2.0)
LARGE_MM = [(3.0, 4.0, 4.0), (5.0, 5.0, 5.0)]
PERCENTS = (95, 50, 5)


def fine_axes(shape, voxel_mm, shift_mm, parts):
    """z, y, x of `parts` points in each voxel along each axis; the middle of the grid is at the shift."""
    axes = []
    for axis in range(3):
        points = (np.arange(shape[axis] * parts) + 0.5) / parts - shape[axis] / 2
        axes.append((points * voxel_mm[axis] + shift_mm[axis]).reshape([-1 if k == axis else 1 for k in range(3)]))
    return axes


def mean_of(values, shape, parts):
    return values.reshape(shape[0], parts, shape[1], parts, shape[2], parts).mean(axis=(1, 3, 5))


def histogram(inside, dose, half_mm, voxel_mm, rng, subvoxels):
    shape = tuple(int(np.ceil(2 * (half_mm + 2 * side) / side)) for side in voxel_mm)
    shift = rng.uniform(-0.5, 0.5, 3) * voxel_mm
    coverage = mean_of(inside(*fine_axes(shape, voxel_mm, shift, 10)), shape, 10)
    mean = mean_of(np.broadcast_to(dose(*fine_axes(shape, voxel_mm, shift, 5)), [5 * n for n in shape]), shape, 5)
    return dvh(mean, coverage, voxel_mm, subvoxels=subvoxels)


class Sphere:
    """Of radius R, volume V in mL; its doses, each with the share of the volume that has at least a dose."""

    def __init__(self, volume_ml, rng):
        self.radius = (750 * volume_ml / np.pi) ** (1 / 3)
        self.half = self.radius
        self.along = rng.normal(size=3)
        self.along /= np.linalg.norm(self.along)

    def inside(self, z, y, x):
        return z**2 + y**2 + x**2 <= self.radius**2

    def linear(self):
        # D from 50 to 150 Gy along a direction: above the plane u = t R lies a cap, (2 - 3 t + t^3) / 4 of the volume
        def share(dose):
            t = (dose / 100 - 1) / 0.5
            return (2 - 3 * t + t**3) / 4

        a, b, c = self.along
        return lambda z, y, x: 100 + 50 * (a * z + b * y + c * x) / self.radius, share, (50.0, 150.0), 100.0

    def radial(self):
        # D = 100 (1 - r / 2 R) Gy
        def dose(z, y, x):
            return np.clip(100 * (1 - np.sqrt(z**2 + y**2 + x**2) / (2 * self.radius)), 0, None)

        return dose, lambda dose: (2 * (1 - dose / 100)) ** 3, (50.0, 100.0), 62.5

    def point_source(self):
        # D = 100 (3 R / r)^2 Gy from a point 3 R from the middle: at least D means within r, a lens of two spheres
        r0, apart = self.radius, 3 * self.radius
        place = apart * self.along

        def dose(z, y, x):
            return 100 * apart**2 / ((z - place[0]) ** 2 + (y - place[1]) ** 2 + (x - place[2]) ** 2)

        def share(dose):
            r = apart * np.sqrt(100 / dose)
            lens = np.pi * (r0 + r - apart) ** 2 * (apart**2 + 2 * apart * (r0 + r) - 3 * (r0 - r) ** 2) / (12 * apart)
            return lens / (4 / 3 * np.pi * r0**3)

        low, high = 100 * 9 / 16, 100 * 9 / 4
        return dose, share, (low, high), low + quad(share, low, high)[0]


class Cone:
    """As high as it is wide at its base, apex downwards, along z."""

    def __init__(self, volume_ml, rng):
        self.height = (12000 * volume_ml / np.pi) ** (1 / 3)
        self.half = self.height / 2

    def inside(self, z, y, x):
        up = z + self.half
        return (np.hypot(y, x) <= up / 2) & (up <= self.height)

    def along_axis(self):
        # D = 50 Gy (1 + z / H): V(d) = 1 - (d / 50 - 1)^3
        def dose(z, y, x):
            return 50 * (1 + (z + self.half) / self.height) + 0 * y + 0 * x

        return dose, lambda dose: 1 - (dose / 50 - 1) ** 3, (50.0, 100.0), 87.5


KINDS = [(Sphere, "linear"), (Sphere, "radial"), (Sphere, "point_source"), (Cone, "along_axis")]


def errors(shape, kind, volume_ml, voxel_mm, subvoxels, runs=2):
    """Relative errors of volume, mean and D95, D50, D5, one row for each random place."""
    rng = np.random.default_rng(7)
    rows = []
    for _ in range(runs):
        solid = shape(volume_ml, rng)
        dose, share, (low, high), mean = getattr(solid, kind)()
        found = histogram(solid.inside, dose, solid.half, voxel_mm, rng, subvoxels)
        row = [found.volume_ml / volume_ml - 1, found.mean_gy / mean - 1]
        for percent in PERCENTS:
            exact = brentq(lambda dose, share=share, at=percent: share(dose) - at / 100, low, high)
            row.append(found.d(percent) / exact - 1)
        rows.append(row)
    return np.abs(rows)


@pytest.mark.parametrize(("shape", "kind"), KINDS)
@pytest.mark.parametrize(
    ("volume_ml", "voxel_mm"), [(0.5, FINE_MM), *product((0.5, 1.0), VOXELS_MM), *product((5.0, 30.0), LARGE_MM)]
)
def test_small_structures_have_their_closed_form(volume_ml, shape, kind, voxel_mm):
    found = errors(shape, kind, volume_ml, voxel_mm, 4)
    allowed = 0.06 if volume_ml >= 1.0 else 0.12  # 0.5 mL is four voxels of 5 mm
    assert found[:, 0].max() < (0.05 if shape is Cone else 0.02)  # of the test: its base is missed by half a point
    assert found[:, 1].max() < 0.05
    assert found[:, 2:].max() < allowed
    if volume_ml >= 5.0:
        assert found[:, 2:].max() < 0.04


def test_whole_voxels_would_be_off_by_more():
    whole, parts = (errors(Sphere, "linear", 1.0, (5.0, 5.0, 5.0), n, runs=8) for n in (1, 4))
    assert whole[:, 2].max() > 0.15
    assert parts[:, 2].max() < 0.05


def test_a_plane_through_voxels_is_found():
    # An edge at 1/4 of the third layer, in a dose that rises linearly: minimum and volume are those of the edge.
    dose = np.broadcast_to(10.0 * (np.arange(6) + 0.5)[:, None, None], (6, 3, 3))
    coverage = np.zeros((6, 3, 3))
    coverage[2] = 0.75
    coverage[3:5] = 1.0
    found = dvh(dose, coverage, (10.0, 10.0, 10.0), subvoxels=4)
    assert found.volume_ml == pytest.approx(2.75 * 9)
    assert found.min_gy == pytest.approx(22.5 + 1.25)
    assert found.d(50) == pytest.approx((22.5 + 50.0) / 2)
    assert found.v(30.0) == pytest.approx(2 / 2.75)


def test_parts_keep_the_volume_and_the_dose_of_whole_voxels():
    rng = np.random.default_rng(3)
    dose = rng.gamma(2.0, 30.0, (7, 8, 9))
    coverage = rng.random(dose.shape)
    doses, weights = split(dose, coverage, 3)
    assert weights.sum() == pytest.approx(coverage.sum())
    assert (doses >= 0).all()
    whole = np.zeros(dose.shape, bool)
    whole[2:5, 2:5, 2:5] = True
    doses, weights = split(dose, whole, 3)
    assert_allclose(doses.reshape(-1, 27).mean(axis=1), dose[whole])
    assert_allclose(weights, 1 / 27)


def test_one_part_is_no_cutting_and_uniform_dose_stays():
    rng = np.random.default_rng(4)
    coverage = rng.random((4, 5, 6))
    dose = rng.random((4, 5, 6))
    assert dvh(dose, coverage, (1, 1, 1), subvoxels=1).d(70) == dvh(dose, coverage, (1, 1, 1)).d(70)
    flat = dvh(np.full((4, 5, 6), 3.0), coverage, (1, 1, 1), subvoxels=3)
    assert flat.min_gy == pytest.approx(3.0)
    assert flat.max_gy == pytest.approx(3.0)


def test_a_neighbour_without_a_dose_is_not_looked_at():
    dose = np.full((3, 3, 3), 50.0)
    dose[1, 1, 2] = np.nan
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 1, :2] = True
    found = dvh(dose, mask, (1, 1, 1), subvoxels=2)
    assert found.min_gy == found.max_gy == 50.0
    assert dvh(np.zeros((3, 3, 3)), mask, (1, 1, 1), subvoxels=2).max_gy == 0.0


def test_what_cannot_be_cut_is_refused():
    with pytest.raises(ValueError, match=r"three axes \(z, y, x\) to be cut into subvoxels, got shape \(4,\)"):
        dvh(np.ones(4), np.ones(4, bool), (1, 1, 1), subvoxels=2)
    with pytest.raises(ValueError, match="subvoxels must lie within 1 to 10, got 11"):
        dvh(np.ones((2, 2, 2)), np.ones((2, 2, 2), bool), (1, 1, 1), subvoxels=11)
