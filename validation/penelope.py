"""PENELOPE through pypenred: point sources in water or bone, tallied in shells.

    python -m validation.penelope y90 FOLDER [--medium NAME] [--histories N] [--chunks FIRST END]
    python -m validation.penelope ENERGY_MEV FOLDER [--medium NAME] [--histories N] [--chunks FIRST END]

writes a CSV for each chunk (its own seed) into FOLDER; chunks that are there are not run again. `carry_penelope.py`
puts them together. pypenred is AGPL: it is installed apart, for these comparisons only, and never imported by mcdose.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose import Medium, medium, nuclide
from mcdose.electron_data import csda_range
from validation.tables import write_table

SPECTRUM_BINS = 500
LISTED = {"water-icru90": 278, "cortical-bone-icrp": 120}  # numbers in PENELOPE's list of materials
PHOTON_CUT_EV = 1.0e3
SPHERE_CM = 20.0

SOURCE = """
sources/generic/point/nhist {histories}
sources/generic/point/kpar "{particle}"
sources/generic/point/direction/type "SOLID_ANGLE"
sources/generic/point/direction/u 0.0
sources/generic/point/direction/v 0.0
sources/generic/point/direction/w 1.0
sources/generic/point/direction/theta0 0.0
sources/generic/point/direction/theta1 180.0
sources/generic/point/direction/phi0 0.0
sources/generic/point/direction/dphi 360.0
"""
CONFIGURATION = (
    SOURCE
    + """
{energy}
sources/generic/point/spatial/type "POINT"
sources/generic/point/spatial/position/x 0.0
sources/generic/point/spatial/position/y 0.0
sources/generic/point/spatial/position/z 0.0
geometry/type "PEN_QUADRIC"
geometry/input-file "sphere.geo"
geometry/processed-geo-file "report.geo"
materials/water/number 1
materials/water/eabs/electron {eabs}
materials/water/eabs/positron {eabs}
materials/water/eabs/gamma {photon_cut}
materials/water/C1 0.05
materials/water/C2 0.05
materials/water/WCC {cut}
materials/water/WCR {cut}
materials/water/filename "medium.mat"
simulation/threads 1
simulation/seedPair {seed}
simulation/max-time 1.0e9
simulation/finalDump false
tallies/shells/type "SPHERICAL_DOSE_DISTRIB"
tallies/shells/rmin 0.0
tallies/shells/rmax {reach_cm}
tallies/shells/nr {shells}
tallies/shells/print-xyz true
"""
)
MONO_ENERGETIC = """sources/generic/point/energy/type "MONOENERGETIC"
sources/generic/point/energy/energy {energy_ev}"""
SPECTRUM = """sources/generic/point/energy/type "FILE_SPECTRUM"
sources/generic/point/energy/filename "y90.spc\""""
SPHERE = f"""XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX
  a sphere of water
0000000000000000000000000000000000000000000000000000000000000000
SURFACE (   1)   sphere
INDICES=( 1, 1, 1, 0,-1)
X-SCALE=( {SPHERE_CM:.15E},   0)
Y-SCALE=( {SPHERE_CM:.15E},   0)
Z-SCALE=( {SPHERE_CM:.15E},   0)
0000000000000000000000000000000000000000000000000000000000000000
MODULE  (   1)   water
MATERIAL(   1)
SURFACE (   1), SIDE POINTER=(-1)
0000000000000000000000000000000000000000000000000000000000000000
END      0000000000000000000000000000000000000000000000000000000
"""


class Cuts(NamedTuple):
    """Where PENELOPE stops electrons, and where its collisions are simulated one by one, eV."""

    eabs: float
    hard: float


def listed_medium(name: str) -> Medium:
    """Return a material of PENELOPE's list as a medium of mcdose: the same composition, density and I."""
    if name == "water-icru90":
        return Medium(name, medium("water").composition, 0.99821, 78.0)
    return medium(name)


def reference_cuts(highest_mev: float) -> Cuts:
    """Return cuts of the reference parameters: 1 keV, electrons to 10 keV, less where the range is short."""
    eabs = min(max(1e4 * highest_mev, 500.0), 1e4)
    return Cuts(eabs, min(1e3, 0.5 * eabs))


def shell_edges_mm(source: str | float, where: Medium) -> NDArray[np.float64]:
    """Return the shells of a comparison: of the nuclide 120 to 12 mm in water, to 6 mm in bone, else to 1.2 ranges."""
    if isinstance(source, str):
        return np.asarray(np.arange(121) / 10.0 if where.name == "water-icru90" else np.arange(121) / 20.0)
    return np.linspace(0.0, 12.0 * float(csda_range(where, source)) / where.density_g_cm3, 121)


