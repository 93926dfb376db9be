"""Contours that touch, cross, repeat or do not end: the area that they enclose, and what is said or refused."""

import logging

import numpy as np
import pydicom
import pytest
import shapely
from images import rtstruct
from pydicom.uid import ImplicitVRLittleEndian

from mcdose.errors import InputError
from mcdose.grid import Grid
from mcdose.io.contours import read_contours
from mcdose.io.polygon import cell_areas, even_odd
from mcdose.io.structures import read_structures

GRID = Grid((10, 24, 30), (3.0, 2.5, 2.0), (-12.0, -30.0, -28.0))
HEIGHTS = (-4.0, 0.0, 4.0)
HEIGHT_MM = 12.0


def box(x0, y0, x1, y1):
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=float)


def in_planes(*rings):
    return [(z, ring) for z in HEIGHTS for ring in rings]


def area_mm2(tmp_path, *rings):
    """Area of the contours in every plane, by the volume of the structure on a grid that they are wholly on."""
    path = rtstruct(tmp_path / "rs.dcm", [("A", in_planes(*rings))])
    (drawn,) = read_contours(path, pydicom.dcmread(path), GRID)
    assert drawn.coverage.sum(dtype=float) * GRID.voxel_ml == pytest.approx(drawn.volume_ml, rel=1e-6)
    return drawn.volume_ml * 1000.0 / HEIGHT_MM


