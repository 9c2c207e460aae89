"""The panel: one validated table of governments by quarter, the value that travels.

``store -> known on a day -> arrays -> checks -> quarters -> Panel``. Flows are quarters, balances
stand at quarter ends, money is in yuan. Every figure keeps its publication day and its marks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.panel.check import check
from debtwatch.panel.defaults import defaults
from debtwatch.panel.fields import field_named
from debtwatch.panel.implied import IMPLIED_FIELD, implied_net_transfers
from debtwatch.panel.period import quarter_text
from debtwatch.panel.problem import Problem, cell_name, sort_key
from debtwatch.panel.quarterly import (
    FloatArray,
    quarters_from_years,
    rolling_year,
    year_from_to_date,
)
from debtwatch.panel.reported import Key, Reported, as_arrays
from debtwatch.panel.store import Known

Marks = NDArray[np.int8]
#: Marks of a figure, as bits.
ESTIMATED, IMPLIED, FLAGGED = 1, 2, 4


@dataclass(frozen=True)
class Place:
    """A reported figure and where it stands.

    Attributes
    ----------
    field, basis : str
    quarter : int
    value : float
        As reported, in the held unit.
    status : str
    known_from : date
    known_from_estimated : bool
    file, sheet, cell : str
    """

    field: str
    basis: str
    quarter: int
    value: float
    status: str
    known_from: dt.date
    known_from_estimated: bool
    file: str
    sheet: str
    cell: str


@dataclass(frozen=True)
class Panel:
    """Governments by quarter.

    Attributes
    ----------
    as_of : date
        Nothing published after this day is in it.
    units : DataFrame
        Index ``unit`` (code); columns ``name``, ``level``, ``parent``, ``scope``.
    first_quarter : int
        Ordinal of the first column of each array.
    values : mapping from field to ndarray, shape (units, quarters)
        Discrete quarters of flows, balances at quarter ends; NaN where missing.
    yearly : mapping from field to ndarray, shape (units, quarters)
        Figures as rules use them: flows over the four quarters to each quarter, balances and rates
        as in ``values``.
    marks : mapping from field to ndarray of bits
        :data:`ESTIMATED`, :data:`IMPLIED`, :data:`FLAGGED` (left out, so the value is NaN).
    known_from : mapping from field to ndarray of days
        Publication day; that of the annual figure for estimated quarters.
    problems : tuple of Problem
    known : Known
        What the panel was made of.
    """

    as_of: dt.date
    units: pd.DataFrame
    first_quarter: int
    quarters: int
    values: Mapping[str, FloatArray]
    yearly: Mapping[str, FloatArray]
    marks: Mapping[str, Marks]
    known_from: Mapping[str, NDArray[np.datetime64]]
    problems: tuple[Problem, ...]
    known: Known

    def column(self, quarter: int) -> int | None:
        """Column of a quarter, None outside the panel."""
        column = quarter - self.first_quarter
        return column if 0 <= column < self.quarters else None

    def value(self, field: str) -> FloatArray:
        """Array of a field, all missing when nobody reports it."""
        found = self.values.get(field)
        return np.full((len(self.units), self.quarters), np.nan) if found is None else found

    def frame(self) -> pd.DataFrame:
        """Table with index (unit, quarter text) and a column for each field."""
        quarters = [quarter_text(self.first_quarter + k) for k in range(self.quarters)]
        index = pd.MultiIndex.from_product([self.units.index, quarters], names=["unit", "quarter"])
        return pd.DataFrame({f: v.ravel() for f, v in self.values.items()}, index=index)

    def places(self, units: list[str], first: int, last: int) -> dict[str, list[Place]]:
        """Find the reported figures behind some units' quarters, by unit.

        Parameters
        ----------
        units : list of str
        first, last : int
            Ordinals of the first and last quarter, both included.
        """
        frame = self.known.observations
        frame = frame[frame["quarter"].between(first, last) & frame["unit"].isin(units)]
        files = self.known.imports["file"].to_dict()
        found: dict[str, list[Place]] = {unit: [] for unit in units}
        rows: Iterable[Any] = frame.itertuples(index=False)
        for o in rows:
            found[str(o.unit)].append(
                Place(
                    field=str(o.field),
                    basis=str(o.basis),
                    quarter=int(o.quarter),
                    value=float(o.value),
                    status=str(o.status),
                    known_from=pd.Timestamp(o.known_from).date(),
                    known_from_estimated=bool(o.known_from_estimated),
                    file=str(files.get(o.import_id, "")),
                    sheet=str(o.sheet),
                    cell=cell_name(o.row, o.column),
                )
            )
        return found


def build_panel(known: Known) -> Panel:
    """Check what is known on a day and turn it into quarters.

    Parameters
    ----------
    known : Known

    Returns
    -------
    Panel
    """
    reported = as_arrays(known)
    checked = check(known, reported)
    plausible = reported.without(checked.excluded)
    values: dict[str, FloatArray] = {}
    yearly: dict[str, FloatArray] = {}
    marks: dict[str, Marks] = {}
    days: dict[str, NDArray[np.datetime64]] = {}
    for name in sorted(reported.fields()):
        values[name], marks[name], days[name] = _quarters_of(name, plausible)
        yearly[name] = _yearly(name, plausible, values[name])
        for (field, _), mask in checked.excluded.items():
            if field == name:
                marks[name][mask] |= FLAGGED
    _add_implied(plausible, values, yearly, marks, days)
    return Panel(
        as_of=known.as_of,
        units=known.units,
        first_quarter=reported.first_quarter,
        quarters=reported.quarters,
        values=values,
        yearly=yearly,
        marks=marks,
        known_from=days,
        problems=tuple(sorted(checked.problems, key=sort_key)),
        known=known,
    )


def _quarters_of(name: str, reported: Reported) -> tuple[FloatArray, Marks, NDArray[np.datetime64]]:
    field = field_named(name)
    if field.kind == "stock":
        values = reported.stock(name)
        return values, np.zeros(values.shape, np.int8), _latest(reported, name, ("stock",))
    if field.quantity != "money":  # a rate or a tenor belongs to its year, not to quarters
        values = reported.value(name, "year")
        return values, np.zeros(values.shape, np.int8), _latest(reported, name, ("year",))
    discrete = reported.discrete(name)
    days = _latest(reported, name, ("quarter", "to_date"))
    marks = np.zeros(discrete.shape, np.int8)
    annual = _years_without_quarters(reported.value(name, "year"), discrete)
    if np.isnan(annual).all():
        return discrete, marks, days
    estimated = quarters_from_years(annual, defaults().shares(name))
    fill = np.isnan(discrete) & ~np.isnan(estimated)
    marks[fill] = ESTIMATED
    year_days = np.repeat(_latest(reported, name, ("year",))[:, 3::4], 4, axis=1)
    return np.where(fill, estimated, discrete), marks, np.where(fill, year_days, days)


def _yearly(name: str, reported: Reported, quarters: FloatArray) -> FloatArray:
    """Figures over four quarters: from cumulative figures, else annual totals, else quarters."""
    field = field_named(name)
    if field.kind == "stock" or field.quantity != "money":
        return quarters
    summed = year_from_to_date(reported.value(name, "to_date"), reported.first_quarter)
    for other in (reported.value(name, "year"), rolling_year(quarters)):
        summed = np.where(np.isnan(summed), other, summed)
    return summed


def _years_without_quarters(annual: FloatArray, discrete: FloatArray) -> FloatArray:
    """Annual totals of years in which no quarter is reported, one column a year."""
    totals = annual[:, 3::4]
    any_quarter = ~np.isnan(discrete).reshape(len(discrete), -1, 4).all(axis=2)
    return np.where(any_quarter, np.nan, totals)


def _latest(reported: Reported, name: str, bases: tuple[str, ...]) -> NDArray[np.datetime64]:
    """Latest publication day of the figures on any of some bases."""
    shape = (len(reported.units), reported.quarters)
    days = np.full(shape, np.datetime64("NaT"), dtype="datetime64[D]")
    for basis in bases:
        found: Key = (name, basis)
        if found in reported.known_from:
            days = np.fmax(days, reported.known_from[found])
    return days


def _add_implied(
    reported: Reported,
    values: dict[str, FloatArray],
    yearly: dict[str, FloatArray],
    marks: dict[str, Marks],
    days: dict[str, NDArray[np.datetime64]],
) -> None:
    """Add implied net transfers, marked estimated and implied."""
    annual = implied_net_transfers(reported)
    if np.isnan(annual).all():
        return
    quarters = quarters_from_years(annual[:, 3::4], defaults().shares(IMPLIED_FIELD))
    values[IMPLIED_FIELD] = quarters
    yearly[IMPLIED_FIELD] = np.where(np.isnan(annual), rolling_year(quarters), annual)
    present = ~np.isnan(quarters)
    marks[IMPLIED_FIELD] = np.where(present, ESTIMATED | IMPLIED, 0).astype(np.int8)
    terms = [
        _latest(reported, name, ("year", "to_date", "stock"))[:, 3::4]
        for name in ("gpb_revenue", "gpb_expenditure", "general_debt_balance")
    ]
    latest = np.repeat(np.fmax.reduce(terms), 4, axis=1)
    days[IMPLIED_FIELD] = np.where(present, latest, np.datetime64("NaT"))
