"""A stand-in for CuPy on a machine without a GPU: arrays in the host's memory that say they are on a device.

Together with numba's CUDA simulator it runs the whole CUDA engine, memory, batches and all, in plain Python. It has
what mcdose uses of CuPy and nothing else; what it cannot show is whether CuPy itself behaves as it does.
"""

from __future__ import annotations

import sys
import types

import numpy as np

BYTES_FREE = [2**34]  # what the devices say is free; a test sets it lower
DEVICES = 2
PROPERTIES = {
    "major": 9,
    "minor": 0,
    "name": b"Simulated GPU",
    "multiProcessorCount": 2,
    "maxThreadsPerMultiProcessor": 64,
    "totalGlobalMem": 2**34,
}
current = [0]


class OutOfMemoryError(MemoryError):
    pass


class ndarray(np.ndarray):
    """An array that cannot be mixed with NumPy's by accident."""

    def __array_finalize__(self, other):
        self.number = getattr(other, "number", current[0])

    @property
    def __cuda_array_interface__(self):
        return self.__array_interface__

    @property
    def device(self):
        return types.SimpleNamespace(id=self.number)

    def get(self):
        return np.array(self).view(np.ndarray)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **named):
        for value in inputs:
            if type(value) is np.ndarray and value.ndim:
                raise TypeError(f"{ufunc.__name__}: a NumPy array beside one on the device")
        plain = [value.view(np.ndarray) if isinstance(value, ndarray) else value for value in inputs]
        if out is not None:
            named["out"] = tuple(value.view(np.ndarray) for value in out)
        result = getattr(ufunc, method)(*plain, **named)
        if out is not None:
            return out[0]
        return result.view(ndarray) if isinstance(result, np.ndarray) else np.asarray(result).view(ndarray)


def _made(name):
    function = getattr(np, name)

    def make(*arguments, **named):
        plain = [_plain(value) for value in arguments]
        made = np.asarray(function(*plain, **named)).view(ndarray)
        made.number = current[0]
        if made.nbytes > BYTES_FREE[0]:
            raise OutOfMemoryError(f"Out of memory allocating {made.nbytes:,} bytes")
        return made

    return make


def _plain(value):
    if isinstance(value, list | tuple):
        return type(value)(_plain(item) for item in value)
    return value.view(np.ndarray) if isinstance(value, ndarray) else value


def asarray(value, dtype=None):
    """Return an array on the device; one that is there already is not copied."""
    if isinstance(value, ndarray) and (dtype is None or value.dtype == dtype):
        return value
    return _made("array")(value, dtype)


class Device:
    def __init__(self, number):
        self.id = number

    def __enter__(self):
        self._before = current[0]
        current[0] = self.id
        return self

    def __exit__(self, *_):
        current[0] = self._before


class Event:
    def __init__(self, disable_timing=False):
        pass

    def record(self):
        pass

    def synchronize(self):
        pass


def install():
    """Put this in CuPy's place for the rest of the process."""
    module = types.ModuleType("cupy")
    module.ndarray = ndarray
    module.asarray = asarray
    for name in (
        "zeros", "empty", "full", "concatenate", "ascontiguousarray", "flatnonzero", "where", "interp", "searchsorted",
    ):  # fmt: skip
        setattr(module, name, _made(name))
    pool = types.SimpleNamespace(free_bytes=lambda: 0, free_all_blocks=lambda: None)
    module.get_default_memory_pool = lambda: pool
    stream = types.SimpleNamespace(ptr=0, synchronize=lambda: None)
    module.get_default_pinned_memory_pool = lambda: pool
    module.__version__ = "simulated"
    module.cuda = types.SimpleNamespace(
        Device=Device,
        Event=Event,
        get_current_stream=lambda: stream,
        memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
        runtime=types.SimpleNamespace(
            getDeviceCount=lambda: DEVICES,
            getDeviceProperties=lambda number: PROPERTIES,
            memGetInfo=lambda: (BYTES_FREE[0], PROPERTIES["totalGlobalMem"]),
            driverGetVersion=lambda: 13000,
            runtimeGetVersion=lambda: 13000,
        ),
    )
    sys.modules["cupy"] = module
    sys.modules["cupyx"], sys.modules["cupyx.scipy"] = types.ModuleType("cupyx"), types.ModuleType("cupyx.scipy")
    sys.modules["cupyx.scipy"].fft = types.SimpleNamespace(rfftn=_rfftn, irfftn=_irfftn, get_fft_plan=_plan)
    return module


def _plan(array, shape=None, axes=None, value_type="C2C"):
    """Return what a transform of cuFFT must find in its plan: the type, and the shape of the real array."""
    assert type(array) is ndarray
    assert axes is None
    real = array.shape if shape is None else tuple(shape)
    if value_type == "C2R":
        assert array.shape == (*real[:-1], real[-1] // 2 + 1)
    return value_type, real, np.result_type(array.dtype, np.complex64)


def _rfftn(array, plan):
    assert plan == ("R2C", array.shape, np.result_type(array.dtype, np.complex64))
    return _made_by(np.fft.rfftn(_plain(array)).astype(plan[2]))


def _irfftn(array, s, overwrite_x, plan):
    assert plan == ("C2R", tuple(s), array.dtype)
    return _made_by(np.fft.irfftn(_plain(array), s=s, axes=(0, 1, 2)).astype(array.real.dtype))


def _made_by(values):
    return asarray(values)
