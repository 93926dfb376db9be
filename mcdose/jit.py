"""Compile the physics once, in single precision, for every device.

The physics and transport functions are written as plain scalar Python with readable literals. `@compiled` rounds
their float literals and module constants to float32 before numba sees them, because a float64 literal would silently
promote a whole float32 expression (and workstation GPUs run float64 at 1/64 of the float32 rate). CUDA kernels call
the same functions: numba compiles the Python function of a dispatcher again for the device.
"""

from __future__ import annotations

import hashlib
import logging
import os
import stat
import tempfile
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np

log = logging.getLogger("mcdose")

# Contraction (a*b + c in one rounding) is safe and part of what makes results bit-identical on one CPU target;
# reassociation and approximate functions are not asked for. NumPy's division rules: no branch for division by zero.
# Nothing here allocates, so reference counting, which is atomic, is off.
FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}, "_nrt": False}


def _rounded(value: Any) -> Any:
    """Return a literal with the floats in it, also in tuples, rounded to float32."""
    if type(value) is float:
        return np.float32(value)
    return tuple(_rounded(item) for item in value) if type(value) is tuple else value


def in_single_precision(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function` with every float literal and float module constant that it uses rounded to float32."""
    code = function.__code__
    literals = tuple(_rounded(value) for value in code.co_consts)
    names = dict(function.__globals__)
    for name in code.co_names:
        if type(names.get(name)) is float:
            names[name] = np.float32(names[name])
    rounded = types.FunctionType(
        code.replace(co_consts=literals), names, function.__name__, function.__defaults__, function.__closure__
    )
    rounded.__doc__ = function.__doc__
    rounded.__module__ = function.__module__
    rounded.__qualname__ = function.__qualname__
    return rounded


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a scalar physics or transport function: float32 arithmetic, no global interpreter lock."""
    return numba.njit(**FLAGS)(in_single_precision(function))


def inlined(function: Callable[..., Any]) -> Any:
    """Compile like `compiled`, as a part of its callers.

    For functions that hand all of the tables on: each call copies them, some hundred words.
    """
    return numba.njit(forceinline=True, **FLAGS)(in_single_precision(function))


def launcher(function: Callable[..., Any]) -> Any:
    """Compile a function that the host calls, and keep the machine code on disk for the next process."""
    rounded = in_single_precision(function)
    if not _takes_files(cache_folder()):  # numba would write beside the sources, where it does not see them change
        return numba.njit(**FLAGS)(rounded)
    with _cache_directory():
        return numba.njit(cache=True, **FLAGS)(rounded)


def cuda_launcher(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a kernel for CUDA devices, and keep the machine code on disk for the next process.

    Link-time optimisation is off, so that the PTX that the tests look at is what a device runs.

    Parameters
    ----------
    function : the kernel
    options : of `numba.cuda.jit`, such as `launch_bounds`
    """
    from numba import cuda

    rounded = in_single_precision(function)
    if cuda.config.ENABLE_CUDASIM:  # the simulator knows no options
        return cuda.jit(rounded)
    kept = _takes_files(cache_folder())
    with _cache_directory() if kept else nullcontext():
        # Called as a decorator with options only, numba-cuda 0.30 loses `lto` and `fastmath`.
        return cuda.jit(rounded, lto=False, cache=kept, **options)


@cache
def cache_folder() -> Path:
    """Folder of compiled code, named by what the code depends on; in the temporary folder if the user's takes no files.

    Numba does not notice a change in a callee of another module, in a constant or in a flag, so the name carries a
    hash of this package's sources, the versions of numba, numba-cuda, llvmlite and NumPy, and the flags.
    """
    package = Path(__file__).parent
    versions = (numba.__version__, llvmlite.__version__, np.__version__, _version("numba-cuda"))
    state = hashlib.sha256(repr((versions, sorted(FLAGS.items(), key=str))).encode())
    for folder in (package, package / "physics", package / "transport", package / "engine"):
        for source in sorted(folder.glob("*.py")):
            state.update(source.name.encode() + source.read_bytes())
    folder = cache_root() / state.hexdigest()[:16]
    if _takes_files(folder):
        return folder
    log.warning("compiled code cannot be kept in %s; set MCDOSE_CACHE_DIR to a folder that can be written", folder)
    return _temporary_root() / folder.name


def _version(package: str) -> str | None:
    """Return the version of a package that need not be there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def cache_root() -> Path:
    """Folder that holds every `cache_folder`: `$MCDOSE_CACHE_DIR`, or the user's cache folder."""
    chosen = os.environ.get("MCDOSE_CACHE_DIR")
    if chosen:
        return Path(chosen)
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "mcdose"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mcdose"


def _temporary_root() -> Path:
    """Folder of this user in the shared temporary folder; code that others could have put there is never loaded."""
    if os.name == "nt":  # the temporary folder is the user's own
        return Path(tempfile.gettempdir()) / "mcdose"
    root = Path(tempfile.gettempdir()) / f"mcdose-{os.getuid()}"
    with suppress(OSError):
        root.mkdir(mode=0o700, exist_ok=True)
        state = root.lstat()
        if stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid() and not state.st_mode & 0o022:
            return root
    return Path(tempfile.mkdtemp(prefix="mcdose-"))


def _takes_files(folder: Path) -> bool:
    """Tell whether a file can be written into a folder, which is made if it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@contextmanager
def _cache_directory() -> Iterator[None]:
    """Point numba's cache at `cache_folder` while a function is decorated, then put it back.

    Numba reads the setting at decoration; leaving it changed would move the cache of every other package.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before
