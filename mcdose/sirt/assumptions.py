"""What the figures of a treatment assume and leave out, in plain sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcdose.sirt.treatment import Treatment

BOTH = (
    "The images are taken as they are: their blur, noise, bias and breathing go into every figure, and no dose is "
    "corrected for partial volume.",
    "Outlines are taken as drawn. NTAD is the mean dose to the liver less all its lesions, treated or not.",
    "Compartments have the masses and activities of this case, uptake even within each, and no energy that crosses "
    "from one to another.",
    "The activity curve scales this distribution: another injection may fill the liver otherwise.",
    "Limits are of absorbed dose: no repair, no dose rate, no response.",
    "The spheres' own absorption (0.4 to 0.6 %) is in the uncertainty, not in the dose.",
)
NOTHING_SAID = "Nothing was said of earlier sessions: none is in any figure."
NO_EARLIER = "There were no earlier sessions."
EARLIER = (
    "Earlier sessions count in doses to lesions and the perfused volume and in limits for all sessions. Absorbed doses "
    "add, of other nuclides as well, though their effects do not. A lesion or organ that a session does not name got "
    "0 Gy from it."
)
SMALL_ML = 14.1  # a sphere of 3 cm, below which the blur of PET and SPECT takes much of a lesion's counts
STAYS = "All activity stays where it is until it has decayed."
CURVES = "Activity over time is that of the time points."


def assumptions(
    treatment: Treatment, *, several_times: bool, cut: Sequence[str], volumes_ml: Mapping[str, float]
) -> tuple[str, ...]:
    """Return the sentences that hold for a treatment.

    Parameters
    ----------
    treatment
    several_times : the decays are from several time points
    cut : faces of the grid that cut the lungs
    volumes_ml : of the lesions
    """
    found = [CURVES if several_times else STAYS, *BOTH]
    small = [name for name, volume in volumes_ml.items() if volume < SMALL_ML]
    if small and treatment.drawing is None:
        found.append(
            f"{', '.join(small)}: smaller than a sphere of 3 cm ({SMALL_ML:g} mL). The blur of an image may change "
            "such a dose by more than its uncertainty says, for its budget knows nothing of the size: --image-fwhm-mm "
            "with --drawn-voxel-mm and --drawn-fwhm-mm gives each lesion its own."
        )
    found.append(NOTHING_SAID if treatment.earlier is None else EARLIER if treatment.earlier else NO_EARLIER)
    if treatment.earlier and treatment.perfused is not None and not treatment.perfused_over_sessions:
        found.append(
            f"An earlier session says nothing of {treatment.perfused}, so that there is no sum over sessions of the "
            "perfused volume: its figures are of this session alone."
        )
    if treatment.perfused is None:
        found.append("No perfused volume was named, so there is no figure for it.")
    elif treatment.whole_liver:
        found.append("The whole liver is taken as the perfused volume.")
    if treatment.lungs is None:
        found.append("No lungs were named, so there is no figure for them.")
    else:
        edge = f", which the grid cuts ({', '.join(cut)})" if cut else ""
        found.append(
            f"Lungs are what is outlined as {treatment.lungs}{edge}: dose, mass and shunt are those of that part. "
            "Activity that breathing or blur carries over from the liver counts as lung activity."
        )
    return tuple(found)
