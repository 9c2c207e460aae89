"""A store as the classifier's figures: columns, vintages, time travel, projection, bad input."""

from __future__ import annotations

import datetime as dt
import shutil

import duckdb
import numpy as np
import pandas as pd
import pytest

from debtwatch.early_warning.features import build_sample
from debtwatch.early_warning.period_names import period_end
from debtwatch.early_warning.spec import Data
from debtwatch.early_warning.store_projection import project, projected_line, quarters_ahead
from debtwatch.early_warning.store_rows import (
    groups_of,
    observations_of_store,
    store_frequency,
)
from debtwatch.errors import DataProblem
from debtwatch.panel.panel import build_panel
from debtwatch.panel.period import quarter
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.rules.capacity import choose_basis, history_inputs
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.sustainability.accounts import central_outlook
from debtwatch.sustainability.outlook import simulate_outlook
from debtwatch.sustainability.settings import outlook_settings
from tests.attention_cases import AS_OF as COUNTY_DAY
from tests.attention_cases import counties, county_spec
from tests.conftest import AS_OF, EXAMPLE, county_rows

BOOKS = load_rulebooks()


def observed(path, *, as_of, origins=None, projected=(), **changes):
    with open_store(path) as store:
        return observations_of_store(
            store, county_spec(**changes), as_of=as_of, books=BOOKS, origins=origins,
            projected=projected, paths=200,
        )  # fmt: skip


def target(**changes):
    return county_spec().target.model_copy(update=changes)


# -- columns ---------------------------------------------------------------------------------------


def test_figures_are_those_the_rules_use(county_store):
    observations, _ = observed(county_store, as_of=dt.date(2026, 2, 1))
    frame = observations.frame
    row = frame[frame["period"] == quarter(2025, 4)].iloc[-1]
    # General debt 150,000 + 900·16, special debt 200,000 + 1,500·16, in 万元.
    debt = (150_000 + 900 * 16 + 200_000 + 1_500 * 16) * 1e4
    capacity = (100_000 + 160_000 - 4_000 + 60_000) * 1e4 * 1.02**3
    assert row["debt_balance"] == pytest.approx(debt)
    assert row["comprehensive_fiscal_capacity"] == pytest.approx(capacity)
    assert row["debt_ratio"] == pytest.approx(debt / capacity)
    assert row["own_share"] == pytest.approx(100_000 * 1.02**3 * 1e4 / capacity)
    assert row["interest_share"] == pytest.approx(13_000 * 1.02**3 * 1e4 / capacity)
    assert observations.frequency == "quarter"
    # The sum of four quarters is not known before the fourth one.
    assert np.isnan(frame.loc[frame["period"] == quarter(2022, 3), "debt_ratio"]).all()


def test_rows_are_sorted_and_keys_are_unique():
    frame = observed(counties(), as_of=COUNTY_DAY, origins=range(8080, 8104, 3))[0].frame
    keys = ["unit", "period", "known_from"]
    assert not frame.duplicated(keys).any()
    assert frame.equals(frame.sort_values(keys, ignore_index=True))
    assert frame["known_from"].max() <= pd.Timestamp(COUNTY_DAY)
    assert (frame["known_from"] >= [pd.Timestamp(period_end(p, "quarter")) for p in
                                    frame["period"]]).all()  # fmt: skip


def test_the_last_vintage_is_what_is_known_now():
    frame = observed(counties(), as_of=COUNTY_DAY, origins=[8087, 8095])[0].frame
    with open_store(counties()) as store:
        panel = build_panel(store.known_on(COUNTY_DAY))
    inputs = history_inputs(panel, choose_basis(panel))
    last = frame.groupby(["unit", "period"])["debt_balance"].last()
    for row, unit in enumerate(panel.units.index[:20]):
        for period in (8000, 8087, 8100, 8103):
            if (unit, period) in last.index:
                found = last[unit, period]
                expected = inputs["debt_balance"][row, period - panel.first_quarter]
                assert found == expected or (np.isnan(found) and np.isnan(expected))


def test_groups_are_provinces():
    units = pd.DataFrame(
        {"level": ["county", "county", "city", "province"], "parent": ["530000", "", "", ""]},
        index=["530102", "330102", "2102", "53"],
    )
    assert groups_of(units).tolist() == ["530000", "33", "2102", "53"]


def test_words_of_a_government_are_columns():
    spec = county_spec()
    word = spec.feature[0].model_copy(update={"id": "county", "of": "level", "measure": "is",
                                              "value": "county", "log": False})  # fmt: skip
    frame = observed(counties(), as_of=COUNTY_DAY, origins=[8103],
                     feature=(*spec.feature, word))[0].frame  # fmt: skip
    assert set(frame["level"]) == {"county"}


