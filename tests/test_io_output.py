"""RT Dose, RT Plan and NIfTI: the same Gy at the same place by other software, and files that replace nothing."""

import subprocess

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hot_voxel import COMMENT, GRID, HOT, HOT_MM, OBLIQUE_GRID, hot_voxel, series_in
from images import ct_series, edit, reference_images
from programs import judged_by_dciodvfy, needs_program
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

from mcdose.dvh import dvh
from mcdose.errors import InputError
from mcdose.io.ct import read_ct
from mcdose.io.decimal_string import decimal_string
from mcdose.io.histograms import Histograms
from mcdose.io.nifti import write_nifti
from mcdose.io.rtdose import write_rt_dose
from mcdose.io.structures import StructureSet
from mcdose.io.study import study_header


@pytest.fixture
def series(tmp_path):
    return series_in(tmp_path)


BED = "Y-90 Monte Carlo, BED, alpha/beta 2.5 Gy, dose to medium"


def place(image):
    values = sitk.GetArrayFromImage(image)
    index = np.unravel_index(values.argmax(), values.shape)
    return image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]]), float(values.max())


def test_simpleitk_finds_the_hot_voxel(tmp_path, series):
    write_rt_dose(tmp_path / "dose.dcm", hot_voxel(), GRID, series, comment=COMMENT)
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(tmp_path / "dose.dcm"))
    image = reader.Execute()
    where, stored = place(image)
    np.testing.assert_allclose(where, HOT_MM, atol=1e-9)
    np.testing.assert_allclose(image.GetSpacing(), (2.5, 4.07283, 3.0))
    # SimpleITK gives the stored numbers of RT Dose; the scaling is in the header
    assert stored * float(reader.GetMetaData("3004|000e")) == pytest.approx(np.float32(123.456), rel=1e-9)


