"""SPECT: the place of the frames, and the ways from counts to activity, by hand."""

import numpy as np
import pydicom
import pytest
from images import Y90_HALF_LIFE_S, edit, nm_image, pet_series, reference_images, y90
from oriented import OBLIQUE, turn_of
from pydicom.dataset import Dataset

from mcdose.errors import InputError
from mcdose.io.activity import read_activity

COUNTS = (np.arange(4 * 2 * 3).reshape(4, 2, 3) + 1) * 1000
SPECT = {"nuclide": "Y-90", "half_life_s": Y90_HALF_LIFE_S}
# 1200 s in the middle of a decay: x / (1 - exp(-x)) = 1 + x / 2 + x^2 / 12 with x = ln 2 x 1200 s / 230 580 s
IN_FRAME = 1 + 0.00360732334 / 2 + 0.00360732334**2 / 12


def given(path, gbq=2.0, **more):
    return read_activity(path, administered_gbq=gbq, **SPECT, **more)


@pytest.mark.parametrize("spacing", [3.0, -3.0])
def test_frames_stack_along_the_normal_or_against_it(tmp_path, spacing):
    activity = given(nm_image(tmp_path / "nm.dcm", COUNTS, spacing))
    assert activity.volume.grid.voxel_mm == (3.0, 4.0, 5.0)
    assert activity.volume.grid.origin_mm == (10.0 if spacing > 0 else 1.0, -6.0, -8.0)
    shown = COUNTS if spacing > 0 else COUNTS[::-1]
    np.testing.assert_allclose(activity.volume.values, shown * (2e9 / 300_000), rtol=1e-12)  # 1000 x 24 x 25 / 2
    assert activity.series.modality == "NM"


def test_normal_of_rows_that_run_to_the_right_points_to_the_feet(tmp_path):
    activity = given(nm_image(tmp_path / "nm.dcm", COUNTS, 3.0, orientation=(-1, 0, 0, 0, 1, 0)))
    assert activity.volume.grid.origin_mm == (1.0, -6.0, -18.0)
    np.testing.assert_allclose(activity.volume.values, COUNTS[::-1, :, ::-1] * (2e9 / 300_000), rtol=1e-12)


def test_slice_vector_says_which_slice_a_frame_shows(tmp_path):
    activity = given(nm_image(tmp_path / "nm.dcm", COUNTS[[2, 0, 3, 1]], SliceVector=[3, 1, 4, 2]))
    np.testing.assert_allclose(activity.volume.values, COUNTS * (2e9 / 300_000), rtol=1e-12)


def test_slice_thickness_stands_for_a_spacing_that_is_absent_sign_and_all(tmp_path):
    activity = given(nm_image(tmp_path / "nm.dcm", COUNTS, None, SliceThickness=-3.0))
    assert activity.volume.grid.origin_mm == (1.0, -6.0, -8.0)


@pytest.mark.parametrize("spacing", [3.0, -3.0])
def test_frames_of_any_orientation_are_in_place(tmp_path, spacing):
    """Slice n is (n - 1) spacings along row x column from the first, against it where the spacing is negative."""
    for turn in (turn_of("coronal"), turn_of("FFDL"), OBLIQUE):
        path = nm_image(tmp_path / "nm.dcm", COUNTS, spacing, orientation=(*turn[:, 0], *turn[:, 1]))
        volume = given(path).volume
        frame, row, column = (index.ravel() for index in np.indices(COUNTS.shape))
        steps = np.column_stack([column * 5.0, row * 4.0, frame * spacing])
        first = np.array([float(v) for v in pydicom.dcmread(path).DetectorInformationSequence[0].ImagePositionPatient])
        places = np.column_stack([first + steps @ turn.T, np.ones(len(frame))])
        x, y, z = np.rint(places @ np.linalg.inv(volume.affine).T).astype(int).T[:3]
        np.testing.assert_allclose(
            volume.values[z, y, x] / volume.values.sum(), COUNTS.ravel() / COUNTS.sum(), rtol=1e-6
        )


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"orientation": None}, "multi-frame image without a place in the patient"),
        ({"orientation": (1, 0, 0, 0.1, 0.99, 0)}, "must be two unit vectors at a right angle"),
        ({"SliceVector": [1, 2, 2, 1]}, "SliceVector must name each of 4 slices once"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "TOMO", "EMISSION"]}, "ImageType must have RECON TOMO"),
        ({"spacing_mm": 0.0}, "SpacingBetweenSlices must not be zero"),
        ({"spacing_mm": None, "SliceThickness": None}, "SpacingBetweenSlices or SliceThickness is needed"),
    ],
)
def test_frames_without_a_place_are_refused(tmp_path, attributes, message):
    path = nm_image(tmp_path / "nm.dcm", COUNTS, **attributes)
    with pytest.raises(InputError, match=message):
        given(path)


