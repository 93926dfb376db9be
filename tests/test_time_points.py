"""Several images of one administration: read, held against each other, and through the command line."""

import json
import math
from datetime import datetime, timedelta

import numpy as np
import pydicom
import pytest
from images import ct_series, nm_image, pet_series, reference_images
from patients import nifti, water_block
from scipy.integrate import quad

from mcdose.case import read_case
from mcdose.cli import main
from mcdose.errors import InputError
from mcdose.io.activity import read_activity
from mcdose.nuclides import nuclide

HALF_LIFE_S = nuclide("Y-90").half_life_s
DECAY = math.log(2) / HALF_LIFE_S * 3600.0  # 1/h
ADMINISTERED = datetime(2024, 6, 3, 10)
VOXEL_ML = 3.0 * 4.0 * 5.0 / 1000.0
FRAME_H = 0.25
SHAPE = (4, 2, 3)
TRUTH = 1e6 * (1.0 + np.arange(24.0).reshape(SHAPE) % 7)  # Bq/mL retained at time 0
LOCAL = ("--method", "local-deposition")


def pet(folder, start_h, curve, truth=TRUTH, duration_h=FRAME_H, **attributes):
    """A PET of frames from `start_h` on that was not corrected for decay; `curve(t)` is what is left of `truth`."""
    starts = np.broadcast_to(start_h, len(truth))
    left = [
        quad(lambda t: curve(t) * math.exp(-DECAY * t), start, start + duration_h, epsrel=1e-12)[0] / duration_h
        for start in starts
    ]
    shown = truth * np.reshape(left, (-1, 1, 1))
    slopes = np.maximum(shown.reshape(len(truth), -1).max(axis=1), 1.0) / 32767
    frames = []
    for start in starts:
        moment = ADMINISTERED + timedelta(hours=float(start))
        frames.append((f"{moment:%Y%m%d}", f"{moment:%H%M%S.%f}", duration_h * 3600.0, None))
    stored = np.rint(shown / slopes[:, None, None])
    pet_series(folder, stored, slopes, frames, DecayCorrection="NONE", **attributes)
    return folder


@pytest.fixture
def patient(tmp_path):
    """CT of water around the PET, and labels: 1 is the first two slices, 2 the third, the fourth is in none."""
    labels = np.zeros(SHAPE)
    labels[:2], labels[2] = 1, 2
    ct_series(tmp_path / "ct", np.zeros((8, 16, 16)), (-10.0, -10.0, 8.0), (3.0, 2.0, 2.0))
    return {"ct": tmp_path / "ct", "structures": nifti(tmp_path / "l.nii.gz", labels, (3.0, 4.0, 5.0), (10, -6, -8))}


def dose(patient, points, folder, *more):
    images = [word for name, path in patient.items() for word in (f"--{name}", str(path))]
    return main(["dose", "--activity", *map(str, points), *images, *LOCAL, "-o", str(folder), *more])


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def decays(*phases):
    """Decays per Bq/mL of truth in a voxel."""
    return 3600.0 * VOXEL_ML * sum(a / (DECAY + k) for a, k in phases)


def exponential(k):
    return lambda t: math.exp(-k * t)


def test_the_time_of_a_point_is_the_mean_time_of_its_decays(tmp_path):
    day = read_activity(pet(tmp_path / "a", 20.0, exponential(0.0), duration_h=24.0), half_life_s=HALF_LIFE_S)
    over = [quad(lambda t, n=n: t**n * math.exp(-DECAY * t), 20.0, 44.0)[0] for n in (0, 1)]
    assert day.measured_h == pytest.approx(over[1] / over[0], rel=1e-9)
    assert day.measured_h < 32.0
    assert day.measured_span_h == 0.0
    short = read_activity(pet(tmp_path / "b", 20.0, exponential(0.0), duration_h=0.01), half_life_s=HALF_LIFE_S)
    assert short.measured_h == pytest.approx(20.005, abs=1e-6)
    beds = read_activity(pet(tmp_path / "c", [20, 20, 21, 21], exponential(0.0)), half_life_s=HALF_LIFE_S)
    sums = TRUTH.sum(axis=(1, 2)) * np.exp(-DECAY * np.array([20.0, 20.0, 21.0, 21.0]))
    assert beds.measured_h == pytest.approx(20.125 + sums[2:].sum() / sums.sum(), abs=1e-4)
    assert beds.measured_span_h == pytest.approx(1.0, rel=1e-6)


