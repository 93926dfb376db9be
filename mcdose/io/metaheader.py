"""The text header of a MetaImage, checked before MetaIO reads it: a bad one can end the process there."""

from __future__ import annotations

import math
import re
from pathlib import Path

from mcdose.errors import InputError
from mcdose.io.damage import DEFLATE_RATIO, require_held

LONGEST_HEADER = 1 << 20  # bytes
LONGEST_LINE = 10_000
FIELD_NAME = re.compile(r"[^\s:=\x80-\xff\0-\x1f]{1,100}")  # MetaIO takes ":" for "=" too; other fields are metadata
ELEMENT_BYTES = {
    "MET_CHAR": 1, "MET_UCHAR": 1, "MET_SHORT": 2, "MET_USHORT": 2, "MET_INT": 4, "MET_UINT": 4, "MET_LONG": 4,
    "MET_ULONG": 4, "MET_LONG_LONG": 8, "MET_ULONG_LONG": 8, "MET_FLOAT": 4, "MET_DOUBLE": 8,
}  # fmt: skip
NUMBERS_PER_AXIS = {  # fields that hold so many numbers for n axes, and what MetaIO takes for the same
    "DimSize": 1, "ElementSpacing": 1, "ElementSize": 1, "Offset": 1, "Position": 1, "Origin": 1,
    "CenterOfRotation": 1, "TransformMatrix": 3, "Orientation": 3, "Rotation": 3,
}  # fmt: skip
KNOWN = {  # what MetaIO goes by
    "ObjectType", "ObjectSubType", "NDims", "Name", "Comment", "BinaryData", "BinaryDataByteOrderMSB",
    "ElementByteOrderMSB", "CompressedData", "CompressedDataSize", "CompressionLevel", "AnatomicalOrientation",
    "DistanceUnits", "Modality", "ElementMin", "ElementMax", "ElementToIntensityFunctionSlope",
    "ElementToIntensityFunctionOffset", "ElementNumberOfChannels", "HeaderSize", "ElementType", "ElementDataFile",
    "ID", "ParentID", "Color", "AcquisitionDate", "SequenceID", "ImagePosition", *NUMBERS_PER_AXIS,
}  # fmt: skip


def check_meta_header(path: Path) -> None:
    """Raise unless the header is that of a three-dimensional image whose voxels can be in the file that it names."""
    fields, end = _fields(path)
    if fields.get("ObjectType", "Image") != "Image":
        raise InputError(f"{path}: ObjectType must be Image, got {fields['ObjectType']!r}")
    if fields.get("NDims") != "3" or fields.get("ElementNumberOfChannels", "1") != "1":
        raise InputError(
            f"{path}: a three-dimensional image with one value per voxel is needed, got NDims {fields.get('NDims')} "
            f"and ElementNumberOfChannels {fields.get('ElementNumberOfChannels', '1')}"
        )
    if fields.get("ElementType") not in ELEMENT_BYTES:
        raise InputError(f"{path}: ElementType must be that of a number, got {fields.get('ElementType')!r}")
    for key, count in NUMBERS_PER_AXIS.items():
        if key in fields:
            _numbers(path, key, fields[key], 3 * count)
    shape = tuple(int(word) for word in fields.get("DimSize", "").split())
    if len(shape) != 3:
        raise InputError(f"{path}: DimSize must be three whole numbers, got {fields.get('DimSize')!r}")
    item, compressed = ELEMENT_BYTES[fields["ElementType"]], fields.get("CompressedData", "False")[0] in "Tt1"
    held = _held(path, fields["ElementDataFile"], end)
    text = fields.get("BinaryData", "True")[0] not in "Tt1"  # a digit and a space for each value at least
    require_held(path, shape, 1 if text else item, held, DEFLATE_RATIO if compressed else 1)
    for key, least in (("CompressedDataSize", 0), ("HeaderSize", -1)):  # -1: the voxels are at the end
        if not least <= int(fields.get(key, "0")) <= held:
            raise InputError(f"{path}: {key} must be {least} to the {held} bytes of the data, got {fields[key]}")


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields up to ElementDataFile, which ends the header, and the length of the header."""
    fields: dict[str, str] = {}
    with path.open("rb") as file:
        while file.tell() < LONGEST_HEADER:
            line = file.readline(LONGEST_HEADER)
            key, equals, value = (word.strip() for word in line.decode("latin-1").partition("="))
            if not equals or not FIELD_NAME.fullmatch(key) or len(line) > LONGEST_LINE or "\0" in value:
                raise InputError(f"{path}: a damaged MetaImage header, which has the line {line[:80]!r}")
            if key not in KNOWN:
                continue
            if key in fields:
                raise InputError(f"{path}: a damaged MetaImage header, which has {key} twice")
            if not value and key not in ("Comment", "Name", "ObjectSubType", "ID", "SequenceID"):
                raise InputError(f"{path}: a damaged MetaImage header, which has {key} without a value")
            fields[key] = value
            if key == "ElementDataFile":
                return fields, file.tell()
    raise InputError(f"{path}: a damaged MetaImage header, which has no ElementDataFile")


def _numbers(path: Path, key: str, value: str, count: int) -> None:
    words = value.split()
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        numbers = []
    if len(numbers) != count or not all(math.isfinite(number) for number in numbers):
        raise InputError(f"{path}: {key} must be {count} finite numbers, got {value!r}")


def _held(path: Path, named: str, end: int) -> int:
    """Bytes of the file with the voxels."""
    if named.upper() == "LOCAL":
        return path.stat().st_size - end
    data = path.parent / named
    if not data.is_file():
        raise InputError(f"{path}: ElementDataFile must be LOCAL or one file beside it, got {named!r}")
    return data.stat().st_size
