"""What the caller asked for, checked and in the transport's units: the one place where arguments are judged."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcdose.arrays import module_of, on_gpu
from mcdose.jit import launcher
from mcdose.media import Medium
from mcdose.media import medium as find_medium

MAX_MEDIA = 256
TARGET_ABOVE = 0.1  # g/cm3; voxels up to it do not count for the target uncertainty
SHORTEST_MM, LONGEST_MM = 0.001, 1000.0
MAX_TIA = 1e25  # Bq s in one voxel; a million TBq for ever
GPU_SLAB = 2**24  # voxels that a device works on at a time
INDEXED = 2**24  # voxels looked up at a time
MAX_DENSITY = 25.0  # g/cm3; no element is denser


@dataclass(frozen=True)
class Problem:
    """Activity, density and media on one grid; all arrays are NumPy's or all are CuPy's.

    Parameters
    ----------
    tia_bq_s : (nz, ny, nx) as given
    voxel_mm : (dz, dy, dx)
    density : (nz ny nx,) float32, g/cm3
    medium_index : (nz ny nx,) uint8
    media : in the order of the index
    """

    tia_bq_s: Any
    voxel_mm: tuple[float, float, float]
    density: Any
    medium_index: Any
    media: tuple[Medium, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the grid, (nz, ny, nx)."""
        nz, ny, nx = self.tia_bq_s.shape
        return nz, ny, nx

    @property
    def voxel_cm3(self) -> float:
        """Volume of a voxel, cm3."""
        return float(np.prod(self.voxel_mm)) / 1000.0

    @property
    def total_decays(self) -> float:
        """Sum of the activity map; of NumPy arrays the same to the last bit for any layout and dtype of the values."""
        return math.fsum(float(slab.astype(np.float64, order="C").sum()) for slab in self.tia_bq_s)

    def slabs(self) -> Iterator[slice]:
        """Go through the planes: one by one on the host, as many as keep a device busy there."""
        nz, ny, nx = self.shape
        thick = max(1, GPU_SLAB // (ny * nx)) if on_gpu(self.tia_bq_s) else 1
        return (slice(first, min(first + thick, nz)) for first in range(0, nz, thick))

    @property
    def largest_density(self) -> list[float]:
        """Largest density of the voxels of each medium, g/cm3; 0 where it has none."""
        if on_gpu(self.density):
            from mcdose.engine.cuda_arrays import largest_densities_on_gpu

            return largest_densities_on_gpu(self.density, self.medium_index, len(self.media))
        largest = np.zeros(len(self.media), np.float32)
        _largest(self.density, self.medium_index, largest)
        return [float(density) for density in largest]


@launcher
def _largest(density, medium_index, largest):  # type: ignore[no-untyped-def]
    for voxel in range(density.size):
        medium = medium_index[voxel]
        largest[medium] = max(largest[medium], density[voxel])


def check_problem(
    tia_bq_s: Any,
    voxel_mm: Any,
    *,
    density_g_cm3: Any = None,
    medium: Any = "water",
    media: Sequence[str | Medium] | None = None,
    ct_hu: Any = None,
    calibration: Any = None,
) -> Problem:
    """Return the checked problem; see `absorbed_dose` for the arguments and what is raised."""
    tia = as_array("tia_bq_s", tia_bq_s, tia_bq_s)
    if tia.ndim != 3 or 0 in tia.shape:
        raise ValueError(f"tia_bq_s must have three axes (z, y, x), none empty, got shape {tia.shape}")
    if tia.dtype.kind not in "fiu":
        raise TypeError(f"tia_bq_s must hold real numbers, got dtype {tia.dtype}")
    voxel = check_voxel(voxel_mm)
    _check_tia(tia)
    if ct_hu is not None:
        return _from_ct(tia, voxel, density_g_cm3, medium, media, ct_hu, calibration)
    if calibration is not None:
        raise TypeError("calibration goes with ct_hu, got no ct_hu")
    if media is None:
        chosen = medium if isinstance(medium, Medium) else None
        if chosen is None:
            if not isinstance(medium, str):
                raise TypeError(
                    "medium must be a name or a Medium, or an index array together with media, "
                    f"got {type(medium).__name__}"
                )
            chosen = find_medium(medium)
        names: tuple[Medium, ...] = (chosen,)
        index = module_of(tia).zeros(tia.size, np.uint8)
    else:
        names = _media_list(media)
        index = _index(medium, tia, len(names))
    return Problem(tia, voxel, _density(density_g_cm3, tia, index, names), index, names)


def reports_dose(density: Any, floor: float) -> Any:
    """Tell which voxels report a dose: at or above the density floor [g/cm3], and not vacuum."""
    return (density >= np.float32(floor)) & (density > 0.0)


def check_voxel(voxel_mm: Any) -> tuple[float, float, float]:
    """Return (dz, dy, dx) in mm as floats, or raise."""
    try:
        dz, dy, dx = (float(side) for side in voxel_mm)
    except (TypeError, ValueError):
        raise ValueError(f"voxel_mm must be three numbers (dz, dy, dx), got {voxel_mm!r}") from None
    if not all(side > 0.0 for side in (dz, dy, dx)):
        raise ValueError(f"voxel_mm must be positive, got {(dz, dy, dx)}")
    if not all(SHORTEST_MM <= side <= LONGEST_MM for side in (dz, dy, dx)):
        raise ValueError(f"voxel_mm must lie within {SHORTEST_MM} to {LONGEST_MM} mm, got {(dz, dy, dx)}")
    return dz, dy, dx


def as_array(name: str, array: Any, tia: Any) -> Any:
    """Return an argument as an array of the kind that `tia` is of: nothing is copied between host and GPU."""
    if on_gpu(array) and not on_gpu(tia):
        raise TypeError(f"{name} must be a NumPy array as tia_bq_s is, got {type(array).__module__} on a GPU")
    if on_gpu(tia):
        if not on_gpu(array) and np.ndim(array):
            raise TypeError(f"{name} must lie on the GPU as tia_bq_s does, got {type(array).__name__}")
        return module_of(tia).asarray(array)
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} must be a plain array, got a masked one: fill it first")
    return np.asarray(array)


