"""What other libraries say while they read or write goes to the mcdose log, never to stderr."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

LOGGER = logging.getLogger("mcdose")
FOREIGN_LOGGERS = ("pydicom", "highdicom", "nibabel", "nibabel.global")


class _Forward(logging.Handler):
    """Passes the records of another library's logger on to ours, one level lower than a warning."""

    def emit(self, record: logging.LogRecord) -> None:
        LOGGER.info("%s: %s", record.name, record.getMessage())


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Route Python warnings and foreign log records to `logging.getLogger("mcdose")` at level INFO.

    Works as a decorator of the public readers and writers. Like `warnings.catch_warnings` it changes state of the
    whole process while it lasts.
    """
    saved = [(log, log.handlers, log.propagate) for log in map(logging.getLogger, FOREIGN_LOGGERS)]
    for log, _, _ in saved:
        log.handlers, log.propagate = [_Forward()], False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        for log, handlers, propagate in saved:
            log.handlers, log.propagate = handlers, propagate
        for message in dict.fromkeys(f"{w.category.__name__}: {w.message}" for w in caught):
            LOGGER.info("%s", message)


@contextmanager
def native_messages() -> Iterator[list[str]]:
    """Collect what compiled code (libjpeg in GDCM, MetaIO in SimpleITK) writes to stderr past Python.

    Gives a list that holds the lines when the block has ended. Whatever else the process writes to stderr meanwhile is
    collected too, so keep the block small.
    """
    lines: list[str] = []
    with tempfile.TemporaryFile() as collected:
        try:
            stderr = os.dup(2)
        except OSError:  # a process without stderr has nothing to keep clean
            yield lines
            return
        os.dup2(collected.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            collected.seek(0)
            text = collected.read().decode(errors="replace")
            lines.extend(" ".join(line.split()) for line in text.splitlines() if line.strip())
            for line in lines:
                LOGGER.info("%s", line)
