"""Fixtures that several test files share."""

import pytest

from mcdose.media import medium
from mcdose.parameters import TransportParameters
from mcdose.physics_tables import build
from mcdose.transport.tables import Tables

MEDIA = ("water", "lung", "cortical-bone")
DENSITIES = (1.0, 0.4, 1.92)  # g/cm3, the largest of each medium


@pytest.fixture(scope="session")
def three_media() -> Tables:
    """Tables of water, lung and cortical bone (`MEDIA`) with the default parameters."""
    return build([medium(name) for name in MEDIA], DENSITIES, TransportParameters())
