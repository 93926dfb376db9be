"""What becomes of images that an archive holds now and then: refused with its words, or read with a warning."""

import logging

import numpy as np
import pydicom
import pytest
from images import ct_series, edit, pet_series, rtstruct, slices, spatial_registration
from oriented import turn_of
from patients import nifti

from mcdose.case import read_case
from mcdose.errors import InputError
from mcdose.grid import Grid
from mcdose.io.activity import read_activity
from mcdose.io.ct import read_ct
from mcdose.io.structures import read_structures

STORED = np.arange(4 * 5 * 6).reshape(4, 5, 6)
ONE_BED = [("20240604", "063000", 900.0, None)] * 4
GRID = Grid((20, 20, 20), (2.0, 2.0, 2.0), (-19.0, -19.0, -19.0))


def test_two_slices_are_too_few(tmp_path):
    for path in ct_series(tmp_path, STORED)[2:]:
        path.unlink()
    for resample in (False, True):
        with pytest.raises(InputError, match="only 2 slices, at least 3 are needed to see that they are even"):
            read_ct(tmp_path, resample=resample)


def test_slices_of_another_size_are_refused(tmp_path):
    path = ct_series(tmp_path, STORED)[1]
    edit(path, Rows=4)
    with pytest.raises(InputError, match=r"slices differ in their sizes \(rows, columns\): \[5\.0, 6\.0\] in"):
        read_ct(tmp_path)


def test_subfolders_are_not_searched(tmp_path):
    ct_series(tmp_path / "ct", STORED)
    with pytest.raises(InputError, match=r"folder holds no DICOM file \(subfolders are not searched\)"):
        read_ct(tmp_path)


def test_padding_that_is_no_number_of_the_pixels_is_refused(tmp_path):
    image = pydicom.dcmread(ct_series(tmp_path, STORED)[0])
    image.add_new("PixelPaddingValue", "SS", [1, 2])
    image.save_as(image.filename)
    with pytest.raises(InputError, match=r"PixelPaddingValue must be one whole number of 16 bits, got \[1, 2\]"):
        read_ct(tmp_path)


def test_slices_in_counts_are_not_resampled(tmp_path):
    paths = pet_series(tmp_path, STORED, [1.0] * 4, ONE_BED, Units="CNTS")
    edit(paths[1], ImagePositionPatient=[-8.0, -6.0, 14.0])
    with pytest.raises(InputError, match="slices in CNTS cannot be evened out, their counts are not densities"):
        read_activity(tmp_path, administered_gbq=2.0, resample=True)


def test_slices_that_do_not_lie_beside_each_other_are_not_resampled(tmp_path):
    for k, path in enumerate(ct_series(tmp_path, STORED)):
        edit(path, ImagePositionPatient=[-10.0 + 4 * k, -20.0, 30.0 + 2 * k])  # 12 mm over an image of 7.5 mm
    with pytest.raises(InputError, match=r"slices must lie beside each other, they are shifted sideways by 12\.0 mm"):
        read_ct(tmp_path, resample=True)


def test_a_series_time_long_before_the_scan_is_warned_of(tmp_path):
    pet_series(tmp_path, STORED, [1.0] * 4, ONE_BED, DecayCorrection="START", SeriesTime="053000")
    warnings = read_activity(tmp_path).warnings
    assert warnings == (
        "activity is taken as corrected to the series time, 1.0 h before the first frame; there is no DecayFactor to "
        "check it by",
    )


def test_a_decay_factor_that_contradicts_admin_is_warned_of(tmp_path):
    pet_series(tmp_path, STORED, [1.0] * 4, [(*frame[:3], 1.0) for frame in ONE_BED])
    (warning,) = read_activity(tmp_path).warnings
    assert warning.startswith("DecayFactor 1 of the first slice contradicts the times, which give 1.24")
    assert warning.endswith("the activity is taken to be at administration all the same")


