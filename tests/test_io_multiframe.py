"""Enhanced multi-frame CT and PET, also as highdicom converts them, beside the same images in files of one frame."""

import highdicom
import numpy as np
import pydicom
import pytest
from images import Y90_HALF_LIFE_S, ct_series, edit, enhanced_pet, group, multi_frame, pet_series
from pydicom.uid import generate_uid

from mcdose.errors import InputError
from mcdose.grid import Grid
from mcdose.io.activity import read_activity
from mcdose.io.ct import read_ct

STORED = np.arange(4 * 5 * 6).reshape(4, 5, 6) * 3
GRID = Grid((4, 5, 6), (2.0, 1.5, 1.25), (30.0, -20.0, -10.0))
COUNTS = (np.arange(4 * 2 * 3).reshape(4, 2, 3) % 7 + 1) * 1000
SLOPES = (1.5, 2.0, 0.25, 3.0)
BEDS = [("20240603", "233000"), ("20240603", "233000"), ("20240604", "003000"), ("20240604", "003000")]
FRAME_S = 3600.0
DECAY = np.log(2) / Y90_HALF_LIFE_S
AT_START_H = 13.5  # from administration to the first bed


def enhanced_ct(path, stored=STORED, first=0, shared=(), frames=None, **attributes):
    """An enhanced CT on GRID whose frame k, counted from `first`, is k + 1 times the stored values, less 7."""
    common = {
        "PixelMeasuresSequence": group(PixelSpacing=[1.5, 1.25]),
        "PlaneOrientationSequence": group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        "CTImageFrameTypeSequence": group(
            FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"],
            VolumetricProperties="VOLUME",
            VolumeBasedCalculationTechnique="NONE",
        ),
        **dict(shared),
    }
    each = [
        {
            "PlanePositionSequence": group(ImagePositionPatient=[-10, -20, 30 + 2 * (first + k)]),
            "PixelValueTransformationSequence": group(
                RescaleSlope=first + k + 1, RescaleIntercept=-7, RescaleType="HU"
            ),
            **((frames or {}).get(k, {})),
        }
        for k in range(len(stored))
    ]
    image = multi_frame("1.2.840.10008.5.1.4.1.1.2.1", "CT", stored, common, each, **attributes)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_as(path, enforce_file_format=True)
    return path


SCALED = STORED * np.arange(1, 5)[:, None, None] - 7.0


def frame_type(*kind, technique="NONE", volume="VOLUME"):
    return {
        "CTImageFrameTypeSequence": group(
            FrameType=list(kind), VolumetricProperties=volume, VolumeBasedCalculationTechnique=technique
        )
    }


def test_frames_have_their_own_scale(tmp_path):
    image = read_ct(enhanced_ct(tmp_path / "e.dcm"))
    assert image.volume.grid == GRID
    np.testing.assert_array_equal(image.volume.values, SCALED)
    assert len(image.series.instance_uids) == 1
    assert str(image.series.header.PatientName) == "Doe^Jane"


def test_localizer_frames_are_left_out(tmp_path):
    path = enhanced_ct(tmp_path / "e.dcm", frames={3: frame_type("ORIGINAL", "PRIMARY", "LOCALIZER", "NONE")})
    np.testing.assert_array_equal(read_ct(path).volume.values, SCALED[:3])
    only = enhanced_ct(tmp_path / "l.dcm", shared=frame_type("ORIGINAL", "PRIMARY", "LOCALIZER", "NONE"))
    with pytest.raises(InputError, match="every frame is a localizer"):
        read_ct(only)


