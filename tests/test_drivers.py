"""Drivers estimated from short panels: steps, pooling, faulty data, one answer everywhere."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from debtwatch.panel.panel import build_panel
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.rules.capacity import choose_basis
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.sustainability.accounts import central_outlook
from debtwatch.sustainability.outlook import simulate_outlook
from debtwatch.synthetic import write_counties
from tests.conftest import AS_OF, EXAMPLE, county_rows, run

Q = 4 * 2024 + 3
TIERS = [book for book in load_rulebooks() if book.id == "cn-debt-tiers"]


def changed(panel, change):
    """A panel whose figures, quarterly and yearly, a function has changed in place."""
    values = {name: array.copy() for name, array in panel.values.items()}
    yearly = {name: array.copy() for name, array in panel.yearly.items()}
    for arrays in (values, yearly):
        change(arrays)
    return replace(panel, values=values, yearly=yearly)


@pytest.fixture(scope="module")
def counties(tmp_path_factory):
    folder = tmp_path_factory.mktemp("counties")
    files = write_counties(folder / "set", counties=24, seed=3)
    with open_store(folder / "s.duckdb", create=True) as store:
        for table in files.tables:
            store.add(read_file(table), known_from=dt.date(2026, 1, 20))
        return build_panel(store.known_on(dt.date(2026, 11, 1)))


def test_quarters_are_used_where_they_are_reported(counties):
    outlook = central_outlook(counties, choose_basis(counties), 4 * 2025 + 3)
    assert outlook.drivers.step == "quarter"
    assert outlook.books.steps.tolist() == list(range(12))
    assert len(outlook.drivers.factors.national) >= 24
    fan = simulate_outlook(outlook, choose_basis(counties), TIERS, seed=1, paths=1000)
    assert fan.draws.method == "bootstrap"
    width = fan.quantile("debt_ratio", 0.95) - fan.quantile("debt_ratio", 0.05)
    known = np.isfinite(width).all(axis=1)
    assert known.sum() >= 20
    assert (width[known, 11] > width[known, 0]).all()
    parents = {str(parent) for parent in counties.units["parent"]}
    assert set(outlook.drivers.provinces) == parents


def test_years_are_used_where_only_they_are_reported(issuers):
    outlook = central_outlook(issuers, choose_basis(issuers), Q)
    assert outlook.drivers.step == "year"
    assert outlook.books.steps.tolist() == [0, -1, -1, -1, 1, -1, -1, -1, 2, -1, -1, -1]


def test_a_short_record_takes_the_growth_of_the_pool(issuers):
    row = list(issuers.units.index).index("33")
    column = issuers.column(Q)

    def short(arrays):
        for array in arrays.values():
            array[row, : column - 7] = np.nan

    basis = choose_basis(issuers)
    whole = central_outlook(issuers, basis, Q).drivers
    few = central_outlook(changed(issuers, short), basis, Q).drivers
    assert (whole.years[row], few.years[row]) == (9, 1)
    gap = np.abs(few.mean[row] - few.pool[row])[:2]
    assert (gap <= np.abs(whole.mean[row] - whole.pool[row])[:2] + 1e-3).all()
    assert np.isfinite(few.spread[row]).all()


def test_one_absurd_figure_stays_with_its_own_government(issuers):
    row, column = list(issuers.units.index).index("33"), issuers.column(Q)

    def absurd(arrays):
        arrays["gpb_revenue"][row, column - 4] = 1e16

    basis = choose_basis(issuers)
    plain = central_outlook(issuers, basis, Q)
    hit = central_outlook(changed(issuers, absurd), basis, Q)
    others = np.arange(len(issuers.units)) != row
    for name in ("debt_balance", "comprehensive_fiscal_capacity"):
        a, b = plain.inputs[name][others], hit.inputs[name][others]
        known = np.isfinite(a)
        assert (np.isfinite(b) == known).all()
        assert np.abs(b[known] / a[known] - 1).max() < 0.2


def test_a_government_without_any_figure_has_no_fan_and_harms_nobody(issuers):
    row = list(issuers.units.index).index("33")

    def empty(arrays):
        for array in arrays.values():
            array[row] = np.nan

    basis = choose_basis(issuers)
    outlook = central_outlook(changed(issuers, empty), basis, Q)
    fan = simulate_outlook(outlook, basis, TIERS, seed=1, paths=500)
    median = fan.quantile("debt_ratio", 0.5)
    assert np.isnan(median[row]).all()
    assert np.isfinite(median).all(axis=1).sum() == 34
    line = fan.watch.lines[0][1]
    assert np.isnan(fan.ever(line)[row]).all()


def test_units_in_another_order_have_the_same_outlook(issuers):
    order = np.random.default_rng(0).permutation(len(issuers.units))
    turned = replace(
        issuers,
        units=issuers.units.iloc[order],
        values={n: v[order] for n, v in issuers.values.items()},
        yearly={n: v[order] for n, v in issuers.yearly.items()},
        marks={n: v[order] for n, v in issuers.marks.items()},
    )
    one = central_outlook(issuers, choose_basis(issuers), Q)
    two = central_outlook(turned, choose_basis(turned), Q)
    a, b = one.inputs["debt_balance"][order], two.inputs["debt_balance"]
    assert b == pytest.approx(a, rel=1e-9, nan_ok=True)


def test_a_fat_tailed_law_has_a_worse_tail(issuers):
    basis = choose_basis(issuers)
    outlook = central_outlook(issuers, basis, Q)
    tails = {
        method: simulate_outlook(outlook, basis, TIERS, seed=1, method=method, paths=8000)
        for method in ("normal", "student")
    }
    worse = [f.simulation.tail_mean[0, :, 0, 3] for f in tails.values()]
    known = np.isfinite(worse[0])
    assert np.median(worse[1][known] / worse[0][known]) > 1.0


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "s.duckdb"
    with open_store(path, create=True) as opened:
        opened.add(read_file(EXAMPLE / "issuers.xlsx"), known_from=AS_OF)
    return path


def outlook_of(store, *more):
    done = run("outlook", "52", "--store", store, "--as-of", "2026-09-30", "--lang", "en", *more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_and_the_report_say_the_same(store, demo):
    answer = json.loads(outlook_of(store, "--quarter", "2024Q4", "--json"))
    report = json.loads((demo["en"] / "report.json").read_text("utf-8"))
    page = next(p for p in report["pages"] if p["unit"] == "52")
    shown = answer["indicators"]["debt_ratio"]
    for k, point in enumerate(p for p in page["fan"] if p["kind"] == "without"):
        for name in ("p5", "p25", "p50", "p75", "p95"):
            assert shown[name][k] == point[name]
    line = next(x for x in answer["lines"] if x["line"] == 2.0)
    said = next(p for p in page["probabilities"] if p["line"] == 2.0)
    assert [line["crossed_by"][k] for k in (3, 7, 11)] == said["by"]
    path = [p["value"] for p in page["path"] if p["kind"] == "without"][1:]
    assert shown["central"] == pytest.approx(path, rel=1e-12)


def test_the_answer_is_in_order_and_repeats(store):
    one = outlook_of(store, "--json", "--quarters", "20", "--paths", "2000", "--scenario", "all")
    assert one == outlook_of(
        store, "--json", "--quarters", "20", "--paths", "2000", "--scenario", "all"
    )
    answer = json.loads(one)
    assert len(answer["quarters"]) == 20
    for shown in answer["indicators"].values():
        names = ("p5", "p10", "p25", "p50", "p75", "p90", "p95")
        for low, high in pairwise(names):
            assert all(a <= b for a, b in zip(shown[low], shown[high], strict=True))
    for line in answer["lines"]:
        by = line["crossed_by"]
        assert all(a <= b + 1e-12 for a, b in pairwise(by))
        assert sum(line["first_crossed"]) == pytest.approx(by[-1])
    assert {s["id"] for s in answer["scenarios"]} >= {"s1-growth", "s6-combined"}
    assert next(s for s in answer["scenarios"] if s["id"] == "s5-contingent-10")["missing"]
    other = json.loads(outlook_of(store, "--json", "--quarters", "20", "--seed", "7"))
    assert other["indicators"] != answer["indicators"]


def test_a_scenario_of_the_users_own(store, tmp_path):
    own = tmp_path / "mine.toml"
    own.write_text(
        '[[scenario]]\nid = "drought"\nlabel = { zh = "旱灾", en = "Drought" }\n'
        'text = { zh = "收入降两成", en = "Own revenue 20 % lower" }\n'
        'source = { zh = "自拟", en = "Own" }\n'
        '[[scenario.shock]]\ndriver = "own_revenue"\nsize = 0.2\nquarters = 8\n'
        'recovery = "at_once"\n',
        encoding="utf-8",
    )
    answer = json.loads(outlook_of(store, "--json", "--scenario-file", own))
    (drought,) = answer["scenarios"]
    assert drought["id"] == "drought"
    assert all(change >= -1e-12 for change in drought["change"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("outlook", "999999"), "no government"),
        (("outlook", "52", "--scenario", "nonsense"), "no scenario"),
        (("outlook", "52", "--method", "tarot"), "drawing shocks"),
        (("outlook", "52", "--quarter", "soon"), "not a quarter"),
        (("outlook", "52", "--scenario-file", "missing.toml"), "missing.toml"),
    ],
)
def test_wrong_questions_are_answered_in_one_paragraph(store, arguments, words):
    done = run(*arguments, "--store", store)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_government_with_one_quarter_is_answered(workbook, tmp_path):
    path = tmp_path / "one.duckdb"
    rows = county_rows(years=(2025,))
    with open_store(path, create=True) as opened:
        opened.add(read_file(workbook([*rows[:2], rows[-1]])), known_from=dt.date(2026, 1, 20))
    done = run("outlook", "900001", "--store", path, "--json", "--as-of", "2026-02-01")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["pool_decides"]
    assert answer["own_years"] == 0
