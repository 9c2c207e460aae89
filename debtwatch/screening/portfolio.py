"""Which set of projects fits: a mixed-integer programme under headroom by quarter.

The programme is solved exactly (HiGHS) within a limit of time, and every set that it returns is
checked again in plain arithmetic. A greedy set stands beside it; the chance version is verified by
simulation and tightened until it holds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, hstack, identity

from debtwatch.language import N_
from debtwatch.rules.expression import exceeds
from debtwatch.rules.rulebook import Bilingual
from debtwatch.screening.portfolio_rows import (
    MONEY_ROWS,
    WAN,
    Candidate,
    Limits,
    Programme,
    Row,
    programme,
)
from debtwatch.screening.sentence import Money, Name, Number, Sentence, Share
from debtwatch.screening.settings import ScreeningSettings

Array = NDArray[np.float64]
#: Up to so many options the programme is solved to the end; beyond, to the gap of the settings.
EXACT_OPTIONS = 300
#: Rows whose right side is raised to see what more room is worth.
RAISED_ROWS = 6
#: Share of the time that the choice itself may take; the rest is for the raised rows.
MAIN_SHARE = 0.6
NEIGHBOURS = 10
ROUNDS = 8
#: Largest coefficient of a row, so that the solver's tolerance is small beside a yuan.
_ROW_SCALE = 1e3
_SCORE_SCALE = 1e5
#: Weight of all debt beside the largest score: less debt decides among equal scores only.
_TIE_WEIGHT = 1e-7
_SAME = 1e-9


@dataclass(frozen=True)
class Chosen:
    """A project in the set: how many quarters later it starts, and at which scale."""

    code: str
    quarters_later: int
    scale: float


@dataclass(frozen=True)
class BindingRow:
    """A row that limits the set.

    Attributes
    ----------
    key : str
        ``headroom``, ``general_quota``, ``special_quota``, ``general_interest``,
        ``special_interest``, ``ppp``, ``cash``, ``sanbao``, ``need``, ``excludes`` or ``requires``.
    label : Bilingual
    quarter : int or None
    right_side, slack : float
        In the unit of the row, yuan for money.
    dual : float
        Value of one more 万元 by the linear relaxation, not by the chosen set; of one more unit
        where the row is not money.
    value_at_1, value_at_5 : float or None
        Value of the best set when the right side is 1 % and 5 % larger, solved again.
    """

    key: str
    label: Bilingual
    quarter: int | None
    right_side: float
    slack: float
    dual: float
    value_at_1: float | None = None
    value_at_5: float | None = None


@dataclass(frozen=True)
class Portfolio:
    """The chosen set of one government.

    Attributes
    ----------
    unit : str
    chosen : tuple of Chosen
    left_out : tuple of str
        Codes of candidates that are not in the set.
    value, bound : float
        Score of the set, and the best bound of the solver.
    gap : float
        ``(bound - value) / bound``, 0 when proven optimal. The score of mandatory projects is left
        out of the divisor: the weight of safety would hide any gap.
    proven : bool
        Whether the gap is within the one asked for.
    infeasible : tuple of str
        Names of the rows that mandatory projects exceed by themselves, such as
        ``headroom 2027Q4``; in the chance version ``tolerance``.
    greedy : tuple of Chosen
    greedy_value : float
    binding : tuple of BindingRow
    probability, probability_before : float or None
        Of breach with the chosen set and without any project, by simulation.
    tolerance : float or None
        Probability that the chance version keeps to.
    rounds : int
        How often the rows were tightened until the simulation agreed.
    baseline_breaches : bool
        Whether the line is crossed without any project: the rows then only forbid to worsen it.
    quarters : int
        Quarters ahead that rows and probabilities cover.
    swaps : tuple of (str, str, float)
        Neighbours: code out, code in, and the change of value, best first.
    unknown_rows : tuple of str
        Rows left out because their limit is not known, such as ``cash 2027``.
    no_room : tuple of str
        Rows that are crossed without any project: they only forbid to worsen that.
    barred : tuple of str
        Codes left out because a project that they require is no candidate.
    reasons : tuple of Sentence
        ``infeasible`` in sentences.
    """

    unit: str
    chosen: tuple[Chosen, ...]
    left_out: tuple[str, ...]
    value: float
    bound: float
    gap: float
    proven: bool
    infeasible: tuple[str, ...] = ()
    greedy: tuple[Chosen, ...] = ()
    greedy_value: float = 0.0
    binding: tuple[BindingRow, ...] = ()
    probability: float | None = None
    probability_before: float | None = None
    tolerance: float | None = None
    rounds: int = 0
    baseline_breaches: bool = False
    swaps: tuple[tuple[str, str, float], ...] = ()
    quarters: int = 0
    unknown_rows: tuple[str, ...] = ()
    no_room: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    reasons: tuple[Sentence, ...] = ()


def choose_portfolio(
    candidates: Sequence[Candidate],
    limits: Limits,
    settings: ScreeningSettings,
    *,
    chance_room: Array | None = None,
) -> Portfolio:
    """Choose the set of projects with the highest score that keeps to every row.

    A value counts in proportion to scale and falls by the discount for each quarter of delay. Equal
    scores are decided by lower debt. Where a limit is crossed without any project, its row forbids
    to worsen it.

    Parameters
    ----------
    candidates : sequence of Candidate
        Projects that are not rejected.
    limits : Limits
    settings : ScreeningSettings
    chance_room : ndarray, optional
        Headroom in each quarter instead of ``tau * F - D - buffer * F``.

    Raises
    ------
    ValueError
        When a code appears twice, or lengths of limits and options differ, or a flow is missing.
    """
    clock = _Clock.of(settings.portfolio.time_limit)
    asked = programme(candidates, limits, settings, chance_room=chance_room)
    found = _search(asked, settings, clock.left * MAIN_SHARE)
    return _portfolio(asked, found, limits.unit, settings, clock=clock)


def choose_with_chance(
    candidates: Sequence[Candidate],
    limits: Limits,
    settings: ScreeningSettings,
    *,
    paths: Mapping[str, Array],
    breach: Callable[[Array, Array], float],
) -> Portfolio:
    """Choose the best set found whose simulated probability of breach keeps to the tolerance.

    The right side of each headroom row is the quantile of ``tau * F - D`` over the paths at the
    tolerance. A quantile for each quarter does not bound the probability over all of them; so the
    set is simulated, and the quantile halved until the set holds, then raised again as far as it
    still holds, in at most eight rounds.

    Parameters
    ----------
    candidates : sequence of Candidate
    limits : Limits
    settings : ScreeningSettings
    paths : mapping with ``capacity`` and ``debt``, ndarrays of shape (paths, quarters)
        Simulated without any project.
    breach : callable
        Probability of breach over the horizon, from debt and capacity added in each quarter.

    Raises
    ------
    ValueError
        As :func:`choose_portfolio`.
    """
    clock = _Clock.of(settings.portfolio.time_limit)
    nothing = np.zeros(limits.quarters)
    before = breach(nothing, nothing)
    room = np.sort(limits.tau * paths["capacity"] - paths["debt"], axis=0)
    chance = _Chance(tuple(candidates), limits, settings, room, breach, clock)
    best, rounds = chance.search(before)
    chosen = _portfolio(best.programme, best.found, limits.unit, settings, clock=clock)
    tolerance = settings.portfolio.tolerance
    probability = best.probability if best.exists else before
    chosen = replace(chosen, probability=probability, probability_before=before,
                     tolerance=tolerance, rounds=rounds)  # fmt: skip
    if _holds(probability, tolerance):
        return chosen
    told = {"probability": Share(probability), "tolerance": Share(tolerance)}
    reason = Sentence(
        N_("The mandatory projects included, no set was found that crosses the line with a "
           "probability of at most {tolerance}; the best found has {probability}."), told
    ) if _holds(before, tolerance) else Sentence(
        N_("Without any project the line is crossed with a probability of {probability}, more than "
           "the tolerance of {tolerance}."), told | {"probability": Share(before)}
    )  # fmt: skip
    return replace(chosen, infeasible=(*chosen.infeasible, "tolerance"),
                   reasons=(*chosen.reasons, reason))  # fmt: skip


def gap_sentence(portfolio: Portfolio) -> Sentence:
    """Say how good the set is known to be.

    Parameters
    ----------
    portfolio : Portfolio

    Examples
    --------
    >>> from debtwatch.language import language
    >>> one = Portfolio("c", (), (), 0.995, 1.0, 0.005, proven=False)
    >>> gap_sentence(one).say(language("en"))
    'The search ended at its limit of time; its score is within 0.50% of the best possible one.'
    """
    if portfolio.infeasible:
        return Sentence(N_("No set of projects keeps to every row; the rows are named."))
    # Rounded up: what is said must hold.
    gap = Share(math.ceil(portfolio.gap * 1e4 - _SAME) / 1e4, 2)
    if not portfolio.proven:
        return Sentence(
            N_("The search ended at its limit of time; its score is within {gap} of the best "
               "possible one."), {"gap": gap}
        )  # fmt: skip
    if portfolio.gap <= _SAME:
        return Sentence(N_("Proven: no other set has a higher score."))
    return Sentence(N_("Proven: the score is within {gap} of the best possible one."), {"gap": gap})


@dataclass(frozen=True)
class _Clock:
    """A limit of time that several solutions share."""

    end: float

    @classmethod
    def of(cls, seconds: float) -> _Clock:
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        return max(self.end - time.monotonic(), 0.0)


@dataclass(frozen=True)
class _Relaxation:
    """Linear relaxation: bound, worth of one more unit of each row, score of what is mandatory."""

    bound: float
    duals: Array
    certain: Array


@dataclass(frozen=True)
class _Found:
    """A set of options; None where there is none."""

    picks: tuple[int, ...] | None
    bound: float = 0.0
    proven: bool = False
    greedy: tuple[int, ...] | None = None
    relaxation: _Relaxation | None = None


@dataclass(frozen=True)
class _Trial:
    programme: Programme
    found: _Found
    probability: float

    @property
    def exists(self) -> bool:
        return self.found.picks is not None


def _search(asked: Programme, settings: ScreeningSettings, seconds: float) -> _Found:
    """Best set: solver, improved by swaps; greedy where the solver has none or a worse one."""
    if not asked.options:
        # A mandatory candidate without options can be met by no set.
        return _Found(None if asked.mandatory.any() else (), 0.0, proven=True)
    relaxation = _relax(asked)
    if relaxation is None:
        return _Found(None)
    picks, bound = _solve(
        asked, relaxation.certain, gap=_asked_gap(asked, settings), seconds=seconds
    )
    greedy = _greedy(asked, relaxation, picks)
    ends = [_improve(asked, p) for p in (picks, greedy) if p is not None]
    if not ends:
        return _Found(None, min(bound, relaxation.bound), relaxation=relaxation)
    best = max(ends, key=lambda p: (round(asked.value(p), 9), -_debt(asked, p)))
    value = asked.value(best)
    bound = max(min(bound, relaxation.bound), value)
    if bound - value <= _SAME * _yardstick(asked):
        bound = value
    return _Found(
        best, bound, _gap(asked, best, bound) <= settings.portfolio.gap + _SAME, greedy,
        relaxation,
    )  # fmt: skip


def _asked_gap(asked: Programme, settings: ScreeningSettings) -> float:
    return 0.0 if len(asked.options) <= EXACT_OPTIONS else settings.portfolio.gap


def _yardstick(asked: Programme) -> float:
    """Largest score of an option that is a choice; of any, where all are mandatory."""
    free = ~asked.mandatory[asked.group]
    return max(float(np.abs(asked.values[free] if free.any() else asked.values).max()), _SAME)


def _gap(asked: Programme, picks: Sequence[int], bound: float) -> float:
    value = asked.value(picks)
    if bound <= value:
        return 0.0
    certain = sum(float(asked.values[k]) for k in picks if asked.mandatory[asked.group[k]])
    return (bound - value) / (bound - certain)


def _debt(asked: Programme, picks: Sequence[int]) -> float:
    return float(asked.debts[list(picks)].sum())


def _scales(asked: Programme) -> Array:
    largest = np.abs(asked.matrix).max(axis=1, initial=0.0)
    return _ROW_SCALE / np.where(largest > 0, largest, 1.0)


def _groups(asked: Programme) -> csr_array:
    """One row for each candidate, with a one for each of its options."""
    many = len(asked.options)
    shape = (len(asked.candidates), many)
    return csr_array((np.ones(many), (asked.group, np.arange(many))), shape=shape)


def _relax(asked: Programme) -> _Relaxation | None:
    """Solve with fractions allowed; None where even those do not fit."""
    scales = _scales(asked)
    groups, must = _groups(asked).toarray(), asked.mandatory
    # The score that is certain is taken off: the weight of safety would drown the others.
    base = np.zeros(len(asked.candidates))
    np.maximum.at(base, asked.group, np.where(must[asked.group], asked.values, 0.0))
    fixed: dict[str, Any] = (
        {"A_eq": groups[must], "b_eq": np.ones(int(must.sum()))} if must.any() else {}
    )
    done = linprog(
        -(asked.values - base[asked.group]),
        A_ub=np.vstack([asked.matrix * scales[:, None], groups[~must]]),
        b_ub=np.concatenate([asked.right * scales, np.ones(int((~must).sum()))]),
        **fixed,
        bounds=(0, None),
        method="highs",
    )
    if done.x is None or done.fun is None:
        return None
    duals = np.maximum(-done.ineqlin.marginals[: len(asked.rows)], 0.0) * scales
    certain = np.zeros(len(base))
    np.add.at(certain, asked.group, np.where(must[asked.group], asked.values * done.x, 0.0))
    return _Relaxation(float(-done.fun + base.sum()), duals, certain)


def _solve(
    asked: Programme, certain: Array, *, gap: float, seconds: float
) -> tuple[tuple[int, ...] | None, float]:
    """Best set by the solver, and its bound on every set.

    A set that the solver takes for fitting but that exceeds a row in plain arithmetic is forbidden,
    and the programme solved again. The score that is certain is taken off, so that the gap asked
    for is one of the scores that are a choice.
    """
    clock = _Clock.of(seconds)
    scales, largest, total = _scales(asked), _yardstick(asked), max(float(asked.debts.sum()), 1.0)
    unit, tie = _SCORE_SCALE / largest, _TIE_WEIGHT * largest
    cost = -(asked.values - certain[asked.group] - tie * asked.debts / total) * unit
    limits = [
        LinearConstraint(csr_array(asked.matrix * scales[:, None]), -np.inf, asked.right * scales),
        LinearConstraint(_groups(asked), asked.mandatory.astype(float), 1.0),
    ]
    bound = np.inf
    while True:
        done = milp(cost, integrality=np.ones(len(cost), dtype=int), bounds=Bounds(0, 1),
                    constraints=limits,
                    options={"time_limit": max(clock.left, 0.01), "mip_rel_gap": gap})  # fmt: skip
        dual = done.mip_dual_bound
        if dual is not None and np.isfinite(dual):
            bound = min(bound, -dual / unit + float(certain.sum()) + tie)
        if done.x is None:
            return None, bound
        taken = done.x > 0.5
        picks = tuple(int(k) for k in np.flatnonzero(taken))
        if asked.fits(picks):
            exact = done.status == 0 and gap == 0.0
            return picks, asked.value(picks) if exact else bound
        if clock.left <= 0:
            return None, bound
        forbid = np.where(taken, 1.0, -1.0)[None, :]
        limits.append(LinearConstraint(csr_array(forbid), -np.inf, len(picks) - 1.0))


def _greedy(
    asked: Programme, relaxation: _Relaxation, solved: tuple[int, ...] | None
) -> tuple[int, ...] | None:
    """Take options by score per unit of the binding rows, mandatory first; improve by swaps.

    Several rows that bind are weighed by their duals. Mandatory options are those of the solved set
    where their best ones do not fit together.
    """
    price = np.maximum(relaxation.duals @ asked.matrix, 0.0)
    binding = price > _SAME * np.abs(asked.values)
    worth = np.full(len(price), np.inf)
    worth[binding] = asked.values[binding] / price[binding]
    order = sorted(range(len(worth)), key=lambda k: (-worth[k], -asked.values[k], k))
    must = [k for k in order if asked.mandatory[asked.group[k]]]
    start = _fill(asked, (), must)
    if not asked.fits(start):
        held = _closure(asked, solved)
        if held is None:
            return None
        start = held
    return _improve(asked, _fill(asked, start, order))


def _fill(asked: Programme, start: Sequence[int], order: Sequence[int]) -> tuple[int, ...]:
    """Add options in order while they fit, again until none is added."""
    picks = list(start)
    used = asked.matrix[:, picks].sum(axis=1)
    taken = set(asked.group[picks].tolist())
    added = True
    while added:
        added = False
        for k in order:
            worthless = asked.values[k] <= 0 and not asked.mandatory[asked.group[k]]
            if asked.group[k] in taken or worthless:
                continue
            if np.all(used + asked.matrix[:, k] <= asked.right + asked.slack):
                picks.append(k)
                used = asked.matrix[:, picks].sum(axis=1)
                taken.add(asked.group[k])
                added = True
    return tuple(sorted(picks))


def _closure(asked: Programme, solved: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Mandatory options of a solved set and those that they require; all of it if that fails."""
    if solved is None:
        return None
    needed = {c.code for c in asked.candidates if c.mandatory}
    by_code = {c.code: c for c in asked.candidates}
    waiting = list(needed)
    while waiting:
        more = set(by_code[waiting.pop()].requires) & set(by_code) - needed
        needed |= more
        waiting += sorted(more)
    kept = tuple(k for k in solved if asked.candidates[asked.group[k]].code in needed)
    return kept if asked.fits(kept) else solved


