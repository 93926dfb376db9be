"""CT in Hounsfield units from a DICOM series, NIfTI or MetaImage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcdose.errors import InputError
from mcdose.grid import Volume
from mcdose.io.damage import damage
from mcdose.io.quiet import quiet_libraries
from mcdose.io.series import Image, dicom_headers, existing, one_series
from mcdose.io.stack import read_stack
from mcdose.io.voxelfile import is_voxel_file, read_voxel_file

AIR_HU = -1000.0  # of what was not imaged
HOUNSFIELD = ("", "HU", "US")  # RescaleType: absent means HU for CT (PS3.3 C.11.1.1.2); US is "unspecified"


@quiet_libraries()
def read_ct(path: str | Path, *, resample: bool = False) -> Image:
    """Read CT numbers.

    Parameters
    ----------
    path : folder with one DICOM CT series (other modalities and localizers in it are ignored), a multi-frame DICOM
        file, or a NIfTI or MetaImage file, which is taken to be in HU
    resample : make an even stack of slices that are tilted, uneven or missing, see `mcdose.io.stack.stack_of`

    Returns
    -------
    Image
        `volume.values` float32, shape (nz, ny, nx) [HU], with padding values as they are in the file; `series` is
        None for NIfTI and MetaImage

    Raises
    ------
    InputError
        nothing there, no CT or more than one series, slices double, or missing, uneven or tilted, pixel data
        damaged, values that are not finite
    """
    found = existing(path)
    with damage(found):
        return _read(found, resample)


def _read(found: Path, resample: bool) -> Image:
    if is_voxel_file(found):
        volume = read_voxel_file(found)
        values = np.ascontiguousarray(volume.values, dtype=np.float32)
        if not np.isfinite(values).all():
            raise InputError(f"{found}: CT numbers must be finite, {np.count_nonzero(~np.isfinite(values))} are not")
        return Image(Volume(values, volume.grid), None)
    files = one_series(found, dicom_headers(found), "CT")
    rescale_type = str(files[0][1].get("RescaleType") or "")
    if rescale_type not in HOUNSFIELD:
        raise InputError(f"{found}: RescaleType is {rescale_type}, CT numbers in HU are needed")
    stack = read_stack(found, files, resample=resample)
    return Image(Volume(stack.values(floor=AIR_HU), stack.grid), stack.series())
