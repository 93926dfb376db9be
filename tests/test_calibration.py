import json
import os
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from mcdose.calibration import SCHNEIDER, Calibration
from mcdose.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MCDOSE_TEST_DATA", ROOT.parent / "shared"))


def schneider_2000(hu):
    """Density by the formulas of the paper, with the coefficients that TOPAS ships as HUtoMaterialSchneider."""
    return np.select(
        [hu < -98, hu < 15, hu < 23, hu < 101],
        [
            0.00121 + 0.001029700665188 * (hu + 1000),
            1.018 + 0.893e-3 * hu,
            np.full_like(hu, 1.03),
            1.003 + 1.169e-3 * hu,
        ],
        1.017 + 0.592e-3 * hu,
    )


@pytest.mark.parametrize(("low", "high"), [(-950, 60), (101, 1600)])
def test_density_is_that_of_the_paper(low, high):
    hu = np.arange(low, high + 1, dtype=np.float64)
    np.testing.assert_allclose(SCHNEIDER.density(hu), schneider_2000(hu), atol=1.2e-3)


def test_density_stays_within_4_percent_of_the_paper_where_the_paper_jumps():
    hu = np.arange(60.0, 101.0)
    assert np.abs(SCHNEIDER.density(hu) / schneider_2000(hu) - 1.0).max() < 0.04


# ICRU-44 and ICRU-46 mass densities, with the CT numbers that the stoichiometric method gives them (about 120 kV).
@pytest.mark.parametrize(
    ("hu", "density", "medium"),
    [
        (-1000, 0.0012, "air"),
        (-741, 0.26, "lung"),
        (-77, 0.95, "adipose"),
        (43, 1.05, "soft-tissue"),  # muscle
        (53, 1.06, "soft-tissue"),  # liver
        (260, 1.18, "trabecular-bone"),
        (1524, 1.92, "cortical-bone"),
    ],
)
def test_tissues_get_their_density_and_medium(hu, density, medium):
    assert SCHNEIDER.density([hu])[0] == pytest.approx(density, abs=0.015)
    assert SCHNEIDER.media[SCHNEIDER.medium_index([hu])[0]] == medium


def test_density_never_falls_with_the_ct_number():
    assert (np.diff(SCHNEIDER.density(np.arange(-3100, 4000))) >= 0).all()


def test_padding_is_air_and_metal_is_clamped():
    hu = np.array([-3024, -32768, 1601, 3071, 32767], dtype=np.int16)
    np.testing.assert_array_equal(
        SCHNEIDER.density(hu), np.array([0.00121, 0.00121, 1.9642, 1.9642, 1.9642], np.float32)
    )
    assert [SCHNEIDER.media[i] for i in SCHNEIDER.medium_index(hu)] == ["air"] * 2 + ["cortical-bone"] * 3


def test_media_hold_their_lower_limit():
    limits = np.array(SCHNEIDER.media_hu)
    assert SCHNEIDER.medium_index(limits).tolist() == [1, 2, 3, 4, 5]
    assert SCHNEIDER.medium_index(np.nextafter(limits, -np.inf)).tolist() == [0, 1, 2, 3, 4]


def test_contrast_medium_is_not_taken_for_bone():
    # Liver at 116 HU with a noise of 18 HU, vessels to 200 HU in the portal venous phase.
    hu = np.concatenate([np.random.default_rng(4).normal(116.0, 18.0, 10_000), np.arange(150.0, 200.0)])
    assert {SCHNEIDER.media[i] for i in SCHNEIDER.medium_index(hu)} == {"soft-tissue"}


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_volumes_of_any_layout_agree_with_their_voxels(dtype):
    hu = np.random.default_rng(1).integers(-1100, 2000, (5, 6, 7)).astype(dtype)
    for view in (hu, hu.transpose(2, 0, 1), hu[::-1, ::2, ::-1]):
        density, index = SCHNEIDER.density(view), SCHNEIDER.medium_index(view)
        assert density.dtype == np.float32
        assert index.dtype == np.uint8
        assert density.shape == index.shape == view.shape
        for at in np.ndindex(view.shape):
            assert density[at] == np.float32(np.interp(view[at], SCHNEIDER.hu, SCHNEIDER.density_g_cm3))
            assert index[at] == sum(view[at] >= limit for limit in SCHNEIDER.media_hu)


def test_little_memory_beside_the_result():
    hu = np.zeros((100, 100, 100), dtype=np.float32)
    tracemalloc.start()
    SCHNEIDER.density(hu)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < hu.nbytes * 1.1


@pytest.mark.parametrize("method", ["density", "medium_index"])
def test_undefined_ct_numbers_are_counted(method):
    hu = np.zeros((2, 3, 4))
    hu[0, 0, :2] = np.nan
    hu[1, 2, 3] = np.inf
    with pytest.raises(ValueError, match="finite, got 3 of 24"):
        getattr(SCHNEIDER, method)(hu)


def test_ct_numbers_must_be_numbers():
    with pytest.raises(TypeError, match="real numbers, got an array of complex128"):
        SCHNEIDER.density(np.zeros(3, dtype=complex))


