"""`mcdose plan lungs`: lung shunt from planar counts or an image, and what it gives to the lungs."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from mcdose.commands.console import Console
from mcdose.commands.inputs import DEMO_HISTORIES, DENSITY_FLOOR_G_CM3, as_input_error, calibration, dose_of
from mcdose.commands.plan_lungs_options import BACKGROUND, PLANAR
from mcdose.commands.plan_text import print_figures, verdict_lines, verdict_record
from mcdose.commands.tables import gy_text, text_table
from mcdose.errors import InputError

if TYPE_CHECKING:
    from mcdose.case import Case
    from mcdose.grid import Volume
    from mcdose.sirt.lung_shunt import LungMass, LungShunt

MARGIN_MM = 20.0
DEMO = {"lungs": ["lungs"], "liver": ["liver"]}
DEMO_REFUSES = ("image", "image_series", "structures", "ct", "ct_series", "registration", "dose")


class Images(NamedTuple):
    """An image in counts with the structures on it; with a CT also the case on its grid and the mass of the lungs."""

    counts: Volume
    structures: dict[str, Any]
    case: Case | None = None
    mass: LungMass | None = None


@dataclass(frozen=True, eq=False)
class Patient:
    """What is known of the lungs in the field.

    Attributes
    ----------
    mass : of the lungs on the CT; None without one
    case, lungs, far : image, CT and coverages of all the lungs and of those far from the liver, on the image's grid;
        None without a CT or an image
    """

    mass: LungMass | None = None
    case: Case | None = None
    lungs: Any = None
    far: Any = None


@dataclass
class Found:
    """Doses to the lungs, one row each, and what is to be said of them."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, by: str, lung: str, mean_gy: float, **more: Any) -> None:
        """Add a dose [Gy]: found by what, of what part of the lungs."""
        more = {"shunt": None, "mass_kg": None, "noise": None, **more}
        self.rows.append({"by": by, "lung": lung, "mean_gy": mean_gy, **more})


