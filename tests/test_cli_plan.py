"""`mcdose plan`: what it prints, what it refuses, and the examples of docs/sirt.md."""

import re
from pathlib import Path

import pytest
from plans import figures_by, runner

import mcdose
from mcdose import sirt
from mcdose.sirt.plan_file import load_plan

DOC = (Path(__file__).parents[1] / "docs" / "sirt.md").read_text(encoding="utf-8")
SCD = ("scd", "--perfused-ml", "800", "--lung-shunt", "0.05", "--residual", "0.01", "--gy-kg-per-gbq", "49.67")
MCD = ("mcd", "--liver-ml", "1600", "--perfused-ml", "900", "--tumour-ml", "120", "30", "--tn-ratio", "4", "3")

LESION = ("--diameter-mm", "30", "--voxel-mm", "2", "--fwhm-mm", "0", "--image-fwhm-mm", "7")
BSA = ("bsa", "--height-cm", 170, "--weight-kg", 70, "--liver-ml", 1500, "--tumour-ml", 150)


@pytest.fixture
def run(capsys):
    return runner(capsys)


@pytest.fixture
def figures(run):
    return figures_by(run)


def example(start):
    return next(text for text in re.findall(r"```toml\n(.*?)```", DOC, re.DOTALL) if text.startswith(start))


def test_single_compartment(run, figures):
    """As in test_sirt_compartments: 2.116681 GBq, then 120 Gy; lungs 49.67 x 2.116681 x 0.99 x 0.05 = 5.2042 Gy."""
    found = figures(*SCD, "--dose-gy", 120)
    assert found["activity_gbq"] == pytest.approx(2.116681, abs=1e-6)
    assert found["lung_gy"] == pytest.approx(5.2042, abs=1e-4)
    back = figures(*SCD, "--activity-gbq", found["activity_gbq"])
    assert back["perfused_gy"] == pytest.approx(120.0, rel=1e-12)
    code, out, err = run(*SCD, "--dose-gy", 120)
    assert (code, err) == (0, "")
    assert "activity at injection        2.117 GBq" in out
    assert "do not prescribe" in out


def test_spheres_bring_their_constant_their_number_and_their_limits(figures):
    holmium = figures("scd", "--perfused-ml", 1000, "--dose-gy", 60, "--spheres", "holmium", "--disease", "mCRC")
    assert holmium["gy_kg_per_gbq"] == 15.87
    assert holmium["activity_gbq"] == pytest.approx(60.0 * 1.03 / 15.87)
    assert any(entry["citation"].endswith("table 4") for entry in holmium["limits"])
    glass = figures(*SCD, "--dose-gy", 120, "--spheres", "glass", "--hours", 64.1)
    delivery = glass["delivery"]
    assert delivery["calibration_gbq"] == pytest.approx(2.0 * glass["activity_gbq"])
    assert delivery["spheres"] == pytest.approx(delivery["calibration_gbq"] * 1e9 / 2500.0)


def test_several_compartments(figures, tmp_path):
    svg = tmp_path / "doses.svg"
    choices = ("--spheres", "glass", "--disease", "HCC", "--scenario", "lobectomy", "--lung-shunt", 0.06)
    found = figures(*MCD, "--tumour-dose-gy", 205, *choices, "--svg", svg)
    (session,) = found["sessions"]
    assert session["tumours"]["tumour 2"] == pytest.approx(205.0)
    assert session["tumours"]["tumour 1"] == pytest.approx(205.0 * 4.0 / 3.0)
    assert found["solution"]["feasible"]
    assert found["solution"]["binding"]["limit"]["quantity"] == "normal_liver_gy"
    assert found["files"] == [str(svg)]
    assert "<svg" in svg.read_text(encoding="utf-8")
    assert len(found["table"]) == 11
    back = figures(*MCD, "--activity-gbq", found["solution"]["activity_gbq"], *choices)
    assert back["solution"] is None
    assert back["sessions"][0]["tumours"] == pytest.approx(session["tumours"])


