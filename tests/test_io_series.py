"""Which files of a folder are the image: several series, copies, several volumes, secondary captures."""

import json
import logging
import shutil

import nibabel
import numpy as np
import pydicom
import pytest
from images import CT, ct_series, edit, instance, nm_image, pet_series, save, slices
from pydicom.uid import generate_uid

from mcdose.case import read_case
from mcdose.cli import main
from mcdose.errors import InputError
from mcdose.io.activity import read_activity
from mcdose.io.ct import read_ct

STORED = np.arange(4 * 5 * 6).reshape(4, 5, 6) * 3
FLAT = np.full((4, 2, 3), 1000)
BED = ("20240604", "063000", 900.0, None)


def two_ct(folder):
    """Two series of one folder, the second 100 HU higher and one slice longer."""
    paths = ct_series(folder, STORED, SeriesNumber=4, SeriesDescription="Thorax")
    for k, path in enumerate(ct_series(folder / "b", np.vstack([STORED, STORED[-1:]]) + 100, SeriesNumber=9)):
        path.rename(folder / f"b{k}")
        edit(folder / f"b{k}", SeriesInstanceUID="1.2.3.99")
    return str(pydicom.dcmread(paths[0]).SeriesInstanceUID)


def two_pet(folder):
    for uid, scale in (("1.2.3.7", 1.0), ("1.2.3.8", 3.0)):
        for k, path in enumerate(pet_series(folder / uid, FLAT, [scale] * 4, [BED] * 4)):
            edit(path, SeriesInstanceUID=uid)
            path.rename(folder / f"{uid}-{k}")


def test_one_of_several_series_is_chosen_by_its_uid(tmp_path):
    uid = two_ct(tmp_path)
    np.testing.assert_array_equal(read_ct(tmp_path, series_uid=uid).volume.values, STORED)
    other = read_ct(tmp_path, series_uid="1.2.3.99")
    np.testing.assert_array_equal(other.volume.values[:4], STORED + 100)
    assert other.series.series_uid == "1.2.3.99"
    two_pet(tmp_path / "pet")
    once = read_activity(tmp_path / "pet", series_uid="1.2.3.7").total_bq
    assert read_activity(tmp_path / "pet", series_uid="1.2.3.8").total_bq == pytest.approx(3 * once, rel=1e-12)


def test_several_series_are_listed_with_the_option_that_chooses(tmp_path):
    uid = two_ct(tmp_path)
    with pytest.raises(InputError, match="holds 2 CT series, choose one with --ct-series UID") as caught:
        read_ct(tmp_path)
    assert f"{uid} (SeriesNumber 4, 'Thorax', CT, 4 images)" in str(caught.value)
    assert "1.2.3.99 (SeriesNumber 9, 'no description', CT, 5 images)" in str(caught.value)
    with pytest.raises(InputError, match=r"holds no CT series 1\.2; those there are 1\.2\.3\.99 .*; .*Thorax"):
        read_ct(tmp_path, series_uid="1.2")
    two_pet(tmp_path / "pet")
    with pytest.raises(InputError, match=r"holds 2 PT or NM series, choose one with --activity-series UID.*1\.2\.3\.8"):
        read_activity(tmp_path / "pet")


def test_pet_and_spect_in_one_folder_are_two_series(tmp_path):
    for path in pet_series(tmp_path, FLAT, [1.0] * 4, [BED] * 4):
        edit(path, SeriesInstanceUID="1.2.3.7")
    edit(nm_image(tmp_path / "nm", FLAT), SeriesInstanceUID="1.2.3.8")
    with pytest.raises(InputError, match=r"1\.2\.3\.7 \(.*PT, 4 images\); 1\.2\.3\.8 \(.*NM, 4 images\)"):
        read_activity(tmp_path)
    assert read_activity(tmp_path, series_uid="1.2.3.7").series.modality == "PT"
    spect = read_activity(tmp_path, series_uid="1.2.3.8", administered_gbq=1.0)
    assert spect.series.modality == "NM"


