"""The central outlook: two ledgers, money first, ratios derived by the rulebooks' own formulas.

Each ledger obeys ``change in debt = uses - sources`` in every quarter::

    uses    = expenditure (with interest) + principal due + other uses
    sources = own revenue (general) or fund revenue (special) + transfers
              + new and refinancing bonds

The plan of the central outlook: revenues grow and net borrowing goes on as the drivers estimate
(:mod:`debtwatch.sustainability.drivers`); expenditure is what these sources allow. New debt is a
quota, spread evenly over the year. Swap bonds, where reported, are a neutral move from hidden to
statutory debt and end with the approved swap. In-year differences between receipts and payments are
carried by treasury cash.

What happens off the plan (:mod:`debtwatch.sustainability.kernel`): with surprise u = revenue above
plan, gap g = revenue that a stress takes away, interest i above plan::

    spending  = planned + follow * u + unplanned borrowing quota
    unplanned = g - (1 - follow) * u + i

An unplanned need is met in order by the stabilisation fund, by bonds within the legal limit, by
cuts of up to half of the flexible spending; the rest is an unfunded gap, carried as arrears and
counted as debt. A surplus repays arrears, refills the fund, then lowers borrowing. Principal that
finds no refinancing is carried as arrears too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from debtwatch.panel.panel import Panel
from debtwatch.panel.problem import Problem
from debtwatch.rules.capacity import CAPACITY, Basis, rule_inputs
from debtwatch.sustainability.books import books_of, counted_units, missing_names
from debtwatch.sustainability.drivers import REVENUES, Drivers, estimate_drivers
from debtwatch.sustainability.ledgers import (
    EXPENDITURE,
    INTEREST,
    LEDGERS,
    REVENUE,
    Ledger,
    approved_swap,
    issue_terms,
    last_year,
    ledger_path,
    over_four,
)
from debtwatch.sustainability.settings import outlook_settings
from debtwatch.sustainability.simulate import Books

__all__ = ["EXPENDITURE", "INTEREST", "LEDGERS", "Ledger", "Outlook", "central_outlook"]
Array = NDArray[np.float64]


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
    drivers : Drivers
    books : Books
        The same money as the simulation needs it.
    missing : tuple of frozenset of str
        Names among the simulated fields that a unit does not have; nothing is invented for them.
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
    drivers: Drivers
    books: Books
    missing: tuple[frozenset[str], ...]
    new_rate: Array
    new_tenor: Array
    own_terms: NDArray[np.bool_]
    synthetic: Mapping[str, NDArray[np.bool_]]
    problems: tuple[Problem, ...] = ()

    @property
    def quarters(self) -> int:
        """Number of quarters ahead."""
        return int(next(iter(self.ledgers.values())).debt.shape[1])


def central_outlook(
    panel: Panel,
    basis: Basis,
    quarter: int,
    *,
    quarters: int | None = None,
    inflation: float = 1.0,
) -> Outlook:
    """Project every unit of a panel from a quarter.

    Parameters
    ----------
    panel : Panel
    basis : Basis
        Capacity of each unit.
    quarter : int
        Ordinal of the last quarter with figures; nothing after it is used.
    quarters : int, optional
        Horizon; that of ``models/outlook.toml`` by default.
    inflation : float
        Factor of the spread of every shock, from a back-test.

    Returns
    -------
    Outlook
        All NaN for a unit whose figures at the quarter are missing: nothing is guessed.
    """
    horizon = quarters or outlook_settings().quarters
    column = panel.column(quarter)
    column = 0 if column is None else column
    drivers = estimate_drivers(panel, basis, column, years=-(-horizon // 4), inflation=inflation)
    rate, tenor, own_terms = issue_terms(panel, column)
    flows = _flows(panel, basis, column, horizon, drivers)
    swap = approved_swap(panel, column, horizon, quarter)
    off_budget = _off_budget(panel, column, horizon, swap)
    planned = _planned_borrowing(panel, basis, flows, drivers, column=column, horizon=horizon)
    ledgers, synthetic, problems = {}, {}, []
    for ledger in LEDGERS:
        path, assumed, found = ledger_path(
            panel, ledger, column, quarter, net=planned[ledger], rate=rate, tenor=tenor,
            swap=swap if ledger == "special" else None, single=drivers.single,
        )  # fmt: skip
        ledgers[ledger], synthetic[ledger] = path, assumed
        problems += found
    spending = {x: _spending(panel, x, column, flows, ledgers[x]) for x in LEDGERS}
    figures = _figures(panel, column, flows, ledgers, spending=spending, single=drivers.single)
    figures |= {name: path[:, 4:] for name, path in off_budget.items()}
    flows |= {name: (REVENUES, _as_flow(path)) for name, path in off_budget.items()}
    scale = _scale_path(panel, basis, flows, drivers, column=column, horizon=horizon)
    books = books_of(
        panel, column, drivers, flows, ledgers, spending=spending, rate=rate, tenor=tenor,
        scale=scale,
    )  # fmt: skip
    inputs = rule_inputs(figures, basis)
    books = replace(books, counted=counted_units(panel, inputs, horizon))
    return Outlook(
        first_quarter=quarter + 1,
        figures=figures,
        inputs=inputs,
        ledgers=ledgers,
        drivers=drivers,
        books=books,
        missing=missing_names(figures, flows, len(panel.units)),
        new_rate=rate,
        new_tenor=tenor,
        own_terms=own_terms,
        synthetic=synthetic,
        problems=tuple(problems),
    )


# -- revenue ---------------------------------------------------------------------------------------


def _flows(
    panel: Panel, basis: Basis, column: int, horizon: int, drivers: Drivers
) -> dict[str, tuple[int, Array]]:
    """Driver (3 for none) and path of each flow, the last four quarters first."""
    settings = outlook_settings()
    flows: dict[str, tuple[int, Array]] = {}
    for number, driver in enumerate(settings.driver[:REVENUES]):
        growth = drivers.growth[:, number, :]
        for name in driver.fields:
            if name in panel.values:
                flows[name] = number, _grown(last_year(panel, name, column), growth, horizon)
    for name in settings.held.fields:
        if name in panel.values:
            still = np.zeros((len(panel.units), -(-horizon // 4)))
            flows[name] = REVENUES, _grown(last_year(panel, name, column), still, horizon)
    return flows


def _grown(base: Array, growth: Array, horizon: int) -> Array:
    """``x(t) = x(t - 4) * exp(g of the year)``, from the last four quarters, these first."""
    path = np.empty((len(base), 4 + horizon))
    path[:, :4] = base
    for quarter in range(horizon):
        path[:, quarter + 4] = path[:, quarter] * np.exp(growth[:, quarter // 4])
    return path


def _off_budget(panel: Panel, column: int, horizon: int, swap: Array | None) -> dict[str, Array]:
    """Debt outside the statutory balance, held: hidden debt falls by what is swapped out of it."""
    paths = {}
    for name in ("hidden_debt_balance", "lgfv_interest_bearing_debt"):
        if name not in panel.values:
            continue
        path = np.repeat(panel.values[name][:, column][:, None], 4 + horizon, axis=1)
        if name == "hidden_debt_balance" and swap is not None:
            path[:, 4:] = np.maximum(path[:, 4:] - np.cumsum(swap, axis=1), 0.0)
        paths[name] = path
    return paths


def _as_flow(stock: Array) -> Array:
    """Make a flow whose four-quarter sums are a stock: every simulated field is such a sum."""
    flow = np.empty_like(stock)
    flow[:, :4] = stock[:, :4] / 4
    for t in range(4, stock.shape[1]):
        flow[:, t] = stock[:, t] - flow[:, t - 3 : t].sum(axis=1)
    return flow


def _scale_path(
    panel: Panel, basis: Basis, flows: Mapping[str, tuple[int, Array]], drivers: Drivers,
    *, column: int, horizon: int,
) -> Array:  # fmt: skip
    """Yardstick of a year's borrowing by quarter: capacity at the end of the year before."""
    yearly = {name: over_four(path) for name, (_, path) in flows.items()}
    none = np.full((len(panel.units), horizon), np.nan)
    capacity = rule_inputs(yearly, basis)[CAPACITY] if yearly else none
    path = np.repeat(drivers.scale[:, None], horizon, axis=1)
    for first in range(4, horizon, 4):
        before = capacity[:, first - 1]
        ahead = np.where((before > 0) & np.isfinite(before), before, path[:, first - 1])
        path[:, first : first + 4] = ahead[:, None]
    return path


