"""The transport's tables: they bound what they must, and what they interpolate is close to the data."""

import numpy as np
import pytest
from conftest import DENSITIES, MEDIA

from mcdose.close_collisions import largest_part
from mcdose.constants import ELECTRON_MASS
from mcdose.electron_data import (
    annihilation_cross_section,
    bhabha_cross_section,
    bremsstrahlung_cross_section,
    csda_range,
    moller_cross_section,
)
from mcdose.media import medium
from mcdose.parameters import TransportParameters
from mcdose.photon_data import mass_attenuation
from mcdose.physics.lookup import energy_grid
from mcdose.physics_tables import build, cuts, soft_stopping_power, soft_variance
from mcdose.transport.tables import (
    ADVANCE_COARSE,
    ADVANCE_FINE,
    ANGLE_BITS,
    ANNIHILATION,
    ELECTRON_BITS,
    ELECTRON_HIGH,
    ELECTRON_LOW,
    PHOTOELECTRIC,
    PHOTON_BITS,
    PHOTON_HIGH,
    PHOTON_LOW,
    RANGE,
    TOTAL,
    VARIANCE,
    WITH_PAIR,
)

PARAMETERS = TransportParameters()
ELECTRONS = energy_grid(ELECTRON_LOW, ELECTRON_HIGH, ELECTRON_BITS)
PHOTONS = energy_grid(PHOTON_LOW, PHOTON_HIGH, PHOTON_BITS)
MIDDLES = 0.5 * (ELECTRONS[1:] + ELECTRONS[:-1])  # where linear interpolation is worst


CHARGES = pytest.mark.parametrize("charge", [-1, 1], ids=["electrons", "positrons"])


def row_of(which, charge):
    """Return the row of a medium, of the three."""
    return which + (len(MEDIA) if charge > 0 else 0)


def in_the_middle(column):
    column = column.astype(np.float64)
    return 0.5 * (column[1:] + column[:-1])


def test_shapes_and_types(three_media):
    nodes, angles = ELECTRONS.size, energy_grid(ELECTRON_LOW, ELECTRON_HIGH, ANGLE_BITS).size
    assert three_media.electron.shape == (6, nodes, 4)
    assert three_media.hard.shape == (6, nodes, 3)
    assert three_media.hard_bound.shape == (2, nodes)
    assert three_media.angle.shape[0] == 2 * 6 * angles
    assert three_media.photon.shape == (3, PHOTONS.size, 4)
    assert three_media.photon_bound.shape == (PHOTONS.size,)
    for array in three_media:
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert np.all(np.isfinite(array))
        assert array.min() >= 0.0


def test_hard_bound_is_above_every_rate_at_every_lower_energy(three_media):
    """Interpolated in an interval or at any energy below: what a particle can meet on a flight that starts there."""
    assert np.all(three_media.hard[:3, :, ANNIHILATION] == 0.0)
    for rows, bound in ((slice(0, 3), three_media.hard_bound[0]), (slice(3, 6), three_media.hard_bound[1])):
        rates = three_media.hard[rows].sum(axis=2, dtype=np.float64).max(axis=0)
        assert np.all(np.diff(bound) >= 0.0)
        assert np.all(bound >= np.maximum.accumulate(rates))
        assert np.all(bound <= 1.001 * np.maximum.accumulate(rates) + 1e-12)


def test_photon_bound_is_above_every_interpolated_attenuation(three_media):
    bound = three_media.photon_bound
    for place in np.linspace(0.0, 1.0, 9, dtype=np.float32):
        limit = bound[:-1] + place * (bound[1:] - bound[:-1])
        for which, density in enumerate(DENSITIES):
            total = three_media.photon[which, :, TOTAL]
            here = np.float32(density) * (total[:-1] + place * (total[1:] - total[:-1]))
            assert np.all(limit >= here)
    per_cm = three_media.photon[:, :, TOTAL].astype(np.float64) * np.array(DENSITIES)[:, None]
    assert np.all(bound <= 1.001 * per_cm.max(axis=0))  # and not needlessly far


@CHARGES
@pytest.mark.parametrize("which", range(3), ids=MEDIA)
def test_electron_columns_between_the_nodes(which, charge, three_media):
    material = medium(MEDIA[which])
    table = three_media.electron[row_of(which, charge)]
    usable = MIDDLES > 0.01
    ranges = csda_range(material, MIDDLES, charge)
    assert in_the_middle(table[:, RANGE])[usable] == pytest.approx(ranges[usable], rel=1e-3)
    soft = soft_stopping_power(material, MIDDLES, PARAMETERS, charge)
    per_loss = soft_variance(material, MIDDLES, PARAMETERS.delta_cut_mev, charge) / soft
    kink = (
        np.searchsorted(ELECTRONS, PARAMETERS.delta_cut_mev / largest_part(charge)) - 1
    )  # from there on the cut limits the loss
    found = in_the_middle(table[:, VARIANCE])
    assert found[kink] == pytest.approx(per_loss[kink], rel=3e-3)
    usable[kink] = False
    assert found[usable] == pytest.approx(per_loss[usable], rel=1e-3)


