"""Activity: units, decay corrections, and what is refused."""

import logging

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from images import Y90_HALF_LIFE_S, edit, pet_series
from scipy.integrate import quad

from mcdose.errors import InputError
from mcdose.io.activity import read_activity
from mcdose.io.nuclide_name import nuclide_named

DECAY = np.log(2) / Y90_HALF_LIFE_S
VOXEL_ML = 3.0 * 4.0 * 5.0 / 1000.0
SLOPES = np.array([1.5, 2.0, 0.25, 3.0])
STORED = (np.arange(4 * 2 * 3).reshape(4, 2, 3) % 7 + 1) * 1000
FRAME_S = 3600.0
# two beds an hour apart, on both sides of midnight, 13.5 and 14.5 h after an administration at 10:00 the day before
BEDS = [("20240603", "233000"), ("20240603", "233000"), ("20240604", "003000"), ("20240604", "003000")]
SINCE_ADMIN_S = np.array([13.5, 13.5, 14.5, 14.5]) * 3600.0


def mean_over_frame(start_s):
    """Mean over the frame of an activity of 1 at administration, by quadrature."""
    return quad(lambda t: np.exp(-DECAY * t), start_s, start_s + FRAME_S)[0] / FRAME_S


MEAN = np.array([mean_over_frame(t) for t in SINCE_ADMIN_S])


def series(folder, truth_bq_per_ml, correction, factors, duration=FRAME_S, **attributes):
    """A PET of known activity at administration as a scanner shows it that multiplies the frame's mean by `factors`."""
    shown = truth_bq_per_ml * (MEAN * factors)[:, None, None]
    slopes = shown.reshape(4, -1).max(axis=1) / 32767
    frames = [(date, time, duration, factor) for (date, time), factor in zip(BEDS, factors, strict=True)]
    stored = np.rint(shown / slopes[:, None, None])
    return pet_series(folder, stored, slopes, frames, DecayCorrection=correction, **attributes)


FULL = 1.0 / mean_over_frame(0.0)  # correction for the decay within a frame
ELAPSED = SINCE_ADMIN_S - SINCE_ADMIN_S[0]
CASES = {
    "NONE": ("NONE", np.ones(4)),
    "START": ("START", np.exp(DECAY * ELAPSED) * FULL),
    "START without the decay in the frame": ("START", np.exp(DECAY * ELAPSED)),
    "ADMIN": ("ADMIN", 1.0 / MEAN),
    "ADMIN without the decay in the frame": ("ADMIN", np.exp(DECAY * SINCE_ADMIN_S)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_decay_correction_gives_the_activity_at_administration(tmp_path, case):
    correction, factors = CASES[case]
    truth = STORED * SLOPES[:, None, None]
    series(tmp_path, truth, correction, factors)
    activity = read_activity(tmp_path, nuclide="Y-90", half_life_s=Y90_HALF_LIFE_S)
    np.testing.assert_allclose(activity.volume.values, truth * VOXEL_ML, rtol=2e-4)  # 16 bits
    assert activity.total_bq == activity.volume.values.sum()
    assert activity.nuclide == "Y-90"
    assert activity.half_life_s == Y90_HALF_LIFE_S
    assert activity.decay_correction == correction
    assert activity.administered.isoformat() == "2024-06-03T10:00:00"
    assert activity.acquired.isoformat() == "2024-06-03T23:30:00"
    assert activity.warnings == ()


@pytest.mark.parametrize("case", ["START", "ADMIN"])
def test_without_decay_factor_the_correction_is_taken_as_complete(tmp_path, case):
    correction, factors = CASES[case]
    truth = STORED * SLOPES[:, None, None]
    for path in series(tmp_path, truth, correction, factors):
        edit(path, DecayFactor=None)
    np.testing.assert_allclose(read_activity(tmp_path).volume.values, truth * VOXEL_ML, rtol=2e-4)


def test_scanner_with_a_rounded_half_life_is_undone_with_its_own(tmp_path):
    truth = STORED * SLOPES[:, None, None]
    rounded = Y90_HALF_LIFE_S * 1.01
    factors = np.exp(np.log(2) / rounded * SINCE_ADMIN_S) * FULL
    for path in series(tmp_path, truth, "ADMIN", factors):
        header = read_drug(path)
        header.RadionuclideHalfLife = rounded
        edit(path, RadiopharmaceuticalInformationSequence=[header])
    activity = read_activity(tmp_path, half_life_s=Y90_HALF_LIFE_S)
    np.testing.assert_allclose(activity.volume.values, truth * VOXEL_ML, rtol=3e-4)


def read_drug(path):
    import pydicom

    return pydicom.dcmread(path).RadiopharmaceuticalInformationSequence[0]


def test_series_time_of_a_later_reconstruction_gives_way_to_the_first_frame(tmp_path):
    truth = STORED * SLOPES[:, None, None]
    series(tmp_path, truth, "START", CASES["START"][1], SeriesDate="20240605", SeriesTime="120000")
    np.testing.assert_allclose(read_activity(tmp_path).volume.values, truth * VOXEL_ML, rtol=2e-4)


def test_clock_without_a_date_is_the_last_one_before_the_scan(tmp_path, caplog):
    frames = [("20240604", "003000", 60.0, None)] * 4
    pet_series(tmp_path, STORED, SLOPES, frames, DecayCorrection="NONE", drug={"RadiopharmaceuticalStartTime": "2330"})
    with caplog.at_level(logging.WARNING, logger="mcdose"):
        activity = read_activity(tmp_path)
    assert activity.administered.isoformat() == "2024-06-03T23:30:00"
    assert "without its date" in activity.warnings[0]
    assert "without its date" in caplog.text
    assert activity.total_bq == pytest.approx(
        (STORED * SLOPES[:, None, None]).sum() * VOXEL_ML * np.exp(DECAY * (3600 + 30)), rel=1e-6
    )


def test_flat_files(tmp_path):
    values = STORED.astype(np.float32)
    image = sitk.GetImageFromArray(values)
    image.SetSpacing((5.0, 4.0, 3.0))
    for name in ("a.nii.gz", "a.mha"):
        sitk.WriteImage(image, str(tmp_path / name))
        per_ml = read_activity(tmp_path / name)
        np.testing.assert_allclose(per_ml.volume.values, values * VOXEL_ML)
        assert per_ml.series is None
        assert per_ml.volume.values.dtype == np.float64
        np.testing.assert_allclose(read_activity(tmp_path / name, unit="Bq").volume.values, values)
    with pytest.raises(ValueError, match="unit must be one of Bq, Bq/mL, got 'MBq'"):
        read_activity(tmp_path / "a.mha", unit="MBq")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-3.0, "must not be negative: 1 voxels are, the lowest -3"),
        (np.nan, "must be finite, 1 voxels"),
        (np.inf, "must be finite"),
    ],
)
def test_impossible_activity_is_refused(tmp_path, value, message):
    values = np.ones((3, 4, 5), dtype=np.float32)
    values[1, 2, 3] = value
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(InputError, match=message):
        read_activity(tmp_path / "a.nii", unit="Bq")
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), dtype=np.float32), np.eye(4)), tmp_path / "b.nii")
    with pytest.raises(InputError, match="zero in every voxel"):
        read_activity(tmp_path / "b.nii")


