"""`debtwatch assess`: one rulebook over a plain table, in and out in three formats."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json

import duckdb
import numpy as np
import pandas as pd
import pytest
import python_calamine as calamine
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.errors import DataProblem, RulebookProblem
from debtwatch.rules import table as core_module
from debtwatch.rules.assess import assess
from debtwatch.rules.rulebook import Rulebook, load_rulebooks
from debtwatch.rules.table import assess_rows, assess_table
from debtwatch.rules.table_file import assess_file, neutral
from tests.conftest import run

BOOKS = load_rulebooks()
BY_ID = {book.id: book for book in BOOKS}
CAPAG = ["gross_consolidated_debt", "net_current_revenue", "pc_weighted", "gross_cash",
         "financial_obligations", "icf_quality_A"]  # fmt: skip

GOLDEN = [
    ["code", "county", "debt_balance", "comprehensive_fiscal_capacity", "remark"],
    ["0071", "甲县", "6", "5", "=cmd|'/c calc'!A0"],
    ["0072", "乙县", "4.50", "5", "@home"],
    ["0073", "丙县", "n.d.", "5", "-1,234.5"],
    ["0074", "丁县", "1,234.5", "0", "-2+3"],
    ["0075", "戊县", "", "", "a,\"b\"\nc"],
]  # fmt: skip
ADDED = ["debt_ratio", "debt_ratio_band", "outcome", "severity", "na_reasons", "rulebook"]
VERSION = BY_ID["cn-debt-tiers"].reference
EXPECTED = [
    [1.2, "yellow", "yellow", 1, "", VERSION],
    [0.9, "green", "green", 0, "", VERSION],
    [None, "na", "unknown", 9, "debt_balance is not a number", VERSION],
    [None, "na", "unknown", 9, "comprehensive_fiscal_capacity is zero", VERSION],
    [None, "na", "unknown", 9, "debt_balance missing; comprehensive_fiscal_capacity missing",
     VERSION],
]  # fmt: skip


def write_csv(path, rows, encoding="utf-8", delimiter=","):
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if any("\r" in cell for row in rows for cell in row) else 0
    csv.writer(text, delimiter=delimiter, lineterminator="\n", quoting=quoting).writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def read_back(path):
    """Every cell as text, the way a reader of the file meets it; numbers as numbers."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return list(csv.reader(stream))
    if path.suffix == ".xlsx":
        return calamine.load_workbook(str(path)).get_sheet_by_index(0).to_python()
    with duckdb.connect() as connection:
        relation = connection.execute(f"SELECT * FROM read_parquet('{path}')")
        return [[d[0] for d in relation.description], *map(list, relation.fetchall())]


def plain(cell):
    if cell is None or cell == "":
        return None
    try:
        return round(float(str(cell).replace(",", "")), 9)
    except ValueError:
        return str(cell)


def as_input(path, rows, workbook):
    if path.suffix == ".csv":
        return write_csv(path, rows)
    if path.suffix == ".xlsx":
        return workbook(rows, name=path.name)
    frame = pd.DataFrame(rows[1:], columns=rows[0]).replace("", None)
    with duckdb.connect() as connection:
        connection.register("frame", frame.astype("str"))
        connection.execute(f"COPY frame TO '{path}' (FORMAT parquet)")
    return path


# -- golden tables --------------------------------------------------------------------------------


@pytest.mark.parametrize("out", [".csv", ".xlsx", ".parquet"])
@pytest.mark.parametrize("source", [".csv", ".xlsx", ".parquet"])
def test_golden_in_every_format(tmp_path, workbook, source, out):
    path = as_input(tmp_path / f"in{source}", GOLDEN, workbook)
    target = tmp_path / f"out{out}"
    assess_file(path, target, BOOKS, "cn-debt-tiers")
    header, *rows = read_back(target)
    assert header == GOLDEN[0] + ADDED
    assert [row[0] for row in rows] == ["0071", "0072", "0073", "0074", "0075"]
    width = len(GOLDEN[0])
    assert [[plain(c) for c in row[width:]] for row in rows] == [
        [plain(c) for c in row] for row in EXPECTED
    ]
    for row, given_row in zip(rows, GOLDEN[1:], strict=True):
        mended = [neutral(c) for c in given_row] if out == ".csv" else given_row
        assert [plain(c) for c in row[:width]] == [plain(c) for c in mended]


