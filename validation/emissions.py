"""Nuclides cut down to some of their emissions, for comparisons kind by kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from mcdose import nuclide
from mcdose.nuclides import Nuclide
from mcdose.spectra import Spectrum

NO_SPECTRUM = Spectrum(np.zeros(0), np.zeros(0))
NONE: dict[str, Any] = {
    "spectrum": NO_SPECTRUM,
    "positron_spectrum": None,
    "gammas": (),
    "x_rays": (),
    "conversion_electrons": (),
    "auger_electrons": (),
    "alphas": (),
    "local_mev": 0.0,
    "recoil_mev": 0.0,
    "beta_branches": (),
    "positron_branches": (),
}
PHOTONS = ("gammas", "x_rays")


def only(name: str, kept: Iterable[str]) -> Nuclide:
    """Return a nuclide that emits nothing but some kinds, named by the attributes of a `Nuclide`."""
    of = nuclide(name)
    return replace(of, **NONE | {kind: getattr(of, kind) for kind in kept})


def one_photon(energy_mev: float) -> Nuclide:
    """Return a source of one photon of one energy per decay."""
    return Nuclide(
        f"{energy_mev * 1e3:g} keV", 3600.0, evaluations={}, sources=(), **NONE | {"gammas": ((energy_mev, 1.0),)}
    )
