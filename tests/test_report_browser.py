"""The report in a browser, at the widths of a desk and of a phone."""

import base64
import io
import json
import os
import shutil
import time

import numpy as np
import pytest
from oriented import OBLIQUE
from PIL import Image
from reports import GRID, HOTTEST, made_up

from mcdose.grid import placed
from mcdose.report.page import write_report

SIZES = {"desk": (1280, 900), "phone": (390, 844)}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
READY_S = 20.0
CLICK = "arguments[0].dispatchEvent(new Event(arguments[1], {bubbles: true}))"
PIXELS = "return document.getElementById(arguments[0]).toDataURL()"
FRAME = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done));"


@pytest.fixture(scope="module")
def report_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, made_up())
    return path


@pytest.fixture(scope="module")
def browser():
    selenium = pytest.importorskip("selenium.webdriver", reason="needs selenium, of the dependency group 'test'")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    options = selenium.ChromeOptions()
    options.binary_location = program
    for word in ("--headless=new", "--disable-dev-shm-usage", "--no-first-run", "--force-device-scale-factor=1"):
        options.add_argument(word)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture(params=SIZES)
def opened(request, browser, report_file):
    """Open the report at a size, and check at the end that it asked for nothing and complained of nothing."""
    width, height = SIZES[request.param]
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": request.param == "phone"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get("about:blank")
    for log in ("browser", "performance"):
        browser.get_log(log)
    load(browser, report_file)
    yield browser
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert [url for url in asked if not url.startswith("data:")] == [report_file.as_uri()]


def load(browser, path):
    browser.get(path.as_uri())
    until = time.monotonic() + READY_S
    while not browser.execute_script("return document.documentElement.dataset.ready") and time.monotonic() < until:
        time.sleep(0.05)
    browser.set_script_timeout(READY_S)
    frame(browser)


def frame(browser):
    browser.execute_async_script(FRAME)


def by_id(browser, name):
    return browser.find_element("id", name)


def pixels(browser, name):
    frame(browser)
    return browser.execute_script(PIXELS, name)


def readings(browser):
    labels, texts = (
        [element.get_attribute("textContent") for element in browser.find_elements("css selector", f"#readout {tag}")]
        for tag in ("dt", "dd")
    )
    return dict(zip(labels, texts, strict=True))


def change(browser, name, value):
    """Set a control as its user would, and let it know."""
    element = by_id(browser, name)
    browser.execute_script("arguments[0].value = arguments[1]", element, value)
    browser.execute_script(CLICK, element, "change" if element.tag_name == "select" else "input")


def test_nothing_is_wider_than_the_screen(opened):
    width = opened.execute_script("return document.documentElement.clientWidth")
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    beyond = opened.execute_script(
        "return [...document.querySelectorAll('body *')].filter((element) => !element.closest('.scroll, .unseen, svg') "
        "&& element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)"
        ".map((element) => element.outerHTML.slice(0, 120))"
    )
    assert beyond == []


def test_viewer_takes_the_place_of_the_stills(opened):
    assert by_id(opened, "viewer").is_displayed()
    assert not by_id(opened, "stills").is_displayed()
    for name, ratio in (("axial", 72 / 60), ("coronal", 72 / 50), ("sagittal", 60 / 50)):
        size = by_id(opened, name).size
        assert size["width"] / size["height"] == pytest.approx(ratio, rel=0.02)
        picture = Image.open(io.BytesIO(base64.b64decode(pixels(opened, name).partition(",")[2])))
        assert len(picture.convert("RGB").getcolors(picture.width * picture.height)) > 100


def test_readout_begins_at_the_highest_dose(opened):
    reading = readings(opened)
    z, y, x = (GRID.centres_mm(axis)[at] for axis, at in enumerate(HOTTEST))
    assert reading["x, y, z [mm]"] == f"{x:.1f}, {y:.1f}, {z:.1f}"
    assert float(reading["Dose, Monte Carlo"].split()[0]) == pytest.approx(210.0, rel=5e-3)
    assert float(reading["Dose, local deposition"].split()[0]) == pytest.approx(231.0, rel=5e-3)
    assert float(reading["Relative uncertainty"].split()[0]) == pytest.approx(1.5, rel=5e-3)
    assert float(reading["Difference"].split()[0]) == pytest.approx(10.0, rel=5e-3)
    assert reading["Inside"].startswith("liver, ")


def test_places_on_an_oblique_grid_are_those_of_the_patient(browser, tmp_path):
    grid = placed(GRID.shape, GRID.voxel_mm, GRID.origin_mm, OBLIQUE)
    report = made_up(grid)
    write_report(tmp_path / "report.html", report)
    load(browser, tmp_path / "report.html")
    hottest = np.unravel_index(np.nanargmax(report.layers[0].values), grid.shape)
    z, y, x = grid.position_mm(hottest)
    assert readings(browser)["x, y, z [mm]"] == f"{x:.1f}, {y:.1f}, {z:.1f}"
    along = grid.centres_mm(0)[hottest[0]]
    assert by_id(browser, "axial-at").text == f"{along:.1f} mm"
    text = browser.find_element("tag name", "body").text
    assert f"turned by {grid.turn_deg:.1f}° from the patient's axes" in text


