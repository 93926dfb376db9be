"""CT from DICOM, NIfTI and MetaImage: order, place and scale of the voxels, and what is refused."""

import logging
import re

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from images import CT, ct_series, edit, instance, reference_images, save, slices
from oriented import OBLIQUE
from pydicom.uid import generate_uid

from mcdose.errors import Cancelled, InputError
from mcdose.grid import Grid
from mcdose.io.ct import read_ct
from mcdose.io.progress import told_to

STORED = np.arange(4 * 5 * 6).reshape(4, 5, 6) * 3
GRID = Grid((4, 5, 6), (2.0, 1.5, 1.25), (30.0, -20.0, -10.0))


def test_series_is_sorted_and_placed(tmp_path):
    ct_series(tmp_path, STORED, RescaleIntercept=-1024)
    image = read_ct(tmp_path)
    assert image.volume.grid == GRID
    assert image.volume.values.dtype == np.float32
    np.testing.assert_array_equal(image.volume.values, STORED)  # `slices` sets the intercept to 0
    assert image.series.modality == "CT"
    assert image.series.frame_of_reference_uid == "1.2.3.2"
    assert len(image.series.instance_uids) == 4
    assert "PixelData" not in image.series.header
    assert image.series.header.ImagePositionPatient[2] == 30.0


def test_each_slice_has_its_own_slope_and_intercept(tmp_path):
    for k, path in enumerate(ct_series(tmp_path, STORED)):
        edit(path, RescaleSlope=k + 1, RescaleIntercept=-1000 - k)
    k = np.arange(4)[:, None, None]
    np.testing.assert_array_equal(read_ct(tmp_path).volume.values, STORED * (k + 1) - 1000 - k)


@pytest.mark.parametrize(
    ("orientation", "step", "corner"),
    [
        ((-1, 0, 0, 0, -1, 0), 2.0, (-10 + 5 * 1.25, -20 + 4 * 1.5, 30)),  # prone, head first
        ((-1, 0, 0, 0, 1, 0), -2.0, (-10 + 5 * 1.25, -20, 36)),
        ((1, 0, 0, 0, -1, 0), -2.0, (-10, -20 + 4 * 1.5, 36)),
    ],
)
def test_axes_that_run_backwards_are_turned(tmp_path, orientation, step, corner):
    turned = STORED[:: -1 if step < 0 else 1, :: orientation[4], :: orientation[0]]
    save(tmp_path, slices(CT, "CT", turned, corner, (step, 1.5, 1.25), orientation))
    volume = read_ct(tmp_path).volume
    assert volume.grid == GRID
    np.testing.assert_array_equal(volume.values, STORED)


