"""Every folder and file of the real images does what its README says it must."""

import json
import shutil

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from images import CT, Y90_HALF_LIFE_S, edit, reference_images

from mcdose.errors import InputError
from mcdose.grid import Grid
from mcdose.io.activity import read_activity
from mcdose.io.ct import read_ct
from mcdose.io.structures import read_structures
from mcdose.resample import conserve

Y90 = {"nuclide": "Y-90", "half_life_s": Y90_HALF_LIFE_S}
PET_GRID = Grid((84, 128, 128), (3.0, 4.07283, 4.07283), (-377.44, -222.76099, -244.36099))
FIGURES_ML = {"Liver": 1583.96, "Lesion1": 6.844, "Lesion2": 1.865, "Lesion3": 4.756}  # of the voxel mask


@pytest.fixture(scope="module")
def liver():
    return reference_images() / "liver-y90"


@pytest.fixture(scope="module")
def odd():
    return reference_images() / "odd"


@pytest.fixture(scope="module")
def truth(liver):
    return json.loads((liver / "truth.json").read_text())


def headers(folder):
    return [pydicom.dcmread(path, stop_before_pixels=True) for path in sorted(folder.iterdir())]


def millilitres(coverage, grid):
    return coverage.sum(dtype=float) * grid.voxel_ml


def as_ct(folder, target):
    """Copy images that are not CT as CT, so that what is refused is their geometry."""
    target.mkdir()
    for k, path in enumerate(sorted(folder.iterdir())):
        edit(shutil.copy(path, target / f"{k}"), Modality="CT", SOPClassUID=CT)
    return target


def centre_mm(volume):
    total = volume.values.sum(dtype=float)
    return [
        (volume.values.sum(axis=tuple({0, 1, 2} - {axis}), dtype=float) * volume.grid.centres_mm(axis)).sum() / total
        for axis in range(3)
    ]


def test_ct(liver):
    stored = headers(liver / "CT")
    heights = [float(header.ImagePositionPatient[2]) for header in stored]
    assert {header.PatientPosition for header in stored} == {"FFS"}
    assert heights == sorted(heights, reverse=True)  # by name they run downwards, as the instances' numbers do
    assert [int(header.InstanceNumber) for header in stored] == list(range(29, 29 + 51))
    image = read_ct(liver / "CT")
    grid, values = image.volume.grid, image.volume.values
    assert grid.shape == (51, 512, 512)
    np.testing.assert_allclose(grid.voxel_mm, (5.0, 0.804688, 0.804688), rtol=1e-9)
    assert grid.origin_mm[0] == min(heights)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(liver / "CT")))
    other = reader.Execute()
    np.testing.assert_array_equal(values, sitk.GetArrayFromImage(other))
    np.testing.assert_allclose(grid.origin_mm, other.GetOrigin()[::-1], atol=1e-6)
    np.testing.assert_allclose(grid.voxel_mm, other.GetSpacing()[::-1], atol=1e-6)
    assert values.min() == -3024  # padding is kept, in the corners of the picture
    assert (values[:, [0, 0, -1, -1], [0, -1, 0, -1]] == -3024).all()


def test_structures_have_their_stated_volumes(liver, truth, capfd):
    assert truth["liver_mL"] == pytest.approx(FIGURES_ML["Liver"], rel=1e-5)
    assert truth["lesion_mL"] == pytest.approx([FIGURES_ML[f"Lesion{k}"] for k in (1, 2, 3)], rel=1e-3)
    contours = read_structures(liver / "RTSTRUCT_semiauto.dcm", PET_GRID)
    assert list(contours) == ["Liver", "Lesion1", "Lesion2", "Lesion3", "Lungs_in_FOV", "BODY"]
    for name, volume in FIGURES_ML.items():
        assert millilitres(contours[name], PET_GRID) == pytest.approx(volume, rel=0.005)
    segments = read_structures(liver / "SEG_semiauto.dcm", PET_GRID)
    assert list(segments) == ["Liver", "Lesions"]
    assert millilitres(segments["Liver"], PET_GRID) == pytest.approx(1583.96, rel=1e-5)
    assert millilitres(segments["Lesions"], PET_GRID) == pytest.approx(6.844 + 1.865 + 4.756, rel=1e-3)
    assert np.abs(contours["Liver"] - segments["Liver"]).sum() < 1e-3 * segments["Liver"].sum()
    labels = read_structures(liver / "masks_CTgrid_1liver_2lesion.nii.gz", PET_GRID)
    np.testing.assert_allclose(labels["label 1"] + labels["label 2"], segments["Liver"], atol=1e-5)
    assert capfd.readouterr().err == ""


