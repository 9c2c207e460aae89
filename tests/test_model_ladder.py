from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

from debtwatch.early_warning.calibration import fit_platt
from debtwatch.early_warning.fitted import LogOddsMean
from debtwatch.early_warning.ladder import MODELS, REFERENCES, fit_models, fit_projection
from debtwatch.early_warning.sample import Sample
from debtwatch.early_warning.spec import Logit, Spec
from debtwatch.early_warning.splits import province_folds
from debtwatch.errors import DataProblem

FEATURES = [
    {"id": "gap", "of": "debt", "measure": "distance", "sign": "-"},
    {"id": "change", "of": "debt", "measure": "change", "periods": 2, "sign": "+"},
    {"id": "size", "of": "people", "log": True},
]


def spec(features=FEATURES, **more):
    named = [{**f, "label": {"zh": "名", "en": "Name"}} for f in features]
    target = {"kind": "entry", "horizon": 2, "ratio": "debt", "line": 1.0}
    return Spec.model_validate({
        "id": "made", "title": {"zh": "虚构", "en": "Made up"}, "country": "BR",
        "target": target, "feature": named, "trees": {"rounds": 40, "leaves": [3, 4]}, **more,
    })  # fmt: skip


def sample(rows=900, seed=0, projection=False):
    rng = np.random.default_rng(seed)
    debt, change = rng.uniform(0.2, 1, rows), rng.normal(0, 0.1, rows)
    later = debt + change + rng.normal(0, 0.08, rows)
    x = pd.DataFrame({"gap": 1 - debt, "change": change, "size": rng.normal(10, 1, rows)})
    x.loc[rng.random(rows) < 0.1, "change"] = np.nan
    p = expit((debt + change - 1) / 0.05)
    words = np.array([f"{i % 12:02d}" for i in range(rows)], dtype=object)
    return Sample(
        unit=np.arange(rows).astype(str).astype(object), group=words,
        period=np.full(rows, 2020, np.int64), x=x, y=(later >= 1).astype(float),
        at_risk=np.ones(rows, bool), event_period=np.full(rows, np.nan), rule=words,
        projection=p if projection else None, frequency="year", now=debt, extreme=later,
    )  # fmt: skip


@pytest.fixture(scope="module")
def models():
    return fit_models(sample(), spec(), seed=1, references=True)


def test_every_model_is_there_and_gives_a_probability_for_any_row(models):
    # The average of logit and trees is named apart only where it is not the average in use.
    assert list(models) == [m for m in (*MODELS, *REFERENCES) if m != "logit_trees"]
    rows = sample(200, seed=5)
    rows.x.iloc[:5] = np.nan
    for name, model in models.items():
        p = model.probability(rows)
        assert np.isfinite(p).all(), name
        assert ((p >= 0) & (p <= 1)).all(), name


def test_models_that_lack_their_figures_do_not_appear():
    rows = sample(400)
    plain = Sample(**{**vars(rows), "now": None, "extreme": None, "x": rows.x[["size"]]})
    names = fit_models(plain, spec(FEATURES[2:]), seed=1, leaves=3)
    assert list(names) == ["climatology", "signal", "composite", "logit", "trees", "average"]
    without_trend = Sample(**{**vars(rows), "x": rows.x[["gap", "size"]]})
    names = fit_models(without_trend, spec([FEATURES[0], FEATURES[2]]), seed=1, leaves=3)
    assert not {"trend", "extrapolation"} & set(names)
    assert {"distance", "persistence"} <= set(names)


def test_the_average_is_the_calibrated_mean_of_the_log_odds(models):
    rows = sample(300, seed=3)
    a, b = (models[m].estimator.log_odds(rows.x) for m in ("logit", "trees"))
    platt = models["average"].calibration
    expected = expit(platt.intercept + platt.slope * (a + b) / 2)
    assert np.allclose(models["average"].probability(rows), expected, atol=1e-14)


