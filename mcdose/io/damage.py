"""Damaged and hostile files: one kind of error whatever a library raises, sizes checked before they are believed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.errors import Cancelled, InputError
from mcdose.grid import Turned, orthogonal, turned

DEFLATE_RATIO = 1032  # the most that zlib can shrink data by
CODEC_RATIO = 30_000  # an empty slice of 4096 x 4096 shrinks by 28 700 in JPEG 2000, with a header of 1 kB
SHORTEST_MM, LONGEST_MM = 1e-3, 1e3  # sides of a voxel
FURTHEST_MM = 1e5  # of anything from the origin of the patient
SHEAR_MM = 0.1  # by how much the voxels of an image may be off a grid of right angles


@contextmanager
def damage(path: Path, what: str = "cannot be read") -> Iterator[None]:
    """Raise what a library raises on a damaged file, which can be anything, as an InputError that names the file.

    Want of memory stays a MemoryError: sizes are checked before, so that it is the machine's fault and not the file's.
    """
    try:
        yield
    except (InputError, MemoryError, Cancelled):
        raise
    except Exception as error:
        raise InputError(f"{path}: {what}: {str(error).strip() or type(error).__name__}") from error


class _Bounded:
    """A file that is never asked for more than it holds: `read` of Python's files first allocates what is asked for."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self.tell, self.seek, self.close, self.name = file.tell, file.seek, file.close, file.name

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes, or what is left."""
        if size is None or size < 0:
            return self._file.read()
        return self._file.read(min(size, max(self._size - self._file.tell(), 0)))


@contextmanager
def bounded(path: Path) -> Iterator[Any]:
    """Open a file for a library that trusts the lengths in it."""
    with path.open("rb") as file:
        yield _Bounded(file, path.stat().st_size)


def require_held(path: Path, shape: tuple[int, ...], item_bytes: float, held_bytes: int, ratio: int = 1) -> None:
    """Raise unless data of a shape fits in what a file holds, which a codec can have made `ratio` times smaller."""
    if min(shape, default=1) < 1:
        raise InputError(f"{path}: sizes must be at least 1, got {shape}")
    needed = math.prod(shape) * item_bytes
    if needed > held_bytes * ratio:
        raise InputError(
            f"{path}: {' x '.join(map(str, shape))} values need {needed:.4g} bytes, the file holds {held_bytes}"
            f"{'' if ratio == 1 else ' of compressed data'}; it is damaged or cut short"
        )


def require_sound_heaps(path: Path) -> None:
    """Raise if a heap of texts in an HDF5 file has sizes over which the HDF5 library goes on for ever.

    Global heap collections, HDF5 File Format Specification 3.0, III.E: 16 bytes, then objects with a header of 16
    bytes, number (0 is the free space) and size, and content padded to 8. Free space of size 0 and objects that
    reach beyond the heap, whose size overflows when it is padded, are what it does not notice.
    """
    data = path.read_bytes()
    heap = data.find(b"GCOL\x01\0\0\0")
    while heap >= 0:
        end = heap + int.from_bytes(data[heap + 8 : heap + 16], "little")
        at = heap + 16
        while at + 16 <= min(end, len(data)):
            number, size = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 8 : at + 16], "little")
            if number == 0 and size == 0:
                raise InputError(f"{path}: a damaged HDF5 file, whose heap at byte {heap} has free space of size 0")
            if size > end - at:
                raise InputError(
                    f"{path}: a damaged HDF5 file, whose heap at byte {heap} holds {size} bytes in one object"
                )
            at += size if number == 0 else 16 + (size + 7) // 8 * 8
        heap = data.find(b"GCOL\x01\0\0\0", heap + 1)


def placed_grid(
    path: Path,
    shape: tuple[int, int, int],
    voxel_mm: tuple[float, float, float],
    origin_mm: Sequence[float] | NDArray[np.float64],
    axes: ArrayLike,
) -> Turned:
    """Place stored values in the patient; raise for voxels, places and axes that no image of a patient has.

    Parameters
    ----------
    path : to name in errors
    shape, voxel_mm, origin_mm, axes : see `mcdose.grid.turned`; the axes may be off a right angle by as little as
        moves no voxel by more than `SHEAR_MM`
    """
    if min(shape) < 1:
        raise InputError(f"{path}: the image has no voxels, its size is {shape}")
    if not all(SHORTEST_MM <= side <= LONGEST_MM for side in voxel_mm):
        raise InputError(f"{path}: voxel size must lie within {SHORTEST_MM:g} and {LONGEST_MM:g} mm, got {voxel_mm}")
    extent = np.array(shape) * np.array(voxel_mm)
    if not (np.abs(origin_mm) + extent.max() <= FURTHEST_MM).all():
        first = tuple(float(v) for v in origin_mm)
        raise InputError(f"{path}: the image must lie within {FURTHEST_MM:g} mm, its first voxel is at {first} mm")
    rows = np.asarray(axes, dtype=np.float64)
    moved = np.abs(extent @ np.abs(orthogonal(rows) - rows)).max()
    if not moved <= SHEAR_MM:
        raise InputError(
            f"{path}: the axes of the image must be at right angles, voxels are up to {moved:.2f} mm off a grid that is"
        )
    return turned(shape, voxel_mm, origin_mm, rows)


def placed_steps(
    path: Path, shape: tuple[int, int, int], steps: NDArray[np.float64], first_mm: Sequence[float] | NDArray[np.float64]
) -> Turned:
    """Place stored values by the way from each voxel to the next, as an affine matrix has it.

    Parameters
    ----------
    path : to name in errors
    shape : of the stored values
    steps : (3, 3), column a the way (x, y, z) to the next voxel along stored axis a [mm]
    first_mm : (x, y, z) of the centre of the first voxel
    """
    lengths = np.linalg.norm(steps, axis=0)
    if not (np.isfinite(lengths).all() and lengths.min() > 0 and np.isfinite(first_mm).all()):
        raise InputError(f"{path}: voxel size must be positive, got {lengths.tolist()} mm from {list(first_mm)}")
    a, b, c = (float(side) for side in lengths)
    return placed_grid(path, shape, (a, b, c), [float(v) for v in first_mm][::-1], (steps / lengths)[::-1].T)
