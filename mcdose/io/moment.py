"""DICOM's dates and times as moments by one clock, whatever time zones a header names.

DICOM PS3.5 section 6.2 (VR DA, TM, DT: a DT may end in its offset from UTC), PS3.3 C.12.1 (SOP Common: Timezone Offset
From UTC, which holds for every DA, TM and DT of a file that has none of its own).
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from pydicom.valuerep import DA, DT, TM

from mcdose.errors import InputError

OFFSET = re.compile(r"([+-])(\d\d)(\d\d)$")
LATEST_HOURS = 14  # the zone furthest from UTC
SAME_MOMENT = timedelta(seconds=60)  # clocks of one header
HOUR_DIGITS = 10  # of YYYYMMDDHH


class Clock:
    """The clock of a series, to which all its moments are brought: that of the zone of its first header.

    Where the header names no zone, that of AcquisitionDateTime stands for it; where that has none either, an offset in
    another DT is dropped: dates and times beside it are by the clock of the same place (PS3.5, note to DT).

    Parameters
    ----------
    path : to name in errors
    header : of the first slice
    """

    def __init__(self, path: Path, header: Any) -> None:
        self._path = path
        self.zone = self._zone_of(header)
        if self.zone is None:
            self.zone = _offset(header.get("AcquisitionDateTime"))

    def moment(self, header: Any, date: str, clock: str) -> datetime | None:
        """Combine two elements of a header, a DA and a TM; None unless both are there."""
        day, clocked = header.get(date), header.get(clock)
        if not day or not clocked:
            return None
        return self._shifted(datetime.combine(DA(str(day)), clock_of(clocked)), self._zone_of(header))

    def local(self, value: Any, header: Any = None) -> datetime | None:
        """Read a DT; None for an empty one. `header` is the one it is from, where not the first."""
        if not value:
            return None
        stamp = DT(str(value))
        naive = datetime(stamp.year, stamp.month, stamp.day, stamp.hour, stamp.minute, stamp.second, stamp.microsecond)
        own = _offset(value)
        return self._shifted(naive, own if own is not None or header is None else self._zone_of(header))

    def acquisition(self, header: Any) -> datetime | None:
        """Start of the acquisition, of AcquisitionDateTime or else of date and time; None if a header has neither."""
        stated, apart = header.get("AcquisitionDateTime"), self.moment(header, "AcquisitionDate", "AcquisitionTime")
        if not (stated and has_clock(stated)):
            return apart
        joint = self.local(stated, header)
        if joint is not None and apart is not None and abs(joint - apart) > SAME_MOMENT:
            raise InputError(
                f"{self._path}: AcquisitionDateTime {stated} and AcquisitionDate and -Time {apart} must be one moment"
            )
        return joint

    def _shifted(self, naive: datetime, zone: timedelta | None) -> datetime:
        return naive if zone is None or self.zone is None else naive - zone + self.zone

    def _zone_of(self, header: Any) -> timedelta | None:
        stated = header.get("TimezoneOffsetFromUTC")
        if not stated:
            return None
        zone = _offset(stated) if len(str(stated).strip()) == 5 else None
        if zone is None:
            raise InputError(f"{self._path}: TimezoneOffsetFromUTC must be such as +0200, got {stated!r}")
        return zone


def clock_of(value: Any) -> time:
    """Read a TM."""
    read = TM(str(value))
    return time(read.hour, read.minute, read.second, read.microsecond)


def has_clock(value: Any) -> bool:
    """Whether a DT has a time of day, and not a date alone."""
    return len(re.match(r"\d*", str(value).strip()).group()) >= HOUR_DIGITS  # type: ignore[union-attr]


def is_utc(value: Any) -> bool:
    """Whether a DT ends in an offset of zero."""
    return _offset(value) == timedelta(0)


def _offset(value: Any) -> timedelta | None:
    """Offset from UTC that ends a DT, or is all of Timezone Offset From UTC; None if there is none that can be."""
    found = OFFSET.search(str(value or "").strip())
    if found is None or int(found[2]) > LATEST_HOURS or int(found[3]) > 59:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return -offset if found[1] == "-" else offset
