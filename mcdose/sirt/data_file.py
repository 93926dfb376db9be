"""TOML files of figures, those that mcdose ships and the user's own."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mcdose.data import DATA_FOLDER
from mcdose.errors import InputError

FOLDER = DATA_FOLDER / "sirt"
MOST_BYTES = 1_000_000


def read_toml(path: str | Path) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises
    ------
    InputError
        The file cannot be read, is larger than 1 MB, or is not TOML.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise InputError(f"{path}: must be at most {MOST_BYTES} bytes, it is larger")
        return tomllib.loads(content.decode("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except InputError:
        raise
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, an integer of thousands of digits
        raise InputError(f"{path}: is not TOML: {error}") from error


def require_keys(where: str, entry: Any, needed: Sequence[str], optional: Sequence[str] = ()) -> Mapping[str, Any]:
    """Return a table that has all of the keys it needs and none that is unknown, or raise InputError."""
    if not isinstance(entry, dict):
        raise InputError(f"{where}: must be a table, got {entry!r}")
    missing = [key for key in needed if key not in entry]
    if missing:
        raise InputError(f"{where}: must have {', '.join(needed)}; missing: {', '.join(missing)}")
    unknown = sorted(set(entry) - {*needed, *optional})
    if unknown:
        raise InputError(f"{where}: unknown: {', '.join(unknown)}; known: {', '.join((*needed, *optional))}")
    return entry


def text_of(where: str, entry: Mapping[str, Any], key: str, choices: Sequence[str] = ()) -> str:
    """Return a text that is not empty, one of `choices` where there are any, or raise InputError."""
    value = entry[key]
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: {key} must be a text, got {value!r}")
    if choices and value not in choices:
        raise InputError(f"{where}: {key} must be one of {', '.join(choices)}; got {value!r}")
    return value


def number_of(where: str, entry: Mapping[str, Any], key: str) -> float:
    """Return a finite number of at least 0, or raise InputError."""
    value = entry[key]
    try:
        found = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:  # an integer of hundreds of digits
        found = math.inf
    if not 0.0 <= found < math.inf:
        raise InputError(f"{where}: {key} must be a number of at least 0, got {value!r}")
    return found


def switch_of(where: str, entry: Mapping[str, Any], key: str) -> bool:
    """Return true or false, or raise InputError."""
    value = entry[key]
    if not isinstance(value, bool):
        raise InputError(f"{where}: {key} must be true or false, got {value!r}")
    return value
