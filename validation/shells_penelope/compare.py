"""Energy in 5 mm shells around a point source in water: whole decays of positron emitters, photons of four others."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcdose import dose_point_kernel, nuclide
from mcdose.constants import ELECTRON_MASS
from mcdose.electron_data import total_stopping_power
from mcdose.engine.cpu import cpu_name
from validation.emissions import PHOTONS, only
from validation.outcome import Outcome, Row, load_case
from validation.penelope_emissions import SHELLS_MM, water
from validation.tables import read_table

NAME = "shells_penelope"
POSITRONS = ("F-18", "Ga-68")
PHOTON_EMITTERS = ("Tc-99m", "I-131", "Lu-177", "Sm-153")
ELECTRON_RADIUS_CM = 2.8179403e-13
ELECTRONS_PER_GRAM = 10.0 * 6.02214076e23 / 18.0153  # of water
FURTHEST_MM = 1e5  # nothing escapes
FINE_MM, FINE_TO_MM = 0.25, 15.0  # shells that ours are added up from: an electron stops within a tenth of the shortest

Array = NDArray[np.float64]


def number_per_decay(name: str, kind: str) -> float:
    """Return how many electrons, positrons or photons a decay emits."""
    of = nuclide(name)
    if kind == "positrons":
        return of.positrons_per_decay
    if kind == "photons":
        return sum(count for _, count in of.lines)
    return of.spectrum.electrons_per_decay * of.has_betas + sum(count for _, count in of.electron_lines)


def reference(name: str) -> dict[str, tuple[float, float]]:
    """Return PENELOPE's energy per decay and its standard error, MeV, of each shell and of all, by their number."""
    of = nuclide(name)
    parts = [*map(str, range(len(SHELLS_MM) - 1)), "sum"]
    found = dict.fromkeys(parts, (0.0, 0.0))
    rows = [row for row in read_table(Path(__file__).with_name("reference.csv")) if row["source"] == name]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        own = {row["part"]: row for row in rows if row["kind"] == kind}
        if "sum" not in own:  # one or two runs: errors of shells, taken as independent
            energy = sum(float(row["energy_mev"]) for row in own.values())
            error = sum(float(row["standard_error"]) ** 2 for row in own.values()) ** 0.5
            own["sum"] = {"energy_mev": str(energy), "standard_error": str(error)}
        number = number_per_decay(name, kind)
        for part in parts:
            mean, sigma = found[part]
            found[part] = (
                mean + number * float(own[part]["energy_mev"]),
                float(np.hypot(sigma, number * float(own[part]["standard_error"]))),
            )
    if name in POSITRONS:
        for part in ("0", "sum"):
            found[part] = (found[part][0] + of.local_mev, found[part][1])
    return found


def annihilated_in_flight(name: str) -> tuple[float, float]:
    """Return the chance that a positron annihilates in flight, and the energy [MeV per decay] that it takes with it.

    Heitler's cross section (The Quantum Theory of Radiation, 1954, section 27), while slowing down as a positron does.
    """
    spectrum = nuclide(name).positron_spectrum
    assert spectrum is not None
    energy = np.geomspace(1e-3, spectrum.energies_mev[-1], 4000)
    gamma = 1.0 + energy / ELECTRON_MASS
    squared = gamma**2 - 1.0
    root = np.sqrt(squared)
    logarithm = (gamma**2 + 4.0 * gamma + 1.0) / squared * np.log(gamma + root)
    section = np.pi * ELECTRON_RADIUS_CM**2 / (gamma + 1.0) * (logarithm - (gamma + 3.0) / root)
    rate = ELECTRONS_PER_GRAM * section / total_stopping_power(water(), energy, charge=1)  # per MeV
    survived = _integral(energy, rate)
    taken = _integral(energy, energy * rate * np.exp(survived)) * np.exp(-survived)
    density = np.interp(energy, spectrum.energies_mev, spectrum.density_per_mev)
    number = np.trapezoid(density, energy)
    chance = np.trapezoid((1.0 - np.exp(-survived)) * density, energy) / number
    return float(chance), float(np.trapezoid(taken * density, energy))


def _integral(at: Array, values: Array) -> Array:
    """Return the integral from the first point to each, by the trapezoidal rule."""
    return np.concatenate([[0.0], np.cumsum(np.diff(at) * (values[1:] + values[:-1]) / 2.0)])


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limits = load_case(NAME)["limits"]
    rows: list[Row] = []
    begun = time.perf_counter()
    total = 0
    shells = len(SHELLS_MM) - 1
    edges = np.array(
        [*np.arange(0.0, FINE_TO_MM, FINE_MM), *(edge for edge in SHELLS_MM if edge >= FINE_TO_MM), FURTHEST_MM]
    )
    first = np.searchsorted(edges, SHELLS_MM)
    for number, name in enumerate((*POSITRONS, *PHOTON_EMITTERS)):
        whole = name in POSITRONS
        kernel = dose_point_kernel(
            nuclide(name) if whole else only(name, PHOTONS),
            water(),
            shell_edges_mm=edges,
            histories=histories,
            seed=seed + number,
            threads=threads,
        )
        total += kernel.histories
        what = name if whole else f"{name}, photons"
        judge = reference(name)
        energy = np.add.reduceat(kernel.energy_mev, first)[:-1]
        deviations = np.add.reduceat(kernel.deviations_mev, first, axis=1)[:, :-1]
        errors = np.sqrt((deviations**2).sum(axis=0))
        for shell in range(shells):
            mean, sigma = judge[str(shell)]
            rows.append(
                Row(
                    f"{what}, {SHELLS_MM[shell]:g} to {SHELLS_MM[shell + 1]:g} mm",
                    float(energy[shell]),
                    float(errors[shell]),
                    mean,
                    sigma,
                    limits["fraction"],
                )
            )
        within = float(energy.sum())
        error = float(np.sqrt((deviations.sum(axis=1) ** 2).sum()))
        rows.append(Row(f"{what}, within 100 mm", within, error, *judge["sum"], limits["fraction"]))
        rows.append(
            Row(
                f"{what}, all that is absorbed over what is emitted",
                float(kernel.energy_mev.sum()),
                float(np.sqrt((kernel.deviations_mev.sum(axis=1) ** 2).sum())),
                kernel.emitted_mev,
                0.0,
                limits["balance"],
                sigmas=3.0,
            )
        )
    return Outcome(
        rows,
        total,
        seed,
        time.perf_counter() - begun,
        cpu_name(),
        [
            "MeV per decay; unbounded water of 0.99821 g/cm3 (I = 78 eV), PENELOPE's ends at 60 cm",
            "F-18 and Ga-68 are whole decays with annihilation; of the others only the photons, with what they set in "
            "motion",
            *(
                f"{name}: {100.0 * chance:.1f} % of the positrons annihilate in flight and take {1e3 * taken:.1f} "
                "keV per decay to their photons (Heitler's cross section), in both codes"
                for name in POSITRONS
                for chance, taken in [annihilated_in_flight(name)]
            ),
            "positrons lose, scatter and knock electrons on by cross sections of their own; followed as electrons, "
            "Ga-68 was 8.5 % low from 5 to 10 mm and 0.8 % high to 5 mm; before annihilation in flight was simulated, "
            "its shells from 10 to 100 mm were 1.06 % low on average",
            "the sum within 10 cm of Ga-68's photons and of the photon emitters is one or two runs of "
            "PENELOPE: errors of "
            "its shells added as if they were independent",
        ],
    )