def _improve(asked: Programme, picks: tuple[int, ...]) -> tuple[int, ...]:
    """Swap one option for another, or add one, while the score rises or debt falls beside it."""
    for _ in range(4 * len(asked.candidates) + 4):
        best = max(_moves(asked, picks), default=None, key=lambda m: (m[0], m[1], -m[2], -m[3]))
        if best is None:
            break
        _, _, out, into = best
        picks = tuple(sorted({*picks, into} - {out}))
    return picks


def _moves(asked: Programme, picks: tuple[int, ...]) -> list[tuple[float, float, int, int]]:
    """List better neighbours: gain of score, debt saved, option out (-1 for none), option in."""
    moves = []
    for out in (*picks, -1):
        entering = _fitting(asked, picks, out)
        gain = asked.values[entering] - (asked.values[out] if out >= 0 else 0.0)
        saved = (asked.debts[out] if out >= 0 else 0.0) - asked.debts[entering]
        gain = np.where(np.abs(gain) <= _SAME, 0.0, gain)
        better = (gain > 0) | ((gain == 0) & (saved > 1.0))
        if better.any():
            at = int(np.lexsort((-saved, -np.where(better, gain, -np.inf)))[0])
            moves.append((float(gain[at]), float(saved[at]), out, int(entering[at])))
    return moves


