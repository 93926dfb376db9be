"""Media: what a voxel is made of. Elemental compositions and mean excitation energies of body tissues."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.data import DATA_FOLDER

GAS_BELOW_G_CM3 = 0.01  # a medium given without I and thinner than this is taken as a gas
SUM_TOLERANCE = 1e-3


class Element(NamedTuple):
    """Atomic number, atomic weight [g/mol] and mean excitation energies [eV] of an element."""

    z: int
    atomic_weight: float
    i_element_ev: float
    i_condensed_ev: float
    i_gas_ev: float


@cache
def elements() -> dict[str, Element]:
    """Elements Z = 1 to 92 by symbol, with the atomic weights and mean excitation energies that ESTAR uses."""
    with (DATA_FOLDER / "elements.csv").open(newline="", encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    return {
        row["symbol"]: Element(
            int(row["z"]),
            float(row["atomic_weight"]),
            float(row["i_element_ev"]),
            float(row["i_condensed_ev"]),
            float(row["i_gas_ev"]),
        )
        for row in rows
    }


@dataclass(frozen=True)
class Medium:
    """A homogeneous mixture of elements.

    Parameters
    ----------
    name : str
    composition : mapping of element symbol to mass fraction
        Must add up to 1 within 0.001; it is then normalised, sorted by atomic number and kept without zeros.
    density_g_cm3 : float, positive
    mean_excitation_energy_ev : float, optional
        None takes the Bragg rule with the values for the constituents of compounds of ICRU Report 37 (1984): in
        liquids and solids H 19.2, C 81, N 82, O 106, F 112, Cl 180 eV and 1.13 times the element's own value for all
        others; in gases (here: below 0.01 g/cm3) H 19.2, C 70, N 82, O 97 eV and the element's own value for all
        others. A single element has its own value. The attribute then holds the number found.
    sources : tuple of str
        Where the composition, the density and the mean excitation energy come from.

    Raises
    ------
    ValueError
        Unknown element, negative fraction, sum off by more than 0.001, density or energy not positive.
    """

    name: str
    composition: Mapping[str, float]
    density_g_cm3: float
    mean_excitation_energy_ev: float = None  # type: ignore[assignment]  # None on input only, see __post_init__
    sources: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "composition", _normalised(self.name, self.composition))
        density = _positive(self.name, "density_g_cm3", self.density_g_cm3)
        object.__setattr__(self, "density_g_cm3", density)
        if self.mean_excitation_energy_ev is None:
            energy = _bragg_excitation_energy_ev(self.composition, gas=density < GAS_BELOW_G_CM3)
        else:
            energy = _positive(self.name, "mean_excitation_energy_ev", self.mean_excitation_energy_ev)
        object.__setattr__(self, "mean_excitation_energy_ev", energy)

    @property
    def identity(self) -> tuple[object, ...]:
        """All that numbers of the medium depend on, and its name."""
        composition = tuple(sorted(self.composition.items()))
        return self.name, composition, self.density_g_cm3, self.mean_excitation_energy_ev

    def __hash__(self) -> int:
        return hash(self.identity)

    def with_density(self, density_g_cm3: float) -> Medium:
        """Give the same medium, mean excitation energy included, at another density [g/cm3]."""
        return replace(self, density_g_cm3=density_g_cm3)

    @property
    def z_over_a(self) -> float:
        """Electrons per unit of molar mass, sum of w Z / A [mol/g]."""
        return float(np.sum(mass_fractions(self) * atomic_numbers(self) / atomic_weights(self)))


def _positive(name: str, what: str, value: float) -> float:
    """Check a positive finite number of a medium and give it as a float."""
    if not (math.isfinite(value) and value > 0.0):
        raise ValueError(f"{what} of medium {name!r} must be positive, got {value}")
    return float(value)


def _normalised(name: str, composition: Mapping[str, float]) -> dict[str, float]:
    """Check the mass fractions of a medium and give them with sum 1, sorted by atomic number, without zeros."""
    known = elements()
    for symbol, fraction in composition.items():
        if symbol not in known:
            raise ValueError(f"composition of medium {name!r} must name elements H to U by symbol, got {symbol!r}")
        if not (math.isfinite(fraction) and fraction >= 0.0):
            raise ValueError(f"mass fraction of {symbol} in medium {name!r} must not be negative, got {fraction}")
    total = math.fsum(composition.values())
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise ValueError(f"mass fractions of medium {name!r} must add up to 1 within {SUM_TOLERANCE}, got {total:g}")
    ordered = sorted((symbol for symbol in composition if composition[symbol] > 0.0), key=lambda s: known[s].z)
    return {symbol: float(composition[symbol]) / total for symbol in ordered}


def _bragg_excitation_energy_ev(composition: Mapping[str, float], *, gas: bool) -> float:
    """Mean excitation energy by the Bragg rule, ln I = sum w (Z/A) ln I_i / sum w (Z/A) [eV] (ICRU Report 37)."""
    if len(composition) == 1:
        return elements()[next(iter(composition))].i_element_ev
    weights, logarithms = [], []
    for symbol, fraction in composition.items():
        element = elements()[symbol]
        weights.append(fraction * element.z / element.atomic_weight)
        logarithms.append(math.log(element.i_gas_ev if gas else element.i_condensed_ev))
    return math.exp(math.fsum(w * v for w, v in zip(weights, logarithms, strict=True)) / math.fsum(weights))


def atomic_numbers(medium: Medium) -> NDArray[np.int64]:
    """Atomic numbers of a medium's elements, in the order of its composition, shape (n,)."""
    return np.array([elements()[symbol].z for symbol in medium.composition], dtype=np.int64)


