"""DICOM Spatial Registration objects (PS3.3 A.39.1, C.20.2) as a matrix from one frame of reference to another."""

from __future__ import annotations

import itertools
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.io.quiet import LOGGER
from mcdose.io.series import dicom_headers
from mcdose.io.spatial_matrix import KINDS, ORTHONORMAL, checked_matrix, rigid_matrix, shear

SPATIAL_REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.1"
DEFORMABLE_REGISTRATION = "1.2.840.10008.5.1.4.1.1.66.3"
SAME_MM = 1e-3  # matrices that bring the corners of a patient this near to each other are the same
PATIENT_MM = 1000.0  # corners of the patient, from the origin along each axis

Matrix = NDArray[np.float64]


def read_spatial_registration(
    path: Path, from_frame: str | None, to_frame: str | None
) -> tuple[Path, Matrix, tuple[str, ...]]:
    """Find the registration of two frames of reference.

    Parameters
    ----------
    path : a Spatial Registration file, or a folder with others beside it
    from_frame, to_frame : FrameOfReferenceUID of the activity image and of the CT

    Returns
    -------
    file : Path
    matrix : (4, 4), maps (x, y, z, 1) [mm] of the first frame to the second
    warnings : tuple of str

    Raises
    ------
    InputError
        No file, or more than one, that links the two frames, an object that does not follow the standard, or one that
        mcdose does not read (deformable, images without a frame of reference).
    """
    if not from_frame or not to_frame:
        missing = "activity image" if not from_frame else "CT"
        raise InputError(f"{path}: registers frames of reference, and the {missing} has none (no FrameOfReferenceUID)")
    headers = dicom_headers(path)
    registrations = [(f, h) for f, h in headers if h.SOPClassUID == SPATIAL_REGISTRATION]
    deformable = [f for f, h in headers if h.SOPClassUID == DEFORMABLE_REGISTRATION]
    if not registrations:
        raise InputError(f"{path}: {_what_it_is(headers, deformable)}")
    if from_frame == to_frame:
        raise InputError(f"{path}: the activity image and the CT are in one frame of reference already, {from_frame}")
    linking, seen = [], []
    for file, header in registrations:
        frames = _frames(file, header)
        if {from_frame, to_frame} <= frames.keys():
            linking.append((file, *_between(file, frames, from_frame, to_frame)))
        seen.append(f"{file.name} registers {', '.join(frames) or 'none'}")
    if not linking:
        raise InputError(
            f"{path}: no registration of the frame of reference {from_frame} (activity) to {to_frame} (CT); "
            f"{'; '.join(seen)}{' (a chain over several files is not followed)' if len(seen) > 1 else ''}"
        )
    if len(linking) > 1:
        names = ", ".join(file.name for file, _, _ in linking)
        raise InputError(f"{path}: one registration of the two frames of reference is needed, found {names}")
    if len(headers) > 1:
        LOGGER.info("%s: the registration is %s", path, linking[0][0].name)
    file, matrix, warnings = linking[0]
    left_out = tuple(f"{f}: a deformable registration, left out" for f in deformable)
    return file, matrix, warnings + left_out


def _what_it_is(headers: list[tuple[Path, Any]], deformable: list[Path]) -> str:
    if deformable:
        return f"{deformable[0].name} is a Deformable Spatial Registration; only matrices are read"
    found = ", ".join(sorted({str(header.get("Modality", "?")) for _, header in headers}))
    return f"no Spatial Registration (Modality REG); modalities found: {found}"


