"""The dose grid: the activity's, the CT's, or any spacing; nothing of the activity is lost."""

import json

import nibabel
import numpy as np
import pytest
from patients import nifti, water_block

from mcdose.cli import main
from mcdose.dose_grid import check_dose_grid, dose_grid
from mcdose.errors import InputError
from mcdose.grid import Grid

ACTIVITY = Grid((7, 9, 5), (5.0, 4.0, 3.0), (-20.0, 10.0, 3.5))
CT = Grid((20, 40, 40), (2.5, 1.0, 1.0), (-30.0, 0.0, 0.0))


def test_the_images_own_grids():
    assert dose_grid("activity", ACTIVITY, CT) == ACTIVITY
    assert dose_grid("ct", ACTIVITY, CT) == CT


@pytest.mark.parametrize("sides", [(2.0, 2.0, 2.0), (3.0, 5.5, 0.7), (100.0, 100.0, 100.0)])
def test_any_spacing_covers_the_activity_evenly(sides):
    grid = dose_grid(sides, ACTIVITY, CT)
    assert grid.voxel_mm == sides
    for axis in range(3):
        mine, own = grid.edges_mm(axis), ACTIVITY.edges_mm(axis)
        before, after = own[0] - mine[0], mine[-1] - own[-1]
        assert before == pytest.approx(after, abs=1e-9)
        assert -1e-9 <= before < sides[axis] / 2.0


def test_its_own_spacing_is_its_own_grid():
    same = dose_grid(ACTIVITY.voxel_mm, ACTIVITY, CT)
    assert same.shape == ACTIVITY.shape
    assert same.origin_mm == pytest.approx(ACTIVITY.origin_mm)


@pytest.mark.parametrize("wanted", ["pet", 0.0, -3, (1, 2), (1, 2, "x"), (1, 2, 1000), float("nan"), None])
def test_what_is_no_grid(wanted):
    with pytest.raises(ValueError, match="dose_grid must"):
        check_dose_grid(wanted)


def test_too_many_voxels():
    with pytest.raises(InputError, match=r"at most 134217728 voxels, got \(8334, "):
        dose_grid((0.1, 0.1, 0.1), Grid((500, 500, 500), (5.0 / 3.0,) * 3), CT)


def summary(capsys, folder, words, *grid):
    argv = ["dose", *words, "--method", "local-deposition", "--json", *grid, "-o", folder]
    assert main([str(word) for word in argv]) == 0
    return json.loads(capsys.readouterr().out)


def test_dose_on_every_grid(tmp_path, capsys):
    """A block of water: the same decays, volume and mean dose, whatever the voxels."""
    words = water_block(tmp_path)
    base = summary(capsys, tmp_path / "a", words)
    first = next(iter(base["structures"]))
    for name, grid, shape in (("b", "ct", [8, 10, 12]), ("c", "3", [16, 17, 16]), ("d", "6,10,8", [8, 5, 6])):
        other = summary(capsys, tmp_path / name, words, "--dose-grid", grid)
        assert other["shape"] == shape
        assert other["total_decays"] == pytest.approx(base["total_decays"], rel=1e-6)
        figures, expected = other["structures"][first], base["structures"][first]
        assert figures["volume_ml"] == pytest.approx(expected["volume_ml"], rel=1e-5)
        assert figures["mean_gy"] == pytest.approx(expected["mean_gy"], rel=1e-4)
    assert base["inputs"]["dose_grid"] == "activity"


def test_hot_voxel_stays_where_it_is(tmp_path, capsys):
    values = np.zeros((8, 10, 12))
    values[3, 4, 6] = 1e6
    words = [
        "--activity",
        nifti(tmp_path / "a.nii.gz", values),
        "--ct",
        nifti(tmp_path / "c.nii.gz", np.zeros((8, 10, 12))),
    ]

    summary(capsys, tmp_path / "out", words, "--dose-grid", "2,2.5,2")
    image = nibabel.load(tmp_path / "out/dose.nii.gz")
    dose = image.get_fdata()
    places = np.argwhere(dose > 0.0)
    centre = np.average(places, axis=0, weights=dose[tuple(places.T)])
    x, y, z = image.affine[:3, :3] @ centre + image.affine[:3, 3]
    assert (-x, -y, z) == pytest.approx((6 * 4.0, 4 * 5.0, 3 * 6.0), abs=1e-3)


def test_a_bad_grid_ends_in_one_line(tmp_path, capsys):
    assert main(["dose", *map(str, water_block(tmp_path)), "--dose-grid", "pet", "-o", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert "--dose-grid" in err
    assert "must be activity, ct, or one or three sides of 0.1 to 100 mm, got 'pet'" in err
    assert err.count("\n") == 1
