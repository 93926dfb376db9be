"""The slices of a DICOM series as one volume: sorting them, checking their geometry, turning them to the patient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.grid import Grid, Turned, coordinate
from mcdose.io.agreement import require_same
from mcdose.io.copies import without_copies
from mcdose.io.damage import SHEAR_MM, damage, placed_grid
from mcdose.io.evening import Evening, usual_gap
from mcdose.io.multiframe import require_whole
from mcdose.io.progress import tell
from mcdose.io.repeats import require_one_each
from mcdose.io.series import Series, Slice, pixels, slices_of

ONE_SOURCE = ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID")
FEWEST = 3  # slices
UNIT_TOLERANCE = 1e-3  # direction cosines are written with few digits
DUPLICATE_MM = 0.01  # slices closer than this are at the same position
SPACING_TOLERANCE_MM = 0.1  # positions are often rounded to a tenth of a millimetre
SPACING_TOLERANCE = 0.02  # of the slice spacing, where that is more
MISSING = 1.5  # a gap of more than this times the usual spacing is a missing slice
LONGEST_GAP = 3.0  # usual spacings that are bridged where the user has asked for it
OFFER = "resample (--resample) makes an even stack of it"


@dataclass(frozen=True)
class Stack:
    """Slices in ascending order along their normal.

    Attributes
    ----------
    path : to name in errors
    slices : ascending along the normal, whose sense is the patient's axis that it is nearest to
    turn : how the axes (normal, column, row) become those of the patient, and the grid then
    evening : how slices that are tilted or uneven are resampled before; None = not at all
    """

    path: Path
    slices: tuple[Slice, ...]
    turn: Turned
    evening: Evening | None

    @property
    def grid(self) -> Grid:
        """Grid of `values`."""
        return self.turn.grid

    def values(
        self,
        factors: NDArray[np.float64] | None = None,
        floor: float | None = None,
        mend: Callable[[Slice, NDArray[np.float32]], NDArray[np.float32]] | None = None,
    ) -> NDArray[Any]:
        """Rescaled pixel values, shape `grid.shape`; raise if any is not finite.

        Parameters
        ----------
        factors : (number of slices,), multiply each slice; the result is float64 then, else float32
        floor : value where resampling finds no slice, to which lower ones (padding) are raised before; None = 0, and
            none is raised
        mend : what the rescaled values of each slice go through first
        """
        rows, columns = int(self.slices[0].header.Rows), int(self.slices[0].header.Columns)
        stored = np.empty((len(self.slices), rows, columns), dtype=np.float32 if factors is None else np.float64)
        decoded: tuple[Path, NDArray[Any]] | None = None
        for k, image in enumerate(self.slices):
            tell(len(self.slices) + k + 1, 2 * len(self.slices))
            if decoded is None or decoded[0] != image.path:
                decoded = (image.path, pixels(image.path))
            plane = decoded[1] if image.frame is None else decoded[1][image.frame]
            if plane.shape != (rows, columns):
                raise InputError(f"{image.path}: pixel data has shape {plane.shape}, not {(rows, columns)}")
            rescaled = np.asarray(plane * image.slope + image.intercept, dtype=np.float32)
            if not np.isfinite(rescaled).all():
                raise InputError(
                    f"{image.path}: rescaled values must be finite, {np.count_nonzero(~np.isfinite(rescaled))} are not "
                    f"(RescaleSlope {image.slope:g}, RescaleIntercept {image.intercept:g})"
                )
            if mend is not None:
                rescaled = mend(image, rescaled)
            stored[k] = rescaled if factors is None else rescaled * factors[k]
        if self.evening is not None:
            stored = self.evening.values(stored if floor is None else np.maximum(stored, floor), floor or 0.0)
        return self.turn.values(stored)

    def slice_sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Sum values on the grid over each slice, (number of slices,)."""
        axis = self.turn.order.index(0)
        sums = values.sum(axis=tuple(k for k in range(3) if k != axis), dtype=np.float64)
        sums = sums[::-1] if self.turn.flips[axis] else sums
        return np.asarray(sums if self.evening is None else self.evening.shared(sums))

    def series(self) -> Series:
        """Make the record of this series."""
        first = self.slices[0].header
        return Series(
            modality=str(first.get("Modality", "")),
            study_uid=str(first.get("StudyInstanceUID", "")),
            series_uid=str(first.get("SeriesInstanceUID", "")),
            frame_of_reference_uid=str(first.get("FrameOfReferenceUID", "")),
            sop_class_uid=str(first.get("SOPClassUID", "")),
            instance_uids=tuple(dict.fromkeys(str(s.header.SOPInstanceUID) for s in self.slices)),
            header=first,
        )