FRAMES = [("20240604", "063000", 900.0, None)] * 4


@pytest.mark.parametrize(
    ("attributes", "arguments", "message"),
    [
        ({"Units": "CNTS"}, {}, "activity is in counts, not Bq/mL: Units is CNTS"),
        ({"Units": "PROPCPS"}, {}, "proportional to counts per second, not Bq/mL"),
        (
            {"Units": "GML"},
            {},
            r"standardised uptake value \(GML\): PatientWeight must be there",
        ),
        ({"Units": ""}, {}, "Units is absent"),
        ({"DecayCorrection": "SCAN"}, {}, "DecayCorrection must be NONE, START or ADMIN, got 'SCAN'"),
        ({}, {"nuclide": "Ho-166"}, "the header says Y-90, the nuclide asked for is Ho-166"),
        ({}, {"half_life_s": 6586.0}, "half-life is 230580 s"),
        ({}, {"unit": "Bq"}, "unit asked for is Bq per voxel, but the image is in Bq/mL"),
    ],
)
def test_headers_that_contradict_are_refused(tmp_path, attributes, arguments, message):
    pet_series(tmp_path, STORED, SLOPES, FRAMES, **attributes)
    with pytest.raises(InputError, match=message):
        read_activity(tmp_path, **arguments)


def test_times_that_contradict_are_refused(tmp_path):
    late = {"RadiopharmaceuticalStartDateTime": "20240604100000"}
    pet_series(tmp_path / "a", STORED, SLOPES, FRAMES, DecayCorrection="START", drug=late)
    with pytest.raises(InputError, match=r"do not fit: -3\.5 h apart"):
        read_activity(tmp_path / "a")
    pet_series(tmp_path / "b", STORED, SLOPES, FRAMES, DecayCorrection="START", drug={"RadionuclideTotalDose": 1e9})
    with pytest.raises(InputError, match=r"time of administration.*is missing"):
        read_activity(tmp_path / "b")
    odd = [(*frame[:3], 1.2) for frame in FRAMES]
    pet_series(tmp_path / "c", STORED, SLOPES, odd, DecayCorrection="START")
    with pytest.raises(InputError, match=r"DecayFactor 1\.2 contradicts"):
        read_activity(tmp_path / "c")
    for path in pet_series(tmp_path / "d", STORED, SLOPES, FRAMES, DecayCorrection="NONE"):
        edit(path, AcquisitionTime=None)
    with pytest.raises(InputError, match="AcquisitionDate and AcquisitionTime are needed"):
        read_activity(tmp_path / "d")


def test_admin_without_times_is_taken_as_it_is(tmp_path):
    drug = {"RadionuclideTotalDose": 2e9}
    pet_series(tmp_path, STORED, SLOPES, FRAMES, drug=drug)
    activity = read_activity(tmp_path)
    np.testing.assert_allclose(activity.volume.values, STORED * SLOPES[:, None, None] * VOXEL_ML, rtol=1e-6)
    assert activity.injected_bq == 2e9


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("^90^Yttrium", "Y-90"),
        ("Y-90", "Y-90"),
        ("90Y", "Y-90"),
        ("18F", "F-18"),
        ("F^18^", "F-18"),
        ("^99m^Technetium", "Tc-99m"),
        ("Fluorine 18", "F-18"),
        ("Radionuclide", None),
        ("", None),
    ],
)
def test_names_of_nuclides(text, name):
    assert nuclide_named(text) == name