def test_a_target_beyond_the_limits_says_so(run):
    code, out, _ = run(
        *MCD, "--tumour-dose-gy", 2000, "--spheres", "glass", "--disease", "HCC", "--scenario", "lobectomy"
    )
    assert code == 0
    assert "the target cannot be reached within the limits" in out
    assert "normal_liver_gy <= 75 Gy (session 1) allows at most" in out


def test_plan_file_of_the_documentation(figures, run, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(example("liver_ml"), encoding="utf-8")
    file = load_plan(path)
    assert (file.session_to_solve, file.spheres, file.context, file.scenario) == (2, "glass", "mNET", "bilobar")
    found = figures("mcd", "--plan", path, "--tumour-dose-gy", 150)
    assert found["session"] == 2
    assert found["cumulative"]["tumours"]["T3"] == pytest.approx(150.0)
    # right lobe: k x 2 x 0.99 x 0.96 over 1.03 (0.85 + 0.48 + 0.09) kg, times 4
    k = mcdose.nuclide("Y-90").gy_kg_per_gbq
    assert found["sessions"][0]["tumours"]["T1"] == pytest.approx(4 * k * 2 * 0.99 * 0.96 / (1.03 * 1.42))
    code, out, _ = run("mcd", "--plan", path, "--tumour-dose-gy", 150)
    assert code == 0
    assert "together" in out


def test_what_an_earlier_session_gave_binds_by_name(figures, run, tmp_path):
    """Session 1, 20 GBq x 0.99 x 0.04, gives the lungs k x 0.792 = 39.4 Gy: of 50 Gy in all 10.6 Gy are left.

    The second session gives k x 0.05 a GBq, 2.4869 Gy, so that 4.2658 GBq are allowed, and 30 Gy of its own would
    allow 12.06 GBq. 150 Gy to T3 need k A 0.95 x 3.5 / (1.03 (0.46 + 0.14)): 0.5605 GBq.
    """
    path = tmp_path / "plan.toml"
    text = example("liver_ml").replace("activity_gbq = 2.0", "activity_gbq = 20.0").replace('"mNET"', '"any"')
    path.write_text(text.replace('scenario = "bilobar"\n', ""), encoding="utf-8")
    k = mcdose.nuclide("Y-90").gy_kg_per_gbq
    allowed = (50.0 - k * 20.0 * 0.99 * 0.04) / (k * 0.05)
    found = figures("mcd", "--plan", path, "--tumour-dose-gy", 150)["solution"]
    assert found["wanted_gbq"] == pytest.approx(150.0 * 1.03 * 0.6 / (k * 0.95 * 3.5))
    assert found["wanted_gbq"] == pytest.approx(0.5605, abs=1e-4)
    assert found["allowed_gbq"] == pytest.approx(allowed)
    assert allowed == pytest.approx(4.266, abs=1e-3)
    assert (found["binding"]["limit"]["quantity"], found["binding"]["subject"]) == (
        "lung_cumulative_gy",
        "all sessions",
    )
    code, out, _ = run("mcd", "--plan", path, "--tumour-dose-gy", 1500)
    assert code == 0
    assert "lung_cumulative_gy <= 50 Gy (all sessions) allows at most 4.266 GBq" in out
    assert "the target cannot be reached within the limits" in out


def test_limits_file_of_the_documentation(tmp_path, figures):
    path = tmp_path / "limits.toml"
    path.write_text(example("[[limit]]"), encoding="utf-8")
    found = figures("limits", "--limits", path)
    assert [entry["value"] for entry in found["limits"]] == [60.0]
    assert figures("limits", "--limits", path, "--disease", "HCC")["limits"] == []


def test_python_example_of_the_documentation(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    exec(compile(code, "sirt.md", "exec"), {})
    activity, rest = capsys.readouterr().out.split(" ", 1)
    assert float(activity) > 0.0
    assert rest.startswith("normal_liver_gy <= 75 Gy")


def test_commands_of_the_documentation_are_understood():
    from mcdose.cli import parser

    (block,) = re.findall(r"```sh\n(mcdose plan.*?)```", DOC, re.DOTALL)
    commands = [line.split() for line in block.replace("\\\n", " ").splitlines()]
    assert len(commands) == 11
    for words in commands:
        assert callable(parser().parse_args(words[1:]).run)


def test_rules_limits_devices_and_uncertainty(figures, run):
    found = figures("bsa", "--height-cm", 170, "--weight-kg", 70, "--liver-ml", 1500, "--tumour-ml", 150)
    assert found["body_surface_gbq"] == pytest.approx(0.20247 * 1.7**0.725 * 70**0.425 - 0.2 + 0.1, rel=2e-4)
    assert found["empirical_gbq"] == 2.0
    assert figures("holmium", "--liver-ml", 1500)["activity_gbq"] == pytest.approx(1.5 * 1.03 * 3.781)
    assert len(figures("limits")["limits"]) == len(sirt.load_limits())
    assert [one["name"] for one in figures("devices")["devices"]] == ["glass", "holmium", "resin"]
    vial = figures("devices", "--spheres", "glass", "--calibration-gbq", 3)["delivery"]
    assert vial["spheres"] == pytest.approx(1.2e6)
    budget = figures("uncertainty", "--term", "volume=0.5", "--dose-gy", 100)
    assert 50.0 < budget["standard_uncertainty_gy"] < 53.0
    drawn = figures("uncertainty", "--diameter-mm", 30, "--voxel-mm", 6, "--fwhm-mm", 0)
    assert {t["name"]: t["relative"] for t in drawn["terms"]}["volume"] == pytest.approx(0.1 * 6**0.5)
    for kind in ("limits", "devices", "uncertainty"):
        code, out, _ = run(kind)
        assert code == 0
        assert "do not prescribe" in out


def test_uncertainty_of_a_lesion_with_its_recovery(figures, run):
    """6 mm voxels on 30 mm: u(V)/V = 0.244949, as in test_sirt_lesion; R = 1 / (1 + 2 / 14.1372) = 0.876063."""
    drawn = ("uncertainty", "--diameter-mm", 30, "--voxel-mm", 6, "--fwhm-mm", 0, "--image-fwhm-mm", 7.5)
    found = figures(*drawn, "--recovery-curve", 2, 1, "--dose-gy", 100)
    assert found["recovery"]["value"] == pytest.approx(0.876063, abs=1e-6)
    assert found["recovered_gy"] == pytest.approx(100.0 / 0.876063, rel=1e-6)
    assert found["standard_uncertainty_gy"] == pytest.approx(found["relative"] * found["recovered_gy"])
    relative = {term["name"]: term["relative"] for term in found["terms"]}
    assert relative["volume_in_dose_factor"] == pytest.approx(0.244949, abs=1e-6)
    assert relative["volume_in_recovery"] == pytest.approx(0.244949 * (1.0 - 0.876063), abs=1e-6)
    squares = sum(value**2 for value in relative.values())
    assert found["relative"] ** 2 == pytest.approx(squares + 2 * sum(c["relative"] for c in found["covariances"]))
    code, out, _ = run(*drawn)
    assert code == 0
    assert "covariance of volume_in_counts and volume_in_recovery" in out
    assert "recovery coefficient 0.74" in out


def test_voxels_of_the_phantom(figures, run):
    choices = ("voxel", "--demo", "--method", "local-deposition", "--disease", "mNET", "--v-gy", 100)
    found = figures(*choices)
    assert [one["name"] for one in found["tissues"]] == ["tumour 1", "tumour 2", "normal liver", "liver", "lungs"]
    for one in found["tissues"]:
        assert one["difference"] == pytest.approx(0.0, abs=1e-3)
        assert one["standard_uncertainty_gy"] == pytest.approx(one["relative_uncertainty"] * one["voxel"]["mean_gy"])
    assert found["tissues"][0]["voxel"]["v"] == {"100": 1.0}
    code, out, _ = run(*choices)
    assert code == 0
    assert "V100 %" in out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("scd", "--perfused-ml", 0, "--dose-gy", 120), "--perfused-ml: must be a number above 0, got '0'"),
        (("scd", "--perfused-ml", 800), "--dose-gy --activity-gbq is required"),
        ((*SCD, "--dose-gy", 120, "--activity-gbq", 1), "not allowed with argument"),
        (("scd", "--perfused-ml", 8, "--dose-gy", 1, "--lung-shunt", 1.2), "--lung-shunt: must be a fraction from 0"),
        (
            ("scd", "--perfused-ml", 8, "--dose-gy", 1, "--lung-shunt", 0.6, "--extrahepatic", 0.5),
            "must leave something in the liver",
        ),
        (
            (
                "mcd",
                "--liver-ml",
                1600,
                "--perfused-ml",
                900,
                "--tumour-ml",
                1000,
                "--tn-ratio",
                4,
                "--activity-gbq",
                1,
            ),
            "tumours of perfused liver must lie in it",
        ),
        (
            ("mcd", "--liver-ml", 800, "--perfused-ml", 900, "--tumour-ml", 1, "--tn-ratio", 4, "--activity-gbq", 1),
            "must lie in the liver",
        ),
        (("mcd", "--liver-ml", 800, "--tumour-ml", 1, "--tn-ratio", 0.8, "--activity-gbq", 1), "must be at least 1"),
        (("mcd", "--liver-ml", 800, "--tumour-ml", 1, "--activity-gbq", 1), "--tn-ratio must be given, or --plan"),
        ((*MCD, "5", "--activity-gbq", 1), "--tn-ratio must be one ratio, or one for each of 2 tumours, got 3"),
        (MCD, "--tumour-dose-gy, --normal-dose-gy or activities must be given"),
        ((*MCD, "--activity-gbq", 1, "--svg", "x.png"), "--svg must be a file .svg, got x.png"),
        ((*MCD, "--activity-gbq", 1, "--svg", "/nowhere/x.svg"), "there is no folder"),
        ((*MCD, "--activity-gbq", 1, "--plan", "x.toml"), "cannot go together"),
        (("mcd", "--plan", "x.toml", "--spheres", "holmium"), "--plan has what --spheres says"),
        (("mcd", "--plan", "none.toml"), "none.toml: cannot be read"),
        (("limits", "--limits", "none.toml"), "none.toml: cannot be read"),
        (
            (*MCD, "--activity-gbq", 1, "--lung-shunt", 1.2),
            "must be a fraction from 0 to below 1 (0.05 for 5 %), got '1.2'",
        ),
        (
            (*MCD, "--activity-gbq", 1, "--lung-shunt", 5),
            "must be a fraction from 0 to below 1 (0.05 for 5 %), got '5'",
        ),
        ((*MCD, "--activity-gbq", 1, "--lung-shunt", -0.1), "must be a fraction from 0 to below 1"),
        (
            (
                "bsa",
                *("--height-cm", 170, "--weight-kg", 70, "--liver-ml", 1500, "--tumour-ml", 150, "--lung-shunt", 1.5),
            ),
            "must be a fraction from 0 to below 1",
        ),
        (
            (
                "bsa",
                *("--height-cm", 170, "--weight-kg", 70, "--liver-ml", 1500, "--tumour-ml", 150, "--lung-shunt", 0.2),
            ),
            "lung_shunt must be below 0.2 by the rules for resin",
        ),
        ((*MCD, "--activity-gbq", 1, "--lung-mass-kg", 0), "--lung-mass-kg: must be a number above 0, got '0'"),
        ((*MCD, "--activity-gbq", 1, "--density-g-ml", 0), "--density-g-ml: must be a number above 0, got '0'"),
        (("mcd", "--liver-ml", 0, "--tumour-ml", 1, "--tn-ratio", 4), "--liver-ml: must be a number above 0, got '0'"),
        (("mcd", "--liver-ml", 9, "--tumour-ml", 0, "--tn-ratio", 4), "--tumour-ml: must be a number above 0, got '0'"),
        (("mcd", "--liver-ml", 9, "--tumour-ml", 1, "--tn-ratio", 0), "--tn-ratio: must be a number above 0, got '0'"),
        (("holmium", "--liver-ml", 0), "--liver-ml: must be a number above 0, got '0'"),
        (("voxel", "--demo", "--tumours", "spine"), "lesion spine must lie in the liver, 50 % of it at least, got 0 %"),
        (("voxel", "--demo", "--lungs", "body"), "lungs body must lie outside liver, but they share 100 % of liver"),
        (("voxel", "--demo", "--gy-kg-per-gbq", 0), "must be a positive number, got '0'"),
        (
            ("bsa", "--height-cm", 170, "--weight-kg", 70, "--liver-ml", 1000, "--tumour-ml", 2000),
            "--tumour-ml must be at most what is treated",
        ),
        (("devices", "--activity-gbq", 3), "--spheres must be one of"),
        (("uncertainty", "--diameter-mm", 3), "go together"),
        (("uncertainty", "--term", "volume"), "must be NAME=F"),
        (("uncertainty", "--term", "volume=11"), "must be a fraction from 0 to 10 (0.08 for 8 %), got '11'"),
        (("uncertainty", "--term", "volume=0.1", "volume=0.2"), "--term volume must be given once, got 2 values"),
        (
            ("bsa", "--height-cm", 70, "--weight-kg", 170, "--liver-ml", 1500, "--tumour-ml", 150),
            "body mass index from 5 to 150 kg/m2, got 347: are they swapped?",
        ),
        (("uncertainty", "--image-fwhm-mm", 7), "--image-fwhm-mm needs --diameter-mm, --voxel-mm and --fwhm-mm"),
        (("uncertainty", "--recovery-curve", 2, 1), "--recovery-curve needs --image-fwhm-mm"),
        (
            (
                "uncertainty",
                *("--diameter-mm", 3, "--voxel-mm", 1, "--fwhm-mm", 0, "--image-fwhm-mm", 7, "--term", "volume=0.1"),
            ),
            "--term volume cannot go with --image-fwhm-mm",
        ),
        (
            ("uncertainty", "--diameter-mm", 30, "--voxel-mm", 2, "--fwhm-mm", 0, "--term", "volume=0.5"),
            "--term volume cannot go with --diameter-mm",
        ),
        (
            ("voxel", "--demo", "--method", "local-deposition", "--histories", 50),
            "--histories goes with --method monte-carlo, got --method local-deposition",
        ),
        (("voxel", "--demo", "--kernel-medium", "water"), "--kernel-medium goes with --method voxel-kernel"),
        (("voxel",), "--activity must be given, or --demo"),
        (("voxel", "--demo", "--ct", "x"), "--demo stands instead of images"),
        (("voxel", "--demo", "--liver", "spleen"), "structure must be one of liver"),
        ((), "required: KIND"),
    ],
)
def test_mistakes_end_with_2_and_one_line(run, argv, message):
    code, out, err = run(*argv)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("ml = 1000", "ml = 1200"), "territories and tumours must lie in the liver"),
        (("ratio = 4.0", "ratio = 0.5"), "ratio of T1 must be at least 1"),
        (("ml = 120", "ml = 0"), "ml of T1 must be above 0"),
        (("ml = 120", "ml = '120'"), "ml of T1 must be a number, got '120'"),
        (('territory = "left"', 'territory = "middle"'), "must be one of right, left; got 'middle'"),
        (("share = 1\n", ""), "injection 2: must have activity_gbq or share, got none"),
        (("session = 2", "session = 1"), "injections of session 1 must all have activity_gbq or all share"),
        (("activity_gbq = 2.0", "share = 1"), "one session can have shares and be solved for, got 1, 2"),
        (("session = 2", "session = 3"), "sessions must be numbered 1, 2, ... without a gap"),
        (('spheres = "glass"', 'spheres = "wax"'), "spheres must be one of glass, holmium, resin, any; got 'wax'"),
        (("liver_ml = 1600", "liver = 1600"), "missing: liver_ml"),
        (("liver_ml = 1600", 'liver_ml = 1600\nunperfused_tumour_ml = ""'), "unperfused_tumour_ml must be a number"),
        (("liver_ml = 1600", "liver_ml = 1600\nunperfused_tumour_ml = false"), "unperfused_tumour_ml must be a number"),
        (("lung_shunt = 0.04", "lung_shunt = 4"), "lung_shunt must be a fraction"),
    ],
)
def test_mistakes_in_a_plan_file(run, tmp_path, change, message):
    text = example("liver_ml")
    assert change[0] in text
    path = tmp_path / "plan.toml"
    path.write_text(text.replace(*change), encoding="utf-8")
    code, out, err = run("mcd", "--plan", path, "--tumour-dose-gy", 150)
    assert (code, out) == (2, "")
    assert message in err
    assert str(path) in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [("limits",), (*SCD, "--dose-gy", 120), (*MCD, "--activity-gbq", 1), ("voxel", "--demo"), ("lungs", "--demo")],
)
def test_limits_that_contradict_each_other_are_refused_everywhere(run, tmp_path, words):
    """A goal of at least 150 Gy and a constraint of at most 120 Gy on the same dose: no activity keeps to both."""
    first = example("[[limit]]").replace("normal_liver_gy", "tumour_gy").replace("value = 60", "value = 120")
    second = first.replace('comparison = "<="', 'comparison = ">="').replace('role = "constraint"', 'role = "goal"')
    path = tmp_path / "limits.toml"
    path.write_text(first + second.replace("value = 120", "value = 150"), encoding="utf-8")
    code, out, err = run(*words, "--limits", path)
    assert (code, out) == (2, "")
    assert "limits 2 and 1 contradict each other: tumour_gy >= 150 Gy" in err
    assert "tumour_gy <= 120 Gy" in err
    assert err.count("\n") == 1


