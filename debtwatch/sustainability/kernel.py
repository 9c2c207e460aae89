"""The compiled recursion: one block of paths through two ledgers, rules and counts.

What it computes is written out in plain numpy in ``tests/recursion_oracle.py``; the equations stand
in :mod:`debtwatch.sustainability.accounts` and docs/outlook.md. Money is float32 or float64, as
the books are held; work is done on blocks of :data:`BLOCK` paths. What hangs on a missing figure
is missing (NaN).

Loops are short on purpose: a loop over few arrays is turned into vector instructions.
"""

# ruff: noqa: PLR0912, PLR0915, PLR0917, PLR0124, I001
# Compiled code: branches are selects, loops are vectors, NaN is what differs from itself.

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from debtwatch.sustainability.draws import BLOCK, POOL_ROWS
from debtwatch.sustainability.operations import (
    ABSOLUTE, ADD, AND, AT_LEAST, AT_MOST, CHOOSE, DIVIDE, EQUAL, GREATER, IF_FINITE, IF_NONZERO,
    IF_POSITIVE, LESS, MAXIMUM, MINIMUM, MULTIPLY, NEGATIVE, NOT, OR, SUBTRACT, UNEQUAL_EXACT,
)  # fmt: skip

#: Drivers, in the order of every array that has an axis of them.
DRIVERS = ("own_revenue", "transfers", "land", "general_borrowing", "special_borrowing")
#: Bins of the histogram behind the quantiles.
BINS = 512
#: Lowest level of a revenue against its central path.
LEVEL_FLOOR = np.float32(0.05)
# Numbers as float32: with float32 money they keep the loops narrow, with float64 they widen.
_ZERO, _ONE, _TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)
_EIGHTH, _QUARTER = np.float32(0.125), np.float32(0.25)
_NAN, _INFINITE, _TINY = np.float32(np.nan), np.float32(np.inf), np.float32(1e-9)
_LAST_BIN = np.float32(BINS - 1)

# Rows of `quarterly` (unit, row, quarter): the first thirteen for the general ledger, then special.
PLAN, RECOGNISED, PRINCIPAL, INTEREST, INTEREST_PLAN, RATE, ROLL_DROP = range(7)
SPENDING, RIGID, GAP_A, GAP_B, REVENUE_A, REVENUE_B = range(7, 13)
LEDGER_ROWS = 13
CAPACITY_QUARTER, FUND_TARGET = 26, 27
QUARTERLY_ROWS = 28
# Columns of `once` (unit, column).
ROOM, DEBT, FOLLOW = (0, 1), (2, 3), (4, 5)
STABILISATION, CUT_SHARE = 6, 7
ONCE_COLUMNS = 8
# First slots: what the ledgers yield; the flows follow.
SLOTS = (
    "general_debt_balance",
    "special_debt_balance",
    "gpb_expenditure",
    "gfb_expenditure",
    "gpb_debt_interest",
    "gfb_debt_interest",
    "unfunded_gap",
    "gross_financing_need",
)
LEDGER_SLOTS = len(SLOTS)
# Rows of the trace, for each ledger, that the identity is tested on.
TRACE = (
    "debt", "arrears", "net_borrowing", "recognised", "principal", "issued", "interest",
    "spending", "revenue", "other_sources", "fund_drawn", "fund_filled", "arrears_added",
    "arrears_repaid", "cut",
)  # fmt: skip

_JIT: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "nsz"},
}


@njit(**_JIT)
def window(seed: Any, unit: Any, step: Any, block: Any, span: Any) -> Any:
    """Start of the window of the pool: a hash of seed, unit, step and block, not of their order."""
    x = seed ^ (unit * np.uint64(0x9E3779B97F4A7C15))
    x ^= (step + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03)
    x ^= (block + np.uint64(1)) * np.uint64(0x8CB92BA72F3D8DD7)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return np.int64(x % np.uint64(span))


