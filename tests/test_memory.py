"""At most 40 bytes a voxel at any moment, what is returned included and the inputs not."""

import tracemalloc

import numpy as np
import pytest
from images import ct_series
from oriented import OBLIQUE

import mcdose
from mcdose.calibration import SCHNEIDER
from mcdose.case import tissue
from mcdose.grid import Grid, Volume, placed
from mcdose.io.ct import read_ct

SIDE = 128
FIXED = 8 * 2**20  # bytes that do not grow with the grid: tables of the media, slices


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    """Import and load compiled code and the tables of all media first: they take some 70 MB once, whatever the grid."""
    mcdose.absorbed_dose(np.ones((2, 2, 2)), (2.0, 2.0, 2.0), histories=100_000, target_uncertainty=0.5)
    mcdose.absorbed_dose(np.ones((2, 2, 2)), (2.0, 2.0, 2.0), ct_hu=np.full((2, 2, 2), 40, np.int16), histories=1)


def peak_and_kept(**arguments):
    """Return bytes per voxel at the peak of a run, and what its result keeps."""
    tia = np.zeros((SIDE, SIDE, SIDE), np.float32)
    tia[40:60, 40:60, 40:60] = 1.0
    tracemalloc.start()
    try:
        result = mcdose.absorbed_dose(tia, (2.0, 2.0, 2.0), threads=2, **arguments)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert result.dose_gy.any()
    return (peak - FIXED) / tia.size, (kept - FIXED) / tia.size


WORLDS = {
    "one medium": lambda: {},
    "alphas and photons": lambda: {"nuclide": "At-211"},
    "density": lambda: {"density_g_cm3": np.full((SIDE,) * 3, 1.04, np.float32)},
    "density and media": lambda: {
        "density_g_cm3": np.full((SIDE,) * 3, 1.04),
        "medium": np.zeros((SIDE,) * 3, np.int64),
        "media": ["water", "lung"],
    },
    "CT": lambda: {"ct_hu": np.full((SIDE,) * 3, 40, np.int16)},
}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("stop", [{"histories": 100_000}, {"histories": 600_000, "target_uncertainty": 0.9}])
def test_forty_bytes_a_voxel(world, stop):
    peak, kept = peak_and_kept(**WORLDS[world](), **stop)
    assert peak <= 40.0
    assert kept <= 40.0


def test_local_deposition_takes_less():
    peak, _ = peak_and_kept(method="local-deposition")
    assert peak <= 20.0


def test_a_ct_costs_little_more_than_its_values(tmp_path):
    """Reading, and the density and medium of another grid: 1.3 times the float32 values, which a large CT is."""
    stored = np.zeros((300, 96, 96))
    ct_series(tmp_path / "ct", stored, (-48.0, -48.0, 0.0), (1.0, 1.0, 1.0))
    grid = placed((20, 20, 20), (4.0, 4.0, 4.0), (100.0, -20.0, -20.0), OBLIQUE)
    once = Grid((4, 4, 4), (9.0, 9.0, 9.0), (100.0, 0.0, 0.0))
    tissue(Volume(np.zeros(once.shape, np.float32), once), grid, SCHNEIDER)
    tracemalloc.start()
    try:
        image = read_ct(tmp_path / "ct")
        for each in (grid, Grid((20, 20, 20), (4.0, 4.0, 4.0), (100.0, -20.0, -20.0))):
            tissue(image.volume, each, SCHNEIDER)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    headers = 300 * 20_000
    assert peak < 1.3 * image.volume.values.nbytes + headers
