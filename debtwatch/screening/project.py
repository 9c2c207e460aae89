"""A proposed project: what it costs, how it is financed, what it earns.

Debt service follows the tranche: bullet, equal principal or annuity after a grace period. Coverage
compares the project's own cash with that service. Money is in yuan, rates are decimals a year.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Repayment = Literal["bullet", "equal_principal", "annuity"]
Draw = Literal["yearly", "quarterly"]

#: Sources of money that are statutory government debt, and their ledger.
LEDGER_OF = {"general_bond": "general", "special_bond": "special"}
SOURCES = ("fiscal", "grant", "general_bond", "special_bond", "loan")
SUM_TOLERANCE = 0.005
LONGEST_TENOR = 30.0


@dataclass(frozen=True)
class Tranche:
    """One source of a project's money.

    Attributes
    ----------
    source : str
        ``fiscal`` (own budget), ``grant`` (upper level), ``general_bond``, ``special_bond``,
        ``loan`` (bank, not government debt).
    amount : float
        Yuan.
    tenor_years, grace_years : float
    rate : float
        Decimal a year.
    repayment : str
    draw : str
        ``yearly``: in the first quarter of each construction year; ``quarterly``: evenly.
    """

    source: str
    amount: float
    tenor_years: float = 0.0
    grace_years: float = 0.0
    rate: float = 0.0
    repayment: Repayment = "bullet"
    draw: Draw = "yearly"

    @property
    def is_debt(self) -> bool:
        """Whether it has to be repaid."""
        return self.source in {"general_bond", "special_bond", "loan"}


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
    income, fund_income, opex : float
        Yearly, from completion on: fees and sales; income that enters the government fund budget
        (and so capacity); running cost.
    approved_on : date or None
        Approved projects are counted before proposed ones.
    illustrative : str
        ``""`` for a real proposal, ``illustrative`` or ``synthetic`` for an invented one.
    """

    code: str
    name: str
    unit: str
    start_quarter: int
    build_quarters: int
    life_years: float
    total_investment: float
    financing: tuple[Tranche, ...]
    sector: str = ""
    purpose: str = ""
    nature: str = ""
    income: float = 0.0
    fund_income: float = 0.0
    opex: float = 0.0
    approved_on: dt.date | None = None
    illustrative: str = ""
    place: str = field(default="", compare=False)

    @property
    def public_debt(self) -> float:
        """Bonds of the government, yuan."""
        return sum(t.amount for t in self.financing if t.source in LEDGER_OF)

    def order(self) -> tuple[dt.date, int, str]:
        """Order of counting: approved first, then start quarter, then code."""
        return (self.approved_on or dt.date.max, self.start_quarter, self.code)


@dataclass(frozen=True)
class Service:
    """Yearly debt service of a tranche, year 1 first."""

    interest: Array
    principal: Array
    opening: Array

    @property
    def total(self) -> Array:
        """Interest and principal."""
        return self.interest + self.principal


def debt_service(
    amount: float, rate: float, years: int, *, grace: int = 0, repayment: Repayment = "bullet"
) -> Service:
    """Yearly debt service of an amount outstanding from the start of year 1.

    bullet: ``A i`` a year, ``A`` at the end. equal principal: ``A / (n - m)`` in years m+1..n,
    interest on the opening balance. annuity: after the grace, ``A i / (1 - (1 + i)^-(n - m))`` a
    year.

    Parameters
    ----------
    amount : float
        Yuan.
    rate : float
        Decimal a year.
    years : int
        Tenor n.
    grace : int
        Years m without principal.
    repayment : {"bullet", "equal_principal", "annuity"}

    Examples
    --------
    >>> service = debt_service(84_000, 0.026, 15, grace=5, repayment="equal_principal")
    >>> round(float(service.total.sum()), 3)
    106932.0
    """
    principal = np.zeros(years)
    paying = years - grace
    if repayment == "bullet":
        principal[-1] = amount
    elif repayment == "equal_principal":
        principal[grace:] = amount / paying
    else:
        # expm1 keeps the digits of a rate near nothing.
        share = rate / -math.expm1(-paying * math.log1p(rate)) if rate > 0 else 1 / paying
        level = amount * share
        balance = amount
        for year in range(grace, years):
            principal[year] = level - balance * rate
            balance -= principal[year]
    opening = amount - (np.cumsum(principal) - principal)
    return Service(opening * rate, principal, opening)


