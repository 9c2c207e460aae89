"""Splits in time order, and folds by province."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.early_warning.sample import Frequency, Sample
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.splits import (
    expanding_splits,
    periods_needed,
    province_folds,
    settled_by,
)
from debtwatch.errors import DataProblem, ModelProblem

WORDS = {"zh": "债务", "en": "Debt"}


def specify(*, horizon: int = 1, **origins: Any) -> Spec:
    return Spec.model_validate(
        {
            "id": "x",
            "title": WORDS,
            "country": "BR",
            "target": {"kind": "entry", "horizon": horizon, "ratio": "debt", "line": 1.0},
            "feature": [{"id": "debt", "of": "debt", "label": WORDS}],
            "origins": origins,
        }
    )


def sample_of(
    period: Any, y: Any = None, *, at_risk: Any = None, frequency: Frequency = "year"
) -> Sample:
    period = np.asarray(period, dtype=np.int64)
    rows = len(period)
    y = np.arange(rows) % 2 if y is None else y
    return Sample(
        unit=np.arange(rows).astype(str).astype(object),
        group=np.full(rows, "p", dtype=object),
        period=period,
        x=pd.DataFrame({"debt": np.zeros(rows)}),
        y=np.asarray(y, dtype=np.float64),
        at_risk=np.full(rows, True) if at_risk is None else np.asarray(at_risk),
        event_period=np.full(rows, np.nan),
        rule=np.full(rows, "", dtype=object),
        projection=None,
        frequency=frequency,
    )


def shape(sample: Sample, spec: Spec) -> list[tuple[int, list[int], list[int]]]:
    return [
        (s.origin, sorted(set(sample.period[s.train].tolist())), sorted(set(sample.period[s.test])))
        for s in expanding_splits(sample, spec)
    ]


def test_splits_of_seven_years_by_hand() -> None:
    sample = sample_of(np.repeat(np.arange(2015, 2022), 2))
    assert shape(sample, specify(horizon=2, embargo=1)) == [
        (2018, [2015], [2018]),
        (2019, [2015, 2016], [2019]),
        (2020, [2015, 2016, 2017], [2020]),
        (2021, [2015, 2016, 2017, 2018], [2021]),
    ]
    assert [o for o, _, _ in shape(sample, specify(horizon=2, embargo=1, most=2))] == [2020, 2021]
    assert [o for o, _, _ in shape(sample, specify(horizon=1, least_periods=4))] == [
        2019,
        2020,
        2021,
    ]


def test_steps_end_with_the_newest_rows_and_judge_each_row_once() -> None:
    sample = sample_of(np.repeat(np.arange(100, 112), 2), frequency="quarter")
    found = shape(sample, specify(horizon=2, step=4))
    assert found == [
        (104, [100, 101, 102], [104, 105, 106, 107]),
        (108, [100, 101, 102, 103, 104, 105, 106], [108, 109, 110, 111]),
    ]


def test_first_and_last_origins_are_read_as_periods() -> None:
    sample = sample_of(np.repeat(np.arange(4 * 2018, 4 * 2021), 2), frequency="quarter")
    spec = specify(step=2, first="2019Q1", last="2019Q4")
    assert [o - 4 * 2019 for o, _, _ in shape(sample, spec)] == [0, 2]
    spec = specify(step=2, last="2019年四季度", most=2)
    assert [o - 4 * 2019 for o, _, _ in shape(sample, spec)] == [1, 3]
    spec = specify(step=4, first="2019Q2")
    assert [(o - 4 * 2019, len(t)) for o, _, t in shape(sample, spec)] == [(1, 4), (5, 3)]


def test_fewer_test_periods_than_a_step_are_judged_all_the_same() -> None:
    sample = sample_of(np.repeat([2019, 2020, 2021], 2))
    assert shape(sample, specify(step=5)) == [(2020, [2019], [2020, 2021])]


def test_rows_not_at_risk_or_censored_are_in_no_part() -> None:
    period = np.repeat([2019, 2020, 2021], 4)
    y = np.tile([0, 1, np.nan, 1], 3)
    at_risk = np.tile([True, True, True, False], 3)
    splits = expanding_splits(sample_of(period, y, at_risk=at_risk), specify())
    used = {int(i) for s in splits for i in (*s.train, *s.test)}
    assert {i % 4 for i in used} == {0, 1}
    assert splits[-1].train.dtype == np.intp


def test_an_origin_whose_training_rows_hold_one_outcome_is_passed_over() -> None:
    period = np.repeat(np.arange(2015, 2021), 2)
    y = np.where(period == 2017, np.arange(12) % 2, 0)
    assert [o for o, _, _ in shape(sample_of(period, y), specify())] == [2018, 2019, 2020]


def test_an_outcome_published_after_the_origins_day_is_not_learned_from() -> None:
    sample = sample_of(np.repeat([2018, 2019, 2020], 4))
    # Scores of 2019 are made on 2020-04-29. Rows of 2018 are settled by figures of 2019: two on
    # that day, one a day later, one on a day that is not told.
    days = np.array(["2020-04-29", "2020-04-29", "2020-04-30", "NaT"] * 3, "datetime64[D]")
    told = replace(sample, outcome_day=days)
    spec = specify(first="2019", last="2019")
    assert expanding_splits(sample, spec)[0].train.tolist() == [0, 1, 2, 3]
    assert expanding_splits(told, spec)[0].train.tolist() == [0, 1, 3]
    assert settled_by(told, spec, 2019).tolist() == [True, True, False, True] + [False] * 8
    assert told.take(np.array([2, 0])).outcome_day.tolist() == days[[2, 0]].tolist()
    # A day later the third one is known as well.
    later = spec.model_copy(update={"data": spec.data.model_copy(update={"origin_days": 121})})
    assert expanding_splits(told, later)[0].train.tolist() == [0, 1, 2, 3]


def test_origins_without_rows_are_passed_over() -> None:
    sample = sample_of(np.repeat([2013, 2015, 2017, 2019], 2))
    assert [o for o, _, _ in shape(sample, specify())] == [2015, 2017, 2019]


@settings(max_examples=60)
@given(
    periods=st.lists(st.integers(0, 25), min_size=4, max_size=80),
    horizon=st.integers(1, 5),
    embargo=st.integers(0, 2),
    step=st.integers(1, 5),
    least=st.integers(1, 4),
    seed=st.integers(0, 9),
)
def test_no_training_window_reaches_beyond_its_origin(
    *, periods: list[int], horizon: int, embargo: int, step: int, least: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    y = rng.choice([0, 1, np.nan], len(periods))
    sample = sample_of(np.array(periods) + 2000, y, frequency="quarter")
    spec = specify(horizon=horizon, embargo=embargo, step=step, least_periods=least)
    try:
        splits = expanding_splits(sample, spec)
    except DataProblem:
        return
    tested = np.concatenate([s.test for s in splits])
    assert len(tested) == len(set(tested.tolist()))
    for split in splits:
        train, test = sample.period[split.train], sample.period[split.test]
        assert (train + horizon + embargo).max() <= split.origin <= test.min()
        assert test.max() < split.origin + step
        assert len(set(train.tolist())) >= least
        assert set(sample.y[split.train].tolist()) == {0.0, 1.0}
        everything = sample.known & (sample.period + horizon + embargo <= split.origin)
        assert split.train.tolist() == np.flatnonzero(everything).tolist()


def test_a_horizon_longer_than_the_data_says_how_many_periods_are_needed() -> None:
    spec = specify(horizon=4, embargo=1, least_periods=3)
    assert periods_needed(spec) == 3 + 2 * 4 + 1
    period = np.repeat(np.arange(2015, 2020), 2)
    with pytest.raises(DataProblem, match=r"span 5 periods.* at least 12 periods"):
        expanding_splits(sample_of(period), spec)
    with pytest.raises(DataProblem, match="at least 12 periods"):
        expanding_splits(sample_of(period, np.full(10, np.nan)), spec)
    with pytest.raises(DataProblem, match="span 0 periods"):
        expanding_splits(sample_of([]), spec)


@pytest.mark.parametrize("least", [1, 2, 3])
@pytest.mark.parametrize("horizon", [1, 3])
def test_the_periods_needed_are_enough_and_one_fewer_is_not(least: int, horizon: int) -> None:
    spec = specify(horizon=horizon, embargo=1, least_periods=least)
    # Outcomes are known of all but the last `horizon` periods.
    for short in (0, 1):
        span = periods_needed(spec) - short
        period = np.repeat(np.arange(span), 2)
        y = np.where(period < span - horizon, np.arange(2 * span) % 2, np.nan)
        if short:
            with pytest.raises(DataProblem, match=f"at least {span + 1} periods"):
                expanding_splits(sample_of(period, y), spec)
        else:
            assert len(expanding_splits(sample_of(period, y), spec)) == 1


def test_one_outcome_only_is_said_with_its_counts() -> None:
    sample = sample_of(np.repeat(np.arange(2015, 2021), 2), np.zeros(12))
    with pytest.raises(
        DataProblem, match=r"12 rows with a known outcome 0 are events and 12 are not"
    ):
        expanding_splits(sample, specify())


def test_periods_that_just_suffice_are_not_blamed_when_there_is_no_event() -> None:
    spec = specify(horizon=1)
    period = np.repeat([2018, 2019], 2)
    assert len(expanding_splits(sample_of(period), spec)) == 1
    with pytest.raises(DataProblem, match=r"4 rows.* 0 are events"):
        expanding_splits(sample_of(period, np.zeros(4)), spec)


def test_origins_that_are_no_periods_are_refused() -> None:
    sample = sample_of(np.repeat(np.arange(2015, 2021), 2))
    with pytest.raises(DataProblem, match="2019Q1"):
        expanding_splits(sample, specify(first="2019Q1"))
    with pytest.raises(ModelProblem, match=r"2019.*after.*2017"):
        expanding_splits(sample, specify(first="2019", last="2017"))


def test_no_province_is_on_both_sides_and_each_row_is_tested_once() -> None:
    rng = np.random.default_rng(4)
    group = rng.choice([f"{i:02d}" for i in range(26)], 900).astype(object)
    y = (rng.random(900) < 0.1).astype(float)
    folds = province_folds(group, y)
    assert len(folds) == 5
    assert sorted(np.concatenate([t for _, t in folds]).tolist()) == list(range(900))
    for train, test in folds:
        assert not set(group[train]) & set(group[test])
        assert len(train) + len(test) == 900
        assert (np.diff(train) > 0).all()
        assert (np.diff(test) > 0).all()


def test_folds_are_the_same_each_time_and_do_not_depend_on_the_names_type() -> None:
    group = np.array([str(i % 7) for i in range(50)], dtype=object)
    y = (np.arange(50) % 3 == 0).astype(float)
    once, again = province_folds(group, y), province_folds(group.astype("U3"), y)
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(once, again, strict=True))


def test_fewer_provinces_give_fewer_folds() -> None:
    group = np.array(list("aabbcc"), dtype=object)
    assert len(province_folds(group, np.array([0, 1, 0, 1, 0, 1.0]))) == 3
    assert province_folds(np.full(4, "a", dtype=object), np.array([0, 1, 0, 1.0])) == []
    assert province_folds(np.zeros(0, dtype=object), np.zeros(0)) == []


def test_every_training_part_holds_both_outcomes_or_there_are_no_folds() -> None:
    group = np.array(list("aaaabbbccd"), dtype=object)
    # With two folds a and d stand against b and c; only with more does the event of b meet a's.
    y = np.array([1, 0, 0, 0, 1, 0, 0, 0, 0, 0.0])
    for train, _ in province_folds(group, y):
        assert set(y[train]) == {0.0, 1.0}
    assert province_folds(group, y)
    assert province_folds(group, np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0.0])) == []


def test_fewer_folds_are_tried_when_one_of_many_takes_all_events() -> None:
    # Five folds of six provinces put the two smallest, e and f, together; they hold the events.
    group = np.repeat(np.array(list("abcdef"), dtype=object), [6, 5, 4, 3, 1, 1])
    y = np.isin(group, ["e", "f"]).astype(float)
    folds = province_folds(group, y)
    assert 2 <= len(folds) < 5
    for train, _ in folds:
        assert set(y[train]) == {0.0, 1.0}
