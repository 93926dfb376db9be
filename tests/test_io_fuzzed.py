"""What the fuzzer found (`python -m tools.fuzz_readers`), made anew in each test, and a short run of it."""

import gzip
import json
import struct
import sys

import h5py
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from images import CT, ct_series, edit, pet_series, rtstruct, save, slices
from pydicom.dataelem import RawDataElement
from pydicom.uid import JPEGLSLossless

from mcdose.calibration import Calibration
from mcdose.errors import LONGEST_MESSAGE, InputError
from mcdose.grid import Grid
from mcdose.io.activity import read_activity
from mcdose.io.ct import read_ct
from mcdose.io.structures import read_structures
from mcdose.kernel import PointKernel, VoxelKernel
from mcdose.kernel_file import load_kernel
from tools.fuzz_bases import READERS, write_bases

STORED = np.arange(4 * 5 * 6).reshape(4, 5, 6) * 3
GRID = Grid((4, 5, 6), (2.0, 1.5, 1.25), (30.0, -20.0, -10.0))
SQUARE = [(-6, -17), (-6, -12), (-1, -12), (-1, -17)]
DRAWN = [("A", [(z, SQUARE) for z in (30, 32, 34)]), ("B", [(z, SQUARE) for z in (30, 32)])]
BED = ("20240604", "063000", 900.0, None)


