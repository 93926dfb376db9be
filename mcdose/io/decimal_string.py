"""Numbers as DICOM writes them in text."""

from __future__ import annotations

from decimal import Decimal


def decimal_string(value: float) -> str:
    """Write a number as a DICOM decimal string: at most 16 characters, as many digits as they hold."""
    for digits in range(17, 0, -1):
        for text in (f"{value:.{digits}g}", f"{Decimal(f'{value:.{digits}g}'):f}"):
            if len(text) <= 16 and float(text) == float(f"{value:.{digits}g}"):
                return text
    raise ValueError(f"{value!r} cannot be written with 16 characters")