def crossings_of_rays(ring, points):
    """Whether a ray from each point crosses the ring an odd number of times."""
    x, y = points.T
    odd = np.zeros(len(points), dtype=bool)
    for (x0, y0), (x1, y1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        if y0 != y1:
            odd ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return odd


def test_even_odd_on_a_lattice_is_what_rays_say():
    # on five points a side edges coincide, corners touch and rings run back on themselves all the time
    rng = np.random.default_rng(7)
    for _ in range(300):
        rings = [rng.integers(0, 5, (rng.integers(3, 11), 2)).astype(float) for _ in range(rng.integers(1, 4))]
        points = rng.uniform(-0.5, 4.5, (200, 2))
        expected = np.logical_xor.reduce([crossings_of_rays(ring, points) for ring in rings])
        area = even_odd(rings)
        np.testing.assert_array_equal(shapely.intersects_xy(area, *points.T), expected)
        shares = cell_areas(area, np.arange(0.0, 5.0), np.arange(0.0, 5.0))
        assert shares.sum() == pytest.approx(area.area, abs=1e-9)


def test_even_odd_of_a_tangle_and_of_nothing():
    ring = np.random.default_rng(3).normal(size=(150, 2))
    points = np.random.default_rng(4).normal(size=(2000, 2))
    np.testing.assert_array_equal(shapely.intersects_xy(even_odd([ring]), *points.T), crossings_of_rays(ring, points))
    assert even_odd([]).is_empty
    assert even_odd([np.ones((4, 2))]).area == 0.0
    assert even_odd([np.array([[0.0, 0.0], [2.0, 1.0], [4.0, 2.0]])]).area == 0.0


SQUARE = box(-10, -10, 10, 10)  # 400 mm2
KEYHOLE = np.array(
    [[-10, -10], [10, -10], [10, 10], [-10, 10], [-10, -10], [-5, -5], [-5, 5], [5, 5], [5, -5], [-5, -5]], dtype=float
)
SLITS = np.array(  # two holes, and the way to the second one leads through the first
    [[-10, -10], [-8, -8], [-8, -4], [-4, -4], [-4, -8], [0, -8], [0, -4], [4, -4], [4, -8], [0, -8], [-4, -8],
     [-8, -8], [-10, -10], [-10, 10], [10, 10], [10, -10]], dtype=float,
)  # fmt: skip


@pytest.mark.parametrize(
    ("rings", "expected"),
    [
        ((SQUARE, box(-5, -5, 5, 5)), 300.0),
        ((SQUARE, box(-5, -5, 5, 5)[::-1]), 300.0),  # which way a contour runs says nothing
        ((SQUARE[::-1],), 400.0),
        ((KEYHOLE,), 300.0),
        ((KEYHOLE[::-1], box(-2, -2, 2, 2)), 316.0),  # an island in the hole
        ((SLITS,), 400.0 - 32.0),
        ((SQUARE, box(-8, -8, 8, 8), box(-6, -6, 6, 6), box(-1, -1, 1, 1)), 400 - 256 + 144 - 4),
        ((SQUARE, box(10, -10, 20, 0)), 500.0),  # neighbours with an edge in common
        ((SQUARE, box(10, 10, 20, 20)), 500.0),  # and with a corner
        ((SQUARE, box(-10, -5, 0, 5)), 300.0),  # a hole at the edge
        ((np.array([[-10, -10], [10, 10], [10, -10], [-10, 10]], dtype=float),), 200.0),  # a bow tie
        ((np.repeat(SQUARE, 3, axis=0),), 400.0),  # points given three times
        ((np.concatenate([SQUARE, SQUARE[:1]]),), 400.0),  # closed by its first point
        ((np.array([[-10, -10], [10, -10], [10, 30], [10, 10], [-10, 10]], dtype=float),), 400.0),  # a spike
    ],
)
def test_area_of_contours(tmp_path, caplog, rings, expected):
    with caplog.at_level(logging.WARNING, logger="mcdose"):
        assert area_mm2(tmp_path, *rings) == pytest.approx(expected, rel=1e-9)
    assert caplog.text == ""


@pytest.mark.parametrize(
    "again",
    [
        SQUARE,
        SQUARE[::-1],
        np.roll(SQUARE, 2, axis=0),
        SQUARE + 2e-4,
        np.concatenate([SQUARE, SQUARE[:1]]),
        np.repeat(SQUARE, 2, axis=0),
    ],
)
def test_a_contour_stored_twice_counts_once(tmp_path, caplog, again):
    with caplog.at_level(logging.WARNING, logger="mcdose"):
        assert area_mm2(tmp_path, SQUARE, box(-5, -5, 5, 5), again) == pytest.approx(300.0, rel=1e-9)
    assert "'A' has 3 contours that are there twice, the first at z = -4.00 mm; each counts once" in caplog.text


def test_contours_that_partly_cover_one_another_are_warned_of(tmp_path, caplog):
    with caplog.at_level(logging.WARNING, logger="mcdose"):
        assert area_mm2(tmp_path, SQUARE, box(5, 5, 15, 15)) == pytest.approx(400 + 100 - 2 * 25)
    assert "contours of structure 'A' cross one another" in caplog.text
    assert "the 25.0 mm2 that lie in two of them count as a hole" in caplog.text


def test_uneven_planes_share_the_way_between_them(tmp_path):
    heights = [-9.0, -8.0, -6.0, -4.5, 0.0]
    path = rtstruct(tmp_path / "rs.dcm", [("A", [(z, SQUARE) for z in heights])])
    (drawn,) = read_contours(path, pydicom.dcmread(path), GRID)
    # from -9.875 (half the median of 1, 2, 1.5 and 4.5) to half way, and a gap between -4.5 and 0
    bounds = [(-9.875, -8.5), (-8.5, -7.0), (-7.0, -5.25), (-5.25, -3.625), (-0.875, 0.875)]
    assert drawn.volume_ml == pytest.approx(0.4 * sum(top - bottom for bottom, top in bounds), rel=1e-12)
    assert drawn.coverage.sum(dtype=float) * GRID.voxel_ml == pytest.approx(drawn.volume_ml, rel=1e-6)


def test_points_are_no_structure_and_leave_the_others_alone(tmp_path, caplog):
    path = rtstruct(tmp_path / "rs.dcm", [("Marker", [(0.0, SQUARE[:1])]), ("A", in_planes(SQUARE))])
    dataset = pydicom.dcmread(path)
    dataset.ROIContourSequence[0].ContourSequence[0].ContourGeometricType = "POINT"
    dataset.save_as(path)
    with caplog.at_level(logging.WARNING, logger="mcdose"):
        assert list(read_structures(path, GRID)) == ["A"]
    assert "structure 'Marker' has no closed contour and is left out" in caplog.text


@pytest.mark.filterwarnings("ignore:The value for the data element")
@pytest.mark.parametrize("implicit", [True, False])
def test_contours_of_more_than_64_kb(tmp_path, implicit):
    angle = np.arange(4001) * 2 * np.pi / 4001
    circle = 12.0 * np.column_stack([np.cos(angle), np.sin(angle)])
    path = rtstruct(tmp_path / "rs.dcm", [("A", in_planes(circle))])
    assert pydicom.dcmread(path).ROIContourSequence[0].ContourSequence[0]["ContourData"].VR == "UN"
    if implicit:
        path = rtstruct(path, [("A", in_planes(circle[:9]))])
        dataset = pydicom.dcmread(path)
        for contour, z in zip(dataset.ROIContourSequence[0].ContourSequence, HEIGHTS, strict=True):
            points = np.column_stack([circle, np.full(len(circle), z)])
            contour.ContourData, contour.NumberOfContourPoints = [f"{v:.9g}" for v in points.ravel()], len(circle)
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        dataset.save_as(path, implicit_vr=True)
    (drawn,) = read_contours(path, pydicom.dcmread(path), GRID)
    assert drawn.volume_ml == pytest.approx(HEIGHT_MM * np.pi * 0.144, rel=1e-6)


def test_files_that_would_take_minutes_are_refused(tmp_path):
    tangle = np.random.default_rng(1).normal(size=(2500, 2)).round(2)
    path = rtstruct(tmp_path / "a.dcm", [("A", in_planes(tangle))])
    with pytest.raises(InputError, match=r"up to 'A' at z = 0\.00 mm there are \d{7} crossings or more, and 0 pairs"):
        read_structures(path, GRID)
    nested = [SQUARE * k / 1500 for k in range(1, 1501)]
    path = rtstruct(tmp_path / "c.dcm", [("A", [(0.0, ring) for ring in nested])])
    with pytest.raises(InputError, match="there are 0 crossings or more, and 1124250 pairs"):
        read_structures(path, GRID)
    path = rtstruct(tmp_path / "d.dcm", [(f"A{k}", []) for k in range(1001)])
    with pytest.raises(InputError, match="at most 1000 structures are read, got 1001"):
        read_structures(path, GRID)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("MOST_CONTOURS", "at most 2 contours of a structure are read, ROI 1 has 3"),
        ("MOST_POINTS", "'A' must have at most 2 points in a plane, got 4 at z = -4"),
    ],
)
def test_contours_and_points_are_counted(tmp_path, monkeypatch, limit, message):
    monkeypatch.setattr(f"mcdose.io.outlines.{limit}", 2)
    path = rtstruct(tmp_path / "rs.dcm", [("A", in_planes(SQUARE))])
    with pytest.raises(InputError, match=message):
        read_structures(path, GRID)


