"""What was known on the day of an origin: the latest vintage of each period published by then.

Figures are arranged once as a grid of units and periods; what was known at an origin is a grid of
positions of rows, from which any column can be read without a search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.early_warning.period_names import period_end
from debtwatch.early_warning.sample import Array, Frequency, Observations, Words
from debtwatch.early_warning.spec import Data

Positions = NDArray[np.intp]
Days = NDArray[np.datetime64]
#: Periods by which the latest known row may lag an origin: one year.
STALE: dict[Frequency, int] = {"year": 1, "quarter": 4}


@dataclass(frozen=True)
class Grid:
    """Rows of the observations arranged by unit and period.

    Attributes
    ----------
    frame : DataFrame
        Of the observations: sorted by unit, period and publication day.
    units : ndarray of str, shape (units,)
    first : int
        Period of the first column of the grid.
    ends : ndarray of datetime64[D], shape (periods,)
        Last day of each period.
    unit, column : ndarray of intp, shape (rows,)
        Place of each row in the grid.
    day : ndarray of datetime64[D], shape (rows,)
        Publication day.
    earliest : ndarray of intp, shape (units, periods)
        Row of the first vintage; -1 where there is no row.
    frequency : {"year", "quarter"}
    """

    frame: pd.DataFrame
    units: Words
    first: int
    ends: Days
    unit: Positions
    column: Positions
    day: Days
    earliest: Positions
    frequency: Frequency


@dataclass(frozen=True)
class AsKnown:
    """What was known at one origin.

    Attributes
    ----------
    grid : Grid
    origin : int
        Period, as an ordinal.
    day : datetime64[D]
        Nothing published later is seen.
    row : ndarray of intp, shape (units, periods up to the origin)
        Row of the latest vintage known; -1 where none was. Periods after the origin are not in it,
        even where figures for them (a budget) had been published.
    vintages : ndarray of int, shape (periods up to the origin,)
        Rows known of each period. The rows known by a day include those known by an earlier one,
        so the same count means the same rows.
    latest : ndarray of intp, shape (units,)
        Column of each unit's latest known period, at most a year before the origin; -1 where it
        has none.
    """

    grid: Grid
    origin: int
    day: np.datetime64
    row: Positions
    vintages: NDArray[np.int64]
    latest: Positions

    def wide(self, values: NDArray[Any]) -> Array:
        """Spread a column over the grid.

        Parameters
        ----------
        values : ndarray of float, shape (rows,)
            A column of the observations.

        Returns
        -------
        ndarray, shape (units, periods up to the origin)
            NaN where no row was known.
        """
        return np.where(self.row >= 0, values[self.row], np.nan)


def arrange(observations: Observations) -> Grid:
    """Arrange observations by unit and period.

    Parameters
    ----------
    observations : Observations

    Returns
    -------
    Grid
    """
    frame = observations.frame
    unit, units = pd.factorize(frame["unit"].astype(object))
    period = frame["period"].to_numpy(np.int64)
    first, last = (int(period.min()), int(period.max())) if len(period) else (0, -1)
    column = (period - first).astype(np.intp)
    ends = np.array(
        [period_end(p, observations.frequency) for p in range(first, last + 1)], "datetime64[D]"
    )
    earliest = np.full((len(units), len(ends)), -1, np.intp)
    backwards = np.arange(len(frame))[::-1]
    # Of several rows for one place the one written last stays: here the first vintage.
    earliest[unit[backwards], column[backwards]] = backwards
    return Grid(
        frame=frame,
        units=np.asarray(units, dtype=object),
        first=first,
        ends=ends,
        unit=unit,
        column=column,
        day=frame["known_from"].to_numpy("datetime64[D]"),
        earliest=earliest,
        frequency=observations.frequency,
    )


def origin_day(origin: int, data: Data, frequency: Frequency) -> np.datetime64:
    """Give the day on which the scores of an origin are made.

    The period's end and ``origin_days``, or ``lag_days`` where that is not given.

    Examples
    --------
    >>> str(origin_day(2021, Data(lag_days=120), "year"))
    '2022-04-30'
    >>> str(origin_day(4 * 2021, Data(lag_days=120, origin_days=0), "quarter"))
    '2021-03-31'
    """
    days = data.lag_days if data.origin_days is None else data.origin_days
    return np.datetime64(period_end(origin, frequency), "D") + np.timedelta64(days, "D")


def as_known(grid: Grid, origin: int, data: Data) -> AsKnown:
    """Give what was known at an origin.

    Parameters
    ----------
    grid : Grid
    origin : int
        Period, as an ordinal; it may lie after the last period of the data.
    data : Data
        Says how many days after the period's end the origin's day is.

    Returns
    -------
    AsKnown

    Notes
    -----
    ``spec/methods.md`` 2.3: of each unit and period the last record with ``known_from`` on or
    before the origin's day.

    Examples
    --------
    >>> frame = pd.DataFrame({
    ...     "unit": ["a"] * 3, "period": [2020, 2020, 2021], "debt": [1.0, 1.5, 2.0],
    ...     "known_from": pd.to_datetime(["2021-04-01", "2022-04-01", "2022-06-01"])})
    >>> grid = arrange(Observations(frame, "year", (), {}))
    >>> as_known(grid, 2020, Data(lag_days=120)).wide(frame["debt"].to_numpy()).tolist()
    [[1.0]]
    >>> as_known(grid, 2021, Data(lag_days=120)).wide(frame["debt"].to_numpy()).tolist()
    [[1.5, nan]]
    """
    day = origin_day(origin, data, grid.frequency)
    columns = min(max(origin - grid.first + 1, 0), len(grid.ends))
    seen = np.flatnonzero((grid.day <= day) & (grid.column < columns))
    row = np.full((len(grid.units), columns), -1, np.intp)
    row[grid.unit[seen], grid.column[seen]] = seen  # Of several vintages the last one stays.
    oldest = max(origin - STALE[grid.frequency] - grid.first, 0)
    recent = row[:, oldest:] >= 0
    latest = np.full(len(grid.units), -1, np.intp)
    if recent.shape[1]:
        back = np.argmax(recent[:, ::-1], axis=1)
        latest = np.where(recent.any(axis=1), columns - 1 - back, -1).astype(np.intp)
    return AsKnown(
        grid=grid,
        origin=origin,
        day=day,
        row=row,
        vintages=np.bincount(grid.column[seen], minlength=columns),
        latest=latest,
    )
