"""Back-test of the outlook: synthetic truth, no look-ahead, scores, command line, real data."""

from __future__ import annotations

import datetime as dt
import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

from debtwatch.errors import DataProblem, DebtwatchError
from debtwatch.panel.panel import build_panel
from debtwatch.panel.period import quarter_text
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.reporting.backtest_page import (
    as_known,
    backtest_store,
    backtest_text,
    parse_horizons,
    parse_origins,
)
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.sustainability.backtest import (
    LEVELS,
    QUANTILES,
    Judged,
    Origin,
    backtest,
    judge_origin,
    score_of,
    truth_of,
)
from debtwatch.sustainability.rivals import climatology, walk
from debtwatch.sustainability.scores import crps_sample, pit
from tests.conftest import AS_OF, EXAMPLE, SHARED, needs_shared, run

REVENUE, DEBT = "一般公共预算收入（元）", "债务余额（元）"
BOOK = next(book for book in load_rulebooks() if book.id == "cn-debt-tiers")
YEARS = range(2006, 2021)


def table_of(values, *, years=YEARS, field=REVENUE, published=True):
    """Rows of a plain csv; each year is published on 30 June of the next one."""
    codes = [f"{k:04d}" for k in range(len(values))]
    table = pd.DataFrame(
        [(code, f"unit {code}", str(year), value)
         for code, own in zip(codes, values, strict=True)
         for year, value in zip(years, own, strict=True)],
        columns=["unit", "name", "period", field],
    )  # fmt: skip
    if published:
        table["known_from"] = [f"{int(p) + 1}-06-30" for p in table["period"]]
    return table.dropna(subset=[field])


def store_of(folder, *tables, day=AS_OF):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "s.duckdb"
    with open_store(path, create=True) as store:
        for number, table in enumerate(tables):
            table.to_csv(folder / f"{number}.csv", index=False)
            store.add(read_file(folder / f"{number}.csv"), known_from=day)
    return path


def panel_of(folder, table):
    with open_store(store_of(folder, table)) as store:
        return build_panel(store.known_on(AS_OF))


@cache
def world(units=250, seed=7, common=0.01):
    """Revenue in a known world: log growth 4 % a year, own shock 6 %, a small common one."""
    rng = np.random.default_rng(seed)
    shape = (units, len(YEARS))
    growth = 0.04 + common * rng.standard_normal(shape[1]) + 0.06 * rng.standard_normal(shape)
    return 1e9 * np.exp(rng.normal(0, 1, (units, 1)) + np.cumsum(growth, axis=1))


@pytest.fixture(scope="module")
def known_world(tmp_path_factory):
    return panel_of(tmp_path_factory.mktemp("world"), table_of(world()))


def fourth(*years):
    return [4 * year + 3 for year in years]


def same(one: Judged, other: Judged, names=("quantiles", "crps_walk", "crps_climate")):
    assert (one.target, one.origin, one.horizon) == (other.target, other.origin, other.horizon)
    assert np.array_equal(one.unit, other.unit)
    for name in names:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


# -- synthetic truth -------------------------------------------------------------------------------


def test_bands_cover_what_they_say_in_a_known_world(known_world):
    origins = [Origin(q, known_world) for q in fourth(2013, 2014, 2015, 2016, 2017)]
    result = backtest(origins, known_world, BOOK, paths=1000)
    assert {(s.target, s.horizon) for s in result.scores} == {
        ("gpb_revenue", h) for h in (4, 8, 12)
    }
    for score in result.scores:
        assert score.cases == 250 * 5
        for band in score.bands:
            # Five origins share few common shocks: the cluster interval knows of none of them.
            assert band.low - 0.06 <= band.level <= band.high + 0.06, (score.horizon, band)
        assert score.held == "held"
        # The true drift is the same everywhere; the walk believes each unit's own seven changes.
        assert score.crps < score.crps_walk
        assert score.wins > 0.5
        assert 0.35 < score.above < 0.65
        assert score.inflation < 1.1
    assert [r.governments for r in result.runs] == [250] * 5
    assert {(r.method, r.step) for r in result.runs} == {("normal", "year")}