@pytest.fixture(autouse=True)
def _little_memory():
    """Let no test have more than 1 GB beyond what the process holds: a declared size must not become an allocation."""
    if sys.platform != "linux":
        yield
        return
    import resource

    with open("/proc/self/statm") as sizes:
        held = int(sizes.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (held + 10**9, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def put(path, keyword, vr, value, item=lambda dataset: dataset):
    """Store the bytes of a value that pydicom would not write."""
    dataset = pydicom.dcmread(path)
    tag = pydicom.tag.Tag(keyword)
    item(dataset)._dict[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    dataset.save_as(path)


def refused(read, *arguments):
    with pytest.raises(InputError) as caught:
        read(*arguments)
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < LONGEST_MESSAGE + 100
    return message


def test_messages_are_one_printable_line():
    assert str(InputError("a\nb\x1b[31mc\0")) == "a b\\x1b[31mc\\x00"
    assert len(str(InputError("x" * 10**6))) < LONGEST_MESSAGE + 10
    assert str(InputError("Tumör: 3 µm")) == "Tumör: 3 µm"


@pytest.mark.parametrize(
    ("keyword", "vr", "value", "message"),
    [
        ("PixelSpacing", "DS", b"1.5 ", "PixelSpacing is needed with 2 values"),
        ("PixelSpacing", "DS", b"inf\\1 ", "PixelSpacing must be finite"),
        ("PixelSpacing", "DS", b"1e30\\1e30 ", "pixel spacings"),
        ("PixelSpacing", "US", b"\x01\0", "PixelSpacing is needed with 2 values"),
        ("ImagePositionPatient", "DS", b"-10\\nan\\32", "ImagePositionPatient must be finite"),
        ("ImagePositionPatient", "DS", b"-10\\\\32", "its header is damaged"),
        ("Rows", "US", b"", "its header is damaged"),
        ("Rows", "US", b"\0\0", "sizes must be at least 1, got (1, 0, 6)"),
        ("Rows", "US", b"\xff\xff", "1 x 65535 x 6 values need 7.864e+05 bytes"),
        ("NumberOfFrames", "IS", b"2147483648", "bytes, the file holds"),
        ("BitsAllocated", "US", b"\xff\xff\xff\xff", "its header is damaged"),
        ("RescaleSlope", "DS", b"nan ", "rescaled values must be finite"),
        ("RescaleSlope", "DS", b"1e300 ", "rescaled values must be finite"),
        ("RescaleSlope", "DS", b"1\\2 ", "its header is damaged"),
        ("SamplesPerPixel", "LO", b"\x1b[31m", "its header is damaged"),
    ],
)
def test_a_slice_with_a_hostile_value_is_refused(tmp_path, keyword, vr, value, message):
    put(ct_series(tmp_path, STORED)[1], keyword, vr, value)
    assert message in refused(read_ct, tmp_path)


@pytest.mark.parametrize("orientation", [[0] * 6, [2, 0, 0, 0, 2, 0], [1, 0, 0, 0, 0, 0]])
def test_an_orientation_that_is_none_is_refused(tmp_path, orientation):
    for path in ct_series(tmp_path, STORED):
        edit(path, ImageOrientationPatient=orientation)
    assert "must be two unit vectors" in refused(read_ct, tmp_path)


@pytest.mark.parametrize(
    ("voxel_mm", "corner_mm", "message"),
    [
        ((2.0, 1e30, 1.0), (0.0, 0.0, 0.0), "voxel size must lie within 0.001 and 1000 mm"),
        ((2.0, 1e-5, 1.0), (0.0, 0.0, 0.0), "voxel size must lie within 0.001 and 1000 mm"),
        ((2.0, 1.0, 1.0), (0.0, 1e9, 0.0), "the image must lie within 100000 mm"),
    ],
)
def test_voxels_and_places_that_no_patient_has_are_refused(tmp_path, voxel_mm, corner_mm, message):
    ct_series(tmp_path, STORED, corner_mm, voxel_mm)
    assert message in refused(read_ct, tmp_path)


@pytest.mark.parametrize(
    ("element", "message"),
    [(b"\x28\0\x30\0DS", "PixelSpacing must have 4294967280 bytes"), (b"\xe0\x7f\x10\0OW\0\0", None)],
)
def test_a_length_beyond_the_file_allocates_nothing(tmp_path, element, message):
    path = ct_series(tmp_path, STORED)[1]
    whole = path.read_bytes().replace(element, element[:4] + b"OB\0\0" + struct.pack("<I", 0xFFFFFFF0), 1)
    if message is None:  # the last element: what is left of the file is all there is
        at = whole.index(element[:4] + b"OB") + 12
        path.write_bytes(whole[:at] + whole[at + 4 :])
        np.testing.assert_array_equal(read_ct(tmp_path).volume.values, STORED)
    else:
        path.write_bytes(whole)
        assert message in refused(read_ct, tmp_path)


def test_a_file_that_its_name_calls_dicom_is_not_left_out(tmp_path):
    paths = ct_series(tmp_path, STORED)
    paths[3].rename(tmp_path / "last.dcm")
    (tmp_path / "last.dcm").write_bytes(b"")
    assert "last.dcm: not readable as DICOM" in refused(read_ct, tmp_path)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [({"SOPClassUID": None}, "has no SOPClassUID"), ({"Modality": "MR"}, "is of the CT series, but its Modality is")],
)
def test_the_last_slice_is_not_left_out_for_being_damaged(tmp_path, attributes, message):
    edit(ct_series(tmp_path, STORED)[3], **attributes)
    assert message in refused(read_ct, tmp_path)


def test_a_damaged_jpeg_ls_stream_does_not_end_the_process(tmp_path):
    for path in ct_series(tmp_path, STORED):
        dataset = pydicom.dcmread(path)
        dataset.compress(JPEGLSLossless)
        precision = dataset.PixelData.index(b"\xff\xf7") + 4  # start of frame: length (2 bytes), precision
        assert dataset.PixelData[precision] == 16
        dataset.PixelData = dataset.PixelData[:precision] + b"\0" + dataset.PixelData[precision + 1 :]
        dataset.save_as(path)
    assert "pixel data cannot be decoded" in refused(read_ct, tmp_path)


def test_a_jpeg_2000_stream_of_another_size_does_not_end_the_process(tmp_path, bases):
    for name, data in bases["ct"][3].items():
        (tmp_path / name).write_bytes(data)
    assert read_ct(tmp_path).volume.grid.shape == (4, 80, 96)
    for name, data in bases["ct"][3].items():
        at = data.index(b"\xff\x4f\xff\x51") + 16  # offsets of the image, size and offsets of the tiles
        (tmp_path / name).write_bytes(data[:at] + b"\xff" * 32 + data[at + 32 :])
    assert "a JPEG 2000 stream of another size" in refused(read_ct, tmp_path)


@pytest.mark.parametrize(
    ("keyword", "vr", "value"),
    [
        ("AcquisitionDate", "DA", b"-inf"),
        ("AcquisitionTime", "TM", b"256199"),
        ("ActualFrameDuration", "IS", b"-1"),
        ("DecayFactor", "DS", b"nan "),
        ("DecayCorrection", "LO", b"\x1b[31mred"),
        ("RadiopharmaceuticalInformationSequence", "UN", b"12"),
    ],
)
def test_a_pet_slice_with_a_hostile_value_is_refused(tmp_path, keyword, vr, value):
    for path in pet_series(tmp_path, STORED + 1, [1.0] * 4, [BED] * 4, DecayCorrection="START"):
        put(path, keyword, vr, value)
    refused(read_activity, tmp_path)


@pytest.mark.parametrize("keyword", ["RadionuclideHalfLife", "RadionuclideTotalDose"])
def test_a_drug_that_is_not_a_number_is_refused(tmp_path, keyword):
    for path in pet_series(tmp_path, STORED + 1, [1.0] * 4, [BED] * 4):
        put(path, keyword, "DS", b"nan ", lambda dataset: dataset.RadiopharmaceuticalInformationSequence[0])
    assert f"{keyword} must be a finite number" in refused(read_activity, tmp_path)


def first_contour(dataset):
    return dataset.ROIContourSequence[0].ContourSequence[0]


@pytest.mark.parametrize(
    ("keyword", "vr", "value", "item", "message"),
    [
        ("ContourData", "DS", b"1 ", first_contour, "three coordinates for each of its 4 points, got 0 numbers"),
        ("ContourData", "DS", b"1\\2\\30\\4\\5\\30\\7\\8\\30", first_contour, "its 4 points, got 9 numbers"),
        ("ContourData", "DS", b"\x1b[31mred\\1", first_contour, "cannot be read"),
        ("ContourData", "DS", b"\\".join([b"1e300"] * 12), first_contour, "must lie within 100000 mm"),
        ("ReferencedROINumber", "IS", b"2 ", lambda d: d.ROIContourSequence[0], "must have its own Referenced"),
        ("ReferencedROINumber", "IS", b"9 ", lambda d: d.ROIContourSequence[0], "contours of structures [9]"),
        ("ROINumber", "IS", b"2 ", lambda d: d.StructureSetROISequence[0], "must have its own ROINumber"),
        ("ROINumber", "IS", b"", lambda d: d.StructureSetROISequence[0], "cannot be read"),
        ("ROIContourSequence", "IS", b"1 ", lambda d: d, "cannot be read"),
    ],
)
def test_damaged_contours_are_refused(tmp_path, keyword, vr, value, item, message):
    path = rtstruct(tmp_path / "rs.dcm", DRAWN)
    put(path, keyword, vr, value, item)
    assert message in refused(read_structures, path, GRID)


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return write_bases(tmp_path_factory.mktemp("bases"))


def test_frames_of_a_segmentation_are_counted_before_they_are_believed(tmp_path, bases):
    path = tmp_path / "seg.dcm"
    path.write_bytes(bases["seg"][0]["seg0"])
    put(path, "NumberOfFrames", "IS", b"99991399")
    assert "99991399 x 5 x 6 values" in refused(read_structures, path, GRID)
    path.write_bytes(bases["seg"][0]["seg0"])
    put(path, "BitsStored", "UL", b"\0\0\0\x7f")  # two to this power took all memory
    assert "BitsStored must be 1 to BitsAllocated" in refused(read_structures, path, GRID)
    put(path, "BitsStored", "US", b"\1\0")
    put(path, "NumberOfFrames", "IS", b"2 ")
    assert "NumberOfFrames is 2, but" in refused(read_structures, path, GRID)


def test_frames_of_a_segmentation_far_apart_are_refused(tmp_path, bases):
    path = tmp_path / "seg.dcm"
    path.write_bytes(bases["seg"][0]["seg0"])
    dataset = pydicom.dcmread(path)
    dataset.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient[2] = -90_000
    dataset.save_as(path)
    assert "at most 5000 planes" in refused(read_structures, path, GRID)


def nifti(path, **fields):
    image = nibabel.Nifti1Image(STORED.astype(np.int16).T, np.diag([-1.25, -1.5, 2.0, 1.0]))
    nibabel.save(image, path)
    data = path.read_bytes()
    packed = path.name.endswith(".gz")
    data = gzip.decompress(data) if packed else data
    header = np.frombuffer(data[:348], nibabel.Nifti1Header.template_dtype).copy()
    for field, value in fields.items():
        header[field] = value
    data = header.tobytes() + data[348:]
    path.write_bytes(gzip.compress(data) if packed else data)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dim": [3, 6, 0, 4, 1, 1, 1, 1]}, "sizes must be at least 1"),
        ({"dim": [3, 6, -5, 4, 1, 1, 1, 1]}, "a.nii"),
        ({"dim": [3, 30000, 30000, 30000, 1, 1, 1, 1]}, "the file holds"),
        ({"datatype": 128, "bitpix": 24}, "a.nii"),  # RGB
        ({"datatype": 32, "bitpix": 64, "dim": [3, 6, 5, 1, 1, 1, 1, 1]}, "one real number per voxel is needed"),
        ({"xyzt_units": 7}, "the unit of length in xyzt_units must be 0 to 3, got 7"),
        ({"srow_x": [-1.25, 0, 0, 1e30], "qform_code": 0}, "the image must lie within 100000 mm"),
        ({"srow_x": [-1.25, 0, 0, np.nan], "qform_code": 0}, "a.nii"),
        ({"srow_x": [-1e30, 0, 0, 0], "qform_code": 0}, "voxel size must lie within"),
    ],
)
def test_hostile_nifti_headers_are_refused(tmp_path, name, fields, message):
    nifti(tmp_path / name, **fields)
    assert message in refused(read_ct, tmp_path / name)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("NDims = 3", "NDims = 65535", "got NDims 65535"),  # ended the process
        ("DimSize = 6 5 4", "DimSize = 100000 100000 100000", "the file holds"),
        ("DimSize = 6 5 4", "DimSize = 6 5 0", "sizes must be at least 1"),
        ("DimSize = 6 5 4", "DimSize = 6 5", "DimSize must be 3 finite numbers"),
        ("DimSize = 6 5 4", "DimSize = 6 5 4\nDimSize = 6 5 4", "has DimSize twice"),
        ("Offset = 0 0 0", "Offset = 0 nan 0", "Offset must be 3 finite numbers"),
        ("Offset = 0 0 0", "Offset = 0 -2147483648 0", "the image must lie within 100000 mm"),
        ("ElementSpacing = 1 1 1", "ElementSpacing = 1 1 9223372036854775807", "voxel size must lie within"),
        ("ElementType = MET_SHORT", "ElementType = MET_SHORT_ARRAY", "ElementType must be that of a number"),
        ("ElementType = MET_SHORT", "ElementType = MET_SHORT\nElementNumberOfChannels = 9", "one value per voxel"),
        ("ElementDataFile = LOCAL", "ElementDataFile = LIST", "ElementDataFile must be LOCAL or one file"),
        ("ElementDataFile = LOCAL", "HeaderSize = 99999999999\nElementDataFile = LOCAL", "HeaderSize must be -1 to"),
        ("ElementDataFile = LOCAL", "CompressedDataSize = -1\nElementDataFile = LOCAL", "CompressedDataSize must be 0"),
        ("ElementDataFile = LOCAL", "", "a damaged MetaImage header"),
        ("ObjectType = Image", "ObjectType = Mesh", "ObjectType must be Image"),
    ],
)
def test_hostile_meta_image_headers_are_refused(tmp_path, old, new, message):
    path = tmp_path / "a.mha"
    sitk.WriteImage(sitk.GetImageFromArray(STORED.astype(np.int16)), str(path), useCompression=False)
    whole = path.read_bytes()
    assert old.encode() in whole
    path.write_bytes(whole.replace(old.encode(), new.encode()))
    assert message in refused(read_ct, path)


