"""Drift: the stability index, the intercept by vintage, the running sum of errors, the verdict."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from debtwatch.early_warning.drift import (
    Bins,
    Cusum,
    Shift,
    Vintage,
    cusum,
    drift_status,
    intercept_by_vintage,
    intercept_update,
    psi,
    reference_bins,
    shift_of,
    shifts,
)
from debtwatch.errors import ModelProblem

few = settings(max_examples=25, deadline=None)


def shown(note):
    return note.template.format(**note.values)


# -- stability index ------------------------------------------------------------------------------


def test_index_by_hand():
    bins = Bins((1.0, 2.0), (0.5, 0.3, 0.1, 0.1), 100)
    now = np.array([1.0, 0.5, 1.5, 2.0, 1.7, 9.0, 9.0, np.nan, np.nan, np.nan])
    actual, expected = [0.2, 0.3, 0.2, 0.3], [0.5, 0.3, 0.1, 0.1]
    by_hand = sum((a - e) * np.log(a / e) for a, e in zip(actual, expected, strict=True))
    assert psi(bins, now) == pytest.approx(by_hand, abs=1e-12)


def test_an_empty_bin_is_floored():
    bins = Bins((0.0,), (0.5, 0.5, 0.0), 100)
    expected = (1 - 0.5) * np.log(1 / 0.5) + (1e-4 - 0.5) * np.log(1e-4 / 0.5)
    assert psi(bins, np.ones(10)) == pytest.approx(expected, abs=1e-12)


@few
@given(st.lists(st.one_of(st.floats(-5, 5), st.just(float("nan")), st.sampled_from([0.0, 1.0])),
                min_size=1, max_size=60))  # fmt: skip
def test_training_itself_has_not_moved(values):
    train = np.array(values)
    bins = reference_bins(train)
    assert psi(bins, train) == pytest.approx(0, abs=1e-12)
    assert psi(train, train[::-1]) == pytest.approx(0, abs=1e-12)
    assert sum(bins.shares) == pytest.approx(1)
    assert Bins.from_dict(json.loads(json.dumps(bins.to_dict()))) == bins


def test_deciles_of_a_smooth_figure_hold_a_tenth_each():
    bins = reference_bins(np.random.default_rng(0).normal(size=1000))
    np.testing.assert_allclose(bins.shares[:-1], 0.1)
    assert bins.shares[-1] == 0


def test_a_rare_flag_keeps_its_own_bin():
    train = np.r_[np.zeros(95), np.ones(5)]
    bins = reference_bins(train)
    assert bins.edges == (0.0,)
    assert bins.shares == (0.95, 0.05, 0.0)
    assert psi(bins, np.r_[np.zeros(50), np.ones(50)]) > 0.25


def test_edges_are_figures_that_occur():
    assert reference_bins(np.r_[np.zeros(9), 1.0]).edges == (0.0,)


def test_figures_gone_missing_are_seen():
    train = np.random.default_rng(0).normal(size=500)
    assert shift_of("debt", reference_bins(train), np.full(200, np.nan)).level == "moved"
    never = reference_bins(np.full(20, np.nan))
    assert never.edges == ()
    assert shift_of("debt", never, np.full(5, np.nan)).level == "stable"
    assert shift_of("debt", never, np.ones(50)).level == "moved"
    assert np.isnan(psi(never, np.empty(0)))
    assert shift_of("debt", never, np.empty(0)).level == "stable"


def test_few_rows_do_not_cry_wolf_and_many_do():
    rng = np.random.default_rng(1)
    bins = reference_bins(rng.normal(size=2000))
    quiet = [shift_of("x", bins, rng.normal(size=40)) for _ in range(200)]
    # The index alone would call most of these 40-row samples moved.
    assert np.mean([one.psi >= 0.10 for one in quiet]) > 0.5
    assert np.mean([one.level != "stable" for one in quiet]) < 0.12
    assert shift_of("x", bins, rng.normal(size=40) + 2).level == "moved"
    assert shift_of("x", bins, rng.normal(size=2000) + 0.35).level == "watch"
    assert shift_of("x", bins, rng.normal(size=2000)).level == "stable"


def test_levels_begin_at_their_edges():
    bins = Bins((0.0,), (0.5, 0.5, 0.0), 10**6)
    below, amber, red = (
        np.r_[np.zeros(round(1e5 * (0.5 - d))), np.ones(round(1e5 * (0.5 + d)))]
        for d in (0.15, 0.16, 0.26)
    )
    found = [shift_of("x", bins, now) for now in (below, amber, red)]
    assert [one.level for one in found] == ["stable", "watch", "moved"]
    assert found[0].psi < 0.10 < found[1].psi < 0.25 < found[2].psi


def test_features_common_to_all_governments_are_left_out():
    x = pd.DataFrame({"debt": [1.0, 2.0, 3.0], "national": [5.0, 5.0, 5.0]})
    bins = {name: reference_bins(np.arange(10.0)) for name in x}
    assert [one.name for one in shifts(bins, x, common={"national"})] == ["debt"]


@pytest.mark.parametrize(
    "table",
    [
        {"edges": [1.0], "shares": [0.5, 0.5], "rows": 3},
        {"edges": [2.0, 1.0], "shares": [0.5, 0.5, 0.0, 0.0], "rows": 3},
        {"edges": [None], "shares": [0.5, 0.5, 0.0], "rows": 3},
        {"edges": [1.0], "shares": [0.5, 0.6, 0.0], "rows": 3},
        {"edges": [1.0], "shares": [1.5, -0.5, 0.0], "rows": 3},
        {"edges": ["1.0"], "shares": [0.5, 0.5, 0.0], "rows": 3},
        {"edges": [1.0], "shares": [0.5, 0.5, 0.0]},
        {"edges": [1.0], "shares": [0.5, 0.5, 0.0], "rows": 3, "more": 1},
        {"edges": [1.0], "shares": [0.5, 0.5, 0.0], "rows": 0},
        {"edges": 1.0, "shares": [0.5, 0.5, 0.0], "rows": 3},
    ],
)
def test_a_damaged_record_is_refused(table):
    with pytest.raises(ModelProblem, match="Bins is not valid"):
        Bins.from_dict(table)


# -- intercept ------------------------------------------------------------------------------------


def test_intercept_by_vintage_equals_statsmodels():
    rng = np.random.default_rng(2)
    period = np.repeat([2019, 2020], 400)
    score = rng.normal(size=800) - 1
    y = (rng.random(800) < expit(score + np.where(period == 2020, 1.0, 0.0))).astype(float)
    group = np.array([f"r{k}" for k in range(800)], object)
    first, second = intercept_by_vintage(expit(score), y, period, group)
    for one, t in ((first, 2019), (second, 2020)):
        rows = period == t
        fit = sm.GLM(y[rows], np.ones((400, 1)), family=sm.families.Binomial(), offset=score[rows])
        assert one.intercept == pytest.approx(fit.fit().params[0], abs=1e-8)
        assert one.z == pytest.approx(one.intercept / one.se)
        assert (one.rows, one.events) == (400, y[rows].sum())
    assert abs(first.intercept) < 0.3 < second.intercept
    assert not intercept_update([second, first][1:], train_rate=0.3).due
    assert intercept_update([second, first], train_rate=0.3).due


def test_provinces_that_move_together_widen_the_error():
    y = np.r_[np.ones(50), np.zeros(50)]
    p, period = np.full(100, 0.5), np.zeros(100, int)
    alone = np.array([str(k) for k in range(100)], object)
    two = np.repeat(np.array(["A", "B"], object), 50)
    assert intercept_by_vintage(p, y, period, alone)[0].se == pytest.approx(0.2, rel=0.01)
    assert intercept_by_vintage(p, y, period, two)[0].se > 1


@pytest.mark.parametrize(
    ("a", "z", "due"), [(0.31, 2.1, True), (-0.31, -2.1, True), (0.29, 5.0, False),
                        (0.9, 1.9, False), (np.nan, np.nan, False)],
)  # fmt: skip
def test_update_only_when_far_and_sure(a, z, due):
    update = intercept_update([Vintage(8083, 100, 30, 0.2, 0.3, a, 0.1, z)], train_rate=0.1,
                              frequency="quarter")  # fmt: skip
    assert update.due == due
    assert update.shift == pytest.approx(logit(0.3) - logit(0.1) if due else 0.0)
    assert "2020Q4" in shown(update.note)


def test_no_window_no_update():
    update = intercept_update([], train_rate=0.1)
    assert (update.due, update.shift, update.period) == (False, 0.0, None)


# -- running sum ----------------------------------------------------------------------------------


def test_running_sum_without_clusters_is_the_textbook_one():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.1, 0.5, 300)
    y = (rng.random(300) < p).astype(float)
    period = np.repeat([1, 2, 3], 100)
    one = cusum(p, y, period, np.array(["A"] * 300, object))
    for k, t in enumerate([1, 2, 3]):
        rows = period <= t
        assert one.total[k] == pytest.approx((y - p)[rows].sum())
        assert one.z[k] == pytest.approx((y - p)[rows].sum() / np.sqrt((p * (1 - p))[rows].sum()))
    assert not one.alarm


def test_alarm_when_events_double_and_first_period_of_it():
    rng = np.random.default_rng(0)
    period = np.repeat(np.arange(2015, 2021), 500)
    p = np.full(3000, 0.1)
    y = (rng.random(3000) < np.where(period >= 2018, 0.2, 0.1)).astype(float)
    group = np.array([f"P{k % 20}" for k in range(3000)], object)
    one = cusum(p, y, period, group)
    assert one.alarm
    assert one.first_alarm == 2018
    assert one.total[-1] == pytest.approx((y - p).sum())
    few_said = cusum(p + 0.25, y, period, group)
    assert few_said.alarm
    assert few_said.z[-1] < -3


def test_an_alarm_that_has_passed_is_remembered_but_does_not_stand():
    y = np.r_[np.tile([1.0, 1, 0, 0], 25), np.zeros(200)]
    period = np.repeat([1, 2, 3], 100)
    one = cusum(np.full(300, 0.2), y, period, np.array([str(k) for k in range(300)], object))
    assert one.total == pytest.approx((30, 10, -10))
    assert not one.alarm
    assert one.first_alarm == 1


def test_provinces_that_move_together_damp_the_alarm():
    rng = np.random.default_rng(4)
    member = np.repeat(np.arange(10), 100)
    rate = np.where(np.arange(10) % 2 == 0, 0.05, 0.45)[member]
    y = (rng.random(1000) < rate).astype(float)
    period, p = np.zeros(1000, int), np.full(1000, 0.17)
    alone = cusum(p, y, period, np.array([str(k) for k in range(1000)], object))
    together = cusum(p, y, period, np.array([f"P{m}" for m in member], object))
    assert alone.alarm
    assert not together.alarm
    residual = np.array([(y - p)[member == g].sum() for g in range(10)])
    spread = ((residual - residual.mean()) ** 2).sum() * 10 / 9
    assert together.z[0] == pytest.approx(residual.sum() / np.sqrt(spread))


def test_few_provinces_can_still_alarm():
    # A sandwich around zero could never exceed the square root of the number of clusters.
    y = np.tile([1.0, 1, 1, 1, 0, 0, 0, 0], 50)
    one = cusum(np.full(400, 0.1), y, np.zeros(400, int), np.array(list("ABCD") * 100, object))
    assert one.alarm


def test_certain_predictions_do_not_divide_by_zero():
    one = cusum(np.zeros(4), np.zeros(4), np.arange(4), np.array(list("AABB"), object))
    assert np.isnan(one.z).all()
    assert not one.alarm


# -- verdict --------------------------------------------------------------------------------------

STABLE = [Shift(f"x{k}", 0.02, 0.05, "stable") for k in range(7)]
CALM = Vintage(2019, 100, 20, 0.2, 0.2, 0.0, 0.1, 0.0)
OUT = Vintage(2020, 100, 40, 0.2, 0.4, 0.9, 0.2, 4.5)
ALARM = Cusum((2019, 2020), (1.0, 30.0), (0.3, 4.2), True, 2020)
OVER = Cusum((2019, 2020), (31.0, 2.0), (4.1, 0.2), False, 2019)


@pytest.mark.parametrize(
    ("given", "level", "words"),
    [
        ({}, "stable", ()),
        ({"features": STABLE, "vintages": [CALM], "errors": OVER}, "stable", ()),
        ({"errors": ALARM}, "do not trust", ("More events", "2020", "30")),
        ({"vintages": [CALM, OUT]}, "do not trust", ("too low at 2020", "+0.90")),
        ({"vintages": [OUT, Vintage(2021, 9, 1, 0.1, 0.1, 0.0, 1.0, 0.0)]}, "watch", ("2020",)),
        ({"score": Shift("", 0.4, 0.1, "moved")}, "do not trust", ("0.40",)),
        ({"score": Shift("", 0.2, 0.1, "watch")}, "watch", ("0.20",)),
        ({"features": [*STABLE, Shift("debt", 0.3, 0.1, "moved")]}, "watch", ("debt 0.30",)),
        ({"features": [*STABLE, Shift("debt", 0.2, 0.1, "watch")]}, "watch", ("debt 0.20",)),
        (
            {"features": [*STABLE[:6], *(Shift(n, 0.3, 0.1, "moved") for n in ("debt", "land"))]},
            "do not trust",
            ("2 of 8", "debt 0.30, land 0.30"),
        ),
    ],
)
def test_verdict(given, level, words):
    found = drift_status(**given)
    assert found.level == level
    text = " ".join(shown(note) for note in found.reasons)
    assert all(word in text for word in words)
    assert bool(found.reasons) == (level != "stable")


def test_gravest_reason_first():
    found = drift_status(
        features=[*STABLE, Shift("debt", 0.2, 0.1, "watch")],
        score=Shift("", 0.2, 0.1, "watch"),
        vintages=[replace(OUT, period=2018), OUT, Vintage(2021, 9, 5, 0.1, 0.5, -0.9, 0.2, -4.5)],
        errors=ALARM,
    )
    texts = [shown(note) for note in found.reasons]
    assert len(texts) == 6
    assert texts[0].startswith("More events")
    assert "too high at 2021" in texts[1]
    assert "too low at 2020" in texts[2]
    assert "too low at 2018" in texts[3]


def test_a_figure_that_swings_with_the_year_has_not_drifted_until_it_swings_further():
    rng = np.random.default_rng(4)
    period = np.repeat(np.arange(2010, 2020), 200)
    train = rng.normal(size=2000) + np.where(period % 2 == 0, 1.0, -1.0)
    bins = reference_bins(train, period)
    up = rng.normal(size=200) + 1.0
    assert bins.usual > 0.25
    assert shift_of("x", reference_bins(train), up).level == "moved"
    assert shift_of("x", bins, up).level == "stable"
    assert shift_of("x", bins, up + 3.0).level == "moved"
    assert Bins.from_dict(json.loads(json.dumps(bins.to_dict()))) == bins


def test_a_history_too_short_for_a_change_does_not_hide_later_shifts():
    rng = np.random.default_rng(4)
    period = np.repeat(np.arange(2010, 2020), 300)
    train = rng.normal(size=3000)
    train[period < 2012] = np.nan  # a change over two years has no figure in the first two
    bins = reference_bins(train, period)
    assert bins.rows == 2400
    assert bins.shares[-1] == 0
    assert bins.usual < 0.25
    assert shift_of("x", bins, rng.normal(size=300)).level == "stable"
    assert shift_of("x", bins, rng.normal(size=300) + 1.0).level == "moved"
    assert shift_of("x", bins, np.where(np.arange(300) % 2 == 0, np.nan, 0.0)).level == "moved"
    nothing = reference_bins(np.full(4, np.nan), np.arange(4))
    assert (nothing.rows, nothing.shares, nothing.usual) == (4, (0.0, 1.0), 0.0)