@dataclass(frozen=True)
class Coverage:
    """How far a project pays its own debt.

    Attributes
    ----------
    coverage : float
        Net revenue over the life of the debt / (principal + interest), undiscounted.
    minimum_dscr : float
        Smallest yearly net / service in years with principal due.
    llcr : float
        Present value of net revenue at the debt's rate / debt.
    top_ups : ndarray
        ``max(0, service - max(net, 0))`` of each year, for the fund budget to pay.
    """

    coverage: float
    minimum_dscr: float
    llcr: float
    top_ups: Array


def coverage(net: Sequence[float], service: Service, rate: float) -> Coverage:
    """Coverage of a debt by a project's yearly net revenue.

    Parameters
    ----------
    net : sequence of float
        Income less running cost and taxes of each year of the debt's life.
    service : Service
    rate : float
        Discount rate of the LLCR: the debt's own rate.

    Examples
    --------
    >>> net = [0.0] * 3 + [5_500.0, 6_900.0] + [9_700.0] * 10
    >>> one = coverage(net, debt_service(84_000, 0.026, 15, grace=5,
    ...                repayment="equal_principal"), 0.026)
    >>> round(one.coverage, 3), round(one.minimum_dscr, 3), round(one.llcr, 3)
    (1.023, 0.916, 1.016)
    >>> int((one.top_ups > 0).sum()), round(float(one.top_ups.sum()))
    (8, 8788)
    """
    cash = np.asarray(net, dtype=np.float64)
    paying = service.principal > 0
    discounted = cash / (1 + rate) ** np.arange(1, len(cash) + 1)
    return Coverage(
        coverage=float(cash.sum() / service.total.sum()),
        minimum_dscr=float((cash[paying] / service.total[paying]).min()),
        llcr=float(discounted.sum() / service.opening[0]),
        top_ups=np.maximum(service.total - np.maximum(cash, 0.0), 0.0),
    )


def net_present_value(flows: Sequence[float], rate: float) -> float:
    """Present value of flows at the end of years 1, 2, ...

    Examples
    --------
    >>> flows = [-60_000.0, -60_000.0, 0.0, 5_500.0, 6_900.0] + [9_700.0] * 10
    >>> round(net_present_value(flows, 0.05))
    -42947
    """
    cash = np.asarray(flows, dtype=np.float64)
    return float((cash / (1 + rate) ** np.arange(1, len(cash) + 1)).sum())