def test_plastimatch_finds_the_hot_voxel(tmp_path, series):
    needs_program("plastimatch")
    write_rt_dose(tmp_path / "dose.dcm", hot_voxel(), GRID, series, comment=COMMENT)
    command = ["plastimatch", "convert", "--input-dose-img", "dose.dcm", "--output-dose-img", "dose.mha"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    image = sitk.ReadImage(str(tmp_path / "dose.mha"))
    where, dose = place(image)
    np.testing.assert_allclose(where, HOT_MM, atol=1e-4)
    assert dose == pytest.approx(123.456, rel=1e-6)
    assert sitk.GetArrayFromImage(image)[0, 0, 0] == pytest.approx(0.001, rel=1e-4)


STRUCTURES = StructureSet("1.2.840.10008.5.1.4.1.1.481.3", "1.2.3.9", {"liver": 4, "tumour": 11})


def histograms():
    rng = np.random.default_rng(2)
    dose_gy = rng.uniform(20.0, 90.0, (4, 6, 6))
    masks = {"tumour": rng.uniform(size=dose_gy.shape) < 0.2, "liver": np.ones(dose_gy.shape)}
    curves = {name: dvh(dose_gy, mask, (3.0, 4.0, 5.0)) for name, mask in masks.items()}
    return dose_gy, masks, Histograms(STRUCTURES, curves, np.arange(0.0, 91.0, 0.5))


@pytest.mark.parametrize("source", ["ct", "none", "real", "anonymous", "histograms", "effective", "oblique"])
def test_dciodvfy_finds_no_error(tmp_path, series, source):
    needs_program("dciodvfy")
    if source == "real":
        series = read_ct(reference_images() / "liver-y90" / "CT").series
    plan = write_rt_dose(
        tmp_path / "dose.dcm",
        hot_voxel(),
        OBLIQUE_GRID if source == "oblique" else GRID,
        None if source == "none" else series,
        comment=BED if source == "effective" else COMMENT,
        dose_type="EFFECTIVE" if source == "effective" else "PHYSICAL",
        study=study_header(series, anonymize=True) if source == "anonymous" else None,
        histograms=histograms()[2] if source == "histograms" else None,
    )
    # dciodvfy aborts on any uncompressed pixel data of 32 bits (an assertion in attrothr.cc that allows 16), other
    # makers' RT Dose included, so it is given the same header with a stand-in for the pixels.
    dose = pydicom.dcmread(tmp_path / "dose.dcm")
    dose.PixelData = encapsulate([bytes(64)] * GRID.shape[0])
    dose["PixelData"].VR, dose["PixelData"].is_undefined_length = "OB", True
    dose.file_meta.TransferSyntaxUID = RLELossless
    dose.save_as(tmp_path / "header.dcm", implicit_vr=False, little_endian=True)
    for file, kind in ((plan, "RTPlan"), (tmp_path / "header.dcm", "RTDose")):
        run = judged_by_dciodvfy(file)
        assert "Error" not in run.stderr
        assert kind in run.stderr
        assert run.returncode == 0


def test_header_is_that_of_the_ct_and_refers_to_the_plan(tmp_path, series):
    write_rt_dose(tmp_path / "dose.dcm", hot_voxel(), GRID, series, comment=COMMENT)
    dose, plan = (pydicom.dcmread(tmp_path / name) for name in ("dose.dcm", "plan.dcm"))
    for file in (dose, plan):
        assert (file.PatientName, file.PatientID, file.PatientSex) == ("Doe^Jane", "7", "F")
        assert (file.StudyInstanceUID, file.FrameOfReferenceUID) == ("1.2.3.1", "1.2.3.2")
        assert (file.StudyDate, file.StudyID, file.PositionReferenceIndicator) == ("20240603", "5", "XY")
        assert file["AccessionNumber"].is_empty
        assert file["PatientBirthDate"].is_empty
    assert dose.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == plan.SOPInstanceUID
    assert dose.SeriesInstanceUID != plan.SeriesInstanceUID
    assert (dose.DoseUnits, dose.DoseType, dose.DoseSummationType) == ("GY", "PHYSICAL", "PLAN")
    assert dose.DoseComment == COMMENT
    assert (dose.BitsAllocated, dose.BitsStored, dose.HighBit, dose.PixelRepresentation) == (32, 32, 31, 0)
    assert [float(v) for v in dose.GridFrameOffsetVector] == [0, 3, 6, 9, 12]
    assert [float(v) for v in dose.PixelSpacing] == [4.07283, 2.5]
    assert dose.FrameIncrementPointer == 0x3004000C


def test_an_effective_dose_says_so_and_is_in_gray(tmp_path, series):
    write_rt_dose(tmp_path / "dose.dcm", hot_voxel(), GRID, series, comment=BED, dose_type="EFFECTIVE")
    dose, plan = (pydicom.dcmread(tmp_path / name) for name in ("dose.dcm", "plan.dcm"))
    assert (dose.DoseUnits, dose.DoseType, dose.DoseComment) == ("GY", "EFFECTIVE", BED)
    assert "BED" in plan.RTPlanDescription
    assert (dose.pixel_array * float(dose.DoseGridScaling))[HOT] == pytest.approx(123.456, rel=1e-7)


def test_histograms_in_an_effective_dose_are_refused(tmp_path):
    with pytest.raises(ValueError, match="histograms are of the PHYSICAL dose"):
        write_rt_dose(
            tmp_path / "dose.dcm",
            hot_voxel(),
            GRID,
            None,
            comment=BED,
            dose_type="EFFECTIVE",
            histograms=histograms()[2],
        )
    assert list(tmp_path.iterdir()) == []


def test_histograms_count_the_voxels_at_each_dose(tmp_path, series):
    dose_gy, masks, given = histograms()
    write_rt_dose(tmp_path / "dose.dcm", hot_voxel(), GRID, series, comment=COMMENT, histograms=given)
    dose, plan = (pydicom.dcmread(tmp_path / name) for name in ("dose.dcm", "plan.dcm"))
    for file in (dose, plan):  # the numbers are those of the structure set that the plan refers to
        (item,) = file.ReferencedStructureSetSequence
        assert (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) == (
            STRUCTURES.sop_class_uid,
            STRUCTURES.sop_instance_uid,
        )
    assert plan.RTPlanGeometry == "PATIENT"
    assert len(dose.DVHSequence) == 2
    for item, (name, mask) in zip(dose.DVHSequence, masks.items(), strict=True):
        (roi,) = item.DVHReferencedROISequence
        assert (roi.ReferencedROINumber, roi.DVHROIContributionType) == (STRUCTURES.numbers[name], "INCLUDED")
        assert (item.DVHType, item.DVHVolumeUnits) == ("CUMULATIVE", "CM3")
        assert (item.DoseUnits, item.DoseType) == ("GY", "PHYSICAL")
        pairs = np.array(item.DVHData, dtype=float).reshape(-1, 2)
        assert len(pairs) == item.DVHNumberOfBins
        width = pairs[:, 0] * float(item.DVHDoseScaling)
        inside = dose_gy[mask > 0]
        for edge, volume in zip(np.cumsum(width) - width, pairs[:, 1], strict=True):
            assert volume == pytest.approx(np.count_nonzero(inside >= edge) * 0.060, abs=1e-9)
        assert width.sum() > inside.max() >= width.sum() - width[-1]  # the last bin holds the last voxel
        assert float(item.DVHMeanDose) == pytest.approx(inside.mean())
        assert float(item.DVHMinimumDose) == pytest.approx(inside.min())
        assert float(item.DVHMaximumDose) == pytest.approx(inside.max())


def test_histogram_without_dose_has_one_bin(tmp_path):
    curve = dvh(np.zeros((2, 2, 2)), np.ones((2, 2, 2)), (10.0, 10.0, 10.0))
    given = Histograms(STRUCTURES, {"liver": curve}, np.zeros(1))
    write_rt_dose(tmp_path / "dose.dcm", hot_voxel(), GRID, None, comment=COMMENT, histograms=given)
    (item,) = pydicom.dcmread(tmp_path / "dose.dcm").DVHSequence
    assert [float(v) for v in item.DVHData] == [1.0, 8.0]


@pytest.mark.parametrize(("names", "found"), [(["spine"], r"\['spine'\]"), ([], "none")])
def test_histograms_of_what_the_structure_set_lacks_are_refused(tmp_path, names, found):
    curve = dvh(np.ones((2, 2, 2)), np.ones((2, 2, 2)), (1.0, 1.0, 1.0))
    given = Histograms(STRUCTURES, dict.fromkeys(names, curve), np.arange(3.0))
    with pytest.raises(ValueError, match=f"histograms must be of structures of the structure set, got {found}"):
        write_rt_dose(tmp_path / "dose.dcm", hot_voxel(), GRID, None, comment=COMMENT, histograms=given)
    assert list(tmp_path.iterdir()) == []


def test_histograms_in_an_anonymous_dose_are_refused(tmp_path, series):
    study, given = study_header(series, anonymize=True), histograms()[2]
    with pytest.raises(ValueError, match="must not be added to an anonymous dose"):
        write_rt_dose(tmp_path / "dose.dcm", hot_voxel(), GRID, series, comment=COMMENT, study=study, histograms=given)
    assert not list(tmp_path.glob("*.dcm"))


def test_values_are_quantised_with_the_scaling_that_is_written(tmp_path):
    rng = np.random.default_rng(1)
    values = (rng.lognormal(0, 3, GRID.shape)).astype(np.float32)
    write_rt_dose(tmp_path / "dose.dcm", values, GRID, None, comment=COMMENT)
    dose = pydicom.dcmread(tmp_path / "dose.dcm")
    text = str(dose["DoseGridScaling"].value.original_string)
    assert len(text) <= 16
    read = dose.pixel_array * float(text)
    assert np.abs(read - values).max() <= 0.5 * float(text) * (1 + 1e-6)
    assert float(text) < values.max() * 5e-10


def test_zero_dose_and_characters_of_another_set(tmp_path):
    for path in ct_series(tmp_path / "ct", np.zeros((3, 3, 4)), SpecificCharacterSet="ISO_IR 100"):
        edit(path, PatientName="Müller^Zoë")
    header = read_ct(tmp_path / "ct").series
    write_rt_dose(tmp_path / "dose.dcm", np.zeros(GRID.shape), GRID, header, comment=COMMENT)
    dose = pydicom.dcmread(tmp_path / "dose.dcm")
    assert dose.PatientName == "Müller^Zoë"
    assert dose.SpecificCharacterSet == "ISO_IR 192"
    assert not dose.pixel_array.any()
    assert float(dose.DoseGridScaling) > 0


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (np.nan, {}, "dose must be finite, 1 voxels"),
        (-1.0, {}, r"dose must not be negative, got -1\.0"),
        (1.0, {"comment": "x" * 65}, "comment must be at most 64 characters"),
        (1.0, {"label": ""}, "label must be 1 to 16 characters"),
        (1.0, {"dose_type": "ERROR"}, "dose_type must be one of PHYSICAL, EFFECTIVE, got 'ERROR'"),
        (1.0, {"dose_type": "EFFECTIVE"}, "the comment on an EFFECTIVE dose must name its quantity, BED, EQD2 or RBE"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_file(tmp_path, change, arguments, message):
    dose = hot_voxel()
    dose[2, 2, 2] = change
    with pytest.raises(ValueError, match=message):
        write_rt_dose(tmp_path / "dose.dcm", dose, GRID, None, **{"comment": COMMENT, **arguments})
    with pytest.raises(ValueError, match="shape of the grid"):
        write_rt_dose(tmp_path / "dose.dcm", dose[1:], GRID, None, comment=COMMENT)
    assert list(tmp_path.iterdir()) == []


def test_existing_files_stay_unless_told(tmp_path):
    dose_path, plan_path, nifti_path = tmp_path / "dose.dcm", tmp_path / "plan.dcm", tmp_path / "dose.nii.gz"
    plan_path.write_text("mine")
    nifti_path.write_text("mine")
    with pytest.raises(InputError, match=r"plan\.dcm: exists already"):
        write_rt_dose(dose_path, hot_voxel(), GRID, None, comment=COMMENT)
    with pytest.raises(InputError, match=r"dose\.nii\.gz: exists already"):
        write_nifti(nifti_path, hot_voxel(), GRID)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dose.nii.gz", "plan.dcm"]
    assert plan_path.read_text() == nifti_path.read_text() == "mine"
    write_rt_dose(dose_path, hot_voxel(), GRID, None, comment=COMMENT, overwrite=True)
    write_nifti(nifti_path, hot_voxel(), GRID, overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["dose.dcm", "dose.nii.gz", "plan.dcm"]
    with pytest.raises(InputError, match="there is no folder"):
        write_nifti(tmp_path / "nowhere" / "a.nii", hot_voxel(), GRID)


@pytest.mark.parametrize("name", ["dose.nii", "dose.nii.gz"])
def test_nifti_by_simpleitk_and_nibabel(tmp_path, name):
    values = hot_voxel()
    values[4, 6, 8] = np.nan
    write_nifti(tmp_path / name, values, GRID, description="mcdose dose Gy")
    image = sitk.ReadImage(str(tmp_path / name))
    assert image.GetPixelID() == sitk.sitkFloat32
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), np.nan_to_num(values))  # ITK reads NaN as 0
    np.testing.assert_array_equal(nibabel.load(tmp_path / name).dataobj, values.transpose(2, 1, 0))
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint(HOT[::-1]), HOT_MM, atol=1e-4)
    header = nibabel.load(tmp_path / name).header
    assert (header["sform_code"], header["qform_code"]) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"
    assert header["descrip"].item() == b"mcdose dose Gy"
    np.testing.assert_allclose(header.get_qform(), header.get_sform(), atol=1e-4)


