"""`mcdose bed`: maps, figures and DICOM files of one dose and of several."""

import json

import nibabel
import numpy as np
import pydicom
import pytest
from hot_voxel import GRID, OBLIQUE_GRID, series_in
from images import edit
from patients import nifti
from programs import judged_by_dciodvfy, needs_program
from pydicom.encaps import encapsulate
from pydicom.uid import RLELossless

from mcdose.cli import main
from mcdose.dvh import dvh
from mcdose.effect_outputs import write_effect
from mcdose.grid import Grid
from mcdose.io.nifti import write_nifti
from mcdose.io.rtdose import write_rt_dose
from mcdose.io.structures import read_structures
from mcdose.radiobiology import Treatment, bed, bed_standard_error, cumulative_bed, eqd2

DOSE = np.random.default_rng(9).uniform(1.0, 90.0, GRID.shape)
LIVER = ("--alpha-beta", "2.5", "--repair-half-time-h", "2.5")
OF_LIVER = {"half_life_h": 64.1, "alpha_beta_gy": 2.5, "repair_half_time_h": 2.5}


@pytest.fixture
def dose(tmp_path):
    write_rt_dose(tmp_path / "dose.dcm", DOSE, GRID, series_in(tmp_path), comment="dose")
    return tmp_path / "dose.dcm"


def run(folder, *words):
    return main(["bed", *map(str, words), "-o", str(folder)])


def values(path):
    return nibabel.load(path).get_fdata().transpose(2, 1, 0)


def summary_of(folder):
    return json.loads((folder / "bed.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", ["dicom", "nifti"])
def test_bed_of_one_dose(dose, tmp_path, capsys, kind):
    if kind == "nifti":
        dose = tmp_path / "dose.nii.gz"
        write_nifti(dose, DOSE, GRID)
    assert run(tmp_path / "out", dose, "--nuclide", "Y-90", *LIVER) == 0
    expected = bed(DOSE, **OF_LIVER)
    np.testing.assert_allclose(values(tmp_path / "out" / "bed.nii.gz"), expected, rtol=1e-5)
    np.testing.assert_allclose(values(tmp_path / "out" / "eqd2.nii.gz"), eqd2(expected, 2.5), rtol=1e-5)
    for name, map_gy in (("bed", expected), ("eqd2", expected / 1.8)):
        written = pydicom.dcmread(tmp_path / "out" / f"{name}.dcm")
        assert (written.DoseType, written.DoseUnits) == ("EFFECTIVE", "GY")
        assert written.DoseComment == f"{name.upper()}, alpha/beta 2.5 Gy, T_rep 2.5 h"
        np.testing.assert_allclose(written.pixel_array * float(written.DoseGridScaling), map_gy, rtol=1e-5)
        plan = pydicom.dcmread(tmp_path / "out" / f"{name}_plan.dcm")
        assert written.ReferencedRTPlanSequence[0].ReferencedSOPInstanceUID == plan.SOPInstanceUID
    written = pydicom.dcmread(tmp_path / "out" / "bed.dcm")
    assert written.PatientName == ("Doe^Jane" if kind == "dicom" else "mcdose^phantom")
    if kind == "dicom":
        assert written.FrameOfReferenceUID == "1.2.3.2"
    assert "G 0.03754" in capsys.readouterr().out
    assert not (tmp_path / "out" / "bed_standard_error.nii.gz").exists()


def test_the_library_writes_a_result_without_the_command_line(tmp_path):
    effect = cumulative_bed([Treatment(DOSE, 64.1)], alpha_beta_gy=2.5, repair_half_time_h=2.5)
    files = write_effect(tmp_path / "out", effect, GRID, series_in(tmp_path), alpha_beta_gy=2.5, repair_half_time_h=2.5)
    names = ["bed.dcm", "bed_plan.dcm", "eqd2.dcm", "eqd2_plan.dcm", "bed.nii.gz", "eqd2.nii.gz"]
    assert [file.name for file in files] == names
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)
    written = pydicom.dcmread(tmp_path / "out" / "eqd2.dcm")
    assert written.StudyInstanceUID == "1.2.3.1"
    assert written.StudyInstanceUID == pydicom.dcmread(tmp_path / "out" / "bed_plan.dcm").StudyInstanceUID