def _planned_borrowing(
    panel: Panel, basis: Basis, flows: Mapping[str, tuple[int, Array]], drivers: Drivers,
    *, column: int, horizon: int,
) -> dict[str, Array]:  # fmt: skip
    """Net borrowing of each quarter ahead without swaps, yuan."""
    scale = _scale_path(panel, basis, flows, drivers, column=column, horizon=horizon)
    year = np.arange(horizon) // 4
    return {
        ledger: drivers.growth[:, REVENUES + k, :][:, year] * scale / 4
        for k, ledger in enumerate(LEDGERS)
    }


# -- spending, figures, books ----------------------------------------------------------------------


def _spending(
    panel: Panel, ledger: str, column: int, flows: Mapping[str, tuple[int, Array]], path: Ledger
) -> Array:
    """Expenditure by quarter, the last four first: it moves with the sources that pay for it.

    ``E(t) = E(t - 4) + R(t) - R(t - 4) + N(t) - N(t - 4)``, past net borrowing spread evenly.
    """
    past = last_year(panel, EXPENDITURE[ledger], column)
    horizon = path.debt.shape[1]
    spent = np.concatenate([past, np.zeros((len(past), horizon))], axis=1)
    revenue = np.zeros(spent.shape)
    names = [(name, sign) for _, name, sign in REVENUE[ledger]]
    names += [("gfb_transfer_in", 1.0), ("gfb_transfer_out", -1.0)] if ledger == "special" else []
    for name, sign in names:
        if name in flows:
            revenue += sign * np.nan_to_num(flows[name][1])
    balance = panel.value(f"{ledger}_debt_balance")
    before = balance[:, column - 4] if column >= 4 else np.full(len(balance), np.nan)
    swapped = panel.yearly.get("swap_bonds", np.zeros(balance.shape))[:, column]
    last = balance[:, column] - before - (np.nan_to_num(swapped) if ledger == "special" else 0.0)
    net = np.concatenate([np.repeat(last[:, None] / 4, 4, axis=1), path.net_borrowing], axis=1)
    for t in range(4, spent.shape[1]):
        spent[:, t] = (
            spent[:, t - 4] + revenue[:, t] - revenue[:, t - 4] + net[:, t] - net[:, t - 4]
        )
    return spent