def _frames(path: Path, header: Any) -> dict[str, tuple[Matrix, tuple[str, ...]]]:
    """Return the matrix from each frame to the Registered RCS, with warnings; the RCS itself is one of them."""
    frames: dict[str, tuple[Matrix, tuple[str, ...]]] = {}
    for number, item in enumerate(_items(path, header, "RegistrationSequence"), start=1):
        where = f"{path}: item {number} of RegistrationSequence"
        frame = str(item.get("FrameOfReferenceUID") or "").strip()
        if not frame:
            raise InputError(f"{where} names images and no FrameOfReferenceUID; only frames of reference are matched")
        registrations = _items(where, item, "MatrixRegistrationSequence")
        if len(registrations) != 1:
            raise InputError(f"{where}: MatrixRegistrationSequence must have one item, got {len(registrations)}")
        matrix, warnings = _product(where, _items(where, registrations[0], "MatrixSequence"))
        if frame in frames and _apart_mm(frames[frame][0], matrix) > SAME_MM:
            raise InputError(f"{where} has another matrix for the frame of reference {frame} than an item before")
        frames.setdefault(frame, (matrix, warnings))
    registered = str(header.get("FrameOfReferenceUID") or "").strip()
    if registered in frames:
        off = _apart_mm(frames[registered][0], np.eye(4))
        if off > SAME_MM:
            raise InputError(f"{path}: moves its own frame of reference, {registered}, by {off:.4g} mm against itself")
    if registered:
        frames[registered] = (np.eye(4), ())
    return frames


def _between(
    path: Path, frames: dict[str, tuple[Matrix, tuple[str, ...]]], from_frame: str, to_frame: str
) -> tuple[Matrix, tuple[str, ...]]:
    """Equation C.20.2-3: into the Registered RCS, and out of it to the other frame."""
    (first, first_warnings), (second, second_warnings) = frames[from_frame], frames[to_frame]
    return np.linalg.inv(second) @ first, first_warnings + second_warnings


def _items(where: str | Path, dataset: Any, keyword: str) -> list[Any]:
    items = list(dataset.get(keyword) or ())
    if not items:
        raise InputError(f"{where}: has no {keyword}")
    return items


def _product(where: str, items: list[Any]) -> tuple[Matrix, tuple[str, ...]]:
    """Multiply matrices in the order of the items, so that the last one meets the points first (C.20.2.1.1)."""
    matrices: list[Matrix] = []
    warnings: tuple[str, ...] = ()
    for number, item in enumerate(items, start=1):
        matrix, said = _matrix(where if len(items) == 1 else f"{where}, matrix {number}", item)
        matrices.append(matrix)
        warnings += said
    product = reduce(np.matmul, matrices)
    off = _apart_mm(product, reduce(np.matmul, matrices[::-1]))
    if off > SAME_MM:
        warnings += (
            f"{where}: {len(items)} matrices are multiplied in their order, as PS3.3 C.20.2.1.1 has it; "
            f"the other order, which some software takes, is up to {off:.3g} mm away",
        )
    return product, warnings


def _matrix(where: str, item: Any) -> tuple[Matrix, tuple[str, ...]]:
    values = item.get("FrameOfReferenceTransformationMatrix")
    declared = item.get("FrameOfReferenceTransformationMatrixType")
    count = len(values) if hasattr(values, "__len__") and not isinstance(values, str | bytes) else 0
    if count != 16:
        raise InputError(f"{where}: FrameOfReferenceTransformationMatrix is needed with 16 numbers, got {count}")
    if declared not in KINDS:
        raise InputError(
            f"{where}: FrameOfReferenceTransformationMatrixType must be one of {', '.join(KINDS)}, got {declared!r}"
        )
    matrix = checked_matrix(where, np.array([float(value) for value in values]).reshape(4, 4))
    if declared == "RIGID":
        return rigid_matrix(where, matrix)
    if declared == "RIGID_SCALE" and shear(matrix) > ORTHONORMAL:
        raise InputError(
            f"{where}: the matrix is RIGID_SCALE, so its axes must be at right angles to {ORTHONORMAL:g}, "
            f"they are off by {shear(matrix):.3g}"
        )
    return matrix, ()


def _apart_mm(first: Matrix, second: Matrix) -> float:
    """Return the largest distance between the two images of a corner of the patient."""
    corners = np.array([(*corner, 1.0) for corner in itertools.product((-PATIENT_MM, PATIENT_MM), repeat=3)])
    return float(np.linalg.norm(corners @ (first - second).T, axis=1).max())
