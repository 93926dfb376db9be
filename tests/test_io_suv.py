"""PET that is not in Bq/mL: SUV back to activity, counts by the administered activity."""

import numpy as np
import pytest
from images import Y90_HALF_LIFE_S, edit, pet_series, reference_images

from mcdose.errors import InputError
from mcdose.io.activity import read_activity

ONES = np.full((4, 2, 3), 1000)
SLOPES = [0.001] * 4
VOXEL_ML = 0.06
LATER = ("20240606", "020300", 900.0, None)  # one half-life after the administration
DRUG = {"RadiopharmaceuticalStartDateTime": "20240603100000", "RadionuclideTotalDose": 2.1e9}
SUV = {"Units": "GML", "PatientWeight": 70.0}


@pytest.mark.parametrize("correction", ["ADMIN", "START"])
@pytest.mark.parametrize("kind", [{}, {"SUVType": "BW"}])
def test_suv_1_is_the_dose_over_the_weight(tmp_path, correction, kind):
    # 2.1 GBq / 70 000 g = 30 000 Bq/mL at administration: with START both dose and image are halved, then brought back
    pet_series(tmp_path, ONES, SLOPES, [LATER] * 4, drug=DRUG, DecayCorrection=correction, **SUV, **kind)
    activity = read_activity(tmp_path, nuclide="Y-90", half_life_s=Y90_HALF_LIFE_S)
    np.testing.assert_allclose(activity.volume.values, 30_000 * VOXEL_ML, rtol=1e-6)
    assert activity.injected_bq == 2.1e9


def test_suv_and_bq_per_ml_of_one_scan_agree(tmp_path):
    # two beds, corrected to the start of the first, 13.5 h after administration
    frames = [("20240603", "233000", 900.0, None)] * 2 + [("20240603", "234500", 900.0, None)] * 2
    stored = (np.arange(24).reshape(4, 2, 3) + 1) * 100
    left = 0.5 ** (13.5 * 3600 / Y90_HALF_LIFE_S)
    pet_series(tmp_path / "b", stored, [50.0] * 4, frames, drug=DRUG, DecayCorrection="START")
    scale = 50.0 * 70_000 / (2.1e9 * left)
    pet_series(tmp_path / "s", stored, [scale] * 4, frames, drug=DRUG, DecayCorrection="START", **SUV)
    known, found = (read_activity(tmp_path / name).volume.values for name in "bs")
    np.testing.assert_allclose(found, known, rtol=1e-6)


@pytest.mark.parametrize(
    ("attributes", "drug", "message"),
    [
        ({"PatientWeight": None}, DRUG, "PatientWeight must be there and positive, got None"),
        ({"PatientWeight": 0.0}, DRUG, "PatientWeight must be there and positive, got 0"),
        ({"SUVType": "LBM"}, DRUG, "SUVType must be BW .* got LBM"),
        ({"DecayCorrection": "NONE"}, DRUG, "SUV must be corrected for decay, DecayCorrection is NONE"),
        ({}, {**DRUG, "RadionuclideTotalDose": 2100}, "must be there and above 1e.06 Bq, got 2100"),
        ({}, {"RadiopharmaceuticalStartDateTime": "20240603100000"}, "RadionuclideTotalDose must .* got none"),
        ({"Units": "CM2ML"}, DRUG, "standardised uptake value, cm2/mL, not Bq/mL"),
    ],
)
def test_suv_that_cannot_be_undone_is_refused(tmp_path, attributes, drug, message):
    merged = {key: value for key, value in {**SUV, **attributes}.items() if value is not None}
    pet_series(tmp_path, ONES, SLOPES, [LATER] * 4, drug=drug, **merged)
    with pytest.raises(InputError, match=message):
        read_activity(tmp_path)


def test_slices_in_two_units_are_refused(tmp_path):
    first, *_ = pet_series(tmp_path, ONES, SLOPES, [LATER] * 4)
    edit(first, Units="CNTS")
    with pytest.raises(InputError, match="must be in one unit, Units are BQML, CNTS"):
        read_activity(tmp_path, administered_gbq=1.0)


@pytest.mark.parametrize("unit", ["CNTS", "PROPCNTS", "PROPCPS", "CPS", "GML"])
def test_patient_relative_pet_of_one_bed(tmp_path, unit):
    stored = (np.arange(24).reshape(4, 2, 3) + 1) * 1000  # 300 (1000) in all
    pet_series(tmp_path, stored, SLOPES, [LATER] * 4, Units=unit)
    activity = read_activity(tmp_path, nuclide="Y-90", administered_gbq=3.5, lung_shunt=0.1, residual_gbq=0.5)
    np.testing.assert_allclose(activity.volume.values, stored / 1000 * 9e6, rtol=1e-6)  # 2.7 GBq / 300
    assert activity.total_bq == pytest.approx(2.7e9, rel=1e-12)


@pytest.mark.parametrize(("unit", "second"), [("CNTS", 1000), ("PROPCPS", 500)])
def test_beds_count_for_what_was_left_and_for_how_long(tmp_path, unit, second):
    # the second bed is a tenth of a half-life later and twice as long: as many counts, half the rate
    frames = [("20240603", "110000", 600.0, None)] * 2 + [("20240603", "172418", 1200.0, None)] * 2
    stored = np.repeat([1000, 1000, second, second], 6).reshape(4, 2, 3)
    pet_series(tmp_path, stored, SLOPES, frames, Units=unit, DecayCorrection="NONE")
    values = read_activity(tmp_path, administered_gbq=2.4).volume.values
    # mean over the frame to its start, 1 + x / 2 + x^2 / 12: x = 0.00180366167 and twice that
    ratio = (1 + 0.00180366167 + 0.00360732334**2 / 12) / (1 + 0.00180366167 / 2 + 0.00180366167**2 / 12)
    np.testing.assert_allclose(values[2:] / values[0, 0, 0], 2**0.1 / 2 * ratio, rtol=1e-7)
    assert values.sum() == pytest.approx(2.4e9, rel=1e-12)


def test_calibration_of_an_image_that_is_in_bq_is_refused(tmp_path):
    pet_series(tmp_path / "b", ONES, SLOPES, [LATER] * 4)
    with pytest.raises(InputError, match="the image is in Bq/mL, it takes no calibration of counts"):
        read_activity(tmp_path / "b", administered_gbq=2.0)
    pet_series(tmp_path / "c", ONES, SLOPES, [LATER] * 4, Units="CNTS")
    with pytest.raises(InputError, match="a sensitivity is for an NM image in counts, this is PT with Units CNTS"):
        read_activity(tmp_path / "c", sensitivity_cps_per_mbq=10.0)
    pet_series(tmp_path / "d", ONES, SLOPES, [LATER] * 4, Units="STDDEV")
    with pytest.raises(InputError, match="activity is in standard deviations"):
        read_activity(tmp_path / "d", administered_gbq=2.0)


def test_counts_of_frames_of_unknown_length_are_refused(tmp_path):
    frames = [LATER, LATER, ("20240606", "020300", None, None), LATER]
    pet_series(tmp_path, ONES, SLOPES, frames, Units="CNTS", DecayCorrection="NONE")
    with pytest.raises(InputError, match="ActualFrameDuration is needed in every slice"):
        read_activity(tmp_path, administered_gbq=2.0)


def test_reference_counts_get_past_their_unit():
    path = reference_images() / "odd" / "pet-one-slice" / "GH610_PT_PROPCPS_jpegll.dcm"
    with pytest.raises(InputError, match="only 1 slice"):
        read_activity(path, administered_gbq=1.0)
