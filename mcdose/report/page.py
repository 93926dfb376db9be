"""Assemble and write the page."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib.resources import files
from pathlib import Path

from mcdose import __version__
from mcdose.report import dvh_chart, image_section, markup, treatment_section
from mcdose.report.colours import ON_DARK, ON_LIGHT
from mcdose.report.contents import Report
from mcdose.report.pictures import MOST_VOXELS, pictures

DISCLAIMER = "Research software. Not a medical device: do not treat patients by its figures."


def write_report(path: Path, report: Report) -> None:
    """Write a report as one HTML file that refers to no other."""
    path.write_text(page(report), encoding="utf-8")


def page(report: Report, most_voxels: int = MOST_VOXELS) -> str:
    """Return a report as HTML; images of more than `most_voxels` are cropped and averaged.

    Nothing outside the file is referred to, and its content security policy forbids it: no request, and no script
    but the one viewer, which is named by its hash. All figures are there without JavaScript.
    """
    images = pictures(report, most_voxels)
    treatment = {} if report.treatment is None else treatment_section.sections(report, report.treatment, images)
    sections = {
        ("warnings", "Warnings"): markup.items(report.warnings) if report.warnings else "",
        **treatment,
        ("doses", "Doses of all structures" if treatment else "Doses"): _tables(report),
        ("images", "Images"): image_section.markup(report, images),
        ("histograms", "Dose-volume histograms"): _histograms(report),
        ("making", "How it was made"): _making(report),
        ("notes", "Notes"): markup.items(report.notes) if report.notes else "",
        ("references", "References"): _references(report),
    }
    sections = {key: body for key, body in sections.items() if body}
    contents = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in sections)
    viewer = _resource("viewer.js")
    return "\n".join(
        [
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{_policy(viewer)}',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">\n<link rel="icon" href="data:,">',
            f"<title>{escape(report.title)}</title>",
            f"<style>\n{_line_colours()}\n{_resource('page.css')}</style>\n</head>\n<body>",
            f"<header>\n<h1>{escape(report.title)}</h1>\n<p>{escape(report.lead)}</p>",
            f'<p class="disclaimer">{DISCLAIMER}</p>\n</header>',
            f'<nav aria-label="Contents"><ul>{contents}</ul></nav>\n<main>',
            *(markup.section(name, title, body) for (name, title), body in sections.items()),
            f"</main>\n<footer><p>Made by mcdose {__version__}. {DISCLAIMER}</p></footer>",
            image_section.embedded(report, images),
            f"<script>{viewer}</script>\n</body>\n</html>\n",
        ]
    )


def _policy(viewer: str) -> str:
    seal = base64.b64encode(hashlib.sha256(viewer.encode()).digest()).decode("ascii")
    rules = f"default-src 'none'; script-src 'sha256-{seal}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"
    return f'<meta http-equiv="Content-Security-Policy" content="{rules}">'


def _tables(report: Report) -> str:
    return "\n".join(markup.table(table, f"table-{k}") for k, table in enumerate(report.tables))


def _histograms(report: Report) -> str:
    tables = dvh_chart.values(report)
    if not tables:
        return ""
    drawing = f'<figure class="histogram">\n{dvh_chart.chart(report)}\n{dvh_chart.key(report)}\n</figure>'
    return "\n".join([drawing, *(markup.table(table, f"volumes-{k}") for k, table in enumerate(tables))])


def _making(report: Report) -> str:
    balance = markup.table(report.balance, "balance") if report.balance else ""
    return f"{markup.facts(report.facts)}\n{balance}"


def _references(report: Report) -> str:
    sources = report.treatment.sources if report.treatment else ()
    numbered = f'<h3>Limits</h3>\n<ol class="sources">{markup.rows(sources)}</ol>' if sources else ""
    others = markup.items(report.references) if report.references else ""
    return f"{numbered}\n{'<h3>Methods and data</h3>' if numbered and others else ''}\n{others}".strip()


def _line_colours() -> str:
    """Colours of the structures as custom properties and classes, for a light and a dark page, and on images."""
    light, dark = (
        " ".join(f"--line-{k}: {colour};" for k, colour in enumerate(colours)) for colours in (ON_LIGHT, ON_DARK)
    )
    classes = "\n".join(f".c{k} {{ color: var(--line-{k}); }}" for k in range(len(ON_LIGHT)))
    return f":root {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n{classes}"


def _resource(name: str) -> str:
    return files("mcdose.report").joinpath(name).read_text(encoding="utf-8")
