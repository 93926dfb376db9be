"""PENELOPE through pypenred, on the problem of `benchmarks.problem`.

pypenred is AGPL: it is installed apart, for this comparison only, and never imported by mcdose.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.problem import VOXEL_MM, VOXELS
from mcdose import TransportParameters
from mcdose.electron_data import energy_of_range
from validation.penelope import LISTED, SOURCE, listed_medium, write_spectrum

WATER = "water-icru90"
COARSE_CUT = 1e5  # eV, where electrons are left where they are, though they could reach a face of their voxel

Array = NDArray[np.float64]

CONFIGURATION = (
    SOURCE
    + """
sources/generic/point/energy/type "FILE_SPECTRUM"
sources/generic/point/energy/filename "{spectrum}"
sources/generic/point/spatial/type "BOX"
sources/generic/point/spatial/size/dx {source_side}
sources/generic/point/spatial/size/dy {source_side}
sources/generic/point/spatial/size/dz {source_side}
sources/generic/point/spatial/position/x {middle}
sources/generic/point/spatial/position/y {middle}
sources/generic/point/spatial/position/z {middle}
geometry/type "VOXEL"
geometry/filename "voxels.dat"
geometry/ascii true
geometry/granularity 100
geometry/enclosure-margin 1.0e-3
geometry/enclosure-material 1
materials/water/number 1
materials/water/eabs/electron {electron_cut}
materials/water/eabs/positron {electron_cut}
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


def same_cut() -> float:
    """Return the energy [eV] at which mcdose leaves an electron of 1 g/cm3 of water wherever it is in these voxels."""
    return round(1e6 * energy_of_range(listed_medium(WATER), TransportParameters().stop * VOXEL_MM / 10.0))


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


def tallied(
    particle: str,
    spectrum: str,
    electron_cut: float,
    photon_cut: float,
    histories: int,
    seed: int,
    tally: str,
    hot_voxel: int | None = None,
) -> Array:
    """Run particles of a spectrum; return a tally, eV a history, or eV/g in voxels of equal mass.

    Parameters
    ----------
    particle : "electron", "positron" or "gamma"
    spectrum : name of the file
    electron_cut, photon_cut : eV, where they are left where they are
    histories, seed, tally : how many, from which random numbers, and one of the tallies
    hot_voxel : number of the voxel along each side that alone is the source; None for all
    """
    from pyPenred import simulation

    voxel = VOXEL_MM / 10.0
    side = VOXELS * voxel
    simulator = simulation.create()
    simulator.configFromString(
        (CONFIGURATION + tally).format(
            particle=particle,
            spectrum=spectrum,
            electron_cut=electron_cut,
            photon_cut=photon_cut,
            histories=float(histories),
            side=side,
            source_side=side if hot_voxel is None else voxel,
            middle=side / 2.0 if hot_voxel is None else (hot_voxel + 0.5) * voxel,
            seed=seed,
            voxels=VOXELS,
        )
    )
    simulator.simulate()
    ((found,),) = simulator.getResults().values()
    return np.asarray(found.data()[0])


class Penelope:
    """PENELOPE with Y-90, C1 = C2 = 0.1, WCC = WCR = 10 keV, photons to 10 keV.

    Parameters
    ----------
    dose_map : tally the dose of every voxel; else only the energy deposited in all of them, which is less work
    electron_cut : eV, where electrons are left where they are
    """

    def __init__(self, dose_map: bool, electron_cut: float) -> None:
        self._dose_map = dose_map
        self._electron_cut = electron_cut
        prepare(1.0 / listed_medium(WATER).density_g_cm3)  # of 1 g/cm3, as mcdose's
        write_spectrum(Path("y90.spc"))

    def run(self, histories: int, seed: int) -> float:
        """Run so many histories; return the energy deposited per history, MeV."""
        tally = DOSE_TALLY if self._dose_map else TOTAL_TALLY
        found = tallied("electron", "y90.spc", self._electron_cut, 1e4, histories, seed, tally)
        deposited = float(found.sum()) / 1e6
        return deposited * (VOXEL_MM / 10.0) ** 3 if self._dose_map else deposited
