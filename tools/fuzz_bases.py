"""Small valid files of every format that mcdose reads, which the fuzzer spoils."""

from __future__ import annotations

import gzip
import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

TESTS = Path(__file__).parents[1] / "tests"
Files = dict[str, bytes]  # by name; what a reader is given is a folder with these, or the first of them


def write_bases(folder: Path) -> dict[str, list[Files]]:
    """Return, by the name of a reader, cases of valid files; the folder is for scratch."""
    sys.path.append(str(TESTS))
    import images

    folder.mkdir(exist_ok=True)
    uids = (f"1.2.826.0.1.{number}" for number in itertools.count(1000))
    with mock.patch.object(images, "generate_uid", side_effect=uids):
        return {name: [_taken(make(folder / f"{name}{k}")) for k, make in enumerate(m)] for name, m in _MAKERS.items()}


def _taken(path: Path) -> Files:
    files = sorted(path.iterdir()) if path.is_dir() else [path, *path.parent.glob(f"{path.stem}.raw")]
    return {file.name: file.read_bytes() for file in files}


def _values() -> Any:
    return (np.arange(4 * 5 * 6).reshape(4, 5, 6) * 3).astype(np.int16)


def _ct(folder: Path, enlarged: int = 1) -> Path:
    import images

    images.ct_series(folder, _values().repeat(enlarged, 1).repeat(enlarged, 2), RescaleType="HU")
    return folder


def _ct_compressed(folder: Path, syntax: str) -> Path:
    import pydicom

    for path in _ct(folder).iterdir():
        dataset = pydicom.dcmread(path)
        dataset.compress(syntax, generate_instance_uid=False)
        dataset.save_as(path)
    return folder


def _ct_rle(folder: Path) -> Path:
    return _ct_compressed(folder, "1.2.840.10008.1.2.5")


def _ct_jpeg_2000(folder: Path) -> Path:
    import pydicom
    from openjpeg.utils import encode_array
    from pydicom.encaps import encapsulate

    for path in _ct(folder, 16).iterdir():  # the encoder needs more than 32 rows
        dataset = pydicom.dcmread(path)
        dataset.PixelData = encapsulate([encode_array(dataset.pixel_array, photometric_interpretation=2)])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"
        dataset.save_as(path)
    return folder


def _ct_jpeg_ls(folder: Path) -> Path:
    return _ct_compressed(folder, "1.2.840.10008.1.2.4.80")


def _ct_enhanced(folder: Path) -> Path:
    import images
    import pydicom

    def group(**attributes: Any) -> list[Any]:
        item = pydicom.Dataset()
        for keyword, value in attributes.items():
            setattr(item, keyword, value)
        return [item]

    image = images.instance("1.2.840.10008.5.1.4.1.1.2.1", "CT", SeriesInstanceUID="1.2.3.4", Rows=5, Columns=6)
    image.NumberOfFrames, image.SamplesPerPixel, image.PhotometricInterpretation = 4, 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.SharedFunctionalGroupsSequence = group(
        PixelMeasuresSequence=group(PixelSpacing=[1.5, 1.25]),
        PlaneOrientationSequence=group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        PixelValueTransformationSequence=group(RescaleSlope=2, RescaleIntercept=-7),
    )
    image.PerFrameFunctionalGroupsSequence = [
        group(PlanePositionSequence=group(ImagePositionPatient=[-10, -20, 2 * k]))[0] for k in range(4)
    ]
    image.PixelData = _values().tobytes()
    images.save(folder, [image])
    return folder


def _pet_jpeg(folder: Path) -> Path:
    """Three slices of a real image in JPEG lossless, for which there is no encoder here; without it, another series."""
    import os

    import pydicom

    shared = Path(os.environ.get("MCDOSE_TEST_DATA") or TESTS.parents[1] / "shared")
    real = shared / "images" / "odd" / "pet-one-slice" / "GH184_PT_BQML_jpegll.dcm"
    if not real.is_file():
        return _pet_start(folder)
    folder.mkdir()
    for k in range(3):
        dataset = pydicom.dcmread(real)
        dataset.ImagePositionPatient[2] += 4 * k
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.{900 + k}"
        dataset.save_as(folder / f"{k}")
    return folder


