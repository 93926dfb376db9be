"""What a treatment is judged by: which structures are what, which limits apply, and how sure the figures are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mcdose.sirt.checks import not_negative
from mcdose.sirt.earlier import Session, earlier_gy
from mcdose.sirt.lesion import Drawing
from mcdose.sirt.limit import Limit
from mcdose.sirt.uncertainty import Budget
from mcdose.sirt.voxel import NORMAL_LIVER, NORMAL_PERFUSED, tissue_masks

if TYPE_CHECKING:
    from mcdose.case import Case

SAME = 0.01  # part of its volume by which a structure may differ from what mcdose computes under its name


@dataclass(frozen=True)
class Treatment:
    """Names of structures, limits and budget.

    Attributes
    ----------
    liver, tumours : structures; the liver includes the tumours
    perfused, lungs : structures, None where there is none; the perfused volume may be the liver itself
    limits : those that apply, see `mcdose.sirt.limit.select_limits`
    budget : of the uncertainty of a mean dose; the noise of the run takes the place of its term
    spheres, disease, scenario : what the limits were chosen by, "any" where that was not said
    v_gy : doses [Gy] for which volumes are wanted
    nuclide, gy_kg_per_gbq : of the compartments' constant; None is the nuclide's
    density_floor_g_cm3 : voxels below report no dose
    earlier : sessions before this one; () is that there were none, None that nothing was said of them
    aim : quantity and dose to find an activity for, such as ("tumour_gy", 150.0), see `mcdose.sirt.solve_voxels`
    drawing : how lesions were drawn and imaged, for a budget of each from its volume
    """

    liver: str
    tumours: tuple[str, ...]
    limits: tuple[Limit, ...]
    budget: Budget
    perfused: str | None = None
    lungs: str | None = None
    spheres: str = "any"
    disease: str = "any"
    scenario: str = "any"
    v_gy: tuple[float, ...] = ()
    nuclide: str = "Y-90"
    gy_kg_per_gbq: float | None = None
    density_floor_g_cm3: float = 0.05
    earlier: tuple[Session, ...] | None = None
    aim: tuple[str, float] | None = None
    drawing: Drawing | None = None

    def __post_init__(self) -> None:
        if not self.tumours:
            raise ValueError("tumours must be at least one structure, got none")
        for name, dose in earlier_gy(self.earlier or ()).items():
            not_negative(f"earlier dose of {name}", dose)
            if name not in self.over_sessions:
                raise ValueError(f"earlier doses must be of {', '.join(self.over_sessions)}; got {name!r}")
        if self.spheres != "any":
            from mcdose.sirt.spheres import microsphere

            device = microsphere(self.spheres)
            if device.nuclide != self.nuclide:
                raise ValueError(
                    f"spheres {self.spheres} are of {device.nuclide}, so they cannot go with the nuclide {self.nuclide}"
                )

    @property
    def whole_liver(self) -> bool:
        """Whether the perfused volume is the liver."""
        return self.perfused == self.liver

    @property
    def over_sessions(self) -> tuple[str, ...]:
        """Tissues whose doses add over sessions: all but the normal liver of what this session perfused."""
        others = (name for name in (self.perfused, self.lungs) if name is not None)
        return (*self.tumours, NORMAL_LIVER, *others)

    @property
    def perfused_over_sessions(self) -> bool:
        """Whether every earlier session names the perfused volume, which is another in each."""
        return all(self.perfused in one.means_gy for one in self.earlier or ())

    def tissues(self, case: Case) -> dict[str, NDArray[Any]]:
        """Return the tissues of a case, see `mcdose.sirt.voxel.tissue_masks`."""
        return tissue_masks(
            case,
            liver=self.liver,
            tumours=self.tumours,
            perfused=self.perfused,
            lungs=self.lungs,
            density_floor_g_cm3=self.density_floor_g_cm3,
        )

    def with_tissues(self, case: Case) -> Case:
        """Return the case with its normal liver, and that of the perfused volume, among its structures.

        Raises
        ------
        ValueError
            As of `compare_with_voxels`; a structure that is called normal liver and is another tissue.
        """
        found = self.tissues(case)
        derived = {name: found[name] for name in (NORMAL_LIVER, NORMAL_PERFUSED) if name in found}
        for name, mask in derived.items():
            if name in case.structures:
                off = float(np.abs(case.structures[name] * 1.0 - mask).sum()) / float(mask.sum(dtype=np.float64))
                if off > SAME:
                    raise ValueError(
                        f"structure {name} must be what mcdose computes under that name, liver less tumours, but they "
                        f"differ by {100 * off:.3g} % of its volume; call it something else"
                    )
        new = {name: mask for name, mask in derived.items() if name not in case.structures}
        return replace(case, structures={**case.structures, **new}) if new else case
