"""The activity for a dose by the figures of a dose map: straight lines, earlier sessions, and which limit binds."""

import json
import math

import numpy as np
import pytest

from mcdose import sirt
from mcdose.cli import main
from mcdose.sirt.limit import Limit

MEANS = {"tumour_gy": {"a": 200.0, "b": 100.0}, "normal_liver_gy": {"normal liver": 40.0}, "lung_gy": {"lungs": 10.0}}


def limit(quantity, comparison, value, role="constraint"):
    return Limit(quantity, comparison, value, "any", "any", "any", role, "low", "x", True)


NTAD, LUNG = limit("normal_liver_gy", "<=", 75.0), limit("lung_gy", "<=", 30.0)
NTAD_ALL, LUNG_ALL = limit("normal_liver_cumulative_gy", "<=", 75.0), limit("lung_cumulative_gy", "<=", 50.0)


def test_the_tumour_that_gets_least_decides():
    """2 GBq give 100 Gy to b, 50 Gy/GBq: 150 Gy need 3 GBq, and a gets 300 Gy then."""
    found = sirt.solve_voxels(MEANS, 2.0, 150.0, (NTAD, LUNG))
    assert (found.wanted_gbq, found.target_subject, found.factor) == (pytest.approx(3.0), "b", pytest.approx(1.5))
    assert found.doses_gy["tumour_gy"] == {"a": pytest.approx(300.0), "b": pytest.approx(150.0)}
    assert found.doses_gy["normal_liver_gy"] == {"normal liver": pytest.approx(60.0)}
    assert sirt.solve_voxels(MEANS, 2.0, 150.0, (), subject="a").wanted_gbq == pytest.approx(1.5)
    assert sirt.solve_voxels(MEANS, 2.0, 150.0, ()).allowed_gbq == math.inf


@pytest.mark.parametrize(
    ("limits", "earlier", "allowed", "binds"),
    [
        # 20 Gy/GBq to the normal liver, 5 Gy/GBq to the lungs
        ((NTAD, LUNG), {}, 3.75, "normal_liver_gy <= 75 Gy"),
        ((NTAD, limit("lung_gy", "<=", 15.0)), {}, 3.0, "lung_gy <= 15 Gy"),
        # those of a session do not know what came before, those of all do
        ((NTAD, LUNG), {"normal liver": 30.0, "lungs": 40.0}, 3.75, "normal_liver_gy <= 75 Gy"),
        ((NTAD, NTAD_ALL), {"normal liver": 30.0}, 2.25, "normal_liver_cumulative_gy <= 75 Gy"),
        ((NTAD, LUNG_ALL), {"lungs": 40.0}, 2.0, "lung_cumulative_gy <= 50 Gy"),
        ((limit("tumour_gy", "<=", 400.0),), {"a": 150.0}, 2.5, "tumour_gy <= 400 Gy"),
    ],
)
def test_which_limit_binds_with_what_came_before(limits, earlier, allowed, binds):
    found = sirt.solve_voxels(MEANS, 2.0, 150.0, limits, earlier_gy=earlier)
    assert found.allowed_gbq == pytest.approx(allowed)
    assert str(found.binding.limit) == binds
    assert found.activity_gbq == pytest.approx(min(found.wanted_gbq, allowed))
    assert found.feasible == (found.wanted_gbq <= allowed)
    subject = found.binding.subject
    if found.activity_gbq == found.allowed_gbq:
        assert found.doses_gy[found.binding.limit.quantity][subject] == pytest.approx(found.binding.limit.value)


def test_earlier_doses_to_tumours_count_towards_the_target():
    """b had 60 Gy: 90 Gy are left, 1.8 GBq; a had 140 Gy: 10 Gy at 100 Gy/GBq."""
    found = sirt.solve_voxels(MEANS, 2.0, 150.0, (), earlier_gy={"a": 140.0, "b": 60.0})
    assert (found.wanted_gbq, found.target_subject) == (pytest.approx(1.8), "b")
    assert found.doses_gy["tumour_gy"]["a"] == pytest.approx(140.0 + 180.0)
    assert sirt.solve_voxels(MEANS, 2.0, 150.0, (), earlier_gy={"a": 160.0, "b": 155.0}).wanted_gbq == 0.0


def test_a_limit_that_is_broken_before_allows_nothing():
    found = sirt.solve_voxels(MEANS, 2.0, 150.0, (LUNG_ALL,), earlier_gy={"lungs": 55.0})
    assert (found.activity_gbq, found.feasible, found.binding.activity_gbq) == (0.0, False, None)


