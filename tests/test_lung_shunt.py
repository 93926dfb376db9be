"""Lung shunt and lung dose against sums by hand, a source in an attenuating body, and a blurred liver dome."""

import math

import numpy as np
import pytest
from images import Y90_HALF_LIFE_S, reference_images
from scipy.ndimage import gaussian_filter

from mcdose.io.activity import read_activity
from mcdose.io.structures import read_structures
from mcdose.nuclides import nuclide
from mcdose.sirt.lung_shunt import (
    PlanarRegion,
    cut_by_field,
    far_lung,
    image_shunt,
    lung_dose_gy,
    lung_dose_of_map,
    lung_mass,
    planar_shunt,
)

VOXEL = (3.0, 4.0, 5.0)
SHAPE = (40, 20, 20)


def thorax():
    """Liver below, lungs above it, with air around both, so that neither touches a face."""
    liver, lung = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    liver[3:15, 4:16, 4:16] = True
    lung[15:36, 4:16, 4:16] = True
    return lung, liver


# --- planar


def test_planar_by_hand():
    found = planar_shunt(PlanarRegion(900, 400), PlanarRegion(10_000, 2_500))
    assert (found.lung_counts, found.liver_counts) == (600.0, 5000.0)
    assert found.fraction == pytest.approx(600 / 5600, rel=1e-12)
    assert found.method == "planar"
    assert "attenuation" in found.notes[0]


def test_planar_background_is_taken_from_each_view():
    lungs = PlanarRegion(900 + 2 * 50, 400 + 3 * 50, 2.0, 3.0, 50)
    assert planar_shunt(lungs, PlanarRegion(10_000, 2_500)).fraction == pytest.approx(600 / 5600, rel=1e-12)


@pytest.mark.parametrize("depth_cm", [0.0, 4.0, 11.0, 20.0])
def test_the_geometric_mean_does_not_depend_on_depth(depth_cm):
    thickness, mu = 20.0, 0.15
    seen = PlanarRegion(1e5 * math.exp(-mu * depth_cm), 1e5 * math.exp(-mu * (thickness - depth_cm)))
    assert seen.geometric_mean("liver") == pytest.approx(1e5 * math.exp(-mu * thickness / 2), rel=1e-12)


@pytest.mark.parametrize(
    ("lungs", "liver", "message"),
    [
        ((10, 10), (0, 100), "liver must have counts for a shunt, got 0"),
        ((-1, 10), (10, 10), "lungs: anterior counts must be finite and not negative, got -1"),
        ((10, float("nan")), (10, 10), "lungs: posterior counts must be finite and not negative, got nan"),
        ((10, 10, 1.0), (10, 10), "lungs: pixels of the region must be given with a background, got 0.0"),
        (
            (10, 10, 1.0, 0.0, 20),
            (10, 10),
            "lungs: anterior counts must be at least those of the background, 20, got 10",
        ),
    ],
)
def test_planar_counts_that_cannot_be(lungs, liver, message):
    with pytest.raises(ValueError, match=message):
        planar_shunt(PlanarRegion(*lungs), PlanarRegion(*liver))


# --- images


def test_image_by_hand_with_coverage():
    lung, liver = thorax()
    counts = 5.0 * liver + 0.5 * lung
    found = image_shunt(counts, lung, liver, VOXEL)
    assert found.fraction == pytest.approx(0.5 * lung.sum() / (0.5 * lung.sum() + 5 * liver.sum()), rel=1e-12)
    assert found.notes == ()
    assert found.cut == ()
    assert found.spill is None
    half = image_shunt(counts, 0.5 * lung, liver, VOXEL)
    assert half.lung_counts == pytest.approx(found.lung_counts / 2, rel=1e-12)


