"""Structures from RTSTRUCT, DICOM SEG, NIfTI and MetaImage label maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Grid
from mcdose.io.contours import read_contours
from mcdose.io.damage import damage
from mcdose.io.labels import read_label_map, read_segmentation
from mcdose.io.quiet import LOGGER, quiet_libraries
from mcdose.io.series import dicom_headers, existing
from mcdose.io.voxelfile import is_voxel_file

OFF_GRID = 1e-3  # share of a structure's volume off the grid that is worth a warning


@dataclass(frozen=True)
class StructureSet:
    """The RTSTRUCT that structures are from: what refers to it, and the ROI numbers of the names."""

    sop_class_uid: str
    sop_instance_uid: str
    numbers: dict[str, int]


class Structures(NamedTuple):
    """Coverage of the voxels of a grid by name, and the RTSTRUCT; None for SEG and label maps."""

    coverage: dict[str, NDArray[np.float32]]
    structure_set: StructureSet | None


def read_structures(
    path: str | Path, grid: Grid, *, frame_of_reference_uid: str | None = None
) -> dict[str, NDArray[np.float32]]:
    """Read structures as coverage of the voxels of a grid: the first half of what `read_structure_set` gives."""
    return read_structure_set(path, grid, frame_of_reference_uid=frame_of_reference_uid).coverage


@quiet_libraries()
def read_structure_set(
    path: str | Path, grid: Grid, *, frame_of_reference_uid: str | None = None, left_uid: str = ""
) -> Structures:
    """Read structures as coverage of the voxels of a grid, and where they are from.

    Parameters
    ----------
    path : an RTSTRUCT or SEG file, a folder with one such file, or a NIfTI or MetaImage label map
    grid : the dose grid
    frame_of_reference_uid : that of the images; structures in another one are refused. None or "" = not compared
    left_uid : one that the images are no longer in, as a registration moved them; structures in it are refused

    Returns
    -------
    Structures
        by name in the order of the file, coverage from 0 to 1, float32, shape `grid.shape`. Names are the file's; a
        second structure of the same name gets " (2)". A structure that reaches beyond the grid keeps the part
        inside, with a warning in the log; one wholly outside, or without a closed contour, is left out with a
        warning.

    Raises
    ------
    InputError
        not structures, another frame of reference, contours that do not lie in parallel planes, nothing on the grid
    """
    found = existing(path)
    with damage(found):
        return _read(found, grid, frame_of_reference_uid, left_uid)


def _read(found: Path, grid: Grid, frame_of_reference_uid: str | None, left_uid: str) -> Structures:
    structure_set = None
    if is_voxel_file(found):
        drawn = read_label_map(found, grid)
    else:
        files = [(f, h) for f, h in dicom_headers(found) if h.get("Modality") in ("RTSTRUCT", "SEG")]
        if len(files) != 1:
            raise InputError(f"{found}: one RTSTRUCT or SEG file is needed, found {len(files)}")
        file, header = files[0]
        _require_frame(file, header, frame_of_reference_uid, left_uid)
        contours = header.Modality == "RTSTRUCT"
        drawn = (read_contours if contours else read_segmentation)(file, header, grid)
        if contours:
            structure_set = StructureSet(str(header.SOPClassUID), str(header.get("SOPInstanceUID", "")), {})
    structures: dict[str, NDArray[np.float32]] = {}
    for name, coverage, volume_ml, number in drawn:
        inside_ml = float(coverage.sum(dtype=np.float64)) * grid.voxel_ml
        LOGGER.info("%s: structure %r: %.3f mL, %.3f mL of it on the grid", found, name, volume_ml, inside_ml)
        if not inside_ml > 0.0:
            LOGGER.warning("%s: structure %r has no volume on the dose grid and is left out", found, name)
            continue
        outside = 1.0 - inside_ml / volume_ml
        if outside > OFF_GRID:
            LOGGER.warning("%s: %.1f %% of structure %r lies off the dose grid", found, 100 * outside, name)
        unused = _unused(name, structures)
        structures[unused] = coverage
        if structure_set is not None and number is not None:
            structure_set.numbers[unused] = number
    if not structures:
        raise InputError(f"{found}: no structure has a volume on the dose grid")
    return Structures(structures, structure_set)


def _require_frame(path: Path, header: Any, wanted: str | None, left: str) -> None:
    """Refuse structures that are drawn in another frame of reference than the images."""
    named = {str(roi.get("ReferencedFrameOfReferenceUID", "")) for roi in header.get("StructureSetROISequence") or ()}
    found = (named or {str(header.get("FrameOfReferenceUID", ""))}) - {""}
    if not wanted and left in found - {""}:
        raise InputError(
            f"{path}: structures are in frame of reference {left}, that of the activity before its registration; "
            "they must be drawn on the CT"
        )
    if wanted and found and found != {wanted}:
        raise InputError(
            f"{path}: structures are in frame of reference {', '.join(sorted(found))}, the images in {wanted}"
        )


def _unused(name: str, taken: dict[str, NDArray[np.float32]]) -> str:
    if name not in taken:
        return name
    count = 2
    while f"{name} ({count})" in taken:
        count += 1
    return f"{name} ({count})"
