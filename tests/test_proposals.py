"""Proposals as files: one in TOML, many in a workbook, their form, facts about governments."""

from __future__ import annotations

import datetime as dt
import time
import zipfile
from dataclasses import replace

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from debtwatch.errors import DataProblem
from debtwatch.panel.period import quarter
from debtwatch.panel.sheets import marks_of
from debtwatch.screening.columns import COLUMNS, WORDS, YEARLY, columns_by_heading, word_of
from debtwatch.screening.form import write_form
from debtwatch.screening.governments import GovernmentFacts, read_governments
from debtwatch.screening.pipeline import read_pipeline, read_pipelines
from debtwatch.screening.project import (
    COUNTY_TYPES,
    DOCUMENTS,
    GROUNDS,
    NATURES,
    PURPOSES,
    Flags,
    Priority,
    Project,
    Tranche,
)
from debtwatch.screening.proposal_checks import faults_of, profile_weights, spread_years
from debtwatch.screening.proposal_file import read_proposal

LAST = quarter(2025, 4)
WAN = 1e4

PROPOSAL = """
[project]
code = "2026-XX-CJ-014"
name = "县城污水处理二期（示例）"
county = "900001"
county_type = "specialised"
sector = "wastewater"
purpose = "new"
nature = "quasi_public"
start_quarter = "2026Q3"
build_quarters = 8
life_years = 20
unit_cost_base = 30000
approved_on = 2026-05-01
illustrative = "illustrative"
income_is_net = false
land_linked_share = 0.1
opex = { 2029 = 1500, 2030 = 1600 }
taxes = { 2029 = 10 }
ppp_commitments = { 2029 = 5 }

[project.cost]
total_investment = 120000
feasibility_estimate = 118000
budget_estimate = 119000
contingency_share = 0.08
schedule = { 2026Q3 = 60000, 2027Q1 = 60000 }

[[project.financing]]
source = "fiscal_general"
amount = 36000

[[project.financing]]
source = "special_bond"
amount = 84000
tenor_years = 15
rate = 0.026
grace_years = 5
repayment = "equal_principal"
as_capital = 1000
schedule = { 2026Q3 = 40000, 2027Q3 = 44000 }

[[project.financing]]
source = "bank_loan"
amount = 0

[project.income.2029]
user_fees = 5000
fund_income = 2000
basis = "volume x price"

[project.land]
total_ha = 12
cultivated_ha = 3
ecological_red_line = false

[project.documents]
project_proposal = true
eia = false
ppp_affordability = "n/a"

[project.need]
unit = "m3_per_day"
existing = 20000
added = 30000
standard_per_capita = 0.16
target_year = 2032

[project.flags]
guaranteed_buyback = true

[project.priority]
stageable = true
residents_served = 80000
requires = ["A-1"]

[project.override]
ground = "mandatory_safety"
name = "张三"
date = 2026-04-01
reason = "dam"
"""


@pytest.fixture
def proposal(tmp_path):
    def write(text=PROPOSAL, *changes, name="p.toml"):
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return read_proposal(path, last_quarter=LAST)

    return write


@pytest.fixture
def books(tmp_path):
    """Write a workbook from ``{sheet: rows}``; a cell that is a tuple is (formula, cached)."""

    def write(sheets, name="p.xlsx", merged=()):
        path = tmp_path / name
        with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False}) as book:
            day = book.add_format({"num_format": "yyyy-mm-dd"})
            for sheet_name, rows in sheets.items():
                sheet = book.add_worksheet(sheet_name)
                for area in merged if sheet_name == "项目" else ():
                    sheet.merge_range(*area, "")
                for r, row in enumerate(rows):
                    for c, cell in enumerate(row):
                        if isinstance(cell, tuple):
                            sheet.write_formula(r, c, cell[0], None, cell[1])
                        elif isinstance(cell, dt.date):
                            sheet.write_datetime(r, c, cell, day)
                        elif isinstance(cell, str):
                            sheet.write_string(r, c, cell)
                        elif cell is not None:
                            sheet.write(r, c, cell)
        return path

    return write


ROW = {
    "code": "P1", "unit": "900001", "start": "2026Q3", "build": 8, "total": 100, "fiscal": 30,
    "special_bond": 70, "tenor": 15, "rate": 2.6, "grace": 5,
}  # fmt: skip


def grid(*rows, columns=COLUMNS):
    """Rows as mappings from column key to cell, under the headings of the columns they use."""
    keys = [c for c in columns if any(c.key in row for row in rows)]
    return [[c.heading for c in keys], *([row.get(c.key) for c in keys] for row in rows)]


def read(books, *rows, **options):
    return read_pipeline(books({"项目": grid(*rows)}, **options), last_quarter=LAST)


def where(found):
    return {(p.cell, p.what()) for p in found.problems}


def said(found, cell, words):
    return any(p.cell == cell and words in p.what() for p in found.problems)


def letter(rows, key):
    from debtwatch.panel.problem import column_letters

    return column_letters(rows[0].index(next(c for c in COLUMNS if c.key == key).heading))


# -- one proposal ----------------------------------------------------------------------------------


def test_a_proposal_holds_what_its_file_says(proposal):
    found = proposal()
    assert found.problems == ()
    one = found.projects[0]
    assert (one.code, one.unit, one.start_quarter) == ("2026-XX-CJ-014", "900001", quarter(2026, 3))
    assert one.total_investment == 120_000 * WAN
    assert one.feasibility_estimate == 118_000 * WAN
    assert [t.source for t in one.financing] == ["fiscal_general", "special_bond"]
    bond = one.financing[1]
    assert bond == Tranche(
        "special_bond", 84_000 * WAN, 15.0, 5.0, 0.026, "equal_principal",
        schedule=((quarter(2026, 3), 40_000 * WAN), (quarter(2027, 3), 44_000 * WAN)),
        as_capital=1_000 * WAN,
    )  # fmt: skip
    assert one.schedule == ((quarter(2026, 3), 6e8), (quarter(2027, 1), 6e8))
    assert dict(one.operation.user_fees) == {2029: 5e7}
    assert dict(one.operation.opex) == {2029: 1.5e7, 2030: 1.6e7}
    assert one.operation.basis == "volume x price"
    assert (one.land.cultivated_ha, one.land.ecological_red_line) == (3.0, False)
    assert one.land.inside_urban_boundary is None
    assert one.documents == {"project_proposal": True, "eia": False, "ppp_affordability": None}
    assert one.need.target_year == 2032
    assert one.flags == Flags(guaranteed_buyback=True)
    assert one.priority == Priority(stageable=True, residents_served=80_000.0, requires=("A-1",))
    assert (one.override.date, one.override.ground) == (dt.date(2026, 4, 1), "mandatory_safety")
    assert one.place == "p.toml"


