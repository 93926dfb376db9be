"""The report of a radioembolization: complete, the same as summary.json, and whole on screen and on paper."""

import base64
import itertools
import json
import re
import subprocess
from dataclasses import replace
from html import unescape

import numpy as np
import pydicom
import pytest
from images import reference_images
from programs import needs_program
from reports import HOSTILE, Reader, made_up
from test_report_browser import SIZES, browser, load  # noqa: F401  the browser is a fixture

import mcdose
from mcdose import sirt
from mcdose.case import Case
from mcdose.cli import main
from mcdose.grid import Grid
from mcdose.report import lesion_pictures
from mcdose.report.contents import Layer
from mcdose.report.numbers import with_uncertainty
from mcdose.report.page import page
from mcdose.report.pictures import pictures
from mcdose.report.treatment import treatment_part

PAPERS = {"A4": (210.0, 297.0), "Letter": (215.9, 279.4)}  # mm
MARGIN_MM = 14.0
SECTIONS = (
    *("treatment", "tissues", "limits", "lesions", "compartments", "activity", "effect", "uncertainty"),
    "assumptions",
    *("doses", "images", "histograms", "making", "references"),
)
TABLES = ("tissues", "lungs", "limits", "compartments", "effect", "budget", "0")


def phantom(folder):
    assert main(["demo", "--histories", "200000", "-o", str(folder)]) == 0


def patient():
    data = reference_images() / "liver-y90"
    images = ["--activity", data / "PET_ADMIN", "--ct", data / "CT", "--structures", data / "RTSTRUCT_semiauto.dcm"]
    names = ["--liver", "Liver", "--tumours", "Lesion1", "Lesion2", "Lesion3", "--perfused", "Liver"]
    limits = ["--lungs", "Lungs_in_FOV", "--spheres", "resin", "--disease", "mCRC", "--scenario", "bilobar"]
    return [*images, *names, *limits]


def liver(folder):
    words = [*patient(), "--histories", "300000", "-o", folder]
    assert main(["plan", "voxel", *map(str, words)]) == 0


def course(folder):
    """Everything at once: a session before, doses that were stated, lesions as they were drawn, an activity wanted."""
    first = [*patient(), "--method", "local-deposition", "-o", folder.parent / "first"]
    assert main(["dose", *map(str, first)]) == 0
    before = ["--earlier", folder.parent / "first", "--earlier-gy", "Lungs_in_FOV=12", "normal liver=6", "Liver=6"]
    drawn = ["--image-fwhm-mm", "6", "--drawn-voxel-mm", "1", "--drawn-fwhm-mm", "1"]
    words = [*patient(), *before, *drawn, "--tumour-dose-gy", "300", "--histories", "300000", "-o", folder]
    assert main(["dose", *map(str, words)]) == 0


CASES = {"phantom": phantom, "liver": liver, "course": course}


@pytest.fixture(scope="module", params=CASES)
def folder(request, tmp_path_factory):
    made = tmp_path_factory.mktemp(request.param) / "out"
    CASES[request.param](made)
    return made


@pytest.fixture(scope="module")
def summary(folder):
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reader(folder):
    return Reader((folder / "report.html").read_text(encoding="utf-8"))


def table(html, name):
    """Cells of a table, row by row, without the heading."""
    (body,) = re.findall(rf'<caption id="table-{name}">.*?<tbody>\n(.*?)\n</tbody>', html, re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in body.split("\n")]


def test_summary_has_every_figure(summary):
    told = summary["sirt"]
    assert set(told) == {
        *("treatment", "tissues", "sessions", "limits", "solution", "effect", "budget", "lungs", "activity_curve"),
        *("assumptions", "notice"),
    }
    said = told["treatment"]
    kinds = [one["kind"] for one in told["tissues"]]
    assert kinds == ["lesion"] * len(said["tumours"]) + ["normal liver", "perfused volume", "lungs"]
    for one in told["tissues"]:
        assert 0.0 < one["voxel"]["d95_gy"] <= one["voxel"]["d50_gy"] or one["kind"] == "lungs"
        assert list(one["voxel"]["v"]) == ["50", "100", "150", "200"]
        assert one["standard_uncertainty_gy"] == pytest.approx(one["relative_uncertainty"] * one["voxel"]["mean_gy"])
        assert one["relative_uncertainty"] > one["noise"] > 0.0
        assert one["difference"] == pytest.approx(one["compartment_gy"] / one["voxel"]["mean_gy"] - 1.0)
    lesions = [one for one in told["tissues"] if one["kind"] == "lesion"]
    assert all(one["difference"] > 0.03 and one["retained"] < 0.97 for one in lesions)  # small and hot
    for one in told["tissues"]:  # the table of structures says the same
        assert summary["structures"][one["name"]]["mean_gy"] == pytest.approx(one["voxel"]["mean_gy"], rel=1e-6)
        assert summary["structures"][one["name"]]["d95_gy"] == pytest.approx(one["voxel"]["d95_gy"], rel=1e-6)
    assert said["activity_gbq"] == pytest.approx(summary["inputs"]["activity_bq"] * 1e-9)