def test_detectors_must_agree_on_the_place(tmp_path):
    path = nm_image(tmp_path / "nm.dcm", COUNTS)
    places = pydicom.dcmread(path).DetectorInformationSequence
    edit(path, DetectorInformationSequence=[places[0], Dataset(), places[0]])  # the second one says nothing
    assert given(path).volume.grid.origin_mm == (10.0, -6.0, -8.0)
    other = pydicom.dcmread(path).DetectorInformationSequence[0]
    other.ImagePositionPatient = [-8.0, -6.0, 11.0]
    edit(path, DetectorInformationSequence=[places[0], other])
    with pytest.raises(InputError, match="detectors must agree on where the image is"):
        given(path)


def test_two_images_of_one_series_are_refused(tmp_path):
    for name in "ab":
        edit(nm_image(tmp_path / name, COUNTS), SeriesInstanceUID="1.2.3.9")
    with pytest.raises(InputError, match="holds 2 multi-frame images of one series, one is needed"):
        given(tmp_path)


def in_files(folder, where="image", **attributes):
    """The slices of COUNTS in a file each, from z = 10 mm on; `where` says who has the position."""
    for k in range(4):
        path = nm_image(folder / f"{9 - k}", COUNTS[k : k + 1], **attributes)
        place = {"ImagePositionPatient": [-8.0, -6.0, 10.0 + 3 * k], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        detector = Dataset()
        if where == "detector":
            detector.update({keyword: value for keyword, value in y90(place).items() if keyword.group == 0x20})
            place = {}
        if where == "nowhere":
            place = {"SliceLocation": 10.0 + 3 * k}
        edit(path, SeriesInstanceUID="1.2.3.9", DetectorInformationSequence=[detector], **place)


@pytest.mark.parametrize("where", ["image", "detector"])
def test_frames_in_files_of_their_own(tmp_path, where):
    in_files(tmp_path, where)
    activity = given(tmp_path)
    assert activity.volume.grid.voxel_mm == (3.0, 4.0, 5.0)
    assert activity.volume.grid.origin_mm == (10.0, -6.0, -8.0)
    np.testing.assert_allclose(activity.volume.values, COUNTS * (2e9 / 300_000), rtol=1e-12)
    by_sensitivity = read_activity(tmp_path, sensitivity_cps_per_mbq=10.0, **SPECT)
    np.testing.assert_allclose(by_sensitivity.volume.values, COUNTS / 12_000 * 2e6 * IN_FRAME, rtol=1e-8)


def test_a_slice_location_alone_is_no_place(tmp_path):
    in_files(tmp_path, "nowhere")
    with pytest.raises(InputError, match=r"without a place in the patient.*SliceLocation alone does not say where"):
        given(tmp_path)


def test_slices_in_files_must_be_of_one_acquisition_time(tmp_path):
    in_files(tmp_path)
    edit(nm_image(tmp_path / "other", COUNTS[:1], rotations=((60, 10_000),)), SeriesInstanceUID="1.2.3.9")
    path = tmp_path / "other"
    place = {"ImagePositionPatient": [-8.0, -6.0, 22.0], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    edit(path, DetectorInformationSequence=[Dataset()], **place)
    with pytest.raises(InputError, match="all slices must be of one acquisition time"):
        read_activity(tmp_path, sensitivity_cps_per_mbq=10.0, **SPECT)


def test_spect_stored_as_single_frame_pet(tmp_path):
    beds = [("20240606", "020300", 1200.0, None)] * 4
    pet_series(tmp_path, COUNTS, [0.5] * 4, beds, DecayCorrection="NONE", CountsSource="EMISSION")
    activity = read_activity(tmp_path, **SPECT)
    np.testing.assert_allclose(activity.volume.values, COUNTS * 0.5 * 0.06 * 2 * IN_FRAME, rtol=1e-8)


def real_world(slope, unit="Bq/ml", **more):
    """Real world values by a slope."""
    mapping, code = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = unit, "UCUM", "unit"
    mapping.MeasurementUnitsCodeSequence = [code]
    if slope is not None:
        mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = slope, 0.0
    return {"RealWorldValueMappingSequence": [mapping], "DecayCorrection": "ADMIN", **more}


def both_ways():
    one, two = real_world(1.0), real_world(2.0)
    one["RealWorldValueMappingSequence"] += two["RealWorldValueMappingSequence"]
    return one


@pytest.mark.parametrize("units", [None, "BQML", "CNTS"])
def test_real_world_values_in_bq_per_ml_are_the_activity(tmp_path, units):
    activity = read_activity(nm_image(tmp_path / "nm", COUNTS, **real_world(2.5, Units=units)), **SPECT)
    np.testing.assert_allclose(activity.volume.values, COUNTS * 2.5 * 0.06, rtol=1e-12)


def test_real_world_values_of_pet_in_files_of_one_frame(tmp_path):
    pet_series(tmp_path, COUNTS, [1.0] * 4, [("20240606", "020300", 1200.0, None)] * 4, **real_world(2.5, Units=""))
    np.testing.assert_allclose(read_activity(tmp_path, **SPECT).volume.values, COUNTS * 2.5 * 0.06, rtol=1e-12)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (real_world(2.5, Units="BQML", RescaleSlope=2.0), r"real world values in Bq/mL \(2\.5, 0\.0\) must agree"),
        (both_ways(), r"one mapping to real world values in Bq/mL is needed, got \[\(1\.0, 0\.0\), \(2\.0, 0\.0\)\]"),
        ({"Modality": "PT", "Units": "BQML"}, "RescaleSlope is needed with Units BQML, got none"),
        (real_world(None), "must be given by RealWorldValueSlope, got a table"),
        (real_world(2.5, "g/ml{SUVbw}"), "activity is in counts"),
    ],
)
def test_real_world_values_that_say_no_activity_are_refused(tmp_path, attributes, message):
    with pytest.raises(InputError, match=message):
        read_activity(nm_image(tmp_path / "nm", COUNTS, **attributes), **SPECT)


