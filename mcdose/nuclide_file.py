"""Nuclide files: TOML, or JSON with the same keys, that say what a decay emits; docs/nuclides.md describes them."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.constants import ELECTRON_MASS
from mcdose.errors import InputError
from mcdose.spectra import Spectrum

Lines = tuple[tuple[float, float], ...]

SUFFIXES = (".toml", ".json")
LOWEST_MEV, HIGHEST_MEV = 1e-3, 3.0  # of lines and end points: what the tables of the transport cover
LOWEST_ALPHA_MEV, HIGHEST_ALPHA_MEV = 1.0, 12.0
PAIR_THRESHOLD_MEV = 2.0 * ELECTRON_MASS
MOST_PER_DECAY = 10.0  # of one line; a yield in percent is seen by it
SUM_TOLERANCE = 2e-3  # of the branches against the integral of their spectrum

LINES = ("gammas", "x_rays", "conversion_electrons", "auger_electrons", "alphas")
SPECTRA = ("spectrum", "positron_spectrum")
BRANCHES = {"beta_branches": "spectrum", "positron_branches": "positron_spectrum"}
AMOUNTS = ("local_mev", "recoil_mev", "internal_pairs_per_decay", "internal_pair_mev")
TEXTS = ("daughters", "sources")
KEYS = ("name", "half_life_s", *SPECTRA, *LINES, *AMOUNTS, *TEXTS, *BRANCHES, "evaluations_mev")
BRANCH_KEYS = ("end_point_mev", "per_decay", "shape", "parent")


class Branch(NamedTuple):
    """A beta or positron branch: end point [MeV], particles per decay, shape of its spectrum, nuclide it is of."""

    end_point_mev: float
    per_decay: float
    shape: str
    parent: str


def read_nuclide(path: Path) -> dict[str, Any]:
    """Read and check a nuclide file.

    Parameters
    ----------
    path : Path
        `.toml` or `.json`.

    Returns
    -------
    dict
        The keywords of `mcdose.nuclides.Nuclide`; what the file leaves out is empty or 0.

    Raises
    ------
    InputError
        The file cannot be read, has an unknown key or lacks one, or a value breaks a rule.
    """
    entry = _parse(path)
    for key in entry:
        _require(key in KEYS, path, f"{key!r} is not a key; those there are: {', '.join(KEYS)}")
    for key in ("name", "half_life_s"):
        _require(key in entry, path, f"{key} is missing")
    name = entry["name"]
    _require(
        isinstance(name, str) and re.fullmatch(r"[A-Z][a-z]?-\d{1,3}m?\d?", name) is not None,
        path,
        f"name must be like 'Y-90' or 'Tc-99m', got {name!r}",
    )
    found: dict[str, Any] = {"name": name, "half_life_s": _number(path, "half_life_s", entry["half_life_s"])}
    _require(found["half_life_s"] > 0.0, path, f"half_life_s must be positive, got {entry['half_life_s']!r}")
    for key in TEXTS:
        found[key] = _texts(path, key, entry.get(key, []))
    most = 1.0 + len(found["daughters"])
    for key in AMOUNTS:
        found[key] = _number(path, key, entry.get(key, 0.0))
        highest = 1.0 if key.endswith("per_decay") else 100.0
        _require(0.0 <= found[key] <= highest, path, f"{key} must be 0 to {highest:g}, got {found[key]!r}")
    _require(
        not found["internal_pairs_per_decay"] or found["internal_pair_mev"] > PAIR_THRESHOLD_MEV,
        path,
        f"internal_pair_mev, the energy of the transition, must be above {PAIR_THRESHOLD_MEV:g}, "
        f"got {found['internal_pair_mev']!r}",
    )
    for key in LINES:
        found[key] = _lines(path, key, entry.get(key, []), most)
    for key in SPECTRA:
        found[key] = _spectrum(path, key, entry[key], most) if key in entry else None
    for key, spectrum in BRANCHES.items():
        found[key] = _branches(path, key, entry.get(key, []), found[spectrum], spectrum, name)
    found["evaluations"] = _evaluations(path, entry.get("evaluations_mev", {}))
    emits = [key for key in (*LINES, *SPECTRA) if found[key]]
    _require(bool(emits), path, f"nothing is emitted: give at least one of {', '.join((*SPECTRA, *LINES))}")
    return found


def _parse(path: Path) -> dict[str, Any]:
    readers: dict[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads}
    reader = readers.get(path.suffix.casefold())
    _require(reader is not None, path, f"the suffix must be {' or '.join(SUFFIXES)}")
    assert reader is not None
    try:
        entry = reader(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # of both parsers, and of the decoding
        raise InputError(f"{path}: is not {path.suffix[1:].upper()}: {error}") from error
    _require(isinstance(entry, dict), path, f"must hold keys and values, got {type(entry).__name__}")
    return dict(entry)


def _require(kept: bool, path: Path, message: str) -> None:
    if not kept:
        raise InputError(f"{path}: {message}")


def _number(path: Path, what: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return float(value)
    raise InputError(f"{path}: {what} must be a finite number, got {value!r}")


def _texts(path: Path, key: str, value: object) -> tuple[str, ...]:
    good = isinstance(value, list) and all(isinstance(text, str) and text for text in value)
    _require(good, path, f"{key} must be a list of texts, got {value!r}")
    return tuple(value)  # type: ignore[arg-type]


def _pairs(path: Path, key: str, value: object) -> list[tuple[float, float]]:
    _require(isinstance(value, list), path, f"{key} must be a list of [energy in MeV, number], got {value!r}")
    rows = []
    for row in value:  # type: ignore[attr-defined]
        good = isinstance(row, list) and len(row) == 2
        _require(good, path, f"{key} must be a list of [energy in MeV, number], got the row {row!r}")
        rows.append((_number(path, f"an energy of {key}", row[0]), _number(path, f"a number of {key}", row[1])))
    return rows


def _lines(path: Path, key: str, value: object, most: float) -> Lines:
    """Lines in order of energy; `most` decays happen per decay of the parent."""
    rows = _pairs(path, key, value)
    low, high = (LOWEST_ALPHA_MEV, HIGHEST_ALPHA_MEV) if key == "alphas" else (LOWEST_MEV, HIGHEST_MEV)
    limit = most if key in ("gammas", "alphas") else MOST_PER_DECAY
    for energy, count in rows:
        _require(low <= energy <= high, path, f"energies of {key} must be {low:g} to {high:g} MeV, got {energy!r}")
        _require(
            0.0 <= count <= limit,
            path,
            f"{key} at {energy!r} MeV must be 0 to {limit:g} per decay, got {count!r} (not in percent)",
        )
    return tuple(sorted(rows))


def _spectrum(path: Path, key: str, value: object, most: float) -> Spectrum:
    """Read a spectrum: the name of a CSV file beside the nuclide's, or the rows themselves."""
    if isinstance(value, str):
        file = path.parent / value
        try:
            lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.split("#")[0].strip()]
            table = np.loadtxt(lines, delimiter=",", ndmin=2) if lines else np.empty((0, 2))
        except OSError as error:
            raise InputError(f"{path}: {key} {value!r} cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise InputError(f"{file}: must be rows 'energy in MeV,density per MeV': {error}") from error
        columns = table.shape[1]
        _require(columns == 2, file, f"must be rows 'energy in MeV,density per MeV', got {columns} columns")
        path = file
    else:
        table = np.array(_pairs(path, key, value), dtype=np.float64).reshape(-1, 2)
    spectrum = Spectrum(*np.ascontiguousarray(table.T))
    _check_spectrum(path, key, spectrum, most)
    return Spectrum(_frozen(spectrum.energies_mev), _frozen(spectrum.density_per_mev))


def _check_spectrum(path: Path, key: str, spectrum: Spectrum, most: float) -> None:
    energy, density = spectrum
    _require(len(energy) >= 2, path, f"{key} must have at least 2 rows, got {len(energy)}")
    finite = bool(np.isfinite(energy).all() and np.isfinite(density).all())
    _require(finite, path, f"{key} must be finite numbers")
    back = np.flatnonzero(np.diff(energy) <= 0.0)
    if back.size:
        _require(False, path, f"energies of {key} must ascend, got {energy[back[0] + 1]:g} after {energy[back[0]]:g}")
    _require(energy[0] >= 0.0, path, f"energies of {key} must not be negative, got {energy[0]:g}")
    good = LOWEST_MEV <= energy[-1] <= HIGHEST_MEV
    _require(good, path, f"{key} must end between {LOWEST_MEV:g} and {HIGHEST_MEV:g} MeV, got {energy[-1]:g}")
    _require(density.min() >= 0.0, path, f"densities of {key} must not be negative, got {density.min():g}")
    number = spectrum.electrons_per_decay
    good = 0.0 < number <= most * (1.0 + SUM_TOLERANCE)
    _require(good, path, f"{key} must hold more than 0 and at most {most:g} particles per decay, got {number:g}")


def _branches(path: Path, key: str, value: object, spectrum: Spectrum | None, of: str, name: str) -> tuple[Branch, ...]:
    """Branches, which must add up to the integral of the spectrum that is made of them."""
    good = isinstance(value, list) and all(isinstance(row, dict) for row in value)
    _require(good, path, f"{key} must be tables with end_point_mev and per_decay, got {value!r}")
    found = []
    for row in value:  # type: ignore[attr-defined]
        for entry in row:
            _require(entry in BRANCH_KEYS, path, f"{entry!r} is not a key of {key}: {', '.join(BRANCH_KEYS)}")
        end = _number(path, f"end_point_mev of {key}", row.get("end_point_mev"))
        share = _number(path, f"per_decay of {key}", row.get("per_decay"))
        good = LOWEST_MEV <= end <= HIGHEST_MEV
        _require(good, path, f"end_point_mev of {key} must be {LOWEST_MEV:g} to {HIGHEST_MEV:g}, got {end!r}")
        _require(0.0 <= share <= 1.0, path, f"per_decay of {key} must be 0 to 1, got {share!r}")
        shape, parent = row.get("shape", "not said"), row.get("parent", name)
        good = isinstance(shape, str) and isinstance(parent, str)
        _require(good, path, f"shape and parent of {key} must be texts, got {shape!r} and {parent!r}")
        found.append(Branch(end, share, shape, parent))
    if found:
        _require(spectrum is not None, path, f"{key} needs {of}, which holds their sum")
        assert spectrum is not None
        total, number = sum(branch.per_decay for branch in found), spectrum.electrons_per_decay
        good = abs(total - number) <= SUM_TOLERANCE * number
        _require(good, path, f"{key} must add up to the {number:.5g} per decay of {of}, got {total:.5g}")
    return tuple(found)


def _evaluations(path: Path, value: object) -> dict[str, float]:
    _require(isinstance(value, dict), path, f"evaluations_mev must be a table of energies, got {value!r}")
    return {key: _number(path, f"evaluations_mev {key!r}", energy) for key, energy in value.items()}  # type: ignore[attr-defined]


def _frozen(values: NDArray[np.float64]) -> NDArray[np.float64]:
    values = values.copy()
    values.flags.writeable = False
    return values
