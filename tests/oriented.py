"""Orientations of a scan: rows and columns of its images in the patient, and a series turned to them."""

import numpy as np
import pydicom
from scipy.spatial.transform import Rotation

PATIENT_POSITIONS = {  # directions of a row and of a column (x, y, z) in LPS
    "HFS": ((1, 0, 0), (0, 1, 0)),
    "HFP": ((-1, 0, 0), (0, -1, 0)),
    "HFDR": ((0, 1, 0), (-1, 0, 0)),
    "HFDL": ((0, -1, 0), (1, 0, 0)),
    "FFS": ((-1, 0, 0), (0, 1, 0)),
    "FFP": ((1, 0, 0), (0, -1, 0)),
    "FFDR": ((0, -1, 0), (-1, 0, 0)),
    "FFDL": ((0, 1, 0), (1, 0, 0)),
}
PLANES = {"coronal": ((1, 0, 0), (0, 0, -1)), "sagittal": ((0, 1, 0), (0, 0, -1))}
OBLIQUE = Rotation.from_euler("xyz", (21.0, -14.0, 33.0), degrees=True).as_matrix()
CENTRE_MM = np.array([17.0, -23.0, 41.0])


def turn_of(name):
    """Rotation that takes an axial, supine, head-first scan to an orientation."""
    if name == "oblique":
        return OBLIQUE
    row, column = {**PATIENT_POSITIONS, **PLANES}[name]
    return np.column_stack([row, column, np.cross(row, column)]).astype(float)


def moved(points, turn):
    """Points (..., 3) turned about `CENTRE_MM`."""
    return (np.asarray(points) - CENTRE_MM) @ turn.T + CENTRE_MM


def turn_series(paths, turn, **attributes):
    """Turn the images of a series, written axial, about `CENTRE_MM`."""
    for path in paths:
        image = pydicom.dcmread(path)
        cosines = np.array(image.ImageOrientationPatient, dtype=float).reshape(2, 3) @ turn.T
        image.ImageOrientationPatient = [f"{v:.13f}"[:16] for v in cosines.ravel()]
        image.ImagePositionPatient = [
            f"{v:.10f}"[:16] for v in moved(np.array(image.ImagePositionPatient, float), turn)
        ]
        for keyword, value in attributes.items():
            setattr(image, keyword, value)
        image.save_as(path)
