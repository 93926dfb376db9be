"""Mean dose of planes in a block of voxels, of whole decays and of their photons."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcdose import DoseResult, TransportParameters, absorbed_dose, nuclide
from mcdose.constants import MEV_TO_JOULE
from mcdose.nuclides import Nuclide
from validation.emissions import PHOTONS, only
from validation.outcome import Outcome, Row, load_case
from validation.penelope_emissions import SLAB_PLANES, SLAB_SHAPE, SLAB_VOXEL_MM, SOURCE_BOX, slab_media
from validation.tables import read_table

NAME = "emissions_penelope"
NUCLIDES = ("Lu-177", "I-131", "Ho-166", "Tc-99m")
GEOMETRIES = ("water", "slab")
WAYS = ("decay", "photons", "photons by track lengths")
THICK = SLAB_SHAPE[0] // SLAB_PLANES

Array = NDArray[np.float64]


def simulate(
    of: Nuclide, geometry: str, parameters: TransportParameters, histories: int, seed: int, threads: int | None
) -> DoseResult:
    """Return the result of one source; regions are the planes, by their number."""
    planes = slab_media(geometry == "slab")
    media = list(dict.fromkeys(planes))
    index = np.empty(SLAB_SHAPE, int)
    index[:] = np.array([media.index(one) for one in planes])[:, None, None]
    tia = np.zeros(SLAB_SHAPE)
    box = tuple(slice(first, end) for first, end in SOURCE_BOX)
    tia[box] = 1.0 / tia[box].size
    regions = {}
    for plane in range(SLAB_PLANES):
        mask = np.zeros(SLAB_SHAPE, bool)
        mask[plane * THICK : (plane + 1) * THICK] = True
        regions[str(plane)] = mask
    return absorbed_dose(
        tia,
        SLAB_VOXEL_MM,
        nuclide=of,
        medium=index,
        media=media,
        histories=histories,
        seed=seed,
        threads=threads,
        regions=regions,
        density_floor_g_cm3=0.0,
        parameters=parameters,
    )


def energies(result: DoseResult, geometry: str) -> tuple[Array, Array]:
    """Return the energy per decay in each plane and its standard error, MeV."""
    cm3 = float(np.prod(SLAB_SHAPE[1:]) * np.prod(SLAB_VOXEL_MM)) * 1e-3 * THICK
    to_mev = (
        np.array([one.density_g_cm3 for one in slab_media(geometry == "slab")[::THICK]]) * cm3 * 1e-3 / MEV_TO_JOULE
    )
    planes = [result.regions[str(plane)] for plane in range(SLAB_PLANES)]
    return (
        np.array([plane.mean_gy for plane in planes]) * to_mev,
        np.array([plane.standard_error_gy for plane in planes]) * to_mev,
    )


def reference(geometry: str, name: str, photons_only: bool) -> tuple[Array, Array]:
    """Return PENELOPE's energy per decay in each plane and its standard error, MeV."""
    of = nuclide(name)
    number = {
        "photons": sum(count for _, count in of.lines),
        "electrons": of.spectrum.electrons_per_decay * of.has_betas + sum(count for _, count in of.electron_lines),
    }
    mean, variance = np.zeros(SLAB_PLANES), np.zeros(SLAB_PLANES)
    for row in read_table(Path(__file__).with_name("reference.csv")):
        if (row["problem"], row["source"]) == (geometry, name) and not (photons_only and row["kind"] != "photons"):
            mean[int(row["part"])] += number[row["kind"]] * float(row["energy_mev"])
            variance[int(row["part"])] += (number[row["kind"]] * float(row["standard_error"])) ** 2
    if not photons_only:
        first, end = (edge // THICK for edge in SOURCE_BOX[0])
        mean[first:end] += of.local_mev / (end - first)
    return mean, np.sqrt(variance)


def run(histories: int, seed: int, threads: int | None = None) -> Outcome:
    """Run the case."""
    limits = load_case(NAME)["limits"]
    every: list[Row] = []
    results = []
    for number, (way, geometry, name) in enumerate(product(WAYS, GEOMETRIES, NUCLIDES)):
        photons_only = way != "decay"
        of = only(name, PHOTONS) if photons_only else nuclide(name)
        parameters = TransportParameters(track_length=0.1 if way == "photons by track lengths" else 0.0)
        results.append(simulate(of, geometry, parameters, histories, seed + number, threads))
        values, errors = energies(results[-1], geometry)
        judges, spreads = reference(geometry, name, photons_only)
        media = slab_media(geometry == "slab")
        every += [
            Row(
                f"{geometry}, {name}, {way}, "
                f"{plane * THICK * SLAB_VOXEL_MM[0]:g} mm {media[plane * THICK].name.removesuffix('-icru90')}",
                float(values[plane]),
                float(errors[plane]),
                float(judges[plane]),
                float(spreads[plane]),
                limits["fraction"],
            )
            for plane in range(SLAB_PLANES)
        ]
    sharp = [row for row in every if row.sigma <= limits["largest_sigma"]]
    spread = [row.deviation / row.sigma for row in sharp]
    media_used = ", ".join(f"{one.name} {one.density_g_cm3:g} g/cm3" for one in dict.fromkeys(slab_media(True)))
    return Outcome(
        sharp,
        sum(result.histories for result in results),
        seed,
        sum(result.seconds for result in results),
        results[0].provenance["target"],
        [
            "MeV per decay in planes of 200 x 200 x 10 mm, by where they begin along z; the source fills 40 "
            "x 40 x 20 mm "
            "at 60 to 80 mm; voxels of 5 x 10 x 10 mm in both codes, vacuum outside",
            f"slab: water, lung from 80, cortical bone from 120, water from 140 to 200 mm; {media_used}; the "
            "local energy "
            "of a decay is added to PENELOPE's source planes",
            f"{len(sharp)} of {len(every)} planes; {len(every) - len(sharp)} left out, their combined sigma "
            "is above 1 %",
            f"differences over their combined sigma: mean {np.mean(spread):+.2f}, root mean square "
            f"{np.sqrt(np.mean(np.square(spread))):.2f}",
        ],
    )
