"""Lung shunt fraction from planar counts or an image, and the dose that it gives to the lungs."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.arguments import number
from mcdose.arrays import to_numpy
from mcdose.coverage import coverage_of, voxel_sides
from mcdose.nuclides import nuclide as look_up

MIRD_LUNG_KG = 1.0  # lungs of the reference adult with their blood, in use for microspheres
SHARED = 0.01  # part of the lung counts in voxels that are liver too, from which it is said
PLANAR = "planar counts are not corrected for attenuation and scatter, and the shunt of them is usually too high"
FACES = (("inferior", "superior"), ("anterior", "posterior"), ("right", "left"))  # of a grid's axes (z, y, x)


@dataclass(frozen=True)
class PlanarRegion:
    """Counts of a region of interest in both views, and what the background has in each of its pixels.

    Parameters
    ----------
    anterior, posterior : counts in the region
    background_anterior, background_posterior : counts per pixel beside the patient's uptake
    pixels : of the region; needed with a background
    """

    anterior: float
    posterior: float
    background_anterior: float = 0.0
    background_posterior: float = 0.0
    pixels: float = 0.0

    def geometric_mean(self, name: str) -> float:
        """Return sqrt(anterior x posterior) of the counts above background, which does not depend on depth.

        For one thin source in a body of one attenuation: the depths in both views add up to the body's thickness
        (MIRD Pamphlet 16, Siegel et al., J Nucl Med 40 (1999) 37S).

        Raises
        ------
        ValueError
            Counts or background that are negative, a background without pixels, no counts above it.
        """
        views = []
        for view, counts, per_pixel in (
            ("anterior", self.anterior, self.background_anterior),
            ("posterior", self.posterior, self.background_posterior),
        ):
            for what, value in (("counts", counts), ("background", per_pixel), ("pixels", self.pixels)):
                if not 0.0 <= number(f"{name}, {view} {what}", value) < math.inf:
                    raise ValueError(f"{name}: {view} {what} must be finite and not negative, got {value}")
            if per_pixel > 0 and not self.pixels > 0:
                raise ValueError(f"{name}: pixels of the region must be given with a background, got {self.pixels}")
            net = counts - per_pixel * self.pixels
            if net < 0:
                raise ValueError(
                    f"{name}: {view} counts must be at least those of the background, {per_pixel * self.pixels:g}, got "
                    f"{counts:g}"
                )
            views.append(net)
        return math.sqrt(views[0] * views[1])


@dataclass(frozen=True)
class Spill:
    """What the lung next to the liver has beyond the rest of the lung: breathing, blur and scatter of the liver.

    Attributes
    ----------
    margin_mm : lung nearer to the liver than this was left out
    far_ml : volume of the lung that was left
    counts : of the whole lung, less its volume times the mean of the far lung; below 0 where the far lung has more
    fraction : shunt without them, which then are the liver's
    """

    margin_mm: float
    far_ml: float
    counts: float
    fraction: float


@dataclass(frozen=True)
class LungShunt:
    """A lung shunt fraction.

    Attributes
    ----------
    fraction : lung / (lung + liver)
    lung_counts, liver_counts : geometric means, or sums over the voxels by their coverage
    method : "planar" or "image"
    spill : of an image, where a margin was given
    cut : faces of the grid that the lungs touch, where the field of view cuts them; none of planar counts
    notes : sentences for the user
    """

    fraction: float
    lung_counts: float
    liver_counts: float
    method: str
    spill: Spill | None = None
    cut: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class LungMass:
    """The lung in the field: its mass [kg], volume [mL], mean density [g/cm3], and the faces that cut it."""

    mass_kg: float
    volume_ml: float
    density_g_cm3: float
    cut: tuple[str, ...]


@dataclass(frozen=True)
class LungDose:
    """Dose of the lung in the field from a dose map.

    Attributes
    ----------
    mean_gy : energy over mass, so the mean weighted by density
    volume_mean_gy : mean over the volume, as in a dose-volume histogram
    lung : its mass
    notes : sentences for the user
    """

    mean_gy: float
    volume_mean_gy: float
    lung: LungMass
    notes: tuple[str, ...]


def planar_shunt(lungs: PlanarRegion, liver: PlanarRegion) -> LungShunt:
    """Find the shunt from the geometric means of anterior and posterior counts.

    No attenuation is corrected for: lungs attenuate less than the liver, so that planar shunts are usually too high.

    Raises
    ------
    ValueError
        As for `PlanarRegion.geometric_mean`; no counts in the liver.
    """
    return _shunt(lungs.geometric_mean("lungs"), liver.geometric_mean("liver"), "planar", notes=(PLANAR,))


def image_shunt(
    counts: ArrayLike,
    lung: ArrayLike,
    liver: ArrayLike,
    voxel_mm: tuple[float, float, float],
    *,
    margin_mm: float | None = None,
) -> LungShunt:
    """Find the shunt from an image of SPECT or PET.

    Parameters
    ----------
    counts : (nz, ny, nx), counts, activity or concentration, not negative
    lung, liver : same shape, bool or coverage from 0 to 1. The liver is all that holds the activity, tumours included
    voxel_mm : (dz, dy, dx)
    margin_mm : show apart what the lung within this distance of the liver has beyond the rest of the lung: distance
        from the voxel's centre to that of the nearest voxel that is at least half liver. None = do not

    Raises
    ------
    ValueError
        Arrays that do not fit, empty masks, no counts, a margin that leaves no lung.
    """
    image = _image("counts", counts)
    lungs, livers = coverage_of("lung", lung, image.shape), coverage_of("liver", liver, image.shape)
    sides = voxel_sides(voxel_mm)
    in_lung, in_liver = float((image * lungs).sum()), float((image * livers).sum())
    notes = []
    both = float((image * np.minimum(lungs, np.maximum(lungs + livers - 1.0, 0.0))).sum())
    if both > SHARED * in_lung:
        notes.append(f"{100 * both / in_lung:.1f} % of the lung's counts are in voxels that are the liver's too")
    cut = cut_by_field(lungs)
    if cut:
        notes.append(f"{_cut_words(cut)}: counts of the lung outside the field are missing and the shunt is too low")
    spill = None
    if margin_mm is not None:
        spill = _spill(image, lungs, livers, sides, margin_mm, in_lung, in_liver)
    return _shunt(in_lung, in_liver, "image", spill, cut, tuple(notes))


def far_lung(
    lung: ArrayLike, liver: ArrayLike, voxel_mm: tuple[float, float, float], margin_mm: float
) -> NDArray[np.float64]:
    """Coverage of the lung, 0 within a distance of the liver; arguments as of `image_shunt`."""
    from scipy.ndimage import distance_transform_edt

    lungs = coverage_of("lung", lung, np.shape(lung))
    livers = coverage_of("liver", liver, lungs.shape)
    margin = number("margin_mm", margin_mm)
    if not 0.0 < margin < math.inf:
        raise ValueError(f"margin_mm must be positive and finite, got {margin_mm}")
    solid = livers >= 0.5
    if not solid.any():
        raise ValueError("liver must fill a voxel by half for a distance from it, it fills none")
    away = distance_transform_edt(~solid, sampling=voxel_sides(voxel_mm))
    return np.where(away > margin, lungs, 0.0)


def cut_by_field(coverage: ArrayLike) -> tuple[str, ...]:
    """Name the faces of the grid that a structure touches, as those of an upright grid: "superior", "left" ..."""
    inside = np.asarray(to_numpy(coverage)) > 0
    touched = []
    for axis, names in enumerate(FACES):
        for name, index in zip(names, (0, -1), strict=True):
            if np.take(inside, index, axis=axis).any():
                touched.append(name)
    return tuple(touched)


def lung_mass(density_g_cm3: ArrayLike, lung: ArrayLike, voxel_mm: tuple[float, float, float]) -> LungMass:
    """Mass of the patient's own lung from CT density, such as `Case.density_g_cm3`.

    Parameters
    ----------
    density_g_cm3, lung : (nz, ny, nx); coverage from 0 to 1
    voxel_mm : (dz, dy, dx)
    """
    density = _image("density_g_cm3", density_g_cm3)
    lungs = coverage_of("lung", lung, density.shape)
    voxel_ml = math.prod(voxel_sides(voxel_mm)) / 1000.0
    grams = float((density * lungs).sum()) * voxel_ml
    volume = float(lungs.sum()) * voxel_ml
    if not grams > 0:
        raise ValueError(f"lung must have a mass, got {grams} g in {volume:.1f} mL")
    return LungMass(grams / 1000.0, volume, grams / volume, cut_by_field(lungs))


def lung_dose_gy(
    activity_gbq: float,
    shunt: float,
    *,
    mass_kg: float = MIRD_LUNG_KG,
    nuclide: str = "Y-90",
    gy_kg_per_gbq: float | None = None,
) -> float:
    """Mean dose of the lungs when all the energy of the activity that gets there stays there [Gy].

    Parameters
    ----------
    activity_gbq : administered, less the residual [GBq]
    shunt : lung shunt fraction, 0 to 1
    mass_kg : 1 kg by convention (MIRD), or the patient's own (`lung_mass`), which is of the lung in the field
    nuclide : for its constant
    gy_kg_per_gbq : dose of 1 GBq that decays in 1 kg [Gy kg/GBq]; None = the nuclide's

    Raises
    ------
    ValueError
        A shunt out of 0 to 1, an activity that is negative, a mass or constant that is not positive.
    """
    given = number("activity_gbq", activity_gbq)
    if not 0.0 <= given < math.inf:
        raise ValueError(f"activity_gbq must be finite and not negative, got {activity_gbq}")
    constant = look_up(nuclide).gy_kg_per_gbq if gy_kg_per_gbq is None else number("gy_kg_per_gbq", gy_kg_per_gbq)
    for name, value in (("gy_kg_per_gbq", constant), ("mass_kg", number("mass_kg", mass_kg))):
        if not 0.0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite, got {value}")
    return given * check_shunt(shunt) * constant / float(mass_kg)


def lung_dose_of_map(
    dose_gy: ArrayLike, density_g_cm3: ArrayLike, lung: ArrayLike, voxel_mm: tuple[float, float, float]
) -> LungDose:
    """Mean dose of the lung in the field from a dose map, such as that of Monte Carlo.

    Parameters
    ----------
    dose_gy, density_g_cm3, lung : (nz, ny, nx); coverage from 0 to 1
    voxel_mm : (dz, dy, dx)
    """
    found = lung_mass(density_g_cm3, lung, voxel_mm)
    dose = _image("dose_gy", dose_gy)
    lungs = coverage_of("lung", lung, dose.shape)
    weights = lungs * np.asarray(to_numpy(density_g_cm3), np.float64)
    notes: tuple[str, ...] = ()
    if found.cut:
        notes = (f"{_cut_words(found.cut)}: the dose is that of the lung in the field, {found.volume_ml:.0f} mL",)
    return LungDose(float(np.average(dose, weights=weights)), float(np.average(dose, weights=lungs)), found, notes)


def check_shunt(shunt: Any) -> float:
    """Return a lung shunt fraction, or raise unless it is from 0 to 1."""
    fraction = number("lung shunt", shunt)
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"lung shunt must be a fraction from 0 to 1, got {shunt}")
    return fraction


def _shunt(
    lung: float,
    liver: float,
    method: str,
    spill: Spill | None = None,
    cut: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> LungShunt:
    if not liver > 0:
        raise ValueError(f"liver must have counts for a shunt, got {liver:g} and {lung:g} in the lungs")
    return LungShunt(check_shunt(lung / (lung + liver)), lung, liver, method, spill, cut, notes)


def _spill(
    image: NDArray[np.float64],
    lungs: NDArray[np.float64],
    livers: NDArray[np.float64],
    sides: tuple[float, float, float],
    margin_mm: float,
    in_lung: float,
    in_liver: float,
) -> Spill:
    far = far_lung(lungs, livers, sides, margin_mm)
    volume = float(far.sum())
    if not volume > 0:
        raise ValueError(f"margin_mm must leave lung further than {margin_mm:g} mm from the liver, it leaves none")
    own = float((image * far).sum()) / volume * float(lungs.sum())
    total = in_lung + in_liver
    return Spill(float(margin_mm), volume * math.prod(sides) / 1000.0, in_lung - own, check_shunt(own / total))


def _cut_words(cut: tuple[str, ...]) -> str:
    return f"the lungs reach the {' and '.join(cut)} face{'s' if len(cut) > 1 else ''} of the grid"


def _image(name: str, values: ArrayLike) -> NDArray[np.float64]:
    image = np.asarray(to_numpy(values))
    if image.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be real numbers, got an array of {image.dtype}")
    if image.ndim != 3 or image.size == 0:
        raise ValueError(f"{name} must have three axes (z, y, x), got shape {image.shape}")
    bad = int(np.count_nonzero(~np.isfinite(image)))
    if bad or image.min() < 0:
        what = f"{bad} voxels that are not finite" if bad else f"{image.min()}"
        raise ValueError(f"{name} must be finite and not negative, got {what}")
    return image.astype(np.float64)
