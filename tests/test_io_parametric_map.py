"""Parametric maps: the same numbers, units and millimetres by other software, and what they refer to."""

import highdicom
import numpy as np
import pydicom
import pytest
from hot_voxel import COMMENT, GRID, HOT_MM, OBLIQUE_GRID, hot_voxel, series_in
from images import ct_series, edit, reference_images
from programs import judged_by_dciodvfy, needs_program
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from mcdose.errors import InputError
from mcdose.io.ct import read_ct
from mcdose.io.parametric_map import DOSE, UNCERTAINTY, write_parametric_map
from mcdose.io.study import study_header


@pytest.fixture
def series(tmp_path):
    return series_in(tmp_path)


def place(image, frame, row, column):
    """Millimetres (x, y, z) of a pixel, from the file's own attributes (PS3.3 C.7.6.2.1.1)."""
    shared = image.SharedFunctionalGroupsSequence[0]
    corner = image.PerFrameFunctionalGroupsSequence[frame].PlanePositionSequence[0].ImagePositionPatient
    cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    dy, dx = (float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing)
    return np.array(corner, dtype=float) + column * dx * cosines[0] + row * dy * cosines[1]


def test_pydicom_finds_the_hot_voxel(tmp_path, series):
    write_parametric_map(tmp_path / "map.dcm", hot_voxel(), GRID, series, DOSE, comment=COMMENT)
    image = pydicom.dcmread(tmp_path / "map.dcm")
    mapping = image.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    values = image.pixel_array * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
    hot = np.unravel_index(values.argmax(), values.shape)
    np.testing.assert_allclose(place(image, *hot), HOT_MM, atol=0.01)
    assert values[hot] == pytest.approx(123.456, rel=1e-6)
    assert image.pixel_array.dtype == np.float32
    low = np.argwhere(values == np.float32(0.001))
    assert len(low) == 1
    np.testing.assert_allclose(place(image, *low[0]), GRID.origin_mm[::-1], atol=0.01)
    assert np.count_nonzero(values) == 2


def test_highdicom_gives_back_every_voxel(tmp_path, series):
    rng = np.random.default_rng(3)
    values = rng.uniform(0.001, 1.0, GRID.shape).astype(np.float32)
    values[0] = np.nan
    write_parametric_map(tmp_path / "map.dcm", values, GRID, series, UNCERTAINTY, comment=COMMENT)
    image = highdicom.imread(tmp_path / "map.dcm")
    volume = image.get_volume(apply_real_world_transform=True, dtype=np.float32).to_patient_orientation("HPL")
    np.testing.assert_array_equal(volume.array, values)
    np.testing.assert_allclose(volume.affine[:3, 3], GRID.origin_mm[::-1], atol=1e-6)
    np.testing.assert_allclose(volume.spacing, GRID.voxel_mm, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "quantity", "unit"),
    [
        (DOSE, codes.DCM.AbsorbedDose, Code("Gy", "UCUM", "Gy")),
        (UNCERTAINTY, codes.SCT.RangeOfMeasurementUncertainty, codes.UCUM.NoUnits),
    ],
)
def test_quantity_and_unit_are_coded(tmp_path, series, kind, quantity, unit):
    write_parametric_map(tmp_path / "map.dcm", hot_voxel(), GRID, series, kind, comment=COMMENT)
    mapping = pydicom.dcmread(tmp_path / "map.dcm").SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
    for item, code in (
        (mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0], quantity),
        (mapping.MeasurementUnitsCodeSequence[0], unit),
    ):
        assert (item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning) == tuple(code)[:3]
    assert mapping.LUTExplanation == COMMENT


def test_window_is_from_zero_to_the_largest_value(tmp_path):
    values = hot_voxel() / 1000.0
    write_parametric_map(tmp_path / "map.dcm", values, GRID, None, UNCERTAINTY, comment=COMMENT)
    window = pydicom.dcmread(tmp_path / "map.dcm").SharedFunctionalGroupsSequence[0].FrameVOILUTSequence[0]
    assert window.VOILUTFunction == "LINEAR_EXACT"  # C.11.2.1: LINEAR needs a width of at least 1
    assert float(window.WindowCenter) == pytest.approx(0.061728)
    assert float(window.WindowWidth) == pytest.approx(0.123456)


