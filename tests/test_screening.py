"""Planned construction: the worked county, headroom, attribution, order of counting, bad rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.errors import DataProblem
from debtwatch.rules.assess import Line, lines_of
from debtwatch.rules.capacity import Basis, capacity_book
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.screening.debt_service import debt_service, project_flows
from debtwatch.screening.impact import (
    ANYWAY,
    BROUGHT_FORWARD,
    CAUSED,
    NO_EFFECT,
    ImpactStudy,
    first_breach,
    floor_headroom,
    headroom,
)
from debtwatch.screening.pipeline import read_pipeline
from debtwatch.screening.project import Project, Tranche

WAN = 1e4
START = 4 * 2026  # first quarter ahead
TIERS = next(b for b in load_rulebooks() if b.id == "cn-debt-tiers")
ORANGE = lines_of(TIERS, TIERS.indicator[0])[1]


@dataclass(frozen=True)
class Path:
    """A stand-in for an outlook: one county, money given."""

    first_quarter: int
    figures: dict
    new_rate: np.ndarray

    @property
    def quarters(self):
        return next(iter(self.figures.values())).shape[1]


def county(quarters=20, debt=900_000.0, borrowing=7_000.0, capacity=500_000.0, growth=0.005):
    """F grows 0.5 % a quarter from 500,000; debt 900,000 and 7,000 more a quarter (万元)."""
    q = np.arange(1, quarters + 1)
    own = capacity * (1 + growth) ** q * WAN
    zero = np.zeros((1, quarters))
    figures = {
        "gpb_revenue": own[None, :],
        "gpb_transfer_in": zero,
        "gpb_transfer_out": zero,
        "gfb_revenue": zero,
        "gfb_transfer_in": zero,
        "gfb_transfer_out": zero,
        "general_debt_balance": zero.copy(),
        "special_debt_balance": ((debt + borrowing * q) * WAN)[None, :],
    }
    return Path(START, figures, np.array([0.026]))


def basis():
    gross = next(v for v in capacity_book().variant if v.id == "mof_gross")
    return Basis((gross,), {n: np.zeros(1, bool) for n in gross.if_absent_zero})


def project(code="A", amount=84_000.0, start=START, build=8, **options):
    bond = Tranche("special_bond", amount * WAN, 15, 5, 0.026, "equal_principal", "quarterly")
    own = Tranche("fiscal_general", amount * WAN * 3 / 7)
    return Project(code, code, "c", start, build, 20, amount * WAN * 10 / 7, (bond, own), **options)


def study(path, projects):
    now = {("cn-debt-tiers", "debt_ratio"): np.array([1.8])}
    one = ImpactStudy(path, basis(), [TIERS], balances_now={}, now=now, levels=["county"])
    return one.run({0: projects} if projects else {}, 1)[0]


def ratio(path, impact=None):
    if impact is not None:
        return impact.with_projects["debt_ratio"]
    return (path.figures["special_debt_balance"] / path.figures["gpb_revenue"])[0]


def orange(impact):
    return next(e for e in impact.lines if e.line == ORANGE)


def test_the_worked_county_to_the_printed_digits():
    path = county()
    impact = study(path, [project()])
    without, with_ = ratio(path) * 100, ratio(path, impact) * 100
    printed = {
        1: (502_500, 907_000, 180.5, 182.59),
        4: (510_075, 928_000, 181.9, 190.17),
        8: (520_354, 956_000, 183.7, 199.86),
        9: (522_955, 963_000, 184.1, 200.21),
        12: (530_839, 984_000, 185.4, 201.19),
        20: (552_448, 1_040_000, 188.3, 203.46),
    }
    for q, (capacity, debt, before, after) in printed.items():
        assert round(path.figures["gpb_revenue"][0, q - 1] / WAN) == capacity
        assert path.figures["special_debt_balance"][0, q - 1] / WAN == debt
        assert round(without[q - 1], 1) == before
        assert round(with_[q - 1], 2) == after
    effect = orange(impact)
    assert effect.effect == CAUSED
    assert effect.quarter_without is None
    assert effect.quarter_with == START + 8  # quarter 9
    assert effect.tipped_by == "A"


def test_the_worked_headroom():
    path = county()
    inputs = {
        "debt_balance": path.figures["special_debt_balance"],
        "comprehensive_fiscal_capacity": path.figures["gpb_revenue"],
    }
    room = headroom(TIERS.indicator[0], ORANGE, inputs)[0] / WAN
    assert [round(room[q - 1]) for q in (8, 12, 20)] == [84_707, 77_678, 64_896]
    twelve = study(county(12), [])
    assert (
        orange(twelve).headroom_before == 77_677 * WAN
        or orange(twelve).headroom_before == 77_678 * WAN
    )
    assert round(77_678 / 84_000, 3) == 0.925
    assert round(room[19] / 84_000, 3) == 0.773


def test_a_delay_of_four_quarters_only_moves_the_breach():
    impact = study(county(), [project(start=START + 4)])
    assert orange(impact).quarter_with == START + 11
    assert round(ratio(None, impact)[11] * 100, 2) == 201.19


def test_the_printed_headroom_fits_and_the_next_unit_does_not():
    path = county(12)
    room = orange(study(path, [])).headroom_before
    for more, breaches in ((0, False), (2 * WAN, True)):
        debt = path.figures["special_debt_balance"][0] + room + more
        hit = ORANGE.breached(debt / path.figures["gpb_revenue"][0]).any()
        assert bool(hit) is breaches


@given(st.floats(0, 1e12), st.booleans())
def test_floor_is_whole_and_on_the_good_side(amount, inclusive):
    floored = floor_headroom(amount, inclusive=inclusive)
    assert floored % WAN == pytest.approx(0, abs=1e-3)
    assert floored < amount + 1e-3 if inclusive else floored <= amount + 1e-3
    assert amount - floored <= WAN * (1 + 1e-6) + 2e-9 * amount + 1e-3  # slack of comparisons


@given(st.floats(0, 0.02), st.floats(0, 60_000))
@settings(max_examples=60, deadline=None)
def test_headroom_agrees_with_bisection(growth, borrowing):
    path = county(12, growth=growth, borrowing=borrowing)
    capacity, debt = path.figures["gpb_revenue"][0], path.figures["special_debt_balance"][0]
    low, high = -1e12, 1e12
    for _step in range(120):
        middle = (low + high) / 2
        low, high = (low, middle) if ((debt + middle) / capacity >= 2.0).any() else (middle, high)
    inputs = {"debt_balance": debt[None], "comprehensive_fiscal_capacity": capacity[None]}
    assert headroom(TIERS.indicator[0], ORANGE, inputs).min() == pytest.approx(low, rel=1e-6, abs=1)


def test_three_attributions():
    # crosses 200 % by itself in some quarter; a project makes it sooner; a late one does not
    path = county(12, debt=940_000, borrowing=11_000)
    alone = orange(study(path, []))
    assert alone.effect == ANYWAY
    sooner = orange(study(path, [project(amount=60_000, build=4)]))
    assert sooner.effect == BROUGHT_FORWARD
    assert sooner.quarters_sooner == alone.quarter_without - sooner.quarter_with > 0
    late = orange(study(path, [project(amount=5_000, start=START + 11)]))
    assert late.effect == ANYWAY
    assert orange(study(county(12), [project(amount=1_000)])).effect == NO_EFFECT


def test_projects_are_counted_approved_first_then_start_then_code():
    day = dt.date(2025, 5, 1)
    projects = [
        project("C", 20_000, approved_on=day),
        project("B", 30_000),
        project("A", 40_000, start=START + 1),
    ]
    impact = study(county(), projects)
    assert [e.project.code for e in impact.projects] == ["C", "B", "A"]
    assert orange(impact).tipped_by == "A"
    by_code = {e.project.code: e for e in impact.projects}
    assert by_code["B"].effect == NO_EFFECT  # alone it fits
    assert by_code["A"].last_in == pytest.approx(by_code["A"].first_in, rel=1e-9)


def test_a_zero_project_changes_nothing_and_halves_make_the_whole():
    path = county()
    whole = study(path, [project()])
    halves = study(path, [project("A", 42_000), project("B", 42_000)])
    assert ratio(None, whole) == pytest.approx(ratio(None, halves), rel=1e-12)
    assert ratio(None, study(path, [project(amount=1e-9)])) == pytest.approx(ratio(path), rel=1e-12)


def test_loan_arithmetic():
    level = debt_service(100, 0.04, 10, repayment="annuity").total
    assert level == pytest.approx([12.3290944] * 10, abs=1e-7)
    equal = debt_service(100, 0.04, 10, grace=2, repayment="equal_principal")
    assert equal.total[:3] == pytest.approx([4, 4, 12.5 + 4])
    assert debt_service(100, 0.03, 7).total.sum() == pytest.approx(121)
    assert debt_service(100, 0.0, 4, repayment="annuity").principal.tolist() == [25] * 4


@given(
    st.floats(1, 1e9),
    st.floats(0, 0.15),
    st.integers(1, 30),
    st.integers(0, 29),
    st.sampled_from(["bullet", "equal_principal", "annuity"]),
)
@settings(deadline=None)
def test_every_schedule_repays_the_amount(amount, rate, years, grace, repayment):
    service = debt_service(amount, rate, years, grace=min(grace, years - 1), repayment=repayment)
    assert service.principal.sum() == pytest.approx(amount, rel=1e-6)
    assert (service.opening >= -1e-6 * amount).all()


def test_draws_and_repayments_by_quarter():
    flows = project_flows(project(amount=80_000, build=8), START, 12)
    assert flows.drawn["special"] / WAN == pytest.approx([10_000 * min(k, 8) for k in range(1, 13)])
    yearly = Project(
        "Y",
        "Y",
        "c",
        START + 1,
        6,
        20,
        100.0,
        (Tranche("special_bond", 100.0, 10, 0, 0.02, "equal_principal"),),
    )
    flows = project_flows(yearly, START, 12)
    drawn = [0, *[100 * 4 / 6] * 4, *[100.0] * 7]
    assert flows.drawn["special"] == pytest.approx(drawn)
    assert flows.debt["special"][5] == pytest.approx(100 - 100 * 4 / 6 / 10)  # first anniversary


def test_first_breach_is_none_on_the_good_side():
    line = Line("b", "i", "x", 1.0, False, 3)
    assert first_breach(line, np.array([0.9, 1.0]), 10) is None
    assert first_breach(line, np.array([0.9, 1.001]), 10) == 11


# -- pipeline files --------------------------------------------------------------------------------

HEADINGS = [
    "项目代码",
    "项目名称",
    "地区编码",
    "开工季度",
    "建设期（季度）",
    "总投资",
    "财政资金",
    "专项债券",
    "期限（年）",
    "年利率（%）",
    "宽限期（年）",
    "还本方式",
]
GOOD = ["P1", "污水处理", "900001", "2026Q3", 8, 100, 30, 70, 15, 2.6, 5, "等额本金"]


def pipeline(workbook, *rows):
    return read_pipeline(
        workbook([["单位：亿元"], HEADINGS, *rows], name="p.xlsx"), last_quarter=4 * 2025 + 3
    )


def changed(**cells):
    row = list(GOOD)
    for name, value in cells.items():
        row[int(name[1:])] = value
    return row


def test_a_good_row(workbook):
    found = pipeline(workbook, GOOD)
    assert found.problems == ()
    assert found.projects[0].total_investment == 100e8
    assert found.projects[0].public_debt == 70e8


@pytest.mark.parametrize(
    ("row", "cell", "words"),
    [
        (changed(c7=60), "F3", "does not sum"),
        (changed(c3="2025Q4"), "D3", "before the end"),
        (changed(c3="明年"), "D3", "not a quarter"),
        (changed(c8=300), "I3", "tenor"),
        (changed(c8=None), "I3", "tenor"),
        (changed(c9=None), "J3", "rate"),
        (changed(c9=260), "J3", "rate"),
        (changed(c10=15), "K3", "grace"),
        (changed(c11="随意"), "L3", "choices"),
        (changed(c4=0), "E3", "quarters"),
        (changed(c4=2.5), "E3", "quarters"),
        (changed(c5=-100), "F3", "negative"),
        (changed(c5="一百"), "F3", "not a number"),
        (changed(c0=None), "A3", "no code"),
        (changed(c2=None), "C3", "government"),
    ],
)
def test_bad_rows_name_their_cell_and_spare_the_others(workbook, row, cell, words):
    other = [*GOOD]
    other[0] = "P2"
    found = pipeline(workbook, row, other)
    assert [p.code for p in found.projects] == ["P2"]
    assert any(p.cell == cell and words in p.what() for p in found.problems)
    assert {p.severity for p in found.problems} == {"flag"}


def test_all_faults_of_a_row_come_at_once(workbook):
    found = pipeline(workbook, changed(c3="明年", c7=10, c9=None, c4=0))
    assert len(found.problems) >= 4


def test_two_projects_with_one_code(workbook):
    found = pipeline(workbook, GOOD, GOOD)
    assert len(found.projects) == 1
    assert "another project" in found.problems[0].what()


def test_a_file_without_projects(workbook, tmp_path):
    with pytest.raises(DataProblem, match="no table of projects"):
        read_pipeline(workbook([["a", "b"]]), last_quarter=8000)
    (tmp_path / "zero.xlsx").write_bytes(b"")
    with pytest.raises(DataProblem, match="empty"):
        read_pipeline(tmp_path / "zero.xlsx", last_quarter=8000)
