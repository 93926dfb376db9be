"""Long runs of dose-point kernels in pieces that are kept as files, so that a run that was stopped goes on."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import mcdose
from mcdose.errors import Cancelled, InputError
from mcdose.kernel import PointKernel
from mcdose.kernel_file import kept_kernel, save_kernel, table_hashes
from mcdose.kernel_merge import merge_point_kernels
from mcdose.media import Medium
from mcdose.media import medium as find_medium
from mcdose.nuclides import Nuclide
from mcdose.point_kernel import BATCH, dose_point_kernel

if TYPE_CHECKING:
    from mcdose.monte_carlo import Progress

log = logging.getLogger("mcdose")

PIECE = 1 << 20  # histories, whole batches
# What a kernel does not depend on; every other source of the package may change its numbers.
NOT_PHYSICS = {"commands", "io", "__init__", "__main__", "case", "cli", "citations", "dvh", "errors", "kernel"}
NOT_PHYSICS |= {"calibration", "grid", "kernel_file", "kernel_merge", "outputs", "phantom", "regions", "resample"}
NOT_PHYSICS |= {"summary", "voxel_kernel", "electron_kernels", "kernel_pieces", "kernel_plot"}
NOT_PHYSICS |= {
    "bench",
    "coarse_voxels",
    "comparison",
    "comparison_outputs",
    "comparison_summary",
    "convolution",
    "dose_grid",
    "dose_pair",
}
NOT_PHYSICS |= {
    "gamma",
    "gamma_search",
    "kernel_pair",
    "known_kernel",
    "local_deposition",
    "methods",
    "oblique_overlap",
}
NOT_PHYSICS |= {
    "registered",
    "report",
    "result_files",
    "shell_integration",
    "smooth_voxels",
    "subvoxels",
    "time_activity",
    "time_curve",
}
NOT_PHYSICS |= {"time_points", "voxel_convolution", "dose", "device_memory"}


def code_hash() -> str:
    """Return the sha256 of the sources and tables that the numbers of a kernel come from."""
    package = Path(mcdose.__file__).parent
    state = hashlib.sha256(json.dumps(table_hashes()).encode())
    for source in sorted(package.rglob("*.py")):
        inner = source.relative_to(package)
        if not NOT_PHYSICS & {inner.parts[0], inner.stem}:
            state.update(inner.as_posix().encode() + source.read_bytes())
    return state.hexdigest()


def point_kernel_in_pieces(
    source: str | float | Nuclide,
    medium: str | Medium = "water",
    *,
    density_g_cm3: float | None = None,
    shell_edges_mm: Sequence[float] | None = None,
    histories: int = PIECE,
    seed: int = 0,
    threads: int | None = None,
    device: str = "auto",
    progress: Progress | None = None,
    folder: Path | None = None,
) -> tuple[PointKernel, list[Path]]:
    """Simulate a dose-point kernel in pieces of 2^20 histories.

    Pieces are found again only by the same arguments and the same code and tables of the physics. The sum of all of
    them is that of one run, see `merge_point_kernels`.

    Parameters
    ----------
    source, medium, density_g_cm3, shell_edges_mm, seed, threads, device : see `dose_point_kernel`
    histories : at least so many, in whole batches of 4096
    progress : hears of all pieces together; one that it stops is not kept
    folder : where the pieces of all kernels are kept; None is `kernel-pieces` in the user's cache

    Returns
    -------
    kernel, files of its pieces, for `forget_pieces` once the kernel is saved

    Raises
    ------
    Cancelled
        `progress` said stop; the pieces that are whole stay.
    """
    from mcdose.jit import cache_root

    chosen = medium if isinstance(medium, Medium) else find_medium(medium)
    edges = None if shell_edges_mm is None else [float(edge) for edge in shell_edges_mm]
    named = source.name if isinstance(source, Nuclide) else source
    whose = (source.name, source.identity) if isinstance(source, Nuclide) else source
    about = (whose, chosen.identity, density_g_cm3, edges, seed, code_hash())
    key = hashlib.sha256(repr(about).encode()).hexdigest()[:16]
    own = (folder or cache_root() / "kernel-pieces") / f"{named}_{chosen.name}-{key}".replace("/", "_")
    total = -(-histories // BATCH) * BATCH
    parts: list[PointKernel] = []
    files: list[Path] = []
    for first, count in _pieces(total):
        path = own / f"{first // BATCH:08d}-{count}.h5"
        part = kept_kernel(path, "a piece")
        if part is None:

            def heard(done: int, _: int | None, first: int = first) -> bool | None:
                return None if progress is None else progress(first + done, total)

            part = dose_point_kernel(
                source, chosen, density_g_cm3=density_g_cm3, shell_edges_mm=edges, histories=count,
                first_history=first, seed=seed, threads=threads, device=device, progress=heard,
            )  # fmt: skip
            if part.histories < count:
                raise Cancelled("cancelled; the pieces that are whole are kept")
            _keep(part, path)
        parts.append(part)
        files.append(path)
    return merge_point_kernels(parts), files


def forget_pieces(files: Sequence[Path]) -> None:
    """Delete pieces, and their folder if nothing else is in it; another run may have done so already."""
    with suppress(OSError):
        for path in files:
            path.unlink(missing_ok=True)
        files[0].parent.rmdir()


def _pieces(total: int) -> Iterator[tuple[int, int]]:
    """Yield (first, count) of the pieces; a single batch left over, which would have no error, goes with the last."""
    first = 0
    while first < total:
        count = total - first if total - first <= PIECE + BATCH else PIECE
        yield first, count
        first += count


def _keep(part: PointKernel, path: Path) -> None:
    """Save a piece; a folder that takes no files is no reason to fail."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_kernel(part, path, overwrite=True)
    except OSError as error:
        log.warning("the pieces of this run cannot be kept, so it could not go on after a stop: %s", error)
    except InputError:  # another run has just deleted the folder
        log.info("a piece was not kept: %s", path)
