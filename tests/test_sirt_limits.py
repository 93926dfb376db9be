"""Limits as data, what is wrong with a file, and the activity that keeps to them."""

import math

import pytest

import mcdose
from mcdose import sirt
from mcdose.sirt.judgement import judge_plan
from mcdose.sirt.limit import CONTEXTS, SCENARIOS, Limit, contradiction
from mcdose.sirt.solution import with_activity
from mcdose.sirt.sweep import drawing, sweep

ENTRY = {
    "quantity": '"tumour_gy"',
    "comparison": '">="',
    "value": "150",
    "unit": '"Gy"',
    "role": '"goal"',
    "evidence": '"low"',
    "citation": '"Someone, somewhere"',
}


def limit(quantity, comparison, value, role="constraint", **more):
    choices = {"context": "any", "device": "any", "scenario": "any", "evidence": "low", "citation": "x"}
    return Limit(quantity, comparison, value, role=role, checked=True, **{**choices, **more})


def write(tmp_path, *entries):
    path = tmp_path / "limits.toml"
    tables = ("[[limit]]\n" + "\n".join(f"{k} = {v}" for k, v in entry.items()) for entry in entries)
    path.write_text("\n\n".join(tables), encoding="utf-8")
    return path


# --- the file that is shipped


def test_shipped_limits_are_whole():
    limits = sirt.load_limits()
    assert len(limits) > 40
    assert contradiction(limits) is None
    for one in limits:
        assert len(one.citation) > 8
    for context in CONTEXTS:
        for device in (*sirt.microspheres(), "any"):
            for scenario in SCENARIOS:
                chosen = sirt.select_limits(limits, context=context, device=device, scenario=scenario)
                assert {str(one) for one in chosen} >= {"lung_gy <= 30 Gy", "lung_cumulative_gy <= 50 Gy"}


@pytest.mark.parametrize(
    ("context", "device", "scenario", "expected"),
    [
        ("mNET", "glass", "whole-liver", {"tumour_gy >= 150 Gy", "normal_liver_gy <= 75 Gy"}),
        ("HCC", "glass", "unilobar", {"tumour_gy >= 205 Gy", "normal_perfused_gy <= 120 Gy"}),
        ("HCC", "glass", "segmentectomy", {"tumour_gy >= 205 Gy", "perfused_gy >= 400 Gy"}),
        ("mCRC", "glass", "lobectomy", {"tumour_gy >= 189 Gy", "normal_liver_gy <= 75 Gy"}),
        ("mCRC", "resin", "unilobar", {"tumour_gy >= 100 Gy", "normal_perfused_gy <= 40 Gy"}),
        ("mCRC", "holmium", "bilobar", {"tumour_gy >= 90 Gy", "normal_liver_gy <= 40 Gy"}),
        ("ICC", "glass", "bilobar", {"tumour_gy >= 260 Gy"}),
    ],
)
def test_shipped_limits_by_disease_and_device(context, device, scenario, expected):
    """EANM guideline (Weber et al. 2022), tables 2 to 4, and the figures for mNET."""
    chosen = sirt.select_limits(sirt.load_limits(), context=context, device=device, scenario=scenario)
    assert expected <= {str(one) for one in chosen if one.role in ("constraint", "goal")}


def test_figures_that_were_not_read_say_so():
    limits = sirt.load_limits()
    assert not any(one.checked for one in limits if one.context == "mNET")
    read = ("Weber et al.", "van Roekel (thesis, Utrecht 2020)")
    assert all(any(name in one.citation for name in read) for one in limits if one.checked)


# --- files of one's own


