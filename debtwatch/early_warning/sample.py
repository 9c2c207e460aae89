"""The values that travel through the classifier: figures by vintage, and rows to learn from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.rules.table import Note

__all__ = ["Array", "Frequency", "Mask", "Note", "Observations", "Sample", "Words"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Words = NDArray[np.object_]
Frequency = Literal["year", "quarter"]


@dataclass(frozen=True)
class Observations:
    """Figures as published: one row for each unit, period and vintage.

    Attributes
    ----------
    frame : DataFrame
        Columns ``unit``, ``group`` (text), ``period`` (ordinal: the year itself, or the quarter's
        ordinal of :mod:`debtwatch.panel.period`), ``known_from`` (datetime64[D]) and one column
        for each name of :meth:`Spec.columns_read` and each derived column; numbers are float64
        with NaN where missing, classes and words are text with None where missing. Sorted by unit,
        period, known_from; the three are unique.
    frequency : {"year", "quarter"}
    notes : tuple of Note
        What was read in a way the user should know.
    sources : dict of str to str
        File name and sha256 of each table.
    """

    frame: pd.DataFrame
    frequency: Frequency
    notes: tuple[Note, ...]
    sources: dict[str, str]


@dataclass(frozen=True)
class Sample:
    """Rows to learn from and to judge by: one for each unit and origin.

    Attributes
    ----------
    unit, group : ndarray of str, shape (rows,)
    period : ndarray of int, shape (rows,)
        Origin, as an ordinal.
    x : DataFrame, shape (rows, features)
        Features as known at the origin, float64, NaN where missing.
    y : ndarray, shape (rows,)
        1 event, 0 none, NaN censored or not at risk.
    at_risk : ndarray of bool
        Whether the question makes sense for the row: for entry, that it is known not to be in the
        class.
    event_period : ndarray of float
        Period of the first event in the window; NaN without one.
    rule : ndarray of str
        Version of the rule by which the outcome was judged.
    projection : ndarray or None
        Probability of the event by the projection, where there is one.
    frequency : {"year", "quarter"}
    now, extreme : ndarray or None
        Of a target that is a ratio: the ratio as known at the origin, and the worst one within the
        window, NaN where that is not complete. The pooled projection learns from them.
    outcome_day : ndarray of datetime64[D] or None, shape (rows,)
        Day by which every figure of the window was first published; NaT where none is. Nobody could
        learn from the row before. None where days are not told: then the window's end counts.
    notes : tuple of Note
    """

    unit: Words
    group: Words
    period: NDArray[np.int64]
    x: pd.DataFrame
    y: Array
    at_risk: Mask
    event_period: Array
    rule: Words
    projection: Array | None
    frequency: Frequency
    now: Array | None = None
    extreme: Array | None = None
    outcome_day: NDArray[np.datetime64] | None = None
    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    @property
    def known(self) -> Mask:
        """Rows at risk whose outcome is known."""
        return np.asarray(self.at_risk & ~np.isnan(self.y))

    def take(self, rows: Mask | NDArray[np.intp]) -> Sample:
        """Give some rows, in order."""
        return replace(
            self,
            unit=self.unit[rows],
            group=self.group[rows],
            period=self.period[rows],
            x=self.x[rows] if rows.dtype == np.bool_ else self.x.iloc[rows],
            y=self.y[rows],
            at_risk=self.at_risk[rows],
            event_period=self.event_period[rows],
            rule=self.rule[rows],
            projection=None if self.projection is None else self.projection[rows],
            now=None if self.now is None else self.now[rows],
            extreme=None if self.extreme is None else self.extreme[rows],
            outcome_day=None if self.outcome_day is None else self.outcome_day[rows],
        )