def test_cells_come_back_letter_by_letter(tmp_path):
    rows = [["code", "dc", " debt_balance ", "dc"], ["007", "1.50", "6.00", "1e3"],
            ["+1", " x ", "12%", "１２"]]  # fmt: skip
    path = write_csv(tmp_path / "in.csv", rows)
    assess_file(path, tmp_path / "out.csv", BOOKS, "cn-debt-tiers")
    assert [row[:4] for row in read_back(tmp_path / "out.csv")] == rows


def test_csv_opens_in_a_spreadsheet(tmp_path):
    path = write_csv(tmp_path / "in.csv", GOLDEN)
    assess_file(path, tmp_path / "out.csv", BOOKS, "cn-debt-tiers")
    content = (tmp_path / "out.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfcode,")
    remarks = [row[4] for row in read_back(tmp_path / "out.csv")][1:]
    assert remarks == ["'=cmd|'/c calc'!A0", "'@home", "-1,234.5", "'-2+3", 'a,"b"\nc']


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+cmd|'x'!A0", "-2+3+cmd", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1+1", "+A1", "-a"],
)
def test_injection_cells_are_text_everywhere(tmp_path, workbook, cell):
    rows = [[cell, "debt_balance", "comprehensive_fiscal_capacity"], [cell, "6", "5"]]
    for source in (write_csv(tmp_path / "in.csv", rows), workbook(rows, name="in.xlsx")):
        assess_file(source, tmp_path / "out.csv", BOOKS, "cn-debt-tiers")
        found = read_back(tmp_path / "out.csv")
        assert found[0][0] == found[1][0]
        assert found[0][0].startswith("'")
        assess_file(source, tmp_path / "out.xlsx", BOOKS, "cn-debt-tiers")
        assert read_back(tmp_path / "out.xlsx")[1][0].strip() == cell.strip()


@pytest.mark.parametrize("cell", ["-1", "+1.5", "-1,234.5", "-12%", "-", "--", "-1e-3", "-.5"])
def test_numbers_and_blank_marks_are_no_formulas(cell):
    assert neutral(cell) == cell


@pytest.mark.parametrize(("encoding", "delimiter"), [("gb18030", ","), ("utf-16", ";"),
                                                     ("utf-8-sig", "\t")])  # fmt: skip
def test_encodings_and_delimiters(tmp_path, encoding, delimiter):
    path = write_csv(tmp_path / "in.csv", GOLDEN, encoding, delimiter)
    assess_file(path, tmp_path / "out.csv", BOOKS, "cn-debt-tiers")
    header, *rows = read_back(tmp_path / "out.csv")
    assert header == GOLDEN[0] + ADDED
    assert [row[1] for row in rows] == ["甲县", "乙县", "丙县", "丁县", "戊县"]
    assert [row[7] for row in rows] == [row[2] for row in EXPECTED]


def test_short_rows_are_filled_and_long_ones_refused(tmp_path):
    (tmp_path / "in.csv").write_text("debt_balance,comprehensive_fiscal_capacity\n6\n6,5\n")
    assess_file(tmp_path / "in.csv", tmp_path / "out.csv", BOOKS, "cn-debt-tiers")
    assert [r[4] for r in read_back(tmp_path / "out.csv")] == ["outcome", "unknown", "yellow"]
    (tmp_path / "in.csv").write_text("debt_balance,comprehensive_fiscal_capacity\n6,5,4\n")
    with pytest.raises(DataProblem, match="row 2 has more cells"):
        assess_file(tmp_path / "in.csv", tmp_path / "out.csv", BOOKS, "cn-debt-tiers")


def test_a_header_alone_gives_a_header_alone(tmp_path):
    path = write_csv(tmp_path / "in.csv", GOLDEN[:1])
    for suffix in (".csv", ".xlsx", ".parquet"):
        assess_file(path, tmp_path / f"out{suffix}", BOOKS, "cn-debt-tiers")
        assert read_back(tmp_path / f"out{suffix}") == [GOLDEN[0] + ADDED]


# -- values, bands, reasons -----------------------------------------------------------------------