def _pet(folder: Path, correction: str) -> Path:
    import images

    decay = np.log(2) / images.Y90_HALF_LIFE_S
    after = 20.5 * 3600.0
    factor = {"START": 1.0, "ADMIN": float(np.exp(decay * after)), "NONE": None}[correction]
    frames = [("20240604", "063000", 900.0, factor)] * 4
    images.pet_series(folder, _values() + 1, [1.5, 2.0, 0.25, 3.0], frames, DecayCorrection=correction)
    return folder


def _pet_enhanced(folder: Path) -> Path:
    import images

    frames = [("20240604063000", 900.0)] * 4
    images.enhanced_pet(folder / "e", _values() + 1, [1.5, 2.0, 0.25, 3.0], frames, "20240604063000")
    return folder


def _pet_start(folder: Path) -> Path:
    return _pet(folder, "START")


def _pet_admin(folder: Path) -> Path:
    return _pet(folder, "ADMIN")


def _rtstruct(path: Path) -> Path:
    import images

    square, inner = np.array([(-6, -17), (-6, -12), (-1, -12), (-1, -17)]), np.array([(-5, -16), (-3, -16), (-3, -14)])
    body = [(z, square) for z in (30, 32, 34)]
    return images.rtstruct(path, [("A", body), ("B", [*body, (32, inner)])])


def _seg(path: Path, kind: str) -> Path:
    import highdicom
    import images
    import pydicom
    from pydicom.sr.codedict import codes

    folder = path.with_suffix(".ct")
    paths = images.ct_series(folder, _values(), PositionReferenceIndicator="")
    seg = highdicom.seg
    segments = [
        seg.SegmentDescription(k, name, codes.SCT.Organ, codes.SCT.Liver, seg.SegmentAlgorithmTypeValues.MANUAL)
        for k, name in ((1, "Liver"), (2, "Lesion"))
    ]
    masks = np.stack([_values() > 30, _values() > 200], axis=-1)
    pixels = masks * 0.5 if kind == "FRACTIONAL" else masks.astype(np.uint8)
    if kind == "LABELMAP":
        pixels = masks.sum(axis=-1).astype(np.uint8)
    seg.Segmentation(
        [pydicom.dcmread(p) for p in paths], pixels, kind, segments,
        "1.2.3.50", 1, "1.2.3.51", 1, "maker", "model", "1", "serial",
    ).save_as(path)  # fmt: skip
    return path


def _seg_binary(path: Path) -> Path:
    return _seg(path, "BINARY")


def _seg_fractional(path: Path) -> Path:
    return _seg(path, "FRACTIONAL")


def _seg_labels(path: Path) -> Path:
    return _seg(path, "LABELMAP")


