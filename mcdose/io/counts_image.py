"""An image of SPECT or PET as its numbers stand, for what needs only their ratios."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcdose.errors import InputError
from mcdose.grid import Volume
from mcdose.io.choice import one_series, refuse_series
from mcdose.io.damage import damage
from mcdose.io.multiframe import all_headers
from mcdose.io.nm import emission_stack
from mcdose.io.quiet import quiet_libraries
from mcdose.io.series import Image, dicom_headers, existing
from mcdose.io.units import image_units
from mcdose.io.voxelfile import is_voxel_file, read_voxel_file

IMAGE_OPTION = "--image-series UID (series_uid of read_counts_image)"


@quiet_libraries()
def read_counts_image(path: str | Path, *, series_uid: str | None = None, resample: bool = False) -> Image:
    """Read counts, activity or SUV of any nuclide, in the file's own unit and at the file's own time.

    No decay is corrected for and no calibration is needed: for isocontours and lung shunts. Counts in slices that were
    scanned for different times are not made alike.

    Parameters
    ----------
    path : folder with a DICOM PET or NM series, a multi-frame file of one, or a NIfTI or MetaImage file
    series_uid : SeriesInstanceUID of the series to read; needed where a folder holds several
    resample : make an even stack of slices that are tilted, uneven or missing, see `mcdose.io.stack.stack_of`

    Returns
    -------
    Image
        `volume.values` float64 (nz, ny, nx); `series` is None for NIfTI and MetaImage

    Raises
    ------
    InputError
        No such image, slices of several units, values that are not finite, or none above 0; geometry as for
        `mcdose.io.ct.read_ct`
    """
    found = existing(path)
    with damage(found):
        image = _read(found, series_uid, resample)
    bad = int(np.count_nonzero(~np.isfinite(image.volume.values)))
    if bad:
        raise InputError(f"{found}: values must be finite, {bad} voxels are NaN or infinite")
    if not image.volume.values.max() > 0:
        raise InputError(f"{found}: values must reach above 0, the largest is {image.volume.values.max():g}")
    return image


def _read(found: Path, series_uid: str | None, resample: bool) -> Image:
    if is_voxel_file(found):
        refuse_series(found, series_uid)
        volume = read_voxel_file(found)
        return Image(Volume(np.ascontiguousarray(volume.values, np.float64), volume.grid), None)
    files = one_series(found, dicom_headers(found), ("PT", "NM"), series_uid, IMAGE_OPTION)
    units = sorted({image_units(found, header) or "none" for header in all_headers(files)})
    if len(units) > 1:
        raise InputError(f"{found}: the slices must be in one unit, Units are {', '.join(units)}")
    stack = emission_stack(found, files, resample=resample)
    return Image(Volume(np.asarray(stack.values(), np.float64), stack.grid), stack.series())
