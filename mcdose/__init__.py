"""mcdose: Monte Carlo absorbed dose for radionuclide therapy."""

import logging
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcdose.calibration import Calibration as Calibration
    from mcdose.citations import citations as citations
    from mcdose.comparison import ComparisonNoise as ComparisonNoise
    from mcdose.comparison import DoseComparison as DoseComparison
    from mcdose.comparison import compare_doses as compare_doses
    from mcdose.devices import Device as Device
    from mcdose.devices import devices as devices
    from mcdose.dose import absorbed_dose as absorbed_dose
    from mcdose.dvh import dvh as dvh
    from mcdose.electron_kernels import ElectronKernels as ElectronKernels
    from mcdose.errors import Cancelled as Cancelled
    from mcdose.errors import InputError as InputError
    from mcdose.gamma import gamma_index as gamma_index
    from mcdose.grid import Grid as Grid
    from mcdose.grid import Volume as Volume
    from mcdose.kernel import PointKernel as PointKernel
    from mcdose.kernel import VoxelKernel as VoxelKernel
    from mcdose.kernel_file import load_kernel as load_kernel
    from mcdose.media import Medium as Medium
    from mcdose.media import media as media
    from mcdose.media import medium as medium
    from mcdose.merge import merge as merge
    from mcdose.nuclides import (
        activity_to_tia as activity_to_tia,
    )
    from mcdose.nuclides import (
        nuclide as nuclide,
    )
    from mcdose.nuclides import (
        nuclides as nuclides,
    )
    from mcdose.parameters import TransportParameters as TransportParameters
    from mcdose.point_kernel import dose_point_kernel as dose_point_kernel
    from mcdose.result import DoseResult as DoseResult
    from mcdose.time_activity import TimeIntegral as TimeIntegral
    from mcdose.time_activity import time_integrated_activity as time_integrated_activity
    from mcdose.voxel_kernel import voxel_kernel as voxel_kernel

__version__ = "0.1.0.dev0"

# Public names and where they live; loaded on first use, so that `import mcdose` costs nothing.
_HOMES = {
    "absorbed_dose": "dose",
    "dose_point_kernel": "point_kernel",
    "load_kernel": "kernel_file",
    "voxel_kernel": "voxel_kernel",
    "PointKernel": "kernel",
    "ElectronKernels": "electron_kernels",
    "VoxelKernel": "kernel",
    "merge": "merge",
    "DoseResult": "result",
    "TransportParameters": "parameters",
    "activity_to_tia": "nuclides",
    "time_integrated_activity": "time_activity",
    "TimeIntegral": "time_activity",
    "nuclide": "nuclides",
    "nuclides": "nuclides",
    "Medium": "media",
    "media": "media",
    "medium": "media",
    "Calibration": "calibration",
    "dvh": "dvh",
    "compare_doses": "comparison",
    "DoseComparison": "comparison",
    "ComparisonNoise": "comparison",
    "gamma_index": "gamma",
    "devices": "devices",
    "Device": "devices",
    "citations": "citations",
    "Grid": "grid",
    "Volume": "grid",
    "InputError": "errors",
    "Cancelled": "errors",
}

__all__ = ["__version__", *sorted(_HOMES)]


logging.getLogger("mcdose").addHandler(logging.NullHandler())  # the library itself prints nothing


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mcdose' has no attribute {name!r}")
    value = getattr(import_module(f"mcdose.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """Python binds an imported submodule in its package; `mcdose.media` must stay the function, whoever imports it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