def test_one_exponential_by_voxel(patient, tmp_path, capsys):
    points = [pet(tmp_path / f"p{h}", h, exponential(0.02)) for h in (4.0, 24.0, 72.0)]
    assert dose(patient, points, tmp_path / "out", "--time-fit", "mono") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "activity over time: mono by voxel, points at 4.125, 24.12, 72.12 h" in out
    summary = summary_of(tmp_path / "out")
    assert summary["total_decays"] == pytest.approx(TRUTH.sum() * decays((1.0, 0.02)), rel=1e-4)
    inputs = summary["inputs"]
    assert inputs["activity"] == str(points[0])
    assert inputs["activity_bq"] is None  # what was administered cannot be told from what is left
    told = inputs["time_points"]
    assert [point["path"] for point in told["points"]] == [str(point) for point in points]
    assert list(told["regions"]) == ["label 1", "label 2", "outside the structures"]
    one = told["regions"]["label 1"]
    assert one["curve"] == "mono"
    assert one["effective_half_lives_h"] == [pytest.approx(math.log(2) / (DECAY + 0.02), rel=1e-3)]
    assert one["relative_uncertainty"] < 1e-3
    assert one["decays"] == pytest.approx(TRUTH[:2].sum() * decays((1.0, 0.02)), rel=1e-4)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for words in (
        "Activity over time",
        "3, at 4.125, 24.12, 72.12 h after administration",
        "one exponential, by voxel",
    ):
        assert words in page
    assert str(tmp_path) not in page


def test_one_exponential_by_structure(patient, tmp_path):
    rates = np.array([0.001, 0.001, 0.02, 0.05])
    points = []
    for h in (4.0, 24.0, 72.0):
        left = np.exp(-rates * (h + FRAME_H / 2))[:, None, None]
        points.append(pet(tmp_path / f"p{h}", h, exponential(0.0), truth=TRUTH * left))
    case = read_case(points, *patient.values(), time_fit="mono", fit_per="structure")
    wanted = sum(TRUTH[z].sum() * decays((1.0, k)) for z, k in enumerate(rates))
    assert case.tia_bq_s.sum() == pytest.approx(wanted, rel=2e-4)
    np.testing.assert_allclose(case.tia_bq_s[2], TRUTH[2] * decays((1.0, 0.02)), rtol=3e-4)
    np.testing.assert_allclose(case.activity_bq, TRUTH * VOXEL_ML * np.exp(-rates * 4.125)[:, None, None], rtol=1e-4)