@pytest.mark.parametrize("line", ["NDims: 65535", "NDims : 65535 = 3", "a b = 1", "x" * 20_000 + " = 1"])
def test_lines_that_meta_io_reads_otherwise_are_refused(tmp_path, line):
    path = tmp_path / "a.mha"
    sitk.WriteImage(sitk.GetImageFromArray(STORED.astype(np.int16)), str(path), useCompression=False)
    path.write_bytes(path.read_bytes().replace(b"NDims = 3", line.encode() + b"\nNDims = 3"))
    assert "a damaged MetaImage header, which has the line" in refused(read_ct, path)


def test_metadata_in_a_meta_image_is_no_damage(tmp_path):
    image = sitk.GetImageFromArray(STORED.astype(np.int16))
    for key, value in {"0008|0070": "Maker", "dim[0]": "3", "note": "Größe = 3: 1", "empty": ""}.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    assert b"dim[0] = 3" in (tmp_path / "a.mha").read_bytes()
    np.testing.assert_array_equal(read_ct(tmp_path / "a.mha").volume.values, STORED)


def point_kernel(path):
    edges, energy = np.array([0.0, 1.0, 2.5, 4.0]), np.array([0.5, 0.3, 0.1])
    PointKernel(edges, energy, energy, np.ones((4, 3)), 0.93, "Y-90", "water", 1.0, 8192, {"seed": 1}).save(path)
    return path


