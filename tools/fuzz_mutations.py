"""How the fuzzer spoils files: by bytes, by the elements of their format, and by mixing files."""

from __future__ import annotations

import gzip
import io
import json
import random
import struct
from collections.abc import Callable
from typing import Any

from tools.fuzz_bases import Files

SIZES = (0, 1, 2, 3, 7, 255, 4096, 65535, 2**16, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, -1, -2, -(2**31))
REALS = (float("nan"), float("inf"), float("-inf"), 0.0, -0.0, -1.0, 1e-300, 1e30, 1e300, -1e300, 0.001, 1e6)
TEXTS = (
    "nan", "inf", "-inf", "0", "-0", "-1", "1e400", "1e300", "-1e300", "1e-300", "1e9", "", " ", "abc", "1\\2",
    "1\\2\\3\\4\\5\\6\\7", "0\\0\\0", "0\\0\\0\\0\\0\\0", "nan\\nan", "inf\\1", "nan\\nan\\nan", "1e30\\1e30\\1e30",
    "2\\0\\0\\0\\2\\0", "nan\\0\\0\\0\\1\\0", "99999999999999999999", "65536", "2147483648", "99991399", "00010101",
    "000000", "256199", "\x1b[31mred", "two\nlines", "CT", "PT", "SEG", "RTSTRUCT", "NONE", "START", "ADMIN",
    "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.4.70", "\0", "1,5",
)  # fmt: skip
KEYWORDS = (
    "Rows", "Columns", "NumberOfFrames", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient",
    "RescaleSlope", "RescaleIntercept", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation",
    "SamplesPerPixel", "PhotometricInterpretation", "PixelData", "Modality", "Units", "DecayFactor", "DecayCorrection",
    "ActualFrameDuration", "AcquisitionDate", "AcquisitionTime", "SeriesDate", "SeriesTime", "RadionuclideHalfLife",
    "RadiopharmaceuticalStartDateTime", "RadionuclideTotalDose", "ContourData", "ContourGeometricType",
    "NumberOfContourPoints", "ROINumber", "ReferencedROINumber", "ROIName", "SegmentNumber", "SegmentLabel",
    "ReferencedSegmentNumber", "MaximumFractionalValue", "SegmentationType", "SpacingBetweenSlices", "SliceThickness",
    "FrameOfReferenceTransformationMatrix", "FrameOfReferenceTransformationMatrixType", "FrameOfReferenceUID",
    "RegistrationSequence", "MatrixRegistrationSequence", "MatrixSequence",
    "DimensionIndexValues", "ImageType", "RescaleType", "SpecificCharacterSet", "SOPInstanceUID", "SeriesInstanceUID",
    "DoseGridScaling", "GridFrameOffsetVector", "DoseUnits", "DoseType", "DoseSummationType",
)  # fmt: skip
VRS = ("DS", "IS", "US", "SS", "UL", "FD", "FL", "LO", "SQ", "OB", "OW", "UN", "UI", "DA", "TM", "DT", "AT", "PN", "UT")
PACKED = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "OW": "H", "AT": "H"}


def spoil(reader: str, files: Files, others: list[Files], rng: random.Random) -> Files:
    """Return files with one to three faults, drawn from `rng`.

    What is spoilt in its bytes is not opened again here: the libraries can end the process on it.
    """
    spoilt, closed = dict(files), False
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if len(spoilt) > 1 and rng.random() < 0.15:
            spoilt = _mixed(spoilt, others, rng)
            continue
        name = rng.choice(sorted(spoilt))
        by_format = _FORMATS[reader]
        closed = closed or rng.random() < 0.25
        try:
            change = _bytes if closed else by_format
            spoilt[name] = change(spoilt[name], rng)
        except Exception:  # already spoilt beyond what its own library can write
            spoilt[name] = _bytes(spoilt[name], rng)
            closed = True
    return spoilt


def _mixed(files: Files, others: list[Files], rng: random.Random) -> Files:
    """Drop, double, swap or replace whole files."""
    names = sorted(files)
    first, second = rng.sample(names, 2)
    what = rng.randrange(4)
    if what == 0:
        del files[first]
    elif what == 1:
        files[f"{first}-again"] = files[first]
    elif what == 2:
        files[first], files[second] = files[second], files[first]
    else:
        other = rng.choice(others)
        files[first] = other[rng.choice(sorted(other))]
    return files


