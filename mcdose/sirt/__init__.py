"""Planning of selective internal radiotherapy: activity from dose, dose from activity, and what guidelines ask.

Research software: it informs and does not prescribe. Nothing here is loaded before it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcdose.sirt.assessment import assess as assess
    from mcdose.sirt.body_surface import body_surface_activity as body_surface_activity
    from mcdose.sirt.body_surface import body_surface_m2 as body_surface_m2
    from mcdose.sirt.body_surface import empirical_activity as empirical_activity
    from mcdose.sirt.delivery import Delivery as Delivery
    from mcdose.sirt.delivery import deliver as deliver
    from mcdose.sirt.holmium import whole_liver_activity as whole_liver_activity
    from mcdose.sirt.lesion import curve_recovery as curve_recovery
    from mcdose.sirt.lesion import lesion_budget as lesion_budget
    from mcdose.sirt.lesion import sphere_recovery as sphere_recovery
    from mcdose.sirt.limit import Limit as Limit
    from mcdose.sirt.limit import select_limits as select_limits
    from mcdose.sirt.limits_file import load_limits as load_limits
    from mcdose.sirt.notice import NOTICE as NOTICE
    from mcdose.sirt.partition import Injection as Injection
    from mcdose.sirt.partition import Plan as Plan
    from mcdose.sirt.partition import Territory as Territory
    from mcdose.sirt.partition import Tumour as Tumour
    from mcdose.sirt.partition import plan_doses as plan_doses
    from mcdose.sirt.single_compartment import single_compartment_activity as single_compartment_activity
    from mcdose.sirt.single_compartment import single_compartment_dose as single_compartment_dose
    from mcdose.sirt.solution import solve as solve
    from mcdose.sirt.spheres import Microsphere as Microsphere
    from mcdose.sirt.spheres import microsphere as microsphere
    from mcdose.sirt.spheres import microspheres as microspheres
    from mcdose.sirt.tissue import normal_liver as normal_liver
    from mcdose.sirt.tissue import tissue_dose as tissue_dose
    from mcdose.sirt.treatment import Treatment as Treatment
    from mcdose.sirt.uncertainty import Budget as Budget
    from mcdose.sirt.uncertainty import load_budget as load_budget
    from mcdose.sirt.uncertainty import volume_uncertainty as volume_uncertainty
    from mcdose.sirt.voxel import compare_with_voxels as compare_with_voxels
    from mcdose.sirt.voxel_solution import solve_voxels as solve_voxels

# Public names and where they live; loaded on first use.
_HOMES = {
    "Budget": "uncertainty",
    "Delivery": "delivery",
    "Injection": "partition",
    "Limit": "limit",
    "Microsphere": "spheres",
    "NOTICE": "notice",
    "Plan": "partition",
    "Territory": "partition",
    "Treatment": "treatment",
    "Tumour": "partition",
    "assess": "assessment",
    "body_surface_activity": "body_surface",
    "body_surface_m2": "body_surface",
    "compare_with_voxels": "voxel",
    "curve_recovery": "lesion",
    "deliver": "delivery",
    "empirical_activity": "body_surface",
    "lesion_budget": "lesion",
    "load_budget": "uncertainty",
    "load_limits": "limits_file",
    "microsphere": "spheres",
    "microspheres": "spheres",
    "normal_liver": "tissue",
    "plan_doses": "partition",
    "select_limits": "limit",
    "single_compartment_activity": "single_compartment",
    "single_compartment_dose": "single_compartment",
    "solve": "solution",
    "solve_voxels": "voxel_solution",
    "sphere_recovery": "lesion",
    "tissue_dose": "tissue",
    "volume_uncertainty": "uncertainty",
    "whole_liver_activity": "holmium",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mcdose.sirt' has no attribute {name!r}")
    value = getattr(import_module(f"mcdose.sirt.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
