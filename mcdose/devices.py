"""What can run the transport."""

from __future__ import annotations

import logging
import platform
from dataclasses import dataclass
from functools import cache

log = logging.getLogger("mcdose")


@dataclass(frozen=True)
class Device:
    """Something that runs histories.

    Parameters
    ----------
    name : what `device=` takes, "cpu" or "cuda:0"
    kind : "cpu" or "cuda"
    description : the processor, in words
    threads : how many histories run at once by default
    """

    name: str
    kind: str
    description: str
    threads: int


def devices() -> list[Device]:
    """Return the devices that work here, the CPU always first."""
    from mcdose.engine.cpu import cpu_name, thread_count

    return [Device("cpu", "cpu", f"{platform.machine()} {cpu_name()}", thread_count(None))]


@cache
def _log_choice() -> None:
    """Say once what "auto" is."""
    log.info("device 'auto' is the CPU: this version of mcdose has no CUDA engine")


def choose_device(asked: str) -> str:
    """Return the device to use for "auto", "cpu", "cuda" or "cuda:N".

    Raises
    ------
    ValueError
        Not one of these, or an explicit device that is not there.
    """
    if asked in ("auto", "cpu"):
        if asked == "auto":
            _log_choice()
        return "cpu"
    if isinstance(asked, str) and (asked == "cuda" or asked.startswith("cuda:")):
        raise ValueError(
            f"device {asked!r} is not available: this version of mcdose has no CUDA engine, use 'cpu' or 'auto'"
        )
    raise ValueError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got {asked!r}")