def read_stack(path: Path, headers: list[tuple[Path, Any]], *, resample: bool = False) -> Stack:
    """Sort the slices of one series and check that they make an even stack; see `stack_of`."""
    return stack_of(path, slices_of_series(path, headers), resample=resample)


def slices_of_series(path: Path, headers: list[tuple[Path, Any]]) -> list[Slice]:
    """Place the images of one series, one of each SOPInstanceUID; raise if positions have several."""
    files = without_copies(path, headers)
    require_whole(path, files)
    slices: list[Slice] = []
    for file, header in files:
        with damage(file, "its header is damaged"):
            slices += slices_of(file, header)
    require_single(path, slices)
    return slices


def require_single(path: Path, slices: list[Slice]) -> None:
    """Raise if slices are of several volumes, one on the other."""
    require_one_each(path, slices, DUPLICATE_MM)


def stack_of(path: Path, slices: list[Slice], *, resample: bool = False) -> Stack:
    """Sort slices along their normal and check that they make an even stack, of any orientation.

    Parameters
    ----------
    path : to name in errors
    slices : in any order
    resample : make an even stack of slices that are shifted against each other (gantry tilt), unevenly spaced, or
        missing (gaps of up to three spacings); these are refused otherwise

    Raises
    ------
    InputError
        fewer than three slices; sizes, spacings or orientations that differ; rows and columns not at a right angle; two
        slices at one position; unless `resample`, slices that are tilted, uneven or missing; with it, gaps of more
        than three spacings and slices shifted by more than their width; voxels and places that no patient has
    """
    require_same(path, [s.header for s in slices], ONE_SOURCE)
    _same(path, slices, lambda s: s.orientation, 1e-4, "orientations (ImageOrientationPatient)")
    _same(path, slices, lambda s: s.spacing, 1e-4, "pixel spacings [mm]")
    _same(path, slices, lambda s: (int(s.header.Rows), int(s.header.Columns)), 0.0, "sizes (rows, columns)")
    axes = _axes(path, slices[0])
    slices.sort(key=lambda s: float(s.position @ axes[0, ::-1]))
    along = np.array([s.position[::-1] for s in slices]) @ axes.T  # (slices, 3): along normal, column, row
    if len(slices) < FEWEST:
        found = f"only {len(slices)} slice{'s' if len(slices) > 1 else ''}"
        raise InputError(f"{path}: {found}, at least {FEWEST} are needed to see that they are even and none is missing")
    name = coordinate(axes[0])
    _require_apart(path, slices, along[:, 0], name)
    shape = (len(slices), int(slices[0].header.Rows), int(slices[0].header.Columns))
    faults = [*_shift(along, slices[0].header), *_uneven(along[:, 0], name)]
    if resample and faults:
        evening = Evening.of(path, along, slices[0].spacing, shape[1:], LONGEST_GAP)
        first = np.asarray(np.linalg.solve(axes, evening.origin), np.float64)  # undoes `along`
        turn = placed_grid(path, evening.shape, evening.voxel_mm, first, axes)
        return Stack(path, tuple(slices), turn, evening)
    if faults:
        raise InputError(f"{path}: {', '.join(faults)}; {OFFER}")
    spacing = round(float(along[-1, 0] - along[0, 0]) / (len(slices) - 1), 6)  # a nanometre: positions are decimals
    turn = placed_grid(path, shape, (spacing, *slices[0].spacing), slices[0].position[::-1], axes)
    return Stack(path, tuple(slices), turn, None)


