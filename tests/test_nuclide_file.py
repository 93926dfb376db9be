"""Nuclide files of the user's own: what is read, and one line for every mistake."""

import copy
import json
import re
from pathlib import Path

import numpy as np
import pytest

from mcdose import InputError
from mcdose.nuclides import Nuclide, activity_to_tia, nuclide

GOOD = {
    "name": "Er-169",
    "half_life_s": 8e5,
    "spectrum": [[0.0, 5.0], [0.1, 4.0], [0.3, 0.0]],
    "positron_spectrum": [[0.0, 0.0], [0.05, 1.0], [0.1, 0.0]],
    "gammas": [[0.2, 0.5], [0.1, 0.25]],
    "x_rays": [[0.05, 0.1]],
    "conversion_electrons": [[0.15, 0.02]],
    "auger_electrons": [[0.005, 1.5]],
    "alphas": [[5.0, 0.5]],
    "local_mev": 0.001,
    "recoil_mev": 0.05,
    "daughters": ["Tm-169"],
    "sources": ["nobody"],
    "beta_branches": [{"end_point_mev": 0.3, "per_decay": 0.85, "shape": "allowed"}],
    "evaluations_mev": {"nobody": 0.1},
}


@pytest.fixture
def written(tmp_path):
    def write(**changes):
        entry = {key: value for key, value in (copy.deepcopy(GOOD) | changes).items() if value is not ...}
        path = tmp_path / "mine.json"
        path.write_text(json.dumps(entry), encoding="utf-8")
        return path

    return write


def test_everything_is_read(written):
    found = nuclide(written())
    assert (found.name, found.half_life_s, found.daughters) == ("Er-169", 8e5, ("Tm-169",))
    assert found.gammas == ((0.1, 0.25), (0.2, 0.5))
    assert found.lines == ((0.05, 0.1), (0.1, 0.25), (0.2, 0.5))
    assert found.electron_lines == ((0.005, 1.5), (0.15, 0.02))
    means = found.mean_energies_mev
    assert means["gamma"] == pytest.approx(0.125)
    assert means["Auger electrons"] == pytest.approx(0.0075)
    assert (means["alpha"], means["recoil"], means["local"]) == (2.5, 0.05, 0.001)
    # triangles: 0.45 electrons and 0.4 more, whose first moments are integrated by hand
    assert found.spectrum.electrons_per_decay == pytest.approx(0.85)
    assert means["beta"] == pytest.approx(0.1 / 6 * (5 * 0.1 + 4 * 0.2) + 0.2 / 6 * 4 * (0.2 + 0.3))
    assert found.positrons_per_decay == pytest.approx(0.05)
    assert found.positron_spectrum.mean_energy_mev == pytest.approx(0.05)
    assert means["annihilation"] == pytest.approx(2 * 0.51099895 * 0.05)
    assert found.beta_branches[0].parent == "Er-169"
    assert found.end_point_mev == 0.3
    assert activity_to_tia(1.0, str(written())) == pytest.approx(8e5 / np.log(2))
    with pytest.raises(ValueError, match="read-only"):
        found.spectrum.density_per_mev[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        found.emissions.per_decay[0] = 1.0


def test_toml_and_a_table_beside_it(tmp_path):
    (tmp_path / "s.csv").write_text("# energy,density\n0,2\n1,0\n", encoding="utf-8")
    path = tmp_path / "Xx-9.toml"
    path.write_text('name = "Xx-9"\nhalf_life_s = 60\nspectrum = "s.csv"\n', encoding="utf-8")
    found = nuclide(str(path))
    assert found.mean_electron_energy_mev == pytest.approx(1 / 3)
    assert found.lines == ()
    assert "1 min" in str(found)


def test_the_example_of_the_page(tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "nuclides.md").read_text("utf-8")
    path = tmp_path / "example.toml"
    path.write_text(re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1], encoding="utf-8")
    found = nuclide(path)
    assert found.name == "Er-169"
    assert found.spectrum.electrons_per_decay == pytest.approx(1.0, abs=1e-3)
    assert found.sources == ("where it comes from",)