def test_members_of_the_specification_are_averaged():
    rows = sample(projection=True)
    chosen = fit_models(rows, spec(members=["projection", "distance"]), seed=1, leaves=3)
    assert isinstance(chosen["average"].estimator, LogOddsMean)
    assert [p.id for p in chosen["average"].estimator.parts] == ["projection", "distance"]
    assert "average" not in fit_models(rows, spec(members=["distance"]), seed=1, leaves=3)
    assert np.allclose(chosen["projection"].probability(rows),
                       np.clip(rows.projection, 1e-6, 1 - 1e-6))  # fmt: skip
    nothing = Sample(**{**vars(sample()), "now": None})
    with pytest.raises(DataProblem, match=r"None of the models .*projection"):
        fit_models(nothing, spec(members=["projection"]), seed=1, leaves=3)


@pytest.mark.parametrize("name", ["logit", "trees", "average", "projection", "distance"])
def test_out_of_fold_never_sees_the_province(name):
    rows, chosen = sample(), spec(members=["logit", "trees", "projection", "distance"])
    # The number of knots is chosen on all folds together.
    chosen = chosen.model_copy(update={"logit": Logit(knots=(2,))})
    told = fit_models(rows, chosen, seed=1, leaves=3)[name]
    _, judged = province_folds(rows.group, rows.y)[0]
    turned = rows.y.copy()
    turned[judged] = 1 - turned[judged]
    extreme = rows.extreme.copy()
    extreme[judged] += 3
    again = fit_models(
        Sample(**{**vars(rows), "y": turned, "extreme": extreme}), chosen, seed=1, leaves=3
    )[name]
    # Calibration sees every row; before it the log-odds of the fold are the same.
    before = (told.out_of_fold - told.calibration.intercept) / told.calibration.slope
    after = (again.out_of_fold - again.calibration.intercept) / again.calibration.slope
    if name != "average":
        assert np.allclose(before[judged], after[judged], atol=1e-9)
    assert len(told.out_of_fold) == len(rows)


def test_calibration_is_platts_of_the_rows_out_of_fold(models):
    fitted = models["logit"]
    again = fit_platt(fitted.out_of_fold, sample().y)
    assert np.allclose([again.intercept, again.slope], [0, 1], atol=1e-4)


def test_extrapolation_and_distance_rank_as_their_numbers(models):
    rows = sample(300, seed=4)
    debt, change = 1 - rows.x["gap"], rows.x["change"].fillna(0)
    carried = debt + 2 * np.maximum(change / 2, 0)
    order = np.argsort(carried.to_numpy())
    assert (np.diff(models["extrapolation"].log_odds(rows)[order]) >= -1e-9).all()
    order = np.argsort(debt.to_numpy())
    assert (np.diff(models["distance"].log_odds(rows)[order]) >= -1e-9).all()


def test_given_leaves_are_kept_and_the_same_seed_gives_the_same():
    a, b = (fit_models(sample(500), spec(), seed=2, leaves=4) for _ in range(2))
    assert a["trees"].leaves == a["average"].leaves == 4
    for name in a:
        assert (a[name].probability(sample(100)) == b[name].probability(sample(100))).all()


def test_one_class_is_refused_with_counts():
    rows = sample(300)
    for value, events in ((0.0, 0), (1.0, 300)):
        same = Sample(**{**vars(rows), "y": np.full(300, value)})
        with pytest.raises(DataProblem, match=f"{events} of 300 are events"):
            fit_models(same, spec(), seed=1)


def test_unknown_outcomes_are_not_training_rows():
    rows = sample(300)
    rows.y[3] = np.nan
    with pytest.raises(ValueError, match="known outcome"):
        fit_models(rows, spec(), seed=1)


def test_few_rows_still_give_every_probability_and_say_so():
    rows = sample(300)
    order = np.argsort(-rows.y, kind="stable")
    rows = rows.take(np.concatenate([order[:4], order[-26:]]))
    told = fit_models(rows, spec(), seed=1)
    assert all(np.isfinite(m.probability(rows)).all() for m in told.values())
    assert any("Firth" in n.template for n in told["logit"].notes)
    assert any("not calibrated" in n.template for n in told["logit"].notes)
    gone = Sample(**{**vars(rows), "x": rows.x.assign(change=np.nan)})
    notes = fit_models(gone, spec(), seed=1, leaves=3)["logit"].notes
    assert any(n.values.get("features") == "change" for n in notes)


