"""Files that appear whole or not at all, and never in place of another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcdose.errors import InputError


def require_free(path: Path, overwrite: bool) -> None:
    """Raise if a file is there already and may not be replaced, or if there is no folder to write it in."""
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists already, and is replaced only with overwrite")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")


@contextmanager
def whole_file(path: Path, overwrite: bool) -> Iterator[Path]:
    """Give a name in the same folder to write to; rename it to `path` when the block ends without an error."""
    require_free(path, overwrite)
    part = path.with_name(f".{os.getpid()}-part-{path.name}")  # keeps the ending, by which some writers go
    try:
        yield part
        require_free(path, overwrite)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
