"""Annual financing: a short-term and a long-term class of debt, what falls due, what it costs.

Money in any one unit; a year's flows follow from the stocks at the end of the year before::

    repayment_t = S_(t-1) + m_t L_(t-1) + other_t
    interest_t  = S_(t-1) s_t + L_(t-1) l_t
    need_t      = interest_t + repayment_t - pb_t + sf_t
    D_t         = D_(t-1) - repayment_t + need_t
    l_t         = b_(t-1) market_t + (1 - b_(t-1)) l_(t-1)

S and L are short-term and long-term debt, D their sum, m the share of long-term debt that
matures, s the rate paid on short-term debt, l the implicit rate of long-term debt and b the share
of long-term debt that was issued in its year.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.sustainability.annual import (
    Array,
    as_finite,
    leading_shape,
    on_years,
    project_ratio,
)

UNITS = "debt_short, debt_long, long_rate, new_long_share and the yearly inputs"


@dataclass(frozen=True)
class Financing:
    """Stocks, flows and rates of the years ahead, arrays of shape (..., years).

    Attributes
    ----------
    debt_short, debt_long : ndarray
        Debt at the end of the year, money.
    repayment_short, repayment_long, repayment_other : ndarray
        Principal that falls due in the year, money.
    interest_short, interest_long : ndarray
        Interest paid in the year, money.
    gross_need : ndarray
        Gross financing need, money. Not floored: below zero is money left over.
    new_long : ndarray
        Long-term debt issued in the year, money; below zero is a buy-back.
    new_long_share : ndarray
        Share of long-term debt at the end of the year that was issued in it, 0 to 1.
    long_rate : ndarray
        Implicit rate of long-term debt, a year.
    implicit_rate : ndarray
        Rate of all debt: last year's short share times the short rate, plus the rest times the
        implicit long-term rate.
    """

    debt_short: Array
    debt_long: Array
    repayment_short: Array
    repayment_long: Array
    repayment_other: Array
    interest_short: Array
    interest_long: Array
    gross_need: Array
    new_long: Array
    new_long_share: Array
    long_rate: Array
    implicit_rate: Array

    @property
    def debt(self) -> Array:
        """All debt at the end of the year."""
        return self.debt_short + self.debt_long

    @property
    def repayment(self) -> Array:
        """All principal that falls due."""
        return self.repayment_short + self.repayment_long + self.repayment_other

    @property
    def interest(self) -> Array:
        """All interest paid."""
        return self.interest_short + self.interest_long


@dataclass(frozen=True)
class _Inputs:
    """Paths laid on the years, arrays of shape (..., years)."""

    balance: Array
    short_rate: Array
    short_rate_paid: Array
    market_rate: Array
    maturing: Array
    stock_flow: Array
    other: Array
    short_share: Array


def _shares_in_range(**shares: Array) -> None:
    for name, share in shares.items():
        if np.any((share < 0.0) | (share > 1.0)):
            raise ModelProblem(
                N_("{name} must lie between 0 and 1 (found {low} to {high})."),
                name=name,
                low=f"{share.min():.4g}",
                high=f"{share.max():.4g}",
            )


def _year(
    x: _Inputs, t: int, *, short: Array, long: Array, old_rate: Array, issued: Array
) -> dict[str, Array]:
    """One year of the recursion; every array has the shape of the units."""
    rate = issued * x.market_rate[..., t] + (1.0 - issued) * old_rate
    due_long = x.maturing[..., t] * long
    paid_short, paid_long = short * x.short_rate_paid[..., t], long * rate
    repayment = short + due_long + x.other[..., t]
    need = paid_short + paid_long + repayment - x.balance[..., t] + x.stock_flow[..., t]
    before = short + long
    total = before - repayment + need
    weight = np.divide(short, before, out=np.zeros_like(before), where=before != 0.0)
    next_short = x.short_share[..., t] * total
    next_long = total - next_short
    new_long = next_long - long + due_long
    fresh = np.divide(new_long, next_long, out=np.ones_like(next_long), where=next_long > 0.0)
    return {
        "debt_short": next_short,
        "debt_long": next_long,
        "repayment_short": short,
        "repayment_long": due_long,
        "repayment_other": x.other[..., t],
        "interest_short": paid_short,
        "interest_long": paid_long,
        "gross_need": need,
        "new_long": new_long,
        # A year of buy-backs issues nothing at the market rate.
        "new_long_share": np.clip(fresh, 0.0, 1.0),
        "long_rate": rate,
        "implicit_rate": weight * x.short_rate[..., t] + (1.0 - weight) * rate,
    }


def financing(
    debt_short: ArrayLike,
    debt_long: ArrayLike,
    primary_balance: ArrayLike,
    *,
    short_rate: ArrayLike,
    market_long_rate: ArrayLike,
    long_rate: ArrayLike,
    new_long_share: ArrayLike,
    maturing_share: ArrayLike,
    short_share: ArrayLike | None = None,
    short_rate_paid: ArrayLike | None = None,
    stock_flow: ArrayLike = 0.0,
    other_repayment: ArrayLike = 0.0,
    years: int | None = None,
) -> Financing:
    """Roll short-term and long-term debt forward and give the gross financing need.

    The equations stand at the head of this module.

    Parameters
    ----------
    debt_short, debt_long : array_like
        Debt at the start, money, shape () or (units...).
    primary_balance, stock_flow, other_repayment : array_like
        Money a year: a surplus is positive; an adjustment raises debt; principal due outside the
        two classes, which is refinanced. Shape (), (years,) or (units..., years).
    short_rate, market_long_rate : array_like
        Rates of debt issued in the year, decimals; shapes as above.
    long_rate : array_like
        Implicit rate of long-term debt in the starting year, decimals, shape () or (units...).
    new_long_share : array_like
        Share of the starting long-term debt issued in the starting year, shape () or (units...).
        With 1 the first year's market rate applies to all of it.
    maturing_share : array_like
        Share of last year's long-term debt that falls due in the year.
    short_share : array_like, optional
        Share of short-term debt at the end of each year; by default that of the start.
    short_rate_paid : array_like, optional
        Rate paid in the year on short-term debt carried into it; by default ``short_rate``. Give
        the rate of the year before where bills pay the rate at which they were issued.
    years : int, optional
        Number of years; needed only where every path is a single number.

    Returns
    -------
    Financing
        The years ahead, shape (..., years).

    Raises
    ------
    ModelProblem
        When a share lies outside 0 to 1, there is no debt to take the short share from, an input
        is missing, or lengths differ.

    Notes
    -----
    The two-class ladder of the European Commission's Debt Sustainability Monitor, without a floor
    under the financing need.

    Examples
    --------
    >>> f = financing(10.0, 90.0, [1.0, 1.0], short_rate=0.02, market_long_rate=0.04,
    ...     long_rate=0.03, new_long_share=0.1, maturing_share=0.1)
    >>> f.gross_need.round(4), f.debt.round(4), f.long_rate.round(5)
    (array([20.99  , 21.5247]), array([101.99  , 104.1366]), array([0.031  , 0.03206]))
    """
    short, long = as_finite("debt_short", debt_short), as_finite("debt_long", debt_long)
    rate, issued = as_finite("long_rate", long_rate), as_finite("new_long_share", new_long_share)
    paths = on_years(
        years,
        primary_balance=primary_balance,
        short_rate=short_rate,
        short_rate_paid=short_rate if short_rate_paid is None else short_rate_paid,
        market_long_rate=market_long_rate,
        maturing_share=maturing_share,
        stock_flow=stock_flow,
        other_repayment=other_repayment,
        short_share=0.0 if short_share is None else short_share,
    )
    if short_share is None:
        paths[-1] = _starting_share(short, long)[..., None]
    x = _Inputs(*paths)
    _shares_in_range(new_long_share=issued, maturing_share=x.maturing, short_share=x.short_share)
    return _roll(x, short, long, rate, issued)


def _starting_share(short: Array, long: Array) -> Array:
    leading_shape("debt_short, debt_long", short.shape, long.shape)
    total = np.asarray(short + long)
    if np.any(total == 0.0):
        raise ModelProblem(
            N_("There is no debt at the start to take the short share from. Give short_share.")
        )
    return np.asarray(short / total)


def _roll(x: _Inputs, short: Array, long: Array, rate: Array, issued: Array) -> Financing:
    """Run the years one after another and lay them side by side."""
    years = x.balance.shape[-1]
    x = _Inputs(**{k: np.broadcast_to(v, (*v.shape[:-1], years)) for k, v in vars(x).items()})
    units = [a.shape for a in (short, long, rate, issued)]
    lead = leading_shape(UNITS, *units, *(p.shape[:-1] for p in vars(x).values()))
    short, long, rate, issued = (np.broadcast_to(a, lead) for a in (short, long, rate, issued))
    rows: list[dict[str, Array]] = []
    for t in range(years):
        row = _year(x, t, short=short, long=long, old_rate=rate, issued=issued)
        short, long = row["debt_short"], row["debt_long"]
        rate, issued = row["long_rate"], row["new_long_share"]
        rows.append(row)
    stacked = {
        k: np.stack([np.broadcast_to(row[k], lead) for row in rows], axis=-1) for k in rows[0]
    }
    return Financing(**{k: as_finite(k, v) for k, v in stacked.items()})


def gross_need_ratio(
    debt_ratio: ArrayLike,
    growth: ArrayLike,
    interest_rate: ArrayLike,
    primary_balance: ArrayLike,
    maturing: ArrayLike,
    *,
    stock_flow: ArrayLike = 0.0,
    years: int | None = None,
) -> Array:
    """Gross financing need as a share of the denominator, from ratios alone.

    ``need_t = i_t d_(t-1) / (1 + g_t) + maturing_t - pb_t + sf_t`` along :func:`project_ratio`.
    Last year's debt is divided by this year's denominator: without it interest is overstated as
    long as the denominator grows.

    Parameters
    ----------
    debt_ratio, growth, interest_rate, primary_balance, stock_flow, years
        As in :func:`debtwatch.sustainability.annual.project_ratio`.
    maturing : array_like
        Principal due in the year as a share of the year's denominator, shape (), (years,) or
        (..., years).

    Returns
    -------
    ndarray
        Years ahead, shape (..., years).

    Raises
    ------
    ModelProblem
        As :func:`debtwatch.sustainability.annual.project_ratio`.

    Examples
    --------
    >>> gross_need_ratio(0.90, 0.03, 0.04, 0.01, [0.12, 0.10]).round(6)
    array([0.144951, 0.124902])
    """
    g, i, pb, due, sf = on_years(
        years,
        growth=growth,
        interest_rate=interest_rate,
        primary_balance=primary_balance,
        maturing=maturing,
        stock_flow=stock_flow,
    )
    path = project_ratio(debt_ratio, g, i, pb, stock_flow=sf)
    start = np.broadcast_to(as_finite("debt_ratio", debt_ratio)[..., None], (*path.shape[:-1], 1))
    before = np.concatenate([start, path[..., :-1]], axis=-1)
    return np.asarray(i * before / (1.0 + g) + due - pb + sf)