def test_verdicts_follow_from_the_figures(summary):
    told = summary["sirt"]
    means = {one["name"]: one["voxel"]["mean_gy"] for one in told["tissues"]}
    assert ("not judged" in {one["verdict"] for one in told["limits"]}) is (told["sessions"] is None)
    for one in told["limits"]:
        if one["verdict"] == "not judged":
            assert one["reason"]
            continue
        earlier = one["earlier_gy"]
        assert one["figure"] == pytest.approx(means[one["subject"]] + earlier)
        good = one["figure"] >= one["value"] if one["comparison"] == ">=" else one["figure"] <= one["value"]
        assert one["met"] is good
        counts = one["role"] in ("constraint", "goal")
        assert one["verdict"] == (("met" if good else "not met") if counts else "shown only")
        scaled = means[one["subject"]] * one["activity_gbq"] / told["treatment"]["activity_gbq"]
        assert scaled == pytest.approx(max(one["value"] - earlier, 0.0))


def test_activity_curve_goes_through_the_figures(summary):
    told = summary["sirt"]
    row, activity = told["activity_curve"][-1], told["treatment"]["activity_gbq"]
    lesions = [one for one in told["tissues"] if one["kind"] == "lesion"]
    lowest = min(lesions, key=lambda one: one["voxel"]["mean_gy"] + (one["earlier_gy"] or 0.0))
    assert row["activity_gbq"] > activity
    own = lowest["voxel"]["mean_gy"] * row["activity_gbq"] / activity
    assert row["tumour_gy"] == pytest.approx(own + (lowest["earlier_gy"] or 0.0))
    assert told["lungs"]["shunt"] == pytest.approx(
        next(one["activity_gbq"] for one in told["tissues"] if one["kind"] == "lungs")
        / sum(one["activity_gbq"] for one in told["tissues"] if one["kind"] in ("lungs", "perfused volume"))
    )


def test_page_is_complete(folder, summary, reader):
    html, told = unescape((folder / "report.html").read_text(encoding="utf-8")), summary["sirt"]
    headings = [attributes["id"] for attributes, _ in reader.all("h2")]
    assert [name for name in headings if name in SECTIONS] == list(SECTIONS)
    assert sirt.NOTICE in html
    rows = {name: table(html, name) for name in TABLES}
    assert len(rows["tissues"]) == len(rows["compartments"]) == len(told["tissues"])
    for row, one in zip(rows["tissues"], told["tissues"], strict=True):
        assert row[0].startswith(one["name"])
        mean, u = (float(text) for text in row[2].split("\xa0±\xa0"))
        assert mean == pytest.approx(one["voxel"]["mean_gy"], abs=0.05 * one["standard_uncertainty_gy"])
        assert u == pytest.approx(one["standard_uncertainty_gy"], rel=0.06)
        assert float(row[4]) == pytest.approx(one["voxel"]["d95_gy"], rel=1e-3)
        assert float(row[-1]) == pytest.approx(100.0 * one["voxel"]["v"]["200"], abs=0.05)
    for row, one in zip(rows["compartments"], told["tissues"], strict=True):
        assert float(row[4]) == pytest.approx(one["compartment_gy"], rel=1e-3)
        assert one["why"] in html
    verdicts = " ".join(row[3] for row in rows["limits"])
    assert "✓ met" in verdicts
    assert ("? not judged" in verdicts) is (told["sessions"] is None)
    unchecked = [row[5] for row in rows["limits"] if "unchecked" in row[5]]
    assert bool(unchecked) == any(not one["checked"] for one in told["limits"])
    sources = dict.fromkeys(one["citation"] for one in told["limits"])
    assert rows["limits"][0][-1] == "[1]"
    for text in (*sources, *told["assumptions"]):
        assert text in html
    pictures = [
        attributes["alt"] for attributes, _ in reader.all("img") if "through the centre of" in attributes["alt"]
    ]
    for name in told["treatment"]["tumours"]:
        assert len([alt for alt in pictures if f"centre of {name}," in alt]) == 2
    assert html.count("<polyline") >= 3
    assert ("The grid cuts the lungs" in html) is bool(told["lungs"]["cut"])
    assert [row[0] for row in rows["budget"]][-1] == "Combined"
    assert any("assumed" in row[2] for row in rows["budget"])


