"""Transform files of ITK (SimpleITK, ANTs, Elastix, 3D Slicer) as a matrix of LPS millimetres.

The file is taken apart and checked here, and SimpleITK computes: it would use the first of several transforms and only
warn, and would allocate what a damaged file declares.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcdose.errors import InputError
from mcdose.io.damage import require_sound_heaps

if TYPE_CHECKING:
    import h5py

FIRST_LINE = "#Insight Transform File"
LARGEST_BYTES = 1 << 20  # a transform without a field takes a few kB
MOST_PIECES = 100
LARGEST = 1e9  # of a parameter
LONGEST_VERSOR = 1 + 1e-6  # sine of half the angle; ITK shortens what is longer in silence
CLASS_NAME = re.compile(r"(\w+)_(?:double|float)_(\d+)_(\d+)")
COMPOSITE = "CompositeTransform"
LINEAR = {  # class of SimpleITK, numbers of parameters, numbers of fixed parameters that it can have
    "IdentityTransform": ("TranslationTransform", (0,), (0,)),
    "TranslationTransform": ("TranslationTransform", (3,), (0,)),
    "Euler3DTransform": ("Euler3DTransform", (6,), (3, 4)),
    "VersorTransform": ("VersorTransform", (3,), (3,)),
    "VersorRigid3DTransform": ("VersorRigid3DTransform", (6,), (3,)),
    "Similarity3DTransform": ("Similarity3DTransform", (7,), (3,)),
    "ScaleTransform": ("ScaleTransform", (3,), (3,)),
    "ScaleVersor3DTransform": ("ScaleVersor3DTransform", (9,), (3,)),
    "ScaleSkewVersor3DTransform": ("ScaleSkewVersor3DTransform", (15,), (3,)),
    "ComposeScaleSkewVersor3DTransform": ("ComposeScaleSkewVersor3DTransform", (12,), (3,)),
    "AffineTransform": ("AffineTransform", (12,), (3,)),
    "MatrixOffsetTransformBase": ("AffineTransform", (12,), (3,)),
}


class Piece(NamedTuple):
    """One transform of a file."""

    name: str
    parameters: list[float]
    fixed: list[float]


def read_itk_transform(path: Path) -> tuple[NDArray[np.float64], str]:
    """Read a linear transform of three dimensions, text or HDF5.

    Returns
    -------
    matrix : (4, 4)
        As the file has it. A registration by ITK gives the transform that resampling needs, which maps points of the
        fixed image to the moving image.
    name : str
        such as "Euler3DTransform" or "CompositeTransform of 2"

    Raises
    ------
    InputError
        Not linear, not of three dimensions, several transforms without a composite, damaged.
    """
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise InputError(
            f"{path}: a linear transform takes at most {LARGEST_BYTES} bytes, the file has {size}; "
            "displacement fields and B-splines are not read"
        )
    pieces = _hdf5_pieces(path) if is_hdf5(path) else _text_pieces(path)
    composite = bool(pieces) and pieces[0].name == COMPOSITE
    parts = pieces[1:] if composite else pieces
    if not parts:
        raise InputError(f"{path}: holds no transform")
    if len(parts) > 1 and not composite:
        raise InputError(f"{path}: holds {len(parts)} transforms that are no composite, so their order is not stated")
    transforms = [_transform(path, piece) for piece in parts]
    return _matrix(transforms), f"{COMPOSITE} of {len(parts)}" if composite else parts[0].name


def is_hdf5(path: Path) -> bool:
    """Whether a file begins as HDF5 files do."""
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


def _transform(path: Path, piece: Piece) -> Any:
    import SimpleITK

    name, counts, fixed_counts = LINEAR[piece.name]
    if len(piece.parameters) not in counts or len(piece.fixed) not in fixed_counts:
        raise InputError(
            f"{path}: {piece.name} must have {counts[0]} parameters and {' or '.join(map(str, fixed_counts))} "
            f"fixed ones, got {len(piece.parameters)} and {len(piece.fixed)}"
        )
    if not all(abs(number) < LARGEST for number in piece.parameters + piece.fixed):
        raise InputError(f"{path}: parameters must be finite and below {LARGEST:g}, got {piece.parameters}")
    length = math.hypot(*piece.parameters[:3]) if "Versor" in name or "Similarity" in name else 0.0
    if length > LONGEST_VERSOR:
        raise InputError(f"{path}: the versor of {piece.name} must be at most 1 long, got {length:.6g}")
    kind = getattr(SimpleITK, name)
    transform = kind(3) if name in ("TranslationTransform", "ScaleTransform", "AffineTransform") else kind()
    if piece.fixed:
        transform.SetFixedParameters(piece.fixed)
    if piece.parameters:
        transform.SetParameters(piece.parameters)
    return transform


def _matrix(transforms: list[Any]) -> NDArray[np.float64]:
    """Find the matrix from four points; of a composite, the last transform meets the points first."""
    import SimpleITK

    composite = SimpleITK.CompositeTransform(transforms)
    matrix = np.eye(4)
    matrix[:3, 3] = composite.TransformPoint((0.0, 0.0, 0.0))
    for axis in range(3):
        matrix[:3, axis] = np.array(composite.TransformPoint(np.eye(3)[axis].tolist())) - matrix[:3, 3]
    return matrix


def _checked_name(path: Path, text: str) -> str:
    """Return the name of a class without its type, if it is one that is read."""
    match = CLASS_NAME.fullmatch(text)
    if match is None:
        raise InputError(f"{path}: a damaged ITK transform file, whose transform is called {text[:80]!r}")
    name, *dimensions = match.groups()
    if dimensions != ["3", "3"]:
        raise InputError(f"{path}: the transform must be of 3 dimensions, got {text[:80]!r}")
    if name not in LINEAR and name != COMPOSITE:
        raise InputError(f"{path}: only linear transforms are read ({', '.join(LINEAR)}, {COMPOSITE}), got {name[:80]}")
    return name


def _checked_pieces(path: Path, pieces: list[Piece]) -> list[Piece]:
    if any(piece.name == COMPOSITE for piece in pieces[1:]):
        raise InputError(f"{path}: a composite must be the first transform of the file and the only composite")
    return pieces


def _text_pieces(path: Path) -> list[Piece]:
    """Take a text file apart: lines `Transform`, `Parameters`, `FixedParameters`, in this order, for each transform."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    fields = [line.partition(":") for line in lines if line and not line.startswith("#")]
    pieces: list[Piece] = []
    at = 0
    while at < len(fields):
        key, _, value = fields[at]
        if key != "Transform" or len(pieces) >= MOST_PIECES:
            raise InputError(f"{path}: a damaged ITK transform file, where {key[:80]!r} stands in place of 'Transform'")
        name = _checked_name(path, value.strip())
        if name == COMPOSITE:
            pieces.append(Piece(name, [], []))
            at += 1
            continue
        expected = [key for key, _, _ in fields[at + 1 : at + 3]]
        if expected != ["Parameters", "FixedParameters"]:
            raise InputError(f"{path}: {name} must be followed by Parameters and FixedParameters, got {expected}")
        numbers = [_numbers(path, text) for _, _, text in fields[at + 1 : at + 3]]
        pieces.append(Piece(name, *numbers))
        at += 3
    return _checked_pieces(path, pieces)


