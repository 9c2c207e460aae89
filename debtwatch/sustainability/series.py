"""What the drivers did in the past: growth and net borrowing, by year and by quarter.

By year: log growth of four-quarter sums a year apart, ``ln x(t) - ln x(t - 4)``, and the change of
a balance over the fiscal capacity of the year before. Where a year back is not reported, the
nearest earlier date is taken and the change is scaled to a year. By quarter: change of the
seasonally adjusted log of a quarter's flow. Nothing after the origin is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from debtwatch.panel.panel import ESTIMATED, Panel
from debtwatch.rules.capacity import CAPACITY, Basis, rule_inputs

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Record:
    """The past of the drivers.

    Attributes
    ----------
    yearly : ndarray, shape (units, dates, 5)
        Log growth a year of own revenue, transfers and land; net general and special borrowing over
        capacity. Oldest date first.
    gaps : ndarray, shape (dates,)
        Quarters between a date and the one before.
    quarterly : ndarray, shape (units, quarters, 5)
        The same by quarter (borrowing at a yearly rate); no dates where too little is reported.
    scale : ndarray, shape (units,)
        What net borrowing is measured by at the origin, yuan: fiscal capacity, else the debt.
    single : ndarray of bool, shape (units,)
        Units with one balance that is not split; it counts as general.
    """

    yearly: Array
    gaps: NDArray[np.int64]
    quarterly: Array
    scale: Array
    single: NDArray[np.bool_]


def record_of(panel: Panel, basis: Basis, column: int, fewest_quarters: int) -> Record:
    """Read the past of every unit up to a column of the panel."""
    past = {name: values[:, : column + 1] for name, values in panel.yearly.items()}
    levels = _levels(past, panel, column)
    inputs = rule_inputs(past, basis)
    capacity = inputs.get(CAPACITY, np.full((len(panel.units), column + 1), np.nan))
    balances, single = _balances(past, panel, column)
    capacity = np.where((capacity > 0) & np.isfinite(capacity), capacity, _own_scale(balances[0]))
    dates = _dates(np.concatenate([levels, balances]))
    swaps = np.nan_to_num(past.get("swap_bonds", np.zeros(capacity.shape)), nan=0.0)
    yearly = np.full((len(panel.units), max(len(dates) - 1, 0), 5), np.nan)
    for k, (before, now) in enumerate(pairwise(dates)):
        speed = 4 / (now - before)
        for v, level in enumerate(levels):
            yearly[:, k, v] = speed * _log_change(level[:, before], level[:, now])
        for v, balance in enumerate(balances):
            change = balance[:, now] - balance[:, before] - (swaps[:, now] if v else 0.0)
            with np.errstate(invalid="ignore", divide="ignore"):
                yearly[:, k, 3 + v] = speed * change / capacity[:, before]
    return Record(
        yearly=np.where(np.isfinite(yearly), yearly, np.nan),
        gaps=np.diff(dates).astype(np.int64),
        quarterly=_by_quarter(panel, column, fewest_quarters, capacity, balances),
        scale=capacity[:, column],
        single=single,
    )


def _levels(past: dict[str, Array], panel: Panel, column: int) -> list[Array]:
    """Own revenue, net transfers, land: the line that is reported leads."""
    none = np.full((len(panel.units), column + 1), np.nan)

    def first(*names: str) -> Array:
        found = none
        for name in names:
            found = np.where(
                np.isnan(found).all(axis=1, keepdims=True), past.get(name, none), found
            )
        return found

    received = past.get("gpb_transfer_in", none)
    paid = np.nan_to_num(past.get("gpb_transfer_out", none), nan=0.0)
    implied = past.get("implied_net_transfers", none)
    unknown = np.isnan(received).all(axis=1, keepdims=True)
    transfers = np.where(unknown, implied, received - paid)
    return [first("gpb_revenue", "tax_revenue"), transfers, first("land_revenue", "gfb_revenue")]


def _balances(
    past: dict[str, Array], panel: Panel, column: int
) -> tuple[list[Array], NDArray[np.bool_]]:
    none = np.full((len(panel.units), column + 1), np.nan)
    general = past.get("general_debt_balance", none)
    special = past.get("special_debt_balance", none)
    total = past.get("debt_balance", none)
    single = np.isnan(general + special).all(axis=1) & ~np.isnan(total).all(axis=1)
    return [np.where(single[:, None], total, general), special], single


def _own_scale(debt: Array) -> Array:
    """Debt as the yardstick where there is no capacity; not below a quarter of its mean."""
    present = np.isfinite(debt)
    mean = np.where(present, debt, 0.0).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    scale = np.maximum(debt, 0.25 * mean[:, None])
    return np.where(scale > 0, scale, np.nan)


def _log_change(before: Array, now: Array) -> Array:
    usable = (before > 0) & (now > 0)
    safe_now, safe_before = np.where(usable, now, 1.0), np.where(usable, before, 1.0)
    return np.where(usable, np.log(safe_now) - np.log(safe_before), np.nan)


def _dates(series: Array) -> NDArray[np.intp]:
    """Columns a year apart, back from the last; the nearest earlier one where that is empty."""
    covered = np.isfinite(series).any(axis=0).sum(axis=0)
    column = len(covered) - 1
    enough = max(covered.max() / 2, 1)
    dates = [column]
    while dates[-1] >= 4:
        candidates = np.flatnonzero(covered[: dates[-1] - 3] >= enough)
        if not len(candidates):
            break
        dates.append(int(candidates[-1]))
    return np.array(dates[::-1])


def _by_quarter(
    panel: Panel, column: int, fewest: int, capacity: Array, balances: list[Array]
) -> Array:
    """Take the changes by quarter over the last unbroken run of reported quarters."""
    names = (
        "gpb_revenue",
        ("gpb_transfer_in", "implied_net_transfers"),
        ("land_revenue", "gfb_revenue"),
    )
    flows = [_reported_quarters(panel, name, column) for name in names]
    covered = np.isfinite(np.array(flows)).any(axis=0).sum(axis=0)
    balanced = np.isfinite(balances[0]).sum(axis=0)
    good = (covered >= max(covered.max() / 2, 1)) & (balanced >= max(balanced.max() / 2, 1))
    start = column + 1 - int(np.argmin(good[::-1])) if not good.all() else 0
    if column + 1 - start < fewest:
        return np.empty((len(panel.units), 0, 5))
    out = np.full((len(panel.units), column - start, 5), np.nan)
    season = (panel.first_quarter + np.arange(start + 1, column + 1)) % 4
    for v, flow in enumerate(flows):
        change = _log_change(flow[:, start:-1], flow[:, start + 1 :])
        out[..., v] = _unseasonal(change, season)
    for v, balance in enumerate(balances):
        with np.errstate(invalid="ignore", divide="ignore"):
            change = 4 * np.diff(balance[:, start:], axis=1) / capacity[:, start:-1]
        out[..., 3 + v] = _unseasonal(np.where(np.isfinite(change), change, np.nan), season)
    return out


def _reported_quarters(panel: Panel, names: str | tuple[str, ...], column: int) -> Array:
    """Quarters that were reported as such, not split from a year."""
    found = np.full((len(panel.units), column + 1), np.nan)
    for name in (names,) if isinstance(names, str) else names:
        values = panel.values.get(name)
        if values is None:
            continue
        own = np.where(panel.marks[name] & ESTIMATED, np.nan, values)[:, : column + 1]
        found = np.where(np.isnan(found).all(axis=1, keepdims=True), own, found)
    return found


def _unseasonal(change: Array, season: NDArray[np.int64]) -> Array:
    """Less the pooled median of the same quarter, plus that of all."""
    out = change.copy()
    for quarter in range(4):
        own = change[:, season == quarter]
        known = own[np.isfinite(own)]
        if len(known):
            everywhere = change[np.isfinite(change)]
            out[:, season == quarter] = own - np.median(known) + np.median(everywhere)
    return out