@njit(inline="always")
def _grown(level: Any, change: Any, c3: Any, c4: Any, c5: Any, c6: Any, c7: Any, c8: Any) -> Any:
    """``level * exp(change)``, the change within two, the level above its floor.

    The exponential is a polynomial of an eighth of the change, to the eighth power; the c are the
    coefficients 1/3! to 1/8!.
    """
    change = _TWO if change > _TWO else change
    change = -_TWO if change < -_TWO else change
    y = change * _EIGHTH
    e = _ONE + y * (_ONE + y * (_EIGHTH * (_TWO + _TWO) + y * (
        c3 + y * (c4 + y * (c5 + y * (c6 + y * (c7 + y * c8)))))))  # fmt: skip
    e = e * e
    e = e * e
    x = level * (e * e)
    return LEVEL_FLOOR if x < LEVEL_FLOOR else x  # what is missing stays missing


@njit(inline="always")
def _above(x: Any) -> Any:
    return _ZERO if x < _ZERO else x  # what is missing stays missing


@njit(inline="always")
def _less(x: Any, y: Any) -> Any:
    """Return the smaller; a missing second is missing, a missing first shows elsewhere."""
    return x if x < y else y


@njit(**_JIT)
def _operate(operation: Any, slots: Any, target: Any, left: Any, right: Any, condition: Any) -> Any:
    """One operation of a formula on a block of paths; na is NaN."""
    d, a, b = slots[target], slots[left], slots[right]
    n = d.shape[0]
    if operation == ADD:
        for k in range(n):
            d[k] = a[k] + b[k]
    elif operation == SUBTRACT:
        for k in range(n):
            d[k] = a[k] - b[k]
    elif operation == MULTIPLY:
        for k in range(n):
            d[k] = a[k] * b[k]
    elif operation == DIVIDE:
        for k in range(n):
            d[k] = a[k] / b[k] if b[k] != _ZERO else _NAN
    elif operation == NEGATIVE:
        for k in range(n):
            d[k] = -a[k]
    elif operation == ABSOLUTE:
        for k in range(n):
            d[k] = abs(a[k])
    elif operation in (MINIMUM, MAXIMUM):
        for k in range(n):
            first = a[k] < b[k] if operation == MINIMUM else a[k] > b[k]
            d[k] = (a[k] if first else b[k]) if a[k] == a[k] else _NAN
    elif operation in (AND, OR):
        won = _ZERO if operation == AND else _ONE
        for k in range(n):
            if a[k] == won or b[k] == won:
                d[k] = won
            else:
                d[k] = _NAN if a[k] != a[k] or b[k] != b[k] else _ONE - won
    elif operation == UNEQUAL_EXACT:
        for k in range(n):
            d[k] = _NAN if a[k] != a[k] else (_ONE if a[k] != b[k] else _ZERO)
    elif operation == NOT:
        for k in range(n):
            d[k] = _NAN if a[k] != a[k] else (_ONE if a[k] == _ZERO else _ZERO)
    elif operation == CHOOSE:
        c = slots[condition]
        for k in range(n):
            d[k] = _NAN if c[k] != c[k] else (a[k] if c[k] != _ZERO else b[k])
    elif operation == IF_POSITIVE:
        for k in range(n):
            d[k] = a[k] if b[k] > _ZERO else _NAN
    elif operation == IF_NONZERO:
        for k in range(n):
            d[k] = a[k] if b[k] != _ZERO else _NAN
    elif operation == IF_FINITE:
        for k in range(n):
            d[k] = a[k] if abs(a[k]) < _INFINITE else _NAN
    else:
        _compare(operation, d, a, b)


@njit(**_JIT)
def _compare(operation: Any, d: Any, a: Any, b: Any) -> Any:
    """Compare with the tolerance of the formula language."""
    for k in range(d.shape[0]):
        size = _less(abs(a[k]), abs(b[k]))
        slack = _TINY * (size if size > _ONE else _ONE)
        gap = a[k] - b[k]
        above, below = gap > slack, gap < -slack
        if gap != gap:  # missing, or infinite on both sides: then no comparison holds
            d[k] = _NAN if a[k] != a[k] or b[k] != b[k] else _ZERO
        elif operation == LESS:
            d[k] = _ONE if below else _ZERO
        elif operation == AT_MOST:
            d[k] = _ZERO if above else _ONE
        elif operation == GREATER:
            d[k] = _ONE if above else _ZERO
        elif operation == AT_LEAST:
            d[k] = _ZERO if below else _ONE
        elif operation == EQUAL:
            d[k] = _ZERO if above or below else _ONE
        else:
            d[k] = _ONE if above or below else _ZERO


