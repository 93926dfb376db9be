"""Voxel S values: the integration over a point kernel against closed forms, and against direct simulation."""

import shutil
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

import mcdose
from mcdose import known_kernel
from mcdose.kernel import PointKernel
from mcdose.kernel_file import find_kernel
from mcdose.shell_integration import integrate
from mcdose.voxel_kernel import voxel_kernel


def kernel_of(edges, energy, density=1.0):
    energy = np.asarray(energy, float)
    return PointKernel(
        np.asarray(edges, float), energy, 0.01 * energy, np.diag(0.01 * energy), 1.0, "Y-90", "water", density, 1, {}
    )


def test_everything_stays_when_the_range_is_short():
    """A kernel of radius r far below the voxel keeps 1 - 3/4 r/d per axis pair: mean of the product of triangles."""
    values, _ = integrate(kernel_of([0.0, 1e-6], [1.0]), (2.0, 3.0, 5.0), (1, 1, 1), 1.0)
    assert values[1, 1, 1] == pytest.approx(1.0, abs=1e-5)
    assert values.sum() == pytest.approx(1.0, abs=1e-12)


def test_thin_shell_in_closed_form():
    """A thin shell of radius r < d: the self value is the mean of (1 - |x|/d)(1 - |y|/d)(1 - |z|/d) over the sphere.

    With <|x|> = r/2, <|x||y|> = 2 r^2 / (3 pi), <|x||y||z|> = r^3 / (4 pi) (integrals over an octant).
    """
    d, r = 3.0, 2.0
    values, _ = integrate(kernel_of([0.0, r - 1e-6, r], [0.0, 1.0]), (d, d, d), (1, 1, 1), 1.0)
    a = r / d
    exact = 1.0 - 3.0 * a / 2.0 + 3.0 * a**2 * 2.0 / (3.0 * np.pi) - a**3 / (4.0 * np.pi)
    assert values[1, 1, 1] == pytest.approx(exact, rel=2e-4)


def test_symmetry_and_energy():
    edges = np.linspace(0.0, 11.0, 111)
    energy = np.exp(-edges[1:] / 3.0)
    values, errors = integrate(kernel_of(edges, energy), (2.0, 3.0, 5.0), (6, 4, 3), 1.0)
    assert values.shape == errors.shape == (13, 9, 7)
    for axis in range(3):
        np.testing.assert_array_equal(values, np.flip(values, axis))
    assert values.sum() == pytest.approx(energy.sum(), rel=1e-12)
    assert (errors > 0.0)[values > 0.0].all()