def _bytes(data: bytes, rng: random.Random) -> bytes:
    """Flip, overwrite, cut, insert, double or drop bytes."""
    if not data:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(300)))
    buffer, at = bytearray(data), rng.randrange(len(data))
    what = rng.randrange(8)
    if what == 0:
        for _ in range(rng.choice((1, 1, 4, 20))):
            buffer[rng.randrange(len(buffer))] ^= 1 << rng.randrange(8)
    elif what == 1:
        buffer[at] = rng.randrange(256)
    elif what == 2:
        number = struct.pack(rng.choice("<>") + "q", rng.choice(SIZES))
        width = rng.choice((1, 2, 4, 8))
        buffer[at : at + width] = number[:width]
    elif what == 3:
        del buffer[at:]
    elif what == 4:
        buffer[at:at] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 2, 16, 1000))))
    elif what == 5:
        piece = buffer[at : at + rng.choice((2, 8, 64, 500))]
        buffer[at:at] = piece * rng.choice((1, 1, 50))
    elif what == 6:
        del buffer[at : at + rng.choice((1, 2, 8, 100))]
    else:
        buffer[at : at + rng.choice((4, 32, 200))] = bytes([rng.choice((0, 255))]) * rng.choice((4, 32, 200))
    return bytes(buffer)


def _dicom(data: bytes, rng: random.Random) -> bytes:
    """Delete, double or change elements, whatever the standard says of their values."""
    import pydicom

    dataset = pydicom.dcmread(io.BytesIO(data))
    holders = [dataset.file_meta] if rng.random() < 0.05 else _datasets(dataset)
    wanted = rng.choice(KEYWORDS) if rng.random() < 0.6 else None
    places = [(holder, tag) for holder in holders for tag in holder.keys()]  # noqa: SIM118
    named = [(holder, tag) for holder, tag in places if pydicom.datadict.keyword_for_tag(tag) == wanted]
    holder, tag = rng.choice(named or places)
    vr = holder[tag].VR
    what = rng.randrange(10)
    if what == 0:
        del holder[tag]
    elif vr == "SQ" and what < 7:
        items = holder[tag].value
        if what < 3 and len(items):
            items.append(items[rng.randrange(len(items))])
        elif what < 5 and len(items):
            del items[rng.randrange(len(items))]
        else:
            holder[tag].value = []
    else:
        vr = vr if what < 8 else rng.choice(VRS)
        value = _dicom_value(vr, holder[tag].value, rng)
        raw = pydicom.dataelem.RawDataElement(tag, vr, len(value), value, 0, False, True)
        holder._dict[tag] = raw
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def _datasets(dataset: Any) -> list[Any]:
    found = [dataset]
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                found += _datasets(item)
    return found


def _dicom_value(vr: str, old: Any, rng: random.Random) -> bytes:
    """Return the bytes of a hostile value."""
    if vr in PACKED and rng.random() < 0.8:
        code, count = PACKED[vr], rng.choice((1, 1, 1, 0, 2, 6))
        if code in "fd":
            return b"".join(struct.pack("<" + code, _single(rng.choice(REALS), code)) for _ in range(count))
        width = struct.calcsize(code)
        return b"".join(struct.pack("<q", rng.choice(SIZES))[:width] for _ in range(count))
    text = rng.choice(TEXTS)
    if isinstance(old, (list, tuple)) or (hasattr(old, "__len__") and not isinstance(old, (str, bytes))):
        parts = [str(part) for part in old]
        if parts and rng.random() < 0.6:
            parts[rng.randrange(len(parts))] = rng.choice(TEXTS)
            text = "\\".join(parts)
    value = text.encode()
    return value + b" " * (len(value) % 2)


def _single(value: float, code: str) -> float:
    return value if code == "d" or not 3e38 < abs(value) < float("inf") else 3e38


