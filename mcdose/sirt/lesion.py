"""What a lesion's volume does to its dose: through the counts in it, the recovery coefficient and the dose factor.

All three are read at one volume V, so their errors go together. With D = C S / R, counts C in the outline, recovery
coefficient R(V) and dose factor S(V), the law of propagation of uncertainty for three functions of one variable is

    (u(D) / D)^2 = (b_C^2 + b_R^2 + b_S^2 - 2 b_C b_R + 2 b_C b_S - 2 b_R b_S) (u(V) / V)^2
                 = ((b_C - b_R + b_S) u(V) / V)^2,        b_X = d ln X / d ln V,

that is the three variances and their three covariances u(X, Y) / (X Y) = b_X b_Y (u(V) / V)^2, R with its sign for it
divides. Terms that do not follow the volume, as that of the recovery curve itself, add in quadrature.

Counts: an outline of radius r around a fixed object gains 4 pi r^2 I(r) dr, I the blurred concentration at its edge, so
b_C = V I / C = (I / c) / R with c the true concentration: 1/2 for a large sphere, 1 for a small one.
Dose factor: S = k V^-n, so b_S = -n; n is 1 where all energy stays, below 1 where part of it leaves.

Surroundings with activity: an image is linear, so that a lesion of dose D_T in tissue of D_N shows D = D_N + R (D_T -
D_N), and all of the above is of the part D_T - D_N that is above its surroundings; relative to D_T it counts as the
contrast (D_T - D_N) / D_T.

Source: the framework of Gear et al., Eur. J. Nucl. Med. Mol. Imaging 45 (2018) 2456, doi 10.1007/s00259-018-4136-7;
the equations are derived here, for a sphere of uniform activity in uniform surroundings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mcdose.arguments import number
from mcdose.sirt.checks import not_negative, positive
from mcdose.sirt.uncertainty import Budget, Covariance, Term, recovered, volume_uncertainty

FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
SMALLEST = 0.05  # radius over sigma, below which nothing of an object is left to see
SOURCE = "one volume, in three factors of the dose; after Gear et al. (2018)"
TERMS = ("volume_in_counts", "volume_in_recovery", "volume_in_dose_factor")


@dataclass(frozen=True)
class Recovery:
    """Recovery coefficient of a sphere and what follows its volume.

    Attributes
    ----------
    value : part of the activity of the sphere that the image has inside its outline
    slope : d ln R / d ln V, of spheres of their own outline
    counts_slope : d ln C / d ln V, of one sphere and an outline that grows
    """

    value: float
    slope: float
    counts_slope: float


@dataclass(frozen=True)
class Lesion:
    """What is known of one lesion: its budget, its recovery, and its mean dose over that, without the blur [Gy]."""

    budget: Budget
    recovery: Recovery
    recovered_gy: float


@dataclass(frozen=True)
class Drawing:
    """How lesions were drawn and imaged, for the budget of each from its volume.

    Attributes
    ----------
    voxel_mm, drawn_fwhm_mm : of the image they were drawn on, see `mcdose.sirt.uncertainty.volume_uncertainty`
    image_fwhm_mm : resolution of the activity image [mm]
    curve : (half_ml, power) of `curve_recovery`; None is a sphere with a Gaussian blur
    dose_exponent : n of S = k V^-n
    """

    voxel_mm: float
    drawn_fwhm_mm: float
    image_fwhm_mm: float
    curve: tuple[float, float] | None = None
    dose_exponent: float = 1.0

    def recovery(self, volume_ml: float) -> Recovery:
        """Return the recovery of a lesion, as of the sphere of its volume [mL]."""
        diameter = sphere_diameter_mm(volume_ml)
        if self.curve is None:
            return sphere_recovery(diameter, self.image_fwhm_mm)
        return curve_recovery(diameter, self.image_fwhm_mm, *self.curve)

    def lesion(self, budget: Budget, volume_ml: float, mean_gy: float, surroundings_gy: float) -> Lesion:
        """Return what is known of a lesion of a volume [mL], with its mean dose and that of its surroundings [Gy]."""
        recovery = self.recovery(volume_ml)
        corrected = recovered(mean_gy, recovery.value, surroundings_gy)
        if not corrected > 0.0:
            raise ValueError(f"the dose over the recovery must be above 0, got {corrected:.4g} Gy")
        contrast = (corrected - surroundings_gy) / corrected
        return Lesion(self.budget(budget, volume_ml, contrast), recovery, corrected)

    def budget(self, budget: Budget, volume_ml: float, contrast: float = 1.0) -> Budget:
        """Return the budget of a lesion of a volume [mL], see `lesion_budget`."""
        return lesion_budget(
            budget,
            self.recovery(volume_ml),
            diameter_mm=sphere_diameter_mm(volume_ml),
            voxel_mm=self.voxel_mm,
            drawn_fwhm_mm=self.drawn_fwhm_mm,
            dose_exponent=self.dose_exponent,
            contrast=contrast,
        )


def sphere_recovery(diameter_mm: float, fwhm_mm: float) -> Recovery:
    """Return the recovery of a uniform sphere in an image with a Gaussian blur, in closed form.

    A point of the sphere is carried by s with the density P(s) of three normal deviates; the sphere of radius a and
    itself moved by s share 1 - 3 s / (4 a) + s^3 / (16 a^3) of their volume. With M_n the integral of
    (s / sigma)^n P(s) from 0 to 2 a and q = a / sigma,

        R = M_0 - 3 M_1 / (4 q) + M_3 / (16 q^3),    d ln R / d ln a = (3 M_1 / (4 q) - 3 M_3 / (16 q^3)) / R.

    Parameters
    ----------
    diameter_mm : [mm]
    fwhm_mm : full width at half maximum of the image [mm]; 0 recovers all

    Raises
    ------
    ValueError
        A figure out of its range; a sphere that is lost in the blur, of less than a twentieth of sigma in radius.
    """
    radius = 0.5 * positive("diameter_mm", diameter_mm)
    sigma = not_negative("fwhm_mm", fwhm_mm) / FWHM_PER_SIGMA
    if sigma == 0.0:
        return Recovery(1.0, 0.0, 0.5)  # half of the edge's width has the activity, as in the limit of a small blur
    q = radius / sigma
    if q < SMALLEST:
        raise ValueError(
            f"diameter_mm must be at least {2.0 * SMALLEST * sigma:.3g} for a resolution of {fwhm_mm:g} mm, got "
            f"{diameter_mm:g}"
        )
    rest, scale = math.exp(-2.0 * q * q), math.sqrt(2.0 / math.pi)
    zeroth = math.erf(math.sqrt(2.0) * q) - 2.0 * q * scale * rest
    first = scale * (2.0 - (4.0 * q**2 + 2.0) * rest) / (4.0 * q)
    third = scale * (8.0 - (16.0 * q**4 + 16.0 * q**2 + 8.0) * rest) / (16.0 * q**3)
    value = zeroth - 3.0 * first + third
    return Recovery(value, (first - third) / value, edge_concentration(diameter_mm, fwhm_mm) / value)


def curve_recovery(diameter_mm: float, fwhm_mm: float, half_ml: float, power: float) -> Recovery:
    """Return the recovery by a curve that was fitted to a phantom, R = 1 / (1 + (half_ml / V)^power).

    Its slope is power (1 - R). The counts follow the outline as for a sphere of this resolution.

    Parameters
    ----------
    diameter_mm, fwhm_mm : see `sphere_recovery`
    half_ml : volume that is recovered by half [mL]
    power : above 0
    """
    volume = math.pi / 6.0 * positive("diameter_mm", diameter_mm) ** 3 / 1000.0
    half, exponent = positive("half_ml", half_ml), positive("power", power)
    value = 1.0 / (1.0 + (half / volume) ** exponent)
    return Recovery(value, exponent * (1.0 - value), edge_concentration(diameter_mm, fwhm_mm) / value)


def edge_concentration(diameter_mm: float, fwhm_mm: float) -> float:
    """Return the blurred concentration at the edge of a uniform sphere over the true one: 1/2 for a large sphere.

    erf(sqrt(2) q) / 2 - (1 - exp(-2 q^2)) / (q sqrt(2 pi)), q = radius / sigma: the Gaussian over the sphere, as seen
    from its edge, integrated over angle and then over distance.
    """
    radius, width = 0.5 * positive("diameter_mm", diameter_mm), not_negative("fwhm_mm", fwhm_mm)
    if width == 0.0:
        return 0.5
    q = radius * FWHM_PER_SIGMA / width
    return 0.5 * math.erf(math.sqrt(2.0) * q) - (1.0 - math.exp(-2.0 * q * q)) / (q * math.sqrt(2.0 * math.pi))


def sphere_diameter_mm(volume_ml: float) -> float:
    """Return the diameter [mm] of the sphere of a volume [mL]."""
    return float((6000.0 * positive("volume_ml", volume_ml) / math.pi) ** (1.0 / 3.0))


def lesion_budget(
    budget: Budget,
    recovery: Recovery,
    *,
    diameter_mm: float,
    voxel_mm: float,
    drawn_fwhm_mm: float,
    dose_exponent: float = 1.0,
    contrast: float = 1.0,
) -> Budget:
    """Return the budget of one lesion: its volume through counts, recovery and dose factor, with their covariances.

    The terms volume_in_counts, volume_in_recovery and volume_in_dose_factor stand in place of `volume`; the term
    `partial_volume` stays, and is what the recovery curve leaves open at a volume that is known.

    Parameters
    ----------
    budget : see `mcdose.sirt.uncertainty.load_budget`
    recovery : of the lesion, by `sphere_recovery` or `curve_recovery`
    diameter_mm, voxel_mm, drawn_fwhm_mm : see `mcdose.sirt.uncertainty.volume_uncertainty`
    dose_exponent : n of S = k V^-n, above 0
    contrast : (D_T - D_N) / D_T of the lesion's dose over that of its surroundings, 1 where these have none; the size
        of it counts, so that a cold lesion may be below 0
    """
    volume = volume_uncertainty(diameter_mm, voxel_mm, drawn_fwhm_mm)
    share = abs(number("contrast", contrast))
    if not share < math.inf:
        raise ValueError(f"contrast must be finite, got {contrast}")
    slopes = [
        share * slope for slope in (recovery.counts_slope, -recovery.slope, -positive("dose_exponent", dose_exponent))
    ]
    terms = tuple(Term(name, abs(b) * volume, False, SOURCE) for name, b in zip(TERMS, slopes, strict=True))
    pairs = ((0, 1), (0, 2), (1, 2))
    covariances = tuple(Covariance(TERMS[i], TERMS[j], slopes[i] * slopes[j] * volume**2) for i, j in pairs)
    others = tuple(term for term in budget.terms if term.name != "volume")
    return Budget((*terms, *others), (*budget.covariances, *covariances))
