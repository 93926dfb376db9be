"""Compartments beside voxels by Monte Carlo: the same where uptake is even, apart where physics says so, and how far.

What leaves a tumour or crosses a plane follows from the point kernel of the library alone.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
from test_sirt_limits import limit

import mcdose
from mcdose import sirt
from mcdose.case import Case
from mcdose.commands.treatment_lesions import lesion_lines
from mcdose.grid import Grid
from mcdose.sirt.assessment import assess
from mcdose.sirt.earlier import Session
from mcdose.sirt.lesion import TERMS, Drawing
from mcdose.sirt.treatment import Treatment
from mcdose.sirt.voxel import NORMAL_LIVER, NORMAL_PERFUSED

BUDGET = sirt.load_budget()


def water(shape, voxel_mm, activity_bq, structures, density=1.0):
    """A case of water of any density, with activity in Bq per voxel."""
    grid = Grid(shape, (voxel_mm,) * 3)
    density = np.full(shape, density, np.float32) if np.isscalar(density) else density.astype(np.float32)
    index, hu = np.zeros(shape, np.uint8), np.zeros(shape, np.int16)
    return Case(grid, activity_bq.astype(float), density, index, ("water",), hu, structures)


def treatment(**names):
    return Treatment(**{"liver": "liver", "tumours": ("T",), "limits": (), "budget": BUDGET, **names})


def run(case, plan, method="monte-carlo", histories=400_000):
    choices = {"histories": histories, "seed": 3} if method == "monte-carlo" else {}
    return mcdose.absorbed_dose(
        mcdose.activity_to_tia(case.activity_bq, "Y-90"),
        case.grid.voxel_mm,
        density_g_cm3=case.density_g_cm3,
        medium=case.medium,
        media=case.media,
        method=method,
        device="cpu",
        regions=plan.tissues(case),
        **choices,
    )


def tissues(case, plan, **choices):
    found = assess(case, run(case, plan, **choices), plan)
    return {one["name"]: one for one in found["tissues"]}


def ball(grid, centre, radius):
    z, y, x = (
        grid.centres_mm(axis).reshape([-1 if axis == k else 1 for k in range(3)]) - centre[axis] for axis in range(3)
    )
    return z**2 + y**2 + x**2 <= radius**2


@pytest.fixture(scope="module")
def kernel():
    """Middle of each shell [mm], and the part of a decay's energy in it: Y-90 in water, density 1."""
    point = mcdose.load_kernel("Y-90/water/point")
    radius = 0.5 * (point.shell_edges_mm[:-1] + point.shell_edges_mm[1:])
    return radius, point.energy_mev / point.emitted_mev


