"""The class of each figure of a target: by a line, as published, as listed, or by a rulebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.early_warning.period_names import last_quarter
from debtwatch.early_warning.sample import Array, Frequency, Note, Words
from debtwatch.early_warning.spec import Target
from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.rules.assess import assess
from debtwatch.rules.expression import at_least, exceeds
from debtwatch.rules.rulebook import UNKNOWN, Rulebook
from debtwatch.rules.table import fields_of, versions_named

Positions = NDArray[np.int64]
#: Severity of an outcome that says that nothing can be said.
_NOT_KNOWN = 9


@dataclass(frozen=True)
class Judged:
    """Class of each row of the table under each version of the rule.

    Attributes
    ----------
    state : ndarray, shape (versions, rows)
        1 worse, 0 not, NaN not known.
    names : tuple of str
        Reference of each version.
    version : dict from period to position of its version, or None
        -1 where none is in force. None where one rule holds throughout.
    notes : tuple of Note
    """

    state: Array
    names: tuple[str, ...]
    version: dict[int, int] | None
    notes: tuple[Note, ...] = ()

    def versions(self, period: Positions) -> Positions:
        """Position of the version for each period; -1 where none is in force."""
        if self.version is None:
            return np.zeros(len(period), dtype=np.int64)
        distinct, codes = np.unique(period, return_inverse=True)
        table = np.array([self.version.get(int(p), -1) for p in distinct] or [0], dtype=np.int64)
        return np.asarray(table[codes])

    def of(self, row: Positions, period: Positions) -> Array:
        """Class of rows by the versions for other periods."""
        version = self.versions(period)
        return np.where(version < 0, np.nan, self.state[version, row])

    def references(self, period: Positions) -> Words:
        """Name of the version for each period."""
        return np.array([*self.names, ""], dtype=object)[self.versions(period)]


def judge(
    frame: pd.DataFrame, target: Target, books: Sequence[Rulebook], frequency: Frequency
) -> Judged:
    """Judge every row of a table by the rule of a target, in each of its versions.

    Parameters
    ----------
    frame : DataFrame
        As in :class:`Observations`.
    target : Target
    books : sequence of Rulebook
    frequency : {"year", "quarter"}

    Raises
    ------
    DataProblem, RulebookProblem
        As :func:`debtwatch.early_warning.targets.label` says.

    Examples
    --------
    >>> target = Target(kind="entry", horizon=1, ratio="r", line=0.3)
    >>> judged = judge(pd.DataFrame({"r": [0.1 * 3, 0.29, np.nan]}), target, (), "year")
    >>> judged.state.tolist(), judged.names
    ([[1.0, 0.0, nan]], ('r >= 0.3',))
    """
    if target.ratio is not None and target.line is not None:
        name = f"{target.ratio} {target.operator} {target.line:.12g}"
        return Judged(_beyond(frame[target.ratio], target)[None], (name,), None)
    if target.class_column is not None:
        state, notes = _in_class(frame[target.class_column], target)
        return Judged(state[None], ("class as published",), None, notes)
    if target.event is not None:
        return Judged(_events(frame[target.event], target)[None], ("event as listed",), None)
    return _by_rulebook(frame, target, books, frequency)


def _beyond(column: pd.Series[float], target: Target) -> Array:
    """Tell whether a ratio is beyond the line, with the tolerance of the rulebooks."""
    x: Array = np.asarray(column, dtype=np.float64)
    line = float(target.line or 0.0)
    beyond = {
        ">=": at_least(x, line),
        ">": exceeds(x, line),
        "<=": ~exceeds(x, line),
        "<": ~at_least(x, line),
    }[target.operator]
    return np.where(np.isnan(x), np.nan, beyond.astype(np.float64))


def _in_class(column: pd.Series[str], target: Target) -> tuple[Array, tuple[Note, ...]]:
    words = column.to_numpy(dtype=object)
    missing = np.asarray(pd.isna(column))
    occurring = Counter(words[~missing].tolist())
    absent = [word for word in target.worse if word not in occurring]
    near = [w for w in absent if w.strip().casefold() in {o.strip().casefold() for o in occurring}]
    if near or len(absent) == len(target.worse):
        raise DataProblem(
            N_("The classes {absent}, named as worse, do not occur in column {column}; the classes "
               "that do are {classes}. Write worse as the column does."),
            absent=", ".join(near or absent), column=target.class_column,
            classes=_counted(occurring),
        )  # fmt: skip
    notes = [
        Note(
            N_("The class {name}, named as worse, does not occur in column {column}."),
            {"name": word, "column": target.class_column},
        )
        for word in absent
    ]
    worse = np.isin(words, list(target.worse)) if len(words) else np.zeros(0)
    return np.where(missing, np.nan, worse.astype(np.float64)), tuple(notes)


def _counted(classes: Counter[str], most: int = 12) -> str:
    """Classes with their numbers of rows, most frequent first."""
    said = [f"{name} ({count})" for name, count in classes.most_common(most)]
    return ", ".join(said + (["..."] if len(classes) > most else [])) or "-"


def _events(column: pd.Series[float], target: Target) -> Array:
    values: Array = np.asarray(column, dtype=np.float64)
    odd = values[~np.isnan(values) & (values != 0) & (values != 1)]
    if len(odd):
        raise DataProblem(
            N_("Column {column} lists events as 1 and 0, but {count} of its cells hold another "
               "number, the first {value}."),
            column=target.event, count=len(odd), value=f"{odd[0]:g}",
        )  # fmt: skip
    return values


def _by_rulebook(
    frame: pd.DataFrame, target: Target, books: Sequence[Rulebook], frequency: Frequency
) -> Judged:
    named = versions_named(books, target.rulebook or "")
    _check_names(target, named.books)
    inputs = {name: frame[column].to_numpy() for name, column in target.columns.items()}
    states = []
    for book in named.books:
        own = fields_of([book])
        given = {name: value for name, value in inputs.items() if name in own}
        states.append(_worse(book, given, target, len(frame)))
    version = None
    if not named.pinned:
        periods = frame["period"]
        first, last = (int(periods.min()), int(periods.max())) if len(frame) else (0, -1)
        version = {
            period: max(
                (k for k, book in enumerate(named.books)
                 if book.covers(last_quarter(period, frequency))), default=-1,
            )
            for period in range(first, last + target.horizon + 1)
        }  # fmt: skip
    used = (
        range(len(states)) if version is None else sorted({k for k in version.values() if k >= 0})
    )
    notes = [
        Note(
            N_("The columns given for {rulebook} tell no class by its version {version}; periods "
               "under that version have no outcome."),
            {"rulebook": target.rulebook, "version": named.books[k].version},
        )
        for k in sorted(used)
        if np.isnan(states[k]).all()
    ]  # fmt: skip
    references = tuple(book.reference for book in named.books)
    return Judged(np.stack(states), references, version, tuple(notes))


def _worse(book: Rulebook, inputs: Mapping[str, object], target: Target, rows: int) -> Array:
    """Class of each row by one version; an outcome that says nothing is not known."""
    result = assess(book, inputs)
    names = [*(outcome.id for outcome in book.outcome), UNKNOWN]
    severity = [*(outcome.severity for outcome in book.outcome), _NOT_KNOWN]
    value = [
        1.0 if name in target.worse else np.nan if weight == _NOT_KNOWN else 0.0
        for name, weight in zip(names, severity, strict=True)
    ]
    return np.array(np.broadcast_to(np.array(value)[result.outcome], (rows,)))


def _check_names(target: Target, books: Sequence[Rulebook]) -> None:
    """Fields and classes of a target must be those of the rulebook."""
    kinds = fields_of(books)
    unknown = sorted(name for name in target.columns if name not in kinds)
    if not target.columns:
        raise DataProblem(
            N_("A target by the rulebook {rulebook} needs target.columns, which says which column "
               "holds each of its fields or indicators: {known}."),
            rulebook=target.rulebook, known=", ".join(kinds),
        )  # fmt: skip
    if unknown:
        raise DataProblem(
            N_("target.columns says which column holds each field or indicator of {rulebook}: "
               "{known}. It has none of the names {unknown}."),
            rulebook=target.rulebook, known=", ".join(kinds), unknown=", ".join(unknown),
        )  # fmt: skip
    if series := sorted(name for name in target.columns if kinds[name] == "series"):
        raise DataProblem(
            N_("{names} of {rulebook} holds several years at once, which one column cannot; give "
               "the indicators that use it instead."),
            names=", ".join(series), rulebook=target.rulebook,
        )  # fmt: skip
    outcomes = dict.fromkeys(outcome.id for book in books for outcome in book.outcome)
    if absent := [word for word in target.worse if word not in outcomes]:
        raise DataProblem(
            N_("{rulebook} has no class {absent}, named as worse; its classes are {classes}."),
            rulebook=target.rulebook, absent=", ".join(absent), classes=", ".join(outcomes),
        )  # fmt: skip
