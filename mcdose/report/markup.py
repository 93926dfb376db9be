"""Pieces of the page, with all text made safe."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from mcdose.report.contents import Table

MANY = 11  # columns from which they are set closer on paper


def table(content: Table, name: str) -> str:
    """Return a table in a frame of its own, which scrolls where the page is narrow; `name` is the id of its caption."""
    kinds = [' class="words"' if column in content.words else "" for column in range(len(content.header))]
    head = "".join(
        f'<th scope="col"{kind}>{escape(cell)}</th>' for cell, kind in zip(content.header, kinds, strict=True)
    )
    body = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(rest, kinds[1:], strict=True))
        + "</tr>"
        for first, *rest in content.rows
    )
    note = f'\n<p class="note">{escape(content.note)}</p>' if content.note else ""
    many = ' class="many"' if len(content.header) > MANY else ""
    return (
        f'<div class="scroll" role="region" aria-labelledby="{name}" tabindex="0">\n<table{many}>\n'
        f'<caption id="{name}"><span>{escape(content.title)}</span></caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>{note}"
    )


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a list of labels and values."""
    rows = "\n".join(f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in pairs)
    return f'<dl class="facts">\n{rows}\n</dl>'


def items(sentences: Iterable[str]) -> str:
    """Return a list of sentences."""
    return f"<ul>\n{rows(sentences)}\n</ul>"


def rows(sentences: Iterable[str]) -> str:
    """Return sentences as the rows of a list."""
    return "\n".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)


def section(name: str, title: str, *parts: str) -> str:
    """Return a part of the page under a heading."""
    body = "\n".join(part for part in parts if part)
    return f'<section aria-labelledby="{name}">\n<h2 id="{name}">{escape(title)}</h2>\n{body}\n</section>'


def data(name: str, values: Any) -> str:
    """Return plain JSON types for the script to read; nothing in them can end the element or begin another."""
    text = json.dumps(values, ensure_ascii=False, allow_nan=False)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{name}">{text}</script>'


def packed(name: str, text: str) -> str:
    """Return a packed volume (`mcdose.report.encoding`) for the script to read."""
    return f'<script type="text/plain" id="{name}">{text}</script>'