def _image() -> Any:
    import SimpleITK

    image = SimpleITK.GetImageFromArray(_values() // 100)
    image.SetSpacing((1.25, 1.5, 2.0))
    image.SetOrigin((-10.0, -20.0, 30.0))
    return image


def _voxel_file(path: Path, ending: str, compressed: bool) -> Path:
    import SimpleITK

    named = path.with_name(path.name + ending)
    SimpleITK.WriteImage(_image(), str(named), compressed)
    return named


def _nifti(path: Path) -> Path:
    return _voxel_file(path, ".nii", False)


def _nifti_gz(path: Path) -> Path:
    named = path.with_name(path.name + ".nii.gz")
    named.write_bytes(gzip.compress(_nifti(path).read_bytes(), mtime=0))
    return named


def _mha(path: Path) -> Path:
    return _voxel_file(path, ".mha", False)


def _mha_compressed(path: Path) -> Path:
    return _voxel_file(path, ".mha", True)


def _mhd(path: Path) -> Path:
    return _voxel_file(path, ".mhd", False)


def _point_kernel(path: Path) -> Path:
    from mcdose.kernel import PointKernel

    edges, energy = np.array([0.0, 1.0, 2.5, 4.0]), np.array([0.5, 0.3, 0.1])
    named = path.with_name(path.name + ".h5")
    kernel = PointKernel(edges, energy, energy / 9, np.ones((4, 3)), 0.93, "Y-90", "water", 1.0, 8192, {"seed": 1})
    kernel.save(named)
    return named


def _voxel_kernel(path: Path) -> Path:
    from mcdose.kernel import VoxelKernel

    named, values = path.with_name(path.name + ".h5"), np.ones((3, 5, 5))
    VoxelKernel(values, values / 9, (3.0, 2.0, 2.0), "Y-90", "water", 1.0, 0.1, 0.93, {"seed": 1}).save(named)
    return named


def _electron_kernels(path: Path) -> Path:
    from mcdose.electron_kernels import ElectronKernels
    from mcdose.kernel_file import save_kernel

    edges, energy = np.array([[0.0, 1.0, 2.5], [0.0, 2.0, 4.0]]), np.array([[0.5, 0.3], [0.7, 0.6]])
    named = path.with_name(path.name + ".h5")
    kernel = ElectronKernels(
        np.array([0.8, 1.3]), edges, energy, energy / 9, np.ones((2, 4, 2)), "water", 1.0, 8192, {}
    )
    save_kernel(kernel, named)
    return named


def _calibration(path: Path) -> Path:
    fields = {
        "hu": [-1000, 0, 1000],
        "density_g_cm3": [0.001, 1.0, 1.6],
        "media_hu": [-200.0, 200.0],
        "media": ["lung", "soft-tissue", "cortical-bone"],
        "name": "own",
    }
    named = path.with_name(path.name + ".json")
    named.write_text(json.dumps(fields), encoding="utf-8")
    return named


def _registration(path: Path) -> Path:
    import images

    turn = np.array([[0.0, -1.0, 0.0, 10.0], [1.0, 0.0, 0.0, 20.0], [0.0, 0.0, 1.0, 30.0], [0.0, 0.0, 0.0, 1.0]])
    items = [("1.2.3.10", [(turn, "RIGID"), (np.diag([1.1, 0.9, 1.0, 1.0]), "RIGID_SCALE")])]
    return images.spatial_registration(path, "1.2.3.30", [*items, ("1.2.3.20", [(turn, "AFFINE")])])


def _transform(path: Path, ending: str) -> Path:
    import SimpleITK

    named, turn = path.with_name(path.name + ending), SimpleITK.Euler3DTransform()
    turn.SetRotation(0.1, 0.2, 0.3)
    shift = SimpleITK.TranslationTransform(3, (1.0, 2.0, 3.0))
    SimpleITK.WriteTransform(SimpleITK.CompositeTransform([turn, SimpleITK.AffineTransform(3), shift]), str(named))
    return named


def _transform_text(path: Path) -> Path:
    return _transform(path, ".tfm")


def _transform_hdf5(path: Path) -> Path:
    return _transform(path, ".h5")


def _rtdose(path: Path, compressed: bool = False) -> Path:
    import pydicom

    from mcdose.grid import Grid
    from mcdose.io.rtdose import write_rt_dose

    grid = Grid((4, 5, 6), (2.0, 1.5, 1.25), (30.0, -20.0, -10.0))
    write_rt_dose(path, _values() / 3.0, grid, None, comment="fuzz", plan_path=path.with_name(f"{path.name}.plan"))
    dataset = pydicom.dcmread(path)
    for k, keyword in enumerate(("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID")):
        setattr(dataset, keyword, f"1.2.826.0.1.{800 + k}")  # the same in every process
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    for element in dataset:
        element.value = {"DA": "20240603", "TM": "100000"}.get(element.VR, element.value)
    if compressed:  # pydicom encodes no 32 bits
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
        dataset.PixelData = _values().astype("<u2").tobytes()
        dataset.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    dataset.save_as(path)
    return path


def _rtdose_rle(path: Path) -> Path:
    return _rtdose(path, True)


def _matrix(path: Path) -> Path:
    named = path.with_name(path.name + ".txt")
    np.savetxt(named, np.diag([1.0, 1.1, 0.9, 1.0]), header="activity to CT", fmt="%g")
    return named


_MAKERS: dict[str, list[Callable[[Path], Path]]] = {
    "ct": [_ct, _ct_enhanced, _ct_rle, _ct_jpeg_2000, _ct_jpeg_ls],
    "pet": [_pet_start, _pet_admin, _pet_jpeg, _pet_enhanced],
    "rtstruct": [_rtstruct],
    "rtdose": [_rtdose, _rtdose_rle],
    "seg": [_seg_binary, _seg_fractional, _seg_labels],
    "nifti": [_nifti, _nifti_gz],
    "metaimage": [_mha, _mha_compressed, _mhd],
    "kernel": [_point_kernel, _voxel_kernel, _electron_kernels],
    "calibration": [_calibration],
    "registration": [_registration],
    "transform": [_transform_text, _transform_hdf5, _matrix],
}
READERS = tuple(_MAKERS)
