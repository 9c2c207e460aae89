"""Refinancing: what replaces the principal that falls due, and what it costs.

New bonds are bullets. Where nothing else is known they have the tenors and yields of
``models/defaults/cn.toml``. The same functions serve one government's bond list and thousands of
synthetic ladders at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.sustainability.ladder import Array, Ladder, listed_ladder

TenorMix = Sequence[tuple[int, float]]

#: Tenors of local government bonds, years (Ministry of Finance, Caiku [2020] No. 36).
STANDARD_TENORS = (1, 2, 3, 5, 7, 10, 15, 20, 30)
LONGEST_TENOR = 100
#: Quarters of the refinancing wall, and the windows that are summed.
WALL_QUARTERS = 12
WALL_WINDOWS = (4, 8, 12)


@dataclass(frozen=True)
class Refinancing:
    """Debt and its service when part of what falls due is refinanced, shape (units, quarters).

    ``closing = opening - principal + refinanced``, in yuan; in whole cents for a listed ladder.

    Attributes
    ----------
    opening, closing : ndarray
        Balance at the start and the end of each quarter.
    principal : ndarray
        Principal due: existing bonds and refinancing bonds that mature within the horizon.
    refinanced, repaid : ndarray
        Principal met by refinancing bonds and by fiscal funds.
    interest : ndarray
        Interest due in cash.
    accrued : ndarray
        Interest that accrues in the quarter.
    synthetic : ndarray of bool, shape (units,)
        Whether the ladder is assumed.
    """

    opening: Array
    principal: Array
    refinanced: Array
    repaid: Array
    interest: Array
    accrued: Array
    closing: Array
    synthetic: NDArray[np.bool_]

    @property
    def service(self) -> Array:
        """Principal and interest due in cash: the debt service."""
        return self.principal + self.interest

    @property
    def effective_rate(self) -> Array:
        """Interest accrued over the opening balance, decimal a quarter; NaN without debt."""
        owed = self.opening > 0
        return np.where(owed, self.accrued / np.where(owed, self.opening, 1.0), np.nan)

    def gross_financing_need(self, primary_gap: ArrayLike = 0.0) -> Array:
        """``principal + interest + primary gap``, yuan a quarter.

        Not floored at zero: a primary surplus above the debt service leaves a negative need.

        Parameters
        ----------
        primary_gap : array_like
            Spending without interest less revenue, shape () or (quarters,) or (units, quarters).
        """
        return self.service + np.asarray(primary_gap, dtype=np.float64)


def coupon_frequency(years: float) -> int:
    """Coupons a year: 2 for bonds of ten years and more, 1 for shorter ones.

    Examples
    --------
    >>> coupon_frequency(7), coupon_frequency(10)
    (1, 2)
    """
    return 2 if years >= 10 else 1


def mix_of_tenor(years: float) -> tuple[tuple[int, float], ...]:
    """Two neighbouring standard tenors whose weighted mean is an average tenor.

    Averages beyond the shortest or the longest standard tenor become that tenor.

    Raises
    ------
    ModelProblem
        When the average is not a number above zero.

    Examples
    --------
    >>> mix_of_tenor(7), mix_of_tenor(12.5)
    (((7, 1.0),), ((10, 0.5), (15, 0.5)))
    """
    if not years > 0:
        raise ModelProblem(_BAD_MIX, mix=years, longest=LONGEST_TENOR)
    above = next((n for n in STANDARD_TENORS if n >= years), STANDARD_TENORS[-1])
    below = max((n for n in STANDARD_TENORS if n <= years), default=above)
    if above <= below:
        return ((below, 1.0),)
    weight = (years - below) / (above - below)
    return ((below, 1.0 - weight), (above, weight))


def refinance(
    ladder: Ladder | pd.DataFrame,
    *,
    share: ArrayLike,
    tenor_mix: TenorMix,
    yields: ArrayLike,
    first_quarter: int,
    quarters: int,
    spread: float | Sequence[float] = 0.0,
) -> Refinancing:
    """Debt and debt service when a share of the principal due is replaced by new bonds.

    In quarter ``t``, for each tenor ``n`` of the mix with weight ``w``::

        refinanced(t) = share * principal(t)
        bucket        = w * refinanced(t), due at t + 4 n, coupon c = yields(t) + spread(n)
        cash interest = bucket * c / f every 4 / f quarters after t, f = 2 from 10 years on, else 1
        accrued       = bucket * c / 4 from t + 1 to t + 4 n
        closing(t)    = opening(t) - principal(t) + refinanced(t)

    Buckets that mature within the horizon are principal due and are refinanced again.

    Parameters
    ----------
    ladder : Ladder or DataFrame
        Existing debt of some units, or the bond list of one (:func:`ladder.bond_flows`).
    share : array_like
        Refinanced part of principal, 0 to 1, one for all, or shape (units, 1), (quarters,) or
        (units, quarters).
    tenor_mix : sequence of (years, weight)
        Whole years; the weights are scaled to sum to 1.
    yields : array_like
        Decimal a year, shape () or (quarters,) or (units, quarters).
    first_quarter : int
        Ordinal of the first quarter ahead, where a bond list is given; a ladder starts where it
        was made to start.
    quarters : int
        Horizon, no longer than the ladder's.
    spread : float or sequence of float
        Added to the yields, decimal a year; one for all tenors or one for each of the mix.

    Raises
    ------
    ModelProblem
        When the share, the mix, the yields or the horizon cannot be used.

    Examples
    --------
    >>> bonds = pd.DataFrame({"principal": [100.0], "coupon": [0.04], "frequency": [1],
    ...     "maturity": [8101], "repayment": ["bullet"]})
    >>> ahead = refinance(bonds, share=0.9, tenor_mix=[(1, 1.0)], yields=0.02,
    ...     first_quarter=8100, quarters=6)
    >>> ahead.principal.tolist(), ahead.closing.tolist()
    ([[0.0, 100.0, 0.0, 0.0, 0.0, 90.0]], [[100.0, 90.0, 90.0, 90.0, 90.0, 81.0]])
    >>> ahead.interest.tolist()
    [[0.0, 4.0, 0.0, 0.0, 0.0, 1.8]]
    """
    if isinstance(ladder, pd.DataFrame):
        ladder = listed_ladder(ladder, first_quarter, quarters)
    units, covered = ladder.principal.shape
    if not 1 <= quarters <= covered:
        raise ModelProblem(
            N_("The maturity ladder covers {covered} quarters; {quarters} are asked for."),
            covered=covered,
            quarters=quarters,
        )
    shape = (units, quarters)
    part = _spread_out(share, shape, "share")
    if not ((part >= 0) & (part <= 1)).all():
        raise ModelProblem(N_("The refinanced share of principal must lie between 0 and 1."))
    years, weights = _mix(tenor_mix)
    coupons = [
        _spread_out(yields, shape, "yields") + extra
        for extra in np.broadcast_to(np.asarray(spread, dtype=np.float64), (len(years),))
    ]
    principal = ladder.principal[:, :quarters].copy()
    interest = ladder.interest[:, :quarters].copy()
    accrued = ladder.accrued[:, :quarters].copy()
    refinanced = np.zeros(shape)
    listed = ~ladder.synthetic
    for t in range(quarters):
        refinanced[:, t] = _cents(part[:, t] * principal[:, t], listed)
        # The running sums are rounded, not the parts: no part is then below zero.
        running = _cents(refinanced[:, t, None] * np.cumsum(weights), listed[:, None])
        running[:, -1] = refinanced[:, t]
        opened = np.diff(running, axis=1, prepend=0.0)
        for k, n in enumerate(years):
            amount = _cents(opened[:, k], listed)
            year = np.where(amount == 0, 0.0, amount * coupons[k][:, t])  # no debt costs nothing
            step, end = 4 // coupon_frequency(n), t + 4 * n
            coupon = _cents(year * step / 4, listed)
            interest[:, t + step : end + 1 : step] += coupon[:, None]
            accrued[:, t + 1 : end + 1] += year[:, None] / 4
            if end < quarters:
                principal[:, end] += amount
    return _balanced(ladder, principal, refinanced, interest, accrued)


def _balanced(
    ladder: Ladder, principal: Array, refinanced: Array, interest: Array, accrued: Array
) -> Refinancing:
    """Balances from the flows."""
    listed = ~ladder.synthetic[:, None]
    principal = _cents(principal, listed)
    start = ladder.opening[:, :1]
    closing = _cents(start + np.cumsum(refinanced - principal, axis=1), listed)
    return Refinancing(
        opening=np.concatenate([start, closing[:, :-1]], axis=1),
        principal=principal,
        refinanced=refinanced,
        repaid=_cents(principal - refinanced, listed),
        interest=_cents(interest, listed),
        accrued=accrued,
        closing=closing,
        synthetic=ladder.synthetic,
    )


_BAD_MIX = N_("A tenor mix needs whole years from 1 to {longest} with weights; {mix} is none.")


def _mix(mix: TenorMix) -> tuple[list[int], Array]:
    years = [int(n) for n, _ in mix if float(n).is_integer() and 1 <= n <= LONGEST_TENOR]
    weights = np.array([weight for _, weight in mix], dtype=np.float64)
    usable = len(years) == len(weights) and (weights >= 0).all()
    if not usable or not 0 < weights.sum() < np.inf:
        raise ModelProblem(_BAD_MIX, mix=list(mix), longest=LONGEST_TENOR)
    return years, weights / weights.sum()


def _spread_out(values: ArrayLike, shape: tuple[int, int], name: str) -> Array:
    given = np.asarray(values, dtype=np.float64)
    try:
        return np.broadcast_to(given, shape)
    except ValueError as error:
        raise ModelProblem(
            N_(
                "{name} has the shape {given}; {units} units and {quarters} quarters are asked for."
            ),
            name=name,
            given=given.shape,
            units=shape[0],
            quarters=shape[1],
        ) from error


def _cents(amount: Array, listed: NDArray[np.bool_]) -> Array:
    """Round the amounts of listed ladders to the cent."""
    rounded: Array = np.where(listed, amount.round(2), amount)
    return rounded


@dataclass(frozen=True)
class Wall:
    """Principal falling due in the quarters ahead, against debt or capacity.

    Attributes
    ----------
    due : ndarray, shape (units, quarters)
        Principal due, yuan.
    share : ndarray, shape (units, quarters)
        Due / base; 0 where nothing is due, NaN where the base is missing or not above zero.
    peak : ndarray of int, shape (units,)
        Quarter of the largest principal, the earliest of equals; -1 when nothing is known to fall
        due.
    within : mapping from quarters to ndarray, shape (units,)
        Share due within 4, 8 and 12 quarters; NaN for a window longer than the ladder.
    """

    due: Array
    share: Array
    peak: NDArray[np.int64]
    within: dict[int, Array]

    @property
    def peak_share(self) -> Array:
        """Largest share of one quarter."""
        peak: Array = self.share.max(axis=1)
        return peak


def refinancing_wall(
    principal: ArrayLike,
    base: ArrayLike,
    *,
    first_quarter: int = 0,
    quarters: int = WALL_QUARTERS,
) -> Wall:
    """How much of the debt falls due in the next quarters, and when it peaks.

    ``share(t) = principal(t) / base``, ``within(h) = sum of the first h shares``.

    Parameters
    ----------
    principal : array_like, shape (quarters,) or (units, quarters)
        Principal due in each quarter ahead, yuan.
    base : array_like, shape () or (units,)
        Debt, or capacity, yuan.
    first_quarter : int
        Ordinal of the first quarter; with 0 the peak is a position.
    quarters : int
        Quarters looked at.

    Examples
    --------
    >>> wall = refinancing_wall([0.0, 50, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0], 350.0,
    ...     first_quarter=8100)
    >>> wall.peak.tolist(), {h: round(float(s[0]), 4) for h, s in wall.within.items()}
    ([8107], {4: 0.1429, 8: 0.4286, 12: 0.4286})
    """
    due = np.atleast_2d(np.asarray(principal, dtype=np.float64))[:, :quarters]
    against = np.broadcast_to(np.asarray(base, dtype=np.float64), (len(due),))[:, None]
    usable = np.isfinite(against) & (against > 0)
    share = np.where(usable, due / np.where(usable, against, 1.0), np.nan)
    share = np.where(due == 0, 0.0, share)
    known = np.where(np.isnan(due), 0.0, due)
    peak = np.where(known.max(axis=1) > 0, first_quarter + known.argmax(axis=1), -1)
    unknown = np.full(len(due), np.nan)
    return Wall(
        due=due,
        share=share,
        peak=peak,
        within={
            h: share[:, :h].sum(axis=1) if h <= due.shape[1] else unknown for h in WALL_WINDOWS
        },
    )