@pytest.mark.parametrize("name", ["bed", "eqd2"])
def test_dciodvfy_finds_no_error(dose, tmp_path, name):
    needs_program("dciodvfy")
    assert run(tmp_path / "out", dose, *LIVER) == 0
    written = pydicom.dcmread(tmp_path / "out" / f"{name}.dcm")
    written.PixelData = encapsulate([bytes(64)] * GRID.shape[0])  # it aborts on 32 bits, see test_io_output.py
    written["PixelData"].VR, written["PixelData"].is_undefined_length = "OB", True
    written.file_meta.TransferSyntaxUID = RLELossless
    written.save_as(tmp_path / "header.dcm", implicit_vr=False, little_endian=True)
    for file in (tmp_path / "header.dcm", tmp_path / "out" / f"{name}_plan.dcm"):
        judged = judged_by_dciodvfy(file)
        assert "Error" not in judged.stderr
        assert judged.returncode == 0


def test_structures_with_uncertainty(dose, tmp_path, capsys):
    labels = np.zeros(GRID.shape)
    labels[1:3, 2:5, 3:7] = 1
    nifti(tmp_path / "labels.nii.gz", labels, GRID.voxel_mm, GRID.origin_mm)
    error = np.full(GRID.shape, 0.05)
    error[0, 0, 0] = np.nan
    write_nifti(tmp_path / "u.nii.gz", error, GRID)
    words = (dose, "--tissue", "normal-liver", "--uncertainty", tmp_path / "u.nii.gz", "--json")
    assert run(tmp_path / "out", *words, "--structures", tmp_path / "labels.nii.gz") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == summary_of(tmp_path / "out")
    inside = labels == 1
    figures = printed["structures"]["label 1"]
    assert figures["mean_doses_gy"] == [pytest.approx(DOSE[inside].mean(), rel=1e-6)]
    assert figures["mean_bed_gy"] == pytest.approx(bed(DOSE, **OF_LIVER)[inside].mean(), rel=1e-6)
    assert figures["mean_eqd2_gy"] == pytest.approx(figures["mean_bed_gy"] / 1.8, rel=1e-6)
    bias = 2.5 / 66.6 / 2.5 * ((0.05 * DOSE[inside]) ** 2).mean()
    assert figures["mean_noise_bias_gy"] == pytest.approx(bias, rel=1e-6)
    sigma = values(tmp_path / "out" / "bed_standard_error.nii.gz")
    np.testing.assert_allclose(sigma, bed_standard_error(DOSE, error, **OF_LIVER), rtol=1e-5)
    assert np.isnan(sigma[0, 0, 0])


def test_small_structures_are_cut_below_a_voxel_as_by_mcdose_dose(dose, tmp_path, capsys):
    fine = Grid(
        (10, 14, 18),
        (1.5, 2.036415, 1.25),
        tuple(o - v / 4 for o, v in zip(GRID.origin_mm, GRID.voxel_mm, strict=True)),
    )
    labels = np.zeros(fine.shape)
    labels[3:8, 3:10, 5:14] = 1
    nifti(tmp_path / "labels.nii.gz", labels, fine.voxel_mm, fine.origin_mm)
    coverage = read_structures(tmp_path / "labels.nii.gz", GRID)["label 1"]
    assert ((coverage > 0.1) & (coverage < 0.9)).any()
    assert run(tmp_path / "out", dose, *LIVER, "--structures", tmp_path / "labels.nii.gz") == 0
    figures = summary_of(tmp_path / "out")["structures"]["label 1"]
    expected = dvh(DOSE, coverage, GRID.voxel_mm, subvoxels=4)
    assert figures["mean_doses_gy"] == [pytest.approx(expected.mean_gy, rel=1e-5)]
    assert figures["volume_ml"] == pytest.approx(labels.sum() * fine.voxel_ml, rel=1e-5)


def test_treatments_of_two_half_lives_add(dose, tmp_path):
    write_nifti(tmp_path / "first.nii.gz", DOSE[::-1], GRID)
    words = (tmp_path / "first.nii.gz", dose, "--half-life-h", "51", "64.1", *LIVER)
    assert run(tmp_path / "out", *words) == 0
    expected = bed(DOSE[::-1], **{**OF_LIVER, "half_life_h": 51.0}) + bed(DOSE, **OF_LIVER)
    np.testing.assert_allclose(values(tmp_path / "out" / "bed.nii.gz"), expected, rtol=1e-5)
    written = pydicom.dcmread(tmp_path / "out" / "bed.dcm")
    assert written.PatientName == "Doe^Jane"
    assert written.DoseComment == "BED of 2 treatments, alpha/beta 2.5 Gy, T_rep 2.5 h"
    assert [t["half_life_h"] for t in summary_of(tmp_path / "out")["treatments"]] == [51.0, 64.1]