def _check_tia(tia: Any) -> None:
    lowest, highest = float(tia.min()), float(tia.max())
    if not math.isfinite(lowest) or not math.isfinite(highest):
        bad = sum(int((~np.isfinite(slab)).sum()) for slab in tia)
        raise ValueError(f"tia_bq_s must be finite, got {bad} values that are NaN or infinite")
    if lowest < 0.0:
        count = sum(int((slab < 0).sum()) for slab in tia)
        raise ValueError(f"tia_bq_s must not be negative, got {count} negative values, the lowest {lowest}")
    if highest > MAX_TIA:
        raise ValueError(f"tia_bq_s must be at most {MAX_TIA} Bq s in a voxel, got {highest}")
    if highest == 0.0:
        raise ValueError("tia_bq_s must have activity somewhere, got zero in every voxel")


def _from_ct(
    tia: Any,
    voxel: tuple[float, float, float],
    density: Any,
    medium: Any,
    media: Any,
    ct_hu: Any,
    calibration: Any,
) -> Problem:
    from mcdose.calibration import SCHNEIDER, Calibration

    if density is not None or media is not None or not (isinstance(medium, str) and medium == "water"):
        raise TypeError("ct_hu stands instead of density_g_cm3 and medium, got both")
    calibration = SCHNEIDER if calibration is None else calibration
    if not isinstance(calibration, Calibration):
        raise TypeError(f"calibration must be a mcdose.Calibration, got {type(calibration).__name__}")
    hu = as_array("ct_hu", ct_hu, tia)
    if hu.shape != tia.shape:
        raise ValueError(f"ct_hu must have the shape of tia_bq_s {tia.shape}, got {hu.shape}")
    names = _media_list(calibration.media)
    return Problem(tia, voxel, calibration.density(hu).ravel(), calibration.medium_index(hu).ravel(), names)


def _media_list(media: Sequence[str | Medium]) -> tuple[Medium, ...]:
    if isinstance(media, str | Medium) or not 1 <= len(media) <= MAX_MEDIA:
        raise ValueError(f"media must be a list of 1 to {MAX_MEDIA} names, got {media!r}")
    return tuple(item if isinstance(item, Medium) else find_medium(item) for item in media)


def _index(medium: Any, tia: Any, count: int) -> Any:
    index = as_array("medium", medium, tia)
    if index.dtype.kind not in "iu" or index.ndim == 0:
        raise TypeError(
            f"medium must be an integer array that indexes media, got {type(medium).__name__} {index.dtype}"
        )
    if index.shape != tia.shape:
        raise ValueError(f"medium must have the shape of tia_bq_s {tia.shape}, got {index.shape}")
    if index.min() < 0 or index.max() >= count:
        raise ValueError(f"medium must index the {count} media, got values from {index.min()} to {index.max()}")
    return index.astype(np.uint8, order="C").ravel()  # a copy, see _density


def _density(density: Any, tia: Any, index: Any, media: tuple[Medium, ...]) -> Any:
    module = module_of(tia)
    shape = tia.shape
    if density is None:
        own = module.asarray([medium.density_g_cm3 for medium in media], np.float32)
        if len(media) == 1:
            return module.full(index.size, own[0], np.float32)
        whole = module.empty(index.size, np.float32)
        for first in range(0, index.size, INDEXED):  # NumPy makes 8 bytes of each index
            whole[first : first + INDEXED] = own[index[first : first + INDEXED]]
        return whole
    given = as_array("density_g_cm3", density, tia)
    if given.dtype.kind not in "fiu":
        raise TypeError(f"density_g_cm3 must hold real numbers, got dtype {given.dtype}")
    if given.ndim and given.shape != shape:
        raise ValueError(f"density_g_cm3 must be a number or have the shape of tia_bq_s {shape}, got {given.shape}")
    lowest, highest = given.min(), given.max()
    if not (lowest >= 0.0 and highest <= MAX_DENSITY):
        raise ValueError(
            f"density_g_cm3 must lie within 0 and {MAX_DENSITY} g/cm3, got values from {lowest} to {highest}"
        )
    if given.ndim == 0:
        if lowest == 0.0:
            raise ValueError("density_g_cm3 must be positive when it is one number, got 0")
        return module.full(index.size, given, np.float32)
    # A copy: `merge` needs it later, when the caller may have put something else into the array.
    return given.astype(np.float32, order="C").ravel()
