"""From the vial to the liver: spheres, decay between calibration and injection, what stays behind."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mcdose.arguments import number
from mcdose.sirt.checks import fraction, positive
from mcdose.sirt.spheres import Microsphere

HOUR_S = 3600.0


@dataclass(frozen=True)
class Delivery:
    """What a vial holds and what of it arrives.

    Attributes
    ----------
    calibration_gbq, injection_gbq : activity of the vial at calibration and at injection [GBq]
    delivered_gbq, residual_gbq : what is given and what stays in vial and tubing, at injection [GBq]
    bq_per_sphere : activity of a sphere at injection [Bq]
    spheres, spheres_delivered : in the vial, and given; not rounded
    sphere_volume_ml : volume of the spheres that are given [mL], of the usual diameter
    """

    calibration_gbq: float
    injection_gbq: float
    delivered_gbq: float
    residual_gbq: float
    bq_per_sphere: float
    spheres: float
    spheres_delivered: float
    sphere_volume_ml: float


def decayed(activity: float, half_life_s: float, hours: float) -> float:
    """Return an activity some hours later, A 2^(-t / T); hours may be negative."""
    return float(activity * 2.0 ** (-hours * HOUR_S / half_life_s))


def deliver(
    device: Microsphere,
    *,
    injection_gbq: float | None = None,
    calibration_gbq: float | None = None,
    hours: float = 0.0,
    residual: float = 0.0,
    bq_per_sphere: float | None = None,
) -> Delivery:
    """Count spheres and activity of an injection.

    Parameters
    ----------
    device : as `microsphere` gives it
    injection_gbq, calibration_gbq : activity of the vial at injection or at calibration [GBq], one of them
    hours : from calibration to injection; negative before it
    residual : fraction of the vial's activity that stays in vial and tubing
    bq_per_sphere : activity of a sphere at calibration [Bq]; None is the device's usual one

    Raises
    ------
    ValueError
        Both activities or none, or one of the figures out of its range.
    """
    if (injection_gbq is None) == (calibration_gbq is None):
        raise ValueError(
            f"one of injection_gbq and calibration_gbq must be given, got {injection_gbq} and {calibration_gbq}"
        )
    hours = number("hours", hours)
    if not abs(hours) <= 2000.0:
        raise ValueError(f"hours must be from -2000 to 2000, got {hours}")
    stays = fraction("residual", residual)
    if calibration_gbq is None:
        at_injection = positive("injection_gbq", injection_gbq)
        at_calibration = decayed(at_injection, device.half_life_s, -hours)
    else:
        at_calibration = positive("calibration_gbq", calibration_gbq)
        at_injection = decayed(at_calibration, device.half_life_s, hours)
    each = device.usual_activity_bq if bq_per_sphere is None else positive("bq_per_sphere", bq_per_sphere)
    spheres = at_calibration * 1e9 / each
    diameter_cm = device.diameter_um[1] * 1e-4
    return Delivery(
        calibration_gbq=at_calibration,
        injection_gbq=at_injection,
        delivered_gbq=at_injection * (1.0 - stays),
        residual_gbq=at_injection * stays,
        bq_per_sphere=decayed(each, device.half_life_s, hours),
        spheres=spheres,
        spheres_delivered=spheres * (1.0 - stays),
        sphere_volume_ml=spheres * (1.0 - stays) * math.pi / 6.0 * diameter_cm**3,
    )
