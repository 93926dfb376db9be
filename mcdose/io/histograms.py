"""Dose-volume histograms in an RT Dose (DICOM PS3.3 C.8.8.4, RT DVH module)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.io.decimal_string import decimal_string
from mcdose.io.structures import StructureSet
from mcdose.io.study import is_anonymous, reference

if TYPE_CHECKING:
    from mcdose.dvh import Dvh


class Histograms(NamedTuple):
    """What the DVH sequence of an RT Dose is made of.

    `curves` by the names that `structure_set` has; `dose_gy` (n,) in equal steps from 0 [Gy].
    """

    structure_set: StructureSet
    curves: Mapping[str, Dvh]
    dose_gy: NDArray[np.float64]


def add_histograms(dose: Any, plan: Any, histograms: Histograms) -> None:
    """Add cumulative histograms [Gy, cm3] to an RT Dose, and to both files the structure set that they are of.

    The module numbers structures by the structure set that the RT Plan refers to, so the plan refers to it as well.

    Parameters
    ----------
    dose, plan : pydicom.Dataset, changed
    histograms : of at least one structure

    Raises
    ------
    ValueError
        If there is no histogram, or one of a structure that the structure set does not have, or the dose is anonymous.
    """
    structure_set, curves, _ = histograms
    if is_anonymous(dose):
        raise ValueError("histograms refer to a structure set, so they must not be added to an anonymous dose")
    unknown = [name for name in curves if name not in structure_set.numbers]
    if not curves or unknown:
        raise ValueError(f"histograms must be of structures of the structure set, got {unknown or 'none'}")
    for file in (dose, plan):
        file.ReferencedStructureSetSequence = [reference(structure_set.sop_class_uid, structure_set.sop_instance_uid)]
    plan.RTPlanGeometry = "PATIENT"
    dose.DVHSequence = [
        _histogram(structure_set.numbers[name], curve, histograms.dose_gy) for name, curve in curves.items()
    ]


def _histogram(number: int, curve: Dvh, dose_gy: NDArray[np.float64]) -> Any:
    """Make an item: pairs of the width of a bin and the volume that receives at least the dose at its lower edge."""
    from pydicom import Dataset

    dose_gy = dose_gy[dose_gy <= curve.max_gy]  # beyond it there is no volume
    width = decimal_string(float(dose_gy[1])) if len(dose_gy) > 1 else "1"
    volume_ml = curve.volume_ml * curve.volume_fraction(dose_gy)
    item, roi = Dataset(), Dataset()
    roi.ReferencedROINumber, roi.DVHROIContributionType = number, "INCLUDED"
    item.DVHReferencedROISequence = [roi]
    item.DVHType, item.DoseUnits, item.DoseType = "CUMULATIVE", "GY", "PHYSICAL"
    item.DVHDoseScaling, item.DVHVolumeUnits = "1", "CM3"
    item.DVHNumberOfBins = len(dose_gy)
    item.DVHData = [text for volume in volume_ml for text in (width, decimal_string(float(volume)))]
    item.DVHMinimumDose = decimal_string(curve.min_gy)
    item.DVHMaximumDose = decimal_string(curve.max_gy)
    item.DVHMeanDose = decimal_string(curve.mean_gy)
    return item
