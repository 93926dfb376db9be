"""Slices as PNG: those through the highest dose for paper and browsers without JavaScript, those through lesions."""

from __future__ import annotations

import base64
import io
from collections.abc import Container
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mcdose.report.colours import ON_DARK, coloured
from mcdose.report.pictures import Pictures
from mcdose.report.views import VIEWS, View

WIDEST = 640  # pixels of the widest view
WINDOW_HU = (-160.0, 240.0)  # soft tissue
SHOW_FROM = 0.01  # of the end of the scale; below it the CT alone is shown
OPACITY = 0.6
FULL_FROM = 0.1  # of the end of a scale of dose: lower doses are more transparent, in proportion
LINE, SHADE = 2, "#141414"  # pixels of an outline, and what is around it
BAR = 256  # pixels of the bar of colours


def still(pictures: Pictures, view: View, outlined: Container[str] | None = None, line: int = LINE) -> str:
    """Draw the slice at the start, as a data address: first layer over CT, outlines of all structures or of some."""
    index = pictures.start[view.axis]
    layer, top = pictures.layers[0], pictures.tops[0]
    low, high = WINDOW_HU
    hu = view.slice(pictures.ct_hu, index).astype(np.float64)
    picture = np.repeat(255.0 * np.clip((hu - low) / (high - low), 0.0, 1.0)[..., None], 3, axis=-1)
    values = view.slice(layer.values, index).astype(np.float64)
    shown = np.isfinite(values) & (np.abs(np.nan_to_num(values)) >= SHOW_FROM * top)
    place = (0.5 + 0.5 * values / top) if layer.kind == "difference" else values / top
    over = coloured(layer.kind, np.where(shown, place, 0.0))
    alpha = OPACITY * np.where(shown, np.minimum(1.0, place / FULL_FROM) if layer.kind == "dose" else 1.0, 0.0)
    picture += alpha[..., None] * (over - picture)
    width, height = _pixels(pictures, view)
    image = Image.fromarray(np.rint(picture).astype(np.uint8)).resize((width, height), Image.Resampling.NEAREST)
    drawing = ImageDraw.Draw(image)
    for place_, (name, mask) in enumerate(pictures.structures.items()):
        if outlined is not None and name not in outlined:
            continue
        _outline(drawing, view.slice(mask, index), (width, height), ON_DARK[place_ % len(ON_DARK)], line)
    return _address(image)


def bar(pictures: Pictures) -> str:
    """Draw the colours of the first layer's scale, as a data address."""
    colours = coloured(pictures.layers[0].kind, np.linspace(0.0, 1.0, BAR))
    return _address(Image.fromarray(np.rint(colours).astype(np.uint8)[None]))


def _pixels(pictures: Pictures, view: View) -> tuple[int, int]:
    scale = WIDEST / max(each.size_mm(pictures.grid)[0] for each in VIEWS)
    width, height = (max(1, round(scale * side)) for side in view.size_mm(pictures.grid))
    return width, height


def _outline(drawing: Any, inside: NDArray[Any], size: tuple[int, int], colour: str, line: int) -> None:
    """Draw the edges of voxels between inside and outside."""
    rows, columns = inside.shape
    width, height = size
    padded, edges = np.pad(inside.astype(np.bool_), 1), []
    for row, column in zip(*np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1]), strict=True):
        y = row * height / rows
        edges.append([(column * width / columns, y), ((column + 1) * width / columns, y)])
    for row, column in zip(*np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1]), strict=True):
        x = column * width / columns
        edges.append([(x, row * height / rows), (x, (row + 1) * height / rows)])
    for ink, wide in ((SHADE, line + 2), (colour, line)):  # seen on bright doses too
        for edge in edges:
            drawing.line(edge, ink, wide)


def _address(image: Image.Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
