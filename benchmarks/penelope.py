"""PENELOPE through pypenred, on the problem of `benchmarks.problem`.

pypenred is AGPL: it is installed apart, for this comparison only, and never imported by mcdose.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from benchmarks.problem import VOXEL_MM, VOXELS
from mcdose import nuclide

SPECTRUM_BINS = 500
LISTED_WATER = 278  # ICRU-90 water: 0.99821 g/cm3, I = 78 eV
LISTED_WATER_DENSITY = 0.99821

CONFIGURATION = """
sources/generic/y90/nhist {histories}
sources/generic/y90/kpar "electron"
sources/generic/y90/direction/type "SOLID_ANGLE"
sources/generic/y90/direction/u 0.0
sources/generic/y90/direction/v 0.0
sources/generic/y90/direction/w 1.0
sources/generic/y90/direction/theta0 0.0
sources/generic/y90/direction/theta1 180.0
sources/generic/y90/direction/phi0 0.0
sources/generic/y90/direction/dphi 360.0
sources/generic/y90/energy/type "FILE_SPECTRUM"
sources/generic/y90/energy/filename "y90.spc"
sources/generic/y90/spatial/type "BOX"
sources/generic/y90/spatial/size/dx {side}
sources/generic/y90/spatial/size/dy {side}
sources/generic/y90/spatial/size/dz {side}
sources/generic/y90/spatial/position/x {half}
sources/generic/y90/spatial/position/y {half}
sources/generic/y90/spatial/position/z {half}
geometry/type "VOXEL"
geometry/filename "voxels.dat"
geometry/ascii true
geometry/granularity 100
geometry/enclosure-margin 1.0e-3
geometry/enclosure-material 1
materials/water/number 1
materials/water/eabs/electron 1.0e5
materials/water/eabs/positron 1.0e5
materials/water/eabs/gamma 1.0e4
materials/water/C1 0.1
materials/water/C2 0.1
materials/water/WCC 1.0e4
materials/water/WCR 1.0e4
materials/water/filename "water.mat"
simulation/threads 1
simulation/seedPair {seed}
simulation/max-time 1.0e9
simulation/finalDump false
"""
DOSE_TALLY = """
tallies/dose/type "SPATIAL_DOSE_DISTRIB"
tallies/dose/xmin 0.0
tallies/dose/xmax {side}
tallies/dose/nx {voxels}
tallies/dose/ymin 0.0
tallies/dose/ymax {side}
tallies/dose/ny {voxels}
tallies/dose/zmin 0.0
tallies/dose/zmax {side}
tallies/dose/nz {voxels}
"""
TOTAL_TALLY = """
tallies/energy/type "EDEP_MAT"
tallies/energy/nmat 1
"""


class Penelope:
    """PENELOPE with C1 = C2 = 0.1, WCC = WCR = 10 keV, electrons to 100 keV, photons to 10 keV.

    Parameters
    ----------
    folder : where its input files go
    dose_map : tally the dose of every voxel; else only the energy deposited in all of them, which is less work
    """

    def __init__(self, folder: Path, dose_map: bool) -> None:
        from pyPenred import simulation

        self._simulation = simulation
        self._folder = folder
        self._dose_map = dose_map
        os.chdir(folder)  # it looks for its files, and leaves its logs, where it runs
        simulation.setConfigurationLog("configuration.log")
        simulation.setSimulationLog("simulation.log")
        simulation.materials.createListed(LISTED_WATER, "water.mat")
        side_cm = VOXEL_MM / 10.0
        with open("voxels.dat", "w", encoding="ascii") as file:
            file.write(f"{VOXELS} {VOXELS} {VOXELS}\n{side_cm} {side_cm} {side_cm}\n")
            file.write(f"1 {1.0 / LISTED_WATER_DENSITY:.6f}\n" * VOXELS**3)
        _write_spectrum(folder / "y90.spc")

    def run(self, histories: int, seed: int) -> float:
        """Run so many histories; return the energy deposited per history, MeV."""
        side = VOXELS * VOXEL_MM / 10.0
        text = CONFIGURATION + (DOSE_TALLY if self._dose_map else TOTAL_TALLY)
        simulator = self._simulation.create()
        simulator.configFromString(
            text.format(histories=float(histories), side=side, half=side / 2.0, seed=seed, voxels=VOXELS)
        )
        simulator.simulate()
        ((tally,),) = simulator.getResults().values()
        deposited = float(np.asarray(tally.data()[0]).sum()) / 1e6  # eV, or eV/g in voxels of equal mass
        return deposited * (VOXEL_MM / 10.0) ** 3 if self._dose_map else deposited


def _write_spectrum(path: Path) -> None:
    """Write the spectrum of mcdose as energies [eV] and the probabilities of the bins above them."""
    energies, density = nuclide("Y-90").spectrum
    widths = np.diff(energies)
    cumulative = np.concatenate([[0.0], np.cumsum(widths * (density[1:] + density[:-1]) / 2.0)])
    edges = np.linspace(0.0, energies[-1], SPECTRUM_BINS + 1)
    probability = np.diff(np.interp(edges, energies, cumulative)) / cumulative[-1]
    edges[0] = 60e-6  # it refuses energies below 50 eV
    with path.open("w", encoding="ascii") as file:
        file.writelines(f"{edge * 1e6:.6e} {part:.8e}\n" for edge, part in zip(edges, probability, strict=False))
        file.write(f"{edges[-1] * 1e6:.6e} -1\n")
