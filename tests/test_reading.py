"""Reading files: layouts, units, numbers, periods, and every kind of bad file."""

from __future__ import annotations

import csv

import duckdb
import numpy as np
import pytest

from debtwatch.panel.mapping import Mapping, load_mapping
from debtwatch.panel.numbers import read_number
from debtwatch.panel.period import parse_period, quarter
from debtwatch.panel.read import read_file
from tests.conftest import county_rows


def rules(result):
    return {p.rule for p in result.problems}


def values(result, field):
    frame = result.observations
    return frame[frame["field"] == field].sort_values("quarter")["value"].tolist()


def test_year_to_date_county_in_wan_yuan(workbook):
    result = read_file(workbook(county_rows([2025])))
    assert not result.problems
    assert set(result.observations["basis"]) == {"to_date", "stock"}
    assert values(result, "gpb_revenue")[-1] == pytest.approx(100_000 * 1.02**3 * 1e4)


@pytest.mark.parametrize(
    ("preamble", "heading", "scale"),
    [
        (["单位：亿元"], "一般公共预算收入", 1e8),
        (["单位", "万元"], "一般公共预算收入", 1e4),
        ([], "一般公共预算收入（亿元）", 1e8),
        (["单位：万元"], "一般公共预算收入(亿元)", 1e8),
        (["ＸＸ县", "单位：元"], "一、一般公共预算收入", 1.0),
    ],
)
def test_unit_of_money_from_cell_or_heading(workbook, preamble, heading, scale):
    path = workbook([preamble, ["地区编码", "年度", heading], ["900001", 2024, 12.5]])
    assert values(read_file(path), "gpb_revenue") == [12.5 * scale]


def test_unit_assumed_is_said(workbook):
    path = workbook([["地区编码", "年度", "一般公共预算收入"], ["900001", 2024, 12.5]])
    result = read_file(path)
    assert rules(result) == {"scale-assumed"}
    assert values(result, "gpb_revenue") == [125_000.0]


def test_blank_is_missing_and_zero_is_zero(workbook):
    rows = [
        ["单位：万元"],
        ["地区编码", "年度", "税收收入", "非税收入"],
        ["900001", 2023, 0, "—"],
        ["900001", 2024, None, "…"],
    ]
    result = read_file(workbook(rows))
    assert values(result, "tax_revenue") == [0.0]
    assert values(result, "nontax_revenue") == []


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1,234.5", 1234.5),
        ("１２３４", 1234.0),
        ("(12)", -12.0),
        ("−3", -3.0),
        (" 7 ", 7.0),
        ("1e3", 1000.0),
        ("5%", 0.05),
        (True, None),
        ("12万元", None),
        ("#DIV/0!", None),
        ("1,23", None),
        ("nan", "blank"),
        ("", "blank"),
        (1e308, None),
    ],
)
def test_numbers_as_people_type_them(cell, number):
    got = read_number(cell)
    if number == "blank":
        assert np.isnan(got)
    else:
        assert got == number


@pytest.mark.parametrize(
    ("text", "ordinal", "kind"),
    [
        ("2025Q3", quarter(2025, 3), "quarter"),
        ("2025年三季度", quarter(2025, 3), "quarter"),
        ("2025年第3季度", quarter(2025, 3), "quarter"),
        ("2025年1-9月", quarter(2025, 3), "to_date"),
        ("2025年1—9月", quarter(2025, 3), "to_date"),
        ("2025年上半年", quarter(2025, 2), "to_date"),
        ("２０２５年", quarter(2025, 4), "year"),
        ("2025年度", quarter(2025, 4), "year"),
        ("2025-09-30", quarter(2025, 3), "quarter"),
        ("20250930", quarter(2025, 3), "quarter"),
        ("2025年9月末", quarter(2025, 3), "quarter"),
    ],
)
def test_periods_as_tables_write_them(text, ordinal, kind):
    period = parse_period(text)
    assert (period.quarter, period.kind) == (ordinal, kind)


@pytest.mark.parametrize("text", ["2025年8月", "2025Q5", "第三季度", "1300", "", "2025年13月"])
def test_what_is_no_quarter(text):
    assert parse_period(text) is None


