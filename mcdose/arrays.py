"""NumPy arrays and arrays on a CUDA device: which is which, and the one way from one to the other."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np


def on_gpu(array: Any) -> bool:
    """Tell whether an array lies in the memory of a CUDA device."""
    return hasattr(array, "__cuda_array_interface__")


def device_of(array: Any) -> int:
    """Return the number of the CUDA device that an array lies on."""
    import cupy

    if isinstance(array, cupy.ndarray):
        return int(array.device.id)
    pointer = array.__cuda_array_interface__["data"][0]
    return int(cupy.cuda.runtime.pointerGetAttributes(pointer).device)


def home_of(array: Any) -> AbstractContextManager[None]:
    """Make the device of an array the current one; does nothing for an array of the host."""
    if not on_gpu(array):
        return nullcontext()
    from mcdose.engine.cuda_arrays import on_device

    return on_device(device_of(array))


def module_of(array: Any) -> Any:
    """Return the module whose functions take an array: numpy or cupy."""
    if not on_gpu(array):
        return np
    import cupy

    return cupy


def to_numpy(array: Any) -> Any:
    """Return an array in the memory of the host."""
    return array.get() if on_gpu(array) else array
