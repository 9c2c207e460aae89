"""Apply one rulebook to a plain table: same rows out, with values, bands, outcome and reasons.

:func:`assess_table` is pure; :mod:`debtwatch.rules.table_file` holds the file formats.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.errors import DataProblem, RulebookProblem
from debtwatch.language import N_, Language
from debtwatch.panel.numbers import read_number, read_numbers
from debtwatch.panel.period import parse_period
from debtwatch.rules.assess import Assessment, assess
from debtwatch.rules.expression import Array, Formula, Node, Series, Text, evaluate, render
from debtwatch.rules.rulebook import NA, NOT_IN_FORCE, UNKNOWN, Bilingual, Rulebook

if TYPE_CHECKING:
    pass

Mask = NDArray[np.bool_]
Inputs = dict[str, Array | Text | Series]
PERIOD_COLUMNS = ("period", "期间", "quarter", "year", "年度")
_BLOCK = 65_536  # rows at a time: the evaluator's intermediate arrays then stay in the cache
_UNREADABLE, _NO_VERSION = -2, -1
_FLAGS = {"true": 1.0, "yes": 1.0, "是": 1.0, "false": 0.0, "no": 0.0, "否": 0.0}


@dataclass(frozen=True)
class Note:
    """Something the user should know: a text and its values, as in an error.

    Attributes
    ----------
    template : str
    values : mapping
        A :class:`Bilingual` value is said in the user's language.
    """

    template: str
    values: Mapping[str, Any]

    def text(self, words: Language) -> str:
        """Say it in a language."""
        said = {
            name: words.pick(value.zh, value.en) if isinstance(value, Bilingual) else value
            for name, value in self.values.items()
        }
        return words.text(self.template).format(**said)


@dataclass(frozen=True)
class Assessed:
    """An assessed table.

    Attributes
    ----------
    table : DataFrame
        Columns of the input, unchanged, then the added ones.
    added : DataFrame
        The added columns alone, as :func:`assess_table` describes them.
    notes : tuple of Note
    outcome : str
        Name of the column of outcomes: ``outcome`` unless the input has one.
    """

    table: pd.DataFrame
    added: pd.DataFrame
    notes: tuple[Note, ...]
    outcome: str

    def outcomes(self) -> list[tuple[str, int]]:
        """Outcomes with their numbers of rows, most frequent first."""
        counts = (
            self.added[self.outcome]
            .value_counts(sort=False)
            .sort_values(ascending=False, kind="stable")
        )
        return [(str(name), int(n)) for name, n in counts.items() if n]


def assess_table(
    frame: pd.DataFrame,
    books: Sequence[Rulebook],
    asked: str,
    *,
    period: str | None = None,
    as_of: dt.date | None = None,
) -> pd.DataFrame:
    """Apply a rulebook to every row of a table.

    Parameters
    ----------
    frame : DataFrame
        One row a government (and period); columns named by field. A column named by an indicator
        is taken as that indicator's value. Other columns are kept and ignored.
    books : sequence of Rulebook
    asked : str
        Id, family, or family@version. A version holds for every row; otherwise the period decides.
    period : str, optional
        Column of periods; by default the first of ``PERIOD_COLUMNS`` that holds periods.
    as_of : date, optional
        Without periods, the newest version in force on this day is used.

    Returns
    -------
    DataFrame
        The columns of ``frame`` and, in this order: each indicator's value and its ``<id>_band``,
        ``outcome``, ``severity``, ``na_reasons``, ``rulebook``. Text columns are categorical,
        missing where there is nothing to say. An added name that the table holds already gets a
        number behind it.

    Raises
    ------
    RulebookProblem
        When no rulebook has that name.
    DataProblem
        When the table holds none of the rulebook's fields and indicators, or one of them twice.

    Examples
    --------
    >>> from debtwatch.rules.rulebook import load_rulebooks
    >>> table = pd.DataFrame({"county": ["a", "b"], "debt_balance": [6.0, "n.d."],
    ...                       "comprehensive_fiscal_capacity": [5.0, 5.0]})
    >>> result = assess_table(table, load_rulebooks(), "cn-debt-tiers")
    >>> result["outcome"].tolist(), result["na_reasons"].tolist()
    (['yellow', 'unknown'], [nan, 'debt_balance is not a number'])
    """
    return assess_rows(frame, books, asked, period=period, as_of=as_of).table


def assess_rows(
    frame: pd.DataFrame,
    books: Sequence[Rulebook],
    asked: str,
    *,
    period: str | None = None,
    as_of: dt.date | None = None,
    taken: Sequence[str] = (),
) -> Assessed:
    """Do what :func:`assess_table` does, and return the notes as well.

    Parameters
    ----------
    frame, books, asked, period, as_of
        As in :func:`assess_table`.
    taken : sequence of str
        Names that no added column may take, besides those of ``frame``.
    """
    named = versions_named(books, asked)
    columns = _columns(frame, named.books)
    periods = None if named.pinned else _periods(frame, named.books, period)
    chosen = _versions(named.books, periods, len(frame), as_of)
    notes = [] if periods is None else [*periods.notes()]
    notes += [
        Note(
            N_("Rulebook {reference} is not enabled: {reason}"),
            {"reference": book.reference, "reason": book.disabled_because},
        )
        for book in chosen.books
        if not book.enabled
    ]
    read = _read(frame, columns, chosen.books)
    notes += read.notes
    if lacking := _lacking(chosen.books, columns):
        text = N_("No column for {fields}: their values count as missing.")
        notes.append(Note(text, {"fields": ", ".join(lacking)}))
    parts = _judge(chosen, read, periods, len(frame))
    made = _made(columns, parts)
    names = _free(made, {*taken, *map(str, frame.columns)})
    text = N_("The table has a column {old}; the new one is called {new}.")
    notes += [Note(text, {"old": a, "new": b}) for a, b in names.items() if a != b]
    added = pd.DataFrame({names[name]: made[name] for name in made}, index=frame.index)
    return Assessed(pd.concat([frame, added], axis=1), added, tuple(notes), names["outcome"])


# -- which rulebook -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Named:
    """Versions that a name stands for and whether one was pinned."""

    books: tuple[Rulebook, ...]
    pinned: bool


def versions_named(books: Sequence[Rulebook], asked: str) -> Named:
    """Versions that a name stands for, oldest first; a disabled one only by id or version."""
    if pinned := [b for b in books if b.reference == asked]:
        return Named(tuple(pinned), True)
    family = [b for b in books if b.family == asked]
    enabled = [b for b in family if b.enabled]
    found = enabled or [b for b in books if b.id == asked]
    if not found and family:
        raise RulebookProblem(
            N_("No version of {asked} is enabled; name one of them: {known}."),
            asked=asked,
            known=", ".join(b.reference for b in family),
        )
    if not found:
        known = ", ".join(sorted({b.reference for b in books}))
        raise RulebookProblem(
            N_("There is no rulebook “{asked}”. Known: {known}."), asked=asked, known=known
        )
    return Named(tuple(sorted(found, key=lambda b: b.effective_from)), False)


@dataclass(frozen=True)
class _Periods:
    """Quarter of each row, -1 where the cell holds no period."""

    column: str
    quarters: NDArray[np.int64]

    def notes(self) -> Iterator[Note]:
        text = N_("Each row is judged by the version for its period, read from column {column}.")
        yield Note(text, {"column": self.column})
        if bad := int((self.quarters < 0).sum()):
            text = N_("{count} rows have no readable period in column {column}; no version of "
                      "the rulebook can be chosen for them.")  # fmt: skip
            yield Note(text, {"column": self.column, "count": bad})


def _periods(frame: pd.DataFrame, books: Sequence[Rulebook], asked: str | None) -> _Periods | None:
    at = {str(name).strip().casefold(): k for k, name in reversed([*enumerate(frame.columns)])}
    if asked is not None:
        position = at.get(asked.strip().casefold())
        if position is None:
            raise DataProblem(
                N_("The table has no column “{column}”; its columns are {columns}."),
                column=asked,
                columns=", ".join(map(str, frame.columns)),
            )
        return _Periods(str(frame.columns[position]), _quarters(frame.iloc[:, position]))
    own = {name.casefold() for name in fields_of(books)}
    for name in PERIOD_COLUMNS:
        if name in at and name not in own:
            quarters = _quarters(frame.iloc[:, at[name]])
            if (quarters >= 0).any():
                return _Periods(str(frame.columns[at[name]]), quarters)
    return None


def _quarters(column: pd.Series[Any]) -> NDArray[np.int64]:
    codes, cells = pd.factorize(column)
    read = [parse_period(cell) for cell in cells]
    table = np.array([*(-1 if p is None else p.quarter for p in read), -1], dtype=np.int64)
    return np.asarray(table[codes])


@dataclass(frozen=True)
class _Chosen:
    """Versions in use and, for each row, the position of its version."""

    books: tuple[Rulebook, ...]
    of_row: NDArray[np.int64]


def _versions(
    books: tuple[Rulebook, ...], periods: _Periods | None, rows: int, as_of: dt.date | None
) -> _Chosen:
    if periods is None:
        in_force = [b for b in books if as_of is None or _in_force(b, as_of)] or list(books)
        return _Chosen((in_force[-1],), np.zeros(rows, dtype=np.int64))
    distinct, codes = np.unique(periods.quarters, return_inverse=True)
    positions = []
    for quarter in distinct.tolist():
        covering = [k for k, book in enumerate(books) if quarter >= 0 and book.covers(quarter)]
        missing = _UNREADABLE if quarter < 0 else _NO_VERSION
        positions.append(covering[-1] if covering else missing)
    used = sorted({k for k in positions if k >= 0}) or [len(books) - 1]
    table = np.array([used.index(k) if k >= 0 else k for k in positions] or [0], dtype=np.int64)
    of_row = table[codes] if rows else np.zeros(0, dtype=np.int64)
    return _Chosen(tuple(books[k] for k in used), of_row)


def _in_force(book: Rulebook, day: dt.date) -> bool:
    return book.effective_from <= day and (book.effective_to is None or day <= book.effective_to)


# -- columns --------------------------------------------------------------------------------------


def fields_of(books: Sequence[Rulebook]) -> dict[str, str]:
    """Names that rulebooks read, each with its kind: number, flag, text or series.

    Examples
    --------
    >>> from debtwatch.rules.rulebook import load_rulebooks
    >>> tiers = [book for book in load_rulebooks() if book.id == "cn-debt-tiers"]
    >>> sorted(fields_of(tiers))
    ['comprehensive_fiscal_capacity', 'debt_balance', 'debt_ratio']
    """
    kinds: dict[str, str] = {}
    for book in books:
        for use in book.field:
            kinds[use.name] = use.unit if use.unit in {"flag", "text", "series"} else "number"
    return {**kinds, **{i.id: "number" for book in books for i in book.indicator}}


def _columns(frame: pd.DataFrame, books: Sequence[Rulebook]) -> dict[str, list[int]]:
    """Columns of each field and indicator that the table holds; several for a series."""
    at: dict[str, list[int]] = {}
    for position, name in enumerate(frame.columns):
        at.setdefault(str(name).strip(), []).append(position)
    kinds = fields_of(books)
    found: dict[str, list[int]] = {}
    for name, kind in kinds.items():
        if len(at.get(name, ())) > 1:
            raise DataProblem(N_("The table has two columns “{name}”; keep one."), name=name)
        if name in at:
            found[name] = at[name]
        elif kind == "series" and (parts := _numbered(name, at)):
            found[name] = parts
    if not found:
        raise DataProblem(
            N_("The table has no column that {rulebook} reads. Name the columns in its first row: "
               "{fields}; or give the indicators themselves: {indicators}."),
            rulebook=books[-1].reference,
            fields=", ".join(use.name for use in books[-1].field),
            indicators=", ".join(i.id for i in books[-1].indicator),
        )  # fmt: skip
    return found


def _numbered(name: str, at: Mapping[str, list[int]]) -> list[int]:
    """Columns field_1, field_2, ... up to the first that is not there."""
    parts: list[int] = []
    while one := at.get(f"{name}_{len(parts) + 1}"):
        parts.append(one[0])
    return parts


def _lacking(books: Sequence[Rulebook], columns: Mapping[str, list[int]]) -> list[str]:
    """Fields that are needed, have no column, and are in no indicator that has one."""
    needed: dict[str, None] = {}
    for book in books:
        own = {indicator.id for indicator in book.indicator}
        used = [name for rule in book.rule for name in rule.parsed.names()]
        for i in book.indicator:
            if i.id not in columns:
                used += [*i.parsed.names(), *i.positive, *i.nonzero]
        needed.update(dict.fromkeys(n for n in used if n not in own and n not in columns))
    return list(needed)


@dataclass(frozen=True)
class _Read:
    """Values of the columns; for each, why some cells have none (the rest are just missing)."""

    inputs: Inputs
    faults: dict[str, dict[str, Mask]]
    notes: list[Note]


def _read(
    frame: pd.DataFrame, columns: Mapping[str, list[int]], books: Sequence[Rulebook]
) -> _Read:
    kinds = fields_of(books)
    read = _Read({}, {}, [])
    for name in (n for n in kinds if n in columns):
        parts = [frame.iloc[:, position] for position in columns[name]]
        faults: dict[str, Mask] = {}
        if kinds[name] == "text":
            read.inputs[name] = _text(parts[0])
            continue
        if kinds[name] == "series":
            values: Array | Series
            values, bad, faults = _series(name, parts)
        elif kinds[name] == "flag":
            values, bad = _flags(parts[0])
        else:
            values, bad = _numbers(parts[0])
        read.inputs[name] = values
        for reason, rows in faults.items():
            text = N_("{count} cells of column {column} count as missing: {reason}.")
            read.notes.append(
                Note(text, {"count": int(rows.sum()), "column": name, "reason": reason})
            )
        if bad.any():
            word = "is not true or false" if kinds[name] == "flag" else "is not a number"
            faults[f"{name} {word}"] = bad
            read.notes.append(_unread(name, parts, bad))
        read.faults[name] = faults
    return read


def _unread(name: str, parts: Sequence[pd.Series[Any]], bad: Mask) -> Note:
    first = int(bad.argmax())
    text = N_(
        "{count} cells of column {column} cannot be read and count as missing, the first in row "
        "{row}: “{cell}”."
    )
    cell = "; ".join(str(part.iloc[first]) for part in parts)[:40]
    values = {"count": int(bad.sum()), "column": name, "row": first + 1, "cell": cell}
    return Note(text, values)


def _numbers(column: pd.Series[Any]) -> tuple[Array, Mask]:
    """Numbers of a column; the mask marks cells that hold something else."""
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        bad = np.isinf(values)
        return np.where(bad, np.nan, values), bad
    cells = column.to_numpy(dtype=object)
    values, wrong = read_numbers(
        [None if gone else cell for cell, gone in zip(cells, pd.isna(cells), strict=True)]
    )
    bad = np.isinf(values)
    bad[wrong] = True
    return np.where(bad, np.nan, values), bad


def _flags(column: pd.Series[Any]) -> tuple[Array, Mask]:
    codes, cells = pd.factorize(column)
    read = [_flag(cell) for cell in cells]
    table = np.array([*(np.nan if f is None else f for f in read), np.nan])
    wrong = np.array([*(f is None for f in read), False], dtype=bool)
    return np.asarray(table[codes]), np.asarray(wrong[codes])


def _flag(cell: Any) -> float | None:
    """Truth of a cell: NaN for a blank, None when it is neither true nor false."""
    if isinstance(cell, bool | np.bool_):
        return float(cell)
    if isinstance(cell, str) and (word := cell.strip().casefold()) in _FLAGS:
        return _FLAGS[word]
    number = read_number(cell)
    return number if number is None or number in {0.0, 1.0} or np.isnan(number) else None


def _text(column: pd.Series[Any]) -> Text:
    codes, cells = pd.factorize(column)
    words = [_word(cell) for cell in cells]
    categories = tuple(dict.fromkeys(word for word in words if word))
    position = {word: k for k, word in enumerate(categories)}
    table = np.array([*(position.get(word, -1) for word in words), -1], dtype=np.int32)
    return Text(np.asarray(table[codes], dtype=np.int32), categories)


def _word(cell: Any) -> str:
    whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell) if whole else cell).strip()


def _series(name: str, parts: Sequence[pd.Series[Any]]) -> tuple[Series, Mask, dict[str, Mask]]:
    """Several years of a quantity: numbered columns, or cells such as ``1;2;3``."""
    if len(parts) > 1 or pd.api.types.is_numeric_dtype(parts[0].dtype):
        read = [_numbers(part) for part in parts]
        bad: Mask = np.logical_or.reduce([b for _, b in read])
        return Series(np.stack([v for v, _ in read], axis=1)), bad, {}
    column = parts[0]
    keys = column.map(_series_key)  # lists of a parquet file cannot be compared
    codes, cells = pd.factorize(keys)
    rows = [_series_cell(cell) for cell in cells]
    lengths = np.array([*(-1 if row is None else len(row) for row in rows), 0])[codes]
    counted = np.bincount(lengths[lengths > 0])
    usual = int(np.flatnonzero(counted == counted.max())[-1]) if counted.size else 1
    empty = [np.nan] * usual
    table = np.array(
        [*(row if row is not None and len(row) == usual else empty for row in rows), empty]
    )
    faults = {
        f"{name} has {length} values where most rows have {usual}": lengths == length
        for length in sorted(set(lengths[lengths > 0].tolist()) - {usual})
    }
    return Series(table[codes]), lengths == -1, faults


def _series_key(cell: Any) -> str | None:
    if isinstance(cell, np.ndarray | list | tuple):
        plain = [None if pd.isna(part) else part for part in cell]
        return json.dumps(plain, default=str)
    return None if pd.isna(cell) else str(cell)


def _series_cell(cell: str) -> list[float] | None:
    """Numbers of one cell; an empty list for a blank, None when it holds something else."""
    text = cell.strip()
    parts: list[Any] = text.replace("；", ";").split(";")
    if text.startswith("["):
        try:
            parts = json.loads(text)
        except (ValueError, RecursionError):
            return None
    read = [None if isinstance(part, list | dict) else read_number(part) for part in parts]
    numbers = [number for number in read if number is not None]
    if len(numbers) < len(read):
        return None
    return [] if len(parts) == 1 and numbers[0] != numbers[0] else numbers


# -- judging --------------------------------------------------------------------------------------


@dataclass
class _Parts:
    """The added columns while they are filled, one entry a row."""

    values: dict[str, Array]
    bands: dict[str, NDArray[np.int32]]
    band_names: dict[str, dict[str, int]]
    outcome: NDArray[np.int32]
    outcomes: dict[str, int]
    severity: Array
    reasons: NDArray[np.int32]
    reason_texts: dict[str, int]
    version: NDArray[np.int32]
    versions: dict[str, int]


def _judge(chosen: _Chosen, read: _Read, periods: _Periods | None, rows: int) -> _Parts:
    ids = list(dict.fromkeys(i.id for book in chosen.books for i in book.indicator))

    def none() -> NDArray[np.int32]:
        return np.full(rows, -1, dtype=np.int32)

    parts = _Parts(
        {i: np.full(rows, np.nan) for i in ids}, {i: none() for i in ids}, {i: {} for i in ids},
        none(), {}, np.full(rows, np.nan), none(), {}, none(), {},
    )  # fmt: skip
    for position, book in enumerate(chosen.books):
        where = np.flatnonzero(chosen.of_row == position)
        whole = len(where) == rows
        for start in range(0, len(where), _BLOCK):
            stop = min(start + _BLOCK, len(where))
            _judge_block(book, read, slice(start, stop) if whole else where[start:stop], parts)
    parts.outcome[chosen.of_row == _NO_VERSION] = _code(parts.outcomes, NOT_IN_FORCE)
    if periods is not None and (unread := chosen.of_row == _UNREADABLE).any():
        parts.outcome[unread] = _code(parts.outcomes, UNKNOWN)
        parts.severity[unread] = 9
        parts.reasons[unread] = _code(parts.reason_texts, f"no period in {periods.column}")
        for indicator in ids:
            parts.bands[indicator][unread] = _code(parts.band_names[indicator], NA)
    return parts


def _code(names: dict[str, int], name: str) -> int:
    return names.setdefault(name, len(names))


def _judge_block(book: Rulebook, read: _Read, rows: Any, parts: _Parts) -> None:
    inputs = {name: _taken(value, rows) for name, value in read.inputs.items()}
    size = len(parts.outcome[rows])
    result = assess(book, inputs)
    for indicator in book.indicator:
        value = np.broadcast_to(result.values[indicator.id], size)
        codes = np.broadcast_to(result.bands[indicator.id], size)
        names = parts.band_names[indicator.id]
        table = [*(_code(names, b.band) for b in indicator.bands), _code(names, NA)]
        parts.values[indicator.id][rows] = value
        parts.bands[indicator.id][rows] = np.array(table, dtype=np.int32)[codes]  # -1 is the last
    ids = [*(o.id for o in book.outcome), UNKNOWN]
    outcome = np.broadcast_to(result.outcome, size)
    parts.outcome[rows] = np.array([_code(parts.outcomes, o) for o in ids], dtype=np.int32)[outcome]
    parts.severity[rows] = np.broadcast_to(result.severity(), size)
    parts.version[rows] = _code(parts.versions, book.reference)
    faults = {name: {text: mask[rows] for text, mask in masks.items()}
              for name, masks in read.faults.items()}  # fmt: skip
    parts.reasons[rows] = _reasons(result, inputs, faults, parts.reason_texts, size)


def _taken(value: Array | Text | Series, rows: Any) -> Array | Text | Series:
    if isinstance(value, Text):
        return Text(value.codes[rows], value.categories)
    if isinstance(value, Series):
        return Series(value.values[rows])
    return np.asarray(value[rows])


# -- why a row is na ------------------------------------------------------------------------------


def _reasons(
    result: Assessment,
    inputs: Mapping[str, Any],
    faults: Mapping[str, Mapping[str, Mask]],
    texts: dict[str, int],
    size: int,
) -> NDArray[np.int32]:
    """Code of each row's reasons, -1 for none; texts are built once for each combination."""
    book = result.rulebook
    why = _Why({**inputs, **result.values}, {i.id for i in book.indicator}, faults, size)
    for indicator in book.indicator:
        gone = np.broadcast_to(np.isnan(result.values[indicator.id]), size)
        if not gone.any():
            continue
        if indicator.id in inputs:
            why.missing(indicator.id, gone)
        else:
            why.collect(indicator.parsed.root, gone)
            for name in (*indicator.positive, *indicator.nonzero):
                why.edge(name, gone, negative=name in indicator.positive)
        explained = np.logical_or.reduce([np.zeros(size, dtype=bool), *why.found.values()])
        why.add(f"{indicator.id} cannot be computed", gone & ~explained)
    known = {o.id: k for k, o in enumerate(book.outcome)}
    unknown = np.broadcast_to(result.outcome == known.get(UNKNOWN, len(book.outcome)), size)
    if unknown.any():
        for name in dict.fromkeys(n for rule in book.rule for n in rule.parsed.names()):
            why.missing(name, unknown)
    return _combined(why.found, size, texts)


