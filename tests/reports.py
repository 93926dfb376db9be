"""A report of made-up doses for the tests, and a parser that checks HTML while it reads."""

from html.parser import HTMLParser

import numpy as np

from mcdose.dvh import dvh
from mcdose.grid import Grid
from mcdose.report.contents import Layer, Report, Table

GRID = Grid(shape=(10, 20, 36), voxel_mm=(5.0, 3.0, 2.0), origin_mm=(-100.0, 40.0, -30.5))
HOSTILE = "</script><script>alert(1)</script>"
HOTTEST = (7, 5, 21)
VOID = {"meta", "link", "input", "img", "br"}


def made_up(grid=GRID, names=("liver", HOSTILE, 'a "b" & c'), seed=1):
    """Doses of two methods, the second 10 % higher, uncertainty and difference in percent; no dose in one slice."""
    rng = np.random.default_rng(seed)
    hot = tuple(size * at // 30 for size, at in zip(grid.shape, (18, 8, 21), strict=True)) if grid != GRID else HOTTEST
    places = np.meshgrid(*(np.arange(size) for size in grid.shape), indexing="ij", sparse=True)
    distance = sum((place - at) ** 2 for place, at in zip(places, hot, strict=True))
    dose = (200.0 * np.exp(-distance / 40.0) * rng.uniform(0.9, 1.0, grid.shape)).astype(np.float32)
    dose[hot] = 210.0
    masks = [distance < 9.0 * (k + 1) for k in range(len(names))]
    masks[0] = masks[0] * np.float32(0.75)  # coverage
    dose[0] = np.nan
    scored = ~np.isnan(dose)
    other = np.float32(1.1) * dose
    with np.errstate(invalid="ignore"):
        layers = (
            Layer("Dose, Monte Carlo", dose, "Gy", "dose"),
            Layer("Relative uncertainty", np.float32(1.5) + 0 * dose, "%", "uncertainty"),
            Layer("Dose, local deposition", other, "Gy", "dose"),
            Layer("Difference", np.float32(10.0) + 0 * dose, "%", "difference"),
        )
    structures = dict(zip(names, masks, strict=True))
    curves = {
        method: {name: dvh(values, mask * scored, grid.voxel_mm) for name, mask in structures.items()}
        for method, values in (("Monte Carlo", dose), ("local deposition", other))
    }
    return Report(
        title="Y-90 absorbed dose",
        lead=f"made up {HOSTILE}",
        facts=(("Activity", HOSTILE),),
        grid=grid,
        ct_hu=rng.integers(-1000, 1500, grid.shape).astype(np.int16),
        structures=structures,
        layers=layers,
        curves=curves,
        dose_to="medium",
        tables=(Table(f"Table {HOSTILE}", ("Structure", "Gy"), tuple((name, "1.5") for name in names), HOSTILE),),
        balance=Table("Energy", ("Energy", "MeV"), (("Emitted", "1.0"),)),
        warnings=(HOSTILE,),
        notes=(HOSTILE,),
        references=(HOSTILE,),
    )


class Reader(HTMLParser):
    """Elements of a page in order; raises where they are not nested.

    Attributes
    ----------
    elements : (tag, attributes, text) of each element; the text is its own, not that of elements in it
    """

    def __init__(self, page):
        super().__init__()
        self.elements = []
        self._open = []
        self.feed(page)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), f"{tag} names an attribute twice"
        self.elements.append((tag, dict(attrs), []))
        if tag not in VOID:
            self._open.append(self.elements[-1])

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag):
        assert self._open, f"</{tag}> ends nothing"
        last = self._open.pop()
        assert last[0] == tag, f"</{tag}> ends <{last[0]}>"

    def handle_data(self, data):
        if self._open:
            self._open[-1][2].append(data)

    def all(self, tag):
        """Attributes and own text of all elements of a kind."""
        return [(attributes, "".join(text)) for name, attributes, text in self.elements if name == tag]

    def by_id(self, name):
        """Own text of the element of an id."""
        (text,) = ("".join(text) for _, attributes, text in self.elements if attributes.get("id") == name)
        return text
