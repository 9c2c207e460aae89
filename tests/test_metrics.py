"""The classifier's metrics against scikit-learn, statsmodels and cases worked by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from debtwatch.early_warning.intervals import cluster_labels, draw_clusters
from debtwatch.early_warning.metrics import (
    differences,
    lead_times,
    quartile_labels,
    score_models,
    signal_at,
    signal_from_counts,
    subgroups,
    top_places,
    watch_threshold,
)
from debtwatch.early_warning.ranking import drawn_ranking, ranking
from debtwatch.early_warning.reliability import calibrate, calibration_intercept, reliability_bins
from debtwatch.early_warning.spec import Signals
from debtwatch.sustainability.scores import brier, cluster_interval

few = settings(max_examples=25, deadline=None)


def simulated(rows=900, provinces=20, seed=3, ties=True):
    """Probabilities that rank, outcomes that follow them, provinces that differ."""
    rng = np.random.default_rng(seed)
    member = rng.integers(0, provinces, rows)
    score = rng.normal(size=rows) - 1.5 + 0.5 * rng.normal(size=provinces)[member]
    y = (rng.random(rows) < expit(score)).astype(float)
    p = expit(score + rng.normal(size=rows))
    group = np.array([f"P{m:02d}" for m in member], dtype=object)
    period = rng.integers(2015, 2019, rows)
    return (np.round(p, 2) if ties else p), y, group, period


def scored(p, y, group, period, **options):
    given = {"climatology": np.full(len(y), 0.2), "signals": Signals(), "draws": 40, "seed": 1}
    return score_models(p, y, group=group, period=period, **(given | options))


# -- ranking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_draw_equals_scikit_learn_with_the_draw_as_weights(seed):
    p, y, group, period = simulated(seed=seed)
    draws = draw_clusters(cluster_labels(group, period), draws=20, seed=seed)
    auc, pr_auc = drawn_ranking(p, y, draws)
    for k, times in enumerate(draws.times):
        weight = times[draws.member]
        assert auc[k] == pytest.approx(roc_auc_score(y, p, sample_weight=weight), abs=1e-12)
        expected = average_precision_score(y, p, sample_weight=weight)
        assert pr_auc[k] == pytest.approx(expected, abs=1e-12)


@few
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans(), st.integers(0, 3)),
                min_size=2, max_size=30))  # fmt: skip
def test_ranking_with_ties_and_weights_of_zero(rows):
    p, y, weight = (np.array(part, dtype=float) for part in zip(*rows, strict=True))
    (auc,), (pr_auc,) = ranking(p, y, weight[None])
    events, others = weight[y == 1].sum(), weight[y == 0].sum()
    if not events or not others:
        assert np.isnan(auc)
        assert np.isnan(pr_auc) == (events == 0)
        return
    pairs = np.sign(p[y == 1][:, None] - p[y == 0][None]) / 2 + 0.5
    by_pairs = (weight[y == 1][:, None] * weight[y == 0][None] * pairs).sum() / events / others
    assert auc == pytest.approx(by_pairs, abs=1e-12)
    expected = average_precision_score(y, p, sample_weight=weight)
    assert pr_auc == pytest.approx(expected, abs=1e-12)


def test_binormal_auc_tends_to_its_closed_form():
    rng = np.random.default_rng(0)
    y = np.repeat([0.0, 1.0], 200_000)
    assert ranking(rng.normal(size=y.size) + y, y)[0][0] == pytest.approx(0.7602499389, abs=0.003)


def test_blocks_of_draws_change_nothing(monkeypatch):
    p, y, group, period = simulated()
    draws = draw_clusters(cluster_labels(group, period), draws=13, seed=0)
    whole = drawn_ranking(p, y, draws)
    monkeypatch.setattr("debtwatch.early_warning.ranking._BLOCK", 2 * len(y))
    for one, other in zip(whole, drawn_ranking(p, y, draws), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-14)


# -- signals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("weight", "ur"), [(0.5, 0.2), (0.75, 0.4666666667), (0.9, -0.3333333333)])
def test_published_table_of_signals(weight, ur):
    one = signal_from_counts(30, 20, 20, 130, threshold=0.2, miss_weight=weight)
    assert one.nts == pytest.approx(0.2222222222, abs=1e-9)
    assert one.precision == pytest.approx(0.6)
    assert one.tme == pytest.approx(0.5333333333, abs=1e-9)
    assert one.tpr == pytest.approx(0.6)
    assert one.t1 == pytest.approx(0.4)
    assert one.t2 == one.fpr == pytest.approx(20 / 150)
    assert one.lift == pytest.approx(0.6 / 0.25)
    assert one.ur == pytest.approx(ur, abs=1e-9)


@few
@given(*[st.integers(0, 40)] * 4, st.floats(0.05, 0.95))
def test_usefulness_is_1_at_best_and_0_for_the_better_blanket_signal(a, b, c, d, weight):
    one = signal_from_counts(a, b, c, d, threshold=0.5, miss_weight=weight)
    if (a + c) and (b + d):
        assert one.ur <= 1 + 1e-9
        events, others = a + c, b + d
        perfect = signal_from_counts(events, 0, 0, others, threshold=0.5, miss_weight=weight)
        always = signal_from_counts(events, others, 0, 0, threshold=0.5, miss_weight=weight)
        never = signal_from_counts(0, 0, events, others, threshold=0.5, miss_weight=weight)
        assert perfect.ur == pytest.approx(1)
        assert max(always.ua, never.ua) == pytest.approx(0, abs=1e-12)
        assert one.tpr + one.t1 == pytest.approx(1)
    else:
        assert np.isnan(one.ur)
        assert np.isnan(one.tme)


def test_a_probability_on_the_threshold_is_a_signal():
    threshold = watch_threshold(Signals(miss_weight=0.7))
    assert threshold == 0.3
    one = signal_at(np.array([0.1 + 0.2, 0.3, 0.299999]), np.ones(3), threshold, miss_weight=0.7)
    assert (one.hits, one.misses) == (2, 1)


# -- lead times -----------------------------------------------------------------------------------


def test_lead_times_by_hand():
    # a: signals at 1, 3, 4 before the event at 5: the gap at 2 ends the run, lead 2.
    # b: no signal at 4: lead 0. c: signals at 3, 4, nothing judged before: lead 2, open.
    # d: event at 6, but 5 was not judged. e: signal, no event. f: signal at 4 only, lead 1.
    rows = [("a", t, p, 5) for t, p in [(1, 0.9), (2, 0.1), (3, 0.2), (4, 0.5)]]
    rows += [("b", 3, 0.9, 5), ("b", 4, 0.1, 5)]
    rows += [("c", 3, 0.9, 5), ("c", 4, 0.9, 5)]
    rows += [("d", 4, 0.9, 6), ("e", 4, 0.9, np.nan)]
    rows += [("f", 3, 0.1, 5), ("f", 4, 0.9, 5)]
    unit, period, p, event = (np.array(part) for part in zip(*rows, strict=True))
    event = event.astype(float)
    y = (~np.isnan(event)).astype(float)
    found = lead_times(
        unit.astype(object), period, p.astype(float), y=y, event_period=event, threshold=0.2
    )
    assert (found.events, found.unjudged, found.open) == (4, 1, 1)
    assert found.counts == ((0, 1), (1, 1), (2, 2))
    assert found.median == 1.5
    assert found.share_two == pytest.approx(1 / 2)
    assert found.share_none == pytest.approx(1 / 4)


def test_lead_times_without_events():
    found = lead_times(np.array(["a"], object), np.array([1]), np.array([0.9]), y=np.zeros(1),
                       event_period=np.array([np.nan]), threshold=0.2)  # fmt: skip
    assert found.events == 0
    assert np.isnan(found.median)
    assert found.counts == ()


# -- calibration ----------------------------------------------------------------------------------


def test_intercept_and_slope_equal_statsmodels():
    p, y, _, _ = simulated(ties=False)
    score = logit(p)
    alone = sm.GLM(y, np.ones((len(y), 1)), family=sm.families.Binomial(), offset=score).fit()
    both = sm.GLM(y, sm.add_constant(score), family=sm.families.Binomial()).fit()
    found = calibrate(p, y)
    assert found.intercept == pytest.approx(alone.params[0], abs=1e-8)
    assert found.intercept_se == pytest.approx(alone.bse[0], rel=1e-6)
    assert (found.slope_intercept, found.slope) == pytest.approx(tuple(both.params), abs=1e-8)
    assert found.slope_se == pytest.approx(both.bse[1], rel=1e-5)


def test_standard_error_by_cluster_is_the_sandwich():
    p, y, group, _ = simulated(provinces=20, ties=False)
    member = np.unique(group, return_inverse=True)[1]
    # Provinces that move together: outcomes of half of them are all shifted up.
    y = np.where((member % 2 == 0) & (np.arange(len(y)) % 2 == 0), 1.0, y)
    fit = sm.GLM(y, np.ones((len(y), 1)), family=sm.families.Binomial(), offset=logit(p))
    robust = fit.fit(cov_type="cluster", cov_kwds={"groups": member, "use_correction": True})
    # statsmodels multiplies by (n - 1) / (n - k) = 1 too, k being 1.
    assert calibration_intercept(p, y, member)[1] == pytest.approx(robust.bse[0], rel=1e-6)
    assert calibration_intercept(p, y, member)[1] > calibration_intercept(p, y)[1]
    # Clusters whose errors cancel do not make the figure surer than independent rows would.
    pairs = np.repeat(np.arange(50), 2)
    even = calibration_intercept(np.full(100, 0.5), np.tile([0.0, 1.0], 50), pairs)
    assert even[1] == pytest.approx(0.2)


def test_calibration_where_nothing_fixes_it():
    y = np.array([0.0, 0.0, 1.0, 1.0])
    separated = calibrate(np.array([0.1, 0.2, 0.6, 0.7]), y)
    assert np.isnan(separated.slope)
    assert np.isfinite(separated.intercept)
    flat = calibrate(np.full(4, 0.3), y)
    assert np.isnan(flat.slope)
    assert flat.intercept == pytest.approx(-logit(0.3))
    assert np.isnan(calibrate(np.full(4, 0.3), np.zeros(4)).intercept)


def test_certain_and_wrong_probabilities_stay_finite():
    found = calibrate(np.array([0.0, 1.0, 0.0, 1.0, 0.5]), np.array([1.0, 1.0, 0.0, 0.0, 1.0]))
    assert np.isfinite([found.intercept, found.slope]).all()


@few
@given(st.lists(st.tuples(st.sampled_from(np.linspace(0, 1, 7).tolist()), st.booleans()),
                min_size=1, max_size=60), st.randoms())  # fmt: skip
def test_parts_of_the_brier_score_add_up_and_ignore_the_order_of_rows(rows, random):
    p, y = (np.array(part, dtype=float) for part in zip(*rows, strict=True))
    found = calibrate(p, y)
    parts = found.reliability - found.resolution + found.uncertainty + found.within_bins
    assert parts == pytest.approx(brier(p, y), abs=1e-12)
    assert sum(one.rows for one in found.bins) == len(y)
    shuffled = list(rows)
    random.shuffle(shuffled)
    p2, y2 = (np.array(part, dtype=float) for part in zip(*shuffled, strict=True))
    for one, other in zip(found.bins, reliability_bins(p2, y2), strict=True):
        assert (one.mean_p, one.mean_y) == pytest.approx((other.mean_p, other.mean_y))


def test_equal_probabilities_stand_in_the_bin_of_their_middle():
    # Ranks 0 to 3 tie at .1 (middle 2 of 10, the first of two bins), 4 to 9 at .2 (middle 7).
    p = np.repeat([0.1, 0.2], [4, 6])
    assert [b.rows for b in reliability_bins(p, p, count=2)] == [4, 6]
    # The tie's middle at 5 of 10 belongs to the second bin, with the last row.
    p = np.repeat([0.1, 0.2, 0.3], [1, 8, 1])
    assert [b.rows for b in reliability_bins(p, p, count=2)] == [1, 9]


def test_bins_hold_as_many_rows_and_within_bins_vanishes_for_constant_bins():
    p = np.repeat(np.arange(10) / 10 + 0.05, 30)
    y = (np.arange(300) % 3 == 0).astype(float)
    found = calibrate(p, y)
    assert [one.rows for one in found.bins] == [30] * 10
    assert found.within_bins == pytest.approx(0, abs=1e-12)
    assert found.resolution == pytest.approx(0, abs=1e-12)
    assert [b.rows for b in reliability_bins(np.linspace(0, 1, 1000), np.ones(1000))] == [100] * 10


# -- scores ---------------------------------------------------------------------------------------


def test_score_against_the_formulas():
    p, y, group, period = simulated()
    climatology = np.where(period < 2017, 0.1, 0.3)
    one, flat = scored({"m": p, "flat": climatology}, y, group, period, climatology=climatology)
    inside = np.clip(p, 1e-6, 1 - 1e-6)
    assert one.base_rate == y.mean()
    assert one.auc.mean == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    by_origin = [roc_auc_score(y[period == t], p[period == t]) for t in np.unique(period)]
    assert one.auc_by_origin == pytest.approx(np.mean(by_origin), abs=1e-12)
    assert one.log_loss == pytest.approx(log_loss(y, inside), abs=1e-12)
    assert one.skill_train.mean == pytest.approx(1 - brier(p, y) / brier(climatology, y))
    assert one.skill_test == pytest.approx(1 - brier(p, y) / (y.mean() * (1 - y.mean())))
    assert one.watch.threshold == 0.2
    assert one.alert.threshold == 0.5
    assert flat.skill_train.mean == pytest.approx(0, abs=1e-12)
    assert flat.skill_train.lower == pytest.approx(0, abs=1e-12)
    assert flat.auc_by_origin == 0.5
    for part in (one.auc, one.pr_auc, one.brier, one.skill_train, one.precision_k):
        assert part.lower < part.mean < part.upper


def test_an_origin_of_one_class_is_left_out_of_the_mean_by_origin():
    p, y, group, period = simulated()
    y = np.where(period == 2016, 0.0, y)
    one = scored({"m": p}, y, group, period)[0]
    by_origin = [roc_auc_score(y[period == t], p[period == t]) for t in (2015, 2017, 2018)]
    assert one.auc_by_origin == pytest.approx(np.mean(by_origin), abs=1e-12)


def test_interval_of_the_brier_score_is_that_of_the_projection():
    p, y, group, period = simulated()
    one = scored({"m": p}, y, group, period, draws=300, seed=5)[0].brier
    other = cluster_interval((p - y) ** 2, cluster_labels(group, period), draws=300, seed=5)
    assert (one.mean, one.lower, one.upper) == pytest.approx((other.mean, other.lower, other.upper))


def test_the_list_of_each_origin():
    p = np.array([0.9, 0.8, 0.1, 0.2, 0.3, 0.4, 0.95, 0.1, 0.1, 0.1])
    period = np.repeat([1, 2], 5)
    # One of five is 20 %: the best row of each origin, not the two best of all.
    np.testing.assert_array_equal(np.flatnonzero(top_places(p, period, 0.2)), [0, 6])
    # 7 % of 100 are 7, whatever rounding says; 7.1 % are 8.
    hundred = np.linspace(0, 1, 100)
    assert 0.07 * 100 > 7
    assert top_places(hundred, np.zeros(100, int), 0.07).sum() == 7
    assert top_places(hundred, np.zeros(100, int), 0.071).sum() == 8
    y = np.array([1.0, 1, 0, 0, 0, 0, 0, 1, 0, 0])
    group = np.array(list("ABCDEABCDE"), object)
    one = scored({"m": p}, y, group, period, signals=Signals(capacity=0.2))[0]
    assert one.precision_k.mean == pytest.approx(1 / 2)
    assert one.recall_k == pytest.approx(1 / 3)
    assert one.lift_k == pytest.approx(0.5 / 0.3)


@few
@given(st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=1, max_size=25), st.floats(0.05, 0.9))
def test_places_on_a_list_are_as_many_as_promised(values, share):
    p = np.array(values)
    places = top_places(p, np.zeros(len(p), int), share)
    assert places.sum() == pytest.approx(np.ceil(share * len(p) - 1e-9))
    for value in set(values):
        assert len(set(places[p == value].tolist())) == 1


def test_order_of_rows_moves_nothing():
    p, y, group, period = simulated()
    order = np.random.default_rng(0).permutation(len(y))
    one = scored({"m": p}, y, group, period)[0]
    other = scored({"m": p[order]}, y[order], group[order], period[order])[0]
    assert one.auc.lower == pytest.approx(other.auc.lower, abs=1e-12)
    assert one.precision_k.upper == pytest.approx(other.precision_k.upper, abs=1e-12)
    assert one.calibration.slope == pytest.approx(other.calibration.slope, abs=1e-9)
    assert one.watch == other.watch


def test_one_class_only_gives_nan_where_nothing_is_defined_and_no_warning():
    p, _, group, period = simulated(rows=60)
    none = scored({"m": p}, np.zeros(60), group, period)[0]
    assert np.isnan([none.auc.mean, none.pr_auc.mean, none.skill_test, none.watch.tpr]).all()
    assert np.isnan([none.auc.lower, none.calibration.slope, none.recall_k]).all()
    assert none.brier.mean == pytest.approx(float((p**2).mean()))
    known = scored({"m": p}, np.zeros(60), group, period, climatology=np.zeros(60))[0]
    assert np.isnan([known.skill_train.mean, known.skill_train.lower]).all()
    every = scored({"m": p}, np.ones(60), group, period)[0]
    assert np.isnan(every.auc.mean)
    assert every.pr_auc.mean == 1


def test_what_would_give_a_silent_nan_is_refused():
    p, y, group, period = simulated(rows=30)
    holed = p.copy()
    holed[3] = np.nan
    for bad in (holed, p + 1, p[:-1]):
        with pytest.raises(ValueError, match=r"missing or outside|one entry"):
            scored({"m": bad}, y, group, period)
    with pytest.raises(ValueError, match="0 or 1"):
        scored({"m": p}, np.where(np.arange(30) == 0, np.nan, y), group, period)
    with pytest.raises(ValueError, match="at least one"):
        scored({"m": p[:0]}, y[:0], group[:0], period[:0])


# -- clusters -------------------------------------------------------------------------------------


def test_clusters_are_provinces_or_provinces_by_year():
    many = np.array([f"P{k % 15}" for k in range(60)], object)
    few_groups = np.array([f"P{k % 14}" for k in range(60)], object)
    period = np.repeat([2020, 2021], 30)
    assert len(np.unique(cluster_labels(many, period))) == 15
    assert len(np.unique(cluster_labels(few_groups, period))) == 28
    quarters = np.repeat([8080, 8081, 8083, 8084], 15)  # three of 2020, one of 2021
    labels = cluster_labels(np.array(["A"] * 60, object), quarters, "quarter")
    np.testing.assert_array_equal(labels, np.repeat([0, 0, 0, 1], 15))


def test_one_cluster_gives_no_interval():
    p, y, _, _ = simulated(rows=80)
    one_year = np.full(80, 2020)
    group = np.array(["A"] * 80, object)
    one = scored({"m": p}, y, group, one_year)[0]
    assert np.isnan([one.auc.lower, one.brier.upper]).all()
    gap = differences({"m": p, "n": 1 - p}, y, best="m", against=["n"], group=group,
                      period=one_year, draws=10, seed=0)[0]  # fmt: skip
    assert np.isnan(gap.share_better)
    assert np.isfinite(gap.value)


# -- differences ----------------------------------------------------------------------------------


def test_differences_are_paired_over_the_same_draws():
    p, y, group, period = simulated()
    other = np.clip(p * 0.9 + 0.03, 0, 1)
    found = differences({"a": p, "b": other}, y, best="a", against=["b"], group=group,
                        period=period, draws=60, seed=2)  # fmt: skip
    draws = draw_clusters(cluster_labels(group, period), draws=60, seed=2)
    gaps = [
        ((p - y) ** 2 * w).sum() / w.sum() - ((other - y) ** 2 * w).sum() / w.sum()
        for w in (times[draws.member] for times in draws.times)
    ]
    auc, _, score = found
    # The same ranking: no difference in any draw, and none counts as better.
    assert (auc.value, auc.lower, auc.upper, auc.share_better) == (0, 0, 0, 0)
    assert score.value == pytest.approx(brier(p, y) - brier(other, y))
    assert (score.lower, score.upper) == pytest.approx(tuple(np.quantile(gaps, [0.05, 0.95])))
    assert score.share_better == pytest.approx(np.mean(np.array(gaps) < 0))


def test_better_is_higher_but_for_the_brier_score():
    p, y, group, period = simulated()
    truth = np.clip(y, 0.1, 0.9)
    better = differences({"a": truth, "b": p}, y, best="a", against=["b"], group=group,
                         period=period, draws=30, seed=0)  # fmt: skip
    worse = differences({"a": truth, "b": p}, y, best="b", against=["a"], group=group,
                        period=period, draws=30, seed=0)  # fmt: skip
    assert [d.share_better for d in better] == [1, 1, 1]
    assert [d.share_better for d in worse] == [0, 0, 0]
    assert [d.value for d in better] == pytest.approx([-d.value for d in worse])


# -- subgroups ------------------------------------------------------------------------------------


def test_small_parts_are_pooled_and_no_row_is_lost():
    p, y, group, _ = simulated(provinces=8)
    events = {name: y[group == name].sum() for name in np.unique(group)}
    least = int(sorted(events.values())[3])
    parts = subgroups(p, y, labels={"province": group}, least_events=least)
    alone = [part for part in parts if not part.pooled]
    assert {part.label for part in alone} == {k for k, n in events.items() if n >= least}
    assert parts[-1].label == "other"
    assert parts[-1].pooled == len(events) - len(alone) > 0
    assert sum(part.rows for part in parts) == len(y)
    assert sum(part.events for part in parts) == y.sum()
    rows = group == alone[0].label
    assert alone[0].auc == pytest.approx(roc_auc_score(y[rows], p[rows]))
    assert alone[0].intercept == pytest.approx(calibration_intercept(p[rows], y[rows])[0])


def test_a_part_with_too_few_of_a_class_has_no_auc():
    y = np.array([1.0] * 30 + [0.0] * 5)
    (part,) = subgroups(np.linspace(0, 1, 35), y, labels={"size": np.array([None] * 35, object)})
    assert part.label == ""
    assert np.isnan(part.auc)
    assert part.brier > 0


def test_quartiles_are_of_the_origin():
    values = np.array([1.0, 2, 3, 4, 10, 20, 30, 40])
    labels = quartile_labels(values, np.repeat([1, 2], 4))
    assert labels.tolist() == ["1", "2", "3", "4"] * 2


# -- speed ----------------------------------------------------------------------------------------


def test_eleven_models_are_judged_in_seconds():
    p, y, group, period = simulated(rows=9000, provinces=26, ties=False)
    models = {f"m{k}": p ** (1 + k / 10) for k in range(11)}
    start = time.perf_counter()
    scored(models, y, group, period, draws=300)
    assert time.perf_counter() - start < 20