class _Why:
    """Rows of each reason, found by walking formulas over whole columns."""

    def __init__(
        self,
        known: Mapping[str, Any],
        indicators: set[str],
        faults: Mapping[str, Mapping[str, Mask]],
        size: int,
    ) -> None:
        self.known, self.indicators, self.faults, self.size = known, indicators, faults, size
        self.found: dict[str, Mask] = {}

    def add(self, text: str, rows: Mask) -> None:
        if rows.any():
            self.found[text] = self.found[text] | rows if text in self.found else rows

    def missing(self, name: str, reach: Mask) -> None:
        gone = reach & self._gone(name)
        for text, rows in self.faults.get(name, {}).items():
            self.add(text, gone & rows)
            gone = gone & ~rows
        self.add(f"{name} missing", gone)

    def _gone(self, name: str) -> Mask:
        value = self.known.get(name)
        if value is None:
            return np.ones(self.size, dtype=bool)
        if isinstance(value, Text):
            return np.asarray(value.codes < 0)
        if isinstance(value, Series):
            return np.asarray(np.isnan(value.values).any(axis=-1))
        return np.broadcast_to(np.isnan(value), self.size)

    def edge(self, name: str, reach: Mask, *, negative: bool) -> None:
        """Look at a field that must be positive, or not zero."""
        value = self.known.get(name, np.nan)
        if isinstance(value, Text | Series):
            return
        self.add(f"{name} is zero", reach & np.asarray(value == 0))
        if negative:
            self.add(f"{name} is negative", reach & np.asarray(value < 0))
        self.missing(name, reach)

    def collect(self, node: Node, reach: Mask) -> None:
        """Reasons of a formula's part in the rows that reach it; branches not taken do not."""
        if node.kind == "name":
            if node.value not in self.indicators:  # an indicator's own reasons stand already
                self.missing(node.value, reach)
            return
        if node.kind == "if" or (node.kind == "call" and node.value == "if_"):
            truth = self._value(node.parts[0])
            self.collect(node.parts[0], reach)
            self.collect(node.parts[1], reach & ~np.isnan(truth) & (truth != 0))
            self.collect(node.parts[2], reach & (truth == 0))
            return
        for part in node.parts:
            self.collect(part, reach)
        if node.kind == "arithmetic" and node.value == "/":
            zero = self._value(node.parts[1]) == 0
            self.add(f"{render(node.parts[1], str)} is zero", reach & zero)

    def _value(self, node: Node) -> Array:
        value = evaluate(Formula("", node), self.known)
        if isinstance(value, Series):  # one zero among the years is enough
            return np.where((value.values == 0).any(axis=-1), 0.0, 1.0)
        return np.broadcast_to(np.asarray(value, dtype=np.float64), self.size)


