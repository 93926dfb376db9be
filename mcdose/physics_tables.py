"""Media in, arrays out: builds what the transport reads (`transport.tables.Tables`).

Above this module everything is labelled and checked; below it everything is flat float32 arrays in MeV, cm and g.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from mcdose import electron_data, goudsmit_saunderson, photon_data
from mcdose.close_collisions import largest_part, shape
from mcdose.constants import CLASSICAL_ELECTRON_RADIUS, ELECTRON_MASS, PI
from mcdose.media import Medium
from mcdose.parameters import TransportParameters
from mcdose.physics.compton import compton_angles
from mcdose.physics.lookup import energy_grid
from mcdose.physics.rayleigh import square_grid
from mcdose.transport.photon import LOWEST_PHOTON
from mcdose.transport.tables import (
    ANGLE_BITS,
    ELECTRON_BITS,
    ELECTRON_HIGH,
    ELECTRON_LOW,
    PHOTON_BITS,
    PHOTON_HIGH,
    PHOTON_LOW,
    Cuts,
    Tables,
)

Array = NDArray[np.float64]

ANGLE_CELLS = 128  # equal-probability cells of a deflection table
RADIATION_CELLS = 40  # cells of k/E of the bremsstrahlung shape
COMPTON_CELLS = 128  # cells of the root of the cumulative probability of a Compton angle


def cuts(parameters: TransportParameters) -> Cuts:
    """Return the parameters as the transport reads them."""
    return Cuts(
        np.float32(parameters.delta_cut_mev),
        np.float32(parameters.photon_cut_mev),
        np.float32(parameters.lowest_mev),
        np.float32(parameters.stop),
        np.float32(parameters.stop_inside),
        np.float32(parameters.coarse),
        np.float32(parameters.step_fine),
        np.float32(parameters.step_coarse),
        np.float32(0.0),
    )


def soft_stopping_power(medium: Medium, energy: Array, parameters: TransportParameters, charge: int = -1) -> Array:
    """Return the energy loss below the cuts, collisions and radiation, MeV cm2/g; of positrons with `charge` 1."""
    return electron_data.collision_stopping_power(
        medium, energy, parameters.delta_cut_mev, charge
    ) + electron_data.soft_radiative_stopping_power(medium, energy, parameters.photon_cut_mev, charge)


def soft_variance(medium: Medium, energy: Array, delta_cut_mev: float, charge: int = -1) -> Array:
    """Return the variance of the soft loss, MeV2 cm2/g.

    It is the second moment of Moller's formula below the cut (for positrons, `charge` 1, Bhabha's), and what the
    binding of the electrons adds to it (`electron_data.binding_variance`).
    """
    points, weights = np.polynomial.legendre.leggauss(32)
    tau = energy[:, None] / ELECTRON_MASS
    beta_squared = tau * (tau + 2.0) / (tau + 1.0) ** 2
    highest = np.minimum(delta_cut_mev, largest_part(charge) * energy)[:, None]
    transfer = highest * 0.5 * (points + 1.0)
    constant = 2.0 * PI * CLASSICAL_ELECTRON_RADIUS**2 * ELECTRON_MASS / beta_squared
    collisions = shape(transfer / energy[:, None], tau, charge)
    integral = (constant * collisions * (0.5 * highest * weights)).sum(axis=1)
    free = np.asarray(integral * goudsmit_saunderson.electrons_per_gram(medium))
    return free + electron_data.binding_variance(medium, energy)


def hinge_shortening(strength: Array) -> Array:
    """Return the straight advance of a hinged step over its path length, for first transport exponents `strength`.

    A path of K transport mean free paths advances by (1 - exp(-K)) / K of its length on average (Lewis, Phys. Rev.
    78 (1950) 526), the
    two straight parts of a hinged step by (1 + exp(-K)) / 2: shortened by tanh(K/2) / (K/2), the mean advance is exact.
    """
    half = 0.5 * np.maximum(strength, 1e-6)
    return np.asarray(np.tanh(half) / half)


def build(media: Sequence[Medium], largest_density: Sequence[float], parameters: TransportParameters) -> Tables:
    """Return the tables of the media in use.

    Parameters
    ----------
    media : in the order of the medium indices; the rows of positrons come behind those of electrons
    largest_density : of the voxels of each medium, g/cm3
    """
    electrons = energy_grid(ELECTRON_LOW, ELECTRON_HIGH, ELECTRON_BITS)
    angles = energy_grid(ELECTRON_LOW, ELECTRON_HIGH, ANGLE_BITS)
    photons = energy_grid(PHOTON_LOW, PHOTON_HIGH, PHOTON_BITS)
    parts = [_medium_tables(medium) for medium in media]
    charged = [_charged_tables(medium, parameters, charge) for charge in (-1, 1) for medium in media]

    hard = np.stack([part.hard for part in charged])
    rates = hard.sum(axis=2).reshape(2, len(media), -1).max(axis=1)  # of electrons, of positrons
    hard_bound = np.maximum.accumulate(rates, axis=1) * (1.0 + 1e-5)
    attenuation = np.stack([part.photon for part in parts])
    per_cm = attenuation[:, :, -1] * np.asarray(largest_density)[:, None]

    fractions = np.linspace(0.0, 1.0, RADIATION_CELLS + 1)
    radiation = electron_data.bremsstrahlung_shape(angles[:, None], fractions[None, :])
    radiation = radiation / radiation.max(axis=1, keepdims=True)

    def rounded(array: Array) -> NDArray[np.float32]:
        return np.ascontiguousarray(array, dtype=np.float32)

    assert electrons.size == hard.shape[1]
    assert photons.size == attenuation.shape[1]
    return Tables(
        electron=rounded(np.stack([part.electron for part in charged])),
        hard=rounded(hard),
        hard_bound=rounded(hard_bound),
        angle=rounded(np.concatenate([part.fine for part in charged] + [part.coarse for part in charged])),
        radiation=rounded(radiation),
        photon=rounded(attenuation),
        photon_bound=rounded(np.maximum(per_cm.max(axis=0), 1e-9) * (1.0 + 1e-5)),
        compton=rounded(np.stack([part.compton for part in parts])),
        form_factor=rounded(np.stack([part.form_factor for part in parts])),
        recoil=np.zeros((1, 1, 2), np.float32),
    )


@dataclass(frozen=True)
class _ChargedTables:
    electron: Array
    hard: Array
    fine: Array
    coarse: Array


@dataclass(frozen=True)
class _MediumTables:
    photon: Array
    compton: Array
    form_factor: Array


def form_factor_table(medium: Medium) -> Array:
    """Return x^2, F^2 and its integral from 0, (n, 3), in units of F^2 at x = 0; see `physics.rayleigh`."""
    square = square_grid()
    density = photon_data.squared_form_factor(medium, np.sqrt(square))
    density = density / density[0]
    cells = 0.5 * (density[1:] + density[:-1]) * np.diff(square)
    return np.stack([square, density, np.append(0.0, np.cumsum(cells))], axis=1)


@lru_cache(maxsize=128)
def _charged_tables(medium: Medium, parameters: TransportParameters, charge: int) -> _ChargedTables:
    electrons = energy_grid(ELECTRON_LOW, ELECTRON_HIGH, ELECTRON_BITS)
    angles = energy_grid(ELECTRON_LOW, ELECTRON_HIGH, ANGLE_BITS)

    soft = soft_stopping_power(medium, electrons, parameters, charge)
    variance = soft_variance(medium, electrons, parameters.delta_cut_mev, charge)
    if charge > 0:
        knock_on = electron_data.bhabha_cross_section(medium, electrons, parameters.delta_cut_mev)
        in_flight = electron_data.annihilation_cross_section(medium, electrons)
    else:
        knock_on = electron_data.moller_cross_section(medium, electrons, parameters.delta_cut_mev)
        in_flight = np.zeros(electrons.size)
    radiation = electron_data.bremsstrahlung_cross_section(medium, electrons, parameters.photon_cut_mev, charge)

    scattered = np.geomspace(0.55 * electrons[0], electrons[-1], 172)
    slowing = soft_stopping_power(medium, scattered, parameters, charge)
    rates = goudsmit_saunderson.loss_rates(medium, scattered, parameters.delta_cut_mev, slowing, charge)
    deflections = []
    advances = []
    for fraction in (parameters.step_fine, parameters.step_coarse):
        exponents = goudsmit_saunderson.step_exponents(rates, angles, fraction)
        deflections.append(goudsmit_saunderson.deflection_table(exponents, ANGLE_CELLS))
        strength = np.interp(np.log(electrons), np.log(angles), exponents[:, 0])
        advances.append(soft / hinge_shortening(strength))
    ranges = electron_data.csda_range(medium, electrons, charge)
    return _ChargedTables(
        electron=np.stack([ranges, variance / soft, *advances], axis=1),
        hard=np.stack([knock_on / soft, radiation / soft, in_flight / soft], axis=1),
        fine=deflections[0],
        coarse=deflections[1],
    )


@lru_cache(maxsize=64)
def _medium_tables(medium: Medium) -> _MediumTables:
    photons = energy_grid(PHOTON_LOW, PHOTON_HIGH, PHOTON_BITS)
    mu = photon_data.mass_attenuation(medium, np.maximum(photons, LOWEST_PHOTON))
    # Between the nodes beside the threshold a photon would bring forth a pair that has more than all its energy.
    pair = np.where(np.append(0.0, photons[:-1]) < 2.0 * ELECTRON_MASS, 0.0, mu.pair)
    bound = partial(photon_data.incoherent_scattering_function, medium)
    return _MediumTables(
        photon=np.cumsum(np.stack([mu.photoelectric, pair, mu.incoherent, mu.coherent], axis=1), axis=1),
        compton=compton_angles(photons, bound, COMPTON_CELLS),
        form_factor=form_factor_table(medium),
    )
