"""What a report says of several time points: which, how they were integrated, and how well the curves fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcdose.report.contents import Table

FITS = {"physical": "physical decay alone", "mono": "one exponential", "bi": "two exponentials"}
NOTE = (
    "Curves are fitted to activity corrected for physical decay; half-lives are effective. The residual is measured "
    "over fitted, less 1, of the point that is furthest off. The uncertainty of the decays (1 sigma) is what the "
    "scatter of the points about the curve says; it needs more points than parameters, and knows nothing of errors "
    "that all points share. After the last point nothing was measured. A structure is without the smaller ones in it."
)


def time_facts(origin: Mapping[str, Any], total_decays: float) -> list[tuple[str, str]]:
    """Say when the images were taken and what was made of them; nothing for one time point."""
    told = origin.get("time_points")
    if not told:
        return []
    times = ", ".join(f"{point['time_h']:.4g}" for point in told["points"])
    facts = [
        ("Time points", f"{len(told['points'])}, at {times} h after administration"),
        ("Over time", f"{FITS[told['time_fit']]}, by {told['fit_per']}"),
    ]
    if told["trapezoid_fraction"]:
        facts.append(("By trapezoids", f"{100.0 * told['trapezoid_fraction']:.2g} % of the decays"))
    if not origin.get("activity_bq"):
        facts.append(("Decays", f"{total_decays:.4g}"))
    return facts


def time_tables(origin: Mapping[str, Any]) -> list[Table]:
    """Return a table of the curves; none for one time point."""
    told = origin.get("time_points")
    if not told:
        return []
    header = ("Region", "Curve", "Half-lives [h]", "Decays", "Uncertainty [%]", "After last point [%]", "Residual [%]")
    rows = []
    for name, region in told["regions"].items():
        lives = " and ".join(
            f"{life:.4g}{' (uptake)' if amplitude < 0 else ''}"
            for life, amplitude in zip(region["effective_half_lives_h"], region["amplitudes_bq"], strict=True)
        )
        residuals = region["residuals"]
        rows.append(
            (
                name,
                region["curve"],
                lives or "–",
                f"{region['decays']:.4g}",
                _percent(region["relative_uncertainty"]),
                _percent(region["after_last_fraction"]),
                "–" if residuals is None else f"{100.0 * max(residuals, key=abs):+.1f}",
            )
        )
    return [Table("Activity over time", header, tuple(rows), NOTE)]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100.0 * value:.1f}"
