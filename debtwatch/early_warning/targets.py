"""What is predicted: entry into a worse class, the class at a horizon, or a listed event.

The class of a government in a period is 1 (worse), 0 (not) or NaN (not known). With horizon h,
origin t and class s::

    entry   y = 1 if any s(t+k) = 1, 0 if every s(t+k) = 0, k = 1..h; at risk where s(t) = 0
    status  y = s(t+h); at risk where s(t) is known
    event   as entry, with the column of events for s

The class at the origin is that of the row known then; outcomes are those of the latest vintage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.early_warning.sample import Array, Mask, Note, Observations, Words
from debtwatch.early_warning.spec import Spec, Target
from debtwatch.early_warning.table_join import NEVER
from debtwatch.early_warning.target_classes import Positions, judge
from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.rules.rulebook import Rulebook

Days = NDArray[np.datetime64]


@dataclass(frozen=True)
class Labels:
    """Outcomes of rows, in their order.

    Attributes
    ----------
    y : ndarray, shape (rows,)
        1 event, 0 none, NaN censored or not at risk.
    at_risk : ndarray of bool, shape (rows,)
    event_period : ndarray, shape (rows,)
        Period of the first event in the window; NaN without one.
    rule : ndarray of str, shape (rows,)
        Version of the rule at the end of the window; empty where none is in force.
    day : ndarray of datetime64[D], shape (rows,)
        Day by which every figure of the window was first published; NaT where none is.
    notes : tuple of Note
    """

    y: Array
    at_risk: Mask
    event_period: Array
    rule: Words
    day: Days
    notes: tuple[Note, ...] = ()


def label(
    observations: Observations, spec: Spec, books: Sequence[Rulebook], *, rows: pd.DataFrame
) -> Labels:
    """Give the outcome of each row.

    Parameters
    ----------
    observations : Observations
    spec : Spec
    books : sequence of Rulebook
        Used where the target is that of a rulebook. The class at the origin and throughout the
        window is judged by the version for the end of the window (of a year its fourth quarter):
        a change of the rule alone is no entry.
    rows : DataFrame
        Columns ``unit``, ``period`` (ordinal of the origin), ``known_period`` (of the latest row
        known at the origin, -1 without one) and ``vintage`` (position of that row in
        ``observations.frame``, -1 without one).

    Returns
    -------
    Labels
        A row without a known row is not at risk. A window with a period that is not known is
        censored unless an event was seen in it; with ``unreported = "event"`` a period that others
        report and this government does not is one. A period that nobody reports is passed over,
        but a window that ends in one, or beyond the data, is censored throughout: of its
        governments only those with an early event would count.

    Raises
    ------
    DataProblem
        When no class of ``worse`` occurs, when one differs from a class that does only in its
        writing, when the rulebook has no such outcome or no such field, or when a column of events
        holds other values than 1 and 0.
    RulebookProblem
        When no rulebook has that name.

    Examples
    --------
    >>> spec = Spec.model_validate({
    ...     "id": "x", "title": {"zh": "例", "en": "x"}, "country": "XX",
    ...     "target": {"kind": "entry", "horizon": 1, "ratio": "r", "line": 1.0},
    ...     "feature": [{"id": "r", "of": "r", "label": {"zh": "例", "en": "r"}}]})
    >>> frame = pd.DataFrame({"unit": ["a"] * 3, "period": [2020, 2021, 2022],
    ...                       "r": [0.8, 0.9, 1.0]})
    >>> rows = pd.DataFrame({"unit": ["a"] * 3, "period": [2020, 2021, 2022],
    ...                      "known_period": [2020, 2021, 2022], "vintage": [0, 1, 2]})
    >>> labels = label(Observations(frame, "year", (), {}), spec, (), rows=rows)
    >>> labels.y.tolist(), labels.at_risk.tolist()
    ([0.0, 1.0, nan], [True, True, False])
    """
    target = spec.target
    frame = observations.frame
    origin = rows["period"].to_numpy(dtype=np.int64)
    end = origin + target.horizon
    judged = judge(frame, target, books, observations.frequency)
    vintage = rows["vintage"].to_numpy(dtype=np.int64)
    known = vintage >= 0
    state = np.full(len(rows), np.nan)
    state[known] = judged.of(vintage[known], end[known])
    window = np.full((target.horizon, len(rows)), np.nan)
    closed = np.zeros(len(rows), dtype=bool)
    day = np.full(len(rows), np.datetime64("NaT"), dtype="datetime64[D]")
    version = judged.versions(end)
    for number in np.unique(version[version >= 0]).tolist():
        chosen = version == number
        grid = _grid(frame, judged.state[number])
        units, start = rows["unit"][chosen], origin[chosen]
        steps = [start + k for k in range(1, target.horizon + 1)]
        window[:, chosen] = [grid.outcome(units, period, target) for period in steps]
        closed[chosen] = grid.closed(end[chosen], target)
        looked_at = steps[-1:] if target.kind == "status" else steps
        day[chosen] = np.fmax.reduce([grid.published(units, period) for period in looked_at])
        if target.kind == "event":
            state[chosen] = grid.at(units, start, target)
    at_risk = known & (~np.isnan(state) if target.kind == "status" else state == 0)
    y, first = _outcomes(window, target)
    y = np.where(at_risk & closed, y, np.nan)
    event_period = np.where(y == 1, origin + first, np.nan)
    return Labels(y, at_risk, event_period, judged.references(end), day, judged.notes)


def check_outcomes(y: Array, at_risk: Mask, *, horizon: int) -> None:
    """Refuse to learn where there is nothing to tell apart.

    Parameters
    ----------
    y : ndarray, shape (rows,)
        1, 0 or NaN.
    at_risk : ndarray of bool, shape (rows,)
    horizon : int
        Periods.

    Raises
    ------
    DataProblem
        When no row is at risk or has a known outcome, or all known outcomes are the same.

    Examples
    --------
    >>> try:
    ...     check_outcomes(np.array([0.0, 0.0, np.nan]), np.full(3, True), horizon=1)
    ... except DataProblem as problem:
    ...     print(problem)
    Of 2 rows with a known outcome 0 are events and 2 are not; a model needs both. ...
    """
    known = at_risk & ~np.isnan(y)
    events = int((y[known] == 1).sum())
    count = int(known.sum())
    if not at_risk.any():
        raise DataProblem(
            N_("None of {rows} rows is at risk: in each the government is in the class already, or "
               "its present class is not known. Check the column, the line and the classes of the "
               "target, and whether the column's cells can be read."),
            rows=len(y),
        )  # fmt: skip
    if not count:
        raise DataProblem(
            N_("No row has a known outcome: {at_risk} of {rows} rows are at risk, and none of them "
               "has figures for the {horizon} periods that follow. Give a table that reaches "
               "further, or a shorter horizon."),
            at_risk=int(at_risk.sum()), rows=len(y), horizon=horizon,
        )  # fmt: skip
    if events in {0, count}:
        raise DataProblem(
            N_("Of {count} rows with a known outcome {events} are events and {others} are not; a "
               "model needs both. Give more periods or governments, or check the line and the "
               "classes of the target."),
            count=count, events=events, others=count - events,
        )  # fmt: skip


# -- windows --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Grid:
    """Class of each unit in each period, in the latest vintage.

    Attributes
    ----------
    units : Index
    first : int
        Period of the first column.
    state : ndarray, shape (units, periods)
    reported : ndarray of bool, shape (periods,)
        Whether anybody's class is known.
    day : ndarray of datetime64[D], shape (units, periods)
        First publication of a class; NaT where none is, or only a list of events tells it.
    """

    units: pd.Index[str]
    first: int
    state: Array
    reported: Mask
    day: Days

    def closed(self, end: Positions, target: Target) -> Mask:
        """Tell which windows end in a period with outcomes; a list of events has all its own."""
        if target.kind == "event" and target.unlisted == "no event":
            return self._inside(end)
        return self._anybody(end)

    def _inside(self, period: Positions) -> Mask:
        return np.asarray((period >= self.first) & (period < self.first + self.state.shape[1]))

    def _anybody(self, period: Positions) -> Mask:
        """Tell in which periods anybody's class is known."""
        inside = self._inside(period)
        known = np.zeros(len(period), dtype=bool)
        known[inside] = self.reported[period[inside] - self.first]
        return known

    def at(self, units: pd.Series[str], period: Positions, target: Target) -> Array:
        """Class of units in periods; what is not listed as the target takes it."""
        found, places = self._places(units, period)
        state = np.full(len(period), np.nan)
        state[found] = self.state[places]
        if target.kind == "event" and target.unlisted == "no event":
            state[self._inside(period) & np.isnan(state)] = 0.0
        return state

    def published(self, units: pd.Series[str], period: Positions) -> Days:
        """First publication of the class of units in periods."""
        found, places = self._places(units, period)
        day = np.full(len(period), np.datetime64("NaT"), dtype="datetime64[D]")
        day[found] = self.day[places]
        return day

    def _places(
        self, units: pd.Series[str], period: Positions
    ) -> tuple[Mask, tuple[NDArray[np.intp], Positions]]:
        """Tell which units and periods are in the grid, and where."""
        code = self.units.get_indexer(pd.Index(units))
        found = self._inside(period) & (code >= 0)
        return found, (code[found], period[found] - self.first)

    def outcome(self, units: pd.Series[str], period: Positions, target: Target) -> Array:
        """Class of units in later periods; one that nobody reports is passed over as 0."""
        state = self.at(units, period, target)
        anybody = self._anybody(period)
        unknown = np.isnan(state)
        state[unknown & self._inside(period) & ~anybody] = 0.0
        if target.unreported == "event":
            state[unknown & anybody] = 1.0
        return state


