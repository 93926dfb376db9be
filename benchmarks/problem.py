"""The problem all speeds are measured on: 64^3 voxels of 3 mm water, Y-90 spread evenly over them."""

from __future__ import annotations

import numpy as np

import mcdose

VOXELS = 64
VOXEL_MM = 3.0


def water(histories: int, threads: int, seed: int = 1, device: str = "cpu", nuclide: str = "Y-90") -> mcdose.DoseResult:
    """Run the problem, with another nuclide where one is named."""
    how = {"histories": histories, "threads": threads, "seed": seed, "device": device}
    return mcdose.absorbed_dose(np.ones((VOXELS,) * 3), (VOXEL_MM,) * 3, nuclide=nuclide, **how)


def demo(histories: int, threads: int, seed: int = 1, device: str = "cpu") -> mcdose.DoseResult:
    """Run the demonstration phantom."""
    from mcdose.phantom import demo_phantom

    phantom = demo_phantom()
    tia = mcdose.activity_to_tia(phantom.activity_bq, "Y-90")
    return mcdose.absorbed_dose(
        tia, phantom.grid.voxel_mm, ct_hu=phantom.ct_hu, histories=histories, threads=threads, seed=seed, device=device
    )
