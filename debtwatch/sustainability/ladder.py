"""Debt service by maturity: principal and interest of the debt that exists, quarter by quarter.

Three forms: the repayment profile of one loan by period, the ladder of a bond list, and the
synthetic ladder of a government that reports a balance only. What a list repays is in whole cents,
so that balances and payments agree exactly. What replaces the debt that falls due is in
:mod:`debtwatch.sustainability.refinancing`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.panel.defaults import Shares
from debtwatch.panel.numbers import LARGEST

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Repayment = Literal["bullet", "equal_principal", "annuity"]
Verdict = Literal["agrees", "short", "over", "unknown"]

#: How a listed bond may repay: the three profiles, and equal principal on every coupon date.
LISTED_REPAYMENTS = ("bullet", "equal_principal", "equal_principal_coupon", "annuity")
#: A bond list stands for a balance when it differs by no more than this share of it.
SUM_TOLERANCE = 0.005
_LAST_QUARTER = 4 * 9999.0  # later maturities are slips of the pen


@dataclass(frozen=True)
class Profile:
    """Debt service of one loan, arrays of shape (periods,), yuan.

    Attributes
    ----------
    interest, principal : ndarray
        Due at the end of each period.
    opening : ndarray
        Balance at the start of each period.
    """

    interest: Array
    principal: Array
    opening: Array

    @property
    def total(self) -> Array:
        """Interest and principal: the debt service."""
        return self.interest + self.principal


def service_profile(
    principal: float,
    rate_per_period: float,
    periods: int,
    grace: int = 0,
    repayment: Repayment = "bullet",
) -> Profile:
    """Debt service of a loan outstanding from the start of period 1.

    With principal ``P``, rate ``i``, ``n`` periods and ``m = n - grace`` periods of repayment, the
    balance after ``j`` of the ``m`` repayments is::

        bullet           P, and 0 after period n
        equal principal  P (m - j) / m
        annuity          P (1 - (1+i)^-(m-j)) / (1 - (1+i)^-m)

    Interest is ``i`` times the opening balance. The annuity pays ``P i / (1 - (1+i)^-m)`` a period.

    Parameters
    ----------
    principal : float
        Yuan.
    rate_per_period : float
        Decimal a period: a quarter of the yearly rate for quarters.
    periods : int
        Tenor ``n``.
    grace : int
        Periods at the start that pay interest only; without effect on a bullet.
    repayment : {"bullet", "equal_principal", "annuity"}

    Raises
    ------
    ModelProblem
        When the terms describe no loan.

    Examples
    --------
    >>> loan = service_profile(100.0, 0.01, 40, repayment="annuity")
    >>> round(float(loan.total[0]), 8), round(float(loan.interest.sum()), 8)
    (3.0455598, 21.82239191)
    >>> float(service_profile(100.0, 0.015, 20).total.sum())
    130.0
    """
    if repayment not in get_args(Repayment):
        raise ModelProblem(N_("No kind of repayment is called {repayment}."), repayment=repayment)
    if periods < 1 or not 0 <= grace < periods:
        raise ModelProblem(
            N_("A loan of {periods} periods cannot have a grace of {grace} periods."),
            periods=periods,
            grace=grace,
        )
    if not (math.isfinite(principal + rate_per_period) and min(principal, rate_per_period) >= 0):
        raise ModelProblem(
            N_("A loan of {principal} at a rate of {rate} has no debt service."),
            principal=principal,
            rate=rate_per_period,
        )
    dates = 1 if repayment == "bullet" else periods - grace
    left = np.clip(periods - np.arange(periods + 1), 0, dates)
    rate = rate_per_period if repayment == "annuity" else 0.0
    balance = principal * _outstanding(left, np.array(dates), np.array(rate))
    return Profile(balance[:-1] * rate_per_period, -np.diff(balance) + 0.0, balance[:-1])


def capitalised_balance(draws: Sequence[float], rate_per_period: float) -> float:
    """Debt at the end of construction when interest is added to it instead of paid.

    ``sum_k K_k (1 + i)^(T - k)``, a draw ``K_k`` at the start of each period ``k = 0 .. T-1``. The
    interest during construction is this less the sum of the draws.

    Examples
    --------
    >>> round(capitalised_balance([25.0] * 4, 0.01), 8)
    102.52512525
    """
    drawn = np.asarray(draws, dtype=np.float64)
    return float((drawn * (1 + rate_per_period) ** np.arange(len(drawn), 0, -1)).sum())


@dataclass(frozen=True)
class Finding:
    """A bond of a list that cannot be used as it stands.

    Attributes
    ----------
    row : int
        Position in the list, from 0.
    reason : str
        ``principal``, ``coupon``, ``frequency``, ``maturity`` or ``repayment``: not readable, the
        bond is left out. ``matured``: repaid before the first quarter, left out. ``first_coupon``:
        after maturity or not on the grid of coupons, not used. ``first_principal``: after maturity,
        the bond is taken as a bullet.
    """

    row: int
    reason: str


@dataclass(frozen=True)
class Ladder:
    """Service of the existing debt of some units, arrays of shape (units, quarters), yuan.

    Attributes
    ----------
    principal : ndarray
        Principal due in each quarter ahead.
    interest : ndarray
        Interest due in cash in each quarter ahead.
    synthetic : ndarray of bool, shape (units,)
        Whether the ladder is assumed instead of listed. Amounts of a listed one are whole cents.
    accrued : ndarray
        Interest that accrues in each quarter, paid or not: ``coupon / 4 * opening``.
    opening : ndarray
        Balance of the existing debt at the start of each quarter.
    findings : tuple of Finding
        Bonds of a list that were left out or read otherwise.
    """

    principal: Array
    interest: Array
    synthetic: NDArray[np.bool_]
    accrued: Array
    opening: Array
    findings: tuple[Finding, ...] = ()


def synthetic_ladder(
    balance: Array, rate: Array, tenor: Array, *, shares: Shares, first_quarter: int, quarters: int
) -> Ladder:
    """Even ladder: the balance falls due over the tenor, in the seasonal pattern of a year.

    A stock built up by equal yearly issues of ``T`` years has its maturities spread evenly over the
    next ``T`` years, so that ``balance / T`` falls due a year (average remaining maturity ``T/2``).
    Interest accrues at one rate and is taken as paid when it accrues: ``rate / 4 * opening``.

    Parameters
    ----------
    balance : ndarray, shape (units,)
        Debt at the start, yuan. NaN, or below zero, leaves the unit's row NaN: nothing is guessed.
    rate : ndarray, shape (units,)
        Interest a year, decimal. NaN leaves the interest NaN unless there is no debt.
    tenor : ndarray, shape (units,)
        Tenor at issue, years. NaN, or not above zero, leaves the row NaN.
    shares : four floats
        Share of a year's maturities in each quarter.
    first_quarter : int
        Ordinal of the first quarter ahead.
    quarters : int

    Examples
    --------
    >>> one = synthetic_ladder(np.array([100.0]), np.array([0.04]), np.array([10.0]),
    ...     shares=(0.25, 0.25, 0.25, 0.25), first_quarter=8100, quarters=2)
    >>> one.principal.tolist(), one.interest.tolist()
    ([[2.5, 2.5]], [[1.0, 0.975]])
    """
    known = np.isfinite(balance) & (balance >= 0) & np.isfinite(tenor) & (tenor > 0)
    owed, years = np.where(known, balance, np.nan), np.where(known, tenor, 1.0)
    season = np.array([shares[(first_quarter + k) % 4] for k in range(quarters)])
    # Rounding must not turn the last instalment of a repaid balance below zero.
    spent = np.minimum(np.cumsum(season)[None, :] / years[:, None], 1.0)
    closing = owed[:, None] * (1.0 - spent)
    opening = np.concatenate([owed[:, None], closing], axis=1)[:, :quarters]
    cost = np.where(opening == 0, 0.0, rate[:, None]) / 4 * opening
    due = opening - closing
    return Ladder(due, cost, np.ones(len(balance), dtype=bool), cost.copy(), opening)


def listed_ladder(
    bonds: pd.DataFrame, first_quarter: int, quarters: int, *, units: Sequence[str] | None = None
) -> Ladder:
    """Ladder of listed bonds: the sum of :func:`bond_flows` by unit.

    Parameters
    ----------
    bonds : DataFrame
        See :func:`bond_flows`; with ``units``, a column ``unit`` as well.
    first_quarter, quarters : int
    units : sequence of str, optional
        Codes of the rows wanted; a unit without a usable bond has a row of zeros, bonds of other
        units are left out. All bonds are one unit's when not given.

    Examples
    --------
    >>> bonds = pd.DataFrame({"principal": [100.0, 60.0], "coupon": [0.03, 0.02],
    ...     "frequency": [2, 1], "maturity": [8103, 8102], "repayment": ["bullet", "bullet"]})
    >>> ladder = listed_ladder(bonds, 8100, 4)
    >>> ladder.principal.tolist(), ladder.interest.tolist()
    ([[0.0, 0.0, 60.0, 100.0]], [[0.0, 1.5, 1.2, 1.5]])
    >>> ladder.accrued.round(4).tolist(), ladder.opening.tolist()
    ([[1.05, 1.05, 1.05, 0.75]], [[160.0, 160.0, 160.0, 100.0]])
    """
    flows = bond_flows(bonds, first_quarter, quarters)
    rows, count = np.zeros(len(bonds), dtype=np.intp), 1
    if units is not None:
        rows, count = pd.Index(units).get_indexer(pd.Index(bonds["unit"].astype(str))), len(units)

    def by_unit(flow: Array) -> Array:
        total = np.zeros((count, quarters))
        np.add.at(total, rows[rows >= 0], flow[rows >= 0])
        return total

    return Ladder(
        principal=by_unit(flows.principal).round(2),
        interest=by_unit(flows.interest).round(2),
        synthetic=np.zeros(count, dtype=bool),
        accrued=by_unit(flows.accrued),
        opening=by_unit(flows.opening).round(2),
        findings=flows.findings,
    )


def bond_ladder(bonds: pd.DataFrame, first_quarter: int, quarters: int) -> tuple[Array, Array]:
    """Principal and cash interest of one unit's listed bonds.

    Parameters
    ----------
    bonds : DataFrame
        See :func:`bond_flows`.
    first_quarter, quarters : int

    Returns
    -------
    principal, interest : ndarray, shape (quarters,)

    Examples
    --------
    >>> bonds = pd.DataFrame({"principal": [100.0], "coupon": [0.03], "frequency": [1],
    ...     "maturity": [8107], "repayment": ["bullet"]})
    >>> principal, interest = bond_ladder(bonds, 8100, 8)
    >>> principal.tolist()
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 100.0]
    >>> interest.tolist()
    [0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 3.0]
    """
    ladder = listed_ladder(bonds, first_quarter, quarters)
    return ladder.principal[0], ladder.interest[0]


def bond_flows(bonds: pd.DataFrame, first_quarter: int, quarters: int) -> Ladder:
    """Service of each bond of a list in the quarters ahead: a ladder with one row a bond.

    With balance ``B`` at the start of a quarter, coupon ``c`` and ``f`` coupons a year::

        cash interest     B c / f on a coupon date, otherwise 0
        accrued interest  B c / 4
        balance           B(t) = B(t-1) - principal(t), in whole cents

    Coupons fall on maturity and every ``4 / f`` quarters before it. Each balance is rounded to the
    cent and principal is the change of it, so that all of it is repaid and no instalment is below
    zero.

    Parameters
    ----------
    bonds : DataFrame
        Columns ``principal`` (balance now, yuan), ``coupon`` (decimal a year), ``frequency`` (1, 2
        or 4 a year), ``maturity`` (ordinal of the quarter of repayment), ``repayment``: ``bullet``,
        ``equal_principal`` (yearly on the anniversary of maturity), ``equal_principal_coupon`` and
        ``annuity`` (on every coupon date). Optional: ``first_coupon``, ordinal of the first coupon
        of a new bond, whose interest runs from one coupon period before it; ``first_principal``,
        ordinal before which no principal falls due (grace). An uneven schedule is listed as one
        bullet for each instalment.
    first_quarter, quarters : int

    Returns
    -------
    Ladder
        A bond that cannot be used has a row of zeros and is among the findings.
    """
    terms, findings = _terms(bonds, first_quarter)
    t = first_quarter + np.arange(quarters + 1)[None, :] - 1  # with the quarter before the first
    step, mature = 4 // terms.frequency[:, None], terms.maturity[:, None]
    gap = np.where(terms.yearly[:, None], 4, step)
    dates = np.where(terms.bullet[:, None], 1, (mature - terms.start[:, None]) // gap + 1)
    left = np.clip(-((t - mature) // gap), 0, dates)
    level = np.where(terms.annuity, terms.coupon / terms.frequency, 0.0)[:, None]
    balance = (terms.balance[:, None] * _outstanding(left, dates, level)).round(2)
    opening, due = balance[:, :-1], -np.diff(balance, axis=1).round(2) + 0.0  # no -0.0
    t, coupon = t[:, 1:], terms.coupon[:, None]
    first = terms.first_coupon[:, None]
    on_coupon = (t <= mature) & ((mature - t) % step == 0) & (t >= first)
    cash = np.where(on_coupon, opening * coupon / terms.frequency[:, None], 0.0).round(2)
    accrued = np.where(t > first - step, opening * coupon / 4, 0.0)
    return Ladder(due, cash, np.zeros(len(bonds), dtype=bool), accrued, opening, findings)


@dataclass(frozen=True)
class _Terms:
    """Terms of the bonds of a list, shape (bonds,); balance 0 for one that cannot be used."""

    balance: Array
    coupon: Array
    frequency: Integers
    maturity: Integers
    first_coupon: Integers
    start: Integers
    bullet: NDArray[np.bool_]
    yearly: NDArray[np.bool_]
    annuity: NDArray[np.bool_]


def _terms(bonds: pd.DataFrame, first_quarter: int) -> tuple[_Terms, tuple[Finding, ...]]:
    """Terms by column, and what is wrong with them."""
    principal, coupon = _column(bonds, "principal"), _column(bonds, "coupon")
    frequency, maturity = _column(bonds, "frequency"), _column(bonds, "maturity")
    repayment = bonds["repayment"].astype(str).to_numpy()
    dated = (maturity >= 0) & (maturity <= _LAST_QUARTER)
    bad = {
        "principal": ~((principal >= 0) & (principal < LARGEST)),
        "coupon": ~((coupon >= 0) & (coupon < 1)),
        "frequency": ~np.isin(frequency, (1, 2, 4)),
        "maturity": ~dated,
        "repayment": ~np.isin(repayment, LISTED_REPAYMENTS),
        "matured": dated & (maturity < first_quarter),
    }
    unusable = np.logical_or.reduce(list(bad.values()))
    mature = np.where(unusable, first_quarter, maturity).astype(np.int64)
    often = np.where(unusable, 1, frequency).astype(np.int64)
    coupons, started = _column(bonds, "first_coupon"), _column(bonds, "first_principal")
    off = ~np.isnan(coupons) & ((coupons > mature) | ((mature - coupons) % (4 // often) != 0))
    late = ~np.isnan(started) & (started > mature)
    bad |= {"first_coupon": off & ~unusable, "first_principal": late & ~unusable}
    # A coupon a year before the first quarter holds nothing back.
    first = np.where(off | unusable | np.isnan(coupons), 0.0, coupons)
    first = np.maximum(first, first_quarter - 4)
    start = np.maximum(np.where(np.isnan(started), first_quarter, started), first_quarter)
    terms = _Terms(
        balance=np.where(unusable, 0.0, principal).round(2),
        coupon=np.where(unusable, 0.0, coupon),
        frequency=often,
        maturity=mature,
        first_coupon=first.astype(np.int64),
        start=np.minimum(np.maximum(start, first), mature).astype(np.int64),
        bullet=(repayment == "bullet") | unusable,
        yearly=repayment == "equal_principal",
        annuity=(repayment == "annuity") & ~unusable,
    )
    found = [Finding(int(row), name) for name, rows in bad.items() for row in np.flatnonzero(rows)]
    return terms, tuple(sorted(found, key=lambda one: (one.row, one.reason)))


def _column(bonds: pd.DataFrame, name: str) -> Array:
    if name not in bonds:
        return np.full(len(bonds), np.nan)
    numbers = np.asarray(pd.to_numeric(bonds[name], errors="coerce"), dtype=np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _outstanding(left: Integers, dates: Integers, rate: Array) -> Array:
    """Share still owed when ``left`` of ``dates`` level payments remain; equal parts at rate 0."""
    growth = np.log1p(rate)
    # expm1 keeps the digits of a rate near nothing.
    ahead = np.where(growth > 0, -np.expm1(-left * growth), left)
    whole = np.where(growth > 0, -np.expm1(-dates * growth), dates)
    share: Array = ahead / whole
    return share


@dataclass(frozen=True)
class SumCheck:
    """How far a bond list is from the balance it should explain.

    Attributes
    ----------
    difference : float
        Listed less reported, yuan; NaN when either is unknown.
    share : float
        Difference / balance; NaN when unknown or when there is no balance.
    verdict : {"agrees", "short", "over", "unknown"}
        ``short`` when bonds seem to be missing from the list, ``over`` when it holds too many.
    """

    difference: float
    share: float
    verdict: Verdict


def check_sum(listed: float, balance: float, tolerance: float = SUM_TOLERANCE) -> SumCheck:
    """Compare the sum of a bond list with the reported balance.

    Agrees when ``|listed - balance| <= tolerance * balance``. Never an error: an amount that is
    missing or below zero makes the verdict ``unknown``.

    Examples
    --------
    >>> check_sum(99.6, 100.0).verdict, check_sum(98.0, 100.0)
    ('agrees', SumCheck(difference=-2.0, share=-0.02, verdict='short'))
    """
    if not (math.isfinite(listed) and math.isfinite(balance) and min(listed, balance) >= 0):
        return SumCheck(math.nan, math.nan, "unknown")
    difference = listed - balance
    share = difference / balance if balance > 0 else math.nan
    if abs(difference) <= tolerance * balance:
        return SumCheck(difference, share, "agrees")
    return SumCheck(difference, share, "short" if difference < 0 else "over")