def test_crossings_of_all_structures_are_counted(tmp_path, monkeypatch):
    bow_tie = np.array([[-10, -10], [10, 10], [10, -10], [-10, 10]], dtype=float)
    path = rtstruct(tmp_path / "rs.dcm", [("A", in_planes(bow_tie)), ("B", in_planes(bow_tie))])
    monkeypatch.setattr("mcdose.io.outlines.MOST_WORK", 6 * 10_004)
    assert list(read_structures(path, GRID)) == ["A", "B"]
    monkeypatch.setattr("mcdose.io.outlines.MOST_WORK", 5 * 10_004)
    with pytest.raises(InputError, match=r"up to 'B' at z = 4\.00 mm there are 6 crossings or more, and 0 pairs"):
        read_structures(path, GRID)


def test_many_outlines_are_cut_in_parts(monkeypatch):
    comb = np.array([(k * 0.05, 0.0 if k % 2 else 9.0) for k in range(200)] + [(5.0, -1.0)])
    whole = cell_areas(even_odd([comb]), np.arange(0.0, 11.0), np.arange(-1.0, 10.0))
    monkeypatch.setattr("mcdose.io.polygon.MOST_PIECES", 50)
    np.testing.assert_allclose(cell_areas(even_odd([comb]), np.arange(0.0, 11.0), np.arange(-1.0, 10.0)), whole)
    assert whole.sum() == pytest.approx(even_odd([comb]).area)
