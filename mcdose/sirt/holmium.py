"""The whole-liver rule for holmium-166 microspheres."""

from __future__ import annotations

from mcdose.sirt.checks import positive
from mcdose.sirt.spheres import microsphere


def whole_liver_activity(liver_mass_kg: float) -> float:
    """Return the activity [GBq] at injection, 3781 MBq per kg of liver: a mean of 60 Gy over all of it.

    The 60 Gy are in the factor: 60 Gy / (15.87 Gy kg/GBq) = 3.781 GBq/kg.

    Source: QuiremSpheres instructions for use; van Roekel (thesis, Utrecht 2020), chapter 5, with 3780 MBq/kg.
    """
    rule = microsphere("holmium").rules["whole_liver_rule"]
    return float(positive("liver_mass_kg", liver_mass_kg) * rule["mbq_per_kg"] * 1e-3)
