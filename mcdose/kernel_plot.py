"""Figures of dose kernels, with the kernels of other codes where there are any.

matplotlib is an extra of mcdose. Figures are made without pyplot, so that the caller's backend stays as it is.
"""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.kernel import PointKernel, VoxelKernel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

log = logging.getLogger("mcdose")

ENDINGS = (".png", ".svg", ".pdf")
MAIN_PART = 1e-3  # of the maximum: where the linear panels end
ABOVE_PHOTONS = 3.0  # times the dE/dr of photons alone: the same
PHOTONS_ALONE_G_CM2 = (1.5, 3.0)  # out of reach of electrons of 3 MeV, and before photons are much attenuated
RATIO_FROM = 0.1  # of the maximum: what the axis of ratios is made to hold
MOST_POINTS = 20_000  # of a voxel kernel
OWN = "black"
# Okabe and Ito's colours, told apart by the colour-blind; the dashes tell them apart in grey.
CODES: dict[str, tuple[str, str, Any]] = {
    "geant4": ("Geant4 (Graves 2019)", "#E69F00", (0, (1.0, 1.2))),
    "penelope": ("PENELOPE-2018", "#0072B2", (0, (5.0, 2.0))),
    "egsnrc": ("EGSnrc", "#D55E00", (0, (6.0, 1.5, 1.0, 1.5))),
}
AXES = (("z", "#0072B2", "s"), ("y", "#E69F00", "^"), ("x", "#D55E00", "o"))


