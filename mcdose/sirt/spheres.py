"""Devices: microspheres and the nuclide they carry, from mcdose/data/sirt/devices, a TOML file each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from mcdose.sirt.data_file import FOLDER, read_toml


@dataclass(frozen=True)
class Microsphere:
    """A kind of microsphere.

    Attributes
    ----------
    name, label : how it is called
    nuclide : such as "Y-90"
    activity_per_sphere_bq : low, usual and high activity of a sphere at calibration [Bq]
    diameter_um : smallest, usual and largest diameter [um]
    density_g_cm3 : [g/cm3]
    half_life_s : of the nuclide [s]
    gy_kg_per_gbq : dose of 1 GBq that decays in 1 kg [Gy kg/GBq]; both the maker's where the file has them, else those
        of the nuclide in mcdose
    sources : one line each
    rules : activity rules of the maker, as the file has them; see `body_surface` and `holmium`
    """

    name: str
    label: str
    nuclide: str
    activity_per_sphere_bq: tuple[float, float, float]
    diameter_um: tuple[float, float, float]
    density_g_cm3: float
    half_life_s: float
    gy_kg_per_gbq: float
    sources: tuple[str, ...]
    rules: Mapping[str, Any]

    @property
    def usual_activity_bq(self) -> float:
        """Usual activity of a sphere at calibration [Bq]."""
        return self.activity_per_sphere_bq[1]


def microspheres() -> tuple[str, ...]:
    """Names that `microsphere` knows, in alphabetical order."""
    return tuple(sorted(path.stem for path in (FOLDER / "devices").glob("*.toml")))


@cache
def microsphere(name: str) -> Microsphere:
    """Look up a kind of microsphere.

    Raises
    ------
    ValueError
        There is none of this name; the message lists those there are.
    """
    if name not in microspheres():
        raise ValueError(f"device must be one of {', '.join(microspheres())}; got {name!r}")
    entry = read_toml(FOLDER / "devices" / f"{name}.toml")
    half_life_s, constant = _nuclide_figures(entry)
    rules = {key: value for key, value in entry.items() if isinstance(value, dict)}
    return Microsphere(
        name=entry["name"],
        label=entry["label"],
        nuclide=entry["nuclide"],
        activity_per_sphere_bq=_three(entry["activity_per_sphere_bq"]),
        diameter_um=_three(entry["diameter_um"]),
        density_g_cm3=entry["density_g_cm3"],
        half_life_s=half_life_s,
        gy_kg_per_gbq=constant,
        sources=tuple(entry["sources"]),
        rules=rules,
    )


def _nuclide_figures(entry: Mapping[str, Any]) -> tuple[float, float]:
    """Return half-life [s] and constant [Gy kg/GBq]: the file's where it has them, else those of the nuclide."""
    if "gy_kg_per_gbq" in entry:
        return entry["half_life_h"] * 3600.0, entry["gy_kg_per_gbq"]
    from mcdose.nuclides import nuclide

    known = nuclide(entry["nuclide"])
    return known.half_life_s, known.gy_kg_per_gbq


def _three(values: list[float]) -> tuple[float, float, float]:
    low, usual, high = values
    return low, usual, high
