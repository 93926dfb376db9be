"""How fast histories run here: the figures of `mcdose bench`, in plain JSON types."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mcdose
from mcdose.devices import Device
from mcdose.result import DoseResult

log = logging.getLogger("mcdose")

VOXEL_MM = 3.0
PILOT = 200_000  # histories that tell how many fit into the time
MOST = 2_000_000_000  # histories of a run
TUMOURS = ("tumour 1", "tumour 2")
TARGET = 0.01


def bench(
    devices: Sequence[Device],
    sizes: Sequence[int] = (64, 128, 256),
    seconds: float = 3.0,
    repeats: int = 3,
    say: Callable[[str], None] = log.info,
) -> dict[str, Any]:
    """Measure every device on Y-90 in cubes of 3 mm water voxels and in the demonstration phantom.

    Histories per second, and the time of a dose by convolution with activity in every voxel.

    Parameters
    ----------
    devices : what to measure
    sizes : voxels along a side of each cube
    seconds : of simulation in each run, about
    repeats : of every run; the median is given
    say : hears what is measured next
    """
    from mcdose.phantom import demo_phantom

    phantom = demo_phantom()
    tia = np.asarray(mcdose.activity_to_tia(phantom.activity_bq, "Y-90"))
    demo = {"tia_bq_s": tia, "voxel_mm": phantom.grid.voxel_mm, "ct_hu": phantom.ct_hu}
    masks = [phantom.structures[name] for name in TUMOURS]
    found = []
    for device in devices:
        say(f"{device.name}: first call")
        begun = time.perf_counter()
        _run(_water(4), device, 1000)
        row: dict[str, Any] = {
            "device": device.name,
            "description": device.description,
            "first_call_seconds": time.perf_counter() - begun,
        }
        problems = {f"water {side}^3": _water(side) for side in sizes} | {"demo phantom": demo}
        row["runs"] = {}
        for name, problem in problems.items():
            say(f"{device.name}: {name}")
            row["runs"][name] = _measured(problem, device, seconds, repeats)
        say(f"{device.name}: 1 % in every voxel of the demo's tumours")
        row["demo_tumours_1_percent"] = _one_percent(demo, masks, device, seconds)
        row["convolution"] = {}
        for side in sizes:
            say(f"{device.name}: convolution, water {side}^3")
            row["convolution"][f"water {side}^3"] = _convolution(side, device, repeats)
        found.append(row)
    return {"mcdose_version": mcdose.__version__, "nuclide": "Y-90", "voxel_mm": VOXEL_MM, "devices": found}


def _water(side: int) -> dict[str, Any]:
    """Return a cube of water with Y-90 all over it."""
    return {"tia_bq_s": np.ones((side,) * 3, np.float32), "voxel_mm": (VOXEL_MM,) * 3}


def _run(problem: dict[str, Any], device: Device, histories: int, seed: int = 1) -> DoseResult:
    return mcdose.absorbed_dose(**problem, device=device.name, histories=histories, seed=seed)


def _measured(problem: dict[str, Any], device: Device, seconds: float, repeats: int) -> dict[str, Any]:
    """Return the median speed of several runs and what they took; a run whose energy does not balance is an error."""
    _run(problem, device, 1000)
    pilot = _run(problem, device, PILOT)
    histories = int(min(max(seconds * PILOT / pilot.seconds, PILOT), MOST))
    if device.kind == "cuda":  # a pilot does not fill a GPU
        pilot = _run(problem, device, histories)
        histories = int(min(max(seconds * histories / pilot.seconds, PILOT), MOST))
    rates, joules = [], []
    for repeat in range(repeats):
        meter = EnergyMeter(device)
        result = _run(problem, device, histories, seed=repeat)
        joules.append(meter.joules())
        quanta = result.energy_quanta
        assert quanta is not None
        assert result.histories_per_second is not None
        if quanta["emitted"] != quanta["deposited"] + quanta["escaped"]:
            raise RuntimeError(f"the energy does not balance on {device.name}: {quanta}")
        rates.append(result.histories_per_second)
    rate = float(np.median(rates))
    flights = result.provenance["flights_per_history"]
    known = [value for value in joules if value is not None]
    return {
        "histories": histories,
        "histories_per_second": rate,
        "range": [min(rates), max(rates)],
        "flights_per_second": rate * flights,
        "flights_per_history": flights,
        "ns_per_flight": 1e9 / (rate * flights),
        "joules_per_million_histories": float(np.median(known)) / histories * 1e6 if known else None,
    }


def _one_percent(
    problem: dict[str, Any], masks: Sequence[NDArray[np.bool_]], device: Device, seconds: float
) -> dict[str, Any]:
    """Return the time of a call that leaves 1 % in the voxels of every tumour, root mean square, and what it left.

    Where that would take more than ten times `seconds` it is what a shorter run lets expect, and `measured` is False.
    """

    def left(result: DoseResult) -> float:
        assert result.relative_uncertainty is not None
        errors = result.relative_uncertainty.astype(np.float64)
        return max(float(np.sqrt(np.mean(errors[mask] ** 2))) for mask in masks)

    rate = _run(problem, device, PILOT).histories_per_second or PILOT
    pilot = _run(problem, device, int(min(max(rate * seconds, PILOT), 20_000_000)))
    histories = int(1.05 * pilot.histories * (left(pilot) / TARGET) ** 2)
    begun = time.perf_counter()
    expected = pilot.seconds / pilot.histories * histories
    if expected > 10.0 * seconds:
        return {"measured": False, "seconds": expected, "seconds_of_simulation": expected, "histories": histories,
                "reached": None}  # fmt: skip
    result = _run(problem, device, histories, seed=2)
    return {
        "measured": True,
        "seconds": time.perf_counter() - begun,
        "seconds_of_simulation": result.seconds,
        "histories": histories,
        "reached": left(result),
    }


def _convolution(side: int, device: Device, repeats: int) -> dict[str, float]:
    """Return the time of a dose by convolution, the first (with the kernel) and the median of the next."""
    problem = _water(side)
    if device.kind == "cuda":
        import cupy

        problem["tia_bq_s"] = cupy.asarray(problem["tia_bq_s"])
    seconds = []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        mcdose.absorbed_dose(**problem, device=device.name, method="voxel-kernel")
        if device.kind == "cuda":
            cupy.cuda.Device().synchronize()
        seconds.append(time.perf_counter() - begun)
    return {"first_seconds": seconds[0], "seconds": float(np.median(seconds[1:]))}


class EnergyMeter:
    """Counts the energy that a GPU takes, where NVML tells it."""

    def __init__(self, device: Device) -> None:
        self._handle: Any = None
        if device.kind == "cuda":
            with suppress(Exception):  # no NVML, or a GPU that does not count
                import cupy
                import pynvml

                pynvml.nvmlInit()
                bus = cupy.cuda.Device(int(device.name.removeprefix("cuda:"))).pci_bus_id
                handle = pynvml.nvmlDeviceGetHandleByPciBusId(bus)
                self._before = pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
                self._handle = handle

    def joules(self) -> float | None:
        """Return what was taken since the meter was made, J."""
        if self._handle is None:
            return None
        with suppress(Exception):
            import pynvml

            return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(self._handle) - self._before) / 1000.0
        return None