@njit(**_JIT)
def _evaluate(program: Any, slots: Any) -> Any:
    for k in range(program.shape[0]):
        _operate(program[k, 0], slots, program[k, 1], program[k, 2], program[k, 3], program[k, 4])


@njit(**_JIT)
def _at_or_above(value: Any, edge: Any, paths: Any) -> Any:
    count = 0
    for b in range(paths):
        count += value[b] >= edge
    return count


@njit(**_JIT)
def _strictly_above(value: Any, edge: Any, paths: Any) -> Any:
    count = 0
    for b in range(paths):
        count += value[b] > edge
    return count


@njit(**{**_JIT, "fastmath": {"contract", "nsz", "reassoc"}})
def _sum(value: Any, paths: Any) -> Any:
    """Sum of what is not missing, in any order."""
    total: Any = 0.0
    for b in range(paths):
        total += value[b] if value[b] == value[b] else _ZERO
    return total


@njit(**_JIT)
def _bin(value: Any, paths: Any, places: Any, bins: Any, low: Any, scale: Any) -> Any:
    """Put values into bins: outside ones into the first or last, missing ones into none."""
    for b in range(paths):
        place = (value[b] - low) * scale
        place = place if place > _ZERO else _ZERO  # also where the value is missing
        places[b] = np.int32(place if place < _LAST_BIN else _LAST_BIN)
    for b in range(paths):
        bins[places[b]] += 1
    for b in range(paths):
        if value[b] != value[b]:
            bins[0] -= 1


@njit(**_JIT)
def _worst_so_far(value: Any, held: Any, top: Any) -> Any:
    for b in range(BLOCK):
        held[b] = value[b] if value[b] == value[b] else -_INFINITE
    for b in range(BLOCK):
        top[b] = held[b] if held[b] > top[b] else top[b]


@njit(**_JIT)
def _worst_of_pairs(value: Any, held: Any, before: Any, top: Any) -> Any:
    """Keep the worst that two quarters in a row both reach."""
    for b in range(BLOCK):
        held[b] = value[b] if value[b] == value[b] else -_INFINITE
    for b in range(BLOCK):
        both = _less(held[b], before[b])
        top[b] = both if both > top[b] else top[b]
    for b in range(BLOCK):
        before[b] = held[b]


@njit(**_JIT)
def _count(
    w: Any, u: Any, t: Any, paths: Any, slots: Any, shown: Any, low: Any, scale: Any,
    line_of: Any, line_at: Any, line_open: Any, consecutive: Any,
    worst: Any, last: Any, run: Any, places: Any,
    histogram: Any, total: Any, valid: Any, beyond: Any, ever: Any,
) -> Any:  # fmt: skip
    """Histogram, mean and threshold counts of one unit and quarter."""
    for i in range(shown.shape[0]):
        value = slots[shown[i]]
        total[w, u, i, t] = _sum(value, paths)
        missing = 0
        for b in range(paths):
            missing += value[b] != value[b]
        valid[w, u, i, t] += paths - missing
        if i < low.shape[2]:
            _bin(value, paths, places, histogram[w, u, i, t], low[w, u, i, t], scale[w, u, i, t])
        if consecutive == 1:
            _worst_so_far(value, run[i], worst[i])
        else:
            _worst_of_pairs(value, run[i], last[i], worst[i])
    for n in range(line_of.shape[0]):
        now, top, edge = run[line_of[n]], worst[line_of[n]], line_at[n]
        if line_open[n]:
            beyond[w, u, n, t] += _strictly_above(now, edge, paths)
            ever[w, u, n, t] += _strictly_above(top, edge, paths)
        else:
            beyond[w, u, n, t] += _at_or_above(now, edge, paths)
            ever[w, u, n, t] += _at_or_above(top, edge, paths)


