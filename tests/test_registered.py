"""A registration of the activity to the CT: where the dose is, what is kept, and when one is asked for."""

import json

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from images import ct_series, edit, pet_series, rtstruct, spatial_registration
from oriented import OBLIQUE
from patients import nifti

from mcdose.case import read_case
from mcdose.cli import main
from mcdose.errors import InputError

PET_FRAME, CT_FRAME = "1.2.3.10", "1.2.3.2"
SHIFT_MM = np.array([12.0, -7.5, 20.25])
HOT = (3, 2, 4)
HOT_MM = np.array([-8.0 + 4 * 5.0, -6.0 + 2 * 4.0, 10.0 + 3 * 3.0])  # (x, y, z), of `pet_series`


def rigid(turn=OBLIQUE):
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn, SHIFT_MM
    return matrix


def images(folder, values=None):
    """A PET with one hot voxel, or given values, and a CT of water in another frame of reference."""
    stored = np.zeros((6, 7, 8))
    stored[HOT] = 20_000
    stored = stored if values is None else values
    frames = [("20240603", "100000", 900.0, None)] * len(stored)
    for path in pet_series(folder / "pet", stored, [10.0] * len(stored), frames):
        edit(path, FrameOfReferenceUID=PET_FRAME)
    ct_series(folder / "ct", np.zeros((60, 60, 60)), (-90.0, -90.0, -60.0), (3.0, 3.0, 3.0))
    return ["--activity", str(folder / "pet"), "--ct", str(folder / "ct")]


def run(folder, words, *more):
    code = main(["dose", *words, "--method", "local-deposition", "-o", str(folder / "out"), *map(str, more)])
    return code, folder / "out"


def hottest(path):
    image = sitk.ReadImage(str(path))
    values = sitk.GetArrayFromImage(image)
    index = np.unravel_index(values.argmax(), values.shape)
    return np.array(image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]]))


def dicom(folder):
    return spatial_registration(folder / "reg.dcm", CT_FRAME, [(PET_FRAME, [(rigid(), "RIGID")])])


def itk(folder):
    """What a registration of the PET (moving) to the CT (fixed) gives: from points of the CT to those of the PET."""
    inverse = np.linalg.inv(rigid())
    transform = sitk.VersorRigid3DTransform()
    transform.SetMatrix(inverse[:3, :3].ravel().tolist(), 1e-9)
    transform.SetTranslation(inverse[:3, 3].tolist())
    sitk.WriteTransform(transform, str(folder / "reg.tfm"))
    return folder / "reg.tfm"


def text(folder):
    np.savetxt(folder / "reg.txt", rigid(), fmt="%.12f", header="PET to CT")
    return folder / "reg.txt"


def test_without_a_registration_two_frames_are_refused(tmp_path, capsys):
    code, _ = run(tmp_path, images(tmp_path))
    assert code == 2
    assert f"must share a frame of reference, got {PET_FRAME} and {CT_FRAME}" in (err := capsys.readouterr().err)
    assert "--registration" in err


@pytest.mark.parametrize("make", [dicom, itk, text])
def test_a_rigid_registration_moves_the_dose_and_no_value(tmp_path, make):
    words = images(tmp_path)
    code, out = run(tmp_path, words, "--registration", make(tmp_path))
    assert code == 0
    expected = OBLIQUE @ HOT_MM + SHIFT_MM
    np.testing.assert_allclose(hottest(out / "dose.nii.gz"), expected, atol=0.01)
    np.testing.assert_allclose(hottest(out / "dose.dcm"), expected, atol=0.01)
    assert np.count_nonzero(nibabel.load(out / "dose.nii.gz").get_fdata()) == 1
    assert pydicom.dcmread(out / "dose.dcm").FrameOfReferenceUID == CT_FRAME
    summary = json.loads((out / "summary.json").read_text())
    assert summary["inputs"]["registration"]["kind"] == "rigid"
    np.testing.assert_allclose(summary["inputs"]["registration"]["matrix"], rigid(), atol=1e-9)
    assert "PET to CT" not in (report := (out / "report.html").read_text())
    assert "Activity on the CT by" in report


def test_structures_are_those_of_the_ct(tmp_path):
    """A box drawn around where the hot voxel comes to lie on the CT holds all of its activity."""
    words = images(tmp_path)
    x, y, z = OBLIQUE @ HOT_MM + SHIFT_MM
    square = np.array([[x - 9, y - 9], [x + 9, y - 9], [x + 9, y + 9], [x - 9, y + 9]])
    path = rtstruct(tmp_path / "rs.dcm", [("box", [(round(z + k, 3), square) for k in (-8.0, -4.0, 0.0, 4.0, 8.0)])])
    case = read_case(words[1], words[3], path, registration=dicom(tmp_path), dose_grid="ct")
    assert (case.activity_bq * case.structures["box"]).sum() == pytest.approx(case.activity_bq.sum(), rel=1e-6)
    assert case.structures["box"].sum(dtype=float) * case.grid.voxel_ml == pytest.approx(18 * 18 * 20 / 1000, rel=1e-6)


