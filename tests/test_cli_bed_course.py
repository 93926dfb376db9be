"""`mcdose bed` over several treatments: folders of results, two grids, registrations, means, and figures by hand."""

import json
import math

import nibabel
import numpy as np
import pydicom
import pytest
from images import ct_series, edit, reference_images, spatial_registration
from patients import nifti
from scipy.stats import norm

from mcdose.calibration import SCHNEIDER
from mcdose.cli import main
from mcdose.grid import Grid
from mcdose.io.ct import read_ct
from mcdose.io.nifti import write_nifti
from mcdose.io.rtdose import write_rt_dose
from mcdose.nuclides import nuclide
from mcdose.radiobiology import bed, complication_model, dose_of_bed, eubed, poisson_tcp

COARSE = Grid((6, 6, 6), (6.0, 6.0, 6.0), (0.0, 0.0, 0.0))
FINE = Grid((12, 12, 12), (3.0, 3.0, 3.0), (-1.5, -1.5, -1.5))  # the same space
LIVER = ("--tissue", "normal-liver")
HALF_LIVES = ("--half-life-h", "64.1", "51")
# by hand, liver: G = 2.5 / 66.6 = 0.0375375 and 2.5 / 53.5 = 0.0467290
# 40 Gy: 40 (1 + 0.0375375 x 40 / 2.5) = 64.0240 Gy; 10 Gy: 10 (1 + 0.0467290 x 10 / 2.5) = 11.8692 Gy
FIRST, SECOND = 64.0240, 11.8692


@pytest.fixture
def run(capsys, tmp_path):
    """Run the command into tmp_path/out: exit code, summary or None, stderr."""

    def command(*words, out="out"):
        code = main(["bed", *map(str, words), "-o", str(tmp_path / out)])
        path = tmp_path / out / "bed.json"
        summary = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        return code, summary, capsys.readouterr().err

    return command


def uniform(folder, name, dose_gy, grid=COARSE):
    write_nifti(folder / name, np.full(grid.shape, float(dose_gy)), grid)
    return folder / name


def values(path):
    return nibabel.load(path).get_fdata().transpose(2, 1, 0)


def labels(folder, grid=COARSE, name="labels.nii.gz"):
    """Label 1, the liver, is all but a rim; label 2, a tumour, its first corner: SEG-like, one label a voxel."""
    drawn = np.zeros(grid.shape)
    edge = grid.shape[0] // 6
    drawn[edge:-edge, edge:-edge, edge:-edge] = 1
    drawn[edge : 2 * edge, edge : 2 * edge, edge : 2 * edge] = 2
    return nifti(folder / name, drawn, grid.voxel_mm, grid.origin_mm)


def test_uniform_doses_on_two_grids_by_hand(run, tmp_path):
    first, second = uniform(tmp_path, "a.nii.gz", 40), uniform(tmp_path, "b.nii.gz", 10, FINE)
    code, summary, _ = run(first, second, *HALF_LIVES, *LIVER, "--structures", labels(tmp_path))
    assert code == 0
    np.testing.assert_allclose(values(tmp_path / "out" / "bed.nii.gz"), FIRST + SECOND, atol=2e-4)
    np.testing.assert_allclose(values(tmp_path / "out" / "eqd2.nii.gz"), 42.1629, atol=2e-4)  # 75.8932 / 1.8
    figures = summary["structures"]["label 1"]
    assert figures["mean_bed_gy"] == pytest.approx(75.8932, abs=2e-4)
    assert figures["mean_eqd2_gy"] == pytest.approx(42.1629, abs=2e-4)
    assert [row["mean_gy"] for row in figures["treatments"]] == pytest.approx([40.0, 10.0])
    assert [row["mean_bed_gy"] for row in figures["treatments"]] == pytest.approx([FIRST, SECOND], abs=1e-4)
    assert [row["mean_eqd2_gy"] for row in figures["treatments"]] == pytest.approx([35.5689, 6.5940], abs=1e-4)
    assert [one["resampled"] for one in summary["treatments"]] == [False, True]
    written = pydicom.dcmread(tmp_path / "out" / "bed.dcm")
    assert (written.DoseType, written.DoseComment[:20]) == ("EFFECTIVE", "BED of 2 treatments,")


