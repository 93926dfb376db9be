"""PENELOPE through pypenred with the emissions of mcdose's nuclides, a kind at a time.

    python -m validation.penelope_emissions PROBLEM SOURCE KIND FOLDER [--histories N] [--seed S]

PROBLEM is one of PROBLEMS, SOURCE a nuclide or the energy of photons in MeV, KIND one of "electrons" (betas and
electron lines), "positrons" and "photons". Writes a CSV of energies per emission into FOLDER; what is there is not run
again. `carry_emissions.py` adds the kinds up by their number per decay. pypenred is AGPL: see `penelope.py`.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose import Medium, medium, nuclide
from mcdose.media import atomic_numbers, mass_fractions
from mcdose.nuclides import Nuclide
from validation.penelope import SPHERE, SPHERE_CM, listed_medium, scratch_folder
from validation.tables import write_table

Array = NDArray[np.float64]
KINDS = ("electrons", "positrons", "photons")
PARTICLES = {"electrons": "electron", "positrons": "positron", "photons": "gamma"}
BINS = 400  # of a spectrum
LINE_EV = 1.0  # width that stands for a line
LOWEST_EV = 60.0  # it refuses energies below 50 eV

# A block of water, or of water, lung, bone and water, in voxels; the source fills a box in the first water.
SLAB_SHAPE = (40, 20, 20)  # (z, y, x)
SLAB_VOXEL_MM = (5.0, 10.0, 10.0)
SLAB_PLANES = 20  # that dose is tallied in, each two voxels thick
SLAB_LAYERS = (("water", 0, 16), ("lung", 16, 24), ("cortical-bone", 24, 28), ("water", 28, 40))  # voxels in z
SOURCE_BOX = ((12, 16), (8, 12), (8, 12))  # voxels in z, y, x
BALL_MEDIUM, BALL_DENSITY = "soft-tissue", 1.0
BALL_GRAMS = (10.0, 100.0, 1000.0, 5000.0)
SHELLS_MM = tuple(float(edge) for edge in np.arange(0.0, 101.0, 5.0))
SHELLS_SPHERE_CM = 60.0
NEAR_MM = tuple(round(0.2 * edge, 1) for edge in range(51))  # where positrons stop, with finer cuts


@dataclass(frozen=True)
class Cuts:
    """Where particles stop and where collisions are simulated one by one, eV; C1 = C2."""

    c: float
    hard: float
    electron: float
    photon: float = 1e3


@dataclass(frozen=True)
class Problem:
    """A geometry with its source and its tally.

    Parameters
    ----------
    media : name and density [g/cm3] of each material, in the order of PENELOPE's numbers
    cuts
    configuration : sections for source position, geometry and tally
    """

    media: tuple[tuple[Medium, float], ...]
    cuts: Cuts
    configuration: str


def water() -> Medium:
    """Return PENELOPE's water as a medium of mcdose."""
    return listed_medium("water-icru90")


def slab_media(layered: bool) -> list[Medium]:
    """Return the medium of each plane of voxels along z."""
    if not layered:
        return [water()] * SLAB_SHAPE[0]
    found = []
    for name, first, end in SLAB_LAYERS:
        found += [water() if name == "water" else medium(name)] * (end - first)
    return found


def ball_radius_cm(grams: float) -> float:
    """Return the radius of a sphere of the density of BALL_DENSITY."""
    return float((grams / BALL_DENSITY * 3.0 / (4.0 * np.pi)) ** (1.0 / 3.0))