def test_a_walk_that_knows_the_truth_is_calibrated_and_climatology_sees_the_pool():
    rng = np.random.default_rng(3)
    past = np.exp(np.cumsum(0.05 + 0.1 * rng.standard_normal((400, 40)), axis=1))
    rows = np.arange(400)
    future = past[:, -1] * np.exp(2 * 0.05 + 0.1 * np.sqrt(2) * rng.standard_normal(400))
    for sample in (walk(past, rows, 8), climatology(past, rows, 8)):
        low, high = np.quantile(sample, [0.1, 0.9], axis=1)
        assert 0.74 < ((future >= low) & (future <= high)).mean() < 0.86
    # A quarter ahead: a quarter of the mean and half of the spread.
    quarter = np.log(walk(past, rows, 1) / past[:, -1:])
    year = np.log(walk(past, rows, 4) / past[:, -1:])
    assert quarter.mean(axis=1) == pytest.approx(year.mean(axis=1) / 4)
    assert quarter.std(axis=1) == pytest.approx(year.std(axis=1) / 2)
    zeros = np.tile([[1.0, 0.0, 2.0, 1.5]], (30, 1))
    assert np.isfinite(walk(zeros, np.arange(30), 4)).all()
    assert np.isfinite(climatology(zeros, np.arange(30), 4)).all()
    alone = np.array([[np.nan, np.nan, 5.0]])
    assert walk(alone, np.array([0]), 4).mean() == pytest.approx(5.0, rel=0.02)
    assert (climatology(alone, np.array([0]), 4) == 5.0).all()


# -- nothing from the future -----------------------------------------------------------------------


def judged_at(path, year, horizons=(4, 8)):
    with open_store(path) as store:
        final = store.known_on(AS_OF)
        at = as_known(store, final, 4 * year + 3)
    truth = truth_of(build_panel(final), BOOK)
    origin = Origin(at.quarter, build_panel(at.known))
    return at, judge_origin(origin, truth, BOOK, horizons=horizons, paths=500, seed=1)[0]


@pytest.mark.parametrize("published", [True, False], ids=["vintages", "one import"])
def test_forecasts_do_not_see_what_came_after_their_day(tmp_path, published):
    values = world(40)[:, 4:]
    years = range(2010, 2021)
    later = values.copy()
    # The second world differs after 2016 only.
    later[:, 7:] *= np.linspace(0.6, 1.7, 40)[:, None]
    first = store_of(tmp_path / "a", table_of(values, years=years, published=published))
    second = store_of(tmp_path / "b", table_of(later, years=years, published=published))
    (at, one), (_, other) = judged_at(first, 2016), judged_at(second, 2016)
    assert at.vintages is published
    assert at.day == (dt.date(2017, 6, 30) if published else AS_OF)
    assert len(one) == 2
    for before, after in zip(one, other, strict=True):
        same(before, after, ("quantiles", "last"))
        assert not np.array_equal(before.outcome, after.outcome)


def test_a_revision_published_after_the_day_is_not_seen(tmp_path):
    years, values = range(2010, 2021), world(40)[:, 4:]
    table = table_of(values, years=years)
    revised = table[table["period"].astype(int) <= 2016].copy()
    revised[REVENUE] *= np.linspace(0.9, 1.1, len(revised))
    revised["known_from"] = "2018-03-01"
    plain = judged_at(store_of(tmp_path / "a", table), 2016)
    with_revision = judged_at(store_of(tmp_path / "b", table, revised), 2016)
    assert with_revision[0].day == plain[0].day == dt.date(2017, 6, 30)
    for one, other in zip(plain[1], with_revision[1], strict=True):
        same(one, other, ("quantiles", "last", "outcome"))


