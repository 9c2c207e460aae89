"""The central outlook: two ledgers, money first, ratios derived by the rulebooks' own formulas.

Each ledger obeys ``change in debt = uses - sources`` in every quarter::

    uses    = expenditure (with interest) + principal due + other uses
    sources = own revenue (general) or fund revenue (special) + transfers
              + new and refinancing bonds

Closing rule of the central outlook: each ledger's net borrowing of the last four quarters goes on
at the same yearly amount (new debt is a quota, spread evenly over the year); revenue and transfers
grow at pooled rates; expenditure is what these sources allow. Principal due is refinanced at the
share seen nationally, the rest is part of net borrowing. Swap bonds, where reported, end with the
approved swap. In-year differences between receipts and payments are carried by treasury cash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from debtwatch.panel.defaults import defaults
from debtwatch.panel.panel import Panel
from debtwatch.panel.period import parse_quarter
from debtwatch.panel.problem import Problem
from debtwatch.rules.capacity import Basis, rule_inputs
from debtwatch.sustainability.drivers import PooledGrowth, outlook_settings, pooled_growth
from debtwatch.sustainability.ladder import bond_ladder, synthetic_ladder

Array = NDArray[np.float64]
LEDGERS = ("general", "special")
INTEREST = {"general": "gpb_debt_interest", "special": "gfb_debt_interest"}
EXPENDITURE = {"general": "gpb_expenditure", "special": "gfb_expenditure"}


@dataclass(frozen=True)
class Ledger:
    """One ledger's path, arrays of shape (units, quarters ahead), yuan.

    Attributes
    ----------
    debt : ndarray
        Balance at the end of each quarter.
    net_borrowing, principal, refinanced, interest, issued : ndarray
        Flows of each quarter. ``issued = net_borrowing + principal``.
    """

    debt: Array
    net_borrowing: Array
    principal: Array
    refinanced: Array
    interest: Array
    issued: Array


@dataclass(frozen=True)
class Outlook:
    """Central outlook of every unit from one quarter.

    Attributes
    ----------
    first_quarter : int
        Ordinal of the first quarter ahead.
    figures : mapping from field to ndarray, shape (units, quarters)
        Balances at quarter ends and flows over four quarters. NaN where the unit's figures do not
        allow an outlook.
    inputs : mapping from field to ndarray, shape (units, quarters)
        The figures with totals and capacity: what rules need.
    ledgers : mapping from ledger to Ledger
    growth : mapping from group to PooledGrowth
    new_rate, new_tenor : ndarray, shape (units,)
        Terms of new bonds: decimal a year, years.
    own_terms : ndarray of bool, shape (units,)
        Whether the terms are the unit's own issuance.
    synthetic : mapping from ledger to ndarray of bool
        Whether the ladder is assumed.
    problems : tuple of Problem
    """

    first_quarter: int
    figures: Mapping[str, Array]
    inputs: Mapping[str, Array]
    ledgers: Mapping[str, Ledger]
    growth: Mapping[str, PooledGrowth]
    new_rate: Array
    new_tenor: Array
    own_terms: NDArray[np.bool_]
    synthetic: Mapping[str, NDArray[np.bool_]]
    problems: tuple[Problem, ...] = ()

    @property
    def quarters(self) -> int:
        """Number of quarters ahead."""
        return int(next(iter(self.ledgers.values())).debt.shape[1])


def central_outlook(panel: Panel, basis: Basis, quarter: int) -> Outlook:
    """Project every unit of a panel from a quarter.

    Parameters
    ----------
    panel : Panel
    basis : Basis
        Capacity of each unit.
    quarter : int
        Ordinal of the last quarter with figures; nothing after it is used.

    Returns
    -------
    Outlook
        All NaN for a unit whose figures at the quarter are missing: nothing is guessed.
    """
    horizon = outlook_settings().quarters
    column = panel.column(quarter)
    if column is None:
        column = 0
    annual = panel.yearly
    growth = pooled_growth(annual, column)
    rate, tenor, own_terms = issue_terms(panel, column)
    flows = {}
    for group in growth.values():
        for name in group.group.fields:
            if name in panel.values:
                flows[name] = _grown(_last_year(panel, name, column), group.path(horizon))
    ledgers, synthetic, problems = {}, {}, []
    for ledger in LEDGERS:
        swap = _swap(panel, column, horizon, quarter) if ledger == "special" else None
        path, assumed, found = _ledger(
            panel, ledger, column, quarter, rate=rate, tenor=tenor, swap=swap
        )
        ledgers[ledger], synthetic[ledger] = path, assumed
        problems += found
    figures = {name: _over_four(path) for name, path in flows.items()}
    for ledger, path in ledgers.items():
        figures[f"{ledger}_debt_balance"] = path.debt
        if INTEREST[ledger] in panel.yearly:
            paid = _last_year(panel, INTEREST[ledger], column)
            figures[INTEREST[ledger]] = _over_four(np.concatenate([paid, path.interest], axis=1))
        limit = panel.value(f"{ledger}_debt_limit")[:, column]
        figures[f"{ledger}_debt_limit"] = np.repeat(limit[:, None], horizon, axis=1)
    _add_expenditure(figures, annual, ledgers, column)
    _add_single_balance(figures, annual, column, horizon)
    return Outlook(
        first_quarter=quarter + 1,
        figures=figures,
        inputs=rule_inputs(figures, basis),
        ledgers=ledgers,
        growth=growth,
        new_rate=rate,
        new_tenor=tenor,
        own_terms=own_terms,
        synthetic=synthetic,
        problems=tuple(problems),
    )


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


def _last_year(panel: Panel, name: str, column: int) -> Array:
    """Take the four quarters to a quarter, or their sum split by season where one is missing."""
    quarters = panel.value(name)[:, max(column - 3, 0) : column + 1]
    if quarters.shape[1] < 4:
        quarters = np.full((len(panel.units), 4), np.nan)
    shares = defaults().shares(name)
    season = [shares[(panel.first_quarter + column - 3 + k) % 4] for k in range(4)]
    split = panel.yearly[name][:, column][:, None] * np.array(season)
    return np.where(np.isnan(quarters).any(axis=1, keepdims=True), split, quarters)


def _grown(base: Array, growth: Array) -> Array:
    """``x(t) = x(t - 4) * (1 + g)``, from the last four quarters, these first."""
    path = np.empty((len(base), 4 + len(growth)))
    path[:, :4] = base
    for k, rate in enumerate(growth):
        path[:, k + 4] = path[:, k] * (1 + rate)
    return path


def _over_four(path: Array) -> Array:
    """Four-quarter sums of the quarters ahead of a path that starts with the last four."""
    ahead = path.shape[1] - 4
    return sum((path[:, k + 1 : k + 1 + ahead] for k in range(4)), np.zeros((len(path), ahead)))


def _swap(panel: Panel, column: int, horizon: int, quarter: int) -> Array | None:
    """Swap bonds of the last four quarters where reported, ending with the approved swap."""
    swap = panel.yearly.get("swap_bonds")
    if swap is None:
        return None
    yearly: Array = np.nan_to_num(swap[:, column], nan=0.0)
    last = parse_quarter(defaults().swap.last_quarter) or 0
    ends = np.array([quarter + 1 + k <= last for k in range(horizon)])
    swapped: Array = -yearly[:, None] / 4 * ~ends[None, :]
    return swapped


def _ledger(
    panel: Panel,
    ledger: str,
    column: int,
    quarter: int,
    *,
    rate: Array,
    tenor: Array,
    swap: Array | None,
) -> tuple[Ledger, NDArray[np.bool_], list[Problem]]:
    """Path of one ledger from its balances, interest and maturities."""
    horizon = outlook_settings().quarters
    balance = panel.value(f"{ledger}_debt_balance")
    now = balance[:, column]
    before = balance[:, column - 4] if column >= 4 else np.full(len(now), np.nan)
    net = np.repeat(((now - before) / 4)[:, None], horizon, axis=1)
    if swap is not None:
        net = net + swap
    paid = panel.yearly.get(INTEREST[ledger], np.full(balance.shape, np.nan))[:, column]
    average = (now + before) / 2
    old_rate = np.where(average > 0, paid / average, np.where(now == 0, 0.0, np.nan))
    existing = synthetic_ladder(
        now,
        old_rate,
        tenor,
        shares=defaults().maturity.quarter_shares,
        first_quarter=quarter + 1,
        quarters=horizon,
    )
    principal, interest, synthetic = existing.principal, existing.interest, existing.synthetic
    listed, problems = _listed(panel, ledger, now, quarter, horizon)
    for row, (due, coupons) in listed.items():
        principal[row], interest[row], synthetic[row] = due, coupons, False
    net = np.maximum(net, -principal)  # no more is repaid than falls due
    debt = now[:, None] + np.cumsum(net, axis=1)
    # What is outstanding beyond the old debt was issued on the new terms.
    opening = np.concatenate([now[:, None], debt[:, :-1]], axis=1)
    old_opening = now[:, None] - (np.cumsum(principal, axis=1) - principal)
    interest = interest + rate[:, None] / 4 * np.maximum(opening - old_opening, 0.0)
    refinanced = np.minimum(defaults().maturity.refinanced_share * principal, principal + net)
    return (
        Ledger(
            debt=debt,
            net_borrowing=net,
            principal=principal,
            refinanced=refinanced,
            interest=interest,
            issued=net + principal,
        ),
        synthetic,
        problems,
    )


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
        if abs(total - balance[row]) > 0.005 * balance[row]:
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


def _add_expenditure(
    figures: dict[str, Array],
    annual: Mapping[str, Array],
    ledgers: Mapping[str, Ledger],
    column: int,
) -> None:
    """Expenditure moves with the sources that pay for it: revenue, transfers, net borrowing."""
    sources = {
        "general": (
            ("gpb_revenue", 1.0),
            ("gpb_transfer_in", 1.0),
            ("gpb_transfer_out", -1.0),
            ("implied_net_transfers", 1.0),
        ),
        "special": (("gfb_revenue", 1.0), ("gfb_transfer_in", 1.0), ("gfb_transfer_out", -1.0)),
    }
    for ledger, parts in sources.items():
        spent = annual.get(EXPENDITURE[ledger])
        if spent is None:
            continue
        change: Array = np.zeros_like(ledgers[ledger].debt)
        for name, sign in parts:
            if name in figures:
                now = annual[name][:, column][:, None]
                change = change + sign * np.nan_to_num(figures[name] - now, nan=0.0)
        net = ledgers[ledger].net_borrowing
        base = net[:, :1]
        joined = np.concatenate([np.repeat(base, 3, axis=1), net], axis=1)
        yearly = sum((joined[:, k : k + net.shape[1]] for k in range(4)), np.zeros(net.shape))
        figures[EXPENDITURE[ledger]] = spent[:, column][:, None] + change + (yearly - 4 * base)


def _add_single_balance(
    figures: dict[str, Array], annual: Mapping[str, Array], column: int, horizon: int
) -> None:
    """Units that report one balance only: it goes on growing by its last yearly change."""
    total = annual.get("debt_balance")
    if total is None or column < 4:
        return
    yearly = total[:, column] - total[:, column - 4]
    path = total[:, column][:, None] + yearly[:, None] / 4 * np.arange(1, horizon + 1)
    split = figures["general_debt_balance"] + figures["special_debt_balance"]
    figures["debt_balance"] = np.where(np.isnan(split), path, np.nan)
