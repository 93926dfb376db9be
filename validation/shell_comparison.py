"""Shells of a point source against those of another code: rows of a report, and the figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcdose import PointKernel
from validation.outcome import Outcome, Row

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Reference:
    """Fractions of the emitted energy in shells.

    Parameters
    ----------
    edges_mm : (n + 1,)
    fraction, standard_error : (n,)
    """

    edges_mm: Array
    fraction: Array
    standard_error: Array

    @classmethod
    def of_rows(cls, rows: Sequence[dict[str, str]]) -> Reference:
        """Return the reference in rows of a table, as far as there is a ten thousandth of the largest fraction."""
        edges = np.array([float(rows[0]["inner_mm"]), *(float(row["outer_mm"]) for row in rows)])
        fraction, error = (np.array([float(row[name]) for row in rows]) for name in ("fraction", "standard_error"))
        shells = int(np.flatnonzero(fraction > 1e-4 * fraction.max())[-1]) + 1
        return cls(edges[: shells + 1], fraction[:shells], error[:shells])

    def radius_containing(self, fraction: float) -> float:
        """Return the radius [mm] inside which a fraction of the emitted energy is, linear within a shell."""
        return float(np.interp(fraction, np.concatenate([[0.0], np.cumsum(self.fraction)]), self.edges_mm))

    @property
    def middles_mm(self) -> Array:
        """Middles of the shells."""
        return np.asarray((self.edges_mm[1:] + self.edges_mm[:-1]) / 2.0)


def fractions(kernel: PointKernel, reference: Reference) -> tuple[Array, Array]:
    """Return fractions of the emitted energy and their errors in the shells of the reference, the kernel's first."""
    shells = reference.fraction.size
    values = kernel.energy_mev[:shells] / kernel.emitted_mev
    return np.asarray(values), np.asarray(kernel.standard_error_mev[:shells] / kernel.emitted_mev)


def rows_of_shells(kernel: PointKernel, reference: Reference, limits: Array, name: str = "") -> list[Row]:
    """Return a row for each shell; limits are fractions of the reference, NaN makes it information."""
    values, errors = fractions(kernel, reference)
    return [
        Row(
            f"{name}shell {reference.edges_mm[k]:.4g} to {reference.edges_mm[k + 1]:.4g} mm",
            float(values[k]),
            float(errors[k]),
            float(reference.fraction[k]),
            float(reference.standard_error[k]),
            float(limits[k]) if np.isfinite(limits[k]) else None,
        )
        for k in range(reference.fraction.size)
    ]


def rows_of_radii(
    kernel: PointKernel, reference: Reference, limits: dict[float, float | None], name: str = ""
) -> list[Row]:
    """Return a row for each radius that contains a fraction of the energy."""
    return [
        Row(
            f"{name}X{100 * fraction:g}, mm",
            kernel.radius_containing(fraction),
            0.0,
            reference.radius_containing(fraction),
            0.0,
            limit,
            sigmas=0.0,
        )
        for fraction, limit in limits.items()
    ]


def draw_shells(path: Path, outcome: Outcome, references: dict[str, Reference]) -> None:
    """Draw kernels over their references, and the differences in percent of the maximum.

    Parameters
    ----------
    references : by the name at the front of the rows' quantities
    """
    from matplotlib.figure import Figure

    columns = min(len(references), 4)
    lines = -(-len(references) // columns)
    figure = Figure(figsize=(max(3.2 * columns, 6.0), 4.4 * lines), layout="constrained")
    panels = figure.subplots(2 * lines, columns, squeeze=False, height_ratios=[3, 2] * lines)
    for number, (name, reference) in enumerate(references.items()):
        line, column = divmod(number, columns)
        above, below = panels[2 * line][column], panels[2 * line + 1][column]
        rows = [row for row in outcome.rows if row.quantity.startswith(f"{name}shell ")]
        values = np.array([row.value for row in rows])
        errors = np.array([row.standard_error for row in rows])
        highest = reference.fraction.max()
        width = np.diff(reference.edges_mm)
        above.stairs(reference.fraction / width, reference.edges_mm, color="#c55a11", label="PENELOPE")
        above.errorbar(reference.middles_mm, values / width, errors / width, fmt="k.", markersize=2, label="mcdose")
        difference = 100.0 * (values - reference.fraction) / highest
        sigma = 100.0 * np.hypot(errors, reference.standard_error) / highest
        below.fill_between(reference.middles_mm, -2.0 * sigma, 2.0 * sigma, color="#d9e4ee", label="2 combined sigma")
        below.plot(reference.middles_mm, difference, "k.", markersize=2)
        for level, style in ((-1.0, ":"), (0.0, "-"), (1.0, ":")):
            below.axhline(level, color="grey", linewidth=0.8, linestyle=style)
        below.set_ylim(-3.0, 3.0)
        above.set_title(name.strip(" ,"), fontsize=9)
        below.set_xlabel("radius, mm")
        if column == 0:
            above.set_ylabel("part of the energy per mm")
            below.set_ylabel("difference,\n% of the maximum")
            above.legend(fontsize=7)
            below.legend(fontsize=7)
    for panel in panels.ravel():
        if not panel.has_data():
            panel.remove()
    figure.savefig(path, dpi=110)
