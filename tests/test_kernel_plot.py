"""Figures of kernels: what they show is what the kernel and the other codes hold."""

import subprocess
import sys

import numpy as np
import pytest

from mcdose import kernel_plot
from mcdose.errors import InputError
from mcdose.kernel import PointKernel, VoxelKernel
from mcdose.kernel_plot import point_kernel_figure, references, require_matplotlib, voxel_kernel_figure

TENTHS = np.arange(121) / 10.0


def point_kernel(edges, energy, source="Y-90", medium="water", density=1.0):
    energy = np.asarray(energy, float)
    return PointKernel(
        np.asarray(edges, float), energy, 0.01 * energy, np.zeros((2, energy.size)), 0.9, source, medium, density, 9, {}
    )


def smooth(edges, **about):
    edges = np.asarray(edges, float)
    return point_kernel(edges, np.diff(-np.exp(-edges / 3.0)), **about)


def voxel_kernel(voxel_mm, half=(2, 3, 4)):
    offsets = np.ix_(*(side * np.arange(-n, n + 1.0) for side, n in zip(voxel_mm, half, strict=True)))
    values = np.exp(-np.sqrt(sum(offset**2 for offset in offsets)))
    return VoxelKernel(values, 0.01 * values, voxel_mm, "Y-90", "water", 1.0, 0.0, 0.9, {})


def test_references_are_the_figures_of_the_table():
    """Figures of 0.1, 0.2 and 12 mm as they stand in the table, and their sum; they are scaled to 0.9 MeV."""
    found = references(smooth(TENTHS))
    assert list(found) == ["geant4", "penelope", "egsnrc"]
    assert found["geant4"][:2] == pytest.approx([0.9 * 2.121647e-02, 0.9 * 2.222644e-02], rel=1e-12)
    assert found["penelope"][0] == pytest.approx(0.9 * 2.210510e-02, rel=1e-12)
    assert found["egsnrc"][-1] == pytest.approx(0.9 * 2.25523099e-06, rel=1e-9)
    merged = references(smooth([0.0, 0.2, 6.0, 12.0, 13.0]))
    for code, energy in merged.items():
        assert energy[:3] == pytest.approx([found[code][:2].sum(), found[code][2:60].sum(), found[code][60:].sum()])
        assert np.isnan(energy[3])  # beyond the table
    halves = references(smooth(np.arange(0.0, 1.01, 0.05)))
    assert halves["geant4"].reshape(-1, 2).sum(axis=1) == pytest.approx(found["geant4"][:10])


@pytest.mark.parametrize("about", [{"source": 0.9}, {"medium": "lung"}, {"density": 1.01}])
def test_references_only_where_they_fit(about):
    assert references(smooth(TENTHS, **about)) == {}


def test_without_the_table_the_kernel_is_drawn_alone(monkeypatch, caplog):
    monkeypatch.setattr(kernel_plot, "_reference_file", lambda: None)
    assert references(smooth(TENTHS)) == {}
    assert "other codes were not found" in caplog.text


def test_where_the_table_is_looked_for(tmp_path, monkeypatch):
    package = tmp_path / "mcdose"
    monkeypatch.setattr(kernel_plot, "__file__", str(package / "kernel_plot.py"))
    checkout = tmp_path / "validation/point_kernel_y90_water/reference.csv"
    shipped = package / "_references/y90_water_point.csv"
    for path in (checkout, shipped):
        path.parent.mkdir(parents=True)
    checkout.touch()
    assert kernel_plot._reference_file() is None  # a folder of that name beside an installed package
    (tmp_path / "pyproject.toml").touch()
    assert kernel_plot._reference_file() == checkout
    shipped.touch()
    assert kernel_plot._reference_file() == shipped


def test_point_figure_shows_energy_per_mm():
    kernel = point_kernel([0.0, 0.5, 1.0, 3.0, 100.0], [0.1, 0.2, 0.4, 1e-4], source=0.5)
    figure = point_kernel_figure(kernel)
    linear, tail = figure.axes
    steps = [patch.get_data() for patch in linear.patches if patch.get_data().baseline is None]
    assert len(steps) == 1
    assert steps[0].values == pytest.approx([0.2, 0.4, 0.2, 1e-4 / 97.0])
    assert steps[0].edges == pytest.approx(kernel.shell_edges_mm)
    band = next(patch.get_data() for patch in linear.patches if patch.get_data().baseline is not None)
    assert band.values == pytest.approx(1.01 * steps[0].values)
    assert band.baseline == pytest.approx(0.99 * steps[0].values)
    assert linear.get_xlim() == pytest.approx((0.0, 1.05 * 3.0))  # the last shell is below a thousandth of the maximum
    assert (tail.get_xscale(), tail.get_yscale(), tail.get_xlim()[1]) == ("log", "log", 100.0)
    for axes in figure.axes:
        assert "MeV/mm per electron" in axes.get_ylabel()
        assert not axes.lines
    assert "0.5 MeV electrons in water" in figure.get_suptitle()


