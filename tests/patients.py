"""Small patients in NIfTI files."""

import nibabel
import numpy as np

WATER_HU = 0.0


def nifti(path, values, voxel_mm=(6.0, 5.0, 4.0), origin_mm=(0.0, 0.0, 0.0)):
    dz, dy, dx = voxel_mm
    z, y, x = origin_mm
    affine = np.array([[-dx, 0, 0, -x], [0, -dy, 0, -y], [0, 0, dz, z], [0, 0, 0, 1.0]])
    nibabel.save(nibabel.Nifti1Image(np.asarray(values, dtype=np.float32).transpose(2, 1, 0), affine), path)
    return path


def water_block(folder):
    """A block of water, 8 x 10 x 12 voxels of 6 x 5 x 4 mm, with 1 MBq/mL throughout, one slice of air at the top."""
    hu = np.full((8, 10, 12), WATER_HU)
    hu[-1] = -1000.0
    labels = np.zeros(hu.shape)
    labels[2:5, 3:7, 4:8] = 1
    labels[6:8, 3:7, 4:8] = 2
    return [
        *("--activity", nifti(folder / "activity.nii.gz", np.full(hu.shape, 1e6))),
        *("--ct", nifti(folder / "ct.nii.gz", hu)),
        *("--structures", nifti(folder / "labels.nii.gz", labels)),
    ]