def test_the_day_of_an_origin_waits_for_nine_in_ten_figures(tmp_path):
    table = table_of(world(40)[:, 4:], years=range(2010, 2021))
    mask = table["period"].eq("2016") & table["unit"].isin([f"{k:04d}" for k in range(5)])
    table.loc[mask, "known_from"] = "2017-09-15"
    path = store_of(tmp_path, table)
    with open_store(path) as store:
        at = as_known(store, store.known_on(AS_OF), 4 * 2016 + 3)
    assert at.day == dt.date(2017, 9, 15)  # 35 of 40 are fewer than nine in ten
    assert at.vintages
    assert int(at.known.observations["quarter"].max()) == at.quarter


def test_a_budget_is_not_the_publication_of_the_accounts(tmp_path):
    table = table_of(world(10)[:, 4:], years=range(2010, 2021))
    budget = table[table["period"] == "2016"].assign(status="budget", known_from="2016-02-01")
    path = store_of(tmp_path, budget, table)
    with open_store(path) as store:
        at = as_known(store, store.known_on(AS_OF), 4 * 2016 + 3)
    assert at.day == dt.date(2017, 6, 30)


def test_the_order_of_units_and_a_second_run_change_nothing(tmp_path):
    table = table_of(world(60)[:, 4:], years=range(2010, 2021))
    shuffled = table.sample(frac=1, random_state=1)
    first = store_of(tmp_path / "a", table)
    one, again, other = (
        backtest_store(path, ["2015..2017"], as_of=AS_OF, horizons="4,8", paths=300)
        for path in (first, first, store_of(tmp_path / "b", shuffled))
    )
    assert one == again
    assert {**one, "sources": None} == {**other, "sources": None}


# -- scores ----------------------------------------------------------------------------------------


def judged_of(paths, outcome, *, origin=8000, horizon=4, rival=None):
    """Judge plain samples, one unit each."""
    units = np.array([f"{k:03d}" for k in range(len(outcome))])
    other = paths if rival is None else rival
    return Judged(
        target="x", origin=origin, horizon=horizon, unit=units, cluster=units,
        outcome=outcome, last=np.full(len(outcome), 10.0),
        quantiles=np.quantile(paths, QUANTILES, axis=1).T,
        pit=pit(paths, outcome, np.random.default_rng(0)),
        crps=crps_sample(paths, outcome), crps_walk=crps_sample(other, outcome),
        crps_climate=crps_sample(other, outcome), beyond=np.empty((len(outcome), 0)),
    )  # fmt: skip


def samples(shift=0.0, width=1.0, units=400, seed=5):
    rng = np.random.default_rng(seed)
    centre = rng.normal(10, 2, units)
    outcome = centre + rng.standard_normal(units)
    return centre[:, None] + shift + width * rng.standard_normal((units, 600)), outcome


def test_a_perfect_forecaster_is_even_and_beats_a_biased_one():
    paths, outcome = samples()
    biased, _ = samples(shift=1.5)
    good = score_of([judged_of(paths, outcome, rival=biased)])
    bad = score_of([judged_of(biased, outcome, rival=paths)])
    assert good.held == "held"
    assert all(
        band.low <= level <= band.high for band, level in zip(good.bands, LEVELS, strict=True)
    )
    assert good.pit_p > 0.01
    assert good.skill > 0.3
    assert good.wins > 0.6
    assert good.inflation < 1.1
    # CRPS of the normal law about its own centre, 1 / sqrt(pi), over the figure at the origin.
    assert good.crps == pytest.approx(1 / np.sqrt(np.pi) / 10, rel=0.06)
    assert bad.held == "narrow"
    assert bad.pit_p < 1e-6
    assert bad.above < 0.15
    assert bad.skill < 0
    assert bad.inflation > 1.5


def test_bands_too_wide_and_too_narrow_are_called_so():
    narrow, outcome = samples(width=0.5)
    wide, _ = samples(width=2.0)
    assert score_of([judged_of(narrow, outcome)]).inflation == pytest.approx(2.0, rel=0.15)
    assert score_of([judged_of(wide, outcome)]).held == "wide"
    assert score_of([judged_of(wide, outcome)]).inflation == 1.0