def test_merged_two_row_headings(workbook):
    rows = [
        ["某县财政情况表"],
        ["单位：万元"],
        ["地区编码", "年度", "一般公共预算", None, "政府性基金预算", None],
        [None, None, "收入", "支出", "收入", "支出"],
        ["900001", 2024, 10, 20, 3, 4],
    ]
    merged = [(2, 0, 3, 0), (2, 1, 3, 1), (2, 2, 2, 3), (2, 4, 2, 5)]
    result = read_file(workbook(rows, merged=merged))
    got = dict(zip(result.observations["field"], result.observations["value"], strict=True))
    assert got == {
        "gpb_revenue": 1e5,
        "gpb_expenditure": 2e5,
        "gfb_revenue": 3e4,
        "gfb_expenditure": 4e4,
    }


def test_items_down_periods_across(workbook):
    rows = [
        ["编制单位：甲县", None, "单位：万元"],
        ["行政区划代码：900001"],
        ["项目", "2023年", "2024年"],
        ["一、一般公共预算收入", 10, 11],
        ["税收收入", 7, "8"],
    ]
    result = read_file(workbook(rows))
    assert values(result, "gpb_revenue") == [1e5, 1.1e5]
    assert values(result, "tax_revenue") == [7e4, 8e4]
    assert result.units.iloc[0][["unit", "name"]].tolist() == ["900001", "甲县"]


def test_long_table_with_units_in_a_column(tmp_path):
    path = tmp_path / "long.csv"
    with path.open("w", encoding="gb18030", newline="") as stream:
        csv.writer(stream).writerows(
            [
                ["地区编码", "期间", "项目", "金额", "计量单位"],
                ["900001", "2024", "一般公共预算收入", "1,000", "万元"],
                ["900001", "2024", "债务余额", "2.5", "亿元"],
            ]
        )
    result = read_file(path)
    got = dict(zip(result.observations["field"], result.observations["value"], strict=True))
    assert got == {"gpb_revenue": 1e7, "debt_balance": 2.5e8}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_csv_encodings(tmp_path, encoding):
    path = tmp_path / "table.csv"
    path.write_text("地区编码,年度,一般公共预算收入（万元）\n900001,2024,5\n", encoding=encoding)
    assert values(read_file(path), "gpb_revenue") == [5e4]


def test_parquet(tmp_path):
    path = tmp_path / "table.parquet"
    duckdb.sql(
        "copy (select '900001' as unit, '2024Q4' as period, 5.0 as \"general_debt_balance\") "
        f"to '{path}' (format parquet)"
    )
    assert values(read_file(path), "general_debt_balance") == [5e4]


def test_mapping_names_headings_and_ignores_others(workbook, tmp_path):
    rows = [["序号", "代码", "年度", "财政收入甲"], [1, "900001", 2024, 5]]
    mapping = tmp_path / "map.toml"
    mapping.write_text(
        'money_unit = "亿元"\nignore = ["序号"]\n[headings]\n"财政收入甲" = "gpb_revenue"\n',
        "utf-8",
    )
    result = read_file(workbook(rows), load_mapping(mapping))
    assert not result.problems
    assert values(result, "gpb_revenue") == [5e8]


# -- bad files ------------------------------------------------------------------------------------


def test_missing_empty_and_foreign_files(tmp_path):
    (tmp_path / "zero.xlsx").write_bytes(b"")
    (tmp_path / "scan.pdf").write_bytes(b"%PDF-1.4")
    assert rules(read_file(tmp_path / "none.xlsx")) == {"file-missing"}
    assert rules(read_file(tmp_path / "zero.xlsx")) == {"file-empty"}
    assert rules(read_file(tmp_path / "scan.pdf")) == {"file-format"}


def test_protected_workbook(tmp_path):
    path = tmp_path / "secret.xlsx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 2000)
    assert rules(read_file(path)) == {"file-protected"}


