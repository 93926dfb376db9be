"""The JSON side-car of NIfTI and MetaImage."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from mcdose.errors import InputError
from mcdose.io.activity import read_activity

VALUES = np.arange(24.0).reshape(4, 2, 3) + 1
VOXEL_ML = 0.06
HALF_LIFE_S = 230_400.0  # 64 h


def image(folder, name="activity.nii.gz", **fields):
    made = sitk.GetImageFromArray(VALUES.astype(np.float32))
    made.SetSpacing((5.0, 4.0, 3.0))
    sitk.WriteImage(made, str(folder / name))
    if fields:
        (folder / f"{name.split('.')[0]}.json").write_text(json.dumps(fields))
    return folder / name


@pytest.mark.parametrize("name", ["activity.nii.gz", "a.nii", "a.mha", "a.mhd"])
def test_unit_and_reference_time(tmp_path, name):
    # 32 h are half a half-life of 64 h
    path = image(tmp_path, name, unit="Bq", nuclide="90Y", reference_time_h=32)
    activity = read_activity(path, nuclide="Y-90", half_life_s=HALF_LIFE_S)
    np.testing.assert_allclose(activity.volume.values, VALUES * 1.4142135623731, rtol=1e-12)
    assert activity.nuclide == "Y-90"
    assert read_activity(path, unit="Bq", half_life_s=HALF_LIFE_S).total_bq == activity.total_bq


def test_every_key_may_be_left_out(tmp_path):
    for fields in ({"unit": "Bq/mL"}, {"nuclide": "Y-90"}, {"reference_time_h": 0}):
        values = read_activity(image(tmp_path, **fields)).volume.values
        np.testing.assert_allclose(values, VALUES * VOXEL_ML, rtol=1e-12)
    assert read_activity(image(tmp_path, nuclide="Y-90"), unit="Bq").total_bq == 300.0


@pytest.mark.parametrize(
    ("fields", "arguments", "message"),
    [
        ({"unit": "Bq"}, {"unit": "Bq/mL"}, r"activity\.json: unit is Bq, the one asked for is Bq/mL"),
        ({"nuclide": "Ho-166"}, {"nuclide": "Y-90"}, "nuclide is Ho-166, the one asked for is Y-90"),
        ({"unit": "MBq"}, {}, "unit must be one of Bq, Bq/mL, got 'MBq'"),
        ({"unit": None}, {}, "unit must be one of Bq, Bq/mL, got None"),
        ({"nuclide": "yttrium"}, {}, "nuclide must be one such as Y-90, got 'yttrium'"),
        ({"units": "Bq", "time": 1}, {}, "must have no keys but .*; unknown: time, units"),
        ({"reference_time_h": -1}, {}, "reference_time_h must be a number of hours .* got -1"),
        ({"reference_time_h": "20"}, {}, "reference_time_h must be a number of hours .* got '20'"),
        ({"reference_time_h": True}, {}, "got True"),
        ({"reference_time_h": float("nan")}, {}, "got nan"),
        ({"reference_time_h": 20}, {}, "needs the nuclide's half-life"),
        ({"reference_time_h": 1300}, {"half_life_s": HALF_LIFE_S}, "at most 20 half-lives of 64 h, got 1300 h"),
    ],
)
def test_side_cars_that_contradict_are_refused(tmp_path, fields, arguments, message):
    path = image(tmp_path, **fields)
    with pytest.raises(InputError, match=message):
        read_activity(path, **arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "must be a JSON object, got list"),
        (
            '{"unit": "Bq", "nuclide": "Y-90", "unit": "Bq"}',
            r"activity\.json must have each key once; there twice: unit",
        ),
        ('{"unit": "Bq", "nuclide": {"b": 1, "a": 2, "b": 3, "a": 4}}', "each key once; there twice: a, b"),
    ],
)
def test_side_car_that_is_no_object_or_says_a_thing_twice_is_refused(tmp_path, text, message):
    path = image(tmp_path)
    (tmp_path / "activity.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_activity(path)


def test_calibration_of_counts_is_not_for_flat_files(tmp_path):
    with pytest.raises(InputError, match="a calibration of counts is for DICOM images"):
        read_activity(image(tmp_path), administered_gbq=2.0)
