"""Run the CUDA engine on numba's simulator and a stand-in for CuPy, in plain Python; print what came out as JSON.

Started by test_cuda_simulator.py with NUMBA_ENABLE_CUDASIM=1 and NUMBA_DISABLE_JIT=1. The CPU engine runs in plain
Python here too, so both must give the same bits.
"""

import contextlib
import functools
import json
import pickle
import sys
import threading
import warnings
from pathlib import Path

import fake_cupy
import numpy as np
from numba import cuda

sys.path.append(str(Path(__file__).parents[1]))
warnings.simplefilter("ignore", RuntimeWarning)  # integers that wrap around, as they should
np.seterr(all="ignore")
cupy = fake_cupy.install()


class Contexts(dict):
    def __missing__(self, number):
        return contextlib.nullcontext()


cuda.gpus = Contexts()
cuda.as_cuda_array = lambda array, sync: array.view(np.ndarray)

from mcdose.engine import cuda_devices, cuda_sizes  # noqa: E402 (after the stand-in)
from mcdose.transport import score  # noqa: E402
from tools import cuda_resources  # noqa: E402

cuda_sizes.THREADS, cuda_sizes.BLOCKS_PER_PROCESSOR = 3, 2
cuda_sizes.LANES, cuda_sizes.SUM_BLOCKS, cuda_sizes.REGION_BLOCKS = 4, 3, 2
cuda_devices.has_driver = lambda: True
cuda_devices.find_spec = lambda name: True


def locked_score(numbers, index, amount):
    with lock:  # noqa: F821 (a name of the module whose code it becomes)
        numbers[index] += amount


# Threads of a simulated block are threads of Python: adding must be made safe, as `cuda.atomic.add` is.
score.lock = threading.Lock()
score.score.__code__ = locked_score.__code__

import mcdose  # noqa: E402
from mcdose import monte_carlo  # noqa: E402
from mcdose.engine import cuda as engine  # noqa: E402
from mcdose.engine import cuda_arrays, cuda_kernels, cuda_rows  # noqa: E402

cuda_rows.ROWS_PER_PROCESSOR = 1
real_batch_sizes = monte_carlo.batch_sizes
monte_carlo.batch_sizes = lambda voxels, device="cpu": (16, 32, 16)

generator = np.random.default_rng(1)
SHAPE = (4, 5, 6)
TIA = generator.random(SHAPE)
WORLD = {
    "voxel_mm": (3.0, 2.0, 40.0),
    "density_g_cm3": generator.uniform(0.02, 1.9, SHAPE),
    "medium": generator.integers(0, 2, SHAPE),
    "media": ["water", "cortical-bone"],
    "regions": {"hot": TIA > 0.5, "dense": 0.5 * (generator.random(SHAPE) > 0.3)},
    "seed": 3,
}
HISTORIES = 80


def on_device(world):
    """Return the arrays of a world as CuPy's."""

    def moved(value):
        if isinstance(value, dict):
            return {name: moved(item) for name, item in value.items()}
        return cupy.asarray(value) if isinstance(value, np.ndarray) else value

    return {name: moved(value) for name, value in world.items()}


def same(one, other):
    """Tell whether two results are the same, bit for bit."""
    plain = [[np.asarray(fake_cupy._plain(r.dose_gy)), np.asarray(fake_cupy._plain(r.relative_uncertainty))]
             for r in (one, other)]  # fmt: skip
    return {
        "dose": plain[0][0].tobytes() == plain[1][0].tobytes() and bool(plain[0][0].any()),
        "uncertainty": plain[0][1].tobytes() == plain[1][1].tobytes() and bool(np.isfinite(plain[0][1]).any()),
        "quanta": one.energy_quanta == other.energy_quanta,
        "faults": one.faults == other.faults and not any(fault.count for fault in one.faults.values()),
        "regions": all(
            abs(one.regions[name].mean_gy / other.regions[name].mean_gy - 1.0) < 1e-12
            and abs(one.regions[name].standard_error_gy / other.regions[name].standard_error_gy - 1.0) < 1e-9
            for name in WORLD["regions"]
        ),
    }


def caught(error, function, *arguments, **named):
    """Return the message of the error that a call must raise."""
    try:
        function(*arguments, **named)
    except error as raised:
        return str(raised)
    return None


cpu = mcdose.absorbed_dose(TIA, device="cpu", histories=HISTORIES, threads=1, **WORLD)
found = {"devices": [device.name for device in mcdose.devices()]}

asked = []
launched = {}
real_launch = cuda_arrays.launch