def _same(path: Path, slices: list[Slice], value: Callable[[Slice], Any], tolerance: float, what: str) -> None:
    first = np.asarray(value(slices[0]), dtype=float)
    for image in slices[1:]:
        other = np.asarray(value(image), dtype=float)
        if np.abs(other - first).max() > tolerance:
            raise InputError(
                f"{path}: slices differ in their {what}: {first.tolist()} in {slices[0].path.name}, "
                f"{other.tolist()} in {image.path.name}"
            )


def _axes(path: Path, image: Slice) -> NDArray[np.float64]:
    """Return unit vectors (z, y, x) along normal, column and row, the normal in the sense of its nearest axis."""
    row, column = image.orientation[:3], image.orientation[3:]
    off = max(abs(float(np.linalg.norm(row)) - 1), abs(float(np.linalg.norm(column)) - 1), abs(float(row @ column)))
    if off > UNIT_TOLERANCE:
        raise InputError(
            f"{path}: ImageOrientationPatient must be two unit vectors at a right angle, got "
            f"{image.orientation.tolist()}"
        )
    normal = np.cross(row, column)
    normal /= np.linalg.norm(normal)
    if normal[np.abs(normal).argmax()] < 0:
        normal = -normal
    return np.array([normal[::-1], column[::-1], row[::-1]])


def _require_apart(path: Path, slices: list[Slice], along: NDArray[np.float64], name: str) -> None:
    gaps = np.diff(along)
    k = int(gaps.argmin())
    if gaps[k] < DUPLICATE_MM:
        raise InputError(
            f"{path}: two slices at the same position {name} = {along[k]:.3f} mm: "
            f"{slices[k].path.name} and {slices[k + 1].path.name}"
        )


def _shift(along: NDArray[np.float64], header: Any) -> list[str]:
    """Say by how much slices are shifted sideways against each other, if they are."""
    shift = float(np.ptp(along[:, 1:], axis=0).max())
    if shift <= SHEAR_MM:
        return []
    tilt = header.get("GantryDetectorTilt")
    stated = "not stated" if tilt is None else f"{float(tilt):g} degrees"
    lean = np.degrees(np.arctan2(np.linalg.norm(along[-1, 1:] - along[0, 1:]), along[-1, 0] - along[0, 0]))
    return [
        f"slices are shifted sideways against each other by {shift:.2f} mm over the series, as if sheared by "
        f"{lean:.1f} degrees (gantry tilt {stated})"
    ]


def _uneven(along: NDArray[np.float64], name: str) -> list[str]:
    """Say where slices are missing or unevenly spaced."""
    gaps = np.diff(along)
    usual = usual_gap(gaps)
    k = int(gaps.argmax())
    if gaps[k] > MISSING * usual:
        return [
            f"slice missing between {name} = {along[k]:.3f} and {along[k + 1]:.3f} mm: "
            f"the gap is {gaps[k]:.3f} mm, the usual spacing {usual:.3f} mm"
        ]
    spacing = float(along[-1] - along[0]) / len(gaps)
    off = np.abs(along - (along[0] + spacing * np.arange(len(along))))
    if off.max() > max(SPACING_TOLERANCE_MM, SPACING_TOLERANCE * spacing):
        return [
            f"uneven slice spacing, from {gaps.min():.3f} to {gaps.max():.3f} mm "
            f"({name} = {along[int(off.argmax())]:.3f} mm is {off.max():.3f} mm off an even stack)"
        ]
    return []