def _nifti(data: bytes, rng: random.Random) -> bytes:
    """Change fields of the header, in a compressed file too."""
    import nibabel
    import numpy as np

    packed = data[:2] == b"\x1f\x8b"
    if packed:
        data = gzip.decompress(data)
    header = np.frombuffer(data[:348], nibabel.Nifti1Header.template_dtype).copy()
    field = rng.choice((*header.dtype.names, "dim", "dim", "datatype", "vox_offset", "srow_x", "pixdim"))
    values = header[field].reshape(-1)
    at = rng.randrange(values.size)
    with np.errstate(all="ignore"):
        if values.dtype.kind == "S":
            values[at] = rng.choice((b"", b"n+1", b"ni1", b"n+2", b"\xff" * 8))
        elif values.dtype.kind == "f":
            values[at] = rng.choice((*REALS, *map(float, SIZES)))
        elif field == "datatype":
            values[at] = rng.choice((0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 1280, 1536, 1792, 2048, 2304, 9999))
        else:
            values[at] = np.int64(rng.choice(SIZES)).astype(values.dtype)
    header[field] = values.reshape(header[field].shape)
    data = header.tobytes() + data[348:]
    return gzip.compress(data, mtime=0) if packed else data


def _meta_image(data: bytes, rng: random.Random) -> bytes:
    """Change, drop, double or add lines of the header."""
    end = data.find(b"\n", data.find(b"ElementDataFile")) + 1
    lines, rest = data[:end].splitlines(), data[end:]
    k, what = rng.randrange(len(lines)), rng.randrange(5)
    if what == 0:
        del lines[k]
    elif what == 1:
        lines.insert(k, lines[rng.randrange(len(lines))])
    elif what == 2:
        lines.insert(k, rng.choice(META_LINES).encode())
    else:
        key, _, value = lines[k].partition(b" = ")
        words = value.split() or [b""]
        if rng.random() < 0.7:
            words[rng.randrange(len(words))] = str(rng.choice((*SIZES, *REALS, "abc", "", "MET_USHORT"))).encode()
        else:
            words = rng.choice((words[:-1], words * 2, [*words, b"1"], [b"LOCAL"], [b"LIST"], words * 200))
        lines[k] = key + b" = " + b" ".join(words)
    return b"\n".join(lines) + b"\n" + rest


META_LINES = (
    "NDims = 100", "NDims: 65535", "NDims : 65535 = 3", "note = " + "=" * 9000, "a b = 1", "x" * 3000 + " = 1",
    "DimSize = 100000 100000 100000", "ElementType = MET_NONE", "ElementType = MET_DOUBLE_ARRAY",
    "ElementNumberOfChannels = 1000000000", "ElementDataFile = LIST", "ElementDataFile = missing%d.raw 1 9 1",
    "CompressedData = True", "CompressedDataSize = 99999999999", "HeaderSize = -1", "HeaderSize = 99999999999",
    "BinaryData = False", "BinaryDataByteOrderMSB = True", "ElementType = MET_STRING", "ElementType = MET_OTHER",
    "TransformMatrix = 0 0 0 0 0 0 0 0 0", "ElementSpacing = 0 0 0", "Offset = nan nan nan", "DimSize = 0 0 0",
    "ElementMin = nan", "Comment = " + "x" * 5000, "DimSize = -5 -5 -5", "ElementSize = 1 1 1", "ObjectType = Mesh",
)  # fmt: skip


def _kernel(data: bytes, rng: random.Random) -> bytes:
    """Change attributes, and shapes, types and storage of datasets."""
    import h5py
    import numpy as np

    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        holders = [file, *(file[name] for name in sorted(file))]
        holder = rng.choice(holders)
        if rng.random() < 0.6:
            name = rng.choice(sorted(holder.attrs))
            values = (
                *SIZES, *REALS, "", "text", "two\nlines", b"\xff\xfe", np.arange(3), np.full((2, 2), np.nan), "Y-90",
                "[" * 9999, "voxel", "electrons", "point", "[1]", '{"a": NaN}', h5py.Empty("f8"), True, 1 + 2j, [],
            )  # fmt: skip
            del holder.attrs[name]
            if rng.random() < 0.9:
                value = rng.choice(values)
                holder.attrs[name] = np.float64(value) if isinstance(value, int) and value > 2**60 else value
            return _closed(file, buffer)
        name = rng.choice(sorted(file))
        old = file[name]
        shape, unit = list(old.shape), old.attrs.get("unit", "mm")
        if shape:
            shape[rng.randrange(len(shape))] = rng.choice((0, 1, 2, 4, 10**5, 10**9, 2**40))
        del file[name]
        what = rng.randrange(6)
        if what == 0:
            new = file.create_dataset(name, shape, "f8", chunks=tuple(min(s, 4) or 1 for s in shape) or None)
        elif what == 1:
            new = file.create_dataset(name, data=np.full(old.shape[::-1], np.nan) if shape else 1.0)
        elif what == 2:
            new = file.create_group(name)
        elif what == 3:
            new = file.create_dataset(name, data=np.array(["a", "b"], dtype="S3"))
        elif what == 4:
            new = file.create_dataset(name, (3,), "f8", external=[("elsewhere.raw", 0, 24)])
        else:
            file[name] = h5py.ExternalLink("elsewhere.h5", "/x")
            return _closed(file, buffer)
        new.attrs["unit"] = unit
        return _closed(file, buffer)


