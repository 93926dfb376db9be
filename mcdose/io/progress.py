"""How far the reading of images has come, told to whoever asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mcdose.errors import Cancelled

Progress = Callable[[int, int], bool | None]
_asked: ContextVar[Progress | None] = ContextVar("asked", default=None)


@contextmanager
def told_to(progress: Progress | None) -> Iterator[None]:
    """Tell `progress(done, total)` of every file that is read within; where it returns False, raise Cancelled.

    An image is read twice, its headers and its pixels: `total` is twice the number of its files.
    """
    token = _asked.set(progress)
    try:
        yield
    finally:
        _asked.reset(token)


def tell(done: int, total: int) -> None:
    """Say how many steps of an image are done."""
    progress = _asked.get()
    if progress is not None and progress(done, total) is False:
        raise Cancelled("reading was stopped")