def cases():
    for book in BOOKS:
        for case in book.case:
            if case.outcome != "not_in_force":
                yield pytest.param(book, case, id=f"{book.id}/{case.id}")


@pytest.mark.parametrize(("book", "case"), list(cases()))
def test_every_worked_example_as_a_table(book, case):
    """Band edges included: each example stands twice, between rows of blanks."""
    if not case.inputs:
        pytest.skip("an example without inputs is no table")
    cells = {k: [None, v, None, v] for k, v in case.inputs.items()}
    frame = pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in cells.items()})
    result = assess_table(frame, BOOKS, book.reference)
    assert result["outcome"].tolist()[1::2] == [case.outcome] * 2
    for name, stated in case.values.items():
        found = result[name].to_numpy(float)[1]
        assert found == pytest.approx(stated, rel=1e-6, abs=1e-6)


def test_flags_texts_and_series():
    flags = [True, "TRUE", "yes", "是", "1", 1.0, False, "false", "No", "否", "0", "", "maybe"]
    frame = pd.DataFrame([[30, 100, 0.8, 200, 100, flag] for flag in flags], columns=CAPAG)
    result = assess_rows(frame, BOOKS, "br-capag@2023")
    assert result.table["outcome"].tolist() == ["A+"] * 6 + ["A"] * 7
    assert any("maybe" in n.values.get("cell", "") for n in result.notes)
    book = BY_ID["pe-dl1275"]
    case = next(c for c in book.case if "current_revenue_hist" in c.inputs)
    years = case.inputs["current_revenue_hist"]
    rest = {k: v for k, v in case.inputs.items() if k != "current_revenue_hist"}
    cells = [";".join(map(str, years)), json.dumps(years), list(years), "1;2", "x;y;z;w", None]
    frame = pd.DataFrame({**{k: [v] * 6 for k, v in rest.items()}, "current_revenue_hist": cells})
    result = assess_rows(frame, BOOKS, book.reference).table
    assert result["outcome"].tolist()[:3] == [case.outcome] * 3
    assert result["mean_revenue"].notna().tolist() == [True] * 3 + [False] * 3
    reasons = result["na_reasons"].tolist()
    assert f"has 2 values where most rows have {len(years)}" in reasons[3]
    assert "current_revenue_hist is not a number" in reasons[4]
    assert "current_revenue_hist missing" in reasons[5]
    numbered = {f"current_revenue_hist_{k}": [y] for k, y in enumerate(years, start=1)}
    spread_out = pd.DataFrame({**{k: [v] for k, v in rest.items()}, **numbered})
    assert assess_table(spread_out, BOOKS, book.reference)["outcome"].tolist() == [case.outcome]


def test_reasons_name_field_denominator_and_sign():
    rows = [
        [None, 100, 0.8, 200, None, True],
        [10, 0, 0.8, 200, 100, True],
        [10, -5, "n.d.", 200, 100, True],
        [10, 100, "high", 200, 100, True],
        [10, 100, 0.8, 200, 100, None],
    ]
    result = assess_rows(pd.DataFrame(rows, columns=CAPAG), BOOKS, "br-capag@2023")
    assert result.table["na_reasons"].astype(object).fillna("").tolist() == [
        "gross_consolidated_debt missing; financial_obligations missing",
        "net_current_revenue is zero",
        "net_current_revenue is negative; pc_weighted is not a number",
        "pc_weighted is not a number",
        "",
    ]
    assert result.table["dc_band"].tolist() == ["na", "na", "na", "A", "A"]
    note = next(n for n in result.notes if "cell" in n.values)
    assert (note.values["count"], note.values["row"], note.values["cell"]) == (2, 3, "n.d.")


def test_reasons_of_branches_not_taken_are_not_given():
    data = BY_ID["cn-debt-tiers"].model_dump()
    formula = "debt_balance / 0 if debt_balance > 5 else comprehensive_fiscal_capacity"
    changed = {"formula": formula, "positive": (), "unit": "money"}
    data["indicator"] = [{**data["indicator"][0], **changed}]
    book = Rulebook.model_validate(data)
    frame = pd.DataFrame({"debt_balance": [6, 4, None], "comprehensive_fiscal_capacity": None})
    assert assess_table(frame, [book], book.reference)["na_reasons"].tolist() == [
        "0 is zero", "comprehensive_fiscal_capacity missing", "debt_balance missing",
    ]  # fmt: skip


