"""Media: compositions against NIST's Table 2, the Bragg rule, what is refused, and the data folder's sha256."""

import hashlib
import pickle
from pathlib import Path

import pytest

from mcdose.data import DATA_FOLDER
from mcdose.media import Medium, atomic_numbers, elements, media, medium

# Z/A [mol/g] and I [eV] of NIST's X-ray tables (NISTIR 5632), Table 2, and of ESTAR
PUBLISHED = {
    "water": (0.55508, 75.0),
    "soft-tissue": (0.54996, 74.7),
    "soft-tissue-icrp": (0.55121, 72.3),
    "soft-tissue-icru-4-component": (0.54975, 74.9),
    "lung": (0.55048, 75.2),
    "adipose": (0.55579, 64.8),
    "muscle": (0.55000, 74.6),
    "blood": (0.54999, 75.2),
    "cortical-bone": (0.51478, 112.0),
    "cortical-bone-icrp": (0.52130, 106.4),
    "air": (0.49919, 85.7),
    "pmma": (0.53937, 74.0),
}


def test_media_of_the_contract_are_there():
    promised = {"water", "soft-tissue", "soft-tissue-icrp", "liver", "lung", "adipose", "muscle", "blood", "air"}
    promised |= {"cortical-bone", "cortical-bone-icrp", "trabecular-bone"}
    assert promised <= set(media())
    assert medium("lung").density_g_cm3 == 0.26
    assert medium("cortical-bone").density_g_cm3 == 1.92
    assert medium("cortical-bone-icrp").density_g_cm3 == 1.85
    for name in media():
        assert medium(name).name == name
        assert medium(name).sources
        assert sum(medium(name).composition.values()) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("name", PUBLISHED)
def test_electrons_per_gram_and_excitation_energy_are_the_published_ones(name):
    z_over_a, excitation = PUBLISHED[name]
    assert medium(name).z_over_a == pytest.approx(z_over_a, abs=1.1e-5)
    assert medium(name).mean_excitation_energy_ev == excitation


@pytest.mark.parametrize("name", ["soft-tissue", "lung", "adipose", "muscle", "blood", "cortical-bone"])
def test_bragg_rule_gives_the_values_that_nist_computed_for_icru_44_tissues(name):
    shipped = medium(name)
    bragg = Medium(name, shipped.composition, shipped.density_g_cm3)
    assert bragg.mean_excitation_energy_ev == pytest.approx(PUBLISHED[name][1], abs=0.06)


def test_bragg_rule_for_gases_and_single_elements():
    air = medium("air")
    assert Medium("air", air.composition, air.density_g_cm3).mean_excitation_energy_ev == pytest.approx(85.7, abs=0.5)
    assert Medium("gold", {"Au": 1.0}, 19.32).mean_excitation_energy_ev == 790.0


def test_elements_are_hydrogen_to_uranium():
    assert [element.z for element in elements().values()] == list(range(1, 93))
    assert elements()["Pb"].z == 82
    assert elements()["Ca"].atomic_weight == pytest.approx(40.078)


def test_composition_is_normalised_sorted_and_without_zeros():
    mixed = Medium("x", {"O": 0.8877, "H": 0.1119, "Ca": 0.0}, 1.0)
    assert list(mixed.composition) == ["H", "O"]
    assert sum(mixed.composition.values()) == pytest.approx(1.0, abs=1e-15)
    assert list(atomic_numbers(mixed)) == [1, 8]
    assert mixed == Medium("x", {"H": 0.1119, "O": 0.8877}, 1.0)
    assert hash(mixed) == hash(Medium("x", {"H": 0.1119, "O": 0.8877}, 1.0))
    assert pickle.loads(pickle.dumps(mixed)) == mixed


def test_density_changes_and_excitation_energy_stays():
    thin = medium("liver").with_density(0.005)
    assert thin.density_g_cm3 == 0.005
    assert thin.mean_excitation_energy_ev == medium("liver").mean_excitation_energy_ev
    assert thin.sources == medium("liver").sources


@pytest.mark.parametrize(
    ("composition", "density", "excitation", "message"),
    [
        ({"H": 0.1, "O": 0.8}, 1.0, None, r"'x' must add up to 1 within 0.001, got 0.9"),
        ({}, 1.0, None, "must add up to 1"),
        ({"H": 0.1, "Xx": 0.9}, 1.0, None, "must name elements H to U by symbol, got 'Xx'"),
        ({"H": -0.1, "O": 1.1}, 1.0, None, "mass fraction of H in medium 'x' must not be negative, got -0.1"),
        ({"H": float("nan"), "O": 1.0}, 1.0, None, "must not be negative, got nan"),
        ({"O": 1.0}, -1.0, None, "density_g_cm3 of medium 'x' must be positive, got -1.0"),
        ({"O": 1.0}, float("inf"), None, "density_g_cm3 of medium 'x' must be positive, got inf"),
        ({"O": 1.0}, 1.0, 0.0, "mean_excitation_energy_ev of medium 'x' must be positive, got 0.0"),
    ],
)
def test_bad_media_are_refused(composition, density, excitation, message):
    with pytest.raises(ValueError, match=message):
        Medium("x", composition, density, excitation)


def test_unknown_medium_is_refused_with_the_list():
    with pytest.raises(ValueError, match=r"medium must be one of water, .*, got 'steel'"):
        medium("steel")


def sha256_rows() -> dict[str, str]:
    rows = {}
    for line in (DATA_FOLDER / "SOURCES.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("| ").split("|")]
        if len(cells) > 2 and len(cells[-1]) == 64:
            rows[cells[0]] = cells[-1]
    return rows


def data_files() -> list[Path]:
    return sorted(path for path in DATA_FOLDER.iterdir() if path.suffix in {".csv", ".h5"})


def test_every_table_has_a_row_in_sources_with_its_sha256():
    rows = sha256_rows()
    assert len(data_files()) >= 5
    for path in data_files():
        assert rows.get(path.name) == hashlib.sha256(path.read_bytes()).hexdigest(), path.name


def test_rows_name_files_that_exist_and_tables_stay_small():
    for name in sha256_rows():
        assert (DATA_FOLDER / name).is_file() or (DATA_FOLDER / "nuclides" / name).is_file(), name
    assert sum(path.stat().st_size for path in data_files()) < 1.5e6
