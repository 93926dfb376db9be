"""Kernels as files: bit for bit the same again, one clear error for a bad file, and the library by name."""

import argparse
import csv
import hashlib
import json
import re
import shutil
import struct
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import mcdose
from mcdose import kernel_file
from mcdose.electron_kernels import ElectronKernels
from mcdose.kernel import PointKernel, VoxelKernel
from mcdose.kernel_file import library_file, load_kernel, save_kernel, table_hashes
from mcdose.kernel_merge import merge_point_kernels
from tools.build_kernels import build, energies_mev, read_recipe

LIBRARY = Path(__file__).parents[1] / "kernels"
PROVENANCE = {"mcdose": "0.1", "seed": 2**64 - 1, "parameters": {"stop": 0.1}, "tables_sha256": {"shells.csv": "ab"}}

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
any_float = st.floats()
positive = st.floats(5e-324, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | finite | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
provenances = st.dictionaries(text.filter(lambda key: key not in kernel_file._FROM_PROVENANCE.values()), plain)


@st.composite
def point_kernels(draw):
    edges = draw(
        arrays.arrays(np.float64, st.integers(1, 20), elements=st.floats(1e-300, 1e300), unique=True).map(np.sort)
    )
    return PointKernel(
        np.concatenate([[0.0], edges]),
        draw(arrays.arrays(np.float64, edges.size, elements=finite)),
        draw(arrays.arrays(np.float64, edges.size, elements=st.floats())),
        draw(arrays.arrays(np.float64, (draw(st.integers(1, 4)), edges.size), elements=st.floats())),
        draw(finite),
        draw(text | finite),
        draw(text),
        draw(positive),
        draw(st.integers(0, 2**62)),
        draw(provenances) | PROVENANCE,
    )


@st.composite
def voxel_kernels(draw):
    shape = tuple(draw(st.sampled_from([1, 3, 5])) for _ in range(3))
    return VoxelKernel(
        draw(arrays.arrays(np.float64, shape, elements=finite)),
        draw(arrays.arrays(np.float64, shape, elements=st.floats())),
        draw(st.tuples(positive, positive, positive)),
        draw(text),
        draw(text),
        draw(positive),
        draw(finite),
        draw(finite),
        draw(provenances) | PROVENANCE | {"histories": 7},
    )


@st.composite
def electron_kernels(draw):
    m, parts, n = (draw(st.integers(low, 4)) for low in (2, 1, 1))

    def values(*shape, elements=any_float):
        return draw(arrays.arrays(np.float64, shape, elements=elements))

    steps = draw(arrays.arrays(np.float64, (m, n), elements=st.floats(1e-3, 1e3)))
    return ElectronKernels(
        np.arange(1.0, m + 1.0),
        np.concatenate([np.zeros((m, 1)), np.cumsum(steps, axis=1)], axis=1),
        values(m, n, elements=finite),
        values(m, n),
        values(m, parts, n),
        draw(text),
        draw(positive),
        draw(st.integers(0, 2**62)),
        draw(provenances) | PROVENANCE,
    )


def same(a, b):
    """Tell whether two fields are the same to the last bit, NaN and the sign of zero included."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, float):
        return type(b) is float and struct.pack("d", a) == struct.pack("d", b)
    return type(a) is type(b) and a == b


def some_kernel(**changes):
    edges = np.arange(121) / 10.0
    energy = np.linspace(0.02, 0.001, 120)
    kernel = PointKernel(
        edges,
        energy,
        energy / 100.0,
        np.outer([0.01, -0.02], energy),
        0.9,
        "Y-90",
        "water",
        1.0,
        1000,
        dict(PROVENANCE),
    )
    return replace(kernel, **changes)


@pytest.mark.parametrize(
    "kernels", [point_kernels(), electron_kernels(), voxel_kernels()], ids=["point", "electrons", "voxel"]
)
def test_round_trip_is_exact(tmp_path, kernels):
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(kernels)
    def check(kernel):
        save_kernel(kernel, tmp_path / "kernel.h5", overwrite=True)
        again = load_kernel(tmp_path / "kernel.h5")
        assert type(again) is type(kernel)
        assert all(same(value, getattr(again, name)) for name, value in vars(kernel).items())

    check()


def test_long_provenance_fits(tmp_path):
    kernel = some_kernel(provenance={"log": "x" * 300_000})
    kernel.save(tmp_path / "kernel.h5")
    assert load_kernel(tmp_path / "kernel.h5").provenance == kernel.provenance


def test_attributes_say_what_it_is(tmp_path):
    save_kernel(some_kernel(), tmp_path / "kernel.h5")
    with h5py.File(tmp_path / "kernel.h5") as file:
        assert dict(file.attrs) == {
            "format": "mcdose dose kernel",
            "format_version": 1,
            "kind": "point",
            "source": "Y-90",
            "medium": "water",
            "density_g_cm3": 1.0,
            "emitted_mev": 0.9,
            "histories": 1000,
            "code_version": "0.1",
            "seed": 2**64 - 1,
            "parameters": '{"stop": 0.1}',
            "tables_sha256": '{"shells.csv": "ab"}',
            "provenance": json.dumps(PROVENANCE),
        }
        assert {name: (file[name].attrs["unit"], file[name].dtype) for name in file} == {
            "shell_edges_mm": ("mm", np.float64),
            "energy_mev": ("MeV", np.float64),
            "standard_error_mev": ("MeV", np.float64),
            "deviations_mev": ("MeV", np.float64),
        }


def test_readme_snippet_reads_a_saved_file(tmp_path, monkeypatch, capsys):
    snippet, _ = re.findall(r"```python\n(.*?)```", (LIBRARY / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len([line for line in snippet.splitlines() if line.strip()]) <= 5
    kernel = some_kernel()
    kernel.save(tmp_path / "Y-90_water_point.h5")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(snippet, "README.md", "exec"), names)
    assert same(names["energy"], kernel.energy_mev)
    assert capsys.readouterr().out == f"water {kernel.energy_mev.sum() / 0.9} of the energy in 12.0 mm\n"


def test_readme_snippet_composes(monkeypatch):
    _, snippet = re.findall(r"```python\n(.*?)```", (LIBRARY / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    names = {}
    exec(compile(snippet, "README.md", "exec"), names)
    assert names["kernel"].source == 0.5
    assert names["kernel"].density_g_cm3 == 1.04


def test_csv_has_every_digit(tmp_path):
    kernel = some_kernel(energy_mev=np.random.default_rng(1).random(120))
    kernel.to_csv(tmp_path / "kernel.csv")
    with (tmp_path / "kernel.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    read = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    assert list(read) == ["inner_mm", "outer_mm", "energy_mev", "standard_error_mev"]
    assert same(np.append(read["inner_mm"], read["outer_mm"][-1]), kernel.shell_edges_mm)
    assert same(read["energy_mev"], kernel.energy_mev)
    assert same(read["standard_error_mev"], kernel.standard_error_mev)
    with pytest.raises(mcdose.InputError, match=r"kernel.csv: exists already"):
        kernel.to_csv(tmp_path / "kernel.csv")


def test_a_file_is_replaced_only_when_asked(tmp_path):
    path = tmp_path / "kernel.h5"
    some_kernel().save(path)
    before = path.read_bytes()
    with pytest.raises(mcdose.InputError, match=r"kernel.h5: exists already"):
        some_kernel(medium="lung").save(path)
    assert path.read_bytes() == before
    some_kernel(medium="lung").save(path, overwrite=True)
    assert load_kernel(path).medium == "lung"


@pytest.mark.parametrize("bad", [{"a": float("nan")}, {"a": np.float32(1.0)}])
def test_a_failed_save_leaves_nothing(tmp_path, bad):
    with pytest.raises((ValueError, TypeError)):
        some_kernel(provenance=bad).save(tmp_path / "kernel.h5")
    with pytest.raises(ValueError, match="NULL"):
        some_kernel(medium="a\0b").save(tmp_path / "kernel.h5")
    assert list(tmp_path.iterdir()) == []


def edited(path, edit):
    some_kernel().save(path)
    with h5py.File(path, "r+") as file:
        edit(file)
    return path


def change(name, value):
    return lambda file: file.attrs.__setitem__(name, value)


def swap(name, values):
    def edit(file):
        unit = file[name].attrs["unit"]
        del file[name]
        file[name] = values
        file[name].attrs["unit"] = unit

    return edit


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (change("format", "others"), "'format' must be 'mcdose dose kernel', got 'others'"),
        (lambda file: file.attrs.__delitem__("format"), "'format' must be 'mcdose dose kernel', got None"),
        (change("format_version", 2), "format version must be at most 1, got 2: it needs a newer mcdose"),
        (change("format_version", "one"), "a damaged kernel file"),
        (change("kind", "line"), "kind must be one of point, electrons, voxel, got 'line'"),
        (lambda file: file.attrs.__delitem__("medium"), "must have the attribute 'medium', which is missing"),
        (change("provenance", "{"), "a damaged kernel file"),
        (change("medium", 3), "a damaged kernel file"),
        (lambda file: file.__delitem__("energy_mev"), "must have the dataset 'energy_mev', which is missing"),
        (lambda file: file["energy_mev"].attrs.__setitem__("unit", "J"), "unit of 'energy_mev' must be 'MeV', got 'J'"),
        (swap("energy_mev", np.ones(119)), "must be n \\+ 1 edges and n values for n shells, got .*\\(119,\\)"),
        (swap("energy_mev", "text"), "a damaged kernel file"),
        (swap("shell_edges_mm", -np.arange(121.0)), "must ascend from 0"),
    ],
)
def test_unfit_files_are_refused(tmp_path, edit, message):
    path = edited(tmp_path / "kernel.h5", edit)
    with pytest.raises(mcdose.InputError, match=f"^{re.escape(str(path))}: .*{message}"):
        load_kernel(path)


def test_even_voxel_arrays_are_refused(tmp_path):
    ones = np.ones((3, 4, 3))
    VoxelKernel(ones, ones, (1.0, 1.0, 1.0), "Y-90", "water", 1.0, 0.1, 0.9, {}).save(tmp_path / "kernel.h5")
    with pytest.raises(mcdose.InputError, match=r"one odd shape \(nz, ny, nx\), got values \(3, 4, 3\)"):
        load_kernel(tmp_path / "kernel.h5")


def test_truncated_files_are_refused(tmp_path):
    path = tmp_path / "kernel.h5"
    some_kernel().save(path)
    whole = path.read_bytes()
    for length in [0, 1, 7, 8, 100, *range(200, len(whole), 500), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(mcdose.InputError, match=re.escape(str(path))):
            load_kernel(path)


def test_damaged_data_are_refused(tmp_path):
    """A flipped bit is found by the checksum, or gives an error of another kind, or hurts no number of the tables."""
    path = tmp_path / "kernel.h5"
    kernel = some_kernel()
    kernel.save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(5)
    refused = 0
    for place in rng.integers(0, len(whole), 300):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        try:
            again = load_kernel(path)
        except mcdose.InputError:
            refused += 1
        else:
            assert same(again.energy_mev, kernel.energy_mev)
            assert same(again.standard_error_mev, kernel.standard_error_mev)
    assert refused > 20


@pytest.mark.parametrize("name", ["none.h5", "folder.h5"])
def test_what_is_no_file(tmp_path, name):
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(mcdose.InputError, match=rf"{name}: there is no such file"):
        load_kernel(str(tmp_path / name))


@pytest.mark.parametrize("content", [b"", b"inner_mm,outer_mm\n", b"\x89PNG" * 1000])
def test_foreign_files(tmp_path, content):
    (tmp_path / "other.h5").write_bytes(content)
    with pytest.raises(mcdose.InputError, match=r"other.h5: must be an HDF5 file"):
        load_kernel(tmp_path / "other.h5")


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Put the package in a checkout of its own; return the folders of the library in the order of search."""
    root = tmp_path / "checkout"
    folders = [tmp_path / "chosen", root / "mcdose" / "_kernels", root / "kernels", tmp_path / "cache" / "kernels"]
    for folder in folders:
        folder.mkdir(parents=True)
    (root / "pyproject.toml").touch()
    monkeypatch.setattr(kernel_file, "__file__", str(root / "mcdose" / "kernel_file.py"))
    monkeypatch.setenv("MCDOSE_KERNELS", str(folders[0]))
    monkeypatch.setenv("MCDOSE_CACHE_DIR", str(tmp_path / "cache"))
    return folders


def test_order_of_search(places):
    for place, folder in enumerate(places):
        some_kernel(histories=place).save(folder / library_file("Y-90/water/point"))
    for place, folder in enumerate(places):
        assert load_kernel("Y-90/water/point").histories == place
        shutil.rmtree(folder)
    with pytest.raises(mcdose.InputError, match="no kernel of that name"):
        load_kernel("Y-90/water/point")


def test_a_folder_of_that_name_beside_an_installed_package_is_not_the_library(places):
    (places[2].parent / "pyproject.toml").unlink()
    some_kernel().save(places[2] / library_file("Y-90/water/point"))
    with pytest.raises(mcdose.InputError, match="no kernel of that name"):
        load_kernel("Y-90/water/point")


def test_an_unknown_name_lists_places_and_names(places):
    some_kernel().save(places[1] / library_file("Y-90/water/point"))
    some_kernel().save(places[3] / library_file("Y-90/soft-tissue/point"))
    with pytest.raises(mcdose.InputError) as caught:
        load_kernel("Y-90/steel/point")
    assert str(caught.value) == (
        f"Y-90/steel/point: no kernel of that name in {', '.join(map(str, places))}; there are "
        "Y-90/soft-tissue/point, Y-90/water/point (a file is given with its ending .h5)"
    )


def test_a_kernel_other_than_registered_is_refused(places):
    path = places[0] / library_file("Y-90/water/point")
    some_kernel().save(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    registry = path.with_name("registry.json")
    registry.write_text(json.dumps({"kernels": {"Y-90/water/point": {"file": path.name, "sha256": digest}}}))
    load_kernel("Y-90/water/point")
    some_kernel(histories=5).save(path, overwrite=True)
    with pytest.raises(mcdose.InputError, match=f"its sha256 must be {digest}, as registry.json says, got"):
        load_kernel("Y-90/water/point")
    registry.write_text("[]")
    with pytest.raises(mcdose.InputError, match="is not a registry of kernels"):
        load_kernel("Y-90/water/point")


def test_table_hashes_are_those_of_the_sources():
    sources = (Path(mcdose.__file__).parent / "data" / "SOURCES.md").read_text(encoding="utf-8")
    hashes = table_hashes()
    assert {"elements.csv", "photons.h5", "nuclides/Y-90.toml"} <= set(hashes)
    assert all(f"`{name}`" in sources and digest in sources for name, digest in hashes.items())


def registered():
    return json.loads((LIBRARY / "registry.json").read_text(encoding="utf-8"))["kernels"]


def test_registry_lists_every_kernel_of_the_library():
    rows = registered()
    assert sorted(row["file"] for row in rows.values()) == sorted(path.name for path in LIBRARY.glob("*.h5"))
    assert sum(path.stat().st_size for path in LIBRARY.glob("*.h5")) < 10e6
    for name, row in rows.items():
        path = LIBRARY / row["file"]
        assert path.name == library_file(name)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        assert path.stat().st_size == row["bytes"]
        recipe = read_recipe(LIBRARY / row["recipe"])
        kernel = load_kernel(path)
        if isinstance(kernel, ElectronKernels):
            assert kernel.electron_energy_mev.tolist() == energies_mev(recipe)
            assert kernel.provenance["seed"] == [recipe["seed"] + k for k in range(kernel.electron_energy_mev.size)]
        else:
            assert kernel.source == recipe["source"]
            assert kernel.provenance["seed"] == recipe["seed"]
            # powers differ in the last digit from one processor to the next
            np.testing.assert_allclose(kernel.shell_edges_mm, recipe["edges"], rtol=4e-15)
        assert (kernel.medium, name) == (recipe["medium"], recipe["name"])
        assert kernel.histories == row["histories"] >= recipe["histories"]
        assert kernel.density_g_cm3 == mcdose.medium(kernel.medium).density_g_cm3


def test_recipe_of_electrons():
    recipe = read_recipe(LIBRARY / "recipes" / "electron_water.toml")
    energies = energies_mev(recipe)
    assert (energies[0], energies[-1]) == (0.01, 3.0)
    assert np.ptp(np.diff(np.log(energies))) < 1e-4
    assert recipe["name"] == "electron/water/point"


OTHERS = [name for name in mcdose.nuclides() if name != "Y-90"]
AUGER = {"At-211", "In-111", "Tb-161", "Tc-99m"}


@pytest.mark.parametrize("medium", ["water", "soft-tissue"])
@pytest.mark.parametrize("name", OTHERS)
def test_library_has_every_nuclide(name, medium):
    """Edges of the contract, and finer ones by the stated rule; the energy of the decay, within what few decays err."""
    nuclide = mcdose.nuclide(name)
    recipe = read_recipe(LIBRARY / "recipes" / f"{name}_{medium}.toml")
    edges = np.array(recipe["edges"])
    assert set(np.arange(121) / 10.0) <= set(edges.tolist())
    assert edges[-1] == 2000.0
    auger = nuclide.mean_energies_mev["Auger electrons"] >= 0.02 * nuclide.mean_electron_energy_mev
    assert auger == (name in AUGER)
    lines = len(nuclide.electron_lines) > 0 or nuclide.positron_spectrum is not None
    assert edges[1] == (0.001 if auger else 0.01 if lines else 0.1)
    kernel = load_kernel(f"{name}/{medium}/point")
    np.testing.assert_allclose(kernel.shell_edges_mm, edges, rtol=4e-15)
    assert kernel.emitted_mev == pytest.approx(sum(nuclide.mean_energies_mev.values()), rel=1e-12)
    told = kernel.provenance
    held = kernel.energy_mev.sum() + told["escaped_mev"]
    assert held == pytest.approx(told["simulated_mean_energy_mev"], rel=1e-5)
    assert held == pytest.approx(kernel.emitted_mev, rel=3e-3)
    assert not any(told["faults"].values())
    assert np.all(np.isfinite(kernel.standard_error_mev))
    inner = kernel.standard_error_mev[0] / kernel.energy_mev[0]
    assert inner < 0.02
    file = LIBRARY / f"{name}_{medium}_point.h5"
    assert file.stat().st_size < 64_000


@pytest.mark.parametrize("name", mcdose.nuclides())
def test_kernels_of_every_nuclide_are_kept_whole(tmp_path, name):
    """Simulated with the shells that a user gets, saved, read, written as a table and merged."""
    first, second, whole = (
        mcdose.dose_point_kernel(name, histories=histories, first_history=start, device="cpu")
        for start, histories in ((0, 8192), (8192, 8192), (0, 16384))
    )
    first.save(tmp_path / "k.h5")
    again = load_kernel(tmp_path / "k.h5")
    assert all(same(value, getattr(again, key)) for key, value in vars(first).items())
    first.to_csv(tmp_path / "k.csv")
    assert len((tmp_path / "k.csv").read_text().splitlines()) == 181
    both = merge_point_kernels([first, second])
    np.testing.assert_array_equal(both.energy_mev, whole.energy_mev)
    assert both.provenance["histories_per_decay"] == whole.provenance["histories_per_decay"]
    assert 0.0 < both.radius_containing(0.5) < both.radius_containing(0.9) < 2000.0


def test_what_a_recipe_made_is_left_as_it_is(tmp_path, capsys):
    """And made anew by another recipe, or where the file is damaged."""
    recipe = tmp_path / "few.toml"
    text = 'name = "Tc-99m/water/few"\nsource = "Tc-99m"\nmedium = "water"\nhistories = 8192\nseed = 1\n'
    text += "[[uniform]]\nto_mm = 1.0\nstep_mm = 0.5\n[geometric]\nto_mm = 2000.0\nshells = 2\n"
    recipe.write_text(text)
    out = tmp_path / "out"
    out.mkdir()
    how = argparse.Namespace(out=out, pieces=tmp_path / "pieces", threads=1, again=False)
    build(recipe, how)
    file = out / "Tc-99m_water_few.h5"
    first = file.read_bytes()
    build(recipe, how)
    assert "is there" in capsys.readouterr().out
    assert file.read_bytes() == first
    recipe.write_text(text.replace("seed = 1", "seed = 2"))
    build(recipe, how)
    assert load_kernel(file).provenance["seed"] == 2
    file.write_bytes(b"")
    build(recipe, how)
    assert load_kernel(file).histories == 8192


@pytest.mark.parametrize("recipe", sorted((LIBRARY / "recipes").glob("Y-90_*.toml")), ids=lambda path: path.stem)
def test_recipes(recipe):
    """The contract: every multiple of 0.1 mm to 12 mm, then to 2 m; fine shells as far as the electrons go."""
    from mcdose.electron_data import csda_range

    read = read_recipe(recipe)
    edges = np.array(read["edges"])
    assert edges[:121].tolist() == (np.arange(121) / 10.0).tolist()
    assert edges[-1] == 2000.0
    assert np.all(np.diff(edges) > 0.0)
    medium = mcdose.medium(read["medium"])
    reach = 10.0 * float(csda_range(medium, 2.2785)) / medium.density_g_cm3  # mm, end point of Y-90
    assert np.diff(edges[edges < reach]).max() < 0.4 + 1e-9
    assert read["histories"] == (10**8 if read["medium"] == "water" else 10**7)
    assert read["name"] == f"Y-90/{read['medium']}/point"
    assert recipe.stem == f"Y-90_{read['medium']}"
