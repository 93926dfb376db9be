"""Uncertainty budget of a mean dose: named terms, combined in quadrature.

Source: Gear et al., EANM practical guidance on uncertainty analysis, Eur. J. Nucl. Med. Mol. Imaging 45 (2018) 2456,
doi 10.1007/s00259-018-4136-7. Terms are independent but for the covariances that a budget names: those of volume,
recovery coefficient and dose factor of one lesion, see `mcdose.sirt.lesion`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mcdose.errors import InputError
from mcdose.sirt.checks import not_negative, positive
from mcdose.sirt.data_file import FOLDER, number_of, read_toml, require_keys, switch_of, text_of

SPECTRUM = "beta_spectrum"


@dataclass(frozen=True)
class Term:
    """A relative standard uncertainty (1 sigma).

    Attributes
    ----------
    name : of what
    relative : at least 0
    assumed : stands for a measurement that was not made
    source : where it is from
    """

    name: str
    relative: float
    assumed: bool
    source: str


@dataclass(frozen=True)
class Covariance:
    """Relative covariance of two terms, u(x, y) / (x y); it counts twice.

    Attributes
    ----------
    first, second : names of the terms
    relative : at most the product of the two in size; negative where their errors cancel in the dose
    """

    first: str
    second: str
    relative: float


@dataclass(frozen=True)
class Budget:
    """Terms, the covariances of those that are not independent, and their combination."""

    terms: tuple[Term, ...]
    covariances: tuple[Covariance, ...] = ()

    @property
    def relative(self) -> float:
        """Combined relative standard uncertainty, the root of the sum of squares and of twice the covariances."""
        squares = sum(term.relative**2 for term in self.terms)
        return math.sqrt(max(squares + 2.0 * sum(one.relative for one in self.covariances), 0.0))

    def with_values(self, values: Mapping[str, float], source: str = "the user") -> Budget:
        """Return the budget with other values of some terms; a name that is new adds a term.

        Raises
        ------
        ValueError
            A value that is negative or not finite; a term that has a covariance, which would no longer fit it.
        """
        bound = {name for one in self.covariances for name in (one.first, one.second)}
        for name in values:
            if name in bound:
                raise ValueError(f"{name} has a covariance with another term and cannot be set by itself")
        given = {name: not_negative(name, value) for name, value in values.items()}
        terms = [
            replace(term, relative=given.pop(term.name), assumed=False, source=source) if term.name in given else term
            for term in self.terms
        ]
        added = (Term(name, value, False, source) for name, value in given.items())
        return Budget((*terms, *added), self.covariances)

    def standard_uncertainty_gy(self, mean_gy: float) -> float:
        """Return the combined standard uncertainty [Gy] of a mean dose [Gy]."""
        return self.relative * abs(mean_gy)


def with_spectrum_of(budget: Budget, nuclide: str) -> Budget:
    """Return a budget with the term `beta_spectrum` of another nuclide than Y-90, whose it is where that is shipped.

    The largest difference of a published mean energy of its betas from that of the spectrum that is simulated; a budget
    or a nuclide without such figures stays as it is.
    """
    from mcdose.nuclides import nuclide as look_up

    known = look_up(nuclide)
    mean_mev = known.mean_energies_mev["beta"]
    if known.name == "Y-90" or not known.evaluations or not mean_mev or SPECTRUM not in {t.name for t in budget.terms}:
        return budget
    spread = max(abs(energy / mean_mev - 1.0) for energy in known.evaluations.values())
    names = ", ".join(f"{name} {1e3 * energy:.4g}" for name, energy in known.evaluations.items())
    return budget.with_values(
        {SPECTRUM: spread}, f"mean energy of the betas of {known.name}: {names}, here {1e3 * mean_mev:.4g} keV"
    )


def load_budget(path: str | Path | None = None) -> Budget:
    """Read a budget; None is the one that mcdose ships (mcdose/data/sirt/uncertainty.toml).

    The file holds tables `[terms.NAME]` with relative, source, and assumed (false without).

    Raises
    ------
    InputError
        The file cannot be read or is not TOML; an entry lacks a key or has a value that is not allowed.
    """
    path = FOLDER / "uncertainty.toml" if path is None else Path(path)
    terms = require_keys(str(path), read_toml(path), ("terms",))["terms"]
    if not isinstance(terms, dict) or not terms:
        raise InputError(f"{path}: terms must be at least one table [terms.NAME], got {terms!r}")
    found = []
    for name, entry in terms.items():
        where = f"{path}, {name}"
        table = {"assumed": False, **require_keys(where, entry, ("relative", "source"), ("assumed",))}
        relative = number_of(where, table, "relative")
        if relative > 10.0:
            raise InputError(f"{where}: relative must be a fraction, at most 10, got {relative:g}")
        found.append(Term(name, relative, switch_of(where, table, "assumed"), text_of(where, table, "source")))
    return Budget(tuple(found))


def volume_uncertainty(diameter_mm: float, voxel_mm: float, fwhm_mm: float) -> float:
    """Return the relative standard uncertainty of the volume of a sphere that is drawn on an image.

    u(V) / V = 3 u(d) / d with u(d)^2 = a^2 / 6 + w^2 / (4 ln 2): each of the two ends of a diameter is known to the
    rectangular width of a voxel, a^2 / 12, and to the resolution's sigma, w^2 / (8 ln 2).

    Source: Gear et al. (2018), volume of interest.

    Parameters
    ----------
    diameter_mm : of the region [mm]
    voxel_mm : side of the voxels it is drawn on [mm]
    fwhm_mm : full width at half maximum of the image it is drawn on [mm]; 0 for one that is sharp
    """
    diameter, side = positive("diameter_mm", diameter_mm), positive("voxel_mm", voxel_mm)
    width = not_negative("fwhm_mm", fwhm_mm)
    return 3.0 * math.sqrt(side**2 / 6.0 + width**2 / (4.0 * math.log(2.0))) / diameter


def recovered(mean_gy: float, recovery: float, surroundings_gy: float = 0.0) -> float:
    """Return a mean dose [Gy] corrected for the activity that the image's blur moved over the region's edge.

    D_N + (D - D_N) / R with D_N of the surroundings: what the blur takes out is what the region has above them.

    Parameters
    ----------
    mean_gy : as computed from the image [Gy]
    recovery : recovery coefficient R, above 0 to 1.5; its own relative uncertainty is the term partial_volume
    surroundings_gy : mean dose around the region [Gy]
    """
    coefficient = positive("recovery", recovery)
    if coefficient > 1.5:
        raise ValueError(f"recovery must be at most 1.5, got {recovery}")
    around = not_negative("surroundings_gy", surroundings_gy)
    return around + (not_negative("mean_gy", mean_gy) - around) / coefficient
