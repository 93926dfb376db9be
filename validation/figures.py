"""The figure of a report: what every quantity differs by, and what it may differ by."""

from __future__ import annotations

import textwrap
from pathlib import Path

from validation.outcome import Outcome


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw the differences with 1 sigma bars over the bands that the limits allow."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    rows = outcome.rows
    figure, axes = plt.subplots(figsize=(7.0, 1.2 + 0.2 * len(rows)), layout="constrained")
    places = list(range(len(rows)))
    bands = [100.0 * ((row.limit or 0.0) + row.sigmas * row.sigma) if row.limit is not None else 0.0 for row in rows]
    axes.barh(
        places,
        [2.0 * band for band in bands],
        left=[-band for band in bands],
        height=0.9,
        color="#d9e4ee",
        label="allowed",
    )
    axes.errorbar(
        [100.0 * row.deviation for row in rows],
        places,
        xerr=[100.0 * row.sigma for row in rows],
        fmt="o",
        markersize=3,
        color="black",
        label="mcdose, combined 1 sigma",
    )
    axes.axvline(0.0, color="grey", linewidth=0.8)
    axes.set_yticks(places, [row.quantity for row in rows], fontsize=6)
    axes.invert_yaxis()
    axes.set_xlabel("difference from the reference, %")
    axes.set_title("\n".join(textwrap.wrap(title, 62)), fontsize=9)
    axes.legend(fontsize=7, loc="best")
    figure.savefig(path, dpi=110)
    plt.close(figure)
