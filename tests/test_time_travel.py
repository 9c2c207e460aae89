"""What is published after an origin cannot move its features, and one that peeks is caught."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.early_warning.as_known import origin_day
from debtwatch.early_warning.features import Features, build_features
from debtwatch.early_warning.period_names import period_end
from debtwatch.early_warning.sample import Frequency, Observations
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.time_travel import leaks
from tests.feature_cases import EVERY_MEASURE, draw, measure, specify


def cut(observations: Observations, spec: Spec, origin: int) -> Observations:
    """Keep what an observer on the origin's day has."""
    frame = observations.frame
    day = origin_day(origin, spec.data, observations.frequency)
    seen = (frame["known_from"].to_numpy("datetime64[D]") <= day) & (frame["period"] <= origin)
    return replace(observations, frame=frame[seen].reset_index(drop=True))


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), frequency=st.sampled_from(["year", "quarter"]))
def test_an_observer_on_the_day_builds_the_same_features(seed: int, frequency: Frequency) -> None:
    observations = draw(seed, frequency=frequency)
    spec = specify(*EVERY_MEASURE, data={"lag_days": 60})
    features = build_features(observations, spec)
    for origin in sorted(set(observations.frame["period"]))[2::4]:
        seen = cut(observations, spec, origin)
        then = build_features(seen, spec, origins=[origin])
        mine = (features.rows["period"] == origin).to_numpy()
        keys = ["unit", "group", "period", "known_period"]
        assert then.rows[keys].equals(features.rows.loc[mine, keys].reset_index(drop=True))
        np.testing.assert_array_equal(then.x.to_numpy(), features.x[mine].to_numpy())


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), frequency=st.sampled_from(["year", "quarter"]))
def test_the_features_of_the_program_do_not_leak(seed: int, frequency: Frequency) -> None:
    observations = draw(seed, frequency=frequency)
    spec = specify(*EVERY_MEASURE, data={"lag_days": 60})
    assert leaks(observations, spec, seed=seed) == ()


def test_shuffling_the_future_leaves_the_past_bit_identical() -> None:
    observations = draw(7, frequency="quarter")
    spec = specify(*EVERY_MEASURE, data={"lag_days": 60})
    origin = 4 * 2016 + 2
    frame = observations.frame
    after = (
        frame["known_from"].to_numpy("datetime64[D]") > origin_day(origin, spec.data, "quarter")
    ) | (frame["period"] > origin).to_numpy()
    shuffled = frame.copy()
    order = np.random.default_rng(1).permutation(np.flatnonzero(after))
    for name in ("debt", "class", "chance"):
        shuffled.loc[after, name] = frame[name].to_numpy()[order]
    past = list(range(4 * 2015, origin + 1))
    before = build_features(observations, spec, origins=past)
    now = build_features(replace(observations, frame=shuffled), spec, origins=past)
    assert before.x.to_numpy().tobytes() == now.x.to_numpy().tobytes()
    every = build_features(replace(observations, frame=shuffled), spec)
    assert not every.x.equals(build_features(observations, spec).x)


def leaky(kind: str) -> Any:
    """Builders that peek, each in another way."""

    def build(
        observations: Observations, spec: Spec, *, origins: Sequence[int] | None = None
    ) -> Features:
        frame = observations.frame
        if kind == "final vintage":
            final = frame.groupby(["unit", "period"])["debt"].transform("last")
            return build_features(
                replace(observations, frame=frame.assign(debt=final)), spec, origins=origins
            )
        if kind == "published at once":
            day = [pd.Timestamp(period_end(p, observations.frequency)) for p in frame["period"]]
            early = frame.assign(known_from=pd.to_datetime(day))
            early = early.drop_duplicates(["unit", "period"], keep="last", ignore_index=True)
            return build_features(replace(observations, frame=early), spec, origins=origins)
        features = build_features(observations, spec, origins=origins)
        x = features.x.copy()
        if kind == "standardised over all periods":
            x["f0"] = (x["f0"] - frame["debt"].mean()) / frame["debt"].std()
        else:
            ahead = frame.drop_duplicates(["unit", "period"], keep="last")
            ahead = ahead.set_index(["unit", "period"])["debt"]
            keys = pd.MultiIndex.from_arrays([features.rows["unit"], features.rows["period"] + 1])
            x["f0"] = ahead.reindex(keys).to_numpy()
        return replace(features, x=x)

    return build


@pytest.mark.parametrize(
    "kind",
    ["final vintage", "published at once", "standardised over all periods", "next period's figure"],
)
@pytest.mark.parametrize("frequency", ["year", "quarter"])
def test_a_feature_that_peeks_is_caught_and_named(kind: str, frequency: Frequency) -> None:
    observations = draw(11, frequency=frequency, units=30)
    spec = specify(measure("level"), measure("is", "class", value="B"), data={"lag_days": 60})
    found = leaks(observations, spec, leaky(kind), seed=5)
    if kind == "published at once":
        assert found == ("f0", "f1")
    else:
        assert found == ("f0",)


def test_looking_for_leaks_changes_nothing_and_repeats_itself() -> None:
    observations = draw(3, frequency="year")
    before = observations.frame.copy(deep=True)
    spec = specify(*EVERY_MEASURE)
    once = leaks(observations, spec, leaky("final vintage"), seed=2)
    assert once == leaks(observations, spec, leaky("final vintage"), seed=2)
    pd.testing.assert_frame_equal(observations.frame, before)
