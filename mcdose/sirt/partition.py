"""Multi-compartment (partition) model: tumours and normal liver by their ratio of uptake, over arteries and sessions.

Each injection fills one territory, the liver that an artery perfuses. Of what is delivered, L goes to the lungs and E
elsewhere; the rest is shared in the territory by mass times ratio of uptake: normal liver has ratio 1, tumour i has
r_i = (A_i / m_i) / (A_N / m_N). With k the dose of 1 GBq that decays in 1 kg,

    D_N = k A (1 - R)(1 - L - E) / (m_N + sum r_i m_i),    D_i = r_i D_N,    D_lung = k A (1 - R) L / m_lung.

Energies of several injections add, over the mass that each compartment has: that of lungs and of the normal liver of
the whole organ, and that of a tumour with parts in several territories, which then is a mean over its parts.

Source: Ho et al., Eur. J. Nucl. Med. 23 (1996) 947, doi 10.1007/BF01084369, for one tumour and one artery;
Kao et al., Eur. J. Nucl. Med. Mol. Imaging 37 (2010) 1654, for arteries one by one.

Neglects: energy that crosses from one compartment to another, uneven uptake inside each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from mcdose.sirt.checks import fraction, leaves_liver, not_negative, positive
from mcdose.sirt.constant import gy_kg_per_gbq as constant
from mcdose.sirt.reference import lung_mass_kg as usual_lung_mass_kg

ROUNDING = 1e-9  # of masses that are the same but for it


@dataclass(frozen=True)
class Tumour:
    """A tumour, or the part of one that lies in a territory.

    Attributes
    ----------
    name : the same in several territories is the same tumour
    mass_kg : in this territory [kg]
    ratio : its uptake per mass over that of normal liver, at least 1
    cold : accept a ratio below 1
    """

    name: str
    mass_kg: float
    ratio: float
    cold: bool = False

    def __post_init__(self) -> None:
        positive(f"mass_kg of {self.name}", self.mass_kg)
        if positive(f"ratio of {self.name}", self.ratio) < 1.0 and not self.cold:
            raise ValueError(
                f"tumour-to-normal ratio of {self.name} must be at least 1, got {self.ratio:g}: below 1 the normal "
                "liver takes up more than the tumour, and activity harms before it helps; cold tumours must be allowed"
            )


@dataclass(frozen=True)
class Territory:
    """The liver that one artery perfuses.

    Attributes
    ----------
    name : unique in a plan
    mass_kg : tumours included [kg]
    tumours : those in it, each name once
    """

    name: str
    mass_kg: float
    tumours: tuple[Tumour, ...] = ()

    def __post_init__(self) -> None:
        positive(f"mass_kg of {self.name}", self.mass_kg)
        names = [tumour.name for tumour in self.tumours]
        if len(set(names)) < len(names):
            raise ValueError(f"tumours of {self.name} must have names of their own, got {', '.join(names)}")
        total = sum(tumour.mass_kg for tumour in self.tumours)
        if total > self.mass_kg * (1.0 + ROUNDING):
            raise ValueError(
                f"tumours of {self.name} must lie in it: they have {total:.4g} kg, all of it has {self.mass_kg:.4g} kg"
            )

    @property
    def normal_mass_kg(self) -> float:
        """Mass of the normal liver in it [kg], 0 where it is all tumour."""
        rest = self.mass_kg - sum(tumour.mass_kg for tumour in self.tumours)
        return rest if rest > ROUNDING * self.mass_kg else 0.0


@dataclass(frozen=True)
class Injection:
    """Activity given into one territory.

    Attributes
    ----------
    territory : name
    activity_gbq : of the vial at injection [GBq]
    session : 1, 2, ...; injections of one session are given together
    lung_shunt, extrahepatic : fractions of what is delivered
    residual : fraction that stays in vial and tubing
    """

    territory: str
    activity_gbq: float
    session: int = 1
    lung_shunt: float = 0.0
    extrahepatic: float = 0.0
    residual: float = 0.0

    def __post_init__(self) -> None:
        not_negative("activity_gbq", self.activity_gbq)
        fraction("residual", self.residual)
        leaves_liver(self.lung_shunt, self.extrahepatic)

    @property
    def delivered_gbq(self) -> float:
        """What leaves vial and tubing [GBq]."""
        return self.activity_gbq * (1.0 - self.residual)

    @property
    def liver_gbq(self) -> float:
        """What stays in the liver [GBq]."""
        return self.delivered_gbq * (1.0 - self.lung_shunt - self.extrahepatic)


@dataclass(frozen=True)
class Plan:
    """A liver, its territories, and what is injected into them.

    Attributes
    ----------
    liver_mass_kg : of the whole liver, tumours included [kg]
    territories, injections
    unperfused_tumour_kg : mass of tumour outside all territories [kg], which is no normal liver
    lung_mass_kg : both lungs [kg]; None is 1 kg
    gy_kg_per_gbq : constant k; None is that of Y-90 in mcdose
    """

    liver_mass_kg: float
    territories: tuple[Territory, ...]
    injections: tuple[Injection, ...]
    unperfused_tumour_kg: float = 0.0
    lung_mass_kg: float | None = None
    gy_kg_per_gbq: float | None = None

    def __post_init__(self) -> None:
        liver = positive("liver_mass_kg", self.liver_mass_kg)
        names = [territory.name for territory in self.territories]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"territories must be at least one, with names of their own, got {', '.join(names)}")
        taken = sum(territory.mass_kg for territory in self.territories)
        taken += not_negative("unperfused_tumour_kg", self.unperfused_tumour_kg)
        if taken > liver * (1.0 + ROUNDING):
            raise ValueError(
                f"territories and tumours must lie in the liver: they have {taken:.4g} kg, the liver has {liver:.4g} kg"
            )
        for injection in self.injections:
            if injection.territory not in names:
                raise ValueError(
                    f"territory of an injection must be one of {', '.join(names)}; got {injection.territory!r}"
                )
        sessions = self.sessions
        if not sessions or sessions[0] != 1 or any(b != a + 1 for a, b in pairwise(sessions)):
            raise ValueError(f"sessions must be numbered 1, 2, ... without a gap, got {list(sessions)}")
        if self.lung_mass_kg is not None:
            positive("lung_mass_kg", self.lung_mass_kg)
        constant(self.gy_kg_per_gbq)

    @property
    def sessions(self) -> tuple[int, ...]:
        """Numbers of the sessions, ascending."""
        return tuple(sorted({injection.session for injection in self.injections}))

    @property
    def normal_mass_kg(self) -> float:
        """Mass of the normal liver of the whole organ [kg]."""
        tumours = sum(tumour.mass_kg for territory in self.territories for tumour in territory.tumours)
        rest = self.liver_mass_kg - tumours - self.unperfused_tumour_kg
        return rest if rest > ROUNDING * self.liver_mass_kg else 0.0


@dataclass(frozen=True)
class Doses:
    """Mean doses by compartment [Gy]; None where there is no such tissue.

    Attributes
    ----------
    activity_gbq, delivered_gbq, extrahepatic_gbq : of the injections [GBq]
    tumours : name to dose, every tumour of the plan
    perfused_gy : over the territories that are injected, tumours included
    normal_perfused_gy : over the normal liver of those territories
    normal_liver_gy : over the normal liver of the whole organ
    lung_gy : over both lungs
    """

    activity_gbq: float
    delivered_gbq: float
    extrahepatic_gbq: float
    tumours: dict[str, float]
    perfused_gy: float | None
    normal_perfused_gy: float | None
    normal_liver_gy: float | None
    lung_gy: float


@dataclass(frozen=True)
class PlanDoses:
    """Doses of each session, in order, and of all together."""

    sessions: tuple[Doses, ...]
    cumulative: Doses


def plan_doses(plan: Plan) -> PlanDoses:
    """Return the mean doses of all compartments, by session and together."""
    return PlanDoses(
        tuple(_doses(plan, [one for one in plan.injections if one.session == number]) for number in plan.sessions),
        _doses(plan, plan.injections),
    )


def _doses(plan: Plan, injections: Sequence[Injection]) -> Doses:
    """Return the doses of some injections: energies in kg Gy, summed by tissue, over masses."""
    k = constant(plan.gy_kg_per_gbq)
    by_name = {territory.name: territory for territory in plan.territories}
    mass: dict[str, float] = {}
    for territory in plan.territories:
        for tumour in territory.tumours:
            mass[tumour.name] = mass.get(tumour.name, 0.0) + tumour.mass_kg
    energy = dict.fromkeys(mass, 0.0)
    normal = perfused = lungs = elsewhere = 0.0
    for injection in injections:
        territory = by_name[injection.territory]
        shares = territory.normal_mass_kg + sum(tumour.ratio * tumour.mass_kg for tumour in territory.tumours)
        normal_gy = k * injection.liver_gbq / shares
        normal += normal_gy * territory.normal_mass_kg
        for tumour in territory.tumours:
            energy[tumour.name] += tumour.ratio * normal_gy * tumour.mass_kg
        perfused += k * injection.liver_gbq
        lungs += k * injection.delivered_gbq * injection.lung_shunt
        elsewhere += injection.delivered_gbq * injection.extrahepatic
    filled = [by_name[name] for name in dict.fromkeys(injection.territory for injection in injections)]
    lung_kg = usual_lung_mass_kg() if plan.lung_mass_kg is None else plan.lung_mass_kg
    return Doses(
        activity_gbq=sum(injection.activity_gbq for injection in injections),
        delivered_gbq=sum(injection.delivered_gbq for injection in injections),
        extrahepatic_gbq=elsewhere,
        tumours={name: energy[name] / mass[name] for name in mass},
        perfused_gy=_mean(perfused, sum(territory.mass_kg for territory in filled)),
        normal_perfused_gy=_mean(normal, sum(territory.normal_mass_kg for territory in filled)),
        normal_liver_gy=_mean(normal, plan.normal_mass_kg),
        lung_gy=lungs / lung_kg,
    )


def _mean(energy: float, mass_kg: float) -> float | None:
    return energy / mass_kg if mass_kg > 0.0 else None
