"""A proposed project as values: what it costs, how it is financed, what it earns, what it touches.

Money is in yuan, rates are decimals a year, quarters are ordinals. What a proposal does not say is
None and is never taken for a no.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Repayment = Literal["bullet", "equal_principal", "annuity"]
Draw = Literal["yearly", "quarterly", "upfront"]
Profile = Literal["uniform", "s_curve", "front"]

#: Sources of money that are statutory government debt, and their ledger.
LEDGER_OF = {"general_bond": "general", "special_bond": "special"}
#: Sources that have to be repaid.
DEBT = ("general_bond", "special_bond", "policy_loan", "bank_loan")
GRANTS = ("central_budget_investment", "provincial_grant")
FISCAL = ("fiscal_general", "fiscal_fund")
SOURCES = (*FISCAL, *GRANTS, "enterprise_equity", *DEBT, "ppp_private")
PURPOSES = ("new", "extension", "renovation", "equipment", "maintenance")
NATURES = ("public", "quasi_public", "commercial")
COUNTY_TYPES = ("near_big_city", "specialised", "agricultural", "ecological", "population_loss")
DOCUMENTS = (
    "project_proposal", "feasibility_approved", "preliminary_design", "implementation_plan",
    "financial_report", "legal_opinion", "performance_assessment", "eia", "in_ndrc_store",
    "in_mof_store", "ppp_affordability",
)  # fmt: skip
#: Grounds on which deferrals and conditions may be lifted (rules C4).
GROUNDS = ("mandatory_safety", "ongoing", "upper_level_grant")
SUM_TOLERANCE = 0.005
LONGEST_TENOR = 30.0


@dataclass(frozen=True)
class Tranche:
    """One source of a project's money.

    Attributes
    ----------
    source : str
        One of :data:`SOURCES`.
    amount : float
        Yuan.
    tenor_years, grace_years : float
    rate : float
        Decimal a year.
    repayment : {"bullet", "equal_principal", "annuity"}
    draw : {"yearly", "quarterly", "upfront"}
        In the first quarter of each construction year, evenly, or all in the first quarter.
    schedule : tuple of (int, float)
        Quarter ordinal and amount of each draw; replaces ``draw`` when given.
    capitalised : bool
        Interest of the construction time is added to the debt instead of being paid.
    committed : bool or None
        Whether a grant is committed in writing.
    as_capital : float
        Part of a special bond used as project capital, yuan.
    equity_like : float
        Part of enterprise equity that is debt by nature (perpetuals and the like), yuan.
    borrower : {"", "lgfv", "spv"}
    guarantee : {"", "none", "illegal_government"}
    payment : {"", "user_pay", "viability_gap", "government_pay"}
        Of a public-private partnership.
    """

    source: str
    amount: float
    tenor_years: float = 0.0
    grace_years: float = 0.0
    rate: float = 0.0
    repayment: Repayment = "bullet"
    draw: Draw = "yearly"
    schedule: tuple[tuple[int, float], ...] = ()
    capitalised: bool = False
    committed: bool | None = None
    as_capital: float = 0.0
    equity_like: float = 0.0
    borrower: str = ""
    guarantee: str = ""
    payment: str = ""

    @property
    def is_debt(self) -> bool:
        """Whether it has to be repaid."""
        return self.source in DEBT


@dataclass(frozen=True)
class Operation:
    """Yearly money once the project runs: calendar year to yuan.

    Attributes
    ----------
    user_fees : mapping from int to float
        Charges and sales; they do not enter the government's accounts.
    fund_income : mapping from int to float
        Income that enters the government fund budget, and so capacity.
    opex, taxes : mapping from int to float
        Running cost in cash, and taxes.
    land_linked_share : float
        Share of income that depends on land sales.
    is_net : bool
        Whether the income stated is already net of running cost (收益, not 收入).
    basis : str
        Volume times price, and evidence.
    """

    user_fees: Mapping[int, float] = field(default_factory=dict)
    fund_income: Mapping[int, float] = field(default_factory=dict)
    opex: Mapping[int, float] = field(default_factory=dict)
    taxes: Mapping[int, float] = field(default_factory=dict)
    land_linked_share: float = 0.0
    is_net: bool = False
    basis: str = ""

    @property
    def has_income(self) -> bool:
        """Whether any income is stated."""
        return any(v > 0 for v in (*self.user_fees.values(), *self.fund_income.values()))


@dataclass(frozen=True)
class Land:
    """Land that the project takes; None where the proposal does not say."""

    total_ha: float | None = None
    cultivated_ha: float | None = None
    permanent_basic_farmland_ha: float | None = None
    ecological_red_line: bool | None = None
    inside_urban_boundary: bool | None = None
    offset_document: bool | None = None
    land_use_approval: bool | None = None


@dataclass(frozen=True)
class Need:
    """Service that the project adds, against what residents need.

    Attributes
    ----------
    unit : str
        Of capacity, such as ``m3_per_day``.
    existing, added : float or None
    standard_per_capita : float or None
        Capacity needed per resident.
    target_year : int or None
    population_medium, population_low : float or None
        Projected residents where the proposal brings its own projection.
    """

    unit: str = ""
    existing: float | None = None
    added: float | None = None
    standard_per_capita: float | None = None
    target_year: int | None = None
    population_medium: float | None = None
    population_low: float | None = None


@dataclass(frozen=True)
class Flags:
    """Features of the arrangement; None where the proposal does not say."""

    contractor_prefinancing: bool | None = None
    guaranteed_buyback: bool | None = None
    commitment_letter: bool | None = None
    office_building: bool | None = None
    image_project: bool | None = None
    county_to_city: bool | None = None
    rail_transit: bool | None = None
    negative_list: bool | None = None
    top_ups_budgeted: bool | None = None
    relaxed_capital: bool | None = None
    national_exception: bool | None = None
    boundary_exempt: bool | None = None


@dataclass(frozen=True)
class Priority:
    """What speaks for a project.

    Attributes
    ----------
    mandatory_safety, sanbao_related, ongoing : bool
    sunk : float
        Yuan spent so far.
    residents_served : float or None
    climate_food_water : bool
    stageable : bool
        Whether it can be built in parts.
    requires, excludes : tuple of str
        Codes of projects that must come before, and of those that rule it out.
    """

    mandatory_safety: bool = False
    sanbao_related: bool = False
    ongoing: bool = False
    sunk: float = 0.0
    residents_served: float | None = None
    climate_food_water: bool = False
    stageable: bool = False
    requires: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Override:
    """A decision of a person that lifts deferrals and conditions; recorded and printed.

    Attributes
    ----------
    ground : str
        One of :data:`GROUNDS`.
    name : str
        Who takes it.
    date : date
    reason : str
    """

    ground: str
    name: str
    date: dt.date
    reason: str


@dataclass(frozen=True)
class Project:
    """A proposal.

    Attributes
    ----------
    code, name, unit : str
        ``unit`` is the code of the government.
    start_quarter : int
        Ordinal of the first quarter of construction.
    build_quarters : int
    life_years : float
    total_investment : float
        Yuan.
    financing : tuple of Tranche
    county_type : str
        One of :data:`COUNTY_TYPES`, empty when not stated.
    sector : str
        Key of ``models/sectors.toml``.
    purpose, nature : str
        One of :data:`PURPOSES`, :data:`NATURES`; empty when not stated.
    feasibility_estimate, budget_estimate : float or None
        Investment in the approved feasibility study and in the preliminary design, yuan.
    schedule : tuple of (int, float)
        Quarter ordinal and amount of spending; ``profile`` where it is empty.
    operation : Operation
    land, need, flags, priority
    documents : mapping from :data:`DOCUMENTS` to bool or None
        None: not stated, or it does not apply.
    ppp_commitments : mapping from int to float
        Yearly fiscal commitment of a public-private partnership, yuan.
    unit_cost_base : float or None
        Physical size for the comparison of unit costs, in the unit of the sector table.
    override : Override or None
    approved_on : date or None
        Approved projects are counted before proposed ones.
    illustrative : str
        ``""`` for a real proposal, ``illustrative`` or ``synthetic`` for an invented one.
    place : str
        Where it stands in its file.
    """

    code: str
    name: str
    unit: str
    start_quarter: int
    build_quarters: int
    life_years: float
    total_investment: float
    financing: tuple[Tranche, ...]
    county_type: str = ""
    sector: str = ""
    purpose: str = ""
    nature: str = ""
    feasibility_estimate: float | None = None
    budget_estimate: float | None = None
    schedule: tuple[tuple[int, float], ...] = ()
    profile: Profile = "uniform"
    operation: Operation = Operation()
    land: Land = Land()
    need: Need = Need()
    flags: Flags = Flags()
    priority: Priority = Priority()
    documents: Mapping[str, bool | None] = field(default_factory=dict)
    ppp_commitments: Mapping[int, float] = field(default_factory=dict)
    unit_cost_base: float | None = None
    override: Override | None = None
    approved_on: dt.date | None = None
    illustrative: str = ""
    place: str = field(default="", compare=False)

    @property
    def completion_quarter(self) -> int:
        """Ordinal of the first quarter after construction."""
        return self.start_quarter + self.build_quarters

    @property
    def public_debt(self) -> float:
        """Bonds of the government, yuan."""
        return self.amount_of(*LEDGER_OF)

    @property
    def debt(self) -> float:
        """All that has to be repaid, yuan."""
        return self.amount_of(*DEBT)

    @property
    def capital(self) -> float:
        """Project capital: fiscal money, grants, equity, special bonds used as capital; yuan."""
        own = self.amount_of(*FISCAL, *GRANTS, "enterprise_equity")
        return own + sum(t.as_capital for t in self.financing)

    @property
    def expands(self) -> bool | None:
        """Whether it adds to what exists; None when the purpose is not stated."""
        return self.purpose in {"new", "extension"} if self.purpose else None

    def amount_of(self, *sources: str) -> float:
        """Money from some sources, yuan."""
        return sum(t.amount for t in self.financing if t.source in sources)

    def order(self) -> tuple[dt.date, int, str]:
        """Order of counting: approved first, then start quarter, then code."""
        return (self.approved_on or dt.date.max, self.start_quarter, self.code)


def steady_operation(
    *, completion: int, life_years: float, user_fees: float = 0.0, fund_income: float = 0.0,
    opex: float = 0.0, taxes: float = 0.0, land_linked_share: float = 0.0,
) -> Operation:  # fmt: skip
    """Operation with the same money every year, from completion to the end of its life.

    The first and the last calendar year hold the part of the year in which the project runs.

    Parameters
    ----------
    completion : int
        Ordinal of the first quarter of operation.
    life_years : float
    user_fees, fund_income, opex, taxes : float
        Yuan a year.

    Examples
    --------
    >>> one = steady_operation(completion=4 * 2027 + 2, life_years=1, user_fees=100.0)
    >>> dict(one.user_fees)
    {2027: 50.0, 2028: 50.0}
    """
    end = completion + round(4 * life_years)
    running = {
        year: max(0, min(end, 4 * year + 4) - max(completion, 4 * year)) / 4
        for year in range(completion // 4, (end - 1) // 4 + 1)
    }

    def by_year(amount: float) -> dict[int, float]:
        return {year: amount * share for year, share in running.items()} if amount else {}

    return Operation(
        by_year(user_fees), by_year(fund_income), by_year(opex), by_year(taxes), land_linked_share
    )