def noting_launch(kernel, blocks, threads, *arguments):
    real_launch(kernel, blocks, threads, *arguments)
    types = [cuda_resources.described(argument) for argument in arguments]
    if types not in launched.setdefault(kernel.__name__, []):
        launched[kernel.__name__].append(types)
    if kernel is cuda_kernels.transport and arguments[4] == 1:
        asked.append(int(arguments[-1].counters[0]))


for module in (engine, cuda_arrays, cuda_rows):
    module.launch = noting_launch
gpu = mcdose.absorbed_dose(TIA, device="cuda", histories=HISTORIES, **WORLD)
found["one device"] = {**same(gpu, cpu), "named": gpu.device == "cuda:0", "photons set aside": sum(asked) > 0}
found["provenance"] = {name: gpu.provenance[name] for name in ("target", "numba_cuda", "cupy", "cuda_driver")}
found["read without a GPU"] = type(pickle.loads(pickle.dumps(gpu.state.tally))).__name__
found["auto"] = mcdose.absorbed_dose(TIA, (3.0, 3.0, 3.0), histories=4).device

several = mcdose.absorbed_dose(TIA, device="cuda:all", histories=HISTORIES, **WORLD)
found["two devices"] = {**same(several, cpu), "named": several.device == "cuda:0,1"}

real_open = engine.open_cuda
for name, shape in {
    "photons on the spot": engine.Shape(1, 0.0),
    "no room aside": engine.Shape(2, 1e-6),
}.items():
    engine.open_cuda = functools.partial(real_open, shape=shape)
    found[name] = same(mcdose.absorbed_dose(TIA, device="cuda", histories=HISTORIES, **WORLD), cpu)
engine.open_cuda = real_open

resident = mcdose.absorbed_dose(cupy.asarray(TIA), histories=HISTORIES, **on_device(WORLD))
found["arrays on the device"] = {
    **same(resident, cpu),
    "stay there": all(type(a) is cupy.ndarray for a in (resident.dose_gy, resident.relative_uncertainty)),
    "follow them": mcdose.absorbed_dose(
        cupy.asarray(TIA[:, ::-1]).astype(np.float32), (3.0, 3.0, 3.0), histories=4, device="cuda"
    ).dose_gy.shape == SHAPE,
}  # fmt: skip
administered = mcdose.activity_to_tia(cupy.asarray(TIA), "Y-90")
found["arrays on the device"]["activity too"] = (
    type(administered) is cupy.ndarray and administered.get().tobytes() == mcdose.activity_to_tia(TIA, "Y-90").tobytes()
)
found["mixed"] = caught(TypeError, mcdose.absorbed_dose, cupy.asarray(TIA), histories=4, **WORLD)
found["mixed back"] = caught(TypeError, mcdose.absorbed_dose, TIA, histories=4, **on_device(WORLD))
found["on the CPU"] = caught(
    TypeError, mcdose.absorbed_dose, cupy.asarray(TIA), (3.0, 3.0, 3.0), histories=4, device="cpu"
)
found["another device"] = caught(
    ValueError, mcdose.absorbed_dose, cupy.asarray(TIA), (3.0, 3.0, 3.0), histories=4, device="cuda:1"
)
found["no such device"] = caught(ValueError, mcdose.absorbed_dose, TIA, (3.0, 3.0, 3.0), histories=4, device="cuda:7")
for bad, value in (("negative", -1.0), ("infinite", np.inf), ("zero", 0.0)):
    wrong = np.zeros(SHAPE)
    wrong[0, 0, 0] = value
    found[bad] = caught(ValueError, mcdose.absorbed_dose, cupy.asarray(wrong), (3.0, 3.0, 3.0), histories=4)

LONG = (3, 4, 30)
dense = np.ones(LONG)
dense[1, 2, 3] = 19.0
long_world = {"voxel_mm": (30.0, 20.0, 10.0), "nuclide": "Tc-99m", "histories": 60, "seed": 8}
built = []
real_blocks = monte_carlo.photon_blocks
monte_carlo.photon_blocks = lambda *arguments: built.append(real_blocks(*arguments)) or built[-1]
by_blocks = [
    mcdose.absorbed_dose(np.ones(LONG), density_g_cm3=dense, device=device, threads=1, **long_world)
    for device in ("cpu", "cuda")
] + [mcdose.absorbed_dose(cupy.asarray(np.ones(LONG)), density_g_cm3=cupy.asarray(dense), **long_world)]
monte_carlo.photon_blocks = real_blocks
found["photons by blocks"] = {
    "blocks": all(len(blocks) == 4 for blocks in built) and len(built) == 3,
    "on the device": type(built[2]) is cupy.ndarray,
    "the same blocks": len({fake_cupy._plain(blocks).tobytes() for blocks in built}) == 1,
    "the same dose": len({fake_cupy._plain(result.dose_gy).tobytes() for result in by_blocks}) == 1,
    "in balance": all(
        result.energy_quanta["emitted"] == result.energy_quanta["deposited"] + result.energy_quanta["escaped"]
        for result in by_blocks
    ),
}

