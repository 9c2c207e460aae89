"""What the sizes of stresses are taken from: a government's own record and exposures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from debtwatch.panel.panel import Panel
from debtwatch.panel.period import quarter_text
from debtwatch.sustainability.accounts import EXPENDITURE, INTEREST, LEDGERS, Outlook
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
    date = quarter_text(outlook.first_quarter - 1 - 4 * drivers.worst_date)
    return StressBasis(
        growth_sd=np.where(known & (drivers.years > 0), drivers.yearly_spread[:, 0], np.nan),
        spending_sd=_spending_sd(panel, column),
        land_share=_land_share(panel, column),
        lgfv_debt=panel.value("lgfv_interest_bearing_debt")[:, column],
        primary_balance=_primary_balance(panel, column),
        worst_year=drivers.worst_year * drivers.yearly_spread,
        labels=(date,) * len(panel.units),
    )


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
