"""Cells of a plain table as figures, words, periods and days; what cannot be read is counted."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.early_warning.sample import Array, Frequency, Words
from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.numbers import LARGEST, read_number
from debtwatch.panel.period import parse_day, parse_period

_FLAGS = {"true": 1.0, "yes": 1.0, "是": 1.0, "false": 0.0, "no": 0.0, "否": 0.0}
_INFINITE = frozenset({"inf", "infinity", "∞"})
#: How a table of floats writes a year: 2021.0.
_POINT_ZERO = re.compile(r"(?<=^\d{4})\.0+$")
#: Stands for a blank cell among ordinals.
NO_PERIOD = -1


@dataclass(frozen=True)
class Figures:
    """Figures of a column.

    Attributes
    ----------
    values : ndarray, shape (rows,)
        NaN where missing, infinite or unreadable.
    infinite : int
        Cells that are infinite, or so large that sums would overflow.
    unreadable : int
    first : str
        Text of the first unreadable cell.
    """

    values: Array
    infinite: int = 0
    unreadable: int = 0
    first: str = ""


def read_figures(column: pd.Series[Any], missing: Collection[str]) -> Figures:
    """Read numbers as people type them; words for true and false are 1 and 0.

    Parameters
    ----------
    column : Series, shape (rows,)
    missing : collection of str
        Words that mean missing, in small letters.

    Examples
    --------
    >>> read_figures(pd.Series(["1,200", "n.d.", "inf", "12 km"]), {"n.d."})
    Figures(values=array([1200.,   nan,   nan,   nan]), infinite=1, unreadable=1, first='12 km')
    """
    values, words = _typed(column)
    codes, cells = pd.factorize(words)
    read = [_figure(cell, missing) for cell in cells]
    wrong = np.array([figure is None for figure in read], dtype=bool)
    spelled = np.array([np.nan if f is None else f for f in read], dtype=np.float64)
    known = np.concatenate([values[~np.isnan(values)], spelled[~np.isnan(spelled)]])
    if wrong.any() and np.isin(known, (0.0, 1.0)).all():
        for place in np.flatnonzero(wrong).tolist():
            flag = _FLAGS.get(str(cells[place]).strip().casefold())
            if flag is not None:
                spelled[place], wrong[place] = flag, False
    counts = np.bincount(codes[codes >= 0], minlength=len(cells))
    values[words.index] = np.append(spelled, np.nan)[codes]
    too_large = np.abs(values) >= LARGEST
    first = str(cells[int(wrong.argmax())])[:40] if wrong.any() else ""
    values[too_large] = np.nan
    return Figures(values, int(too_large.sum()), int(counts[wrong].sum()), first)


def _typed(column: pd.Series[Any]) -> tuple[Array, pd.Series[Any]]:
    """Numbers that are numbers already, and the other cells by their position."""
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        values = np.array(column.to_numpy(dtype=np.float64, na_value=np.nan))
        return values, pd.Series([], dtype=object, index=pd.Index([], dtype=np.int64))
    cells = column.to_numpy(dtype=object)
    plain = np.fromiter((type(cell) is float for cell in cells), dtype=bool, count=len(cells))
    values = np.full(len(cells), np.nan)
    values[plain] = cells[plain].astype(np.float64)
    return values, pd.Series(cells[~plain], index=np.flatnonzero(~plain), dtype=object)


def _figure(cell: Any, missing: Collection[str]) -> float | None:
    """Give the number of a cell: NaN for a blank, None when it is not a number."""
    if isinstance(cell, float | int | np.integer) and not isinstance(cell, bool):
        return float(cell)
    if isinstance(cell, str):
        word = cell.strip().casefold()
        if word in missing:
            return float("nan")
        if word.lstrip("+-") in _INFINITE:
            return float("inf")
    return read_number(None if cell is None else cell)


def read_words(column: pd.Series[Any], missing: Collection[str]) -> Words:
    """Read words, None where missing; whole numbers are written without a point.

    Examples
    --------
    >>> read_words(pd.Series(["A", "n.d.", None]), {"n.d."}).tolist()
    ['A', None, None]
    >>> read_words(pd.Series([1100015.0, None]), ()).tolist()
    ['1100015', None]
    """
    codes, cells = pd.factorize(column)
    words = [_word(cell) for cell in cells]
    kept = [None if w == "" or w.casefold() in missing else w for w in words]
    table = np.empty(len(kept) + 1, dtype=object)
    table[: len(kept)] = kept
    return np.asarray(table[codes], dtype=object)


def _word(cell: Any) -> str:
    whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell) if whole else cell).strip()


def read_days(column: pd.Series[Any], *, name: str, file: str) -> NDArray[np.datetime64]:
    """Read calendar days, NaT where blank.

    Raises
    ------
    DataProblem
        When a cell is no day.

    Examples
    --------
    >>> days = read_days(pd.Series(["2021年4月30日", None]), name="published", file="a.csv")
    >>> days.astype("datetime64[D]").tolist()
    [datetime.date(2021, 4, 30), None]
    """
    codes, cells = pd.factorize(column)
    days = [parse_day(None if _word(cell) == "" else cell) for cell in cells]
    for cell, day in zip(cells, days, strict=True):
        if day is None and _word(cell):
            raise DataProblem(
                N_("{file}, column {column}: “{cell}” in row {row} is not a day; write days as "
                   "2021-04-30."),
                file=file, column=name, cell=str(cell)[:40], row=_row_of(column, cell),
            )  # fmt: skip
    table = np.array([*(np.datetime64(day or "NaT", "s") for day in days), np.datetime64("NaT")])
    return np.asarray(table.astype("datetime64[s]")[codes])


def read_periods(
    column: pd.Series[Any], *, name: str, file: str
) -> tuple[NDArray[np.int64], Frequency | None]:
    """Read years or quarters as ordinals.

    Parameters
    ----------
    column : Series
    name, file : str
        Of the column and its file, for messages.

    Returns
    -------
    ordinals : ndarray of int
        :data:`NO_PERIOD` where blank.
    frequency : {"year", "quarter"} or None
        None of a column without any period.

    Raises
    ------
    DataProblem
        When a cell is no period, or years and quarters are mixed.

    Examples
    --------
    >>> read_periods(pd.Series([2021, "2022年", 2020.0]), name="year", file="a.csv")
    (array([2021, 2022, 2020]), 'year')
    """
    codes, cells = pd.factorize(column)
    ordinals: list[int] = []
    kinds: dict[Frequency, Any] = {}
    for cell in cells:
        word = cell if isinstance(cell, dt.date) else _word(cell)
        period = parse_period(_POINT_ZERO.sub("", word) if isinstance(word, str) else word)
        if period is None and word != "":
            raise DataProblem(
                N_("{file}, column {column}: “{cell}” in row {row} is not a period; write years "
                   "as 2021 and quarters as 2021Q3."),
                file=file, column=name, cell=str(cell)[:40], row=_row_of(column, cell),
            )  # fmt: skip
        if period is None:
            ordinals.append(NO_PERIOD)
            continue
        yearly = period.kind == "year"
        kinds.setdefault("year" if yearly else "quarter", cell)
        ordinals.append(period.quarter // 4 if yearly else period.quarter)
    if len(kinds) > 1:
        raise DataProblem(
            N_("{file}, column {column} mixes years such as “{year}” with quarters such as "
               "“{quarter}”; keep one of the two."),
            file=file, column=name, year=str(kinds["year"]), quarter=str(kinds["quarter"]),
        )  # fmt: skip
    table = np.array([*ordinals, NO_PERIOD], dtype=np.int64)
    return np.asarray(table[codes]), next(iter(kinds), None)


def _row_of(column: pd.Series[Any], cell: Any) -> int:
    """Row of the first cell of a text, the first row below the names being 1."""
    return int(np.flatnonzero((column == cell).to_numpy(dtype=bool, na_value=False))[0]) + 1
