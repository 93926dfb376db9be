"""Tilted, uneven and missing slices: what an even stack of them must be, in closed form, and what is not bridged."""

import numpy as np
import pytest
from images import ct_series, edit, pet_series, reference_images

from mcdose.errors import InputError
from mcdose.io.activity import read_activity
from mcdose.io.ct import read_ct

TILT = np.radians(18.5)


def heights(paths, z_mm):
    for path, z in zip(paths, z_mm, strict=True):
        edit(path, ImagePositionPatient=[-10.0, -20.0, z])


def ramp(z_mm, shape=(5, 6)):
    """HU that are those of the height of each slice."""
    return np.broadcast_to(np.rint(10 * np.asarray(z_mm))[:, None, None], (len(z_mm), *shape))


def test_uneven_slices_are_averaged_over_even_ones(tmp_path):
    """A slice reaches half way to its neighbours: shares of 2.5 and 3.5 mm slabs, by hand."""
    z = [0.0, 2.0, 5.0, 7.0, 9.0, 11.0]  # slabs from -1, 1, 3.5, 6, 8, 10 to 12 mm; 6 even ones are 13 / 6 mm
    heights(ct_series(tmp_path, ramp(z)), z)
    with pytest.raises(InputError, match=r"uneven|slice missing between z = 2\.000 and 5\.000 mm.*--resample"):
        read_ct(tmp_path)
    volume = read_ct(tmp_path, resample=True).volume
    thick = 13.0 / 6.0
    assert volume.grid.shape == (6, 5, 6)
    np.testing.assert_allclose(volume.grid.voxel_mm, (thick, 1.5, 1.25))
    np.testing.assert_allclose(volume.grid.origin_mm, (-1.0 + thick / 2, -20.0, -10.0))
    third = ((3.5 - (-1 + 2 * thick)) * 20.0 + (-1 + 3 * thick - 3.5) * 50.0) / thick
    np.testing.assert_allclose(volume.values[1], 20.0, rtol=1e-6)
    np.testing.assert_allclose(volume.values[2], third, rtol=1e-6)


def test_a_missing_slice_is_bridged_and_longer_gaps_are_not(tmp_path):
    z = [0.0, 2.0, 4.0, 8.0, 10.0]
    heights(ct_series(tmp_path / "a", ramp(z)), z)
    assert read_ct(tmp_path / "a", resample=True).volume.grid.shape[0] == 6
    z = [0.0, 2.0, 4.0, 10.5, 12.5]
    heights(ct_series(tmp_path / "b", ramp(z)), z)
    with pytest.raises(InputError, match=r"at most 3 slice spacings can be bridged, got one of 6\.500 mm"):
        read_ct(tmp_path / "b", resample=True)


def test_evened_activity_keeps_the_total(tmp_path):
    """Slabs of 2.5, 3.5, 3.5, 3 mm: the total is the sum over them, decay included slice by slice."""
    stored = np.random.default_rng(5).integers(0, 1000, (4, 6, 7))
    frames = [("20240603", "100000", 900.0, None)] * 4
    paths = pet_series(tmp_path, stored, [1.0, 2.0, 3.0, 4.0], frames)
    for path, z in zip(paths, (0.0, 2.5, 7.0, 10.0), strict=True):
        edit(path, ImagePositionPatient=[0.0, 0.0, z])
    slabs = np.array([2.5, 3.5, 3.75, 3.0])
    expected = (stored.sum(axis=(1, 2)) * [1.0, 2.0, 3.0, 4.0] * slabs).sum() * 20.0 / 1000.0
    activity = read_activity(tmp_path, nuclide="Y-90", resample=True)
    assert activity.total_bq == pytest.approx(expected, rel=1e-6)
    assert activity.measured_h == pytest.approx(0.125, abs=1e-3)  # all slices at 10:00 for 15 min, as administered


def tilted(folder, count=40, step=2.0):
    """A CT of a ball of 18 mm radius, imaged in planes tilted about x while the table moves along z."""
    row, column = np.array([1.0, 0.0, 0.0]), np.array([0.0, np.cos(TILT), np.sin(TILT)])
    z = step * (np.arange(count) - (count - 1) / 2)
    corner = np.array([-35.0, 0.0, 0.0]) - 35.0 * column
    j, i = np.indices((71, 71))
    stored = []
    for height in z:
        places = corner + np.array([0, 0, height]) + i[..., None] * row + j[..., None] * column
        stored.append(np.where(np.linalg.norm(places - [5.0, -4.0, 3.0], axis=-1) < 18.0, 100, -1000))
    paths = ct_series(folder, np.array(stored), voxel_mm=(step, 1.0, 1.0), GantryDetectorTilt=18.5)
    for path, height in zip(paths, z, strict=True):
        place = corner + np.array([0, 0, height])
        edit(path, ImagePositionPatient=place.tolist(), ImageOrientationPatient=[*row, *column.tolist()])


def test_a_tilted_ball_is_where_and_what_it_was(tmp_path):
    tilted(tmp_path)
    with pytest.raises(InputError, match=r"sheared by 18\.5 degrees"):
        read_ct(tmp_path)
    volume = read_ct(tmp_path, resample=True).volume
    assert volume.grid.turn_deg == pytest.approx(18.5, abs=1e-6)
    weight = (volume.values.astype(float) + 1000.0) / 1100.0
    ml = weight.sum() * volume.grid.voxel_ml
    assert ml == pytest.approx(4 / 3 * np.pi * 1.8**3, rel=0.01)
    places = volume.grid.position_mm(np.moveaxis(np.indices(weight.shape), 0, -1))
    np.testing.assert_allclose(np.average(places.reshape(-1, 3), axis=0, weights=weight.ravel()), (3, -4, 5), atol=0.05)


def test_padding_is_air_before_it_is_averaged(tmp_path):
    z = [0.0, 2.0, 5.0, 7.0]
    heights(ct_series(tmp_path, np.full((4, 5, 6), -3024)), z)
    np.testing.assert_array_equal(read_ct(tmp_path, resample=True).volume.values, -1000.0)


def test_a_real_tilted_ct():
    folder = reference_images() / "odd" / "ct-gantry-tilt"
    volume = read_ct(folder, resample=True).volume
    assert volume.grid.turn_deg == pytest.approx(18.5, abs=0.05)
    assert volume.values.min() >= -1000.0
    assert volume.values.max() > 1000.0  # skull


def test_cosines_of_few_digits_do_not_move_an_evened_stack(tmp_path):
    """Cosines of 20 degrees rounded to three digits are 4e-4 off unit length; the table stands far off the origin."""
    tilted = (1.0, 0.0, 0.0, 0.0, 0.94, 0.342)
    paths = ct_series(tmp_path, np.full((5, 3, 4), 40), orientation=tilted)
    for k, path in enumerate(paths):
        edit(path, ImagePositionPatient=[0.0, -200.0, -1500.0 + 3.0 * k])
    grid = read_ct(tmp_path, resample=True).volume.grid
    column = np.array(tilted[3:])[::-1] / np.linalg.norm(tilted[3:])
    corner = grid.position_mm((0, 0, 0))  # of the first slice, which is the lowest along the columns too
    assert (corner - (-1500.0, -200.0, 0.0)) @ column == pytest.approx(0.0, abs=0.01)
    assert grid.direction[1] @ column == pytest.approx(1.0)
