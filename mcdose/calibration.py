"""CT number to mass density and medium."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.arrays import module_of, on_gpu
from mcdose.errors import InputError

THINNEST = 1e-9  # g/cm3, a vacuum by any measure; below it single precision loses a density
DENSEST_ELEMENT = 22.6  # g/cm3, osmium; above it a density is in another unit (kg/m3, mg/cm3)
FIELDS = ("hu", "density_g_cm3", "media_hu", "media")


@dataclass(frozen=True)
class Calibration:
    """A CT number calibration: density by straight lines between nodes, medium by intervals.

    Below the first node and above the last one the density is that of the node, so a padding value
    such as -3024 is air, and metal is no denser than the last node.

    Parameters
    ----------
    hu : CT numbers of the nodes, strictly increasing, at least two
    density_g_cm3 : density at each node, 1e-9 to 22.6 [g/cm3]
    media_hu : limits between the media, strictly increasing, one fewer than `media`;
        medium i holds for media_hu[i - 1] <= HU < media_hu[i]
    media : names of media in ascending order of CT number; the first has no lower limit, the last no upper one
    name : what the provenance calls this calibration

    Raises
    ------
    ValueError
        If the nodes or the limits are not finite and increasing, a density is out of its range, or lengths do not fit.
    """

    hu: tuple[float, ...]
    density_g_cm3: tuple[float, ...]
    media_hu: tuple[float, ...]
    media: tuple[str, ...]
    name: str = "user"

    def __post_init__(self) -> None:
        for field in FIELDS[:3]:
            object.__setattr__(self, field, _numbers(field, getattr(self, field)))
        object.__setattr__(self, "media", _names(self.media))
        if len(self.hu) < 2:
            raise ValueError(f"hu must have at least two nodes, got {len(self.hu)}")
        if len(self.density_g_cm3) != len(self.hu):
            raise ValueError(
                f"density_g_cm3 must have one value per node of hu ({len(self.hu)}), got {len(self.density_g_cm3)}"
            )
        if len(self.media_hu) != len(self.media) - 1:
            raise ValueError(
                f"media_hu must have one limit fewer than media has names ({len(self.media)}), got {len(self.media_hu)}"
            )
        _require_increasing("hu", self.hu)
        _require_increasing("media_hu", self.media_hu)
        for density in self.density_g_cm3:
            if not THINNEST <= density <= DENSEST_ELEMENT:
                raise ValueError(f"density_g_cm3 must be {THINNEST:g} to {DENSEST_ELEMENT} g/cm3, got {density}")

    @classmethod
    def from_json(cls, path: str | Path) -> Calibration:
        """Read a calibration from a JSON file: an object with the fields of this class (docs/calibration.md).

        Raises
        ------
        InputError
            If the file cannot be read, is no such object, or breaks a rule of the class.
        """
        path = Path(path)
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise InputError(f"calibration {path} cannot be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"calibration {path} is not JSON: {error}") from error
        if not isinstance(fields, dict):
            raise InputError(f"calibration {path} must be a JSON object, got {type(fields).__name__}")
        missing = [field for field in FIELDS if field not in fields]
        if missing:
            raise InputError(f"calibration {path} must have {', '.join(FIELDS)}; missing: {', '.join(missing)}")
        unknown = sorted(set(fields) - {*FIELDS, "name"})
        if unknown:
            raise InputError(f"calibration {path} has unknown fields: {', '.join(unknown)}")
        name = fields.pop("name", path.stem)
        if not isinstance(name, str):
            raise InputError(f"calibration {path}: name must be a text, got {name!r}")
        try:
            return cls(**fields, name=name)
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"calibration {path}: {error}") from error

    def density(self, hu: ArrayLike) -> NDArray[np.float32]:
        """Mass density [g/cm3] of CT numbers, same shape.

        Works slice by slice along the first axis; beside the result it needs the memory of a few slices.

        Raises
        ------
        ValueError
            If a CT number is not finite (with the count).
        """
        given = _ct_numbers(hu)
        module = module_of(given)
        nodes, values = module.asarray(self.hu), module.asarray(self.density_g_cm3)
        density: NDArray[np.float32] = module.empty(given.shape, dtype=np.float32)
        for part in _parts(given):
            density[part] = module.interp(given[part].astype(np.float64, order="C"), nodes, values)
        return density

    def medium_index(self, hu: ArrayLike) -> NDArray[np.uint8]:
        """Index into `media` of CT numbers, same shape.

        Raises
        ------
        ValueError
            If a CT number is not finite (with the count).
        """
        given = _ct_numbers(hu)
        module = module_of(given)
        limits = module.asarray(self.media_hu)
        index: NDArray[np.uint8] = module.empty(given.shape, dtype=np.uint8)
        for part in _parts(given):
            index[part] = module.searchsorted(limits, given[part], side="right")
        return index


def _numbers(field: str, values: Sequence[float]) -> tuple[float, ...]:
    if isinstance(values, str) or not np.iterable(values):
        raise TypeError(f"{field} must be a list of numbers, got {values!r}")
    for value in values:
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{field} must be a list of numbers, got {value!r} in it")
        if not math.isfinite(value):
            raise ValueError(f"{field} must be finite, got {value}")
    return tuple(float(value) for value in values)


def _names(media: Sequence[str]) -> tuple[str, ...]:
    if isinstance(media, str) or not np.iterable(media) or not all(isinstance(name, str) for name in media):
        raise TypeError(f"media must be a list of names, got {media!r}")
    if not 1 <= len(media) <= 255:
        raise ValueError(f"media must have 1 to 255 names, got {len(media)}")
    return tuple(media)


def _require_increasing(field: str, values: tuple[float, ...]) -> None:
    for lower, upper in pairwise(values):
        if upper <= lower:
            raise ValueError(f"{field} must increase strictly, got {upper} after {lower}")


def _ct_numbers(hu: Any) -> Any:
    if not on_gpu(hu):
        hu = np.asarray(hu)
    if hu.dtype.kind not in "iuf":
        raise TypeError(f"CT numbers must be real numbers, got an array of {hu.dtype}")
    if hu.dtype.kind == "f":
        count = sum(int(np.count_nonzero(~np.isfinite(hu[part]))) for part in _parts(hu))
        if count:
            raise ValueError(f"CT numbers must be finite, got {count} of {hu.size} that are NaN or infinite")
    return hu


def _parts(array: NDArray[Any]) -> Iterator[Any]:
    """Walk along the first axis of a volume, or take the whole of anything smaller."""
    return iter(range(array.shape[0])) if array.ndim > 2 else iter([...])


SCHNEIDER = Calibration(
    # Schneider, Bortfeld and Schlegel, Phys. Med. Biol. 45 (2000) 459, doi 10.1088/0031-9155/45/2/314, made continuous:
    #   density = 0.00121 + 0.0010297 (HU + 1000)  to -98, through 0.93 at -98
    #             1.018 + 0.893e-3 HU              to 14
    #             1.03                             to 23
    #             1.003 + 1.169e-3 HU              to 60; the paper goes on to 100, where it drops from 1.120 to 1.076,
    #                                              in the middle of a contrast-enhanced liver
    #             straight to the next             to 101
    #             1.017 + 0.592e-3 HU              to 1600, the end of the paper's range
    # Below -950, where the paper's composition is air, the density is air's too.
    hu=(-951.0, -950.0, -98.0, 14.0, 23.0, 60.0, 101.0, 1600.0),
    density_g_cm3=(0.00121, 0.0527, 0.93, 1.03, 1.03, 1.0731, 1.0768, 1.9642),
    # Limits of the paper's groups of composition that lie nearest to the middle between two media here, by
    # carbon for adipose and soft tissue and by calcium for bone; soft tissue goes up to 200, not 120, so that enhanced
    # vessels and liver are not bone.
    media_hu=(-950.0, -120.0, -23.0, 200.0, 800.0),
    media=("air", "lung", "adipose", "soft-tissue", "trabecular-bone", "cortical-bone"),
    name="Schneider 2000, continuous",
)
"""Default calibration, after Schneider, Bortfeld and Schlegel (2000); docs/calibration.md says where it departs.

Above 1600 HU the density stays at 1.9642 g/cm3.
"""
