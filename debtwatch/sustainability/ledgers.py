"""One ledger's path: balance, net borrowing, maturities, interest, terms of new bonds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from debtwatch.panel.defaults import defaults
from debtwatch.panel.panel import Panel
from debtwatch.panel.period import parse_quarter
from debtwatch.panel.problem import Problem
from debtwatch.sustainability.ladder import bond_ladder, check_sum, synthetic_ladder

Array = NDArray[np.float64]
LEDGERS = ("general", "special")
INTEREST = {"general": "gpb_debt_interest", "special": "gfb_debt_interest"}
EXPENDITURE = {"general": "gpb_expenditure", "special": "gfb_expenditure"}
#: Revenue that moves with a driver, by ledger, and its sign.
REVENUE = {
    "general": ((0, "gpb_revenue", 1.0),
                (1, "gpb_transfer_in", 1.0), (1, "gpb_transfer_out", -1.0),
                (1, "implied_net_transfers", 1.0)),
    "special": ((2, "gfb_revenue", 1.0),),
}  # fmt: skip
LONGEST_TENOR = 120


@dataclass(frozen=True)
class Ledger:
    """One ledger's path, arrays of shape (units, quarters ahead), yuan.

    Attributes
    ----------
    debt : ndarray
        Balance at the end of each quarter.
    net_borrowing : ndarray
        New and refinancing bonds less principal repaid, without swaps.
    recognised : ndarray
        Hidden debt swapped into statutory debt: no money comes in.
    old_principal, old_interest : ndarray
        Service of the debt that exists at the origin.
    principal, refinanced, interest, issued : ndarray
        Flows of each quarter. ``issued = net_borrowing + recognised + principal``.
    """

    debt: Array
    net_borrowing: Array
    recognised: Array
    old_principal: Array
    old_interest: Array
    principal: Array
    refinanced: Array
    interest: Array
    issued: Array


def issue_terms(panel: Panel, column: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Rate and tenor of new bonds: the unit's latest own issuance, else the national average.

    Issuance published by the report's day may be later than the quarter of the accounts.
    """
    terms = defaults().terms_on(panel.as_of)
    rate = np.full(len(panel.units), terms.rate / 100)
    tenor = np.full(len(panel.units), terms.tenor)
    own_rate, own_tenor = _latest(panel.value("issue_rate")), _latest(panel.value("issue_tenor"))
    own = (own_rate > 0) & (own_rate < 0.15) & (own_tenor > 0) & (own_tenor <= 30)
    return np.where(own, own_rate, rate), np.where(own, own_tenor, tenor), np.asarray(own)


def _latest(values: Array) -> Array:
    """Last value of each row, NaN when there is none."""
    present = ~np.isnan(values)
    last = values.shape[1] - 1 - np.argmax(present[:, ::-1], axis=1)
    return np.where(present.any(axis=1), values[np.arange(len(values)), last], np.nan)


def last_year(panel: Panel, name: str, column: int) -> Array:
    """Take the four quarters to a quarter, or their sum split by season where one is missing."""
    quarters = panel.value(name)[:, max(column - 3, 0) : column + 1]
    if quarters.shape[1] < 4:
        quarters = np.full((len(panel.units), 4), np.nan)
    shares = defaults().shares(name)
    season = [shares[(panel.first_quarter + column - 3 + k) % 4] for k in range(4)]
    yearly = panel.yearly.get(name, np.full((len(panel.units), column + 1), np.nan))
    split = yearly[:, column][:, None] * np.array(season)
    return np.where(np.isnan(quarters).any(axis=1, keepdims=True), split, quarters)


def over_four(path: Array) -> Array:
    """Four-quarter sums of the quarters ahead of a path that starts with the last four."""
    ahead = path.shape[1] - 4
    return sum((path[:, k + 1 : k + 1 + ahead] for k in range(4)), np.zeros((len(path), ahead)))


def approved_swap(panel: Panel, column: int, horizon: int, quarter: int) -> Array | None:
    """Swap bonds as in the last four quarters where reported, to the end of the approved swap."""
    swap = panel.yearly.get("swap_bonds")
    if swap is None:
        return None
    yearly: Array = np.nan_to_num(swap[:, column], nan=0.0)
    last = parse_quarter(defaults().swap.last_quarter) or 0
    goes_on = np.array([quarter + 1 + k <= last for k in range(horizon)])
    swapped: Array = yearly[:, None] / 4 * goes_on[None, :]
    return swapped