def _figures(
    panel: Panel, column: int, flows: Mapping[str, tuple[int, Array]],
    ledgers: Mapping[str, Ledger], *, spending: Mapping[str, Array], single: NDArray[np.bool_],
) -> dict[str, Array]:  # fmt: skip
    """Figures as rules read them: balances, and flows over four quarters."""
    figures = {name: over_four(path) for name, (_, path) in flows.items()}
    horizon = ledgers["general"].debt.shape[1]
    for ledger, path in ledgers.items():
        split = np.where(single[:, None], np.nan, path.debt)
        figures[f"{ledger}_debt_balance"] = split
        if INTEREST[ledger] in panel.yearly:
            paid = last_year(panel, INTEREST[ledger], column)
            figures[INTEREST[ledger]] = over_four(np.concatenate([paid, path.interest], axis=1))
        if EXPENDITURE[ledger] in panel.yearly:
            # The year as reported, moved on by the changes of the quarters.
            year = panel.yearly[EXPENDITURE[ledger]][:, column][:, None]
            quarters = over_four(spending[ledger])
            figures[EXPENDITURE[ledger]] = (
                year + quarters - spending[ledger][:, :4].sum(axis=1)[:, None]
            )
        limit = panel.value(f"{ledger}_debt_limit")[:, column]
        figures[f"{ledger}_debt_limit"] = np.repeat(limit[:, None], horizon, axis=1)
    if "debt_balance" in panel.yearly:
        total = np.where(single[:, None], ledgers["general"].debt, np.nan)
        figures["debt_balance"] = total
    return figures
