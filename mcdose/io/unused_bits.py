"""Bits of a pixel above BitsStored, which readers cut off: what they must not hold (PS3.5 section 8.1.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mcdose.errors import InputError

OVERLAYS = range(0x6000, 0x6020, 2)  # groups, with the bit that an overlay is in, which is a retired use
BIT_POSITION = 0x0102


def require_unused_bits_empty(path: Path, dataset: Any) -> None:
    """Raise if values of 16 bits are larger than BitsStored says: cut to it they would wrap, by 4096 HU of 12 bits.

    Signs may be extended or not, and overlays may be in the unused bits where the header says so.

    Parameters
    ----------
    path : to name in errors
    dataset : of an image that is not compressed, with PixelData
    """
    stored = int(dataset.get("BitsStored", dataset.BitsAllocated))
    if int(dataset.BitsAllocated) != 16 or stored == 16:
        return
    if any(int(dataset[group, BIT_POSITION].value or 0) for group in OVERLAYS if (group, BIT_POSITION) in dataset):
        return
    little = dataset.file_meta.TransferSyntaxUID.is_little_endian
    values = np.frombuffer(dataset.PixelData, dtype="<u2" if little else ">u2", count=len(dataset.PixelData) // 2)
    wrong = (values >> stored) != 0
    if dataset.get("PixelRepresentation"):
        wrong &= (values >> (stored - 1)) != 0xFFFF >> (stored - 1)
    if wrong.any():
        raise InputError(
            f"{path}: stored values must have {stored} bits by BitsStored, {np.count_nonzero(wrong)} have more, such "
            f"as {int(values[wrong][0])}"
        )
