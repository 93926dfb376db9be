import math
import time

import numpy as np
import pytest

from mcdose.calibration import SCHNEIDER
from mcdose.phantom import demo_phantom


@pytest.fixture(scope="module")
def phantom():
    return demo_phantom()


def ellipsoid_below(plane, centre, a, b, c):
    """Volume of an ellipsoid, semi-axis c along z, without the cap above a plane."""
    h = centre + c - plane
    return 4 / 3 * math.pi * a * b * c - math.pi * a * b * h**2 * (3 * c - h) / (3 * c**2)


# Volumes of the shapes, mL; a small sphere of 3 mm voxels is not nearer than some percent.
VOLUMES = {
    "liver": (ellipsoid_below(15, -36, 66, 85, 72) / 1000, 0.002),
    "tumour 1": (4 / 3 * math.pi * 15**3 / 1000, 0.04),
    "tumour 2": (4 / 3 * math.pi * 10**3 / 1000, 0.04),
    "lungs": (2 * math.pi * 80 * 62 * 99 / 1000, 0.002),
    "spine": (math.pi * 21**2 * 240 / 1000, 0.02),
    "body": (math.pi * 125 * 180 * 240 / 1000, 0.002),
}


@pytest.mark.parametrize("name", VOLUMES)
def test_structures_have_the_volumes_of_their_shapes(phantom, name):
    volume, tolerance = VOLUMES[name]
    mask = phantom.structures[name]
    assert np.count_nonzero(mask) * phantom.grid.voxel_ml == pytest.approx(volume, rel=tolerance)


def test_grid_and_arrays(phantom):
    assert phantom.grid.voxel_mm == (3.0, 3.0, 3.0)
    assert phantom.ct_hu.shape == phantom.activity_bq.shape == phantom.grid.shape == (80, 100, 130)
    assert phantom.ct_hu.dtype == np.float32
    for array in (phantom.ct_hu, phantom.activity_bq, *phantom.structures.values()):
        assert array.flags.c_contiguous
    for axis in range(3):  # centred on the origin of the coordinates, as the shapes are
        edges = phantom.grid.edges_mm(axis)
        assert edges[0] == -edges[-1]


def test_structures_lie_where_a_body_has_them(phantom):
    parts = phantom.structures
    organs = [parts[name] for name in ("normal liver", "tumour 1", "tumour 2", "lungs", "spine")]
    assert sum(organ.astype(int) for organ in organs).max() == 1
    assert not (np.any(organs, axis=0) & ~parts["body"]).any()
    np.testing.assert_array_equal(parts["liver"], parts["normal liver"] | parts["tumour 1"] | parts["tumour 2"])
    z, y, x = (np.mean(np.nonzero(parts[name]), axis=1) for name in ("liver", "lungs", "spine"))
    assert z[0] < y[0]  # liver below the lungs
    assert z[2] < y[2]  # and on the patient's right, which is at low x
    assert x[1] > y[1]  # spine at the back, which is at high y
    below = parts["liver"][:-1] & parts["lungs"][1:]
    assert np.count_nonzero(below) > 500  # the liver meets the lung


def test_activity(phantom):
    activity, parts = phantom.activity_bq, phantom.structures
    assert activity.sum() == pytest.approx(2.0e9, rel=1e-9)
    assert activity[parts["lungs"]].sum() / activity.sum() == pytest.approx(0.04, rel=1e-12)
    assert activity[parts["liver"]].sum() / activity.sum() == pytest.approx(0.96, rel=1e-12)
    assert (activity[~(parts["liver"] | parts["lungs"])] == 0.0).all()
    normal = activity[parts["normal liver"]]
    assert np.ptp(normal) == 0.0
    for tumour in ("tumour 1", "tumour 2"):
        np.testing.assert_allclose(activity[parts[tumour]], 4.0 * normal[0], rtol=1e-12)


def test_default_calibration_gives_the_densities_of_the_tissues(phantom):
    density, index = SCHNEIDER.density(phantom.ct_hu), SCHNEIDER.medium_index(phantom.ct_hu)

    def found(mask):
        return {(SCHNEIDER.media[i], round(float(d), 2)) for i, d in zip(index[mask], density[mask], strict=True)}

    parts = phantom.structures
    assert found(~parts["body"]) == {("air", 0.0)}
    assert found(parts["normal liver"]) == {("soft-tissue", 1.06)}
    assert found(parts["tumour 1"] | parts["tumour 2"]) == {("soft-tissue", 1.05)}
    assert found(parts["lungs"]) == {("lung", 0.26)}
    assert found(parts["spine"]) == {("trabecular-bone", 1.18), ("cortical-bone", 1.92)}


def test_the_same_every_time_and_quick(phantom):
    start = time.process_time()
    again = demo_phantom()
    assert time.process_time() - start < 1.0
    np.testing.assert_array_equal(again.ct_hu, phantom.ct_hu)
    np.testing.assert_array_equal(again.activity_bq, phantom.activity_bq)
