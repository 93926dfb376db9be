"""Volumes as text: numbers to codes of equal relative steps, packed for the page to unpack."""

from __future__ import annotations

import base64
import math
import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

STEP = 0.004  # of the logarithm between two codes: a value is kept within 0.2 %
LEVELS = 3000  # codes of each sign: down to exp(-12), six millionths of the largest
NOTHING = 65535  # the code of NaN
LOWEST_HU, HIGHEST_HU = -1024, 3071
DEFLATE = 6


class Codes(NamedTuple):
    """Numbers as codes.

    `values` has the shape of the numbers, uint16: LEVELS is what is nearest to 0, LEVELS + k and LEVELS - k are
    largest * exp(STEP * (k - LEVELS)) and minus that, k from 1 to LEVELS, and NOTHING is NaN.
    """

    values: NDArray[np.uint16]
    largest: float


def encode(numbers: NDArray[Any]) -> Codes:
    """Turn numbers into codes; infinite ones are taken for NaN."""
    finite = np.isfinite(numbers)
    size = np.abs(np.where(finite, numbers, 0.0)).astype(np.float32)
    largest = float(size.max(initial=0.0))
    codes = np.full(size.shape, LEVELS, np.int32)
    seen = size > largest * math.exp(-STEP * (LEVELS - 0.5))
    steps = LEVELS + np.rint(np.log(size[seen] / np.float32(largest)) / STEP)
    codes[seen] += np.where(numbers[seen] < 0, -steps, steps).astype(np.int32)
    codes[~finite] = NOTHING
    return Codes(codes.astype(np.uint16), largest)


def decode(codes: Codes) -> NDArray[np.float64]:
    """Turn codes back into numbers, as the page does."""
    signed = codes.values.astype(np.int32) - LEVELS
    size = codes.largest * np.exp(STEP * (np.abs(signed) - LEVELS))
    numbers = np.where(signed == 0, 0.0, np.sign(signed) * size)
    return np.where(codes.values == NOTHING, np.nan, numbers)


def packed(values: NDArray[Any]) -> str:
    """Deflate the bytes of an array, little-endian, and write them in base64."""
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(little.tobytes(), DEFLATE)).decode("ascii")


def packed_mask(mask: NDArray[np.bool_]) -> str:
    """Pack a mask in bits, the first voxel in the lowest bit of the first byte."""
    return packed(np.packbits(mask, bitorder="little"))


def packed_ct(ct_hu: NDArray[np.int16]) -> str:
    """Pack CT numbers as int16, cut off at -1024 and 3071 HU."""
    return packed(np.clip(ct_hu, LOWEST_HU, HIGHEST_HU).astype(np.int16))