def test_header_is_that_of_the_ct_and_refers_to_its_slices(tmp_path, series):
    write_parametric_map(tmp_path / "map.dcm", hot_voxel(), GRID, series, DOSE, comment=COMMENT)
    image = pydicom.dcmread(tmp_path / "map.dcm")
    assert (image.PatientName, image.PatientID, image.PatientSex) == ("Doe^Jane", "7", "F")
    assert (image.StudyInstanceUID, image.FrameOfReferenceUID) == ("1.2.3.1", "1.2.3.2")
    assert (image.StudyDate, image.StudyID, image.PositionReferenceIndicator) == ("20240603", "5", "XY")
    assert [item.ReferencedSOPInstanceUID for item in image.SourceImageSequence] == list(series.instance_uids)
    assert image.SourceImageSequence[0].ReferencedSOPClassUID == series.sop_class_uid
    (referenced,) = image.ReferencedSeriesSequence
    assert referenced.SeriesInstanceUID == series.series_uid
    assert [item.ReferencedSOPInstanceUID for item in referenced.ReferencedInstanceSequence] == list(
        series.instance_uids
    )
    assert image.SeriesInstanceUID != series.series_uid


def test_odd_headers_and_no_series(tmp_path):
    for path in ct_series(tmp_path / "ct", np.zeros((3, 3, 4)), SpecificCharacterSet="ISO_IR 100"):
        edit(path, PatientName="Müller^Zoë", StudyTime="")
    series = read_ct(tmp_path / "ct").series
    write_parametric_map(tmp_path / "map.dcm", np.zeros(GRID.shape), GRID, series, DOSE, comment=COMMENT)
    assert pydicom.dcmread(tmp_path / "map.dcm").PatientName == "Müller^Zoë"
    write_parametric_map(tmp_path / "none.dcm", np.zeros(GRID.shape), GRID, None, DOSE, comment=COMMENT)
    image = pydicom.dcmread(tmp_path / "none.dcm")
    assert image.PatientID == "mcdose"
    assert "SourceImageSequence" not in image
    assert "ReferencedSeriesSequence" not in image


def test_anonymous_study_refers_to_no_series(tmp_path, series):
    study = study_header(series, anonymize=True)
    write_parametric_map(tmp_path / "map.dcm", hot_voxel(), GRID, series, DOSE, comment=COMMENT, study=study)
    held = (tmp_path / "map.dcm").read_bytes()
    for word in ("Doe", series.series_uid, *series.instance_uids):
        assert word.encode() not in held


@pytest.mark.parametrize("source", ["ct", "none", "anonymous", "real", "oblique"])
@pytest.mark.parametrize("quantity", [DOSE, UNCERTAINTY])
def test_dciodvfy_finds_no_error(tmp_path, series, source, quantity):
    needs_program("dciodvfy")
    if source == "real":
        series = read_ct(reference_images() / "liver-y90" / "CT").series
    study = study_header(series, anonymize=True) if source == "anonymous" else None
    values = hot_voxel()
    values[4] = np.nan if quantity is UNCERTAINTY else 0.0
    given = None if source == "none" else series
    grid = OBLIQUE_GRID if source == "oblique" else GRID
    write_parametric_map(tmp_path / "map.dcm", values, grid, given, quantity, comment=COMMENT, study=study)
    run = judged_by_dciodvfy(tmp_path / "map.dcm")
    assert "Error" not in run.stderr
    assert "ParametricMap" in run.stderr
    assert run.returncode == 0


@pytest.mark.parametrize(
    ("value", "comment", "message"),
    [
        (np.inf, COMMENT, "values must be finite or NaN and not negative, got 0.0 to inf"),
        (-1.0, COMMENT, r"values must be finite or NaN and not negative, got -1\.0"),
        (1.0, "x" * 65, "comment must be at most 64 characters"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_file(tmp_path, value, comment, message):
    values = hot_voxel()
    values[2, 2, 2] = value
    with pytest.raises(ValueError, match=message):
        write_parametric_map(tmp_path / "map.dcm", values, GRID, None, DOSE, comment=comment)
    with pytest.raises(ValueError, match="shape of the grid"):
        write_parametric_map(tmp_path / "map.dcm", values[1:], GRID, None, DOSE, comment=COMMENT)
    assert list(tmp_path.iterdir()) == []


def test_existing_file_stays_unless_told(tmp_path):
    path = tmp_path / "map.dcm"
    path.write_text("mine")
    with pytest.raises(InputError, match=r"map\.dcm: exists already"):
        write_parametric_map(path, hot_voxel(), GRID, None, DOSE, comment=COMMENT)
    assert path.read_text() == "mine"
    write_parametric_map(path, hot_voxel(), GRID, None, DOSE, comment=COMMENT, overwrite=True)
    assert pydicom.dcmread(path).ContentLabel == "DOSE"
