"""The Y-90 dose-point kernel in water, in 0.1 mm shells, against three codes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from mcdose import dose_point_kernel
from mcdose.engine.cpu import cpu_name
from validation.outcome import Outcome, Row, load_case
from validation.tables import read_table

NAME = "point_kernel_y90_water"
CODES = ("geant4", "penelope", "egsnrc")
FINE_MM = np.arange(121) / 10.0
EDGES_MM = np.concatenate([FINE_MM, np.geomspace(12.0, 15.0, 4)[1:], np.arange(16.0, 121.0, 2.0), [500.0, 2000.0]])
TAIL_MEV_PER_CM = {2.0: 1.96e-4, 4.0: 1.67e-4, 10.0: 1.27e-4}  # mean of Graves and PENELOPE
X50_MM = (2.332, 2.370)
X90_MM = (5.412, 5.471)


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limits = load_case(NAME)["limits"]
    table = read_table(Path(__file__).with_name("reference.csv"))
    begun = time.perf_counter()
    kernel = dose_point_kernel("Y-90", shell_edges_mm=EDGES_MM, histories=histories, seed=seed, threads=threads)
    seconds = time.perf_counter() - begun
    values = (kernel.energy_mev / kernel.emitted_mev).tolist()
    errors = (kernel.standard_error_mev / kernel.emitted_mev).tolist()
    codes = np.array([[float(row[code]) for code in CODES] for row in table])
    mean = codes.mean(axis=1).tolist()
    rows = []
    for k in range(1, 90):
        notes = {code: f"{(values[k] / codes[k, i] - 1) * 100:+.2f} %" for i, code in enumerate(CODES)}
        name = f"shell {k / 10:.1f} to {(k + 1) / 10:.1f} mm"
        limit = limits["of_maximum"] * max(mean) / mean[k]
        rows.append(Row(f"{name}, to the mean", values[k], errors[k], mean[k], 0.0, limit, notes=notes))
        if 2 <= k < 60:
            nearest = float(np.clip(values[k], codes[k].min(), codes[k].max()))
            rows.append(
                Row(f"{name}, beside the codes", values[k], errors[k], nearest, 0.0, limits["beside_the_codes"])
            )
    for name, fraction, (low, high) in (("X50, mm", 0.5, X50_MM), ("X90, mm", 0.9, X90_MM)):
        radius = kernel.radius_containing(fraction)
        rows.append(Row(name, radius, 0.0, (low + high) / 2.0, 0.0, (high - low) / (high + low), sigmas=0.0))
    for radius_cm, reference in TAIL_MEV_PER_CM.items():
        shells = (EDGES_MM[:-1] >= 10 * radius_cm - 4.01) & (EDGES_MM[1:] <= 10 * radius_cm + 4.01)
        width_cm = np.diff(EDGES_MM)[shells].sum() / 10.0
        value = float(kernel.energy_mev[shells].sum() / width_cm)
        error = float(np.sqrt((kernel.standard_error_mev[shells] ** 2).sum()) / width_cm)
        rows.append(Row(f"tail at {radius_cm:g} cm, MeV/cm", value, error, reference, 0.0, limits["tail"]))
    first = [f"{(values[0] / codes[0, i] - 1) * 100:+.1f} % of {code}" for i, code in enumerate(CODES)]
    return Outcome(
        rows,
        kernel.histories,
        seed,
        seconds,
        cpu_name(),
        [
            "fractions of the emitted energy; each code with its own spectrum: 933.6, 927.3, 933.9 keV, ours 932.5",
            f"first shell, 0 to 0.1 mm, for information: {', '.join(first)}; the codes differ by 4 % there",
            f"X50 {kernel.radius_containing(0.5):.4f} mm, X90 {kernel.radius_containing(0.9):.4f} mm, "
            f"X99 {kernel.radius_containing(0.99):.3f} mm",
        ],
    )


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw the kernel over those of the three codes, and all of them over the codes' mean."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    table = read_table(Path(__file__).with_name("reference.csv"))
    codes = np.array([[float(row[code]) for code in CODES] for row in table])[1:90]
    rows = [row for row in outcome.rows if row.quantity.endswith("to the mean")]
    values = np.array([row.value for row in rows])
    errors = np.array([row.standard_error for row in rows])
    mean = codes.mean(axis=1)
    radius = (FINE_MM[1:90] + FINE_MM[2:91]) / 2.0
    figure, (above, below) = plt.subplots(
        2, figsize=(7.0, 6.0), sharex=True, height_ratios=(3, 2), layout="constrained"
    )
    for k, style in enumerate((":", "--", "-.")):
        above.plot(radius, 1e3 * codes[:, k], style, linewidth=1.2, label=CODES[k])
        below.plot(radius, 100.0 * (codes[:, k] - mean) / mean.max(), style, linewidth=1.2)
    above.errorbar(radius, 1e3 * values, 1e3 * errors, fmt="k.", markersize=3, label="mcdose, 1 sigma")
    below.errorbar(radius, 100.0 * (values - mean) / mean.max(), 100.0 * errors / mean.max(), fmt="k.", markersize=3)
    below.fill_between(radius, -1.0, 1.0, color="#d9e4ee", label="allowed")
    above.set_ylabel("part of the energy in 0.1 mm, per mille")
    below.set_ylabel("from the codes' mean,\n% of the maximum")
    below.set_xlabel("radius, mm")
    above.set_title(title, fontsize=10)
    above.legend(fontsize=8)
    below.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
