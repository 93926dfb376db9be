"""Radionuclides: half-life, everything a decay emits, mean energies, and the activity that becomes decays.

Everything is read from `mcdose/data/nuclides` on first use; a nuclide there is one TOML file and its spectra.
"""

from __future__ import annotations

import hashlib
import math
import os
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from mcdose.arrays import on_gpu
from mcdose.constants import ELECTRON_MASS, MEV_TO_JOULE
from mcdose.data import DATA_FOLDER
from mcdose.nuclide_file import SUFFIXES, Branch, Lines, read_nuclide
from mcdose.spectra import Emissions, Spectrum
from mcdose.spectra import linear_moments as linear_moments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

FOLDER = DATA_FOLDER / "nuclides"
ELECTRON_KINDS = ("beta", "positron", "conversion electrons", "Auger electrons")
LISTED = 12  # lines of a kind that the sheet names
NOTHING = np.zeros(0)
NOTHING.flags.writeable = False


@dataclass(frozen=True, eq=False)
class Nuclide:
    """A radionuclide: its half-life and everything one decay emits.

    Discrete emissions are tuples of (energy [MeV], number per decay), ascending in energy. Annihilation photons are not
    among them: they come from where a positron ends. Of a chain in equilibrium, everything is per decay of the parent.

    Attributes
    ----------
    name : str
        Such as "Y-90".
    half_life_s : float [s]
    spectrum : Spectrum
        Betas of the decay; no points where there are none (`has_betas`).
    evaluations : mapping of str to float [MeV]
        Published mean energies of the betas per decay, for whoever prefers one (`local_deposition_constant`, or a
        factor on the dose).
    sources : tuple of str
    positron_spectrum : Spectrum or None
    gammas, x_rays, conversion_electrons, auger_electrons, alphas : tuple of (energy [MeV], number per decay)
        From 1 keV, the alphas without their recoil. Lines rarer than 1e-5 per decay are left out of the shipped ones.
    local_mev : float [MeV per decay]
        Absorbed where the decay happens: electrons and photons below 1 keV, and the energy of outer shells that the
        source lists no line for.
    recoil_mev : float [MeV per decay]
        Of the nuclei that emit the alphas.
    internal_pairs_per_decay : float
        Electron-positron pairs made in the decay instead of a gamma; simulated with `with_internal_pairs` only.
    internal_pair_mev : float
        Energy of the transition that makes them.
    daughters : tuple of str
        Whose emissions are counted with the nuclide's own.
    beta_branches, positron_branches : tuple of Branch
        What the spectra are the sums of.
    """

    name: str
    half_life_s: float
    spectrum: Spectrum
    evaluations: Mapping[str, float]
    sources: tuple[str, ...]
    positron_spectrum: Spectrum | None = None
    gammas: Lines = ()
    x_rays: Lines = ()
    conversion_electrons: Lines = ()
    auger_electrons: Lines = ()
    alphas: Lines = ()
    local_mev: float = 0.0
    recoil_mev: float = 0.0
    internal_pairs_per_decay: float = 0.0
    internal_pair_mev: float = 0.0
    daughters: tuple[str, ...] = ()
    beta_branches: tuple[Branch, ...] = ()
    positron_branches: tuple[Branch, ...] = ()

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Nuclide:
        """Read a nuclide of the user's own from a TOML or JSON file; docs/nuclides.md says what it may hold.

        Raises
        ------
        InputError
            The file cannot be read, has an unknown key or lacks one, or a value breaks a rule.
        """
        entry = read_nuclide(Path(path))
        entry["spectrum"] = entry["spectrum"] or Spectrum(NOTHING, NOTHING)
        entry["evaluations"] = MappingProxyType(entry["evaluations"])
        return cls(**entry)

    @cached_property
    def identity(self) -> str:
        """Hash of the name and of everything that is emitted."""
        arrays = [*self.spectrum, *(self.positron_spectrum or ()), *self.emissions]
        state = hashlib.sha256(repr((self.name, self.local_mev, self.recoil_mev)).encode())
        for array in arrays:
            state.update(repr(array.shape).encode() + array.tobytes())
        return state.hexdigest()

    @property
    def has_betas(self) -> bool:
        """Whether the decay emits betas; `spectrum` has no points where it does not."""
        return len(self.spectrum.energies_mev) > 0

    @property
    def positrons_per_decay(self) -> float:
        """Mean number of positrons per decay."""
        return 0.0 if self.positron_spectrum is None else self.positron_spectrum.electrons_per_decay

    @property
    def lines(self) -> Lines:
        """Photon lines (energy [MeV], number per decay): gammas and X-rays, ascending."""
        return tuple(sorted(self.gammas + self.x_rays))

    @property
    def electron_lines(self) -> Lines:
        """Electron lines (energy [MeV], number per decay): conversion and Auger electrons, ascending."""
        return tuple(sorted(self.conversion_electrons + self.auger_electrons))

    @cached_property
    def emissions(self) -> Emissions:
        """Everything discrete that is emitted, to sample from."""
        kinds = (self.gammas, self.x_rays, self.conversion_electrons, self.auger_electrons, self.alphas)
        rows = [(kind, *line) for kind, lines in enumerate(kinds) for line in lines]
        table = np.array(rows, dtype=np.float64).reshape(-1, 3)
        found = Emissions(table[:, 0].astype(np.uint8), table[:, 1].copy(), table[:, 2].copy())
        for column in found:
            column.flags.writeable = False
        return found

    @cached_property
    def mean_energies_mev(self) -> Mapping[str, float]:
        """Mean energy per decay [MeV] by kind, in the order of the sheet; 0 for what is not emitted.

        "recoil" is that of the alphas, "local" is `local_mev`; neutrinos are not among them.
        """
        positrons = self.positron_spectrum
        means = {
            "beta": self.spectrum.mean_energy_mev * self.spectrum.electrons_per_decay,
            "positron": 0.0 if positrons is None else positrons.mean_energy_mev * positrons.electrons_per_decay,
            "conversion electrons": _energy(self.conversion_electrons),
            "Auger electrons": _energy(self.auger_electrons),
            "gamma": _energy(self.gammas),
            "X-rays": _energy(self.x_rays),
            "annihilation": 2.0 * ELECTRON_MASS * self.positrons_per_decay,
            "alpha": _energy(self.alphas),
            "recoil": self.recoil_mev,
            "local": self.local_mev,
        }
        return MappingProxyType(means)

    @cached_property
    def mean_electron_energy_mev(self) -> float:
        """Mean energy of the electrons per decay [MeV]: betas, positrons, conversion and Auger electrons."""
        return sum(self.mean_energies_mev[kind] for kind in ELECTRON_KINDS)

    @property
    def end_point_mev(self) -> float:
        """Highest energy of an electron or positron of the decay [MeV]; 0 if there is none."""
        ends = [
            spectrum.energies_mev[-1]
            for spectrum in (self.spectrum, self.positron_spectrum)
            if spectrum and len(spectrum[0])
        ]
        return float(max([0.0, *ends, *(energy for energy, _ in self.electron_lines)]))

    @property
    def gy_kg_per_gbq(self) -> float:
        """Local-deposition constant [Gy kg/GBq] of all but photons; see `local_deposition_constant`."""
        kinds = (*ELECTRON_KINDS, "alpha", "recoil", "local")
        return local_deposition_constant(sum(self.mean_energies_mev[kind] for kind in kinds), self.half_life_s)

    def __str__(self) -> str:
        return "\n".join(
            [
                self.name,
                f"  half-life                 {_time(self.half_life_s)}",
                *([f"  with daughters            {', '.join(self.daughters)}"] if self.daughters else []),
                f"  electrons per decay       {self.spectrum.electrons_per_decay:.4f} betas, "
                f"{self.positrons_per_decay:.4f} positrons",
                f"  mean electron energy      {self.mean_electron_energy_mev * 1e3:.2f} keV per decay",
                *(f"    {kind:<23} {mev * 1e3:.2f} keV" for kind, mev in self.mean_energies_mev.items() if mev),
                f"  end point                 {self.end_point_mev * 1e3:.1f} keV",
                f"  local deposition          {self.gy_kg_per_gbq:.3f} Gy kg/GBq",
                *_listed("photon lines", self.lines),
                *_listed("electron lines", self.electron_lines),
                *_listed("alpha lines", self.alphas),
                "  published mean energies   "
                + (", ".join(f"{n} {e * 1e3:.1f}" for n, e in self.evaluations.items()) or "none"),
                *(f"  source: {source}" for source in self.sources),
            ]
        )