def test_sessions_aim_and_lesions_are_on_the_page(folder, summary):
    """Where they were asked for, and nowhere else."""
    html, told = unescape((folder / "report.html").read_text(encoding="utf-8")), summary["sirt"]
    asked = folder.parent.name.startswith("course")
    assert all((f'"table-{name}"' in html) is asked for name in ("sessions", "solution", "recovery"))
    assert ("Covariances of a lesion" in html) is asked
    for row, one in zip(table(html, "effect"), told["effect"]["tissues"], strict=True):
        assert float(row[5]) == pytest.approx(one["mean_bed_gy"], rel=1e-3)
        assert float(row[6]) == pytest.approx(one["mean_eqd2_gy"], rel=1e-3)
    if not asked:
        return
    for row, one in zip(table(html, "sessions"), told["tissues"], strict=True):
        first, stated, own, together = (float(cell.split("\xa0")[0]) for cell in row[1:])
        assert together == pytest.approx(first + stated + own, rel=6e-3)
        assert one["together_gy"] == pytest.approx(first + stated + own, rel=1e-3)
    lungs = next(one for one in told["limits"] if one["quantity"] == "lung_cumulative_gy")
    assert (lungs["verdict"], lungs["earlier_gy"] > 12.0) == ("met", True)
    assert table(html, "solution")[0][1].startswith(f"{told['solution']['wanted_gbq']:.3f}")
    assert told["solution"]["binding"]["limit"]["quantity"] == "normal_perfused_gy"
    assert told["lungs"]["mass_kg"] == pytest.approx(0.444, abs=0.001)  # as `mcdose plan lungs`, 0.480 on the dose grid


