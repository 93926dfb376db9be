"""Slices that are tilted, unevenly spaced or missing, made an even stack by the overlap of their voxels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.resample import overlap_matrix


@dataclass(frozen=True)
class Evening:
    """From slices as they are to an even stack, along (normal, column, row).

    A slice reaches half way to its neighbours, and as far outwards at the two ends; its voxels are boxes of that
    thickness. Their values, as densities, are averaged over the boxes of the even stack by overlap, so that the
    integral over space is kept.

    Attributes
    ----------
    bounds_mm : (slices + 1,), where the slices meet along the normal
    corner_mm : (slices, 2), along column and row, of the first voxel's centre of each slice
    spacing_mm : of the pixels, along column and row
    shape : of the even stack
    voxel_mm : likewise; its spacing is as near to the usual one as fits
    origin : (3,), along (normal, column, row) [mm], of its first voxel's centre
    """

    bounds_mm: NDArray[np.float64]
    corner_mm: NDArray[np.float64]
    spacing_mm: tuple[float, float]
    shape: tuple[int, int, int]
    voxel_mm: tuple[float, float, float]
    origin: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        path: Path,
        along: NDArray[np.float64],
        spacing_mm: tuple[float, float],
        size: tuple[int, int],
        longest_gap: float,
    ) -> Evening:
        """Plan an even stack that covers all slices.

        Parameters
        ----------
        path : to name in errors
        along : (slices, 3), place of each slice's first voxel along (normal, column, row), ascending normals [mm]
        spacing_mm, size : of the pixels of a slice, along column and row
        longest_gap : that is bridged, in usual spacings
        """
        gaps = np.diff(along[:, 0])
        usual = usual_gap(gaps)
        if gaps.max() > longest_gap * usual:
            raise InputError(
                f"{path}: gaps of at most {longest_gap:g} slice spacings can be bridged, "
                f"got one of {gaps.max():.3f} mm with a usual spacing of {usual:.3f} mm"
            )
        extent = np.array(size) * np.array(spacing_mm)
        shift = np.ptp(along[:, 1:], axis=0)
        if (shift > extent).any():
            raise InputError(
                f"{path}: slices must lie beside each other, they are shifted sideways by {shift.max():.1f} mm"
            )
        middle = 0.5 * (along[1:, 0] + along[:-1, 0])
        bounds = np.concatenate([[along[0, 0] - gaps[0] / 2], middle, [along[-1, 0] + gaps[-1] / 2]])
        count = max(2, round(float(bounds[-1] - bounds[0]) / usual))
        thick = float(bounds[-1] - bounds[0]) / count
        rows, columns = (n + int(np.ceil(s / d - 1e-6)) for n, s, d in zip(size, shift, spacing_mm, strict=True))
        first = along[:, 1:].min(axis=0)
        return cls(
            bounds,
            along[:, 1:],
            spacing_mm,
            (count, rows, columns),
            (thick, *spacing_mm),
            np.array([bounds[0] + thick / 2, first[0], first[1]]),
        )

    def shared(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the content of the planes of the even stack back to the slices, by how much of each they are."""
        return np.asarray((overlap_matrix(self._edges(0), self.bounds_mm) / self.voxel_mm[0]) @ sums)

    def values(self, stored: NDArray[Any], outside: float) -> NDArray[Any]:
        """Resample values (slices, rows, columns), densities, to `shape`; `outside` where there is no slice."""
        share = overlap_matrix(self.bounds_mm, self._edges(0)) / self.voxel_mm[0]
        out = np.zeros(self.shape, dtype=stored.dtype)
        entries = share.tocoo()
        for k in range(len(stored)):
            rows, columns = (
                overlap_matrix(_edges(self.corner_mm[k, a], d, stored.shape[a + 1]), self._edges(a + 1)) / d
                for a, d in enumerate(self.spacing_mm)
            )
            plane = (columns @ (rows @ stored[k].astype(np.float64)).T).T
            plane += outside * (1.0 - np.outer(rows.sum(axis=1), columns.sum(axis=1)))
            for layer, weight in zip(entries.row[entries.col == k], entries.data[entries.col == k], strict=True):
                out[layer] += weight * plane
        return out

    def _edges(self, axis: int) -> NDArray[np.float64]:
        return _edges(self.origin[axis], self.voxel_mm[axis], self.shape[axis])


def usual_gap(gaps: NDArray[np.float64]) -> float:
    """Return the lower median, so that a lone gap beside one good step is the gap."""
    return float(np.sort(gaps)[(len(gaps) - 1) // 2])


def _edges(first: float, step: float, count: int) -> NDArray[np.float64]:
    return np.asarray(first + (np.arange(count + 1) - 0.5) * step)
