"""Doses to lesions and normal liver, voxels beside compartments, and the uncertainty budget."""

import math
from dataclasses import replace

import numpy as np
import pytest

import mcdose
from mcdose import sirt
from mcdose.case import demo_case
from mcdose.sirt.uncertainty import recovered, with_spectrum_of
from mcdose.sirt.voxel import NORMAL_LIVER, as_values

VOXEL = (2.0, 2.0, 2.0)


def half(shape=(4, 4, 4)):
    mask = np.zeros(shape, bool)
    mask[:2] = True
    return mask


def test_figures_of_a_gradient_in_closed_form():
    """0 to 100 Gy in equal steps: D_x = 100 - x, V(d) = 1 - d / 100, SD 100 / sqrt(12)."""
    dose = ((np.arange(400) + 0.5) / 4).reshape(4, 10, 10)
    found = sirt.tissue_dose(dose, np.ones_like(dose, bool), VOXEL, v_gy=(20.0, 75.0))
    assert (found.d95_gy, found.d70_gy, found.d50_gy) == (pytest.approx(5.0), pytest.approx(30.0), pytest.approx(50.0))
    assert (found.mean_gy, found.sd_gy) == (pytest.approx(50.0), pytest.approx(100.0 / math.sqrt(12.0), rel=1e-4))
    assert found.v == {20.0: pytest.approx(0.8), 75.0: pytest.approx(0.25)}
    assert found.volume_ml == pytest.approx(3.2)


def test_normal_liver_is_the_liver_less_its_lesions():
    liver = np.ones((4, 4, 4), bool)
    lesions = {"a": half(), "b": np.roll(half(), 1, axis=0)}  # one layer in both
    rest = sirt.normal_liver(liver, lesions)
    assert rest.dtype == np.bool_
    assert rest.sum() == 16
    assert not (rest & (lesions["a"] | lesions["b"])).any()
    part = sirt.normal_liver(liver * 0.5, {"a": half() * 0.25})
    assert part.sum() == pytest.approx(0.5 * 64 - 0.25 * 32)
    assert sirt.normal_liver(liver, {}).all()


@pytest.mark.parametrize(
    ("lesion", "message"),
    [
        (np.zeros((4, 4, 4), bool), "lesion a must hold at least one voxel"),
        (np.ones((3, 4, 4), bool), r"lesion a must have the shape of the liver \(4, 4, 4\), got \(3, 4, 4\)"),
        (~half(), "lesion a must lie in the liver, 50 % of it at least, got 0 %"),
    ],
)
def test_lesions_that_cannot_be_are_refused(lesion, message):
    with pytest.raises(ValueError, match=message):
        sirt.normal_liver(half(), {"a": lesion})


# --- voxels beside compartments


@pytest.fixture(scope="module")
def case():
    return demo_case()


NAMES = {"liver": "liver", "tumours": ["tumour 1", "tumour 2"], "lungs": "lungs"}


def local(case, tia_bq_s):
    return mcdose.absorbed_dose(
        tia_bq_s,
        case.grid.voxel_mm,
        density_g_cm3=case.density_g_cm3,
        medium=case.medium,
        media=case.media,
        method="local-deposition",
        device="cpu",
    ).dose_gy


@pytest.mark.parametrize("several_points", [False, True])
def test_compartments_are_local_deposition(case, several_points):
    """Where activity and density are uniform in each tissue, compartments and local deposition are the same thing."""
    tia = mcdose.activity_to_tia(case.activity_bq, "Y-90")
    given = replace(case, tia_bq_s=tia, activity_bq=case.activity_bq * 0.0) if several_points else case
    found = {one.name: one for one in sirt.compare_with_voxels(given, local(case, tia), v_gy=(50.0,), **NAMES)}
    assert list(found) == ["tumour 1", "tumour 2", NORMAL_LIVER, "lungs"]
    for one in found.values():
        assert one.difference == pytest.approx(0.0, abs=2e-4)
    assert sum(one.activity_gbq for one in found.values()) == pytest.approx(2.0, rel=1e-9)
    assert found["lungs"].activity_gbq == pytest.approx(0.08, rel=1e-9)
    # four times the activity in a voxel, and Schneider's densities of 49 and 42 HU: 1.03 + (HU - 23) 0.0431 / 37
    density = (1.03 + 26.0 * 0.0431 / 37.0) / (1.03 + 19.0 * 0.0431 / 37.0)
    assert found["tumour 1"].ratio == pytest.approx(4.0 * density, rel=1e-6)
    assert found[NORMAL_LIVER].ratio == pytest.approx(1.0)
    values = as_values(found.values(), NAMES["tumours"], lungs="lungs")
    assert values["lung_gy"] == {"lungs": found["lungs"].voxel.mean_gy}