def test_real_world_values_that_agree_with_the_rescaling_are_not_applied_twice(tmp_path):
    path = nm_image(tmp_path / "nm", COUNTS, **real_world(2.5, Units="BQML", RescaleSlope=2.5, RescaleIntercept=0))
    np.testing.assert_allclose(read_activity(path, **SPECT).volume.values, COUNTS * 2.5 * 0.06, rtol=1e-12)


def test_frames_in_files_of_their_own_at_one_position_are_refused(tmp_path):
    for k in range(4):
        edit(nm_image(tmp_path / str(k), COUNTS[k : k + 1]), SeriesInstanceUID="1.2.3.9")
    with pytest.raises(InputError, match="holds 4 images of 1 position, 4 at each"):
        given(tmp_path)


def test_sensitivity_by_hand(tmp_path):
    # 12000 counts in 60 x 20 s are 10 counts/s, at 10 counts/(s MBq) 1 MBq; one half-life after administration
    path = nm_image(tmp_path / "nm.dcm", np.full((4, 2, 3), 12_000))
    activity = read_activity(path, sensitivity_cps_per_mbq=10.0, **SPECT)
    np.testing.assert_allclose(activity.volume.values, 2e6 * IN_FRAME, rtol=1e-8)
    assert activity.calibration == "counts in 1200 s at 10 counts/(s MBq)"
    assert (activity.decay_correction, activity.warnings) == ("NONE", ())
    assert activity.acquired.isoformat() == "2024-06-06T02:03:00"


def test_acquisition_time_is_the_sum_of_the_rotations(tmp_path):
    path = nm_image(tmp_path / "nm.dcm", np.full((4, 2, 3), 12_000), rotations=((60, 15_000), (30, 10_000)))
    activity = read_activity(path, sensitivity_cps_per_mbq=10.0, **SPECT)
    np.testing.assert_allclose(activity.volume.values, 2e6 * IN_FRAME, rtol=1e-8)