def test_status_persists_by_side_of_the_line_or_by_class():
    rows = sample(600)
    by_side = spec(target={"kind": "status", "horizon": 1, "ratio": "debt", "line": 1.0})
    fitted = fit_models(rows, by_side, seed=1, leaves=3)["persistence"].estimator
    # Who stands on the line of a target ">=" is in the class.
    assert fitted._places(np.array([[1e-12], [0.0], [-0.1]])).ravel().tolist() == [0, 0, 0]
    assert fitted._places(np.array([[1e-6]])).ravel().tolist() == [1]
    strictly = spec(target={**by_side.target.model_dump(by_alias=True), "operator": ">"})
    fitted = fit_models(rows, strictly, seed=1, leaves=3)["persistence"].estimator
    assert fitted._places(np.array([[0.0], [-1e-6]])).ravel().tolist() == [1, 0]
    level = {**FEATURES[0], "id": "gap", "of": "debt", "measure": "level", "sign": "+"}
    line = {**by_side.target.model_dump(by_alias=True), "line": 0.5}
    in_logs = spec([{**level, "log": True}, *FEATURES[1:]], target=line)
    fitted = fit_models(rows, in_logs, seed=1, leaves=3)["persistence"].estimator
    on_line, above, below = np.log(0.5), np.log(0.51), np.log(0.49)
    places = fitted._places(np.array([[on_line], [above], [below]]))
    assert places.ravel().tolist() == [1, 1, 0]
    grade = {"id": "b", "of": "grade", "measure": "is", "value": "B"}
    target = {"kind": "status", "horizon": 1, "class": "grade", "worse": ["C"]}
    by_class = spec([*FEATURES[1:], grade], target=target)
    graded = Sample(**{**vars(rows), "x": rows.x[["change", "size"]].assign(b=rows.y)})
    fitted = fit_models(graded, by_class, seed=1, leaves=3)["persistence"].estimator
    assert set(fitted.rates_) == {(0.0,), (1.0,)}


def test_a_row_without_a_ratio_is_an_average_one_whatever_rows_stand_beside_it():
    rows = sample()
    near = rows.now > 0.8
    fitted = fit_projection(rows, spec(), pool=rows).estimator
    x, now = rows.x.to_numpy(), np.append(np.nan, rows.now)
    x = np.vstack([np.full(3, np.nan), x])
    alone = fitted.probability(x[:1], now[:1])
    assert alone == pytest.approx(fitted.probability(x, now)[:1])
    beside = np.append(True, near)
    assert alone == pytest.approx(fitted.probability(x[beside], now[beside])[:1])
    median = fitted.probability(x[:1], np.array([np.median(rows.now)]))
    assert abs(alone - median) < 0.1


def test_a_missing_projection_is_the_event_rate():
    rows = sample(400, projection=True)
    rows.projection[:100] = np.nan
    told = fit_models(rows, spec(), seed=1, leaves=3)["projection"]
    assert np.allclose(told.log_odds(rows)[:100], logit(rows.y.mean()))


def test_the_average_of_logit_and_trees_is_judged_where_the_members_are_others():
    rows = sample(500)
    models = fit_models(rows, spec(members=["logit", "projection"]), seed=1, leaves=3)
    parts = [models[m].own_log_odds(rows) for m in ("logit", "trees")]
    again = models["logit_trees"].own_log_odds(rows)
    assert np.allclose(again, np.mean(parts, axis=0), atol=1e-12)
    assert [p.id for p in models["average"].estimator.parts] == ["logit", "projection"]


def test_knots_are_those_of_the_smallest_loss_out_of_fold():
    rng = np.random.default_rng(3)
    n = 2000
    debt = rng.uniform(0, 1, n)
    hockey = 1 / (1 + np.exp(-(-4 + 40 * np.maximum(debt - 0.85, 0))))
    rows = sample(n)
    bent = Sample(
        **{
            **vars(rows),
            "x": rows.x.assign(gap=1 - debt),
            "y": (rng.uniform(size=n) < hockey).astype(float),
        }
    )
    models = fit_models(bent, spec(), seed=1, leaves=3)
    assert models["logit"].estimator.knots > 0
    straight = fit_models(
        bent, spec().model_copy(update={"logit": Logit(knots=(0,))}), seed=1, leaves=3
    )
    loss = {
        k: np.logaddexp(0, m["logit"].own_log_odds(bent)).mean()
        - (bent.y * m["logit"].own_log_odds(bent)).mean()
        for k, m in (("bent", models), ("straight", straight))
    }
    assert loss["bent"] < loss["straight"]
