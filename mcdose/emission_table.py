"""Everything a decay emits, as the table that a history draws one emission from."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.nuclides import Nuclide
from mcdose.reach import highest_electron_mev
from mcdose.transport.stack import ELECTRON, NOTHING, PHOTON, POSITRON

ENERGY_CELLS = 4096  # quantiles of a spectrum; linear between them the mean of Y-90 is 5e-6 high
ONE = 1 << 31  # the certain event
# That a history stands for: 2^24 histories of a batch in one voxel are then 2^28 MeV, of the 2^31 of an int64.
MOST_STAYS_MEV = 16.0


class EmissionTable(NamedTuple):
    """What `transport.source` draws from, and what it stands for.

    Attributes
    ----------
    chances : (m,) uint32, cumulative probability times 2^31
    kinds : (m,) int32, of `transport.stack`
    lines : (m,) float32, MeV; -1 for the first spectrum, -2 for the second
    energies : (spectra, n + 1) float32, MeV at equal cumulative probability
    stays : float32, MeV that a history leaves where it starts, see `mcdose.staying`
    per_decay : emissions per decay: so many histories are one decay
    mean_mev : energy that a decay emits, annihilation photons included, neutrinos not
    electron_mev : that of betas, positrons, conversion and Auger electrons
    highest_mev : of an electron or positron, or of what photons can free, see `mcdose.reach`
    """

    chances: NDArray[np.uint32]
    kinds: NDArray[np.int32]
    lines: NDArray[np.float32]
    energies: NDArray[np.float32]
    stays: np.float32
    per_decay: float
    mean_mev: float
    electron_mev: float
    highest_mev: float

    @property
    def fields(self) -> tuple[Any, ...]:
        """What the transport reads, in the order of its fields."""
        return self[:4]


@lru_cache(maxsize=32)
def emission_table(nuclide: Nuclide, stay_below_mev: float = 0.0) -> EmissionTable:
    """Make the table of a nuclide.

    Alphas, recoils and `local_mev` stay where they are; a history stands for an equal part of their sum.

    Parameters
    ----------
    nuclide : what decays
    stay_below_mev : conversion and Auger electrons below it stay too, see `mcdose.reach.least_moving_mev`
    """
    rows: list[tuple[int, float, float]] = []  # kind, energy or spectrum, number per decay
    spectra: list[NDArray[np.float64]] = []
    for kind, spectrum in ((ELECTRON, nuclide.spectrum), (POSITRON, nuclide.positron_spectrum)):
        if spectrum is not None and len(spectrum.energies_mev):
            spectra.append(spectrum.inverse_cdf(ENERGY_CELLS))
            rows.append((kind, -float(len(spectra)), spectrum.electrons_per_decay))
    rows += [(PHOTON, energy, count) for energy, count in nuclide.lines]
    rows += [(ELECTRON, energy, count) for energy, count in nuclide.electron_lines if energy >= stay_below_mev]
    means = nuclide.mean_energies_mev
    stays = means["alpha"] + means["recoil"] + means["local"]
    stays += sum(energy * count for energy, count in nuclide.electron_lines if energy < stay_below_mev)
    return _table(
        rows or [(NOTHING, 0.0, 1.0)],
        spectra,
        stays,
        sum(means.values()),
        nuclide.mean_electron_energy_mev,
        highest_electron_mev(nuclide),
    )


def mono_energetic(energy_mev: float) -> EmissionTable:
    """Make the table of electrons of one energy, one per decay."""
    return _table([(ELECTRON, energy_mev, 1.0)], [], 0.0, energy_mev, energy_mev, energy_mev)


def _table(
    rows: list[tuple[int, float, float]],
    spectra: list[NDArray[np.float64]],
    stays: float,
    mean_mev: float,
    electron_mev: float,
    highest_mev: float,
) -> EmissionTable:
    missing = stays / MOST_STAYS_MEV - sum(count for _, _, count in rows)
    if missing > 0.0:  # hardly anything moves: some histories move nothing
        rows = [*rows, (NOTHING, 0.0, missing)]
    kinds, lines, counts = (np.array(column) for column in zip(*rows, strict=True))
    per_decay = float(counts.sum())
    chances = np.rint(np.cumsum(counts) / per_decay * ONE).astype(np.int64)
    chances[-1] = ONE
    if abs(per_decay - 1.0) < 1e-6:  # one electron: the integral of a spectrum is rounded
        per_decay = 1.0
    arrays = (
        chances.astype(np.uint32),
        kinds.astype(np.int32),
        lines.astype(np.float32),
        np.array(spectra or np.zeros((1, 2)), dtype=np.float32),
    )
    for array in arrays:
        array.flags.writeable = False
    return EmissionTable(*arrays, np.float32(stays / per_decay), per_decay, mean_mev, electron_mev, highest_mev)