def test_bands_without_width_that_miss_ask_for_the_largest_factor():
    _, outcome = samples()
    still = np.full((len(outcome), 100), 10.0)
    score = score_of([judged_of(still, outcome)])
    assert score.inflation == 5.0
    assert score.held == "narrow"


def test_widened_bands_use_origins_whose_outcome_was_known():
    first, early = samples(width=0.5, seed=1)
    second, middle = samples(width=0.5, seed=2)
    third, late = samples(width=0.5, seed=3)

    def widened(last_outcome, *, horizon=4):
        score = score_of([
            judged_of(paths, outcome, origin=8000 + 4 * k, horizon=horizon)
            for k, (paths, outcome) in enumerate(
                [(first, early), (second, middle), (third, last_outcome)]
            )
        ])  # fmt: skip
        return score.widened, score.widened_by

    band, factor = widened(late)
    assert factor == pytest.approx(2.0, rel=0.15)
    assert band.covered == pytest.approx(0.8, abs=0.05)
    other, other_factor = widened(late + 50.0)
    assert other_factor == factor  # the last origin's outcome is not in its own factor
    assert other.covered < band.covered
    # Three years ahead no outcome was known by the later origins.
    assert widened(late, horizon=12)[0] is None


# -- hostile figures -------------------------------------------------------------------------------


def test_lone_missing_zero_and_absurd_figures_do_not_stop_a_back_test(tmp_path):
    values = world(30)[:, 4:].copy()
    values[0, :-5] = np.nan  # one figure before the origin of 2016
    values[0, :6] = np.nan
    values[1] = np.nan
    values[2] = 0.0
    values[3, 4] = 1e16
    values[4, 6:] = 1e16
    values[5, 7:] = np.nan  # no outcome
    path = store_of(tmp_path, table_of(values, years=range(2010, 2021)))
    answer = backtest_store(path, ["2016"], as_of=AS_OF, horizons="1,4,8", paths=200, lang="en")
    json.dumps(answer, allow_nan=False)
    backtest_text(answer, "en")
    assert 20 <= answer["scores"][0]["cases"] <= 30
    for score in answer["scores"]:
        assert score["crps"] >= 0
        assert sum(score["pit"]) == pytest.approx(1)


def test_one_government_has_no_interval_and_says_none(tmp_path):
    path = store_of(tmp_path, table_of(world(1)[:, 4:], years=range(2010, 2021)))
    answer = backtest_store(path, ["2016"], as_of=AS_OF, horizons="4", paths=200, lang="zh")
    score = answer["scores"][0]
    assert score["cases"] == 1
    assert score["bands"][1]["low"] is None
    assert score["pit_p"] is None
    json.dumps(answer, allow_nan=False)
    backtest_store(path, ["2016"], as_of=AS_OF, horizons="4", paths=200, out=tmp_path / "o")


# -- options and command line ----------------------------------------------------------------------


def test_origins_are_quarters_years_lists_and_spans():
    texts = [quarter_text(q) for q in parse_origins(["2020Q4,2018Q1", "2012Q1..2014Q1", "2020"])]
    assert texts == ["2012Q1", "2013Q1", "2014Q1", "2018Q1", "2020Q4"]
    assert parse_origins(["2018..2020"]) == fourth(2018, 2019, 2020)
    assert parse_origins(["2018年四季度，2019"]) == fourth(2018, 2019)
    assert parse_horizons("12,4,4") == [4, 12]


@pytest.mark.parametrize(
    ("text", "part"),
    [("2020Q5", "2020Q5"), ("2018Q4..x", "“x”"), ("2020Q4,sewage", "sewage"), ("", "no quarter"),
     ("2020Q4..2018Q4", "forward"), ("2018Q1..2020Q4", "same quarters"), ("..2020", "“”")],
)  # fmt: skip
def test_origins_that_cannot_be_read_are_named(text, part):
    with pytest.raises(DataProblem, match=part):
        parse_origins([text])


