"""The demonstration phantom: a torso of simple shapes with Y-90 in liver, two tumours and lungs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcdose.constants import AIR_HU
from mcdose.grid import Grid

ACTIVITY_BQ = 2.0e9
TUMOUR_TO_NORMAL = 4.0  # ratio of concentrations
LUNG_SHUNT = 0.04  # of the activity; all of it lies in the part of the lungs that is in the field

# Shapes in patient coordinates, (z, y, x) in mm: the patient's right is at negative x, the spine at positive y.
BODY_SEMI_AXES = (125.0, 180.0)  # elliptic cylinder through the whole field
DIAPHRAGM_Z = 15.0  # liver below, lungs above
LIVER_CENTRE = (-36.0, -10.0, -70.0)
LIVER_SEMI_AXES = (72.0, 66.0, 85.0)  # ellipsoid, cut off flat at the diaphragm
TUMOUR_1 = ((-15.0, -16.0, -91.0), 15.0)  # centre and radius of a sphere
TUMOUR_2 = ((-63.0, -1.0, -40.0), 10.0)
LUNG_CENTRES = ((0.0, -88.0), (0.0, 88.0))
LUNG_SEMI_AXES = (80.0, 62.0)  # elliptic cylinders
LUNG_TOP_Z = 114.0
SPINE_CENTRE = (75.0, 0.0)
SPINE_RADIUS = 21.0  # circular cylinder through the whole field
MARROW_RADIUS = 15.0  # cortical shell outside it

# CT numbers, chosen for the densities that the default calibration gives them [g/cm3].
MUSCLE_HU = 40.0  # 1.05, what the body is filled with
LIVER_HU = 49.0  # 1.06
TUMOUR_HU = 42.0  # 1.05
LUNG_HU = -749.0  # 0.26
MARROW_HU = 275.0  # 1.18
CORTICAL_HU = 1525.0  # 1.92


@dataclass(frozen=True, eq=False)
class Phantom:
    """A CT, an activity and structures on one grid.

    Attributes
    ----------
    grid : 80 x 100 x 130 voxels of 3 mm
    ct_hu : float32, shape of the grid
    activity_bq : float64, Bq per voxel at administration
    structures : name to bool mask; "liver" includes the tumours, "normal liver" does not
    """

    grid: Grid
    ct_hu: NDArray[np.float32]
    activity_bq: NDArray[np.float64]
    structures: dict[str, NDArray[np.bool_]]


def demo_phantom() -> Phantom:
    """Build the phantom; a voxel belongs to a shape when its centre does.

    2 GBq of Y-90, 4 % of it evenly in the lungs, the rest in the liver with four times the concentration in the
    tumours. Only the lower lungs are in the field, and the whole shunt is put there: their dose is higher than that
    of whole lungs with the same shunt.
    """
    grid = Grid(shape=(80, 100, 130), voxel_mm=(3.0, 3.0, 3.0), origin_mm=(-118.5, -148.5, -193.5))
    z = grid.centres_mm(0)[:, None, None]
    y = grid.centres_mm(1)[None, :, None]
    x = grid.centres_mm(2)[None, None, :]
    field = np.ones(grid.shape, dtype=np.bool_)

    def ball(centre: tuple[float, float, float], semi_axes: tuple[float, float, float]) -> NDArray[np.bool_]:
        return _inside((z, y, x), centre, semi_axes)

    def tube(centre: tuple[float, float], semi_axes: tuple[float, float]) -> NDArray[np.bool_]:
        return _inside((y, x), centre, semi_axes) & field

    body = tube((0.0, 0.0), BODY_SEMI_AXES)
    liver = ball(LIVER_CENTRE, LIVER_SEMI_AXES) & (z < DIAPHRAGM_Z)
    tumour_1, tumour_2 = (ball(centre, (radius,) * 3) for centre, radius in (TUMOUR_1, TUMOUR_2))
    right_lung, left_lung = (tube(centre, LUNG_SEMI_AXES) for centre in LUNG_CENTRES)
    lungs = (right_lung | left_lung) & (z > DIAPHRAGM_Z) & (z < LUNG_TOP_Z)
    spine = tube(SPINE_CENTRE, (SPINE_RADIUS,) * 2)
    marrow = tube(SPINE_CENTRE, (MARROW_RADIUS,) * 2)
    tumours = tumour_1 | tumour_2
    normal_liver = liver & ~tumours

    ct_hu = np.full(grid.shape, AIR_HU, dtype=np.float32)
    for mask, hu in (
        (body, MUSCLE_HU),
        (liver, LIVER_HU),
        (tumours, TUMOUR_HU),
        (lungs, LUNG_HU),
        (spine, CORTICAL_HU),
        (marrow, MARROW_HU),
    ):
        ct_hu[mask] = hu

    activity_bq = normal_liver + TUMOUR_TO_NORMAL * tumours
    activity_bq *= (1.0 - LUNG_SHUNT) * ACTIVITY_BQ / activity_bq.sum()
    activity_bq[lungs] = LUNG_SHUNT * ACTIVITY_BQ / np.count_nonzero(lungs)

    structures = {
        "liver": liver,
        "normal liver": normal_liver,
        "tumour 1": tumour_1,
        "tumour 2": tumour_2,
        "lungs": lungs,
        "spine": spine,
        "body": body,
    }
    return Phantom(grid, ct_hu, activity_bq, structures)


def _inside(
    position: tuple[NDArray[np.float64], ...], centre: tuple[float, ...], semi_axes: tuple[float, ...]
) -> NDArray[np.bool_]:
    """Tell which positions lie inside an ellipse or ellipsoid."""
    squares = [((p - c) / a) ** 2 for p, c, a in zip(position, centre, semi_axes, strict=True)]
    return np.asarray(sum(squares) <= 1.0)