def _numbers(path: Path, text: str) -> list[float]:
    try:
        return [float(word) for word in text.split()]
    except ValueError as error:
        raise InputError(f"{path}: parameters must be numbers ({error})") from error


def _hdf5_pieces(path: Path) -> list[Piece]:
    """Take an HDF5 file apart: /TransformGroup/0, 1, ..., whose datasets old versions of ITK misspell."""
    import h5py

    require_sound_heaps(path)
    pieces: list[Piece] = []
    with h5py.File(path, "r") as file:
        groups = file.get("TransformGroup", {})
        for number in range(min(len(groups), MOST_PIECES + 1)):
            if number == MOST_PIECES or str(number) not in groups:
                raise InputError(f"{path}: a damaged ITK transform file, with {len(groups)} transforms")
            group = groups[str(number)]
            text = _dataset(path, group, "TransformType", "O")[0]
            name = _checked_name(path, text.decode("ascii") if isinstance(text, bytes) else str(text))
            numbers: list[list[float]] = [[], []]
            if name != COMPOSITE:
                numbers = [_hdf5_numbers(path, group, kind) for kind in ("Parameters", "FixedParameters")]
            pieces.append(Piece(name, *numbers))
    return _checked_pieces(path, pieces)


def _hdf5_numbers(path: Path, group: h5py.Group, kind: str) -> list[float]:
    name = next((n for n in (f"Transform{kind}", f"Tranform{kind}") if n in group), None)
    return [] if name is None else [float(number) for number in _dataset(path, group, name, "fiu")]


def _dataset(path: Path, group: h5py.Group, name: str, kinds: str) -> Any:
    """Return a short dataset of the file itself."""
    import h5py

    here = isinstance(group.get(name, getlink=True), h5py.HardLink)
    dataset = group[name] if here else None
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        raise InputError(f"{path}: a damaged ITK transform file, without {name}")
    if dataset.ndim != 1 or dataset.size > 16 or dataset.dtype.kind not in kinds:
        raise InputError(
            f"{path}: {name} must be one row of at most 16 values, got {dataset.dtype} of shape {dataset.shape}"
        )
    return dataset[()]
