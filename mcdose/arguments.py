"""Numbers from the caller, judged in one place."""

from __future__ import annotations

from numbers import Real
from typing import Any


def number(name: str, value: Any) -> float:
    """Return a real number, or raise."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must be at most 1.8e308 in size, got a larger number") from None


def thread_limit(threads: Any) -> int | None:
    """Return a number of threads that can be asked for, None for as many as there are, or raise."""
    return None if threads is None else whole("threads", threads, 1, 4096)


def whole(name: str, value: Any, low: int, high: int) -> int:
    """Return a whole number within limits, or raise."""
    try:
        integer = int(value)
        exact = integer == value
    except (TypeError, ValueError, OverflowError):
        exact = False
    if not exact:
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if not low <= integer <= high:
        raise ValueError(f"{name} must lie within {low} to {high}, got {value}")
    return integer
