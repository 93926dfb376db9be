"""Figures that a plan takes where the user gives none, each with its source (mcdose/data/sirt/reference.toml)."""

from __future__ import annotations

from functools import cache
from typing import Any

from mcdose.sirt.checks import positive
from mcdose.sirt.data_file import FOLDER, read_toml


@cache
def _reference() -> dict[str, Any]:
    return read_toml(FOLDER / "reference.toml")


def liver_density_g_ml() -> float:
    """Density that makes volumes of liver masses [g/mL]."""
    return float(_reference()["liver_density"]["value"])


def lung_mass_kg() -> float:
    """Mass of both lungs with their blood [kg]."""
    return float(_reference()["lung_mass"]["value"])


def mass_kg(name: str, volume_ml: float, density_g_ml: float | None = None) -> float:
    """Return the mass [kg] of a volume [mL]; None takes the density of reference.

    Raises
    ------
    ValueError
        A volume or a density that is not above 0; the message has the name.
    """
    density = liver_density_g_ml() if density_g_ml is None else positive("density_g_ml", density_g_ml)
    return positive(name, volume_ml) * density * 1e-3
