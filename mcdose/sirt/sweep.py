"""Doses against activity: a table, and the same as a drawing (SVG) with the limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from html import escape
from itertools import pairwise

from mcdose.sirt.checks import positive
from mcdose.sirt.judgement import lowest_tumour
from mcdose.sirt.limit import Limit
from mcdose.sirt.notice import NOTICE
from mcdose.sirt.partition import Plan, plan_doses
from mcdose.sirt.solution import with_activity

STEPS = 10
WIDTH, HEIGHT = 760.0, 460.0
LEFT, RIGHT, TOP, BOTTOM = 78.0, 28.0, 16.0, 100.0
# variations of the palette of Okabe and Ito (2008), with dashes of their own
STYLES = (("#b3450a", ""), ("#0067a8", "9 5"), ("#00795a", "2 4"), ("#8a3f73", "12 4 2 4"))
SIGNS = {">=": "\u2265", "<=": "\u2264"}
HALO = 'stroke="#fff" stroke-width="4" paint-order="stroke" stroke-linejoin="round"'
LABEL = 15.0  # from one line of text to the next
CURVES = {  # quantity of a limit to the column it belongs to
    "tumour_gy": "lowest tumour",
    "normal_perfused_gy": "normal, perfused",
    "normal_liver_gy": "normal liver",
    "lung_gy": "lungs",
}


@dataclass(frozen=True)
class Row:
    """Mean doses [Gy] at one activity of a session [GBq]; tumour and perfused liver with what other sessions give."""

    activity_gbq: float
    tumour_gy: float | None
    perfused_gy: float | None
    normal_perfused_gy: float | None
    normal_liver_gy: float | None
    lung_gy: float | None


def sweep(plan: Plan, most_gbq: float, *, session: int | None = None, steps: int = STEPS) -> tuple[Row, ...]:
    """Return the doses at equal steps of activity from 0 to `most_gbq`.

    Of the tumours that the session reaches it is the one that gets least at the end; of all where it reaches none.
    """
    most = positive("most_gbq", most_gbq)
    number = plan.sessions[0] if session is None and len(plan.sessions) == 1 else session
    whole = with_activity(plan, most, number)
    full = plan_doses(whole)
    reached = full.sessions[whole.sessions.index(number or 1)].tumours
    tumour = lowest_tumour({name: dose for name, dose in full.cumulative.tumours.items() if reached[name]})
    tumour = tumour or lowest_tumour(full.cumulative.tumours)
    rows = []
    for step in range(steps + 1):
        activity = most * step / steps
        changed = with_activity(plan, activity, number)
        doses = plan_doses(changed)
        own = doses.sessions[changed.sessions.index(number or 1)]
        rows.append(
            Row(
                activity,
                None if tumour is None else doses.cumulative.tumours[tumour],
                doses.cumulative.perfused_gy,
                own.normal_perfused_gy,
                own.normal_liver_gy,
                own.lung_gy,
            )
        )
    return tuple(rows)


def scaled(own: Row, before: Row, most_gbq: float, *, steps: int = STEPS) -> tuple[Row, ...]:
    """Return doses at equal steps of activity from 0 to `most_gbq`, in proportion to those of one activity.

    Parameters
    ----------
    own : an activity and the doses that it alone gives; spread alike, another gives doses in proportion
    before : what is added to each, at all activities
    """
    given, most = positive("activity_gbq", own.activity_gbq), positive("most_gbq", most_gbq)
    doses = list(zip(astuple(own)[1:], astuple(before)[1:], strict=True))
    rows = []
    for step in range(steps + 1):
        activity = most * step / steps
        rows.append(
            Row(activity, *(None if dose is None else (more or 0.0) + dose * activity / given for dose, more in doses))
        )
    return tuple(rows)


def drawing(
    rows: Sequence[Row],
    limits: Sequence[Limit],
    activity_gbq: float | None = None,
    *,
    across: str = "Activity at injection [GBq]",
    inline: bool = False,
) -> str:
    """Draw doses against activity as SVG: a line a compartment, limits across, the planned activity upright.

    Parameters
    ----------
    rows : of `sweep` or `scaled`, at least two
    limits : those of drawn quantities that are constraints or goals
    activity_gbq : to be marked
    across : what the axis of activity says
    inline : part of a page that sizes it, not a file
    """
    end = rows[-1].activity_gbq
    curves = [name for name in CURVES if any(getattr(row, name) is not None for row in rows)]
    shown = _once(limit for limit in limits if limit.quantity in curves and limit.role in ("constraint", "goal"))
    values = [getattr(row, quantity) for row in rows for quantity in CURVES]
    top = max([value for value in values if value is not None] + [limit.value for limit in shown]) or 1.0
    y_ticks, x_ticks = _ticks(top), _ticks(end)
    parts, words = [_axes(x_ticks, y_ticks, across)], []
    places = _label_places([_y(limit.value, y_ticks[-1]) for limit in shown])
    for (quantity, name), (colour, dashes) in zip(CURVES.items(), STYLES, strict=True):
        points = [(row.activity_gbq, getattr(row, quantity)) for row in rows]
        path = " ".join(
            f"{_x(a, x_ticks[-1]):.1f},{_y(dose, y_ticks[-1]):.1f}" for a, dose in points if dose is not None
        )
        if path:
            parts.append(
                f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5" '
                f'stroke-dasharray="{dashes}"><title>{escape(name)}</title></polyline>'
            )
        for place, limit in enumerate(shown):
            if limit.quantity != quantity:
                continue
            y = _y(limit.value, y_ticks[-1])
            parts.append(f'<path d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}" stroke="{colour}" stroke-width="1"/>')
            words.append(
                f'<text x="{LEFT + 6:g}" y="{places[place]:.1f}" fill="{colour}" {HALO}>'
                f"{escape(f'{name} {SIGNS[limit.comparison]} {limit.value:g} Gy')}</text>"
            )
    if activity_gbq is not None and 0.0 < activity_gbq <= x_ticks[-1]:
        x = _x(activity_gbq, x_ticks[-1])
        parts.append(
            f'<path d="M{x:.1f} {TOP:g}V{HEIGHT - BOTTOM:g}" stroke="#222" stroke-width="1.5"/>'
            f'<text x="{x + 5:.1f}" y="{TOP + 12:g}" {HALO}>{activity_gbq:.3g} GBq</text>'
        )
    parts += [*words, _key(curves)]
    file = f'xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{HEIGHT:g}" '
    return (
        f'<svg {"" if inline else file}viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" font-family="sans-serif" '
        f'font-size="13">\n'
        f"<title>Mean dose against activity</title>\n<desc>{escape(NOTICE)}</desc>\n"
        f'<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _ticks(largest: float) -> list[float]:
    """Return 0 and up to eight values in steps of 1, 2 or 5 times a power of ten, to the largest or just above."""
    decade = 10.0 ** len(str(int(largest)))
    steps = [factor * decade * 10.0**-power for power in range(12, -1, -1) for factor in (1.0, 2.0, 5.0)]
    step = next(step for step in steps if step * 8.0 >= largest * (1.0 - 1e-9))
    count = next(count for count in range(1, 10) if count * step >= largest * (1.0 - 1e-9))
    return [float(f"{place * step:.6g}") for place in range(count + 1)]


def _x(activity: float, end: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * activity / end


def _y(dose: float, end: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - dose / end)


def _axes(x_ticks: list[float], y_ticks: list[float], across: str) -> str:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for dose in y_ticks:
        y = _y(dose, y_ticks[-1])
        parts.append(f'<path d="M{LEFT:g} {y:.1f}H{right:g}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end">{dose:g}</text>')
    for activity in x_ticks:
        x = _x(activity, x_ticks[-1])
        parts.append(f'<path d="M{x:.1f} {TOP:g}V{bottom:g}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18:g}" text-anchor="middle">{activity:g}</text>')
    middle = 0.5 * (LEFT + right)
    parts.append(f'<text x="{middle:g}" y="{bottom + 40:g}" text-anchor="middle">{escape(across)}</text>')
    parts.append(
        f'<text transform="translate(20 {0.5 * (TOP + bottom):g}) rotate(-90)" text-anchor="middle">'
        "Mean dose [Gy]</text>"
    )
    return "\n".join(parts)


def _once(limits: Iterable[Limit]) -> list[Limit]:
    """Return limits that are drawn alike once."""
    return list({(one.quantity, one.comparison, one.value): one for one in limits}.values())


def _label_places(lines: Sequence[float]) -> list[float]:
    """Put each label above its line, or, where labels would meet, above the one below it."""
    places = [y - 4.0 for y in lines]
    lowest_first = sorted(range(len(places)), key=lambda k: -places[k])
    for below, above in pairwise(lowest_first):
        places[above] = min(places[above], places[below] - LABEL)
    return places


def _key(curves: Sequence[str]) -> str:
    parts = []
    width = (WIDTH - LEFT - RIGHT) / len(CURVES)
    styles = dict(zip(CURVES, STYLES, strict=True))
    for place, curve in enumerate(curves):
        name, (colour, dashes) = CURVES[curve], styles[curve]
        x, y = LEFT + place * width, HEIGHT - 22.0
        parts.append(
            f'<path d="M{x:.0f} {y:g}h30" stroke="{colour}" stroke-width="2.5" stroke-dasharray="{dashes}"/>'
            f'<text x="{x + 36:.0f}" y="{y + 4:g}">{escape(name)}</text>'
        )
    return "\n".join(parts)
