"""`mcdose contour`: isocontours of SPECT and NIfTI, as SEG, label map and figures."""

import json

import numpy as np
import pydicom
import pytest
from images import nm_image, reference_images
from patients import nifti
from programs import judged_by_dciodvfy, needs_program
from test_isocontour import ball, millilitres, profile

from mcdose.cli import main
from mcdose.errors import InputError
from mcdose.grid import Grid
from mcdose.io.counts_image import read_counts_image
from mcdose.io.structures import read_structures

VOXEL = (2.0, 1.5, 1.0)
GRID = Grid((4, 5, 6), (3.0, 4.0, 5.0), (10.0, -6.0, -8.0))


@pytest.fixture
def spect(tmp_path):
    """Counts of 10 with a block of 100, 80 and 60 in it, and a lone voxel of 90."""
    counts = np.full(GRID.shape, 10)
    counts[1:3, 1:4, 1:3] = 100
    counts[1, 1, 1], counts[2, 3, 2] = 80, 60
    counts[3, 4, 5] = 90
    return nm_image(tmp_path / "nm.dcm", counts)


def run(folder, *words):
    return main(["contour", *map(str, words), "-o", str(folder)])


def summary_of(folder):
    return json.loads((folder / "contour.json").read_text(encoding="utf-8"))


def test_percent_of_the_maximum(spect, tmp_path, capsys):
    assert run(tmp_path / "out", spect, "--percent", "70", "--name", "Perfused", "--smallest-ml", "0.1") == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "threshold 70, 70.0 % of the largest value 100" in said.out
    summary = summary_of(tmp_path / "out")
    assert (summary["voxels"], summary["parts_removed"]) == (11, 1)
    assert summary["volume_ml"] == pytest.approx(11 * 0.06)
    assert summary["algorithm"] == "isocontour at 70 % of the maximum"
    found = read_structures(tmp_path / "out" / "contour.dcm", GRID, frame_of_reference_uid="1.2.3.2")
    assert list(found) == ["Perfused"]
    assert found["Perfused"].sum() * GRID.voxel_ml == pytest.approx(summary["volume_ml"], rel=1e-6)
    (label,) = read_structures(tmp_path / "out" / "contour.nii.gz", GRID).values()
    np.testing.assert_allclose(label, found["Perfused"], atol=1e-5)
    segment = pydicom.dcmread(tmp_path / "out" / "contour.dcm")
    source = pydicom.dcmread(spect)
    assert segment.PatientName == "Doe^Jane"
    (series,) = segment.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    assert [i.ReferencedSOPInstanceUID for i in series.ReferencedInstanceSequence] == [source.SOPInstanceUID]