@njit(inline="always")
def _ledger_first(
    row: Any, t: Any, quarterly: Any, follow: Any, level_a: Any, level_b: Any, swing: Any,
    due: Any, matured: Any, accrued: Any, arrears: Any, yields: Any, interest: Any, plan: Any,
    spend: Any, unplanned: Any,
) -> Any:  # fmt: skip
    """Interest, planned borrowing, the spending plan and what the plan does not cover."""
    net, coupons = quarterly[row + PLAN, t], quarterly[row + INTEREST, t]
    expected = quarterly[row + INTEREST_PLAN, t]
    old, capacity = quarterly[row + PRINCIPAL, t], quarterly[CAPACITY_QUARTER, t]
    a, b = quarterly[row + REVENUE_A, t], quarterly[row + REVENUE_B, t]
    gap_a, gap_b = quarterly[row + GAP_A, t], quarterly[row + GAP_B, t]
    spending, rate = quarterly[row + SPENDING, t], quarterly[row + RATE, t]
    for k in range(BLOCK):
        interest[k] = coupons + _QUARTER * (accrued[k] + (rate + yields[k]) * arrears[k])
    for k in range(BLOCK):
        due[k] = old + matured[k]
    for k in range(BLOCK):
        wanted = net + capacity * swing[k]
        plan[k] = -due[k] if wanted < -due[k] else wanted
    for k in range(BLOCK):
        surprise = a * (level_a[k] - _ONE) + b * (level_b[k] - _ONE)
        spend[k] = spending + follow * surprise + (plan[k] - net)
        unplanned[k] = (
            gap_a * level_a[k] + gap_b * level_b[k] - (_ONE - follow) * surprise
            + (interest[k] - expected)
        )  # fmt: skip


@njit(inline="always")
def _ledger_close(
    row: Any, t: Any, quarterly: Any, room: Any, cut_share: Any, target: Any, drop: Any,
    due: Any, plan: Any, spend: Any, unplanned: Any, interest: Any,
    debt: Any, planned_debt: Any, fund: Any, arrears: Any, issued: Any, extra: Any,
    drawn: Any, filled: Any, added: Any, repaid: Any, cut: Any,
) -> Any:  # fmt: skip
    """Close the ledger: reserve, bonds within the limit, cuts, arrears; a surplus the other way."""
    recognised, rigid = quarterly[row + RECOGNISED, t], quarterly[row + RIGID, t]
    expected = quarterly[row + INTEREST_PLAN, t]
    for k in range(BLOCK):
        drawn[k] = _less(_above(unplanned[k]), fund[k])
    for k in range(BLOCK):
        planned_debt[k] += plan[k] + recognised
    for k in range(BLOCK):
        space = _above(room + planned_debt[k] - debt[k] - plan[k] - recognised)
        extra[k] = _less(_above(unplanned[k] - drawn[k]), space)
    for k in range(BLOCK):
        open_ = _above(unplanned[k] - drawn[k]) - extra[k]
        cut[k] = _less(open_, cut_share * _above(spend[k] - rigid))
    for k in range(BLOCK):
        failed = _less(due[k] + plan[k], drop * due[k])  # no more than was to be rolled over
        added[k] = _above(unplanned[k] - drawn[k]) - extra[k] - cut[k] + failed
    for k in range(BLOCK):
        repaid[k] = _less(_above(-unplanned[k]), arrears[k])
    for k in range(BLOCK):
        plan[k] += extra[k] - _less(due[k] + plan[k], drop * due[k])
    for k in range(BLOCK):
        left = _above(-unplanned[k]) - repaid[k]
        put = _less(left, _above(target - fund[k]))
        extra[k] = _less(_above(due[k] + plan[k]), left - put)  # bonds not issued after all
    for k in range(BLOCK):
        filled[k] = _above(-unplanned[k]) - repaid[k] - extra[k]
    for k in range(BLOCK):
        plan[k] -= extra[k]
    for k in range(BLOCK):
        fund[k] += filled[k] - drawn[k]
    for k in range(BLOCK):
        arrears[k] += added[k] - repaid[k]
    for k in range(BLOCK):
        debt[k] += plan[k] + recognised
    for k in range(BLOCK):
        issued[k] = due[k] + plan[k] + recognised
    for k in range(BLOCK):
        spend[k] += interest[k] - expected - cut[k]