def test_keys_may_stand_at_the_top_level(proposal):
    bare = PROPOSAL.replace("[project]\n", "").replace("[project.", "[").replace(
        "[[project.", "[["
    )  # fmt: skip
    assert proposal(bare).projects == proposal().projects
    wrong = proposal(bare, ("rate = 0.026", "rate = -1"))
    assert [p.cell for p in wrong.problems] == ["financing[1].rate"]


@pytest.mark.parametrize(("unit", "scale"), [("万元", 1e4), ("亿元", 1e8), ("元", 1.0)])
def test_the_unit_of_money_scales_every_amount(proposal, unit, scale):
    one = proposal(PROPOSAL, ('code = "', f'unit = "{unit}"\ncode = "')).projects[0]
    assert one.total_investment == 120_000 * scale
    assert one.financing[1].schedule[0][1] == 40_000 * scale
    assert one.financing[1].as_capital == 1_000 * scale
    assert one.operation.fund_income[2029] == 2_000 * scale
    assert one.ppp_commitments == {2029: 5 * scale}
    assert one.land.total_ha == 12
    assert one.need.added == 30_000


def test_money_by_year_is_spread_over_the_construction(proposal):
    years = "schedule = { 2026 = 30000, 2027 = 60000, 2028 = 30000 }"
    one = proposal(PROPOSAL, ("schedule = { 2026Q3 = 60000, 2027Q1 = 60000 }", years)).projects[0]
    assert [q for q, _a in one.schedule] == list(range(quarter(2026, 3), quarter(2028, 3)))
    assert {round(a) for _q, a in one.schedule} == {150_000_000}


BAD_KEYS = [
    ("amount = 36000", "amount = 35300", "financing", "does not sum"),
    ("total_investment = 120000", "total_investment = 0", "cost.total_investment", "above zero"),
    ("total_investment = 120000", "", "cost.total_investment", "is missing"),
    ("total_investment = 120000", "total_investment = inf", "cost.total_investment", "number"),
    ("total_investment = 120000", "total_investment = nan", "cost.total_investment", "number"),
    ("total_investment = 120000", "total_investment = 1e30", "cost.total_investment", "number"),
    ("total_investment = 120000", 'total_investment = "12"', "cost.total_investment", "number"),
    ("total_investment = 120000", "total_investment = true", "cost.total_investment", "number"),
    ("2027Q1 = 60000", "2027Q1 = 59000", "cost.schedule", "does not sum"),
    ("2027Q1 = 60000", "2026Q2 = 60000", "cost.schedule.2026Q2", "before the start"),
    ("2027Q1 = 60000", "2025 = 60000", "cost.schedule", "mixes"),
    ("2027Q1 = 60000", "soon = 60000", "cost.schedule.soon", "neither a quarter"),
    ("2027Q3 = 44000", "2027Q3 = 43000", "financing[1].schedule", "does not sum"),
    ("amount = 36000", "amount = -36000", "financing[0].amount", "negative"),
    ("amount = 36000", "", "financing[0].amount", "missing"),
    ('source = "special_bond"', "", "financing[1].source", "missing"),
    ('source = "special_bond"', 'source = "bond"', "financing[1].source", "bank_loan"),
    ("tenor_years = 15", "", "financing[1].tenor_years", "tenor"),
    ("tenor_years = 15", "tenor_years = 31", "financing[1].tenor_years", "1 to 30"),
    ("tenor_years = 15", "tenor_years = 7.5", "financing[1].tenor_years", "whole"),
    ("tenor_years = 15", "tenor_years = 5", "financing[1].grace_years", "shorter"),
    ("grace_years = 5", "grace_years = 1.5", "financing[1].grace_years", "whole"),
    ("rate = 0.026", "", "financing[1].rate", "needs a rate"),
    ("rate = 0.026", "rate = 2.6", "financing[1].rate", "decimal"),
    ("rate = 0.026", "rate = 0.151", "financing[1].rate", "between 0 and 15"),
    ("as_capital = 1000", "as_capital = 84001", "financing[1].as_capital", "more is used"),
    ("as_capital = 1000", "equity_like = 1", "financing[1].equity_like", "enterprise equity"),
    ("amount = 36000", "amount = 36000\nas_capital = 1", "financing[0].as_capital", "only a spec"),
    ('repayment = "equal_principal"', 'repayment = "x"', "financing[1].repayment", "annuity"),
    ('start_quarter = "2026Q3"', "", "start_quarter", "missing"),
    ('start_quarter = "2026Q3"', 'start_quarter = "2025Q4"', "start_quarter", "end of the acc"),
    ('start_quarter = "2026Q3"', 'start_quarter = "2026"', "start_quarter", "not a quarter"),
    ("build_quarters = 8", "build_quarters = 0", "build_quarters", "1 to 60"),
    ("build_quarters = 8", "build_quarters = 61", "build_quarters", "1 to 60"),
    ("build_quarters = 8", "build_quarters = 100000000000", "build_quarters", "1 to 60"),
    ("build_quarters = 8", "build_quarters = 7.5", "build_quarters", "whole number"),
    ("life_years = 20", "life_years = 0", "life_years", "at most 100"),
    ("life_years = 20", "life_years = 100.5", "life_years", "at most 100"),
    ("life_years = 20", "", "life_years", "missing"),
    ("build_quarters = 8", "build_quarters = 15", "income.2029.user_fees", "runs from"),
    ("user_fees = 5000", "user_fee = 5000", "income.2029.user_fee", "user_fees, fund_income"),
    ("[project.income.2029]", "[project.income.soon]", "income.soon", "not a year"),
    ("2030 = 1600", '"２０２９" = 1600', "opex.２０２９", "twice"),
    ('purpose = "new"', 'purpose = "demolition"', "purpose", "改造 (renovation)"),
    ('sector = "wastewater"', 'sector = "moon base"', "sector", "污水处理"),
    ('code = "2026-XX-CJ-014"', "", "code", "no code"),
    ('code = "2026-XX-CJ-014"', 'code = "a\\u0007b"', "code", "control characters"),
    ('code = "2026-XX-CJ-014"', f'code = "{"x" * 81}"', "code", "at most 80"),
    ('county = "900001"', "", "county", "government is missing"),
    ("ecological_red_line = false", "ecological_red_line = 0.5", "land.ecological_red_line",
     "true or false"),
    ("cultivated_ha = 3", "cultivated_ha = 12.1", "land.cultivated_ha", "exceeds its total"),
    ("eia = false", 'eia = "soon"', "documents.eia", "不适用"),
    ("eia = false", "iea = false", "documents.iea", "performance_assessment"),
    ('name = "张三"', "", "override.name", "override needs"),
    ("date = 2026-04-01", 'date = "April"', "override.date", "not a date"),
    ("stageable = true", "stageable = true\nongoing = true", "priority.sunk", "spent so far"),
    ("stageable = true", "stageable = true\nsunk = 120001", "priority.sunk", "more is spent"),
    ('requires = ["A-1"]', 'requires = "A-1"', "priority.requires", "list"),
    ('requires = ["A-1"]', 'requires = ["2026-XX-CJ-014"]', "priority.requires", "itself"),
    ('requires = ["A-1"]', 'requires = ["A-1"]\nexcludes = ["A-1"]', "priority.excludes", "both"),
    ("land_linked_share = 0.1", "land_linked_share = 1.1", "land_linked_share", "between 0 and 1"),
    ("contingency_share = 0.08", "contingency_share = 8", "cost.contingency_share", "between"),
    ('county = "900001"', 'county = "900001"\nunit = "吨"', "unit", "万元"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "path", "words"), BAD_KEYS)