def run_lungs(args: argparse.Namespace) -> int:
    """Print the shunt, and the doses to the lungs where an activity is given."""
    from mcdose.commands.plan import chosen_limits
    from mcdose.sirt.limit import judge

    _check(args)
    with Console(verbose=args.verbose, silent=args.json) as console, as_input_error():
        limits = chosen_limits(args)
        shunt, patient = _planar(args) if args.planar_lungs else _image(args)
        console.show_held()
        found = _doses(args, shunt, patient, console)
    earlier = args.earlier_lung_gy
    means = {f"{row['by']}, {row['lung']}": row["mean_gy"] for row in found.rows}
    values: dict[str, dict[str, float | None]] = {"lung_shunt": dict(_fractions(shunt)), "lung_gy": dict(means)}
    if earlier is not None:
        values["lung_cumulative_gy"] = {name: mean + earlier for name, mean in means.items()}
    figures: dict[str, Any] = {
        "model": "lung shunt",
        "shunt": asdict(shunt),
        "nuclide": args.nuclide,
        "activity_gbq": args.activity_gbq,
        "residual": args.residual,
        "gy_kg_per_gbq": args.gy_kg_per_gbq,
        "own_lung": None if patient.mass is None else asdict(patient.mass),
        "doses": found.rows,
        "earlier_lung_gy": earlier,
        "limits": [verdict_record(verdict) for verdict in judge(limits, values)],
        "notes": list(dict.fromkeys([*shunt.notes, *found.notes])),
        "warnings": list(dict.fromkeys(console.warnings)),
    }
    print_figures(figures, [*_describe(figures), *verdict_lines(figures["limits"])], args.json)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse arguments that do not go together before any file is opened, and fill in what goes without saying."""
    if args.demo:
        for name in DEMO_REFUSES:
            if getattr(args, name) is not None:
                raise InputError(f"--demo stands instead of images, got --{name.replace('_', '-')}")
        for name, value in DEMO.items():
            setattr(args, name, getattr(args, name) or value)
    planar = [name for name in (*PLANAR, *BACKGROUND) if getattr(args, name) is not None]
    if planar and (args.image is not None or args.demo):
        raise InputError(f"--{planar[0].replace('_', '-')} is of planar views, so it cannot go with an image")
    if not planar and args.image is None and not args.demo:
        raise InputError("--planar-lungs and --planar-liver must be given, or --image, or --demo for the phantom")
    if planar and not (args.planar_lungs and args.planar_liver):
        raise InputError("--planar-lungs and --planar-liver go together, one is missing")
    needed = {"structures": args.structures, "lungs": args.lungs, "liver": args.liver}
    if args.image is not None or (planar and args.ct is not None):
        for name in ("structures", "lungs", *(["liver"] if args.image is not None else [])):
            if needed[name] is None:
                raise InputError(f"--{name} must be given with {'--image' if args.image is not None else '--ct'}")
    if planar:
        for name in ("margin_mm", "method", "dose", "registration", "liver"):
            if getattr(args, name) is not None:
                raise InputError(f"--{name.replace('_', '-')} needs an image, got planar counts")
    _check_dose(args)


def _check_dose(args: argparse.Namespace) -> None:
    from mcdose.devices import choose_devices
    from mcdose.nuclides import nuclide
    from mcdose.sirt.spheres import microsphere

    if args.method is not None and args.dose is not None:
        raise InputError("--method computes a dose map and --dose names one, so they cannot go together")
    for name in ("method", "dose", "registration"):
        if getattr(args, name) is not None and args.ct is None and not args.demo:
            raise InputError(f"--{name} needs --ct")
    if args.method is not None and args.activity_gbq is None:
        raise InputError("--method needs --activity-gbq, to which the image is scaled")
    for name, method in (("histories", "monte-carlo"), ("kernel_medium", "voxel-kernel")):
        if getattr(args, name) is not None and args.method != method:
            raise InputError(f"--{name.replace('_', '-')} goes with --method {method}, got --method {args.method}")
    spheres = None if args.spheres is None else microsphere(args.spheres)
    if args.nuclide is not None and spheres is not None and args.nuclide != spheres.nuclide:
        raise InputError(f"--spheres {spheres.name} have {spheres.nuclide}, got --nuclide {args.nuclide}")
    if args.nuclide is None:
        args.nuclide = "Y-90" if spheres is None else spheres.nuclide
    with as_input_error():
        known = nuclide(args.nuclide)
        choose_devices(args.device)
    if args.gy_kg_per_gbq is None:
        args.gy_kg_per_gbq = known.gy_kg_per_gbq if spheres is None else spheres.gy_kg_per_gbq
    if args.method == "monte-carlo" and args.demo and args.histories is None:
        args.histories = DEMO_HISTORIES


def _planar(args: argparse.Namespace) -> tuple[LungShunt, Patient]:
    """Shunt by geometric means; the mass of the lungs where a CT is given."""
    from mcdose.sirt.lung_shunt import PlanarRegion, planar_shunt

    regions = []
    for name in ("lungs", "liver"):
        anterior, posterior = getattr(args, f"planar_{name}")
        before, behind = getattr(args, f"background_{name}") or (0.0, 0.0)
        regions.append(PlanarRegion(anterior, posterior, before, behind, getattr(args, f"pixels_{name}") or 0.0))
    shunt = planar_shunt(regions[0], regions[1])
    return shunt, Patient() if args.ct is None else Patient(_own_mass(args, _read_ct(args)))


def _image(args: argparse.Namespace) -> tuple[LungShunt, Patient]:
    """Shunt of an image by structures; what the CT says of the lungs where there is one."""
    from mcdose.sirt.lung_shunt import far_lung, image_shunt

    margin = MARGIN_MM if args.margin_mm is None else args.margin_mm
    images = _phantom(args) if args.demo else _read(args)
    sides = images.counts.grid.voxel_mm
    lungs, liver = (_union(images.structures, getattr(args, name)) for name in ("lungs", "liver"))
    shunt = image_shunt(images.counts.values, lungs, liver, sides, margin_mm=margin)
    return shunt, Patient(images.mass, images.case, lungs, far_lung(lungs, liver, sides, margin))


def _phantom(args: argparse.Namespace) -> Images:
    from mcdose.case import demo_case
    from mcdose.grid import Volume
    from mcdose.sirt.lung_shunt import lung_mass

    case = demo_case(calibration(args))
    mass = lung_mass(case.density_g_cm3, _union(case.structures, args.lungs), case.grid.voxel_mm)
    return Images(Volume(case.activity_bq, case.grid), case.structures, case, mass)


def _read(args: argparse.Namespace) -> Images:
    """Read image and structures, and the CT if there is one; counts stand for activity in the case."""
    from mcdose.case import Case, tissue
    from mcdose.io.counts_image import read_counts_image
    from mcdose.io.quiet import LOGGER
    from mcdose.io.structures import read_structure_set
    from mcdose.registered import frame_of, registered, require_same_frame
    from mcdose.resample import require_coverage

    image = read_counts_image(args.image, series_uid=args.image_series, resample=args.resample)
    if args.ct is None:
        grid = image.volume.grid
        drawn = read_structure_set(args.structures, grid, frame_of_reference_uid=frame_of(image.series) or None)
        return Images(image.volume, drawn.coverage)
    ct, left = _read_ct(args), ""
    if args.registration is not None:
        left = frame_of(image.series)
        image, _ = registered(image, args.registration, ct.series)
    require_same_frame(args.image, image.series, args.ct, ct.series)
    warning = require_coverage(image.volume, ct.volume.grid)
    if warning is not None:
        LOGGER.warning("%s", warning)
    grid, made_by = image.volume.grid, calibration(args)
    series = ct.series or image.series
    drawn = read_structure_set(args.structures, grid, frame_of_reference_uid=frame_of(series) or None, left_uid=left)
    made_of = tissue(ct.volume, grid, made_by)
    case = Case(
        grid=grid,
        activity_bq=image.volume.values,
        density_g_cm3=made_of.density_g_cm3,
        medium=made_of.medium,
        media=made_by.media,
        ct_hu=made_of.ct_hu,
        structures=dict(drawn.coverage),
        series=series,
    )
    return Images(image.volume, drawn.coverage, case, _own_mass(args, ct))


def _read_ct(args: argparse.Namespace) -> Any:
    from mcdose.io.ct import read_ct

    return read_ct(args.ct, series_uid=args.ct_series, resample=args.resample)


def _own_mass(args: argparse.Namespace, ct: Any) -> LungMass:
    """Mass of the lungs on the CT's own grid, which may reach further than the image."""
    from mcdose.io.structures import read_structures
    from mcdose.registered import frame_of
    from mcdose.sirt.lung_shunt import lung_mass

    grid = ct.volume.grid
    drawn = read_structures(args.structures, grid, frame_of_reference_uid=frame_of(ct.series) or None)
    return lung_mass(calibration(args).density(ct.volume.values), _union(drawn, args.lungs), grid.voxel_mm)