@njit(inline="always")
def _vintages(
    row: Any, t: Any, quarters: Any, quarterly: Any, tenor: Any, share: Any, yields: Any,
    issued: Any, accrued: Any, issues: Any, coupons: Any, matured: Any,
) -> Any:  # fmt: skip
    """Interest a year on debt issued ahead, and its principal that falls due next quarter."""
    rate = quarterly[row + RATE, t]
    for k in range(BLOCK):
        accrued[k] += (rate + yields[k]) * issued[k]
    if t + np.min(tenor) < quarters:  # it falls due within the horizon
        for k in range(BLOCK):
            issues[t, k] = issued[k]
            coupons[t, k] = (rate + yields[k]) * issued[k]
    matured[:] = 0.0
    for n in range(tenor.shape[0]):
        weight, since = share[n], t - tenor[n]
        if since >= 0:  # it has paid its last coupon in this quarter
            for k in range(BLOCK):
                accrued[k] -= weight * coupons[since, k]
        if since >= -1:
            for k in range(BLOCK):
                matured[k] += weight * issues[since + 1, k]


@njit(inline="always")
def _over_four(t: Any, ring: Any, now: Any, out: Any) -> Any:
    """Four-quarter sum; the ring holds the three quarters before and takes this one."""
    one, two, three, kept = ring[(t + 3) % 4], ring[(t + 2) % 4], ring[(t + 1) % 4], ring[t % 4]
    for k in range(BLOCK):
        out[k] = now[k] + one[k] + two[k] + three[k]
    for k in range(BLOCK):
        kept[k] = now[k]


@njit(inline="always")
def _before(ring: Any, past: Any) -> Any:
    """Put the three quarters before the first into a ring."""
    for j in range(3):
        ring[j + 1, :] = past[j]


