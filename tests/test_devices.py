"""Which device is used, and what is said where a GPU does not work."""

import logging
import sys
import types

import numpy as np
import pytest

import mcdose
from mcdose.cli import main
from mcdose.devices import _say_once
from mcdose.engine import cuda_devices

TIA = np.ones((2, 2, 2))
VOXEL_MM = (3.0, 3.0, 3.0)


examined = cuda_devices._examined  # the real one, see conftest.py


class CudaError(Exception):
    """Stands for CuPy's."""


def broken_cupy(message):
    """Return a CuPy that cannot count devices."""

    def count():
        raise CudaError(message)

    return types.SimpleNamespace(cuda=types.SimpleNamespace(runtime=types.SimpleNamespace(getDeviceCount=count)))


def cupy_with_a_gpu_that_fails():
    """Return a CuPy that finds a device, on which nothing can be done."""

    def device(number):
        raise CudaError(
            "CUDA_ERROR_UNSUPPORTED_PTX_VERSION: the provided PTX was compiled with an unsupported toolchain."
        )

    runtime = types.SimpleNamespace(getDeviceCount=lambda: 1)
    return types.SimpleNamespace(cuda=types.SimpleNamespace(runtime=runtime, Device=device))


@pytest.fixture
def machine(monkeypatch):
    """Return a function that makes this machine look like another one."""

    def look(driver, packages=(), cupy=None):
        monkeypatch.setattr(cuda_devices, "_examined", examined)
        monkeypatch.setattr(cuda_devices, "has_driver", lambda: driver)
        monkeypatch.setattr(cuda_devices, "find_spec", lambda name: True if name in packages else None)
        if cupy is not None:
            monkeypatch.setitem(sys.modules, "cupy", cupy)
        for name in ("mcdose.engine.cuda_arrays", "mcdose.engine.cuda_kernels"):
            if name not in sys.modules:
                monkeypatch.setitem(sys.modules, name, types.SimpleNamespace(on_device=None, launch=None, probe=None))
        examined.cache_clear()
        _say_once.cache_clear()

    yield look
    examined.cache_clear()
    _say_once.cache_clear()


BOTH = ("numba_cuda", "cupy")
MACHINES = {
    "no GPU": ((False,), False, ("no NVIDIA driver",)),
    "a driver and no packages": ((True,), True, ("numba-cuda and CuPy", 'pip install "mcdose[cuda]"')),
    "CuPy missing": ((True, BOTH[:1]), True, ("CuPy", 'pip install "mcdose[cuda]"')),
    "a driver that is too old": (
        (True, BOTH, broken_cupy("cudaErrorInsufficientDriver: CUDA driver version is insufficient")),
        True,
        ("too old", "mcdose[cuda12]"),
    ),
    "a driver and no GPU": (
        (True, BOTH, broken_cupy("cudaErrorNoDevice: no CUDA-capable device")),
        False,
        ("NoDevice",),
    ),
    "a GPU that fails": (
        (True, BOTH, cupy_with_a_gpu_that_fails()),
        True,
        ("cuda:0 does not work", "too old", "mcdose[cuda12]"),
    ),
}


@pytest.mark.parametrize("name", MACHINES)
def test_auto_falls_back_to_the_cpu_with_one_warning(machine, caplog, name):
    look, broken, words = MACHINES[name]
    machine(*look)
    with caplog.at_level(logging.INFO, logger="mcdose"):
        for _ in range(2):
            assert mcdose.absorbed_dose(TIA, VOXEL_MM, histories=100).device == "cpu"
    said = [record for record in caplog.records if "device 'auto'" in record.getMessage()]
    assert len(said) == 1
    assert said[0].levelno == (logging.WARNING if broken else logging.INFO)
    for word in words:
        assert word in said[0].getMessage()
    assert [device.name for device in mcdose.devices()] == ["cpu"]


@pytest.mark.parametrize("name", MACHINES)
def test_an_explicit_device_that_does_not_work_is_refused(machine, name):
    look, _, words = MACHINES[name]
    machine(*look)
    for asked in ("cuda", "cuda:0", "cuda:all", "cuda:0,1"):
        with pytest.raises(ValueError, match=f"device '{asked}' is not available") as refused:
            mcdose.absorbed_dose(TIA, VOXEL_MM, histories=100, device=asked)
        for word in words:
            assert word in str(refused.value)


@pytest.mark.parametrize("name", MACHINES)
def test_doctor_says_why(machine, capsys, name):
    look, _, words = MACHINES[name]
    machine(*look)
    assert main(["doctor"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "would use the CPU" in said
    for word in words:
        assert word in said


@pytest.mark.parametrize("asked", ["cuda:", "cuda:x", "cuda:-1", "cuda:0,0", "cuda:0,00", "cuda:1.0", "CUDA", "", 0])
def test_what_is_no_device(asked):
    with pytest.raises(ValueError, match="device must be"):
        mcdose.absorbed_dose(TIA, VOXEL_MM, histories=100, device=asked)
