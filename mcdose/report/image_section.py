"""The images of the page: the viewer with its controls, the data that it reads, and still pictures in its place."""

from __future__ import annotations

from html import escape

from mcdose.report import encoding, stills
from mcdose.report import markup as pieces
from mcdose.report.colours import MAPS, ON_DARK
from mcdose.report.contents import Report
from mcdose.report.pictures import Pictures
from mcdose.report.views import AXES, VIEWS, View

WINDOWS_HU = {"Soft tissue": (40, 400), "Lung": (-600, 1500), "Bone": (300, 1500), "Own": (40, 400)}  # level, width
OUTLINED_AT_FIRST = len(ON_DARK)
TICKS = 5
SIDES = ("left", "right", "top", "bottom")


def markup(report: Report, images: Pictures) -> str:
    """Return the viewer, hidden until its script runs, and the still pictures, shown until then and on paper."""
    note = f'<p class="note">{escape(images.note)}</p>' if images.note else ""
    return "\n".join([_viewer(report, images), _stills(report, images), _turned(report), note])


def embedded(report: Report, images: Pictures) -> str:
    """Return what the viewer reads."""
    coded = [encoding.encode(layer.values) for layer in images.layers]
    values = {
        "shape": images.grid.shape,
        "voxel_mm": images.grid.voxel_mm,
        "origin_mm": images.grid.origin_mm,
        "direction": report.grid.direction,
        "start": images.start,
        "levels": encoding.LEVELS,
        "step": encoding.STEP,
        "nothing": encoding.NOTHING,
        "opacity": stills.OPACITY,
        "show_from": stills.SHOW_FROM,
        "full_from": stills.FULL_FROM,
        "views": [
            {
                "name": view.name,
                "axis": view.axis,
                "down": view.down,
                "across": view.across,
                "upside_down": view.upside_down,
            }
            for view in VIEWS
        ],
        "layers": [
            {"name": layer.name, "unit": layer.unit, "kind": layer.kind, "largest": code.largest, "top": top}
            for layer, code, top in zip(images.layers, coded, images.tops, strict=True)
        ],
        "structures": [
            {"name": name, "colour": ON_DARK[k % len(ON_DARK)], "dashed": k >= len(ON_DARK)}
            for k, name in enumerate(images.structures)
        ],
        "maps": MAPS,
    }
    volumes = [pieces.packed("ct", encoding.packed_ct(images.ct_hu))]
    volumes += [pieces.packed(f"layer-{k}", encoding.packed(code.values)) for k, code in enumerate(coded)]
    volumes += [
        pieces.packed(f"structure-{k}", encoding.packed_mask(mask)) for k, mask in enumerate(images.structures.values())
    ]
    return "\n".join([pieces.data("report-data", values), *volumes])


def _viewer(report: Report, images: Pictures) -> str:
    return f"""<div id="viewer" hidden>
<div class="controls">
{_layer_choice(images)}
<div><label for="top">Scale to [<span class="unit"></span>]</label>
<input type="number" id="top" min="0" step="any"></div>
<div><label for="from">Hide below [Gy]</label><input type="number" id="from" min="0" step="any"></div>
<div><label for="opacity">Opacity</label><input type="range" id="opacity" min="0" max="100" step="5"></div>
{_window_choice()}
<div><label for="level">Level [HU]</label><input type="number" id="level" step="10"></div>
<div><label for="width">Width [HU]</label><input type="number" id="width" min="1" step="10"></div>
<div class="tick"><input type="checkbox" id="smooth"><label for="smooth">Smooth</label></div>
</div>
<div class="bar"><p class="bar-title"></p><canvas id="bar" width="256" height="1"></canvas>
<ol class="ticks" aria-hidden="true">{"<li></li>" * TICKS}</ol></div>
{_layout(images, [_view(view, images) for view in VIEWS], _readout(), _outline_choice(images))}
<p class="note">A click, or the arrow keys, move the cross-hair; Page Up and Page Down change the slice. Positions are
those of DICOM (x to the patient's left, y to the back, z to the head); the patient's right is on the left. Values are
within 0.2 % of those computed, and rounded. Doses below a tenth of the scale fade out.</p>
<p id="said" class="unseen" aria-live="polite"></p>
</div>
<p id="unable" class="note" hidden>This browser cannot unpack the images: only these slices can be shown.</p>"""


def _turned(report: Report) -> str:
    """Say what is meant by slices, letters and their places on a grid that is turned; nothing of an upright one."""
    if report.grid.upright:
        return ""
    return (
        '<p class="note">'
        f"The grid is turned by {report.grid.turn_deg:.1f}° from the patient's axes, and the slices with it: "
        "names and letters are those of the nearest planes and sides, and the place of a slice is along the grid's own "
        "axis.</p>"
    )


