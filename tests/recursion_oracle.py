"""The simulated recursion in plain numpy, from the equations: what the compiled kernel computes.

One government at a time, arrays of paths, float64, ``np.exp``, no running totals: interest and
principal of new bonds are summed afresh over every earlier issue.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from debtwatch.sustainability import kernel
from debtwatch.sustainability.draws import BLOCK, POOL_ROWS, Draws, independent_pool, padded
from debtwatch.sustainability.simulate import Books

Array = NDArray[np.float64]
_WORD = 2**64 - 1
#: Step whose window holds the uncertainty of estimates.
ESTIMATES = 1 << 20
FLOOR = float(np.float32(0.05))


def window_start(seed: int, key: int, step: int, block: int) -> int:
    """First row of the pool of one government, step and block: splitmix64 of the four."""
    x = seed ^ (key * 0x9E3779B97F4A7C15 & _WORD)
    x ^= (step + 1) * 0xD1B54A32D192ED03 & _WORD
    x ^= (block + 1) * 0x8CB92BA72F3D8DD7 & _WORD
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _WORD
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _WORD
    return (x ^ x >> 31) % POOL_ROWS


def through_windows(draws: Draws, rows: Array, key: int, step: int) -> Array:
    """Rows of a pool as one government sees them at a step, shape (rows, paths)."""
    starts = [window_start(draws.seed, key, step, b) for b in range(padded(draws.paths) // BLOCK)]
    seen = np.concatenate([rows[:, start : start + BLOCK] for start in starts], axis=1)
    return seen[:, : draws.paths].astype(np.float64)


def own_parts(draws: Draws, key: int, independent: bool = False) -> Array:
    """Own innovations, shape (steps, drivers, paths)."""
    steps = len(draws.dates)
    if not independent:
        return np.stack([through_windows(draws, draws.pool, key, s) for s in range(steps)])
    pool = independent_pool(draws, key % 2**31).astype(np.float64)
    cut = pool.reshape(len(pool), pool.shape[1], steps, BLOCK)  # block, driver, step, path in block
    return cut.transpose(2, 1, 0, 3).reshape(steps, pool.shape[1], -1)[..., : draws.paths]


def common_parts(draws: Draws, province: int) -> Array:
    """National and provincial deviations, shape (steps, drivers, paths)."""
    common = draws.common(province).astype(np.float64)  # block, step, driver, path in block
    return common.transpose(1, 2, 0, 3).reshape(*common.shape[1:3], -1)[..., : draws.paths]


def shocked(
    books: Books, unit: int, draws: Draws, *, still: bool = False, independent: bool = False
) -> tuple[Array, Array]:
    """Levels of own revenue, transfers, land, none, and swings of both ledgers' borrowing.

    Shapes (quarters, 4, paths) and (quarters, 2, paths).
    """
    key, paths = int(books.keys[unit]), draws.paths
    level, swing = np.ones((books.quarters, 4, paths)), np.zeros((books.quarters, 2, paths))
    if still:
        return level, swing
    estimates = through_windows(draws, draws.scale, key, ESTIMATES)
    width = books.spread[unit][:, None] * estimates[0]
    drift = books.drift_error[unit][:, None] * estimates[1:]
    own, common = own_parts(draws, key, independent), common_parts(draws, int(books.province[unit]))
    deviation = np.zeros((len(kernel.DRIVERS), paths))
    now, borrowed = np.ones((4, paths)), np.zeros((2, paths))
    for t, step in enumerate(books.steps):
        if step >= 0:
            deviation = draws.factors.dynamics @ deviation + own[step]
            change = width * (deviation + common[step]) + drift
            growth = np.exp(np.clip(change[:3], -2, 2))
            now = np.vstack([np.maximum(now[:3] * growth, FLOOR), np.ones((1, paths))])
            borrowed = change[3:]
        level[t], swing[t] = now, borrowed
    return level, swing


@dataclass
class Account:
    """One ledger of one government: what it holds, and its flows quarter by quarter."""

    debt: Array
    limit: Array
    fund: Array
    arrears: Array
    flows: dict[str, list[Array]] = field(default_factory=lambda: {name: [] for name in FLOWS})
    #: Rate of what was issued in each quarter.
    rates: list[Array] = field(default_factory=list)

    def flow(self, name: str) -> Array:
        """One flow, shape (quarters, paths)."""
        return np.array(self.flows[name])


#: Flows of a ledger: those of the trace, and bonds not issued thanks to a surplus.
FLOWS = (*kernel.TRACE, "spared", "failed")


def run_ledger(  # noqa: PLR0917
    books: Books, unit: int, ledger: int, level_a: Array, level_b: Array, swing: Array,
    yields: Array,
) -> Account:  # fmt: skip
    """Run one ledger; arrays of shape (quarters, paths)."""
    row = books.quarterly[unit]
    terms = row[ledger * kernel.LEDGER_ROWS :]
    once = books.once[unit]
    follow, flexible = once[kernel.FOLLOW[ledger]], once[kernel.CUT_SHARE]
    full = np.ones(level_a.shape[1])
    start = once[kernel.DEBT[ledger]] * full
    account = Account(
        debt=start,
        limit=start + once[kernel.ROOM[ledger]],
        fund=(once[kernel.STABILISATION] if ledger == 0 else 0.0) * full,
        arrears=0.0 * full,
    )
    for t in range(books.quarters):
        due = terms[kernel.PRINCIPAL, t] + _matured(account, books, unit, t)
        rate = terms[kernel.RATE, t] + yields[t]
        interest = (
            terms[kernel.INTEREST, t]
            + (_coupons(account, books, unit, t) + rate * account.arrears) / 4
        )
        target = row[kernel.FUND_TARGET, t] if ledger == 0 else 0.0
        planned, recognised = terms[kernel.PLAN, t], terms[kernel.RECOGNISED, t]

        plan = np.maximum(planned + row[kernel.CAPACITY_QUARTER, t] * swing[t], -due)
        of_a, of_b = terms[kernel.REVENUE_A, t], terms[kernel.REVENUE_B, t]
        surprise = of_a * (level_a[t] - 1) + of_b * (level_b[t] - 1)
        spending = terms[kernel.SPENDING, t] + follow * surprise + (plan - planned)
        lost = terms[kernel.GAP_A, t] * level_a[t] + terms[kernel.GAP_B, t] * level_b[t]
        extra_interest = interest - terms[kernel.INTEREST_PLAN, t]
        gap = lost - (1 - follow) * surprise + extra_interest

        # What is not covered: reserve, bonds within the limit, cuts, arrears.
        open_gap = np.maximum(gap, 0.0)
        drawn = np.minimum(account.fund, open_gap)
        room = np.maximum(account.limit - account.debt, 0.0)
        more = np.minimum(open_gap - drawn, room)
        can_cut = flexible * np.maximum(spending - terms[kernel.RIGID, t], 0.0)
        cut = np.minimum(open_gap - drawn - more, can_cut)
        failed = np.minimum(terms[kernel.ROLL_DROP, t] * due, due + plan)
        added = open_gap - drawn - more - cut + failed

        # A surplus: arrears, reserve up to its target, fewer bonds, reserve.
        surplus = np.maximum(-gap, 0.0)
        repaid = np.minimum(surplus, account.arrears)
        refill = np.minimum(surplus - repaid, np.maximum(target - account.fund, 0.0))
        issuable = np.maximum(due + plan + more - failed, 0.0)
        spared = np.minimum(surplus - repaid - refill, issuable)
        filled = surplus - repaid - spared

        net = plan + more - failed - spared
        account.limit = account.limit + plan + recognised  # the limit moves with what is planned
        account.debt = account.debt + net + recognised
        account.fund = account.fund + filled - drawn
        account.arrears = account.arrears + added - repaid
        account.rates.append(rate)
        revenue = (of_a - terms[kernel.GAP_A, t]) * level_a[t]
        revenue = revenue + (of_b - terms[kernel.GAP_B, t]) * level_b[t]
        happened = {
            "debt": account.debt, "arrears": account.arrears, "net_borrowing": net,
            "recognised": recognised * full, "principal": due, "issued": due + net + recognised,
            "interest": interest, "spending": spending + extra_interest - cut,
            "revenue": revenue, "fund_drawn": drawn, "fund_filled": filled,
            "other_sources": (terms[kernel.SPENDING, t] - planned - of_a - of_b) * full,
            "arrears_added": added, "arrears_repaid": repaid, "cut": cut, "spared": spared,
            "failed": failed,
        }  # fmt: skip
        for name, value in happened.items():
            account.flows[name].append(value)
    return account


def _matured(account: Account, books: Books, unit: int, t: int) -> Array:
    """Principal due in quarter t of what was issued ahead."""
    due = np.zeros(account.debt.shape)
    for tenor, share in zip(books.tenor[unit], books.tenor_share[unit], strict=True):
        if t - tenor >= 0:
            due = due + share * account.flows["issued"][t - tenor]
    return due


def _coupons(account: Account, books: Books, unit: int, t: int) -> Array:
    """Interest a year that quarter t owes on bonds issued ahead, each at the rate of its issue."""
    paid = np.zeros(account.debt.shape)
    for before in range(t):
        alive = books.tenor_share[unit][books.tenor[unit] >= t - before].sum()
        paid = paid + account.rates[before] * alive * account.flows["issued"][before]
    return paid


@dataclass(frozen=True)
class Paths:
    """Fields (quarters, paths) by name, ledgers, and levels (quarters, 4, paths)."""

    fields: dict[str, Array]
    ledgers: tuple[Account, Account]
    level: Array


def run_oracle(
    books: Books, unit: int, draws: Draws, *, still: bool = False, independent: bool = False
) -> Paths:
    """Paths of one government."""
    level, swing = shocked(books, unit, draws, still=still, independent=independent)
    yields = draws.yields.astype(np.float64).transpose(1, 0, 2)
    yields = yields.reshape(len(yields), -1)[:, : draws.paths] * (0.0 if still else 1.0)
    own, transfers, land, none = (level[:, driver] for driver in range(4))
    ledgers = (
        run_ledger(books, unit, 0, own, transfers, swing[:, 0], yields),
        run_ledger(books, unit, 1, land, none, swing[:, 1], yields),
    )
    need = sum(x.flow("issued") + x.flow("fund_drawn") + x.flow("arrears_added") for x in ledgers)
    past = books.past[unit]
    fields = {"unfunded_gap": ledgers[0].flow("arrears") + ledgers[1].flow("arrears"),
              "gross_financing_need": over_four(past[:, 2].sum(axis=0), need)}  # fmt: skip
    for k, (ledger, budget) in enumerate((("general", "gpb"), ("special", "gfb"))):
        account = ledgers[k]
        fields[f"{ledger}_debt_balance"] = account.flow("debt") + account.flow("arrears")
        fields[f"{budget}_expenditure"] = over_four(past[k, 0], account.flow("spending"))
        fields[f"{budget}_debt_interest"] = over_four(past[k, 1], account.flow("interest"))
    for name, driver, base in zip(
        books.flows, books.flow_driver, books.flow_base[unit], strict=True
    ):
        fields[name] = over_four(base[:3], base[3:, None] * level[:, driver])
    return Paths(fields, ledgers, level)


def over_four(before: Array, flow: Array) -> Array:
    """Four-quarter sums; ``before`` holds the three quarters before the first, oldest first."""
    whole = np.vstack([np.repeat(before[:, None], flow.shape[1], axis=1), flow])
    return np.stack([whole[t : t + 4].sum(axis=0) for t in range(len(flow))])