@njit(**_JIT)
def simulate_block(
    block: Any, paths: Any, seed: Any, keys: Any, steps: Any,
    quarterly: Any, once: Any, past: Any, flow_base: Any, flow_driver: Any,
    tenor: Any, tenor_share: Any, exponential: Any, dynamics: Any, spread: Any, drift: Any,
    drawn_scale: Any, pool: Any, sequential: Any, common: Any, yields: Any, still: Any,
    program: Any, constants: Any, n_slots: Any, extra: Any, has_extra: Any,
    shown: Any, low: Any, scale: Any, line_of: Any, line_at: Any, line_open: Any, consecutive: Any,
    checkpoints: Any, summed: Any, counted: Any,
    histogram: Any, total: Any, valid: Any, beyond: Any, ever: Any, breaching: Any, sums: Any,
    keep: Any, keep_of: Any, kept: Any, traced: Any,
) -> Any:  # fmt: skip
    """Run one block of paths of some units; see :func:`debtwatch.sustainability.simulate.simulate`.

    ``still`` switches the shocks off. Arrays of paths hold this block alone. Counts and sums are
    added to; ``kept`` and ``traced`` are filled where they have room.
    """
    quarters, units, money = quarterly.shape[2], quarterly.shape[0], quarterly.dtype
    variants = histogram.shape[0]
    room = np.empty((24, BLOCK), dtype=money)
    y0, y1, y2, y3, y4, q = room[0], room[1], room[2], room[3], room[4], room[5]
    d0, d1, d2, d3, d4 = room[6], room[7], room[8], room[9], room[10]
    swing_g, swing_s, due, interest, plan = room[11], room[12], room[13], room[14], room[15]
    spend, unplanned, issued, drawn = room[16], room[17], room[18], room[19]
    filled, added, repaid, cut = room[20], room[21], room[22], room[23]
    more_bonds, need = np.empty(BLOCK, dtype=money), np.empty(BLOCK, dtype=money)
    ones = np.ones(BLOCK, dtype=money)
    # Driver (the last stands still), ring of quarters, path.
    levels = np.empty((4, 4, BLOCK), dtype=money)
    stocks = np.empty((6, 2, BLOCK), dtype=money)
    debt, plan_debt, arrears = stocks[0], stocks[1], stocks[2]
    accrued, matured, fund = stocks[3], stocks[4], stocks[5]
    issues = np.empty((2, quarters, BLOCK), dtype=money)
    coupons = np.empty((2, quarters, BLOCK), dtype=money)
    spend_ring = np.empty((2, 4, BLOCK), dtype=money)
    interest_ring = np.empty((2, 4, BLOCK), dtype=money)
    need_ring = np.empty((4, BLOCK), dtype=money)
    slots = np.empty((n_slots, BLOCK), dtype=money)
    indicators = shown.shape[0]
    worst = np.empty((variants, indicators, BLOCK), dtype=money)
    last = np.empty((variants, indicators, BLOCK), dtype=money)
    run = np.empty((indicators, BLOCK), dtype=money)
    places = np.empty(BLOCK, dtype=np.int32)
    for c in range(constants.shape[0]):
        slots[n_slots - constants.shape[0] + c, :] = constants[c]
    a0, a1, a2, a3, a4 = dynamics[0], dynamics[1], dynamics[2], dynamics[3], dynamics[4]
    e3, e4, e5 = exponential[0], exponential[1], exponential[2]
    e6, e7, e8 = exponential[3], exponential[4], exponential[5]
    for u in range(units):
        q[:], y0[:], y1[:], y2[:], y3[:], y4[:] = 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
        d0[:], d1[:], d2[:], d3[:], d4[:] = 0.0, 0.0, 0.0, 0.0, 0.0
        if not still:
            off = window(seed, keys[u], np.uint64(1 << 20), block, POOL_ROWS)
            for k in range(BLOCK):
                d0[k] = drift[u, 0] * drawn_scale[1, off + k]
                d1[k] = drift[u, 1] * drawn_scale[2, off + k]
                d2[k] = drift[u, 2] * drawn_scale[3, off + k]
            for k in range(BLOCK):
                d3[k] = drift[u, 3] * drawn_scale[4, off + k]
                d4[k] = drift[u, 4] * drawn_scale[5, off + k]
                q[k] = drawn_scale[0, off + k]
        levels[:] = 1.0
        swing_g[:], swing_s[:] = 0.0, 0.0
        for ledger in range(2):
            debt[ledger, :] = once[u, DEBT[ledger]]
            plan_debt[ledger, :] = once[u, DEBT[ledger]]
            fund[ledger, :] = once[u, STABILISATION] if ledger == 0 else _ZERO
            _before(spend_ring[ledger], past[u, ledger, 0])
            _before(interest_ring[ledger], past[u, ledger, 1])
            arrears[ledger, :], accrued[ledger, :], matured[ledger, :] = 0.0, 0.0, 0.0
        _before(need_ring, past[u, 0, 2] + past[u, 1, 2])
        worst[:], last[:] = -_INFINITE, -_INFINITE
        s0, s1, s2, s3, s4 = spread[u, 0], spread[u, 1], spread[u, 2], spread[u, 3], spread[u, 4]
        for t in range(quarters):
            new, old = t % 4, (t - 1) % 4
            if steps[t] >= 0 and not still:
                step = steps[t]
                if sequential:
                    off = step * BLOCK
                else:
                    off = window(seed, keys[u], np.uint64(step), block, POOL_ROWS)
                p0, p1, p2 = pool[0, off:], pool[1, off:], pool[2, off:]
                p3, p4 = pool[3, off:], pool[4, off:]
                for k in range(BLOCK):
                    o0, o1, o2, o3, o4 = y0[k], y1[k], y2[k], y3[k], y4[k]
                    y0[k] = a0[0] * o0 + a0[1] * o1 + a0[2] * o2 + a0[3] * o3 + a0[4] * o4 + p0[k]
                    y1[k] = a1[0] * o0 + a1[1] * o1 + a1[2] * o2 + a1[3] * o3 + a1[4] * o4 + p1[k]
                    y2[k] = a2[0] * o0 + a2[1] * o1 + a2[2] * o2 + a2[3] * o3 + a2[4] * o4 + p2[k]
                    y3[k] = a3[0] * o0 + a3[1] * o1 + a3[2] * o2 + a3[3] * o3 + a3[4] * o4 + p3[k]
                    y4[k] = a4[0] * o0 + a4[1] * o1 + a4[2] * o2 + a4[3] * o3 + a4[4] * o4 + p4[k]
                c0, c1, c2 = common[step, 0], common[step, 1], common[step, 2]
                c3, c4 = common[step, 3], common[step, 4]
                l0, l1, l2 = levels[0, old], levels[1, old], levels[2, old]
                n0, n1, n2 = levels[0, new], levels[1, new], levels[2, new]
                for k in range(BLOCK):
                    change = s0 * q[k] * (y0[k] + c0[k]) + d0[k]
                    n0[k] = _grown(l0[k], change, e3, e4, e5, e6, e7, e8)
                for k in range(BLOCK):
                    change = s1 * q[k] * (y1[k] + c1[k]) + d1[k]
                    n1[k] = _grown(l1[k], change, e3, e4, e5, e6, e7, e8)
                for k in range(BLOCK):
                    change = s2 * q[k] * (y2[k] + c2[k]) + d2[k]
                    n2[k] = _grown(l2[k], change, e3, e4, e5, e6, e7, e8)
                for k in range(BLOCK):
                    swing_g[k] = s3 * q[k] * (y3[k] + c3[k]) + d3[k]
                for k in range(BLOCK):
                    swing_s[k] = s4 * q[k] * (y4[k] + c4[k]) + d4[k]
            else:
                for g in range(3):
                    for k in range(BLOCK):
                        levels[g, new, k] = levels[g, old, k]
            rates = yields[t]
            need[:] = 0.0
            for ledger in range(2):
                row = ledger * LEDGER_ROWS
                level_a = levels[2, new] if ledger else levels[0, new]
                level_b = ones if ledger else levels[1, new]
                swing = swing_s if ledger else swing_g
                target = quarterly[u, FUND_TARGET, t] if ledger == 0 else _ZERO
                drop = quarterly[u, row + ROLL_DROP, t]
                _ledger_first(row, t, quarterly[u], once[u, FOLLOW[ledger]], level_a, level_b,
                              swing, due, matured[ledger], accrued[ledger], arrears[ledger], rates,
                              interest, plan, spend, unplanned)  # fmt: skip
                if traced.shape[0]:
                    of_a, of_b = quarterly[u, row + REVENUE_A, t], quarterly[u, row + REVENUE_B, t]
                    kept_a = of_a - quarterly[u, row + GAP_A, t]
                    kept_b = of_b - quarterly[u, row + GAP_B, t]
                    other = quarterly[u, row + SPENDING, t] - quarterly[u, row + PLAN, t]
                    for k in range(BLOCK):
                        traced[u, ledger, 8, t, k] = kept_a * level_a[k] + kept_b * level_b[k]
                        traced[u, ledger, 9, t, k] = other - of_a - of_b
                _ledger_close(row, t, quarterly[u], once[u, ROOM[ledger]], once[u, CUT_SHARE],
                              target, drop, due, plan, spend, unplanned, interest, debt[ledger],
                              plan_debt[ledger], fund[ledger], arrears[ledger], issued, more_bonds,
                              drawn, filled, added, repaid, cut)  # fmt: skip
                _vintages(row, t, quarters, quarterly[u], tenor[u], tenor_share[u], rates, issued,
                          accrued[ledger], issues[ledger], coupons[ledger],
                          matured[ledger])  # fmt: skip
                for k in range(BLOCK):
                    need[k] += issued[k] + drawn[k] + added[k]
                for k in range(BLOCK):
                    slots[ledger, k] = debt[ledger, k] + arrears[ledger, k]
                _over_four(t, spend_ring[ledger], spend, slots[2 + ledger])
                _over_four(t, interest_ring[ledger], interest, slots[4 + ledger])
                if traced.shape[0]:
                    out = traced[u, ledger]
                    for k in range(BLOCK):
                        out[0, t, k], out[1, t, k] = debt[ledger, k], arrears[ledger, k]
                        out[2, t, k], out[3, t, k] = plan[k], quarterly[u, row + RECOGNISED, t]
                        out[4, t, k], out[5, t, k], out[6, t, k] = due[k], issued[k], interest[k]
                        out[7, t, k] = spend[k]
                        out[10, t, k], out[11, t, k] = drawn[k], filled[k]
                        out[12, t, k], out[13, t, k], out[14, t, k] = added[k], repaid[k], cut[k]
            for k in range(BLOCK):
                slots[6, k] = arrears[0, k] + arrears[1, k]
            _over_four(t, need_ring, need, slots[7])
            for f in range(flow_driver.shape[0]):
                out_f, base = slots[LEDGER_SLOTS + f], flow_base[u, f]
                g = flow_driver[f]
                m3, m2 = levels[g, (t - 3) % 4], levels[g, (t - 2) % 4]
                m1, m0 = levels[g, (t - 1) % 4], levels[g, new]
                b3, b2, b1, b0 = base[t], base[t + 1], base[t + 2], base[t + 3]
                for k in range(BLOCK):
                    out_f[k] = b0 * m0[k] + b1 * m1[k] + b2 * m2[k] + b3 * m3[k]
            for w in range(variants):
                if w == 1 and has_extra[u] >= 0:
                    for s in range(extra.shape[1]):
                        more = extra[has_extra[u], s, t]
                        if more != _ZERO:
                            for k in range(BLOCK):
                                slots[s, k] += more
                if w == 0 or has_extra[u] >= 0:
                    _evaluate(program, slots)
                for s in range(summed.shape[0] if counted[u] else 0):
                    into, value = sums[w, s, t], slots[summed[s]]
                    for k in range(BLOCK):
                        into[k] += value[k]
                _count(w, u, t, paths, slots, shown, low, scale, line_of, line_at, line_open,
                       consecutive, worst[w], last[w], run, places, histogram, total, valid,
                       beyond, ever)  # fmt: skip
                if w == keep_of:
                    for s in range(keep.shape[0]):
                        for k in range(BLOCK):
                            kept[u, s, t, k] = slots[keep[s], k]
                for c in range(checkpoints.shape[0]):
                    if checkpoints[c] == t:
                        for n in range(line_of.shape[0]):
                            into_n, top = breaching[w, n, c], worst[w, line_of[n]]
                            edge, opened = line_at[n], line_open[n]
                            for k in range(BLOCK):
                                hit = top[k] > edge or (not opened and top[k] == edge)
                                into_n[k] += 1 if hit else 0