def test_published_ratios_are_taken_as_they_are():
    frame = pd.DataFrame({"dc": ["12%", 0.6, ""], "pc": [0.8] * 3, "lr": [0.1] * 3,
                          "icf_quality_A": [0] * 3})  # fmt: skip
    result = assess_rows(frame, BOOKS, "br-capag@2023")
    assert result.table["dc"].tolist() == ["12%", 0.6, ""]
    assert result.table.columns.tolist().count("dc") == 1
    assert result.table["dc_band"].tolist() == ["A", "B", "na"]
    assert result.table["outcome"].tolist() == ["A", "B", "n.d."]
    assert result.table["na_reasons"].tolist()[2] == "dc missing"
    assert result.notes == ()


def test_fields_without_a_column_are_named_once():
    frame = pd.DataFrame({"gross_consolidated_debt": [1], "net_current_revenue": [2], "pc": [0.8]})
    result = assess_rows(frame, BOOKS, "br-capag@2023")
    said = [n.values["fields"] for n in result.notes if "fields" in n.values]
    assert said == ["icf_quality_A, gross_cash, financial_obligations"]
    assert result.table["dc_band"].tolist() == ["A"]
    assert result.table["outcome"].tolist() == ["n.d."]


def test_a_name_that_is_taken_gets_a_number():
    frame = pd.DataFrame({"outcome": ["mine"], "outcome_2": ["too"], "dc": [0.1], "pc": [0.8],
                          "lr": [0.1]})  # fmt: skip
    result = assess_rows(frame, BOOKS, "br-capag@2023")
    assert result.table["outcome"].tolist() == ["mine"]
    assert result.table["outcome_3"].tolist() == ["A"]
    assert result.outcomes() == [("A", 1)]
    assert any(n.values == {"old": "outcome", "new": "outcome_3"} for n in result.notes)


# -- versions -------------------------------------------------------------------------------------


def capag_years(column="year", years=(2016, 2019, 2020, 2021, 2022, 2023, "?")):
    """PC of 0.87 is A up to 2020 or 2022 and B from 2023; cash of 3 × dues."""
    rows = [[f"m{k}", year, 30, 100, 0.87, 30, 10, 0] for k, year in enumerate(years)]
    return pd.DataFrame(rows, columns=["code", column, *CAPAG])


@pytest.mark.parametrize("column", ["year", "period", "quarter", "期间", "年度", "Year"])
def test_the_period_chooses_the_version(column):
    result = assess_rows(capag_years(column), BOOKS, "br-capag").table
    assert result["rulebook"].astype(object).fillna("").tolist() == [
        "", "br-capag@2017", "br-capag@2017", "br-capag@2022", "br-capag@2022", "br-capag@2023", "",
    ]  # fmt: skip
    assert result["outcome"].tolist()[0] == "not_in_force"
    assert result["outcome"].tolist()[-1] == "unknown"
    assert result["na_reasons"].tolist()[-1] == f"no period in {column}"
    bands = [c for c in result if c.endswith("_band")]
    assert bands == ["dc_band", "pc_band", "il_band", "lr_band"]
    assert result.loc[0, bands].isna().all()
    assert (result.loc[6, bands] == "na").all()
    for position, name in ((1, "br-capag-2017"), (4, "br-capag-2022"), (5, "br-capag-2023")):
        one = assess(
            BY_ID[name], dict(zip(CAPAG, (30.0, 100.0, 0.87, 30.0, 10.0, 0.0), strict=True))
        )
        assert result.loc[position, "outcome"] == str(one.outcome_ids())
        assert result.loc[position, "severity"] == int(one.severity())
    assert result["il"].notna().tolist() == [False, True, True, True, True, False, False]
    assert result["lr"].notna().tolist() == [False] * 5 + [True, False]
    assert pd.isna(result.loc[0, "severity"])