def test_only_what_is_needed(written):
    bare = {key: ... for key in GOOD if key not in ("name", "half_life_s")}
    found = Nuclide.from_file(written(**bare | {"gammas": [[0.1, 1.0]]}))
    assert not found.has_betas
    assert found.spectrum.mean_energy_mev == 0.0
    assert found.end_point_mev == 0.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"halflife": 3}, "'halflife' is not a key; those there are: name, half_life_s, spectrum,"),
        ({"name": ...}, "name is missing"),
        ({"half_life_s": ...}, "half_life_s is missing"),
        ({"name": "erbium"}, "name must be like 'Y-90' or 'Tc-99m', got 'erbium'"),
        ({"half_life_s": 0}, "half_life_s must be positive, got 0"),
        ({"half_life_s": "6 d"}, "half_life_s must be a finite number, got '6 d'"),
        ({"half_life_s": True}, "half_life_s must be a finite number, got True"),
        ({"half_life_s": float("nan")}, "half_life_s must be a finite number, got nan"),
        ({"half_life_s": 10**400}, "half_life_s must be a finite number, got 1000"),
        ({"gammas": [[0.1, -0.5]]}, "gammas at 0.1 MeV must be 0 to 2 per decay, got -0.5"),
        ({"gammas": [[0.1, 86.0]]}, r"gammas at 0.1 MeV must be 0 to 2 per decay, got 86.0 \(not in percent\)"),
        ({"gammas": [[140.5, 0.9]]}, "energies of gammas must be 0.001 to 3 MeV, got 140.5"),
        ({"x_rays": [[0.0005, 0.9]]}, "energies of x_rays must be 0.001 to 3 MeV, got 0.0005"),
        ({"auger_electrons": [[0.002, 11]]}, "auger_electrons at 0.002 MeV must be 0 to 10 per decay, got 11.0"),
        ({"alphas": [[0.5, 1.0]]}, "energies of alphas must be 1 to 12 MeV, got 0.5"),
        ({"gammas": [0.1, 0.5]}, r"gammas must be a list of \[energy in MeV, number\], got the row 0.1"),
        ({"gammas": 0.1}, r"gammas must be a list of \[energy in MeV, number\], got 0.1"),
        ({"gammas": [[0.1, None]]}, "a number of gammas must be a finite number, got None"),
        ({"local_mev": -1}, "local_mev must be 0 to 100, got -1.0"),
        ({"internal_pairs_per_decay": 3}, "internal_pairs_per_decay must be 0 to 1, got 3.0"),
        ({"daughters": "Tm-169"}, "daughters must be a list of texts, got 'Tm-169'"),
        ({"spectrum": [[0.0, 1.0], [0.2, 1.0], [0.1, 0.0]]}, "energies of spectrum must ascend, got 0.1 after 0.2"),
        ({"spectrum": [[0.0, 1.0], [0.2, -1.0], [0.3, 0.0]]}, "densities of spectrum must not be negative, got -1"),
        ({"spectrum": [[-0.1, 1.0], [0.2, 0.0]]}, "energies of spectrum must not be negative, got -0.1"),
        ({"spectrum": [[0.0, 1.0]]}, "spectrum must have at least 2 rows, got 1"),
        ({"spectrum": [[0.0, 0.1], [350.0, 0.0]]}, "spectrum must end between 0.001 and 3 MeV, got 350"),
        ({"spectrum": [[0.0, 9.0], [1.0, 0.0]]}, "must hold more than 0 and at most 2 particles per decay, got 4.5"),
        ({"spectrum": [[0.0, 0.0], [1.0, 0.0]]}, "must hold more than 0 and at most 2 particles per decay, got 0"),
        ({"spectrum": "none.csv"}, "spectrum 'none.csv' cannot be read: "),
        (
            {"beta_branches": [{"end_point_mev": 0.3, "per_decay": 0.5}]},
            "beta_branches must add up to the 0.85 per decay of spectrum, got 0.5",
        ),
        ({"beta_branches": [{"end_point_mev": 0.3}]}, "per_decay of beta_branches must be a finite number, got None"),
        (
            {"beta_branches": [{"end_point_mev": 0.3, "per_decay": 0.85, "kind": 1}]},
            "'kind' is not a key of beta_branches: end_point_mev, per_decay, shape, parent",
        ),
        ({"beta_branches": 3}, "beta_branches must be tables with end_point_mev and per_decay, got 3"),
        ({"spectrum": ...}, "beta_branches needs spectrum, which holds their sum"),
        ({"evaluations_mev": [1]}, r"evaluations_mev must be a table of energies, got \[1\]"),
    ],
)
def test_mistakes(written, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        nuclide(written(**changes))
    assert "mine.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_emitted(written):
    with pytest.raises(InputError, match="nothing is emitted: give at least one of spectrum, positron"):
        nuclide(written(**{key: ... for key in GOOD if key not in ("name", "half_life_s")}))


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("a.json", "{", "is not JSON: "),
        ("a.json", "[1]", "must hold keys and values, got list"),
        ("a.toml", "name = ", "is not TOML: "),
        ("a.json", b"\xff\xfe", "is not JSON: "),
    ],
)
def test_files_that_are_none(tmp_path, file, text, message):
    (tmp_path / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message):
        nuclide(tmp_path / file)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(InputError, match="cannot be read: No such file"):
        nuclide(str(tmp_path / "none.toml"))
    with pytest.raises(InputError, match=r"the suffix must be .toml or .json"):
        nuclide(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,1,2\n1,0,0\n", "got 3 columns"),
        ("0 1\n", "must be rows"),
        ("a,b\n", "must be rows"),
        ("", "at least 2 rows"),
    ],
)
def test_bad_tables(tmp_path, written, text, message):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        nuclide(written(spectrum="t.csv", beta_branches=...))