def _fitting(asked: Programme, picks: Sequence[int], out: int) -> NDArray[np.intp]:
    """Options that fit when one is taken out."""
    kept = [k for k in picks if k != out]
    taken = np.zeros(len(asked.candidates), dtype=bool)
    taken[asked.group[kept]] = True
    open_ = ~taken[asked.group]
    if out >= 0:
        open_[out] = False
        if asked.mandatory[asked.group[out]]:
            open_ &= asked.group == asked.group[out]
    at = np.flatnonzero(open_)
    left = asked.right + asked.slack - asked.matrix[:, kept].sum(axis=1)
    fits = (asked.matrix[:, at] <= left[:, None]).all(axis=0)
    return np.asarray(at[fits], dtype=np.intp)


def _portfolio(
    asked: Programme, found: _Found, unit: str, settings: ScreeningSettings, *, clock: _Clock
) -> Portfolio:
    """Put together what is told of a set."""
    shared = Portfolio(
        unit, (), tuple(c.code for c in asked.candidates), 0.0, 0.0, 0.0, proven=False,
        baseline_breaches=asked.baseline_breaches, unknown_rows=asked.unknown,
        no_room=asked.no_room, barred=asked.barred,
    )  # fmt: skip
    if found.picks is None:
        names, reasons = _obstacles(asked, clock)
        return replace(shared, infeasible=names, reasons=reasons)
    value = asked.value(found.picks)
    inside = {asked.candidates[asked.group[k]].code for k in found.picks}
    return replace(
        shared,
        chosen=_chosen(asked, found.picks),
        left_out=tuple(c.code for c in asked.candidates if c.code not in inside),
        value=value,
        bound=found.bound,
        gap=_gap(asked, found.picks, found.bound),
        proven=found.proven,
        greedy=_chosen(asked, found.greedy or ()),
        greedy_value=asked.value(found.greedy or ()),
        binding=_binding(asked, found, settings, clock),
        swaps=_swaps(asked, found.picks),
    )


