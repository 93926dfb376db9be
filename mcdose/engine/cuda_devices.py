"""Which CUDA devices work here, and if none does, why; importing this needs no CUDA package."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

INSTALL = 'pip install "mcdose[cuda]"'


class Gpu(NamedTuple):
    """A CUDA device on which a kernel has run."""

    number: int
    description: str
    threads: int  # resident at once
    compute_capability: tuple[int, int]
    memory_bytes: int


class Reason(NamedTuple):
    """Why there is no CUDA device to use."""

    text: str
    broken: bool  # there seems to be a GPU, so that its owner wants to hear of it


def working_gpus() -> tuple[Gpu, ...]:
    """Return the CUDA devices that ran a small kernel; looked at once a process."""
    return _examined()[0]


def why_not() -> Reason:
    """Return why `working_gpus` is empty, or what is wrong with those that are not in it."""
    return _examined()[1]


def has_driver() -> bool:
    """Tell whether a driver of an NVIDIA GPU is installed, be it a broken one."""
    if any(Path(trace).exists() for trace in ("/proc/driver/nvidia/version", "/dev/nvidiactl")):
        return True
    for library in ("libcuda.so.1", "nvcuda.dll"):
        with suppress(OSError):
            ctypes.CDLL(library)
            return True
    return False


@cache
def _examined() -> tuple[tuple[Gpu, ...], Reason]:
    driver = has_driver()
    if not driver:
        return (), Reason("no NVIDIA driver was found", False)
    missing = [name for name, module in (("numba-cuda", "numba_cuda"), ("CuPy", "cupy")) if find_spec(module) is None]
    if missing:
        return (), Reason(f"there is an NVIDIA driver, but {' and '.join(missing)} not: {INSTALL}", True)
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # whatever a broken installation raises
        return (), Reason(_explained(error), "NoDevice" not in str(error))
    gpus = []
    failures = []
    for number in range(count):
        try:
            gpus.append(_tried(number))
        except Exception as error:
            failures.append(f"cuda:{number} does not work: {_explained(error)}")
    return tuple(gpus), Reason("; ".join(failures) or "no NVIDIA GPU was found", bool(failures))


def _tried(number: int) -> Gpu:
    """Run a kernel on a device and return what it is."""
    import cupy
    import numpy as np

    from mcdose.engine.cuda_arrays import launch, on_device
    from mcdose.engine.cuda_kernels import probe

    with cupy.cuda.Device(number) as device, on_device(number):
        cell = cupy.zeros(1, np.int64)
        launch(probe, 1, 32, cell)
        made = int((cell + 1).sum())  # compiled by CuPy, which needs other parts of the toolkit than numba
        if made != 33:
            raise RuntimeError(f"32 threads added 1 to 1 and made {made}")
        about = cupy.cuda.runtime.getDeviceProperties(number)
        capability = (about["major"], about["minor"])
        memory = about["totalGlobalMem"]
        name = about["name"].decode()
        threads = about["multiProcessorCount"] * about["maxThreadsPerMultiProcessor"]
        driver = dotted(cupy.cuda.runtime.driverGetVersion())
        text = f"{name}, {memory / 2**30:.0f} GiB, compute capability {capability[0]}.{capability[1]}, CUDA {driver}"
        return Gpu(int(device.id), text, threads, capability, memory)


def dotted(number: int) -> str:
    """Return a CUDA version as people write it: 13000 is 13.0."""
    return f"{number // 1000}.{number % 1000 // 10}"


def _explained(error: Exception) -> str:
    """Return one line on an error of the CUDA libraries, with what to do where that is known."""
    text = (str(error).strip().splitlines() or [""])[0][:200]
    what = f"{type(error).__name__}: {text}"
    if "InsufficientDriver" in text or "UNSUPPORTED_PTX" in text.upper() or "unsupported toolchain" in text:
        return (
            f"the NVIDIA driver is too old for the CUDA libraries installed ({what}); update the driver, or install "
            'libraries for it: pip install "mcdose[cuda12]" for drivers of CUDA 12'
        )
    if "row_stack" in text:
        return f"this numba-cuda does not know this NumPy ({what}); install both again: {INSTALL}"
    if isinstance(error, ImportError):
        return f"a CUDA package cannot be imported ({what}); install it again: {INSTALL}"
    return what
