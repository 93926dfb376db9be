"""Every argument that cannot be used: a message with the name, the rule and the value, before anything is compiled."""

import numpy as np
import pytest

import mcdose
from mcdose.calibration import SCHNEIDER

SHAPE = (2, 3, 4)
ONES = np.ones(SHAPE)


class OnGpu:
    """What CuPy's arrays have."""

    __cuda_array_interface__ = {"shape": SHAPE, "typestr": "<f4", "data": (0, False), "version": 3}  # noqa: RUF012
    shape = SHAPE


def with_value(value, dtype=float):
    array = np.ones(SHAPE, dtype)
    array[1, 2, 3] = value
    return array


@pytest.fixture(autouse=True)
def _nothing_runs(monkeypatch):
    """Fail when tables are built, an engine opened or a dose computed."""

    def too_late(*_arguments, **_named):
        raise AssertionError("the argument should have been refused before this")

    monkeypatch.setattr("mcdose.monte_carlo.run", too_late)
    monkeypatch.setattr("mcdose.monte_carlo.open_engine", too_late)
    monkeypatch.setattr("mcdose.monte_carlo.build", too_late)
    monkeypatch.setattr("mcdose.engine.cpu.CpuEngine", too_late)
    monkeypatch.setattr("mcdose.stopping_ratio.water_to_medium", too_late)
    monkeypatch.setattr("mcdose.local_deposition.local_deposition", too_late)


