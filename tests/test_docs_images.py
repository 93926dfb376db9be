"""The messages that docs/images.md quotes are those of the code."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
OF_LIBRARIES = {"uniquely identify frames"}  # of highdicom


def spoken():
    """All texts of the package, with a NUL where a value is put in."""
    for path in (ROOT / "mcdose").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "\0" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"%[.\d]*[rsdfg]", "\0", node.value).replace("%%", "%")


def quoted():
    """The messages in the tables of every case: what is in backquotes in the third column."""
    _, _, tables = (ROOT / "docs" / "images.md").read_text(encoding="utf-8").partition("\n## Every case\n")
    for row in (line for line in tables.splitlines() if line.startswith("| ")):
        yield from re.findall(r"`([^`]+)`", row.split("|")[3])


def test_messages_in_the_tables_are_those_of_the_code():
    """Word by word; a word of the table may be a value where the code has one, but two must be the code's own."""
    texts = list(spoken())
    found = set(quoted()) - OF_LIBRARIES
    assert len(found) > 80
    for message in found:
        for piece in message.split(" ... "):
            words = piece.split(" ")
            pattern = re.compile(
                " ".join(rf"(?:{re.escape(word)}|(?P<value{k}>\S*\0\S*))" for k, word in enumerate(words))
            )
            own = (len(words) - sum(v is not None for v in m.groups()) for t in texts for m in [pattern.search(t)] if m)
            assert max(own, default=0) >= min(2, len(words)), f"no such message: {piece}"