def _layout(images: Pictures, views: list[str], below: str, last: str) -> str:
    """Put the axial view and `below` on the left, the others on the right, at one scale; `last` where there is room."""
    axial, *others = (view.size_mm(images.grid)[0] for view in VIEWS)
    height, *heights = (view.size_mm(images.grid)[1] for view in VIEWS)
    left, right = (below, last) if height * max(others) > sum(heights) * axial else (below + last, "")
    columns = f"--columns: {axial:g}fr {max(others):g}fr"
    upright = "\n".join(
        f'<div style="--share: {100.0 * width / max(others):.4g}%">\n{view}\n</div>'
        for width, view in zip(others, views[1:], strict=True)
    )
    return (
        f'<div class="views" style="{columns}">\n<div class="axial">\n{views[0]}\n{left}</div>\n'
        f'<div class="upright">\n{upright}\n{right}</div>\n</div>'
    )


def _readout() -> str:
    return (
        '<section class="readout" aria-labelledby="readout-title"><h3 id="readout-title">At the cross-hair</h3>\n'
        '<dl id="readout"></dl></section>\n'
    )


def _layer_choice(images: Pictures) -> str:
    options = "".join(f'<option value="{k}">{escape(layer.name)}</option>' for k, layer in enumerate(images.layers))
    return f'<div class="wide"><label for="layer">Over the CT</label><select id="layer">{options}</select></div>'


def _window_choice() -> str:
    options = "".join(f'<option value="{level} {width}">{name}</option>' for name, (level, width) in WINDOWS_HU.items())
    return f'<div><label for="window">CT window</label><select id="window">{options}</select></div>'


def _view(view: View, images: Pictures) -> str:
    name = view.name.lower()
    last = images.grid.shape[view.axis] - 1
    return f"""<figure class="view">
<figcaption>{view.name}</figcaption>
<div class="frame" style="{ratio(view, images)}"><canvas id="{name}" tabindex="0" role="application"
aria-label="{view.name} view: arrow keys move the cross-hair, Page Up and Page Down change the slice"></canvas>
{letters(view)}</div>
<div class="slice"><label for="{name}-slice">{AXES[view.axis]}</label><input type="range" id="{name}-slice" min="0"
max="{last}" step="1" aria-label="{view.name} slice, {AXES[view.axis]}">
<output id="{name}-at" for="{name}-slice"></output></div>
</figure>"""


def _outline_choice(images: Pictures) -> str:
    if not images.structures:
        return ""
    boxes = "\n".join(
        f'<li><input type="checkbox" id="outline-{k}" data-structure="{k}"{_checked(k)}>'
        f'<label for="outline-{k}">{swatch(k)}{escape(name)}</label></li>'
        for k, name in enumerate(images.structures)
    )
    return (
        f'<fieldset class="outlines"><legend>Outlines</legend>\n<ul>\n{boxes}\n</ul>\n'
        '<p><button type="button" id="all">All</button> <button type="button" id="none">None</button></p></fieldset>'
    )


def _checked(place: int) -> str:
    return " checked" if place < OUTLINED_AT_FIRST else ""


def _stills(report: Report, images: Pictures) -> str:
    layer, top = images.layers[0], images.tops[0]
    start = -top if layer.kind == "difference" else 0.0
    ticks = "".join(f"<li>{start + k * (top - start) / (TICKS - 1):.3g}</li>" for k in range(TICKS))
    names = "\n".join(f"<li>{swatch(k)}{escape(name)}</li>" for k, name in enumerate(images.structures))
    drawn = [_still(view, images, layer.name) for view in VIEWS]
    return f"""<div id="stills">
<div class="bar"><p class="bar-title">{escape(_scale_title(images))}</p>
<img src="{stills.bar(images)}" alt="Colours from dark to bright"><ol class="ticks">{ticks}</ol></div>
{_layout(images, drawn, "", f'<ul class="names">{names}</ul>')}
<noscript><p class="note">With JavaScript, all slices can be looked at here.</p></noscript>
</div>"""


def _still(view: View, images: Pictures, name: str) -> str:
    index = images.start[view.axis]
    at = f"{AXES[view.axis]} = {images.grid.centres_mm(view.axis)[index]:.1f} mm"
    return f"""<figure class="view">
<figcaption>{view.name}, {at}</figcaption>
<div class="frame" style="{ratio(view, images)}"><img src="{stills.still(images, view)}"
alt="{escape(name)} over CT, {view.name.lower()} slice through the highest dose, {at}">{letters(view)}</div>
</figure>"""


def _scale_title(images: Pictures) -> str:
    layer = images.layers[0]
    return f"{layer.name} [{layer.unit}]; slices through the highest dose"


def swatch(place: int) -> str:
    """Show the colour of the outline of a structure, by its place."""
    dashed = " dashed" if place >= len(ON_DARK) else ""
    return f'<span class="swatch{dashed}" style="border-color: {ON_DARK[place % len(ON_DARK)]}"></span>'


def letters(view: View) -> str:
    """Say on the sides of a view which sides of the patient they are."""
    return "".join(
        f'<span class="letter {side}" aria-hidden="true">{letter}</span>'
        for side, letter in zip(SIDES, view.letters, strict=True)
    )


def ratio(view: View, images: Pictures) -> str:
    """Return the style that keeps the proportions of a view."""
    width, height = view.size_mm(images.grid)
    return f"aspect-ratio: {width:g} / {height:g}"
