"""Stores at the edge: one figure, zeros, one balance only, nothing to compare with."""

from __future__ import annotations

import datetime as dt
import json
import re

import pytest

from debtwatch.panel.period import quarter
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.reporting.quarterly import quarterly_report

HEADINGS = [
    "地区编码",
    "期间",
    "一般公共预算收入",
    "上级补助收入",
    "政府性基金预算收入",
    "债务余额",
    "一般债务余额",
    "专项债务余额",
]
YEARS = range(2019, 2026)


def written(workbook, tmp_path, rows):
    with open_store(tmp_path / "s.duckdb", create=True) as store:
        store.add(
            read_file(workbook([["单位：万元"], HEADINGS, *rows])), known_from=dt.date(2026, 1, 5)
        )
    report = quarterly_report(
        tmp_path / "s.duckdb",
        quarter(2025, 4),
        lang="en",
        as_of=dt.date(2026, 2, 1),
        out=tmp_path / "r",
    )
    for page in (tmp_path / "r").rglob("*.html"):
        text = re.sub(r"<(svg|style|script).*?</\1>", " ", page.read_text("utf-8"), flags=re.DOTALL)
        assert not re.search(r"\b(nan|inf)\b", re.sub(r"<[^>]+>", " ", text))
    json.loads((tmp_path / "r" / "report.json").read_text("utf-8"))
    return report.context


def test_one_figure_of_one_quarter(workbook, tmp_path):
    context = written(workbook, tmp_path, [["900001", "2025Q4", 100, None, None, 500]])
    assert [u.level for u in context.units] == ["unknown"]
    assert [u.level_before for u in context.units] == ["unknown"]
    assert len(context.missing) == 1


def test_all_zero_is_no_data(workbook, tmp_path):
    rows = [["900001", str(y), 0, 0, 0, 0, 0, 0] for y in YEARS]
    assert written(workbook, tmp_path, rows).units[0].level == "unknown"


def test_a_single_balance_is_judged_and_projected(workbook, tmp_path):
    rows = [
        ["900001", str(y), 100_000 + y, 50_000, 20_000, 150_000 + 5_000 * (y - 2018)] for y in YEARS
    ]
    unit = written(workbook, tmp_path, rows).units[0]
    capacity = 100_000 + 2025 + 50_000 + 20_000
    assert unit.value == pytest.approx(185_000 / capacity)
    assert unit.peak_with > unit.value


def test_a_round_figure_may_come_back(workbook, tmp_path):
    rows = [["900001", str(y), 100_000 + y, 50_000, 20_000, 150_000] for y in YEARS]
    context = written(workbook, tmp_path, rows)
    assert "year-repeated" not in {c.rule for c in context.problem_counts}
