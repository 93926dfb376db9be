"""NumPy arrays and arrays on a CUDA device: which is which, and the one way from one to the other."""

from __future__ import annotations

from typing import Any

import numpy as np


def on_gpu(array: Any) -> bool:
    """Tell whether an array lies in the memory of a CUDA device."""
    return hasattr(array, "__cuda_array_interface__")


def module_of(array: Any) -> Any:
    """Return the module whose functions take an array: numpy or cupy."""
    if not on_gpu(array):
        return np
    import cupy

    return cupy


def to_numpy(array: Any) -> Any:
    """Return an array in the memory of the host."""
    return array.get() if on_gpu(array) else array