def test_bed_is_found_before_it_is_averaged(run, tmp_path):
    """A voxel of 6 mm over eight of 3 mm, half of them at 20 Gy: half of BED(20), which is more than BED(10)."""
    fine = np.zeros(FINE.shape)
    fine[::2] = 20.0
    write_nifti(tmp_path / "b.nii.gz", fine, FINE)
    code, _, _ = run(uniform(tmp_path, "a.nii.gz", 40), tmp_path / "b.nii.gz", *HALF_LIVES, *LIVER)
    assert code == 0
    half = 0.5 * float(bed(20.0, half_life_h=51.0, alpha_beta_gy=2.5, repair_half_time_h=2.5))
    assert half == pytest.approx(0.5 * 20.0 * (1.0 + 2.5 / 53.5 * 8.0))
    np.testing.assert_allclose(values(tmp_path / "out" / "bed.nii.gz"), FIRST + half, rtol=1e-5)


def test_a_dose_that_does_not_reach_is_told(run, tmp_path):
    small = Grid((3, 6, 6), (6.0, 6.0, 6.0), (0.0, 0.0, 0.0))
    first, second = uniform(tmp_path, "a.nii.gz", 40), uniform(tmp_path, "b.nii.gz", 10, small)
    code, summary, err = run(first, second, *HALF_LIVES, *LIVER, "--structures", labels(tmp_path))
    assert code == 0
    found = values(tmp_path / "out" / "bed.nii.gz")
    np.testing.assert_allclose(found[:3], FIRST + SECOND, atol=2e-4)
    np.testing.assert_allclose(found[3:], FIRST, atol=2e-4)
    # of the 4 x 4 x 4 less one voxel, 32 lie in slices 3 and 4
    assert f"{100 * 32 / 63:.1f} % of structure 'label 1' has no dose of it" in err
    assert summary["warnings"]


def test_two_runs_of_two_nuclides_end_to_end(run, tmp_path, capsys):
    """Y-90 on one grid and Lu-177 on another, uniform in water: k A / m of each, half-lives from the results."""
    folders = []
    for name, grid, mbq_per_ml in (("Y-90", COARSE, 1.0), ("Lu-177", FINE, 0.5)):
        images = tmp_path / name
        images.mkdir()
        write_nifti(images / "activity.nii.gz", np.full(grid.shape, mbq_per_ml * 1e6), grid)
        write_nifti(images / "ct.nii.gz", np.zeros(grid.shape), grid)
        words = ("--activity", images / "activity.nii.gz", "--ct", images / "ct.nii.gz", "--nuclide", name)
        folders.append(images / "dose")
        assert main(["dose", *map(str, words), "--method", "local-deposition", "-o", str(folders[-1])]) == 0
    code, summary, _ = run(*folders, *LIVER, "--structures", labels(tmp_path), "--liver", "label 1", "--json")
    assert code == 0
    assert [one["nuclide"] for one in summary["treatments"]] == ["Y-90", "Lu-177"]
    total = 0.0
    for name, row in zip(("Y-90", "Lu-177"), summary["structures"]["label 1"]["treatments"], strict=True):
        known = nuclide(name)
        per_kg = {"Y-90": 1.0, "Lu-177": 0.5}[name] / float(SCHNEIDER.density([0.0])[0])
        assert row["mean_gy"] == pytest.approx(known.gy_kg_per_gbq * per_kg, rel=1e-4)
        factor = 2.5 / (2.5 + known.half_life_s / 3600.0)
        total += row["mean_gy"] * (1.0 + factor * row["mean_gy"] / 2.5)
    assert summary["structures"]["label 1"]["mean_bed_gy"] == pytest.approx(total, rel=1e-4)
    np.testing.assert_allclose(values(tmp_path / "out" / "bed.nii.gz"), total, rtol=1e-4)
    code, _, err = run(*folders, *LIVER, "--nuclide", "Y-90", out="again")
    assert (code, "is a dose of Lu-177, got --nuclide Y-90" in err) == (2, True)


def test_a_fit_over_time_needs_its_half_life(run, tmp_path):
    """Results whose activity left as it decayed, too, do not decay with the nuclide's half-life."""
    folder = tmp_path / "dose"
    folder.mkdir()
    write_rt_dose(folder / "dose.dcm", np.full(COARSE.shape, 5.0), COARSE, None, comment="dose")
    points = {"time_fit": "mono", "points": []}
    (folder / "summary.json").write_text(json.dumps({"nuclide": "Lu-177", "inputs": {"time_points": points}}))
    code, _, err = run(folder, *LIVER)
    assert (code, "--half-life-h must say the effective half-life" in err) == (2, True)
    assert run(folder, *LIVER, "--half-life-h", 51)[0] == 0
    (folder / "summary.json").write_text("{}")
    code, _, err = run(folder, *LIVER, out="again")
    assert (code, "it names no nuclide" in err, err.count("\n")) == (2, True, 1)


