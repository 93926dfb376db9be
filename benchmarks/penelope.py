"""PENELOPE through pypenred, on the problem of `benchmarks.problem`.

pypenred is AGPL: it is installed apart, for this comparison only, and never imported by mcdose.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.problem import VOXEL_MM, VOXELS
from validation.penelope import LISTED, SOURCE, listed_medium, write_spectrum

WATER = "water-icru90"

CONFIGURATION = (
    SOURCE
    + """
sources/generic/point/energy/type "FILE_SPECTRUM"
sources/generic/point/energy/filename "{spectrum}"
sources/generic/point/spatial/type "BOX"
sources/generic/point/spatial/size/dx {side}
sources/generic/point/spatial/size/dy {side}
sources/generic/point/spatial/size/dz {side}
sources/generic/point/spatial/position/x {half}
sources/generic/point/spatial/position/y {half}
sources/generic/point/spatial/position/z {half}
geometry/type "VOXEL"
geometry/filename "voxels.dat"
geometry/ascii true
geometry/granularity 100
geometry/enclosure-margin 1.0e-3
geometry/enclosure-material 1
materials/water/number 1
materials/water/eabs/electron 1.0e5
materials/water/eabs/positron 1.0e5
materials/water/eabs/gamma {photon_cut}
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
)
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


def penelope_is_here() -> bool:
    """Return whether pypenred can be imported; say how to get it if not."""
    if find_spec("pyPenred") is not None:
        return True
    print("PENELOPE is not here: pip install pypenred (AGPL), in an environment of its own", file=sys.stderr)
    return False


def prepare(density_factor: float) -> None:
    """Write the listed water and the voxels, of so many times its density, into the current folder."""
    from pyPenred import simulation

    simulation.setConfigurationLog("configuration.log")
    simulation.setSimulationLog("simulation.log")
    simulation.materials.createListed(LISTED[WATER], "water.mat")
    side_cm = VOXEL_MM / 10.0
    with open("voxels.dat", "w", encoding="ascii") as file:
        file.write(f"{VOXELS} {VOXELS} {VOXELS}\n{side_cm} {side_cm} {side_cm}\n")
        file.write(f"1 {density_factor:.6f}\n" * VOXELS**3)


def tallied(particle: str, spectrum: str, photon_cut: str, histories: int, seed: int, tally: str) -> float:
    """Run particles of a spectrum; return the sum of a tally, eV a history, or eV/g in voxels of equal mass."""
    from pyPenred import simulation

    side = VOXELS * VOXEL_MM / 10.0
    simulator = simulation.create()
    simulator.configFromString(
        (CONFIGURATION + tally).format(
            particle=particle,
            spectrum=spectrum,
            photon_cut=photon_cut,
            histories=float(histories),
            side=side,
            half=side / 2.0,
            seed=seed,
            voxels=VOXELS,
        )
    )
    simulator.simulate()
    ((found,),) = simulator.getResults().values()
    return float(np.asarray(found.data()[0]).sum())


class Penelope:
    """PENELOPE with C1 = C2 = 0.1, WCC = WCR = 10 keV, electrons to 100 keV, photons to 10 keV.

    Parameters
    ----------
    dose_map : tally the dose of every voxel; else only the energy deposited in all of them, which is less work
    """

    def __init__(self, dose_map: bool) -> None:
        self._dose_map = dose_map
        prepare(1.0 / listed_medium(WATER).density_g_cm3)  # of 1 g/cm3, as mcdose's
        write_spectrum(Path("y90.spc"))

    def run(self, histories: int, seed: int) -> float:
        """Run so many histories; return the energy deposited per history, MeV."""
        tally = DOSE_TALLY if self._dose_map else TOTAL_TALLY
        deposited = tallied("electron", "y90.spc", "1.0e4", histories, seed, tally) / 1e6
        return deposited * (VOXEL_MM / 10.0) ** 3 if self._dose_map else deposited
