"""Read plain tables (one row for each government and period) as observations by vintage.

The first table is the spine; the others are joined to it by government and period, and by day of
publication where both say it. A figure of another table then counts from its own day on.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from debtwatch.early_warning.column_values import (
    NO_PERIOD,
    read_days,
    read_figures,
    read_periods,
    read_words,
)
from debtwatch.early_warning.sample import Frequency, Note, Observations
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.table_join import KeyedTable, joined
from debtwatch.errors import DataProblem, RulebookProblem
from debtwatch.language import N_
from debtwatch.provenance import sha256_of_file
from debtwatch.rules.expression import Node, Text, evaluate
from debtwatch.rules.table_file import load_table

Kind = Literal["number", "text", "either"]
_FRAME = ("unit", "group", "period", "known_from")
_SENTINEL, _USUAL = 1e9, 1e4


def read_observations(paths: Sequence[Path], spec: Spec, *, learning: bool = True) -> Observations:
    r"""Read one or more tables as a specification describes them.

    Parameters
    ----------
    paths : sequence of Path
        csv (also ``.csv.gz``), workbook or parquet. The first table is the spine; of a column that
        several tables have, that of the first is taken.
    spec : Spec
    learning : bool
        Whether outcomes are wanted, so that one period is too few.

    Returns
    -------
    Observations
        A row without a day of publication is known ``lag_days`` after its period's end. Rows that
        only a further table with the column of events has are kept for outcomes and are known from
        the year 2200.

    Raises
    ------
    DataProblem
        When a table cannot be read, lacks a column, holds a key twice, or mixes years and quarters;
        when the formula of a derived column does not fit its columns;
        when there is no row, or fewer than two periods to learn from; when a column of
        probabilities holds other figures.

    Examples
    --------
    >>> import tempfile
    >>> spec = Spec.model_validate({
    ...     "id": "x", "title": {"zh": "例", "en": "x"}, "country": "XX",
    ...     "target": {"kind": "entry", "horizon": 1, "ratio": "r", "line": 1.0},
    ...     "feature": [{"id": "r", "of": "r", "label": {"zh": "例", "en": "r"}}]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.csv")
    ...     _ = path.write_text("unit,period,r\n01,2021,0.9\n01,2020,n.d.\n")
    ...     observations = read_observations([path], spec)
    >>> observations.frame[["unit", "period", "r"]].to_numpy().tolist()
    [['01', 2020, nan], ['01', 2021, 0.9]]
    """
    kinds = column_kinds(spec)
    _check_names(spec, kinds)
    opened = [_open(Path(path), spec, kinds) for path in paths]
    owners = _owners(opened, spec, kinds)
    notes: list[Note] = []
    tables = [
        _read(table, [n for n in kinds if owners[n] == k], spec, kinds, notes)
        for k, table in enumerate(opened)
    ]
    frequency = _frequency(tables, spec, least=2 if learning else 1)
    frame = joined(tables, spec, frequency, notes)
    words = _words_of(spec)
    for name in spec.columns:
        derived = _derived(spec, name, frame)
        frame[name] = _objects(read_words(derived, ())) if name in words else derived
    _check_probabilities(frame, spec)
    frame = _sorted(frame, [*_FRAME, *kinds, *spec.columns])
    notes += _column_notes(frame, spec, frequency)
    sources = {_short(path, paths): sha256_of_file(Path(path)) for path in paths}
    return Observations(frame, frequency, tuple(notes), sources)


def column_kinds(spec: Spec) -> dict[str, Kind]:
    """Columns that the tables must hold, keys apart, and what their cells are.

    Raises
    ------
    DataProblem
        When one column is used for words and for figures.
    """
    target = spec.target
    words = _words_of(spec)
    figures = {f.of for f in spec.feature if f.of and f.measure not in {"is", "missing", "delay"}}
    figures |= {c for c in (target.ratio, target.event) if c}
    names = dict.fromkeys(spec.columns_read())
    for derived in spec.columns:
        formula = spec.formula(derived)
        if formula is not None:
            names.update(dict.fromkeys(formula.names()))
            compared = set(_compared_with_words(formula.root))
            if formula.root.kind == "name" and derived in words:
                compared.add(str(formula.root.value))
            words |= compared
            figures |= set(formula.names()) - compared
    if both := sorted((words & figures) - set(spec.columns)):
        raise DataProblem(
            N_("The specification uses {columns} for words and for figures; a column is one or the "
               "other."),
            columns=", ".join(both),
        )  # fmt: skip
    return {n: "text" if n in words else "number" if n in figures else "either" for n in names}


def _words_of(spec: Spec) -> set[str]:
    """Columns of the table or derived ones whose words are looked at."""
    words = {f.of for f in spec.feature if f.of and f.measure == "is"}
    return words | ({spec.target.class_column} if spec.target.class_column else set())


def _compared_with_words(node: Node) -> Iterator[str]:
    """Names that a formula compares with words."""
    if node.kind == "compare":
        sides = [*node.parts, *(part for side in node.parts for part in side.parts)]
        if any(side.kind == "text" for side in sides):
            yield from (side.value for side in node.parts if side.kind == "name")
    for part in node.parts:
        yield from _compared_with_words(part)


def _check_names(spec: Spec, kinds: dict[str, Kind]) -> None:
    """Refuse a column of figures with the name of a key that it is not."""
    keys = {name: getattr(spec.data, name) for name in _FRAME}
    taken = [
        n for n in (*kinds, *spec.columns) if n in keys and (keys[n] != n or n in spec.columns)
    ]
    if taken:
        raise DataProblem(
            N_("Columns named {columns} are the keys of a table; give the columns of figures other "
               "names."),
            columns=", ".join(taken),
        )  # fmt: skip
    for name in [n for n in kinds if n in keys]:
        del kinds[name]


# -- files ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Opened:
    """Cells of a table as its file has them."""

    file: str
    header: tuple[str, ...]
    cells: pd.DataFrame


def _open(path: Path, spec: Spec, kinds: dict[str, Kind]) -> _Opened:
    data = spec.data
    keys = [name for name in (data.unit, data.period, data.group, data.known_from) if name]
    asked = {name: "number" if kind == "number" else "text" for name, kind in kinds.items()}
    loaded = load_table(path, {**asked, **dict.fromkeys(keys, "text")})
    with loaded.connection:
        header = tuple(name.strip() for name in loaded.header)
        cells = loaded.frame.set_axis([str(name).strip() for name in loaded.frame.columns], axis=1)
    for name in (*keys, *kinds):
        if header.count(name) > 1:
            raise DataProblem(N_("The table has two columns “{name}”; keep one."), name=name)
    if absent := [name for name in (data.unit, data.period) if name not in header]:
        raise DataProblem(
            N_("{file} has no column {columns}, which the specification names as key; its columns "
               "are {header}."),
            file=path.name, columns=_with_near(absent, header), header=", ".join(header),
        )  # fmt: skip
    return _Opened(path.name, header, cells)


def _owners(tables: Sequence[_Opened], spec: Spec, kinds: dict[str, Kind]) -> dict[str, int]:
    """Table from which each column is taken: the first that has it."""
    data = spec.data
    extra = [name for name in (data.group, data.known_from) if name]
    owners = {
        name: next((k for k, table in enumerate(tables) if name in table.header), -1)
        for name in (*kinds, *extra)
    }
    absent = [name for name, owner in owners.items() if owner < 0]
    if absent:
        header = [name for table in tables for name in table.header]
        raise DataProblem(
            N_("No table has the columns {columns}, which the specification reads. Correct their "
               "names, or give the table that holds them as well."),
            columns=_with_near(absent, header),
        )  # fmt: skip
    return owners


def _with_near(names: Sequence[str], header: Sequence[str]) -> str:
    """Names, each with the columns that look like it."""
    said = []
    folded = {name.casefold(): name for name in header}
    for name in names:
        near = difflib.get_close_matches(name.casefold(), list(folded), n=3, cutoff=0.5)
        said.append(f"{name} (≈ {', '.join(folded[n] for n in near)})" if near else name)
    return ", ".join(said)


def _short(path: Path, paths: Sequence[Path]) -> str:
    """File name, with its folder where two files have the same."""
    twice = [Path(other).name for other in paths].count(Path(path).name) > 1
    return f"{Path(path).parent.name}/{Path(path).name}" if twice else Path(path).name


# -- one table ------------------------------------------------------------------------------------


def _read(
    table: _Opened, columns: list[str], spec: Spec, kinds: dict[str, Kind], notes: list[Note]
) -> KeyedTable:
    data, cells = spec.data, table.cells
    missing = {word.strip().casefold() for word in data.missing}
    period, frequency = read_periods(cells[data.period], name=data.period, file=table.file)
    frame = pd.DataFrame({"period": period}, index=cells.index)
    frame["unit"] = _objects(read_words(cells[data.unit], ()))
    if data.group and data.group in table.header:
        frame["group"] = _objects(read_words(cells[data.group], ()))
    if data.known_from and data.known_from in table.header:
        frame["known_from"] = read_days(
            cells[data.known_from], name=data.known_from, file=table.file
        )
    values = {name: _column(cells[name], name, kinds[name], missing, notes) for name in columns}
    frame = pd.concat([frame, pd.DataFrame(values, index=cells.index)], axis=1)
    keyed = frame["unit"].notna() & (frame["period"] != NO_PERIOD)
    if left_out := int((~keyed).sum()):
        text = N_("{file}: {count} rows without a government or a period are left out.")
        notes.append(Note(text, {"file": table.file, "count": left_out}))
    return KeyedTable(table.file, frame[keyed].reset_index(drop=True), frequency)


def _objects(words: Any) -> pd.Series[Any]:
    return pd.Series(words, dtype=object)


def _column(
    cells: pd.Series[Any], name: str, kind: Kind, missing: set[str], notes: list[Note]
) -> pd.Series[Any]:
    """Values of a column; what is known of it only by being missing may be words or figures."""
    if kind == "text":
        return _objects(read_words(cells, missing))
    read = read_figures(cells, missing)
    if kind == "either" and read.unreadable > np.isfinite(read.values).sum():
        return _objects(read_words(cells, missing))
    if read.infinite:
        text = N_("Column {column}: {count} infinite figures count as missing.")
        notes.append(Note(text, {"column": name, "count": read.infinite}))
    if read.unreadable:
        text = N_("Column {column}: {count} cells are not numbers and count as missing, the first "
                  "“{cell}”.")  # fmt: skip
        notes.append(Note(text, {"column": name, "count": read.unreadable, "cell": read.first}))
    return pd.Series(read.values, index=cells.index)


def _frequency(tables: Sequence[KeyedTable], spec: Spec, *, least: int) -> Frequency:
    """Find the frequency that all tables share, and refuse what is too short to learn from."""
    spine = tables[0]
    for table in tables:
        if table.frequency is None or table.frame.empty:
            raise DataProblem(
                N_("{file} holds no row with a government and a period (columns {unit} and "
                   "{period}); give a table with rows."),
                file=table.file, unit=spec.data.unit, period=spec.data.period,
            )  # fmt: skip
        if table.frequency != spine.frequency:
            raise DataProblem(
                N_("Of {file} and {other} one is by years and the other by quarters; give tables "
                   "of one frequency."),
                file=table.file, other=spine.file,
            )  # fmt: skip
    periods = spine.frame["period"].nunique()
    if periods < least or spine.frequency is None:
        horizon = spec.target.horizon
        raise DataProblem(
            N_("{file} holds {count} period; with a horizon of {horizon} a model needs at least "
               "{learn} periods to learn from and {judge} to be judged as well."),
            file=spine.file, count=periods, horizon=horizon, learn=horizon + 1,
            judge=2 * horizon + 1,
        )  # fmt: skip
    return spine.frequency


# -- the frame ------------------------------------------------------------------------------------


def _derived(spec: Spec, name: str, frame: pd.DataFrame) -> pd.Series[Any]:
    """Evaluate a derived column over the whole table."""
    formula = spec.formula(name)
    assert formula is not None  # noqa: S101 - called for derived columns only
    inputs = {
        column: frame[column].where(frame[column].notna(), None).to_numpy(dtype=object)
        if frame[column].dtype == object
        else frame[column].to_numpy(dtype=np.float64)
        for column in formula.names()
    }
    try:
        result = evaluate(formula, inputs)
    except RulebookProblem as error:
        raise DataProblem(
            N_("columns.{name} of the specification: {reason}"), name=name, reason=error.text
        ) from error
    if isinstance(result, Text):
        words = np.array([*result.categories, None], dtype=object)[result.codes]
        return pd.Series(words, index=frame.index, dtype=object)
    values = np.broadcast_to(np.asarray(result, dtype=np.float64), (len(frame),))
    return pd.Series(np.where(np.isfinite(values), values, np.nan), index=frame.index)


def _check_probabilities(frame: pd.DataFrame, spec: Spec) -> None:
    """Refuse percentages and other figures where a projection's probability is read."""
    for name in {f.of for f in spec.feature if f.measure == "projection" and f.of in frame}:
        odd = frame.loc[(frame[name] < 0) | (frame[name] > 1), name]
        if len(odd):
            raise DataProblem(
                N_("Column {column} is read as a probability, but {count} of its figures are not "
                   "from 0 to 1, the first {value}."),
                column=name, count=len(odd), value=f"{odd.iloc[0]:.6g}",
            )  # fmt: skip


def _sorted(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    frame = frame.sort_values(["unit", "period", "known_from"], kind="stable", ignore_index=True)
    values: dict[str, pd.Series[Any]] = {}
    for name in dict.fromkeys(columns):
        column = frame[name]
        if column.dtype == object or pd.api.types.is_string_dtype(column.dtype):
            words = column.astype(object)
            column = words.where(words.notna(), None)
        values[name] = column
    return pd.DataFrame(values, copy=True)


def _column_notes(frame: pd.DataFrame, spec: Spec, frequency: Frequency) -> Iterator[Note]:
    """Say which columns hold nothing, and which hold figures far out of line."""
    for name in dict.fromkeys(f.of for f in spec.feature if f.of):
        if name in frame and frame[name].isna().all():
            text = N_("Column {column} holds no figure: its features are left out.")
            yield Note(text, {"column": name})
    for name in [str(c) for c in frame if c not in _FRAME and frame[c].dtype == np.float64]:
        size = frame[name].abs()
        if (odd := int((size >= _SENTINEL).sum())) and size.median() < _USUAL:
            text = N_("Column {column}: {count} figures are {limit} or larger, the usual one is "
                      "{usual}; they are kept and count as the largest usual ones.")  # fmt: skip
            yield Note(
                text,
                {"column": name, "count": odd, "limit": "1e9", "usual": f"{size.median():.3g}"},
            )
    if frequency == "quarter" and frame["period"].mod(4).eq(3).all():
        text = N_("Every period is a fourth quarter, and the horizon counts quarters; if the table "
                  "is by years, write its periods as 2021.")  # fmt: skip
        yield Note(text, {})
