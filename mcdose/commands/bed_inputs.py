"""What `mcdose bed` reads: treatments on one grid, or each on its own, and their structures."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.commands.inputs import as_input_error
from mcdose.errors import InputError
from mcdose.treatment_dose import TreatmentDose, moved, on_grid, reach, read_treatment, same_grid

if TYPE_CHECKING:
    from mcdose.grid import Grid
    from mcdose.io.series import Series
    from mcdose.radiobiology import Effect, Tissue

NORMAL_LIVER = "normal liver"
BEYOND = 1e-3  # part of a structure without a dose of a treatment, from which it is told
MEANS_KEYS = ("name", "nuclide", "half_life_h", "mean_gy")


@dataclass(frozen=True, eq=False)
class Course:
    """The treatments, and the structures that they are looked at in.

    Attributes
    ----------
    treatments
    grid, series : that the doses are added on, and the patient; None where they are added by structure
    structures : name to coverage on that grid
    """

    treatments: tuple[Given, ...]
    grid: Grid | None
    series: Series | None
    structures: dict[str, NDArray[Any]]
    _effects: dict[tuple[float, float], Effect] = field(default_factory=dict)

    def effect(self, tissue: Tissue) -> Effect:
        """BED of all treatments on the grid."""
        from mcdose.radiobiology import Effect

        assert self.grid is not None
        key = (tissue.alpha_beta_gy, tissue.repair_half_time_h)
        if key not in self._effects:
            errors = [one.bed_error_gy(tissue, self.grid) for one in self.treatments]
            known = [error for error in errors if error is not None]
            total = sum((one.bed_gy(tissue, self.grid) for one in self.treatments), np.zeros(self.grid.shape))
            whole = np.sqrt(sum(error**2 for error in known)) if len(known) == len(errors) else None
            self._effects[key] = Effect(total, whole)
        return self._effects[key]


@dataclass(frozen=True, eq=False)
class Given:
    """One treatment: a map on its own grid, or means by structure.

    Attributes
    ----------
    name : path, or as the file of means has it
    nuclide, half_life_h : None where only the half-life is known
    dose : None where only means are known
    resampled : its grid is not that of the first
    structures : name to coverage on its own grid, where treatments are added by structure
    means_gy : name to mean dose, where only these are known
    """

    name: str
    nuclide: str | None
    half_life_h: float
    dose: TreatmentDose | None = None
    resampled: bool = False
    structures: dict[str, NDArray[Any]] = field(default_factory=dict)
    means_gy: dict[str, float] = field(default_factory=dict)

    def dose_gy(self, grid: Grid) -> NDArray[np.float64]:
        """Absorbed dose, mean over the voxels of a grid [Gy]."""
        assert self.dose is not None
        return on_grid(self.dose.volume.values, self.dose.volume.grid, grid)

    def bed_gy(self, tissue: Tissue, grid: Grid) -> NDArray[np.float64]:
        """BED on its own grid, mean over the voxels of another: BED of a mean would be less [Gy]."""
        from mcdose.radiobiology import bed

        assert self.dose is not None
        return on_grid(bed(self.dose.volume.values, **self.parameters(tissue)), self.dose.volume.grid, grid)

    def bed_error_gy(self, tissue: Tissue, grid: Grid) -> NDArray[np.float64] | None:
        """Return the standard error of that; on another grid the mean over a voxel, as if its parts erred together."""
        from mcdose.radiobiology import bed_standard_error

        assert self.dose is not None
        if self.dose.relative_uncertainty is None:
            return None
        error = bed_standard_error(self.dose.volume.values, self.dose.relative_uncertainty, **self.parameters(tissue))
        return on_grid(np.nan_to_num(error) if self.resampled else error, self.dose.volume.grid, grid)

    def parameters(self, tissue: Tissue) -> dict[str, float]:
        """Return what the functions of `mcdose.radiobiology` take beside a dose."""
        return {
            "half_life_h": self.half_life_h,
            "alpha_beta_gy": tissue.alpha_beta_gy,
            "repair_half_time_h": tissue.repair_half_time_h,
        }


def read_course(args: argparse.Namespace) -> Course:
    """Read the doses that the arguments name, with nuclides and structures."""
    doses = [read_treatment(path) for path in args.dose]
    if args.uncertainty is not None:
        from mcdose.io.dose_map import read_relative_uncertainty

        doses = [
            replace(dose, relative_uncertainty=read_relative_uncertainty(path, dose.volume.grid).values)
            for dose, path in zip(doses, args.uncertainty, strict=True)
        ]
    _require_one_patient(doses)
    given = tuple(_decaying(args, place, dose) for place, dose in enumerate(doses))
    if args.by_structure:
        return _by_structure(args, given)
    return _on_first(args, given)


def _on_first(args: argparse.Namespace, given: tuple[Given, ...]) -> Course:
    """Bring all doses into the frame of the first, and draw the structures on its grid."""
    from mcdose.io.quiet import LOGGER
    from mcdose.io.structures import read_structures

    first = given[0].dose
    assert first is not None
    paths = [None, *(args.registration or [None] * (len(given) - 1))]
    placed = []
    for one, path in zip(given, paths, strict=True):
        assert one.dose is not None
        dose = one.dose if path in (None, "none") else moved(one.dose, path, first.frame)
        placed.append(replace(one, dose=dose, resampled=not same_grid(dose.volume.grid, first.volume.grid)))
    _require_one_frame([one.dose for one in placed if one.dose is not None])
    grid = first.volume.grid
    structures: dict[str, Any] = {}
    if args.structures:
        frame = next((one.dose.frame for one in placed if one.dose is not None and one.dose.frame), None)
        structures = dict(read_structures(args.structures[0], grid, frame_of_reference_uid=frame))
        _add_normal_liver(args, structures)
    for one in placed:
        if not one.resampled or one.dose is None:
            continue
        LOGGER.info("%s: dose is brought to the grid of the first, mean over its voxels", one.name)
        there = reach(one.dose.volume.grid, grid)
        for name, coverage in structures.items():
            missing = 1.0 - float(np.average(there, weights=coverage))
            if missing > BEYOND:
                LOGGER.warning(
                    "%s: %.1f %% of structure %r has no dose of it and counts as 0 Gy", one.name, 100 * missing, name
                )
    series = next((one.dose.series for one in placed if one.dose is not None and one.dose.series), None)
    return Course(tuple(placed), grid, series, structures)


def _by_structure(args: argparse.Namespace, given: tuple[Given, ...]) -> Course:
    """Draw the structures on each dose by itself, and add the treatments of which means are known."""
    from mcdose.io.structures import read_structures

    drawn = []
    paths = list(args.structures or ())
    for one, path in zip(given, paths if len(paths) > 1 else paths * len(given), strict=True):
        assert one.dose is not None
        grid = one.dose.volume.grid
        structures = dict(read_structures(path, grid, frame_of_reference_uid=one.dose.frame or None))
        _add_normal_liver(args, structures)
        drawn.append(replace(one, structures=structures))
    if args.means is not None:
        means = _means(Path(args.means))
        if not drawn:
            _require_named(args, means)
        drawn += means
    return Course(tuple(drawn), None, None, {})


def _require_named(args: argparse.Namespace, means: list[Given]) -> None:
    """Refuse names that no treatment has, where only means are known: a misspelt tumour would count as liver."""
    known = dict.fromkeys(name for one in means for name in one.means_gy)
    for name in [*args.tumours, *([] if args.liver is None else [NORMAL_LIVER])]:
        if name not in known:
            raise InputError(f"{args.means}: mean_gy must have {name!r}, got {', '.join(known)}")


def _add_normal_liver(args: argparse.Namespace, structures: dict[str, Any]) -> None:
    """Refuse structures that are not there; add the liver without its tumours where a liver is named."""
    from mcdose.sirt.tissue import normal_liver

    for name in [*args.tumours, *([] if args.liver is None else [args.liver])]:
        if name not in structures:
            raise InputError(f"structure must be one of {', '.join(structures) or 'none there'}; got {name!r}")
    if args.liver is None:
        return
    if NORMAL_LIVER in structures:
        raise InputError(f"--liver makes a structure {NORMAL_LIVER!r}, but there is one")
    with as_input_error():
        structures[NORMAL_LIVER] = normal_liver(
            structures[args.liver], {name: structures[name] for name in args.tumours}
        )
    if not structures[NORMAL_LIVER].any():
        raise InputError(f"--liver {args.liver} must be larger than --tumours, which leave nothing of it")


def _decaying(args: argparse.Namespace, place: int, dose: TreatmentDose) -> Given:
    """Give a dose its half-life: the one stated, that of the nuclide stated, or that of the results."""
    from mcdose.nuclides import nuclide

    if args.half_life_h is not None:
        stated = args.half_life_h[place if len(args.half_life_h) > 1 else 0]
        return Given(dose.path, dose.nuclide, stated, dose)
    name = None if args.nuclide is None else args.nuclide[place if len(args.nuclide) > 1 else 0]
    if name is not None and dose.nuclide is not None and name != dose.nuclide:
        raise InputError(f"{dose.path}: is a dose of {dose.nuclide}, got --nuclide {name}")
    if not dose.stays:
        raise InputError(
            f"{dose.path}: the activity was fitted over several time points, so --half-life-h must say the effective "
            "half-life"
        )
    with as_input_error():
        known = nuclide(name or dose.nuclide or "Y-90")
    return Given(dose.path, known.name, known.half_life_s / 3600.0, dose)


def _require_one_patient(doses: list[TreatmentDose]) -> None:
    stated = {dose.patient for dose in doses} - {""}
    if len(stated) > 1:
        paths = ", ".join(dose.path for dose in doses)
        raise InputError(f"{paths}: doses that are added must share their PatientID, got {', '.join(sorted(stated))}")


def _require_one_frame(doses: list[TreatmentDose]) -> None:
    stated = {dose.frame for dose in doses} - {""}
    if len(stated) > 1:
        paths = ", ".join(dose.path for dose in doses)
        raise InputError(
            f"{paths}: doses that are added must share their FrameOfReferenceUID, got {', '.join(sorted(stated))}; "
            "--registration takes one to the other, --by-structure adds means"
        )


def _means(path: Path) -> list[Given]:
    """Read treatments of which means are known."""
    from mcdose.nuclides import nuclide
    from mcdose.sirt.data_file import number_of, read_toml, require_keys, text_of

    entries = require_keys(str(path), read_toml(path), ("treatment",))["treatment"]
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{path}: treatment must be at least one table [[treatment]], got {entries!r}")
    found = []
    for place, entry in enumerate(entries, 1):
        where = f"{path}, treatment {place}"
        table = require_keys(where, entry, ("name", "mean_gy"), MEANS_KEYS[1:3])
        if ("nuclide" in table) == ("half_life_h" in table):
            raise InputError(f"{where}: must have one of nuclide and half_life_h")
        if not isinstance(table["mean_gy"], dict):
            raise InputError(f"{where}: mean_gy must be a table of structures, got {table['mean_gy']!r}")
        means = table["mean_gy"]
        if not means:
            raise InputError(f"{where}: mean_gy must have at least one structure, got none")
        doses = {name: number_of(f"{where}, mean_gy", means, name) for name in means}
        if "nuclide" in table:
            with as_input_error():
                known = nuclide(text_of(where, table, "nuclide"))
            half_life_h, name = known.half_life_s / 3600.0, known.name
        else:
            half_life_h, name = number_of(where, table, "half_life_h"), None
            if not half_life_h > 0.0:
                raise InputError(f"{where}: half_life_h must be above 0, got {half_life_h:g}")
        found.append(Given(text_of(where, table, "name"), name, half_life_h, means_gy=doses))
    return found
