"""DICOM SEG of each type, as highdicom writes it: where the voxels are, what covers them, and what is refused."""

import logging

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from images import edit, segmentation
from pydicom.pixels import pack_bits
from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless, RLELossless

from mcdose.errors import InputError
from mcdose.grid import Grid
from mcdose.io.structures import read_structures

GRID = Grid((10, 24, 30), (3.0, 2.5, 2.0), (-12.0, -30.0, -28.0))
VOXEL_MM = (2.0, 1.25, 1.5)
CORNER_MM = (-17.7, -14.1, -6.3)  # (x, y, z)
PLACE = {"corner_mm": CORNER_MM, "voxel_mm": VOXEL_MM}
LABELS = np.zeros((6, 36, 40), dtype=np.uint8)
LABELS[1:5, 4:15, 6:20] = 1  # slices 0 and 5 are empty
LABELS[2:4, 7:11, 9:13] = 2
MASKS = np.stack([LABELS == 1, LABELS == 2], axis=-1).astype(np.uint8)
NAMES = ("Liver", "Lesion")
LABELMAP = "1.2.840.10008.5.1.4.1.1.66.7"


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """Coverage by the same labels in MetaImage, written by SimpleITK."""
    path = tmp_path_factory.mktemp("labels") / "labels.mha"
    image = sitk.GetImageFromArray(LABELS)
    image.SetSpacing(VOXEL_MM[::-1])
    image.SetOrigin(CORNER_MM)
    sitk.WriteImage(image, str(path))
    return dict(zip(NAMES, read_structures(path, GRID).values(), strict=True))


def assert_drawn(path, expected, scale=(1.0, 1.0)):
    drawn = read_structures(path, GRID)
    assert list(drawn) == list(NAMES)
    for name, factor in zip(NAMES, scale, strict=True):
        np.testing.assert_allclose(drawn[name], factor * expected[name], atol=2e-6)


@pytest.mark.parametrize("omit", [True, False])
def test_binary_with_and_without_its_empty_frames(tmp_path, expected, omit):
    path = segmentation(tmp_path / "seg.dcm", MASKS, "BINARY", NAMES, omit_empty_frames=omit, **PLACE)
    assert pydicom.dcmread(path).NumberOfFrames == (6 if omit else 12)
    assert_drawn(path, expected)


def test_a_frame_missing_in_the_middle_is_empty(tmp_path):
    masks = MASKS[..., :1].copy()
    masks[2] = 0
    path = segmentation(tmp_path / "seg.dcm", masks, "BINARY", NAMES[:1], **PLACE)
    assert pydicom.dcmread(path).NumberOfFrames == 3
    fine = Grid((6, 36, 40), VOXEL_MM, CORNER_MM[::-1])
    np.testing.assert_allclose(read_structures(path, fine)["Liver"], masks[..., 0], atol=1e-6)


@pytest.mark.parametrize("kind", ["PROBABILITY", "OCCUPANCY"])
def test_fractions_are_coverage(tmp_path, expected, caplog, kind):
    path = segmentation(
        tmp_path / "seg.dcm", MASKS * np.array([0.5, 1.0]), "FRACTIONAL", NAMES,
        fractional_type=kind, max_fractional_value=200, **PLACE,
    )  # fmt: skip
    with caplog.at_level(logging.WARNING, logger="mcdose"):
        assert_drawn(path, expected, scale=(0.5, 1.0))
    said = "holds probabilities; they are taken as coverage" in caplog.text
    assert said == (kind == "PROBABILITY")


def test_fractions_above_the_whole_are_refused(tmp_path):
    path = segmentation(tmp_path / "seg.dcm", MASKS * 1.0, "FRACTIONAL", NAMES, max_fractional_value=200, **PLACE)
    edit(path, MaximumFractionalValue=100)
    with pytest.raises(InputError, match="MaximumFractionalValue"):
        read_structures(path, GRID)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("numbers", [(1, 2), (1, 257), (300, 44), (7, 3)])
def test_label_map(tmp_path, expected, syntax, numbers):
    # highdicom 0.28.2 gives segment 257 to segment 1 where segments are asked for one by one
    kept = np.array([0, *numbers], dtype=np.uint16 if max(numbers) > 255 else np.uint8)[LABELS]
    names = dict(sorted(zip(numbers, NAMES, strict=True)))
    path = segmentation(tmp_path / "seg.dcm", kept, "LABELMAP", names, transfer_syntax_uid=syntax, **PLACE)
    assert pydicom.dcmread(path).SOPClassUID == LABELMAP
    drawn = read_structures(path, GRID)
    assert list(drawn) == list(names.values())
    for name in NAMES:
        np.testing.assert_allclose(drawn[name], expected[name], atol=2e-6)


def test_label_map_in_colours(tmp_path, expected):
    from highdicom import PaletteColorLUTTransformation

    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 0, 255]], dtype=np.uint8)
    palette = PaletteColorLUTTransformation.from_combined_lut(colours)
    path = segmentation(
        tmp_path / "seg.dcm", LABELS, "LABELMAP", NAMES, palette_color_lut_transformation=palette, **PLACE
    )
    assert pydicom.dcmread(path).PhotometricInterpretation == "PALETTE COLOR"
    assert_drawn(path, expected)


