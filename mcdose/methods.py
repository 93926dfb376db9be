"""The ways to a dose that `mcdose compare` sets side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Way:
    """One way to a dose.

    Parameters
    ----------
    key : its name in files
    label : its name for the reader
    short : its name where no other of its method stands beside it
    method, density_scaling : see `absorbed_dose`
    source : who named it
    """

    key: str
    label: str
    short: str
    method: str
    density_scaling: str = "target"
    source: str = ""

    @property
    def choices(self) -> dict[str, Any]:
        """What `absorbed_dose` is asked for."""
        return {"method": self.method, "density_scaling": self.density_scaling}


KERNEL, LOCAL = "Voxel kernel", "Local deposition"
# The first is the reference. Those of `MAIN` get maps and histograms, the others a line in the table.
MAIN = (
    Way("monte-carlo", "Monte Carlo", "Monte Carlo", "monte-carlo"),
    Way("voxel-kernel", "Voxel kernel, target's density", KERNEL, "voxel-kernel", "target", "Dieudonne 2013"),
    Way("local-deposition", "Local deposition, voxel's density", LOCAL, "local-deposition"),
)
OTHERS = (
    Way("voxel-kernel-none", "Voxel kernel, no density", KERNEL, "voxel-kernel", "none", "Bolch 1999"),
    Way("voxel-kernel-source", "Voxel kernel, source's density", KERNEL, "voxel-kernel", "source"),
    Way(
        "voxel-kernel-multiple", "Kernel of the target's medium", KERNEL, "voxel-kernel", "multiple-kernels", "Lee 2018"
    ),
    Way("local-deposition-none", "Local deposition, medium's density", LOCAL, "local-deposition", "none"),
)
WAYS = MAIN + OTHERS