VALID = {"hu": [-1000, 0, 1000], "density_g_cm3": [0.001, 1.0, 1.6], "media_hu": [-500], "media": ["air", "water"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hu": [-1000, 0, 0]}, "hu must increase strictly, got 0.0 after 0.0"),
        ({"hu": [-1000, 0, float("nan")]}, "hu must be finite, got nan"),
        ({"hu": [0], "density_g_cm3": [1.0]}, "hu must have at least two nodes, got 1"),
        ({"density_g_cm3": [0.001, 1.0]}, r"one value per node of hu \(3\), got 2"),
        ({"density_g_cm3": [0.0, 1.0, 1.6]}, r"density_g_cm3 must be 1e-09 to 22\.6 g/cm3, got 0\.0"),
        ({"density_g_cm3": [1e-300, 1.0, 1.6]}, "density_g_cm3 must be 1e-09 to .* got 1e-300"),
        ({"density_g_cm3": [1.2, 1000.0, 1600.0]}, "to 22.6 g/cm3, got 1000.0"),
        ({"media_hu": [-500, -600], "media": ["air", "lung", "water"]}, "media_hu must increase strictly, got -600.0"),
        ({"media_hu": []}, r"one limit fewer than media has names \(2\), got 0"),
        ({"media": []}, "1 to 255 names, got 0"),
    ],
)
def test_impossible_calibrations_are_refused(change, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        Calibration(**{**VALID, **change})
    path = tmp_path / "own.json"
    path.write_text(json.dumps({**VALID, **change}))
    with pytest.raises(InputError, match=f"own.json: .*{message}"):
        Calibration.from_json(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hu": "-1000 0 1000"}, "hu must be a list of numbers, got '-1000 0 1000'"),
        ({"hu": ["-1000", 0, 1000]}, "got '-1000' in it"),
        ({"hu": [None, 0, 1000]}, "got None in it"),
        ({"density_g_cm3": [True, 1.0, 1.6]}, "got True in it"),
        ({"media": "air"}, "media must be a list of names, got 'air'"),
        ({"media": ["air", 1]}, "media must be a list of names"),
    ],
)
def test_wrong_types_are_refused(change, message, tmp_path):
    with pytest.raises(TypeError, match=message):
        Calibration(**{**VALID, **change})
    path = tmp_path / "own.json"
    path.write_text(json.dumps({**VALID, **change}))
    with pytest.raises(InputError, match=message):
        Calibration.from_json(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[1, 2]", "must be a JSON object, got list"),
        (json.dumps({"hu": [0, 1]}), "missing: density_g_cm3, media_hu, media"),
        (json.dumps({**VALID, "unit": "HU"}), "unknown fields: unit"),
        (json.dumps({**VALID, "name": 3}), "name must be a text, got 3"),
    ],
)
def test_files_that_are_no_calibration_are_refused(text, message, tmp_path):
    path = tmp_path / "own.json"
    path.write_text(text)
    with pytest.raises(InputError, match=f"own.json.*{message}"):
        Calibration.from_json(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.json cannot be read: No such file"):
        Calibration.from_json(tmp_path / "absent.json")


def test_a_file_gives_the_calibration_it_states(tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps(VALID))
    calibration = Calibration.from_json(path)
    assert calibration == Calibration(**VALID, name="own")
    np.testing.assert_allclose(calibration.density([-500, 500]), [0.5005, 1.3], rtol=1e-6)
    assert hash(calibration) == hash(Calibration(**VALID, name="own"))


def test_the_documented_example_and_table_hold(tmp_path):
    text = (ROOT / "docs" / "calibration.md").read_text(encoding="utf-8")
    path = tmp_path / "example.json"
    path.write_text(re.search(r"```json\n(.*?)```", text, re.DOTALL).group(1))
    assert Calibration.from_json(path).density([116.0])[0] == pytest.approx(1.06)
    rows = re.findall(r"^\| (-?\d+)[a-z ]* \| ([\d.]+) \|", text, re.MULTILINE)
    assert [(float(hu), float(density)) for hu, density in rows] == list(
        zip(SCHNEIDER.hu, SCHNEIDER.density_g_cm3, strict=True)
    )


@pytest.mark.skipif(
    not (DATA / "images" / "liver-y90").is_dir(), reason="no ../shared/images/liver-y90 and no $MCDOSE_TEST_DATA"
)
def test_a_contrast_enhanced_liver_is_soft_tissue():
    nibabel = pytest.importorskip("nibabel")
    pydicom = pytest.importorskip("pydicom")
    case = DATA / "images" / "liver-y90"
    headers = {path: pydicom.dcmread(path, stop_before_pixels=True) for path in case.glob("CT/*.dcm")}
    paths = sorted(headers, key=lambda path: float(headers[path].ImagePositionPatient[2]))
    labels = nibabel.load(case / "masks_CTgrid_1liver_2lesion.nii.gz").dataobj
    slices = range(15, 45, 6)
    images = [pydicom.dcmread(paths[z]) for z in slices]
    hu = np.stack([image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept) for image in images])
    liver = np.stack([np.asarray(labels[:, :, z]).T == 1 for z in slices])
    index, density = SCHNEIDER.medium_index(hu), SCHNEIDER.density(hu)
    assert (index[liver] == SCHNEIDER.media.index("soft-tissue")).mean() > 0.995
    assert density[liver].mean() == pytest.approx(1.06, abs=0.04)  # the paper's own accuracy
    assert (density[hu == -3024] == np.float32(0.00121)).all()
    assert (hu == -3024).any()
