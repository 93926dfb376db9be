"""What can run the transport."""

from __future__ import annotations

import logging
import platform
from dataclasses import dataclass
from functools import cache
from typing import Any

from mcdose.arrays import device_of, on_gpu

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
    from mcdose.engine.cuda_devices import working_gpus

    cpu = Device("cpu", "cpu", f"{platform.machine()} {cpu_name()}", thread_count(None))
    gpus = [Device(f"cuda:{gpu.number}", "cuda", gpu.description, gpu.threads) for gpu in working_gpus()]
    return [cpu, *gpus]


@cache
def _say_once(level: int, message: str) -> None:
    log.log(level, message)


def choose_devices(asked: Any, tia_bq_s: Any = None) -> tuple[str, ...]:
    """Return the devices to use for "auto", "cpu", "cuda", "cuda:N", "cuda:N,M" or "cuda:all".

    Parameters
    ----------
    asked : str
    tia_bq_s : an array on a CUDA device stays on it

    Raises
    ------
    ValueError
        Not one of these, or an explicit device that is not there or does not work.
    TypeError
        An array on a CUDA device for the CPU.
    """
    numbers = _numbers(asked)
    from mcdose.engine.cuda_devices import why_not, working_gpus

    working = [] if asked == "cpu" else [gpu.number for gpu in working_gpus()]
    holder = None
    if on_gpu(tia_bq_s):
        if not working:
            why = "device is 'cpu'" if asked == "cpu" else f"no CUDA device works ({why_not().text})"
            raise TypeError(f"tia_bq_s must be a NumPy array when {why}, got {type(tia_bq_s).__module__} on a GPU")
        holder = device_of(tia_bq_s)
    if asked == "cpu":
        return ("cpu",)
    if asked == "auto" and not working:
        reason = why_not()
        _say_once(logging.WARNING if reason.broken else logging.INFO, f"device 'auto' is the CPU: {reason.text}")
        return ("cpu",)
    if not working:
        raise ValueError(f"device {asked!r} is not available: {why_not().text}")
    if holder is not None:
        if asked == "cuda:all" or numbers not in (None, [holder]):
            raise ValueError(f"device must be that of tia_bq_s, cuda:{holder}, or 'cuda', got {asked!r}")
        numbers = [holder]
    if asked == "cuda:all":
        numbers = working
    if numbers is None:
        numbers = working[:1]
        if asked == "auto":
            _say_once(logging.INFO, f"device 'auto' is cuda:{numbers[0]}")
    missing = [f"cuda:{number}" for number in numbers if number not in working]
    if missing:
        there = ", ".join(f"cuda:{number}" for number in working)
        raise ValueError(f"device {asked!r} is not available: {', '.join(missing)} is not among {there}")
    return tuple(f"cuda:{number}" for number in numbers)


def _numbers(asked: Any) -> list[int] | None:
    """Return the numbers after "cuda:", None where no number is given."""
    if asked in ("auto", "cpu", "cuda", "cuda:all"):
        return None
    head, _, tail = asked.partition(":") if isinstance(asked, str) else ("", "", "")
    parts = tail.split(",")
    numbers = [int(part) for part in parts if part.isascii() and part.isdigit()]
    if head != "cuda" or len(set(numbers)) < len(parts):
        raise ValueError(f"device must be 'auto', 'cpu', 'cuda', 'cuda:N', 'cuda:N,M' or 'cuda:all', got {asked!r}")
    return numbers