def _union(structures: dict[str, Any], names: list[str]) -> Any:
    """Coverage of several structures together, at most 1."""
    import numpy as np

    for name in names:
        if name not in structures:
            raise InputError(f"structure must be one of {', '.join(structures) or 'none there'}; got {name!r}")
    return np.minimum(sum(np.asarray(structures[name], np.float64) for name in names), 1.0)


def _fractions(shunt: LungShunt) -> dict[str, float]:
    """Fractions by what is counted as lung."""
    return {"all counts": shunt.fraction} | ({} if shunt.spill is None else {"without spill": shunt.spill.fraction})


def _doses(args: argparse.Namespace, shunt: LungShunt, patient: Patient, console: Console) -> Found:
    """Doses of the lungs: by mass where there is an activity, and of a map where there is one."""
    from mcdose.sirt.lung_shunt import MIRD_LUNG_KG, lung_dose_gy

    found = Found()
    if args.activity_gbq is not None:
        given = args.activity_gbq * (1.0 - args.residual)
        masses = {"mass by convention": MIRD_LUNG_KG if args.lung_mass_kg is None else args.lung_mass_kg}
        if patient.mass is not None:
            masses["own lung on the CT"] = patient.mass.mass_kg
            if patient.mass.cut and shunt.method == "planar":
                found.notes.append(
                    f"the lungs reach the {' and '.join(patient.mass.cut)} face of the CT: the mass is that of the "
                    "lung in the field, too low for a planar shunt, and its dose too high"
                )
        for by, mass in masses.items():
            for lung, fraction in _fractions(shunt).items():
                dose = lung_dose_gy(given, fraction, mass_kg=mass, gy_kg_per_gbq=args.gy_kg_per_gbq)
                found.add(by, lung, dose, shunt=fraction, mass_kg=mass)
    if args.method is not None or args.dose is not None:
        _of_map(args, shunt, patient, console, found)
    return found


