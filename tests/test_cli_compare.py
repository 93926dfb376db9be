"""`mcdose compare`: files that agree with each other, figures that agree with the library, errors of one line."""

import csv
import json
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from images import reference_images
from patients import nifti, water_block
from reports import Reader

import mcdose
from mcdose.case import demo_case
from mcdose.cli import main
from mcdose.comparison_summary import NOISE_NOTE, notes
from mcdose.methods import MAIN, WAYS
from mcdose.result_files import COMPARISON
from mcdose.summary import BLUR_NOTE

SMALL = ("--histories", "30000")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A block of water with a slice of air, compared once."""
    folder = tmp_path_factory.mktemp("patient")
    argv = ["compare", *water_block(folder), *SMALL, "--gamma", "3", "2", "-o", folder / "out"]
    assert main([str(word) for word in argv]) == 0
    return folder / "out"


@pytest.fixture
def summary(compared):
    return json.loads((compared / "summary.json").read_text(encoding="utf-8"))


def image(path):
    return nibabel.load(path).get_fdata().transpose(2, 1, 0)


def test_writes_every_file(compared):
    assert {path.name for path in compared.iterdir()} == set(COMPARISON)


def test_maps_agree(compared):
    doses = {way.key: image(compared / f"dose_{way.key}.nii.gz") for way in MAIN}
    for way in MAIN[1:]:
        difference = image(compared / f"difference_{way.key}.nii.gz")
        np.testing.assert_allclose(difference, doses[way.key] - doses["monte-carlo"], atol=1e-4 * difference.max())
        gamma = image(compared / f"gamma_{way.key}.nii.gz")
        judged = np.isfinite(gamma)
        assert (judged == (doses["monte-carlo"] >= 0.1 * doses["monte-carlo"].max())).all()
    assert np.isfinite(image(compared / "uncertainty.nii.gz")[:-1]).all()


def test_figures_are_those_of_the_maps(compared, summary):
    names = list(summary["methods"]["monte-carlo"]["structures"])
    assert len(names) == 2
    assert list(summary["methods"]) == [way.key for way in WAYS]
    for way in MAIN:
        figures = summary["methods"][way.key]["structures"][names[0]]
        inside = image(compared / f"dose_{way.key}.nii.gz")[2:5, 3:7, 4:8]
        assert figures["mean_gy"] == pytest.approx(inside.mean(), rel=1e-5)
        assert figures["d50_gy"] == pytest.approx(np.percentile(inside, 50, method="hazen"), rel=1e-5)
        assert figures["v"]["50"] == pytest.approx(np.mean(inside >= 50.0))
        if way is not MAIN[0]:
            base = summary["methods"]["monte-carlo"]["structures"][names[0]]["mean_gy"]
            assert figures["mean_difference"] == pytest.approx(figures["mean_gy"] / base - 1.0, rel=1e-9)
    # within 3 %: water is water by every method; but for the air, whose density is not that of a kernel
    for way in WAYS[1:]:
        if way.density_scaling == "target":
            assert abs(summary["methods"][way.key]["structures"][names[0]]["mean_difference"]) < 0.06, way


def test_gamma_is_that_of_the_library(compared, summary):
    a, b = (image(compared / f"dose_{way.key}.nii.gz") for way in (MAIN[0], MAIN[1]))
    uncertainty = image(compared / "uncertainty.nii.gz")
    for kind in ("global", "local"):
        alone = mcdose.compare_doses(
            a, b, (6.0, 5.0, 4.0), gamma=(3.0, 2.0), local=kind == "local", relative_uncertainty_a=uncertainty
        )
        found = summary["comparisons"]["voxel-kernel"]
        assert found[kind]["pass_rate"] == pytest.approx(alone.pass_rate, abs=2e-3)
        assert found[kind]["widened_pass_rate"] == pytest.approx(alone.noise.widened_pass_rate, abs=2e-3)
        assert found["dice"]["50"] == pytest.approx(alone.dice(50.0), abs=1e-3)
        rates = found[kind]["structures"]
        first = alone.gamma_map[2:5, 3:7, 4:8]
        assert rates[next(iter(rates))] == pytest.approx(np.mean(first <= 1.0), abs=0.02)
    assert (found["gamma_percent"], found["gamma_mm"]) == (3.0, 2.0)


def test_histograms_of_every_structure_and_method(compared, summary):
    with (compared / "dvh.csv").open(newline="") as file:
        head = next(csv.reader(file))
    names = list(summary["methods"]["monte-carlo"]["structures"])
    assert head == ["dose_gy", *(f"{name}, {way.short}" for way in MAIN for name in names)]


def test_page_says_what_a_reader_must_know(compared, summary):
    page = (compared / "report.html").read_text(encoding="utf-8")
    Reader(page)  # well-formed
    for words in ("blur of PET", "noise in the reference", "Dice coefficient", "Kernel of the target", "3 % / 2 mm"):
        assert words in page
    for words in ("Voxel kernel less Monte Carlo", "Local deposition less Monte Carlo", "Dieudonne 2013", "Lee 2018"):
        assert words.replace("'", "&#x27;") in page
    assert summary["notes"][0].startswith("The blur of PET (5 to 7 mm) is as wide as the reach")


def test_lungs_are_explained(tmp_path, capsys):
    """On the phantom: the methods' order in the lungs, and the note with the published figures."""
    assert main(["compare", "--demo", "--histories", "100000", "--json", "-o", str(tmp_path / "out")]) == 0
    summary = json.loads(capsys.readouterr().out)
    lungs = {key: method["structures"]["lungs"]["mean_gy"] for key, method in summary["methods"].items()}
    assert not any("blur of PET" in note for note in summary["notes"])  # the phantom has none
    assert lungs["voxel-kernel-none"] < 0.35 * lungs["monte-carlo"]
    assert lungs["monte-carlo"] < lungs["local-deposition"] < lungs["voxel-kernel"] < lungs["voxel-kernel-multiple"]
    assert any("d'Andrea 2024" in note and note.startswith("lungs: mean density 0.26") for note in summary["notes"])
    liver = {key: method["structures"]["liver"]["mean_gy"] for key, method in summary["methods"].items()}
    for key in ("voxel-kernel", "voxel-kernel-none", "voxel-kernel-source", "voxel-kernel-multiple"):
        assert liver[key] == pytest.approx(liver["monte-carlo"], rel=0.01)