def test_it_is_the_compartments_solution_for_figures_of_compartments():
    """A plan's own doses as means of a map, with its first session as earlier doses, give the activity of `solve`."""
    plan = sirt.Plan(
        1.5,
        (sirt.Territory("right", 0.9, (sirt.Tumour("t", 0.1, 4.0),)), sirt.Territory("left", 0.6)),
        (sirt.Injection("right", 1.5, lung_shunt=0.1), sirt.Injection("right", 1.0, session=2, lung_shunt=0.1)),
        gy_kg_per_gbq=50.0,
    )
    limits = (NTAD_ALL, LUNG_ALL, NTAD, LUNG)
    first, second = sirt.plan_doses(plan).sessions
    means = {
        "tumour_gy": dict(second.tumours),
        "normal_liver_gy": {"normal liver": second.normal_liver_gy},
        "lung_gy": {"lungs": second.lung_gy},
    }
    earlier = {**first.tumours, "normal liver": first.normal_liver_gy, "lungs": first.lung_gy}
    for target in (100.0, 400.0, 900.0):
        by_plan = sirt.solve(plan, target, limits, session=2)
        by_map = sirt.solve_voxels(means, 1.0, target, limits, earlier_gy=earlier)
        for name in ("wanted_gbq", "allowed_gbq", "activity_gbq"):
            assert getattr(by_map, name) == pytest.approx(getattr(by_plan, name), rel=1e-12)
        assert by_map.binding.limit == by_plan.binding.limit
        assert by_map.feasible == by_plan.feasible


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"target_gy": 0.0}, "target_gy must be above 0"),
        ({"activity_gbq": 0.0}, "activity_gbq must be above 0"),
        ({"quantity": "lung_gy"}, "quantity must be one of tumour_gy, normal_liver_gy; got 'lung_gy'"),
        ({"quantity": "perfused_gy"}, "quantity must be one of tumour_gy, normal_liver_gy; got 'perfused_gy'"),
        ({"subject": "c"}, "tumour_gy must be of one of a, b; got 'c'"),
        ({"earlier_gy": {"spleen": 3.0}}, "earlier doses must be of a, b, lungs, normal liver; got 'spleen'"),
        ({"earlier_gy": {"a": -3.0}}, "earlier dose of a must be at least 0"),
        ({"means_gy": {"tumour_gy": {"a": 0.0}}}, "a has no dose in the map"),
    ],
)
def test_what_cannot_be_solved(choices, message):
    given = {"means_gy": MEANS, "activity_gbq": 2.0, "target_gy": 150.0, "limits": (), **choices}
    with pytest.raises(ValueError, match=message):
        sirt.solve_voxels(**given)


# --- from the command line, on the phantom: 2 GBq, local deposition, 219.8 and 54.54 and 4.965 Gy


@pytest.fixture
def figures(capsys):
    def command(*words):
        choices = ("plan", "voxel", "--demo", "--method", "local-deposition", *map(str, words), "--json")
        assert main(list(choices)) == 0
        return json.loads(capsys.readouterr().out)

    return command


LOBE = ("--spheres", "glass", "--disease", "HCC", "--scenario", "lobectomy")


def test_the_phantom_s_activity_for_a_dose(figures):
    found = figures("--tumour-dose-gy", 205, *LOBE)
    mean = {one["name"]: one["voxel"]["mean_gy"] for one in found["tissues"]}
    solution = found["solution"]
    assert solution["image_gbq"] == pytest.approx(2.0, rel=1e-9)
    least = min(mean["tumour 1"], mean["tumour 2"])
    assert solution["wanted_gbq"] == pytest.approx(2.0 * 205.0 / least, rel=1e-9)
    assert solution["allowed_gbq"] == pytest.approx(2.0 * 75.0 / mean["normal liver"], rel=1e-9)
    assert solution["binding"]["limit"]["quantity"] == "normal_liver_gy"
    assert solution["feasible"]
    assert solution["doses"]["lung_gy"]["lungs"] == pytest.approx(mean["lungs"] * 205.0 / least, rel=1e-9)
    assert figures()["solution"] is None
    normal = figures("--normal-dose-gy", 40, *LOBE)["solution"]
    assert normal["wanted_gbq"] == pytest.approx(2.0 * 40.0 / mean["normal liver"], rel=1e-9)


