"""The report as a file: what is in it, that nothing is outside it, and that it says what the summary says."""

import base64
import hashlib
import io
import itertools
import json
import math
import re
import zlib
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from images import ct_series, pet_series, rtstruct
from PIL import Image
from reports import GRID, HOSTILE, HOTTEST, Reader, made_up

from mcdose.cli import main
from mcdose.dvh import dvh
from mcdose.grid import Grid
from mcdose.io.nifti import write_nifti
from mcdose.report import dvh_chart, encoding, page, stills
from mcdose.report.colours import MAPS, ON_DARK, ON_LIGHT, coloured, samples
from mcdose.report.contents import Kind
from mcdose.report.numbers import four_digits, gbq
from mcdose.report.pictures import block_mean, pictures
from mcdose.report.views import VIEWS

ROUNDING = 0.5 * encoding.STEP * 1.001


@pytest.fixture(scope="module")
def report():
    return made_up()


@pytest.fixture(scope="module")
def html(report):
    return page.page(report)


@pytest.fixture(scope="module")
def run_of_a_block(tmp_path_factory):
    """Folder of a run: water with activity, one slice of air, two structures; its paths are long."""
    folder = tmp_path_factory.mktemp("secret-folder")
    grid = Grid((8, 10, 12), (6.0, 5.0, 4.0))
    hu = np.zeros(grid.shape)
    hu[-1] = -1000.0
    labels = np.zeros(grid.shape)
    labels[2:5, 3:7, 4:8] = 1
    labels[6:8, 3:7, 4:8] = 2
    words = []
    for option, values in (("activity", np.full(grid.shape, 1e6)), ("ct", hu), ("structures", labels)):
        write_nifti(folder / f"{option}.nii", values, grid)
        words += [f"--{option}", str(folder / f"{option}.nii")]
    assert main(["dose", *words, "--histories", "20000", "-o", str(folder / "out")]) == 0
    return folder / "out"


def unpacked(reader, name, dtype):
    return np.frombuffer(zlib.decompress(base64.b64decode(reader.by_id(name))), dtype)