def test_other_files_in_the_folder_are_left_out(tmp_path):
    ct_series(tmp_path, STORED)
    (tmp_path / "notes.txt").write_text("not DICOM")
    save(tmp_path / "more", slices(CT, "MR", STORED, (0, 0, 0), (1, 1, 1)))
    (next((tmp_path / "more").iterdir())).rename(tmp_path / "mr")
    save(
        tmp_path / "scout",
        slices(CT, "CT", STORED[:1], (0, 0, 0), (1, 1, 1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
    )
    (next((tmp_path / "scout").iterdir())).rename(tmp_path / "scout.dcm")
    np.testing.assert_array_equal(read_ct(tmp_path).volume.values, STORED)


def test_enhanced_multi_frame_file(tmp_path):
    image = instance("1.2.840.10008.5.1.4.1.1.2.1", "CT", SeriesInstanceUID=generate_uid(), Rows=5, Columns=6)
    image.NumberOfFrames, image.SamplesPerPixel, image.PhotometricInterpretation = 4, 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1

    def group(**attributes):
        item = pydicom.Dataset()
        for keyword, value in attributes.items():
            setattr(item, keyword, value)
        return [item]

    image.SharedFunctionalGroupsSequence = group(
        PixelMeasuresSequence=group(PixelSpacing=[1.5, 1.25]),
        PlaneOrientationSequence=group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        PixelValueTransformationSequence=group(RescaleSlope=2, RescaleIntercept=-7),
    )
    image.PerFrameFunctionalGroupsSequence = [
        group(PlanePositionSequence=group(ImagePositionPatient=[-10, -20, 36 - 2 * k]))[0] for k in range(4)
    ]
    image.PixelData = STORED[::-1].astype(np.int16).tobytes()
    image.save_as(tmp_path / "enhanced.dcm", enforce_file_format=True)
    volume = read_ct(tmp_path / "enhanced.dcm").volume
    assert volume.grid == GRID
    np.testing.assert_array_equal(volume.values, STORED * 2.0 - 7.0)


def spoil_missing(paths):
    paths[2].unlink()


def spoil_double(paths):
    edit(paths[2], ImagePositionPatient=[-10, -20, 32])


def spoil_uneven(paths):
    edit(paths[1], ImagePositionPatient=[-10, -20, 32.5])


def spoil_shear(paths):
    for k, path in enumerate(paths):
        edit(path, ImagePositionPatient=[-10, -20 + 0.5 * k, 30 + 2 * k])


def spoil_one_orientation(paths):
    edit(paths[1], ImageOrientationPatient=[0, 1, 0, 0, 0, -1])


def spoil_tilt(paths):
    tilt = np.radians(18.5)
    for path in paths:
        edit(path, ImageOrientationPatient=[1, 0, 0, 0, np.cos(tilt), -np.sin(tilt)], GantryDetectorTilt=18.5)


def spoil_stacked_sideways(paths):
    for path in paths:
        edit(path, ImageOrientationPatient=[0, 1, 0, 0, 0, -1])


def spoil_angle(paths):
    for path in paths:
        edit(path, ImageOrientationPatient=[1, 0, 0, 0.1, 0.99, 0])


def spoil_spacing(paths):
    edit(paths[1], PixelSpacing=[1.5, 1.5])


def spoil_second_series(paths):
    edit(paths[1], SeriesInstanceUID="1.2.3.99")


def spoil_no_position(paths):
    edit(paths[1], ImagePositionPatient=None)


def spoil_all_but_one(paths):
    for path in paths[1:]:
        path.unlink()


def spoil_cut(paths):
    paths[1].write_bytes(paths[1].read_bytes()[:-20])


def spoil_no_pixels(paths):
    edit(paths[1], PixelData=None)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_missing, r"slice missing between z = 32\.000 and 36\.000 mm: the gap is 4\.000 mm"),
        (spoil_double, r"two slices at the same position z = 32\.000 mm"),
        (spoil_uneven, r"uneven slice spacing, from 1\.500 to 2\.500 mm"),
        (spoil_shear, r"shifted sideways against each other by 1\.50 mm"),
        (spoil_one_orientation, r"differ in their orientations"),
        (
            spoil_tilt,
            r"shifted sideways .*sheared by 18\.5 degrees \(gantry tilt 18\.5 degrees\); resample \(--resample\)",
        ),
        (spoil_stacked_sideways, "two slices at the same position x = -10.000 mm"),
        (spoil_angle, "must be two unit vectors at a right angle"),
        (spoil_spacing, r"differ in their pixel spacings"),
        (spoil_second_series, r"holds 2 CT series.*1\.2\.3\.99"),
        (spoil_no_position, r"ImagePositionPatient is needed"),
        (spoil_all_but_one, r"only 1 slice"),
        (spoil_cut, r"pixel data cannot be decoded"),
        (spoil_no_pixels, r"has no pixel data"),
    ],
)
def test_bad_series_are_refused_with_the_figures(tmp_path, spoil, message):
    spoil(ct_series(tmp_path, STORED))
    with pytest.raises(InputError, match=message) as caught:
        read_ct(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_missing_path_and_folders_without_ct(tmp_path):
    with pytest.raises(InputError, match="no such file or folder"):
        read_ct(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no DICOM file"):
        read_ct(tmp_path)
    save(tmp_path, slices(CT, "MR", STORED, (0, 0, 0), (1, 1, 1)))
    with pytest.raises(InputError, match="no CT image; modalities found: MR"):
        read_ct(tmp_path)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "RPI", "SLP", "ASR"])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_in_any_order_of_axes(tmp_path, axes, ending):
    ras = np.array([[-1.25, 0, 0, 10], [0, -1.5, 0, 20], [0, 0, 2, 30], [0, 0, 0, 1.0]])
    image = nibabel.Nifti1Image(STORED.transpose(2, 1, 0).astype(np.int16), ras)
    codes = nibabel.orientations
    turn = codes.ornt_transform(codes.io_orientation(ras), codes.axcodes2ornt(tuple(axes)))
    path = tmp_path / f"ct{ending}"
    nibabel.save(image.as_reoriented(turn), path)
    volume = read_ct(path).volume
    np.testing.assert_allclose(volume.grid.origin_mm, GRID.origin_mm)
    np.testing.assert_allclose(volume.grid.voxel_mm, GRID.voxel_mm)
    np.testing.assert_array_equal(volume.values, STORED)


@pytest.mark.parametrize("ending", [".mha", ".mhd", ".nii.gz"])
def test_files_by_simpleitk(tmp_path, ending):
    image = sitk.GetImageFromArray(STORED[:, ::-1].astype(np.int16))
    image.SetSpacing((1.25, 1.5, 2.0))
    image.SetOrigin((-10.0, -20.0 + 4 * 1.5, 30.0))
    image.SetDirection((1, 0, 0, 0, -1, 0, 0, 0, 1))
    sitk.WriteImage(image, str(tmp_path / f"ct{ending}"))
    volume = read_ct(tmp_path / f"ct{ending}").volume
    np.testing.assert_allclose(volume.grid.origin_mm, GRID.origin_mm)
    np.testing.assert_allclose(volume.grid.voxel_mm, GRID.voxel_mm)
    np.testing.assert_array_equal(volume.values, STORED)


