"""Volumes of contours on grids: closed forms, shapely's areas, and plastimatch.

Promised: the share of the voxels sums to the contours' own volume (area times the slab of each plane) to 1e-6, and that
is within 0.5 % of the solid that was drawn if its radius is at least 8 distances of planes, wherever the planes lie.
"""

import subprocess

import numpy as np
import pydicom
import pytest
import shapely
import SimpleITK as sitk
from images import reference_images, rtstruct
from programs import needs_program

from mcdose.grid import Grid
from mcdose.io.contours import read_contours
from mcdose.io.ct import read_ct
from mcdose.io.structures import read_structures

GRIDS = {
    "fine": Grid((80, 80, 80), (1.0, 1.0, 1.0), (-39.5, -39.5, -39.5)),
    "coarse": Grid((16, 20, 20), (5.0, 4.07283, 4.07283), (-37.5, -38.7, -38.7)),
    "offset": Grid((30, 35, 41), (2.9, 2.53, 1.97), (-41.77, -43.31, -40.13)),
}
STEP_MM = 2.0
TURN = np.arange(720) * 2 * np.pi / 720
CIRCLE = np.column_stack([np.cos(TURN), np.sin(TURN)])  # an area 1.3e-5 smaller than pi
CENTRE = np.array([1.3, -2.7])


def stack(height_mm, rings):
    """Contours in the middle of slabs from -height / 2 to height / 2; `rings` of z gives those of a plane."""
    heights = np.arange(-height_mm / 2 + STEP_MM / 2, height_mm / 2, STEP_MM)
    return [(z, ring + CENTRE) for z in heights for ring in rings(z)]


SOLIDS = {  # contours, volume [mm3]
    "cylinder": (stack(40, lambda z: [20 * CIRCLE]), np.pi * 20**2 * 40),
    "ellipsoid": (
        stack(60, lambda z: [np.sqrt(1 - (z / 30) ** 2) * CIRCLE * [16, 24]]),
        4 / 3 * np.pi * 16 * 24 * 30,
    ),
    "box": (stack(36, lambda z: [np.array([[-15, -11], [15, -11], [15, 11], [-15, 11]])]), 30 * 22 * 36),
    "ring": (stack(20, lambda z: [25 * CIRCLE, 12 * CIRCLE]), np.pi * (25**2 - 12**2) * 20),
    "ring as a key-hole": (
        stack(20, lambda z: [np.concatenate([25 * CIRCLE, 25 * CIRCLE[:1], 12 * CIRCLE[:1], 12 * CIRCLE[::-1]])]),
        np.pi * (25**2 - 12**2) * 20,
    ),
    "cone": (stack(50, lambda z: [25 * (0.5 - z / 50) * CIRCLE]), np.pi * 25**2 * 50 / 3),
}


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("solid", SOLIDS)
def test_volume_of_a_solid(tmp_path, solid, grid):
    contours, volume_mm3 = SOLIDS[solid]
    path = rtstruct(tmp_path / "rs.dcm", [(solid, contours)])
    (drawn,) = read_contours(path, pydicom.dcmread(path), GRIDS[grid])
    on_grid_ml = drawn.coverage.sum(dtype=float) * GRIDS[grid].voxel_ml
    assert drawn.coverage.min() >= 0
    assert drawn.coverage.max() <= 1
    assert on_grid_ml == pytest.approx(drawn.volume_ml, rel=1e-6)
    assert on_grid_ml == pytest.approx(volume_mm3 / 1000, rel=0.005)
    if solid not in ("ring", "ring as a key-hole"):
        slabs_ml = sum(shapely.Polygon(ring).area for _, ring in contours) * STEP_MM / 1000
        assert drawn.volume_ml == pytest.approx(slabs_ml, rel=1e-7)


@pytest.mark.parametrize("shift", np.arange(8) / 8)
def test_volume_of_the_smallest_ball_wherever_its_planes_are(tmp_path, shift):
    radius = 8 * STEP_MM
    heights = [z for z in np.arange(-20, 20, STEP_MM) + shift * STEP_MM if abs(z) < radius - 1e-9]
    contours = [(z, np.sqrt(radius**2 - z**2) * CIRCLE) for z in heights]
    path = rtstruct(tmp_path / "rs.dcm", [("ball", contours)])
    for grid in GRIDS.values():
        coverage = read_structures(path, grid)["ball"]
        volume_ml = coverage.sum(dtype=float) * grid.voxel_ml
        assert volume_ml == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.005)
        centre = np.average(grid.centres_mm(1), weights=coverage.sum(axis=(0, 2)))
        assert centre == pytest.approx(0.0, abs=0.02)


def plastimatch(structures, folder, *words):
    """Masks by name, as plastimatch draws them."""
    needs_program("plastimatch")
    command = ["plastimatch", "convert", "--input", structures, "--output-prefix", folder, "--prefix-format", "mha"]
    subprocess.run([*command, "--xor-contours", *words], check=True, capture_output=True)
    return {path.stem: sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in folder.glob("*.mha")}


def test_plastimatch_draws_the_same(tmp_path):
    grid = Grid((24, 160, 160), (2.0, 0.5, 0.5), (-23.0, -40.0, -40.0))
    solids = {name: SOLIDS[name][0] for name in ("cylinder", "box", "ring")}
    path = rtstruct(tmp_path / "rs.dcm", list(solids.items()))
    fixed = sitk.Image(160, 160, 24, sitk.sitkUInt8)
    fixed.SetSpacing(grid.voxel_mm[::-1])
    fixed.SetOrigin(grid.origin_mm[::-1])
    sitk.WriteImage(fixed, str(tmp_path / "fixed.mha"))
    masks = plastimatch(path, tmp_path / "masks", "--fixed", tmp_path / "fixed.mha")
    for name, coverage in read_structures(path, grid).items():
        assert np.abs(masks[name] - coverage).sum() < 0.03 * coverage.sum(dtype=float)  # whole voxels on the outline
        assert masks[name].sum() == pytest.approx(coverage.sum(dtype=float), rel=0.02)


def test_plastimatch_draws_the_reference_patient_the_same(tmp_path):
    folder = reference_images() / "liver-y90"
    structures = folder / "RTSTRUCT_semiauto.dcm"
    masks = plastimatch(structures, tmp_path / "masks", "--referenced-ct", folder / "CT")
    drawn = read_structures(structures, read_ct(folder / "CT").volume.grid)
    assert set(masks) == set(drawn)
    for name, coverage in drawn.items():
        # plastimatch takes the voxels whose centre is inside; in the lungs some outlines pass through centres
        other = np.count_nonzero((coverage > 0.5) != (masks[name] > 0))
        assert other <= (0.004 if name == "Lungs_in_FOV" else 0.0) * masks[name].sum()
        assert coverage.sum(dtype=float) == pytest.approx(masks[name].sum(), rel=0.005)
