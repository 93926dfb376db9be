"""Numbers as the page writes them."""

from __future__ import annotations

import math


def gy(value: float | None) -> str:
    """Four digits of a dose [Gy]."""
    return "–" if value is None else four_digits(value)


def with_uncertainty(value: float, uncertainty: float) -> str:
    """Write a figure and its standard uncertainty to two digits of the latter, which do not part at the end of a line.

    Source: JCGM 100:2008 (GUM), 7.2.6, at most two digits.
    """
    if not uncertainty > 0.0:
        return f"{four_digits(value)}\xa0±\xa00"
    decade = math.floor(math.log10(float(f"{uncertainty:.1e}")))
    digits = max(0, 1 - decade)
    return f"{value:.{digits}f}\xa0±\xa0{uncertainty:.{digits}f}"


def gbq(value_bq: float) -> str:
    """Return an activity with the unit that suits it."""
    return f"{four_digits(value_bq / 1e9)} GBq" if value_bq >= 1e8 else f"{four_digits(value_bq / 1e6)} MBq"


def four_digits(value: float) -> str:
    """Format a number with four digits, those that are zero too, and never with an exponent."""
    if value == 0.0:
        return "0"
    return f"{value:.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"