def test_a_uid_asked_of_a_file_without_series_is_refused(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.ones((3, 4, 5), dtype=np.float32), np.eye(4)), tmp_path / "a.nii")
    for read in (read_ct, read_activity):
        with pytest.raises(InputError, match=r"series 1\.2 was asked for, but NIfTI and MetaImage hold no DICOM"):
            read(tmp_path / "a.nii", series_uid="1.2")


def test_command_line_and_case_choose_series(tmp_path, capsys):
    two_pet(tmp_path / "pet")
    for uid, stored in (("1.2.3.5", 0), ("1.2.3.6", 40)):
        ct = ct_series(tmp_path / uid, np.full((8, 16, 16), stored), (-10.0, -10.0, 8.0), (3.0, 2.0, 2.0))
        (tmp_path / "ct").mkdir(exist_ok=True)
        for k, path in enumerate(ct):
            edit(path, SeriesInstanceUID=uid)
            path.rename(tmp_path / "ct" / f"{uid}-{k}")
    case = read_case(tmp_path / "pet", tmp_path / "ct", ct_series="1.2.3.6", activity_series="1.2.3.8")
    assert set(np.unique(case.ct_hu)) == {40}
    paths = ("--activity", str(tmp_path / "pet"), "--ct", str(tmp_path / "ct"), "-o", str(tmp_path / "out"))
    command = ("dose", *paths, "--method", "local-deposition")
    assert main([*command, "--ct-series", "1.2.3.6"]) == 2
    assert "choose one with --activity-series UID" in capsys.readouterr().err
    assert main([*command, "--ct-series", "1.2.3.6", "--activity-series", "1.2.3.8"]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["inputs"]["activity_bq"] == pytest.approx(case.activity_bq.sum(), rel=1e-12)
    assert main([*command, "--activity-series", "1.2.3.7", "1.2.3.8"]) == 2
    assert "--activity-series must name one series for each --activity, got 2 for 1" in capsys.readouterr().err
    with pytest.raises(ValueError, match="activity_series must be one UID for each of 1 activities, got 2"):
        read_case(tmp_path / "pet", tmp_path / "ct", activity_series=["1.2.3.7", "1.2.3.8"])
    assert main(["compare", "--demo", "--ct-series", "1.2.3.6", "-o", str(tmp_path / "out2")]) == 2
    assert "--demo stands instead of images, got --ct-series 1.2.3.6" in capsys.readouterr().err


def test_time_points_of_one_folder_are_chosen_by_their_series(tmp_path):
    starts = {"1.2.3.7": ("20240604", "100000"), "1.2.3.8": ("20240605", "100000")}
    for uid, start in starts.items():
        told = {"DecayCorrection": "ADMIN"}
        for k, path in enumerate(pet_series(tmp_path / uid, FLAT, [1.0] * 4, [(*start, 900.0, None)] * 4, **told)):
            edit(path, SeriesInstanceUID=uid)
            (tmp_path / "pet").mkdir(exist_ok=True)
            path.rename(tmp_path / "pet" / f"{uid}-{k}")
    ct_series(tmp_path / "ct", np.zeros((8, 16, 16)), (-10.0, -10.0, 8.0), (3.0, 2.0, 2.0))
    case = read_case([tmp_path / "pet"] * 2, tmp_path / "ct", activity_series=list(starts))
    once = read_activity(tmp_path / "pet", series_uid="1.2.3.7").total_bq
    assert case.activity_bq.sum() == pytest.approx(once, rel=1e-3)  # half-lives of header and nuclide differ


def test_copied_files_are_taken_once_with_a_warning(tmp_path, caplog):
    paths = ct_series(tmp_path, STORED)
    shutil.copy(paths[1], tmp_path / "copy of it")
    with caplog.at_level(logging.WARNING, logger="mcdose"):
        np.testing.assert_array_equal(read_ct(tmp_path).volume.values, STORED)
    assert "1 files are copies of others and left out: copy of it" in caplog.text
    edit(tmp_path / "copy of it", StudyDescription="renamed")  # of no consequence to the image
    np.testing.assert_array_equal(read_ct(tmp_path).volume.values, STORED)


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"PixelData": b"\1" * 60}, "PixelData"),
        ({"ImagePositionPatient": [-10, -20, 90]}, "ImagePositionPatient"),
        ({"RescaleSlope": 2, "RescaleType": "US"}, "RescaleSlope, RescaleType"),
    ],
)
def test_files_of_one_instance_that_differ_are_refused(tmp_path, attributes, named):
    paths = ct_series(tmp_path, STORED)
    shutil.copy(paths[1], tmp_path / "other")
    edit(tmp_path / "other", **attributes)
    with pytest.raises(InputError, match=f"have one SOPInstanceUID, .*, but differ in {named}$") as caught:
        read_ct(tmp_path)
    assert str(paths[1]) in str(caught.value)
    assert str(tmp_path / "other") in str(caught.value)