@pytest.mark.parametrize("side", [0.5, 1.0, 3.0])
def test_equivalent_voxels_of_a_cube_agree(side):
    """The lattice of directions knows no symmetry of the cube, so the spread of permutations is its error."""
    values = voxel_kernel("Y-90", (side, side, side), radius_mm=6.0).values
    octant = values[tuple(slice(n // 2, None) for n in values.shape)]
    equivalent = np.stack([octant.transpose(axes) for axes in permutations(range(3))])
    spread = equivalent.std(axis=0) / equivalent.mean(axis=0)
    assert spread[octant > 0.01 * octant.max()].max() < 1e-3
    assert spread.max() < 1e-2


def test_a_simulated_kernel_is_remembered_unless_its_histories_were_asked_for(tmp_path, monkeypatch):
    kept = tmp_path / "kernels" / "jelly.h5"
    monkeypatch.setattr(known_kernel, "cache_file", lambda nuclide, medium: kept)
    monkeypatch.setattr(known_kernel, "SIMULATED_HISTORIES", 3 * 4096)
    own = mcdose.Medium("jelly", {"H": 0.1, "O": 0.9}, 1.1)
    voxel_kernel("Y-90", medium=own, histories=2 * 4096)
    assert not kept.exists()
    first = voxel_kernel("Y-90", medium=own)
    before = kept.read_bytes()
    voxel_kernel("Y-90", medium=own, voxel_mm=(5.0, 5.0, 5.0))
    again = voxel_kernel("Y-90", medium=own)
    np.testing.assert_array_equal(first.values, again.values)
    assert first.provenance["histories"] == 3 * 4096
    assert kept.read_bytes() == before


def test_density_scales_the_radius():
    edges = np.linspace(0.0, 11.0, 56)
    energy = np.exp(-edges[1:] / 3.0)
    dense, _ = integrate(kernel_of(edges, energy, 1.0), (1.5, 1.5, 1.5), (4, 4, 4), 2.0)
    plain, _ = integrate(kernel_of(edges / 2.0, energy, 2.0), (1.5, 1.5, 1.5), (4, 4, 4), 2.0)
    np.testing.assert_allclose(dense, plain, rtol=1e-12)


def test_errors_know_how_shells_go_together():
    """What one shell has too much another has too little: the voxel that holds both has no error."""
    edges, energy = np.array([0.0, 0.01, 0.02]), np.array([0.5, 0.5])
    kernel = kernel_of(edges, energy)
    together = replace(kernel, deviations_mev=np.array([[0.01, 0.01]]))
    against = replace(kernel, deviations_mev=np.array([[0.01, -0.01]]))
    values, errors = integrate(together, (3.0, 3.0, 3.0), (1, 1, 1), 1.0)
    np.testing.assert_allclose(errors, 0.02 * values, rtol=1e-9)
    _, errors = integrate(against, (3.0, 3.0, 3.0), (1, 1, 1), 1.0)
    assert errors[1, 1, 1] < 1e-4


def test_both_methods_agree():
    """Integration of a short point-kernel run against a short direct run, S above 1 % of the self value."""
    folded = voxel_kernel("Y-90", (3.0, 3.0, 3.0), histories=200_000, seed=5)
    direct = voxel_kernel("Y-90", (3.0, 3.0, 3.0), method="monte-carlo", histories=400_000, seed=6)
    assert folded.values.shape == direct.values.shape
    middle = tuple(n // 2 for n in folded.values.shape)
    assert folded.values.max() == folded.values[middle]
    chosen = folded.values > 0.01 * folded.values[middle]
    error = np.hypot(folded.standard_error, direct.standard_error)[chosen]
    difference = (folded.values - direct.values)[chosen]
    assert (np.abs(difference) < 0.005 * direct.values[chosen] + 4.0 * error).all()
    assert 0.0 < folded.outside_mev < 0.01


def test_a_stopped_kernel_is_not_remembered(tmp_path, monkeypatch):
    kept = tmp_path / "kernels" / "muscle.h5"
    monkeypatch.setattr(known_kernel, "cache_file", lambda nuclide, medium: kept)
    stopped = voxel_kernel("Y-90", medium="muscle", progress=lambda done, total: done < 8192)
    assert stopped.cancelled
    assert stopped.provenance["histories"] == 8192
    assert not kept.exists()


def test_a_damaged_library_is_not_passed_over(tmp_path, monkeypatch):
    """The sha256 of the registry is another: better an error than a simulation in silence."""
    library = tmp_path / "library"
    shutil.copytree(find_kernel("Y-90/water/point").parent, library)
    with (library / "Y-90_water_point.h5").open("ab") as file:
        file.write(b"!")
    monkeypatch.setenv("MCDOSE_KERNELS", str(library))
    with pytest.raises(mcdose.InputError, match="its sha256 must be"):
        voxel_kernel("Y-90")


def test_no_error_is_told_where_one_history_cannot_tell_it():
    kernel = voxel_kernel("Y-90", method="monte-carlo", histories=1)
    assert np.isnan(kernel.standard_error[kernel.values > 0.0]).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed must lie within 0"),
        ({"threads": -4}, "threads must lie within 1"),
        ({"histories": 0}, "histories must lie within 1"),
        ({"device": "cuda"}, "cuda"),
        ({"voxel_mm": (3.0, -3.0, 3.0)}, "voxel_mm must be positive"),
        ({"method": "magic"}, "method must be one of point-kernel, monte-carlo, got 'magic'"),
        ({"radius_mm": 0.0}, "radius_mm must lie within"),
        ({"radius_mm": 2000.0, "voxel_mm": (0.1, 0.1, 0.1)}, "radius_mm must need at most"),
        ({"density_g_cm3": 0.0}, "density_g_cm3 must lie within 1e-06 and 25"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        voxel_kernel(**arguments)
