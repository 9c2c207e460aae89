"""When the classifier keeps silent: conformal sets, ranges of training, missing and old figures."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.early_warning.abstention import (
    Conformal,
    Envelope,
    abstentions,
    fit_conformal,
    fit_envelope,
    outside,
    realised_coverage,
)
from debtwatch.errors import ModelProblem

few = settings(max_examples=30, deadline=None)


# -- conformal ------------------------------------------------------------------------------------


def test_rank_by_hand():
    p = np.r_[np.arange(1, 20) / 100, np.arange(80, 99) / 100]
    y = np.r_[np.zeros(19), np.ones(19)]
    one = fit_conformal(p, y, alpha=0.1)
    # ceil(20 x 0.9) = 18th smallest of 19 scores.
    assert one.q0 == 0.18
    assert one.q1 == 1 - 0.81
    assert (one.rows0, one.rows1) == (19, 19)
    verdict = one.verdict(np.array([0.18, 0.19, 0.80, 0.81]))
    assert verdict.tolist() == ["clear", "out of range", "out of range", "alert"]


def test_too_few_rows_never_leave_a_class_out():
    one = fit_conformal(np.array([0.1, 0.2]), np.array([0.0, 0.0]))
    assert (one.q0, one.q1) == (1.0, 1.0)
    assert one.verdict(np.array([0.0, 0.5, 1.0])).tolist() == ["uncertain"] * 3


@few
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=80),
       st.sampled_from([0.05, 0.1, 0.3]))  # fmt: skip
def test_calibration_rows_are_covered_as_promised(rows, alpha):
    p, y = (np.array(part, dtype=float) for part in zip(*rows, strict=True))
    sets = fit_conformal(p, y, alpha)
    found = realised_coverage(sets, p, y)
    for share in (found.events, found.others):
        assert np.isnan(share) or share >= 1 - alpha - 1e-9
    assert Conformal.from_dict(json.loads(json.dumps(sets.to_dict()))) == sets


def test_coverage_of_new_rows_by_class():
    rng = np.random.default_rng(1)
    p = rng.beta(1, 4, size=60_000)
    y = (rng.random(p.size) < p).astype(float)
    sets = fit_conformal(p[:30_000], y[:30_000])
    found = realised_coverage(sets, p[30_000:], y[30_000:])
    assert found.events == pytest.approx(0.9, abs=0.02)
    assert found.others == pytest.approx(0.9, abs=0.01)
    assert found.uncertain + found.out_of_range < 1


@few
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_verdict_is_the_set(q0, q1, p):
    word = Conformal(0.1, q0, q1, 1, 1).verdict(np.array([p]))[0]
    held = {"alert": {1}, "clear": {0}, "uncertain": {0, 1}, "out of range": set()}[word]
    assert held == {k for k, score, q in ((0, p, q0), (1, 1 - p, q1)) if score <= q}


# -- envelope -------------------------------------------------------------------------------------


def test_range_and_what_lies_outside():
    train = pd.DataFrame({"debt": np.linspace(0, 10, 1001)})
    one = fit_envelope(train)
    assert one.lower == pytest.approx((0.01,))
    assert one.upper == pytest.approx((9.99,))
    room = 0.5 * 9.98
    rows = pd.DataFrame({"debt": [9.99 + room, 9.99 + room + 0.01, 0.01 - room, -room, np.nan]})
    assert outside(rows, one)["debt"].tolist() == [False, True, False, True, False]
    assert abstentions(rows.iloc[:4], one).tolist() == ["", "outside", "", "outside"]


def test_rounding_does_not_decide_at_the_edge():
    for low in range(1, 10):
        for high in range(low + 1, 12):
            training = Envelope(("a",), (low / 10,), (high / 10,), (True,))
            edges = [(3 * high - low) / 20, (3 * low - high) / 20]
            assert not outside(pd.DataFrame({"a": edges}), training).to_numpy().any()
            beyond = [edges[0] + 1e-6, edges[1] - 1e-6]
            assert outside(pd.DataFrame({"a": beyond}), training).to_numpy().all()


def test_infinite_figures_are_outside_and_do_not_widen_the_range():
    one = fit_envelope(pd.DataFrame({"debt": [0.0, 1.0, np.inf, -np.inf, np.nan]}))
    assert np.isfinite([*one.lower, *one.upper]).all()
    assert abstentions(pd.DataFrame({"debt": [np.inf, -np.inf]}), one).tolist() == ["outside"] * 2


def test_features_that_taught_nothing_are_not_looked_at():
    train = pd.DataFrame({"debt": np.arange(5.0), "same": np.ones(5), "never": np.full(5, np.nan)})
    one = fit_envelope(train)
    assert one.judged == (True, False, False)
    rows = pd.DataFrame({"debt": [2.0, 2.0], "same": [9.0, np.nan], "never": [1.0, np.nan]})
    # Two of three figures are missing in the second row, but none that was learned from.
    assert abstentions(rows, one).tolist() == ["", ""]


def test_a_rare_flag_seen_in_training_is_not_outside():
    flag = np.zeros(5000)
    flag[:2] = 1
    one = fit_envelope(pd.DataFrame({"flag": flag}))
    assert one.lower == one.upper == (0.0,)
    assert abstentions(pd.DataFrame({"flag": [1.0]}), one).tolist() == [""]


def test_a_figure_common_to_all_silences_nobody_but_counts_when_missing():
    train = pd.DataFrame({"national": np.repeat([1.0, 1.1], 50), "debt": np.arange(100.0)})
    assert (
        abstentions(train.assign(national=3.0), fit_envelope(train)).tolist() == ["outside"] * 100
    )
    one = fit_envelope(train, common={"national"})
    assert abstentions(train.assign(national=3.0), one).tolist() == [""] * 100
    assert abstentions(train.assign(national=np.nan), one).tolist() == ["missing"] * 100


def test_more_than_three_tenths_missing():
    train = pd.DataFrame({f"x{k}": np.arange(10.0) for k in range(10)})
    one = fit_envelope(train)
    rows = train.iloc[[5, 5]].reset_index(drop=True)
    rows.iloc[0, :3] = np.nan
    rows.iloc[1, :4] = np.nan
    assert abstentions(rows, one).tolist() == ["", "missing"]


def test_first_reason_wins_and_rows_keep_their_order():
    train = pd.DataFrame({"a": np.arange(10.0), "b": np.arange(10.0)})
    one = fit_envelope(train)
    rows = pd.DataFrame({"b": [np.nan, 5.0, 99.0, 99.0, 5.0], "a": [99.0, 5, 5, 5, 5]},
                        index=[9, 7, 5, 3, 1])  # fmt: skip
    stale = np.array([True, True, True, False, False])
    assert abstentions(rows, one, stale=stale).tolist() == [
        "missing", "stale", "stale", "outside", "",
    ]  # fmt: skip
    assert abstentions(rows, one, stale=True).tolist() == ["missing", *["stale"] * 4]


def test_a_model_without_any_feature_says_nothing():
    one = fit_envelope(pd.DataFrame({"never": [np.nan, np.nan]}))
    assert abstentions(pd.DataFrame({"never": [1.0]}), one).tolist() == ["missing"]


def test_extra_columns_are_ignored_and_missing_ones_fail():
    one = fit_envelope(pd.DataFrame({"a": [0.0, 1.0]}))
    assert abstentions(pd.DataFrame({"z": [1e9], "a": [0.5]}), one).tolist() == [""]
    with pytest.raises(KeyError):
        abstentions(pd.DataFrame({"z": [1.0]}), one)


# -- records --------------------------------------------------------------------------------------


@few
@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=20))
def test_envelope_survives_json_to_the_last_bit(values):
    train = pd.DataFrame({"a": values, "never": np.full(len(values), np.nan)})
    one = fit_envelope(train)
    other = Envelope.from_dict(json.loads(json.dumps(one.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(one.lower, other.lower)
    np.testing.assert_array_equal(one.upper, other.upper)
    assert (one.names, one.judged) == (other.names, other.judged)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        (Envelope, {"judged": [True]}),
        (Envelope, {"judged": [1, 0]}),
        (Envelope, {"lower": [5.0, None]}),
        (Envelope, {"names": None}),
        (Conformal, {"q0": 1.5}),
        (Conformal, {"q1": None}),
        (Conformal, {"alpha": 0.0}),
        (Conformal, {"rows0": 1.5}),
        (Conformal, {"q0": "0.5"}),
    ],
)
def test_a_damaged_record_is_refused(kind, change):
    good = {
        Envelope: {"names": ["a", "b"], "lower": [0.0, None], "upper": [1.0, None],
                   "judged": [True, False]},
        Conformal: {"alpha": 0.1, "q0": 0.2, "q1": 0.6, "rows0": 10, "rows1": 10},
    }[kind]  # fmt: skip
    kind.from_dict(good)
    with pytest.raises(ModelProblem, match=f"{kind.__name__} is not valid"):
        kind.from_dict(good | change)
