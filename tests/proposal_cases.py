"""A healthy county with a healthy proposal, and the worked county of the rules, for tests.

Every check passes on ``case()``; a test changes the one thing that it is about.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from debtwatch.panel.period import quarter
from debtwatch.rules.assess import lines_of
from debtwatch.rules.rulebook import Bilingual, Rulebook, load_rulebooks
from debtwatch.screening.case import (
    Case,
    Government,
    Impact,
    InterestRatio,
    Probability,
    QuotaUse,
    Room,
    Tier,
    TierChange,
)
from debtwatch.screening.coverage import finance_of
from debtwatch.screening.population import Population
from debtwatch.screening.project import (
    DOCUMENTS,
    Draw,
    Flags,
    Land,
    Need,
    Operation,
    Priority,
    Project,
    Tranche,
)
from debtwatch.screening.sectors import Sector
from debtwatch.screening.settings import screening_settings

WAN = 1e4
ACCOUNTS = quarter(2026, 2)  # quarter of the accounts
START = quarter(2027, 1)
QUARTERS = 20
BOOKS = load_rulebooks()
TIERS = next(b for b in BOOKS if b.id == "cn-debt-tiers")
YELLOW, ORANGE, RED = lines_of(TIERS, TIERS.indicator[0])
ANSWERED = Flags(
    contractor_prefinancing=False, guaranteed_buyback=False, commitment_letter=False,
    office_building=False, image_project=False, county_to_city=False, rail_transit=False,
    negative_list=False, top_ups_budgeted=True, relaxed_capital=False, national_exception=False,
    boundary_exempt=False,
)  # fmt: skip
WASTEWATER = Sector(
    id="wastewater", label=Bilingual(zh="污水处理", en="Wastewater"), aliases=(),
    capital="urban_construction", category="", income_possible=True, negative_list=False,
    boundary_exempt=False, long_benefit=False,
)  # fmt: skip


def rulebooks_at(at: int = ACCOUNTS) -> dict[str, Rulebook]:
    """The version of each family in force for a quarter's accounts."""
    books = [b for b in BOOKS if b.covers(at)]
    return {b.family: b for b in sorted(books, key=lambda b: b.effective_from)}


def tier(name: str) -> Tier:
    """A tier of the official system by its id."""
    outcome = TIERS.outcome_named(name)
    return Tier(outcome.id, outcome.label, outcome.severity)


def healthy_project(**changes: Any) -> Project:
    """A wastewater plant that pays its bond and has every paper."""
    bond = Tranche("special_bond", 36_000 * WAN, 15, 5, 0.026, "equal_principal", "quarterly")
    own = Tranche("fiscal_general", 54_000 * WAN)
    years = range(2029, 2049)
    one = Project(
        code="H1", name="城北污水处理厂", unit="330100", start_quarter=START, build_quarters=8,
        life_years=20, total_investment=90_000 * WAN, financing=(bond, own),
        county_type="specialised", sector="wastewater", purpose="extension",
        nature="quasi_public", feasibility_estimate=88_000 * WAN, budget_estimate=90_000 * WAN,
        operation=Operation(
            user_fees=dict.fromkeys(years, 14_000 * WAN), opex=dict.fromkeys(years, 2_000 * WAN)
        ),
        land=Land(12, 3, 0, False, True, True, True),
        need=Need("m3_per_day", 60_000, 20_000, 0.16, 2032, 500_000, 480_000),
        flags=ANSWERED, priority=Priority(stageable=True, residents_served=200_000),
        documents=dict.fromkeys(DOCUMENTS, True), unit_cost_base=20_000,
    )  # fmt: skip
    return replace(one, **changes)


def c7_project(draw: Draw = "upfront", **changes: Any) -> Project:
    """The worked project of the rules: its finance draws at once, its debt path by quarter."""
    bond = Tranche("special_bond", 84_000 * WAN, 15, 5, 0.026, "equal_principal", draw)
    income = {2030: 7_000.0, 2031: 8_500.0, **dict.fromkeys(range(2032, 2042), 11_500.0)}
    opex = {2030: 1_500.0, 2031: 1_600.0, **dict.fromkeys(range(2032, 2042), 1_800.0)}
    worked = healthy_project(
        code="C7", name="县城污水处理二期", total_investment=120_000 * WAN,
        feasibility_estimate=118_000 * WAN, budget_estimate=120_000 * WAN,
        financing=(
            bond,
            Tranche("fiscal_general", 20_000 * WAN),
            Tranche("fiscal_fund", 16_000 * WAN),
        ),
        operation=Operation(
            user_fees={y: a * WAN for y, a in income.items()},
            opex={y: a * WAN for y, a in opex.items()},
        ),
        flags=replace(ANSWERED, top_ups_budgeted=None),
    )  # fmt: skip
    return replace(worked, **changes)