@pytest.mark.parametrize("text", ["", "0", "4.5", "-4", "400", "four"])
def test_horizons_that_cannot_be_read_are_refused(text):
    with pytest.raises(DataProblem, match="--horizons"):
        parse_horizons(text)


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    path = tmp_path_factory.mktemp("example") / "s.duckdb"
    with open_store(path, create=True) as store:
        store.add(read_file(EXAMPLE / "issuers.xlsx"), known_from=AS_OF)
    return path


OPTIONS = ("--as-of", "2026-09-30", "--paths", "200", "--horizons", "4")


def cli(store, *arguments, **options):
    return run("backtest", "outlook", "--store", store, *OPTIONS, *arguments, **options)


def test_the_command_prints_findings_and_a_table(example):
    done = cli(example, "--origins", "2020Q4..2022Q4", "--origins", "1999", "--lang", "en")
    assert done.returncode == 0, done.stderr
    assert "The 80 % band held in" in done.stdout
    assert "1999Q4 was left out: the store has no figures of it." in done.stdout
    assert "Debt ratio, 4 q ahead ≥ 120%" in done.stdout


def test_json_is_whole_and_finite(example):
    done = cli(example, "--origins", "2021", "--json")
    answer = json.loads(done.stdout, parse_constant=pytest.fail)
    assert answer["origins"] == [
        {"quarter": "2021Q4", "known_on": "2022-06-30", "vintages": True, "governments": 37,
         "method": "normal", "step": "year"}
    ]  # fmt: skip
    assert answer["headline"] == "debt_ratio"
    assert (answer["paths"], answer["seed"], answer["horizons"]) == (200, 20260930, [4])
    assert set(answer["calibration"]) == {"inflation", "drift_inflation", "inflation_asked",
                                          "measured"}  # fmt: skip
    assert answer["scores"][0]["widened"] is None
    assert [b["level"] for b in answer["scores"][0]["bands"]] == [0.5, 0.8, 0.9]
    assert {line["line"] for line in answer["lines"]} == {1.2, 2.0, 3.0}


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_page_is_written_whole_and_the_same_twice(example, tmp_path, lang):
    out = tmp_path / "page"
    options = {"as_of": AS_OF, "horizons": "4,8", "paths": 200, "lang": lang}
    answer = backtest_store(example, ["2020Q4,2021Q4"], out=out, **options)
    first = {p.name: p.read_bytes() for p in out.iterdir()}
    assert set(first) == {"index.html", "metrics.json", "manifest.json"}
    assert json.loads(first["metrics.json"]) == json.loads(json.dumps(answer))
    html = first["index.html"].decode()
    assert html.count("<svg") == 3
    assert "<script" not in html
    assert "http://" not in html.replace("http://www.w3.org/", "")
    assert "nan" not in html.lower().replace("finan", "")
    manifest = json.loads(first["manifest.json"])
    assert manifest["kind"] == "backtest"
    assert manifest["origins"] == ["2020Q4", "2021Q4"]
    backtest_store(example, ["2020Q4,2021Q4"], out=out, **options)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == first
    assert [p.name for p in tmp_path.iterdir()] == ["page"]