def spectrum_file(source: str | float | Nuclide, kind: str, path: Path) -> tuple[float, float]:
    """Write energies [eV] and probabilities of the bins above them; return number per decay and mean energy [MeV].

    Lines are bins of 1 eV; lines nearer to each other than that are one.
    """
    if isinstance(source, float):
        continuous, lines = None, ((source, 1.0),)
    else:
        of = nuclide(source)
        continuous = {"electrons": of.spectrum, "positrons": of.positron_spectrum, "photons": None}[kind]
        lines = {"electrons": of.electron_lines, "positrons": (), "photons": of.lines}[kind]
    merged: list[list[float]] = []
    for energy, count in lines:
        if merged and energy * 1e6 - merged[-1][0] < 2.0 * LINE_EV:
            merged[-1][1] += count
        else:
            merged.append([energy * 1e6, count])
    edges = {LOWEST_EV}
    for energy, _ in merged:
        edges |= {energy - LINE_EV / 2.0, energy + LINE_EV / 2.0}
    cumulative: Any = np.zeros_like
    if continuous is not None and len(continuous.energies_mev):
        points, density = np.asarray(continuous.energies_mev), np.asarray(continuous.density_per_mev)
        sums = np.concatenate([[0.0], np.cumsum(np.diff(points) * (density[1:] + density[:-1]) / 2.0)])
        edges |= set(np.linspace(0.0, points[-1] * 1e6, BINS + 1)[1:].tolist())

        def cumulative(at: Array) -> Array:
            return np.interp(at * 1e-6, points, sums)

    ascending = np.array(sorted(edges))
    if ascending.size == 1:
        raise ValueError(f"{source} emits no {kind}")
    at = ascending.copy()
    at[0] = 0.0
    number = np.diff(cumulative(at))
    for energy, count in merged:
        number[np.searchsorted(ascending, energy) - 1] += count
    total = float(number.sum())
    with path.open("w", encoding="ascii") as file:
        file.writelines(f"{edge:.9e} {part:.9e}\n" for edge, part in zip(ascending, number / total, strict=False))
        file.write(f"{ascending[-1]:.9e} -1\n")
    return total, float((number * (ascending[1:] + ascending[:-1]) / 2.0).sum()) * 1e-6 / total


def voxels_configuration(layered: bool) -> Problem:
    """Return the block of voxels; dose is tallied in planes along z."""
    planes = slab_media(layered)
    media = list(dict.fromkeys(planes))
    nz, ny, nx = SLAB_SHAPE
    dz, dy, dx = (side / 10.0 for side in SLAB_VOXEL_MM)
    with open("voxels.dat", "w", encoding="ascii") as file:
        file.write(f"{nx} {ny} {nz}\n{dx} {dy} {dz}\n")
        for plane in planes:
            file.write(f"{media.index(plane) + 1} 1.0\n" * (ny * nx))
    lines = []
    for axis, (first, end), side in zip("zyx", SOURCE_BOX, (dz, dy, dx), strict=True):
        lines += [
            f"sources/generic/point/spatial/size/d{axis} {(end - first) * side}",
            f"sources/generic/point/spatial/position/{axis} {(end + first) / 2.0 * side}",
        ]
    text = (
        'sources/generic/point/spatial/type "BOX"\n'
        + "\n".join(lines)
        + f"""
geometry/type "VOXEL"
geometry/filename "voxels.dat"
geometry/ascii true
geometry/granularity 100
geometry/enclosure-margin 1.0e-3
geometry/enclosure-material 1
tallies/dose/type "SPATIAL_DOSE_DISTRIB"
tallies/dose/xmin 0.0
tallies/dose/xmax {nx * dx}
tallies/dose/nx 1
tallies/dose/ymin 0.0
tallies/dose/ymax {ny * dy}
tallies/dose/ny 1
tallies/dose/zmin 0.0
tallies/dose/zmax {nz * dz}
tallies/dose/nz {SLAB_PLANES}
"""
    )
    return Problem(tuple((one, one.density_g_cm3) for one in media), Cuts(0.1, 1e4, 5e4), text)


