"""SEG of our own: read back by our reader, by highdicom and SimpleITK, and judged by dciodvfy."""

import highdicom
import numpy as np
import pydicom
import pytest
from hot_voxel import GRID, OBLIQUE_GRID, series_in
from programs import judged_by_dciodvfy, needs_program

from mcdose.errors import InputError
from mcdose.io.structures import read_structures
from mcdose.io.study import study_header
from mcdose.io.write_segmentation import write_segmentation


def regions():
    first, second = np.zeros(GRID.shape, bool), np.zeros(GRID.shape, bool)
    first[1:4, 2:5, 3:8] = True
    first[2, 3, 4] = False
    second[3:, 4:, 5] = True
    return {"Perfused": first, "Tumour 1": second}


@pytest.fixture
def series(tmp_path):
    return series_in(tmp_path)


@pytest.mark.parametrize("grid", [GRID, OBLIQUE_GRID])
@pytest.mark.parametrize("source", ["ct", "none"])
def test_our_reader_finds_the_voxels_again(tmp_path, series, grid, source):
    given = series if source == "ct" else None
    write_segmentation(tmp_path / "seg.dcm", regions(), grid, given, algorithm="42 % of the maximum")
    frame = series.frame_of_reference_uid if given else None
    found = read_structures(tmp_path / "seg.dcm", grid, frame_of_reference_uid=frame)
    assert list(found) == ["Perfused", "Tumour 1"]
    for name, mask in regions().items():
        np.testing.assert_allclose(found[name], mask, atol=2e-3)  # an oblique one by overlap
        assert found[name].sum() * grid.voxel_ml == pytest.approx(mask.sum() * grid.voxel_ml, rel=5e-4)


def test_highdicom_finds_them_where_they_were(tmp_path, series):
    write_segmentation(tmp_path / "seg.dcm", regions(), GRID, series, algorithm="a")
    image = highdicom.seg.segread(tmp_path / "seg.dcm")
    volume = image.get_volume(segment_numbers=[2], combine_segments=True, allow_missing_positions=True)
    where = np.argwhere(np.asarray(volume.array) == 2)
    places = (np.c_[where, np.ones(len(where))] @ np.asarray(volume.affine).T)[:, :3]
    expected = GRID.position_mm(np.argwhere(regions()["Tumour 1"]))[:, ::-1]
    assert sorted(map(tuple, places.round(4))) == sorted(map(tuple, expected.round(4)))


@pytest.mark.parametrize("source", ["ct", "none", "anonymous", "oblique"])
def test_dciodvfy_finds_no_error(tmp_path, series, source):
    needs_program("dciodvfy")
    write_segmentation(
        tmp_path / "seg.dcm",
        regions(),
        OBLIQUE_GRID if source == "oblique" else GRID,
        None if source == "none" else series,
        algorithm="threshold at 42 % of the maximum",
        study=study_header(series, anonymize=True) if source == "anonymous" else None,
    )
    run = judged_by_dciodvfy(tmp_path / "seg.dcm")
    assert [line for line in run.stderr.splitlines() if line.startswith("Error")] == []
    assert "Segmentation" in run.stderr
    assert run.returncode == 0


def test_header_is_that_of_the_series_and_refers_to_it(tmp_path, series):
    write_segmentation(tmp_path / "seg.dcm", regions(), GRID, series, algorithm="42 %", description="Contour")
    found = pydicom.dcmread(tmp_path / "seg.dcm")
    assert (found.PatientName, found.PatientID) == ("Doe^Jane", "7")
    assert (found.StudyInstanceUID, found.FrameOfReferenceUID) == ("1.2.3.1", "1.2.3.2")
    assert (found.Modality, found.SeriesDescription) == ("SEG", "Contour")
    (item,) = found.ReferencedSeriesSequence
    assert item.SeriesInstanceUID == series.series_uid
    assert [i.ReferencedSOPInstanceUID for i in item.ReferencedInstanceSequence] == list(series.instance_uids)
    (derivation,) = found.SharedFunctionalGroupsSequence[0].DerivationImageSequence
    assert [i.ReferencedSOPInstanceUID for i in derivation.SourceImageSequence] == list(series.instance_uids)
    assert found.SegmentSequence[0].SegmentAlgorithmName == "42 %"
    assert found.SegmentSequence[0].SegmentAlgorithmType == "SEMIAUTOMATIC"


def test_anonymous_files_name_nothing_of_the_patient(tmp_path, series):
    study = study_header(series, anonymize=True)
    write_segmentation(tmp_path / "seg.dcm", regions(), GRID, series, algorithm="42 %", study=study)
    written = pydicom.dcmread(tmp_path / "seg.dcm")
    text = str(written)
    for word in ("Doe", "1.2.3.1", "1.2.3.2", series.series_uid, *series.instance_uids):
        assert word not in text
    # new UIDs are random digits, and it may be 20:24: the year can stand in them by chance
    others = [one for one in written.iterall() if one.VR not in ("SQ", "UI", "TM", "OB", "OW")]
    assert len(others) > 50
    assert not [one for one in others if "2024" in str(one.value)]


def test_a_file_is_not_replaced(tmp_path, series):
    write_segmentation(tmp_path / "seg.dcm", regions(), GRID, series, algorithm="a")
    with pytest.raises(InputError, match="exists already"):
        write_segmentation(tmp_path / "seg.dcm", regions(), GRID, series, algorithm="a")


@pytest.mark.parametrize(
    ("masks", "algorithm", "message"),
    [
        ({}, "a", "masks must hold at least one region"),
        ({"x": np.zeros(GRID.shape, bool)}, "a", "region 'x' must hold a voxel, got an empty one"),
        ({"x": np.ones((2, 2, 2), bool)}, "a", "region 'x' must be bool of the shape of the grid"),
        ({"x": np.ones(GRID.shape)}, "a", "must be bool of the shape of the grid .* got float64"),
        ({"x" * 65: np.ones(GRID.shape, bool)}, "a", "must be 1 to 64 printable characters"),
        ({"x": np.ones(GRID.shape, bool)}, "a\\b", "without a backslash"),
    ],
)
def test_what_cannot_be_written(tmp_path, masks, algorithm, message):
    with pytest.raises(ValueError, match=message):
        write_segmentation(tmp_path / "seg.dcm", masks, GRID, None, algorithm=algorithm)
    assert list(tmp_path.iterdir()) == []