def test_an_image_without_a_frame_of_reference_lies_where_its_coordinates_say(tmp_path):
    for path in pet_series(tmp_path / "pet", STORED, [1.0] * 4, ONE_BED):
        edit(path, FrameOfReferenceUID=None)
    ct_series(tmp_path / "ct", np.zeros((24, 24, 24)), (-20.0, -20.0, 0.0), (2.0, 2.0, 2.0))
    flat = nifti(tmp_path / "ct.nii.gz", np.zeros((24, 24, 24)), (2.0, 2.0, 2.0), (0.0, -20.0, -20.0))
    for ct in (tmp_path / "ct", flat):
        assert read_case(tmp_path / "pet", ct).grid.origin_mm == (10.0, -6.0, -8.0)


def test_messages_name_the_coordinate_of_planes_that_are_not_axial(tmp_path, caplog):
    """Of coronal contours y; of oblique ones the distance along their normal."""
    square = np.array([[-5.0, -5.0, 0.0], [5.0, -5.0, 0.0], [5.0, 5.0, 0.0], [-5.0, 5.0, 0.0]])
    for name, words in (("coronal", "between y = -4.00 and 4.00 mm"), ("oblique", "between distance along the normal")):
        rings = [(square + np.array([0.0, 0.0, k])) @ turn_of(name).T for k in (-8.0, -6.0, -4.0, 4.0, 6.0, 8.0)]
        path = rtstruct(tmp_path / f"{name}.dcm", [("A", [(ring[:, 2], ring[:, :2]) for ring in rings])])
        caplog.clear()
        with caplog.at_level(logging.WARNING, logger="mcdose"):
            read_structures(path, GRID)
        assert words in caplog.text


@pytest.mark.filterwarnings("ignore:Invalid value for VR DS")
def test_a_contour_that_is_not_a_number_is_refused(tmp_path):
    square = np.array([[-5.0, -5.0], [5.0, -5.0], [5.0, np.inf], [-5.0, 5.0]])
    path = rtstruct(tmp_path / "rs.dcm", [("A", [(0.0, square), (2.0, square)])])
    with pytest.raises(InputError, match="a contour of structure 'A' has a coordinate that is not a number"):
        read_structures(path, GRID)


def test_warnings_of_a_registration_name_their_file_once(tmp_path, caplog):
    for path in pet_series(tmp_path / "pet", STORED, [1.0] * 4, ONE_BED):
        edit(path, FrameOfReferenceUID="1.2.3.10")
    ct_series(tmp_path / "ct", np.zeros((24, 24, 24)), (-20.0, -20.0, 0.0), (2.0, 2.0, 2.0))
    matrix = np.eye(4)
    matrix[0, 1] = 1e-4  # off a rotation, as if written with few digits
    path = spatial_registration(tmp_path / "reg.dcm", "1.2.3.2", [("1.2.3.10", [(matrix, "RIGID")])])
    with caplog.at_level(logging.WARNING, logger="mcdose"):
        read_case(tmp_path / "pet", tmp_path / "ct", registration=path)
    (message,) = [record.getMessage() for record in caplog.records if "nearest rotation" in record.getMessage()]
    assert message.count("reg.dcm") == 1


def test_files_that_are_no_registration_are_called_so(tmp_path):
    pet_series(tmp_path / "pet", STORED, [1.0] * 4, ONE_BED)
    paths = ct_series(tmp_path / "ct", np.zeros((24, 24, 24)), (-20.0, -20.0, 0.0), (2.0, 2.0, 2.0))
    with pytest.raises(InputError, match=r"no Spatial Registration \(Modality REG\); modalities found: CT"):
        read_case(tmp_path / "pet", tmp_path / "ct", registration=paths[0])


def test_images_of_several_modalities_are_told_apart(tmp_path):
    """PET and CT in one folder, as archives export a study."""
    stored = np.full((20, 20, 20), 5)
    ct_series(tmp_path, stored, (-20.0, -20.0, 0.0), (2.0, 2.0, 2.0))
    for k, image in enumerate(slices("1.2.840.10008.5.1.4.1.1.4", "MR", STORED, (0, 0, 0), (1, 1, 1))):
        image.save_as(tmp_path / f"mr{k}.dcm", enforce_file_format=True)
    np.testing.assert_array_equal(read_ct(tmp_path).volume.values, stored)
    with pytest.raises(InputError, match="no PT or NM image; modalities found: CT, MR"):
        read_activity(tmp_path)
