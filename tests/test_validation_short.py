"""Short versions of the cases in validation/: few histories, the same limits with the wider statistical bands."""

import numpy as np
import pytest

from validation.folding import fraction_within_cube, gaussian_shells, gaussian_voxel_to_voxel, voxel_to_voxel
from validation.outcome import case_names, load_case, run_quick


@pytest.mark.parametrize("name", case_names())
def test_short_version(name):
    outcome = run_quick(name, threads=2)
    judged = [row for row in outcome.rows if row.limit is not None]
    assert judged
    outside = [f"{row.quantity}: {row.deviation:+.4f} +- {row.sigma:.4f}" for row in judged if not row.passed]
    assert not outside


def test_limits_are_those_of_the_issue():
    limits = load_case("voxel_y90_water_3mm")["limits"]
    assert limits == {"000": 0.01, "100": 0.01, "110": 0.01, "111": 0.015, "200": 0.015, "210": 0.015}
    assert load_case("interface_water_lung")["limits"] == {"fraction": 0.02, "largest_sigma": 0.01}
    assert load_case("anisotropy_2x3x5")["limits"]["fraction"] == 0.015
    assert load_case("uniform_large_medium")["limits"]["fraction"] == 0.002
    assert load_case("parameter_independence")["limits"]["fraction"] == 0.005
    assert load_case("voxel_lanconelli2012")["limits"] == {
        "above_a_tenth": 0.015,
        "above_a_hundredth": 0.045,
        "digits": 3,
    }
    assert load_case("voxel_mird17")["limits"] == {"fraction": 0.025}
    assert load_case("voxel_kernel_methods")["limits"] == {"fraction": 0.005, "of_self": 0.01}
    assert load_case("stopping_power_estar")["limits"] == {"stopping_power": 0.001, "csda_range": 0.002, "digits": 4}
    assert load_case("convergence")["limits"] == {
        "exponent": 0.03,
        "mean_ratio": 0.10,
        "runs": 150,
        "histories_of_each": 131_072,
    }


@pytest.mark.parametrize("offset", [(0, 0, 0), (0, 0, 1), (1, 0, 0)])
def test_fold_of_a_gaussian_is_its_closed_form(offset):
    shells = gaussian_shells(2.0, np.arange(0.0, 12.01, 0.1))
    voxel_mm = (5.0, 3.0, 2.0)
    folded, _ = voxel_to_voxel(shells, voxel_mm, offset)
    assert folded == pytest.approx(gaussian_voxel_to_voxel(2.0, voxel_mm, offset), rel=1e-3)


def test_fraction_within_cube_of_a_gaussian_is_its_closed_form():
    from scipy.special import erf

    shells = gaussian_shells(10.0, np.arange(0.0, 80.01, 0.5))
    points, weights = np.polynomial.legendre.leggauss(20)
    offsets = 2.5 * (points + 1.0)
    within = 0.5 * (erf((15.0 - offsets) / np.sqrt(200.0)) + erf((15.0 + offsets) / np.sqrt(200.0)))
    exact = float(0.5 * (within * weights).sum()) ** 3
    assert fraction_within_cube(shells, 1.0, 15.0, 5.0) == pytest.approx(exact, rel=5e-4)
