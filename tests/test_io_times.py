"""Dates across midnight, time zones, fractions and summer time, in the headers of a PET."""

import numpy as np
import pytest
from images import Y90_HALF_LIFE_S, edit, pet_series, y90

from mcdose.errors import InputError
from mcdose.io.activity import read_activity

STORED = (np.arange(4 * 2 * 3).reshape(4, 2, 3) % 7 + 1) * 1000
AS_SHOWN = STORED.sum() * 0.06  # Bq at the scan
DECAY = np.log(2) / Y90_HALF_LIFE_S


def pet(folder, date, time, administered, correction="NONE", **attributes):
    """A PET without a duration, so that the activity at administration is that of the scan times exp(decay t)."""
    drug = administered if isinstance(administered, dict) else {"RadiopharmaceuticalStartDateTime": administered}
    frames = [(date, time, None, None)] * 4
    return pet_series(folder, STORED, [1.0] * 4, frames, drug=drug, DecayCorrection=correction, **attributes)


def elapsed_s(folder):
    """Time from administration to the scan that the activity was brought back by."""
    return np.log(read_activity(folder).total_bq / AS_SHOWN) / DECAY


@pytest.mark.parametrize(
    ("date", "time", "administered", "seconds"),
    [
        ("20240604", "000500", "20240603235500", 600),  # over midnight
        ("20240301", "000500", "20240229235500", 600),  # and the end of a leap month
        ("20250101", "003000", "20241231233000", 3600),
        ("20240604", "100000.250000", "20240604095959.750000", 0.5),
        ("20240604", "1000", "202406040930", 1800),  # seconds left out
        ("20240604", "10", "2024060409", 3600),  # and minutes
    ],
)
def test_dates_and_fractions(tmp_path, date, time, administered, seconds):
    pet(tmp_path, date, time, administered)
    assert elapsed_s(tmp_path) == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(
    ("zone", "administered", "seconds"),
    [
        ("+0200", "20240604080000+0000", 0.5 * 3600),  # 10:00 by the clock of the scan
        ("+0200", "20240604093000+0200", 1.0 * 3600),
        ("+0200", "20240604093000", 1.0 * 3600),  # without an offset: of the same zone
        ("-0330", "20240604110000-0300", 0.0 * 3600),  # 10:30 there
        ("+0200", "20240603233000-0800", 1.0 * 3600),  # the day before, on the other side of the world
        (None, "20240604093000+0200", 1.0 * 3600),  # the scan names no zone: one clock
    ],
)
def test_time_zones(tmp_path, zone, administered, seconds):
    told = {} if zone is None else {"TimezoneOffsetFromUTC": zone}
    pet(tmp_path, "20240604", "103000", administered, **told)
    assert elapsed_s(tmp_path) == pytest.approx(seconds, abs=1e-3)
    (warning,) = read_activity(tmp_path).warnings
    assert warning.startswith("ActualFrameDuration is missing")  # and nothing about the zones


def test_administration_before_and_scan_after_the_end_of_summer_time(tmp_path):
    # 27 October 2024, Europe: 02:30 summer time to 02:30 winter time is an hour, to 10:00 it is 8.5 h
    pet(tmp_path, "20241027", "100000", "20241027023000+0200", TimezoneOffsetFromUTC="+0100")
    assert elapsed_s(tmp_path) == pytest.approx(8.5 * 3600, abs=1e-3)


def test_slices_on_both_sides_of_the_end_of_summer_time(tmp_path):
    paths = pet(tmp_path, "20241027", "024000", "20241027020000+0200")
    for k, path in enumerate(paths):  # an hour apart, by clocks that show the same
        edit(path, TimezoneOffsetFromUTC="+0200" if k < 2 else "+0100")
    factor = np.exp(DECAY * np.array([40, 40, 100, 100]) * 60)
    values = read_activity(tmp_path).volume.values
    np.testing.assert_allclose(values, STORED * 0.06 * factor[:, None, None], rtol=1e-9)


