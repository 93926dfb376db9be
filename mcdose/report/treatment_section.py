"""The sections of a page that are about a radioembolization."""

from __future__ import annotations

from html import escape

from mcdose.report import lesion_pictures, markup
from mcdose.report.contents import Report, TreatmentPart
from mcdose.report.pictures import Pictures


def sections(report: Report, part: TreatmentPart, images: Pictures) -> dict[tuple[str, str], str]:
    """Return the sections of the page, (name, title) to markup, in their order."""
    return {
        ("treatment", "Treatment"): _overview(part),
        ("tissues", "Lesions, normal liver, lungs"): _tissues(part),
        ("limits", "Limits and goals"): markup.table(part.limits, "table-limits") if part.limits else _no_limits(),
        ("lesions", "Pictures of the lesions"): lesion_pictures.markup(report, part, images),
        ("compartments", "Compartments and voxels"): _compartments(part),
        ("activity", "Dose against activity"): _activity(part),
        ("effect", "Biological effect"): _effect(part),
        ("uncertainty", "Uncertainty"): markup.table(part.budget, "table-budget"),
        ("assumptions", "Assumptions, and what is left out"): markup.items(part.assumptions),
    }


def _overview(part: TreatmentPart) -> str:
    tiles = "\n".join(
        f'<div><dt>{escape(one.label)}</dt><dd><span class="big">{escape(one.value)}</span> '
        f"<span>{escape(one.note)}</span></dd></div>"
        for one in part.figures
    )
    return (
        f'<p class="notice">{escape(part.notice)}</p>\n<dl class="tiles">\n{tiles}\n</dl>\n{markup.facts(part.facts)}'
    )


def _tissues(part: TreatmentPart) -> str:
    more = {"table-recovery": part.recovery, "table-sessions": part.sessions, "table-lungs": part.lungs}
    tables = {"table-tissues": part.tissues, **more}
    return "\n".join(markup.table(table, name) for name, table in tables.items() if table)


def _effect(part: TreatmentPart) -> str:
    if part.effect is None:
        return f'<p class="note">No BED: {escape(part.no_effect)}.</p>'
    return markup.table(part.effect, "table-effect")


def _no_limits() -> str:
    return '<p class="note">No limit was chosen.</p>'


def _compartments(part: TreatmentPart) -> str:
    reasons = "\n".join(
        f"<li><strong>{escape(name)}</strong>: {escape(sentence)}.</li>" for name, sentence in part.reasons
    )
    return (
        f"{markup.table(part.compartments, 'table-compartments')}\n<h3>Why they may differ</h3>\n<ul>\n{reasons}\n</ul>"
    )


def _activity(part: TreatmentPart) -> str:
    table = markup.table(part.solution, "table-solution") if part.solution else ""
    if not part.drawing:
        return table
    note = f'<figcaption class="note">{escape(part.drawing_note)}</figcaption>'
    return f'{table}\n<figure class="curve-of-activity">\n{part.drawing}\n{note}\n</figure>'