def kept(kernel, mask, side_mm, samples=400_000):
    """Part of the energy that an even source in the voxels of a mask leaves in them, unbounded medium; by sampling.

    A ball has 1 - 3/4 (r/R) + 1/16 (r/R)^3 of the points at r from its points in it; its voxels' steps lose more.
    """
    rng = np.random.default_rng(7)
    starts = rng.choice(np.argwhere(mask), samples) + rng.uniform(0.0, 1.0, (samples, 3))
    direction = rng.normal(size=(samples, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius, energy = kernel
    at = rng.choice(radius, samples, p=energy / energy.sum())
    ends = np.floor(starts + direction * at[:, None] / side_mm).astype(int)
    there = ((ends >= 0) & (ends < mask.shape)).all(axis=1)
    inside = np.zeros(samples, bool)
    inside[there] = mask[tuple(ends[there].T)]
    return float(inside.mean() * energy.sum())


@pytest.fixture(scope="module")
def large():
    """Liver of 5.6 L in a body, with a tumour of half a litre that takes up half as much again; even uptake in each."""
    grid = Grid((52, 52, 52), (5.0,) * 3)
    liver, tumour = ball(grid, (127.5,) * 3, 110.0), ball(grid, (127.5, 110.0, 127.5), 50.0)
    activity = 4e4 * liver + 2e4 * tumour
    return water(grid.shape, 5.0, activity, {"liver": liver, "T": tumour})


def test_even_uptake_without_motion_of_energy_is_exact(large):
    found = tissues(large, treatment(perfused="liver"), method="local-deposition")
    assert list(found) == ["T", NORMAL_LIVER, "liver"]
    for one in found.values():
        assert one["difference"] == pytest.approx(0.0, abs=2e-4 if one["name"] != "liver" else 1e-3)
        assert one["retained"] == pytest.approx(1.0, abs=2e-4)
        assert one["noise"] == 0.0
    assert "this method moves no energy" in found["T"]["why"]


def test_even_uptake_agrees_within_3_percent_where_little_leaves(large):
    found = tissues(large, treatment(perfused="liver"), histories=1_000_000)
    for one in found.values():
        assert abs(one["difference"]) < 0.03, one["name"]
    assert found["T"]["difference"] > 0.01  # a third of what is in the tumour is over what surrounds it, and leaves


def test_where_the_tumour_is_as_the_liver_there_is_no_difference_in_it(large):
    even = water(large.grid.shape, 5.0, 4e4 * large.structures["liver"], large.structures)
    found = tissues(even, treatment())
    assert found["T"]["difference"] == pytest.approx(0.0, abs=max(4.0 * found["T"]["noise"], 0.004))
    assert found["T"]["ratio"] == pytest.approx(1.0)


@pytest.mark.parametrize(("radius", "ratio"), [(10.0, 5.0), (16.0, 3.0)])
def test_a_small_hot_tumour_loses_what_the_point_kernel_says(kernel, radius, ratio):
    """D / D_liver = 1 + (ratio - 1) kept, by superposition, so compartments are too high by ratio over that."""
    shape, side = (40, 40, 40), 2.0
    grid = Grid(shape, (side,) * 3)
    tumour = ball(grid, (39.0,) * 3, radius)
    liver = np.ones(shape, bool)
    found = tissues(
        water(shape, side, 1e4 * (liver + (ratio - 1.0) * tumour), {"liver": liver, "T": tumour}), treatment()
    )
    around = float(kernel[1][kernel[0] < 40.0].sum())  # of 1: bremsstrahlung leaves this small liver
    expected = ratio / (around + (ratio - 1.0) * kept(kernel, tumour, side)) - 1.0
    assert expected > 0.09
    assert found["T"]["difference"] == pytest.approx(expected, abs=3.0 * found["T"]["noise"] + 0.002)
    assert "electrons carry the rest out" in found["T"]["why"]


def test_lung_beside_the_liver_gets_what_crosses_the_plane(kernel):
    """Energy that leaves a half space of even activity: n E <r> / 4 by area, whatever the density on the other side.

    Fano's theorem makes it so for one composition; <r> is the mean distance of the energy from its decay.
    """
    shape, side, lung_density = (17, 60, 60), 4.0, 0.26
    lung = np.zeros(shape, bool)
    lung[5:] = True
    tumour = np.zeros(shape, bool)
    tumour[1:3, 28:32, 28:32] = True
    activity = np.where(lung, 10.0, 1e4)
    density = np.where(lung, lung_density, 1.0)
    case = water(shape, side, activity, {"liver": ~lung, "T": tumour, "lungs": lung}, density)
    found = tissues(case, treatment(lungs="lungs"), histories=2_000_000)["lungs"]
    near = kernel[0] < 15.0  # electrons; what bremsstrahlung carries further leaves this small field
    mean_cm = 0.1 * float(kernel[0][near] @ kernel[1][near])
    decays = mcdose.activity_to_tia(1e4, "Y-90") / (0.1 * side) ** 3  # per cm3
    joule = decays * mcdose.nuclide("Y-90").gy_kg_per_gbq / mcdose.activity_to_tia(1e9, "Y-90") * mean_cm / 4.0
    depth_cm = 0.1 * side * 12
    expected = joule / (lung_density * depth_cm * 1e-3) + found["compartment_gy"]
    assert found["voxel"]["mean_gy"] == pytest.approx(expected, rel=0.03 + 3.0 * found["noise"])
    assert found["difference"] < -0.5
    assert found["retained"] > 2.0
    assert "dome" in found["why"]


def test_perfused_volume_apart_from_the_liver(large):
    half = large.structures["liver"].copy()
    half[:, 26:] = False
    case = water(large.grid.shape, 5.0, large.activity_bq, {**large.structures, "right": half})
    found = tissues(case, treatment(perfused="right"), method="local-deposition")
    assert list(found) == ["T", NORMAL_LIVER, "right", NORMAL_PERFUSED]
    left = half & ~large.structures["T"]
    assert found[NORMAL_PERFUSED]["voxel"]["volume_ml"] == pytest.approx(left.sum() * 0.125)
    assert found["right"]["kind"] == "perfused volume"
    outside = {**case.structures, "right": ~case.structures["liver"]}
    with pytest.raises(ValueError, match="perfused volume right must lie in liver, 50 % of it at least, got 0 %"):
        tissues(water(large.grid.shape, 5.0, large.activity_bq, outside), treatment(perfused="right"))


def test_reasons_why_a_limit_is_not_judged(large):
    limits = (limit("normal_perfused_gy", "<=", 40.0),)
    plan = treatment(limits=limits)
    (only,) = assess(large, run(large, plan, method="local-deposition"), plan)["limits"]
    assert (only["verdict"], only["reason"]) == ("not judged", "no perfused volume is named")
    inside = {**large.structures, "segment": large.structures["T"]}
    case, plan = water(large.grid.shape, 5.0, large.activity_bq, inside), treatment(limits=limits, perfused="segment")
    (only,) = assess(case, run(case, plan, method="local-deposition"), plan)["limits"]
    assert (only["verdict"], only["reason"]) == ("not judged", "all of the perfused volume is lesion")


def test_small_lesions_are_told_of_where_their_size_is_in_no_budget(large):
    """Half a litre is large; 27 voxels of 0.125 mL are below the 14.1 mL of a sphere of 3 cm."""
    small = np.zeros(large.grid.shape, bool)
    small[20:23, 20:23, 20:23] = True
    case = water(large.grid.shape, 5.0, large.activity_bq, {**large.structures, "s": small})
    for drawing, told in ((None, True), (Drawing(1.0, 0.0, 6.0), False)):
        plan = treatment(tumours=("T", "s"), drawing=drawing)
        sentences = assess(case, run(case, plan, method="local-deposition"), plan)["assumptions"]
        assert any(one.startswith("s: smaller than a sphere of 3 cm") for one in sentences) is told


def test_normal_liver_of_another_kind_is_refused(large):
    other = {**large.structures, NORMAL_LIVER: large.structures["liver"]}
    case = water(large.grid.shape, 5.0, large.activity_bq, other)
    with pytest.raises(ValueError, match="structure normal liver must be what mcdose computes under that name"):
        treatment().with_tissues(case)
    added = treatment().with_tissues(large).structures[NORMAL_LIVER]
    assert (added == (large.structures["liver"] & ~large.structures["T"])).all()


def test_treatments_that_cannot_be_are_refused(large):
    with pytest.raises(ValueError, match="tumours must be at least one structure"):
        treatment(tumours=())
    with pytest.raises(ValueError, match="spheres holmium are of Ho-166, so they cannot go with the nuclide Y-90"):
        treatment(spheres="holmium")
    plan = treatment()
    result = run(large, plan, histories=2000)
    object.__setattr__(result, "regions", {})
    with pytest.raises(ValueError, match="tissue must be one of the result's regions, none; got 'T'"):
        assess(large, result, plan)


def test_lesions_have_a_budget_of_their_own_volume(large):
    """By the drawing: three terms with their covariances in place of the volume, and the dose over the recovery."""
    plan = treatment(drawing=Drawing(2.0, 0.0, 10.0))
    found = assess(large, run(large, plan, method="local-deposition"), plan)
    lesion, normal = found["tissues"]
    own = plan.drawing.lesion(
        BUDGET, lesion["voxel"]["volume_ml"], lesion["voxel"]["mean_gy"], normal["voxel"]["mean_gy"]
    )
    squares = sum(term.relative**2 for term in own.budget.terms)
    pairs = 2.0 * sum(pair.relative for pair in own.budget.covariances)
    assert lesion["relative_uncertainty"] == pytest.approx(np.sqrt(squares + pairs))
    assert len(lesion["covariances"]) == 3
    assert lesion["recovered_gy"] == pytest.approx(own.recovered_gy)
    assert "recovery" not in normal
    assert {"volume", *TERMS} <= {term["name"] for term in found["budget"]}


def test_a_lesion_lost_in_the_blur_keeps_the_general_budget(large):
    """It must not take the page of all others with it; a line says why it has no dose without the blur."""
    cold = np.zeros(large.grid.shape, bool)
    cold[20:22, 20:22, 20:22] = True
    activity = np.where(cold, 0.0, large.activity_bq)
    case = water(large.grid.shape, 5.0, activity, {**large.structures, "cold": cold})
    plan = treatment(tumours=("T", "cold"), drawing=Drawing(2.0, 0.0, 10.0))
    found = assess(case, run(case, plan, method="local-deposition"), plan)
    lesion, lost, _ = found["tissues"]
    assert lesion["recovered_gy"] > 0.0
    assert "recovered_gy" not in lost
    assert lost["relative_uncertainty"] == pytest.approx(BUDGET.with_values({"monte_carlo_noise": 0.0}, "").relative)
    (told,) = (one for one in found["assumptions"] if one.startswith("cold has the budget"))
    assert "the dose over the recovery must be above 0" in told
    lines = lesion_lines(found["tissues"])
    assert len(lines) == 2
    assert lines[1].startswith("cold: no dose without the blur: the dose over the recovery must be above 0, got -")


def test_earlier_sessions_add_to_what_counts_over_all(large):
    """Doses of lesions over all sessions, of the liver for its cumulative limit only; figures by hand."""
    limits = tuple(limit(*one) for one in (("tumour_gy", ">=", 500.0), ("normal_liver_gy", "<=", 75.0)))
    limits += (limit("normal_liver_cumulative_gy", "<=", 100.0),)
    earlier = (Session("first", {"T": 40.0, NORMAL_LIVER: 30.0}, "Lu-177", 160.0), Session("stated", {"T": 7.0}))
    plan = treatment(limits=limits, earlier=earlier, aim=("tumour_gy", 500.0))
    found = assess(large, run(large, plan, method="local-deposition"), plan)
    lesion, normal = found["tissues"]
    dose, around, activity = (
        *(one["voxel"]["mean_gy"] for one in (lesion, normal)),
        found["treatment"]["activity_gbq"],
    )
    assert (lesion["earlier_gy"], lesion["together_gy"]) == (47.0, pytest.approx(dose + 47.0))
    goal, session, course = found["limits"]
    assert [one["figure"] for one in found["limits"]] == [
        pytest.approx(v) for v in (dose + 47.0, around, around + 30.0)
    ]
    assert goal["standard_uncertainty"] == pytest.approx(lesion["relative_uncertainty"] * (dose + 47.0))
    assert goal["activity_gbq"] == pytest.approx(453.0 / dose * activity)
    assert session["activity_gbq"] == pytest.approx(75.0 / around * activity)
    assert course["activity_gbq"] == pytest.approx(70.0 / around * activity)
    assert found["solution"]["wanted_gbq"] == pytest.approx(goal["activity_gbq"])
    assert found["solution"]["allowed_gbq"] == pytest.approx(course["activity_gbq"])  # what is left of 100 Gy
    first, last = found["activity_curve"][0], found["activity_curve"][-1]
    assert (first["tumour_gy"], first["normal_liver_gy"]) == (47.0, 0.0)
    assert last["tumour_gy"] == pytest.approx(47.0 + dose * last["activity_gbq"] / activity)


def test_a_perfused_volume_that_one_session_does_not_name_is_summed_nowhere(large):
    """The aim is solved with the same sums that are held against limits."""
    earlier = (Session("first", {"liver": 30.0, "T": 5.0}), Session("stated", {"T": 7.0}))
    plan = treatment(perfused="liver", limits=(limit("perfused_gy", "<=", 90.0),), earlier=earlier)
    plan = replace(plan, aim=("perfused_gy", 80.0))
    found = assess(large, run(large, plan, method="local-deposition"), plan)
    mean = found["tissues"][2]["voxel"]["mean_gy"]
    (only,), solution, activity = found["limits"], found["solution"], found["treatment"]["activity_gbq"]
    assert (only["figure"], only["earlier_gy"]) == (pytest.approx(mean), 0.0)
    assert solution["wanted_gbq"] == pytest.approx(80.0 / mean * activity)
    assert solution["allowed_gbq"] == pytest.approx(only["activity_gbq"])
    assert "no sum over sessions" in " ".join(found["assumptions"])


@pytest.mark.parametrize(("earlier", "judged"), [(None, False), ((), True)])
def test_limits_for_all_sessions_need_a_word_on_earlier_ones(large, earlier, judged):
    plan = treatment(limits=(limit("normal_liver_cumulative_gy", "<=", 100.0),), earlier=earlier)
    (only,) = assess(large, run(large, plan, method="local-deposition"), plan)["limits"]
    assert (only["verdict"] in ("met", "not met")) is judged


def test_effect_is_that_of_the_radiobiology(large):
    """Uniform doses by local deposition: BED by hand, with Lu-177 before; noise and models as they are known."""
    plan = treatment(earlier=(Session("first", {"T": 40.0}, "Lu-177", 160.0),), spheres="resin")
    lesion, normal = assess(large, run(large, plan, method="local-deposition"), plan)["tissues"]
    found = assess(large, run(large, plan, method="local-deposition"), plan)["effect"]
    hours = found["half_life_h"]
    for one, tissue, (alpha_beta, repair) in zip(
        found["tissues"], (lesion, normal), ((10, 1.5), (2.5, 2.5)), strict=True
    ):
        dose = tissue["voxel"]["mean_gy"]
        bed = dose * (1.0 + repair / (repair + hours) * dose / alpha_beta)
        assert one["mean_bed_gy"] == pytest.approx(bed, rel=1e-4)
        assert one["mean_eqd2_gy"] == pytest.approx(bed / (1.0 + 2.0 / alpha_beta), rel=1e-4)
        assert one["noise_bias_gy"] is None
    before = 40.0 * (1.0 + 1.5 / 161.5 * 4.0)
    assert found["tissues"][0]["earlier_bed_gy"] == pytest.approx(before)
    assert found["tissues"][0]["together_bed_gy"] == pytest.approx(before + found["tissues"][0]["mean_bed_gy"])
    assert found["ntcp"] is None  # not known with earlier sessions
    alone = treatment(spheres="resin", earlier=())
    ntcp = assess(large, run(large, alone, method="local-deposition"), alone)["effect"]["ntcp"]
    around = normal["voxel"]["mean_gy"]
    assert ntcp["probability"] == pytest.approx(
        0.5 * math.erfc((52.0 - around) / (math.sqrt(2.0) * 0.28 * 52.0)), rel=1e-3
    )
    glass = treatment(spheres="glass", earlier=())
    assert assess(large, run(large, glass, method="local-deposition"), glass)["effect"]["ntcp"] is None


def test_earlier_doses_must_be_of_tissues(large):
    with pytest.raises(ValueError, match="earlier doses must be of T, normal liver; got 'spleen'"):
        treatment(earlier=(Session("first", {"spleen": 3.0}),))