def test_structures_of_the_unmoved_activity_are_refused(tmp_path):
    """A CT in NIfTI has no frame of reference to compare, but that which the activity has left is known."""
    words = images(tmp_path)
    ct = nifti(tmp_path / "ct.nii.gz", np.zeros((60, 60, 60)), (5.0, 5.0, 5.0), (-120.0, -120.0, -120.0))
    x, y, z = OBLIQUE @ HOT_MM + SHIFT_MM
    square = np.array([[x - 9, y - 9], [x + 9, y - 9], [x + 9, y + 9], [x - 9, y + 9]])
    path = rtstruct(tmp_path / "rs.dcm", [("box", [(round(z + k, 3), square) for k in (-8.0, -4.0, 0.0, 4.0, 8.0)])])
    assert "box" in read_case(words[1], ct, path, registration=text(tmp_path)).structures  # of a frame not known here
    roi = pydicom.dcmread(path).StructureSetROISequence[0]
    roi.ReferencedFrameOfReferenceUID = PET_FRAME
    edit(path, StructureSetROISequence=[roi])
    with pytest.raises(InputError, match="that of the activity before its registration; they must be drawn on the CT"):
        read_case(words[1], ct, path, registration=text(tmp_path))


def test_a_registration_with_scales_keeps_the_activity(tmp_path):
    """Its sum to 1e-6, its centre to a twentieth of a voxel, on an upright grid of the same voxels."""
    stored = np.random.default_rng(3).integers(0, 1000, (6, 7, 8))
    words = images(tmp_path, stored)
    matrix = rigid(OBLIQUE @ np.diag([1.1, 0.9, 1.2]))
    np.savetxt(tmp_path / "affine.txt", matrix)
    plain = read_case(words[1], nifti(tmp_path / "ct.nii.gz", np.zeros((60, 60, 60)), (5.0, 5.0, 5.0), (-120.0,) * 3))
    case = read_case(words[1], words[3], registration=tmp_path / "affine.txt")
    assert case.grid.upright
    assert case.grid.voxel_mm == plain.grid.voxel_mm
    assert case.activity_bq.sum() == pytest.approx(plain.activity_bq.sum(), rel=1e-6)
    assert case.origin["registration"]["kind"] in ("rigid-scale", "affine")

    def centre(each):
        places = each.grid.position_mm(np.moveaxis(np.indices(each.grid.shape), 0, -1)).reshape(-1, 3)
        return np.average(places, axis=0, weights=each.activity_bq.ravel())[::-1]

    np.testing.assert_allclose(centre(case), matrix[:3, :3] @ centre(plain) + SHIFT_MM, atol=0.15)


def test_a_ct_without_a_frame_makes_a_new_one(tmp_path):
    """The dose lies on the CT, so it is not in the frame of reference of the PET."""
    words = images(tmp_path)
    ct = nifti(tmp_path / "ct.nii.gz", np.zeros((60, 60, 60)), (5.0, 5.0, 5.0), (-120.0, -120.0, -120.0))
    code, out = run(tmp_path, [*words[:3], str(ct)], "--registration", text(tmp_path))
    assert code == 0
    uid = pydicom.dcmread(out / "dose.dcm").FrameOfReferenceUID
    assert uid
    assert uid not in (PET_FRAME, CT_FRAME)


def test_images_of_two_patients_are_warned_of(tmp_path, caplog):
    words = images(tmp_path)
    for folder, name in (("pet", "17"), ("ct", "18")):
        for path in (tmp_path / folder).iterdir():
            edit(path, PatientID=name)
    read_case(words[1], words[3], registration=dicom(tmp_path))
    assert "have two values of PatientID; are they of one patient?" in caplog.text


def test_an_image_without_a_frame_is_warned_of(tmp_path, caplog):
    words = images(tmp_path)
    for path in (tmp_path / "pet").iterdir():
        edit(path, FrameOfReferenceUID=None)
    read_case(words[1], words[3])
    assert "has no FrameOfReferenceUID; it is taken to lie as its coordinates say" in caplog.text


def test_a_registration_is_of_one_image(tmp_path, capsys):
    words = images(tmp_path)
    code, _ = run(tmp_path, [*words[:2], words[1], *words[2:]], "--registration", text(tmp_path))
    assert code == 2
    assert "registration is of one activity image, got 2" in capsys.readouterr().err


def test_a_registration_that_is_not_one_ends_in_one_line(tmp_path, capsys):
    words = images(tmp_path)
    (tmp_path / "reg.txt").write_text("1 0 0 0\n0 1 0 0\n0 0 -1 0\n0 0 0 1\n")
    code, out = run(tmp_path, words, "--registration", tmp_path / "reg.txt")
    assert code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not out.exists()
