"""What becomes of a call when a CUDA device runs out of memory: one clear error, and nothing left on the device."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def out_of_memory_named(devices: Sequence[str]) -> Iterator[None]:
    """Turn CuPy's error for too little memory into a MemoryError that names the devices and what would help.

    What the calls inside hold is let go at once: while an error lives, so does all that its traceback sees.
    """
    try:
        yield
    except MemoryError as error:
        cupy = sys.modules.get("cupy")
        if cupy is None or not isinstance(error, cupy.cuda.memory.OutOfMemoryError):
            raise
        failed = str(error)
        traceback.clear_frames(error.__traceback__)
        from mcdose.engine.cuda import free_pools

        free_pools([int(device.removeprefix("cuda:")) for device in devices])
        raise MemoryError(
            f"device {', '.join(devices)} ran out of memory: {failed} Fewer voxels, a lower max_memory "
            "(voxel-kernel) or device='cpu' take less"
        ) from None
