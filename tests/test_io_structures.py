"""Structures: drawn volume and place on the dose grid, against closed forms, shapely and one another."""

import logging
from dataclasses import replace
from itertools import pairwise

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
import shapely
import SimpleITK as sitk
from highdicom.content import AlgorithmIdentificationSequence
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from images import ct_series, reference_images, rtstruct
from oriented import OBLIQUE, turn_of
from pydicom.sr.codedict import codes
from scipy.spatial.transform import Rotation

from mcdose.errors import InputError
from mcdose.grid import Grid, placed
from mcdose.io.contours import slabs
from mcdose.io.polygon import cell_areas, even_odd
from mcdose.io.structures import read_structure_set, read_structures

GRID = Grid((10, 24, 30), (3.0, 2.5, 2.0), (-12.0, -30.0, -28.0))
SQUARE = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)


def circle(radius, x=0.0, y=0.0, points=180):
    angle = np.arange(points) * 2 * np.pi / points
    return np.column_stack([x + radius * np.cos(angle), y + radius * np.sin(angle)])


def regular_area(radius, points=180):
    return 0.5 * points * radius**2 * np.sin(2 * np.pi / points)


def millilitres(coverage, grid=GRID):
    return coverage.sum(dtype=float) * grid.voxel_ml


def planes(ring, first, last, step):
    return [(z, ring) for z in np.arange(first, last + step / 2, step)]


def test_cell_areas_agree_with_shapely_cell_by_cell():
    rng = np.random.default_rng(5)
    x_edges, y_edges = np.linspace(-4, 5, 10), np.linspace(-3, 3.5, 14)
    for _ in range(20):
        rings = [rng.normal(scale=3, size=2) + rng.uniform(0.5, 4) * rng.normal(size=(7, 2)) for _ in range(3)]
        area = even_odd(rings)
        expected = np.array(
            [
                [area.intersection(shapely.box(x0, y0, x1, y1)).area / ((x1 - x0) * (y1 - y0)) for x0, x1 in
                 pairwise(x_edges)]
                for y0, y1 in pairwise(y_edges)
            ]
        )  # fmt: skip
        np.testing.assert_allclose(cell_areas(area, x_edges, y_edges), expected, atol=1e-9)


def test_outlines_on_the_grid_lines_fill_whole_cells():
    shares = cell_areas(even_odd([SQUARE * 2]), np.arange(-4.0, 5.0), np.arange(-3.0, 4.0))
    expected = np.zeros((6, 8))
    expected[1:5, 2:6] = 1
    np.testing.assert_array_equal(shares, expected)


def test_even_odd_rule():
    assert even_odd([SQUARE * 3, SQUARE * 2, SQUARE]).area == pytest.approx(36 - 16 + 4)
    assert even_odd([SQUARE, SQUARE + 5]).area == pytest.approx(8)  # two parts
    bow_tie = np.array([[-1, -1], [1, 1], [1, -1], [-1, 1]], dtype=float)
    assert even_odd([bow_tie]).area == pytest.approx(2)
    key_hole = np.array(
        [[-3, -3], [3, -3], [3, 3], [-3, 3], [-3, -3], [-1, -1], [-1, 1], [1, 1], [1, -1], [-1, -1]], dtype=float
    )
    assert even_odd([key_hole]).area == pytest.approx(36 - 4)


