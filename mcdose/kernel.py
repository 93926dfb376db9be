"""Dose kernels: what `dose_point_kernel` and `voxel_kernel` give back, and what the library holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class _Kernel:
    """What all kernels have in common."""

    provenance: dict[str, Any]

    @property
    def cancelled(self) -> bool:
        """Whether the run was stopped before all of its histories."""
        return bool(self.provenance.get("cancelled", False))

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the kernel as HDF5; see `mcdose.kernel_file`."""
        from mcdose.kernel_file import save_kernel

        save_kernel(self, path, overwrite=overwrite)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class PointKernel(_Kernel):
    """Energy deposited around a point source in an unbounded medium.

    Parameters
    ----------
    shell_edges_mm : (n + 1,) mm, from 0
    energy_mev : (n,) MeV per decay (per electron of a mono-energetic source) in each shell
    standard_error_mev : (n,) one sigma, from the spread of batches
    deviations_mev : (parts, n) how parts of the histories deviate from the mean, scaled so that the sum over parts of
        d_i d_j estimates the covariance of shells i and j: for errors of sums over shells
    emitted_mev : mean energy per decay of what was started
    source : nuclide name, or energy in MeV
    medium, density_g_cm3, histories, provenance
    """

    shell_edges_mm: NDArray[np.float64]
    energy_mev: NDArray[np.float64]
    standard_error_mev: NDArray[np.float64]
    deviations_mev: NDArray[np.float64]
    emitted_mev: float
    source: str | float
    medium: str
    density_g_cm3: float
    histories: int
    provenance: dict[str, Any]

    def radius_containing(self, fraction: float) -> float:
        """Return the radius [mm] inside which a fraction of the emitted energy is deposited, linear within a shell.

        Raises
        ------
        ValueError
            A fraction out of 0 to 1, or more than the shells hold.
        """
        if not 0.0 < fraction < 1.0:
            raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
        inside = np.concatenate([[0.0], np.cumsum(self.energy_mev)]) / self.emitted_mev
        if fraction > inside[-1]:
            raise ValueError(f"fraction must be at most {inside[-1]:.6f}, what the shells hold, got {fraction}")
        return float(np.interp(fraction, inside, self.shell_edges_mm))

    def radius_standard_error(self, fraction: float) -> float:
        """Return one sigma [mm] of `radius_containing`: what the energy inside errs by, over its increase with radius.

        From the deviations of the parts of the histories, so itself uncertain by 13 % (32 parts).
        """
        radius = self.radius_containing(fraction)
        shell = int(np.clip(np.searchsorted(self.shell_edges_mm, radius) - 1, 0, self.energy_mev.size - 1))
        inside = np.pad(np.cumsum(self.deviations_mev, axis=1), ((0, 0), (1, 0)))
        errors = [np.interp(radius, self.shell_edges_mm, part) for part in inside]
        width = self.shell_edges_mm[shell + 1] - self.shell_edges_mm[shell]
        return float(np.sqrt(np.square(errors).sum()) * width / self.energy_mev[shell])

    def to_csv(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write a row for each shell: inner and outer radius [mm], energy and its standard error [MeV], every digit."""
        columns = (self.shell_edges_mm[:-1], self.shell_edges_mm[1:], self.energy_mev, self.standard_error_mev)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        lines = ["inner_mm,outer_mm,energy_mev,standard_error_mev", *(",".join(map(repr, row)) for row in rows)]
        _write_lines(path, overwrite, lines)


@dataclass(frozen=True, eq=False)
class VoxelKernel(_Kernel):
    """Voxel S values around one source voxel of a uniform medium.

    Parameters
    ----------
    values : (nz, ny, nx) float64, odd sizes, source voxel in the middle, mGy/(MBq s), dose to the medium
    standard_error : same shape and unit, one sigma
    voxel_mm : (dz, dy, dx)
    nuclide, medium, density_g_cm3
    outside_mev : mean energy per decay that is deposited outside the array or escapes, MeV
    emitted_mev : mean energy per decay, MeV
    provenance
    """

    values: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    voxel_mm: tuple[float, float, float]
    nuclide: str
    medium: str
    density_g_cm3: float
    outside_mev: float
    emitted_mev: float
    provenance: dict[str, Any]

    def to_csv(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write a row for each voxel of one octant, every digit; the others mirror it.

        Columns: offsets k, j, i >= 0 from the source voxel along z, y, x, and S value and its standard error,
        mGy/(MBq s).
        """
        middle = tuple(slice(size // 2, None) for size in self.values.shape)
        columns = zip(self.values[middle].ravel().tolist(), self.standard_error[middle].ravel().tolist(), strict=True)
        lines = ["k,j,i,s_mgy_per_mbq_s,standard_error_mgy_per_mbq_s"]
        for offset, (value, error) in zip(np.ndindex(self.values[middle].shape), columns, strict=True):
            lines.append(",".join(map(repr, (*offset, value, error))))
        _write_lines(path, overwrite, lines)


def _write_lines(path: str | Path, overwrite: bool, lines: list[str]) -> None:
    from mcdose.io.output import whole_file

    with whole_file(Path(path), overwrite) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