@pytest.mark.parametrize(
    ("words", "threshold", "voxels"),
    [
        ((), 42.0, 13),
        (("--method", "background", "--background", "10", "--percent", "90"), 91.0, 10),
        (("--method", "iterative"), 1230 / 13 / 2 + 5, 13),
        (("--method", "volume", "--volume-ml", "0.66"), 90.0, 11),
        (("--method", "value", "--threshold", "85"), 85.0, 11),
    ],
)
def test_methods_by_hand(spect, tmp_path, capsys, words, threshold, voxels):
    assert run(tmp_path / "out", spect, *words, "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == summary_of(tmp_path / "out")
    assert printed["threshold"] == pytest.approx(threshold, rel=1e-4)
    assert printed["voxels"] == voxels


def test_within_a_structure_and_background_in_another(spect, tmp_path, capsys):
    labels = np.zeros(GRID.shape)
    labels[1:3] = 1
    labels[0] = 2
    nifti(tmp_path / "labels.nii.gz", labels, GRID.voxel_mm, GRID.origin_mm)
    words = ("--structures", tmp_path / "labels.nii.gz", "--within", "label 1", "--method", "background")
    assert run(tmp_path / "out", spect, *words, "--background-in", "label 2", "--percent", "50") == 0
    summary = summary_of(tmp_path / "out")
    assert summary["background"] == pytest.approx(10.0)
    assert summary["threshold"] == pytest.approx(55.0)
    assert summary["voxels"] == 12  # without the lone voxel
    assert summary["share_of_within"] == pytest.approx(12 / 60)
    assert summary["within_ml"] == pytest.approx(60 * 0.06, rel=1e-6)
    assert summary["share_of_counts"] == pytest.approx((10 * 100 + 80 + 60) / (10 * 100 + 80 + 60 + 48 * 10), rel=1e-6)
    assert "20.0 % of label 1" in capsys.readouterr().out


def test_a_blurred_ball_in_nifti_gets_its_volume(tmp_path):
    radius, sigma = 15.0, 4.0
    nifti(tmp_path / "ball.nii.gz", ball(radius, sigma), VOXEL)
    percent = 100 * profile(radius, radius, sigma) / profile(0.0, radius, sigma)
    assert run(tmp_path / "out", tmp_path / "ball.nii.gz", "--percent", f"{percent}") == 0
    assert summary_of(tmp_path / "out")["volume_ml"] == pytest.approx(millilitres(radius), rel=0.02)
    assert "ReferencedSeriesSequence" not in pydicom.dcmread(tmp_path / "out" / "contour.dcm")


@pytest.mark.parametrize("words", [(), ("--anonymize",)])
def test_dciodvfy_finds_no_error(spect, tmp_path, words):
    needs_program("dciodvfy")
    assert run(tmp_path / "out", spect, *words) == 0
    judged = judged_by_dciodvfy(tmp_path / "out" / "contour.dcm")
    assert [line for line in judged.stderr.splitlines() if line.startswith("Error")] == []
    assert judged.returncode == 0
    if words:
        assert "Doe" not in str(pydicom.dcmread(tmp_path / "out" / "contour.dcm"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--volume-ml", "3"), "--volume-ml goes with --method volume, got --method percent"),
        (("--method", "volume"), "--method volume needs --volume-ml"),
        (("--method", "volume", "--volume-ml", "1e6"), "volume_ml must be above 0 and at most that of the region"),
        (("--method", "value"), "--method value needs --threshold"),
        (("--method", "value", "--threshold", "1000"), "threshold 1000 must be reached, the largest value is 100"),
        (("--method", "value", "--threshold", "nan"), "must be a finite number, got 'nan'"),
        (("--method", "iterative", "--percent", "50"), "--percent goes with --method percent or background"),
        (("--method", "background"), "--method background needs one of --background and --background-in"),
        (
            ("--method", "background", "--background", "200"),
            "background must be finite and below the largest value 100",
        ),
        (("--percent", "100"), "must be a percentage between 0 and 100, got '100'"),
        (("--within", "liver"), "--within liver needs --structures"),
        (("--structures", "x.dcm"), "--structures needs --within or --background-in"),
        (("--smallest-ml", "50"), "smallest_ml must leave a part, the largest of 2 has 0.72 mL"),
        (("--name", ""), "--name must be 1 to 64 printable characters"),
        (("--image-series", "1.2.3"), "holds no PT or NM series 1.2.3"),
    ],
)
def test_bad_arguments_end_in_one_line(spect, tmp_path, capsys, words, message):
    assert run(tmp_path / "out", spect, *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_structure_that_is_not_there(spect, tmp_path, capsys):
    labels = nifti(tmp_path / "labels.nii.gz", np.ones(GRID.shape), GRID.voxel_mm, GRID.origin_mm)
    assert run(tmp_path / "out", spect, "--structures", labels, "--within", "liver") == 2
    assert "structures hold no 'liver', those there are label 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "message"),
    [(np.zeros((3, 3, 3)), "values must reach above 0"), (np.full((3, 3, 3), np.nan), "values must be finite, 27")],
)
def test_images_without_counts_are_refused(tmp_path, values, message):
    with pytest.raises(InputError, match=message):
        read_counts_image(nifti(tmp_path / "a.nii.gz", values))


def test_perfused_liver_of_the_shared_patient(tmp_path):
    folder = reference_images() / "liver-y90"
    words = ("--structures", folder / "RTSTRUCT_semiauto.dcm", "--within", "Liver", "--fill-holes")
    assert run(tmp_path / "out", folder / "NM_synth_MAA_recontomo.dcm", *words, "--percent", "10") == 0
    summary = summary_of(tmp_path / "out")
    assert summary["within_ml"] == pytest.approx(1584.0, rel=0.01)
    assert 0.5 < summary["share_of_within"] <= 1.0
    image = read_counts_image(folder / "NM_synth_MAA_recontomo.dcm")
    (found,) = read_structures(tmp_path / "out" / "contour.dcm", image.volume.grid).values()
    assert found.sum(dtype=float) * image.volume.grid.voxel_ml == pytest.approx(summary["volume_ml"], rel=1e-6)