def test_a_file_of_ones_own(tmp_path):
    (found,) = sirt.load_limits(write(tmp_path, {**ENTRY, "context": '"HCC"', "note": '"mine"'}))
    assert (found.value, found.context, found.device, found.checked, found.note) == (150.0, "HCC", "any", False, "mine")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"quantity": '"tumor_gy"'}, "limit 1: quantity must be one of tumour_gy, .*; got 'tumor_gy'"),
        ({"comparison": '"<"'}, "limit 1: comparison must be one of >=, <=; got '<'"),
        ({"value": '"150"'}, "limit 1: value must be a number of at least 0, got '150'"),
        ({"value": "-1"}, "limit 1: value must be a number of at least 0, got -1"),
        ({"value": "0"}, "limit 1: value of tumour_gy must be above 0 and at most 10000, got 0"),
        ({"value": "nan"}, "limit 1: value must be a number of at least 0, got nan"),
        ({"value": "15000"}, "limit 1: value of tumour_gy must be above 0 and at most 10000, got 15000"),
        ({"unit": '"cGy"'}, "limit 1: unit of tumour_gy must be 'Gy', got 'cGy'"),
        ({"role": '"wish"'}, "limit 1: role must be one of constraint, goal, threshold, reference; got 'wish'"),
        ({"evidence": '"strong"'}, "limit 1: evidence must be one of low, moderate; got 'strong'"),
        ({"citation": '" "'}, "limit 1: citation must be a text"),
        ({"context": '"NET"'}, "limit 1: context must be one of mNET, HCC, ICC, mCRC, any; got 'NET'"),
        ({"device": '"wax"'}, "limit 1: device must be one of glass, holmium, resin, any; got 'wax'"),
        ({"checked": '"yes"'}, "limit 1: checked must be true or false, got 'yes'"),
        ({"volume": "3"}, "limit 1: unknown: volume; known: quantity"),
        ({"citation": None}, "limit 1: must have quantity, .*; missing: citation"),
    ],
)
def test_mistakes_are_one_line_each(tmp_path, change, message):
    entry = {key: value for key, value in {**ENTRY, **change}.items() if value is not None}
    with pytest.raises(mcdose.InputError, match=message) as caught:
        sirt.load_limits(write(tmp_path, entry))
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(mcdose.InputError, match="cannot be read"):
        sirt.load_limits(tmp_path / "none.toml")
    path = tmp_path / "limits.toml"
    for content, message in (
        (b"[[limit]\n", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (b"", "missing: limit"),
        (b"limit = 3", r"limit must be at least one table \[\[limit\]\], got 3"),
        (b"limit = [3]", "limit 1: must be a table, got 3"),
        (b"x" * 1_000_001, "must be at most 1000000 bytes"),
    ):
        path.write_bytes(content)
        with pytest.raises(mcdose.InputError, match=message):
            sirt.load_limits(path)


def test_limits_that_contradict_each_other(tmp_path):
    high = {**ENTRY, "comparison": '"<="', "value": "120", "role": '"constraint"'}
    with pytest.raises(mcdose.InputError, match="limits 1 and 2 contradict each other: tumour_gy >= 150 Gy"):
        sirt.load_limits(write(tmp_path, ENTRY, high))
    with pytest.raises(mcdose.InputError, match="limits 1 and 2 contradict"):  # "any" and HCC hold at once
        sirt.load_limits(write(tmp_path, ENTRY, {**high, "context": '"HCC"'}))
    apart = {**ENTRY, "context": '"mNET"'}, {**high, "context": '"HCC"'}
    assert len(sirt.load_limits(write(tmp_path, *apart))) == 2
    assert len(sirt.load_limits(write(tmp_path, ENTRY, {**high, "value": "150"}))) == 2
    assert len(sirt.load_limits(write(tmp_path, {**ENTRY, "role": '"threshold"'}, high))) == 2


def test_selection_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match=r"context must be one of mNET, .*; got 'lung'"):
        sirt.select_limits((), context="lung")


# --- solve


def plan(**shares):
    return sirt.Plan(
        1.6,
        (sirt.Territory("artery", 1.0, (sirt.Tumour("hot", 0.1, 5.0), sirt.Tumour("cool", 0.1, 2.0))),),
        (sirt.Injection("artery", 1.0, **{"lung_shunt": 0.1, **shares}),),
        gy_kg_per_gbq=50.0,
    )