def test_anonymous_files_hold_no_patient(dose, tmp_path):
    assert run(tmp_path / "out", dose, *LIVER, "--anonymize") == 0
    written = pydicom.dcmread(tmp_path / "out" / "bed.dcm")
    assert str(written.PatientName).startswith("Anonymous")
    assert written.FrameOfReferenceUID != "1.2.3.2"


def test_an_oblique_dose_stays_where_it_is(tmp_path):
    write_rt_dose(tmp_path / "dose.dcm", DOSE, OBLIQUE_GRID, series_in(tmp_path), comment="dose")
    assert run(tmp_path / "out", tmp_path / "dose.dcm", *LIVER) == 0
    source, written = (pydicom.dcmread(path) for path in (tmp_path / "dose.dcm", tmp_path / "out" / "bed.dcm"))
    np.testing.assert_allclose(written.ImageOrientationPatient, source.ImageOrientationPatient, atol=1e-9)
    np.testing.assert_allclose(written.ImagePositionPatient, source.ImagePositionPatient, atol=1e-6)


def test_results_are_replaced_only_when_asked(dose, tmp_path, capsys):
    assert run(tmp_path / "out", dose, *LIVER) == 0
    before = (tmp_path / "out" / "bed.json").read_bytes()
    assert run(tmp_path / "out", dose, "--tissue", "tumour") == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "out" / "bed.json").read_bytes() == before
    assert run(tmp_path / "out", dose, "--tissue", "tumour", "--overwrite") == 0
    assert summary_of(tmp_path / "out")["alpha_beta_gy"] == 10.0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--alpha-beta and --repair-half-time-h must both be given"),
        (("--alpha-beta", "2.5"), "--alpha-beta and --repair-half-time-h must both be given"),
        (("--tissue", "bone"), "tissue must be one of normal-liver, tumour, got 'bone'"),
        (("--tissue", "tumour", "--alpha-beta", "3"), "--tissue brings --alpha-beta"),
        ((*LIVER, "--nuclide", "Y-90", "Y-90"), "--nuclide must be one for all doses or one for each, got 2 for 1"),
        ((*LIVER, "--nuclide", "Xx-1"), "nuclide must be one of"),
        ((*LIVER, "--nuclide", "Y-90", "--half-life-h", "64"), "not allowed with argument"),
        ((*LIVER, "--half-life-h", "0"), "must be a positive number, got '0'"),
        (("--alpha-beta", "inf", "--repair-half-time-h", "1"), "must be a positive number, got 'inf'"),
        ((*LIVER, "--uncertainty", "a", "b"), "--uncertainty must name one for each dose, got 2 for 1"),
        ((*LIVER, "--structures", "nothing.dcm"), "nothing.dcm: no such file or folder"),
    ],
)
def test_bad_arguments_end_in_one_line(dose, tmp_path, capsys, words, message):
    assert run(tmp_path / "out", dose, *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_doses_of_two_patients_or_frames_are_not_added(dose, tmp_path, capsys):
    other = tmp_path / "other"
    other.mkdir()
    write_rt_dose(other / "dose.dcm", DOSE, GRID, series_in(other), comment="dose")
    edit(other / "dose.dcm", PatientID="8")
    assert run(tmp_path / "out", dose, other / "dose.dcm", *LIVER) == 2
    assert "must share their PatientID, got 7, 8" in capsys.readouterr().err
    edit(other / "dose.dcm", PatientID="7", FrameOfReferenceUID="1.2.3.99")
    assert run(tmp_path / "out", dose, other / "dose.dcm", *LIVER) == 2
    assert "must share their FrameOfReferenceUID, got 1.2.3.2, 1.2.3.99; --registration" in capsys.readouterr().err


def test_bed_of_bed_is_refused(dose, tmp_path, capsys):
    assert run(tmp_path / "out", dose, *LIVER) == 0
    capsys.readouterr()
    assert run(tmp_path / "again", tmp_path / "out" / "bed.dcm", *LIVER) == 2
    assert "DoseType must be PHYSICAL" in capsys.readouterr().err