VALUE, TYPE = ValueError, TypeError
INDEX = np.zeros(SHAPE, int)
WRONG = [
    # tia_bq_s
    ({"tia_bq_s": with_value(-1.5)}, VALUE, ("tia_bq_s", "not be negative", "1 negative", "-1.5")),
    ({"tia_bq_s": with_value(np.nan)}, VALUE, ("tia_bq_s", "finite", "1 values")),
    ({"tia_bq_s": with_value(-np.inf)}, VALUE, ("tia_bq_s", "finite", "1 values")),
    ({"tia_bq_s": np.zeros(SHAPE)}, VALUE, ("tia_bq_s", "activity somewhere", "zero")),
    ({"tia_bq_s": np.ones((3, 4))}, VALUE, ("tia_bq_s", "three axes", "(3, 4)")),
    ({"tia_bq_s": np.ones((3, 0, 4))}, VALUE, ("tia_bq_s", "none empty", "(3, 0, 4)")),
    ({"tia_bq_s": ONES + 1j}, TYPE, ("tia_bq_s", "real", "complex128")),
    ({"tia_bq_s": np.full(SHAPE, "1")}, TYPE, ("tia_bq_s", "real", "<U1")),
    ({"tia_bq_s": OnGpu()}, TYPE, ("tia_bq_s", "NumPy", "GPU")),
    # voxel_mm
    ({"voxel_mm": (3, 0, 3)}, VALUE, ("voxel_mm", "positive", "(3.0, 0.0, 3.0)")),
    ({"voxel_mm": (3, 3, -2)}, VALUE, ("voxel_mm", "positive", "-2.0")),
    ({"voxel_mm": (3, 3, np.nan)}, VALUE, ("voxel_mm", "positive", "nan")),
    ({"voxel_mm": (3, 3)}, VALUE, ("voxel_mm", "three numbers", "(3, 3)")),
    ({"voxel_mm": 3.0}, VALUE, ("voxel_mm", "three numbers", "3.0")),
    # nuclide
    ({"nuclide": "Y-91"}, VALUE, ("nuclide must be one of", "Y-90", "'Y-91'")),
    ({"nuclide": 90}, TYPE, ("nuclide", "name", "int")),
    # density_g_cm3
    ({"density_g_cm3": with_value(-0.1)}, VALUE, ("density_g_cm3", "within 0 and 25", "-0.1")),
    ({"density_g_cm3": with_value(1040.0)}, VALUE, ("density_g_cm3", "within 0 and 25", "1040")),
    ({"density_g_cm3": with_value(np.nan)}, VALUE, ("density_g_cm3", "within 0 and 25", "nan")),
    ({"density_g_cm3": np.ones((4, 3, 2))}, VALUE, ("density_g_cm3", "(2, 3, 4)", "(4, 3, 2)")),
    ({"density_g_cm3": 0.0}, VALUE, ("density_g_cm3", "positive", "0")),
    ({"density_g_cm3": "1.0"}, TYPE, ("density_g_cm3", "real", "<U3")),
    ({"density_g_cm3": OnGpu()}, TYPE, ("density_g_cm3", "NumPy", "GPU")),
    # medium and media
    ({"medium": "cheese"}, VALUE, ("medium", "one of water", "'cheese'")),
    ({"medium": INDEX}, TYPE, ("medium", "together with media", "ndarray")),
    ({"medium": 3}, TYPE, ("medium", "name or a Medium", "int")),
    ({"medium": "water", "media": ["water"]}, TYPE, ("medium", "integer array", "str")),
    ({"medium": INDEX.astype(float), "media": ["water"]}, TYPE, ("medium", "integer array", "float64")),
    ({"medium": INDEX[0], "media": ["water"]}, VALUE, ("medium", "(2, 3, 4)", "(3, 4)")),
    ({"medium": INDEX + 1, "media": ["water"]}, VALUE, ("medium", "index the 1 media", "from 1 to 1")),
    ({"medium": INDEX - 1, "media": ["water"]}, VALUE, ("medium", "index the 1 media", "from -1 to -1")),
    ({"medium": INDEX + 256, "media": ["water"]}, VALUE, ("medium", "index the 1 media", "from 256 to 256")),
    ({"medium": INDEX, "media": []}, VALUE, ("media", "list of 1 to 256", "[]")),
    ({"medium": INDEX, "media": "water"}, VALUE, ("media", "list", "'water'")),
    ({"medium": INDEX, "media": ["wader"]}, VALUE, ("medium", "one of water", "'wader'")),
    ({"medium": OnGpu(), "media": ["water"]}, TYPE, ("medium", "NumPy", "GPU")),
    # ct_hu and calibration
    ({"ct_hu": ONES, "density_g_cm3": 1.0}, TYPE, ("ct_hu", "instead of", "both")),
    ({"ct_hu": ONES, "medium": "lung"}, TYPE, ("ct_hu", "instead of", "both")),
    ({"ct_hu": ONES, "medium": INDEX, "media": ["water"]}, TYPE, ("ct_hu", "instead of", "both")),
    ({"ct_hu": np.ones((2, 2, 2))}, VALUE, ("ct_hu", "(2, 3, 4)", "(2, 2, 2)")),
    ({"ct_hu": with_value(np.nan)}, VALUE, ("CT numbers", "finite", "1 of 24")),
    ({"ct_hu": OnGpu()}, TYPE, ("ct_hu", "NumPy", "GPU")),
    ({"ct_hu": ONES, "calibration": "schneider"}, TYPE, ("calibration", "mcdose.Calibration", "str")),
    ({"calibration": SCHNEIDER}, TYPE, ("calibration", "ct_hu", "no ct_hu")),
    # method and what goes with it
    ({"method": "voxel"}, VALUE, ("method", "monte-carlo, voxel-kernel, local-deposition", "'voxel'")),
    ({"density_scaling": "both"}, VALUE, ("density_scaling", "target, none", "'both'")),
    ({"gy_kg_per_gbq": -1.0}, VALUE, ("gy_kg_per_gbq", "between 0 and 1e6", "-1.0")),
    ({"gy_kg_per_gbq": float("nan")}, VALUE, ("gy_kg_per_gbq", "between 0 and 1e6", "nan")),
    ({"gy_kg_per_gbq": "50"}, TYPE, ("gy_kg_per_gbq", "number", "'50'")),
    ({"density_floor_g_cm3": -0.1}, VALUE, ("density_floor_g_cm3", "within 0 and 25", "-0.1")),
    ({"density_floor_g_cm3": float("nan")}, VALUE, ("density_floor_g_cm3", "within 0 and 25", "nan")),
    ({"density_floor_g_cm3": None}, TYPE, ("density_floor_g_cm3", "number", "None")),
    ({"parameters": {"stop": 0.1}}, TYPE, ("parameters", "TransportParameters", "dict")),
    # how long, where from, by whom
    ({"histories": 0}, VALUE, ("histories", "within 1", "0")),
    ({"histories": -5}, VALUE, ("histories", "within 1", "-5")),
    ({"histories": 2.5}, TYPE, ("histories", "whole number", "2.5")),
    ({"histories": float("nan")}, TYPE, ("histories", "whole number", "nan")),
    ({"histories": "many"}, TYPE, ("histories", "whole number", "'many'")),
    ({"target_uncertainty": 0.0}, VALUE, ("target_uncertainty", "between 0 and 1", "0.0")),
    ({"target_uncertainty": 1.0}, VALUE, ("target_uncertainty", "between 0 and 1", "1.0")),
    ({"target_uncertainty": "1 %"}, TYPE, ("target_uncertainty", "number", "'1 %'")),
    ({"target_uncertainty": 0.1, "density_g_cm3": 0.09}, VALUE, ("target_uncertainty", "above 0.1 g/cm3", "0.09")),
    ({"target_uncertainty": 0.1, "density_floor_g_cm3": 1.5}, VALUE, ("target_uncertainty", "floor", "up to 1 g/cm3")),
    ({"first_history": -1}, VALUE, ("first_history", "within 0", "-1")),
    ({"first_history": 2**62 + 1}, VALUE, ("first_history", "within 0", str(2**62 + 1))),
    ({"seed": -1}, VALUE, ("seed", "within 0", "-1")),
    ({"seed": 2**64}, VALUE, ("seed", str(2**64 - 1), str(2**64))),
    ({"seed": None}, TYPE, ("seed", "whole number", "None")),
    ({"threads": 0}, VALUE, ("threads", "within 1", "0")),
    ({"threads": 1.5}, TYPE, ("threads", "whole number", "1.5")),
    ({"device": "cuda"}, VALUE, ("device", "not available", "'cuda'")),
    ({"device": "cuda:1"}, VALUE, ("device", "not available", "'cuda:1'")),
    ({"device": "gpu"}, VALUE, ("device", "'auto', 'cpu', 'cuda'", "'gpu'")),
    ({"device": None}, VALUE, ("device", "'auto', 'cpu', 'cuda'", "None")),
    ({"progress": 5}, TYPE, ("progress", "callable", "int")),
    # regions
    ({"regions": [ONES]}, TYPE, ("regions", "mapping", "list")),
    ({"regions": {"liver": np.ones((4, 3, 2))}}, VALUE, ("regions['liver']", "(2, 3, 4)", "(4, 3, 2)")),
    ({"regions": {"liver": with_value(1.5)}}, VALUE, ("regions['liver']", "0 to 1", "1.5")),
    ({"regions": {"liver": with_value(np.nan)}}, VALUE, ("regions['liver']", "0 to 1", "nan")),
    ({"regions": {"liver": np.full(SHAPE, "x")}}, TYPE, ("regions['liver']", "mask", "<U1")),
    ({"regions": {"liver": OnGpu()}}, TYPE, ("regions['liver']", "NumPy", "GPU")),
]