def test_counts_corrected_for_decay_are_not_corrected_again(tmp_path):
    flat = np.full((4, 2, 3), 12_000)
    start = nm_image(tmp_path / "s.dcm", flat, DecayCorrection="START", SeriesDate="20240606", SeriesTime="020300")
    at_start = read_activity(start, sensitivity_cps_per_mbq=10.0, **SPECT)
    np.testing.assert_allclose(at_start.volume.values, 2e6, rtol=1e-12)
    admin = nm_image(tmp_path / "a.dcm", flat, DecayCorrection="ADMIN")
    at_admin = read_activity(admin, sensitivity_cps_per_mbq=10.0, **SPECT)
    np.testing.assert_allclose(at_admin.volume.values, 1e6, rtol=1e-12)
    unsaid = read_activity(nm_image(tmp_path / "u.dcm", flat, CorrectedImage=None), sensitivity_cps_per_mbq=10, **SPECT)
    np.testing.assert_allclose(unsaid.volume.values, 2e6 * IN_FRAME, rtol=1e-8)
    assert unsaid.warnings == ("CorrectedImage is missing: the counts are taken as not corrected for decay",)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"rotations": ()}, "acquisition time is needed with a sensitivity"),
        ({"rotations": ((0, 20_000),)}, "acquisition time is needed with a sensitivity"),
        ({"CorrectedImage": ["ATTN", "DECY"]}, "CorrectedImage says DECY.*but not to which moment"),
        ({"CorrectedImage": "DECY"}, "CorrectedImage says DECY.*but not to which moment"),
        ({"AcquisitionTime": None}, "AcquisitionDate and AcquisitionTime are needed"),
        ({"drug": {"RadionuclideTotalDose": 2000}}, r"time of administration.*is missing"),
        ({"Units": "PROPCPS"}, "a sensitivity is for an NM image in counts, this is NM with Units PROPCPS"),
        ({"Units": "BQML"}, "the image is in Bq/mL, it takes no calibration of counts"),
    ],
)
def test_what_a_sensitivity_needs(tmp_path, attributes, message):
    path = nm_image(tmp_path / "nm.dcm", COUNTS, **attributes)
    with pytest.raises(InputError, match=message):
        read_activity(path, sensitivity_cps_per_mbq=10.0, **SPECT)


def test_patient_relative_by_hand(tmp_path):
    # (3.1 - 0.1) GBq x (1 - 0.2) = 2.4 GBq over 300 000 counts: 8 kBq a count; no time and no rotation is needed
    path = nm_image(tmp_path / "nm.dcm", COUNTS, rotations=(), AcquisitionTime=None, CorrectedImage=["DECY"])
    activity = given(path, 3.1, lung_shunt=0.2, residual_gbq=0.1)
    np.testing.assert_allclose(activity.volume.values, COUNTS * 8e3, rtol=1e-12)
    assert activity.total_bq == pytest.approx(2.4e9, rel=1e-12)
    assert activity.calibration == (
        "counts scaled to 2.4 GBq: (3.1 GBq administered - 0.1 GBq residual) x (1 - lung shunt 0.2)"
    )
    assert activity.warnings == ()