@pytest.mark.parametrize("per", ["voxel", "structure"])
def test_two_exponentials_with_uptake(patient, tmp_path, capsys, per):
    def curve(t):
        return math.exp(-0.004 * t) - math.exp(-0.12 * t)

    points = [pet(tmp_path / f"p{h}", h, curve) for h in (2.0, 10.0, 30.0, 72.0, 140.0)]
    assert dose(patient, points, tmp_path / "out", "--time-fit", "bi", "--fit-per", per) == 0
    assert capsys.readouterr().err == ""
    summary = summary_of(tmp_path / "out")
    assert summary["total_decays"] == pytest.approx(TRUTH.sum() * decays((1.0, 0.004), (-1.0, 0.12)), rel=3e-4)
    slow, fast = summary["inputs"]["time_points"]["regions"]["label 2"]["effective_half_lives_h"]
    assert slow == pytest.approx(math.log(2) / (DECAY + 0.004), rel=2e-3)
    assert fast == pytest.approx(math.log(2) / (DECAY + 0.12), rel=1e-2)
    assert "(uptake)" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_microspheres_stay_and_points_that_disagree_are_told(patient, tmp_path, capsys):
    points = [pet(tmp_path / f"p{h}", h, exponential(0.0)) for h in (4.0, 40.0)]
    assert dose(patient, points, tmp_path / "out") == 0
    assert capsys.readouterr().err == ""
    summary = summary_of(tmp_path / "out")
    assert summary["total_decays"] == pytest.approx(TRUTH.sum() * decays((1.0, 0.0)), rel=1e-4)
    assert summary["inputs"]["activity_bq"] == pytest.approx(TRUTH.sum() * VOXEL_ML, rel=1e-4)
    residuals = summary["inputs"]["time_points"]["regions"]["label 1"]["residuals"]
    np.testing.assert_allclose(residuals, 0.0, atol=1e-4)
    low = pet(tmp_path / "low", 80.0, lambda t: 0.7)
    assert dose(patient, [*points, low], tmp_path / "more") == 0
    assert "label 1: the point at 80.12 h is -22 % off physical decay alone" in capsys.readouterr().err
    more = summary_of(tmp_path / "more")
    assert more["total_decays"] == pytest.approx(0.9 * summary["total_decays"], rel=1e-4)
    one = more["inputs"]["time_points"]["regions"]["label 1"]
    np.testing.assert_allclose(one["residuals"], [1 / 9, 1 / 9, -2 / 9], atol=1e-4)
    assert one["scatter"] == pytest.approx(math.sqrt(6 / 81 / 2), rel=1e-3)


def test_one_point_is_what_it_was(patient, tmp_path):
    image = pet(tmp_path / "p", 4.0, exponential(0.0))
    alone, listed = read_case(image, *patient.values()), read_case([image], *patient.values())
    assert alone.tia_bq_s is None
    assert listed.tia_bq_s is None
    assert alone.origin == listed.origin
    assert "time_points" not in alone.origin
    np.testing.assert_array_equal(alone.activity_bq, listed.activity_bq)


def test_compare_takes_several_points(patient, tmp_path):
    points = [str(pet(tmp_path / f"p{h}", h, exponential(0.02))) for h in (4.0, 72.0)]
    images = ["--ct", str(patient["ct"]), "--structures", str(patient["structures"])]
    words = ["compare", "--activity", *points, *images, "--time-fit", "mono", "--histories", "2000"]
    assert main([*words, "-o", str(tmp_path / "out")]) == 0
    assert summary_of(tmp_path / "out")["total_decays"] == pytest.approx(TRUTH.sum() * decays((1.0, 0.02)), rel=1e-4)
    assert "Activity over time" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def flat(folder, name, hours, scale=1.0, values=None, **where):
    path = nifti(folder / f"{name}.nii.gz", np.full((8, 10, 12), 1e6 * scale) if values is None else values, **where)
    if hours is not None:
        (folder / f"{name}.json").write_text(json.dumps({"unit": "Bq", "reference_time_h": hours}))
    return path


def test_side_cars_give_the_times(tmp_path):
    _, _, _, ct, _, structures = water_block(tmp_path)
    left = [math.exp(-(DECAY + 0.01) * hours) for hours in (10.0, 60.0)]
    points = [flat(tmp_path, f"p{n}", hours, left[n]) for n, hours in enumerate((10.0, 60.0))]
    case = read_case(points, ct, structures, time_fit="mono")
    np.testing.assert_allclose(case.tia_bq_s, 1e6 * 3600.0 / (DECAY + 0.01), rtol=1e-6)  # float32
    silent = flat(tmp_path, "silent", None)
    with pytest.raises(InputError, match=r"silent\.nii\.gz: the time of the scan .* reference_time_h in a side-car"):
        read_case([points[0], silent], ct, structures)