def test_names_in_files_are_escaped_on_the_page(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    evil = folder / "<b>x.csv"
    table_of(world(12)[:, 4:], years=range(2010, 2021)).to_csv(evil, index=False)
    path = folder / "s.duckdb"
    with open_store(path, create=True) as store:
        store.add(read_file(evil), known_from=AS_OF)
    backtest_store(path, ["2016"], as_of=AS_OF, horizons="4", paths=200, out=tmp_path / "o")
    html = (tmp_path / "o" / "index.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;x.csv" in html
    assert "<b>x" not in html


def test_a_folder_of_something_else_is_refused_before_any_work(example, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    done = cli(example, "--origins", "2021", "--out", tmp_path)
    assert done.returncode == 2
    assert "holds other files" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_report_and_a_back_test_do_not_replace_each_other(example, demo):
    done = cli(example, "--origins", "2021", "--out", demo["zh"])
    assert done.returncode == 2
    assert (demo["zh"] / "report.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("--origins", "2020Q7"), "“2020Q7” is not a quarter"),
     (("--origins", "2021", "--method", "magic"), "magic")],
)  # fmt: skip
def test_options_that_do_not_fit_end_with_a_sentence(example, arguments, words):
    done = cli(example, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"origins": ["1999"]}, "the store covers 2015Q4 to 2025Q4"),
     ({"origins": ["2025"]}, "the store covers 2015Q4 to 2025Q4"),
     ({"rulebook": "none"}, "none"),
     ({"horizons": "x"}, "--horizons x"),
     ({"as_of": dt.date(2010, 1, 1)}, "Nothing in the store was known on 2010-01-01"),
     ({"as_of": dt.date(2022, 8, 1)}, "the store covers 2015Q4 to 2021Q4")],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused_with_the_reason(example, changed, words):
    options = {"origins": ["2021"], "as_of": AS_OF, "horizons": "4", "paths": 200, **changed}
    with pytest.raises(DebtwatchError, match=words):
        backtest_store(example, **options)


# -- real data -------------------------------------------------------------------------------------


def by_key(answer):
    return {(s["target"], s["horizon"]): s for s in answer["scores"]}


def covered(score, level=0.8):
    return next(b["covered"] for b in score["bands"] if b["level"] == level)


@pytest.fixture(scope="module")
def china(example):
    return by_key(backtest_store(example, ["2020Q4..2023Q4"], as_of=AS_OF, paths=1000))


def test_bands_of_the_issuers_hold_for_debt_ratio_and_capacity(china):
    """Origins 2020-2023, as known half a year later."""
    for target, horizons in (
        ("debt_ratio", (4, 8)),
        ("comprehensive_fiscal_capacity", (4, 8, 12)),
        ("debt_balance", (8, 12)),
        ("gpb_revenue", (8, 12)),
        ("gfb_revenue", (4,)),
    ):
        for horizon in horizons:
            assert china[target, horizon]["held"] == "held", (target, horizon)
    assert all(s["crps"] < s["crps_walk"] for s in china.values())
    # In most cases too, debt further ahead apart: there many governments are forecast too low.
    named = ("debt_ratio", "comprehensive_fiscal_capacity", "gfb_revenue")
    assert all(s["wins"] > 0.5 for (target, _), s in china.items() if target in named)


def test_where_bands_of_the_issuers_fail_is_known(china):
    """The failures belong to single dates, common to all; a wider band would only hide them.

    Own revenue a year ahead: the origin of 2021 covers a third (the refunds of value added tax of
    2022 cut revenue everywhere, the median fell by 2 % against +5 % forecast), that of 2020 six
    tenths (the rebound of 2021); later origins 85 to 91 %. Fund revenue three years ahead: median
    -31 and -42 % from 2020 and 2021 as land sales fell, half covered; two years ahead stands on the
    edge. So does the debt ratio three years ahead, forecast too low: debt grew by 16 to 20 % a year
    against 12 to 16 % forecast at every origin (bond quotas of 2020 to 2022, then the swap of
    hidden debt, which the table does not show apart), while land revenue fell.
    """
    assert china["gpb_revenue", 4]["held"] == "narrow"
    assert china["gfb_revenue", 12]["held"] == "narrow"
    for key in (("gpb_revenue", 4), ("gfb_revenue", 8), ("gfb_revenue", 12), ("debt_ratio", 12)):
        assert 0.5 < covered(china[key]) < 0.8
    assert china["gfb_revenue", 12]["above_median"] < 0.35
    for horizon in (8, 12):
        assert china["debt_balance", horizon]["above_median"] > 0.65
        assert china["debt_ratio", horizon]["above_median"] > 0.65