def test_page_is_whole_and_has_landmarks(html):
    reader = Reader(html)
    assert html.startswith("<!DOCTYPE html>")
    assert reader.all("html")[0][0]["lang"] == "en"
    for tag in ("header", "nav", "main", "footer", "h1"):
        assert len(reader.all(tag)) == 1, tag
    ids = [attributes["id"] for _, attributes, _ in reader.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes, _ in reader.elements:
        for reference in (attributes.get("aria-labelledby", ""), attributes.get("for", "")):
            assert set(reference.split()) <= set(ids), reference
    levels = [int(tag[1]) for tag, _, _ in reader.elements if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_controls_have_labels_and_tables_have_headings(html):
    reader = Reader(html)
    labelled = {attributes["for"] for attributes, _ in reader.all("label")}
    for tag in ("input", "select"):
        for attributes, _ in reader.all(tag):
            assert attributes["id"] in labelled
    assert all(attributes["alt"] for attributes, _ in reader.all("img"))
    assert all(attributes["aria-label"] for attributes, _ in reader.all("canvas") if attributes["id"] != "bar")
    assert len(reader.all("caption")) == len(reader.all("table"))
    assert {attributes.get("scope") for attributes, _ in reader.all("th")} == {"col", "row"}


def test_nothing_is_outside_the_page(html):
    reader = Reader(html)
    for tag, attributes, _ in reader.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
            value = attributes.get(name, "#")
            assert value.startswith(("#", "data:image/png;base64,")) or value == "data:,", (tag, value[:80])
    scripts = [text for attributes, text in reader.all("script") if "type" not in attributes]
    style = reader.all("style")[0][1]
    assert len(scripts) == 1
    assert not re.search(r"url\(|@import", style)
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|import)\b\s*\(", scripts[0])
    seal = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = next(attributes for attributes, _ in reader.all("meta") if "http-equiv" in attributes)
    assert policy["http-equiv"] == "Content-Security-Policy"
    rules = dict(rule.strip().split(" ", 1) for rule in policy["content"].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{seal}'"
    assert "http" not in re.sub(r'http-equiv|<script type="text/plain".*?</script>|base64,[^"]*', "", html)


def test_text_is_harmless(report, html):
    reader = Reader(html)
    assert "alert(1)" not in "".join(text for attributes, text in reader.all("script") if "type" not in attributes)
    assert len(reader.all("script")) == 2 + 1 + len(report.layers) + len(report.structures)
    assert not [attributes for _, attributes, _ in reader.elements if any(name.startswith("on") for name in attributes)]
    values = json.loads(reader.by_id("report-data"))
    assert [structure["name"] for structure in values["structures"]] == list(report.structures)
    for tag in ("dd", "li", "caption", "th", "label", "desc", "p"):
        inside = "".join(text for _, text in reader.all(tag))
        assert HOSTILE in inside or tag == "caption", tag


@given(arrays.arrays(np.float32, 40, elements=st.floats(-1e6, 1e6, width=32) | st.just(np.float32("nan"))))
def test_codes_keep_values_within_a_fifth_of_a_percent(numbers):
    codes = encoding.encode(numbers)
    back = encoding.decode(codes)
    assert np.array_equal(np.isnan(back), np.isnan(numbers))
    largest = np.nanmax(np.abs(numbers), initial=0.0)
    assert codes.largest == largest
    kept = np.abs(numbers) > largest * math.exp(-encoding.STEP * (encoding.LEVELS - 1))
    assert np.allclose(back[kept], numbers[kept].astype(np.float64), rtol=ROUNDING + 1e-5, atol=0.0)
    rest = ~kept & ~np.isnan(numbers)
    assert (np.abs(back[rest]) <= largest * math.exp(-encoding.STEP * (encoding.LEVELS - 2))).all()


def test_images_unpack_to_what_went_in(report, html):
    reader = Reader(html)
    values = json.loads(reader.by_id("report-data"))
    assert values["shape"] == list(GRID.shape)
    assert (values["voxel_mm"], values["origin_mm"]) == (list(GRID.voxel_mm), list(GRID.origin_mm))
    assert values["start"] == list(HOTTEST)
    assert np.array_equal(unpacked(reader, "ct", "<i2").reshape(GRID.shape), report.ct_hu)
    for k, layer in enumerate(report.layers):
        codes = unpacked(reader, f"layer-{k}", "<u2").reshape(GRID.shape)
        back = encoding.decode(encoding.Codes(codes, values["layers"][k]["largest"]))
        tiny = 1e-5 * np.nanmax(layer.values)
        assert np.allclose(back, layer.values, rtol=ROUNDING, atol=tiny, equal_nan=True), layer.name
    for k, mask in enumerate(report.structures.values()):
        bits = np.unpackbits(unpacked(reader, f"structure-{k}", np.uint8), bitorder="little")[: mask.size]
        assert np.array_equal(bits.reshape(GRID.shape), mask >= 0.5)


def test_one_scale_for_doses(html):
    layers = json.loads(Reader(html).by_id("report-data"))["layers"]
    doses = [layer["top"] for layer in layers if layer["kind"] == "dose"]
    assert len(set(doses)) == 1
    assert 0.8 * 231.0 < doses[0] <= 240.0  # the second is up to 231 Gy
    assert [layer["top"] for layer in layers if layer["kind"] == "difference"] == [10.0]


def test_block_mean_is_the_mean_of_blocks():
    rng = np.random.default_rng(3)
    values = rng.normal(size=(5, 7, 4)).astype(np.float32)
    values[0, 0, 0] = np.nan
    values[2:4, 3:6, :2] = np.nan
    coarse = block_mean(values, (2, 3, 2))
    assert coarse.shape == (3, 3, 2)
    for index in np.ndindex(coarse.shape):
        block = values[tuple(slice(i * f, i * f + f) for i, f in zip(index, (2, 3, 2), strict=True))]
        expected = np.nan if np.isnan(block).all() else np.nanmean(block)
        assert coarse[index] == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_large_grids_are_cropped_and_averaged():
    grid = Grid((40, 60, 80), (2.0, 1.5, 1.0), (-7.0, 3.0, 11.0))
    report = made_up(grid)
    assert pictures(report).note == ""
    images = pictures(report, 20_000)
    assert np.prod(images.grid.shape) <= 20_000
    assert "blocks of" in images.note
    dose = report.layers[0].values
    for axis in range(3):  # every voxel with dose or a structure is in the picture
        wanted = np.nan_to_num(dose) > 1e-3 * np.nanmax(dose)
        for mask in report.structures.values():
            wanted |= mask >= 0.5
        places = grid.centres_mm(axis)[np.unique(np.nonzero(wanted)[axis])]
        edges = images.grid.edges_mm(axis)
        assert edges[0] < places.min()
        assert edges[-1] > places.max()
    # geometry: energy stays where it was (the centre of mass of the dose, below a voxel's side)
    for axis in range(3):
        centre = []
        for values, on in ((np.nan_to_num(dose), grid), (np.nan_to_num(images.layers[0].values), images.grid)):
            profile = values.sum(axis=tuple(k for k in range(3) if k != axis))
            centre.append(np.average(on.centres_mm(axis), weights=profile))
        assert centre[1] == pytest.approx(centre[0], abs=0.15 * grid.voxel_mm[axis])
    html = page.page(report, 20_000)
    assert images.note in html
    assert len(html) < len(page.page(report))


def test_structure_figures_are_those_of_the_summary(run_of_a_block):
    summary = json.loads((run_of_a_block / "summary.json").read_text(encoding="utf-8"))
    reader = Reader((run_of_a_block / "report.html").read_text(encoding="utf-8"))
    cells = [(tag, "".join(text)) for tag, _, text in reader.elements if tag in ("th", "td")]
    keys = ("volume_ml", "mean_gy", "sd_gy", "d95_gy", "d70_gy", "d50_gy", "max_gy")
    for name, figures in summary["structures"].items():
        at = cells.index(("th", name))
        row = [text for _, text in cells[at + 1 : at + 10]]
        for text, key in zip(row, keys, strict=False):
            assert float(text) == pytest.approx(figures[key], rel=6e-4, abs=0.051 if key == "volume_ml" else 0.0)
        assert float(row[7]) == pytest.approx(100 * figures["mean_uncertainty"], abs=0.0051)
        assert float(row[8]) == pytest.approx(summary["local_deposition"][name], rel=6e-4)
    at = cells.index(("th", "Emitted"))
    energy = [float(text.replace(",", "")) for tag, text in cells[at : at + 12] if tag == "td"]
    assert energy[0] == pytest.approx(summary["emitted_mev"], abs=0.06)
    assert energy[2] + energy[4] == pytest.approx(energy[0], abs=0.11)
    assert (energy[1], energy[6], energy[7]) == (100.0, 0.0, 0.0)
    assert energy[3] + energy[5] == pytest.approx(100.0, abs=2e-4)


def test_facts_of_a_run(run_of_a_block):
    html = (run_of_a_block / "report.html").read_text(encoding="utf-8")
    reader = Reader(html)
    labels, texts = ([text for _, text in reader.all(tag)] for tag in ("dt", "dd"))
    facts = dict(zip(labels, texts, strict=True))
    assert facts["Nuclide"] == "Y-90"
    assert facts["Histories"].startswith("20,000 in ")
    assert facts["Histories"].endswith("seed 0")
    assert (facts["Activity"], facts["CT"], facts["Structures"]) == ("activity.nii", "ct.nii", "structures.nii")
    assert facts["Dose grid"] == "8 × 10 × 12 voxels of 6 × 5 × 4 mm (z, y, x)"
    assert "secret-folder" not in html
    assert "Research software. Not a medical device" in html
    assert any("Philox" in text for _, text in reader.all("li"))
    # air has no reported dose
    values = json.loads(reader.by_id("report-data"))
    dose = unpacked(reader, "layer-0", "<u2").reshape(values["shape"])
    assert (dose[-1] == encoding.NOTHING).all()
    assert (dose[:-1] != encoding.NOTHING).all()
    ct = unpacked(reader, "ct", "<i2").reshape(values["shape"])
    assert (ct[-1] == -1000).all()
    assert (ct[:-1] == 0).all()


def test_a_run_without_structures_and_histories(tmp_path, run_of_a_block):
    words = [f"--{name}={run_of_a_block.parent / name}.nii" for name in ("activity", "ct")]
    assert main(["dose", *words, "--method", "local-deposition", "-o", str(tmp_path / "out")]) == 0
    reader = Reader((tmp_path / "out/report.html").read_text(encoding="utf-8"))
    values = json.loads(reader.by_id("report-data"))
    assert values["structures"] == []
    assert [layer["name"] for layer in values["layers"]] == ["Dose to medium"]
    assert not reader.all("table")
    assert "Histories" not in [text for _, text in reader.all("dt")]
    words.append(f"--structures={run_of_a_block.parent / 'structures.nii'}")
    assert main(["dose", *words, "--method", "local-deposition", "-o", str(tmp_path / "more")]) == 0
    reader = Reader((tmp_path / "more/report.html").read_text(encoding="utf-8"))
    headings = [text for attributes, text in reader.all("th") if attributes["scope"] == "col"]
    assert "Mean [Gy]" in headings
    assert not [text for text in headings if "Error" in text or "local" in text or "MeV" in text]


@pytest.mark.parametrize("wanted", [False, True])
def test_patient_is_named_only_when_asked_for(tmp_path, wanted):
    ct_series(tmp_path / "ct", np.zeros((8, 16, 16)), (-10.0, -10.0, 8.0), (3.0, 2.0, 2.0))
    frames = [("20240603", "100000", 600, 1.0)] * 4
    pet_series(tmp_path / "pet", np.full((4, 5, 4), 1000), [500.0] * 4, frames, (3.0, 4.0, 5.0))
    square = [(-6, -5), (4, -5), (4, 5), (-6, 5)]
    outside = [(-60, -5), (4, -5), (4, 5), (-60, 5)]  # warned of, with the path
    contours = [("Liver", [(z, square) for z in (10.0, 13.0, 16.0)]), ("Off", [(z, outside) for z in (10.0, 13.0)])]
    structures = rtstruct(tmp_path / "rs.dcm", contours)
    words = [f"--activity={tmp_path}/pet", f"--ct={tmp_path}/ct", f"--structures={structures}"]
    words += ["--method=local-deposition", f"--output={tmp_path}/out"] + ["--patient-in-report"] * wanted
    assert main(["dose", *words]) == 0
    html = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert ("Doe" in html) == wanted
    assert ("Patient ID" in html) == wanted
    assert str(tmp_path) not in html
    assert "rs.dcm: " in html


def test_curves_are_drawn_where_the_histogram_has_them(report):
    drawing = dvh_chart.chart(report)
    end = dvh_chart.dose_ticks(231.0)[-1]
    assert end == 250.0
    paths = re.findall(r'<g class="curve c\d" data-structure="(\d)"><path d="M(.*?)"', drawing)
    assert len(paths) == 2 * len(report.structures)
    curves = [curve for curves in report.curves.values() for curve in curves.values()]
    for (_, path), curve in zip(paths, curves, strict=True):
        x, y = np.array([point.split(",") for point in path.split(" ")[:-1]], float).T
        dose = (x - dvh_chart.LEFT) / (dvh_chart.WIDTH - dvh_chart.LEFT - dvh_chart.RIGHT) * end
        percent = 100.0 * (1.0 - (y - dvh_chart.TOP) / (dvh_chart.HEIGHT - dvh_chart.TOP - dvh_chart.BOTTOM))
        assert percent[0] == pytest.approx(100.0, abs=0.02)
        slack = 0.05 * end / (dvh_chart.WIDTH - dvh_chart.LEFT - dvh_chart.RIGHT) + 1e-6  # drawn to a tenth of a unit
        assert (percent <= 100.0 * curve.volume_fraction(dose - slack) + 0.03).all()
        assert (percent >= 100.0 * curve.volume_fraction(dose + slack) - 0.03).all()
        assert dose[-1] == pytest.approx(curve.max_gy, abs=2 * slack)


def test_volumes_are_those_of_the_histogram(report):
    tables = dvh_chart.values(report)
    assert [table.title.split(" by ")[1] for table in tables] == ["Monte Carlo", "local deposition"]
    for table, curves in zip(tables, report.curves.values(), strict=True):
        doses = [float(cell.removesuffix("\xa0Gy")) for cell in table.header[1:]]
        for name, *cells in table.rows:
            expected = 100.0 * curves[name].volume_fraction(doses)
            assert np.allclose(np.array(cells, float), expected, atol=0.0501)


@pytest.mark.parametrize("largest", [1e-6, 0.0123, 0.999, 1.0, 99.9, 237.4, 5e6])
def test_ticks_reach_the_largest_dose(largest):
    ticks = dvh_chart.dose_ticks(largest)
    assert ticks[0] == 0.0
    assert ticks[-2] < largest <= ticks[-1] * (1 + 1e-9)
    assert 4 <= len(ticks) <= 9


def test_chart_of_nothing_but_zero():
    report = made_up()
    zero = {name: dvh(np.zeros(GRID.shape), mask, GRID.voxel_mm) for name, mask in report.structures.items()}
    drawing = dvh_chart.chart(type(report)(**{**vars(report), "curves": {"none": zero}}))
    assert not re.search(r"\bnan\b|\binf\b", drawing)


def test_views_are_radiological():
    """A voxel at the patient's right, front and head, seen from the feet, from the front and from the left."""
    values = np.zeros((4, 5, 6))
    values[3, 0, 0] = 1.0
    axial, coronal, sagittal = VIEWS
    assert axial.slice(values, 3)[0, 0] == 1.0  # right is on the left, front is up
    assert coronal.slice(values, 0)[0, 0] == 1.0  # right is on the left, head is up
    assert sagittal.slice(values, 0)[0, 0] == 1.0  # front is on the left, head is up
    assert (axial.letters, coronal.letters, sagittal.letters) == ("RLAP", "RLHF", "APHF")
    assert axial.size_mm(GRID) == (72.0, 60.0)
    assert coronal.size_mm(GRID) == (72.0, 50.0)
    assert sagittal.size_mm(GRID) == (60.0, 50.0)


def test_stills_show_the_highest_dose_where_it_is(report):
    images = pictures(report)
    for view in VIEWS:
        data = stills.still(images, view).removeprefix("data:image/png;base64,")
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))), float)
        rows, columns = view.slice(report.ct_hu, 0).shape
        row, column = HOTTEST[view.down], HOTTEST[view.across]
        row = rows - 1 - row if view.upside_down else row
        height, width, _ = picture.shape
        assert (width, height) == tuple(round(stills.WIDEST * side / 72.0) for side in view.size_mm(GRID))
        red, green, blue = picture[int((row + 0.5) * height / rows), int((column + 0.5) * width / columns)]
        assert red > blue + 60  # yellow, over any grey
        assert green > blue + 60