def test_earlier_sessions_by_name_and_by_folder(figures, tmp_path, capsys):
    """The folder of a first session of the same phantom: all figures of it count once, named ones on top."""
    assert main(["demo", "--method", "local-deposition", "-o", str(tmp_path / "first")]) == 0
    capsys.readouterr()
    plain = figures("--tumour-dose-gy", 500, *LOBE)
    mean = {one["name"]: one["voxel"]["mean_gy"] for one in plain["tissues"]}
    found = figures("--tumour-dose-gy", 500, *LOBE, "--earlier", tmp_path / "first", "--earlier-gy", "lungs=30")
    earlier = found["solution"]["earlier_gy"]
    assert earlier["lungs"] == pytest.approx(mean["lungs"] + 30.0, rel=1e-5)
    assert earlier["normal liver"] == pytest.approx(mean["normal liver"], rel=1e-3)  # by volumes and means
    assert earlier["tumour 1"] == pytest.approx(mean["tumour 1"], rel=1e-5)
    least = min(mean["tumour 1"], mean["tumour 2"])
    assert found["solution"]["wanted_gbq"] == pytest.approx(2.0 * (500.0 / least - 1.0), rel=1e-5)
    bounds = {one["limit"]["quantity"]: one["activity_gbq"] for one in found["solution"]["bounds"]}
    assert bounds["lung_cumulative_gy"] == pytest.approx(2.0 * (50.0 - earlier["lungs"]) / mean["lungs"], rel=1e-5)
    assert found["solution"]["feasible"]  # 2.55 of at most 2.75 GBq, by the normal liver of this session
    more = figures("--tumour-dose-gy", 600, *LOBE, "--earlier", tmp_path / "first")["solution"]
    assert (more["feasible"], more["activity_gbq"]) == (False, more["allowed_gbq"])


def test_recovery_of_each_lesion_in_the_budget(figures):
    """14.6 and 4.3 mL at 7 mm: each its own recovery, dose over it and uncertainty, as of the library."""
    words = ("--image-fwhm-mm", 7, "--drawn-voxel-mm", 1, "--drawn-fwhm-mm", 0, "--term", "partial_volume=0.04")
    found = {one["name"]: one for one in figures(*words)["tissues"]}
    around = found["normal liver"]["voxel"]["mean_gy"]
    for name in ("tumour 1", "tumour 2"):
        one = found[name]
        diameter = (6000.0 * one["voxel"]["volume_ml"] / math.pi) ** (1.0 / 3.0)
        recovery = sirt.sphere_recovery(diameter, 7.0)
        assert one["recovery"]["value"] == pytest.approx(recovery.value, rel=1e-9)
        dose = around + (one["voxel"]["mean_gy"] - around) / recovery.value
        assert one["recovered_gy"] == pytest.approx(dose, rel=1e-9)
        net = (recovery.counts_slope - recovery.slope - 1.0) * sirt.volume_uncertainty(diameter, 1.0, 0.0)
        others = np.array([0.0, 0.05, 0.04, 0.005, 0.006])
        expected = math.sqrt((net * (dose - around) / dose) ** 2 + (others**2).sum())
        assert one["relative_uncertainty"] == pytest.approx(expected, rel=1e-9)
    assert "recovery" not in found["normal liver"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--tumour-dose-gy", 0), "must be a number above 0, got '0'"),
        (("--tumour-dose-gy", 100, "--normal-dose-gy", 40), "not allowed with argument"),
        (("--earlier", "none", "--earlier-gy", "lungs=3"), "--earlier none cannot go with --earlier-gy"),
        (("--tumour-dose-gy", 100, "--earlier-gy", "lungs"), "must be NAME=GY, such as lungs=12, got 'lungs'"),
        (("--tumour-dose-gy", 100, "--earlier-gy", "spleen=3"), "earlier doses must be of"),
        (("--tumour-dose-gy", 100, "--earlier", "nothing"), "summary.json: cannot be read"),
        (("--earlier", "nothing", "some/../nothing"), "--earlier names nothing twice"),
        (("--image-fwhm-mm", 7), "--image-fwhm-mm, --drawn-voxel-mm and --drawn-fwhm-mm go together"),
    ],
)
def test_mistakes_end_with_2_and_one_line(capsys, words, message):
    code = main(["plan", "voxel", "--demo", "--method", "local-deposition", *map(str, words)])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_earlier_results_must_have_the_structures(tmp_path, capsys):
    for content, message in (
        (
            '{"nuclide": "Y-90", "structures": {"liver": {"volume_ml": 1, "mean_gy": 2}}}',
            "structures with a dose must include 'tumour 1'",
        ),
        ('{"nuclide": "Y-90", "structures": 3}', "is not the summary of `mcdose dose`"),
        ("{", "is not the summary of a run"),
        ("[" * 100_000, "is not the summary of a run"),
        ('{"nuclide": "Y-90", "inputs": null}', "its inputs are no table"),
        ('{"nuclide": "Y-90", "inputs": {"time_points": [3]}}', "its inputs are no table"),
    ):
        (tmp_path / "summary.json").write_text(content)
        words = ("--tumour-dose-gy", "100", "--earlier", str(tmp_path))
        assert main(["plan", "voxel", "--demo", "--method", "local-deposition", *words]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1


def test_lesions_lost_in_the_blur_say_so_beside_the_others(capsys):
    drawn = ["--image-fwhm-mm", "900", "--drawn-voxel-mm", "1", "--drawn-fwhm-mm", "0"]
    assert main(["plan", "voxel", "--demo", "--method", "local-deposition", *drawn]) == 0
    assert "tumour 1: no dose without the blur: diameter_mm must be at least" in capsys.readouterr().out