def test_points_on_another_grid_keep_their_activity(tmp_path):
    _, _, _, ct, _, structures = water_block(tmp_path)
    left = [math.exp(-DECAY * hours) for hours in (10.0, 60.0)]
    fine = flat(tmp_path, "fine", 10.0, left[0])
    halves = np.full((4, 10, 12), 2e6 * left[1])  # the same in slices of twice the height
    coarse = flat(tmp_path, "coarse", 60.0, values=halves, voxel_mm=(12.0, 5.0, 4.0), origin_mm=(3.0, 0.0, 0.0))
    case = read_case([fine, coarse], ct, structures)
    np.testing.assert_allclose(case.tia_bq_s, 1e6 * 3600.0 / DECAY, rtol=1e-6)
    assert case.grid.voxel_mm == (6.0, 5.0, 4.0)
    turned = read_case([coarse, fine], ct, structures)
    assert turned.grid.voxel_mm == (12.0, 5.0, 4.0)
    np.testing.assert_allclose(turned.tia_bq_s, 2e6 * 3600.0 / DECAY, rtol=1e-6)
    on_ct = read_case([coarse, fine], ct, structures, dose_grid="ct")
    np.testing.assert_allclose(on_ct.tia_bq_s, 1e6 * 3600.0 / DECAY, rtol=1e-6)
    part = flat(tmp_path, "part", 60.0, values=np.full((7, 10, 12), 1e6))
    for points in ([fine, part], [part, fine]):
        with pytest.raises(InputError, match=r"at most 1% of the activity of .*fine.* outside .*part.*, got 12\.50 %"):
            read_case(points, ct, structures)


def test_spect_with_a_sensitivity(patient, tmp_path):
    counts = np.full(SHAPE, 20_000)
    later = np.rint(counts * 0.25).astype(int)
    points = [
        nm_image(tmp_path / "a.dcm", counts, AcquisitionDate="20240604", AcquisitionTime="100000"),
        nm_image(tmp_path / "b.dcm", later, AcquisitionDate="20240606", AcquisitionTime="100000"),
    ]
    case = read_case(points, *patient.values(), sensitivity_cps_per_mbq=5.0, time_fit="mono")
    effective = math.log(4.0) / 48.0  # both acquisitions are of the same length, 1200 s
    mean = 24.0 + 1 / DECAY - (1 / 3) / math.expm1(DECAY / 3)
    first_bq = 20_000 / (1200.0 * 5.0) * 1e6
    within = DECAY / 3 / -math.expm1(-DECAY / 3) * math.exp(-DECAY * (mean - 24.0))  # of physical decay, 1 + 1e-7
    wanted = first_bq * within * math.exp(effective * mean) / effective * 3600.0
    np.testing.assert_allclose(case.tia_bq_s, wanted, rtol=1e-6)


def test_beds_far_apart_are_told(patient, tmp_path, capsys):
    points = [pet(tmp_path / "a", [4, 4, 6, 6], exponential(0.0)), pet(tmp_path / "b", 20.0, exponential(0.0))]
    assert dose(patient, points, tmp_path / "out") == 0
    assert "a: its slices were measured over 2 h and are taken to be at one time" in capsys.readouterr().err


def test_points_that_do_not_go_together_are_refused(patient, tmp_path):
    first = pet(tmp_path / "a", 4.0, exponential(0.0))
    at_once = pet(tmp_path / "b", 4.05, exponential(0.0))
    with pytest.raises(InputError, match=r"at least 0\.1 h apart: .*a is at 4\.125 h .*b at 4\.175 h"):
        read_case([first, at_once], *patient.values())
    drug = {"RadiopharmaceuticalStartDateTime": "20240603100130"}
    other = pet(tmp_path / "c", 30.0, exponential(0.0), drug=drug)
    with pytest.raises(InputError, match=r"of one administration, to 60 s: .*10:00:00 and .*10:01:30, 90 s apart"):
        read_case([first, other], *patient.values())
    elsewhere = pet(tmp_path / "d", 30.0, exponential(0.0), FrameOfReferenceUID="1.2.3.9")
    with pytest.raises(InputError, match=r"share a frame of reference, got 1\.2\.3\.2 and 1\.2\.3\.9"):
        read_case([first, elsewhere], *patient.values())
    untold = pet_series(
        tmp_path / "e", TRUTH / 1e3, np.ones(4), [("20240605", "100000", 900.0, None)] * 4, drug={"x": None}
    )
    with pytest.raises(InputError, match=r"e: the time of the scan after administration is needed"):
        read_case([first, untold[0].parent], *patient.values())
    hole = TRUTH * (np.arange(4) != 2)[:, None, None]
    empty = pet(tmp_path / "f", 40.0, exponential(0.0), truth=hole)
    with pytest.raises(InputError, match=r"f and 1 more time points: label 2: the reference point must have activity"):
        read_case([empty, first], *patient.values(), fit_per="structure")