def ledger_path(
    panel: Panel,
    ledger: str,
    column: int,
    quarter: int,
    *,
    net: Array,
    rate: Array,
    tenor: Array,
    swap: Array | None,
    single: NDArray[np.bool_],
) -> tuple[Ledger, NDArray[np.bool_], list[Problem]]:
    """Path of one ledger from its balances, interest and maturities."""
    horizon = net.shape[1]
    balance = panel.value(f"{ledger}_debt_balance")
    if ledger == "general":  # a balance that is not split stands here
        balance = np.where(single[:, None], panel.value("debt_balance"), balance)
    else:
        balance = np.where(single[:, None], 0.0, balance)
    now = balance[:, column]
    before = balance[:, column - 4] if column >= 4 else np.full(len(now), np.nan)
    paid = panel.yearly.get(INTEREST[ledger], np.full(balance.shape, np.nan))[:, column]
    average = (now + before) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        old_rate = np.where(average > 0, paid / average, np.where(now == 0, 0.0, np.nan))
    existing = synthetic_ladder(
        now,
        old_rate,
        tenor,
        shares=defaults().maturity.quarter_shares,
        first_quarter=quarter + 1,
        quarters=horizon,
    )
    principal, interest = existing.principal.copy(), existing.interest.copy()
    synthetic = existing.synthetic.copy()
    listed, problems = _listed(panel, ledger, now, quarter, horizon)
    for row, (due, coupons) in listed.items():
        principal[row], interest[row], synthetic[row] = due, coupons, False
    recognised = np.zeros(net.shape) if swap is None else swap
    net = np.where(np.isfinite(now)[:, None], np.nan_to_num(net), np.nan)
    net = np.maximum(net, -principal)  # no more is repaid than falls due
    debt = now[:, None] + np.cumsum(net + recognised, axis=1)
    # What is outstanding beyond the old debt was issued on the new terms.
    opening = np.concatenate([now[:, None], debt[:, :-1]], axis=1)
    old_opening = now[:, None] - (np.cumsum(principal, axis=1) - principal)
    total_interest = interest + rate[:, None] / 4 * np.maximum(opening - old_opening, 0.0)
    due = principal + _matured(principal + net + recognised, tenor)
    refinanced = np.minimum(defaults().maturity.refinanced_share * due, due + net)
    path = Ledger(
        debt=debt,
        net_borrowing=net,
        recognised=recognised,
        old_principal=principal,
        old_interest=interest,
        principal=due,
        refinanced=refinanced,
        interest=total_interest,
        issued=net + due + recognised,
    )
    return path, synthetic, problems


def quarters_to_maturity(tenor: Array) -> NDArray[np.int64]:
    """Tenor of new bonds in whole quarters, at least a year."""
    return np.clip(np.rint(4 * np.nan_to_num(tenor, nan=10.0)), 4, LONGEST_TENOR).astype(np.int64)


def _matured(first_issues: Array, tenor: Array) -> Array:
    """Principal of debt issued ahead that falls due within the horizon and is issued again."""
    due = np.zeros_like(first_issues)
    quarters = quarters_to_maturity(tenor)
    issued = np.nan_to_num(first_issues)
    for t in range(int(quarters.min(initial=LONGEST_TENOR)), due.shape[1]):
        since = t - quarters
        rows = np.flatnonzero(since >= 0)
        due[rows, t] = issued[rows, since[rows]]
        issued[rows, t] += due[rows, t]
    return due


def _listed(
    panel: Panel, ledger: str, balance: Array, quarter: int, horizon: int
) -> tuple[dict[int, tuple[Array, Array]], list[Problem]]:
    """Ladders of units whose bond list sums to the balance within 0.5 %."""
    bonds = panel.known.bonds
    found: dict[int, tuple[Array, Array]] = {}
    problems: list[Problem] = []
    if bonds.empty:
        return found, problems
    rows = {unit: row for row, unit in enumerate(panel.units.index)}
    for unit, own in bonds[bonds["ledger"] == ledger].groupby("unit", observed=True):
        row = rows.get(str(unit))
        outstanding = own[own["maturity"] > quarter]
        if row is None or np.isnan(balance[row]):
            continue
        total = float(outstanding["principal"].sum())
        if check_sum(total, float(balance[row])).verdict != "agrees":
            details = {"listed": f"{total:,.0f}", "balance": f"{balance[row]:,.0f}"}
            field = f"{ledger}_debt_balance"
            problems.append(
                Problem(
                    "bonds-do-not-sum",
                    unit=str(unit),
                    field=field,
                    quarter=quarter,
                    value=total,
                    details=details,
                )
            )
        else:
            found[row] = bond_ladder(outstanding, quarter + 1, horizon)
    return found, problems