@njit(**_JIT)
def read_histograms(
    histogram: Any, low: Any, scale: Any, quantiles: Any, tail_from: Any, found: Any, tail: Any
) -> Any:
    """Quantiles and mean above a quantile of each histogram, linear inside a bin."""
    for row in range(histogram.shape[0]):
        bins, width = histogram[row], 1.0 / scale[row]
        n = 0
        for k in range(bins.shape[0]):
            n += bins[k]
        if n == 0:
            continue
        wanted, below, cut = 0, 0, tail_from * n
        mass, weight = 0.0, 0.0
        for k in range(bins.shape[0]):
            count = bins[k]
            if count == 0:
                continue
            while wanted < quantiles.shape[0] and below + count >= _least(quantiles[wanted] * n):
                share = (_least(quantiles[wanted] * n) - below) / count
                found[row, wanted] = low[row] + (k + share) * width
                wanted += 1
            above = _less(float(count), below + count - cut)
            if above > 0.0:
                inside = 1.0 - 0.5 * above / count  # the tail is the upper part of its first bin
                mass += above * (low[row] + (k + inside) * width)
                weight += above
            below += count
        tail[row] = mass / weight


@njit(inline="always")
def _least(rank: Any) -> Any:
    return rank if rank > 0.5 else 0.5