def _chosen(asked: Programme, picks: Sequence[int]) -> tuple[Chosen, ...]:
    return tuple(
        Chosen(asked.candidates[asked.group[k]].code, asked.options[k].quarters_later,
               asked.options[k].scale)
        for k in picks
    )  # fmt: skip


def _binding(
    asked: Programme, found: _Found, settings: ScreeningSettings, clock: _Clock
) -> tuple[BindingRow, ...]:
    """Rows that bind in the relaxation or that the set uses up, the dearest first."""
    if found.relaxation is None or found.picks is None or not asked.rows:
        return ()
    duals = found.relaxation.duals
    used = asked.matrix[:, list(found.picks)].sum(axis=1)
    left = asked.right - used
    # The price of the whole row compares rows of different units.
    price = duals * np.array([r.size for r in asked.rows])
    binds = (price > _SAME) | (np.abs(left) <= asked.slack)
    at = sorted(np.flatnonzero(binds), key=lambda r: (-price[r], asked.rows[r].name))
    raised = _raised(asked, found, settings, [int(r) for r in at if price[r] > _SAME], clock)
    return tuple(
        _binding_row(asked.rows[r], float(left[r]), float(duals[r]), raised.get(int(r))) for r in at
    )


def _binding_row(
    row: Row, left: float, dual: float, raised: tuple[float, float] | None
) -> BindingRow:
    each = WAN if row.key in MONEY_ROWS else 1.0
    at_1, at_5 = raised or (None, None)
    return BindingRow(row.key, row.label, row.quarter, row.right, left, dual * each, at_1, at_5)


