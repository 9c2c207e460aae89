"""Debt service of a project's tranches, and what it does to a government's accounts.

A draw is made at the start of a quarter; interest runs from that quarter, principal falls due on
the anniversaries of the draw. Interest of the construction time is paid, or added to the debt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from debtwatch.screening.project import LEDGER_OF, Draw, Project, Repayment, Tranche

Array = NDArray[np.float64]
LEDGERS = ("general", "special")


@dataclass(frozen=True)
class Service:
    """Yearly debt service, year 1 first.

    Attributes
    ----------
    interest, principal : ndarray, shape (years,)
        Due in each year.
    opening : ndarray, shape (years,)
        Debt at the start of each year.
    """

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
class TrancheFlows:
    """Flows of one tranche by quarter, from the project's first quarter on, yuan.

    Attributes
    ----------
    drawn : ndarray
        New debt at the start of each quarter, capitalised interest included.
    interest : ndarray
        Interest that accrues in each quarter and is paid.
    principal : ndarray
        Principal due at the start of each quarter.
    """

    drawn: Array
    interest: Array
    principal: Array

    @property
    def balance(self) -> Array:
        """Debt after the draws and repayments of each quarter."""
        return np.cumsum(self.drawn - self.principal)


def draw_shares(build_quarters: int, draw: Draw) -> dict[int, float]:
    """Share of a tranche drawn in each quarter, by quarters after the start.

    Examples
    --------
    >>> draw_shares(6, "yearly")
    {0: 0.6666666666666666, 4: 0.3333333333333333}
    """
    if draw == "upfront":
        return {0: 1.0}
    if draw == "quarterly":
        return dict.fromkeys(range(build_quarters), 1 / build_quarters)
    years = range(0, build_quarters, 4)
    return {k: min(4, build_quarters - k) / build_quarters for k in years}


def draws_of(project: Project, tranche: Tranche) -> dict[int, float]:
    """Money drawn from a tranche, by quarters after the project's start."""
    if not tranche.schedule:
        shares = draw_shares(project.build_quarters, tranche.draw)
        return {after: tranche.amount * share for after, share in shares.items()}
    draws: dict[int, float] = {}
    for quarter, amount in tranche.schedule:
        after = quarter - project.start_quarter
        draws[after] = draws.get(after, 0.0) + amount
    return draws


def last_draw(project: Project) -> int:
    """Ordinal of the quarter in which the last government bond is drawn.

    The start of a project that draws none.
    """
    draws = [
        after
        for tranche in project.financing
        if tranche.source in LEDGER_OF and tranche.amount > 0
        for after in draws_of(project, tranche)
    ]
    return project.start_quarter + max(draws, default=0)


def tranche_flows(
    project: Project, tranche: Tranche, quarters: int, *, more: float = 0.0
) -> TrancheFlows:
    """Flows of a tranche over some quarters from the project's start.

    Capitalised interest compounds by quarter at a quarter of the yearly rate until completion:
    ``K (1 + i/4)^(T - k)``; tenor and grace then run from completion.

    Parameters
    ----------
    project : Project
    tranche : Tranche
    quarters : int
    more : float
        Added to the rate.

    Examples
    --------
    >>> loan = Tranche("bank_loan", 100.0, 10, 0, 0.04, draw="quarterly", capitalised=True)
    >>> one = Project("a", "a", "u", 0, 4, 20, 100.0, (loan,))
    >>> round(float(tranche_flows(one, loan, 8).balance[4]), 10)  # IDC of methods 4.2
    102.52512525
    """
    drawn, interest, principal = np.zeros(quarters), np.zeros(quarters), np.zeros(quarters)
    if not tranche.is_debt:
        return TrancheFlows(drawn, interest, principal)
    years, rate = max(1, round(tranche.tenor_years)), tranche.rate + more
    grace = min(round(tranche.grace_years), years - 1)
    own = debt_service(1.0, rate, years, grace=grace, repayment=tranche.repayment)
    by_quarter = np.repeat(own.interest / 4, 4)
    starts: dict[int, float] = {}
    for after, amount in draws_of(project, tranche).items():
        if tranche.capitalised and after < project.build_quarters:
            _grow(drawn, after, amount, rate / 4, until=project.build_quarters)
            total = amount * (1 + rate / 4) ** (project.build_quarters - after)
            starts[project.build_quarters] = starts.get(project.build_quarters, 0.0) + total
        else:
            if 0 <= after < quarters:
                drawn[after] += amount
            starts[after] = starts.get(after, 0.0) + amount
    for start, amount in starts.items():
        _place(interest, start, amount * by_quarter)
        repaid = np.zeros(4 * years + 1)
        repaid[4::4] = amount * own.principal
        _place(principal, start, repaid)
    return TrancheFlows(drawn, interest, principal)