def test_spill_of_a_blurred_dome_is_shown_apart():
    lung, liver = thorax()
    true = 5.0 * liver + 0.1 * lung
    # blurred along z alone over the dome, so that nothing leaves sideways
    blurred = gaussian_filter(true, (3.0, 0.0, 0.0))
    truth = 0.1 * lung.sum() / true.sum()
    found = image_shunt(blurred, lung, liver, VOXEL, margin_mm=40.0)
    assert found.fraction > 2 * truth
    # the lung's far end is blurred into the air above, so that the far mean is a few percent low
    assert found.spill.fraction == pytest.approx(truth, rel=0.15)
    assert found.spill.counts == pytest.approx(
        found.lung_counts - found.spill.fraction * (found.lung_counts + found.liver_counts), rel=1e-9
    )
    assert found.spill.far_ml == pytest.approx((36 - 14 - 14) * 144 * 0.06, rel=1e-12)


def test_without_spill_the_far_lung_says_the_same():
    lung, liver = thorax()
    found = image_shunt(5.0 * liver + 0.5 * lung, lung, liver, VOXEL, margin_mm=20.0)
    assert found.spill.counts == pytest.approx(0.0, abs=1e-9)
    assert found.spill.fraction == pytest.approx(found.fraction, rel=1e-12)


def test_distance_from_the_liver_is_in_mm_along_each_axis():
    lung, liver = np.ones((21, 21, 21)), np.zeros((21, 21, 21), bool)
    liver[10, 10, 10] = True
    far = far_lung(lung, liver, VOXEL, 15.0) > 0
    index = np.indices(lung.shape) - 10
    away = np.sqrt(sum((side * axis) ** 2 for side, axis in zip(VOXEL, index, strict=True)))
    np.testing.assert_array_equal(far, away > 15.0)


def test_lungs_cut_by_the_field_are_told():
    lung, liver = thorax()
    lung[36:, 4:16, 4:16] = True
    found = image_shunt(5.0 * liver + 0.5 * lung, lung, liver, VOXEL)
    assert found.cut == ("superior",)
    assert found.notes == (
        "the lungs reach the superior face of the grid: counts of the lung outside the field are missing and the shunt "
        "is too low",
    )
    lung[20, 4, :5] = True
    assert cut_by_field(lung) == ("superior", "right")
    assert cut_by_field(np.ones(SHAPE)) == ("inferior", "superior", "anterior", "posterior", "right", "left")


def test_masks_that_overlap_are_told():
    lung, liver = thorax()
    lung[13:15] = liver[13:15]
    found = image_shunt(5.0 * liver + 0.5 * lung, lung, liver, VOXEL)
    assert "of the lung's counts are in voxels that are the liver's too" in found.notes[0]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"lung": np.zeros(SHAPE)}, "lung must hold at least one voxel, got an empty one"),
        ({"liver": np.zeros(SHAPE)}, "liver must hold at least one voxel"),
        ({"lung": np.full(SHAPE, 1.5)}, "lung must be from 0 to 1"),
        ({"lung": np.ones((2, 2, 2))}, r"lung must have the shape \(40, 20, 20\), got \(2, 2, 2\)"),
        ({"counts": np.zeros(SHAPE)}, "liver must have counts for a shunt"),
        ({"counts": np.full(SHAPE, -1.0)}, "counts must be finite and not negative, got -1.0"),
        ({"counts": np.full(SHAPE, np.nan)}, "got 16000 voxels that are not finite"),
        ({"voxel_mm": (3.0, 4.0, 0.0)}, "voxel_mm must be three positive sides"),
        ({"margin_mm": 0.0}, "margin_mm must be positive and finite, got 0.0"),
        ({"margin_mm": 500.0}, "margin_mm must leave lung further than 500 mm from the liver, it leaves none"),
    ],
)
def test_images_that_cannot_be(changed, message):
    lung, liver = thorax()
    given = {"counts": np.ones(SHAPE), "lung": lung, "liver": liver, "voxel_mm": VOXEL, **changed}
    with pytest.raises(ValueError, match=message):
        image_shunt(given.pop("counts"), given.pop("lung"), given.pop("liver"), given.pop("voxel_mm"), **given)


# --- dose