def shells_configuration(shells_mm: tuple[float, ...], cuts: Cuts) -> Problem:
    """Return a point source in a sphere of water of 60 cm, with shells around it."""
    Path("sphere.geo").write_text(_sphere(SHELLS_SPHERE_CM), encoding="ascii")
    text = f"""
sources/generic/point/spatial/type "POINT"
sources/generic/point/spatial/position/x 0.0
sources/generic/point/spatial/position/y 0.0
sources/generic/point/spatial/position/z 0.0
geometry/type "PEN_QUADRIC"
geometry/input-file "sphere.geo"
geometry/processed-geo-file "report.geo"
tallies/shells/type "SPHERICAL_DOSE_DISTRIB"
tallies/shells/rmin 0.0
tallies/shells/rmax {shells_mm[-1] / 10.0}
tallies/shells/nr {len(shells_mm) - 1}
tallies/shells/print-xyz true
"""
    return Problem(((water(), water().density_g_cm3),), cuts, text)


def ball_configuration(grams: float) -> Problem:
    """Return a sphere in vacuum with the source all over it; the energy in it is tallied."""
    radius = ball_radius_cm(grams)
    Path("sphere.geo").write_text(_sphere(radius), encoding="ascii")
    text = f"""
sources/generic/point/source-material 1
sources/generic/point/spatial/type "BOX"
sources/generic/point/spatial/size/dx {2 * radius}
sources/generic/point/spatial/size/dy {2 * radius}
sources/generic/point/spatial/size/dz {2 * radius}
sources/generic/point/spatial/position/x 0.0
sources/generic/point/spatial/position/y 0.0
sources/generic/point/spatial/position/z 0.0
geometry/type "PEN_QUADRIC"
geometry/input-file "sphere.geo"
geometry/processed-geo-file "report.geo"
tallies/energy/type "EDEP_MAT"
tallies/energy/nmat 1
"""
    return Problem(((medium(BALL_MEDIUM), BALL_DENSITY),), Cuts(0.1, 1e4, 5e4), text)


def _sphere(radius_cm: float) -> str:
    return SPHERE.replace(f"{SPHERE_CM:.15E}", f"{radius_cm:.15E}")


PROBLEMS: dict[str, Any] = {
    "water": lambda: voxels_configuration(layered=False),
    "slab": lambda: voxels_configuration(layered=True),
    "shells": lambda: shells_configuration(SHELLS_MM, Cuts(0.1, 1e4, 5e4)),
    "near": lambda: shells_configuration(NEAR_MM, Cuts(0.05, 1e3, 1e4)),
    **{f"ball-{grams:g}g": lambda grams=grams: ball_configuration(grams) for grams in BALL_GRAMS},
}


def configuration(problem: Problem, kind: str, histories: int, seed: int) -> str:
    """Write the materials and return the whole configuration."""
    from pyPenred import simulation

    cuts = problem.cuts
    lines = [
        f"sources/generic/point/nhist {float(histories)}",
        f'sources/generic/point/kpar "{PARTICLES[kind]}"',
        'sources/generic/point/direction/type "SOLID_ANGLE"',
        *(f"sources/generic/point/direction/{key} {value}" for key, value in
          {"u": 0.0, "v": 0.0, "w": 1.0, "theta0": 0.0, "theta1": 180.0, "phi0": 0.0, "dphi": 360.0}.items()),
        'sources/generic/point/energy/type "FILE_SPECTRUM"',
        'sources/generic/point/energy/filename "source.spc"',
        "simulation/threads 1",
        f"simulation/seedPair {seed}",
        "simulation/max-time 1.0e9",
        "simulation/finalDump false",
    ]  # fmt: skip
    for number, (one, density) in enumerate(problem.media, start=1):
        name = f"m{number}"
        if one.name == "water-icru90":
            simulation.materials.createListed(278, f"{name}.mat")
        else:
            parts = zip(atomic_numbers(one), mass_fractions(one), strict=True)
            simulation.materials.create(name, density, [(int(z), float(part)) for z, part in parts], f"{name}.mat")
        lines += [
            f"materials/{name}/number {number}",
            f"materials/{name}/eabs/electron {cuts.electron}",
            f"materials/{name}/eabs/positron {cuts.electron}",
            f"materials/{name}/eabs/gamma {cuts.photon}",
            f"materials/{name}/C1 {cuts.c}",
            f"materials/{name}/C2 {cuts.c}",
            f"materials/{name}/WCC {cuts.hard}",
            f"materials/{name}/WCR {cuts.hard}",
            f'materials/{name}/filename "{name}.mat"',
        ]
    return "\n".join(lines) + "\n" + problem.configuration