def test_quarters_and_a_named_column():
    frame = capag_years("when", ("2020Q4", "2021年一季度", "2022-12-31", dt.date(2023, 3, 31)))
    result = assess_table(frame, BOOKS, "br-capag", period="when")
    assert [v[-4:] for v in result["rulebook"]] == ["2017", "2022", "2022", "2023"]
    with pytest.raises(DataProblem, match="no column “then”"):
        assess_table(frame, BOOKS, "br-capag", period="then")


def test_a_pinned_version_holds_for_every_period():
    result = assess_table(capag_years(), BOOKS, "br-capag@2017")
    assert set(result["rulebook"]) == {"br-capag@2017"}
    assert "lr" not in result


def test_without_periods_the_newest_in_force_is_used():
    frame = capag_years().drop(columns="year")
    assert set(assess_table(frame, BOOKS, "br-capag")["rulebook"]) == {"br-capag@2023"}
    earlier = assess_table(frame, BOOKS, "br-capag", as_of=dt.date(2022, 7, 1))
    assert set(earlier["rulebook"]) == {"br-capag@2022"}
    assert set(assess_table(frame, BOOKS, "br-capag-2017")["rulebook"]) == {"br-capag@2017"}


def test_a_disabled_rulebook_is_used_when_named_and_said_so():
    book = BY_ID["co-ley358-2021"]
    frame = pd.DataFrame({use.name: [1.0] for use in book.field})
    for asked in (book.id, book.reference):
        result = assess_rows(frame, BOOKS, asked)
        assert set(result.table["rulebook"]) == {book.reference}
        assert any(n.values.get("reference") == book.reference for n in result.notes)
    by_family = assess_table(frame.assign(**{u.name: 1.0 for b in BOOKS if b.family == book.family
                                             for u in b.field}), BOOKS, book.family)  # fmt: skip
    assert book.reference not in set(by_family["rulebook"])
    alone = [b.model_copy(update={"family": "other"}) for b in BOOKS if b.id == book.id]
    with pytest.raises(RulebookProblem, match="No version of other is enabled"):
        assess_table(frame, alone, "other")


# -- the frame ------------------------------------------------------------------------------------

CELLS = st.sampled_from(["6", "4.5", "", "n.d.", "0", "-1", "12%", "1,234.5", None, 7.25, 0, -3])


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS, CELLS, st.sampled_from([True, "否", None]),
                            st.sampled_from([2018, "2021", "2023Q2", "x"])),
                  min_size=1, max_size=12),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_rows_are_judged_one_by_one(rows, seed):
    """Any order of the rows gives the same rows in that order; originals stay untouched."""
    frame = pd.DataFrame(rows, columns=[*CAPAG, "year"]).astype(object)
    frame = frame.set_axis(np.arange(len(rows)) * 3 + 5)
    before = frame.copy(deep=True)
    whole = assess_table(frame, BOOKS, "br-capag")
    pd.testing.assert_frame_equal(frame, before)
    pd.testing.assert_frame_equal(whole[list(frame.columns)], before)
    order = np.random.default_rng(seed).permutation(len(rows))
    shuffled = assess_table(frame.iloc[order], BOOKS, "br-capag")
    for name in whole.columns.intersection(shuffled.columns):
        left, right = whole[name].iloc[order].astype(object), shuffled[name].astype(object)
        pd.testing.assert_series_equal(left, right)
    assert set(whole.columns) == set(shuffled.columns)


def test_blocks_do_not_show(monkeypatch):
    draws = np.random.default_rng(3)
    frame = pd.DataFrame(draws.uniform(-1, 3, (500, 5)), columns=CAPAG[:5])
    frame[draws.uniform(size=frame.shape) < 0.2] = np.nan
    frame["year"] = draws.integers(2016, 2026, 500)
    whole = assess_table(frame, BOOKS, "br-capag")
    monkeypatch.setattr(core_module, "_BLOCK", 7)
    parts = assess_table(frame, BOOKS, "br-capag")
    for name in whole:
        pd.testing.assert_series_equal(whole[name].astype(object), parts[name].astype(object))


