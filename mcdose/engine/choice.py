"""The engine of a device."""

from __future__ import annotations

from mcdose.engine.cpu import CpuEngine
from mcdose.engine.work import Engine, Work


def open_engine(devices: tuple[str, ...], threads: int, work: Work) -> Engine:
    """Return the engine that does `work` on the CPU or on one or several CUDA devices."""
    if devices == ("cpu",):
        return CpuEngine(threads, work)
    from mcdose.engine.cuda import open_cuda

    return open_cuda(devices, work)
