"""Transfers implied by the budget identity where a source does not report them.

``net transfers = expenditure - own revenue - change in general debt``, not below zero.

The figure is an estimate with a known bias: it also holds transfers-in from other budgets,
carry-over and draws on the stabilisation fund, so capacity built on it is too high and the debt
ratio too low.
"""

from __future__ import annotations

import numpy as np

from debtwatch.panel.quarterly import FloatArray, lagged
from debtwatch.panel.reported import Reported

IMPLIED_FIELD = "implied_net_transfers"


def implied_net_transfers(reported: Reported) -> FloatArray:
    """Annual net transfers implied by the budget identity, at fourth quarters.

    Parameters
    ----------
    reported : Reported
        Figures without the doubtful ones.

    Returns
    -------
    ndarray, shape (units, quarters)
        Missing where a term is missing and where the unit reports its transfers.
    """
    revenue = reported.year_to_date("gpb_revenue")
    spending = reported.year_to_date("gpb_expenditure")
    balance = reported.stock("general_debt_balance")
    borrowing = balance - lagged(balance, 4)
    implied = np.maximum(spending - revenue - borrowing, 0.0)
    reports = np.zeros(len(reported.units), dtype=bool)
    for basis in ("year", "to_date", "quarter"):
        reports |= ~np.isnan(reported.value("gpb_transfer_in", basis)).all(axis=1)
    implied[reports] = np.nan
    return implied