def test_order_holds_in_a_long_file(tmp_path):
    n = 300_000
    frame = pd.DataFrame({"row": np.arange(n), "debt_balance": np.arange(n) * 0.5,
                          "comprehensive_fiscal_capacity": 100.0})  # fmt: skip
    frame.to_csv(tmp_path / "in.csv", index=False)
    assess_file(tmp_path / "in.csv", tmp_path / "out.csv", BOOKS, "cn-debt-tiers")
    back = pd.read_csv(tmp_path / "out.csv")
    assert (back["row"] == np.arange(n)).all()
    np.testing.assert_allclose(back["debt_ratio"], np.arange(n) * 0.005)


def test_a_table_of_something_else_or_with_a_column_twice():
    with pytest.raises(DataProblem, match="gross_consolidated_debt"):
        assess_table(pd.DataFrame({"sewage": [1]}), BOOKS, "br-capag")
    twice = pd.DataFrame([[1, 2]], columns=["pc_weighted", "pc_weighted "])
    with pytest.raises(DataProblem, match="two columns “pc_weighted”"):
        assess_table(twice, BOOKS, "br-capag")


# -- the command ----------------------------------------------------------------------------------


def test_command(tmp_path):
    path, out = write_csv(tmp_path / "in.csv", GOLDEN), tmp_path / "out.csv"
    done = run("assess", "cn-debt-tiers", path, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "5 rows: unknown 3, green 1, yellow 1" in done.stdout
    assert done.stderr.splitlines() == [
        "1 cells of column debt_balance cannot be read and count as missing, the first in row 3: "
        "“n.d.”."
    ]
    write_csv(path, [["debt_balance", "when"], ["abc", "2025"]])
    done = run("assess", "cn-debt-tiers", path, "--out", out, "--period", "when")
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        "Each row is judged by the version for its period, read from column when.",
        "1 cells of column debt_balance cannot be read and count as missing, the first in row 1: "
        "“abc”.",
        "No column for comprehensive_fiscal_capacity: their values count as missing.",
    ]


def test_faults_end_in_one_paragraph(tmp_path):
    path = write_csv(tmp_path / "in.csv", GOLDEN)
    empty, other = tmp_path / "empty.csv", write_csv(tmp_path / "other.csv", [["a"], ["1"]])
    empty.write_bytes(b"")
    blank = tmp_path / "blank.csv"
    blank.write_text("\n\n")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 no")
    out = tmp_path / "out.csv"
    faults = [
        (("cn-debt-tiers", empty, out), "empty"),
        (("cn-debt-tiers", blank, out), "empty"),
        (("cn-debt-tiers", broken, out), "cannot be read"),
        (("cn-debt-tiers", tmp_path, out), "in"),
        (("cn-debt-tiers", tmp_path / "none.csv", out), "no file"),
        (("cn-debt-tiers", other, out), "debt_balance, comprehensive_fiscal_capacity"),
        (("no-such", path, out), "There is no rulebook “no-such”"),
        (("cn-debt-tiers", path, tmp_path / "none" / "out.csv"), "There is no folder"),
        (("cn-debt-tiers", path, tmp_path / "out.pdf"), ".csv, .xlsx, .parquet"),
    ]
    for (asked, source, target), words in faults:
        done = run("assess", asked, source, "--out", target)
        assert done.returncode == 2, (done.stdout, done.stderr)
        assert "Traceback" not in done.stderr + done.stdout
        assert len(done.stderr.strip().splitlines()) == 1
        assert words in done.stderr
        assert not out.exists()


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = write_csv(tmp_path / "in.csv", [["code", "debt_balance"], ["x" * 40_000, "1"]])
    out = tmp_path / "out.xlsx"
    out.write_bytes(b"old")
    with pytest.raises(DataProblem, match="row 2, column 1 does not fit"):
        assess_file(path, out, BOOKS, "cn-debt-tiers")
    assert out.read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.csv", "out.xlsx"]
    doubled = write_csv(tmp_path / "twice.csv", [["a", "A", "debt_balance"], ["1", "2", "3"]])
    with pytest.raises(DataProblem, match="distinct column names"):
        assess_file(doubled, tmp_path / "out.parquet", BOOKS, "cn-debt-tiers")


def test_a_file_may_be_replaced_by_its_own_assessment(tmp_path):
    path = write_csv(tmp_path / "a[1]*.csv", GOLDEN)
    assess_file(path, path, BOOKS, "cn-debt-tiers")
    assert read_back(path)[0] == GOLDEN[0] + ADDED
