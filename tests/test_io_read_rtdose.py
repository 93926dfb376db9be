"""RT Dose back as a map: the Gy at their place, in every orientation, and what is refused."""

import subprocess

import numpy as np
import pydicom
import pytest
from hot_voxel import COMMENT, GRID, HOT, OBLIQUE_GRID, hot_voxel, series_in
from images import edit, reference_images
from oriented import PATIENT_POSITIONS, PLANES, turn_of
from programs import needs_program
from pydicom.uid import RLELossless

from mcdose.errors import InputError
from mcdose.grid import Grid
from mcdose.io.decimal_string import decimal_string
from mcdose.io.dose_map import read_dose, read_relative_uncertainty, require_same_grid
from mcdose.io.nifti import write_nifti
from mcdose.io.read_rtdose import read_rt_dose
from mcdose.io.rtdose import write_rt_dose
from mcdose.io.voxelfile import read_voxel_file


@pytest.fixture
def path(tmp_path):
    """An RT Dose of ours: noise, so that no two voxels are alike."""
    dose = np.random.default_rng(4).uniform(0.0, 90.0, GRID.shape)
    write_rt_dose(tmp_path / "dose.dcm", dose, GRID, series_in(tmp_path), comment=COMMENT)
    return tmp_path / "dose.dcm"


@pytest.mark.parametrize("grid", [GRID, OBLIQUE_GRID])
def test_our_own_comes_back(tmp_path, grid):
    write_rt_dose(tmp_path / "dose.dcm", hot_voxel(), grid, series_in(tmp_path), comment=COMMENT)
    image = read_rt_dose(tmp_path / "dose.dcm")
    found = image.volume.grid
    assert found.shape == grid.shape
    np.testing.assert_allclose(found.corners_mm(), grid.corners_mm(), atol=1e-6)
    np.testing.assert_allclose(image.volume.values, hot_voxel(), rtol=1e-7, atol=123.456 / 2.1e9)
    assert image.volume.values.dtype == np.float64
    assert image.series.frame_of_reference_uid == "1.2.3.2"
    assert image.series.header.PatientName == "Doe^Jane"


@pytest.mark.parametrize("offsets", ["relative", "descending", "absolute"])
@pytest.mark.parametrize("name", [*PATIENT_POSITIONS, *PLANES, "oblique"])
def test_each_voxel_is_where_the_standard_puts_it(path, name, offsets):
    dataset = pydicom.dcmread(path)
    turn = turn_of(name)
    row, column, normal = turn[:, 0], turn[:, 1], turn[:, 2]
    first = np.array([11.0, -7.0, 25.0])
    sense = -1.0 if offsets == "descending" else 1.0
    along = sense * np.arange(5) * 3.0
    dataset.ImageOrientationPatient = [decimal_string(v) for v in (*row, *column)]
    dataset.ImagePositionPatient = first.tolist()
    transverse = abs(normal[2]) > 1 - 1e-9
    if offsets == "absolute":
        dataset.GridFrameOffsetVector = (first[2] + along * (normal[2] if transverse else 1.0)).tolist()
    else:
        dataset.GridFrameOffsetVector = along.tolist()
    dataset.save_as(path)
    if offsets == "absolute" and not transverse:
        with pytest.raises(InputError, match="holds z of planes, which must be transverse"):
            read_rt_dose(path)
        return
    volume = read_rt_dose(path).volume
    stored = dataset.pixel_array * float(dataset.DoseGridScaling)
    for frame, line, pixel in [(0, 0, 0), (4, 6, 8), (1, 2, 6), (3, 5, 0)]:
        place = first + along[frame] * normal + line * 4.07283 * column + pixel * 2.5 * row
        away = (place[::-1] - volume.grid.origin_mm) @ np.array(volume.grid.direction).T / volume.grid.voxel_mm
        index = np.rint(away).astype(int)
        np.testing.assert_allclose(away, index, atol=1e-5)
        assert volume.values[tuple(index)] == pytest.approx(stored[frame, line, pixel], rel=1e-12)


def test_16_bits_and_compressed(path):
    whole = read_rt_dose(path).volume.values
    dataset = pydicom.dcmread(path)
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.DoseGridScaling = decimal_string(whole.max() / 60000)
    dataset.PixelData = np.rint(whole / whole.max() * 60000).astype("<u2").tobytes()
    dataset.save_as(path)
    coarse = read_rt_dose(path).volume.values
    np.testing.assert_allclose(coarse, whole, atol=0.6 * whole.max() / 60000)
    dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.save_as(path)
    np.testing.assert_array_equal(read_rt_dose(path).volume.values, coarse)


