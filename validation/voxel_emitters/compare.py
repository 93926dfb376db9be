"""Voxel S values of soft tissue, kind by kind, against the tables of Lanconelli et al. and MIRD Pamphlet 17."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcdose import dose_point_kernel, nuclide, voxel_kernel
from mcdose.constants import MEV_TO_JOULE
from mcdose.engine.cpu import cpu_name
from mcdose.kernel import VoxelKernel
from validation.buildup import s_value
from validation.emissions import PHOTONS, only
from validation.outcome import Outcome, Row, load_case
from validation.tables import half_unit, read_table

NAME = "voxel_emitters"
MEDIUM, DENSITY_G_CM3 = "soft-tissue", 1.04
KINDS = {
    "betas": ("spectrum", "positron_spectrum"),
    "other electrons": ("conversion_electrons", "auger_electrons", "local_mev"),
    "photons": PHOTONS,
}
OTHER_ELECTRONS = ("conversion electrons", "Auger electrons", "local")
DIRECT = ("I-131", "Lu-177", "Tc-99m")
GAMMAS = ("Re-186", "Sm-153", "I-131", "Lu-177", "Tc-99m")  # whose photons are below 1 MeV
CENTRE = (5, 5, 5)
CUBE_MM = 9.28  # whose 11^3 voxels tell what a table's decay emits

Array = NDArray[np.float64]


class Values:
    """S values of a nuclide, kind by kind, 11^3 voxels of each size, mGy/(MBq s)."""

    def __init__(self, name: str, sides: list[float], histories: int, seed: int, threads: int | None) -> None:
        self.name = name
        edges = dose_point_kernel(name, MEDIUM, density_g_cm3=DENSITY_G_CM3, histories=1, threads=1).shell_edges_mm
        self.kernels: dict[tuple[str, float], VoxelKernel] = {}
        self.simulated = 0
        means = nuclide(name).mean_energies_mev
        emitted = {
            "betas": means["beta"],
            "other electrons": sum(means[kind] for kind in OTHER_ELECTRONS),
            "photons": means["gamma"] + means["X-rays"],
        }
        for number, (kind, kept) in enumerate(KINDS.items()):
            if not emitted[kind]:
                continue
            source = only(name, kept)
            point = dose_point_kernel(
                source,
                MEDIUM,
                density_g_cm3=DENSITY_G_CM3,
                shell_edges_mm=edges,
                histories=histories if kind == "photons" else max(histories // 4, 8192),
                seed=seed + number,
                threads=threads,
            )
            self.simulated += point.histories
            for side in sides:
                self.kernels[kind, side] = voxel_kernel(
                    source,
                    (side,) * 3,
                    MEDIUM,
                    density_g_cm3=DENSITY_G_CM3,
                    point_kernel=point,
                    radius_mm=4.9 * side,
                )

    def at(
        self, side: float, offset: tuple[int, int, int], kinds: tuple[str, ...] = tuple(KINDS)
    ) -> tuple[float, float]:
        """Return S and its standard error of some kinds together."""
        place = tuple(middle + step for middle, step in zip(CENTRE, offset, strict=True))
        found = [self.kernels[kind, side] for kind in kinds if (kind, side) in self.kernels]
        return (
            float(sum(kernel.values[place] for kernel in found)),
            float(np.sqrt(sum(kernel.standard_error[place] ** 2 for kernel in found))),
        )

    def within(self, side: float, kind: str) -> float:
        """Return the energy that a kind leaves in all 11^3 voxels, keV per decay."""
        return float(self.kernels[kind, side].values.sum()) * kev(side) if (kind, side) in self.kernels else 0.0


def _beside_buildup(values: Values, name: str, side: float) -> Row:
    """Return S(555) of the photons beside the published buildup factors, for information."""
    return Row(
        f"{name}, {side:g} mm, S(555) of photons, by buildup factors of water",
        *values.at(side, (5, 5, 5), ("photons",)),
        s_value(nuclide(name).lines, side, (5, 5, 5), DENSITY_G_CM3),
        0.0,
        None,
    )


def kev(side_mm: float) -> float:
    """Return keV per decay in a voxel for 1 mGy/(MBq s)."""
    return DENSITY_G_CM3 * side_mm**3 * 1e-6 * 1e-9 / MEV_TO_JOULE * 1e3


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limits = load_case(NAME)["limits"]
    table = read_table(Path(__file__).with_name("reference.csv"))
    begun = time.perf_counter()
    rows: list[Row] = []
    total = 0
    names = list(dict.fromkeys(row["nuclide"] for row in table))
    for number, name in enumerate(names):
        own = [row for row in table if row["nuclide"] == name]
        sides = sorted({float(row["voxel_mm"]) for row in own})
        values = Values(name, sides, histories, seed + 10 * number, threads)
        total += values.simulated
        implied = None
        cube = [row for row in own if row["i"] == "all"]
        if cube:
            implied, found = _implied(values, float(cube[0]["S_mGy_per_MBq_s"]))
            rows += found
        for row in own:
            if row["i"] != "all":
                rows += _compared(values, row, implied, limits)
        if name in GAMMAS:
            rows.append(_beside_buildup(values, name, 3.0))
        if name in DIRECT:
            side = 3.0
            direct = voxel_kernel(
                name,
                (side,) * 3,
                MEDIUM,
                density_g_cm3=DENSITY_G_CM3,
                method="monte-carlo",
                radius_mm=60.0,
                histories=max(histories // 2, 8192),
                seed=seed + 10 * number + 5,
                threads=threads,
            )
            total += max(histories // 2, 8192)
            centre = direct.values.shape[0] // 2
            offsets = [(0, 0, 0), (0, 0, 1)]
            for offset in offsets:
                places = [tuple(centre + step for step in each) for each in set(itertools.permutations(offset))]
                mean = float(np.mean([direct.values[place] for place in places]))
                error = float(np.sqrt(np.mean([direct.standard_error[place] ** 2 for place in places]) / len(places)))
                rows.append(
                    Row(
                        f"{name}, 3 mm, S({''.join(map(str, offset[::-1]))}), direct Monte Carlo over point kernel",
                        mean,
                        error,
                        *values.at(side, offset),
                        limits["methods"],
                    )
                )
    return Outcome(
        rows,
        total,
        seed,
        time.perf_counter() - begun,
        cpu_name(),
        [
            f"mGy/(MBq s); ICRU-44 soft tissue of {DENSITY_G_CM3} g/cm3; point kernels of betas, of other "
            "electrons and of "
            "photons, integrated over the voxels and added",
            "Lanconelli's tables hold what all of 11^3 voxels of 9.28 mm absorb; less what our photons leave "
            "there, that is "
            "the energy of the electrons that they were made with. It is judged what part of it stays in the "
            "source voxel, "
            "with the electrons (betas, or all) whose energy is nearer to it",
            "by that sum the tables of Re-186, Re-188, Sm-153 and Lu-177 have no conversion electrons or "
            "hardly any, that of "
            "I-131 has about two thirds of their energy",
            "MIRD-17's (5,5,5) is 26 mm away in a voxel of 3 mm, EGS4 of 1999, with an unstated uncertainty; "
            "at the same "
            "place Lanconelli's I-131 is 10 % lower, and the photon kernels of mcdose are those of PENELOPE "
            "(shells_penelope)",
            "direct Monte Carlo leaves electrons where they are only where they reach no face; when all stopped "
            "within 0.05 of a side, as in the first run of this case, S(100) "
            "of Lu-177 and Tc-99m was 2.8 and 5.4 % too low and outside its limit",
            "buildup factors: those of energy absorption in water of ANSI/ANS-6.4.3-1991 (validation/buildup.py), for "
            "photons alone, 26 mm or 0.3 to 0.5 mean free paths away; soft tissue takes about 1 % less than water. "
            "Farther away the standard is up to 5 % too high at 0.2 MeV (8.31 against 7.89 at two mean free paths, "
            "Shimizu et al., J Nucl Sci Technol 41:413, 2004, both of exposure)",
            "first figures had been seen when the limits were written: that Lanconelli's tables lack "
            "conversion electrons "
            "was found by them",
        ],
    )


def _implied(values: Values, table_sum: float) -> tuple[tuple[float, tuple[str, ...]], list[Row]]:
    """Return the electron energy that the table implies [keV] with the kinds nearest to it, and rows that show it."""
    table_kev = table_sum * kev(CUBE_MM)
    ours = {kind: values.within(CUBE_MM, kind) for kind in KINDS}
    electrons = table_kev - ours["photons"]
    betas, everything = ours["betas"], ours["betas"] + ours["other electrons"]
    nearer = ("betas",) if abs(betas - electrons) <= abs(everything - electrons) else ("betas", "other electrons")
    what = f"{values.name}, 11^3 voxels of {CUBE_MM:g} mm"
    return (electrons, nearer), [
        Row(f"{what}, all emissions, keV", sum(ours.values()), 0.0, table_kev, 0.0, None),
        Row(f"{what}, all electrons, keV", everything, 0.0, electrons, 0.0, None),
        Row(f"{what}, betas, keV", betas, 0.0, electrons, 0.0, None),
    ]


def _compared(
    values: Values, row: dict[str, str], implied: tuple[float, tuple[str, ...]] | None, limits: dict[str, float]
) -> list[Row]:
    """Return the rows of one figure of a table."""
    side = float(row["voxel_mm"])
    i, j, k = (int(row[axis]) for axis in "ijk")
    reference = float(row["S_mGy_per_MBq_s"])
    rounding = half_unit(reference, int(limits["digits"])) / reference
    what = f"{row['source']} {values.name}, {side:g} mm, S({i}{j}{k})"
    means = nuclide(values.name).mean_energies_mev
    pure = not sum(means[kind] for kind in OTHER_ELECTRONS)
    whole = Row(what, *values.at(side, (i, j, k)), reference, 0.0, None)
    if (i, j, k) == (5, 5, 5):
        judged = row["source"] == "Lanconelli" and not pure
        return [_limited(whole, limits["far"] + rounding if judged else None)]
    if (i, j, k) != (0, 0, 0):
        return [whole]
    if pure or implied is None or row["source"] != "Lanconelli":
        return [_limited(whole, limits["self"] + rounding)]
    electrons, kinds = implied
    photons = values.at(side, (0, 0, 0), ("photons",))[0]
    value, error = values.at(side, (0, 0, 0), kinds)
    emitted = sum(values.within(CUBE_MM, kind) for kind in kinds)
    return [
        whole,
        Row(f"{what}, betas and photons", *values.at(side, (0, 0, 0), ("betas", "photons")), reference, 0.0, None),
        Row(
            f"{row['source']} {values.name}, {side:g} mm, part of the electrons' energy in the voxel "
            f"({' and '.join(kinds)})",
            value * kev(side) / emitted,
            error * kev(side) / emitted,
            (reference - photons) * kev(side) / electrons,
            0.0,
            limits["self"] + rounding,
        ),
    ]


def _limited(row: Row, limit: float | None) -> Row:
    return Row(row.quantity, row.value, row.standard_error, row.reference, row.reference_error, limit)