def nuclides() -> tuple[str, ...]:
    """Names of the nuclides that `nuclide` knows, in alphabetical order."""
    return _names()


def nuclide(name: str | os.PathLike[str] | Nuclide) -> Nuclide:
    """Look up a nuclide, or read one of the user's own.

    Parameters
    ----------
    name : str, path or Nuclide, which is returned
        "Y-90"; also "Y90", "90Y", "y-90". What ends in `.toml` or `.json`, and any path, is a file (docs/nuclides.md).

    Returns
    -------
    Nuclide

    Raises
    ------
    TypeError
        If `name` is not a string.
    ValueError
        If there is no such nuclide; the message lists those there are.
    InputError
        If a file cannot be used.
    """
    return _look_up(name)


def local_deposition_constant(mean_energy_mev: float, half_life_s: float) -> float:
    """Dose times mass per activity when every decay deposits its electron energy on the spot [Gy kg/GBq].

    Parameters
    ----------
    mean_energy_mev : float [MeV per decay]
    half_life_s : float [s]
    """
    return _positive("mean_energy_mev", mean_energy_mev) * MEV_TO_JOULE * 1e9 * _mean_life("half_life_s", half_life_s)


@overload
def activity_to_tia(activity_bq: float, nuclide: str = "Y-90", *, half_life_s: float | None = None) -> float: ...