@pytest.mark.parametrize("size", SIZES)
def test_nothing_overflows_on_screen(browser, folder, size):  # noqa: F811
    width, height = SIZES[size]
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    load(browser, folder / "report.html")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert beyond(browser) == []
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.mark.parametrize("paper", PAPERS)
def test_nothing_is_cut_on_paper(browser, folder, paper):  # noqa: F811
    """In the width that the margins leave, and in the PDF itself: every cell is there, and every word on its page."""
    wide, high = PAPERS[paper]
    inner = round((wide - 2.0 * MARGIN_MM) * 96.0 / 25.4)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    screen = {"width": inner, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        load(browser, folder / "report.html")
        assert beyond(browser, frames=True) == []
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    needs_program("pdftotext")
    margin = MARGIN_MM / 25.4
    size = {"paperWidth": wide / 25.4, "paperHeight": high / 25.4}
    margins = {f"margin{side}": margin for side in ("Top", "Bottom", "Left", "Right")}
    printed = browser.execute_cdp_cmd("Page.printToPDF", {**size, **margins, "printBackground": True})
    path = folder / f"{paper}.pdf"
    path.write_bytes(base64.b64decode(printed["data"]))
    boxes = subprocess.run(["pdftotext", "-bbox", path, "-"], check=True, capture_output=True, text=True).stdout
    pages = re.findall(r'<page width="([\d.]+)" height="([\d.]+)">(.*?)</page>', boxes, re.DOTALL)
    edge = MARGIN_MM * 72.0 / 25.4 - 2.0
    for width, height, words in pages:
        assert (float(width), float(height)) == pytest.approx((wide * 72 / 25.4, high * 72 / 25.4), abs=1.5)
        for box in re.findall(r'xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)"', words):
            left, top, right, bottom = map(float, box)
            assert left >= edge
            assert right <= float(width) - edge
            assert top >= edge - 2.0
            assert bottom <= float(height) - edge + 2.0
    text = subprocess.run(["pdftotext", path, "-"], check=True, capture_output=True, text=True).stdout
    printed_words = set(text.split())
    html = unescape((folder / "report.html").read_text(encoding="utf-8"))
    for name in TABLES:
        for row in table(html, name):
            missing = set(" ".join(row).split()) - printed_words
            assert not {word for word in missing if not re.search(r"[-–/]", word)}, (name, row[0])


def beyond(driver, *, frames=False):
    """Elements that reach beyond the page; those in frames that scroll count too where nothing scrolls."""
    leave = "svg *, .unseen" if frames else ".scroll *, .unseen, svg *"
    return driver.execute_script(
        "const width = document.documentElement.clientWidth;"
        f"return [...document.querySelectorAll('body *')].filter((one) => !one.matches('{leave}') && "
        "one.getClientRects().length && one.getBoundingClientRect().right > width + 0.5)"
        ".map((one) => one.outerHTML.slice(0, 120))"
    )


# --- made-up treatments


@pytest.fixture(scope="module")
def made_up_part():
    """Seven lesions, the first with a name that is no good HTML, in a block of water; limits of HCC and glass."""
    names = [HOSTILE, *(f"L{k}" for k in range(2, 8))]
    grid = Grid((12, 16, 44), (4.0,) * 3)
    liver = np.ones(grid.shape, bool)
    structures, activity = {"liver": liver}, 4e4 * liver
    for k, name in enumerate(names):
        structures[name] = np.zeros(grid.shape, bool)
        structures[name][4:7, 5:8, 2 + 6 * k : 5 + 6 * k] = True
        activity = activity + 4e4 * (k + 3) * structures[name]
    index, hu = np.zeros(grid.shape, np.uint8), np.zeros(grid.shape, np.int16)
    case = Case(grid, activity, np.ones(grid.shape, np.float32), index, ("water",), hu, structures)
    limits = sirt.select_limits(sirt.load_limits(), context="HCC", device="glass", scenario="segmentectomy")
    plan = sirt.Treatment("liver", tuple(names), limits, sirt.load_budget(), spheres="glass", disease="HCC")
    case = plan.with_tissues(case)
    result = mcdose.absorbed_dose(
        mcdose.activity_to_tia(case.activity_bq, "Y-90"),
        grid.voxel_mm,
        density_g_cm3=case.density_g_cm3,
        medium=index,
        media=("water",),
        method="local-deposition",
        device="cpu",
    )
    figures = sirt.assess(case, result, plan)
    report = replace(
        made_up(grid),
        structures=case.structures,
        layers=(Layer("Dose", result.dose_gy, "Gy", "dose"),),
        curves={},
        ct_hu=hu,
        treatment=treatment_part(figures),
    )
    return figures, report, page(report)


def test_many_lesions_share_a_row(made_up_part):
    figures, _, html = made_up_part
    goal = next(one for one in figures["limits"] if one["quantity"] == "tumour_gy" and one["role"] == "goal")
    doses = [one["voxel"]["mean_gy"] for one in figures["tissues"] if one["kind"] == "lesion"]
    met = sum(dose >= goal["value"] for dose in doses)
    assert 0 < met < 7
    (row,) = [
        row for row in table(html, "limits") if row[0].startswith(f"TAD ≥ {goal['value']:g} Gy") and row[4] == "goal"
    ]
    assert row[1] == "7 lesions"
    assert row[3].startswith(f"✗ NOT MET: {met} of 7; not ")
    assert row[3].partition("; within u ")[0].count(",") == 7 - met - 1
    reasons = {one["reason"] for one in figures["limits"] if one["verdict"] == "not judged"}
    assert reasons == {
        "no lungs are named",
        "no perfused volume is named",
        "nothing is said of earlier sessions (--earlier)",
    }
    assert "No perfused volume was named" in html
    assert figures["lungs"] is None
    assert "table-lungs" not in html


def test_a_figure_within_its_uncertainty_says_so_in_a_row_of_many_and_first_of_all(made_up_part):
    figures, _, html = made_up_part
    goal = [one for one in figures["limits"] if one["quantity"] == "tumour_gy" and one["role"] == "goal"]
    near = [one["subject"] for one in goal if abs(one["figure"] - one["value"]) < one["standard_uncertainty"]]
    assert 0 < len(near) < 7
    (row,) = [row for row in table(html, "limits") if row[0].startswith("TAD") and row[4] == "goal"]
    assert f"; within u {', '.join(near)}" in unescape(row[3])
    assert f"{len(near)} closer to the limit than u" in html


def test_names_are_harmless_on_the_page(made_up_part):
    _, _, html = made_up_part
    reader = Reader(html)
    assert "alert(1)" not in "".join(text for attributes, text in reader.all("script") if "type" not in attributes)
    ids = [attributes["id"] for _, attributes, _ in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert "http" not in re.sub(r'http-equiv|<script type="text/plain".*?</script>|base64,[^"]*', "", html)
    levels = [int(tag[1]) for tag, _, _ in reader.elements if re.fullmatch(r"h\d", tag)]
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_pictures_show_the_lesion_where_it_is(made_up_part):
    """The slice through a lesion is bright at its middle, and what is not near is cropped."""
    _, report, _ = made_up_part
    images = pictures(report)
    centre = lesion_pictures.centre_of(report, "L4", images)
    assert centre == (5, 6, 21)
    cropped = lesion_pictures.cropped_to(images, lesion_pictures.box_of(images, ["L4"]), centre)
    assert cropped.grid.shape == (9, 9, 9)
    assert cropped.structures["L4"][cropped.start]
    z, y, x = (cropped.grid.centres_mm(axis)[cropped.start[axis]] for axis in range(3))
    assert (z, y, x) == tuple(images.grid.centres_mm(axis)[centre[axis]] for axis in range(3))


@pytest.mark.parametrize(
    ("value", "u", "text"),
    [
        (194.24, 29.3, "194 ± 29"),
        (53.0, 8.0, "53.0 ± 8.0"),
        (4.711, 0.714, "4.71 ± 0.71"),
        (53.0, 9.96, "53 ± 10"),
        (2.0, 0.0, "2.000 ± 0"),
    ],
)
def test_figures_have_the_digits_of_their_uncertainty(value, u, text):
    assert with_uncertainty(value, u).replace("\xa0", " ") == text


# --- the command line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--disease", "HCC"], "--liver must be given with --disease"),
        (["--image-fwhm-mm", "0"], "--liver must be given with --image-fwhm-mm"),
        (["--liver", "a"], "--tumours must be given with --liver"),
        (["--liver", "a", "--tumours", "b", "--spheres", "holmium"], "spheres holmium are of Ho-166"),
        (["--liver", "a", "--tumours", "b"], "--liver and --tumours are names in --structures, got none"),
        (["--liver", "a", "--tumours", "b", "--limits", "none.toml"], "none.toml: cannot be read"),
    ],
)
def test_treatments_that_cannot_be_are_refused_before_files_are_read(capsys, tmp_path, words, message):
    assert main(["dose", "--activity", "x", "--ct", "x", *words, "-o", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_anonymous_dose_and_histograms_of_a_treatment(tmp_path):
    """The normal liver is no structure of the RTSTRUCT, so not in the RT Dose; --anonymize leaves the moment out."""
    data = reference_images() / "liver-y90"
    images = ["--activity", data / "PET_ADMIN", "--ct", data / "CT", "--structures", data / "RTSTRUCT_semiauto.dcm"]
    words = ["dose", *images, "--liver", "Liver", "--tumours", "Lesion1", "--method", "local-deposition"]
    for extra in ("--dvh-in-rtdose", "--anonymize"):
        assert main([str(word) for word in (*words, extra, "-o", tmp_path / extra)]) == 0
    dose = pydicom.dcmread(tmp_path / "--dvh-in-rtdose" / "dose.dcm", stop_before_pixels=True)
    assert len(dose.DVHSequence) == 6
    moment = json.loads((tmp_path / "--anonymize" / "summary.json").read_text())["sirt"]["treatment"]["administered"]
    told, silent = (
        (tmp_path / extra / "report.html").read_text(encoding="utf-8") for extra in ("--dvh-in-rtdose", "--anonymize")
    )
    assert moment.replace("T", " ") in told
    assert moment[:10] not in silent