def test_the_tumour_that_gets_least_decides():
    """0.9 GBq over 0.8 + 0.5 + 0.2 kg: 30 Gy to normal per GBq, 60 Gy to the cool tumour, 150 Gy to the hot one."""
    assert sirt.solve(plan(), 120.0, ()).wanted_gbq == pytest.approx(2.0)
    assert sirt.solve(plan(), 120.0, ()).target_subject == "cool"
    assert sirt.solve(plan(), 120.0, (), tumour="hot").wanted_gbq == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("limits", "allowed", "binds"),
    [
        ((limit("lung_gy", "<=", 30.0), limit("normal_perfused_gy", "<=", 75.0)), 2.5, "normal_perfused_gy <= 75 Gy"),
        ((limit("lung_gy", "<=", 5.0), limit("normal_perfused_gy", "<=", 75.0)), 1.0, "lung_gy <= 5 Gy"),
        ((limit("normal_liver_gy", "<=", 20.0),), 20.0 / (30.0 * 0.8 / 1.4), "normal_liver_gy <= 20 Gy"),
        ((limit("perfused_gy", "<=", 45.0),), 1.0, "perfused_gy <= 45 Gy"),
    ],
)
def test_which_limit_binds(limits, allowed, binds):
    found = sirt.solve(plan(), 120.0, limits)
    assert found.allowed_gbq == pytest.approx(allowed)
    assert str(found.binding.limit) == binds
    assert found.feasible == (allowed >= 2.0)
    assert found.activity_gbq == pytest.approx(min(2.0, allowed))
    verdicts = judge_plan(found.plan, found.doses, limits)
    assert verdicts
    assert all(verdict.met for verdict in verdicts)
    more = with_activity(found.plan, allowed * 1.001)
    assert not all(verdict.met for verdict in judge_plan(more, sirt.plan_doses(more), limits))


def test_thresholds_and_goals_from_below_bind_nothing():
    limits = (limit("tumour_gy", ">=", 500.0, "goal"), limit("normal_liver_gy", "<=", 1.0, "threshold"))
    found = sirt.solve(plan(), 120.0, limits)
    assert (found.binding, found.allowed_gbq, found.feasible) == (None, math.inf, True)


def test_a_shunt_that_is_too_large_allows_nothing():
    found = sirt.solve(plan(), 120.0, (limit("lung_shunt", "<=", 0.05),))
    assert (found.activity_gbq, found.feasible, found.binding.activity_gbq) == (0.0, False, None)


def staged(first_gbq, first_shunt=0.1, left="left"):
    return sirt.Plan(
        1.5,
        (sirt.Territory("right", 0.9), sirt.Territory(left, 0.6, (sirt.Tumour("t", 0.1, 4.0),))),
        (
            sirt.Injection("right", first_gbq, lung_shunt=first_shunt),
            sirt.Injection(left, 1.0, session=2, lung_shunt=0.1),
        ),
        gy_kg_per_gbq=50.0,
    )


def test_what_earlier_sessions_gave_counts_where_it_is_cumulative():
    """4 GBq before: 20 Gy to the lungs. 50 Gy in all leave 30 Gy, 6 GBq; 25 Gy in a session 5 GBq."""
    limits = (limit("lung_cumulative_gy", "<=", 50.0),)
    assert sirt.solve(staged(4.0), 10.0, limits, session=2).allowed_gbq == pytest.approx(6.0)
    limits = (*limits, limit("lung_gy", "<=", 25.0))
    found = sirt.solve(staged(4.0), 10.0, limits, session=2)
    assert (found.allowed_gbq, found.binding.limit.quantity) == (pytest.approx(5.0), "lung_gy")
    broken = sirt.solve(staged(12.0), 10.0, limits[:1], session=2)
    assert (broken.activity_gbq, broken.feasible) == (0.0, False)
    # 45 GBq kg/kg of the left lobe: 50 x 0.9 / (0.5 + 0.4) = 50 Gy to normal per GBq, 200 Gy to the tumour
    assert sirt.solve(staged(4.0), 100.0, (), session=2).wanted_gbq == pytest.approx(0.5)


