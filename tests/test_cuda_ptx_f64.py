"""The CUDA kernels without a GPU: they compile, follow histories without float64, and take what they did."""

import json
import re

import pytest

pytest.importorskip("numba_cuda", reason="the CUDA checks without a GPU need the dependency group 'test'")

from tools import cuda_resources

RECORD = json.loads(cuda_resources.RECORD.read_text())["kernels"]
ARCHITECTURES = {f"sm_{major}{minor}": (major, minor) for major, minor in cuda_resources.ARCHITECTURES}
KERNELS = tuple(cuda_resources.arguments())


def kernels_of_the_engine():
    from mcdose.engine import cuda_kernels

    return {name for name, value in vars(cuda_kernels).items() if type(value).__name__ == "CUDADispatcher"}


def test_ptx_of_every_kernel_is_looked_at():
    assert set(KERNELS) == kernels_of_the_engine() == set(RECORD)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_ptx_compiles_and_takes_no_more_than_recorded(kernel, architecture):
    """Record anew with `python -m tools.cuda_resources` after a change that is worth it."""
    capability = ARCHITECTURES[architecture]
    text = cuda_resources.ptx(kernel, capability)
    assert f".target {architecture}" in text
    assert ".visible .entry" in text
    taken = cuda_resources.resources(kernel, capability)
    for name, limit in RECORD[kernel][architecture].items():
        assert taken[name] <= limit, f"{kernel} on {architecture} takes {taken[name]} {name}, recorded {limit}"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("kernel", cuda_resources.TRANSPORT)
def test_no_f64_where_histories_are_followed(kernel, architecture):
    """Workstation GPUs run float64 at 1/64 of the speed of float32."""
    found = re.findall(r"^.*\.f64.*$", cuda_resources.ptx(kernel, ARCHITECTURES[architecture]), re.MULTILINE)
    assert not found, found[:5]


def test_f64_is_found_where_it_is():
    """The check above can fail: sums over voxels are taken in float64."""
    assert ".f64" in cuda_resources.ptx("fill_error", (9, 0))


@pytest.mark.parametrize("kernel", cuda_resources.TRANSPORT)
def test_ptx_adds_in_integers(kernel):
    """Sums that do not depend on the order: atomic additions of 64-bit integers, none of real numbers."""
    text = cuda_resources.ptx(kernel, (9, 0))
    added = re.findall(r"\b(?:atom|red)\S*\.add\S*\.(\w+)", text)
    assert {"u64"} == set(added), set(added)


@pytest.mark.parametrize("kernel", KERNELS)
def test_ptx_is_what_a_device_runs(kernel):
    """With link-time optimisation the device would run other code than is looked at here."""
    from mcdose.engine import cuda_kernels

    assert getattr(cuda_kernels, kernel).targetoptions["lto"] is False


@pytest.mark.parametrize("kernel", cuda_resources.TRANSPORT)
def test_ptx_occupancy(kernel):
    """Blocks of a launch are resident at once by their registers."""
    from mcdose.engine.cuda_sizes import BLOCKS_PER_PROCESSOR, ROW_BLOCKS_BY_REGISTERS, THREADS

    blocks = {"transport": BLOCKS_PER_PROCESSOR, "transport_rows": ROW_BLOCKS_BY_REGISTERS}[kernel]
    registers = cuda_resources.resources(kernel, (9, 0))["registers"]
    assert cuda_resources.resident_threads(registers, THREADS) >= blocks * THREADS