def huge(file):
    unit = file["energy_mev"].attrs["unit"]
    del file["energy_mev"]
    file.create_dataset("energy_mev", (10**9,), "f8", chunks=(4,)).attrs["unit"] = unit


def elsewhere(file):
    del file["energy_mev"]
    file["energy_mev"] = h5py.ExternalLink("elsewhere.h5", "/x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (huge, "1000000000 values need 8e+09 bytes"),
        (elsewhere, "must have the dataset 'energy_mev'"),
        (lambda file: file["energy_mev"].write_direct(np.full(3, np.nan)), "energy_mev must be finite, 3 of 3"),
        (lambda file: file.attrs.__setitem__("density_g_cm3", 1 + 2j), "density_g_cm3 must be a number"),
        (lambda file: file.attrs.__setitem__("density_g_cm3", np.nan), "density_g_cm3 must be positive"),
        (lambda file: file.attrs.__setitem__("histories", np.inf), "a damaged kernel file"),
        (lambda file: file.attrs.__setitem__("provenance", "[1]"), "provenance must be a JSON object"),
        (lambda file: file.attrs.__setitem__("provenance", "[" * 9999), "a damaged kernel file"),
        (lambda file: file.attrs.__setitem__("kind", "two\nlines"), "its kind must be one of"),
    ],
)
def test_hostile_kernels_are_refused(tmp_path, change, message):
    path = point_kernel(tmp_path / "kernel.h5")
    with h5py.File(path, "r+") as file:
        change(file)
    assert message in refused(load_kernel, path)


