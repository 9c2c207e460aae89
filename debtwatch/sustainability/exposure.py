"""What the sizes of stresses are taken from: a government's own record and exposures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from debtwatch.panel.panel import Panel
from debtwatch.panel.period import quarter_text
from debtwatch.rules.capacity import CAPACITY
from debtwatch.sustainability.accounts import EXPENDITURE, INTEREST, LEDGERS, Outlook
from debtwatch.sustainability.drivers import REVENUES
from debtwatch.sustainability.pooling import shrink_scales
from debtwatch.sustainability.settings import outlook_settings
from debtwatch.sustainability.stress import StressBasis

Array = NDArray[np.float64]


def stress_basis(panel: Panel, outlook: Outlook) -> StressBasis:
    """Read the stress sizes of every unit of an outlook.

    Parameters
    ----------
    panel : Panel
    outlook : Outlook
        From the same panel; nothing after its origin is used.

    Returns
    -------
    StressBasis
        NaN where the panel does not tell; land's share of fund revenue is the national one where
        land is not reported apart.
    """
    column = panel.column(outlook.first_quarter - 1) or 0
    drivers = outlook.drivers
    known = drivers.yearly_spread[:, 0] > 0
    worst, years_ago = _worst_year(outlook)
    return StressBasis(
        growth_sd=np.where(known & (drivers.years > 0), drivers.yearly_spread[:, 0], np.nan),
        spending_sd=_spending_sd(panel, column),
        land_share=_land_share(panel, column),
        lgfv_debt=panel.value("lgfv_interest_bearing_debt")[:, column],
        primary_balance=_primary_balance(panel, column),
        worst_year=worst,
        labels=tuple(quarter_text(outlook.first_quarter - 1 - 4 * int(k)) for k in years_ago),
    )


def _worst_year(outlook: Outlook) -> tuple[Array, NDArray[np.intp]]:
    """Shock of the past year that would raise each unit's debt ratio most, and its years ago.

    ``change = borrowing beyond plan - ratio * sum of (share of capacity * log points)``, to first
    order; shares are those of the first year ahead.
    """
    drivers, inputs = outlook.drivers, outlook.inputs
    units, dates = len(drivers.years), len(drivers.shocks_by_date)
    if not dates:
        return np.full((units, 5), np.nan), np.zeros(units, dtype=np.intp)
    shocks = drivers.shocks_by_date[None] * drivers.yearly_spread[:, None]  # units, dates, drivers
    shape = (units, outlook.quarters)
    first = {n: np.broadcast_to(inputs[n], shape)[:, 3] for n in ("debt_balance", CAPACITY)}
    own = np.broadcast_to(inputs.get("gpb_revenue", np.nan), shape)[:, 3]
    fund = np.broadcast_to(inputs["fund_capacity"], shape)[:, 3]
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = np.stack([own, first[CAPACITY] - own - fund, fund], axis=1)
        shares = np.nan_to_num(parts / first[CAPACITY][:, None])
        ratio = np.nan_to_num(first["debt_balance"] / first[CAPACITY], nan=1.0)
    lost = (shares[:, None] * shocks[..., :REVENUES]).sum(axis=2)
    rise = shocks[..., REVENUES:].sum(axis=2) - ratio[:, None] * lost
    worst = rise.argmax(axis=1)
    return shocks[np.arange(units), worst], dates - 1 - worst


def _spending_sd(panel: Panel, column: int) -> Array:
    spent = panel.yearly.get(EXPENDITURE["general"])
    if spent is None or column < 8:
        return np.full(len(panel.units), np.nan)
    years = spent[:, column % 4 : column + 1 : 4]
    usable = (years[:, 1:] > 0) & (years[:, :-1] > 0)
    growth = np.full(usable.shape, np.nan)
    growth[usable] = np.log(years[:, 1:][usable] / years[:, :-1][usable])
    return np.asarray(shrink_scales(growth, outlook_settings().estimation.prior_weight).scale)


def _land_share(panel: Panel, column: int) -> Array:
    fund = panel.yearly.get("gfb_revenue")
    if fund is None:
        return np.full(len(panel.units), np.nan)
    now = fund[:, column]
    land = panel.yearly.get("land_revenue", np.full(fund.shape, np.nan))[:, column]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.clip(land / now, 0.0, 1.0)
    share = np.where(np.isfinite(share), share, outlook_settings().closing.land_share)
    return np.where(np.isfinite(now), share, np.nan)


def _primary_balance(panel: Panel, column: int) -> Array:
    """Interest paid less net borrowing of the last four quarters, by ledger."""
    balances = []
    for ledger in LEDGERS:
        debt = panel.value(f"{ledger}_debt_balance")
        before = debt[:, column - 4] if column >= 4 else np.full(len(debt), np.nan)
        swapped = panel.yearly.get("swap_bonds", np.zeros(debt.shape))[:, column]
        paid = panel.yearly.get(INTEREST[ledger], np.full(debt.shape, np.nan))[:, column]
        swaps = np.nan_to_num(swapped) if ledger == "special" else 0.0
        balances.append(paid - (debt[:, column] - before - swaps))
    return np.stack(balances, axis=1)