@overload
def activity_to_tia(
    activity_bq: NDArray[Any], nuclide: str = "Y-90", *, half_life_s: float | None = None
) -> NDArray[np.floating[Any]]: ...


def activity_to_tia(
    activity_bq: ArrayLike, nuclide: str = "Y-90", *, half_life_s: float | None = None
) -> float | NDArray[np.floating[Any]]:
    """Time-integrated activity of a permanent implantation: A T1/2 / ln 2.

    All of the activity stays where it was put (microspheres), so the decays are counted from administration to the end.

    Parameters
    ----------
    activity_bq : float or ndarray [Bq]
        Activity at the time of administration; a CuPy array stays on its device.
    nuclide : str
        Name of the nuclide, for its half-life.
    half_life_s : float, optional [s]
        A half-life to use instead of the nuclide's.

    Returns
    -------
    float or ndarray of the shape of `activity_bq` [Bq s]
        float32 stays float32; integers become floating.

    Raises
    ------
    TypeError
        If the activity is not real numbers.
    ValueError
        If an activity is negative or not finite, a half-life not positive, or the nuclide unknown.
    """
    known = _look_up(nuclide)
    if half_life_s is None:
        half_life_s = known.half_life_s
    mean_life = _mean_life("half_life_s", half_life_s)
    activity: Any = activity_bq if on_gpu(activity_bq) else np.asarray(activity_bq)
    if activity.dtype.kind not in "fiu":
        raise TypeError(f"activity_bq must be real numbers, got {activity.dtype}")
    if activity.size:
        lowest, highest = activity.min(), activity.max()  # NaN comes through both
        if not (lowest >= 0 and highest < math.inf):
            wrong = highest if lowest >= 0 else lowest
            raise ValueError(f"activity_bq must be finite and not negative, got {float(wrong)!r}")
    if activity.ndim == 0:
        return float(activity) * mean_life
    tia_bq_s: NDArray[np.floating[Any]] = np.multiply(
        activity, mean_life, dtype=np.result_type(activity.dtype, np.float32)
    )
    return tia_bq_s


def _look_up(name: str | os.PathLike[str] | Nuclide) -> Nuclide:
    if isinstance(name, Nuclide):
        return name
    if isinstance(name, os.PathLike):
        return Nuclide.from_file(name)
    if not isinstance(name, str):
        raise TypeError(f"nuclide must be a name such as 'Y-90', got {type(name).__name__}")
    if name.casefold().endswith(SUFFIXES):
        return Nuclide.from_file(name)
    spelling = "".join(name.split()).replace("-", "").casefold()
    for known in nuclides():
        element, mass = known.casefold().split("-")
        if spelling in (element + mass, mass + element):
            return _load(known)
    raise ValueError(f"nuclide must be one of {', '.join(nuclides())}, got {name!r}")


def _energy(lines: Lines) -> float:
    """Energy of lines [MeV per decay]."""
    return math.fsum(energy * count for energy, count in lines)


def _time(seconds: float) -> str:
    """Time in the unit in which a half-life is usually said."""
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= {"d": 4.0, "h": 3.0, "min": 1.0}[unit] * length:
            return f"{seconds / length:.4g} {unit}"
    return f"{seconds:.4g} s"


def _listed(what: str, lines: Lines) -> list[str]:
    """Rows of the sheet: how many lines there are, and the strongest."""
    if not lines:
        return [f"  {what:<25} none"] if what == "photon lines" else []
    strongest = sorted(sorted(lines, key=lambda line: -line[0] * line[1])[:LISTED])
    head = f"  {what:<25} {len(lines)}" + (f", the {LISTED} of most energy" if len(lines) > LISTED else "")
    return [head, *(f"  {energy * 1e3:10.2f} keV  {count:.6g} per decay" for energy, count in strongest)]


def _mean_life(name: str, half_life_s: float) -> float:
    return _positive(name, half_life_s) / math.log(2.0)


def _positive(name: str, value: float) -> float:
    if not 0.0 < value < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
    return float(value)


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


@cache
def _load(name: str) -> Nuclide:
    return Nuclide.from_file(FOLDER / f"{name}.toml")