def test_cylinder_keeps_its_volume_and_centre(tmp_path):
    path = rtstruct(tmp_path / "rs.dcm", [("Liver", planes(circle(11.3, 3.1, -5.7), -8, 8, 4))])
    coverage = read_structures(path, GRID)["Liver"]
    assert coverage.dtype == np.float32
    assert coverage.shape == GRID.shape
    assert coverage.min() >= 0
    assert coverage.max() == 1
    assert millilitres(coverage) == pytest.approx(regular_area(11.3) * 20 / 1000, rel=1e-6)
    centre = [
        np.average(GRID.centres_mm(axis), weights=coverage.sum(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)
    ]
    np.testing.assert_allclose(centre, [0.0, -5.7, 3.1], atol=0.02)  # shares stand at voxel centres
    # along z the slab from -10 to 10 covers the voxels from -13.5 in steps of 3 mm by these shares
    shares = coverage[:, 9, 15] / coverage[5, 9, 15]
    np.testing.assert_allclose(shares, [0, 2.5 / 3, 1, 1, 1, 1, 1, 2.5 / 3, 0, 0], atol=1e-6)


def test_holes_parts_and_gaps(tmp_path, caplog):
    ring = [(z, circle(r)) for z in (-6.0, -2.0, 2.0) for r in (12.0, 5.0)]
    pair = [(z, circle(4.0, x)) for z in (-2.0, 2.0) for x in (-15.0, 12.0)]
    apart = planes(circle(6.0), -8, -4, 2) + planes(circle(6.0), 4, 8, 2)
    path = rtstruct(tmp_path / "rs.dcm", [("ring", ring), ("pair", pair), ("apart", apart)])
    with caplog.at_level(logging.WARNING, logger="mcdose"):
        drawn = read_structures(path, GRID)
    assert millilitres(drawn["ring"]) == pytest.approx((regular_area(12) - regular_area(5)) * 12 / 1000, rel=1e-6)
    assert millilitres(drawn["pair"]) == pytest.approx(2 * regular_area(4) * 8 / 1000, rel=1e-6)
    assert millilitres(drawn["apart"]) == pytest.approx(regular_area(6) * 12 / 1000, rel=1e-6)
    assert "'apart' has no contour between z = -4.00 and 4.00 mm" in caplog.text
    assert len(caplog.records) == 1


def test_slabs_meet_half_way():
    np.testing.assert_allclose(slabs(np.array([0.0, 2.0, 5.0]), None), [[-1.25, 1.0], [1.0, 3.5], [3.5, 6.25]])
    np.testing.assert_allclose(slabs(np.array([0.0, 2.0, 4.0, 10.0]), None)[2:], [[3, 5], [9, 11]])
    np.testing.assert_allclose(slabs(np.array([7.0]), 3.0), [[5.5, 8.5]])


def test_names_are_kept_and_numbered(tmp_path):
    body = planes(circle(5.0), -4, 4, 4)
    path = rtstruct(tmp_path / "rs.dcm", [(" Tumör/1", body), ("GTV", body), ("GTV", body), ("GTV", body)])
    dataset = pydicom.dcmread(path)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.StructureSetROISequence[0].ROIName = "Tumör/1"
    dataset.save_as(path)
    assert list(read_structures(path, GRID)) == ["Tumör/1", "GTV", "GTV (2)", "GTV (3)"]


def test_numbers_of_the_structure_set_go_with_the_names(tmp_path):
    body, nowhere = planes(circle(5.0), -4, 4, 4), planes(circle(5.0), 500, 504, 4)
    path = rtstruct(tmp_path / "rs.dcm", [("GTV", nowhere), ("liver", body), ("GTV", body), ("GTV", body)])
    coverage, structure_set = read_structure_set(path, GRID)
    assert list(coverage) == ["liver", "GTV", "GTV (2)"]  # the first of the name is off the grid
    assert structure_set.numbers == {"liver": 2, "GTV": 3, "GTV (2)": 4}
    dataset = pydicom.dcmread(path)
    assert structure_set.sop_class_uid == dataset.SOPClassUID
    assert structure_set.sop_instance_uid == dataset.SOPInstanceUID


def test_label_map_has_no_structure_set(tmp_path):
    image = sitk.GetImageFromArray(np.ones((4, 4, 4), dtype=np.uint8))
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    assert read_structure_set(tmp_path / "a.mha", GRID).structure_set is None


def test_partly_and_wholly_off_the_grid(tmp_path, caplog):
    half = planes(circle(8.0, GRID.edges_mm(2)[-1]), -6, 6, 4)
    corner = planes(SQUARE * 6 + [GRID.edges_mm(2)[0], GRID.edges_mm(1)[0]], 13.5, 19.5, 2)  # top at z = 16.5
    away = planes(circle(8.0, 200.0), -6, 6, 4)
    path = rtstruct(tmp_path / "rs.dcm", [("half", half), ("corner", corner), ("away", away), ("empty", [])])
    with caplog.at_level(logging.WARNING, logger="mcdose"):
        drawn = read_structures(path, GRID)
    assert list(drawn) == ["half", "corner"]
    assert millilitres(drawn["half"]) == pytest.approx(0.5 * regular_area(8) * 16 / 1000, rel=1e-6)
    assert millilitres(drawn["corner"]) == pytest.approx(36 * 4 / 1000, rel=1e-6)
    for words in (
        "50.0 % of structure 'half'",
        "87.5 % of structure 'corner'",
        "'away' has no volume",
        "'empty' has no closed contour",
    ):
        assert words in caplog.text


def test_unusable_structures_are_refused(tmp_path):
    path = rtstruct(tmp_path / "a.dcm", [("tilted", [(np.linspace(0, 3, 180), circle(5.0))])])
    with pytest.raises(
        InputError, match=r"contours of structure 'tilted' must lie in parallel planes, they are up to 2\.\d\d mm off"
    ):
        read_structures(path, GRID)
    path = rtstruct(tmp_path / "b.dcm", [("one", [(0.0, circle(5.0))])])
    with pytest.raises(InputError, match="'one' has one contour plane only"):
        read_structures(path, GRID)
    path = rtstruct(tmp_path / "c.dcm", [("points", [(0.0, circle(5.0))])], kind="POINT")
    with pytest.raises(InputError, match="no structure has a volume on the dose grid"):
        read_structures(path, GRID)
    with pytest.raises(InputError, match=r"in frame of reference 1\.2\.3\.2, the images in 1\.2\.99"):
        read_structures(path, GRID, frame_of_reference_uid="1.2.99")
    ct_series(tmp_path / "ct", np.zeros((2, 3, 4)))
    with pytest.raises(InputError, match="one RTSTRUCT or SEG file is needed, found 0"):
        read_structures(tmp_path / "ct", GRID)
    with pytest.raises(InputError, match="no such file"):
        read_structures(tmp_path / "nowhere", GRID)


def test_one_plane_takes_the_spacing_of_the_others(tmp_path):
    path = rtstruct(tmp_path / "a.dcm", [("one", [(0.0, circle(5.0))]), ("more", planes(circle(9.0), -8, 8, 4))])
    assert millilitres(read_structures(path, GRID)["one"]) == pytest.approx(regular_area(5) * 4 / 1000, rel=1e-6)


LABELS = np.zeros((6, 20, 25), dtype=np.int16)
LABELS[1:5, 4:15, 6:20] = 1
LABELS[2:4, 7:11, 9:13] = 7
LABEL_MM = (2.0, 1.25, 1.5)
LABEL_ORIGIN = (-6.3, -14.1, -17.7)


def test_label_map_keeps_volume_and_place(tmp_path):
    image = sitk.GetImageFromArray(LABELS)
    image.SetSpacing(LABEL_MM[::-1])
    image.SetOrigin(LABEL_ORIGIN[::-1])
    for name in ("a.nii.gz", "a.mha"):
        sitk.WriteImage(image, str(tmp_path / name))
        drawn = read_structures(tmp_path / name, GRID)
        assert list(drawn) == ["label 1", "label 7"]
        for label, coverage in zip((1, 7), drawn.values(), strict=True):
            mask = label == LABELS
            assert millilitres(coverage) == pytest.approx(mask.sum() * np.prod(LABEL_MM) / 1000, rel=1e-5)
        pairs = Grid(
            (3, 10, 12), tuple(2 * np.array(LABEL_MM)), tuple(np.array(LABEL_ORIGIN) + 0.5 * np.array(LABEL_MM))
        )
        coverage = read_structures(tmp_path / name, pairs)["label 7"]
        means = (LABELS[:, :, :24] == 7).reshape(3, 2, 10, 2, 12, 2).mean(axis=(1, 3, 5))
        np.testing.assert_allclose(coverage, means, atol=1e-6)


def test_label_map_of_something_else_is_refused(tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(LABELS + np.float32(0.5)), str(tmp_path / "a.mha"))
    with pytest.raises(InputError, match="whole numbers from 0"):
        read_structures(tmp_path / "a.mha", GRID)
    sitk.WriteImage(sitk.GetImageFromArray(LABELS * 0), str(tmp_path / "b.mha"))
    with pytest.raises(InputError, match="1 to 1000 labels is needed, got 0"):
        read_structures(tmp_path / "b.mha", GRID)


@pytest.mark.parametrize("kind", [SegmentationTypeValues.BINARY, SegmentationTypeValues.FRACTIONAL])
def test_segmentation_object(tmp_path, kind):
    paths = ct_series(
        tmp_path / "ct", np.zeros(LABELS.shape), LABEL_ORIGIN[::-1], LABEL_MM, PositionReferenceIndicator=""
    )
    source = [pydicom.dcmread(path) for path in paths]
    masks = np.stack([LABELS == 1, LABELS == 7], axis=-1)
    pixels = masks * np.array([0.5, 1.0]) if kind == SegmentationTypeValues.FRACTIONAL else masks.astype(np.uint8)
    algorithm = AlgorithmIdentificationSequence("threshold", codes.DCM.ArtificialIntelligence, "1")
    segments = [
        SegmentDescription(k, name, codes.SCT.Organ, codes.SCT.Liver, SegmentAlgorithmTypeValues.AUTOMATIC, algorithm)
        for k, name in ((1, "Liver"), (2, "Lesion"))
    ]
    highdicom.seg.Segmentation(
        source, pixels, kind, segments, "1.2.3.50", 1, "1.2.3.51", 1, "maker", "model", "1", "serial",
        max_fractional_value=200,
    ).save_as(tmp_path / "seg.dcm")  # fmt: skip
    drawn = read_structures(tmp_path / "seg.dcm", GRID)
    assert list(drawn) == ["Liver", "Lesion"]
    sitk_path = tmp_path / "labels.mha"
    image = sitk.GetImageFromArray(LABELS)
    image.SetSpacing(LABEL_MM[::-1])
    image.SetOrigin(LABEL_ORIGIN[::-1])
    sitk.WriteImage(image, str(sitk_path))
    labels = read_structures(sitk_path, GRID)
    scale = 0.5 if kind == SegmentationTypeValues.FRACTIONAL else 1.0
    np.testing.assert_allclose(drawn["Liver"], scale * labels["label 1"], atol=2e-6)
    np.testing.assert_allclose(drawn["Lesion"], labels["label 7"], atol=2e-6)


PET_GRID = Grid((84, 128, 128), (3.0, 4.07283, 4.07283), (-377.44, -222.76099, -244.36099))


def test_real_structures_have_their_stated_volumes(capfd):
    folder = reference_images() / "liver-y90"
    contours = read_structures(folder / "RTSTRUCT_semiauto.dcm", PET_GRID)
    assert list(contours) == ["Liver", "Lesion1", "Lesion2", "Lesion3", "Lungs_in_FOV", "BODY"]
    stated = {"Liver": 1583.96, "Lesion1": 6.844, "Lesion2": 1.865, "Lesion3": 4.756}  # truth.json, from the voxel mask
    for name, volume in stated.items():
        assert millilitres(contours[name], PET_GRID) == pytest.approx(volume, rel=0.005)
    segments = read_structures(folder / "SEG_semiauto.dcm", PET_GRID)
    assert millilitres(segments["Liver"], PET_GRID) == pytest.approx(1583.96, rel=1e-5)
    assert millilitres(segments["Lesions"], PET_GRID) == pytest.approx(6.844 + 1.865 + 4.756, rel=1e-3)
    assert np.abs(contours["Liver"] - segments["Liver"]).sum() < 1e-3 * segments["Liver"].sum()
    labels = read_structures(folder / "masks_CTgrid_1liver_2lesion.nii.gz", PET_GRID)
    np.testing.assert_allclose(labels["label 1"] + labels["label 2"], segments["Liver"], atol=1e-5)
    assert capfd.readouterr().err == ""


def test_real_segmentation_of_another_maker():
    path = reference_images() / "odd" / "seg" / "liver.dcm"
    frames = pydicom.dcmread(path).pixel_array
    drawn = read_structures(path, Grid((4, 90, 90), (1.0, 5.0, 5.0), (-129.0, -226.8, -235.2)))
    assert list(drawn) == ["Liver"]
    assert drawn["Liver"].sum(dtype=float) * 0.025 == pytest.approx(frames.sum() * 0.810547**2 / 1000, rel=1e-5)


def turned_grid(turn, shape=(22, 26, 24), voxel_mm=(2.5, 2.2, 2.4)):
    axes = turn[::-1, ::-1].T
    middle = 0.5 * (np.array(shape) - 1) * np.array(voxel_mm) @ axes
    return placed(shape, voxel_mm, -middle, axes)


def plane_rings(turn, radius=14.0, height=20.0, step=2.0):
    """Contours of a cylinder about the middle, in planes that are turned: (n, 3) points (x, y, z)."""
    ring = np.column_stack([circle(radius), np.zeros(180)])
    return [(ring + np.array([0, 0, z])) @ turn.T for z in np.arange(-height / 2 + step / 2, height / 2, step)]


@pytest.mark.parametrize("planes_turn", ["HFS", "coronal", "sagittal", "oblique"])
@pytest.mark.parametrize("grid_turn", ["HFS", "oblique", "tilt"])
def test_cylinder_in_planes_of_any_orientation_on_any_grid(tmp_path, planes_turn, grid_turn):
    """Its volume within 0.5 %, its centre within 0.05 mm."""
    tilt = Rotation.from_euler("x", 18.5, degrees=True).as_matrix()
    grid = turned_grid(tilt if grid_turn == "tilt" else turn_of(grid_turn))
    rings = plane_rings(turn_of(planes_turn))
    path = rtstruct(tmp_path / "rs.dcm", [("a", [(ring[:, 2], ring[:, :2]) for ring in rings])])
    coverage = read_structures(path, grid)["a"]
    assert millilitres(coverage, grid) == pytest.approx(regular_area(14.0) * 20.0 / 1000.0, rel=5e-3)
    places = grid.position_mm(np.moveaxis(np.indices(grid.shape), 0, -1)).reshape(-1, 3)
    np.testing.assert_allclose(np.average(places, axis=0, weights=coverage.ravel()), 0.0, atol=0.05)
    assert coverage.max() == pytest.approx(1.0, abs=1e-6)


def test_labels_on_an_oblique_grid_keep_their_volume(tmp_path):
    labels = np.zeros((20, 30, 30), dtype=np.int16)
    labels[5:15, 8:22, 10:20] = 1
    labels[5:15, 8:22, 20:24] = 2
    nibabel.save(nibabel.Nifti1Image(labels.transpose(2, 1, 0), np.diag([-1.5, -1.5, 2.0, 1.0])), tmp_path / "a.nii.gz")
    grid = turned_grid(OBLIQUE, (40, 40, 40), (2.0, 2.0, 2.0))
    grid = replace(grid, origin_mm=tuple(np.array(grid.origin_mm) + np.array([20.0, 22.0, 25.0])))
    drawn = read_structures(tmp_path / "a.nii.gz", grid)
    for name, count in (("label 1", 1400), ("label 2", 560)):
        assert millilitres(drawn[name], grid) == pytest.approx(count * 4.5 / 1000.0, rel=5e-3)
    assert (drawn["label 1"] + drawn["label 2"]).max() <= 1.0 + 1e-3