def test_acquisition_date_time_with_an_offset_is_the_clock(tmp_path):
    pet(tmp_path, "20240604", "103030", "20240604080000+0000", AcquisitionDateTime="20240604103000+0200")
    assert elapsed_s(tmp_path) == pytest.approx(1800, abs=1e-3)


def test_administration_in_utc_beside_a_scan_without_a_zone_is_warned_of(tmp_path):
    pet(tmp_path, "20240604", "103000", "20240604080000+0000")
    assert "given in UTC (+0000), the times of the scan in no time zone" in read_activity(tmp_path).warnings[0]
    assert elapsed_s(tmp_path) == pytest.approx(2.5 * 3600, abs=1e-3)


@pytest.mark.parametrize("zone", ["CEST", "0200", "+9900", "+02"])
def test_time_zones_that_are_none_are_refused(tmp_path, zone):
    pet(tmp_path, "20240604", "103000", "20240604080000", TimezoneOffsetFromUTC=zone)
    with pytest.raises(InputError, match=r"TimezoneOffsetFromUTC must be such as \+0200, got"):
        read_activity(tmp_path)


def test_a_date_of_administration_without_a_time_of_day(tmp_path):
    pet(tmp_path / "a", "20240604", "103000", "20240604")
    with pytest.raises(InputError, match="RadiopharmaceuticalStartDateTime must have a time of day, got 20240604"):
        read_activity(tmp_path / "a")
    both = {"RadiopharmaceuticalStartDateTime": "20240603", "RadiopharmaceuticalStartTime": "233000.5"}
    pet(tmp_path / "b", "20240604", "003000", both)
    assert elapsed_s(tmp_path / "b") == pytest.approx(3599.5, abs=1e-3)


def test_start_refers_to_the_moment_that_the_header_names(tmp_path):
    told = {"SeriesDate": "20240604", "SeriesTime": "103000", "TimezoneOffsetFromUTC": "+0200"}
    at = {"DecayCorrectionDateTime": "20240604090000+0000"}  # 11:00, half an hour after the scan began
    pet(tmp_path, "20240604", "103000", "20240604100000", "START", **told, **at)
    assert elapsed_s(tmp_path) == pytest.approx(3600, abs=1e-3)


def test_admin_and_another_moment_are_refused(tmp_path):
    pet(tmp_path, "20240604", "103000", "20240604100000", "ADMIN", DecayCorrectionDateTime="20240604113000")
    with pytest.raises(InputError, match=r"DecayCorrectionDateTime .* is 1\.50 h after the administration"):
        read_activity(tmp_path)


def test_moments_stated_twice_must_be_one(tmp_path):
    pet(tmp_path / "a", "20240604", "103000", "20240604080000", AcquisitionDateTime="20240604083000+0000")
    with pytest.raises(InputError, match=r"AcquisitionDateTime 20240604083000\+0000 and AcquisitionDate and -Time"):
        read_activity(tmp_path / "a")
    twice = {"RadiopharmaceuticalStartDateTime": "20240604080000+0000", "RadiopharmaceuticalStartTime": "100000"}
    pet(tmp_path / "b", "20240604", "103000", twice)
    with pytest.raises(InputError, match="and RadiopharmaceuticalStartTime 100000 must be one time of day"):
        read_activity(tmp_path / "b")
    pet(tmp_path / "c", "20240604", "103000", twice, TimezoneOffsetFromUTC="+0200")
    assert elapsed_s(tmp_path / "c") == pytest.approx(1800, abs=1e-3)


def test_a_date_that_did_not_change_at_midnight_is_refused(tmp_path):
    frames = [("20240603", "235500", 900.0, None)] * 2 + [("20240603", "001500", 900.0, None)] * 2
    drug = {"RadiopharmaceuticalStartDateTime": "20240602100000"}
    pet_series(tmp_path, STORED, [1.0] * 4, frames, drug=drug, DecayCorrection="START")
    with pytest.raises(InputError, match="acquired within 12 h, got 2024-06-03 00:15:00 to 2024-06-03 23:55:00"):
        read_activity(tmp_path)


