"""Fixtures that several test files share."""

import sys
from functools import cache
from pathlib import Path

import pytest

from mcdose.engine import cuda_devices
from mcdose.media import medium
from mcdose.parameters import TransportParameters
from mcdose.physics_tables import build
from mcdose.transport.tables import Tables

# The validation cases are part of the repository, not of the package. Last, so that mcdose is the one installed.
sys.path.append(str(Path(__file__).parents[1]))

MEDIA = ("water", "lung", "cortical-bone")
DENSITIES = (1.0, 0.4, 1.92)  # g/cm3, the largest of each medium


@pytest.fixture(autouse=True)
def _auto_is_the_cpu(request, monkeypatch):
    """Let the tests mean the same on a machine with a GPU: only those marked `cuda` see it."""
    if request.node.get_closest_marker("cuda") is None and cuda_devices.has_driver():
        reason = cuda_devices.Reason("the tests run on the CPU", False)
        monkeypatch.setattr(cuda_devices, "_examined", cache(lambda: ((), reason)))


@pytest.fixture(scope="session")
def three_media() -> Tables:
    """Tables of water, lung and cortical bone (`MEDIA`) with the default parameters."""
    return build([medium(name) for name in MEDIA], DENSITIES, TransportParameters())
