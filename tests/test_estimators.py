from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from debtwatch.early_warning.calibration import Platt, fit_platt
from debtwatch.early_warning.feature_signals import find_signals
from debtwatch.early_warning.firth import firth_logit, rate_intercept, signed_logit
from debtwatch.early_warning.logit import HazardLogit
from debtwatch.early_warning.rules_of_thumb import (
    BestSignal,
    DistanceLogit,
    Extrapolation,
    GivenProbability,
    LevelAndTrend,
    Persistence,
    SignalComposite,
    Squash,
)
from debtwatch.early_warning.trees import SmallTrees
from debtwatch.errors import ModelProblem

ALL = [
    HazardLogit(), HazardLogit(knots=2, firth=True), SmallTrees(leaves=(3,), rounds=30),
    DistanceLogit(), LevelAndTrend(), Extrapolation(), BestSignal(), SignalComposite(),
    Persistence(), GivenProbability(),
]  # fmt: skip


@parametrize_with_checks(ALL)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def figures(rows=600, seed=0, gaps=0.1):
    """Three features, the first two telling, with gaps."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3))
    y = (rng.random(rows) < expit(-1.5 + 1.2 * x[:, 0] - 0.8 * x[:, 1])).astype(float)
    x[rng.random(x.shape) < gaps] = np.nan
    x[:, 2] = np.nan_to_num(x[:, 2])
    return pd.DataFrame(x, columns=["debt", "reserve", "noise"]), y


# Hazard logit -----------------------------------------------------------------------------------


@pytest.mark.parametrize("knots", [0, 3])
@pytest.mark.parametrize("signs", [None, ("+", "-", "0")])
def test_contributions_add_up_to_the_log_odds(knots, signs):
    x, y = figures()
    logit = HazardLogit(signs, knots=knots).fit(x, y)
    added = logit.contributions(x)
    assert added.shape == x.shape
    assert np.abs(logit.base_ + added.sum(axis=1) - logit.log_odds(x)).max() < 1e-12
    # Relative to the training mean: each feature's contributions average to nothing.
    assert np.abs(added.mean(axis=0)).max() < 1e-12
    p = logit.predict_proba(x)
    assert np.allclose(np.log(p[:, 1] / p[:, 0]), logit.log_odds(x), atol=1e-10)


def test_the_logit_is_scikit_learns_on_figures_prepared_by_hand():
    x, y = figures()
    x += 5
    raw = x.to_numpy()
    low, high = (np.nanquantile(raw, q, axis=0, method="nearest") for q in (0.01, 0.99))
    filled = np.where(np.isnan(raw), np.nanmedian(raw, axis=0), np.clip(raw, low, high))
    design = np.column_stack([filled, np.isnan(raw[:, :2])])
    z = (design - design.mean(axis=0)) / design.std(axis=0)
    expected = LogisticRegression(C=0.1, max_iter=2000, tol=1e-8).fit(z, y).decision_function(z)
    assert np.allclose(HazardLogit().fit(x, y).log_odds(x), expected, atol=1e-5)


def test_a_missing_flag_belongs_to_its_feature():
    x, y = figures()
    logit = HazardLogit().fit(x, y)
    assert [e.missing is not None for e in logit.effects_] == [True, True, False]
    gone = x.assign(debt=np.nan)
    moved = logit.contributions(gone) - logit.contributions(x)
    assert np.all(moved[:, 1:] == 0)
    assert np.ptp(logit.contributions(gone)[:, 0]) == 0


def test_signs_are_kept_and_inactive_ones_change_nothing():
    x, y = figures(gaps=0.0)
    free = HazardLogit().fit(x, y)
    kept = HazardLogit(("+", "-", "0")).fit(x, y)
    assert np.allclose(free.log_odds(x), kept.log_odds(x), atol=1e-4)
    against = HazardLogit(("-", "-", "0"), knots=2).fit(x, y)
    assert np.all(against.contributions(x)[:, 0] == 0)
    order = np.argsort(x["reserve"].to_numpy())
    assert (np.diff(against.contributions(x)[order, 1]) <= 1e-12).all()


def test_knots_bend_the_effect_where_the_risk_bends():
    x = np.linspace(0, 1, 2000)[:, None]
    y = (np.random.default_rng(0).random(2000) < np.where(x[:, 0] > 0.75, 0.5, 0.02)).astype(float)
    logit = HazardLogit(("+",), knots=3, c=10.0).fit(x, y)
    assert len(logit.effects_[0].pieces) == 4
    at = logit.log_odds(np.array([[0.1], [0.5], [0.97]]))
    straight = HazardLogit(("+",), c=10.0).fit(x, y).log_odds(np.array([[0.1], [0.5], [0.97]]))
    assert at[2] - at[1] > 4 * (at[1] - at[0])
    assert straight[2] - straight[1] < 1.5 * (straight[1] - straight[0])


@given(st.integers(0, 50), st.integers(0, 3), st.booleans())
@settings(max_examples=12)
def test_json_gives_the_same_logit_to_the_last_digit(seed, knots, named):
    x, y = figures(rows=120, seed=seed)
    x = x if named else x.to_numpy()
    logit = HazardLogit(("+", "-", "0"), knots=knots).fit(x, y)
    again = HazardLogit.from_dict(json.loads(json.dumps(logit.to_dict(), allow_nan=False)))
    assert (again.log_odds(x) == logit.log_odds(x)).all()
    assert again.effects_ == logit.effects_
    assert again.get_params() == {**logit.get_params(), "signs": ["+", "-", "0"]}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("base",), float("nan")), (("classes",), [0]), (("names",), ["debt"]),
        (("effects", 0, "edges"), [2.0, 1.0]), (("effects", 0, "edges"), [0.0, 1.0, 2.0]),
        (("effects", 0, "column"), 7), (("effects", 0, "name"), "reserve"),
        (("effects", 0, "pieces", 0, "scale"), 0.0), (("effects", 0, "median"), "1"),
        (("effects", 0, "pieces", 0, "coefficient"), None), (("settings",), {"power": 2}),
    ],
)  # fmt: skip
def test_a_damaged_record_is_refused(place, value):
    x, y = figures(rows=120)
    record = json.loads(json.dumps(HazardLogit().fit(x, y).to_dict()))
    part = record
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    with pytest.raises(ModelProblem, match="not complete or not valid"):
        HazardLogit.from_dict(record)


def test_a_record_with_a_part_missing_is_refused():
    x, y = figures(rows=120)
    record = HazardLogit().fit(x, y).to_dict()
    for name in record:
        with pytest.raises(ModelProblem):
            HazardLogit.from_dict({k: v for k, v in record.items() if k != name})


def test_columns_that_say_nothing_are_left_out_and_listed():
    x, y = figures()
    x["empty"], x["same"], x["few"] = np.nan, 3.0, np.nan
    x.loc[:48, "few"] = np.arange(49.0)
    rare = np.zeros(len(x))
    rare[:3] = 1
    x["rare"] = rare
    logit = HazardLogit().fit(x, y)
    assert logit.left_out_ == ("empty", "same", "few")
    trees = SmallTrees(leaves=(3,), rounds=5).fit(x, y)
    assert trees.left_out_ == ("empty", "same", "few")
    assert not np.isnan(trees.log_odds(x)).any()
    nothing = x[["empty", "same"]]
    for model in (HazardLogit(), SmallTrees(leaves=(3,))):
        p = model.fit(nothing, y).predict_proba(nothing)[:, 1]
        assert np.allclose(p, y.mean())


@pytest.mark.parametrize("model", ALL, ids=lambda m: type(m).__name__)
def test_sentinels_and_gaps_leave_no_nan(model):
    x, y = figures(rows=400)
    x = x.to_numpy(copy=True)
    x[5, 0], x[6, 1], x[7, 2], x[8, 0] = 1e16, -1e308, 1e308, 1.7e308
    p = model.fit(x, y).predict_proba(x)
    assert np.isfinite(p).all()
    assert np.isfinite(model.predict_proba(np.full((1, 3), np.nan))).all()
    with pytest.raises(ValueError, match="infinity"):
        model.predict_proba(np.full((1, 3), np.inf))
    with pytest.raises(ValueError, match="one class"):
        model.fit(x, np.zeros(len(x)))


def test_firth_is_used_with_few_events_only():
    x, y = figures(rows=2000)
    assert not HazardLogit().fit(x, y).firth_
    few = np.flatnonzero(y == 1)[:20]
    rare = np.zeros_like(y)
    rare[few] = 1
    logit = HazardLogit().fit(x, rare)
    assert logit.firth_
    assert np.isclose(logit.predict_proba(x)[:, 1].mean(), rare.mean(), atol=1e-9)


# Firth and signs --------------------------------------------------------------------------------


def test_firth_solves_its_score_equation():
    x, y = figures(rows=60, gaps=0.0)
    z = x.to_numpy()
    a, b = firth_logit(z, y)
    d = np.column_stack([np.ones(len(y)), z])
    p = expit(a + z @ b)
    w = p * (1 - p)
    half = d * np.sqrt(w)[:, None]
    hat = np.diag(half @ np.linalg.inv(half.T @ half) @ half.T)
    assert np.abs(d.T @ (y - p + hat * (0.5 - p))).max() < 1e-8


def test_firth_is_the_maximum_of_the_penalised_likelihood():
    x, y = figures(rows=40, gaps=0.0)
    d = np.column_stack([np.ones(len(y)), x.to_numpy()])

    def loss(beta):
        eta = d @ beta
        w = expit(eta) * expit(-eta)
        return -(y @ eta - np.logaddexp(0, eta).sum()
                 + 0.5 * np.linalg.slogdet((d * w[:, None]).T @ d)[1])  # fmt: skip

    exact = {"xatol": 1e-9, "fatol": 1e-12, "maxiter": 20000, "maxfev": 20000}
    best = minimize(loss, np.zeros(4), method="Nelder-Mead", options=exact)
    a, b = firth_logit(x.to_numpy(), y)
    assert np.allclose([a, *b], best.x, atol=1e-5)


def test_firth_nears_maximum_likelihood_with_many_rows():
    x, y = figures(rows=20000, gaps=0.0)
    usual = sm.Logit(y, sm.add_constant(x.to_numpy())).fit(disp=0).params
    a, b = firth_logit(x.to_numpy(), y)
    assert np.allclose([a, *b], usual, atol=2e-3)


def test_collinear_terms_need_a_ridge():
    z = np.random.default_rng(0).normal(size=(50, 1))
    twice = np.column_stack([z, z])
    y = (z[:, 0] > 0.5).astype(float)
    with pytest.raises(ValueError, match="collinear"):
        firth_logit(twice, y)
    _, b = firth_logit(twice, y, ridge=1.0)
    assert np.isclose(b[0], b[1])


def test_signed_logit_agrees_with_the_open_ones_where_no_sign_binds():
    x, y = figures(rows=300, gaps=0.0)
    z = x.to_numpy()
    signs = np.array([1, -1, 0], dtype=np.int8)
    a, b = signed_logit(z, y, ridge=2.0, signs=signs)
    usual = LogisticRegression(C=0.5, tol=1e-10, max_iter=2000).fit(z, y)
    assert np.allclose([a, *b], [usual.intercept_[0], *usual.coef_[0]], atol=1e-5)
    assert np.allclose(np.r_[signed_logit(z, y, ridge=2.0, signs=signs, firth=True)[1]],
                       firth_logit(z, y, ridge=2.0)[1], atol=1e-3)  # fmt: skip


@given(st.integers(0, 1000), st.integers(1, 30))
@settings(max_examples=25)
def test_rate_intercept_gives_the_event_rate(seed, events):
    offset = np.random.default_rng(seed).normal(scale=3, size=60)
    y = np.r_[np.ones(events), np.zeros(60 - events)]
    assert np.isclose(expit(rate_intercept(offset, y) + offset).mean(), y.mean(), atol=1e-9)


# Trees ------------------------------------------------------------------------------------------


def test_trees_are_the_boosting_of_scikit_learn_with_signs():
    x, y = figures()
    trees = SmallTrees(("+", "-", "0"), leaves=(4,), rounds=40).fit(x, y)
    same = HistGradientBoostingClassifier(
        max_iter=40, learning_rate=0.03, max_leaf_nodes=4, min_samples_leaf=30,
        l2_regularization=5.0, monotonic_cst=[1, -1, 0], early_stopping=False, random_state=0,
    ).fit(x.to_numpy(), y)  # fmt: skip
    assert (trees.log_odds(x) == same.decision_function(x.to_numpy())).all()


def test_leaves_are_chosen_by_provinces_that_were_not_seen():
    x, y = figures(rows=800)
    groups = np.array([f"g{i % 8}" for i in range(800)], dtype=object)
    trees = SmallTrees(leaves=(2, 6, 15), rounds=40).fit(x, y, groups)
    assert set(trees.losses_) == {2, 6, 15}
    assert trees.leaves_ == min(trees.losses_, key=trees.losses_.get)
    told = trees.out_of_fold_
    loss = -np.mean(y * np.log(expit(told)) + (1 - y) * np.log(expit(-told)))
    assert np.isclose(loss, trees.losses_[trees.leaves_])
    # A province's own outcomes do not move what is said of it out of fold.
    turned = np.where(groups == "g3", 1 - y, y)
    again = SmallTrees(leaves=(trees.leaves_,), rounds=40).fit(x, turned, groups)
    assert (again.out_of_fold_ == told)[groups == "g3"].all()
    assert SmallTrees(leaves=(6, 2), rounds=5).fit(x, y).leaves_ == 6


def test_a_fold_without_any_figure_of_a_column_does_not_stop_the_trees():
    x, y = figures(rows=400)
    groups = np.array([f"g{i // 200}" for i in range(400)], dtype=object)
    x.loc[groups == "g0", "reserve"] = np.nan
    trees = SmallTrees(leaves=(3,), rounds=10).fit(x, y, groups)
    assert np.isfinite(trees.out_of_fold_).all()


def test_trees_come_back_from_their_record():
    x, y = figures()
    trees = SmallTrees(("+", "-", "0"), leaves=(3, 4), rounds=10).fit(x, y)
    record = json.loads(json.dumps(trees.to_dict()))
    again = SmallTrees.from_dict(record, trees.model_)
    assert (again.log_odds(x) == trees.log_odds(x)).all()
    assert again.to_dict() == record


# Rules of thumb ---------------------------------------------------------------------------------


def test_scores_become_probabilities_in_the_same_order_with_the_right_mean():
    x, y = figures(gaps=0.0)
    x = x.to_numpy(copy=True)
    x[0, 0] = 1e16
    model = DistanceLogit(0).fit(x, y)
    p = model.predict_proba(x)[:, 1]
    order = np.argsort(x[:, 0])
    assert (np.diff(p[order]) > 0).all()
    assert np.isclose(p.mean(), y.mean(), atol=1e-9)
    assert DistanceLogit(0, sign="-").fit(x, y).slope_ == 1e-3


@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=30, unique=True))
@settings(max_examples=40)
def test_squash_keeps_the_order_and_stays_near(values):
    z = Squash(-1.0, 3.0)(np.sort(np.array(values)))
    assert (np.diff(z) >= -1e-12).all()
    assert (z > -1 - 1e-9).all()
    assert (z < 2 + 1e-9).all()


def test_signals_of_a_table_checkable_by_hand():
    # 50 events, 30 of them at 1; 150 others, 20 of them at 1: TPR .6, FPR .1333, noise .2222.
    x = np.r_[np.ones(30), np.zeros(20), np.ones(20), np.zeros(130)][:, None]
    y = np.r_[np.ones(50), np.zeros(150)]
    (signal,) = find_signals(x, y)
    assert signal.threshold == 1
    assert np.isclose(signal.noise, 0.2222222222)
    assert np.isclose(signal.usefulness, 0.6 - 20 / 150)
    assert find_signals(x, y, ("-",)) == ()
    assert find_signals(-x, y)[0].sign == -1


def test_composite_weighs_signals_by_their_noise():
    rng = np.random.default_rng(1)
    y = (np.arange(400) < 80).astype(float)
    good = np.where(rng.random(400) < 0.9, y, 1 - y)
    weak = np.where(rng.random(400) < 0.6, y, 1 - y)
    model = SignalComposite(("+", "+")).fit(np.column_stack([good, weak]), y)
    a, b = (1 / s.noise for s in model.signals_)
    given_score = model._score(np.array([[1.0, 0], [0, 1], [1, 1], [np.nan, 1]]))
    assert np.allclose(given_score, [a / (a + b), b / (a + b), 1, b / (a + b)])
    assert BestSignal().fit(np.column_stack([weak, good]), y).signal_.column == 1


def test_persistence_is_the_event_rate_of_the_place():
    x = np.r_[np.zeros(60), np.ones(40), [np.nan] * 10][:, None]
    y = np.r_[np.ones(6), np.zeros(54), np.ones(30), np.zeros(10), np.ones(5), np.zeros(5)]
    base = 41 / 110
    by_class = Persistence((0,), edges=()).fit(x, y)
    expected = [(6 + base) / 61, (30 + base) / 41, (5 + base) / 11, base]
    told = by_class.predict_proba(np.array([[0.0], [1.0], [np.nan], [7.0]]))[:, 1]
    assert np.allclose(told, expected)
    by_side = Persistence((0,), edges=(0.5,)).fit(x, y)
    assert np.allclose(by_side.predict_proba(np.array([[0.3], [9.0]]))[:, 1], expected[:2])
    spread = np.linspace(0, 1, 1000)[:, None]
    deciles = Persistence().fit(spread, (np.arange(1000) % 3 == 0).astype(float))
    assert len(np.unique(deciles.predict_proba(spread)[:, 1])) <= 10
    assert len(deciles.edges_) == 9


def test_a_given_probability_is_taken_as_it_is():
    p = np.array([[0.2], [0.7], [np.nan], [0.0], [1.0]])
    model = GivenProbability().fit(p, np.array([0, 1, 0, 0, 1]))
    assert np.allclose(model.predict_proba(p)[:, 1], [0.2, 0.7, 0.4, 1e-6, 1 - 1e-6])


def test_level_and_trend_counts_a_missing_change_as_average():
    x = np.column_stack([np.linspace(0, 1, 200), np.tile([-1.0, 1.0], 100)])
    y = (np.arange(200) > 150).astype(float)
    model = LevelAndTrend((0, 1), signs=("+", "+")).fit(x, y)
    up, none, down = model._score(np.array([[0.5, 1], [0.5, np.nan], [0.5, -1]]))
    assert up > none > down
    assert np.isclose(up + down, 2 * none)


# Calibration ------------------------------------------------------------------------------------


def test_platt_undoes_a_known_distortion_and_leaves_small_samples_alone():
    rng = np.random.default_rng(0)
    s = rng.normal(-1, 1.5, 40000)
    y = (rng.random(40000) < expit(0.4 + 0.6 * s)).astype(float)
    platt = fit_platt(s, y)
    assert np.allclose([platt.intercept, platt.slope], [0.4, 0.6], atol=0.04)
    few = np.zeros(40000)
    few[:49] = 1
    assert fit_platt(s, few) == Platt(0.0, 1.0)
    assert fit_platt(-s, y) == Platt(0.0, 1.0)
    # A distortion that chance alone may make is left.
    fair = (rng.random(40000) < expit(s)).astype(float)
    assert fit_platt(s[:400], fair[:400]) == Platt(0.0, 1.0)
    assert platt.inverse(platt(s))[7] == pytest.approx(s[7])
