"""What earlier sessions gave: mean doses by tissue, from a folder of results or as stated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcdose.errors import InputError
from mcdose.sirt.voxel import NORMAL_LIVER

STATED = "as stated"  # name of the session whose means were given by hand


@dataclass(frozen=True)
class Session:
    """An earlier session.

    Attributes
    ----------
    name : path of its results, or `STATED`
    means_gy : tissue to mean absorbed dose [Gy]; a tissue that is not named got none
    nuclide : None where it is not known
    half_life_h : of its dose rate [h], for its BED; None where it is not known
    """

    name: str
    means_gy: Mapping[str, float]
    nuclide: str | None = None
    half_life_h: float | None = None


def earlier_gy(sessions: Iterable[Session]) -> dict[str, float]:
    """Return the sum of the mean doses of sessions by tissue [Gy]. Absorbed doses add, of unlike nuclides as well."""
    total: dict[str, float] = {}
    for session in sessions:
        for name, dose in session.means_gy.items():
            total[name] = total.get(name, 0.0) + dose
    return total


def read_session(folder: str | Path, *, liver: str, tumours: Sequence[str], others: Sequence[str] = ()) -> Session:
    """Read the mean doses of a folder that `mcdose dose` wrote.

    Parameters
    ----------
    folder : with `summary.json`
    liver, tumours : names of structures; the normal liver is the liver less these tumours, by volume
    others : further structures, such as the lungs

    Raises
    ------
    InputError
        No summary, or one without a dose of one of the structures; a liver no larger than its tumours.
    """
    from mcdose.nuclides import nuclide
    from mcdose.treatment_dose import read_summary, stays

    path = Path(folder) / "summary.json"
    summary = read_summary(path)
    try:
        structures = summary["structures"]
        read = {
            name: (float(one["volume_ml"]), float(one["mean_gy"]))
            for name, one in structures.items()
            if one["mean_gy"] is not None
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: is not the summary of `mcdose dose`") from error
    for name in (liver, *tumours, *others):
        if name not in read:
            raise InputError(f"{path}: structures with a dose must include {name!r}, got {', '.join(read) or 'none'}")
    means = {name: read[name][1] for name in (*tumours, *others)}
    means[NORMAL_LIVER] = _normal_mean(path, read, liver, tumours)
    half_life_h = nuclide(summary["nuclide"]).half_life_s / 3600.0 if stays(summary) else None
    return Session(str(folder), means, summary["nuclide"], half_life_h)


def _normal_mean(path: Path, read: Mapping[str, tuple[float, float]], liver: str, tumours: Sequence[str]) -> float:
    parts = [read[liver], *((-read[name][0], read[name][1]) for name in tumours)]
    volume = sum(volume for volume, _ in parts)
    if not volume > 0.0:
        raise InputError(f"{path}: {liver} must be larger than its tumours, got {volume:.4g} mL without them")
    return max(sum(volume * mean for volume, mean in parts) / volume, 0.0)
