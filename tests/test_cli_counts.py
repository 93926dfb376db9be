"""Images in counts, and side-cars, through the command line."""

import json
import math

import numpy as np
import pytest
from images import ct_series, nm_image, reference_images
from patients import nifti, water_block

from mcdose.case import read_case
from mcdose.cli import main
from mcdose.errors import InputError

DECAYS_PER_GBQ = 1e9 * 64.1 * 3600.0 / math.log(2.0)
LOCAL = ("--method", "local-deposition")


@pytest.fixture
def spect(tmp_path):
    """A SPECT of 4 x 2 x 3 voxels, 1000 counts each but 100 in the last slice, in water; `label 1` is the rest."""
    counts = np.full((4, 2, 3), 1000)
    counts[3] = 100
    labels = np.ones((4, 2, 3))
    labels[3] = 0
    ct_series(tmp_path / "ct", np.zeros((8, 16, 16)), (-10.0, -10.0, 8.0), (3.0, 2.0, 2.0))
    return {
        "activity": nm_image(tmp_path / "nm.dcm", counts),
        "ct": tmp_path / "ct",
        "structures": nifti(tmp_path / "labels.nii.gz", labels, (3.0, 4.0, 5.0), (10.0, -6.0, -8.0)),
    }


def dose(spect, folder, *more):
    images = [word for name, path in spect.items() for word in (f"--{name}", str(path))]
    return main(["dose", *images, *LOCAL, "-o", str(folder), *more])


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def test_counts_are_the_administered_activity(spect, tmp_path, capsys):
    shares = ("--administered-gbq", "3.2", "--lung-shunt", "0.1", "--residual-gbq", "0.2")
    assert dose(spect, tmp_path / "out", *shares) == 0
    assert capsys.readouterr().err == ""
    summary = summary_of(tmp_path / "out")
    assert summary["total_decays"] == pytest.approx(2.7 * DECAYS_PER_GBQ, rel=1e-9)
    words = "counts scaled to 2.7 GBq: (3.2 GBq administered - 0.2 GBq residual) x (1 - lung shunt 0.1)"
    assert summary["inputs"]["activity_from"] == words
    assert words in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_counts_of_a_structure_are_the_administered_activity(spect, tmp_path, capsys):
    # 18 000 counts inside are 2.7 GBq, the 600 outside go along: 2.79 GBq, still below the 3 GBq given
    shares = ("--administered-gbq", "3", "--lung-shunt", "0.1", "--counts-in", "label 1")
    assert dose(spect, tmp_path / "out", *shares) == 0
    assert capsys.readouterr().err == ""
    assert summary_of(tmp_path / "out")["total_decays"] == pytest.approx(2.79 * DECAYS_PER_GBQ, rel=1e-9)
    assert dose(spect, tmp_path / "all", "--administered-gbq", "3", "--counts-in", "label 1") == 0
    assert "is 3.1 GBq over the whole image, more than the 3 GBq that reached" in capsys.readouterr().err


def test_sensitivity(spect, tmp_path):
    # 18 600 counts in 1200 s at 1 count/(s MBq): 15.5 MBq one half-life (of 64.05 h) after administration, 31 MBq then
    assert dose(spect, tmp_path / "out", "--sensitivity", "1") == 0
    assert summary_of(tmp_path / "out")["total_decays"] == pytest.approx(0.031 * DECAYS_PER_GBQ, rel=3e-3)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            (),
            "a sensitivity (--sensitivity) or the administered activity (--administered-gbq)",
        ),
        (("--administered-gbq", "3", "--sensitivity", "9"), "must be given, got both"),
        (("--administered-gbq", "3", "--residual-gbq", "3"), "residual_gbq must be at least 0 and below"),
        (("--administered-gbq", "3", "--lung-shunt", "1"), "must be a fraction between 0 and 1, got '1'"),
        (("--administered-gbq", "0"), "must be a positive number, got '0'"),
        (("--administered-gbq", "3", "--residual-gbq", "-1"), "must be a positive number, got '-1'"),
        (("--lung-shunt", "0.1"), "lung_shunt and residual_gbq need administered_gbq"),
        (("--counts-in", "liver"), "--counts-in liver needs --administered-gbq and --structures"),
        (("--administered-gbq", "3", "--counts-in", "liver"), "one of the structures, label 1; got 'liver'"),
    ],
)
def test_calibrations_that_do_not_fit_end_in_one_line(spect, tmp_path, capsys, words, says):
    assert dose(spect, tmp_path / "out", *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_structure_without_counts_is_refused(spect, tmp_path):
    counts = np.zeros((4, 2, 3))
    counts[3] = 100
    empty = nm_image(tmp_path / "empty.dcm", counts)
    with pytest.raises(InputError, match="structure label 1: it must hold counts to be calibrated by, got none"):
        read_case(empty, spect["ct"], spect["structures"], administered_gbq=1.0, counts_in="label 1")
    with pytest.raises(ValueError, match="counts_in needs administered_gbq and structures"):
        read_case(empty, spect["ct"], administered_gbq=1.0, counts_in="label 1")


@pytest.mark.parametrize(
    "words", [("--sensitivity", "9"), ("--administered-gbq", "3"), ("--administered-gbq", "3", "--counts-in", "x")]
)
def test_the_phantom_has_no_counts(tmp_path, capsys, words):
    assert main(["compare", "--demo", *words, "-o", str(tmp_path / "out")]) == 2
    assert "--demo stands instead of images, got --" in capsys.readouterr().err


def test_side_car_through_the_command_line(tmp_path, capsys):
    patient = [str(word) for word in water_block(tmp_path)]
    (tmp_path / "activity.json").write_text('{"unit": "Bq", "nuclide": "Y-90", "reference_time_h": 64.1}')
    assert main(["dose", *patient, *LOCAL, "-o", str(tmp_path / "out")]) == 0
    # 960 voxels of 1 MBq, one half-life after administration
    assert summary_of(tmp_path / "out")["total_decays"] == pytest.approx(1.92 * DECAYS_PER_GBQ, rel=1e-6)
    capsys.readouterr()
    assert main(["dose", *patient, *LOCAL, "--activity-unit", "Bq/mL", "-o", str(tmp_path / "no")]) == 2
    assert "unit is Bq, the one asked for is Bq/mL" in capsys.readouterr().err


def test_reference_albumin_calibrated_in_the_liver():
    folder = reference_images() / "liver-y90"
    image, ct, structures = folder / "NM_synth_MAA_recontomo.dcm", folder / "CT", folder / "RTSTRUCT_semiauto.dcm"
    with_shunt = {"administered_gbq": 2.0, "lung_shunt": 0.04}
    case = read_case(image, ct, structures, **with_shunt)
    assert case.activity_bq.sum() == pytest.approx(1.92e9, rel=1e-9)
    name = next(name for name in case.structures if name.lower() == "liver")
    inside = float((case.activity_bq * case.structures[name]).sum())
    moved = read_case(image, ct, structures, counts_in=name, **with_shunt)
    assert (moved.activity_bq * moved.structures[name]).sum() == pytest.approx(1.92e9, rel=1e-9)
    assert moved.activity_bq.sum() == pytest.approx(1.92e9 * 1.92e9 / inside, rel=1e-9)