@pytest.mark.parametrize("value", [1 / 3, -377.44000244140625, 1e-12 / 3, 123456789.123456789, 4.0728302, 2e-30, 1e22])
def test_decimal_strings_fit_and_keep_ten_digits(value):
    text = decimal_string(value)
    assert len(text) <= 16
    assert float(text) == pytest.approx(value, rel=1e-9)
    assert len(text) < 16 or float(text) != value or abs(value) < 1e-3  # shortest where exact


def odd_series(folder, monkeypatch, **attributes):
    """A CT whose header has values that DICOM does not allow, as scanners and archives write them."""
    from pydicom import config

    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
    monkeypatch.setattr(config.settings, "writing_validation_mode", config.IGNORE)
    ct_series(folder, np.zeros((3, 2, 2)), **attributes)
    monkeypatch.undo()
    return read_ct(folder).series


def test_values_that_dicom_does_not_allow_are_mended_or_left_out(tmp_path, monkeypatch, caplog):
    odd = {
        "StudyDate": "2024.03.01",
        "StudyTime": "08:30:00",
        "PatientBirthDate": "01/02/1950",
        "PatientSex": "male",
        "PatientAge": "65",
        "PatientWeight": "72.50000000000000142",
        "OtherPatientIDs": ["A1", "B2"],
        "StudyDescription": ["CT ABDOMEN", "PELVIS"],
    }
    series = odd_series(tmp_path / "ct", monkeypatch, **odd)
    write_rt_dose(tmp_path / "dose.dcm", hot_voxel(), GRID, series, comment=COMMENT)
    dose = pydicom.dcmread(tmp_path / "dose.dcm")
    assert (dose.StudyDate, dose.StudyTime, dose.PatientBirthDate, dose.PatientSex) == ("20240301", "083000", "", "")
    assert "PatientAge" not in dose
    assert str(dose.PatientWeight) == "72.5"
    assert list(dose.OtherPatientIDs) == ["A1", "B2"]
    assert dose.StudyDescription == "CT ABDOMEN PELVIS"
    assert "PatientSex of the images is 'male', which DICOM does not allow: it is left out" in caplog.text


def test_a_weight_that_is_no_number_does_not_lose_the_dose(tmp_path, caplog):
    for path in ct_series(tmp_path / "ct", np.zeros((3, 2, 2)), PatientWeight="77.125"):
        path.write_bytes(path.read_bytes().replace(b"77.125", b"77,125"))
    series = read_ct(tmp_path / "ct").series
    write_rt_dose(tmp_path / "dose.dcm", hot_voxel(), GRID, series, comment=COMMENT)
    assert "PatientWeight" not in pydicom.dcmread(tmp_path / "dose.dcm")
    assert "PatientWeight of the images cannot be read and is left out" in caplog.text