@CHARGES
@pytest.mark.parametrize("which", range(3), ids=MEDIA)
def test_loss_per_advance_is_the_soft_stopping_power_shortened(which, charge, three_media):
    material = medium(MEDIA[which])
    table = three_media.electron[row_of(which, charge)]
    at_nodes = soft_stopping_power(material, ELECTRONS, PARAMETERS, charge)
    between = soft_stopping_power(material, MIDDLES, PARAMETERS, charge)
    for column, most in ((ADVANCE_FINE, 1.02), (ADVANCE_COARSE, 1.12)):
        ratio = table[:, column] / at_nodes
        assert ratio.min() >= 1.0
        assert ratio.max() < most
        # The shortening is smooth, so what the interpolation errs by is the stopping power's own.
        found = in_the_middle(table[:, column]) / in_the_middle(ratio)
        usable = MIDDLES > 0.01
        assert found[usable] == pytest.approx(between[usable], rel=1e-3)


@CHARGES
@pytest.mark.parametrize("which", range(3), ids=MEDIA)
def test_hard_rates_are_cross_sections_per_soft_loss(which, charge, three_media):
    material = medium(MEDIA[which])
    table = three_media.hard[row_of(which, charge)]
    soft = soft_stopping_power(material, MIDDLES, PARAMETERS, charge)
    count = bhabha_cross_section if charge > 0 else moller_cross_section
    knock_on = count(material, MIDDLES, PARAMETERS.delta_cut_mev) / soft
    radiation = bremsstrahlung_cross_section(material, MIDDLES, PARAMETERS.photon_cut_mev, charge) / soft
    found = [in_the_middle(table[:, column]) for column in range(3)]
    over_threshold = MIDDLES * largest_part(charge) / PARAMETERS.delta_cut_mev
    away = over_threshold > 1.25
    assert found[0][away] == pytest.approx(knock_on[away], rel=2e-3)
    assert np.all(found[0][over_threshold < 0.95] == 0.0)
    away = MIDDLES / PARAMETERS.photon_cut_mev > 2.5
    assert found[1][away] == pytest.approx(radiation[away], rel=2e-3)
    if charge > 0:
        away = MIDDLES > 0.01
        in_flight = annihilation_cross_section(material, MIDDLES) / soft
        assert found[2][away] == pytest.approx(in_flight[away], rel=2e-3)


@pytest.mark.parametrize("which", range(3), ids=MEDIA)
def test_attenuation_between_the_nodes(which, three_media):
    middles = 0.5 * (PHOTONS[1:] + PHOTONS[:-1])
    usable = middles > 0.006  # above the K edges of the body's elements
    mu = mass_attenuation(medium(MEDIA[which]), middles[usable])
    expected = np.cumsum([mu.photoelectric, mu.pair, mu.incoherent, mu.coherent], axis=0)
    for column in range(4):
        found = in_the_middle(three_media.photon[which, :, column])[usable]
        assert found == pytest.approx(expected[column], rel=3e-3, abs=3e-7)  # absolute: at the threshold of pairs
    assert np.all(np.diff(three_media.photon[which], axis=1) >= 0.0)


@pytest.mark.parametrize("which", range(3), ids=MEDIA)
def test_no_photon_below_the_threshold_makes_a_pair(which, three_media):
    """Also by interpolation: the pair would have more energy than the photon, and the voxel lose what is missing."""
    below = np.flatnonzero(PHOTONS < 2.0 * ELECTRON_MASS)
    table = three_media.photon[which]
    for index in below:
        for node in (index, index + 1):
            assert table[node, WITH_PAIR] == table[node, PHOTOELECTRIC]
    assert np.all(table[below[-1] + 2 :, WITH_PAIR] > table[below[-1] + 2 :, PHOTOELECTRIC])


def test_published_values_of_water(three_media):
    """ESTAR's CSDA range at 1 MeV and 2 MeV; XCOM's attenuation at 1 MeV."""
    assert np.interp([1.0, 2.0], ELECTRONS, three_media.electron[0, :, RANGE]) == pytest.approx(
        [0.4367, 0.9785], abs=1e-4
    )
    assert np.interp(1.0, PHOTONS, three_media.photon[0, :, TOTAL]) == pytest.approx(0.07072, rel=5e-4)


def test_cuts_are_the_parameters():
    found = cuts(PARAMETERS)
    assert all(type(value) is np.float32 for value in found)
    assert found == pytest.approx(
        (
            PARAMETERS.delta_cut_mev,
            PARAMETERS.photon_cut_mev,
            PARAMETERS.lowest_mev,
            PARAMETERS.stop,
            PARAMETERS.stop_inside,
            PARAMETERS.coarse,
            PARAMETERS.step_fine,
            PARAMETERS.step_coarse,
            0.0,
        )
    )


def test_media_keep_their_order(three_media):
    alone = build([medium(MEDIA[2])], DENSITIES[2:], PARAMETERS)
    assert np.array_equal(alone.electron, three_media.electron[[2, 5]])
    assert np.array_equal(alone.hard, three_media.hard[[2, 5]])
    fine_and_coarse = alone.angle.reshape(2, 2, -1)
    assert np.array_equal(fine_and_coarse, three_media.angle.reshape(2, 6, -1)[:, [2, 5]])
