"""Arrays on a grid to NIfTI-1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.grid import Grid
from mcdose.io.output import whole_file
from mcdose.io.quiet import quiet_libraries

SCANNER = 1  # sform and qform code: scanner coordinates


@quiet_libraries()
def write_nifti(
    path: str | Path, values: NDArray[Any], grid: Grid, *, description: str = "", overwrite: bool = False
) -> None:
    """Write float32 values with their place in the patient.

    Parameters
    ----------
    path : ending in .nii or .nii.gz
    values : shape `grid.shape`; NaN is kept
    grid : place in LPS; the file is in RAS, with sform and qform both set
    description : at most 79 bytes of ASCII, kept in the header (descrip)
    overwrite : replace an existing file

    Raises
    ------
    InputError
        If the file exists and may not be replaced.
    """
    import nibabel

    if values.shape != grid.shape:
        raise ValueError(f"values must have the shape of the grid {grid.shape}, got {values.shape}")
    if len(description.encode("ascii")) > 79:
        raise ValueError(f"description must be at most 79 bytes, got {len(description)}")
    affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.affine
    image = nibabel.Nifti1Image(np.asarray(values, dtype=np.float32).transpose(2, 1, 0), affine)
    image.set_sform(affine, SCANNER)
    image.set_qform(affine, SCANNER)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("ascii")
    with whole_file(Path(path), overwrite) as part:
        nibabel.save(image, part)