def test_real_patient(tmp_path, capsys):
    """In the liver within 3 %; in the lungs the order and size that Mikell et al. (2015) found: +17, +20, -60 %."""
    images = reference_images() / "liver-y90"
    words = [
        "--activity",
        images / "PET_ADMIN",
        "--ct",
        images / "CT",
        "--structures",
        images / "RTSTRUCT_semiauto.dcm",
    ]
    argv = ["compare", *words, "--histories", "300000", "--json", "-o", tmp_path / "out"]
    assert main([str(word) for word in argv]) == 0
    summary = json.loads(capsys.readouterr().out)
    methods = summary["methods"]
    for key in (
        "voxel-kernel",
        "local-deposition",
        "voxel-kernel-none",
        "voxel-kernel-source",
        "voxel-kernel-multiple",
    ):
        assert abs(methods[key]["structures"]["Liver"]["mean_difference"]) < 0.03, key
    lungs = {key: method["structures"]["Lungs_in_FOV"].get("mean_difference") for key, method in methods.items()}
    assert 0.1 < lungs["local-deposition"] < 0.3
    assert 0.1 < lungs["voxel-kernel"] < 0.3
    assert -0.8 < lungs["voxel-kernel-none"] < -0.6
    assert summary["notes"][0].startswith("The blur of PET")
    assert "CRLM-CT-1006" not in (tmp_path / "out/report.html").read_text(encoding="utf-8")


