"""A hot voxel at a known place in the patient, through reading, dose and writing, as other software sees the files."""

import subprocess

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from images import ct_series, pet_series
from oriented import PATIENT_POSITIONS, PLANES, moved, turn_of, turn_series
from programs import needs_program

from mcdose.cli import main
from mcdose.io.activity import read_activity
from mcdose.io.ct import read_ct

NAMES = [*PATIENT_POSITIONS, *PLANES, "oblique"]
SHAPE, HOT = (7, 9, 11), (4, 2, 7)
VOXEL_MM = (3.0, 4.0, 5.0)  # of the PET, along slices, rows and columns
FIRST_MM = np.array([-8.0, -6.0, 10.0])  # (x, y, z), of `pet_series`
HOT_MM = FIRST_MM + np.array(VOXEL_MM[::-1]) * HOT[::-1]


def hot_pet(folder, turn):
    stored = np.zeros(SHAPE)
    stored[HOT] = 20_000
    frames = [("20240603", "100000", 900.0, None)] * SHAPE[0]
    paths = pet_series(folder, stored, [10.0] * SHAPE[0], frames, VOXEL_MM, DecayCorrection="ADMIN")
    turn_series(paths, turn)


def water_ct(folder, turn):
    turn_series(ct_series(folder, np.zeros((30, 40, 50)), (-40.0, -40.0, -20.0), (3.0, 3.0, 3.0)), turn)


def dose_of(tmp_path, pet_turn, ct_turn, *words):
    hot_pet(tmp_path / "pet", pet_turn)
    water_ct(tmp_path / "ct", ct_turn)
    images = ["--activity", str(tmp_path / "pet"), "--ct", str(tmp_path / "ct")]
    options = ["--method", "local-deposition", "--parametric-map", "-o", str(tmp_path / "out")]
    assert main(["dose", *images, *options, *words]) == 0
    return tmp_path / "out"


def by_simpleitk(path):
    image = sitk.ReadImage(str(path))
    values = sitk.GetArrayFromImage(image)
    index = np.unravel_index(values.argmax(), values.shape)
    return np.array(image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]]))


def by_nibabel(path):
    image = nibabel.load(path)
    values = image.get_fdata()
    return np.array([-1, -1, 1]) * nibabel.affines.apply_affine(
        image.affine, np.unravel_index(values.argmax(), values.shape)
    )


def by_pydicom(path):
    """Place of the largest value by the attributes of RT Dose (C.8.8.3.2) or of a multi-frame image (C.7.6.2.1.1)."""
    image = pydicom.dcmread(path)
    values = image.pixel_array
    frame, row, column = np.unravel_index(values.argmax(), values.shape)
    if image.Modality == "RTDOSE":
        cosines, spacing, corner = image.ImageOrientationPatient, image.PixelSpacing, image.ImagePositionPatient
        along = np.cross(cosines[:3], cosines[3:]) * float(image.GridFrameOffsetVector[frame])
    else:
        shared, own = image.SharedFunctionalGroupsSequence[0], image.PerFrameFunctionalGroupsSequence[frame]
        cosines = shared.PlaneOrientationSequence[0].ImageOrientationPatient
        spacing = shared.PixelMeasuresSequence[0].PixelSpacing
        corner, along = own.PlanePositionSequence[0].ImagePositionPatient, 0.0
    x, y = np.array(cosines, dtype=float).reshape(2, 3)
    return np.array(corner, dtype=float) + along + column * float(spacing[1]) * x + row * float(spacing[0]) * y


def by_plastimatch(path, what):
    needs_program("plastimatch")
    out = path.with_name(f"{path.name}.mha")
    words = (
        ["--input-dose-img", path, "--output-dose-img", out]
        if what == "dose"
        else ["--input", path, "--output-img", out]
    )
    subprocess.run(["plastimatch", "convert", *map(str, words)], check=True, capture_output=True)
    return sitk.ReadImage(str(out))


@pytest.mark.parametrize("name", NAMES)
def test_the_hot_voxel_is_where_it_was_put(tmp_path, name):
    turn = turn_of(name)
    out = dose_of(tmp_path, turn, turn)
    expected = moved(HOT_MM, turn)
    for place in (
        by_simpleitk(out / "dose.dcm"),
        by_simpleitk(out / "dose.nii.gz"),
        by_nibabel(out / "dose.nii.gz"),
        by_pydicom(out / "dose.dcm"),
        by_pydicom(out / "dose_map.dcm"),
    ):
        np.testing.assert_allclose(place, expected, atol=0.01)
    assert np.count_nonzero(nibabel.load(out / "dose.nii.gz").get_fdata()) == 1  # nothing was smeared


