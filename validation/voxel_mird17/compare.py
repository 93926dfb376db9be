"""Voxel self values of pure beta emitters, against MIRD Pamphlet 17 and DPM."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from mcdose import dose_point_kernel, load_kernel, voxel_kernel
from mcdose.constants import MEV_TO_JOULE
from mcdose.electron_kernels import ElectronKernels
from mcdose.engine.cpu import cpu_name
from mcdose.kernel import PointKernel
from mcdose.shell_integration import integrate
from validation.beta_spectra import P32, SR89, mean_kev, spectrum
from validation.outcome import Outcome, Row, load_case
from validation.tables import read_table

NAME = "voxel_mird17"
DENSITY_G_CM3 = 1.04  # of MIRD-17's soft tissue
SR89_DDEP_MEV = 1.4951
MEAN_KEV = {"P-32": 695.5, "Sr-89": 584.6}  # DDEP, with its end points


def integrated(
    kernel: PointKernel, voxel_mm: tuple[float, float, float], offset: tuple[int, int, int]
) -> tuple[float, float]:
    """Return S and its standard error, mGy/(MBq s), of any point kernel at its own density."""
    half = tuple(max(place, 1) for place in offset)
    values, errors = integrate(kernel, voxel_mm, half, kernel.density_g_cm3)
    mass_kg = kernel.density_g_cm3 * float(np.prod(voxel_mm)) * 1e-6
    place = tuple(middle + step for middle, step in zip(half, offset, strict=True))
    to_s_value = MEV_TO_JOULE / mass_kg * 1e9
    return float(values[place]) * to_s_value, float(errors[place]) * to_s_value


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case: Y-90 simulated in soft tissue and in water, P-32 and Sr-89 composed in water."""
    limits = load_case(NAME)["limits"]
    table = read_table(Path(__file__).with_name("reference.csv"))
    begun = time.perf_counter()
    electrons = load_kernel("electron/water/point")
    assert isinstance(electrons, ElectronKernels)
    spectra = {
        "P-32": spectrum(P32),
        "Sr-89": spectrum(SR89),
        "Sr-89, 1495.1 keV": spectrum(SR89._replace(end_point_mev=SR89_DDEP_MEV)),
    }
    composed = {name: electrons.compose(table, density_g_cm3=DENSITY_G_CM3) for name, table in spectra.items()}
    simulated = {
        medium: dose_point_kernel(
            "Y-90", medium, density_g_cm3=density, histories=histories, seed=seed + number, threads=threads
        )
        for number, (medium, density) in enumerate((("soft-tissue", DENSITY_G_CM3), ("water", 1.0)))
    }
    rows = []
    for row in table:
        voxel_mm = (float(row["dz_mm"]), float(row["dy_mm"]), float(row["dx_mm"]))
        offset = (int(row["i"]), int(row["j"]), int(row["k"]))
        reference = float(row["S_mGy_per_MBq_s"])
        size = f"{voxel_mm[0]:g} mm" if len(set(voxel_mm)) == 1 else f"{voxel_mm} mm (z, y, x)"
        what = f"{row['source']} {row['nuclide']}, {size}, S({row['i']}{row['j']}{row['k']})"
        if row["nuclide"] == "Y-90":
            medium = "water" if row["source"] == "DPM" else "soft-tissue"
            value, error = integrated(simulated[medium], voxel_mm, offset)
        else:
            value, error = integrated(composed[row["nuclide"]], voxel_mm, offset)
        judged = row["source"] == "MIRD-17" and offset == (0, 0, 0)
        rows.append(Row(what, value, error, reference, 0.0, limits["fraction"] if judged else None, sigmas=0.0))
        if judged and row["nuclide"] == "Sr-89":
            value, error = integrated(composed["Sr-89, 1495.1 keV"], voxel_mm, offset)
            rows.append(Row(f"{what}, end point 1495.1 keV", value, error, reference, 0.0, None))
    for name in MEAN_KEV:
        rows.append(Row(f"mean energy of {name}, keV", mean_kev(spectra[name]), 0.0, MEAN_KEV[name], 0.0, None))
    rows.append(
        Row(
            "mean energy of Sr-89, end point 1495.1 keV, keV",
            mean_kev(spectra["Sr-89, 1495.1 keV"]),
            0.0,
            MEAN_KEV["Sr-89"],
            0.0,
            None,
        )
    )
    own = voxel_kernel(
        "Y-90", (3.0,) * 3, "soft-tissue", density_g_cm3=DENSITY_G_CM3, point_kernel=simulated["soft-tissue"]
    )
    centre = tuple(np.array(own.values.shape) // 2)
    return Outcome(
        rows,
        histories,
        seed,
        time.perf_counter() - begun,
        cpu_name(),
        [
            f"Y-90: point kernel of ICRU-44 soft tissue at {DENSITY_G_CM3} g/cm3; voxel_kernel gives "
            f"{float(own.values[centre]):.4f} mGy/(MBq s) at 3 mm",
            f"P-32 (allowed, 1710.66 keV) and Sr-89 (unique first-forbidden, 1502.2 keV): validation/beta_spectra.py, "
            f"kernels composed of electrons in water ({electrons.histories:.3g} histories each), composition of water "
            f"at {DENSITY_G_CM3} g/cm3; the 909 keV photons of Sr-89 (1e-4) are left out",
            "mean energies: DDEP, whose end point of Sr-89 is 1495.1 keV",
            "I-131 and Tc-99m of the pamphlet are in voxel_emitters",
            "(5,5,5) is bremsstrahlung alone, 26 and 52 mm away: EGS4's of 1999 is about a factor 2 high",
            "DPM: medium and density are not stated; compared with water of 1 g/cm3, as in the tests that quote it; "
            "these allow their own folded Geant4 kernel 2 % at 3 mm and 4 % at 4 x 4 x 3 mm",
        ],
    )


def draw(path: Path, title: str, outcome: Outcome) -> None:
    """Draw the self values; the (5,5,5) values, a factor off, are in the report."""
    from dataclasses import replace

    from validation.figures import draw as draw_rows

    draw_rows(path, title, replace(outcome, rows=[row for row in outcome.rows if "S(555)" not in row.quantity]))
