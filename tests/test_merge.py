"""Parts of a run add up to the run, bit for bit when the cuts are batch limits."""

import itertools
import pickle
from dataclasses import replace

import numpy as np
import pytest
from test_determinism import BATCH, world
from test_dose import same

import mcdose


def part(first, last, **changed):
    return mcdose.absorbed_dose(**{**world(), **changed}, first_history=first, histories=last - first)


@pytest.fixture(scope="module")
def whole():
    return part(0, 5 * BATCH + 100)


@pytest.fixture(scope="module")
def parts():
    limits = (0, BATCH, 3 * BATCH, 5 * BATCH, 5 * BATCH + 100)
    return [part(first, last) for first, last in itertools.pairwise(limits)]


def test_split_on_batch_limits_in_any_order(whole, parts):
    """Trap: sums of squares merge over ranges that are whole batches."""
    assert whole.provenance["opening_batch_histories"] == BATCH
    for order in itertools.permutations(parts):
        assert same(whole, mcdose.merge(order))


def test_merging_merged_results(whole, parts):
    pairs = [mcdose.merge([parts[3], parts[0]]), mcdose.merge([parts[1], parts[2]])]
    assert same(whole, mcdose.merge(pairs))


def test_parts_are_not_changed_and_one_part_is_itself(parts):
    before = [pickle.dumps(item.state.tally) for item in parts]
    doses = [item.dose_gy.copy() for item in parts]
    mcdose.merge(parts)
    assert same(parts[1], mcdose.merge([parts[1]]))
    assert [pickle.dumps(item.state.tally) for item in parts] == before
    for item, dose in zip(parts, doses, strict=True):
        np.testing.assert_array_equal(item.dose_gy, dose)


def test_pickled_parts(whole, parts):
    """Parts computed on several machines come back as files."""
    assert same(whole, mcdose.merge([pickle.loads(pickle.dumps(item)) for item in parts]))


def test_what_the_merged_result_says(whole, parts):
    merged = mcdose.merge(parts)
    assert merged.seconds == pytest.approx(sum(item.seconds for item in parts))
    assert merged.provenance["first_history"] == 0
    assert merged.provenance["flights_per_history"] == pytest.approx(whole.provenance["flights_per_history"])
    assert merged.total_decays == whole.total_decays
    assert not merged.cancelled
    assert mcdose.merge([replace(parts[0], cancelled=True), parts[1]]).cancelled


def test_warnings_are_those_of_the_merged_sums(parts):
    """A part of one batch warns that it has no uncertainty; the merged result has one."""
    assert "one batch" in parts[0].warnings[0]
    told = replace(parts[1], warnings=(*parts[1].warnings, "the CT ends above the liver"))
    assert mcdose.merge([parts[0], told]).warnings == ("the CT ends above the liver",)
    assert "one batch" in mcdose.merge([parts[0]]).warnings[0]


def test_arrays_changed_afterwards_do_not_reach_the_merged_dose(whole):
    """The caller may use its arrays again between the runs and the merge."""
    arguments = world()
    arguments["density_g_cm3"] = arguments["density_g_cm3"].astype(np.float32)
    arguments["medium"] = arguments["medium"].astype(np.uint8)
    limits = (0, 2 * BATCH, 5 * BATCH + 100)
    results = [
        mcdose.absorbed_dose(**arguments, first_history=first, histories=last - first)
        for first, last in itertools.pairwise(limits)
    ]
    arguments["density_g_cm3"] *= 2.0
    arguments["medium"][:] = 0
    arguments["tia_bq_s"][:] = 0.0
    expected = mcdose.absorbed_dose(
        **{**world(), "density_g_cm3": world()["density_g_cm3"].astype(np.float32)}, histories=5 * BATCH + 100
    )
    assert same(expected, mcdose.merge(results))


def test_cut_within_a_batch(whole):
    """The dose is the same to the bit; the uncertainty weighs the shorter batches by their histories."""
    merged = mcdose.merge([part(0, 2 * BATCH + 1000), part(2 * BATCH + 1000, 5 * BATCH + 100)])
    assert merged.dose_gy.tobytes() == whole.dose_gy.tobytes()
    assert merged.energy_quanta == whole.energy_quanta
    assert merged.regions["half"].mean_gy == pytest.approx(whole.regions["half"].mean_gy, rel=1e-12)
    hot = whole.dose_gy > np.median(whole.dose_gy)
    ratio = merged.relative_uncertainty[hot] / whole.relative_uncertainty[hot]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.2)


def test_ranges_with_a_gap(parts):
    merged = mcdose.merge([parts[0], parts[2]])
    assert merged.histories == 3 * BATCH
    assert merged.energy_quanta["emitted"] == sum(parts[k].energy_quanta["emitted"] for k in (0, 2))


def test_what_cannot_be_merged(parts):
    local = mcdose.absorbed_dose(**{**world(), "seed": 0}, method="local-deposition")
    tia = world()["tia_bq_s"]
    for results, words in (
        ([], "at least one"),
        ([parts[0], local], "'local-deposition'"),
        ([parts[0], parts[0]], f"disjoint histories, got 0 to {BATCH} and 0 to {BATCH}"),
        ([part(0, 2 * BATCH), parts[1]], "disjoint"),
        ([mcdose.merge([parts[0], parts[2]]), part(100, 200)], "disjoint"),
        ([parts[0], part(BATCH, 2 * BATCH, seed=1)], "same inputs"),
        ([parts[0], part(BATCH, 2 * BATCH, tia_bq_s=tia * 1.001)], "same inputs"),
        ([parts[0], part(BATCH, 2 * BATCH, tia_bq_s=tia[::-1].copy())], "same inputs"),
        ([parts[0], part(BATCH, 2 * BATCH, regions={"half": world()["regions"]["half"][::-1]})], "same inputs"),
        ([parts[0], part(BATCH, 2 * BATCH, voxel_mm=(4.0, 3.0, 2.5))], "same inputs"),
        ([parts[0], part(BATCH, 2 * BATCH, density_floor_g_cm3=0.06)], "same inputs"),
        ([parts[0], part(BATCH, 2 * BATCH, regions={})], "same inputs"),
        ([parts[0], part(BATCH, 2 * BATCH, parameters=mcdose.TransportParameters(step_fine=0.11))], "same inputs"),
    ):
        with pytest.raises(ValueError, match=words):
            mcdose.merge(results)
