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


# -- faults found by attack ------------------------------------------------------------------------


def test_a_line_given_only_for_whole_years_counts(workbook, tmp_path):
    from tests.conftest import county_rows

    rows = county_rows()
    for row in rows[2:]:
        row[6] = row[6] if row[3].endswith("Q4") else None
    with open_store(tmp_path / "s.duckdb", create=True) as store:
        store.add(read_file(workbook(rows)), known_from=dt.date(2026, 1, 5))
    report = quarterly_report(
        tmp_path / "s.duckdb", quarter(2025, 4), as_of=dt.date(2026, 2, 1), out=tmp_path / "r"
    )
    inputs = {i.field: i for i in report.context.pages[0].indicators[0].inputs}
    out = inputs["gpb_transfer_out"]
    assert not out.absent
    parts = [inputs[f].value for f in ("gpb_revenue", "gpb_transfer_in", "gfb_revenue")]
    assert inputs["comprehensive_fiscal_capacity"].value == pytest.approx(sum(parts) - out.value)


def test_only_whole_years_are_judged(workbook, tmp_path):
    rows = [["900001", f"{y}年1-12月", 100_000 + y, 50_000, 20_000, 150_000 + y] for y in YEARS]
    assert written(workbook, tmp_path, rows).units[0].value is not None


@pytest.mark.parametrize("text", ["106120.8①", "12²", "1_000", "1e400", "9e299"])
def test_marks_and_absurd_numbers_are_no_numbers(text):
    from debtwatch.panel.numbers import read_number, read_numbers

    assert read_number(text) is None
    assert read_numbers([text])[1] == [0]


def test_a_percent_cell_is_a_percent(workbook):
    from debtwatch.screening.pipeline import read_pipeline

    heads = [
        "项目代码",
        "地区编码",
        "开工季度",
        "建设期（季度）",
        "总投资",
        "专项债券",
        "期限（年）",
        "年利率（%）",
    ]
    rows = [["P1", "c", "2026Q3", 4, 10, 10, 10, 0.03], ["P2", "c", "2026Q3", 4, 10, 10, 10, 3]]
    found = read_pipeline(workbook([heads, *rows]), last_quarter=quarter(2025, 4))
    assert [p.financing[0].rate for p in found.projects] == [0.03, 0.03]


def test_the_same_project_in_two_files_counts_once(issuers):
    from debtwatch.reporting.study import run_study
    from debtwatch.rules.rulebook import load_rulebooks
    from debtwatch.screening.pipeline import read_pipeline
    from tests.conftest import EXAMPLE

    pipe = read_pipeline(EXAMPLE / "pipeline.xlsx", last_quarter=quarter(2024, 4))
    study = run_study(
        issuers,
        quarter(2024, 4),
        rulebooks=load_rulebooks(),
        projects=[*pipe.projects, *pipe.projects],
    )
    assert sum(len(own) for own in study.projects.values()) == len(pipe.projects)
    assert len(study.problems) == len(pipe.projects)


def test_a_manifest_of_something_else_protects_its_folder(issuers_known, tmp_path):
    from debtwatch.errors import ModelProblem
    from debtwatch.reporting.render import _OWN, _refuse_foreign

    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"name": "app"}')
    with pytest.raises(ModelProblem):
        _refuse_foreign(folder, _OWN)
    (folder / "manifest.json").write_text('{"tool": "debtwatch"}')
    _refuse_foreign(folder, _OWN)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ModelProblem):
        _refuse_foreign(folder, _OWN)


def test_page_names_fit_every_file_system():
    from debtwatch.reporting.render import page_name

    names = [page_name(c) for c in ("ab", "AB", "con", "nul", "900001")]
    assert len({n.lower() for n in names}) == 5
    assert names[2] != "con.html"


def test_the_form_never_replaces_a_file(tmp_path):
    from debtwatch.errors import DataProblem
    from debtwatch.panel.form import write_form

    mine = tmp_path / "county.xlsx"
    mine.write_bytes(b"mine")
    with pytest.raises(DataProblem):
        write_form(mine)
    with pytest.raises(DataProblem):
        write_form(tmp_path / "no" / "form.xlsx")
    assert mine.read_bytes() == b"mine"


# -- what a sabotage run got past the tests --------------------------------------------------------


def test_equal_principal_bonds_repay_every_year():
    import pandas as pd

    from debtwatch.sustainability.ladder import bond_ladder

    bonds = pd.DataFrame(
        {
            "principal": [100.0],
            "coupon": [0.04],
            "frequency": [1],
            "maturity": [8115],
            "repayment": ["equal_principal"],
        }
    )
    principal, interest = bond_ladder(bonds, 8100, 16)
    assert principal[[3, 7, 11, 15]].tolist() == [25.0] * 4
    assert interest[[3, 7, 11, 15]] == pytest.approx([4.0, 3.0, 2.0, 1.0])


def test_json_never_holds_a_nan(tmp_path):
    from debtwatch.reporting.render import _write_json

    with pytest.raises(ValueError, match="JSON"):
        _write_json(tmp_path / "x.json", {"a": float("nan")})


def test_people_are_people_unless_the_heading_says_ten_thousand(workbook):
    rows = [["地区编码", "年度", "常住人口", "户籍人口（万人）"], ["900001", 2024, 350_000, 35]]
    found = read_file(workbook(rows)).observations
    assert found["value"].tolist() == [350_000, 350_000]


def test_the_same_figures_as_audited_are_a_vintage(workbook, tmp_path):
    result = read_file(workbook([["单位：万元"], HEADINGS[:3], ["900001", "2024", 5]]))
    with open_store(tmp_path / "s.duckdb", create=True) as store:
        store.add(result, known_from=dt.date(2025, 6, 1), status="final")
        again = store.add(result, known_from=dt.date(2025, 9, 1), status="audited")
        assert again.added == 1
        now = store.known_on(dt.date(2025, 10, 1)).observations
        then = store.known_on(dt.date(2025, 7, 1)).observations
    assert (now["status"].iloc[0], then["status"].iloc[0]) == ("audited", "final")


def test_a_later_publication_stands_whatever_the_order_of_imports(workbook, tmp_path):
    late = read_file(workbook([["单位：万元"], HEADINGS[:3], ["900001", "2024", 6]], name="b.xlsx"))
    early = read_file(workbook([["单位：万元"], HEADINGS[:3], ["900001", "2024", 5]]))
    with open_store(tmp_path / "s.duckdb", create=True) as store:
        store.add(late, known_from=dt.date(2025, 9, 1))
        store.add(early, known_from=dt.date(2025, 6, 1))
        assert store.known_on(dt.date(2026, 1, 1)).observations["value"].tolist() == [6e4]
        assert store.known_on(dt.date(2025, 7, 1)).observations["value"].tolist() == [5e4]


def test_implied_transfers_are_not_below_zero(workbook, tmp_path):
    from debtwatch.panel.panel import build_panel

    heads = ["地区编码", "年度", "一般公共预算收入", "一般公共预算支出", "一般债务余额"]
    rows = [
        ["900001", y, 120_000 + y, 125_000 + y, 50_000 + 9_000 * (y - 2020)]
        for y in (2022, 2023, 2024)
    ]
    with open_store(tmp_path / "s.duckdb", create=True) as store:
        store.add(
            read_file(workbook([["单位：万元"], heads, *rows])), known_from=dt.date(2025, 6, 1)
        )
        panel = build_panel(store.known_on(dt.date(2025, 7, 1)))
    assert panel.yearly["implied_net_transfers"][0, -1] == 0
