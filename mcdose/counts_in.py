"""The administered activity given to the counts of one structure, and not to those of the whole image."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Volume

if TYPE_CHECKING:
    from mcdose.io.activity import Activity

LOGGER = logging.getLogger("mcdose")


def scaled_in(
    source: Activity, activity_bq: NDArray[np.float64], name: str, masks: dict[str, NDArray[Any]], net_bq: float
) -> tuple[Activity, NDArray[np.float64]]:
    """Move a calibration from the whole image to a structure: what the whole was scaled to, the structure has.

    Parameters
    ----------
    source : as read
    activity_bq : the same on the dose grid, shape (nz, ny, nx) [Bq per voxel]
    name, masks : the structure, and the coverage of all, same shape
    net_bq : what reached the patient [Bq]

    Returns
    -------
    source, activity_bq : both scaled

    Raises
    ------
    InputError
        no such structure, or no counts in it
    """
    if name not in masks:
        raise InputError(f"counts_in must be one of the structures, {', '.join(masks) or 'none there'}; got {name!r}")
    inside = float((activity_bq * masks[name]).sum())
    if not inside > 0:
        raise InputError(f"structure {name}: it must hold counts to be calibrated by, got none")
    factor = source.total_bq / inside
    values = source.volume.values * factor
    total = float(values.sum())
    if total > net_bq * (1 + 1e-9):
        LOGGER.warning(
            "the activity calibrated in %s is %.4g GBq over the whole image, more than the %.4g GBq that reached the "
            "patient",
            name,
            total / 1e9,
            net_bq / 1e9,
        )
    scaled = replace(
        source,
        volume=Volume(values, source.volume.grid),
        total_bq=total,
        calibration=f"{source.calibration}, those in {name}",
    )
    return scaled, activity_bq * factor
