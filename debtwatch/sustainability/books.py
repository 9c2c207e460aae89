"""Write the central outlook's money as the simulation needs it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from debtwatch.panel.panel import Panel
from debtwatch.rules.capacity import CAPACITY
from debtwatch.sustainability import kernel
from debtwatch.sustainability.drivers import Drivers
from debtwatch.sustainability.ledgers import (
    INTEREST,
    REVENUE,
    Ledger,
    last_year,
    over_four,
    quarters_to_maturity,
)
from debtwatch.sustainability.settings import outlook_settings
from debtwatch.sustainability.simulate import Books

Array = NDArray[np.float64]


def books_of(
    panel: Panel, column: int, drivers: Drivers, flows: Mapping[str, tuple[int, Array]],
    ledgers: Mapping[str, Ledger], *, spending: Mapping[str, Array],
    rate: Array, tenor: Array, scale: Array,
) -> Books:  # fmt: skip
    """Write the same money as the simulation needs it; what a unit does not have is nothing."""
    units, horizon = ledgers["general"].debt.shape
    settings = outlook_settings().closing
    quarterly = np.zeros((units, kernel.QUARTERLY_ROWS, horizon))
    once = np.zeros((units, kernel.ONCE_COLUMNS))
    past = np.zeros((units, 2, 3, 3))
    for k, (ledger, path) in enumerate(ledgers.items()):
        rows = quarterly[:, k * kernel.LEDGER_ROWS :]
        rows[:, kernel.PLAN] = path.net_borrowing
        rows[:, kernel.RECOGNISED] = path.recognised
        rows[:, kernel.PRINCIPAL], rows[:, kernel.INTEREST] = path.old_principal, path.old_interest
        rows[:, kernel.INTEREST_PLAN] = path.interest
        rows[:, kernel.RATE] = rate[:, None]
        rows[:, kernel.SPENDING] = spending[ledger][:, 4:]
        rows[:, kernel.RIGID] = _rigid(panel, ledger, column, spending[ledger], path)
        for driver, name, sign in REVENUE[ledger]:
            if name in flows:
                row = kernel.REVENUE_B if driver == 1 else kernel.REVENUE_A
                rows[:, row] += sign * np.nan_to_num(flows[name][1][:, 4:])
        once[:, kernel.ROOM[k]] = _room(panel, ledger, column)
        now = path.debt[:, 0] - path.net_borrowing[:, 0] - path.recognised[:, 0]
        once[:, kernel.DEBT[k]], once[:, kernel.FOLLOW[k]] = now, settings.follow
        past[:, k, 0] = spending[ledger][:, 1:4]
        past[:, k, 1] = last_year(panel, INTEREST[ledger], column)[:, 1:]
        past[:, k, 2] = np.nan  # financing needs of the past are not reported
    quarterly[:, kernel.CAPACITY_QUARTER] = scale / 4
    own = flows["gpb_revenue"][1] if "gpb_revenue" in flows else np.zeros((units, horizon + 4))
    quarterly[:, kernel.FUND_TARGET] = settings.fund_target * over_four(own)
    fund = panel.value("stabilisation_fund_balance")[:, column]
    once[:, kernel.STABILISATION], once[:, kernel.CUT_SHARE] = fund, settings.cut_share
    need = past[:, :, 2].copy()
    past = np.nan_to_num(past)
    past[:, :, 2] = need
    base = np.stack([path[:, 1:] for _, path in flows.values()], axis=1) if flows else np.zeros(
        (units, 0, horizon + 3)
    )  # fmt: skip
    quarters = quarters_to_maturity(tenor)[:, None]
    steps = np.arange(horizon)
    if drivers.step == "year":
        steps = np.where(steps % 4 == 0, steps // 4, -1)
    return Books(
        keys=np.array([key_of(str(code)) for code in panel.units.index], dtype=np.uint64),
        province=drivers.province,
        kind=np.zeros(units, dtype=np.intp),
        steps=steps.astype(np.int64),
        quarterly=np.nan_to_num(quarterly),
        once=np.nan_to_num(once, nan=0.0, posinf=np.inf),
        past=past,
        flows=tuple(flows),
        flow_driver=np.array([driver for driver, _ in flows.values()], dtype=np.int64),
        flow_base=np.nan_to_num(base),
        tenor=quarters,
        tenor_share=np.ones(quarters.shape),
        spread=drivers.spread,
        drift_error=drivers.drift_error,
    )


def _rigid(panel: Panel, ledger: str, column: int, spent: Array, path: Ledger) -> Array:
    """Spending that cannot be cut: the three guarantees as reported, else a share; interest."""
    if ledger == "special":
        return path.interest
    reported = panel.yearly.get("sanbao_expenditure")
    share = np.full(len(spent), outlook_settings().closing.rigid_share)
    if reported is not None:
        with np.errstate(invalid="ignore", divide="ignore"):
            own = reported[:, column] / spent[:, :4].sum(axis=1)
        share = np.where(np.isfinite(own) & (own > 0), np.minimum(own, 1.0), share)
    return share[:, None] * spent[:, 4:]


def _room(panel: Panel, ledger: str, column: int) -> Array:
    """Legal limit less balance, not below nothing; no bound where no limit is reported."""
    limit = panel.value(f"{ledger}_debt_limit")[:, column]
    room = limit - panel.value(f"{ledger}_debt_balance")[:, column]
    return np.where(np.isfinite(room), np.maximum(room, 0.0), np.inf)


def counted_units(panel: Panel, inputs: Mapping[str, Array], horizon: int) -> NDArray[np.bool_]:
    """Which units enter totals: those with debt and capacity, and no parent beside its children."""
    shape = (len(panel.units), horizon)
    whole = np.ones(len(panel.units), dtype=bool)
    for name in ("debt_balance", CAPACITY):
        whole &= np.isfinite(np.broadcast_to(inputs[name], shape)).all(axis=1)
    parents = set(map(str, panel.units["parent"]))
    above = np.array([str(code) in parents for code in panel.units.index], dtype=bool)
    consolidated = np.array([str(scope) != "own" for scope in panel.units["scope"]], dtype=bool)
    return np.asarray(whole & ~(above & consolidated), dtype=np.bool_)


def missing_names(
    figures: Mapping[str, Array], flows: Mapping[str, tuple[int, Array]], units: int
) -> tuple[frozenset[str], ...]:
    """Find the simulated names of each unit that have no central path."""
    names = [*kernel.SLOTS[:6], *flows]
    gone: dict[str, NDArray[np.bool_]] = {
        name: (
            np.asarray(~np.isfinite(figures[name]).all(axis=1))
            if name in figures
            else np.ones(units, dtype=np.bool_)
        )
        for name in names
    }
    return tuple(frozenset(name for name in names if gone[name][row]) for row in range(units))


def key_of(code: str) -> int:
    """Hash of a unit's code: its own shocks hang on it, not on its place in the panel.

    Examples
    --------
    >>> key_of("530001") == key_of("530001"), key_of("530001") == key_of("530002")
    (True, False)
    """
    return int.from_bytes(hashlib.blake2b(code.encode(), digest_size=8).digest(), "little")
