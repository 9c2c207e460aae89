"""Screened proposals for tests of the memo: the worked county, a healthy one, one without data."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np

from debtwatch.language import N_
from debtwatch.panel.period import quarter
from debtwatch.reporting.context import Source
from debtwatch.reporting.memo import About
from debtwatch.rules.rulebook import Bilingual
from debtwatch.screening.case import (
    Case,
    Impact,
    InterestRatio,
    Probability,
    QuotaUse,
    Room,
    Tier,
)
from debtwatch.screening.checks import run_checks
from debtwatch.screening.decision import Change, Condition, Decision, Override, Screened
from debtwatch.screening.portfolio import BindingRow, Chosen, Portfolio
from debtwatch.screening.project import Flags, Land, Need, Operation
from debtwatch.screening.sentence import Money, Quarter, Sentence, Share
from debtwatch.screening.settings import screening_settings
from tests.proposal_cases import (
    ACCOUNTS,
    ORANGE,
    QUARTERS,
    WAN,
    c7_project,
    case,
    healthy_government,
    healthy_impact,
    healthy_project,
    tier,
    tier_change,
)

AS_OF = dt.date(2026, 9, 30)
CAPACITY = 500_000 * WAN * 1.005 ** np.arange(1, QUARTERS + 1)
DEBT = (900_000 + 7_000 * np.arange(1, QUARTERS + 1)) * WAN
DRAWN = 10_500 * WAN * np.minimum(np.arange(1, QUARTERS + 1), 8)


def c7_impact() -> Impact:
    """The worked county: yellow to orange, caused by the project in its ninth quarter."""
    change = tier_change(
        now=tier("yellow"), without=tier("yellow"), with_=tier("orange"), value_now=1.8,
        path_without=DEBT / CAPACITY, path_with=(DEBT + DRAWN) / CAPACITY, line=ORANGE,
        breach_with=ACCOUNTS + 9, worst_quarter=ACCOUNTS + QUARTERS, effect="caused",
    )  # fmt: skip
    steps = np.arange(1, 13)
    chance = Probability(
        line=ORANGE, without=0.017, with_=0.676, error_without=0.0013, error_with=0.0047,
        error_added=0.0047, by_quarter_without=0.017 * steps / 12,
        by_quarter_with=0.676 * steps / 12, paths=10_000, horizon=12, consecutive=1, seed=7,
    )  # fmt: skip
    rooms = (
        Room("tier", Bilingual(zh="债务率200%（橙色）", en="Debt ratio 200% (Orange)"), 2.0,
             64_896.4 * WAN, 64_896 * WAN, 0.7726, ACCOUNTS + 20),
        Room("special_quota", Bilingual(zh="专项债务限额", en="Special debt limit"),
             700_000 * WAN, 100_000 * WAN, 100_000 * WAN, 1.19, None),
        Room("general_quota", Bilingual(zh="一般债务限额", en="General debt limit"),
             350_000 * WAN, 50_000 * WAN, 50_000 * WAN, np.inf, None),
        Room("sanbao", Bilingual(zh="“三保”保障", en="Three guarantees"), None, np.nan, None,
             np.nan, None),
    )  # fmt: skip
    return healthy_impact(
        tier=change, wide=None, probability=chance, rooms=rooms,
        quotas=(
            QuotaUse("general", 300_000 * WAN, 0.0, 0.0, 350_000 * WAN),
            QuotaUse("special", 600_000 * WAN, 84_000 * WAN, 0.0, 700_000 * WAN),
        ),
        stressed_without=tier("orange"), stressed_with=tier("orange"),
        stressed_by=Bilingual(zh="土地收入下降", en="Land revenue falls"),
        province_before=3.2, province_after=3.7,
    )  # fmt: skip


def c7() -> Screened:
    """The worked project, rejected; one change has been tried."""
    proposal = c7_project(illustrative="illustrative", place="pipeline.xlsx!7")
    one = case(
        proposal, impact=c7_impact(),
        government=healthy_government(name="示例县", province="浙江"),
    )  # fmt: skip
    return screened(
        one, "reject", reasons=("B1", "T1"),
        conditions=(
            Condition(
                "reserve",
                Sentence(N_("Fund a reserve of {amount} before the first principal."),
                         {"amount": Money(8_788 * WAN)}),
                ("F6",), quarter(2028, 4),
            ),
        ),
        changes=(
            Change(
                "stage",
                Sentence(N_("Build {share} first."), {"share": Share(0.4, 0)}),
                ("B1",), 72_000 * WAN, "conditional",
            ),
            Change(
                "timing",
                Sentence(N_("Start in {quarter}."), {"quarter": Quarter(quarter(2028, 1))}),
                (), 4_800 * WAN, "reject", ("B1",),
            ),
        ),
    )  # fmt: skip


def healthy(**changes: Any) -> Screened:
    """A proposal on which every check passes."""
    changed = healthy_project(**changes)
    return screened(case(changed), "pass", valid_until=ACCOUNTS + 2)


def overridden() -> Screened:
    """A deferral that a person lifted."""
    override = Override("mandatory_safety", "张三", dt.date(2026, 9, 1), "堤防险情，须在汛前修复")
    changed = healthy_project(code="H2", override=override, name="堤防除险加固")
    one = case(changed, impact=replace(c7_impact(), probability=None))
    decision = Decision("pass", "defer", ("T1",), override, ("T1",), None, ACCOUNTS + 2)
    return Screened(one, run_checks(one), decision)


def refused() -> Screened:
    """A deferral that a person may not lift."""
    override = Override("ongoing", "李四", dt.date(2026, 9, 2), "已开工")
    changed = healthy_project(code="H3", override=override)
    one = case(changed, impact=c7_impact())
    no = Sentence(N_("Less than {share} has been spent."), {"share": Share(0.7, 0)})
    decision = Decision("defer", "defer", ("T1",), refused_override=no, earliest=ACCOUNTS + 6)
    return Screened(one, run_checks(one), decision)


def unknown() -> Screened:
    """A proposal about which, and about whose government, nothing is known."""
    nobody = Tier("unknown", Bilingual(zh="无数据", en="No data"), 9)
    void = np.full(QUARTERS, np.nan)
    change = tier_change(
        now=nobody, without=nobody, with_=nobody, value_now=float("nan"), path_without=void,
        path_with=void, line=None, worst_quarter=None, effect="no_data",
    )  # fmt: skip
    nothing = tuple(InterestRatio(k, np.nan, void, void) for k in ("general", "special"))
    impact = Impact(first_quarter=ACCOUNTS + 1, tier=change, interest=nothing)
    proposal = healthy_project(
        code="U1", county_type="", sector="", purpose="", nature="", feasibility_estimate=None,
        budget_estimate=None, operation=Operation(), land=Land(), need=Need(), flags=Flags(),
        documents={}, unit_cost_base=None,
    )  # fmt: skip
    government = healthy_government(
        name="", province="", county_type="", in_restructuring=None, ppp_share=None,
        population=None,
    )  # fmt: skip
    one = case(proposal, impact=impact, government=government, sector=None, unit_costs=())
    return screened(one, "defer")


def screened(one: Case, outcome: Any, **more: Any) -> Screened:
    """Put checks and a decision to a case."""
    conditions, changes = more.pop("conditions", ()), more.pop("changes", ())
    return Screened(
        one, run_checks(one), Decision(outcome, outcome, **more), conditions, changes
    )  # fmt: skip


def portfolio() -> Portfolio:
    """A set with one binding row."""
    row = BindingRow(
        "headroom", Bilingual(zh="2028Q3债务空间", en="Debt headroom in 2028Q3"), quarter(2028, 3),
        64_896 * WAN, 1_000 * WAN, 0.00002, 1.42, 1.61,
    )  # fmt: skip
    return Portfolio(
        "330100", (Chosen("H1", 0, 1.0), Chosen("H2", 2, 0.75)), ("C7",), 1.4, 1.4, 0.0,
        proven=True, greedy=(Chosen("C7", 1, 0.5),), greedy_value=1.1, binding=(row,),
        probability=0.08, probability_before=0.017, tolerance=0.1, rounds=2,
        swaps=(("H1", "C7", -0.2),), unknown_rows=("cash 2027",),
    )  # fmt: skip


def about(**changes: Any) -> About:
    """What a memo rests on."""
    one = About(
        quarter=ACCOUNTS, as_of=AS_OF, version="test", seed=7, settings=screening_settings(),
        sources=(Source("accounts.xlsx", "ab" * 32, False),),
        pipelines=(Source("pipeline.xlsx", "cd" * 32, False),),
    )  # fmt: skip
    return replace(one, **changes)
