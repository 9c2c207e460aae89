"""Features as known at the origin: by hand, against a slow reading, and from hostile figures."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from debtwatch.early_warning.as_known import STALE, arrange, as_known, origin_day
from debtwatch.early_warning.features import build_features, build_sample
from debtwatch.early_warning.period_names import period_end
from debtwatch.early_warning.sample import Frequency, Observations
from debtwatch.early_warning.time_travel import leaks
from debtwatch.errors import DataProblem
from tests.feature_cases import (
    EVERY_MEASURE,
    EVERY_MEASURE_OF_FIGURES,
    NAN,
    Slow,
    draw,
    measure,
    observe,
    series,
    specify,
)


def last(observations: Observations, *features: dict[str, Any], **options: Any) -> list[float]:
    """Features of the first unit at the last origin."""
    origin = int(observations.frame["period"].max())
    return build_features(observations, specify(*features, **options), origins=[origin]).x.iloc[
        0
    ].tolist()  # fmt: skip


# -- each measure by hand --------------------------------------------------------------------------


def test_level_distance_change_and_lags_by_hand() -> None:
    observations = observe(series([1.0, 1.2, 1.5, 1.9]))
    found = last(
        observations,
        measure("level"),
        measure("level", lag=3),
        measure("level", lag=4),
        measure("level", log=True),
        measure("distance"),
        measure("distance", log=True),
        measure("change", periods=1),
        measure("change", periods=2, lag=1),
        measure("change", periods=4),
        measure("highest", periods=2),
        measure("highest", periods=9),
    )
    wanted = [1.9, 1.0, NAN, math.log(1.9), 0.1, math.log(2 / 1.9), 0.4, 0.5, NAN, 1.9, 1.9]
    assert found == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize(("operator", "room"), [(">=", 0.5), (">", 0.5), ("<=", -0.5), ("<", -0.5)])
def test_distance_is_positive_on_the_safe_side(operator: str, room: float) -> None:
    assert last(observe(series([1.0, 1.5])), measure("distance"), operator=operator) == [room]


def test_volatility_is_the_sample_deviation_of_changes_and_needs_three() -> None:
    observations = observe(series([1.0, 1.2, NAN, 2.0, 2.1, 2.5, 2.4]))
    changes = [2.1 - 2.0, 2.5 - 2.1, 2.4 - 2.5]
    found = last(
        observations,
        measure("volatility", periods=3),
        measure("volatility", periods=5),
        measure("volatility", periods=6),
        measure("volatility", periods=2),
        measure("volatility", periods=3, lag=1),
    )
    deviation = float(np.std(changes, ddof=1))
    longer = float(np.std([*changes, 1.2 - 1.0], ddof=1))
    assert found == pytest.approx([deviation, deviation, longer, NAN, NAN], nan_ok=True)


def test_peers_leave_the_government_itself_out_and_need_two_others() -> None:
    debts = {"a": 1.0, "b": 2.0, "c": 6.0, "d": NAN}
    rows = [(u, "p", 2020, 90, v) for u, v in debts.items()]
    rows += [(u, "q", 2020, 90, 9.0) for u in "ef"]
    features = build_features(
        observe(rows), specify(measure("peers"), measure("gap"), measure("national"))
    )
    by_unit = features.x.set_index(features.rows["unit"])
    assert by_unit["f0"].tolist() == pytest.approx([4.0, 3.5, 1.5, 3.0, NAN, NAN], nan_ok=True)
    assert by_unit["f1"].tolist() == pytest.approx([-3.0, -1.5, 4.5, NAN, NAN, NAN], nan_ok=True)
    assert by_unit["f2"].tolist() == [6.0] * 6


def test_a_government_that_changed_its_group_is_compared_with_its_new_one() -> None:
    rows: list[tuple[Any, ...]] = [("a", "q", 2019, 90, 5.0), ("a", "p", 2020, 90, 5.0)]
    rows += [(u, "p", y, 90, float(y - 2018 + i)) for i, u in enumerate("bc") for y in (2019, 2020)]
    found = last(observe(rows), measure("peers"), measure("peers", lag=1))
    assert found == [2.5, 1.5]


def test_without_a_group_there_are_no_peers() -> None:
    rows = [(u, None, 2020, 90, 1.0) for u in "abcd"]
    features = build_features(observe(rows), specify(measure("peers")))
    assert features.x["f0"].isna().all()
    assert features.rows["group"].tolist() == [""] * 4


def test_words_and_missing_reports() -> None:
    rows = [
        ("a", "p", 2018, 90, 1.0, "C", 1.0),
        ("a", "p", 2019, 90, NAN, None, NAN),
        ("a", "p", 2021, 90, 1.0, "B", 0.0),
    ]
    features = [
        measure("is", "class", value="B"),
        measure("is", "class", value="C"),
        measure("is", "class", value="C", lag=3),
        measure("is", "class", value="C", lag=2),
        measure("is", "flag", value="0"),
        measure("missing", "class"),
        measure("missing", "debt"),
        measure("missing", "debt", lag=1),
        measure("missing", "debt", lag=2),
        measure("missing", "debt", lag=4),
    ]
    found = last(observe(rows, ("debt", "class", "flag")), *features)
    wanted = [1.0, 0.0, 1.0, NAN, 1.0, 0.0, 0.0, 1.0, 1.0, NAN]
    assert found == pytest.approx(wanted, nan_ok=True)


def test_nobody_is_late_for_a_period_before_anything_was_known() -> None:
    # The figures of 2018 come out as history in 2022 only.
    observations = observe([("a", "p", 2018, "2022-06-01", 1.0), *series([1.0] * 4, first=2019)])
    features = build_features(observations, specify(measure("missing", lag=1), measure("level")))
    assert features.rows["period"].tolist() == [2019, 2020, 2021, 2022]
    assert features.x["f0"].tolist() == pytest.approx([NAN, 0, 0, 0], nan_ok=True)
    later = build_features(observations, specify(measure("missing", lag=4)), origins=[2021, 2022])
    assert later.x["f0"].tolist() == pytest.approx([NAN, 0], nan_ok=True)


def test_delay_counts_from_the_first_publication_and_adds_the_lag_behind_the_origin() -> None:
    end = [pd.Timestamp(period_end(4 * 2020 + q, "quarter")) for q in range(3)]
    rows = [
        ("a", "p", 4 * 2020, end[0] + pd.Timedelta(days=30), 1.0),
        ("a", "p", 4 * 2020, end[0] + pd.Timedelta(days=100), 2.0),
        ("b", "p", 4 * 2020 + 2, end[2] + pd.Timedelta(days=7), 3.0),
    ]
    features = build_features(
        observe(rows, frequency="quarter"),
        specify(measure("delay"), data={"lag_days": 45}),
        origins=[4 * 2020 + 2],
    )
    assert features.x["f0"].tolist() == [30 + (end[2] - end[0]).days, 7]


def test_revision_is_relative_to_the_first_figure_and_grows_as_it_is_published() -> None:
    rows = [
        ("a", "p", 2020, 10, -2.0),
        ("a", "p", 2020, 100, -2.5),
        ("a", "p", 2020, 400, -4.0),
        ("b", "p", 2020, 10, 0.0),
        ("b", "p", 2020, 100, 1.0),
    ]
    observations = observe(rows)
    found = {
        days: build_features(
            observations, specify(measure("revision"), data={"lag_days": days}), origins=[2020]
        ).x["f0"].tolist()
        for days in (50, 120, 400)
    }  # fmt: skip
    assert found[50] == [0.0, 0.0]
    assert found[120] == pytest.approx([0.25, 1e9])
    assert found[400] == pytest.approx([1.0, 1e9])


def test_projection_from_a_column_and_from_a_store() -> None:
    observations = observe([("a", "p", 2020, 90, 1.0, 0.2), ("b", "p", 2020, 90, 1.0, 1.0)],
                           ("debt", "chance"))  # fmt: skip
    spec = specify(measure("projection", "chance"), measure("projection", None))
    features = build_features(observations, spec)
    assert features.x["f0"].tolist() == pytest.approx([math.log(0.25), math.log(999)])
    assert features.x["f1"].isna().all()
    assert features.projection is not None
    assert features.projection.tolist() == [0.2, 1.0]
    store = pd.Series(
        {("a", 2020): 0.0, ("b", 2019): 0.3, ("z", 2020): 0.3}, name="probability"
    )  # fmt: skip
    features = build_features(observations, spec, projection=store)
    assert features.x["f1"].tolist() == pytest.approx([-math.log(999), NAN], nan_ok=True)
    assert features.projection is not None
    assert features.projection.tolist() == pytest.approx([0.0, NAN], nan_ok=True)
    assert build_features(observations, specify(measure("level"))).projection is None


# -- clipping and hostile figures ------------------------------------------------------------------


def test_a_slip_of_the_pen_moves_neither_changes_nor_peers_but_stays_in_the_level() -> None:
    rows = [
        (f"{i:03d}", "p", y, 90, float(i) + (y - 2019)) for i in range(201) for y in (2019, 2020)
    ]
    rows[1] = ("000", "p", 2020, 90, 1e16)
    features = build_features(
        observe(rows),
        specify(measure("level"), measure("change", periods=1), measure("peers")),
        origins=[2020],
    )
    first = features.x.iloc[0]
    # 2020: 2 .. 201 and the slip; quartiles are the 51st figure from either end, 52 and 152.
    fence = 152.0 + 10 * (152.0 - 52.0)
    assert first["f0"] == 1e16
    assert first["f1"] == fence - 0.0
    assert first["f2"] == pytest.approx(np.arange(2.0, 202.0).mean())


def test_a_sentinel_is_left_out_of_its_own_peers_without_a_trace() -> None:
    rows = [(u, "p", 2020, 90, v) for u, v in zip("abcd", [1.25, 1e16, 3.5, 4.0], strict=True)]
    rows += [(u, "q", 2020, 90, v) for u, v in zip("efg", [-7.0, 1.0, 2.0], strict=True)]
    peers = build_features(observe(rows), specify(measure("peers"))).x["f0"]
    assert peers[1] == (1.25 + 3.5 + 4.0) / 3
    assert (peers[[0, 2, 3]] > 1e15).all()
    assert peers[4:].tolist() == [1.5, -2.5, -3.0]


def test_clipping_reads_no_period_but_its_own_and_no_later_figure() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (f"{i:03d}", "p", y, 90, float(v))
        for i in range(150)
        for y, v in zip(range(2015, 2020), rng.standard_cauchy(size=5), strict=True)
    ]
    observations = observe(rows)
    spec = specify(measure("change", periods=1))
    alone = build_features(observations, spec, origins=[2017])
    later = observations.frame["period"] > 2017
    frame = observations.frame.assign(debt=observations.frame["debt"].mask(later, 1e9))
    among = build_features(replace(observations, frame=frame), spec)
    assert alone.x["f0"].to_numpy().tolist() == among.x["f0"][
        (among.rows["period"] == 2017).to_numpy()
    ].tolist()  # fmt: skip
    wide = frame[~later].pivot(index="unit", columns="period", values="debt")
    limits = {}
    for y in (2016, 2017):
        low, high = (
            np.percentile(wide[y], 25, method="lower"),
            np.percentile(wide[y], 75, method="higher"),
        )
        limits[y] = (low - 10 * (high - low), high + 10 * (high - low))
    assert (wide[2017] > limits[2017][1]).any()
    expected = np.clip(wide[2017], *limits[2017]) - np.clip(wide[2016], *limits[2016])
    np.testing.assert_array_equal(alone.x["f0"], expected)


@pytest.mark.parametrize("hole", [math.inf, -math.inf, NAN])
def test_an_infinite_figure_is_a_missing_one_for_its_peers_too(hole: float) -> None:
    rows = [(u, "p", 2020, 90, v) for u, v in zip("abcd", [1.0, 3.0, 8.0, hole], strict=True)]
    features = build_features(
        observe(rows), specify(measure("peers"), measure("national"), measure("missing"))
    )
    assert features.x["f0"].tolist() == [5.5, 4.5, 2.0, 4.0]
    assert features.x["f1"].tolist() == [3.0] * 4
    assert features.x["f2"].tolist() == [0.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("value", [math.inf, -math.inf, 1e308, -1e308, 1e16, 0.0, NAN])
def test_no_feature_is_ever_infinite(value: float) -> None:
    rows = [(u, "p", y, 90, value if (i + y) % 2 else 1.0) for i, u in enumerate("abcd")
            for y in range(2010, 2020)]  # fmt: skip
    observations = observe(rows)
    spec = specify(*EVERY_MEASURE_OF_FIGURES, measure("level", log=True))
    x = build_features(observations, spec).x.to_numpy()
    assert not np.isinf(x).any()
    assert leaks(observations, spec, seed=3) == ()


def test_a_column_without_figures_gives_missing_features() -> None:
    observations = observe(series([NAN] * 6))
    x = build_features(observations, specify(*EVERY_MEASURE_OF_FIGURES)).x
    assert x.isna().all(axis=None)


# -- which rows there are --------------------------------------------------------------------------


def test_origins_day_counts_from_the_periods_end() -> None:
    spec = specify(measure("level"), data={"lag_days": 120, "origin_days": 0})
    assert str(origin_day(2020, spec.data, "year")) == "2020-12-31"
    observations = observe([("a", "p", 2019, 90, 1.0), ("a", "p", 2020, 0, 2.0)])
    features = build_features(observations, spec)
    assert features.rows["period"].tolist() == [2020]
    assert features.x["f0"].tolist() == [2.0]


@pytest.mark.parametrize(("frequency", "year"), [("year", 1), ("quarter", 4)])
def test_figures_older_than_a_year_give_no_row(frequency: Frequency, year: int) -> None:
    first = 2016 if frequency == "year" else 4 * 2016
    rows = [("a", "p", first, 30, 1.0), ("b", "p", first + 2 * year, 30, 2.0)]
    features = build_features(
        observe(rows, frequency=frequency),
        specify(measure("level")),
        origins=[first, first + year, first + year + 1, first + 2 * year],
    )
    found = features.rows[["unit", "period", "known_period"]].to_numpy().tolist()
    assert [r for r in found if r[0] == "a"] == [["a", first, first], ["a", first + year, first]]
    assert STALE[frequency] == year
    assert features.rows["vintage"].tolist() == [0, 0, 1]


def test_a_budget_published_before_its_period_is_not_seen() -> None:
    observations = observe([("a", "p", 2019, 30, 1.0), ("a", "p", 2020, "2019-12-01", 9.0)])
    features = build_features(observations, specify(measure("level")), origins=[2019])
    assert features.x["f0"].tolist() == [1.0]


def test_an_origin_after_the_last_period_is_scored_from_the_latest_figures() -> None:
    observations = observe(series([1.0, 2.0]))
    features = build_features(observations, specify(measure("level")), origins=[2012])
    assert features.rows["known_period"].tolist() == [2011]
    assert features.x["f0"].tolist() == [2.0]


def test_no_row_at_any_origin_says_what_to_check() -> None:
    observations = observe([("a", "p", 2019, 900, 1.0)])
    with pytest.raises(DataProblem, match=r"120 days.*lag_days"):
        build_features(observations, specify(measure("level")))
    with pytest.raises(DataProblem, match=r"At no origin"):
        build_features(observations, specify(measure("level")), origins=[1990])
    empty = replace(observations, frame=observations.frame.iloc[:0])
    with pytest.raises(DataProblem, match=r"At no origin"):
        build_features(empty, specify(measure("level")))


def test_a_column_that_is_not_there_is_named() -> None:
    with pytest.raises(DataProblem, match="f1 needs the column revenue"):
        build_features(
            observe(series([1.0])), specify(measure("level"), measure("level", "revenue"))
        )


def test_a_sample_carries_outcomes_in_the_order_of_its_rows() -> None:
    rows = [
        ("07", "p", y, 90, v) for y, v in zip(range(2018, 2022), [1.0, 1.5, 2.0, 1.0], strict=True)
    ]
    rows += [("70", "q", y, 90, 1.0) for y in range(2018, 2022)]
    sample = build_sample(observe(rows), specify(measure("level")), books=[])
    assert sample.unit.tolist() == ["07", "70"] * 4
    assert sample.group.tolist() == ["p", "q"] * 4
    assert sample.period.tolist() == [2018, 2018, 2019, 2019, 2020, 2020, 2021, 2021]
    assert sample.at_risk.tolist() == [True, True, True, True, False, True, True, True]
    assert sample.y.tolist() == pytest.approx([0, 0, 1, 0, NAN, 0, NAN, NAN], nan_ok=True)
    assert len(sample) == len(sample.x) == 8


@pytest.mark.parametrize("frequency", ["year", "quarter"])
@pytest.mark.parametrize("seed", range(4))
def test_every_measure_equals_its_definition_read_slowly(seed: int, frequency: Frequency) -> None:
    observations = draw(seed, frequency=frequency)
    spec = specify(*EVERY_MEASURE, data={"lag_days": 80})
    features = build_features(observations, spec)
    rows = 0
    for origin in sorted(set(observations.frame["period"])):
        slow = Slow(observations, origin, 80)
        mine = (features.rows["period"] == origin).to_numpy()
        wanted = [u for u in slow.units if slow.latest(u) is not None]
        assert features.rows["unit"][mine].tolist() == wanted
        assert features.rows["known_period"][mine].tolist() == [slow.latest(u) for u in wanted]
        expected = np.array([[slow.value(f, u) for f in spec.feature] for u in wanted])
        found = features.x[mine].to_numpy()
        np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=1e-9, atol=1e-12)
        rows += len(wanted)
    assert rows == len(features.rows) > 50


# -- what was known, and speed ---------------------------------------------------------------------


def test_the_latest_vintage_published_by_the_day_is_read() -> None:
    observations = observe(
        [("a", "p", 2020, 10, 1.0), ("a", "p", 2020, 120, 2.0), ("a", "p", 2020, 121, 3.0)]
    )
    spec = specify(measure("level"), data={"lag_days": 120})
    view = as_known(arrange(observations), 2020, spec.data)
    assert view.wide(observations.frame["debt"].to_numpy()).tolist() == [[2.0]]
    assert view.vintages.tolist() == [2]
    assert view.latest.tolist() == [0]


def test_origins_in_any_order_and_alone_give_the_same_rows() -> None:
    observations = draw(5, frequency="quarter", units=120)
    spec = specify(*EVERY_MEASURE, data={"lag_days": 60})
    every = build_features(observations, spec)
    periods = sorted(set(every.rows["period"]))
    mixed = build_features(observations, spec, origins=[*periods[::-1], periods[0]])
    assert every.x.equals(mixed.x)
    for origin in periods[::3]:
        alone = build_features(observations, spec, origins=[origin])
        mine = (every.rows["period"] == origin).to_numpy()
        assert alone.x.equals(every.x[mine].reset_index(drop=True))


def test_2850_counties_of_48_quarters_take_seconds() -> None:
    counties, quarters = 2850, 48
    rng = np.random.default_rng(0)
    period = np.tile(np.arange(4 * 2014, 4 * 2014 + quarters), counties)
    unit = np.repeat(np.arange(counties), quarters)
    ends = np.array([period_end(int(p), "quarter") for p in period[:quarters]], "datetime64[D]")
    frame = pd.DataFrame(
        {
            "unit": np.array([f"{u:06d}" for u in range(counties)], dtype=object)[unit],
            "group": np.array([f"{g:02d}" for g in range(31)], dtype=object)[unit % 31],
            "period": period,
            "known_from": np.tile(ends, counties) + rng.integers(10, 70, len(unit)),
            "debt": rng.lognormal(0, 0.5, len(unit)),
        }
    )
    spec = specify(
        *EVERY_MEASURE_OF_FIGURES,
        measure("delay"),
        measure("missing"),
        measure("revision"),
        data={"lag_days": 45},
    )
    start = time.process_time()
    features = build_features(Observations(frame, "quarter", (), {}), spec)
    assert len(features.rows) > 130_000
    assert time.process_time() - start < 8
