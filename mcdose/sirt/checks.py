"""What a mass, a dose and a fraction must be."""

from __future__ import annotations

import math
from typing import Any

from mcdose.arguments import number


def positive(name: str, value: Any) -> float:
    """Return a finite number above 0, or raise ValueError (TypeError for what is no number)."""
    checked = number(name, value)
    if not 0.0 < checked < math.inf:
        raise ValueError(f"{name} must be above 0 and finite, got {value}")
    return checked


def not_negative(name: str, value: Any) -> float:
    """Return a finite number of at least 0, or raise."""
    checked = number(name, value)
    if not 0.0 <= checked < math.inf:
        raise ValueError(f"{name} must be at least 0 and finite, got {value}")
    return checked


def fraction(name: str, value: Any) -> float:
    """Return a number from 0 to below 1, or raise."""
    checked = number(name, value)
    if not 0.0 <= checked < 1.0:
        raise ValueError(f"{name} must be a fraction from 0 to below 1 (0.05 for 5 %), got {value}")
    return checked


def part(name: str, value: Any) -> float:
    """Return a number from 0 to 1, or raise."""
    checked = number(name, value)
    if not 0.0 <= checked <= 1.0:
        raise ValueError(f"{name} must be a fraction from 0 to 1, got {value}")
    return checked


def leaves_liver(lung_shunt: Any, extrahepatic: Any) -> tuple[float, float]:
    """Return the fractions of what is delivered that go to the lungs and elsewhere, or raise; some must stay."""
    lungs, elsewhere = fraction("lung_shunt", lung_shunt), fraction("extrahepatic", extrahepatic)
    if lungs + elsewhere >= 1.0:
        raise ValueError(f"lung_shunt and extrahepatic must leave something in the liver, got {lungs} and {elsewhere}")
    return lungs, elsewhere