def test_oblique_files_keep_their_voxels(tmp_path):
    """SimpleITK's own arithmetic puts every voxel where the grid has it."""
    oblique = sitk.GetImageFromArray(STORED.astype(np.int16))
    oblique.SetDirection(OBLIQUE.ravel())
    oblique.SetSpacing((1.25, 1.5, 2.0))
    oblique.SetOrigin((-10.0, -20.0, 30.0))
    for name in ("a.mha", "a.nii"):
        sitk.WriteImage(oblique, str(tmp_path / name))
        volume = read_ct(tmp_path / name).volume
        for index in np.ndindex(volume.values.shape):
            x, y, z = oblique.TransformPhysicalPointToIndex(volume.grid.position_mm(index)[::-1].tolist())
            assert volume.values[index] == STORED[z, y, x]
    sheared = np.eye(4)
    sheared[0, 1] = 0.1
    nibabel.save(nibabel.Nifti1Image(STORED.astype(np.int16), sheared), tmp_path / "b.nii")
    with pytest.raises(InputError, match=r"axes of the image must be at right angles, voxels are up to 0\.\d\d mm off"):
        read_ct(tmp_path / "b.nii")


def test_placeless_files_are_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(STORED.astype(np.int16), None), tmp_path / "b.nii")
    with pytest.raises(InputError, match="neither sform nor qform"):
        read_ct(tmp_path / "b.nii")
    moved = nibabel.Nifti1Image(STORED.astype(np.int16), np.eye(4))
    moved.set_qform(np.diag([1, 1, 1.2, 1]), 1)
    nibabel.save(moved, tmp_path / "c.nii")
    with pytest.raises(InputError, match=r"sform and qform differ by 1\.20 mm"):
        read_ct(tmp_path / "c.nii")


def test_damaged_files_say_why_and_stderr_stays_empty(tmp_path, capfd, caplog):
    caplog.set_level(logging.CRITICAL)
    sitk.WriteImage(sitk.GetImageFromArray(STORED.astype(np.int16)), str(tmp_path / "a.mha"), useCompression=False)
    whole = (tmp_path / "a.mha").read_bytes()
    (tmp_path / "a.mha").write_bytes(whole[:-10])
    (tmp_path / "b.nii").write_bytes(b"not an image" * 100)
    for name, reason in (("a.mha", "values need 240 bytes, the file holds 230"), ("b.nii", "cannot be read")):
        with pytest.raises(InputError, match=re.escape(reason)):
            read_ct(tmp_path / name)
    assert capfd.readouterr().err == ""


def test_jpeg_2000_and_damaged_jpeg(tmp_path, capfd):
    odd = reference_images() / "odd"
    ds = pydicom.dcmread(odd / "transfer-syntax" / "CT1_J2KR.dcm")
    expected = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
    for k in range(2):
        ds.ImagePositionPatient[2] = 5.0 * k
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.save_as(tmp_path / f"{k}.dcm")
    np.testing.assert_array_equal(read_ct(tmp_path).volume.values, np.stack([expected] * 2))
    whole = (tmp_path / "1.dcm").read_bytes()
    (tmp_path / "1.dcm").write_bytes(whole[:-20000])
    with pytest.raises(InputError, match="has no pixel data; the file may be cut short"):
        read_ct(tmp_path)
    assert capfd.readouterr().err == ""


def test_real_ct_agrees_with_simpleitk():
    folder = reference_images() / "liver-y90" / "CT"
    volume = read_ct(folder).volume
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    np.testing.assert_array_equal(volume.values, sitk.GetArrayFromImage(image))
    np.testing.assert_allclose(volume.grid.origin_mm, image.GetOrigin()[::-1], atol=1e-6)
    np.testing.assert_allclose(volume.grid.voxel_mm, image.GetSpacing()[::-1], atol=1e-6)
    assert volume.values.min() == -3024  # padding is kept


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ct-gantry-tilt", r"sheared by 18\.5 degrees \(gantry tilt 18\.5 degrees\), slice missing"),
        ("ct-two-slices", "no CT image"),
        ("ct-mixed-orientation", "no CT image"),
        ("transfer-syntax", "holds 2 CT series"),
    ],
)
def test_odd_real_images_are_refused(name, message):
    with pytest.raises(InputError, match=message):
        read_ct(reference_images() / "odd" / name)


def test_reading_tells_how_far_it_has_come(tmp_path):
    """Headers, then pixels, one step a file; False stops it."""
    ct_series(tmp_path, STORED)
    steps = []
    with told_to(lambda done, total: steps.append((done, total))):
        read_ct(tmp_path)
    assert steps == [(k, 8) for k in range(1, 9)]
    read_ct(tmp_path)
    assert len(steps) == 8
    with told_to(lambda done, total: done < 6), pytest.raises(Cancelled):
        read_ct(tmp_path)
