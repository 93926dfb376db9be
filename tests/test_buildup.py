"""The published absorbed fractions that validation compares with: the formula and the quadrature."""

import numpy as np
import pytest

from validation.absorbed_fractions import published
from validation.tables import read_table

ROWS = read_table(published.Path(published.__file__).with_name("buildup.csv"))


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


def test_mu_en_is_that_of_the_tables():
    assert published.energy_left(0.4, np.array([1e-6]))[0] == pytest.approx(0.03279, rel=1e-4)