@pytest.mark.parametrize(
    ("column", "near"), [("debt_ratoi", "debt_ratio"), ("gpb_revenues", "gpb_revenue")]
)
def test_a_column_that_no_store_holds_is_refused(county_store, column, near):
    feature = county_spec().feature[0].model_copy(update={"of": column})
    with pytest.raises(DataProblem, match=f"no “{column}”.*{near}"):
        observed(county_store, as_of=dt.date(2026, 2, 1), feature=(feature,))


def test_nothing_known_yet_is_said(county_store):
    with pytest.raises(DataProblem, match="Nothing in the store was known on 2020-01-01"):
        observed(county_store, as_of=dt.date(2020, 1, 1))


def test_a_column_without_figures_is_noted(county_store):
    observations, _ = observed(county_store, as_of=dt.date(2026, 2, 1))
    empty = [n.values["column"] for n in observations.notes if "column" in n.values]
    assert empty == ["land_revenue"]


# -- vintages --------------------------------------------------------------------------------------


def test_a_correction_is_a_vintage_of_its_own(workbook, tmp_path):
    path, day, later = tmp_path / "s.duckdb", dt.date(2024, 1, 20), dt.date(2024, 9, 1)
    rows = county_rows((2021, 2022, 2023))
    with open_store(path, create=True) as store:
        store.add(read_file(workbook(rows)), known_from=day)
    rows[-1][14] = 300_000
    with open_store(path, create=True) as store:
        store.add(read_file(workbook(rows, name="fixed.xlsx")), known_from=later)
    origins = [quarter(2023, 4), quarter(2024, 1), quarter(2024, 2), quarter(2024, 3)]
    frame = observed(path, as_of=dt.date(2025, 1, 1), origins=origins)[0].frame
    own = frame[frame["period"] == quarter(2023, 4)]
    assert own["known_from"].dt.date.tolist() == [day, later]
    general = 150_000 + 900 * 8
    assert own["debt_balance"].diff().iloc[1] == pytest.approx((300_000 - general) * 1e4)


def test_a_history_given_at_once_counts_from_its_assumed_day(county_store):
    observations, _ = observed(county_store, as_of=dt.date(2026, 2, 1))
    frame = observations.frame.set_index("period")["known_from"]
    lag = pd.Timedelta(days=county_spec().data.lag_days)
    for year in (2022, 2023, 2024):  # more than a year old when the store first heard of them
        assert frame[quarter(year, 4)] == pd.Timestamp(dt.date(year, 12, 31)) + lag
    assert frame[quarter(2025, 1)] == pd.Timestamp("2026-01-20")
    note = next(n for n in observations.notes if "at once" in n.template)
    assert note.values == {"units": 1, "days": 45}


def test_a_late_report_is_late_and_no_history(workbook, tmp_path):
    """A government that had reported before hides nothing by reporting two years late."""
    path = tmp_path / "s.duckdb"
    rows = county_rows((2020, 2021, 2022))
    with open_store(path, create=True) as store:
        early = [r for r in rows[2:] if r[3] <= "2021Q4"]
        first = workbook([*rows[:2], *early], name="a.xlsx")
        store.add(read_file(first), known_from=dt.date(2022, 1, 20))
        store.add(read_file(workbook(rows, name="b.xlsx")), known_from=dt.date(2025, 1, 20))
    observations, _ = observed(path, as_of=dt.date(2025, 6, 1))
    frame = observations.frame.set_index("period")["known_from"]
    assert frame[quarter(2022, 2)] == pd.Timestamp("2025-01-20")
    assert frame[quarter(2020, 4)] == pd.Timestamp("2021-02-14")


def test_nothing_published_after_an_origin_moves_what_was_known_then(tmp_path):
    """Time travel from store to features, the projection among them."""
    origin, cut = quarter(2022, 2), dt.date(2022, 6, 30) + dt.timedelta(days=75)
    changed = tmp_path / "changed.duckdb"
    shutil.copy(counties(), changed)
    with duckdb.connect(str(changed)) as connection:
        connection.execute(
            "update observations set value = value * 1.7 where known_from > ?", [cut]
        )
        assert connection.execute("select count(*) from observations where known_from > ?",
                                  [cut]).fetchone()[0] > 1000  # fmt: skip
    found = []
    for path in (counties(), changed):
        observations, projection = observed(
            path, as_of=COUNTY_DAY, origins=[quarter(2021, 2), origin], projected=[origin]
        )
        sample = build_sample(
            observations, county_spec(), books=BOOKS, origins=[origin], projection=projection
        )
        frame = observations.frame
        seen = frame[frame["known_from"] <= pd.Timestamp(cut)].reset_index(drop=True)
        found.append((seen, projection, sample, frame))
    (seen, projection, sample, frame), (seen2, projection2, sample2, frame2) = found
    pd.testing.assert_frame_equal(seen, seen2, check_exact=True)
    pd.testing.assert_series_equal(projection, projection2, check_exact=True)
    pd.testing.assert_frame_equal(sample.x, sample2.x, check_exact=True)
    assert sample.x["projection"].notna().sum() > 35
    assert not frame.equals(frame2)  # the change reaches what is known now