def test_every_cut_of_a_workbook_is_refused_with_a_reason(workbook, tmp_path):
    whole = workbook(county_rows([2025])).read_bytes()
    for end in range(1, len(whole), max(len(whole) // 40, 1)):
        path = tmp_path / "cut.xlsx"
        path.write_bytes(whole[:end])
        result = read_file(path)
        assert result.refused
        assert result.observations.empty


def test_damaged_bytes_never_raise(workbook, tmp_path):
    whole = bytearray(workbook(county_rows([2025])).read_bytes())
    rng = np.random.default_rng(7)
    for _ in range(60):
        damaged = bytearray(whole)
        for position in rng.integers(0, len(whole), 20):
            damaged[position] ^= int(rng.integers(1, 255))
        path = tmp_path / "damaged.xlsx"
        path.write_bytes(damaged)
        result = read_file(path)
        assert result.refused or len(result.observations) <= 400


def test_empty_workbook_and_headings_only(workbook):
    assert rules(read_file(workbook([[]]))) == {"no-table"}
    assert rules(read_file(workbook([["随便", "写的", "字"], [1, 2, 3]]))) == {"no-table"}
    only = read_file(workbook([["地区编码", "年度", "一般公共预算收入（万元）"]]))
    assert rules(only) == {"no-values"}
    assert only.refused


def test_wrong_sheet_names_the_sheets_there_are(workbook):
    result = read_file(workbook(county_rows()), Mapping(sheets=("决算",)))
    assert rules(result) == {"sheet-missing"}
    assert "表1" in result.problems[0].what()


def test_unknown_heading_says_where_and_suggests(workbook):
    rows = [
        ["单位：万元"],
        ["地区编码", "年度", "一般公共预算收", "税收收入"],
        ["900001", 2024, 5, 3],
    ]
    problem = next(p for p in read_file(workbook(rows)).problems if p.rule == "heading-unknown")
    assert (problem.sheet, problem.cell, problem.severity) == ("表1", "C2", "flag")
    assert "一般公共预算收入" in problem.what()


def test_text_where_a_number_belongs(workbook):
    rows = [["单位：万元"], ["地区编码", "年度", "税收收入"], ["900001", 2024, "约五千"]]
    problem = next(p for p in read_file(workbook(rows)).problems if p.rule == "number-unreadable")
    assert (problem.cell, problem.unit) == ("C3", "900001")


def test_repeated_row_is_read_once_and_reported(workbook):
    rows = [
        ["单位：万元"],
        ["地区编码", "年度", "税收收入"],
        ["900001", 2024, 5],
        ["900001", 2024, 5],
    ]
    result = read_file(workbook(rows))
    assert rules(result) == {"row-duplicated"}
    assert values(result, "tax_revenue") == [5e4]
    assert not result.refused


def test_clashing_rows_refuse_the_file_and_name_both_cells(workbook):
    rows = [
        ["单位：万元"],
        ["地区编码", "年度", "税收收入"],
        ["900001", 2024, 5],
        ["900001", 2024, 6],
    ]
    result = read_file(workbook(rows))
    assert result.refused
    problem = result.problems[0]
    assert problem.rule == "key-clash"
    assert problem.cell == "C4"
    assert "C3" in problem.what()


def test_unreadable_period_and_missing_unit(workbook):
    rows = [
        ["单位：万元"],
        ["地区编码", "期间", "税收收入"],
        ["900001", "去年", 5],
        [None, "2024", 6],
        ["900001", "2024", 7],
    ]
    result = read_file(workbook(rows))
    assert rules(result) == {"period-unreadable", "unit-missing"}
    assert values(result, "tax_revenue") == [7e4]


def test_published_before_the_period_ended(workbook):
    rows = [
        ["单位：万元"],
        ["地区编码", "年度", "公布日期", "税收收入"],
        ["900001", 2024, "2024-06-30", 5],
    ]
    result = read_file(workbook(rows))
    assert rules(result) == {"published-early"}
    assert str(result.observations["known_from"].iloc[0].date()) == "2024-12-31"


def test_synthetic_mark_is_seen(workbook):
    rows = [
        ["单位：万元"],
        ["地区编码", "年度", "税收收入", "数据性质"],
        ["900001", 2024, 5, "合成"],
    ]
    assert read_file(workbook(rows)).synthetic
    assert not read_file(workbook([*rows[:2], ["900001", 2024, 5, "决算"]])).synthetic
