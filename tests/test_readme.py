"""What the README says runs, runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def python_examples():
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def test_dose_example(capsys):
    exec(compile(python_examples()[0], "README.md", "exec"), {})
    first, second, *_ = capsys.readouterr().out.splitlines()
    # 1e9 Bq in 27 mL of 1.06 g/cm3, less what leaves a cube of 3 cm (about a tenth)
    mean = float(first.split()[0])
    local = 49.73 / (0.027 * 1.06)
    assert 0.85 * local < mean < 0.95 * local
    assert second.startswith("D70 ")


def test_comparison_example(capsys):
    """Goes on where the first ends: a cube that loses a tenth of its energy is not what local deposition says."""
    exec(compile("".join(python_examples()[:2]), "README.md", "exec"), {})
    rate = float(re.search(r"gamma 3 % / 3 mm: ([\d.]+) %", capsys.readouterr().out)[1])
    assert 10.0 < rate < 90.0


def test_kernel_example(capsys):
    """X90 of three codes, Lanconelli's order of size, and the mean of a spectrum by hand (linear pieces)."""
    exec(compile(python_examples()[2], "README.md", "exec"), {})
    lines = capsys.readouterr().out.splitlines()
    assert 5.412 <= float(re.search(r"within ([\d.]+) mm", lines[0])[1]) <= 5.471
    assert 1.5 < float(re.search(r"value ([\d.]+)", lines[1])[1]) < 1.65
    energies, density = [0.0, 0.3, 0.7, 1.2, 1.7], [0.4, 0.9, 1.0, 0.5, 0.0]
    pieces = list(zip(energies, energies[1:], density, density[1:], strict=False))
    number = sum((b - a) * (f + g) / 2.0 for a, b, f, g in pieces)
    energy = sum((b - a) * (f * (2.0 * a + b) + g * (a + 2.0 * b)) / 6.0 for a, b, f, g in pieces)
    assert float(re.search(r"energy ([\d.]+) MeV", lines[2])[1]) == pytest.approx(energy / number, abs=0.0006)


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