def test_point_figure_shows_the_ratio_to_other_codes():
    edges = TENTHS[:91]
    codes = references(smooth(edges))
    figure = point_kernel_figure(point_kernel(edges, 1.02 * codes["penelope"]))
    linear, ratio, tail = figure.axes
    assert [line.get_label() for line in linear.lines] == [line.get_label() for line in tail.lines]
    geant4, penelope, egsnrc, one = ratio.lines
    assert penelope.get_label() == "PENELOPE-2018"
    assert penelope.get_ydata() == pytest.approx(1.02)
    assert geant4.get_ydata()[1] == pytest.approx(1.02 * 2.244744 / 2.222644)
    assert egsnrc.get_ydata()[1] == pytest.approx(1.02 * 2.244744 / 2.22815004)
    assert set(one.get_ydata()) == {1.0}
    low, high = ratio.get_ylim()
    assert low < 0.97 < 1.06 < high < 1.2
    assert len({line.get_color() for line in ratio.lines[:3]}) == len({str(line) for line in ratio.lines[:3]}) == 3


@pytest.mark.parametrize(("voxel_mm", "labels"), [((2.0, 3.0, 4.0), 4), ((3.0, 3.0, 3.0), 2)])
def test_voxel_figure_shows_one_octant(voxel_mm, labels):
    figure = voxel_kernel_figure(voxel_kernel(voxel_mm))
    (axes,) = figure.axes
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "S value, mGy/(MBq s)"
    assert len(axes.get_legend().get_texts()) == labels
    off, *along = (container.lines[0] for container in axes.containers)
    assert len(off.get_xdata()) == 3 * 4 * 5 - (3 + 4 + 5 - 2)
    for line in (off, *along):
        assert line.get_ydata() == pytest.approx(np.exp(-line.get_xdata()), rel=1e-12)
    for line, side, count in zip(along, voxel_mm, (3, 4, 5), strict=False):
        assert line.get_xdata() == pytest.approx(side * np.arange(count))


def test_voxel_figure_leaves_out_what_has_no_place_on_its_axis(monkeypatch):
    kernel = voxel_kernel((3.0, 3.0, 3.0))
    kernel.values[kernel.values < 1e-5] = 0.0
    monkeypatch.setattr(kernel_plot, "MOST_POINTS", 10)
    off = voxel_kernel_figure(kernel).axes[0].containers[0]
    assert off.get_label() == "off the axes (every 5th shown)"  # 50 voxels of the octant
    assert 0 < len(off.lines[0].get_xdata()) <= 10
    assert (off.lines[0].get_ydata() > 0.0).all()


@pytest.mark.parametrize("ending", kernel_plot.ENDINGS)
def test_figures_are_written(tmp_path, ending):
    path = tmp_path / f"kernel{ending}"
    point_kernel_figure(smooth([*TENTHS, 2000.0])).savefig(path)
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[ending]
    assert path.read_bytes().startswith(start)


def test_no_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r'figures need matplotlib: pip install "mcdose\[plot\]"'):
        require_matplotlib()


def test_the_backend_of_the_caller_stays():
    code = (
        "import sys, numpy as np; from mcdose.kernel_plot import voxel_kernel_figure; "
        "from mcdose.kernel import VoxelKernel; one = np.ones((3, 3, 3)); "
        "assert 'matplotlib' not in sys.modules; "
        "voxel_kernel_figure(VoxelKernel(one, one, (1.0, 1.0, 1.0), 'Y-90', 'water', 1.0, 0.0, 1.0, {})); "
        "print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["True", "False"], "")


def test_first_panel_ends_where_photons_are_alone():
    """Electrons to 2 mm, photons of a hundredth of that for decimetres; without photons a thousandth ends it."""
    edges = np.concatenate([np.arange(121) / 10.0, np.geomspace(12.0, 500.0, 40)[1:]])
    per_mm = np.where(edges[1:] <= 2.0, 1.0, 0.01)
    gamma = point_kernel_figure(point_kernel(edges, per_mm * np.diff(edges), source="I-131"))
    assert gamma.axes[0].get_xlim()[1] == pytest.approx(2.1)
    beta = point_kernel_figure(point_kernel(edges, np.where(per_mm == 1.0, 1.0, 1e-5) * np.diff(edges), source="P-32"))
    assert beta.axes[0].get_xlim()[1] == pytest.approx(2.1)