def test_dose_of_one_kilogram():
    assert lung_dose_gy(2.0, 0.1) == pytest.approx(0.2 * nuclide("Y-90").gy_kg_per_gbq, rel=1e-12)
    assert lung_dose_gy(2.0, 0.1, gy_kg_per_gbq=50.0) == pytest.approx(10.0, rel=1e-12)
    assert lung_dose_gy(2.0, 0.1, mass_kg=0.8, gy_kg_per_gbq=50.0) == pytest.approx(12.5, rel=1e-12)
    assert lung_dose_gy(2.0, 0.0) == 0.0


def test_own_mass_is_density_times_volume():
    lung, _ = thorax()
    density = np.where(lung, 0.3, 1.0)
    found = lung_mass(density, 0.5 * lung, VOXEL)
    assert found.volume_ml == pytest.approx(0.5 * lung.sum() * 0.06, rel=1e-12)
    assert found.mass_kg == pytest.approx(0.3e-3 * found.volume_ml, rel=1e-12)
    assert found.density_g_cm3 == pytest.approx(0.3, rel=1e-12)
    assert found.cut == ()


def test_mean_dose_of_a_map_is_energy_over_mass():
    lung, _ = thorax()
    density, dose = np.full(SHAPE, 0.2), np.full(SHAPE, 10.0)
    density[15:20], dose[15:20] = 0.8, 40.0
    found = lung_dose_of_map(dose, density, lung, VOXEL)
    near, far = 5.0, 16.0  # slices
    assert found.volume_mean_gy == pytest.approx((near * 40 + far * 10) / (near + far), rel=1e-12)
    assert found.mean_gy == pytest.approx((near * 0.8 * 40 + far * 0.2 * 10) / (near * 0.8 + far * 0.2), rel=1e-12)
    assert found.notes == ()
    lung[36:] = True
    assert "the dose is that of the lung in the field" in lung_dose_of_map(dose, density, lung, VOXEL).notes[0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lung_dose_gy(1.0, 1.2), "lung shunt must be a fraction from 0 to 1, got 1.2"),
        (lambda: lung_dose_gy(1.0, -0.1), "lung shunt must be a fraction from 0 to 1, got -0.1"),
        (lambda: lung_dose_gy(1.0, float("nan")), "lung shunt must be a fraction from 0 to 1, got nan"),
        (lambda: lung_dose_gy(-1.0, 0.1), "activity_gbq must be finite and not negative"),
        (lambda: lung_dose_gy(1.0, 0.1, mass_kg=0.0), "mass_kg must be positive and finite, got 0.0"),
        (lambda: lung_mass(np.zeros(SHAPE), np.ones(SHAPE), VOXEL), "lung must have a mass, got 0.0 g"),
    ],
)
def test_doses_that_cannot_be(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.fixture(scope="module")
def patient():
    """The truth of the shared patient, 28 MBq in the lungs in the field and 1920 MBq in the liver, and its PET."""
    folder = reference_images() / "liver-y90"
    truth = read_activity(folder / "truth_activity_ADMIN_BqPerMl_PETgrid.nii.gz", nuclide="Y-90").volume
    pet = read_activity(folder / "PET_ADMIN", nuclide="Y-90", half_life_s=Y90_HALF_LIFE_S).volume
    return truth, pet, read_structures(folder / "RTSTRUCT_semiauto.dcm", truth.grid)


def test_the_shared_patient_has_the_shunt_that_was_put_in(patient):
    truth, pet, structures = patient
    masks = structures["Lungs_in_FOV"], structures["Liver"], truth.grid.voxel_mm
    went_in = 28.0 / 1948.0
    found = image_shunt(truth.values, *masks, margin_mm=20.0)
    assert found.fraction == pytest.approx(went_in, rel=0.06)  # outlines leave 9 % of the lung's activity outside
    assert found.cut == ("superior",)
    # in the PET the blurred liver, and noise that is never negative, look like a shunt
    measured = image_shunt(pet.values, *masks, margin_mm=20.0)
    assert measured.fraction > 1.3 * went_in
    assert went_in < measured.spill.fraction < measured.fraction