@pytest.mark.parametrize(
    ("count", "words", "says"),
    [
        (1, ("--time-fit", "mono"), "--time-fit mono needs at least 2 time points (an amplitude and a rate), got 1"),
        (
            3,
            ("--time-fit", "bi"),
            "--time-fit bi needs at least 4 time points (two amplitudes and two rates; with three",
        ),
        (1, ("--fit-per", "structure"), "--fit-per structure needs several time points, got one"),
        (2, ("--fit-per", "organ"), "invalid choice: 'organ'"),
        (2, ("--administered-gbq", "2"), "--administered-gbq makes every image the same activity"),
    ],
)
def test_fits_that_cannot_be_made_end_in_one_line(patient, tmp_path, capsys, count, words, says):
    assert dose(patient, ["nowhere"] * count, tmp_path / "out", *words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_by_structure_needs_structures_and_the_phantom_has_no_points(tmp_path, capsys):
    words = ["dose", "--activity", "a", "b", "--ct", "c", "--fit-per", "structure", "-o", str(tmp_path / "out")]
    assert main(words) == 2
    assert "--fit-per structure needs --structures, got none" in capsys.readouterr().err
    assert main(["compare", "--demo", "--activity", "a", "b", "-o", str(tmp_path / "out")]) == 2
    assert "--demo stands instead of images, got --activity a b" in capsys.readouterr().err
    with pytest.raises(ValueError, match="time_fit must be one of physical, mono, bi, got 'tri'"):
        read_case(["a", "b"], "c", time_fit="tri")
    with pytest.raises(ValueError, match="fit_per structure needs structures, got none"):
        read_case(["a", "b"], "c", fit_per="structure")


def test_one_moment_under_three_corrections_is_one_point():
    folder = reference_images() / "liver-y90"
    points = [folder / f"PET_{name}" for name in ("ADMIN", "START", "NONE")]
    with pytest.raises(InputError, match=r"at least 0\.1 h apart: .*PET_.* is at (20\.\d+) h .*PET_.* at \1 h"):
        read_case(points, folder / "CT")


def test_reference_patient_with_clearance(tmp_path):
    """The real anatomy, and a second scan 48 h later from which biology has taken its part."""
    folder = reference_images() / "liver-y90"
    later = tmp_path / "later"
    later.mkdir()
    for path in (folder / "PET_NONE").iterdir():
        image = pydicom.dcmread(path)
        moment = datetime.strptime(image.AcquisitionDate + image.AcquisitionTime[:6], "%Y%m%d%H%M%S")
        moment += timedelta(hours=48)
        image.AcquisitionDate, image.AcquisitionTime = f"{moment:%Y%m%d}", f"{moment:%H%M%S}"
        slope = float(image.RescaleSlope) * math.exp(-48.0 * (DECAY + 0.01))
        image.RescaleSlope = f"{slope:.9g}"
        image.save_as(later / path.name)
    first = read_activity(folder / "PET_NONE", nuclide="Y-90", half_life_s=HALF_LIFE_S)
    wanted = first.total_bq * math.exp(0.01 * first.measured_h) / (DECAY + 0.01) * 3600.0
    for per in ("voxel", "structure"):
        case = read_case(
            [folder / "PET_NONE", later], folder / "CT", folder / "RTSTRUCT_semiauto.dcm", time_fit="mono", fit_per=per
        )
        assert case.tia_bq_s.sum() == pytest.approx(wanted, rel=1e-5)
        told = case.origin["time_points"]
        assert told["trapezoid_fraction"] < 1e-9
        for region in told["regions"].values():
            assert region["effective_half_lives_h"] == [pytest.approx(math.log(2) / (DECAY + 0.01), rel=1e-4)]