def test_two_administrations_are_refused(tmp_path):
    for path in pet_series(tmp_path, STORED, [1.0] * 4, [("20240604", "103000", 900.0, None)] * 4):
        edit(path, RadiopharmaceuticalInformationSequence=[y90(), y90()])
    total = read_activity(tmp_path).total_bq  # the same twice is one
    assert total == pytest.approx(AS_SHOWN)
    later = y90({"RadiopharmaceuticalStartDateTime": "20240603140000"})
    for path in sorted(tmp_path.iterdir()):
        edit(path, RadiopharmaceuticalInformationSequence=[y90(), later])
    with pytest.raises(InputError, match="must tell of one administration, got 2 that differ"):
        read_activity(tmp_path)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("DecayCorrection", "NONE"),
        ("SeriesTime", "090000"),
        ("FrameOfReferenceUID", "1.2.3.99"),
        ("PatientID", "another"),
        ("StudyInstanceUID", "1.2.3.98"),
    ],
)
def test_slices_that_differ_in_what_a_series_says_once_are_refused(tmp_path, attribute, value):
    pet(tmp_path, "20240604", "103000", "20240604080000", "START")
    edit(sorted(tmp_path.iterdir())[2], **{attribute: value})
    with pytest.raises(InputError, match=f"the images of a series must have one {attribute}, got"):
        read_activity(tmp_path)


def test_slices_of_two_administrations_are_refused(tmp_path):
    pet(tmp_path, "20240604", "103000", "20240604080000")
    drug = y90({"RadiopharmaceuticalStartDateTime": "20240604060000"})
    edit(sorted(tmp_path.iterdir())[2], RadiopharmaceuticalInformationSequence=[drug])
    with pytest.raises(InputError, match="must have one RadiopharmaceuticalStartDateTime, got 20240604060000, 2024"):
        read_activity(tmp_path)


def test_corrections_that_a_pet_lists(tmp_path):
    """Without attenuation correction it is refused; a list that contradicts DecayCorrection is warned of."""
    pet(tmp_path / "a", "20240604", "103000", "20240604080000", CorrectedImage=["NORM", "DTIM"])
    with pytest.raises(InputError, match=r"corrected for attenuation \(ATTN\), CorrectedImage is \['NORM', 'DTIM'\]"):
        read_activity(tmp_path / "a")
    pet(tmp_path / "b", "20240604", "103000", "20240604080000", CorrectedImage=["ATTN", "DECY"])
    assert any("NONE, but CorrectedImage lists DECY" in words for words in read_activity(tmp_path / "b").warnings)
    pet(tmp_path / "c", "20240604", "103000", "20240604080000", "START", CorrectedImage=["ATTN", "SCAT"])
    assert any("START, but CorrectedImage does not list" in words for words in read_activity(tmp_path / "c").warnings)


def test_times_that_no_scan_has_are_refused(tmp_path):
    """A series date a year off, as of shifted dates, a duration in microseconds; and pictures that are no slices."""
    pet(tmp_path / "a", "20240604", "103000", "20240604080000", "START", SeriesDate="20230604")
    with pytest.raises(InputError, match=r"series time 2023-06-04 10:30:00 is 8784\.0 h before the first frame"):
        read_activity(tmp_path / "a")
    frames = [("20240604", "103000", 900e3, None)] * 4
    pet_series(tmp_path / "b", STORED, [1.0] * 4, frames, DecayCorrection="NONE")
    with pytest.raises(InputError, match=r"ActualFrameDuration must be at most 24 h in ms, got 9e\+08 ms"):
        read_activity(tmp_path / "b")
    pet(tmp_path / "c", "20240604", "103000", "20240604080000", SeriesType=["STATIC", "REPROJECTION"])
    with pytest.raises(InputError, match="SeriesType is REPROJECTION"):
        read_activity(tmp_path / "c")
