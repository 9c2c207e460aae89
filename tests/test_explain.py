"""Scores and their reasons: exact parts, plain words, and silence that says why."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit

from debtwatch.early_warning.calibration import Platt
from debtwatch.early_warning.drift import Bins, reference_bins
from debtwatch.early_warning.explain import (
    NO,
    NOT_ADDITIVE,
    SENTENCES,
    YES,
    Reason,
    _places,
    contributions,
    plain_figure,
    reasons,
    sensitivity,
    sentence,
)
from debtwatch.early_warning.model_file import load_model, save_model
from debtwatch.early_warning.score import SIGNALS, SILENCE, capacity_list, ranks, score
from debtwatch.early_warning.spec import Feature
from debtwatch.early_warning.trained import EVERYWHERE, Trained, group_medians
from debtwatch.errors import ModelProblem
from debtwatch.language import Language, language
from tests import trained_case


@pytest.fixture(scope="module")
def trained() -> Trained:
    return trained_case.trained()


@pytest.fixture(scope="module")
def rows():
    return trained_case.sample(seed=5)


# -- contributions --------------------------------------------------------------------------------


@pytest.mark.parametrize("platt", [Platt(), Platt(-0.7, 1.3)])
@pytest.mark.parametrize("shift", [0.0, 0.4])
def test_contributions_add_up_to_the_log_odds(trained, rows, platt, shift):
    model = replace(trained, calibration={"logit": platt}, intercept_shift=shift)
    base, parts = contributions(model, rows)
    total = base + parts.to_numpy().sum(axis=1)
    assert np.abs(total - model.log_odds(rows)["logit"]).max() < 1e-12
    assert list(parts.columns) == list(model.spec.names)


def test_a_feature_left_out_adds_nothing(rows):
    x = rows.x.assign(silent=0.0)
    from debtwatch.early_warning.logit import HazardLogit

    fitted = HazardLogit(("+", "-", "+", "0", "+")).fit(x, rows.y)
    assert fitted.left_out_ == ("silent",)
    model = replace(trained_case.trained(), logit=fitted)
    _, parts = contributions(model, rows)
    assert (parts["silent"] == 0).all()
    assert all(r.feature != "silent" for row in reasons(model, rows, top=9) for r in row)


def test_a_logit_fitted_on_plain_figures_is_explained_too(rows):
    from debtwatch.early_warning.logit import HazardLogit

    model = trained_case.trained()
    bare = HazardLogit(model.logit.signs, c=model.logit.c).fit(rows.x.to_numpy(), rows.y)
    named = HazardLogit(model.logit.signs, c=model.logit.c).fit(rows.x, rows.y)
    pair = [contributions(replace(model, logit=fitted), rows)[1] for fitted in (bare, named)]
    pd.testing.assert_frame_equal(*pair)


# -- reasons --------------------------------------------------------------------------------------


def test_reasons_are_the_largest_positive_contributions(trained, rows):
    _, parts = contributions(trained, rows)
    given_reasons = reasons(trained, rows, top=2)
    assert len(given_reasons) == len(rows)
    for i, row in enumerate(given_reasons):
        positive = parts.iloc[i][parts.iloc[i] > 0].sort_values(ascending=False).head(2)
        assert [r.contribution for r in row] == positive.to_list()
        assert {r.feature for r in row} == set(positive.index)
        for r in row:
            value = rows.x.iloc[i][r.feature]
            assert r.value == value or (np.isnan(r.value) and np.isnan(value))
            assert r.direction == "raises"
            assert (r.place == "missing") == bool(np.isnan(value))


def test_no_reasons_when_none_is_asked_for(trained, rows):
    assert set(reasons(trained, rows, top=0)) == {()}


def test_places_of_a_hundred_figures():
    figures = np.arange(1.0, 101.0)
    bins = reference_bins(figures)
    places = _places(bins, figures)
    wanted = (
        ["lowest tenth"] * 10 + ["lowest fifth"] * 10 + ["lower half"] * 30
        + ["upper half"] * 30 + ["highest fifth"] * 10 + ["highest tenth"] * 10
    )  # fmt: skip
    assert places == wanted
    beyond = _places(bins, np.array([-1e16, 1e16, np.nan]))
    assert beyond == ["lowest tenth", "highest tenth", "missing"]


def test_places_of_ties_and_of_nothing():
    # Three quarters are 0: a 0 stands in the middle, the others among the highest fifth or so.
    mostly_zero = reference_bins(np.r_[np.zeros(80), np.arange(1.0, 21.0)])
    assert _places(mostly_zero, np.array([0.0, 20.0])) == ["middle", "highest tenth"]
    # Half of the rows missing does not move the places of the known ones.
    half_gone = reference_bins(np.r_[np.arange(1.0, 101.0), np.full(100, np.nan)])
    assert _places(half_gone, np.array([100.0, 50.0])) == ["highest tenth", "lower half"]
    assert _places(None, np.array([1.0, np.nan])) == ["middle", "missing"]
    nothing = Bins((), (0.0, 1.0), 5)
    assert _places(nothing, np.array([np.nan]))[0] == "missing"


@settings(max_examples=40)
@given(st.lists(st.integers(0, 6), min_size=30, max_size=60))
def test_a_place_never_claims_too_few(figures):
    array = np.array(figures, float)
    for value, place in zip(array, _places(reference_bins(array), array), strict=True):
        if place.startswith("highest"):
            share = {"highest tenth": 0.1, "highest fifth": 0.2}[place]
            assert (array >= value).mean() <= share + 0.025 + 1e-9
        if place.startswith("lowest"):
            share = {"lowest tenth": 0.1, "lowest fifth": 0.2}[place]
            assert (array <= value).mean() <= share + 0.025 + 1e-9


# -- words ----------------------------------------------------------------------------------------


def feature(**changes: object) -> Feature:
    label = {"zh": "偿债率", "en": "Debt service ratio"}
    return Feature.model_validate({"id": "service", "of": "service", "label": label, **changes})


def reason(value: float, place: str = "highest tenth") -> Reason:
    return Reason("service", value, 0.5, "raises", place)


@pytest.mark.parametrize(
    ("changes", "said", "text"),
    [
        ({}, reason(14.2), "Debt service ratio 14.2, among the highest tenth of governments"),
        ({"log": True}, reason(np.log(12345.0)), "Debt service ratio 12,345, among the highest"),
        ({"measure": "projection", "of": None}, reason(0.0), "Debt service ratio 0.5, among"),
        ({"measure": "missing"}, reason(1.0), "Debt service ratio: yes"),
        ({"measure": "is", "value": "C"}, reason(0.0), "Debt service ratio: no"),
        ({}, reason(np.nan, "missing"), "Debt service ratio: not known"),
        ({"measure": "is", "value": "C"}, reason(np.nan, "missing"), "Debt service ratio: not kn"),
        ({}, reason(2e16), "Debt service ratio 20,000,000,000,000,000, among"),
    ],
)  # fmt: skip
def test_reasons_in_english(changes, said, text):
    assert sentence(said, feature(**changes), language("en")).startswith(text)


def test_reasons_in_chinese_use_the_catalogue_and_the_label():
    class Catalogue:
        def gettext(self, message):
            return f"译{{label}}／{{value}}:{message[-11:]}"

    said = sentence(reason(14.2), feature(), Language("zh", Catalogue()))
    assert said == "译偿债率／14.2:governments"


def test_every_text_can_be_filled():
    for template in (*SENTENCES.values(), YES, NO):
        assert "{" not in template.format(label="a", value="1")
    for text in (*SILENCE.values(), *SIGNALS.values(), NOT_ADDITIVE):
        assert "{" not in text
        assert "%" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (1234.5, "1,234"), (-1234.6, "-1,235"), (1e-7, "0.0000001"), (999.9, "1000"),
     (1e300, f"{1e300:,.0f}"), (np.nan, "nan")],
)  # fmt: skip
def test_plain_figures(value, text):
    assert plain_figure(value) == text


# -- sensitivity ----------------------------------------------------------------------------------


def test_sensitivity_resets_to_the_median_of_the_group(trained, rows):
    found = sensitivity(trained, rows)
    assert found.label == NOT_ADDITIVE
    i, j = np.unravel_index(np.argmax(found.change.to_numpy()), found.change.shape)
    name, row = found.change.columns[j], rows.take(np.array([i]))
    reset = replace(row, x=row.x.assign(**{name: trained.medians.loc[rows.group[i], name]}))
    now, then = (expit(trained.log_odds(s)["trees"])[0] for s in (row, reset))
    assert found.change.iloc[i, j] == pytest.approx(now - then, abs=1e-15)
    assert found.change.iloc[i, j] > 0.05


def test_sensitivity_of_ordinary_rows_is_nothing(trained, rows):
    medians = trained.medians
    groups = medians.index.to_numpy(object)
    ordinary = rows.take(np.arange(len(groups)))
    ordinary = replace(ordinary, group=groups, x=medians.reset_index(drop=True))
    assert (sensitivity(trained, ordinary).change == 0).all().all()


def test_a_group_unknown_in_training_takes_the_median_of_all(trained, rows):
    strange = replace(rows, group=np.full(len(rows), "elsewhere", object))
    everyone = replace(trained, medians=trained.medians.loc[[EVERYWHERE]])
    change = sensitivity(trained, strange).change
    assert (change != 0).any().any()
    pd.testing.assert_frame_equal(change, sensitivity(everyone, rows).change)


def test_a_median_that_is_not_known_changes_nothing(trained, rows):
    gone = replace(trained, medians=trained.medians.assign(debt=np.nan))
    change = sensitivity(gone, rows).change
    assert (change["debt"] == 0).all()
    assert (change["trend"] != 0).any()


def test_no_sensitivity_without_trees(trained, rows):
    assert sensitivity(replace(trained, trees=None, production="logit"), rows) is None


def test_medians_of_a_named_group_without_a_name(rows):
    nameless = replace(rows, group=np.full(len(rows), "", object))
    medians = group_medians(nameless)
    assert list(medians.index) == [EVERYWHERE]
    assert medians.loc[EVERYWHERE, "debt"] == pytest.approx(rows.x["debt"].median())


# -- scores ---------------------------------------------------------------------------------------


def test_scores_of_each_row(trained, rows):
    found = score(trained, rows)
    odds = trained.log_odds(rows)
    np.testing.assert_allclose(found.probability, expit(odds["average"]))
    np.testing.assert_allclose(found.logit, expit(odds["logit"]))
    np.testing.assert_allclose(found.trees, expit(odds["trees"]))
    assert ((found.lower <= found.probability) & (found.probability <= found.upper)).all()
    speaks = found.abstained == ""
    assert 100 < speaks.sum() < len(rows)
    p = found.probability[speaks]
    wanted = np.where(p >= 0.5, "alert", np.where(p >= 0.2, "watch", "none"))
    assert found.signal[speaks].tolist() == wanted.tolist()
    assert {"alert", "watch", "none", "abstained"} == set(found.signal)
    assert set(found.verdict[speaks]) <= {"alert", "clear", "uncertain", "out of range"}


def test_silent_rows_say_why_and_claim_nothing(trained, rows):
    x = rows.x.copy()
    x.iloc[0] = np.nan
    x.loc[1, "debt"] = 1e16
    at_risk = rows.at_risk.copy()
    at_risk[2] = False
    stale = np.zeros(len(rows), bool)
    stale[3] = True
    x.iloc[1:5] = x.iloc[1:5].fillna({"debt": 0.5, "gap": 0.5, "trend": 0.0})
    found = score(trained, replace(rows, x=x, at_risk=at_risk), stale=stale)
    assert found.abstained[:5].tolist() == ["missing", "outside", "not at risk", "stale", ""]
    assert set(found.abstained) <= {"", *SILENCE}
    silent = found.abstained != ""
    assert np.isfinite(found.probability).all()
    assert set(found.signal[silent]) == {"abstained"}
    assert set(found.verdict[silent]) == {""}
    assert (found.rank[silent] == 0).all()
    assert not found.listed[silent].any()
    assert {found.reasons[i] for i in np.flatnonzero(silent)} == {()}
    assert "abstained" not in found.signal[~silent]


def test_thresholds_hold_up_to_rounding(trained):
    from debtwatch.early_warning.score import signals

    spec = trained_case.spec(signals={"miss_weight": 0.7, "alert": 0.6})
    model = replace(trained, spec=spec)
    # 1 - 0.7 is a little more than 0.3 in binary.
    p = np.array([0.3, 0.3 - 1e-6, np.nextafter(0.6, 0), 0.6 - 1e-6])
    assert signals(model, p, np.ones(4, bool)).tolist() == ["watch", "none", "alert", "watch"]


def test_ranks_and_lists_are_by_period():
    p = np.array([0.9, 0.1, 0.5, 0.2, 0.3, 0.3])
    period = np.array([1, 1, 1, 2, 2, 2])
    speaks = np.array([1, 1, 0, 1, 1, 1], bool)
    assert ranks(p, period, speaks).tolist() == [1, 2, 0, 3, 1, 1]
    listed = capacity_list(p, period, speaks, 0.5)
    assert listed.tolist() == [True, False, False, False, True, True]
    # 0.07 of 100 is a little more than 7 in binary, and seven all the same.
    assert capacity_list(np.arange(100.0), np.zeros(100, int), np.ones(100, bool), 0.07).sum() == 7
    assert not ranks(p, period, np.zeros(6, bool)).any()


def test_the_production_model_gives_the_probability(trained, rows):
    for name in ("logit", "trees"):
        found = score(replace(trained, production=name), rows)
        np.testing.assert_array_equal(found.probability, getattr(found, name))
    alone = replace(trained, trees=None, production="logit", members=("logit",), conformal=None)
    found = score(alone, rows)
    np.testing.assert_array_equal(found.trees, found.logit)
    assert set(found.verdict) == {""}


def test_columns_in_another_order_do_not_matter(trained, rows):
    turned = replace(rows, x=rows.x[list(rows.x)[::-1]].assign(more=1.0))
    np.testing.assert_array_equal(
        score(trained, turned).probability, score(trained, rows).probability
    )


def test_data_that_do_not_fit_are_refused(trained, rows):
    with pytest.raises(ModelProblem, match="debt, size"):
        score(trained, replace(rows, x=rows.x.drop(columns=["debt", "size"])))
    with pytest.raises(ModelProblem, match="trained on years, and the data are by quarters"):
        score(trained, replace(rows, frequency="quarter"))


def test_no_rows_give_no_scores(trained, rows):
    found = score(trained, rows.take(np.zeros(len(rows), bool)))
    assert len(found) == 0
    assert found.reasons == ()


def test_rows_are_scored_one_by_one(trained, rows):
    whole = score(trained, rows)
    part = score(trained, rows.take(np.array([5, 3])))
    np.testing.assert_array_equal(part.probability, whole.probability[[5, 3]])
    assert (
        part.reasons == tuple(whole.reasons[i] for i in (5, 3))
        or np.isnan(rows.x.iloc[[3, 5]].to_numpy()).any()
    )


def test_a_model_read_again_scores_the_same(trained, rows, tmp_path):
    save_model(trained, tmp_path / "m")
    one, two = score(trained, rows), score(load_model(tmp_path / "m"), rows)
    for name in ("probability", "lower", "upper", "signal", "abstained", "verdict", "rank"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert [[r.feature for r in row] for row in one.reasons] == [
        [r.feature for r in row] for row in two.reasons
    ]


def test_all_counties_are_scored_within_a_second(trained):
    counties = trained_case.sample(seed=8, rows=2850)
    score(trained, counties)
    start = time.process_time()
    score(trained, counties)
    assert time.process_time() - start < 1