def named(case):
    return ",".join(
        f"{name}={value!r}"[:32] if not hasattr(value, "shape") else name for name, value in case[0].items()
    )


@pytest.mark.parametrize("method", ["monte-carlo", "voxel-kernel", "local-deposition"])
@pytest.mark.parametrize(("arguments", "kind", "words"), WRONG, ids=[named(case) for case in WRONG])
def test_wrong_argument(arguments, kind, words, method):
    if method != "monte-carlo" and ("method" in arguments or words[1] in ("above 0.1 g/cm3", "floor")):
        return  # no such rule for this method
    complete = {"tia_bq_s": ONES, "voxel_mm": (3, 3, 3), "method": method, **arguments}
    with pytest.raises(kind) as caught:
        mcdose.absorbed_dose(**complete)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_unknown_argument_is_a_type_error():
    with pytest.raises(TypeError, match="histores"):
        mcdose.absorbed_dose(ONES, (3, 3, 3), histores=5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("delta_cut_mev", 0.0005),
        ("photon_cut_mev", 2.0),
        ("lowest_mev", 0.001),
        ("stop", -0.1),
        ("coarse", 11.0),
        ("step_fine", 0.0),
        ("step_coarse", 0.5),
        ("stop", float("nan")),
        ("stop_inside", 1.1),
        ("track_length", 0.6),
    ],
)
def test_parameters_out_of_range(field, value):
    """Trap: the residual-range cut is floored (`lowest_mev`), 10 keV by default, and never below the tables."""
    with pytest.raises(ValueError, match=f"{field} must lie within .* got {value}"):
        mcdose.TransportParameters(**{field: value})


@pytest.mark.parametrize(("field", "value"), [("track_length", True), ("stop", "0.1"), ("coarse", None)])
def test_parameters_that_are_no_numbers(field, value):
    with pytest.raises(TypeError, match=f"{field} must be a number, got {value!r}"):
        mcdose.TransportParameters(**{field: value})


def test_devices_lists_the_cpu_first():
    first = mcdose.devices()[0]
    assert (first.name, first.kind) == ("cpu", "cpu")
    assert first.threads >= 1
    assert first.description