def test_a_folder_with_the_plan_beside_it(path):
    (path.parent / "out").mkdir()
    for name in ("dose.dcm", "plan.dcm"):
        (path.parent / name).rename(path.parent / "out" / name)
    assert read_rt_dose(path.parent / "out").volume.grid == GRID
    with pytest.raises(InputError, match="one RT Dose file is needed, found 0"):
        read_rt_dose(path.parent / "out" / "plan.dcm")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"DoseUnits": "RELATIVE"}, "DoseUnits must be GY, an absolute dose is needed; got RELATIVE"),
        ({"DoseUnits": None}, "DoseUnits must be GY, .* got none"),
        ({"DoseType": "EFFECTIVE"}, "DoseType must be PHYSICAL, .* got EFFECTIVE"),
        ({"DoseType": "ERROR"}, "DoseType must be PHYSICAL, .* got ERROR"),
        ({"DoseSummationType": "BEAM"}, "DoseSummationType must be PLAN or .* got BEAM"),
        ({"DoseSummationType": "FRACTION"}, "DoseSummationType must be PLAN or .* got FRACTION"),
        ({"DoseGridScaling": None}, "DoseGridScaling is needed, got none"),
        ({"DoseGridScaling": "0"}, "DoseGridScaling must be positive, got 0"),
        ({"DoseGridScaling": "-1e-6"}, "DoseGridScaling must be positive, got -1e-06"),
        ({"DoseGridScaling": "1e300"}, "dose must be finite, got DoseGridScaling 1e\\+300"),
        ({"GridFrameOffsetVector": None}, "GridFrameOffsetVector is needed with 5 values, got none"),
        ({"GridFrameOffsetVector": [0, 3, 6, 9]}, "GridFrameOffsetVector is needed with 5 values, got 4"),
        ({"GridFrameOffsetVector": [0, 3, 6, 9, 13]}, "planes must be evenly spaced, .* gaps from 3 to 4 mm"),
        ({"GridFrameOffsetVector": [0, 3, 6, 3, 12]}, "planes must be evenly spaced, .* gaps from -3 to 9 mm"),
        ({"GridFrameOffsetVector": [0, 0, 0, 0, 0]}, "planes must be evenly spaced"),
        ({"GridFrameOffsetVector": [5, 8, 11, 14, 17]}, "must begin with 0 or with the z of ImagePositionPatient"),
        ({"ImagePositionPatient": None}, "ImagePositionPatient is needed with 3 values"),
        ({"ImagePositionPatient": [1e9, 0, 0]}, "the image must lie within 100000 mm"),
        ({"ImageOrientationPatient": None}, "ImageOrientationPatient is needed with 6 values"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "two unit vectors at a right angle"),
        ({"PixelSpacing": [0, 1]}, "PixelSpacing must be positive"),
        ({"PixelSpacing": [1, 5000]}, "voxel size must lie within"),
        ({"PixelData": b"\0" * 40}, "has .* bytes|cannot be decoded|the file holds"),
        ({"Rows": 60000}, "it is damaged or cut short"),
        ({"PixelRepresentation": 1, "PixelData": np.full(315, -5, "<i4").tobytes()}, "must not be negative, got -"),
        ({"SamplesPerPixel": 3}, "SamplesPerPixel|damaged"),
    ],
)
def test_what_is_no_absorbed_dose_on_a_grid_is_refused(path, changes, message):
    with pytest.raises(InputError, match=message):
        read_rt_dose(edit(path, **changes))


def test_one_plane_has_no_thickness(path):
    dataset = pydicom.dcmread(path)
    dataset.PixelData = dataset.PixelData[: 7 * 9 * 4]
    dataset.NumberOfFrames, dataset.GridFrameOffsetVector = 1, [0]
    dataset.save_as(path)
    with pytest.raises(InputError, match="at least 2 planes are needed"):
        read_rt_dose(path)


@pytest.mark.parametrize("keep", [200, 1000, 1800])
def test_cut_short(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError):
        read_rt_dose(path)


# --- the real ones


@pytest.mark.parametrize("name", ["rtdose.dcm", "rtdose_rle.dcm"])
def test_relative_dose_of_a_beam_is_refused(name):
    with pytest.raises(InputError, match="DoseUnits must be GY, an absolute dose is needed; got RELATIVE"):
        read_rt_dose(reference_images() / "odd" / "rtdose" / name)


def test_relative_dose_called_gray_is_read_like_its_compressed_twin(tmp_path):
    found = []
    for name in ("rtdose.dcm", "rtdose_rle.dcm"):
        (tmp_path / name).write_bytes((reference_images() / "odd" / "rtdose" / name).read_bytes())
        edit(tmp_path / name, DoseUnits="GY", DoseSummationType="PLAN")
        found.append(read_rt_dose(tmp_path / name).volume)
    np.testing.assert_array_equal(found[0].values, found[1].values)
    assert found[0].grid == Grid((15, 10, 10), (5.0, 10.0, 10.0), (-761.87, 199.43125, 189.43125))
    assert found[0].values[0, 0, 7] == pytest.approx(1.254, rel=1e-12)