def healthy_government(**changes: Any) -> Government:
    """A growing county whose standing is known."""
    people = Population(
        resident=500_000, resident_year=2025, earlier=480_000, earlier_year=2015,
        registered=490_000, growth=(500 / 480) ** 0.1 - 1, net_out=1 - 500 / 490, losing=False,
        severe=False,
    )  # fmt: skip
    known = Government(
        unit="330100", name="示例县", level="county", quarter=ACCOUNTS, province="浙江",
        county_type="specialised", in_restructuring=False, ppp_share=0.02, population=people,
    )  # fmt: skip
    return replace(known, **changes)


def tier_change(**changes: Any) -> TierChange:
    """Green and far from the line."""
    without = np.linspace(0.80, 0.85, QUARTERS)
    unchanged = TierChange(
        now=tier("green"), without=tier("green"), with_=tier("green"), value_now=0.8,
        path_without=without, path_with=without + 0.02, line=YELLOW, breach_without=None,
        breach_with=None, worst_quarter=ACCOUNTS + QUARTERS, effect="no_effect",
    )  # fmt: skip
    return replace(unchanged, **changes)


def healthy_impact(**changes: Any) -> Impact:
    """Room under every line and limit."""
    low, years = np.full(QUARTERS, 0.02), np.full(QUARTERS, 0.025)
    by_quarter = np.linspace(0.0, 0.02, 12)
    known = Impact(
        first_quarter=ACCOUNTS + 1, tier=tier_change(), wide=tier_change(),
        probability=Probability(
            line=YELLOW, without=0.01, with_=0.02, error_without=0.001, error_with=0.001,
            error_added=0.001, by_quarter_without=by_quarter / 2, by_quarter_with=by_quarter,
            paths=10_000, horizon=12, consecutive=2, seed=1,
        ),
        quotas=(
            QuotaUse("general", 200_000 * WAN, 0.0, 0.0, 300_000 * WAN),
            QuotaUse("special", 300_000 * WAN, 36_000 * WAN, 0.0, 400_000 * WAN),
        ),
        interest=(
            InterestRatio("general", 0.02, low, low),
            InterestRatio("special", 0.02, low, years),
        ),
        stressed_without=tier("green"), stressed_with=tier("green"), stressed_by=None,
        liquidity=0.1, sanbao_margin=50_000 * WAN, sanbao_quarter=ACCOUNTS + 4,
        rooms=(
            Room(
                key="tier", label=Bilingual(zh="债务率预警线120%", en="Warning line 120 %"),
                line=1.2, supremum=200_000.5 * WAN, printed=200_000 * WAN, scale=200_000.5 / 36_000,
                quarter=ACCOUNTS + QUARTERS,
            ),
            Room(
                key="special_quota",
                label=Bilingual(zh="专项债务限额", en="Limit of special debt"),
                line=400_000 * WAN, supremum=100_000 * WAN, printed=100_000 * WAN,
                scale=100_000 / 36_000, quarter=None,
            ),
        ),
        province_before=3.2, province_after=3.2, province_ratio_before=1.1,
        province_ratio_after=1.1,
    )  # fmt: skip
    return replace(known, **changes)


def case(project: Project | None = None, **changes: Any) -> Case:
    """One proposal in its government; every check passes unless something is changed.

    ``changes`` replace fields of :class:`Case`; the finance is computed unless it is given.
    """
    proposal = project or healthy_project()
    settings = changes.get("settings") or screening_settings()
    sector = changes.get("sector", WASTEWATER)
    parts: dict[str, Any] = {
        "project": proposal,
        "government": healthy_government(),
        "sector": sector,
        "finance": changes.get("finance")
        or finance_of(proposal, settings, long_benefit=bool(sector and sector.long_benefit)),
        "impact": healthy_impact(),
        "rulebooks": rulebooks_at(),
        "settings": settings,
        "unit_costs": (36_000.0, 40_000.0, 42_000.0, 45_000.0, 50_000.0),
    }
    return Case(**{**parts, **changes})
