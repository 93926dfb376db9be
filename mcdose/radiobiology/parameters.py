"""Published parameters by name, each with what it was found from, from `mcdose/data/radiobiology`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.radiobiology.effect import dose_of_bed
from mcdose.radiobiology.response import lkb_ntcp
from mcdose.radiobiology.values import gray, positive


@dataclass(frozen=True)
class Tissue:
    """Parameters of BED: α/β [Gy], half-time of repair [h], where they are from."""

    name: str
    alpha_beta_gy: float
    repair_half_time_h: float
    source: str


@dataclass(frozen=True)
class ComplicationModel:
    """Parameters of `lkb_ntcp`.

    Attributes
    ----------
    name, organ, endpoint : what complication of what
    n, m, td50_gy : see `lkb_ntcp`
    quantity : what dose the parameters were found with, which must be given
    source : the paper, and what to mind
    nuclide : of the permanent implants that the doses were of, "" where they were of beams
    fraction_gy : of the beams [Gy], 0 where the doses were of implants
    """

    name: str
    organ: str
    endpoint: str
    n: float
    m: float
    td50_gy: float
    quantity: str
    source: str
    nuclide: str = ""
    fraction_gy: float = 0.0

    def dose_of_bed(self, bed_gy: ArrayLike, *, alpha_beta_gy: float, repair_half_time_h: float) -> NDArray[np.float64]:
        """Dose of the model's own kind that has a given BED [Gy], so that `ntcp` can be asked about another treatment.

        Of a permanent implant the inverse of `mcdose.radiobiology.bed`, of beams in fractions d, with all damage
        repaired between them, BED / (1 + d / (α/β)). What the linear-quadratic model leaves out (the number of
        spheres, how unevenly they lie) stays different.

        Parameters
        ----------
        bed_gy : any shape [Gy]
        alpha_beta_gy, repair_half_time_h : of the organ, see `mcdose.radiobiology.bed`
        """
        from mcdose.nuclides import nuclide

        if self.fraction_gy > 0.0:
            return np.asarray(
                gray("bed_gy", bed_gy) / (1.0 + self.fraction_gy / positive("alpha_beta_gy", alpha_beta_gy))
            )
        return dose_of_bed(
            bed_gy,
            half_life_h=nuclide(self.nuclide).half_life_s / 3600.0,
            alpha_beta_gy=alpha_beta_gy,
            repair_half_time_h=repair_half_time_h,
        )

    def ntcp(self, dose_gy: ArrayLike, coverage: ArrayLike | None = None) -> float:
        """Probability of the complication of a dose, in the model's own quantity [Gy]; see `lkb_ntcp`."""
        return lkb_ntcp(dose_gy, n=self.n, m=self.m, td50_gy=self.td50_gy, coverage=coverage)


def tissue(name: str) -> Tissue:
    """Look up "normal-liver" or "tumour"; raise ValueError, which lists those there are, for another."""
    return Tissue(name, **_entry("tissue", name))


def tissues() -> tuple[str, ...]:
    """Names that `tissue` knows."""
    return tuple(_tables()["tissue"])


def complication_model(name: str) -> ComplicationModel:
    """Look up a published model, such as "strigari-2010"; raise ValueError, which lists all, for another."""
    return ComplicationModel(name, **_entry("complication", name))


def complication_models() -> tuple[str, ...]:
    """Names that `complication_model` knows."""
    return tuple(_tables()["complication"])


def _entry(table: str, name: str) -> dict[str, Any]:
    entries = _tables()[table]
    if name not in entries:
        raise ValueError(f"{table} must be one of {', '.join(entries)}, got {name!r}")
    found: dict[str, Any] = entries[name]
    return found


@cache
def _tables() -> dict[str, Any]:
    text = (files("mcdose") / "data" / "radiobiology" / "liver.toml").read_text(encoding="utf-8")
    tables: dict[str, Any] = tomllib.loads(text)
    return tables
