"""The published absorbed fractions that validation compares with: the formula and the quadrature."""

import numpy as np
import pytest

from mcdose.constants import MEV_TO_JOULE
from mcdose.media import medium
from mcdose.parameters import TransportParameters
from mcdose.physics.lookup import energy_grid
from mcdose.physics_tables import build
from mcdose.short_electrons import compton_recoil
from mcdose.transport.tables import GIVEN, PHOTOELECTRIC, PHOTON_BITS, PHOTON_HIGH, PHOTON_LOW
from validation import buildup as published
from validation.tables import read_table

ROWS = read_table(published.TABLE)


@pytest.mark.parametrize("row", ROWS, ids=[row["energy_mev"] for row in ROWS])
def test_one_mean_free_path_has_the_factor_that_the_table_gives(row):
    """b is the buildup factor at one mean free path; at none it is 1."""
    found = published.buildup(row, np.array([1e-9, 1.0]))
    np.testing.assert_allclose(found, [1.0, float(row["b"])], rtol=1e-6)


@pytest.mark.parametrize("energy", [0.3, 0.364, 0.4, 0.45])
def test_all_space_takes_the_whole_energy(energy):
    """Within what the formula is good for."""
    assert published.absorbed_fraction(energy, 400.0, False) == pytest.approx(1.0, abs=0.012)


def test_without_buildup_the_fraction_is_in_closed_form(monkeypatch):
    """mu_en/mu (1 - exp(-mu R)) from the centre; all over, that of straight paths in a sphere."""
    monkeypatch.setattr(published, "buildup", lambda row, paths: np.ones_like(paths))
    near = published.energy_left(0.3, np.array([1e-6, 1.0]))
    mu_en, mu = near[0], np.log(near[0] / near[1])
    radius = 6.0
    at_centre = mu_en / mu * (1.0 - np.exp(-mu * radius))
    assert published.absorbed_fraction(0.3, radius, False) == pytest.approx(at_centre, rel=1e-5)
    x = 2.0 * mu * radius  # escape from a sphere: 3 (x^2 / 2 - 1 + (1 + x) exp(-x)) / x^3
    escape = 3.0 * (x**2 / 2.0 - 1.0 + (1.0 + x) * np.exp(-x)) / x**3
    assert published.absorbed_fraction(0.3, radius, True) == pytest.approx(mu_en / mu * (1.0 - escape), rel=1e-5)


def test_mu_en_is_what_our_tables_transfer():
    """Compton and photoelectrons of water; radiation of the electrons makes 0.2 % of it at 1 MeV."""
    tables = build([medium("water")], [1.0], TransportParameters())
    nodes = energy_grid(PHOTON_LOW, PHOTON_HIGH, PHOTON_BITS)
    transfer = compton_recoil(tables, 0, 10.0)[:, GIVEN] / nodes + tables.photon[0, :, PHOTOELECTRIC]
    for row in ROWS:
        ours = np.exp(np.interp(np.log(float(row["energy_mev"])), np.log(nodes), np.log(transfer)))
        assert float(row["mu_en_cm2_g"]) == pytest.approx(ours, rel=3e-3)


def test_s_values_far_away_are_those_of_points():
    """From voxel to voxel 20 sides away: the kernel at the distance of their middles, within the spread of theirs."""
    side_cm, apart = 0.2, 20
    distance = side_cm * apart * np.sqrt(3.0)
    kernel = published.energy_left(0.364, np.array([distance]))[0] / (4.0 * np.pi * distance**2) * 0.364
    found = published.s_value([(0.364, 1.0), (0.02, 1.0)], 10.0 * side_cm, (apart, apart, apart), 1.0)
    assert found == pytest.approx(kernel * MEV_TO_JOULE * 1e12, rel=2e-3)
