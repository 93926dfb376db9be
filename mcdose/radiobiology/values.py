"""Arguments of the models, judged in one place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.arguments import number
from mcdose.arrays import to_numpy
from mcdose.coverage import coverage_of


def positive(name: str, value: Any) -> float:
    """Return a positive finite number, or raise."""
    found = number(name, value)
    if not 0.0 < found < math.inf:
        raise ValueError(f"{name} must be positive and finite, got {value!r}")
    return found


def gray(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return doses, finite and not negative, as float64 of their own shape, or raise."""
    found = np.asarray(to_numpy(values))
    if found.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be real numbers, got an array of {found.dtype}")
    if found.size == 0:
        raise ValueError(f"{name} must hold at least one value, got shape {found.shape}")
    bad = int(np.count_nonzero(~np.isfinite(found)))
    if bad:
        raise ValueError(f"{name} must be finite, got {bad} of {found.size} values that are not")
    if found.min() < 0:
        raise ValueError(f"{name} must not be negative, got {found.min()}")
    return found.astype(np.float64)


def shares(name: str, values: ArrayLike, coverage: ArrayLike | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the doses of the voxels of a structure and their shares of its volume, which sum to 1, or raise.

    Parameters
    ----------
    name : what errors call the doses
    values : any shape [Gy]; only those in the structure are looked at, so that NaN may stand elsewhere
    coverage : same shape, bool or from 0 to 1; None = all voxels alike

    Returns
    -------
    doses, weights : (n,) each
    """
    found = np.asarray(to_numpy(values))
    if coverage is None:
        doses = gray(name, found).ravel()
        return doses, np.full(doses.shape, 1.0 / doses.size)
    weights = coverage_of("coverage", coverage, found.shape)
    inside = weights > 0
    kept = weights[inside]
    return gray(name, found[inside]), kept / kept.sum()
