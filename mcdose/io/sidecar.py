"""The side-car of a NIfTI or MetaImage activity: what the image itself cannot say."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcdose.errors import InputError
from mcdose.io.nuclide_name import nuclide_named
from mcdose.io.voxelfile import META_IMAGE, NIFTI

UNITS = ("Bq", "Bq/mL")
FIELDS = ("unit", "nuclide", "reference_time_h")


@dataclass(frozen=True)
class SideCar:
    """What a side-car says; None where it says nothing.

    `reference_time_h`: hours after administration that the activity is at, 0 unless stated, which `states_time` says.
    """

    path: Path
    unit: str | None = None
    nuclide: str | None = None
    reference_time_h: float = 0.0
    states_time: bool = False


def read_sidecar(image: Path) -> SideCar | None:
    """Read `activity.json` beside `activity.nii.gz`, an object with any of `FIELDS`; None if there is none."""
    suffix = max((s for s in NIFTI + META_IMAGE if image.name.lower().endswith(s)), key=len)
    path = image.with_name(image.name[: -len(suffix)] + ".json")
    if not path.is_file():
        return None
    try:
        fields: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"side-car {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"side-car {path} is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InputError(f"side-car {path} must be a JSON object, got {type(fields).__name__}")
    unknown = sorted(set(fields) - set(FIELDS))
    if unknown:
        raise InputError(f"side-car {path} must have no keys but {', '.join(FIELDS)}; unknown: {', '.join(unknown)}")
    return SideCar(
        path, _unit(path, fields), _nuclide(path, fields), _hours(path, fields), "reference_time_h" in fields
    )


def _unit(path: Path, fields: dict[str, Any]) -> str | None:
    if "unit" in fields and fields["unit"] not in UNITS:
        raise InputError(f"side-car {path}: unit must be one of {', '.join(UNITS)}, got {fields['unit']!r}")
    return fields.get("unit")


def _nuclide(path: Path, fields: dict[str, Any]) -> str | None:
    if "nuclide" not in fields:
        return None
    name = nuclide_named(str(fields["nuclide"]))
    if name is None:
        raise InputError(f"side-car {path}: nuclide must be one such as Y-90, got {fields['nuclide']!r}")
    return name


def _hours(path: Path, fields: dict[str, Any]) -> float:
    hours = fields.get("reference_time_h", 0.0)
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not (math.isfinite(hours) and hours >= 0):
        raise InputError(
            f"side-car {path}: reference_time_h must be a number of hours after administration, at least 0, "
            f"got {hours!r}"
        )
    return float(hours)
