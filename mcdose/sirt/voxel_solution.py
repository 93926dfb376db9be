"""The activity that reaches a dose by the figures of a dose map: they grow with the activity, spread as in the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from mcdose.sirt.checks import not_negative, positive
from mcdose.sirt.limit import Limit
from mcdose.sirt.linear import Answer, Values, answer

CUMULATIVE = {"normal_liver_gy": "normal_liver_cumulative_gy", "lung_gy": "lung_cumulative_gy"}
OVER_ALL = ("tumour_gy", "perfused_gy", *CUMULATIVE.values())  # what counts with the doses of earlier sessions
TARGETS = ("tumour_gy", "perfused_gy", "normal_perfused_gy", "normal_liver_gy")


@dataclass(frozen=True)
class VoxelSolution(Answer):
    """What was found, see `mcdose.sirt.linear.Answer`.

    Attributes
    ----------
    factor : activity over that of the map; doses of the map, histograms too, go with it
    doses_gy : quantity to subject to dose with `activity_gbq`; of `tumour_gy`, `perfused_gy` and the cumulative
        quantities with what earlier sessions gave
    """

    factor: float
    doses_gy: dict[str, dict[str, float]]


def solve_voxels(
    means_gy: Mapping[str, Mapping[str, float]],
    activity_gbq: float,
    target_gy: float,
    limits: Sequence[Limit],
    *,
    quantity: str = "tumour_gy",
    subject: str | None = None,
    earlier_gy: Mapping[str, float] | None = None,
) -> VoxelSolution:
    """Find the activity, spread as in a dose map, that reaches a dose, and what the limits allow.

    Parameters
    ----------
    means_gy : quantity to subject to mean dose of the map [Gy], such as {"tumour_gy": {"T1": 210.0}}; the cumulative
        quantities follow from those of a session
    activity_gbq : that the map is of [GBq]
    target_gy : dose that every subject of the quantity is to get [Gy], in `tumour_gy` and `perfused_gy` with what
        earlier sessions gave
    limits : those with "<=" and the role constraint or goal bind; of quantities without a figure, none
    quantity, subject : "tumour_gy", "perfused_gy", "normal_perfused_gy" or "normal_liver_gy"; None is all of its
        subjects, so the one that needs most
    earlier_gy : subject to mean dose of earlier sessions [Gy]; absorbed doses add, of other nuclides as well, though
        their effects do not (`mcdose.radiobiology`)

    Raises
    ------
    ValueError
        Figures out of their range; a quantity or subject that is not there or has no dose in the map.
    """
    activity, target = positive("activity_gbq", activity_gbq), positive("target_gy", target_gy)
    known = {name for values in means_gy.values() for name in values}
    earlier = {name: not_negative(f"earlier dose of {name}", dose) for name, dose in (earlier_gy or {}).items()}
    if unknown := [name for name in earlier if name not in known]:
        raise ValueError(f"earlier doses must be of {', '.join(sorted(known))}; got {unknown[0]!r}")
    means = {name: dict(values) for name, values in means_gy.items()}
    means |= {whole: dict(means[name]) for name, whole in CUMULATIVE.items() if name in means}
    before: Values = {
        name: {one: earlier.get(one, 0.0) if name in OVER_ALL else 0.0 for one in values}
        for name, values in means.items()
    }
    per_gbq: Values = {
        name: {one: not_negative(f"mean dose of {one}", dose) / activity for one, dose in values.items()}
        for name, values in means.items()
    }
    found = answer(
        before,
        per_gbq,
        limits,
        quantity=quantity,
        subjects=_subjects(per_gbq, quantity, subject),
        target_gy=target,
    )
    doses = {
        name: {one: (before[name][one] or 0.0) + (growth or 0.0) * found.activity_gbq for one, growth in values.items()}
        for name, values in per_gbq.items()
    }
    own = {field.name: getattr(found, field.name) for field in fields(found)}
    return VoxelSolution(**own, factor=found.activity_gbq / activity, doses_gy=doses)


def _subjects(per_gbq: Values, quantity: str, subject: str | None) -> list[str]:
    if quantity not in TARGETS or quantity not in per_gbq:
        there = [name for name in TARGETS if name in per_gbq]
        raise ValueError(f"quantity must be one of {', '.join(there) or 'none there'}; got {quantity!r}")
    values = per_gbq[quantity]
    if subject is not None and subject not in values:
        raise ValueError(f"{quantity} must be of one of {', '.join(values)}; got {subject!r}")
    wanted = list(values) if subject is None else [subject]
    if without := [one for one in wanted if not values[one]]:
        raise ValueError(f"{without[0]} has no dose in the map, so no activity reaches {quantity} there")
    return wanted