def _of_map(args: argparse.Namespace, shunt: LungShunt, patient: Patient, console: Console, found: Found) -> None:
    """Read the lung in the field, all of it and that far from the liver, in a dose map."""
    from mcdose.sirt.lung_shunt import lung_dose_of_map

    case = patient.case
    assert case is not None  # _check asks for a CT
    kept = case.density_g_cm3 >= DENSITY_FLOOR_G_CM3
    parts = {"all of it": patient.lungs * kept, "far from the liver": patient.far * kept}
    noise: dict[str, float | None] = dict.fromkeys(parts)
    if args.dose is not None:
        dose, by = _read_dose(args, case), "dose map"
    else:
        counts = shunt.lung_counts + shunt.liver_counts
        scale = args.activity_gbq * (1.0 - args.residual) * 1e9 / counts
        result = dose_of(replace(case, activity_bq=case.activity_bq * scale), parts, args, console, args.method)
        dose, by = result.dose_gy, args.method.replace("-", " ")
        noise = {name: result.regions[name].relative_uncertainty for name in parts}
        beyond = float(case.activity_bq.sum()) / counts - 1.0
        if abs(beyond) > 0.01:
            found.notes.append(
                f"counts outside lungs and liver, {100 * beyond:+.1f} % of those inside, are in the dose map as well"
            )
    for lung, part in parts.items():
        one = lung_dose_of_map(dose, case.density_g_cm3, part, case.grid.voxel_mm)
        found.add(by, f"in the field, {lung}", one.mean_gy, mass_kg=one.lung.mass_kg, noise=noise[lung])
        found.notes += one.notes if part is parts["all of it"] else ()


def _read_dose(args: argparse.Namespace, case: Case) -> Any:
    from mcdose.registered import frame_of
    from mcdose.treatment_dose import on_grid, read_treatment

    dose = read_treatment(args.dose)
    frame = frame_of(case.series)
    if dose.frame and frame and dose.frame != frame:
        raise InputError(f"{args.dose} and {args.ct} must share a frame of reference, got {dose.frame} and {frame}")
    return on_grid(dose.volume.values, dose.volume.grid, case.grid)


def _describe(figures: dict[str, Any]) -> list[str]:
    shunt = figures["shunt"]
    lines = [
        f"Lung shunt {100 * shunt['fraction']:.3g} %, from {shunt['method']} counts: lungs {shunt['lung_counts']:.5g}, "
        f"liver {shunt['liver_counts']:.5g}"
    ]
    spill = shunt["spill"]
    if spill is not None:
        lines.append(
            f"  without the spill of the liver {100 * spill['fraction']:.3g} %: {spill['counts']:.4g} of the lungs' "
            f"counts are beyond what the {spill['far_ml']:.0f} mL further than {spill['margin_mm']:g} mm from it have"
        )
    own = figures["own_lung"]
    if own is not None:
        lines.append(
            f"own lung on the CT: {own['mass_kg']:.4g} kg, {own['volume_ml']:.0f} mL "
            f"of {own['density_g_cm3']:.3g} g/cm3"
        )
    if figures["doses"]:
        rows = [["mean dose to the lungs", "shunt %", "kg", "Gy", "noise %"]]
        for row in figures["doses"]:
            rows.append(
                [
                    f"{row['by']}, {row['lung']}",
                    "-" if row["shunt"] is None else f"{100 * row['shunt']:.3g}",
                    f"{row['mass_kg']:.4g}",
                    gy_text(row["mean_gy"]),
                    "-" if row["noise"] is None else f"{100 * row['noise']:.2g}",
                ]
            )
        lines += ["", *text_table(rows)]
    lines += [f"note: {note}" for note in figures["notes"]]
    return lines