def test_a_fault_names_its_key_and_nothing_else_is_reported(proposal, old, new, path, words):
    found = proposal(PROPOSAL, (old, new))
    assert found.projects == ()
    paths = [p.cell for p in found.problems]
    assert f"project.{path}" in paths
    assert any(words in p.what() for p in found.problems if p.cell == f"project.{path}")
    # A fault that follows from another is not told as well; the fees and fund income share one.
    assert len(paths) <= (2 if path.startswith("income.2029") else 1), paths


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("total_investment = 120000", "total_investment = 120603"),  # 0.5 % more than the sum
        ("total_investment = 120000", "total_investment = 119403"),
        ("tenor_years = 15", "tenor_years = 30"),
        ("tenor_years = 15", "tenor_years = 6"),
        ("rate = 0.026", "rate = 0.15"),
        ("rate = 0.026", "rate = 0"),
        ("as_capital = 1000", "as_capital = 84000"),
        ("life_years = 20", "life_years = 100"),
        ("build_quarters = 8", "build_quarters = 14"),  # runs from 2030Q1: 2029 is too early
        ('start_quarter = "2026Q3"', 'start_quarter = "2026Q1"'),
        ("cultivated_ha = 3", "cultivated_ha = 12"),
        ("stageable = true", "stageable = true\nsunk = 120000"),
        ("stageable = true", "stageable = true\nongoing = true\nsunk = 0"),
        ("2027Q1 = 60000", "2027Q1 = 60600"),
    ],
)
def test_at_the_line_a_proposal_is_read(proposal, old, new):
    if "build_quarters = 14" in new:
        assert [p.cell for p in proposal(PROPOSAL, (old, new)).problems] == [
            "project.income.2029.user_fees",
            "project.income.2029.fund_income",
        ]
        assert proposal(PROPOSAL, (old, "build_quarters = 13")).problems == ()
    else:
        assert proposal(PROPOSAL, (old, new)).problems == ()


def test_an_ongoing_project_may_have_started(proposal):
    changes = [
        ('start_quarter = "2026Q3"', 'start_quarter = "2025Q1"'),
        ("2026Q3 = 60000", "2025Q1 = 60000"),
        ("2027Q1 = 60000", "2026Q1 = 60000"),
        ("2026Q3 = 40000", "2025Q1 = 40000"),
        ("2027Q3 = 44000", "2026Q3 = 44000"),
    ]
    found = proposal(PROPOSAL, *changes)
    assert {p.cell for p in found.problems} == {
        "project.start_quarter", "project.cost.schedule.2025Q1",
        "project.financing[1].schedule.2025Q1",
    }  # fmt: skip
    ongoing = ("stageable = true", "stageable = true\nongoing = true\nsunk = 60000")
    assert proposal(PROPOSAL, *changes, ongoing).problems == ()


def test_all_faults_of_a_proposal_come_at_once(proposal):
    found = proposal(
        PROPOSAL,
        ('purpose = "new"', 'purpose = "x"'),
        ("rate = 0.026", ""),
        ("build_quarters = 8", "build_quarters = 0"),
        ("amount = 36000", "amount = 1"),
        ("unit_cost_base", "unit_cost_bass"),
        ("date = 2026-04-01", ""),
    )
    assert {p.cell for p in found.problems} == {
        "project.purpose", "project.financing[1].rate", "project.build_quarters",
        "project.financing", "project.unit_cost_bass", "project.override.date",
    }  # fmt: skip
    assert {(p.file, p.unit, p.severity) for p in found.problems} == {("p.toml", "900001", "flag")}


def test_a_key_beside_the_project_is_not_known(proposal):
    found = proposal("extra = 1\n" + PROPOSAL)
    assert [p.cell for p in found.problems] == ["extra"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[project]\ncode = \n", r"not TOML \(line 2\)"),
        (b"[project]\n\ncode = 1\ncode = 2\n", r"not TOML \(line 4\)"),
        (b'[project]\nname = "\xcf\xc3"\n', r"not UTF-8 text \(line 2\)"),
        (b"", "is empty"),
        (b"\n \n", "is empty"),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "nests too deeply"),
        (b".".join([b"a"] * 3000) + b" = 1", "nests too deeply"),
        (b"a = " + b"9" * 5000, "not TOML"),
        (b"#" * (2**20 + 1), "larger"),
    ],
)
def test_a_file_that_is_no_toml(tmp_path, content, words):
    path = tmp_path / "p.toml"
    path.write_bytes(content)
    with pytest.raises(DataProblem, match=words):
        read_proposal(path, last_quarter=LAST)


