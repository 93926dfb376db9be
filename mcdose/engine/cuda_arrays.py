"""Work on arrays that lie on a CUDA device, by our own kernels where the order of a sum matters."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from importlib.metadata import version
from threading import Lock
from typing import Any

import cupy
import numpy as np
from numba import cuda

from mcdose.engine import cuda_kernels as kernels
from mcdose.engine.cuda_devices import dotted
from mcdose.engine.cuda_sizes import LANES, SUM_BLOCKS
from mcdose.maps import Voxels, halves, target_limit
from mcdose.problem import TARGET_ABOVE
from mcdose.tally import Sums, Tally, add_sums, total_quanta

_advice = Lock()


@contextmanager
def on_device(number: int) -> Iterator[None]:
    """Make a device the current one, for CuPy and for numba."""
    with cupy.cuda.Device(number), cuda.gpus[number]:
        yield


def device_target(number: int) -> tuple[str, int]:
    """Return what code for a device is compiled for, in words, and how many multiprocessors it has."""
    about = cupy.cuda.runtime.getDeviceProperties(number)
    return f"sm_{about['major']}{about['minor']} ({about['name'].decode()})", int(about["multiProcessorCount"])


def cuda_versions() -> dict[str, str]:
    """Return the versions that results on a device depend on."""
    runtime = cupy.cuda.runtime
    return {
        "numba_cuda": version("numba-cuda"),
        "cupy": str(cupy.__version__),
        "cuda_driver": dotted(runtime.driverGetVersion()),
        "cuda_runtime": dotted(runtime.runtimeGetVersion()),
    }


def stream() -> Any:
    """Return the caller's current stream, as numba takes it."""
    current = cupy.cuda.get_current_stream().ptr
    return cuda.external_stream(current) if current else 0


def as_kernel(value: Any) -> Any:
    """Return a CuPy array, or a named tuple with such in it, as kernels take it: no copy, and no wait."""
    if isinstance(value, tuple):
        return type(value)(*(as_kernel(item) for item in value))
    return cuda.as_cuda_array(value, sync=False) if isinstance(value, cupy.ndarray) else value


def launch(kernel: Any, blocks: Any, threads: int, *arguments: Any) -> None:
    """Start a kernel on the current stream."""
    with _advice:  # numba warns of every grid of less than 128 blocks; the setting is put back for the host program
        before = cuda.config.CUDA_LOW_OCCUPANCY_WARNINGS
        cuda.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0
        try:
            configured = kernel[blocks, threads, stream()]
        finally:
            cuda.config.CUDA_LOW_OCCUPANCY_WARNINGS = before
    configured(*(as_kernel(argument) for argument in arguments))


