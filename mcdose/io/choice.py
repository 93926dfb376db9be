"""Which of the DICOM files in a folder are the image: one series, chosen by its UID where there are several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcdose.errors import InputError
from mcdose.io.quiet import LOGGER

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"  # and its multi-frame kinds, .1 to .4: screenshots and reports
CT_OPTION = "--ct-series UID (ct_series of read_case, series_uid of read_ct)"
ACTIVITY_OPTION = "--activity-series UID (activity_series of read_case, series_uid of read_activity)"
LISTED = 12  # series in an error message


def one_series(
    path: Path, headers: list[tuple[Path, Any]], modalities: tuple[str, ...], uid: str | None, option: str
) -> list[tuple[Path, Any]]:
    """Pick the images of one series; localizers, secondary captures and other modalities are left out.

    Parameters
    ----------
    path : to name in errors
    headers : of the files that are there
    modalities : of the images wanted
    uid : SeriesInstanceUID of the one wanted; None = the only one there
    option : how a user names it, for the error

    Raises
    ------
    InputError
        no such image, several series and none named, none of that UID, a series of several modalities
    """
    kind = " or ".join(modalities)
    shown = [
        (file, header)
        for file, header in headers
        if header.get("Modality") in modalities and "LOCALIZER" not in (header.get("ImageType") or ())
    ]
    wanted = [(file, header) for file, header in shown if not _is_capture(header)]
    if not wanted:
        found = ", ".join(sorted({str(header.get("Modality", "?")) for _, header in headers}))
        if shown:
            raise InputError(f"{path}: no {kind} image but secondary captures, whose values are shades of grey")
        raise InputError(f"{path}: no {kind} image; modalities found: {found}")
    uids = sorted({_uid(header) for _, header in wanted})
    if uid is None and len(uids) > 1:
        raise InputError(f"{path}: holds {len(uids)} {kind} series, choose one with {option}: {_listed(wanted, uids)}")
    if uid is not None and uid not in uids:
        raise InputError(f"{path}: holds no {kind} series {uid}; those there are {_listed(wanted, uids)}")
    chosen = uids[0] if uid is None else uid
    picked = [(file, header) for file, header in wanted if _uid(header) == chosen]
    if len(picked) < len(headers):
        LOGGER.info("%s: %d files that are not of the %s image left out", path, len(headers) - len(picked), kind)
    modality = picked[0][1].get("Modality")
    for file, header in headers:
        if header.get("Modality") != modality and _uid(header) == chosen:
            raise InputError(f"{file}: is of the {modality} series, but its Modality is {header.get('Modality')!r}")
    return picked


def refuse_series(path: Path, uid: str | None) -> None:
    """Raise if a series was asked for of a file that has none."""
    if uid is not None:
        raise InputError(f"{path}: series {uid} was asked for, but NIfTI and MetaImage hold no DICOM series")


def _is_capture(header: Any) -> bool:
    stated = str(header.get("SOPClassUID", ""))
    return stated == SECONDARY_CAPTURE or stated.startswith(SECONDARY_CAPTURE + ".")


def _uid(header: Any) -> str:
    return str(header.get("SeriesInstanceUID", ""))


def _listed(files: list[tuple[Path, Any]], uids: list[str]) -> str:
    """Say of each series its UID, number, description and number of images."""
    lines = []
    for uid in uids[:LISTED]:
        headers = [header for _, header in files if _uid(header) == uid]
        images = sum(int(header.get("NumberOfFrames") or 1) for header in headers)
        number = headers[0].get("SeriesNumber")
        lines.append(
            f"{uid or 'no UID'} (SeriesNumber {'none' if number in (None, '') else number}, "
            f"{str(headers[0].get('SeriesDescription') or 'no description')!r}, {headers[0].get('Modality')}, "
            f"{images} image{'s' if images > 1 else ''})"
        )
    if len(uids) > LISTED:
        lines.append(f"and {len(uids) - LISTED} more")
    return "; ".join(lines)