def test_a_missing_file_and_a_byte_order_mark(tmp_path, proposal):
    with pytest.raises(DataProblem, match="cannot be read"):
        read_proposal(tmp_path / "none.toml", last_quarter=LAST)
    proposal()
    path = tmp_path / "p.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_pipeline(path, last_quarter=LAST).projects == proposal().projects


@pytest.mark.parametrize("text", ["project = 3", "project = [1]", "[[project]]\ncode = 'a'"])
def test_a_project_that_is_no_table(proposal, text):
    found = proposal(text)
    assert found.projects == ()
    assert any(p.cell == "project" for p in found.problems)


SCALARS = st.one_of(
    st.booleans(), st.integers(-(10**6), 10**40), st.floats(), st.text(max_size=5),
    st.dates(), st.lists(st.integers(), max_size=2), st.just({}),
)  # fmt: skip


@given(
    st.sampled_from([
        "code", "county", "sector", "start_quarter", "build_quarters", "life_years", "cost",
        "financing", "income", "opex", "land", "documents", "need", "flags", "priority",
        "override", "ppp_commitments", "unit", "approved_on", "x",
    ]),
    SCALARS,
)  # fmt: skip
def test_no_value_of_a_key_breaks_the_reader(key, value):
    import tomllib

    from debtwatch.screening.proposal_file import _Builder, _shape

    data = tomllib.loads(PROPOSAL)["project"] | {key: value}
    shape, faults = _shape(data)
    builder = _Builder(shape, {f.path for f in faults}, LAST, "p.toml")
    builder.project()
    for fault in [*faults, *builder.faults]:
        assert fault.message.format(**fault.values)


# -- schedules -------------------------------------------------------------------------------------


@given(st.integers(1, 60), st.sampled_from(["uniform", "s_curve", "front"]))
def test_weights_of_a_profile_sum_to_one(build, profile):
    weights = profile_weights(build, profile)
    assert len(weights) == build
    assert min(weights) > 0
    assert sum(weights) == pytest.approx(1)


