"""A back-test from figures to probabilities: nothing published later moves what was said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from debtwatch.early_warning.abstention import fit_conformal, realised_coverage
from debtwatch.early_warning.as_known import origin_day
from debtwatch.early_warning.experiment import _counts, _settled, _Table, fit_split, run_experiment
from debtwatch.early_warning.features import build_sample
from debtwatch.early_warning.sample import Observations
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.splits import expanding_splits
from debtwatch.early_warning.training import newest_conformal, train

WORDS = {"zh": "例", "en": "example"}
FEATURES = [
    {"id": "room", "of": "r", "measure": "distance", "sign": "-", "label": WORDS},
    {"id": "change", "of": "r", "measure": "change", "periods": 2, "sign": "+", "label": WORDS},
    {"id": "other", "of": "other", "label": WORDS},
]


def spec_of(**more: object) -> Spec:
    return Spec.model_validate({
        "id": "x", "title": WORDS, "country": "XX", "feature": FEATURES,
        "target": {"kind": "entry", "horizon": 2, "ratio": "r", "line": 1.0},
        "data": {"lag_days": 60, "origin_days": 45}, "logit": {"knots": [0, 1]},
        "trees": {"rounds": 20, "leaves": [3]}, "members": ["logit", "trees", "projection"],
        **more,
    })  # fmt: skip


def panel(units: int = 60, periods: int = 14, *, late: int = 0) -> Observations:
    """Quarterly ratios that wander; every third government reports ``late`` days after the rest."""
    rng = np.random.default_rng(3)
    moves = rng.normal(0.01, 0.08, (units, periods))
    ratio = rng.uniform(0.5, 1.0, (units, 1)) + np.cumsum(moves, axis=1)
    who, when = np.indices(ratio.shape).reshape(2, -1)
    period = 4 * 2018 + when
    day = np.array([origin_day(p, spec_of().data, "quarter") for p in period.tolist()])
    frame = pd.DataFrame({
        "unit": [f"{k:03d}" for k in who], "group": [f"{k % 8}" for k in who], "period": period,
        "known_from": day - np.timedelta64(10, "D") + np.where(who % 3 == 0, late, 0),
        "r": ratio.ravel(), "other": rng.normal(size=ratio.size),
    })  # fmt: skip
    frame["known_from"] = frame["known_from"].astype("datetime64[s]")
    return Observations(frame, "quarter", (), {})


@pytest.mark.parametrize("late", [0, 30])
def test_what_was_published_after_an_origin_moves_no_probability_said_there(late: int) -> None:
    observations, spec = panel(late=late), spec_of()
    sample = build_sample(observations, spec, books=[])
    split = expanding_splits(sample, spec)[-3]
    day = origin_day(split.origin, spec.data, "quarter")
    frame = observations.frame.copy()
    after = frame["known_from"].to_numpy("datetime64[D]") > day
    assert after.any()
    frame.loc[after, "r"] = np.random.default_rng(5).uniform(0.5, 1.6, int(after.sum()))
    changed = build_sample(replace(observations, frame=frame), spec, books=[])
    again = next(s for s in expanding_splits(changed, spec) if s.origin == split.origin)
    at_origin = sample.take(sample.period == split.origin)
    before = fit_split(sample, split, spec, seed=1)
    after_all = fit_split(changed, again, spec, seed=1)
    assert {"logit", "trees", "projection", "average"} <= set(before)
    for name, model in before.items():
        said = after_all[name].probability(at_origin)
        assert np.array_equal(model.probability(at_origin), said), name


def test_the_model_in_use_is_the_one_that_was_judged() -> None:
    # At the first origins there are too few windows for a projection.
    spec = spec_of(members=["logit", "projection"], data={"lag_days": 45})
    sample = build_sample(panel(24, 10), spec, books=[])
    judged = run_experiment(sample, spec, seed=1, draws=20)
    assert "projection" not in judged.models
    fitted = train(sample, spec, judged, sources={}, versions={}, seed=1)
    assert fitted.production == judged.production


def test_one_average_is_judged_at_every_origin() -> None:
    sample = build_sample(panel(24, 10), spec_of(data={"lag_days": 45}), books=[])
    three = run_experiment(sample, spec_of(data={"lag_days": 45}), seed=1, draws=20)
    two = spec_of(members=["logit", "trees"], data={"lag_days": 45})
    assert three.predictions.equals(run_experiment(sample, two, seed=1, draws=20).predictions)


def test_coverage_is_of_sets_fixed_by_outcomes_known_on_the_last_origins_day() -> None:
    spec = spec_of()
    at_once = build_sample(panel(), spec, books=[])
    found = run_experiment(at_once, spec, seed=1, draws=20)
    assert found.coverage is not None
    late = replace(at_once, outcome_day=np.full(len(at_once), np.datetime64("2100-01-01", "D")))
    table = found.predictions
    last = int(table["period"].max())
    by_hand = table[table["period"] + 2 <= last]
    sets = fit_conformal(by_hand["average"].to_numpy(), by_hand["y"].to_numpy())
    now = table[table["period"] == last]
    held = realised_coverage(sets, now["average"].to_numpy(), now["y"].to_numpy())
    assert (found.coverage.events, found.coverage.others) == (held.events, held.others)
    assert not _settled(_Table(table, found.models), late, spec).any()
    assert newest_conformal(found) is not None


def test_a_window_that_is_not_over_is_no_lost_outcome() -> None:
    spec = spec_of()
    full = panel(20, 10)
    gone = full.frame["unit"].eq("001") & full.frame["period"].eq(full.frame["period"].max())
    sample = build_sample(replace(full, frame=full.frame[~gone]), spec, books=[])
    counts = _counts(sample)
    over = sample.at_risk & (sample.period <= sample.period.max() - 2)
    assert counts.at_risk == over.sum()
    last = over & (sample.unit == "001") & (sample.period == sample.period.max() - 2)
    assert counts.censored == last.sum() == 1
    assert counts.at_risk - counts.censored == sample.known.sum()