def test_reformatted_frames_are_read_where_all_are(tmp_path):
    mpr = frame_type("DERIVED", "PRIMARY", "VOLUME", "RESAMPLED", technique="MPR")
    np.testing.assert_array_equal(read_ct(enhanced_ct(tmp_path / "e.dcm", shared=mpr)).volume.values, SCALED)
    with pytest.raises(InputError, match=r"original frames and reformatted ones \(MPR\) are mixed"):
        read_ct(enhanced_ct(tmp_path / "f.dcm", frames={2: mpr}))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (frame_type("DERIVED", "PRIMARY", "VOLUME", "MAXIMUM"), "frame 2 is no measured image, its FrameType is"),
        (frame_type("DERIVED", "PRIMARY", "VOLUME", "NONE", technique="MAX_IP"), "Technique is MAX_IP"),
        (frame_type("DERIVED", "PRIMARY", "VOLUME", "NONE", technique="CURVED_MPR"), "Technique is CURVED_MPR"),
        (frame_type("DERIVED", "PRIMARY", "VOLUME", "NONE", volume="DISTORTED"), "frame 2 is DISTORTED"),
    ],
)
def test_frames_that_are_no_planes_of_a_volume_are_refused(tmp_path, kind, message):
    with pytest.raises(InputError, match=message):
        read_ct(enhanced_ct(tmp_path / "e.dcm", frames={1: kind}))


def test_rescale_type_of_every_frame_counts(tmp_path):
    other = {"PixelValueTransformationSequence": group(RescaleSlope=1, RescaleIntercept=0, RescaleType="MGML")}
    with pytest.raises(InputError, match="RescaleType is MGML, CT numbers in HU are needed"):
        read_ct(enhanced_ct(tmp_path / "e.dcm", frames={2: other}))


