"""What the README says runs, runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_python_example(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    first, second, *_ = capsys.readouterr().out.splitlines()
    # 1e9 Bq in 27 mL of 1.06 g/cm3, less what leaves a cube of 3 cm (about a tenth)
    mean = float(first.split()[0])
    local = 49.73 / (0.027 * 1.06)
    assert 0.85 * local < mean < 0.95 * local
    assert second.startswith("D70 ")


@pytest.mark.parametrize("name", ["demo", "test"])
def test_ci_finds_the_commands(name):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"^<!-- command: {name} -->\n```sh\n.+\n```$", text, re.MULTILINE)


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *sorted(p.name for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(page):
    path = ROOT / page if (ROOT / page).exists() else ROOT / "docs" / page
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not broken