def run(name: str, source: str | float, kind: str, histories: int, seed: int) -> dict[str, Any]:
    """Run one kind of one source; energies and errors are per emission, MeV, of each plane, shell or sphere."""
    from pyPenred import simulation

    simulation.setConfigurationLog("configuration.log")
    simulation.setSimulationLog("simulation.log")
    problem = PROBLEMS[name]()
    per_decay, mean_mev = spectrum_file(source, kind, Path("source.spc"))
    simulator: Any = simulation.create()
    text = configuration(problem, kind, histories, seed)
    Path("config.in").write_text(text, encoding="ascii")
    simulator.configFromString(text)
    begun = time.process_time()
    simulator.simulate()
    seconds = time.process_time() - begun
    ((tally,),) = simulator.getResults().values()
    value, error = (np.asarray(part, float).ravel() for part in tally.data()[:2])
    grams: Any = 1.0
    if name in ("water", "slab"):
        thick = SLAB_SHAPE[0] // SLAB_PLANES
        cm3 = float(np.prod(SLAB_SHAPE[1:]) * np.prod(SLAB_VOXEL_MM)) * 1e-3 * thick
        grams = np.array([one.density_g_cm3 for one in slab_media(name == "slab")[::thick]]) * cm3
    elif name in ("shells", "near"):
        edges_mm = np.array(SHELLS_MM if name == "shells" else NEAR_MM)
        grams = 4.0 / 3.0 * np.pi * np.diff((edges_mm / 10.0) ** 3) * water().density_g_cm3
    else:
        value, error = value[:1], error[:1]  # of material 1
    return {
        "per_decay": per_decay,
        "mean_mev": mean_mev,
        "energy_mev": value * grams * 1e-6,
        "error_mev": error * grams * 1e-6,
        "seconds": seconds,
        "cuts": problem.cuts,
    }


def main() -> None:
    """Run one kind of one source, unless it is there."""
    parser = argparse.ArgumentParser(prog="python -m validation.penelope_emissions", description=__doc__)
    parser.add_argument("problem", choices=PROBLEMS)
    parser.add_argument("source")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--histories", type=float, default=1e6)
    parser.add_argument("--seed", type=int, default=11)
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{arguments.problem}_{arguments.source}_{arguments.kind}_{arguments.seed}.csv"
    if path.exists():
        return
    source = float(arguments.source) if arguments.source[0].isdigit() else arguments.source
    with scratch_folder():
        found = run(arguments.problem, source, arguments.kind, int(arguments.histories), arguments.seed)
    cuts = found["cuts"]
    write_table(
        path,
        [
            f"pypenred {version('pypenred')}, PENELOPE-2018, C1 = C2 = {cuts.c:g}, WCC = WCR = {cuts.hard:g} eV, "
            f"electrons and positrons to {cuts.electron:g} eV, photons to {cuts.photon:g} eV",
            f"{arguments.histories:g} {arguments.kind}, seedPair {arguments.seed}, {found['seconds']:.0f} s; "
            f"{found['per_decay']:.6f} per decay, mean {found['mean_mev']:.6f} MeV",
        ],
        [
            {"part": part, "energy_mev": f"{value:.7e}", "standard_error": f"{error:.2e}"}
            for part, (value, error) in enumerate(zip(found["energy_mev"], found["error_mev"], strict=True))
        ],
    )
    print(path.name, f"{arguments.histories / found['seconds']:.0f} histories/s", flush=True)


if __name__ == "__main__":
    main()
