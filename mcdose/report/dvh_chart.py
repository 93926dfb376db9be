"""Dose-volume histograms as a drawing (SVG), a key and a table of the same values."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mcdose.report.colours import ON_LIGHT
from mcdose.report.contents import Report, Table

if TYPE_CHECKING:
    from mcdose.dvh import Dvh

WIDTH, HEIGHT = 760.0, 430.0
LEFT, RIGHT, TOP, BOTTOM = 78.0, 28.0, 14.0, 74.0
POINTS = 600  # along the dose axis
MARKED = (88.0, 62.0, 38.0, 12.0)  # percent of the volume where a curve has its marks
DASHES = ("", "9 5", "2 4", "12 4 2 4")  # by method
MARKS = (  # by structure, drawn about (0, 0): disc, square, triangle, diamond, cross
    '<circle r="4.5"/>',
    '<path d="M-4 -4h8v8h-8z"/>',
    '<path d="M0 -5.5 5 4h-10z"/>',
    '<path d="M0 -5.5 5.5 0 0 5.5 -5.5 0z"/>',
    '<path d="M-4.5 -4.5 4.5 4.5M-4.5 4.5 4.5 -4.5"/>',
)
TABLE_ROWS = 14


def chart(report: Report) -> str:
    """Draw all curves of a report: a colour and a mark by structure, dashes by method."""
    ticks = dose_ticks(_largest(report))
    end = ticks[-1]
    lines = "\n".join(
        f'<g class="curve c{place % len(ON_LIGHT)}" data-structure="{place}">'
        f'<path d="{_path(dvh, end)}" stroke-dasharray="{DASHES[method % len(DASHES)]}"/>'
        f"{''.join(_marks(dvh, end, place))}</g>"
        for method, place, _, dvh in _curves(report)
    )
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-labelledby="dvh-title dvh-desc">\n'
        f'<title id="dvh-title">Cumulative dose-volume histograms</title>\n'
        f'<desc id="dvh-desc">{escape(_description(report))}</desc>\n'
        f"{_axes(ticks, f'Dose to {report.dose_to} [Gy]')}\n{lines}\n</svg>"
    )


def key(report: Report) -> str:
    """Say which line is which."""
    shown = dict.fromkeys(place for _, place, _, _ in _curves(report))
    names = list(report.structures)
    rows = [_key_row(names[place], place, "") for place in shown]
    if len(report.curves) > 1:
        rows += [_key_row(name, None, DASHES[k % len(DASHES)]) for k, name in enumerate(report.curves)]
    return '<ul class="key">\n' + "\n".join(rows) + "\n</ul>"


def values(report: Report) -> list[Table]:
    """Volume that receives at least some doses, a table for each method: the curves in numbers."""
    doses = _steps(_largest(report))[1:]
    header = ("Structure", *(f"{dose:g}\xa0Gy" for dose in doses.tolist()))
    tables = []
    for method, curves in report.curves.items():
        of = f" by {method}" if len(report.curves) > 1 else ""
        rows = [
            (name, *(f"{100.0 * share:.1f}" for share in curve.volume_fraction(doses).tolist()))
            for name, curve in curves.items()
        ]
        if rows:
            tables.append(Table(f"Volume [%] that receives at least a dose{of}", header, tuple(rows)))
    return tables


def dose_ticks(largest: float) -> list[float]:
    """Return 0 and up to eight doses in equal steps of 1, 2 or 5 times a power of ten, to the largest or just above."""
    return [float(dose) for dose in _steps(largest, 8)]


def _steps(largest: float, most: int = TABLE_ROWS) -> NDArray[np.float64]:
    if not largest > 0.0:
        return np.array([0.0, 1.0])
    decade = 10.0 ** np.floor(np.log10(largest / most))
    step = next(factor * decade for factor in (1.0, 2.0, 5.0, 10.0) if factor * decade * most >= largest * (1 - 1e-9))
    count = int(np.ceil(largest / step * (1 - 1e-9)))
    return np.array([float(f"{k * step:.6g}") for k in range(count + 1)])


def _curves(report: Report) -> Iterator[tuple[int, int, str, Dvh]]:
    """Yield index of the method, place of the structure, its name, histogram."""
    places = {name: k for k, name in enumerate(report.structures)}
    for method, curves in enumerate(report.curves.values()):
        for name, curve in curves.items():
            yield method, places[name], name, curve


def _largest(report: Report) -> float:
    return max((curve.max_gy for _, _, _, curve in _curves(report)), default=0.0)


def _x(dose: float, end: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * dose / end


def _y(percent: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - percent / 100.0)


def _path(curve: Dvh, end: float) -> str:
    """Draw a curve at equal steps of dose, from 0 to where its volume is at an end; points on a straight line go."""
    doses = np.linspace(0.0, end, POINTS + 1)
    doses = np.append(doses[doses < curve.max_gy], curve.max_gy)
    percent = 100.0 * curve.volume_fraction(doses)
    x, y = np.round(_x(1.0, end) - LEFT, 4) * doses + LEFT, np.array([_y(p) for p in percent.tolist()])
    bent = np.ones(len(x), np.bool_)
    bent[1:-1] = np.abs((y[1:-1] - y[:-2]) - (y[2:] - y[1:-1])) > 0.02
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x[bent], y[bent], strict=True))
    return f"M{points} L{x[-1]:.1f},{_y(0.0):.1f}"


def _marks(curve: Dvh, end: float, place: int) -> Iterator[str]:
    for percent in MARKED:
        at = percent - 3.0 * (place % 5)  # not all curves at the same height
        x, y = _x(curve.d(max(at, 1.0)), end), _y(max(at, 1.0))
        yield f'<g transform="translate({x:.1f} {y:.1f})">{MARKS[place % len(MARKS)]}</g>'


def _axes(ticks: list[float], label: str) -> str:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for percent in range(0, 101, 20):
        y = _y(percent)
        parts.append(f'<path class="grid" d="M{LEFT:g} {y:.1f}H{right:g}"/>')
        parts.append(
            f'<text x="{LEFT - 9:g}" y="{y:.1f}" text-anchor="end" dominant-baseline="central">{percent}</text>'
        )
    for dose in ticks:
        x = _x(dose, ticks[-1])
        parts.append(f'<path class="grid" d="M{x:.1f} {TOP:g}V{bottom:g}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 24:g}" text-anchor="middle">{dose:g}</text>')
    middle = 0.5 * (LEFT + right)
    parts.append(f'<text x="{middle:g}" y="{HEIGHT - 14:g}" text-anchor="middle">{escape(label)}</text>')
    parts.append(
        f'<text transform="translate(20 {0.5 * (TOP + bottom):g}) rotate(-90)" text-anchor="middle">Volume [%]</text>'
    )
    return "\n".join(parts)


def _description(report: Report) -> str:
    sentences = [
        f"{name}{f', {list(report.curves)[method]}' if len(report.curves) > 1 else ''}: mean {curve.mean_gy:.4g} Gy, "
        f"D95 {curve.d(95):.4g} Gy, D50 {curve.d(50):.4g} Gy, maximum {curve.max_gy:.4g} Gy."
        for method, _, name, curve in _curves(report)
    ]
    return f"Percent of the volume against dose to {report.dose_to}. {' '.join(sentences)}"


def _key_row(name: str, place: int | None, dashes: str) -> str:
    colour = "plain" if place is None else f"c{place % len(ON_LIGHT)}"
    mark = "" if place is None else f'<g transform="translate(21 8)">{MARKS[place % len(MARKS)]}</g>'
    line = f'<path d="M1 8h40" stroke-dasharray="{dashes}"/>'
    sample = f'<g class="curve {colour}">{line}{mark}</g>'
    return f'<li><svg class="sample" viewBox="0 0 42 16" aria-hidden="true">{sample}</svg>{escape(name)}</li>'