class Penelope:
    """PENELOPE with C1 = C2 = 0.05 for a point source in a sphere of 20 cm; its files are in the current folder.

    Parameters
    ----------
    source : "Y-90", with the spectrum of mcdose, or an energy in MeV
    medium_name : one of LISTED
    """

    def __init__(self, source: str | float, medium_name: str) -> None:
        from pyPenred import simulation

        self._simulation = simulation
        self.source = source
        simulation.setConfigurationLog("configuration.log")
        simulation.setSimulationLog("simulation.log")
        simulation.materials.createListed(LISTED[medium_name], "medium.mat")
        Path("sphere.geo").write_text(SPHERE, encoding="ascii")
        if isinstance(source, str):
            write_spectrum(Path("y90.spc"))
            self._energy = SPECTRUM
            highest = nuclide(source).end_point_mev
        else:
            self._energy = MONO_ENERGETIC.format(energy_ev=source * 1e6)
            highest = source
        self.cuts = reference_cuts(highest)
        self.medium = listed_medium(medium_name)
        self.edges_mm = shell_edges_mm(source, self.medium)

    def run(self, histories: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Run so many histories; return the energy per history in each shell and its standard error, MeV."""
        text = CONFIGURATION.format(
            particle="electron",
            histories=float(histories),
            energy=self._energy,
            eabs=self.cuts.eabs,
            cut=self.cuts.hard,
            photon_cut=PHOTON_CUT_EV,
            seed=seed,
            reach_cm=self.edges_mm[-1] / 10.0,
            shells=self.edges_mm.size - 1,
        )
        simulator: Any = self._simulation.create()
        simulator.configFromString(text)
        simulator.simulate()
        ((tally,),) = simulator.getResults().values()
        dose, error = (np.asarray(part).ravel() for part in tally.data()[:2])  # eV/g
        gram = 4.0 / 3.0 * np.pi * np.diff((self.edges_mm / 10.0) ** 3) * self.medium.density_g_cm3
        return dose * gram * 1e-6, error * gram * 1e-6


def write_spectrum(path: Path) -> float:
    """Write the Y-90 spectrum of mcdose as energies [eV] and probabilities of the bins above them; return its mean."""
    energies, density = nuclide("Y-90").spectrum
    widths = np.diff(energies)
    cumulative = np.concatenate([[0.0], np.cumsum(widths * (density[1:] + density[:-1]) / 2.0)])
    edges = np.linspace(0.0, energies[-1], SPECTRUM_BINS + 1)
    probability = np.diff(np.interp(edges, energies, cumulative)) / cumulative[-1]
    edges[0] = 60e-6  # it refuses energies below 50 eV
    with path.open("w", encoding="ascii") as file:
        file.writelines(f"{edge * 1e6:.6e} {part:.8e}\n" for edge, part in zip(edges, probability, strict=False))
        file.write(f"{edges[-1] * 1e6:.6e} -1\n")
    return float((probability * (edges[1:] + edges[:-1]) / 2.0).sum())


@contextmanager
def scratch_folder() -> Iterator[None]:
    """Run in a folder that is deleted at the end: PENELOPE looks for its files, and leaves its logs, where it runs."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        yield


def main() -> None:
    """Run the chunks that are not there."""
    parser = argparse.ArgumentParser(prog="python -m validation.penelope", description=__doc__)
    parser.add_argument("source")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--medium", choices=LISTED, default="water-icru90")
    parser.add_argument("--histories", type=float, default=5e5, help="of a chunk")
    parser.add_argument("--chunks", type=int, nargs=2, default=(0, 1), metavar=("FIRST", "END"))
    arguments = parser.parse_args()
    source = "Y-90" if arguments.source == "y90" else float(arguments.source)
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for chunk in range(*arguments.chunks):
        path = folder / f"penelope_{arguments.source}_{arguments.medium}_{chunk}.csv"
        if path.exists():
            continue
        with scratch_folder():
            judge = Penelope(source, arguments.medium)
            begun = time.process_time()
            energy, error = judge.run(int(arguments.histories), 11 + chunk)
            seconds = time.process_time() - begun
        emitted = nuclide("Y-90").mean_electron_energy_mev if isinstance(source, str) else source
        write_table(
            path,
            [
                f"pypenred {version('pypenred')}, PENELOPE-2018, C1 = C2 = 0.05, WCC = WCR = {judge.cuts.hard:g} eV, "
                f"electrons to {judge.cuts.eabs:g} eV, photons to {PHOTON_CUT_EV:g} eV",
                f"{arguments.medium}: number {LISTED[arguments.medium]} of its list, "
                f"{judge.medium.density_g_cm3} g/cm3, I = {judge.medium.mean_excitation_energy_ev} eV",
                f"{arguments.histories:g} histories, seedPair {11 + chunk}, {seconds:.0f} s; emitted {emitted:.6f} MeV",
            ],
            [
                {
                    "inner_mm": f"{inner:.9g}",
                    "outer_mm": f"{outer:.9g}",
                    "fraction": f"{value / emitted:.6e}",
                    "standard_error": f"{sigma / emitted:.2e}",
                }
                for inner, outer, value, sigma in zip(
                    judge.edges_mm[:-1], judge.edges_mm[1:], energy, error, strict=True
                )
            ],
        )
        print(path.name, f"{arguments.histories / seconds:.0f} histories/s", flush=True)


if __name__ == "__main__":
    main()