def test_copies_of_a_multi_frame_image_are_taken_once(tmp_path):
    shutil.copy(nm_image(tmp_path / "nm", FLAT), tmp_path / "copy")
    assert read_activity(tmp_path, administered_gbq=1.0).volume.grid.shape == (4, 2, 3)


def test_phases_of_a_4d_ct_are_refused_as_such(tmp_path):
    for phase in range(3):
        told = {
            "SeriesInstanceUID": "1.2.3.9",
            "TemporalPositionIdentifier": phase + 1,
            "AcquisitionTime": f"10000{phase}",
        }
        for k, path in enumerate(ct_series(tmp_path / str(phase), STORED)):
            edit(path, **told)
            path.rename(tmp_path / f"{phase}-{k}")
    message = (
        r"holds 12 images of 4 positions, 3 at each: several times, .*they differ in "
        "TemporalPositionIdentifier 1, 2, 3; AcquisitionTime 100000, 100001, 100002"
    )
    with pytest.raises(InputError, match=message):
        read_ct(tmp_path)


def test_frames_of_a_dynamic_pet_are_refused_as_such(tmp_path):
    for frame, start in enumerate(("063000", "070000")):
        for k, path in enumerate(
            pet_series(tmp_path / str(frame), FLAT, [1.0] * 4, [("20240604", start, 900.0, None)] * 4)
        ):
            edit(path, SeriesInstanceUID="1.2.3.9", SOPInstanceUID=generate_uid())
            path.rename(tmp_path / f"{frame}-{k}")
    with pytest.raises(InputError, match=r"holds 8 images of 4 positions, 2 at each.*AcquisitionTime 063000, 070000"):
        read_activity(tmp_path)
    (tmp_path / "0-2").unlink()
    with pytest.raises(InputError, match="holds 7 images of 4 positions, 1 to 2 at each"):
        read_activity(tmp_path)


def capture(folder, name, **attributes):
    """A secondary capture of modality CT."""
    (image,) = slices("1.2.840.10008.5.1.4.1.1.7", "CT", STORED[:1], (0, 0, 0), (1, 1, 1), **attributes)
    (path,) = save(folder / "captures", [image])
    path.rename(folder / name)


def test_secondary_captures_are_no_ct(tmp_path):
    capture(tmp_path, "shot")
    with pytest.raises(InputError, match="no CT image but secondary captures, whose values are shades of grey"):
        read_ct(tmp_path)
    ct_series(tmp_path, STORED)
    np.testing.assert_array_equal(read_ct(tmp_path).volume.values, STORED)


def test_multi_frame_secondary_captures_are_no_ct(tmp_path):
    image = instance("1.2.840.10008.5.1.4.1.1.7.3", "CT", SeriesInstanceUID=generate_uid())
    save(tmp_path, [image])
    with pytest.raises(InputError, match="no CT image but secondary captures"):
        read_ct(tmp_path)
    assert image.SOPClassUID != CT