def _grow(drawn: Array, after: int, amount: float, rate: float, *, until: int) -> None:
    """Add a draw and, quarter by quarter, the interest that is added to it."""
    for k in range(after, until + 1):
        if 0 <= k < len(drawn):
            drawn[k] += amount if k == after else amount * (1 + rate) ** (k - after - 1) * rate


def _place(into: Array, start: int, flow: Array) -> None:
    """Add a flow that begins at a position, as far as it lies inside."""
    first, last = max(start, 0), min(start + len(flow), len(into))
    if first < last:
        into[first:last] += flow[first - start : last - start]


def operation_by_quarter(project: Project, yearly: Mapping[int, float], quarters: int) -> Array:
    """Yearly money spread over the quarters in which the project runs, from its start on.

    Parameters
    ----------
    project : Project
    yearly : mapping from calendar year to yuan
    quarters : int
    """
    flow = np.zeros(quarters)
    end = project.completion_quarter + round(4 * project.life_years)
    for year, amount in yearly.items():
        first, last = max(4 * year, project.completion_quarter), min(4 * year + 4, end)
        if last > first:
            begin = first - project.start_quarter
            flow[begin : last - project.start_quarter] += amount / (last - first)
    return flow


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


def project_flows(project: Project, first_quarter: int, quarters: int) -> ProjectFlows:
    """Flows of a project in the quarters ahead.

    What was drawn before the first quarter ahead stands in the accounts already and is not added.

    Parameters
    ----------
    project : Project
    first_quarter : int
        Ordinal of the first quarter ahead.
    quarters : int
    """
    shift = project.start_quarter - first_quarter
    length = max(quarters - shift, 1)
    drawn = {ledger: np.zeros(quarters) for ledger in LEDGERS}
    repaid = {ledger: np.zeros(quarters) for ledger in LEDGERS}
    interest = {ledger: np.zeros(quarters) for ledger in LEDGERS}
    for tranche in project.financing:
        ledger = LEDGER_OF.get(tranche.source)
        if ledger is None or tranche.amount <= 0:
            continue
        ahead = _without_past(project, tranche, -shift)
        flows = tranche_flows(project, ahead, length)
        _place(drawn[ledger], shift, flows.drawn)
        _place(repaid[ledger], shift, flows.principal)
        _place(interest[ledger], shift, flows.interest)
    earned = np.zeros(quarters)
    fund_income = dict(project.operation.fund_income)
    _place(earned, shift, operation_by_quarter(project, fund_income, length))
    return ProjectFlows(
        debt={k: np.cumsum(drawn[k] - repaid[k]) for k in LEDGERS},
        drawn={k: np.cumsum(drawn[k]) for k in LEDGERS},
        interest={k: last_four(interest[k]) for k in LEDGERS},
        fund_income=last_four(earned),
    )


def _without_past(project: Project, tranche: Tranche, past: int) -> Tranche:
    """Leave out the draws of quarters that lie before the first quarter ahead."""
    if past <= 0:
        return tranche
    draws = draws_of(project, tranche)
    kept = tuple((project.start_quarter + k, a) for k, a in draws.items() if k >= past)
    return replace(tranche, schedule=kept or ((project.start_quarter, 0.0),))


def last_four(flow: Array) -> Array:
    """Sum a flow over the quarter and the three before; before the first there is nothing.

    Examples
    --------
    >>> last_four(np.array([1.0, 1.0, 1.0, 1.0, 1.0])).tolist()
    [1.0, 2.0, 3.0, 4.0, 4.0]
    """
    total: Array = np.cumsum(flow)
    before: Array = np.concatenate([np.zeros(min(4, len(flow))), total[:-4]])
    return total - before
