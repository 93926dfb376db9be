"""Small synthetic DICOM files for the tests of mcdose.io, and the place of the real ones."""

import os
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT = "1.2.840.10008.5.1.4.1.1.2"
NM = "1.2.840.10008.5.1.4.1.1.20"
PET = "1.2.840.10008.5.1.4.1.1.128"
REG = "1.2.840.10008.5.1.4.1.1.66.1"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
AXIAL = (1, 0, 0, 0, 1, 0)
Y90_HALF_LIFE_S = 230_580.0


def reference_images():
    """Folder with the real images, or skip."""
    root = os.environ.get("MCDOSE_TEST_DATA")
    folder = (Path(root) if root else Path(__file__).parents[2] / "shared") / "images"
    if not folder.is_dir():
        pytest.skip("needs the real images: ../shared/images beside the repository, or $MCDOSE_TEST_DATA/images")
    return folder


def instance(sop_class, modality, **attributes):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.Modality = modality
    dataset.PatientName, dataset.PatientID, dataset.PatientBirthDate, dataset.PatientSex = "Doe^Jane", "7", "", "F"
    dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = "1.2.3.1", "1.2.3.2"
    dataset.StudyDate, dataset.StudyTime, dataset.StudyID = "20240603", "100000", "5"
    dataset.ReferringPhysicianName, dataset.AccessionNumber, dataset.SeriesNumber = "", "", 1
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def slices(sop_class, modality, stored, corner_mm, voxel_mm, orientation=AXIAL, **attributes):
    """Datasets of a series: `stored` (frames, rows, columns) int16, `corner_mm` (x, y, z) of the first pixel of the
    first frame, `voxel_mm` (step between frames along z, rows, columns).
    """  # fmt: skip
    series = generate_uid()
    for k, pixels in enumerate(np.asarray(stored, dtype=np.int16)):
        image = instance(sop_class, modality, SeriesInstanceUID=series, **attributes)
        image.InstanceNumber = k + 1
        image.Rows, image.Columns = pixels.shape
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
        image.PixelSpacing = [voxel_mm[1], voxel_mm[2]]
        image.SliceThickness = abs(voxel_mm[0])
        image.ImageOrientationPatient = list(orientation)
        image.ImagePositionPatient = [corner_mm[0], corner_mm[1], corner_mm[2] + k * voxel_mm[0]]
        image.RescaleSlope, image.RescaleIntercept = 1, 0
        image.PixelData = pixels.tobytes()
        yield image