def test_sliders_change_their_slice(opened):
    for view, axis in (("axial", 0), ("coronal", 1), ("sagittal", 2)):
        before = pixels(opened, view)
        change(opened, f"{view}-slice", str(HOTTEST[axis] + 2))
        assert pixels(opened, view) != before
        place = GRID.centres_mm(axis)[HOTTEST[axis] + 2]
        assert by_id(opened, f"{view}-at").text == f"{place:.1f} mm"
        assert by_id(opened, f"{view}-slice").get_attribute("aria-valuetext").endswith(f"{place:.1f} mm")


def test_keyboard_moves_the_cross_hair(opened):
    from selenium.webdriver.common.keys import Keys

    report = made_up()
    before = pixels(opened, "sagittal")
    # axial: right and down are towards x and y; upwards in the coronal view is towards the head
    by_id(opened, "axial").send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.PAGE_DOWN)
    by_id(opened, "coronal").send_keys(Keys.ARROW_UP, Keys.ARROW_UP)
    assert pixels(opened, "sagittal") != before
    at = tuple(np.add(HOTTEST, (1, 1, 2)))
    reading = readings(opened)
    z, y, x = (GRID.centres_mm(axis)[index] for axis, index in enumerate(at))
    assert reading["x, y, z [mm]"] == f"{x:.1f}, {y:.1f}, {z:.1f}"
    assert float(reading["Dose, Monte Carlo"].split()[0]) == pytest.approx(report.layers[0].values[at], rel=5e-3)
    assert reading["CT number"] == f"{report.ct_hu[at]} HU"
    # a slider of the browser itself listens to the same keys
    by_id(opened, "coronal-slice").send_keys(Keys.ARROW_RIGHT)
    frame(opened)
    assert by_id(opened, "coronal-at").text == f"{GRID.centres_mm(1)[at[1] + 1]:.1f} mm"


def test_a_click_sets_the_cross_hair(opened):
    from selenium.webdriver import ActionChains

    report = made_up()
    canvas = by_id(opened, "coronal")
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", canvas)
    z, x = 2, 9
    right = (x + 0.5 - GRID.shape[2] / 2) * canvas.size["width"] / GRID.shape[2]
    down = (GRID.shape[0] / 2 - z - 0.5) * canvas.size["height"] / GRID.shape[0]
    before = pixels(opened, "axial")
    ActionChains(opened).move_to_element_with_offset(canvas, round(right), round(down)).click().perform()
    assert pixels(opened, "axial") != before
    frame(opened)
    assert by_id(opened, "axial-at").text == f"{GRID.centres_mm(0)[z]:.1f} mm"
    assert by_id(opened, "sagittal-at").text == f"{GRID.centres_mm(2)[x]:.1f} mm"
    expected = report.layers[0].values[z, HOTTEST[1], x]
    assert float(readings(opened)["Dose, Monte Carlo"].split()[0]) == pytest.approx(expected, rel=5e-3)


def test_dose_that_is_not_reported_is_said_so(opened):
    change(opened, "axial-slice", "0")
    assert readings(opened)["Dose, Monte Carlo"] == "not reported"


def test_layers_windows_and_outlines_change_the_picture(opened):
    seen = [pixels(opened, "axial")]
    layers = [("layer", "3"), ("layer", "1"), ("layer", "0"), ("top", "50"), ("from", "100"), ("opacity", "20")]
    for name, value in (*layers, ("window", "-600 1500"), ("level", "300"), ("width", "60")):
        change(opened, name, value)
        seen.append(pixels(opened, "axial"))
        assert seen[-1] != seen[-2], name
    assert opened.execute_script("return document.querySelector('#window').selectedOptions[0].textContent") == "Own"
    for name in ("outline-0", "outline-1", "none", "all"):
        opened.execute_script("arguments[0].click()", by_id(opened, name))
        seen.append(pixels(opened, "axial"))
        assert seen[-1] != seen[-2], name
    change(opened, "layer", "3")
    assert by_id(opened, "top").get_attribute("value") == "10"
    marks = [mark.text for mark in opened.find_elements("css selector", "#viewer .ticks li")]
    assert marks == ["-10", "-5", "0", "5", "10"]


def test_what_is_read_aloud_waits_for_rest(opened):
    from selenium.webdriver.common.keys import Keys

    by_id(opened, "axial").send_keys(*[Keys.ARROW_RIGHT] * 5)
    said = by_id(opened, "said")
    assert said.get_attribute("textContent") == ""
    until = time.monotonic() + READY_S
    while not said.get_attribute("textContent") and time.monotonic() < until:
        time.sleep(0.1)
    assert "Dose, Monte Carlo: " in said.get_attribute("textContent")


def test_without_javascript_the_stills_are_there(browser, report_file):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(report_file.as_uri())
        assert by_id(browser, "stills").is_displayed()
        assert not by_id(browser, "viewer").is_displayed()
        assert [image.get_attribute("alt") for image in browser.find_elements("css selector", "#stills .view img")]
        assert by_id(browser, "table-0").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_print_shows_the_stills(browser, report_file):
    browser.get(report_file.as_uri())
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        frame(browser)
        assert by_id(browser, "stills").is_displayed()
        assert not by_id(browser, "viewer").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