def _closed(file: Any, buffer: io.BytesIO) -> bytes:
    file.close()
    return buffer.getvalue()


def _calibration(data: bytes, rng: random.Random) -> bytes:
    """Change, drop or nest values."""
    fields = json.loads(data)
    key = rng.choice(sorted(fields))
    values: tuple[Any, ...] = (
        *SIZES, *REALS, None, True, "", "text", [], {}, [[]], 10**400, "two\nlines", "\x1b[31m", ["a"] * 300, {"a": 1},
    )  # fmt: skip
    value = rng.choice(values)
    what = rng.randrange(6)
    if what == 0:
        del fields[key]
    elif what == 1:
        fields[str(value)] = value
    elif what == 2 and isinstance(fields[key], list) and fields[key]:
        fields[key][rng.randrange(len(fields[key]))] = value
    elif what == 3:
        return (b'{"hu": ' + rng.choice((b"[", b'{"a":')) * 100_000) + rng.choice((b"", data))
    elif what == 4:
        return b"9" * rng.choice((10, 10_000))
    else:
        fields[key] = value
    return json.dumps(fields).encode()


def _transform(data: bytes, rng: random.Random) -> bytes:
    """Change words and lines of a text, or datasets of HDF5."""
    if data.startswith(b"\x89HDF"):
        return _transform_hdf5(data, rng)
    lines = data.splitlines()
    k, what = rng.randrange(len(lines)), rng.randrange(5)
    if what == 0:
        del lines[k]
    elif what == 1:
        lines.insert(k, lines[rng.randrange(len(lines))])
    elif what == 2:
        lines[k] = rng.choice(
            (b"", b"Transform: BSplineTransform_double_3_3", b"x" * 9000, b"\xff\xfe", lines[k] * 300)
        )
    else:
        words = lines[k].split() or [b""]
        words[rng.randrange(len(words))] = str(rng.choice((*SIZES, *REALS, *TEXTS))).encode()
        lines[k] = b" ".join(words)
    return b"\n".join(lines) + b"\n"


def _transform_hdf5(data: bytes, rng: random.Random) -> bytes:
    import h5py
    import numpy as np

    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        group = file["TransformGroup"][rng.choice(sorted(file["TransformGroup"]))]
        name = rng.choice(sorted(group))
        old = group[name][()]
        del group[name]
        what = rng.randrange(7)
        if what == 0:
            group.create_dataset(name, (rng.choice((0, 3, 10**5, 10**9)),), "f8", chunks=(4,))
        elif what == 1:
            group.create_dataset(name, data=np.array(["a", "b"], dtype="S3"))
        elif what == 2:
            group.create_group(name)
        elif what == 3:
            group[name] = h5py.ExternalLink("elsewhere.h5", "/x")
        elif what == 4:
            group[name] = h5py.SoftLink(f"{group.name}/{name}")
        elif what == 5 and old.dtype.kind == "f" and old.size:
            old[rng.randrange(old.size)] = rng.choice(REALS)
            group.create_dataset(name, data=old)
        else:
            group.create_dataset(name, data=[rng.choice((*TEXTS, "AffineTransform_double_3_3")).replace("\0", "0")])
        return _closed(file, buffer)


_FORMATS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "ct": _dicom,
    "pet": _dicom,
    "rtstruct": _dicom,
    "rtdose": _dicom,
    "seg": _dicom,
    "nifti": _nifti,
    "metaimage": _meta_image,
    "kernel": _kernel,
    "calibration": _calibration,
    "registration": _dicom,
    "transform": _transform,
}