def test_a_registration_brings_a_dose_to_the_first(run, tmp_path):
    """A hot voxel two voxels off in its own frame, put back by matrix, and by DICOM that knows the frames."""
    dose = np.zeros(COARSE.shape)
    dose[2, 3, 4] = 30.0
    ct_series(tmp_path / "ct", np.zeros((3, 3, 4)), PositionReferenceIndicator="")
    series = read_ct(tmp_path / "ct").series
    write_rt_dose(tmp_path / "a.dcm", dose, COARSE, series, comment="dose")
    away = Grid(COARSE.shape, COARSE.voxel_mm, (12.0, 0.0, -6.0))
    write_rt_dose(tmp_path / "b.dcm", dose, away, series, comment="dose", plan_path=tmp_path / "plan_b.dcm")
    edit(tmp_path / "b.dcm", FrameOfReferenceUID="1.2.3.99")
    matrix = np.eye(4)
    matrix[:3, 3] = (6.0, 0.0, -12.0)  # x, y, z
    np.savetxt(tmp_path / "reg.txt", matrix)
    dicom = spatial_registration(tmp_path / "reg.dcm", "1.2.3.2", [("1.2.3.99", [(matrix, "RIGID")])])
    expected = 2.0 * float(bed(30.0, half_life_h=64.1, alpha_beta_gy=2.5, repair_half_time_h=2.5))
    for name, path in (("text", tmp_path / "reg.txt"), ("dicom", dicom)):
        words = (tmp_path / "a.dcm", tmp_path / "b.dcm", "--half-life-h", "64.1", *LIVER, "--registration", path)
        code, summary, _ = run(*words, out=name)
        assert code == 0
        found = values(tmp_path / name / "bed.nii.gz")
        assert found[2, 3, 4] == pytest.approx(expected, rel=1e-5)
        assert np.count_nonzero(found) == 1
        assert summary["treatments"][1]["registration"]["kind"] == "rigid"
        assert pydicom.dcmread(tmp_path / name / "bed.dcm").FrameOfReferenceUID == "1.2.3.2"
    code, _, err = run(tmp_path / "a.dcm", tmp_path / "b.dcm", *LIVER, "--registration", "none", out="none")
    assert (code, "must share their FrameOfReferenceUID" in err) == (2, True)
    matrix[0, 0] = 1.1
    np.savetxt(tmp_path / "scale.txt", matrix)
    code, _, err = run(
        tmp_path / "a.dcm", tmp_path / "b.dcm", *LIVER, "--registration", tmp_path / "scale.txt", out="no"
    )
    assert (code, "moved by rigid registrations only" in err) == (2, True)