def test_labels_without_a_segment_are_refused(tmp_path):
    path = segmentation(tmp_path / "seg.dcm", LABELS, "LABELMAP", NAMES, **PLACE)
    dataset = pydicom.dcmread(path)
    dataset.PixelData = dataset.PixelData.replace(b"\2", b"\5")
    dataset.save_as(path)
    with pytest.raises(InputError, match=r"each label must be that of a segment, \[5\] are not"):
        read_structures(path, GRID)
    edit(path, PixelPaddingValue=5)
    with pytest.raises(InputError, match="the background of a label map must be 0, got PixelPaddingValue 5"):
        read_structures(path, GRID)


def test_segments_may_overlap(tmp_path, expected):
    masks = np.stack([LABELS > 0, LABELS == 2], axis=-1).astype(np.uint8)
    drawn = read_structures(segmentation(tmp_path / "seg.dcm", masks, "BINARY", NAMES, **PLACE), GRID)
    np.testing.assert_allclose(drawn["Liver"], expected["Liver"] + expected["Lesion"], atol=2e-6)
    np.testing.assert_allclose(drawn["Lesion"], expected["Lesion"], atol=2e-6)


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_segments_without_voxels_are_left_out_with_a_warning(tmp_path, caplog, kind):
    pixels = LABELS if kind == "LABELMAP" else np.concatenate([MASKS, 0 * MASKS[..., :1]], axis=-1)
    path = segmentation(tmp_path / "seg.dcm", pixels, kind, (*NAMES, "Nothing"), **PLACE)
    with caplog.at_level(logging.WARNING, logger="mcdose"):
        assert list(read_structures(path, GRID)) == list(NAMES)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: structure 'Nothing' has no volume on the dose grid and is left out"
    ]


def test_segments_of_the_same_label_are_numbered(tmp_path):
    path = segmentation(tmp_path / "seg.dcm", MASKS, "BINARY", ("GTV", "GTV"), **PLACE)
    assert list(read_structures(path, GRID)) == ["GTV", "GTV (2)"]


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_the_order_of_the_frames_does_not_matter(tmp_path, expected, kind):
    pixels = {"BINARY": MASKS, "FRACTIONAL": MASKS * 1.0, "LABELMAP": LABELS}[kind]
    path = segmentation(tmp_path / "seg.dcm", pixels, kind, NAMES, **PLACE)
    dataset = pydicom.dcmread(path)
    frames = dataset.pixel_array[::-1]
    dataset.PerFrameFunctionalGroupsSequence = list(dataset.PerFrameFunctionalGroupsSequence)[::-1]
    dataset.PixelData = pack_bits(frames.ravel()) if kind == "BINARY" else frames.tobytes()
    dataset.save_as(path)
    assert_drawn(path, expected)


def test_frames_at_one_place_are_refused(tmp_path):
    path = segmentation(tmp_path / "seg.dcm", MASKS[..., :1], "BINARY", NAMES[:1], **PLACE)
    dataset = pydicom.dcmread(path)
    frames = dataset.PerFrameFunctionalGroupsSequence
    frames[1].PlanePositionSequence = frames[0].PlanePositionSequence
    dataset.save_as(path)
    with pytest.raises(InputError, match="uniquely identify frames"):
        read_structures(path, GRID)


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_another_frame_of_reference_is_refused(tmp_path, kind):
    path = segmentation(tmp_path / "seg.dcm", MASKS if kind == "BINARY" else LABELS, kind, NAMES, **PLACE)
    assert list(read_structures(path, GRID, frame_of_reference_uid="1.2.3.2")) == list(NAMES)
    with pytest.raises(InputError, match=r"in frame of reference 1\.2\.3\.2, the images in 1\.2\.99"):
        read_structures(path, GRID, frame_of_reference_uid="1.2.99")
    edit(path, FrameOfReferenceUID=None)
    with pytest.raises(InputError, match="FrameOfReferenceUID must be there"):
        read_structures(path, GRID, frame_of_reference_uid="1.2.99")


def test_tiled_segmentations_are_refused(tmp_path):
    path = segmentation(tmp_path / "seg.dcm", MASKS, "BINARY", NAMES, **PLACE)
    edit(path, TotalPixelMatrixRows=72, TotalPixelMatrixColumns=80)
    with pytest.raises(InputError, match="must be of a patient's volume, this one is tiled, of a slide"):
        read_structures(path, GRID)


def test_two_segments_of_one_number_are_refused(tmp_path):
    path = segmentation(tmp_path / "seg.dcm", MASKS, "BINARY", NAMES, **PLACE)
    dataset = pydicom.dcmread(path)
    dataset.SegmentSequence[1].SegmentNumber = 1
    dataset.save_as(path)
    with pytest.raises(InputError, match=r"of different numbers|start at 1"):
        read_structures(path, GRID)
