"""Why a compartment and a dose map may differ, in plain sentences, from the figures of a case."""

from __future__ import annotations

from mcdose.sirt.voxel import Comparison

PART = 0.005  # parts of a difference below are not mentioned, and neither are those below two standard errors

LESION, NORMAL, PERFUSED, LUNGS = "lesion", "normal liver", "perfused volume", "lungs"
LOSES = {
    LESION: "electrons carry the rest out, the more of it the smaller and the hotter a lesion is",
    NORMAL: "it gives more through its surface than it gets from the lesions",
    PERFUSED: "electrons carry the rest out through its surface",
    LUNGS: "electrons fly centimetres in lung and carry the rest out",
}
GAINS = {
    LESION: "it gets more from around it than it gives",
    NORMAL: "the lesions give it more than leaves through its surface",
    PERFUSED: "it gets more from around it than it gives",
    LUNGS: "electrons of the liver's dome reach it",
}


def reason(one: Comparison, kind: str, noise: float, *, moves: bool = True, photons: bool = False) -> str:
    """Say why the two figures of a tissue differ.

    Parameters
    ----------
    one : both figures
    kind : "lesion", "normal liver", "perfused volume" or "lungs"
    noise : relative standard error of the mean of the dose map
    moves : the method of the dose map carries energy from voxel to voxel
    photons : they carry more of the energy than can be passed over, and the compartments' constant has none of it
    """
    if one.difference is None or not one.compartment_gy or not one.mass_mean_gy:
        return "one of the two has no dose"
    parts = []
    kept = one.mass_mean_gy / one.compartment_gy
    if moves and abs(kept - 1.0) >= max(PART, 2.0 * noise):
        share = f"it has {100.0 * kept:.1f} % of the energy"
        if photons:
            parts.append(f"{share} of its own electrons; electrons and photons cross its border")
        else:
            parts.append(f"{share} of its own decays; {(LOSES if kept < 1.0 else GAINS)[kind]}")
    averaging = one.mass_mean_gy / one.voxel.mean_gy - 1.0
    if abs(averaging) >= PART:
        parts.append(
            "the voxels' mean is over the volume within the outline, a compartment's over its mass, which alone makes "
            f"{signed_percent(averaging)}"
        )
    if parts:
        return "; ".join(parts)
    return "they agree" + (", as little energy crosses its border" if moves else ": this method moves no energy")


def signed_percent(share: float) -> str:
    """Return a share as percent with a sign, and no minus before zero."""
    return f"{round(100.0 * share, 1) + 0.0:+.1f} %"