@given(
    st.dictionaries(st.integers(2026, 2040), st.floats(0, 1e9), max_size=6),
    st.integers(8104, 8140),
    st.integers(1, 60),
    st.sampled_from(["uniform", "s_curve", "front"]),
)
def test_spreading_keeps_the_money_of_each_year(by_year, start, build, profile):
    spread = spread_years(by_year, start=start, build=build, profile=profile)
    for year, amount in by_year.items():
        assert sum(a for q, a in spread if q // 4 == year) == pytest.approx(amount)


# -- the workbook ----------------------------------------------------------------------------------

FULL = {
    **ROW,
    "name": "污水处理（示例）", "county_type": "人口流失县城", "sector": "污水处理",
    "purpose": "改建", "nature": "准公益", "life": 25, "approved": dt.date(2026, 5, 1),
    "marking": "示例", "feasibility": 99, "budget": 101, "profile": "前期集中",
    "unit_cost_base": 30000, "total": 200, "fiscal_fund": 5, "grant": 6, "grant_committed": "否",
    "provincial_grant": 7, "provincial_committed": "是", "equity": 8, "equity_like": 2,
    "as_capital": 10, "general_bond": 9, "general_tenor": 7, "general_rate": 2.1,
    "policy_loan": 20, "loan": 15, "loan_tenor": 12, "loan_rate": 3.5, "loan_grace": 1,
    "loan_repayment": "等额本息", "borrower": "项目公司", "guarantee": "无", "ppp": 30,
    "payment": "可行性缺口补助", "ppp_commitment": 3, "repayment": "等额本金", "draw": "一次性",
    "capitalised": "是", "income": 12, "fund_income": 2, "opex": 1, "taxes": 0.5,
    "land_linked": 25, "is_net": "否", "basis": "水量×水价", "land_total": 12,
    "land_cultivated": 3, "land_farmland": 0, "ecological_red_line": "否",
    "inside_urban_boundary": True, "offset_document": "Y", "land_use_approval": "",
    "project_proposal": "是", "eia": "否", "ppp_affordability": "不适用", "need_unit": "立方米/日",
    "existing": 20000, "added": 30000, "standard": 0.16, "target_year": 2032,
    "population_medium": 100000, "population_low": 90000, "contractor_prefinancing": "否",
    "negative_list": "n", "top_ups_budgeted": "true", "mandatory_safety": "是", "sunk": 1,
    "residents_served": 80000, "climate_food_water": "是", "stageable": "是",
    "requires": "A-1、A-2", "excludes": "B", "ground": "强制性安全", "override_name": "张三",
    "override_date": "2026-04-01", "override_reason": "病险",
}  # fmt: skip


def test_a_row_holds_all_that_the_form_asks(books):
    found = read(books, FULL)
    assert found.problems == ()
    one = found.projects[0]
    by_source = {t.source: t for t in one.financing}
    assert by_source["special_bond"] == Tranche(
        "special_bond", 70 * WAN, 15, 5, 0.026, "equal_principal", "upfront", (), True,
        as_capital=10 * WAN,
    )  # fmt: skip
    general = by_source["general_bond"]
    assert (general.tenor_years, general.rate, general.grace_years) == (7, 0.021, 5)
    loan = by_source["bank_loan"]
    assert (loan.tenor_years, loan.rate, loan.repayment) == (12, 0.035, "annuity")
    assert (loan.borrower, loan.guarantee) == ("spv", "none")
    assert by_source["central_budget_investment"].committed is False
    assert by_source["provincial_grant"].committed is True
    assert by_source["enterprise_equity"].equity_like == 2 * WAN
    assert by_source["ppp_private"].payment == "viability_gap"
    assert (one.county_type, one.sector) == ("population_loss", "wastewater")
    assert (one.purpose, one.nature, one.profile) == ("renovation", "quasi_public", "front")
    assert one.operation.land_linked_share == 0.25
    assert one.operation.taxes[2030] == 0.5 * WAN
    assert one.ppp_commitments[2028] == 3 * WAN
    assert one.land.inside_urban_boundary is True
    assert one.land.offset_document is True
    assert one.land.land_use_approval is None
    assert one.documents == {"project_proposal": True, "eia": False, "ppp_affordability": None}
    assert one.need.population_low == 90_000
    assert one.flags == Flags(
        contractor_prefinancing=False, negative_list=False, top_ups_budgeted=True
    )
    assert one.priority.requires == ("A-1", "A-2")
    assert one.override.date == dt.date(2026, 4, 1)
    assert one.place == "项目!2"


def test_english_names_are_headings_as_well(books):
    names = {c.key: c.en for c in COLUMNS}
    keys = list(FULL)
    for headings in (keys, [names[k] for k in keys]):
        rows = [headings, [FULL[k] for k in keys]]
        assert read_pipeline(books({"项目": rows}), last_quarter=LAST).projects == (
            read(books, FULL, name="q.xlsx").projects
        )


def test_every_heading_names_one_column():
    for columns in (COLUMNS, YEARLY):
        assert len({c.key for c in columns}) == len(columns)
        assert len({c.zh for c in columns}) == len(columns)
        known = columns_by_heading(columns)
        for column in columns:
            for heading in (column.key, column.zh, column.en, *column.others):
                from debtwatch.panel.fields import normalise

                assert known[normalise(heading)] is column, heading


def test_the_words_of_the_form_are_those_of_a_project():
    assert set(WORDS["purpose"]) == set(PURPOSES)
    assert set(WORDS["nature"]) == set(NATURES)
    assert set(WORDS["county_type"]) == set(COUNTY_TYPES)
    assert set(WORDS["ground"]) == set(GROUNDS)
    assert {c.key for c in COLUMNS if c.kind == "document"} == set(DOCUMENTS)
    for table, held in WORDS.items():
        for name, words in held.items():
            assert all(word_of(table, w) == name for w in (name, *words) if w)


BAD_CELLS = [
    ({"fiscal": 29.0}, "total", "does not sum"),
    ({"total": -100}, "total", "negative"),
    ({"total": None}, "total", "is missing"),
    ({"total": "一百"}, "total", "not a number"),
    ({"total": 1e30}, "total", "not a number"),
    ({"total": "1e400"}, "total", "not a number"),
    ({"total": True}, "total", "not a number"),
    ({"special_bond": "70①"}, "special_bond", "not a number"),
    ({"tenor": 31}, "tenor", "1 to 30"),
    ({"tenor": None}, "tenor", "1 to 30"),
    ({"rate": None}, "rate", "needs a rate"),
    ({"rate": "—"}, "rate", "needs a rate"),
    ({"rate": "25%"}, "rate", "between"),
    ({"grace": 15}, "grace", "shorter"),
    ({"build": 61}, "build", "1 to 60"),
    ({"build": None}, "build", "1 to 60"),
    ({"life": 101}, "life", "at most 100"),
    ({"life": 0}, "life", "at most 100"),
    ({"start": "2025Q4"}, "start", "end of the accounts"),
    ({"start": 46204}, "start", "not a quarter"),
    ({"approved": 46204.5}, "approved", "not a date"),
    ({"approved": "五月"}, "approved", "not a date"),
    ({"purpose": "拆除"}, "purpose", "新建 (new)"),
    ({"sector": "月球基地"}, "sector", "污水处理"),
    ({"marking": "大概"}, "marking", "choices"),
    ({"eia": "待定"}, "eia", "不适用"),
    ({"stageable": "或许"}, "stageable", "choices"),
    ({"inside_urban_boundary": 3}, "inside_urban_boundary", "choices"),
    ({"as_capital": 71}, "as_capital", "more is used"),
    ({"ongoing": "是"}, "ongoing", "spent so far"),
    ({"sunk": 101}, "sunk", "more is spent"),
    ({"land_linked": 101}, "land_linked", "whole"),
    ({"target_year": "soon"}, "target_year", "not a year"),
    ({"land_total": 1, "land_cultivated": 2}, "land_cultivated", "exceeds"),
    ({"override_name": "张三"}, "override_name", "override needs"),
    ({"requires": "P1"}, "requires", "itself"),
    ({"code": "P\x01"}, "code", "control characters"),
    ({"code": None}, "code", "no code"),
    ({"unit": None}, "unit", "government is missing"),
]


@pytest.mark.parametrize(("change", "key", "words"), BAD_CELLS)
def test_a_bad_row_names_its_cell_and_spares_the_others(books, change, key, words):
    bad, good = {**ROW, **change}, {**ROW, "code": "P2"}
    found = read(books, bad, good)
    assert [p.code for p in found.projects] == ["P2"]
    rows = grid(bad, good)
    if words == "override needs":
        assert any("override needs" in p.what() for p in found.problems)
    elif words == "spent so far":
        assert said(found, "A2", words)  # there is no column for it
    else:
        assert said(found, f"{letter(rows, key)}2", words), where(found)
        assert len(found.problems) == 1, where(found)


def test_numbers_as_people_type_them(books):
    typed = {**ROW, "total": "１００", "special_bond": " 70.0 ", "rate": "2.6%", "tenor": "15"}
    one = read(books, {**typed, "start": "2026年三季度", "code": 2026014.0}).projects[0]
    assert (one.total_investment, one.financing[1].rate) == (100 * WAN, 0.026)
    assert (one.code, one.start_quarter) == ("2026014", quarter(2026, 3))
    assert read(books, {**ROW, "start": dt.date(2026, 8, 15)}).projects[0].start_quarter == (
        quarter(2026, 3)
    )
    assert read(books, {**ROW, "rate": 0.026}).projects[0].financing[1].rate == 0.026
    assert read(books, {**ROW, "approved": 20260501}).projects[0].approved_on == dt.date(2026, 5, 1)


def test_units_in_headings(books):
    rows = [
        ["项目代码", "地区编码", "开工季度", "建设期（季度）", "总投资（亿元）", "财政资金（元）",
         "占用耕地（亩）", "受益人口（万人）"],
        ["P", "c", "2026Q3", 4, 1, 1e8, 30, 2],
    ]  # fmt: skip
    one = read_pipeline(books({"项目": rows}), last_quarter=LAST).projects[0]
    assert one.total_investment == one.financing[0].amount == 1e8
    assert one.land.cultivated_ha == pytest.approx(2)
    assert one.priority.residents_served == 20_000


def test_totals_and_footnotes_are_no_projects(books):
    rows = grid(ROW)
    rows += [["合计", None, None, None, 100], [], ["注：示例数据"]]
    found = read_pipeline(books({"项目": rows}), last_quarter=LAST)
    assert (len(found.projects), found.problems) == (1, ())


def test_headings_that_are_unknown_or_given_twice(books):
    rows = grid(ROW)
    rows[0] += ["专项债卷", "空列"]
    rows[1] += [5]
    found = read_pipeline(books({"项目": rows}), last_quarter=LAST)
    assert [(p.rule, p.cell) for p in found.problems] == [("heading-unknown", "K1")]
    assert len(found.projects) == 1
    rows[0][-2] = "本级财政资金"
    with pytest.raises(DataProblem, match="Two columns are both read as"):
        read_pipeline(books({"项目": rows}), last_quarter=LAST)


@pytest.mark.parametrize("cached", [0, 70, "", "#DIV/0!"])
def test_a_formula_is_not_a_value(books, cached):
    rows = grid(ROW, {**ROW, "code": "P2", "special_bond": ("=100-30", cached)})
    found = read_pipeline(books({"项目": rows}), last_quarter=LAST)
    assert [p.code for p in found.projects] == ["P1"]
    assert [p.cell for p in found.problems] == [f"{letter(rows, 'special_bond')}3"]
    assert "formula" in found.problems[0].what()


def test_a_formula_for_a_flag_or_a_name_is_found_too(books):
    found = read(books, {**ROW, "name": ("=A1", "x"), "stageable": ("=1=1", True)})
    assert len(found.problems) == 2
    assert found.projects == ()


def test_formulas_outside_the_table_do_not_matter(books):
    rows = grid(ROW)
    rows[1].append(("=1+1", 2))
    rows.append(["合计", *[None] * 3, ("=SUM(E2:E2)", 100)])
    assert read_pipeline(books({"项目": rows}), last_quarter=LAST).problems == ()


def test_array_formulas_and_error_cells(tmp_path):
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("项目")
        sheet.write_array_formula("B2:C3", "{=A1:B2}")
    assert set(marks_of(path.read_bytes())["项目"]) == {(1, 1), (1, 2), (2, 1), (2, 2)}
    error = rewritten(path, b'<c r="B2"', b'<c r="A1" t="e"><v>#N/A</v></c><c r="B2"')
    assert marks_of(error.read_bytes())["项目"][0, 0] == "error"


def rewritten(path, old, new):
    """A workbook with one text of its first sheet replaced."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet1.xml"
    assert old in parts[sheet]
    parts[sheet] = parts[sheet].replace(old, new)
    other = path.with_name("rewritten.xlsx")
    with zipfile.ZipFile(other, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return other


def test_an_error_cell_is_not_an_empty_cell(books):
    rows = grid({**ROW, "opex": 1234})
    path = books({"项目": rows})
    broken = rewritten(path, b"><v>1234</v>", b' t="e"><v>#REF!</v>')
    found = read_pipeline(broken, last_quarter=LAST)
    assert found.projects == ()
    assert said(found, f"{letter(rows, 'opex')}2", "error of the spreadsheet")


def test_a_workbook_that_declares_entities_is_refused(books):
    head = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    bomb = head + b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    path = rewritten(books({"项目": grid(ROW)}), head, bomb)
    with pytest.raises(DataProblem, match="cannot be"):
        read_pipeline(path, last_quarter=LAST)


def test_merged_cells_of_the_table_are_a_fault_of_their_rows(books):
    rows = grid(ROW, {**ROW, "code": "P2"}, {**ROW, "code": "P3"})
    path = books({"项目": rows}, merged=[(1, 1, 2, 1)])
    found = read_pipeline(path, last_quarter=LAST)
    assert [p.code for p in found.projects] == ["P3"]
    assert [p.cell for p in found.problems] == ["B2", "B3"]
    assert all("merged" in p.what() for p in found.problems)


def test_a_merged_title_is_no_fault(books):
    rows = [["拟建项目"], *grid(ROW)]
    path = books({"项目": rows}, merged=[(0, 0, 0, 8)])
    assert read_pipeline(path, last_quarter=LAST).problems == ()


def open_document(path, rows, formula=None, span=None):
    """Write an ods file; one cell may hold a formula, one may span two columns."""

    def cell(value, place):
        more = ' table:formula="of:=1+1"' if place == formula else ""
        more += ' table:number-columns-spanned="2"' if place == span else ""
        kind = "string" if isinstance(value, str) else "float"
        held = "" if kind == "string" else f' office:value="{value}"'
        return (
            f'<table:table-cell{more} office:value-type="{kind}"{held}>'
            f"<text:p>{value}</text:p></table:table-cell>"
        )

    body = "".join(
        f"<table:table-row>{''.join(cell(v, (r, c)) for c, v in enumerate(row))}</table:table-row>"
        for r, row in enumerate(rows)
    )
    urn = "urn:oasis:names:tc:opendocument:xmlns:"
    names = " ".join(f'xmlns:{n}="{urn}{n}:1.0"' for n in ("office", "table", "text"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "content.xml",
            f"<office:document-content {names}><office:body><office:spreadsheet>"
            f'<table:table table:name="项目">{body}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
        manifest = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
        archive.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{manifest}"/>')
    return path


def test_open_documents_are_searched_as_well(tmp_path):
    path = tmp_path / "p.ods"
    found = read_pipeline(open_document(path, grid(ROW)), last_quarter=LAST)
    assert (len(found.projects), found.problems) == (1, ())
    found = read_pipeline(open_document(path, grid(ROW), formula=(1, 4)), last_quarter=LAST)
    assert said(found, "E2", "formula")
    found = read_pipeline(open_document(path, grid(ROW), span=(1, 2)), last_quarter=LAST)
    assert said(found, "C2", "merged")
    assert found.projects == ()


# -- yearly money ----------------------------------------------------------------------------------


def yearly(books, *rows, project=ROW):
    sheets = {"项目": grid(project), "年度收支": grid(*rows, columns=YEARLY)}
    return read_pipeline(books(sheets), last_quarter=LAST)


def test_yearly_money_takes_the_place_of_flat_money(books):
    flat = {**ROW, "income": 9, "opex": 2}
    found = yearly(
        books,
        {"code": "P1", "year": 2029, "user_fees": 5, "investment": None, "ppp_commitment": 1},
        {"code": "P1", "year": "2030年", "user_fees": 6},
        project=flat,
    )
    assert found.problems == ()
    one = found.projects[0]
    assert one.operation.user_fees == {2029: 5 * WAN, 2030: 6 * WAN}
    assert one.operation.opex[2029] == 2 * WAN
    assert one.ppp_commitments == {2029: WAN}
    spent = [{"code": "P1", "year": y, "investment": a} for y, a in ((2026, 40), (2027, 60))]
    one = yearly(books, *spent).projects[0]
    assert sum(a for q, a in one.schedule if q // 4 == 2027) == pytest.approx(60 * WAN)


@pytest.mark.parametrize(
    ("rows", "cell", "words"),
    [
        ([{"year": 2027, "user_fees": 5}], "C2", "runs from 2028Q3"),
        ([{"year": 2029, "user_fees": -5}], "C2", "negative"),
        ([{"year": 2029, "user_fees": "x"}], "C2", "not a number"),
        ([{"year": 2029, "user_fees": ("=1", 1)}], "C2", "formula"),
        ([{"year": None, "user_fees": 5}], "B2", "not a year"),
        ([{"year": "soon", "user_fees": 5}], "B2", "not a year"),
        ([{"year": 2029, "user_fees": 5}, {"year": 2029, "user_fees": 6}], "B3", "twice"),
        ([{"year": 2026, "investment": 99}], "D2", "schedule does not sum"),
        ([{"year": 2025, "investment": 100}], "D2", "before the start"),
        ([{"code": "P9", "year": 2029, "user_fees": 5}], "A2", "no project of the file"),
    ],
)
def test_faults_of_yearly_money(books, rows, cell, words):
    other = {"code": "P2", "year": 2029, "user_fees": 5}
    rows = [{"code": "P1"} | row for row in rows]
    sheets = {
        "项目": grid(ROW, {**ROW, "code": "P2"}),
        "年度收支": grid(*rows, other, columns=YEARLY),
    }
    found = read_pipeline(books(sheets), last_quarter=LAST)
    assert said(found, cell, words), where(found)
    assert {p.sheet for p in found.problems} == {"年度收支"}
    assert "P2" in {p.code for p in found.projects}
    assert ("P1" in {p.code for p in found.projects}) is (rows[0]["code"] == "P9")


# -- several files ---------------------------------------------------------------------------------


def test_a_code_in_two_files_is_a_fault_of_the_second(books, proposal, tmp_path):
    first = books({"项目": grid(ROW, {**ROW, "code": "P2"})}, name="a.xlsx")
    second = books({"项目": grid({**ROW, "code": "P3"}, ROW)}, name="b.xlsx")
    proposal(PROPOSAL, ('code = "2026-XX-CJ-014"', 'code = "P2"'))
    found = read_pipelines([first, second, tmp_path / "p.toml"], last_quarter=LAST)
    assert [[p.code for p in one.projects] for one in found] == [["P1", "P2"], ["P3"], []]
    assert [[p.what() for p in one.problems] for one in found] == [
        [],
        ["Project P1: the code is used by another project in a.xlsx"],
        ["Project P2: the code is used by another project in a.xlsx"],
    ]
    assert found[1].problems[0].cell == "A3"
    assert read_pipelines([], last_quarter=LAST) == ()


def test_a_code_twice_in_a_file_even_when_the_first_is_bad(books):
    found = read(books, {**ROW, "total": -1}, ROW, {**ROW, "code": "P2"})
    assert [p.code for p in found.projects] == ["P2"]
    assert said(found, "A3", "another project")


# -- other files -----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_csv_in_the_encodings_of_offices(tmp_path, books, encoding):
    path = tmp_path / "p.csv"
    text = "\n".join(",".join(str(c) for c in row) for row in grid(ROW))
    path.write_bytes(text.encode(encoding))
    found = read_pipeline(path, last_quarter=LAST)
    assert found.problems == ()
    assert found.projects == tuple(read(books, ROW).projects)
    assert found.projects[0].place == "2"


def test_an_empty_and_a_headless_file(tmp_path, books):
    (tmp_path / "e.csv").write_bytes(b"")
    with pytest.raises(DataProblem, match="empty"):
        read_pipeline(tmp_path / "e.csv", last_quarter=LAST)
    with pytest.raises(DataProblem, match="开工季度"):
        read_pipeline(books({"项目": [["项目代码"], ["P"]]}), last_quarter=LAST)
    with pytest.raises(DataProblem, match="no table"):
        read_pipeline(books({"项目": []}), last_quarter=LAST)


def test_two_thousand_rows_read_quickly(books):
    rows = [{**FULL, "code": f"P{i}"} for i in range(2000)]
    path = books({"项目": grid(*rows)})
    began = time.perf_counter()
    found = read_pipeline(path, last_quarter=LAST)
    took = time.perf_counter() - began
    assert (len(found.projects), found.problems) == (2000, ())
    assert took < 6  # three seconds on a machine that does nothing else


def test_reading_twice_gives_the_same(books):
    path = books({"项目": grid(FULL, {**ROW, "total": 7})})
    assert read_pipeline(path, last_quarter=LAST) == read_pipeline(path, last_quarter=LAST)


@given(st.lists(st.one_of(st.none(), st.booleans(), st.floats(), st.text(max_size=6), st.dates()),
                min_size=len(FULL), max_size=len(FULL)))  # fmt: skip
def test_no_cells_break_the_reader(cells):
    from debtwatch.panel.sheets import Sheet
    from debtwatch.screening.pipeline import REQUIRED, _find_form
    from debtwatch.screening.pipeline_row import Row

    sheet = Sheet("s", [list(FULL), list(cells)])
    form = _find_form(sheet, COLUMNS, REQUIRED)
    row = Row(form, 1, list(cells), {})
    row.read(None, LAST)
    for fault in row.faults:
        assert fault.message.format(**fault.values)


# -- the form --------------------------------------------------------------------------------------


def test_the_empty_form_reads_back_as_no_project(tmp_path):
    path = tmp_path / "form.xlsx"
    write_form(path)
    found = read_pipeline(path, last_quarter=LAST)
    assert (found.projects, found.problems) == ((), ())
    write_form(tmp_path / "again.xlsx")
    assert path.read_bytes() == (tmp_path / "again.xlsx").read_bytes()


def test_the_form_explains_every_column(tmp_path):
    from debtwatch.panel.sheets import open_sheets

    path = tmp_path / "form.xlsx"
    write_form(path)
    sheets = {s.name: s for s in open_sheets(path).sheets}
    explained = [(r[0], r[3]) for r in sheets["说明"].rows[1:]]
    assert explained == [("项目", c.key) for c in COLUMNS] + [("年度收支", c.key) for c in YEARLY]
    assert sheets["项目"].rows[2] == [c.heading for c in COLUMNS]
    assert sheets["年度收支"].rows[2] == [c.heading for c in YEARLY]
    with zipfile.ZipFile(path) as archive:
        first = archive.read("xl/worksheets/sheet1.xml").decode()
    assert first.count("<dataValidation ") == len(COLUMNS)
    assert "新建,扩建,改造,设备购置,维修" in first


def test_a_form_that_is_filled_in_reads_back(tmp_path, books):
    form = tmp_path / "form.xlsx"
    write_form(form)
    from debtwatch.panel.sheets import open_sheets

    sheets = {s.name: [*s.rows] for s in open_sheets(form).sheets}
    sheets["项目"].append([FULL.get(c.key) for c in COLUMNS])
    year = {"code": "P1", "year": 2029, "user_fees": 5}
    sheets["年度收支"].append([year.get(c.key) for c in YEARLY])
    found = read_pipeline(books(sheets, name="filled.xlsx"), last_quarter=LAST)
    assert found.problems == ()
    plain = read(books, FULL).projects[0]
    operation = replace(plain.operation, user_fees={2029: 5 * WAN})
    assert found.projects == (replace(plain, operation=operation),)


def test_every_word_the_form_offers_is_read(books):
    whole = {"override_name": "a", "override_date": "2026-01-01", "override_reason": "b"}
    rows = [
        {**ROW, "sunk": 1, column.key: word, **(whole if column.key == "ground" else {})}
        for column in COLUMNS
        for word in column.words
    ]
    found = read(books, *({**row, "code": f"P{i}"} for i, row in enumerate(rows)))
    assert found.problems == ()
    assert len(found.projects) == len(rows) > 150


def test_the_form_does_not_overwrite(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"x")
    with pytest.raises(DataProblem, match="exists already"):
        write_form(tmp_path / "a.xlsx")
    with pytest.raises(DataProblem, match="does not exist"):
        write_form(tmp_path / "none" / "a.xlsx")


# -- checks by themselves --------------------------------------------------------------------------


@given(st.floats(1, 1e12), st.floats(-0.02, 0.02), st.integers(1, 60), st.integers(8104, 8200))
def test_the_sum_rule_is_half_a_per_cent(total, off, build, start):
    own = Tranche("fiscal_general", total * (1 + off))
    one = Project("A", "A", "u", start, build, 20, total, (own,))
    faults = faults_of(one, last_quarter=LAST)
    if abs(abs(off) - 0.005) > 1e-6:
        assert bool(faults) is (abs(off) > 0.005)


# -- governments -----------------------------------------------------------------------------------

GOVERNMENTS = """
[[government]]
county = "900001"
county_type = "ecological"
in_restructuring = false
ppp_share = 8.5
[[government]]
county = "900002"
"""


def test_facts_about_governments(tmp_path, books):
    path = tmp_path / "g.toml"
    path.write_text(GOVERNMENTS, encoding="utf-8")
    facts = read_governments(path)
    assert facts == {
        "900001": GovernmentFacts("ecological", False, 0.085),
        "900002": GovernmentFacts(),
    }
    rows = [
        ["地区", "地区编码", "县城类型", "是否财政重整", "PPP支出占比（%）"],
        ["甲县", "900001", "重点生态功能区县城", "否", 8.5],
        ["乙县", 900002.0, None, "—", None],
    ]
    assert read_governments(books({"x": rows})) == facts
    (tmp_path / "g.csv").write_text("地区编码,ppp share\n900001,8.5%\n", encoding="gb18030")
    assert read_governments(tmp_path / "g.csv") == {"900001": GovernmentFacts(ppp_share=0.085)}


def test_faults_of_governments_come_at_once(tmp_path, books):
    path = tmp_path / "g.toml"
    changed = GOVERNMENTS.replace("ecological", "moon").replace("8.5", "-1").replace("2", "1")
    path.write_text(changed + "colour = 3\n", encoding="utf-8")
    with pytest.raises(DataProblem) as caught:
        read_governments(path)
    text = str(caught.value)
    for part in ("government[0].county_type", "moon", "negative", "listed twice", "colour"):
        assert part in text
    rows = [["地区编码", "PPP支出占比"], ["1", ("=1", 1)], [None, 300], ["2", "x"]]
    with pytest.raises(DataProblem) as caught:
        read_governments(books({"x": rows}))
    text = str(caught.value)
    for part in ("x!B2", "x!A3", "x!B3", "x!B4", "formula", "missing", "whole", "not a number"):
        assert part in text


@pytest.mark.parametrize(
    "content", [b"a = 1", b"[[government]", b"\xff\xfe\xff", b"", b"[government]\ncounty='1'"]
)
def test_files_that_hold_no_governments(tmp_path, content):
    path = tmp_path / "g.toml"
    path.write_bytes(content)
    with pytest.raises(DataProblem):
        read_governments(path)


def test_a_table_without_governments(tmp_path, books):
    with pytest.raises(DataProblem, match="县城类型"):
        read_governments(books({"x": [["a"], ["b"]]}))
    with pytest.raises(DataProblem, match="no file"):
        read_governments(tmp_path / "none.csv")