def test_a_drawing_that_exists_is_kept(run, tmp_path):
    svg = tmp_path / "x.svg"
    svg.write_text("mine", encoding="utf-8")
    code, _, err = run(*MCD, "--activity-gbq", 1, "--svg", svg)
    assert (code, svg.read_text(encoding="utf-8")) == (2, "mine")
    assert "--overwrite replaces it" in err
    assert run(*MCD, "--activity-gbq", 1, "--svg", svg, "--overwrite")[0] == 0
    assert svg.read_text(encoding="utf-8").startswith("<svg")


def test_a_target_that_was_reached_before_needs_nothing(figures, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(example("liver_ml").replace('territory = "left"', 'territory = "right"'), encoding="utf-8")
    found = figures("mcd", "--plan", path, "--tumour-dose-gy", 10)
    assert (found["solution"]["wanted_gbq"], found["solution"]["feasible"], found["table"]) == (0.0, True, [])


def test_a_drawing_where_no_activity_is_left(figures, run, tmp_path):
    """200 GBq before give the lungs 394 Gy, and the drawing shows what more would do; none where nothing is needed."""
    path, svg = tmp_path / "plan.toml", tmp_path / "doses.svg"
    path.write_text(example("liver_ml").replace("activity_gbq = 2.0", "activity_gbq = 200.0"), encoding="utf-8")
    found = figures("mcd", "--plan", path, "--tumour-dose-gy", 150, "--svg", svg)
    assert found["solution"]["binding"]["broken_before"]
    assert found["solution"]["activity_gbq"] == 0.0
    wanted = found["solution"]["wanted_gbq"]
    assert found["table"][-1]["activity_gbq"] == pytest.approx(1.2 * wanted)
    assert found["table"][-1]["tumour_gy"] == pytest.approx(1.2 * 150.0)  # T3, the tumour that the session reaches
    assert "<svg" in svg.read_text(encoding="utf-8")
    path.write_text(example("liver_ml").replace('territory = "left"', 'territory = "right"'), encoding="utf-8")
    code, out, err = run("mcd", "--plan", path, "--tumour-dose-gy", 10, "--svg", tmp_path / "none.svg")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "--svg has nothing to draw: session 2 needs no activity" in err
    assert not (tmp_path / "none.svg").exists()


@pytest.mark.parametrize("more", [(), ("--json",)])
@pytest.mark.parametrize(
    "words",
    [
        ("scd", "--perfused-ml", "1", "--activity-gbq", "1e308"),
        ("scd", "--perfused-ml", "1e-318", "--activity-gbq", "1"),
        ("mcd", "--liver-ml", "1600", "--tumour-ml", "100", "--tn-ratio", "4", "--activity-gbq", "1e307"),
        ("mcd", "--liver-ml", "1e-305", "--tumour-ml", "1e-306", "--tn-ratio", "4", "--activity-gbq", "1e9"),
        ("devices", "--spheres", "glass", "--activity-gbq", "1e300"),
        ("uncertainty", *LESION, "--recovery-curve", "1e300", "5"),
        ("uncertainty", *LESION, "--dose-exponent", "1e200"),
        ("uncertainty", *LESION, "--dose-gy", "1.7e308"),
    ],
)
def test_figures_that_no_number_holds_are_refused(run, tmp_path, words, more):
    svg = ("--svg", tmp_path / "x.svg") if words[0] == "mcd" else ()
    code, out, err = run(*words, *svg, *more)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no number holds what follows from it" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("digits", [400, 5000])
def test_integers_that_no_number_holds_are_refused(run, tmp_path, digits):
    path = tmp_path / "plan.toml"
    for key in ("liver_ml = 1600", "activity_gbq = 2.0"):
        name = key.split()[0]
        path.write_text(example("liver_ml").replace(key, f"{name} = 1{'0' * digits}"), encoding="utf-8")
        code, out, err = run("mcd", "--plan", path, "--tumour-dose-gy", 150)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert str(path) in err
    path.write_text(example("[[limit]]").replace("value = 60", f"value = 1{'0' * digits}"), encoding="utf-8")
    code, out, err = run("limits", "--limits", path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert str(path) in err


def test_one_compartment_knows_of_no_other_session(figures):
    """A verdict over all sessions needs them, as of `mcdose plan lungs` and `voxel`."""
    assert {one["quantity"] for one in figures(*SCD, "--dose-gy", 120)["limits"]} == {"lung_gy"}


def test_the_terminal_says_what_is_shown_only_and_what_is_near(run, tmp_path):
    """205 Gy are no verdict on a threshold of 250 Gy; 56.5 Gy are within 15 % of 50 and of 60 Gy, and not of 80 Gy."""
    code, out, _ = run(*MCD, "--tumour-dose-gy", 205, "--spheres", "glass", "--disease", "HCC")
    assert code == 0
    (line,) = re.findall(r"tumour_gy >= 250 Gy +tumour 2 .*", out)
    assert line.split()[6:11] == ["205", "Gy", "not", "reached", "threshold"]
    assert "thresholds and references are shown only" in out
    path = tmp_path / "limits.toml"
    entry = example("[[limit]]").replace("normal_liver_gy", "perfused_gy").replace('"mCRC"', '"any"')
    entry = entry.replace('scenario = "bilobar"', 'scenario = "any"')
    path.write_text("".join(entry.replace("value = 60", f"value = {v}") for v in (50, 60, 80)), encoding="utf-8")
    code, out, _ = run("voxel", "--demo", "--method", "local-deposition", "--limits", path)
    assert code == 0
    met = dict(re.findall(r"perfused_gy <= (\d+) Gy +liver +[\d.]+ Gy +(.*?) +constraint", out))
    assert met == {"50": "NO, within u", "60": "yes, within u", "80": "yes"}
    assert "thresholds and references" not in out