def save(folder, datasets):
    """Write datasets under names that say nothing of their order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for k, dataset in enumerate(datasets):
        path = folder / f"{(k * 7919) % 1009:04d}-{k}"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def edit(path, **attributes):
    """Change elements of a file, those that are None go; return its path."""
    dataset = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


def ct_series(folder, stored, corner_mm=(-10.0, -20.0, 30.0), voxel_mm=(2.0, 1.5, 1.25), **attributes):
    attributes.setdefault("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL"])
    return save(folder, slices(CT, "CT", stored, corner_mm, voxel_mm, **attributes))


def y90(drug=None):
    """Say what was given: Y-90 at 10:00 on 3 June 2024, or what `drug` says beside nuclide and half-life."""
    dose = Dataset()
    dose.RadionuclideHalfLife = Y90_HALF_LIFE_S
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "14691008", "SCT", "^90^Yttrium"
    dose.RadionuclideCodeSequence = [code]
    for keyword, value in (drug or {"RadiopharmaceuticalStartDateTime": "20240603100000"}).items():
        setattr(dose, keyword, value)
    return dose


def nm_image(path, stored, spacing_mm=3.0, orientation=AXIAL, rotations=((60, 20_000),), drug=None, **attributes):
    """A reconstructed multi-frame NM image of Y-90 in counts, scanned from 6 June 2024, 02:03 (64.05 h after 10:00).

    `stored` (frames, rows, columns) uint16 of `spacing_mm` x 4 x 5 mm from (-8, -6, 10) on; `rotations` gives the
    frames of each and their duration [ms].
    """
    stored = np.asarray(stored, dtype=np.uint16)
    attributes = {
        "ImageType": ["DERIVED", "PRIMARY", "RECON TOMO", "EMISSION"],
        "AcquisitionDate": "20240606",
        "AcquisitionTime": "020300",
        "CorrectedImage": ["ATTN", "SCAT"],
        "SpacingBetweenSlices": spacing_mm,
        "SliceThickness": abs(spacing_mm or 1.0),
        "SliceVector": list(range(1, len(stored) + 1)),
        **attributes,
    }
    attributes = {keyword: value for keyword, value in attributes.items() if value is not None}
    image = instance(NM, attributes.pop("Modality", "NM"), SeriesInstanceUID=generate_uid(), **attributes)
    image.NumberOfFrames, image.Rows, image.Columns = stored.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 0
    image.PixelSpacing = [4.0, 5.0]
    detector = Dataset()
    if orientation is not None:
        detector.ImagePositionPatient, detector.ImageOrientationPatient = [-8.0, -6.0, 10.0], list(orientation)
    image.DetectorInformationSequence = [detector]
    image.RotationInformationSequence = []
    for frames, duration_ms in rotations:
        rotation = Dataset()
        rotation.NumberOfFramesInRotation, rotation.ActualFrameDuration = frames, duration_ms
        image.RotationInformationSequence.append(rotation)
    image.RadiopharmaceuticalInformationSequence = [y90(drug)]
    image.PixelData = stored.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_as(path, enforce_file_format=True)
    return path


def pet_series(folder, stored, slopes, frames, voxel_mm=(3.0, 4.0, 5.0), drug=None, **attributes):
    """A PET series in BQML; `frames` gives (AcquisitionDate, AcquisitionTime, duration in s, DecayFactor) a slice."""
    attributes = {
        "Units": "BQML",
        "SeriesDate": frames[0][0],
        "SeriesTime": frames[0][1],
        "DecayCorrection": "ADMIN",
        "ImageType": ["ORIGINAL", "PRIMARY"],
        **attributes,
    }
    images = list(slices(PET, "PT", stored, (-8.0, -6.0, 10.0), voxel_mm, **attributes))
    for image, slope, (date, time, duration, factor) in zip(images, slopes, frames, strict=True):
        image.RescaleSlope = slope
        image.AcquisitionDate, image.AcquisitionTime = date, time
        if duration is not None:
            image.ActualFrameDuration = round(duration * 1000)
        if factor is not None:
            image.DecayFactor = f"{factor:.10g}"
        image.RadiopharmaceuticalInformationSequence = [y90(drug)]
    return save(folder, images)


def group(**attributes):
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return [item]


def multi_frame(sop_class, modality, stored, shared, frames, **attributes):
    """A multi-frame image of int16; `shared` and each of `frames` hold functional groups."""
    stored = np.asarray(stored, dtype=np.int16)
    image = instance(sop_class, modality, SeriesInstanceUID=attributes.pop("SeriesInstanceUID", generate_uid()))
    image.NumberOfFrames, image.Rows, image.Columns = stored.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 16, 15, 1
    image.SharedFunctionalGroupsSequence = group(**shared)
    image.PerFrameFunctionalGroupsSequence = [group(**frame)[0] for frame in frames]
    image.PixelData = stored.tobytes()
    for keyword, value in attributes.items():
        setattr(image, keyword, value)
    return image


def enhanced_pet(path, stored, slopes, frames, corrected_to, factors=None, groups=None, unit="Bq/ml", **attributes):
    """An enhanced PET, its values given by real world values; `frames` gives (date and time, duration in s) of each.

    `corrected_to` is DecayCorrectionDateTime, None if not corrected for decay, `groups` what frame k has instead.
    """
    common = {
        "PixelMeasuresSequence": group(PixelSpacing=[4.0, 5.0]),
        "PlaneOrientationSequence": group(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        "PETFrameTypeSequence": group(FrameType=["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]),
    }
    code = group(CodeValue=unit, CodingSchemeDesignator="UCUM", CodeMeaning="activity concentration")
    each = []
    for k, (start, duration_s) in enumerate(frames):
        value = group(RealWorldValueSlope=slopes[k], RealWorldValueIntercept=0.0, MeasurementUnitsCodeSequence=code)
        frame = {
            "PlanePositionSequence": group(ImagePositionPatient=[-8, -6, 10 + 3 * k]),
            "PixelValueTransformationSequence": group(RescaleSlope=1, RescaleIntercept=0, RescaleType="US"),
            "RealWorldValueMappingSequence": value,
            "FrameContentSequence": group(FrameAcquisitionDateTime=start, FrameAcquisitionDuration=duration_s * 1e3),
            **((groups or {}).get(k, {})),
        }
        if factors is not None:
            frame["PETFrameCorrectionFactorsSequence"] = group(DecayFactor=float(factors[k]))
        each.append(frame)
    times = {"DecayCorrected": "NO" if corrected_to is None else "YES", "AcquisitionDateTime": frames[0][0]}
    if corrected_to:
        times["DecayCorrectionDateTime"] = corrected_to
    image = multi_frame("1.2.840.10008.5.1.4.1.1.130", "PT", stored, common, each, **{**times, **attributes})
    image.RadiopharmaceuticalInformationSequence = [y90()]
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save_as(path, enforce_file_format=True)
    return path


def rtstruct(path, structures, kind="CLOSED_PLANAR"):
    """Write an RTSTRUCT; `structures` is a list of (name, [(z, points (n, 2)), ...])."""
    dataset = instance(RTSTRUCT, "RTSTRUCT", SeriesInstanceUID=generate_uid())
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(structures, start=1):
        roi, drawn = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, "1.2.3.2"
        drawn.ReferencedROINumber, drawn.ContourSequence = number, []
        for z, points in contours:
            contour = Dataset()
            contour.ContourGeometricType, contour.NumberOfContourPoints = kind, len(points)
            heights = np.broadcast_to(z, len(points))
            contour.ContourData = [f"{v:.9g}" for v in np.column_stack([points, heights]).ravel()]
            drawn.ContourSequence.append(contour)
        dataset.StructureSetROISequence.append(roi)
        dataset.ROIContourSequence.append(drawn)
    dataset.save_as(path, enforce_file_format=True)
    return path


def spatial_registration(path, registered, items, sop_class=REG):
    """Write a Spatial Registration; `items` is a list of (frame of reference, [(matrix (4, 4), type), ...])."""
    dataset = instance(sop_class, "REG", SeriesInstanceUID=generate_uid(), FrameOfReferenceUID=registered)
    dataset.RegistrationSequence = []
    for frame, matrices in items:
        item, registration = Dataset(), Dataset()
        item.FrameOfReferenceUID = frame
        registration.MatrixSequence = []
        for matrix, kind in matrices:
            row = Dataset()
            row.FrameOfReferenceTransformationMatrixType = kind
            texts = [
                pydicom.valuerep.format_number_as_ds(v) if np.isfinite(v) else str(v) for v in np.ravel(matrix).tolist()
            ]
            row.add(
                DataElement("FrameOfReferenceTransformationMatrix", "DS", texts, validation_mode=pydicom.config.IGNORE)
            )
            registration.MatrixSequence.append(row)
        registration.RegistrationTypeCodeSequence = []
        item.MatrixRegistrationSequence = [registration]
        dataset.RegistrationSequence.append(item)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def segmentation(path, pixels, kind, names, corner_mm=(0.0, 0.0, 0.0), voxel_mm=(2.0, 1.5, 1.25), **more):
    """Write a DICOM SEG by highdicom, with a CT of the same grid beside it.

    `pixels` (frames, rows, columns), of a label map, or (..., segments); `names` by segment number, or in their order;
    `corner_mm` (x, y, z) and `voxel_mm` as of `slices`.
    """
    import highdicom
    from highdicom.content import AlgorithmIdentificationSequence
    from pydicom.sr.codedict import codes

    folder = path.with_suffix(".ct")
    shape = np.shape(pixels)[:3]
    paths = ct_series(folder, np.zeros(shape), corner_mm, voxel_mm, PositionReferenceIndicator="")
    names = names if isinstance(names, dict) else dict(enumerate(names, start=1))
    algorithm = AlgorithmIdentificationSequence("threshold", codes.DCM.ArtificialIntelligence, "1")
    automatic = highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC
    segments = [
        highdicom.seg.SegmentDescription(number, name, codes.SCT.Organ, codes.SCT.Liver, automatic, algorithm)
        for number, name in names.items()
    ]
    highdicom.seg.Segmentation(
        [pydicom.dcmread(p) for p in paths], pixels, kind, segments,
        "1.2.3.50", 1, "1.2.3.51", 1, "maker", "model", "1", "serial", **more,
    ).save_as(path)  # fmt: skip
    return path
