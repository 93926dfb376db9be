"""What other libraries say while they read or write goes to the mcdose log, never to stderr."""

from __future__ import annotations

import logging
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
