"""NIfTI and MetaImage files as volumes in patient coordinates (LPS)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Volume
from mcdose.io.damage import DEFLATE_RATIO, damage, placed_steps, require_held
from mcdose.io.metaheader import check_meta_header
from mcdose.io.quiet import native_messages

NIFTI = (".nii", ".nii.gz")
META_IMAGE = (".mha", ".mhd")
NIFTI_UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}  # spatial code of xyzt_units: unknown (mm), m, mm, micrometre
FORMS_AGREE_MM = 0.1  # sform and qform may differ by this at the corners


def is_voxel_file(path: Path) -> bool:
    """Whether the file's name is that of a NIfTI or MetaImage file."""
    return path.is_file() and path.name.lower().endswith(NIFTI + META_IMAGE)


def read_voxel_file(path: Path) -> Volume:
    """Read a three-dimensional NIfTI or MetaImage file; axes are reordered to (z, y, x) in LPS, as near as they can be.

    Values keep the type that the file gives them (scaled ones are float64).
    """
    read = _read_nifti if path.name.lower().endswith(NIFTI) else _read_meta_image
    with damage(path):
        return read(path)


def _read_nifti(path: Path) -> Volume:
    import nibabel

    image: Any = nibabel.load(path)
    header = image.header
    shape = image.shape[:3] if len(image.shape) > 3 and set(image.shape[3:]) == {1} else image.shape
    if len(shape) != 3:
        raise InputError(f"{path}: a three-dimensional image is needed, got shape {image.shape}")
    if header["sform_code"] == 0 and header["qform_code"] == 0:
        raise InputError(f"{path}: neither sform nor qform is set, so the image has no place in the patient")
    if header["sform_code"] > 0 and header["qform_code"] > 0:
        corners = np.array([[i, j, k, 1] for i in (0, shape[0]) for j in (0, shape[1]) for k in (0, shape[2])])
        apart = np.abs((image.get_sform() - image.get_qform()) @ corners.T).max()
        if apart > FORMS_AGREE_MM:
            raise InputError(f"{path}: sform and qform differ by {apart:.2f} mm, so the image's place is ambiguous")
    unit = int(header["xyzt_units"]) & 7
    if unit not in NIFTI_UNIT_MM:
        raise InputError(f"{path}: the unit of length in xyzt_units must be 0 to 3, got {unit}")
    ratio = DEFLATE_RATIO if path.name.lower().endswith(".gz") else 1
    require_held(path, image.shape, header.get_data_dtype().itemsize, path.stat().st_size, ratio)
    values = np.asanyarray(image.dataobj).reshape(shape)
    to_lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ image.affine
    to_lps[:3] *= NIFTI_UNIT_MM[unit]
    return _placed(path, values.transpose(2, 1, 0), to_lps[:3, :3], to_lps[:3, 3])


def _read_meta_image(path: Path) -> Volume:
    import SimpleITK

    check_meta_header(path)
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
    messages: list[str] = []
    try:
        with native_messages() as messages:
            image = SimpleITK.ReadImage(str(path), imageIO="MetaImageIO")
    except RuntimeError as error:  # its last line says what is wrong, the others where in SimpleITK
        reason = "; ".join(messages) or str(error).strip().splitlines()[-1]
        raise InputError(f"{path}: cannot be read: {reason}") from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise InputError(
            f"{path}: a three-dimensional image with one value per voxel is needed, got size {image.GetSize()} "
            f"with {image.GetNumberOfComponentsPerPixel()} values"
        )
    steps = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    return _placed(path, SimpleITK.GetArrayFromImage(image), steps, np.array(image.GetOrigin()))


def _placed(path: Path, values: NDArray[Any], steps: NDArray[np.float64], origin: NDArray[np.float64]) -> Volume:
    """Make a volume of (z, y, x) values; column k of `steps` is the way from a voxel to the next along x, y, z [mm]."""
    if values.dtype.kind not in "biuf":
        raise InputError(f"{path}: one real number per voxel is needed, got {values.dtype}")
    turn = placed_steps(path, values.shape, steps[:, ::-1], origin.tolist())
    return Volume(turn.values(values), turn.grid)