def atomic_weights(medium: Medium) -> NDArray[np.float64]:
    """Atomic weights of a medium's elements, in the order of its composition, shape (n,) [g/mol]."""
    return np.array([elements()[symbol].atomic_weight for symbol in medium.composition])


def mass_fractions(medium: Medium) -> NDArray[np.float64]:
    """Mass fractions of a medium's elements, in the order of its composition, shape (n,)."""
    return np.array(list(medium.composition.values()))


_NIST = "NIST X-ray mass attenuation coefficients (NISTIR 5632, 1995), Table 2: composition, density, I"
_ESTAR = "NIST ESTAR (NISTIR 4999, 1993): composition, density, I"
_ICRU44 = "ICRU Report 44 (1989)"
_ICRU46 = "ICRU Report 46 (1992), adult; Woodard and White, Br. J. Radiol. 59 (1986) 1209"
_BRAGG = "I: Bragg rule, ICRU Report 37 (1984)"


@cache
def _shipped() -> dict[str, Medium]:
    """Build the media that mcdose knows by name."""
    table = [
        Medium("water", {"H": 0.111894, "O": 0.888106}, 1.0, 75.0, (_ESTAR,)),
        Medium(
            "soft-tissue",
            _tissue(H=10.2, C=14.3, N=3.4, O=70.8, Na=0.2, P=0.3, S=0.3, Cl=0.2, K=0.3),
            1.06,
            74.7,
            (_ICRU44, _NIST),
        ),
        Medium(
            "soft-tissue-icrp",
            _tissue(
                H=10.4472,
                C=23.219,
                N=2.488,
                O=63.0238,
                Na=0.113,
                Mg=0.013,
                P=0.133,
                S=0.199,
                Cl=0.134,
                K=0.199,
                Ca=0.023,
                Fe=0.005,
                Zn=0.003,
            ),
            1.0,
            72.3,
            ("ICRP Publication 23 (1975)", _ESTAR),
        ),
        Medium(
            "soft-tissue-icru-4-component",
            _tissue(H=10.1172, C=11.1, N=2.6, O=76.1828),
            1.0,
            74.9,
            ("ICRU Report 33 (1980)", _ESTAR),
        ),
        Medium(
            "liver",
            _tissue(H=10.2, C=13.9, N=3.0, O=71.6, Na=0.2, P=0.3, S=0.3, Cl=0.2, K=0.3),
            1.06,
            None,  # type: ignore[arg-type]
            (_ICRU46, _BRAGG),
        ),
        Medium(
            "lung",
            _tissue(H=10.3, C=10.5, N=3.1, O=74.9, Na=0.2, P=0.2, S=0.3, Cl=0.3, K=0.2),
            0.26,
            75.2,
            (_ICRU44, _NIST, "density of inflated lung: ICRU Report 44 (1989)"),
        ),
        Medium("adipose", _tissue(H=11.4, C=59.8, N=0.7, O=27.8, Na=0.1, S=0.1, Cl=0.1), 0.95, 64.8, (_ICRU44, _NIST)),
        Medium(
            "muscle",
            _tissue(H=10.2, C=14.3, N=3.4, O=71.0, Na=0.1, P=0.2, S=0.3, Cl=0.1, K=0.4),
            1.05,
            74.6,
            (_ICRU44, _NIST),
        ),
        Medium(
            "blood",
            _tissue(H=10.2, C=11.0, N=3.3, O=74.5, Na=0.1, P=0.1, S=0.2, Cl=0.3, K=0.2, Fe=0.1),
            1.06,
            75.2,
            (_ICRU44, _NIST),
        ),
        Medium(
            "kidney",
            _tissue(H=10.3, C=13.2, N=3.0, O=72.4, Na=0.2, P=0.2, S=0.2, Cl=0.2, K=0.2, Ca=0.1),
            1.05,
            None,  # type: ignore[arg-type]
            (_ICRU46, _BRAGG),
        ),
        Medium(
            "cortical-bone",
            _tissue(H=3.4, C=15.5, N=4.2, O=43.5, Na=0.1, Mg=0.2, P=10.3, S=0.3, Ca=22.5),
            1.92,
            112.0,
            (_ICRU44, _NIST),
        ),
        Medium(
            "cortical-bone-icrp",
            _tissue(H=4.7234, C=14.433, N=4.199, O=44.6096, Mg=0.22, P=10.497, S=0.315, Ca=20.993, Zn=0.01),
            1.85,
            106.4,
            ("ICRP Publication 23 (1975)", _ESTAR),
        ),
        Medium(
            "trabecular-bone",
            _tissue(H=8.5, C=40.4, N=2.8, O=36.7, Na=0.1, Mg=0.1, P=3.4, S=0.2, Cl=0.2, K=0.1, Ca=7.4, Fe=0.1),
            1.18,
            None,  # type: ignore[arg-type]
            (f"spongiosa: {_ICRU46}", _BRAGG),
        ),
        Medium(
            "red-marrow",
            _tissue(H=10.5, C=41.4, N=3.4, O=43.9, P=0.1, S=0.2, Cl=0.2, K=0.2, Fe=0.1),
            1.03,
            None,  # type: ignore[arg-type]
            (_ICRU46, _BRAGG),
        ),
        Medium(
            "yellow-marrow",
            _tissue(H=11.5, C=64.4, N=0.7, O=23.1, Na=0.1, S=0.1, Cl=0.1),
            0.98,
            None,  # type: ignore[arg-type]
            (_ICRU46, _BRAGG),
        ),
        Medium("air", {"C": 0.000124, "N": 0.755267, "O": 0.231781, "Ar": 0.012827}, 0.00120479, 85.7, (_ESTAR,)),
        Medium("pmma", {"H": 0.080538, "C": 0.599848, "O": 0.319614}, 1.19, 74.0, (_ESTAR,)),
    ]
    return {medium.name: medium for medium in table}


def _tissue(**percent: float) -> dict[str, float]:
    """Mass fractions from percentages by mass, as the reports print them."""
    return {symbol: value / 100.0 for symbol, value in percent.items()}


def media() -> list[str]:
    """Give the names of the media that mcdose knows."""
    return list(_shipped())


def medium(name: str) -> Medium:
    """Look up a medium by name, such as "water", "lung" (inflated, 0.26 g/cm3) or "cortical-bone" (1.92 g/cm3).

    Raises
    ------
    ValueError
        There is no medium of that name; the message lists those there are.
    """
    known = _shipped()
    if name not in known:
        raise ValueError(f"medium must be one of {', '.join(known)}, got {name!r}")
    return known[name]