@pytest.fixture(scope="module")
def britain(tmp_path_factory):
    source = SHARED / "data" / "uk-la-debt" / "la_borrowing_investments_2009_2018.csv.gz"
    raw = pd.read_csv(source)
    day = pd.to_datetime(raw["period_end"])
    table = pd.DataFrame({
        "unit": raw["lgf_code"],
        "name": raw["lgf_code"],
        "period": [f"{d.year}Q{(d.month - 1) // 3 + 1}" for d in day],
        DEBT: raw["borrowing_kgbp"] * 1000,
    })  # fmt: skip
    table = table.dropna(subset=[DEBT]).drop_duplicates(["unit", "period"])
    return store_of(tmp_path_factory.mktemp("uk"), table, day=dt.date(2019, 1, 1))


@needs_shared
def test_year_ahead_bands_of_british_borrowing_hold(britain):
    answer = backtest_store(
        britain, ["2012Q1..2017Q1"], as_of=AS_OF, horizons="4,8", paths=500, lang="en"
    )
    scores = by_key(answer)
    assert not any(origin["vintages"] for origin in answer["origins"])
    assert "earlier vintages are not in the store" in backtest_text(answer, "en")
    for horizon in (4, 8):
        score = scores["debt_balance", horizon]
        assert score["cases"] > 2000
        assert score["held"] == "held"
    # In March 2012 the housing debt was settled once: borrowing rose by 16 % in a year, by half or
    # more for one body in six. Origins after it carry that jump in their mean growth: two years on
    # from 2013 the sum was forecast to rise by 25 % and rose by 5 %. A fifth of the bodies does not
    # change its debt in a year, which a walk without spread forecasts exactly.
    for horizon in (4, 8):
        score = scores["debt_balance", horizon]
        assert -0.1 < score["skill"] < 0.2
        assert score["wins"] < 0.5
        assert score["above_median"] < 0.4
        assert score["crps"] > score["crps_climate"]


@needs_shared
def test_nobody_foresaw_the_settlement_of_british_housing_debt(britain):
    answer = backtest_store(britain, ["2011Q1"], as_of=AS_OF, horizons="4", paths=500)
    score = by_key(answer)["debt_balance", 4]
    assert score["held"] == "narrow"
    assert covered(score) < 0.7


@needs_shared
def test_quarters_of_british_borrowing(britain):
    answer = backtest_store(
        britain, ["2016Q4,2017Q1,2017Q2,2017Q3"], as_of=AS_OF, horizons="1,2,4", paths=500
    )
    scores = by_key(answer)
    for horizon in (2, 4):
        assert scores["debt_balance", horizon]["held"] == "held"
    assert all(s["crps"] < s["crps_walk"] for s in scores.values())
    # A quarter ahead debt moves in lumps: it stays as it is in two bodies of five and else moves by
    # about 9 %, while the band takes a quarter of a year's shock, 4 % either way.
    assert covered(scores["debt_balance", 1]) > 0.65


@needs_shared
def test_bands_of_brazilian_revenue_hold(tmp_path):
    raw = pd.read_csv(SHARED / "data" / "br-capag" / "revenue_expenditure_2020_2022.csv.gz")
    table = pd.DataFrame({
        "unit": raw["ibge_code"].astype(str),
        "name": raw["name"] + " " + raw["uf"],
        "parent": raw["uf"],
        "period": raw["year"].astype(str),
        REVENUE: raw["rev_current"],
    }).drop_duplicates(["unit", "period"])  # fmt: skip
    path = store_of(tmp_path, table, day=dt.date(2023, 12, 31))
    answer = backtest_store(path, ["2021"], as_of=AS_OF, horizons="4", paths=500)
    score = by_key(answer)["gpb_revenue", 4]
    assert answer["clusters"] == "province"
    assert score["cases"] > 3500
    assert score["held"] == "held"
    assert score["crps"] < min(score["crps_walk"], score["crps_climate"])
    # The year of high inflation, 2022, lifted all together: outcomes lie high in the bands.
    assert score["above_median"] > 0.65
