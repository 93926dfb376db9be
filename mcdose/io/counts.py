"""What makes counts activity: a sensitivity, or the activity that the patient was given."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BQ_PER_MBQ, BQ_PER_GBQ = 1e6, 1e9


@dataclass(frozen=True)
class CountCalibration:
    """How counts become activity; without any of it they do not.

    Parameters
    ----------
    sensitivity_cps_per_mbq : of the SPECT system and its reconstruction, all detectors together [counts/(s MBq)]
    administered_gbq : patient-relative: what left for the patient, at administration [GBq]
    lung_shunt : part of it that went to the lungs, where the lungs are not in the region whose counts are summed
    residual_gbq : part of it that stayed in vial, lines and needle [GBq, at administration]
    """

    sensitivity_cps_per_mbq: float | None = None
    administered_gbq: float | None = None
    lung_shunt: float = 0.0
    residual_gbq: float = 0.0

    def __post_init__(self) -> None:
        """Check the values, and that they say one thing."""
        for name in ("sensitivity_cps_per_mbq", "administered_gbq"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ValueError(f"{name} must be positive, got {value}")
        if not 0 <= self.lung_shunt < 1:
            raise ValueError(f"lung_shunt must be a fraction of at least 0 and below 1, got {self.lung_shunt}")
        if self.administered_gbq is None:
            if self.lung_shunt or self.residual_gbq:
                raise ValueError("lung_shunt and residual_gbq need administered_gbq")
            return
        if self.sensitivity_cps_per_mbq is not None:
            raise ValueError("one of sensitivity_cps_per_mbq and administered_gbq must be given, got both")
        if not 0 <= self.residual_gbq < self.administered_gbq:
            raise ValueError(
                f"residual_gbq must be at least 0 and below administered_gbq {self.administered_gbq:g}, "
                f"got {self.residual_gbq:g}"
            )

    @property
    def given(self) -> bool:
        """Whether there is a calibration at all."""
        return self.relative or self.sensitivity_cps_per_mbq is not None

    @property
    def relative(self) -> bool:
        """Whether the calibration is patient-relative."""
        return self.administered_gbq is not None

    @property
    def net_bq(self) -> float:
        """Activity that reached the patient, lungs and all [Bq at administration]."""
        return ((self.administered_gbq or 0.0) - self.residual_gbq) * BQ_PER_GBQ

    @property
    def region_bq(self) -> float:
        """Activity in the region whose counts are summed, (administered - residual) x (1 - shunt) [Bq]."""
        return self.net_bq * (1.0 - self.lung_shunt)

    def scaled(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scale values in proportion to activity so that their sum is `region_bq`; no counts stay none."""
        total = float(counts.sum())
        return counts * (self.region_bq / total) if total > 0 else counts

    def in_words(self, acquisition_s: float | None = None) -> str | None:
        """Say how the activity was found; None for an image that knows it."""
        if self.relative:
            return (
                f"counts scaled to {self.region_bq / BQ_PER_GBQ:.6g} GBq: ({self.administered_gbq:g} GBq administered "
                f"- {self.residual_gbq:g} GBq residual) x (1 - lung shunt {self.lung_shunt:g})"
            )
        if self.sensitivity_cps_per_mbq is not None and acquisition_s is not None:
            return f"counts in {acquisition_s:g} s at {self.sensitivity_cps_per_mbq:g} counts/(s MBq)"
        return None


def becquerels(
    counts: NDArray[np.float64], acquisition_s: float, sensitivity_cps_per_mbq: float
) -> NDArray[np.float64]:
    """Mean activity over the acquisition [Bq]: counts / (acquisition time x sensitivity)."""
    return counts * (BQ_PER_MBQ / (acquisition_s * sensitivity_cps_per_mbq))
