"""A 4x4 matrix between the coordinates of two images: what is refused, what is set right, and its kind.

The kinds are those of DICOM PS3.3 C.20.2.1.2, with the constraints of PS3.17 annex P.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError

ORTHONORMAL = 1e-3  # largest element of |R^T R - 1| of what is called rigid
EXACT = 1e-6  # of the same, below which nothing is worth a word
SMALLEST_SCALE, LARGEST_SCALE = 0.5, 2.0
FURTHEST_MM = 1e4  # of the image of the origin
LAST_ROW = 1e-9  # how far the last row may be off 0 0 0 1
KINDS = {"RIGID": "rigid", "RIGID_SCALE": "rigid-scale", "AFFINE": "affine"}


def checked_matrix(what: str | Path, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a matrix that can map a patient onto a patient, (4, 4) float64.

    Parameters
    ----------
    what : begins the message
    values : shape (4, 4), maps (x, y, z, 1) [mm]

    Raises
    ------
    InputError
        Numbers that are not finite, a last row other than 0 0 0 1, a mirror, scale factors (singular values) beyond
        0.5 to 2, a translation of 10 m or more.
    """
    matrix = np.array(values, dtype=np.float64)
    if not np.isfinite(matrix).all():
        raise InputError(f"{what}: the 16 numbers of a matrix must be finite, got {matrix.tolist()}")
    if np.abs(matrix[3] - (0.0, 0.0, 0.0, 1.0)).max() > LAST_ROW:
        raise InputError(f"{what}: the last row of a matrix must be 0 0 0 1, got {matrix[3].tolist()}")
    matrix[3] = 0.0, 0.0, 0.0, 1.0
    if np.abs(matrix).max() > 1e9:  # before products overflow
        raise InputError(f"{what}: a translation must be below 10 m and a scale at most 2, got {matrix.tolist()}")
    determinant = float(np.linalg.det(matrix[:3, :3]))
    if not determinant > 0.0:
        raise InputError(f"{what}: the determinant must be positive, got {determinant:.6g}: the matrix mirrors")
    scales = np.linalg.svd(matrix[:3, :3], compute_uv=False)
    if scales[0] > LARGEST_SCALE or scales[2] < SMALLEST_SCALE:
        raise InputError(
            f"{what}: scale factors must lie within {SMALLEST_SCALE:g} and {LARGEST_SCALE:g}, "
            f"got {', '.join(f'{scale:.6g}' for scale in scales)}"
        )
    far = float(np.linalg.norm(matrix[:3, 3]))
    if far >= FURTHEST_MM:
        raise InputError(f"{what}: the translation must be below {FURTHEST_MM:g} mm, got {far:.6g} mm")
    return matrix


def rigid_matrix(what: str | Path, matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return a matrix with the nearest rotation (by singular values) in place of its own, and a warning if they differ.

    Raises
    ------
    InputError
        If it is off a rotation by more than `ORTHONORMAL`.
    """
    off = off_rotation(matrix)
    if off > ORTHONORMAL:
        raise InputError(
            f"{what}: the matrix of a rigid registration must be orthonormal to {ORTHONORMAL:g}, it is off by {off:.3g}"
        )
    left, _, right = np.linalg.svd(matrix[:3, :3])
    nearest = matrix.copy()
    nearest[:3, :3] = left @ right
    if off <= EXACT:
        return nearest, ()
    return nearest, (f"{what}: the matrix is off a rotation by {off:.2g}; the nearest rotation is taken",)


def off_rotation(matrix: NDArray[np.float64]) -> float:
    """Return the largest element of |R^T R - 1|."""
    turn = matrix[:3, :3]
    return float(np.abs(turn.T @ turn - np.eye(3)).max())


def shear(matrix: NDArray[np.float64]) -> float:
    """Return the largest cosine between two rows or two columns, whichever are nearer to right angles.

    It is 0 for a rotation with scales along the axes of either image.
    """

    def cosine(axes: NDArray[np.float64]) -> float:
        units = axes / np.linalg.norm(axes, axis=1, keepdims=True)
        return float(np.abs(units @ units.T - np.eye(3)).max())

    return min(cosine(matrix[:3, :3]), cosine(matrix[:3, :3].T))


def kind_of(matrix: NDArray[np.float64]) -> str:
    """Say what a matrix is: "rigid", "rigid-scale" (a rotation with scales along the axes) or "affine"."""
    if off_rotation(matrix) <= EXACT:
        return "rigid"
    return "rigid-scale" if shear(matrix) <= EXACT else "affine"
