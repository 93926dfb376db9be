"""Activity at the time of administration from PET in Bq/mL, NIfTI or MetaImage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Grid, Volume
from mcdose.io.damage import damage
from mcdose.io.decay import read_timing, stated_number, to_administration
from mcdose.io.quiet import LOGGER, quiet_libraries
from mcdose.io.series import Series, dicom_headers, existing, one_series, read_stack
from mcdose.io.voxelfile import is_voxel_file, read_voxel_file

UNITS = ("Bq", "Bq/mL")
HALF_LIFE_TOLERANCE = 0.02  # headers round Y-90 to anything from 64.0 to 64.2 h
PET_UNITS = {  # DICOM CID 85, Units (0054,1001)
    "CNTS": "counts",
    "NONE": "no unit",
    "CPS": "counts per second",
    "PROPCNTS": "a number proportional to counts",
    "PROPCPS": "a number proportional to counts per second",
    "GML": "standardised uptake value, g/mL",
    "CM2ML": "standardised uptake value, cm2/mL",
    "STDDEV": "standard deviations",
}
ELEMENTS = {
    "carbon": "C", "nitrogen": "N", "oxygen": "O", "fluorine": "F", "copper": "Cu", "gallium": "Ga", "yttrium": "Y",
    "zirconium": "Zr", "technetium": "Tc", "indium": "In", "iodine": "I", "terbium": "Tb", "holmium": "Ho",
    "lutetium": "Lu", "rhenium": "Re", "actinium": "Ac", "strontium": "Sr", "phosphorus": "P", "samarium": "Sm",
}  # fmt: skip


@dataclass(frozen=True)
class Activity:
    """Activity at administration, and what the file says about its origin (None where it says nothing).

    Attributes
    ----------
    volume : float64, shape (nz, ny, nx) [Bq per voxel]
    total_bq : sum over the volume [Bq]
    nuclide, half_life_s : of the header [s], such as "Y-90"
    decay_correction : NONE, START or ADMIN
    administered, acquired : administration; start of the first frame
    injected_bq : RadionuclideTotalDose [Bq]
    warnings : sentences for the user
    """

    volume: Volume
    total_bq: float
    nuclide: str | None
    half_life_s: float | None
    decay_correction: str | None
    administered: datetime | None
    acquired: datetime | None
    injected_bq: float | None
    warnings: tuple[str, ...]
    series: Series | None


@quiet_libraries()
def read_activity(
    path: str | Path, *, unit: str | None = None, nuclide: str | None = None, half_life_s: float | None = None
) -> Activity:
    """Read activity and bring it to the time of administration.

    Parameters
    ----------
    path : folder with one DICOM PET series in BQML, or a NIfTI or MetaImage file of activity at administration
    unit : "Bq" (per voxel) or "Bq/mL", for NIfTI and MetaImage; None = "Bq/mL". DICOM says its own.
    nuclide : such as "Y-90"; a header that names another one is refused. None = whatever the header says
    half_life_s : of that nuclide [s], for bringing the scan's activity back to administration, and to compare with
        the header's; None = the header's

    Returns
    -------
    Activity

    Raises
    ------
    InputError
        activity that is negative, not finite, zero throughout, or in counts; a header that contradicts itself or
        the nuclide; geometry as for `mcdose.io.ct.read_ct`
    """
    if unit is not None and unit not in UNITS:
        raise ValueError(f"unit must be one of {', '.join(UNITS)}, got {unit!r}")
    found = existing(path)
    with damage(found):
        return _read(found, unit, nuclide, half_life_s)


def _read(found: Path, unit: str | None, nuclide: str | None, half_life_s: float | None) -> Activity:
    if is_voxel_file(found):
        volume = read_voxel_file(found)
        per_voxel = 1.0 if unit == "Bq" else volume.grid.voxel_ml
        values = volume.values.astype(np.float64) * per_voxel
        return _checked(found, values, volume.grid)
    headers = dicom_headers(found)
    modalities = {str(header.get("Modality", "")) for _, header in headers}
    if "PT" not in modalities and "NM" in modalities:
        raise InputError(
            f"{found}: activity is in counts, not Bq/mL: this is an NM image, whose counts have no calibration here"
        )
    files = one_series(found, headers, "PT")
    first = files[0][1]
    for _, header in files:
        _require_bq_per_ml(found, str(header.get("Units") or ""))
    if unit == "Bq":
        raise InputError(f"{found}: the unit asked for is Bq per voxel, but the image is in Bq/mL")
    header_nuclide = nuclide_of(first)
    stack = read_stack(found, files)
    timing = read_timing(found, [s.header for s in stack.slices])
    _require_nuclide(found, header_nuclide, timing.half_life_s, nuclide, half_life_s)
    factors, warnings = to_administration(timing, half_life_s)
    values = stack.values().astype(np.float64)
    values *= (factors * stack.grid.voxel_ml)[:, None, None]
    injected = _injected(first)
    return _checked(
        found,
        values,
        stack.grid,
        nuclide=header_nuclide,
        half_life_s=timing.half_life_s,
        decay_correction=timing.correction,
        administered=timing.administered,
        acquired=timing.first_start,
        injected_bq=injected,
        warnings=warnings,
        series=stack.series(),
    )


def _checked(
    path: Path,
    values: NDArray[np.float64],
    grid: Grid,
    *,
    nuclide: str | None = None,
    half_life_s: float | None = None,
    decay_correction: str | None = None,
    administered: datetime | None = None,
    acquired: datetime | None = None,
    injected_bq: float | None = None,
    warnings: tuple[str, ...] = (),
    series: Series | None = None,
) -> Activity:
    bad = np.count_nonzero(~np.isfinite(values))
    if bad:
        raise InputError(f"{path}: activity must be finite, {bad} voxels are NaN or infinite")
    negative = np.count_nonzero(values < 0)
    if negative:
        raise InputError(
            f"{path}: activity must not be negative: {negative} voxels are, the lowest {values.min():.6g} Bq"
        )
    total = float(values.sum())
    if total == 0.0:
        raise InputError(f"{path}: activity is zero in every voxel")
    for warning in warnings:
        LOGGER.warning("%s: %s", path, warning)
    return Activity(
        Volume(np.ascontiguousarray(values), grid),
        total,
        nuclide,
        half_life_s,
        decay_correction,
        administered,
        acquired,
        injected_bq,
        warnings,
        series,
    )


def nuclide_of(header: Any) -> str | None:
    """Find the nuclide that a PET header names, such as "Y-90"; None if it names none that can be understood."""
    for drug in header.get("RadiopharmaceuticalInformationSequence") or ():
        for code in drug.get("RadionuclideCodeSequence") or ():
            name = nuclide_named(str(code.get("CodeMeaning", "")))
            if name is not None:
                return name
    return None


def nuclide_named(text: str) -> str | None:
    """Read a nuclide out of `^90^Yttrium`, `Y-90`, `90Y`, `Fluorine 18`, `F^18^` and the like."""
    parts = re.findall(r"[A-Za-z]+|\d+m?", text)
    mass = [p for p in parts if p[0].isdigit()]
    letters = [p for p in parts if p[0].isalpha()]
    if len(mass) != 1 or len(letters) != 1:
        return None
    symbol = ELEMENTS.get(letters[0].lower(), letters[0].capitalize())
    return f"{symbol}-{mass[0]}" if len(symbol) <= 2 else None


def _require_bq_per_ml(path: Path, unit: str) -> None:
    if unit != "BQML":
        meaning = PET_UNITS.get(unit, f"unit {unit!r}")
        raise InputError(f"{path}: activity is in {meaning}, not Bq/mL: Units is {unit or 'absent'}, BQML is needed")


def _require_nuclide(
    path: Path, header: str | None, header_half_life: float | None, asked: str | None, half_life: float | None
) -> None:
    if header is not None and asked is not None and header.lower() != asked.lower():
        raise InputError(f"{path}: the header says {header}, the nuclide asked for is {asked}")
    if header_half_life is None or half_life is None:
        return
    if abs(header_half_life / half_life - 1.0) > HALF_LIFE_TOLERANCE:
        raise InputError(
            f"{path}: the header's half-life is {header_half_life:g} s, that of {asked or 'the nuclide'} "
            f"{half_life:g} s; they must agree to {HALF_LIFE_TOLERANCE:.0%}"
        )


def _injected(header: Any) -> float | None:
    for drug in header.get("RadiopharmaceuticalInformationSequence") or ():
        dose = stated_number(drug, "RadionuclideTotalDose", 1.0)
        if dose is not None:
            return dose
    return None
