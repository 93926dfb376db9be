"""Single compartment (MIRD): one mean dose for all of the perfused liver.

D = k A (1 - R)(1 - L - E) / m, with A the activity of the vial at injection, R the part that stays in vial and tubing,
L and E the parts of what is delivered that go to the lungs and elsewhere, m the perfused mass.

Source: instructions for use of TheraSphere, D [Gy] = 50 A [GBq] (1 - F)(1 - R) / m [kg]; Dezarn et al., AAPM TG-144,
Med. Phys. 38 (2011) 4824, doi 10.1118/1.3608909, with k = 49.67 Gy kg/GBq.

Neglects: tumours take up more than normal liver does; energy that leaves the perfused volume.
"""

from __future__ import annotations

from mcdose.sirt.checks import fraction, leaves_liver, not_negative, positive
from mcdose.sirt.constant import gy_kg_per_gbq as constant


def single_compartment_dose(
    activity_gbq: float,
    mass_kg: float,
    *,
    lung_shunt: float = 0.0,
    residual: float = 0.0,
    extrahepatic: float = 0.0,
    gy_kg_per_gbq: float | None = None,
) -> float:
    """Return the mean dose [Gy] to the perfused liver.

    Parameters
    ----------
    activity_gbq : of the vial at injection [GBq], at least 0
    mass_kg : of the perfused liver, tumours included [kg]
    lung_shunt, extrahepatic : fractions of what is delivered that go to the lungs and elsewhere
    residual : fraction of the activity that stays in vial and tubing
    gy_kg_per_gbq : the constant k; None is that of Y-90 in mcdose (49.73)

    Raises
    ------
    ValueError, TypeError
        A figure out of its range; the message names it.
    """
    per_gbq = _dose_per_gbq(mass_kg, lung_shunt, residual, extrahepatic, gy_kg_per_gbq)
    return not_negative("activity_gbq", activity_gbq) * per_gbq


def single_compartment_activity(
    dose_gy: float,
    mass_kg: float,
    *,
    lung_shunt: float = 0.0,
    residual: float = 0.0,
    extrahepatic: float = 0.0,
    gy_kg_per_gbq: float | None = None,
) -> float:
    """Return the activity [GBq] of the vial at injection that gives a mean dose [Gy]; see `single_compartment_dose`."""
    per_gbq = _dose_per_gbq(mass_kg, lung_shunt, residual, extrahepatic, gy_kg_per_gbq)
    return not_negative("dose_gy", dose_gy) / per_gbq


def lung_dose(
    activity_gbq: float,
    *,
    lung_shunt: float,
    residual: float = 0.0,
    lung_mass_kg: float | None = None,
    gy_kg_per_gbq: float | None = None,
) -> float:
    """Return the mean dose [Gy] to the lungs, k A (1 - R) L / m, with m of both lungs (1 kg where none is given)."""
    from mcdose.sirt.reference import lung_mass_kg as usual

    mass = usual() if lung_mass_kg is None else positive("lung_mass_kg", lung_mass_kg)
    delivered = not_negative("activity_gbq", activity_gbq) * (1.0 - fraction("residual", residual))
    return constant(gy_kg_per_gbq) * delivered * fraction("lung_shunt", lung_shunt) / mass


def _dose_per_gbq(
    mass_kg: float, lung_shunt: float, residual: float, extrahepatic: float, gy_kg_per_gbq: float | None
) -> float:
    lungs, elsewhere = leaves_liver(lung_shunt, extrahepatic)
    stays = (1.0 - fraction("residual", residual)) * (1.0 - lungs - elsewhere)
    return constant(gy_kg_per_gbq) * stays / positive("mass_kg", mass_kg)