def _raised(
    asked: Programme, found: _Found, settings: ScreeningSettings, rows: list[int], clock: _Clock
) -> dict[int, tuple[float, float]]:
    """Value of the best set when a row has 1 % and 5 % more, for the dearest rows."""
    limited = [r for r in rows if asked.rows[r].key in (*MONEY_ROWS, "need")]
    dearest = [r for r in limited if asked.rows[r].right > 0][:RAISED_ROWS]
    certain = found.relaxation.certain if found.relaxation else np.zeros(len(asked.candidates))
    values: dict[int, tuple[float, float]] = {}
    # What fits now fits with more room; so a search that ran out of time keeps the value of now.
    now = asked.value(found.picks or ())
    for place, r in enumerate(dearest):
        each = clock.left / (2 * (len(dearest) - place))
        steps = [now]
        for factor in (1.01, 1.05):
            more = asked.relaxed(r, factor)
            picks, _ = _solve(more, certain, gap=_asked_gap(asked, settings), seconds=each)
            improved = _improve(more, picks if picks is not None else found.picks or ())
            steps.append(max(steps[-1], asked.value(improved)))
        values[r] = (steps[1], steps[2])
    return values


def _swaps(asked: Programme, picks: tuple[int, ...]) -> tuple[tuple[str, str, float], ...]:
    """Neighbours of the set: one project out, one that is left out in, at its best option."""
    inside = {int(asked.group[k]) for k in picks}
    best: dict[tuple[str, str], float] = {}
    for out in picks:
        if asked.mandatory[asked.group[out]]:
            continue
        for into in _fitting(asked, picks, out):
            if int(asked.group[into]) in inside:
                continue
            pair = (asked.candidates[asked.group[out]].code,
                    asked.candidates[asked.group[into]].code)  # fmt: skip
            change = float(asked.values[into] - asked.values[out])
            best[pair] = max(best.get(pair, -math.inf), change)
    ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    return tuple((out, into, change) for (out, into), change in ranked[:NEIGHBOURS])