def over(kernel: Any, count: int, *arguments: Any) -> None:
    """Start a kernel that strides over `count` items."""
    if count:
        launch(kernel, min(-(-count // LANES), 4096), LANES, *arguments)


def to_device(value: Any) -> Any:
    """Return an array, or a named tuple with such in it, on the current device; what is there already is not copied."""
    if isinstance(value, tuple):
        return type(value)(*(to_device(item) for item in value))
    return cupy.asarray(value) if isinstance(value, np.ndarray | cupy.ndarray) else value


def words_on_gpu(tia_bq_s: Any) -> tuple[Any, Any, Any]:
    """Return the words of slabs, rows and voxels; see `source_tables.build_source`."""
    nz, ny, nx = tia_bq_s.shape
    with on_device(tia_bq_s.device.id):
        voxels, row_sums = _lines(cupy.ascontiguousarray(tia_bq_s).reshape(nz * ny, nx))
        rows, slab_sums = _lines(row_sums.reshape(nz, ny))
        slabs, _ = _lines(slab_sums.reshape(1, nz))
        return slabs, rows, voxels


def _lines(values: Any) -> tuple[Any, Any]:
    words = cupy.empty(values.shape, np.uint32)
    totals = cupy.empty(values.shape[0])
    over(kernels.cumulate, values.shape[0], values, words, totals)
    return words.ravel(), totals


def checksum_on_gpu(array: Any) -> int:
    """Return `mcdose.checksum.checksum` of an array."""
    with on_device(array.device.id):
        out = cupy.zeros(1, np.uint64)
        over(kernels.add_checksum, array.size, cupy.ascontiguousarray(array).ravel(), out)
        return int(out[0])


def largest_densities_on_gpu(density: Any, medium_index: Any, media: int) -> list[float]:
    """Return `Problem.largest_density`."""
    with on_device(density.device.id):
        largest = cupy.zeros(media, np.float32)
        over(kernels.find_largest, density.size, density, medium_index, largest)
        return [float(value) for value in largest.get()]


def folded(parts: Any, blocks: int) -> Any:
    """Return the sums (lines, blocks) of what the threads of each block wrote, parts (lines, threads)."""
    out = cupy.zeros(parts.shape[0] * blocks)
    over(kernels.fold, out.size, parts.reshape(out.size, -1), out)
    return out.reshape(-1, blocks)


class GpuTally(Tally):
    """Sums over batches, per voxel, in the memory of a CUDA device.

    Parameters
    ----------
    number : of the device, the current one
    voxels, batch_histories : see `Tally`
    """

    def __init__(self, number: int, voxels: int, batch_histories: int) -> None:
        super().__init__(voxels, batch_histories, cupy)
        self.number = number

    def flush_all(self, batch: Any, histories: int) -> None:
        """Move a batch of so many histories into the sums and clear it."""
        over(kernels.flush, self.voxels, batch, np.float64(self.batch_histories / histories), self.sums)

    def deposited(self) -> int:
        """Return the quanta in all voxels."""
        with on_device(self.number):
            return total_quanta(self.sums)

    def add(self, other: Tally) -> None:
        """Add the sums of other batches over the same voxels, wherever they are."""
        with on_device(self.number):
            add_sums(self.sums, other.sums, to_device)
        self.histories += other.histories
        self.batches += other.batches

    def twin(self) -> GpuTally:
        """Return the same sums in memory of their own."""
        with on_device(self.number):
            twin = GpuTally(self.number, self.voxels, self.batch_histories)
        twin.add(self)
        return twin

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as sums on the host: who reads them may have no GPU."""
        return copy, (self.on_host(),)

    def on_host(self) -> Tally:
        """Return the same sums in the memory of the host."""
        host = Tally(0, self.batch_histories)
        host.voxels, host.histories, host.batches = self.voxels, self.histories, self.batches
        with on_device(self.number):
            host.sums = Sums(*(part.get() for part in self.sums))
        return host

    def maps(self, voxels: Voxels, per_history: float, scratch: Any) -> tuple[Any, Any]:
        """Return dose [Gy] and relative error of every voxel in the memory of `scratch`, a batch."""
        dose, relative = halves(scratch)
        self._fill_dose(voxels, per_history, -1.0, dose)
        over(kernels.fill_error, self.voxels, self.sums, voxels, np.float64(self.ratio), self.batches, relative)
        return dose, relative

    def typical_uncertainty(self, voxels: Voxels, scratch: Any) -> float:
        """Return the root mean square of the relative errors over the voxels that matter; see `absorbed_dose`.

        The cleared batch `scratch` is the memory for it, and cleared again at the end.
        """
        dose, ordered = halves(scratch)
        self._fill_dose(voxels, 1.0, TARGET_ABOVE, dose)
        ordered[:] = dose
        limit = np.float32(target_limit(ordered))
        parts = cupy.zeros((2, SUM_BLOCKS * LANES))
        arguments = (self.sums, dose, limit, np.float64(self.ratio), self.batches, parts[0], parts[1])
        launch(kernels.add_variances, SUM_BLOCKS, LANES, *arguments)
        scratch.fill(0)
        total, count = (sum(line) for line in folded(parts, SUM_BLOCKS).get().tolist())
        return float(np.sqrt(total / count)) if count else float("inf")

    def _fill_dose(self, voxels: Voxels, per_history: float, above: float, dose: Any) -> None:
        over(kernels.fill_dose, self.voxels, self.sums, voxels, np.float64(per_history), np.float32(above), dose)