def test_lungs_lie_above_the_liver_and_all_lies_in_the_body(liver):
    grid = read_ct(liver / "CT").volume.grid
    drawn = read_structures(liver / "RTSTRUCT_semiauto.dcm", grid)
    heights = {name: np.average(grid.centres_mm(0), weights=mask.sum(axis=(1, 2))) for name, mask in drawn.items()}
    assert heights["Lungs_in_FOV"] > heights["Liver"] + 50
    for name in FIGURES_ML:
        assert (drawn[name] - drawn["BODY"]).max() < 1e-5
    for k in (1, 2, 3):
        shared = np.minimum(drawn["Liver"], drawn[f"Lesion{k}"]).sum()
        assert shared == pytest.approx(drawn[f"Lesion{k}"].sum(), rel=0.01)


@pytest.mark.parametrize("correction", ["ADMIN", "START", "NONE"])
def test_pet(liver, truth, correction):
    stored = headers(liver / f"PET_{correction}")
    assert {header.DecayCorrection for header in stored} == {correction}
    assert {header.Units for header in stored} == {"BQML"}
    assert {header.AcquisitionTime for header in stored} == {"063000", "064500"}  # two beds
    assert len({float(header.RescaleSlope) for header in stored}) == 84
    upwards = sorted(stored, key=lambda header: float(header.ImagePositionPatient[2]))
    numbers = [int(header.InstanceNumber) for header in upwards]
    assert numbers == list(range(84, 0, -1))  # opposite to z
    activity = read_activity(liver / f"PET_{correction}", **Y90)
    assert activity.volume.grid.shape == PET_GRID.shape
    np.testing.assert_allclose(activity.volume.grid.voxel_mm, PET_GRID.voxel_mm, rtol=1e-9)
    np.testing.assert_allclose(activity.volume.grid.origin_mm, PET_GRID.origin_mm, atol=1e-6)
    assert activity.administered.isoformat(sep=" ") == truth["admin"]
    assert activity.acquired.isoformat(sep=" ") == truth["series"]
    assert activity.injected_bq == pytest.approx(truth["A_admin_Bq"])
    # of what went in; the simulation knew no decay in its frames of 900 s, its headers do
    rate = np.log(2) / Y90_HALF_LIFE_S
    in_frame = rate * 900 / -np.expm1(-rate * 900)
    assert activity.total_bq == pytest.approx(truth["PET_ADMIN_total_Bq_noisy"] * in_frame, rel=1e-6)
    if correction != "ADMIN":
        same = read_activity(liver / "PET_ADMIN", **Y90)
        assert activity.total_bq == pytest.approx(same.total_bq, rel=1e-6)
        assert np.abs(activity.volume.values - same.volume.values).sum() < 1e-3 * same.total_bq


def test_truth(liver, truth):
    path = liver / "truth_activity_ADMIN_BqPerMl_PETgrid.nii.gz"
    activity = read_activity(path, **Y90)
    np.testing.assert_allclose(activity.volume.grid.origin_mm, PET_GRID.origin_mm, atol=1e-3)
    in_field = truth["activity_liver_incl_lesions_Bq"] + truth["activity_lung_FOV_Bq"]
    assert activity.total_bq == pytest.approx(in_field, rel=1e-4)
    assert activity.total_bq == pytest.approx(nibabel.load(path).get_fdata().sum() * truth["PET_voxel_mL"], rel=1e-6)
    drawn = read_structures(liver / "RTSTRUCT_semiauto.dcm", activity.volume.grid)
    mean = {name: (activity.volume.values * mask).sum() / millilitres(mask, PET_GRID) for name, mask in drawn.items()}
    lesions = sum((activity.volume.values * drawn[f"Lesion{k}"]).sum() for k in (1, 2, 3))
    assert lesions < truth["activity_lesions_Bq"]  # blurred beyond their outlines
    assert mean["Lesion1"] > 1.5 * mean["Liver"]
    pet = read_activity(liver / "PET_ADMIN", **Y90).volume.values
    assert np.corrcoef(pet.ravel(), activity.volume.values.ravel())[0, 1] > 0.9


