"""What all images of one series must say alike: attributes of patient, study and series, not of the image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcdose.errors import InputError


def require_same(path: Path, headers: Sequence[Any], keywords: Sequence[str]) -> None:
    """Raise if headers differ in an attribute; what is said of one of them would be wrong of the others.

    Parameters
    ----------
    path : to name in errors
    headers : of a series
    keywords : of what must be the same (DICOM PS3.3 A.1.2: attributes above the level of the image)
    """
    for keyword in keywords:
        stated = sorted({str(header.get(keyword) or "") for header in headers})
        if len(stated) > 1:
            shown = ", ".join(value or "none" for value in stated[:3])
            raise InputError(f"{path}: the images of a series must have one {keyword}, got {shown}")