def _obstacles(asked: Programme, clock: _Clock) -> tuple[tuple[str, ...], tuple[Sentence, ...]]:
    """Name the rows that no set with the mandatory projects keeps to, by the least excess."""
    empty = [c.code for j, c in enumerate(asked.candidates)
             if asked.mandatory[j] and not (asked.group == j).any()]  # fmt: skip
    if empty:
        message = N_("The mandatory project {code} has no start and scale to choose from.")
        return tuple(empty), tuple(Sentence(message, {"code": code}) for code in empty)
    options, rows = len(asked.options), len(asked.rows)
    scales = 1.0 / np.array([r.size if r.size > 0 else 1.0 for r in asked.rows])
    eased = hstack([csr_array(asked.matrix * scales[:, None]), -identity(rows)], format="csr")
    groups = hstack([_groups(asked), csr_array((len(asked.candidates), rows))], format="csr")
    done = milp(
        np.concatenate([np.zeros(options), np.ones(rows)]),
        integrality=np.repeat([1, 0], [options, rows]),
        bounds=Bounds(0, np.repeat([1.0, np.inf], [options, rows])),
        constraints=[
            LinearConstraint(eased, -np.inf, asked.right * scales),
            LinearConstraint(groups, asked.mandatory.astype(float), 1.0),
        ],
        options={"time_limit": max(clock.left, 1.0)},
    )  # fmt: skip
    if done.x is None:
        return ("time",), (Sentence(N_("The search ended before any set was found.")),)
    picks = np.flatnonzero(done.x[:options] > 0.5)
    over = asked.matrix[:, picks].sum(axis=1) - asked.right
    at = [int(r) for r in np.flatnonzero(over > asked.slack)]
    if not at:
        return ("time",), (Sentence(N_("The search ended before any set was found.")),)
    return (
        tuple(asked.rows[r].name for r in at),
        tuple(_obstacle(asked.rows[r], float(over[r])) for r in at),
    )