def test_means_by_structure_where_nothing_is_registered(run, tmp_path):
    """Two livers of two shapes: mean BED adds by name, whatever lies where."""
    rng = np.random.default_rng(4)
    first, second = rng.uniform(20.0, 60.0, COARSE.shape), rng.uniform(5.0, 15.0, FINE.shape)
    write_nifti(tmp_path / "a.nii.gz", first, COARSE)
    write_nifti(tmp_path / "b.nii.gz", second, FINE)
    drawn = labels(tmp_path), labels(tmp_path, FINE, "fine.nii.gz")
    words = (tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", *HALF_LIVES, *LIVER)
    code, summary, _ = run(*words, "--by-structure", "--structures", *drawn)
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bed.json"]
    assert summary["added_by"] == "structure"
    figures = summary["structures"]["label 1"]
    total = 0.0
    for dose, half_life, where in ((first, 64.1, drawn[0]), (second, 51.0, drawn[1])):
        inside = values(where) == 1
        total += bed(dose, half_life_h=half_life, alpha_beta_gy=2.5, repair_half_time_h=2.5)[inside].mean()
    assert figures["mean_bed_gy"] == pytest.approx(total, rel=1e-6)
    assert figures["d95_bed_gy"] is None
    assert figures["bed_of_means"] is False


def test_a_treatment_of_which_only_means_are_known(run, tmp_path):
    """PRRT of 10 Gy to the liver and 60 Gy to the tumour from a report, and a map of 40 Gy.

    Tumour, alpha/beta 10 Gy, T_rep 1.5 h: 40 (1 + 1.5 / 65.6 x 4) = 43.6585; 60 (1 + 1.5 / 52.5 x 6) = 70.2857.
    """
    path = tmp_path / "means.toml"
    path.write_text(
        '[[treatment]]\nname = "PRRT"\nhalf_life_h = 51\nmean_gy = { "label 1" = 10, "label 2" = 60, spleen = 12 }\n'
    )
    words = (uniform(tmp_path, "a.nii.gz", 40), "--nuclide", "Y-90", *LIVER, "--structures", labels(tmp_path))
    code, summary, err = run(*words, "--tumours", "label 2", "--means", path)
    assert code == 0
    assert summary["structures"]["label 1"]["mean_bed_gy"] == pytest.approx(FIRST + SECOND, abs=2e-4)
    assert summary["structures"]["label 2"]["mean_bed_gy"] == pytest.approx(43.6585 + 70.2857, abs=2e-4)
    assert summary["structures"]["label 2"]["tissue"] == "tumour"
    assert summary["structures"]["label 1"]["bed_of_means"] is True
    assert "structure 'spleen' is left out" in err
    alone = run("--means", path, *LIVER, out="alone")[1]["structures"]
    assert alone["spleen"]["mean_doses_gy"] == [12.0]


def test_eud_tcp_and_ntcp_by_hand(run, tmp_path):
    """Half of the tumour at 80 Gy, half at 120 Gy of Y-90; liver 30 Gy.

    Tumour, G = 1.5 / 65.6: BED = 80 (1 + 8 G) = 94.6341 and 120 (1 + 12 G) = 152.9268 Gy; with alpha 0.05 / Gy
    EUBED = 94.6341 - ln(0.5 (1 + exp(-0.05 x 58.2927))) / 0.05 = 107.4410 Gy; TCP = exp(-N exp(-0.05 EUBED)).
    Liver: Strigari's model takes 30 Gy of Y-90 as it is: (30 - 52) / (0.28 x 52) = -1.51099, so 6.54 %. Dawson's gets
    30 (1 + 12 x 2.5 / 66.6) = 43.5135 Gy BED in fractions of 1.5 Gy, / 1.6 = 27.1959 Gy.
    """
    dose = np.full(COARSE.shape, 30.0)
    drawn = np.zeros(COARSE.shape)
    drawn[1:5, 1:5, 1:5] = 1
    tumour = np.zeros(COARSE.shape)
    tumour[2, 2, 2:4] = 1
    dose[2, 2, 2], dose[2, 2, 3] = 80.0, 120.0
    both = np.where(tumour == 1, 2.0, drawn)
    write_nifti(tmp_path / "a.nii.gz", dose, COARSE)
    structures = nifti(tmp_path / "labels.nii.gz", both, COARSE.voxel_mm)
    words = (tmp_path / "a.nii.gz", *LIVER, "--structures", structures, "--tumours", "label 2")
    choices = ("--alpha-per-gy", "0.05", "--clonogens-per-ml", "1000")
    code, summary, _ = run(*words, *choices)
    assert code == 0
    figures = summary["structures"]["label 2"]
    g = 1.5 / 65.6
    low, high = 80.0 * (1.0 + 8.0 * g), 120.0 * (1.0 + 12.0 * g)
    assert (low, high) == (pytest.approx(94.6341, abs=1e-4), pytest.approx(152.9268, abs=1e-4))
    expected = low - math.log(0.5 * (1.0 + math.exp(-0.05 * (high - low)))) / 0.05
    assert expected == pytest.approx(107.4410, abs=1e-3)
    assert figures["eubed_gy"] == pytest.approx(expected, rel=1e-5)
    assert figures["eubed_gy"] == pytest.approx(eubed([low, high], 0.05), rel=1e-5)
    (row,) = figures["treatments"]
    assert row["eud_gy"] == pytest.approx(
        float(dose_of_bed(expected, half_life_h=64.1, alpha_beta_gy=10.0, repair_half_time_h=1.5)), rel=1e-4
    )
    clonogens = 1000.0 * 2 * 0.216
    assert figures["tcp"] == pytest.approx(math.exp(-clonogens * math.exp(-0.05 * expected)), rel=1e-4)
    assert figures["tcp"] == pytest.approx(poisson_tcp([low, high], alpha_per_gy=0.05, clonogens=clonogens), rel=1e-4)
    assert summary["structures"]["label 1"]["eubed_gy"] is None
    # the liver with its tumour, drawn over one another
    liver = np.where(both > 0, 1.0, 0.0)
    even = uniform(tmp_path, "even.nii.gz", 30)
    whole = nifti(tmp_path / "liver.nii.gz", liver, COARSE.voxel_mm)
    words = (even, *LIVER, "--structures", whole, "--liver", "label 1")
    code, summary, _ = run(*words, "--ntcp", "strigari-2010", "dawson-2002", out="ntcp")
    assert code == 0
    found = summary["structures"]["normal liver"]["ntcp"]
    assert found["strigari-2010"] == pytest.approx(norm.cdf(-1.51099), rel=1e-4)
    assert found["strigari-2010"] == pytest.approx(0.0654, abs=1e-4)
    assert found["dawson-2002"] == pytest.approx(norm.cdf((27.1959 - 43.3) / (0.12 * 43.3)), rel=1e-3)
    assert summary["complications"][0]["td50_gy"] == 52.0
    assert summary["structures"]["normal liver"]["treatments"][0]["ntcp"] == found


def test_ntcp_of_two_treatments_is_that_of_the_dose_with_their_bed(run, tmp_path):
    """75.8932 Gy of BED are 45.3 Gy of Y-90 at once: D (1 + 0.015015 D) = 75.8932."""
    first, second = uniform(tmp_path, "a.nii.gz", 40), uniform(tmp_path, "b.nii.gz", 10, FINE)
    whole = nifti(tmp_path / "liver.nii.gz", np.ones(COARSE.shape), COARSE.voxel_mm)
    words = (first, second, *HALF_LIVES, *LIVER, "--structures", whole, "--liver", "label 1")
    code, summary, _ = run(*words, "--ntcp", "strigari-2010")
    assert code == 0
    slope = 2.5 / 66.6 / 2.5
    dose = (math.sqrt(1.0 + 4.0 * slope * (FIRST + SECOND)) - 1.0) / (2.0 * slope)
    assert dose * (1.0 + slope * dose) == pytest.approx(75.8932, abs=1e-3)
    expected = norm.cdf((dose - 52.0) / (0.28 * 52.0))
    assert summary["structures"]["normal liver"]["ntcp"]["strigari-2010"] == pytest.approx(expected, rel=1e-4)
    by = ("--by-structure", "--ntcp", "strigari-2010")
    code, summary, _ = run(*words, *by, out="by")
    assert code == 0
    assert summary["structures"]["normal liver"]["ntcp"]["strigari-2010"] == pytest.approx(expected, rel=1e-4)


def test_models_convert_to_doses_of_their_own_kind():
    """Dawson's: 80 Gy BED at alpha/beta 2.5 Gy in fractions of 1.5 Gy are 80 / 1.6 = 50 Gy; Strigari's undo BED."""
    liver = {"alpha_beta_gy": 2.5, "repair_half_time_h": 2.5}
    assert float(complication_model("dawson-2002").dose_of_bed(80.0, **liver)) == pytest.approx(50.0)
    own = complication_model("strigari-2010").dose_of_bed(bed(33.0, half_life_h=64.05, **liver), **liver)
    assert float(own) == pytest.approx(33.0, rel=1e-3)


def test_the_table_names_every_treatment_and_parameter(tmp_path, capsys):
    first, second = uniform(tmp_path, "a.nii.gz", 40), uniform(tmp_path, "b.nii.gz", 10, FINE)
    words = (first, second, *HALF_LIVES, *LIVER, "--structures", labels(tmp_path), "--tumours", "label 2")
    choices = ("--alpha-per-gy", "0.3", "--clonogens-per-ml", "1e6")
    assert main(["bed", *map(str, (*words, *choices)), "-o", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    for words in ("label 1, 1", "label 1, all", "EUBED Gy", "TCP %", "alpha 0.3 per Gy, 1e+06 clonogens per mL"):
        assert words in out
    assert "tumours: alpha/beta 10 Gy, T_rep 1.5 h" in out


def test_the_shared_patient(run, tmp_path, capsys):
    """Y-90 on the PET's grid, Lu-177 on one of 6 mm: mean BED of the liver by voxels and by structure are one."""
    folder = reference_images() / "liver-y90"
    drawn, ct = folder / "RTSTRUCT_semiauto.dcm", folder / "CT"
    truth = folder / "truth_activity_ADMIN_BqPerMl_PETgrid.nii.gz"
    folders = [tmp_path / "y90", tmp_path / "lu"]
    for out, words in zip(
        folders,
        (("--activity", folder / "PET_ADMIN"), ("--activity", truth, "--nuclide", "Lu-177", "--dose-grid", 6)),
        strict=True,
    ):
        choices = (*words, "--ct", ct, "--structures", drawn, "--method", "local-deposition", "-o", out)
        assert main(["dose", *map(str, choices)]) == 0
    names = ("--structures", drawn, "--liver", "Liver", "--tumours", "Lesion1", "Lesion2", "Lesion3")
    code, voxels, _ = run(*folders, *LIVER, *names, "--alpha-per-gy", 0.02, "--ntcp", "strigari-2010")
    assert code == 0
    code, means, _ = run(*folders, *LIVER, *names, "--by-structure", out="by")
    assert code == 0
    assert [one["nuclide"] for one in voxels["treatments"]] == ["Y-90", "Lu-177"]
    for name in ("Liver", "normal liver"):
        found = voxels["structures"][name]
        assert found["mean_bed_gy"] == pytest.approx(means["structures"][name]["mean_bed_gy"], rel=0.01)
    doses = json.loads((folders[0] / "summary.json").read_text())["structures"]
    assert voxels["structures"]["Liver"]["mean_doses_gy"][0] == pytest.approx(doses["Liver"]["mean_gy"], rel=1e-4)
    for name in ("Lesion1", "Lesion2", "Lesion3"):
        assert voxels["structures"][name]["eubed_gy"] < voxels["structures"][name]["mean_bed_gy"]
    liver = voxels["structures"]["normal liver"]
    assert liver["ntcp"]["strigari-2010"] > max(row["ntcp"]["strigari-2010"] for row in liver["treatments"])
    written = pydicom.dcmread(tmp_path / "out" / "bed.dcm")
    assert written.DoseType == "EFFECTIVE"
    assert written.FrameOfReferenceUID == pydicom.dcmread(folders[0] / "dose.dcm").FrameOfReferenceUID


MEANS = '[[treatment]]\nname = "x"\nhalf_life_h = 51\nmean_gy = { L = 10 }\n'


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "DOSE must be at least one, or --means FILE"),
        (
            ("A", "--registration", "r"),
            "--registration must name one for each dose after the first",
        ),
        (
            ("A", "B", "--registration", "r", "--by-structure", "--structures", "S"),
            "--registration brings doses",
        ),
        (("A", "B", "--structures", "S", "S"), "--structures must be one file, on the first dose; got 2"),
        (("A", "B", "--by-structure"), "--structures must be one for all doses or one for each, got 0 for 2"),
        (("A", "--tumours", "T"), "--tumours needs --structures"),
        (("A", "--structures", "S", "--tumours", "nobody"), "structure must be one of label 1, label 2; got 'nobody'"),
        (
            ("A", "--structures", "S", "--liver", "label 1", "--tumours", "label 2"),
            "label 2 must lie in the liver",
        ),
        (
            ("A", "--structures", "S", "--liver", "label 2", "--tumours", "label 2"),
            "--liver label 2 must be larger than --tumours, which leave nothing of it",
        ),
        (("A", "--structures", "S", "--clonogens-per-ml", "5"), "--clonogens-per-ml needs --alpha-per-gy"),
        (("A", "--structures", "S", "--ntcp", "strigari-2010"), "--ntcp needs --liver"),
        (("A", "--structures", "S", "--liver", "label 1", "--ntcp", "x"), "complication must be one of strigari-2010"),
        (("A", "--tumour-parameters", "10", "1"), "--tumour-parameters needs --tumours"),
        (("A", "far", *HALF_LIVES), "must overlap"),
        (("--means", "none.toml"), "none.toml: cannot be read"),
        (("--means", "none.toml", "--nuclide", "Y-90"), "--nuclide is of DOSE"),
        (("--means", "none.toml", "--half-life-h", "60"), "--half-life-h is of DOSE"),
        (("--means", "none.toml", "--structures", "S"), "--structures is of DOSE"),
        (("--means", "none.toml", "--alpha-per-gy", "0.3"), "--alpha-per-gy is of DOSE"),
    ],
)
def test_mistakes_end_with_2_and_one_line(run, tmp_path, words, message):
    far = Grid((3, 3, 3), (6.0, 6.0, 6.0), (900.0, 0.0, 0.0))
    places = {
        "A": uniform(tmp_path, "a.nii.gz", 40),
        "B": uniform(tmp_path, "b.nii.gz", 10),
        "S": labels(tmp_path),
        "far": uniform(tmp_path, "far.nii.gz", 10, far),
    }
    code, summary, err = run(*(places.get(word, word) for word in words), *LIVER)
    assert (code, summary) == (2, None)
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("half_life_h = 51\n", ""), "must have one of nuclide and half_life_h"),
        (("half_life_h = 51", 'nuclide = "Xx-9"'), "nuclide must be one of"),
        (("half_life_h = 51", "half_life_h = 0"), "half_life_h must be above 0, got 0"),
        (("{ L = 10 }", "{}"), "mean_gy must have at least one structure"),
        (("{ L = 10 }", "5"), "mean_gy must be a table of structures, got 5"),
        (("{ L = 10 }", "'L'"), "mean_gy must be a table of structures, got 'L'"),
        (("L = 10", f"L = 1{'0' * 400}"), "L must be a number of at least 0, got 1000"),
        (("{ L = 10 }", "{ L = -1 }"), "L must be a number of at least 0, got -1"),
        (("name", "nom"), "missing: name"),
        ((MEANS, "x = 1"), "missing: treatment"),
    ],
)
def test_mistakes_in_a_file_of_means(run, tmp_path, change, message):
    assert change[0] in MEANS
    path = tmp_path / "means.toml"
    path.write_text(MEANS.replace(*change), encoding="utf-8")
    code, _, err = run("--means", path, *LIVER)
    assert code == 2
    assert message in err
    assert str(path) in err or "nuclide" in err
    assert err.count("\n") == 1