def test_the_shunt_of_another_session_is_its_own():
    """Of session 1 it is beyond the limit, which no activity mends; its own counts, whatever a lobe is called."""
    limits = (limit("lung_shunt", "<=", 0.2),)
    found = sirt.solve(staged(4.0, first_shunt=0.3), 100.0, limits, session=2)
    assert (found.activity_gbq, found.feasible) == (pytest.approx(0.5), True)
    named = sirt.solve(staged(4.0, left="session 1"), 100.0, (limit("lung_shunt", "<=", 0.05),), session=2)
    assert (named.activity_gbq, named.feasible, named.binding.subject) == (0.0, False, "session 1, session 2")


def test_the_table_is_of_a_tumour_that_the_session_reaches():
    """A cooler tumour that only the first session reached would be a flat line."""
    lobes = sirt.Plan(
        1.5,
        (
            sirt.Territory("right", 0.9, (sirt.Tumour("cool", 0.1, 2.0),)),
            sirt.Territory("left", 0.6, (sirt.Tumour("t", 0.1, 4.0),)),
        ),
        (sirt.Injection("right", 0.1), sirt.Injection("left", 1.0, session=2)),
        gy_kg_per_gbq=50.0,
    )
    rows = sweep(lobes, 1.0, session=2, steps=2)  # 1 GBq over 0.5 + 0.4 kg: 55.56 Gy, and four times that
    assert [row.tumour_gy for row in rows] == pytest.approx([0.0, 1000.0 / 9.0, 2000.0 / 9.0])


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({}, "session must be one of 1, 2; got None"),
        ({"session": 3}, "session must be one of 1, 2; got 3"),
        ({"session": 1}, "tumour_gy does not change with the activity of session 1"),
        ({"session": 2, "tumour": "u"}, "tumour must be one of t; got 'u'"),
        ({"session": 2, "quantity": "lung_gy"}, "quantity must be one of tumour_gy, .*; got 'lung_gy'"),
    ],
)
def test_targets_that_cannot_be_are_refused(choices, message):
    with pytest.raises(ValueError, match=message):
        sirt.solve(staged(1.0), 100.0, (), **choices)


def test_table_and_drawing():
    rows = sweep(plan(), 2.0, steps=4)
    assert [row.activity_gbq for row in rows] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert [row.tumour_gy for row in rows] == pytest.approx([0.0, 30.0, 60.0, 90.0, 120.0])
    assert [row.lung_gy for row in rows] == pytest.approx([0.0, 2.5, 5.0, 7.5, 10.0])
    svg = drawing(rows, (limit("lung_gy", "<=", 30.0), limit("perfused_gy", "<=", 1.0)), 1.5)
    assert svg.count("<polyline") == 4
    assert "lungs ≤ 30 Gy" in svg
    assert "1.5 GBq" in svg
    import xml.etree.ElementTree as tree

    assert tree.fromstring(svg).tag.endswith("svg")


def test_shipped_files_are_those_of_sources():
    from hashlib import sha256

    from mcdose.data import DATA_FOLDER
    from mcdose.kernel_file import table_hashes

    sources = (DATA_FOLDER / "SOURCES.md").read_text(encoding="utf-8")
    files = sorted((DATA_FOLDER / "sirt").rglob("*.toml"))
    assert len(files) == 6
    for path in files:
        name = path.relative_to(DATA_FOLDER).as_posix()
        assert f"`{name}`" in sources
        assert sha256(path.read_bytes()).hexdigest() in sources
        assert name not in table_hashes()  # or kernels would change with a limit