@pytest.mark.parametrize("name", NAMES)
def test_plastimatch_finds_the_hot_voxel(tmp_path, name):
    turn = turn_of(name)
    out = dose_of(tmp_path, turn, turn)
    by_plastimatch(out / "dose.nii.gz", "image")
    np.testing.assert_allclose(by_simpleitk(out / "dose.nii.gz.mha"), moved(HOT_MM, turn), atol=0.01)
    image = by_plastimatch(out / "dose.dcm", "dose")
    if name != "oblique":
        np.testing.assert_allclose(by_simpleitk(out / "dose.dcm.mha"), moved(HOT_MM, turn), atol=0.01)
        return
    # plastimatch 1.9 puts the direction cosines of any RT Dose in rows where they belong in columns: its axes are the
    # transpose of the right ones, which shows in oblique files only
    values = sitk.GetArrayFromImage(image)
    index = np.array(np.unravel_index(values.argmax(), values.shape)[::-1])
    right = np.array(image.GetDirection()).reshape(3, 3).T
    place = np.array(image.GetOrigin()) + right @ (index * np.array(image.GetSpacing()))
    np.testing.assert_allclose(place, moved(HOT_MM, turn), atol=0.01)


def test_an_oblique_pet_in_an_upright_ct(tmp_path):
    """The dose is on the PET's own grid unless another is asked for; then none of it is lost."""
    out = dose_of(tmp_path, turn_of("oblique"), turn_of("HFS"))
    np.testing.assert_allclose(by_simpleitk(out / "dose.nii.gz"), moved(HOT_MM, turn_of("oblique")), atol=0.01)


@pytest.mark.parametrize("grid", ["ct", "2"])
def test_an_oblique_pet_on_an_upright_grid(tmp_path, grid):
    """The content of the hot voxel is shared by the voxels that it reaches into: its centre stays."""
    out = dose_of(tmp_path, turn_of("oblique"), turn_of("HFS"), "--dose-grid", grid)
    image = nibabel.load(out / "dose.nii.gz")
    dose = image.get_fdata()
    places = np.argwhere(dose > 0)
    centre = nibabel.affines.apply_affine(image.affine, np.average(places, axis=0, weights=dose[tuple(places.T)]))
    side = abs(image.affine[0, 0])
    assert np.abs(centre * [-1, -1, 1] - moved(HOT_MM, turn_of("oblique"))).max() < 0.1 * side
    assert image.affine[0, 1] == 0.0
    assert pydicom.dcmread(out / "dose.dcm").ImageOrientationPatient == [1, 0, 0, 0, 1, 0]


@pytest.mark.parametrize("name", NAMES)
def test_values_are_in_place_in_every_orientation(tmp_path, name):
    """Voxel by voxel: the value read at a place is the one stored there."""
    turn = turn_of(name)
    stored = np.arange(4 * 5 * 6).reshape(4, 5, 6)
    corner, step = np.array([-10.0, -20.0, 30.0]), np.array([1.25, 1.5, 2.0])
    turn_series(ct_series(tmp_path, stored, corner, step[::-1]), turn)
    volume = read_ct(tmp_path).volume
    frame, row, column = (index.ravel() for index in np.indices(stored.shape))
    places = moved(corner + step * np.column_stack([column, row, frame]), turn)
    inverse = np.linalg.inv(volume.affine)
    x, y, z = np.rint(places @ inverse[:3, :3].T + inverse[:3, 3]).astype(int).T
    np.testing.assert_array_equal(volume.values[z, y, x], stored.ravel())
    np.testing.assert_allclose(volume.grid.position_mm(np.column_stack([z, y, x])), places[:, ::-1], atol=1e-5)
    assert volume.grid.upright == (name != "oblique")
    assert np.linalg.det(volume.affine) == pytest.approx(np.prod(step), rel=1e-6)


def test_activity_is_the_same_in_every_orientation(tmp_path):
    totals = []
    for name in NAMES:
        hot_pet(tmp_path / name, turn_of(name))
        totals.append(read_activity(tmp_path / name, nuclide="Y-90").total_bq)
    np.testing.assert_allclose(totals, 20_000 * 10.0 * 0.060, rtol=1e-9)