def test_means_without_a_name_in_common_end_in_one_line(run, tmp_path):
    path = tmp_path / "means.toml"
    path.write_text(MEANS + MEANS.replace("L =", "Q ="), encoding="utf-8")
    code, _, err = run("--means", path, *LIVER)
    assert (code, err.count("\n")) == (2, 1)
    assert "treatments must have a structure of one name" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tumours", "l"), "mean_gy must have 'l', got L"),
        (("--liver", "L"), "mean_gy must have 'normal liver', got L"),
        (("--liver", "L", "--ntcp", "strigari-2010"), "mean_gy must have 'normal liver', got L"),
    ],
)
def test_names_that_no_mean_has(run, tmp_path, words, message):
    """A tumour that is misspelt would get the parameters of liver, and a complication would silently be none."""
    path = tmp_path / "means.toml"
    path.write_text(MEANS, encoding="utf-8")
    code, _, err = run("--means", path, *LIVER, *words)
    assert (code, err.count("\n")) == (2, 1)
    assert message in err


def test_uniform_equivalents_of_each_treatment_that_has_a_map(run, tmp_path):
    """Added by structure, each map has its own EUD, EUBED and TCP; the sum has none."""
    dose = np.full(COARSE.shape, 80.0)
    dose[:3] = 120.0
    write_nifti(tmp_path / "a.nii.gz", dose, COARSE)
    whole = nifti(tmp_path / "t.nii.gz", np.ones(COARSE.shape), COARSE.voxel_mm)
    path = tmp_path / "means.toml"
    path.write_text(MEANS.replace("{ L = 10 }", '{ "label 1" = 10 }'), encoding="utf-8")
    words = (tmp_path / "a.nii.gz", *LIVER, "--structures", whole, "--tumours", "label 1", "--means", path)
    code, summary, _ = run(*words, "--alpha-per-gy", "0.05", "--clonogens-per-ml", "1000")
    assert code == 0
    figures = summary["structures"]["label 1"]
    first, second = figures["treatments"]
    assert first["eubed_gy"] == pytest.approx(107.4410, abs=1e-3)  # as above by hand
    own = {"half_life_h": 64.1, "alpha_beta_gy": 10.0, "repair_half_time_h": 1.5}
    assert first["eud_gy"] == pytest.approx(float(dose_of_bed(107.4410, **own)), rel=1e-4)
    assert first["tcp"] == pytest.approx(math.exp(-1000.0 * 216 * 0.216 * math.exp(-0.05 * 107.4410)), rel=1e-3)
    assert (second["eubed_gy"], second["tcp"], figures["eubed_gy"], figures["tcp"]) == (None, None, None, None)
