"""The registration of the activity image to the CT, from DICOM, ITK or plain text, as a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.io.damage import damage
from mcdose.io.itk_transform import FIRST_LINE, is_hdf5, read_itk_transform
from mcdose.io.quiet import quiet_libraries
from mcdose.io.series import DICOM_NAMES, existing
from mcdose.io.spatial_matrix import ORTHONORMAL, checked_matrix, kind_of, off_rotation, rigid_matrix
from mcdose.io.spatial_registration import read_spatial_registration

LARGEST_TEXT = 1 << 16  # bytes of a matrix with comments


@dataclass(frozen=True)
class Registration:
    """How the activity image lies on the CT.

    `matrix`, shape (4, 4), maps points (x, y, z, 1) [mm, LPS] of the activity image to points of the CT. `kind` is
    "rigid", "rigid-scale" (a rotation with scales along the axes) or "affine", of the matrix itself. `source` says
    where it is from; `warnings` what was set right or could be read otherwise.
    """

    matrix: NDArray[np.float64]
    kind: str
    source: str
    warnings: tuple[str, ...] = ()


@quiet_libraries()
def read_registration(path: str | Path, *, from_frame: str | None, to_frame: str | None) -> Registration:
    """Read a registration of the activity image to the CT.

    Parameters
    ----------
    path : a DICOM Spatial Registration file, or a folder with one among other files; an ITK transform (text or HDF5);
        or a text file of four rows of four numbers, which maps activity to CT in LPS mm, `#` before comments
    from_frame, to_frame : FrameOfReferenceUID of the activity image and of the CT; for DICOM only, which tells by them
        which way to go. None or "" = the image has none

    Returns
    -------
    Registration
        ITK registers the moving image (activity) to the fixed one (CT) and writes the transform that resampling needs,
        from points of the fixed image to the moving one; it is inverted here.

    Raises
    ------
    InputError
        Nothing there, another kind of file, frames of reference that the file does not register, deformable and
        two-dimensional transforms, a mirror, scale factors beyond 0.5 to 2, a translation of 10 m or more, numbers
        that are not finite, a rigid matrix that is not orthonormal to 1e-3.
    """
    found = existing(path)
    with damage(found):
        if _is_dicom(found):
            file, matrix, warnings = read_spatial_registration(found, from_frame, to_frame)
            source = f"DICOM Spatial Registration {file.name}"
        elif found.suffix.lower() == ".mat":
            raise InputError(
                f"{found}: .mat files are not read: those of FLIRT are in coordinates of their own, "
                "those of ANTs must be converted to an ITK text file (.tfm)"
            )
        elif is_hdf5(found) or _begins(found, FIRST_LINE.encode()):
            file, warnings = found, ()
            resampling, name = read_itk_transform(found)
            matrix = np.asarray(np.linalg.inv(checked_matrix(found, resampling)), np.float64)
            source = f"ITK {name} {found.name}, inverted"
        else:
            file, source = found, f"4 x 4 matrix {found.name}"
            matrix, warnings = _read_text(found)
        matrix = checked_matrix(file, matrix)
        return Registration(matrix, kind_of(matrix), source, warnings)


def _is_dicom(path: Path) -> bool:
    if path.is_dir() or path.suffix.lower() in DICOM_NAMES:
        return True
    return _begins(path, b"DICM", 128)


def _begins(path: Path, mark: bytes, at: int = 0) -> bool:
    with path.open("rb") as file:
        return file.read(at + len(mark))[at:] == mark


def _read_text(path: Path) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Read four rows of four numbers; what is nearly a rotation is one, printed with few digits."""
    size = path.stat().st_size
    if size > LARGEST_TEXT:
        raise InputError(f"{path}: is no registration that is read: not DICOM or ITK, and {size} bytes are no matrix")
    try:
        text = path.read_text(encoding="utf-8-sig")
        rows = [line.partition("#")[0].split() for line in text.splitlines()]
        numbers = [[float(word) for word in row] for row in rows if row]
    except ValueError as error:
        raise InputError(
            f"{path}: is no registration that is read: not DICOM or ITK, nor four rows of four numbers ({error})"
        ) from error
    if [len(row) for row in numbers] != [4, 4, 4, 4]:
        counts = ", ".join(str(len(row)) for row in numbers[:20]) or "none"
        raise InputError(f"{path}: a matrix must be four rows of four numbers, got rows of {counts}")
    matrix = checked_matrix(path, np.array(numbers))
    return rigid_matrix(path, matrix) if off_rotation(matrix) <= ORTHONORMAL else (matrix, ())