def _obstacle(row: Row, over: float) -> Sentence:
    name = Name(row.label)
    if row.key in MONEY_ROWS:
        message = N_("Mandatory projects exceed the row “{row}” by {amount}.")
        return Sentence(message, {"row": name, "amount": Money(over)})
    if row.key == "need":
        message = N_("Mandatory projects exceed the row “{row}” by {amount} units of service.")
        return Sentence(message, {"row": name, "amount": Number(over, 2)})
    return Sentence(N_("Mandatory projects cannot keep to the row “{row}”."), {"row": name})


def _holds(probability: float, tolerance: float) -> bool:
    """Whether a probability keeps to the tolerance; one that is not known does not."""
    known = np.asarray(probability, dtype=np.float64)
    return bool(np.isfinite(known) and not exceeds(known, tolerance))


@dataclass(frozen=True)
class _Chance:
    """Rounds of the chance version: choose under tighter rows, simulate, choose again."""

    candidates: tuple[Candidate, ...]
    limits: Limits
    settings: ScreeningSettings
    room: Array
    breach: Callable[[Array, Array], float]
    clock: _Clock

    def search(self, before: float) -> tuple[_Trial, int]:
        """Best trial that holds, else the one of least probability; and the rounds it took."""
        tolerance = self.settings.portfolio.tolerance
        if not _holds(before, tolerance):
            still = self.at(math.inf, 1)
            return (still, 1) if still.exists else (self.least(self.at(0.0, 2)), 2)
        trials: list[_Trial] = []
        steps = [0.0, 1.0, 2.0, 4.0, 8.0, math.inf]
        low, high, step = -1.0, math.inf, steps.pop(0)
        while len(trials) < ROUNDS - 1:
            trial = self.at(step, len(trials) + 1)
            trials.append(trial)
            if trial.exists and not _holds(trial.probability, tolerance):
                low = step
            else:
                high = step
            if low < 0 or high <= low + 0.05 or (math.isinf(high) and not steps):
                break
            step = steps.pop(0) if math.isinf(high) else (low + high) / 2
        held = [t for t in trials if t.exists and _holds(t.probability, tolerance)]
        if held:
            return max(held, key=lambda t: t.programme.value(t.found.picks or ())), len(trials)
        return self.least(trials[0]), len(trials) + 1

    def at(self, tightness: float, place: int) -> _Trial:
        """Choose with the quantile halved ``tightness`` times, and simulate the set."""
        asked = programme(self.candidates, self.limits, self.settings,
                          chance_room=self.room_at(tightness))  # fmt: skip
        share = MAIN_SHARE / max(ROUNDS - place, 1)
        found = _search(asked, self.settings, self.clock.left * share)
        return self.simulated(asked, found)

    def least(self, trial: _Trial) -> _Trial:
        """Only what is mandatory, under the rows of a trial, and what that requires."""
        asked = trial.programme
        if not trial.exists or not asked.options:
            return trial
        free = ~asked.mandatory[asked.group]
        unwanted = np.where(free, -_yardstick(asked), asked.values)
        found = _search(replace(asked, values=unwanted), self.settings, self.clock.left / 2)
        bound = max(trial.found.bound, asked.value(found.picks or ()))
        return self.simulated(asked, replace(trial.found, picks=found.picks, bound=bound,
                                             proven=False))  # fmt: skip

    def simulated(self, asked: Programme, found: _Found) -> _Trial:
        """Simulate the money that a set adds."""
        if found.picks is None:
            return _Trial(asked, found, math.nan)
        nothing = np.zeros(self.limits.quarters)
        debt = sum((asked.options[k].debt for k in found.picks), nothing)
        capacity = sum((asked.options[k].capacity for k in found.picks), nothing)
        return _Trial(asked, found, self.breach(debt, capacity))

    def room_at(self, tightness: float) -> Array:
        """Right side: a quantile; a share of the smallest room when the quantile is used up."""
        paths = len(self.room)
        known = np.where(np.isnan(self.room).any(axis=0), np.nan, 0.0)
        if math.isinf(tightness):
            return known
        level = self.settings.portfolio.tolerance * 0.5**tightness
        # The value at the level or below, so that less than the level lies beneath it.
        lowest = self.room[max(math.ceil(level * paths) - 1, 0)]
        narrowed: Array = np.where(lowest > 0, lowest * min(level * paths, 1.0), lowest) + known
        return narrowed