def test_albumin_shows_where_the_microspheres_will_go(tmp_path):
    drug = y90({"RadionuclideTotalDose": 150.0})
    drug.RadionuclideHalfLife = 21_624.0
    drug.RadionuclideCodeSequence[0].CodeMeaning = "^99m^Technetium"
    path = nm_image(tmp_path / "nm.dcm", COUNTS)
    image = nm_image(tmp_path / "maa.dcm", COUNTS)
    edit(image, RadiopharmaceuticalInformationSequence=[drug])
    activity = given(image)
    np.testing.assert_array_equal(activity.volume.values, given(path).volume.values)
    assert activity.warnings == ("the image is of Tc-99m: Y-90 is taken to go where it went",)
    assert (activity.nuclide, activity.injected_bq) == ("Tc-99m", 150e6)  # NM headers are in MBq
    with pytest.raises(InputError, match="the header says Tc-99m, the nuclide asked for is Y-90"):
        read_activity(image, sensitivity_cps_per_mbq=10.0, **SPECT)
    drug.RadionuclideCodeSequence[0].CodeMeaning = "^166^Holmium"
    edit(image, RadiopharmaceuticalInformationSequence=[drug])
    with pytest.raises(InputError, match="the header says Ho-166, the nuclide asked for is Y-90"):
        given(image)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"administered_gbq": 0.0}, "administered_gbq must be positive, got 0"),
        ({"sensitivity_cps_per_mbq": float("nan")}, "sensitivity_cps_per_mbq must be positive, got nan"),
        ({"administered_gbq": 1.0, "sensitivity_cps_per_mbq": 1.0}, "one of .* must be given, got both"),
        ({"administered_gbq": 1.0, "residual_gbq": 1.0}, "residual_gbq must be at least 0 and below .* 1, got 1"),
        ({"administered_gbq": 1.0, "lung_shunt": 1.0}, r"lung_shunt must be a fraction .*, got 1\.0"),
        ({"lung_shunt": 0.1}, "lung_shunt and residual_gbq need administered_gbq"),
    ],
)
def test_calibrations_that_contradict_are_refused(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        read_activity(tmp_path, **arguments)


def test_counts_of_nothing_stay_nothing(tmp_path):
    with pytest.raises(InputError, match="activity is zero in every voxel"):
        given(nm_image(tmp_path / "nm.dcm", np.zeros((4, 2, 3))))
    with pytest.raises(InputError, match="unit asked for is Bq per voxel, but the image is in CNTS"):
        given(nm_image(tmp_path / "a.dcm", COUNTS), unit="Bq")


# 1000 Bq/mL in 0.06 mL one half-life after administration
QUANTITATIVE = [
    ({"Units": "BQML"}, 120 * IN_FRAME),
    ({"Units": "BQML", "CorrectedImage": None, "DecayCorrection": "ADMIN"}, 60.0),
    ({"Units": "BQML", "Modality": "PT", "DecayCorrection": "ADMIN"}, 60.0),
    ({"Units": "BQML", "Modality": "PT", "DecayCorrection": "START"}, 120.0),
    ({"Units": "BQML", "Modality": "PT", "DecayCorrection": "NONE"}, 120 * IN_FRAME),
]


@pytest.mark.parametrize(("attributes", "bq"), QUANTITATIVE)
def test_quantitative_spect(tmp_path, attributes, bq):
    path = nm_image(tmp_path / "nm.dcm", np.full((4, 2, 3), 500), RescaleSlope=2, RescaleIntercept=0, **attributes)
    activity = read_activity(path, **SPECT)
    np.testing.assert_allclose(activity.volume.values, bq, rtol=1e-8)
    assert activity.calibration is None


def test_quantitative_spect_by_real_world_values(tmp_path):
    code, mapping = Dataset(), Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "Bq/ml", "UCUM", "Becquerels/milliliter"
    mapping.MeasurementUnitsCodeSequence = [code]
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 2.0, 0.0
    stored = np.full((4, 2, 3), 500)
    path = nm_image(tmp_path / "nm.dcm", stored, RescaleSlope=7, RealWorldValueMappingSequence=[mapping])
    np.testing.assert_allclose(read_activity(path, **SPECT).volume.values, 120 * IN_FRAME, rtol=1e-8)
    code.CodeValue = "{counts}"
    path = nm_image(tmp_path / "c.dcm", stored, RealWorldValueMappingSequence=[mapping])
    with pytest.raises(InputError, match="activity is in counts"):
        read_activity(path, **SPECT)


def test_quantitative_spect_that_does_not_say_its_decay_correction_is_refused(tmp_path):
    path = nm_image(tmp_path / "nm.dcm", COUNTS, Units="BQML", CorrectedImage=None)
    with pytest.raises(InputError, match="DecayCorrection or CorrectedImage is needed"):
        read_activity(path, **SPECT)


def test_reference_spect_lies_where_its_pet_does():
    folder = reference_images() / "liver-y90"
    path = folder / "NM_synth_MAA_recontomo.dcm"
    spect = given(path, lung_shunt=0.04)
    assert spect.total_bq == pytest.approx(1.92e9, rel=1e-12)  # CountsAccumulated 3604948, of 2 GBq less 4 %
    assert spect.volume.values.max() == pytest.approx(1.92e9 / 3604948 * peak(path), rel=1e-12)
    pet = read_activity(folder / "PET_ADMIN", **SPECT)
    # one truth, blurred and noisy: the axis that SpacingBetweenSlices -4.7952 turns, 260 mm long, is told apart
    np.testing.assert_allclose(centre_mm(spect.volume), centre_mm(pet.volume), atol=4.0)
    with pytest.raises(InputError, match="acquisition time is needed"):
        read_activity(path, sensitivity_cps_per_mbq=10.0)
    with pytest.raises(InputError, match="without a place in the patient"):
        given(reference_images() / "odd" / "nm-no-geometry")


def peak(path):
    return float(pydicom.dcmread(path).pixel_array.max())


def centre_mm(volume):
    total = volume.values.sum()
    return [
        (volume.values.sum(axis=tuple({0, 1, 2} - {axis})) * volume.grid.centres_mm(axis)).sum() / total
        for axis in range(3)
    ]