def _combined(found: Mapping[str, Mask], size: int, texts: dict[str, int]) -> NDArray[np.int32]:
    codes = np.full(size, -1, dtype=np.int32)
    if not found:
        return codes
    rows = np.flatnonzero(np.logical_or.reduce(list(found.values())))
    held = [mask[rows] for mask in found.values()]
    patterns = np.zeros(len(rows), dtype=np.int64)
    for k, mask in enumerate(held):
        if k % 32 == 31:  # the patterns so far are numbered anew before the bits run out
            patterns = np.unique(patterns, return_inverse=True)[1].astype(np.int64)
        patterns = patterns * 2 + mask
    _, first, of_row = np.unique(patterns, return_index=True, return_inverse=True)
    said = ["; ".join(text for text, mask in zip(found, held, strict=True) if mask[k])
            for k in first.tolist()]  # fmt: skip
    codes[rows] = np.array([_code(texts, text) for text in said], dtype=np.int32)[of_row]
    return codes


# -- the added columns ----------------------------------------------------------------------------


def _made(columns: Mapping[str, list[int]], parts: _Parts) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for indicator in parts.values:
        if indicator not in columns:
            made[indicator] = parts.values[indicator]
        made[f"{indicator}_band"] = _words(parts.bands[indicator], parts.band_names[indicator])
    blank = np.isnan(parts.severity)
    severity = np.where(blank, 0, parts.severity).astype(np.int64)
    made["outcome"] = _words(parts.outcome, parts.outcomes)
    made["severity"] = pd.arrays.IntegerArray(severity, blank)
    made["na_reasons"] = _words(parts.reasons, parts.reason_texts)
    made["rulebook"] = _words(parts.version, parts.versions)
    return made


def _free(names: Iterable[str], taken: set[str]) -> dict[str, str]:
    """Give each name a number behind it where the table has it already."""
    free: dict[str, str] = {}
    for name in names:
        candidates = (name if k == 1 else f"{name}_{k}" for k in count(1))
        free[name] = next(c for c in candidates if c not in taken)
        taken.add(free[name])
    return free


def _words(codes: NDArray[np.int32], names: Mapping[str, int]) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, pd.Index(list(names), dtype="str"))