along = {"nuclide": "In-111", "histories": 40, "parameters": mcdose.TransportParameters(track_length=0.1), **WORLD}
along_cpu, along_gpu = (mcdose.absorbed_dose(TIA, device=device, threads=1, **along) for device in ("cpu", "cuda"))
found["track lengths"] = same(along_gpu, along_cpu)
alphas = {"nuclide": "At-211", "histories": 48, **WORLD}
alphas_cpu = mcdose.absorbed_dose(TIA, device="cpu", threads=1, **alphas)
found["alphas"] = same(mcdose.absorbed_dose(TIA, device="cuda:all", **alphas), alphas_cpu)
resident = mcdose.absorbed_dose(cupy.asarray(TIA), **on_device(alphas))
found["alphas, arrays on the device"] = same(resident, alphas_cpu)

hu = generator.integers(-1100, 1700, SHAPE)
by_ct = {"voxel_mm": (3.0, 3.0, 3.0), "histories": 32, "dose_to_water": True}
found["CT on the device"] = (
    mcdose.absorbed_dose(cupy.asarray(TIA), ct_hu=cupy.asarray(hu), **by_ct).dose_gy.get().tobytes()
    == mcdose.absorbed_dose(TIA, ct_hu=hu, device="cpu", **by_ct).dose_gy.tobytes()
)
local = {key: value for key, value in WORLD.items() if key != "seed"}
local_cpu = mcdose.absorbed_dose(TIA, method="local-deposition", device="cpu", **local)
local_gpu = mcdose.absorbed_dose(cupy.asarray(TIA), method="local-deposition", **on_device(local))
found["local deposition"] = {
    "dose": np.allclose(local_gpu.dose_gy.get(), local_cpu.dose_gy, rtol=1e-6),
    "regions": all(
        abs(local_gpu.regions[name].mean_gy / local_cpu.regions[name].mean_gy - 1.0) < 1e-6 for name in local["regions"]
    ),
    "device": local_gpu.device == "cuda:0",
}

# The transforms are NumPy's here, and the kernels made up: plain Python is too slow to integrate one.
from types import SimpleNamespace  # noqa: E402

import mcdose.voxel_convolution as convolution  # noqa: E402
from mcdose.convolution.even_kernel import EvenKernel  # noqa: E402
from mcdose.kernel_pair import KernelPair  # noqa: E402
from mcdose.smooth_voxels import coarse_shape  # noqa: E402

real_pair = convolution.kernel_pair
made_up = KernelPair(
    EvenKernel(generator.random((3, 3, 2))),
    EvenKernel(generator.random((2, 2, 3))),
    (2, 3, 2),
    False,
    11.3,
    SimpleNamespace(emitted_mev=1.0, histories=1, provenance={}),
)
convolution.kernel_pair = lambda *arguments: made_up
found["convolution"] = {}
for scaling in ("none", "target", "source", "multiple-kernels"):
    how = {"method": "voxel-kernel", "density_scaling": scaling, "max_memory": 300_000, "dose_to_water": True}
    by_cpu = mcdose.absorbed_dose(TIA, device="cpu", **how, **local)
    by_gpu = mcdose.absorbed_dose(cupy.asarray(TIA), **how, **on_device(local))
    sent = mcdose.absorbed_dose(TIA, device="cuda:1", **how, **local)
    found["convolution"] |= {
        f"{scaling}, dose": np.allclose(by_gpu.dose_gy.get(), by_cpu.dose_gy, rtol=1e-6) and by_cpu.dose_gy.any(),
        f"{scaling}, sent": np.allclose(sent.dose_gy, by_cpu.dose_gy, rtol=1e-6) and type(sent.dose_gy) is np.ndarray,
        f"{scaling}, regions": all(
            abs(by_gpu.regions[name].mean_gy / by_cpu.regions[name].mean_gy - 1.0) < 1e-6 for name in local["regions"]
        ),
        f"{scaling}, device": (by_gpu.device, sent.device) == ("cuda:0", "cuda:1"),
    }
