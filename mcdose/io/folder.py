"""A folder of results that appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from mcdose.errors import InputError

PART = ".mcdose-"  # how the temporary folder's name begins


def require_free(folder: Path, files: Sequence[str], overwrite: bool) -> None:
    """Raise InputError if the results cannot go into a folder: they are there already, or it cannot be written."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file, a folder is needed for the results")
    for name in files:
        path = folder / name
        if path.is_dir():
            raise InputError(f"{path}: is a folder, a file of this name is to be written")
        if path.exists() and not overwrite:
            raise InputError(f"{path}: exists already; --overwrite replaces the results in this folder")
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        tempfile.TemporaryDirectory(prefix=PART, dir=nearest).cleanup()
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror} ({nearest})") from error


@contextmanager
def whole_folder(folder: Path, files: Sequence[str], overwrite: bool) -> Iterator[Path]:
    """Give a temporary folder to write to; move its files to `folder` when the block ends without an error.

    Results of an earlier run are replaced as one set: what this run did not write goes. After an error or Ctrl-C
    everything is as it was before.

    Parameters
    ----------
    folder : where the files go; made if need be
    files : names of all files that a run can write, in the order they appear
    overwrite : replace those that are there

    Raises
    ------
    InputError
        If the results are there already and may not be replaced, or the disk cannot be written.
    """
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=PART, dir=folder) as temporary:
            part = Path(temporary) / "new"
            part.mkdir()
            yield part
            require_free(folder, files, overwrite)
            _exchange(part, folder, Path(temporary) / "old", files)
    except BaseException as error:
        for place in made:
            with suppress(OSError):
                place.rmdir()
        if isinstance(error, OSError):
            raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error
        raise


def _exchange(new: Path, folder: Path, old: Path, files: Sequence[str]) -> None:
    old.mkdir()
    placed: list[Path] = []
    try:
        for name in files:
            if (folder / name).exists():
                os.replace(folder / name, old / name)
        for file in sorted(new.iterdir(), key=lambda path: files.index(path.name)):
            placed.append(folder / file.name)
            os.replace(file, folder / file.name)
    except BaseException:
        for file in placed:
            file.unlink(missing_ok=True)
        for file in old.iterdir():
            os.replace(file, folder / file.name)
        raise