def _grid(frame: pd.DataFrame, state: Array) -> _Grid:
    latest = ~frame.duplicated(["unit", "period"], keep="last").to_numpy()
    code, units = pd.factorize(frame["unit"])
    period = frame["period"].to_numpy(dtype=np.int64)
    first, last = (int(period.min()), int(period.max())) if len(frame) else (0, -1)
    grid = np.full((len(units), last - first + 1), np.nan)
    grid[code[latest], period[latest] - first] = state[latest]
    day = np.full(grid.shape, np.datetime64("NaT"), dtype="datetime64[D]")
    if "known_from" in frame:
        days = frame["known_from"].to_numpy(dtype="datetime64[D]")
        # Of several vintages the one written last stays: here the first that tells a class.
        telling = np.flatnonzero(~np.isnan(state) & (days < NEVER))[::-1]
        day[code[telling], period[telling] - first] = days[telling]
    return _Grid(pd.Index(units), first, grid, ~np.isnan(grid).all(axis=0), day)


def _outcomes(window: Array, target: Target) -> tuple[Array, Array]:
    """Outcome of each row and the step at which its first event comes."""
    if target.kind == "status":
        return window[-1], np.full(window.shape[1], float(target.horizon))
    hit = window == 1
    known = ~np.isnan(window).any(axis=0)
    y = np.where(hit.any(axis=0), 1.0, np.where(known, 0.0, np.nan))
    return y, 1.0 + hit.argmax(axis=0)
