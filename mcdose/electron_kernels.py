"""Dose-point kernels of mono-energetic electrons on a grid of energies, and the kernel of any spectrum from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcdose.kernel import PointKernel

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from mcdose.nuclides import Nuclide

Array = NDArray[np.float64]
CELLS = 256  # energies that stand for a spectrum


@dataclass(frozen=True, eq=False)
class ElectronKernels:
    """Energy deposited around point sources of mono-energetic electrons in an unbounded medium.

    Parameters
    ----------
    electron_energy_mev : (m,) MeV, ascending
    shell_edges_mm : (m, n + 1) mm, from 0, those of each energy
    energy_mev : (m, n) MeV per electron in each shell
    standard_error_mev : (m, n) one sigma
    deviations_mev : (m, parts, n) see `PointKernel`; sums over energies add part by part, so it does not matter whether
        energies share random numbers
    medium, density_g_cm3, histories, provenance : histories of each energy
    """

    electron_energy_mev: Array
    shell_edges_mm: Array
    energy_mev: Array
    standard_error_mev: Array
    deviations_mev: Array
    medium: str
    density_g_cm3: float
    histories: int
    provenance: dict[str, Any]

    def compose(
        self,
        source: str | float | tuple[ArrayLike, ArrayLike],
        *,
        shell_edges_mm: ArrayLike | None = None,
        density_g_cm3: float | None = None,
    ) -> PointKernel:
        """Return the dose-point kernel of a beta spectrum, of a nuclide's electrons or of one energy.

        The spectrum is cut into 256 cells, each of which stands at its mean energy. Between two energies of the grid
        the shells go with a power of the energy, as ranges do, and the fraction of the energy inside a shell goes
        linearly with the logarithm of the energy. Below the lowest energy the shape is that of the lowest.

        Parameters
        ----------
        source : nuclide name, energy [MeV], or (energies [MeV], density)
            A density is linear between energies that ascend, in any unit: the kernel is per electron. Of a nuclide only
            the betas are composed; unless a decay emits one beta and nothing else, the kernel's source is
            "Lu-177, betas only", which `voxel_kernel` does not take for the nuclide's.
        shell_edges_mm : (n + 1,) mm, ascending from 0, optional
            None: 120 shells to 1.2 ranges of the highest energy, then 60 in equal ratios to 2 m, as the grid has.
        density_g_cm3 : float, optional
            None is the medium's own; lengths go with its inverse.

        Raises
        ------
        ValueError, TypeError
            A spectrum that is negative or empty, energies or shells beyond the grid, shells that do not ascend from 0.
        """
        from mcdose.point_kernel import check_density, check_edges

        name, energies, weights = self._cells(source)
        density = check_density(density_g_cm3, self.density_g_cm3)
        longer = self.density_g_cm3 / density
        edges = longer * self._edges(energies[-1:])[0] if shell_edges_mm is None else check_edges(shell_edges_mm)
        reach = longer * float(self.shell_edges_mm[:, -1].max())
        if edges[-1] > reach * (1.0 + 1e-9):
            raise ValueError(
                f"shell_edges_mm must be at most {reach:g} mm, as far as the kernels go, got {edges[-1]:g}"
            )
        use = self._use(edges / longer, energies, weights * energies)
        shells = np.diff(use @ self._within, axis=0)
        energy, deviations = np.maximum(shells[:, 0], 0.0), shells[:, 1:].T  # rounding can leave -1e-16
        return PointKernel(
            edges,
            energy,
            np.sqrt((deviations**2).sum(axis=0)),
            deviations,
            float((weights * energies).sum()),
            name,
            self.medium,
            density,
            self.histories,
            {
                "method": "composed of mono-energetic kernels",
                "mcdose": self.provenance["mcdose"],
                "seed": self.provenance["seed"],
                "electrons": self.provenance,
            },
        )

    def _cells(self, source: str | float | tuple[ArrayLike, ArrayLike]) -> tuple[str | float, Array, Array]:
        """Return a name, the mean energies of the cells of a spectrum [MeV] and their parts of it, of sum 1."""
        highest = self.electron_energy_mev[-1] * (1.0 + 1e-9)
        if isinstance(source, Real) and not isinstance(source, bool):
            source = float(source)
            if not self.electron_energy_mev[0] * (1.0 - 1e-9) <= source <= highest:
                raise ValueError(
                    f"source must be an energy of {self.electron_energy_mev[0]:g} to "
                    f"{self.electron_energy_mev[-1]:g} MeV, got {source}"
                )
            return source, np.array([source]), np.ones(1)
        name = "spectrum"
        if isinstance(source, str):
            from mcdose.nuclides import nuclide

            named = nuclide(source)
            if not named.has_betas:
                raise ValueError(f"source must emit betas, which are all that is composed, got {named.name}")
            name, source = _name_of_betas(named), named.spectrum
        try:
            energy, density = (np.asarray(part, np.float64) for part in source)  # type: ignore[union-attr]
        except (TypeError, ValueError):
            raise TypeError(
                f"source must be a nuclide, an energy, or energies and densities of a spectrum, got {source!r}"
            ) from None
        if energy.ndim != 1 or energy.shape != density.shape or energy.size < 2:
            raise ValueError(
                f"a spectrum must be energies and densities of one length, got {energy.shape} and {density.shape}"
            )
        if not (energy[0] >= 0.0 and np.all(np.diff(energy) > 0.0) and energy[-1] <= highest):
            raise ValueError(
                f"energies of a spectrum must ascend within 0 and {self.electron_energy_mev[-1]:g} MeV, "
                f"got {energy[0]:g} to {energy[-1]:g}"
            )
        if not (np.all(density >= 0.0) and 0.0 < density.sum() < np.inf):
            raise ValueError("densities of a spectrum must be at least 0 and not all 0")
        return name, *_cells_of(energy, density)

    def _edges(self, energies: Array) -> Array:
        """Return the shell edges [mm] of any energies, a power law between those of the grid, (cells, n + 1)."""
        grid = np.log(self.electron_energy_mev)
        row = np.clip(np.searchsorted(grid, np.log(energies)) - 1, 0, grid.size - 2)
        place = ((np.log(energies) - grid[row]) / (grid[row + 1] - grid[row]))[:, None]
        low, high = self.shell_edges_mm[row, 1:], self.shell_edges_mm[row + 1, 1:]
        edges = low * (high / low) ** place  # exact where both are the same
        return np.concatenate([np.zeros((energies.size, 1)), edges], axis=1)

    @cached_property
    def _within(self) -> Array:
        """Fractions of the energy, and of its deviations, within each radius of the grid, (m (n + 1), 1 + parts)."""
        columns = np.stack([self.energy_mev, *np.moveaxis(self.deviations_mev, 1, 0)], axis=-1)
        within = np.zeros((*self.shell_edges_mm.shape, columns.shape[-1]))
        np.cumsum(columns / self.electron_energy_mev[:, None, None], axis=1, out=within[:, 1:])
        return within.reshape(-1, columns.shape[-1])

    def _use(self, radii: Array, energies: Array, amounts: Array) -> csr_matrix:
        """Return how much of each fraction of the grid each radius uses, (radii, m (n + 1))."""
        from scipy.sparse import csr_matrix

        count, nodes = self.shell_edges_mm.shape
        grid = np.log(self.electron_energy_mev)
        place = np.interp(np.log(energies), grid, np.arange(count))
        low = np.minimum(place.astype(int), count - 2)
        upper = place - low
        node = np.stack([np.interp(radii, own, np.arange(nodes)) for own in self._edges(energies)], axis=1)
        inner = np.minimum(node.astype(int), nodes - 2)
        outer = node - inner
        index = np.empty((radii.size, energies.size, 4), np.int64)
        part = np.empty(index.shape)
        for k, (row, row_part) in enumerate(((low, 1.0 - upper), (low + 1, upper))):
            index[:, :, 2 * k] = row * nodes + inner
            index[:, :, 2 * k + 1] = row * nodes + inner + 1
            part[:, :, 2 * k] = amounts * row_part * (1.0 - outer)
            part[:, :, 2 * k + 1] = amounts * row_part * outer
        ends = np.arange(radii.size + 1) * (4 * energies.size)
        return csr_matrix((part.ravel(), index.ravel(), ends), (radii.size, count * nodes))


def _name_of_betas(nuclide: Nuclide) -> str:
    """Return what a kernel of betas is called: the nuclide if a decay is one beta, else "..., betas only"."""
    others = sum(mev for kind, mev in nuclide.mean_energies_mev.items() if kind != "beta")
    whole = others == 0.0 and abs(nuclide.spectrum.electrons_per_decay - 1.0) < 1e-3
    return nuclide.name if whole else f"{nuclide.name}, betas only"


def _cells_of(energy: Array, density: Array) -> tuple[Array, Array]:
    """Return mean energies and parts of the cells of a piecewise linear spectrum, exact in number and energy."""
    from mcdose.nuclides import linear_moments

    edges = np.linspace(energy[0], energy[-1], CELLS + 1)
    points = np.union1d(energy, edges)
    number, moment = linear_moments(points, np.interp(points, energy, density))
    cell = np.clip(np.searchsorted(edges, points[:-1], side="right") - 1, 0, CELLS - 1)
    numbers = np.bincount(cell, number, CELLS)
    moments = np.bincount(cell, moment, CELLS)
    filled = numbers > 0.0
    return moments[filled] / numbers[filled], numbers[filled] / numbers.sum()