def test_the_partition_model_says_the_same_of_the_case(case):
    """The plan with the masses, ratios and shunt of the case gives the doses of its compartments."""
    found = {one.name: one for one in sirt.compare_with_voxels(case, np.ones(case.grid.shape), **NAMES)}
    tumours = tuple(sirt.Tumour(name, found[name].mass_kg, found[name].ratio) for name in NAMES["tumours"])
    liver = sum(found[name].mass_kg for name in (*NAMES["tumours"], NORMAL_LIVER))
    plan = sirt.Plan(
        liver,
        (sirt.Territory("all", liver, tumours),),
        (sirt.Injection("all", 2.0, lung_shunt=0.04),),
        lung_mass_kg=found["lungs"].mass_kg,
    )
    doses = sirt.plan_doses(plan).cumulative
    assert doses.tumours == {name: pytest.approx(found[name].compartment_gy, rel=1e-9) for name in NAMES["tumours"]}
    assert doses.normal_liver_gy == pytest.approx(found[NORMAL_LIVER].compartment_gy, rel=1e-9)
    assert doses.lung_gy == pytest.approx(found["lungs"].compartment_gy, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"liver": "spleen"}, "structure must be one of liver, .*; got 'spleen'"),
        ({"tumours": ["liver"]}, "liver, tumours, perfused volume and lungs must be structures of their own"),
        ({"liver": "body", "tumours": ["normal liver"]}, "none of them normal liver, got body, normal liver, lungs"),
        ({"tumours": ["spine"]}, "lesion spine must lie in the liver"),
    ],
)
def test_structures_that_cannot_be_are_refused(case, change, message):
    with pytest.raises(ValueError, match=message):
        sirt.compare_with_voxels(case, np.ones(case.grid.shape), **{**NAMES, **change})


def test_a_dose_of_another_shape_is_refused(case):
    with pytest.raises(ValueError, match="dose_gy must have the shape of the case"):
        sirt.compare_with_voxels(case, np.ones((2, 2, 2)), **NAMES)


# --- uncertainty


def test_terms_combine_in_quadrature():
    """3, 4 and 12 % make 13 %; on 200 Gy 26 Gy."""
    budget = sirt.Budget(()).with_values({"a": 0.03, "b": 0.04, "c": 0.12})
    assert budget.relative == pytest.approx(0.13)
    assert budget.standard_uncertainty_gy(200.0) == pytest.approx(26.0)
    assert sirt.Budget(()).relative == 0.0


def test_shipped_budget_and_values_of_ones_own():
    budget = sirt.load_budget()
    relative = {term.name: term.relative for term in budget.terms}
    assert list(relative) == [
        "monte_carlo_noise",
        "activity_calibration",
        "volume",
        "partial_volume",
        "self_absorption",
        "beta_spectrum",
    ]
    assert 0.004 <= relative["self_absorption"] <= 0.006
    assert relative["beta_spectrum"] == 0.006
    assert budget.relative == pytest.approx(math.sqrt(sum(value**2 for value in relative.values())))
    own = budget.with_values({"volume": 0.02, "registration": 0.01})
    assert [term.name for term in own.terms] == [*relative, "registration"]
    changed = next(term for term in own.terms if term.name == "volume")
    assert (changed.relative, changed.assumed) == (0.02, False)
    with pytest.raises(ValueError, match=r"volume must be at least 0 and finite, got -0\.1"):
        budget.with_values({"volume": -0.1})


def test_volume_of_a_drawn_sphere():
    """Gear et al. (2018): u(d)^2 = a^2 / 6 + w^2 / (4 ln 2). a = 6 mm alone: u(d) = sqrt(6) mm, 3 u / d on 30 mm."""
    assert sirt.volume_uncertainty(30.0, 6.0, 0.0) == pytest.approx(3.0 * math.sqrt(6.0) / 30.0)
    width = math.sqrt(10.0 * 4.0 * math.log(2.0))
    assert sirt.volume_uncertainty(40.0, 6.0, width) == pytest.approx(3.0 * 4.0 / 40.0)


def test_volume_uncertainty_is_that_of_two_blurred_edges():
    """Two ends of a diameter, each off by half a voxel at most (uniform) and by the blur's sigma (normal)."""
    rng = np.random.default_rng(5)
    n, side, width, diameter = 400_000, 4.0, 5.0, 50.0
    sigma = width / (2.0 * math.sqrt(2.0 * math.log(2.0)))
    ends = rng.uniform(-side / 2.0, side / 2.0, (2, n)) + rng.normal(0.0, sigma, (2, n))
    drawn = diameter + ends[1] - ends[0]
    assert 3.0 * drawn.std() / diameter == pytest.approx(sirt.volume_uncertainty(diameter, side, width), rel=0.01)


def test_recovery_raises_the_dose():
    assert recovered(80.0, 0.8) == pytest.approx(100.0)
    with pytest.raises(ValueError, match=r"recovery must be at most 1\.5, got 80"):
        recovered(80.0, 80)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[terms.volume]\nrelative = -1\nsource = 'x'", "volume: relative must be a number of at least 0, got -1"),
        ("[terms.volume]\nrelative = 12\nsource = 'x'", "volume: relative must be a fraction, at most 10, got 12"),
        ("[terms.volume]\nrelative = 0.1", "volume: must have relative, source; missing: source"),
        ("terms = 3", r"terms must be at least one table \[terms.NAME\], got 3"),
    ],
)
def test_budgets_that_cannot_be_are_refused(tmp_path, content, message):
    path = tmp_path / "budget.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(mcdose.InputError, match=message):
        sirt.load_budget(path)


def test_spectrum_term_is_that_of_the_nuclide():
    """Y-90 by what ships (0.6 %); others by the evaluations on their sheet; those without betas stay."""
    budget = sirt.load_budget()
    assert with_spectrum_of(budget, "Y-90") is budget
    assert with_spectrum_of(budget, "Tc-99m") is budget
    term = next(one for one in with_spectrum_of(budget, "Ho-166").terms if one.name == "beta_spectrum")
    assert term.relative == pytest.approx(0.66507 / 0.66228 - 1.0, abs=2e-5)
    assert "Ho-166" in term.source
