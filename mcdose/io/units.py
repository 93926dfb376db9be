"""What the values of a PET or NM image are in: Units, and the way back from SUV to Bq/mL.

DICOM PS3.3 C.8.9.1 (PET Series: Units, SUV Type), C.8.4.10 (NM Isotope), PS3.16 CID 84 and 85. The dose of
an SUV is decayed to the moment that the image is corrected to, as in the pseudo-code for SUV of the Quantitative
Imaging Biomarkers Alliance.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcdose.errors import InputError
from mcdose.io.decay import stated_number

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
COUNTS = ("CNTS", "PROPCNTS")  # grow with the duration of a frame
PROPORTIONAL = (*COUNTS, "CPS", "PROPCPS", "GML", "CM2ML")  # to activity: a calibration makes them Bq
PHILIPS_PET = "Philips PET Private Group"  # creator of the private elements (7053,xx..)
SCALE_TOLERANCE = 1e-3  # relative, between two scales of one image
SMALLEST_DOSE_BQ = 1e6  # a RadionuclideTotalDose below this is in MBq


def image_units(path: Path, header: Any) -> str:
    """Units of an image: BQML where it says how to get there, else as stated; NM that says nothing is in counts."""
    stated = str(header.get("Units") or "")
    if becquerel_scale(path, header) is not None:
        return "BQML"
    if stated:
        return stated
    return "CNTS" if header.get("Modality") == "NM" else ""


def becquerel_scale(path: Path, header: Any) -> tuple[float, float] | None:
    """Slope and intercept from stored values to Bq/mL where those are not RescaleSlope and -Intercept, else None.

    They are those of RealWorldValueMappingSequence in Bq/ml (PS3.3 C.7.6.16.2.11), which the makers of quantitative
    SPECT use, of an image whose Units are BQML, CNTS or absent; or, of Philips PET in counts, those of the rescaling
    times the private activity concentration scale factor.

    Raises
    ------
    InputError
        an image in BQML whose rescaling and real world values differ
    """
    unit = str(header.get("Units") or "")
    if unit not in ("", "BQML", "CNTS"):
        return None
    scale = _real_world_scale(path, header)
    rescaled = header.get("RescaleSlope")
    if unit == "BQML" and scale is not None and rescaled is not None:
        stated = float(rescaled), float(header.get("RescaleIntercept") or 0.0)
        if any(abs(a - b) > SCALE_TOLERANCE * abs(scale[0]) for a, b in zip(stated, scale, strict=True)):
            raise InputError(
                f"{path}: RescaleSlope and -Intercept {stated} and real world values in Bq/mL {scale} must agree"
            )
        return None
    if scale is None and unit == "CNTS":
        factor = _philips_factor(header)
        if factor is not None and rescaled is not None:
            return float(rescaled) * factor, float(header.get("RescaleIntercept") or 0.0) * factor
    return scale


def _real_world_scale(path: Path, header: Any) -> tuple[float, float] | None:
    found: set[tuple[float, float]] = set()
    for mapping in header.get("RealWorldValueMappingSequence") or ():
        codes = mapping.get("MeasurementUnitsCodeSequence") or ()
        if not any(str(code.get("CodeValue", "")).lower() == "bq/ml" for code in codes):
            continue
        slope, intercept = mapping.get("RealWorldValueSlope"), mapping.get("RealWorldValueIntercept")
        if slope is None:
            raise InputError(f"{path}: real world values in Bq/mL must be given by RealWorldValueSlope, got a table")
        found.add((float(slope), float(intercept or 0.0)))
    if len(found) > 1:
        raise InputError(f"{path}: one mapping to real world values in Bq/mL is needed, got {sorted(found)}")
    return found.pop() if found else None


def _philips_factor(header: Any) -> float | None:
    """Activity concentration scale factor, (7053,xx09) of Philips PET: rescaled counts times it are Bq/mL.

    As in the pseudo-code for SUV of the Quantitative Imaging Biomarkers Alliance. The SUV scale factor, (7053,xx00),
    gives no activity without the weight and dose it was made with, and is not used.
    """
    try:
        factor = float(header.private_block(0x7053, PHILIPS_PET)[0x09].value)
    except (KeyError, TypeError, ValueError):
        return None
    return factor if 0.0 < factor < float("inf") else None


def unit_error(path: Path, unit: str) -> InputError:
    """Make the error of an image whose values are not activity."""
    meaning = PET_UNITS.get(unit, f"unit {unit!r}")
    cure = "; the administered activity (--administered-gbq) would calibrate it" if unit in PROPORTIONAL else ""
    return InputError(f"{path}: activity is in {meaning}, not Bq/mL: Units is {unit or 'absent'}, BQML is needed{cure}")


def bq_per_ml_of_suv(path: Path, header: Any) -> float:
    """Activity concentration of SUV 1 by body weight, RadionuclideTotalDose / PatientWeight [Bq/mL].

    It is at the administration, the moment of RadionuclideTotalDose.
    SUVType is BW where it is absent (PS3.3 C.8.9.1). SUV by lean mass, ideal weight or surface are refused.
    """
    kind = str(header.get("SUVType") or "BW")
    if kind != "BW":
        raise InputError(f"{path}: SUVType must be BW (body weight) to be brought back to Bq/mL, got {kind}")
    suv = f"{path}: activity is in standardised uptake value (GML)"
    weight = header.get("PatientWeight")
    if weight is None or not float(weight) > 0:
        raise InputError(f"{suv}: PatientWeight must be there and positive, got {weight}")
    dose = injected_bq(header)
    if dose is None or not dose > SMALLEST_DOSE_BQ:
        found = "none" if dose is None else f"{dose:g}"
        raise InputError(f"{suv}: RadionuclideTotalDose must be there and above {SMALLEST_DOSE_BQ:g} Bq, got {found}")
    return dose / (float(weight) * 1000.0)


def injected_bq(header: Any) -> float | None:
    """RadionuclideTotalDose [Bq]; the standard has it in MBq in NM images, in Bq in PET."""
    for drug in header.get("RadiopharmaceuticalInformationSequence") or ():
        dose = stated_number(drug, "RadionuclideTotalDose", 1e6 if header.get("Modality") == "NM" else 1.0)
        if dose is not None:
            return dose
    return None