def test_feet_first_supine_of_another_maker():
    file = reference_images() / "odd" / "rtdose" / "RD.TBB_feet_in_supine.dcm"
    volume = read_rt_dose(file).volume
    dataset = pydicom.dcmread(file)
    # rows run towards the right and planes downwards: x from 99.9 to -100.1, z from 100 down to -100
    assert volume.grid.shape == (81, 101, 101)
    assert volume.grid.upright
    np.testing.assert_allclose(volume.grid.voxel_mm, (2.5, 2.0, 2.0))
    np.testing.assert_allclose(volume.grid.origin_mm, (-100.0, -99.38342162, 99.90417554 - 200.0), atol=1e-6)
    stored = dataset.pixel_array * float(dataset.DoseGridScaling)
    np.testing.assert_allclose(volume.values, stored[::-1, :, ::-1], rtol=1e-12)
    assert volume.values.max() == pytest.approx(1.62193, rel=1e-5)


def test_plastimatch_reads_the_feet_first_dose_alike(tmp_path):
    needs_program("plastimatch")
    file = reference_images() / "odd" / "rtdose" / "RD.TBB_feet_in_supine.dcm"
    command = ["plastimatch", "convert", "--input-dose-img", str(file), "--output-dose-img", "dose.mha"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    ours, other = read_rt_dose(file).volume, read_voxel_file(tmp_path / "dose.mha")
    assert other.grid.shape == ours.grid.shape
    np.testing.assert_allclose(other.grid.corners_mm(), ours.grid.corners_mm(), atol=1e-4)
    np.testing.assert_allclose(other.values, ours.values, atol=1e-6)


# --- dose from any file, and grids that have to be one


def test_dose_from_nifti_and_from_dicom_is_one(tmp_path, path):
    image = read_dose(path)
    write_nifti(tmp_path / "dose.nii.gz", image.volume.values, image.volume.grid)
    other = read_dose(tmp_path / "dose.nii.gz")
    assert other.series is None
    require_same_grid("dose.nii.gz", other.volume.grid, image.volume.grid)
    np.testing.assert_allclose(other.volume.values, image.volume.values, rtol=1e-6, atol=1e-6)
    assert np.unravel_index(other.volume.values.argmax(), GRID.shape) == np.unravel_index(
        image.volume.values.argmax(), GRID.shape
    )


@pytest.mark.parametrize(
    ("worst", "message"),
    [
        (-1.0, "dose must not be negative .* got -1 to"),
        (np.nan, "dose must be finite, 1 voxels are NaN or infinite"),
        (1e7, "to 1e\\+06 Gy at most, got 0 to 1e\\+07 Gy"),
    ],
)
def test_nifti_that_is_no_dose_is_refused(tmp_path, worst, message):
    dose = hot_voxel()
    dose[HOT] = worst
    write_nifti(tmp_path / "dose.nii.gz", dose, GRID)
    with pytest.raises(InputError, match=message):
        read_dose(tmp_path / "dose.nii.gz")


def test_no_dose_at_all_is_refused(tmp_path):
    write_nifti(tmp_path / "dose.nii.gz", np.zeros(GRID.shape), GRID)
    with pytest.raises(InputError, match="must reach above 0"):
        read_dose(tmp_path / "dose.nii.gz")


def test_another_grid_is_refused(tmp_path):
    moved = Grid(GRID.shape, GRID.voxel_mm, (GRID.origin_mm[0] + 1.0, *GRID.origin_mm[1:]))
    with pytest.raises(InputError, match=r"its voxels are up to 1.00 mm off; register and resample it first"):
        require_same_grid("b", moved, GRID)
    with pytest.raises(InputError, match=r"\(5, 7, 9\) voxels, got \(4, 7, 9\)"):
        require_same_grid("b", Grid((4, 7, 9), GRID.voxel_mm, GRID.origin_mm), GRID)


def test_uncertainty_keeps_nan_and_must_be_on_the_grid(tmp_path):
    error = np.full(GRID.shape, 0.02)
    error[0, 0, 0] = np.nan
    write_nifti(tmp_path / "u.nii.gz", error, GRID)
    found = read_relative_uncertainty(tmp_path / "u.nii.gz", GRID)
    np.testing.assert_allclose(found.values, error, rtol=1e-6)
    write_nifti(tmp_path / "n.nii.gz", -error, GRID)
    with pytest.raises(InputError, match="relative uncertainty must be NaN or finite and not negative"):
        read_relative_uncertainty(tmp_path / "n.nii.gz", GRID)
    with pytest.raises(InputError, match="must be on the grid of the first dose"):
        read_relative_uncertainty(tmp_path / "u.nii.gz", OBLIQUE_GRID)
