"""Rules for resin microspheres: by body surface, and by the part of the liver that is tumour.

Neither knows a dose; both are the maker's. Figures: mcdose/data/sirt/devices/resin.toml.
"""

from __future__ import annotations

from bisect import bisect_right

from mcdose.sirt.checks import fraction, part, positive
from mcdose.sirt.spheres import microsphere


def body_surface_m2(height_cm: float, weight_kg: float) -> float:
    """Return the body surface [m2], 0.007184 H^0.725 W^0.425.

    Source: DuBois and DuBois, Arch. Intern. Med. 17 (1916) 863; with H in metres the factor is 0.20247.
    """
    height, weight = positive("height_cm", height_cm), positive("weight_kg", weight_kg)
    if not 50.0 <= height <= 250.0:
        raise ValueError(f"height_cm must be from 50 to 250, got {height_cm}")
    if not 10.0 <= weight <= 400.0:
        raise ValueError(f"weight_kg must be from 10 to 400, got {weight_kg}")
    index = weight / (height / 100.0) ** 2
    if not 5.0 <= index <= 150.0:
        raise ValueError(
            "height_cm and weight_kg must give a body mass index from 5 to 150 kg/m2, "
            f"got {index:.3g}: are they swapped?"
        )
    return float(0.007184 * height**0.725 * weight**0.425)


def body_surface_activity(
    body_surface: float, tumour_fraction: float, *, treated_fraction: float = 1.0, lung_shunt: float = 0.0
) -> float:
    """Return the activity [GBq], (BSA - 0.2 + tumour fraction) x treated fraction x reduction by the shunt.

    Parameters
    ----------
    body_surface : [m2], see `body_surface_m2`
    tumour_fraction : tumour volume over the volume of the liver, or of the lobe where only that is treated
    treated_fraction : volume of the part that is treated over that of the liver
    lung_shunt : fraction

    Raises
    ------
    ValueError
        A figure out of its range; a shunt at which the maker gives nothing.
    """
    rule = microsphere("resin").rules["body_surface_rule"]
    whole = positive("body_surface", body_surface) - rule["offset_gbq"] + part("tumour_fraction", tumour_fraction)
    if not whole > 0.0:
        raise ValueError(f"body_surface must be above {rule['offset_gbq']} m2 to give an activity, got {body_surface}")
    return float(whole * _treated(treated_fraction) * shunt_factor(lung_shunt))


def empirical_activity(tumour_fraction: float, *, treated_fraction: float = 1.0, lung_shunt: float = 0.0) -> float:
    """Return the activity [GBq] of the empirical table: 2, 2.5 or 3 GBq by the part that is tumour.

    2 GBq below 25 %, 2.5 GBq to 50 %, 3 GBq above. Parameters as of `body_surface_activity`.
    """
    rule = microsphere("resin").rules["empirical_rule"]
    burden = part("tumour_fraction", tumour_fraction)
    low, high = rule["limits"]
    whole = rule["activity_gbq"][0 if burden < low else 1 if burden <= high else 2]
    return float(whole * _treated(treated_fraction) * shunt_factor(lung_shunt))


def shunt_factor(lung_shunt: float) -> float:
    """Return what the activity is multiplied by for a lung shunt: 1, 0.8 from 10 %, 0.6 from 15 %.

    Raises
    ------
    ValueError
        At 20 % and beyond, where the maker gives nothing.
    """
    rule = microsphere("resin").rules["shunt_reduction"]
    shunt = fraction("lung_shunt", lung_shunt)
    if shunt >= rule["refused_from"]:
        raise ValueError(f"lung_shunt must be below {rule['refused_from']} by the rules for resin, got {lung_shunt}")
    return float(rule["factor"][bisect_right(rule["begin"], shunt) - 1])


def _treated(treated_fraction: float) -> float:
    return part("treated_fraction", positive("treated_fraction", treated_fraction))