def test_constant_of_local_deposition_and_threshold_of_gamma(tmp_path, capsys):
    words = ["--histories", "20000", "--json", "--gy-kg-per-gbq", "50", "--gamma-threshold", "0.5"]
    argv = ["compare", *water_block(tmp_path), *words, "-o", tmp_path / "out"]
    assert main([str(word) for word in argv]) == 0
    summary = json.loads(capsys.readouterr().out)
    figures = next(iter(summary["methods"]["local-deposition"]["structures"].values()))
    assert figures["mean_gy"] == pytest.approx(50.0 / (0.93 + 0.10 * 98.0 / 112.0), rel=1e-5)  # 1 MBq/mL of water
    assert summary["comparisons"]["local-deposition"]["threshold"] == 0.5


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--ct", "x"], "--activity must be given, or --demo for the phantom"),
        ([], "--activity and --ct must be given"),
        (["--demo", "--ct", "x"], "--demo stands instead of images, got --ct x"),
        (["--demo", "--gamma", "0", "1"], "must be a positive number, got '0'"),
        (["--demo", "--gamma", "3"], "expected 2 arguments"),
        (["--demo", "--gamma-threshold", "1"], "must be a fraction between 0 and 1, got '1'"),
        (["--demo", "--gy-kg-per-gbq", "-1"], "must be a positive number, got '-1'"),
        (["--demo", "--kernel-medium", "jelly"], "medium must be one of water"),
        (["--demo", "--nuclide", "Xx-1"], "nuclide must be one of Ac-225, "),
        (["--demo", "--method", "local-deposition"], "unrecognized arguments"),
    ],
)
def test_bad_input_ends_in_one_line(tmp_path, capsys, words, says):
    code = main(["compare", *words, "-o", str(tmp_path / "out")])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert says in err
    assert err.startswith("mcdose: error: ")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_results_are_not_replaced_unless_told(compared, tmp_path, capsys):
    (tmp_path / "summary.json").write_text("kept")
    assert main(["compare", "--demo", "-o", str(tmp_path)]) == 2
    assert "summary.json: exists already" in capsys.readouterr().err
    assert (tmp_path / "summary.json").read_text() == "kept"


def test_nothing_of_another_command_stays_beside(tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["demo", "--method", "local-deposition", "-o", out]) == 0
    assert main(["compare", "--demo", "--histories", "20000", "-o", out]) == 2
    assert "exists already" in capsys.readouterr().err
    assert main(["compare", "--demo", "--histories", "20000", "--overwrite", "-o", out]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(COMPARISON)


def test_no_dose_to_compare_with(tmp_path, capsys):
    """One history that leaves everything in air: the user's input, not a defect."""
    hu = np.full((4, 4, 12), -1000.0)
    hu[:, :, -1] = 0.0
    activity = np.zeros(hu.shape)
    activity[:, :, 0] = 1e6
    words = ["--activity", nifti(tmp_path / "a.nii.gz", activity, (90.0, 90.0, 900.0))]
    words += ["--ct", nifti(tmp_path / "ct.nii.gz", hu, (90.0, 90.0, 900.0))]
    argv = ["compare", *words, "--histories", "1", "-o", tmp_path / "out"]
    assert main([str(word) for word in argv]) == 2
    err = capsys.readouterr().err
    assert "Monte Carlo must leave a dose somewhere to compare with, got 0 Gy in every voxel after 1 histories" in err
    assert not (tmp_path / "out").exists()


def test_notes_are_those_of_the_nuclide():
    """Figures of Y-90 in the lungs, and of the blur of PET beside its electrons, stand beside Y-90 alone."""
    case = demo_case()
    parts = {"lungs": case.structures["lungs"]}
    (_, yttrium), (_, iodine) = (notes(case, parts, name) for name in ("Y-90", "I-131"))
    assert "electrons of Y-90 reach four times as far" in yttrium
    assert iodine.startswith("lungs: mean density 0.26 g/cm3. No kernel of a uniform medium is right there, neither")
    assert notes(replace(case, origin={}), parts, "Y-90")[0] == BLUR_NOTE
    assert notes(replace(case, origin={}), parts, "I-131")[0] == NOISE_NOTE
