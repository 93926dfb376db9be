"""Short versions of the cases in validation/: few histories, the same limits with the wider statistical bands."""

import sys

import numpy as np
import pytest

import mcdose
import validation.__main__ as command
from validation import outcome as outcomes
from validation import scoreboard
from validation.beta_spectra import P32, SR89, mean_kev, spectrum
from validation.folding import fraction_within_cube, gaussian_shells, gaussian_voxel_to_voxel, voxel_to_voxel
from validation.outcome import Outcome, Row, case_names, load_case, run_quick, write_outcome
from validation.tables import half_unit

ONE_OUTSIDE = Outcome(
    [
        Row("good", 1.0, 0.0, 1.0, 0.0, 0.01),
        Row("bad", 1.1, 0.01, 1.0, 0.0, 0.01),
        Row("strict", 1.0, 0.1, 1.0, 0.0, 0.01, 0.0),
    ],
    0,
    1,
    2.0,
    "some machine",
)


@pytest.mark.parametrize("name", case_names())
def test_short_version(name):
    outcome = run_quick(name, threads=2)
    judged = [row for row in outcome.rows if row.limit is not None]
    assert judged
    outside = [f"{row.quantity}: {row.deviation:+.4f} +- {row.sigma:.4f}" for row in judged if not row.passed]
    assert not outside


def test_quick_widens_statistical_bands_only(monkeypatch):
    monkeypatch.setattr(outcomes, "run_case", lambda *_: ONE_OUTSIDE)
    assert [row.sigmas for row in run_quick("voxel_mird17").rows] == [3.5, 3.5, 0.0]


def test_figure_outside_fails_the_command_and_shows(monkeypatch, capsys):
    monkeypatch.setattr(command, "run_quick", lambda *_: ONE_OUTSIDE)
    monkeypatch.setattr(command, "write_outcome", lambda *_: pytest.fail("wrote"))
    monkeypatch.setattr(command, "write_scoreboard", lambda *_: pytest.fail("wrote"))
    monkeypatch.setattr(sys, "argv", ["validation", "--quick", "voxel_mird17", "convergence"])
    assert command.main() == 1
    printed = capsys.readouterr().out
    assert "bad: +10.000 % +- 0.909 % OUTSIDE" in printed
    assert "FAILED" in printed
    assert "2/3" in printed


def test_figure_outside_stays_in_report_and_scoreboard(monkeypatch, tmp_path):
    case = tmp_path / "some_case"
    case.mkdir()
    (case / "case.toml").write_text('order = 1\nquestion = "q"\nreference = "r"\nlimit_text = "l"\n')
    monkeypatch.setattr(outcomes, "HERE", tmp_path)
    monkeypatch.setattr(scoreboard, "HERE", tmp_path)
    monkeypatch.setattr(outcomes, "commit", lambda: "abc")
    write_outcome("some_case", ONE_OUTSIDE)
    report = (case / "report.md").read_text()
    assert "**FAILED**: 2 of 3 figures" in report
    assert "No Monte Carlo, 2 s on some machine" in report
    assert "**outside**" in report
    scoreboard.write_scoreboard()
    line = (tmp_path / "README.md").read_text().splitlines()[-1]
    assert "[**failed**](some_case/report.md): 2 of 3; nearest to its limit: bad" in line
    assert "| no Monte Carlo |" in line
    assert line.endswith(f"| {mcdose.__version__} | abc | some machine |")


def test_beta_spectra_have_the_mean_energies_of_ddep():
    """DDEP: 695.5(3) keV, and 584.6 keV with its own end point of 1495.1 keV."""
    assert mean_kev(spectrum(P32)) == pytest.approx(695.5, abs=0.5)
    assert mean_kev(spectrum(SR89._replace(end_point_mev=1.4951))) == pytest.approx(584.6, abs=0.5)


def test_half_a_unit_of_the_last_digit():
    assert half_unit(3.0, 3) == pytest.approx(0.005)
    assert half_unit(0.00853, 3) == pytest.approx(0.000005)
    assert half_unit(2.515e-4, 4) == pytest.approx(5e-8)


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
    assert load_case("emissions_penelope")["limits"] == {"fraction": 0.01, "largest_sigma": 0.01}
    assert load_case("shells_penelope")["limits"] == {"fraction": 0.01, "balance": 1e-6}
    assert load_case("absorbed_fractions")["limits"] == {"fraction": 0.02}
    assert load_case("composed_kernels")["limits"] == {"shell": 0.01, "radius": 0.005}
    assert load_case("voxel_emitters")["limits"] == {"self": 0.02, "far": 0.05, "methods": 0.005, "digits": 3}
    assert load_case("gamma_peers")["limits"] == {"percentage_points": 0.5}
    assert load_case("dvh_peers")["limits"] == {"fraction": 0.005}
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
