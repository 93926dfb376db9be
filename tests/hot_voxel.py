"""A dose with one hot voxel, and a DICOM series to refer to, for the tests of what is written."""

import numpy as np
from images import ct_series
from oriented import OBLIQUE

from mcdose.grid import Grid, placed
from mcdose.io.ct import read_ct

GRID = Grid((5, 7, 9), (3.0, 4.07283, 2.5), (-377.44, -222.76099, 144.36099))
OBLIQUE_GRID = placed(GRID.shape, GRID.voxel_mm, GRID.origin_mm, OBLIQUE)
HOT = (1, 2, 6)
HOT_MM = (144.36099 + 6 * 2.5, -222.76099 + 2 * 4.07283, -377.44 + 3.0)  # x, y, z
COMMENT = "Y-90 Monte Carlo, dose to medium"


def hot_voxel():
    dose = np.zeros(GRID.shape, dtype=np.float32)
    dose[HOT] = 123.456
    dose[0, 0, 0] = 0.001
    return dose


def series_in(folder):
    ct_series(folder / "ct", np.zeros((2, 3, 4)), PositionReferenceIndicator="XY", StudyDescription="Y-90")
    return read_ct(folder / "ct").series