smooth_far = EvenKernel(generator.random(coarse_shape(TIA.shape, made_up.merge)))
rough, made_up = made_up, made_up._replace(far=smooth_far, smooth=True)
how = {"method": "voxel-kernel", "density_scaling": "source"}
found["convolution"]["smooth"] = np.allclose(
    mcdose.absorbed_dose(cupy.asarray(TIA), **how, **on_device(local)).dose_gy.get(),
    mcdose.absorbed_dose(TIA, device="cpu", **how, **local).dose_gy,
    rtol=1e-6,
)
made_up = rough
found["convolution"] = {name: bool(value) for name, value in found["convolution"].items()}
whole = {"method": "voxel-kernel", "precision": "single", **local}
found["convolution"]["in single precision"] = bool(
    np.allclose(
        mcdose.absorbed_dose(cupy.asarray(TIA), **on_device(whole)).dose_gy.get(),
        mcdose.absorbed_dose(TIA, device="cpu", **whole).dose_gy,
        rtol=1e-4,
    )
)
fake_cupy.BYTES_FREE[0] = 1000
found["convolution runs out"] = caught(MemoryError, mcdose.absorbed_dose, TIA, device="cuda", **whole)
fake_cupy.BYTES_FREE[0] = 2**34
convolution.kernel_pair = real_pair

parts = [
    mcdose.absorbed_dose(TIA, device="cuda", histories=48, first_history=32, **WORLD),
    mcdose.absorbed_dose(TIA, device="cpu", histories=32, **WORLD),
]
merged = mcdose.merge(parts)
found["merged with the CPU"] = {**same(merged, cpu), "named": merged.device == "cuda:0, cpu"}
other = {**WORLD, "density_g_cm3": WORLD["density_g_cm3"] * (1.0 + 1e-6)}
elsewhere = mcdose.absorbed_dose(TIA, device="cuda", histories=16, first_history=64, **other)
found["merged with another"] = caught(ValueError, mcdose.merge, [parts[1], elsewhere])

heard = []


def stop(done, total):
    heard.append(done)
    return done < 32


stopped = mcdose.absorbed_dose(TIA, device="cuda", histories=HISTORIES, progress=stop, **WORLD)
first_32 = mcdose.absorbed_dose(TIA, device="cpu", histories=32, **WORLD)
found["cancelled"] = {
    **same(stopped, first_32),
    "says so": stopped.cancelled and stopped.histories == 32 and heard == [0, 16, 32],
}
found["cancelled at once"] = caught(
    mcdose.Cancelled, mcdose.absorbed_dose, TIA, (3.0, 3.0, 3.0), device="cuda", progress=lambda *_: False
)

targets = {
    device: mcdose.absorbed_dose(
        TIA, (30.0, 30.0, 30.0), device=device, histories=600, target_uncertainty=0.4, threads=1
    )
    for device in ("cpu", "cuda", "cuda:0,1")
}
found["target"] = {
    "before the end": 0 < targets["cpu"].histories < 600,
    "the same": len({result.histories for result in targets.values()}) == 1,
    "after several judgements": targets["cpu"].histories > 8 * 16 + 3 * 32,
    "the same dose": len({result.dose_gy.tobytes() for result in targets.values()}) == 1,
    "in balance": all(
        result.energy_quanta["emitted"] == result.energy_quanta["deposited"] + result.energy_quanta["escaped"]
        for result in targets.values()
    ),
}

fake_cupy.BYTES_FREE[0] = 2**20
found["does not fit"] = caught(MemoryError, mcdose.absorbed_dose, TIA, (3.0, 3.0, 3.0), device="cuda")
fake_cupy.BYTES_FREE[0] = 2**34
real_check, engine.check_memory = engine.check_memory, lambda number, work, devices: None
fake_cupy.BYTES_FREE[0] = 1000
found["runs out"] = caught(MemoryError, mcdose.absorbed_dose, TIA, (3.0, 3.0, 3.0), device="cuda")
fake_cupy.BYTES_FREE[0] = 2**34
engine.check_memory = real_check

edges = np.linspace(0.0, 12.0, 13)
from mcdose import point_kernel  # noqa: E402

point_kernel.BATCH = 8
kernels = [
    mcdose.dose_point_kernel(0.5, histories=30, first_history=3, shell_edges_mm=edges, device=device)
    for device in ("cpu", "cuda")
]
found["point kernel"] = {
    "energy": kernels[0].energy_mev.tobytes() == kernels[1].energy_mev.tobytes() and bool(kernels[0].energy_mev.any()),
    "errors": kernels[0].standard_error_mev.tobytes() == kernels[1].standard_error_mev.tobytes(),
    "deviations": kernels[0].deviations_mev.tobytes() == kernels[1].deviations_mev.tobytes(),
    "named": kernels[1].provenance["device"] == "cuda:0",
}
found["launched"] = launched
json.dump(found, sys.stdout)
