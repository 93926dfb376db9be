"""Pictures of each lesion: dose over CT through its centre, with the outlines, cropped to the liver."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace
from html import escape

import numpy as np

from mcdose.report import stills
from mcdose.report.contents import Layer, Report, TreatmentPart
from mcdose.report.image_section import letters, ratio, swatch
from mcdose.report.pictures import Pictures, part_of
from mcdose.report.views import AXES, VIEWS

MOST = 12  # lesions that are pictured
MARGIN_MM = 12.0  # around the liver
SHOWN = VIEWS[:2]  # axial and coronal
TICKS = 5
LINE = 4  # pixels of an outline: the pictures are shown at half their size


def markup(report: Report, part: TreatmentPart, images: Pictures) -> str:
    """Return a figure for each lesion, with the scale of colours.

    Parameters
    ----------
    report, part : what the page is made of
    images : as the viewer shows them
    """
    centres = {name: centre_of(report, name, images) for name in part.lesions[:MOST]}
    box = box_of(images, [*part.around[:1], *part.lesions])
    top = images.tops[0]
    ticks = "".join(f"<li>{k * top / (TICKS - 1):.3g}</li>" for k in range(TICKS))
    outlined = dict.fromkeys([*part.lesions, *part.around])
    figures = "\n".join(
        _figure(images, cropped_to(images, box, at), name, at, outlined) for name, at in centres.items()
    )
    left = len(part.lesions) - len(centres)
    more = (
        f'<p class="note">{left} more lesions are not pictured here; the viewer below shows them.</p>' if left else ""
    )
    names = list(images.structures)
    key = "".join(f"<li>{swatch(names.index(name))}{escape(name)}</li>" for name in outlined if name in names)
    title = escape(f"{images.layers[0].name} [{images.layers[0].unit}]")
    bar = f'<img src="{stills.bar(images)}" alt="Colours from dark to bright"><ol class="ticks">{ticks}</ol>'
    return (
        f'<div class="key-of-lesions"><div class="bar"><p class="bar-title">{title}</p>\n{bar}</div>\n'
        f'<ul class="names">{key}</ul></div>\n<div class="lesions">\n{figures}\n</div>\n{more}'
    )


def _figure(
    images: Pictures, cropped: Pictures, name: str, centre: tuple[int, int, int], outlined: Container[str]
) -> str:
    views = []
    for view in SHOWN:
        at = f"{AXES[view.axis]} = {images.grid.centres_mm(view.axis)[centre[view.axis]]:.1f} mm"
        alt = f"{images.layers[0].name} over CT, {view.name.lower()} slice through the centre of {name}, {at}"
        picture = stills.still(cropped, view, outlined, LINE)
        views.append(
            f'<div><div class="frame" style="{ratio(view, cropped)}"><img src="{picture}" alt="{escape(alt)}">'
            f'{letters(view)}</div><p class="at">{view.name}, {at}</p></div>'
        )
    title = f"<figcaption>{escape(name)}</figcaption>"
    return f'<figure class="lesion">\n{title}\n<div class="pair">\n{"".join(views)}\n</div>\n</figure>'


def centre_of(report: Report, name: str, images: Pictures) -> tuple[int, int, int]:
    """Return the voxel of the pictures at the centre of a lesion, in a slice of it along each axis."""
    coverage = np.asarray(report.structures[name], np.float64)
    found = []
    for axis in range(3):
        profile = coverage.sum(axis=tuple(k for k in range(3) if k != axis))
        centre = float((profile * np.arange(len(profile))).sum() / profile.sum())
        inside = np.flatnonzero(profile > 0.5 * profile.max())
        index = int(inside[np.argmin(np.abs(inside - centre))])
        position = report.grid.own.centres_mm(axis)[index]
        found.append(int(np.argmin(np.abs(images.grid.centres_mm(axis) - position))))
    return found[0], found[1], found[2]


def box_of(images: Pictures, names: list[str]) -> tuple[slice, slice, slice]:
    """Return the box around structures, with a margin; all of the pictures where none of them is seen."""
    wanted = np.zeros(images.grid.shape, np.bool_)
    for name in names:
        wanted |= images.structures.get(name, np.zeros(1, np.bool_))
    parts = []
    for axis in range(3):
        found = np.flatnonzero(wanted.any(axis=tuple(k for k in range(3) if k != axis)))
        if not found.size:
            found = np.arange(images.grid.shape[axis])
        margin = round(MARGIN_MM / images.grid.voxel_mm[axis])
        parts.append(slice(max(0, int(found[0]) - margin), min(images.grid.shape[axis], int(found[-1]) + 1 + margin)))
    return parts[0], parts[1], parts[2]


def cropped_to(images: Pictures, box: tuple[slice, slice, slice], centre: tuple[int, int, int]) -> Pictures:
    """Return a part of the pictures, with their first layer, that starts at a voxel."""
    z, y, x = (min(max(at, cut.start), cut.stop - 1) - cut.start for at, cut in zip(centre, box, strict=True))
    first = images.layers[0]
    return replace(
        images,
        grid=part_of(images.grid, box),
        ct_hu=images.ct_hu[box],
        structures={name: mask[box] for name, mask in images.structures.items()},
        layers=(Layer(first.name, first.values[box], first.unit, first.kind),),
        tops=images.tops[:1],
        start=(z, y, x),
    )
