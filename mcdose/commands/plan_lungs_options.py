"""The options of `mcdose plan lungs`."""

from __future__ import annotations

import argparse
from typing import Any

from mcdose.commands.console_options import add_console_options
from mcdose.commands.plan_options import add_limit_options, fraction, not_negative, positive, whole

PLANAR = ("planar_lungs", "planar_liver")
BACKGROUND = ("background_lungs", "background_liver", "pixels_lungs", "pixels_liver")


def add_lungs(kinds: Any) -> None:
    """Add the sub-command."""
    from mcdose.commands.plan_lungs import run_lungs

    lungs = kinds.add_parser(
        "lungs",
        help="lung shunt and lung dose, from planar MAA or SPECT",
        description="Lung shunt from counts in planar views, or from SPECT or PET with structures, and the dose to the "
        "lungs: by 1 kg, by the patient's own lung on the CT, and of a dose map. What the liver spills into the lung "
        "beside it is shown apart.",
    )
    _add_planar(lungs)
    _add_image(lungs)
    _add_dose(lungs)
    add_limit_options(lungs)
    add_console_options(lungs)
    lungs.set_defaults(run=run_lungs, internal_pairs=False, target_uncertainty=None, dose_to_water=False)


def _add_planar(command: argparse.ArgumentParser) -> None:
    planar = command.add_argument_group("planar views", "counts of regions of interest, anterior and posterior")
    for name in ("lungs", "liver"):
        planar.add_argument(
            f"--planar-{name}", type=not_negative, nargs=2, metavar=("ANT", "POST"), help="counts in the region"
        )
        planar.add_argument(
            f"--background-{name}", type=not_negative, nargs=2, metavar=("ANT", "POST"), help="counts per pixel (0)"
        )
        planar.add_argument(f"--pixels-{name}", type=positive, metavar="N", help="of the region, with a background")


def _add_image(command: argparse.ArgumentParser) -> None:
    image = command.add_argument_group("SPECT or PET", "counts, activity or SUV of any nuclide; not decay-corrected")
    image.add_argument("--image", metavar="PATH", help="DICOM series or multi-frame file, NIfTI or MetaImage")
    image.add_argument("--image-series", metavar="UID", help="DICOM series, where the folder holds several")
    image.add_argument("--demo", action="store_true", help="the phantom that mcdose brings along, instead of images")
    image.add_argument("--structures", metavar="PATH", help="RTSTRUCT, DICOM SEG or label map")
    image.add_argument("--lungs", metavar="NAME", nargs="+", help="structures: the lungs")
    image.add_argument("--liver", metavar="NAME", nargs="+", help="structures: all that holds activity, with tumours")
    image.add_argument(
        "--margin-mm", type=positive, metavar="MM", help="show apart what the lung so near to the liver has (20)"
    )
    image.add_argument("--ct", metavar="PATH", help="CT in HU, for the mass of the lungs and for a dose map")
    image.add_argument("--ct-series", metavar="UID", help="DICOM series of the CT, where the folder holds several")
    image.add_argument("--calibration", metavar="FILE", help="CT number to density and medium, JSON (Schneider 2000)")
    image.add_argument("--registration", metavar="PATH", help="takes the image to the CT, as of mcdose dose")
    image.add_argument("--resample", action="store_true", help="make even stacks of tilted or uneven slices")


def _add_dose(command: argparse.ArgumentParser) -> None:
    dose = command.add_argument_group("dose")
    dose.add_argument("--activity-gbq", type=positive, metavar="GBQ", help="of the vial at injection")
    dose.add_argument("--residual", type=fraction, default=0.0, metavar="F", help="stays in vial and tubing (0)")
    dose.add_argument("--lung-mass-kg", type=positive, metavar="KG", help="both lungs, by convention (1)")
    dose.add_argument("--earlier-lung-gy", type=not_negative, metavar="GY", help="of earlier sessions (0)")
    dose.add_argument("--nuclide", metavar="NAME", help="that of the spheres, or Y-90")
    dose.add_argument("--gy-kg-per-gbq", type=positive, metavar="K", help="dose of 1 GBq that decays in 1 kg")
    dose.add_argument(
        "--method",
        choices=("monte-carlo", "voxel-kernel", "local-deposition"),
        help="compute a dose map of the image, scaled to the activity, and read the lung in the field (none)",
    )
    dose.add_argument("--dose", metavar="PATH", help="dose map to read the lung in, instead of one that is computed")
    dose.add_argument("--kernel-medium", metavar="NAME", help="of --method voxel-kernel (soft-tissue)")
    dose.add_argument("--histories", type=whole, metavar="N", help="decays to simulate (1e7, 4e6 with --demo)")
    dose.add_argument("--seed", type=whole, default=0, metavar="N", help="(%(default)s)")
    dose.add_argument("--threads", type=whole, metavar="N", help="CPU threads (all)")
    dose.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N, cuda:0,1 or cuda:all (%(default)s)")
