"""Debt service by maturity: principal and interest of the debt that exists, quarter by quarter.

From a bond list, or synthetic: balances spread evenly over the average tenor of the issuer's bonds,
with the seasonal pattern of national maturities.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.panel.defaults import Shares

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Ladder:
    """Service of the existing debt of some units.

    Attributes
    ----------
    principal : ndarray, shape (units, quarters)
        Principal due in each quarter ahead, yuan.
    interest : ndarray, shape (units, quarters)
        Interest due in cash in each quarter ahead, yuan.
    synthetic : ndarray of bool, shape (units,)
        Whether the ladder is assumed instead of listed.
    """

    principal: Array
    interest: Array
    synthetic: NDArray[np.bool_]


def synthetic_ladder(
    balance: Array, rate: Array, tenor: Array, *, shares: Shares, first_quarter: int, quarters: int
) -> Ladder:
    """Even ladder: the balance falls due over the tenor, in the seasonal pattern of a year.

    A stock built up by equal yearly issues of ``T`` years has its maturities spread evenly over the
    next ``T`` years, so that ``balance / T`` falls due a year (average remaining maturity ``T/2``).
    Interest accrues at one rate: ``rate / 4 * opening balance``.

    Parameters
    ----------
    balance : ndarray, shape (units,)
        Debt at the start, yuan.
    rate : ndarray, shape (units,)
        Interest a year, decimal.
    tenor : ndarray, shape (units,)
        Tenor at issue, years.
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
    season = np.array([shares[(first_quarter + k) % 4] for k in range(quarters)])
    due = (balance / tenor)[:, None] * season[None, :]
    due = np.minimum(due, np.maximum(balance[:, None] - (np.cumsum(due, axis=1) - due), 0.0))
    opening = balance[:, None] - (np.cumsum(due, axis=1) - due)
    interest = rate[:, None] / 4 * opening
    return Ladder(due, interest, np.ones(len(balance), dtype=bool))


def bond_ladder(bonds: pd.DataFrame, first_quarter: int, quarters: int) -> tuple[Array, Array]:
    """Principal and cash interest of listed bonds.

    Parameters
    ----------
    bonds : DataFrame
        Columns ``principal`` (yuan), ``coupon`` (decimal a year), ``frequency`` (1 or 2 a year),
        ``maturity`` (ordinal of the quarter of repayment), ``repayment``.
    first_quarter, quarters : int

    Returns
    -------
    principal, interest : ndarray, shape (quarters,)
        Coupons fall on the quarter of maturity's anniversary (and half a year from it). Equal
        principal is repaid yearly on the anniversary.

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
    principal, interest = np.zeros(quarters), np.zeros(quarters)
    rows: Iterable[Any] = bonds.itertuples(index=False)
    for bond in rows:
        balance = float(bond.principal)
        years_left = max((int(bond.maturity) - first_quarter) // 4 + 1, 1)
        step = 4 // int(bond.frequency)
        for k in range(quarters):
            before = int(bond.maturity) - (first_quarter + k)
            if before < 0:
                break
            if before % step == 0:
                interest[k] += balance * bond.coupon / bond.frequency
            if before == 0 or (bond.repayment == "equal_principal" and before % 4 == 0):
                repaid = balance if before == 0 else float(bond.principal) / years_left
                principal[k] += repaid
                balance -= repaid
    return principal, interest
