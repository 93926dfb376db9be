"""CT in Hounsfield units from a DICOM series, NIfTI or MetaImage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mcdose.constants import AIR_HU
from mcdose.errors import InputError
from mcdose.grid import Volume
from mcdose.io.choice import CT_OPTION, one_series, refuse_series
from mcdose.io.damage import damage
from mcdose.io.padding import without_padding
from mcdose.io.quiet import quiet_libraries
from mcdose.io.series import Image, dicom_headers, existing
from mcdose.io.stack import read_stack
from mcdose.io.voxelfile import is_voxel_file, read_voxel_file

HOUNSFIELD = ("", "HU", "US")  # RescaleType: absent means HU for CT (PS3.3 C.11.1.1.2); US is "unspecified"


@quiet_libraries()
def read_ct(path: str | Path, *, series_uid: str | None = None, resample: bool = False) -> Image:
    """Read CT numbers.

    Parameters
    ----------
    path : folder with one DICOM CT series (other modalities and localizers in it are ignored), a multi-frame DICOM
        file, or a NIfTI or MetaImage file, which is taken to be in HU
    series_uid : SeriesInstanceUID of the series to read; needed where a folder holds several
    resample : make an even stack of slices that are tilted, uneven or missing, see `mcdose.io.stack.stack_of`

    Returns
    -------
    Image
        `volume.values` float32, shape (nz, ny, nx) [HU], with padding below -1000 HU as it is in the file; `series`
        is None for NIfTI and MetaImage

    Raises
    ------
    InputError
        nothing there, no CT, several series and none chosen, values that are not in HU, slices double, or missing,
        uneven or tilted, pixel data damaged, values that are not finite
    """
    found = existing(path)
    with damage(found):
        return _read(found, series_uid, resample)


def _read(found: Path, series_uid: str | None, resample: bool) -> Image:
    if is_voxel_file(found):
        refuse_series(found, series_uid)
        volume = read_voxel_file(found)
        values = np.ascontiguousarray(volume.values, dtype=np.float32)
        if not np.isfinite(values).all():
            raise InputError(f"{found}: CT numbers must be finite, {np.count_nonzero(~np.isfinite(values))} are not")
        return Image(Volume(values, volume.grid), None)
    files = one_series(found, dicom_headers(found), ("CT",), series_uid, CT_OPTION)
    stack = read_stack(found, files, resample=resample)
    for image in stack.slices:
        _require_hounsfield(image.path, image.header)
    return Image(Volume(stack.values(floor=AIR_HU, mend=without_padding), stack.grid), stack.series())


def _require_hounsfield(path: Path, header: Any) -> None:
    """Raise unless a slice says how its stored values become HU; both are of type 1 in a CT (PS3.3 C.8.2.1)."""
    kind = str(header.get("RescaleType") or "")
    if kind not in HOUNSFIELD:
        raise InputError(f"{path}: RescaleType is {kind}, CT numbers in HU are needed")
    scale = header.get("RescaleSlope"), header.get("RescaleIntercept")
    if None in scale:
        raise InputError(f"{path}: RescaleSlope and RescaleIntercept are needed in a CT, got {scale[0]} and {scale[1]}")
