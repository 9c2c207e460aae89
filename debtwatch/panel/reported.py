"""Reported figures as arrays: a row for each government, a column for each quarter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.panel.quarterly import FloatArray, quarters_from_to_date
from debtwatch.panel.store import Known

Key = tuple[str, str]  # field, basis


@dataclass(frozen=True)
class Reported:
    """Figures as they were reported, by field and basis.

    Attributes
    ----------
    units : tuple of str
        Codes of the rows.
    first_quarter : int
        Ordinal of the first column.
    quarters : int
        Number of columns.
    values : mapping from (field, basis) to ndarray, shape (units, quarters)
        NaN where not reported.
    known_from : mapping from (field, basis) to ndarray of days
    """

    units: tuple[str, ...]
    first_quarter: int
    quarters: int
    values: Mapping[Key, FloatArray]
    known_from: Mapping[Key, NDArray[np.datetime64]]

    def value(self, field: str, basis: str) -> FloatArray:
        """Figures of a field on a basis, all missing when there are none."""
        found = self.values.get((field, basis))
        return np.full((len(self.units), self.quarters), np.nan) if found is None else found

    def year_to_date(self, field: str) -> FloatArray:
        """Annual figures, else the cumulative figures of fourth quarters, at fourth quarters."""
        to_date = self.value(field, "to_date").copy()
        number = (self.first_quarter + np.arange(self.quarters)) % 4
        to_date[:, number != 3] = np.nan
        annual = self.value(field, "year")
        return np.where(np.isnan(annual), to_date, annual)

    def stock(self, field: str) -> FloatArray:
        """Balances at the dates reported."""
        return self.value(field, "stock")

    def discrete(self, field: str) -> FloatArray:
        """Quarters as reported or as differences of cumulative figures."""
        from_to_date = quarters_from_to_date(self.value(field, "to_date"), self.first_quarter)
        quarter = self.value(field, "quarter")
        return np.where(np.isnan(quarter), from_to_date, quarter)

    def fields(self) -> set[str]:
        """Names of the fields with any figure."""
        return {field for field, _ in self.values}

    def without(self, excluded: Mapping[Key, NDArray[np.bool_]]) -> Reported:
        """Leave the doubtful figures out."""
        values = {
            key: np.where(excluded[key], np.nan, array) if key in excluded else array
            for key, array in self.values.items()
        }
        return Reported(self.units, self.first_quarter, self.quarters, values, self.known_from)


def as_arrays(known: Known) -> Reported:
    """Arrange what is known into arrays.

    Parameters
    ----------
    known : Known
        Latest vintages on a day.

    Returns
    -------
    Reported
        Columns run from four quarters before the first figure to the last, so that lags exist.
    """
    frame = known.observations
    units = tuple(known.units.index.astype(str))
    if frame.empty:
        return Reported(units, 0, 0, {}, {})
    first = int(frame["quarter"].min()) // 4 * 4
    quarters = int(frame["quarter"].max()) // 4 * 4 + 4 - first
    rows = _positions(frame["unit"], units)
    columns = (frame["quarter"] - first).to_numpy()
    value = frame["value"].to_numpy(dtype=np.float64)
    days = frame["known_from"].to_numpy().astype("datetime64[D]")
    codes, keys = _keys(frame)
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(keys) + 1))
    values: dict[Key, FloatArray] = {}
    known_from: dict[Key, NDArray[np.datetime64]] = {}
    for number, key in enumerate(keys):
        chosen = order[bounds[number] : bounds[number + 1]]
        array = np.full((len(units), quarters), np.nan)
        dates = np.full((len(units), quarters), np.datetime64("NaT"), dtype="datetime64[D]")
        array[rows[chosen], columns[chosen]] = value[chosen]
        dates[rows[chosen], columns[chosen]] = days[chosen]
        values[str(key[0]), str(key[1])] = array
        known_from[str(key[0]), str(key[1])] = dates
    return Reported(units, first, quarters, values, known_from)


def _positions(words: pd.Series, units: tuple[str, ...]) -> NDArray[np.intp]:
    """Row of each word's unit, by its category rather than word by word."""
    coded = words.astype("category")
    table = pd.Index(units).get_indexer(coded.cat.categories.astype(str))
    return np.asarray(table[coded.cat.codes.to_numpy()])


def _keys(frame: pd.DataFrame) -> tuple[NDArray[np.intp], list[Key]]:
    """Field and basis of each row as one code, with the pairs in order of code."""
    field, basis = frame["field"].astype("category"), frame["basis"].astype("category")
    width = len(basis.cat.categories)
    combined = field.cat.codes.to_numpy().astype(np.intp) * width + basis.cat.codes.to_numpy()
    present, codes = np.unique(combined, return_inverse=True)
    names, bases = list(field.cat.categories), list(basis.cat.categories)
    return codes, [(str(names[k // width]), str(bases[k % width])) for k in present]