def test_nm_lies_where_the_anatomy_does(liver):
    path = liver / "NM_synth_MAA_recontomo.dcm"
    header = pydicom.dcmread(path, stop_before_pixels=True)
    assert float(header.SpacingBetweenSlices) < 0
    assert "ImagePositionPatient" not in header
    with pytest.raises(InputError, match="activity is in counts"):
        read_activity(path)
    spect = read_activity(path, administered_gbq=2.0, lung_shunt=0.04, **Y90).volume
    assert spect.grid.shape == (56, 96, 96)
    np.testing.assert_allclose(spect.grid.voxel_mm, (4.7952,) * 3, rtol=1e-9)
    truth = read_activity(liver / "truth_activity_ADMIN_BqPerMl_PETgrid.nii.gz", **Y90).volume
    np.testing.assert_allclose(centre_mm(spect), centre_mm(truth), atol=4.0)
    moved = conserve(spect, truth.grid).volume.values

    def likeness(values):
        return np.corrcoef(values.ravel(), truth.values.ravel())[0, 1]

    assert likeness(moved) > 0.9
    for axis in range(3):  # and no other way round
        assert likeness(np.flip(moved, axis)) < 0.7
    drawn = read_structures(liver / "RTSTRUCT_semiauto.dcm", spect.grid)
    inside = (spect.values * drawn["Liver"]).sum() / spect.values.sum()
    assert inside > 0.8


def test_gantry_tilt_is_refused_with_the_reason(odd):
    with pytest.raises(
        InputError, match=r"sheared by 18\.5 degrees \(gantry tilt 18\.5 degrees\), slice missing.*6\.999 mm"
    ):
        read_ct(odd / "ct-gantry-tilt")
    volume = read_ct(odd / "ct-gantry-tilt", resample=True).volume
    assert volume.grid.turn_deg == pytest.approx(18.5, abs=0.05)


def test_two_slices_that_are_no_ct(odd, tmp_path):
    with pytest.raises(InputError, match="no CT image; modalities found: MR"):
        read_ct(odd / "ct-two-slices")
    with pytest.raises(InputError, match="only 2 slices, at least 3 are needed"):
        read_ct(as_ct(odd / "ct-two-slices", tmp_path / "ct"))


def test_two_orientations_in_one_folder(odd, tmp_path):
    with pytest.raises(InputError, match="no CT image; modalities found: MR"):
        read_ct(odd / "ct-mixed-orientation")
    with pytest.raises(InputError, match=r"differ in their orientations \(ImageOrientationPatient\)"):
        read_ct(as_ct(odd / "ct-mixed-orientation", tmp_path / "ct"))


def test_nm_without_geometry(odd):
    path = odd / "nm-no-geometry" / "NM-MONO2-16-13x-heart.dcm"
    with pytest.raises(InputError, match="activity is in counts"):
        read_activity(path)
    with pytest.raises(InputError, match="without a place in the patient: ImagePositionPatient"):
        read_activity(path, administered_gbq=2.0, **Y90)


def test_pet_of_one_slice_in_jpeg_lossless(odd, tmp_path):
    folder = odd / "pet-one-slice"
    with pytest.raises(InputError, match="only 1 slice"):
        read_activity(folder / "GH184_PT_BQML_jpegll.dcm")
    with pytest.raises(InputError, match="PROPCPS"):
        read_activity(folder / "GH610_PT_PROPCPS_jpegll.dcm")
    # two more slices make a volume of it; the numbers are those of SimpleITK's decoder
    one = folder / "GH184_PT_BQML_jpegll.dcm"
    header = pydicom.dcmread(one, stop_before_pixels=True)
    x, y, z = (float(v) for v in header.ImagePositionPatient)
    for k in range(3):
        edit(
            shutil.copy(one, tmp_path / f"{k}.dcm"),
            ImagePositionPatient=[x, y, z + 3.27 * k],
            SOPInstanceUID=f"1.2.{k}",
        )
    values = read_activity(tmp_path).volume
    shown = sitk.GetArrayFromImage(sitk.ReadImage(str(one)))[0]  # with slope and intercept
    ratio = values.values[0][shown > 0] / shown[shown > 0]
    np.testing.assert_allclose(values.values[0], values.values[1], rtol=1e-12)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)  # voxel volume and decay
    assert (values.values[0][shown == 0] == 0).all()


