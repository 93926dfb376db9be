"""Padding of a CT: stored values that stand for no measurement (PS3.3 C.7.5.1.1.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.io.quiet import LOGGER

AIR_HU = -1000.0  # padding up to this is taken for air by whoever turns CT numbers into density
HIGHEST_HU = 3071.0  # of 12 bits, offset by 1024; more is metal on an extended scale, or padding


def without_padding(path: Path, headers: list[Any], values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make padding air where its CT number would be taken for something dense; lower padding stays as it is.

    Parameters
    ----------
    path : to name in errors
    headers : of the slices
    values : float32 [HU]; changed in place

    Raises
    ------
    InputError
        voxels whose value is padding, by the header, and a CT number that tissue can have; slices with different
        padding
    """
    ranges = {_padding_hu(path, header) for header in headers} - {None}
    if not any(span is not None and span[1] > AIR_HU for span in ranges):
        return values
    if len(ranges) > 1:
        raise InputError(f"{path}: slices differ in their padding, {sorted(r for r in ranges if r)} HU")
    (span,) = ranges
    if span is None:
        return values
    padded = (values >= np.float32(span[0])) & (values <= np.float32(span[1]))
    found = int(np.count_nonzero(padded))
    if found and span[0] <= HIGHEST_HU:
        raise InputError(
            f"{path}: {found} voxels are padding by PixelPaddingValue, which is {span[0]:g} to {span[1]:g} HU, "
            "a CT number that tissue has; it cannot be told which they are"
        )
    if found:
        LOGGER.info("%s: %d voxels of padding, %g HU, are taken for air", path, found, span[0])
        values[padded] = AIR_HU
    return values


def _padding_hu(path: Path, header: Any) -> tuple[float, float] | None:
    """Lowest and highest padding [HU] of one slice; None if it states none."""
    value = header.get("PixelPaddingValue")
    if value is None or value == "":
        return None
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    slope, intercept = 1.0 if slope is None else float(slope), 0.0 if intercept is None else float(intercept)
    limit = header.get("PixelPaddingRangeLimit")
    ends = [_stored(path, header, end) * slope + intercept for end in (value, value if limit in (None, "") else limit)]
    return min(ends), max(ends)


def _stored(path: Path, header: Any, value: Any) -> int:
    """Read a padding value as the pixels are, signed or not: some scanners write the one for the other."""
    bits = int(header.BitsAllocated)
    if not isinstance(value, int) or not -(1 << bits) < value < 1 << bits:
        raise InputError(f"{path}: PixelPaddingValue must be one whole number of {bits} bits, got {value!r}")
    wrapped = value % (1 << bits)
    signed = bool(header.get("PixelRepresentation")) and wrapped >= 1 << (bits - 1)
    return wrapped - (1 << bits) if signed else wrapped