# -- yearly accounts -------------------------------------------------------------------------------


def test_yearly_accounts_are_read_by_years(tmp_path):
    path = tmp_path / "issuers.duckdb"
    with open_store(path, create=True) as store:
        store.add(read_file(EXAMPLE / "issuers.xlsx"), known_from=AS_OF)
        assert store_frequency(build_panel(store.known_on(AS_OF))) == "year"
    observations, projection = observed(
        path, as_of=AS_OF, origins=[2022, 2023], projected=[2023], target=target(horizon=1),
        data=Data(lag_days=500),
    )  # fmt: skip
    assert observations.frequency == "year"
    assert set(observations.frame["period"]) <= set(range(2015, 2026))
    assert set(projection.index.get_level_values("period")) == {2023}
    assert ((projection >= 0) & (projection <= 1) | projection.isna()).all()
    assert len(set(observations.frame["group"])) == 37


def test_quarterly_accounts_are_told_from_yearly_ones(county_store):
    with open_store(county_store) as store:
        assert store_frequency(build_panel(store.known_on(dt.date(2026, 2, 1)))) == "quarter"


# -- the projection --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, ("debt_ratio", 2.0, True)),
        ({"worse": ("red",)}, ("debt_ratio", 3.0, True)),
        ({"worse": ("yellow", "orange", "red")}, ("debt_ratio", 1.2, True)),
        ({"worse": ("orange",)}, None),  # red is no orange: no single line
        ({"rulebook": "cn-debt-quota", "worse": ("over_limit",)}, None),  # limits do not move
        ({"rulebook": None, "ratio": "debt_ratio", "line": 1.5, "operator": ">"},
         ("debt_ratio", 1.5, False)),
        ({"rulebook": None, "ratio": "debt_ratio", "line": 1.5, "operator": "<"}, None),
        ({"rulebook": None, "ratio": "own_share", "line": 0.5}, None),
        ({"rulebook": None, "kind": "event", "event": "default"}, None),
    ],
)  # fmt: skip
def test_the_line_that_is_projected(changes, line):
    found = projected_line(county_spec(target=target(**changes)), BOOKS, quarter(2026, 4))
    if line is None:
        assert found is None
    else:
        assert (found[1].indicator, found[1].value, found[1].inclusive) == line


def test_the_projection_is_the_outlooks_own_probability():
    origin, horizon = quarter(2023, 4), 4
    with open_store(counties()) as store:
        panel = build_panel(store.known_on(dt.date(2024, 3, 15)))
    basis = choose_basis(panel)
    options = {"origin": origin, "frequency": "quarter", "paths": 200, "seed": 5}
    entry = project(panel, basis, county_spec(), BOOKS, **options)
    status = project(panel, basis, county_spec(target=target(kind="status")), BOOKS, **options)
    book = next(b for b in BOOKS if b.id == "cn-debt-tiers")
    inflation = outlook_settings().calibration.inflation
    outlook = central_outlook(panel, basis, origin, quarters=horizon, inflation=inflation)
    fan = simulate_outlook(outlook, basis, [book], seed=5, paths=200, consecutive=1)
    line = next(known for _, known in fan.watch.lines if known.value == 2.0)
    np.testing.assert_array_equal(entry.to_numpy(), fan.ever(line)[:, horizon - 1])
    np.testing.assert_array_equal(status.to_numpy(), fan.beyond(line)[:, horizon - 1])
    both = entry.notna() & status.notna()
    assert (entry[both] >= status[both]).all()
    assert 0 < entry.mean() < 1


def test_horizons_in_quarters():
    assert quarters_ahead(3, "year") == 12
    assert quarters_ahead(3, "quarter") == 3


def test_progress_is_told():
    told = []
    with open_store(counties()) as store:
        observations_of_store(
            store, county_spec(), as_of=COUNTY_DAY, books=BOOKS, origins=[8090, 8100],
            projected=(), progress=lambda done, whole: told.append((done, whole)),
        )  # fmt: skip
    assert told == [(1, 2), (2, 2)]
