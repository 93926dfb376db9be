"""Padding of a CT: stored values that stand for no measurement (PS3.3 C.7.5.1.1.2)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.constants import AIR_HU
from mcdose.errors import InputError
from mcdose.io.quiet import LOGGER

if TYPE_CHECKING:
    from mcdose.io.series import Slice

HIGHEST_HU = 3071.0  # of 12 bits, offset by 1024; more is metal on an extended scale, or padding


def without_padding(image: Slice, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Make padding air where its CT number would be taken for something dense; lower padding stays as it is.

    Parameters
    ----------
    image : the slice
    values : float32, shape (rows, columns) [HU]

    Raises
    ------
    InputError
        pixels whose value is padding, by the header, and a CT number that tissue can have
    """
    span = _padding_hu(image)
    if span is None or span[1] <= AIR_HU:
        return values
    padded = (values >= np.float32(span[0])) & (values <= np.float32(span[1]))
    found = int(np.count_nonzero(padded))
    if found and span[0] <= HIGHEST_HU:
        raise InputError(
            f"{image.path}: {found} pixels are padding by PixelPaddingValue, which is {span[0]:g} to {span[1]:g} HU, "
            "a CT number that tissue has; it cannot be told which they are"
        )
    if found:
        LOGGER.info("%s: %d pixels of padding, %g HU, are taken for air", image.path, found, span[0])
    return np.where(padded, np.float32(AIR_HU), values)


def _padding_hu(image: Slice) -> tuple[float, float] | None:
    """Lowest and highest padding [HU] of one slice; None if it states none."""
    header = image.header
    value = header.get("PixelPaddingValue")
    if value is None or value == "":
        return None
    limit = header.get("PixelPaddingRangeLimit")
    stated = (value, value if limit in (None, "") else limit)
    ends = [_stored(image.path, header, end) * image.slope + image.intercept for end in stated]
    return min(ends), max(ends)


def _stored(path: Path, header: Any, value: Any) -> int:
    """Read a padding value as the pixels are, signed or not: some scanners write the one for the other."""
    bits = int(header.BitsAllocated)
    if not isinstance(value, int) or not -(1 << bits) < value < 1 << bits:
        raise InputError(f"{path}: PixelPaddingValue must be one whole number of {bits} bits, got {value!r}")
    wrapped = value % (1 << bits)
    signed = bool(header.get("PixelRepresentation")) and wrapped >= 1 << (bits - 1)
    return wrapped - (1 << bits) if signed else wrapped