@pytest.mark.parametrize("kind", MAPS)
def test_maps(kind: Kind):
    """Lightness changes in one direction, or from the middle to both ends; places between samples are between them."""
    table = samples(kind)
    assert table.shape == (33, 3)
    lightness = np.array([luminance(colour) for colour in table])
    steps = np.diff(lightness)
    if kind == "difference":
        assert (steps[:16] > 0).all()
        assert (steps[16:] < 0).all()
        assert np.ptp(table[16]) < 3
    else:
        assert (steps > 0).all()
    assert np.allclose(coloured(kind, [0.0, 1.5 / 32, 7.0]), [table[0], 0.5 * (table[1] + table[2]), table[-1]])


def luminance(colour):
    """Relative luminance of WCAG 2 of red, green, blue from 0 to 255."""
    share = np.asarray(colour) / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    one, other = (luminance(list(bytes.fromhex(colour.removeprefix("#")))) for colour in (one, other))
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def test_text_and_lines_can_be_seen():
    schemes = re.findall(
        r":root \{\s*((?:[\w-]+: [^;]+;\s*)*?)\}", files("mcdose.report").joinpath("page.css").read_text()
    )
    light, dark = (dict(re.findall(r"--([\w-]+): (#\w+)", scheme)) for scheme in schemes if "--ground" in scheme)
    for scheme, lines in ((light, ON_LIGHT), (dark, ON_DARK)):
        for text in ("text", "quiet", "strong", "alert"):
            for ground in ("ground", "panel", "alert-ground"):
                assert contrast(scheme[text], scheme[ground]) >= 4.5, (text, ground)
        assert all(contrast(line, scheme["ground"]) >= 3.0 for line in lines)
    assert all(contrast(line, "#000000") >= 3.0 for line in ON_DARK)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (159.0, "159.0"), (1.5, "1.500"), (0.0084089, "0.008409"), (20471.3, "20471"), (246.651, "246.7")],
)
def test_four_digits(value, text):
    assert four_digits(value) == text


@pytest.mark.parametrize(("value", "text"), [(2e9, "2.000 GBq"), (9.6e6, "9.600 MBq"), (1.5e8, "0.1500 GBq")])
def test_activity(value, text):
    assert gbq(value) == text