@pytest.mark.parametrize("name", ["rtdose.dcm", "rtdose_rle.dcm", "RD.TBB_feet_in_supine.dcm"])
def test_rt_dose_is_neither_ct_nor_activity_nor_structures(odd, name):
    path = odd / "rtdose" / name
    with pytest.raises(InputError, match="no CT image; modalities found: RTDOSE"):
        read_ct(path)
    with pytest.raises(InputError, match="RTDOSE"):
        read_activity(path)
    with pytest.raises(InputError, match="one RTSTRUCT or SEG file is needed, found 0"):
        read_structures(path, PET_GRID)


@pytest.mark.parametrize("name", ["CT1_J2KR.dcm", "CT_small.dcm"])
def test_transfer_syntaxes_agree_with_simpleitk(odd, tmp_path, name):
    with pytest.raises(InputError, match="holds 2 CT series"):
        read_ct(odd / "transfer-syntax")
    path = odd / "transfer-syntax" / name
    with pytest.raises(InputError, match="only 1 slice"):
        read_ct(path)
    x, y, z = (float(v) for v in pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient)
    for k in range(3):
        edit(
            shutil.copy(path, tmp_path / f"{k}.dcm"), ImagePositionPatient=[x, y, z + 5 * k], SOPInstanceUID=f"1.2.{k}"
        )
    expected = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0]
    np.testing.assert_array_equal(read_ct(tmp_path).volume.values, np.stack([expected] * 3))


def test_segmentation_of_another_maker_on_its_ct(odd):
    image = read_ct(odd / "seg" / "ct-3slice")
    assert image.volume.grid.shape == (3, 512, 512)
    path = odd / "seg" / "liver.dcm"
    drawn = read_structures(path, image.volume.grid, frame_of_reference_uid=image.series.frame_of_reference_uid)
    assert list(drawn) == ["Liver"]
    frames = pydicom.dcmread(path).pixel_array
    assert millilitres(drawn["Liver"], image.volume.grid) == pytest.approx(
        frames.sum() * 0.810547**2 * 1.0 / 1000, rel=1e-5
    )
    assert sorted(drawn["Liver"].sum(axis=(1, 2))) == pytest.approx(sorted(frames.sum(axis=(1, 2))), rel=1e-4)
    inside = image.volume.values[drawn["Liver"] > 0.5]
    assert 40 < np.median(inside) < 150  # liver, with contrast medium or without
    elsewhere = Grid((4, 90, 90), (1.0, 5.0, 5.0), (-129.0, -226.8, -235.2))
    assert millilitres(read_structures(path, elsewhere)["Liver"], elsewhere) == pytest.approx(
        frames.sum() * 0.810547**2 / 1000, rel=1e-5
    )


TESTED = {
    "liver-y90/CT": test_ct,
    "liver-y90/RTSTRUCT_semiauto.dcm": test_structures_have_their_stated_volumes,
    "liver-y90/SEG_semiauto.dcm": test_structures_have_their_stated_volumes,
    "liver-y90/masks_CTgrid_1liver_2lesion.nii.gz": test_structures_have_their_stated_volumes,
    "liver-y90/PET_ADMIN": test_pet,
    "liver-y90/PET_START": test_pet,
    "liver-y90/PET_NONE": test_pet,
    "liver-y90/NM_synth_MAA_recontomo.dcm": test_nm_lies_where_the_anatomy_does,
    "liver-y90/truth.json": test_truth,
    "liver-y90/truth_activity_ADMIN_BqPerMl_PETgrid.nii.gz": test_truth,
    "odd/ct-gantry-tilt": test_gantry_tilt_is_refused_with_the_reason,
    "odd/ct-two-slices": test_two_slices_that_are_no_ct,
    "odd/ct-mixed-orientation": test_two_orientations_in_one_folder,
    "odd/nm-no-geometry": test_nm_without_geometry,
    "odd/pet-one-slice": test_pet_of_one_slice_in_jpeg_lossless,
    "odd/rtdose": test_rt_dose_is_neither_ct_nor_activity_nor_structures,
    "odd/transfer-syntax": test_transfer_syntaxes_agree_with_simpleitk,
    "odd/seg": test_segmentation_of_another_maker_on_its_ct,
}


def test_nothing_is_there_without_a_test():
    root = reference_images()
    there = {
        path.relative_to(root).as_posix()
        for folder in root.iterdir()
        for path in (folder.iterdir() if folder.is_dir() else [folder])
        if not path.name.startswith(("LICENSE", "README", "."))
    }
    assert there == set(TESTED)
    listed = {path.name for path in (root / "odd" / "rtdose").iterdir()}
    assert listed == {"rtdose.dcm", "rtdose_rle.dcm", "RD.TBB_feet_in_supine.dcm"}