def test_times_at_one_position_are_refused(tmp_path):
    at = {k: {"PlanePositionSequence": group(ImagePositionPatient=[-10, -20, 30 + 2 * (k // 2)])} for k in range(4)}
    for k in range(4):
        at[k]["FrameContentSequence"] = group(TemporalPositionIndex=k % 2 + 1)
    with pytest.raises(InputError, match=r"4 images of 2 positions, 2 at each.*TemporalPositionIndex 1, 2"):
        read_ct(enhanced_ct(tmp_path / "e.dcm", frames=at))


def concatenation(folder, numbers=(1, 2), total=2):
    """Two parts of two frames."""
    for k, number in enumerate(numbers):
        told = {"ConcatenationUID": "1.2.3.5", "InConcatenationNumber": number, "InConcatenationTotalNumber": total}
        path = folder / f"{9 - k}.dcm"
        enhanced_ct(path, STORED[2 * k : 2 * k + 2], 2 * k, SeriesInstanceUID="1.2.3.9", **told)


def test_concatenations_are_one_image(tmp_path):
    concatenation(tmp_path)
    image = read_ct(tmp_path)
    assert image.volume.grid == GRID
    np.testing.assert_array_equal(image.volume.values, SCALED)
    assert len(image.series.instance_uids) == 2


@pytest.mark.parametrize(
    ("numbers", "total", "message"),
    [
        ((1, 2), 3, r"must have parts 1 to 3, missing are \[3\]"),
        ((2, 3), 3, r"missing are \[1\]"),
        ((1, 1), 2, "InConcatenationNumber must be there and different in each part, got 1"),
    ],
)
def test_concatenations_must_be_whole(tmp_path, numbers, total, message):
    concatenation(tmp_path, numbers, total)
    with pytest.raises(InputError, match=message):
        read_ct(tmp_path)


def test_legacy_conversion_of_ct_by_highdicom(tmp_path):
    paths = ct_series(tmp_path / "ct", STORED, AcquisitionNumber=1, KVP=120, BodyPartExamined="ABDOMEN")
    for k, path in enumerate(paths):
        edit(path, RescaleSlope=k + 1, RescaleIntercept=-7, RescaleType="HU")
    convert(highdicom.legacy.LegacyConvertedEnhancedCTImage, paths, tmp_path / "converted.dcm")
    image = read_ct(tmp_path / "converted.dcm")
    assert image.volume.grid == GRID
    np.testing.assert_array_equal(image.volume.values, SCALED)
    assert image.series.sop_class_uid == "1.2.840.10008.5.1.4.1.1.2.2"


def convert(kind, paths, path):
    images = [pydicom.dcmread(source) for source in paths]
    kind(images, generate_uid(), 7, generate_uid(), 1).save_as(path)


FACTORS = {
    "NONE": np.ones(4),
    "START": np.exp(DECAY * np.array([0, 0, 3600, 3600])),
    "ADMIN": np.exp(DECAY * (np.array([0, 0, 3600, 3600]) + AT_START_H * 3600)),
}


@pytest.mark.parametrize("correction", FACTORS)
def test_legacy_conversion_of_pet_by_highdicom(tmp_path, correction):
    frames = [(*bed, FRAME_S, factor) for bed, factor in zip(BEDS, FACTORS[correction], strict=True)]
    corrected = ["ATTN", "SCAT"] if correction == "NONE" else ["DECY", "ATTN"]
    told = {"DecayCorrection": correction, "CorrectedImage": corrected, "BodyPartExamined": "ABDOMEN"}
    paths = pet_series(tmp_path / "pet", COUNTS, SLOPES, frames, **told)
    for k, path in enumerate(paths):
        edit(path, RescaleType="US", FrameReferenceTime=1800e3, ImageIndex=k + 1)
    convert(highdicom.legacy.LegacyConvertedEnhancedPETImage, paths, tmp_path / "converted.dcm")
    single = read_activity(tmp_path / "pet", nuclide="Y-90", half_life_s=Y90_HALF_LIFE_S)
    converted = read_activity(tmp_path / "converted.dcm", nuclide="Y-90", half_life_s=Y90_HALF_LIFE_S)
    assert converted.volume.grid == single.volume.grid
    np.testing.assert_allclose(converted.volume.values, single.volume.values, rtol=1e-12)
    assert (converted.administered, converted.acquired) == (single.administered, single.acquired)
    assert (converted.decay_correction, converted.nuclide, converted.warnings) == (correction, "Y-90", ())


def beds_in_one_file(path, corrected_to, factors=None, groups=None, **more):
    frames = [(date + time, FRAME_S) for date, time in BEDS]
    return enhanced_pet(path, COUNTS, SLOPES, frames, corrected_to, factors, groups, **more)


@pytest.mark.parametrize(
    ("correction", "corrected_to"),
    [("NONE", None), ("START", "20240603233000"), ("ADMIN", "20240603100000")],
)
@pytest.mark.parametrize("stated", [True, False])
def test_enhanced_pet_gives_the_activity_of_single_frames(tmp_path, correction, corrected_to, stated):
    factors = FACTORS[correction] if stated else [None] * 4
    frames = [(*bed, FRAME_S, factor) for bed, factor in zip(BEDS, factors, strict=True)]
    pet_series(tmp_path / "pet", COUNTS, SLOPES, frames, DecayCorrection=correction)
    single = read_activity(tmp_path / "pet", nuclide="Y-90", half_life_s=Y90_HALF_LIFE_S)
    path = beds_in_one_file(tmp_path / "e.dcm", corrected_to, factors if stated else None)
    enhanced = read_activity(path, nuclide="Y-90", half_life_s=Y90_HALF_LIFE_S)
    assert enhanced.volume.grid == single.volume.grid
    np.testing.assert_allclose(enhanced.volume.values, single.volume.values, rtol=1e-9)
    assert (enhanced.administered, enhanced.acquired) == (single.administered, single.acquired)
    assert enhanced.warnings == ()


def test_enhanced_pet_corrected_to_any_moment(tmp_path):
    # to 2024-06-04 10:00, after the scan: a day after administration
    enhanced = read_activity(beds_in_one_file(tmp_path / "e.dcm", "20240604100000"))
    truth = COUNTS * np.array(SLOPES)[:, None, None] * 0.06 * np.exp(DECAY * 86400)
    np.testing.assert_allclose(enhanced.volume.values, truth, rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"corrected_to": ""},
            r"e\.dcm: DecayCorrected is YES, but DecayCorrectionDateTime, to which moment, is missing",
        ),
        ({"corrected_to": None, "unit": "{SUVbw}g/ml"}, "Units is absent, BQML is needed"),
        (
            {"corrected_to": None, "groups": {1: {"FrameContentSequence": group(FrameAcquisitionNumber=1)}}},
            "AcquisitionDate and AcquisitionTime are needed in every slice",
        ),
        (
            {"corrected_to": "20240603233000", "factors": [1.5] * 4},
            r"DecayFactor 1\.5 contradicts DecayCorrectionDateTime 2024-06-03 23:30:00, which gives",
        ),
    ],
)
def test_enhanced_pet_without_its_times_or_units_is_refused(tmp_path, arguments, message):
    with pytest.raises(InputError, match=message):
        read_activity(beds_in_one_file(tmp_path / "e.dcm", **arguments))