def project_coverage(project: Project) -> Coverage | None:
    """Coverage of all of a project's debt over its longest tenor; None without debt."""
    debts = [t for t in project.financing if t.is_debt and t.amount > 0]
    if not debts:
        return None
    years = round(max(t.tenor_years for t in debts))
    interest, principal, opening = np.zeros(years), np.zeros(years), np.zeros(years)
    for tranche in debts:
        n = round(tranche.tenor_years)
        own = _tranche_service(tranche, tranche.amount)
        interest[:n] += own.interest
        principal[:n] += own.principal
        opening[:n] += own.opening
    first_year = -(-project.build_quarters // 4)  # income begins in the year after completion
    net = np.zeros(years)
    last_year = first_year + round(project.life_years)  # nothing is earned beyond its life
    net[first_year:last_year] = project.income + project.fund_income - project.opex
    rate = sum(t.amount * t.rate for t in debts) / sum(t.amount for t in debts)
    return coverage(net.tolist(), Service(interest, principal, opening), rate)


def _tranche_service(tranche: Tranche, amount: float) -> Service:
    """Debt service of an amount on a tranche's terms."""
    return debt_service(
        amount,
        tranche.rate,
        round(tranche.tenor_years),
        grace=round(tranche.grace_years),
        repayment=tranche.repayment,
    )


@dataclass(frozen=True)
class ProjectFlows:
    """What a project does to a government's accounts, arrays of shape (quarters ahead,), yuan.

    Attributes
    ----------
    debt : dict from ledger to ndarray
        Bonds drawn less principal repaid, cumulative.
    drawn : dict from ledger to ndarray
        Bonds drawn, cumulative.
    interest : dict from ledger to ndarray
        Interest over four quarters.
    fund_income : ndarray
        Income entering the fund budget, over four quarters.
    """

    debt: dict[str, Array]
    drawn: dict[str, Array]
    interest: dict[str, Array]
    fund_income: Array


def draw_shares(project: Project, draw: Draw) -> dict[int, float]:
    """Share of a tranche drawn in each quarter, by quarters after the start."""
    build = project.build_quarters
    if draw == "quarterly":
        return dict.fromkeys(range(build), 1 / build)
    years = range(0, build, 4)
    return {k: min(4, build - k) / build for k in years}


def project_flows(project: Project, first_quarter: int, quarters: int) -> ProjectFlows:
    """Flows of a project in the quarters ahead.

    A tranche is drawn at the start of a quarter; its interest runs from that quarter, its principal
    falls due on the anniversaries of the draw.

    Parameters
    ----------
    project : Project
    first_quarter : int
        Ordinal of the first quarter ahead.
    quarters : int
    """
    ledgers = ("general", "special")
    drawn = {ledger: np.zeros(quarters) for ledger in ledgers}
    repaid = {ledger: np.zeros(quarters) for ledger in ledgers}
    interest = {ledger: np.zeros(quarters) for ledger in ledgers}
    for tranche in project.financing:
        ledger = LEDGER_OF.get(tranche.source)
        if ledger is None or tranche.amount <= 0:
            continue
        own = _tranche_service(tranche, 1.0)
        for after, share in draw_shares(project, tranche.draw).items():
            start = project.start_quarter + after - first_quarter
            draw = _draw_flows(own, tranche.amount * share, start, quarters)
            drawn[ledger] += draw.drawn
            repaid[ledger] += draw.repaid
            interest[ledger] += draw.interest
    done = project.start_quarter + project.build_quarters - first_quarter
    earned = np.where(np.arange(quarters) >= done, project.fund_income / 4, 0.0)
    return ProjectFlows(
        debt={k: np.cumsum(drawn[k] - repaid[k]) for k in ledgers},
        drawn={k: np.cumsum(drawn[k]) for k in ledgers},
        interest={k: _last_four(interest[k]) for k in ledgers},
        fund_income=_last_four(earned),
    )


@dataclass(frozen=True)
class _DrawFlows:
    """What one draw brings in and costs in each quarter ahead."""

    drawn: Array
    repaid: Array
    interest: Array


def _draw_flows(own: Service, amount: float, start: int, quarters: int) -> _DrawFlows:
    drawn, repaid, interest = np.zeros(quarters), np.zeros(quarters), np.zeros(quarters)
    for k in range(max(start, 0), quarters):
        year = (k - start) // 4
        if year < len(own.interest):
            interest[k] += amount * own.interest[year] / 4
        if k > start and (k - start) % 4 == 0 and year <= len(own.principal):
            repaid[k] += amount * own.principal[year - 1]
    if start < quarters:
        drawn[max(start, 0)] += amount
    return _DrawFlows(drawn, repaid, interest)


def _last_four(flow: Array) -> Array:
    total: Array = np.cumsum(flow)
    before: Array = np.concatenate([np.zeros(min(4, len(flow))), total[:-4]])
    return total - before
