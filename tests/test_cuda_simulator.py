"""The CUDA engine on numba's simulator, without a GPU: memory, grids, batches, queues and what a user gets.

simulated_gpu.py runs it in a process of its own; each test here looks at a part of what it found.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba_cuda", reason="the CUDA checks without a GPU need the dependency group 'test'")


@pytest.fixture(scope="module")
def found():
    """What the process with the simulator found."""
    done = subprocess.run(
        [sys.executable, "simulated_gpu.py"],
        cwd=Path(__file__).parent,
        env={**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "case",
    [
        "one device", "two devices", "photons on the spot", "no room aside", "arrays on the device", "cancelled",
        "merged with the CPU", "point kernel", "local deposition", "target", "convolution",
        "photons by blocks", "track lengths", "alphas", "alphas, arrays on the device",
    ],
)  # fmt: skip
def test_simulator_equals_plain_python(found, case):
    """Bit for bit, whatever the grid, the queue of photons, the number of devices and where the arrays lie."""
    assert all(found[case].values()), found[case]


def test_simulator_devices(found):
    assert found["devices"] == ["cpu", "cuda:0", "cuda:1"]
    assert found["auto"] == "cuda:0"
    assert found["CT on the device"] is True
    assert found["provenance"]["target"] == "sm_90 (Simulated GPU)"
    assert found["provenance"]["cuda_driver"] == "13.0"
    assert found["provenance"]["numba_cuda"][0].isdigit()
    assert found["read without a GPU"] == "Tally"


@pytest.mark.parametrize(
    ("case", "words"),
    {
        "mixed": ("medium", "on the GPU", "ndarray"),
        "mixed back": ("NumPy", "on a GPU"),
        "on the CPU": ("tia_bq_s", "device is 'cpu'"),
        "another device": ("cuda:0", "'cuda:1'"),
        "no such device": ("'cuda:7'", "cuda:0, cuda:1"),
        "negative": ("tia_bq_s", "1 negative", "-1.0"),
        "infinite": ("tia_bq_s", "1 values"),
        "zero": ("tia_bq_s", "zero"),
        "merged with another": ("different",),
        "cancelled at once": ("before the first batch",),
        "does not fit": ("cuda:0", "GiB free", "(4, 5, 6)", "needs"),
        "runs out": ("cuda:0", "ran out of memory"),
        "convolution runs out": ("cuda:0", "ran out of memory", "max_memory"),
    }.items(),
)
def test_simulator_refuses(found, case, words):
    assert found[case] is not None
    for word in words:
        assert word in found[case]


def test_simulator_launches_what_ptx_is_compiled_for(found):
    """The arguments of the engine are of the types that test_cuda_ptx_f64.py compiles the kernels for."""
    from tools import cuda_resources

    compiled = {name: cuda_resources.described(tuple(kinds))[1:] for name, kinds in cuda_resources.arguments().items()}
    compiled.pop("probe")
    others = {
        "cumulate": [["float32[2]", "uint32[2]", "float64[1]"]],  # maps of other dtypes
        "add_checksum": [[f"{kind}[1]", "uint64[1]"] for kind in ("float32", "uint8", "int32")],
    }
    assert set(compiled) == set(found["launched"])
    for name, kinds in found["launched"].items():
        assert compiled[name] in kinds, name
        assert all(kind in (compiled[name], *others.get(name, ())) for kind in kinds), (name, kinds)
