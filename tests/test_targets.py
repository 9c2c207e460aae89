"""Targets of the classifier: worked cases by hand, a plain re-computation, and edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.early_warning.period_names import last_quarter, parse_origin, period_end, period_text
from debtwatch.early_warning.sample import Observations
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.table import read_observations
from debtwatch.early_warning.target_classes import Judged
from debtwatch.early_warning.targets import Labels, check_outcomes, label
from debtwatch.errors import DataProblem, RulebookProblem
from debtwatch.panel.period import quarter
from debtwatch.rules.rulebook import load_rulebooks
from tests.conftest import SHARED, needs_shared

NAN = float("nan")


def spec_of(target: dict[str, Any], **more: Any) -> Spec:
    words = {"zh": "例", "en": "example"}
    return Spec.model_validate(
        {"id": "x", "title": words, "country": "XX", "target": target,
         "feature": [{"id": "f", "of": "r", "label": words}], **more}
    )  # fmt: skip


def observed(rows: list[tuple[Any, ...]], column: str = "r", frequency: Any = "year") -> Any:
    """Observations of (unit, period, value) or (unit, period, known year, value)."""
    cells = [(*row[:2], str(row[2]) if len(row) > 3 else str(row[1] + 1), row[-1]) for row in rows]
    frame = pd.DataFrame(cells, columns=["unit", "period", "known_from", column])
    if any(isinstance(row[-1], str) for row in rows):
        frame[column] = pd.Series([row[-1] for row in rows], dtype=object)
    frame["known_from"] = pd.to_datetime(frame["known_from"])
    frame["group"] = frame["unit"]
    frame = frame.sort_values(["unit", "period", "known_from"], ignore_index=True)
    return Observations(frame, frequency, (), {})


def rows_of(observations: Observations, first_vintage: bool = False) -> pd.DataFrame:
    frame = observations.frame
    kept = frame[~frame.duplicated(["unit", "period"], keep="first" if first_vintage else "last")]
    return pd.DataFrame(
        {"unit": kept["unit"].to_numpy(), "period": kept["period"].to_numpy(),
         "known_period": kept["period"].to_numpy(), "vintage": kept.index.to_numpy()}
    )  # fmt: skip


def labels_of(observations: Observations, target: dict[str, Any], **rows: Any) -> Labels:
    return label(observations, spec_of(target), (), rows=rows_of(observations, **rows))


def same(actual: Any, expected: list[float]) -> None:
    np.testing.assert_array_equal(np.asarray(actual, dtype=float), np.array(expected, dtype=float))


ENTRY = {"kind": "entry", "horizon": 2, "ratio": "r", "line": 1.0}


def path(*values: float, start: int = 2010, unit: str = "a") -> list[tuple[str, int, float]]:
    return [(unit, start + k, value) for k, value in enumerate(values)]


def test_entry_takes_any_period_of_the_window() -> None:
    labels = labels_of(observed(path(0.5, 0.9, 1.0, 0.8, 0.7, 0.6)), ENTRY)
    same(labels.at_risk, [1, 1, 0, 1, 1, 1])
    same(labels.y, [1, 1, NAN, 0, NAN, NAN])
    same(labels.event_period, [2012, 2012, NAN, NAN, NAN, NAN])
    assert set(labels.rule) == {"r >= 1"}


def test_status_takes_the_end_of_the_window() -> None:
    target = {**ENTRY, "kind": "status"}
    labels = labels_of(observed(path(0.5, 1.2, 0.9, NAN, 1.4)), target)
    same(labels.at_risk, [1, 1, 1, 0, 1])
    same(labels.y, [0, NAN, 1, NAN, NAN])
    same(labels.event_period, [NAN, NAN, 2014, NAN, NAN])


def test_the_day_of_an_outcome_is_that_on_which_the_whole_window_was_out() -> None:
    cells = [
        ("a", 2010, "2011-04-01", 0.8),
        ("a", 2011, "2012-04-01", NAN),  # published without the ratio at first
        ("a", 2011, "2014-02-01", 0.9),
        ("a", 2012, "2013-04-01", 0.9),
        ("a", 2012, "2019-04-01", 1.1),  # a revision does not make the outcome late
        ("a", 2013, "2014-04-01", 0.9),
    ]
    observations = observed(cells)
    days = labels_of(observations, ENTRY).day.astype(str).tolist()
    assert days == ["2014-02-01", "2014-04-01", "2014-04-01", "NaT"]
    status = {**ENTRY, "kind": "status"}
    days = labels_of(observations, status).day.astype(str).tolist()
    assert days == ["2013-04-01", "2014-04-01", "NaT", "NaT"]


def test_a_gap_censors_unless_an_event_was_seen() -> None:
    others = path(0.1, 0.1, 0.1, 0.1, unit="b")
    missed = observed([*path(0.5, NAN, 0.5, 0.5), *others])
    same(labels_of(missed, ENTRY).y[:4], [NAN, NAN, NAN, NAN])
    seen = observed([*path(0.5, NAN, 1.5, 0.5), *others])
    same(labels_of(seen, ENTRY).y[:4], [1, NAN, NAN, NAN])
    no_row = observed([("a", 2010, 0.5), ("a", 2012, 1.5), ("a", 2013, 0.5), *others])
    same(labels_of(no_row, ENTRY).y[:3], [1, NAN, NAN])


def test_a_period_that_nobody_reports_is_passed_over() -> None:
    biennial = [("a", 2010, 0.5), ("a", 2012, 0.5), ("a", 2014, 1.5), ("b", 2010, 0.1),
                ("b", 2012, 0.1), ("b", 2014, 0.1)]  # fmt: skip
    same(labels_of(observed(biennial), ENTRY).y, [0, 1, NAN, 0, 0, NAN])
    # A window that ends in such a period shows entries only: it tells nothing.
    same(labels_of(observed(biennial), {**ENTRY, "horizon": 3}).y, [NAN] * 6)


def test_a_period_that_nobody_reports_is_no_event() -> None:
    biennial = [("a", 2010, 0.5), ("a", 2012, 0.5), ("b", 2010, 0.1)]
    same(labels_of(observed(biennial), {**ENTRY, "unreported": "event"}).y, [0, NAN, 1])


def test_a_window_beyond_the_data_is_censored_for_events_too() -> None:
    labels = labels_of(observed([*path(0.5, 1.5), *path(0.5, 0.5, unit="b")]), ENTRY)
    same(labels.y, [NAN] * 4)
    same(labels.event_period, [NAN] * 4)
    same(labels.at_risk, [1, 0, 1, 1])


def test_unreported_as_event() -> None:
    target = {**ENTRY, "unreported": "event"}
    rows = [*path(0.5, NAN, 0.5, 0.5), *path(0.1, 0.1, 0.1, 0.1, unit="b"),
            ("c", 2010, 0.2), ("c", 2013, 0.2)]  # fmt: skip
    labels = labels_of(observed(rows), target)
    same(labels.y, [1, NAN, NAN, NAN, 0, 0, NAN, NAN, 1, NAN])
    same(labels.event_period[[0, 8]], [2011, 2011])
    status = labels_of(observed(rows), {**target, "kind": "status"})
    same(status.y, [0, NAN, NAN, NAN, 0, 0, NAN, NAN, 1, NAN])


@pytest.mark.parametrize(
    ("operator", "worse"),
    [(">=", [0, 1, 1]), (">", [0, 0, 1]), ("<=", [1, 1, 0]), ("<", [1, 0, 0])],
)
def test_edges_of_the_line_use_the_tolerance(operator: str, worse: list[int]) -> None:
    # 0.1 * 3 is above 0.3 by the last bit, and still the line itself.
    values = [0.3 - 1e-6, 0.1 * 3, 0.3 + 1e-6]
    target = {"kind": "status", "horizon": 1, "ratio": "r", "line": 0.3, "operator": operator}
    rows = [(unit, 2010 + k, v) for unit, v in zip("abc", values, strict=True) for k in (0, 1)]
    same(labels_of(observed(rows), target).y[::2], [float(w) for w in worse])
    below = [(unit, 2010 + k, 0.3 - 1e-12) for unit in "abc" for k in (0, 1)]
    same(labels_of(observed(below), target).y[::2], [float(worse[1])] * 3)


def test_state_at_the_origin_is_that_known_then_and_outcomes_are_revised() -> None:
    rows = [("a", 2010, 2011, 0.5), ("a", 2010, 2013, 1.5), ("a", 2011, 2012, 0.5),
            ("a", 2011, 2014, 1.5)]  # fmt: skip
    target = {**ENTRY, "horizon": 1}
    first = labels_of(observed(rows), target, first_vintage=True)
    same(first.at_risk, [1, 1])
    same(first.y, [1, NAN])
    same(labels_of(observed(rows), target).at_risk, [0, 0])


def test_rows_without_a_known_figure_are_not_at_risk() -> None:
    observations = observed(path(0.5, 1.5, 0.5))
    rows = pd.DataFrame({"unit": ["a", "nobody", "a"], "period": [2010, 2010, 1900],
                         "known_period": [-1, -1, 2010], "vintage": [-1, -1, 0]})  # fmt: skip
    labels = label(observations, spec_of(ENTRY), (), rows=rows)
    same(labels.at_risk, [0, 0, 1])
    same(labels.y, [NAN, NAN, NAN])


def test_classes_as_published() -> None:
    target = {"kind": "entry", "horizon": 1, "class": "capag", "worse": ["C", "D"]}
    rows = [
        (unit, 2010 + k, word)
        for unit, words in {"a": "AC", "b": "BD", "c": "CA", "d": "BB"}.items()
        for k, word in enumerate(words)
    ]
    labels = labels_of(observed(rows, "capag"), target)
    same(labels.y[::2], [1, 1, NAN, 0])
    assert labels.rule[0] == "class as published"
    assert not labels.notes
    only = labels_of(observed([r for r in rows if r[0] != "b"], "capag"), target)
    assert [note.values["name"] for note in only.notes] == ["D"]


@pytest.mark.parametrize("worse", [["E"], ["c"], ["C", " d"]])
def test_a_class_that_never_occurs_is_refused(worse: list[str]) -> None:
    rows = [("a", 2010, "A"), ("a", 2011, "C"), ("b", 2010, "D"), ("b", 2011, "A")]
    target = {"kind": "entry", "horizon": 1, "class": "capag", "worse": worse}
    with pytest.raises(DataProblem, match=r"classes that do are A \(2\), C \(1\), D \(1\)"):
        labels_of(observed(rows, "capag"), target)


EVENT = {"kind": "event", "horizon": 1, "event": "r"}


def test_events_that_are_not_listed() -> None:
    rows = observed([("a", 2010, NAN), ("a", 2011, 1.0), ("a", 2012, NAN), ("a", 2013, 0.0)])
    none = labels_of(rows, EVENT)
    same(none.at_risk, [1, 0, 1, 1])
    same(none.y, [1, NAN, 0, NAN])
    assert none.rule[0] == "event as listed"
    censored = labels_of(rows, {**EVENT, "unlisted": "censored"})
    same(censored.at_risk, [0, 0, 0, 1])
    same(censored.y, [NAN] * 4)


def test_a_government_of_which_nothing_is_known_is_not_at_risk() -> None:
    rows = pd.DataFrame({"unit": ["z"], "period": [2010], "known_period": [-1], "vintage": [-1]})
    labels = label(observed([("a", 2010, 0.0), ("a", 2011, 1.0)]), spec_of(EVENT), (), rows=rows)
    same(labels.at_risk, [0])
    same(labels.y, [NAN])


def test_a_list_with_other_numbers_is_refused() -> None:
    with pytest.raises(DataProblem, match="1 of its cells hold another number, the first 2"):
        labels_of(observed([("a", 2010, 0.0), ("a", 2011, 2.0)]), EVENT)


# -- by rulebook ----------------------------------------------------------------------------------

BOOK = {"kind": "entry", "horizon": 1, "rulebook": "br-capag", "worse": ["C", "D"],
        "columns": {"dc": "dc", "pc": "r", "il": "il"}}  # fmt: skip


def capag(values: dict[int, float], **fixed: float) -> Observations:
    observations = observed([("a", year, pc) for year, pc in values.items()])
    for name, value in {"dc": 0.1, "il": 0.5, **fixed}.items():
        observations.frame[name] = value
    return observations


def test_both_ends_are_judged_by_the_version_at_the_end_of_the_window() -> None:
    books = load_rulebooks()
    before = capag({2018: 0.80, 2019: 0.96, 2020: 0.96, 2021: 0.80}, il=0.5)
    labels = label(before, spec_of(BOOK), books, rows=rows_of(before))
    assert list(labels.rule) == ["br-capag@2017", "br-capag@2017", "br-capag@2022", "br-capag@2022"]
    same(labels.at_risk, [1, 0, 0, 1])
    same(labels.y, [1, NAN, NAN, NAN])
    # Debt of 1.2 is B by the version for 2020 and C by that for 2021. With savings and liquidity C
    # the outcome is C by the one and D by the other.
    both = capag({2019: 0.96, 2020: 0.96, 2021: 0.96}, dc=1.2, il=2.0)
    worst = {**BOOK, "worse": ["D"]}
    rows = rows_of(both)
    labels = label(both, spec_of(worst), books, rows=rows)
    same(labels.at_risk, [1, 0, 0])  # 2019 -> 2020 by @2017: C now; 2020 -> 2021 by @2022: D now
    same(labels.y, [0, NAN, NAN])
    pinned = label(both, spec_of({**worst, "rulebook": "br-capag@2017"}), books, rows=rows)
    same(pinned.at_risk, [1, 1, 1])
    same(pinned.y, [0, 0, NAN])
    assert set(pinned.rule) == {"br-capag@2017"}


def test_a_change_of_the_rule_inside_the_window_is_no_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    observations = observed(path(0.7, 0.9, 0.9, 0.9, 0.7))
    ratio = observations.frame["r"].to_numpy()
    strict_until_2012 = Judged(
        np.stack([ratio >= 0.8, ratio >= 1.0]).astype(float), ("x@old", "x@new"),
        {year: int(year > 2012) for year in range(2010, 2019)},
    )  # fmt: skip
    monkeypatch.setattr("debtwatch.early_warning.targets.judge", lambda *_: strict_until_2012)
    labels = labels_of(observations, ENTRY)
    assert list(labels.rule) == ["x@old", "x@new", "x@new", "x@new", "x@new"]
    # 2010-2012 by the old rule; 0.9 in 2012 was beyond it, but not beyond that for 2013.
    same(labels.at_risk, [1, 1, 1, 1, 1])
    same(labels.y, [1, 0, 0, NAN, NAN])


def test_a_version_that_the_columns_do_not_feed_is_said() -> None:
    observations = capag({2021: 0.8, 2022: 0.8, 2023: 0.8})
    labels = label(observations, spec_of(BOOK), load_rulebooks(), rows=rows_of(observations))
    assert [note.values["version"] for note in labels.notes] == ["2023"]
    same(labels.y, [0, NAN, NAN])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"worse": ["Z"]}, "has no class Z, named as worse; its classes are A"),
        ({"columns": {"debt": "r"}}, "none of the names debt"),
        ({"columns": {}}, "needs target.columns, which says .*: gross_consolidated_debt"),
    ],
)
def test_names_that_the_rulebook_does_not_have(change: dict[str, Any], message: str) -> None:
    observations = capag({2018: 0.8, 2019: 0.96})
    with pytest.raises(DataProblem, match=message):
        label(observations, spec_of({**BOOK, **change}), load_rulebooks(),
              rows=rows_of(observations))  # fmt: skip


def test_an_unknown_rulebook() -> None:
    observations = capag({2018: 0.8, 2019: 0.96})
    with pytest.raises(RulebookProblem, match="nonsense"):
        label(observations, spec_of({**BOOK, "rulebook": "nonsense"}), load_rulebooks(),
              rows=rows_of(observations))  # fmt: skip


# -- properties -----------------------------------------------------------------------------------


def plain(values: dict[tuple[str, int], float], unit: str, t: int, target: dict[str, Any]) -> Any:
    """Outcome of one row, written out step by step."""
    reach = {p for (_, p), v in values.items() if not np.isnan(v)}
    now = values.get((unit, t), NAN)
    if (
        np.isnan(now)
        or (target["kind"] == "entry" and now >= 1)
        or t + target["horizon"] not in reach
    ):
        return NAN
    steps = range(1, target["horizon"] + 1)
    if target["kind"] == "status":
        steps = range(target["horizon"], target["horizon"] + 1)
    gap = False
    for k in steps:
        later = values.get((unit, t + k), NAN)
        if np.isnan(later):
            if t + k in reach and target["unreported"] == "event":
                return 1.0
            gap |= t + k in reach
        elif later >= 1:
            return 1.0
    return NAN if gap else 0.0


@settings(max_examples=60)
@given(
    cells=st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.integers(2000, 2008)),
        st.sampled_from([0.2, 0.9, 1.0, 1.7, NAN]), min_size=1, max_size=24,
    ),
    kind=st.sampled_from(["entry", "status"]),
    horizon=st.integers(1, 4),
    unreported=st.sampled_from(["censored", "event"]),
)  # fmt: skip
def test_windows_as_written_out(
    cells: dict[tuple[str, int], float], kind: str, horizon: int, unreported: str
) -> None:
    target = {**ENTRY, "kind": kind, "horizon": horizon, "unreported": unreported}
    observations = observed([(*key, value) for key, value in cells.items()])
    rows = rows_of(observations)
    labels = label(observations, spec_of(target), (), rows=rows)
    expected = [
        plain(cells, u, p, target) for u, p in zip(rows["unit"], rows["period"], strict=True)
    ]
    same(labels.y, expected)
    assert (np.isnan(labels.event_period) == (labels.y != 1)).all()
    span = labels.event_period - rows["period"].to_numpy()
    assert ((span >= 1) & (span <= horizon))[labels.y == 1].all()


# -- enough to learn from -------------------------------------------------------------------------


def test_one_class_only_and_no_outcome_are_refused() -> None:
    check_outcomes(np.array([0.0, 1.0, NAN]), np.full(3, True), horizon=1)
    with pytest.raises(DataProblem, match="Of 2 rows with a known outcome 2 are events and 0"):
        check_outcomes(np.array([1.0, 1.0, NAN]), np.full(3, True), horizon=1)
    with pytest.raises(DataProblem, match="2 of 3 rows are at risk, and none of them"):
        check_outcomes(np.full(3, NAN), np.array([True, True, False]), horizon=4)


# -- periods --------------------------------------------------------------------------------------


@given(ordinal=st.integers(1980, 2090), frequency=st.sampled_from(["year", "quarter"]))
def test_a_period_reads_as_it_is_written(ordinal: int, frequency: Any) -> None:
    ordinal = ordinal if frequency == "year" else 4 * ordinal + ordinal % 4
    assert parse_origin(period_text(ordinal, frequency), frequency) == ordinal
    end = period_end(ordinal, frequency)
    assert quarter(end.year, (end.month + 2) // 3) == last_quarter(ordinal, frequency)


@pytest.mark.parametrize(
    ("text", "frequency"),
    [("2021", "quarter"), ("2021Q4", "year"), ("soon", "year"), ("", "quarter")],
)
def test_an_origin_of_the_other_frequency_is_refused(text: str, frequency: Any) -> None:
    with pytest.raises(DataProblem, match="write one such as"):
        parse_origin(text, frequency)


# -- real outcomes --------------------------------------------------------------------------------


@needs_shared
def test_published_and_computed_grades_of_brazil_agree() -> None:
    table = SHARED / "data" / "br-capag" / "capag_municipalities_2020_2022.csv.gz"
    columns = {"dc": "ind1_dc_rcl", "pc": "ind2_dcor_rcor", "il": "ind3_liq"}
    features = [{"id": n, "of": n, "label": {"zh": "例", "en": n}} for n in columns.values()]
    data = {"unit": "ibge_code", "period": "year", "group": "uf"}
    worse = {"kind": "entry", "horizon": 1, "worse": ["C", "D"]}
    columns = dict(
        zip(("dc", "pc", "il"), ("ind1_dc_rcl", "ind2_dcor_rcor", "ind3_liq"), strict=True)
    )
    rates = []
    for source in ({"class": "capag"}, {"rulebook": "br-capag", "columns": columns}):
        spec = spec_of({**worse, **source}, data=data, feature=features)
        observations = read_observations([table], spec)
        rows = rows_of(observations)
        labels = label(observations, spec, load_rulebooks(), rows=rows)
        origin = rows["period"].to_numpy() == 2020
        rates.append((int((origin & ~np.isnan(labels.y)).sum()), np.nanmean(labels.y[origin])))
    # The rules are those of the target date, the published grades those of each year.
    assert rates[0][0] == 1664
    assert rates[0][1] == pytest.approx(113 / 1664)
    assert abs(rates[1][0] - rates[0][0]) < 20
    assert rates[1][1] == pytest.approx(rates[0][1], abs=0.003)
