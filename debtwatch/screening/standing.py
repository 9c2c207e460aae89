"""How the register stands at a quarter: what holds, what is due, what the forecasts became."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from debtwatch.panel.register import (
    ConditionEvent,
    ConditionRecord,
    DecisionRecord,
    OverrideRecord,
    Register,
)
from debtwatch.rules.expression import at_least, exceeds
from debtwatch.screening.settings import screening_settings

ConditionState = Literal["met", "waived", "broken", "overdue", "due", "open"]


#: Decisions on which a project may go ahead, so that its conditions bind.
PROCEEDS = ("pass", "conditional")


@dataclass(frozen=True)
class Observed:
    """What the accounts of a quarter say; None where they say nothing.

    Attributes
    ----------
    ratio : float or None
        The indicator that the decision forecast.
    debt, capacity : float or None
        Yuan.
    """

    ratio: float | None = None
    debt: float | None = None
    capacity: float | None = None


#: Figures of a decision's government at a quarter.
Actual = Callable[[DecisionRecord, int], Observed]


@dataclass(frozen=True)
class ConditionStanding:
    """A condition and what became of it.

    Attributes
    ----------
    decision : DecisionRecord
    condition : ConditionRecord
    state : {"met", "waived", "broken", "overdue", "due", "open"}
        ``due`` in its last quarter, ``overdue`` after it.
    event : ConditionEvent or None
        The latest.
    """

    decision: DecisionRecord
    condition: ConditionRecord
    state: ConditionState
    event: ConditionEvent | None = None


@dataclass(frozen=True)
class Moved:
    """A figure at the decision and now; ``change`` is relative, None when it cannot be told."""

    name: Literal["ratio", "debt", "capacity"]
    then: float | None
    now: float | None
    change: float | None
    too_far: bool | None


@dataclass(frozen=True)
class PassCheck:
    """Whether the figures behind a pass have moved too far for it to hold.

    Attributes
    ----------
    decision : DecisionRecord
    quarter : int or None
        Ordinal of the latest quarter with figures since the decision's own.
    moves : tuple of Moved
    lapsed : bool or None
        None when it cannot be told.
    """

    decision: DecisionRecord
    quarter: int | None
    moves: tuple[Moved, ...]
    lapsed: bool | None


@dataclass(frozen=True)
class Forecast:
    """A decision's central outlook beside what happened.

    Attributes
    ----------
    decision : DecisionRecord
    quarter : int
        Ordinal of the latest quarter, up to the report's, that has both; without any, the last
        that the outlook covers.
    without, with_ : float or None
        Forecast.
    actual : float or None
    crossed : bool or None
        Whether the accounts reached the line since the decision; None without line or figures.
    crossed_in, expected_without, expected_with : int or None
        Ordinals of the first quarter beyond the line, in the accounts and in the outlook.
    """

    decision: DecisionRecord
    quarter: int
    without: float | None
    with_: float | None
    actual: float | None
    crossed: bool | None
    crossed_in: int | None
    expected_without: int | None
    expected_with: int | None

    @property
    def miss_without(self) -> float | None:
        """Actual less forecast without the project, as a decimal."""
        return _less(self.actual, self.without)

    @property
    def miss_with(self) -> float | None:
        """Actual less forecast with the project, as a decimal."""
        return _less(self.actual, self.with_)


@dataclass(frozen=True)
class RegisterStanding:
    """The register at a quarter.

    Attributes
    ----------
    quarter : int
        Ordinal.
    as_of : date
    in_force, expired, superseded : tuple of DecisionRecord
        Each decision stands in one of these or in ``lapsed``.
    passes : tuple of PassCheck
        Of passes that have not expired.
    conditions : tuple of ConditionStanding
        Of decisions that no later one replaced.
    returning : tuple of DecisionRecord
        Deferrals whose earliest quarter has come.
    overrides : tuple of (DecisionRecord, OverrideRecord)
        Of decisions in force.
    forecasts : tuple of Forecast
        Of decisions on earlier quarters.
    """

    quarter: int
    as_of: dt.date
    in_force: tuple[DecisionRecord, ...] = ()
    expired: tuple[DecisionRecord, ...] = ()
    superseded: tuple[DecisionRecord, ...] = ()
    passes: tuple[PassCheck, ...] = ()
    conditions: tuple[ConditionStanding, ...] = ()
    returning: tuple[DecisionRecord, ...] = ()
    overrides: tuple[tuple[DecisionRecord, OverrideRecord], ...] = ()
    forecasts: tuple[Forecast, ...] = ()

    @property
    def lapsed(self) -> tuple[PassCheck, ...]:
        """Passes whose figures moved too far."""
        return tuple(p for p in self.passes if p.lapsed)

    @property
    def unchecked(self) -> tuple[PassCheck, ...]:
        """Passes of which it cannot be told."""
        return tuple(p for p in self.passes if p.lapsed is None)

    def in_state(self, *states: ConditionState) -> tuple[ConditionStanding, ...]:
        """Conditions in some states."""
        return tuple(c for c in self.conditions if c.state in states)


def standing(
    register: Register,
    *,
    quarter: int,
    as_of: dt.date,
    actual: Actual,
    moved: float | None = None,
) -> RegisterStanding:
    """Judge the register at a quarter.

    A decision that a later one replaced counts only as superseded, with its conditions: the later
    decision states its own, and what was met before must be shown again.

    Parameters
    ----------
    register : Register
    quarter : int
        Ordinal of the quarter of the report.
    as_of : date
        Nothing recorded later counts.
    actual : callable
        Figures of a decision's government at a quarter; none later than ``quarter`` are asked for.
    moved : float, optional
        Share by which a figure may move before a pass lapses; that of ``models/screening.toml``.
    """
    limit = screening_settings().validity.moved if moved is None else moved
    register = register.known_on(as_of)
    latest = {d.decision_id for d in register.latest().values()}
    ordered = sorted(register.decisions, key=lambda d: (d.unit, d.code, d.screened_on, d.quarter))
    current = [d for d in ordered if d.decision_id in latest]
    valid = [d for d in current if d.valid_until is None or d.valid_until >= quarter]
    expired = [d for d in current if d.valid_until is not None and d.valid_until < quarter]
    passes = tuple(_pass_check(d, quarter, actual, limit) for d in valid if d.outcome == "pass")
    lapsed = {p.decision.decision_id for p in passes if p.lapsed}
    in_force = tuple(d for d in valid if d.decision_id not in lapsed)
    return RegisterStanding(
        quarter=quarter,
        as_of=as_of,
        in_force=in_force,
        expired=tuple(expired),
        superseded=tuple(d for d in ordered if d.decision_id not in latest),
        passes=passes,
        conditions=tuple(_conditions(register, current, quarter)),
        returning=tuple(
            d
            for d in in_force
            if d.outcome == "defer" and d.earliest is not None and d.earliest <= quarter
        ),
        overrides=tuple((d, d.override) for d in in_force if d.override is not None),
        forecasts=tuple(
            found for d in ordered if (found := _forecast(d, quarter, actual)) is not None
        ),
    )


# -- conditions ----------------------------------------------------------------------------------


def _conditions(
    register: Register, decisions: list[DecisionRecord], quarter: int
) -> Iterator[ConditionStanding]:
    events: dict[tuple[str, int], ConditionEvent] = {}
    for event in register.events:  # in the order of recording: of one day, the last counts
        key = (event.decision_id, event.number)
        if key not in events or event.on >= events[key].on:
            events[key] = event
    for decision in decisions:
        if decision.outcome not in PROCEEDS:
            continue  # what a deferred or rejected proposal would have to change binds nobody
        for condition in decision.conditions:
            latest = events.get((decision.decision_id, condition.number))
            state = condition_state(condition.due, latest, quarter)
            yield ConditionStanding(decision, condition, state, latest)


def condition_state(due: int | None, event: ConditionEvent | None, quarter: int) -> ConditionState:
    """State of a condition at a quarter: what was recorded last, else how its date lies.

    Examples
    --------
    >>> [condition_state(8, None, quarter) for quarter in (7, 8, 9)]
    ['open', 'due', 'overdue']
    """
    if event is not None:
        states: dict[str, ConditionState] = {"met": "met", "waived": "waived"}
        return states.get(event.status, "broken")
    if due is None or quarter < due:
        return "open"
    return "due" if quarter == due else "overdue"


# -- passes --------------------------------------------------------------------------------------


def _pass_check(decision: DecisionRecord, quarter: int, actual: Actual, limit: float) -> PassCheck:
    """Compare the figures of a decision with the latest since."""
    seen = next(
        (
            (at, figures)
            for at in range(quarter, decision.quarter - 1, -1)
            if (figures := actual(decision, at)) != Observed()
        ),
        None,
    )
    at, now = seen if seen is not None else (None, Observed())
    moves = (
        _moved("ratio", decision.ratio_now, now.ratio, limit),
        _moved("debt", decision.debt_now, now.debt, limit),
        _moved("capacity", decision.capacity_now, now.capacity, limit),
    )
    # Figures of the decision's own quarter are what it rested on: they say nothing new later.
    stale = at is None or (at == decision.quarter and quarter > decision.quarter)
    return PassCheck(decision, at, moves, _lapsed(moves, stale=stale))


def _lapsed(moves: tuple[Moved, ...], *, stale: bool) -> bool | None:
    if any(m.too_far for m in moves):
        return True
    told = [m for m in moves if m.then is not None]
    unknown = stale or not told or any(m.too_far is None for m in told)
    return None if unknown else False


def _moved(
    name: Literal["ratio", "debt", "capacity"],
    then: float | None,
    now: float | None,
    limit: float,
) -> Moved:
    if then is None or now is None:
        return Moved(name, then, now, None, None)
    if then == 0:
        return Moved(name, then, now, None, now != 0)
    change = (now - then) / abs(then)
    return Moved(name, then, now, change, bool(exceeds(np.asarray(abs(change)), limit)))


# -- forecasts -----------------------------------------------------------------------------------


def _forecast(decision: DecisionRecord, quarter: int, actual: Actual) -> Forecast | None:
    """Set a decision's outlook beside the accounts; None before there is anything to compare."""
    first = decision.first_quarter
    last = min(quarter, first + max(len(decision.path_without), len(decision.path_with)) - 1)
    if decision.quarter >= quarter or last < first:
        return None
    figures = {at: actual(decision, at).ratio for at in range(first, last + 1)}
    common = [
        at
        for at, value in figures.items()
        if value is not None and (_at(decision, at, with_=False) is not None
                                  or _at(decision, at, with_=True) is not None)
    ]  # fmt: skip
    at = max(common, default=last)
    known = [(q, value) for q, value in figures.items() if value is not None]
    crossed_in = next((q for q, value in known if _beyond(decision, value)), None)
    return Forecast(
        decision=decision,
        quarter=at,
        without=_at(decision, at, with_=False),
        with_=_at(decision, at, with_=True),
        actual=figures[at],
        crossed=None if decision.line is None or not known else crossed_in is not None,
        crossed_in=crossed_in,
        expected_without=_expected(decision, decision.path_without),
        expected_with=_expected(decision, decision.path_with),
    )


def _at(decision: DecisionRecord, quarter: int, *, with_: bool) -> float | None:
    path = decision.path_with if with_ else decision.path_without
    k = quarter - decision.first_quarter
    return path[k] if 0 <= k < len(path) else None


def _expected(decision: DecisionRecord, path: tuple[float | None, ...]) -> int | None:
    ordinals = enumerate(path, decision.first_quarter)
    return next((q for q, v in ordinals if v is not None and _beyond(decision, v)), None)


def _beyond(decision: DecisionRecord, value: float) -> bool:
    if decision.line is None:
        return False
    compare = at_least if decision.line_inclusive else exceeds
    return bool(compare(np.asarray(value), decision.line))


def _less(actual: float | None, forecast: float | None) -> float | None:
    return None if actual is None or forecast is None else actual - forecast
