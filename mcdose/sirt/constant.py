"""The dose of 1 GBq that decays in 1 kg."""

from __future__ import annotations

from mcdose.sirt.checks import positive

NUCLIDE = "Y-90"


def gy_kg_per_gbq(value: float | None = None, nuclide: str = NUCLIDE) -> float:
    """Return the constant k of all energy left in place [Gy kg/GBq].

    Parameters
    ----------
    value : what the user sets, such as 49.67 (Dezarn et al., AAPM TG-144, Med. Phys. 38 (2011) 4824); None is the
        nuclide's own, 49.73 for Y-90 (`mcdose.nuclide`)
    nuclide : name
    """
    if value is not None:
        return positive("gy_kg_per_gbq", value)
    from mcdose.nuclides import nuclide as look_up

    return look_up(nuclide).gy_kg_per_gbq