def test_voxels_of_a_kernel_have_a_size(tmp_path):
    values = np.ones((3, 3, 3))
    VoxelKernel(values, values, (3.0, 0.0, 2.0), "Y-90", "water", 1.0, 0.1, 0.93, {}).save(tmp_path / "kernel.h5")
    assert "voxel_mm must be positive, got (3.0, 0.0, 2.0)" in refused(load_kernel, tmp_path / "kernel.h5")


def test_a_heap_that_hdf5_never_gets_through_is_refused(tmp_path):
    path = point_kernel(tmp_path / "kernel.h5")
    data = bytearray(path.read_bytes())
    heap = data.index(b"GCOL")
    data[heap + 16 :] = bytes(16) + data[heap + 32 :]
    path.write_bytes(data)
    assert f"whose heap at byte {heap} has free space of size 0" in refused(load_kernel, path)
    data[heap + 24 : heap + 32] = b"\xff" * 8  # the size of the first object, padded, is 0
    path.write_bytes(bytes(data))
    assert f"whose heap at byte {heap} holds {2**64 - 1} bytes in one object" in refused(load_kernel, path)


@pytest.mark.parametrize("start", ["[", '{"a":'])
def test_a_deeply_nested_calibration_is_refused(tmp_path, start):
    (tmp_path / "a.json").write_text('{"hu": ' + start * 100_000)
    assert "is not JSON" in refused(Calibration.from_json, tmp_path / "a.json")
    (tmp_path / "a.json").write_text(json.dumps({"two\nlines": 1}))
    refused(Calibration.from_json, tmp_path / "a.json")


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    shape=st.tuples(st.integers(3, 5), st.integers(1, 4), st.integers(1, 4)),
    voxel_mm=st.tuples(*[st.integers(50, 9999).map(lambda n: n / 1000)] * 3),
    corner_mm=st.tuples(*[st.integers(-500_000, 500_000).map(lambda n: n / 1000)] * 3),
    flips=st.tuples(*[st.booleans()] * 3),
    seed=st.integers(0, 99),
)
def test_a_voxel_is_where_every_format_puts_it(tmp_path_factory, shape, voxel_mm, corner_mm, flips, seed):
    """Value and patient coordinates of each voxel, through DICOM, NIfTI and MetaImage, whichever way an axis runs."""
    folder = tmp_path_factory.mktemp("places")
    values = np.random.default_rng(seed).integers(-1000, 3000, shape).astype(np.int16)
    dz, dy, dx = (-side if flip else side for side, flip in zip(voxel_mm, flips, strict=True))
    turn = (np.sign(dx), 0, 0, 0, np.sign(dy), 0)
    save(folder / "ct", slices(CT, "CT", values, corner_mm, (dz, abs(dy), abs(dx)), turn))
    image = sitk.GetImageFromArray(values)
    image.SetSpacing(voxel_mm[::-1])
    image.SetOrigin(corner_mm)
    image.SetDirection(np.diag(np.sign([dx, dy, dz])).ravel())
    for name in ("a.nii.gz", "a.mha"):
        sitk.WriteImage(image, str(folder / name))
    for name in ("ct", "a.nii.gz", "a.mha"):
        volume = read_ct(folder / name).volume
        for index in np.ndindex(shape):
            place = np.array(corner_mm[::-1]) + np.array(index) * (dz, dy, dx)
            found = (place - volume.grid.origin_mm) / volume.grid.voxel_mm
            nearest = np.rint(found).astype(int)
            np.testing.assert_allclose(found, nearest, atol=0.01)
            assert volume.values[tuple(nearest)] == values[index]


@pytest.mark.skipif(sys.platform != "linux", reason="the fuzzer limits memory as Linux does")
def test_a_short_run_finds_nothing():
    from tools.fuzz_readers import fuzz

    counts, findings = fuzz(READERS, seed=2026, seconds=0.0, cases=25, keep=None)
    assert findings == []
    assert sum(counts.values()) == 25 * len(READERS)
    assert all(counts[reader, "refused"] for reader in READERS)