def require_matplotlib() -> None:
    """Raise InputError if there is no matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError('figures need matplotlib: pip install "mcdose[plot]"')


def references(kernel: PointKernel) -> dict[str, NDArray[np.float64]]:
    """Return what other codes deposit in the shells of a kernel.

    There are figures for Y-90 in water at 1 g/cm3 to 12 mm: `validation/point_kernel_y90_water/reference.csv`, whose
    header says where they come from. They are fractions of each code's own mean energy in shells of 0.1 mm, within
    which the energy is taken as uniform in radius.

    Returns
    -------
    dict
        By code, (n,) MeV per decay, scaled to `kernel.emitted_mev`; NaN in shells that reach beyond the figures.
    """
    if kernel.source != "Y-90" or kernel.medium != "water" or abs(kernel.density_g_cm3 - 1.0) > 1e-6:
        return {}
    path = _reference_file()
    if path is None:
        log.warning("the figures of other codes were not found, the kernel is drawn alone")
        return {}
    with path.open(encoding="utf-8") as file:
        lines = [line.strip() for line in file if not line.startswith("#")]
    names = lines[0].split(",")
    table = np.array([line.split(",") for line in lines[1:]], np.float64)
    outer = np.concatenate([[0.0], table[:, names.index("outer_mm")]])
    found = {}
    for code in CODES:
        inside = np.concatenate([[0.0], np.cumsum(table[:, names.index(code)])])
        at_edges = np.interp(kernel.shell_edges_mm, outer, inside, right=np.nan)
        found[code] = np.diff(at_edges) * kernel.emitted_mev
    return found


def _reference_file() -> Path | None:
    """Return the figures of other codes in the installed package, or in the checkout that the package lies in."""
    package = Path(__file__).parent
    shipped = package / "_references" / "y90_water_point.csv"
    if shipped.is_file():
        return shipped
    checkout = package.parent / "validation" / "point_kernel_y90_water" / "reference.csv"
    return checkout if (package.parent / "pyproject.toml").is_file() and checkout.is_file() else None


def point_kernel_figure(kernel: PointKernel) -> Figure:
    """Draw dE/dr of a point kernel: the electrons' part on linear axes, everything on logarithmic ones.

    Where photons carry more than electrons there is still a first panel of the electrons, for it ends where dE/dr has
    fallen to three times that of the photons.

    dE/dr = 4 pi rho r^2 D(r), the dose weighted by r^2. The band is 1 sigma. Where `references` has other codes, they
    are drawn along, with the ratio to each.
    """
    from matplotlib.figure import Figure

    edges = kernel.shell_edges_mm
    width = np.diff(edges)
    middle = 0.5 * (edges[1:] + edges[:-1])
    value, error = kernel.energy_mev / width, kernel.standard_error_mev / width
    codes = references(kernel)
    main = value > MAIN_PART * value.max()
    end = _end_of_electrons(kernel, value)
    per = "decay" if isinstance(kernel.source, str) else "electron"
    label = f"dE/dr = 4πρr²D(r), MeV/mm per {per}"

    rows = {"linear": 3.0, "ratio": 1.6, "log": 2.8} if codes else {"linear": 3.0, "log": 3.0}
    figure = Figure(figsize=(7.2, 9.4 if codes else 7.4), layout="constrained")
    panels = dict(zip(rows, figure.subplots(len(rows), height_ratios=list(rows.values())), strict=True))
    figure.suptitle(
        f"{_source(kernel)} in {kernel.medium}, {kernel.density_g_cm3:g} g/cm³: dose-point kernel, "
        f"{kernel.histories:,} histories",
        fontsize=11,
    )
    linear, tail = panels["linear"], panels["log"]
    for axes in (linear, tail):
        _steps(axes, edges, value, error)
        for code, energy in codes.items():
            name, colour, dashes = CODES[code]
            axes.plot(middle, energy / width, color=colour, linestyle=dashes, linewidth=1.8, label=name, zorder=1.5)
        axes.set_ylabel(label)
        axes.legend(fontsize=9)
        axes.grid(alpha=0.25)
    linear.set_xlim(0.0, 1.05 * end)
    linear.set_ylim(bottom=0.0)
    scaled = "; other codes scaled to the same emitted energy" if codes else ""
    linear.set_title(f"within the range of the electrons{scaled}", fontsize=9)
    tail.set_title("to the tail of the photons", fontsize=9)
    tail.set(xscale="log", yscale="log", xlim=(edges[1] / 2.0, edges[-1]))
    tail.set_ylim(value[value > 0.0].min() / 2.0, 2.0 * value.max())
    if codes:
        _ratios(panels["ratio"], middle, main, value / value.max(), kernel, codes)
        panels["ratio"].set_xlim(linear.get_xlim())
        panels["ratio"].set_xlabel("radius, mm")
    else:
        linear.set_xlabel("radius, mm")
    tail.set_xlabel("radius, mm")
    return figure


def _end_of_electrons(kernel: PointKernel, value: NDArray[np.float64]) -> float:
    """Return the radius [mm] where dE/dr has fallen to little, or to that of the photons that go on for decimetres."""
    inside = np.concatenate([[0.0], np.cumsum(kernel.energy_mev)])
    near, far = (10.0 * mass / kernel.density_g_cm3 for mass in PHOTONS_ALONE_G_CM2)
    photons = float(np.diff(np.interp([near, far], kernel.shell_edges_mm, inside))[0]) / (far - near)
    highest = int(value.argmax())
    low = np.flatnonzero(value[highest:] <= max(MAIN_PART * value.max(), ABOVE_PHOTONS * photons))
    return float(kernel.shell_edges_mm[highest + low[0] if low.size else -1])


def _source(kernel: PointKernel) -> str:
    return kernel.source if isinstance(kernel.source, str) else f"{kernel.source:g} MeV electrons"


def _steps(axes: Axes, edges: NDArray[np.float64], value: NDArray[np.float64], error: NDArray[np.float64]) -> None:
    """Draw a value for each shell as steps, and its 1 sigma band."""
    lowest = value[value > 0.0].min() * 1e-3  # for logarithmic axes
    axes.stairs(np.maximum(value, lowest), edges, baseline=None, color=OWN, linewidth=1.0, label="mcdose")
    axes.stairs(
        value + error,
        edges,
        baseline=np.maximum(value - error, lowest),
        fill=True,
        color=OWN,
        alpha=0.3,
        linewidth=0,
        label="1 sigma of mcdose",
    )


def _ratios(
    axes: Axes,
    middle: NDArray[np.float64],
    main: NDArray[np.bool_],
    height: NDArray[np.float64],
    kernel: PointKernel,
    codes: dict[str, NDArray[np.float64]],
) -> None:
    """Draw the kernel over each code, where there is dose to speak of."""
    spread = 0.01
    for code, energy in codes.items():
        name, colour, dashes = CODES[code]
        shown = main & np.isfinite(energy)
        ratio = kernel.energy_mev[shown] / energy[shown]
        sigma = kernel.standard_error_mev[shown] / energy[shown]
        axes.fill_between(middle[shown], ratio - sigma, ratio + sigma, color=colour, alpha=0.25, linewidth=0)
        axes.plot(middle[shown], ratio, color=colour, linestyle=dashes, linewidth=1.4, label=name)
        held = height[shown] > RATIO_FROM
        spread = max(spread, float(np.max(np.abs(ratio - 1.0) + sigma, where=held, initial=0.0)))
    axes.axhline(1.0, color=OWN, linewidth=0.8)
    spread = min(1.2 * spread, 0.5)
    axes.set_ylim(1.0 - spread, 1.0 + spread)
    axes.set_ylabel("mcdose / other code")
    axes.set_title("ratio, with 1 sigma of mcdose", fontsize=9)
    axes.grid(alpha=0.25)


def voxel_kernel_figure(kernel: VoxelKernel) -> Figure:
    """Draw S values against the distance of the voxel's centre, those along the axes apart; bars are 1 sigma."""
    from matplotlib.figure import Figure

    octant = tuple(slice(size // 2, None) for size in kernel.values.shape)
    values, errors = kernel.values[octant], kernel.standard_error[octant]
    steps = [side * np.arange(size) for side, size in zip(kernel.voxel_mm, values.shape, strict=True)]
    distance = np.sqrt(sum(step**2 for step in np.meshgrid(*steps, indexing="ij", sparse=True)))
    off_axes = np.ones(values.shape, bool)
    for axis in range(3):
        off_axes[_along(axis)] = False

    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    axes = figure.subplots()
    every = -(-int(off_axes.sum()) // MOST_POINTS)
    label = "off the axes" + (f" (every {every}th shown)" if every > 1 else "")
    nearest = np.argsort(distance[off_axes], kind="stable")[::every]
    points = [distance[off_axes][nearest], values[off_axes][nearest], errors[off_axes][nearest]]
    _points(axes, points, label, color="#999999", fmt=".", rasterized=True)
    cube = len(set(kernel.voxel_mm)) == 1
    for axis, (name, colour, marker) in enumerate(AXES[:1] if cube else AXES):
        own = _along(axis)
        label = "along an axis" if cube else f"along {name}, {kernel.voxel_mm[axis]:g} mm apart"
        points = [distance[own], values[own], errors[own]]
        _points(axes, points, label, color=colour, fmt=f"{marker}-", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_ylim(values[values > 0.0].min() / 2.0, 2.0 * values.max())
    axes.set_xlabel("distance of the voxel's centre from the source voxel's, mm")
    axes.set_ylabel("S value, mGy/(MBq s)")
    sides = " × ".join(f"{side:g}" for side in kernel.voxel_mm)
    axes.set_title(
        f"{kernel.nuclide} in {kernel.medium}, {kernel.density_g_cm3:g} g/cm³: "
        f"voxels of {sides} mm (z, y, x), bars 1 sigma",
        fontsize=11,
    )
    axes.grid(alpha=0.25)
    axes.legend(fontsize=9)
    return figure


def _along(axis: int) -> tuple[slice | int, ...]:
    """Return the index of an octant's voxels on one axis."""
    return tuple(slice(None) if k == axis else 0 for k in range(3))


def _points(axes: Axes, points: list[NDArray[np.float64]], label: str, **style: Any) -> None:
    """Draw points with error bars; those of no dose have no place on a logarithmic axis."""
    distance, value, error = (column[points[1] > 0.0] for column in points)
    if value.size:
        down = np.minimum(error, 0.999 * value)
        axes.errorbar(distance, value, yerr=[down, error], label=label, markersize=4, elinewidth=0.8, **style)
